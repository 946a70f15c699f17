//! The binary protocol: packets in, packets out.
//!
//! ```text
//! magic opcode key_size:2 extras_size data_type reserved:2 body_size:4 opaque:4 cas:8
//! extras key value
//! ```
//!
//! All numbers are big endian; the body is extras, key and value together. The 24 bytes of the
//! header say all that can be wrong with the shape of a request, so nothing beyond them is waited
//! for before they have been judged, and no size in them is believed before it has been checked.

pub mod opcode;
pub mod reply;

pub use opcode::{Opcode, Verb};

use crate::limits::KEY_SIZE_MAX;

/// First byte of every request.
pub const MAGIC_REQUEST: u8 = 0x80;

/// First byte of every reply.
pub const MAGIC_REPLY: u8 = 0x81;

/// Bytes of a header.
pub const HEADER_SIZE: usize = 24;

/// Longest name of a login mechanism, in bytes. memcached's, which is above that of the standard.
pub const MECHANISM_SIZE_MAX: usize = 32;

/// What a login that worked is told.
pub const AUTHENTICATED: &[u8] = b"Authenticated";

/// Largest body that a request may announce. What may be stored is decided elsewhere.
const BODY_SIZE_MAX: u32 = 1 << 30;

/// An expiry that keeps `incr` and `decr` from making an item.
const EXPTIME_NO_ITEM: u32 = u32::MAX;

/// What became of a request, as replies number it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(u16)]
pub enum Status {
    /// Done.
    Done = 0x00,
    /// There is no such item.
    NotFound = 0x01,
    /// There is one already, or its cas differs.
    Exists = 0x02,
    /// Larger than an item may be.
    TooLarge = 0x03,
    /// The request has no sense.
    Invalid = 0x04,
    /// The condition did not hold.
    NotStored = 0x05,
    /// The value is no number.
    NotANumber = 0x06,
    /// Not allowed.
    Refused = 0x20,
    /// A login goes on.
    Continue = 0x21,
    /// There is no such command.
    Unknown = 0x81,
    /// No memory can be had.
    NoMemory = 0x82,
    /// Not now; later.
    Busy = 0x86,
}

impl Status {
    /// All of them.
    pub const ALL: &[Self] = &[
        Self::Done,
        Self::NotFound,
        Self::Exists,
        Self::TooLarge,
        Self::Invalid,
        Self::NotStored,
        Self::NotANumber,
        Self::Refused,
        Self::Continue,
        Self::Unknown,
        Self::NoMemory,
        Self::Busy,
    ];

    /// The text that an error reply has as its body. These are memcached's: clients show them,
    /// and some compare them.
    pub const fn text(self) -> &'static [u8] {
        match self {
            Self::Done | Self::Continue => b"",
            Self::NotFound => b"Not found",
            Self::Exists => b"Data exists for key.",
            Self::TooLarge => b"Too large.",
            Self::Invalid => b"Invalid arguments",
            Self::NotStored => b"Not stored.",
            Self::NotANumber => b"Non-numeric server-side value for incr or decr",
            Self::Refused => b"Auth failure.",
            Self::Unknown => b"Unknown command",
            Self::NoMemory => b"Out of memory",
            Self::Busy => b"Temporary failure",
        }
    }
}

/// What a reply repeats of its request.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Echo {
    /// The opcode as it came, quiet or not.
    pub opcode: u8,
    /// The client's own number.
    pub opaque: u32,
}

/// The header of a request whose shape is right.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Header {
    /// What is asked; `None` is a command that nobody knows, whose body means nothing.
    pub opcode: Option<Opcode>,
    /// What a reply repeats.
    pub echo: Echo,
    /// The cas to compare with; zero is none.
    pub cas: u64,
    extras_size: u8,
    key_size: u16,
    body_size: u32,
}

/// A request that is not served.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Refusal {
    /// The shape is wrong: this is told, then the connection ends, since nothing says where the
    /// next request begins.
    Close(Echo, Status),
    /// This is not the binary protocol: the connection ends without a word.
    HangUp,
}

/// The header at the front of the input; `None` while it is not all there.
///
/// # Errors
///
/// A [`Refusal`] ends the conversation. It rests on the header alone.
pub fn decode(input: &[u8]) -> Result<Option<Header>, Refusal> {
    if input.first().is_some_and(|&magic| magic != MAGIC_REQUEST) {
        return Err(Refusal::HangUp);
    }
    let Some(bytes) = input.first_chunk::<HEADER_SIZE>() else {
        return Ok(None);
    };
    let [_, code, key_a, key_b, extras_size, _, _, _, rest @ ..] = *bytes;
    let [b0, b1, b2, b3, o0, o1, o2, o3, cas @ ..] = rest;
    let header = Header {
        opcode: Opcode::from_code(code),
        echo: Echo {
            opcode: code,
            opaque: u32::from_be_bytes([o0, o1, o2, o3]),
        },
        cas: u64::from_be_bytes(cas),
        extras_size,
        key_size: u16::from_be_bytes([key_a, key_b]),
        body_size: u32::from_be_bytes([b0, b1, b2, b3]),
    };
    match header.check() {
        Ok(()) => Ok(Some(header)),
        Err(status) => Err(Refusal::Close(header.echo, status)),
    }
}

impl Header {
    fn check(&self) -> Result<(), Status> {
        let (extras, key) = (u32::from(self.extras_size), u32::from(self.key_size));
        // Two small sums: neither can wrap.
        let Some(value) = self.body_size.checked_sub(extras + key) else {
            return Err(Status::Unknown);
        };
        if self.body_size > BODY_SIZE_MAX || usize::from(self.key_size) > KEY_SIZE_MAX {
            return Err(Status::Invalid);
        }
        let Some(opcode) = self.opcode else {
            return Ok(());
        };
        let shape = opcode.verb().shape();
        let fits = shape.extras.contains(&self.extras_size)
            && shape.key.contains(&usize::from(self.key_size))
            && (value == 0 || shape.value);
        if fits { Ok(()) } else { Err(Status::Invalid) }
    }

    /// Bytes of the whole request.
    pub const fn size(&self) -> usize {
        HEADER_SIZE + self.body_size as usize
    }

    /// Bytes before the value.
    pub const fn head_size(&self) -> usize {
        HEADER_SIZE + self.extras_size as usize + self.key_size as usize
    }

    /// Bytes of the value.
    pub const fn value_size(&self) -> u32 {
        self.body_size - self.extras_size as u32 - self.key_size as u32
    }

    /// Bytes of the body.
    pub const fn body_size(&self) -> u32 {
        self.body_size
    }

    /// The cas to compare with, if any.
    pub const fn compare(&self) -> Option<u64> {
        match self.cas {
            0 => None,
            cas => Some(cas),
        }
    }

    /// Extras and key, of a request that is there up to its value; empty when it is not.
    pub fn head<'i>(&self, input: &'i [u8]) -> Head<'i> {
        let body = input.get(HEADER_SIZE..self.head_size()).unwrap_or_default();
        let (extras, key) = body
            .split_at_checked(usize::from(self.extras_size))
            .unwrap_or_default();
        Head { extras, key }
    }
}

/// The part of a request between its header and its value.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Head<'i> {
    extras: &'i [u8],
    /// Raw bytes; any of them.
    pub key: &'i [u8],
}

impl Head<'_> {
    /// Four bytes of the extras as a number; zero where there are none.
    fn word(&self, at: usize) -> u32 {
        let bytes = self.extras.get(at..).and_then(|rest| rest.first_chunk());
        bytes.map_or(0, |bytes| u32::from_be_bytes(*bytes))
    }

    fn long(&self, at: usize) -> u64 {
        u64::from(self.word(at)) << 32 | u64::from(self.word(at + 4))
    }

    /// Client flags of a storage request.
    pub fn flags(&self) -> u32 {
        self.word(0)
    }

    /// The expiry of a storage request. Without a sign: what is -1 in text is a far year here.
    pub fn store_exptime(&self) -> i64 {
        i64::from(self.word(4))
    }

    /// The expiry of a touching request, or when to flush; zero without extras.
    pub fn exptime(&self) -> i64 {
        i64::from(self.word(0))
    }

    /// By how much to count.
    pub fn delta(&self) -> u64 {
        self.long(0)
    }

    /// Expiry and value of the item to make if there is none, if it is to be made.
    pub fn initial(&self) -> Option<(i64, u64)> {
        match self.word(16) {
            EXPTIME_NO_ITEM => None,
            exptime => Some((i64::from(exptime), self.long(8))),
        }
    }
}

#[cfg(test)]
mod tests;
