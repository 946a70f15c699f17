//! Decoding alone, in process: nanoseconds for each line.
//!
//! A line is given whole, with its line end, as the session frames it; finding the line end is
//! part of the row that says so. `--only WORDS` picks rows, `--rounds N` fixes the work.

use std::hint::black_box;
use std::io;

use larder::client::load::keys::{KeySpace, Sizes};
use larder::client::load::random::Random;
use larder::protocol::text::{self, Command, reply};

mod timing;

use timing::Timing;

const KEYS: KeySpace = KeySpace {
    count: 1 << 20,
    key_size: 20,
    sizes: Sizes::Fixed(0),
    seed: 0,
};

/// What stands before and after the key.
const ROWS: &[(&str, &str, &str)] = &[
    ("get", "get ", "\r\n"),
    ("set", "set ", " 0 0 100\r\n"),
    ("delete", "delete ", "\r\n"),
    ("incr", "incr ", " 1\r\n"),
    ("mg with a value", "mg ", " v\r\n"),
    ("mg with ten flags", "mg ", " s v t f c h l k Oopaque q\r\n"),
    ("ms", "ms ", " 100\r\n"),
    ("ms with time and flags", "ms ", " 100 T300 F17 I c\r\n"),
    ("a word that is no command", "hello ", "\r\n"),
];

fn main() -> io::Result<()> {
    let timing = Timing::from_arguments()?;
    let count = if timing.quick { 1 << 8 } else { 1 << 14 };
    for (name, before, after) in ROWS {
        decode(&timing, count, [name, before, after])?;
    }
    multiget(&timing)?;
    let mut out = Vec::new();
    timing.row("reply: VALUE header", count, || {
        for number in 0..count {
            out.clear();
            let size = u32::try_from(number).unwrap_or(0);
            reply::value(&mut out, b"kkkkkkkkkk0000000000", 0, size, None);
            black_box(&out);
        }
    })
}

/// Lines of one kind with keys at random, in one buffer, framed by their line ends.
fn decode(timing: &Timing, count: usize, words: [&str; 3]) -> io::Result<()> {
    let [name, before, after] = words;
    let mut random = Random::new(4);
    let mut bytes = Vec::new();
    for _ in 0..count {
        bytes.extend_from_slice(before.as_bytes());
        KEYS.write_key(random.below(KEYS.count), &mut bytes);
        bytes.extend_from_slice(after.as_bytes());
    }
    let size = bytes.len() / count;
    timing.row(&format!("decode: {name}"), count, || {
        for line in bytes.chunks_exact(size) {
            run(line);
        }
    })?;
    timing.row(&format!("find and decode: {name}"), count, || {
        let mut rest = bytes.as_slice();
        while let Some(end) = memchr::memchr(b'\n', rest) {
            let (line, others) = rest.split_at(end + 1);
            run(line);
            rest = others;
        }
    })
}

/// Decodes a line as far as a session does before it speaks to the store.
fn run(line: &[u8]) {
    match text::decode(line) {
        Ok(Command::Meta(line)) => drop(black_box(line.options())),
        Ok(Command::MetaStore { line, size }) => drop(black_box((line.options(), size))),
        other => drop(black_box(other)),
    }
}

/// A get of 50 keys, walked to its end.
fn multiget(timing: &Timing) -> io::Result<()> {
    const KEY_COUNT: usize = 50;
    let mut random = Random::new(5);
    let mut line = b"get".to_vec();
    for _ in 0..KEY_COUNT {
        line.push(b' ');
        KEYS.write_key(random.below(KEYS.count), &mut line);
    }
    line.extend_from_slice(b"\r\n");
    let name = "decode: get of 50 keys, for each key";
    timing.row(name, KEY_COUNT * 100, || {
        for _ in 0..100 {
            let Ok(Command::Get(get)) = text::decode(black_box(&line)) else {
                panic!("a get was not understood");
            };
            let count = text::Tokens::new(get.keys).map(black_box).count();
            assert_eq!(count, KEY_COUNT);
        }
    })
}
