//! larderd as a process: how it starts, what it refuses, how it ends.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rustix::process::Signal;

use crate::support::client::show;
use crate::support::process::{is_root, wait_until};
use crate::support::server::run;
use crate::support::{Client, Server, text_file};

#[test]
fn sigterm_and_sigint_end_it_cleanly() {
    for signal in [Signal::TERM, Signal::INT] {
        let mut server = Server::start(&[]);
        let mut client = server.connect();
        client.sync();
        server.signal(signal);
        let status = server.await_exit();
        assert_eq!(status.code(), Some(0), "{signal:?}: {}", server.log());
        client.expect_close();
    }
}

#[test]
fn sigusr1_ends_it_gracefully() {
    let mut server = Server::start(&[]);
    server.connect().sync();
    server.signal(Signal::USR1);
    assert_eq!(server.await_exit().code(), Some(0), "{}", server.log());
}

/// A daemon that is being asked to stop, and three clients: one in the middle of a request, one
/// that has not taken its answer, and one that is idle.
fn drained(flags: &[&str], stop: impl Fn(&Server)) -> (Server, Client, Client) {
    const SIZE: usize = 1_000_000;
    let server = Server::start(&[&["-t", "2"], flags].concat());
    let value = "v".repeat(SIZE);
    let mut idle = server.connect();
    idle.ask(format!("set big 0 0 {SIZE}\r\n{value}\r\n"), "STORED\r\n");
    let mut taker = server.connect();
    taker.send("get big\r\n".repeat(40));
    let mut sender = server.connect();
    sender.send(format!("set late 0 0 {SIZE}\r\n{}", &value[..SIZE / 2]));
    for state in ["conn_mwrite", "conn_nread"] {
        let shown = format!(":state {state}");
        let is_shown = |line: &String| line.ends_with(&shown);
        assert!(wait_until(|| idle
            .list("stats clients")
            .iter()
            .any(is_shown)));
    }
    stop(&server);
    // It is closed first, and nobody waits for it.
    idle.expect_close();
    (server, taker, sender)
}

#[test]
fn a_graceful_stop_finishes_what_has_begun_and_closes_who_is_idle() {
    for signal in [Signal::TERM, Signal::USR1] {
        let flags = ["--drain-timeout", "3600"];
        let (mut server, mut taker, mut sender) = drained(&flags, |server| server.signal(signal));
        let address = server.address();
        assert!(wait_until(|| std::net::TcpStream::connect(address).is_err()));
        sender.ask(format!("{}\r\n", "v".repeat(500_000)), "STORED\r\n");
        sender.expect_close();
        for _ in 0..40 {
            taker.expect("VALUE big 0 1000000\r\n");
            taker.take(1_000_000);
            taker.expect("\r\nEND\r\n");
        }
        taker.expect_close();
        assert!(server.await_exit().success(), "{}", server.log());
    }
}

#[test]
fn nobody_is_waited_for_beyond_the_time_that_there_is() {
    // With a second they are waited for, and not for longer; without one, or at SIGINT, not at all.
    for (timeout, signal) in [
        ("1", Signal::TERM),
        ("0", Signal::TERM),
        ("3600", Signal::INT),
    ] {
        let flags = ["--drain-timeout", timeout];
        let (mut server, _taker, mut sender) = drained(&flags, |server| server.signal(signal));
        assert!(server.await_exit().success(), "{}", server.log());
        sender.expect_close();
    }
    // A second signal ends it in the middle of its patience.
    let flags = ["--drain-timeout", "3600"];
    let (mut server, _taker, _sender) = drained(&flags, |server| server.signal(Signal::TERM));
    server.signal(Signal::TERM);
    assert_eq!(server.await_exit().code(), Some(128 + 15));
}

#[test]
fn under_load_every_answer_is_whole_up_to_the_end() {
    let mut server = Server::start(&["-t", "2", "--drain-timeout", "3600"]);
    let answers = AtomicU64::new(0);
    std::thread::scope(|scope| {
        for number in 0..8 {
            let (server, answers) = (&server, &answers);
            scope.spawn(move || {
                let mut client = server.connect();
                let set = format!("set k{number} 0 0 2\r\nok\r\n");
                let get = format!("get k{number}\r\n");
                let pipeline = format!("{set}{}", get.repeat(9));
                let value = format!("VALUE k{number} 0 2\r\nok\r\nEND\r\n");
                let expected = format!("STORED\r\n{}", value.repeat(9));
                while client.try_send(&pipeline) {
                    let mut received = Vec::new();
                    while received.len() < expected.len() && !client.ended() {
                        received.extend(client.drain(Duration::from_millis(1)));
                    }
                    // What was read was read in one piece, and so it was answered.
                    let whole = received == expected.as_bytes();
                    assert!(whole || received.is_empty(), "{}", show(&received));
                    if !whole {
                        break;
                    }
                    answers.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        assert!(wait_until(|| answers.load(Ordering::Relaxed) > 500));
        server.signal(Signal::TERM);
    });
    assert!(server.await_exit().success(), "{}", server.log());
}

#[test]
fn sighup_is_survived() {
    let server = Server::start(&[]);
    let mut client = server.connect();
    client.ask("set k 0 0 1\r\nv\r\n", "STORED\r\n");
    server.signal(Signal::HUP);
    client.ask("get k\r\n", "VALUE k 0 1\r\nv\r\nEND\r\n");
    server.connect().sync();
}

#[test]
fn shutdown_ends_it_where_it_is_allowed() {
    for command in ["shutdown\r\n", "shutdown graceful\r\n"] {
        let mut server = Server::start(&["-A"]);
        let mut client = server.connect();
        client.ask("shutdown zz\r\n", "CLIENT_ERROR invalid shutdown mode\r\n");
        client.send(command);
        assert_eq!(server.await_exit().code(), Some(0), "{command}");
    }
}

#[test]
fn an_open_door_to_other_hosts_is_told_once() {
    let users = text_file("foo:bar\n");
    let users = users.path().to_str().expect("a path of letters");
    let warning = "may read and change everything";
    for (flags, count) in [
        (&["-p", "-1", "-l", "0.0.0.0"][..], 1),
        (&["-p", "-1", "-l", "0.0.0.0,::"], 1),
        (&["-p", "-1", "-l", "0.0.0.0", "-Y", users], 0),
        (&["-p", "-1", "-l", "127.0.0.1"], 0),
        (&["-p", "-1"], 0),
    ] {
        let server = Server::start_bare(flags);
        server.connect().send("version\r\n");
        assert_eq!(server.log().matches(warning).count(), count, "{flags:?}");
    }
}

#[test]
fn what_is_asked_about_itself_is_told_on_stdout() {
    for (flag, word) in [
        ("-h", "unix-socket"),
        ("--help", "memory-limit"),
        ("-V", "larder"),
        ("--version", "larder"),
        ("-i", "Copyright"),
    ] {
        let ended = run(&[flag], &[]);
        assert_eq!(ended.code, Some(0), "{flag}: {}", ended.stderr);
        assert!(ended.stdout.contains(word), "{flag}: {}", ended.stdout);
    }
}

#[test]
fn a_wrong_option_is_named_with_its_value() {
    let wrong: &[(&[&str], &[&str])] = &[
        (&["--no-such-option"], &["--no-such-option"]),
        (&["-m", "many"], &["-m", "many"]),
        (&["-p", "99999"], &["-p", "99999"]),
        (&["-t", "0"], &["-t", "0"]),
        (&["-c", "-1"], &["-c"]),
        (&["-I", "3g"], &["-I", "3g"]),
        (&["-I", "10"], &["-I", "10"]),
        (&["-f", "1"], &["-f", "1"]),
        (&["-o", "no_such_thing"], &["no_such_thing"]),
        (&["-o", "idle_timeout=soon"], &["idle_timeout", "soon"]),
        (&["-B", "morse"], &["-B", "morse"]),
        (&["--config", "/nonexistent/file"], &["/nonexistent/file"]),
    ];
    for (flags, words) in wrong {
        let ended = run(flags, &[]);
        assert!(
            ended.code.is_some_and(|code| code != 0),
            "{flags:?} is taken"
        );
        for word in *words {
            let told = ended.stderr.contains(word);
            assert!(told, "{flags:?} does not say {word}: {}", ended.stderr);
        }
        assert!(!ended.stderr.contains("panicked"), "{}", ended.stderr);
    }
}

#[test]
fn a_wrong_variable_is_named() {
    let ended = run(&["--check-config"], &[("LARDER_MEMORY_LIMIT", "many")]);
    assert_ne!(ended.code, Some(0));
    let text = ended.stderr;
    assert!(text.contains("LARDER_MEMORY_LIMIT"), "{text}");
    assert!(text.contains("many"), "{text}");
}

#[test]
fn a_configuration_can_be_checked_and_printed_without_serving() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("memcached.conf");
    let text = "# as Debian writes it\n-m 128\n\n-p 11311\n-l 127.0.0.1\n-o idle_timeout=9\n";
    std::fs::write(&file, text).expect("a file");
    let name = file.to_string_lossy().into_owned();
    let checked = run(&["--config", &name, "--check-config"], &[]);
    assert_eq!(checked.code, Some(0), "{}", checked.stderr);
    let printed = run(&["--config", &name, "--print-config"], &[]);
    assert_eq!(printed.code, Some(0), "{}", printed.stderr);
    assert!(printed.stdout.contains("11311"), "{}", printed.stdout);
    assert!(printed.stdout.contains(&name), "{}", printed.stdout);
    // So are the files that it names.
    let users = folder.path().join("users");
    std::fs::write(&users, "foo:bar\nbroken\n").expect("a file");
    let users = users.to_string_lossy().into_owned();
    for (flags, wrong) in [
        (["-Y", &users], format!("{users}:2: ")),
        (
            ["-Zo", "ssl_chain_cert=/no/such/file"],
            "/no/such/file: ".to_owned(),
        ),
    ] {
        let checked = run(&[&flags[..], &["--check-config"]].concat(), &[]);
        assert_eq!(checked.code, Some(1), "{}", checked.stdout);
        assert!(checked.stderr.contains(&wrong), "{}", checked.stderr);
    }
}

#[test]
fn the_command_line_wins_over_environment_and_file() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("larder.conf");
    std::fs::write(&file, "-m 100\n-c 100\n-t 3\n").expect("a file");
    let name = file.to_string_lossy().into_owned();
    let flags = ["--config", &name, "-m", "300", "--print-config"];
    let ended = run(
        &flags,
        &[("LARDER_MEMORY_LIMIT", "200"), ("LARDER_CONN_LIMIT", "200")],
    );
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    for number in ["300", "200"] {
        assert!(ended.stdout.contains(number), "{}", ended.stdout);
    }
}

#[test]
fn a_port_in_use_is_named_and_nothing_is_served() {
    let server = Server::start(&[]);
    let port = server.address().port().to_string();
    let user: &[&str] = if is_root() { &["-u", "root"] } else { &[] };
    let mut flags = vec!["-l", "127.0.0.1", "-p", &port, "-U", "0"];
    flags.extend(user);
    let ended = run(&flags, &[]);
    assert_ne!(ended.code, Some(0));
    assert!(ended.stderr.contains(&port), "{}", ended.stderr);
    server.connect().sync();
}

#[test]
fn a_pid_file_holds_the_process_id_and_goes_with_the_process() {
    let mut server = Server::start(&["-P", "FOLDER/pid"]);
    let file = server.folder().join("pid");
    let mut text = String::new();
    assert!(wait_until(|| {
        text = std::fs::read_to_string(&file).unwrap_or_default();
        !text.trim().is_empty()
    }));
    assert_eq!(text.trim(), server.pid().to_string());
    server.signal(Signal::TERM);
    server.await_exit();
    assert!(!file.exists(), "the pid file stays");
}

#[test]
fn nothing_of_a_request_is_logged() {
    let mut server = Server::start(&["-vv"]);
    let mut client = server.connect();
    client.ask("set somekey 0 0 6\r\nsecret\r\n", "STORED\r\n");
    client.ask("get somekey\r\n", "VALUE somekey 0 6\r\nsecret\r\nEND\r\n");
    client.ask("bogus secret\r\n", "ERROR\r\n");
    drop(client);
    server.signal(Signal::TERM);
    server.await_exit();
    let log = server.log();
    assert!(!log.contains("secret"), "{log}");
    assert!(!log.contains("panicked"), "{log}");
}
