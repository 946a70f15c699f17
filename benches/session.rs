//! Whole conversations in process: bytes in, bytes out, no socket.
//!
//! What a request costs a worker beside its share of the system calls. Keys of 20 bytes with
//! values of 100, taken at random, from a set of items that fits the processor's caches and from
//! one that does not. `--only WORDS` picks rows, `--rounds N` fixes the work.

use std::io;
use std::sync::Arc;

use larder::cluster::Directory;
use larder::config::Config;
use larder::session::{
    Context, Dialect, Door, Facts, Host, Live, Next, Peer, Session, Shared, watch,
};
use larder::stats::{Counters, Registry};
use larder::store::Store;
use larder::time::Clock;

#[path = "load/keys.rs"]
#[expect(dead_code, reason = "the load generator uses the rest")]
mod keys;
mod timing;

use keys::{KeySpace, Random, write_value};
use timing::Timing;

const KEY_SIZE: usize = 20;
const VALUE_SIZE: usize = 100;

/// Keys asked for in a round, by all its requests together.
const KEY_COUNT: usize = 96 << 10;

/// A way to ask, and the bytes that come back for each key.
struct Row {
    name: &'static str,
    /// Requests in a pipeline.
    depth: usize,
    /// Keys in a request.
    keys: usize,
    /// Appends one request.
    write: fn(&Source, &mut Random, &mut Vec<u8>),
    /// Bytes of the reply to one request.
    reply_size: usize,
}

const ROWS: &[Row] = &[
    Row {
        name: "get, alone",
        depth: 1,
        keys: 1,
        write: Source::get,
        reply_size: HIT_SIZE + 5,
    },
    Row {
        name: "get, pipeline of 16",
        depth: 16,
        keys: 1,
        write: Source::get,
        reply_size: HIT_SIZE + 5,
    },
    Row {
        name: "mg, pipeline of 16",
        depth: 16,
        keys: 1,
        write: Source::meta_get,
        reply_size: "VA 100\r\n\r\n".len() + VALUE_SIZE,
    },
    Row {
        name: "multiget of 50, for each key",
        depth: 1,
        keys: 50,
        write: Source::multiget,
        reply_size: HIT_SIZE * 50 + 5,
    },
    Row {
        name: "set, alone",
        depth: 1,
        keys: 1,
        write: Source::set,
        reply_size: 8,
    },
    Row {
        name: "set, pipeline of 16",
        depth: 16,
        keys: 1,
        write: Source::set,
        reply_size: 8,
    },
    Row {
        name: "ms, pipeline of 16",
        depth: 16,
        keys: 1,
        write: Source::meta_set,
        reply_size: 4,
    },
];

/// Bytes of `VALUE key 0 100`, the value, and their line ends.
const HIT_SIZE: usize = "VALUE  0 100\r\n\r\n".len() + KEY_SIZE + VALUE_SIZE;

fn main() -> io::Result<()> {
    let timing = Timing::from_arguments()?;
    for (name, count) in [("small", 10_000), ("large", 2_000_000)] {
        let count = if timing.quick { 10_000 } else { count };
        if !ROWS.iter().any(|row| timing.wants(&title(name, row))) {
            continue;
        }
        let source = Source {
            keys: KeySpace {
                count,
                size: KEY_SIZE,
            },
        };
        source.keys.check()?;
        let mut talk = Talk::begin()?;
        source.fill(&mut talk);
        for row in ROWS {
            let title = title(name, row);
            if timing.wants(&title) {
                run(&timing, &title, row, &source, &mut talk)?;
            }
        }
        talk.end();
    }
    Ok(())
}

fn title(name: &str, row: &Row) -> String {
    format!("{name}: {}", row.name)
}

fn run(
    timing: &Timing,
    title: &str,
    row: &Row,
    source: &Source,
    talk: &mut Talk,
) -> io::Result<()> {
    let mut random = Random(3);
    let count = KEY_COUNT / row.depth / row.keys;
    // All pipelines of a round lie in one buffer, so that reading them is what a processor can
    // foresee, and their keys are as many as it takes to miss the caches.
    let mut bytes = Vec::new();
    let mut ends = Vec::new();
    for _ in 0..count {
        for _ in 0..row.depth {
            (row.write)(source, &mut random, &mut bytes);
        }
        ends.push(bytes.len());
    }
    timing.row(title, count * row.depth * row.keys, || {
        let mut start = 0;
        for &end in &ends {
            let size = talk.say(&bytes[start..end]);
            assert_eq!(
                size,
                row.depth * row.reply_size,
                "a reply of unexpected length"
            );
            start = end;
        }
    })
}

/// Writes requests.
struct Source {
    keys: KeySpace,
}

impl Source {
    fn key(&self, random: &mut Random, out: &mut Vec<u8>) -> u32 {
        let number = random.below(self.keys.count);
        self.keys.write(number, out);
        number
    }

    fn get(&self, random: &mut Random, out: &mut Vec<u8>) {
        out.extend_from_slice(b"get ");
        self.key(random, out);
        out.extend_from_slice(b"\r\n");
    }

    fn meta_get(&self, random: &mut Random, out: &mut Vec<u8>) {
        out.extend_from_slice(b"mg ");
        self.key(random, out);
        out.extend_from_slice(b" v\r\n");
    }

    fn multiget(&self, random: &mut Random, out: &mut Vec<u8>) {
        out.extend_from_slice(b"get");
        for _ in 0..50 {
            out.push(b' ');
            self.key(random, out);
        }
        out.extend_from_slice(b"\r\n");
    }

    fn set(&self, random: &mut Random, out: &mut Vec<u8>) {
        out.extend_from_slice(b"set ");
        let number = self.key(random, out);
        out.extend_from_slice(b" 0 0 100\r\n");
        write_value(number, VALUE_SIZE, out);
        out.extend_from_slice(b"\r\n");
    }

    fn meta_set(&self, random: &mut Random, out: &mut Vec<u8>) {
        out.extend_from_slice(b"ms ");
        let number = self.key(random, out);
        out.extend_from_slice(b" 100\r\n");
        write_value(number, VALUE_SIZE, out);
        out.extend_from_slice(b"\r\n");
    }

    /// Stores every key once, through the session.
    fn fill(&self, talk: &mut Talk) {
        let mut request = Vec::new();
        for number in 0..self.keys.count {
            request.clear();
            request.extend_from_slice(b"set ");
            self.keys.write(number, &mut request);
            request.extend_from_slice(b" 0 0 100\r\n");
            write_value(number, VALUE_SIZE, &mut request);
            request.extend_from_slice(b"\r\n");
            assert_eq!(talk.say(&request), 8, "a set was refused");
            if number % (64 << 10) == 0 {
                talk.upkeep();
            }
        }
        talk.upkeep();
    }
}

/// A conversation, with all that a worker would hold for it.
struct Talk {
    shared: Shared,
    counters: Arc<Counters>,
    session: Session,
    output: Vec<u8>,
}

impl Talk {
    fn begin() -> io::Result<Self> {
        let config = Config {
            memory_limit: 1 << 30,
            workers: 1,
            ..Config::default()
        };
        let shared = Shared {
            directory: Directory::new(config.advertise.node(&[], None)),
            store: Store::new(&config.store(1))?,
            live: Live::new(&config),
            door: Door::default(),
            config,
            clock: Clock::start(),
            registry: Registry::new(1),
            hub: watch::Hub::default(),
            host: Box::new(Nobody),
        };
        let session = Session::new(&Peer {
            id: 1,
            transport: "tcp",
            address: "127.0.0.1".to_owned(),
            port: 1,
            dialect: Dialect::Auto,
            secured: false,
            listener: Box::default(),
            certificate: None,
        });
        Ok(Self {
            counters: shared.registry.worker(0),
            shared,
            session,
            output: Vec::with_capacity(64 << 10),
        })
    }

    /// Says these requests and returns how many bytes the answers have.
    fn say(&mut self, mut input: &[u8]) -> usize {
        let context = Context {
            shared: &self.shared,
            counters: &self.counters,
            now: self.shared.clock.now(),
            worker: 0,
        };
        self.output.clear();
        loop {
            let driven = self.session.drive(&context, input, &mut self.output);
            input = &input[driven.consumed..];
            match driven.next {
                Next::Flush | Next::Yield => {}
                Next::Read { .. } => break,
                Next::Hold | Next::Watch | Next::Close | Next::Abort => {
                    panic!("the session ended: {:?}", driven.next)
                }
            }
        }
        assert!(input.is_empty(), "a request was not answered");
        self.output.len()
    }

    fn upkeep(&self) {
        // Bounded, since upkeep may find more to do for ever.
        for _ in 0..10_000 {
            if !self.shared.store.upkeep(self.shared.clock.now()) {
                break;
            }
        }
    }

    fn end(mut self) {
        let context = Context {
            shared: &self.shared,
            counters: &self.counters,
            now: self.shared.clock.now(),
            worker: 0,
        };
        self.session.close(&context);
    }
}

/// A process that has nothing to tell.
struct Nobody;

impl Host for Nobody {
    fn shutdown(&self, _graceful: bool) {}
    fn set_verbosity(&self, _level: u8) {}
    fn connections(&self, _now: larder::time::Now, _see: &mut dyn FnMut(&str, &str)) {}
    fn facts(&self) -> Facts {
        Facts::default()
    }
}
