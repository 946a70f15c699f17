//! Appending and prepending.
//!
//! Short values are joined in a buffer. A long value never is: what is appended to it goes into
//! its last piece and into new ones behind, so that the work is that of the bytes added; where
//! its pieces will not do (they are being sent, or the item changes its class, or bytes go in
//! front) it is written again chunk by chunk.

use super::super::api::{Put, PutMode, PutReply, PutStatus};
use super::super::arena::Handle;
use super::super::item::{self, Flag, Header, Mark, PIECE_HEADER_SIZE, Spec};
use super::super::slab::Slabs;
use super::write::Tail;
use super::{Found, Shard, Short};
use crate::time::Now;

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
        let grows = put.mode == PutMode::Append
            && old.header.is_long()
            && !pinned
            && Slabs::cut_of(&self.lease, old.handle) == cut;
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
