//! The way of a snapshot's items into a store.

use super::super::Store;
use super::super::api::{Put, PutMode, PutStatus, Upload};
use super::SERIALS_PER_S;
use super::format::{Block, End, Head, Kind, Marks, SnapshotError};
use crate::time::{Expiry, Now};

/// The system's clock may be set back so far without consequence, in seconds.
const CLOCK_SLACK_S: u64 = 2;

/// What a snapshot's times and serial numbers mean in this process.
#[derive(Clone, Debug)]
pub struct Terms {
    end: End,
    /// Seconds since it was ended.
    gone_s: u64,
}

impl Terms {
    /// Those of a snapshot that ends so.
    ///
    /// # Errors
    ///
    /// [`SnapshotError::Future`] when it was ended later than now: nobody knows how long items
    /// have left.
    pub fn new(end: &End, now: Now) -> Result<Self, SnapshotError> {
        let now_s = u64::try_from(now.unix_s).unwrap_or(0);
        if end.ended_unix_s > now_s + CLOCK_SLACK_S {
            return Err(SnapshotError::Future);
        }
        Ok(Self {
            end: end.clone(),
            gone_s: now_s.saturating_sub(end.ended_unix_s),
        })
    }

    /// Seconds since the snapshot was ended.
    pub fn gone_s(&self) -> u64 {
        self.gone_s
    }

    /// Whether all items have been flushed since: by a flush that waited for its time.
    pub fn is_flushed(&self, now: Now) -> bool {
        let at_s = self.end.flush_at_unix_s;
        at_s != 0 && at_s <= u64::try_from(now.unix_s).unwrap_or(0)
    }

    /// When an item dies; `None` when it has.
    fn expiry(&self, head: &Head, now: Now) -> Option<Expiry> {
        if head.expiry_unix_s == 0 {
            return Some(Expiry::NEVER);
        }
        let unix_s = i64::try_from(head.expiry_unix_s).unwrap_or(i64::MAX);
        let left_s = unix_s.saturating_sub(now.unix_s);
        let uptime_s = left_s.saturating_add(i64::from(now.uptime_s));
        let expiry = Expiry::at(u32::try_from(uptime_s).unwrap_or(u32::MAX));
        (left_s > 0 && !expiry.is_past(now)).then_some(expiry)
    }
}

/// What has become of the items of a snapshot.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Restored {
    /// Stored. Some may have given way to others meanwhile, where there is less memory now.
    pub items: u64,
    /// Dead by now, expired or flushed.
    pub dead: u64,
    /// Too large for this store, or more than it has memory for and nothing may give way.
    pub refused: u64,
}

impl Restored {
    /// Adds what another has restored.
    pub fn add(&mut self, other: &Self) {
        self.items += other.items;
        self.dead += other.dead;
        self.refused += other.refused;
    }
}

/// A large item on its way in.
#[derive(Debug)]
struct Large {
    head: Head,
    key: Box<[u8]>,
    /// Bytes to come.
    left: usize,
    /// `None` when it is not to be had; what comes of it is skipped.
    upload: Option<Upload>,
}

/// Puts the items of blocks into a store. Several may do so at the same time; the blocks of one
/// large item go to the same one.
#[derive(Debug)]
pub struct Restorer<'s> {
    store: &'s Store,
    terms: &'s Terms,
    large: Option<Large>,
    restored: Restored,
}

impl<'s> Restorer<'s> {
    /// Nothing done yet.
    pub fn new(store: &'s Store, terms: &'s Terms) -> Self {
        Self {
            store,
            terms,
            large: None,
            restored: Restored::default(),
        }
    }

    /// Stores the items of one block.
    ///
    /// # Errors
    ///
    /// [`SnapshotError::Contents`]: it is not what a snapshot has. Nothing of it is to be believed then.
    pub fn take(&mut self, block: &Block, now: Now) -> Result<(), SnapshotError> {
        if block.is_rest() != self.large.is_some() {
            return Err(SnapshotError::Contents);
        }
        let taken = match block.kind {
            Kind::Items => self.take_items(block, now),
            Kind::Begin => self.begin_large(block, now),
            Kind::Rest => self.fill_large(&block.contents, now),
            Kind::End => None,
        };
        taken.ok_or(SnapshotError::Contents)
    }

    /// What has become of the items.
    ///
    /// # Errors
    ///
    /// [`SnapshotError::Contents`] when the last one is not whole.
    pub fn finish(mut self) -> Result<Restored, SnapshotError> {
        match self.large.take() {
            None => Ok(self.restored),
            Some(large) => {
                if let Some(upload) = large.upload {
                    self.store.abort_upload(upload);
                }
                Err(SnapshotError::Contents)
            }
        }
    }

    fn take_items(&mut self, block: &Block, now: Now) -> Option<()> {
        let mut input = &*block.contents;
        while !input.is_empty() {
            let (head, key, rest) = Head::read(input)?;
            let (value, rest) = rest.split_at_checked(head.value_size as usize)?;
            input = rest;
            let Some(put) = self.put(&head, key, block.shard, now)? else {
                continue;
            };
            let status = self.store.put(&put, value, now).status;
            self.stored(status, &head, key, now);
        }
        Some(())
    }

    /// How an item is to be stored; nothing when it is dead.
    fn put<'k>(
        &mut self,
        head: &Head,
        key: &'k [u8],
        shard: u32,
        now: Now,
    ) -> Option<Option<Put<'k>>> {
        let flushed = *self.terms.end.flushed.get(shard as usize)?;
        let is_flushed = flushed != 0 && head.serial <= flushed;
        let Some(expiry) = self.terms.expiry(head, now).filter(|_| !is_flushed) else {
            self.restored.dead += 1;
            return Some(None);
        };
        Some(Some(Put {
            mode: PutMode::Add,
            client_flags: head.client_flags,
            expiry,
            assign_cas: (head.assigned_cas != 0).then_some(head.assigned_cas),
            binary_key: head.marks.has(Marks::BINARY_KEY),
            ..Put::new(key, self.store.hash(key))
        }))
    }

    fn stored(&mut self, status: PutStatus, head: &Head, key: &[u8], now: Now) {
        if status == PutStatus::Stored {
            self.restored.items += 1;
            self.store.settle(head, key, self.terms.gone_s, now);
        } else {
            self.restored.refused += 1;
        }
    }

    fn begin_large(&mut self, block: &Block, now: Now) -> Option<()> {
        let (head, key, value) = Head::read(&block.contents)?;
        let mut large = Large {
            head,
            key: key.into(),
            left: head.value_size as usize,
            upload: None,
        };
        if let Some(put) = self.put(&head, key, block.shard, now)? {
            match self.store.begin_upload(&put, head.value_size, now) {
                Ok(upload) => large.upload = Some(upload),
                Err(_) => self.restored.refused += 1,
            }
        }
        self.large = Some(large);
        self.fill_large(value, now)
    }

    fn fill_large(&mut self, bytes: &[u8], now: Now) -> Option<()> {
        let mut large = self.large.take()?;
        let left = large.left.checked_sub(bytes.len());
        let filled = match (&mut large.upload, left) {
            (Some(upload), Some(_)) => self.store.fill_upload(upload, bytes, now),
            _ => Ok(()),
        };
        let is_over = left.is_none() || filled.is_err();
        if let Some(upload) = large.upload.take_if(|_| is_over) {
            self.store.abort_upload(upload);
            self.restored.refused += 1;
        }
        large.left = left?;
        if large.left > 0 {
            self.large = Some(large);
        } else if let Some(upload) = large.upload {
            let status = self.store.finish_upload(upload, now).status;
            self.stored(status, &large.head, &large.key, now);
        }
        Some(())
    }
}

impl Store {
    /// Makes an empty store ready for a snapshot's items: from here on serial numbers are above
    /// any that can have been given out before.
    pub fn begin_restore(&self, terms: &Terms) {
        let since = terms.gone_s.saturating_add(1).min(1 << 40) * SERIALS_PER_S;
        let serial = terms.end.serial.saturating_add(since);
        for place in &self.places {
            place.shard.lock().skip_serials(serial);
        }
    }

    /// Ends what [`Self::begin_restore`] has begun: a flush that waits goes on waiting.
    pub fn end_restore_of(&self, terms: &Terms, now: Now) {
        let at_s = terms.end.flush_at_unix_s;
        if at_s != 0 {
            let left_s = i64::try_from(at_s).unwrap_or(i64::MAX) - now.unix_s;
            let uptime_s = left_s.saturating_add(i64::from(now.uptime_s));
            self.flush(u32::try_from(uptime_s).ok(), now);
        }
    }

    /// Gives an item that was just stored what no request to store has.
    fn settle(&self, head: &Head, key: &[u8], gone_s: u64, now: Now) {
        let hash = self.hash(key);
        let mut shard = self.place(hash).shard.lock();
        shard.settle(head, key, hash.0, gone_s, now);
    }
}
