//! What took long: the last few slow turns of each worker.
//!
//! A turn is what one connection has of its worker at a time: the requests that could be read at
//! once, and their answers. Which turns are slow is the worker's business; nothing here reads a
//! clock, and nothing is written unless a turn was slow.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;

use crate::limits::SLOW_TURN_COUNT;

/// A slow turn.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct SlowTurn {
    /// Counts up with each, over all workers. Given when it is kept.
    pub number: u64,
    /// When it ended, in Unix time.
    pub unix_s: i64,
    /// How long it took, in microseconds.
    pub duration_us: u64,
    /// How long others had had turns before it, since the worker had looked who is ready, in
    /// microseconds.
    pub waited_us: u64,
    /// Its first command, where its input began with one; else the last.
    pub command: &'static str,
    /// The key of that, or the first of its keys; empty when it is not known.
    pub key: Box<[u8]>,
    /// Requests that were answered in it.
    pub requests: u64,
    /// Bytes that were read in it.
    pub bytes_read: u64,
    /// Bytes that were sent in it.
    pub bytes_written: u64,
    /// The number of the client.
    pub client: u64,
    /// Where the client comes from.
    pub address: String,
    /// Who the client is, if somebody in particular.
    pub user: Option<Arc<str>>,
    /// The worker.
    pub worker: usize,
}

/// The last slow turns of all workers.
#[derive(Debug)]
pub struct SlowLog {
    rings: Vec<Mutex<VecDeque<Arc<SlowTurn>>>>,
    count: AtomicU64,
}

impl SlowLog {
    /// One for this many workers.
    pub fn new(workers: usize) -> Self {
        Self {
            rings: (0..workers).map(|_| Mutex::default()).collect(),
            count: AtomicU64::new(0),
        }
    }

    /// Keeps one, and forgets the oldest of the same worker when there are many. Allocates.
    pub fn keep(&self, mut slow: SlowTurn) {
        let Some(ring) = self.rings.get(slow.worker) else {
            return;
        };
        slow.number = self.count.fetch_add(1, Ordering::Relaxed) + 1;
        let mut ring = ring.lock();
        if ring.len() >= SLOW_TURN_COUNT {
            ring.pop_front();
        }
        ring.push_back(Arc::new(slow));
    }

    /// The last [`SLOW_TURN_COUNT`] of all, newest first.
    pub fn newest(&self) -> Vec<Arc<SlowTurn>> {
        let mut all: Vec<Arc<SlowTurn>> = Vec::new();
        for ring in &self.rings {
            all.extend(ring.lock().iter().cloned());
        }
        all.sort_unstable_by_key(|slow| std::cmp::Reverse(slow.number));
        all.truncate(SLOW_TURN_COUNT);
        all
    }

    /// How many there were since the start, or since they were forgotten.
    pub fn count(&self) -> u64 {
        self.count.load(Ordering::Relaxed)
    }

    /// Forgets all.
    pub fn clear(&self) {
        for ring in &self.rings {
            ring.lock().clear();
        }
        self.count.store(0, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_of_all_workers_are_told_and_no_more_than_so_many() {
        let log = SlowLog::new(2);
        let keep = |worker, duration_us| {
            log.keep(SlowTurn {
                worker,
                duration_us,
                ..SlowTurn::default()
            });
        };
        for duration_us in 0..3 * SLOW_TURN_COUNT as u64 {
            keep(0, duration_us);
        }
        keep(1, 7);
        keep(0, 8);
        // There is no such worker.
        keep(2, 9);
        let newest = log.newest();
        assert_eq!(newest.len(), SLOW_TURN_COUNT);
        let first: Vec<_> = newest.iter().take(3).collect();
        let told = first.iter().map(|slow| (slow.worker, slow.duration_us));
        let before = 3 * SLOW_TURN_COUNT as u64 - 1;
        assert_eq!(told.collect::<Vec<_>>(), [(0, 8), (1, 7), (0, before)]);
        assert_eq!(log.count(), before + 3);
        log.clear();
        assert!(log.newest().is_empty() && log.count() == 0);
    }
}
