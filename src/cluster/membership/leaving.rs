//! Going off the list: by will, first the list and then the process; or, where the operator has
//! asked for it, by force.

use super::{Membership, Output, WISH_MS};
use crate::cluster::roster::{Change, Removal, Roster};

/// Longest time for leaving, in milliseconds.
const LEAVE_MAX_MS: u64 = 8000;

/// Where a node that leaves stands.
#[derive(Clone, Copy, Debug)]
pub(super) struct Leaving {
    pub(super) until: u64,
    pub(super) next_tell: u64,
    pub(super) done: bool,
}

impl Membership {
    /// Starts to leave: off the list first. [`Output::Left`] says when.
    pub fn leave(&mut self, now: u64) {
        self.leaving.get_or_insert(Leaving {
            until: now + LEAVE_MAX_MS,
            next_tell: now,
            done: false,
        });
        self.next_wish = now;
        self.progress.1 = now;
        self.attempts = 0;
    }

    /// Takes a member off that nobody has reached for long, where the operator has asked for that:
    /// the first member by name does it, one at a time, and never down to a minority.
    pub(super) fn eject(&mut self, now: u64) {
        let (Some(after), Some(roster)) = (self.setup.eject_after_ms, self.roster()) else {
            return;
        };
        let reached = |id: &str| self.contacts.get(id).is_some_and(|c| c.reachable);
        let first = roster
            .members()
            .find(|m| m.id == self.setup.id || reached(&m.id));
        let is_ours = first.is_some_and(|member| member.life == self.saved.life);
        let enough = roster.len() > roster.declared_count() / 2 + 1;
        if !is_ours || !enough || now.saturating_sub(self.ejected_at) < after {
            return;
        }
        let lost = roster.members().find(|member| {
            let contact = self.contacts.get(&member.id);
            contact.is_some_and(|c| !c.reachable && now.saturating_sub(c.since) >= after)
        });
        let Some(id) = lost.map(|member| member.id.clone()) else {
            return;
        };
        self.ejected_at = now;
        let why = Removal::Ejected;
        let change = Change::Remove { id, why };
        let own = (self.saved.life, None);
        self.take_wish(change, false, 0, own, now);
    }

    /// Repeats to all members, after leaving, that the list has changed, until they know.
    pub(super) fn tell_of_leaving(&mut self, now: u64) {
        let Some(mut leaving) = self.leaving.filter(|leaving| !leaving.done) else {
            return;
        };
        if now < leaving.next_tell {
            return;
        }
        leaving.next_tell = now + WISH_MS / 2;
        let mut behind = Vec::new();
        let listed = self.roster().is_some_and(|roster| {
            let own = roster.member(&self.setup.id);
            own.is_some_and(|own| own.life == self.saved.life && roster.voters().count() > 1)
        });
        for member in self.roster().into_iter().flat_map(Roster::members) {
            let seen = self.lives.get(&member.life);
            let knows = seen.is_some_and(|seen| seen.version >= self.floor);
            let reached = self.contacts.get(&member.id).is_some_and(|c| c.reachable);
            if member.id != self.setup.id && reached && !knows {
                behind.push(self.address(member));
            }
        }
        leaving.done = now >= leaving.until || (!listed && behind.is_empty());
        self.leaving = Some(leaving);
        if leaving.done {
            self.out.push_back(Output::Left);
        } else if !listed {
            for to in behind {
                let summary = self.summary(true);
                self.send(to, summary);
            }
        }
    }
}
