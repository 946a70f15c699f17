//! How long clients wait, measured on a few of a worker's passes.
//!
//! A clock call for each request would cost more than many a request. So one pass in
//! [`PASS_COUNT`] or so is measured, and all that was served in it counts: from the moment at which
//! the poll has told who is ready to the moment at which the reply has been sent, the turns of those
//! who stood before in the queue included. On a measured pass a turn costs one clock call and a few
//! additions more, on any other one comparison.
//!
//! For the slow log each turn is measured as well, by a clock that the system keeps in memory and
//! moves on with its tick: reading it costs as much as a few additions, and it is a tick wrong at
//! most. Where the threshold is too short for that, an exact clock is read instead.

use std::time::Instant;

use rustix::time::{ClockId, clock_gettime};

use crate::stats::Counters;
use crate::stats::latency::Served;

/// Passes of which one is measured, on average. Even where the clock is a system call, as on some
/// virtual machines, that is below 2 % of what a turn costs.
const PASS_COUNT: u32 = 32;

/// Measures the passes of one worker.
pub(super) struct Stopwatch {
    /// Passes until one is measured.
    left: u32,
    /// Draws how many that will be, so that no rhythm of a client goes along with ours.
    random: u32,
    /// When the pass began that is measured, and what had been served when the last turn ended.
    running: Option<(Instant, Served)>,
    slow: Option<SlowWatch>,
}

/// The shortest threshold that a clock which moves with the system's tick is good for, in
/// nanoseconds: the tick is 1 to 10 milliseconds.
const TICK_NS: u64 = 10_000_000;

/// Finds slow turns.
struct SlowWatch {
    clock: ClockId,
    threshold_ns: u64,
    /// When the pass began, and when the last turn ended.
    begun_ns: u64,
    lap_ns: u64,
}

/// How long a slow turn took.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct SlowLap {
    /// The turn itself, in microseconds.
    pub(super) duration_us: u64,
    /// The pass until then, in microseconds.
    pub(super) waited_us: u64,
}

impl SlowWatch {
    fn new(threshold_us: u32) -> Option<Self> {
        let threshold_ns = u64::from(threshold_us) * 1000;
        let clock = if threshold_ns < TICK_NS {
            ClockId::Monotonic
        } else {
            ClockId::MonotonicCoarse
        };
        (threshold_us > 0).then_some(Self {
            clock,
            threshold_ns,
            begun_ns: 0,
            lap_ns: 0,
        })
    }

    fn now_ns(&self) -> u64 {
        let time = clock_gettime(self.clock);
        // It counts from the start of the system: neither part is below zero.
        time.tv_sec.unsigned_abs() * 1_000_000_000 + time.tv_nsec.unsigned_abs()
    }

    fn lap(&mut self) -> Option<SlowLap> {
        let now_ns = self.now_ns();
        let began_ns = std::mem::replace(&mut self.lap_ns, now_ns);
        let duration_ns = now_ns.saturating_sub(began_ns);
        (duration_ns >= self.threshold_ns).then(|| SlowLap {
            duration_us: duration_ns / 1000,
            waited_us: began_ns.saturating_sub(self.begun_ns) / 1000,
        })
    }
}

impl Stopwatch {
    /// A stopwatch that measures the first pass, and finds turns that take so many microseconds;
    /// with zero none.
    pub(super) fn new(slow_us: u32) -> Self {
        Self {
            left: 0,
            random: 0x9e37_79b9,
            running: None,
            slow: SlowWatch::new(slow_us),
        }
    }

    /// A pass begins.
    pub(super) fn begin(&mut self, counters: &Counters) {
        if let Some(slow) = &mut self.slow {
            slow.begun_ns = slow.now_ns();
            slow.lap_ns = slow.begun_ns;
        }
        if self.left > 0 {
            self.left -= 1;
            self.running = None;
            return;
        }
        // xorshift: never zero, good enough to have no rhythm.
        self.random ^= self.random << 13;
        self.random ^= self.random >> 17;
        self.random ^= self.random << 5;
        self.left = PASS_COUNT / 2 + self.random % PASS_COUNT;
        self.running = Some((Instant::now(), Served::now(counters)));
    }

    /// A turn has ended. Says how long it took, if that was too long.
    pub(super) fn lap(&mut self, counters: &Counters) -> Option<SlowLap> {
        if let Some((began, served)) = &mut self.running {
            let ns = u64::try_from(began.elapsed().as_nanos()).unwrap_or(u64::MAX);
            *served = counters.latency.record(counters, *served, ns);
        }
        self.slow.as_mut().and_then(SlowWatch::lap)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::Registry;
    use crate::stats::sampler::Sampling;

    #[test]
    fn about_one_pass_in_so_many_is_measured_and_all_that_was_served_in_it_counts() {
        let registry = Registry::new(1, Sampling::default());
        let counters = registry.worker(0);
        let mut stopwatch = Stopwatch::new(0);
        let measured = || {
            let totals = registry.totals();
            let counts = totals.latency.commands().map(|(_, times)| times.count());
            counts.sum::<u64>()
        };
        for _ in 0..100 * PASS_COUNT {
            stopwatch.begin(&counters);
            counters.cmd_get.add(3);
            assert_eq!(stopwatch.lap(&counters), None);
            counters.cmd_set.add(1);
            stopwatch.lap(&counters);
        }
        let passes = measured() / 4;
        assert_eq!(measured() % 4, 0);
        assert!((60..180).contains(&passes), "{passes}");
    }

    #[test]
    fn a_turn_that_takes_long_is_told_with_what_it_waited_for() {
        let registry = Registry::new(1, Sampling::default());
        let counters = registry.worker(0);
        let mut stopwatch = Stopwatch::new(1000);
        let sleep = || std::thread::sleep(std::time::Duration::from_millis(2));
        stopwatch.begin(&counters);
        sleep();
        let first = stopwatch.lap(&counters).expect("a slow turn");
        assert!(
            first.duration_us >= 2000 && first.waited_us == 0,
            "{first:?}"
        );
        sleep();
        let second = stopwatch.lap(&counters).expect("a slow turn");
        assert!(second.duration_us >= 2000, "{second:?}");
        assert_eq!(second.waited_us, first.duration_us);
        // The next pass has its own beginning.
        sleep();
        stopwatch.begin(&counters);
        sleep();
        assert_eq!(stopwatch.lap(&counters).map(|lap| lap.waited_us), Some(0));
    }
}
