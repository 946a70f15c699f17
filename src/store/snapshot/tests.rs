//! A store that is read from a snapshot has what the other had, whatever its shape; from anything
//! else it has nothing that was not there.

use proptest::prelude::*;

use super::fuzz::{read, snapshot};
use super::{Restored, SnapshotError, SnapshotWalk};
use crate::store::{Delete, Fetch, Fetched, Put, PutMode, PutStatus, Store, StoreConfig, testing};
use crate::time::{Expiry, Now};

const NOW: Now = Now {
    uptime_s: 100,
    unix_s: 1_700_000_000,
};

/// The same moment in a process that began later.
const LATER: Now = Now {
    uptime_s: 7,
    unix_s: NOW.unix_s,
};

fn key_of(number: usize) -> Vec<u8> {
    format!("key{number}").into_bytes()
}

/// The value of a key, any part of which tells whose it is: of every way to be copied.
fn value_of(number: usize) -> Vec<u8> {
    let size = [3, 40, 700, 4096, 5000, 60_000, 65_536, 70_000, 500_000][number % 9];
    let size = if size < 4096 { size + number } else { size };
    format!("{number:06};").bytes().cycle().take(size).collect()
}

fn put(store: &Store, number: usize) -> u64 {
    let key = key_of(number);
    let put = Put {
        client_flags: u32::try_from(number % 4).unwrap() * 70_000,
        expiry: Expiry::at(if number.is_multiple_of(3) { 5000 } else { 0 }),
        assign_cas: (number % 11 == 5).then_some(77 << 40),
        binary_key: number % 13 == 6,
        ..Put::new(&key, store.hash(&key))
    };
    let reply = store.put(&put, &value_of(number), NOW);
    assert_eq!(reply.status, PutStatus::Stored);
    reply.cas
}

fn filled(config: &StoreConfig, count: usize) -> Store {
    let store = Store::new(config).unwrap();
    for number in 0..count {
        put(&store, number);
    }
    store
}

/// All of an item that a client can see.
#[derive(Debug, PartialEq)]
struct Seen {
    value: Vec<u8>,
    cas: u64,
    ttl_s: Option<u32>,
    client_flags: u32,
    binary_key: bool,
    fetched: bool,
    stale: bool,
}

fn seen(store: &Store, number: usize, now: Now) -> Option<Seen> {
    let key = key_of(number);
    let how = Fetch {
        no_bump: true,
        ..Fetch::default()
    };
    let fetch =
        |see: &mut dyn FnMut(Fetched<'_>)| store.fetch(&key, store.hash(&key), now, &how, see);
    let mut found = None;
    fetch(&mut |fetched| {
        if let Fetched::Hit(hit) = fetched {
            let mut value = Vec::new();
            hit.copy_value(&mut value);
            found = Some(Seen {
                value,
                cas: hit.cas(),
                ttl_s: hit.expiry().ttl_s(now),
                client_flags: hit.client_flags(),
                binary_key: hit.binary_key(),
                fetched: hit.fetched_before(),
                stale: hit.stale(),
            });
        }
    });
    found
}

fn all(store: &Store, count: usize, now: Now) -> Vec<Option<Seen>> {
    (0..count).map(|number| seen(store, number, now)).collect()
}

/// Takes a snapshot, and lets something happen after each step.
fn taken(store: &Store, mut between: impl FnMut(usize)) -> Vec<u8> {
    let mut walk = SnapshotWalk::new(NOW);
    let mut step = 0;
    let mut bytes = Vec::new();
    while !store.snapshot_step(&mut walk, NOW) {
        bytes.append(walk.ready());
        between(step);
        step += 1;
    }
    let (end, rest) = store.end_snapshot(walk, NOW);
    assert!(end.items > 0 || step <= store.shard_count());
    bytes.extend(rest);
    store.check();
    bytes
}

fn restored(config: &StoreConfig, bytes: &[u8], now: Now) -> (Store, Restored) {
    let store = Store::new(config).unwrap();
    let restored = read_at(&store, bytes, now).unwrap();
    store.check();
    (store, restored)
}

/// As [`read`], at another time.
fn read_at(store: &Store, bytes: &[u8], now: Now) -> Result<Restored, SnapshotError> {
    use super::{BlockReader, Restorer, Terms};
    let mut blocks = BlockReader::new(std::io::Cursor::new(bytes))?;
    let terms = Terms::new(blocks.end(), now)?;
    store.begin_restore(&terms);
    let mut restorer = Restorer::new(store, &terms);
    while let Some(block) = blocks.next_block()? {
        restorer.take(&block, now)?;
    }
    let restored = restorer.finish()?;
    store.end_restore_of(&terms, now);
    Ok(restored)
}

#[test]
fn everything_is_there_again_in_a_store_of_any_shape() {
    let store = filled(&testing::config(64), 200);
    for number in [1, 8, 30] {
        let key = key_of(number);
        let delete = Delete {
            invalidate: true,
            ..Delete::new(&key, store.hash(&key))
        };
        store.delete(&delete, NOW);
        store.fetch(&key, store.hash(&key), NOW, &Fetch::default(), |_| ());
    }
    let before = all(&store, 200, NOW);
    assert!(before.iter().all(Option::is_some));
    let bytes = taken(&store, |_| ());
    for change in 0..5 {
        let mut config = testing::config([64, 128, 512, 64, 64][change]);
        config.hash_seed = Some(change as u64);
        config.workers = [2, 8, 1, 1, 2][change];
        config.growth_factor = [1.25, 1.05, 2.0, 1.25, 1.25][change];
        config.slab_chunk_max = [512, 64, 512, 8, 512][change] << 10;
        config.lru.segmented = change != 4;
        let (other, restored) = restored(&config, &bytes, LATER);
        assert_eq!(restored.items, 200, "{change}");
        assert_eq!(all(&other, 200, LATER), before, "{change}");
        // What is stored now is newer than anything before.
        let greatest = before
            .iter()
            .flatten()
            .map(|seen| seen.cas)
            .filter(|cas| *cas < 1 << 40);
        assert!(put(&other, 0) > greatest.max().unwrap());
    }
}

#[test]
fn time_passes_between_two_processes() {
    let store = filled(&testing::config(64), 60);
    let bytes = taken(&store, |_| ());
    let before = all(&store, 60, NOW);
    for gone_s in [1000, 4899, 4900, 100_000] {
        let now = Now {
            uptime_s: 2,
            unix_s: NOW.unix_s + gone_s,
        };
        let (other, restored) = restored(&testing::config(64), &bytes, now);
        for (number, before) in before.iter().flatten().enumerate() {
            let after = seen(&other, number, now);
            let left_s = before.ttl_s.map(|ttl_s| i64::from(ttl_s) - gone_s);
            if left_s.is_some_and(|left_s| left_s <= 0) {
                assert_eq!(after, None);
                continue;
            }
            let after = after.unwrap();
            assert_eq!(after.ttl_s.map(i64::from), left_s);
            assert_eq!(after.value, before.value);
            // After an hour and more nobody can tell any more what has been given out since.
            let is_kept = gone_s < 4000 || before.cas >= 1 << 40;
            assert_eq!(after.cas == before.cas, is_kept, "{gone_s} {number}");
            assert!(after.cas >= before.cas);
        }
        let dead = if gone_s < 4900 { 0 } else { 20 };
        assert_eq!((restored.items, restored.dead), (60 - dead, dead));
    }
    let earlier = Now {
        uptime_s: 2,
        unix_s: NOW.unix_s - 100,
    };
    let store = Store::new(&testing::config(64)).unwrap();
    let refused = read_at(&store, &bytes, earlier);
    assert!(matches!(refused, Err(SnapshotError::Future)));
}

#[test]
fn what_changes_while_it_is_taken_is_whole_one_way_or_the_other() {
    let store = filled(&testing::config(64), 300);
    let bytes = taken(&store, |step| {
        // Overwritten, deleted, evicted and moved while their values are being read.
        let number = step * 7 % 300;
        put(&store, number + 300 * (step % 2));
        let key = key_of(step * 11 % 300);
        store.delete(&Delete::new(&key, store.hash(&key)), NOW);
        store.upkeep(NOW);
    });
    let (other, restored) = restored(&testing::config(128), &bytes, LATER);
    assert!(restored.items > 200);
    let found = (0..600).filter_map(|number| Some((number, seen(&other, number, LATER)?)));
    let mut count = 0;
    for (number, seen) in found {
        assert!(seen.value == value_of(number), "{number}");
        count += 1;
    }
    assert_eq!(count, restored.items);
}

#[test]
fn each_item_that_stays_is_there_once_however_the_index_grows() {
    let store = Store::new(&testing::config(64)).unwrap();
    let set = |number: usize| {
        let key = key_of(number);
        store.put(&Put::new(&key, store.hash(&key)), b"v", NOW);
    };
    (0..5000).for_each(set);
    let bytes = taken(&store, |step| {
        (0..40).for_each(|more| set(10_000 + step * 40 + more));
        while store.upkeep(NOW) {}
    });
    let other = Store::new(&testing::config(64)).unwrap();
    let restored = read(&other, &bytes).unwrap();
    assert_eq!(restored.refused, 0, "no key was there twice");
    assert!((0..5000).all(|number| seen(&other, number, NOW).is_some()));
}

#[test]
fn what_was_flushed_while_it_was_taken_does_not_come_back() {
    let store = filled(&testing::config(64), 300);
    let bytes = taken(&store, |step| {
        if step == 20 {
            store.flush(None, NOW);
            put(&store, 5);
        }
    });
    let (other, restored) = restored(&testing::config(64), &bytes, LATER);
    assert!(restored.dead > 0);
    let left: Vec<usize> = (0..300)
        .filter(|number| seen(&other, *number, LATER).is_some())
        .collect();
    assert!(left.is_empty() || left == [5], "{left:?}");
}

#[test]
fn a_flush_that_waits_goes_on_waiting() {
    let store = filled(&testing::config(64), 30);
    store.flush(Some(NOW.uptime_s + 50), NOW);
    let bytes = taken(&store, |_| ());
    let (other, _) = restored(&testing::config(64), &bytes, LATER);
    assert!(seen(&other, 1, LATER).is_some());
    let then = Now {
        uptime_s: LATER.uptime_s + 50,
        unix_s: NOW.unix_s + 50,
    };
    assert!(seen(&other, 1, then).is_none());
    let terms = super::Terms::new(
        super::BlockReader::new(std::io::Cursor::new(&bytes))
            .unwrap()
            .end(),
        then,
    );
    assert!(terms.unwrap().is_flushed(then));
}

#[test]
fn a_store_with_less_room_keeps_what_it_can_and_counts_the_rest() {
    let store = filled(&testing::config(64), 300);
    let bytes = taken(&store, |_| ());
    let mut config = testing::config(8);
    let (_, evicting) = restored(&config, &bytes, LATER);
    assert_eq!(evicting.items, 300);
    config.evict = false;
    let (other, full) = restored(&config, &bytes, LATER);
    assert!(full.refused > 0 && full.items + full.refused == 300);
    let found = all(&other, 300, LATER).iter().flatten().count();
    assert_eq!(found as u64, full.items);
    config = testing::config(64);
    config.item_size_max = 64 << 10;
    let (_, small) = restored(&config, &bytes, LATER);
    assert!(small.refused >= 66 && small.items >= 180, "{small:?}");
}

#[test]
fn the_queues_have_what_they_had() {
    let config = testing::config(64);
    let store = Store::new(&config).unwrap();
    for number in 0..3000 {
        let key = key_of(number);
        store.put(&Put::new(&key, store.hash(&key)), b"value", NOW);
        if number % 5 == 0 {
            for _ in 0..3 {
                store.fetch(&key, store.hash(&key), NOW, &Fetch::default(), |_| ());
            }
        }
    }
    while store.upkeep(NOW) {}
    let sizes = |store: &Store| {
        let stats = store.class_stats(NOW);
        let sum = |of: fn(&crate::store::ClassStats) -> u64| stats.iter().map(of).sum::<u64>();
        [
            sum(|class| class.number_hot),
            sum(|class| class.number_warm),
            sum(|class| class.number_cold),
        ]
    };
    let before = sizes(&store);
    assert!(before.iter().all(|count| *count > 0), "{before:?}");
    let bytes = taken(&store, |_| ());
    let (other, _) = restored(&config, &bytes, NOW);
    assert_eq!(sizes(&other), before);
}

#[test]
fn a_walk_that_is_given_up_leaves_nothing_pinned() {
    let store = filled(&testing::config(64), 100);
    for steps in 0..60 {
        let mut walk = SnapshotWalk::new(NOW);
        for _ in 0..steps {
            store.snapshot_step(&mut walk, NOW);
        }
        store.abandon_snapshot(walk);
    }
    for number in 0..100 {
        let key = key_of(number);
        store.delete(&Delete::new(&key, store.hash(&key)), NOW);
    }
    store.check();
    let used: u64 = store
        .class_stats(NOW)
        .iter()
        .map(|class| class.used_chunks)
        .sum();
    assert_eq!(used, 0);
}

#[test]
fn cut_anywhere_or_with_a_bit_changed_it_is_not_read() {
    let config = testing::config(4);
    let store = Store::new(&config).unwrap();
    for number in 0..12 {
        let key = key_of(number);
        let value = &value_of(number)[..value_of(number).len().min(100)];
        store.put(&Put::new(&key, store.hash(&key)), value, NOW);
    }
    let large = vec![b'l'; 70_000];
    store.put(&Put::new(b"large", store.hash(b"large")), &large, NOW);
    let bytes = taken(&store, |_| ());
    let target = Store::new(&config).unwrap();
    assert_eq!(read(&target, &bytes).unwrap().items, 13);
    let is_edge = |at: usize| at < 2000 || at + 2000 > bytes.len();
    for at in (0..bytes.len()).filter(|at| is_edge(*at) || at % 997 == 0) {
        assert!(read(&target, &bytes[..at]).is_err(), "cut at {at}");
        let mut broken = bytes.clone();
        broken[at] ^= 1 << (at % 8);
        assert!(read(&target, &broken).is_err(), "changed at {at}");
    }
    let longer = [&bytes[..], b"more"].concat();
    assert!(read(&target, &longer).is_err());
    target.check();
}

#[test]
fn blocks_that_are_missing_or_there_twice_are_found() {
    let store = filled(&testing::config(64), 100);
    let bytes = taken(&store, |_| ());
    let mut bounds = vec![super::MARK.len()];
    while *bounds.last().unwrap() < bytes.len() - 4 {
        let at = *bounds.last().unwrap();
        let size = u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap());
        bounds.push(at + 12 + size as usize);
    }
    assert!(bounds.len() > 10, "{}", bounds.len());
    let target = Store::new(&testing::config(64)).unwrap();
    for pair in bounds.windows(2) {
        let (start, end) = (pair[0], pair[1]);
        let without = [&bytes[..start], &bytes[end..]].concat();
        assert!(read(&target, &without).is_err());
        let twice = [&bytes[..end], &bytes[start..]].concat();
        assert!(read(&target, &twice).is_err());
    }
    target.check();
}

#[test]
fn any_bytes_are_read_or_refused() {
    for bytes in [
        &b""[..],
        super::MARK,
        b"larder snap 002\n",
        &[0; 64],
        &[0xff; 300],
    ] {
        snapshot(bytes);
        let store = Store::new(&testing::config(4)).unwrap();
        assert!(read(&store, bytes).is_err());
    }
    assert!(super::is_snapshot(b"larder snap 002\nxyz") && !super::is_snapshot(b"larder memory"));
}

#[test]
fn an_item_that_is_there_already_is_newer() {
    let store = filled(&testing::config(64), 3);
    let bytes = taken(&store, |_| ());
    let other = Store::new(&testing::config(64)).unwrap();
    let put = Put {
        mode: PutMode::Set,
        ..Put::new(b"key1", other.hash(b"key1"))
    };
    other.put(&put, b"newer", NOW);
    assert_eq!(read(&other, &bytes).unwrap().refused, 1);
    assert_eq!(seen(&other, 1, NOW).unwrap().value, b"newer");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn hostile_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
        snapshot(&bytes);
    }
}
