//! A daemon for one test: started on a free port, ended with the test.
//!
//! The daemon is `larderd` of this build. `LARDER_DAEMON=/path` names another, such as a release
//! build, and `LARDER_ORACLE=/path` another memcached than the one in `PATH`.

use std::io::Read;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Instant;

use rustix::process::{Pid, Signal, kill_process};

use super::Client;
use super::foreign::in_path;
use super::process::{is_root, patience, wait_until};
use super::supervisor::send_files;

/// A running daemon.
pub(crate) struct Server {
    child: Child,
    folder: tempfile::TempDir,
    port: u16,
}

impl Server {
    /// Starts larderd on 127.0.0.1 and a free port, with these flags besides.
    #[track_caller]
    pub(crate) fn start(flags: &[&str]) -> Self {
        Self::launch(&larderd(), flags, &[], true)
    }

    /// As [`Self::start`], with these variables.
    #[track_caller]
    pub(crate) fn start_with(flags: &[&str], environment: &[(&str, &str)]) -> Self {
        Self::launch(&larderd(), flags, environment, true)
    }

    /// As [`Self::start`], without `-l` and `-p`: the flags say where to listen, and
    /// `FOLDER` in them stands for the folder of this server.
    #[track_caller]
    pub(crate) fn start_bare(flags: &[&str]) -> Self {
        Self::launch(&larderd(), flags, &[], false)
    }

    /// As [`Self::start_bare`], with these variables.
    #[track_caller]
    pub(crate) fn start_bare_with(flags: &[&str], environment: &[(&str, &str)]) -> Self {
        Self::launch(&larderd(), flags, environment, false)
    }

    /// As [`Self::start_bare`], in a network namespace. Needs root.
    #[track_caller]
    pub(crate) fn start_inside(namespace: &str, flags: &[&str]) -> Self {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", namespace]).arg(larderd());
        Self::spawn(prepared(command), flags, &[], false)
    }

    /// As [`Self::start_bare_with`], with files and sockets handed over as systemd does it.
    #[track_caller]
    pub(crate) fn start_given(
        files: Vec<OwnedFd>,
        flags: &[&str],
        environment: &[(&str, &str)],
    ) -> Self {
        // Another program takes them to where they belong, and becomes larderd: a child of this
        // one inherits what it needs no more and no less.
        const SCRIPT: &str = "import fcntl, os, socket, sys
come = socket.recv_fds(socket.socket(fileno=0), 1, 250, socket.MSG_CMSG_CLOEXEC)[1]
# Out of the way first: one may be where another belongs.
files = [fcntl.fcntl(file, fcntl.F_DUPFD_CLOEXEC, 300) for file in come]
for place, file in enumerate(files, 3):
    os.dup2(file, place)
os.dup2(os.open('/dev/null', os.O_RDWR | os.O_CLOEXEC), 0)
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS=str(len(files)))
os.execv(sys.argv[1], sys.argv[1:])
";
        let mut command = Command::new("python3");
        command.args(["-I", "-S", "-c", SCRIPT]).arg(larderd());
        let mut command = prepared(command);
        let (ours, theirs) = UnixStream::pair().expect("a pair of sockets");
        send_files(&ours, &files).expect("files to be sent");
        command.stdin(OwnedFd::from(theirs));
        Self::spawn(command, flags, environment, false)
    }

    /// As [`Self::start`], by a shell that runs this script before, such as `ulimit -n 100`.
    #[track_caller]
    pub(crate) fn start_after(script: &str, flags: &[&str]) -> Self {
        let script = format!("{script}; exec \"$@\"");
        let mut command = Command::new("/bin/sh");
        command.args(["-c", &script, "sh"]).arg(larderd());
        Self::spawn(prepared(command), flags, &[], true)
    }

    /// Starts memcached in the same way.
    #[track_caller]
    pub(crate) fn memcached(flags: &[&str]) -> Self {
        Self::launch(&oracle(), flags, &[], true)
    }

    #[track_caller]
    fn launch(program: &Path, flags: &[&str], environment: &[(&str, &str)], on_tcp: bool) -> Self {
        Self::spawn(command(program), flags, environment, on_tcp)
    }

    #[track_caller]
    fn spawn(
        mut command: Command,
        flags: &[&str],
        environment: &[(&str, &str)],
        on_tcp: bool,
    ) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let report = folder.path().join("ports");
        command.envs(environment.iter().copied());
        command.env("MEMCACHED_PORT_FILENAME", &report);
        if on_tcp {
            command.args(["-l", "127.0.0.1", "-p", "-1", "-U", "0"]);
        }
        let here = folder.path().to_string_lossy();
        command.args(flags.iter().map(|flag| flag.replace("FOLDER", &here)));
        let log = std::fs::File::create(folder.path().join("log")).expect("a log file");
        let child = command.stderr(log).spawn().expect("a daemon to start");
        let mut server = Self {
            child,
            folder,
            port: 0,
        };
        let ready = wait_until(|| {
            server.port = first_port(&report).unwrap_or(0);
            let unix = server.socket().exists();
            server.port != 0 || unix || server.exited().is_some()
        });
        let running = ready && server.exited().is_none();
        assert!(running, "{command:?}: {}", server.log());
        server
    }

    /// A new connection.
    #[track_caller]
    pub(crate) fn connect(&self) -> Client {
        Client::tcp(self.address())
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.port).into()
    }

    /// The folder that is removed with this server.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The unix socket, for a server started with `-s FOLDER/socket`.
    pub(crate) fn socket(&self) -> PathBuf {
        self.folder.path().join("socket")
    }

    /// All ports that it has told: lines such as `TCP INET: 11211`.
    pub(crate) fn ports(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("ports")).unwrap_or_default()
    }

    /// The process.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What it has said on stderr.
    pub(crate) fn log(&self) -> String {
        let bytes = std::fs::read(self.folder.path().join("log")).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// Sends a signal.
    pub(crate) fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        kill_process(pid.expect("a process"), signal).expect("a signal to be sent");
    }

    /// Its exit status, if it has ended.
    pub(crate) fn exited(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().expect("a child")
    }

    /// Waits for the end.
    #[track_caller]
    pub(crate) fn await_exit(&mut self) -> ExitStatus {
        let mut status = None;
        let ended = wait_until(|| {
            status = self.exited();
            status.is_some()
        });
        assert!(ended, "still running: {}", self.log());
        status.expect("an exit status")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ended_already = self.child.kill();
        let _status = self.child.wait();
    }
}

/// What a daemon that ends by itself said, and how it ended.
pub(crate) struct Ended {
    /// Exit code; `None` after a signal.
    pub(crate) code: Option<i32>,
    /// Everything on stdout.
    pub(crate) stdout: String,
    /// Everything on stderr.
    pub(crate) stderr: String,
}

/// Runs larderd with these flags, which make it end by itself.
#[track_caller]
pub(crate) fn run(flags: &[&str], environment: &[(&str, &str)]) -> Ended {
    let mut command = Command::new(larderd());
    command.args(flags).envs(environment.iter().copied());
    command.stdin(Stdio::null());
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("larderd to start");
    let mut stdout = child.stdout.take().expect("a pipe");
    let mut stderr = child.stderr.take().expect("a pipe");
    let reader = std::thread::spawn(move || {
        let mut text = String::new();
        stderr.read_to_string(&mut text).map(|_| text)
    });
    let watchdog = {
        let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
        let (done, finished) = std::sync::mpsc::channel::<()>();
        let thread = std::thread::spawn(move || {
            if finished.recv_timeout(patience()).is_err() {
                let _gone = kill_process(pid.expect("a process"), Signal::KILL);
            }
        });
        (done, thread)
    };
    let started = Instant::now();
    let mut text = String::new();
    stdout.read_to_string(&mut text).expect("text");
    let status = child.wait().expect("a child");
    let _ = watchdog.0.send(());
    watchdog.1.join().expect("the watchdog");
    assert!(started.elapsed() < patience(), "{flags:?} did not end");
    Ended {
        code: status.code(),
        stdout: text,
        stderr: reader.join().expect("a reader").expect("text"),
    }
}

/// A port of 127.0.0.1 that nobody uses just now.
pub(crate) fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    listener.local_addr().expect("an address").port()
}

/// The daemon under test.
pub(crate) fn larderd() -> PathBuf {
    std::env::var_os("LARDER_DAEMON")
        .map_or_else(|| env!("CARGO_BIN_EXE_larderd").into(), PathBuf::from)
}

/// The memcached that tests compare with.
#[track_caller]
pub(crate) fn oracle() -> PathBuf {
    std::env::var_os("LARDER_ORACLE").map_or_else(|| in_path("memcached"), PathBuf::from)
}

fn command(program: &Path) -> Command {
    prepared(Command::new(program))
}

fn prepared(mut command: Command) -> Command {
    command.stdin(Stdio::null()).stdout(Stdio::null());
    command.env("LARDER_DEBUG_COMMANDS", "1");
    if is_root() {
        command.args(["-u", "root"]);
    }
    command
}

fn first_port(report: &Path) -> Option<u16> {
    let text = std::fs::read_to_string(report).ok()?;
    let line = text.lines().find(|line| line.starts_with("TCP"))?;
    line.rsplit(' ').next()?.parse().ok()
}
