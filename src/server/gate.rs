//! How many connections may be open, and what became of the others.

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::time::Instant;

use mio::Waker;
use parking_lot::Mutex;

use super::pulse::Beat;

/// Counts open connections against `-c`. The acceptor admits, workers release.
pub(super) struct Gate {
    limit: usize,
    waker: Waker,
    open: AtomicUsize,
    /// The acceptor waits for room and wants to be woken.
    waiting: AtomicBool,
    rejected: AtomicU64,
    pauses: AtomicU64,
    paused_us: AtomicU64,
    paused_since: Mutex<Option<Instant>>,
    /// When the operator was last told about a client, in seconds of uptime; zero is never.
    hinted_s: AtomicU32,
    /// Counts the acceptor's rounds.
    pub(super) beat: Beat,
}

/// Least time between two hints about clients, in seconds.
const HINT_PAUSE_S: u32 = 60;

impl Gate {
    /// A gate for this many connections; `waker` wakes the acceptor.
    pub(super) fn new(limit: usize, waker: Waker) -> Self {
        Self {
            limit,
            waker,
            open: AtomicUsize::new(0),
            waiting: AtomicBool::new(false),
            rejected: AtomicU64::new(0),
            pauses: AtomicU64::new(0),
            paused_us: AtomicU64::new(0),
            paused_since: Mutex::new(None),
            hinted_s: AtomicU32::new(0),
            beat: Beat::default(),
        }
    }

    /// Whether one more may come in. Only the acceptor admits, so the answer stays true until it
    /// does.
    pub(super) fn has_room(&self) -> bool {
        self.open.load(Ordering::SeqCst) < self.limit
    }

    /// Counts a connection in.
    pub(super) fn admit(&self) {
        self.open.fetch_add(1, Ordering::SeqCst);
    }

    /// Counts a connection out, and tells the acceptor if it waits for that.
    pub(super) fn release(&self) {
        self.open.fetch_sub(1, Ordering::SeqCst);
        if self.waiting.swap(false, Ordering::SeqCst) {
            self.wake();
        }
    }

    /// Wakes the acceptor.
    pub(super) fn wake(&self) {
        if let Err(error) = self.waker.wake() {
            log::error!("cannot wake the acceptor: {error}");
        }
    }

    /// Whether to tell the operator about a client that was set up wrongly: once a minute, since
    /// clients could fill the log.
    pub(super) fn may_hint(&self, now_s: u32) -> bool {
        let last_s = self.hinted_s.load(Ordering::Relaxed);
        let quiet = last_s == 0 || now_s.saturating_sub(last_s) >= HINT_PAUSE_S;
        if quiet {
            self.hinted_s.store(now_s.max(1), Ordering::Relaxed);
        }
        quiet
    }

    /// Counts a client turned away.
    pub(super) fn reject(&self) {
        self.rejected.fetch_add(1, Ordering::Relaxed);
    }

    /// Begins a pause, unless one has begun. Returns true if it has ended already: there was room
    /// before we could ask to be told.
    pub(super) fn pause(&self, for_room: bool) -> bool {
        let mut since = self.paused_since.lock();
        if since.is_none() {
            *since = Some(Instant::now());
            self.pauses.fetch_add(1, Ordering::Relaxed);
        }
        drop(since);
        if for_room {
            self.waiting.store(true, Ordering::SeqCst);
            return self.has_room();
        }
        false
    }

    /// Ends a pause, if there is one.
    pub(super) fn resume(&self) {
        if let Some(since) = self.paused_since.lock().take() {
            let paused_us = u64::try_from(since.elapsed().as_micros()).unwrap_or(u64::MAX);
            self.paused_us.fetch_add(paused_us, Ordering::Relaxed);
        }
    }

    /// Connections open now.
    pub(super) fn open(&self) -> usize {
        self.open.load(Ordering::Relaxed)
    }

    /// Clients turned away.
    pub(super) fn rejected(&self) -> u64 {
        self.rejected.load(Ordering::Relaxed)
    }

    /// Pauses so far, their length in microseconds, and whether one goes on.
    pub(super) fn pauses(&self) -> (u64, u64, bool) {
        let since = self.paused_since.lock();
        let going_on_us = since.map_or(0, |since| {
            u64::try_from(since.elapsed().as_micros()).unwrap_or(u64::MAX)
        });
        (
            self.pauses.load(Ordering::Relaxed),
            self.paused_us.load(Ordering::Relaxed) + going_on_us,
            since.is_some(),
        )
    }
}
