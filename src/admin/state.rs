//! What pages tell of beside the figures: the daemon's phase, its health, where settings came
//! from.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use super::history::{History, OfWorker, Reading};
use crate::limits::STUCK_S;
use crate::session::Shared;

/// Where a daemon stands in its life.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Phase {
    /// It begins: clients should not come yet.
    Loading,
    /// It serves.
    Ready,
    /// It ends: clients should go elsewhere.
    Draining,
}

impl Phase {
    const ALL: [Self; 3] = [Self::Loading, Self::Ready, Self::Draining];

    /// As pages spell it.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Loading => "loading",
            Self::Ready => "ready",
            Self::Draining => "draining",
        }
    }
}

/// Names the threads that have not come round since it was asked before, and asks all others
/// again.
pub type Ask = Box<dyn FnMut() -> Vec<String> + Send>;

/// What pages are made from.
pub(super) struct State {
    /// What all sessions share.
    pub(super) shared: Arc<Shared>,
    /// Where each setting came from, in the table's order.
    pub(super) sources: Vec<String>,
    phase: AtomicU8,
    pulse: Mutex<Pulse>,
    history: Mutex<Past>,
    requests: AtomicU64,
    denied: AtomicU64,
}

/// What was, and when it was last looked at.
struct Past {
    history: History,
    looked_at: Option<Instant>,
}

/// Who of the threads is silent, and since when.
struct Pulse {
    ask: Ask,
    silent: Vec<(String, Instant)>,
}

impl Pulse {
    fn listen(&mut self, phase: Phase, now: Instant) {
        let silent = match phase {
            Phase::Ready => (self.ask)(),
            // Threads that are yet to begin, or end by and by, are not stuck.
            Phase::Loading | Phase::Draining => Vec::new(),
        };
        self.silent.retain(|(name, _)| silent.contains(name));
        for name in silent {
            if !self.silent.iter().any(|(known, _)| *known == name) {
                self.silent.push((name, now));
            }
        }
    }

    fn stuck(&self, now: Instant) -> Vec<String> {
        let patience = Duration::from_secs(STUCK_S);
        let silent = self.silent.iter();
        silent
            .filter(|(_, since)| now.saturating_duration_since(*since) >= patience)
            .map(|(name, _)| name.clone())
            .collect()
    }
}

impl State {
    /// The state of a daemon that begins.
    pub(super) fn new(shared: Arc<Shared>, sources: Vec<String>, ask: Ask) -> Self {
        Self {
            shared,
            sources,
            phase: AtomicU8::new(0),
            pulse: Mutex::new(Pulse {
                ask,
                silent: Vec::new(),
            }),
            history: Mutex::new(Past {
                history: History::new(),
                looked_at: None,
            }),
            requests: AtomicU64::new(0),
            denied: AtomicU64::new(0),
        }
    }

    /// Where the daemon stands.
    pub(super) fn phase(&self) -> Phase {
        let number = usize::from(self.phase.load(Ordering::Acquire));
        // Only numbers of phases are ever stored.
        Phase::ALL.get(number).copied().unwrap_or(Phase::Loading)
    }

    /// Says where the daemon stands.
    pub(super) fn set_phase(&self, phase: Phase) {
        let place = Phase::ALL.iter().position(|&one| one == phase);
        let number = place.and_then(|place| u8::try_from(place).ok());
        self.phase.store(number.unwrap_or(0), Ordering::Release);
    }

    /// Asks the threads whether they come round. To be called once a second.
    pub(super) fn listen(&self, now: Instant) {
        self.pulse.lock().listen(self.phase(), now);
    }

    /// Writes down what the counters say. To be called once a second.
    ///
    /// Sums the counters of all workers and takes the lock of each shard for a moment.
    pub(super) fn remember(&self, now: Instant) {
        let reading = self.reading();
        let unix_s = self.shared.clock.now().unix_s;
        let past = &mut *self.history.lock();
        let elapsed = past.looked_at.map_or(Duration::ZERO, |before| {
            now.saturating_duration_since(before)
        });
        if past.history.record(reading, unix_s, elapsed.as_secs_f64()) {
            past.looked_at = Some(now);
        }
    }

    fn reading(&self) -> Reading {
        let shared = &*self.shared;
        let totals = shared.registry.totals();
        let store = shared.store.totals();
        let facts = shared.host.facts();
        let others = totals.cmd_touch
            + totals.delete_hits
            + totals.delete_misses
            + totals.incr_hits
            + totals.incr_misses
            + totals.decr_hits
            + totals.decr_misses;
        let workers = shared.registry.workers().iter();
        let workers = workers.take(shared.config.workers).map(|counters| {
            let of_worker: OfWorker = [
                counters.cmd_get.get(),
                counters.cmd_set.get(),
                counters.bytes_read.get(),
                counters.bytes_written.get(),
            ];
            of_worker
        });
        Reading {
            counts: [
                totals.cmd_get,
                totals.get_hits,
                totals.cmd_set,
                others,
                store.evictions,
                totals.bytes_read,
                totals.bytes_written,
                facts.user_us + facts.system_us,
                facts.rejected_connections + totals.denied_requests + totals.limited_requests,
            ],
            levels: [
                store.curr_items,
                store.malloced_bytes - store.free_pages * store.page_size,
                store.memory_limit,
                facts.curr_connections,
            ],
            workers: workers.collect(),
        }
    }

    /// Shows what was.
    pub(super) fn with_history<R>(&self, see: impl FnOnce(&History) -> R) -> R {
        see(&self.history.lock().history)
    }

    /// Threads that have been silent for so long that they must be stuck.
    pub(super) fn stuck(&self, now: Instant) -> Vec<String> {
        self.pulse.lock().stuck(now)
    }

    /// Counts a request.
    pub(super) fn count(&self, is_denied: bool) {
        self.requests.fetch_add(1, Ordering::Relaxed);
        self.denied
            .fetch_add(u64::from(is_denied), Ordering::Relaxed);
    }

    /// Requests so far.
    pub(super) fn requests(&self) -> u64 {
        self.requests.load(Ordering::Relaxed)
    }

    /// Requests refused for want of a token, or for meaning another host.
    pub(super) fn denied(&self) -> u64 {
        self.denied.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_is_stuck_when_it_has_been_silent_for_long_and_not_while_the_daemon_ends() {
        let silent = Arc::new(Mutex::new(Vec::new()));
        let told = Arc::clone(&silent);
        let mut pulse = Pulse {
            ask: Box::new(move || told.lock().clone()),
            silent: Vec::new(),
        };
        let begin = Instant::now();
        let at = |seconds| begin + Duration::from_secs(seconds);
        pulse.listen(Phase::Ready, at(0));
        silent.lock().push("larder-w0".to_owned());
        pulse.listen(Phase::Ready, at(1));
        pulse.listen(Phase::Ready, at(2));
        assert!(pulse.stuck(at(STUCK_S)).is_empty());
        assert_eq!(pulse.stuck(at(1 + STUCK_S)), ["larder-w0"]);
        // It comes round, and is silent again later.
        silent.lock().clear();
        pulse.listen(Phase::Ready, at(3));
        silent.lock().push("larder-w0".to_owned());
        pulse.listen(Phase::Ready, at(4));
        assert!(pulse.stuck(at(3 + STUCK_S)).is_empty());
        assert_eq!(pulse.stuck(at(4 + STUCK_S)).len(), 1);
        pulse.listen(Phase::Draining, at(5));
        assert!(pulse.stuck(at(4 + STUCK_S)).is_empty());
    }
}
