//! Making room: chunks for an item, pages for a cut, and who has to go for them.

use super::super::api::{Event, LruPolicy};
use super::super::arena::Handle;
use super::super::item::{self, Flag, Header, Mark, Queue};
use super::pages::{Purpose, Step};
use super::{Found, Shard, Short};
use crate::time::{Expiry, Now};

/// Items looked at from a tail for one that can go.
const TAIL_LOOKS_MAX: usize = 50;

/// Attempts at a chunk before a request is refused.
const ATTEMPTS_MAX: usize = 64;

/// After so many attempts that freed chunks only where they are of no use, somebody else's turn
/// comes before the next.
const EMPTYING_ATTEMPTS_MAX: usize = 4;

/// Another cut's page is taken when what goes next there has been idle this long, in seconds:
/// ages are whole seconds, and lesser ones tell nothing.
const STEAL_AGE_MIN_S: u32 = 2;

/// Items looked at from a tail to tell its age: any one may have been hit a moment ago.
const AGE_LOOKS: usize = 4;

/// Items looked at for one that expires soon.
const VOLATILE_LOOKS: usize = 16;

/// What came of an attempt to make room.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Room {
    /// There is a chunk, or a page.
    Made,
    /// There will be, after more steps than one request may take under the lock.
    Later,
    /// There is no way.
    None,
}

impl Shard {
    /// Takes a chunk, making room for it if need be.
    pub(super) fn allocate(&mut self, cut: u16, now: Now) -> Result<Handle, Short> {
        if let Some(handle) = self.slabs.allocate(&mut self.lease, cut) {
            return Ok(handle);
        }
        for attempt in 0..ATTEMPTS_MAX {
            if let Some(page) = self.ready_page() {
                self.slabs.add_page(&mut self.lease, cut, page);
            } else if attempt > 0 || !self.free_doomed() {
                match self.make_room(cut, now, attempt == 0) {
                    Room::Made => {}
                    Room::Later => return Err(Short),
                    Room::None => break,
                }
            }
            if let Some(handle) = self.slabs.allocate(&mut self.lease, cut) {
                return Ok(handle);
            }
            // What went may all have been in the page that is being emptied.
            if attempt >= EMPTYING_ATTEMPTS_MAX && self.is_emptying() {
                return Err(Short);
            }
        }
        self.totals.malloc_fails += 1;
        Err(Short)
    }

    /// A page that is there, without anything having to move for it.
    fn ready_page(&mut self) -> Option<u32> {
        let held = self.held_page.take();
        held.or_else(|| self.common.pool.take(&mut self.lease))
    }

    /// Counts a request that was refused for want of memory.
    pub(super) fn note_refusal(&mut self, cut: u16) {
        self.stats[usize::from(cut)].out_of_memory += 1;
    }

    /// Frees at least one chunk of a cut, or gets it a page. Each time goes on by a step with the
    /// page that is being emptied, and the items of the cut itself give way until it is there.
    fn make_room(&mut self, cut: u16, now: Now, first: bool) -> Room {
        // Room that another cut does not use is taken before anything has to go.
        if !self.is_emptying()
            && !self.begin_spare(Some(cut))
            && self.evicts()
            && let Some(victim) = self.older_cut(cut, now)
        {
            self.begin_stealing_from(victim, Purpose::NEED);
        }
        if let Step::Emptied(page) = self.empty_step(now) {
            self.slabs.add_page(&mut self.lease, cut, page);
            return Room::Made;
        }
        if !self.evicts() {
            return match self.reclaim_expired(cut, now) {
                true => Room::Made,
                false if self.is_emptying() => Room::Later,
                false => Room::None,
            };
        }
        if self.is_worth_waiting_for(cut) {
            return Room::Later;
        }
        if first {
            self.stats[usize::from(cut)].direct_reclaims += 1;
        }
        if self.evict_one(cut, now) {
            return Room::Made;
        }
        if self.is_emptying() || self.begin_stealing(Some(cut), Purpose::NEED, now) {
            return Room::Later;
        }
        Room::None
    }

    /// Seconds since the last access of the item that would go next from a cut.
    pub(super) fn tail_idle_s(&self, cut: u16, now: Now) -> Option<u32> {
        let queues = &self.queues[usize::from(cut)];
        [Queue::Cold, Queue::Hot, Queue::Warm]
            .into_iter()
            .map(|queue| queues.tail(queue))
            .find(|tail| !tail.is_none())
            .map(|tail| Header::read(self.lease.at(tail)).idle_s(now.uptime_s))
    }

    /// Seconds that what goes next from a cut has been idle; zero when it holds nothing.
    pub(super) fn age_s(&self, cut: u16, now: Now) -> u32 {
        let queues = &self.queues[usize::from(cut)];
        let order = if self.is_s3_fifo() {
            [Queue::Cold, Queue::Warm, Queue::Hot]
        } else {
            [Queue::Cold, Queue::Hot, Queue::Warm]
        };
        let tails = order.map(|queue| queues.tail(queue));
        let mut next = tails.into_iter().find(|tail| !tail.is_none());
        let mut age_s = 0;
        for _ in 0..AGE_LOOKS {
            let Some(handle) = next.filter(|handle| !handle.is_none()) else {
                break;
            };
            let header = Header::read(self.lease.at(handle));
            age_s = age_s.max(header.idle_s(now.uptime_s));
            next = Some(header.prev);
        }
        age_s
    }

    /// What a page of a cut is worth elsewhere: the older what it holds, and the larger its
    /// items, the more.
    pub(super) fn staleness(&self, cut: u16) -> f64 {
        let cut = usize::from(cut);
        f64::from(self.sweep.ages_s[cut]) * self.weights[cut]
    }

    /// A cut whose items have been idle for much longer than this cut's, so that its page is
    /// better spent here. Compares what was found before, so that an eviction costs no search;
    /// only what seems to be so is looked at again.
    fn older_cut(&mut self, cut: u16, now: Now) -> Option<u16> {
        let victim = self.sweep.oldest_cut?;
        if victim == cut
            || self.slabs.cut(victim).pages < 2
            || self.balance.automove == 0
            || !self.is_staler(victim, cut)
        {
            return None;
        }
        for one in [victim, cut] {
            self.sweep.ages_s[usize::from(one)] = self.age_s(one, now);
        }
        self.is_staler(victim, cut).then_some(victim)
    }

    fn is_staler(&self, victim: u16, cut: u16) -> bool {
        self.sweep.ages_s[usize::from(victim)] >= STEAL_AGE_MIN_S
            && self.staleness(cut) < self.staleness(victim) * self.balance.ratio
    }

    /// Under `-M`: frees expired items at the tails of a cut.
    fn reclaim_expired(&mut self, cut: u16, now: Now) -> bool {
        for queue in Queue::ALL {
            let mut handle = self.queues[usize::from(cut)].tail(queue);
            for _ in 0..TAIL_LOOKS_MAX {
                if handle.is_none() {
                    break;
                }
                let chunk = self.lease.at(handle);
                let header = Header::read(chunk);
                if self.death(&header, chunk, now).is_some() && !header.has(Mark::PINNED) {
                    self.bury_at(handle, header);
                    return true;
                }
                handle = header.prev;
            }
        }
        false
    }

    /// Frees a dead item found at a place, not by its key.
    pub(super) fn bury_at(&mut self, handle: Handle, header: Header) {
        let hash = self.hash_at(handle);
        if let Some(slot) = self.slot_of(hash, handle) {
            self.bury(
                hash,
                Found {
                    slot,
                    handle,
                    header,
                },
            );
        }
    }

    /// Evicts one item of a cut, moving what deserves it out of the way. Who goes is the policy's
    /// to say.
    pub(super) fn evict_one(&mut self, cut: u16, now: Now) -> bool {
        match self.lru.policy {
            LruPolicy::Segmented | LruPolicy::NoEviction => self.evict_by_queues(cut, now),
            LruPolicy::S3Fifo if !self.lru.segmented => self.evict_by_queues(cut, now),
            LruPolicy::S3Fifo => self.evict_unproven(cut, now),
            LruPolicy::VolatileTtl => {
                self.evict_soonest(cut, now) || self.evict_by_queues(cut, now)
            }
        }
    }

    /// S3-FIFO: evicts from HOT when it holds more than its part and its tail has not been hit,
    /// else from WARM, where hits give an item another round. COLD holds something only when the
    /// policy was another before.
    fn evict_unproven(&mut self, cut: u16, now: Now) -> bool {
        // Every hit item at a tail moves away from it, and is not hit any more then.
        for _ in 0..4 * TAIL_LOOKS_MAX {
            let queues = &self.queues[usize::from(cut)];
            let hot = u64::from(queues.count(Queue::Hot)) * 100;
            let part = u64::from(queues.total()) * u64::from(self.lru.hot_percent / 2);
            let queue = if queues.count(Queue::Cold) > 0 {
                Queue::Cold
            } else if hot > part || queues.count(Queue::Warm) == 0 {
                Queue::Hot
            } else {
                Queue::Warm
            };
            let tail = queues.tail(queue);
            if tail.is_none() {
                return false;
            }
            let chunk = self.lease.at(tail);
            let header = Header::read(chunk);
            let hit = header.is(Flag::ACTIVE) || queue == Queue::Hot && header.is(Flag::FETCHED);
            if self.death(&header, chunk, now).is_some() && !header.has(Mark::PINNED) {
                self.bury_at(tail, header);
                return true;
            } else if hit || header.has(Mark::PINNED) {
                self.shift(cut, tail, Queue::Warm);
            } else {
                if queue == Queue::Hot {
                    let hash = self.hash_at(tail);
                    self.ghosts.remember(hash);
                }
                self.evict(cut, tail, now);
                return true;
            }
        }
        false
    }

    /// Evicts what expires soonest of some items at a tail; false when none of them expires. The
    /// others go to the head of their queue, so that others are looked at next time.
    fn evict_soonest(&mut self, cut: u16, now: Now) -> bool {
        let mut soonest: Option<(u32, Handle)> = None;
        let queues = &self.queues[usize::from(cut)];
        let tails = [Queue::Cold, Queue::Hot, Queue::Warm].map(|queue| queues.tail(queue));
        let mut next = tails.into_iter().find(|tail| !tail.is_none());
        for _ in 0..VOLATILE_LOOKS {
            let Some(handle) = next.filter(|handle| !handle.is_none()) else {
                break;
            };
            let header = Header::read(self.lease.at(handle));
            next = Some(header.prev);
            let expiry_s = self.expiry_at(handle, &header);
            if expiry_s != 0
                && !header.has(Mark::PINNED)
                && soonest.is_none_or(|(least_s, _)| expiry_s < least_s)
            {
                soonest = Some((expiry_s, handle));
            }
            let queues = &mut self.queues[usize::from(cut)];
            queues.unlink(&mut self.lease, handle);
            queues.push(&mut self.lease, header.queue(), handle);
        }
        if let Some((_, handle)) = soonest {
            self.evict(cut, handle, now);
        }
        soonest.is_some()
    }

    /// memcached's way: COLD's tail goes, unless it has been hit.
    fn evict_by_queues(&mut self, cut: u16, now: Now) -> bool {
        if self.evict_from(cut, Queue::Cold, now) {
            return true;
        }
        // Nothing in COLD can go: bring something there.
        for queue in [Queue::Hot, Queue::Warm] {
            for _ in 0..TAIL_LOOKS_MAX {
                let tail = self.queues[usize::from(cut)].tail(queue);
                if tail.is_none() {
                    break;
                }
                let active = Header::read(self.lease.at(tail)).is(Flag::ACTIVE);
                if active && queue == Queue::Hot {
                    self.shift(cut, tail, Queue::Warm);
                } else {
                    self.shift(cut, tail, Queue::Cold);
                    break;
                }
            }
            if self.evict_from(cut, Queue::Cold, now) {
                return true;
            }
        }
        false
    }

    /// Evicts from the tail of one queue. Items that have been hit go to WARM instead.
    fn evict_from(&mut self, cut: u16, queue: Queue, now: Now) -> bool {
        let mut handle = self.queues[usize::from(cut)].tail(queue);
        for looks in 0..TAIL_LOOKS_MAX {
            if handle.is_none() {
                return false;
            }
            let chunk = self.lease.at(handle);
            let header = Header::read(chunk);
            let ahead = header.prev;
            if header.has(Mark::PINNED) {
                self.stats[usize::from(cut)].tail_pinned += 1;
            } else if self.death(&header, chunk, now).is_some() {
                self.bury_at(handle, header);
                return true;
            } else if header.is(Flag::ACTIVE) && self.lru.segmented && looks + 1 < TAIL_LOOKS_MAX {
                self.shift(cut, handle, Queue::Warm);
            } else {
                self.evict(cut, handle, now);
                return true;
            }
            handle = ahead;
        }
        false
    }

    /// Evicts a live item.
    pub(super) fn evict(&mut self, cut: u16, handle: Handle, now: Now) {
        let chunk = self.lease.at(handle);
        let header = Header::read(chunk);
        let expiry_s = header.expiry_s(chunk);
        let idle_s = header.idle_s(now.uptime_s);
        let stats = &mut self.stats[usize::from(cut)];
        stats.evicted += 1;
        stats.evicted_time_s = idle_s;
        if expiry_s != 0 {
            stats.evicted_nonzero += 1;
        }
        if !header.is(Flag::FETCHED) {
            stats.evicted_unfetched += 1;
        }
        if header.is(Flag::ACTIVE) {
            stats.evicted_active += 1;
        }
        self.record(|shard| {
            let chunk = shard.lease.at(handle);
            Event::Evicted {
                key: header.key(chunk).into(),
                fetched: header.is(Flag::FETCHED),
                ttl_s: Expiry::at(expiry_s).ttl_s(now),
                idle_s,
                class: shard.common.classes.cuts()[usize::from(cut)].class,
                value_size: header.value_size(chunk),
            }
        });
        let hash = self.hash_at(handle);
        if let Some(slot) = self.slot_of(hash, handle) {
            self.remove(
                hash,
                Found {
                    slot,
                    handle,
                    header,
                },
            );
        }
    }

    /// Moves an item from the queue it is in to the head of another, and counts it. Its
    /// activity has been paid out by that.
    pub(super) fn shift(&mut self, cut: u16, handle: Handle, to: Queue) {
        let from = Header::read(self.lease.at(handle)).queue();
        let queues = &mut self.queues[usize::from(cut)];
        queues.unlink(&mut self.lease, handle);
        queues.push(&mut self.lease, to, handle);
        item::set_flag(self.lease.at_mut(handle), Flag::ACTIVE, false);
        let stats = &mut self.stats[usize::from(cut)];
        match to {
            _ if from == to => stats.moves_within_lru += 1,
            Queue::Warm => stats.moves_to_warm += 1,
            Queue::Cold => stats.moves_to_cold += 1,
            Queue::Hot | Queue::Temp => {}
        }
    }

    /// Sees to it that the next insertion finds room in the index.
    pub(super) fn insert(&mut self, hash: u64, handle: Handle, now: Now) -> Result<(), Short> {
        if !self.index.insert(hash, handle) {
            self.reserve_index(now)?;
            if !self.index.insert(hash, handle) {
                return Err(Short);
            }
        }
        // Two splits an insertion catch up with any load, and bound the work.
        for _ in 0..2 {
            if !self.index.wants_split() {
                break;
            }
            if self.index.split_needs_page() {
                let Some(page) = self.index_page(now) else {
                    break;
                };
                self.index.add_bucket_page(&mut self.lease, page);
            }
            self.split();
        }
        Ok(())
    }

    /// Finds an overflow line for the next insertion before it is needed.
    pub(super) fn reserve_index(&mut self, now: Now) -> Result<(), Short> {
        if self.index.wants_page() {
            let page = self.index_page(now).ok_or(Short)?;
            self.index.add_overflow_page(&mut self.lease, page);
        }
        Ok(())
    }

    fn split(&mut self) {
        let (lease, common) = (&self.lease, &self.common);
        self.index.split(|handle| {
            let chunk = lease.at(handle);
            common.hash(Header::read(chunk).key(chunk))
        });
    }

    /// A page for the index: from the pool, or from the items. `None` when there is none yet.
    fn index_page(&mut self, now: Now) -> Option<u32> {
        if let Some(page) = self.ready_page() {
            return Some(page);
        }
        if !self.evicts() {
            return None;
        }
        if !self.is_emptying() {
            self.begin_stealing(None, Purpose::NEED, now);
        }
        match self.empty_step(now) {
            Step::Emptied(page) => Some(page),
            Step::Going | Step::Given | Step::Freed | Step::Idle => None,
        }
    }
}
