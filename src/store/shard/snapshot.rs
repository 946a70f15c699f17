//! Items of a shard on their way into a snapshot, and what they get on their way back.

use super::super::arena::Handle;
use super::super::item::{self, Flag, Header, Mark, Queue};
use super::super::slab::Slabs;
use super::super::snapshot::{AT_ONCE_SIZE_MAX, FULL_SIZE, Gathered, Head, Marks, Pinned};
use super::Shard;
use crate::time::Now;

/// An item counts as idle for so long at most, in seconds: half of what its header can tell.
const IDLE_MAX_S: u32 = 1 << 23;

/// What a shard tells of flushes.
#[derive(Clone, Copy, Debug)]
pub(in super::super) struct Flushes {
    /// The number of the last store.
    pub(in super::super) serial: u64,
    /// Items up to this serial number are dead.
    pub(in super::super) flushed: u64,
    /// Second of uptime at which a flush that waits takes effect; zero is none.
    pub(in super::super) at_uptime_s: u32,
}

impl Shard {
    /// Copies the live items whose hash ends in `low`, and pins those that are too large for that.
    pub(in super::super) fn gather(
        &mut self,
        low: u32,
        bits: u32,
        now: Now,
        gathered: &mut Gathered,
    ) {
        self.begin(now);
        let mut held = std::mem::take(&mut gathered.held);
        self.index
            .for_each_in(low, bits, |handle| held.push(handle));
        for handle in held.drain(..) {
            let chunk = self.lease.at(handle);
            let header = Header::read(chunk);
            if self.death(&header, chunk, now).is_some() {
                continue;
            }
            let head = self.head_of(&header, chunk, now);
            let is_small = head.value_size as usize <= AT_ONCE_SIZE_MAX;
            if is_small && gathered.contents.len() < FULL_SIZE {
                let contents = &mut gathered.contents;
                head.push(contents);
                contents.extend_from_slice(header.key(chunk));
                self.read_value(handle, &header, contents);
                gathered.items += 1;
            } else {
                let key: Box<[u8]> = header.key(chunk).into();
                let pin = self.pin_at(handle);
                gathered.pinned.push(Pinned::new(head, key, pin));
            }
        }
        gathered.held = held;
    }

    fn head_of(&self, header: &Header, chunk: &[u8], now: Now) -> Head {
        let mut marks = Marks::of_queue(header.queue() as u8);
        marks.add(Marks::BINARY_KEY, header.has(Mark::BINARY_KEY));
        marks.add(Marks::STALE, header.has(Mark::STALE));
        marks.add(Marks::TOKEN_SENT, header.has(Mark::TOKEN_SENT));
        marks.add(Marks::FETCHED, header.is(Flag::FETCHED));
        marks.add(Marks::ACTIVE, header.is(Flag::ACTIVE));
        let expiry_unix_s = match header.expiry_s(chunk) {
            0 => 0,
            // One that is alive dies after 1970.
            uptime_s => u64::try_from(now.unix_of(uptime_s)).unwrap_or(1),
        };
        Head {
            marks,
            key_size: u8::try_from(header.key_size()).unwrap_or(0),
            value_size: header.value_size(chunk),
            client_flags: header.client_flags(chunk),
            expiry_unix_s,
            idle_s: header.idle_s(now.uptime_s),
            serial: self.serial_of(header.serial),
            assigned_cas: header.assigned_cas(chunk).unwrap_or(0),
        }
    }

    /// What is told of flushes at the end of a snapshot.
    pub(in super::super) fn flushes(&mut self, now: Now) -> Flushes {
        self.begin(now);
        Flushes {
            serial: self.serial,
            flushed: self.flushed,
            at_uptime_s: self.flush_at_s,
        }
    }

    /// Goes on above a serial number.
    pub(in super::super) fn skip_serials(&mut self, serial: u64) {
        self.serial = self.serial.max(serial);
    }

    /// Gives an item that was just stored what it had in a snapshot `gone_s` ago: its serial number
    /// where that can be told, its marks, its place among the queues.
    pub(in super::super) fn settle(
        &mut self,
        head: &Head,
        key: &[u8],
        hash: u64,
        gone_s: u64,
        now: Now,
    ) {
        let Some(found) = self.find(key, hash) else {
            // It has given way to another meanwhile.
            return;
        };
        let handle = found.handle;
        self.settle_queue(handle, head.marks.queue());
        #[expect(clippy::cast_possible_truncation, reason = "the low half is wanted")]
        let low = head.serial as u32;
        let is_told = self.serial_of(low) == head.serial;
        let gone_s = u32::try_from(gone_s).unwrap_or(u32::MAX);
        let idle_s = head.idle_s.saturating_add(gone_s).min(IDLE_MAX_S);
        let chunk = self.lease.at_mut(handle);
        if is_told {
            item::set_serial(chunk, low);
        }
        item::set_access(chunk, now.uptime_s.wrapping_sub(idle_s));
        item::set_flag(chunk, Flag::FETCHED, head.marks.has(Marks::FETCHED));
        item::set_flag(chunk, Flag::ACTIVE, head.marks.has(Marks::ACTIVE));
        item::set_mark(chunk, Mark::STALE, head.marks.has(Marks::STALE));
        item::set_mark(chunk, Mark::TOKEN_SENT, head.marks.has(Marks::TOKEN_SENT));
    }

    /// Moves an item from HOT into the queue that it was in. Others are where settings want them.
    fn settle_queue(&mut self, handle: Handle, queue: u8) {
        let wanted = match Queue::ALL.get(usize::from(queue)) {
            Some(&wanted @ (Queue::Warm | Queue::Cold)) if self.lru.segmented => wanted,
            _ => return,
        };
        if Header::read(self.lease.at(handle)).queue() == Queue::Hot {
            let cut = Slabs::cut_of(&self.lease, handle);
            let queues = &mut self.queues[usize::from(cut)];
            queues.unlink(&mut self.lease, handle);
            queues.push(&mut self.lease, wanted, handle);
        }
    }
}
