//! How busy one worker is: what it had done by the beginning of each of the last seconds.
//!
//! The worker writes once a second, and only if it is awake; whoever asks takes the difference of
//! two seconds. Nothing here reads a clock.

use std::sync::atomic::{AtomicU32, Ordering};

use super::Counter;

/// Seconds that are kept: a minute, and some that may pass while somebody reads.
const SECOND_COUNT: u32 = 64;

/// The longest time that can be asked for, in seconds.
pub const WINDOW_MAX_S: u32 = 60;

const _: () = assert!(WINDOW_MAX_S + 3 < SECOND_COUNT);

/// What a worker had done at some moment, or did in some time.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Work {
    /// Time of a processor, in microseconds.
    pub cpu_us: u64,
    /// Requests answered.
    pub requests: u64,
}

/// One second of one worker.
#[derive(Debug, Default)]
struct Second {
    cpu_us: Counter,
    requests: Counter,
}

/// What one worker had done by the beginning of each of the last seconds.
#[derive(Debug)]
pub struct Load {
    seconds: [Second; SECOND_COUNT as usize],
    /// The seconds of uptime that are known: the first, and the last. Zero is none.
    first_s: AtomicU32,
    last_s: AtomicU32,
}

impl Default for Load {
    fn default() -> Self {
        Self {
            seconds: std::array::from_fn(|_| Second::default()),
            first_s: AtomicU32::new(0),
            last_s: AtomicU32::new(0),
        }
    }
}

impl Load {
    /// Notes what has been done by this second of uptime, and by those since the last that was
    /// noted: the worker slept. Only the owning thread may call this.
    pub fn note(&self, now_s: u32, work: Work) {
        let last_s = self.last_s.load(Ordering::Relaxed);
        let begin_s = if last_s == 0 || last_s >= now_s {
            self.first_s.store(now_s, Ordering::Relaxed);
            now_s
        } else {
            (last_s + 1).max(now_s.saturating_sub(SECOND_COUNT - 1))
        };
        for second in begin_s..=now_s {
            let place = self.place(second);
            place.cpu_us.set(work.cpu_us);
            place.requests.set(work.requests);
        }
        self.last_s.store(now_s, Ordering::Relaxed);
    }

    fn place(&self, second: u32) -> &Second {
        &self.seconds[(second % SECOND_COUNT) as usize]
    }

    fn at(&self, second: u32) -> Work {
        let place = self.place(second);
        Work {
            cpu_us: place.cpu_us.get(),
            requests: place.requests.get(),
        }
    }

    /// What was done in the last seconds before this one, [`WINDOW_MAX_S`] at most, and how many
    /// seconds those are: fewer when the worker is younger.
    pub fn recent(&self, now_s: u32, window_s: u32) -> (Work, u32) {
        let first_s = self.first_s.load(Ordering::Relaxed);
        let last_s = self.last_s.load(Ordering::Relaxed);
        let window_s = window_s.min(WINDOW_MAX_S);
        let begin_s = now_s.saturating_sub(window_s).max(first_s);
        let length_s = now_s.saturating_sub(begin_s);
        // Who has noted nothing since then has slept since then.
        if last_s == 0 || begin_s >= last_s {
            return (Work::default(), length_s);
        }
        let (before, after) = (self.at(begin_s), self.at(last_s));
        // Counters may have been reset in between.
        let work = Work {
            cpu_us: after.cpu_us.saturating_sub(before.cpu_us),
            requests: after.requests.saturating_sub(before.requests),
        };
        (work, length_s)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn work(cpu_us: u64) -> Work {
        Work {
            cpu_us,
            requests: cpu_us / 10,
        }
    }

    #[test]
    fn work_is_told_of_the_last_seconds_only() {
        let load = Load::default();
        assert_eq!(load.recent(9, 10), (work(0), 9));
        for second in 2..200 {
            load.note(second, work(1000 * u64::from(second)));
        }
        assert_eq!(load.recent(199, 10), (work(10_000), 10));
        assert_eq!(load.recent(199, 60), (work(60_000), 60));
        assert_eq!(load.recent(199, 1000), (work(60_000), 60));
    }

    #[test]
    fn a_young_worker_tells_of_its_life_and_a_sleeper_of_nothing() {
        let load = Load::default();
        load.note(100, work(50));
        load.note(103, work(350));
        assert_eq!(load.recent(103, 60), (work(300), 3));
        // It sleeps, and what it did before that is soon beyond the window.
        assert_eq!(load.recent(108, 10), (work(300), 8));
        assert_eq!(load.recent(140, 10), (work(0), 10));
        // It wakes: what it did before it slept was not done now.
        load.note(500, work(400));
        load.note(501, work(900));
        assert_eq!(load.recent(501, 10), (work(500), 10));
    }

    #[test]
    fn a_clock_that_goes_back_begins_anew() {
        let load = Load::default();
        load.note(100, work(100));
        load.note(50, work(200));
        load.note(51, work(260));
        assert_eq!(load.recent(51, 10), (work(60), 1));
    }
}
