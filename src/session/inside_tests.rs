//! Ways in without a password, seats, and users that are read again.

use super::testing::{Bench, Client, text_file};
use super::{Certificate, Next};
use crate::config::Config;

const DENIED: &str = "CLIENT_ERROR permission denied\r\n";

/// A daemon whose users are these, over both protocols.
fn bench(users: &str) -> (Bench, tempfile::NamedTempFile) {
    let file = text_file(users);
    let config = Config {
        auth_file: Some(file.path().to_owned()),
        sasl: true,
        ..Config::default()
    };
    (Bench::new(config).unwrap(), file)
}

fn reload(bench: &Bench, file: &tempfile::NamedTempFile, users: &str) {
    std::fs::write(file.path(), users).unwrap();
    bench.shared.door.reload().unwrap();
}

fn certificate(subject: &str, common_name: &str) -> Option<Certificate> {
    Some(Certificate {
        subject: subject.to_owned(),
        common_name: Some(common_name.to_owned()),
    })
}

fn say(client: &mut Client<'_>, said: &str) -> String {
    String::from_utf8_lossy(&client.say(said.as_bytes())).into_owned()
}

/// What a login by the text protocol says.
fn login(name: &str, password: &str) -> String {
    let size = name.len() + 1 + password.len();
    format!("set _ _ _ {size}\r\n{name} {password}\r\n")
}

/// What a login by the binary protocol says.
fn plain(name: &str, password: &str) -> Vec<u8> {
    let value = format!("\0{name}\0{password}");
    let body = u8::try_from(5 + value.len()).unwrap();
    let mut packet = vec![0; 24];
    packet[..4].copy_from_slice(&[0x80, 0x21, 0, 5]);
    packet[11] = body;
    packet.extend_from_slice(b"PLAIN");
    packet.extend_from_slice(value.as_bytes());
    packet
}

/// A packet without extras and value.
fn packet(code: u8, key: &str) -> Vec<u8> {
    let mut packet = vec![0; 24];
    let size = u8::try_from(key.len()).unwrap();
    packet[..4].copy_from_slice(&[0x80, code, 0, size]);
    packet[11] = size;
    packet.extend_from_slice(key.as_bytes());
    packet
}

/// The status of the first reply, if there is one.
fn status(reply: &[u8]) -> Option<u16> {
    Some(u16::from_be_bytes([*reply.get(6)?, *reply.get(7)?]))
}

const GUESTS: &str = "root:root\nuser * +@read ~public:*\nuser *@:11212 +@read +@write ~shared:*\n\
                      user *@unix -@all\nuser *@127.0.0.2:11212 +@read\n";

#[test]
fn a_guest_may_do_what_the_line_of_the_listener_says() {
    let (bench, _file) = bench(GUESTS);
    let mut root = bench.client(9);
    assert_eq!(say(&mut root, &login("root", "root")), "STORED\r\n");
    for key in ["public:a", "shared:a", "own:a"] {
        let stored = say(&mut root, &format!("set {key} 0 0 1\r\nx\r\n"));
        assert_eq!(stored, "STORED\r\n");
    }
    for (listener, readable, writable) in [
        ("127.0.0.1:11211", &["public:a"][..], &[][..]),
        ("[::1]:11211", &["public:a"], &[]),
        ("127.0.0.1:11212", &["shared:a"], &["shared:a"]),
        ("127.0.0.2:11212", &["public:a", "shared:a", "own:a"], &[]),
        ("unix", &[], &[]),
    ] {
        for key in ["public:a", "shared:a", "own:a"] {
            let mut guest = bench.client_at(1, listener, None);
            let seen = say(&mut guest, &format!("get {key}\r\nmg {key} v\r\n"));
            let hit = format!("VALUE {key} 0 1\r\nx\r\nEND\r\nVA 1\r\nx\r\n");
            let expected = if readable.contains(&key) {
                hit
            } else {
                DENIED.repeat(2)
            };
            assert_eq!(seen, expected, "{listener}");
            let mut guest = bench.client_at(1, listener, None);
            let binary = status(&guest.say(&packet(0, key)));
            let expected = if readable.contains(&key) { 0 } else { 0x20 };
            assert_eq!(binary, Some(expected), "{listener}");
            let mut guest = bench.client_at(1, listener, None);
            let touched = say(&mut guest, &format!("touch {key} 0\r\n"));
            let expected = if writable.contains(&key) {
                "TOUCHED\r\n"
            } else {
                DENIED
            };
            assert_eq!(touched, expected, "{listener}");
        }
    }
}

#[test]
fn a_guest_may_log_in_later_and_a_failure_leaves_a_guest() {
    let (bench, _file) = bench(GUESTS);
    let mut client = bench.client(1);
    let said = format!(
        "get public:a\r\n{}set own:a 0 0 1\r\nx\r\nget own:a\r\n",
        login("root", "root")
    );
    let answer = say(&mut client, &said);
    assert_eq!(
        answer,
        "END\r\nSTORED\r\nSTORED\r\nVALUE own:a 0 1\r\nx\r\nEND\r\n"
    );
    // A key that clients send, flags that are numbers, in pieces.
    let mut client = bench.client(2);
    let mut answer = String::new();
    for piece in ["mn\r\nset any 0 0 9", "\r\nroot", " root\r", "\nmn\r\n"] {
        answer += &say(&mut client, piece);
    }
    assert_eq!(answer, "MN\r\nSTORED\r\nMN\r\n");
    let mut client = bench.client(3);
    let failed = "CLIENT_ERROR authentication failure\r\n";
    for attempt in 1..=3 {
        assert_eq!(say(&mut client, &login("root", "wrong")), failed);
        assert_eq!(say(&mut client, ""), "", "nothing is heard for a moment");
        bench.advance(1);
        if attempt < 3 {
            assert_eq!(say(&mut client, "get public:a own:a\r\n"), DENIED);
            assert_eq!(say(&mut client, "get public:a\r\n"), "END\r\n");
        }
    }
    say(&mut client, "");
    assert!(client.is_closed());
    // What is no login is no failure, and its block is not run.
    let mut client = bench.client(4);
    let format = "CLIENT_ERROR bad authentication token format\r\n";
    for _ in 0..5 {
        let said = "set own:a 0 0 5\r\nhello\r\nmn\r\n";
        assert_eq!(say(&mut client, said), format!("{format}MN\r\n"));
    }
    let large = format!(
        "set own:a 0 0 5000\r\n{}\r\nmn\r\n",
        "\nmn\r\n".repeat(1000)
    );
    assert_eq!(say(&mut client, &large), format!("{DENIED}MN\r\n"));
}

#[test]
fn a_guest_may_log_in_by_packets_and_a_failure_leaves_nobody() {
    let (bench, _file) = bench(GUESTS);
    let mut client = bench.client(1);
    assert_eq!(status(&client.say(&packet(0, "public:a"))), Some(1));
    assert_eq!(status(&client.say(&packet(0, "own:a"))), Some(0x20));
    assert_eq!(status(&client.say(&plain("root", "root"))), Some(0));
    assert_eq!(status(&client.say(&packet(0, "own:a"))), Some(1));
    assert_eq!(status(&client.say(&plain("root", "wrong"))), Some(0x20));
    bench.advance(1);
    assert_eq!(status(&client.say(&packet(0, "public:a"))), Some(0x20));
    assert!(client.is_closed());
}

#[test]
fn without_a_line_for_guests_a_stranger_is_nobody() {
    let (bench, _file) = bench("root:root\nuser *@unix +@read\n");
    let mut client = bench.client(1);
    let answer = say(&mut client, "get a\r\n");
    assert_eq!(answer, "CLIENT_ERROR unauthenticated\r\n");
    assert!(client.datagram(b"get a\r\n").is_empty());
    let mut client = bench.client_at(2, "unix", None);
    assert_eq!(say(&mut client, "get a\r\n"), "END\r\n");
}

#[test]
fn a_certificate_is_its_users_login() {
    let users = "app1:pw\nuser app1 +@read\ncert app1 CN=app1\n\
                 user app2 +@read +@write ~app2:*\ncert app2 C=DE, O=Example, CN=app2\n\
                 cert app1 C=DE, CN=both\ncert app2 CN=both\n";
    let (bench, _file) = bench(users);
    for (subject, name, reads, writes) in [
        ("O=Any, CN=app1", "app1", true, false),
        ("C=DE, O=Example, CN=app2", "app2", false, true),
        ("C=DE, CN=both", "both", true, false),
        ("C=FR, CN=both", "both", false, true),
    ] {
        let mut client = bench.client_at(1, "unix", certificate(subject, name));
        let answer = say(&mut client, "get app1:x\r\n");
        assert_eq!(answer == "END\r\n", reads, "{subject}: {answer}");
        let answer = say(&mut client, "set app2:x 0 0 1\r\nx\r\n");
        assert_eq!(answer == "STORED\r\n", writes, "{subject}: {answer}");
        let mut client = bench.client_at(1, "unix", certificate(subject, name));
        let expected = if reads { 1 } else { 0x20 };
        assert_eq!(status(&client.say(&packet(0, "app1:x"))), Some(expected));
    }
    for (subject, name) in [("CN=app2", "app2"), ("CN=app11", "app11"), ("", "")] {
        let mut client = bench.client_at(1, "unix", certificate(subject, name));
        let answer = say(&mut client, "get app1:x\r\n");
        assert_eq!(answer, "CLIENT_ERROR unauthenticated\r\n", "{subject}");
    }
    // Another login may follow, and nobody logs in by password who has none.
    let mut client = bench.client(1);
    let failed = "CLIENT_ERROR authentication failure\r\n";
    assert_eq!(say(&mut client, &login("app2", "")), failed);
}

#[test]
fn a_user_has_so_many_connections_and_no_more() {
    let users = "app:pw\nuser app +@all conns=2\nroot:root\nuser * +@read conns=1\n\
                 cert app CN=app\n";
    let (bench, file) = bench(users);
    let mut first = bench.client_at(1, "unix", certificate("CN=app", "app"));
    assert_eq!(say(&mut first, "set a 0 0 1\r\nx\r\n"), "STORED\r\n");
    let mut second = bench.client(2);
    assert_eq!(say(&mut second, &login("app", "pw")), "STORED\r\n");
    let full = "SERVER_ERROR too many connections of this user\r\n";
    let mut third = bench.client(3);
    assert_eq!(say(&mut third, &login("app", "pw")), full);
    assert_eq!(third.last, Some(Next::Close));
    let mut third = bench.client(3);
    assert_eq!(status(&third.say(&plain("app", "pw"))), Some(0x86));
    assert!(third.is_closed());
    let mut third = bench.client_at(3, "unix", certificate("CN=app", "app"));
    assert_eq!(say(&mut third, "touch a 0\r\n"), DENIED, "a guest instead");
    drop(third);
    // The seat of a guest is free while its client is somebody else.
    let mut guest = bench.client(4);
    assert_eq!(say(&mut guest, "get none\r\n"), "END\r\n");
    let mut stranger = bench.client(5);
    let unauthenticated = "CLIENT_ERROR unauthenticated\r\n";
    assert_eq!(say(&mut stranger, "get none\r\n"), unauthenticated);
    assert_eq!(say(&mut guest, &login("root", "root")), "STORED\r\n");
    let mut next = bench.client(6);
    assert_eq!(say(&mut next, "get none\r\n"), "END\r\n");
    // Seats outlast a new file, and are free when left.
    reload(&bench, &file, users);
    let mut third = bench.client(3);
    assert_eq!(say(&mut third, &login("app", "pw")), full);
    drop(first);
    let mut third = bench.client(3);
    assert_eq!(say(&mut third, &login("app", "pw")), "STORED\r\n");
    let totals = bench.shared.registry.totals();
    assert_eq!(totals.limited_connections, 4);
    assert_eq!(totals.auth_errors, 0, "the passwords were right");
}

#[test]
fn rights_are_those_of_the_new_file_at_the_next_turn() {
    let (bench, file) = bench("app:pw\n");
    let mut client = bench.client(1);
    assert_eq!(say(&mut client, &login("app", "pw")), "STORED\r\n");
    let mut guest = bench.client_at(2, "unix", None);
    let unauthenticated = "CLIENT_ERROR unauthenticated\r\n";
    assert_eq!(say(&mut guest, "get a\r\n"), unauthenticated);
    reload(
        &bench,
        &file,
        "app:pw\nuser app +@read ~a:*\nuser * +@read\n",
    );
    assert_eq!(say(&mut client, "get a:x\r\n"), "END\r\n");
    assert_eq!(say(&mut client, "get b:x\r\n"), DENIED);
    assert_eq!(say(&mut client, "delete a:x\r\n"), DENIED);
    let mut guest = bench.client_at(3, "unix", None);
    assert_eq!(say(&mut guest, "get a\r\n"), "END\r\n");
    reload(&bench, &file, "app:pw\nuser * +@read ~b:*\n");
    assert_eq!(say(&mut client, "delete a:x\r\n"), "NOT_FOUND\r\n");
    assert_eq!(say(&mut guest, "get a\r\n"), DENIED);
    reload(&bench, &file, "app:pw\n");
    assert_eq!(say(&mut guest, "get b:a\r\n"), "");
    assert!(guest.is_closed());
}

#[test]
fn who_is_gone_or_has_another_password_is_cut_off() {
    let users = "a:pw\nb:pw\nc:pw\ncert c CN=c\n";
    let (bench, file) = bench(users);
    let enter = |name: &str| {
        let mut client = bench.client(1);
        assert_eq!(say(&mut client, &login(name, "pw")), "STORED\r\n");
        client
    };
    let (mut a, mut b, mut c) = (enter("a"), enter("b"), enter("c"));
    let mut by_certificate = bench.client_at(1, "unix", certificate("CN=c", "c"));
    assert_eq!(say(&mut by_certificate, "mn\r\n"), "MN\r\n");
    let mut binary = bench.client(1);
    assert_eq!(status(&binary.say(&plain("b", "pw"))), Some(0));
    reload(&bench, &file, "b:other\nc:pw\ncert c CN=other\n");
    for client in [&mut a, &mut b, &mut by_certificate, &mut binary] {
        assert_eq!(say(client, "set x 0 0 1\r\nx\r\n"), "");
        assert_eq!(client.last, Some(Next::Abort));
    }
    assert_eq!(say(&mut c, "get x\r\n"), "END\r\n");
    // A file that is wrong changes nothing.
    std::fs::write(file.path(), "c\n").unwrap();
    bench.shared.door.reload().unwrap_err();
    assert_eq!(say(&mut c, "get x\r\n"), "END\r\n");
}

#[test]
fn what_is_under_way_ends_when_the_right_to_it_is_gone() {
    let users = "app:pw\n";
    let (bench, file) = bench(users);
    let enter = |id| {
        let mut client = bench.client(id);
        assert_eq!(say(&mut client, &login("app", "pw")), "STORED\r\n");
        client
    };
    let mut uploader = enter(1);
    assert_eq!(say(&mut uploader, "set large 0 0 100000\r\nxxxx"), "");
    let mut patient = enter(2);
    assert_eq!(say(&mut patient, "set large 0 0 100000\r\nxxxx"), "");
    let mut watcher = enter(7);
    assert_eq!(say(&mut watcher, "watch mutations\r\n"), "OK\r\n");
    assert_eq!(watcher.last, Some(Next::Watch));
    // The same rights: nothing ends.
    reload(&bench, &file, "app:pw\nuser app +@all\n");
    let rest = "x".repeat(100_000 - 4);
    assert_eq!(say(&mut patient, &format!("{rest}\r\n")), "STORED\r\n");
    assert!(say(&mut watcher, "").contains("key=large"));
    assert_eq!(watcher.last, Some(Next::Watch));
    reload(&bench, &file, "app:pw\nuser app +@read\n");
    assert_eq!(say(&mut uploader, &format!("{rest}\r\n")), "");
    assert!(uploader.is_closed());
    watcher.say(b"");
    assert!(watcher.is_closed());
    let mut reader = enter(4);
    assert!(say(&mut reader, "get large\r\n").contains("VALUE large 0 100000\r\n"));
}

#[test]
fn a_file_that_says_something_dangerous_or_unclear_is_refused() {
    for (users, line, reason) in [
        ("a:b\nuser * +@write\n", 2, "who has not logged in"),
        ("a:b\nuser * +@all\n", 2, "who has not logged in"),
        ("a:b\nuser *@ +@read\n", 2, "expected *"),
        ("a:b\nuser *@host +@read\n", 2, "expected *"),
        ("user * +@read\nuser * +@admin\n", 2, "this listener has"),
        (
            "a:b\ncert b CN=b\n",
            2,
            "this user has no password and no line",
        ),
        ("a:b\ncert a\n", 2, "expected cert NAME"),
        ("a:b\ncert a b\n", 2, "expected cert NAME"),
        ("a:b\ncert a CN=x\ncert a CN = x\n", 3, "this certificate"),
        (
            "a:b\nuser c +@read\n",
            2,
            "this user has no password and no certificate",
        ),
        ("a:b\nuser a\n", 2, "expected +@read"),
        ("a:b\nuser a conns=5\n", 2, "expected +@read"),
    ] {
        let (at, told) = crate::auth::file::parse(users.as_bytes(), [1; 32]).unwrap_err();
        assert_eq!(at, Some(line), "{users}");
        assert!(told.starts_with(reason), "{users}: {told}");
    }
    for users in ["user * +@read\n", "user a +@read\ncert a CN=a\n"] {
        crate::auth::file::parse(users.as_bytes(), [1; 32]).unwrap();
    }
}
