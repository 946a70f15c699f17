//! One shard: a part of the keyspace with its own index, pages and queues.
//!
//! Everything here is sequential code, run under the shard's lock. The files beside this one
//! hold what a request does ([`read`], [`mod@write`], [`mod@join`], [`upload`]), how room is made ([`room`], [`pages`]),
//! what happens by itself ([`upkeep`]), what is reported ([`report`]) and what outlives the process
//! ([`restore`], [`snapshot`]).

#[cfg(any(test, fuzzing))]
mod check;
mod ghosts;
mod join;
mod pages;
mod read;
mod report;
mod restore;
mod room;
mod snapshot;
mod upkeep;
mod upload;
mod write;

use std::hash::{BuildHasher, Hasher};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use ahash::RandomState;
use slab::Slab;

pub(super) use join::{Joining, Part};
pub(super) use pages::Step;
pub use read::{Fetched, Hit};
pub(super) use upkeep::Sweep;

use super::api::{BalanceConfig, Event, LruConfig, LruPolicy, Miss};
use super::arena::{Handle, Lease};
use super::classes::{Classes, Cut};
use super::index::{Index, Root, Slot};
use super::item::{self, Flag, Header, Kind, Mark, Queue};
use super::lru::Queues;
use super::pool::Pool;
use super::slab::Slabs;
use crate::time::{Expiry, Now};
use ghosts::Ghosts;
use pages::Emptying;
use read::PinState;
use upload::UploadState;

/// Events kept until somebody takes them; more are counted and forgotten.
const EVENT_COUNT_MAX: usize = 4096;

/// Pieces of a value that are freed at once: some tens of microseconds.
const FREED_PIECES_MAX: usize = 256;

/// What all shards of a store share.
#[derive(Debug)]
pub(super) struct Common {
    pub(super) classes: Classes,
    pub(super) pool: Pool,
    pub(super) hasher: RandomState,
    /// Whether live items give way to new ones.
    pub(super) evict: bool,
    /// Whether events are kept.
    pub(super) record: AtomicBool,
}

impl Common {
    /// Hashes a key.
    #[inline]
    pub(super) fn hash(&self, key: &[u8]) -> u64 {
        let mut hasher = self.hasher.build_hasher();
        hasher.write(key);
        hasher.finish()
    }
}

/// Counters of one cut.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct CutStats {
    /// Sum of the items' logical sizes.
    requested: u64,
    evicted: u64,
    evicted_nonzero: u64,
    evicted_time_s: u32,
    evicted_unfetched: u64,
    evicted_active: u64,
    out_of_memory: u64,
    reclaimed: u64,
    expired_unfetched: u64,
    crawler_reclaimed: u64,
    crawler_items_checked: u64,
    tail_pinned: u64,
    moves_to_cold: u64,
    moves_to_warm: u64,
    moves_within_lru: u64,
    direct_reclaims: u64,
}

/// Counters of a shard that belong to no cut.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct ShardStats {
    total_items: u64,
    malloc_fails: u64,
    juggles: u64,
    pages_moved: u64,
    rescues: u64,
    piece_rescues: u64,
    move_evictions: u64,
}

/// One shard.
#[derive(Debug)]
pub(super) struct Shard {
    number: u32,
    common: Arc<Common>,
    lease: Lease,
    index: Index,
    slabs: Slabs,
    /// By cut.
    queues: Vec<Queues>,
    /// By cut.
    stats: Vec<CutStats>,
    totals: ShardStats,
    /// The number of the last store.
    serial: u64,
    /// Items up to this serial number are dead.
    flushed: u64,
    /// Second of uptime at which a flush that waits takes effect; zero is none.
    flush_at_s: u32,
    lru: LruConfig,
    balance: BalanceConfig,
    /// By cut: by how much the age of its items counts for more.
    weights: Vec<f64>,
    pins: Slab<PinState>,
    uploads: Slab<UploadState>,
    /// A cut that had a page to spare when a chunk of it was freed last.
    spare_cut: Option<u16>,
    /// The page that is being emptied.
    emptying: Option<Emptying>,
    /// The page that could not be emptied last, because something in it had to stay.
    stuck_page: u32,
    /// A page in no cut, for the request that is about to come again.
    held_page: Option<u32>,
    /// Items that are gone, with more pieces than could be freed at once.
    doomed: Vec<Handle>,
    /// The last fetch found no memory for what it had to write.
    fetch_was_short: bool,
    events: Vec<Event>,
    events_lost: u64,
    sweep: Sweep,
    /// What was evicted lately, for policies that ask.
    ghosts: Ghosts,
}

/// Where a live item is.
#[derive(Clone, Copy, Debug)]
struct Found {
    slot: Slot,
    handle: Handle,
    header: Header,
}

/// There is no memory to be had in this shard.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Short;

impl Shard {
    /// An empty shard. Takes one page for its index; `None` when the pool has none.
    pub(super) fn new(
        number: u32,
        common: &Arc<Common>,
        mut lease: Lease,
        lru: LruConfig,
        balance: BalanceConfig,
    ) -> Option<Self> {
        let page = common.pool.take(&mut lease)?;
        let index = Index::new(&mut lease, page);
        let cuts = common.classes.cuts();
        let page_size = lease.arena().page_size();
        let mut shard = Self {
            number,
            slabs: Slabs::new(cuts.iter().map(|cut| cut.chunk_size), page_size),
            queues: vec![Queues::EMPTY; cuts.len()],
            stats: vec![CutStats::default(); cuts.len()],
            totals: ShardStats::default(),
            common: Arc::clone(common),
            lease,
            index,
            serial: 0,
            flushed: 0,
            flush_at_s: 0,
            lru,
            balance,
            weights: Vec::new(),
            pins: Slab::new(),
            uploads: Slab::new(),
            spare_cut: None,
            emptying: None,
            stuck_page: 0,
            held_page: None,
            doomed: Vec::new(),
            fetch_was_short: false,
            events: Vec::new(),
            events_lost: 0,
            sweep: Sweep::new(cuts.len()),
            ghosts: Ghosts::default(),
        };
        shard.set_balance(balance);
        Some(shard)
    }

    /// The part of the index that is read without the lock.
    pub(super) fn root(&self) -> Arc<Root> {
        self.index.root()
    }

    /// Sets queue shares and ages.
    pub(super) fn set_lru(&mut self, lru: LruConfig) {
        self.lru = lru;
    }

    /// Sets how pages are balanced.
    pub(super) fn set_balance(&mut self, balance: BalanceConfig) {
        self.balance = balance;
        let weight = |cut: &Cut| self.common.classes.item_size(cut).powf(balance.size_bias);
        self.weights = self.common.classes.cuts().iter().map(weight).collect();
    }

    /// Kills what has been stored so far, now or at a second of uptime to come.
    pub(super) fn flush(&mut self, at_uptime_s: Option<u32>, now: Now) {
        match at_uptime_s {
            Some(at_s) if at_s > now.uptime_s => self.flush_at_s = at_s,
            _ => {
                self.flush_at_s = 0;
                self.flushed = self.serial;
                self.start_sweep_over();
            }
        }
    }

    /// Lets a flush that waits take effect. Every request begins with this.
    #[inline]
    fn begin(&mut self, now: Now) {
        if self.flush_at_s != 0 && self.flush_at_s <= now.uptime_s {
            self.flush(None, now);
        }
    }

    /// The whole serial number behind its low half.
    #[inline]
    fn serial_of(&self, low: u32) -> u64 {
        let serial = self.serial & !u64::from(u32::MAX) | u64::from(low);
        if serial > self.serial {
            serial.wrapping_sub(1 << 32)
        } else {
            serial
        }
    }

    #[expect(clippy::cast_possible_truncation, reason = "the low half is wanted")]
    fn next_serial(&mut self) -> u32 {
        self.serial += 1;
        self.serial as u32
    }

    /// An item's cas as clients see it.
    fn cas_of(&self, header: &Header, chunk: &[u8]) -> u64 {
        if !self.common.classes.has_cas() {
            return 0;
        }
        header
            .assigned_cas(chunk)
            .unwrap_or_else(|| self.serial_of(header.serial))
    }

    /// Why an item is dead, if it is.
    #[inline]
    fn death(&self, header: &Header, chunk: &[u8], now: Now) -> Option<Miss> {
        self.death_by(header.expiry_s(chunk), header, now)
    }

    /// Second of uptime at which an item dies; zero is never. Most items need not be looked at.
    #[inline(always)]
    fn expiry_at(&self, handle: Handle, header: &Header) -> u32 {
        if header.has_expiry() {
            header.expiry_s(self.lease.at(handle))
        } else {
            0
        }
    }

    #[inline(always)]
    fn death_by(&self, expiry_s: u32, header: &Header, now: Now) -> Option<Miss> {
        if Expiry::at(expiry_s).is_past(now) {
            return Some(Miss::Expired);
        }
        if self.flushed != 0 && self.serial_of(header.serial) <= self.flushed {
            return Some(Miss::Flushed);
        }
        None
    }

    /// Finds an item, dead or alive.
    #[inline(always)]
    fn find(&self, key: &[u8], hash: u64) -> Option<Found> {
        let lease = &self.lease;
        let mut found = None;
        let (slot, handle) = self.index.find(hash, |handle| {
            // The value is on its way while the key is compared.
            lease.arena().prefetch(handle);
            let chunk = lease.at(handle);
            let header = Header::read(chunk);
            found = Some(header);
            header.key_size() == key.len() && header.key(chunk) == key
        })?;
        // The header looked at last is that of the item recognised.
        let header = found?;
        Some(Found {
            slot,
            handle,
            header,
        })
    }

    /// Finds a live item; a dead one is freed.
    #[inline(always)]
    fn find_live(&mut self, key: &[u8], hash: u64, now: Now) -> Result<Found, Miss> {
        let Some(found) = self.find(key, hash) else {
            return Err(Miss::Absent);
        };
        let expiry_s = self.expiry_at(found.handle, &found.header);
        match self.death_by(expiry_s, &found.header, now) {
            None => Ok(found),
            Some(miss) => {
                self.bury(hash, found);
                Err(miss)
            }
        }
    }

    /// Frees a dead item.
    fn bury(&mut self, hash: u64, found: Found) {
        let cut = Slabs::cut_of(&self.lease, found.handle);
        let stats = &mut self.stats[usize::from(cut)];
        stats.reclaimed += 1;
        if !found.header.is(Flag::FETCHED) {
            stats.expired_unfetched += 1;
        }
        self.remove(hash, found);
    }

    /// Takes an item out of index and queue, and frees it.
    fn remove(&mut self, hash: u64, found: Found) {
        self.index.remove(hash, found.slot);
        self.dismiss(found.handle);
    }

    /// Finds the index slot of an item whose place is known.
    fn slot_of(&self, hash: u64, handle: Handle) -> Option<Slot> {
        self.index
            .find(hash, |candidate| candidate == handle)
            .map(|(slot, _)| slot)
    }

    /// The hash of an item's key.
    fn hash_at(&self, handle: Handle) -> u64 {
        let chunk = self.lease.at(handle);
        self.common.hash(Header::read(chunk).key(chunk))
    }

    fn logical_size(&self, header: &Header, chunk: &[u8]) -> u64 {
        item::logical_size(
            header.key_size(),
            header.value_size(chunk),
            header.client_flags(chunk),
            self.common.classes.has_cas(),
        )
    }

    /// Takes an item that has left the index out of its queue, and frees its chunks. An item
    /// that is being sent stays, detached, until it has been.
    fn dismiss(&mut self, handle: Handle) {
        let cut = Slabs::cut_of(&self.lease, handle);
        let chunk = self.lease.at(handle);
        let header = Header::read(chunk);
        let size = self.logical_size(&header, chunk);
        self.stats[usize::from(cut)].requested -= size;
        self.queues[usize::from(cut)].unlink(&mut self.lease, handle);
        if header.has(Mark::PINNED) {
            item::set_kind(self.lease.at_mut(handle), Kind::Detached);
        } else {
            self.free_chunks(handle);
        }
    }

    /// Frees the chunks of an item that is in neither index nor queue. Of a very long value some
    /// stay for later: [`Self::free_doomed`].
    fn free_chunks(&mut self, head: Handle) {
        if !self.free_some(head) {
            item::set_kind(self.lease.at_mut(head), Kind::Detached);
            self.doomed.push(head);
        }
    }

    /// Frees the first pieces of an item, and the item when it has no more. True when it is gone.
    fn free_some(&mut self, head: Handle) -> bool {
        let chunk = self.lease.at(head);
        let header = Header::read(chunk);
        let mut piece = header.first_piece(chunk);
        for _ in 0..FREED_PIECES_MAX {
            if piece.is_none() {
                break;
            }
            let next = item::piece_next(self.lease.at(piece));
            self.free_chunk(piece);
            piece = next;
        }
        if piece.is_none() {
            self.free_chunk(head);
            return true;
        }
        // The head goes last: its pieces name it as their owner.
        header.set_first_piece(self.lease.at_mut(head), piece);
        false
    }

    /// Frees more of an item that is gone. False when there is none.
    fn free_doomed(&mut self) -> bool {
        let Some(head) = self.doomed.last() else {
            return false;
        };
        if self.free_some(*head) {
            self.doomed.pop();
        }
        true
    }

    fn free_chunk(&mut self, handle: Handle) {
        let cut = Slabs::cut_of(&self.lease, handle);
        let empty = self.slabs.free(&mut self.lease, handle);
        if !self.has_spare(cut) {
            return;
        }
        self.spare_cut = Some(cut);
        // An empty page goes back when its cut has another page's worth of room: not before, or
        // an item that comes and goes would take the page with it each time.
        if let Some(page) = empty
            && !self.slabs.is_closed(&self.lease, page)
        {
            self.slabs.remove_page(&mut self.lease, page);
            self.common.pool.give(&mut self.lease, page);
        }
    }

    /// Whether a cut could do with a page less and still have one free.
    fn has_spare(&self, cut: u16) -> bool {
        self.slabs.free_chunks(cut) >= 2 * u64::from(self.slabs.cut(cut).capacity)
    }

    /// Whether live items give way to new ones.
    pub(super) fn evicts(&self) -> bool {
        self.common.evict && self.lru.policy != LruPolicy::NoEviction
    }

    /// Whether new items prove themselves in HOT before they are let in.
    fn is_s3_fifo(&self) -> bool {
        self.lru.policy == LruPolicy::S3Fifo && self.lru.segmented
    }

    /// The queue for a new item.
    fn queue_for(&self, expiry_s: u32, now: Now) -> Queue {
        if !self.lru.segmented {
            return Queue::Cold;
        }
        match self.lru.temporary_ttl_s {
            Some(limit_s) if expiry_s != 0 && expiry_s.saturating_sub(now.uptime_s) <= limit_s => {
                Queue::Temp
            }
            _ => Queue::Hot,
        }
    }

    /// Puts a detached item that the index leads to into its queue.
    fn enlist(&mut self, handle: Handle, now: Now) {
        let cut = Slabs::cut_of(&self.lease, handle);
        let chunk = self.lease.at(handle);
        let header = Header::read(chunk);
        let expiry_s = header.expiry_s(chunk);
        let size = self.logical_size(&header, chunk);
        let queue = self.queue_for(expiry_s, now);
        item::set_kind(self.lease.at_mut(handle), Kind::Linked);
        self.queues[usize::from(cut)].push(&mut self.lease, queue, handle);
        self.stats[usize::from(cut)].requested += size;
        self.totals.total_items += 1;
        Slabs::note_expiry(&mut self.lease, handle, expiry_s);
    }

    /// Keeps an event for whoever listens.
    fn record(&mut self, event: impl FnOnce(&Self) -> Event) {
        if !self.common.record.load(Ordering::Relaxed) {
            return;
        }
        if self.events.len() < EVENT_COUNT_MAX {
            let event = event(self);
            self.events.push(event);
        } else {
            self.events_lost += 1;
        }
    }

    /// Hands over the events kept, and how many were lost.
    pub(super) fn take_events(&mut self) -> (Vec<Event>, u64) {
        (
            std::mem::take(&mut self.events),
            std::mem::take(&mut self.events_lost),
        )
    }
}
