//! What pages tell of beside the figures: the daemon's phase, its health, where settings came
//! from.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;

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
    requests: AtomicU64,
    denied: AtomicU64,
}

/// Who of the threads is silent, and since when.
struct Pulse {
    ask: Ask,
    silent: Vec<(String, Instant)>,
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
        let mut pulse = self.pulse.lock();
        let silent = match self.phase() {
            // Threads that end by and by are not stuck.
            Phase::Draining => Vec::new(),
            Phase::Loading | Phase::Ready => (pulse.ask)(),
        };
        pulse.silent.retain(|(name, _)| silent.contains(name));
        for name in silent {
            if !pulse.silent.iter().any(|(known, _)| *known == name) {
                pulse.silent.push((name, now));
            }
        }
    }

    /// Threads that have been silent for so long that they must be stuck.
    pub(super) fn stuck(&self, now: Instant) -> Vec<String> {
        let patience = Duration::from_secs(STUCK_S);
        let pulse = self.pulse.lock();
        let silent = pulse.silent.iter();
        silent
            .filter(|(_, since)| now.saturating_duration_since(*since) >= patience)
            .map(|(name, _)| name.clone())
            .collect()
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
