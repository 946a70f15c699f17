//! The threads that shake hands with TLS clients before a worker meets them.
//!
//! The arithmetic of one handshake takes as long as a hundred requests, with an RSA key as long as
//! a thousand, and nothing can interrupt it. A worker that did it would keep all its clients
//! waiting; so these threads do, which serve nobody and stand back when a worker wants their core.
//! A connection comes from the acceptor, stays until the handshake is done, has failed or has
//! taken too long, and goes on to the worker that the acceptor has chosen.
//!
//! **Invariant:** a stranger that has something to do without new events stands in the queue.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Token};
use slab::Slab;

use super::census::Info;
use super::desk::Desk;
use super::mailbox::{Letter, Letters, Mailbox, Newcomer};
use super::stream::{Received, Sent, Stream};
use super::tls::Tls;
use super::worker::WAKE;
use crate::limits::{HANDSHAKE_COUNT_MAX, HANDSHAKE_MAX_S};
use crate::session::{CloseReason, Dialect};
use crate::time::Now;

/// Events taken from the poll at once.
const EVENT_COUNT: usize = 256;

/// How far these threads stand back behind workers, in the system's steps of niceness: with every
/// core busy they still get about a tenth of one.
const NICENESS: i32 = 10;

/// What a turn needs to read behind a handshake: nothing, but a client may send it.
const SCRATCH_SIZE: usize = 1 << 10;

/// One thread that shakes hands.
pub(super) struct Handshaker {
    desk: Desk,
    tls: Arc<Tls>,
    workers: Vec<Arc<Mailbox>>,
    poll: Poll,
    letters: Letters,
    now: Now,
    strangers: Slab<Stranger>,
    /// Who has a turn. Each turn is one read, and the arithmetic that follows from it.
    queue: VecDeque<usize>,
    swept_s: u32,
    stopping: bool,
}

/// A connection whose handshake is not done.
struct Stranger {
    stream: Stream,
    info: Arc<Info>,
    dialect: Dialect,
    /// Who will serve it.
    worker: usize,
    queued: bool,
}

/// What a turn has come to.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Progress {
    /// Wait for an event.
    Wait,
    /// There may be more to read.
    Again,
    /// The handshake is done.
    Done,
    /// It is over with this connection.
    Failed,
}

impl Handshaker {
    /// One that has not begun.
    pub(super) fn new(
        desk: Desk,
        tls: Arc<Tls>,
        workers: Vec<Arc<Mailbox>>,
        poll: Poll,
        letters: Letters,
    ) -> Self {
        let now = desk.shared.clock.now();
        Self {
            desk,
            tls,
            workers,
            poll,
            letters,
            now,
            strangers: Slab::new(),
            queue: VecDeque::new(),
            swept_s: now.uptime_s,
            stopping: false,
        }
    }

    /// Shakes hands until told to stop.
    pub(super) fn run(mut self) {
        // Without it strangers are met all the same.
        let _ = rustix::process::nice(NICENESS);
        let mut events = Events::with_capacity(EVENT_COUNT);
        while !self.stopping {
            if let Err(error) = self.poll.poll(&mut events, self.patience())
                && error.kind() != io::ErrorKind::Interrupted
            {
                log::error!("cannot wait for handshakes: {error}");
                self.desk.control.shutdown(false);
                break;
            }
            self.now = self.desk.shared.clock.now();
            for event in &events {
                match event.token() {
                    WAKE => self.open_mailbox(),
                    Token(key) => self.enqueue(key),
                }
            }
            for _ in 0..HANDSHAKE_COUNT_MAX {
                if let Some(key) = self.queue.pop_front() {
                    self.turn(key);
                }
            }
            self.sweep();
        }
        let keys: Vec<usize> = self.strangers.iter().map(|(key, _)| key).collect();
        for key in keys {
            self.close(key, CloseReason::Shutdown);
        }
        // Letters that nobody will read any more hold connections too.
        while let Ok(letter) = self.letters.try_recv() {
            if let Letter::Adopt(newcomer) = letter {
                self.turn_out(newcomer.info.descriptor, newcomer.worker);
            }
        }
    }

    /// How long the poll may wait.
    fn patience(&self) -> Option<Duration> {
        if !self.queue.is_empty() {
            return Some(Duration::ZERO);
        }
        (!self.strangers.is_empty()).then_some(Duration::from_secs(1))
    }

    fn open_mailbox(&mut self) {
        self.desk.mailbox.seen();
        while let Ok(letter) = self.letters.try_recv() {
            match letter {
                Letter::Adopt(newcomer) => self.meet(newcomer),
                Letter::Kill(key) => self.kill(key),
                Letter::Stop { .. } => self.stopping = true,
            }
        }
    }

    fn meet(&mut self, newcomer: Newcomer) {
        let Newcomer {
            stream,
            info,
            dialect,
            tls,
            worker,
        } = newcomer;
        let mode = tls.unwrap_or_default();
        let secured = match self.tls.begin(mode, self.now.uptime_s) {
            Ok(secured) => secured,
            Err(error) => {
                log::error!("cannot begin TLS: {error}");
                drop(stream);
                return self.turn_out(info.descriptor, worker);
            }
        };
        let mut peer = info.as_peer(dialect);
        peer.secured = true;
        self.desk.counters.total_connections.add(1);
        let context = self.desk.context(self.now);
        context.shared.hub.opened(&context, &peer);
        let descriptor = info.descriptor;
        log::debug!("connection {descriptor} opened by {}", peer.address);
        let key = self.strangers.insert(Stranger {
            stream: stream.secure(secured),
            info,
            dialect,
            worker,
            queued: false,
        });
        // Whether there is room to write is asked for from the start: a client that takes nothing
        // of a greeting is rare, and an event too many costs nothing here.
        let interest = Interest::READABLE | Interest::WRITABLE;
        let registry = self.poll.registry();
        let registered = registry.register(&mut SourceFd(&descriptor), Token(key), interest);
        if let Err(error) = registered {
            log::error!("cannot wait for events of connection {descriptor}: {error}");
            return self.close(key, CloseReason::Error);
        }
        if !self.strangers[key].info.sit(key, true) {
            self.close(key, CloseReason::Killed);
        }
    }

    /// Closes a connection, unless its number is another's by now.
    fn kill(&mut self, key: usize) {
        let stranger = self.strangers.get(key);
        if stranger.is_some_and(|stranger| stranger.info.is_doomed()) {
            self.close(key, CloseReason::Killed);
        }
    }

    fn enqueue(&mut self, key: usize) {
        if let Some(stranger) = self.strangers.get_mut(key)
            && !stranger.queued
        {
            stranger.queued = true;
            self.queue.push_back(key);
        }
    }

    fn turn(&mut self, key: usize) {
        let Some(stranger) = self.strangers.get_mut(key) else {
            return;
        };
        stranger.queued = false;
        match stranger.go_on() {
            Progress::Wait => {}
            Progress::Again => self.enqueue(key),
            Progress::Done => self.hand_over(key),
            Progress::Failed => self.close(key, CloseReason::Error),
        }
    }

    /// Sends one whose handshake is done to its worker.
    fn hand_over(&mut self, key: usize) {
        let Stranger {
            stream,
            info,
            dialect,
            worker,
            ..
        } = self.strangers.remove(key);
        info.stand_up();
        let descriptor = info.descriptor;
        if stream.is_new_session() {
            self.desk.counters.ssl_new_sessions.add(1);
        }
        // The worker's poll tells it anew what there is to read.
        if let Err(error) = self.poll.registry().deregister(&mut SourceFd(&descriptor)) {
            log::error!("cannot pass on connection {descriptor}: {error}");
            drop(stream);
            return self.turn_out(descriptor, worker);
        }
        let newcomer = Newcomer {
            stream,
            info,
            dialect,
            tls: None,
            worker,
        };
        // A worker that has ended takes no letters: the server stops.
        if !self.workers[worker].post(Letter::Adopt(newcomer)) {
            self.turn_out(descriptor, worker);
        }
    }

    /// Once a second, closes those who take too long.
    fn sweep(&mut self) {
        let now_s = self.now.uptime_s;
        if now_s == self.swept_s {
            return;
        }
        self.swept_s = now_s;
        let late = |since_s: u32| now_s.saturating_sub(since_s) >= HANDSHAKE_MAX_S;
        let due: Vec<usize> = self
            .strangers
            .iter()
            .filter(|(_, stranger)| stranger.stream.handshake_since_s().is_none_or(late))
            .map(|(key, _)| key)
            .collect();
        for key in due {
            self.desk.counters.ssl_handshake_errors.add(1);
            self.close(key, CloseReason::Error);
        }
    }

    fn close(&mut self, key: usize, reason: CloseReason) {
        let mut stranger = self.strangers.remove(key);
        let context = self.desk.context(self.now);
        if let Some(trouble) = stranger.stream.trouble() {
            self.desk.tell(&context, &stranger.info, trouble);
        }
        let peer = stranger.info.as_peer(Dialect::Auto);
        context.shared.hub.closed(&context, &peer, reason);
        let descriptor = stranger.info.descriptor;
        log::debug!("connection {descriptor} closed: {}", reason.name());
        // What it has sent is read, so that why we refuse it reaches it before the end does.
        stranger.stream.finish(true, &mut [0; SCRATCH_SIZE]);
        self.desk.census.leave(descriptor);
        let worker = stranger.worker;
        // The descriptor must be free before the acceptor hears that there is room.
        drop(stranger);
        self.workers[worker].load_down();
        self.desk.gate.release();
    }

    /// Forgets a connection that no worker will have.
    fn turn_out(&self, descriptor: i32, worker: usize) {
        self.desk.census.leave(descriptor);
        self.workers[worker].load_down();
        self.desk.gate.release();
    }
}

impl Stranger {
    fn go_on(&mut self) -> Progress {
        if self.stream.is_blocked() {
            match self.stream.send(&[]).result {
                Sent::All => {}
                Sent::Part => return Progress::Wait,
                Sent::Broken => return Progress::Failed,
            }
        }
        let received = self.stream.receive(&mut [0; SCRATCH_SIZE]);
        match received {
            Received::Progress if self.stream.handshake_since_s().is_none() => Progress::Done,
            Received::Progress => Progress::Again,
            Received::Nothing => Progress::Wait,
            // Nothing is handed out before the handshake is done, and afterwards nothing here.
            Received::Bytes { .. } | Received::End | Received::Broken => Progress::Failed,
        }
    }
}
