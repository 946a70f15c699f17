//! How long clients wait, measured on a few of a worker's passes.
//!
//! A clock call for each request would cost more than many a request. So one pass in
//! [`PASS_COUNT`] or so is measured, and all that was served in it counts: from the moment at which
//! the poll has told who is ready to the moment at which the reply has been sent, the turns of those
//! who stood before in the queue included. On a measured pass a turn costs one clock call and a few
//! additions more, on any other one comparison.

use std::time::Instant;

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
}

impl Stopwatch {
    /// A stopwatch that measures the first pass.
    pub(super) fn new() -> Self {
        Self {
            left: 0,
            random: 0x9e37_79b9,
            running: None,
        }
    }

    /// A pass begins.
    pub(super) fn begin(&mut self, counters: &Counters) {
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

    /// A turn has ended.
    pub(super) fn lap(&mut self, counters: &Counters) {
        if let Some((began, served)) = &mut self.running {
            let ns = u64::try_from(began.elapsed().as_nanos()).unwrap_or(u64::MAX);
            *served = counters.latency.record(counters, *served, ns);
        }
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
        let mut stopwatch = Stopwatch::new();
        let measured = || {
            let totals = registry.totals();
            let counts = totals.latency.commands().map(|(_, times)| times.count());
            counts.sum::<u64>()
        };
        for _ in 0..100 * PASS_COUNT {
            stopwatch.begin(&counters);
            counters.cmd_get.add(3);
            stopwatch.lap(&counters);
            counters.cmd_set.add(1);
            stopwatch.lap(&counters);
        }
        let passes = measured() / 4;
        assert_eq!(measured() % 4, 0);
        assert!((60..180).contains(&passes), "{passes}");
    }
}
