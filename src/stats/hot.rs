//! What is asked for most, out of a sample of requests, in memory of fixed size.
//!
//! A `Sketch` is a table of the Space-Saving kind, cut into sets, so that a sample costs a look
//! at the sixteen slots of its name's set, however many names there are:
//!
//! ```text
//!    set      prints 16 x 4 | counts 16 x 4 | slots 16 x (samples by kind, name)
//!    name     hash -> set; found -> its count and its samples grow by one
//!             not found -> the slot with the smallest count becomes its slot: the count stays
//!                          and grows by one, the samples begin anew
//! ```
//!
//! So a name's true number lies between its samples, which were seen since it got its slot and are
//! all that is reported, and its count; and a name that has more than a sixteenth of its set's
//! samples has a slot. Names are bytes of at most [`KEY_SIZE_MAX`] that are copied into slots:
//! nothing is allocated for one.
//!
//! `Windows` are two sketches, of which one gathers while the other is kept, so what is reported
//! is never older than twice [`WINDOW_S`].

use ahash::RandomState;

use crate::limits::KEY_SIZE_MAX;

/// Seconds for which one sketch gathers.
pub const WINDOW_S: u32 = 30;

/// Slots of a set.
const WAY_COUNT: usize = 16;

/// What a sampled request did.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Access {
    /// Looked for an item, or touched it, and found it.
    Hit,
    /// Looked for an item and did not find it.
    Miss,
    /// Stored a value, or counted a number.
    Write,
    /// Deleted an item, or was to.
    Delete,
}

impl Access {
    /// All of them, in the order of their numbers.
    pub const ALL: [Self; 4] = [Self::Hit, Self::Miss, Self::Write, Self::Delete];
}

/// Samples by what they did, in the order of [`Access::ALL`].
pub type Samples = [u32; Access::ALL.len()];

/// One name and its samples.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Hot {
    /// A key, or the prefix of keys.
    pub name: Box<[u8]>,
    /// Samples that were seen.
    pub samples: Samples,
    /// The largest value that was seen with it, in bytes.
    pub value_size: u32,
}

impl Hot {
    /// All samples together.
    pub fn total(&self) -> u64 {
        self.samples.iter().map(|&count| u64::from(count)).sum()
    }

    fn add(&mut self, samples: &Samples, value_size: u32) {
        for (sum, count) in self.samples.iter_mut().zip(samples) {
            *sum = sum.saturating_add(*count);
        }
        self.value_size = self.value_size.max(value_size);
    }

    /// Adds what is known of the same name from elsewhere.
    pub(super) fn absorb(&mut self, other: &Self) {
        self.add(&other.samples, other.value_size);
    }
}

/// One name.
#[derive(Clone, Copy)]
struct Slot {
    samples: Samples,
    value_size: u32,
    name_size: u8,
    name: [u8; KEY_SIZE_MAX],
}

impl Slot {
    const EMPTY: Self = Self {
        samples: [0; Access::ALL.len()],
        value_size: 0,
        name_size: 0,
        name: [0; KEY_SIZE_MAX],
    };

    fn name(&self) -> &[u8] {
        &self.name[..usize::from(self.name_size)]
    }

    fn total(&self) -> u64 {
        self.samples.iter().map(|&count| u64::from(count)).sum()
    }
}

/// Slots that names of the same hash share.
#[derive(Clone)]
struct Set {
    /// Another part of the hash, so that few names have to be compared.
    prints: [u32; WAY_COUNT],
    /// Zero is a slot without a name.
    counts: [u32; WAY_COUNT],
    slots: [Slot; WAY_COUNT],
}

impl Set {
    const EMPTY: Self = Self {
        prints: [0; WAY_COUNT],
        counts: [0; WAY_COUNT],
        slots: [Slot::EMPTY; WAY_COUNT],
    };

    fn find(&self, print: u32, name: &[u8]) -> Option<usize> {
        let mut left = ways_of(&self.prints, print);
        while left != 0 {
            let way = left.trailing_zeros() as usize;
            if self.counts[way] > 0 && self.slots[way].name() == name {
                return Some(way);
            }
            left &= left - 1;
        }
        None
    }

    /// The slot with the smallest count.
    fn smallest(&self) -> usize {
        let smallest = self.counts.iter().fold(u32::MAX, |a, &b| a.min(b));
        ways_of(&self.counts, smallest).trailing_zeros() as usize
    }

    /// The slot of a name, which gets one if it has none.
    fn slot_for(&mut self, print: u32, name: &[u8]) -> usize {
        if let Some(way) = self.find(print, name) {
            return way;
        }
        let way = self.smallest();
        let size = name.len().min(KEY_SIZE_MAX);
        let slot = &mut self.slots[way];
        slot.samples = [0; Access::ALL.len()];
        slot.value_size = 0;
        // A name has at most 250 bytes.
        slot.name_size = u8::try_from(size).unwrap_or(u8::MAX);
        slot.name[..size].copy_from_slice(&name[..size]);
        self.prints[way] = print;
        way
    }
}

/// Where a word stands, as bits. Written so that the processor compares several at once.
fn ways_of(words: &[u32; WAY_COUNT], wanted: u32) -> u32 {
    let mut ways = 0;
    for (way, word) in words.iter().enumerate() {
        ways |= u32::from(*word == wanted) << way;
    }
    ways
}

/// Counts of the names that are seen most.
struct Sketch {
    sets: Box<[Set]>,
    /// Samples in all.
    seen: u64,
}

/// Where the slots of a name are, in every sketch of as many sets.
#[derive(Clone, Copy)]
struct Place {
    set: usize,
    print: u32,
}

impl Sketch {
    fn new(set_count: usize) -> Self {
        Self {
            sets: vec![Set::EMPTY; set_count].into_boxed_slice(),
            seen: 0,
        }
    }

    #[expect(
        clippy::cast_possible_truncation,
        reason = "parts of a hash are wanted"
    )]
    fn place(&self, hash: u64) -> Place {
        Place {
            set: (hash >> 32) as usize % self.sets.len(),
            print: hash as u32,
        }
    }

    fn note(&mut self, place: Place, name: &[u8], access: Access, value_size: u32) {
        self.seen += 1;
        let set = &mut self.sets[place.set];
        let way = set.slot_for(place.print, name);
        set.counts[way] = set.counts[way].saturating_add(1);
        let slot = &mut set.slots[way];
        let count = &mut slot.samples[access as usize];
        *count = count.saturating_add(1);
        slot.value_size = slot.value_size.max(value_size);
    }

    fn clear(&mut self) {
        self.seen = 0;
        for set in &mut self.sets {
            set.counts = [0; WAY_COUNT];
        }
    }

    /// The slot that a name of another sketch has in this one.
    fn twin(&self, other: &Self, set: usize, way: usize) -> Option<&Slot> {
        let theirs = &other.sets[set];
        let ours = &self.sets[set];
        let way = ours.find(theirs.prints[way], theirs.slots[way].name())?;
        Some(&ours.slots[way])
    }

    /// Every name's set and slot.
    fn names(&self) -> impl Iterator<Item = (usize, usize)> {
        let sets = self.sets.iter().enumerate();
        sets.flat_map(|(number, set)| {
            let ways = (0..WAY_COUNT).filter(|&way| set.counts[way] > 0);
            ways.map(move |way| (number, way))
        })
    }
}

impl std::fmt::Debug for Sketch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sketch")
            .field("sets", &self.sets.len())
            .field("seen", &self.seen)
            .finish_non_exhaustive()
    }
}

/// Counts of the names that were seen most of late.
#[derive(Debug)]
pub(super) struct Windows {
    hasher: RandomState,
    current: Sketch,
    kept: Sketch,
    /// Which window the current one is, counted from the start.
    number: u32,
}

impl Windows {
    /// Empty ones, which hold `set_count` times sixteen names each.
    pub(super) fn new(set_count: usize) -> Self {
        Self {
            hasher: RandomState::new(),
            current: Sketch::new(set_count),
            kept: Sketch::new(set_count),
            number: 0,
        }
    }

    /// Forgets what is too old by now.
    pub(super) fn turn_to(&mut self, now_s: u32) {
        let number = now_s / WINDOW_S;
        if number == self.number {
            return;
        }
        if number == self.number.wrapping_add(1) {
            std::mem::swap(&mut self.current, &mut self.kept);
        } else {
            self.kept.clear();
        }
        self.current.clear();
        self.number = number;
    }

    /// Counts a sample. Call [`Self::turn_to`] before.
    pub(super) fn note(&mut self, name: &[u8], access: Access, value_size: u32) {
        let place = self.current.place(self.hasher.hash_one(name));
        self.current.note(place, name, access, value_size);
    }

    /// Samples in both windows.
    pub(super) fn seen(&self) -> u64 {
        self.current.seen + self.kept.seen
    }

    /// The names with most samples, at most so many, the first first.
    pub(super) fn hottest(&self, count_max: usize) -> Vec<Hot> {
        let mut ranks = Vec::new();
        for (set, way) in self.current.names() {
            let slot = &self.current.sets[set].slots[way];
            let kept = self.kept.twin(&self.current, set, way);
            ranks.push((slot.total() + kept.map_or(0, Slot::total), slot, kept));
        }
        for (set, way) in self.kept.names() {
            // What is in both is there already.
            if self.current.twin(&self.kept, set, way).is_none() {
                let slot = &self.kept.sets[set].slots[way];
                ranks.push((slot.total(), slot, None));
            }
        }
        ranks.sort_by_key(|&(total, ..)| std::cmp::Reverse(total));
        let hottest = ranks.into_iter().take(count_max);
        hottest
            .map(|(_, slot, other)| {
                let mut hot = Hot {
                    name: slot.name().into(),
                    samples: slot.samples,
                    value_size: slot.value_size,
                };
                if let Some(other) = other {
                    hot.add(&other.samples, other.value_size);
                }
                hot
            })
            .collect()
    }
}

/// Puts those with most samples first; those with as many, by name.
pub(super) fn sort(all: &mut [Hot]) {
    all.sort_by(|a, b| b.total().cmp(&a.total()).then_with(|| a.name.cmp(&b.name)));
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::*;

    fn note(windows: &mut Windows, name: &[u8]) {
        windows.note(name, Access::Hit, 0);
    }

    fn totals(windows: &Windows) -> Vec<(String, u64)> {
        let hottest = windows.hottest(usize::MAX);
        let text = |name: &[u8]| String::from_utf8_lossy(name).into_owned();
        hottest
            .iter()
            .map(|hot| (text(&hot.name), hot.total()))
            .collect()
    }

    #[test]
    fn what_is_old_is_forgotten_window_by_window() {
        let mut windows = Windows::new(4);
        for (now_s, name, seen) in [
            (10, "a", &[("a", 1)][..]),
            (29, "a", &[("a", 2)]),
            (30, "b", &[("a", 2), ("b", 1)]),
            (59, "a", &[("a", 3), ("b", 1)]),
            // What was seen before 30 is gone, what was seen since is kept.
            (60, "c", &[("a", 1), ("b", 1), ("c", 1)]),
            (90, "c", &[("c", 2)]),
            (200, "d", &[("d", 1)]),
        ] {
            windows.turn_to(now_s);
            note(&mut windows, name.as_bytes());
            let mut found = totals(&windows);
            found.sort();
            let seen: Vec<_> = seen
                .iter()
                .map(|(name, n)| ((*name).to_owned(), *n))
                .collect();
            assert_eq!(found, seen, "{now_s}");
        }
        windows.turn_to(1000);
        assert_eq!((totals(&windows), windows.seen()), (Vec::new(), 0));
    }

    #[test]
    fn what_requests_did_and_the_largest_value_are_told_of_both_windows() {
        let mut windows = Windows::new(1);
        windows.note(b"k", Access::Miss, 0);
        windows.note(b"k", Access::Write, 300);
        windows.turn_to(WINDOW_S);
        windows.note(b"k", Access::Hit, 200);
        windows.note(b"k", Access::Hit, 100);
        windows.note(b"k", Access::Delete, 0);
        let hottest = windows.hottest(1);
        assert_eq!(hottest[0].samples, [2, 1, 1, 1]);
        assert_eq!((hottest[0].total(), hottest[0].value_size), (5, 300));
    }

    #[test]
    fn names_of_every_length_and_byte_are_told_apart() {
        let mut windows = Windows::new(64);
        let names: Vec<Vec<u8>> = (0..=KEY_SIZE_MAX)
            .map(|size| (0..=255).cycle().skip(size).take(size).collect())
            .collect();
        for (count, name) in names.iter().enumerate() {
            (0..=count).for_each(|_| note(&mut windows, name));
        }
        let hottest = windows.hottest(3);
        let longest = names.iter().rev().zip((0..=KEY_SIZE_MAX).rev());
        for (hot, (name, count)) in hottest.iter().zip(longest) {
            assert_eq!((&*hot.name, hot.total()), (&**name, count as u64 + 1));
        }
    }

    proptest! {
        /// Whatever the stream: nobody is reported with more than was seen, a count is never
        /// below the truth, whoever has more than a sixteenth of a set is in it, and no set has
        /// counted more than it has seen.
        #[test]
        fn counts_are_within_their_bounds(
            stream in proptest::collection::vec((0..400_u32, 1..4_u32), 1..3000),
            skew in 0..3_u32,
        ) {
            let hasher = RandomState::with_seed(7);
            let mut sketch = Sketch::new(4);
            let mut truth: HashMap<Vec<u8>, u64> = HashMap::new();
            let mut by_set = [0_u64; 4];
            for (number, times) in stream {
                // Some names are much more frequent than others.
                let name = (number >> (skew * (number % 4))).to_string().into_bytes();
                let place = sketch.place(hasher.hash_one(&*name));
                for _ in 0..times {
                    sketch.note(place, &name, Access::Hit, 0);
                    *truth.entry(name.clone()).or_default() += 1;
                    by_set[place.set] += 1;
                }
            }
            for (number, set) in sketch.sets.iter().enumerate() {
                let counted: u64 = set.counts.iter().map(|&count| u64::from(count)).sum();
                prop_assert_eq!(counted, by_set[number]);
            }
            for (name, &count) in &truth {
                let place = sketch.place(hasher.hash_one(&**name));
                let set = &sketch.sets[place.set];
                match set.find(place.print, name) {
                    Some(way) => {
                        prop_assert!(set.slots[way].total() <= count);
                        prop_assert!(count <= u64::from(set.counts[way]));
                    }
                    None => {
                        prop_assert!(count <= u64::from(set.counts[set.smallest()]));
                        prop_assert!(count <= by_set[place.set] / WAY_COUNT as u64);
                    }
                }
            }
        }
    }
}
