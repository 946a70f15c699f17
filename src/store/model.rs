//! The obvious map that a store is compared with, and the body of the fuzzer that does it.
//!
//! Each operation is eight bytes, so any byte string is a run. A run goes through eviction,
//! expiry, page moves, index growth, uploads, pinned values, flushes and changes of the memory
//! limit. The rules: what the store returns is what the map has; what the map has may be missing
//! only if the store has counted an eviction for it.

use std::collections::HashMap;
use std::fs::File;

use super::{
    Arithmetic, ArithmeticError, Contents, Delete, DeleteStatus, Fetch, Fetched, KeyHash,
    LruPolicy, OpenError, Pin, Put, PutMode, PutStatus, Saved, Store, StoreConfig,
};
use crate::time::{Expiry, Now};

/// Keys in use: few enough that they collide in every way.
const KEY_COUNT: u64 = 20_000;

#[derive(Clone, Debug)]
struct Entry {
    value: Vec<u8>,
    client_flags: u32,
    expiry: Expiry,
    cas: u64,
    stale: bool,
}

/// A store, and what it should contain.
pub struct Model {
    store: Store,
    entries: HashMap<Vec<u8>, Entry>,
    now: Now,
    flush_at_s: Option<u32>,
    missing: u64,
    pins: Vec<(Pin, Vec<u8>)>,
    evict: bool,
}

/// Runs operations of eight bytes each and compares after each.
pub fn fuzz_store(config: &StoreConfig, operations: &[u8]) {
    let mut model = Model::new(config);
    for (step, operation) in operations.chunks_exact(8).enumerate() {
        let mut bytes = [0; 8];
        bytes.copy_from_slice(operation);
        model.step(bytes);
        if step % 64 == 63 {
            model.store.check();
        }
    }
    model.finish();
}

impl Model {
    /// Nothing stored.
    ///
    /// # Panics
    ///
    /// If the store cannot be built.
    pub fn new(config: &StoreConfig) -> Self {
        let store = Store::new(config).expect("the store is built");
        Self::around(config, store)
    }

    /// Nothing stored, in a store whose memory is this file.
    ///
    /// # Panics
    ///
    /// If the store cannot be built.
    pub fn on_file(config: &StoreConfig, file: &File) -> Self {
        let store = Store::on_file(config, file, Contents::Empty([1, 2, 3, 4]));
        Self::around(config, store.expect("the store is built"))
    }

    fn around(config: &StoreConfig, store: Store) -> Self {
        Self {
            evict: config.evict && config.lru.policy != LruPolicy::NoEviction,
            store,
            entries: HashMap::new(),
            now: Now {
                uptime_s: 100,
                unix_s: 1_700_000_000,
            },
            flush_at_s: None,
            missing: 0,
            pins: Vec::new(),
        }
    }

    /// The store under test.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// Ends the store, and goes on with another in the same file, which has to have everything
    /// that this one had. Values that are being sent end with it.
    ///
    /// # Panics
    ///
    /// If the store cannot be built again.
    pub fn restart(&mut self, config: &StoreConfig, file: &File) {
        // Counters begin again, so what has been evicted is to be known before.
        let keys: Vec<Vec<u8>> = self.entries.keys().cloned().collect();
        for key in keys {
            self.agree(&key);
        }
        self.missing = 0;
        self.pins.clear();
        let items = self.store.totals().curr_items;
        let saved = save(&self.store);
        self.store = restore(config, file, &saved).expect("nothing has changed");
        self.store.check();
        assert_eq!(self.store.totals().curr_items, items);
    }

    /// Runs one operation.
    pub fn step(&mut self, bytes: [u8; 8]) {
        let [code, a, b, size, fill, expiry, c, d] = bytes;
        let key = format!("key{}", (u64::from(a) << 8 | u64::from(b)) % KEY_COUNT).into_bytes();
        let value = value_of(size, fill, d);
        let expiry = match expiry {
            0..160 => Expiry::NEVER,
            160..170 => Expiry::AT_ONCE,
            _ => Expiry::at(self.now.uptime_s + u32::from(expiry - 160)),
        };
        match code {
            0..80 => self.get(&key, c),
            80..140 => self.put(PutMode::Set, &key, &value, expiry, c, None),
            140..150 => self.put(PutMode::Add, &key, &value, expiry, c, None),
            150..160 => self.put(PutMode::Replace, &key, &value, expiry, c, None),
            160..168 => self.put(PutMode::Append, &key, &value, expiry, c, None),
            168..176 => self.put(PutMode::Prepend, &key, &value, expiry, c, None),
            176..190 => self.compare_and_swap(&key, &value, expiry, c),
            190..205 => self.delete(&key, c),
            205..220 => self.arithmetic(&key, d, c),
            220..226 => self.touch(&key, expiry),
            226..230 => self.pin(&key),
            230..234 => self.read_pins(),
            234..246 => self.upkeep(),
            246..250 => self.advance(u32::from(c % 16)),
            250 => self.flush(c),
            251..254 => {
                self.store
                    .reassign(i32::from(a % 41) - 1, i32::from(b % 41), self.now);
            }
            _ => {
                let limit = u64::from(c % 8) + 2;
                assert!(self.store.set_memory_limit(limit << 20));
            }
        }
    }

    fn hash(&self, key: &[u8]) -> KeyHash {
        self.store.hash(key)
    }

    /// What the map says is alive.
    fn live(&mut self, key: &[u8]) -> Option<Entry> {
        if self.entries.get(key)?.expiry.is_past(self.now) {
            self.entries.remove(key);
        }
        self.entries.get(key).cloned()
    }

    /// What is alive by both: an item that the store has evicted leaves the map.
    fn agree(&mut self, key: &[u8]) -> Option<Entry> {
        let expected = self.live(key);
        let hash = self.hash(key);
        let there = self.store.peek(key, hash, self.now, |item| item.is_some());
        match (expected, there) {
            (Some(_), false) => {
                self.entries.remove(key);
                self.missing += 1;
                let totals = self.store.totals();
                assert!(self.evict, "items vanish though nothing may be evicted");
                assert!(
                    self.missing <= totals.evictions,
                    "more items are missing than were evicted"
                );
                None
            }
            (None, true) => panic!("the store has an item that should be gone"),
            (expected, _) => expected,
        }
    }

    fn get(&mut self, key: &[u8], options: u8) {
        let expected = self.agree(key);
        let how = Fetch {
            no_bump: options & 1 != 0,
            recache: options & 2 != 0,
            recache_below_s: (options & 4 != 0).then_some(30),
            ..Fetch::default()
        };
        let mut copied = Vec::new();
        let found = self.store.fetch(
            key,
            self.hash(key),
            self.now,
            &how,
            |fetched| match fetched {
                Fetched::Hit(hit) => {
                    assert_eq!(hit.key(), key);
                    hit.copy_value(&mut copied);
                    assert_eq!(hit.value_size() as usize, copied.len());
                    Some((hit.client_flags(), hit.expiry(), hit.cas(), hit.stale()))
                }
                Fetched::Miss(_) => None,
            },
        );
        assert_eq!(
            found,
            expected.as_ref().map(|entry| (
                entry.client_flags,
                entry.expiry,
                entry.cas,
                entry.stale
            ))
        );
        if let Some(entry) = expected {
            assert!(copied == entry.value, "the value of {key:?} differs");
        }
    }

    fn put(
        &mut self,
        mode: PutMode,
        key: &[u8],
        value: &[u8],
        expiry: Expiry,
        options: u8,
        compare: Option<u64>,
    ) {
        let old = self.agree(key);
        let put = Put {
            key,
            hash: self.hash(key),
            mode,
            client_flags: if options & 1 == 0 { 0 } else { 0xabcd_ef01 },
            expiry,
            compare,
            assign_cas: (options & 6 == 6).then_some(u64::from(options) << 33 | 7),
            invalidate: options & 8 != 0,
            vivify: None,
            binary_key: false,
            drop_on_failure: mode == PutMode::Set,
        };
        let evictions = self.evictions();
        let reply = if options & 16 == 0 {
            self.store.put(&put, value, self.now)
        } else {
            match self.upload(&put, value, options) {
                Some(reply) => reply,
                None => return,
            }
        };
        let joins = matches!(mode, PutMode::Append | PutMode::Prepend);
        let entry = match reply.status {
            PutStatus::Stored => {
                let stale = compare
                    .zip(old.as_ref())
                    .is_some_and(|(cas, old)| cas != old.cas);
                Entry {
                    value: match (mode, &old) {
                        (PutMode::Append, Some(old)) => [&old.value, value].concat(),
                        (PutMode::Prepend, Some(old)) => [value, &old.value].concat(),
                        _ => value.to_vec(),
                    },
                    client_flags: match &old {
                        Some(old) if joins => old.client_flags,
                        _ => put.client_flags,
                    },
                    expiry: match &old {
                        Some(old) if joins || stale => old.expiry,
                        _ => expiry,
                    },
                    cas: reply.cas,
                    stale,
                }
            }
            status => {
                let is_evicted = status == PutStatus::NotFound && self.evictions() > evictions;
                let old = old.filter(|_| !is_evicted);
                self.check_refusal(&put, status, old.as_ref());
                return;
            }
        };
        match (mode, old.is_some()) {
            // While a value comes in pieces, the old one may have had to make room for it.
            (PutMode::Add, exists) => {
                let uploaded = options & 16 != 0;
                assert!(!exists || uploaded && self.evictions() > evictions);
            }
            (PutMode::Set, _) => {}
            (_, exists) => assert!(exists),
        }
        self.entries.insert(key.to_vec(), entry);
    }

    fn upload(&mut self, put: &Put<'_>, value: &[u8], options: u8) -> Option<super::PutReply> {
        let size = u32::try_from(value.len()).expect("values are small");
        let mut upload = match self.store.begin_upload(put, size, self.now) {
            Ok(upload) => upload,
            Err(status) => {
                let old = self.entries.get(put.key).cloned();
                self.check_refusal(put, status, old.as_ref());
                return None;
            }
        };
        for part in value.chunks(1 + usize::from(options) * 40) {
            if self.store.fill_upload(&mut upload, part, self.now).is_err() {
                self.store.abort_upload(upload);
                let old = self.entries.get(put.key).cloned();
                self.check_refusal(put, PutStatus::NoMemory, old.as_ref());
                return None;
            }
        }
        if options & 0xe0 == 0xe0 {
            self.store.abort_upload(upload);
            return None;
        }
        Some(self.store.finish_upload(upload, self.now))
    }

    fn check_refusal(&mut self, put: &Put<'_>, status: PutStatus, old: Option<&Entry>) {
        match status {
            PutStatus::NotFound => assert!(put.compare.is_some() && old.is_none()),
            PutStatus::Exists => assert!(put.compare.is_some() && old.is_some()),
            PutStatus::NotStored => assert_ne!(put.mode, PutMode::Set),
            PutStatus::TooLarge | PutStatus::NoMemory => {
                if put.drop_on_failure {
                    self.entries.remove(put.key);
                }
            }
            PutStatus::Stored => unreachable!("not a refusal"),
        }
    }

    fn compare_and_swap(&mut self, key: &[u8], value: &[u8], expiry: Expiry, options: u8) {
        let cas = match self.agree(key) {
            Some(entry) if options & 32 == 0 => entry.cas,
            Some(entry) => entry.cas.wrapping_sub(1).max(1),
            None => 5,
        };
        self.put(PutMode::Set, key, value, expiry, options, Some(cas));
    }

    /// Items that have given way so far. A request that has to wait for a page may find that its
    /// own item was among those that went for it.
    fn evictions(&self) -> u64 {
        self.store.totals().evictions
    }

    fn delete(&mut self, key: &[u8], options: u8) {
        let old = self.agree(key);
        let evictions = self.evictions();
        let delete = Delete {
            key,
            hash: self.hash(key),
            compare: None,
            invalidate: options & 3 == 1,
            drop_value: options & 3 == 2,
            touch: None,
            assign_cas: (options & 12 == 12).then_some(99),
            client_flags: None,
        };
        match self.store.delete(&delete, self.now) {
            DeleteStatus::Deleted { value_size, .. } => {
                let old = self.entries.remove(key).expect("an item was deleted");
                assert_eq!(value_size as usize, old.value.len());
            }
            DeleteStatus::Kept { .. } => {
                let mut entry = old.expect("an item was kept");
                if delete.drop_value {
                    entry.value.clear();
                    entry.client_flags = 0;
                    entry.expiry = Expiry::NEVER;
                } else {
                    entry.stale = true;
                }
                let hash = self.hash(key);
                entry.cas = self.store.peek(key, hash, self.now, |item| {
                    item.map(|item| item.cas).expect("it was kept")
                });
                self.entries.insert(key.to_vec(), entry);
            }
            DeleteStatus::NotFound => assert!(old.is_none() || self.evictions() > evictions),
            DeleteStatus::Exists => panic!("no cas was given"),
            DeleteStatus::NoMemory => assert!(!self.evict),
        }
    }

    fn arithmetic(&mut self, key: &[u8], delta: u8, options: u8) {
        let mut old = self.agree(key);
        let evictions = self.evictions();
        let request = Arithmetic {
            key,
            hash: self.hash(key),
            delta: u64::from(delta) << (options & 31),
            decrement: options & 32 != 0,
            compare: None,
            assign_cas: None,
            touch: None,
            vivify: (options & 64 != 0).then_some((Expiry::NEVER, u64::from(delta))),
            binary_key: false,
        };
        match self.store.arithmetic(&request, self.now) {
            Ok(counted) => {
                if counted.created && self.evictions() > evictions {
                    old = None;
                }
                let digits = counted.value.to_string().into_bytes();
                let entry = match old {
                    None => Entry {
                        value: digits,
                        client_flags: 0,
                        expiry: Expiry::NEVER,
                        cas: counted.cas,
                        stale: false,
                    },
                    Some(mut entry) => {
                        let width = entry.value.len().max(digits.len());
                        if digits.len() > entry.value.len() {
                            // A longer number is a new item.
                            entry.stale = false;
                        }
                        entry.value = digits;
                        entry.value.resize(width, b' ');
                        entry.cas = counted.cas;
                        entry
                    }
                };
                assert_eq!(counted.expiry, entry.expiry);
                self.entries.insert(key.to_vec(), entry);
            }
            Err(ArithmeticError::NotFound) => {
                assert!(old.is_none() || self.evictions() > evictions);
            }
            Err(ArithmeticError::NotANumber) => {
                let value = old.expect("there is a value").value;
                assert!(!value.first().is_some_and(u8::is_ascii_digit) || value.len() > 18);
            }
            Err(ArithmeticError::NoMemory) => assert!(!self.evict),
            Err(ArithmeticError::Exists) => panic!("no cas was given"),
        }
    }

    fn touch(&mut self, key: &[u8], expiry: Expiry) {
        let old = self.agree(key);
        let evictions = self.evictions();
        let how = Fetch {
            touch: Some(expiry),
            ..Fetch::default()
        };
        let hit = self
            .store
            .fetch(key, self.hash(key), self.now, &how, |fetched| {
                matches!(fetched, Fetched::Hit(_))
            });
        match old {
            Some(mut entry) if hit => {
                entry.expiry = expiry;
                self.entries.insert(key.to_vec(), entry);
            }
            Some(_) => assert!(
                !self.evict || self.evictions() > evictions,
                "only a full store may refuse a touch"
            ),
            None => assert!(!hit),
        }
    }

    fn pin(&mut self, key: &[u8]) {
        if self.pins.len() >= 4 {
            return;
        }
        let Some(entry) = self.agree(key) else { return };
        let pin = self.store.fetch(
            key,
            self.hash(key),
            self.now,
            &Fetch::default(),
            |fetched| match fetched {
                Fetched::Hit(mut hit) => Some(hit.pin()),
                Fetched::Miss(_) => None,
            },
        );
        self.pins.push((pin.expect("it is there"), entry.value));
    }

    /// Reads all pinned values to their ends: they are as they were when they were pinned.
    fn read_pins(&mut self) {
        for (mut pin, expected) in self.pins.drain(..) {
            let mut value = Vec::new();
            while pin.remaining > 0 {
                self.store.read_pin(&mut pin, 1000, &mut value);
            }
            self.store.unpin(pin);
            assert!(value == expected, "a pinned value has changed");
        }
    }

    fn upkeep(&mut self) {
        self.store.upkeep(self.now);
    }

    fn advance(&mut self, seconds: u32) {
        self.now.uptime_s += seconds;
        self.now.unix_s += i64::from(seconds);
        if let Some(at_s) = self.flush_at_s
            && at_s <= self.now.uptime_s
        {
            self.entries.clear();
            self.flush_at_s = None;
            // The store learns of it with its next request in each shard.
            self.store.upkeep(self.now);
        }
    }

    fn flush(&mut self, options: u8) {
        if options & 1 == 0 {
            self.store.flush(None, self.now);
            self.entries.clear();
            self.flush_at_s = None;
        } else {
            let at_s = self.now.uptime_s + 1 + u32::from(options >> 4);
            self.store.flush(Some(at_s), self.now);
            self.flush_at_s = Some(at_s);
        }
    }

    /// Compares everything once more.
    pub fn finish(&mut self) {
        self.read_pins();
        let keys: Vec<Vec<u8>> = self.entries.keys().cloned().collect();
        for key in keys {
            self.get(&key, 1);
        }
        self.store.check();
    }
}

/// A value for three bytes: mostly small, now and then long enough for many pieces.
/// What outlives a store on a file, by way of bytes.
///
/// # Panics
///
/// If it is not on a file.
pub fn save(store: &Store) -> Saved {
    let shards = (0..store.shard_count()).map(|number| store.save_shard(number));
    let saved = store.saved(shards.collect()).expect("a store on a file");
    let bytes = postcard::to_allocvec(&saved).expect("bytes");
    postcard::from_bytes(&bytes).expect("the same")
}

/// The store that was saved.
///
/// # Errors
///
/// When something has changed since.
pub fn restore(config: &StoreConfig, file: &File, saved: &Saved) -> Result<Store, OpenError> {
    let store = Store::on_file(config, file, Contents::Saved(saved))?;
    for number in 0..store.shard_count() {
        store.restore_shard(number, saved)?;
    }
    store.end_restore();
    Ok(store)
}

fn value_of(size: u8, fill: u8, detail: u8) -> Vec<u8> {
    let size = match size {
        0..10 => return format!("{}", u64::from(fill) << (detail & 31)).into_bytes(),
        10..200 => usize::from(size) * 2,
        200..240 => usize::from(size - 200) * 250 + usize::from(detail),
        _ => usize::from(size - 240) * 12_000 + usize::from(detail),
    };
    let mut value = vec![fill | 0x80; size];
    // Every value differs somewhere in the middle, so that mixed-up pieces show.
    for (index, byte) in value.iter_mut().enumerate().step_by(97) {
        *byte = index.to_le_bytes()[1] | 0x80;
    }
    value
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::testing;
    use super::*;

    fn config(megabytes: u64) -> StoreConfig {
        StoreConfig {
            item_size_max: 512 << 10,
            ..testing::config(megabytes)
        }
    }

    /// Few runs of each kind, or as many as the environment asks for.
    fn cases() -> u32 {
        let asked = std::env::var("PROPTEST_CASES");
        asked.map_or(48, |count| count.parse().unwrap())
    }

    /// Without what moves pages or changes the limit: with less memory items go even where none
    /// may be evicted for others.
    fn with_steady_memory(operations: &[u8]) -> Vec<u8> {
        let operations = operations.chunks_exact(8);
        let steady = operations.filter(|operation| operation[0] < 251);
        steady.flatten().copied().collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig {
            cases: cases(),
            failure_persistence: None,
            ..ProptestConfig::default()
        })]

        #[test]
        fn the_store_is_a_map_that_forgets(
            operations in proptest::collection::vec(any::<u8>(), 0..8 * 4000),
        ) {
            fuzz_store(&config(4), &operations);
        }

        #[test]
        fn without_eviction_nothing_is_forgotten(
            operations in proptest::collection::vec(any::<u8>(), 0..8 * 2000),
        ) {
            let config = StoreConfig { evict: false, ..config(3) };
            fuzz_store(&config, &with_steady_memory(&operations));
        }

        #[test]
        fn flat_queues_and_temporary_items_keep_the_same_promises(
            operations in proptest::collection::vec(any::<u8>(), 0..8 * 2000),
            segmented in any::<bool>(),
            policy in 0..LruPolicy::ALL.len(),
        ) {
            let mut config = config(2);
            config.lru.policy = LruPolicy::ALL[policy];
            config.lru.segmented = segmented;
            config.lru.temporary_ttl_s = Some(40);
            if config.lru.policy == LruPolicy::NoEviction {
                fuzz_store(&config, &with_steady_memory(&operations));
            } else {
                fuzz_store(&config, &operations);
            }
        }

        #[test]
        fn shards_keep_the_same_promises(
            operations in proptest::collection::vec(any::<u8>(), 0..8 * 4000),
        ) {
            fuzz_store(&config(64), &operations);
        }
    }

    /// A long run, which must really have met everything that the short ones may meet.
    #[test]
    fn a_long_run_meets_eviction_expiry_page_moves_and_index_growth() {
        let mut model = Model::new(&config(6));
        let mut state = 0x9e37_79b9_7f4a_7c15_u64;
        let power = model.store().totals().index_power;
        for step in 0..150_000_u32 {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            let mut operation = state.to_le_bytes();
            // Mostly short values, so that there are many items.
            operation[3] = operation[3].min(200 + operation[3] % 56 * u8::from(step % 8 == 0));
            if operation[0] == 250 && step % 64 != 0 {
                continue;
            }
            model.step(operation);
            if step % 4096 == 0 {
                model.store().check();
            }
        }
        // Many short values at last, so that buckets are split.
        assert!(model.store().set_memory_limit(8 << 20));
        for number in 0..15_000_u16 {
            let [low, high] = number.to_le_bytes();
            model.step([100, high, low, 20, low, 0, 0, 0]);
        }
        model.finish();
        let totals = model.store().totals();
        assert!(totals.evictions > 1000, "{totals:?}");
        assert!(totals.crawler_reclaimed > 100, "{totals:?}");
        assert!(totals.slabs_moved > 50, "{totals:?}");
        assert!(totals.reassign_rescues > 10, "{totals:?}");
        assert!(totals.reassign_chunk_rescues > 0, "{totals:?}");
        assert!(totals.moves_to_warm > 100, "{totals:?}");
        assert!(totals.index_power > power, "{totals:?}");
    }
}
