//! Looks at the items themselves: the largest ones, and some taken at random.
//!
//! Both are bounded and go in small steps, one shard lock at a time, so that they can be asked of
//! a store that is at work.

use super::Store;
use super::api::{DumpCursor, ItemInfo};
use crate::time::{Expiry, Now};

/// Chunks looked at under one lock: some tens of microseconds.
const CHUNK_COUNT_MAX: usize = 256;

/// Locks taken in one step of a search.
const LOCK_COUNT_MAX: usize = 64;

/// Chunks that one search looks at.
const SEARCH_COUNT_MAX: usize = 1 << 16;

/// Items and buckets looked at under one lock.
const SAMPLE_STEP: usize = 64;

/// An item as the search for the largest found it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct LargeItem {
    /// Its key, raw bytes.
    pub key: Box<[u8]>,
    /// Its logical size, in bytes.
    pub size: u32,
    /// Bytes of its value.
    pub value_size: u32,
    /// Its slab class.
    pub class: u8,
    /// When it dies.
    pub expiry: Expiry,
    /// Seconds of uptime at its last access.
    pub last_access_s: u32,
    /// Whether anyone has fetched it.
    pub fetched: bool,
}

impl LargeItem {
    fn of(item: &ItemInfo<'_>) -> Self {
        Self {
            key: item.key.into(),
            size: item.size,
            value_size: item.value_size,
            class: item.class,
            expiry: item.expiry,
            last_access_s: item.last_access_s,
            fetched: item.fetched,
        }
    }
}

/// Where a walk through the chunks of a class in one shard stands.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct ClassCursor {
    /// The cut, counted from the class's first.
    pub(super) cut: u16,
    /// The page to look at next; zero is the beginning of the cut.
    pub(super) page: u32,
    /// Chunks of that page that have been looked at.
    pub(super) chunk: usize,
}

/// A search for the largest items, which goes from the largest slab class down and ends with the
/// class in which there are enough. It is over after some tens of thousands of chunks whatever it
/// has found: where most items are of one class, those found are large ones of that class.
#[derive(Debug)]
pub struct LargestSearch {
    count_max: usize,
    class: u8,
    shard: usize,
    cursor: ClassCursor,
    /// Chunks looked at.
    chunks: usize,
    found: Vec<LargeItem>,
    /// The smallest size in `found`, once that is full.
    size_min: u32,
    seen: u64,
    is_complete: bool,
}

/// What a search has found.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Largest {
    /// Items looked at.
    pub looked_at: u64,
    /// Whether no item can be larger than those found.
    pub is_complete: bool,
    /// Items that exist, the largest first.
    pub items: Vec<LargeItem>,
}

impl LargestSearch {
    fn see(&mut self, item: &ItemInfo<'_>) {
        self.seen += 1;
        if self.found.len() >= self.count_max && item.size <= self.size_min {
            return;
        }
        // A walk whose page changes hands may see an item twice.
        if self.found.iter().any(|found| *found.key == *item.key) {
            return;
        }
        let item = LargeItem::of(item);
        if self.found.len() < self.count_max {
            self.found.push(item);
        } else if let Some(smallest) = self.found.iter_mut().min_by_key(|found| found.size) {
            *smallest = item;
        }
        let sizes = self.found.iter().map(|found| found.size);
        self.size_min = sizes.min().unwrap_or(0);
    }
}

impl Store {
    /// A search for so many of the largest items, which has not begun.
    pub fn begin_search(&self, count_max: usize) -> LargestSearch {
        LargestSearch {
            count_max,
            class: self.class_max(),
            shard: 0,
            cursor: ClassCursor::default(),
            chunks: 0,
            found: Vec::with_capacity(count_max),
            size_min: 0,
            seen: 0,
            is_complete: false,
        }
    }

    /// Goes on with a search, for some tens of microseconds. True when it is over.
    pub fn search(&self, search: &mut LargestSearch, now: Now) -> bool {
        let mut left = CHUNK_COUNT_MAX;
        for _ in 0..LOCK_COUNT_MAX {
            if search.class == 0 {
                search.is_complete = true;
                return true;
            }
            if search.chunks >= SEARCH_COUNT_MAX {
                return true;
            }
            let (class, mut cursor) = (search.class, search.cursor);
            let mut shard = self.places[search.shard].shard.lock();
            let see = &mut |item: &ItemInfo<'_>| search.see(item);
            let (looked, done) = shard.walk_class(class, &mut cursor, left, now, see);
            drop(shard);
            search.chunks += looked;
            search.cursor = cursor;
            if done {
                search.cursor = ClassCursor::default();
                search.shard += 1;
            }
            if search.shard == self.places.len() {
                search.shard = 0;
                search.class -= 1;
                // Whatever is of a smaller class is smaller.
                if search.found.len() >= search.count_max {
                    search.is_complete = true;
                    return true;
                }
            }
            left = left.saturating_sub(looked);
            if left == 0 {
                return false;
            }
        }
        false
    }

    /// What a search has found, of that what still exists, as it is now.
    pub fn end_search(&self, search: LargestSearch, now: Now) -> Largest {
        let found = search.found.into_iter();
        let mut items: Vec<LargeItem> = found
            .filter_map(|found| {
                let hash = self.hash(&found.key);
                self.peek(&found.key, hash, now, |item| {
                    item.as_ref().map(LargeItem::of)
                })
            })
            .collect();
        items.sort_by(|a, b| b.size.cmp(&a.size).then_with(|| a.key.cmp(&b.key)));
        Largest {
            looked_at: search.seen,
            is_complete: search.is_complete,
            items,
        }
    }

    /// Shows about `count` items, or all if there are fewer. Where an item is depends on its hash
    /// alone, so this is a sample of all; another `draw` gives another one.
    pub fn sample(&self, draw: u32, count: usize, now: Now, see: &mut dyn FnMut(&ItemInfo<'_>)) {
        let items: u64 = self.totals().curr_items;
        let mut cursor = DumpCursor::default();
        if items > count as u64 {
            // Half of all items at least lie behind the shard where this begins.
            cursor.shard = draw % u32::try_from(self.places.len().div_ceil(2)).unwrap_or(1);
        }
        let mut shown = 0;
        let rounds = 4 * count.div_ceil(SAMPLE_STEP);
        for _ in 0..rounds {
            let done = self.dump(&mut cursor, u64::MAX, now, SAMPLE_STEP, &mut |item| {
                shown += 1;
                see(item);
            });
            if done || shown >= count {
                return;
            }
        }
    }
}
