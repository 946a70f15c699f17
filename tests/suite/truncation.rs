//! Every verb with every truncation of its arguments, and with arguments that make no sense.
//!
//! Whatever the answer is, it is one, and the connection stays in step.

use crate::support::{Client, Server};

/// Commands of one line, whole. None of them ends the conversation or floods it.
const COMMANDS: &[&str] = &[
    "get k",
    "gets k",
    "gat 10 k",
    "gats 10 k",
    "incr k 1",
    "decr k 1",
    "touch k 10",
    "delete k 0",
    "flush_all 100000",
    "verbosity 0",
    "version",
    "cache_memlimit 64",
    "stats zz",
    "stats cachedump 1 1",
    "stats detail off",
    "stats detail dump",
    "stats sizes",
    "stats reset",
    "slabs reassign 1 2",
    "slabs automove 1",
    "slabs automove ratio 0.8",
    "slabs automove freeratio 0.01",
    "slabs automove window 10",
    "lru mode segmented",
    "lru tune 10 25 0.1 2.0",
    "lru temp_ttl -1",
    "lru_crawler enable",
    "lru_crawler sleep 100",
    "lru_crawler tocrawl 10",
    "lru_crawler crawl 1",
    "shutdown graceful",
    "refresh_certs",
    "snapshot",
    "extstore item_size 512",
    "mn",
    "mg k s v t f c h l O1 k q",
    "md k q I T30 E5",
    "ma k N0 J13 D2 T30 MI q",
    "me k",
];

/// Storage commands: the line without the length of the value, and what follows it.
const STORAGE: &[(&str, &str)] = &[
    ("set k 0 0", ""),
    ("add k 0 0", ""),
    ("replace k 0 0", ""),
    ("append k 0 0", ""),
    ("prepend k 0 0", ""),
    ("cas k 0 0", " 1"),
    ("ms k", " T30 F1 I ME k O1"),
];

/// What is put where an argument belongs.
const NONSENSE: &[&str] = &[
    "-1",
    "+",
    "-",
    "0x10",
    "1e9",
    "99999999999999999999999",
    "18446744073709551616",
    "4294967296",
    "2147483648",
    "\u{1}",
    "%n%s%s%n",
    "{}",
    ",",
    "1,2,zz",
];

/// Sends one line and fails unless the connection answers the next request after it, and both
/// it and the daemon go on.
#[track_caller]
fn survives(server: &Server, client: &mut Client, line: &str) -> Vec<u8> {
    client.send(format!("{line}\r\nmn\r\n"));
    let mut answer = Vec::new();
    if line == "mn" {
        client.expect("MN\r\n");
    }
    loop {
        let next = client.take_line();
        if next == b"MN\r\n" || next.is_empty() {
            break;
        }
        answer.extend_from_slice(&next);
    }
    if client.ended() {
        panic!("{line:?} ended the connection after {}", show(&answer));
    }
    assert!(answer.len() < 4096, "{line:?}: {}", show(&answer));
    assert!(
        std::path::Path::new(&format!("/proc/{}", server.pid())).exists(),
        "{line:?} ended the daemon"
    );
    answer
}

fn show(bytes: &[u8]) -> String {
    crate::support::client::show(bytes)
}

#[test]
fn every_truncation_of_every_command_has_one_answer() {
    let server = Server::start(&[]);
    let mut client = server.connect();
    for command in COMMANDS {
        let words: Vec<&str> = command.split(' ').collect();
        for count in 1..=words.len() {
            let line = words[..count].join(" ");
            let answer = survives(&server, &mut client, &line);
            let quiet = line.contains(" q") || line == "mn";
            assert!(quiet || answer.ends_with(b"\r\n"), "{line}");
        }
        // Cut inside of the words too: a prefix of a word is no word.
        for count in 1..command.len() {
            survives(&server, &mut client, &command[..count]);
        }
    }
    client.sync();
}

#[test]
fn nonsense_in_place_of_any_argument_is_answered() {
    let server = Server::start(&[]);
    let mut client = server.connect();
    for command in COMMANDS {
        let words: Vec<&str> = command.split(' ').collect();
        for place in 1..=words.len() {
            for nonsense in NONSENSE {
                let mut line = words.clone();
                if place == words.len() {
                    line.push(nonsense);
                } else {
                    line[place] = nonsense;
                }
                // A delta or a flush time may be any number; the rest is what matters.
                survives(&server, &mut client, &line.join(" "));
            }
        }
    }
    let mut other = server.connect();
    other.ask("set k 0 0 1\r\nv\r\n", "STORED\r\n");
}

#[test]
fn a_storage_command_without_its_length_takes_no_value() {
    let server = Server::start(&[]);
    for (line, _) in STORAGE {
        let mut client = server.connect();
        let answer = survives(&server, &mut client, line);
        assert_eq!(show(&answer), "CLIENT_ERROR bad command line format\\r\\n");
        let words: Vec<&str> = line.split(' ').collect();
        for count in 1..words.len() {
            let line = words[..count].join(" ");
            let answer = survives(&server, &mut client, &line);
            let text = show(&answer);
            assert_eq!(text, "CLIENT_ERROR bad command line format\\r\\n", "{line}");
        }
    }
}

#[test]
fn a_length_that_cannot_be_is_refused_and_nothing_is_allocated() {
    let server = Server::start(&[]);
    let mut witness = server.connect();
    witness.ask("set k 0 0 1\r\nv\r\n", "STORED\r\n");
    let lengths = [
        "-1",
        "-2",
        "2147483647",
        "2147483648",
        "4294967295",
        "4294967296",
        "18446744073709551616",
        "3x",
        "zz",
    ];
    for (line, rest) in STORAGE {
        for length in lengths {
            let mut client = server.connect();
            client.send(format!("{line} {length}{rest}\r\n"));
            let refused = client.line();
            let large = refused == "SERVER_ERROR object too large for cache";
            let bad = refused == "CLIENT_ERROR bad command line format";
            assert!(bad || large, "{line} {length}: {refused:?}");
        }
    }
    witness.sync();
    assert_eq!(witness.stat("curr_items"), 1);
}
