//! What `larder`, the client program, tells of a password, and to whom.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;

use crate::support::process::is_root;
use crate::support::program::{LARDER, larder};
use crate::support::{Server, foreign, server, text_file};

fn name(path: &Path) -> &str {
    path.to_str().expect("a path of letters")
}

/// A line of a file of users, made by the daemon.
fn hashed(user: &str, method: &str) -> String {
    let mut command = Command::new(server::larderd());
    command.args(["--hash-password", user, "--hash-method", method]);
    let (code, line) = foreign::run(&mut command, "secret\n");
    assert_eq!(code, Some(0), "{line}");
    line
}

/// Passes one connection on to a daemon; its address, and what the client has sent so far.
fn relay(to: std::net::SocketAddr) -> (String, Arc<Mutex<Vec<u8>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address").to_string();
    let heard = Arc::new(Mutex::new(Vec::new()));
    let kept = Arc::clone(&heard);
    thread::spawn(move || {
        let (mut client, _) = listener.accept().expect("a client");
        let mut daemon = TcpStream::connect(to).expect("the daemon");
        let (mut back, mut answers) = (
            client.try_clone().expect("a socket"),
            daemon.try_clone().expect("a socket"),
        );
        thread::spawn(move || std::io::copy(&mut answers, &mut back));
        let mut bytes = [0; 4096];
        while let Ok(size @ 1..) = client.read(&mut bytes) {
            kept.lock().expect("a lock").extend(&bytes[..size]);
            if daemon.write_all(&bytes[..size]).is_err() {
                break;
            }
        }
    });
    (address, heard)
}

fn contains(heard: &Mutex<Vec<u8>>, word: &[u8]) -> bool {
    let heard = heard.lock().expect("a lock");
    heard.windows(word.len()).any(|window| window == word)
}

#[test]
fn a_password_is_proved_and_not_told_where_the_daemon_has_that() {
    let password = text_file("secret\n");
    let login = ["--user", "ann", "--password-file", name(password.path())];
    let packets = [&login[..], &["--binary", "version"]].concat();
    // A password as it is, a hash that can be proved, and one that has to be told.
    for (users, is_told) in [
        ("ann:secret\n".to_owned(), false),
        (hashed("ann", "scram-sha-256"), false),
        (hashed("ann", "argon2id"), true),
    ] {
        let users = text_file(&users);
        let server = Server::start(&["-S", "-Y", name(users.path())]);
        let (address, heard) = relay(server.address());
        let output = larder(&address, &packets, b"");
        assert!(output.status.success(), "{output:?}");
        assert_eq!(output.stdout, b"1.6.45\n");
        assert!(contains(&heard, b"ann"));
        assert_eq!(contains(&heard, b"secret"), is_told);
    }
    let users = text_file("ann:other\n");
    let server = Server::start(&["-S", "-Y", name(users.path())]);
    let output = larder(&server.address().to_string(), &packets, b"");
    assert_eq!(output.status.code(), Some(1), "{output:?}");
}

/// Takes a packet, and answers it with this status and value.
fn answer(stream: &mut TcpStream, status: u16, make: impl Fn(&[u8]) -> Vec<u8>) {
    let mut head = [0; 24];
    stream.read_exact(&mut head).expect("a header");
    let size = u32::from_be_bytes([head[8], head[9], head[10], head[11]]);
    let key_size = usize::from(u16::from_be_bytes([head[2], head[3]]));
    let mut body = vec![0; size as usize];
    stream.read_exact(&mut body).expect("a body");
    let value = make(&body[key_size..]);
    let mut reply = vec![0x81, head[1], 0, 0, 0, 0];
    reply.extend(status.to_be_bytes());
    reply.extend(u32::try_from(value.len()).expect("a size").to_be_bytes());
    reply.extend([0; 12]);
    reply.extend(value);
    stream.write_all(&reply).expect("a client that reads");
}

#[test]
fn a_daemon_that_does_not_know_the_password_is_not_believed() {
    let password = text_file("secret\n");
    let login = ["--user", "ann", "--password-file", name(password.path())];
    let words = [&login[..], &["--binary", "version"]].concat();
    for (iterations, complaint) in [(4096, "has not shown that it knows"), (1, "iterations")] {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address").to_string();
        let daemon = thread::spawn(move || {
            let (mut stream, _) = listener.accept().expect("a client");
            answer(&mut stream, 0, |_| b"PLAIN SCRAM-SHA-256".to_vec());
            answer(&mut stream, 0x21, |opening| {
                let text = String::from_utf8_lossy(opening);
                let (_, nonce) = text.split_once(",r=").expect("a nonce");
                format!("r={nonce}x,s=AAAAAAAAAAAAAAAA,i={iterations}").into_bytes()
            });
            if iterations > 1 {
                answer(&mut stream, 0x21, |_| b"v=AAAA".to_vec());
            }
            let mut rest = Vec::new();
            stream.read_to_end(&mut rest).expect("an end");
            rest
        });
        let output = larder(&address, &words, b"");
        assert_eq!(output.status.code(), Some(4), "{output:?}");
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(errors.contains(complaint), "{errors}");
        assert!(daemon.join().expect("the daemon").is_empty());
    }
}

/// A network of one address beyond loopback, of its own.
struct Network(String);

impl Network {
    fn new() -> Option<Self> {
        let network = Self(format!("larder{}l", std::process::id()));
        let is_built = is_root()
            && ip(&["netns", "add", &network.0])
            && ip(&["-n", &network.0, "link", "set", "lo", "up"])
            && ip(&["-n", &network.0, "addr", "add", "10.78.0.1/32", "dev", "lo"]);
        is_built.then_some(network)
    }

    fn larder(&self, words: &[&str]) -> (Option<i32>, String) {
        let output = Command::new("ip")
            .args(["netns", "exec", &self.0, LARDER])
            .args(words)
            .env("LARDER_SERVER", "10.78.0.1:11211")
            .output()
            .expect("ip");
        let text = [output.stdout, output.stderr].concat();
        (output.status.code(), String::from_utf8_lossy(&text).into())
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        let _gone = ip(&["netns", "del", &self.0]);
    }
}

fn ip(words: &[&str]) -> bool {
    let mut command = Command::new("ip");
    command.args(words).stdin(Stdio::null());
    command.stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

#[test]
fn a_password_crosses_the_network_as_it_is_only_when_that_is_allowed() {
    let Some(network) = Network::new() else {
        return;
    };
    let password = text_file("secret\n");
    let login = ["--user", "ann", "--password-file", name(password.path())];
    let version = |more: &[&str]| network.larder(&[&login[..], more, &["version"]].concat());
    let fine = (Some(0), "1.6.45\n".to_owned());
    for (users, is_proved) in [
        (hashed("ann", "scram-sha-256"), true),
        (hashed("ann", "argon2id"), false),
    ] {
        let users = text_file(&users);
        let flags = ["-l10.78.0.1", "-p11211", "-U0", "-sFOLDER/socket", "-S"];
        let flags = [&flags[..], &["-Y", name(users.path())]].concat();
        let _server = Server::start_inside(&network.0, &flags);
        let refused = |(code, text): (Option<i32>, String)| {
            assert_eq!(code, Some(2), "{text}");
            assert!(text.contains("has not been sent"), "{text}");
        };
        refused(version(&[]));
        if is_proved {
            assert_eq!(version(&["--binary"]), fine);
        } else {
            refused(version(&["--binary"]));
        }
        assert_eq!(version(&["--allow-cleartext"]), fine);
        assert_eq!(version(&["--binary", "--allow-cleartext"]), fine);
    }
}
