//! One bounded step of everything that happens by itself.
//!
//! Mechanism only: the upkeep thread owns the pace. Each step visits every shard once, one lock
//! at a time, and does a little in each.

use std::sync::atomic::Ordering;

use super::api::{Event, Reassign};
use super::{Place, Store};
use crate::time::Now;

/// Pages with memory behind them that are kept ready.
pub(super) const WARM_PAGES: u32 = 32;

/// Pages made ready in one step.
const WARM_UP_STEP: u32 = 8;

/// Pages a shard gives up in one step while memory is over its limit.
const EXCESS_PAGES_MAX: u32 = 4;

/// Pages to spare that a shard gives up in one second: some megabytes, as memcached does.
const SPARE_PAGES_MAX: u32 = 64;

/// Where the upkeep of a store stands.
#[derive(Debug, Default)]
pub(super) struct Upkeep {
    /// Second of the last pass through all pages, and of the last balancing.
    swept_s: u32,
    balanced_s: u32,
    /// The shard whose pages are being balanced, and how many it has given in this second.
    balancing: Option<(usize, u32)>,
    /// Shards whose sweep of this second is not finished, as the number to go on with.
    sweeping: Option<usize>,
    crawl: Option<Crawl>,
    crawler_starts: u64,
    events: Vec<Event>,
}

/// A sweep that was asked for.
#[derive(Clone, Debug)]
struct Crawl {
    classes: u64,
    /// Passes each shard must have finished.
    until: Vec<u64>,
}

impl Upkeep {
    /// Whether a sweep that was asked for is running.
    pub(super) fn crawling(&self) -> bool {
        self.crawl.is_some()
    }

    /// Sweeps begun.
    pub(super) fn crawler_starts(&self) -> u64 {
        self.crawler_starts
    }

    /// Hands over the events of sweeps.
    pub(super) fn take_events(&mut self) -> Vec<Event> {
        std::mem::take(&mut self.events)
    }
}

impl Store {
    /// Turns the background sweep on or off.
    pub fn set_crawler(&self, enabled: bool) {
        self.crawler.store(enabled, Ordering::Relaxed);
    }

    /// Whether the background sweep is on.
    pub fn crawler(&self) -> bool {
        self.crawler.load(Ordering::Relaxed)
    }

    /// Sweeps these classes (bit n is class n) as soon as possible. False when a sweep that was
    /// asked for is still running.
    pub fn crawl(&self, classes: u64) -> bool {
        let mut upkeep = self.upkeep.lock();
        if upkeep.crawl.is_some() {
            return false;
        }
        let until = self
            .places
            .iter()
            .map(|place| {
                let mut shard = place.shard.lock();
                shard.force_sweep(classes);
                shard.passes() + 1
            })
            .collect();
        upkeep.crawler_starts += 1;
        if self.common.record.load(Ordering::Relaxed) {
            let started = classes_in(classes).map(|class| Event::CrawlStarted { class });
            upkeep.events.extend(started);
        }
        upkeep.crawl = Some(Crawl { classes, until });
        true
    }

    /// Moves a page from class to class: `src` -1 is any, `dst` 0 is the free pool. The page is
    /// taken in the shard that has most to give, and is moved when this returns; nothing moves
    /// when all that could be taken is being sent or uploaded.
    pub fn reassign(&self, src: i32, dst: i32, now: Now) -> Reassign {
        if src == dst {
            return Reassign::Same;
        }
        let max = i32::from(self.class_max());
        let from = match src {
            -1 => None,
            _ if (1..=max).contains(&src) => u8::try_from(src).ok(),
            _ => return Reassign::BadClass,
        };
        let Some(to) = u8::try_from(dst).ok().filter(|_| dst <= max) else {
            return Reassign::BadClass;
        };
        let pages = |place: &Place| {
            let shard = place.shard.lock();
            from.map_or_else(|| shard.data_pages(), |class| shard.pages_of_class(class).0)
        };
        let counts: Vec<u32> = self.places.iter().map(pages).collect();
        if counts.iter().sum::<u32>() < 2 {
            return Reassign::NoSpare;
        }
        let richest = self
            .places
            .iter()
            .zip(&counts)
            .max_by_key(|(_, pages)| *pages);
        if let Some((place, _)) = richest {
            place.shard.lock().move_page(from, to, now);
        }
        Reassign::Started
    }

    /// One bounded step of everything that happens by itself: expiry, queue balance, page moves,
    /// memory limit. Returns true when there is more to do at once. No lock is held above 100 us.
    pub fn upkeep(&self, now: Now) -> bool {
        let mut more = self.shed_excess(now);
        if !more {
            self.common.pool.warm_up(WARM_PAGES, WARM_UP_STEP);
        }
        more |= self.sweep_step(now);
        for place in &self.places {
            more |= place.shard.lock().juggle(now);
        }
        more | self.balance_step(now)
    }

    /// Moves pages that are to spare into the pool: some each second, one shard at a time.
    fn balance_step(&self, now: Now) -> bool {
        let number = {
            let mut upkeep = self.upkeep.lock();
            if upkeep.balanced_s != now.uptime_s {
                upkeep.balanced_s = now.uptime_s;
                upkeep.balancing = Some((0, 0));
            }
            upkeep.balancing
        };
        let Some((number, moved)) = number else {
            return false;
        };
        let mut shard = self.places[number].shard.lock();
        if moved == 0 {
            shard.find_oldest(now);
        }
        let next = if shard.spare_page(now) && moved + 1 < SPARE_PAGES_MAX {
            Some((number, moved + 1))
        } else {
            Some((number + 1, 0)).filter(|(number, _)| *number < self.places.len())
        };
        drop(shard);
        self.upkeep.lock().balancing = next;
        next.is_some()
    }

    /// Gives pages over the limit back to the system.
    fn shed_excess(&self, now: Now) -> bool {
        let excess = self.common.pool.excess();
        if excess == 0 {
            return false;
        }
        let mut left = excess.min(EXCESS_PAGES_MAX);
        let mut by_pages: Vec<&Place> = self.places.iter().collect();
        by_pages.sort_by_key(|place| std::cmp::Reverse(place.shard.lock().data_pages()));
        for place in by_pages {
            if left == 0 {
                return true;
            }
            if place.shard.lock().yield_page(now) {
                left -= 1;
            }
        }
        left < excess.min(EXCESS_PAGES_MAX)
    }

    /// Goes on with the sweep for expired items. One pass begins each second.
    fn sweep_step(&self, now: Now) -> bool {
        let mut upkeep = self.upkeep.lock();
        let crawling = upkeep.crawl.is_some();
        if !self.crawler() && !crawling {
            upkeep.sweeping = None;
            return false;
        }
        if upkeep.sweeping.is_none() && (upkeep.swept_s != now.uptime_s || crawling) {
            upkeep.swept_s = now.uptime_s;
            upkeep.sweeping = Some(0);
        }
        let Some(number) = upkeep.sweeping else {
            return false;
        };
        if self.places[number].shard.lock().sweep(now) {
            upkeep.sweeping = Some(number + 1).filter(|next| *next < self.places.len());
        }
        if let Some(crawl) = upkeep.crawl.clone() {
            let done = self
                .places
                .iter()
                .zip(&crawl.until)
                .all(|(place, until)| place.shard.lock().passes() >= *until);
            if done {
                self.end_crawl(&mut upkeep, &crawl);
            }
        }
        upkeep.sweeping.is_some()
    }

    fn end_crawl(&self, upkeep: &mut Upkeep, crawl: &Crawl) {
        upkeep.crawl = None;
        let (mut checked, mut reclaimed) = (0, 0);
        for place in &self.places {
            let (looked, freed) = place.shard.lock().end_forced_sweep();
            checked += looked;
            reclaimed += freed;
        }
        if self.common.record.load(Ordering::Relaxed) {
            let finished = classes_in(crawl.classes).map(|class| Event::CrawlFinished {
                class,
                checked,
                reclaimed,
            });
            upkeep.events.extend(finished);
        }
    }
}

fn classes_in(classes: u64) -> impl Iterator<Item = u8> {
    (0..64).filter(move |class| classes & (1 << class) != 0)
}
