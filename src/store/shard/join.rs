//! Appending and prepending.
//!
//! Short values are joined in a buffer. A long value never is: what is appended to it goes into
//! its last piece and into new ones behind, so that the work is that of the bytes added; where
//! its pieces will not do (they are being sent, or the item changes its class, or bytes go in
//! front) it is written again chunk by chunk. One that is long enough for others to notice is
//! written again in steps ([`Shard::begin_join`]), as if it were uploaded: meanwhile the old value
//! is pinned, and in the end it must still be the one that the key leads to.

use super::super::api::{Put, PutMode, PutReply, PutStatus};
use super::super::arena::Handle;
use super::super::item::{self, Flag, Header, Mark, PIECE_HEADER_SIZE, Spec};
use super::super::slab::Slabs;
use super::read::PinState;
use super::write::{Tail, Verdict, judge};
use super::{Found, Shard, Short};
use crate::time::Now;

/// A value shorter than this is written again under one lock, in bytes.
const JOINED_AT_ONCE_MAX: u32 = 128 << 10;

/// A long value that is being written again, to be joined to.
#[derive(Debug)]
pub(in super::super) struct Joining {
    /// The upload that becomes the new item.
    pub(in super::super) upload: usize,
    /// The old value, from where it has not been copied.
    pub(in super::super) old: Part,
    old_handle: Handle,
    old_serial: u32,
    pin: usize,
}

/// What has not been copied of a value that stays as it is.
#[derive(Clone, Copy, Debug)]
pub(in super::super) struct Part {
    at: PinState,
    /// Bytes from there.
    pub(in super::super) left: u32,
}

/// What is joined to a value.
#[derive(Clone, Copy, Debug)]
pub(super) enum Added<'v> {
    /// Bytes at hand.
    Bytes(&'v [u8]),
    /// The value of a detached item: an upload.
    Uploaded(Handle),
}

impl Shard {
    fn added_size(&self, added: &Added<'_>) -> u32 {
        match added {
            Added::Bytes(bytes) => u32::try_from(bytes.len()).unwrap_or(u32::MAX),
            Added::Uploaded(head) => {
                let chunk = self.lease.at(*head);
                Header::read(chunk).value_size(chunk)
            }
        }
    }

    /// Appends or prepends. The new item has the old one's client flags and expiry.
    pub(super) fn join(
        &mut self,
        put: &Put<'_>,
        old: &Found,
        added: &Added<'_>,
        now: Now,
    ) -> Result<PutReply, Short> {
        let mut spec = old.header.spec(self.lease.at(old.handle));
        let added_size = self.added_size(added);
        spec.value_size = spec.value_size.saturating_add(added_size);
        spec.assigned_cas = put.assign_cas.filter(|cas| *cas != 0);
        let Some(cut) = self.common.classes.cut_for(&spec) else {
            return Ok(PutReply {
                status: PutStatus::NotStored,
                cas: 0,
                value_size: added_size,
                class: self.common.classes.max(),
            });
        };
        let class = self.common.classes.cuts()[usize::from(cut)].class;
        let handle = if self.common.classes.cuts()[usize::from(cut)].long {
            self.join_long(put, old, &spec, cut, added, now)?
        } else {
            self.join_short(put, old, &spec, cut, added, now)?
        };
        Ok(self.stored(handle, class))
    }

    /// Whether a join has to write so long a value again that it is done in steps, by
    /// [`Self::begin_join`].
    pub(in super::super) fn joins_in_steps(
        &mut self,
        put: &Put<'_>,
        added_size: u32,
        now: Now,
    ) -> bool {
        self.begin(now);
        self.long_join(put, added_size, now).is_some()
    }

    /// The long value that a join has to write again, and what it is to become.
    fn long_join(&mut self, put: &Put<'_>, added_size: u32, now: Now) -> Option<(Found, Spec)> {
        let old = self.find_live(put.key, put.hash.0, now).ok()?;
        let chunk = self.lease.at(old.handle);
        let old_size = old.header.value_size(chunk);
        if old_size < JOINED_AT_ONCE_MAX {
            return None;
        }
        let old_cas = self.cas_of(&old.header, chunk);
        let mut spec = old.header.spec(chunk);
        spec.value_size = old_size.saturating_add(added_size);
        spec.assigned_cas = put.assign_cas.filter(|cas| *cas != 0);
        let cut = self.common.classes.cut_for(&spec)?;
        let joins = matches!(judge(put, Some(old_cas)), Verdict::Join);
        (joins && !self.can_grow(put, &old, cut)).then_some((old, spec))
    }

    /// Begins to write a long value again for a join, or finds that the join is better done at once.
    /// Whatever comes of it is given to [`Self::end_join`].
    pub(in super::super) fn begin_join(
        &mut self,
        put: &Put<'_>,
        added_size: u32,
        now: Now,
    ) -> Result<Option<Joining>, Short> {
        self.begin(now);
        let Some((old, spec)) = self.long_join(put, added_size, now) else {
            return Ok(None);
        };
        let old_size = old.header.value_size(self.lease.at(old.handle));
        let at = PinState::at_start(old.handle, &old.header);
        let pin = self.pin(at);
        match self.build_head(&spec, put.key, now) {
            Ok((head, tail)) => Ok(Some(Joining {
                upload: self.begin_upload_of(put, &spec, head, tail),
                old: Part { at, left: old_size },
                old_handle: old.handle,
                old_serial: old.header.serial,
                pin,
            })),
            Err(short) => {
                self.unpin(pin);
                Err(short)
            }
        }
    }

    /// All of an upload's value.
    pub(in super::super) fn uploaded_part(&self, id: usize) -> Part {
        let head = self.upload_head(id);
        let chunk = self.lease.at(head);
        let header = Header::read(chunk);
        Part {
            at: PinState::at_start(head, &header),
            left: header.value_size(chunk),
        }
    }

    /// Appends up to `max` bytes of a part to `out`, and takes them off it.
    pub(in super::super) fn read_part(&self, part: &mut Part, max: usize, out: &mut Vec<u8>) {
        part.left = self.read_on(&mut part.at, part.left, max, out);
    }

    /// Puts the joined value in place of the old one. `None`, and nothing has happened, when the
    /// key does not lead to that any more.
    pub(in super::super) fn end_join(
        &mut self,
        joining: &Joining,
        put: &Put<'_>,
        now: Now,
    ) -> Result<Option<PutReply>, Short> {
        self.begin(now);
        let found = self.find_live(put.key, put.hash.0, now).ok();
        let old = found.filter(|found| {
            found.handle == joining.old_handle && found.header.serial == joining.old_serial
        });
        let Some(old) = old else {
            return Ok(None);
        };
        let expiry_s = self.expiry_at(old.handle, &old.header);
        let serial = self.next_serial();
        let head = self.take_upload(joining.upload);
        let header = Header::read(self.lease.at(head));
        let chunk = self.lease.at_mut(head);
        // The old one may have been touched meanwhile.
        header.set_expiry(chunk, expiry_s);
        item::set_serial(chunk, serial);
        item::set_access(chunk, now.uptime_s);
        self.link_over(head, put.key, put.hash.0, now)?;
        self.unpin(joining.pin);
        let chunk = self.lease.at(head);
        let size = self.logical_size(&Header::read(chunk), chunk);
        Ok(Some(self.stored(head, self.common.classes.class_of(size))))
    }

    /// Frees what a join has written that came to nothing.
    pub(in super::super) fn abort_join(&mut self, joining: &Joining) {
        self.abort_upload(joining.upload);
        self.unpin(joining.pin);
    }

    /// Whether what is joined can be written behind the old value, which stays where it is.
    fn can_grow(&self, put: &Put<'_>, old: &Found, cut: u16) -> bool {
        put.mode == PutMode::Append
            && old.header.is_long()
            && !old.header.has(Mark::PINNED)
            && Slabs::cut_of(&self.lease, old.handle) == cut
    }

    /// Joins to what fits one chunk.
    fn join_short(
        &mut self,
        put: &Put<'_>,
        old: &Found,
        spec: &Spec,
        cut: u16,
        added: &Added<'_>,
        now: Now,
    ) -> Result<Handle, Short> {
        let mut joined = Vec::with_capacity(spec.value_size as usize);
        if put.mode == PutMode::Append {
            self.read_value(old.handle, &old.header, &mut joined);
        }
        match added {
            Added::Bytes(bytes) => joined.extend_from_slice(bytes),
            Added::Uploaded(head) => {
                let header = Header::read(self.lease.at(*head));
                self.read_value(*head, &header, &mut joined);
            }
        }
        if put.mode == PutMode::Prepend {
            self.read_value(old.handle, &old.header, &mut joined);
        }
        if self.fits_in_place(old, spec, cut, now) {
            self.overwrite(old, spec, put.key, &joined, now);
            return Ok(old.handle);
        }
        self.store_over(spec, put.key, put.hash.0, &joined, now)
    }

    /// Joins to a value of several chunks, or that becomes one.
    fn join_long(
        &mut self,
        put: &Put<'_>,
        old: &Found,
        spec: &Spec,
        cut: u16,
        added: &Added<'_>,
        now: Now,
    ) -> Result<Handle, Short> {
        // The old item is pinned meanwhile, so that it is not what makes room for its successor.
        let pinned = old.header.has(Mark::PINNED);
        let grows = self.can_grow(put, old, cut);
        item::set_mark(self.lease.at_mut(old.handle), Mark::PINNED, true);
        let joined = if grows {
            self.grow(old, added, now).map(|()| old.handle)
        } else {
            self.build_joined(put, old, spec, added, now)
        };
        item::set_mark(self.lease.at_mut(old.handle), Mark::PINNED, pinned);
        let handle = joined?;
        if grows {
            self.note_growth(old, spec, now);
        } else {
            self.link_over(handle, put.key, put.hash.0, now)?;
        }
        Ok(handle)
    }

    /// Writes what is added behind a long value. Nothing has changed when memory runs short.
    fn grow(&mut self, old: &Found, added: &Added<'_>, now: Now) -> Result<(), Short> {
        let mut tail = self.tail_of(old.handle);
        let last = tail.last;
        let grown = self.fill_added(old.handle, &mut tail, added, now);
        if grown.is_err() {
            let mut piece = item::piece_next(self.lease.at(last));
            item::set_piece_next(self.lease.at_mut(last), Handle::NONE);
            while !piece.is_none() {
                let next = item::piece_next(self.lease.at(piece));
                self.free_chunk(piece);
                piece = next;
            }
        }
        grown
    }

    /// Where a long value ends.
    fn tail_of(&self, head: Handle) -> Tail {
        let chunk = self.lease.at(head);
        let header = Header::read(chunk);
        let cut = Slabs::cut_of(&self.lease, head);
        let room = self.common.classes.piece_room(cut);
        let mut last = header.first_piece(chunk);
        let mut filled = header.value_size(chunk) as usize - header.inline_size();
        while filled > room {
            filled -= room;
            last = item::piece_next(self.lease.at(last));
        }
        Tail {
            last,
            offset: PIECE_HEADER_SIZE + filled,
            left: room - filled,
        }
    }

    /// Makes an item that has grown a new one, as far as clients can tell.
    fn note_growth(&mut self, old: &Found, spec: &Spec, now: Now) {
        let serial = self.next_serial();
        let cut = usize::from(Slabs::cut_of(&self.lease, old.handle));
        let old_size = self.logical_size(&old.header, self.lease.at(old.handle));
        let new_size = spec.logical_size(self.common.classes.has_cas());
        let stats = &mut self.stats[cut];
        stats.requested = stats.requested - old_size + new_size;
        self.totals.total_items += 1;
        let header = old.header;
        let chunk = self.lease.at_mut(old.handle);
        header.set_value_size(chunk, spec.value_size);
        header.set_assigned_cas(chunk, spec.assigned_cas);
        item::set_serial(chunk, serial);
        item::set_access(chunk, now.uptime_s);
        item::set_flag(chunk, Flag::FETCHED, false);
        item::set_flag(chunk, Flag::ACTIVE, true);
        for mark in [Mark::STALE, Mark::TOKEN_SENT] {
            item::set_mark(chunk, mark, false);
        }
    }

    /// Writes a detached item with both values.
    fn build_joined(
        &mut self,
        put: &Put<'_>,
        old: &Found,
        spec: &Spec,
        added: &Added<'_>,
        now: Now,
    ) -> Result<Handle, Short> {
        let (head, mut tail) = self.build_head(spec, put.key, now)?;
        let kept = Added::Uploaded(old.handle);
        let parts = if put.mode == PutMode::Append {
            [&kept, added]
        } else {
            [added, &kept]
        };
        for part in parts {
            if let Err(short) = self.fill_added(head, &mut tail, part, now) {
                self.free_chunks(head);
                return Err(short);
            }
        }
        Ok(head)
    }

    /// Writes bytes, or another item's value chunk by chunk, where an item's tail is.
    fn fill_added(
        &mut self,
        head: Handle,
        tail: &mut Tail,
        added: &Added<'_>,
        now: Now,
    ) -> Result<(), Short> {
        let from = match added {
            Added::Bytes(bytes) => return self.fill(head, tail, bytes, now).1,
            Added::Uploaded(from) => *from,
        };
        let chunk = self.lease.at(from);
        let header = Header::read(chunk);
        let room = self
            .common
            .classes
            .piece_room(Slabs::cut_of(&self.lease, from));
        let mut left = header.value_size(chunk) as usize - header.inline_size();
        let mut piece = header.first_piece(chunk);
        let mut part = header.inline_value(chunk).to_vec();
        loop {
            self.fill(head, tail, &part, now).1?;
            if left == 0 {
                return Ok(());
            }
            let chunk = self.lease.at(piece);
            let size = left.min(room);
            part.clear();
            part.extend_from_slice(&chunk[PIECE_HEADER_SIZE..PIECE_HEADER_SIZE + size]);
            left -= size;
            piece = item::piece_next(chunk);
        }
    }

    /// Appends an item's whole value to `out`.
    #[inline]
    pub(super) fn read_value(&self, handle: Handle, header: &Header, out: &mut Vec<u8>) {
        let chunk = self.lease.at(handle);
        out.extend_from_slice(header.inline_value(chunk));
        if header.is_long() {
            self.read_pieces(handle, header, out);
        }
    }

    /// Appends what of a value lies in pieces.
    fn read_pieces(&self, handle: Handle, header: &Header, out: &mut Vec<u8>) {
        let chunk = self.lease.at(handle);
        let room = self
            .common
            .classes
            .piece_room(Slabs::cut_of(&self.lease, handle));
        let mut left = header.value_size(chunk) as usize - header.inline_size();
        let mut piece = header.first_piece(chunk);
        while left > 0 {
            let chunk = self.lease.at(piece);
            let size = left.min(room);
            out.extend_from_slice(&chunk[PIECE_HEADER_SIZE..PIECE_HEADER_SIZE + size]);
            left -= size;
            piece = item::piece_next(chunk);
        }
    }
}
