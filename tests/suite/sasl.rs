//! Logging in to a real daemon by SASL.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};

use base64ct::{Base64, Encoding};
use rustix::process::Signal;

use crate::support::foreign::{self, in_path};
use crate::support::packet::opcode::{AUTH, GET, LIST, STAT, STEP};
use crate::support::packet::{Packet, Reply, header};
use crate::support::process::{is_root, resident_size, settled_size, wait_until};
use crate::support::{Client, Server, server, text_file};

const SCRAM: &str = "SCRAM-SHA-256";

/// A plain password, and the one of RFC 7677 in the form that PostgreSQL gives it: `pencil`.
const USERS: &str = "foo:bar\n\
    user:SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$\
    WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=\n";

fn name(path: &Path) -> &str {
    path.to_str().expect("a path of letters")
}

#[track_caller]
fn ask(client: &mut Client, packet: &Packet) -> (u16, Vec<u8>) {
    client.send(packet.bytes(7));
    let reply = Reply::take(client).expect("a reply");
    assert_eq!(reply.opaque, 7);
    (reply.status, reply.value)
}

/// The status of a login by PLAIN.
fn plain(client: &mut Client, user: &str, password: &str) -> u16 {
    let message = format!("\0{user}\0{password}");
    ask(client, &Packet::new(AUTH, "PLAIN").value(message)).0
}

/// Whether a request for an item is served.
fn is_served(client: &mut Client) -> bool {
    match ask(client, &Packet::new(GET, "sentinel")).0 {
        1 => true,
        0x20 => {
            client.expect_close();
            false
        }
        other => panic!("{other:#x}"),
    }
}

/// `gsasl`, which holds a client's side of an exchange in lines of base64.
struct Gsasl {
    child: Child,
    said: BufReader<ChildStdout>,
    told: ChildStdin,
}

impl Gsasl {
    fn start(mechanism: &str, user: &str, password: &str) -> Self {
        let mut command = Command::new(in_path("gsasl"));
        command.args(["--client", "--quiet", "--no-cb", "-m", mechanism]);
        command.args(["-a", user, "-p", password]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.stderr(Stdio::null()).spawn().expect("gsasl");
        let stdout = child.stdout.take().expect("a pipe");
        let told = child.stdin.take().expect("a pipe");
        let mut said = BufReader::new(stdout);
        let mut first = String::new();
        said.read_line(&mut first).expect("its mechanism");
        assert_eq!(first.trim(), mechanism);
        Self { child, said, told }
    }

    fn says(&mut self) -> Vec<u8> {
        let mut line = String::new();
        self.said.read_line(&mut line).expect("a line");
        Base64::decode_vec(line.trim()).expect("base64")
    }

    fn is_told(&mut self, message: &[u8]) {
        writeln!(self.told, "{}", Base64::encode_string(message)).expect("gsasl to listen");
    }

    /// Logs in and tells how that ended, and after how many challenges.
    fn log_in(mut self, client: &mut Client, mechanism: &str) -> (u16, u32) {
        let mut opcode = AUTH;
        let mut challenges = 0;
        loop {
            let message = self.says();
            let (status, told) = ask(client, &Packet::new(opcode, mechanism).value(message));
            if status != 0x21 {
                return (status, challenges);
            }
            challenges += 1;
            opcode = STEP;
            // It would say no more if our proof were wrong.
            self.is_told(&told);
        }
    }
}

impl Drop for Gsasl {
    fn drop(&mut self) {
        let _ended_already = self.child.kill();
        let _status = self.child.wait();
    }
}

#[test]
fn gsasl_proves_its_password_and_is_shown_ours() {
    let users = text_file(USERS);
    let server = Server::start(&["-S", "-Y", name(users.path())]);
    for (mechanism, user, password, expected) in [
        ("PLAIN", "foo", "bar", (0, 0)),
        ("PLAIN", "user", "pencil", (0, 0)),
        ("PLAIN", "user", "pencils", (0x20, 0)),
        (SCRAM, "foo", "bar", (0, 2)),
        (SCRAM, "foo", "bar", (0, 2)),
        (SCRAM, "user", "pencil", (0, 2)),
        (SCRAM, "foo", "baz", (0x20, 1)),
        (SCRAM, "user", "bar", (0x20, 1)),
        (SCRAM, "nobody", "bar", (0x20, 1)),
    ] {
        let gsasl = Gsasl::start(mechanism, user, password);
        let mut client = server.connect();
        let (status, listed) = ask(&mut client, &Packet::new(LIST, ""));
        assert_eq!((status, &listed[..]), (0, &b"PLAIN SCRAM-SHA-256"[..]));
        let ended = gsasl.log_in(&mut client, mechanism);
        assert_eq!(ended, expected, "{mechanism} {user} {password}");
        assert_eq!(is_served(&mut client), ended.0 == 0);
    }
}

#[test]
fn users_of_memcacheds_variable_log_in_and_are_read_again() {
    let users = text_file("foo@realm:bar\nanna:quux\n");
    let environment = [("MEMCACHED_SASL_PWDB", name(users.path()))];
    let server = Server::start_with(&["-S", "-v"], &environment);
    let enters = |user: &str, password: &str| {
        let mut client = server.connect();
        plain(&mut client, user, password) == 0 && is_served(&mut client)
    };
    assert!(enters("foo@realm", "bar") && enters("anna@elsewhere", "quux"));
    assert!(!enters("foo", "bar") && !enters("anna", "bar"));
    // As with memcached, the text protocol is not spoken.
    let mut text = server.connect();
    text.send("version\r\n");
    text.expect_close();
    let mut inside = server.connect();
    assert_eq!(plain(&mut inside, "anna", "quux"), 0);
    assert!(is_served(&mut inside));

    let reload = |users_now: &str, line: &str| {
        std::fs::write(users.path(), users_now).expect("a file to be written");
        server.signal(Signal::HUP);
        assert!(
            wait_until(|| server.log().contains(line)),
            "{}",
            server.log()
        );
    };
    let place = format!("{}:2: ", users.path().display());
    reload("new:pass\nbroken\n", &place);
    assert!(server.log().contains("users not reloaded"));
    assert!(enters("anna", "quux") && !enters("new", "pass"));
    reload("new:pass\n", "users reloaded");
    assert!(!enters("anna", "quux") && enters("new", "pass"));
    // Who is gone is cut off.
    inside.send(Packet::new(GET, "sentinel").bytes(7));
    inside.expect_close();
}

#[test]
fn both_protocols_ask_for_a_login_on_every_transport() {
    let users = text_file(USERS);
    let flags = ["-S", "-Y", name(users.path())];
    let unix = ["-S", "-Y", name(users.path()), "-s", "FOLDER/socket"];
    let tcp = Server::start(&flags);
    let unix = Server::start_bare(&unix);
    let connections: [&dyn Fn() -> Client; 2] =
        [&|| tcp.connect(), &|| Client::unix(&unix.socket())];
    for connect in connections {
        assert!(!is_served(&mut connect()));
        let mut client = connect();
        assert_eq!(plain(&mut client, "foo", "baz"), 0x20);
        assert!(!is_served(&mut client));
        let mut client = connect();
        assert_eq!(plain(&mut client, "foo", "bar"), 0);
        assert!(is_served(&mut client));
        let mut client = connect();
        client.ask("get a\r\n", "CLIENT_ERROR unauthenticated\r\n");
        client.ask("set _ 0 0 7\r\nfoo bar\r\n", "STORED\r\n");
        assert_eq!(
            client
                .find_stat("stats settings", "auth_enabled_sasl")
                .as_deref(),
            Some("yes")
        );
        assert_eq!(client.stat("auth_cmds"), 3);
        assert_eq!(client.stat("auth_errors"), 1);
    }
}

#[test]
fn a_hash_of_either_method_lets_its_user_in() {
    let mut text = String::new();
    for (method, user) in [("argon2id", "anna"), ("scram-sha-256", "bert")] {
        let mut command = Command::new(server::larderd());
        command.args(["--hash-password", user, "--hash-method", method]);
        let (code, line) = foreign::run(&mut command, "secret\n");
        assert_eq!(code, Some(0), "{line}");
        assert!(line.starts_with(user) && !line.contains("secret"), "{line}");
        text.push_str(&line);
    }
    let users = text_file(&text);
    let server = Server::start(&["-S", "-Y", name(users.path())]);
    for user in ["anna", "bert"] {
        for (password, status) in [("secret", 0), ("secrets", 0x20)] {
            let mut client = server.connect();
            assert_eq!(plain(&mut client, user, password), status, "{user}");
            assert_eq!(is_served(&mut client), status == 0);
        }
    }
}

#[test]
fn a_daemon_that_would_leave_a_door_open_does_not_start() {
    let users = text_file(USERS);
    let bad = text_file("foo:bar\nbroken\n");
    let pwdb = [("MEMCACHED_SASL_PWDB", name(users.path()))];
    let bad_line = format!("{}:2: expected NAME:PASSWORD", bad.path().display());
    let missing = [("MEMCACHED_SASL_PWDB", "/no/such/file")];
    for (flags, environment, reason) in [
        (
            &["-S"][..],
            &[][..],
            "-S: there are no users who could log in",
        ),
        (&["-S", "-B", "binary"], &[], "MEMCACHED_SASL_PWDB"),
        (&["-S", "-B", "auto"], &pwdb, "speaks text has no login"),
        (&["-S", "-B", "ascii"], &pwdb, "speaks text has no login"),
        (
            &["-S", "-l", "proto[ascii]:127.0.0.1"],
            &pwdb,
            "speaks text",
        ),
        (&["-S", "-U", "-1"], &pwdb, "a datagram cannot log in"),
        (&["-S"], &missing, "/no/such/file: "),
        (&["-S", "-Y", name(bad.path())], &pwdb, &bad_line),
        (&["-Y", name(users.path()), "-B", "binary"], &[], "add -S"),
    ] {
        let user: &[&str] = if is_root() { &["-u", "root"] } else { &[] };
        let flags = [user, &["-p", "-1"], flags].concat();
        let ended = server::run(&flags, environment);
        assert!(ended.code.is_some_and(|code| code != 0), "{flags:?}");
        assert!(ended.stderr.contains(reason), "{flags:?}: {}", ended.stderr);
    }
}

#[test]
fn strangers_cost_nothing_whatever_they_announce() {
    let users = text_file(USERS);
    let server = Server::start(&["-S", "-Y", name(users.path())]);
    let before = settled_size(server.pid());
    let mut strangers = Vec::new();
    for opcode in [AUTH, STEP].into_iter().cycle().take(64) {
        let mut client = server.connect();
        client.send(header(opcode, 5, 0, 1 << 30, 9));
        assert_eq!(Reply::take(&mut client).expect("a reply").status, 0x20);
        client.try_send(vec![b'x'; 64 << 10]);
        strangers.push(client);
    }
    let mut client = server.connect();
    assert_eq!(plain(&mut client, "foo", "bar"), 0);
    assert_eq!(ask(&mut client, &Packet::new(STAT, "reset")).0, 0);
    assert!(is_served(&mut client));
    let after = resident_size(server.pid());
    assert!(after < before + (4 << 20), "{before} to {after}");
}

#[test]
fn users_may_be_read_again_while_clients_log_in() {
    let users = text_file("foo:bar\n");
    let server = Server::start(&["-S", "-Y", name(users.path()), "-v"]);
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let clients: Vec<_> = (0..4)
            .map(|_| {
                scope.spawn(|| {
                    let mut client = server.connect();
                    for _ in 0..100 {
                        assert_eq!(plain(&mut client, "foo", "bar"), 0);
                        assert!(is_served(&mut client));
                    }
                })
            })
            .collect();
        let reload = scope.spawn(|| {
            let mut count = 0_u32;
            while !done.load(Ordering::Relaxed) || count < 20 {
                // Put in place whole, as an editor does: a half of it would be another file.
                let next = users.path().with_extension("next");
                let more = "x:y\n".repeat(count as usize % 2);
                std::fs::write(&next, format!("{more}foo:bar\n")).expect("a file");
                std::fs::rename(&next, users.path()).expect("a file in its place");
                server.signal(Signal::HUP);
                count += 1;
                std::thread::yield_now();
            }
        });
        let ended: Vec<_> = clients.into_iter().map(|client| client.join()).collect();
        done.store(true, Ordering::Relaxed);
        reload.join().expect("reloads");
        assert!(ended.iter().all(Result::is_ok));
    });
    assert!(wait_until(|| server.log().contains("users reloaded")));
    assert!(
        !server.log().contains("users not reloaded"),
        "{}",
        server.log()
    );
}
