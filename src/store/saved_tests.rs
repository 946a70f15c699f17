//! A store that ends and begins again on the same file has everything; on a file that has changed
//! it has nothing.

use std::fs::File;
use std::os::unix::fs::FileExt;

use proptest::prelude::*;

use super::model::{Model, restore, save};
use super::{Contents, Damage, Fetch, Fetched, OpenError, Put, Saved, Store, StoreConfig, testing};
use crate::time::{Expiry, Now};

const NOW: Now = Now {
    uptime_s: 100,
    unix_s: 1_700_000_000,
};

fn config() -> StoreConfig {
    testing::config(4)
}

/// The value of a key: any part of it tells whose it is.
fn value_of(number: usize) -> Vec<u8> {
    let size = [3, 40, 700, 9000, 60_000][number % 5] + number;
    format!("{number:06};").bytes().cycle().take(size).collect()
}

fn key_of(number: usize) -> Vec<u8> {
    format!("key{number}").into_bytes()
}

/// A store on a file, with 100 items of all sizes; every third has an expiry.
fn filled(file: &File) -> Store {
    let store = Store::on_file(&config(), file, Contents::Empty([5, 6, 7, 8])).unwrap();
    for number in 0..100 {
        let key = key_of(number);
        let put = Put {
            client_flags: u32::try_from(number % 4).unwrap(),
            expiry: Expiry::at(if number % 3 == 0 { 5000 } else { 0 }),
            ..Put::new(&key, store.hash(&key))
        };
        store.put(&put, &value_of(number), NOW);
    }
    store
}

/// Value, cas, expiry and client flags of an item.
type Seen = (Vec<u8>, u64, Expiry, u32);

fn seen(store: &Store, number: usize) -> Option<Seen> {
    let key = key_of(number);
    let fetch = Fetch::default();
    store.fetch(
        &key,
        store.hash(&key),
        NOW,
        &fetch,
        |fetched| match fetched {
            Fetched::Hit(hit) => {
                let mut value = Vec::new();
                hit.copy_value(&mut value);
                Some((value, hit.cas(), hit.expiry(), hit.client_flags()))
            }
            Fetched::Miss(_) => None,
        },
    )
}

/// A file with a saved store in it, what tells of it, and what was in it.
fn saved() -> (File, Saved, Vec<Seen>) {
    let file = tempfile::tempfile().unwrap();
    let store = filled(&file);
    let items = (0..100).map(|number| seen(&store, number).unwrap());
    let items = items.collect();
    let saved = save(&store);
    (file, saved, items)
}

fn damage_of(result: Result<Store, OpenError>) -> Option<Damage> {
    match result {
        Err(OpenError::Damage(damage)) => Some(damage),
        Ok(_) | Err(OpenError::System(_)) => None,
    }
}

#[test]
fn everything_is_there_again() {
    let (file, saved, items) = saved();
    let store = restore(&config(), &file, &saved).unwrap();
    store.check();
    for (number, item) in items.iter().enumerate() {
        assert_eq!(seen(&store, number).as_ref(), Some(item), "{number}");
    }
    // The next cas is one that no item has had.
    let largest = items.iter().map(|item| item.1).max().unwrap();
    let key = b"another";
    let put = Put::new(key, store.hash(key));
    assert!(store.put(&put, b"v", NOW).cas > largest);
}

#[test]
fn the_memory_limit_may_change_but_not_what_cuts_memory() {
    let (file, saved, items) = saved();
    let larger = StoreConfig {
        memory_limit: 16 << 20,
        workers: 7,
        ..config()
    };
    let store = restore(&larger, &file, &saved).unwrap();
    assert_eq!(seen(&store, 7).as_ref(), Some(&items[7]));
    let saved = save(&store);
    drop(store);
    let finer = StoreConfig {
        growth_factor: 1.1,
        ..config()
    };
    assert_eq!(
        damage_of(restore(&finer, &file, &saved)),
        Some(Damage::Classes)
    );
    let without_cas = StoreConfig {
        cas: false,
        ..config()
    };
    assert_eq!(
        damage_of(restore(&without_cas, &file, &saved)),
        Some(Damage::Classes)
    );
    let huge = StoreConfig {
        memory_limit: 6 << 30,
        ..config()
    };
    assert_eq!(
        damage_of(restore(&huge, &file, &saved)),
        Some(Damage::Geometry)
    );
}

#[test]
fn less_memory_than_before_is_filled_and_then_freed_to_the_limit() {
    let (file, saved, _) = saved();
    let less = StoreConfig {
        memory_limit: 1 << 20,
        ..config()
    };
    let store = restore(&less, &file, &saved).unwrap();
    while store.upkeep(NOW) {}
    store.check();
    let totals = store.totals();
    assert!(totals.malloced_bytes <= 1 << 20, "{totals:?}");
    assert!(totals.curr_items > 0);
}

#[test]
fn what_was_being_sent_or_uploaded_takes_no_memory_in_the_next_life() {
    let file = tempfile::tempfile().unwrap();
    let store = filled(&file);
    let key = key_of(4);
    let hash = store.hash(&key);
    let before = store.class_stats(NOW);
    let pin = store.fetch(
        &key,
        hash,
        NOW,
        &Fetch::default(),
        |fetched| match fetched {
            Fetched::Hit(mut hit) => hit.pin(),
            Fetched::Miss(_) => panic!("it was stored"),
        },
    );
    let put = Put::new(&key, hash);
    let mut upload = store.begin_upload(&put, 50_000, NOW).unwrap();
    store.fill_upload(&mut upload, &[7; 20_000], NOW).unwrap();
    let saved = save(&store);
    drop((store, pin, upload));
    let store = restore(&config(), &file, &saved).unwrap();
    store.check();
    let used = |stats: &[super::ClassStats]| stats.iter().map(|s| s.used_chunks).sum::<u64>();
    assert_eq!(used(&store.class_stats(NOW)), used(&before));
    assert_eq!(seen(&store, 4).unwrap().0, value_of(4));
}

/// Changes a word that `find` knows in the pages of the items, mends the checksums, and tells what
/// comes of it.
fn with_changed_bytes(change: impl Fn(&mut [u8]) -> bool) -> Option<Damage> {
    let (file, saved, _) = saved();
    let mut saved = saved;
    let mut page_bytes = vec![0; 1 << 16];
    let mut changed = false;
    for page in saved.pages_mut() {
        let at = u64::from(page.page) << 16;
        file.read_exact_at(&mut page_bytes, at).unwrap();
        if !changed && change(&mut page_bytes) {
            changed = true;
            file.write_all_at(&page_bytes, at).unwrap();
            page.checksum = crc32fast::hash(&page_bytes);
        }
    }
    assert!(changed, "nothing was there to be changed");
    damage_of(restore(&config(), &file, &saved))
}

/// Where a chunk with this key begins, if it is in a page.
fn chunk_with(page: &[u8], key: &[u8], prefix: usize) -> Option<usize> {
    let key_at = page.windows(key.len()).position(|window| window == key)?;
    key_at.checked_sub(prefix)
}

#[test]
fn lies_with_the_right_checksum_are_found_before_anything_follows_them() {
    // An item of one chunk without expiry and client flags: its key stands behind 20 bytes.
    let item = |page: &[u8]| chunk_with(page, b"key40000040;", 20);
    let change = |at: usize, value: [u8; 4]| {
        move |page: &mut [u8]| {
            item(page).is_some_and(|chunk| {
                page[chunk + at..chunk + at + 4].copy_from_slice(&value);
                true
            })
        }
    };
    // A shape whose sizes pass the end of the chunk; one that is a detached item; one without key.
    assert_eq!(
        with_changed_bytes(change(0, [1, 0xff, 0xff, 0xff])),
        Some(Damage::Item)
    );
    assert_eq!(
        with_changed_bytes(change(0, [3, 5, 43, 0])),
        Some(Damage::Item)
    );
    assert_eq!(
        with_changed_bytes(change(0, [1, 0, 43, 0])),
        Some(Damage::Item)
    );
    // Neighbours that are no place, no chunk, or nowhere.
    for neighbour in [
        [1, 0, 0, 0],
        [0xff, 0xff, 0xff, 0xff],
        [0, 0, 0xff, 0],
        [3, 0, 64, 0],
    ] {
        assert_eq!(
            with_changed_bytes(change(12, neighbour)),
            Some(Damage::Chain)
        );
        assert_eq!(
            with_changed_bytes(change(16, neighbour)),
            Some(Damage::Chain)
        );
    }
    // Another key belongs elsewhere in the index, and is found there: only one of several shards
    // could tell. Here there is one, so the item lives under its new name.
    // A free list that begins behind the page's end.
    let fresh = |page: &mut [u8]| {
        page[12..16].copy_from_slice(&u32::MAX.to_le_bytes());
        true
    };
    assert_eq!(with_changed_bytes(fresh), Some(Damage::Item));
}

#[test]
fn pieces_that_lead_astray_are_found() {
    // Chunks that hold a piece: kind 2, then next, prev and owner.
    let piece = |page: &[u8]| {
        let capacity = u32::from_le_bytes([page[0], page[1], page[2], page[3]]) as usize;
        let step = ((page.len() - 64) / capacity.max(1)) & !3;
        (64..page.len().saturating_sub(step))
            .step_by(step.max(4))
            .find(|at| page[*at..*at + 4] == [2, 0, 0, 0])
    };
    for (at, value) in [(4, 1_u32), (4, u32::MAX), (8, 1), (12, 5), (12, 0)] {
        let change = |page: &mut [u8]| {
            piece(page).is_some_and(|chunk| {
                page[chunk + at..chunk + at + 4].copy_from_slice(&value.to_le_bytes());
                true
            })
        };
        assert_eq!(
            with_changed_bytes(change),
            Some(Damage::Chain),
            "{at} {value}"
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 12,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn a_store_that_is_restarted_at_any_time_is_the_same_map(
        operations in proptest::collection::vec(any::<[u8; 8]>(), 0..2000),
        every in 100..1000_usize,
        megabytes in prop_oneof![Just(4_u64), Just(80)],
    ) {
        let config = StoreConfig { item_size_max: 512 << 10, ..testing::config(megabytes) };
        let file = tempfile::tempfile().unwrap();
        let mut model = Model::on_file(&config, &file);
        for (step, operation) in operations.into_iter().enumerate() {
            model.step(operation);
            if step % every == every - 1 {
                model.restart(&config, &file);
            }
        }
        model.finish();
    }

    /// A page whose bytes have changed is never served from.
    #[test]
    fn a_byte_that_changes_in_the_file_is_found_or_of_no_account(
        at in 0..1_u64 << 22,
        mask in 1..=255_u8,
    ) {
        let (file, saved, items) = saved();
        let mut byte = [0];
        file.read_exact_at(&mut byte, at).unwrap();
        file.write_all_at(&[byte[0] ^ mask], at).unwrap();
        let is_of_items = saved.pages().any(|page| u64::from(page.page) == at >> 16);
        match restore(&config(), &file, &saved) {
            Err(OpenError::Damage(damage)) => {
                assert_eq!(damage, Damage::Page);
                assert!(is_of_items);
            }
            Err(OpenError::System(error)) => panic!("{error}"),
            Ok(store) => {
                assert!(!is_of_items);
                store.check();
                for (number, item) in items.iter().enumerate() {
                    assert_eq!(seen(&store, number).as_ref(), Some(item));
                }
            }
        }
    }

    /// Whatever is said of a file: what is served is what was stored under that key, or nothing.
    #[test]
    fn no_description_makes_a_store_panic_or_mix_up_values(
        at in any::<proptest::sample::Index>(),
        value in any::<u8>(),
    ) {
        let (file, saved, items) = saved();
        let mut bytes = postcard::to_allocvec(&saved).unwrap();
        let at = at.index(bytes.len());
        bytes[at] = value;
        let Ok(saved) = postcard::from_bytes::<Saved>(&bytes) else {
            return Ok(());
        };
        // Pages that other shards have, more of them than there are, queues that do not exist.
        if let Ok(store) = restore(&config(), &file, &saved) {
            for (number, item) in items.iter().enumerate() {
                if let Some(found) = seen(&store, number) {
                    assert_eq!(found.0, item.0);
                }
            }
        }
    }
}
