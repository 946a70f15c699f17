//! What a service manager holds while nobody serves: the memory of the items, and the listeners.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::OwnedFd;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::{fs, io};

use rustix::process::Signal;

use crate::admin::admin_address;
use crate::support::process::patience;
use crate::support::server::{free_port, run};
use crate::support::{Authority, Client, Server, Supervisor};

const MEMORY: &str = "larder-memory";

fn stop(mut server: Server) -> String {
    server.signal(Signal::TERM);
    assert!(server.await_exit().success(), "{}", server.log());
    server.log()
}

/// The flags of a daemon at this address.
fn at(address: SocketAddr) -> [String; 4] {
    let (host, port) = (address.ip().to_string(), address.port().to_string());
    ["-l".to_owned(), host, "-p".to_owned(), port]
}

/// Starts the first daemon, on a port that it chooses, and the next ones, on that one.
struct Life {
    supervisor: Supervisor,
    address: Option<SocketAddr>,
}

impl Life {
    fn new() -> Self {
        Self {
            supervisor: Supervisor::new(),
            address: None,
        }
    }

    #[track_caller]
    fn start(&mut self, flags: &[&str]) -> Server {
        let free = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let place = at(self.address.unwrap_or(free)).map(|flag| match flag.as_str() {
            "0" => "-1".to_owned(),
            _ => flag,
        });
        let mut all: Vec<&str> = place.iter().map(String::as_str).collect();
        all.extend(flags);
        let server = self.supervisor.start(&all, Vec::new());
        self.address = Some(server.address());
        server
    }

    fn connect(&self) -> Client {
        Client::tcp(self.address.expect("a daemon before"))
    }

    /// The names of the listeners that are held.
    fn listeners(&self) -> Vec<String> {
        let mut names = self.supervisor.names();
        names.retain(|name| name != MEMORY);
        names
    }
}

fn is_refused(address: SocketAddr) -> bool {
    TcpStream::connect(address).is_err_and(|e| e.kind() == io::ErrorKind::ConnectionRefused)
}

#[test]
fn a_service_manager_keeps_the_memory_from_one_process_to_the_next() {
    let mut life = Life::new();
    let server = life.start(&["--keep-memory"]);
    assert!(life.supervisor.kept(MEMORY).is_some());
    server.connect().ask("set k 5 0 1\r\nv\r\n", "STORED\r\n");
    let cas = server.connect().command("mg k c");
    stop(server);
    for _ in 0..2 {
        let server = life.start(&["--keep-memory"]);
        let mut client = server.connect();
        client.ask("get k\r\n", "VALUE k 5 1\r\nv\r\nEND\r\n");
        assert_eq!(client.command("mg k c"), cas);
        stop(server);
    }

    // A daemon that is killed leaves nothing that could be believed. Its clients can connect all
    // the same.
    let mut server = life.start(&["--keep-memory"]);
    server
        .connect()
        .ask("get k\r\n", "VALUE k 5 1\r\nv\r\nEND\r\n");
    server.signal(Signal::KILL);
    server.await_exit();
    let mut waiting = life.connect();
    waiting.send("get k\r\n");
    let server = life.start(&["--keep-memory"]);
    waiting.expect("END\r\n");
    server.connect().ask("set k 0 0 1\r\nw\r\n", "STORED\r\n");
    stop(server);

    // Without the option all of it is let go of, by the manager too.
    let kept = life.supervisor.kept(MEMORY).expect("memory");
    assert!(rustix::fs::fstat(&kept).expect("facts").st_blocks > 0);
    let server = life.start(&[]);
    server.connect().ask("get k\r\n", "END\r\n");
    assert_eq!(rustix::fs::fstat(&kept).expect("facts").st_blocks, 0);
    assert_eq!(life.supervisor.names(), [""; 0]);
    stop(server);
    assert!(is_refused(life.address.expect("an address")));
}

#[test]
fn clients_that_connect_during_a_restart_are_answered_by_the_next_process() {
    let mut life = Life::new();
    let server = life.start(&["--keep-memory", "-t", "1"]);
    server.connect().ask("set k 0 0 1\r\nv\r\n", "STORED\r\n");
    stop(server);
    let held = life.listeners();
    // More than one more time, with more and with fewer workers.
    for workers in ["3", "1", "2"] {
        let mut waiting: Vec<Client> = (0..8).map(|_| life.connect()).collect();
        for client in &mut waiting {
            client.send("get k\r\n");
        }
        let server = life.start(&["--keep-memory", "-t", workers]);
        for client in &mut waiting {
            client.expect("VALUE k 0 1\r\nv\r\nEND\r\n");
        }
        life.connect()
            .ask("get k\r\n", "VALUE k 0 1\r\nv\r\nEND\r\n");
        let line = format!("TCP INET: {}\n", server.address().port());
        assert_eq!(server.ports(), line);
        assert_eq!(life.listeners(), held, "nothing is told twice");
        stop(server);
    }
}

#[test]
fn an_address_that_is_no_more_in_the_settings_is_closed_and_a_new_one_bound() {
    let life = Supervisor::new();
    let other = SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()));
    let first = life.start(&["-l", "127.0.0.1", "-p", "-1", "--keep-listeners"], vec![]);
    let address = first.address();
    stop(first);
    let names = life.names();
    let mut lost = TcpStream::connect(address).expect("a listener that is held");

    // The whole port instead of one address of it: what was held would be in the way.
    let port = address.port().to_string();
    let both = format!("127.0.0.1:{}", other.port());
    let flags = [
        "-l",
        "0.0.0.0",
        "-l",
        &both,
        "-p",
        &port,
        "-U",
        "0",
        "--keep-listeners",
    ];
    let second = life.start(&flags, vec![]);
    Client::tcp(address).sync();
    Client::tcp(other).sync();
    let log = second.log();
    assert!(log.contains(&format!("closed={}", names[0])), "{log}");
    assert_eq!(life.names().len(), 2, "{:?}", life.names());
    assert!(!life.names().contains(&names[0]), "{:?}", life.names());
    let mut byte = [0; 1];
    let got = lost.read(&mut byte);
    assert!(!matches!(got, Ok(1)), "it was for a listener that is gone");
    stop(second);

    let third = life.start(&["-l", &both, "--keep-listeners"], vec![]);
    assert!(is_refused(address));
    Client::tcp(other).sync();
    assert_eq!(life.names().len(), 1, "{:?}", life.names());
    stop(third);
}

#[test]
fn a_unix_socket_stays_with_its_file_unless_its_mode_changes() {
    let life = Supervisor::new();
    let path = life.path("socket");
    let flags = [
        "-s",
        &path,
        "-l",
        "127.0.0.1",
        "-p",
        "-1",
        "--keep-listeners",
    ];
    let with = |more: &[&'static str]| [&flags[..], more].concat();
    let facts = || fs::symlink_metadata(&path).expect("a file");
    stop(life.start(&with(&["-a", "770"]), vec![]));
    let before = facts();
    let mut waiting = Client::unix(Path::new(&path));
    waiting.send("mn\r\n");
    stop({
        let server = life.start(&with(&["-a", "770"]), vec![]);
        waiting.expect("MN\r\n");
        assert_eq!(facts().ino(), before.ino());
        server
    });

    // Who was allowed to connect before need not be now.
    let mut waiting = Client::unix(Path::new(&path));
    waiting.send("mn\r\n");
    let server = life.start(&with(&["-a", "700"]), vec![]);
    waiting.expect_close();
    assert_eq!(facts().permissions().mode() & 0o777, 0o700);
    Client::unix(Path::new(&path)).sync();
    stop(server);

    // Somebody has cleaned up meanwhile.
    fs::remove_file(&path).expect("a file");
    let server = life.start(&with(&["-a", "700"]), vec![]);
    Client::unix(Path::new(&path)).sync();
    stop(server);

    let names = life.names().len();
    let server = life.start(&flags[2..], vec![]);
    assert!(!Path::new(&path).exists());
    assert_eq!(life.names().len(), names - 1, "{:?}", life.names());
    stop(server);
}

fn datagram(to: SocketAddr) -> UdpSocket {
    let client = UdpSocket::bind("127.0.0.1:0").expect("a port");
    client
        .set_read_timeout(Some(patience()))
        .expect("a timeout");
    let request = b"\0\x07\0\0\0\x01\0\0mn\r\n";
    client.send_to(request, to).expect("a datagram to leave");
    client
}

#[test]
fn datagrams_wait_for_the_next_process_unless_it_wants_none() {
    let life = Supervisor::new();
    let flags = ["-l", "127.0.0.1", "-p", "-1", "-U"];
    let with = |port| [&flags[..], &[port, "--keep-listeners"]].concat();
    let first = life.start(&with("-1"), vec![]);
    let ports = first.ports();
    let (_, port) = ports.trim().rsplit_once(' ').expect("a port for datagrams");
    let address: SocketAddr = format!("127.0.0.1:{port}").parse().expect("an address");
    stop(first);
    let waiting = datagram(address);
    let second = life.start(&with(port), vec![]);
    let mut reply = [0; 100];
    let count = waiting.recv(&mut reply).expect("a reply");
    assert_eq!(&reply[..count], b"\0\x07\0\0\0\x01\0\0MN\r\n");
    stop(second);

    let third = life.start(&with("0"), vec![]);
    UdpSocket::bind(address).expect("nobody has the port any more");
    stop(third);
}

#[test]
fn what_the_settings_turn_off_is_not_served_although_it_was_held() {
    let mut life = Life::new();
    stop(life.start(&["--keep-memory"]));
    let address = life.address.expect("an address");
    let notify = life.supervisor.path("notify");
    // Nothing tells the port of a daemon without one; its socket in the folder of the test does.
    let flags = ["-s", "FOLDER/socket", "-p", "0", "--keep-memory"];
    let kept = life.supervisor.names();
    let files = kept
        .iter()
        .map(|name| life.supervisor.kept(name).expect("a file"));
    let names = kept.join(":");
    let environment = [("NOTIFY_SOCKET", &*notify), ("LISTEN_FDNAMES", &*names)];
    let server = Server::start_given(files.collect(), &flags, &environment);
    Client::unix(&server.socket()).sync();
    assert!(is_refused(address));
    stop(server);
}

#[test]
fn a_listener_that_was_held_has_the_protection_that_the_settings_ask_for_now() {
    let authority = Authority::new();
    authority.sign("server");
    let mut life = Life::new();
    stop(life.start(&["--keep-listeners"]));
    let mut plain = life.connect();
    plain.send("mn\r\n");
    let words = authority.words();
    let flags = ["--keep-listeners", "-Z", "-o", &words];
    let server = life.start(&flags);
    // What it hears is an alert of TLS.
    let heard = plain.rest();
    assert!(!heard.starts_with(b"MN"), "{heard:?}");
    let name = "localhost".try_into().expect("a name");
    let tls = rustls::ClientConnection::new(authority.client(None), name).expect("a client");
    let stream = TcpStream::connect(life.address.expect("an address")).expect("a connection");
    let mut stream = rustls::StreamOwned::new(tls, stream);
    stream.write_all(b"mn\r\n").expect("a handshake");
    let mut reply = [0; 4];
    stream.read_exact(&mut reply).expect("a reply");
    assert_eq!(&reply, b"MN\r\n");
    stop(server);

    let address = life.address.expect("an address");
    let listen = format!("proto[binary]:{address}");
    let server = life
        .supervisor
        .start(&["-l", &listen, "--keep-listeners"], vec![]);
    let mut client = life.connect();
    client.send("version\r\n");
    client.expect_close();
    stop(server);
}

#[test]
fn operators_wait_as_clients_do() {
    let mut life = Life::new();
    let first = life.start(&["--admin", "127.0.0.1:0", "--keep-listeners"]);
    let admin = admin_address(&first).to_string();
    stop(first);
    let mut waiting = TcpStream::connect(&admin).expect("a listener that is held");
    waiting
        .set_read_timeout(Some(patience()))
        .expect("a timeout");
    let request = format!("GET /healthz HTTP/1.1\r\nHost: {admin}\r\nConnection: close\r\n\r\n");
    waiting.write_all(request.as_bytes()).expect("to be sent");
    let second = life.start(&["--admin", &admin, "--keep-listeners"]);
    let mut answer = String::new();
    waiting.read_to_string(&mut answer).expect("an answer");
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    stop(second);

    let third = life.start(&["--keep-listeners"]);
    TcpStream::connect(&admin).expect_err("nobody to be there");
    stop(third);
}

#[test]
fn listeners_are_kept_without_memory_and_beside_a_memory_file() {
    let mut life = Life::new();
    let file = life.supervisor.path("memory");
    let flags = ["-e", &file, "--keep-listeners"];
    let server = life.start(&flags);
    server.connect().ask("set k 0 0 1\r\nv\r\n", "STORED\r\n");
    stop(server);
    let mut waiting = life.connect();
    waiting.send("get k\r\n");
    let server = life.start(&flags);
    waiting.expect("VALUE k 0 1\r\nv\r\nEND\r\n");
    assert!(life.supervisor.kept(MEMORY).is_none());
    stop(server);
}

#[test]
fn with_a_socket_unit_neither_items_nor_addresses_are_gone_meanwhile() {
    let life = Supervisor::new();
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    let web = || {
        let socket = listener.try_clone().expect("a descriptor");
        vec![("web", OwnedFd::from(socket))]
    };
    let server = life.start(&["--keep-memory"], web());
    Client::tcp(address).ask("set k 0 0 1\r\nv\r\n", "STORED\r\n");
    stop(server);
    // Nobody serves now. A client connects all the same, and is answered by the next daemon.
    let mut waiting = Client::tcp(address);
    waiting.send("get k\r\n");
    let server = life.start(&["--keep-memory"], web());
    waiting.expect("VALUE k 0 1\r\nv\r\nEND\r\n");
    assert_eq!(life.names(), [MEMORY], "the unit holds the others");
    stop(server);
}

#[test]
fn memory_that_nobody_can_keep_is_told_and_served_from() {
    // Not the socket that a start is recognized by: this one listens before its port is told.
    let server = Server::start(&["--keep-memory", "--keep-listeners", "-s", "FOLDER/unix"]);
    server.connect().ask("set k 0 0 1\r\nv\r\n", "STORED\r\n");
    for option in ["--keep-memory: ", "--keep-listeners: "] {
        let said = format!("{option}there is no service manager to keep");
        assert!(server.log().contains(&said), "{}", server.log());
    }
    let path = server.folder().join("unix");
    UnixStream::connect(&path).expect("a socket");
    server.signal(Signal::TERM);
    let mut server = server;
    assert!(server.await_exit().success(), "{}", server.log());
    assert!(!path.exists(), "a socket that nobody keeps goes");
    let both = run(&["--keep-memory", "-e", "/nowhere/memory"], &[]);
    assert_eq!(both.code, Some(64), "{}", both.stderr);
}
