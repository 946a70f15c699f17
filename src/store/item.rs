//! What is written in a chunk.
//!
//! An item that fits one chunk:
//!
//! ```text
//!    0         4         8        12        16        20
//!    +---------+---------+---------+---------+---------+--------------------+-----+-------+
//!    | shape   | access  | serial  | next    | prev    | optional fields    | key | value |
//!    +---------+---------+---------+---------+---------+--------------------+-----+-------+
//!    shape    flags 8 | key size 8 | value bytes in this chunk 16
//!    access   last access, seconds of uptime, 24 | more flags 8
//!    serial   low half of the shard's serial number at the last store: the cas
//!    next, prev   neighbours in the item's queue: handles
//!    optional     expiry 4, client flags 4, assigned cas 8, rest of a long value 8
//! ```
//!
//! Twelve bytes describe the item and eight hold its place in a queue; no field is stored that
//! can be computed or is at its default. memcached spends 56 bytes and more. The serial number
//! is a cas without its high half, which is the shard's: an item that is 2^32 stores old answers
//! a cas that nobody has been given, so a compare fails where it might have held, and never
//! holds where it must fail. A cas that a client assigned itself is a field of its own, so the
//! serial number always tells what was stored before a flush.
//!
//! An item that does not fit has its value go on in pieces, chunks of the same class:
//!
//! ```text
//!    0         4         8        12        16
//!    +---------+---------+---------+---------+-------
//!    | shape   | next    | prev    | owner   | value      prev of the first is the item itself
//!    +---------+---------+---------+---------+-------
//! ```
//!
//! An item with pieces always has room for an expiry and an assigned cas, zero where there is
//! none, so that it need never be written again for their sake.
//!
//! All integers are little-endian. A free chunk has a shape of zero.

pub(super) use super::api::LruQueue as Queue;
use super::arena::Handle;

/// Bytes before the optional fields.
pub(super) const HEADER_SIZE: usize = 20;

/// Bytes before the value in a piece.
pub(super) const PIECE_HEADER_SIZE: usize = 16;

/// What memcached counts for each item beside key, value, client flags and cas: its header and
/// the bytes that end key and value.
pub(super) const LOGICAL_OVERHEAD: u32 = 48 + 1 + 2;

/// What memcached counts for a cas.
pub(super) const LOGICAL_CAS: u32 = 8;

/// What memcached counts for client flags that are not zero.
pub(super) const LOGICAL_CLIENT_FLAGS: u32 = 4;

/// What a chunk holds.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Kind {
    /// Nothing.
    Free,
    /// An item that is in the index and in a queue.
    Linked,
    /// A piece of a long value.
    Piece,
    /// An item that is in neither: being uploaded, or being sent after it was replaced.
    Detached,
}

/// A property that an item has or has not.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Flag(u32);

impl Flag {
    // In the shape word, bits 0 and 1 are the kind, 2 and 3 the queue.
    /// Somebody has fetched the item.
    pub(super) const FETCHED: Self = Self(1 << 4);
    /// The item has been hit since it last moved.
    pub(super) const ACTIVE: Self = Self(1 << 5);
    const EXPIRY: Self = Self(1 << 6);
    const CLIENT_FLAGS: Self = Self(1 << 7);
}

/// A property kept in the access word.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Mark(u32);

impl Mark {
    const CAS: Self = Self(1 << 24);
    const LONG: Self = Self(1 << 25);
    /// The key came as base64.
    pub(super) const BINARY_KEY: Self = Self(1 << 26);
    /// A client has marked the item stale.
    pub(super) const STALE: Self = Self(1 << 27);
    /// A client has been told to recache the item.
    pub(super) const TOKEN_SENT: Self = Self(1 << 28);
    /// The item must stay as it is: it is being sent or copied.
    pub(super) const PINNED: Self = Self(1 << 29);
}

const TIME_MASK: u32 = (1 << 24) - 1;

/// Reads a word of four bytes.
#[inline]
pub(super) fn word(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

/// Writes a word of four bytes.
#[inline]
pub(super) fn set_word(bytes: &mut [u8], at: usize, value: u32) {
    bytes[at..at + 4].copy_from_slice(&value.to_le_bytes());
}

/// The first 20 bytes of an item, read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Header {
    shape: u32,
    access: u32,
    /// Low half of the serial number of the last store.
    pub(super) serial: u32,
    /// The neighbour towards the tail of the queue.
    pub(super) next: Handle,
    /// The neighbour towards the head of the queue.
    pub(super) prev: Handle,
}

/// What decides an item's size and fields before it is written.
#[derive(Clone, Copy, Debug)]
pub(super) struct Spec {
    /// Bytes of the key.
    pub(super) key_size: usize,
    /// Bytes of the value.
    pub(super) value_size: u32,
    /// Client flags; zero costs nothing.
    pub(super) client_flags: u32,
    /// Second of uptime at which the item dies; zero is never, and costs nothing.
    pub(super) expiry_s: u32,
    /// A cas that the client chose.
    pub(super) assigned_cas: Option<u64>,
    /// The key came as base64.
    pub(super) binary_key: bool,
}

impl Spec {
    /// The size that memcached would account for the item.
    pub(super) fn logical_size(&self, cas: bool) -> u64 {
        logical_size(self.key_size, self.value_size, self.client_flags, cas)
    }

    /// Bytes of header and key in one chunk, for an item with or without pieces.
    pub(super) fn prefix_size(&self, long: bool) -> usize {
        HEADER_SIZE
            + if self.expiry_s == 0 && !long { 0 } else { 4 }
            + if self.client_flags == 0 { 0 } else { 4 }
            + if self.assigned_cas.is_none() && !long {
                0
            } else {
                8
            }
            + if long { 8 } else { 0 }
            + self.key_size
    }

    /// Bytes of the item in one chunk.
    pub(super) fn physical_size(&self) -> usize {
        self.prefix_size(false) + self.value_size as usize
    }

    /// Writes header and key. The item is detached: in no queue, not in the index.
    ///
    /// # Panics
    ///
    /// If `chunk` is shorter than [`Self::prefix_size`].
    pub(super) fn write(
        &self,
        chunk: &mut [u8],
        key: &[u8],
        inline_size: usize,
        now_s: u32,
        serial: u32,
    ) {
        self.write_as(
            kind_bits(Kind::Detached),
            chunk,
            key,
            inline_size,
            now_s,
            serial,
        );
        set_next(chunk, Handle::NONE);
        set_prev(chunk, Handle::NONE);
    }

    /// As [`Self::write`], over a linked item in one chunk that stays in its place of `queue`, and
    /// counts as active.
    pub(super) fn write_over(
        &self,
        chunk: &mut [u8],
        key: &[u8],
        queue: Queue,
        now_s: u32,
        serial: u32,
    ) {
        let shape = kind_bits(Kind::Linked) | queue_bits(queue) | Flag::ACTIVE.0;
        self.write_as(shape, chunk, key, self.value_size as usize, now_s, serial);
    }

    /// Writes key and header but for the links.
    #[inline]
    fn write_as(
        &self,
        mut shape: u32,
        chunk: &mut [u8],
        key: &[u8],
        inline_size: usize,
        now_s: u32,
        serial: u32,
    ) {
        let long = inline_size < self.value_size as usize;
        let mut access = now_s & TIME_MASK;
        let mut at = HEADER_SIZE;
        if self.expiry_s != 0 || long {
            shape |= Flag::EXPIRY.0;
            set_word(chunk, at, self.expiry_s);
            at += 4;
        }
        if self.client_flags != 0 {
            shape |= Flag::CLIENT_FLAGS.0;
            set_word(chunk, at, self.client_flags);
            at += 4;
        }
        if self.assigned_cas.is_some() || long {
            access |= Mark::CAS.0;
            let cas = self.assigned_cas.unwrap_or(0);
            chunk[at..at + 8].copy_from_slice(&cas.to_le_bytes());
            at += 8;
        }
        if long {
            access |= Mark::LONG.0;
            set_word(chunk, at, self.value_size);
            set_word(chunk, at + 4, 0);
            at += 8;
        }
        if self.binary_key {
            access |= Mark::BINARY_KEY.0;
        }
        #[expect(
            clippy::cast_possible_truncation,
            reason = "a key has at most 250 bytes, a chunk fewer than 2^16"
        )]
        let sizes = (key.len() as u32) << 8 | (inline_size as u32) << 16;
        chunk[at..at + key.len()].copy_from_slice(key);
        let header = &mut chunk[..HEADER_SIZE];
        set_word(header, 0, shape | sizes);
        set_word(header, 4, access);
        set_word(header, 8, serial);
    }
}

/// The size that memcached would account for an item.
pub(super) fn logical_size(key_size: usize, value_size: u32, client_flags: u32, cas: bool) -> u64 {
    u64::from(LOGICAL_OVERHEAD)
        + if cas { u64::from(LOGICAL_CAS) } else { 0 }
        + key_size as u64
        + u64::from(value_size)
        + if client_flags == 0 {
            0
        } else {
            u64::from(LOGICAL_CLIENT_FLAGS)
        }
}

const fn kind_bits(kind: Kind) -> u32 {
    match kind {
        Kind::Free => 0,
        Kind::Linked => 1,
        Kind::Piece => 2,
        Kind::Detached => 3,
    }
}

const fn queue_bits(queue: Queue) -> u32 {
    (queue as u32) << 2
}

/// What a chunk holds.
#[inline]
pub(super) fn kind_of(chunk: &[u8]) -> Kind {
    match chunk[0] & 3 {
        0 => Kind::Free,
        1 => Kind::Linked,
        2 => Kind::Piece,
        _ => Kind::Detached,
    }
}

/// Makes an item linked or detached.
pub(super) fn set_kind(chunk: &mut [u8], kind: Kind) {
    let bits = kind_bits(kind).to_le_bytes()[0];
    chunk[0] = chunk[0] & !3 | bits;
}

/// Writes the header of a piece.
pub(super) fn write_piece(chunk: &mut [u8], prev: Handle, owner: Handle) {
    set_word(chunk, 0, kind_bits(Kind::Piece));
    set_word(chunk, 4, 0);
    set_word(chunk, 8, prev.0);
    set_word(chunk, 12, owner.0);
}

/// The item that a piece belongs to.
pub(super) fn piece_owner(chunk: &[u8]) -> Handle {
    Handle(word(chunk, 12))
}

/// Tells a piece that its item has moved.
pub(super) fn set_piece_owner(chunk: &mut [u8], owner: Handle) {
    set_word(chunk, 12, owner.0);
}

/// The piece that follows a piece.
pub(super) fn piece_next(chunk: &[u8]) -> Handle {
    Handle(word(chunk, 4))
}

/// The piece, or the item, that a piece follows.
pub(super) fn piece_prev(chunk: &[u8]) -> Handle {
    Handle(word(chunk, 8))
}

/// Links a piece to its successor.
pub(super) fn set_piece_next(chunk: &mut [u8], next: Handle) {
    set_word(chunk, 4, next.0);
}

/// Links a piece to its predecessor.
pub(super) fn set_piece_prev(chunk: &mut [u8], prev: Handle) {
    set_word(chunk, 8, prev.0);
}

/// Links an item to its neighbour towards the tail.
#[inline]
pub(super) fn set_next(chunk: &mut [u8], next: Handle) {
    set_word(chunk, 12, next.0);
}

/// Links an item to its neighbour towards the head.
#[inline]
pub(super) fn set_prev(chunk: &mut [u8], prev: Handle) {
    set_word(chunk, 16, prev.0);
}

/// Notes the queue that an item is in.
pub(super) fn set_queue(chunk: &mut [u8], queue: Queue) {
    let bits = queue_bits(queue).to_le_bytes()[0];
    chunk[0] = chunk[0] & !(3 << 2) | bits;
}

/// Gives an item a property or takes it away.
pub(super) fn set_flag(chunk: &mut [u8], flag: Flag, on: bool) {
    let shape = word(chunk, 0);
    set_word(chunk, 0, if on { shape | flag.0 } else { shape & !flag.0 });
}

/// Gives an item a property or takes it away.
pub(super) fn set_mark(chunk: &mut [u8], mark: Mark, on: bool) {
    let access = word(chunk, 4);
    set_word(
        chunk,
        4,
        if on {
            access | mark.0
        } else {
            access & !mark.0
        },
    );
}

/// Notes an access.
pub(super) fn set_access(chunk: &mut [u8], now_s: u32) {
    let access = word(chunk, 4);
    set_word(chunk, 4, access & !TIME_MASK | now_s & TIME_MASK);
}

/// Gives an item the serial number of a new store.
pub(super) fn set_serial(chunk: &mut [u8], serial: u32) {
    set_word(chunk, 8, serial);
}

impl Header {
    /// Reads the header of an item.
    #[inline]
    pub(super) fn read(chunk: &[u8]) -> Self {
        let chunk = &chunk[..HEADER_SIZE];
        Self {
            shape: word(chunk, 0),
            access: word(chunk, 4),
            serial: word(chunk, 8),
            next: Handle(word(chunk, 12)),
            prev: Handle(word(chunk, 16)),
        }
    }

    /// Whether the item has a property.
    #[inline]
    pub(super) fn is(&self, flag: Flag) -> bool {
        self.shape & flag.0 != 0
    }

    /// Whether the item has a property.
    #[inline]
    pub(super) fn has(&self, mark: Mark) -> bool {
        self.access & mark.0 != 0
    }

    /// The queue that the item is in.
    #[inline]
    pub(super) fn queue(&self) -> Queue {
        Queue::ALL[(self.shape >> 2) as usize & 3]
    }

    /// Bytes of the key.
    #[inline]
    pub(super) fn key_size(&self) -> usize {
        (self.shape >> 8) as usize & 0xff
    }

    /// Bytes of the value in the item's own chunk.
    #[inline]
    pub(super) fn inline_size(&self) -> usize {
        (self.shape >> 16) as usize
    }

    /// Whether the value goes on in pieces.
    #[inline]
    pub(super) fn is_long(&self) -> bool {
        self.access & Mark::LONG.0 != 0
    }

    /// Seconds since the last access, right up to 194 days.
    #[inline]
    pub(super) fn idle_s(&self, now_s: u32) -> u32 {
        now_s.wrapping_sub(self.access) & TIME_MASK
    }

    #[inline]
    fn client_flags_at(&self) -> usize {
        HEADER_SIZE + if self.is(Flag::EXPIRY) { 4 } else { 0 }
    }

    #[inline]
    fn cas_at(&self) -> usize {
        self.client_flags_at() + if self.is(Flag::CLIENT_FLAGS) { 4 } else { 0 }
    }

    #[inline]
    fn rest_at(&self) -> usize {
        self.cas_at() + if self.has(Mark::CAS) { 8 } else { 0 }
    }

    /// Where the key begins.
    #[inline]
    pub(super) fn key_at(&self) -> usize {
        self.rest_at() + if self.is_long() { 8 } else { 0 }
    }

    /// Where the value begins.
    #[inline]
    pub(super) fn value_at(&self) -> usize {
        self.key_at() + self.key_size()
    }

    /// The key.
    #[inline]
    pub(super) fn key<'c>(&self, chunk: &'c [u8]) -> &'c [u8] {
        &chunk[self.key_at()..self.value_at()]
    }

    /// The part of the value that is in the item's own chunk.
    #[inline]
    pub(super) fn inline_value<'c>(&self, chunk: &'c [u8]) -> &'c [u8] {
        let at = self.value_at();
        &chunk[at..at + self.inline_size()]
    }

    /// Second of uptime at which the item dies; zero is never.
    #[inline]
    pub(super) fn expiry_s(&self, chunk: &[u8]) -> u32 {
        if self.is(Flag::EXPIRY) {
            word(chunk, HEADER_SIZE)
        } else {
            0
        }
    }

    /// Whether there is room for an expiry in the header.
    #[inline]
    pub(super) fn has_expiry(&self) -> bool {
        self.is(Flag::EXPIRY)
    }

    /// The client flags.
    #[inline]
    pub(super) fn client_flags(&self, chunk: &[u8]) -> u32 {
        if self.is(Flag::CLIENT_FLAGS) {
            word(chunk, self.client_flags_at())
        } else {
            0
        }
    }

    /// A cas that a client chose.
    #[inline]
    pub(super) fn assigned_cas(&self, chunk: &[u8]) -> Option<u64> {
        if !self.has(Mark::CAS) {
            return None;
        }
        let at = self.cas_at();
        let low = u64::from(word(chunk, at));
        let high = u64::from(word(chunk, at + 4));
        let cas = high << 32 | low;
        (cas != 0).then_some(cas)
    }

    /// Whether there is room for an assigned cas in the header.
    pub(super) fn has_cas_room(&self) -> bool {
        self.has(Mark::CAS)
    }

    /// Writes an assigned cas, or its absence, into the room that the header has for it.
    pub(super) fn set_assigned_cas(&self, chunk: &mut [u8], cas: Option<u64>) {
        if self.has_cas_room() {
            let at = self.cas_at();
            chunk[at..at + 8].copy_from_slice(&cas.unwrap_or(0).to_le_bytes());
        } else {
            debug_assert!(cas.is_none(), "no room for a cas");
        }
    }

    /// Bytes of the value, all of it.
    #[inline]
    pub(super) fn value_size(&self, chunk: &[u8]) -> u32 {
        if self.is_long() {
            word(chunk, self.rest_at())
        } else {
            self.shape >> 16
        }
    }

    /// Whether the shape tells the size of the value, and client flags are zero.
    #[inline]
    pub(super) fn is_short_without_client_flags(&self) -> bool {
        !self.is_long() && !self.is(Flag::CLIENT_FLAGS)
    }

    /// Bytes of a value that is not long.
    #[inline]
    pub(super) fn short_value_size(&self) -> u32 {
        debug_assert!(
            !self.is_long(),
            "a long value's size is in a field of its own"
        );
        self.shape >> 16
    }

    /// Writes a new size of a long value, which has grown by pieces.
    pub(super) fn set_value_size(&self, chunk: &mut [u8], size: u32) {
        debug_assert!(self.is_long(), "a short value's size is in its shape");
        set_word(chunk, self.rest_at(), size);
    }

    /// The first piece of a long value.
    pub(super) fn first_piece(&self, chunk: &[u8]) -> Handle {
        if self.is_long() {
            Handle(word(chunk, self.rest_at() + 4))
        } else {
            Handle::NONE
        }
    }

    /// Links the item to the first piece of its value.
    pub(super) fn set_first_piece(&self, chunk: &mut [u8], piece: Handle) {
        set_word(chunk, self.rest_at() + 4, piece.0);
    }

    /// Writes a new expiry into the room that the header has for it. A header without room only
    /// takes "never".
    pub(super) fn set_expiry(&self, chunk: &mut [u8], expiry_s: u32) {
        if self.has_expiry() {
            set_word(chunk, HEADER_SIZE, expiry_s);
        } else {
            debug_assert_eq!(expiry_s, 0, "no room for an expiry");
        }
    }

    /// What is needed to write the same item again.
    pub(super) fn spec(&self, chunk: &[u8]) -> Spec {
        Spec {
            key_size: self.key_size(),
            value_size: self.value_size(chunk),
            client_flags: self.client_flags(chunk),
            expiry_s: self.expiry_s(chunk),
            assigned_cas: self.assigned_cas(chunk),
            binary_key: self.has(Mark::BINARY_KEY),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(spec: Spec, key: &[u8], inline_size: usize) -> Vec<u8> {
        let mut chunk = vec![0xee; 200];
        spec.write(&mut chunk, key, inline_size, 77, 9);
        chunk
    }

    const PLAIN: Spec = Spec {
        key_size: 3,
        value_size: 5,
        client_flags: 0,
        expiry_s: 0,
        assigned_cas: None,
        binary_key: false,
    };

    #[test]
    fn a_plain_item_costs_twenty_bytes_and_its_text() {
        assert_eq!(PLAIN.physical_size(), 28);
        assert_eq!(PLAIN.logical_size(true), 48 + 8 + 3 + 1 + 5 + 2);
        assert_eq!(PLAIN.logical_size(false), 48 + 3 + 1 + 5 + 2);
    }

    #[test]
    fn every_field_reads_back_whatever_others_are_there() {
        for bits in 0..16 {
            let spec = Spec {
                value_size: if bits & 8 == 0 { 5 } else { 70_000 },
                client_flags: if bits & 1 == 0 { 0 } else { 0xdead_beef },
                expiry_s: if bits & 2 == 0 { 0 } else { 1234 },
                assigned_cas: (bits & 4 != 0).then_some(0x1122_3344_5566_7788),
                ..PLAIN
            };
            let chunk = written(spec, b"key", 5);
            let header = Header::read(&chunk);
            assert_eq!(header.key(&chunk), b"key");
            assert_eq!(header.client_flags(&chunk), spec.client_flags);
            assert_eq!(header.expiry_s(&chunk), spec.expiry_s);
            assert_eq!(header.assigned_cas(&chunk), spec.assigned_cas);
            assert_eq!(header.value_size(&chunk), spec.value_size);
            assert_eq!(header.inline_size(), 5);
            assert_eq!(header.spec(&chunk).expiry_s, spec.expiry_s);
            assert_eq!(header.idle_s(80), 3);
            assert_eq!(header.serial, 9);
            assert_eq!(header.value_at(), spec.prefix_size(bits & 8 != 0));
            assert_eq!(kind_of(&chunk), Kind::Detached);
        }
    }

    #[test]
    fn marks_and_flags_leave_their_neighbours_alone() {
        let mut chunk = written(PLAIN, b"key", 5);
        set_kind(&mut chunk, Kind::Linked);
        set_queue(&mut chunk, Queue::Temp);
        set_flag(&mut chunk, Flag::ACTIVE, true);
        set_mark(&mut chunk, Mark::STALE, true);
        set_access(&mut chunk, 0x0200_0005);
        set_next(&mut chunk, Handle(7));
        set_prev(&mut chunk, Handle(8));
        let header = Header::read(&chunk);
        assert_eq!(kind_of(&chunk), Kind::Linked);
        assert_eq!(header.queue(), Queue::Temp);
        assert!(header.is(Flag::ACTIVE) && !header.is(Flag::FETCHED));
        assert!(header.has(Mark::STALE) && !header.has(Mark::PINNED));
        assert_eq!(header.idle_s(0x0200_0007), 2, "the time wraps at 24 bits");
        assert_eq!((header.next, header.prev), (Handle(7), Handle(8)));
        assert_eq!(header.key(&chunk), b"key");
        set_flag(&mut chunk, Flag::ACTIVE, false);
        assert!(!Header::read(&chunk).is(Flag::ACTIVE));
    }
}
