//! Conversations without sockets: sessions over a store, on a clock that stands still.
//!
//! The bytes of each block are handed over in pieces of the test's choosing, and a session is
//! called again only when it said it would have something to do.

use std::collections::BTreeMap;
use std::ffi::OsString;

use larder::cluster::Directory;
use larder::config::parse::{Action, parse};
use larder::session::{
    CloseReason, Context, Dialect, Door, Facts, Host, Live, Next, Peer, Session, Shared, watch,
};
use larder::stats::Registry;
use larder::store::Store;
use larder::time::{Clock, Now};

use super::transcript::Wire;

/// How the bytes of a block arrive.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Arrival {
    /// At once.
    Whole,
    /// In two pieces, the first of so many bytes.
    CutAt(usize),
    /// In pieces of so many bytes.
    Pieces(usize),
}

/// A daemon without a process.
pub(crate) struct InProcess {
    shared: Shared,
    conversations: BTreeMap<char, Conversation>,
    arrival: Arrival,
}

struct Conversation {
    session: Session,
    peer: Peer,
    /// Arrived and not consumed.
    input: Vec<u8>,
    /// Bytes that must be in `input` before the session wants to be called.
    wanted: usize,
    output: Vec<u8>,
    watches: bool,
    closed: bool,
}

/// Nobody: there is no process around these sessions.
struct Nobody;

impl Host for Nobody {
    fn shutdown(&self, _graceful: bool) {}
    fn set_verbosity(&self, _level: u8) {}
    fn connections(&self, _: Now, _: i32, _: &mut dyn FnMut(&str, &str)) -> Option<i32> {
        None
    }
    fn facts(&self) -> Facts {
        Facts::default()
    }
}

impl InProcess {
    /// A daemon with these flags.
    pub(crate) fn start(flags: &[&str], arrival: Arrival) -> Self {
        let arguments = ["larderd"].iter().chain(flags).map(OsString::from);
        let debug = ("LARDER_DEBUG_COMMANDS".to_owned(), "1".to_owned());
        let loaded = match parse(arguments, &[debug]) {
            Ok(Action::Run(loaded)) => loaded,
            other => panic!("{flags:?}: {other:?}"),
        };
        let clock = Clock::start();
        clock.pause(true);
        let node = loaded.config.advertise.node(&[], None);
        let shared = Shared {
            directory: Directory::new(node),
            store: Store::new(&loaded.config.store(1)).expect("memory"),
            live: Live::new(&loaded.config),
            door: Door::open(&loaded.config).expect("users"),
            registry: Registry::new(1, loaded.config.sampling()),
            config: loaded.config,
            clock,
            hub: watch::Hub::default(),
            host: Box::new(Nobody),
        };
        Self {
            shared,
            conversations: BTreeMap::new(),
            arrival,
        }
    }

    /// Hands over these bytes and lets the session say all it has to say.
    fn deliver(&mut self, connection: char, bytes: &[u8]) {
        let counters = self.shared.registry.worker(0);
        let context = Context {
            shared: &self.shared,
            counters: &counters,
            now: self.shared.clock.now(),
            worker: 0,
        };
        let next_id = 30 + self.conversations.len() as u64;
        let conversation = self.conversations.entry(connection).or_insert_with(|| {
            let peer = Peer {
                id: next_id,
                transport: "tcp",
                address: "127.0.0.1".to_owned(),
                port: 40_000,
                dialect: Dialect::Auto,
                secured: false,
                listener: "".into(),
                certificate: None,
            };
            self.shared.hub.opened(&context, &peer);
            Conversation::new(peer)
        });
        conversation.hear(&context, bytes);
    }

    /// What the upkeep thread does: moves log lines and keeps the store in order.
    fn upkeep(&mut self) {
        let now = self.shared.clock.now();
        self.shared.hub.pump(&self.shared, now);
        for conversation in self.conversations.values_mut() {
            if conversation.watches {
                self.shared
                    .hub
                    .take(conversation.peer.id, &mut conversation.output);
            }
        }
        // Bounded, since upkeep may find more to do for ever.
        for _ in 0..1_000 {
            if !self.shared.store.upkeep(now) {
                break;
            }
        }
    }
}

impl Conversation {
    fn new(peer: Peer) -> Self {
        Self {
            session: Session::new(&peer),
            peer,
            input: Vec::new(),
            wanted: 1,
            output: Vec::new(),
            watches: false,
            closed: false,
        }
    }

    fn hear(&mut self, context: &Context<'_>, bytes: &[u8]) {
        self.input.extend_from_slice(bytes);
        while !self.closed && self.input.len() >= self.wanted {
            // What was said is sent before the session goes on, as the server does.
            let mut said = Vec::new();
            let driven = self.session.drive(context, &self.input, &mut said);
            self.output.append(&mut said);
            let idle = driven.consumed == 0;
            self.input.drain(..driven.consumed);
            match driven.next {
                Next::Read { at_least } => {
                    let asks = at_least > self.input.len() || !idle;
                    assert!(asks, "asks for bytes that it has and leaves");
                    self.wanted = at_least.max(1);
                }
                Next::Flush | Next::Yield => self.wanted = 0,
                // A script moves the clock before it says more.
                Next::Hold => self.wanted = 1,
                Next::Watch => {
                    self.watches = true;
                    self.wanted = usize::MAX;
                }
                Next::Close | Next::Abort => {
                    self.closed = true;
                    self.session.close(context);
                    let reason = match driven.next {
                        Next::Abort => CloseReason::Error,
                        _ => CloseReason::Normal,
                    };
                    context.shared.hub.closed(context, &self.peer, reason);
                }
            }
        }
    }
}

impl Wire for InProcess {
    fn send(&mut self, connection: char, bytes: &[u8]) {
        match self.arrival {
            Arrival::Whole => self.deliver(connection, bytes),
            Arrival::CutAt(at) => {
                let (first, second) = bytes.split_at(at.min(bytes.len()));
                self.deliver(connection, first);
                self.deliver(connection, second);
            }
            Arrival::Pieces(size) => {
                for piece in bytes.chunks(size) {
                    self.deliver(connection, piece);
                }
            }
        }
        self.upkeep();
    }

    fn take(&mut self, connection: char, count: usize) -> Vec<u8> {
        let Some(conversation) = self.conversations.get_mut(&connection) else {
            return Vec::new();
        };
        let count = count.min(conversation.output.len());
        conversation.output.drain(..count).collect()
    }

    fn take_line(&mut self, connection: char) -> Vec<u8> {
        let Some(conversation) = self.conversations.get(&connection) else {
            return Vec::new();
        };
        let output = &conversation.output;
        let end = output.iter().position(|&byte| byte == b'\n');
        let count = end.map_or(output.len(), |at| at + 1);
        self.take(connection, count)
    }

    fn closed(&mut self, connection: char) -> bool {
        let conversation = self.conversations.get(&connection);
        conversation.is_some_and(|it| it.closed && it.output.is_empty())
    }

    fn advance(&mut self, seconds: i64) -> bool {
        self.shared.clock.shift(seconds);
        self.upkeep();
        true
    }
}

impl Drop for InProcess {
    fn drop(&mut self) {
        let counters = self.shared.registry.worker(0);
        let context = Context {
            shared: &self.shared,
            counters: &counters,
            now: self.shared.clock.now(),
            worker: 0,
        };
        for conversation in self.conversations.values_mut() {
            if !conversation.closed {
                conversation.session.close(&context);
            }
        }
    }
}
