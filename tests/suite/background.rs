//! larderd in the background, with settings that change while it runs.

use std::fs;
use std::os::unix::net::UnixStream;

use rustix::process::{Pid, Signal, kill_process};

use crate::support::Server;
use crate::support::process::{is_root, wait_until};
use crate::support::server::run;

fn as_root() -> &'static [&'static str] {
    if is_root() { &["-u", "root"] } else { &[] }
}

#[test]
fn the_command_returns_when_clients_can_connect() {
    let folder = tempfile::tempdir().expect("a folder");
    let (socket, file) = (folder.path().join("socket"), folder.path().join("pid"));
    let (socket_name, file_name) = (socket.to_string_lossy(), file.to_string_lossy());
    let mut flags = vec!["-d", "-s", &socket_name, "-P", &file_name];
    flags.extend(as_root());
    let ended = run(&flags, &[]);
    // From here on, end it before anything can fail.
    let pid = fs::read_to_string(&file).ok();
    let pid = pid.and_then(|text| text.trim().parse().ok());
    let process = pid.and_then(Pid::from_raw);
    let connected = UnixStream::connect(&socket).is_ok();
    let signalled = process.is_some_and(|pid| kill_process(pid, Signal::TERM).is_ok());
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert_eq!(ended.stdout, "");
    assert!(connected && signalled, "{}", ended.stderr);
    assert!(wait_until(|| !file.exists() && !socket.exists()));
}

#[test]
fn the_command_tells_why_nothing_is_served() {
    let mut flags = vec!["-d", "-s", "/nonexistent/socket"];
    flags.extend(as_root());
    let ended = run(&flags, &[]);
    assert_eq!(ended.code, Some(1));
    assert!(
        ended.stderr.contains("/nonexistent/socket"),
        "{}",
        ended.stderr
    );
}

#[test]
fn sighup_takes_over_what_it_can_and_names_what_it_cannot() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("conf");
    fs::write(&file, "-v\n-m 64\n-c 100\n").expect("a file");
    let server = Server::start(&["--config", &file.to_string_lossy()]);
    let reload = |text: &str, answer: &str| {
        fs::write(&file, text).expect("a file");
        server.signal(Signal::HUP);
        assert!(
            wait_until(|| server.log().contains(answer)),
            "{}",
            server.log()
        );
    };
    reload("-vv\n-m 80\n-c 200\n", "changed=memory-limit,verbose");
    assert!(
        server
            .log()
            .contains("waits for a restart  name=conn-limit")
    );
    reload("-m many\n", "settings not reloaded: -m");
}

#[test]
fn a_daemon_that_gave_up_privileges_serves_and_stops() {
    let mut server = Server::start(&["-o", "drop_privileges"]);
    let mut client = server.connect();
    client.ask("set k 0 0 1\r\nv\r\n", "STORED\r\n");
    client.ask("get k\r\n", "VALUE k 0 1\r\nv\r\nEND\r\n");
    server.signal(Signal::TERM);
    assert_eq!(server.await_exit().code(), Some(0), "{}", server.log());
}
