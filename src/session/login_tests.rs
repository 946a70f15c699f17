//! The door, knocked at.

use super::testing::{Bench, text_file};
use crate::auth::file::{self, Notation};
use crate::config::Config;

/// A daemon whose users are these.
fn bench(users: &str) -> (Bench, tempfile::NamedTempFile) {
    let file = text_file(users);
    let config = Config {
        auth_file: Some(file.path().to_owned()),
        ..Config::default()
    };
    (Bench::new(config).unwrap(), file)
}

const USERS: &str = "foo:bar\nbaaaz:quux";

/// What is said before login, and what is answered. A sentinel behind it must never be served.
const BEFORE_LOGIN: &[(&str, &str)] = &[
    ("get a\r\n", "CLIENT_ERROR unauthenticated\r\n"),
    (
        "set a 0 0 2\r\nhi\r\n",
        "CLIENT_ERROR bad authentication token format\r\n",
    ),
    (
        "set a 0 0 7\r\nfoo bab\r\n",
        "CLIENT_ERROR authentication failure\r\n",
    ),
    (
        "set a 0 0 6\r\nfoo ba\r\n",
        "CLIENT_ERROR authentication failure\r\n",
    ),
    (
        "set a 0 0 8\r\nfoo barr\r\n",
        "CLIENT_ERROR authentication failure\r\n",
    ),
    (
        "set a 0 0 8\r\nfoo bar\0\r\n",
        "CLIENT_ERROR authentication failure\r\n",
    ),
    (
        "set a 0 0 4\r\nfoo \r\n",
        "CLIENT_ERROR authentication failure\r\n",
    ),
    (
        "set a 0 0 7\r\nfoo barXX",
        "CLIENT_ERROR bad command line termination\r\n",
    ),
    ("set a 0 0 7\n", "CLIENT_ERROR unauthenticated\r\n"),
    (
        "set a 0 0 16385\r\n",
        "CLIENT_ERROR auth token too long\r\n",
    ),
    (
        "set a 0 0 2147483646\r\n",
        "CLIENT_ERROR auth token too long\r\n",
    ),
    (
        "set a 0 0 18446744073709551615\r\n",
        "CLIENT_ERROR auth token too long\r\n",
    ),
    ("set a 0 0 -1\r\n", "CLIENT_ERROR unauthenticated\r\n"),
    ("version\r\n", "CLIENT_ERROR unauthenticated\r\n"),
    ("shutdown\r\n", "CLIENT_ERROR unauthenticated\r\n"),
    ("watch\r\n", "CLIENT_ERROR unauthenticated\r\n"),
    (
        "ms a 7\r\nfoo bab\r\n",
        "CLIENT_ERROR authentication failure\r\n",
    ),
    ("quit\r\n", ""),
    ("\n\n\n\n\n\n\n\n", ""),
    ("\r\n\r\n\r\n", ""),
    ("a\n", ""),
    ("set\n", ""),
    ("\u{80}", ""),
];

#[test]
fn nothing_is_served_before_login() {
    for (said, answered) in BEFORE_LOGIN {
        let (bench, _file) = bench(USERS);
        let mut client = bench.client(1);
        assert_eq!(client.say(said.as_bytes()), answered.as_bytes(), "{said:?}");
        bench.advance(2);
        let answer = client.say(b"get sentinel\r\n");
        if client.is_closed() {
            assert_eq!(answer, b"", "{said:?}");
        } else {
            assert_eq!(answer, b"CLIENT_ERROR unauthenticated\r\n", "{said:?}");
        }
        let totals = bench.shared.registry.worker(0);
        assert_eq!(totals.cmd_get.get() + totals.cmd_set.get(), 0, "{said:?}");
    }
}

#[test]
fn binary_has_no_way_in_without_a_login_of_its_own() {
    let (bench, _file) = bench(USERS);
    for code in 0..=255 {
        let mut client = bench.client(1);
        let mut packet = [0; 24];
        packet[0] = 0x80;
        packet[1] = code;
        assert_eq!(client.say(&packet), b"", "{code:#x}");
        assert!(client.is_closed());
    }
}

#[test]
fn who_logs_in_is_served_text_and_meta() {
    for (login, welcome) in [
        ("set foo 0 0 7\r\nfoo bar\r\n", "STORED\r\n"),
        ("set _ _ _ 7\r\nfoo bar\r\n", "STORED\r\n"),
        ("set _ _ _ 10\r\nbaaaz quux\r\n", "STORED\r\n"),
        ("ms _ 7\r\nfoo bar\r\n", "HD\r\n"),
    ] {
        let (bench, _file) = bench(USERS);
        let mut client = bench.client(1);
        let pipeline = format!("{login}set a 0 0 2\r\nhi\r\nmg a v\r\n");
        let expected = format!("{welcome}STORED\r\nVA 2\r\nhi\r\n");
        assert_eq!(client.say(pipeline.as_bytes()), expected.as_bytes());
        let totals = bench.shared.registry.worker(0);
        assert_eq!((totals.auth_cmds.get(), totals.auth_errors.get()), (1, 0));
        // A login is not for the next client too.
        let mut other = bench.client(2);
        assert_eq!(other.say(b"get a\r\n"), b"CLIENT_ERROR unauthenticated\r\n");
    }
}

#[test]
fn a_login_may_come_byte_by_byte() {
    let (bench, _file) = bench(USERS);
    let mut client = bench.client(1);
    let mut answer = Vec::new();
    for byte in b"set foo 0 0 7\r\nfoo bar\r\nmn\r\n" {
        answer.extend(client.say(&[*byte]));
    }
    assert_eq!(answer, b"STORED\r\nMN\r\n");
}

#[test]
fn the_third_wrong_pair_closes_and_each_is_followed_by_a_pause() {
    let (bench, _file) = bench(USERS);
    let mut client = bench.client(1);
    let wrong = b"set a 0 0 7\r\nfoo bab\r\n";
    for attempt in 1..=3 {
        assert_eq!(
            client.say(wrong),
            b"CLIENT_ERROR authentication failure\r\n"
        );
        assert!(!client.is_closed());
        assert_eq!(client.say(b""), b"", "nothing is heard for a moment");
        bench.advance(1);
        client.say(b"");
        assert_eq!(client.is_closed(), attempt == 3);
    }
    let totals = bench.shared.registry.worker(0);
    assert_eq!((totals.auth_cmds.get(), totals.auth_errors.get()), (3, 3));
}

#[test]
fn what_a_stranger_may_send_and_hear_is_bounded() {
    let (bench, _file) = bench(USERS);
    let mut client = bench.client(1);
    client.say(&[b'x'; 1025]);
    assert!(client.is_closed(), "a line without an end");
    let mut client = bench.client(2);
    let mut line = vec![b'x'; 2000];
    line.extend(b"\r\n");
    client.say(&line);
    assert!(client.is_closed(), "a line with one");
    let mut client = bench.client(3);
    let answer = client.say(&b"get abc\r\n".repeat(10_000));
    assert!(client.is_closed());
    assert!(answer.len() <= (4 << 10) + 64, "{}", answer.len());
}

#[test]
fn datagrams_are_not_heard_where_a_login_is_asked_for() {
    let (bench, _file) = bench(USERS);
    let mut client = bench.client(1);
    assert!(client.datagram(b"set a 0 0 7\r\nfoo bar\r\n").is_empty());
    assert!(client.datagram(b"version\r\n").is_empty());
}

#[test]
fn a_new_file_counts_and_a_bad_one_leaves_the_old_users() {
    let (bench, file) = bench(USERS);
    let enters = |login: &str| {
        let mut client = bench.client(1);
        let line = format!("set a 0 0 {}\r\n{login}\r\n", login.len());
        client.say(line.as_bytes()) == b"STORED\r\n"
    };
    assert!(enters("foo bar") && !enters("new pass"));
    std::fs::write(file.path(), "new:pass\nbroken\n").unwrap();
    let error = bench.shared.door.reload().unwrap_err();
    assert_eq!(error.line, Some(2));
    assert!(enters("foo bar") && !enters("new pass"));
    std::fs::write(file.path(), "new:pass\n").unwrap();
    bench.shared.door.reload().unwrap();
    assert!(!enters("foo bar") && enters("new pass"));
    std::fs::remove_file(file.path()).unwrap();
    bench.shared.door.reload().unwrap_err();
    assert!(enters("new pass"));
}

#[test]
fn a_hashed_password_lets_its_user_in() {
    let line = file::entry("anna", b"secret", Notation::Argon2id, [3; 16]).unwrap();
    let (bench, _file) = bench(&line);
    let mut client = bench.client(1);
    let wrong = client.say(b"set a 0 0 10\r\nanna wrong\r\n");
    assert_eq!(wrong, b"CLIENT_ERROR authentication failure\r\n");
    bench.advance(1);
    let right = client.say(b"set a 0 0 11\r\nanna secret\r\nmn\r\n");
    assert_eq!(right, b"STORED\r\nMN\r\n");
}
