//! The store alone, in process and on one thread: nanoseconds for each operation.
//!
//! Keys of 20 bytes with values of 100, taken at random, from a set of items that fits the
//! processor's caches and from one that does not. `--only WORDS` picks rows, `--rounds N` fixes
//! the work.

use std::hint::black_box;
use std::io;

use larder::client::load::keys::{KeySpace, Sizes};
use larder::client::load::random::Random;
use larder::config::Config;
use larder::limits::BATCH_COUNT_MAX;
use larder::store::{Delete, Fetch, Fetched, Put, PutStatus, Store};
use larder::time::{FIRST_UPTIME_S, Now};

mod timing;

use timing::Timing;

const NOW: Now = Now {
    uptime_s: FIRST_UPTIME_S,
    unix_s: 1_800_000_000,
};

/// Operations in a round.
const OPERATION_COUNT: usize = 64 << 10;

const HASH: &str = "key made and hashed (part of all below)";
const GET_HIT: &str = "get hit, copied out";
const GET_AHEAD: &str = "get hit, 16 at a time with prefetch";
const GET_MISS: &str = "get miss";
const PUT_OVER: &str = "put over an item of the same size";
const DELETE: &str = "delete";
const PUT_NEW: &str = "put new, evicting another";

const KEY_SIZE: usize = 20;
const VALUE: [u8; 100] = [b'v'; 100];

fn main() -> io::Result<()> {
    let timing = Timing::from_arguments()?;
    for (name, count) in [("small", 10_000), ("large", 2_000_000)] {
        let count = if timing.quick { 10_000 } else { count };
        let keys = KeySpace {
            count,
            key_size: KEY_SIZE,
            sizes: Sizes::Fixed(100),
            seed: 0,
        };
        let bench = Bench {
            timing: &timing,
            keys,
            name,
        };
        bench.fetches()?;
        bench.puts()?;
        bench.evictions()?;
    }
    Ok(())
}

struct Bench<'a> {
    timing: &'a Timing,
    keys: KeySpace,
    name: &'static str,
}

impl Bench<'_> {
    fn fetches(&self) -> io::Result<()> {
        if !self.wants(&[HASH, GET_HIT, GET_AHEAD, GET_MISS]) {
            return Ok(());
        }
        let store = self.filled(1 << 30)?;
        let mut random = Random::new(1);
        let mut key = Vec::new();
        let mut out = Vec::with_capacity(256);
        let mut next = |key: &mut Vec<u8>, beyond: u64| {
            key.clear();
            self.keys
                .write_key(random.below(self.keys.count) + beyond, key);
        };
        self.row(HASH, || {
            for _ in 0..OPERATION_COUNT {
                next(&mut key, 0);
                black_box(store.hash(&key));
            }
        })?;
        self.row(GET_HIT, || {
            for _ in 0..OPERATION_COUNT {
                next(&mut key, 0);
                out.clear();
                let hash = store.hash(&key);
                let found = fetch(&store, &key, hash, &mut out);
                assert!(found, "a stored key is gone");
            }
        })?;
        self.row(GET_AHEAD, || {
            let mut batch: [_; BATCH_COUNT_MAX] = std::array::from_fn(|_| (Vec::new(), None));
            for _ in 0..OPERATION_COUNT / BATCH_COUNT_MAX {
                for (key, hash) in &mut batch {
                    next(key, 0);
                    let fresh = store.hash(key);
                    store.prefetch_index(fresh);
                    *hash = Some(fresh);
                }
                for (_, hash) in &batch {
                    hash.map(|hash| store.prefetch_item(hash));
                }
                out.clear();
                for (key, hash) in &batch {
                    let found = hash.is_some_and(|hash| fetch(&store, key, hash, &mut out));
                    assert!(found, "a stored key is gone");
                }
            }
        })?;
        self.row(GET_MISS, || {
            for _ in 0..OPERATION_COUNT {
                next(&mut key, self.keys.count);
                let hash = store.hash(&key);
                let found = fetch(&store, &key, hash, &mut out);
                assert!(!found, "a key that was never stored is there");
            }
        })
    }

    fn puts(&self) -> io::Result<()> {
        if !self.wants(&[PUT_OVER, DELETE]) {
            return Ok(());
        }
        let store = self.filled(1 << 30)?;
        let mut random = Random::new(2);
        let mut key = Vec::new();
        self.row(PUT_OVER, || {
            for _ in 0..OPERATION_COUNT {
                key.clear();
                self.keys.write_key(random.below(self.keys.count), &mut key);
                assert_eq!(put(&store, &key), PutStatus::Stored);
            }
        })?;
        let count = usize::try_from(self.keys.count)
            .map_or(OPERATION_COUNT, |count| count.min(OPERATION_COUNT));
        let mut victims = 0..u64::from(u32::MAX);
        let mut key = Vec::new();
        self.timing.row_with(
            &self.title(DELETE),
            count,
            || {
                // Each round puts back the keys that it is about to delete.
                let numbers: Vec<u64> = victims.by_ref().take(count).collect();
                let mut key = Vec::new();
                for &number in &numbers {
                    key.clear();
                    self.keys.write_key(self.scattered(number), &mut key);
                    put(&store, &key);
                }
                numbers
            },
            |numbers| {
                for number in numbers {
                    key.clear();
                    self.keys.write_key(self.scattered(number), &mut key);
                    let hash = store.hash(&key);
                    black_box(store.delete(&Delete::new(&key, hash), NOW));
                }
            },
        )
    }

    fn evictions(&self) -> io::Result<()> {
        if !self.wants(&[PUT_NEW]) {
            return Ok(());
        }
        // For many items, about half of what they need.
        let store = self.filled(self.keys.count * 64 + (8 << 20))?;
        let mut number = self.keys.count;
        let mut key = Vec::new();
        // Few items are more than fill it: each put that is timed must have to evict.
        while store.totals().evictions == 0 {
            for _ in 0..OPERATION_COUNT {
                key.clear();
                self.keys.write_key(number, &mut key);
                number += 1;
                assert_eq!(put(&store, &key), PutStatus::Stored);
            }
        }
        self.timing.row_with(
            &self.title(PUT_NEW),
            OPERATION_COUNT,
            || upkeep(&store),
            |()| {
                for _ in 0..OPERATION_COUNT {
                    key.clear();
                    self.keys.write_key(number, &mut key);
                    number += 1;
                    assert_eq!(put(&store, &key), PutStatus::Stored);
                }
            },
        )
    }

    fn wants(&self, rows: &[&str]) -> bool {
        rows.iter().any(|row| self.timing.wants(&self.title(row)))
    }

    fn title(&self, what: &str) -> String {
        format!("{}: {what}", self.name)
    }

    fn row(&self, what: &str, work: impl FnMut()) -> io::Result<()> {
        self.timing.row(&self.title(what), OPERATION_COUNT, work)
    }

    /// A store that has been given every key once, and whose upkeep is done.
    fn filled(&self, memory_limit: u64) -> io::Result<Store> {
        let config = Config {
            memory_limit,
            ..Config::default()
        };
        let store = Store::new(&config.store(1))?;
        let mut key = Vec::new();
        for number in 0..self.keys.count {
            key.clear();
            self.keys.write_key(number, &mut key);
            put(&store, &key);
            if number % (64 << 10) == 0 {
                upkeep(&store);
            }
        }
        upkeep(&store);
        Ok(store)
    }

    /// A key far from the one before it, each key once in `count` numbers.
    fn scattered(&self, number: u64) -> u64 {
        // A prime that divides none of the counts in use, so the step visits every key.
        const STEP: u64 = 7_368_787;
        number * STEP % self.keys.count
    }
}

fn fetch(store: &Store, key: &[u8], hash: larder::store::KeyHash, out: &mut Vec<u8>) -> bool {
    store.fetch(key, hash, NOW, &Fetch::default(), |fetched| match fetched {
        Fetched::Hit(hit) => {
            hit.copy_value(out);
            true
        }
        Fetched::Miss(_) => false,
    })
}

fn put(store: &Store, key: &[u8]) -> PutStatus {
    let put = Put {
        drop_on_failure: true,
        ..Put::new(key, store.hash(key))
    };
    store.put(&put, &VALUE, NOW).status
}

/// What the upkeep thread does, here between rounds; bounded, since it may find more for ever.
fn upkeep(store: &Store) {
    for _ in 0..10_000 {
        if !store.upkeep(NOW) {
            break;
        }
    }
}
