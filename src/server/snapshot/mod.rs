//! Snapshots on a disk: the thread that writes them, and what is told of them.
//!
//! ```text
//!   start     Snapshots::open, load.rs     before anybody is served
//!   serving   Snapshots::run, save.rs      one thread, at the pace of -o snapshot_rate
//!   stop      Snapshots::take_last         when nobody is served any more, as fast as it goes
//! ```
//!
//! A new snapshot takes the place of the old one when it is whole and on the disk; whatever goes
//! wrong before leaves the old one. It is read before anybody is served: an item that a client
//! deletes must not come after that from the file.

mod load;
mod save;

use std::fs::File;
use std::io::Read;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender};
use parking_lot::Mutex;

use super::disk::Replacement;
use super::error::StartError;
use crate::config::Config;
use crate::session::{Shared, SnapshotFacts, SnapshotReply, SnapshotTaken};
use crate::store::Store;
use crate::store::snapshot::{MARK, is_snapshot};
use crate::time::Clock;
use save::{Failure, Pace};

pub(super) use load::Loaded;

/// Only its owner reads and writes the file.
const MODE: u32 = 0o600;

/// How often whoever waits for a long step hears that it goes on.
const NEWS_PAUSE: Duration = Duration::from_secs(3);

/// What the thread is told.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Order {
    Take,
    Stop,
}

/// Snapshots, and the orders for the thread that takes them.
pub(super) type Opened = (Arc<Snapshots>, Receiver<Order>);

/// The snapshots of one daemon, as all threads see them.
#[derive(Debug)]
pub(super) struct Snapshots {
    path: PathBuf,
    interval: Option<Duration>,
    /// Bytes a second.
    rate: Option<u64>,
    orders: Sender<Order>,
    is_taking: AtomicBool,
    taken: AtomicU64,
    failures: AtomicU64,
    last: Mutex<Option<SnapshotTaken>>,
    restored: AtomicU64,
    /// Whether the store has what the file has, or need not have it.
    is_loaded: AtomicBool,
}

impl Snapshots {
    /// Those that the settings ask for, if they do, and the orders of their thread. Looks whether
    /// the file can be read and written.
    ///
    /// # Errors
    ///
    /// When it cannot, or is none of ours.
    pub(super) fn open(config: &Config) -> Result<Option<Opened>, StartError> {
        let Some(path) = &config.snapshot_file else {
            return Ok(None);
        };
        let checked = judge(path).and_then(|()| {
            let probe = Replacement::begin(path, MODE);
            probe.map(drop).map_err(|error| {
                format!(
                    "{error}; larderd writes FILE.new beside it, so its account needs to write \
                     to that folder"
                )
            })
        });
        checked.map_err(|cause| StartError::Snapshot {
            path: path.clone(),
            cause,
        })?;
        let (sender, orders) = crossbeam_channel::unbounded();
        let interval_s = config.snapshot_interval_s;
        let snapshots = Self {
            path: path.clone(),
            interval: (interval_s != 0).then(|| Duration::from_secs(interval_s.into())),
            rate: (config.snapshot_rate != 0).then_some(config.snapshot_rate),
            orders: sender,
            is_taking: AtomicBool::new(false),
            taken: AtomicU64::new(0),
            failures: AtomicU64::new(0),
            last: Mutex::new(None),
            restored: AtomicU64::new(0),
            is_loaded: AtomicBool::new(false),
        };
        Ok(Some((Arc::new(snapshots), orders)))
    }

    /// Reads the file into an empty store, unless that has items already from a memory that was
    /// kept: those are newer. `go_on` is asked from time to time.
    pub(super) fn load(
        &self,
        store: &Store,
        clock: &Clock,
        is_kept: bool,
        go_on: &dyn Fn() -> bool,
    ) -> Loaded {
        if is_kept {
            log::info!(
                "the snapshot is not read: items are kept in memory  file={}",
                self.path.display()
            );
            self.is_loaded.store(true, Ordering::Release);
            return Loaded::Done(0);
        }
        let loaded = load::load(&self.path, store, clock, go_on);
        if let Loaded::Done(items) = loaded {
            self.restored.store(items, Ordering::Relaxed);
            self.is_loaded.store(true, Ordering::Release);
        }
        loaded
    }

    /// Has a snapshot taken by the thread.
    pub(super) fn ask(&self) -> SnapshotReply {
        if !self.is_loaded.load(Ordering::Acquire) || self.is_taking.swap(true, Ordering::AcqRel) {
            return SnapshotReply::Busy;
        }
        match self.orders.send(Order::Take) {
            Ok(()) => SnapshotReply::Begun,
            // The thread has ended, and so does the daemon.
            Err(_) => SnapshotReply::Busy,
        }
    }

    /// Has the thread end, and leave what it is writing.
    pub(super) fn stop(&self) {
        let _ = self.orders.send(Order::Stop);
    }

    /// Takes snapshots when they are due or asked for, until told to stop.
    pub(super) fn run(&self, shared: &Shared, orders: &Receiver<Order>) {
        let mut due = self.due(Instant::now());
        loop {
            let order = match due {
                Some(due) => orders.recv_deadline(due),
                None => orders.recv().map_err(|_| RecvTimeoutError::Disconnected),
            };
            match order {
                Ok(Order::Take) | Err(RecvTimeoutError::Timeout) => {}
                Ok(Order::Stop) | Err(RecvTimeoutError::Disconnected) => return,
            }
            due = self.due(Instant::now());
            self.is_taking.store(true, Ordering::Release);
            let pace = Pace::of(self.rate, orders);
            let result = self.take(&shared.store, &shared.clock, pace);
            self.is_taking.store(false, Ordering::Release);
            if result == Err(Failure::Stopped) {
                return;
            }
        }
    }

    fn due(&self, now: Instant) -> Option<Instant> {
        now.checked_add(self.interval?)
    }

    /// Takes one when nobody is served any more. `news` is called from time to time. Nothing is
    /// written when the store has not got what is in the file.
    pub(super) fn take_last(&self, store: &Store, clock: &Clock, news: &dyn Fn()) {
        if self.is_loaded.load(Ordering::Acquire) {
            clock.tick();
            let _ = self.take(store, clock, Pace::unbounded(news));
        }
    }

    fn take(&self, store: &Store, clock: &Clock, pace: Pace<'_>) -> Result<(), Failure> {
        let file = self.path.display();
        let result = save::save(&self.path, store, clock, pace);
        match &result {
            Ok(taken) => {
                self.taken.fetch_add(1, Ordering::Relaxed);
                *self.last.lock() = Some(*taken);
                log::info!(
                    "snapshot written  file={file} items={} mb={} ms={}",
                    taken.items,
                    taken.size >> 20,
                    taken.took_ms
                );
            }
            Err(Failure::Stopped) => {}
            Err(Failure::System(error)) => {
                self.failures.fetch_add(1, Ordering::Relaxed);
                log::warn!("snapshot not written, the one before stays  file={file} error={error}");
            }
        }
        result.map(drop)
    }

    /// What is told of them.
    pub(super) fn facts(&self) -> SnapshotFacts {
        SnapshotFacts {
            is_taking: self.is_taking.load(Ordering::Relaxed),
            taken: self.taken.load(Ordering::Relaxed),
            failures: self.failures.load(Ordering::Relaxed),
            restored_items: self.restored.load(Ordering::Relaxed),
            last: self.last.lock().unwrap_or_default(),
        }
    }
}

/// Refuses a file that is somebody else's, as far as one can see.
fn judge(path: &Path) -> Result<(), String> {
    let mut file = match open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(error) => {
            return Err(format!(
                "{error}; larderd's account must be able to read it"
            ));
        }
    };
    let facts = file.metadata().map_err(|error| error.to_string())?;
    if !facts.is_file() {
        return Err("it is no regular file".to_owned());
    }
    if facts.uid() != 0 && facts.uid() != rustix::process::geteuid().as_raw() {
        return Err("it belongs to another user; give it to larderd's account".to_owned());
    }
    let mut mark = Vec::new();
    let beginning = (&mut file).take(MARK.len() as u64);
    let mut beginning = std::io::BufReader::new(beginning);
    let read = beginning.read_to_end(&mut mark);
    read.map_err(|error| error.to_string())?;
    if !mark.is_empty() && !is_snapshot(&mark) {
        return Err(
            "larderd has not written what is there; remove the file or name another".to_owned(),
        );
    }
    Ok(())
}

/// Opens a snapshot; a pipe would keep us waiting.
fn open(path: &Path) -> std::io::Result<File> {
    File::options()
        .read(true)
        .custom_flags(libc::O_NONBLOCK)
        .open(path)
}

/// Tells something now and then.
pub(super) struct News<'a> {
    tell: &'a dyn Fn(),
    told: Instant,
}

impl<'a> News<'a> {
    pub(super) fn new(tell: &'a dyn Fn()) -> Self {
        tell();
        Self {
            tell,
            told: Instant::now(),
        }
    }

    pub(super) fn go_on(&mut self, now: Instant) {
        if now.saturating_duration_since(self.told) >= NEWS_PAUSE {
            self.told = now;
            (self.tell)();
        }
    }
}
