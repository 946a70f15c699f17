//! The bytes behind the handles: one mapping, cut into pages that have one owner each.
//!
//! All items and the whole index live in one reserved mapping. A [`Handle`] is a place in it,
//! counted in grains, so 32 bits reach 16 GiB at the finest grain. Pages are lent to shards by
//! the [`Pool`](super::pool::Pool). A shard's [`Lease`] is its only way to the bytes, and looks
//! up the owner of a page at every access:
//!
//! ```text
//!   mapping   | page 0 | page 1 | page 2 | page 3 | ...
//!   owners    |  none  | lease 4| index 4| lease 7| ...     one u16 each, mostly in cache
//! ```
//!
//! **Invariant:** the bytes of a data page are reached only through the lease that owns it, and
//! a lease is not cloneable, so Rust's rules for `&Lease` and `&mut Lease` are the rules for
//! the bytes. The words of an index page are reached only as atomics, by anyone. A page never
//! turns from an index page into anything else.
//!
//! The mapping is anonymous, or of a file that keeps its bytes when the process ends. A file could
//! be written by somebody else, and bytes that change under a reference are what no rule of Rust
//! allows. So the words above hold for a file that is this process's alone: whoever opens it
//! ([`Arena::on_file`]) has locked it, and found nobody but its own user able to write it. What
//! that user does to it behind our back with another program is what it could do to the process,
//! too. Bytes that a file had before are any bytes: they are read as such, and judged.
//!
//! This is the only file with unsafe code. Page 0 is never lent, so that handle 0 means "none".

#![expect(
    unsafe_code,
    reason = "one mapping shared by shards that are locked one by one; see the invariant above"
)]

use std::fmt;
use std::fs::File;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, AtomicU32, Ordering};

use memmap2::{Advice, MmapOptions, MmapRaw, UncheckedAdvice};
use rustix::fs::{FallocateFlags, fallocate, fstatfs};
use rustix::io::Errno;

/// A place in the arena, in grains. Zero is no place.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub(super) struct Handle(pub(super) u32);

impl Handle {
    /// No place.
    pub(super) const NONE: Self = Self(0);

    /// Whether this is no place.
    pub(super) const fn is_none(self) -> bool {
        self.0 == 0
    }
}

/// Owner of a page that belongs to the pool.
const OWNER_POOL: u16 = 0;

/// Added to a lease's id in pages that hold its index.
const OWNER_INDEX: u16 = 0x8000;

/// Owner of a page whose memory is being returned to the system.
const OWNER_DISCARD: u16 = 0x7fff;

/// How the system numbers the file system that is memory.
const TMPFS_MAGIC: i64 = 0x0102_1994;

/// Words in an index line of 64 bytes.
pub(super) const LINE_WORDS: usize = 16;

/// How an arena is cut.
#[derive(Clone, Copy, Debug)]
pub(super) struct Geometry {
    /// Bytes of a page, as a power of two.
    pub(super) page_shift: u32,
    /// Bytes of a grain, as a power of two.
    pub(super) grain_shift: u32,
    /// Pages in the mapping.
    pub(super) page_count: u32,
}

/// One reserved mapping.
pub(super) struct Arena {
    memory: MmapRaw,
    /// What is mapped, if it is a file.
    file: Option<File>,
    geometry: Geometry,
    /// Turns a handle into its page.
    handle_shift: u32,
    /// Keeps the part of an address that is the offset in its page.
    page_mask: usize,
    owners: Box<[AtomicU16]>,
    /// What the owner of each page notes about it: kept here, close together, because the pages
    /// themselves are rarely in a cache.
    notes: Box<[AtomicU16]>,
}

impl fmt::Debug for Arena {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Arena")
            .field("geometry", &self.geometry)
            .finish_non_exhaustive()
    }
}

impl Arena {
    /// Reserves address space; memory is taken page by page as it is first touched.
    ///
    /// # Errors
    ///
    /// When the system refuses the mapping.
    pub(super) fn reserve(geometry: Geometry, huge_pages: bool) -> io::Result<Self> {
        let size = (geometry.page_count as usize) << geometry.page_shift;
        let memory = MmapOptions::new().len(size).no_reserve_swap().map_anon()?;
        Ok(Self::new(MmapRaw::from(memory), None, geometry, huge_pages))
    }

    /// Maps a file, which grows to the size of the arena; it takes room page by page. The caller
    /// has seen to it that nobody else writes the file for as long as the arena lives.
    ///
    /// # Errors
    ///
    /// When the system refuses the size or the mapping.
    pub(super) fn on_file(file: File, geometry: Geometry, huge_pages: bool) -> io::Result<Self> {
        let size = (geometry.page_count as usize) << geometry.page_shift;
        if file.metadata()?.len() < size as u64 {
            file.set_len(size as u64)?;
        }
        let memory = MmapOptions::new().len(size).map_raw(&file)?;
        // On a disk a huge page that is written takes back the room that parts of it have given up.
        let is_memory = fstatfs(&file).is_ok_and(|system| system.f_type == TMPFS_MAGIC);
        let huge_pages = huge_pages && is_memory;
        Ok(Self::new(memory, Some(file), geometry, huge_pages))
    }

    fn new(memory: MmapRaw, file: Option<File>, geometry: Geometry, huge_pages: bool) -> Self {
        if huge_pages {
            // A kernel without huge pages serves as well, only slower.
            let _ = memory.advise(Advice::HugePage);
        }
        // A core dump of a cache is its users' data.
        let _ = memory.advise(Advice::DontDump);
        Self {
            memory,
            file,
            geometry,
            handle_shift: geometry.page_shift - geometry.grain_shift,
            page_mask: (1 << geometry.page_shift) - 1,
            owners: (0..geometry.page_count)
                .map(|_| AtomicU16::new(OWNER_POOL))
                .collect(),
            notes: (0..geometry.page_count)
                .map(|_| AtomicU16::new(0))
                .collect(),
        }
    }

    /// How this arena is cut.
    pub(super) fn geometry(&self) -> Geometry {
        self.geometry
    }

    /// Bytes of a page.
    pub(super) fn page_size(&self) -> usize {
        1 << self.geometry.page_shift
    }

    /// The page that a handle lies in.
    pub(super) fn page_of(&self, handle: Handle) -> u32 {
        handle.0 >> self.handle_shift
    }

    /// The handle of the byte at `offset` in a page. `offset` is a multiple of the grain.
    #[expect(
        clippy::cast_possible_truncation,
        reason = "pages hold fewer than 2^32 bytes"
    )]
    pub(super) fn handle_at(&self, page: u32, offset: usize) -> Handle {
        let grain_shift = self.geometry.grain_shift;
        Handle((page << (self.geometry.page_shift - grain_shift)) + (offset as u32 >> grain_shift))
    }

    /// The offset of a handle in its page, in bytes.
    pub(super) fn offset_of(&self, handle: Handle) -> usize {
        ((handle.0 as usize) << self.geometry.grain_shift) & self.page_mask
    }

    /// Index lines in a page.
    pub(super) fn lines_per_page(&self) -> u32 {
        1 << (self.geometry.page_shift - 6)
    }

    /// The words of an index line, counted in lines from the start of the arena.
    ///
    /// # Panics
    ///
    /// If the line is in no index page.
    #[inline]
    pub(super) fn line(&self, line: u32) -> &[AtomicU32; LINE_WORDS] {
        let page = line >> (self.geometry.page_shift - 6);
        let owner = self.owners[page as usize].load(Ordering::Acquire);
        assert!(owner & OWNER_INDEX != 0, "line {line} is in no index page");
        let start = self
            .memory
            .as_mut_ptr()
            .wrapping_add((line as usize) << 6)
            .cast::<[AtomicU32; LINE_WORDS]>();
        // SAFETY: the page is inside the mapping (its owner was found) and is an index page,
        // which it remains for the life of the arena. Index pages are accessed through this
        // function alone, thus as atomics alone. A line is 64 bytes at a multiple of 64.
        unsafe { &*start }
    }

    /// Asks the processor to bring a line of the index near.
    #[inline]
    pub(super) fn prefetch_line(&self, line: u32) {
        self.prefetch_address((line as usize) << 6);
    }

    /// Asks the processor to bring the first 256 bytes of an item near: header, key, and all of a
    /// small value. With 128 bytes a batch of gets of 100-byte values took 1.75 times as long
    /// where items lie outside the caches (benches/store.rs).
    #[inline]
    pub(super) fn prefetch(&self, handle: Handle) {
        let address = (handle.0 as usize) << self.geometry.grain_shift;
        for line in 0..4 {
            self.prefetch_address(address + line * 64);
        }
    }

    #[inline]
    fn prefetch_address(&self, offset: usize) {
        let address = self.memory.as_mut_ptr().wrapping_add(offset).cast_const();
        #[cfg(target_arch = "x86_64")]
        {
            use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
            // JUSTIFICATION: what one access waits for, sixteen wait for together: see the
            // rows for depth 16 and multiget in docs/performance.md.
            // SAFETY: a prefetch is a hint. It accesses nothing and faults on no address.
            unsafe { _mm_prefetch::<_MM_HINT_T0>(address.cast()) };
        }
        #[cfg(not(target_arch = "x86_64"))]
        let _ = address;
    }

    /// Returns the memory of a page that belongs to the pool to the system.
    ///
    /// # Panics
    ///
    /// If the page is lent.
    pub(super) fn discard(&self, page: u32) {
        self.pass(page, OWNER_POOL, OWNER_DISCARD);
        let start = (page as usize) << self.geometry.page_shift;
        let advice = match self.file {
            None => UncheckedAdvice::DontNeed,
            Some(_) => UncheckedAdvice::Remove,
        };
        // SAFETY: no lease owns the page and none can take it now, so nobody has a reference to
        // its bytes; they read as zero afterwards, which is a valid value. A failure leaves the
        // memory where it is. The same holds for the file's part of the page.
        let _ = unsafe {
            self.memory
                .unchecked_advise_range(advice, start, self.page_size())
        };
        self.pass(page, OWNER_DISCARD, OWNER_POOL);
    }

    /// Has a file find room for a page before it is written. Where there is none, a write to the
    /// mapping would end the process. False means that the page must not be used.
    pub(super) fn claim(&self, page: u32) -> bool {
        let Some(file) = &self.file else {
            return true;
        };
        let start = u64::from(page) << self.geometry.page_shift;
        match fallocate(
            file,
            FallocateFlags::empty(),
            start,
            self.page_size() as u64,
        ) {
            // A file system that cannot say so before says so when it is too late: as memcached.
            Ok(()) | Err(Errno::OPNOTSUPP) => true,
            Err(_) => false,
        }
    }

    /// Has the system find memory for a page now, so that a worker need not wait for it.
    pub(super) fn populate(&self, page: u32) {
        let start = (page as usize) << self.geometry.page_shift;
        // Bytes keep their values; a kernel that does not know this leaves it to first use.
        let _ = self
            .memory
            .advise_range(Advice::PopulateWrite, start, self.page_size());
    }

    fn pass(&self, page: u32, from: u16, to: u16) {
        let passed = self.owners[page as usize].compare_exchange(
            from,
            to,
            Ordering::AcqRel,
            Ordering::Relaxed,
        );
        assert!(passed.is_ok(), "page {page} is not {from}'s to pass on");
    }
}

/// One shard's right to its pages. There is one for each id.
#[derive(Debug)]
pub(super) struct Lease {
    arena: Arc<Arena>,
    id: u16,
}

/// The leases of an arena: `count` of them, each with an id of its own.
///
/// # Panics
///
/// If more are asked for than ids exist.
pub(super) fn leases(arena: &Arc<Arena>, count: u16) -> Vec<Lease> {
    assert!(count < OWNER_DISCARD, "too many leases");
    assert!(
        arena
            .owners
            .iter()
            .all(|owner| owner.load(Ordering::Relaxed) == OWNER_POOL),
        "leases are made once, before any page is lent"
    );
    (1..=count)
        .map(|id| Lease {
            arena: Arc::clone(arena),
            id,
        })
        .collect()
}

impl Lease {
    /// The arena that this lease is of.
    pub(super) fn arena(&self) -> &Arc<Arena> {
        &self.arena
    }

    /// The bytes from `handle` to the end of its page.
    ///
    /// # Panics
    ///
    /// If the page is not this lease's.
    #[inline]
    pub(super) fn at(&self, handle: Handle) -> &[u8] {
        let (start, len) = self.span(handle);
        // SAFETY: `span` found the bytes inside the mapping and this lease to be the owner of
        // their page. Only this lease reaches them, and it is borrowed for as long.
        unsafe { std::slice::from_raw_parts(start, len) }
    }

    /// The bytes from `handle` to the end of its page, to be written.
    ///
    /// # Panics
    ///
    /// If the page is not this lease's.
    #[inline]
    pub(super) fn at_mut(&mut self, handle: Handle) -> &mut [u8] {
        let (start, len) = self.span(handle);
        // SAFETY: as in `at`, and the lease is borrowed mutably for as long.
        unsafe { std::slice::from_raw_parts_mut(start, len) }
    }

    /// Copies `size` bytes from one place to another. The places may overlap.
    ///
    /// # Panics
    ///
    /// If either page is not this lease's, or too short.
    pub(super) fn copy(
        &mut self,
        from: Handle,
        from_at: usize,
        to: Handle,
        to_at: usize,
        size: usize,
    ) {
        let (source, source_len) = self.span(from);
        let (target, target_len) = self.span(to);
        assert!(from_at + size <= source_len && to_at + size <= target_len);
        let (source, target) = (source.wrapping_add(from_at), target.wrapping_add(to_at));
        // SAFETY: both ranges are inside pages of this lease, which is borrowed mutably, and
        // `ptr::copy` allows them to overlap.
        unsafe { std::ptr::copy(source, target, size) };
    }

    #[inline]
    fn span(&self, handle: Handle) -> (*mut u8, usize) {
        let arena = &*self.arena;
        let page = arena.page_of(handle);
        let owner = arena.owners[page as usize].load(Ordering::Relaxed);
        assert!(owner == self.id, "handle {handle:?} is not ours");
        let address = (handle.0 as usize) << arena.geometry.grain_shift;
        let len = arena.page_mask + 1 - (address & arena.page_mask);
        (arena.memory.as_mut_ptr().wrapping_add(address), len)
    }

    /// What was noted about a page.
    #[inline]
    pub(super) fn note(&self, page: u32) -> u16 {
        self.arena.notes[page as usize].load(Ordering::Relaxed)
    }

    /// Notes something about a page of this lease.
    pub(super) fn set_note(&mut self, page: u32, note: u16) {
        debug_assert!(self.owns(page), "page {page} is not ours");
        self.arena.notes[page as usize].store(note, Ordering::Relaxed);
    }

    /// Whether a page is this lease's.
    pub(super) fn owns(&self, page: u32) -> bool {
        self.arena.owners[page as usize].load(Ordering::Relaxed) == self.id
    }

    /// Takes a page from the pool. Called by the pool, under its lock.
    pub(super) fn take(&mut self, page: u32) {
        self.arena.pass(page, OWNER_POOL, self.id);
    }

    /// Gives a page back to the pool. Called by the pool, under its lock.
    pub(super) fn give(&mut self, page: u32) {
        self.arena.pass(page, self.id, OWNER_POOL);
    }

    /// Turns a page into an index page, for good. Its lines are whatever was there before.
    pub(super) fn make_index(&mut self, page: u32) {
        self.arena.pass(page, self.id, self.id | OWNER_INDEX);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arena() -> Arc<Arena> {
        let geometry = Geometry {
            page_shift: 16,
            grain_shift: 2,
            page_count: 8,
        };
        Arc::new(Arena::reserve(geometry, false).unwrap())
    }

    #[test]
    fn a_lease_reads_what_it_wrote_and_nobody_elses() {
        let arena = arena();
        let mut leases = leases(&arena, 2);
        leases[0].take(3);
        let handle = arena.handle_at(3, 128);
        leases[0].at_mut(handle)[..3].copy_from_slice(b"abc");
        assert_eq!(&leases[0].at(handle)[..3], b"abc");
        assert_eq!(leases[0].at(handle).len(), (1 << 16) - 128);
        let other = leases.pop().unwrap();
        let stolen =
            std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| other.at(handle).len()));
        assert!(stolen.is_err(), "a foreign page must not be reachable");
    }

    #[test]
    fn a_page_given_back_and_discarded_reads_as_zero() {
        let arena = arena();
        let mut lease = leases(&arena, 1).pop().unwrap();
        lease.take(1);
        let handle = arena.handle_at(1, 0);
        lease.at_mut(handle).fill(7);
        lease.give(1);
        arena.discard(1);
        lease.take(1);
        assert!(lease.at(handle).iter().all(|byte| *byte == 0));
    }

    #[test]
    fn a_file_keeps_what_was_written_but_not_what_was_discarded() {
        let file = tempfile::tempfile().unwrap();
        let geometry = arena().geometry();
        let map = || Arc::new(Arena::on_file(file.try_clone().unwrap(), geometry, false).unwrap());
        let arena = map();
        let mut lease = leases(&arena, 1).pop().unwrap();
        for page in [1, 2] {
            assert!(arena.claim(page));
            lease.take(page);
            lease.at_mut(arena.handle_at(page, 0)).fill(7);
        }
        lease.give(2);
        arena.discard(2);
        drop((lease, arena));
        let arena = map();
        let mut lease = leases(&arena, 1).pop().unwrap();
        lease.take(1);
        lease.take(2);
        let all = |page, wanted| {
            lease
                .at(arena.handle_at(page, 0))
                .iter()
                .all(|b| *b == wanted)
        };
        assert!(all(1, 7) && all(2, 0));
    }

    #[test]
    fn index_pages_are_words_to_everyone_and_bytes_to_nobody() {
        let arena = arena();
        let mut lease = leases(&arena, 1).pop().unwrap();
        lease.take(2);
        lease.make_index(2);
        let line = arena.lines_per_page() * 2 + 5;
        arena.line(line)[7].store(9, Ordering::Relaxed);
        assert_eq!(arena.line(line)[7].load(Ordering::Relaxed), 9);
        let handle = arena.handle_at(2, 0);
        let bytes =
            std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| lease.at(handle).len()));
        assert!(bytes.is_err());
    }

    #[test]
    fn handles_and_offsets_convert_both_ways() {
        let arena = arena();
        let handle = arena.handle_at(5, 4096);
        assert_eq!(arena.page_of(handle), 5);
        assert_eq!(arena.offset_of(handle), 4096);
    }
}
