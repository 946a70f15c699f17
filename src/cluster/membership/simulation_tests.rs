//! Many nodes in one thread, over a network that delays, loses and parts, with a clock of its own:
//! what is true for one is checked for all, at each document that is published.
//!
//! Deterministic: the same seed gives the same run. `LARDER_SIM_NODES`, `LARDER_SIM_OPERATIONS`
//! and `LARDER_SIM_SEED` make it larger or another.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::net::SocketAddr;

use super::{Event, Membership, Output, Saved, Setup, next_random};
use crate::cluster::document::{Document, Node};
use crate::cluster::message::{MESSAGE_SIZE_MAX, Message, Packet};
use crate::cluster::roster::{ClusterId, Roster};
use crate::cluster::seal::SEAL_SIZE;
use crate::cluster::swim::{self, Swim};

/// What a seal adds to a message, with the headers of UDP and IP, in bytes.
const OVERHEAD: usize = SEAL_SIZE + 28;

/// A datagram or a look at the clock.
#[derive(Debug, Eq, Ord, PartialEq, PartialOrd)]
enum Due {
    Wake(usize),
    Deliver(usize, SocketAddr, Vec<u8>),
}

/// One node: a process that may run, and a disk that stays.
struct Seat {
    name: String,
    address: SocketAddr,
    running: Option<(Membership, Swim)>,
    disk: Option<Saved>,
    /// The version that its clients have seen, as long as its disk lives.
    served: u32,
    text: Vec<u8>,
    starts: u64,
    left: bool,
    side: u8,
    sent: u64,
    /// When it is woken next.
    alarm: u64,
}

pub(super) struct Simulation {
    pub(super) now: u64,
    seats: Vec<Seat>,
    queue: BinaryHeap<Reverse<(u64, u64, Due)>>,
    order: u64,
    random: u64,
    /// Datagrams lost in a thousand.
    loss: u64,
    seed_names: Vec<usize>,
    /// What each version of each cluster says.
    meanings: BTreeMap<(ClusterId, u32), Vec<u8>>,
    pub(super) events: Vec<(usize, Event)>,
    addresses: BTreeMap<SocketAddr, usize>,
    next_address: u32,
    eject_after_ms: Option<u64>,
    /// This node is cut off as soon as it publishes, before it can tell anybody.
    cut_when_published: Option<usize>,
    /// Datagrams are changed on their way, past any seal: then nothing but survival is expected.
    corrupt: bool,
    /// Documents that clients were told.
    pub(super) published: usize,
}

impl Simulation {
    pub(super) fn new(count: usize, seeds: &[usize], seed: u64) -> Self {
        let mut simulation = Self {
            now: 0,
            seats: Vec::new(),
            queue: BinaryHeap::new(),
            order: 0,
            random: seed,
            loss: 0,
            seed_names: seeds.to_vec(),
            meanings: BTreeMap::new(),
            events: Vec::new(),
            addresses: BTreeMap::new(),
            next_address: 0,
            eject_after_ms: None,
            cut_when_published: None,
            corrupt: false,
            published: 0,
        };
        for index in 0..count {
            let address = simulation.fresh_address();
            simulation.seats.push(Seat {
                name: format!("cache-{index:03}.example"),
                address,
                running: None,
                disk: None,
                served: 0,
                text: Vec::new(),
                starts: 0,
                left: false,
                side: 0,
                sent: 0,
                alarm: 0,
            });
            simulation.addresses.insert(address, index);
        }
        simulation
    }

    fn fresh_address(&mut self) -> SocketAddr {
        self.next_address += 1;
        let [_, b, c, d] = self.next_address.to_be_bytes();
        SocketAddr::from(([10, b, c, d], 11212))
    }

    pub(super) fn random(&mut self, bound: usize) -> usize {
        usize::try_from(next_random(&mut self.random) % bound.max(1) as u64).unwrap()
    }

    /// Starts a node, on a new address if asked for.
    pub(super) fn start(&mut self, index: usize, moved: bool) {
        if self.seats[index].running.is_some() {
            return;
        }
        if moved {
            let old = self.seats[index].address;
            self.addresses.remove(&old);
            let address = self.fresh_address();
            self.addresses.insert(address, index);
            self.seats[index].address = address;
        }
        let random_seed = next_random(&mut self.random);
        let seeds: Vec<SocketAddr> = self
            .seed_names
            .iter()
            .map(|seed| self.seats[*seed].address)
            .collect();
        let seat = &mut self.seats[index];
        seat.starts += 1;
        seat.left = false;
        let setup = Setup {
            id: seat.name.clone(),
            node: Node::new(&seat.name, Some(seat.address.ip()), 11211).unwrap(),
            gossip: seat.address,
            has_seeds: !seeds.is_empty(),
            epoch: self.now + seat.starts,
            wall_unix_s: 1_800_000_000 + self.now / 1000,
            eject_after_ms: self.eject_after_ms,
            random_seed,
        };
        let mut membership = Membership::new(setup, seat.disk.clone(), self.now);
        membership.set_seeds(seeds);
        membership.set_serving();
        let swim = Swim::new(&membership.who(), random_seed, self.now);
        seat.running = Some((membership, swim));
        seat.alarm = 0;
        self.run_outputs(index);
    }

    /// Kills a node at once.
    pub(super) fn kill(&mut self, index: usize) {
        self.seats[index].running = None;
    }

    /// Makes a node lose what it has written down; it must be down.
    pub(super) fn wipe(&mut self, index: usize) {
        assert!(self.seats[index].running.is_none());
        self.seats[index].disk = None;
        self.seats[index].served = 0;
    }

    /// Asks a node to leave, if it runs.
    pub(super) fn leave(&mut self, index: usize) {
        let now = self.now;
        if self.seats[index].running.is_some() {
            self.drive(index, |membership| membership.leave(now));
        }
    }

    pub(super) fn has_left(&self, index: usize) -> bool {
        self.seats[index].left
    }

    /// By what a node is known.
    pub(super) fn name(&self, index: usize) -> String {
        self.seats[index].name.clone()
    }

    /// Gives a node the name of another, from its next start on.
    pub(super) fn rename(&mut self, index: usize, as_other: usize) {
        self.seats[index].name = self.seats[as_other].name.clone();
    }

    /// Sets `--eject-after` for nodes that are started from now on.
    pub(super) fn set_eject_after(&mut self, ms: u64) {
        self.eject_after_ms = Some(ms);
    }

    /// Puts a node on one side of a partition.
    pub(super) fn part(&mut self, index: usize, side: u8) {
        self.seats[index].side = side;
    }

    /// Cuts a node off as soon as it publishes, before it can tell anybody.
    pub(super) fn cut_when_published(&mut self, index: usize) {
        self.cut_when_published = Some(index);
    }

    pub(super) fn set_loss(&mut self, in_thousand: u64) {
        self.loss = in_thousand;
    }

    /// The machine of a running node.
    pub(super) fn membership(&self, index: usize) -> &Membership {
        &self.seats[index].running.as_ref().unwrap().0
    }

    /// Does something to the machine of a running node.
    pub(super) fn drive(&mut self, index: usize, what: impl FnOnce(&mut Membership)) {
        what(&mut self.seats[index].running.as_mut().unwrap().0);
        self.run_outputs(index);
    }

    pub(super) fn roster(&self, index: usize) -> Option<&Roster> {
        self.seats[index].running.as_ref()?.0.roster()
    }

    /// What the clients of a node are told.
    pub(super) fn text(&self, index: usize) -> String {
        String::from_utf8(self.seats[index].text.clone()).unwrap()
    }

    pub(super) fn version(&self, index: usize) -> u32 {
        self.seats[index].served
    }

    /// Bytes that all nodes have sent.
    pub(super) fn sent(&self) -> u64 {
        self.seats.iter().map(|seat| seat.sent).sum()
    }

    fn schedule(&mut self, at: u64, due: Due) {
        self.order += 1;
        self.queue.push(Reverse((at, self.order, due)));
    }

    /// Runs until a condition holds, looked at every 50 ms; false when time is up.
    pub(super) fn run_until(
        &mut self,
        patience_ms: u64,
        mut done: impl FnMut(&Self) -> bool,
    ) -> bool {
        let end = self.now + patience_ms;
        while self.now < end {
            self.run_for(50);
            if done(self) {
                return true;
            }
        }
        false
    }

    pub(super) fn run_for(&mut self, ms: u64) {
        let end = self.now + ms;
        while self
            .queue
            .peek()
            .is_some_and(|Reverse((at, ..))| *at <= end)
        {
            let Some(Reverse((at, _, due))) = self.queue.pop() else {
                break;
            };
            self.now = at.max(self.now);
            match due {
                Due::Wake(index) => self.wake(index),
                Due::Deliver(index, from, bytes) => self.deliver(index, from, &bytes),
            }
        }
        self.now = end;
    }

    fn wake(&mut self, index: usize) {
        let now = self.now;
        let Some((membership, swim)) = &mut self.seats[index].running else {
            return;
        };
        if membership.wake() <= now {
            membership.tick(now);
        }
        swim.tick(now);
        self.run_outputs(index);
    }

    fn deliver(&mut self, index: usize, from: SocketAddr, bytes: &[u8]) {
        let now = self.now;
        let Some((membership, swim)) = &mut self.seats[index].running else {
            return;
        };
        let Some(packet) = Packet::decode(bytes) else {
            assert!(self.corrupt, "a packet is read as it was written");
            return;
        };
        if let Message::Swim(data) = &packet.message {
            swim.handle(data, now);
        }
        membership.handle(from, packet, now);
        self.run_outputs(index);
    }

    /// Carries out what a node wants, and sets its alarm.
    fn run_outputs(&mut self, index: usize) {
        let Some((mut membership, mut swim)) = self.seats[index].running.take() else {
            return;
        };
        let now = self.now;
        loop {
            if let Some(output) = swim.poll() {
                match output {
                    swim::Output::Send(to, data) => {
                        let packet = Packet {
                            from: membership.life(),
                            message: Message::Swim(data),
                        };
                        self.post(index, to, &packet);
                    }
                    swim::Output::Contact(who, reachable) => {
                        membership.set_contact(&who, reachable, now);
                    }
                    swim::Output::Notice(from, head) => membership.handle_notice(from, head, now),
                }
            } else if let Some(output) = membership.poll() {
                match output {
                    Output::Keep => self.seats[index].disk = Some(membership.saved().clone()),
                    Output::Send(to, packet) => self.post(index, to, &packet),
                    Output::Publish(document) => self.check(index, &membership, &document),
                    Output::Meet(who) => swim.meet(&who, now),
                    Output::Notice(head) => swim.notice(head),
                    Output::Log(event) => self.events.push((index, event)),
                    Output::Left => self.seats[index].left = true,
                }
            } else {
                break;
            }
        }
        let at = membership.wake().min(swim.wake()).max(now + 1);
        self.seats[index].running = Some((membership, swim));
        if at < self.seats[index].alarm || self.seats[index].alarm <= now {
            self.seats[index].alarm = at;
            self.schedule(at, Due::Wake(index));
        }
    }

    fn post(&mut self, index: usize, to: SocketAddr, packet: &Packet) {
        let mut bytes = packet.encode();
        if self.corrupt && self.random(4) == 0 {
            for _ in 0..1 + self.random(3) {
                let at = self.random(bytes.len());
                bytes[at] = u8::try_from(self.random(256)).unwrap();
            }
        }
        assert!(bytes.len() <= MESSAGE_SIZE_MAX + 16);
        self.seats[index].sent += (bytes.len() + OVERHEAD) as u64;
        let Some(&target) = self.addresses.get(&to) else {
            return;
        };
        let lost = next_random(&mut self.random) % 1000 < self.loss;
        if lost || self.seats[target].side != self.seats[index].side {
            return;
        }
        let delay = 1 + next_random(&mut self.random) % 4;
        let from = self.seats[index].address;
        self.schedule(self.now + delay, Due::Deliver(target, from, bytes));
    }

    /// The invariants, at the moment when something is told to clients.
    fn check(&mut self, index: usize, membership: &Membership, document: &Document) {
        self.published += 1;
        if self.corrupt {
            return;
        }
        let (version, text) = (document.version(), document.encode());
        let now = self.now;
        if self
            .cut_when_published
            .take_if(|cut| *cut == index)
            .is_some()
        {
            self.seats[index].side = 1;
        }
        let seat = &mut self.seats[index];
        assert!(
            version > seat.served || (version == seat.served && text == seat.text),
            "{now}: version {version} after {} at {}",
            seat.served,
            seat.name
        );
        assert!(version <= i32::MAX as u32 && version > 1);
        seat.served = version;
        seat.text.clone_from(&text);
        let saved = membership.saved();
        let served = saved.served.as_ref().or(saved.roster.as_ref());
        let roster = served.filter(|roster| roster.version() == version);
        let Some(cluster) = roster.map(Roster::cluster) else {
            return;
        };
        let meaning = self.meanings.entry((cluster, version));
        let meaning = meaning.or_insert_with(|| text.clone());
        assert_eq!(
            String::from_utf8_lossy(meaning),
            String::from_utf8_lossy(&text),
            "{now}: version {version} names two documents"
        );
    }

    /// Whether all running nodes list exactly these.
    pub(super) fn agree_on(&self, listed: &[usize]) -> bool {
        let mut names: Vec<&str> = listed
            .iter()
            .map(|i| self.seats[*i].name.as_str())
            .collect();
        names.sort_unstable();
        let mut head = None;
        self.seats.iter().all(|seat| {
            let Some((membership, _)) = &seat.running else {
                return true;
            };
            let Some(roster) = membership.roster() else {
                return false;
            };
            let same = *head.get_or_insert(membership.head()) == membership.head();
            let ids = roster.members().map(|member| member.id.as_str());
            same && ids.eq(names.iter().copied()) && seat.served == roster.version()
        })
    }

    /// Where everybody stands, for a failure.
    pub(super) fn describe(&self) -> String {
        let mut lines = Vec::new();
        for seat in &self.seats {
            let Some((membership, _)) = &seat.running else {
                lines.push(format!("{} is down", seat.name));
                continue;
            };
            let ids = membership.roster().into_iter().flat_map(Roster::members);
            let ids: Vec<&str> = ids.map(|member| &member.id[6..9]).collect();
            lines.push(format!(
                "{} life {} head {:?} listed {} serves {}: {ids:?} {:?}",
                seat.name,
                membership.life() % 1000,
                membership.head(),
                membership.is_listed(),
                seat.served,
                membership.wishes
            ));
        }
        lines.join("\n")
    }

    /// Clusters that were founded.
    pub(super) fn founded(&self) -> usize {
        let founded = |(_, event): &&(usize, Event)| matches!(event, Event::Founded(_));
        self.events.iter().filter(founded).count()
    }
}

fn setting(name: &str, default: usize) -> usize {
    let value = std::env::var(name).ok();
    value.and_then(|text| text.parse().ok()).unwrap_or(default)
}

#[test]
fn many_nodes_converge_and_it_is_told_how_fast_and_at_what_price() {
    let count = setting("LARDER_SIM_NODES", 60);
    let all: Vec<usize> = (0..count).collect();
    let mut simulation = Simulation::new(count, &[0], 1);
    for index in 0..count {
        simulation.start(index, false);
        simulation.run_for(2);
    }
    let started = simulation.now;
    assert!(simulation.run_until(60_000, |s| s.agree_on(&all)));
    let converged = simulation.now - started;
    let bytes = simulation.sent();
    println!(
        "{count} nodes, all started within {started} ms: one list {converged} ms after the last \
         start, {} bytes sent by each",
        bytes / count as u64
    );
    // Until what was said of so many newcomers has been said often enough.
    simulation.run_for(60_000);
    let bytes = simulation.sent();
    simulation.run_for(10_000);
    let quiet = simulation.sent() - bytes;
    println!("at rest: {} bytes/s for each", quiet / 10 / count as u64);

    let began = simulation.now;
    simulation.leave(count - 1);
    let rest: Vec<usize> = (0..count - 1).collect();
    assert!(simulation.run_until(20_000, |s| s.agree_on(&rest)));
    println!("a leave reaches all after {} ms", simulation.now - began);
    assert!(simulation.run_until(20_000, |s| s.has_left(count - 1)));

    // A third of the nodes is cut off, the others change the list, and the network heals.
    (0..count).for_each(|index| simulation.part(index, u8::from(index < count / 3)));
    simulation.leave(count - 3);
    simulation.run_for(20_000);
    assert!(simulation.has_left(count - 3));
    simulation.kill(count - 3);
    (0..count).for_each(|index| simulation.part(index, 0));
    let began = simulation.now;
    let rest: Vec<usize> = (0..count - 1).filter(|i| *i != count - 3).collect();
    assert!(simulation.run_until(60_000, |s| s.agree_on(&rest)));
    println!("a partition heals in {} ms", simulation.now - began);

    // A tenth of all datagrams lost.
    simulation.set_loss(100);
    let began = simulation.now;
    simulation.leave(count - 2);
    let rest: Vec<usize> = (0..count - 3).collect();
    assert!(simulation.run_until(60_000, |s| s.agree_on(&rest)));
    println!(
        "a leave reaches all after {} ms with 10% of datagrams lost",
        simulation.now - began
    );
    assert_eq!(simulation.founded(), 1);
}

/// Kills, starts, moves, wipes, leaves, parts and heals at random, then puts everything right and
/// waits for one list of all. The invariants are checked all along.
fn torment(
    count: usize,
    operations: usize,
    seeds: &[usize],
    seed: u64,
    (pause_max_ms, wipes): (usize, bool),
) -> Simulation {
    let mut simulation = Simulation::new(count, seeds, seed);
    for _ in 0..operations {
        let index = simulation.random(count);
        match simulation.random(20) {
            0..=4 => simulation.start(index, false),
            5..=7 => simulation.start(index, true),
            8..=10 => simulation.leave(index),
            11..=13 => simulation.kill(index),
            14 => {
                simulation.kill(index);
                if wipes {
                    simulation.wipe(index);
                }
            }
            15 => {
                for index in 0..count {
                    let side = u8::from(simulation.random(2) == 0);
                    simulation.part(index, side);
                }
            }
            16 | 17 => (0..count).for_each(|index| simulation.part(index, 0)),
            18 => {
                let loss = simulation.random(300) as u64;
                simulation.set_loss(loss);
            }
            _ => {
                // Now and then everybody at once.
                if simulation.random(10) == 0 {
                    (0..count).for_each(|index| simulation.kill(index));
                    (0..count).for_each(|index| simulation.start(index, index % 3 == 0));
                }
            }
        }
        let pause = simulation.random(pause_max_ms) as u64;
        simulation.run_for(pause);
        // Whoever has left ends, and may come back.
        for index in 0..count {
            if simulation.has_left(index) {
                simulation.kill(index);
            }
        }
    }
    simulation.set_loss(0);
    for index in 0..count {
        simulation.part(index, 0);
        // Whoever was leaving begins anew.
        simulation.kill(index);
    }
    for index in 0..count {
        simulation.start(index, false);
    }
    let all: Vec<usize> = (0..count).collect();
    let healed = simulation.run_until(60_000, |s| s.agree_on(&all));
    assert!(healed, "seed {seed}: {}", simulation.describe());
    simulation
}

#[test]
fn one_version_never_names_two_lists_and_none_ever_falls() {
    let operations = setting("LARDER_SIM_OPERATIONS", 1000);
    let count = setting("LARDER_SIM_MEMBERS", 12);
    let pause_max_ms = setting("LARDER_SIM_PAUSE_MS", 1500);
    let seed = setting("LARDER_SIM_SEED", 1) as u64;
    let simulation = torment(count, operations, &[0], seed, (pause_max_ms, false));
    println!(
        "{operations} operations on {count} nodes: {} versions, {} documents published in {} s",
        simulation.meanings.len(),
        simulation.published,
        simulation.now / 1000
    );
    assert_eq!(simulation.founded(), 1);
}

#[test]
fn nodes_that_lose_their_memory_and_seeds_that_found_apart_change_nothing_about_it() {
    let operations = setting("LARDER_SIM_OPERATIONS", 300);
    let seed = setting("LARDER_SIM_SEED", 1) as u64;
    for (count, seeds) in [(2, &[0, 1][..]), (3, &[0]), (5, &[0, 1, 2])] {
        let simulation = torment(count, operations, seeds, seed, (1500, true));
        println!(
            "{operations} operations on {count} nodes: {} clusters founded, {} versions",
            simulation.founded(),
            simulation.meanings.len()
        );
    }
}

#[test]
fn members_that_talk_nonsense_stop_nobody() {
    let seed = setting("LARDER_SIM_SEED", 1) as u64;
    let mut simulation = Simulation::new(8, &[0, 1], seed);
    (0..8).for_each(|index| simulation.start(index, false));
    simulation.run_for(5_000);
    simulation.corrupt = true;
    for round in 0..60 {
        let index = simulation.random(8);
        simulation.kill(index);
        simulation.start(index, round % 3 == 0);
        simulation.run_for(1000);
    }
    let alive = |index| simulation.membership(index).roster().is_some();
    assert!((0..8).any(alive));
}
