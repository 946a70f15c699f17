//! What a user with few rights can do: every command of every dialect, and random ones.

use std::collections::BTreeSet;

use base64ct::{Base64, Encoding};
use proptest::prelude::*;

use super::rights;
use super::testing::{Bench, Client, text_file};
use crate::auth::Need;
use crate::config::Config;
use crate::protocol::admin::{self, Admin, Crawler, Detail, Stats};
use crate::protocol::binary::{HEADER_SIZE, Opcode, Verb};
use crate::protocol::meta;
use crate::protocol::text::{self, Command, StoreVerb};

/// Stands in the value and in the key of what nobody but its owner may see.
const MARKER: &str = "MARKER";

/// The only item of the one prefix, and its value.
const OWN: &str = "app1:x";

/// The only item of the other prefix.
const FOREIGN: &str = "app2:MARKER";

const DENIED: &str = "CLIENT_ERROR permission denied\r\n";

/// A daemon whose users are these, and an item of each of two prefixes.
fn bench(users: &str, change: impl FnOnce(&mut Config)) -> (Bench, tempfile::NamedTempFile) {
    let file = text_file(&format!("root:root\n{users}"));
    let mut config = Config {
        auth_file: Some(file.path().to_owned()),
        shutdown_command: true,
        debug_commands: true,
        // So that what is hot names what nobody else may see.
        hot_key_sample: 1,
        ..Config::default()
    };
    change(&mut config);
    let bench = Bench::new(config).unwrap();
    let mut root = bench.client(100);
    root.enter("root");
    for (key, value) in [(OWN, "17"), (FOREIGN, "MARKER 5"), ("app2:number", "5")] {
        let line = format!("set {key} 3 1000 {}\r\n{value}\r\n", value.len());
        assert_eq!(root.say(line.as_bytes()), b"STORED\r\n");
    }
    drop(root);
    // What was looked at once looks the same ever after.
    state(&bench);
    (bench, file)
}

fn enter<'b>(bench: &'b Bench, name: &str) -> Client<'b> {
    let mut client = bench.client(1);
    client.enter(name);
    client
}

/// Everything that a limited user must not change.
fn state(bench: &Bench) -> String {
    let mut root = enter(bench, "root");
    let mut seen = String::new();
    for command in [
        "get app2:MARKER app2:number",
        "me app2:MARKER",
        "me app2:number",
        "mg app2:MARKER t f c s v",
        "mg app2:new v",
        "mg app1:new v",
        "mg app1 v",
        "mg app1:x c f s t v",
        "stats settings",
        "stats detail dump",
        "config get cluster",
        "config get app1:x",
    ] {
        seen += &String::from_utf8_lossy(&root.say(format!("{command}\r\n").as_bytes()));
    }
    let general = String::from_utf8_lossy(&root.say(b"stats\r\n")).into_owned();
    let kept = ["curr_items", "total_items", "cmd_flush", "cmd_set", "bytes"];
    for line in general.lines() {
        if kept
            .iter()
            .any(|name| line.starts_with(&format!("STAT {name} ")))
        {
            seen += line;
        }
    }
    seen
}

/// What a reader of one prefix may expect of a command.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Expect {
    /// Served, whatever the key.
    Free,
    /// Served with a key of the prefix, denied with another.
    Read,
    /// Denied with any key.
    Denied,
    /// Denied, and nothing is said.
    Silent,
}

use Expect::{Denied, Free, Read, Silent};

/// Commands of the text and meta protocols. `K` is a key, `B` the same as base64.
const LINES: &[(&str, Expect)] = &[
    ("get K", Read),
    ("gets K", Read),
    ("get app1:x K", Read),
    ("get K app1:x", Read),
    ("get app1:x app1:y  K app1:z ", Read),
    ("gat 0 K", Denied),
    ("gats 0 K app1:x", Denied),
    ("gat 10 app1:x K", Denied),
    ("set K 0 0 2\r\nhi", Denied),
    ("set K 0 0 2 noreply\r\nhi", Silent),
    ("add K 0 0 2\r\nhi", Denied),
    ("replace K 0 0 2\r\nhi", Denied),
    ("append K 0 0 2\r\nhi", Denied),
    ("prepend K 0 0 2\r\nhi", Denied),
    ("cas K 0 0 2 1\r\nhi", Denied),
    ("delete K", Denied),
    ("delete K noreply", Silent),
    ("incr K 1", Denied),
    ("incr K 0", Denied),
    ("decr K 1 noreply", Silent),
    ("touch K 0", Denied),
    ("touch K 0 noreply", Silent),
    ("mg K", Read),
    ("mg K v", Read),
    ("mg K c f h k l s t u v O1 E7 C9 J5 D5 MI", Read),
    ("mg B b k v", Read),
    ("mg K v q", Read),
    ("mg K v N30", Denied),
    ("mg B b N30", Denied),
    ("mg K T30", Denied),
    ("mg K R30 v", Denied),
    ("mg K v q T0", Denied),
    ("me K", Read),
    ("me B b", Read),
    ("mn", Free),
    ("ms K 2\r\nhi", Denied),
    ("ms B 2 b\r\nhi", Denied),
    ("ms K 2 q\r\nhi", Denied),
    ("ms K 2 ME\r\nhi", Denied),
    ("ms K 2 MA N0\r\nhi", Denied),
    ("ms K 2 MP N0\r\nhi", Denied),
    ("ms K 2 MR\r\nhi", Denied),
    ("ms K 2 I C0\r\nhi", Denied),
    ("md K", Denied),
    ("md K q", Denied),
    ("md B b", Denied),
    ("md K I T30", Denied),
    ("md K x", Denied),
    ("ma K", Denied),
    ("ma K v", Denied),
    ("ma K N0 J5 v", Denied),
    ("ma B b N0 D0 v", Denied),
    ("ma K MD q", Denied),
    ("version", Free),
    ("config get cluster", Free),
    ("config get K", Free),
    ("config set cluster 0 2\r\nhi", Denied),
    ("config set K 0 2\r\nhi", Denied),
    ("config delete cluster", Denied),
    ("config delete K", Denied),
    ("flush_all", Denied),
    ("flush_all 10", Denied),
    ("flush_all noreply", Silent),
    ("stats", Free),
    ("stats settings", Free),
    ("stats items", Free),
    ("stats slabs", Free),
    ("stats sizes", Free),
    ("stats larder", Free),
    ("stats latency", Free),
    ("stats cluster", Free),
    ("stats ttl", Free),
    ("stats waste", Free),
    ("stats nonsense", Free),
    ("stats clients", Denied),
    ("stats conns", Denied),
    ("stats slow", Denied),
    ("stats threads", Free),
    ("stats reset", Denied),
    ("stats hotkeys", Denied),
    ("stats bigkeys", Denied),
    ("stats cachedump 1 0", Denied),
    ("stats cachedump 2 0", Denied),
    ("stats detail on", Denied),
    ("stats detail off", Denied),
    ("stats detail dump", Denied),
    ("watch", Denied),
    ("watch fetchers", Denied),
    ("watch mutations evictions", Denied),
    ("watch connevents", Denied),
    ("watch sysevents rawcmds proxyreqs", Denied),
    ("lru_crawler metadump all", Denied),
    ("lru_crawler metadump hash", Denied),
    ("lru_crawler mgdump 1,2", Denied),
    ("lru_crawler crawl all", Denied),
    ("lru_crawler enable", Denied),
    ("lru_crawler disable", Denied),
    ("lru_crawler sleep 100", Denied),
    ("lru_crawler tocrawl 5", Denied),
    ("lru tune 10 25 0.1 2.0", Denied),
    ("lru mode flat", Denied),
    ("lru temp_ttl 61", Denied),
    ("slabs reassign 1 2", Denied),
    ("slabs automove 0", Denied),
    ("slabs automove ratio 0.5", Denied),
    ("slabs automove freeratio 0.5", Denied),
    ("slabs automove window 10", Denied),
    ("cache_memlimit 128", Denied),
    ("cache_memlimit 128 noreply", Silent),
    ("client kill 1", Denied),
    ("verbosity 1", Denied),
    ("verbosity 1 noreply", Silent),
    ("refresh_certs", Denied),
    ("snapshot", Denied),
    ("debugtime +100", Denied),
    ("debugtime p", Denied),
    ("debugtime r", Denied),
    ("shutdown", Denied),
    ("shutdown graceful", Denied),
    ("quit", Free),
];

/// A match without `_` that names each pattern, and the list of the names: what is added to the
/// protocol does not compile here before it has a name, nor pass before a row above has it.
macro_rules! names {
    ($($pattern:pat => $name:literal,)*) => {
        fn name(command: &Command<'_>) -> &'static str {
            match command {
                $($pattern => $name,)*
            }
        }

        const NAMES: &[&str] = &[$($name,)*];
    };
}

names! {
    Command::Get(text::Get { exptime: None, .. }) => "get",
    Command::Get(text::Get { exptime: Some(_), .. }) => "gat",
    Command::Store(text::Store { verb: StoreVerb::Add, .. }) => "add",
    Command::Store(text::Store { verb: StoreVerb::Append, .. }) => "append",
    Command::Store(text::Store { verb: StoreVerb::Cas, .. }) => "cas",
    Command::Store(text::Store { verb: StoreVerb::Prepend, .. }) => "prepend",
    Command::Store(text::Store { verb: StoreVerb::Replace, .. }) => "replace",
    Command::Store(text::Store { verb: StoreVerb::Set, .. }) => "set",
    Command::MetaStore { .. } | Command::Meta(meta::Line { verb: meta::Verb::Set, .. }) => "ms",
    Command::Meta(meta::Line { verb: meta::Verb::Arithmetic, .. }) => "ma",
    Command::Meta(meta::Line { verb: meta::Verb::Debug, .. }) => "me",
    Command::Meta(meta::Line { verb: meta::Verb::Delete, .. }) => "md",
    Command::Meta(meta::Line { verb: meta::Verb::Get, .. }) => "mg",
    Command::MetaNoop => "mn",
    Command::Delete { .. } => "delete",
    Command::Arithmetic { decrement: false, .. } => "incr",
    Command::Arithmetic { decrement: true, .. } => "decr",
    Command::Touch { .. } => "touch",
    Command::Flush { .. } => "flush_all",
    Command::Config(text::config::Config::Delete { .. }) => "config delete",
    Command::Config(text::config::Config::Get { .. }) => "config get",
    Command::Config(text::config::Config::Set { .. }) => "config set",
    Command::Version => "version",
    Command::Quit => "quit",
    Command::Admin { command: Admin::CacheMemlimit(_), .. } => "cache_memlimit",
    Command::Admin { command: Admin::Client(admin::Client::Kill(_)), .. } => "client kill",
    Command::Admin { command: Admin::DebugTime(_), .. } => "debugtime",
    Command::Admin { command: Admin::Crawler(Crawler::Crawl(_)), .. } => "lru_crawler crawl",
    Command::Admin { command: Admin::Crawler(Crawler::Disable), .. } => "lru_crawler disable",
    Command::Admin { command: Admin::Crawler(Crawler::Enable), .. } => "lru_crawler enable",
    Command::Admin { command: Admin::Crawler(Crawler::Metadump(_)), .. } => "metadump",
    Command::Admin { command: Admin::Crawler(Crawler::Mgdump(_)), .. } => "mgdump",
    Command::Admin { command: Admin::Crawler(Crawler::Sleep(_)), .. } => "lru_crawler sleep",
    Command::Admin { command: Admin::Crawler(Crawler::ToCrawl(_)), .. } => "lru_crawler tocrawl",
    Command::Admin { command: Admin::Lru(_), .. } => "lru",
    Command::Admin { command: Admin::RefreshCerts, .. } => "refresh_certs",
    Command::Admin { command: Admin::Shutdown { .. }, .. } => "shutdown",
    Command::Admin { command: Admin::Slabs(_), .. } => "slabs",
    Command::Admin { command: Admin::Snapshot, .. } => "snapshot",
    Command::Admin { command: Admin::Stats(Stats::BigKeys), .. } => "stats bigkeys",
    Command::Admin { command: Admin::Stats(Stats::Cachedump { .. }), .. } => "stats cachedump",
    Command::Admin { command: Admin::Stats(Stats::Clients), .. } => "stats clients",
    Command::Admin { command: Admin::Stats(Stats::Cluster), .. } => "stats cluster",
    Command::Admin { command: Admin::Stats(Stats::Conns), .. } => "stats conns",
    Command::Admin { command: Admin::Stats(Stats::Detail(Detail::Dump)), .. } => "detail dump",
    Command::Admin { command: Admin::Stats(Stats::Detail(Detail::Off)), .. } => "detail off",
    Command::Admin { command: Admin::Stats(Stats::Detail(Detail::On)), .. } => "detail on",
    Command::Admin { command: Admin::Stats(Stats::General), .. } => "stats",
    Command::Admin { command: Admin::Stats(Stats::HotKeys), .. } => "stats hotkeys",
    Command::Admin { command: Admin::Stats(Stats::Items), .. } => "stats items",
    Command::Admin { command: Admin::Stats(Stats::Larder), .. } => "stats larder",
    Command::Admin { command: Admin::Stats(Stats::Latency), .. } => "stats latency",
    Command::Admin { command: Admin::Stats(Stats::Reset), .. } => "stats reset",
    Command::Admin { command: Admin::Stats(Stats::Settings), .. } => "stats settings",
    Command::Admin { command: Admin::Stats(Stats::Sizes), .. } => "stats sizes",
    Command::Admin { command: Admin::Stats(Stats::Slabs), .. } => "stats slabs",
    Command::Admin { command: Admin::Stats(Stats::Slow), .. } => "stats slow",
    Command::Admin { command: Admin::Stats(Stats::Threads), .. } => "stats threads",
    Command::Admin { command: Admin::Stats(Stats::Ttl), .. } => "stats ttl",
    Command::Admin { command: Admin::Stats(Stats::Unknown(_)), .. } => "stats of nothing",
    Command::Admin { command: Admin::Stats(Stats::Waste), .. } => "stats waste",
    Command::Admin { command: Admin::Verbosity(_), .. } => "verbosity",
    Command::Admin { command: Admin::Watch(_), .. } => "watch",
}

fn line(template: &str, key: &str) -> String {
    let base64 = Base64::encode_string(key.as_bytes());
    let words: Vec<String> = template
        .split(' ')
        .map(|word| match word {
            "K" => key.to_owned(),
            "B" => base64.clone(),
            word => word.to_owned(),
        })
        .collect();
    words.join(" ") + "\r\n"
}

#[test]
fn every_command_has_a_row() {
    let mut rows = BTreeSet::new();
    for (template, _) in LINES {
        let said = line(template, OWN);
        let end = said.find('\n').unwrap() + 1;
        let command = text::decode(&said.as_bytes()[..end]).unwrap();
        rows.insert(name(&command));
    }
    assert_eq!(rows, NAMES.iter().copied().collect());
}

#[test]
fn a_reader_of_one_prefix_can_do_nothing_else_in_lines() {
    let (bench, _file) = bench("app:pw\nuser app +@read ~app1:*\n", |_| ());
    let before = state(&bench);
    for (template, expect) in LINES {
        for key in [OWN, FOREIGN, "app2:number", "app2:new", "app1", "app10:x"] {
            let said = line(template, key);
            let mut client = enter(&bench, "app");
            let answer = client.say(format!("{said}mn\r\n").as_bytes());
            let answer = String::from_utf8_lossy(&answer);
            let is_own = key == OWN;
            let is_keyed = template.split(' ').any(|word| word == "K" || word == "B");
            match expect {
                Free if *template == "quit" => assert!(client.is_closed() && answer.is_empty()),
                Free => assert!(answer.ends_with("MN\r\n") && !answer.contains(DENIED)),
                Read if is_own => assert!(!answer.contains(DENIED), "{said}{answer}"),
                Read | Denied => assert_eq!(answer, format!("{DENIED}MN\r\n"), "{said}"),
                Silent => assert_eq!(answer, "MN\r\n", "{said}"),
            }
            assert!(!answer.contains(MARKER), "{said}{answer}");
            assert_eq!(state(&bench), before, "{said}");
            if !is_keyed {
                break;
            }
        }
    }
}

/// A request with these parts.
fn packet(code: u8, extras: &[u8], key: &str, value: &str) -> Vec<u8> {
    let mut packet = vec![0; HEADER_SIZE];
    packet[0] = 0x80;
    packet[1] = code;
    packet[2..4].copy_from_slice(&u16::try_from(key.len()).unwrap().to_be_bytes());
    packet[4] = u8::try_from(extras.len()).unwrap();
    let body = u32::try_from(extras.len() + key.len() + value.len()).unwrap();
    packet[8..12].copy_from_slice(&body.to_be_bytes());
    packet[12..16].copy_from_slice(&[code; 4]);
    packet.extend_from_slice(extras);
    packet.extend_from_slice(key.as_bytes());
    packet.extend_from_slice(value.as_bytes());
    packet
}

/// The parts of a request that asks this of a key, and what a reader of one prefix may expect.
fn asks(verb: Verb) -> (&'static [u8], bool, &'static str, Expect) {
    match verb {
        Verb::Add | Verb::Replace | Verb::Set => (&[0; 8], true, "hi", Denied),
        Verb::Append | Verb::Prepend => (&[], true, "hi", Denied),
        Verb::ConfigDelete => (&[], true, "", Denied),
        Verb::ConfigGet | Verb::ConfigGetKey => (&[], true, "", Free),
        Verb::ConfigSet => (&[0; 4], true, "hi", Denied),
        Verb::Decrement | Verb::Increment => (&[0; 20], true, "", Denied),
        Verb::Delete => (&[], true, "", Denied),
        Verb::Flush => (&[], false, "", Denied),
        Verb::Get | Verb::GetKey => (&[], true, "", Read),
        Verb::GetTouch | Verb::GetKeyTouch | Verb::Touch => (&[0; 4], true, "", Denied),
        Verb::Noop | Verb::Quit | Verb::Stat | Verb::Version => (&[], false, "", Free),
        // These belong to the door; no right is needed to knock.
        Verb::SaslAuth | Verb::SaslList | Verb::SaslStep => (&[], false, "", Free),
    }
}

/// The status of each reply, with its opcode.
fn statuses(mut replies: &[u8]) -> Vec<(u8, u16)> {
    let mut all = Vec::new();
    while let Some(header) = replies.first_chunk::<HEADER_SIZE>() {
        all.push((header[1], u16::from_be_bytes([header[6], header[7]])));
        let body = u32::from_be_bytes([header[8], header[9], header[10], header[11]]);
        replies = &replies[HEADER_SIZE + body as usize..];
    }
    all
}

const NOOP: u8 = 0x0a;

#[test]
fn a_reader_of_one_prefix_can_do_nothing_else_in_packets() {
    let (bench, _file) = bench("app:pw\nuser app +@read ~app1:*\n", |_| ());
    let before = state(&bench);
    let noop = packet(NOOP, b"", "", "");
    for opcode in Opcode::ALL {
        let verb = opcode.verb();
        let (extras, is_keyed, value, expect) = asks(verb);
        if verb.is_login() {
            continue;
        }
        for key in [OWN, FOREIGN, "app2:number", "app2:new", "app1", "app10:x"] {
            let key = if is_keyed { key } else { "" };
            let code = *opcode as u8;
            let mut said = packet(code, extras, key, value);
            said.extend_from_slice(&noop);
            let mut client = enter(&bench, "app");
            let answer = client.say(&said);
            let seen = statuses(&answer);
            let denied = vec![(code, 0x20), (NOOP, 0)];
            match expect {
                Free if verb == Verb::Quit => assert!(client.is_closed()),
                Free => assert_eq!(seen.last(), Some(&(NOOP, 0))),
                Read if key == OWN => assert_eq!(seen, [(code, 0), (NOOP, 0)]),
                Read | Denied | Silent => assert_eq!(seen, denied, "{opcode:?} {key}"),
            }
            // An entry that is not there is told with the key that was asked for.
            let echoes = verb == Verb::ConfigGetKey;
            assert!(echoes || !String::from_utf8_lossy(&answer).contains(MARKER));
            assert_eq!(state(&bench), before, "{opcode:?} {key}");
            if !is_keyed {
                break;
            }
        }
    }
}

#[test]
fn the_groups_of_a_binary_stat_need_what_those_of_a_text_one_do() {
    let (bench, _file) = bench("app:pw\nuser app +@read ~app1:*\n", |_| ());
    for (template, expect) in LINES {
        let Some(group) = template.strip_prefix("stats") else {
            continue;
        };
        let mut client = enter(&bench, "app");
        let seen = statuses(&client.say(&packet(0x10, b"", group.trim(), "")));
        match expect {
            Free if group == " nonsense" => assert_eq!(seen, [(0x10, 1)]),
            Free => assert!(seen.iter().all(|status| *status == (0x10, 0)), "{group}"),
            Read | Denied | Silent => assert_eq!(seen, [(0x10, 0x20)], "{group}"),
        }
    }
}

#[test]
fn each_right_opens_what_it_names_and_no_more() {
    let users = "r:x\nuser r +@read\nw:x\nuser w +@write\na:x\nuser a +@admin\n\
                 rw:x\nuser rw +@read +@write ~app1:*\nra:x\nuser ra +@read +@admin\n";
    let (bench, _file) = bench(users, |_| ());
    let can = |name: &str, said: &str| {
        let answer = enter(&bench, name).say(format!("{said}\r\n").as_bytes());
        !String::from_utf8_lossy(&answer).contains("denied")
    };
    for (said, who) in [
        ("get app1:x", &["r", "rw", "ra"][..]),
        ("get app2:number", &["r", "ra"]),
        ("set app1:x 3 1000 2\r\n17", &["w", "rw"]),
        ("touch app1:x 1000", &["w", "rw"]),
        ("gat 1000 app1:x", &["rw"]),
        ("incr app1:x 0", &["rw"]),
        ("mg app1:x R1", &["rw"]),
        ("verbosity 0", &["a", "ra"]),
        ("stats clients", &["a", "ra"]),
        ("stats conns", &["a", "ra"]),
        ("client kill 1", &["a", "ra"]),
        ("stats detail off", &["a", "ra"]),
        ("watch connevents", &["a", "ra"]),
        ("watch", &["ra"]),
        ("lru_crawler metadump all", &["ra"]),
        ("stats cachedump 1 1", &["ra"]),
        ("stats slow", &["ra"]),
        ("stats threads", &["r", "w", "a", "rw", "ra"]),
        ("stats hotkeys", &["ra"]),
        ("stats bigkeys", &["ra"]),
        ("stats detail dump", &["ra"]),
        ("stats", &["r", "w", "a", "rw", "ra"]),
        ("version", &["r", "w", "a", "rw", "ra"]),
    ] {
        for name in ["r", "w", "a", "rw", "ra"] {
            assert_eq!(can(name, said), who.contains(&name), "{name}: {said}");
        }
    }
}

#[test]
fn a_value_that_is_not_taken_is_skipped_whatever_its_size_and_form() {
    let (bench, _file) = bench("app:pw\nuser app +@read ~app1:*\n", |_| ());
    // What the value says must not be run.
    for size in [60, 5000, 100_000, 2_000_000] {
        let mut value = b"\r\nget app1:x\r\n".to_vec();
        value.resize(size, b'\n');
        for (head, told) in [
            (format!("set app1:y 0 0 {size}\r\n"), DENIED),
            (format!("set app1:y 0 0 {size} noreply\r\n"), ""),
            (format!("ms app1:y {size} q\r\n"), DENIED),
        ] {
            let mut said = head.into_bytes();
            said.extend_from_slice(&value);
            said.extend_from_slice(b"\r\nmn\r\n");
            for piece_size in [7, 1000, said.len()] {
                let mut client = enter(&bench, "app");
                let mut answer = Vec::new();
                for piece in said.chunks(piece_size.max(said.len() / 1000)) {
                    answer.extend(client.say(piece));
                }
                assert_eq!(answer, format!("{told}MN\r\n").into_bytes(), "{size}");
            }
        }
        let mut said = packet(0x11, &[0; 8], "app1:y", &String::from_utf8_lossy(&value));
        said.extend(packet(NOOP, b"", "", ""));
        let mut client = enter(&bench, "app");
        let mut answer = Vec::new();
        for piece in said.chunks(said.len() / 10) {
            answer.extend(client.say(piece));
        }
        assert_eq!(statuses(&answer), [(0x11, 0x20), (NOOP, 0)]);
    }
}

#[test]
fn one_denied_key_denies_a_line_and_an_endless_line_ends_there() {
    let (bench, _file) = bench("app:pw\nuser app +@read ~app1:*\n", |_| ());
    let mut client = enter(&bench, "app");
    let answer = client.say(b"get app1:x app1:x app2:number app1:x\r\nmn\r\n");
    assert_eq!(answer, format!("{DENIED}MN\r\n").into_bytes());
    // Its keys are answered before its end is there.
    let mut client = enter(&bench, "app");
    let mut said = b"get".to_vec();
    for _ in 0..1000 {
        said.extend_from_slice(b" app1:x");
    }
    let first = client.say(&said);
    assert!(first.starts_with(b"VALUE app1:x 3 2\r\n17\r\n"));
    let rest = client.say(b" app2:MARKER app1:x app1:x app1:x\r\nmn\r\n");
    let rest = String::from_utf8(rest).unwrap();
    assert!(rest.ends_with(&format!("{DENIED}MN\r\n")), "{rest}");
    assert!(!rest.contains("END") && !rest.contains(MARKER), "{rest}");
}

#[test]
fn a_reader_does_not_take_the_turn_of_those_who_store() {
    let (bench, _file) = bench("app:pw\nuser app +@read ~app1:*\n", |_| ());
    let mut root = enter(&bench, "root");
    assert_eq!(root.say(b"md app1:x I T30\r\n"), b"HD\r\n");
    let mut reader = enter(&bench, "app");
    assert_eq!(reader.say(b"mg app1:x v\r\n"), b"VA 2 X\r\n17\r\n");
    assert_eq!(root.say(b"mg app1:x v\r\n"), b"VA 2 X W\r\n17\r\n");
    assert_eq!(reader.say(b"mg app1:x v\r\n"), b"VA 2 Z X\r\n17\r\n");
}

#[test]
fn what_is_switched_off_is_off_for_everybody_and_says_so_as_memcached_does() {
    let (bench, _file) = bench("app:pw\nuser app +@read ~app1:*\n", |config| {
        config.dump_enabled = false;
        config.flush_enabled = false;
        config.watch_enabled = false;
    });
    for (said, told) in [
        ("flush_all", "CLIENT_ERROR flush_all not allowed"),
        ("watch", "CLIENT_ERROR watch commands not allowed"),
        ("lru_crawler metadump all", "ERROR metadump not allowed"),
        ("lru_crawler mgdump all", "ERROR key dump not allowed"),
        (
            "stats cachedump 1 1",
            "CLIENT_ERROR stats cachedump not allowed",
        ),
        (
            "stats hotkeys",
            "CLIENT_ERROR stats that show keys not allowed",
        ),
        (
            "stats bigkeys",
            "CLIENT_ERROR stats that show keys not allowed",
        ),
        ("stats detail on", "CLIENT_ERROR stats detail not allowed"),
        ("stats detail dump", "CLIENT_ERROR stats detail not allowed"),
    ] {
        for name in ["root", "app"] {
            let mut client = enter(&bench, name);
            let answer = client.say(format!("{said}\r\nmn\r\n").as_bytes());
            assert_eq!(answer, format!("{told}\r\nMN\r\n").into_bytes());
        }
    }
    let mut client = enter(&bench, "root");
    let mut said = packet(0x08, b"", "", "");
    said.extend(packet(0x10, b"", "detail dump", ""));
    assert_eq!(statuses(&client.say(&said)), [(0x08, 0x20), (0x10, 1)]);
}

#[test]
fn who_is_over_the_rate_is_told_so_until_the_next_second() {
    let (bench, _file) = bench("app:pw\nuser app +@all rate=3\n", |_| ());
    let over = "SERVER_ERROR rate limit exceeded\r\n";
    let hit = "VALUE app1:x 3 2\r\n17\r\n";
    for (said, told) in [
        // Two connections share.
        ("get app1:x\r\n", format!("{hit}END\r\n")),
        (
            "touch app1:x 1000\r\ntouch app1:x 1000\r\n",
            "TOUCHED\r\nTOUCHED\r\n".to_owned(),
        ),
        ("get app1:x\r\n", over.to_owned()),
        ("mg app1:x q v\r\nmn\r\n", format!("{over}MN\r\n")),
        (
            "set a 0 0 2\r\nhi\r\nversion\r\n",
            format!("{over}VERSION 1.6.45\r\n"),
        ),
        ("set a 0 0 2 noreply\r\nhi\r\nmn\r\n", "MN\r\n".to_owned()),
        ("get app1:x app1:x\r\n", over.to_owned()),
        ("stats\r\n", over.to_owned()),
    ] {
        let answer = enter(&bench, "app").say(said.as_bytes());
        assert_eq!(String::from_utf8_lossy(&answer), told, "{said}");
    }
    let seen = statuses(&enter(&bench, "app").say(&packet(0x09, b"", OWN, "")));
    assert_eq!(seen, [(0x09, 0x86)]);
    bench.advance(1);
    // A key of a list is a request.
    let mut client = enter(&bench, "app");
    let answer = client.say(b"get app1:x app1:x app1:x app1:x\r\n");
    assert_eq!(String::from_utf8_lossy(&answer), over);
    bench.advance(1);
    // A value that comes in pieces is one request.
    for _ in 0..3 {
        for byte in b"set app1:z 0 0 2\r\nhi\r" {
            assert_eq!(client.say(&[*byte]), b"");
        }
        assert_eq!(client.say(b"\n"), b"STORED\r\n");
    }
    assert_eq!(client.say(b"delete app1:z\r\n"), over.as_bytes());
    // Nobody else is concerned.
    assert_eq!(
        enter(&bench, "root").say(b"delete app1:z\r\n"),
        b"DELETED\r\n"
    );
    let totals = bench.shared.registry.totals();
    assert!(totals.limited_requests > 0 && totals.denied_requests == 0);
}

/// One piece of what a limited client may say at random.
#[derive(Clone, Debug)]
enum Piece {
    Line(usize, usize),
    Packet(u8, usize),
    Meta(usize, usize, Vec<u8>),
    Noise(Vec<u8>),
}

const KEYS: &[&str] = &[
    OWN,
    FOREIGN,
    "app2:number",
    "app2:new",
    "app1",
    "app10:x",
    "app1:y",
];

fn pieces() -> impl Strategy<Value = Vec<Piece>> {
    let key = 0..KEYS.len();
    let flags = proptest::sample::select(&b"bCDEFIJMNORTqvuxLPcfhklst"[..]);
    let piece = prop_oneof![
        4 => (0..LINES.len(), key.clone()).prop_map(|(row, key)| Piece::Line(row, key)),
        3 => (0..5_usize, key.clone(), proptest::collection::vec(flags, 0..6))
            .prop_map(|(verb, key, flags)| Piece::Meta(verb, key, flags)),
        1 => proptest::collection::vec(any::<u8>(), 0..8).prop_map(Piece::Noise),
    ];
    let binary = (any::<u8>(), key).prop_map(|(code, key)| Piece::Packet(code % 0x26, key));
    prop_oneof![
        proptest::collection::vec(piece, 1..12),
        proptest::collection::vec(binary, 1..12),
    ]
}

fn say(piece: &Piece, out: &mut Vec<u8>) {
    match piece {
        Piece::Line(row, key) => out.extend(line(LINES[*row].0, KEYS[*key]).bytes()),
        Piece::Packet(code, key) => match Opcode::from_code(*code) {
            Some(opcode) => {
                let (extras, is_keyed, value, _) = asks(opcode.verb());
                let key = if is_keyed { KEYS[*key] } else { "" };
                out.extend(packet(*code, extras, key, value));
            }
            None => out.extend(packet(*code, b"", KEYS[*key], "")),
        },
        Piece::Meta(verb, key, flags) => {
            let verb = ["mg", "ms", "md", "ma", "me"][*verb];
            let mut template = format!("{verb} {}", if flags.contains(&b'b') { "B" } else { "K" });
            if verb == "ms" {
                template += " 2";
            }
            for &flag in flags {
                let value = match flag {
                    b'C' | b'D' | b'E' | b'F' | b'J' | b'N' | b'O' | b'R' | b'T' => "30",
                    b'M' => "A",
                    _ => "",
                };
                template += &format!(" {}{value}", char::from(flag));
            }
            if verb == "ms" {
                template += "\r\nhi";
            }
            out.extend(line(&template, KEYS[*key]).bytes());
        }
        Piece::Noise(bytes) => out.extend(bytes),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    /// Whatever a limited user says, in one piece or in several: nothing outside its prefix
    /// changes, and no byte of it is told.
    #[test]
    fn whatever_a_limited_user_says_others_keep_what_they_have(
        conversations in proptest::collection::vec((pieces(), 1..200_usize), 1..8),
    ) {
        let users = "app:pw\nuser app +@read +@write ~app1:*\n";
        let (bench, _file) = bench(users, |_| ());
        let foreign = |bench: &Bench| {
            let mut root = enter(bench, "root");
            let mut seen = root.say(b"get app2:MARKER app2:number app2:new app1 app10:x\r\n");
            seen.extend(root.say(b"me app2:MARKER\r\nme app2:number\r\n"));
            seen.extend(root.say(b"mg app2:MARKER t f c s v\r\nstats settings\r\n"));
            String::from_utf8_lossy(&seen).into_owned()
        };
        let before = foreign(&bench);
        prop_assert!(before.contains(MARKER));
        for (pieces, chunk) in conversations {
            let mut said = Vec::new();
            for piece in &pieces {
                say(piece, &mut said);
            }
            let mut client = enter(&bench, "app");
            let mut answer = Vec::new();
            for piece in said.chunks(chunk) {
                answer.extend(client.say(piece));
            }
            prop_assert!(!String::from_utf8_lossy(&answer).contains(MARKER));
        }
        prop_assert_eq!(foreign(&bench), before);
    }
}

#[test]
fn the_table_says_what_the_rows_do() {
    for opcode in Opcode::ALL {
        let need = rights::packet(opcode.verb(), b"").need;
        let expect = match need {
            Need::Nothing | Need::Look => Free,
            Need::Read => Read,
            Need::Write | Need::ReadWrite | Need::Admin | Need::List => Denied,
        };
        assert_eq!(asks(opcode.verb()).3, expect, "{opcode:?}");
    }
}
