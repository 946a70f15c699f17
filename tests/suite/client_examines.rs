//! `larder doctor`, `top`, `hotkeys`, `bigkeys`, `clients`, `slow` and `threads`: what they find
//! in real daemons.

use std::process::{Command, Stdio};

use serde_json::Value;

use crate::support::Server;
use crate::support::program::{LARDER, fails, larder, says, tells};

/// Runs `larder doctor --json`; what it found, and its exit code.
#[track_caller]
fn examine(address: &str) -> (Value, Option<i32>) {
    let output = larder(address, &["doctor", "--json"], b"");
    let found = serde_json::from_slice(&output.stdout);
    (found.expect("JSON"), output.status.code())
}

/// How bad the worst finding about a subject is.
fn worst<'a>(found: &'a Value, subject: &str) -> &'a str {
    let findings = found["findings"].as_array().expect("findings");
    let mut of_subject = findings.iter();
    // The worst stand first.
    let first = of_subject.find(|finding| finding["subject"] == subject);
    first.map_or("", |finding| finding["severity"].as_str().expect("a word"))
}

#[test]
fn a_daemon_that_is_well_is_found_well() {
    let mut servers = vec![Server::start(&["-m", "64"])];
    servers.push(Server::memcached(&["-m", "64"]));
    for server in &servers {
        let address = server.address().to_string();
        let (found, code) = examine(&address);
        assert_eq!(code, Some(0), "{found:#}");
        for subject in ["doors", "connections", "files", "evictions"] {
            assert_eq!(worst(&found, subject), "fine", "{subject}: {found:#}");
        }
        let text = says(&address, &["doctor"]);
        assert!(text.contains("fine      connections: "), "{text}");
    }
}

#[test]
fn open_doors_are_critical_and_a_login_in_clear_is_warned_of() {
    let flags = ["-l", "0.0.0.0", "-p", "-1", "-U", "0"];
    let server = Server::start_bare(&flags);
    let address = server.address().to_string();
    let (found, code) = examine(&address);
    assert_eq!(worst(&found, "doors"), "critical", "{found:#}");
    assert_eq!((code, &found["worst"]), (Some(8), &"critical".into()));
    let first = &found["findings"][0];
    assert!(first["advice"].as_str().expect("advice").contains("-l"));
    fails(&address, &["doctor"], 8, "critical");
    let folder = tempfile::tempdir().expect("a folder");
    let users = folder.path().join("users");
    std::fs::write(&users, "ann:secret\n").expect("a file");
    let users = users.to_string_lossy().into_owned();
    let server = Server::start_bare(&[&flags[..], &["-Y", &users]].concat());
    let password = folder.path().join("password");
    std::fs::write(&password, "secret\n").expect("a file");
    let password = password.to_string_lossy().into_owned();
    let words = ["--user", "ann", "--password-file", &password, "doctor"];
    fails(&server.address().to_string(), &words, 7, "warn");
}

#[test]
fn a_cache_that_is_too_small_is_found_out() {
    let mut servers = vec![Server::start(&["-m", "8", "-I", "1m"])];
    servers.push(Server::memcached(&["-m", "8", "-I", "512k"]));
    for server in &servers {
        let address = server.address().to_string();
        let mut client = server.connect();
        let value = "v".repeat(50_000);
        for number in 0..400 {
            let request = format!("set key:{number} 0 0 {}\r\n{value}\r\n", value.len());
            client.ask(request, "STORED\r\n");
        }
        for number in 0..1000 {
            client.ask(format!("get none:{number}\r\n"), "END\r\n");
        }
        let (found, code) = examine(&address);
        assert_eq!(code, Some(7), "{found:#}");
        assert_eq!(worst(&found, "evictions"), "warning", "{found:#}");
        assert_eq!(worst(&found, "hits"), "warning", "{found:#}");
    }
}

#[test]
fn a_node_that_does_not_answer_is_critical() {
    let server = Server::start(&[]);
    let address = server.address().to_string();
    let gone = Server::start(&[]);
    let node = format!("127.0.0.1|127.0.0.1|{}", gone.address().port());
    says(&address, &["cluster", "join", &node]);
    let (found, _) = examine(&address);
    assert_eq!(worst(&found, "cluster"), "fine", "{found:#}");
    drop(gone);
    let (found, code) = examine(&address);
    assert_eq!((worst(&found, "cluster"), code), ("critical", Some(8)));
}

#[test]
fn rates_are_shown_of_every_daemon() {
    let mut servers = vec![Server::start(&[])];
    servers.push(Server::memcached(&[]));
    let addresses: Vec<String> = servers
        .iter()
        .map(|server| server.address().to_string())
        .collect();
    let all = addresses.join(",");
    let text = says(&all, &["top", "--once", "--interval", "0.05"]);
    assert_eq!(text.lines().count(), 1 + servers.len(), "{text}");
    assert!(
        text.starts_with("server") && !text.contains('\x1b'),
        "{text}"
    );
    let words = ["top", "--count", "2", "--interval", "0.05", "--json"];
    let text = says(&all, &words);
    assert_eq!(text.lines().count(), 2);
    for line in text.lines() {
        let rows: Value = serde_json::from_str(line).expect("JSON");
        for (row, address) in rows.as_array().expect("rows").iter().zip(&addresses) {
            assert_eq!(row["server"], *address);
            assert!(row["connections"].as_u64() >= Some(1), "{row}");
            assert!(row["gets_per_s"].is_f64());
        }
    }
    fails("127.0.0.1:1", &["top", "--once"], 3, "cannot connect");
}

#[test]
fn what_is_hot_and_what_is_big_is_shown() {
    let server = Server::start(&["-o", "hot_key_sample=1"]);
    let address = server.address().to_string();
    says(&address, &["set", "user:1", &"x".repeat(20_000)]);
    says(&address, &["set", "user:2", "y"]);
    let mut client = server.connect();
    for _ in 0..50 {
        client.ask("get user:2\r\n", "VALUE user:2 0 1\r\ny\r\nEND\r\n");
    }
    let hot = tells(&address, &["hotkeys"]);
    assert_eq!(hot["keys"][0]["key"], "user:2", "{hot}");
    assert!(
        hot["keys"][0]["requests_per_s"].as_f64() > Some(0.0),
        "{hot}"
    );
    assert_eq!(hot["prefixes"][0]["prefix"], "user");
    let text = says(&address, &["hotkeys"]);
    assert!(text.contains("KEY") && text.contains("user:2"), "{text}");
    let big = tells(&address, &["bigkeys"]);
    assert_eq!(big["keys"][0]["key"], "user:1", "{big}");
    assert_eq!(big["keys"][0]["value_size"], 20_000);
    assert!(says(&address, &["bigkeys"]).contains("user:1"));
    let memcached = Server::memcached(&[]);
    let address = memcached.address().to_string();
    fails(&address, &["hotkeys"], 6, "stats hotkeys");
    fails(&address, &["bigkeys"], 6, "stats bigkeys");
}

#[test]
fn clients_are_listed_and_closed() {
    let server = Server::start(&[]);
    let address = server.address().to_string();
    let mut other = server.connect();
    other.ask("mn\r\n", "MN\r\n");
    let listed = tells(&address, &["clients"]);
    let all = listed.as_array().expect("a list");
    let mut idle = all.iter().filter(|client| client["last_command"] == "mn");
    let id = idle.next().expect("the other client")["id"].to_string();
    assert!(says(&address, &["clients", "list"]).contains("127.0.0.1"));
    let text = says(&address, &["clients", "list", "--limit", "1"]);
    assert!(
        text.lines().count() == 3 && text.ends_with("1 of 2\n"),
        "{text}"
    );
    let listed = tells(&address, &["clients", "--limit", "1"]);
    assert_eq!(listed.as_array().map(Vec::len), Some(1));
    fails(&address, &["clients", "--limit", "0"], 2, "--limit");
    assert_eq!(tells(&address, &["clients", "kill", &id])["killed"], true);
    other.expect_close();
    fails(&address, &["clients", "kill", &id], 1, "not found");
    let memcached = Server::memcached(&[]);
    let address = memcached.address().to_string();
    assert!(says(&address, &["clients"]).contains("conn_"));
    fails(
        &address,
        &["clients", "kill", "1"],
        6,
        "closes no connections",
    );
}

#[test]
fn what_took_long_is_shown_newest_first() {
    let server = Server::start(&["-o", "slow_log_us=1"]);
    let address = server.address().to_string();
    let mut client = server.connect();
    client.ask("set user:1 0 0 1\r\nx\r\n", "STORED\r\n");
    client.ask("get user:1\r\n", "VALUE user:1 0 1\r\nx\r\nEND\r\n");
    // A turn is kept once its answer has been sent.
    client.sync();
    let slow = tells(&address, &["slow"]);
    assert_eq!(slow["threshold_us"], 1, "{slow}");
    let turns = slow["slow"].as_array().expect("a list");
    let numbers = turns.iter().map(|turn| turn["number"].as_u64());
    assert!(
        numbers.is_sorted_by(|before, after| before > after),
        "{slow}"
    );
    let at = |command: &str| {
        let place = turns.iter().position(|turn| turn["command"] == command);
        place.unwrap_or_else(|| panic!("{command}: {slow}"))
    };
    assert!(at("get") < at("set"), "{slow}");
    let get = &turns[at("get")];
    assert_eq!((&get["key"], &get["user"]), (&"user:1".into(), &"-".into()));
    assert!(get["duration_us"].as_u64() >= Some(1), "{get}");
    let text = says(&address, &["slow"]);
    let first = text.lines().next();
    assert!(
        first.is_some_and(|line| line.starts_with("turns that took 1 us or longer: ")),
        "{text}"
    );
    let get = text.lines().find(|line| line.contains(" get "));
    assert!(get.is_some_and(|line| line.contains("user:1")), "{text}");
    let in_packets = tells(&address, &["--binary", "slow"]);
    assert_eq!(in_packets["threshold_us"], 1, "{in_packets}");
    let off = Server::start(&["-o", "slow_log_us=0"]);
    let off = off.address().to_string();
    assert!(says(&off, &["slow"]).contains("nothing is kept"));
    let both = says(&format!("{address},{off}"), &["slow", "--json"]);
    let answers: Vec<Value> = both
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    assert_eq!(answers.len(), 2, "{both}");
    assert_eq!(answers[0]["answer"]["threshold_us"], 1, "{both}");
    assert_eq!(answers[1]["server"], off, "{both}");
    assert_eq!(answers[1]["answer"]["slow"], Value::Array(Vec::new()));
    let memcached = Server::memcached(&[]);
    fails(&memcached.address().to_string(), &["slow"], 6, "stats slow");
}

#[test]
fn workers_are_shown_with_what_they_do() {
    let server = Server::start(&["-t", "2"]);
    let address = server.address().to_string();
    let mut client = server.connect();
    client.sync();
    let told = tells(&address, &["threads"]);
    let workers = told.as_array().expect("a list");
    assert_eq!(workers.len(), 2, "{told}");
    for (number, worker) in workers.iter().enumerate() {
        assert_eq!(worker["worker"], number);
        assert_eq!(worker["name"], format!("larder-w{number}"));
        assert!(worker["busy_percent_10s"].is_f64(), "{worker}");
    }
    let requests = workers.iter().map(|worker| worker["requests"].as_u64());
    assert!(requests.flatten().sum::<u64>() >= 1, "{told}");
    let text = says(&address, &["threads"]);
    assert_eq!(text.lines().count(), 3, "{text}");
    assert!(text.starts_with("WORKER  BUSY % 10S  "), "{text}");
    let first: Vec<&str> = text.lines().map(|line| &line[..1]).collect();
    assert_eq!(first, ["W", "0", "1"], "{text}");
    let both = says(&format!("{address},{address}"), &["threads"]);
    assert_eq!(both.matches("WORKER").count(), 2, "{both}");
    let memcached = Server::memcached(&[]);
    let memcached = memcached.address().to_string();
    fails(&memcached, &["threads"], 6, "stats threads");
}

#[test]
fn the_live_view_leaves_the_terminal_as_it_was() {
    let server = Server::start(&[]);
    let line = format!("{LARDER} top --count 2 --interval 0.05 && stty -a");
    let mut child = Command::new("timeout")
        .args(["60", "script", "-qec", &line, "/dev/null"])
        .env("LARDER_SERVER", server.address().to_string())
        .env("TERM", "xterm")
        .env_remove("NO_COLOR")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("timeout of coreutils");
    // The end of its input would be typed as Ctrl-D, which ends the view.
    let _typist = child.stdin.take();
    let output = child.wait_with_output().expect("the view to end");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(
        text.contains("\x1b[?1049h") && text.contains("\x1b[?1049l"),
        "{text}"
    );
    assert!(text.contains("get/s"), "{text}");
    assert!(
        text.contains(" icanon") && text.contains(" echo "),
        "{text}"
    );
}
