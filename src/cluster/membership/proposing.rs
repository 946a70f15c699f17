//! Wishes for another roster, and the way from a wish to a decision.
//!
//! Whoever wants a change repeats its wish to one member until it is so: to the first by name that
//! can be reached, so that wishes gather there and are decided together, and to the next when
//! nothing happens. A member that has wishes proposes them as one step (`agreement.rs`); the
//! others accept or refuse, and once decided the step is told to everybody.

use std::collections::BTreeSet;
use std::net::SocketAddr;

use super::{Event, Membership, RECENT_MS, SYNC_MS, WISH_MS, WISH_PATIENCE_MS, next_ballot};
use crate::cluster::agreement::{Acceptor, Ballot, Phase, Proposer};
use crate::cluster::message::{Denial, Message, STEP_SIZE_MAX};
use crate::cluster::roster::{Change, Head, Life, Member, Removal, Roster, Step};

/// A wish that is not repeated is forgotten after so long, in milliseconds.
const FORGET_MS: u64 = 3000;

/// Pause before voters that have not answered are asked again, in milliseconds.
const RESEND_MS: u64 = 200;

/// An attempt that takes so long is given up, in milliseconds.
const ATTEMPT_MS: u64 = 1500;

/// How long whoever is to be replaced has to answer that it is there, in milliseconds. It is asked
/// several times: any two members may not have heard of each other for long.
const ANSWER_MS: u64 = 1000;

/// Members that are told of a wish one after the other, again and again, in time for none of them to
/// forget it: who has to wait for evidence gets to have it.
const CONFIDANT_COUNT: usize = 3;

/// Changes of the confidant after which all members are tried.
const CONFIDANT_TRIES: usize = 4 * CONFIDANT_COUNT;

/// Wishes that wait at one member; others are repeated later.
const WISH_COUNT_MAX: usize = 1024;

/// What somebody wants changed.
#[derive(Debug)]
pub(super) struct Wish {
    change: Change,
    vouched: bool,
    floor: u32,
    from: (Life, Option<SocketAddr>),
    /// When it was said first, and last.
    since: u64,
    at: u64,
}

/// Whether a roster is as a change wants it.
fn is_fulfilled(roster: &Roster, change: &Change) -> bool {
    match change {
        Change::Put(member) => roster.member(&member.id) == Some(member),
        Change::Remove { id, .. } => roster.member(id).is_none(),
    }
}

impl Membership {
    /// What this node itself wants changed.
    fn own_wish(&self) -> Option<(Change, bool)> {
        let roster = self.roster()?;
        let own = roster.member(&self.setup.id);
        if self.leaving.is_some() {
            let listed = own.is_some_and(|own| own.life == self.saved.life);
            let remove = Change::Remove {
                id: self.setup.id.clone(),
                why: Removal::Left,
            };
            // The last voter stays on the list: nobody else could change it.
            return (listed && roster.voters().count() > 1).then_some((remove, false));
        }
        if !self.serving || self.is_listed() || self.is_expelled() {
            return None;
        }
        // Whoever starts under a name vouches that nobody else runs under it.
        let vouched = own.is_some_and(|own| own.life != self.saved.life);
        Some((Change::Put(self.me()), vouched))
    }

    pub(super) fn wants_something(&self) -> bool {
        !self.own_wishes.is_empty() || self.own_wish().is_some()
    }

    /// Forgets wishes that have come true.
    pub(super) fn forget_fulfilled(&mut self) {
        let Some(roster) = self.saved.roster.as_ref() else {
            return;
        };
        self.wishes
            .retain(|_, wish| !is_fulfilled(roster, &wish.change));
        self.own_wishes
            .retain(|(change, _, _)| !is_fulfilled(roster, change));
    }

    /// Tells a member what this node wants.
    pub(super) fn send_wishes(&mut self, now: u64) {
        self.next_wish = now + WISH_MS;
        self.own_wishes
            .retain(|(_, _, at)| now.saturating_sub(*at) < 4 * FORGET_MS);
        let mut wishes: Vec<(Change, bool)> = self.own_wish().into_iter().collect();
        wishes.extend(
            self.own_wishes
                .iter()
                .map(|(c, gone, _)| (c.clone(), *gone)),
        );
        if now.saturating_sub(self.progress.1) >= WISH_PATIENCE_MS {
            self.attempts += 1;
            self.progress.1 = now;
        }
        let Some(member) = self.confidant(now) else {
            return;
        };
        let floor = self.floor;
        if member.life == self.saved.life {
            let own = (self.saved.life, None);
            for (change, vouched) in wishes {
                self.take_wish(change, vouched, floor, own, now);
            }
            return;
        }
        let to = self.address(&member);
        for (change, vouched) in wishes {
            let wish = Message::Wish {
                change,
                vouched,
                floor,
            };
            self.send(to, wish);
        }
    }

    /// Whom to tell: members that were heard first, by name; one after another while nothing
    /// comes of it, a few at first and then all.
    fn confidant(&self, now: u64) -> Option<Member> {
        let roster = self.roster()?;
        let mut rank: Vec<(bool, bool, &Member)> = Vec::new();
        for member in roster.members().filter(|member| member.life != 0) {
            let is_me = member.id == self.setup.id;
            if is_me && member.life != self.saved.life {
                continue;
            }
            let lost = self.contacts.get(&member.id).is_some_and(|c| !c.reachable);
            let heard = is_me
                || self.heard_recently(member.life, now)
                || self.contacts.get(&member.id).is_some_and(|c| c.reachable);
            rank.push((!heard, lost && !is_me, member));
        }
        rank.sort_by_key(|(unheard, lost, member)| (*unheard, *lost, &member.id));
        let few = self.attempts < CONFIDANT_TRIES;
        let width = rank
            .len()
            .min(if few { CONFIDANT_COUNT } else { usize::MAX });
        let index = self.attempts.checked_rem(width)?;
        Some(rank[index].2.clone())
    }

    /// Somebody wants a change.
    pub(super) fn take_wish(
        &mut self,
        change: Change,
        vouched: bool,
        floor: u32,
        from: (Life, Option<SocketAddr>),
        now: u64,
    ) {
        let Some(roster) = self.roster() else {
            return;
        };
        if is_fulfilled(roster, &change) {
            if let Some(to) = from.1 {
                let summary = self.summary(false);
                self.send(to, summary);
            }
            return;
        }
        if self.wishes.len() >= WISH_COUNT_MAX && !self.wishes.contains_key(change.id()) {
            return;
        }
        let before = self.wishes.get(change.id());
        let wish = Wish {
            since: before.map_or(now, |before| before.since),
            vouched,
            floor,
            from,
            at: now,
            change,
        };
        self.wishes.insert(wish.change.id().to_owned(), wish);
    }

    /// Begins an attempt to fulfil the wishes that wait here, if this node may.
    pub(super) fn propose(&mut self, now: u64) {
        if self.proposer.is_some() || now < self.backoff_until || self.wishes.is_empty() {
            return;
        }
        self.wishes
            .retain(|_, wish| now.saturating_sub(wish.at) < FORGET_MS);
        let Some(roster) = self.saved.roster.clone() else {
            return;
        };
        let life = self.saved.life;
        if !roster.voters().any(|voter| voter == life) {
            return;
        }
        let (step, gone) = self.gather(&roster, now);
        if step.changes.is_empty() {
            // Look again at those that had to wait, not before.
            self.backoff_until = now + RESEND_MS;
            return;
        }
        let acceptor = self.acceptor(roster.head());
        let is_free = acceptor.is_pristine() && gone.is_empty();
        let ballot = if is_free && roster.first_voter() == Some(life) {
            Ballot { round: 0, life }
        } else {
            next_ballot(acceptor.promised().round.max(self.round_seen), life)
        };
        self.proposer = Some(Proposer::new(&roster, ballot, step, gone));
        self.proposed_at = now;
        self.ask_voters(now);
    }

    /// The step that fulfils as many wishes as one message takes, and the lives that are known to
    /// have ended for good.
    fn gather(&mut self, roster: &Roster, now: u64) -> (Step, BTreeSet<Life>) {
        let mut gone = BTreeSet::new();
        let mut step = Step {
            version: roster.version().max(self.floor).saturating_add(1),
            changes: Vec::new(),
        };
        let mut denied = Vec::new();
        let mut asked = Vec::new();
        for (id, wish) in &self.wishes {
            if is_fulfilled(roster, &wish.change) {
                continue;
            }
            let is_put = matches!(wish.change, Change::Put(_));
            let is_other = |old: &&Member| old.life != 0 && old.life != wish.from.0;
            let old = roster.member(id).filter(is_other);
            if let Some(old) = old.filter(|_| wish.vouched || is_put) {
                let running = old.life == self.saved.life || self.heard_recently(old.life, now);
                let waited = now.saturating_sub(wish.since);
                if is_put && !self.was_heard(old.life, now, SYNC_MS) {
                    asked.push(self.address(old));
                }
                if running && is_put {
                    // Whoever has just been killed was heard a moment ago: wait, then believe it.
                    if waited > 2 * RECENT_MS {
                        denied.push((wish.from.1, id.clone(), Denial::NameInUse));
                    }
                    continue;
                }
                if is_put && waited < ANSWER_MS {
                    continue;
                }
                if wish.vouched && !running {
                    gone.insert(old.life);
                }
            }
            step.changes.push(wish.change.clone());
            step.version = step.version.max(wish.floor.saturating_add(1));
            let size = postcard::to_allocvec(&step).map_or(usize::MAX, |bytes| bytes.len());
            if size > STEP_SIZE_MAX && step.changes.len() > 1 {
                step.changes.pop();
            } else if roster.apply(&step).is_none() {
                step.changes.pop();
                denied.push((wish.from.1, id.clone(), Denial::NotListable));
            }
        }
        for to in asked {
            let question = self.summary(true);
            self.send(to, question);
        }
        for (to, id, why) in denied {
            if why == Denial::NotListable {
                self.wishes.remove(&id);
            }
            match to {
                Some(to) => self.send(to, Message::Denied { id, why }),
                None => self.log(Event::Denied(id, why)),
            }
        }
        (step, gone)
    }

    /// This node's promises about the successor of a roster.
    fn acceptor(&mut self, base: Head) -> &mut Acceptor {
        if self.saved.acceptor.base != base {
            self.saved.acceptor = Acceptor::new(base);
        }
        &mut self.saved.acceptor
    }

    /// Votes, and has the vote written down before anybody hears of it.
    fn vote<T>(&mut self, base: Head, vote: impl FnOnce(&mut Acceptor) -> T) -> T {
        let before = self.saved.acceptor.clone();
        let result = vote(self.acceptor(base));
        if self.saved.acceptor != before {
            self.keep();
        }
        result
    }

    /// Asks all voters that have not answered, this node first.
    fn ask_voters(&mut self, now: u64) {
        self.resend_at = now + RESEND_MS;
        let Some(proposer) = &self.proposer else {
            return;
        };
        let (base, ballot, phase) = (proposer.base(), proposer.ballot(), proposer.phase().clone());
        let missing: BTreeSet<Life> = proposer.missing().collect();
        let own = self.saved.life;
        let roster = self.roster().into_iter().flat_map(Roster::members);
        let others: Vec<SocketAddr> = roster
            .filter(|member| member.life != own && missing.contains(&member.life))
            .map(|member| self.address(member))
            .collect();
        let is_mine = missing.contains(&own);
        let mut accepted = None;
        if is_mine {
            // Written down like a promise to anybody else.
            let granted = self.vote(base, |acceptor| match &phase {
                Phase::Preparing => acceptor.prepare(ballot).map(|before| accepted = before),
                Phase::Accepting(step) => acceptor.accept(ballot, step),
            });
            if granted.is_err() {
                self.give_up(now);
                return;
            }
        }
        let message = match &phase {
            Phase::Preparing => Message::Prepare { base, ballot },
            Phase::Accepting(step) => Message::Accept {
                base,
                ballot,
                step: step.clone(),
            },
        };
        for to in others {
            self.send(to, message.clone());
        }
        if is_mine {
            match phase {
                Phase::Preparing => self.handle_promise(own, base, ballot, accepted, now),
                Phase::Accepting(_) => self.handle_accepted(own, base, ballot, now),
            }
        }
    }

    /// Repeats questions, and gives up an attempt that leads nowhere.
    pub(super) fn drive_proposer(&mut self, now: u64) {
        if self.proposer.is_none() || now < self.resend_at {
            return;
        }
        if now.saturating_sub(self.proposed_at) >= ATTEMPT_MS {
            self.give_up(now);
        } else {
            self.ask_voters(now);
        }
    }

    fn give_up(&mut self, now: u64) {
        self.proposer = None;
        let pause = 50 + self.random_below(350);
        self.backoff_until = now + u64::try_from(pause).unwrap_or(0);
    }

    /// Whether a proposal is about the successor of our roster. If it is not, one side is behind.
    fn is_current(&mut self, from: SocketAddr, base: Head, now: u64) -> bool {
        if base == self.head() {
            return !base.is_none();
        }
        if self.compare(from, base, now) {
            let summary = self.summary(false);
            self.send(from, summary);
        }
        false
    }

    fn is_voter(&self) -> bool {
        let life = self.saved.life;
        self.roster()
            .is_some_and(|roster| roster.voters().any(|voter| voter == life))
    }

    pub(super) fn handle_prepare(
        &mut self,
        from: SocketAddr,
        base: Head,
        ballot: Ballot,
        now: u64,
    ) {
        if !self.is_current(from, base, now) || !self.is_voter() {
            return;
        }
        self.round_seen = self.round_seen.max(ballot.round);
        let answer = match self.vote(base, |acceptor| acceptor.prepare(ballot)) {
            Ok(accepted) => Message::Promise {
                base,
                ballot,
                accepted,
            },
            Err(promised) => Message::Refused { base, promised },
        };
        self.send(from, answer);
    }

    pub(super) fn handle_accept(
        &mut self,
        from: SocketAddr,
        base: Head,
        ballot: Ballot,
        step: &Step,
        now: u64,
    ) {
        if !self.is_current(from, base, now) || !self.is_voter() {
            return;
        }
        let Some(roster) = self.roster() else {
            return;
        };
        let allowed = ballot.round > 0 || roster.first_voter() == Some(ballot.life);
        if !allowed || roster.apply(step).is_none() {
            return;
        }
        self.round_seen = self.round_seen.max(ballot.round);
        let answer = match self.vote(base, |acceptor| acceptor.accept(ballot, step)) {
            Ok(()) => Message::Accepted { base, ballot },
            Err(promised) => Message::Refused { base, promised },
        };
        self.send(from, answer);
    }

    pub(super) fn handle_promise(
        &mut self,
        from: Life,
        base: Head,
        ballot: Ballot,
        accepted: Option<(Ballot, Step)>,
        now: u64,
    ) {
        let Some(proposer) = self.proposer.as_mut().filter(|p| p.base() == base) else {
            return;
        };
        if proposer.handle_promise(from, ballot, accepted) {
            self.ask_voters(now);
        }
    }

    pub(super) fn handle_accepted(&mut self, from: Life, base: Head, ballot: Ballot, now: u64) {
        let Some(proposer) = self.proposer.as_mut().filter(|p| p.base() == base) else {
            return;
        };
        let Some(step) = proposer.handle_accepted(from, ballot) else {
            return;
        };
        self.proposer = None;
        let Some(old) = self.saved.roster.clone().filter(|_| self.head == base) else {
            return;
        };
        let Some(new) = old.apply(&step) else {
            return;
        };
        let head = new.head();
        let own = self.saved.life;
        let mut told: Vec<SocketAddr> = old
            .members()
            .chain(new.members())
            .filter(|member| member.life != own && member.life != 0)
            .map(|member| self.address(member))
            .collect();
        told.sort_unstable();
        told.dedup();
        self.adopt(new, now);
        for to in told {
            let step = step.clone();
            self.send(to, Message::Chosen { base, step, head });
        }
    }

    pub(super) fn handle_refused(&mut self, base: Head, promised: Ballot, now: u64) {
        self.round_seen = self.round_seen.max(promised.round);
        let ours = self.proposer.as_ref();
        if ours.is_some_and(|p| p.base() == base && p.ballot() < promised) {
            self.give_up(now);
        }
    }

    pub(super) fn handle_chosen(
        &mut self,
        from: SocketAddr,
        base: Head,
        step: &Step,
        head: Head,
        now: u64,
    ) {
        let own = self.roster().filter(|_| self.head == base);
        let next = own.and_then(|own| own.apply(step));
        if let Some(next) = next.filter(|next| next.head() == head) {
            return self.adopt(next, now);
        }
        self.compare(from, head, now);
    }
}
