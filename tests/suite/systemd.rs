//! larderd under a service manager: what it tells, and the sockets that it is handed. The test
//! plays the manager; where there is a real `systemd-socket-activate`, that one has a turn too.

use std::fs;
use std::io::ErrorKind;
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::os::fd::OwnedFd;
use std::os::unix::net::{UnixDatagram, UnixListener};
use std::process::{Command, Stdio};
use std::time::Duration;

use nix::sys::ptrace;
use nix::sys::wait::{WaitPidFlag, waitpid};
use nix::unistd::Pid;
use rustix::process::Signal;

use crate::support::foreign::in_path;
use crate::support::process::{is_root, patience, skip, wait_until};
use crate::support::server::{larderd, run};
use crate::support::{Client, Server};

/// A service manager's end of `NOTIFY_SOCKET`.
struct Manager {
    socket: UnixDatagram,
    folder: tempfile::TempDir,
}

impl Manager {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let socket = UnixDatagram::bind(folder.path().join("notify")).expect("a socket");
        Self { socket, folder }
    }

    fn address(&self) -> String {
        let path = self.folder.path().join("notify");
        path.to_string_lossy().into_owned()
    }

    /// The next thing that it is told, if that comes in time.
    fn hear_within(&self, patience: Duration) -> Option<String> {
        self.socket
            .set_read_timeout(Some(patience))
            .expect("a timeout");
        let mut buffer = [0; 1024];
        match self.socket.recv(&mut buffer) {
            Ok(count) => Some(String::from_utf8_lossy(&buffer[..count]).into_owned()),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                None
            }
            Err(error) => panic!("{error}"),
        }
    }

    #[track_caller]
    fn hear(&self) -> String {
        self.hear_within(patience()).expect("to be told something")
    }
}

#[test]
fn the_manager_hears_of_the_start_of_a_reload_and_of_the_end() {
    let manager = Manager::new();
    let mut server = Server::start_with(&[], &[("NOTIFY_SOCKET", &manager.address())]);
    let ready = manager.hear();
    let serving = format!("READY=1\nSTATUS=Serving {} with ", server.address());
    assert!(ready.starts_with(&serving), "{ready}");
    server.connect().sync();

    server.signal(Signal::HUP);
    let reloading = manager.hear();
    let began_us = reloading
        .strip_prefix("RELOADING=1\nMONOTONIC_USEC=")
        .and_then(|rest| rest.split('\n').next())
        .and_then(|number| number.parse::<u64>().ok());
    assert!(began_us.is_some_and(|time| time > 0), "{reloading}");
    assert_eq!(manager.hear(), ready, "a reload ends as the start did");

    server.signal(Signal::TERM);
    let stopping = manager.hear();
    assert!(stopping.starts_with("STOPPING=1\n"), "{stopping}");
    assert_eq!(server.await_exit().code(), Some(0), "{}", server.log());
}

#[test]
fn a_daemon_that_cannot_serve_never_says_that_it_is_ready() {
    let manager = Manager::new();
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = taken.local_addr().expect("an address").port().to_string();
    let mut flags = vec!["-l", "127.0.0.1", "-p", &port];
    if is_root() {
        flags.extend(["-u", "root"]);
    }
    let ended = run(&flags, &[("NOTIFY_SOCKET", &manager.address())]);
    assert_eq!(ended.code, Some(1), "{}", ended.stderr);
    assert_eq!(manager.hear_within(Duration::from_millis(1)), None);
}

#[test]
fn a_daemon_that_gave_up_system_calls_still_tells_its_manager() {
    let manager = Manager::new();
    let environment = [
        ("NOTIFY_SOCKET", &*manager.address()),
        ("WATCHDOG_USEC", "200000"),
    ];
    let _server = Server::start_with(&["-o", "drop_privileges"], &environment);
    assert!(manager.hear().starts_with("READY=1\n"));
    await_food(&manager);
}

/// A thread of the daemon that the test holds still.
struct Frozen(Pid);

impl Frozen {
    /// Stops the thread of this name; none where the system does not allow that.
    fn new(process: u32, name: &str) -> Option<Self> {
        let tasks = fs::read_dir(format!("/proc/{process}/task")).expect("its threads");
        let task = tasks
            .map(|task| task.expect("a thread").path())
            .find(|task| {
                fs::read_to_string(task.join("comm")).is_ok_and(|comm| comm.trim() == name)
            })
            .expect("a thread of that name");
        let id = task.file_name().and_then(|id| id.to_str()?.parse().ok());
        let id = Pid::from_raw(id.expect("a number"));
        ptrace::seize(id, ptrace::Options::empty()).ok()?;
        let frozen = Self(id);
        ptrace::interrupt(id).expect("the thread to be stopped");
        waitpid(id, Some(WaitPidFlag::__WALL)).expect("the thread to stop");
        Some(frozen)
    }
}

impl Drop for Frozen {
    fn drop(&mut self) {
        // It may be gone with its process.
        let _ = ptrace::detach(self.0, None);
    }
}

/// Waits until the watchdog is fed. What else is told meanwhile may be due to a busy host.
#[track_caller]
fn await_food(manager: &Manager) {
    let mut told = String::new();
    assert!(
        wait_until(|| {
            told = manager.hear();
            told == "WATCHDOG=1\n"
        }),
        "{told}"
    );
}

#[test]
fn the_watchdog_starves_while_one_thread_stands_still() {
    const PERIOD: Duration = Duration::from_millis(800);
    let manager = Manager::new();
    let environment = [
        ("NOTIFY_SOCKET", &*manager.address()),
        ("WATCHDOG_USEC", "800000"),
    ];
    let server = Server::start_with(&["-t", "2"], &environment);
    for thread in ["larder-w1", "larder-accept", "larder-upkeep"] {
        await_food(&manager);
        let Some(frozen) = Frozen::new(server.pid(), thread) else {
            skip("this system does not let a test stop a thread");
            return;
        };
        // Hungry for as long as that, a manager ends the daemon. It would hear of one that is fed
        // four times as often, and this would go on.
        let starved = wait_until(|| manager.hear_within(PERIOD).is_none());
        assert!(starved, "it is fed although {thread} stands still");
        let said = "the watchdog is not fed: threads do not answer";
        assert!(server.log().contains(said), "{}", server.log());
        drop(frozen);
    }
    await_food(&manager);
    let mut client = server.connect();
    client.sync();
}

fn port() -> (OwnedFd, SocketAddr) {
    let socket = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = socket.local_addr().expect("an address");
    (socket.into(), address)
}

#[test]
fn sockets_that_are_handed_over_are_served_instead_of_others() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("given");
    let unix = UnixListener::bind(&path).expect("a socket");
    let (tcp, address) = port();
    // Whoever calls before there is a daemon is served when there is one.
    let mut early = Client::tcp(address);
    early.send("set k 0 0 1\r\nv\r\n");
    // The port of the settings would be refused: only root may have it, and it is not tried.
    let flags = ["-l", "192.0.2.1", "-p", "1", "-v"];
    let names = [("LISTEN_FDNAMES", "web:local")];
    let mut server = Server::start_given(vec![tcp, unix.into()], &flags, &names);
    early.expect("STORED\r\n");
    Client::unix(&path).ask("get k\r\n", "VALUE k 0 1\r\nv\r\nEND\r\n");
    let line = format!("TCP INET: {}\n", address.port());
    assert_eq!(server.ports(), line);
    assert!(server.log().contains("names=web,local"), "{}", server.log());
    server.signal(Signal::TERM);
    assert_eq!(server.await_exit().code(), Some(0), "{}", server.log());
    assert!(path.exists(), "the file of the socket is the manager's");
}

#[test]
fn a_socket_for_datagrams_can_be_handed_over() {
    let datagrams = UdpSocket::bind("127.0.0.1:0").expect("a port");
    let to = datagrams.local_addr().expect("an address");
    let (tcp, _) = port();
    let _server = Server::start_given(vec![tcp, datagrams.into()], &["-U", "1"], &[]);
    let client = UdpSocket::bind("127.0.0.1:0").expect("a port");
    client
        .set_read_timeout(Some(patience()))
        .expect("a timeout");
    let request = b"\0\x07\0\0\0\x01\0\0version\r\n";
    client.send_to(request, to).expect("a datagram to leave");
    let mut reply = [0; 100];
    let count = client.recv(&mut reply).expect("a reply");
    assert!(reply[..count].starts_with(b"\0\x07\0\0\0\x01\0\0VERSION "));
}

#[test]
fn what_the_settings_say_of_an_address_holds_for_a_socket_that_was_handed_over() {
    let (socket, address) = port();
    let listen = format!("proto[binary]:{address}");
    let server = Server::start_given(vec![socket], &["-l", &listen], &[]);
    let mut client = Client::tcp(address);
    client.send("version\r\n");
    client.expect_close();
    drop(server);

    let folder = tempfile::tempdir().expect("a folder");
    let users = folder.path().join("users");
    fs::write(&users, "foo:bar\n").expect("a file");
    let (socket, address) = port();
    let _server = Server::start_given(vec![socket], &["-Y", &users.to_string_lossy()], &[]);
    let mut client = Client::tcp(address);
    client.ask("get k\r\n", "CLIENT_ERROR unauthenticated\r\n");
}

#[test]
fn sockets_for_another_process_are_left_alone() {
    let environment = [("LISTEN_FDS", "1"), ("LISTEN_PID", "1")];
    let server = Server::start_with(&[], &environment);
    server.connect().sync();
}

/// Starts larderd by systemd's own tool, which serves whoever connects first.
#[test]
fn systemds_own_tool_starts_it_at_the_first_connection() {
    let tool = in_path("systemd-socket-activate");
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("given");
    let mut command = Command::new(tool);
    command.args(["-l".as_ref(), path.as_os_str(), "--fdname=web".as_ref()]);
    command.arg(larderd());
    if is_root() {
        command.args(["-u", "root"]);
    }
    command.stdin(Stdio::null()).stderr(Stdio::null());
    let mut child = command.spawn().expect("the tool to start");
    let listens = wait_until(|| path.exists());
    let served = listens && {
        let mut client = Client::unix(&path);
        client.sync();
        true
    };
    let _ended_already = child.kill();
    let _status = child.wait();
    assert!(served);
}

#[test]
fn what_the_manager_gives_and_the_settings_deny_is_named() {
    let (socket, _) = port();
    let refused = |arguments: &[&str], socket: OwnedFd, words: &[&str]| {
        let script = "exec 3<&0 </dev/null; LISTEN_FDS=1 LISTEN_FDNAMES=web LISTEN_PID=$$ \
                      exec \"$@\"";
        let mut command = Command::new("/bin/sh");
        command.args(["-c", script, "sh"]).arg(larderd());
        if is_root() {
            command.args(["-u", "root"]);
        }
        let ended = command.args(arguments).stdin(socket).output();
        let ended = ended.expect("larderd to start");
        let text = String::from_utf8_lossy(&ended.stderr).into_owned();
        assert!(!ended.status.success(), "{arguments:?} is taken");
        for word in words {
            assert!(
                text.contains(word),
                "{arguments:?} does not say {word}: {text}"
            );
        }
    };
    let again = || port().0;
    refused(&["-p", "0"], socket, &["socket web", "-p 0"]);
    refused(&["-d"], again(), &["-d", "service manager"]);
    refused(&["-s", "/nowhere", "-p", "1"], again(), &["-s /nowhere"]);
    let tagged = ["-l", "tag[x]:127.0.0.1:1"];
    refused(&tagged, again(), &["tag[x]:127.0.0.1:1"]);
    let file = tempfile::tempfile().expect("a file");
    refused(&[], file.into(), &["socket web", "ListenStream="]);
}
