//! How long clients wait for their commands, as counts by size.
//!
//! ```text
//! quarters of a microsecond   0 1 2 .. 7 | 8 10 12 14 | 16 20 24 28 | 32 ...
//! buckets                     0 1 2 .. 7 | 8  9 10 11 | 12 ..       four for each doubling
//! ```
//!
//! So a bucket is at most a quarter wider than what it begins with, and a hundred of them reach to
//! seventeen seconds. Which passes of a worker are measured is the worker's business: nothing here
//! reads a clock.

use super::{Counter, Counters};

/// Buckets of a histogram.
pub const BUCKET_COUNT: usize = 100;

/// Doublings of a microsecond that a histogram tells apart.
pub const DOUBLING_COUNT: u32 = 24;

const _: () = assert!(
    bucket_of(250 << (DOUBLING_COUNT + 1)) == BUCKET_COUNT - 4,
    "the last doubling has its four buckets"
);

/// A command that is measured. A cas is a set, and of a gat both parts count.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Command {
    /// Keys asked for.
    Get,
    /// Values stored.
    Set,
    /// Keys deleted.
    Delete,
    /// Numbers counted up.
    Incr,
    /// Numbers counted down.
    Decr,
    /// Keys touched.
    Touch,
}

impl Command {
    /// All of them, in the order of their numbers.
    pub const ALL: [Self; 6] = [
        Self::Get,
        Self::Set,
        Self::Delete,
        Self::Incr,
        Self::Decr,
        Self::Touch,
    ];

    /// As reports spell it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Get => "get",
            Self::Set => "set",
            Self::Delete => "delete",
            Self::Incr => "incr",
            Self::Decr => "decr",
            Self::Touch => "touch",
        }
    }

    /// How many have been served.
    fn served(self, counters: &Counters) -> u64 {
        match self {
            Self::Get => counters.cmd_get.get(),
            Self::Set => counters.cmd_set.get(),
            Self::Delete => counters.delete_hits.get() + counters.delete_misses.get(),
            Self::Incr => counters.incr_hits.get() + counters.incr_misses.get(),
            Self::Decr => counters.decr_hits.get() + counters.decr_misses.get(),
            Self::Touch => counters.cmd_touch.get(),
        }
    }
}

/// How many of each command a worker has served at some moment.
#[derive(Clone, Copy, Debug, Default)]
pub struct Served([u64; Command::ALL.len()]);

impl Served {
    /// As the worker's counters have it now.
    pub fn now(counters: &Counters) -> Self {
        Self(Command::ALL.map(|command| command.served(counters)))
    }
}

/// The bucket of a time.
const fn bucket_of(ns: u64) -> usize {
    let quarters = ns / 250;
    if quarters < 8 {
        return quarters as usize;
    }
    let doubling = quarters.ilog2();
    let quarter = (quarters >> (doubling - 2)) & 3;
    let bucket = 8 + (doubling as usize - 3) * 4 + quarter as usize;
    if bucket < BUCKET_COUNT {
        bucket
    } else {
        BUCKET_COUNT - 1
    }
}

/// The shortest time that is too long for a bucket, in nanoseconds.
fn end_of(bucket: usize) -> u64 {
    let next = bucket as u64 + 1;
    let quarters = match next {
        0..=8 => next,
        _ => {
            let doubling = (next - 8) / 4 + 3;
            (4 + (next - 8) % 4) << (doubling - 2)
        }
    };
    quarters * 250
}

/// The times of one worker's commands.
#[derive(Debug)]
pub struct Latency([Histogram; Command::ALL.len()]);

/// The times of one command.
#[derive(Debug)]
struct Histogram {
    buckets: [Counter; BUCKET_COUNT],
    sum_ns: Counter,
}

impl Default for Latency {
    fn default() -> Self {
        Self(std::array::from_fn(|_| Histogram {
            buckets: std::array::from_fn(|_| Counter::default()),
            sum_ns: Counter::default(),
        }))
    }
}

impl Latency {
    /// Counts what has been served since `before`, all of it after this time. Returns what has
    /// been served now. Only the owning thread may call this.
    pub fn record(&self, counters: &Counters, before: Served, ns: u64) -> Served {
        let now = Served::now(counters);
        for ((histogram, now), before) in self.0.iter().zip(now.0).zip(before.0) {
            // Counters may have been reset in between.
            let count = now.saturating_sub(before);
            if count > 0 {
                histogram.buckets[bucket_of(ns)].add(count);
                histogram.sum_ns.add(ns.saturating_mul(count));
            }
        }
        now
    }

    pub(super) fn add_to(&self, totals: &mut LatencyTotals) {
        for (histogram, total) in self.0.iter().zip(&mut totals.0) {
            for (counter, total) in histogram.buckets.iter().zip(&mut total.buckets) {
                *total = total.wrapping_add(counter.get());
            }
            total.sum_ns = total.sum_ns.wrapping_add(histogram.sum_ns.get());
        }
    }

    pub(super) fn reset(&self) {
        for histogram in &self.0 {
            for counter in &histogram.buckets {
                counter.clear();
            }
            histogram.sum_ns.clear();
        }
    }
}

/// The times of some workers' commands.
#[derive(Clone, Debug, Default)]
pub struct LatencyTotals([Times; Command::ALL.len()]);

/// The times of one command.
#[derive(Clone, Debug)]
pub struct Times {
    buckets: [u64; BUCKET_COUNT],
    /// All times together, in nanoseconds.
    pub sum_ns: u64,
}

impl Default for Times {
    fn default() -> Self {
        Self {
            buckets: [0; BUCKET_COUNT],
            sum_ns: 0,
        }
    }
}

impl LatencyTotals {
    /// Each command with its times.
    pub fn commands(&self) -> impl Iterator<Item = (Command, &Times)> {
        Command::ALL.into_iter().zip(&self.0)
    }
}

impl Times {
    /// How many were measured.
    pub fn count(&self) -> u64 {
        self.buckets.iter().sum()
    }

    /// How many took less than a microsecond doubled so many times; with [`DOUBLING_COUNT`] and
    /// above, all.
    pub fn below(&self, doublings: u32) -> u64 {
        let end = 4 * (doublings as usize + 1);
        let end = if doublings < DOUBLING_COUNT {
            end
        } else {
            BUCKET_COUNT
        };
        self.buckets.iter().take(end).sum()
    }

    /// The time that this share of all, in thousandths, did not exceed, in nanoseconds and by at
    /// most a quarter too long. `None` when nothing was measured.
    pub fn quantile_ns(&self, thousandths: u64) -> Option<u64> {
        let count = self.count();
        let rank = (count * thousandths).div_ceil(1000).max(1);
        let mut seen = 0;
        let bucket = self.buckets.iter().position(|&in_bucket| {
            seen += in_bucket;
            seen >= rank
        });
        bucket.filter(|_| count > 0).map(end_of)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_follow_each_other_without_gap_and_are_narrow() {
        let mut begin = 0;
        for bucket in 0..BUCKET_COUNT {
            let end = end_of(bucket);
            assert!(end > begin);
            assert_eq!((bucket_of(begin), bucket_of(end - 1)), (bucket, bucket));
            assert!(
                bucket < 4 || (end - begin) * 4 <= begin,
                "{bucket}: {begin} to {end}"
            );
            begin = end;
        }
        assert_eq!(bucket_of(u64::MAX), BUCKET_COUNT - 1);
        assert!(begin > 16_000_000_000, "{begin}");
    }

    #[test]
    fn what_was_served_meanwhile_is_counted_and_told_by_quantiles() {
        let counters = Counters::default();
        let mut served = Served::now(&counters);
        for (gets, ns) in [(98, 9_900), (1, 99_000), (1, 990_000)] {
            counters.cmd_get.add(gets);
            served = counters.latency.record(&counters, served, ns);
        }
        counters.delete_misses.add(1);
        counters
            .latency
            .record(&counters, served, 5_000_000_000_000);
        let mut totals = LatencyTotals::default();
        counters.latency.add_to(&mut totals);
        let of = |command: Command| {
            let mut all = totals.commands();
            all.find(|(other, _)| *other == command).unwrap().1.clone()
        };
        let get = of(Command::Get);
        assert_eq!(get.count(), 100);
        assert_eq!(get.sum_ns, 98 * 9_900 + 99_000 + 990_000);
        assert_eq!((get.below(3), get.below(4), get.below(30)), (0, 98, 100));
        let within = |thousandths, ns: u64| {
            let found = get.quantile_ns(thousandths).unwrap();
            assert!(
                found >= ns && found <= ns + ns / 4,
                "{thousandths}: {found}"
            );
        };
        within(0, 9_900);
        within(500, 9_900);
        within(990, 99_000);
        within(999, 990_000);
        within(1000, 990_000);
        let delete = of(Command::Delete);
        assert_eq!(
            (delete.below(23), delete.below(24), delete.count()),
            (0, 1, 1)
        );
        assert_eq!(of(Command::Set).quantile_ns(500), None);
    }
}
