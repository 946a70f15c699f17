//! Fetching a roster piece by piece from somebody who has it.

use std::net::SocketAddr;

use super::{Event, Membership};
use crate::cluster::message::{CHUNK_SIZE_MAX, Message, ROSTER_SIZE_MAX};
use crate::cluster::roster::{Head, Roster};

/// Pause before a piece is asked for again, in milliseconds.
const RETRY_MS: u64 = 250;

/// Times that a piece is asked for. Whoever has the roster will say so again.
const TRIES_MAX: u32 = 4;

/// A roster on its way.
#[derive(Debug)]
pub(super) struct Pull {
    head: Head,
    from: SocketAddr,
    bytes: Vec<u8>,
    asked_at: u64,
    tries: u32,
}

impl Pull {
    /// When to ask again.
    pub(super) fn retry_at(&self) -> u64 {
        self.asked_at + RETRY_MS
    }

    fn offset(&self) -> u32 {
        u32::try_from(self.bytes.len()).unwrap_or(u32::MAX)
    }
}

impl Membership {
    /// Asks somebody for a roster, unless one that is as good is on its way.
    pub(super) fn start_pull(&mut self, from: SocketAddr, head: Head, now: u64) {
        let is_better = self.pull.as_ref().is_none_or(|pull| {
            let other = pull.head.cluster;
            head.cluster < other || (head.cluster == other && head.version > pull.head.version)
        });
        if !is_better {
            return;
        }
        self.pull = Some(Pull {
            head,
            from,
            bytes: Vec::new(),
            asked_at: now,
            tries: 1,
        });
        self.send(from, Message::Pull { head, offset: 0 });
    }

    /// Asks again for a piece that has not come.
    pub(super) fn retry_pull(&mut self, now: u64) {
        let Some(pull) = &mut self.pull else {
            return;
        };
        if now < pull.retry_at() {
            return;
        }
        if pull.tries == TRIES_MAX {
            self.pull = None;
            return;
        }
        pull.tries += 1;
        pull.asked_at = now;
        let (from, head, offset) = (pull.from, pull.head, pull.offset());
        self.send(from, Message::Pull { head, offset });
    }

    /// Somebody wants our roster from a byte on.
    pub(super) fn handle_pull(&mut self, from: SocketAddr, head: Head, offset: u32) {
        let bytes = match self.roster() {
            Some(roster) if roster.head() == head => roster.encode(),
            _ => {
                // Not that one any more; what there is instead is as good.
                let summary = self.summary(false);
                return self.send(from, summary);
            }
        };
        let begin = usize::try_from(offset).unwrap_or(usize::MAX);
        let Some(rest) = bytes.get(begin..) else {
            return;
        };
        let piece = &rest[..rest.len().min(CHUNK_SIZE_MAX)];
        let chunk = Message::Chunk {
            head,
            total: u32::try_from(bytes.len()).unwrap_or(u32::MAX),
            offset,
            bytes: piece.to_vec(),
        };
        self.send(from, chunk);
    }

    /// A piece has come.
    pub(super) fn handle_chunk(
        &mut self,
        from: SocketAddr,
        head: Head,
        (total, offset): (u32, u32),
        bytes: &[u8],
        now: u64,
    ) {
        let Some(pull) = &mut self.pull else {
            return;
        };
        let total = usize::try_from(total).unwrap_or(usize::MAX);
        let fits = pull.bytes.len() + bytes.len() <= total && total <= ROSTER_SIZE_MAX;
        if pull.head != head || pull.offset() != offset || bytes.is_empty() || !fits {
            return;
        }
        pull.bytes.extend_from_slice(bytes);
        pull.asked_at = now;
        pull.tries = 1;
        if pull.bytes.len() < total {
            let offset = pull.offset();
            return self.send(from, Message::Pull { head, offset });
        }
        let roster = Roster::decode(&pull.bytes);
        self.pull = None;
        if let Some(roster) = roster.filter(|roster| roster.head() == head) {
            self.learn(roster, now);
        }
    }

    /// Somebody else's roster is whole: it becomes ours if it is better.
    fn learn(&mut self, roster: Roster, now: u64) {
        let Some(own) = self.roster() else {
            return self.adopt(roster, now);
        };
        if roster.cluster() != own.cluster() {
            if roster.cluster() < own.cluster() {
                self.adopt(roster, now);
            }
        } else if roster.version() > own.version() {
            self.adopt(roster, now);
        } else if roster.version() == own.version() && roster != *own {
            let merged = own.merge(&roster);
            self.log(Event::Diverged(roster.version()));
            if merged.document().is_ok() {
                self.adopt(merged, now);
            }
        }
    }
}
