//! Where clients come in, how many, and for how long.

use std::net::{Ipv6Addr, SocketAddr, TcpListener, UdpSocket};
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use rustix::process::Signal;

use crate::support::process::{descriptor_count, patience, skip, wait_until};
use crate::support::{Client, Server};

fn port_of(server: &Server, kind: &str) -> u16 {
    let ports = server.ports();
    let line = ports.lines().find(|line| line.starts_with(kind));
    let line = line.unwrap_or_else(|| panic!("no {kind} among {ports:?}"));
    let port = line.rsplit(' ').next().and_then(|port| port.parse().ok());
    port.expect("a port")
}

#[test]
fn a_free_port_is_found_and_told_in_the_port_file() {
    let server = Server::start(&[]);
    assert!(port_of(&server, "TCP INET:") > 0);
    server.connect().sync();
    let other = Server::start(&[]);
    assert_ne!(server.address(), other.address());
}

#[test]
fn a_unix_socket_serves_with_the_mode_asked_for() {
    let server = Server::start_bare(&["-s", "FOLDER/socket", "-a", "0750", "-p", "0"]);
    let mut client = Client::unix(&server.socket());
    client.ask("set k 0 0 1\r\nv\r\n", "STORED\r\n");
    client.ask("get k\r\n", "VALUE k 0 1\r\nv\r\nEND\r\n");
    let mode = std::fs::metadata(server.socket()).expect("a socket");
    assert_eq!(mode.permissions().mode() & 0o777, 0o750);
}

#[test]
fn a_unix_socket_and_tcp_serve_the_same_items() {
    let server = Server::start(&["-s", "FOLDER/socket"]);
    let mut tcp = server.connect();
    let mut unix = Client::unix(&server.socket());
    tcp.ask("set k 0 0 1\r\nv\r\n", "STORED\r\n");
    unix.ask("get k\r\n", "VALUE k 0 1\r\nv\r\nEND\r\n");
}

#[test]
fn a_stale_socket_file_is_replaced() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("stale");
    drop(std::os::unix::net::UnixListener::bind(&path).expect("a socket"));
    assert!(path.exists());
    let name = path.to_string_lossy().into_owned();
    let server = Server::start(&["-s", &name]);
    Client::unix(&path).sync();
    drop(server);
}

#[test]
fn several_addresses_serve_the_same_items() {
    if TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).is_err() {
        skip("this machine has no IPv6");
        return;
    }
    let server = Server::start_bare(&["-l", "127.0.0.1,[::1]", "-p", "-1", "-U", "0"]);
    let four = SocketAddr::from(([127, 0, 0, 1], port_of(&server, "TCP INET:")));
    let six = SocketAddr::from((Ipv6Addr::LOCALHOST, port_of(&server, "TCP INET6:")));
    Client::tcp(four).ask("set k 0 0 1\r\nv\r\n", "STORED\r\n");
    Client::tcp(six).ask("get k\r\n", "VALUE k 0 1\r\nv\r\nEND\r\n");
}

#[test]
fn udp_is_off_until_asked_for() {
    let server = Server::start(&[]);
    assert!(!server.ports().contains("UDP"), "{}", server.ports());
}

#[test]
fn udp_answers_in_numbered_datagrams() {
    let server = Server::start_bare(&["-l", "127.0.0.1", "-p", "-1", "-U", "-1"]);
    let udp = SocketAddr::from(([127, 0, 0, 1], port_of(&server, "UDP INET:")));
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a socket");
    socket.connect(udp).expect("an address");
    socket
        .set_read_timeout(Some(patience()))
        .expect("a timeout");
    let mut buffer = [0; 2048];

    let request = b"\x12\x34\0\0\0\x01\0\0set k 0 0 1\r\nv\r\n";
    socket.send(request).expect("a send");
    let count = socket.recv(&mut buffer).expect("an answer");
    assert_eq!(&buffer[..count], b"\x12\x34\0\0\0\x01\0\0STORED\r\n");

    // Too short, several datagrams long, or empty: dropped without an answer.
    let dropped: [&[u8]; 4] = [
        b"",
        b"\0\x01\0\0",
        b"\0\x01\0\0\0\0\0\0\0",
        b"\0\x01\0\0\0\x02\0\0get k\r\n",
    ];
    for datagram in dropped {
        socket.send(datagram).expect("a send");
    }
    socket
        .send(b"\x56\x78\0\0\0\x01\0\0mn\r\n")
        .expect("a send");
    let count = socket.recv(&mut buffer).expect("an answer");
    assert_eq!(&buffer[..count], b"\x56\x78\0\0\0\x01\0\0MN\r\n");
}

#[test]
fn one_client_too_many_is_told_so() {
    let server = Server::start(&["-c", "10", "-t", "1"]);
    let mut clients = Vec::new();
    let mut refused = 0;
    for _ in 0..30 {
        let mut client = server.connect();
        if !client.try_send("mn\r\n") {
            refused += 1;
            continue;
        }
        match client.line().as_str() {
            "MN" => clients.push(client),
            "ERROR Too many open connections" => {
                client.expect_close();
                refused += 1;
            }
            // Closed so fast that the refusal itself was lost with what we had sent.
            "" if client.ended() => refused += 1,
            other => panic!("{other:?}"),
        }
    }
    assert!(clients.len() <= 10, "{} clients", clients.len());
    assert!(!clients.is_empty(), "some are served");
    let told = clients[0].stat("rejected_connections");
    assert_eq!(told, refused);
    // One leaves, another may come.
    clients.pop();
    let mut served = None;
    assert!(wait_until(|| {
        let mut client = server.connect();
        let in_time = client.try_send("mn\r\n") && client.line() == "MN";
        served = in_time.then_some(client);
        served.is_some()
    }));
}

#[test]
fn an_idle_client_is_closed_and_counted() {
    let server = Server::start(&["-o", "idle_timeout=1"]);
    let mut idle = server.connect();
    idle.sync();
    idle.expect_close();
    assert!(server.connect().stat("idle_kicks") >= 1);
}

#[test]
fn connections_come_and_go_and_leave_no_descriptor() {
    let server = Server::start(&[]);
    let mut witness = server.connect();
    let connections = witness.stat("curr_connections");
    let descriptors = descriptor_count(server.pid());
    for _ in 0..500 {
        drop(server.connect());
        server.connect().sync();
    }
    witness.await_stat("curr_connections", |now| now <= connections);
    assert!(descriptor_count(server.pid()) <= descriptors);
    assert!(witness.stat("total_connections") >= 1000);
}

#[test]
fn a_busy_client_does_not_starve_another() {
    let server = Server::start(&["-t", "1", "-R", "1"]);
    let mut busy = server.connect();
    busy.ask("set k 0 0 1\r\nv\r\n", "STORED\r\n");
    let mut other = server.connect();
    other.sync();
    busy.send("get k\r\n".repeat(5000));
    other.sync();
    let answer = "VALUE k 0 1\r\nv\r\nEND\r\n".repeat(5000);
    busy.expect(answer);
    assert!(other.stat("conn_yields") > 0);
}

#[test]
fn bytes_that_drip_one_by_one_are_put_together() {
    let server = Server::start(&[]);
    let mut client = server.connect();
    for byte in b"set k 0 0 3\r\nabc\r\nget k\r\nmg k v\r\n" {
        client.send([*byte]);
    }
    client.expect("STORED\r\nVALUE k 0 3\r\nabc\r\nEND\r\nVA 3\r\nabc\r\n");
}

#[test]
fn a_client_that_stops_sending_still_gets_its_answer() {
    let server = Server::start(&[]);
    let mut client = server.connect();
    client.send("set k 0 0 1\r\nv\r\nget k\r\n");
    client.finish_sending();
    client.expect("STORED\r\nVALUE k 0 1\r\nv\r\nEND\r\n");
    client.expect_close();
}

#[test]
fn a_watcher_that_never_reads_holds_up_nobody() {
    let server = Server::start(&[]);
    let mut deaf = server.connect();
    deaf.ask("watch fetchers mutations evictions\r\n", "OK\r\n");
    let mut client = server.connect();
    let request = "set k 0 0 1\r\nv\r\nget k\r\n".repeat(100);
    let answer = "STORED\r\nVALUE k 0 1\r\nv\r\nEND\r\n".repeat(100);
    for _ in 0..300 {
        client.ask(&request, &answer);
    }
    assert_eq!(client.stat("log_watchers"), 1);
    // What the watcher missed is counted, on one of the two ways to it.
    let lost = client.stat("log_watcher_skipped") + client.stat("log_worker_dropped");
    assert!(lost > 0, "60,000 lines fit no buffer");
    drop(deaf);
    client.await_stat("log_watchers", |watchers| watchers == 0);
    client.sync();
    let calm = client.drain(Duration::from_millis(1));
    assert!(calm.is_empty());
}

#[test]
fn a_stalled_dump_holds_up_nobody() {
    let server = Server::start(&[]);
    let mut client = server.connect();
    let name = "n".repeat(200);
    for batch in 0..20 {
        let sets: String = (0..1000)
            .map(|n| format!("set {name}{batch:02}{n:04} 0 0 1 noreply\r\nv\r\n"))
            .collect();
        client.send(sets);
    }
    client.sync();
    let mut stalled = server.connect();
    stalled.ask("lru_crawler metadump all\r\n", "OK\r\n");
    client.ask("set k 0 0 1\r\nv\r\n", "STORED\r\n");
    client.ask("get k\r\n", "VALUE k 0 1\r\nv\r\nEND\r\n");
    // Read on: every item is there exactly once, and then the end.
    let mut keys = std::collections::BTreeSet::new();
    loop {
        let line = stalled.line();
        if line == "END" {
            break;
        }
        let key = line
            .strip_prefix("key=")
            .and_then(|rest| rest.split(' ').next());
        let key = key.unwrap_or_else(|| panic!("{line:?}"));
        assert!(keys.insert(key.to_owned()), "{key} comes twice");
    }
    keys.remove("k");
    assert_eq!(keys.len(), 20_000);
    stalled.sync();
}

#[test]
fn clients_that_are_heard_together_are_answered_each_for_itself() {
    let server = Server::start(&["-t", "1"]);
    let mut witness = server.connect();
    witness.ask("set k 0 0 1\r\nv\r\n", "STORED\r\n");
    // While the daemon stands still, everybody's bytes arrive: its worker finds them all at once.
    let mut clients: Vec<Client> = (0..40).map(|_| server.connect()).collect();
    for client in &mut clients {
        client.sync();
    }
    let large = "x".repeat(40_000);
    let parts = |number: usize| -> (Vec<u8>, Vec<u8>, Vec<u8>) {
        let value = "VALUE k 0 1\r\nv\r\nEND\r\n";
        match number % 8 {
            0 => (b"get k\r\n".into(), Vec::new(), value.into()),
            1 => (b"get".into(), b" k\r\n".into(), value.into()),
            2 => (
                format!("set own{number} 0 0 6\r\nabc").into(),
                format!("def\r\nget own{number}\r\n").into(),
                format!("STORED\r\nVALUE own{number} 0 6\r\nabcdef\r\nEND\r\n").into(),
            ),
            3 => (
                format!("set large{number} 0 0 40000\r\n{large}").into(),
                format!("\r\nget large{number}\r\n").into(),
                format!("STORED\r\nVALUE large{number} 0 40000\r\n{large}\r\nEND\r\n").into(),
            ),
            4 => (
                b"get k\r\n".repeat(100),
                b"mn\r\n".into(),
                [value.repeat(100).as_bytes(), b"MN\r\n"].concat(),
            ),
            5 => (
                b"mg k v".into(),
                b"\r\nmd none\r\n".into(),
                b"VA 1\r\nv\r\nNF\r\n".into(),
            ),
            6 => (
                b"nonsense\r\n".into(),
                b"get k none k\r\n".into(),
                b"ERROR\r\nVALUE k 0 1\r\nv\r\nVALUE k 0 1\r\nv\r\nEND\r\n".into(),
            ),
            _ => (b"get ".into(), b"none\r\n".into(), b"END\r\n".into()),
        }
    };
    let together = |say: &mut dyn FnMut()| {
        server.signal(Signal::STOP);
        say();
        server.signal(Signal::CONT);
    };
    together(&mut || {
        for (number, client) in clients.iter_mut().enumerate() {
            client.send(parts(number).0);
        }
    });
    // One leaves in the middle of what it says, and its place is nobody else's.
    drop(clients.pop());
    witness.sync();
    together(&mut || {
        for (number, client) in clients.iter_mut().enumerate() {
            client.send(parts(number).1);
        }
    });
    for (number, client) in clients.iter_mut().enumerate() {
        client.expect(parts(number).2);
    }
}

#[test]
fn clients_that_send_much_at_the_same_time_are_all_heard() {
    let server = Server::start(&["-t", "1"]);
    let senders = (0..8).map(|number: u8| {
        let mut client = server.connect();
        std::thread::spawn(move || {
            let value = [b'a' + number].repeat(300_000);
            for round in 0..10 {
                let head = format!("set k{number} 0 0 {}\r\n", value.len());
                client.send([head.as_bytes(), &value, b"\r\n"].concat());
                client.expect("STORED\r\n");
                client.send(format!("get k{number}\r\n"));
                let line = format!("VALUE k{number} 0 {}\r\n", value.len());
                let answer = client.take(line.len() + value.len() + 7);
                let whole = [line.as_bytes(), &value, b"\r\nEND\r\n"].concat();
                assert!(answer == whole, "k{number} in round {round}");
            }
        })
    });
    let senders: Vec<_> = senders.collect();
    for sender in senders {
        sender.join().expect("every value came back");
    }
}
