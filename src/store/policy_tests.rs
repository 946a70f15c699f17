//! Who has to go when memory is full, and whose pages.

use super::testing;
use super::tests::{NOW, later, run_upkeep, set, store, value};
use super::{BalanceConfig, Store, StoreConfig};
use crate::time::Now;

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
    let (alike, by_root, by_size) = (
        large_items_left(0.0),
        large_items_left(0.5),
        large_items_left(1.0),
    );
    assert!(
        by_root < alike * 3 / 4 && by_size < by_root,
        "{alike}, {by_root}, {by_size}"
    );
}
