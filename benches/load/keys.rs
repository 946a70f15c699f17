//! Keys and values by number, and which number comes next.

use std::io;

/// Digits that tell one key from another; a key is at least this long.
pub(crate) const KEY_DIGITS: usize = 10;

/// All keys of a run: `size` bytes each, numbered from zero.
#[derive(Clone, Copy, Debug)]
pub(crate) struct KeySpace {
    /// How many keys there are.
    pub(crate) count: u32,
    /// Bytes of each key.
    pub(crate) size: usize,
}

impl KeySpace {
    /// Refuses keys that cannot be told apart or that the protocol does not allow.
    pub(crate) fn check(self) -> io::Result<()> {
        if self.count == 0 || !(KEY_DIGITS..=250).contains(&self.size) {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                "keys must be of 10 to 250 bytes, and there must be one",
            ));
        }
        Ok(())
    }

    /// Appends the key of this number: a filler, then ten digits.
    pub(crate) fn write(self, number: u32, out: &mut Vec<u8>) {
        let filler = self.size - KEY_DIGITS;
        out.resize(out.len() + filler, b'k');
        out.extend_from_slice(&digits(number));
    }

    /// Whether these bytes are the key of this number.
    pub(crate) fn is(self, number: u32, bytes: &[u8]) -> bool {
        bytes.len() == self.size && bytes[self.size - KEY_DIGITS..] == digits(number)
    }
}

/// Appends the value of a key: its digits as far as they fit, so that a reply shows whose value
/// it carries, then a filler.
pub(crate) fn write_value(number: u32, size: usize, out: &mut Vec<u8>) {
    let shown = size.min(KEY_DIGITS);
    out.extend_from_slice(&digits(number)[KEY_DIGITS - shown..]);
    out.resize(out.len() + size - shown, b'v');
}

/// Whether these bytes can be the value of this key. Looks at both ends only: it runs for each
/// reply, and the generator must stay cheaper than the server.
pub(crate) fn is_value(number: u32, bytes: &[u8]) -> bool {
    let shown = bytes.len().min(KEY_DIGITS);
    bytes[..shown] == digits(number)[KEY_DIGITS - shown..]
        && (bytes.len() == shown || bytes.ends_with(b"v"))
}

fn digits(number: u32) -> [u8; KEY_DIGITS] {
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

/// Which key comes next.
#[derive(Clone, Debug)]
pub(crate) enum Pick {
    /// Any key, all equally often, for ever.
    Uniform(Random),
    /// Each key of a range once, in order.
    Sequential(std::ops::Range<u32>),
}

impl Pick {
    /// The next key's number, or `None` when all have been had.
    pub(crate) fn next(&mut self, keys: KeySpace) -> Option<u32> {
        match self {
            Self::Uniform(random) => Some(random.below(keys.count)),
            Self::Sequential(range) => range.next(),
        }
    }
}

/// A small seeded generator (splitmix64): the same seed gives the same run.
#[derive(Clone, Debug)]
pub(crate) struct Random(pub(crate) u64);

impl Random {
    /// The next 64 bits.
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `bound`, all equally likely but for a part in four thousand million.
    pub(crate) fn below(&mut self, bound: u32) -> u32 {
        (((self.next() >> 32) * u64::from(bound)) >> 32) as u32
    }
}
