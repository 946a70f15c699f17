//! The first roster of a cluster, and the first after all its voters have lost their memory.

use super::{Event, Membership, RECENT_MS, next_random};
use crate::cluster::document::VERSION_MAX;
use crate::cluster::message::Who;
use crate::cluster::roster::{ClusterId, Member, Roster};

/// Time that a founder leaves to others to be heard, in milliseconds.
const FOUND_MIN_MS: u64 = 1000;

/// Time that a founder waits for other seeds that do not answer, in milliseconds.
const FOUND_MAX_MS: u64 = 10_000;

/// 2026-01-01, in Unix seconds: from when the first version of a cluster counts seconds.
const EPOCH_UNIX_S: u64 = 1_767_225_600;

impl Membership {
    pub(super) fn can_found(&self) -> bool {
        self.saved.roster.is_none()
            && self.serving
            && self.leaving.is_none()
            && (!self.setup.has_seeds || !self.own_seeds.is_empty())
    }

    /// Founds the cluster if this is the node to do it, or goes on with one that has lost all its
    /// voters.
    pub(super) fn found(&mut self, now: u64) {
        let waited = now.saturating_sub(self.started);
        if self.saved.roster.is_some() {
            return self.recover(now);
        }
        if !self.can_found() || self.pull.is_some() {
            return;
        }
        let known = |seed| self.own_seeds.contains(seed) || self.answered.contains(seed);
        let enough = if self.seeds.iter().all(known) {
            FOUND_MIN_MS
        } else {
            FOUND_MAX_MS
        };
        let is_rival = |who: &Who, has_roster: bool, at: u64| {
            who.can_found && !has_roster && now.saturating_sub(at) < RECENT_MS
        };
        let is_first = self
            .known
            .values()
            .filter(|(who, has_roster, at)| is_rival(who, *has_roster, *at))
            .all(|(who, ..)| (&self.setup.id, self.saved.life) < (&who.id, who.life));
        if waited < enough || !is_first {
            return;
        }
        let wall_s = self.setup.wall_unix_s + waited / 1000;
        let cluster = ClusterId {
            generation: 0,
            founded_unix_s: wall_s,
            nonce: next_random(&mut self.random),
        };
        let seconds = u32::try_from(wall_s.saturating_sub(EPOCH_UNIX_S)).unwrap_or(0);
        let version = seconds
            .min(VERSION_MAX / 2)
            .max(self.floor)
            .saturating_add(2);
        let roster = Roster::found(cluster, version, self.me());
        self.log(Event::Founded(roster.head()));
        self.adopt(roster, now);
    }

    /// Goes on with a cluster none of whose voters remembers anything, if this node has the name
    /// of the first of them.
    fn recover(&mut self, now: u64) {
        let waited = now.saturating_sub(self.started);
        let Some(roster) = self.saved.roster.as_ref() else {
            return;
        };
        if !self.serving || self.leaving.is_some() || waited < RECENT_MS || self.is_expelled() {
            return;
        }
        let mut voters = roster.members().filter(|member| member.life != 0);
        let first = voters.next();
        let is_first = first.is_some_and(|first| first.id == self.setup.id);
        if !is_first
            || !first
                .into_iter()
                .chain(voters)
                .all(|voter| self.is_over(voter, now))
        {
            return;
        }
        let roster = roster.clone();
        let nonce = next_random(&mut self.random);
        let next = roster.recover(nonce, self.me(), self.floor);
        self.log(Event::Recovered(next.version()));
        self.adopt(next, now);
    }

    /// Whether a member's life has ended for good: somebody else has its name now.
    fn is_over(&self, member: &Member, now: u64) -> bool {
        if member.id == self.setup.id {
            return member.life != self.saved.life;
        }
        let known = self.known.get(&member.id);
        known.is_some_and(|(who, ..)| who.life != member.life)
            && !self.heard_recently(member.life, now)
    }
}
