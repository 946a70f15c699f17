//! The server in this process, from outside: real sockets on ports that the system chose.
//!
//! Being in the same process, these tests move the clock and read the counters directly.
#![allow(dead_code, reason = "the client offers more than these tests need")]

#[path = "suite/support/client.rs"]
mod client;
#[path = "suite/support/process.rs"]
mod process;

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream, UdpSocket};

use larder::config::{Config, Listen};
use larder::held::Held;
use larder::server::Server;

use client::Client;
use process::{patience, wait_until};

const VERSION: &str = "VERSION 1.6.45\r\n";

fn config() -> Config {
    Config {
        listen: vec![Listen::host("127.0.0.1")],
        tcp_port: -1,
        workers: 2,
        ..Config::default()
    }
}

fn start(config: Config) -> (Server, SocketAddr) {
    let server = Server::start(config).expect("a free port");
    let address = server.local_addrs()[0];
    (server, address)
}

fn value(size: usize) -> Vec<u8> {
    let mut request = format!("set big 0 0 {size}\r\n").into_bytes();
    request.extend(std::iter::repeat_n(b'x', size));
    request.extend_from_slice(b"\r\n");
    request
}

#[test]
fn a_pipeline_longer_than_one_read_is_answered_whole_and_in_order() {
    let (server, address) = start(config());
    let mut client = Client::tcp(address);
    let count = 20_000;
    let request = "version\r\nget absent\r\n".repeat(count);
    let answer = format!("{VERSION}END\r\n").repeat(count);
    let sender = {
        let mut stream = TcpStream::connect(address).unwrap();
        let expected = answer.len();
        let mut reader = stream.try_clone().unwrap();
        let sender = std::thread::spawn(move || stream.write_all(request.as_bytes()));
        let mut received = vec![0; expected];
        reader.read_exact(&mut received).unwrap();
        assert!(received == answer.as_bytes());
        sender
    };
    sender.join().unwrap().unwrap();
    // One client cannot keep the other from being served, and its yields were counted.
    client.ask("version\r\n", VERSION);
    assert!(server.shared().registry.totals().conn_yields > 0);
}

#[test]
fn a_request_may_come_byte_by_byte() {
    let (server, address) = start(config());
    let mut client = Client::tcp(address);
    for byte in b"set k 0 0 5\r\nvalue\r\nversion\r\n" {
        client.send([*byte]);
    }
    client.expect(format!("STORED\r\n{VERSION}"));
    // Nothing is held for a client with nothing pending.
    assert!(wait_until(|| server.shared().registry.totals().buffers == 0));
}

#[test]
fn a_client_that_does_not_read_is_paused_and_others_are_served() {
    let (server, address) = start(Config {
        workers: 1,
        ..config()
    });
    let mut other = Client::tcp(address);
    other.ask(value(500_000), "STORED\r\n");
    let mut slow = Client::tcp(address);
    let count = 100;
    slow.send("get big\r\n".repeat(count));
    // It is paused once the system takes no more, with a bounded rest in our hands.
    assert!(wait_until(|| server.shared().registry.totals().buffers > 0));
    for _ in 0..100 {
        other.ask("version\r\n", VERSION);
    }
    assert!(server.shared().registry.totals().buffer_bytes < 512 << 10);
    // When it reads again, it gets everything.
    for _ in 0..count {
        assert_eq!(slow.line(), "VALUE big 0 500000");
        assert_eq!(slow.take(500_002).len(), 500_002);
        assert_eq!(slow.line(), "END");
    }
    slow.ask("version\r\n", VERSION);
}

#[test]
fn a_client_that_never_reads_is_dropped() {
    let (server, address) = start(config());
    let mut other = Client::tcp(address);
    other.ask(value(500_000), "STORED\r\n");
    let mut slow = Client::tcp(address);
    slow.send("get big\r\n".repeat(100));
    assert!(wait_until(|| {
        server.shared().clock.shift(61);
        server.shared().registry.totals().slow_client_closed == 1
    }));
    other.ask("version\r\n", VERSION);
    assert!(wait_until(|| other.stat("curr_connections") == 1));
}

#[test]
fn a_client_above_the_limit_is_told_so_and_one_that_leaves_makes_room() {
    let (_server, address) = start(Config {
        conn_limit: 2,
        ..config()
    });
    let mut first = Client::tcp(address);
    first.ask("version\r\n", VERSION);
    let mut second = Client::tcp(address);
    second.ask("version\r\n", VERSION);
    let mut third = Client::tcp(address);
    assert_eq!(third.rest(), b"ERROR Too many open connections\r\n");
    assert_eq!(first.stat("rejected_connections"), 1);
    second.send("quit\r\n");
    second.expect_close();
    assert!(wait_until(|| first.stat("curr_connections") == 1));
    Client::tcp(address).ask("version\r\n", VERSION);
}

#[test]
fn without_maxconns_fast_a_client_waits_for_room() {
    let (_server, address) = start(Config {
        conn_limit: 1,
        maxconns_fast: false,
        ..config()
    });
    let mut first = Client::tcp(address);
    first.ask("version\r\n", VERSION);
    let mut second = Client::tcp(address);
    second.send("version\r\n");
    assert!(wait_until(|| first.stat("listen_disabled_num") > 0));
    first.send("quit\r\n");
    first.expect_close();
    second.expect(VERSION);
}

#[test]
fn unix_socket_and_tcp_serve_together() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("socket");
    let (server, address) = start(Config {
        unix_socket: Some(path.clone()),
        ..config()
    });
    Client::unix(&path).ask("version\r\n", VERSION);
    Client::tcp(address).ask("version\r\n", VERSION);
    server.stop(true);
    assert!(!path.exists());
}

#[test]
fn a_large_value_passes_through_a_unix_socket() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("socket");
    let _server = Server::start(Config {
        tcp_port: 0,
        unix_socket: Some(path.clone()),
        ..config()
    })
    .unwrap();
    let mut client = Client::unix(&path);
    client.ask(value(500_000), "STORED\r\n");
    for _ in 0..20 {
        client.send("get big\r\n");
        assert_eq!(client.line(), "VALUE big 0 500000");
        assert_eq!(client.take(500_002).len(), 500_002);
        assert_eq!(client.line(), "END");
    }
}

#[test]
fn a_silent_client_is_closed_and_one_that_speaks_is_not() {
    let (server, address) = start(Config {
        idle_timeout_s: 30,
        ..config()
    });
    let mut silent = Client::tcp(address);
    silent.ask("version\r\n", VERSION);
    let mut lively = Client::tcp(address);
    for _ in 0..2 {
        server.shared().clock.shift(20);
        lively.ask("version\r\n", VERSION);
    }
    silent.expect_close();
    lively.ask("version\r\n", VERSION);
    assert_eq!(server.shared().registry.totals().idle_kicks, 1);
}

#[test]
fn a_thousand_clients_come_and_go_and_leave_nothing() {
    let (server, address) = start(config());
    let mut witness = Client::tcp(address);
    for round in 0..1000 {
        let mut client = Client::tcp(address);
        match round % 3 {
            0 => client.ask("version\r\n", VERSION),
            1 => client.send("set k 0 0 10\r\nhal"),
            _ => {}
        }
    }
    assert!(wait_until(|| witness.stat("curr_connections") == 1));
    assert_eq!(witness.stat("total_connections"), 1001);
    let totals = server.shared().registry.totals();
    assert_eq!(
        (totals.curr_connections, totals.buffers, totals.buffer_bytes),
        (1, 0, 0)
    );
    let lines = witness.list("stats conns");
    let clients = lines.iter().filter(|line| line.contains(":listen_addr "));
    assert_eq!(clients.count(), 1, "{lines:?}");
}

#[test]
fn a_client_that_shuts_down_its_side_still_gets_its_answers() {
    let (_server, address) = start(config());
    Client::tcp(address).ask(value(500_000), "STORED\r\n");
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(patience())).unwrap();
    let request = "get big\r\n".repeat(30) + &"version\r\n".repeat(100);
    stream.write_all(request.as_bytes()).unwrap();
    stream.shutdown(Shutdown::Write).unwrap();
    let mut received = Vec::new();
    stream.read_to_end(&mut received).unwrap();
    let one = "VALUE big 0 500000\r\n".len() + 500_002 + "END\r\n".len();
    assert_eq!(received.len(), 30 * one + 100 * VERSION.len());
    assert!(received.ends_with(VERSION.as_bytes()));
}

#[test]
fn quit_closes_after_what_precedes_it_and_before_what_follows() {
    let (_server, address) = start(config());
    let mut client = Client::tcp(address);
    client.send("version\r\nquit\r\nversion\r\n");
    client.expect(VERSION);
    client.expect_close();
}

#[test]
fn partial_requests_beyond_the_buffer_limit_are_closed() {
    let (server, address) = start(Config {
        workers: 1,
        // Two buffers as memcached counts them.
        read_buf_mem_limit: 32 << 10,
        ..config()
    });
    let mut clients: Vec<Client> = (0..3).map(|_| Client::tcp(address)).collect();
    for client in &mut clients {
        client.send("get half-a-li");
    }
    let totals = || server.shared().registry.totals();
    assert!(wait_until(|| totals().read_buf_oom == 1));
    assert!(wait_until(|| totals().curr_connections == 2));
    assert_eq!(totals().buffers, 2);
}

#[test]
fn stats_conns_tells_what_each_socket_is_doing() {
    let (_server, address) = start(config());
    let mut asker = Client::tcp(address);
    let mut writer = Client::tcp(address);
    writer.ask("version\r\n", VERSION);
    writer.send("set k 0 0 10\r\nhal");
    let shows = |lines: &[String], text: &str| lines.iter().any(|line| line.ends_with(text));
    let mut lines = Vec::new();
    assert!(wait_until(|| {
        lines = asker.list("stats conns");
        shows(&lines, ":state conn_nread")
    }));
    assert!(shows(&lines, ":state conn_parse_cmd"), "{lines:?}");
    assert!(shows(&lines, ":state conn_listening"), "{lines:?}");
    assert!(shows(&lines, &format!(":addr tcp:{address}")), "{lines:?}");
    let descriptors: Vec<u32> = lines
        .iter()
        .filter_map(|line| line.strip_prefix("STAT ")?.split(':').next()?.parse().ok())
        .collect();
    assert!(descriptors.is_sorted());
}

#[test]
fn datagrams_are_answered_with_the_request_id_and_parts_of_requests_are_not() {
    let server = Server::start(Config {
        udp_port: -1,
        ..config()
    })
    .unwrap();
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_read_timeout(Some(patience())).unwrap();
    socket.connect(server.udp_addrs()[0]).unwrap();
    socket.send(b"\0\x01\0\0\0\x02\0\0version\r\n").unwrap();
    socket.send(b"\0\x02\0\0\0\x01\0\0version\r\n").unwrap();
    let mut datagram = [0; 2000];
    let size = socket.recv(&mut datagram).unwrap();
    let expected = [b"\0\x02\0\0\0\x01\0\0", VERSION.as_bytes()].concat();
    assert_eq!(&datagram[..size], expected);
}

#[test]
fn the_shutdown_command_ends_the_wait() {
    let (server, address) = start(Config {
        shutdown_command: true,
        ..config()
    });
    Client::tcp(address).send("shutdown\r\n");
    assert!(!server.wait().graceful);
    server.control().shutdown(true);
    assert!(server.wait().graceful);
    server.stop(false);
    assert!(TcpStream::connect(address).is_err());
}

#[test]
fn a_graceful_stop_lets_a_client_take_its_output() {
    let (server, address) = start(config());
    let mut client = Client::tcp(address);
    client.ask(value(500_000), "STORED\r\n");
    client.send("get big\r\n".repeat(20));
    assert!(wait_until(|| server.shared().registry.totals().buffers > 0));
    let stopping = std::thread::spawn(move || server.stop(true));
    let one = "VALUE big 0 500000\r\n".len() + 500_002 + "END\r\n".len();
    let rest = client.rest();
    // Whole replies only: what has begun is finished.
    assert_eq!(rest.len() % one, 0);
    assert!(!rest.is_empty());
    stopping.join().unwrap();
}

/// A daemon that ends with the test.
struct Daemon(std::process::Child);

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn without_descriptors_clients_are_told_so_and_served_again_later() {
    use rustix::process::{Pid, Resource, Rlimit, prlimit};
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("socket");
    // In a process of its own, for the limit is the process's.
    let child = std::process::Command::new(env!("CARGO_BIN_EXE_larderd"))
        .args(["-u", "root", "-t", "1", "-p", "0", "-s"])
        .arg(&path)
        .spawn()
        .unwrap();
    let pid = i32::try_from(child.id()).unwrap();
    let _daemon = Daemon(child);
    Client::unix(&path).ask("version\r\n", VERSION);
    let few = Rlimit {
        current: Some(24),
        maximum: Some(24),
    };
    prlimit(Pid::from_raw(pid), Resource::Nofile, few).unwrap();
    let mut clients: Vec<Client> = (0..40).map(|_| Client::unix(&path)).collect();
    let mut served = 0;
    let mut refused = 0;
    for client in &mut clients {
        let _ = client.try_send("version\r\n");
        match client.line().as_str() {
            "VERSION 1.6.45" => served += 1,
            // A client that spoke first may lose the refusal with the connection.
            "ERROR Too many open connections" => refused += 1,
            "" if client.ended() => refused += 1,
            other => panic!("{other:?}"),
        }
    }
    assert!(served > 0 && refused > 0 && served + refused == 40);
    drop(clients);
    assert!(wait_until(|| {
        let mut client = Client::unix(&path);
        client.try_send("version\r\n") && client.line() == "VERSION 1.6.45"
    }));
}

/// A snapshot with one item, and settings that name it.
fn with_snapshot(folder: &std::path::Path) -> Config {
    let config = Config {
        snapshot_file: Some(folder.join("snapshot")),
        ..config()
    };
    let (server, address) = start(config.clone());
    Client::tcp(address).ask("set k 0 0 1\r\nv\r\n", "STORED\r\n");
    server.stop(true).keep(&|| ());
    config
}

#[test]
fn nobody_is_served_before_a_snapshot_has_been_read() {
    let folder = tempfile::tempdir().unwrap();
    let config = with_snapshot(folder.path());
    let bound = Server::bind(config, Vec::new(), &mut Held::default()).unwrap();
    let mut early = Client::tcp(bound.local_addrs()[0]);
    early.send("get k\r\n");
    let opening = bound.prepare().unwrap();
    let shared = std::sync::Arc::clone(opening.server().shared());
    let news = std::cell::Cell::new(0);
    assert!(opening.load(&|| news.set(news.get() + 1)));
    assert_eq!(shared.store.totals().curr_items, 1);
    assert_eq!(shared.registry.totals().total_connections, 0);
    assert!(news.get() > 0, "whoever waits hears of it");
    let _server = opening.open().unwrap();
    early.expect("VALUE k 0 1\r\nv\r\nEND\r\n");
}

#[test]
fn a_stop_while_a_snapshot_is_read_leaves_it_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let config = with_snapshot(folder.path());
    let before = std::fs::read(folder.path().join("snapshot")).unwrap();
    let opening = Server::bind(config, Vec::new(), &mut Held::default())
        .unwrap()
        .prepare()
        .unwrap();
    opening.server().control().shutdown(true);
    assert!(!opening.load(&|| ()));
    drop(opening);
    assert_eq!(
        std::fs::read(folder.path().join("snapshot")).unwrap(),
        before
    );
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
}
