//! What a request reads: fetches, and values on their way out.

use super::super::api::{Fetch, ItemInfo, Miss, Pin};
use super::super::arena::{Handle, Lease};
use super::super::item::{self, Flag, Header, Kind, Mark, PIECE_HEADER_SIZE, Queue, Spec};
use super::super::slab::Slabs;
use super::{Found, Shard};
use crate::limits::COPY_SIZE_MAX;
use crate::time::{Expiry, Now};

/// In flat mode an item moves to the head of its queue at most this often, in seconds.
const FLAT_BUMP_INTERVAL_S: u32 = 60;

/// A value that is being sent.
#[derive(Clone, Copy, Debug)]
pub(in super::super) struct PinState {
    head: Handle,
    /// The chunk that the next byte is in.
    chunk: Handle,
    /// Where in that chunk.
    offset: usize,
    /// Bytes left in that chunk from there.
    left: usize,
}

impl PinState {
    /// At the first byte of an item's value.
    pub(super) fn at_start(head: Handle, header: &Header) -> Self {
        Self {
            head,
            chunk: head,
            offset: header.value_at(),
            left: header.inline_size(),
        }
    }

    /// The item.
    pub(super) fn head(&self) -> Handle {
        self.head
    }
}

/// What a fetch found.
#[derive(Debug)]
pub enum Fetched<'s> {
    /// The item.
    Hit(Hit<'s>),
    /// Nothing, and why.
    Miss(Miss),
}

/// A found item, seen under its shard's lock.
#[derive(Debug)]
pub struct Hit<'s> {
    shard: &'s mut Shard,
    handle: Handle,
    header: Header,
    sizes: Sizes,
    before: Before,
    created: bool,
    won: bool,
}

/// What of an item no fetch changes, read once.
#[derive(Clone, Copy, Debug)]
struct Sizes {
    value_size: u32,
    client_flags: u32,
}

impl Sizes {
    /// Most items say all of it in their header.
    #[inline]
    fn of(lease: &Lease, handle: Handle, header: &Header) -> Self {
        if header.is_short_without_client_flags() {
            return Self {
                value_size: header.short_value_size(),
                client_flags: 0,
            };
        }
        let chunk = lease.at(handle);
        Self {
            value_size: header.value_size(chunk),
            client_flags: header.client_flags(chunk),
        }
    }
}

/// What the item was like before the fetch changed it.
#[derive(Clone, Copy, Debug)]
struct Before {
    expiry_s: u32,
    idle_s: u32,
    fetched: bool,
    token_sent: bool,
}

impl Hit<'_> {
    fn chunk(&self) -> &[u8] {
        self.shard.lease.at(self.handle)
    }

    /// The key, raw bytes.
    pub fn key(&self) -> &[u8] {
        self.header.key(self.chunk())
    }

    /// Whether the key came as base64.
    pub fn binary_key(&self) -> bool {
        self.header.has(Mark::BINARY_KEY)
    }

    /// Bytes of the value.
    #[inline]
    pub fn value_size(&self) -> u32 {
        self.sizes.value_size
    }

    /// The value, if it lies in one piece and may be copied at once (at most
    /// [`COPY_SIZE_MAX`] bytes).
    #[inline]
    pub fn inline_value(&self) -> Option<&[u8]> {
        (!self.header.is_long() && self.header.inline_size() <= COPY_SIZE_MAX)
            .then(|| self.header.inline_value(self.chunk()))
    }

    /// Appends the whole value to `out`. For values of at most [`COPY_SIZE_MAX`] bytes; pin
    /// longer ones.
    #[inline]
    pub fn copy_value(&self, out: &mut Vec<u8>) {
        self.shard.read_value(self.handle, &self.header, out);
    }

    /// Keeps the value as it is now, to be read in pieces after the lock is gone.
    pub fn pin(&mut self) -> Pin {
        self.shard.pin_at(self.handle)
    }

    /// Client flags.
    #[inline]
    pub fn client_flags(&self) -> u32 {
        self.sizes.client_flags
    }

    /// The cas; zero when cas is off.
    #[inline]
    pub fn cas(&self) -> u64 {
        self.shard.cas_of(&self.header, self.chunk())
    }

    /// When it dies, after any touch of this fetch.
    pub fn expiry(&self) -> Expiry {
        Expiry::at(self.header.expiry_s(self.chunk()))
    }

    /// When it would have died before any touch of this fetch.
    pub fn expiry_before(&self) -> Expiry {
        Expiry::at(self.before.expiry_s)
    }

    /// Whether it had been fetched before this fetch.
    pub fn fetched_before(&self) -> bool {
        self.before.fetched
    }

    /// Seconds since the access before this one.
    pub fn idle_before_s(&self) -> u32 {
        self.before.idle_s
    }

    /// This fetch made the item (`N`).
    pub fn created(&self) -> bool {
        self.created
    }

    /// This client has been chosen to recache the item (`W`).
    pub fn won(&self) -> bool {
        self.won
    }

    /// The item has been marked stale (`X`).
    pub fn stale(&self) -> bool {
        self.header.has(Mark::STALE)
    }

    /// Another client has been chosen already (`Z`).
    pub fn token_sent(&self) -> bool {
        self.before.token_sent
    }

    /// The queue that it is in.
    #[inline]
    pub fn queue(&self) -> Queue {
        self.header.queue()
    }

    /// Slab class on the wire's scale.
    #[inline]
    pub fn class(&self) -> u8 {
        self.shard.common.classes.class_of_item(
            self.header.key_size(),
            self.sizes.value_size,
            self.sizes.client_flags,
        )
    }

    /// Logical size in bytes.
    pub fn size(&self) -> u32 {
        let size = self.shard.logical_size(&self.header, self.chunk());
        u32::try_from(size).unwrap_or(u32::MAX)
    }
}

impl Shard {
    /// Finds an item, makes it on a miss if asked to, and notes the access.
    #[inline(always)]
    pub(in super::super) fn fetch(
        &mut self,
        key: &[u8],
        hash: u64,
        now: Now,
        how: &Fetch,
    ) -> Fetched<'_> {
        self.begin(now);
        match self.find_live(key, hash, now) {
            Ok(found) => self.hit(found, hash, now, how),
            Err(miss) => match how.vivify {
                Some(expiry) => self.vivify(key, hash, now, how, expiry),
                None => Fetched::Miss(miss),
            },
        }
    }

    #[inline(always)]
    fn hit(&mut self, found: Found, hash: u64, now: Now, how: &Fetch) -> Fetched<'_> {
        let Found {
            mut handle,
            mut header,
            ..
        } = found;
        let sizes = Sizes::of(&self.lease, handle, &header);
        let before = Before {
            expiry_s: self.expiry_at(handle, &header),
            idle_s: header.idle_s(now.uptime_s),
            fetched: header.is(Flag::FETCHED),
            token_sent: header.has(Mark::TOKEN_SENT),
        };
        let mut won = false;
        let mut changed = how.touch.is_some();
        if how.recache && !before.token_sent {
            let short = how
                .recache_below_s
                .zip(Expiry::at(before.expiry_s).ttl_s(now))
                .is_some_and(|(below_s, ttl_s)| ttl_s < below_s);
            if short || header.has(Mark::STALE) {
                won = true;
                changed = true;
            }
        }
        if let Some(expiry) = how.touch {
            match self.set_expiry(handle, hash, expiry.uptime_s(), now) {
                Ok(moved) => handle = moved,
                Err(_) => return self.fetch_short(),
            }
        }
        // Not before what may fail: the fetch comes again then.
        if won {
            item::set_mark(self.lease.at_mut(handle), Mark::TOKEN_SENT, true);
        }
        let settled = before.fetched && header.is(Flag::ACTIVE) && self.lru.segmented;
        if !how.no_bump && !settled {
            self.bump(handle, &header, now);
            changed = true;
        }
        if changed {
            header = Header::read(self.lease.at(handle));
        }
        Fetched::Hit(Hit {
            shard: self,
            handle,
            header,
            sizes,
            before,
            created: false,
            won,
        })
    }

    /// Notes a hit. The first sets one mark, the second another; later ones write nothing until
    /// the item has moved.
    pub(super) fn bump(&mut self, handle: Handle, header: &Header, now: Now) {
        let chunk = self.lease.at_mut(handle);
        if self.lru.segmented {
            let flag = if header.is(Flag::FETCHED) {
                Flag::ACTIVE
            } else {
                Flag::FETCHED
            };
            item::set_flag(chunk, flag, true);
            item::set_access(chunk, now.uptime_s);
            return;
        }
        item::set_flag(chunk, Flag::FETCHED, true);
        if header.idle_s(now.uptime_s) >= FLAT_BUMP_INTERVAL_S {
            item::set_access(chunk, now.uptime_s);
            let cut = usize::from(Slabs::cut_of(&self.lease, handle));
            self.queues[cut].unlink(&mut self.lease, handle);
            self.queues[cut].push(&mut self.lease, header.queue(), handle);
            self.stats[cut].moves_within_lru += 1;
        }
    }

    #[cold]
    fn fetch_short(&mut self) -> Fetched<'_> {
        self.fetch_was_short = true;
        Fetched::Miss(Miss::NoMemory)
    }

    /// Whether the last fetch found no memory for what it had to write. Nothing has changed then.
    pub(in super::super) fn take_fetch_was_short(&mut self) -> bool {
        std::mem::take(&mut self.fetch_was_short)
    }

    fn vivify(
        &mut self,
        key: &[u8],
        hash: u64,
        now: Now,
        how: &Fetch,
        expiry: Expiry,
    ) -> Fetched<'_> {
        let spec = Spec {
            key_size: key.len(),
            value_size: 0,
            client_flags: 0,
            expiry_s: expiry.uptime_s(),
            assigned_cas: how.vivify_cas.filter(|cas| *cas != 0),
            binary_key: how.binary_key,
        };
        let Ok(handle) = self.store_new(&spec, key, hash, &[], now) else {
            return self.fetch_short();
        };
        let chunk = self.lease.at_mut(handle);
        item::set_mark(chunk, Mark::TOKEN_SENT, true);
        // Whoever made the item has fetched it too.
        item::set_flag(chunk, Flag::FETCHED, !how.no_bump);
        let header = Header::read(chunk);
        Fetched::Hit(Hit {
            before: Before {
                expiry_s: spec.expiry_s,
                idle_s: 0,
                fetched: false,
                token_sent: false,
            },
            shard: self,
            handle,
            header,
            sizes: Sizes {
                value_size: 0,
                client_flags: 0,
            },
            created: true,
            won: true,
        })
    }

    /// Shows an item, leaving no trace.
    pub(in super::super) fn peek<R>(
        &mut self,
        key: &[u8],
        hash: u64,
        now: Now,
        see: impl FnOnce(Option<ItemInfo<'_>>) -> R,
    ) -> R {
        self.begin(now);
        match self.find_live(key, hash, now) {
            Ok(found) => see(Some(self.info(found.handle, now))),
            Err(_) => see(None),
        }
    }

    /// An item as listings show it.
    pub(super) fn info(&self, handle: Handle, now: Now) -> ItemInfo<'_> {
        let chunk = self.lease.at(handle);
        let header = Header::read(chunk);
        let size = self.logical_size(&header, chunk);
        ItemInfo {
            key: header.key(chunk),
            binary_key: header.has(Mark::BINARY_KEY),
            expiry: Expiry::at(header.expiry_s(chunk)),
            last_access_s: now.uptime_s.saturating_sub(header.idle_s(now.uptime_s)),
            cas: self.cas_of(&header, chunk),
            fetched: header.is(Flag::FETCHED),
            class: self.common.classes.class_of(size),
            size: u32::try_from(size).unwrap_or(u32::MAX),
            value_size: header.value_size(chunk),
            client_flags: header.client_flags(chunk),
        }
    }

    /// Keeps an item's value as it is now, until it is given back.
    pub(super) fn pin_at(&mut self, handle: Handle) -> Pin {
        let chunk = self.lease.at(handle);
        let header = Header::read(chunk);
        let remaining = header.value_size(chunk);
        let id = self.pin(PinState::at_start(handle, &header));
        Pin {
            shard: self.number,
            id: u32::try_from(id).unwrap_or(u32::MAX),
            remaining,
        }
    }

    /// As [`Self::pin_at`], by number.
    pub(super) fn pin(&mut self, state: PinState) -> usize {
        item::set_mark(self.lease.at_mut(state.head), Mark::PINNED, true);
        self.pins.insert(state)
    }

    /// Appends up to `max` bytes of a pinned value to `out`.
    pub(in super::super) fn read_pin(
        &mut self,
        id: usize,
        remaining: u32,
        max: usize,
        out: &mut Vec<u8>,
    ) -> u32 {
        let mut state = self.pins[id];
        let remaining = self.read_on(&mut state, remaining, max, out);
        self.pins[id] = state;
        remaining
    }

    /// As [`Self::read_pin`], of a value that stays as it is for another reason.
    pub(super) fn read_on(
        &self,
        state: &mut PinState,
        mut remaining: u32,
        max: usize,
        out: &mut Vec<u8>,
    ) -> u32 {
        let cut = Slabs::cut_of(&self.lease, state.head);
        let room = self.common.classes.piece_room(cut);
        let mut budget = max;
        while remaining > 0 && budget > 0 {
            if state.left == 0 {
                let chunk = self.lease.at(state.chunk);
                let next = if state.chunk == state.head {
                    Header::read(chunk).first_piece(chunk)
                } else {
                    item::piece_next(chunk)
                };
                state.chunk = next;
                state.offset = PIECE_HEADER_SIZE;
                state.left = room;
            }
            let size = state.left.min(budget).min(remaining as usize);
            let chunk = self.lease.at(state.chunk);
            out.extend_from_slice(&chunk[state.offset..state.offset + size]);
            state.offset += size;
            state.left -= size;
            budget -= size;
            remaining -= u32::try_from(size).unwrap_or(remaining);
        }
        remaining
    }

    /// Gives a pinned value back; what was replaced meanwhile is freed with its last pin.
    pub(in super::super) fn unpin(&mut self, id: usize) {
        let head = self.pins.remove(id).head;
        if self.pins.iter().any(|(_, pin)| pin.head == head) {
            return;
        }
        if item::kind_of(self.lease.at(head)) == Kind::Detached {
            self.free_chunks(head);
        } else {
            item::set_mark(self.lease.at_mut(head), Mark::PINNED, false);
        }
    }
}
