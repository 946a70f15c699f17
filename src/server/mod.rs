//! Sockets and threads: the part of larder that touches the network.
//!
//! ```text
//! acceptor --newcomers--> worker 0..n --requests--> session --> store
//!    |  \                   ^        ^                             ^
//!    |   +--- handshakers --+        +------ watch lines ------ upkeep
//!    +--------- gate (workers and handshakers tell it who has left)
//! ```
//!
//! Start reading at [`Server::start`], then `worker.rs`. [`Server::bind`] and [`Bound::start`] are
//! its two halves, for a daemon that gives up its privileges in between: no thread runs before the
//! second. That one has two halves again, [`Bound::prepare`] and what [`Opening`] does.

mod acceptor;
mod census;
mod certificates;
mod connection;
mod desk;
mod disk;
mod error;
mod gate;
mod given;
mod handshaker;
mod host;
mod kept;
mod listener;
mod logins;
mod mailbox;
mod opening;
mod peers;
mod pulse;
mod snapshot;
mod stopwatch;
mod stream;
mod tls;
mod udp;
mod upkeep;
mod worker;

use std::fs::File;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread::{Builder, JoinHandle};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender};
use mio::{Poll, Waker};
use rustix::process::{Resource, Rlimit};

pub use certificates::{Certificates, Encrypted};
pub use error::{GivenError, PeersError, StartError, TlsError};
pub use given::{Given, GivenSocket};
pub use opening::Opening;
pub use pulse::Pulse;

use census::{Census, Info, Place};
use gate::Gate;
use host::ServerHost;
use kept::Keeper;
use listener::{DatagramSocket, Listener, Sockets};
use mailbox::{Letter, Letters, Mailbox};
use opening::Doors;
use peers::Peers;
use pulse::{Beat, Watched};
use snapshot::Snapshots;
use tls::Tls;
use udp::Datagrams;

use crate::cluster::{Advertise, Directory, Node};
use crate::config::Config;
use crate::held::{Endpoint, Held};
use crate::limits::{LOGIN_QUEUE_MAX, SPARE_DESCRIPTORS};
use crate::session::watch::Hub;
use crate::session::{Door, Live, Shared};
use crate::socket_file::SocketFile;
use crate::stats::Registry;
use crate::store::Store;
use crate::time::{Clock, FIRST_UPTIME_S};

/// Somebody wants the server to stop.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Stop {
    /// Clients that have output coming get some time to take it.
    pub graceful: bool,
}

/// Asks a server to stop, from any thread: a signal handler's, or a worker's for `shutdown`.
#[derive(Clone, Debug)]
pub struct Control {
    sender: Sender<Stop>,
    /// The thread of the cluster, once it runs.
    peers: Arc<OnceLock<peers::Orders>>,
}

impl Control {
    fn new() -> (Self, Receiver<Stop>) {
        let (sender, requests) = crossbeam_channel::bounded(1);
        let peers = Arc::default();
        (Self { sender, peers }, requests)
    }

    /// Has the files of the cluster read again, if there are any.
    pub fn reload_cluster(&self) {
        if let Some(orders) = self.peers.get() {
            orders.reload();
        }
    }

    /// Asks once; while the first request waits, others are the same.
    pub fn shutdown(&self, graceful: bool) {
        let _ = self.sender.try_send(Stop { graceful });
    }
}

/// Sockets that are bound, and nobody to serve them yet.
pub struct Bound {
    config: Config,
    sockets: Sockets,
    peers: peers::Prepared,
    tls: Option<Arc<Tls>>,
    /// Those of another listener, which are read again with ours.
    certificates: Option<Arc<Certificates>>,
    /// The file whose bytes are to be the memory, if it has no name.
    memory: Option<File>,
}

/// A running server. Dropping it stops it at once.
pub struct Server {
    shared: Arc<Shared>,
    control: Control,
    requests: Receiver<Stop>,
    tcp_addresses: Vec<SocketAddr>,
    udp_addresses: Vec<SocketAddr>,

    gate: Arc<Gate>,
    mailboxes: Vec<Arc<Mailbox>>,
    handshaker_mailboxes: Vec<Arc<Mailbox>>,
    stopping: Arc<AtomicBool>,
    upkeep_stop: Option<Sender<()>>,
    upkeep_stopped: Option<Receiver<()>>,
    acceptor: Option<JoinHandle<()>>,
    workers: Vec<JoinHandle<()>>,
    handshakers: Vec<JoinHandle<()>>,
    upkeep: Option<JoinHandle<()>>,
    upkeep_beat: Arc<Beat>,
    tls: Option<Arc<Tls>>,
    logins: Option<JoinHandle<()>>,
    unix_file: Option<SocketFile>,
    peers: Option<Peers>,
    keeper: Option<Keeper>,
    snapshots: Option<Arc<Snapshots>>,
    snapshot: Option<JoinHandle<()>>,
}

/// Workers for whom one thread shakes hands. It manages about a thousand RSA handshakes a second,
/// and three times as many with an ECDSA key.
const WORKERS_PER_HANDSHAKER: usize = 4;

/// The thread that takes connections in, by the name that the system shows.
const ACCEPTOR: &str = "larder-accept";

/// The thread that keeps time and house, in the same way.
const UPKEEP: &str = "larder-upkeep";

/// The thread that writes snapshots, in the same way.
const SNAPSHOT: &str = "larder-snapshot";

fn worker_name(index: usize) -> String {
    format!("larder-w{index}")
}

fn handshaker_name(index: usize) -> String {
    format!("larder-tls{index}")
}

/// The parts of a worker, or of a thread that shakes hands, before it has a thread.
struct Seat {
    poll: Poll,
    letters: Letters,
    datagrams: Vec<Datagrams>,
}

impl Server {
    /// Binds every listener and serves.
    ///
    /// # Errors
    ///
    /// See [`StartError`]: each names what could not be had and what to do.
    pub fn start(config: Config) -> Result<Self, StartError> {
        Self::bind(config, Vec::new(), &mut Held::default())?.start()
    }

    /// Reads the users and certificates that the settings name, and serves nobody.
    ///
    /// # Errors
    ///
    /// What is wrong, with the name of the file and the line.
    pub fn check(config: &Config) -> Result<(), StartError> {
        Tls::load(config, FIRST_UPTIME_S).map_err(StartError::Tls)?;
        Door::open(config).map_err(StartError::Users)?;
        Ok(())
    }

    /// Where the settings have clients come in, but for ports that the system chooses.
    pub fn endpoints(config: &Config) -> Vec<Endpoint> {
        listener::endpoints(config)
    }

    /// Reads the certificates, binds every listener and writes the port file. Given sockets are
    /// served instead of what the settings would bind, and those that were held are not bound anew.
    ///
    /// # Errors
    ///
    /// When a certificate or key cannot be used, an address cannot be had, the given sockets
    /// contradict the settings, or the port file cannot be written.
    pub fn bind(config: Config, given: Vec<Given>, held: &mut Held) -> Result<Bound, StartError> {
        // Before the sockets, and before privileges are given up: the key may be root's.
        let tls = Tls::load(&config, FIRST_UPTIME_S).map_err(StartError::Tls)?;
        let sockets = if given.is_empty() {
            Sockets::bind(&config, held)?
        } else {
            given::adopt(&config, given).map_err(StartError::Given)?
        };
        sockets.tell_ports(&config)?;
        let peers = peers::Prepared::new(&config, &sockets.tcp_addresses());
        Ok(Bound {
            peers: peers.map_err(StartError::Peers)?,
            config,
            sockets,
            tls: tls.map(Arc::new),
            certificates: None,
            memory: None,
        })
    }

    /// Addresses that TCP clients may connect to, in the order of the settings.
    pub fn local_addrs(&self) -> &[SocketAddr] {
        &self.tcp_addresses
    }

    /// Addresses that datagrams may be sent to, in the order of the settings.
    pub fn udp_addrs(&self) -> &[SocketAddr] {
        &self.udp_addresses
    }

    /// What all sessions share.
    pub fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    /// By what the server may be asked to stop.
    pub fn control(&self) -> Control {
        self.control.clone()
    }

    /// By what the threads are asked whether they still come round.
    pub fn pulse(&self) -> Pulse {
        let workers = (0..).map(worker_name).zip(&self.mailboxes);
        let handshakers = (0..).map(handshaker_name).zip(&self.handshaker_mailboxes);
        let mailboxes = workers.chain(handshakers);
        let mailboxes = mailboxes.map(|(name, m)| (name, Watched::Worker(Arc::clone(m))));
        let acceptor = Watched::Acceptor(Arc::clone(&self.gate));
        let upkeep = Watched::Upkeep(Arc::clone(&self.upkeep_beat));
        Pulse::new(mailboxes.chain([(ACCEPTOR.to_owned(), acceptor), (UPKEEP.to_owned(), upkeep)]))
    }

    /// Waits until somebody asks for a stop: a client by `shutdown`, or whoever has a
    /// [`Control`]. Then call [`Self::stop`].
    pub fn wait(&self) -> Stop {
        // The channel cannot close while we hold its other end.
        self.requests.recv().unwrap_or(Stop { graceful: false })
    }

    /// Takes this node off the list of the cluster, where `--leave` asks for that, and waits until
    /// the others know. Clients are served meanwhile.
    pub fn leave_cluster(&self) {
        if let Some(peers) = self
            .peers
            .as_ref()
            .filter(|_| self.shared.config.cluster.leave)
        {
            peers.leave();
        }
    }

    /// Stops accepting, answers what has been read, closes all connections and ends all threads.
    /// A graceful stop waits as long as the settings say for requests that have begun, and for clients
    /// to take their output. What is left can be kept for the next start.
    pub fn stop(mut self, graceful: bool) -> Remains {
        self.halt(graceful);
        Remains {
            shared: Arc::clone(&self.shared),
            keeper: self.keeper.take(),
            snapshots: self.snapshots.take(),
        }
    }

    fn halt(&mut self, graceful: bool) {
        self.peers = None;
        if let Some(snapshots) = &self.snapshots {
            snapshots.stop();
        }
        self.stopping.store(true, Ordering::Release);
        self.gate.wake();
        join(self.acceptor.take());
        let patience_s = if graceful {
            self.shared.config.drain_timeout_s
        } else {
            0
        };
        let until = Instant::now() + Duration::from_secs(patience_s.into());
        // Before the workers, whom they send clients to.
        for mailbox in &self.handshaker_mailboxes {
            mailbox.post(Letter::Stop { until });
        }
        for handshaker in self.handshakers.drain(..) {
            join(Some(handshaker));
        }
        for mailbox in &self.mailboxes {
            mailbox.post(Letter::Stop { until });
        }
        for worker in self.workers.drain(..) {
            join(Some(worker));
        }
        join(self.snapshot.take());
        self.upkeep_stop = None;
        join(self.upkeep.take());
        join(self.logins.take());
        self.unix_file = None;
    }
}

/// What is left of a server whose threads have ended.
pub struct Remains {
    shared: Arc<Shared>,
    keeper: Option<Keeper>,
    snapshots: Option<Arc<Snapshots>>,
}

impl Remains {
    /// Keeps items for the next start, where the settings ask for that, and calls `news` every few
    /// seconds while a snapshot is written. From here on nobody may use the store: end whoever still
    /// looks at it before.
    pub fn keep(self, news: &dyn Fn()) {
        if let Some(snapshots) = &self.snapshots {
            snapshots.take_last(&self.shared.store, &self.shared.clock, news);
        }
        if let Some(keeper) = &self.keeper {
            keeper.save(&self.shared.store, &self.shared.clock);
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.halt(false);
    }
}

fn join(thread: Option<JoinHandle<()>>) {
    if let Some(thread) = thread {
        let name = thread.thread().name().unwrap_or("?").to_owned();
        if thread.join().is_err() {
            log::error!("thread {name} has panicked");
        }
    }
}

impl Bound {
    /// Addresses that TCP clients may connect to, in the order of the settings.
    pub fn local_addrs(&self) -> Vec<SocketAddr> {
        self.sockets.tcp_addresses()
    }

    /// Has the certificates of another listener read again whenever the server's are: all are taken
    /// over, or none.
    pub fn also_refresh(&mut self, certificates: Option<Arc<Certificates>>) {
        self.certificates = certificates;
    }

    /// Has items lie in this file, which may have some from another process. Nobody else may have it
    /// while the server runs.
    pub fn on_memory(&mut self, file: File) {
        self.memory = Some(file);
    }

    /// Takes memory, reads the items of a snapshot, and starts all threads.
    ///
    /// # Errors
    ///
    /// When memory, descriptors or threads cannot be had.
    pub fn start(self) -> Result<Server, StartError> {
        let opening = self.prepare()?;
        // Nobody can have asked for a stop.
        opening.load(&|| ());
        opening.open()
    }

    /// Takes memory and begins to keep time; serves nobody.
    ///
    /// # Errors
    ///
    /// When memory or descriptors cannot be had, or the file of snapshots is of no use.
    pub fn prepare(self) -> Result<Opening, StartError> {
        let Self {
            config,
            sockets,
            peers,
            tls,
            certificates,
            memory,
        } = self;
        let tcp_addresses = sockets.tcp_addresses();
        let udp_addresses = sockets.udp_addresses();
        let Sockets {
            listeners,
            datagrams,
            unix_file,
        } = sockets;
        let count = config.workers.max(1);
        raise_descriptor_limit(&config)?;
        let (snapshots, orders) = Snapshots::open(&config)?.unzip();
        let (store, clock, keeper) = open_memory(&config, count, memory)?;
        let door = Door::open(&config).map_err(StartError::Users)?;
        let (control, requests) = Control::new();
        let handshaker_count = tls
            .as_ref()
            .map_or(0, |_| count.div_ceil(WORKERS_PER_HANDSHAKER));
        let registry = Registry::new(count + handshaker_count, config.sampling());
        let census = Arc::new(Census::default());
        let now_s = clock.now().uptime_s;

        let accept_poll = Poll::new().map_err(StartError::System)?;
        let waker = Waker::new(accept_poll.registry(), acceptor::WAKE);
        let limit = usize::try_from(config.conn_limit).unwrap_or(usize::MAX);
        let gate = Arc::new(Gate::new(limit, waker.map_err(StartError::System)?));
        let (mailboxes, mut seats) = seats(count).map_err(StartError::System)?;
        let strangers = self::seats(handshaker_count).map_err(StartError::System)?;
        let (handshaker_mailboxes, handshaker_seats) = strangers;

        let (login_sender, logins) = crossbeam_channel::bounded(LOGIN_QUEUE_MAX);
        let host = ServerHost {
            logins: login_sender,
            control: control.clone(),
            gate: Arc::clone(&gate),
            census: Arc::clone(&census),
            workers: mailboxes.clone(),
            handshakers: handshaker_mailboxes.clone(),
            counters: registry.workers().to_vec(),
            tls: tls.clone(),
            certificates,
            snapshots: snapshots.clone(),
        };
        enter_listeners(&listeners, &census, now_s);
        seat_datagrams(datagrams, &census, &mut seats, now_s);
        let node = advertised(&config.advertise, &tcp_addresses);
        let directory = Directory::new(node.clone());
        let peers = peers.ready(&node, &directory).map_err(StartError::Peers)?;
        let shared = Arc::new(Shared {
            directory,
            hub: Hub::default(),
            live: Live::new(&config),
            door,
            store,
            config,
            clock,
            registry,
            host: Box::new(host),
        });
        // From here on dropping the server ends the threads that have begun.
        let is_kept = keeper.as_ref().is_some_and(|keeper| keeper.has_items);
        let server = Server {
            shared,
            control,
            requests,
            tcp_addresses,
            udp_addresses,
            gate,
            mailboxes,
            handshaker_mailboxes,
            stopping: Arc::new(AtomicBool::new(false)),
            upkeep_stop: None,
            upkeep_stopped: None,
            acceptor: None,
            workers: Vec::new(),
            handshakers: Vec::new(),
            upkeep: None,
            upkeep_beat: Arc::default(),
            tls,
            logins: None,
            unix_file,
            peers: None,
            keeper,
            snapshots,
            snapshot: None,
        };
        let doors = Doors {
            accept_poll,
            listeners,
            census,
            seats,
            handshaker_seats,
            logins,
            peers,
            orders,
        };
        Opening::begin(server, doors, is_kept)
    }
}

/// The store and its clock, which go on where others have ended if a file has kept them.
fn open_memory(
    config: &Config,
    workers: usize,
    unnamed: Option<File>,
) -> Result<(Store, Clock, Option<Keeper>), StartError> {
    let wanted = config.store(workers);
    let memory = match (unnamed, &config.memory_file) {
        (Some(file), _) => kept::Memory::unnamed(file),
        (None, Some(path)) => kept::Memory::open(path)?,
        (None, None) => {
            let store = Store::new(&wanted).map_err(StartError::Memory)?;
            return Ok((store, Clock::start(), None));
        }
    };
    let (store, clock, keeper) = memory.store(&wanted)?;
    Ok((store, clock, Some(keeper)))
}

/// What clients are told of this daemon.
fn advertised(advertise: &Advertise, listeners: &[SocketAddr]) -> Node {
    let outward = advertise
        .needs_address(listeners)
        .then(outward_address)
        .flatten();
    advertise.node(listeners, outward)
}

/// The address by which this host talks to others, if it has a route to them. Nothing is sent:
/// the peer is an address that is reserved for documentation.
fn outward_address() -> Option<IpAddr> {
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).ok()?;
    socket.connect((Ipv4Addr::new(192, 0, 2, 1), 9)).ok()?;
    Some(socket.local_addr().ok()?.ip())
}

fn spawn(name: String, body: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>, StartError> {
    Builder::new()
        .name(name)
        .spawn(body)
        .map_err(StartError::System)
}

fn seats(count: usize) -> io::Result<(Vec<Arc<Mailbox>>, Vec<Seat>)> {
    let mut mailboxes = Vec::new();
    let mut seats = Vec::new();
    for _ in 0..count {
        let poll = Poll::new()?;
        let waker = Waker::new(poll.registry(), worker::WAKE)?;
        let (mailbox, letters) = Mailbox::new(waker);
        mailboxes.push(Arc::new(mailbox));
        seats.push(Seat {
            poll,
            letters,
            datagrams: Vec::new(),
        });
    }
    Ok((mailboxes, seats))
}

/// Makes the listeners known to who asks for all sockets.
fn enter_listeners(listeners: &[Listener], census: &Census, now_s: u32) {
    for listener in listeners {
        let place = listener.place.clone();
        let info = Info::listener(listener.descriptor(), place, now_s);
        census.enter(Arc::new(info));
    }
}

/// Deals the sockets for datagrams out to the workers.
fn seat_datagrams(datagrams: Vec<DatagramSocket>, census: &Census, seats: &mut [Seat], now_s: u32) {
    let count = seats.len();
    for (index, socket) in datagrams.into_iter().enumerate() {
        let place = Place::Udp(socket.address);
        let datagrams = Datagrams::new(socket.socket, socket.dialect);
        let info = Info::listener(datagrams.descriptor(), place, now_s);
        census.enter(Arc::new(info));
        seats[index % count].datagrams.push(datagrams);
    }
}

/// Lets the process open as many descriptors as `-c` promises.
fn raise_descriptor_limit(config: &Config) -> Result<(), StartError> {
    let workers = u64::try_from(config.workers).unwrap_or(u64::MAX);
    let needed = u64::from(config.conn_limit)
        + workers.saturating_mul(2)
        + config.admin.descriptors()
        + SPARE_DESCRIPTORS;
    let limit = rustix::process::getrlimit(Resource::Nofile);
    if limit.current.is_none_or(|current| current >= needed) {
        return Ok(());
    }
    let maximum = limit.maximum.map(|maximum| maximum.max(needed));
    let wanted = Rlimit {
        current: Some(needed),
        maximum,
    };
    if rustix::process::setrlimit(Resource::Nofile, wanted).is_ok() {
        return Ok(());
    }
    Err(StartError::Descriptors {
        needed,
        allowed: limit.maximum.or(limit.current).unwrap_or(0),
        spare: needed - u64::from(config.conn_limit),
    })
}
