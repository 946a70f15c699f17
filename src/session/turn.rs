//! What a session has in hand while it answers: context, output, and how much of both is left.

use std::sync::Arc;

use super::Context;
use crate::auth::Rights;
use crate::config::Config;
use crate::protocol::admin::streams;
use crate::protocol::log;
use crate::stats::Counters;
use crate::store::Store;
use crate::time::Now;

/// What memcached's object for one queued reply takes, in bytes. The bound on memory for replies
/// is counted in these, so that a limit set for it bounds as many replies here.
const REPLY_SIZE: u64 = 1 << 10;

/// One call of [`Session::drive`](super::Session::drive).
pub(super) struct Turn<'a> {
    pub(super) ctx: &'a Context<'a>,
    pub(super) out: &'a mut Vec<u8>,
    /// The connection, as log lines name it.
    pub(super) id: u64,
    /// Streams that somebody watches, as bits.
    pub(super) watched: u32,
    /// Whether keys are counted by prefix.
    pub(super) detail: bool,
    /// What the client may do; `None` is everything.
    pub(super) rights: Option<Arc<Rights>>,
    /// Replies that may still be gathered.
    room: u64,
    /// Length of `out` when the turn began.
    begun_at: usize,
    /// Where the list that is being written began, as far as it is not sent yet.
    list_at: usize,
}

impl<'a> Turn<'a> {
    pub(super) fn new(
        ctx: &'a Context<'a>,
        out: &'a mut Vec<u8>,
        id: u64,
        rights: Option<Arc<Rights>>,
    ) -> Self {
        let begun_at = out.len();
        Self {
            id,
            rights,
            watched: ctx.shared.hub.watched(),
            detail: ctx.shared.live.prefixes.is_on(),
            room: room(&ctx.shared.config),
            begun_at,
            list_at: begun_at,
            ctx,
            out,
        }
    }

    pub(super) fn store(&self) -> &'a Store {
        &self.ctx.shared.store
    }

    pub(super) fn counters(&self) -> &'a Counters {
        self.ctx.counters
    }

    pub(super) fn now(&self) -> Now {
        self.ctx.now
    }

    /// Whether replies of this turn wait to be sent.
    pub(super) fn has_queued(&self) -> bool {
        self.out.len() > self.begun_at
    }

    /// Where this turn's replies begin in the output.
    pub(super) fn begun_at(&self) -> usize {
        self.begun_at
    }

    /// Notes that a list begins here.
    pub(super) fn begin_list(&mut self) {
        self.list_at = self.out.len();
    }

    /// Takes back what of the list has not been sent.
    pub(super) fn forget_list(&mut self) {
        self.out.truncate(self.list_at);
    }

    /// Takes room for one reply; false when the memory for replies is used up.
    pub(super) fn take_room(&mut self) -> bool {
        if self.room == 0 {
            self.counters().response_obj_oom.add(1);
            return false;
        }
        self.room -= 1;
        true
    }

    /// Gives back the room of a request that was answered by silence.
    pub(super) fn give_room(&mut self) {
        self.room = self.room.saturating_add(1);
    }

    pub(super) fn say(&mut self, reply: &[u8]) {
        self.out.extend_from_slice(reply);
    }

    /// Writes a line for watchers, if this stream has any.
    pub(super) fn log(&self, stream: u32, kind: &str, line: impl FnOnce(&mut Vec<u8>)) {
        if self.watched & stream != 0 {
            self.ctx.shared.hub.push(self.ctx, stream, kind, line);
        }
    }

    /// Tells watchers that a key has been looked for.
    pub(super) fn log_get(&self, key: &[u8], status: log::GetStatus, class: u8, size: u32) {
        self.log(streams::FETCHERS, "item_get", |out| {
            log::item_get(out, key, status, class, self.id, size);
        });
    }

    /// As [`Self::log_get`] for a command that looks at the old item on its way: memcached's
    /// watchers see that too.
    pub(super) fn log_lookup(&self, key: &[u8]) {
        if self.watched & streams::FETCHERS == 0 {
            return;
        }
        let store = self.store();
        let found = store.peek(key, store.hash(key), self.now(), |item| {
            item.map(|item| (item.class, item.value_size))
        });
        match found {
            Some((class, size)) => self.log_get(key, log::GetStatus::Found, class, size),
            None => self.log_get(key, log::GetStatus::NotFound, 0, 0),
        }
    }
}

/// Replies that one worker may gather in a turn.
fn room(config: &Config) -> u64 {
    if config.read_buf_mem_limit == 0 {
        return u64::MAX;
    }
    let share = config.read_buf_mem_limit / (config.workers.max(1) as u64);
    (share / REPLY_SIZE).max(1)
}
