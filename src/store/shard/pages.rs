//! Pages that change hands: which one, and how it is emptied, a step at a time.
//!
//! A page is given away empty. What lies in it moves to other pages of its cut, or goes when that
//! is less than what would have to go for it.
//!
//! ```text
//!          begin              all chunks seen
//!   open ---------> closed ------------------> in no cut: cut anew, held, given to the pool
//!     ^              |  ^ |
//!     |              +--+ |  a step, under one lock
//!     +-------------------+  something in it must stay where it is
//! ```
//!
//! **Invariant:** a shard empties one page at a time. As long as it is closed it belongs to its
//! cut, and what is in it is found, changed and freed as ever; nothing comes into it, and the
//! chunks that have been looked at are free.

use super::super::arena::Handle;
use super::super::item::{self, Header, Kind, Mark, Queue};
use super::super::slab::{ChunksOf, Slabs};
use super::{FREED_PIECES_MAX, Shard};
use crate::time::Now;

/// Work of a step under one lock, in looks at a chunk: some tens of microseconds.
const STEP_WORK: usize = 512;

/// What it is to move an item or to let it go, in looks at a chunk.
const MOVE_WORK: usize = 8;

/// Bytes that are copied in the time of a look at a chunk.
const LOOK_SIZE: usize = 256;

/// An item with more pieces than this is not moved, but dropped, when its page is wanted:
/// telling every piece would hold the lock too long.
const MOVED_PIECES_MAX: usize = 256;

/// Items evicted to save one from a page that is being emptied: some of them lie in that page,
/// and their chunks are of no use.
const RESCUE_EVICTIONS_MAX: usize = 8;

/// A page with no more chunks than this is looked through before it is closed, for what must stay
/// in it. Pieces are in no other pages: their chunks are large.
const SEARCHED_CHUNKS_MAX: u32 = 256;

/// A page that nobody needs is waited for while it has no more items than this; longer, and
/// something of one's own goes instead.
const AWAITED_CHUNKS_MAX: u32 = 512;

/// Pages of a cut that are tried in turn.
const PAGES_TRIED_MAX: usize = 8;

/// Cuts that are tried in turn.
const CUTS_TRIED_MAX: usize = 8;

/// Pages looked at for the one with the fewest items.
const PAGE_LOOKS_MAX: usize = 256;

/// A page that is being emptied.
#[derive(Clone, Copy, Debug)]
pub(super) struct Emptying {
    cut: u16,
    /// The chunks that have not been looked at.
    chunks: ChunksOf,
    purpose: Purpose,
}

/// Why a page is emptied.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Purpose {
    /// The class on the wire that it is for, zero is the pool; `None` is whoever needs one first.
    pub(super) to: Option<u8>,
    /// Nothing may be lost: all that is in it finds room in its cut, or it stays.
    pub(super) is_lossless: bool,
}

impl Purpose {
    /// Somebody needs memory.
    pub(super) const NEED: Self = Self {
        to: None,
        is_lossless: false,
    };
}

/// What came of a step.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(in super::super) enum Step {
    /// This page is empty and in no cut.
    Emptied(u32),
    /// A page is empty and has been given to those whom it was for.
    Given,
    /// No page is empty, but chunks have become free.
    Freed,
    /// There is more to do.
    Going,
    /// Nothing is being emptied, or not any more.
    Idle,
}

impl Shard {
    /// Whether a page is being emptied.
    pub(in super::super) fn is_emptying(&self) -> bool {
        self.emptying.is_some()
    }

    /// The page that is being emptied.
    #[cfg(any(test, fuzzing))]
    pub(super) fn emptied_page(&self) -> Option<u32> {
        self.emptying.map(|emptying| emptying.chunks.page())
    }

    /// Whether a page is almost there for which nothing has to go.
    pub(super) fn is_worth_waiting_for(&self, cut: u16) -> bool {
        self.emptying.is_some_and(|emptying| {
            emptying.purpose.is_lossless
                && emptying.cut != cut
                && Slabs::used_in(&self.lease, emptying.chunks.page()) <= AWAITED_CHUNKS_MAX
        })
    }

    /// Begins to empty a page. False, and nothing has happened, when something in the page must
    /// stay where it is.
    pub(super) fn begin_emptying(&mut self, page: u32, cut: u16, purpose: Purpose) -> bool {
        debug_assert!(self.emptying.is_none(), "one page at a time");
        let is_searched = self.slabs.cut(cut).capacity <= SEARCHED_CHUNKS_MAX;
        let is_busy = match is_searched {
            true => self.is_busy(page),
            false => self.has_busy_item(page),
        };
        if page == self.stuck_page || is_busy {
            return false;
        }
        self.slabs.close_page(&mut self.lease, page);
        self.emptying = Some(Emptying {
            cut,
            chunks: self.slabs.chunks_of(&self.lease, page),
            purpose,
        });
        true
    }

    /// Begins to empty a page of a cut that has more free chunks than it needs. Nothing is evicted
    /// for it: what is in the page moves into those chunks.
    pub(super) fn begin_spare(&mut self, wanting: Option<u16>) -> bool {
        let Some(cut) = self.spare_cut else {
            return false;
        };
        let has_begun = Some(cut) != wanting && self.has_spare(cut) && {
            let page = self.emptiest_page(cut);
            let purpose = Purpose {
                is_lossless: true,
                ..Purpose::NEED
            };
            page != 0 && self.begin_emptying(page, cut, purpose)
        };
        if !has_begun {
            self.spare_cut = None;
        }
        has_begun
    }

    /// Begins to empty a page of some cut other than `spared`, preferring the one whose items
    /// have been idle longest.
    pub(super) fn begin_stealing(
        &mut self,
        spared: Option<u16>,
        purpose: Purpose,
        now: Now,
    ) -> bool {
        let mut best: Vec<(u32, u32, u16)> = self
            .cut_numbers()
            .filter(|cut| Some(*cut) != spared && self.slabs.cut(*cut).pages > 0)
            .map(|cut| {
                let idle_s = self.tail_idle_s(cut, now).unwrap_or(u32::MAX);
                (idle_s, self.slabs.cut(cut).pages, cut)
            })
            .collect();
        best.sort_unstable_by(|a, b| b.cmp(a));
        let mut victims = best.into_iter().take(CUTS_TRIED_MAX);
        victims.any(|(_, _, victim)| self.begin_stealing_from(victim, purpose))
    }

    /// Begins to empty a page of a cut: the one with its oldest item, or any that is not busy.
    pub(super) fn begin_stealing_from(&mut self, victim: u16, purpose: Purpose) -> bool {
        let tail = self.queues[usize::from(victim)].tail(Queue::Cold);
        if !tail.is_none() {
            let page = self.lease.arena().page_of(tail);
            if self.begin_emptying(page, victim, purpose) {
                return true;
            }
        }
        let mut page = self.slabs.oldest_page(victim);
        for _ in 0..PAGES_TRIED_MAX {
            if page == 0 {
                break;
            }
            if self.begin_emptying(page, victim, purpose) {
                return true;
            }
            page = Slabs::newer_page(&self.lease, page);
        }
        false
    }

    /// The page of a cut with the fewest items, among the first few.
    pub(super) fn emptiest_page(&self, cut: u16) -> u32 {
        let mut page = self.slabs.newest_page(cut);
        let (mut best, mut best_used) = (0, u32::MAX);
        for _ in 0..PAGE_LOOKS_MAX {
            if page == 0 {
                break;
            }
            let used = Slabs::used_in(&self.lease, page);
            if used < best_used {
                (best, best_used) = (page, used);
            }
            page = Slabs::older_page(&self.lease, page);
        }
        best
    }

    /// Goes on with the page that is being emptied: saves what can be saved, drops the rest.
    pub(super) fn empty_step(&mut self, now: Now) -> Step {
        let Some(mut emptying) = self.emptying else {
            return Step::Idle;
        };
        let mut work = 0;
        while work < STEP_WORK {
            let Some(handle) = emptying.chunks.next(&self.lease) else {
                return self.end_emptying(emptying);
            };
            work += 1;
            let kind = item::kind_of(self.lease.at(handle));
            if kind == Kind::Free {
                continue;
            }
            if self.must_stay(handle) {
                self.give_up_emptying();
                return Step::Idle;
            }
            let cleared = match kind {
                Kind::Piece => self.clear_piece(handle, &emptying, now),
                _ => self.clear_item(handle, &emptying, now),
            };
            let Some(cleared) = cleared else {
                self.give_up_emptying();
                return Step::Idle;
            };
            work += cleared;
        }
        self.emptying = Some(emptying);
        Step::Going
    }

    fn end_emptying(&mut self, emptying: Emptying) -> Step {
        let page = emptying.chunks.page();
        debug_assert_eq!(Slabs::used_in(&self.lease, page), 0);
        self.emptying = None;
        self.stuck_page = 0;
        self.slabs.remove_closed_page(&mut self.lease, page);
        self.totals.pages_moved += 1;
        let Some(to) = emptying.purpose.to else {
            return Step::Emptied(page);
        };
        if to == 0 {
            self.common.pool.give(&mut self.lease, page);
        } else {
            let target = self.target_cut(to);
            self.slabs.add_page(&mut self.lease, target, page);
        }
        self.note_page_move(emptying.cut, to);
        Step::Given
    }

    /// Leaves the page that is being emptied to its cut.
    pub(super) fn give_up_emptying(&mut self) {
        if let Some(emptying) = self.emptying.take() {
            self.stuck_page = emptying.chunks.page();
            self.slabs.reopen_page(&mut self.lease, self.stuck_page);
        }
    }

    /// Lets the page be tried again that could not be emptied last.
    pub(super) fn forget_stuck_page(&mut self) {
        self.stuck_page = 0;
    }

    /// Whether something in a page is being uploaded or sent.
    fn is_busy(&self, page: u32) -> bool {
        let mut chunks = self.slabs.chunks_of(&self.lease, page);
        while let Some(handle) = chunks.next(&self.lease) {
            if item::kind_of(self.lease.at(handle)) != Kind::Free && self.must_stay(handle) {
                return true;
            }
        }
        false
    }

    /// Whether an item of a page is being uploaded or sent.
    fn has_busy_item(&self, page: u32) -> bool {
        let sent = self.pins.iter().map(|(_, pin)| pin.head());
        let uploaded = self.uploads.iter().map(|(_, upload)| upload.head());
        let mut heads = sent.chain(uploaded);
        heads.any(|head| self.lease.arena().page_of(head) == page)
    }

    /// Whether what is in a chunk is being uploaded or sent.
    fn must_stay(&self, handle: Handle) -> bool {
        let mut chunk = self.lease.at(handle);
        if item::kind_of(chunk) == Kind::Piece {
            chunk = self.lease.at(item::piece_owner(chunk));
        }
        match item::kind_of(chunk) {
            Kind::Detached => true,
            Kind::Linked => Header::read(chunk).has(Mark::PINNED),
            Kind::Free | Kind::Piece => false,
        }
    }

    /// Moves an item out of a page that is being emptied, or drops it. Returns the work, or `None`
    /// when it has to stay.
    fn clear_item(&mut self, handle: Handle, emptying: &Emptying, now: Now) -> Option<usize> {
        let chunk = self.lease.at(handle);
        let header = Header::read(chunk);
        let pieces = self.count_pieces(header.first_piece(chunk));
        let work = MOVE_WORK + pieces + header.inline_size() / LOOK_SIZE;
        if self.death(&header, chunk, now).is_some() {
            self.bury_at(handle, header);
            return Some(work);
        }
        let (is_saved, evicted) = if pieces > MOVED_PIECES_MAX {
            (false, 0)
        } else {
            self.rescue(handle, emptying, now, Self::relocate_item)
        };
        if !is_saved {
            if emptying.purpose.is_lossless {
                return None;
            }
            self.totals.move_evictions += 1;
            self.evict(emptying.cut, handle, now);
        }
        Some(work + evicted * MOVE_WORK)
    }

    /// As [`Self::clear_item`], for a piece.
    fn clear_piece(&mut self, handle: Handle, emptying: &Emptying, now: Now) -> Option<usize> {
        let size = self.common.classes.cuts()[usize::from(emptying.cut)].chunk_size;
        let work = MOVE_WORK + size / LOOK_SIZE;
        let owner = item::piece_owner(self.lease.at(handle));
        let (is_saved, evicted) = self.rescue(handle, emptying, now, Self::relocate_piece);
        if is_saved {
            // Each of those who went may have had as many pieces as are freed at once.
            return Some(work + evicted * FREED_PIECES_MAX);
        }
        if emptying.purpose.is_lossless {
            return None;
        }
        self.totals.move_evictions += 1;
        self.evict(emptying.cut, owner, now);
        Some(work + (evicted + 1) * FREED_PIECES_MAX)
    }

    /// Moves what is in a chunk to another page, evicting what would go next from its cut to make
    /// room for it: a page that is taken away must not cost more than what is least wanted. Returns
    /// whether it is gone from there, and how many were evicted.
    fn rescue(
        &mut self,
        handle: Handle,
        emptying: &Emptying,
        now: Now,
        relocate: fn(&mut Self, Handle, u16) -> bool,
    ) -> (bool, usize) {
        let cut = emptying.cut;
        if emptying.purpose.is_lossless {
            return (relocate(self, handle, cut), 0);
        }
        let kind = item::kind_of(self.lease.at(handle));
        for evicted in 0..RESCUE_EVICTIONS_MAX {
            if relocate(self, handle, cut) {
                return (true, evicted);
            }
            if !self.evict_one(cut, now) {
                return (false, evicted);
            }
            self.totals.move_evictions += 1;
            // It may have been the next to go itself.
            if item::kind_of(self.lease.at(handle)) != kind {
                return (true, evicted + 1);
            }
        }
        (relocate(self, handle, cut), RESCUE_EVICTIONS_MAX)
    }

    /// Copies an item to a free chunk in another page. False if there is none.
    fn relocate_item(&mut self, from: Handle, cut: u16) -> bool {
        let chunk = self.lease.at(from);
        let header = Header::read(chunk);
        let pieces = header.first_piece(chunk);
        let Some(to) = self.slabs.allocate(&mut self.lease, cut) else {
            return false;
        };
        let size = header.value_at() + header.inline_size();
        self.lease.copy(from, 0, to, 0, size);
        let hash = self.hash_at(from);
        if let Some(slot) = self.slot_of(hash, from) {
            self.index.replace(slot, to);
        }
        self.queues[usize::from(cut)].moved(&mut self.lease, from, to);
        if !pieces.is_none() {
            item::set_piece_prev(self.lease.at_mut(pieces), to);
        }
        let mut piece = pieces;
        while !piece.is_none() {
            item::set_piece_owner(self.lease.at_mut(piece), to);
            piece = item::piece_next(self.lease.at(piece));
        }
        let expiry_s = header.expiry_s(self.lease.at(to));
        Slabs::note_expiry(&mut self.lease, to, expiry_s);
        self.free_chunk(from);
        self.totals.rescues += 1;
        true
    }

    fn count_pieces(&self, first: Handle) -> usize {
        let mut count = 0;
        let mut piece = first;
        while !piece.is_none() && count <= MOVED_PIECES_MAX {
            count += 1;
            piece = item::piece_next(self.lease.at(piece));
        }
        count
    }

    /// Copies a piece to a free chunk in another page. False if there is none.
    fn relocate_piece(&mut self, from: Handle, cut: u16) -> bool {
        let Some(to) = self.slabs.allocate(&mut self.lease, cut) else {
            return false;
        };
        let size = self.common.classes.cuts()[usize::from(cut)].chunk_size;
        self.lease.copy(from, 0, to, 0, size);
        let chunk = self.lease.at(to);
        let (next, prev) = (item::piece_next(chunk), item::piece_prev(chunk));
        let owner = item::piece_owner(chunk);
        if prev == owner {
            let header = Header::read(self.lease.at(owner));
            header.set_first_piece(self.lease.at_mut(owner), to);
        } else {
            item::set_piece_next(self.lease.at_mut(prev), to);
        }
        if !next.is_none() {
            item::set_piece_prev(self.lease.at_mut(next), to);
        }
        self.free_chunk(from);
        self.totals.piece_rescues += 1;
        true
    }

    /// Finds a page for a request of this shard that was short of memory, a step at a time: it is
    /// held when the step is `Emptied`.
    pub(in super::super) fn seek_page(&mut self, now: Now) -> Step {
        if let Some(page) = self.held_page {
            return Step::Emptied(page);
        }
        if self.free_doomed() {
            return Step::Freed;
        }
        let step = self.steal_step(self.evicts(), now);
        if let Step::Emptied(page) = step {
            self.held_page = Some(page);
        }
        step
    }

    /// Gives one page to the pool, for another shard or for the system, a step at a time. The page
    /// has been given when the step is `Emptied`.
    pub(in super::super) fn yield_page(&mut self, now: Now) -> Step {
        let step = match self.held_page.take() {
            Some(page) => Step::Emptied(page),
            None => self.steal_step(true, now),
        };
        if let Step::Emptied(page) = step {
            self.common.pool.give(&mut self.lease, page);
        }
        step
    }

    fn steal_step(&mut self, may_evict: bool, now: Now) -> Step {
        let is_emptying = self.is_emptying()
            || self.begin_spare(None)
            || may_evict && self.begin_stealing(None, Purpose::NEED, now);
        if is_emptying {
            self.empty_step(now)
        } else {
            Step::Idle
        }
    }

    /// Goes on with what requests have left unfinished. Returns true when there is more.
    pub(in super::super) fn tidy(&mut self, now: Now) -> bool {
        if let Some(page) = self.held_page.take() {
            self.common.pool.give(&mut self.lease, page);
        }
        let has_freed = self.free_doomed();
        let step = self.empty_step(now);
        if let Step::Emptied(page) = step {
            self.common.pool.give(&mut self.lease, page);
        }
        has_freed || step == Step::Going
    }
}
