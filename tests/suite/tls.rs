//! TLS from outside: certificates made for each test, a client whose records the test cuts as it
//! likes, and clients that do not speak TLS where they should, or do where they should not.
#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot be set up has failed"
)]

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;

use rustix::process::Signal;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, HandshakeKind, StreamOwned};

use crate::admin::admin_address;
use crate::support::Authority;
use crate::support::process::{patience, resident_size, settled_size, wait_until};
use crate::support::server::{Server, free_port, run};

type Stream = StreamOwned<ClientConnection, TcpStream>;

fn tcp(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(patience())).unwrap();
    stream.set_nodelay(true).unwrap();
    stream
}

fn connect(config: &Arc<ClientConfig>, address: SocketAddr) -> Stream {
    let name = ServerName::try_from("localhost").unwrap();
    let client = ClientConnection::new(Arc::clone(config), name).unwrap();
    Stream::new(client, tcp(address))
}

/// Sends a request and reads as many bytes as the reply should have.
fn ask(stream: &mut Stream, request: &[u8], reply: &[u8]) {
    stream.write_all(request).unwrap();
    expect(stream, reply);
}

fn expect(stream: &mut Stream, reply: &[u8]) {
    let mut got = vec![0; reply.len()];
    stream.read_exact(&mut got).unwrap();
    assert!(got == reply, "{}", String::from_utf8_lossy(&got));
}

fn is_served(config: &Arc<ClientConfig>, address: SocketAddr) -> bool {
    let mut stream = connect(config, address);
    let mut reply = [0; 4];
    stream.write_all(b"mn\r\n").is_ok()
        && stream.read_exact(&mut reply).is_ok()
        && reply == *b"MN\r\n"
}

/// One number or word of `stats`.
fn stat(stream: &mut Stream, group: &str, name: &str) -> Option<String> {
    stream
        .write_all(format!("stats{group}\r\n").as_bytes())
        .unwrap();
    let mut text = Vec::new();
    let mut byte = [0; 1];
    while !text.ends_with(b"END\r\n") {
        stream.read_exact(&mut byte).unwrap();
        text.push(byte[0]);
    }
    let text = String::from_utf8(text).unwrap();
    let prefix = format!("STAT {name} ");
    text.lines()
        .find_map(|line| line.strip_prefix(&prefix).map(str::to_owned))
}

#[test]
fn requests_of_all_sizes_go_through_tls() {
    let authority = Authority::new();
    let server = Server::start(&["-Z", "-o", &authority.words()]);
    let mut stream = connect(&authority.client(None), server.address());
    for size in [0, 1, 1000, 16_384, 70_000, 1_000_000] {
        let value = vec![b'v'; size];
        let mut request = format!("set k 0 0 {size}\r\n").into_bytes();
        request.extend_from_slice(&value);
        request.extend_from_slice(b"\r\n");
        ask(&mut stream, &request, b"STORED\r\n");
        let mut reply = format!("VALUE k 0 {size}\r\n").into_bytes();
        reply.extend_from_slice(&value);
        reply.extend_from_slice(b"\r\nEND\r\n");
        ask(&mut stream, b"get k\r\n", &reply);
    }
    let days = stat(&mut stream, " larder", "tls_certificate_days_left").unwrap();
    assert!(days.parse::<i64>().unwrap() > 0, "{days}");
}

#[test]
fn two_sets_whose_first_value_is_cut_by_a_record_are_both_answered() {
    let authority = Authority::new();
    let server = Server::start(&["-Z", "-o", &authority.words()]);
    let mut stream = connect(&authority.client(None), server.address());
    ask(&mut stream, b"mn\r\n", b"MN\r\n");
    let requests = b"set a 0 0 10\r\n0123456789\r\nset b 0 0 3\r\nabc\r\n";
    for cut in 1..requests.len() {
        // Two records, which leave in one write.
        let client = &mut stream.conn;
        client.writer().write_all(&requests[..cut]).unwrap();
        client.writer().write_all(&requests[cut..]).unwrap();
        let mut bytes = Vec::new();
        while client.wants_write() {
            client.write_tls(&mut bytes).unwrap();
        }
        stream.sock.write_all(&bytes).unwrap();
        expect(&mut stream, b"STORED\r\nSTORED\r\n");
    }
}

#[test]
fn a_client_that_does_not_read_its_replies_gets_all_of_them_later() {
    let authority = Authority::new();
    let server = Server::start(&["-Z", "-o", &authority.words()]);
    let mut stream = connect(&authority.client(None), server.address());
    let size = 500_000;
    let mut request = format!("set k 0 0 {size}\r\n").into_bytes();
    request.resize(request.len() + size, b'v');
    request.extend_from_slice(b"\r\n");
    ask(&mut stream, &request, b"STORED\r\n");
    let count = 40;
    stream.write_all(&b"get k\r\n".repeat(count)).unwrap();
    // Another client is served while the first one's replies wait.
    assert!(is_served(&authority.client(None), server.address()));
    let mut reply = format!("VALUE k 0 {size}\r\n").into_bytes();
    reply.resize(reply.len() + size, b'v');
    reply.extend_from_slice(b"\r\nEND\r\n");
    for _ in 0..count {
        expect(&mut stream, &reply);
    }
}

#[test]
fn client_certificates_are_asked_for_as_the_settings_say() {
    let authority = Authority::new();
    let stranger = Authority::new();
    authority.sign("app");
    stranger.sign("app");
    // The stranger trusts the server, but shows what another authority has signed.
    let foreign = {
        fs::copy(
            stranger.path("app", "pem"),
            authority.path("foreign", "pem"),
        )
        .unwrap();
        fs::copy(
            stranger.path("app", "key"),
            authority.path("foreign", "key"),
        )
        .unwrap();
        authority.client(Some("foreign"))
    };
    let (nobody, app) = (authority.client(None), authority.client(Some("app")));
    for (mode, expected) in [
        (0, [true, true, true]),
        (1, [true, true, false]),
        (2, [false, true, false]),
        (3, [false, true, false]),
    ] {
        let words = format!("{},ssl_verify_mode={mode}", authority.words());
        let server = Server::start(&["-Z", "-o", &words]);
        let served = [&nobody, &app, &foreign].map(|client| is_served(client, server.address()));
        assert_eq!(served, expected, "mode {mode}");
        assert!(is_served(&app, server.address()));
    }
}

#[test]
fn new_certificates_are_taken_without_dropping_a_connection_and_bad_ones_are_not() {
    let authority = Authority::new();
    let server = Server::start(&["-v", "-Z", "-o", &authority.words()]);
    let config = authority.client(None);
    let shown = |stream: &Stream| stream.conn.peer_certificates().unwrap()[0].to_vec();
    let mut old = connect(&config, server.address());
    ask(&mut old, b"mn\r\n", b"MN\r\n");
    let first = shown(&old);

    authority.sign("server");
    ask(&mut old, b"refresh_certs\r\n", b"OK\r\n");
    let mut new = connect(&config, server.address());
    ask(&mut new, b"mn\r\n", b"MN\r\n");
    let second = shown(&new);
    assert_ne!(first, second);
    ask(&mut old, b"mn\r\n", b"MN\r\n");

    let good = fs::read(authority.path("server", "key")).unwrap();
    fs::write(authority.path("server", "key"), "no key").unwrap();
    ask(
        &mut old,
        b"refresh_certs\r\n",
        b"SERVER_ERROR certificates not refreshed: -o ssl_key=",
    );
    let mut new = connect(&config, server.address());
    ask(&mut new, b"mn\r\n", b"MN\r\n");
    assert_eq!(shown(&new), second);
    let failures = stat(&mut new, " larder", "tls_refresh_failures");
    assert_eq!(failures.as_deref(), Some("1"));

    fs::write(authority.path("server", "key"), good).unwrap();
    authority.sign("server");
    server.signal(Signal::HUP);
    assert!(wait_until(|| {
        let mut new = connect(&config, server.address());
        ask(&mut new, b"mn\r\n", b"MN\r\n");
        shown(&new) != second
    }));
}

#[test]
fn a_session_is_resumed_where_the_cache_is_on_and_nowhere_else() {
    let authority = Authority::new();
    for (word, kind, sessions) in [
        (",ssl_session_cache", HandshakeKind::Resumed, Some("1")),
        ("", HandshakeKind::Full, None),
    ] {
        let words = authority.words() + word;
        let server = Server::start(&["-Z", "-o", &words]);
        let config = authority.client(None);
        let mut stream = connect(&config, server.address());
        ask(&mut stream, b"mn\r\n", b"MN\r\n");
        let mut stream = connect(&config, server.address());
        ask(&mut stream, b"mn\r\n", b"MN\r\n");
        assert_eq!(stream.conn.handshake_kind(), Some(kind));
        let begun = stat(&mut stream, "", "ssl_new_sessions");
        assert_eq!(begun.as_deref(), sessions);
    }
}

#[test]
fn handshakes_that_do_not_go_on_delay_nobody_and_leak_nothing() {
    let authority = Authority::new();
    let server = Server::start(&["-t", "1", "-Z", "-o", &authority.words()]);
    let size = settled_size(server.pid());
    let slow: Vec<TcpStream> = (0..300)
        .map(|index| {
            let mut stream = tcp(server.address());
            // Some say nothing, some half a greeting.
            if index % 2 == 0 {
                stream.write_all(&[22, 3, 1, 2, 0, 1]).unwrap();
            }
            stream
        })
        .collect();
    let config = authority.client(None);
    let mut stream = connect(&config, server.address());
    ask(&mut stream, b"mn\r\n", b"MN\r\n");
    assert!(wait_until(|| {
        stat(&mut stream, "", "curr_connections").as_deref() == Some("301")
    }));
    let growth = resident_size(server.pid()).saturating_sub(size);
    assert!(growth < 300 * (32 << 10), "grew by {growth} bytes");
    drop(slow);
    assert!(wait_until(|| {
        stat(&mut stream, "", "curr_connections").as_deref() == Some("1")
    }));
}

#[test]
fn a_handshake_that_takes_too_long_ends_the_connection() {
    let authority = Authority::new();
    let server = Server::start(&["-t", "1", "-Z", "-o", &authority.words()]);
    let mut slow = tcp(server.address());
    slow.write_all(&[22, 3, 1]).unwrap();
    let mut stream = connect(&authority.client(None), server.address());
    ask(&mut stream, b"mn\r\n", b"MN\r\n");
    assert!(wait_until(|| {
        stat(&mut stream, "", "curr_connections").as_deref() == Some("2")
    }));
    ask(&mut stream, b"debugtime 11\r\n", b"OK\r\n");
    let mut rest = Vec::new();
    slow.read_to_end(&mut rest).unwrap();
    assert_eq!(rest, b"");
    ask(&mut stream, b"mn\r\n", b"MN\r\n");
    let errors = stat(&mut stream, "", "ssl_handshake_errors");
    assert_eq!(errors.as_deref(), Some("1"));
}

#[test]
fn who_speaks_the_wrong_way_is_hung_up_on_with_a_hint() {
    let authority = Authority::new();
    let server = Server::start(&["-Z", "-o", &authority.words()]);
    let mut plain = tcp(server.address());
    plain.write_all(b"get k\r\n").unwrap();
    let mut rest = Vec::new();
    // An end or a reset: either way nothing is served.
    let _ = plain.read_to_end(&mut rest);
    assert!(!rest.starts_with(b"END"), "{rest:?}");
    assert!(wait_until(|| server
        .log()
        .contains("does not speak TLS on a TLS port")));
    let mut stream = connect(&authority.client(None), server.address());
    let errors = stat(&mut stream, "", "ssl_handshake_errors");
    assert_eq!(errors.as_deref(), Some("1"));

    let server = Server::start(&[]);
    assert!(!is_served(&authority.client(None), server.address()));
    assert!(wait_until(|| server
        .log()
        .contains("began TLS on a plain port")));
}

#[test]
fn a_tls_client_that_finds_no_room_is_closed_without_text() {
    let authority = Authority::new();
    let flags = ["-c", "2", "-o", "maxconns_fast", "-Z", "-o"];
    let server = Server::start(&[&flags[..], &[&authority.words()]].concat());
    let config = authority.client(None);
    let mut one = connect(&config, server.address());
    let mut two = connect(&config, server.address());
    ask(&mut one, b"mn\r\n", b"MN\r\n");
    ask(&mut two, b"mn\r\n", b"MN\r\n");
    let mut third = tcp(server.address());
    let mut said = Vec::new();
    third.read_to_end(&mut said).unwrap();
    assert_eq!(said, b"");
    let rejected = stat(&mut one, "", "rejected_connections");
    assert_eq!(rejected.as_deref(), Some("1"));
    drop(two);
    assert!(wait_until(|| is_served(&config, server.address())));
}

#[test]
fn certificates_are_replaced_again_and_again_while_others_connect() {
    let authority = Authority::new();
    let server = Server::start(&["-Z", "-o", &authority.words()]);
    let config = authority.client(None);
    let mut old = connect(&config, server.address());
    let key = fs::read(authority.path("server", "key")).unwrap();
    std::thread::scope(|scope| {
        let clients = scope.spawn(|| (0..60).all(|_| is_served(&config, server.address())));
        let mut round = 0;
        while !clients.is_finished() {
            // Every third time there is no key for a while; the old pair stays.
            if round % 3 == 0 {
                fs::write(authority.path("server", "key"), "no key").unwrap();
            } else {
                fs::write(authority.path("server", "key"), &key).unwrap();
            }
            server.signal(Signal::HUP);
            ask(&mut old, b"mn\r\n", b"MN\r\n");
            round += 1;
        }
        assert!(clients.join().unwrap());
    });
}

#[test]
fn plain_and_encrypted_addresses_stand_side_by_side() {
    let authority = Authority::new();
    let server = Server::start_bare(&[
        "-p",
        "-1",
        "-l",
        "notls:127.0.0.1,btls:127.0.0.2,mtls:127.0.0.3",
        "-Z",
        "-o",
        &authority.words(),
    ]);
    authority.sign("app");
    let ports: Vec<u16> = server
        .ports()
        .lines()
        .filter_map(|line| line.rsplit(' ').next()?.parse().ok())
        .collect();
    let address = |index: u8| SocketAddr::from(([127, 0, 0, index + 1], ports[usize::from(index)]));
    let (nobody, app) = (authority.client(None), authority.client(Some("app")));
    let mut plain = tcp(address(0));
    plain.write_all(b"mn\r\n").unwrap();
    let mut reply = [0; 4];
    plain.read_exact(&mut reply).unwrap();
    assert_eq!(reply, *b"MN\r\n");
    assert!(!is_served(&nobody, address(0)));
    assert!(is_served(&nobody, address(1)));
    assert!(!is_served(&nobody, address(2)));
    assert!(is_served(&app, address(2)));
}

#[test]
fn a_start_without_what_tls_needs_says_what_is_missing() {
    let authority = Authority::new();
    let chain = format!(
        "ssl_chain_cert={}",
        authority.path("server", "pem").display()
    );
    let absent = format!("{chain},ssl_key=/no/such/key");
    authority.sign("other");
    let foreign = format!(
        "{chain},ssl_key={}",
        authority.path("other", "key").display()
    );
    let none = format!("{},ssl_ciphers=RC4-MD5", authority.words());
    for (words, message) in [
        (chain.as_str(), "-o ssl_key=FILE"),
        (absent.as_str(), "-o ssl_key=/no/such/key"),
        (foreign.as_str(), "-o ssl_chain_cert="),
        (none.as_str(), "-o ssl_ciphers=RC4-MD5"),
    ] {
        let ended = run(&["-u", "root", "-p", "-1", "-Z", "-o", words], &[]);
        assert_ne!(ended.code, Some(0), "{words}");
        assert!(ended.stderr.contains(message), "{}", ended.stderr);
    }
}

#[test]
fn the_admin_listener_speaks_tls_when_told_to_and_shows_a_new_certificate() {
    let authority = Authority::new();
    let words = authority.words();
    let words = words.split(",ssl_ca_cert").next().unwrap();
    let flags = ["-v", "--admin", "127.0.0.1:0", "--admin-tls", "-o", words];
    let server = Server::start(&flags);
    let address = admin_address(&server);
    assert!(server.log().contains("admin=https://"), "{}", server.log());
    let client = authority.client(None);
    let get = |path: &str, more: &str| {
        format!("GET {path} HTTP/1.1\r\nHost: {address}\r\n{more}\r\n").into_bytes()
    };

    // A small answer, and a large one behind it on the same connection.
    let mut stream = connect(&client, address);
    stream.write_all(&get("/healthz", "")).unwrap();
    let mut reply = vec![0; 15];
    stream.read_exact(&mut reply).unwrap();
    assert_eq!(reply, b"HTTP/1.1 200 OK");
    stream
        .write_all(&get("/", "Connection: close\r\n"))
        .unwrap();
    let mut rest = String::new();
    // The end is announced, or this would fail.
    stream.read_to_string(&mut rest).unwrap();
    assert!(rest.ends_with("</html>\n"), "{} bytes", rest.len());

    // Who does not speak TLS is told nothing, and the cache itself stays plain.
    let mut plain = tcp(address);
    plain.write_all(&get("/metrics", "")).unwrap();
    let mut told = Vec::new();
    let _reset = plain.read_to_end(&mut told);
    assert!(!told.starts_with(b"HTTP"), "{told:?}");
    server.connect().sync();

    let serial = || {
        let mut stream = connect(&client, address);
        stream.write_all(&get("/healthz", "")).unwrap();
        stream.read_exact(&mut [0; 15]).unwrap();
        let shown = stream.conn.peer_certificates().unwrap();
        shown[0].to_vec()
    };
    let before = serial();
    assert_eq!(serial(), before);
    authority.sign("server");
    server.signal(Signal::HUP);
    assert!(wait_until(|| serial() != before));
    let before = serial();
    authority.sign("server");
    server.connect().ask("refresh_certs\r\n", "OK\r\n");
    assert_ne!(serial(), before);

    // Where the cache speaks TLS too, both change or neither does.
    let both = Server::start(&[&flags[..], &["-Z"]].concat());
    let admin = admin_address(&both);
    let shown = || {
        [admin, both.address()].map(|address| {
            let mut stream = connect(&client, address);
            let _the_admin_listener_waits = stream.conn.complete_io(&mut stream.sock);
            stream.conn.peer_certificates().unwrap()[0].to_vec()
        })
    };
    let before = shown();
    let mut operator = connect(&client, both.address());
    fs::write(authority.path("server", "key"), "no key").unwrap();
    ask(&mut operator, b"refresh_certs\r\n", b"SERVER_ERROR ");
    assert_eq!(shown(), before);
    authority.sign("server");
    let mut operator = connect(&client, both.address());
    ask(&mut operator, b"refresh_certs\r\n", b"OK\r\n");
    let after = shown();
    assert!(after[0] != before[0] && after[0] == after[1]);

    let port = free_port().to_string();
    let ended = run(
        &[
            "-u",
            "root",
            "-l",
            "127.0.0.1",
            "-p",
            &port,
            "--admin",
            "127.0.0.1:0",
            "--admin-tls",
        ],
        &[],
    );
    assert!(
        ended.stderr.contains("--admin-tls: TLS needs"),
        "{}",
        ended.stderr
    );
}
