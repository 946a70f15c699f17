//! The thread by which the nodes of a cluster find each other: one UDP socket, two machines
//! ([`Membership`] and [`Swim`]), the seal of their datagrams, and a file.
//!
//! What a node has promised is on disk before anybody hears of it: no vote and no decision leaves
//! while the file cannot be written, and clients are told nothing new.

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crossbeam_channel::{Receiver, Sender};
use mio::net::UdpSocket;
use mio::{Events, Interest, Poll, Token, Waker};
use socket2::{Domain, Socket, Type};

use super::super::disk;
use super::{Order, Orders, PeersError, read_keys};
use crate::cluster::membership::{Event, Membership, Output, Setup};
use crate::cluster::message::{Message, Packet};
use crate::cluster::roster::Roster;
use crate::cluster::seal::{Boot, Rejected, SEALED_SIZE_MAX, Seal};
use crate::cluster::swim::{self, Swim};
use crate::cluster::{Directory, Document, Node, NodeState, Reach, state};
use crate::config::Config;
use crate::config::cluster::GOSSIP_PORT;

const SOCKET: Token = Token(0);
const WAKE: Token = Token(1);

/// Datagrams that are taken before time and others have their turn.
const BATCH_COUNT_MAX: usize = 256;

/// Bytes that the system keeps for us while we are busy, if it lets us.
const BUFFER_SIZE: usize = 1 << 20;

/// Longest sleep, so that what is shown stays fresh.
const SLEEP_MAX: Duration = Duration::from_secs(1);

/// Pause before a file that could not be written is tried again, in milliseconds.
const RETRY_MS: u64 = 1000;

/// Pause between two complaints of one kind, in milliseconds.
const COMPLAINT_MS: u64 = 60_000;

/// A socket and what is needed to use it.
pub(in crate::server) struct Prepared {
    socket: std::net::UdpSocket,
    seal: Seal,
    saved: Option<crate::cluster::membership::Saved>,
    state_file: Option<PathBuf>,
    key_file: PathBuf,
    name: Option<String>,
    has_seeds: bool,
    eject_after_ms: Option<u64>,
    random_seed: u64,
}

impl Prepared {
    /// Reads the key and the state, and binds the socket.
    pub(super) fn new(config: &Config, listeners: &[SocketAddr]) -> Result<Self, PeersError> {
        let cluster = &config.cluster;
        // Checked when the settings were read.
        let key_file = cluster.key_file.clone().unwrap_or_default();
        let keys = read_keys(&key_file)?;
        let saved = match &cluster.state_file {
            Some(path) => read_state(path)?,
            None => {
                log::warn!(
                    "cluster: without --cluster-state this node forgets the list and its vote \
                     when it stops"
                );
                None
            }
        };
        let first = listeners.iter().find(|address| address.is_ipv4());
        let first = first.or(listeners.first()).map(SocketAddr::ip);
        let ip = cluster.listen.ip.or(first);
        let ip = ip.unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST));
        let address = SocketAddr::new(ip, cluster.listen.port.unwrap_or(GOSSIP_PORT));
        let socket = bind(address).map_err(|source| PeersError {
            option: "--cluster-listen",
            what: format!("cannot listen on {address} by UDP"),
            source: Some(source),
        })?;
        let random = || {
            getrandom::u64().map_err(|error| PeersError {
                option: "--cluster-source gossip",
                what: "no random numbers".to_owned(),
                source: Some(io::Error::other(error)),
            })
        };
        Ok(Self {
            socket,
            seal: Seal::new(keys, random()?),
            saved,
            state_file: cluster.state_file.clone(),
            key_file,
            name: cluster.name.clone(),
            has_seeds: !cluster.seeds.is_empty(),
            eject_after_ms: (cluster.eject_after_s > 0)
                .then(|| u64::from(cluster.eject_after_s) * 1000),
            random_seed: random()?,
        })
    }

    /// Puts the machines together, writes the state once to see that it can be, and tells clients
    /// what the node knew when it stopped.
    pub(super) fn ready(
        self,
        node: &Node,
        directory: &Directory,
    ) -> Result<(Gossip, Orders), PeersError> {
        let system = |source| PeersError {
            option: "--cluster-source gossip",
            what: "the system refuses".to_owned(),
            source: Some(source),
        };
        let bound = self.socket.local_addr().map_err(system)?;
        let ip = match (bound.ip(), node.ip()) {
            (ip, Some(advertised)) if ip.is_unspecified() => advertised,
            (ip, _) => ip,
        };
        let gossip = SocketAddr::new(ip, bound.port());
        let name = self.name;
        let id = name.unwrap_or_else(|| format!("{}:{}", node.name(), node.port()));
        let wall = SystemTime::now().duration_since(UNIX_EPOCH);
        let wall = wall.unwrap_or_default();
        let setup = Setup {
            id,
            node: node.clone(),
            gossip,
            has_seeds: self.has_seeds,
            epoch: u64::try_from(wall.as_millis()).unwrap_or(0),
            wall_unix_s: wall.as_secs(),
            eject_after_ms: self.eject_after_ms,
            random_seed: self.random_seed,
        };
        let membership = Membership::new(setup, self.saved, 0);
        let swim = Swim::new(&membership.who(), self.random_seed, 0);
        let poll = Poll::new().map_err(system)?;
        let mut socket = UdpSocket::from_std(self.socket);
        let registry = poll.registry();
        registry
            .register(&mut socket, SOCKET, Interest::READABLE)
            .map_err(system)?;
        let waker = Arc::new(Waker::new(registry, WAKE).map_err(system)?);
        let (orders, receiver) = Orders::new(Some(waker));
        let mut gossip = Gossip {
            poll,
            socket,
            orders: receiver,
            seal: self.seal,
            membership,
            swim,
            started: Instant::now(),
            started_unix_s: i64::try_from(wall.as_secs()).unwrap_or(0),
            state_file: self.state_file,
            key_file: self.key_file,
            unsaved: true,
            retry_at: 0,
            unpublished: None,
            leaver: None,
            left: false,
            refused: BTreeMap::new(),
            shown_at: 0,
        };
        if let Err(error) = gossip.write_state() {
            let path = gossip.state_file.clone().unwrap_or_default();
            return Err(PeersError::file("--cluster-state", &path, error));
        }
        gossip.carry_out(directory, None);
        Ok((gossip, orders))
    }
}

fn read_state(
    path: &std::path::Path,
) -> Result<Option<crate::cluster::membership::Saved>, PeersError> {
    let option = "--cluster-state";
    match disk::read(path, state::STATE_SIZE_MAX) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(PeersError::file(option, path, error)),
        Ok(bytes) => {
            let text = String::from_utf8_lossy(&bytes);
            let saved = state::decode(&text).map_err(|why| {
                let advice = "remove it to start this node without its memory";
                PeersError::wrong(option, path, format!("{why}; {advice}"))
            })?;
            Ok(Some(saved))
        }
    }
}

fn bind(address: SocketAddr) -> io::Result<std::net::UdpSocket> {
    let socket = Socket::new(Domain::for_address(address), Type::DGRAM, None)?;
    if address.is_ipv6() {
        socket.set_only_v6(false)?;
    }
    // As much as the system gives; a burst that does not fit is repeated by its senders.
    let _ = socket.set_recv_buffer_size(BUFFER_SIZE);
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    Ok(socket.into())
}

/// Everything of the thread.
pub(in crate::server) struct Gossip {
    poll: Poll,
    socket: UdpSocket,
    orders: Receiver<Order>,
    seal: Seal,
    membership: Membership,
    swim: Swim,
    started: Instant,
    started_unix_s: i64,
    state_file: Option<PathBuf>,
    key_file: PathBuf,
    /// The file is behind.
    unsaved: bool,
    retry_at: u64,
    /// What clients are to be told once the file is written.
    unpublished: Option<Document>,
    leaver: Option<Sender<()>>,
    left: bool,
    /// Datagrams that were not taken: how many since the last complaint, and when that was.
    refused: BTreeMap<Rejected, (u64, Option<u64>)>,
    shown_at: u64,
}

impl Gossip {
    /// Takes part until told to stop.
    pub(super) fn run(mut self: Box<Self>, directory: &Directory) {
        let mut events = Events::with_capacity(8);
        self.membership.set_serving();
        loop {
            let now = self.now();
            let mut due = self.membership.wake().min(self.swim.wake());
            if self.unsaved || self.unpublished.is_some() {
                due = due.min(self.retry_at);
            }
            let sleep = Duration::from_millis(due.saturating_sub(now)).min(SLEEP_MAX);
            if let Err(error) = self.poll.poll(&mut events, Some(sleep))
                && error.kind() != io::ErrorKind::Interrupted
            {
                log::error!("cluster: cannot wait for datagrams  error={error}");
                return;
            }
            // What has arrived first: after a long sleep it tells who is there.
            self.receive(directory);
            while let Ok(order) = self.orders.try_recv() {
                if !self.obey(order, directory) {
                    return;
                }
            }
            let now = self.now();
            if self.membership.wake() <= now {
                self.membership.tick(now);
            }
            self.swim.tick(now);
            if now >= self.retry_at {
                self.publish_waiting(directory);
            }
            self.carry_out(directory, None);
            if now.saturating_sub(self.shown_at) >= 1000 {
                self.show(directory);
            }
        }
    }

    fn now(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX / 2)
    }

    /// Does as told; false when that is to end.
    fn obey(&mut self, order: Order, directory: &Directory) -> bool {
        let now = self.now();
        match order {
            Order::Look => {}
            Order::Stop => return false,
            Order::Seeds(seeds) => {
                let own = self.membership.who().gossip;
                let seeds = seeds.into_iter().map(|seed| outward(seed, own));
                self.membership.set_seeds(seeds.collect());
            }
            Order::Leave(done) => {
                log::info!("cluster: leaving the list");
                self.leaver = Some(done);
                if self.left {
                    self.tell_leaver();
                }
                self.membership.leave(now);
            }
            Order::Reload => match read_keys(&self.key_file) {
                Ok(keys) => {
                    self.seal.set_keys(keys);
                    log::info!("cluster: key file read again");
                }
                Err(error) => log::error!("cluster: the old keys stay: {error}"),
            },
            Order::Declare(nodes) => {
                log::info!("cluster: a client declares the list  nodes={}", nodes.len());
                self.membership.declare(&nodes, now);
            }
        }
        self.carry_out(directory, None);
        true
    }

    fn tell_leaver(&mut self) {
        if let Some(done) = self.leaver.take() {
            // Whoever asked may have stopped waiting.
            let _ = done.try_send(());
        }
    }

    /// Takes what has arrived.
    fn receive(&mut self, directory: &Directory) {
        let mut buffer = [0; SEALED_SIZE_MAX + 1];
        for _ in 0..BATCH_COUNT_MAX {
            match self.socket.recv_from(&mut buffer) {
                Ok((size, from)) => self.take(from, &buffer[..size], directory),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                // An answer to a datagram of ours that nobody was there to take.
                Err(_) => {}
            }
        }
        // There may be more, and the poll does not say so twice.
        if let Err(error) =
            self.poll
                .registry()
                .reregister(&mut self.socket, SOCKET, Interest::READABLE)
        {
            log::error!("cluster: cannot wait for datagrams  error={error}");
        }
    }

    fn take(&mut self, from: SocketAddr, bytes: &[u8], directory: &Directory) {
        let now = self.now();
        match self.seal.open(from, bytes) {
            Ok(opened) => {
                if let Message::Swim(data) = &opened.packet.message {
                    self.swim.handle(data, now);
                }
                self.membership.handle(from, opened.packet, now);
                self.carry_out(directory, Some((from, opened.boot)));
            }
            Err(rejected) => {
                if rejected == Rejected::NotMeant {
                    // Perhaps it does not know that we have started anew.
                    let hello = self.membership.hello(from);
                    self.post(from, None, &hello);
                }
                self.complain(rejected, from, now);
            }
        }
    }

    fn complain(&mut self, rejected: Rejected, from: SocketAddr, now: u64) {
        let (count, last) = self.refused.entry(rejected).or_default();
        *count += 1;
        // Whoever was restarted is written to as before for a moment.
        let is_alarming = rejected != Rejected::NotMeant;
        if last.is_none_or(|last| now.saturating_sub(last) >= COMPLAINT_MS) && is_alarming {
            let reason = rejected.name();
            log::warn!("cluster: datagram refused  reason={reason} from={from} count={count}");
            *count = 0;
            *last = Some(now);
        }
    }

    fn post(&mut self, to: SocketAddr, boot: Option<Boot>, packet: &Packet) {
        if to.port() == 0 || to.ip().is_unspecified() {
            return;
        }
        let bytes = self.seal.seal(to, boot, packet);
        let bytes = bytes.or_else(|| {
            // Nobody knows who is there: that comes first, and what was to be said is said again.
            let hello = self.membership.hello(to);
            self.seal.seal(to, None, &hello)
        });
        if let Some(bytes) = bytes {
            // A datagram that is lost here is as good as one that is lost on the way.
            let _ = self.socket.send_to(&bytes, to);
        }
    }

    /// Carries out what the machines want. `answered` is whose datagram has just been taken: it
    /// may be answered though it is not proven yet who is at that address.
    fn carry_out(&mut self, directory: &Directory, answered: Option<(SocketAddr, Boot)>) {
        let now = self.now();
        loop {
            if let Some(output) = self.swim.poll() {
                match output {
                    swim::Output::Send(to, data) => {
                        let packet = Packet {
                            from: self.membership.life(),
                            message: Message::Swim(data),
                        };
                        self.post(to, None, &packet);
                    }
                    swim::Output::Contact(who, reachable) => {
                        self.note_contact(&who.id, reachable);
                        self.membership.set_contact(&who, reachable, now);
                        self.shown_at = 0;
                    }
                    swim::Output::Notice(from, head) => {
                        self.membership.handle_notice(from, head, now);
                    }
                }
                continue;
            }
            let Some(output) = self.membership.poll() else {
                return;
            };
            match output {
                Output::Keep => {
                    if !self.unsaved {
                        self.retry_at = 0;
                    }
                    self.unsaved = true;
                }
                Output::Send(to, packet) => {
                    if !is_binding(&packet.message) || self.save() {
                        let boot = answered.filter(|(from, _)| *from == to);
                        self.post(to, boot.map(|(_, boot)| boot), &packet);
                    }
                }
                Output::Publish(document) => {
                    self.unpublished = Some(document);
                    self.publish_waiting(directory);
                }
                Output::Meet(who) => self.swim.meet(&who, now),
                Output::Notice(head) => self.swim.notice(head),
                Output::Log(event) => log_event(&event),
                Output::Left => {
                    self.left = true;
                    self.tell_leaver();
                }
            }
        }
    }

    fn publish_waiting(&mut self, directory: &Directory) {
        if !self.save() {
            return;
        }
        if let Some(document) = self.unpublished.take() {
            if let Err(error) = directory.publish(&document) {
                log::error!("cluster: the list cannot be served: {error}");
            }
            for advice in document.advice() {
                log::warn!("cluster: {advice}");
            }
            self.show(directory);
        }
    }

    /// Writes the state if it has changed; false when it cannot be written.
    fn save(&mut self) -> bool {
        if !self.unsaved {
            return true;
        }
        let now = self.now();
        if now < self.retry_at {
            return false;
        }
        match self.write_state() {
            Ok(()) => true,
            Err(error) => {
                self.retry_at = now + RETRY_MS;
                log::error!(
                    "cluster: the state cannot be written, nothing is agreed to  error={error}"
                );
                false
            }
        }
    }

    fn write_state(&mut self) -> io::Result<()> {
        if let Some(path) = &self.state_file {
            disk::replace(
                path,
                state::encode(self.membership.saved()).as_bytes(),
                disk::STATE_MODE,
            )?;
        }
        self.unsaved = false;
        Ok(())
    }

    fn note_contact(&self, id: &str, reachable: bool) {
        let listed = self
            .membership
            .roster()
            .is_some_and(|r| r.member(id).is_some());
        let before = self.membership.contact(id).map(|contact| contact.reachable);
        if !listed || before == Some(reachable) {
            return;
        }
        if reachable {
            log::info!("cluster: node is reachable  name={id}");
        } else {
            log::warn!("cluster: node is unreachable and stays listed  name={id}");
        }
    }

    /// Shows the state of each node in `stats cluster`.
    fn show(&mut self, directory: &Directory) {
        self.shown_at = self.now();
        let own = self.membership.who().id;
        let started = self.started_unix_s;
        let roster = self.membership.roster();
        let states = roster.into_iter().flat_map(Roster::members).map(|member| {
            let contact = self.membership.contact(&member.id);
            let since = contact.map_or(0, |contact| contact.since / 1000);
            let reach = match contact {
                _ if member.id == own => Reach::Itself,
                Some(contact) if contact.reachable => Reach::Reachable,
                Some(_) => Reach::Unreachable,
                None => Reach::Unknown,
            };
            NodeState {
                name: member.node.name().to_owned(),
                port: member.node.port(),
                reach,
                since_unix_s: started + i64::try_from(since).unwrap_or(0),
            }
        });
        directory.set_states(states.collect());
    }
}

/// Many a host finds its own name at a loopback address, where this node does not listen: what is
/// meant is this node.
fn outward(seed: SocketAddr, own: SocketAddr) -> SocketAddr {
    if seed.ip().is_loopback() && !own.ip().is_loopback() && seed.port() == own.port() {
        own
    } else {
        seed
    }
}

/// Whether others rely on what a message says: then it must be on disk.
fn is_binding(message: &Message) -> bool {
    match message {
        Message::Promise { .. }
        | Message::Accepted { .. }
        | Message::Prepare { .. }
        | Message::Accept { .. }
        | Message::Chosen { .. }
        | Message::Chunk { .. }
        | Message::Summary { .. } => true,
        Message::Hello { .. }
        | Message::Pull { .. }
        | Message::Wish { .. }
        | Message::Denied { .. }
        | Message::Refused { .. }
        | Message::Swim(_) => false,
    }
}

fn log_event(event: &Event) {
    match event {
        Event::Founded(head) => log::info!("cluster: founded  version={}", head.version),
        Event::Roster { version, count } => {
            log::info!("cluster: new list  version={version} nodes={count}");
        }
        Event::Listed => log::info!("cluster: this node is listed"),
        Event::TakenOff => log::warn!(
            "cluster: this node was taken off the list, and stays off until it starts again"
        ),
        Event::Absorbed => log::warn!("cluster: an older cluster was met, and this node joins it"),
        Event::Recovered(version) => log::warn!(
            "cluster: no node remembers its votes; this one goes on with the list  version={version}"
        ),
        Event::Denied(id, why) => log::warn!("cluster: not listed  name={id} reason={why:?}"),
        Event::Diverged(version) => log::error!(
            "cluster: two lists have the same version, which cannot be unless state files were \
             lost or copied; they are merged  version={version}"
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_at_loopback_is_this_node_unless_it_listens_there() {
        let address = |text: &str| text.parse::<SocketAddr>().unwrap();
        for (seed, own, expected) in [
            ("127.0.1.1:7", "10.0.0.1:7", "10.0.0.1:7"),
            ("127.0.1.1:8", "10.0.0.1:7", "127.0.1.1:8"),
            ("127.0.1.1:7", "127.0.0.1:7", "127.0.1.1:7"),
            ("10.0.0.2:7", "10.0.0.1:7", "10.0.0.2:7"),
        ] {
            assert_eq!(outward(address(seed), address(own)), address(expected));
        }
    }
}
