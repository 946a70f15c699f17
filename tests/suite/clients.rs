//! Clients that nobody here wrote.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::support::Server;

/// Runs a program to its end; its exit code and all that it said.
fn run(command: &mut Command, input: &str) -> (Option<i32>, String) {
    command.stdin(Stdio::piped());
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("a program that was found to start");
    let mut stdin = child.stdin.take().expect("a pipe");
    stdin.write_all(input.as_bytes()).expect("a reader");
    drop(stdin);
    let output = child.wait_with_output().expect("a child");
    let mut text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.push_str(&String::from_utf8_lossy(&output.stderr));
    (output.status.code(), text)
}

fn in_path(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path)
        .map(|folder| folder.join(name))
        .find(|file| file.is_file())
}

/// Runs one of the Python conversations against a daemon of its own.
fn python_conversation(name: &str) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let python = root.join(".venv/bin/python");
    if !python.exists() {
        eprintln!("skipped: `make test` installs Python clients, plain `cargo test` does not");
        return;
    }
    let server = Server::start(&[]);
    let script = root.join("tests/clients").join(name);
    let port = server.address().port().to_string();
    let (code, text) = run(Command::new(python).arg(script).arg(port), "");
    assert_eq!(code, Some(0), "{text}");
    assert!(text.contains("all said"), "{text}");
}

#[test]
fn pymemcache_has_a_conversation() {
    python_conversation("pymemcache_conversation.py");
}

#[test]
fn python_binary_memcached_has_a_conversation() {
    python_conversation("bmemcached_conversation.py");
}

#[test]
fn nc_has_a_conversation() {
    let Some(nc) = in_path("nc") else {
        eprintln!("skipped: nc is not installed");
        return;
    };
    let server = Server::start(&[]);
    let port = server.address().port().to_string();
    let said = "set greeting 0 60 5\r\nhello\r\nget greeting\r\nquit\r\n";
    let (_, text) = run(Command::new(nc).args(["127.0.0.1", &port]), said);
    assert_eq!(text, "STORED\r\nVALUE greeting 0 5\r\nhello\r\nEND\r\n");
}

#[test]
fn libmemcached_finds_both_protocols_conformant() {
    let Some(tool) = in_path("memccapable") else {
        eprintln!("skipped: memccapable is not installed");
        return;
    };
    let server = Server::start(&["-B", "auto"]);
    let port = server.address().port().to_string();
    let arguments = ["-h", "127.0.0.1", "-p", &port, "-t", "5"];
    let (code, text) = run(Command::new(tool).args(arguments), "");
    let passed = text.lines().filter(|line| line.contains("[pass]")).count();
    assert!(passed == 54 && code == Some(0), "{passed} of 54: {text}");
}

#[test]
fn the_memcache_crate_has_a_conversation() {
    let server = Server::start(&[]);
    let url = format!("memcache://{}?timeout=10&protocol=ascii", server.address());
    let client = memcache::connect(url).expect("a connection");
    client.set("number", 40, 0).expect("set");
    assert_eq!(client.increment("number", 2).expect("incr"), 42);
    assert_eq!(client.decrement("number", 1).expect("decr"), 41);
    client.set("text", "hello", 100).expect("set");
    client.append("text", ", world").expect("append");
    client.prepend("text", ">").expect("prepend");
    let text: Option<String> = client.get("text").expect("get");
    assert_eq!(text.as_deref(), Some(">hello, world"));
    client.add("text", "x", 0).expect("add");
    client.replace("text", "new", 0).expect("replace");
    assert!(client.touch("text", 10).expect("touch"));
    let many = client.gets::<String>(&["text", "none"]).expect("gets");
    assert_eq!(many.len(), 1);
    assert_eq!(many["text"], "new");
    let with_cas = client.gets::<(String, u32, Option<u64>)>(&["text"]);
    let cas = with_cas.expect("gets")["text"].2.expect("a cas");
    assert!(client.cas("text", "swapped", 0, cas).expect("cas"));
    assert!(!client.cas("text", "again", 0, cas).expect("cas"));
    let text: Option<String> = client.get("text").expect("get");
    assert_eq!(text.as_deref(), Some("swapped"));
    assert!(client.delete("text").expect("delete"));
    assert!(!client.delete("text").expect("delete"));
    client.flush().expect("flush");
    assert_eq!(client.get::<String>("number").expect("get"), None);
    let versions = client.version().expect("version");
    assert_eq!(versions[0].1, "1.6.45");
    assert_eq!(client.stats().expect("stats").len(), 1);
}
