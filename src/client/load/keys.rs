//! Keys and values by number, how large each is, and which number comes next.
//!
//! A key's number decides everything about it, so that any client knows what any reply must be.

use std::str::FromStr;

use super::random::{Random, Zipf, mix};
use super::twitter;
use crate::limits::KEY_SIZE_MAX;

/// Digits that tell one key from another; a key is at least this long.
pub const KEY_DIGITS: usize = 10;

/// Keys whose number needs more digits cannot be told apart.
pub const KEY_COUNT_MAX: u64 = 10_000_000_000;

/// How large values are, and with a mix also keys.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Sizes {
    /// All the same.
    Fixed(u32),
    /// Any size from the first to the second, all equally often.
    Uniform(u32, u32),
    /// As in the clusters of a public trace; see the source of `twitter`.
    Twitter,
}

impl FromStr for Sizes {
    type Err = String;

    /// Reads `100`, `20-1019`, or the name of a mix.
    fn from_str(text: &str) -> Result<Self, String> {
        let number = |digits: &str| {
            let size = digits.parse::<u32>().ok().filter(|&size| size <= 1 << 30);
            size.ok_or_else(|| format!("{digits:?} is no size: N, A-B or twitter is one"))
        };
        if text == "twitter" {
            return Ok(Self::Twitter);
        }
        match text.split_once('-') {
            None => Ok(Self::Fixed(number(text)?)),
            Some((low, high)) => match (number(low)?, number(high)?) {
                (low, high) if low <= high => Ok(Self::Uniform(low, high)),
                _ => Err(format!("{text:?}: the first is greater than the second")),
            },
        }
    }
}

/// All keys of a run, numbered from zero.
#[derive(Clone, Debug)]
pub struct KeySpace {
    /// How many keys there are.
    pub count: u64,
    /// Bytes of each key; a mix has sizes of its own.
    pub key_size: usize,
    /// Bytes of the values.
    pub sizes: Sizes,
    /// Another seed gives the same keys other sizes.
    pub seed: u64,
}

impl KeySpace {
    /// Refuses keys that cannot be told apart or that the protocol does not allow.
    ///
    /// # Errors
    ///
    /// What is wrong, in words.
    pub fn check(&self) -> Result<(), String> {
        if !(KEY_DIGITS..=KEY_SIZE_MAX).contains(&self.key_size) {
            return Err(format!("keys have {KEY_DIGITS} to {KEY_SIZE_MAX} bytes"));
        }
        if !(1..=KEY_COUNT_MAX).contains(&self.count) {
            return Err(format!("there are 1 to {KEY_COUNT_MAX} keys"));
        }
        Ok(())
    }

    /// Bytes of a key and of its value.
    pub fn size(&self, number: u64) -> (usize, usize) {
        match self.sizes {
            Sizes::Fixed(size) => (self.key_size, size as usize),
            Sizes::Uniform(low, high) => {
                let mut random = Random::new(mix(number ^ self.seed));
                let more = random.below(u64::from(high - low) + 1);
                (
                    self.key_size,
                    low as usize + usize::try_from(more).unwrap_or(0),
                )
            }
            Sizes::Twitter => twitter::size(&mut Random::new(mix(number ^ self.seed))),
        }
    }

    /// Appends the key of this number: a filler, then ten digits.
    pub fn write_key(&self, number: u64, out: &mut Vec<u8>) {
        let filler = self.size(number).0 - KEY_DIGITS;
        out.resize(out.len() + filler, b'k');
        out.extend_from_slice(&digits(number));
    }

    /// Appends the value of a key: its digits as far as they fit, so that a reply shows whose
    /// value it carries, then a filler.
    pub fn write_value(&self, number: u64, out: &mut Vec<u8>) {
        let size = self.size(number).1;
        let shown = size.min(KEY_DIGITS);
        out.extend_from_slice(&digits(number)[KEY_DIGITS - shown..]);
        out.resize(out.len() + size - shown, b'v');
    }

    /// Whether these bytes can be the value of this key. Looks at the size and both ends only: it
    /// runs for each reply, and the load must stay cheaper than the server.
    pub fn is_value(&self, number: u64, bytes: &[u8]) -> bool {
        let shown = bytes.len().min(KEY_DIGITS);
        bytes.len() == self.size(number).1
            && bytes[..shown] == digits(number)[KEY_DIGITS - shown..]
            && (bytes.len() == shown || bytes.ends_with(b"v"))
    }
}

/// The number of a key that [`KeySpace::write_key`] wrote.
pub fn number_of(key: &[u8]) -> Option<u64> {
    let digits = key.last_chunk::<KEY_DIGITS>()?;
    digits.iter().try_fold(0, |number, &byte| {
        byte.is_ascii_digit()
            .then(|| number * 10 + u64::from(byte - b'0'))
    })
}

fn digits(number: u64) -> [u8; KEY_DIGITS] {
    let mut out = [b'0'; KEY_DIGITS];
    let mut rest = number;
    for pair in out.rchunks_exact_mut(2) {
        let low = (rest % 100) as usize * 2;
        pair.copy_from_slice(&PAIRS[low..low + 2]);
        rest /= 100;
    }
    out
}

static PAIRS: [u8; 200] = {
    let mut pairs = [0; 200];
    let mut number = 0;
    while number < 100 {
        pairs[number as usize * 2] = b'0' + number / 10;
        pairs[number as usize * 2 + 1] = b'0' + number % 10;
        number += 1;
    }
    pairs
};

/// How keys are picked.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Popularity {
    /// All equally often.
    Uniform,
    /// One after the other, round and round.
    Sequential,
    /// As [`Zipf`] has it. Which keys are the popular ones has no pattern.
    Zipf(f64),
}

impl FromStr for Popularity {
    type Err = String;

    /// Reads `uniform`, `sequential` or `zipf:EXPONENT`.
    fn from_str(text: &str) -> Result<Self, String> {
        let exponent = |text: &str| text.parse().ok().filter(|e| (0.01..=10.0).contains(e));
        match text {
            "uniform" => Ok(Self::Uniform),
            "sequential" => Ok(Self::Sequential),
            "zipf" => Ok(Self::Zipf(0.99)),
            _ => text
                .strip_prefix("zipf:")
                .and_then(exponent)
                .map(Self::Zipf)
                .ok_or_else(|| {
                    format!("{text:?}: uniform, sequential or zipf:EXPONENT, of 0.01 to 10")
                }),
        }
    }
}

/// Which key comes next, for one thread of several.
#[derive(Clone, Debug)]
pub struct Pick {
    random: Random,
    count: u64,
    way: Way,
    /// The next key that nobody has asked for or will ask for again, and by how much the thread
    /// goes on from there.
    fresh: u64,
    stride: u64,
    fresh_share: f64,
}

#[derive(Clone, Debug)]
enum Way {
    Uniform,
    Zipf(Zipf, u64),
    Sequential(u64),
    Once(std::ops::Range<u64>),
}

impl Pick {
    /// Picks for thread `index` of `threads`. A share of `fresh_share` are keys that are never
    /// asked for again, numbered from the count on.
    pub fn new(
        keys: &KeySpace,
        popularity: Popularity,
        fresh_share: f64,
        index: u64,
        threads: u64,
    ) -> Self {
        let way = match popularity {
            Popularity::Uniform => Way::Uniform,
            Popularity::Zipf(exponent) => {
                Way::Zipf(Zipf::new(keys.count, exponent), coprime(keys.count))
            }
            Popularity::Sequential => Way::Sequential(keys.count / threads * index),
        };
        Self {
            random: Random::new(mix(keys.seed ^ index)),
            count: keys.count,
            way,
            fresh: keys.count + index,
            stride: threads,
            fresh_share,
        }
    }

    /// Each key of a range once, in order.
    pub fn once(range: std::ops::Range<u64>) -> Self {
        Self {
            random: Random::new(0),
            count: range.end,
            way: Way::Once(range),
            fresh: 0,
            stride: 0,
            fresh_share: 0.0,
        }
    }

    /// The next key's number, or `None` when all have been had.
    pub fn draw(&mut self) -> Option<u64> {
        if self.fresh_share > 0.0 && self.random.fraction() < self.fresh_share {
            self.fresh = (self.fresh + self.stride).min(KEY_COUNT_MAX - 1);
            return Some(self.fresh);
        }
        Some(match &mut self.way {
            Way::Uniform => self.random.below(self.count),
            Way::Zipf(zipf, factor) => {
                let rank = zipf.draw(&mut self.random);
                let spread = u128::from(rank) * u128::from(*factor) % u128::from(self.count);
                u64::try_from(spread).unwrap_or(rank)
            }
            Way::Sequential(next) => {
                let number = *next;
                *next = if number + 1 == self.count {
                    0
                } else {
                    number + 1
                };
                number
            }
            Way::Once(range) => return range.next(),
        })
    }

    /// Whether a thing that happens to this share of requests happens to this one.
    pub fn chance(&mut self, share: f64) -> bool {
        share > 0.0 && (share >= 1.0 || self.random.fraction() < share)
    }

    /// A number from `low` to `high`, both included.
    pub fn between(&mut self, low: u32, high: u32) -> u32 {
        let more = self.random.below(u64::from(high.saturating_sub(low)) + 1);
        low + u32::try_from(more).unwrap_or(0)
    }
}

/// A factor by which ranks are spread over keys: prime to the count, so that it maps no two to
/// one, and near the golden section of it, so that neighbours come far apart.
fn coprime(count: u64) -> u64 {
    let mut factor = (count / 1000 * 618).max(1);
    while gcd(factor, count) != 1 {
        factor += 1;
    }
    factor
}

fn gcd(a: u64, b: u64) -> u64 {
    if b == 0 { a } else { gcd(b, a % b) }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn keys(sizes: Sizes) -> KeySpace {
        KeySpace {
            count: 1000,
            key_size: 20,
            sizes,
            seed: 1,
        }
    }

    #[test]
    fn sizes_are_written_as_a_number_a_range_or_a_name() {
        assert_eq!("100".parse(), Ok(Sizes::Fixed(100)));
        assert_eq!("20-1019".parse(), Ok(Sizes::Uniform(20, 1019)));
        assert_eq!("twitter".parse(), Ok(Sizes::Twitter));
        for wrong in ["", "x", "9-1", "-1", "5000000000", "1-2-3"] {
            assert!(wrong.parse::<Sizes>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_key_and_its_value_tell_their_number() {
        for sizes in [
            Sizes::Fixed(0),
            Sizes::Fixed(3),
            Sizes::Uniform(5, 50),
            Sizes::Twitter,
        ] {
            let keys = keys(sizes);
            for number in [0, 1, 999, 123_456, KEY_COUNT_MAX - 1] {
                let (mut key, mut value) = (Vec::new(), Vec::new());
                keys.write_key(number, &mut key);
                keys.write_value(number, &mut value);
                assert_eq!((key.len(), value.len()), keys.size(number));
                assert_eq!(number_of(&key), Some(number));
                assert!(keys.is_value(number, &value));
                value.push(b'v');
                assert!(!keys.is_value(number, &value), "a value too long");
            }
        }
        let (keys, mut value) = (keys(Sizes::Fixed(20)), Vec::new());
        keys.write_value(7, &mut value);
        assert!(!keys.is_value(8, &value), "another key's value");
        assert_eq!(number_of(b"short"), None);
        assert_eq!(number_of(b"not a number"), None);
    }

    #[test]
    fn uniform_sizes_reach_both_ends() {
        let keys = keys(Sizes::Uniform(5, 8));
        let seen: BTreeSet<usize> = (0..1000).map(|number| keys.size(number).1).collect();
        assert_eq!(seen.into_iter().collect::<Vec<_>>(), [5, 6, 7, 8]);
    }

    #[test]
    fn popular_keys_are_distinct_and_scattered() {
        let keys = keys(Sizes::Fixed(1));
        let factor = coprime(keys.count);
        let spread: BTreeSet<u64> = (0..1000).map(|rank| rank * factor % 1000).collect();
        assert_eq!(spread.len(), 1000);
        let mut pick = Pick::new(&keys, Popularity::Zipf(1.1), 0.0, 0, 1);
        assert!((0..10_000).all(|_| pick.draw().is_some_and(|number| number < 1000)));
    }

    #[test]
    fn fresh_keys_never_come_twice_in_any_thread() {
        let keys = keys(Sizes::Fixed(1));
        let mut seen = BTreeSet::new();
        for index in 0..3 {
            let mut pick = Pick::new(&keys, Popularity::Uniform, 0.5, index, 3);
            for _ in 0..1000 {
                let number = pick.draw().expect("without end");
                assert!(number < 1000 || seen.insert(number), "{number} came twice");
            }
        }
        assert!((1000..2000).contains(&seen.len()));
    }

    #[test]
    fn keys_that_come_once_come_in_order() {
        let mut pick = Pick::once(3..6);
        let all: Vec<u64> = std::iter::from_fn(|| pick.draw()).collect();
        assert_eq!(all, [3, 4, 5]);
    }
}
