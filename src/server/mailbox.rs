//! How other threads reach a worker, and what they may know of it.
//!
//! Letters go through a channel; the worker's poll is woken only when it may be asleep. The
//! numbers are written by the worker at most once a turn and read by the acceptor, by upkeep and
//! by `stats conns`.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicUsize, Ordering};
use std::time::Instant;

use crossbeam_channel::{Receiver, Sender};
use mio::Waker;

use super::census::Info;
use super::pulse::Beat;
use super::stream::Stream;
use crate::session::Dialect;

/// A connection on its way from the acceptor to a worker, by way of a handshake or not.
pub(super) struct Newcomer {
    /// The accepted socket, not blocking; past the handshake if there was one.
    pub(super) stream: Stream,
    /// What lists of sockets show of it.
    pub(super) info: Arc<Info>,
    /// What its listener speaks.
    pub(super) dialect: Dialect,
    /// How its listener treats client certificates, when there is to be a handshake first.
    pub(super) tls: Option<u8>,
    /// The worker that will serve it.
    pub(super) worker: usize,
}

/// What a worker, or a thread that shakes hands, may be told.
pub(super) enum Letter {
    /// Serve this connection, or shake hands with it.
    Adopt(Newcomer),
    /// Close the connection of this number, if it is one that is to be closed.
    Kill(usize),
    /// Answer what has been read, send what can be sent until then, close all, and end.
    Stop {
        /// When to give up on clients that do not read.
        until: Instant,
    },
}

/// The worker's end of the channel.
pub(super) type Letters = Receiver<Letter>;

/// One worker, as other threads see it.
pub(super) struct Mailbox {
    sender: Sender<Letter>,
    waker: Waker,
    /// Set from a wake-up until the worker has seen it, so that a burst costs one system call.
    signalled: AtomicBool,
    /// Connections given to this worker and not yet closed.
    load: AtomicUsize,
    /// Connections of this worker that watch.
    watchers: AtomicUsize,
    /// Descriptor of the connection that is being served; -1 for none.
    current: AtomicI32,
    /// Counts how often the worker has opened the box.
    pub(super) beat: Beat,
}

impl Mailbox {
    /// A mailbox that wakes a worker's poll, and the end it reads from.
    pub(super) fn new(waker: Waker) -> (Self, Letters) {
        // Bounded by the connection limit: there is one letter for each connection, one more for
        // each that is closed from outside, and one to stop.
        let (sender, letters) = crossbeam_channel::unbounded();
        let mailbox = Self {
            sender,
            waker,
            signalled: AtomicBool::new(false),
            load: AtomicUsize::new(0),
            watchers: AtomicUsize::new(0),
            current: AtomicI32::new(-1),
            beat: Beat::default(),
        };
        (mailbox, letters)
    }

    /// Leaves a letter and wakes the worker. False when the worker has ended.
    pub(super) fn post(&self, letter: Letter) -> bool {
        let posted = self.sender.send(letter).is_ok();
        self.wake();
        posted
    }

    /// Makes the worker look around, even with nothing in the box.
    pub(super) fn wake(&self) {
        if !self.signalled.swap(true, Ordering::AcqRel)
            && let Err(error) = self.waker.wake()
        {
            log::error!("cannot wake a worker: {error}");
        }
    }

    /// Said by the worker before it empties the box: what comes later wakes it again.
    pub(super) fn seen(&self) {
        self.signalled.swap(false, Ordering::AcqRel);
        self.beat.tick();
    }

    /// Connections given to this worker.
    pub(super) fn load(&self) -> usize {
        self.load.load(Ordering::Relaxed)
    }

    /// Counts a connection given to this worker.
    pub(super) fn load_up(&self) {
        self.load.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts a connection of this worker closed.
    pub(super) fn load_down(&self) {
        self.load.fetch_sub(1, Ordering::Relaxed);
    }

    /// Whether a connection of this worker watches.
    pub(super) fn has_watchers(&self) -> bool {
        self.watchers.load(Ordering::Relaxed) != 0
    }

    /// Says how many connections of this worker watch.
    pub(super) fn set_watchers(&self, count: usize) {
        self.watchers.store(count, Ordering::Relaxed);
    }

    /// The descriptor being served, or -1.
    pub(super) fn current(&self) -> i32 {
        self.current.load(Ordering::Relaxed)
    }

    /// Says which descriptor is being served; -1 for none.
    pub(super) fn set_current(&self, descriptor: i32) {
        self.current.store(descriptor, Ordering::Relaxed);
    }
}

/// An address without its name, for connections that have none.
pub(super) fn ip_and_port(address: Option<SocketAddr>) -> (String, u16) {
    match address {
        Some(address) => (address.ip().to_string(), address.port()),
        None => ("unix".to_owned(), 0),
    }
}
