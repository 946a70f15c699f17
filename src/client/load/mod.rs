//! A load for a daemon, and what it shows: how many requests, how long each took, what each cost.
//!
//! ```text
//!   Spec      what is to be sent                          this file
//!    run      threads, phases, readings                   this file
//!     Crew    one thread: a poll, and when to send        worker.rs
//!      Lane   one connection: requests in flight          lane.rs
//!   KeySpace  keys and values by number                   keys.rs, twitter.rs, random.rs
//!   CpuTime   what the system charges a process           process.rs
//! ```
//!
//! In a closed loop a connection sends its next request when it has a reply: as fast as the
//! daemon goes, and a stall of the daemon holds the load back, so that it hides in the latencies.
//! In an open loop requests are due at moments that the daemon has no part in, and latency counts
//! from then, whether or not the connection was free: a stall shows in each request that it
//! delayed.

pub mod keys;
mod lane;
pub mod process;
pub mod random;
mod twitter;
mod worker;

use std::sync::atomic::{AtomicU8, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use rustix::thread::{CpuSet, sched_setaffinity};

use super::Error;
use super::connection::{Access, Connection};
use super::stream::{Address, Stream};
use crate::protocol::client::Dialect;
use keys::{KeySpace, Pick, Popularity};
use process::CpuTime;
use worker::{COUNTING, OVER, Progress, Task, WARMING, Yield};

/// How a thread waits when there is nothing to do.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Wait {
    /// It asks again at once. For a core of its own: the daemon then never pays for waking it.
    Spin,
    /// It sleeps. For a core that is shared.
    Sleep,
}

/// When requests are sent.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Arrivals {
    /// Each connection sends the next when there is room.
    Closed,
    /// At a rate.
    Open {
        /// Requests a second, over all connections.
        rate: f64,
        /// Whether the time between two is random, as with many independent clients, or fixed.
        poisson: bool,
    },
}

/// What ends a run.
#[derive(Clone, Debug, PartialEq)]
pub enum Limit {
    /// This much time, after a warm-up that is not counted.
    Time {
        /// Before anything is counted.
        warm_up: Duration,
        /// While everything is.
        counted: Duration,
    },
    /// This many requests.
    Requests(u64),
    /// One set of each key of a range.
    Fill(std::ops::Range<u64>),
}

/// What is to be sent.
#[derive(Clone, Debug)]
pub struct Spec {
    /// Where to.
    pub server: Address,
    /// How it is come to. The dialect decides whether in packets.
    pub access: Access,
    /// In which words.
    pub dialect: Dialect,
    /// Threads of the load.
    pub threads: usize,
    /// Connections over all threads.
    pub connections: usize,
    /// Requests in flight on a connection.
    pub depth: u32,
    /// Keys and values.
    pub keys: KeySpace,
    /// Which keys.
    pub popularity: Popularity,
    /// Share of requests for keys that are never asked for again.
    pub fresh_share: f64,
    /// Share of requests that store.
    pub set_share: f64,
    /// Keys in a get.
    pub multiget: u32,
    /// Whether a get that misses is followed by a set of its key.
    pub cache_aside: bool,
    /// Least and greatest time to live of what is stored, in seconds; zeros for no end.
    pub ttl: (u32, u32),
    /// When requests are sent.
    pub arrivals: Arrivals,
    /// What ends the run.
    pub limit: Limit,
    /// How threads wait.
    pub wait: Wait,
    /// Whether a value that is not its key's ends the run.
    pub verify: bool,
    /// The process whose processor time is read.
    pub server_pid: Option<u32>,
    /// How long the daemon may leave everything unanswered.
    pub timeout: Duration,
    /// The processors that threads are kept on, in turn; none for wherever the system likes.
    pub cores: Vec<usize>,
}

/// What has happened so far.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Counts {
    /// Gets that were answered, of any number of keys.
    pub gets: u64,
    /// Sets that were answered.
    pub sets: u64,
    /// Keys that were found.
    pub hits: u64,
    /// Keys that were not.
    pub misses: u64,
    /// Bytes of the values that were found.
    pub value_bytes: u64,
    /// Requests that were refused.
    pub errors: u64,
}

impl Counts {
    /// Requests that were answered.
    pub fn requests(&self) -> u64 {
        self.gets + self.sets
    }

    fn and(self, other: Self) -> Self {
        Self {
            gets: self.gets + other.gets,
            sets: self.sets + other.sets,
            hits: self.hits + other.hits,
            misses: self.misses + other.misses,
            value_bytes: self.value_bytes + other.value_bytes,
            errors: self.errors + other.errors,
        }
    }

    fn since(self, earlier: Self) -> Self {
        Self {
            gets: self.gets - earlier.gets,
            sets: self.sets - earlier.sets,
            hits: self.hits - earlier.hits,
            misses: self.misses - earlier.misses,
            value_bytes: self.value_bytes - earlier.value_bytes,
            errors: self.errors - earlier.errors,
        }
    }
}

/// What a run showed.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// What happened while it counted.
    pub counts: Counts,
    /// How long that was, in seconds.
    pub elapsed_s: f64,
    /// Nanoseconds that gets took.
    pub gets: Histogram<u64>,
    /// Nanoseconds that sets took.
    pub sets: Histogram<u64>,
    /// Nanoseconds by which requests were sent later than they were due; open loop only.
    pub late: Histogram<u64>,
    /// Requests that were due and had not been sent at the end; open loop only.
    pub unsent: u64,
    /// What the daemon used, if its process was given.
    pub server_cpu: Option<CpuTime>,
    /// What this process used.
    pub client_cpu: CpuTime,
}

impl Outcome {
    /// Nanoseconds that all requests took.
    pub fn all(&self) -> Histogram<u64> {
        let mut all = self.gets.clone();
        // Both have the same bounds, which is all that could be wrong.
        let _ = all.add(&self.sets);
        all
    }

    /// Requests in a second.
    pub fn rate(&self) -> f64 {
        self.counts.requests() as f64 / self.elapsed_s
    }

    /// Microseconds of processor time that a request cost: all, and in the daemon's own code.
    pub fn server_us(&self) -> Option<(f64, f64)> {
        let each = 1e6 / self.counts.requests() as f64;
        self.server_cpu
            .map(|cpu| (cpu.total_s() * each, cpu.user_s * each))
    }

    /// Share of keys that were found.
    pub fn hit_share(&self) -> f64 {
        self.counts.hits as f64 / (self.counts.hits + self.counts.misses) as f64
    }
}

impl Spec {
    /// Refuses what makes no sense.
    ///
    /// # Errors
    ///
    /// [`Error::Usage`].
    pub fn check(&self) -> Result<(), Error> {
        self.keys.check().map_err(Error::Usage)?;
        let refuse = |words: &str| Err(Error::Usage(words.to_owned()));
        if self.threads == 0 || self.connections < self.threads {
            return refuse("each thread needs a connection");
        }
        if self.depth == 0 {
            return refuse("a depth of 0 sends nothing");
        }
        if self.cache_aside && self.multiget > 1 {
            return refuse("cache-aside asks for one key at a time");
        }
        if let Arrivals::Open { rate, .. } = self.arrivals
            && !(rate.is_finite() && rate >= 1.0)
        {
            return refuse("a rate is at least one request a second");
        }
        Ok(())
    }
}

/// Stores every key of a range once, in order, over one connection.
///
/// # Errors
///
/// As [`run`].
pub fn fill(spec: &Spec, range: std::ops::Range<u64>) -> Result<Outcome, Error> {
    run(&Spec {
        threads: 1,
        connections: 1,
        depth: 64,
        set_share: 1.0,
        arrivals: Arrivals::Closed,
        limit: Limit::Fill(range),
        wait: Wait::Sleep,
        ..spec.clone()
    })
}

/// A moment of a run.
struct Reading {
    at: Instant,
    counts: Counts,
    server_cpu: Option<CpuTime>,
    client_cpu: CpuTime,
}

impl Reading {
    fn now(spec: &Spec, progress: &[Progress]) -> Result<Self, Error> {
        let total = progress
            .iter()
            .fold(Counts::default(), |sum, one| sum.and(one.counts()));
        let of = |pid| CpuTime::of(pid).map_err(Error::Local);
        Ok(Self {
            at: Instant::now(),
            counts: total,
            server_cpu: spec.server_pid.map(of).transpose()?,
            client_cpu: of(std::process::id())?,
        })
    }
}

/// Sends a load and waits for its end.
///
/// # Errors
///
/// [`Error::Usage`] for what makes no sense, [`Error::Connect`], and [`Error::Broken`] when a
/// connection ends or brings what is no reply.
pub fn run(spec: &Spec) -> Result<Outcome, Error> {
    spec.check()?;
    let access = Access {
        binary: spec.dialect == Dialect::Binary,
        ..spec.access.clone()
    };
    let mut streams = Vec::with_capacity(spec.connections);
    for _ in 0..spec.connections {
        let connection = Connection::open(&spec.server, &access)?;
        if connection.is_binary() != access.binary {
            let words = "it speaks packets only; --protocol binary does";
            return Err(Error::Lacks(words.to_owned()));
        }
        streams.push(connection.into_stream());
    }
    let progress: Vec<Progress> = (0..spec.threads).map(|_| Progress::default()).collect();
    let is_timed = matches!(spec.limit, Limit::Time { .. });
    let phase = AtomicU8::new(if is_timed { WARMING } else { COUNTING });
    let first = Reading::now(spec, &progress)?;
    thread::scope(|scope| {
        let mut threads = Vec::new();
        for (index, progress) in progress.iter().enumerate() {
            let mine = streams.split_off(streams.len() - share(spec.connections, spec, index));
            let task = task(spec, index, mine, progress, &phase);
            let cores = &spec.cores;
            let phase = &phase;
            threads.push(scope.spawn(move || {
                let result = pin(cores, index).and_then(|()| worker::run(task));
                if result.is_err() {
                    phase.store(OVER, Ordering::Relaxed);
                }
                result
            }));
        }
        let wait = |limit: Option<Duration>| {
            let begin = Instant::now();
            let mut seen = (begin, 0);
            while !threads.iter().all(thread::ScopedJoinHandle::is_finished) {
                let left = limit.map(|limit| limit.saturating_sub(begin.elapsed()));
                if left.is_some_and(|left| left.is_zero()) {
                    break;
                }
                let answered = progress.iter().map(|one| one.counts().requests()).sum();
                if answered != seen.1 {
                    seen = (Instant::now(), answered);
                } else if seen.0.elapsed() > spec.timeout {
                    return Err(Error::Broken(std::io::ErrorKind::TimedOut.into()));
                }
                let step = Duration::from_millis(5);
                thread::sleep(left.map_or(step, |left| left.min(step)));
            }
            Ok(())
        };
        let readings = (|| match spec.limit {
            Limit::Time { warm_up, counted } => {
                wait(Some(warm_up))?;
                let begin = Reading::now(spec, &progress)?;
                // Unless a thread has given up meanwhile.
                let (from, to) = (WARMING, COUNTING);
                let _ = phase.compare_exchange(from, to, Ordering::Relaxed, Ordering::Relaxed);
                wait(Some(counted))?;
                Ok((begin, Reading::now(spec, &progress)?))
            }
            Limit::Requests(_) | Limit::Fill(_) => {
                wait(None)?;
                Ok((first, Reading::now(spec, &progress)?))
            }
        })();
        phase.store(OVER, Ordering::Relaxed);
        let mut yields = Vec::new();
        for thread in threads {
            let joined = thread.join();
            let failed = || Error::Local(std::io::Error::other("a thread of the load panicked"));
            yields.push(joined.map_err(|_| failed())??);
        }
        let (begin, end) = readings?;
        Ok(outcome(begin, end, yields, is_timed))
    })
}

fn outcome(begin: Reading, end: Reading, yields: Vec<Yield>, is_timed: bool) -> Outcome {
    let mut outcome = Outcome {
        counts: end.counts.since(begin.counts),
        elapsed_s: 0.0,
        gets: worker::histogram(),
        sets: worker::histogram(),
        late: worker::histogram(),
        unsent: 0,
        server_cpu: end
            .server_cpu
            .zip(begin.server_cpu)
            .map(|(end, begin)| end.since(begin)),
        client_cpu: end.client_cpu.since(begin.client_cpu),
    };
    let mut last = begin.at;
    for one in yields {
        // All have the same bounds, which is all that could be wrong.
        let _ = outcome.gets.add(one.gets);
        let _ = outcome.sets.add(one.sets);
        let _ = outcome.late.add(one.late);
        outcome.unsent += one.unsent;
        last = last.max(one.ended);
    }
    let until = if is_timed { end.at } else { last };
    outcome.elapsed_s = until.duration_since(begin.at).as_secs_f64();
    outcome
}

fn task<'a>(
    spec: &'a Spec,
    index: usize,
    streams: Vec<Stream>,
    progress: &'a Progress,
    phase: &'a AtomicU8,
) -> Task<'a> {
    let (thread, threads) = (index as u64, spec.threads as u64);
    let pick = match &spec.limit {
        Limit::Fill(range) => Pick::once(range.clone()),
        _ => Pick::new(
            &spec.keys,
            spec.popularity,
            spec.fresh_share,
            thread,
            threads,
        ),
    };
    let request_count = match spec.limit {
        Limit::Requests(count) => Some(count / threads + u64::from(thread < count % threads)),
        _ => None,
    };
    let rate = match spec.arrivals {
        Arrivals::Closed => 0.0,
        // In proportion to the connections, so that each has the same share of the rate.
        Arrivals::Open { rate, .. } => rate * streams.len() as f64 / spec.connections as f64,
    };
    Task {
        spec,
        pick,
        streams,
        request_count,
        rate,
        progress,
        phase,
    }
}

/// The connections of one thread of several.
fn share(connections: usize, spec: &Spec, index: usize) -> usize {
    connections / spec.threads + usize::from(index < connections % spec.threads)
}

/// Keeps the calling thread on its core.
fn pin(cores: &[usize], index: usize) -> Result<(), Error> {
    if cores.is_empty() {
        return Ok(());
    }
    let mut set = CpuSet::new();
    set.set(cores[index % cores.len()]);
    sched_setaffinity(None, &set).map_err(|error| Error::Local(error.into()))
}
