//! Looks at the items themselves: the largest ones, and some taken at random.
//!
//! Both are bounded and go in small steps, one shard lock at a time, so that they can be asked of
//! a store that is at work.

use std::collections::BTreeMap;

use super::Store;
use super::api::{DumpCursor, ItemInfo};
use super::arena::Handle;
use crate::time::{Expiry, Now};

/// Chunks looked at under one lock: some tens of microseconds.
const CHUNK_COUNT_MAX: usize = 256;

/// Locks taken in one step of a search.
const LOCK_COUNT_MAX: usize = 64;

/// Chunks that one search looks at.
const SEARCH_COUNT_MAX: usize = 1 << 16;

/// Logical sizes are counted in steps of this many bytes.
const SIZE_STEP: u32 = 32;

/// Items and buckets looked at under one lock for a sample, and locks taken.
const SAMPLE_STEP: usize = 64;
const SAMPLE_LOCKS_MAX: usize = 256;

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

/// Where a walk through the COLD queues of a class in one shard stands.
#[derive(Debug, Default)]
pub(super) struct QueueCursor {
    /// The cut, counted from the class's first.
    pub(super) cut: u16,
    /// The items of that cut seen in the last step, and their serial numbers: the walk goes on
    /// behind the last of them that is still there.
    pub(super) seen: Vec<(Handle, u32)>,
}

/// Items counted by logical size, in steps of 32 bytes: a walk through all of them.
#[derive(Debug)]
pub struct SizeWalk {
    shard: usize,
    class: u8,
    cursor: ClassCursor,
    counts: BTreeMap<u32, u64>,
}

impl Default for SizeWalk {
    fn default() -> Self {
        Self {
            shard: 0,
            class: 1,
            cursor: ClassCursor::default(),
            counts: BTreeMap::new(),
        }
    }
}

impl SizeWalk {
    /// Sizes, each with how many items are that large and larger than the one before.
    pub fn counts(&self) -> impl Iterator<Item = (u32, u64)> + '_ {
        self.counts.iter().map(|(size, count)| (*size, *count))
    }
}

/// What came of a step of a walk.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Walk {
    /// There is more.
    Going,
    /// There is no more.
    Ended,
    /// Whoever looks on has had enough.
    Stopped,
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

    /// Shows items of one class's COLD queue, newest first, until `see` returns false. What moves
    /// meanwhile may be missed or seen twice.
    pub fn cachedump(&self, class: u8, now: Now, see: &mut dyn FnMut(&ItemInfo<'_>) -> bool) {
        for place in &self.places {
            let mut cursor = QueueCursor::default();
            loop {
                let walk = place.shard.lock().cachedump(class, &mut cursor, now, see);
                match walk {
                    Walk::Going => {}
                    Walk::Ended => break,
                    Walk::Stopped => return,
                }
            }
        }
    }

    /// Goes on counting items by their sizes, for some tens of microseconds. True when it is over.
    pub fn count_sizes(&self, walk: &mut SizeWalk, now: Now) -> bool {
        let mut left = CHUNK_COUNT_MAX;
        for _ in 0..LOCK_COUNT_MAX {
            let Some(place) = self.places.get(walk.shard) else {
                return true;
            };
            let counts = &mut walk.counts;
            let mut see = |item: &ItemInfo<'_>| {
                let size = item.size.div_ceil(SIZE_STEP) * SIZE_STEP;
                *counts.entry(size).or_default() += 1;
            };
            let mut shard = place.shard.lock();
            let (looked, done) =
                shard.walk_class(walk.class, &mut walk.cursor, left, now, &mut see);
            drop(shard);
            if done {
                walk.cursor = ClassCursor::default();
                walk.class += 1;
            }
            if walk.class > self.class_max() {
                walk.class = 1;
                walk.shard += 1;
            }
            left = left.saturating_sub(looked);
            if left == 0 {
                return false;
            }
        }
        false
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
        for _ in 0..SAMPLE_LOCKS_MAX {
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::super::api::{Delete, Put, PutStatus};
    use super::super::{item, testing};
    use super::*;

    const NOW: Now = Now {
        uptime_s: 100,
        unix_s: 1_700_000_000,
    };

    fn store(megabytes: u64) -> Store {
        Store::new(&testing::config(megabytes)).unwrap()
    }

    fn set(store: &Store, key: &str, size: usize, expiry: Expiry) {
        let put = Put {
            expiry,
            ..Put::new(key.as_bytes(), store.hash(key.as_bytes()))
        };
        let reply = if size > 4096 {
            // As a session brings a large value.
            let bytes = vec![b'x'; size];
            let mut upload = store
                .begin_upload(&put, bytes.len().try_into().unwrap(), NOW)
                .unwrap();
            store.fill_upload(&mut upload, &bytes, NOW).unwrap();
            store.finish_upload(upload, NOW)
        } else {
            store.put(&put, &vec![b'x'; size], NOW)
        };
        assert_eq!(reply.status, PutStatus::Stored);
    }

    fn delete(store: &Store, key: &str) {
        let _ = store.delete(
            &Delete::new(key.as_bytes(), store.hash(key.as_bytes())),
            NOW,
        );
    }

    fn largest(store: &Store, count: usize, now: Now) -> Largest {
        let mut search = store.begin_search(count);
        while !store.search(&mut search, now) {}
        store.end_search(search, now)
    }

    fn keys(largest: &Largest) -> Vec<String> {
        let keys = largest.items.iter().map(|item| &item.key);
        keys.map(|key| String::from_utf8_lossy(key).into_owned())
            .collect()
    }

    #[test]
    fn the_largest_items_are_found_whatever_lies_beside_them() {
        let store = store(256);
        for number in 0..20_000 {
            set(
                &store,
                &format!("small:{number}"),
                number % 900,
                Expiry::NEVER,
            );
        }
        let sizes = [
            900_000, 300_000, 299_990, 70_000, 40_000, 39_000, 9000, 2000,
        ];
        for (rank, size) in sizes.iter().enumerate() {
            set(&store, &format!("large:{rank}"), *size, Expiry::NEVER);
        }
        let wanted: Vec<String> = (0..sizes.len())
            .map(|rank| format!("large:{rank}"))
            .collect();
        for count in [1, 2, 5, 8] {
            let found = largest(&store, count, NOW);
            assert!(found.is_complete);
            assert_eq!(keys(&found), wanted[..count]);
            let values: Vec<usize> = found
                .items
                .iter()
                .map(|item| item.value_size as usize)
                .collect();
            assert_eq!(values, sizes[..count]);
        }
        let few = largest(&store, 8, NOW);
        assert!(few.looked_at < 2000, "{}", few.looked_at);
        assert!(
            few.items
                .iter()
                .all(|item| item.size > item.value_size && item.class > 0)
        );
    }

    #[test]
    fn what_has_gone_since_it_was_found_is_not_told_and_what_has_changed_is_told_anew() {
        let store = store(64);
        for (key, size, expiry) in [
            ("deleted", 50_000, Expiry::NEVER),
            ("expired", 40_000, Expiry::at(NOW.uptime_s + 5)),
            ("shrunk", 30_000, Expiry::NEVER),
            ("kept", 20_000, Expiry::at(NOW.uptime_s + 500)),
        ] {
            set(&store, key, size, expiry);
        }
        let mut search = store.begin_search(4);
        while !store.search(&mut search, NOW) {}
        delete(&store, "deleted");
        set(&store, "shrunk", 10, Expiry::NEVER);
        let later = Now {
            uptime_s: NOW.uptime_s + 5,
            unix_s: NOW.unix_s + 5,
        };
        let found = store.end_search(search, later);
        assert_eq!(keys(&found), ["kept", "shrunk"]);
        assert_eq!(found.items[1].value_size, 10);
        assert_eq!(keys(&largest(&store, 9, later)), ["kept", "shrunk"]);
    }

    #[test]
    fn a_search_among_too_many_ends_with_some_of_their_class() {
        let store = store(64);
        for number in 0..SEARCH_COUNT_MAX + 10_000 {
            set(&store, &format!("{number:06}"), 60, Expiry::NEVER);
        }
        let mut search = store.begin_search(32);
        let mut steps = 0;
        while !store.search(&mut search, NOW) {
            steps += 1;
        }
        assert!(steps >= SEARCH_COUNT_MAX / CHUNK_COUNT_MAX - 1, "{steps}");
        let found = store.end_search(search, NOW);
        assert!(!found.is_complete);
        assert_eq!(found.items.len(), 32);
        assert!(found.looked_at <= (SEARCH_COUNT_MAX + CHUNK_COUNT_MAX) as u64);
        assert!(found.items.iter().all(|item| item.value_size == 60));
    }

    #[test]
    fn an_empty_store_has_nothing_large() {
        let found = largest(&store(64), 32, NOW);
        assert_eq!(
            (found.looked_at, found.is_complete, found.items.len()),
            (0, true, 0)
        );
    }

    #[test]
    fn a_search_goes_on_while_its_pages_change_hands() {
        let store = store(8);
        let mut search = store.begin_search(16);
        let mut round = 0_usize;
        let mut finished = 0;
        while finished < 20 {
            // Sizes that wander make classes give their pages to each other.
            for number in 0..40 {
                let size = 100 + (round * 37 + number * 911) % 60_000;
                set(
                    &store,
                    &format!("k{}", (round * 13 + number) % 500),
                    size,
                    Expiry::NEVER,
                );
            }
            delete(&store, &format!("k{}", round % 500));
            store.upkeep(NOW);
            round += 1;
            if store.search(&mut search, NOW) {
                let found = store.end_search(search, NOW);
                let sizes: Vec<u32> = found.items.iter().map(|item| item.size).collect();
                assert!(sizes.is_sorted_by(|a, b| a >= b));
                let mut names = keys(&found);
                names.sort();
                names.dedup();
                assert_eq!(names.len(), found.items.len());
                search = store.begin_search(16);
                finished += 1;
            }
        }
        store.check();
    }

    #[test]
    fn a_sample_has_all_of_few_items_and_some_of_many() {
        let store = store(256);
        let sample = |draw, count| {
            let mut seen: BTreeMap<Box<[u8]>, u32> = BTreeMap::new();
            store.sample(draw, count, NOW, &mut |item| {
                *seen.entry(item.key.into()).or_default() += 1
            });
            assert!(seen.values().all(|&times| times == 1));
            seen
        };
        for number in 0..1000 {
            set(&store, &format!("{number}"), 10, Expiry::NEVER);
        }
        for draw in 0..9 {
            assert_eq!(sample(draw, 1000).len(), 1000);
        }
        for number in 1000..50_000 {
            set(&store, &format!("{number}"), 10, Expiry::NEVER);
        }
        let mut samples: Vec<_> = (0..4).map(|draw| sample(draw, 500)).collect();
        assert!(
            samples
                .iter()
                .all(|sample| (500..600).contains(&sample.len()))
        );
        samples.dedup();
        assert_eq!(samples.len(), 4, "another draw is another sample");
    }

    #[test]
    fn bytes_by_class_add_up_to_what_items_take() {
        let store = store(64);
        let mut wanted: BTreeMap<u8, u64> = BTreeMap::new();
        for number in 0..5000_usize {
            let (key, size) = (format!("key:{number}"), number * 7 % 3000);
            set(&store, &key, size, Expiry::NEVER);
            let class = store.class_of(key.len(), size.try_into().unwrap(), 0);
            *wanted.entry(class).or_default() += (item::HEADER_SIZE + key.len() + size) as u64;
        }
        let stats = store.class_stats(NOW);
        for (class, stats) in stats.iter().enumerate() {
            let wanted = wanted.get(&u8::try_from(class).unwrap());
            assert_eq!(stats.item_bytes, wanted.copied().unwrap_or(0), "{class}");
            assert!(stats.item_bytes <= stats.used_bytes);
            assert!(stats.used_bytes + stats.free_bytes <= stats.memory_bytes);
        }
        let memory: u64 = stats.iter().map(|stats| stats.memory_bytes).sum();
        let totals = store.totals();
        let free = totals.free_pages * totals.page_size;
        assert_eq!(memory, totals.malloced_bytes - totals.index_bytes - free);
    }
}
