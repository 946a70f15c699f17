//! Programs that nobody here wrote, and conversations with them.
//!
//! `make deps` installs them. Where one is missing, a test that needs it fails.

use std::ffi::OsStr;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;

use super::process::patience;

/// Runs a program to its end; its exit code and all that it said.
pub(crate) fn run(command: &mut Command, input: &str) -> (Option<i32>, String) {
    command.stdin(Stdio::piped());
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("a program that was found to start");
    let mut stdin = child.stdin.take().expect("a pipe");
    // One that has refused already does not listen.
    let _gone = stdin.write_all(input.as_bytes());
    drop(stdin);
    let output = child.wait_with_output().expect("a child");
    let mut text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.push_str(&String::from_utf8_lossy(&output.stderr));
    (output.status.code(), text)
}

/// The program of this name.
#[track_caller]
pub(crate) fn in_path(name: &str) -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    // Debian's, which would start a server if it were installed.
    let prometheus = root().join("target/prometheus/usr/bin");
    let found = std::env::split_paths(&path)
        .chain([prometheus])
        .map(|folder| folder.join(name))
        .find(|file| file.is_file());
    found.unwrap_or_else(|| panic!("{name} is not installed, `make deps` does that"))
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A client library with a conversation in `tests/clients`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Library {
    Bmemcached,
    Emcache,
    Memjs,
    Pylibmc,
    Pymemcache,
}

impl Library {
    /// Has its conversation with the daemon at this port of 127.0.0.1. `words` are those of
    /// `tests/clients/settings.py`.
    #[track_caller]
    pub(crate) fn converse(self, port: u16, words: &[String]) {
        let wanted = if words.iter().any(|word| word == "refused") {
            "refused"
        } else {
            "all said"
        };
        let mut command = self.command();
        let (code, text) = run(command.arg(port.to_string()).args(words), "");
        assert!(
            code == Some(0) && text.contains(wanted),
            "{self:?} {words:?}: {code:?} {text}"
        );
    }

    #[track_caller]
    fn command(self) -> Command {
        let clients = root().join("tests/clients");
        let script = match self {
            Self::Bmemcached => "bmemcached_conversation.py",
            Self::Emcache => "emcache_conversation.py",
            Self::Memjs => "memjs_conversation.js",
            Self::Pylibmc => "pylibmc_conversation.py",
            Self::Pymemcache => "pymemcache_conversation.py",
        };
        let mut command = if self == Self::Memjs {
            let is_there = clients.join("node_modules/.ready").exists();
            assert!(is_there, "{self:?} is not installed, `make deps` does that");
            Command::new(in_path("node"))
        } else {
            python()
        };
        command.arg(clients.join(script));
        if self == Self::Pylibmc {
            // It brings Cyrus SASL along, but none of its mechanisms.
            command.env("SASL_PATH", mechanisms());
        }
        command
    }
}

/// The Python that has the client libraries.
#[track_caller]
pub(crate) fn python() -> Command {
    let folder = root().join(".venv");
    let is_there = folder.join(".ready").exists();
    assert!(is_there, "there is no .venv, `make deps` makes it");
    Command::new(folder.join("bin/python"))
}

/// Where Debian has the mechanisms of Cyrus SASL.
#[track_caller]
fn mechanisms() -> PathBuf {
    let folders = std::fs::read_dir("/usr/lib").expect("a folder").flatten();
    let found = folders
        .map(|folder| folder.path().join("sasl2"))
        .find(|folder| folder.join("libplain.so").exists());
    found.expect("mechanisms of Cyrus SASL, which `make deps` installs")
}

/// A port of 127.0.0.1 whose connections `openssl s_client` carries on through TLS, for clients
/// that have none of their own.
pub(crate) struct Tunnel {
    address: SocketAddr,
}

impl Tunnel {
    /// Opens one to this address. It stays as long as the process of the tests.
    #[track_caller]
    pub(crate) fn open(to: SocketAddr, arguments: &[&OsStr]) -> Self {
        let openssl = in_path("openssl");
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let address = listener.local_addr().expect("an address");
        let arguments: Vec<_> = arguments.iter().map(|&word| word.to_owned()).collect();
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let mut command = Command::new(&openssl);
                command.args(["s_client", "-quiet", "-verify_return_error"]);
                command.arg("-connect").arg(to.to_string());
                command.args(&arguments);
                carry(&mut command, client);
            }
        });
        Self { address }
    }

    /// Its port.
    pub(crate) fn port(&self) -> u16 {
        self.address.port()
    }
}

/// Passes on what a client and a program say to each other, until either ends.
fn carry(command: &mut Command, client: TcpStream) {
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.stderr(Stdio::null()).spawn().expect("openssl");
    let mut stdin = child.stdin.take().expect("a pipe");
    let mut stdout = child.stdout.take().expect("a pipe");
    let mut from_client = client.try_clone().expect("a descriptor");
    let mut to_client = client;
    to_client.set_nodelay(true).expect("a socket");
    from_client
        .set_read_timeout(Some(patience()))
        .expect("a socket");
    thread::spawn(move || {
        pass_on(&mut from_client, &mut stdin);
        // The program would wait for the daemon, which waits for it.
        let _ended_already = child.kill();
        let _status = child.wait();
    });
    thread::spawn(move || {
        pass_on(&mut stdout, &mut to_client);
        let _gone = to_client.shutdown(Shutdown::Both);
    });
}

fn pass_on(from: &mut impl Read, to: &mut impl Write) {
    let mut room = vec![0; 64 << 10];
    while let Ok(count) = from.read(&mut room) {
        if count == 0 || to.write_all(&room[..count]).is_err() || to.flush().is_err() {
            return;
        }
    }
}
