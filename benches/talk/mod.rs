//! Whole conversations in process: requests ready made, and a session that answers them.
//!
//! Keys of 20 bytes with values of 100. What they cost is measured elsewhere: in time by
//! `session.rs`, in instructions by `instructions.rs`.

use std::io;
use std::sync::Arc;

use larder::client::load::keys::{KeySpace, Sizes};
use larder::client::load::random::Random;
use larder::cluster::Directory;
use larder::config::Config;
use larder::protocol::client;
use larder::session::{
    Context, Dialect, Door, Facts, Host, Live, Next, Peer, Session, Shared, watch,
};
use larder::stats::{Counters, Registry};
use larder::store::{Store, StoreConfig};
use larder::time::Clock;

const KEY_SIZE: usize = 20;
const VALUE_SIZE: u32 = 100;

/// What a request does.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Kind {
    /// Fetches this many keys.
    Get(usize),
    /// Stores one key.
    Set,
}

/// A way to ask.
pub(crate) struct Row {
    pub(crate) name: &'static str,
    dialect: client::Dialect,
    kind: Kind,
    /// Requests in a pipeline.
    depth: usize,
}

const fn row(name: &'static str, dialect: client::Dialect, kind: Kind, depth: usize) -> Row {
    Row {
        name,
        dialect,
        kind,
        depth,
    }
}

/// All ways.
pub(crate) const ROWS: &[Row] = {
    use Kind::{Get, Set};
    use client::Dialect::{Binary, Meta, Text};
    &[
        row("get, alone", Text, Get(1), 1),
        row("get, pipeline of 16", Text, Get(1), 16),
        row("multiget of 50, for each key", Text, Get(50), 1),
        row("set, alone", Text, Set, 1),
        row("set, pipeline of 16", Text, Set, 16),
        row("mg, alone", Meta, Get(1), 1),
        row("mg, pipeline of 16", Meta, Get(1), 16),
        row("50 quiet mg, for each key", Meta, Get(50), 1),
        row("ms, alone", Meta, Set, 1),
        row("ms, pipeline of 16", Meta, Set, 16),
        row("binary get, alone", Binary, Get(1), 1),
        row("binary get, pipeline of 16", Binary, Get(1), 16),
        row("50 quiet binary gets, for each key", Binary, Get(50), 1),
        row("binary set, alone", Binary, Set, 1),
        row("binary set, pipeline of 16", Binary, Set, 16),
    ]
};

/// The keys that the conversations are about.
pub(crate) fn keys(count: u64) -> KeySpace {
    KeySpace {
        count,
        key_size: KEY_SIZE,
        sizes: Sizes::Fixed(VALUE_SIZE),
        seed: 0,
    }
}

/// Requests of one kind, in one buffer, so that reading them is what a processor can foresee.
pub(crate) struct Script {
    bytes: Vec<u8>,
    /// Where each pipeline ends.
    ends: Vec<usize>,
    /// Keys in all of them.
    pub(crate) key_count: usize,
    row: &'static Row,
}

impl Script {
    /// Writes pipelines until they hold about `key_count` keys, taken at random.
    pub(crate) fn write(row: &'static Row, keys: &KeySpace, key_count: usize) -> Self {
        let mut random = Random::new(3);
        let per_request = match row.kind {
            Kind::Get(count) => count,
            Kind::Set => 1,
        };
        let pipelines = key_count / row.depth / per_request;
        let mut script = Self {
            bytes: Vec::new(),
            ends: Vec::new(),
            key_count: pipelines * row.depth * per_request,
            row,
        };
        for _ in 0..pipelines {
            for _ in 0..row.depth {
                script.request(keys, &mut random);
            }
            script.ends.push(script.bytes.len());
        }
        script
    }

    fn request(&mut self, keys: &KeySpace, random: &mut Random) {
        let (dialect, out) = (self.row.dialect, &mut self.bytes);
        let mut draw = || random.below(keys.count);
        match self.row.kind {
            Kind::Get(1) => dialect.get(out, &key(keys, draw())),
            Kind::Get(count) => {
                let mut left = count;
                dialect.get_many(out, |out| {
                    if left > 0 {
                        left -= 1;
                        keys.write_key(draw(), out);
                        return true;
                    }
                    false
                });
            }
            Kind::Set => set(dialect, keys, draw(), out),
        }
    }

    /// Says every pipeline, one after the other.
    pub(crate) fn perform(&self, talk: &mut Talk) {
        let mut start = 0;
        for &end in &self.ends {
            talk.say(&self.bytes[start..end]);
            start = end;
        }
    }

    /// Says every pipeline, and looks at what is answered.
    ///
    /// # Panics
    ///
    /// An answer is not what it must be.
    pub(crate) fn rehearse(&self, talk: &mut Talk) {
        let mut start = 0;
        let mut values = 0;
        for &end in &self.ends {
            let mut answers = talk.say(&self.bytes[start..end]);
            while !answers.is_empty() {
                let (answer, size) = match self.row.dialect.answer(answers) {
                    Ok(Some(found)) => found,
                    other => panic!("not a whole answer: {other:?}"),
                };
                values += match answer {
                    client::Answer::Value { value, .. } => {
                        assert_eq!(value.len(), VALUE_SIZE as usize, "a value's size");
                        1
                    }
                    client::Answer::Stored => 1,
                    client::Answer::End => 0,
                    other => panic!("{}: {other:?}", self.row.name),
                };
                answers = &answers[size..];
            }
            start = end;
        }
        assert_eq!(values, self.key_count, "an answer for each key");
    }
}

fn key(keys: &KeySpace, number: u64) -> Vec<u8> {
    let mut key = Vec::new();
    keys.write_key(number, &mut key);
    key
}

fn set(dialect: client::Dialect, keys: &KeySpace, number: u64, out: &mut Vec<u8>) {
    dialect.set_begin(out, &key(keys, number), 0, keys.size(number).1);
    keys.write_value(number, out);
    dialect.set_end(out);
}

/// Conversations in each protocol, with all that a worker would hold for it.
pub(crate) struct Talk {
    shared: Shared,
    counters: Arc<Counters>,
    /// One for text and meta, one for packets.
    sessions: [Session; 2],
    output: Vec<u8>,
}

impl Talk {
    /// Stores every key in a fresh store. The same keys lie in the same places each time.
    pub(crate) fn begin(keys: &KeySpace) -> io::Result<Self> {
        let config = Config {
            memory_limit: 1 << 30,
            workers: 1,
            ..Config::default()
        };
        let shared = Shared {
            directory: Directory::new(config.advertise.node(&[], None)),
            store: Store::new(&StoreConfig {
                hash_seed: Some(1),
                ..config.store(1)
            })?,
            live: Live::new(&config),
            door: Door::default(),
            registry: Registry::new(1, config.sampling()),
            config,
            clock: Clock::start(),
            hub: watch::Hub::default(),
            host: Box::new(Nobody),
        };
        let session = || {
            Session::new(&Peer {
                id: 1,
                transport: "tcp",
                address: "127.0.0.1".to_owned(),
                port: 1,
                dialect: Dialect::Auto,
                secured: false,
                listener: "".into(),
                certificate: None,
            })
        };
        let mut talk = Self {
            counters: shared.registry.worker(0),
            shared,
            sessions: [session(), session()],
            output: Vec::with_capacity(64 << 10),
        };
        talk.fill(keys);
        Ok(talk)
    }

    /// Stores every key once, through the session.
    fn fill(&mut self, keys: &KeySpace) {
        let mut request = Vec::new();
        for number in 0..keys.count {
            request.clear();
            set(client::Dialect::Text, keys, number, &mut request);
            assert_eq!(self.say(&request).len(), 8, "a set was refused");
            if number % (64 << 10) == 0 {
                self.upkeep();
            }
        }
        self.upkeep();
    }

    /// Says these requests and returns the answers.
    fn say(&mut self, mut input: &[u8]) -> &[u8] {
        let context = Context {
            shared: &self.shared,
            counters: &self.counters,
            now: self.shared.clock.now(),
            worker: 0,
        };
        let is_packet = input.first() == Some(&larder::protocol::binary::MAGIC_REQUEST);
        let session = &mut self.sessions[usize::from(is_packet)];
        self.output.clear();
        loop {
            let driven = session.drive(&context, input, &mut self.output);
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
        &self.output
    }

    fn upkeep(&self) {
        // Bounded, since upkeep may find more to do for ever.
        for _ in 0..10_000 {
            if !self.shared.store.upkeep(self.shared.clock.now()) {
                break;
            }
        }
    }

    /// Ends the conversations.
    pub(crate) fn end(mut self) {
        let context = Context {
            shared: &self.shared,
            counters: &self.counters,
            now: self.shared.clock.now(),
            worker: 0,
        };
        for session in &mut self.sessions {
            session.close(&context);
        }
    }
}

/// A process that has nothing to tell.
struct Nobody;

impl Host for Nobody {
    fn shutdown(&self, _graceful: bool) {}
    fn set_verbosity(&self, _level: u8) {}
    fn connections(
        &self,
        _now: larder::time::Now,
        _after: i32,
        _see: &mut dyn FnMut(&str, &str),
    ) -> Option<i32> {
        None
    }
    fn facts(&self) -> Facts {
        Facts::default()
    }
}
