//! One client's conversation: bytes in, bytes out.
//!
//! A [`Session`] is the only place where the wire meets the store. It owns no socket, reads no
//! clock and starts no thread, so a test holds a whole conversation with two byte strings.
//! Start reading at [`Session::drive`].
//!
//! **Invariant:** when `drive` returns, `output` answers exactly the consumed part of `input`.

mod admin;
mod ahead;
mod classic;
mod data;
mod discovery;
mod doing;
mod drive;
mod dump;
mod execute;
pub mod figures;
mod inside;
#[cfg(test)]
mod inside_tests;
mod insight;
#[cfg(test)]
mod insight_tests;
mod keys;
mod lines;
mod listing;
mod live;
pub mod login;
#[cfg(test)]
mod login_tests;
mod meta;
mod packets;
mod prefix;
mod report;
mod rights;
#[cfg(test)]
mod rights_tests;
mod sasl;
#[cfg(test)]
mod sasl_tests;
mod slow;
#[doc(hidden)]
pub mod testing;
#[cfg(test)]
mod tests;
mod turn;
mod waste;
pub mod watch;

pub use admin::LimitError;
pub use ahead::Wanted;
pub use doing::{Asked, Doing};
pub use listing::FIRST;
pub use live::Live;
pub use login::{Door, Ticket};

use std::sync::Arc;

use crate::cluster::Directory;
use crate::config::Config;
use crate::stats::{Counters, Registry};
use crate::store::{Pin, Store};
use crate::time::{Clock, Now};

/// What a client is told that is turned away because `-c` connections are open. The server sends
/// it as it stands, since no wire text is written there.
pub const REFUSAL: &[u8] = b"ERROR Too many open connections\r\n";

/// What all sessions of a daemon share.
pub struct Shared {
    /// The items.
    pub store: Store,
    /// The settings as they were at the start.
    pub config: Config,
    /// The clock that upkeep ticks.
    pub clock: Clock,
    /// Counters of all workers.
    pub registry: Registry,
    /// Who watches what.
    pub hub: watch::Hub,
    /// What commands have changed since the start.
    pub live: Live,
    /// Who may come in.
    pub door: Door,
    /// What clients that look for the nodes of the cluster find.
    pub directory: Directory,
    /// What a session may ask of the process around it.
    pub host: Box<dyn Host>,
}

/// Which clients are shown where not all are.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Choice {
    /// Those whose numbers are above this one, the lowest first: who came first.
    Behind(u64),
    /// Those with most requests, most first.
    Busiest,
}

/// How many clients there were to choose from.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Chosen {
    /// All that are connected.
    pub connected: u64,
    /// Those that the choice is about, shown or not.
    pub meant: u64,
}

/// What a session may ask of the process around it.
pub trait Host: Send + Sync {
    /// Stops the daemon as SIGINT does, or as SIGUSR1 does when `graceful`.
    fn shutdown(&self, graceful: bool);
    /// Sets the log level: 0 to 2.
    fn set_verbosity(&self, level: u8);
    /// Shows lines of `stats conns` to `see` as keys and values, such as `27:state` and
    /// `conn_waiting`, ordered by descriptor. The caller frames them: the wire is its business.
    ///
    /// A call shows a few sockets behind the descriptor `after`, which is [`FIRST`] at the
    /// beginning, and returns where the next call is to go on, or `None` at the end.
    fn connections(&self, now: Now, after: i32, see: &mut dyn FnMut(&str, &str)) -> Option<i32>;
    /// As [`Self::connections`], the lines of `stats clients`, such as `5:user` and `app1`, where
    /// 5 is a number that no other connection of this daemon ever has.
    fn clients(&self, _now: Now, _after: i32, _see: &mut dyn FnMut(&str, &str)) -> Option<i32> {
        None
    }
    /// Shows as [`Self::clients`] does up to `count` clients, in the order of their choice.
    fn chosen_clients(
        &self,
        _now: Now,
        _choice: Choice,
        _count: usize,
        _see: &mut dyn FnMut(&str, &str),
    ) -> Chosen {
        Chosen::default()
    }
    /// Has clients closed by their workers: the one of this number, or all of this address, with
    /// a port or without. Goes on behind `after` as [`Self::connections`] does. `None` when `who`
    /// is neither.
    fn kill(&self, _who: &str, _after: i32) -> Option<Killed> {
        None
    }
    /// Reads the certificates again. When one is wrong all stay as they are, and the error says
    /// which and why.
    ///
    /// # Errors
    ///
    /// What is wrong, in words.
    fn refresh_certificates(&self, _now: Now) -> Result<(), String> {
        Err("TLS is not enabled".to_owned())
    }
    /// Has the slow hash of a login computed elsewhere, and has this worker's sessions that hold
    /// called when it is. False when too many wait: ask again. A host without threads computes
    /// it at once.
    fn log_in(&self, _worker: usize, ticket: &Arc<Ticket>) -> bool {
        ticket.run();
        true
    }
    /// Has a snapshot of all items written.
    fn snapshot(&self) -> SnapshotReply {
        SnapshotReply::Off
    }
    /// Process and server facts for `stats`.
    fn facts(&self) -> Facts;
}

/// What [`Host::snapshot`] has come to.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum SnapshotReply {
    /// It is being written from now on.
    Begun,
    /// One is being written already, or the daemon begins or ends.
    Busy,
    /// The settings name no file for it.
    Off,
}

/// What one call of [`Host::kill`] has come to.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Killed {
    /// Clients found.
    pub count: u32,
    /// Where the next call is to go on; `None` at the end.
    pub next: Option<i32>,
}

/// Process and server facts for `stats`.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    /// User CPU time, in microseconds.
    pub user_us: u64,
    /// System CPU time, in microseconds.
    pub system_us: u64,
    /// Connections refused because `-c` was reached.
    pub rejected_connections: u64,
    /// Times that accepting was paused.
    pub listen_disabled_num: u64,
    /// Time that accepting was paused, in microseconds.
    pub time_in_listen_disabled_us: u64,
    /// Whether connections are accepted now.
    pub accepting: bool,
    /// Descriptors set aside.
    pub reserved_fds: u64,
    /// Connections open now, over all workers.
    pub curr_connections: u64,
    /// Connections ever accepted.
    pub total_connections: u64,
    /// About TLS, when it is on.
    pub tls: Option<TlsFacts>,
    /// About snapshots, when there is a file for them.
    pub snapshot: Option<SnapshotFacts>,
}

/// What is told about snapshots.
#[derive(Clone, Copy, Debug, Default)]
pub struct SnapshotFacts {
    /// Whether one is being written.
    pub is_taking: bool,
    /// Snapshots written.
    pub taken: u64,
    /// Snapshots that could not be written.
    pub failures: u64,
    /// Items that came from one at the start.
    pub restored_items: u64,
    /// The last one; all zero before the first.
    pub last: SnapshotTaken,
}

/// A snapshot that was written.
#[derive(Clone, Copy, Debug, Default)]
pub struct SnapshotTaken {
    /// When it was ended, in Unix time.
    pub unix_s: i64,
    /// How long it took, in milliseconds.
    pub took_ms: u64,
    /// Items in it.
    pub items: u64,
    /// Bytes of the file.
    pub size: u64,
}

/// What `stats` tells about TLS.
#[derive(Clone, Copy, Debug, Default)]
pub struct TlsFacts {
    /// When the certificates were read last, in seconds of uptime.
    pub refreshed_s: u32,
    /// Attempts to read them again that failed.
    pub refresh_failures: u64,
    /// When our certificate ends, in Unix time.
    pub not_after_unix_s: i64,
}

/// A client's certificate, signed by an authority that the settings name.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Certificate {
    /// Its whole subject, such as `O=Example, CN=app1`, a comma in a value behind a backslash.
    /// Empty when it is no text.
    pub subject: String,
    /// The common name in it.
    pub common_name: Option<String>,
}

/// What a session needs for one turn.
#[derive(Clone, Copy)]
pub struct Context<'a> {
    /// What all sessions share.
    pub shared: &'a Shared,
    /// The counters of the worker that drives this session.
    pub counters: &'a Counters,
    /// The moment of this turn.
    pub now: Now,
    /// The worker's number, from 0.
    pub worker: usize,
}

/// What the owner of the socket must do after [`Session::drive`].
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Next {
    /// Send `output`, then call again once at least this many bytes are buffered beyond what was
    /// consumed. Honouring it is what stops a drip-feeding client from costing quadratic time.
    Read {
        /// Bytes that must be there, counted from the first byte not consumed.
        at_least: usize,
    },
    /// Send `output`, then call again, even with no new input: there is more to say.
    Flush,
    /// This client has had its share of the turn: send `output`, serve others, call again.
    Yield,
    /// Send `output` and read nothing; call again when [`Host::log_in`] has news, and at the
    /// latest when a second has passed.
    Hold,
    /// The session has become a watcher: send `output` and then what `Hub::take` has for it.
    Watch,
    /// Send `output`, then close. Read nothing more.
    Close,
    /// As [`Self::Close`], because of what the client sent: the log gives `reason=error`.
    Abort,
}

/// Why a connection ended, as `reason=` of the `conn_close` log line.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum CloseReason {
    /// The client broke the protocol, or the network broke.
    Error,
    /// An administrator wanted it.
    Killed,
    /// The client left, or asked to.
    Normal,
    /// Nothing was heard for `idle_timeout`.
    IdleTimeout,
    /// The daemon stops.
    Shutdown,
}

impl CloseReason {
    /// The word in the log line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Killed => "killed",
            Self::Normal => "normal",
            Self::IdleTimeout => "idle_timeout",
            Self::Shutdown => "shutdown",
        }
    }
}

/// What one call of [`Session::drive`] did.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Driven {
    /// Bytes of input that are done with.
    pub consumed: usize,
    /// Requests answered.
    pub served: u32,
    /// What to do now.
    pub next: Next,
}

/// Which protocol a listener speaks.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Dialect {
    /// Decided by the first byte.
    Auto,
    /// Text and meta only.
    Text,
    /// Binary only.
    Binary,
}

/// What a session is told about its connection.
#[derive(Clone, Debug)]
pub struct Peer {
    /// Descriptor number, as `cfd=` in log lines.
    pub id: u64,
    /// `tcp`, `local` or `udp`, as `transport=` in log lines.
    pub transport: &'static str,
    /// Remote address, or `unix`.
    pub address: String,
    /// Remote port; zero for unix.
    pub port: u16,
    /// What the listener speaks.
    pub dialect: Dialect,
    /// Whether TLS protects the connection.
    pub secured: bool,
    /// The listener, as a users file names it: `ADDRESS:PORT` or `unix`.
    pub listener: Arc<str>,
    /// The certificate that the client has shown, if any.
    pub certificate: Option<Certificate>,
}

/// One client's conversation.
#[derive(Debug)]
pub struct Session {
    /// The connection, as log lines name it.
    id: u64,
    dialect: Dialect,
    side: login::Side,
    /// As of which reading of the users.
    generation: u64,
    origin: inside::Origin,
    /// Logins that have failed, so that one that works does not buy three more guesses.
    login_failures: u32,
    state: State,
    /// A line is there and its data block is not: the client is sending a value.
    awaits_block: bool,
    asked: Asked,
    /// Changes with the user.
    user_version: u8,
}

/// What the next byte of input is, or what is still to be said.
#[derive(Debug)]
enum State {
    /// The first byte of a command line.
    Command,
    /// A listing is being sent.
    Dump(Box<dump::Dump>),
    /// A key of a retrieval, or the end of its line.
    Keys(keys::Keys),
    /// A list of sockets is being sent.
    Listing(Box<listing::Listing>),
    /// The largest items are being looked for.
    Search(Box<insight::Search>),
    /// A large value is being sent.
    Sending(Pin, keys::Then),
    /// A byte of a line that has been answered already.
    SkipLine,
    /// A byte of a data block that means nothing; so many are left.
    Swallow(u64),
    /// A byte of a value that goes into the store as it comes.
    Upload(Box<data::Uploading>),
    /// A byte of an entry of the directory that is being received.
    Entry(Box<discovery::Receiving>),
    /// Nothing is heard any more: the client watches.
    Watching,
}

/// What one step of a conversation did.
#[derive(Clone, Copy, Debug)]
struct Step {
    /// Bytes of input that are done with.
    consumed: usize,
    /// Requests answered.
    served: u32,
    flow: Flow,
}

/// How a conversation goes on after a step.
#[derive(Clone, Copy, Debug)]
enum Flow {
    /// At once.
    Go,
    /// Once so many bytes are there beyond what was consumed.
    Wait(usize),
    /// As the owner of the socket is told.
    Leave(Next),
}

impl Step {
    const fn go(consumed: usize) -> Self {
        Self {
            consumed,
            served: 0,
            flow: Flow::Go,
        }
    }

    const fn served(consumed: usize) -> Self {
        Self {
            consumed,
            served: 1,
            flow: Flow::Go,
        }
    }

    const fn wait(consumed: usize, at_least: usize) -> Self {
        Self {
            consumed,
            served: 0,
            flow: Flow::Wait(at_least),
        }
    }

    const fn leave(consumed: usize, next: Next) -> Self {
        Self {
            consumed,
            served: 0,
            flow: Flow::Leave(next),
        }
    }
}

impl Session {
    /// A conversation that has not begun.
    pub fn new(peer: &Peer) -> Self {
        Self {
            id: peer.id,
            dialect: peer.dialect,
            side: login::Side::default(),
            generation: 0,
            origin: inside::Origin {
                listener: peer.listener.clone(),
                certificate: peer.certificate.clone().map(Box::new),
            },
            login_failures: 0,
            state: State::Command,
            awaits_block: false,
            asked: Asked::Nothing,
            user_version: 0,
        }
    }

    /// Answers as many requests at the front of `input` as this turn allows.
    pub fn drive(&mut self, ctx: &Context<'_>, input: &[u8], output: &mut Vec<u8>) -> Driven {
        drive::drive(self, ctx, input, output)
    }

    /// Answers one datagram's payload; each reply message is handed to `send` whole.
    pub fn datagram(&mut self, ctx: &Context<'_>, request: &[u8], send: &mut dyn FnMut(&[u8])) {
        drive::datagram(self, ctx, request, send);
    }

    /// Appends what there is for this watcher. False when it has lost the right to watch.
    pub fn watched(&mut self, ctx: &Context<'_>, output: &mut Vec<u8>) -> bool {
        if !self.renew(ctx) {
            return false;
        }
        ctx.shared.hub.take(self.id, output);
        true
    }

    /// Gives back what the session holds in the store and the hub. Call before dropping it.
    pub fn close(&mut self, ctx: &Context<'_>) {
        match std::mem::replace(&mut self.state, State::Command) {
            State::Sending(pin, _) => ctx.shared.store.unpin(pin),
            State::Upload(uploading) => ctx.shared.store.abort_upload(uploading.into_upload()),
            State::Watching => ctx.shared.hub.leave(ctx, self.id),
            State::Command
            | State::Dump(_)
            | State::Entry(_)
            | State::Keys(_)
            | State::Listing(_)
            | State::Search(_)
            | State::SkipLine
            | State::Swallow(_) => {}
        }
    }

    /// What the conversation is doing.
    pub const fn doing(&self) -> Doing {
        match self.state {
            State::Command if self.awaits_block => Doing::Nread,
            State::Command => Doing::Read,
            State::Keys(_) | State::SkipLine => Doing::ParseCommand,
            State::Dump(_) | State::Listing(_) | State::Search(_) | State::Sending(..) => {
                Doing::Mwrite
            }
            State::Swallow(_) => Doing::Swallow,
            State::Upload(_) | State::Entry(_) => Doing::Nread,
            State::Watching => Doing::Watch,
        }
    }

    /// What the client has asked for last.
    pub const fn asked(&self) -> Asked {
        self.asked
    }

    /// Which protocol is spoken, as far as that is known.
    pub const fn dialect(&self) -> Dialect {
        self.dialect
    }

    /// The name of who is served, if that is somebody in particular.
    pub fn user(&self) -> Option<Arc<str>> {
        self.insider().map(inside::Insider::name)
    }

    /// A number that changes with [`Self::user`], and is 0 until somebody has logged in.
    pub const fn user_version(&self) -> u8 {
        self.user_version
    }
}
