//! Promises of the store that the model does not state.

use super::{
    Arithmetic, Delete, DeleteStatus, Fetch, Fetched, ItemInfo, Miss, Pin, Put, PutMode, PutReply,
    PutStatus, Store, StoreConfig, testing,
};
use crate::time::{Expiry, Now};

pub(super) const NOW: Now = Now {
    uptime_s: 100,
    unix_s: 1_700_000_000,
};

pub(super) fn later(seconds: u32) -> Now {
    Now {
        uptime_s: NOW.uptime_s + seconds,
        unix_s: NOW.unix_s + i64::from(seconds),
    }
}

pub(super) fn store(config: &StoreConfig) -> Store {
    Store::new(config).unwrap()
}

pub(super) fn put<'a>(store: &Store, key: &'a [u8]) -> Put<'a> {
    Put {
        drop_on_failure: true,
        ..Put::new(key, store.hash(key))
    }
}

pub(super) fn set(store: &Store, key: &[u8], value: &[u8], now: Now) -> PutReply {
    store.put(&put(store, key), value, now)
}

pub(super) fn value(store: &Store, key: &[u8], now: Now) -> Result<Vec<u8>, Miss> {
    store.fetch(
        key,
        store.hash(key),
        now,
        &Fetch::default(),
        |fetched| match fetched {
            Fetched::Hit(hit) => {
                let mut value = Vec::new();
                hit.copy_value(&mut value);
                Ok(value)
            }
            Fetched::Miss(miss) => Err(miss),
        },
    )
}

fn pinned(store: &Store, key: &[u8]) -> Pin {
    store.fetch(
        key,
        store.hash(key),
        NOW,
        &Fetch::default(),
        |fetched| match fetched {
            Fetched::Hit(mut hit) => hit.pin(),
            Fetched::Miss(_) => panic!("it was stored"),
        },
    )
}

pub(super) fn run_upkeep(store: &Store, now: Now) {
    for _ in 0..10_000 {
        if !store.upkeep(now) {
            return;
        }
    }
    panic!("upkeep finds no end");
}

#[test]
fn a_flush_parts_what_was_stored_in_one_second() {
    let store = store(&testing::config(8));
    set(&store, b"before", b"1", NOW);
    store.flush(None, NOW);
    set(&store, b"after", b"2", NOW);
    assert_eq!(value(&store, b"before", NOW), Err(Miss::Flushed));
    assert_eq!(value(&store, b"after", NOW), Ok(b"2".to_vec()));
    run_upkeep(&store, later(1));
    assert_eq!(store.totals().curr_items, 1);
}

#[test]
fn a_flush_that_waits_takes_what_is_stored_until_then() {
    let store = store(&testing::config(8));
    store.flush(Some(110), NOW);
    set(&store, b"a", b"1", later(9));
    assert!(value(&store, b"a", later(9)).is_ok());
    assert_eq!(value(&store, b"a", later(10)), Err(Miss::Flushed));
    set(&store, b"b", b"1", later(10));
    assert!(value(&store, b"b", later(10)).is_ok());
}

#[test]
fn expired_items_are_freed_without_being_asked_for() {
    let store = store(&testing::config(8));
    for number in 0..5000_u32 {
        let key = number.to_string();
        let request = Put {
            expiry: Expiry::at(NOW.uptime_s + 1 + number % 2),
            ..put(&store, key.as_bytes())
        };
        store.put(&request, &[b'x'; 50], NOW);
    }
    run_upkeep(&store, later(1));
    assert_eq!(store.totals().curr_items, 2500);
    run_upkeep(&store, later(2));
    let totals = store.totals();
    assert_eq!((totals.curr_items, totals.bytes), (0, 0));
    assert_eq!(totals.reclaimed, 5000);
    // Pages that are given back meanwhile are emptied by nobody's sweep.
    assert!(totals.crawler_reclaimed >= 2500);
    assert_eq!(totals.evictions, 0);
}

#[test]
fn an_older_cas_that_stores_keeps_the_old_expiry_however_the_value_came() {
    let store = store(&testing::config(8));
    // A cas of zero is nobody's, so the one below the first item's must not be that.
    set(&store, b"k", b"v", NOW);
    for upload in [false, true] {
        let first = Put {
            expiry: Expiry::at(150),
            ..put(&store, b"k")
        };
        let cas = store.put(&first, b"v", NOW).cas;
        let again = Put {
            compare: Some(cas - 1),
            invalidate: true,
            ..put(&store, b"k")
        };
        let reply = if upload {
            let mut upload = store.begin_upload(&again, 3, NOW).unwrap();
            store.fill_upload(&mut upload, b"new", NOW).unwrap();
            store.finish_upload(upload, NOW)
        } else {
            store.put(&again, b"new", NOW)
        };
        assert_eq!(reply.status, PutStatus::Stored);
        let (expiry, stale) = store.fetch(
            b"k",
            store.hash(b"k"),
            NOW,
            &Fetch::default(),
            |fetched| match fetched {
                Fetched::Hit(hit) => (hit.expiry(), hit.stale()),
                Fetched::Miss(_) => panic!("it was stored"),
            },
        );
        assert_eq!((expiry, stale), (Expiry::at(150), true));
    }
}

#[test]
fn a_cas_of_zero_is_no_older_copy() {
    let store = store(&testing::config(8));
    set(&store, b"k", b"v", NOW);
    let again = Put {
        compare: Some(0),
        invalidate: true,
        ..put(&store, b"k")
    };
    assert_eq!(store.put(&again, b"new", NOW).status, PutStatus::Exists);
    assert_eq!(value(&store, b"k", NOW).unwrap(), b"v");
}

#[test]
fn a_stale_value_has_room_for_the_expiry_that_it_keeps() {
    let store = store(&testing::config(64));
    let keys: Vec<String> = (0..8).map(|number| format!("key{number}")).collect();
    for size in 20..400 {
        for key in &keys {
            let first = Put {
                expiry: Expiry::at(150),
                ..put(&store, key.as_bytes())
            };
            store.put(&first, &vec![b'a'; size], NOW);
        }
        // Longer by what an expiry takes: it would fit a chunk of the same size without one.
        for key in &keys {
            let again = Put {
                compare: Some(1),
                invalidate: true,
                ..put(&store, key.as_bytes())
            };
            let longer = vec![0xff; size + 4];
            assert_eq!(store.put(&again, &longer, NOW).status, PutStatus::Stored);
            store.check();
        }
        for key in &keys {
            let expected = vec![0xff; size + 4];
            assert_eq!(value(&store, key.as_bytes(), NOW).unwrap(), expected);
        }
    }
}

#[test]
fn an_append_that_may_make_its_item_does_so_whatever_cas_it_names() {
    let store = store(&testing::config(8));
    let join = Put {
        mode: PutMode::Append,
        compare: Some(5),
        vivify: Some(Expiry::NEVER),
        ..put(&store, b"k")
    };
    assert_eq!(store.put(&join, b"new", NOW).status, PutStatus::Stored);
    assert_eq!(value(&store, b"k", NOW).unwrap(), b"new");
    assert_eq!(store.put(&join, b"er", NOW).status, PutStatus::Exists);
}

#[test]
fn a_number_that_is_being_sent_stays_as_it_was() {
    let store = store(&testing::config(8));
    let padded = [b"99".to_vec(), vec![b' '; 6000]].concat();
    set(&store, b"k", &padded, NOW);
    let mut pin = pinned(&store, b"k");
    let count = Arithmetic {
        key: b"k",
        hash: store.hash(b"k"),
        delta: 1,
        decrement: true,
        compare: None,
        assign_cas: None,
        touch: None,
        vivify: None,
        binary_key: false,
    };
    assert_eq!(store.arithmetic(&count, NOW).unwrap().value, 98);
    let mut sent = Vec::new();
    while pin.remaining > 0 {
        store.read_pin(&mut pin, 1000, &mut sent);
    }
    store.unpin(pin);
    assert!(sent == padded);
    assert_eq!(value(&store, b"k", NOW).unwrap(), b"98");
    store.check();
}

#[test]
fn long_values_are_joined_to_at_both_ends_and_while_they_are_being_sent() {
    let store = store(&testing::config(64));
    let mut expected: Vec<u8> = (0..600_000_u32).map(|n| n.to_le_bytes()[1]).collect();
    set(&store, b"k", &expected, NOW);
    for (turn, size) in [1, 100, 30_000, 32_752, 32_753, 40_000]
        .into_iter()
        .enumerate()
    {
        let added: Vec<u8> = (0..size).map(|n: u32| n.to_le_bytes()[0]).collect();
        let pin = (turn % 2 == 1).then(|| (pinned(&store, b"k"), expected.clone()));
        for mode in [PutMode::Append, PutMode::Prepend, PutMode::Append] {
            let join = Put {
                mode,
                ..put(&store, b"k")
            };
            let reply = if turn % 3 == 0 {
                store.put(&join, &added, NOW)
            } else {
                let mut upload = store.begin_upload(&join, size, NOW).unwrap();
                store.fill_upload(&mut upload, &added, NOW).unwrap();
                store.finish_upload(upload, NOW)
            };
            assert_eq!(reply.status, PutStatus::Stored);
            match mode {
                PutMode::Append => expected.extend_from_slice(&added),
                _ => expected = [&added[..], &expected].concat(),
            }
            assert_eq!(reply.value_size as usize, expected.len());
            assert!(value(&store, b"k", NOW).unwrap() == expected);
            store.check();
        }
        if let Some((mut pin, before)) = pin {
            let mut sent = Vec::new();
            while pin.remaining > 0 {
                store.read_pin(&mut pin, 70_000, &mut sent);
            }
            store.unpin(pin);
            assert!(sent == before, "what is being sent must not change");
        }
    }
    assert_eq!(store.totals().curr_items, 1);
}

#[test]
fn what_threads_put_before_a_long_value_is_all_there_and_in_order() {
    const SIZE: usize = 400_000;
    const TURNS: u32 = 60;
    let store = store(&testing::config(64));
    set(&store, b"key", &[b'v'; SIZE], NOW);
    let added = |thread: u8| {
        for turn in 0..TURNS {
            let request = Put {
                mode: PutMode::Prepend,
                ..put(&store, b"key")
            };
            // Some come as uploads do.
            let status = if turn % 3 == 0 {
                let mut upload = store.begin_upload(&request, 1, NOW).unwrap();
                store.fill_upload(&mut upload, &[thread], NOW).unwrap();
                store.finish_upload(upload, NOW).status
            } else {
                store.put(&request, &[thread], NOW).status
            };
            assert_eq!(status, PutStatus::Stored);
        }
    };
    std::thread::scope(|scope| {
        for thread in [b'a', b'b'] {
            scope.spawn(move || added(thread));
        }
        scope.spawn(|| {
            for turn in 0..TURNS {
                let how = Fetch {
                    touch: Some(Expiry::at(1000 + turn)),
                    ..Fetch::default()
                };
                store.fetch(b"key", store.hash(b"key"), NOW, &how, |fetched| {
                    assert!(matches!(fetched, Fetched::Hit(_)));
                });
            }
        });
    });
    let mut pin = pinned(&store, b"key");
    let mut bytes = Vec::new();
    store.read_pin(&mut pin, usize::MAX, &mut bytes);
    store.unpin(pin);
    let (front, rest) = bytes.split_at(2 * TURNS as usize);
    assert!(rest.len() == SIZE && rest.iter().all(|byte| *byte == b'v'));
    let count = |thread| front.iter().filter(|byte| **byte == thread).count();
    assert_eq!((count(b'a'), count(b'b')), (TURNS as usize, TURNS as usize));
    let expiry = store.peek(b"key", store.hash(b"key"), NOW, |item| item.unwrap().expiry);
    assert_eq!(expiry, Expiry::at(1000 + TURNS - 1));
    store.check();
}

#[test]
fn a_long_value_that_cannot_grow_stays_whole() {
    let mut config = testing::config(8);
    config.evict = false;
    config.item_size_max = 4 << 20;
    let store = store(&config);
    let long = vec![7; 3 << 20];
    set(&store, b"k", &long, NOW);
    let filler = vec![8; 500_000];
    for number in 0..40_u8 {
        set(&store, &[b'f', number], &filler, NOW);
    }
    let join = Put {
        mode: PutMode::Append,
        drop_on_failure: false,
        ..put(&store, b"k")
    };
    let reply = store.put(&join, &vec![9; 900_000], NOW);
    assert_eq!(reply.status, PutStatus::NoMemory);
    assert!(value(&store, b"k", NOW).unwrap() == long);
    store.check();
}

#[test]
fn a_value_that_is_being_sent_survives_its_key() {
    let store = store(&testing::config(64));
    let long = vec![7; 300_000];
    set(&store, b"k", &long, NOW);
    let mut pin = pinned(&store, b"k");
    let mut sent = Vec::new();
    store.read_pin(&mut pin, 1000, &mut sent);
    set(&store, b"k", b"other", NOW);
    let delete = Delete::new(b"k", store.hash(b"k"));
    assert!(matches!(
        store.delete(&delete, NOW),
        DeleteStatus::Deleted { value_size: 5, .. }
    ));
    while pin.remaining > 0 {
        store.read_pin(&mut pin, 70_000, &mut sent);
    }
    store.unpin(pin);
    assert!(sent == long);
    let used: u64 = store
        .class_stats(NOW)
        .iter()
        .map(|class| class.used_chunks)
        .sum();
    assert_eq!(used, 0, "the pinned chunks are free again");
}

#[test]
fn too_large_a_set_takes_the_old_value_with_it_and_other_modes_do_not() {
    let store = store(&testing::config(8));
    let long = vec![1; 1 << 20];
    for (mode, drop_on_failure, kept) in
        [(PutMode::Replace, false, true), (PutMode::Set, true, false)]
    {
        set(&store, b"k", b"old", NOW);
        let request = Put {
            mode,
            drop_on_failure,
            ..put(&store, b"k")
        };
        assert_eq!(store.put(&request, &long, NOW).status, PutStatus::TooLarge);
        let size = u32::try_from(long.len()).unwrap();
        set(&store, b"l", b"old", NOW);
        let request = Put {
            key: b"l",
            hash: store.hash(b"l"),
            ..request
        };
        assert_eq!(
            store.begin_upload(&request, size, NOW).unwrap_err(),
            PutStatus::TooLarge
        );
        assert_eq!(value(&store, b"k", NOW).is_ok(), kept);
        assert_eq!(value(&store, b"l", NOW).is_ok(), kept);
    }
}

#[test]
fn without_eviction_a_full_store_refuses_and_keeps_what_it_has() {
    let store = store(&StoreConfig {
        evict: false,
        ..testing::config(4)
    });
    let mut stored = 0;
    for number in 0..10_000_u32 {
        let key = number.to_string();
        match set(&store, key.as_bytes(), &[1; 1000], NOW).status {
            PutStatus::Stored => stored += 1,
            PutStatus::NoMemory => break,
            status => panic!("{status:?}"),
        }
    }
    assert!(stored > 3000, "{stored}");
    assert_eq!(store.totals().curr_items, stored);
    for number in 0..stored {
        assert!(value(&store, number.to_string().as_bytes(), NOW).is_ok());
    }
}

#[test]
fn one_item_may_be_larger_than_a_shards_share() {
    let store = store(&StoreConfig {
        item_size_max: 40 << 20,
        ..testing::config(96)
    });
    for number in 0..200_000_u32 {
        set(&store, number.to_string().as_bytes(), &[1; 300], NOW);
    }
    let piece = vec![9; 64 << 10];
    let size = 30 << 20;
    let request = put(&store, b"huge");
    let mut upload = store.begin_upload(&request, size, NOW).unwrap();
    for _ in 0..size / (64 << 10) {
        store.fill_upload(&mut upload, &piece, NOW).unwrap();
    }
    assert_eq!(store.finish_upload(upload, NOW).status, PutStatus::Stored);
    store.check();
    let totals = store.totals();
    assert!(totals.malloced_bytes <= totals.memory_limit);
}

#[test]
fn a_lower_limit_returns_memory_and_a_higher_one_is_used() {
    let store = store(&testing::config(64));
    for number in 0..200_000_u32 {
        set(&store, number.to_string().as_bytes(), &[1; 400], NOW);
    }
    assert!(store.totals().malloced_bytes > 60 << 20);
    assert!(store.set_memory_limit(16 << 20));
    run_upkeep(&store, NOW);
    let totals = store.totals();
    assert!(totals.malloced_bytes <= 16 << 20, "{totals:?}");
    assert!(totals.curr_items > 20_000, "{totals:?}");
    store.check();
    assert!(store.set_memory_limit(64 << 20));
    for number in 0..200_000_u32 {
        set(&store, number.to_string().as_bytes(), &[1; 400], NOW);
    }
    assert!(store.totals().malloced_bytes > 60 << 20);
}

#[test]
fn a_listing_shows_every_item_once_though_the_index_grows_meanwhile() {
    let store = store(&testing::config(64));
    for number in 0..5000_u32 {
        set(&store, number.to_string().as_bytes(), b"x", NOW);
    }
    let mut cursor = super::DumpCursor::default();
    let mut seen = std::collections::HashMap::new();
    let mut next = 5000_u32;
    loop {
        let done = store.dump(&mut cursor, u64::MAX, NOW, 100, &mut |item: &ItemInfo<
            '_,
        >| {
            *seen.entry(item.key.to_vec()).or_insert(0) += 1;
        });
        if done {
            break;
        }
        let end = (next + 500).min(60_000);
        while next < end {
            set(&store, next.to_string().as_bytes(), b"x", NOW);
            next += 1;
        }
    }
    for number in 0..5000_u32 {
        assert_eq!(seen.get(number.to_string().as_bytes()), Some(&1));
    }
    assert!(seen.values().all(|count| *count == 1));
}

#[test]
fn an_item_fetched_twice_outlives_many_that_were_not() {
    let store = store(&testing::config(4));
    set(&store, b"canary", &[1; 500], NOW);
    for _ in 0..2 {
        value(&store, b"canary", NOW).unwrap();
    }
    for number in 0..12_000_u32 {
        set(&store, number.to_string().as_bytes(), &[1; 500], NOW);
        if number % 500 == 0 {
            store.upkeep(NOW);
        }
    }
    assert!(store.totals().evictions > 0);
    assert!(value(&store, b"canary", NOW).is_ok());
    let first =
        (0..12_000_u32).find(|number| value(&store, number.to_string().as_bytes(), NOW).is_ok());
    assert!(first > Some(10), "the oldest went first");
}

#[test]
fn items_of_a_class_that_comes_late_find_room() {
    let store = store(&testing::config(64));
    for number in 0..400_000_u32 {
        set(&store, number.to_string().as_bytes(), &[1; 200], NOW);
    }
    // Another size, a little later: the first class's pages are old by then.
    for number in 0..40_000_u32 {
        let reply = set(&store, number.to_string().as_bytes(), &[2; 1500], later(5));
        assert_eq!(reply.status, PutStatus::Stored);
        if number % 1000 == 0 {
            store.upkeep(later(5));
        }
    }
    let held = (0..40_000_u32)
        .filter(|number| {
            value(&store, number.to_string().as_bytes(), later(5)).is_ok_and(|value| value[0] == 2)
        })
        .count();
    assert!(held > 30_000, "only {held} of the new size are held");
}

/// A value that names its key, so that bytes of another item show; long ones take pieces.
fn named_value(key: &str, turn: u32) -> Vec<u8> {
    let size = match turn % 50 {
        0 => 40_000,
        1..10 => 3000,
        _ => 20 + turn as usize % 200,
    };
    let pattern = format!("{key}:");
    pattern.bytes().cycle().take(size).collect()
}

fn check_named(key: &str, value: &[u8]) {
    let pattern = format!("{key}:");
    assert!(
        value
            .iter()
            .copied()
            .eq(pattern.bytes().cycle().take(value.len())),
        "the value of {key} is another's"
    );
}

/// One of several threads that read, write and delete the same keys.
fn disturb(store: &Store, seed: u32, turns: u32) {
    let mut state = seed;
    for turn in 0..turns {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let key = format!("key{}", (state >> 8) % 3000);
        let hash = store.hash(key.as_bytes());
        match state >> 29 {
            0 => {
                let delete = Delete::new(key.as_bytes(), hash);
                store.delete(&delete, NOW);
            }
            1..4 => {
                set(store, key.as_bytes(), &named_value(&key, turn), NOW);
            }
            4 => {
                let pin = store.fetch(key.as_bytes(), hash, NOW, &Fetch::default(), |fetched| {
                    match fetched {
                        Fetched::Hit(mut hit) => Some(hit.pin()),
                        Fetched::Miss(_) => None,
                    }
                });
                let Some(mut pin) = pin else { continue };
                let mut sent = Vec::new();
                while pin.remaining > 0 {
                    store.read_pin(&mut pin, 700, &mut sent);
                }
                store.unpin(pin);
                check_named(&key, &sent);
            }
            _ => {
                store.prefetch_index(hash);
                store.prefetch_item(hash);
                if let Ok(value) = value(store, key.as_bytes(), NOW) {
                    check_named(&key, &value);
                }
            }
        }
    }
}

#[test]
fn threads_that_share_a_store_see_whole_values_of_the_right_key() {
    let store = store(&testing::config(64));
    // Little memory for two shards, so that pages go from hand to hand all the time.
    assert!(store.set_memory_limit(4 << 20));
    let done = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        let disturbers: Vec<_> = (1..5)
            .map(|seed| {
                scope.spawn({
                    let store = &store;
                    move || disturb(store, seed, 30_000)
                })
            })
            .collect();
        scope.spawn(|| {
            let mut class = 1;
            while !done.load(std::sync::atomic::Ordering::Relaxed) {
                store.upkeep(NOW);
                store.reassign(-1, class, NOW);
                class = class % 39 + 1;
            }
        });
        let ended: Vec<_> = disturbers.into_iter().map(|thread| thread.join()).collect();
        done.store(true, std::sync::atomic::Ordering::Relaxed);
        for end in ended {
            end.unwrap();
        }
    });
    store.check();
    let totals = store.totals();
    assert!(
        totals.evictions > 0 && totals.slabs_moved > 100,
        "{totals:?}"
    );
}

#[test]
fn room_that_another_class_does_not_use_is_taken_before_anything_goes() {
    let store = store(&testing::config(16));
    let mut stored = 0_u32;
    while store.totals().evictions == 0 {
        set(&store, stored.to_string().as_bytes(), &[1; 1000], NOW);
        stored += 1;
    }
    for number in 0..stored {
        if number % 4 != 0 {
            let key = number.to_string();
            let delete = Delete::new(key.as_bytes(), store.hash(key.as_bytes()));
            store.delete(&delete, NOW);
        }
    }
    let before = store.totals();
    // Half of what was freed, in values of another size.
    for number in 0..stored / 10 {
        let key = format!("other{number}");
        set(&store, key.as_bytes(), &[2; 3000], NOW);
    }
    let after = store.totals();
    assert_eq!(after.evictions, before.evictions, "{after:?}");
    assert!(after.reassign_rescues > 0, "{after:?}");
}

#[test]
fn joins_in_a_full_store_leave_it_whole() {
    let store = store(&testing::config(8));
    let mut seed = 99_u64;
    let mut below = |bound: u64| {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        usize::try_from((seed >> 11) % bound).unwrap()
    };
    let bytes = vec![7; 1 << 20];
    for turn in 0..3000_u32 {
        let key = format!("key{}", below(30));
        let mode = [PutMode::Append, PutMode::Prepend, PutMode::Set][below(3)];
        let size = [10, 5000, 30_000, 200_000, 600_000][below(5)];
        let request = Put {
            mode,
            ..put(&store, key.as_bytes())
        };
        if below(2) == 0 {
            store.put(&request, &bytes[..size], later(turn / 100));
        } else if let Ok(mut upload) =
            store.begin_upload(&request, u32::try_from(size).unwrap(), later(turn / 100))
        {
            if store
                .fill_upload(&mut upload, &bytes[..size], later(turn / 100))
                .is_ok()
            {
                store.finish_upload(upload, later(turn / 100));
            } else {
                store.abort_upload(upload);
            }
        }
        store.check();
    }
}
