//! What happens by itself: expired items go, queues are kept in shape, pages are balanced.
//!
//! Each step is bounded, because the shard is locked meanwhile; the upkeep thread decides how
//! often to call. Expired items are found by walking pages in the order of memory: one look at a
//! page's header tells whether anything in it can have expired.

use super::super::api::Event;
use super::super::arena::Handle;
use super::super::item::{self, Flag, Header, Kind, Queue};
use super::super::lru::Queues;
use super::super::slab::{ChunksOf, NO_EXPIRY, Slabs};
use super::Shard;
use super::pages::{Purpose, Step};
use crate::time::Now;

/// Work of one step in looks at a chunk, of which a step of this many takes some tens of
/// microseconds.
const SWEEP_WORK: usize = 512;

/// What it is to free an item, in looks at a chunk.
const BURY_WORK: usize = 8;

/// Bytes of a long value that are freed in the time of a look at a chunk.
const BURY_SIZE: usize = 8 << 10;

/// Page headers looked at in one step.
const SWEEP_PAGES_MAX: usize = 256;

/// Work of one step between queues, in looks at the tails of a cut.
const JUGGLE_WORK: usize = 160;

/// What it is to move an item to another queue, or to free it, in looks at the tails of a cut.
const SHIFT_WORK: usize = 2;

/// A cut keeps this many pages' worth of free chunks; more goes back to the pool.
const SPARE_PAGES: u64 = 2;

/// Where the upkeep of a shard stands.
#[derive(Debug, Default)]
pub(in super::super) struct Sweep {
    cut: u16,
    /// The page to look at next; zero is the beginning of the cut.
    page: u32,
    /// What is left to look at of that page, once it has been begun.
    partial: Option<Partial>,
    /// What was flushed when the pass began: a whole pass works that off.
    flushed_at_start: u64,
    /// Passes finished.
    passes: u64,
    /// Classes to be swept whatever their pages say, and on whose account.
    forced: u64,
    forced_checked: u64,
    forced_reclaimed: u64,
    /// The cut at which queue balancing goes on, and how many are left in this round.
    juggled: u16,
    to_juggle: u16,
    /// The cut whose page is worth most elsewhere.
    pub(super) oldest_cut: Option<u16>,
    /// By cut: seconds that what goes next has been idle, as it was when it was looked at last.
    pub(super) ages_s: Vec<u32>,
}

/// A page that a sweep has begun and not finished.
#[derive(Clone, Copy, Debug)]
struct Partial {
    chunks: ChunksOf,
    /// The earliest expiry that the page told when it was begun.
    told_s: u32,
    /// The earliest of the items looked at.
    earliest_s: u32,
}

impl Sweep {
    /// Nothing done yet, for this many cuts.
    pub(super) fn new(cut_count: usize) -> Self {
        Self {
            ages_s: vec![0; cut_count],
            ..Self::default()
        }
    }
}

impl Shard {
    /// Frees expired items in the next pages. Returns true when the pass has come round.
    pub(in super::super) fn sweep(&mut self, now: Now) -> bool {
        self.begin(now);
        let mut work = 0;
        let cuts = u16::try_from(self.queues.len()).unwrap_or(u16::MAX);
        if self.sweep.cut == 0 && self.sweep.page == 0 {
            self.sweep.flushed_at_start = self.flushed;
        }
        for _ in 0..SWEEP_PAGES_MAX {
            if work >= SWEEP_WORK {
                return false;
            }
            // A page may have changed hands since the last step: then the cut begins again.
            let page = match self.sweep.page {
                page if page != 0 && self.owns(page, self.sweep.cut) => page,
                _ => {
                    self.sweep.partial = None;
                    self.slabs.newest_page(self.sweep.cut)
                }
            };
            let mut next = 0;
            if page != 0 {
                self.sweep.page = page;
                next = Slabs::older_page(&self.lease, page);
                if !self.sweep_page(page, &mut work, now) {
                    return false;
                }
            }
            self.sweep.page = next;
            if next == 0 {
                self.sweep.cut += 1;
                if self.sweep.cut >= cuts {
                    self.end_pass();
                    return true;
                }
            }
        }
        false
    }

    /// Begins the pass again, so that what was flushed is found from the start.
    pub(super) fn start_sweep_over(&mut self) {
        if let Some(partial) = self.sweep.partial.take()
            && self.owns(partial.chunks.page(), self.sweep.cut)
        {
            // What has not been looked at may expire when the page said so.
            let earliest_s = partial.told_s.min(partial.earliest_s);
            Slabs::tell_earlier_expiry(&mut self.lease, partial.chunks.page(), earliest_s);
        }
        self.sweep.cut = 0;
        self.sweep.page = 0;
    }

    fn end_pass(&mut self) {
        self.start_sweep_over();
        self.sweep.passes += 1;
        if self.flushed == self.sweep.flushed_at_start {
            // Nothing from before the flush is left.
            self.flushed = 0;
        }
    }

    /// Frees expired items of a page, and adds to `work`. False when there is more of it.
    fn sweep_page(&mut self, page: u32, work: &mut usize, now: Now) -> bool {
        let cut = usize::from(self.sweep.cut);
        let mut partial = match self.sweep.partial.take() {
            Some(partial) => partial,
            None => {
                let class = self.common.classes.cuts()[cut].class;
                let forced = self.sweep.forced & (1 << class) != 0;
                let told_s = Slabs::earliest_expiry_s(&self.lease, page);
                if told_s > now.uptime_s && self.flushed == 0 && !forced {
                    *work += 1;
                    return true;
                }
                // From now on the page notes the expiry of what comes into it.
                Slabs::set_earliest_expiry(&mut self.lease, page, NO_EXPIRY);
                Partial {
                    chunks: self.slabs.chunks_of(&self.lease, page),
                    told_s,
                    earliest_s: NO_EXPIRY,
                }
            }
        };
        // The page may have been given away and come back: only what is used now is looked at.
        partial
            .chunks
            .end_with(&self.slabs.chunks_of(&self.lease, page));
        while *work < SWEEP_WORK {
            let Some(handle) = partial.chunks.next(&self.lease) else {
                Slabs::tell_earlier_expiry(&mut self.lease, page, partial.earliest_s);
                return true;
            };
            *work += 1;
            let chunk = self.lease.at(handle);
            if item::kind_of(chunk) != Kind::Linked {
                continue;
            }
            let header = Header::read(chunk);
            self.stats[cut].crawler_items_checked += 1;
            self.sweep.forced_checked += 1;
            let expiry_s = header.expiry_s(chunk);
            if self.death(&header, chunk, now).is_some() {
                *work += BURY_WORK + header.value_size(chunk) as usize / BURY_SIZE;
                self.stats[cut].crawler_reclaimed += 1;
                self.sweep.forced_reclaimed += 1;
                self.bury_at(handle, header);
                if !self.owns(page, self.sweep.cut) {
                    // The page became empty and has been given back.
                    return true;
                }
            } else if expiry_s != 0 {
                partial.earliest_s = partial.earliest_s.min(expiry_s);
            }
        }
        self.sweep.partial = Some(partial);
        false
    }

    /// Whether a page is still one of a cut's.
    pub(super) fn owns(&self, page: u32, cut: u16) -> bool {
        self.lease.owns(page) && Slabs::is_page_of(&self.lease, page, cut)
    }

    /// Passes finished since the start.
    pub(in super::super) fn passes(&self) -> u64 {
        self.sweep.passes
    }

    /// Has the next passes look at every item of these classes.
    pub(in super::super) fn force_sweep(&mut self, classes: u64) {
        self.sweep.forced = classes;
        self.sweep.forced_checked = 0;
        self.sweep.forced_reclaimed = 0;
        self.start_sweep_over();
    }

    /// Ends a forced sweep; returns items checked and freed by it.
    pub(in super::super) fn end_forced_sweep(&mut self) -> (u64, u64) {
        self.sweep.forced = 0;
        (self.sweep.forced_checked, self.sweep.forced_reclaimed)
    }

    /// Moves items from the tails of HOT and WARM that hold more than their share, and hit
    /// items from COLD's tail. Returns true if there was much to do.
    pub(in super::super) fn juggle(&mut self, now: Now) -> bool {
        if !self.lru.segmented || !self.lru.maintainer {
            return false;
        }
        self.begin(now);
        self.totals.juggles += 1;
        let cuts = u16::try_from(self.queues.len()).unwrap_or(u16::MAX);
        if self.sweep.to_juggle == 0 {
            self.sweep.to_juggle = cuts;
        }
        let mut budget = JUGGLE_WORK;
        // Begins where the last step ended, so that every cut has its turn.
        while self.sweep.to_juggle > 0 {
            let cut = self.sweep.juggled;
            if self.queues[usize::from(cut)].total() > 0 {
                budget -= 1;
                budget -= self.juggle_cut(cut, budget / SHIFT_WORK, now) * SHIFT_WORK;
                if budget < SHIFT_WORK + 1 {
                    return true;
                }
            }
            self.sweep.juggled = (cut + 1) % cuts;
            self.sweep.to_juggle -= 1;
        }
        false
    }

    fn juggle_cut(&mut self, cut: u16, budget: usize, now: Now) -> usize {
        if self.is_s3_fifo() {
            // Nothing moves before room is needed.
            return self.expire_temp(cut, budget, now);
        }
        let queues = self.queues[usize::from(cut)];
        // Shares are of what the cut's pages could hold: a young cache is not short of room.
        let pages = self.slabs.cut(cut);
        let total = if self.common.classes.cuts()[usize::from(cut)].long {
            u64::from(queues.total())
        } else {
            u64::from(pages.pages) * u64::from(pages.capacity)
        };
        let cold_idle_s = self.idle_at(queues.tail(Queue::Cold), now);
        let share = |percent: u32| total * u64::from(percent) / 100;
        let mut moves = 0;
        for (queue, percent, factor) in [
            (Queue::Hot, self.lru.hot_percent, self.lru.hot_age_factor),
            (Queue::Warm, self.lru.warm_percent, self.lru.warm_age_factor),
        ] {
            let limit = share(percent);
            let limit_s = f64::from(cold_idle_s) * factor;
            while moves < budget {
                let queues = &self.queues[usize::from(cut)];
                let tail = queues.tail(queue);
                if tail.is_none() {
                    break;
                }
                let over = u64::from(queues.count(queue)) > limit;
                let aged = f64::from(self.idle_at(tail, now)) > limit_s && cold_idle_s > 0;
                if !over && !aged {
                    break;
                }
                moves += 1;
                let active = Header::read(self.lease.at(tail)).is(Flag::ACTIVE);
                self.shift(cut, tail, if active { Queue::Warm } else { Queue::Cold });
            }
        }
        // Rescue what was hit in COLD before a request finds it at the tail.
        while moves < budget {
            let tail = self.queues[usize::from(cut)].tail(Queue::Cold);
            if tail.is_none() || !Header::read(self.lease.at(tail)).is(Flag::ACTIVE) {
                break;
            }
            moves += 1;
            self.shift(cut, tail, Queue::Warm);
        }
        moves + self.expire_temp(cut, budget - moves, now)
    }

    /// Frees expired items at TEMP's tail.
    fn expire_temp(&mut self, cut: u16, budget: usize, now: Now) -> usize {
        let mut freed = 0;
        while freed < budget {
            let tail = self.queues[usize::from(cut)].tail(Queue::Temp);
            if tail.is_none() {
                break;
            }
            let chunk = self.lease.at(tail);
            let header = Header::read(chunk);
            if self.death(&header, chunk, now).is_none() {
                break;
            }
            self.bury_at(tail, header);
            freed += 1;
        }
        freed
    }

    fn idle_at(&self, handle: Handle, now: Now) -> u32 {
        if handle.is_none() {
            0
        } else {
            Header::read(self.lease.at(handle)).idle_s(now.uptime_s)
        }
    }

    /// Notes how long each cut's items have been idle, and whose pages are worth most elsewhere,
    /// for those who need one.
    pub(in super::super) fn find_oldest(&mut self, now: Now) {
        self.begin(now);
        let remembered = if self.is_s3_fifo() {
            self.queues.iter().map(Queues::total).sum()
        } else {
            0
        };
        self.ghosts.resize(remembered as usize);
        self.forget_stuck_page();
        if self.balance.automove == 0 {
            self.sweep.oldest_cut = None;
            return;
        }
        let cuts = u16::try_from(self.queues.len()).unwrap_or(u16::MAX);
        for cut in 0..cuts {
            self.sweep.ages_s[usize::from(cut)] = self.age_s(cut, now);
        }
        self.sweep.oldest_cut = (0..cuts)
            .filter(|cut| self.slabs.cut(*cut).pages >= 2)
            .max_by(|a, b| self.staleness(*a).total_cmp(&self.staleness(*b)));
    }

    /// Begins to give a page back to the pool, of a cut that has more free chunks than it needs, or
    /// goes on with what was begun.
    pub(in super::super) fn spare_page(&mut self, now: Now) -> Step {
        if self.balance.automove == 0 {
            return Step::Idle;
        }
        if !self.is_emptying() {
            let has_begun = self.cut_numbers().any(|cut| {
                let pages = self.slabs.cut(cut);
                let spare = u64::from(pages.capacity) * SPARE_PAGES + u64::from(pages.capacity) / 2;
                pages.pages > 2 && self.slabs.free_chunks(cut) > spare && {
                    let purpose = Purpose {
                        to: Some(0),
                        is_lossless: true,
                    };
                    let page = self.emptiest_page(cut);
                    page != 0 && self.begin_emptying(page, cut, purpose)
                }
            });
            if !has_begun {
                return Step::Idle;
            }
        }
        let step = self.empty_step(now);
        if let Step::Emptied(page) = step {
            self.common.pool.give(&mut self.lease, page);
        }
        step
    }

    pub(super) fn note_page_move(&mut self, from: u16, to: u8) {
        self.record(|shard| Event::PageMoved {
            from: shard.common.classes.cuts()[usize::from(from)].class,
            to,
        });
    }

    /// Pages that the cuts of a wire class have, and the one with most.
    pub(in super::super) fn pages_of_class(&self, class: u8) -> (u32, Option<u16>) {
        let cuts = self.common.classes.cuts_of(class);
        let sum = cuts.clone().map(|cut| self.slabs.cut(cut).pages).sum();
        let most = cuts.max_by_key(|cut| self.slabs.cut(*cut).pages);
        (sum, most.filter(|cut| self.slabs.cut(*cut).pages > 0))
    }

    /// Pages that hold items.
    pub(in super::super) fn data_pages(&self) -> u32 {
        (0..u16::try_from(self.queues.len()).unwrap_or(u16::MAX))
            .map(|cut| self.slabs.cut(cut).pages)
            .sum()
    }

    /// Begins to move a page from a class to another, or to the pool when `to` is zero. False when
    /// none can be had.
    pub(in super::super) fn begin_move(&mut self, from: Option<u8>, to: u8, now: Now) -> bool {
        self.begin(now);
        let purpose = Purpose {
            to: Some(to),
            is_lossless: false,
        };
        match from {
            Some(class) => {
                let victim = self.pages_of_class(class).1;
                victim.is_some_and(|cut| self.begin_stealing_from(cut, purpose))
            }
            None => {
                let spared = self.common.classes.cuts_of(to).next();
                self.begin_stealing(spared, purpose, now)
            }
        }
    }

    /// The cut of a wire class that a page is given to: the one that is used most.
    pub(super) fn target_cut(&self, class: u8) -> u16 {
        let cuts = self.common.classes.cuts_of(class);
        let last = cuts.end.saturating_sub(1);
        cuts.max_by_key(|cut| self.slabs.cut(*cut).used)
            .unwrap_or(last)
    }
}
