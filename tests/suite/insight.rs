//! What is hot, big, short-lived and wasted, asked of a real daemon under load by several clients.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::thread;

use crate::admin::{get, json, scrape, start};
use crate::support::Client;
use crate::support::process::settled_size;
use crate::support::server::Server;

/// Keys of the load, of which the first is asked for most.
const KEY_COUNT: u64 = 20_000;

/// Numbers that look random and are the same each time.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 >> 11
    }

    /// A rank whose chance falls as its number grows: 1, 1/2, 1/3 and so on.
    fn rank(&mut self, cumulated: &[f64]) -> usize {
        let all = cumulated[cumulated.len() - 1];
        let share = self.next() as f64 / (1_u64 << 53) as f64;
        cumulated.partition_point(|&sum| sum < share * all)
    }
}

fn zipf() -> Vec<f64> {
    let mut sum = 0.0;
    let ranks = (1..=KEY_COUNT).map(|rank| {
        sum += 1.0 / rank as f64;
        sum
    });
    ranks.collect()
}

/// Asks for keys by their ranks, from connections that come to different workers.
fn load(server: &Server, clients: u64, requests: usize) {
    let cumulated = zipf();
    thread::scope(|scope| {
        for seed in 1..=clients {
            let cumulated = &cumulated;
            let mut client = server.connect();
            scope.spawn(move || {
                let mut numbers = Numbers(seed * 0x1e37_79b9_7f4a_7c15);
                for _ in 0..requests / 100 {
                    let mut said = String::new();
                    for _ in 0..100 {
                        let rank = numbers.rank(cumulated);
                        said += &format!("mg group{}:key{rank}\r\n", rank % 7);
                    }
                    client.send(said);
                    (0..100).for_each(|_| assert_eq!(client.line(), "EN"));
                }
            });
        }
    });
}

/// A report as names and values.
fn report(client: &mut Client, group: &str) -> HashMap<String, String> {
    let lines = client.list(&format!("stats {group}"));
    let figures = lines.iter().filter_map(|line| {
        let (name, value) = line.strip_prefix("STAT ")?.split_once(' ')?;
        Some((name.to_owned(), value.to_owned()))
    });
    figures.collect()
}

#[test]
fn the_hottest_keys_of_a_skewed_load_are_told_first_by_all_workers_together() {
    let (server, address) = start(&["-t", "2", "-o", "hot_key_sample=20"]);
    load(&server, 4, 50_000);
    let seen = report(&mut server.connect(), "hotkeys");
    let told: Vec<&str> = (1..=10)
        .map(|rank| &*seen[&format!("key:{rank}:key")])
        .collect();
    assert_eq!(told[..2], ["group0%3Akey0", "group1%3Akey1"], "{told:?}");
    for rank in 2..6 {
        let key = format!("group{rank}%3Akey{rank}");
        assert!(told.contains(&&*key), "{key}: {told:?}");
    }
    let number = |name: &str| -> f64 { seen[name].parse().expect("a number") };
    // One in twenty of 200,000, and a tenth of that for the first: 1 / (1 + 1/2 + 1/3 + ...).
    assert!((9000.0..=11_000.0).contains(&number("samples")));
    assert!((8.5..=10.5).contains(&number("key:1:share_percent")));
    assert_eq!(number("key:1:misses_per_s"), number("key:1:requests_per_s"));
    assert_eq!(seen["prefix:1:prefix"], "group0");
    let prefixes = (1..9).filter(|rank| seen.contains_key(&format!("prefix:{rank}:prefix")));
    assert_eq!(prefixes.count(), 7);

    let told = json(address, "/api/v1/hotkeys");
    assert_eq!(told["keys"][0]["key"], "group0%3Akey0");
    assert!(
        told["keys"][0]["requests_per_s"]
            .as_f64()
            .expect("a number")
            > 0.0
    );
    assert_eq!(told["prefixes"][0]["prefix"], "group0");
    assert_eq!(told["sampled_one_in"], 20);
    let scrape = scrape(address);
    assert!(scrape.value("larder_hottest_requests_per_second{of=\"key\"}") > 0.0);
    let share = scrape.value("larder_hottest_request_ratio{of=\"key\"}");
    assert!((0.085..=0.105).contains(&share), "{share}");
    assert!(!scrape.series.keys().any(|series| series.contains("key0")));
}

#[test]
fn a_key_of_digits_is_a_name_and_no_number() {
    let (server, address) = start(&["-o", "hot_key_sample=1"]);
    server
        .connect()
        .ask("set 007 0 0 2\r\nhi\r\n", "STORED\r\n");
    assert_eq!(json(address, "/api/v1/hotkeys")["keys"][0]["key"], "007");
    assert_eq!(json(address, "/api/v1/bigkeys")["keys"][0]["key"], "007");
}

#[test]
fn any_number_of_keys_takes_the_memory_of_a_few() {
    let server = Server::start(&["-t", "1", "-o", "hot_key_sample=1"]);
    let mut client = server.connect();
    let mut ask = |keys: std::ops::Range<u32>| {
        for first in keys.step_by(100) {
            let lines = (first..first + 100).map(|key| format!("mg {key}:{key:0>240}\r\n"));
            client.send(lines.collect::<String>());
            (0..100).for_each(|_| assert_eq!(client.line(), "EN"));
        }
        settled_size(server.pid())
    };
    let before = ask(0..20_000);
    let after = ask(20_000..120_000);
    // A hundred thousand keys are 24 MB.
    assert!(after < before + (2 << 20), "{before} {after}");
}

#[test]
fn sizes_of_many_items_are_counted_while_later_requests_wait_their_turn() {
    let server = Server::start(&["-m", "64", "-o", "track_sizes"]);
    let mut client = server.connect();
    let mut said = String::new();
    for number in 0..20_000 {
        let size = if number % 4 == 0 { 1000 } else { 100 };
        let value = "x".repeat(size);
        said += &format!("set key:{number:05} 0 0 {size} noreply\r\n{value}\r\n");
    }
    client.send(said + "stats sizes\r\nversion\r\n");
    let mut counted = Vec::new();
    loop {
        let line = client.line();
        if line == "END" {
            break;
        }
        let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
        counted.push((words[2].clone(), words[1].parse().unwrap()));
    }
    assert!(
        matches!(&counted[..], [(small, 100..=200), (large, 1000..=1100)]
            if small == "15000" && large == "5000"),
        "{counted:?}"
    );
    assert!(client.line().starts_with("VERSION "));
}

#[test]
fn the_largest_items_time_bands_and_waste_are_told_on_the_wire_and_by_the_api() {
    let (server, address) = start(&["-m", "64", "-o", "hot_key_sample=1"]);
    let mut client = server.connect();
    let sizes = [700_000, 500_000, 20_000, 300];
    for (number, size) in sizes.iter().enumerate() {
        let (exptime, value) = ([0, 50, 500, 5000][number], "x".repeat(*size));
        client.ask(
            format!("set big:{number} 0 {exptime} {size}\r\n{value}\r\n"),
            "STORED\r\n",
        );
    }
    client.ask("delete big:1\r\n", "DELETED\r\n");
    let seen = report(&mut client, "bigkeys");
    let told: Vec<&str> = (1..=3)
        .map(|rank| &*seen[&format!("key:{rank}:key")])
        .collect();
    assert_eq!(told, ["big%3A0", "big%3A2", "big%3A3"]);
    assert!(!seen.contains_key("key:4:key"));
    let told = json(address, "/api/v1/bigkeys");
    assert_eq!(
        (&told["complete"], &told["looked_at"]),
        (&true.into(), &3.into())
    );
    assert_eq!(
        (&told["keys"][0]["value_size"], &told["keys"][0]["ttl_s"]),
        (&700_000.into(), &(-1).into())
    );

    let bands = json(address, "/api/v1/ttl");
    let bands = bands["bands"].as_array().expect("bands");
    let names: Vec<&str> = bands
        .iter()
        .filter_map(|band| band["ttl"].as_str())
        .collect();
    assert_eq!(
        names,
        [
            "none",
            "below_1m",
            "below_10m",
            "below_1h",
            "below_1d",
            "longer"
        ]
    );
    let sets: Vec<u64> = bands
        .iter()
        .filter_map(|band| band["sets"].as_u64())
        .collect();
    assert_eq!(sets, [1, 1, 1, 0, 1, 0]);
    assert_eq!(report(&mut client, "ttl")["below_1d:sets"], "1");
    assert_eq!(
        scrape(address).value("larder_sets_by_ttl_total{ttl=\"below_1d\"}"),
        1.0
    );

    let waste = json(address, "/api/v1/waste");
    let of = |value: &serde_json::Value, name: &str| value[name].as_u64().expect("a number");
    let classes = waste["classes"].as_array().expect("classes");
    for name in [
        "items",
        "memory_bytes",
        "item_bytes",
        "rounding_bytes",
        "free_bytes",
    ] {
        let sum: u64 = classes.iter().map(|class| of(class, name)).sum();
        assert_eq!(sum, of(&waste, name), "{name}");
    }
    assert_eq!(of(&waste, "items"), 3);
    assert!(of(&waste, "item_bytes") > 720_300 && of(&waste, "item_bytes") < 721_000);
    assert!(
        waste["advice"][0]
            .as_str()
            .expect("words")
            .contains("memory is not short")
    );
}

#[test]
fn a_full_cache_of_odd_sizes_is_told_what_would_fit_better() {
    let server = Server::start(&["-m", "4", "-f", "2"]);
    let mut client = server.connect();
    let value = "x".repeat(900);
    for number in 0..12_000 {
        client.send(format!("set k{number} 0 0 900 noreply\r\n{value}\r\n"));
    }
    client.sync();
    let seen = report(&mut client, "waste");
    let advice = &seen["advice:1"];
    assert!(
        advice.starts_with("items of class ") && advice.contains("-f 1.50"),
        "{advice}"
    );
    assert!(advice.contains("-o slab_sizes with one of 968"), "{advice}");
}

#[test]
fn where_keys_are_not_to_be_shown_no_page_shows_them() {
    let (server, address) = start(&["-X", "-o", "hot_key_sample=1"]);
    server
        .connect()
        .ask("set secret 0 0 2\r\nhi\r\n", "STORED\r\n");
    for path in ["/api/v1/hotkeys", "/api/v1/bigkeys"] {
        let answer = get(address, path);
        assert_eq!(answer.status, 403);
        assert!(!answer.body.contains("secret"));
    }
    for path in [
        "/",
        "/api/v1/page",
        "/api/v1/stats",
        "/metrics",
        "/api/v1/waste",
        "/api/v1/ttl",
    ] {
        assert!(!get(address, path).body.contains("secret"), "{path}");
    }
}

#[test]
fn keys_and_figures_of_a_daemon_under_load_are_answered_at_any_time() {
    let (server, address) = start(&["-t", "2", "-m", "16"]);
    let hammer = |address: SocketAddr| {
        for _ in 0..20 {
            for path in ["hotkeys", "bigkeys", "ttl", "waste"] {
                assert!(json(address, &format!("/api/v1/{path}")).is_object());
            }
        }
    };
    thread::scope(|scope| {
        scope.spawn(|| hammer(address));
        for seed in 1..4 {
            let mut client = server.connect();
            scope.spawn(move || {
                let mut numbers = Numbers(seed);
                for round in 0..40 {
                    for _ in 0..100 {
                        let (key, size) = (numbers.next() % 3000, numbers.next() % 20_000);
                        let value = "x".repeat(usize::try_from(size).expect("a size"));
                        client.send(format!("set k{key} 0 0 {size} noreply\r\n{value}\r\n"));
                    }
                    let group = ["hotkeys", "bigkeys", "ttl", "waste"][round % 4];
                    assert!(!report(&mut client, group).is_empty());
                }
            });
        }
    });
}
