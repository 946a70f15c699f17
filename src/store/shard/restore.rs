//! A shard's way into another process: what is told of it at the end, and how it is filled again.
//!
//! What is told has a checksum of each page, so bytes that have changed are found. What an item,
//! a queue or a chain says is checked all the same before anything follows it: a handle must be
//! the place of a chunk of the right cut, sizes must fit their chunk, and every link must be
//! answered by its neighbour's. Each step visits an item once, so nothing can go in circles.

use super::super::arena::Handle;
use super::super::item::{self, Header, Kind, Mark, PIECE_HEADER_SIZE, Queue};
use super::super::saved::{Damage, SavedPage, SavedQueue, SavedShard};
use super::super::slab::{NO_EXPIRY, Slabs};
use super::Shard;
use crate::limits::KEY_SIZE_MAX;

impl Shard {
    /// Ends uploads and pins, and describes the shard. To be called when nobody uses it any more.
    pub(in super::super) fn save(&mut self) -> SavedShard {
        let uploads: Vec<usize> = self.uploads.iter().map(|(id, _)| id).collect();
        for id in uploads {
            self.abort_upload(id);
        }
        let pins: Vec<usize> = self.pins.iter().map(|(id, _)| id).collect();
        for id in pins {
            self.unpin(id);
        }
        while self.free_doomed() {}
        let mut saved = SavedShard {
            serial: self.serial,
            flushed: self.flushed,
            flush_at_s: self.flush_at_s,
            buckets: self.index.buckets(),
            ..SavedShard::default()
        };
        for cut in self.cut_numbers() {
            let mut page = self.slabs.oldest_page(cut);
            while page != 0 {
                let checksum = self.checksum(page);
                saved.pages.push(SavedPage {
                    page,
                    cut,
                    checksum,
                });
                page = Slabs::newer_page(&self.lease, page);
            }
            for queue in Queue::ALL {
                let queues = &self.queues[usize::from(cut)];
                if queues.count(queue) != 0 {
                    saved.queues.push(SavedQueue {
                        cut,
                        queue: queue as u8,
                        head: queues.head(queue).0,
                        tail: queues.tail(queue).0,
                        count: queues.count(queue),
                    });
                }
            }
        }
        saved
    }

    /// Fills an empty shard, whose lease has the pages already, with what was saved.
    pub(in super::super) fn restore(
        &mut self,
        saved: &SavedShard,
        shards: usize,
    ) -> Result<(), Damage> {
        let common = std::sync::Arc::clone(&self.common);
        let take = |lease: &mut _| common.pool.take(lease);
        if !self.index.grow_empty(&mut self.lease, saved.buckets, take) {
            return Err(Damage::NoMemory);
        }
        self.serial = saved.serial;
        self.flushed = saved.flushed;
        self.flush_at_s = saved.flush_at_s;
        let cuts = self.queues.len();
        let mut linked = vec![0_u64; cuts];
        let mut pieces = 0_u64;
        // All pages first: a chain may lead to any of them.
        for page in &saved.pages {
            if usize::from(page.cut) >= cuts {
                return Err(Damage::Description);
            }
            if self.checksum(page.page) != page.checksum {
                return Err(Damage::Page);
            }
            let counts = self
                .slabs
                .adopt_page(&mut self.lease, page.cut, page.page)
                .ok_or(Damage::Item)?;
            linked[usize::from(page.cut)] += u64::from(counts.linked);
            pieces += u64::from(counts.pieces);
        }
        for page in &saved.pages {
            let claimed = self.restore_page(page, shards)?;
            pieces = u64::checked_sub(pieces, claimed).ok_or(Damage::Chain)?;
        }
        if pieces != 0 {
            return Err(Damage::Chain);
        }
        for queue in &saved.queues {
            let linked = linked
                .get_mut(usize::from(queue.cut))
                .ok_or(Damage::Description)?;
            self.restore_queue(queue)?;
            *linked = linked
                .checked_sub(u64::from(queue.count))
                .ok_or(Damage::Chain)?;
        }
        // Each queue has as many items as it says, none is in two, and none is in no queue.
        if linked.iter().any(|left| *left != 0) {
            return Err(Damage::Chain);
        }
        self.totals.total_items = self.index.len() as u64;
        Ok(())
    }

    pub(super) fn cut_numbers(&self) -> std::ops::Range<u16> {
        0..u16::try_from(self.queues.len()).unwrap_or(u16::MAX)
    }

    fn checksum(&self, page: u32) -> u32 {
        let start = self.lease.arena().handle_at(page, 0);
        crc32fast::hash(self.lease.at(start))
    }

    /// Judges the items of a page and enters them in the index. Returns how many pieces are theirs.
    fn restore_page(&mut self, page: &SavedPage, shards: usize) -> Result<u64, Damage> {
        let mut earliest_s = NO_EXPIRY;
        let mut pieces = 0;
        let mut chunks = self.slabs.chunks_of(&self.lease, page.page);
        while let Some(handle) = chunks.next(&self.lease) {
            let chunk = self.lease.at(handle);
            if item::kind_of(chunk) != Kind::Linked {
                continue;
            }
            let header = Header::read(chunk);
            pieces += self.judge_item(handle, &header, page.cut)?;
            let chunk = self.lease.at(handle);
            let hash = self.common.hash(header.key(chunk));
            if super::super::place_of(hash, shards) != self.number as usize {
                return Err(Damage::Item);
            }
            let expiry_s = header.expiry_s(chunk);
            if expiry_s != 0 {
                earliest_s = earliest_s.min(expiry_s);
            }
            self.stats[usize::from(page.cut)].requested += self.logical_size(&header, chunk);
            self.enter(hash, handle)?;
        }
        Slabs::set_earliest_expiry(&mut self.lease, page.page, earliest_s);
        Ok(pieces)
    }

    /// Enters an item in the index, which takes no page from items for it.
    fn enter(&mut self, hash: u64, handle: Handle) -> Result<(), Damage> {
        if !self.index.insert(hash, handle) {
            let page = self.common.pool.take(&mut self.lease);
            let page = page.ok_or(Damage::NoMemory)?;
            self.index.add_overflow_page(&mut self.lease, page);
            if !self.index.insert(hash, handle) {
                return Err(Damage::NoMemory);
            }
        }
        Ok(())
    }

    /// Whether an item's sizes fit its chunk and its pieces are its own. Returns how many it has.
    fn judge_item(&self, handle: Handle, header: &Header, cut: u16) -> Result<u64, Damage> {
        let shape = self.common.classes.cuts()[usize::from(cut)];
        let is_whole = (1..=KEY_SIZE_MAX).contains(&header.key_size())
            && header.value_at() + header.inline_size() <= shape.chunk_size
            && !header.has(Mark::PINNED);
        if !is_whole {
            return Err(Damage::Item);
        }
        if !header.is_long() {
            return Ok(0);
        }
        if !shape.long || !header.has_expiry() || !header.has_cas_room() {
            return Err(Damage::Item);
        }
        let chunk = self.lease.at(handle);
        let value_size = header.value_size(chunk) as usize;
        let rest = value_size.checked_sub(header.inline_size());
        let rest = rest.filter(|rest| *rest > 0).ok_or(Damage::Item)?;
        let room = shape.chunk_size - PIECE_HEADER_SIZE;
        let count = rest.div_ceil(room);
        let (mut before, mut piece) = (handle, header.first_piece(chunk));
        for _ in 0..count {
            if !self.slabs.is_chunk(&self.lease, piece, cut) {
                return Err(Damage::Chain);
            }
            let chunk = self.lease.at(piece);
            let is_ours = item::kind_of(chunk) == Kind::Piece
                && item::piece_prev(chunk) == before
                && item::piece_owner(chunk) == handle;
            if !is_ours {
                return Err(Damage::Chain);
            }
            before = piece;
            piece = item::piece_next(chunk);
        }
        if !piece.is_none() {
            return Err(Damage::Chain);
        }
        Ok(count as u64)
    }

    /// Follows a queue from its head. Every item names the one before it, so none is met twice.
    fn restore_queue(&mut self, saved: &SavedQueue) -> Result<(), Damage> {
        let queue = *Queue::ALL
            .get(usize::from(saved.queue))
            .ok_or(Damage::Description)?;
        if self.queues[usize::from(saved.cut)].count(queue) != 0 {
            return Err(Damage::Description);
        }
        let (mut before, mut handle) = (Handle::NONE, saved.head());
        for _ in 0..saved.count {
            if !self.slabs.is_chunk(&self.lease, handle, saved.cut) {
                return Err(Damage::Chain);
            }
            let chunk = self.lease.at(handle);
            let header = Header::read(chunk);
            let is_next = item::kind_of(chunk) == Kind::Linked
                && header.queue() == queue
                && header.prev == before;
            if !is_next {
                return Err(Damage::Chain);
            }
            before = handle;
            handle = header.next;
        }
        if !handle.is_none() || before != saved.tail() || saved.count == 0 {
            return Err(Damage::Chain);
        }
        let queues = &mut self.queues[usize::from(saved.cut)];
        queues.adopt(queue, saved.head(), saved.tail(), saved.count);
        Ok(())
    }
}
