//! What outlives a process when its memory is a file: a description of the memory, and the way
//! back from it.
//!
//! The bytes of the items stay where they are; handles are places in the file, so nothing in them
//! needs to be mended. [`Saved`] tells which pages belong to which shard and cut, a checksum of
//! each, and where queues begin. The index is not kept: it is filled again from the items, so that
//! nothing is believed of it.
//!
//! ```text
//!   stop    save_shard for each -> saved -> Saved -> whoever keeps it
//!   start   Saved -> on_file -> restore_shard for each -> end_restore
//! ```
//!
//! **Invariant:** a store is served from only when every shard has been restored. A page that is
//! not what was saved, or an item, queue or chain that contradicts itself, is [`Damage`]: the
//! caller drops this store and begins with an empty one.

use std::fmt;
use std::fs::File;
use std::io;

use serde::{Deserialize, Serialize};

use super::arena::Handle;
use super::shard::Common;
use super::{Build, Memory, Store, StoreConfig, geometry};

/// Why memory that was saved cannot be used.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Damage {
    /// Page size or grain follow from a memory limit, and it is another.
    Geometry,
    /// The slab classes are others.
    Classes,
    /// Something in the description contradicts itself.
    Description,
    /// A page has changed since it was saved.
    Page,
    /// An item is not what an item can be, or in the wrong place.
    Item,
    /// A queue or a chain of pieces does not hold together.
    Chain,
    /// There is no room for the index.
    NoMemory,
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Geometry => "memory is cut in other pages for this limit (-m)",
            Self::Classes => "slab classes are others now (-f, -n, -I, -C, slab_sizes)",
            Self::Description => "its description contradicts itself",
            Self::Page => "a page is not what was saved",
            Self::Item => "an item is not whole",
            Self::Chain => "a queue of items does not hold together",
            Self::NoMemory => "there is no room for the index",
        })
    }
}

impl std::error::Error for Damage {}

/// Why a store cannot be had on a file.
#[derive(Debug)]
pub enum OpenError {
    /// What was saved cannot be used; an empty store can.
    Damage(Damage),
    /// The system refuses.
    System(io::Error),
}

impl From<Damage> for OpenError {
    fn from(damage: Damage) -> Self {
        Self::Damage(damage)
    }
}

impl From<io::Error> for OpenError {
    fn from(error: io::Error) -> Self {
        Self::System(error)
    }
}

/// What is in a file when a store is put on it.
#[derive(Clone, Copy, Debug)]
pub enum Contents<'s> {
    /// Nothing: it reads as zeros. Keys are hashed with these numbers, which nobody knows.
    Empty([u64; 4]),
    /// What this describes.
    Saved(&'s Saved),
}

/// All of a store but the bytes of its items.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Saved {
    page_shift: u32,
    grain_shift: u32,
    /// Ratio of neighbouring chunk sizes.
    growth: f64,
    /// Of the tables of classes and cuts.
    classes: u32,
    hash_keys: [u64; 4],
    shards: Vec<SavedShard>,
}

/// One shard.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub struct SavedShard {
    pub(super) serial: u64,
    pub(super) flushed: u64,
    pub(super) flush_at_s: u32,
    pub(super) buckets: u32,
    /// The oldest page of each cut comes first.
    pub(super) pages: Vec<SavedPage>,
    pub(super) queues: Vec<SavedQueue>,
}

/// One page of items.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Serialize)]
pub(super) struct SavedPage {
    pub(super) page: u32,
    pub(super) cut: u16,
    /// CRC-32 of all its bytes.
    pub(super) checksum: u32,
}

/// One queue that is not empty.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Serialize)]
pub(super) struct SavedQueue {
    pub(super) cut: u16,
    pub(super) queue: u8,
    pub(super) head: u32,
    pub(super) tail: u32,
    pub(super) count: u32,
}

impl SavedQueue {
    pub(super) fn head(&self) -> Handle {
        Handle(self.head)
    }

    pub(super) fn tail(&self) -> Handle {
        Handle(self.tail)
    }
}

impl Saved {
    /// Shards, each to be restored by itself.
    pub fn shard_count(&self) -> usize {
        self.shards.len()
    }

    /// Bytes of pages with items.
    pub fn size(&self) -> u64 {
        let pages: usize = self.shards.iter().map(|shard| shard.pages.len()).sum();
        (pages as u64) << self.page_shift.min(32)
    }

    #[cfg(test)]
    pub(super) fn pages(&self) -> impl Iterator<Item = &SavedPage> {
        self.shards.iter().flat_map(|shard| &shard.pages)
    }

    #[cfg(test)]
    pub(super) fn pages_mut(&mut self) -> impl Iterator<Item = &mut SavedPage> {
        self.shards.iter_mut().flat_map(|shard| &mut shard.pages)
    }

    fn judge(&self, config: &StoreConfig) -> Result<(), Damage> {
        let wanted = geometry(config.memory_limit);
        if (self.page_shift, self.grain_shift) != (wanted.page_shift, wanted.grain_shift) {
            return Err(Damage::Geometry);
        }
        let shards = self.shards.len();
        let is_ratio = self.growth > 1.0 && self.growth < 16.0;
        if !shards.is_power_of_two() || shards > 1 << 14 || !is_ratio {
            return Err(Damage::Description);
        }
        Ok(())
    }

    /// The pages, and the shard of each.
    fn owners(&self) -> Vec<(u32, usize)> {
        let shards = self.shards.iter().enumerate();
        let pages =
            shards.flat_map(|(number, shard)| shard.pages.iter().map(move |p| (p.page, number)));
        pages.collect()
    }
}

/// A number that differs where classes or cuts do.
fn fingerprint(common: &Common) -> u32 {
    crc32fast::hash(format!("{:?}", common.classes.tables()).as_bytes())
}

impl Store {
    /// A store whose memory is a file. A description of what is in it is believed only after each
    /// shard has been restored: see [`Self::restore_shard`] and [`Self::end_restore`].
    ///
    /// The file must be locked against every other process, and writable by nobody else.
    ///
    /// # Errors
    ///
    /// When the system refuses, or the description is of another kind of store.
    pub fn on_file(
        config: &StoreConfig,
        file: &File,
        contents: Contents<'_>,
    ) -> Result<Self, OpenError> {
        let file = file.try_clone()?;
        let hash_keys = match contents {
            Contents::Empty(keys) => keys,
            Contents::Saved(saved) => saved.hash_keys,
        };
        let memory = Memory::File { file, hash_keys };
        let Contents::Saved(saved) = contents else {
            return Ok(Self::build(config, &memory, &Build::default())?);
        };
        saved.judge(config)?;
        let build = Build {
            shards: Some(saved.shards.len()),
            growth: Some(saved.growth),
            owners: Some(saved.owners()),
        };
        let store = Self::build(config, &memory, &build)?;
        if fingerprint(&store.common) != saved.classes {
            return Err(Damage::Classes.into());
        }
        Ok(store)
    }

    /// Fills one shard with what was saved. Other threads may do others at the same time. Takes
    /// about a second for each GiB of small items.
    ///
    /// # Errors
    ///
    /// When anything is not as it was saved: drop the store, and begin with an empty one.
    pub fn restore_shard(&self, number: usize, saved: &Saved) -> Result<(), Damage> {
        let shard = saved.shards.get(number).ok_or(Damage::Description)?;
        let place = self.places.get(number).ok_or(Damage::Description)?;
        place.shard.lock().restore(shard, self.places.len())
    }

    /// Puts the memory limit in force, after all shards have been restored. Upkeep frees what is
    /// over it.
    pub fn end_restore(&self) {
        self.common.pool.set_limit(self.limit_pages);
    }

    /// Ends everything that is under way in a shard and describes it. Nobody may use the store any
    /// more. Takes as long as reading all its items.
    pub fn save_shard(&self, number: usize) -> SavedShard {
        self.places[number].shard.lock().save()
    }

    /// The description of all shards, in their order; `None` when memory is no file.
    pub fn saved(&self, shards: Vec<SavedShard>) -> Option<Saved> {
        let geometry = self.common.pool.geometry();
        Some(Saved {
            page_shift: geometry.page_shift,
            grain_shift: geometry.grain_shift,
            growth: self.growth,
            classes: fingerprint(&self.common),
            hash_keys: self.hash_keys?,
            shards,
        })
    }
}
