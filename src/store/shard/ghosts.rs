//! Keys that were evicted not long ago, remembered by a few bits of their hash.
//!
//! A key that comes back while it is remembered was evicted too early. Each hash has one line of
//! eight tags; a new tag pushes the oldest of its line out. One key in eight thousand is taken for
//! another that was evicted: it then stays a little longer.

/// Tags of a line: 16 bytes.
const LINE: usize = 8;

/// The evicted keys of a shard. Empty, and without memory, until it is told how many to remember.
#[derive(Debug, Default)]
pub(super) struct Ghosts {
    lines: Vec<[u16; LINE]>,
}

impl Ghosts {
    /// Remembers at least this many keys, at two to four bytes each, or none. Forgets all when
    /// that takes more memory than before, or much less.
    pub(super) fn resize(&mut self, keys: usize) {
        let lines = match keys {
            0 => 0,
            _ => keys.div_ceil(LINE).next_power_of_two(),
        };
        if lines > self.lines.len() || lines * 4 <= self.lines.len() {
            self.lines = vec![[0; LINE]; lines];
        }
    }

    /// The line of a hash and its tag, which is not zero: that is an empty place.
    #[expect(
        clippy::cast_possible_truncation,
        reason = "some of the bits are wanted"
    )]
    fn place(&mut self, hash: u64) -> Option<(&mut [u16; LINE], u16)> {
        let last = self.lines.len().checked_sub(1)?;
        let tag = ((hash >> 32) as u16).max(1);
        Some((&mut self.lines[hash as usize & last], tag))
    }

    /// Remembers a key.
    pub(super) fn remember(&mut self, hash: u64) {
        if let Some((line, tag)) = self.place(hash) {
            line.copy_within(0..LINE - 1, 1);
            line[0] = tag;
        }
    }

    /// Whether a key is remembered. It is not any more then.
    pub(super) fn recall(&mut self, hash: u64) -> bool {
        let Some((line, tag)) = self.place(hash) else {
            return false;
        };
        let seen = line.iter_mut().find(|seen| **seen == tag);
        seen.map(|seen| *seen = 0).is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Hashes that differ in all bits.
    fn hash(number: u64) -> u64 {
        number.wrapping_mul(0x9e37_79b9_7f4a_7c15)
    }

    #[test]
    fn nothing_is_remembered_without_memory() {
        let mut ghosts = Ghosts::default();
        ghosts.remember(1);
        assert!(!ghosts.recall(1));
    }

    #[test]
    fn the_latest_are_remembered_once_and_the_oldest_forgotten() {
        let mut ghosts = Ghosts::default();
        ghosts.resize(1000);
        for number in 1..=10_000 {
            ghosts.remember(hash(number));
        }
        let recalled = |ghosts: &mut Ghosts, range: std::ops::Range<u64>| {
            range.filter(|number| ghosts.recall(hash(*number))).count()
        };
        assert!(recalled(&mut ghosts, 9800..10_001) > 195);
        assert!(recalled(&mut ghosts, 9800..10_001) < 5, "not twice");
        assert!(recalled(&mut ghosts, 1..5000) < 50);
        ghosts.resize(0);
        assert!(!ghosts.recall(hash(9700)));
    }
}
