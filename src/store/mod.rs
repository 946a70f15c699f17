//! Memory: the items, and which of them stay.
//!
//! Pure: no socket, no thread, no clock. Knows keys, bytes, flags, cas and expiry; no wire words.

mod api;

pub use api::*;

use crate::time::{Expiry, Now};

/// The keyspace, cut into shards that are locked one at a time.
#[derive(Debug)]
pub struct Store {}

/// A found item, seen under its shard's lock.
#[derive(Debug)]
pub struct Hit<'s> {
    _s: &'s (),
}

/// What a fetch found.
#[derive(Debug)]
pub enum Fetched<'s> {
    /// The item.
    Hit(Hit<'s>),
    /// Nothing, and why.
    Miss(Miss),
}

impl Hit<'_> {
    /// The key, raw bytes.
    pub fn key(&self) -> &[u8] {
        unimplemented!()
    }
    /// Whether the key came as base64.
    pub fn binary_key(&self) -> bool {
        unimplemented!()
    }
    /// Bytes of the value.
    pub fn value_size(&self) -> u32 {
        unimplemented!()
    }
    /// The value, if it lies in one piece and is short enough to copy at once (at most
    /// `limits::COPY_SIZE_MAX`).
    pub fn inline_value(&self) -> Option<&[u8]> {
        unimplemented!()
    }
    /// Appends the whole value to `out`. For values of at most `limits::COPY_SIZE_MAX` bytes;
    /// pin longer ones.
    pub fn copy_value(&self, _out: &mut Vec<u8>) {
        unimplemented!()
    }
    /// Keeps the value as it is now, to be read in pieces after the lock is gone.
    pub fn pin(&mut self) -> Pin {
        unimplemented!()
    }
    /// Client flags.
    pub fn client_flags(&self) -> u32 {
        unimplemented!()
    }
    /// The cas; zero when cas is off.
    pub fn cas(&self) -> u64 {
        unimplemented!()
    }
    /// When it dies, after any touch of this fetch.
    pub fn expiry(&self) -> Expiry {
        unimplemented!()
    }
    /// When it would have died before any touch of this fetch.
    pub fn expiry_before(&self) -> Expiry {
        unimplemented!()
    }
    /// Whether it had been fetched before this fetch.
    pub fn fetched_before(&self) -> bool {
        unimplemented!()
    }
    /// Seconds since the access before this one.
    pub fn idle_before_s(&self) -> u32 {
        unimplemented!()
    }
    /// This fetch made the item (`N`).
    pub fn created(&self) -> bool {
        unimplemented!()
    }
    /// This client has been chosen to recache the item (`W`).
    pub fn won(&self) -> bool {
        unimplemented!()
    }
    /// The item has been marked stale (`X`).
    pub fn stale(&self) -> bool {
        unimplemented!()
    }
    /// Another client has been chosen already (`Z`).
    pub fn token_sent(&self) -> bool {
        unimplemented!()
    }
    /// Slab class on the wire's scale.
    pub fn class(&self) -> u8 {
        unimplemented!()
    }
    /// Logical size in bytes.
    pub fn size(&self) -> u32 {
        unimplemented!()
    }
}

impl Store {
    /// Reserves address space for `config.memory_limit` bytes and more.
    ///
    /// # Errors
    ///
    /// When the address space cannot be had.
    pub fn new(_config: &StoreConfig) -> std::io::Result<Self> {
        unimplemented!()
    }
    /// Hashes a key. Do it once and carry the result.
    pub fn hash(&self, _key: &[u8]) -> KeyHash {
        unimplemented!()
    }
    /// Asks the processor to fetch the index line of this hash. Takes no lock; a hint only.
    pub fn prefetch_index(&self, _hash: KeyHash) {
        unimplemented!()
    }
    /// Asks the processor to fetch the item of this hash. Do it some keys after
    /// [`Self::prefetch_index`]. Takes no lock; a hint only.
    pub fn prefetch_item(&self, _hash: KeyHash) {
        unimplemented!()
    }
    /// Finds an item and shows it to `see` under the shard's lock. `see` must be short and must
    /// not call the store.
    pub fn fetch<R>(
        &self,
        _key: &[u8],
        _hash: KeyHash,
        _now: Now,
        _how: &Fetch,
        _see: impl FnOnce(Fetched<'_>) -> R,
    ) -> R {
        unimplemented!()
    }
    /// As [`Self::fetch`], leaving no trace: no hit mark, no queue move, no count.
    pub fn peek<R>(
        &self,
        _key: &[u8],
        _hash: KeyHash,
        _now: Now,
        _see: impl FnOnce(Option<ItemInfo<'_>>) -> R,
    ) -> R {
        unimplemented!()
    }
    /// Stores `value`. Takes one shard lock and copies once.
    pub fn put(&self, _put: &Put<'_>, _value: &[u8], _now: Now) -> PutReply {
        unimplemented!()
    }
    /// Begins to store a value of `size` bytes that comes in pieces.
    ///
    /// # Errors
    ///
    /// [`PutStatus::TooLarge`] or [`PutStatus::NoMemory`], with the consequences of a failed put.
    pub fn begin_upload(&self, _put: &Put<'_>, _size: u32, _now: Now) -> Result<Upload, PutStatus> {
        unimplemented!()
    }
    /// Adds bytes to an upload; never more than announced.
    ///
    /// # Errors
    ///
    /// [`PutStatus::NoMemory`]: the upload has been aborted inside; drop it by
    /// [`Self::abort_upload`] all the same.
    pub fn fill_upload(
        &self,
        _upload: &mut Upload,
        _bytes: &[u8],
        _now: Now,
    ) -> Result<(), PutStatus> {
        unimplemented!()
    }
    /// Stores what has been uploaded, under the key and conditions given at its beginning.
    pub fn finish_upload(&self, _upload: Upload, _now: Now) -> PutReply {
        unimplemented!()
    }
    /// Forgets an upload and frees its memory.
    pub fn abort_upload(&self, _upload: Upload) {
        unimplemented!()
    }
    /// Appends up to `max` bytes of a pinned value to `out` and advances the pin.
    pub fn read_pin(&self, _pin: &mut Pin, _max: usize, _out: &mut Vec<u8>) {
        unimplemented!()
    }
    /// Gives a pinned value back.
    pub fn unpin(&self, _pin: Pin) {
        unimplemented!()
    }
    /// Deletes an item, empties it, or marks it stale.
    pub fn delete(&self, _delete: &Delete<'_>, _now: Now) -> DeleteStatus {
        unimplemented!()
    }
    /// Counts a decimal number up or down in place.
    ///
    /// # Errors
    ///
    /// See [`ArithmeticError`].
    pub fn arithmetic(
        &self,
        _request: &Arithmetic<'_>,
        _now: Now,
    ) -> Result<Counted, ArithmeticError> {
        unimplemented!()
    }
    /// Kills every item stored before now, or before the given second of uptime once it comes.
    /// A later flush replaces one that waits.
    pub fn flush(&self, _at_uptime_s: Option<u32>, _now: Now) {
        unimplemented!()
    }
    /// Shows up to `budget` items of the chosen classes (bit n is class n). Returns true when
    /// all have been shown.
    pub fn dump(
        &self,
        _cursor: &mut DumpCursor,
        _classes: u64,
        _now: Now,
        _budget: usize,
        _see: &mut dyn FnMut(&ItemInfo<'_>),
    ) -> bool {
        unimplemented!()
    }
    /// Shows items of one class's COLD queue, newest first, until `see` returns false.
    pub fn cachedump(&self, _class: u8, _now: Now, _see: &mut dyn FnMut(&ItemInfo<'_>) -> bool) {
        unimplemented!()
    }
    /// Changes the memory limit, in bytes. Returns false if it is more than was reserved.
    pub fn set_memory_limit(&self, _bytes: u64) -> bool {
        unimplemented!()
    }
    /// Sets queue shares and ages.
    pub fn set_lru(&self, _lru: LruConfig) {
        unimplemented!()
    }
    /// Queue shares and ages in force.
    pub fn lru(&self) -> LruConfig {
        unimplemented!()
    }
    /// Sets how pages are balanced.
    pub fn set_balance(&self, _balance: BalanceConfig) {
        unimplemented!()
    }
    /// Page balancing in force.
    pub fn balance(&self) -> BalanceConfig {
        unimplemented!()
    }
    /// Turns the background sweep on or off.
    pub fn set_crawler(&self, _enabled: bool) {
        unimplemented!()
    }
    /// Whether the background sweep is on.
    pub fn crawler(&self) -> bool {
        unimplemented!()
    }
    /// Sweeps these classes (bit n is class n) as soon as possible. False when a sweep that was
    /// asked for is still running.
    pub fn crawl(&self, _classes: u64) -> bool {
        unimplemented!()
    }
    /// Moves a page from class to class: `src` -1 is any, `dst` 0 is the free pool.
    pub fn reassign(&self, _src: i32, _dst: i32) -> Reassign {
        unimplemented!()
    }
    /// The largest class id in use on the wire.
    pub fn class_max(&self) -> u8 {
        unimplemented!()
    }
    /// Slab class that memcached would use for a value of this size.
    pub fn class_of(&self, _key_size: usize, _value_size: u32, _client_flags: u32) -> u8 {
        unimplemented!()
    }
    /// Counters and gauges of the whole store. Locks each shard in turn.
    pub fn totals(&self) -> StoreTotals {
        unimplemented!()
    }
    /// Counters and gauges by class; index is the class id.
    pub fn class_stats(&self, _now: Now) -> Vec<ClassStats> {
        unimplemented!()
    }
    /// Items by logical size in steps of 32 bytes: (upper bound, count). Walks all items.
    pub fn size_histogram(&self, _now: Now) -> Vec<(u32, u64)> {
        unimplemented!()
    }
    /// Sets the counters to zero, as `stats reset` does.
    pub fn reset_stats(&self) {
        unimplemented!()
    }
    /// Whether evictions and the like are kept for [`Self::drain_events`].
    pub fn record_events(&self, _on: bool) {
        unimplemented!()
    }
    /// Hands over what has been recorded, oldest first in each shard; returns how many were
    /// lost for want of room.
    pub fn drain_events(&self, _see: &mut dyn FnMut(Event)) -> u64 {
        unimplemented!()
    }
    /// One bounded step of everything that happens by itself: expiry, queue balance, page moves,
    /// memory limit. Returns true when there is more to do at once. No lock is held above 100 us.
    pub fn upkeep(&self, _now: Now) -> bool {
        unimplemented!()
    }
}
