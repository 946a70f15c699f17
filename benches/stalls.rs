//! The longest that any one call of the store takes, in process and on one thread.
//!
//! Each scene is a run of calls that is the same every time: seeded keys, a seeded hash, and time
//! that is told. It is played several times with a fresh store, and what counts for a call is the
//! shortest time that it took in any of them. So neither the scheduler nor the neighbours have a
//! part in the figures, and the work that the call has to do shows: a page that moves, a page
//! fault, a chain that is freed.
//!
//! A client's call holds the lock of its shard nearly all the time it takes. Upkeep takes one
//! lock after another, so its time is more than anybody waits for it.

use std::env;
use std::io::{self, Write};
use std::time::Instant;

use larder::client::load::random::Random;
use larder::config::Config;
use larder::store::{Delete, Fetch, Fetched, Put, PutMode, SizeWalk, Store};
use larder::time::{Expiry, FIRST_UPTIME_S, Now};

const HELP: &str = "\
usage: cargo bench --bench stalls -- [OPTION...]
  --quick         few calls and one round: shows that it works
  --rounds N      how often each scene is played (default 5)
  --only WORDS    only scenes whose name contains WORDS";

/// Calls between two steps of upkeep: about as many as two workers make meanwhile.
const UPKEEP_EVERY: u64 = 64;

/// Calls in a second of told time.
const CALLS_PER_S: u64 = 20_000;

/// Calls of a scene, but where it says otherwise.
const CALLS: u64 = 400_000;

/// Bytes that reach a store at once, of a value that is too long for one read.
const ARRIVAL_SIZE: usize = 64 << 10;

/// Items that one `stats cachedump` shows at the most: two megabytes.
const CACHEDUMP_COUNT: u32 = 40_000;

/// A scene: its name, what it is played in, and what is done.
struct Scene {
    name: &'static str,
    megabytes: u64,
    item_size_max: u32,
    play: fn(&mut Player),
}

const SCENES: &[Scene] = &[
    Scene {
        name: "new items of 10 bytes: the index grows",
        megabytes: 1024,
        item_size_max: 1 << 20,
        play: |player| player.sets(CALLS * 2, |_| 10),
    },
    Scene {
        name: "new items of 20 to 1019 bytes, memory full",
        megabytes: 64,
        item_size_max: 1 << 20,
        play: |player| player.sets(CALLS, |random| 20 + random.below(1000)),
    },
    Scene {
        name: "values of 4000 bytes take the memory of small ones: pages move",
        megabytes: 64,
        item_size_max: 1 << 20,
        play: |player| {
            player.sets(CALLS * 2, |_| 10);
            player.sets(CALLS, |_| 4000);
        },
    },
    Scene {
        name: "the same in pages of 1 MiB",
        megabytes: 40 << 10,
        item_size_max: 1 << 20,
        play: |player| {
            player.limit(256 << 20);
            player.sets(CALLS * 4, |_| 10);
            player.sets(CALLS, |_| 4000);
        },
    },
    Scene {
        name: "small and large values by turns, hits and deletes",
        megabytes: 64,
        item_size_max: 1 << 20,
        play: |player| player.mix(CALLS),
    },
    Scene {
        name: "flush_all of 1 million items, and new ones",
        megabytes: 256,
        item_size_max: 1 << 20,
        play: |player| {
            player.sets(1_000_000, |_| 10);
            player.flush();
            player.sets(CALLS, |_| 10);
        },
    },
    Scene {
        name: "1 million items expire in one second",
        megabytes: 256,
        item_size_max: 1 << 20,
        play: |player| {
            player.ttl_s = 100;
            player.sets(1_000_000, |_| 10);
            player.ttl_s = 0;
            player.now.uptime_s += 100;
            player.sets(CALLS, |_| 10);
        },
    },
    Scene {
        name: "the limit falls from 256 to 64 MiB",
        megabytes: 256,
        item_size_max: 1 << 20,
        play: |player| {
            player.sets(CALLS, |random| 20 + random.below(1000));
            player.limit(64 << 20);
            player.sets(CALLS, |random| 20 + random.below(1000));
        },
    },
    Scene {
        name: "values of 1 MB, stored, prepended to and deleted",
        megabytes: 256,
        item_size_max: 2 << 20,
        play: |player| player.large(1500, 1_000_000),
    },
    Scene {
        name: "values of 30 MB (-I 64m), stored, prepended to and deleted",
        megabytes: 512,
        item_size_max: 64 << 20,
        play: |player| player.large(60, 30_000_000),
    },
    Scene {
        name: "stats sizes and slabs reassign with 1 million items",
        megabytes: 256,
        item_size_max: 1 << 20,
        play: |player| {
            player.sets(1_000_000, |_| 10);
            player.ask(50);
        },
    },
];

/// Plays a scene and notes how long each call takes, in nanoseconds.
struct Player {
    store: Store,
    random: Random,
    now: Now,
    /// Keys stored so far.
    count: u64,
    calls: u64,
    ttl_s: u32,
    /// Divides amounts.
    scale: u64,
    key: Vec<u8>,
    bytes: Vec<u8>,
    clients: Vec<u32>,
    upkeep: Vec<u32>,
}

fn put<'k>(store: &Store, key: &'k [u8], mode: PutMode, expiry: Expiry) -> Put<'k> {
    Put {
        mode,
        expiry,
        drop_on_failure: mode == PutMode::Set,
        ..Put::new(key, store.hash(key))
    }
}

fn nanoseconds(begin: Instant) -> u32 {
    u32::try_from(begin.elapsed().as_nanos()).unwrap_or(u32::MAX)
}

impl Player {
    fn new(scene: &Scene, scale: u64) -> io::Result<Self> {
        let config = Config {
            memory_limit: scene.megabytes << 20,
            item_size_max: scene.item_size_max,
            ..Config::default()
        };
        let mut config = config.store(2);
        config.hash_seed = Some(1);
        Ok(Self {
            store: Store::new(&config)?,
            random: Random::new(1),
            now: Now {
                uptime_s: FIRST_UPTIME_S,
                unix_s: 1_800_000_000,
            },
            count: 0,
            calls: 0,
            ttl_s: 0,
            scale,
            key: Vec::new(),
            bytes: vec![b'v'; 64 << 20],
            clients: Vec::new(),
            upkeep: Vec::new(),
        })
    }

    /// Writes the name of a key.
    fn name(&mut self, number: u64) {
        self.key.clear();
        let _ = write!(self.key, "key:{number:016}");
    }

    /// Times one call of a client; upkeep and time go on beside it.
    fn call<R>(&mut self, call: impl FnOnce(&Store, &[u8], &[u8], Now) -> R) -> R {
        let begin = Instant::now();
        let result = call(&self.store, &self.key, &self.bytes, self.now);
        self.clients.push(nanoseconds(begin));
        self.calls += 1;
        if self.calls.is_multiple_of(UPKEEP_EVERY) {
            self.keep_up();
        }
        if self.calls.is_multiple_of(CALLS_PER_S) {
            self.now.uptime_s += 1;
            self.now.unix_s += 1;
        }
        result
    }

    fn keep_up(&mut self) {
        let begin = Instant::now();
        self.store.upkeep(self.now);
        self.upkeep.push(nanoseconds(begin));
    }

    /// Stores a value under the key that was named last.
    fn set(&mut self, mode: PutMode, size: usize) {
        let expiry = match self.ttl_s {
            0 => Expiry::NEVER,
            ttl_s => Expiry::at(self.now.uptime_s + ttl_s),
        };
        if size <= ARRIVAL_SIZE {
            self.call(|store, key, bytes, now| {
                store.put(&put(store, key, mode, expiry), &bytes[..size], now)
            });
            return;
        }
        let announced = u32::try_from(size).unwrap_or(u32::MAX);
        let begun = self.call(|store, key, _, now| {
            store.begin_upload(&put(store, key, mode, expiry), announced, now)
        });
        let Ok(mut upload) = begun else { return };
        let mut left = size;
        while left > 0 {
            let part = left.min(ARRIVAL_SIZE);
            let filled = self
                .call(|store, _, bytes, now| store.fill_upload(&mut upload, &bytes[..part], now));
            if filled.is_err() {
                self.call(|store, _, _, _| store.abort_upload(upload));
                return;
            }
            left -= part;
        }
        self.call(|store, _, _, now| store.finish_upload(upload, now));
    }

    fn get(&mut self) {
        self.call(|store, key, _, now| {
            let hash = store.hash(key);
            store.fetch(key, hash, now, &Fetch::default(), |fetched| {
                matches!(fetched, Fetched::Hit(_))
            })
        });
    }

    fn delete(&mut self) {
        self.call(|store, key, _, now| {
            let _ = store.delete(&Delete::new(key, store.hash(key)), now);
        });
    }

    /// Stores new items of drawn sizes.
    fn sets(&mut self, count: u64, size: impl Fn(&mut Random) -> u64) {
        for _ in 0..count / self.scale {
            self.count += 1;
            self.name(self.count);
            let size = size(&mut self.random);
            self.set(PutMode::Set, usize::try_from(size).unwrap_or(0));
        }
    }

    /// Sizes that change by the second, some hits, some deletes, some values that expire.
    fn mix(&mut self, count: u64) {
        for _ in 0..count / self.scale {
            let known = self.random.below(self.count + 1);
            match self.random.below(10) {
                0..4 => {
                    self.name(known);
                    self.get();
                }
                4 => {
                    self.name(known);
                    self.delete();
                }
                _ => {
                    self.ttl_s = if known.is_multiple_of(4) { 3 } else { 0 };
                    let turn = self.now.uptime_s % 3;
                    let size = match self.random.below(1000) {
                        0 => 200_000,
                        1..20 => 10_000,
                        _ if turn == 0 => 20,
                        _ if turn == 1 => 400,
                        _ => 2000,
                    };
                    self.sets(self.scale, |_| size);
                }
            }
        }
    }

    /// Stores, joins and deletes a few keys with long values.
    fn large(&mut self, count: u64, size: usize) {
        for _ in 0..count.div_ceil(self.scale) {
            let number = self.random.below(10);
            self.name(number);
            match self.random.below(6) {
                0 => self.delete(),
                1 => self.set(PutMode::Prepend, 100),
                2 => self.set(PutMode::Append, 100),
                _ => self.set(PutMode::Set, size),
            }
        }
    }

    fn flush(&mut self) {
        self.call(|store, _, _, now| store.flush(None, now));
    }

    fn limit(&mut self, bytes: u64) {
        self.call(|store, _, _, _| store.set_memory_limit(bytes));
    }

    /// What operators ask.
    fn ask(&mut self, count: u64) {
        for _ in 0..count.div_ceil(self.scale) {
            self.call(|store, _, _, now| store.reassign(-1, 20, now));
            for _ in 0..20 {
                self.keep_up();
            }
        }
        let mut left = CACHEDUMP_COUNT;
        self.call(|store, _, _, now| {
            store.cachedump(1, now, &mut |_| {
                left -= 1;
                left > 0
            });
        });
        let mut walk = SizeWalk::default();
        while !self.call(|store, _, _, now| store.count_sizes(&mut walk, now)) {}
    }
}

/// The p99.9 and the longest of some times, in microseconds.
fn figures(times: &mut [u32]) -> (f64, f64) {
    times.sort_unstable();
    let Some(last) = times.len().checked_sub(1) else {
        return (0.0, 0.0);
    };
    let high = times[last * 999 / 1000];
    (f64::from(high) / 1e3, f64::from(times[last]) / 1e3)
}

/// For each call the shorter of two times.
fn merge(best: &mut Vec<u32>, again: Vec<u32>) {
    if best.is_empty() {
        *best = again;
        return;
    }
    assert_eq!(best.len(), again.len(), "the rounds are not the same");
    for (best, again) in best.iter_mut().zip(again) {
        *best = again.min(*best);
    }
}

fn main() -> io::Result<()> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let mut out = io::stdout();
    let given = |name: &str| arguments.iter().any(|argument| argument == name);
    if given("--help") {
        return writeln!(out, "{HELP}");
    }
    let value = |name: &str| {
        let index = arguments.iter().position(|argument| argument == name)?;
        arguments.get(index + 1)
    };
    // `cargo bench` passes `--bench`; without it this may be a test run, which must be short.
    let quick = given("--quick") || !given("--bench");
    let scale = if quick { 100 } else { 1 };
    let rounds = match value("--rounds") {
        Some(count) => count.parse().map_err(io::Error::other)?,
        None if quick => 1,
        None => 5,
    };
    let only = value("--only").cloned().unwrap_or_default();
    writeln!(
        out,
        "| scene | calls | p99.9 us | longest us | steps of upkeep | p99.9 us | longest us |"
    )?;
    writeln!(out, "|---|---|---|---|---|---|---|")?;
    for scene in SCENES.iter().filter(|scene| scene.name.contains(&only)) {
        let (mut clients, mut upkeep) = (Vec::new(), Vec::new());
        for _ in 0..rounds {
            let mut player = Player::new(scene, scale)?;
            (scene.play)(&mut player);
            merge(&mut clients, player.clients);
            merge(&mut upkeep, player.upkeep);
        }
        let ((high, longest), (high_upkeep, longest_upkeep)) =
            (figures(&mut clients), figures(&mut upkeep));
        writeln!(
            out,
            "| {} | {} | {high:.1} | {longest:.0} | {} | {high_upkeep:.0} | {longest_upkeep:.0} |",
            scene.name,
            clients.len(),
            upkeep.len(),
        )?;
        out.flush()?;
    }
    Ok(())
}
