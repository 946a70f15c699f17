//! The roster: who has been declared a member of this cluster, under a version.
//!
//! What clients are told ([`Document`]) is made from it. It also holds what only the members need:
//! where each is reached by gossip, and which *life* it is in. A life is a random number that a
//! daemon draws when it starts without any memory of an earlier one; it votes under that number,
//! so a node that has lost its memory cannot be mistaken for the one that remembers its votes.
//!
//! **Invariant:** a [`Roster`] has at least one member, none of them twice, and its encoding is
//! the same wherever it was put together: equal rosters have equal [`Head`]s.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::document::{Document, DocumentError, Node, VERSION_MAX};

/// Most members of a roster. ElastiCache has 300 at most; a list of so many is too long for most
/// clients anyway.
pub const MEMBER_COUNT_MAX: usize = 1000;

/// Members that are remembered as taken off; whoever is forgotten may come back by itself.
const REMOVED_COUNT_MAX: usize = 64;

/// Longest name by which members know each other, in bytes.
pub const ID_SIZE_MAX: usize = 253;

/// By how much versions leap when more may have been agreed on than anybody remembers.
pub const VERSION_LEAP: u32 = 1024;

/// Which life of a node it is; 0 for a node that is listed and takes no part.
pub type Life = u64;

/// Which cluster. Of two that meet, the smaller stands: the one that was recovered more often, then
/// the older.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, Hash, PartialEq, Serialize)]
pub struct ClusterId {
    /// How often it was recovered from the loss of all its voters.
    pub generation: u32,
    /// When it was founded, by the founder's clock.
    pub founded_unix_s: u64,
    /// Tells apart clusters of one second.
    pub nonce: u64,
}

impl Ord for ClusterId {
    fn cmp(&self, other: &Self) -> Ordering {
        let recovered = other.generation.cmp(&self.generation);
        let age = (self.founded_unix_s, self.nonce);
        recovered.then(age.cmp(&(other.founded_unix_s, other.nonce)))
    }
}

impl PartialOrd for ClusterId {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// A roster in short: two with the same head are the same.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, Hash, PartialEq, Serialize)]
pub struct Head {
    /// Of which cluster; the default is that of a node which belongs to none yet.
    pub cluster: ClusterId,
    /// The version that clients are told, from 1; 0 for no roster.
    pub version: u32,
    /// First bytes of the SHA-256 of its encoding.
    pub digest: u64,
}

impl Head {
    /// Whether this is the head of no roster.
    pub fn is_none(&self) -> bool {
        self.version == 0
    }
}

/// A node as the other members know it.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(try_from = "RawMember", into = "RawMember")]
pub struct Member {
    /// By what it is known, whatever its address.
    pub id: String,
    /// What clients are told.
    pub node: Node,
    /// Where the other members reach it.
    pub gossip: SocketAddr,
    /// Which life it is in.
    pub life: Life,
}

/// A member as it travels: not yet checked.
#[derive(Clone, Deserialize, Serialize)]
struct RawMember {
    id: String,
    name: String,
    ip: Option<IpAddr>,
    port: u16,
    gossip: SocketAddr,
    life: Life,
}

impl From<Member> for RawMember {
    fn from(member: Member) -> Self {
        Self {
            name: member.node.name().to_owned(),
            ip: member.node.ip(),
            port: member.node.port(),
            id: member.id,
            gossip: member.gossip,
            life: member.life,
        }
    }
}

impl TryFrom<RawMember> for Member {
    type Error = String;

    fn try_from(raw: RawMember) -> Result<Self, String> {
        if raw.id.is_empty() || raw.id.len() > ID_SIZE_MAX {
            return Err("a member's name is empty or too long".to_owned());
        }
        let node = Node::new(&raw.name, raw.ip, raw.port).map_err(|error| error.to_string())?;
        Ok(Self {
            id: raw.id,
            node,
            gossip: raw.gossip,
            life: raw.life,
        })
    }
}

/// Why a member is taken off.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub enum Removal {
    /// It leaves.
    Left,
    /// An operator says so. It stays off until it starts again.
    Declared,
    /// Nobody reaches it. It comes back by itself.
    Ejected,
}

/// One change to a roster.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub enum Change {
    /// Enters a member, or replaces the one of that name in place.
    Put(Member),
    /// Takes a member off.
    Remove {
        /// By what it is known.
        id: String,
        /// Why.
        why: Removal,
    },
}

impl Change {
    /// Whom it is about.
    pub fn id(&self) -> &str {
        match self {
            Self::Put(member) => &member.id,
            Self::Remove { id, .. } => id,
        }
    }
}

/// From one roster to the next.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Step {
    /// The version of the next.
    pub version: u32,
    /// What is changed, in this order.
    pub changes: Vec<Change>,
}

/// The declared members of a cluster under a version.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Roster {
    cluster: ClusterId,
    version: u32,
    members: BTreeMap<String, Member>,
    /// Members that were taken off and did not leave, until they are back.
    removed: BTreeMap<String, Removal>,
}

impl Roster {
    /// The roster of a new cluster, whose only member is its founder.
    pub fn found(cluster: ClusterId, version: u32, founder: Member) -> Self {
        Self {
            cluster,
            version: version.clamp(1, VERSION_MAX),
            members: BTreeMap::from([(founder.id.clone(), founder)]),
            removed: BTreeMap::new(),
        }
    }

    /// The roster of a cluster that goes on although none of its voters remembers anything: the
    /// same members, of whom only this one votes until others ask to be voters again. The cluster
    /// is another from here on, and its versions leap.
    #[must_use]
    pub fn recover(&self, nonce: u64, survivor: Member, floor: u32) -> Self {
        let mut next = self.clone();
        next.cluster.generation = next.cluster.generation.saturating_add(1);
        next.cluster.nonce = nonce;
        let version = self.version.max(floor).saturating_add(VERSION_LEAP);
        next.version = version.min(VERSION_MAX);
        for member in next.members.values_mut() {
            member.life = 0;
        }
        next.members.insert(survivor.id.clone(), survivor);
        next
    }

    /// Of which cluster it is.
    pub fn cluster(&self) -> ClusterId {
        self.cluster
    }

    /// Its version.
    pub fn version(&self) -> u32 {
        self.version
    }

    /// The members by name.
    pub fn members(&self) -> impl ExactSizeIterator<Item = &Member> {
        self.members.values()
    }

    /// The member of this name.
    pub fn member(&self, id: &str) -> Option<&Member> {
        self.members.get(id)
    }

    /// How many members it has.
    pub fn len(&self) -> usize {
        self.members.len()
    }

    /// Never: see the invariant.
    pub fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// Why a node of this name was taken off, if it did not leave.
    pub fn removal(&self, id: &str) -> Option<Removal> {
        self.removed.get(id).copied()
    }

    /// How many members it had when members last came or went by will.
    pub fn declared_count(&self) -> usize {
        let ejected = |why: &&Removal| **why == Removal::Ejected;
        self.members.len() + self.removed.values().filter(ejected).count()
    }

    /// The lives that decide about the next roster.
    pub fn voters(&self) -> impl Iterator<Item = Life> {
        let lives = self.members.values().map(|member| member.life);
        lives.filter(|life| *life != 0)
    }

    /// The member that may propose without asking first: the first voter by name.
    pub fn first_voter(&self) -> Option<Life> {
        self.voters().next()
    }

    /// The roster in short.
    pub fn head(&self) -> Head {
        Head {
            cluster: self.cluster,
            version: self.version,
            digest: digest(&self.encode()),
        }
    }

    /// The roster after a step; `None` when a step like this must not be: it lists nobody, too
    /// many, or two that clients could not tell apart, it leaves nobody to vote on the next, or it
    /// does not raise the version.
    pub fn apply(&self, step: &Step) -> Option<Self> {
        if step.version <= self.version || step.version > VERSION_MAX {
            return None;
        }
        let mut next = self.clone();
        next.version = step.version;
        for change in &step.changes {
            next.removed.remove(change.id());
            match change {
                Change::Put(member) => {
                    next.members.insert(member.id.clone(), member.clone());
                }
                Change::Remove { id, why } => {
                    let was_there = next.members.remove(id).is_some();
                    if was_there && *why != Removal::Left {
                        next.removed.insert(id.clone(), *why);
                    }
                }
            }
        }
        while next.removed.len() > REMOVED_COUNT_MAX {
            next.removed.pop_first();
        }
        let is_good = next.document().is_ok()
            && next.members.len() <= MEMBER_COUNT_MAX
            && next.first_voter().is_some();
        is_good.then_some(next)
    }

    /// What clients are told.
    ///
    /// # Errors
    ///
    /// When clients could not be told so: only of a roster that came from elsewhere.
    pub fn document(&self) -> Result<Document, DocumentError> {
        let nodes = self.members.values().map(|member| member.node.clone());
        Document::new(self.version, nodes.collect())
    }

    /// One roster out of two that have the same version and are not the same, which only happens
    /// when members have lost or copied what they had written down. Everybody who has the two
    /// arrives at the same third, under the next version.
    #[must_use]
    pub fn merge(&self, other: &Self) -> Self {
        let mut merged = self.clone();
        merged.cluster = self.cluster.min(other.cluster);
        merged.version = self.version.max(other.version).saturating_add(1);
        for member in other.members.values() {
            let keep = merged.members.get(&member.id).is_some_and(|own| {
                (own.life, own.gossip, &own.node) >= (member.life, member.gossip, &member.node)
            });
            let taken = merged.members.values().any(|own| {
                own.id != member.id
                    && own.node.name() == member.node.name()
                    && own.node.port() == member.node.port()
            });
            if !keep && !taken {
                merged.members.insert(member.id.clone(), member.clone());
            }
        }
        merged.removed.clear();
        merged
    }

    /// As it travels and is written down.
    pub fn encode(&self) -> Vec<u8> {
        // Strings, numbers and lists of them have no way to fail.
        postcard::to_allocvec(self).unwrap_or_default()
    }

    /// Reads what [`Self::encode`] wrote; `None` when it is something else.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let roster: Self = postcard::from_bytes(bytes).ok()?;
        let named = roster.members.iter().all(|(id, member)| *id == member.id);
        let good = named && roster.len() <= MEMBER_COUNT_MAX && roster.document().is_ok();
        good.then_some(roster)
    }
}

fn digest(bytes: &[u8]) -> u64 {
    let hash = Sha256::digest(bytes);
    let mut first = [0; 8];
    first.copy_from_slice(&hash[..8]);
    u64::from_be_bytes(first)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn member(id: &str, ip: u8, life: Life) -> Member {
        Member {
            id: id.to_owned(),
            node: Node::new(id, Some(IpAddr::from([10, 0, 0, ip])), 11211).unwrap(),
            gossip: SocketAddr::from(([10, 0, 0, ip], 11212)),
            life,
        }
    }

    fn roster(version: u32, ids: &[&str]) -> Roster {
        let mut roster = Roster::found(ClusterId::default(), 1, member(ids[0], 1, 1));
        for (index, id) in ids.iter().enumerate() {
            let number = u8::try_from(index + 1).unwrap();
            let member = member(id, number, Life::from(number));
            roster.members.insert((*id).to_owned(), member);
        }
        roster.version = version;
        roster
    }

    fn step(version: u32, changes: &[Change]) -> Step {
        Step {
            version,
            changes: changes.to_vec(),
        }
    }

    fn remove(id: &str, why: Removal) -> Change {
        Change::Remove {
            id: id.to_owned(),
            why,
        }
    }

    #[test]
    fn clients_are_told_the_members_by_name() {
        let roster = roster(7, &["b", "a"]);
        let text = String::from_utf8(roster.document().unwrap().encode()).unwrap();
        assert_eq!(text, "7\na|10.0.0.2|11211 b|10.0.0.1|11211\n");
    }

    #[test]
    fn a_member_that_comes_back_elsewhere_is_replaced_in_place() {
        let old = roster(7, &["a", "b", "c"]);
        let new = old
            .apply(&step(8, &[Change::Put(member("b", 9, 2))]))
            .unwrap();
        let text = String::from_utf8(new.document().unwrap().encode()).unwrap();
        assert_eq!(
            text,
            "8\na|10.0.0.1|11211 b|10.0.0.9|11211 c|10.0.0.3|11211\n"
        );
    }

    #[test]
    fn steps_that_must_not_be_are_refused() {
        let old = roster(7, &["a", "b"]);
        assert!(old.apply(&step(7, &[remove("a", Removal::Left)])).is_none());
        assert!(
            old.apply(&step(VERSION_MAX + 1, &[remove("a", Removal::Left)]))
                .is_none()
        );
        let nobody = [remove("a", Removal::Left), remove("b", Removal::Left)];
        assert!(old.apply(&step(8, &nobody)).is_none());
        let mut twin = member("c", 3, 3);
        twin.node = member("a", 1, 1).node;
        assert!(old.apply(&step(8, &[Change::Put(twin)])).is_none());
        assert!(old.apply(&step(8, &[remove("a", Removal::Left)])).is_some());
    }

    #[test]
    fn who_was_ejected_is_remembered_until_it_is_back() {
        let old = roster(7, &["a", "b", "c"]);
        let without = old
            .apply(&step(8, &[remove("c", Removal::Ejected)]))
            .unwrap();
        assert!(without.removal("c") == Some(Removal::Ejected));
        assert_eq!((without.len(), without.declared_count()), (2, 3));
        let with = without
            .apply(&step(9, &[Change::Put(member("c", 3, 3))]))
            .unwrap();
        assert!(with.removal("c").is_none());
        let left = with
            .apply(&step(10, &[remove("c", Removal::Left)]))
            .unwrap();
        assert_eq!(left.declared_count(), 2);
    }

    #[test]
    fn equal_rosters_have_equal_heads_whatever_their_history() {
        let first = roster(3, &["a", "b"]);
        let other = roster(2, &["a"]);
        let second = other
            .apply(&step(3, &[Change::Put(member("b", 2, 2))]))
            .unwrap();
        assert_eq!(first, second);
        assert_eq!(first.head(), second.head());
        assert_ne!(first.head(), other.head());
        assert_eq!(Roster::decode(&first.encode()), Some(first));
    }

    #[test]
    fn a_merge_is_the_same_from_both_sides() {
        let mut left = roster(7, &["a", "b"]);
        let mut right = roster(7, &["a", "c"]);
        left.members.insert("d".to_owned(), member("d", 8, 1));
        right.members.insert("d".to_owned(), member("d", 9, 2));
        let merged = left.merge(&right);
        assert_eq!(merged.head(), right.merge(&left).head());
        assert_eq!(merged.version(), 8);
        let ids: Vec<&str> = merged.members().map(|member| member.id.as_str()).collect();
        assert_eq!(ids, ["a", "b", "c", "d"]);
        assert_eq!(merged.member("d").unwrap().life, 2);
    }

    #[test]
    fn what_is_no_roster_is_not_read_as_one() {
        let bytes = roster(3, &["a", "b"]).encode();
        for end in 0..bytes.len() {
            assert!(Roster::decode(&bytes[..end]).is_none());
        }
        for at in 0..bytes.len() {
            let mut wrong = bytes.clone();
            wrong[at] ^= 0xff;
            // It may be another roster; it must not be a bad one.
            if let Some(read) = Roster::decode(&wrong) {
                assert!(read.document().is_ok());
            }
        }
    }
}
