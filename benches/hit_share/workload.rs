//! What is asked for: the same requests, in the same order, of every cache.

use std::io;

use larder::client::load::keys::{KeySpace, Pick, Popularity, Sizes};
use larder::client::load::random::Random;

/// Keys that are asked for again and again.
const KEY_COUNT: u64 = 4_000_000;

/// Requests in flight at once; a key that is missing is stored before the next are sent.
const BATCH_COUNT: usize = 32;

/// Shares of the keys, in percent, and how long a value of theirs lives, in seconds; the rest
/// lives for ever. A key always has the same.
const TTLS: [(u64, u32); 3] = [(40, 60), (30, 300), (20, 1800)];

/// One kind of load.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Load {
    /// The exponent of popularity.
    pub(crate) exponent: f64,
    /// Share of requests for keys that are never asked for again.
    pub(crate) once_share: f64,
    /// How large items are.
    pub(crate) sizes: Sizes,
    /// Whether most items live for a while only.
    pub(crate) expires: bool,
    /// Requests after which each key has given way to another that is as popular.
    pub(crate) renewal: Option<u64>,
    /// Requests in a second of the cache's time.
    pub(crate) rate: u64,
}

/// A cache to be asked.
pub(crate) trait Cache {
    /// Asks for keys and calls `missed` with each that is not there.
    fn get(&mut self, keys: &KeySpace, numbers: &[u64], missed: &mut Vec<u64>) -> io::Result<()>;
    /// Stores the values of keys, each with its time to live in seconds; zero is for ever.
    fn set(&mut self, keys: &KeySpace, numbers: &[(u64, u32)]) -> io::Result<()>;
    /// Lets a second pass.
    fn tick(&mut self) -> io::Result<()>;
    /// Resident bytes.
    fn memory(&mut self) -> io::Result<u64>;
}

/// What a run showed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Outcome {
    /// Share of requests that were hits.
    pub(crate) hit_share: f64,
    /// Share of the bytes of values that were asked for.
    pub(crate) byte_share: f64,
    /// Resident bytes at the end.
    pub(crate) memory: u64,
}

impl Load {
    /// A few words.
    pub(crate) fn name(&self) -> String {
        let sizes = match self.sizes {
            Sizes::Fixed(size) => format!("{size} B"),
            Sizes::Uniform(low, high) => format!("{low} to {high} B"),
            Sizes::Twitter => "mixed".to_owned(),
        };
        format!(
            "zipf {}, {:.0} % once, {sizes}, {}{}",
            self.exponent,
            self.once_share * 100.0,
            if self.expires { "TTL" } else { "no TTL" },
            if self.renewal.is_some() {
                ", renewed"
            } else {
                ""
            }
        )
    }

    /// The time that a key's values live, in seconds; zero is for ever.
    fn ttl_s(&self, number: u64) -> u32 {
        if !self.expires {
            return 0;
        }
        let mut drawn = Random::new(number ^ 0x7474_6c00).below(100);
        for (share, ttl_s) in TTLS {
            if drawn < share {
                return ttl_s;
            }
            drawn -= share;
        }
        0
    }

    /// The key that is in this one's place by now.
    fn renewed(&self, number: u64, asked: u64) -> u64 {
        match self.renewal {
            // Each key has a moment of its own, so that they do not all change at once.
            Some(period) if number < KEY_COUNT => {
                let moment = Random::new(number ^ 0x6e65_7700).below(period);
                number + (asked + moment) / period * KEY_COUNT * 100
            }
            _ => number,
        }
    }

    /// Sends `count` requests and counts the hits of the second half.
    pub(crate) fn run(&self, cache: &mut dyn Cache, count: u64) -> io::Result<Outcome> {
        let keys = KeySpace {
            count: KEY_COUNT,
            key_size: 20,
            sizes: self.sizes,
            seed: 1,
        };
        let popularity = Popularity::Zipf(self.exponent);
        let mut pick = Pick::new(&keys, popularity, self.once_share, 0, 1);
        let (mut numbers, mut missed, mut stored) = (Vec::new(), Vec::new(), Vec::new());
        let (mut asked, mut hits, mut counted) = (0, 0, 0);
        let (mut wanted_bytes, mut missed_bytes) = (0, 0);
        let bytes_of = |numbers: &[u64]| -> usize {
            let sizes = numbers.iter().map(|number| keys.size(*number).1);
            sizes.sum()
        };
        while asked < count {
            numbers.clear();
            let drawn = (0..BATCH_COUNT).filter_map(|_| pick.draw());
            numbers.extend(drawn.map(|number| self.renewed(number, asked)));
            missed.clear();
            cache.get(&keys, &numbers, &mut missed)?;
            stored.clear();
            stored.extend(missed.iter().map(|number| (*number, self.ttl_s(*number))));
            cache.set(&keys, &stored)?;
            let before = asked / self.rate;
            asked += numbers.len() as u64;
            for _ in before..asked / self.rate {
                cache.tick()?;
            }
            if asked > count / 2 {
                counted += numbers.len();
                hits += numbers.len() - missed.len();
                wanted_bytes += bytes_of(&numbers);
                missed_bytes += bytes_of(&missed);
            }
        }
        Ok(Outcome {
            hit_share: hits as f64 / counted as f64,
            byte_share: 1.0 - missed_bytes as f64 / wanted_bytes as f64,
            memory: cache.memory()?,
        })
    }
}
