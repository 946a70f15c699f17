//! How a snapshot is written: items in blocks, each with a checksum, and an end that tells whether
//! all of them are there.
//!
//! ```text
//!   file     mark 16 | block | block | ... | block of the end | bytes of that block 4
//!   block    bytes of its contents 4 | kind 1, shard 3 | checksum 4 | contents
//!
//!   items    one item after another: head | key | value
//!   begin    an item too large for a block of many: head | key | the beginning of its value
//!   rest     what comes next of that value, in the blocks right behind
//!   end      [`End`]
//! ```
//!
//! Integers of a block's head are little-endian; the heads of items and the end are postcard's.
//! A checksum is the CRC-32 of all of a block but itself. The end has one of all checksums, so
//! that a block that is missing, or there twice, is found too. It stands where it can be read
//! first: what has been flushed while the snapshot was taken is told there.
//!
//! Nothing here is believed because it is written: a size is looked at before anything is
//! allocated for it, and a block is the largest thing that ever is.

use std::fmt;
use std::io::{self, Read, Seek, SeekFrom};

use serde::{Deserialize, Serialize};

/// What a snapshot begins with. The number grows with the form of what follows.
pub const MARK: &[u8; 16] = b"larder snap 001\n";

/// The part of [`MARK`] that every version has.
const MARK_OF_ANY: &[u8] = b"larder snap ";

/// Bytes of a block's contents at which it is ended.
pub(super) const BLOCK_SIZE: usize = 128 << 10;

/// Most bytes of a block's contents.
pub(super) const BLOCK_SIZE_MAX: usize = 256 << 10;

/// Bytes of a block before its contents.
const BLOCK_HEAD_SIZE: usize = 12;

/// Most bytes of an item's head.
pub(super) const HEAD_SIZE_MAX: usize = 48;

/// Serial numbers above this leave no room to count on.
const SERIAL_MAX: u64 = 1 << 62;

/// Why a snapshot is not read.
#[derive(Debug)]
pub enum SnapshotError {
    /// Another version of larderd has written it.
    Version,
    /// It is shorter or longer than it was written.
    Size,
    /// A block is not what was written.
    Block,
    /// What a block says contradicts itself.
    Contents,
    /// It was written later than now.
    Future,
    /// The system refuses.
    System(io::Error),
}

impl fmt::Display for SnapshotError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Version => "it is of another version",
            Self::Size => "it is not whole",
            Self::Block => "a block is not what was written",
            Self::Contents => "what it says contradicts itself",
            Self::Future => "it is younger than the system's clock",
            Self::System(error) => return write!(f, "{error}"),
        })
    }
}

impl std::error::Error for SnapshotError {}

impl From<io::Error> for SnapshotError {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::UnexpectedEof => Self::Size,
            _ => Self::System(error),
        }
    }
}

/// Whether a file that begins like this has been written as a snapshot, by any version.
pub fn is_snapshot(beginning: &[u8]) -> bool {
    beginning.starts_with(MARK_OF_ANY)
}

/// What stands in a block.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Kind {
    Items,
    Begin,
    Rest,
    End,
}

impl Kind {
    const ALL: [Self; 4] = [Self::Items, Self::Begin, Self::Rest, Self::End];
}

/// A block that is what was written. What it says has not been looked at.
#[derive(Debug)]
pub struct Block {
    pub(super) kind: Kind,
    pub(super) shard: u32,
    pub(super) contents: Vec<u8>,
}

impl Block {
    /// Whether it goes on with the item of the block before.
    pub fn is_rest(&self) -> bool {
        self.kind == Kind::Rest
    }
}

/// What precedes each item.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub(in super::super) struct Head {
    pub(in super::super) marks: Marks,
    pub(in super::super) key_size: u8,
    pub(in super::super) value_size: u32,
    pub(in super::super) client_flags: u32,
    /// Zero is never.
    pub(in super::super) expiry_unix_s: u64,
    pub(in super::super) idle_s: u32,
    pub(in super::super) serial: u64,
    /// Zero is none.
    pub(in super::super) assigned_cas: u64,
}

/// What an item is or is not, as bits.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub(in super::super) struct Marks(u8);

impl Marks {
    pub(in super::super) const BINARY_KEY: u8 = 1 << 0;
    pub(in super::super) const STALE: u8 = 1 << 1;
    pub(in super::super) const TOKEN_SENT: u8 = 1 << 2;
    pub(in super::super) const FETCHED: u8 = 1 << 3;
    pub(in super::super) const ACTIVE: u8 = 1 << 4;
    const QUEUE_SHIFT: u8 = 5;

    /// The number of a queue, and nothing else.
    pub(in super::super) const fn of_queue(queue: u8) -> Self {
        Self((queue & 3) << Self::QUEUE_SHIFT)
    }

    pub(in super::super) fn add(&mut self, mark: u8, is_set: bool) {
        if is_set {
            self.0 |= mark;
        }
    }

    pub(in super::super) const fn has(self, mark: u8) -> bool {
        self.0 & mark != 0
    }

    pub(in super::super) const fn queue(self) -> u8 {
        self.0 >> Self::QUEUE_SHIFT & 3
    }
}

impl Head {
    /// Appends the head to what is written.
    pub(in super::super) fn push(&self, out: &mut Vec<u8>) {
        let mut space = [0; HEAD_SIZE_MAX];
        match postcard::to_slice(self, &mut space) {
            Ok(bytes) => out.extend_from_slice(bytes),
            // A test holds the largest one against the space.
            Err(_) => debug_assert!(false, "a head fits"),
        }
    }

    /// Reads a head and the key behind it. Returns both and what follows.
    pub(super) fn read(input: &[u8]) -> Option<(Self, &[u8], &[u8])> {
        let (head, rest) = postcard::take_from_bytes::<Self>(input).ok()?;
        let key_size = usize::from(head.key_size);
        let is_key = (1..=crate::limits::KEY_SIZE_MAX).contains(&key_size);
        let (key, rest) = rest.split_at_checked(key_size).filter(|_| is_key)?;
        Some((head, key, rest))
    }
}

/// What stands behind all items.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct End {
    /// When the snapshot was begun, in Unix time.
    pub began_unix_s: u64,
    /// When it was ended.
    pub ended_unix_s: u64,
    /// Items in it.
    pub items: u64,
    pub(super) blocks: u64,
    /// CRC-32 of all checksums.
    pub(super) checksums: u32,
    /// The largest serial number of any shard.
    pub(super) serial: u64,
    /// When a flush that waits takes effect, in Unix time; zero is none.
    pub(super) flush_at_unix_s: u64,
    /// By shard: items up to this serial number have been flushed.
    pub(super) flushed: Vec<u64>,
}

impl End {
    /// Reads the end of a snapshot, wherever `input` stands.
    ///
    /// # Errors
    ///
    /// When it is no snapshot, of another version, not whole, or the system refuses.
    pub fn find(input: &mut (impl Read + Seek)) -> Result<Self, SnapshotError> {
        input.seek(SeekFrom::Start(0))?;
        read_mark(input)?;
        let size = input.seek(SeekFrom::End(0))?;
        let at = size.checked_sub(4).ok_or(SnapshotError::Size)?;
        input.seek(SeekFrom::Start(at))?;
        let mut bytes = [0; 4];
        input.read_exact(&mut bytes)?;
        let behind = u64::from(u32::from_le_bytes(bytes));
        let at = at.checked_sub(behind).filter(|at| *at >= MARK.len() as u64);
        input.seek(SeekFrom::Start(at.ok_or(SnapshotError::Size)?))?;
        let (block, _) = read_block(input)?;
        // The four bytes are no part of a block, so this is at their place or it is not the end.
        let is_last = input.stream_position()? == size - 4;
        if block.kind != Kind::End || !is_last {
            return Err(SnapshotError::Size);
        }
        Self::of(&block)
    }

    fn of(block: &Block) -> Result<Self, SnapshotError> {
        let end: Self =
            postcard::from_bytes(&block.contents).map_err(|_| SnapshotError::Contents)?;
        if end.serial > SERIAL_MAX || end.ended_unix_s > SERIAL_MAX {
            return Err(SnapshotError::Contents);
        }
        Ok(end)
    }
}

/// The blocks of a snapshot on their way out.
#[derive(Debug)]
pub(super) struct Blocks {
    /// Whole blocks, to be taken away by whoever writes them.
    pub(super) ready: Vec<u8>,
    count: u64,
    checksums: crc32fast::Hasher,
}

impl Blocks {
    /// Begins with the mark.
    pub(super) fn new() -> Self {
        Self {
            ready: MARK.to_vec(),
            count: 0,
            checksums: crc32fast::Hasher::new(),
        }
    }

    /// Ends a block with these contents, and empties them. There is none without contents.
    pub(super) fn seal(&mut self, kind: Kind, shard: u32, contents: &mut Vec<u8>) {
        debug_assert!(contents.len() <= BLOCK_SIZE_MAX, "a block can be read");
        if contents.is_empty() {
            return;
        }
        let size = u32::try_from(contents.len()).unwrap_or(u32::MAX);
        let head = block_head(size, kind, shard);
        let checksum = checksum(head, contents);
        self.ready.extend_from_slice(&head);
        self.ready.extend_from_slice(&checksum.to_le_bytes());
        self.ready.append(contents);
        self.checksums.update(&checksum.to_le_bytes());
        self.count += 1;
    }

    /// Writes the end.
    pub(super) fn end(&mut self, mut end: End) {
        end.blocks = self.count;
        end.checksums = self.checksums.clone().finalize();
        // A list of numbers fails for want of memory only, and then nothing comes back from here.
        let mut contents = postcard::to_allocvec(&end).unwrap_or_default();
        let size = contents.len() + BLOCK_HEAD_SIZE;
        self.seal(Kind::End, 0, &mut contents);
        let size = u32::try_from(size).unwrap_or(u32::MAX);
        self.ready.extend_from_slice(&size.to_le_bytes());
    }
}

/// A block's head without its checksum.
fn block_head(size: u32, kind: Kind, shard: u32) -> [u8; 8] {
    let tag = (kind as u32) << 24 | shard & 0x00ff_ffff;
    let head = u64::from(tag) << 32 | u64::from(size);
    head.to_le_bytes()
}

fn checksum(head: [u8; 8], contents: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&head);
    hasher.update(contents);
    hasher.finalize()
}

fn read_mark(input: &mut impl Read) -> Result<(), SnapshotError> {
    let mut mark = [0; MARK.len()];
    input.read_exact(&mut mark)?;
    if mark == *MARK {
        Ok(())
    } else {
        Err(SnapshotError::Version)
    }
}

/// Reads a block, and its checksum.
fn read_block(input: &mut impl Read) -> Result<(Block, u32), SnapshotError> {
    let (mut head, mut stated) = ([0; 8], [0; 4]);
    input.read_exact(&mut head)?;
    input.read_exact(&mut stated)?;
    let (size, tag) = head.split_at(4);
    let word = |bytes: &[u8]| bytes.iter().rev().fold(0, |n, b| n << 8 | u32::from(*b));
    let (size, tag) = (word(size) as usize, word(tag));
    let kind = Kind::ALL.get((tag >> 24) as usize);
    let (Some(&kind), true) = (kind, size <= BLOCK_SIZE_MAX) else {
        return Err(SnapshotError::Block);
    };
    let mut contents = vec![0; size];
    input.read_exact(&mut contents)?;
    let stated = u32::from_le_bytes(stated);
    if checksum(head, &contents) != stated {
        return Err(SnapshotError::Block);
    }
    let shard = tag & 0x00ff_ffff;
    let block = Block {
        kind,
        shard,
        contents,
    };
    Ok((block, stated))
}

/// Reads the blocks of a snapshot one after another.
#[derive(Debug)]
pub struct BlockReader<R> {
    input: R,
    end: End,
    /// Where the last block ends.
    end_at: u64,
    count: u64,
    checksums: crc32fast::Hasher,
}

impl<R: Read + Seek> BlockReader<R> {
    /// Reads the end of a snapshot, and goes back to its first block.
    ///
    /// # Errors
    ///
    /// As [`End::find`].
    pub fn new(mut input: R) -> Result<Self, SnapshotError> {
        let end = End::find(&mut input)?;
        let end_at = input.stream_position()?;
        input.seek(SeekFrom::Start(MARK.len() as u64))?;
        Ok(Self {
            input,
            end,
            end_at,
            count: 0,
            checksums: crc32fast::Hasher::new(),
        })
    }

    /// What stands at the end.
    pub fn end(&self) -> &End {
        &self.end
    }

    /// The next block; `None` when all have been read and none is missing. Allocates as much as
    /// a block may have, 256 KiB, at most.
    ///
    /// # Errors
    ///
    /// When a block is not what was written, or others are there than were written.
    pub fn next_block(&mut self) -> Result<Option<Block>, SnapshotError> {
        let (block, checksum) = read_block(&mut self.input)?;
        if block.kind != Kind::End {
            self.count += 1;
            self.checksums.update(&checksum.to_le_bytes());
            return Ok(Some(block));
        }
        let is_all = End::of(&block)? == self.end
            && self.input.stream_position()? == self.end_at
            && self.count == self.end.blocks
            && self.checksums.clone().finalize() == self.end.checksums;
        if is_all {
            Ok(None)
        } else {
            Err(SnapshotError::Size)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_head_fits_and_a_usual_one_is_small() {
        let largest = Head {
            marks: Marks(u8::MAX),
            key_size: u8::MAX,
            value_size: u32::MAX,
            client_flags: u32::MAX,
            expiry_unix_s: u64::MAX,
            idle_s: u32::MAX,
            serial: u64::MAX,
            assigned_cas: u64::MAX,
        };
        let mut out = Vec::new();
        largest.push(&mut out);
        assert!(out.len() <= HEAD_SIZE_MAX && out.len() > 40);
        let usual = Head {
            key_size: 20,
            value_size: 100,
            serial: 1_000_000,
            ..Head::default()
        };
        out.clear();
        usual.push(&mut out);
        assert!(out.len() <= 12, "{}", out.len());
        assert!(Head::read(&out).is_none(), "its key is missing");
        out.extend_from_slice(&[b'k'; 20]);
        out.extend_from_slice(b"value");
        assert_eq!(
            Head::read(&out),
            Some((usual, &[b'k'; 20][..], &b"value"[..]))
        );
    }

    #[test]
    fn a_queue_and_marks_keep_out_of_each_others_way() {
        for queue in 0..4 {
            let mut marks = Marks::of_queue(queue);
            marks.add(Marks::STALE, true);
            marks.add(Marks::ACTIVE, false);
            assert_eq!(marks.queue(), queue);
            assert!(marks.has(Marks::STALE) && !marks.has(Marks::ACTIVE));
        }
    }
}
