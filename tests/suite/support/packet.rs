//! Packets of the binary protocol, written by hand: what is tested does not build its own tests.

use super::Client;

/// Numbers of requests.
pub(crate) mod opcode {
    pub(crate) const GET: u8 = 0x00;
    pub(crate) const SET: u8 = 0x01;
    pub(crate) const FLUSH: u8 = 0x08;
    pub(crate) const GETQ: u8 = 0x09;
    pub(crate) const NOOP: u8 = 0x0a;
    pub(crate) const STAT: u8 = 0x10;
    pub(crate) const GAT: u8 = 0x1d;
    pub(crate) const LIST: u8 = 0x20;
    pub(crate) const AUTH: u8 = 0x21;
    pub(crate) const STEP: u8 = 0x22;
}

/// A request. Its opaque is given when it is written.
#[derive(Clone, Debug, Default)]
pub(crate) struct Packet {
    pub(crate) opcode: u8,
    pub(crate) extras: Vec<u8>,
    pub(crate) key: Vec<u8>,
    pub(crate) value: Vec<u8>,
    pub(crate) cas: u64,
}

impl Packet {
    /// A request about a key, or about nothing.
    pub(crate) fn new(opcode: u8, key: impl AsRef<[u8]>) -> Self {
        Self {
            opcode,
            key: key.as_ref().to_vec(),
            ..Self::default()
        }
    }

    /// A storage request with flags 5 and no expiry.
    pub(crate) fn store(opcode: u8, key: &str, value: impl AsRef<[u8]>) -> Self {
        let packet = Self::new(opcode, key).words(&[5, 0]);
        packet.value(value)
    }

    /// A request to count from 10, or only what is there when `exptime` is all ones.
    pub(crate) fn count(opcode: u8, key: &str, delta: u64, exptime: u32) -> Self {
        let mut packet = Self::new(opcode, key);
        packet.extras.extend_from_slice(&delta.to_be_bytes());
        packet.extras.extend_from_slice(&10_u64.to_be_bytes());
        packet.words(&[exptime])
    }

    /// With these extras added.
    pub(crate) fn words(mut self, words: &[u32]) -> Self {
        for word in words {
            self.extras.extend_from_slice(&word.to_be_bytes());
        }
        self
    }

    /// With this value.
    pub(crate) fn value(mut self, value: impl AsRef<[u8]>) -> Self {
        self.value = value.as_ref().to_vec();
        self
    }

    /// With this cas.
    pub(crate) fn cas(self, cas: u64) -> Self {
        Self { cas, ..self }
    }

    /// As the wire has it.
    pub(crate) fn bytes(&self, opaque: u32) -> Vec<u8> {
        let body = self.extras.len() + self.key.len() + self.value.len();
        let mut bytes = header(
            self.opcode,
            u16::try_from(self.key.len()).expect("a short key"),
            u8::try_from(self.extras.len()).expect("few extras"),
            u32::try_from(body).expect("a small body"),
            opaque,
        );
        bytes[16..24].copy_from_slice(&self.cas.to_be_bytes());
        bytes.extend_from_slice(&self.extras);
        bytes.extend_from_slice(&self.key);
        bytes.extend_from_slice(&self.value);
        bytes
    }
}

/// A header alone, of whatever sizes.
pub(crate) fn header(opcode: u8, key: u16, extras: u8, body: u32, opaque: u32) -> Vec<u8> {
    let mut bytes = vec![0x80, opcode];
    bytes.extend_from_slice(&key.to_be_bytes());
    bytes.extend_from_slice(&[extras, 0, 0, 0]);
    bytes.extend_from_slice(&body.to_be_bytes());
    bytes.extend_from_slice(&opaque.to_be_bytes());
    bytes.extend_from_slice(&[0; 8]);
    bytes
}

/// A reply.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Reply {
    pub(crate) opcode: u8,
    pub(crate) status: u16,
    pub(crate) opaque: u32,
    pub(crate) cas: u64,
    pub(crate) extras: Vec<u8>,
    pub(crate) key: Vec<u8>,
    pub(crate) value: Vec<u8>,
}

impl Reply {
    /// The next reply; `None` when the connection ends instead.
    pub(crate) fn take(client: &mut Client) -> Option<Self> {
        Self::parse(|count| client.take(count))
    }

    /// The replies in these bytes.
    pub(crate) fn all(mut bytes: &[u8]) -> Vec<Self> {
        let mut replies = Vec::new();
        while let Some(reply) = Self::parse(|count| {
            let (taken, rest) = bytes.split_at(count.min(bytes.len()));
            bytes = rest;
            taken.to_vec()
        }) {
            replies.push(reply);
        }
        replies
    }

    fn parse(mut take: impl FnMut(usize) -> Vec<u8>) -> Option<Self> {
        let head = take(24);
        if head.is_empty() {
            return None;
        }
        assert_eq!(head.len(), 24, "a piece of a header: {head:?}");
        assert_eq!((head[0], head[5]), (0x81, 0), "no reply: {head:?}");
        let short = |at: usize| u16::from_be_bytes([head[at], head[at + 1]]);
        let word = |at: usize| u32::from(short(at)) << 16 | u32::from(short(at + 2));
        let body = take(word(8) as usize);
        assert_eq!(body.len(), word(8) as usize, "a piece of a body");
        let (extras, rest) = body.split_at(usize::from(head[4]));
        let (key, value) = rest.split_at(usize::from(short(2)));
        Some(Self {
            opcode: head[1],
            status: short(6),
            opaque: word(12),
            cas: u64::from(word(16)) << 32 | u64::from(word(20)),
            extras: extras.to_vec(),
            key: key.to_vec(),
            value: value.to_vec(),
        })
    }
}
