//! Writes a snapshot, at a pace.

use std::io::{self, Write};
use std::os::fd::AsFd;
use std::path::Path;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError};
use rustix::fs::{Advice, fadvise};

use super::super::disk::Replacement;
use super::{MODE, News, Order};
use crate::session::SnapshotTaken;
use crate::store::Store;
use crate::store::snapshot::SnapshotWalk;
use crate::time::Clock;

/// Bytes gathered before they are written.
const WRITE_SIZE: usize = 128 << 10;

/// Bytes written before the disk is waited for, so that it never has much to do at once and other
/// files stay in the system's cache.
const SYNC_SIZE: u64 = 16 << 20;

/// Being ahead by less is not worth a pause.
const PAUSE_MIN: Duration = Duration::from_micros(200);

/// Work after which there is a rest as long where no rate bounds it. A rest after each step would
/// mostly be spent on waking up, and be slower than a rate.
const WORK_MAX: Duration = Duration::from_millis(1);

/// Why there is no snapshot.
#[derive(Debug)]
pub(super) enum Failure {
    /// The daemon ends, which takes one of its own.
    Stopped,
    /// The system refuses.
    System(io::Error),
}

impl PartialEq for Failure {
    fn eq(&self, other: &Self) -> bool {
        matches!(
            (self, other),
            (Self::Stopped, Self::Stopped) | (Self::System(_), Self::System(_))
        )
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::System(error)
    }
}

/// How fast, and who may end it.
pub(super) enum Pace<'a> {
    /// So many bytes a second; without a number, half of the time.
    While {
        rate: Option<u64>,
        began: Instant,
        /// Time of steps since the last rest.
        worked: Duration,
        orders: &'a Receiver<Order>,
    },
    /// As fast as it goes.
    Unbounded(News<'a>),
}

impl<'a> Pace<'a> {
    /// That of a snapshot while clients are served.
    pub(super) fn of(rate: Option<u64>, orders: &'a Receiver<Order>) -> Self {
        Self::While {
            rate,
            began: Instant::now(),
            worked: Duration::ZERO,
            orders,
        }
    }

    /// That of a snapshot when none are any more.
    pub(super) fn unbounded(news: &'a dyn Fn()) -> Self {
        Self::Unbounded(News::new(news))
    }

    /// Rests as long as it takes after a step that ended with so many bytes in all.
    fn rest(&mut self, step_began: Instant, size: u64) -> Result<(), Failure> {
        let now = Instant::now();
        match self {
            Self::Unbounded(news) => {
                news.go_on(now);
                Ok(())
            }
            Self::While {
                rate,
                began,
                worked,
                orders,
            } => {
                let pause = match rate {
                    Some(rate) => {
                        let due = Duration::from_secs_f64(size as f64 / *rate as f64);
                        let ahead = due.saturating_sub(now - *began);
                        if ahead < PAUSE_MIN {
                            Duration::ZERO
                        } else {
                            ahead
                        }
                    }
                    None => {
                        *worked += now - step_began;
                        if *worked < WORK_MAX {
                            Duration::ZERO
                        } else {
                            std::mem::take(worked)
                        }
                    }
                };
                match orders.recv_timeout(pause) {
                    Err(RecvTimeoutError::Timeout) | Ok(Order::Take) => Ok(()),
                    Ok(Order::Stop) | Err(RecvTimeoutError::Disconnected) => Err(Failure::Stopped),
                }
            }
        }
    }
}

/// A file that is written in portions which the disk is waited for.
struct Output {
    new: Replacement,
    size: u64,
    synced: u64,
}

impl Output {
    fn write(&mut self, bytes: &mut Vec<u8>) -> io::Result<()> {
        self.new.file.write_all(bytes)?;
        self.size += bytes.len() as u64;
        bytes.clear();
        if self.size - self.synced >= SYNC_SIZE {
            self.new.file.sync_data()?;
            self.synced = self.size;
            // Nobody reads it before the next start. A system that will not hear of it loses nothing.
            let _ = fadvise(self.new.file.as_fd(), 0, None, Advice::DontNeed);
        }
        Ok(())
    }
}

/// Copies all items into a file that takes the place of `path`.
pub(super) fn save(
    path: &Path,
    store: &Store,
    clock: &Clock,
    mut pace: Pace<'_>,
) -> Result<SnapshotTaken, Failure> {
    let began = Instant::now();
    let mut output = Output {
        new: Replacement::begin(path, MODE)?,
        size: 0,
        synced: 0,
    };
    let mut walk = SnapshotWalk::new(clock.now());
    if let Err(failure) = copy(&mut walk, store, clock, &mut output, &mut pace) {
        store.abandon_snapshot(walk);
        return Err(failure);
    }
    let now = clock.now();
    let (end, mut rest) = store.end_snapshot(walk, now);
    output.write(&mut rest)?;
    let size = output.size;
    output.new.finish()?;
    Ok(SnapshotTaken {
        unix_s: now.unix_s,
        took_ms: u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX),
        items: end.items,
        size,
    })
}

fn copy(
    walk: &mut SnapshotWalk,
    store: &Store,
    clock: &Clock,
    output: &mut Output,
    pace: &mut Pace<'_>,
) -> Result<(), Failure> {
    loop {
        let began = Instant::now();
        if store.snapshot_step(walk, clock.now()) {
            return Ok(());
        }
        if walk.ready().len() >= WRITE_SIZE {
            output.write(walk.ready())?;
        }
        pace.rest(began, output.size + walk.size())?;
    }
}
