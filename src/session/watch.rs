//! Who watches what, and the lines they are owed.
//!
//! ```text
//! worker --push--> ring of lines --pump--> queue of a watcher --take--> its connection
//! ```
//!
//! A worker that has something to tell writes a line into a bounded ring; the upkeep thread
//! moves lines, in the order they happened, into the bounded queues of those who want them. A
//! full ring drops, a full queue skips and says so: nobody ever waits for a watcher.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use parking_lot::Mutex;

use super::{CloseReason, Context, Peer, Shared};
use crate::limits::OUTPUT_SIZE_HIGH;
use crate::protocol::admin::streams;
use crate::protocol::log;
use crate::store::Event;
use crate::time::Now;

/// Most watchers at a time.
const WATCHER_COUNT_MAX: usize = 20;

/// Rings that workers share out among them.
const RING_COUNT: usize = 16;

/// Who watches what.
#[derive(Debug, Default)]
pub struct Hub {
    /// Streams that somebody watches, as bits: all that an unwatched daemon ever looks at.
    watched: AtomicU32,
    /// Orders the lines of all workers.
    next_gid: AtomicU64,
    rings: [Mutex<Ring>; RING_COUNT],
    watchers: Mutex<Vec<Watcher>>,
    written: AtomicU64,
    dropped: AtomicU64,
    sent: AtomicU64,
    skipped: AtomicU64,
}

/// Lines that wait to be handed out.
#[derive(Debug, Default)]
struct Ring {
    lines: VecDeque<Line>,
    size: usize,
}

#[derive(Debug)]
struct Line {
    gid: u64,
    stream: u32,
    text: Box<[u8]>,
}

/// A connection that watches.
#[derive(Debug)]
struct Watcher {
    id: u64,
    streams: u32,
    queue: VecDeque<u8>,
    /// Lines missed since the last one queued.
    skipped: u64,
}

/// What the hub has counted, for `stats`.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct HubCounts {
    pub(super) written: u64,
    pub(super) dropped: u64,
    pub(super) sent: u64,
    pub(super) skipped: u64,
    pub(super) watchers: u64,
}

impl Hub {
    /// Streams that somebody watches, as bits.
    pub(super) fn watched(&self) -> u32 {
        self.watched.load(Ordering::Relaxed)
    }

    /// Whether anybody watches anything.
    pub fn is_watched(&self) -> bool {
        self.watched() != 0
    }

    /// Tells those who watch `connevents` that a client has come.
    pub fn opened(&self, context: &Context<'_>, peer: &Peer) {
        self.connection(context, peer, None);
    }

    /// Tells those who watch `connevents` that a client has gone.
    pub fn closed(&self, context: &Context<'_>, peer: &Peer, reason: CloseReason) {
        self.connection(context, peer, Some(reason));
    }

    /// Tells those who watch `connevents` that TLS has failed for a client.
    pub fn tls_failed(&self, context: &Context<'_>, peer: &Peer, cause: &str) {
        if self.watched() & streams::CONNEVENTS != 0 {
            self.push(context, streams::CONNEVENTS, "conntlserr", |out| {
                log::tls_error(out, cause, peer.id);
            });
        }
    }

    fn connection(&self, context: &Context<'_>, peer: &Peer, reason: Option<CloseReason>) {
        if self.watched() & streams::CONNEVENTS == 0 {
            return;
        }
        let kind = if reason.is_none() {
            "conn_new"
        } else {
            "conn_close"
        };
        self.push(context, streams::CONNEVENTS, kind, |out| {
            let reason = reason.map(CloseReason::name);
            log::connection(
                out,
                &peer.address,
                peer.port,
                peer.transport,
                reason,
                peer.id,
            );
        });
    }

    /// Adds a watcher; false when there are too many.
    pub(super) fn join(&self, context: &Context<'_>, id: u64, streams: u32) -> bool {
        let mut watchers = self.watchers.lock();
        if watchers.len() >= WATCHER_COUNT_MAX {
            return false;
        }
        watchers.push(Watcher {
            id,
            streams,
            queue: VecDeque::new(),
            skipped: 0,
        });
        self.update(context.shared, &watchers);
        true
    }

    /// Removes a watcher.
    pub(super) fn leave(&self, context: &Context<'_>, id: u64) {
        let mut watchers = self.watchers.lock();
        watchers.retain(|watcher| watcher.id != id);
        self.update(context.shared, &watchers);
    }

    fn update(&self, shared: &Shared, watchers: &[Watcher]) {
        let watched = watchers
            .iter()
            .fold(0, |bits, watcher| bits | watcher.streams);
        let was = self.watched.swap(watched, Ordering::Relaxed);
        const STORED: u32 = streams::EVICTIONS | streams::SYSEVENTS;
        if (was ^ watched) & STORED != 0 {
            shared.store.record_events(watched & STORED != 0);
        }
    }

    /// Writes a line into the worker's ring.
    #[cold]
    pub(super) fn push(
        &self,
        context: &Context<'_>,
        stream: u32,
        kind: &str,
        line: impl FnOnce(&mut Vec<u8>),
    ) {
        let shared = context.shared;
        let mut text = Vec::with_capacity(256);
        let mut ring = self.rings[context.worker % RING_COUNT].lock();
        // Numbered under the lock, so that a ring's lines are in order.
        let gid = self.next_gid.fetch_add(1, Ordering::Relaxed) + 1;
        log::begin(&mut text, shared.clock.precise_us(), gid, kind);
        line(&mut text);
        if ring.size + text.len() > shared.config.worker_logbuf_size as usize {
            drop(ring);
            self.dropped.fetch_add(1, Ordering::Relaxed);
            return;
        }
        ring.size += text.len();
        ring.lines.push_back(Line {
            gid,
            stream,
            text: text.into_boxed_slice(),
        });
        drop(ring);
        self.written.fetch_add(1, Ordering::Relaxed);
    }

    /// Moves lines from the workers to the watchers. True when a watcher has something new.
    pub fn pump(&self, shared: &Shared, _now: Now) -> bool {
        if !self.is_watched() {
            return false;
        }
        let mut lines = Vec::new();
        for ring in &self.rings {
            let mut ring = ring.lock();
            lines.extend(ring.lines.drain(..));
            ring.size = 0;
        }
        lines.sort_unstable_by_key(|line| line.gid);
        let lost = shared.store.drain_events(&mut |event| {
            let gid = self.next_gid.fetch_add(1, Ordering::Relaxed) + 1;
            lines.push(event_line(&event, gid, shared.clock.precise_us()));
        });
        self.dropped.fetch_add(lost, Ordering::Relaxed);
        let mut watchers = self.watchers.lock();
        let room = shared.config.watcher_logbuf_size as usize;
        let mut has_news = false;
        for watcher in watchers.iter_mut() {
            let wanted = watcher.streams;
            for line in lines.iter().filter(|line| line.stream & wanted != 0) {
                if watcher.offer(&line.text, room) {
                    self.sent.fetch_add(1, Ordering::Relaxed);
                    has_news = true;
                } else {
                    self.skipped.fetch_add(1, Ordering::Relaxed);
                }
            }
        }
        has_news
    }

    /// Appends a bounded part of what the watcher with this [`Peer::id`] is owed. Asked again
    /// until it appends nothing.
    pub fn take(&self, id: u64, output: &mut Vec<u8>) {
        let mut watchers = self.watchers.lock();
        if let Some(watcher) = watchers.iter_mut().find(|watcher| watcher.id == id) {
            let size = watcher.queue.len().min(OUTPUT_SIZE_HIGH);
            output.extend(watcher.queue.drain(..size));
        }
    }

    pub(super) fn counts(&self) -> HubCounts {
        HubCounts {
            written: self.written.load(Ordering::Relaxed),
            dropped: self.dropped.load(Ordering::Relaxed),
            sent: self.sent.load(Ordering::Relaxed),
            skipped: self.skipped.load(Ordering::Relaxed),
            watchers: self.watchers.lock().len() as u64,
        }
    }

    /// Sets the counts to zero, as `stats reset` does.
    pub(super) fn reset_counts(&self) {
        for count in [&self.written, &self.dropped, &self.sent, &self.skipped] {
            count.store(0, Ordering::Relaxed);
        }
    }
}

impl Watcher {
    /// Queues a line, with word of what was missed before it. False when there is no room.
    fn offer(&mut self, line: &[u8], room: usize) -> bool {
        let mut note = Vec::new();
        if self.skipped > 0 {
            log::skipped(&mut note, self.skipped);
        }
        if self.queue.len() + note.len() + line.len() > room {
            self.skipped += 1;
            return false;
        }
        self.skipped = 0;
        self.queue.extend(note);
        self.queue.extend(line);
        true
    }
}

/// The line for something that happened inside the store.
fn event_line(event: &Event, gid: u64, unix_us: u64) -> Line {
    let mut text = Vec::with_capacity(256);
    let stream = match event {
        Event::Evicted {
            key,
            fetched,
            ttl_s,
            idle_s,
            class,
            value_size,
        } => {
            log::begin(&mut text, unix_us, gid, "eviction");
            let item = log::Evicted {
                key,
                fetched: *fetched,
                ttl_s: *ttl_s,
                idle_s: *idle_s,
                class: *class,
                size: *value_size,
            };
            log::eviction(&mut text, &item);
            streams::EVICTIONS
        }
        Event::CrawlStarted { class } => {
            log::begin(&mut text, unix_us, gid, "lru_crawler");
            log::crawl(&mut text, *class, None);
            streams::SYSEVENTS
        }
        Event::CrawlFinished {
            class,
            checked,
            reclaimed,
        } => {
            log::begin(&mut text, unix_us, gid, "lru_crawler");
            log::crawl(&mut text, *class, Some((*checked, *reclaimed)));
            streams::SYSEVENTS
        }
        Event::PageMoved { from, to } => {
            log::begin(&mut text, unix_us, gid, "slab_move");
            log::page_move(&mut text, *from, *to);
            streams::SYSEVENTS
        }
    };
    Line {
        gid,
        stream,
        text: text.into_boxed_slice(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_watcher_that_lags_is_told_what_it_missed() {
        let mut watcher = Watcher {
            id: 1,
            streams: 1,
            queue: VecDeque::new(),
            skipped: 0,
        };
        assert!(watcher.offer(b"0123456789\n", 32));
        assert!(watcher.offer(b"0123456789\n", 32));
        assert!(!watcher.offer(b"0123456789\n", 32));
        assert!(!watcher.offer(b"0123456789\n", 32));
        watcher.queue.clear();
        assert!(watcher.offer(b"again\n", 32));
        assert_eq!(Vec::from(watcher.queue), b"skipped=2\nagain\n");
    }
}
