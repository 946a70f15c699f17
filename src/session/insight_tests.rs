//! What is told of hot, big and short-lived keys, in conversations whose clock the test moves.

use std::collections::HashMap;

use super::testing::{Bench, Client};
use crate::config::Config;
use crate::limits::{BIG_KEY_COUNT, HOT_KEY_COUNT};
use crate::stats::hot::WINDOW_S;

/// A daemon that looks at one request in so many.
fn bench(hot_key_sample: u32) -> Bench {
    Bench::new(Config {
        hot_key_sample,
        ..Config::default()
    })
    .expect("memory for a small store")
}

fn say(client: &mut Client<'_>, said: &str) -> String {
    String::from_utf8(client.say(said.as_bytes())).expect("a report is text")
}

/// A report as names and values.
fn report(client: &mut Client<'_>, group: &str) -> HashMap<String, String> {
    let said = say(client, &format!("stats {group}\r\n"));
    let body = said
        .strip_suffix("END\r\n")
        .unwrap_or_else(|| panic!("{said}"));
    let line = |line: &str| {
        let mut words = line.splitn(3, ' ').skip(1);
        let mut next = || words.next().unwrap_or_default().to_owned();
        (next(), next())
    };
    body.lines().map(line).collect()
}

fn hits(client: &mut Client<'_>, key: &str, count: usize) {
    for _ in 0..count {
        client.say(format!("get {key}\r\n").as_bytes());
    }
}

#[test]
fn every_kind_of_request_of_every_protocol_counts_for_its_key() {
    let bench = bench(1);
    let mut client = bench.client(1);
    let packet = |opcode: u8, extras: &[u8], key: &[u8]| {
        let mut packet = vec![
            0x80,
            opcode,
            0,
            1,
            u8::try_from(extras.len()).unwrap(),
            0,
            0,
            0,
        ];
        packet.extend([0, 0, 0, u8::try_from(extras.len() + key.len()).unwrap()]);
        packet.extend([0; 12]);
        packet.extend(extras);
        packet.extend(key);
        packet
    };
    say(
        &mut client,
        "set a 0 0 3\r\n100\r\nms a 4\r\n1000\r\nincr a 1\r\nma a\r\nappend a 0 0 1\r\n1\r\n",
    );
    say(
        &mut client,
        "get a b\r\ngat 0 a\r\nmg a v\r\ntouch a 0\r\nmg YQ== b v\r\nmg b\r\nincr b 1\r\n",
    );
    say(&mut client, "delete a\r\nmd a\r\ncas a 0 0 1 5\r\nx\r\n");
    let mut other = bench.client(2);
    other.say(&packet(0x01, &[0; 8], b"a"));
    other.say(&packet(0x00, b"", b"a"));
    other.say(&packet(0x00, b"", b"b"));
    bench.advance(10);
    let seen = report(&mut client, "hotkeys");
    let of = |name: &str| seen.get(name).map_or("", String::as_str);
    assert_eq!(
        (of("sampled_one_in"), of("window_s"), of("samples")),
        ("1", "10", "19")
    );
    assert_eq!((of("key:1:key"), of("key:1:samples")), ("a", "15"));
    // Ten seconds: each request is a tenth of one in a second.
    assert_eq!(of("key:1:requests_per_s"), "1.5");
    assert_eq!(
        (of("key:1:hits_per_s"), of("key:1:misses_per_s")),
        ("0.6", "0.0")
    );
    assert_eq!(
        (of("key:1:writes_per_s"), of("key:1:deletes_per_s")),
        ("0.7", "0.2")
    );
    assert_eq!(
        (of("key:1:share_percent"), of("key:1:value_size_max")),
        ("78.9", "5")
    );
    assert_eq!((of("key:2:key"), of("key:2:misses_per_s")), ("b", "0.3"));
    assert_eq!(
        of("key:2:writes_per_s"),
        "0.1",
        "what was not there to be counted up"
    );
    assert_eq!(of("key:3:key"), "");
    assert_eq!(of("prefix:1:prefix"), "", "no key has one");
}

#[test]
fn the_hottest_come_first_and_what_has_cooled_is_gone_within_a_minute() {
    let bench = bench(1);
    let mut client = bench.client(1);
    for (key, count) in [
        ("user:1", 30),
        ("user:2", 50),
        ("page:1", 70),
        ("plain", 40),
    ] {
        hits(&mut client, key, count);
    }
    let seen = report(&mut client, "hotkeys");
    let keys: Vec<&str> = (1..5)
        .map(|rank| &*seen[&format!("key:{rank}:key")])
        .collect();
    assert_eq!(keys, ["page%3A1", "user%3A2", "plain", "user%3A1"]);
    let prefixes: Vec<&str> = (1..3)
        .map(|rank| &*seen[&format!("prefix:{rank}:prefix")])
        .collect();
    assert_eq!(prefixes, ["user", "page"]);
    assert_eq!(seen["prefix:1:samples"], "80");
    bench.advance(WINDOW_S);
    hits(&mut client, "plain", 1);
    assert_eq!(report(&mut client, "hotkeys")["key:1:samples"], "70");
    bench.advance(WINDOW_S);
    let seen = report(&mut client, "hotkeys");
    assert_eq!((&*seen["key:1:key"], &*seen["samples"]), ("plain", "1"));
    bench.advance(WINDOW_S);
    assert_eq!(report(&mut client, "hotkeys")["samples"], "0");
    hits(&mut client, "plain", 9);
    say(&mut client, "stats reset\r\n");
    assert!(!report(&mut client, "hotkeys").contains_key("key:1:key"));
}

#[test]
fn one_request_in_ten_tells_of_all_and_no_sampling_of_none() {
    let (sampled, blind) = (bench(10), bench(0));
    for bench in [&sampled, &blind] {
        let mut client = bench.client(1);
        say(&mut client, "set a 0 60 1\r\nx\r\n");
        hits(&mut client, "a", 20_000);
        bench.advance(10);
    }
    let seen = report(&mut sampled.client(2), "hotkeys");
    let rate: f64 = seen["key:1:requests_per_s"].parse().unwrap();
    assert!((1900.0..=2100.0).contains(&rate), "{rate}");
    let hits: u64 = report(&mut sampled.client(2), "ttl")["below_10m:hits"]
        .parse()
        .unwrap();
    assert!((19_000..=21_000).contains(&hits), "{hits}");
    let seen = report(&mut blind.client(2), "hotkeys");
    assert_eq!((&*seen["sampled_one_in"], &*seen["samples"]), ("0", "0"));
    assert!(!seen.contains_key("key:1:key"));
    assert_eq!(report(&mut blind.client(2), "ttl")["below_10m:hits"], "0");
}

#[test]
fn keys_of_any_bytes_break_no_line_and_reports_are_bounded() {
    let bench = bench(1);
    let mut client = bench.client(1);
    // "a b\r\nEND\xff" as base64.
    for _ in 0..9 {
        say(&mut client, "ms YSBiDQpFTkT/ 2 b\r\nhi\r\n");
    }
    let seen = report(&mut client, "hotkeys");
    assert_eq!(seen["key:1:key"], "a%20b%0D%0AEND%FF");
    assert_eq!(
        report(&mut client, "bigkeys")["key:1:key"],
        "a%20b%0D%0AEND%FF"
    );
    for number in 0..20_000 {
        hits(&mut client, &format!("{number}:{number:0>200}"), 1);
        if number % 20 == 0 {
            say(&mut client, "mg YSBiDQpFTkT/ b\r\n");
        }
    }
    let seen = report(&mut client, "hotkeys");
    for what in ["key", "prefix"] {
        let told = (1..1000).filter(|rank| seen.contains_key(&format!("{what}:{rank}:{what}")));
        assert_eq!(told.count(), HOT_KEY_COUNT);
    }
    // One in twenty leads, whatever else comes and goes.
    assert_eq!(seen["key:1:key"], "a%20b%0D%0AEND%FF");
}

#[test]
fn hits_and_sets_are_told_by_time_to_live() {
    let bench = bench(1);
    let mut client = bench.client(1);
    for (key, exptime) in [("a", 0), ("b", 59), ("c", 60), ("d", 3599), ("e", 90_000)] {
        say(
            &mut client,
            &format!("set {key} 0 {exptime} 100\r\n{:0>100}\r\n", ""),
        );
    }
    // What is added to keeps its own time.
    say(&mut client, "append e 0 0 1\r\nx\r\n");
    bench.advance(30);
    say(&mut client, "get a b c d e none\r\nget a\r\n");
    let seen = report(&mut client, "ttl");
    let row = |band: &str| {
        ["sets", "hits", "items_percent"].map(|name| &*seen[&format!("{band}:{name}")])
    };
    assert_eq!(row("none"), ["1", "2", "20.0"]);
    assert_eq!(row("below_1m"), ["1", "2", "40.0"]);
    assert_eq!(row("below_10m"), ["1", "0", "0.0"]);
    assert_eq!(row("below_1h"), ["1", "1", "20.0"]);
    assert_eq!(row("below_1d"), ["0", "0", "0.0"]);
    assert_eq!(row("longer"), ["1", "1", "20.0"]);
    assert_eq!(seen["none:hits_percent"], "33.3");
    assert_eq!(seen["sampled_items"], "5");
}

#[test]
fn the_largest_are_told_in_turn_with_other_requests_and_in_binary() {
    let bench = bench(1);
    let mut client = bench.client(1);
    for number in 0..40_000 {
        say(
            &mut client,
            &format!("set k{number} 0 0 5 noreply\r\n12345\r\n"),
        );
    }
    let large = "x".repeat(3000);
    say(&mut client, &format!("set large 0 500 3000\r\n{large}\r\n"));
    let turns = client.turns;
    let said = say(&mut client, "mn\r\nstats bigkeys\r\nmn\r\n");
    assert!(said.starts_with("MN\r\nSTAT looked_at ") && said.ends_with("END\r\nMN\r\n"));
    assert!(
        client.turns > turns + 50,
        "others have their turns meanwhile"
    );
    let seen = report(&mut client, "bigkeys");
    let of = |name: &str| &*seen[name];
    assert_eq!(
        (of("key:1:key"), of("key:1:value_size"), of("key:1:ttl_s")),
        ("large", "3000", "500")
    );
    assert_eq!(
        (of("key:2:value_size"), of("key:2:ttl_s"), of("complete")),
        ("5", "-1", "yes")
    );
    assert!(seen.contains_key(&format!("key:{BIG_KEY_COUNT}:key")));
    assert!(!seen.contains_key(&format!("key:{}:key", BIG_KEY_COUNT + 1)));
    say(&mut client, "delete large\r\n");
    assert_eq!(report(&mut client, "bigkeys")["key:1:value_size"], "5");

    let mut binary = bench.client(2);
    let mut stat = vec![0x80, 0x10, 0, 7, 0, 0, 0, 0, 0, 0, 0, 7, 1, 2, 3, 4];
    stat.extend([0; 8]);
    stat.extend(b"bigkeys");
    let mut noop = vec![0x80, 0x0a];
    noop.extend([0; 22]);
    stat.extend(noop);
    let said = binary.say(&stat);
    let text = String::from_utf8_lossy(&said);
    assert!(text.contains("looked_at") && text.contains("key:1:value_size"));
    // The list ends before the next packet is answered.
    let end = &said[said.len() - 48..];
    assert_eq!((end[1], end[24 + 1]), (0x10, 0x0a));
    assert_eq!(end[2..8], [0; 6]);
}

#[test]
fn waste_adds_up_and_comes_with_advice() {
    let bench = bench(1);
    let mut client = bench.client(1);
    for number in 0..3000 {
        let size = number % 1500;
        let value = "x".repeat(size);
        let exptime = if number % 2 == 0 { 0 } else { 1000 };
        say(
            &mut client,
            &format!("set k{number} 0 {exptime} {size} noreply\r\n{value}\r\n"),
        );
    }
    let seen = report(&mut client, "waste");
    let of = |name: &str| -> u64 { seen[name].parse().unwrap() };
    let parts = [
        "item_bytes",
        "rounding_bytes",
        "free_bytes",
        "page_end_bytes",
    ];
    assert_eq!(
        of("memory_bytes"),
        parts.iter().map(|part| of(part)).sum::<u64>()
    );
    let classes: Vec<u32> = seen
        .keys()
        .filter_map(|name| name.strip_suffix(":memory_bytes")?.parse().ok())
        .collect();
    assert!(classes.len() > 5);
    for name in ["items", "memory_bytes", "item_bytes", "rounding_bytes"] {
        let sum: u64 = classes
            .iter()
            .map(|class| of(&format!("{class}:{name}")))
            .sum();
        assert_eq!(sum, of(name), "{name}");
    }
    assert_eq!(of("items"), 3000);
    // Header, key, value, and an expiry for every other item, which a sample has to guess.
    let exact: u64 = (0..3000_u64)
        .map(|number| 20 + format!("k{number}").len() as u64 + number % 1500 + number % 2 * 4)
        .sum();
    assert!(of("item_bytes").abs_diff(exact) < exact / 500);
    assert!(seen["advice:1"].starts_with("nothing has been evicted or refused"));
}
