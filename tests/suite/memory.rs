//! What memory is bounded by: the limit, and not by what clients do.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use larder::limits::{COPY_SIZE_MAX, OUTPUT_SIZE_HIGH};
use socket2::{Domain, SockAddr, Socket, Type};

use crate::support::process::{descriptor_limit, resident_size, settled_size, skip};
use crate::support::{Client, Server};

/// Bytes of ours that an idle connection may cost.
const IDLE_CONNECTION_SIZE_MAX: u64 = 512;

/// What a full daemon may take beyond `-m`: five percent and 16 MiB.
fn bound(limit_mib: u64) -> u64 {
    (limit_mib << 20) / 100 * 105 + (16 << 20)
}

/// MiB that go through the cache in the churn test; `make soak` asks for more.
fn churn_mib() -> usize {
    let given = std::env::var("LARDER_CHURN_MIB").ok();
    given.and_then(|text| text.parse().ok()).unwrap_or(400)
}

/// A fixed sequence of numbers, so that a failure can be seen again.
struct Sequence(u64);

impl Sequence {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % bound as u64).expect("less than bound")
    }
}

/// The value of a key: any part of it tells whose it is.
fn value_of(key: usize, size: usize) -> Vec<u8> {
    let unit = format!("{key:08};");
    unit.bytes().cycle().take(size).collect()
}

/// A size of any magnitude from a byte to nearly the largest.
fn any_size(sequence: &mut Sequence) -> usize {
    let magnitude = sequence.below(20);
    let largest = (2_usize << magnitude).min(1_048_000);
    1 + sequence.below(largest)
}

#[test]
fn churn_of_all_sizes_keeps_to_the_limit_and_mixes_up_nothing() {
    const LIMIT_MIB: u64 = 64;
    const KEY_COUNT: usize = 200_000;
    let server = Server::start(&["-m", "64"]);
    let mut client = server.connect();
    let mut probe = server.connect();
    let mut sequence = Sequence(0x9e37_79b9_7f4a_7c15);
    let mut sizes = std::collections::HashMap::new();
    let mut written = 0;
    let mut highest = 0;
    let mut longest_wait = Duration::ZERO;
    while written < churn_mib() << 20 {
        let mut batch = Vec::new();
        let mut keys = Vec::new();
        while batch.len() < 1 << 20 {
            let key = sequence.below(KEY_COUNT);
            let size = any_size(&mut sequence);
            batch.extend_from_slice(format!("set key{key} 0 0 {size} noreply\r\n").as_bytes());
            batch.extend_from_slice(&value_of(key, size));
            batch.extend_from_slice(b"\r\n");
            sizes.insert(key, size);
            keys.push(key);
        }
        written += batch.len();
        client.send(&batch);
        client.sync();
        let asked = Instant::now();
        probe.sync();
        longest_wait = longest_wait.max(asked.elapsed());
        let key = keys[sequence.below(keys.len())];
        check(&mut probe, key, sizes[&key]);
        highest = highest.max(resident_size(server.pid()));
    }
    println!("longest wait of a probe: {longest_wait:?}; highest RSS {highest}");
    assert!(client.stat("evictions") > 0, "the cache has been full");
    assert!(client.stat("bytes") <= LIMIT_MIB << 20);
    let bound = bound(LIMIT_MIB);
    assert!(highest <= bound, "{highest} bytes, more than {bound}");
    assert_eq!(client.stat("store_no_memory"), 0);
}

/// The item is gone, or it is exactly what was stored.
fn check(client: &mut Client, key: usize, size: usize) {
    client.send(format!("get key{key}\r\n"));
    let head = client.line();
    if head == "END" {
        return;
    }
    assert_eq!(head, format!("VALUE key{key} 0 {size}"));
    let value = client.take(size);
    assert!(value == value_of(key, size), "key{key} is not its own");
    client.expect("\r\nEND\r\n");
}

#[test]
fn a_lower_limit_gives_memory_back_and_a_higher_one_takes_more() {
    let server = Server::start(&["-m", "128"]);
    let mut client = server.connect();
    let fill = |client: &mut Client, count: usize| {
        let value = "v".repeat(100_000);
        for batch in 0..count / 10 {
            let sets: String = (0..10)
                .map(|n| format!("set k{batch}-{n} 0 0 100000 noreply\r\n{value}\r\n"))
                .collect();
            client.send(sets);
            client.sync();
        }
    };
    fill(&mut client, 1500);
    assert!(resident_size(server.pid()) > 100 << 20);
    client.ask("cache_memlimit 32\r\n", "OK\r\n");
    assert_eq!(client.stat("limit_maxbytes"), 32 << 20);
    let bound = bound(32);
    let shrunk = crate::support::process::wait_until(|| resident_size(server.pid()) <= bound);
    let size = resident_size(server.pid());
    assert!(shrunk, "{size} bytes, more than {bound}");
    client.ask("set k 0 0 1\r\nv\r\n", "STORED\r\n");
    client.ask("cache_memlimit 128\r\n", "OK\r\n");
    fill(&mut client, 1000);
    assert!(client.stat("curr_items") > 700);
}

#[test]
fn without_eviction_a_full_cache_says_so() {
    let server = Server::start(&["-M", "-m", "8"]);
    let mut client = server.connect();
    let value = "v".repeat(10_000);
    let mut full = 0;
    for n in 0..1500 {
        client.send(format!("set k{n} 0 0 10000\r\n{value}\r\n"));
        match client.line().as_str() {
            "STORED" => {}
            "SERVER_ERROR out of memory storing object" => full += 1,
            other => panic!("{other:?}"),
        }
    }
    assert!(full > 500, "{full}");
    assert_eq!(client.stat("evictions"), 0);
    assert_eq!(client.stat("store_no_memory"), full);
    client.ask(
        "get k1\r\n",
        format!("VALUE k1 0 10000\r\n{value}\r\nEND\r\n"),
    );
    // What is deleted makes room, and a set that finds none takes its old value along.
    for n in 0..100 {
        client.send(format!("delete k{n}\r\n"));
        client.line();
    }
    client.ask(format!("set k1 0 0 10000\r\n{value}\r\n"), "STORED\r\n");
}

#[test]
fn ten_thousand_idle_connections_cost_half_a_kilobyte_each() {
    const COUNT: u64 = 10_000;
    if descriptor_limit() < COUNT + 500 {
        skip(&format!("this process may not open {COUNT} descriptors"));
        return;
    }
    let server = Server::start(&["-c", "11000"]);
    let mut witness = server.connect();
    witness.sync();
    let before = settled_size(server.pid());
    let mut clients = Vec::new();
    for n in 0..COUNT {
        let mut client = server.connect();
        if n % 2 == 0 {
            client.ask("get none\r\n", "END\r\n");
        }
        clients.push(client);
    }
    witness.await_stat("curr_connections", |now| now > COUNT);
    let growth = resident_size(server.pid()).saturating_sub(before);
    println!("{} bytes each", growth / COUNT);
    assert!(growth < COUNT * IDLE_CONNECTION_SIZE_MAX, "{growth} bytes");
}

#[test]
fn a_thousand_clients_that_never_read_cost_a_bounded_amount() {
    const COUNT: u64 = 1000;
    if descriptor_limit() < COUNT + 500 {
        skip(&format!("this process may not open {COUNT} descriptors"));
        return;
    }
    let server = Server::start(&["-c", "2000"]);
    let mut witness = server.connect();
    let value = "v".repeat(1_000_000);
    witness.ask(format!("set big 0 0 1000000\r\n{value}\r\n"), "STORED\r\n");
    let answer = format!("VALUE big 0 1000000\r\n{value}\r\nEND\r\n");
    let before = settled_size(server.pid());
    let mut deaf = Vec::new();
    for _ in 0..COUNT {
        let client = connect_with_small_buffer(server.address());
        let requests = "get big\r\n".repeat(4);
        client.send(requests.as_bytes()).expect("a peer");
        deaf.push(client);
    }
    // Others are served meanwhile, the very same value too.
    for _ in 0..10 {
        witness.ask("get big\r\n", &answer);
    }
    let growth = resident_size(server.pid()).saturating_sub(before);
    let each = (OUTPUT_SIZE_HIGH + COPY_SIZE_MAX) as u64;
    println!("{} bytes each", growth / COUNT);
    assert!(growth < COUNT * each, "{growth} bytes");
    drop(deaf);
    witness.await_stat("curr_connections", |now| now < 50);
    witness.ask("delete big\r\n", "DELETED\r\n");
    assert_eq!(witness.stat("curr_items"), 0);
}

/// A connection whose own side holds little, so that the answers wait in the daemon.
fn connect_with_small_buffer(address: SocketAddr) -> Socket {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
    socket.set_recv_buffer_size(4096).expect("a buffer size");
    socket
        .connect(&SockAddr::from(address))
        .expect("a listener");
    socket
}
