//! Memory: the items, and which of them stay.
//!
//! Pure: no socket, no thread, no clock. Knows keys, bytes, flags, cas and expiry; no wire words.
//!
//! ```text
//!   Store      hash -> shard -> lock                         this file, the only one that locks
//!    Shard     one part of the keyspace, sequential code     shard/
//!     Index    tags and handles in lines of 64 bytes         index.rs
//!     Queues   hot, warm, cold, temporary                    lru.rs
//!     Slabs    pages cut into chunks                         slab.rs, classes.rs
//!     item     what is written in a chunk                    item.rs
//!   Pool       pages that no shard has                       pool.rs
//!   Arena      the bytes                                     arena.rs
//!   Saved      what outlives the process                     saved.rs
//!   Walk       a copy of all items                           snapshot/
//! ```

mod api;
mod arena;
mod classes;
mod index;
mod item;
mod join;
mod lru;
#[cfg(any(test, fuzzing))]
pub mod model;
#[cfg(test)]
mod policy_tests;
mod pool;
mod saved;
#[cfg(test)]
mod saved_tests;
mod shard;
mod slab;
pub mod snapshot;
mod survey;
#[cfg(any(test, fuzzing))]
pub mod testing;
#[cfg(test)]
mod tests;
mod upkeep;

use std::fs::File;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use ahash::RandomState;
use parking_lot::Mutex;

pub use api::*;
pub use saved::{Contents, Damage, OpenError, Saved, SavedShard};
pub use shard::{Fetched, Hit};
pub use survey::{LargeItem, Largest, LargestSearch, SizeWalk};

use crate::time::Now;
use arena::{Arena, Geometry};
use classes::Classes;
use index::Root;
use join::Added;
use pool::Pool;
use shard::{Common, Shard, Short, Step};
use upkeep::{Upkeep, WARM_PAGES};

/// Memory that one shard should have at least, in bytes: enough pages for many cuts.
const SHARD_MEMORY_MIN: u64 = 32 << 20;

/// Shards for each worker: enough that two workers seldom meet.
const SHARDS_PER_WORKER: usize = 16;

/// Address space reserved at least, in bytes, so that the limit can be raised later.
const RESERVE_MIN: u64 = 4 << 30;

/// Attempts to find memory before a request is refused: each finds a page, and the longest request
/// needs one for each value of a worker's scratch buffer, or for the index.
const SHORT_ATTEMPTS_MAX: usize = 32;

/// Steps in which one page is sought, in the shard that needs it and in each of the others.
const SEEK_STEPS_MAX: usize = 10_000;

/// Pages tried that could not be emptied before it is taken for true that there is none.
const SEEK_FAILURES_MAX: usize = 8;

/// A shard, on a cache line of its own.
#[repr(align(128))]
struct Place {
    shard: Mutex<Shard>,
    root: Arc<Root>,
}

/// The keyspace, cut into shards that are locked one at a time.
///
/// Lock order: a shard, then the page pool. No path holds two shard locks.
pub struct Store {
    // Fixed at the start.
    places: Box<[Place]>,
    common: Arc<Common>,
    item_size_max: u32,
    /// Pages of the memory limit at the start.
    limit_pages: u32,
    /// Ratio of neighbouring chunk sizes.
    growth: f64,
    /// What keys are hashed with, where another process has to do the same.
    hash_keys: Option<[u64; 4]>,

    // Settings that change while running. Shards have copies.
    settings: Mutex<Settings>,
    memory_limit: AtomicU64,
    crawler: AtomicBool,

    // Where the things that happen by themselves stand.
    upkeep: Mutex<Upkeep>,
}

#[derive(Clone, Copy, Debug)]
struct Settings {
    lru: LruConfig,
    balance: BalanceConfig,
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Store")
            .field("shards", &self.places.len())
            .finish_non_exhaustive()
    }
}

/// How a store of this size is cut: bytes of a page and of a grain, as powers of two.
fn geometry(memory_limit: u64) -> Geometry {
    let page_shift = match memory_limit >> 30 {
        0..=4 => 16,
        5..=31 => 18,
        _ => 20,
    };
    // The finest grain whose handles reach four times the limit, or at least the limit.
    let mut grain_shift = 2;
    while (memory_limit >> grain_shift) >= 1 << 31 {
        grain_shift += 1;
    }
    let reach = (1 << 32) << grain_shift;
    let reserve = (memory_limit * 4).max(RESERVE_MIN).min(reach);
    Geometry {
        page_shift,
        grain_shift,
        page_count: u32::try_from(reserve >> page_shift).unwrap_or(u32::MAX),
    }
}

fn shard_count(memory_limit: u64, workers: usize) -> usize {
    let by_memory = usize::try_from(memory_limit / SHARD_MEMORY_MIN).unwrap_or(usize::MAX);
    let wanted = by_memory.clamp(1, workers.max(1) * SHARDS_PER_WORKER);
    // The power of two below, so that no shard has less than its minimum.
    1 << wanted.ilog2()
}

/// The table that memcached would have for as many items as fit so many buckets, as a power of
/// two. It grows its table at one and a half items a place.
fn wire_power(buckets: u64) -> u32 {
    (buckets * index::LOAD_MAX as u64 * 2 / 3)
        .next_power_of_two()
        .ilog2()
}

/// Ratio of neighbouring chunk sizes: the more pages a shard has, the finer.
fn cut_growth(pages_per_shard: u64) -> f64 {
    match pages_per_shard {
        0..128 => 4.0,
        128..256 => 1.12,
        // With 1.03 an item of a mix of sizes wasted less, yet fewer of them stayed: each size that
        // is rare holds a page of its own in each shard.
        _ => 1.06,
    }
}

/// Where items are.
enum Memory {
    /// Nowhere after the end.
    Anonymous,
    /// In a file. Keys are hashed with these numbers.
    File { file: File, hash_keys: [u64; 4] },
}

impl Memory {
    fn map(&self, geometry: Geometry, huge_pages: bool) -> io::Result<Arena> {
        match self {
            Self::Anonymous => Arena::reserve(geometry, huge_pages),
            Self::File { file, .. } => Arena::on_file(file.try_clone()?, geometry, huge_pages),
        }
    }

    fn hasher(&self, seed: Option<u64>) -> RandomState {
        match (self, seed) {
            (Self::File { hash_keys, .. }, _) => {
                let [a, b, c, d] = *hash_keys;
                RandomState::with_seeds(a, b, c, d)
            }
            (Self::Anonymous, None) => RandomState::new(),
            (Self::Anonymous, Some(seed)) => {
                RandomState::with_seed(usize::try_from(seed).unwrap_or(0))
            }
        }
    }
}

/// What memory that has been in use decides, and settings else.
#[derive(Default)]
struct Build {
    shards: Option<usize>,
    growth: Option<f64>,
    /// The pages with items, and the shard of each.
    owners: Option<Vec<(u32, usize)>>,
}

/// The shard of a hash, of so many.
#[inline]
fn place_of(hash: u64, shards: usize) -> usize {
    // The top bits choose the shard; the index uses the low 40.
    (hash >> 48) as usize & (shards - 1)
}

/// Bytes of a value, which may be longer than any that is stored.
fn value_size(value: &[u8]) -> u32 {
    u32::try_from(value.len()).unwrap_or(u32::MAX)
}

/// Takes steps until one finds memory. False when there is none.
fn seek(mut step: impl FnMut() -> Step) -> bool {
    let mut failures = 0;
    for _ in 0..SEEK_STEPS_MAX {
        match step() {
            Step::Emptied(_) | Step::Freed => return true,
            Step::Going | Step::Given => {}
            // The next page may be less busy.
            Step::Idle if failures < SEEK_FAILURES_MAX => failures += 1,
            Step::Idle => break,
        }
    }
    false
}

impl Store {
    /// Reserves address space for `config.memory_limit` bytes and more.
    ///
    /// # Errors
    ///
    /// When the address space cannot be had, or the limit leaves no page to a shard.
    pub fn new(config: &StoreConfig) -> io::Result<Self> {
        Self::build(config, &Memory::Anonymous, &Build::default())
    }

    fn build(config: &StoreConfig, memory: &Memory, build: &Build) -> io::Result<Self> {
        let mut geometry = geometry(config.memory_limit);
        let page_size = 1_u64 << geometry.page_shift;
        let limit_pages = (config.memory_limit >> geometry.page_shift).max(4);
        let huge_pages = config.memory_limit >= 64 << 20 || config.preallocate;
        let arena = loop {
            match memory.map(geometry, huge_pages) {
                Ok(arena) => break Arc::new(arena),
                // A system that limits address space gets along with less to spare.
                Err(_) if u64::from(geometry.page_count) / 2 > limit_pages => {
                    geometry.page_count /= 2;
                }
                Err(error) => return Err(error),
            }
        };
        let shards = shard_count(config.memory_limit, config.workers);
        let shards = build.shards.unwrap_or(shards);
        let growth = cut_growth(limit_pages / shards as u64);
        let growth = build.growth.unwrap_or(growth);
        let limit = u32::try_from(limit_pages).unwrap_or(u32::MAX);
        // What is there already may be more than the limit allows, until it has been looked at.
        let first_limit = build.owners.as_ref().map_or(limit, |_| u32::MAX);
        let common = Arc::new(Common {
            classes: Classes::new(
                config,
                usize::try_from(page_size).unwrap_or(usize::MAX),
                1 << geometry.grain_shift,
                growth,
            ),
            pool: Pool::new(Arc::clone(&arena), first_limit),
            hasher: memory.hasher(config.hash_seed),
            evict: config.evict,
            record: AtomicBool::new(false),
        });
        let count = u16::try_from(shards).unwrap_or(u16::MAX);
        let mut leases = arena::leases(&arena, count);
        if let Some(owners) = &build.owners
            && !common.pool.take_again(&mut leases, owners)
        {
            let cause = "pages of the memory file are said to be where none can be";
            return Err(io::Error::other(cause));
        }
        // The first pages are ready before the first request; upkeep keeps some ahead.
        let ready = if config.preallocate {
            limit
        } else {
            WARM_PAGES
        };
        common.pool.warm_up(ready, ready);
        let places: Option<Box<[Place]>> = leases
            .into_iter()
            .zip(0..)
            .map(|(lease, number)| {
                let shard = Shard::new(number, &common, lease, config.lru, config.balance)?;
                Some(Place {
                    root: shard.root(),
                    shard: Mutex::new(shard),
                })
            })
            .collect();
        let places = places.ok_or_else(|| io::Error::other("too little memory for the index"))?;
        Ok(Self {
            places,
            common,
            item_size_max: config.item_size_max,
            limit_pages: limit,
            growth,
            hash_keys: match memory {
                Memory::Anonymous => None,
                Memory::File { hash_keys, .. } => Some(*hash_keys),
            },
            settings: Mutex::new(Settings {
                lru: config.lru,
                balance: config.balance,
            }),
            memory_limit: AtomicU64::new(config.memory_limit),
            crawler: AtomicBool::new(config.crawler),
            upkeep: Mutex::new(Upkeep::default()),
        })
    }

    #[inline]
    fn place_number(&self, hash: KeyHash) -> usize {
        place_of(hash.0, self.places.len())
    }

    #[inline]
    fn place(&self, hash: KeyHash) -> &Place {
        &self.places[self.place_number(hash)]
    }

    /// Parts of the keyspace, each under a lock of its own.
    pub fn shard_count(&self) -> usize {
        self.places.len()
    }

    /// Hashes a key. Do it once and carry the result.
    #[inline]
    pub fn hash(&self, key: &[u8]) -> KeyHash {
        KeyHash(self.common.hash(key))
    }

    /// Asks the processor to fetch the index line of this hash. Takes no lock; a hint only.
    #[inline]
    pub fn prefetch_index(&self, hash: KeyHash) {
        self.place(hash).root.prefetch_line(hash.0);
    }

    /// Asks the processor to fetch the item of this hash. Do it some keys after
    /// [`Self::prefetch_index`]. Takes no lock; a hint only.
    #[inline]
    pub fn prefetch_item(&self, hash: KeyHash) {
        self.place(hash).root.prefetch_items(hash.0);
    }

    /// Finds an item and shows it to `see` under the shard's lock. `see` must be short and must
    /// not call the store. It is called again after [`Miss::NoMemory`] if memory has been found.
    #[inline]
    pub fn fetch<R>(
        &self,
        key: &[u8],
        hash: KeyHash,
        now: Now,
        how: &Fetch,
        mut see: impl FnMut(Fetched<'_>) -> R,
    ) -> R {
        let writes = how.touch.is_some() || how.vivify.is_some();
        let mut attempts = if writes { SHORT_ATTEMPTS_MAX } else { 0 };
        loop {
            let mut shard = self.place(hash).shard.lock();
            // In one place, and not looked at before it is shown: a get would cost 3 % more.
            let seen = see(shard.fetch(key, hash.0, now, how));
            if attempts == 0 || !shard.take_fetch_was_short() {
                return seen;
            }
            drop(shard);
            attempts -= 1;
            if !self.find_page(self.place_number(hash), now) {
                attempts = 0;
            }
        }
    }

    /// As [`Self::fetch`], leaving no trace: no hit mark, no queue move, no count.
    pub fn peek<R>(
        &self,
        key: &[u8],
        hash: KeyHash,
        now: Now,
        see: impl FnOnce(Option<ItemInfo<'_>>) -> R,
    ) -> R {
        let mut shard = self.place(hash).shard.lock();
        shard.peek(key, hash.0, now, see)
    }

    fn evicts(&self) -> bool {
        self.common.evict && self.lru().policy != LruPolicy::NoEviction
    }

    /// Runs a step that may find its shard short of memory, and takes pages from other shards
    /// for it. No two shards are locked at once: the page goes through the pool.
    fn with_memory<R>(
        &self,
        number: usize,
        now: Now,
        mut step: impl FnMut(&mut Shard) -> Result<R, Short>,
    ) -> Result<R, Short> {
        for _ in 0..SHORT_ATTEMPTS_MAX {
            if let Ok(result) = step(&mut self.places[number].shard.lock()) {
                return Ok(result);
            }
            if !self.find_page(number, now) {
                break;
            }
        }
        step(&mut self.places[number].shard.lock())
    }

    /// Finds a page for a shard that is short of memory, letting go of its lock between two steps.
    /// False when there is none.
    fn find_page(&self, number: usize, now: Now) -> bool {
        let own = &self.places[number];
        seek(|| own.shard.lock().seek_page(now))
            || self.evicts() && self.take_page_elsewhere(number, now)
    }

    fn take_page_elsewhere(&self, number: usize, now: Now) -> bool {
        (1..self.places.len()).any(|step| {
            let other = &self.places[(number + step) & (self.places.len() - 1)];
            seek(|| other.shard.lock().yield_page(now))
        })
    }

    /// Stores `value`. Takes one shard lock and copies once.
    #[inline]
    pub fn put(&self, put: &Put<'_>, value: &[u8], now: Now) -> PutReply {
        let number = self.place_number(put.hash);
        let mut shard = self.places[number].shard.lock();
        // Asked under the same lock: nearly all joins are to short values.
        let in_steps = put.mode.joins() && shard.joins_in_steps(put, value_size(value), now);
        if !in_steps && let Ok(reply) = shard.put(put, value, now) {
            return reply;
        }
        drop(shard);
        self.put_slowly(number, put, value, now)
    }

    /// A put that needs memory, or time.
    #[cold]
    fn put_slowly(&self, number: usize, put: &Put<'_>, value: &[u8], now: Now) -> PutReply {
        if put.mode.joins()
            && let Some(reply) = self.join_in_steps(number, put, Added::Bytes(value), now)
        {
            return reply;
        }
        let value_size = value_size(value);
        self.with_memory(number, now, |shard| shard.put(put, value, now))
            .unwrap_or_else(|Short| {
                self.put_failed(number, put, value_size, PutStatus::NoMemory, now)
            })
    }

    fn put_failed(
        &self,
        number: usize,
        put: &Put<'_>,
        value_size: u32,
        status: PutStatus,
        now: Now,
    ) -> PutReply {
        let mut shard = self.places[number].shard.lock();
        shard.put_failed(put, value_size, status, now)
    }

    /// Begins to store a value of `size` bytes that comes in pieces.
    ///
    /// # Errors
    ///
    /// [`PutStatus::TooLarge`] or [`PutStatus::NoMemory`], with the consequences of a failed put.
    pub fn begin_upload(&self, put: &Put<'_>, size: u32, now: Now) -> Result<Upload, PutStatus> {
        let number = self.place_number(put.hash);
        let classes = &self.common.classes;
        let logical = item::logical_size(put.key.len(), size, put.client_flags, classes.has_cas());
        if logical > u64::from(self.item_size_max) {
            let status = PutStatus::TooLarge;
            return Err(self.put_failed(number, put, size, status, now).status);
        }
        match self.with_memory(number, now, |shard| shard.begin_upload(put, size, now)) {
            Ok(id) => Ok(Upload {
                shard: u32::try_from(number).unwrap_or(u32::MAX),
                id: u32::try_from(id).unwrap_or(u32::MAX),
                joins: put.mode.joins(),
            }),
            Err(Short) => {
                let status = PutStatus::NoMemory;
                Err(self.put_failed(number, put, size, status, now).status)
            }
        }
    }

    /// Adds bytes to an upload; never more than announced.
    ///
    /// # Errors
    ///
    /// [`PutStatus::NoMemory`]: give the upload to [`Self::abort_upload`] and forget the rest.
    pub fn fill_upload(
        &self,
        upload: &mut Upload,
        bytes: &[u8],
        now: Now,
    ) -> Result<(), PutStatus> {
        let (number, id) = (upload.shard as usize, upload.id as usize);
        let mut rest = bytes;
        let filled = self.with_memory(number, now, |shard| {
            match shard.fill_upload(id, rest, now) {
                Ok(_) => Ok(()),
                Err((taken, short)) => {
                    rest = &rest[taken..];
                    Err(short)
                }
            }
        });
        if filled.is_err() {
            self.places[number].shard.lock().fail_upload(id, now);
            return Err(PutStatus::NoMemory);
        }
        Ok(())
    }

    /// Stores what has been uploaded, under the key and conditions given at its beginning.
    pub fn finish_upload(&self, upload: Upload, now: Now) -> PutReply {
        let (number, id) = (upload.shard as usize, upload.id as usize);
        if upload.joins
            && let Some(reply) = self.join_upload_in_steps(number, id, now)
        {
            return reply;
        }
        self.with_memory(number, now, |shard| shard.finish_upload(id, now))
            .unwrap_or_else(|Short| {
                let mut shard = self.places[number].shard.lock();
                shard.fail_upload(id, now);
                shard.abort_upload(id);
                PutReply {
                    status: PutStatus::NoMemory,
                    cas: 0,
                    value_size: 0,
                    class: 0,
                }
            })
    }

    /// Forgets an upload and frees its memory.
    pub fn abort_upload(&self, upload: Upload) {
        let mut shard = self.places[upload.shard as usize].shard.lock();
        shard.abort_upload(upload.id as usize);
    }

    /// Appends up to `max` bytes of a pinned value to `out` and advances the pin.
    pub fn read_pin(&self, pin: &mut Pin, max: usize, out: &mut Vec<u8>) {
        out.reserve(max.min(pin.remaining as usize));
        let mut shard = self.places[pin.shard as usize].shard.lock();
        pin.remaining = shard.read_pin(pin.id as usize, pin.remaining, max, out);
    }

    /// Gives a pinned value back.
    pub fn unpin(&self, pin: Pin) {
        let mut shard = self.places[pin.shard as usize].shard.lock();
        shard.unpin(pin.id as usize);
    }

    /// Deletes an item, empties it, or marks it stale.
    pub fn delete(&self, delete: &Delete<'_>, now: Now) -> DeleteStatus {
        let number = self.place_number(delete.hash);
        self.with_memory(number, now, |shard| shard.delete(delete, now))
            .unwrap_or(DeleteStatus::NoMemory)
    }

    /// Counts a decimal number up or down in place.
    ///
    /// # Errors
    ///
    /// See [`ArithmeticError`].
    pub fn arithmetic(
        &self,
        request: &Arithmetic<'_>,
        now: Now,
    ) -> Result<Counted, ArithmeticError> {
        let number = self.place_number(request.hash);
        self.with_memory(number, now, |shard| shard.arithmetic(request, now))
            .unwrap_or(Err(ArithmeticError::NoMemory))
    }

    /// Kills every item stored before now, or before the given second of uptime once it comes.
    /// A later flush replaces one that waits.
    pub fn flush(&self, at_uptime_s: Option<u32>, now: Now) {
        for place in &self.places {
            place.shard.lock().flush(at_uptime_s, now);
        }
    }

    /// Shows some items of the chosen classes (bit n is class n): about `budget` of them. Returns
    /// true when all have been shown.
    pub fn dump(
        &self,
        cursor: &mut DumpCursor,
        classes: u64,
        now: Now,
        budget: usize,
        see: &mut dyn FnMut(&ItemInfo<'_>),
    ) -> bool {
        let mut shown = 0;
        while let Some(place) = self.places.get(cursor.shard as usize) {
            let mut shard = place.shard.lock();
            if cursor.bucket == 0 {
                // Buckets may be split while the listing goes on; the low bits that there are
                // now select the same items whatever happens.
                cursor.bits = shard.dump_bits();
            }
            while cursor.bucket >> cursor.bits == 0 {
                if shown >= budget {
                    return false;
                }
                shard.dump(cursor.bucket, cursor.bits, classes, now, &mut |info| {
                    shown += 1;
                    see(info);
                });
                // Empty buckets cost time too.
                shown += 1;
                cursor.bucket += 1;
            }
            cursor.shard += 1;
            cursor.bucket = 0;
        }
        true
    }

    /// Changes the memory limit, in bytes. Returns false if it is more than was reserved.
    /// Upkeep frees what is over a lower limit and returns it to the system.
    pub fn set_memory_limit(&self, bytes: u64) -> bool {
        if !self.common.pool.set_limit_bytes(bytes) {
            return false;
        }
        self.memory_limit.store(bytes, Ordering::Relaxed);
        true
    }

    /// The memory limit in force, in bytes.
    pub fn memory_limit(&self) -> u64 {
        self.memory_limit.load(Ordering::Relaxed)
    }

    /// Sets queue shares and ages.
    pub fn set_lru(&self, lru: LruConfig) {
        self.settings.lock().lru = lru;
        for place in &self.places {
            place.shard.lock().set_lru(lru);
        }
    }

    /// Queue shares and ages in force.
    pub fn lru(&self) -> LruConfig {
        self.settings.lock().lru
    }

    /// Sets how pages are balanced.
    pub fn set_balance(&self, balance: BalanceConfig) {
        self.settings.lock().balance = balance;
        for place in &self.places {
            place.shard.lock().set_balance(balance);
        }
    }

    /// Page balancing in force.
    pub fn balance(&self) -> BalanceConfig {
        self.settings.lock().balance
    }

    /// The largest class id in use on the wire.
    pub fn class_max(&self) -> u8 {
        self.common.classes.max()
    }

    /// Slab class that memcached would use for a value of this size.
    pub fn class_of(&self, key_size: usize, value_size: u32, client_flags: u32) -> u8 {
        self.common
            .classes
            .class_of_item(key_size, value_size, client_flags)
    }

    /// Counters and gauges of the whole store. Locks each shard in turn.
    pub fn totals(&self) -> StoreTotals {
        let mut totals = StoreTotals::default();
        let mut buckets = 0;
        for place in &self.places {
            let shard = place.shard.lock();
            shard.add_totals(&mut totals);
            buckets += shard.buckets();
        }
        let pool = self.common.pool.state();
        totals.page_size = self.common.pool.page_size();
        totals.free_pages = u64::from(pool.warm);
        totals.malloced_bytes = (u64::from(pool.lent) + u64::from(pool.warm)) * totals.page_size;
        totals.memory_limit = self.memory_limit();
        totals.index_power = wire_power(buckets);
        let upkeep = self.upkeep.lock();
        totals.crawler_running = upkeep.crawling();
        totals.crawler_starts = upkeep.crawler_starts();
        totals
    }

    /// Counters and gauges by class; index is the class id.
    pub fn class_stats(&self, now: Now) -> Vec<ClassStats> {
        let classes = &self.common.classes;
        let mut stats: Vec<ClassStats> = (0..=classes.max())
            .map(|class| ClassStats {
                chunk_size: classes.wire_size(class),
                ..ClassStats::default()
            })
            .collect();
        for place in &self.places {
            place.shard.lock().add_class_stats(&mut stats, now);
        }
        stats
    }

    /// Sets the counters to zero, as `stats reset` does.
    pub fn reset_stats(&self) {
        for place in &self.places {
            place.shard.lock().reset_stats();
        }
    }

    /// Whether evictions and the like are kept for [`Self::drain_events`].
    pub fn record_events(&self, on: bool) {
        self.common.record.store(on, Ordering::Relaxed);
    }

    /// Hands over what has been recorded, oldest first in each shard; returns how many were
    /// lost for want of room.
    pub fn drain_events(&self, see: &mut dyn FnMut(Event)) -> u64 {
        let mut lost = 0;
        for place in &self.places {
            let (events, unseen) = place.shard.lock().take_events();
            events.into_iter().for_each(&mut *see);
            lost += unseen;
        }
        self.upkeep.lock().take_events().into_iter().for_each(see);
        lost
    }

    /// Panics unless every structural invariant holds. O(items): for tests, never the server.
    #[cfg(any(test, fuzzing))]
    pub fn check(&self) {
        for place in &self.places {
            place.shard.lock().check();
        }
    }
}
