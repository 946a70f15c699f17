//! Making room: chunks for an item, pages for a cut, and who has to go for them.

use super::super::api::{Event, LruPolicy};
use super::super::arena::Handle;
use super::super::item::{self, Flag, Header, Kind, Mark, Queue};
use super::super::slab::Slabs;
use super::{Found, Shard, Short};
use crate::time::{Expiry, Now};

/// Items looked at from a tail for one that can go.
const TAIL_LOOKS_MAX: usize = 50;

/// Attempts at a chunk before a request is refused.
const ATTEMPTS_MAX: usize = 64;

/// An item with more pieces than this is not moved, but dropped, when its page is wanted:
/// telling every piece would hold the lock too long.
const MOVED_PIECES_MAX: usize = 256;

/// Another cut's page is taken when what goes next there has been idle this long, in seconds:
/// ages are whole seconds, and lesser ones tell nothing.
const STEAL_AGE_MIN_S: u32 = 2;

/// Items looked at from a tail to tell its age: any one may have been hit a moment ago.
const AGE_LOOKS: usize = 4;

/// Items looked at for one that expires soon.
const VOLATILE_LOOKS: usize = 16;

/// Items evicted to save one from a page that is being emptied: some of them lie in that page,
/// and their chunks are of no use.
const RESCUE_EVICTIONS_MAX: usize = 8;

impl Shard {
    /// Takes a chunk, making room for it if need be.
    pub(super) fn allocate(&mut self, cut: u16, now: Now) -> Result<Handle, Short> {
        if let Some(handle) = self.slabs.allocate(&mut self.lease, cut) {
            return Ok(handle);
        }
        for attempt in 0..ATTEMPTS_MAX {
            if let Some(page) = self.common.pool.take(&mut self.lease) {
                self.slabs.add_page(&mut self.lease, cut, page);
            } else if !self.make_room(cut, now, attempt == 0) {
                break;
            }
            if let Some(handle) = self.slabs.allocate(&mut self.lease, cut) {
                return Ok(handle);
            }
        }
        self.totals.malloc_fails += 1;
        Err(Short)
    }

    /// Counts a request that was refused for want of memory.
    pub(super) fn note_refusal(&mut self, cut: u16) {
        self.stats[usize::from(cut)].out_of_memory += 1;
    }

    /// Frees at least one chunk of a cut, or gets it a page. False when there is no way.
    fn make_room(&mut self, cut: u16, now: Now, first: bool) -> bool {
        // Room that another cut does not use is taken before anything has to go.
        if let Some(page) = self.take_spare_page(cut, now) {
            self.slabs.add_page(&mut self.lease, cut, page);
            return true;
        }
        if !self.evicts() {
            return self.reclaim_expired(cut, now);
        }
        if first {
            self.stats[usize::from(cut)].direct_reclaims += 1;
        }
        if let Some(victim) = self.older_cut(cut, now)
            && let Some(page) = self.steal_page_of(victim, now)
        {
            self.slabs.add_page(&mut self.lease, cut, page);
            return true;
        }
        if self.evict_one(cut, now) {
            return true;
        }
        match self.steal_page(Some(cut), now) {
            Some(page) => {
                self.slabs.add_page(&mut self.lease, cut, page);
                true
            }
            None => false,
        }
    }

    /// A page of a cut that has more free chunks than it needs. Nothing is evicted for it: what
    /// is in the page moves into those chunks.
    fn take_spare_page(&mut self, wanting: u16, now: Now) -> Option<u32> {
        let cut = self.spare_cut?;
        if cut == wanting || !self.has_spare(cut) {
            self.spare_cut = None;
            return None;
        }
        let page = self.emptiest_page(cut);
        let emptied = page != 0 && self.empty_page(page, cut, now);
        if !emptied {
            self.spare_cut = None;
        }
        emptied.then_some(page)
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

    /// Empties a page of some cut other than `spared`, preferring the one whose items have been
    /// idle longest. The page is then this shard's, in no cut.
    pub(super) fn steal_page(&mut self, spared: Option<u16>, now: Now) -> Option<u32> {
        let mut tried = 0;
        let count = u16::try_from(self.queues.len()).unwrap_or(u16::MAX);
        let mut best: Vec<(u32, u32, u16)> = (0..count)
            .filter(|cut| Some(*cut) != spared && self.slabs.cut(*cut).pages > 0)
            .map(|cut| {
                let idle_s = self.tail_idle_s(cut, now).unwrap_or(u32::MAX);
                (idle_s, self.slabs.cut(cut).pages, cut)
            })
            .collect();
        best.sort_unstable_by(|a, b| b.cmp(a));
        for (_, _, victim) in best {
            if let Some(page) = self.steal_page_of(victim, now) {
                return Some(page);
            }
            tried += 1;
            if tried == 8 {
                break;
            }
        }
        None
    }

    /// Empties a page of a cut: the one with its oldest item, or any that is not busy.
    pub(super) fn steal_page_of(&mut self, victim: u16, now: Now) -> Option<u32> {
        let tail = self.queues[usize::from(victim)].tail(Queue::Cold);
        if !tail.is_none() {
            let page = self.lease.arena().page_of(tail);
            if self.empty_page(page, victim, now) {
                return Some(page);
            }
        }
        let mut page = self.slabs.oldest_page(victim);
        for _ in 0..8 {
            if page == 0 {
                return None;
            }
            if self.empty_page(page, victim, now) {
                return Some(page);
            }
            page = Slabs::newer_page(&self.lease, page);
        }
        None
    }

    /// Saves what can be saved from a page, drops the rest and takes the page from its cut.
    /// False, and nothing has happened, when something in the page must stay where it is.
    pub(super) fn empty_page(&mut self, page: u32, cut: u16, now: Now) -> bool {
        if self.is_busy(page) {
            return false;
        }
        self.slabs.close_page(&mut self.lease, page);
        let mut chunks = self.slabs.chunks_of(&self.lease, page);
        while let Some(handle) = chunks.next(&self.lease) {
            match item::kind_of(self.lease.at(handle)) {
                Kind::Free | Kind::Detached => {}
                Kind::Linked => self.clear_item(handle, cut, now),
                Kind::Piece => self.clear_piece(handle, cut, now),
            }
        }
        debug_assert_eq!(Slabs::used_in(&self.lease, page), 0);
        self.slabs.remove_closed_page(&mut self.lease, page);
        self.totals.pages_moved += 1;
        true
    }

    /// Whether something in a page is being uploaded or sent.
    fn is_busy(&self, page: u32) -> bool {
        let mut chunks = self.slabs.chunks_of(&self.lease, page);
        while let Some(handle) = chunks.next(&self.lease) {
            let mut chunk = self.lease.at(handle);
            if item::kind_of(chunk) == Kind::Piece {
                chunk = self.lease.at(item::piece_owner(chunk));
            }
            match item::kind_of(chunk) {
                Kind::Detached => return true,
                Kind::Linked if Header::read(chunk).has(Mark::PINNED) => return true,
                _ => {}
            }
        }
        false
    }

    /// Moves an item out of a page that is being emptied, or drops it.
    fn clear_item(&mut self, handle: Handle, cut: u16, now: Now) {
        let chunk = self.lease.at(handle);
        let header = Header::read(chunk);
        let pieces = header.first_piece(chunk);
        if self.death(&header, chunk, now).is_some() {
            self.bury_at(handle, header);
        } else if self.count_pieces(pieces) > MOVED_PIECES_MAX
            || !self.rescue(handle, cut, now, Self::relocate_item)
        {
            self.totals.move_evictions += 1;
            self.evict(cut, handle, now);
        }
    }

    fn clear_piece(&mut self, handle: Handle, cut: u16, now: Now) {
        if self.rescue(handle, cut, now, Self::relocate_piece) {
            return;
        }
        let owner = item::piece_owner(self.lease.at(handle));
        self.totals.move_evictions += 1;
        self.evict(cut, owner, now);
    }

    /// Moves what is in a chunk to another page, evicting what would go next from its cut to make
    /// room for it: a page that is taken away must not cost more than what is least wanted. False
    /// when it is still there.
    fn rescue(
        &mut self,
        handle: Handle,
        cut: u16,
        now: Now,
        relocate: fn(&mut Self, Handle, u16) -> bool,
    ) -> bool {
        let kind = item::kind_of(self.lease.at(handle));
        for _ in 0..RESCUE_EVICTIONS_MAX {
            if relocate(self, handle, cut) {
                return true;
            }
            if !self.evict_one(cut, now) {
                return false;
            }
            self.totals.move_evictions += 1;
            // It may have been the next to go itself.
            if item::kind_of(self.lease.at(handle)) != kind {
                return true;
            }
        }
        relocate(self, handle, cut)
    }

    /// Copies an item to a free chunk in another page. False if there is none.
    fn relocate_item(&mut self, from: Handle, cut: u16) -> bool {
        let chunk = self.lease.at(from);
        let header = Header::read(chunk);
        let pieces = header.first_piece(chunk);
        let Some(to) = self.slabs.allocate(&mut self.lease, cut) else {
            return false;
        };
        let size = header.value_at() + header.inline_size();
        self.lease.copy(from, 0, to, 0, size);
        let hash = self.hash_at(from);
        if let Some(slot) = self.slot_of(hash, from) {
            self.index.replace(slot, to);
        }
        self.queues[usize::from(cut)].moved(&mut self.lease, from, to);
        if !pieces.is_none() {
            item::set_piece_prev(self.lease.at_mut(pieces), to);
        }
        let mut piece = pieces;
        while !piece.is_none() {
            item::set_piece_owner(self.lease.at_mut(piece), to);
            piece = item::piece_next(self.lease.at(piece));
        }
        let expiry_s = header.expiry_s(self.lease.at(to));
        Slabs::note_expiry(&mut self.lease, to, expiry_s);
        self.free_chunk(from);
        self.totals.rescues += 1;
        true
    }

    fn count_pieces(&self, first: Handle) -> usize {
        let mut count = 0;
        let mut piece = first;
        while !piece.is_none() && count <= MOVED_PIECES_MAX {
            count += 1;
            piece = item::piece_next(self.lease.at(piece));
        }
        count
    }

    /// Copies a piece to a free chunk in another page. False if there is none.
    fn relocate_piece(&mut self, from: Handle, cut: u16) -> bool {
        let Some(to) = self.slabs.allocate(&mut self.lease, cut) else {
            return false;
        };
        let size = self.common.classes.cuts()[usize::from(cut)].chunk_size;
        self.lease.copy(from, 0, to, 0, size);
        let chunk = self.lease.at(to);
        let (next, prev) = (item::piece_next(chunk), item::piece_prev(chunk));
        let owner = item::piece_owner(chunk);
        if prev == owner {
            let header = Header::read(self.lease.at(owner));
            header.set_first_piece(self.lease.at_mut(owner), to);
        } else {
            item::set_piece_next(self.lease.at_mut(prev), to);
        }
        if !next.is_none() {
            item::set_piece_prev(self.lease.at_mut(next), to);
        }
        self.free_chunk(from);
        self.totals.piece_rescues += 1;
        true
    }

    /// Gives one page to the pool, for another shard or for the system.
    pub(in super::super) fn yield_page(&mut self, now: Now) -> bool {
        let Some(page) = self.steal_page(None, now) else {
            return false;
        };
        self.common.pool.give(&mut self.lease, page);
        true
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

    /// A page for the index: from the pool, or from the items.
    fn index_page(&mut self, now: Now) -> Option<u32> {
        if let Some(page) = self.common.pool.take(&mut self.lease) {
            return Some(page);
        }
        if !self.evicts() {
            return None;
        }
        self.steal_page(None, now)
    }
}
