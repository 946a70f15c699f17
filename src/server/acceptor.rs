//! The thread that takes connections in and hands each to the least loaded worker.
//!
//! Listeners are edge-triggered: one that has been told ready stays so here until accepting finds
//! nothing, and while accepting is paused nobody is woken for it. So neither a full house nor a
//! system without descriptors makes a busy loop.

use std::fs::File;
use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Token};
use rustix::io::Errno;
use rustix::net::{SendFlags, SocketFlags};

use super::census::{Arrival, Census, Entry, Place};
use super::gate::Gate;
use super::listener::Listener;
use super::mailbox::{Letter, Mailbox, Newcomer};
use super::stream::Stream;
use crate::limits::{ACCEPT_COUNT_MAX, ACCEPT_PAUSE_MS};
use crate::session::{REFUSAL, Shared};

/// The poll's name for the waker.
pub(super) const WAKE: Token = Token(usize::MAX);

/// Least time between two complaints about the same trouble.
const COMPLAINT_PAUSE: Duration = Duration::from_secs(60);

/// The thread that takes connections in.
pub(super) struct Acceptor {
    pub(super) poll: Poll,
    pub(super) shared: Arc<Shared>,
    pub(super) gate: Arc<Gate>,
    pub(super) census: Arc<Census>,
    pub(super) workers: Vec<Arc<Mailbox>>,
    /// Who shakes hands, when some listener speaks TLS.
    handshakers: Vec<Arc<Mailbox>>,
    pub(super) stopping: Arc<AtomicBool>,
    entrances: Vec<Entrance>,
    /// Kept so that there is one descriptor left to turn a client away with.
    spare: Option<File>,
    /// Which worker is looked at first, so that equal loads share.
    turn: usize,
    complained: Option<Instant>,
    fast: bool,
}

struct Entrance {
    listener: Listener,
    entry: Arc<Entry>,
    /// Clients on one address of many: which one they called must be asked.
    is_wildcard: bool,
    ready: bool,
}

/// Why accepting stopped.
enum Halt {
    /// Nobody waits.
    Empty,
    /// Others should have their turn.
    Fair,
    /// There is no room until a connection closes.
    Full,
    /// There are no descriptors for the time being.
    Starved,
}

impl Acceptor {
    /// Registers the listeners.
    ///
    /// # Errors
    ///
    /// When the poll does not take one.
    pub(super) fn new(
        poll: Poll,
        listeners: Vec<Listener>,
        shared: Arc<Shared>,
        gate: Arc<Gate>,
        census: Arc<Census>,
        (workers, handshakers): (Vec<Arc<Mailbox>>, Vec<Arc<Mailbox>>),
        stopping: Arc<AtomicBool>,
    ) -> io::Result<Self> {
        let mut entrances = Vec::new();
        for (index, listener) in listeners.into_iter().enumerate() {
            let descriptor = listener.descriptor();
            poll.registry().register(
                &mut SourceFd(&descriptor),
                Token(index),
                Interest::READABLE,
            )?;
            let entry = Arc::new(Entry::new(listener.place.clone()));
            let is_wildcard =
                matches!(&listener.place, Place::Tcp(address) if address.ip().is_unspecified());
            entrances.push(Entrance {
                listener,
                entry,
                is_wildcard,
                ready: false,
            });
        }
        Ok(Self {
            fast: shared.config.maxconns_fast,
            poll,
            shared,
            gate,
            census,
            workers,
            handshakers,
            stopping,
            entrances,
            spare: spare(),
            turn: 0,
            complained: None,
        })
    }

    /// Accepts until told to stop, then closes the listeners.
    pub(super) fn run(mut self) {
        let mut events = Events::with_capacity(64);
        let mut patience = None;
        while !self.stopping.load(Ordering::Acquire) {
            if let Err(error) = self.poll.poll(&mut events, patience)
                && error.kind() != io::ErrorKind::Interrupted
            {
                log::error!("cannot wait for connections: {error}");
                break;
            }
            for event in &events {
                if let Some(entrance) = self.entrances.get_mut(event.token().0) {
                    entrance.ready = true;
                }
            }
            self.gate.beat.tick();
            patience = self.accept_all();
        }
        for entrance in &self.entrances {
            self.census.leave(entrance.listener.descriptor());
        }
    }

    /// Accepts from all that are ready. Returns how long to wait for news.
    fn accept_all(&mut self) -> Option<Duration> {
        let mut patience = None;
        for index in 0..self.entrances.len() {
            if !self.entrances[index].ready {
                continue;
            }
            match self.accept_some(index) {
                Halt::Empty => self.entrances[index].ready = false,
                Halt::Fair => patience = Some(Duration::ZERO),
                Halt::Full => return None,
                Halt::Starved => return Some(Duration::from_millis(ACCEPT_PAUSE_MS)),
            }
        }
        patience
    }

    fn accept_some(&mut self, index: usize) -> Halt {
        for _ in 0..ACCEPT_COUNT_MAX {
            if !self.fast && !self.gate.has_room() && !self.gate.pause(true) {
                self.complain("connections wait: limit reached");
                return Halt::Full;
            }
            // The spare one is taken first: whoever gets the last descriptor must not be a client.
            if self.spare.is_none() {
                self.spare = spare();
            }
            if self.spare.is_none() {
                return self.starve();
            }
            let listener = &self.entrances[index].listener.socket;
            let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
            match rustix::net::acceptfrom_with(listener, flags) {
                Ok((socket, peer)) => {
                    self.gate.resume();
                    let peer = peer.and_then(|peer| SocketAddr::try_from(peer).ok());
                    self.admit(index, socket, peer);
                }
                Err(Errno::AGAIN) => {
                    self.gate.resume();
                    return Halt::Empty;
                }
                Err(Errno::MFILE | Errno::NFILE) if self.fast => {
                    if let Some(halt) = self.turn_away(index) {
                        return halt;
                    }
                }
                // The client has gone already.
                Err(Errno::CONNABORTED | Errno::INTR) => {}
                Err(_) => return self.starve(),
            }
        }
        Halt::Fair
    }

    /// Frees the spare descriptor to tell one client that there is no room. Returns why to stop,
    /// if to stop.
    fn turn_away(&mut self, index: usize) -> Option<Halt> {
        self.spare = None;
        let listener = &self.entrances[index].listener.socket;
        let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
        let halt = match rustix::net::accept_with(listener, flags) {
            // Without descriptors the system says so before it looks whether anybody waits.
            Err(Errno::AGAIN) => Some(Halt::Empty),
            Err(_) => Some(self.starve()),
            // Closed here, so that its descriptor becomes the spare one again.
            Ok(socket) => {
                self.refuse(index, &socket);
                None
            }
        };
        self.spare = spare();
        halt
    }

    fn starve(&mut self) -> Halt {
        self.complain("connections wait: the system gives no more descriptors");
        self.gate.pause(false);
        Halt::Starved
    }

    fn refuse(&self, index: usize, socket: &OwnedFd) {
        self.gate.reject();
        if self.entrances[index].listener.tls.is_some() {
            // It would take words for a broken record, and a handshake to tell it anything is what
            // there is no room for.
            return;
        }
        // A client that cannot be told is gone, or will see the end of the connection.
        let _ = rustix::net::send(socket, REFUSAL, SendFlags::NOSIGNAL);
    }

    fn admit(&mut self, index: usize, socket: OwnedFd, peer: Option<SocketAddr>) {
        if self.fast && !self.gate.has_room() {
            self.refuse(index, &socket);
            self.complain("connection refused: limit reached");
            return;
        }
        let entrance = &self.entrances[index];
        let local = entrance
            .is_wildcard
            .then(|| rustix::net::getsockname(&socket).ok())
            .flatten()
            .and_then(|local| SocketAddr::try_from(local).ok());
        let now_s = self.shared.clock.now().uptime_s;
        let descriptor = socket.as_raw_fd();
        let listener = Arc::clone(&entrance.entry);
        let dialect = entrance.listener.dialect;
        let tls = entrance.listener.tls;
        let worker = self.least_loaded();
        self.gate.admit();
        self.workers[worker].load_up();
        let arrival = Arrival {
            peer,
            local: local.map(|local| local.ip()),
            listener,
            secured: tls.is_some(),
            // Nobody has so many threads.
            worker: u16::try_from(worker).unwrap_or(u16::MAX),
            now_s,
        };
        let info = self.census.admit(descriptor, arrival);
        let newcomer = Newcomer {
            stream: Stream::plain(socket),
            info,
            dialect,
            tls,
            worker,
        };
        let mailbox = match tls {
            None => &self.workers[worker],
            // There is one wherever a listener speaks TLS.
            Some(_) => &self.handshakers[worker % self.handshakers.len()],
        };
        // A worker that has ended takes no letters: the server stops, and the connection with it.
        if !mailbox.post(Letter::Adopt(newcomer)) {
            self.census.leave(descriptor);
            self.gate.release();
        }
    }

    fn least_loaded(&mut self) -> usize {
        let count = self.workers.len();
        let mut best = self.turn % count;
        for step in 1..count {
            let index = (self.turn + step) % count;
            if self.workers[index].load() < self.workers[best].load() {
                best = index;
            }
        }
        self.turn = best + 1;
        best
    }

    fn complain(&mut self, trouble: &str) {
        let quiet = self
            .complained
            .is_none_or(|last| last.elapsed() >= COMPLAINT_PAUSE);
        if quiet {
            self.complained = Some(Instant::now());
            let open = self.gate.open();
            let limit = self.shared.config.conn_limit;
            log::warn!("{trouble}  open={open} limit={limit}");
        }
    }
}

fn spare() -> Option<File> {
    File::open("/dev/null").ok()
}
