//! Who has to go when memory is full, and whose pages.

use super::testing;
use super::tests::{NOW, later, put, run_upkeep, set, store, value};
use super::{BalanceConfig, LruConfig, LruPolicy, Put, PutStatus, Store, StoreConfig};
use crate::time::{Expiry, Now};

fn store_by(policy: LruPolicy) -> Store {
    let plain = testing::config(8);
    store(&StoreConfig {
        lru: LruConfig {
            policy,
            ..plain.lru
        },
        ..plain
    })
}

/// Stores new items with values of `size` bytes until something has been evicted.
fn fill(store: &Store, size: usize, now: Now) {
    let mut number = 0;
    while store.totals().evictions == 0 {
        let key = format!("filler {size} {number}");
        set(store, key.as_bytes(), &vec![b'x'; size], now);
        number += 1;
    }
}

#[test]
fn a_page_that_is_taken_away_costs_only_what_is_least_wanted() {
    let store = store(&testing::config(8));
    fill(&store, 100, NOW);
    let keys: Vec<String> = (0..400).map(|number| format!("wanted {number}")).collect();
    let mut class = 0;
    for key in &keys {
        class = set(&store, key.as_bytes(), &[b'w'; 100], later(1)).class;
        // So that they do not all lie in the pages written last.
        for other in 0..20 {
            let other = format!("{key} {other}");
            set(&store, other.as_bytes(), &[b'x'; 100], later(1));
        }
    }
    for key in &keys {
        for _ in 0..2 {
            assert!(value(&store, key.as_bytes(), later(2)).is_ok());
        }
    }
    for _ in 0..40 {
        store.reassign(i32::from(class), 0, later(2));
    }
    let lost = |key: &&String| value(&store, key.as_bytes(), later(2)).is_err();
    assert_eq!(keys.iter().filter(lost).count(), 0);
    let totals = store.totals();
    assert!(totals.slabs_moved >= 40 && totals.reassign_rescues > 0);
    store.check();
}

/// Items with large values that are left when small ones of as many bytes come, for a minute.
fn large_items_left(size_bias: f64) -> u64 {
    let plain = testing::config(8);
    let store = store(&StoreConfig {
        balance: BalanceConfig {
            size_bias,
            ..plain.balance
        },
        ..plain
    });
    let mut class = 0;
    for second in 0..60 {
        for number in 0..1500 {
            let size = if number % 30 == 29 { 4000 } else { 100 };
            let key = format!("{second} {number}");
            let reply = set(&store, key.as_bytes(), &vec![b'x'; size], later(second));
            class = reply.class.max(class);
        }
        run_upkeep(&store, later(second));
    }
    store.check();
    let stats = &store.class_stats(later(60))[usize::from(class)];
    stats.number_hot + stats.number_warm + stats.number_cold
}

#[test]
fn large_items_give_way_sooner_the_more_size_counts() {
    // Beyond 0.5 there is no page left in this load that could be taken.
    let (alike, a_little, by_root) = (
        large_items_left(0.0),
        large_items_left(0.2),
        large_items_left(0.5),
    );
    assert!(
        a_little < alike * 5 / 6 && by_root < a_little * 3 / 4,
        "{alike}, {a_little}, {by_root}"
    );
}

/// Stores this many items that nobody asks for again, and lets upkeep have its turns.
fn scan(store: &Store, name: &str, count: u32, now: Now) {
    for number in 0..count {
        let key = format!("{name} {number}");
        set(store, key.as_bytes(), &[b'x'; 100], now);
        if number % 1000 == 0 {
            run_upkeep(store, now);
        }
    }
}

/// Items that are left of those that were hit once, after many that were not.
fn hit_items_left(policy: LruPolicy) -> usize {
    let store = store_by(policy);
    let keys: Vec<String> = (0..10_000).map(|number| format!("hit {number}")).collect();
    for key in &keys {
        set(&store, key.as_bytes(), &[b'h'; 100], NOW);
        assert!(value(&store, key.as_bytes(), NOW).is_ok());
    }
    scan(&store, "scan", 150_000, later(1));
    store.check();
    let is_there = |key: &&String| value(&store, key.as_bytes(), later(1)).is_ok();
    keys.iter().filter(is_there).count()
}

#[test]
fn one_hit_outlasts_a_scan_under_s3fifo_and_not_in_memcacheds_queues() {
    assert!(hit_items_left(LruPolicy::S3Fifo) > 9000);
    assert!(hit_items_left(LruPolicy::Segmented) < 1000);
}

#[test]
fn under_s3fifo_what_comes_back_soon_is_kept() {
    let store = store_by(LruPolicy::S3Fifo);
    scan(&store, "first", 60_000, NOW);
    scan(&store, "scan", 100_000, later(1));
    // Evicted not long ago: memory holds half of those that came after.
    let keys: Vec<String> = (35_000..37_000).map(|n| format!("scan {n}")).collect();
    let mut gone = 0;
    for key in &keys {
        gone += usize::from(value(&store, key.as_bytes(), later(1)).is_err());
        set(&store, key.as_bytes(), &[b'x'; 100], later(1));
    }
    // One in eight thousand was taken for a key that had been evicted, and is still there.
    assert!(gone > 1980, "{gone}");
    scan(&store, "other", 100_000, later(1));
    let is_there = |key: &&String| value(&store, key.as_bytes(), later(1)).is_ok();
    assert!(keys.iter().filter(is_there).count() > 1900);
    store.check();
}

#[test]
fn under_volatile_ttl_what_expires_soonest_goes_first() {
    let store = store_by(LruPolicy::VolatileTtl);
    let soon = |number: u32| number.is_multiple_of(4);
    let keys: Vec<String> = (0..20_000).map(|number| format!("key {number}")).collect();
    for (key, number) in keys.iter().zip(0..) {
        let request = Put {
            expiry: Expiry::at(if soon(number) { 10_000 } else { 20_000 }),
            ..put(&store, key.as_bytes())
        };
        store.put(&request, &[b'x'; 100], NOW);
    }
    fill_with_expiry(&store, 2000, 30_000);
    let mut lost = [0, 0];
    for (key, number) in keys.iter().zip(0..) {
        if value(&store, key.as_bytes(), NOW).is_err() {
            lost[usize::from(soon(number))] += 1;
        }
    }
    // A few samples have none that expires soon.
    assert!(lost[1] > 1000 && lost[0] < 200, "{lost:?}");
    store.check();
}

/// Stores items that die at this second, until so many have been evicted.
fn fill_with_expiry(store: &Store, evictions: u64, expiry_s: u32) {
    let mut number = 0;
    while store.totals().evictions < evictions {
        let key = format!("new {number}");
        let request = Put {
            expiry: Expiry::at(expiry_s),
            ..put(store, key.as_bytes())
        };
        store.put(&request, &[b'x'; 100], NOW);
        number += 1;
    }
}

#[test]
fn under_noeviction_a_full_store_refuses_until_the_policy_changes() {
    let store = store_by(LruPolicy::NoEviction);
    let mut number = 0;
    let mut next = || {
        number += 1;
        set(&store, number.to_string().as_bytes(), &[1; 1000], NOW).status
    };
    while next() == PutStatus::Stored {}
    assert_eq!(next(), PutStatus::NoMemory);
    assert_eq!(store.totals().evictions, 0);
    store.set_lru(LruConfig {
        policy: LruPolicy::Segmented,
        ..store.lru()
    });
    assert_eq!(next(), PutStatus::Stored);
    assert_eq!(store.totals().evictions, 1);
}
