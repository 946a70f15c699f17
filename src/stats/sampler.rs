//! Which requests are looked at more closely, and what is kept of them.
//!
//! About one request in N, chosen by a worker for itself: it counts down, and each time draws a
//! gap at random around N, so that no pattern of requests stays in step with it. All that the
//! others cost is that count. What is seen goes into tables of fixed size ([`super::hot`]), which
//! belong to the worker; a report takes their lock for a moment, and a sample that comes just then
//! is not kept. Nobody waits.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};

use memchr::memchr;
use parking_lot::Mutex;

use super::Counter;
use super::hot::{Access, Hot, WINDOW_S, Windows, sort};

/// Sets of sixteen names: 256 keys and 64 prefixes. With two windows and up to 250 bytes a name
/// that is 180 KiB for each worker that has seen that many long ones.
const KEY_SET_COUNT: usize = 16;
const PREFIX_SET_COUNT: usize = 4;

/// Names that each worker contributes to a report.
const CONTRIBUTION_COUNT: usize = 64;

/// How requests are sampled.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Sampling {
    /// One request in so many is looked at; zero is none.
    pub one_in: u32,
    /// Ends the prefix of a key.
    pub delimiter: u8,
}

/// How long an item lives yet, or is to live.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum TtlBand {
    /// For ever.
    None,
    /// Less than a minute.
    Minute,
    /// Less than ten minutes.
    TenMinutes,
    /// Less than an hour.
    Hour,
    /// Less than a day.
    Day,
    /// Longer.
    Longer,
}

impl TtlBand {
    /// All of them, in the order of their numbers.
    pub const ALL: [Self; 6] = [
        Self::None,
        Self::Minute,
        Self::TenMinutes,
        Self::Hour,
        Self::Day,
        Self::Longer,
    ];

    /// The band of a time in seconds; `None` is for ever.
    pub const fn of(ttl_s: Option<u32>) -> Self {
        match ttl_s {
            None => Self::None,
            Some(0..60) => Self::Minute,
            Some(60..600) => Self::TenMinutes,
            Some(600..3600) => Self::Hour,
            Some(3600..86_400) => Self::Day,
            Some(86_400..) => Self::Longer,
        }
    }

    /// As reports spell it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Minute => "below_1m",
            Self::TenMinutes => "below_10m",
            Self::Hour => "below_1h",
            Self::Day => "below_1d",
            Self::Longer => "longer",
        }
    }
}

/// Numbers by band, in the order of [`TtlBand::ALL`].
pub type ByBand<T> = [T; TtlBand::ALL.len()];

/// What one worker has seen of its requests, of those that were sampled.
#[derive(Debug)]
pub struct Sampler {
    sampling: Sampling,
    /// Requests to let pass before the next sample.
    left: Counter,
    /// Where the gaps come from.
    random: Counter,
    /// Samples that found an item, by the time that it had left.
    hits: ByBand<Counter>,
    /// Samples that stored a value, by the time that it was given.
    stores: ByBand<Counter>,
    /// Made with the first sample.
    tables: Mutex<Option<Box<Tables>>>,
}

#[derive(Debug)]
struct Tables {
    keys: Windows,
    prefixes: Windows,
    /// Second of uptime of the first sample.
    begun_s: u32,
}

impl Default for Sampler {
    fn default() -> Self {
        Self::new(Sampling::default(), 0)
    }
}

impl Sampler {
    /// A sampler that has seen nothing. `number` tells workers apart.
    pub fn new(sampling: Sampling, number: u64) -> Self {
        let counters = || std::array::from_fn(|_| Counter::default());
        let sampler = Self {
            sampling,
            // Without sampling the count does not end.
            left: Counter(AtomicU64::new(u64::MAX)),
            random: Counter(AtomicU64::new(
                0x9e37_79b9_7f4a_7c15_u64.wrapping_mul(number + 1),
            )),
            hits: counters(),
            stores: counters(),
            tables: Mutex::default(),
        };
        if sampling.one_in > 0 {
            sampler.draw_gap();
        }
        sampler
    }

    /// Counts a request. True when it is to be looked at. Only the owning thread may call this.
    #[inline]
    pub fn is_due(&self) -> bool {
        let left = self.left.0.load(Ordering::Relaxed);
        if left != 0 {
            self.left.0.store(left - 1, Ordering::Relaxed);
            return false;
        }
        self.draw_gap();
        true
    }

    /// Draws how many requests pass before the next sample: N - 1 in the mean.
    #[cold]
    fn draw_gap(&self) {
        let mut random = self.random.get();
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        self.random.0.store(random, Ordering::Relaxed);
        let range = 2 * u64::from(self.sampling.one_in) - 1;
        let gap = ((random >> 32) * range) >> 32;
        self.left.0.store(gap, Ordering::Relaxed);
    }

    /// Keeps what a sampled request did. `value_size` is that of the value that was seen, or
    /// zero. Only the owning thread may call this.
    pub fn note(&self, key: &[u8], access: Access, value_size: u32, now_s: u32) {
        let Some(mut tables) = self.tables.try_lock() else {
            return;
        };
        let tables = tables.get_or_insert_with(|| {
            Box::new(Tables {
                keys: Windows::new(KEY_SET_COUNT),
                prefixes: Windows::new(PREFIX_SET_COUNT),
                begun_s: now_s,
            })
        });
        tables.keys.turn_to(now_s);
        tables.keys.note(key, access, value_size);
        tables.prefixes.turn_to(now_s);
        if let Some(size) = memchr(self.sampling.delimiter, key) {
            tables.prefixes.note(&key[..size], access, value_size);
        }
    }

    /// Counts a sampled request that found an item with this much time left. Only the owning
    /// thread may call this.
    pub fn note_hit(&self, ttl_s: Option<u32>) {
        self.hits[TtlBand::of(ttl_s) as usize].add(1);
    }

    /// Counts a sampled request that stored a value for this time. Only the owning thread may
    /// call this.
    pub fn note_store(&self, ttl_s: Option<u32>) {
        self.stores[TtlBand::of(ttl_s) as usize].add(1);
    }

    pub(super) fn add_to(&self, totals: &mut TtlTotals) {
        totals.one_in = self.sampling.one_in;
        let of = u64::from(self.sampling.one_in);
        for (counters, sums) in [
            (&self.hits, &mut totals.hits),
            (&self.stores, &mut totals.stores),
        ] {
            for (counter, sum) in counters.iter().zip(sums) {
                *sum = sum.wrapping_add(counter.get().wrapping_mul(of));
            }
        }
    }

    pub(super) fn reset(&self) {
        self.hits
            .iter()
            .chain(&self.stores)
            .for_each(Counter::clear);
        *self.tables.lock() = None;
    }

    fn add_hottest(&self, merged: &mut Merged, now_s: u32) {
        let mut tables = self.tables.lock();
        let Some(tables) = tables.as_deref_mut() else {
            return;
        };
        tables.keys.turn_to(now_s);
        tables.prefixes.turn_to(now_s);
        merged.samples += tables.keys.seen();
        merged.begun_s = merged.begun_s.min(tables.begun_s);
        for (windows, names) in [
            (&tables.keys, &mut merged.keys),
            (&tables.prefixes, &mut merged.prefixes),
        ] {
            for hot in windows.hottest(CONTRIBUTION_COUNT) {
                match names.get_mut(&hot.name) {
                    Some(known) => known.absorb(&hot),
                    None => {
                        names.insert(hot.name.clone(), hot);
                    }
                }
            }
        }
    }
}

/// What workers have seen of how long items live, estimated from samples: numbers of requests.
#[derive(Clone, Copy, Debug, Default)]
pub struct TtlTotals {
    /// One request in so many was looked at; zero is none.
    pub one_in: u32,
    /// Requests that found an item, by the time that it had left.
    pub hits: ByBand<u64>,
    /// Values stored, by the time that they were given.
    pub stores: ByBand<u64>,
}

/// What is asked for most.
#[derive(Clone, Debug, Default)]
pub struct Hottest {
    /// One request in so many is looked at; zero is none.
    pub one_in: u32,
    /// Samples of these last seconds are in it.
    pub window_s: u32,
    /// How many they are.
    pub samples: u64,
    /// Keys, the hottest first.
    pub keys: Vec<Hot>,
    /// Prefixes of keys, the hottest first.
    pub prefixes: Vec<Hot>,
}

impl Hottest {
    /// Requests in a second that so many samples stand for, in tenths.
    pub fn rate_tenths(&self, samples: u64) -> u64 {
        10 * samples * u64::from(self.one_in) / u64::from(self.window_s.max(1))
    }

    /// The part that so many samples are of all, in thousandths.
    pub fn share_thousandths(&self, samples: u64) -> u64 {
        1000 * samples / self.samples.max(1)
    }
}

struct Merged {
    samples: u64,
    begun_s: u32,
    keys: HashMap<Box<[u8]>, Hot>,
    prefixes: HashMap<Box<[u8]>, Hot>,
}

/// What all workers together see most, at most `count_max` keys and prefixes.
pub(super) fn hottest<'s>(
    samplers: impl Iterator<Item = &'s Sampler>,
    now_s: u32,
    count_max: usize,
) -> Hottest {
    let mut merged = Merged {
        samples: 0,
        begun_s: now_s,
        keys: HashMap::new(),
        prefixes: HashMap::new(),
    };
    let mut one_in = 0;
    for sampler in samplers {
        one_in = sampler.sampling.one_in;
        sampler.add_hottest(&mut merged, now_s);
    }
    let first = |names: HashMap<Box<[u8]>, Hot>| {
        let mut names: Vec<Hot> = names.into_values().collect();
        sort(&mut names);
        names.truncate(count_max);
        names
    };
    // A whole window, and what has passed of the next.
    let window_s = WINDOW_S + now_s % WINDOW_S;
    Hottest {
        one_in,
        window_s: window_s.min(now_s - merged.begun_s.min(now_s)).max(1),
        samples: merged.samples,
        keys: first(merged.keys),
        prefixes: first(merged.prefixes),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sampler(one_in: u32) -> Sampler {
        let delimiter = b':';
        Sampler::new(Sampling { one_in, delimiter }, 3)
    }

    #[test]
    fn one_request_in_n_is_sampled_at_gaps_that_differ() {
        for one_in in [1, 2, 10, 100, 1000] {
            let sampler = sampler(one_in);
            let mut gaps = std::collections::BTreeSet::new();
            let mut last = 0;
            let mut count = 0_u64;
            let requests = 2000 * u64::from(one_in);
            for request in 0..requests {
                if sampler.is_due() {
                    gaps.insert(request - last);
                    last = request;
                    count += 1;
                }
            }
            assert!((1900..=2100).contains(&count), "{one_in}: {count}");
            assert!(gaps.len() as u64 >= u64::from(one_in).min(500), "{one_in}");
            assert!(*gaps.last().unwrap() < 2 * u64::from(one_in));
        }
    }

    #[test]
    fn without_sampling_nothing_is_ever_due() {
        let sampler = sampler(0);
        assert!((0..100_000).all(|_| !sampler.is_due()));
    }

    #[test]
    fn a_key_that_is_hot_on_two_workers_is_as_hot_as_both() {
        let samplers = [sampler(10), sampler(10)];
        for _ in 0..60 {
            samplers[0].note(b"user:1", Access::Hit, 7, 100);
            samplers[1].note(b"user:1", Access::Write, 9, 100);
            samplers[1].note(b"user:2", Access::Hit, 0, 100);
        }
        samplers[0].note(b"plain", Access::Miss, 0, 100);
        let hottest = hottest(samplers.iter(), 106, 2);
        assert_eq!((hottest.samples, hottest.window_s), (181, 6));
        let seen: Vec<_> = hottest
            .keys
            .iter()
            .map(|hot| (&*hot.name, hot.total()))
            .collect();
        assert_eq!(seen, [(&b"user:1"[..], 120), (b"user:2", 60)]);
        assert_eq!(hottest.keys[0].samples, [60, 0, 60, 0]);
        assert_eq!(hottest.keys[0].value_size, 9);
        assert_eq!(hottest.prefixes.len(), 1);
        assert_eq!(
            (&*hottest.prefixes[0].name, hottest.prefixes[0].total()),
            (&b"user"[..], 180)
        );
        assert_eq!(hottest.rate_tenths(120), 2000);
        assert_eq!(hottest.share_thousandths(120), 662);
    }

    #[test]
    fn a_reset_forgets_all() {
        let sampler = sampler(1);
        sampler.note(b"k", Access::Hit, 0, 50);
        sampler.note_hit(None);
        sampler.note_store(Some(59));
        let mut totals = TtlTotals::default();
        sampler.add_to(&mut totals);
        assert_eq!(
            (totals.hits, totals.stores),
            ([1, 0, 0, 0, 0, 0], [0, 1, 0, 0, 0, 0])
        );
        sampler.reset();
        let mut totals = TtlTotals::default();
        sampler.add_to(&mut totals);
        assert_eq!((totals.hits, totals.stores), ([0; 6], [0; 6]));
        assert!(hottest([&sampler].into_iter(), 50, 9).keys.is_empty());
    }

    #[test]
    fn bands_end_where_their_names_say() {
        for (ttl_s, name) in [
            (None, "none"),
            (Some(0), "below_1m"),
            (Some(59), "below_1m"),
            (Some(60), "below_10m"),
            (Some(600), "below_1h"),
            (Some(3600), "below_1d"),
            (Some(86_399), "below_1d"),
            (Some(86_400), "longer"),
        ] {
            assert_eq!(TtlBand::of(ttl_s).name(), name);
        }
    }
}
