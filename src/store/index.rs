//! From a key's hash to the handles it may stand for.
//!
//! The index of a shard is an array of lines of 64 bytes, each a bucket of twelve slots:
//!
//! ```text
//!   bytes  0..12   tags: one byte of the hash for each slot
//!   bytes 12..16   overflow: the line that goes on where this one is full, or 0
//!   bytes 16..64   handles: four bytes for each slot, 0 where it is empty
//! ```
//!
//! A miss reads one line and, for each of its items, touches the item with probability 1/256; a
//! hit reads one line and the item. At the nine items a line that [`LOAD_MAX`] allows, the index
//! costs 7.1 bytes an item, overflow apart.
//!
//! It grows by linear hashing: one bucket is split in two whenever the load passes the bound, so
//! there is never a pause and never a second table. A split hashes the keys of one bucket again;
//! each item pays that about once in its life. Between two doublings the buckets not yet split
//! hold up to twice as much as those that are, hence the overflow lines.
//!
//! All words are atomics, written under the shard's lock. A worker that has several keys in hand
//! reads them without it, to prefetch: what it finds is a hint and may be out of date.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use super::arena::{Arena, Handle, LINE_WORDS, Lease};

/// Slots of a line.
const SLOTS: usize = 12;

/// The word that leads to the next line.
const OVERFLOW_WORD: usize = 3;

/// The first word of the handles.
const HANDLE_WORD: usize = 4;

/// Items a bucket holds on average before the next one is split.
pub(super) const LOAD_MAX: usize = 9;

const _: () = {
    assert!(HANDLE_WORD + SLOTS == LINE_WORDS);
    assert!(OVERFLOW_WORD * 4 == SLOTS);
};

/// The part of a hash that slots keep. The bucket comes from bits below it, the shard from above.
#[inline]
fn tag_of(hash: u64) -> u8 {
    hash.to_le_bytes()[4]
}

#[inline]
#[expect(clippy::cast_possible_truncation, reason = "the low half is wanted")]
const fn low_half(word: u64) -> u32 {
    word as u32
}

/// Where an item is found in the index.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Slot {
    line: u32,
    position: usize,
}

/// The part of an index that is read without the shard's lock.
#[derive(Debug)]
pub(super) struct Root {
    arena: Arc<Arena>,
    /// Buckets in use; those from here on do not exist yet.
    buckets: AtomicU32,
    /// The page of each run of buckets.
    pages: Box<[AtomicU32]>,
}

impl Root {
    /// The bucket of a hash when there are `buckets` of them.
    #[inline]
    fn bucket_of(hash: u64, buckets: u32) -> u32 {
        let mask = u32::MAX >> buckets.leading_zeros();
        let bucket = low_half(hash) & mask;
        if bucket >= buckets {
            bucket & (mask >> 1)
        } else {
            bucket
        }
    }

    /// The first line of a bucket.
    #[inline]
    fn line_of(&self, bucket: u32) -> u32 {
        let lines = self.arena.lines_per_page();
        let shift = lines.trailing_zeros();
        let page = self.pages[(bucket >> shift) as usize].load(Ordering::Acquire);
        (page << shift) + (bucket & (lines - 1))
    }

    /// Asks the processor for the line of this hash.
    #[inline]
    pub(super) fn prefetch_line(&self, hash: u64) {
        let buckets = self.buckets.load(Ordering::Acquire);
        let line = self.line_of(Self::bucket_of(hash, buckets));
        self.arena.prefetch_line(line);
    }

    /// Asks the processor for the items whose tag matches this hash.
    #[inline]
    pub(super) fn prefetch_items(&self, hash: u64) {
        let buckets = self.buckets.load(Ordering::Acquire);
        let line = self
            .arena
            .line(self.line_of(Self::bucket_of(hash, buckets)));
        let mut matches = matches(line, tag_of(hash));
        while let Some(position) = matches.next() {
            let handle = line[HANDLE_WORD + position].load(Ordering::Relaxed);
            if handle != 0 {
                self.arena.prefetch(Handle(handle));
            }
        }
    }
}

/// The positions of a line whose tag matches: a superset, to be verified.
#[derive(Clone, Copy)]
struct Matches {
    low: u64,
    high: u32,
}

#[inline]
fn matches(line: &[AtomicU32; LINE_WORDS], tag: u8) -> Matches {
    const ONES: u64 = 0x0101_0101_0101_0101;
    let first = u64::from(line[0].load(Ordering::Relaxed));
    let second = u64::from(line[1].load(Ordering::Relaxed));
    let third = line[2].load(Ordering::Relaxed);
    let pattern = ONES * u64::from(tag);
    let low = (first | second << 32) ^ pattern;
    let high = third ^ low_half(pattern);
    // The classic test for a zero byte; a carry may add a false match, never hide a true one.
    Matches {
        low: low.wrapping_sub(ONES) & !low & (ONES << 7),
        high: high.wrapping_sub(low_half(ONES)) & !high & (low_half(ONES) << 7),
    }
}

impl Matches {
    #[inline]
    fn next(&mut self) -> Option<usize> {
        if self.low != 0 {
            let position = self.low.trailing_zeros() as usize / 8;
            self.low &= self.low - 1;
            Some(position)
        } else if self.high != 0 {
            let position = 8 + self.high.trailing_zeros() as usize / 8;
            self.high &= self.high - 1;
            Some(position)
        } else {
            None
        }
    }
}

/// The index of one shard.
#[derive(Debug)]
pub(super) struct Index {
    root: Arc<Root>,
    buckets: u32,
    items: usize,
    /// Overflow lines that nobody uses, linked through their overflow word.
    free_lines: u32,
    /// The next line of the page that overflow lines are cut from, and how many are left.
    fresh_line: u32,
    fresh_lines: u32,
    pages: u32,
    /// Room for the items of the bucket being split, kept for the next split.
    held: Vec<(u64, Handle)>,
}

impl Index {
    /// An index of one page, which `lease` holds already.
    pub(super) fn new(lease: &mut Lease, page: u32) -> Self {
        let arena = Arc::clone(lease.arena());
        lease.make_index(page);
        let geometry = arena.geometry();
        // A quarter of all pages would index items of 20 bytes; it is only a directory.
        let directory = (geometry.page_count as usize / 4).max(16);
        let pages: Box<[AtomicU32]> = (0..directory).map(|_| AtomicU32::new(0)).collect();
        pages[0].store(page, Ordering::Release);
        // Half the page for buckets, the other half for the lines that overflow.
        let lines = arena.lines_per_page();
        let index = Self {
            buckets: lines / 2,
            items: 0,
            free_lines: 0,
            fresh_line: 0,
            fresh_lines: 0,
            pages: 1,
            held: Vec::with_capacity(SLOTS * 2),
            root: Arc::new(Root {
                arena,
                buckets: AtomicU32::new(lines / 2),
                pages,
            }),
        };
        (0..index.buckets).for_each(|bucket| index.clear(index.root.line_of(bucket)));
        index
    }

    /// The part that is read without the lock.
    pub(super) fn root(&self) -> Arc<Root> {
        Arc::clone(&self.root)
    }

    /// Items in the index.
    pub(super) fn len(&self) -> usize {
        self.items
    }

    /// Buckets in use.
    pub(super) fn buckets(&self) -> u32 {
        self.buckets
    }

    /// Pages that the index holds.
    pub(super) fn pages(&self) -> u32 {
        self.pages
    }

    #[inline]
    fn line(&self, line: u32) -> &[AtomicU32; LINE_WORDS] {
        self.root.arena.line(line)
    }

    #[inline]
    fn first_line(&self, hash: u64) -> u32 {
        self.root.line_of(Root::bucket_of(hash, self.buckets))
    }

    /// Finds the item of this hash that `is_it` recognises.
    #[inline]
    pub(super) fn find(
        &self,
        hash: u64,
        mut is_it: impl FnMut(Handle) -> bool,
    ) -> Option<(Slot, Handle)> {
        let mut at = self.first_line(hash);
        loop {
            let line = self.line(at);
            let mut matches = matches(line, tag_of(hash));
            while let Some(position) = matches.next() {
                let handle = Handle(line[HANDLE_WORD + position].load(Ordering::Relaxed));
                if !handle.is_none() && is_it(handle) {
                    return Some((Slot { line: at, position }, handle));
                }
            }
            at = line[OVERFLOW_WORD].load(Ordering::Relaxed);
            if at == 0 {
                return None;
            }
        }
    }

    /// Whether the next insertion may need an overflow line that is not there.
    pub(super) fn wants_page(&self) -> bool {
        self.free_lines == 0 && self.fresh_lines == 0
    }

    /// Gives the index a page, which `lease` holds, for overflow lines.
    pub(super) fn add_overflow_page(&mut self, lease: &mut Lease, page: u32) {
        lease.make_index(page);
        self.pages += 1;
        let lines = self.root.arena.lines_per_page();
        self.fresh_line = page * lines;
        self.fresh_lines = lines;
    }

    /// Adds an item. False when its bucket is full and no overflow line is left.
    pub(super) fn insert(&mut self, hash: u64, handle: Handle) -> bool {
        let mut at = self.first_line(hash);
        loop {
            let line = self.line(at);
            if let Some(position) = empty_position(line) {
                self.set(Slot { line: at, position }, tag_of(hash), handle);
                self.items += 1;
                return true;
            }
            let next = line[OVERFLOW_WORD].load(Ordering::Relaxed);
            if next != 0 {
                at = next;
                continue;
            }
            let Some(fresh) = self.take_line() else {
                return false;
            };
            self.line(at)[OVERFLOW_WORD].store(fresh, Ordering::Relaxed);
            at = fresh;
        }
    }

    /// Has the slot lead to another place: the item has moved, or another took over its key.
    pub(super) fn replace(&mut self, slot: Slot, handle: Handle) {
        self.line(slot.line)[HANDLE_WORD + slot.position].store(handle.0, Ordering::Relaxed);
    }

    /// Takes the item at `slot` out. Other slots of the same bucket may change place.
    pub(super) fn remove(&mut self, hash: u64, slot: Slot) {
        self.items -= 1;
        let line = self.line(slot.line);
        line[HANDLE_WORD + slot.position].store(0, Ordering::Relaxed);
        let first = self.first_line(hash);
        if self.line(first)[OVERFLOW_WORD].load(Ordering::Relaxed) != 0 {
            self.pull_back(first, slot);
        }
    }

    /// Fills a hole in a chain from its last line, and frees that line when it becomes empty.
    fn pull_back(&mut self, first: u32, hole: Slot) {
        let mut before = first;
        let mut last = self.line(first)[OVERFLOW_WORD].load(Ordering::Relaxed);
        loop {
            let next = self.line(last)[OVERFLOW_WORD].load(Ordering::Relaxed);
            if next == 0 {
                break;
            }
            before = last;
            last = next;
        }
        if hole.line != last
            && let Some(position) = filled_position(self.line(last))
        {
            let line = self.line(last);
            let handle = Handle(line[HANDLE_WORD + position].load(Ordering::Relaxed));
            let tag = tag_at(line, position);
            line[HANDLE_WORD + position].store(0, Ordering::Relaxed);
            self.set(hole, tag, handle);
        }
        if filled_position(self.line(last)).is_none() {
            self.line(before)[OVERFLOW_WORD].store(0, Ordering::Relaxed);
            self.line(last)[OVERFLOW_WORD].store(self.free_lines, Ordering::Relaxed);
            self.free_lines = last;
        }
    }

    fn set(&mut self, slot: Slot, tag: u8, handle: Handle) {
        let line = self.line(slot.line);
        let word = &line[slot.position / 4];
        let shift = slot.position % 4 * 8;
        let tags = word.load(Ordering::Relaxed) & !(0xff << shift) | u32::from(tag) << shift;
        word.store(tags, Ordering::Relaxed);
        line[HANDLE_WORD + slot.position].store(handle.0, Ordering::Relaxed);
    }

    fn take_line(&mut self) -> Option<u32> {
        let line = if self.free_lines != 0 {
            let line = self.free_lines;
            self.free_lines = self.line(line)[OVERFLOW_WORD].load(Ordering::Relaxed);
            line
        } else if self.fresh_lines != 0 {
            self.fresh_lines -= 1;
            self.fresh_line + self.fresh_lines
        } else {
            return None;
        };
        self.clear(line);
        Some(line)
    }

    /// Empties a line, of which nothing was known before: a whole page at once would take long.
    fn clear(&self, line: u32) {
        for word in self.line(line) {
            word.store(0, Ordering::Relaxed);
        }
    }

    /// Whether a bucket should be split.
    pub(super) fn wants_split(&self) -> bool {
        self.items > self.buckets as usize * LOAD_MAX && self.next_run() < self.root.pages.len()
    }

    /// Whether the next split needs a page for its bucket.
    pub(super) fn split_needs_page(&self) -> bool {
        let next = self.root.pages.get(self.next_run());
        next.is_some_and(|page| page.load(Ordering::Relaxed) == 0)
    }

    /// The run of buckets that the next split adds to.
    fn next_run(&self) -> usize {
        (self.buckets / self.root.arena.lines_per_page()) as usize
    }

    /// Gives the index a page, which `lease` holds, for the next buckets.
    pub(super) fn add_bucket_page(&mut self, lease: &mut Lease, page: u32) {
        lease.make_index(page);
        self.pages += 1;
        self.root.pages[self.next_run()].store(page, Ordering::Release);
    }

    /// Makes as many buckets as there were in another life of the memory, while the index is
    /// empty. `page` finds the pages for them. False when this index cannot have so many, or there
    /// is no page.
    pub(super) fn grow_empty(
        &mut self,
        lease: &mut Lease,
        buckets: u32,
        mut page: impl FnMut(&mut Lease) -> Option<u32>,
    ) -> bool {
        debug_assert_eq!(self.items, 0, "items would be in the wrong buckets");
        let lines = self.root.arena.lines_per_page();
        if buckets < self.buckets || buckets.div_ceil(lines) as usize > self.root.pages.len() {
            return false;
        }
        while self.buckets < buckets {
            if self.split_needs_page() {
                let Some(page) = page(lease) else {
                    return false;
                };
                self.add_bucket_page(lease, page);
            }
            // To the end of this page, or of the wish.
            let end = buckets.min((self.buckets / lines + 1) * lines);
            (self.buckets..end).for_each(|bucket| self.clear(self.root.line_of(bucket)));
            self.buckets = end;
        }
        self.root.buckets.store(self.buckets, Ordering::Release);
        true
    }

    /// Splits one bucket in two. `hash_of` computes an item's hash again.
    pub(super) fn split(&mut self, mut hash_of: impl FnMut(Handle) -> u64) {
        let old = self.buckets & (u32::MAX >> (self.buckets.leading_zeros() + 1));
        let first = self.root.line_of(old);
        // Gather the bucket, give its overflow lines back, and insert everything again.
        let mut held = std::mem::take(&mut self.held);
        let mut at = first;
        while at != 0 {
            let line = self.line(at);
            for word in &line[HANDLE_WORD..] {
                let handle = Handle(word.load(Ordering::Relaxed));
                if !handle.is_none() {
                    held.push((hash_of(handle), handle));
                }
            }
            at = line[OVERFLOW_WORD].load(Ordering::Relaxed);
        }
        let mut at = self.line(first)[OVERFLOW_WORD].load(Ordering::Relaxed);
        while at != 0 {
            let next = self.line(at)[OVERFLOW_WORD].load(Ordering::Relaxed);
            self.line(at)[OVERFLOW_WORD].store(self.free_lines, Ordering::Relaxed);
            self.free_lines = at;
            at = next;
        }
        self.clear(first);
        self.clear(self.root.line_of(self.buckets));
        self.buckets += 1;
        self.root.buckets.store(self.buckets, Ordering::Release);
        self.items -= held.len();
        for (hash, handle) in held.drain(..) {
            let inserted = self.insert(hash, handle);
            assert!(inserted, "the bucket's own lines are free again");
        }
        self.held = held;
    }

    /// The handles in the buckets that the low `bits` of a hash lead to.
    pub(super) fn for_each_in(&self, low: u32, bits: u32, mut see: impl FnMut(Handle)) {
        let mut bucket = low;
        while bucket < self.buckets {
            let mut at = self.root.line_of(bucket);
            while at != 0 {
                let line = self.line(at);
                for word in &line[HANDLE_WORD..] {
                    let handle = Handle(word.load(Ordering::Relaxed));
                    if !handle.is_none() {
                        see(handle);
                    }
                }
                at = line[OVERFLOW_WORD].load(Ordering::Relaxed);
            }
            bucket += 1 << bits;
        }
    }
}

fn empty_position(line: &[AtomicU32; LINE_WORDS]) -> Option<usize> {
    line[HANDLE_WORD..]
        .iter()
        .position(|word| word.load(Ordering::Relaxed) == 0)
}

fn filled_position(line: &[AtomicU32; LINE_WORDS]) -> Option<usize> {
    line[HANDLE_WORD..]
        .iter()
        .position(|word| word.load(Ordering::Relaxed) != 0)
}

fn tag_at(line: &[AtomicU32; LINE_WORDS], position: usize) -> u8 {
    line[position / 4].load(Ordering::Relaxed).to_le_bytes()[position % 4]
}
