//! Keys counted by their prefix, for `stats detail`.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};

use memchr::memchr;
use parking_lot::Mutex;

use crate::protocol::text::reply;

/// Most prefixes that are told apart. A client that makes up prefixes must not use up memory;
/// those beyond are not counted.
const PREFIX_COUNT_MAX: usize = 65_536;

/// Gets, hits, sets and deletes.
type Counts = [u64; 4];

/// The counts of all prefixes. One lock for all: whoever turns this on accepts what it costs.
#[derive(Debug)]
pub(super) struct Prefixes {
    on: AtomicBool,
    delimiter: u8,
    counts: Mutex<HashMap<Box<[u8]>, Counts, ahash::RandomState>>,
}

impl Prefixes {
    pub(super) fn new(delimiter: u8, on: bool) -> Self {
        Self {
            on: AtomicBool::new(on),
            delimiter,
            counts: Mutex::default(),
        }
    }

    pub(super) fn is_on(&self) -> bool {
        self.on.load(Ordering::Relaxed)
    }

    pub(super) fn turn(&self, on: bool) {
        self.on.store(on, Ordering::Relaxed);
    }

    pub(super) fn get(&self, key: &[u8], hit: bool) {
        self.count(key, [1, u64::from(hit), 0, 0]);
    }

    pub(super) fn set(&self, key: &[u8]) {
        self.count(key, [0, 0, 1, 0]);
    }

    pub(super) fn delete(&self, key: &[u8]) {
        self.count(key, [0, 0, 0, 1]);
    }

    pub(super) fn clear(&self) {
        self.counts.lock().clear();
    }

    /// Appends the list, sorted so that two readings can be compared.
    pub(super) fn dump(&self, out: &mut Vec<u8>) {
        let counts = self.counts.lock();
        let mut all: Vec<_> = counts.iter().collect();
        all.sort_unstable();
        for (prefix, counts) in all {
            reply::prefix(out, prefix, *counts);
        }
        out.extend_from_slice(reply::END);
    }

    fn count(&self, key: &[u8], by: Counts) {
        let Some(size) = memchr(self.delimiter, key) else {
            return;
        };
        let prefix = &key[..size];
        let mut counts = self.counts.lock();
        let is_full = counts.len() >= PREFIX_COUNT_MAX;
        let entry = match counts.get_mut(prefix) {
            Some(entry) => entry,
            None if is_full => return,
            None => counts.entry(Box::from(prefix)).or_default(),
        };
        for (count, by) in entry.iter_mut().zip(by) {
            *count += by;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefixes_are_counted_up_to_a_bound() {
        let prefixes = Prefixes::new(b':', true);
        for n in 0..PREFIX_COUNT_MAX + 10 {
            prefixes.set(format!("{n}:x").as_bytes());
        }
        prefixes.get(b"0:y", true);
        prefixes.get(b"none", true);
        assert_eq!(prefixes.counts.lock().len(), PREFIX_COUNT_MAX);
        assert_eq!(prefixes.counts.lock()[&b"0"[..]], [1, 1, 1, 0]);
    }
}
