//! How `larder`, the client program, comes to a daemon: TLS, logins, packets, several daemons.

use std::fs;
use std::io::{Read, Write};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use crate::support::program::{LARDER, fails, larder, larder_with, says, tells};
use crate::support::server::oracle;
use crate::support::{Authority, Server};

/// Files of users and passwords.
struct Files(tempfile::TempDir);

impl Files {
    fn new() -> Self {
        let files = Self(tempfile::tempdir().expect("a folder"));
        for (name, text) in [
            ("users", "ann:secret\n"),
            ("password", "secret\n"),
            ("wrong", "guess\n"),
        ] {
            fs::write(files.0.path().join(name), text).expect("a file");
        }
        files
    }

    fn path(&self, name: &str) -> String {
        self.0.path().join(name).to_string_lossy().into_owned()
    }
}

#[test]
fn a_daemon_may_want_a_login_by_text() {
    let files = Files::new();
    let users = files.path("users");
    let mut servers = vec![Server::start(&["-Y", &users])];
    servers.push(Server::memcached(&["-Y", &users]));
    for server in &servers {
        let address = server.address().to_string();
        let right = files.path("password");
        let login = ["--user", "ann", "--password-file", &right];
        let with = |words: &[&str]| says(&address, &[&login[..], words].concat());
        with(&["version"]);
        with(&["set", "k", "hello"]);
        assert_eq!(with(&["get", "k"]), "hello");
        with(&["bench", "--requests", "10", "--keys", "10"]);
        fails(&address, &["get", "k"], 1, "refused");
        let wrong = files.path("wrong");
        let guess = ["--user", "ann", "--password-file", &wrong, "version"];
        fails(&address, &guess, 1, "authentication failure");
        let words = ["--password-file", &right, "version"];
        fails(&address, &words, 2, "needs --user");
        // The environment holds both as well.
        let variables = [("LARDER_USER", "ann"), ("LARDER_PASSWORD", "secret")];
        let output = larder_with(&address, &["get", "k"], b"", &variables);
        assert_eq!(output.stdout, b"hello");
    }
}

#[test]
fn a_daemon_may_want_a_login_in_packets() {
    let files = Files::new();
    let users = files.path("users");
    let flags = ["-S", "-B", "binary", "-Y", &users];
    let server = Server::start(&flags);
    let address = server.address().to_string();
    let right = files.path("password");
    let login = ["--user", "ann", "--password-file", &right];
    for more in [&[][..], &["--binary"]] {
        let with = |words: &[&str]| says(&address, &[&login[..], more, words].concat());
        assert_eq!(with(&["version"]), "1.6.45\n");
        with(&["set", "k", "hello", "--flags", "7"]);
        assert_eq!(with(&["get", "k"]), "hello");
        assert_eq!(with(&["gat", "k", "100"]), "hello");
    }
    let bench = [
        "bench",
        "--protocol",
        "binary",
        "--requests",
        "10",
        "--keys",
        "10",
    ];
    says(&address, &[&login[..], &bench].concat());
    let wrong = files.path("wrong");
    let guess = ["--user", "ann", "--password-file", &wrong, "version"];
    fails(&address, &guess, 1, "refused");
    let keys = [&login[..], &["keys"]].concat();
    fails(&address, &keys, 6, "needs the text protocol");
}

#[test]
fn a_password_is_sent_to_nobody_who_does_not_ask_for_it() {
    let files = Files::new();
    let mut servers = vec![Server::start(&[])];
    servers.push(Server::memcached(&[]));
    let right = files.path("password");
    for server in &servers {
        let address = server.address().to_string();
        let words = ["--user", "ann", "--password-file", &right, "version"];
        let output = larder(&address, &words, b"");
        assert!(output.status.success());
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(errors.contains("asks for no login"), "{errors}");
        assert_eq!(server.connect().stat("cmd_set"), 0);
    }
}

#[test]
fn who_may_do_something_without_a_login_logs_in_all_the_same() {
    let files = Files::new();
    let users = files.path("users");
    fs::write(&users, "ann:secret\nuser * +@read\n").expect("a file");
    let server = Server::start(&["-Y", &users]);
    let address = server.address().to_string();
    fails(&address, &["set", "k", "v"], 1, "refused");
    let right = files.path("password");
    let login = ["--user", "ann", "--password-file", &right];
    says(&address, &[&login[..], &["set", "k", "v"]].concat());
    assert_eq!(says(&address, &["get", "k"]), "v");
}

#[test]
fn a_password_is_asked_for_at_the_terminal() {
    let files = Files::new();
    let server = Server::start(&["-Y", &files.path("users")]);
    let address = server.address().to_string();
    // `script` gives the program a terminal of its own.
    let line = format!("{LARDER} --user ann version");
    let child = Command::new("timeout")
        .args(["60", "script", "-qec", &line, "/dev/null"])
        .env("LARDER_SERVER", &address)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn();
    let mut child = child.expect("timeout of coreutils");
    let mut stdin = child.stdin.take().expect("a pipe");
    let mut stdout = child.stdout.take().expect("a pipe");
    let mut text = vec![0; 64];
    let size = stdout.read(&mut text).expect("a question");
    text.truncate(size);
    // What is typed before the question is thrown away, so that nothing else is taken for it.
    stdin.write_all(b"secret\n").expect("a program that reads");
    stdout.read_to_end(&mut text).expect("an answer");
    let text = String::from_utf8_lossy(&text);
    assert!(
        child.wait().expect("the program to end").success(),
        "{text}"
    );
    assert!(
        text.contains("Password of ann:") && text.contains("1.6.45"),
        "{text}"
    );
}

#[test]
fn packets_carry_every_command_that_they_have() {
    let mut servers = vec![Server::start(&["-B", "binary"])];
    servers.push(Server::memcached(&["-B", "binary"]));
    for server in &servers {
        let address = server.address().to_string();
        let binary = |words: &[&str]| says(&address, &[&["--binary"], words].concat());
        let no = |words: &[&str], code, complaint| {
            fails(&address, &[&["--binary"], words].concat(), code, complaint);
        };
        binary(&["add", "k", "b", "--flags", "7"]);
        no(&["add", "k", "b"], 1, "there already");
        binary(&["append", "k", "c"]);
        binary(&["prepend", "k", "a"]);
        assert_eq!(binary(&["get", "k"]), "abc");
        assert_eq!(tells(&address, &["--binary", "get", "k"])["flags"], 7);
        binary(&["replace", "k", "5"]);
        no(&["replace", "none", "5"], 1, "not found");
        no(&["append", "none", "5"], 1, "not found");
        no(&["cas", "k", "6", "999999"], 1, "another cas");
        let cas = tells(&address, &["--binary", "get", "k"])["cas"].to_string();
        binary(&["cas", "k", "6", &cas]);
        assert_eq!(binary(&["incr", "k", "10"]), "16\n");
        assert_eq!(binary(&["decr", "k"]), "15\n");
        no(&["incr", "none"], 1, "not found");
        binary(&["touch", "k", "100"]);
        no(&["touch", "none", "100"], 1, "not found");
        assert_eq!(binary(&["gat", "k", "100"]), "15");
        assert!(binary(&["stats"]).contains("curr_items"));
        assert!(binary(&["stats", "settings"]).contains("maxbytes"));
        binary(&["touch", "k", "-1"]);
        no(&["get", "k"], 1, "not found");
        binary(&["set", "k", "1"]);
        binary(&["flush", "--yes"]);
        no(&["delete", "k"], 1, "not found");
    }
}

/// A daemon of either kind that speaks TLS with these words for `-o`, and its address by name.
fn encrypted(flags: &[&str]) -> Vec<(Server, String)> {
    let mut servers = vec![Server::start(flags)];
    let help = Command::new(oracle()).arg("-h").output();
    let help = help.expect("memcached to start").stdout;
    // It may have been built without.
    if String::from_utf8_lossy(&help).contains("ssl_chain_cert") {
        servers.push(Server::memcached(flags));
    }
    let named = servers.into_iter().map(|server| {
        let address = format!("localhost:{}", server.address().port());
        (server, address)
    });
    named.collect()
}

fn text(path: PathBuf) -> String {
    path.to_string_lossy().into_owned()
}

#[test]
fn every_command_goes_through_tls() {
    let authority = Authority::new();
    let ca = text(authority.path("ca", "pem"));
    for (_server, address) in encrypted(&["-Z", "-o", &authority.words()]) {
        let with = |words: &[&str]| says(&address, &[&["--tls-ca", &ca], words].concat());
        let value = "v".repeat(100_000);
        let words = ["--tls-ca", &ca, "set", "k", "-"];
        assert!(larder(&address, &words, value.as_bytes()).status.success());
        assert_eq!(with(&["get", "k"]), value);
        assert_eq!(with(&["keys"]), "k\n");
        let words = [
            "--tls-ca",
            &ca,
            "bench",
            "--preload",
            "--verify",
            "--keys",
            "100",
        ];
        let load = [
            "--requests",
            "2000",
            "--connections",
            "3",
            "--depth",
            "1",
            "--value-size",
            "0-500",
        ];
        let seen = tells(&address, &[&words[..], &load].concat());
        assert_eq!(seen["all"]["requests"], 2000, "{seen}");
        assert_eq!(seen["misses"], 0);
        // The name in the certificate is looked at, and so is who has signed it.
        let name = [
            "--tls-ca",
            &ca,
            "--tls-server-name",
            "else.example",
            "version",
        ];
        fails(&address, &name, 3, "TLS");
        let other = Authority::new();
        let stranger = text(other.path("ca", "pem"));
        fails(&address, &["--tls-ca", &stranger, "version"], 3, "TLS");
        fails(&address, &["version"], 4, "");
    }
    fails(
        "/tmp/socket",
        &["--tls-ca", &ca, "version"],
        2,
        "unix socket",
    );
    fails("", &["--tls-ca", "/none", "version"], 5, "/none");
}

/// Both sides have more to say than the sockets between them hold. Not for memcached: that of Debian
/// 12 forgets what it has decrypted of requests that come together.
#[test]
fn a_load_over_tls_is_read_while_it_waits_to_be_sent() {
    let authority = Authority::new();
    let ca = text(authority.path("ca", "pem"));
    let server = Server::start(&["-Z", "-m", "256", "-o", &authority.words()]);
    let address = format!("localhost:{}", server.address().port());
    let words = "bench --preload --verify --keys 100 --connections 2 --sets 50";
    let many = "--depth 16 --value-size 0-5000 --multiget 5 --requests 2000";
    let long = "--depth 64 --value-size 300000 --requests 300";
    for load in [many, long] {
        let words = words.split(' ').chain(load.split(' '));
        let words: Vec<&str> = ["--tls-ca", &ca].into_iter().chain(words).collect();
        let seen = tells(&address, &words);
        assert_eq!(seen["misses"], 0, "{seen}");
        assert_eq!(seen["errors"], 0, "{seen}");
    }
}

#[test]
fn a_certificate_is_shown_where_one_is_required() {
    let authority = Authority::new();
    authority.sign("app");
    let ca = text(authority.path("ca", "pem"));
    let cert = text(authority.path("app", "pem"));
    let key = text(authority.path("app", "key"));
    let words = format!("{},ssl_verify_mode=2", authority.words());
    for (_server, address) in encrypted(&["-Z", "-o", &words]) {
        let shown = ["--tls-ca", &ca, "--tls-cert", &cert, "--tls-key", &key];
        says(&address, &[&shown[..], &["version"]].concat());
        fails(&address, &["--tls-ca", &ca, "version"], 4, "");
        fails(&address, &["--tls-key", &key, "version"], 2, "--tls-cert");
    }
}

#[test]
fn a_plain_port_is_not_taken_for_one_with_tls() {
    let server = Server::start(&[]);
    let authority = Authority::new();
    let ca = text(authority.path("ca", "pem"));
    let address = server.address().to_string();
    fails(&address, &["--tls-ca", &ca, "version"], 3, "TLS");
}

#[test]
fn several_daemons_are_asked_one_after_the_other() {
    let servers = [(); 2].map(|()| Server::start(&[]));
    let [one, two] = [0, 1].map(|index: usize| servers[index].address().to_string());
    let both = format!("{one},{two}");
    let text = says(&both, &["version"]);
    assert_eq!(text, format!("{one}\n1.6.45\n\n{two}\n1.6.45\n"));
    let text = says("", &["version", "--json", "-s", &one, "--server", &two]);
    let lines: Vec<serde_json::Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    assert_eq!(lines[0]["server"], one);
    assert_eq!(lines[1]["answer"]["version"], "1.6.45");
    fails(&both, &["get", "k"], 2, "--placement");
    // A key goes where its client would put it.
    let nodes = format!("{one},{two}").replace(':', "|");
    let nodes: Vec<String> = nodes
        .split(',')
        .map(|node| format!("127.0.0.1|{node}"))
        .collect();
    for key in ["a", "b", "c", "d", "e", "f"] {
        says(&both, &["--placement", "ketama-weighted", "set", key, "v"]);
        let words = [
            "cluster",
            "owner",
            key,
            "--client",
            "ketama-weighted",
            "--nodes",
            &nodes.join(","),
        ];
        let owner = says(&both, &words);
        assert_eq!(says(owner.trim(), &["get", key]), "v");
    }
    // One that is not there keeps no other from being asked, and is told of.
    let gone = format!("127.0.0.1:1,{two}");
    let output = larder(&gone, &["version"], b"");
    assert_eq!(output.status.code(), Some(3));
    assert!(String::from_utf8_lossy(&output.stdout).contains("1.6.45"));
    assert!(String::from_utf8_lossy(&output.stderr).contains("127.0.0.1:1"));
}

#[test]
fn the_nodes_of_a_cluster_are_found() {
    let servers = [(); 2].map(|()| Server::start(&[]));
    let [one, two] = [0, 1].map(|index: usize| servers[index].address());
    let node = format!("127.0.0.1|127.0.0.1|{}", two.port());
    says(&one.to_string(), &["cluster", "join", &node]);
    let text = says(&one.to_string(), &["--cluster", "version"]);
    assert!(
        text.contains(&one.to_string()) && text.contains(&two.to_string()),
        "{text}"
    );
    let words = ["--cluster", "--placement", "dalli"];
    for key in ["a", "b", "c", "d", "e", "f"] {
        says(&one.to_string(), &[&words[..], &["set", key, "v"]].concat());
        let owner = ["cluster", "owner", key, "--client", "dalli"];
        let owner = says(&one.to_string(), &owner);
        assert_eq!(says(owner.trim(), &["get", key]), "v");
    }
    let memcached = Server::memcached(&[]);
    let address = memcached.address().to_string();
    fails(&address, &["--cluster", "version"], 6, "lacks it");
}
