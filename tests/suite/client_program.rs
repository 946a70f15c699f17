//! `larder`, the client program, against larderd and memcached.

use std::io::BufRead;
use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;
use std::process::{Command, Stdio};

use clap::Command as CommandLine;
use rustix::process::{Pid, Signal, kill_process};

use crate::support::process::wait_until;
use crate::support::program::{LARDER, fails, larder, says, tells};
use crate::support::{Server, text_file};

/// Every line of help that shows an example.
fn examples(command: &CommandLine) -> Vec<String> {
    let help = command.get_after_help().map(ToString::to_string);
    let own = help.unwrap_or_default();
    let own = own.lines().filter(|line| line.starts_with("  larder "));
    let mut all: Vec<String> = own.map(|line| line.trim().to_owned()).collect();
    for inner in command.get_subcommands() {
        all.extend(examples(inner));
    }
    all
}

/// Runs every example of the help as a shell would, each with the items that examples speak of.
/// Returns those that ended in another way than well.
fn run_examples(server: &Server) -> Vec<(String, Option<i32>, String)> {
    let address = server.address().to_string();
    let here = Path::new(LARDER).parent().expect("a folder");
    let folder = tempfile::tempdir().expect("a folder");
    let path = std::env::var("PATH").unwrap_or_default();
    let mut unwell = Vec::new();
    let examples = examples(&larder::client::command());
    assert!(examples.len() >= larder::client::COMMANDS.len());
    for example in examples {
        if example.starts_with("larder cluster dev") {
            // It runs until it is ended; see `a_whole_cluster_runs_until_it_is_ended`.
            continue;
        }
        says(&address, &["set", "greeting", "hello"]);
        says(&address, &["set", "visits", "7"]);
        let output = Command::new("/bin/sh")
            .args(["-c", &example])
            .current_dir(folder.path())
            .env("PATH", format!("{}:{path}", here.display()))
            .env("LARDER_SERVER", &address)
            .stdin(Stdio::null())
            .output()
            .expect("a shell");
        if !output.status.success() {
            let errors = String::from_utf8_lossy(&output.stderr).into_owned();
            unwell.push((example, output.status.code(), errors));
        }
    }
    unwell
}

#[test]
fn every_example_of_the_help_works() {
    let unwell = run_examples(&Server::start(&["--snapshot", "FOLDER/snapshot"]));
    assert!(unwell.is_empty(), "{unwell:#?}");
}

#[test]
fn every_example_works_with_memcached_or_says_what_that_lacks() {
    let server = Server::memcached(&[]);
    for (example, code, errors) in run_examples(&server) {
        assert_eq!(code, Some(6), "{example}: {errors}");
        assert!(
            errors.contains("the daemon lacks it"),
            "{example}: {errors}"
        );
    }
}

#[test]
fn items_are_stored_shown_and_removed() {
    let mut servers = vec![Server::start(&[])];
    servers.push(Server::memcached(&[]));
    for server in &servers {
        let address = server.address().to_string();
        says(&address, &["set", "k", "hello", "--flags", "7"]);
        assert_eq!(says(&address, &["get", "k"]), "hello");
        let shown: serde_json::Value =
            serde_json::from_str(&says(&address, &["get", "k", "--json"])).expect("JSON");
        assert_eq!(shown["value"], "hello");
        assert_eq!(shown["flags"], 7);
        assert_eq!(shown["size"], 5);
        assert!(shown["cas"].is_u64());
        says(&address, &["delete", "k"]);
        fails(&address, &["get", "k"], 1, "not found");
        fails(&address, &["delete", "k"], 1, "not found");
    }
}

#[test]
fn bytes_pass_through_as_they_are() {
    let server = Server::start(&[]);
    let address = server.address().to_string();
    let value: Vec<u8> = (0..=255).cycle().take(100_000).collect();
    assert!(
        larder(&address, &["set", "k", "-"], &value)
            .status
            .success()
    );
    assert_eq!(larder(&address, &["get", "k"], b"").stdout, value);
    let shown: serde_json::Value =
        serde_json::from_str(&says(&address, &["get", "k", "--json"])).expect("JSON");
    assert!(shown["value_base64"].is_string());
    says(&address, &["set", "k", "-1"]);
    assert_eq!(says(&address, &["get", "k"]), "-1");
}

#[test]
fn reports_are_lines_or_json() {
    let server = Server::start(&["-m", "100"]);
    let address = server.address().to_string();
    let text = says(&address, &["stats"]);
    assert!(text.lines().any(|line| line.starts_with("curr_items ")));
    let settings = says(&address, &["stats", "settings", "--json"]);
    let settings: serde_json::Value = serde_json::from_str(&settings).expect("JSON");
    assert_eq!(settings["maxbytes"], 100 << 20);
    assert_eq!(settings["evictions"], "on");
    assert_eq!(says(&address, &["version"]), "1.6.45\n");
    fails(&address, &["stats", "nonsense"], 6, "lacks");
}

#[test]
fn the_daemon_may_be_on_a_unix_socket() {
    let server = Server::start_bare(&["-s", "FOLDER/socket"]);
    let path = server.socket().to_string_lossy().into_owned();
    assert_eq!(says("", &["--server", &path, "version"]), "1.6.45\n");
    assert_eq!(says("", &["version", "--server", &path]), "1.6.45\n");
    // An option is stronger than the environment, wherever it stands.
    let other = "/nonexistent/socket";
    assert_eq!(says(other, &["--server", &path, "version"]), "1.6.45\n");
    assert_eq!(says(other, &["version", "--server", &path]), "1.6.45\n");
    fails(other, &["version"], 3, "/nonexistent/socket");
}

#[test]
fn exit_codes_tell_what_went_wrong() {
    let server = Server::start(&["-I", "1k"]);
    let address = server.address().to_string();
    let large = "x".repeat(2000);
    fails(&address, &["set", "k", &large], 1, "too large");
    fails(&address, &["get", "a b"], 2, "a key has");
    fails(&address, &["get"], 2, "Usage");
    fails(&address, &["nonsense"], 2, "nonsense");
    fails(&address, &["get", "k", "--timeout", "0"], 2, "seconds");
    drop(server);
    fails(&address, &["version"], 3, "cannot connect");
}

#[test]
fn a_daemon_that_does_not_answer_is_not_waited_for_without_end() {
    let silent = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = silent.local_addr().expect("an address").to_string();
    let words = ["version", "--timeout", "0.05"];
    fails(&address, &words, 4, "did not answer in time");
    let words = ["bench", "--requests", "10", "--timeout", "0.05"];
    fails(&address, &words, 4, "did not answer in time");
}

/// Runs `larder bench` with these words, and returns what it found.
#[track_caller]
fn bench(server: &str, words: &[&str]) -> serde_json::Value {
    let mut all = vec!["bench", "--json", "--verify"];
    all.extend_from_slice(words);
    serde_json::from_str(&says(server, &all)).expect("JSON")
}

#[test]
fn a_bench_asks_as_often_as_it_is_told_in_every_protocol() {
    let mut servers = vec![Server::start(&[])];
    servers.push(Server::memcached(&[]));
    for server in &servers {
        let address = server.address().to_string();
        for protocol in ["text", "meta", "binary"] {
            for (depth, multiget) in [("1", "1"), ("16", "1"), ("3", "20")] {
                let words = [
                    "--preload",
                    "--keys",
                    "500",
                    "--requests",
                    "2000",
                    "--connections",
                    "7",
                    "--threads",
                    "2",
                    "--protocol",
                    protocol,
                    "--depth",
                    depth,
                    "--multiget",
                    multiget,
                    "--sets",
                    "25",
                    "--value-size",
                    "0-300",
                ];
                let seen = bench(&address, &words);
                let count = |name: &str| seen[name]["requests"].as_u64().expect("a count");
                assert_eq!(count("all"), 2000, "{seen}");
                assert_eq!(count("get") + count("set"), 2000);
                assert!((300..700).contains(&count("set")), "{seen}");
                let keys: u64 = multiget.parse().expect("a number");
                assert_eq!(seen["hits"].as_u64(), Some(count("get") * keys), "{seen}");
                assert_eq!(seen["misses"], 0);
                assert_eq!(seen["errors"], 0);
                assert!(seen["all"]["p99_us"].as_f64() > Some(0.0));
            }
        }
    }
}

#[test]
fn a_bench_that_sets_what_it_misses_finds_it_the_next_time() {
    let server = Server::start(&[]);
    let address = server.address().to_string();
    let words = [
        "--cache-aside",
        "--keys",
        "100",
        "--pick",
        "sequential",
        "--requests",
        "300",
        "--connections",
        "1",
        "--ttl",
        "100-200",
        "--value-size",
        "twitter",
    ];
    let seen = bench(&address, &words);
    assert_eq!(seen["misses"], 100);
    assert_eq!(seen["hits"], 200);
    assert_eq!(seen["set"]["requests"], 100);
    assert_eq!(server.connect().stat("curr_items"), 100);
    // A key that never comes again is never found.
    let words = [
        "--keys",
        "100",
        "--requests",
        "300",
        "--one-time",
        "100",
        "--sets",
        "0",
        "--pick",
        "zipf:1",
    ];
    assert_eq!(bench(&address, &words)["hits"], 0);
}

#[test]
fn a_bench_at_a_rate_sends_what_is_due() {
    let server = Server::start(&[]);
    let address = server.address().to_string();
    let pid = server.pid().to_string();
    for more in [&[][..], &["--poisson", "--spin"]] {
        let mut words = vec![
            "--rate",
            "20000",
            "--requests",
            "2000",
            "--keys",
            "10",
            "--threads",
            "2",
            "--server-pid",
            &pid,
        ];
        words.extend_from_slice(more);
        let seen = bench(&address, &words);
        assert_eq!(seen["all"]["requests"], 2000);
        assert_eq!(seen["schedule"]["unsent"], 0);
        // Fewer than were due cannot have been sent, however slow this machine is.
        let rate = seen["all"]["per_second"].as_f64().expect("a rate");
        assert!(rate > 0.0 && rate < 40_000.0, "{seen}");
        assert!(seen["server_cpu"]["us_per_request"].is_f64());
    }
}

#[test]
fn a_bench_stops_at_a_value_that_is_not_its_own() {
    let server = Server::start(&[]);
    let address = server.address().to_string();
    bench(&address, &["--preload", "--keys", "10", "--requests", "10"]);
    let words = [
        "bench",
        "--verify",
        "--keys",
        "10",
        "--requests",
        "100",
        "--sets",
        "0",
    ];
    let other = [&words[..], &["--value-size", "101"]].concat();
    fails(&address, &other, 4, "unexpected reply");
    let unverified: Vec<&str> = other
        .iter()
        .copied()
        .filter(|&word| word != "--verify")
        .collect();
    says(&address, &unverified);
    fails(&address, &["bench", "--key-size", "9"], 2, "keys have 10");
    fails(
        &address,
        &["bench", "--connections", "1", "--threads", "2"],
        2,
        "connection",
    );
}

#[test]
fn the_nodes_of_a_cluster_are_shown_as_clients_are_told_of_them() {
    let server = Server::start(&["--advertise", "cache-1.lan|10.0.0.1|7"]);
    let address = server.address().to_string();
    let text = says(&address, &["cluster", "nodes"]);
    let lines: Vec<Vec<&str>> = text
        .lines()
        .map(|line| line.split_whitespace().collect())
        .collect();
    assert_eq!(lines[0], ["version", "1,", "source", "none"]);
    assert_eq!(lines[2][..4], ["cache-1.lan", "10.0.0.1", "7", "self"]);
    let shown: serde_json::Value =
        serde_json::from_str(&says(&address, &["cluster", "nodes", "--json"])).expect("JSON");
    assert_eq!(shown["version"], 1);
    assert_eq!(shown["nodes"][0]["name"], "cache-1.lan");
    assert_eq!(shown["nodes"][0]["port"], 7);
    let memcached = Server::memcached(&[]);
    let address = memcached.address().to_string();
    fails(&address, &["cluster", "nodes"], 6, "lacks it");
}

#[test]
fn the_owner_of_a_key_is_told_for_each_client() {
    let nodes = "10.0.0.1|10.0.0.1|11211,10.0.0.2|10.0.0.2|11211,10.0.0.3|10.0.0.3|11211";
    // Nobody is asked when the nodes are given.
    let nowhere = "127.0.0.1:1";
    let owner = |client: &str, key: &str| {
        says(
            nowhere,
            &[
                "cluster", "owner", key, "--client", client, "--nodes", nodes,
            ],
        )
    };
    assert_eq!(owner("ketama-weighted", "foo"), "10.0.0.2:11211\n");
    assert_eq!(owner("aws-java-default", "foo"), "10.0.0.1:11211\n");
    assert_eq!(owner("php-memcached", "user:2"), "10.0.0.3:11211\n");
    let all = says(
        nowhere,
        &["cluster", "owner", "foo", "bar", "--nodes", nodes, "--json"],
    );
    let all: serde_json::Value = serde_json::from_str(&all).expect("JSON");
    assert!(all.as_array().is_some_and(|all| all.len() >= 20), "{all}");
    fails(
        nowhere,
        &["cluster", "owner", "foo", "--client", "x"],
        2,
        "known are",
    );
    fails(nowhere, &["cluster", "owner", "foo"], 3, "cannot connect");
}

/// A port that is free on the first three loopback addresses.
fn free_port() -> u16 {
    let bind = |number, port| TcpListener::bind((Ipv4Addr::new(127, 0, 0, number), port));
    for _ in 0..100 {
        let first = bind(1, 0).expect("a free port");
        let port = first.local_addr().expect("an address").port();
        if bind(2, port).is_ok() && bind(3, port).is_ok() {
            return port;
        }
    }
    panic!("no port is free on three addresses");
}

#[test]
fn a_whole_cluster_runs_until_it_is_ended() {
    let port = free_port();
    let mut child = Command::new(LARDER)
        .args([
            "cluster",
            "dev",
            "--nodes",
            "3",
            "--port",
            &port.to_string(),
        ])
        .arg("--larderd")
        .arg(crate::support::server::larderd())
        .args(["--timeout", "60", "--", "-m", "8", "-t", "1"])
        .stdout(Stdio::piped())
        .spawn()
        .expect("the client program to start");
    let mut said = std::io::BufReader::new(child.stdout.take().expect("a pipe"));
    let mut nodes = Vec::new();
    for _ in 0..3 {
        let mut line = String::new();
        said.read_line(&mut line).expect("a line");
        nodes.push(line.trim().to_owned());
    }
    for (number, node) in (1..).zip(&nodes) {
        assert_eq!(*node, format!("127.0.0.{number}:{port}"));
        let text = says(node, &["cluster", "nodes"]);
        assert!(text.contains("source gossip"), "{text}");
        assert_eq!(text.lines().count(), 5, "{text}");
        assert_eq!(text.matches(" self").count(), 1, "{text}");
    }
    // A node is itself wherever it is asked, and a key has one owner.
    let owners: Vec<String> = nodes
        .iter()
        .map(|node| says(node, &["cluster", "owner", "k", "--client", "dalli"]))
        .collect();
    assert!(owners.iter().all(|owner| *owner == owners[0]), "{owners:?}");
    // The list is changed for all by telling one.
    let gone = format!("127.0.0.3:{port}");
    says(&nodes[0], &["cluster", "leave", &gone]);
    let two = says(&nodes[1], &["cluster", "nodes"]);
    assert!(
        wait_until(|| says(&nodes[1], &["cluster", "nodes"]).lines().count() == 4),
        "{two}"
    );
    fails(&nodes[0], &["cluster", "leave", &gone], 1, "not found");
    says(
        &nodes[1],
        &["cluster", "join", &format!("127.0.0.3|127.0.0.3|{port}")],
    );
    assert!(
        wait_until(|| says(&nodes[0], &["cluster", "nodes"]).lines().count() == 5),
        "{two}"
    );

    let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    kill_process(pid.expect("a process"), Signal::TERM).expect("a signal to be sent");
    assert!(child.wait().expect("a child").success());
    for node in &nodes {
        fails(node, &["version"], 3, "cannot connect");
    }
}

#[test]
fn nodes_that_nobody_else_tells_are_all_told_of_a_change() {
    let servers = [(); 3].map(|()| Server::start(&[]));
    let [one, two, three] = [0, 1, 2].map(|index: usize| servers[index].address());
    let node = |address: std::net::SocketAddr| format!("127.0.0.1|127.0.0.1|{}", address.port());
    let asks = |address: std::net::SocketAddr, words: &[&str]| says(&address.to_string(), words);
    asks(one, &["cluster", "join", &node(two)]);
    let told = tells(&one.to_string(), &["cluster", "join", &node(three)]);
    assert_eq!((&told["version"], &told["nodes"]), (&3.into(), &3.into()));
    for server in [one, two, three] {
        let text = asks(server, &["cluster", "nodes"]);
        assert!(text.starts_with("version 3,"), "{text}");
        assert_eq!(text.lines().count(), 5, "{text}");
    }
    // Who goes is told too, since a client may ask there.
    asks(
        two,
        &["cluster", "leave", &format!("127.0.0.1:{}", one.port())],
    );
    for server in [one, two, three] {
        let text = asks(server, &["cluster", "nodes"]);
        assert!(
            text.starts_with("version 4,") && !text.contains(&one.port().to_string()),
            "{text}"
        );
    }
    let address = two.to_string();
    fails(
        &address,
        &["cluster", "leave", "127.0.0.1"],
        2,
        "say NAME:PORT",
    );
    fails(&address, &["cluster", "join", "a_b||1"], 2, "no name");
    let list = text_file("a||1\n");
    let path = list.path().to_string_lossy();
    let declared = Server::start(&["--cluster-file", &path]);
    let address = declared.address().to_string();
    fails(
        &address,
        &["cluster", "join", "b||1"],
        1,
        "declared by its operator",
    );
}

#[test]
fn only_an_administrator_changes_the_list() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name).to_string_lossy().into_owned();
    let users = "ann:secret\nuser ann +@all\nbob:secret\nuser bob +@read +@write\n";
    std::fs::write(path("users"), users).expect("a file");
    std::fs::write(path("password"), "secret\n").expect("a file");
    let servers = [(); 2].map(|()| Server::start(&["-Y", &path("users")]));
    let [one, two] = [0, 1].map(|index: usize| servers[index].address());
    let node = format!("127.0.0.1|127.0.0.1|{}", two.port());
    let password = path("password");
    let join = |user| {
        let login = ["--user", user, "--password-file", &password];
        [&login[..], &["cluster", "join", &node]].concat()
    };
    fails(&one.to_string(), &join("bob"), 1, "permission denied");
    says(&one.to_string(), &join("ann"));
    let nodes = [
        "--user",
        "bob",
        "--password-file",
        &password,
        "cluster",
        "nodes",
    ];
    for server in [one, two] {
        let text = says(&server.to_string(), &nodes);
        assert_eq!(text.lines().count(), 4, "{text}");
    }
}
