//! One node's part in a cluster: a machine that is fed messages and time, and says what to send,
//! to write down and to tell clients.
//!
//! Call [`Membership::handle`] for each message, [`Membership::tick`] at the time that
//! [`Membership::wake`] names, and carry out what [`Membership::poll`] returns, in that order:
//! what is to be kept must be on disk before what follows is sent.
//!
//! # A node's way
//!
//! * It starts. With something written down it serves that list at once. Without, it serves a list
//!   of one under version 1: no cluster ever uses that version, so it says only "no cluster yet".
//! * It looks for others, at its seeds and wherever members were. Whoever has a roster passes it
//!   on; from then on the node serves that.
//! * If nobody has one, *one of the seeds* founds the cluster: a node that finds itself among the
//!   seeds it was given, or was given none. Several such nodes wait for each other, and the first
//!   by name does it. Other nodes wait: they never make a cluster of their own.
//! * It asks to be listed, once it serves: a [`Message::Wish`] to the first member by name that
//!   can be reached, which proposes it to all (`proposing.rs`, `agreement.rs`).
//! * Two clusters that were founded apart and meet become one: the nodes of the younger give it up
//!   and join the older, which lists them under a version above all that they have served.
//! * Leaving is a wish like joining. An unreachable member stays listed.
//!
//! The first version of a cluster counts seconds since 2026, so that a cluster that has lost all
//! its memory begins above where it was.
//!
//! **Invariant:** the versions published by one node rise, also across restarts that keep what was
//! written down.

mod founding;
mod leaving;
mod proposing;
mod pulling;
#[cfg(test)]
mod scenario_tests;
#[cfg(test)]
mod simulation_tests;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

use self::leaving::Leaving;
use self::proposing::Wish;
use self::pulling::Pull;
use super::agreement::{Acceptor, Ballot, Proposer};
use super::document::{Document, Node};
use super::message::{Denial, Message, Packet, Who};
use super::roster::{Change, Head, Life, Member, Removal, Roster};

/// Pause between two looks around of a member, in milliseconds.
const SYNC_MS: u64 = 1000;

/// Pause between two looks around of a node that is not listed yet, in milliseconds.
const SEARCH_MS: u64 = 250;

/// Pause between repetitions of a wish, in milliseconds.
const WISH_MS: u64 = 300;

/// A wish that has not come nearer for so long goes to another member, in milliseconds.
const WISH_PATIENCE_MS: u64 = 900;

/// Somebody who was heard so recently is there, in milliseconds.
const RECENT_MS: u64 = 3000;

/// A node that has been listed and has run for so long is settled, in milliseconds.
const SETTLED_MS: u64 = 10_000;

/// Strangers and lives that are remembered; more are not needed by any cluster that may be.
const MEMORY_COUNT_MAX: usize = 4096;

/// What the operator has set.
#[derive(Clone, Debug)]
pub struct Setup {
    /// By what this node is known.
    pub id: String,
    /// What clients are told of it.
    pub node: Node,
    /// Where the others reach it.
    pub gossip: SocketAddr,
    /// Whether seeds were named.
    pub has_seeds: bool,
    /// Grows with each start, in Unix milliseconds.
    pub epoch: u64,
    /// The clock at the start, in Unix seconds.
    pub wall_unix_s: u64,
    /// Takes unreachable members off the list after so long, in milliseconds.
    pub eject_after_ms: Option<u64>,
    /// For everything that is to differ between nodes.
    pub random_seed: u64,
}

/// What a node writes down.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Saved {
    /// Its life.
    pub life: Life,
    /// Its last start: the next is later, even if the clock was put back.
    pub epoch: u64,
    /// The newest roster it knows.
    pub roster: Option<Roster>,
    /// What it has promised.
    pub acceptor: Acceptor,
    /// What clients were told, where that is not the newest roster.
    pub served: Option<Roster>,
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq)]
pub enum Output {
    /// Write [`Membership::saved`] down before anything that follows is sent.
    Keep,
    /// Send this.
    Send(SocketAddr, Packet),
    /// Tell clients.
    Publish(Document),
    /// Somebody answers; failure detection wants to know.
    Meet(Who),
    /// Let all members know that this node has this roster.
    Notice(Head),
    /// Something for the log.
    Log(Event),
    /// Left: the list is without this node, and whoever could be told was told.
    Left,
}

/// Something for the log.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Event {
    /// The cluster begins with this node.
    Founded(Head),
    /// A new roster.
    Roster {
        /// Its version.
        version: u32,
        /// Its size.
        count: usize,
    },
    /// This node is on the list now.
    Listed,
    /// This node was taken off the list by somebody else.
    TakenOff,
    /// Two clusters have met, and this node gives its own up.
    Absorbed,
    /// None of the voters remembered anything; this node goes on with their list, from this version.
    Recovered(u32),
    /// A wish was denied: for this node, this reason.
    Denied(String, Denial),
    /// Rosters with the same version were not the same. Members have lost or copied their state.
    Diverged(u32),
}

/// Whom this node has heard.
#[derive(Clone, Copy, Debug)]
struct Seen {
    address: SocketAddr,
    at: u64,
    version: u32,
}

/// Whether a node answers, and since when.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Contact {
    /// It answers.
    pub reachable: bool,
    /// Since, in milliseconds of the caller's clock.
    pub since: u64,
}

/// One node's part in a cluster. See the module's text for how to drive it.
#[derive(Debug)]
pub struct Membership {
    setup: Setup,
    saved: Saved,
    /// Of the roster that is saved.
    head: Head,
    /// The version that clients were told last.
    floor: u32,
    random: u64,
    started: u64,

    seeds: Vec<SocketAddr>,
    own_seeds: BTreeSet<SocketAddr>,
    answered: BTreeSet<SocketAddr>,
    /// Who has spoken under each name last, whether it had a roster, and when.
    known: BTreeMap<String, (Who, bool, u64)>,
    lives: BTreeMap<Life, Seen>,
    contacts: BTreeMap<String, Contact>,

    serving: bool,
    /// This process has been on the list.
    was_listed: bool,
    leaving: Option<Leaving>,
    pull: Option<Pull>,
    wishes: BTreeMap<String, Wish>,
    /// Wishes of an operator at this node.
    own_wishes: Vec<(Change, bool, u64)>,
    proposer: Option<Proposer>,
    proposed_at: u64,
    resend_at: u64,
    backoff_until: u64,
    round_seen: u32,
    ejected_at: u64,

    next_search: u64,
    next_wish: u64,
    attempts: usize,
    progress: (u32, u64),
    out: VecDeque<Output>,
}

impl Membership {
    /// A node that starts, with what it has written down in an earlier run. Nothing is sent before
    /// the first [`Self::tick`].
    pub fn new(mut setup: Setup, saved: Option<Saved>, now: u64) -> Self {
        let mut random = setup.random_seed;
        let mut saved = saved.unwrap_or_else(|| Saved {
            life: next_random(&mut random).max(1),
            epoch: 0,
            roster: None,
            acceptor: Acceptor::default(),
            served: None,
        });
        setup.epoch = setup.epoch.max(saved.epoch.saturating_add(1));
        saved.epoch = setup.epoch;
        let mut membership = Self {
            head: saved.roster.as_ref().map(Roster::head).unwrap_or_default(),
            random,
            started: now,
            floor: 0,
            seeds: Vec::new(),
            own_seeds: BTreeSet::new(),
            answered: BTreeSet::new(),
            known: BTreeMap::new(),
            lives: BTreeMap::new(),
            contacts: BTreeMap::new(),
            serving: false,
            was_listed: false,
            leaving: None,
            pull: None,
            wishes: BTreeMap::new(),
            own_wishes: Vec::new(),
            proposer: None,
            proposed_at: 0,
            resend_at: 0,
            backoff_until: 0,
            round_seen: 0,
            ejected_at: now,
            next_search: now,
            next_wish: now,
            attempts: 0,
            progress: (0, now),
            out: VecDeque::new(),
            setup,
            saved,
        };
        membership.keep();
        let served = membership.saved.served.as_ref();
        if let Some(roster) = served.or(membership.saved.roster.as_ref()) {
            membership.floor = roster.version();
            if let Ok(document) = roster.document() {
                membership.out.push_back(Output::Publish(document));
            }
        }
        membership
    }

    /// This node's life.
    pub fn life(&self) -> Life {
        self.saved.life
    }

    /// What is to be written down.
    pub fn saved(&self) -> &Saved {
        &self.saved
    }

    /// The newest roster that this node knows.
    pub fn roster(&self) -> Option<&Roster> {
        self.saved.roster.as_ref()
    }

    /// The newest roster in short.
    pub fn head(&self) -> Head {
        self.head
    }

    /// Whether this node is on the list, as it is now.
    pub fn is_listed(&self) -> bool {
        self.roster()
            .and_then(|roster| roster.member(&self.setup.id))
            .is_some_and(|member| *member == self.me())
    }

    /// Whether a member answers, as failure detection has it.
    pub fn contact(&self, id: &str) -> Option<Contact> {
        self.contacts.get(id).copied()
    }

    /// Where to look for others. Give them again when their names mean something else.
    pub fn set_seeds(&mut self, seeds: Vec<SocketAddr>) {
        self.own_seeds.retain(|address| seeds.contains(address));
        self.answered.retain(|address| seeds.contains(address));
        self.seeds = seeds;
    }

    /// The node serves clients now, so it may be listed.
    pub fn set_serving(&mut self) {
        self.serving = true;
    }

    /// Failure detection has found that somebody answers, or no longer does.
    pub fn set_contact(&mut self, who: &Who, reachable: bool, now: u64) {
        if reachable && who.life != self.saved.life {
            self.see(who.life, who.gossip, now, None);
            let known = self.known.get(&who.id);
            if known.is_none_or(|(known, ..)| known.life != who.life)
                && self.known.len() < MEMORY_COUNT_MAX
            {
                self.known.insert(who.id.clone(), (who.clone(), true, now));
            }
        }
        let contact = Contact {
            reachable,
            since: now,
        };
        let old = self.contacts.get(&who.id).copied();
        if old.is_none_or(|old| old.reachable != reachable)
            && self.contacts.len() < MEMORY_COUNT_MAX
        {
            self.contacts.insert(who.id.clone(), contact);
        }
    }

    /// An operator wants exactly these nodes listed. Those that are not there take no part and are
    /// only listed; members that run and are not among them stay off until they start again.
    pub fn declare(&mut self, nodes: &[Node], now: u64) {
        let Some(roster) = self.saved.roster.as_ref() else {
            return;
        };
        let same = |a: &Node, b: &Node| a.name() == b.name() && a.port() == b.port();
        let mut wanted = Vec::new();
        for member in roster.members() {
            if !nodes.iter().any(|node| same(node, &member.node)) {
                let gone = self.contacts.get(&member.id).is_some_and(|c| !c.reachable);
                let change = Change::Remove {
                    id: member.id.clone(),
                    why: Removal::Declared,
                };
                wanted.push((change, gone, now));
            }
        }
        for node in nodes {
            if !roster.members().any(|member| same(node, &member.node)) {
                let member = Member {
                    id: format!("{}:{}", node.name(), node.port()),
                    node: node.clone(),
                    gossip: SocketAddr::from(([0, 0, 0, 0], 0)),
                    life: 0,
                };
                wanted.push((Change::Put(member), false, now));
            }
        }
        self.own_wishes = wanted;
        self.next_wish = now;
    }

    /// Somebody has said that a node has a roster.
    pub fn handle_notice(&mut self, from: SocketAddr, head: Head, now: u64) {
        self.compare(from, head, now);
    }

    /// The next thing to do.
    pub fn poll(&mut self) -> Option<Output> {
        self.out.pop_front()
    }

    /// When to call [`Self::tick`] next, in milliseconds of the caller's clock.
    pub fn wake(&self) -> u64 {
        let mut wake = self.next_search;
        if self.wants_something() {
            wake = wake.min(self.next_wish);
        }
        if self.proposer.is_some() {
            wake = wake.min(self.resend_at);
        } else if !self.wishes.is_empty() {
            wake = wake.min(self.backoff_until.max(self.proposed_at));
        }
        if let Some(pull) = &self.pull {
            wake = wake.min(pull.retry_at());
        }
        if let Some(leaving) = self.leaving.filter(|leaving| !leaving.done) {
            wake = wake.min(leaving.next_tell);
        }
        wake
    }

    /// What is due by time.
    pub fn tick(&mut self, now: u64) {
        self.retry_pull(now);
        if now >= self.next_search {
            self.search(now);
        }
        self.found(now);
        self.eject(now);
        if self.wants_something() && now >= self.next_wish {
            self.send_wishes(now);
        }
        self.drive_proposer(now);
        self.propose(now);
        self.tell_of_leaving(now);
    }

    /// Takes a message that was sealed for this node.
    pub fn handle(&mut self, from: SocketAddr, packet: Packet, now: u64) {
        let life = packet.from;
        if life == self.saved.life {
            if let Message::Hello { who, to } = packet.message {
                // Our own words: that seed is this node. Another process that has our life has
                // our file, too, and is not us.
                if who.epoch == self.setup.epoch {
                    self.own_seeds.insert(to);
                }
            }
            return;
        }
        if let Message::Hello { .. } = packet.message {
            // It may be old, so nothing but an answer comes of it.
            let ask = self.summary(true);
            self.send(from, ask);
            return;
        }
        let version = match &packet.message {
            Message::Summary { head, .. } => Some(head.version),
            Message::Accepted { base, .. } | Message::Promise { base, .. } => Some(base.version),
            _ => None,
        };
        self.see(life, from, now, version);
        match packet.message {
            Message::Hello { .. } | Message::Swim(_) => {}
            Message::Summary { who, head, ask } => self.handle_summary(from, who, head, ask, now),
            Message::Pull { head, offset } => self.handle_pull(from, head, offset),
            Message::Chunk {
                head,
                total,
                offset,
                bytes,
            } => self.handle_chunk(from, head, (total, offset), &bytes, now),
            Message::Wish {
                change,
                vouched,
                floor,
            } => {
                self.take_wish(change, vouched, floor, (life, Some(from)), now);
                self.propose(now);
            }
            Message::Denied { id, why } => self.log(Event::Denied(id, why)),
            Message::Prepare { base, ballot } => self.handle_prepare(from, base, ballot, now),
            Message::Promise {
                base,
                ballot,
                accepted,
            } => self.handle_promise(life, base, ballot, accepted, now),
            Message::Accept { base, ballot, step } => {
                self.handle_accept(from, base, ballot, &step, now);
            }
            Message::Accepted { base, ballot } => self.handle_accepted(life, base, ballot, now),
            Message::Refused { base, promised } => self.handle_refused(base, promised, now),
            Message::Chosen { base, step, head } => {
                self.handle_chosen(from, base, &step, head, now);
            }
        }
    }

    /// What this node says of itself to an address where somebody may be.
    pub fn hello(&self, to: SocketAddr) -> Packet {
        self.packet(Message::Hello {
            who: self.who(),
            to,
        })
    }

    fn packet(&self, message: Message) -> Packet {
        Packet {
            from: self.saved.life,
            message,
        }
    }

    /// Who this node is.
    pub fn who(&self) -> Who {
        Who {
            id: self.setup.id.clone(),
            life: self.saved.life,
            gossip: self.setup.gossip,
            epoch: self.setup.epoch,
            can_found: self.can_found(),
        }
    }

    fn me(&self) -> Member {
        Member {
            id: self.setup.id.clone(),
            node: self.setup.node.clone(),
            gossip: self.setup.gossip,
            life: self.saved.life,
        }
    }

    fn summary(&self, ask: bool) -> Message {
        Message::Summary {
            who: self.who(),
            head: self.head(),
            ask,
        }
    }

    fn send(&mut self, to: SocketAddr, message: Message) {
        let packet = self.packet(message);
        self.out.push_back(Output::Send(to, packet));
    }

    fn log(&mut self, event: Event) {
        self.out.push_back(Output::Log(event));
    }

    fn keep(&mut self) {
        self.out.push_back(Output::Keep);
    }

    fn random_below(&mut self, bound: usize) -> usize {
        let bound = u64::try_from(bound).unwrap_or(u64::MAX).max(1);
        usize::try_from(next_random(&mut self.random) % bound).unwrap_or(0)
    }

    fn see(&mut self, life: Life, address: SocketAddr, now: u64, version: Option<u32>) {
        if self.lives.len() >= MEMORY_COUNT_MAX && !self.lives.contains_key(&life) {
            let oldest = self.lives.iter().min_by_key(|(_, seen)| seen.at);
            if let Some(oldest) = oldest.map(|(life, _)| *life) {
                self.lives.remove(&oldest);
            }
        }
        let seen = self.lives.entry(life).or_insert(Seen {
            address,
            at: now,
            version: 0,
        });
        seen.address = address;
        seen.at = now;
        seen.version = version.unwrap_or(seen.version);
    }

    fn heard_recently(&self, life: Life, now: u64) -> bool {
        self.was_heard(life, now, RECENT_MS)
    }

    /// Whether anything came from a life within so many milliseconds.
    fn was_heard(&self, life: Life, now: u64, within_ms: u64) -> bool {
        let seen = self.lives.get(&life);
        seen.is_some_and(|seen| now.saturating_sub(seen.at) < within_ms)
    }

    /// Where a member is: where it was heard last, else where it is declared to be.
    fn address(&self, member: &Member) -> SocketAddr {
        let seen = self.lives.get(&member.life);
        seen.map_or(member.gossip, |seen| seen.address)
    }

    fn handle_summary(&mut self, from: SocketAddr, who: Who, head: Head, ask: bool, now: u64) {
        self.answered.insert(from);
        if self.answered.len() > MEMORY_COUNT_MAX {
            self.answered.clear();
        }
        if self.known.len() >= MEMORY_COUNT_MAX {
            self.known.clear();
        }
        let entry = (who.clone(), !head.is_none(), now);
        self.known.insert(who.id.clone(), entry);
        self.out.push_back(Output::Meet(who));
        let behind = self.compare(from, head, now);
        if ask || behind {
            let answer = self.summary(false);
            self.send(from, answer);
        }
    }

    /// Compares a roster that somebody has with ours. Asks for it if it is better; returns whether
    /// ours is.
    fn compare(&mut self, from: SocketAddr, head: Head, now: u64) -> bool {
        let own = self.head();
        if head == own {
            return false;
        }
        if head.is_none() || own.is_none() {
            if !head.is_none() {
                self.start_pull(from, head, now);
            }
            return head.is_none();
        }
        if head.cluster != own.cluster {
            // The older cluster stands.
            let theirs = head.cluster < own.cluster;
            if theirs {
                self.start_pull(from, head, now);
            }
            return !theirs;
        }
        if head.version >= own.version {
            self.start_pull(from, head, now);
        }
        head.version < own.version
    }

    /// Looks around: for a cluster, for members that nobody hears, for news.
    fn search(&mut self, now: u64) {
        let listed = self.is_listed();
        // Not at once: whoever was taken off while it was down comes back when it starts.
        self.was_listed |= listed && now.saturating_sub(self.started) > SETTLED_MS;
        let young = now.saturating_sub(self.started) < 20 * SEARCH_MS;
        let pause = if !listed && (young || self.roster().is_some()) {
            SEARCH_MS
        } else {
            SYNC_MS
        };
        // Not all at once, even if all have started at once.
        let spread = self.random_below(usize::try_from(pause / 4).unwrap_or(1));
        self.next_search = now + pause - pause / 8 + u64::try_from(spread).unwrap_or(0);
        // A member needs no seed that is one, too; any other may lead to another cluster.
        let members = self.roster().into_iter().flat_map(Roster::members);
        let known: BTreeSet<SocketAddr> = members
            .filter(|_| listed)
            .flat_map(|member| [self.address(member), member.gossip])
            .chain(self.own_seeds.iter().copied())
            .collect();
        let seeds = self.seeds.iter().filter(|seed| !known.contains(seed));
        let mut hellos: Vec<SocketAddr> = seeds.copied().collect();
        if listed && !hellos.is_empty() {
            hellos = vec![hellos[self.random_below(hellos.len())]];
        }
        let (mut near, mut far) = (Vec::new(), Vec::new());
        for member in self.roster().into_iter().flat_map(Roster::members) {
            if member.id == self.setup.id || member.life == 0 {
                continue;
            }
            let reached = self.contacts.get(&member.id).is_some_and(|c| c.reachable);
            if reached || self.heard_recently(member.life, now) {
                near.push(self.address(member));
            } else {
                far.push(self.address(member));
                far.push(member.gossip);
            }
        }
        for _ in 0..if listed { 1 } else { 4 } {
            if !far.is_empty() {
                hellos.push(far.swap_remove(self.random_below(far.len())));
            }
        }
        hellos.sort_unstable();
        hellos.dedup();
        for to in hellos {
            let hello = self.hello(to);
            self.out.push_back(Output::Send(to, hello));
        }
        if !near.is_empty() {
            let to = near[self.random_below(near.len())];
            let summary = self.summary(false);
            self.send(to, summary);
        }
    }

    /// Makes a roster ours: writes it down, tells clients if its version is higher than what they
    /// were told, and lets others know.
    fn adopt(&mut self, roster: Roster, now: u64) {
        let old = self.saved.roster.take();
        let head = roster.head();
        self.head = head;
        if let Some(old) = old {
            if old.cluster() != roster.cluster() {
                self.was_listed = false;
                self.log(Event::Absorbed);
            }
            if old.version() == self.floor && roster.version() <= self.floor {
                self.saved.served = Some(old);
            }
        }
        self.proposer = None;
        self.saved.acceptor = Acceptor::new(head);
        let version = roster.version();
        let count = roster.len();
        let document = roster.document();
        self.saved.roster = Some(roster);
        let is_higher = version > self.floor;
        if is_higher {
            self.floor = version;
            self.saved.served = None;
        }
        self.keep();
        if is_higher {
            if let Ok(document) = document {
                self.out.push_back(Output::Publish(document));
            }
            self.log(Event::Roster { version, count });
        }
        self.progress = (version, now);
        self.note_listing();
        self.out.push_back(Output::Notice(head));
        self.forget_fulfilled();
    }

    /// Notices that this node has come on the list, or gone.
    fn note_listing(&mut self) {
        let listed = self.is_listed();
        if listed && !self.was_listed {
            self.log(Event::Listed);
        }
        let expelled = self.was_listed && !listed && self.is_expelled();
        if expelled && self.leaving.is_none() {
            self.log(Event::TakenOff);
        }
        self.was_listed |= listed;
    }

    /// Whether an operator has taken this node off the list, or somebody else goes by its name.
    fn is_expelled(&self) -> bool {
        let Some(roster) = self.roster() else {
            return false;
        };
        match roster.member(&self.setup.id) {
            Some(member) => self.was_listed && member.life != self.saved.life,
            None => self.was_listed && roster.removal(&self.setup.id) == Some(Removal::Declared),
        }
    }
}

/// The next number of a sequence that is random enough to spread work (SplitMix64).
fn next_random(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// A ballot of one's own above all that were seen.
fn next_ballot(seen: u32, life: Life) -> Ballot {
    Ballot {
        round: seen.saturating_add(1),
        life,
    }
}
