//! A copy of all items, taken while they are served, and the way back from it.
//!
//! Unlike what a memory file keeps (`saved`) a snapshot says nothing of pages,
//! classes, hashes or shards: it can be read into a store of any shape.
//!
//! ```text
//!   out   SnapshotWalk::new -> snapshot_step ... -> end_snapshot      blocks: format.rs
//!   in    BlockReader -> Terms::new -> begin_restore -> Restorer::take ... -> end_restore_of
//! ```
//!
//! A step takes the lock of one shard for some tens of microseconds. Small values are copied under
//! it; larger ones are pinned and copied in pieces, each under a lock of its own. So every item is
//! whole and was there at some moment between the first step and the last, and no two items need
//! have been there at the same one. What is flushed between the two is dead in the snapshot, too.
//!
//! **Cas.** An item keeps its cas, and serial numbers go on above any that can have been given out
//! since: `SERIALS_PER_S` for each second. When that is too long ago for the 32 bits that an item
//! has, items get new ones, so that a compare fails where it might have held, and never holds where
//! it must fail.

mod format;
#[cfg(any(test, fuzzing))]
pub mod fuzz;
mod restore;
#[cfg(test)]
mod tests;

pub use format::{Block, BlockReader, End, MARK, SnapshotError, is_snapshot};
pub(super) use format::{Head, Marks};
pub use restore::{Restored, Restorer, Terms};

use super::Store;
use super::api::{DumpCursor, Pin};
use super::arena::Handle;
use crate::limits::COPY_SIZE_MAX;
use crate::time::Now;
use format::{BLOCK_SIZE, BLOCK_SIZE_MAX, Blocks, HEAD_SIZE_MAX, Kind};

/// A value up to this many bytes is copied under the lock under which it is found.
pub(super) const AT_ONCE_SIZE_MAX: usize = 4 << 10;

/// Items shown, or buckets looked at, under one lock.
const ITEM_COUNT_MAX: u64 = 64;

/// Bytes copied under one lock, and a bucket's more.
const COPIED_SIZE_MAX: usize = 16 << 10;

/// A larger value has blocks of its own.
const WHOLE_SIZE_MAX: usize = 64 << 10;

/// Contents of a block at which further items are pinned instead of copied.
pub(super) const FULL_SIZE: usize = BLOCK_SIZE + (32 << 10);

/// Serial numbers that a shard is taken to have given out in each second since a snapshot: more
/// than one ever has.
const SERIALS_PER_S: u64 = 1 << 20;

const _: () = {
    // What is copied when a block is just not full, and what is read of a pin, fit into it.
    let item = HEAD_SIZE_MAX + crate::limits::KEY_SIZE_MAX;
    assert!(FULL_SIZE + item + AT_ONCE_SIZE_MAX <= BLOCK_SIZE_MAX);
    assert!(FULL_SIZE + item + AT_ONCE_SIZE_MAX + item + WHOLE_SIZE_MAX <= BLOCK_SIZE_MAX);
    assert!(BLOCK_SIZE + item + COPY_SIZE_MAX <= BLOCK_SIZE_MAX);
};

/// An item whose value is yet to be read.
#[derive(Debug)]
pub(super) struct Pinned {
    pub(super) head: Head,
    pub(super) key: Box<[u8]>,
    pub(super) pin: Pin,
    /// Whether its head has been written.
    begun: bool,
    /// Blocks of its own that have been ended.
    blocks: u32,
}

impl Pinned {
    pub(super) fn new(head: Head, key: Box<[u8]>, pin: Pin) -> Self {
        Self {
            head,
            key,
            pin,
            begun: false,
            blocks: 0,
        }
    }
}

/// What a shard hands over under one lock.
#[derive(Debug, Default)]
pub(super) struct Gathered {
    /// Contents of the block that is being filled.
    pub(super) contents: Vec<u8>,
    /// Items copied there.
    pub(super) items: u64,
    pub(super) pinned: Vec<Pinned>,
    /// Room for the handles of a bucket.
    pub(super) held: Vec<Handle>,
}

/// A snapshot under way. Give it back by [`Store::end_snapshot`] or [`Store::abandon_snapshot`]:
/// it may have values pinned.
#[derive(Debug)]
#[must_use = "a walk that is dropped keeps memory of the store"]
pub struct SnapshotWalk {
    began_unix_s: i64,
    cursor: DumpCursor,
    /// All buckets of the present shard have been looked at.
    is_shard_done: bool,
    gathered: Gathered,
    blocks: Blocks,
}

impl SnapshotWalk {
    /// Begins at the first item.
    pub fn new(now: Now) -> Self {
        Self {
            began_unix_s: now.unix_s,
            cursor: DumpCursor::default(),
            is_shard_done: false,
            gathered: Gathered::default(),
            blocks: Blocks::new(),
        }
    }

    /// What is to be written next, in whole blocks. Whoever writes it empties it.
    pub fn ready(&mut self) -> &mut Vec<u8> {
        &mut self.blocks.ready
    }

    /// Items that have been copied so far.
    pub fn items(&self) -> u64 {
        self.gathered.items
    }

    /// Bytes that have been copied and not been taken away.
    pub fn size(&self) -> u64 {
        (self.blocks.ready.len() + self.gathered.contents.len()) as u64
    }

    fn seal(&mut self, kind: Kind) {
        let contents = &mut self.gathered.contents;
        self.blocks.seal(kind, self.cursor.shard, contents);
    }
}

impl Store {
    /// Copies some items. Returns true when all have been copied. Takes the lock of one shard, for
    /// some tens of microseconds, and gives way to who waits for it.
    pub fn snapshot_step(&self, walk: &mut SnapshotWalk, now: Now) -> bool {
        if let Some(pinned) = walk.gathered.pinned.pop() {
            self.read_pinned(walk, pinned);
            return false;
        }
        if walk.is_shard_done {
            walk.seal(Kind::Items);
            walk.is_shard_done = false;
            walk.cursor.shard += 1;
            walk.cursor.bucket = 0;
        }
        let Some(place) = self.places.get(walk.cursor.shard as usize) else {
            return true;
        };
        let cursor = &mut walk.cursor;
        let gathered = &mut walk.gathered;
        let (items, size) = (gathered.items, gathered.contents.len());
        let mut shard = place.shard.lock();
        if cursor.bucket == 0 {
            // As in a listing: these bits select the same items however the index grows.
            cursor.bits = shard.dump_bits();
        }
        let mut looked = 0;
        while !walk.is_shard_done {
            shard.gather(cursor.bucket, cursor.bits, now, gathered);
            cursor.bucket += 1;
            looked += 1;
            walk.is_shard_done = cursor.bucket >> cursor.bits != 0;
            let found = gathered.items - items + gathered.pinned.len() as u64;
            let copied = gathered.contents.len() - size;
            if looked + found >= ITEM_COUNT_MAX || copied >= COPIED_SIZE_MAX {
                break;
            }
        }
        // Else a worker that waits would find the lock taken again.
        parking_lot::MutexGuard::unlock_fair(shard);
        if walk.gathered.contents.len() >= BLOCK_SIZE {
            walk.seal(Kind::Items);
        }
        false
    }

    /// Reads a piece of a pinned value.
    fn read_pinned(&self, walk: &mut SnapshotWalk, mut pinned: Pinned) {
        let is_large = pinned.head.value_size as usize > WHOLE_SIZE_MAX;
        if !pinned.begun {
            if is_large {
                walk.seal(Kind::Items);
            }
            pinned.begun = true;
            pinned.head.push(&mut walk.gathered.contents);
            walk.gathered.contents.extend_from_slice(&pinned.key);
        }
        self.read_pin(&mut pinned.pin, COPY_SIZE_MAX, &mut walk.gathered.contents);
        let is_done = pinned.pin.remaining == 0;
        let is_full = walk.gathered.contents.len() >= BLOCK_SIZE;
        match (is_large, is_done) {
            (true, _) if is_done || is_full => {
                walk.seal(match pinned.blocks {
                    0 => Kind::Begin,
                    _ => Kind::Rest,
                });
                pinned.blocks += 1;
            }
            (false, true) if is_full => walk.seal(Kind::Items),
            _ => {}
        }
        if is_done {
            self.unpin(pinned.pin);
            walk.gathered.items += 1;
        } else {
            walk.gathered.pinned.push(pinned);
        }
    }

    /// Ends a snapshot all of whose items have been copied. Returns what stands at its end; the
    /// rest of it is ready to be written.
    pub fn end_snapshot(&self, mut walk: SnapshotWalk, now: Now) -> (End, Vec<u8>) {
        let mut end = End {
            began_unix_s: u64::try_from(walk.began_unix_s).unwrap_or(0),
            ended_unix_s: u64::try_from(now.unix_s).unwrap_or(0),
            items: walk.items(),
            ..End::default()
        };
        for place in &self.places {
            let flushes = place.shard.lock().flushes(now);
            end.serial = end.serial.max(flushes.serial);
            end.flushed.push(flushes.flushed);
            if flushes.at_uptime_s != 0 {
                let at = now.unix_of(flushes.at_uptime_s);
                end.flush_at_unix_s = u64::try_from(at).unwrap_or(0);
            }
        }
        walk.blocks.end(end.clone());
        (end, walk.blocks.ready)
    }

    /// Gives back what a snapshot has pinned that will not be ended.
    pub fn abandon_snapshot(&self, walk: SnapshotWalk) {
        for pinned in walk.gathered.pinned {
            self.unpin(pinned.pin);
        }
    }
}
