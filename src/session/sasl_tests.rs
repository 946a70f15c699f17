//! The door, knocked at in packets.

use super::Next;
use super::testing::{Bench, Client, text_file};
use crate::auth::file::{self, Notation};
use crate::config::Config;

const GET: u8 = 0x00;
const SET: u8 = 0x01;
const QUIT: u8 = 0x07;
const NOOP: u8 = 0x0a;
const VERSION: u8 = 0x0b;
const GETKQ: u8 = 0x0d;
const STAT: u8 = 0x10;
const LIST: u8 = 0x20;
const AUTH: u8 = 0x21;
const STEP: u8 = 0x22;

const USERS: &str = "foo:bar\nanna@host:quux\n";
const FOO: &[u8] = b"\0foo\0bar";
const FAILED: (u16, &[u8]) = (0x20, b"Auth failure.");
const AUTHENTICATED: (u16, &[u8]) = (0, b"Authenticated");

/// A daemon that was started with `-S` and, for `text`, with `-Y`.
fn bench_of(users: &str, text: bool) -> (Bench, tempfile::NamedTempFile) {
    let file = text_file(users);
    let path = Some(file.path().to_owned());
    let config = Config {
        auth_file: path.clone().filter(|_| text),
        sasl: true,
        sasl_users: path,
        ..Config::default()
    };
    (Bench::new(config).unwrap(), file)
}

fn bench() -> (Bench, tempfile::NamedTempFile) {
    bench_of(USERS, false)
}

fn header(opcode: u8, key_size: u16, body_size: u32) -> Vec<u8> {
    let mut bytes = vec![0x80, opcode];
    bytes.extend(key_size.to_be_bytes());
    bytes.extend([0; 4]);
    bytes.extend(body_size.to_be_bytes());
    bytes.extend(*b"opaq");
    bytes.extend([0; 8]);
    bytes
}

fn packet(opcode: u8, key: &[u8], value: &[u8]) -> Vec<u8> {
    let body_size = u32::try_from(key.len() + value.len()).unwrap();
    let mut bytes = header(opcode, u16::try_from(key.len()).unwrap(), body_size);
    bytes.extend(key);
    bytes.extend(value);
    bytes
}

fn plain(message: &[u8]) -> Vec<u8> {
    packet(AUTH, b"PLAIN", message)
}

/// Status and body of each reply in these bytes.
fn replies(mut bytes: &[u8]) -> Vec<(u16, &[u8])> {
    let mut replies = Vec::new();
    while !bytes.is_empty() {
        assert_eq!((bytes[0], bytes[5]), (0x81, 0));
        assert_eq!(&bytes[12..16], b"opaq");
        let size = u32::from_be_bytes(bytes[8..12].try_into().unwrap()) as usize;
        let status = u16::from_be_bytes([bytes[6], bytes[7]]);
        replies.push((status, &bytes[24..24 + size]));
        bytes = &bytes[24 + size..];
    }
    replies
}

/// What one packet is answered.
#[track_caller]
fn ask(client: &mut Client<'_>, packet: &[u8]) -> (u16, Vec<u8>) {
    let answer = client.say(packet);
    let replies = replies(&answer);
    assert_eq!(replies.len(), 1, "{replies:?}");
    (replies[0].0, replies[0].1.to_vec())
}

/// Whether requests for items are served; a refusal must end the conversation.
fn is_in(bench: &Bench, client: &mut Client<'_>) -> bool {
    bench.advance(2);
    let answer = client.say(&packet(GET, b"sentinel", b""));
    match replies(&answer)[..] {
        [(1, b"Not found")] => true,
        [] | [FAILED] => {
            assert!(client.is_closed());
            false
        }
        ref other => panic!("{other:?}"),
    }
}

fn counted(bench: &Bench) -> (u64, u64) {
    let totals = bench.shared.registry.worker(0);
    (totals.auth_cmds.get(), totals.auth_errors.get())
}

#[test]
fn a_stranger_may_ask_for_mechanisms_and_version_and_nothing_else() {
    for opcode in 0..=0xff {
        let (bench, _file) = bench();
        let mut client = bench.client(1);
        match opcode {
            LIST => {
                let (status, body) = ask(&mut client, &packet(LIST, b"", b""));
                assert!(status == 0 && body.starts_with(b"PLAIN"), "{body:?}");
            }
            VERSION => {
                let answer = ask(&mut client, &packet(VERSION, b"", b""));
                assert_eq!(answer, (0, b"1.6.45".to_vec()));
            }
            AUTH | STEP => {}
            _ => {
                let shapes = [packet(opcode, b"", b""), packet(opcode, b"k", b"v")];
                for shape in shapes {
                    let mut client = bench.client(2);
                    let (status, _) = ask(&mut client, &shape);
                    assert!(matches!(status, 0x20 | 4), "{opcode:#x}: {status:#x}");
                    assert!(client.is_closed(), "{opcode:#x}");
                }
            }
        }
        assert!(!is_in(&bench, &mut client), "{opcode:#x}");
    }
    for (opcode, key) in [(GET, "k"), (GETKQ, "k"), (NOOP, ""), (QUIT, ""), (STAT, "")] {
        let (bench, _file) = bench();
        let mut client = bench.client(1);
        let mut pipeline = packet(opcode, key.as_bytes(), b"");
        pipeline.extend(plain(FOO));
        assert_eq!(replies(&client.say(&pipeline)), [FAILED], "{opcode:#x}");
        assert!(client.is_closed());
        assert_eq!(counted(&bench), (0, 0));
    }
}

#[test]
fn who_logs_in_by_plain_is_served() {
    for (mechanism, message) in [
        ("PLAIN", &b"\0foo\0bar"[..]),
        ("plain", b"\0foo\0bar"),
        ("PLAIN", b"foo\0foo\0bar"),
        ("PLAIN", b"\0foo@any.host\0bar"),
        ("PLAIN", b"\0anna@host\0quux"),
    ] {
        let (bench, _file) = bench();
        let mut client = bench.client(1);
        let mut pipeline = packet(AUTH, mechanism.as_bytes(), message);
        pipeline.extend(packet(NOOP, b"", b""));
        let answer = client.say(&pipeline);
        assert_eq!(replies(&answer), [AUTHENTICATED, (0, b"")], "{message:?}");
        assert!(is_in(&bench, &mut client));
        assert_eq!(counted(&bench), (1, 0));
        // A login is not for the next client too.
        assert!(!is_in(&bench, &mut bench.client(2)));
    }
}

#[test]
fn a_login_may_come_byte_by_byte_and_in_two_messages() {
    let (bench, _file) = bench();
    let mut client = bench.client(1);
    let mut answer = Vec::new();
    let mut bytes = plain(b"");
    bytes.extend(packet(VERSION, b"", b""));
    bytes.extend(packet(LIST, b"", b""));
    bytes.extend(packet(STEP, b"PLAIN", FOO));
    for byte in bytes {
        answer.extend(client.say(&[byte]));
    }
    let replies = replies(&answer);
    assert_eq!(replies[0], (0x21, &b""[..]));
    assert_eq!(replies[3], AUTHENTICATED);
    assert!(is_in(&bench, &mut client));
    assert_eq!(counted(&bench), (1, 0));
}

#[test]
fn whatever_is_no_login_fails_and_lets_nobody_in() {
    let long = [b'x'; 600];
    let long_password = [b"\0foo\0", &long[..]].concat();
    let long_name = [b"\0", &long[..300], b"\0bar"].concat();
    for message in [
        &b"\0foo\0baz"[..],
        b"\0foo\0ba",
        b"\0foo\0barr",
        b"\0foo\0bar\0",
        b"\0foo\0bar\0more",
        b"\0foo\0",
        b"\0\0bar",
        b"\0\0",
        b"\0",
        b"foo bar",
        b"foo\0bar",
        b"\0nobody\0bar",
        b"anna@host\0foo\0bar",
        b"fo\0foo\0bar",
        b"\0anna\0quux",
        b"\0foo\0b\xffr",
        &long_password,
        &long_name,
    ] {
        let (bench, _file) = bench();
        let mut client = bench.client(1);
        let answer = client.say(&plain(message));
        assert_eq!(replies(&answer), [FAILED], "{message:?}");
        assert_eq!(counted(&bench), (1, 1));
        assert!(!is_in(&bench, &mut client), "{message:?}");
    }
    for mechanism in [
        "PLAI",
        "PLAIN2",
        "PLAIN\0",
        "CRAM-MD5",
        "EXTERNAL",
        "ANONYMOUS",
        " ",
    ] {
        let (bench, _file) = bench();
        let mut client = bench.client(1);
        let answer = client.say(&packet(AUTH, mechanism.as_bytes(), FOO));
        assert_eq!(replies(&answer), [FAILED], "{mechanism:?}");
        assert!(!is_in(&bench, &mut client), "{mechanism:?}");
    }
}

#[test]
fn a_message_without_a_beginning_is_a_failure() {
    let step = packet(STEP, b"PLAIN", FOO);
    let (bench, _file) = bench();
    let mut client = bench.client(1);
    assert_eq!(replies(&client.say(&step)), [FAILED]);
    assert!(!is_in(&bench, &mut client));
    // Behind a failure.
    let mut client = bench.client(2);
    ask(&mut client, &plain(b"\0foo\0baz"));
    bench.advance(2);
    assert_eq!(replies(&client.say(&step)), [FAILED]);
    assert!(!is_in(&bench, &mut client));
    // Behind a success.
    let mut client = bench.client(3);
    ask(&mut client, &plain(FOO));
    assert_eq!(replies(&client.say(&step)), [FAILED]);
    assert!(!is_in(&bench, &mut client));
    // A second message where one is enough.
    let mut client = bench.client(4);
    ask(&mut client, &plain(b""));
    assert_eq!(replies(&client.say(&packet(STEP, b"PLAIN", b""))), [FAILED]);
    assert!(!is_in(&bench, &mut client));
}

#[test]
fn each_login_puts_out_who_was_in() {
    let (bench, _file) = bench();
    // Bad, bad, then a request.
    let mut client = bench.client(1);
    for _ in 0..2 {
        assert_eq!(replies(&client.say(&plain(b"\0foo\0baz"))), [FAILED]);
        bench.advance(1);
    }
    assert!(!is_in(&bench, &mut client));
    // Good, then bad, or begun and not finished.
    let unfinished: [&[u8]; 4] = [
        &plain(b"\0foo\0baz"),
        &packet(AUTH, b"NOSUCH", FOO),
        &plain(b""),
        &plain(FOO)[..30],
    ];
    for message in unfinished {
        let mut client = bench.client(2);
        ask(&mut client, &plain(FOO));
        assert!(is_in(&bench, &mut client));
        client.say(message);
        bench.advance(1);
        // Nothing but the rest of the message can follow one that has not come whole.
        let rest = if message.len() == 30 {
            &plain(b"\0foo\0baz")[30..]
        } else {
            b""
        };
        client.say(rest);
        assert!(!is_in(&bench, &mut client), "{message:?}");
    }
    // Another user may take over, and asking for mechanisms puts nobody out.
    let mut client = bench.client(3);
    ask(&mut client, &plain(FOO));
    ask(&mut client, &packet(LIST, b"", b""));
    assert!(is_in(&bench, &mut client));
    let (status, _) = ask(&mut client, &plain(b"\0anna@host\0quux"));
    assert!(status == 0 && is_in(&bench, &mut client));
}

#[test]
fn the_third_failure_closes_whatever_comes_between() {
    let (bench, _file) = bench();
    let mut client = bench.client(1);
    for attempt in 1..=3 {
        assert_eq!(replies(&client.say(&plain(b"\0foo\0baz"))), [FAILED]);
        assert_eq!(client.last, Some(Next::Hold));
        assert_eq!(client.say(b""), b"", "nothing is heard for a moment");
        bench.advance(1);
        client.say(b"");
        assert_eq!(client.is_closed(), attempt == 3);
        if attempt < 3 {
            assert_eq!(replies(&client.say(&plain(FOO))), [AUTHENTICATED]);
        }
    }
    assert_eq!(counted(&bench), (5, 3));
}

#[test]
fn a_long_mechanism_is_an_error_and_no_attempt() {
    let (bench, _file) = bench();
    for size in [33, 40, 65, 250] {
        let mut client = bench.client(1);
        let mut pipeline = packet(AUTH, &vec![b'X'; size], FOO);
        pipeline.extend(packet(STEP, &vec![b'X'; size], &[0; 70_000]));
        pipeline.extend(plain(FOO));
        let answer = client.say(&pipeline);
        let invalid = (4, &b"Invalid arguments"[..]);
        assert_eq!(
            replies(&answer),
            [invalid, invalid, AUTHENTICATED],
            "{size}"
        );
    }
    assert_eq!(counted(&bench), (4, 0));
    let mut client = bench.client(2);
    assert_eq!(ask(&mut client, &packet(AUTH, &[b'X'; 251], FOO)).0, 4);
    assert!(client.is_closed());
    let mut client = bench.client(3);
    assert_eq!(ask(&mut client, &packet(AUTH, b"", FOO)).0, 4);
    assert!(client.is_closed());
}

#[test]
fn a_large_message_is_an_attempt_and_never_kept() {
    let (bench, _file) = bench();
    let mut client = bench.client(1);
    // The answer comes before the body, and what follows the body is understood.
    assert_eq!(replies(&client.say(&header(AUTH, 5, 70_005))), [FAILED]);
    bench.advance(1);
    let body = vec![b'P'; 70_005];
    assert_eq!(client.say(&body[..1000]), b"");
    assert_eq!(client.last, Some(Next::Read { at_least: 1 }));
    assert_eq!(client.say(&body[1000..]), b"");
    assert_eq!(replies(&client.say(&plain(FOO))), [AUTHENTICATED]);
    assert_eq!(counted(&bench), (2, 1));
}

#[test]
fn sizes_that_cannot_be_are_refused_from_the_header_alone() {
    for (opcode, key_size, body_size, expected) in [
        (AUTH, 32, 1, 0x81),
        (STEP, 32, 1, 0x81),
        (AUTH, 5, 0xffff_ffe8, 4),
        (STEP, 5, 0xffff_ffff, 4),
        (AUTH, 5, 0x8000_0000, 4),
        (STEP, 5, 0x7fff_ffff, 4),
        (SET, 250, 0, 0x81),
        (LIST, 5, 5, 4),
        (VERSION, 0, 5, 4),
    ] {
        let (bench, _file) = bench();
        let mut client = bench.client(1);
        let mut bytes = header(opcode, key_size, body_size);
        assert_eq!(ask(&mut client, &bytes).0, expected, "{opcode:#x}");
        assert!(client.is_closed());
        bytes.extend([b'A'; 1024]);
        let mut client = bench.client(2);
        assert_eq!(ask(&mut client, &bytes).0, expected, "{opcode:#x}");
        assert!(client.is_closed());
    }
}

#[test]
fn what_is_said_to_a_stranger_is_bounded() {
    let (bench, _file) = bench();
    for asked in [packet(VERSION, b"", b""), packet(LIST, b"", b"")] {
        let mut client = bench.client(1);
        let answer = client.say(&asked.repeat(10_000));
        assert!(client.is_closed());
        assert!(answer.len() <= (4 << 10) + 64, "{}", answer.len());
    }
}

#[test]
fn text_is_served_behind_a_login_of_its_own_or_not_at_all() {
    let login = b"set any 0 0 7\r\nfoo bar\r\n";
    let (bench, _file) = bench();
    for said in [&b"get a\r\n"[..], login, b"version\r\n", b"mn\r\n"] {
        let mut client = bench.client(1);
        assert_eq!(client.say(said), b"");
        assert!(client.is_closed());
    }
    let (bench, _file) = bench_of(USERS, true);
    let mut client = bench.client(1);
    assert_eq!(
        client.say(b"get a\r\n"),
        b"CLIENT_ERROR unauthenticated\r\n"
    );
    assert_eq!(client.say(login), b"STORED\r\n");
    assert_eq!(client.say(b"set a 0 0 1\r\nx\r\n"), b"STORED\r\n");
    let mut client = bench.client(2);
    assert_eq!(replies(&client.say(&plain(FOO))), [AUTHENTICATED]);
    assert!(is_in(&bench, &mut client));
    // No conversation means two things.
    let mut client = bench.client(3);
    client.say(b"get a\r\n");
    client.say(&plain(FOO));
    assert!(client.is_closed());
    let mut client = bench.client(4);
    client.say(&packet(VERSION, b"", b""));
    assert_eq!(client.say(login), b"");
    assert!(client.is_closed());
}

#[test]
fn datagrams_are_not_heard_where_packets_log_in() {
    let (bench, _file) = bench();
    let mut client = bench.client(1);
    assert!(client.datagram(&plain(FOO)).is_empty());
    assert!(client.datagram(&packet(GET, b"a", b"")).is_empty());
    assert!(client.datagram(b"get a\r\n").is_empty());
}

#[test]
fn a_hashed_password_lets_its_user_in_by_plain() {
    let line = file::entry("anna", b"secret", Notation::Argon2id, [3; 16]).unwrap();
    let (bench, _file) = bench_of(&line, false);
    let mut client = bench.client(1);
    assert_eq!(replies(&client.say(&plain(b"\0anna\0wrong"))), [FAILED]);
    bench.advance(1);
    let answer = client.say(&plain(b"\0anna\0secret"));
    assert_eq!(replies(&answer), [AUTHENTICATED]);
    assert!(is_in(&bench, &mut client));
}

#[test]
fn without_sasl_its_commands_are_unknown_and_skipped() {
    let bench = Bench::new(Config::default()).unwrap();
    let mut client = bench.client(1);
    let mut pipeline = packet(LIST, b"", b"");
    pipeline.extend(plain(FOO));
    pipeline.extend(packet(STEP, b"PLAIN", FOO));
    pipeline.extend(packet(NOOP, b"", b""));
    let unknown = (0x81, &b"Unknown command"[..]);
    let answer = client.say(&pipeline);
    assert_eq!(replies(&answer), [unknown, unknown, unknown, (0, b"")]);
}

/// What a client of the standard answers to the server's first message, for user `foo`.
fn answer(bare: &str, told: &[u8], password: &[u8]) -> (Vec<u8>, Vec<u8>) {
    use base64ct::{Base64, Encoding};
    use hmac::{Hmac, KeyInit, Mac};
    use sha2::{Digest, Sha256};
    let mac = |key: &[u8], text: &[u8]| -> [u8; 32] {
        let mut mac = Hmac::<Sha256>::new_from_slice(key).unwrap();
        mac.update(text);
        mac.finalize().into_bytes().into()
    };
    let told = std::str::from_utf8(told).unwrap();
    let mut parts = told.splitn(3, ',');
    let nonce = parts.next().unwrap();
    let salt = Base64::decode_vec(&parts.next().unwrap()[2..]).unwrap();
    let iterations = parts.next().unwrap()[2..].parse().unwrap();
    let salted = pbkdf2::pbkdf2_hmac_array::<Sha256, 32>(password, &salt, iterations);
    let key = mac(&salted, b"Client Key");
    let signed = format!("{bare},{told},c=biws,{nonce}");
    let mut proof = mac(&Sha256::digest(key), signed.as_bytes());
    for (byte, key) in proof.iter_mut().zip(key) {
        *byte ^= key;
    }
    let proof = Base64::encode_string(&proof);
    let signature = mac(&mac(&salted, b"Server Key"), signed.as_bytes());
    let signature = format!("v={}", Base64::encode_string(&signature));
    let last = format!("c=biws,{nonce},p={proof}");
    (last.into_bytes(), signature.into_bytes())
}

const SCRAM: &[u8] = b"SCRAM-SHA-256";
const BARE: &str = "n=foo,r=abcdefgh";

/// Begins a login of `foo` and says what the server answered.
fn begin(client: &mut Client<'_>) -> Vec<u8> {
    let (status, told) = ask(
        client,
        &packet(AUTH, SCRAM, format!("n,,{BARE}").as_bytes()),
    );
    assert_eq!(status, 0x21);
    assert!(told.starts_with(b"r=abcdefgh"), "{told:?}");
    told
}

#[test]
fn a_password_is_proved_in_three_packets() {
    let entry = file::entry("foo", b"bar", Notation::Scram, [5; 16]).unwrap();
    for users in ["foo:bar\n", &entry] {
        let (bench, _file) = bench_of(users, false);
        let listed = bench.client(9).say(&packet(LIST, b"", b""));
        assert_eq!(replies(&listed), [(0, &b"PLAIN SCRAM-SHA-256"[..])]);
        // The second time, nothing has to be computed any more.
        for _ in 0..2 {
            let mut client = bench.client(1);
            let told = begin(&mut client);
            let (last, signature) = answer(BARE, &told, b"bar");
            assert_eq!(
                ask(&mut client, &packet(STEP, SCRAM, &last)),
                (0x21, signature)
            );
            let answer = client.say(&packet(STEP, SCRAM, b""));
            assert_eq!(replies(&answer), [AUTHENTICATED]);
            assert!(is_in(&bench, &mut client));
        }
        assert_eq!(counted(&bench), (2, 0));
        // No two challenges are the same.
        assert_ne!(begin(&mut bench.client(2)), begin(&mut bench.client(3)));
    }
}

#[test]
fn a_proof_that_is_wrong_or_left_open_lets_nobody_in() {
    let entry = file::entry("foo", b"bar", Notation::Scram, [5; 16]).unwrap();
    for users in ["foo:bar\n", &entry, "other:bar\n"] {
        let (bench, _file) = bench_of(users, false);
        let mut client = bench.client(1);
        let told = begin(&mut client);
        let (last, _) = answer(BARE, &told, b"baz");
        assert_eq!(replies(&client.say(&packet(STEP, SCRAM, &last))), [FAILED]);
        assert!(!is_in(&bench, &mut client));
        assert_eq!(counted(&bench), (1, 1));
    }
    let (bench, _file) = bench_of("foo:bar\n", false);
    // A request before the proof.
    let mut client = bench.client(2);
    begin(&mut client);
    assert!(!is_in(&bench, &mut client));
    // A request before the server's proof was accepted.
    let mut client = bench.client(3);
    let told = begin(&mut client);
    let (last, _) = answer(BARE, &told, b"bar");
    assert_eq!(ask(&mut client, &packet(STEP, SCRAM, &last)).0, 0x21);
    assert!(!is_in(&bench, &mut client));
    // The same proof again, on the same connection and on another.
    let mut client = bench.client(4);
    begin(&mut client);
    assert_eq!(replies(&client.say(&packet(STEP, SCRAM, &last))), [FAILED]);
    assert!(!is_in(&bench, &mut client));
    // A proof for a challenge that a new beginning has replaced.
    let mut client = bench.client(5);
    let told = begin(&mut client);
    begin(&mut client);
    let (last, _) = answer(BARE, &told, b"bar");
    assert_eq!(replies(&client.say(&packet(STEP, SCRAM, &last))), [FAILED]);
    assert!(!is_in(&bench, &mut client));
}

#[test]
fn mechanisms_that_do_not_work_for_all_are_not_listed() {
    let argon2 = file::entry("anna", b"secret", Notation::Argon2id, [3; 16]).unwrap();
    let (bench, _file) = bench_of(&format!("foo:bar\n{argon2}\n"), false);
    let mut client = bench.client(1);
    let listed = client.say(&packet(LIST, b"", b""));
    assert_eq!(replies(&listed), [(0, &b"PLAIN"[..])]);
    // Who asks for one by name may have it.
    let told = begin(&mut client);
    let (last, _) = answer(BARE, &told, b"bar");
    assert_eq!(ask(&mut client, &packet(STEP, SCRAM, &last)).0, 0x21);
}

#[test]
fn a_new_file_counts_for_logins_and_a_bad_one_leaves_the_old_users() {
    let (bench, file) = bench();
    let enters = |login: &[u8]| replies(&bench.client(1).say(&plain(login))) == [AUTHENTICATED];
    let mut inside = bench.client(2);
    ask(&mut inside, &plain(FOO));
    let mut between = bench.client(3);
    let told = begin(&mut between);
    std::fs::write(file.path(), "new:pass\nbroken\n").unwrap();
    assert_eq!(bench.shared.door.reload().unwrap_err().line, Some(2));
    assert!(enters(FOO));
    std::fs::write(file.path(), "new:pass\n").unwrap();
    bench.shared.door.reload().unwrap();
    assert!(!enters(FOO) && enters(b"\0new\0pass"));
    // Who is gone is cut off; who was about to come in is judged by the new file.
    assert_eq!(inside.say(&packet(NOOP, b"", b"")), b"");
    assert!(inside.is_closed());
    let (last, _) = answer(BARE, &told, b"bar");
    assert_eq!(replies(&between.say(&packet(STEP, SCRAM, &last))), [FAILED]);
}
