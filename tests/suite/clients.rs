//! Clients that nobody here wrote.

use std::process::Command;

use crate::support::Server;
use crate::support::foreign::{Library, in_path, run};

fn conversation(library: Library) {
    let server = Server::start(&[]);
    library.converse(server.address().port(), &[]);
}

#[test]
fn pymemcache_has_a_conversation() {
    conversation(Library::Pymemcache);
}

#[test]
fn python_binary_memcached_has_a_conversation() {
    conversation(Library::Bmemcached);
}

#[test]
fn pylibmc_has_a_conversation() {
    conversation(Library::Pylibmc);
}

#[test]
fn emcache_has_a_conversation() {
    conversation(Library::Emcache);
}

#[test]
fn memjs_has_a_conversation() {
    conversation(Library::Memjs);
}

#[test]
fn nc_has_a_conversation() {
    let nc = in_path("nc");
    let server = Server::start(&[]);
    let port = server.address().port().to_string();
    let said = "set greeting 0 60 5\r\nhello\r\nget greeting\r\nquit\r\n";
    let (_, text) = run(Command::new(nc).args(["127.0.0.1", &port]), said);
    assert_eq!(text, "STORED\r\nVALUE greeting 0 5\r\nhello\r\nEND\r\n");
}

#[test]
fn libmemcached_finds_both_protocols_conformant() {
    let tool = in_path("memccapable");
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
