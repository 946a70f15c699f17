//! How the members agree on the next roster, so that one version never names two.
//!
//! # The rule
//!
//! Each roster decides who votes on its successor: its members, each by its life. A successor
//! becomes the roster when a majority of them has accepted it, in one round of Paxos that belongs
//! to that roster alone (its head names the round in each message). So:
//!
//! 1. *One successor.* Two successors of one roster would need two majorities of the same voters;
//!    some voter is in both, and Paxos lets the second only repeat what the first has said.
//! 2. *One chain.* The founder makes the first roster of a cluster alone, and by 1 each has one
//!    successor at most. So all rosters of a cluster form one chain, and versions rise along it.
//! 3. *One meaning.* Hence a version names one roster of a cluster, wherever it is seen, and the
//!    half of a partition without a majority keeps the list that it had.
//!
//! What a voter has promised is written down before it is said, so a restart changes nothing.
//!
//! # Voters that have lost their memory
//!
//! A daemon that starts without what it had written down draws a new life and is a stranger; its
//! old life can never vote again. When it asks to take the place of its old self, that is evidence
//! that the old life is gone, and a proposer counts ([`is_quorum`], with `n` voters of whom a
//! majority is `m`, and `g` gone):
//!
//! * `n - m + 1` grants of voters that are not gone are enough. Any majority that was ever
//!   complete has at least `m - g` voters that are not gone; of the `n - g` that remain, those and
//!   ours are more than there are, so one is in both. (For an even `n` this is one less than a
//!   majority: the survivor of two can go on when the other returns without its memory.)
//! * When *all* voters have either granted or are gone, there is nobody left who could know better,
//!   and the remaining ones may go on, however few. Should the lost ones have agreed on something
//!   that none of them passed on, a version could be used again; so versions jump by
//!   [`VERSION_LEAP`] then.
//! * When all voters are gone and somebody else still has their roster, the first of them by name
//!   goes on with the same list, as another cluster ([`Roster::recover`]); versions leap as well.
//!
//! This rests on one promise by the operator: no two daemons run under one name at a time.
//!
//! Pure: nothing is sent or written here. `membership.rs` does what is decided here.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::roster::{Head, Life, Roster, Step, VERSION_LEAP};

/// Orders proposals. Round 0 belongs to the first voter, which need not ask before it proposes.
#[derive(
    Clone, Copy, Debug, Default, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize,
)]
pub struct Ballot {
    /// Counts attempts.
    pub round: u32,
    /// Whose attempt it is.
    pub life: Life,
}

/// What one voter has promised and accepted about the successor of one roster.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct Acceptor {
    /// The roster whose successor is sought.
    pub base: Head,
    promised: Ballot,
    accepted: Option<(Ballot, Step)>,
}

impl Acceptor {
    /// Nothing promised yet.
    pub fn new(base: Head) -> Self {
        Self {
            base,
            ..Self::default()
        }
    }

    /// Whether nothing has been promised or accepted.
    pub fn is_pristine(&self) -> bool {
        self.promised == Ballot::default() && self.accepted.is_none()
    }

    /// The highest ballot that was promised.
    pub fn promised(&self) -> Ballot {
        self.promised
    }

    /// Promises to accept nothing below this ballot, and tells what has been accepted so far.
    ///
    /// # Errors
    ///
    /// A higher ballot that has been promised already.
    pub fn prepare(&mut self, ballot: Ballot) -> Result<Option<(Ballot, Step)>, Ballot> {
        if ballot < self.promised {
            return Err(self.promised);
        }
        self.promised = ballot;
        Ok(self.accepted.clone())
    }

    /// Accepts a proposal.
    ///
    /// # Errors
    ///
    /// A higher ballot that has been promised already.
    pub fn accept(&mut self, ballot: Ballot, step: &Step) -> Result<(), Ballot> {
        let other = |(b, s): &(Ballot, Step)| *b == ballot && s != step;
        if ballot < self.promised || self.accepted.as_ref().is_some_and(other) {
            return Err(self.promised);
        }
        self.promised = ballot;
        self.accepted = Some((ballot, step.clone()));
        Ok(())
    }
}

/// Whether these grants decide, and how. See the module's text.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Quorum {
    /// Not enough.
    No,
    /// Enough of those who remember.
    Yes,
    /// Everybody who is left, and that is fewer than it takes: the version has to leap.
    Leap,
}

/// Counts grants among the voters of a roster; `gone` are lives that can never vote again.
pub fn is_quorum(voters: &[Life], granted: &BTreeSet<Life>, gone: &BTreeSet<Life>) -> Quorum {
    let count = voters.len();
    let majority = count / 2 + 1;
    let has = |set: &BTreeSet<Life>| voters.iter().filter(|life| set.contains(life)).count();
    let lost = has(gone);
    let grants = voters
        .iter()
        .filter(|life| granted.contains(life) && !gone.contains(life))
        .count();
    if grants >= majority || (lost > 0 && grants > count - majority) {
        Quorum::Yes
    } else if lost > 0 && grants > 0 && grants + lost == count {
        Quorum::Leap
    } else {
        Quorum::No
    }
}

/// What a proposer does next.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Phase {
    /// Asks voters for promises.
    Preparing,
    /// Asks voters to accept this.
    Accepting(Step),
}

/// One attempt to give a roster a successor.
#[derive(Debug)]
pub struct Proposer {
    base: Head,
    voters: Vec<Life>,
    ballot: Ballot,
    phase: Phase,
    /// Lives that cannot vote any more.
    gone: BTreeSet<Life>,
    /// Who has granted this phase.
    granted: BTreeSet<Life>,
    /// What voters had accepted before, by ballot.
    earlier: BTreeMap<Ballot, Step>,
    /// What is proposed if nobody has accepted anything before.
    wanted: Step,
}

impl Proposer {
    /// Begins an attempt. With round 0 it goes straight to its proposal: only the first voter may,
    /// and only when it has promised nothing yet.
    pub fn new(base: &Roster, ballot: Ballot, wanted: Step, gone: BTreeSet<Life>) -> Self {
        Self {
            base: base.head(),
            voters: base.voters().collect(),
            phase: if ballot.round == 0 {
                Phase::Accepting(wanted.clone())
            } else {
                Phase::Preparing
            },
            ballot,
            gone,
            granted: BTreeSet::new(),
            earlier: BTreeMap::new(),
            wanted,
        }
    }

    /// The roster whose successor is sought.
    pub fn base(&self) -> Head {
        self.base
    }

    /// This attempt's ballot.
    pub fn ballot(&self) -> Ballot {
        self.ballot
    }

    /// What voters are asked now.
    pub fn phase(&self) -> &Phase {
        &self.phase
    }

    /// Voters that have not answered in this phase.
    pub fn missing(&self) -> impl Iterator<Item = Life> {
        let silent = |life: &&Life| !self.granted.contains(life) && !self.gone.contains(life);
        self.voters.iter().filter(silent).copied()
    }

    /// A voter has promised. Returns whether the phase has changed: then ask it and the others to
    /// accept.
    pub fn handle_promise(
        &mut self,
        from: Life,
        ballot: Ballot,
        accepted: Option<(Ballot, Step)>,
    ) -> bool {
        if ballot != self.ballot || self.phase != Phase::Preparing {
            return false;
        }
        self.granted.insert(from);
        self.earlier.extend(accepted);
        let step = match is_quorum(&self.voters, &self.granted, &self.gone) {
            Quorum::No => return false,
            Quorum::Yes => self.choice(),
            Quorum::Leap => {
                let mut step = self.choice();
                // What was accepted before keeps its version: it may have been chosen.
                if self.earlier.is_empty() {
                    step.version = step.version.saturating_add(VERSION_LEAP);
                }
                step
            }
        };
        self.phase = Phase::Accepting(step);
        self.granted.clear();
        true
    }

    /// A voter has accepted. Returns the step once it is decided.
    pub fn handle_accepted(&mut self, from: Life, ballot: Ballot) -> Option<Step> {
        let Phase::Accepting(step) = &self.phase else {
            return None;
        };
        if ballot != self.ballot {
            return None;
        }
        self.granted.insert(from);
        match is_quorum(&self.voters, &self.granted, &self.gone) {
            Quorum::No => None,
            Quorum::Yes | Quorum::Leap => Some(step.clone()),
        }
    }

    /// What must be proposed: what somebody accepted under the highest ballot, else what is
    /// wanted.
    fn choice(&self) -> Step {
        let last = self.earlier.last_key_value();
        last.map_or_else(|| self.wanted.clone(), |(_, step)| step.clone())
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use proptest::prelude::*;

    use super::*;
    use crate::cluster::document::Node;
    use crate::cluster::roster::{Change, ClusterId, Member, Removal};

    fn member(life: Life) -> Member {
        let id = format!("node-{life}");
        Member {
            node: Node::new(&id, None, 1).unwrap(),
            gossip: SocketAddr::from(([127, 0, 0, 1], 1)),
            id,
            life,
        }
    }

    fn roster(count: u64) -> Roster {
        let first = Roster::found(ClusterId::default(), 1, member(1));
        let changes = (2..=count).map(|life| Change::Put(member(life))).collect();
        let step = Step {
            version: 2,
            changes,
        };
        first.apply(&step).unwrap()
    }

    fn step(index: usize) -> Step {
        let id = format!("node-{index}");
        let why = Removal::Left;
        Step {
            version: 3,
            changes: vec![Change::Remove { id, why }],
        }
    }

    fn lives(lives: &[Life]) -> BTreeSet<Life> {
        lives.iter().copied().collect()
    }

    #[test]
    fn a_majority_decides_and_half_does_not() {
        let none = lives(&[]);
        for (count, granted, expected) in [
            (1, 1, Quorum::Yes),
            (2, 1, Quorum::No),
            (2, 2, Quorum::Yes),
            (3, 1, Quorum::No),
            (3, 2, Quorum::Yes),
            (4, 2, Quorum::No),
            (5, 3, Quorum::Yes),
        ] {
            let voters: Vec<Life> = (1..=count).collect();
            let granted: BTreeSet<Life> = (1..=granted).collect();
            assert_eq!(is_quorum(&voters, &granted, &none), expected, "{count}");
        }
        // Who is no voter does not count.
        assert_eq!(is_quorum(&[1, 2, 3], &lives(&[1, 8, 9]), &none), Quorum::No);
    }

    #[test]
    fn voters_that_are_gone_are_made_up_for_by_those_who_remember() {
        for (count, granted, gone, expected) in [
            (2, &[1][..], &[2][..], Quorum::Yes),
            (4, &[1, 2], &[4], Quorum::Yes),
            (3, &[1], &[3], Quorum::No),
            (3, &[1], &[2, 3], Quorum::Leap),
            (5, &[1, 2], &[5], Quorum::No),
            (5, &[1, 2], &[3, 4, 5], Quorum::Leap),
            (5, &[1], &[3, 4, 5], Quorum::No),
            // A vote of somebody who is gone is none.
            (2, &[2], &[2], Quorum::No),
            (3, &[], &[1, 2, 3], Quorum::No),
        ] {
            let voters: Vec<Life> = (1..=count).collect();
            let result = is_quorum(&voters, &lives(granted), &lives(gone));
            assert_eq!(result, expected, "{count} {granted:?} {gone:?}");
        }
    }

    #[test]
    fn any_two_quorums_of_those_who_remember_share_a_voter() {
        for count in 1..=7u32 {
            let voters: Vec<Life> = (1..=u64::from(count)).collect();
            let set = |bits: u32| -> BTreeSet<Life> {
                let chosen = |life: &&Life| bits >> (**life - 1) & 1 == 1;
                voters.iter().filter(chosen).copied().collect()
            };
            for gone in 0..1 << count {
                // One was complete before anybody was gone, the other after.
                let decides = |granted: u32, gone: u32| {
                    is_quorum(&voters, &set(granted), &set(gone)) == Quorum::Yes
                };
                for before in (0..1u32 << count).filter(|q| decides(*q, 0)) {
                    for after in (0..1u32 << count).filter(|q| decides(*q, gone)) {
                        assert_ne!(
                            before & after & !gone,
                            0,
                            "{count} {gone:b} {before:b} {after:b}"
                        );
                    }
                }
            }
        }
    }

    #[test]
    fn a_promise_keeps_lower_ballots_out_and_tells_what_was_accepted() {
        let mut acceptor = Acceptor::default();
        let low = Ballot { round: 1, life: 1 };
        let high = Ballot { round: 1, life: 2 };
        assert_eq!(acceptor.accept(low, &step(1)), Ok(()));
        assert_eq!(acceptor.prepare(high), Ok(Some((low, step(1)))));
        assert_eq!(acceptor.accept(low, &step(1)), Err(high));
        assert_eq!(acceptor.prepare(low), Err(high));
        assert_eq!(acceptor.accept(high, &step(2)), Ok(()));
        assert_eq!(acceptor.accept(high, &step(2)), Ok(()));
        assert_eq!(acceptor.accept(high, &step(3)), Err(high));
    }

    proptest! {
        /// Proposers that know nothing of each other, messages in any order, repeated or lost.
        #[test]
        fn rivals_decide_on_one_step_at_most(
            count in 1u64..6,
            events in proptest::collection::vec((0usize..3, 0u64..6, any::<bool>()), 0..200),
        ) {
            let base = roster(count);
            let mut acceptors: Vec<Acceptor> = (0..count).map(|_| Acceptor::new(base.head())).collect();
            let mut rounds = [0, 1, 1];
            let begin = |rival: usize, round: u32| {
                let life = rival as u64 + 1;
                Proposer::new(&base, Ballot { round, life }, step(rival), BTreeSet::new())
            };
            let mut rivals: Vec<Proposer> = (0..3).map(|rival| begin(rival, rounds[rival])).collect();
            let mut decided: Option<Step> = None;
            for (rival, voter, again) in events {
                let Some(acceptor) = acceptors.get_mut(usize::try_from(voter).unwrap()) else {
                    // Gives up and begins anew.
                    rounds[rival] += 1;
                    rivals[rival] = begin(rival, rounds[rival]);
                    continue;
                };
                let proposer = &mut rivals[rival];
                let ballot = proposer.ballot();
                let life = voter + 1;
                for _ in 0..1 + usize::from(again) {
                    match proposer.phase().clone() {
                        Phase::Preparing => {
                            if let Ok(accepted) = acceptor.prepare(ballot) {
                                proposer.handle_promise(life, ballot, accepted);
                            }
                        }
                        Phase::Accepting(step) => {
                            let accepted = acceptor.accept(ballot, &step).is_ok();
                            let step = accepted.then(|| proposer.handle_accepted(life, ballot));
                            if let Some(step) = step.flatten() {
                                let first = decided.get_or_insert(step.clone());
                                prop_assert_eq!(&*first, &step);
                            }
                        }
                    }
                }
            }
        }
    }
}
