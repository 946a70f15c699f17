//! What a request writes: puts, deletes, arithmetic, and new expiries.

use super::super::api::{
    Arithmetic, ArithmeticError, Counted, Delete, DeleteStatus, Put, PutMode, PutReply, PutStatus,
};
use super::super::arena::Handle;
use super::super::item::{self, Flag, Header, Mark, PIECE_HEADER_SIZE, Queue, Spec};
use super::super::slab::Slabs;
use super::join::Added;
use super::{Found, Shard, Short};
use crate::time::{Expiry, Now};

/// Digits of the largest 64-bit number.
const DIGITS_MAX: usize = 20;

/// What a put comes to, given what is stored.
#[derive(Clone, Copy, Debug)]
pub(super) enum Verdict {
    /// Nothing is stored, for this reason.
    Refuse(PutStatus),
    /// The value is stored as it is.
    Store {
        /// Marked stale, with the old item's expiry and token (`I` with an older cas).
        stale: bool,
    },
    /// The value is joined to the old one.
    Join,
}

/// Where the next byte of a growing value goes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tail {
    /// The chunk.
    pub(super) last: Handle,
    /// Where in it.
    pub(super) offset: usize,
    /// Bytes that still fit there.
    pub(super) left: usize,
}

/// Decides a put. The same rules hold for a value that came at once and one that was uploaded.
pub(super) fn judge(put: &Put<'_>, old_cas: Option<u64>) -> Verdict {
    use Verdict::{Join, Refuse, Store};
    let joins = put.mode.joins();
    match (put.mode, old_cas) {
        (PutMode::Add, Some(_)) => Refuse(PutStatus::NotStored),
        (PutMode::Add, None) => Store { stale: false },
        (PutMode::Append | PutMode::Prepend, None) => {
            if put.vivify.is_some() {
                Store { stale: false }
            } else {
                Refuse(PutStatus::NotStored)
            }
        }
        (PutMode::Set | PutMode::Replace, None) if put.compare.is_some() => {
            Refuse(PutStatus::NotFound)
        }
        (PutMode::Replace, None) => Refuse(PutStatus::NotStored),
        (PutMode::Set, None) => Store { stale: false },
        (_, Some(old_cas)) => match put.compare {
            Some(0) if joins => Join,
            // No item has had a cas of zero, so it is no older copy of this one.
            Some(cas) if cas != 0 && cas < old_cas && !joins && put.invalidate => {
                Store { stale: true }
            }
            Some(cas) if cas != old_cas => Refuse(PutStatus::Exists),
            _ if joins => Join,
            _ => Store { stale: false },
        },
    }
}

impl Shard {
    /// Stores a value that is there whole. [`Short`] has changed nothing: make room elsewhere
    /// and come again, or say so by [`Self::put_failed`].
    pub(in super::super) fn put(
        &mut self,
        put: &Put<'_>,
        value: &[u8],
        now: Now,
    ) -> Result<PutReply, Short> {
        self.begin(now);
        let mut spec = put_spec(put, u32::try_from(value.len()).unwrap_or(u32::MAX));
        let Some(mut cut) = self.common.classes.cut_for(&spec) else {
            return Ok(self.put_failed(put, spec.value_size, PutStatus::TooLarge, now));
        };
        let class = self.common.classes.cuts()[usize::from(cut)].class;
        let old = self.find_live(put.key, put.hash.0, now).ok();
        let old_cas = old.map(|old| self.cas_of(&old.header, self.lease.at(old.handle)));
        let stale = match judge(put, old_cas) {
            Verdict::Refuse(status) => {
                if let (PutMode::Add, Some(old)) = (put.mode, old) {
                    self.promote(old.handle, now);
                }
                return Ok(PutReply {
                    status,
                    cas: 0,
                    value_size: spec.value_size,
                    class,
                });
            }
            Verdict::Join => {
                // `judge` joins only what is there.
                let old = old.ok_or(Short)?;
                return self.join(put, &old, &Added::Bytes(value), now);
            }
            Verdict::Store { stale } => stale,
        };
        let token_sent = old.is_some_and(|old| old.header.has(Mark::TOKEN_SENT));
        if let (true, Some(old)) = (stale, old) {
            spec.expiry_s = old.header.expiry_s(self.lease.at(old.handle));
            // The expiry takes room too.
            cut = self.common.classes.cut_for(&spec).ok_or(Short)?;
        }
        let handle = match old {
            Some(old) if self.fits_in_place(&old, &spec, cut, now) => {
                self.overwrite(&old, &spec, put.key, value, now);
                old.handle
            }
            Some(_) => self.store_over(&spec, put.key, put.hash.0, value, now)?,
            None => self.store_new(&spec, put.key, put.hash.0, value, now)?,
        };
        if stale {
            let chunk = self.lease.at_mut(handle);
            item::set_mark(chunk, Mark::STALE, true);
            item::set_mark(chunk, Mark::TOKEN_SENT, token_sent);
        }
        let cas = match spec.assigned_cas {
            _ if !self.common.classes.has_cas() => 0,
            Some(cas) => cas,
            None => self.serial,
        };
        Ok(PutReply {
            status: PutStatus::Stored,
            cas,
            value_size: spec.value_size,
            class,
        })
    }

    /// Answers a put that could not be done, and lets the old item go if the client must
    /// believe that it is gone.
    pub(in super::super) fn put_failed(
        &mut self,
        put: &Put<'_>,
        value_size: u32,
        status: PutStatus,
        now: Now,
    ) -> PutReply {
        let class = self
            .common
            .classes
            .class_of_item(put.key.len(), value_size, put.client_flags);
        if status == PutStatus::NoMemory
            && let Some(cut) = self.common.classes.cut_for(&put_spec(put, value_size))
        {
            self.note_refusal(cut);
        }
        if put.drop_on_failure
            && let Ok(old) = self.find_live(put.key, put.hash.0, now)
        {
            self.remove(put.hash.0, old);
        }
        PutReply {
            status,
            cas: 0,
            value_size,
            class,
        }
    }

    pub(super) fn stored(&self, handle: Handle, class: u8) -> PutReply {
        let chunk = self.lease.at(handle);
        let header = Header::read(chunk);
        PutReply {
            status: PutStatus::Stored,
            cas: self.cas_of(&header, chunk),
            value_size: header.value_size(chunk),
            class,
        }
    }

    /// Whether an item can be written over another without moving it.
    pub(super) fn fits_in_place(&self, old: &Found, spec: &Spec, cut: u16, now: Now) -> bool {
        !old.header.is_long()
            && !old.header.has(Mark::PINNED)
            && Slabs::cut_of(&self.lease, old.handle) == cut
            && !self.common.classes.cuts()[usize::from(cut)].long
            && (self.lru.temporary_ttl_s.is_none()
                || self.queue_for(spec.expiry_s, now) == old.header.queue())
    }

    /// Writes an item over another of the same key. It keeps its place in its queue, but counts
    /// as active, so that it is moved ahead where it would otherwise leave.
    pub(super) fn overwrite(
        &mut self,
        old: &Found,
        spec: &Spec,
        key: &[u8],
        value: &[u8],
        now: Now,
    ) {
        let serial = self.next_serial();
        let cut = usize::from(Slabs::cut_of(&self.lease, old.handle));
        let chunk = self.lease.at(old.handle);
        let old_size = self.logical_size(&old.header, chunk);
        let new_size = spec.logical_size(self.common.classes.has_cas());
        let stats = &mut self.stats[cut];
        stats.requested = stats.requested - old_size + new_size;
        let chunk = self.lease.at_mut(old.handle);
        spec.write_over(chunk, key, old.header.queue(), now.uptime_s, serial);
        let at = spec.prefix_size(false);
        chunk[at..at + value.len()].copy_from_slice(value);
        Slabs::note_expiry(&mut self.lease, old.handle, spec.expiry_s);
        self.totals.total_items += 1;
    }

    /// Stores an item under a key that has none.
    pub(super) fn store_new(
        &mut self,
        spec: &Spec,
        key: &[u8],
        hash: u64,
        value: &[u8],
        now: Now,
    ) -> Result<Handle, Short> {
        let handle = self.build(spec, key, value, now)?;
        self.link_new(handle, hash, now)?;
        Ok(handle)
    }

    /// Puts a detached item into the index and a queue; frees it when the index has no room.
    pub(super) fn link_new(&mut self, handle: Handle, hash: u64, now: Now) -> Result<(), Short> {
        if let Err(short) = self.insert(hash, handle, now) {
            self.free_chunks(handle);
            return Err(short);
        }
        self.enlist(handle, now);
        if self.is_s3_fifo() && self.ghosts.recall(hash) {
            // It was evicted before it could prove itself.
            if Header::read(self.lease.at(handle)).queue() == Queue::Hot {
                self.shift(Slabs::cut_of(&self.lease, handle), handle, Queue::Warm);
            }
        }
        Ok(())
    }

    /// Stores an item under a key that has one, in another chunk. Making room may have evicted
    /// the old one, so it is looked up again.
    pub(super) fn store_over(
        &mut self,
        spec: &Spec,
        key: &[u8],
        hash: u64,
        value: &[u8],
        now: Now,
    ) -> Result<Handle, Short> {
        let handle = self.build(spec, key, value, now)?;
        self.link_over(handle, key, hash, now)?;
        Ok(handle)
    }

    /// Links a detached item in place of what its key leads to now.
    pub(super) fn link_over(
        &mut self,
        handle: Handle,
        key: &[u8],
        hash: u64,
        now: Now,
    ) -> Result<(), Short> {
        match self.find(key, hash) {
            Some(old) => {
                self.index.replace(old.slot, handle);
                self.dismiss(old.handle);
                self.enlist(handle, now);
                Ok(())
            }
            None => self.link_new(handle, hash, now),
        }
    }

    /// Writes a detached item, header, key and value.
    fn build(&mut self, spec: &Spec, key: &[u8], value: &[u8], now: Now) -> Result<Handle, Short> {
        let (handle, mut tail) = self.build_head(spec, key, now)?;
        if let (_, Err(short)) = self.fill(handle, &mut tail, value, now) {
            self.free_chunks(handle);
            return Err(short);
        }
        Ok(handle)
    }

    /// Writes more of an item's value where its tail is, and lets it grow by pieces. Returns how
    /// many bytes were written before memory ran short. The item must not be in the way of
    /// making room: it is detached or pinned.
    pub(super) fn fill(
        &mut self,
        head: Handle,
        tail: &mut Tail,
        bytes: &[u8],
        now: Now,
    ) -> (usize, Result<(), Short>) {
        let mut written = 0;
        while written < bytes.len() {
            if tail.left == 0 {
                match self.extend(head, tail.last, now) {
                    Ok((last, left)) => {
                        *tail = Tail {
                            last,
                            offset: PIECE_HEADER_SIZE,
                            left,
                        };
                    }
                    Err(short) => return (written, Err(short)),
                }
            }
            let size = tail.left.min(bytes.len() - written);
            let chunk = self.lease.at_mut(tail.last);
            chunk[tail.offset..tail.offset + size].copy_from_slice(&bytes[written..written + size]);
            tail.offset += size;
            tail.left -= size;
            written += size;
        }
        (written, Ok(()))
    }

    /// Writes header and key of a detached item. Returns where its value begins.
    pub(super) fn build_head(
        &mut self,
        spec: &Spec,
        key: &[u8],
        now: Now,
    ) -> Result<(Handle, Tail), Short> {
        let cut = self.common.classes.cut_for(spec).ok_or(Short)?;
        let handle = self.allocate(cut, now)?;
        let chunk_size = self.common.classes.cuts()[usize::from(cut)].chunk_size;
        let inline_size = if spec.physical_size() <= chunk_size {
            spec.value_size as usize
        } else {
            chunk_size - spec.prefix_size(true)
        };
        let serial = self.next_serial();
        let chunk = self.lease.at_mut(handle);
        spec.write(chunk, key, inline_size, now.uptime_s, serial);
        let tail = Tail {
            last: handle,
            offset: spec.prefix_size(inline_size < spec.value_size as usize),
            left: inline_size,
        };
        Ok((handle, tail))
    }

    /// Adds a piece to a detached item whose last chunk is `last`. Returns the piece and the
    /// bytes it holds.
    fn extend(&mut self, head: Handle, last: Handle, now: Now) -> Result<(Handle, usize), Short> {
        let cut = Slabs::cut_of(&self.lease, head);
        let piece = self.allocate(cut, now)?;
        item::write_piece(self.lease.at_mut(piece), last, head);
        if last == head {
            let header = Header::read(self.lease.at(head));
            header.set_first_piece(self.lease.at_mut(head), piece);
        } else {
            item::set_piece_next(self.lease.at_mut(last), piece);
        }
        Ok((piece, self.common.classes.piece_room(cut)))
    }

    /// Gives an item a new expiry. Returns where the item is now: without room for an expiry in
    /// its header it is written again.
    pub(super) fn set_expiry(
        &mut self,
        handle: Handle,
        hash: u64,
        expiry_s: u32,
        now: Now,
    ) -> Result<Handle, Short> {
        let header = Header::read(self.lease.at(handle));
        let handle = if header.has_expiry() || expiry_s == 0 {
            header.set_expiry(self.lease.at_mut(handle), expiry_s);
            handle
        } else {
            let mut spec = header.spec(self.lease.at(handle));
            spec.expiry_s = expiry_s;
            self.rewrite(handle, hash, &spec, now)?
        };
        Slabs::note_expiry(&mut self.lease, handle, expiry_s);
        Ok(handle)
    }

    /// Writes a short item again with more fields in its header, in its own chunk if that has
    /// room. Everything else about it stays as it is.
    fn rewrite(
        &mut self,
        handle: Handle,
        hash: u64,
        spec: &Spec,
        now: Now,
    ) -> Result<Handle, Short> {
        let chunk = self.lease.at(handle);
        let header = Header::read(chunk);
        let key = header.key(chunk).to_vec();
        let value = header.inline_value(chunk).to_vec();
        let cut = Slabs::cut_of(&self.lease, handle);
        let in_place = spec.physical_size()
            <= self.common.classes.cuts()[usize::from(cut)].chunk_size
            && !header.has(Mark::PINNED);
        let to = if in_place {
            let chunk = self.lease.at_mut(handle);
            spec.write(chunk, &key, value.len(), now.uptime_s, header.serial);
            handle
        } else {
            self.build(spec, &key, &value, now)?
        };
        let at = spec.prefix_size(false);
        let chunk = self.lease.at_mut(to);
        chunk[at..at + value.len()].copy_from_slice(&value);
        item::set_serial(chunk, header.serial);
        item::set_access(
            chunk,
            now.uptime_s.wrapping_sub(header.idle_s(now.uptime_s)),
        );
        for flag in [Flag::FETCHED, Flag::ACTIVE] {
            item::set_flag(chunk, flag, header.is(flag));
        }
        for mark in [Mark::STALE, Mark::TOKEN_SENT, Mark::BINARY_KEY] {
            item::set_mark(chunk, mark, header.has(mark));
        }
        // Not "if it is the same place": the old item may have made room for the new one.
        if in_place {
            item::set_kind(chunk, item::Kind::Linked);
            item::set_queue(chunk, header.queue());
            item::set_next(chunk, header.next);
            item::set_prev(chunk, header.prev);
        } else {
            self.link_over(to, &key, hash, now)?;
            self.totals.total_items -= 1;
        }
        Ok(to)
    }

    /// Deletes an item, empties it, or marks it stale.
    pub(in super::super) fn delete(
        &mut self,
        delete: &Delete<'_>,
        now: Now,
    ) -> Result<DeleteStatus, Short> {
        self.begin(now);
        let hash = delete.hash.0;
        let Ok(old) = self.find_live(delete.key, hash, now) else {
            return Ok(DeleteStatus::NotFound);
        };
        let chunk = self.lease.at(old.handle);
        let cas = self.cas_of(&old.header, chunk);
        if delete.compare.is_some_and(|wanted| wanted != cas) {
            return Ok(DeleteStatus::Exists);
        }
        let size = self.logical_size(&old.header, chunk);
        let class = self.common.classes.class_of(size);
        if !delete.invalidate && !delete.drop_value {
            let value_size = old.header.value_size(chunk);
            self.remove(hash, old);
            return Ok(DeleteStatus::Deleted { value_size, class });
        }
        let mut handle = old.handle;
        if delete.drop_value {
            handle = self.drop_value(delete, &old, cas, now)?;
        }
        if delete.invalidate {
            handle = self.invalidate(delete, handle, now)?;
        }
        let _ = handle;
        Ok(DeleteStatus::Kept { class })
    }

    /// Replaces an item by an empty one that keeps its cas and is neither stale nor being renewed.
    fn drop_value(
        &mut self,
        delete: &Delete<'_>,
        old: &Found,
        cas: u64,
        now: Now,
    ) -> Result<Handle, Short> {
        let spec = Spec {
            key_size: delete.key.len(),
            value_size: 0,
            client_flags: delete.client_flags.unwrap_or(0),
            expiry_s: delete.touch.map_or(0, Expiry::uptime_s),
            assigned_cas: Some(delete.assign_cas.filter(|cas| *cas != 0).unwrap_or(cas)),
            binary_key: old.header.has(Mark::BINARY_KEY),
        };
        self.store_over(&spec, delete.key, delete.hash.0, &[], now)
    }

    /// Marks an item stale and gives it a new cas.
    fn invalidate(
        &mut self,
        delete: &Delete<'_>,
        mut handle: Handle,
        now: Now,
    ) -> Result<Handle, Short> {
        if let Some(expiry) = delete.touch {
            handle = self.set_expiry(handle, delete.hash.0, expiry.uptime_s(), now)?;
        }
        let assigned = delete.assign_cas.filter(|cas| *cas != 0);
        handle = self.renew_cas(handle, delete.hash.0, assigned, now)?;
        let chunk = self.lease.at_mut(handle);
        item::set_mark(chunk, Mark::STALE, true);
        item::set_mark(chunk, Mark::TOKEN_SENT, false);
        Ok(handle)
    }

    /// Gives an item a new cas: a fresh one, or one that the client chose.
    fn renew_cas(
        &mut self,
        mut handle: Handle,
        hash: u64,
        assigned: Option<u64>,
        now: Now,
    ) -> Result<Handle, Short> {
        let serial = self.next_serial();
        let header = Header::read(self.lease.at(handle));
        if header.has_cas_room() || assigned.is_none() {
            header.set_assigned_cas(self.lease.at_mut(handle), assigned);
        } else {
            let mut spec = header.spec(self.lease.at(handle));
            spec.assigned_cas = assigned;
            handle = self.rewrite(handle, hash, &spec, now)?;
        }
        item::set_serial(self.lease.at_mut(handle), serial);
        Ok(handle)
    }

    /// Counts a decimal number up or down.
    pub(in super::super) fn arithmetic(
        &mut self,
        request: &Arithmetic<'_>,
        now: Now,
    ) -> Result<Result<Counted, ArithmeticError>, Short> {
        self.begin(now);
        let hash = request.hash.0;
        let Ok(old) = self.find_live(request.key, hash, now) else {
            return match request.vivify {
                Some((expiry, initial)) => self.first_number(request, expiry, initial, now).map(Ok),
                None => Ok(Err(ArithmeticError::NotFound)),
            };
        };
        let chunk = self.lease.at(old.handle);
        let cas = self.cas_of(&old.header, chunk);
        if request
            .compare
            .is_some_and(|wanted| wanted != 0 && wanted != cas)
        {
            return Ok(Err(ArithmeticError::Exists));
        }
        let Some(number) = (!old.header.is_long())
            .then(|| parse_number(old.header.inline_value(chunk)))
            .flatten()
        else {
            return Ok(Err(ArithmeticError::NotANumber));
        };
        let value = if request.decrement {
            number.saturating_sub(request.delta)
        } else {
            number.wrapping_add(request.delta)
        };
        let handle = self.write_number(request, &old, value, now)?;
        Ok(Ok(self.counted(handle, value, false)))
    }

    fn first_number(
        &mut self,
        request: &Arithmetic<'_>,
        expiry: Expiry,
        initial: u64,
        now: Now,
    ) -> Result<Counted, Short> {
        let mut digits = itoa::Buffer::new();
        let text = digits.format(initial).as_bytes();
        let spec = Spec {
            key_size: request.key.len(),
            value_size: u32::try_from(text.len()).unwrap_or(0),
            client_flags: 0,
            expiry_s: expiry.uptime_s(),
            assigned_cas: request.assign_cas.filter(|cas| *cas != 0),
            binary_key: request.binary_key,
        };
        let handle = self.store_new(&spec, request.key, request.hash.0, text, now)?;
        Ok(self.counted(handle, initial, true))
    }

    /// Writes a number over an item's value: in place and padded with spaces where it fits, as
    /// memcached does, else in a new item.
    fn write_number(
        &mut self,
        request: &Arithmetic<'_>,
        old: &Found,
        value: u64,
        now: Now,
    ) -> Result<Handle, Short> {
        let mut digits = itoa::Buffer::new();
        let text = digits.format(value).as_bytes();
        let assigned = request.assign_cas.filter(|cas| *cas != 0);
        let size = old.header.inline_size();
        let mut handle = old.handle;
        if text.len() <= size && !old.header.has(Mark::PINNED) {
            let at = old.header.value_at();
            let chunk = self.lease.at_mut(handle);
            chunk[at..at + text.len()].copy_from_slice(text);
            chunk[at + text.len()..at + size].fill(b' ');
            handle = self.renew_cas(handle, request.hash.0, assigned, now)?;
        } else {
            let mut spec = old.header.spec(self.lease.at(handle));
            spec.value_size = u32::try_from(text.len()).unwrap_or(0);
            spec.assigned_cas = assigned;
            handle = match self.common.classes.cut_for(&spec) {
                Some(cut) if self.fits_in_place(old, &spec, cut, now) => {
                    self.overwrite(old, &spec, request.key, text, now);
                    handle
                }
                _ => self.store_over(&spec, request.key, request.hash.0, text, now)?,
            };
        }
        if let Some(expiry) = request.touch {
            handle = self.set_expiry(handle, request.hash.0, expiry.uptime_s(), now)?;
        }
        self.promote(handle, now);
        Ok(handle)
    }

    /// Notes a use that is no fetch: the item is moved ahead where it would otherwise leave.
    fn promote(&mut self, handle: Handle, now: Now) {
        let chunk = self.lease.at_mut(handle);
        item::set_flag(chunk, Flag::ACTIVE, true);
        item::set_access(chunk, now.uptime_s);
    }

    fn counted(&self, handle: Handle, value: u64, created: bool) -> Counted {
        let chunk = self.lease.at(handle);
        let header = Header::read(chunk);
        Counted {
            value,
            cas: self.cas_of(&header, chunk),
            expiry: Expiry::at(header.expiry_s(chunk)),
            client_flags: header.client_flags(chunk),
            class: self
                .common
                .classes
                .class_of(self.logical_size(&header, chunk)),
            created,
        }
    }
}

/// The item that a put asks for.
pub(super) fn put_spec(put: &Put<'_>, value_size: u32) -> Spec {
    let joins = put.mode.joins();
    let expiry = match put.vivify {
        Some(expiry) if joins => expiry,
        _ => put.expiry,
    };
    Spec {
        key_size: put.key.len(),
        value_size,
        client_flags: put.client_flags,
        expiry_s: expiry.uptime_s(),
        assigned_cas: put.assign_cas.filter(|cas| *cas != 0),
        binary_key: put.binary_key,
    }
}

/// Reads a stored number as memcached does: leading blanks and a plus are skipped, and it ends
/// at the first blank. Anything else is no number.
fn parse_number(value: &[u8]) -> Option<u64> {
    let text = value.trim_ascii_start();
    let text = text.strip_prefix(b"+").unwrap_or(text);
    let end = text
        .iter()
        .position(|byte| byte.is_ascii_whitespace() || *byte == 0)
        .unwrap_or(text.len());
    let digits = &text[..end];
    let significant = digits.iter().skip_while(|digit| **digit == b'0').count();
    if digits.is_empty() || significant > DIGITS_MAX {
        return None;
    }
    digits.iter().try_fold(0_u64, |number, digit| {
        let digit = digit.is_ascii_digit().then(|| u64::from(digit - b'0'))?;
        number.checked_mul(10)?.checked_add(digit)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_as_memcached_reads_them() {
        assert_eq!(parse_number(b"0"), Some(0));
        assert_eq!(parse_number(b"9  "), Some(9));
        assert_eq!(parse_number(b"  +12 x"), Some(12));
        assert_eq!(parse_number(b"0000000000000000000000007"), Some(7));
        assert_eq!(parse_number(b"18446744073709551615"), Some(u64::MAX));
        assert_eq!(parse_number(b"18446744073709551616"), None);
        for text in [&b""[..], b" ", b"-1", b"x", b"1x", b"+"] {
            assert_eq!(parse_number(text), None, "{text:?}");
        }
    }
}
