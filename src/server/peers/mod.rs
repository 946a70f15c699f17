//! Who else is there, for the daemon: the thread that keeps the list of nodes up to date.
//!
//! ```text
//! other nodes <--udp--> gossip.rs --publish--> Directory <-- sessions
//! a file      ---read-> listed.rs --publish-->     |
//! a name      ---dns--> named.rs  --publish-->     |
//!                          ^-------- edits --------+
//! ```
//!
//! What is decided is decided in `crate::cluster`; here are the socket, the thread, the timers and
//! the disk. A daemon without settings of a cluster has no such thread.

mod gossip;
mod listed;
mod lookup;
mod named;
mod seeds;

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender};
use mio::Waker;

use super::disk;
use crate::cluster::seal::Keys;
use crate::cluster::{Directory, Inbox, Node, Source};
use crate::config::Config;
use crate::config::cluster::ClusterSource;
use gossip::Gossip;
use listed::Listed;
use named::Named;

/// Orders that wait for the thread.
const ORDER_COUNT_MAX: usize = 256;

/// Longest wait for leaving. The machine gives up earlier by itself.
const LEAVE_WAIT: Duration = Duration::from_secs(15);

/// Largest key file, in bytes.
const KEY_FILE_SIZE_MAX: u64 = 64 << 10;

/// Why the daemon cannot take part in its cluster. The text names the option and what to do.
#[derive(Debug)]
pub struct PeersError {
    option: &'static str,
    what: String,
    source: Option<io::Error>,
}

impl PeersError {
    fn file(option: &'static str, path: &Path, source: io::Error) -> Self {
        Self {
            option,
            what: path.display().to_string(),
            source: Some(source),
        }
    }

    fn wrong(option: &'static str, path: &Path, why: impl fmt::Display) -> Self {
        Self {
            option,
            what: format!("{}: {why}", path.display()),
            source: None,
        }
    }
}

impl fmt::Display for PeersError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.option, self.what)?;
        match &self.source {
            Some(source) => write!(f, ": {source}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for PeersError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_ref().map(|error| error as _)
    }
}

/// What the thread is told.
#[derive(Debug)]
pub(super) enum Order {
    /// Read files again.
    Reload,
    /// A client wants these nodes listed.
    Declare(Vec<Node>),
    /// The seeds are here.
    Seeds(Vec<SocketAddr>),
    /// Go off the list, and say so when that is done.
    Leave(Sender<()>),
    /// Nothing: to see whether somebody listens.
    Look,
    /// End.
    Stop,
}

/// How to reach the thread.
#[derive(Clone, Debug)]
pub(super) struct Orders {
    sender: Sender<Order>,
    waker: Option<Arc<Waker>>,
}

impl Orders {
    fn new(waker: Option<Arc<Waker>>) -> (Self, Receiver<Order>) {
        let (sender, receiver) = crossbeam_channel::bounded(ORDER_COUNT_MAX);
        (Self { sender, waker }, receiver)
    }

    /// Has files read again.
    pub(super) fn reload(&self) {
        self.give(Order::Reload);
    }

    fn give(&self, order: Order) {
        if self.sender.try_send(order).is_err() {
            log::warn!("cluster: an order was lost, too many wait");
        }
        self.wake();
    }

    fn wake(&self) {
        if let Some(waker) = &self.waker {
            // The thread looks at least once a second anyway.
            let _ = waker.wake();
        }
    }

    /// Whether the thread has ended, for one that only gives orders.
    fn is_over(&self) -> bool {
        let is_full = |error| matches!(error, crossbeam_channel::TrySendError::Full(_));
        self.sender
            .try_send(Order::Look)
            .is_err_and(|error| !is_full(error))
    }
}

impl Inbox for Orders {
    fn declare(&self, nodes: Vec<Node>) {
        self.give(Order::Declare(nodes));
    }
}

/// What is had before privileges are given up: the key, the socket, what was written down.
pub(super) enum Prepared {
    Nothing,
    Gossip(Box<gossip::Prepared>),
    File(Listed),
    Dns(Named),
}

impl Prepared {
    /// Reads the files and binds the socket.
    pub(super) fn new(config: &Config, listeners: &[SocketAddr]) -> Result<Self, PeersError> {
        match config.cluster.source() {
            ClusterSource::None => Ok(Self::Nothing),
            ClusterSource::Gossip => {
                let prepared = gossip::Prepared::new(config, listeners)?;
                Ok(Self::Gossip(Box::new(prepared)))
            }
            ClusterSource::File => Ok(Self::File(Listed::open(config)?)),
            ClusterSource::Dns => Ok(Named::open(config)?.map_or(Self::Nothing, Self::Dns)),
        }
    }

    /// Makes the list ready that clients are told first. Call it before they are served.
    pub(super) fn ready(self, node: &Node, directory: &Directory) -> Result<Ready, PeersError> {
        match self {
            Self::Nothing => Ok(Ready::Nothing),
            Self::Gossip(prepared) => {
                let (gossip, orders) = prepared.ready(node, directory)?;
                let inbox = Box::new(orders.clone());
                directory.set_source(Source::Shared(ClusterSource::Gossip.name(), inbox));
                Ok(Ready::Gossip(Box::new(gossip), orders))
            }
            Self::File(mut listed) => {
                directory.set_source(Source::Declared(ClusterSource::File.name()));
                listed.publish(directory)?;
                let (orders, receiver) = Orders::new(None);
                Ok(Ready::File(Box::new(listed), orders, receiver))
            }
            Self::Dns(mut named) => {
                directory.set_source(Source::Declared(ClusterSource::Dns.name()));
                named.publish_first(directory)?;
                let (orders, receiver) = Orders::new(None);
                Ok(Ready::Dns(Box::new(named), orders, receiver))
            }
        }
    }
}

/// Everything but the thread.
pub(super) enum Ready {
    Nothing,
    Gossip(Box<Gossip>, Orders),
    File(Box<Listed>, Orders, Receiver<Order>),
    Dns(Box<Named>, Orders, Receiver<Order>),
}

impl Ready {
    /// Starts the thread, if there is to be one: clients are served now.
    pub(super) fn start(self, shared: &Arc<crate::session::Shared>) -> io::Result<Option<Peers>> {
        let shared = Arc::clone(shared);
        let builder = Builder::new().name("larder-cluster".to_owned());
        let (orders, thread) = match self {
            Self::Nothing => return Ok(None),
            Self::Gossip(gossip, orders) => {
                let config = &shared.config;
                seeds::start(&config.cluster.seeds, &orders, config.drop_privileges)?;
                (
                    orders,
                    builder.spawn(move || gossip.run(&shared.directory))?,
                )
            }
            Self::File(listed, orders, receiver) => {
                let run = move || listed.run(&shared.directory, &receiver);
                (orders, builder.spawn(run)?)
            }
            Self::Dns(named, orders, receiver) => {
                let now = named.start_looking(&orders)?;
                let run = move || named.run(&shared.directory, &receiver, &now);
                (orders, builder.spawn(run)?)
            }
        };
        Ok(Some(Peers {
            orders,
            thread: Some(thread),
        }))
    }
}

/// The running thread. Dropping it ends it.
pub(super) struct Peers {
    orders: Orders,
    thread: Option<JoinHandle<()>>,
}

impl Peers {
    /// Takes this node off the list and waits until the others know, or no longer.
    pub(super) fn leave(&self) {
        let (done, left) = crossbeam_channel::bounded(1);
        self.orders.give(Order::Leave(done));
        if left.recv_timeout(LEAVE_WAIT).is_err() {
            log::warn!("cluster: stopping without having left the list");
        }
    }

    /// How to reach the thread from elsewhere.
    pub(super) fn orders(&self) -> Orders {
        self.orders.clone()
    }
}

impl Drop for Peers {
    fn drop(&mut self) {
        self.orders.give(Order::Stop);
        super::join(self.thread.take());
    }
}

/// Reads the key file.
fn read_keys(path: &Path) -> Result<Keys, PeersError> {
    let option = "--cluster-key-file";
    let text =
        disk::read(path, KEY_FILE_SIZE_MAX).map_err(|e| PeersError::file(option, path, e))?;
    let text = zeroize::Zeroizing::new(text);
    if disk::is_world_readable(path) {
        log::warn!(
            "cluster: everybody on this host can read the key  file={}",
            path.display()
        );
    }
    Keys::parse(&text).map_err(|error| PeersError::wrong(option, path, error))
}
