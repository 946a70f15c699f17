//! What a shard reports: listings of items, counters and gauges.

use super::super::api::{ClassStats, ItemInfo, StoreTotals};
use super::super::arena::Handle;
use super::super::item::{self, Header, Kind, Queue};
use super::super::slab::Slabs;
use super::super::survey::{ClassCursor, QueueCursor, Walk};
use super::{CutStats, Shard, ShardStats};
use crate::time::Now;

/// Items of a queue shown under one lock: some tens of microseconds.
const QUEUE_LOOKS_MAX: usize = 256;

impl Shard {
    /// The hash bits by which a listing that begins now goes through the index.
    pub(in super::super) fn dump_bits(&self) -> u32 {
        31 - self.index.buckets().leading_zeros()
    }

    /// Shows the live items of the chosen classes whose hash ends in `low`.
    pub(in super::super) fn dump(
        &mut self,
        low: u32,
        bits: u32,
        classes: u64,
        now: Now,
        see: &mut dyn FnMut(&ItemInfo<'_>),
    ) {
        self.begin(now);
        self.index.for_each_in(low, bits, |handle| {
            let chunk = self.lease.at(handle);
            if self.death(&Header::read(chunk), chunk, now).is_some() {
                return;
            }
            let info = self.info(handle, now);
            if classes & (1 << info.class) != 0 {
                see(&info);
            }
        });
    }

    /// Shows some items of a class's COLD queues, newest first, from `cursor` on.
    pub(in super::super) fn cachedump(
        &mut self,
        class: u8,
        cursor: &mut QueueCursor,
        now: Now,
        see: &mut dyn FnMut(&ItemInfo<'_>) -> bool,
    ) -> Walk {
        self.begin(now);
        let cuts = self.common.classes.cuts_of(class);
        let mut looked = 0;
        while looked < QUEUE_LOOKS_MAX {
            let cut = cuts.start + cursor.cut;
            if !cuts.contains(&cut) {
                return Walk::Ended;
            }
            let mut handle = match cursor.seen.is_empty() {
                true => self.queues[usize::from(cut)].head(Queue::Cold),
                false => self.after_seen(cursor, cut),
            };
            cursor.seen.clear();
            while !handle.is_none() && looked < QUEUE_LOOKS_MAX {
                looked += 1;
                let chunk = self.lease.at(handle);
                let header = Header::read(chunk);
                if self.death(&header, chunk, now).is_none() && !see(&self.info(handle, now)) {
                    return Walk::Stopped;
                }
                cursor.seen.push((handle, header.serial));
                handle = header.next;
            }
            if handle.is_none() {
                cursor.seen.clear();
                cursor.cut += 1;
                looked += 1;
            }
        }
        Walk::Going
    }

    /// The item behind the last of those seen that is still where it was.
    fn after_seen(&self, cursor: &QueueCursor, cut: u16) -> Handle {
        let seen = cursor.seen.iter().rev();
        let mut next = seen.filter_map(|(handle, serial)| {
            if !self.slabs.is_chunk(&self.lease, *handle, cut) {
                return None;
            }
            let chunk = self.lease.at(*handle);
            if item::kind_of(chunk) != Kind::Linked {
                return None;
            }
            let header = Header::read(chunk);
            let is_there = header.serial == *serial && header.queue() == Queue::Cold;
            is_there.then_some(header.next)
        });
        next.next().unwrap_or(Handle::NONE)
    }

    /// Shows live items of a class from `cursor` on, looking at `budget` chunks or a few more.
    /// Returns how many it looked at, and whether it came to the end.
    pub(in super::super) fn walk_class(
        &mut self,
        class: u8,
        cursor: &mut ClassCursor,
        budget: usize,
        now: Now,
        see: &mut dyn FnMut(&ItemInfo<'_>),
    ) -> (usize, bool) {
        self.begin(now);
        let cuts = self.common.classes.cuts_of(class);
        let mut looked = 0;
        while looked < budget {
            let cut = cuts.start + cursor.cut;
            if !cuts.contains(&cut) {
                return (looked, true);
            }
            // A page may have changed hands since the last step: then the cut begins again.
            if cursor.page == 0 || !self.owns(cursor.page, cut) {
                cursor.page = self.slabs.newest_page(cut);
                cursor.chunk = 0;
            }
            if cursor.page == 0 {
                cursor.cut += 1;
                continue;
            }
            let mut chunks = self.slabs.chunks_of(&self.lease, cursor.page);
            chunks.skip(cursor.chunk);
            while looked < budget {
                let Some(handle) = chunks.next(&self.lease) else {
                    cursor.page = Slabs::older_page(&self.lease, cursor.page);
                    cursor.chunk = 0;
                    if cursor.page == 0 {
                        cursor.cut += 1;
                    }
                    looked += 1;
                    break;
                };
                looked += 1;
                cursor.chunk += 1;
                if self.live_size(handle, now).is_some() {
                    see(&self.info(handle, now));
                }
            }
        }
        (looked, false)
    }

    /// Adds this shard's counters and gauges to `totals`.
    pub(in super::super) fn add_totals(&self, totals: &mut StoreTotals) {
        totals.curr_items += self.index.len() as u64;
        totals.total_items += self.totals.total_items;
        totals.malloc_fails += self.totals.malloc_fails;
        totals.maintainer_juggles += self.totals.juggles;
        totals.slabs_moved += self.totals.pages_moved;
        totals.reassign_rescues += self.totals.rescues;
        totals.reassign_chunk_rescues += self.totals.piece_rescues;
        totals.reassign_evictions += self.totals.move_evictions;
        totals.index_bytes += u64::from(self.index.pages()) * self.lease.arena().page_size() as u64;
        for stats in &self.stats {
            totals.bytes += stats.requested;
            totals.evictions += stats.evicted;
            totals.reclaimed += stats.reclaimed;
            totals.expired_unfetched += stats.expired_unfetched;
            totals.evicted_unfetched += stats.evicted_unfetched;
            totals.evicted_active += stats.evicted_active;
            totals.crawler_reclaimed += stats.crawler_reclaimed;
            totals.crawler_items_checked += stats.crawler_items_checked;
            totals.moves_to_cold += stats.moves_to_cold;
            totals.moves_to_warm += stats.moves_to_warm;
            totals.moves_within_lru += stats.moves_within_lru;
            totals.direct_reclaims += stats.direct_reclaims;
            totals.lru_tail_pinned += stats.tail_pinned;
        }
    }

    /// The index's buckets.
    pub(in super::super) fn buckets(&self) -> u64 {
        u64::from(self.index.buckets())
    }

    /// Adds this shard's counters and gauges to each class.
    pub(in super::super) fn add_class_stats(&self, classes: &mut [ClassStats], now: Now) {
        let cuts = self.common.classes.cuts();
        for (number, (cut, stats)) in (0..).zip(cuts.iter().zip(&self.stats)) {
            let class = &mut classes[usize::from(cut.class)];
            let pages = self.slabs.cut(number);
            let capacity = u64::from(pages.capacity);
            class.chunks_per_page = class.chunks_per_page.max(pages.capacity);
            class.total_pages += u64::from(pages.pages);
            class.total_chunks += u64::from(pages.pages) * capacity;
            class.used_chunks += pages.used;
            class.free_chunks += self.slabs.free_chunks(number);
            let chunk_size = cut.chunk_size as u64;
            let page_size = self.lease.arena().page_size() as u64;
            class.memory_bytes += u64::from(pages.pages) * page_size;
            class.used_bytes += pages.used * chunk_size;
            class.free_bytes += self.slabs.free_chunks(number) * chunk_size;
            let items = u64::from(self.queues[usize::from(number)].total());
            class.item_bytes += stats.requested - items * self.common.classes.saved();
            self.add_queues(class, number, now);
            add_counters(class, stats);
        }
    }

    fn add_queues(&self, class: &mut ClassStats, cut: u16, now: Now) {
        let queues = &self.queues[usize::from(cut)];
        class.number_hot += u64::from(queues.count(Queue::Hot));
        class.number_warm += u64::from(queues.count(Queue::Warm));
        class.number_cold += u64::from(queues.count(Queue::Cold));
        class.number_temp += u64::from(queues.count(Queue::Temp));
        let age_s = |queue| {
            let tail = queues.tail(queue);
            if tail.is_none() {
                0
            } else {
                Header::read(self.lease.at(tail)).idle_s(now.uptime_s)
            }
        };
        class.age_hot_s = class.age_hot_s.max(age_s(Queue::Hot));
        class.age_warm_s = class.age_warm_s.max(age_s(Queue::Warm));
        class.age_s = class.age_s.max(age_s(Queue::Cold));
    }

    fn live_size(&self, handle: Handle, now: Now) -> Option<u32> {
        let chunk = self.lease.at(handle);
        if item::kind_of(chunk) != Kind::Linked {
            return None;
        }
        let header = Header::read(chunk);
        let size = self.logical_size(&header, chunk);
        let alive = self.death(&header, chunk, now).is_none();
        alive.then(|| u32::try_from(size).unwrap_or(u32::MAX))
    }

    /// Sets the counters to zero. Gauges stay.
    pub(in super::super) fn reset_stats(&mut self) {
        self.totals = ShardStats::default();
        for stats in &mut self.stats {
            *stats = CutStats {
                requested: stats.requested,
                ..CutStats::default()
            };
        }
    }
}

fn add_counters(class: &mut ClassStats, stats: &CutStats) {
    class.mem_requested += stats.requested;
    class.evicted += stats.evicted;
    class.evicted_nonzero += stats.evicted_nonzero;
    class.evicted_time_s = class.evicted_time_s.max(stats.evicted_time_s);
    class.out_of_memory += stats.out_of_memory;
    class.reclaimed += stats.reclaimed;
    class.expired_unfetched += stats.expired_unfetched;
    class.evicted_unfetched += stats.evicted_unfetched;
    class.evicted_active += stats.evicted_active;
    class.crawler_reclaimed += stats.crawler_reclaimed;
    class.crawler_items_checked += stats.crawler_items_checked;
    class.lru_tail_pinned += stats.tail_pinned;
    class.moves_to_cold += stats.moves_to_cold;
    class.moves_to_warm += stats.moves_to_warm;
    class.moves_within_lru += stats.moves_within_lru;
    class.direct_reclaims += stats.direct_reclaims;
}
