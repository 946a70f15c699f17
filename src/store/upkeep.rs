//! One bounded step of everything that happens by itself.
//!
//! Mechanism only: the upkeep thread owns the pace. Each step visits every shard once, one lock
//! at a time, and does a little in each.

use std::sync::atomic::Ordering;

use super::api::{Event, Reassign};
use super::shard::Step;
use super::{Place, Store};
use crate::time::Now;

/// Pages with memory behind them that are kept ready.
pub(super) const WARM_PAGES: u32 = 32;

/// Pages made ready in one step.
const WARM_UP_STEP: u32 = 8;

/// Pages returned to the system in one step.
const DISCARD_STEP: u32 = 8;

/// Steps with pages that are being emptied, each under one lock.
const PAGE_STEPS: usize = 8;

/// Steps of the sweep, each under one lock.
const SWEEP_STEPS: usize = 4;

/// Shards whose queues are balanced, each under its lock.
const JUGGLE_STEPS: usize = 32;

/// Steps of a page move that are taken while whoever asked for it waits: all of it but for large
/// pages of small items, which upkeep goes on with.
const MOVE_STEPS: usize = 16;

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
    /// The shard whose queues are balanced next.
    juggling: usize,
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
    /// taken in the shard that has most to give. When this returns it has been moved, or upkeep is
    /// about to; nothing moves when all that could be taken is being sent or uploaded.
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
        let Some((place, _)) = richest else {
            return Reassign::NoSpare;
        };
        let mut has_begun = false;
        for _ in 0..MOVE_STEPS {
            let mut shard = place.shard.lock();
            // Another page may be on its way.
            if !has_begun && !shard.is_emptying() {
                has_begun = shard.begin_move(from, to, now);
                if !has_begun {
                    break;
                }
            }
            shard.tidy(now);
            if has_begun && !shard.is_emptying() {
                break;
            }
        }
        Reassign::Started
    }

    /// One bounded step of everything that happens by itself: expiry, queue balance, page moves,
    /// memory limit. Returns true when there is more to do at once. What is done under one lock
    /// takes some tens of microseconds.
    pub fn upkeep(&self, now: Now) -> bool {
        let mut more = self.shed_excess(now);
        more |= self.common.pool.discard_some(DISCARD_STEP);
        if !more {
            more |= self.common.pool.warm_up(WARM_PAGES, WARM_UP_STEP);
        }
        more |= self.sweep_step(now);
        more |= self.juggle_step(now);
        more | self.balance_step(now)
    }

    /// Goes on with what requests have begun in some shards, and keeps their queues in shape.
    fn juggle_step(&self, now: Now) -> bool {
        let first = self.upkeep.lock().juggling;
        let shards = &self.places[first..];
        let mut more = false;
        for place in shards.iter().take(JUGGLE_STEPS) {
            more |= place.shard.lock().tidy(now);
            more |= place.shard.lock().juggle(now);
        }
        let is_round = shards.len() <= JUGGLE_STEPS;
        self.upkeep.lock().juggling = if is_round { 0 } else { first + JUGGLE_STEPS };
        more || !is_round
    }

    /// Moves pages that are to spare into the pool: some each second, one shard at a time.
    fn balance_step(&self, now: Now) -> bool {
        let mut balancing = {
            let mut upkeep = self.upkeep.lock();
            if upkeep.balanced_s != now.uptime_s {
                upkeep.balanced_s = now.uptime_s;
                upkeep.balancing = Some((0, 0));
                self.places[0].shard.lock().find_oldest(now);
            }
            upkeep.balancing
        };
        for _ in 0..PAGE_STEPS {
            let Some((number, moved)) = balancing else {
                break;
            };
            let step = self.places[number].shard.lock().spare_page(now);
            balancing = match step {
                Step::Going => Some((number, moved)),
                Step::Emptied(_) | Step::Given if moved + 1 < SPARE_PAGES_MAX => {
                    Some((number, moved + 1))
                }
                Step::Emptied(_) | Step::Given | Step::Freed | Step::Idle => {
                    let next = self.places.get(number + 1);
                    next.map(|place| {
                        place.shard.lock().find_oldest(now);
                        (number + 1, 0)
                    })
                }
            };
        }
        self.upkeep.lock().balancing = balancing;
        balancing.is_some()
    }

    /// Has shards give up pages over the limit, those with most first.
    fn shed_excess(&self, now: Now) -> bool {
        if self.common.pool.excess() == 0 {
            return false;
        }
        let mut by_pages: Vec<&Place> = self.places.iter().collect();
        by_pages.sort_by_key(|place| std::cmp::Reverse(place.shard.lock().data_pages()));
        let mut by_pages = by_pages.into_iter();
        let mut place = by_pages.next();
        let mut has_moved = false;
        for _ in 0..PAGE_STEPS {
            let Some(richest) = place else { break };
            let step = richest.shard.lock().yield_page(now);
            has_moved |= step != Step::Idle;
            match step {
                Step::Going => {}
                Step::Idle | Step::Given | Step::Freed => place = by_pages.next(),
                Step::Emptied(_) if self.common.pool.excess() == 0 => break,
                Step::Emptied(_) => place = by_pages.next(),
            }
        }
        has_moved
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
        for _ in 0..SWEEP_STEPS {
            if self.places[number].shard.lock().sweep(now) {
                upkeep.sweeping = Some(number + 1).filter(|next| *next < self.places.len());
                break;
            }
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
