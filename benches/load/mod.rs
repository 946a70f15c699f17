//! A closed-loop load generator for servers that speak memcached's protocol, and the means to
//! read what a request costs them.
//!
//! The measure is processor time of the server for each request, read from outside (`/proc`), not
//! requests in a second: it stays true when the generator, not the server, is at its limit.
//! Start reading at [`measure`].

pub(crate) mod client;
pub(crate) mod cores;
pub(crate) mod floor;
pub(crate) mod keys;
pub(crate) mod machine;
pub(crate) mod server;
pub(crate) mod wire;

use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use client::{Progress, Wait};
use keys::{Pick, Random};
use server::{CpuTime, Server};
use wire::{Format, Operation};

/// What the clients of a run do.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shape {
    /// What requests and replies look like.
    pub(crate) format: Format,
    /// What each request does.
    pub(crate) operation: Operation,
    /// Requests that a connection sends at once.
    pub(crate) depth: u32,
    /// Connections, over all threads.
    pub(crate) connections: u32,
    /// How the threads wait.
    pub(crate) wait: Wait,
}

/// What a run showed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sample {
    /// Requests answered between the two readings.
    pub(crate) requests: u64,
    /// Keys not found between the two readings.
    pub(crate) misses: u64,
    /// Time between the two readings.
    pub(crate) elapsed_s: f64,
    /// What the server used between the two readings.
    pub(crate) cpu: CpuTime,
}

impl Sample {
    /// Microseconds of the server's processor time for each request.
    pub(crate) fn us(&self) -> f64 {
        self.cpu.total_s() * 1e6 / self.requests as f64
    }

    /// Of [`Self::us`], those spent in the server's own code.
    pub(crate) fn user_us(&self) -> f64 {
        self.cpu.user_s * 1e6 / self.requests as f64
    }
}

/// Loads a server for `seconds` from one thread on each of the cores `on`, after a warm-up that
/// is not counted.
pub(crate) fn measure(
    server: &Server,
    shape: &Shape,
    seconds: f64,
    on: &[usize],
) -> io::Result<Sample> {
    let stop = AtomicBool::new(false);
    let progress: Vec<Progress> = on.iter().map(|_| Progress::default()).collect();
    let total = || {
        progress.iter().fold((0, 0), |(requests, misses), one| {
            (
                requests + one.requests.load(Ordering::Relaxed),
                misses + one.misses.load(Ordering::Relaxed),
            )
        })
    };
    thread::scope(|scope| {
        let mut threads = Vec::new();
        for (index, &core) in on.iter().enumerate() {
            let (progress, stop, address) = (&progress[index], &stop, server.address);
            let share = share(shape.connections, on.len(), index);
            threads.push(scope.spawn(move || {
                cores::pin(&[core])?;
                let pick = Pick::Uniform(Random(index as u64));
                client::run(shape, address, share, pick, progress, stop)
            }));
        }
        thread::sleep(Duration::from_secs_f64(seconds / 5.0));
        let (begin, cpu, before) = (Instant::now(), server.cpu()?, total());
        thread::sleep(Duration::from_secs_f64(seconds));
        let (elapsed, cpu, after) = (begin.elapsed(), server.cpu()?.since(cpu), total());
        stop.store(true, Ordering::Relaxed);
        for thread in threads {
            thread
                .join()
                .map_err(|_| io::Error::other("a load thread panicked"))??;
        }
        Ok(Sample {
            requests: after.0 - before.0,
            misses: after.1 - before.1,
            elapsed_s: elapsed.as_secs_f64(),
            cpu,
        })
    })
}

/// Stores the keys of a range, each once and in order.
pub(crate) fn fill(
    address: SocketAddr,
    format: Format,
    range: std::ops::Range<u32>,
    core: usize,
) -> io::Result<()> {
    let shape = Shape {
        format,
        operation: Operation::Set,
        depth: 32,
        connections: 4,
        wait: Wait::Sleep,
    };
    let stop = AtomicBool::new(false);
    let progress = Progress::default();
    let pick = Pick::Sequential(range);
    cores::with(&[core], || {
        client::run(&shape, address, shape.connections, pick, &progress, &stop)
    })
}

/// The connections of one thread of several.
fn share(connections: u32, threads: usize, index: usize) -> u32 {
    let threads = u32::try_from(threads).unwrap_or(1).max(1);
    let extra = (index as u64) < u64::from(connections % threads);
    connections / threads + u32::from(extra)
}
