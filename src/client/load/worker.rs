//! One thread of a load: its connections, and the loop that keeps them busy.

use std::io;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Token};
use rustix::fd::{AsRawFd, OwnedFd};
use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create,
    timerfd_settime,
};

use super::keys::Pick;
use super::lane::{Flight, Lane, Rules};
use super::random::Random;
use super::{Arrivals, Counts, Spec, Wait};
use crate::client::Error;
use crate::client::stream::Stream;

/// Bytes read at a time.
const SCRATCH_SIZE: usize = 256 << 10;

/// Requests that a connection may be behind its schedule before more are dropped.
const BACKLOG_COUNT_MAX: usize = 1 << 20;

/// How long a thread sleeps at most before it looks whether the run is over.
const GLANCE: Duration = Duration::from_millis(20);

/// The run is being prepared and nothing is counted.
pub(super) const WARMING: u8 = 0;
/// What happens is counted.
pub(super) const COUNTING: u8 = 1;
/// The run is over.
pub(super) const OVER: u8 = 2;

/// What a thread has done so far; it writes, anyone reads.
#[derive(Debug, Default)]
pub(super) struct Progress {
    gets: AtomicU64,
    sets: AtomicU64,
    hits: AtomicU64,
    misses: AtomicU64,
    value_bytes: AtomicU64,
    errors: AtomicU64,
}

impl Progress {
    pub(super) fn counts(&self) -> Counts {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Counts {
            gets: read(&self.gets),
            sets: read(&self.sets),
            hits: read(&self.hits),
            misses: read(&self.misses),
            value_bytes: read(&self.value_bytes),
            errors: read(&self.errors),
        }
    }
}

/// Adds to a counter that only this thread writes.
fn add(counter: &AtomicU64, by: u64) {
    counter.store(counter.load(Ordering::Relaxed) + by, Ordering::Relaxed);
}

/// What a thread brings home.
pub(super) struct Yield {
    /// Nanoseconds from request to reply.
    pub(super) gets: Histogram<u64>,
    /// The same of sets.
    pub(super) sets: Histogram<u64>,
    /// Nanoseconds from when a request should have been sent to when it was. Open loop only.
    pub(super) late: Histogram<u64>,
    /// Requests that should have been sent and were not.
    pub(super) unsent: u64,
    /// When it ended.
    pub(super) ended: Instant,
}

/// An empty histogram: up to a minute, to three digits.
pub(super) fn histogram() -> Histogram<u64> {
    #[expect(
        clippy::expect_used,
        reason = "the bounds are constants that the crate accepts"
    )]
    Histogram::new_with_bounds(1, 60_000_000_000, 3).expect("good bounds")
}

/// What a thread is to do.
pub(super) struct Task<'a> {
    pub(super) spec: &'a Spec,
    pub(super) pick: Pick,
    pub(super) streams: Vec<Stream>,
    /// Requests to send, when that ends the run.
    pub(super) request_count: Option<u64>,
    /// Requests a second that this thread sends, open loop only.
    pub(super) rate: f64,
    pub(super) progress: &'a Progress,
    pub(super) phase: &'a AtomicU8,
}

/// Runs a thread's part to the end of the run.
pub(super) fn run(task: Task<'_>) -> Result<Yield, Error> {
    let mut poll = Poll::new().map_err(Error::Local)?;
    let mut lanes = Vec::with_capacity(task.streams.len());
    for (index, stream) in task.streams.into_iter().enumerate() {
        let lane = Lane::new(stream, poll.registry(), Token(index));
        lanes.push(lane.map_err(Error::Local)?);
    }
    let schedule = match task.spec.arrivals {
        Arrivals::Closed => None,
        Arrivals::Open { poisson, .. } => {
            let schedule = Schedule::new(task.rate, poisson, task.spec.keys.seed, &poll);
            Some(schedule.map_err(Error::Local)?)
        }
    };
    let mut crew = Crew {
        rules: Rules {
            dialect: task.spec.dialect,
            keys: &task.spec.keys,
            verify: task.spec.verify,
        },
        spec: task.spec,
        pick: task.pick,
        left: task.request_count,
        exhausted: false,
        start: Instant::now(),
        counting: false,
        progress: task.progress,
        yielded: Yield {
            gets: histogram(),
            sets: histogram(),
            late: histogram(),
            unsent: 0,
            ended: Instant::now(),
        },
        scratch: vec![0; SCRATCH_SIZE],
        key: Vec::new(),
    };
    crew.labour(&mut lanes, schedule, &mut poll, task.phase)?;
    crew.yielded.unsent = lanes.iter().map(|lane| lane.backlog.len() as u64).sum();
    crew.yielded.ended = Instant::now();
    Ok(crew.yielded)
}

/// When requests are due, in an open loop.
struct Schedule {
    /// Nanoseconds between two requests.
    interval_ns: f64,
    /// When the next is due, in nanoseconds of the run.
    next_ns: f64,
    poisson: Option<Random>,
    /// Who is next to send.
    turn: usize,
    timer: OwnedFd,
}

impl Schedule {
    fn new(rate: f64, poisson: bool, seed: u64, poll: &Poll) -> io::Result<Self> {
        let timer = timerfd_create(TimerfdClockId::Monotonic, TimerfdFlags::NONBLOCK)?;
        let token = Token(usize::MAX - 1);
        let source = timer.as_raw_fd();
        poll.registry()
            .register(&mut SourceFd(&source), token, Interest::READABLE)?;
        Ok(Self {
            interval_ns: 1e9 / rate,
            next_ns: 0.0,
            poisson: poisson.then(|| Random::new(seed)),
            turn: 0,
            timer,
        })
    }

    /// Moves on to the next request.
    fn advance(&mut self) {
        self.next_ns += match &mut self.poisson {
            None => self.interval_ns,
            // 1 - x is above zero, as x is below one.
            Some(random) => -(1.0 - random.fraction()).ln() * self.interval_ns,
        };
    }

    /// Has the poll wake when the next request is due.
    fn arm(&self, now_ns: u64) -> io::Result<()> {
        // Zero would disarm it.
        let wait_ns = (self.next_ns - now_ns as f64).clamp(1.0, 1e9);
        #[expect(clippy::cast_possible_truncation, reason = "at most a second")]
        let wait = Timespec {
            tv_sec: wait_ns as i64 / 1_000_000_000,
            tv_nsec: wait_ns as i64 % 1_000_000_000,
        };
        let spec = Itimerspec {
            it_interval: Timespec {
                tv_sec: 0,
                tv_nsec: 0,
            },
            it_value: wait,
        };
        timerfd_settime(&self.timer, TimerfdTimerFlags::empty(), &spec)?;
        Ok(())
    }
}

/// A thread at work.
struct Crew<'a> {
    rules: Rules<'a>,
    spec: &'a Spec,
    pick: Pick,
    /// Requests that may still be begun.
    left: Option<u64>,
    /// Whether there are no more keys.
    exhausted: bool,
    start: Instant,
    counting: bool,
    progress: &'a Progress,
    yielded: Yield,
    scratch: Vec<u8>,
    key: Vec<u8>,
}

impl Crew<'_> {
    fn now_ns(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }

    fn labour(
        &mut self,
        lanes: &mut [Lane],
        mut schedule: Option<Schedule>,
        poll: &mut Poll,
        phase: &AtomicU8,
    ) -> Result<(), Error> {
        let mut events = Events::with_capacity(1024);
        self.start = Instant::now();
        if schedule.is_none() {
            for lane in &mut *lanes {
                self.fill(lane)?;
            }
        }
        loop {
            match phase.load(Ordering::Relaxed) {
                WARMING => {}
                COUNTING => self.counting = true,
                _ => return Ok(()),
            }
            if (self.exhausted || self.left == Some(0)) && lanes.iter().all(Lane::is_idle) {
                return Ok(());
            }
            if let Some(schedule) = &mut schedule {
                self.send_due(lanes, schedule)?;
            }
            let timeout = match self.spec.wait {
                Wait::Spin => Duration::ZERO,
                Wait::Sleep => GLANCE,
            };
            match poll.poll(&mut events, Some(timeout)) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                other => other.map_err(Error::Local)?,
            }
            for event in &events {
                let Some(lane) = lanes.get_mut(event.token().0) else {
                    continue;
                };
                if event.is_readable() {
                    self.receive(lane)?;
                    self.fill(lane)?;
                } else if event.is_writable() {
                    lane.flush()?;
                }
            }
        }
    }

    /// Takes the answers that have come on a connection.
    fn receive(&mut self, lane: &mut Lane) -> Result<(), Error> {
        let (rules, mut scratch) = (&self.rules, std::mem::take(&mut self.scratch));
        let (progress, yielded) = (self.progress, &mut self.yielded);
        let (start, counting) = (self.start, self.counting);
        let owes = self.spec.cache_aside;
        let mut owed = std::mem::take(&mut lane.owed);
        let mut now_ns = 0;
        let result = lane.receive(rules, &mut scratch, |flight: Flight| {
            if now_ns == 0 {
                // Once for all that came together.
                now_ns = u64::try_from(start.elapsed().as_nanos()).unwrap_or(u64::MAX);
            }
            let took_ns = now_ns.saturating_sub(flight.begun_ns);
            let misses = flight.keys - flight.hits;
            let histogram = if flight.keys == 0 {
                add(&progress.sets, 1);
                &mut yielded.sets
            } else {
                add(&progress.gets, 1);
                add(&progress.hits, u64::from(flight.hits));
                add(&progress.misses, u64::from(misses));
                add(&progress.value_bytes, flight.value_bytes);
                &mut yielded.gets
            };
            if counting {
                histogram.saturating_record(took_ns);
            }
            add(&progress.errors, u64::from(flight.failed));
            if owes && misses > 0 && !flight.failed {
                owed.push_back(flight.number);
            }
        });
        self.scratch = scratch;
        lane.owed = owed;
        result
    }

    /// Begins as many requests as there is room for, and sends them.
    fn fill(&mut self, lane: &mut Lane) -> Result<(), Error> {
        let is_open = matches!(self.spec.arrivals, Arrivals::Open { .. });
        let depth = self.spec.depth as usize;
        if lane.flights.len() < depth {
            let now_ns = self.now_ns();
            while lane.flights.len() < depth {
                if let Some(number) = lane.owed.pop_front() {
                    self.set(lane, now_ns, number);
                    continue;
                }
                let begun_ns = if is_open {
                    let Some(due_ns) = lane.backlog.pop_front() else {
                        break;
                    };
                    if self.counting {
                        let late_ns = now_ns.saturating_sub(due_ns);
                        self.yielded.late.saturating_record(late_ns);
                    }
                    due_ns
                } else if self.take_one() {
                    now_ns
                } else {
                    break;
                };
                if !self.begin(lane, begun_ns) {
                    break;
                }
            }
        }
        lane.flush()
    }

    /// Hands every request that is due to its connection, in turn.
    fn send_due(&mut self, lanes: &mut [Lane], schedule: &mut Schedule) -> Result<(), Error> {
        loop {
            let now_ns = self.now_ns();
            let mut first = None;
            let mut count = 0;
            while schedule.next_ns <= now_ns as f64 && self.take_one() {
                let lane = &mut lanes[schedule.turn];
                #[expect(
                    clippy::cast_possible_truncation,
                    clippy::cast_sign_loss,
                    reason = "not negative, and not later than now"
                )]
                let due_ns = schedule.next_ns as u64;
                if lane.backlog.len() < BACKLOG_COUNT_MAX {
                    lane.backlog.push_back(due_ns);
                }
                first.get_or_insert(schedule.turn);
                schedule.turn = (schedule.turn + 1) % lanes.len();
                schedule.advance();
                count += 1;
            }
            let Some(first) = first else {
                break;
            };
            for offset in 0..count.min(lanes.len()) {
                let index = (first + offset) % lanes.len();
                self.fill(&mut lanes[index])?;
            }
        }
        if self.spec.wait == Wait::Sleep {
            schedule.arm(self.now_ns()).map_err(Error::Local)?;
        }
        Ok(())
    }

    /// Counts a request off; false when there are to be no more.
    fn take_one(&mut self) -> bool {
        match &mut self.left {
            None => true,
            Some(0) => false,
            Some(left) => {
                *left -= 1;
                true
            }
        }
    }

    /// Begins a request of the kind that is next; false when the last has been begun.
    fn begin(&mut self, lane: &mut Lane, begun_ns: u64) -> bool {
        let Some(number) = self.pick.draw() else {
            self.exhausted = true;
            return false;
        };
        if self.pick.chance(self.spec.set_share) {
            self.set(lane, begun_ns, number);
            return true;
        }
        let count = self.spec.multiget.max(1);
        let (dialect, keys) = (self.spec.dialect, &self.spec.keys);
        let out = lane.begin(begun_ns, number, count);
        if count == 1 {
            self.key.clear();
            keys.write_key(number, &mut self.key);
            dialect.get(out, &self.key);
            return true;
        }
        let mut next = Some(number);
        let mut written = 0;
        dialect.get_many(out, |out| {
            let Some(number) = next else { return false };
            keys.write_key(number, out);
            written += 1;
            next = if written < count {
                self.pick.draw()
            } else {
                None
            };
            true
        });
        true
    }

    fn set(&mut self, lane: &mut Lane, begun_ns: u64, number: u64) {
        let (dialect, keys) = (self.spec.dialect, &self.spec.keys);
        let (low, high) = self.spec.ttl;
        let exptime = if high == 0 {
            0
        } else {
            self.pick.between(low, high)
        };
        self.key.clear();
        keys.write_key(number, &mut self.key);
        let out = lane.begin(begun_ns, number, 0);
        dialect.set_begin(out, &self.key, exptime, keys.size(number).1);
        keys.write_value(number, out);
        dialect.set_end(out);
    }
}
