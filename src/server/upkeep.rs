//! The thread that keeps time and house: the clock's tick, the store's upkeep in bounded steps,
//! and the way of log lines to those who watch.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError};

use super::mailbox::Mailbox;
use super::pulse::Beat;
use crate::session::Shared;

/// Longest pause between two looks: the store is asked for work ten times a second at least.
const PAUSE_MAX: Duration = Duration::from_millis(100);

/// First pause after work has run out; it doubles while there is none.
const PAUSE_MIN: Duration = Duration::from_millis(1);

/// Shortest pause between two steps, so that a worker that wants a shard's lock has its turn.
const STEP_PAUSE_MIN: Duration = Duration::from_micros(50);

/// How old a log line may be when it is sent.
const WATCH_PAUSE: Duration = Duration::from_millis(10);

/// Keeps time and house until `stop` is gone.
pub(super) fn run(shared: &Shared, workers: &[Arc<Mailbox>], beat: &Beat, stop: &Receiver<()>) {
    let mut pause = PAUSE_MIN;
    loop {
        beat.tick();
        shared.clock.tick();
        let now = shared.clock.now();
        let began = Instant::now();
        let more = shared.store.upkeep(now);
        let step = began.elapsed();
        // While there is work, rest as long as it takes: upkeep has half a core at most.
        pause = if more {
            step.clamp(STEP_PAUSE_MIN, PAUSE_MIN)
        } else {
            (pause * 2).clamp(PAUSE_MIN, PAUSE_MAX)
        };
        if shared.hub.pump(shared, now) {
            for worker in workers.iter().filter(|worker| worker.has_watchers()) {
                worker.wake();
            }
        }
        let mut wait = pause.min(shared.clock.second_left());
        if shared.hub.is_watched() {
            wait = wait.min(WATCH_PAUSE);
        }
        match stop.recv_timeout(wait) {
            Err(RecvTimeoutError::Timeout) => {}
            Ok(()) | Err(RecvTimeoutError::Disconnected) => break,
        }
    }
}
