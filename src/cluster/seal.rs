//! The seal of a datagram: that it was made by somebody who has the key, for this very process,
//! and is new.
//!
//! ```text
//! "Lg" version 0 | from (8) | to (8) | counter (8) | message | tag (16)
//! ```
//!
//! `from` and `to` are *boots*: random numbers that each process draws when it starts. The tag is
//! HMAC-SHA-256 over all that stands before it, cut to 16 bytes.
//!
//! What is promised: a datagram that was changed, made without the key, sent before, or meant for
//! another process or an earlier run of this one is not taken. The only message that may be for
//! anybody (`to` is 0) is [`Message::Hello`], since whoever says it does not know yet who is there;
//! nothing comes of one but one answer of about its size. What is not promised: secrecy. Names and
//! addresses can be read on the wire; clients are told the same.
//!
//! Keys are changed without a pause by having two for a while: the first seals, all open.
//!
//! Pure: random numbers are arguments.

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::message::{MESSAGE_SIZE_MAX, Message, Packet};

/// Bytes of a datagram beside its message.
pub const SEAL_SIZE: usize = HEAD_SIZE + TAG_SIZE;

/// Largest datagram, in bytes.
pub const SEALED_SIZE_MAX: usize = MESSAGE_SIZE_MAX + 32 + SEAL_SIZE;

/// Shortest line of a key file, in bytes.
pub const KEY_SIZE_MIN: usize = 16;

/// Most keys of a key file.
pub const KEY_COUNT_MAX: usize = 8;

const HEAD_SIZE: usize = 28;
const TAG_SIZE: usize = 16;
const MAGIC: [u8; 4] = [b'L', b'g', 1, 0];

/// Datagrams that may overtake each other.
const WINDOW: u64 = 128;

/// Processes that are remembered; no cluster has so many.
const BOOT_COUNT_MAX: usize = 4096;

/// Which run of which daemon. Never 0.
pub type Boot = u64;

/// The keys of a cluster.
#[derive(Clone)]
pub struct Keys(Vec<Zeroizing<[u8; 32]>>);

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Keys({})", self.0.len())
    }
}

/// Why there are no keys.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum KeysError {
    /// The file has no line with a key.
    None,
    /// This line, counted from 1, is shorter than [`KEY_SIZE_MIN`].
    Short(usize),
    /// There are more than [`KEY_COUNT_MAX`].
    Many,
}

impl fmt::Display for KeysError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str("there is no key in it"),
            Self::Short(line) => write!(
                f,
                "line {line}: a key has {KEY_SIZE_MIN} characters at least; `openssl rand -hex 32` \
                 makes one"
            ),
            Self::Many => write!(f, "there are more than {KEY_COUNT_MAX} keys in it"),
        }
    }
}

impl std::error::Error for KeysError {}

impl Keys {
    /// Reads a key file: one key a line, the first seals.
    ///
    /// # Errors
    ///
    /// When it has none, or one that is too short to be secret.
    pub fn parse(file: &[u8]) -> Result<Self, KeysError> {
        let mut keys = Vec::new();
        for (index, line) in file.split(|byte| *byte == b'\n').enumerate() {
            let line = line.trim_ascii();
            if line.is_empty() {
                continue;
            }
            if line.len() < KEY_SIZE_MIN {
                return Err(KeysError::Short(index + 1));
            }
            // The text of a key may have any length; what seals has one, and is good for this only.
            let digest = mac(line, &[b"larder cluster datagrams 1"]);
            keys.push(Zeroizing::new(digest));
        }
        match keys.len() {
            0 => Err(KeysError::None),
            count if count > KEY_COUNT_MAX => Err(KeysError::Many),
            _ => Ok(Self(keys)),
        }
    }
}

fn mac(key: &[u8], parts: &[&[u8]]) -> [u8; 32] {
    // HMAC takes keys of every length.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else {
        unreachable!("HMAC takes keys of every length")
    };
    for part in parts {
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
}

/// Why a datagram is not taken.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Rejected {
    /// It is no datagram of ours: too short, too long, of another version.
    Form,
    /// It was made with another key, or changed.
    Forged,
    /// It was taken before, or is too old to tell.
    Replayed,
    /// It is meant for another process, or an earlier run of this one.
    NotMeant,
}

impl Rejected {
    /// As logs name it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Form => "malformed",
            Self::Forged => "wrong key",
            Self::Replayed => "replayed",
            Self::NotMeant => "not meant for this process",
        }
    }
}

/// A datagram that was taken.
#[derive(Clone, Debug, PartialEq)]
pub struct Opened {
    /// What it says.
    pub packet: Packet,
    /// Who made it.
    pub boot: Boot,
}

/// Which counters of one boot were seen.
#[derive(Clone, Copy, Debug, Default)]
struct Window {
    highest: u64,
    /// Bit i stands for `highest - i`.
    seen: u128,
    used_at: u64,
}

impl Window {
    /// Notes a counter; false when it was seen, or would not be known.
    fn take(&mut self, counter: u64) -> bool {
        if counter > self.highest {
            let ahead = counter - self.highest;
            self.seen = if ahead >= WINDOW {
                0
            } else {
                self.seen << ahead
            };
            self.seen |= 1;
            self.highest = counter;
            return true;
        }
        let behind = self.highest - counter;
        if behind >= WINDOW || self.seen >> behind & 1 == 1 {
            return false;
        }
        self.seen |= 1 << behind;
        true
    }
}

/// Seals and opens the datagrams of one process.
#[derive(Debug)]
pub struct Seal {
    keys: Keys,
    boot: Boot,
    counter: u64,
    /// Counts uses of windows.
    uses: u64,
    /// Whose process is at an address, as far as that was proven.
    boots: BTreeMap<SocketAddr, Boot>,
    windows: BTreeMap<Boot, Window>,
}

impl Seal {
    /// A process that starts; `boot` is a random number.
    pub fn new(keys: Keys, boot: Boot) -> Self {
        Self {
            keys,
            boot: boot.max(1),
            counter: 0,
            uses: 0,
            boots: BTreeMap::new(),
            windows: BTreeMap::new(),
        }
    }

    /// Takes other keys from now on.
    pub fn set_keys(&mut self, keys: Keys) {
        self.keys = keys;
    }

    /// Seals a packet for the process at an address, or for `boot` where that is known otherwise.
    /// `None` when it is not known who is there: say [`Message::Hello`] first.
    pub fn seal(&mut self, to: SocketAddr, boot: Option<Boot>, packet: &Packet) -> Option<Vec<u8>> {
        let to = match packet.message {
            Message::Hello { .. } => 0,
            _ => boot.or_else(|| self.boots.get(&to).copied())?,
        };
        self.counter += 1;
        let mut bytes = Vec::with_capacity(SEALED_SIZE_MAX);
        bytes.extend_from_slice(&MAGIC);
        for number in [self.boot, to, self.counter] {
            bytes.extend_from_slice(&number.to_be_bytes());
        }
        bytes.extend_from_slice(&packet.encode());
        let tag = mac(&self.keys.0[0][..], &[&bytes]);
        bytes.extend_from_slice(&tag[..TAG_SIZE]);
        (bytes.len() <= SEALED_SIZE_MAX).then_some(bytes)
    }

    /// Opens a datagram.
    ///
    /// # Errors
    ///
    /// Why it is not taken. [`Rejected::NotMeant`] is worth a [`Message::Hello`]: whoever sent it
    /// may take us for an earlier run.
    pub fn open(&mut self, from: SocketAddr, bytes: &[u8]) -> Result<Opened, Rejected> {
        if bytes.len() < SEAL_SIZE || bytes.len() > SEALED_SIZE_MAX || bytes[..4] != MAGIC {
            return Err(Rejected::Form);
        }
        let (body, tag) = bytes.split_at(bytes.len() - TAG_SIZE);
        let good = |key: &Zeroizing<[u8; 32]>| {
            let expected = mac(&key[..], &[body]);
            bool::from(expected[..TAG_SIZE].ct_eq(tag))
        };
        if !self.keys.0.iter().any(good) {
            return Err(Rejected::Forged);
        }
        let [boot, to, counter] = [4, 12, 20].map(|at| {
            let mut number = [0; 8];
            number.copy_from_slice(&body[at..at + 8]);
            u64::from_be_bytes(number)
        });
        let packet = Packet::decode(&body[HEAD_SIZE..]).ok_or(Rejected::Form)?;
        let is_hello = matches!(packet.message, Message::Hello { .. });
        if is_hello != (to == 0) || boot == 0 {
            return Err(Rejected::Form);
        }
        if is_hello {
            return Ok(Opened { packet, boot });
        }
        if to != self.boot || boot == self.boot {
            return Err(Rejected::NotMeant);
        }
        if !self.window(boot).take(counter) {
            return Err(Rejected::Replayed);
        }
        if self.boots.len() >= BOOT_COUNT_MAX && !self.boots.contains_key(&from) {
            self.boots.clear();
        }
        // It names our boot, so it was made since we started: this is who is there now.
        self.boots.insert(from, boot);
        Ok(Opened { packet, boot })
    }

    fn window(&mut self, boot: Boot) -> &mut Window {
        if self.windows.len() >= BOOT_COUNT_MAX && !self.windows.contains_key(&boot) {
            let oldest = self.windows.iter().min_by_key(|(_, window)| window.used_at);
            if let Some(oldest) = oldest.map(|(boot, _)| *boot) {
                self.windows.remove(&oldest);
            }
        }
        self.uses += 1;
        let window = self.windows.entry(boot).or_default();
        window.used_at = self.uses;
        window
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::message::Who;
    use crate::cluster::roster::Head;

    const KEY: &[u8] = b"0123456789abcdef\n";

    fn address(last: u8) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, last], 1))
    }

    fn seal(boot: Boot) -> Seal {
        Seal::new(Keys::parse(KEY).unwrap(), boot)
    }

    fn pull() -> Packet {
        Packet {
            from: 1,
            message: Message::Pull {
                head: Head::default(),
                offset: 7,
            },
        }
    }

    fn hello() -> Packet {
        Packet {
            from: 1,
            message: Message::Hello {
                who: Who {
                    id: "a".to_owned(),
                    life: 1,
                    gossip: address(1),
                    epoch: 1,
                    can_found: false,
                },
                to: address(2),
            },
        }
    }

    /// Two processes that know each other: 1 at address 1, 2 at address 2.
    fn pair() -> (Seal, Seal) {
        let (mut one, mut two) = (seal(1), seal(2));
        let bytes = one.seal(address(2), Some(2), &pull()).unwrap();
        two.open(address(1), &bytes).unwrap();
        let bytes = two.seal(address(1), None, &pull()).unwrap();
        one.open(address(2), &bytes).unwrap();
        (one, two)
    }

    #[test]
    fn what_is_sealed_is_opened_as_it_was() {
        let (mut one, mut two) = pair();
        let bytes = one.seal(address(2), None, &pull()).unwrap();
        let opened = two.open(address(1), &bytes).unwrap();
        assert_eq!((opened.packet, opened.boot), (pull(), 1));
    }

    #[test]
    fn a_changed_byte_or_another_length_is_noticed() {
        let (mut one, mut two) = pair();
        let bytes = one.seal(address(2), None, &pull()).unwrap();
        for at in 0..bytes.len() {
            for bit in 0..8 {
                let mut wrong = bytes.clone();
                wrong[at] ^= 1 << bit;
                assert!(two.open(address(1), &wrong).is_err(), "{at}");
            }
        }
        for end in 0..bytes.len() {
            assert!(two.open(address(1), &bytes[..end]).is_err());
        }
        let mut longer = bytes.clone();
        longer.push(0);
        assert!(two.open(address(1), &longer).is_err());
        assert_eq!(two.open(address(1), &[0; 65_535]), Err(Rejected::Form));
        assert!(two.open(address(1), &bytes).is_ok());
    }

    #[test]
    fn another_key_opens_nothing() {
        let mut stranger = Seal::new(Keys::parse(b"another key of the same length").unwrap(), 3);
        let bytes = stranger.seal(address(2), Some(2), &pull()).unwrap();
        assert_eq!(seal(2).open(address(3), &bytes), Err(Rejected::Forged));
        let bytes = stranger.seal(address(2), None, &hello()).unwrap();
        assert_eq!(seal(2).open(address(3), &bytes), Err(Rejected::Forged));
    }

    #[test]
    fn what_was_taken_once_is_not_taken_again() {
        let (mut one, mut two) = pair();
        let sealed: Vec<_> = (0..200)
            .map(|_| one.seal(address(2), None, &pull()).unwrap())
            .collect();
        // Out of order, within the window.
        for index in [5, 3, 4, 0, 100, 60] {
            assert!(two.open(address(1), &sealed[index]).is_ok(), "{index}");
            let again = two.open(address(1), &sealed[index]);
            assert_eq!(again, Err(Rejected::Replayed), "{index}");
            // Not from another address either.
            let elsewhere = two.open(address(9), &sealed[index]);
            assert_eq!(elsewhere, Err(Rejected::Replayed));
        }
        assert!(two.open(address(1), &sealed[199]).is_ok());
        assert!(two.open(address(1), &sealed[72]).is_ok());
        let old = two.open(address(1), &sealed[71]);
        assert_eq!(old, Err(Rejected::Replayed), "behind the window");
    }

    #[test]
    fn what_was_meant_for_another_or_an_earlier_run_is_not_taken() {
        let (mut one, _) = pair();
        let bytes = one.seal(address(2), None, &pull()).unwrap();
        assert_eq!(seal(3).open(address(1), &bytes), Err(Rejected::NotMeant));
        // Sent back to where it came from.
        let mut mirror = one.seal(address(2), Some(1), &pull()).unwrap();
        assert_eq!(one.open(address(2), &mirror), Err(Rejected::NotMeant));
        mirror.clear();
    }

    #[test]
    fn a_hello_may_be_for_anybody_and_nothing_else_may() {
        let mut one = seal(1);
        assert!(one.seal(address(2), None, &pull()).is_none());
        let bytes = one.seal(address(2), None, &hello()).unwrap();
        let mut two = seal(2);
        let opened = two.open(address(1), &bytes).unwrap();
        assert_eq!(opened.boot, 1);
        // Nobody was met by it: it may be an old one.
        assert!(two.seal(address(1), None, &pull()).is_none());
        // One's own comes back from a seed that is this node.
        assert_eq!(one.open(address(2), &bytes).unwrap().boot, 1);
        let forged = one.seal(address(2), Some(0), &pull()).unwrap();
        assert_eq!(two.open(address(1), &forged), Err(Rejected::Form));
    }

    #[test]
    fn keys_are_changed_by_having_two_for_a_while() {
        let both = |text: &[u8]| Keys::parse(text).unwrap();
        let old = b"the old key of this cluster";
        let new = b"the new key of this cluster\nthe old key of this cluster\n";
        let mut one = Seal::new(both(old), 1);
        let mut two = Seal::new(both(new), 2);
        let bytes = one.seal(address(2), Some(2), &pull()).unwrap();
        assert!(two.open(address(1), &bytes).is_ok());
        let bytes = two.seal(address(1), None, &pull()).unwrap();
        assert_eq!(one.open(address(2), &bytes), Err(Rejected::Forged));
        one.set_keys(both(new));
        assert!(one.open(address(2), &bytes).is_ok());
    }

    #[test]
    fn a_file_without_a_good_key_is_refused() {
        assert_eq!(Keys::parse(b"\n \n").unwrap_err(), KeysError::None);
        let short = b"0123456789abcdef\n\nsecret\n";
        assert_eq!(Keys::parse(short).unwrap_err(), KeysError::Short(3));
        let many = "0123456789abcdef\n".repeat(9);
        assert_eq!(Keys::parse(many.as_bytes()).unwrap_err(), KeysError::Many);
        assert_eq!(format!("{:?}", Keys::parse(KEY).unwrap()), "Keys(1)");
    }
}
