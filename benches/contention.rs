//! What many workers cost each other, by a model whose constants are measured here.
//!
//! A request spends most of its time where no other worker can be met: system calls, parsing,
//! formatting. Then it holds the lock of one shard for a moment. Workers are so customers of a
//! closed network of queues (Reiser and Lavenberg, Mean-Value Analysis of Closed Multichain
//! Queuing Networks, 1980): a delay, one queue for the shard of a hot key, and one for each other
//! shard. The analysis supposes that holds vary as much as exponential ones; they vary less, so
//! that real queues are shorter than these.
//!
//! Three constants are measured with threads of this process on one store: a hold by one thread,
//! the same with as many threads as there are cores on one key, and on keys of their own. How long
//! a request takes outside comes from `make compare`, as an argument.

use std::env;
use std::hint::black_box;
use std::io::{self, Write};
use std::sync::Barrier;
use std::thread;
use std::time::Instant;

use larder::config::Config;
use larder::store::{Fetch, Fetched, KeyHash, Put, PutStatus, Store};
use larder::time::{FIRST_UPTIME_S, Now};

const HELP: &str = "\
usage: cargo bench --bench contention -- [OPTION]...
  --outside-ns N   processor time of a request outside of locks (default 400, that of a get in a
                   pipeline of 16)
  --hold-ns N      how long a contended lock is held, its journey between cores included (default
                   what is measured here; cores of two sockets are further apart)
  --quick          few operations: shows that it works, not what it costs";

const NOW: Now = Now {
    uptime_s: FIRST_UPTIME_S,
    unix_s: 1_800_000_000,
};

/// Workers that the table shows; the last is also how many the store is made for.
const WORKERS: [u32; 7] = [1, 2, 4, 8, 16, 32, 64];

/// Shares of requests that are for one key.
const HOT_SHARES: [f64; 6] = [0.0, 0.001, 0.01, 0.05, 0.2, 1.0];

/// Bytes that the store may take: enough for all the shards that so many workers are given.
const MEMORY_LIMIT: u64 = 64 << 30;

const VALUE: [u8; 100] = [b'v'; 100];

/// Times of the model, in nanoseconds.
struct Constants {
    /// Outside of any lock.
    outside_ns: f64,
    /// In a lock that no other core has had since.
    alone_ns: f64,
    /// In a lock that others want too: with what it takes to come from another core.
    shared_ns: f64,
}

fn main() -> io::Result<()> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let given = |name: &str| arguments.iter().any(|argument| argument == name);
    let mut out = io::stdout();
    if given("--help") {
        return writeln!(out, "{HELP}");
    }
    let number = |name: &str| -> io::Result<Option<f64>> {
        let index = arguments.iter().position(|argument| argument == name);
        let text = index.and_then(|index| arguments.get(index + 1));
        text.map(|text| text.parse().map_err(io::Error::other))
            .transpose()
    };
    // `cargo bench` passes `--bench`; without it this may be a test run, which must be short.
    let count = if given("--quick") || !given("--bench") {
        10_000
    } else {
        10_000_000
    };
    let config = Config {
        memory_limit: MEMORY_LIMIT,
        ..Config::default()
    };
    let store = Store::new(&config.store(WORKERS[WORKERS.len() - 1] as usize))?;
    let threads = thread::available_parallelism()?.get();
    let alone = hold_ns(&store, 1, count, |_| 0);
    let same = hold_ns(&store, threads, count, |_| 0);
    let apart = hold_ns(&store, threads, count, |thread| thread);
    writeln!(
        out,
        "A hit of 100 bytes, hashed before and copied out: {alone:.0} ns by one thread; {same:.0} ns \
         from one to the next when {threads} threads want one key, {:.0} ns for each of them on \
         keys of their own.\n",
        apart * threads as f64
    )?;
    let constants = Constants {
        outside_ns: number("--outside-ns")?.unwrap_or(400.0),
        alone_ns: alone,
        shared_ns: number("--hold-ns")?.unwrap_or(same.max(alone)),
    };
    table(&constants, store.shard_count())
}

/// Nanoseconds from one hit to the next, whichever of the threads has it.
fn hold_ns(store: &Store, threads: usize, count: u32, key: impl Fn(usize) -> usize) -> f64 {
    let barrier = Barrier::new(threads + 1);
    let keys: Vec<(String, KeyHash)> = (0..threads)
        .map(|thread| {
            let key = format!("key-{:016}", key(thread));
            let hash = store.hash(key.as_bytes());
            let put = Put::new(key.as_bytes(), hash);
            assert_eq!(store.put(&put, &VALUE, NOW).status, PutStatus::Stored);
            (key, hash)
        })
        .collect();
    thread::scope(|scope| {
        for (key, hash) in &keys {
            let barrier = &barrier;
            scope.spawn(move || {
                let mut value = Vec::with_capacity(VALUE.len());
                barrier.wait();
                for _ in 0..count {
                    value.clear();
                    let is_hit = store.fetch(
                        black_box(key.as_bytes()),
                        *hash,
                        NOW,
                        &Fetch::default(),
                        |fetched| match fetched {
                            Fetched::Hit(hit) => {
                                hit.copy_value(&mut value);
                                true
                            }
                            Fetched::Miss(_) => false,
                        },
                    );
                    assert!(is_hit, "a stored key is gone");
                }
                barrier.wait();
            });
        }
        barrier.wait();
        let begin = Instant::now();
        barrier.wait();
        begin.elapsed().as_nanos() as f64 / (f64::from(count) * threads as f64)
    })
}

/// Requests of all workers in a nanosecond.
fn throughput(constants: &Constants, shards: usize, workers: u32, hot_share: f64) -> f64 {
    let cold_share = (1.0 - hot_share) / shards as f64;
    let (mut hot_length, mut cold_length, mut rate) = (0.0, 0.0, 0.0);
    for count in 1..=workers {
        let count = f64::from(count);
        // The line of the lock was here before by chance only.
        let away = (f64::from(workers) - 1.0) / f64::from(workers);
        let hold_ns = constants.alone_ns + (constants.shared_ns - constants.alone_ns) * away;
        let hot_ns = hold_ns * (1.0 + hot_length);
        let cold_ns = hold_ns * (1.0 + cold_length);
        rate = count / (constants.outside_ns + hot_share * hot_ns + (1.0 - hot_share) * cold_ns);
        hot_length = rate * hot_share * hot_ns;
        cold_length = rate * cold_share * cold_ns;
    }
    rate
}

/// Prints by how much more workers do more.
fn table(constants: &Constants, shards: usize) -> io::Result<()> {
    let mut out = io::stdout();
    writeln!(
        out,
        "Requests of {:.0} ns outside of locks and {:.0} ns in one, {:.0} ns when others want it; \
         {shards} shards; times what one worker does.\n",
        constants.outside_ns, constants.alone_ns, constants.shared_ns
    )?;
    let heads: String = HOT_SHARES
        .iter()
        .map(|share| format!(" {} % |", share * 100.0))
        .collect();
    writeln!(out, "| workers |{heads}")?;
    writeln!(out, "|---|{}", "---|".repeat(HOT_SHARES.len()))?;
    let one = throughput(constants, shards, 1, 0.0);
    for workers in WORKERS {
        let cells: String = HOT_SHARES
            .iter()
            .map(|share| {
                let times = throughput(constants, shards, workers, *share) / one;
                format!(" {times:.1} |")
            })
            .collect();
        writeln!(out, "| {workers} |{cells}")?;
    }
    Ok(())
}
