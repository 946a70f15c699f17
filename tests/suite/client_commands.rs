//! What `larder`, the client program, does with items, against larderd and memcached.

use crate::support::Server;
use crate::support::program::{fails, larder, says, tells};

/// A daemon of either kind.
fn servers(flags: &[&str]) -> Vec<Server> {
    let mut servers = vec![Server::start(flags)];
    servers.push(Server::memcached(flags));
    servers
}

#[test]
fn storing_knows_conditions() {
    for server in servers(&[]) {
        let address = server.address().to_string();
        says(&address, &["add", "k", "b"]);
        fails(&address, &["add", "k", "b"], 1, "there already");
        says(&address, &["append", "k", "c"]);
        says(&address, &["prepend", "k", "a"]);
        assert_eq!(says(&address, &["get", "k"]), "abc");
        fails(&address, &["append", "none", "c"], 1, "not found");
        fails(&address, &["replace", "none", "c"], 1, "not found");
        says(&address, &["replace", "k", "x", "--flags", "9"]);
        fails(&address, &["cas", "k", "y", "1000000"], 1, "another cas");
        fails(&address, &["cas", "none", "y", "1"], 1, "not found");
        let cas = says(&address, &["inspect", "k", "--only", "cas"]);
        says(&address, &["cas", "k", "y", cas.trim()]);
        assert_eq!(says(&address, &["get", "k"]), "y");
        assert_eq!(tells(&address, &["set", "k", "z"])["stored"], true);
        assert_eq!(tells(&address, &["delete", "k"])["deleted"], true);
    }
}

#[test]
fn counters_go_up_and_down() {
    for server in servers(&[]) {
        let address = server.address().to_string();
        fails(&address, &["incr", "n"], 1, "not found");
        says(&address, &["set", "n", "10"]);
        assert_eq!(says(&address, &["incr", "n"]), "11\n");
        assert_eq!(says(&address, &["decr", "n", "20"]), "0\n");
        assert_eq!(tells(&address, &["incr", "n", "5"])["value"], 5);
        says(&address, &["set", "n", "text"]);
        fails(&address, &["incr", "n"], 1, "refused");
    }
}

#[test]
fn a_time_to_live_is_given_and_shown() {
    for server in servers(&[]) {
        let address = server.address().to_string();
        says(&address, &["set", "k", "v"]);
        assert!(says(&address, &["inspect", "k"]).contains("without end"));
        says(&address, &["touch", "k", "1000"]);
        fails(&address, &["touch", "none", "1000"], 1, "not found");
        let left = tells(&address, &["inspect", "k"])["ttl_s"].as_u64();
        assert!((900..=1000).contains(&left.expect("a number")));
        assert_eq!(says(&address, &["gat", "k", "5000"]), "v");
        let left = says(&address, &["inspect", "k", "--only", "ttl_s"]);
        assert!((4900..=5000).contains(&left.trim().parse().expect("a number")));
        fails(&address, &["gat", "none", "1"], 1, "not found");
    }
}

#[test]
fn an_item_is_inspected_without_being_used() {
    for server in servers(&[]) {
        let address = server.address().to_string();
        says(&address, &["set", "k", "hello", "--flags", "7"]);
        for _ in 0..2 {
            let seen = tells(&address, &["inspect", "k"]);
            assert_eq!(seen["key"], "k");
            assert_eq!(seen["size"], 5);
            assert_eq!(seen["flags"], 7);
            assert_eq!(seen["hit_before"], false);
            assert_eq!(seen["class"], 1);
            assert_eq!(seen["binary"], false);
            assert!(seen["memory"].as_u64() > Some(50), "{seen}");
            assert!(seen["ttl_s"].is_null());
        }
        says(&address, &["get", "k"]);
        assert_eq!(
            says(&address, &["inspect", "k", "--only", "hit_before"]),
            "true\n"
        );
        fails(&address, &["inspect", "none"], 1, "not found");
        fails(&address, &["inspect", "k", "--only", "ttl_s"], 6, "ttl_s");
        fails(&address, &["inspect", "base64:***"], 2, "no key");
    }
}

#[test]
fn keys_are_listed_as_they_are() {
    for server in servers(&[]) {
        let address = server.address().to_string();
        assert_eq!(says(&address, &["keys"]), "");
        for number in 0..1000 {
            server
                .connect()
                .ask(format!("set user:{number} 0 500 1\r\nv\r\n"), "STORED\r\n");
        }
        says(&address, &["set", "other%20", "v"]);
        let mut client = server.connect();
        client.ask("ms YSBiDQo= 1 b\r\nv\r\n", "HD\r\n");
        let text = says(&address, &["keys", "--prefix", "user:"]);
        let mut keys: Vec<&str> = text.lines().collect();
        keys.sort_unstable();
        let mut expected: Vec<String> = (0..1000).map(|number| format!("user:{number}")).collect();
        expected.sort_unstable();
        assert_eq!(keys, expected);
        let all = says(&address, &["keys"]);
        assert_eq!(all.lines().count(), 1002);
        assert!(all.lines().any(|line| line == "other%20"));
        assert!(all.lines().any(|line| line == "base64:YSBiDQo="));
        assert_eq!(says(&address, &["keys", "--limit", "7"]).lines().count(), 7);
        let long = says(&address, &["keys", "--long", "--prefix", "user:42"]);
        let line = long.lines().next().expect("a key");
        let words: Vec<&str> = line.split('\t').collect();
        assert_eq!(words.len(), 5, "{line}");
        assert!((1..=500).contains(&words[2].parse().expect("a time to live")));
        let seen = tells(&address, &["keys", "--prefix", "other"]);
        assert_eq!(seen["key"], "other%20");
        assert!(seen["expires"].is_null());
        let seen = tells(&address, &["inspect", "base64:YSBiDQo="]);
        assert_eq!((&seen["binary"], &seen["size"]), (&true.into(), &1.into()));
    }
}

#[test]
fn a_key_of_any_bytes_is_taken_as_keys_prints_it() {
    for server in servers(&[]) {
        let address = server.address().to_string();
        let mut client = server.connect();
        client.ask("ms YSBiDQo= 5 b F7\r\nhello\r\n", "HD\r\n");
        client.send(b"set \xff\xfe 3 0 3\r\nraw\r\n");
        client.expect("STORED\r\n");
        client.ask("set base64:YQ== 0 0 4\r\ntext\r\n", "STORED\r\n");
        let printed = says(&address, &["keys"]);
        let mut values: Vec<String> = printed
            .lines()
            .map(|key| says(&address, &["get", key]))
            .collect();
        values.sort_unstable();
        assert_eq!(values, ["hello", "raw", "text"], "{printed}");
        let key = "base64:YSBiDQo=";
        let seen = tells(&address, &["get", key]);
        assert_eq!(
            (&seen["key"], &seen["flags"]),
            (&"a b\r\n".into(), &7.into())
        );
        says(&address, &["append", key, ", "]);
        says(&address, &["prepend", key, "oh, "]);
        assert_eq!(says(&address, &["gat", key, "500"]), "oh, hello, ");
        let left = tells(&address, &["inspect", key])["ttl_s"].as_u64();
        assert!((400..=500).contains(&left.expect("a number")));
        fails(&address, &["add", key, "x"], 1, "there already");
        fails(&address, &["cas", key, "x", "999999"], 1, "another cas");
        let cas = tells(&address, &["get", key])["cas"].to_string();
        says(&address, &["cas", key, "10", &cas, "--ttl", "100"]);
        assert_eq!(says(&address, &["incr", key, "5"]), "15\n");
        assert_eq!(says(&address, &["decr", key, "20"]).trim(), "0");
        says(&address, &["replace", key, "text"]);
        fails(&address, &["incr", key], 1, "refused");
        says(&address, &["touch", key, "900"]);
        let left = tells(&address, &["inspect", key])["ttl_s"].as_u64();
        assert!((800..=900).contains(&left.expect("a number")));
        assert_eq!(tells(&address, &["delete", key])["deleted"], true);
        for words in [
            &["get", key][..],
            &["gat", key, "1"],
            &["touch", key, "1"],
            &["delete", key],
            &["incr", key],
            &["append", key, "x"],
            &["replace", key, "x"],
            &["cas", key, "x", "1"],
        ] {
            fails(&address, words, 1, "not found");
        }
        says(&address, &["set", key, "v", "--flags", "9"]);
        client.ask("mg YSBiDQo= b f v\r\n", "VA 1 f9\r\nv\r\n");
        says(&address, &["touch", key, "-1"]);
        fails(&address, &["get", key], 1, "not found");
        // Packets have them as they are.
        says(&address, &["--binary", "set", key, "v"]);
        assert_eq!(says(&address, &["get", key]), "v");
        assert_eq!(says(&address, &["--binary", "get", key]), "v");
        // What was meant is told, and how to say it.
        fails(&address, &["get", "a b"], 2, "base64:YSBi means this one");
    }
}

#[test]
fn a_flush_is_meant() {
    for server in servers(&[]) {
        let address = server.address().to_string();
        says(&address, &["set", "k", "v"]);
        // Nobody sits at a terminal here.
        fails(&address, &["flush"], 2, "--yes");
        assert_eq!(says(&address, &["get", "k"]), "v");
        assert_eq!(says(&address, &["flush", "--yes"]), "");
        fails(&address, &["get", "k"], 1, "not found");
        assert_eq!(tells(&address, &["flush", "--yes"])["flushed"], true);
    }
    let server = Server::start(&["-F", "-X"]);
    let address = server.address().to_string();
    fails(&address, &["flush", "--yes"], 1, "refused");
    fails(&address, &["keys"], 1, "refused");
}

#[test]
fn output_that_nobody_reads_on_is_not_written_on() {
    let server = Server::start(&[]);
    let address = server.address().to_string();
    says(&address, &["set", "k", "v"]);
    let line = format!("{} keys | true", crate::support::program::LARDER);
    let output = std::process::Command::new("/bin/sh")
        .args(["-c", &line])
        .env("LARDER_SERVER", &address)
        .output()
        .expect("a shell");
    assert!(output.stderr.is_empty(), "{output:?}");
    assert!(larder(&address, &["keys"], b"").status.success());
}

#[test]
fn round_trips_are_measured_and_the_daemons_own_times_shown() {
    for server in servers(&[]) {
        let address = server.address().to_string();
        let seen = tells(&address, &["latency", "--count", "50"]);
        assert_eq!(seen["round_trip"]["count"], 50);
        assert!(seen["round_trip"]["p99_us"].as_f64() > Some(0.0), "{seen}");
        assert!(seen["round_trip"]["min_us"].as_f64() <= seen["round_trip"]["max_us"].as_f64());
        assert!(says(&address, &["latency", "--count", "5"]).contains("round trip"));
    }
    let server = Server::start(&[]);
    let seen = tells(&server.address().to_string(), &["latency", "--count", "5"]);
    assert!(seen["commands"]["get"]["samples"].is_u64(), "{seen}");
}

#[test]
fn what_happens_is_watched() {
    for server in servers(&[]) {
        let address = server.address().to_string();
        server.connect().ask("set a%b 0 0 1\r\nv\r\n", "STORED\r\n");
        for more in [&[][..], &["--json"]] {
            let words = ["monitor", "fetchers", "--count", "2"];
            let watcher = std::process::Command::new(crate::support::program::LARDER)
                .args([&words[..], more].concat())
                .env("LARDER_SERVER", &address)
                .stdout(std::process::Stdio::piped())
                .spawn()
                .expect("the client program to start");
            server
                .connect()
                .await_stat("log_watchers", |count| count == 1);
            let mut client = server.connect();
            client.ask("get a%b\r\n", "VALUE a%b 0 1\r\nv\r\nEND\r\n");
            client.ask("get none\r\n", "END\r\n");
            let output = watcher.wait_with_output().expect("the program to end");
            assert!(output.status.success());
            let text = String::from_utf8_lossy(&output.stdout);
            assert_eq!(text.lines().count(), 2, "{text}");
            if more.is_empty() {
                assert!(text.contains("hit         a%b"), "{text}");
                assert!(text.contains("miss        none"), "{text}");
                // No terminal, no colours.
                assert!(!text.contains('\x1b'));
            } else {
                let line = text.lines().next().expect("a line");
                let event: serde_json::Value = serde_json::from_str(line).expect("JSON");
                assert_eq!(event["key"], "a%b");
                assert_eq!(event["status"], "found");
            }
            server
                .connect()
                .await_stat("log_watchers", |count| count == 0);
        }
        fails(&address, &["monitor", "nonsense"], 2, "nonsense");
    }
    let server = Server::start(&["-W"]);
    let address = server.address().to_string();
    fails(&address, &["monitor", "--count", "1"], 1, "not allowed");
}
