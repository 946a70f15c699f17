//! The same random requests to larderd and to memcached, and their replies compared.
//!
//! Requests are drawn from what the two versions agree on; transcripts hold the rest. The draw is
//! fixed, so that a failure can be seen again; `LARDER_SEED` draws others.

use std::collections::VecDeque;

use crate::support::client::show;
use crate::support::packet::{Packet, Reply};
use crate::support::{Client, Server};

/// Requests in one conversation. They are sent one by one and numbers never get shorter: memcached
/// writes a number in place, padded, only while no reply still holds the item, so what it stores
/// and what it knows of earlier fetches depends on timing.
const REQUEST_COUNT: usize = 3000;

/// Requests shown with a difference.
const SHOWN_COUNT: usize = 30;

const KEYS: &[&str] = &["a", "b", "c", "key:1", "key:2"];

const VALUES: &[&str] = &[
    "",
    "0",
    "1",
    "9",
    "10",
    "99",
    "12345678901234567890",
    "abc",
    "-1",
];

const FLAGS: &[&str] = &["0", "1", "65535", "4294967295"];

const EXPIRIES: &[&str] = &["0", "0", "0", "1000", "-1"];

/// A fixed sequence of choices.
struct Choices(u64);

impl Choices {
    fn from_seed(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from((self.0 >> 11) % bound as u64).expect("less than bound")
    }

    fn of<'a>(&mut self, words: &[&'a str]) -> &'a str {
        words[self.below(words.len())]
    }

    /// Some of these words, each with a space before it, in a random order.
    fn some(&mut self, words: &[&str]) -> String {
        let mut text = String::new();
        let start = self.below(words.len());
        for index in 0..words.len() {
            if self.below(3) == 0 {
                text.push(' ');
                text.push_str(words[(start + index) % words.len()]);
            }
        }
        text
    }
}

/// What a request may be. The flags that a memcached knows depend on its age.
fn request(choices: &mut Choices, is_new: bool) -> String {
    let key = choices.of(KEYS);
    let noreply = choices.of(&["", "", "", " noreply"]);
    match choices.below(if is_new { 16 } else { 12 }) {
        0 | 1 => {
            let verb = choices.of(&["set", "add", "replace", "append", "prepend"]);
            let (flags, expiry) = (choices.of(FLAGS), choices.of(EXPIRIES));
            // What is put beside a number must not begin with zero, or it gets shorter.
            let value = match verb {
                "append" | "prepend" => choices.of(&["", "x"]),
                _ => choices.of(VALUES),
            };
            let size = value.len();
            format!("{verb} {key} {flags} {expiry} {size}{noreply}\r\n{value}\r\n")
        }
        2 => format!("get {key} {}\r\n", choices.of(KEYS)),
        3 => format!("gat {} {key}\r\n", choices.of(EXPIRIES)),
        4 => {
            let delta = choices.of(&["0", "1", "5", "100"]);
            format!("incr {key} {delta}{noreply}\r\n")
        }
        5 => format!("delete {key}{noreply}\r\n"),
        6 => format!("touch {key} {}{noreply}\r\n", choices.of(EXPIRIES)),
        7 => {
            let value = choices.of(VALUES);
            let cas = choices.of(&["0", "18446744073709551615"]);
            let size = value.len();
            format!("cas {key} 0 0 {size} {cas}{noreply}\r\n{value}\r\n")
        }
        8 => format!(
            "mg {key}{}\r\n",
            choices.some(&["v", "s", "f", "k", "O77", "q"])
        ),
        9 => {
            let mode = choices.of(&["", " MS", " ME", " MR", " MA", " MP"]);
            let value = match mode {
                " MA" | " MP" => choices.of(&["", "x"]),
                _ => choices.of(VALUES),
            };
            let size = value.len();
            format!(
                "ms {key} {size}{mode}{noreply}\r\n{value}\r\n",
                noreply = choices.of(&["", " q"])
            )
        }
        10 => format!("md {key}{}\r\n", choices.some(&["q", "O5", "k"])),
        11 if choices.below(20) == 0 => "flush_all\r\n".to_owned(),
        11 => "mn\r\n".to_owned(),
        12 => {
            let flags = ["v", "s", "f", "k", "O77", "q", "N100", "R30", "u", "T200"];
            format!("mg {key}{}\r\n", choices.some(&flags))
        }
        13 => {
            let value = choices.of(VALUES);
            let size = value.len();
            let flags = [
                "F9", "T100", "k", "Ox", "q", "s", "I", "ME", "N0", "C3", "C7", "E7",
            ];
            format!("ms {key} {size}{}\r\n{value}\r\n", choices.some(&flags))
        }
        14 => {
            let flags = ["q", "k", "O9", "I", "T100", "x", "E7", "C7", "C3", "F3"];
            format!("md {key}{}\r\n", choices.some(&flags))
        }
        _ => {
            // No cas: memcached says of an empty value that it is no number, whatever its cas is,
            // and assigns a cas only where the number has kept its length.
            let flags = ["v", "q", "k", "N0", "J40", "D7", "O1", "T90"];
            format!("ma {key}{}\r\n", choices.some(&flags))
        }
    }
}

/// The answer to a request: everything before that to one more request, which no other equals.
fn answer(client: &mut Client, request: &str) -> Vec<u8> {
    client.send(format!("{request}mg the-end O4711\r\n"));
    let mut answer = Vec::new();
    loop {
        let line = client.take_line();
        assert!(!line.is_empty(), "no more after {}", show(&answer));
        if line == b"EN O4711\r\n" {
            return answer;
        }
        answer.extend_from_slice(&line);
    }
}

/// The seeds of a run.
fn seeds() -> Vec<u64> {
    let given = std::env::var("LARDER_SEED").ok();
    match given.and_then(|text| text.parse().ok()) {
        Some(seed) => vec![seed],
        None => (1..=5).collect(),
    }
}

#[test]
fn larder_and_memcached_say_the_same() {
    let memcached = Server::memcached(&[]);
    let version = memcached.connect().command("version");
    let is_new = version.as_str() >= "VERSION 1.6.45";
    let larder = Server::start(&[]);
    for seed in seeds() {
        let mut choices = Choices::from_seed(seed);
        let mut ours = larder.connect();
        let mut theirs = memcached.connect();
        // Numbers that requests compare with are below any cas that comes by itself.
        let sets = |key: &&str| format!("set {key} 0 0 0\r\n\r\n").repeat(20);
        let rise: String = KEYS.iter().map(sets).collect();
        for client in [&mut ours, &mut theirs] {
            client.ask(&rise, "STORED\r\n".repeat(20 * KEYS.len()));
            client.ask("flush_all\r\n", "OK\r\n");
        }
        let mut before = VecDeque::new();
        for _ in 0..REQUEST_COUNT {
            let request = request(&mut choices, is_new);
            let (got, wanted) = (answer(&mut ours, &request), answer(&mut theirs, &request));
            before.push_back(request.escape_debug().to_string());
            assert!(
                got == wanted,
                "seed {seed}, {version}\n  {before:#?}\n  larder {}\n  theirs {}",
                show(&got),
                show(&wanted)
            );
            if before.len() > SHOWN_COUNT {
                before.pop_front();
            }
        }
    }
}

/// A request in binary.
fn packet(choices: &mut Choices) -> Packet {
    const STORE: &[u8] = &[0x01, 0x02, 0x03, 0x11, 0x12, 0x13];
    const JOIN: &[u8] = &[0x0e, 0x0f, 0x19, 0x1a];
    const GET: &[u8] = &[0x00, 0x09, 0x0c, 0x0d];
    const TOUCH: &[u8] = &[0x1c, 0x1d, 0x1e, 0x23, 0x24];
    const COUNT: &[u8] = &[0x05, 0x15];
    const DELETE: &[u8] = &[0x04, 0x14];
    const FLUSH: &[u8] = &[0x08, 0x18];
    const BARE: &[u8] = &[0x0a, 0x1b, 0x20, 0x30, 0x7f];
    let key = choices.of(KEYS);
    let cas = if choices.below(4) == 0 { u64::MAX } else { 0 };
    let kind = choices.below(40);
    let opcodes = match kind {
        0..10 => STORE,
        10..15 => JOIN,
        15..22 => GET,
        22..27 => TOUCH,
        27..33 => COUNT,
        33..37 => DELETE,
        37 => FLUSH,
        _ => BARE,
    };
    let opcode = opcodes[choices.below(opcodes.len())];
    match kind {
        0..10 => Packet::store(opcode, key, choices.of(VALUES)).cas(cas),
        // What is put beside a number must not begin with zero, or it gets shorter.
        10..15 => {
            let value = choices.of(&["", "x"]);
            Packet::new(opcode, key).value(value).cas(cas)
        }
        15..22 => Packet::new(opcode, key),
        22..27 => Packet::new(opcode, key).words(&[1000]),
        27..33 => {
            let delta = choices.below(200) as u64;
            let exptime = if choices.below(2) == 0 { 0 } else { u32::MAX };
            Packet::count(opcode, key, delta, exptime)
        }
        33..37 => Packet::new(opcode, key).cas(cas),
        _ => Packet::new(opcode, ""),
    }
}

/// All replies to a request but for their cas, which is anyone's own: those before the reply to
/// one more request.
fn replies(client: &mut Client, request: &[u8]) -> Vec<Reply> {
    const LAST: u32 = 4711;
    client.send([request, &Packet::new(0x0a, "").bytes(LAST)].concat());
    let mut replies = Vec::new();
    loop {
        let reply = Reply::take(client).expect("a reply");
        if reply.opaque == LAST {
            return replies;
        }
        let has_cas = u64::from(reply.cas != 0);
        replies.push(Reply {
            cas: has_cas,
            ..reply
        });
    }
}

#[test]
fn larder_and_memcached_say_the_same_in_binary() {
    let memcached = Server::memcached(&[]);
    let larder = Server::start(&[]);
    for seed in seeds() {
        let mut choices = Choices::from_seed(seed);
        let (mut ours, mut theirs) = (larder.connect(), memcached.connect());
        let mut before = VecDeque::new();
        for opaque in 0..3000 {
            let packet = packet(&mut choices);
            let bytes = packet.bytes(opaque % 1000);
            let (got, wanted) = (replies(&mut ours, &bytes), replies(&mut theirs, &bytes));
            before.push_back(format!("{packet:?}"));
            assert!(
                got == wanted,
                "seed {seed}\n  {before:#?}\n  larder {got:?}\n  theirs {wanted:?}"
            );
            if before.len() > SHOWN_COUNT {
                before.pop_front();
            }
        }
    }
}
