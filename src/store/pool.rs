//! The pages that no shard has, and how many there may be.
//!
//! One pool serves all shards. Its lock is taken inside a shard's lock, never the other way
//! round, and only when a page changes hands.

use std::sync::Arc;

use parking_lot::Mutex;

use super::arena::{Arena, Geometry, Lease};

/// The pages that no shard has.
#[derive(Debug)]
pub(super) struct Pool {
    arena: Arc<Arena>,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    /// Pages with memory behind them that have been lent before.
    warm: Vec<u32>,
    /// Pages that were given memory ahead of their first use.
    ahead: Vec<u32>,
    /// Pages over the limit, whose memory is about to be returned to the system.
    condemned: Vec<u32>,
    /// Pages whose memory has been returned to the system.
    cold: Vec<u32>,
    /// Pages from here on have never been used.
    fresh: u32,
    /// Pages lent to shards.
    lent: u32,
    /// Pages that may be lent.
    limit: u32,
}

/// What a pool holds at a moment.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct PoolState {
    /// Pages lent to shards.
    pub(super) lent: u32,
    /// Pages that have been lent before and still have memory.
    pub(super) warm: u32,
    /// Pages that may be lent.
    pub(super) limit: u32,
}

impl Pool {
    /// A pool that lends pages of `arena` as long as no more than `limit` are in use, the first of
    /// all included.
    pub(super) fn new(arena: Arc<Arena>, limit: u32) -> Self {
        Self {
            arena,
            state: Mutex::new(State {
                warm: Vec::new(),
                ahead: Vec::new(),
                condemned: Vec::new(),
                cold: Vec::new(),
                // Page 0 is never lent: handle 0 means "none".
                fresh: 1,
                lent: 0,
                limit: lendable(limit),
            }),
        }
    }

    /// Lends pages that have been lent before, in another life of the memory; to be called before
    /// any other is lent. False when one of them cannot be.
    pub(super) fn take_again(&self, leases: &mut [Lease], owners: &[(u32, usize)]) -> bool {
        let mut state = self.state.lock();
        let geometry = self.arena.geometry();
        let mut owner_of = std::collections::BTreeMap::new();
        for (page, owner) in owners {
            let is_free = owner_of.insert(*page, *owner).is_none();
            if !is_free || *page == 0 || *page >= geometry.page_count || *owner >= leases.len() {
                return false;
            }
        }
        for (page, owner) in &owner_of {
            // Whatever lies between is memory of nobody.
            for unused in state.fresh..*page {
                self.arena.discard(unused);
                state.cold.push(unused);
            }
            leases[*owner].take(*page);
            state.fresh = page + 1;
            state.lent += 1;
        }
        true
    }

    /// Lends a page, if the limit allows.
    pub(super) fn take(&self, lease: &mut Lease) -> Option<u32> {
        let mut state = self.state.lock();
        if state.lent >= state.limit {
            return None;
        }
        let state = &mut *state;
        let mut stacks = [&mut state.warm, &mut state.ahead, &mut state.condemned];
        let page = match stacks.iter_mut().find_map(|stack| stack.pop()) {
            Some(page) => page,
            None => self.take_without_memory(state)?,
        };
        state.lent += 1;
        lease.take(page);
        Some(page)
    }

    /// A page without memory behind it, for which there is room.
    fn take_without_memory(&self, state: &mut State) -> Option<u32> {
        let page = match state.cold.pop() {
            Some(page) => page,
            None if state.fresh < self.arena.geometry().page_count => {
                state.fresh += 1;
                state.fresh - 1
            }
            None => return None,
        };
        if self.arena.claim(page) {
            return Some(page);
        }
        state.cold.push(page);
        None
    }

    /// Takes a page back. Beyond the limit its memory is to go back to the system.
    pub(super) fn give(&self, lease: &mut Lease, page: u32) {
        let mut state = self.state.lock();
        lease.give(page);
        state.lent -= 1;
        if state.resident() >= state.limit {
            state.condemned.push(page);
        } else {
            state.warm.push(page);
        }
    }

    /// Sets how many pages may be in use. Shards give up theirs as upkeep finds them, and memory
    /// that is over the limit is returned by [`Self::discard_some`].
    pub(super) fn set_limit(&self, limit: u32) {
        self.state.lock().limit = lendable(limit);
    }

    /// Returns memory of at most `step` pages to the system, of those that are over the limit.
    /// Returns true when there may be more.
    pub(super) fn discard_some(&self, step: u32) -> bool {
        for _ in 0..step {
            // The lock is not held while the system takes memory away.
            let page = {
                let state = &mut *self.state.lock();
                if state.resident() > state.limit
                    && let Some(page) = state.ahead.pop().or_else(|| state.warm.pop())
                {
                    state.condemned.push(page);
                }
                match state.condemned.pop() {
                    Some(page) => page,
                    None => return false,
                }
            };
            self.arena.discard(page);
            self.state.lock().cold.push(page);
        }
        true
    }

    /// As [`Self::set_limit`], in bytes. False when more is asked for than was reserved.
    pub(super) fn set_limit_bytes(&self, bytes: u64) -> bool {
        let geometry = self.arena.geometry();
        match u32::try_from(bytes >> geometry.page_shift) {
            // Page 0 is never lent.
            Ok(limit) if limit < geometry.page_count => {
                self.set_limit(limit.max(1));
                true
            }
            _ => false,
        }
    }

    /// How the arena is cut.
    pub(super) fn geometry(&self) -> Geometry {
        self.arena.geometry()
    }

    /// Bytes of a page.
    pub(super) fn page_size(&self) -> u64 {
        self.arena.page_size() as u64
    }

    /// Pages lent beyond the limit.
    pub(super) fn excess(&self) -> u32 {
        let state = self.state.lock();
        state.lent.saturating_sub(state.limit)
    }

    /// What the pool holds now.
    pub(super) fn state(&self) -> PoolState {
        let state = self.state.lock();
        PoolState {
            lent: state.lent,
            warm: u32::try_from(state.warm.len()).unwrap_or(u32::MAX),
            limit: state.limit,
        }
    }

    /// Keeps `count` pages with memory ready, so that a worker finds it there. At most `step` are
    /// made ready in one call. Returns true when there may be more.
    pub(super) fn warm_up(&self, count: u32, step: u32) -> bool {
        for _ in 0..step {
            // The lock is not held while the system looks for memory.
            let page = {
                let mut state = self.state.lock();
                let ready = state.warm.len() + state.ahead.len();
                if ready >= count as usize
                    || state.resident() >= state.limit
                    || state.fresh >= self.arena.geometry().page_count
                {
                    return false;
                }
                state.fresh += 1;
                state.fresh - 1
            };
            if !self.arena.claim(page) {
                let mut state = self.state.lock();
                if state.fresh == page + 1 {
                    state.fresh = page;
                } else {
                    state.cold.push(page);
                }
                return false;
            }
            self.arena.populate(page);
            self.state.lock().ahead.push(page);
        }
        true
    }
}

/// Pages that may be lent when `limit` may be in use. The first is never lent, yet where the system
/// gives memory in huge pages it has some all the same: counted beside the limit, it would move the
/// last page into a huge page of its own.
fn lendable(limit: u32) -> u32 {
    limit.saturating_sub(1).max(1)
}

impl State {
    /// Pages with memory behind them.
    fn resident(&self) -> u32 {
        let ready = u32::try_from(self.warm.len() + self.ahead.len()).unwrap_or(u32::MAX);
        self.lent + ready
    }
}
