//! Failure detection and gossip among members: foca behind our own words.
//!
//! A machine like [`super::membership`]: data and time go in, what to send comes out. Who answers
//! is only told here; whether that changes anything is decided there. The head of a node's roster
//! travels along as a broadcast, so that whoever missed a step hears of it within a second.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::convert::Infallible;
use std::fmt;
use std::net::SocketAddr;
use std::num::{NonZeroU8, NonZeroUsize};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use foca::{
    BroadcastHandler, Config, Foca, Identity, Invalidates, Notification, PeriodicParams,
    PostcardCodec, Runtime, Timer,
};
use rand::SeedableRng;
use rand::rngs::StdRng;
use serde::{Deserialize, Serialize};

use super::message::{MESSAGE_SIZE_MAX, Who};
use super::roster::{Head, Life};

/// Nodes that are remembered as introduced.
const MET_COUNT_MAX: usize = 4096;

/// Largest piece of foca's, in bytes.
const DATA_SIZE_MAX: usize = MESSAGE_SIZE_MAX - 32;

/// Somebody, as failure detection knows it: the name stays, everything else may change.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
struct Peer {
    id: String,
    life: Life,
    gossip: SocketAddr,
    /// Grows with each start and each return after being given up.
    epoch: u64,
}

impl Peer {
    fn of(who: &Who) -> Self {
        Self {
            id: who.id.clone(),
            life: who.life,
            gossip: who.gossip,
            epoch: who.epoch,
        }
    }

    fn who(&self) -> Who {
        Who {
            id: self.id.clone(),
            life: self.life,
            gossip: self.gossip,
            epoch: self.epoch,
            can_found: false,
        }
    }
}

impl Identity for Peer {
    type Addr = String;

    fn renew(&self) -> Option<Self> {
        let epoch = self.epoch.checked_add(1)?;
        Some(Self {
            epoch,
            ..self.clone()
        })
    }

    fn addr(&self) -> String {
        self.id.clone()
    }

    fn win_addr_conflict(&self, other: &Self) -> bool {
        (self.epoch, self.life) > (other.epoch, other.life)
    }
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq)]
pub enum Output {
    /// Send this.
    Send(SocketAddr, Vec<u8>),
    /// Somebody answers, or no longer does.
    Contact(Who, bool),
    /// The node at this address has this roster.
    Notice(SocketAddr, Head),
}

/// The head of somebody's roster: the newest replaces all others on their way.
struct News;

impl Invalidates for News {
    fn invalidates(&self, _: &Self) -> bool {
        true
    }
}

/// Takes heads out of what arrives. Nothing is passed on as it is: whoever gets the roster says
/// so itself.
struct Heads {
    heard: Sender<(SocketAddr, Head)>,
}

impl BroadcastHandler<Peer> for Heads {
    type Key = News;
    type Error = Infallible;

    fn receive_item(
        &mut self,
        data: &[u8],
        sender: Option<&Peer>,
    ) -> Result<Option<News>, Infallible> {
        let Some(sender) = sender else {
            return Ok(Some(News));
        };
        if let Ok(head) = postcard::from_bytes(data) {
            // Whoever reads this lives as long as foca.
            let _ = self.heard.send((sender.gossip, head));
        }
        Ok(None)
    }
}

/// What foca wants done, kept until it is asked for.
#[derive(Default)]
struct Wants {
    now: u64,
    out: VecDeque<Output>,
    timers: BTreeMap<(u64, u64), Timer<Peer>>,
    order: u64,
    /// Who answers, by name.
    up: BTreeSet<String>,
}

impl Runtime<Peer> for &mut Wants {
    fn notify(&mut self, notification: Notification<'_, Peer>) {
        let peer = match notification {
            Notification::MemberUp(peer) => {
                self.up.insert(peer.id.clone());
                peer
            }
            Notification::MemberDown(peer) => {
                self.up.remove(&peer.id);
                peer
            }
            // The same member, at another address or in another life.
            Notification::Rename(_, peer) => peer,
            _ => return,
        };
        let is_up = self.up.contains(&peer.id);
        self.out.push_back(Output::Contact(peer.who(), is_up));
    }

    fn send_to(&mut self, to: Peer, data: &[u8]) {
        self.out.push_back(Output::Send(to.gossip, data.to_vec()));
    }

    fn submit_after(&mut self, event: Timer<Peer>, after: Duration) {
        self.order += 1;
        let after = u64::try_from(after.as_millis()).unwrap_or(u64::MAX / 2);
        self.timers
            .insert((self.now.saturating_add(after), self.order), event);
    }
}

/// Failure detection among members.
pub struct Swim {
    foca: Foca<Peer, PostcardCodec, StdRng, Heads>,
    wants: Wants,
    heads: Receiver<(SocketAddr, Head)>,
    /// To whom this node has introduced itself, and when.
    met: BTreeMap<String, u64>,
}

impl fmt::Debug for Swim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let up = self.wants.up.len();
        f.debug_struct("Swim")
            .field("up", &up)
            .finish_non_exhaustive()
    }
}

/// Pause between two introductions to the same node, in milliseconds.
const MEET_MS: u64 = 1000;

fn config() -> Config {
    let count = |count: usize| NonZeroUsize::MIN.saturating_add(count - 1);
    let every = |ms, num_members| {
        Some(PeriodicParams {
            frequency: Duration::from_millis(ms),
            num_members,
        })
    };
    Config {
        probe_period: Duration::from_millis(1000),
        probe_rtt: Duration::from_millis(400),
        num_indirect_probes: count(3),
        max_transmissions: NonZeroU8::MIN.saturating_add(9),
        // A process that stalls for a moment is no alarm.
        suspect_to_down_after: Duration::from_millis(5000),
        remove_down_after: Some(Duration::from_secs(24 * 3600)),
        max_packet_size: count(DATA_SIZE_MAX),
        notify_down_members: true,
        periodic_announce: every(10_000, count(1)),
        periodic_announce_to_down_members: every(5_000, count(2)),
        periodic_gossip: every(300, count(2)),
    }
}

impl Swim {
    /// Nobody is known yet.
    pub fn new(own: &Who, random_seed: u64, now: u64) -> Self {
        let (heard, heads) = channel();
        let random = StdRng::seed_from_u64(random_seed);
        Self {
            foca: Foca::with_custom_broadcast(
                Peer::of(own),
                config(),
                random,
                PostcardCodec,
                Heads { heard },
            ),
            wants: Wants {
                now,
                ..Wants::default()
            },
            heads,
            met: BTreeMap::new(),
        }
    }

    /// Somebody has answered: introduces this node, unless they know each other.
    pub fn meet(&mut self, who: &Who, now: u64) {
        let is_who = |peer: &Peer| peer.id == who.id && peer.epoch >= who.epoch;
        if self.foca.iter_members().any(|member| is_who(member.id())) {
            return;
        }
        let last = self.met.get(&who.id).copied();
        if last.is_some_and(|last| now.saturating_sub(last) < MEET_MS) {
            return;
        }
        if self.met.len() >= MET_COUNT_MAX {
            self.met.clear();
        }
        self.met.insert(who.id.clone(), now);
        self.wants.now = now;
        // What cannot be said now is said again.
        let _ = self.foca.announce(Peer::of(who), &mut self.wants);
    }

    /// From now on others hear that this node has this roster.
    pub fn notice(&mut self, head: Head) {
        if let Ok(data) = postcard::to_allocvec(&head) {
            let _ = self.foca.add_broadcast(&data);
        }
    }

    /// Takes what [`Output::Send`] of another node has said. What makes no sense is ignored.
    pub fn handle(&mut self, data: &[u8], now: u64) {
        self.wants.now = now;
        let _ = self.foca.handle_data(data, &mut self.wants);
        let heads: Vec<_> = self.heads.try_iter().collect();
        let notices = heads
            .into_iter()
            .map(|(from, head)| Output::Notice(from, head));
        self.wants.out.extend(notices);
    }

    /// What is due by time.
    pub fn tick(&mut self, now: u64) {
        self.wants.now = now;
        while let Some(entry) = self.wants.timers.first_entry() {
            if entry.key().0 > now {
                break;
            }
            let event = entry.remove();
            // A timer of the past, which means nothing any more.
            let _ = self.foca.handle_timer(event, &mut self.wants);
        }
    }

    /// When to call [`Self::tick`] next.
    pub fn wake(&self) -> u64 {
        let first = self.wants.timers.first_key_value();
        first.map_or(u64::MAX, |((at, _), _)| *at)
    }

    /// The next thing to do.
    pub fn poll(&mut self) -> Option<Output> {
        self.wants.out.pop_front()
    }
}
