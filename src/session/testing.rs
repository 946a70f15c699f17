//! A daemon without a process, for tests: everything that sessions share, under a clock that
//! only moves when told.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use super::inside::Insider;
use super::login::Side;
use super::watch::Hub;
use super::{
    Asked, Certificate, Context, Dialect, Door, Facts, Host, Live, Next, Peer, Session, Shared,
};
use crate::cluster::Directory;
use crate::config::Config;
use crate::stats::{Counters, Registry};
use crate::store::Store;
use crate::time::{Clock, FIRST_UPTIME_S, Now};

/// The Unix time at which every bench begins, in seconds.
const EPOCH_S: i64 = 1_700_000_000;

/// A host that does nothing but note that it was asked to stop.
#[derive(Debug, Default)]
struct Nobody;

impl Host for Nobody {
    fn shutdown(&self, _graceful: bool) {}
    fn set_verbosity(&self, _level: u8) {}
    fn connections(&self, _now: Now, _after: i32, see: &mut dyn FnMut(&str, &str)) -> Option<i32> {
        see("1:state", "conn_read");
        None
    }
    fn facts(&self) -> Facts {
        Facts {
            accepting: true,
            curr_connections: 1,
            total_connections: 1,
            ..Facts::default()
        }
    }
}

/// A file that holds this text, as long as it is not dropped.
#[cfg(test)]
pub(super) fn text_file(text: &str) -> tempfile::NamedTempFile {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), text).unwrap();
    file
}

/// Everything that sessions share, and a clock.
pub struct Bench {
    /// What all sessions share.
    pub shared: Shared,
    counters: Arc<Counters>,
    uptime_s: AtomicU32,
    unix_s: i64,
}

impl Bench {
    /// A daemon with these settings that has just started.
    ///
    /// # Errors
    ///
    /// When the store cannot have its memory.
    pub fn new(config: Config) -> std::io::Result<Self> {
        let registry = Registry::new(1, config.sampling());
        let door = Door::open(&config).map_err(std::io::Error::other)?;
        let node = config.advertise.node(&[], None);
        Ok(Self {
            counters: registry.worker(0),
            uptime_s: AtomicU32::new(FIRST_UPTIME_S + 10),
            unix_s: EPOCH_S,
            shared: Shared {
                store: Store::new(&config.store(1))?,
                live: Live::new(&config),
                door,
                directory: Directory::new(node),
                config,
                clock: Clock::start(),
                registry,
                hub: Hub::default(),
                host: Box::new(Nobody),
            },
        })
    }

    /// The moment at which things happen.
    pub fn now(&self) -> Now {
        let uptime_s = self.uptime_s.load(Ordering::Relaxed);
        Now {
            uptime_s,
            unix_s: self.unix_s + i64::from(uptime_s),
        }
    }

    /// Lets time pass.
    pub fn advance(&self, by_s: u32) {
        self.uptime_s.fetch_add(by_s, Ordering::Relaxed);
    }

    /// A new client.
    pub fn client(&self, id: u64) -> Client<'_> {
        self.client_at(id, "127.0.0.1:11211", None)
    }

    /// A new client that has come in here and has shown this certificate.
    pub fn client_at(
        &self,
        id: u64,
        listener: &str,
        certificate: Option<Certificate>,
    ) -> Client<'_> {
        let peer = Peer {
            id,
            transport: "tcp",
            address: "127.0.0.1".to_owned(),
            port: 40_000,
            dialect: Dialect::Auto,
            secured: false,
            listener: listener.into(),
            certificate,
        };
        Client {
            bench: self,
            session: Session::new(&peer),
            pending: Vec::new(),
            last: None,
            turns: 0,
            id,
        }
    }

    fn context(&self) -> Context<'_> {
        Context {
            shared: &self.shared,
            counters: &self.counters,
            now: self.now(),
            worker: 0,
        }
    }
}

/// A client that speaks to a session directly.
pub struct Client<'b> {
    bench: &'b Bench,
    session: Session,
    /// Input that the session has not consumed.
    pending: Vec<u8>,
    /// What the session asked for last.
    pub last: Option<Next>,
    /// Turns that the session has had.
    pub turns: usize,
    id: u64,
}

impl Client<'_> {
    /// Sends these bytes and returns what comes back, as the owner of a socket would.
    pub fn say(&mut self, bytes: &[u8]) -> Vec<u8> {
        self.pending.extend_from_slice(bytes);
        let mut answer = Vec::new();
        loop {
            if matches!(self.last, Some(Next::Close | Next::Abort)) {
                return answer;
            }
            if let Some(Next::Read { at_least }) = self.last
                && self.pending.len() < at_least
            {
                return answer;
            }
            let mut output = Vec::new();
            let context = self.bench.context();
            // As a worker does that has several clients in hand: it must not matter.
            if let Some(wanted) = self.session.foresee(&context, &self.pending) {
                wanted.fetch(&context);
            }
            let driven = self.session.drive(&context, &self.pending, &mut output);
            self.pending.drain(..driven.consumed);
            answer.append(&mut output);
            self.last = Some(driven.next);
            self.turns += 1;
            if driven.next == Next::Hold {
                // A hash has been computed at once here; what is left is the clock.
                let context = self.bench.context();
                let again = self.session.drive(&context, &self.pending, &mut answer);
                self.pending.drain(..again.consumed);
                self.last = Some(again.next);
                if again.next == Next::Hold {
                    return answer;
                }
            }
            if driven.next == Next::Watch {
                self.bench
                    .shared
                    .hub
                    .pump(&self.bench.shared, self.bench.now());
                self.bench.shared.hub.take(self.id, &mut answer);
                return answer;
            }
        }
    }

    /// Whether these bytes, if they came now, would tell which item is wanted.
    pub fn foresees(&self, bytes: &[u8]) -> bool {
        let context = self.bench.context();
        self.session.foresee(&context, bytes).is_some()
    }

    /// What the first request in these bytes would be called, and its first key.
    pub fn recognize<'i>(&self, bytes: &'i [u8]) -> Option<(Asked, &'i [u8])> {
        self.session.recognize(bytes)
    }

    /// Has this user logged in, whatever the dialect. Panics when there is no such user.
    pub fn enter(&mut self, name: &str) {
        let users = self.bench.shared.door.users().expect("users");
        let identity = users.identity(name).expect("a user of this name");
        let insider = Insider::by_login(identity).expect("room for one more");
        self.session.side = Side::Inside(Some(insider));
    }

    /// Sends one datagram and returns the reply messages.
    pub fn datagram(&mut self, bytes: &[u8]) -> Vec<Vec<u8>> {
        let mut messages = Vec::new();
        let context = self.bench.context();
        self.session.datagram(&context, bytes, &mut |message| {
            messages.push(message.to_vec())
        });
        messages
    }

    /// Whether the session has ended the conversation.
    pub fn is_closed(&self) -> bool {
        matches!(self.last, Some(Next::Close | Next::Abort))
    }
}

impl Drop for Client<'_> {
    fn drop(&mut self) {
        self.session.close(&self.bench.context());
    }
}
