//! The words in which one speaks to a [`Store`](super::Store): requests and what comes of them.

use crate::time::Expiry;

/// How a [`Store`](super::Store) is to be built. Fixed for its life but for what has a setter.
#[derive(Clone, Debug)]
pub struct StoreConfig {
    /// Bytes for items and index together (`-m`).
    pub memory_limit: u64,
    /// Threads that will use the store; sets the number of shards.
    pub workers: usize,
    /// Largest item, in memcached's logical size (`-I`).
    pub item_size_max: u32,
    /// Ratio of neighbouring slab classes (`-f`).
    pub growth_factor: f64,
    /// Bytes for key, value and flags in the smallest class (`-n`).
    pub chunk_size_min: u32,
    /// The class sizes themselves, when given (`-o slab_sizes`); else empty.
    pub slab_sizes: Vec<u32>,
    /// Logical size above which memcached would chain chunks (`-o slab_chunk_max`).
    pub slab_chunk_max: u32,
    /// Whether items have a cas (`-C` turns it off).
    pub cas: bool,
    /// Whether items are evicted when memory is full (`-M` turns it off).
    pub evict: bool,
    /// Ask for huge pages and touch all memory at the start (`-L`).
    pub preallocate: bool,
    /// Queue shares and ages.
    pub lru: LruConfig,
    /// Page balancing.
    pub balance: BalanceConfig,
    /// Whether expired items are swept in the background.
    pub crawler: bool,
    /// Seed of the key hash; `None` draws one from the system.
    pub hash_seed: Option<u64>,
}

/// Who goes first when memory is full.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum LruPolicy {
    /// memcached's: what has not been hit twice goes by way of COLD, what has stays in WARM.
    #[default]
    Segmented,
    /// After S3-FIFO (Yang and others, SOSP 2023): what was not hit while in a small HOT goes at
    /// once, and to WARM when it comes back soon after that.
    S3Fifo,
    /// Near the tails, what expires soonest; what never does when there is nothing else.
    VolatileTtl,
    /// Nothing that is alive: a store is refused, as with `-M`.
    NoEviction,
}

impl LruPolicy {
    /// All of them.
    pub const ALL: [Self; 4] = [
        Self::Segmented,
        Self::S3Fifo,
        Self::VolatileTtl,
        Self::NoEviction,
    ];

    /// As settings spell it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Segmented => "segmented",
            Self::S3Fifo => "s3fifo",
            Self::VolatileTtl => "volatile-ttl",
            Self::NoEviction => "noeviction",
        }
    }
}

/// Shares and ages of the queues in each class (`lru tune`, `lru mode`, `lru temp_ttl`).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LruConfig {
    /// Who goes first.
    pub policy: LruPolicy,
    /// HOT, WARM and COLD queues, or one flat queue.
    pub segmented: bool,
    /// Share of a class's items that HOT may hold, in percent.
    pub hot_percent: u32,
    /// Share of a class's items that WARM may hold, in percent.
    pub warm_percent: u32,
    /// HOT's oldest item may be this fraction of COLD's age.
    pub hot_age_factor: f64,
    /// WARM's oldest item may be this multiple of COLD's age.
    pub warm_age_factor: f64,
    /// Items with a TTL up to this go to TEMP and are never evicted, in seconds.
    pub temporary_ttl_s: Option<u32>,
    /// Whether queues are balanced in the background.
    pub maintainer: bool,
}

/// How pages move between classes (`slabs automove`).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BalanceConfig {
    /// Whether `slabs reassign` is allowed.
    pub reassign: bool,
    /// 0 off, 1 by age over a window, 2 at each eviction.
    pub automove: u8,
    /// The youngest class gets a page when its age is below this share of the oldest's.
    pub ratio: f64,
    /// How much ages of larger items count for more when they are compared: as their size to
    /// this power. With 0 an item's size does not matter, with 1 an item of twice the size has to
    /// be asked for twice as often.
    pub size_bias: f64,
    /// Seconds over which ages are judged.
    pub window_s: u32,
    /// Share of memory kept in the free pool.
    pub free_ratio: f64,
}

/// A key's hash: computed once, carried to the end.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct KeyHash(pub(super) u64);

/// The queue that an item is in.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum LruQueue {
    /// New items.
    Hot,
    /// Items hit at least twice.
    Warm,
    /// Items on their way out.
    Cold,
    /// Items that expire soon and are not evicted.
    Temp,
}

impl LruQueue {
    /// All queues, in the order of their numbers.
    pub const ALL: [Self; 4] = [Self::Hot, Self::Warm, Self::Cold, Self::Temp];
}

/// What a fetch does beside finding the item.
#[derive(Clone, Copy, Debug, Default)]
pub struct Fetch {
    /// New expiry (gat, touch, `T`).
    pub touch: Option<Expiry>,
    /// On a miss, make an empty item with this expiry (`N`).
    pub vivify: Option<Expiry>,
    /// The cas of the item made on a miss (`E`).
    pub vivify_cas: Option<u64>,
    /// Offer a recache to one client when fewer seconds are left (`R`).
    pub recache_below_s: Option<u32>,
    /// Leave the queue position and the hit mark alone (`u`).
    pub no_bump: bool,
    /// The key came as base64 (`b`): an item made on a miss remembers it.
    pub binary_key: bool,
    /// Whether this fetch takes part in the recache protocol (mg does, get does not).
    pub recache: bool,
}

/// Why a key was not found.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Miss {
    /// There is no such item.
    Absent,
    /// There was one, but it has expired.
    Expired,
    /// There was one, but it has been flushed.
    Flushed,
    /// It should have been made on the miss, but there is no memory.
    NoMemory,
}

/// How a value is stored.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum PutMode {
    /// Only where nothing is stored.
    Add,
    /// Behind the stored value.
    Append,
    /// Before the stored value.
    Prepend,
    /// Only where something is stored.
    Replace,
    /// In any case.
    Set,
}

impl PutMode {
    /// Whether the value goes beside another one.
    pub(super) const fn joins(self) -> bool {
        matches!(self, Self::Append | Self::Prepend)
    }
}

/// A request to store a value; the value itself comes beside it.
#[derive(Clone, Copy, Debug)]
pub struct Put<'a> {
    /// 1 to 250 bytes.
    pub key: &'a [u8],
    /// Of that key.
    pub hash: KeyHash,
    /// On which condition, and where.
    pub mode: PutMode,
    /// Opaque to the server.
    pub client_flags: u32,
    /// When the item dies. Append and prepend keep the old one.
    pub expiry: Expiry,
    /// Store only if the item's cas is this. Absent items are then [`PutStatus::NotFound`].
    pub compare: Option<u64>,
    /// The new item's cas, instead of a fresh one (`E`).
    pub assign_cas: Option<u64>,
    /// With `compare`: an older cas stores too, marked stale (`I`).
    pub invalidate: bool,
    /// Append and prepend make the item on a miss, with this expiry (`N`).
    pub vivify: Option<Expiry>,
    /// The key came as base64 (`b`).
    pub binary_key: bool,
    /// When the value is too large or there is no memory, the old item goes too: the client
    /// believes that it overwrote it.
    pub drop_on_failure: bool,
}

impl<'a> Put<'a> {
    /// A request to store, on no condition, without flags, for ever; the old item stays when
    /// there is no room.
    pub const fn new(key: &'a [u8], hash: KeyHash) -> Self {
        Self {
            key,
            hash,
            mode: PutMode::Set,
            client_flags: 0,
            expiry: Expiry::NEVER,
            compare: None,
            assign_cas: None,
            invalidate: false,
            vivify: None,
            binary_key: false,
            drop_on_failure: false,
        }
    }
}

/// What became of a [`Put`].
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum PutStatus {
    /// Stored.
    Stored,
    /// The mode's condition did not hold.
    NotStored,
    /// The cas differs.
    Exists,
    /// A cas was given and there is no item.
    NotFound,
    /// Larger than `item_size_max`.
    TooLarge,
    /// No chunk can be had.
    NoMemory,
}

/// The answer to a [`Put`].
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct PutReply {
    /// What became of it.
    pub status: PutStatus,
    /// The new cas; zero when nothing was stored.
    pub cas: u64,
    /// Bytes of the value as it is stored now; of the value offered when nothing was stored.
    pub value_size: u32,
    /// Slab class of the item, on the wire's scale.
    pub class: u8,
}

/// A value on its way into the store, piece by piece. Give it back by
/// [`finish_upload`](super::Store::finish_upload) or [`abort_upload`](super::Store::abort_upload).
#[derive(Debug)]
#[must_use = "an upload that is dropped keeps its memory"]
pub struct Upload {
    pub(super) shard: u32,
    pub(super) id: u32,
    /// Whether it goes beside another value.
    pub(super) joins: bool,
}

/// A large value being sent: it stays complete and unchanged until given back by
/// [`unpin`](super::Store::unpin), whatever happens to its key.
#[derive(Debug)]
#[must_use = "a pin that is dropped keeps its memory"]
pub struct Pin {
    pub(super) shard: u32,
    pub(super) id: u32,
    /// Bytes not yet read through this pin.
    pub remaining: u32,
}

/// A request to delete, or to mark stale.
#[derive(Clone, Copy, Debug)]
pub struct Delete<'a> {
    /// 1 to 250 bytes.
    pub key: &'a [u8],
    /// Of that key.
    pub hash: KeyHash,
    /// Delete only if the item's cas is this.
    pub compare: Option<u64>,
    /// Mark stale instead of deleting (`I`).
    pub invalidate: bool,
    /// Replace the item by an empty one instead of deleting it (`x`).
    pub drop_value: bool,
    /// New expiry, with `invalidate` or `drop_value`.
    pub touch: Option<Expiry>,
    /// The cas that the item gets, with `invalidate` or `drop_value` (`E`).
    pub assign_cas: Option<u64>,
    /// Client flags of the empty item (`F`).
    pub client_flags: Option<u32>,
}

impl<'a> Delete<'a> {
    /// A request to delete, on no condition.
    pub const fn new(key: &'a [u8], hash: KeyHash) -> Self {
        Self {
            key,
            hash,
            compare: None,
            invalidate: false,
            drop_value: false,
            touch: None,
            assign_cas: None,
            client_flags: None,
        }
    }
}

/// What became of a [`Delete`].
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum DeleteStatus {
    /// The item is gone.
    Deleted {
        /// Bytes of its value.
        value_size: u32,
        /// Its slab class.
        class: u8,
    },
    /// The item is stale or empty now.
    Kept {
        /// Its slab class.
        class: u8,
    },
    /// There is no such item.
    NotFound,
    /// The cas differs.
    Exists,
    /// The empty item that was to replace it found no memory.
    NoMemory,
}

/// A request to count up or down.
#[derive(Clone, Copy, Debug)]
pub struct Arithmetic<'a> {
    /// 1 to 250 bytes.
    pub key: &'a [u8],
    /// Of that key.
    pub hash: KeyHash,
    /// By how much.
    pub delta: u64,
    /// Down, stopping at zero, instead of up, wrapping at 2^64.
    pub decrement: bool,
    /// Only if the item's cas is this.
    pub compare: Option<u64>,
    /// The item's new cas (`E`).
    pub assign_cas: Option<u64>,
    /// New expiry (`T`).
    pub touch: Option<Expiry>,
    /// On a miss, make an item with this expiry and value.
    pub vivify: Option<(Expiry, u64)>,
    /// The key came as base64 (`b`).
    pub binary_key: bool,
}

impl<'a> Arithmetic<'a> {
    /// A request to count, on no condition.
    pub const fn new(key: &'a [u8], hash: KeyHash, delta: u64, decrement: bool) -> Self {
        Self {
            key,
            hash,
            delta,
            decrement,
            compare: None,
            assign_cas: None,
            touch: None,
            vivify: None,
            binary_key: false,
        }
    }
}

/// The answer to an [`Arithmetic`] that worked.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Counted {
    /// The number as it is now.
    pub value: u64,
    /// The item's new cas.
    pub cas: u64,
    /// When the item dies.
    pub expiry: Expiry,
    /// The item's client flags.
    pub client_flags: u32,
    /// The item's slab class.
    pub class: u8,
    /// Made by this request.
    pub created: bool,
}

/// Why an [`Arithmetic`] did not work.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ArithmeticError {
    /// The cas differs.
    Exists,
    /// The value is no number.
    NotANumber,
    /// There is no such item.
    NotFound,
    /// The number has become longer and there is no chunk for it.
    NoMemory,
}

/// What `slabs reassign` answers.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Reassign {
    /// The page is moved.
    Started,
    /// No such class.
    BadClass,
    /// The source has no page to spare.
    NoSpare,
    /// Source and destination are one.
    Same,
}

/// Something that happened inside the store and that a watcher may want to hear of.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Event {
    /// A live item gave way to another.
    Evicted {
        /// Its key.
        key: Box<[u8]>,
        /// Whether anyone had fetched it.
        fetched: bool,
        /// Seconds it had left; `None` for ever.
        ttl_s: Option<u32>,
        /// Seconds since its last access.
        idle_s: u32,
        /// Its slab class.
        class: u8,
        /// Bytes of its value.
        value_size: u32,
    },
    /// A sweep for expired items has begun.
    CrawlStarted {
        /// The slab class swept.
        class: u8,
    },
    /// A sweep for expired items has ended.
    CrawlFinished {
        /// The slab class swept.
        class: u8,
        /// Items looked at.
        checked: u64,
        /// Items freed.
        reclaimed: u64,
    },
    /// A page changed hands.
    PageMoved {
        /// Class it was taken from.
        from: u8,
        /// Class it was given to; zero is the free pool.
        to: u8,
    },
}

/// One item as listings show it.
#[derive(Clone, Copy, Debug)]
pub struct ItemInfo<'a> {
    /// Its key, raw bytes.
    pub key: &'a [u8],
    /// Whether the key came as base64.
    pub binary_key: bool,
    /// When it dies.
    pub expiry: Expiry,
    /// Seconds of uptime at its last access.
    pub last_access_s: u32,
    /// Its cas; zero when cas is off.
    pub cas: u64,
    /// Whether anyone has fetched it.
    pub fetched: bool,
    /// Its slab class.
    pub class: u8,
    /// Its logical size.
    pub size: u32,
    /// Bytes of its value.
    pub value_size: u32,
    /// Its client flags.
    pub client_flags: u32,
}

/// Where a listing of all items stands. Items that stay put are shown exactly once.
#[derive(Clone, Debug, Default)]
pub struct DumpCursor {
    pub(super) shard: u32,
    pub(super) bucket: u32,
    pub(super) bits: u32,
}

/// Counters and gauges of the whole store.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct StoreTotals {
    /// Items stored now.
    pub curr_items: u64,
    /// Items ever stored.
    pub total_items: u64,
    /// Sum of the items' logical sizes.
    pub bytes: u64,
    /// Live items that gave way to others.
    pub evictions: u64,
    /// Times an expired item's memory was used again.
    pub reclaimed: u64,
    /// Expired items nobody had fetched.
    pub expired_unfetched: u64,
    /// Evicted items nobody had fetched.
    pub evicted_unfetched: u64,
    /// Evicted items that had been hit recently.
    pub evicted_active: u64,
    /// Expired items found by the sweep.
    pub crawler_reclaimed: u64,
    /// Items looked at by the sweep.
    pub crawler_items_checked: u64,
    /// Sweeps begun.
    pub crawler_starts: u64,
    /// Whether a sweep that was asked for is running.
    pub crawler_running: bool,
    /// Queue moves into COLD.
    pub moves_to_cold: u64,
    /// Queue moves into WARM.
    pub moves_to_warm: u64,
    /// Moves to the head of the same queue.
    pub moves_within_lru: u64,
    /// Evictions that a request had to do itself.
    pub direct_reclaims: u64,
    /// Items at a tail that could not go because they were being sent.
    pub lru_tail_pinned: u64,
    /// Rounds of queue balancing.
    pub maintainer_juggles: u64,
    /// Pages that changed hands.
    pub slabs_moved: u64,
    /// Items saved while their page was emptied.
    pub reassign_rescues: u64,
    /// Pieces of large items saved while their page was emptied.
    pub reassign_chunk_rescues: u64,
    /// Items dropped while their page was emptied, for want of room.
    pub reassign_evictions: u64,
    /// Pages in the free pool.
    pub free_pages: u64,
    /// Bytes of a page.
    pub page_size: u64,
    /// Bytes of pages in use or free, index included.
    pub malloced_bytes: u64,
    /// Bytes of the index.
    pub index_bytes: u64,
    /// Places of the table that memcached would have, as a power of two.
    pub index_power: u32,
    /// Times no chunk could be had.
    pub malloc_fails: u64,
    /// The limit now in force, in bytes.
    pub memory_limit: u64,
}

/// Counters and gauges of one slab class, on the wire's scale.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct ClassStats {
    /// The largest logical size of the class.
    pub chunk_size: u32,
    /// Chunks that a page holds.
    pub chunks_per_page: u32,
    /// Pages the class owns.
    pub total_pages: u64,
    /// Chunks in those pages.
    pub total_chunks: u64,
    /// Chunks that hold something.
    pub used_chunks: u64,
    /// Chunks that hold nothing.
    pub free_chunks: u64,
    /// Bytes of its pages.
    pub memory_bytes: u64,
    /// Bytes of the chunks that hold something.
    pub used_bytes: u64,
    /// Bytes of the chunks that hold nothing.
    pub free_bytes: u64,
    /// Bytes of keys, values, client flags and the part of a header that every item has.
    pub item_bytes: u64,
    /// Sum of logical sizes.
    pub mem_requested: u64,
    /// Items in HOT.
    pub number_hot: u64,
    /// Items in WARM.
    pub number_warm: u64,
    /// Items in COLD.
    pub number_cold: u64,
    /// Items in TEMP.
    pub number_temp: u64,
    /// Seconds since the last access of HOT's oldest item.
    pub age_hot_s: u32,
    /// Seconds since the last access of WARM's oldest item.
    pub age_warm_s: u32,
    /// Seconds since the last access of COLD's oldest item.
    pub age_s: u32,
    /// Items evicted.
    pub evicted: u64,
    /// Of those, with an expiry.
    pub evicted_nonzero: u64,
    /// Seconds since the last access of the item evicted last.
    pub evicted_time_s: u32,
    /// Requests refused for want of memory.
    pub out_of_memory: u64,
    /// Expired items whose memory was used again.
    pub reclaimed: u64,
    /// Expired items nobody had fetched.
    pub expired_unfetched: u64,
    /// Evicted items nobody had fetched.
    pub evicted_unfetched: u64,
    /// Evicted items that had been hit recently.
    pub evicted_active: u64,
    /// Expired items found by the sweep.
    pub crawler_reclaimed: u64,
    /// Items looked at by the sweep.
    pub crawler_items_checked: u64,
    /// Items at the tail that could not go because they were being sent.
    pub lru_tail_pinned: u64,
    /// Queue moves into COLD.
    pub moves_to_cold: u64,
    /// Queue moves into WARM.
    pub moves_to_warm: u64,
    /// Moves to the head of the same queue.
    pub moves_within_lru: u64,
    /// Evictions that a request had to do itself.
    pub direct_reclaims: u64,
}
