//! Pages cut into chunks: which are free, and which pages a cut has.
//!
//! A page begins with 64 bytes about itself, so a page that changes hands leaves nothing behind;
//! only which cut it belongs to is asked so often that the arena keeps it apart:
//!
//! ```text
//!    0          4          8          12         16                   24
//!    | capacity | used     | free     | fresh    | partial neighbours | page neighbours     |
//!    32                    36
//!    | earliest expiry     | listed   |
//! ```
//!
//! Chunks that have never been used begin at `fresh`; chunks that were freed are linked from
//! `free` through their second word. A page with a free chunk is in its cut's partial list, so
//! allocating and freeing cost O(1), and taking a whole page away needs no search.

use super::arena::{Handle, Lease};
use super::item::{self, Kind};

/// Bytes of a page before its first chunk.
pub(super) const PAGE_HEADER_SIZE: usize = 64;

const CAPACITY: usize = 0;
const USED: usize = 4;
const FREE: usize = 8;
const FRESH: usize = 12;
const PARTIAL_NEXT: usize = 16;
const PARTIAL_PREV: usize = 20;
const PAGE_NEXT: usize = 24;
const PAGE_PREV: usize = 28;
const EXPIRY: usize = 32;
const LISTED: usize = 36;

/// What stands in `LISTED` while a page is being emptied.
const CLOSED: u32 = 2;

/// No item of the page expires.
pub(super) const NO_EXPIRY: u32 = u32::MAX;

/// The pages of one cut.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct CutPages {
    chunk_size: usize,
    partial: u32,
    /// The newest page; others follow through their headers.
    first: u32,
    last: u32,
    /// Pages in all.
    pub(super) pages: u32,
    /// Chunks that hold something.
    pub(super) used: u64,
    /// Chunks that a page holds.
    pub(super) capacity: u32,
    /// Free chunks of the page that is being emptied: nobody may have them.
    closed_free: u32,
}

/// Chunks of a page by what they hold.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct KindCounts {
    /// Items.
    pub(super) linked: u32,
    /// Pieces of long values.
    pub(super) pieces: u32,
}

/// All pages of a shard that hold items.
#[derive(Debug)]
pub(super) struct Slabs {
    cuts: Vec<CutPages>,
}

fn field(lease: &Lease, page: u32, at: usize) -> u32 {
    item::word(lease.at(lease.arena().handle_at(page, 0)), at)
}

fn set_field(lease: &mut Lease, page: u32, at: usize, value: u32) {
    let start = lease.arena().handle_at(page, 0);
    item::set_word(lease.at_mut(start), at, value);
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "offsets in a page are below 2^32"
)]
fn narrow(offset: usize) -> u32 {
    offset as u32
}

impl Slabs {
    /// No pages yet, for cuts of these chunk sizes.
    pub(super) fn new(chunk_sizes: impl Iterator<Item = usize>, page_size: usize) -> Self {
        Self {
            cuts: chunk_sizes
                .map(|chunk_size| CutPages {
                    chunk_size,
                    capacity: narrow((page_size - PAGE_HEADER_SIZE) / chunk_size),
                    ..CutPages::default()
                })
                .collect(),
        }
    }

    /// The pages of a cut.
    pub(super) fn cut(&self, cut: u16) -> &CutPages {
        &self.cuts[usize::from(cut)]
    }

    /// Chunks of a cut that hold nothing and may be had.
    pub(super) fn free_chunks(&self, cut: u16) -> u64 {
        let cut = self.cut(cut);
        u64::from(cut.pages) * u64::from(cut.capacity) - cut.used - u64::from(cut.closed_free)
    }

    /// The cut that a chunk's page belongs to.
    #[inline]
    pub(super) fn cut_of(lease: &Lease, handle: Handle) -> u16 {
        lease.note(lease.arena().page_of(handle))
    }

    /// Takes a free chunk. Its kind is still "free": the caller writes it at once.
    pub(super) fn allocate(&mut self, lease: &mut Lease, cut: u16) -> Option<Handle> {
        let list = &mut self.cuts[usize::from(cut)];
        let page = list.partial;
        if page == 0 {
            return None;
        }
        list.used += 1;
        let arena = lease.arena();
        let start = arena.handle_at(page, 0);
        let header = lease.at(start);
        let free = item::word(header, FREE) as usize;
        let fresh = item::word(header, FRESH) as usize;
        let used = item::word(header, USED) + 1;
        let full = used == item::word(header, CAPACITY);
        let offset = if free == 0 { fresh } else { free };
        let header = lease.at_mut(start);
        item::set_word(header, USED, used);
        if free == 0 {
            item::set_word(header, FRESH, narrow(fresh + list.chunk_size));
        } else {
            let next = item::word(&header[offset..], 4);
            item::set_word(header, FREE, next);
        }
        let handle = lease.arena().handle_at(page, offset);
        if full {
            self.unlist(lease, page);
        }
        Some(handle)
    }

    /// Frees a chunk. Returns its page if nothing is left in it.
    pub(super) fn free(&mut self, lease: &mut Lease, handle: Handle) -> Option<u32> {
        let arena = lease.arena();
        let (page, offset) = (arena.page_of(handle), arena.offset_of(handle));
        let start = arena.handle_at(page, 0);
        let header = lease.at_mut(start);
        let free = item::word(header, FREE);
        let used = item::word(header, USED) - 1;
        item::set_word(header, USED, used);
        item::set_word(header, FREE, narrow(offset));
        item::set_word(&mut header[offset..], 0, 0);
        item::set_word(&mut header[offset..], 4, free);
        let listed = item::word(header, LISTED);
        let list = &mut self.cuts[usize::from(lease.note(page))];
        list.used -= 1;
        if listed == 0 {
            self.list(lease, page);
        } else if listed == CLOSED {
            list.closed_free += 1;
        }
        (used == 0).then_some(page)
    }

    /// Cuts a page, which `lease` holds, for a cut.
    pub(super) fn add_page(&mut self, lease: &mut Lease, cut: u16, page: u32) {
        lease.set_note(page, cut);
        let list = &mut self.cuts[usize::from(cut)];
        let start = lease.arena().handle_at(page, 0);
        let header = lease.at_mut(start);
        header[..PAGE_HEADER_SIZE].fill(0);
        item::set_word(header, CAPACITY, list.capacity);
        item::set_word(header, FRESH, narrow(PAGE_HEADER_SIZE));
        item::set_word(header, EXPIRY, NO_EXPIRY);
        self.enter_page(lease, page);
        self.list(lease, page);
    }

    /// Makes a page the newest of its cut.
    fn enter_page(&mut self, lease: &mut Lease, page: u32) {
        let list = &mut self.cuts[usize::from(lease.note(page))];
        set_field(lease, page, PAGE_NEXT, list.first);
        if list.first == 0 {
            list.last = page;
        } else {
            set_field(lease, list.first, PAGE_PREV, page);
        }
        list.first = page;
        list.pages += 1;
    }

    /// Takes over a page of a cut as it was in another life of the memory: its chunks are judged
    /// by their kind, and everything else about it is made anew. Returns how many chunks of each
    /// kind it has, or `None` when it can be no page of this cut.
    pub(super) fn adopt_page(
        &mut self,
        lease: &mut Lease,
        cut: u16,
        page: u32,
    ) -> Option<KindCounts> {
        let list = &mut self.cuts[usize::from(cut)];
        let step = list.chunk_size;
        let fresh = field(lease, page, FRESH) as usize;
        let ever_used = fresh.checked_sub(PAGE_HEADER_SIZE)?;
        if !ever_used.is_multiple_of(step) || ever_used / step > list.capacity as usize {
            return None;
        }
        lease.set_note(page, cut);
        let mut counts = KindCounts::default();
        let mut free = 0;
        let start = lease.arena().handle_at(page, 0);
        let bytes = lease.at_mut(start);
        for offset in (PAGE_HEADER_SIZE..fresh).step_by(step) {
            let chunk = &mut bytes[offset..offset + step];
            match item::kind_of(chunk) {
                Kind::Linked => counts.linked += 1,
                Kind::Piece => counts.pieces += 1,
                Kind::Detached => return None,
                Kind::Free => {
                    item::set_word(chunk, 0, 0);
                    item::set_word(chunk, 4, free);
                    free = narrow(offset);
                }
            }
        }
        let used = counts.linked + counts.pieces;
        list.used += u64::from(used);
        bytes[..PAGE_HEADER_SIZE].fill(0);
        item::set_word(bytes, CAPACITY, list.capacity);
        item::set_word(bytes, USED, used);
        item::set_word(bytes, FREE, free);
        item::set_word(bytes, FRESH, narrow(fresh));
        item::set_word(bytes, EXPIRY, NO_EXPIRY);
        let is_full = used == list.capacity;
        self.enter_page(lease, page);
        if !is_full {
            self.list(lease, page);
        }
        Some(counts)
    }

    /// Whether something that is said to be the place of a used chunk is one, of a page of `cut`
    /// that has been taken over.
    pub(super) fn is_chunk(&self, lease: &Lease, handle: Handle, cut: u16) -> bool {
        let arena = lease.arena();
        let page = arena.page_of(handle);
        if page >= arena.geometry().page_count || !lease.owns(page) || lease.note(page) != cut {
            return false;
        }
        let offset = arena.offset_of(handle);
        offset >= PAGE_HEADER_SIZE
            && offset < field(lease, page, FRESH) as usize
            && (offset - PAGE_HEADER_SIZE).is_multiple_of(self.cut(cut).chunk_size)
    }

    /// Takes a page away from its cut. What is in it counts as gone.
    pub(super) fn remove_page(&mut self, lease: &mut Lease, page: u32) {
        if field(lease, page, LISTED) != 0 {
            self.unlist(lease, page);
        }
        let cut = usize::from(lease.note(page));
        let (next, prev) = (field(lease, page, PAGE_NEXT), field(lease, page, PAGE_PREV));
        let list = &mut self.cuts[cut];
        list.pages -= 1;
        list.used -= u64::from(field(lease, page, USED));
        if prev == 0 {
            list.first = next;
        } else {
            set_field(lease, prev, PAGE_NEXT, next);
        }
        if next == 0 {
            list.last = prev;
        } else {
            set_field(lease, next, PAGE_PREV, prev);
        }
    }

    /// Takes a page's free chunks out of circulation, before it is emptied. There is one such page
    /// at a time.
    pub(super) fn close_page(&mut self, lease: &mut Lease, page: u32) {
        if field(lease, page, LISTED) != 0 {
            self.unlist(lease, page);
        }
        // A page that counts as listed is not listed again when its chunks are freed.
        set_field(lease, page, LISTED, CLOSED);
        let list = &mut self.cuts[usize::from(lease.note(page))];
        list.closed_free = list.capacity - field(lease, page, USED);
    }

    /// Whether a page is being emptied.
    pub(super) fn is_closed(&self, lease: &Lease, page: u32) -> bool {
        field(lease, page, LISTED) == CLOSED
    }

    /// Gives the free chunks of a closed page back, because it stays where it is.
    pub(super) fn reopen_page(&mut self, lease: &mut Lease, page: u32) {
        let list = &mut self.cuts[usize::from(lease.note(page))];
        list.closed_free = 0;
        let is_full = field(lease, page, USED) == list.capacity;
        set_field(lease, page, LISTED, 0);
        if !is_full {
            self.list(lease, page);
        }
    }

    /// Takes a closed and empty page away from its cut.
    pub(super) fn remove_closed_page(&mut self, lease: &mut Lease, page: u32) {
        self.cuts[usize::from(lease.note(page))].closed_free = 0;
        set_field(lease, page, LISTED, 0);
        self.remove_page(lease, page);
    }

    /// The oldest page of a cut; zero if it has none.
    pub(super) fn oldest_page(&self, cut: u16) -> u32 {
        self.cut(cut).last
    }

    /// The newest page of a cut; zero if it has none.
    pub(super) fn newest_page(&self, cut: u16) -> u32 {
        self.cut(cut).first
    }

    /// Whether a page is one of a cut's.
    pub(super) fn is_page_of(lease: &Lease, page: u32, cut: u16) -> bool {
        lease.note(page) == cut
    }

    /// The page of the same cut that is next older; zero at the end.
    pub(super) fn older_page(lease: &Lease, page: u32) -> u32 {
        field(lease, page, PAGE_NEXT)
    }

    /// The page of the same cut that is next newer; zero at the end.
    pub(super) fn newer_page(lease: &Lease, page: u32) -> u32 {
        field(lease, page, PAGE_PREV)
    }

    /// Chunks of a page that hold something.
    pub(super) fn used_in(lease: &Lease, page: u32) -> u32 {
        field(lease, page, USED)
    }

    /// The earliest expiry of a page's items; never later than the true one.
    pub(super) fn earliest_expiry_s(lease: &Lease, page: u32) -> u32 {
        field(lease, page, EXPIRY)
    }

    /// Notes the earliest expiry after a sweep.
    pub(super) fn set_earliest_expiry(lease: &mut Lease, page: u32, expiry_s: u32) {
        set_field(lease, page, EXPIRY, expiry_s);
    }

    /// Notes that an item of this page now expires at `expiry_s`.
    #[inline]
    pub(super) fn note_expiry(lease: &mut Lease, handle: Handle, expiry_s: u32) {
        if expiry_s == 0 {
            return;
        }
        let page = lease.arena().page_of(handle);
        Self::tell_earlier_expiry(lease, page, expiry_s);
    }

    /// Notes that something in a page may expire at `expiry_s`.
    #[inline]
    pub(super) fn tell_earlier_expiry(lease: &mut Lease, page: u32, expiry_s: u32) {
        if expiry_s < field(lease, page, EXPIRY) {
            set_field(lease, page, EXPIRY, expiry_s);
        }
    }

    /// The chunks of a page that have ever been used.
    pub(super) fn chunks_of(&self, lease: &Lease, page: u32) -> ChunksOf {
        let cut = usize::from(lease.note(page));
        ChunksOf {
            page,
            offset: PAGE_HEADER_SIZE,
            end: field(lease, page, FRESH) as usize,
            step: self.cuts[cut].chunk_size,
        }
    }

    fn list(&mut self, lease: &mut Lease, page: u32) {
        let cut = usize::from(lease.note(page));
        let first = self.cuts[cut].partial;
        set_field(lease, page, PARTIAL_NEXT, first);
        set_field(lease, page, PARTIAL_PREV, 0);
        set_field(lease, page, LISTED, 1);
        if first != 0 {
            set_field(lease, first, PARTIAL_PREV, page);
        }
        self.cuts[cut].partial = page;
    }

    fn unlist(&mut self, lease: &mut Lease, page: u32) {
        let cut = usize::from(lease.note(page));
        let next = field(lease, page, PARTIAL_NEXT);
        let prev = field(lease, page, PARTIAL_PREV);
        if prev == 0 {
            self.cuts[cut].partial = next;
        } else {
            set_field(lease, prev, PARTIAL_NEXT, next);
        }
        if next != 0 {
            set_field(lease, next, PARTIAL_PREV, prev);
        }
        set_field(lease, page, LISTED, 0);
    }
}

/// The places of a page's chunks.
#[derive(Clone, Copy, Debug)]
pub(super) struct ChunksOf {
    page: u32,
    offset: usize,
    end: usize,
    step: usize,
}

impl ChunksOf {
    /// The page.
    pub(super) fn page(&self) -> u32 {
        self.page
    }

    /// Ends where another walk of the same page does.
    pub(super) fn end_with(&mut self, other: &Self) {
        self.end = other.end;
    }

    /// Leaves out so many chunks.
    pub(super) fn skip(&mut self, count: usize) {
        self.offset += count * self.step;
    }

    /// The next chunk's place.
    pub(super) fn next(&mut self, lease: &Lease) -> Option<Handle> {
        if self.offset >= self.end {
            return None;
        }
        let handle = lease.arena().handle_at(self.page, self.offset);
        self.offset += self.step;
        Some(handle)
    }
}
