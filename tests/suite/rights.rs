//! Users who may not do everything, asked from outside: a real daemon, each transport and
//! protocol, and a users file that changes.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;

use rustix::process::Signal;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, StreamOwned};

use crate::support::packet::opcode::{AUTH, FLUSH, GAT, GET, GETQ, SET, STAT};
use crate::support::packet::{Packet, Reply};
use crate::support::process::{patience, wait_until};
use crate::support::{Authority, Client, Server, text_file};

const DENIED: &str = "CLIENT_ERROR permission denied\r\n";
const UNAUTHENTICATED: &str = "CLIENT_ERROR unauthenticated\r\n";

const USERS: &str = "root:root\napp:pw\nuser app +@read ~app1:*\n";

fn flags(users: &tempfile::NamedTempFile) -> Vec<String> {
    let path = users.path().to_str().expect("a path of letters");
    ["-v", "-S", "-Y", path].map(str::to_owned).to_vec()
}

fn start(users: &tempfile::NamedTempFile, more: &[&str]) -> Server {
    let flags = flags(users);
    let mut all: Vec<&str> = flags.iter().map(String::as_str).collect();
    all.extend(more);
    Server::start(&all)
}

#[track_caller]
pub(crate) fn log_in(client: &mut Client, name: &str, password: &str) {
    let size = name.len() + 1 + password.len();
    let line = format!("set _ _ _ {size}\r\n{name} {password}\r\n");
    client.ask(line, "STORED\r\n");
}

#[track_caller]
fn log_in_by_packet(client: &mut Client, name: &str, password: &str) -> u16 {
    let message = format!("\0{name}\0{password}");
    status(client, &Packet::new(AUTH, "PLAIN").value(message))
}

#[track_caller]
fn status(client: &mut Client, packet: &Packet) -> u16 {
    client.send(packet.bytes(7));
    Reply::take(client).expect("a reply").status
}

/// An item of each of two prefixes.
fn fill(client: &mut Client) {
    log_in(client, "root", "root");
    for key in ["app1:x", "app2:MARKER"] {
        client.ask(format!("set {key} 0 0 6\r\nMARKER\r\n"), "STORED\r\n");
    }
}

fn reload(server: &Server, users: &tempfile::NamedTempFile, text: &str) {
    let count = || server.log().matches("users reloaded").count();
    let before = count();
    std::fs::write(users.path(), text).expect("a file to be written");
    server.signal(Signal::HUP);
    assert!(wait_until(|| count() > before), "{}", server.log());
}

#[test]
fn a_reader_of_one_prefix_is_held_to_it_on_every_transport() {
    let users = text_file(USERS);
    let tcp = start(&users, &[]);
    let flags = flags(&users);
    let mut unix: Vec<&str> = flags.iter().map(String::as_str).collect();
    unix.extend(["-s", "FOLDER/socket"]);
    let unix = Server::start_bare(&unix);
    let connections: [&dyn Fn() -> Client; 2] =
        [&|| tcp.connect(), &|| Client::unix(&unix.socket())];
    for connect in connections {
        let mut root = connect();
        fill(&mut root);
        let mut app = connect();
        log_in(&mut app, "app", "pw");
        app.ask(
            "get app1:x\r\nmg app1:x v\r\n",
            "VALUE app1:x 0 6\r\nMARKER\r\nEND\r\nVA 6\r\nMARKER\r\n",
        );
        for said in [
            "get app2:MARKER",
            "get app1:x app2:MARKER",
            "gat 1 app1:x",
            "mg YXBwMjpNQVJLRVI= b v",
            "me app2:MARKER",
            "set app1:x 0 0 2\r\nhi",
            "ms app2:MARKER 2 q\r\nhi",
            "delete app1:x",
            "ma app1:n N0",
            "flush_all",
            "watch fetchers",
            "lru_crawler metadump all",
            "lru_crawler mgdump all",
            "stats cachedump 1 0",
            "stats detail dump",
            "stats conns",
            "shutdown",
        ] {
            app.ask(format!("{said}\r\n"), DENIED);
        }
        let mut app = connect();
        assert_eq!(log_in_by_packet(&mut app, "app", "pw"), 0);
        for (packet, expected) in [
            (Packet::new(GET, "app1:x"), 0),
            (Packet::new(GET, "app2:MARKER"), 0x20),
            (Packet::new(GETQ, "app2:MARKER"), 0x20),
            (Packet::new(GAT, "app1:x").words(&[1]), 0x20),
            (Packet::store(SET, "app1:x", "hi"), 0x20),
            (Packet::store(SET, "app1:x", "h".repeat(100_000)), 0x20),
            (Packet::new(FLUSH, ""), 0x20),
            (Packet::new(STAT, "detail dump"), 0x20),
            (Packet::new(GET, "app1:x"), 0),
        ] {
            assert_eq!(status(&mut app, &packet), expected, "{packet:?}");
        }
        root.ask(
            "get app1:x app2:MARKER\r\n",
            "VALUE app1:x 0 6\r\nMARKER\r\nVALUE app2:MARKER 0 6\r\nMARKER\r\nEND\r\n",
        );
        let denied = root.find_stat("stats larder", "denied_requests");
        assert_eq!(denied.as_deref(), Some("24"));
    }
}

#[test]
fn a_new_users_file_holds_for_those_who_are_in() {
    let users = text_file("root:root\napp:pw\nspy:pw\n");
    let server = start(&users, &[]);
    let mut root = server.connect();
    log_in(&mut root, "root", "root");
    let mut app = server.connect();
    log_in(&mut app, "app", "pw");
    let mut packets = server.connect();
    assert_eq!(log_in_by_packet(&mut packets, "app", "pw"), 0);
    let mut spy = server.connect();
    log_in(&mut spy, "spy", "pw");
    spy.ask("watch mutations\r\n", "OK\r\n");
    app.ask("set app1:x 0 0 1\r\nx\r\n", "STORED\r\n");
    assert!(spy.line().contains("type=item_store key=app1%3Ax"));

    reload(
        &server,
        &users,
        "root:root\napp:pw\nuser app +@read ~app1:*\nspy:pw\nuser spy +@read\n",
    );
    app.ask("set app1:x 0 0 1\r\ny\r\n", DENIED);
    app.ask("get app1:x\r\n", "VALUE app1:x 0 1\r\nx\r\nEND\r\n");
    assert_eq!(status(&mut packets, &Packet::new(GET, "app2:x")), 0x20);
    assert_eq!(status(&mut packets, &Packet::new(GET, "app1:x")), 0);
    // Who watches has to go before the next thing is told.
    root.ask("set secret 0 0 1\r\ny\r\n", "STORED\r\n");
    spy.expect_close();

    reload(&server, &users, "root:root\napp:other\n");
    app.send("get app1:x\r\n");
    app.expect_close();
    packets.send(Packet::new(GET, "app1:x").bytes(1));
    packets.expect_close();
    root.ask("get secret\r\n", "VALUE secret 0 1\r\ny\r\nEND\r\n");
}

#[test]
fn guests_are_served_at_the_listener_that_the_file_names() {
    let users = text_file("root:root\nuser *@unix +@read ~public:*\n");
    let flags = flags(&users);
    let mut both: Vec<&str> = flags.iter().map(String::as_str).collect();
    both.extend(["-s", "FOLDER/socket", "-l", "127.0.0.1", "-p", "-1"]);
    let server = Server::start_bare(&both);
    let mut guest = Client::unix(&server.socket());
    guest.ask("get public:x\r\n", "END\r\n");
    guest.ask("get other\r\n", DENIED);
    log_in(&mut guest, "root", "root");
    guest.ask("get other\r\n", "END\r\n");
    let port = |ports: &str| -> Option<u16> { ports.trim().rsplit(' ').next()?.parse().ok() };
    let port = port(&server.ports()).expect("a port");
    let address = SocketAddr::from(([127, 0, 0, 1], port));
    Client::tcp(address).ask("get public:x\r\n", UNAUTHENTICATED);
    reload(
        &server,
        &users,
        &format!("root:root\nuser *@{address} +@read ~public:*\n"),
    );
    Client::tcp(address).ask("get public:x\r\n", "END\r\n");
    Client::unix(&server.socket()).ask("get public:x\r\n", UNAUTHENTICATED);
    // Over binary too, and never by datagram.
    let mut packets = Client::tcp(address);
    assert_eq!(status(&mut packets, &Packet::new(GET, "public:x")), 1);
    assert_eq!(status(&mut packets, &Packet::new(GET, "other")), 0x20);
    assert_eq!(log_in_by_packet(&mut packets, "root", "root"), 0);
    assert_eq!(status(&mut packets, &Packet::new(GET, "other")), 1);
}

#[test]
fn seats_of_a_user_are_counted_over_all_workers_and_free_when_left() {
    let users = text_file("root:root\napp:pw\nuser app +@all conns=3\n");
    let server = start(&users, &["-t", "2"]);
    let mut seated: Vec<Client> = Vec::new();
    for _ in 0..3 {
        let mut client = server.connect();
        log_in(&mut client, "app", "pw");
        seated.push(client);
    }
    let mut fourth = server.connect();
    fourth.ask(
        "set _ 0 0 6\r\napp pw\r\n",
        "SERVER_ERROR too many connections of this user\r\n",
    );
    fourth.expect_close();
    seated.pop();
    assert!(wait_until(|| {
        let mut again = server.connect();
        again.send("set _ 0 0 6\r\napp pw\r\n");
        again.line() == "STORED"
    }));
}

type Stream = StreamOwned<ClientConnection, TcpStream>;

fn connect(config: &Arc<ClientConfig>, address: SocketAddr) -> Stream {
    let name = ServerName::try_from("localhost").expect("a name");
    let client = ClientConnection::new(Arc::clone(config), name).expect("a client");
    let stream = TcpStream::connect(address).expect("a listener");
    stream
        .set_read_timeout(Some(patience()))
        .expect("a timeout");
    Stream::new(client, stream)
}

#[track_caller]
fn ask(stream: &mut Stream, request: &str, reply: &str) {
    stream.write_all(request.as_bytes()).expect("a peer");
    let mut got = vec![0; reply.len()];
    stream.read_exact(&mut got).expect("a reply");
    assert_eq!(String::from_utf8_lossy(&got), reply);
}

#[test]
fn a_verified_certificate_is_a_login_and_another_or_none_is_not() {
    let authority = Authority::new();
    for name in ["app", "other", "Example, Inc."] {
        authority.sign(name);
    }
    let text = "root:root\nuser app +@read ~app1:*\ncert app CN=app\n\
                user comma +@read ~app2:*\ncert comma CN=Example\\, Inc.\n";
    let users = text_file(text);
    let words = format!("{},ssl_verify_mode=1", authority.words());
    let server = start(&users, &["-Z", "-o", &words]);
    for (name, app1, app2) in [
        (Some("app"), "END\r\n", DENIED),
        (Some("Example, Inc."), DENIED, "END\r\n"),
        (Some("other"), UNAUTHENTICATED, UNAUTHENTICATED),
        (None, UNAUTHENTICATED, UNAUTHENTICATED),
    ] {
        let mut stream = connect(&authority.client(name), server.address());
        ask(&mut stream, "get app1:x\r\n", app1);
        ask(&mut stream, "get app2:x\r\n", app2);
    }
    // Who has come in by a certificate may become somebody else, and goes when it is nobody's.
    let mut app = connect(&authority.client(Some("app")), server.address());
    ask(&mut app, "get app1:x\r\n", "END\r\n");
    let mut packets = connect(&authority.client(Some("app")), server.address());
    let login = Packet::new(AUTH, "PLAIN").value("\0root\0root").bytes(1);
    packets.write_all(&login).expect("a peer");
    let mut reply = [0; 24];
    packets.read_exact(&mut reply).expect("a reply");
    assert_eq!(reply[6..8], [0, 0]);
    reload(&server, &users, "root:root\n");
    app.write_all(b"get app1:x\r\n").expect("a peer");
    let mut rest = Vec::new();
    let _closed = app.read_to_end(&mut rest);
    assert_eq!(rest, b"");
}
