//! Packets: those that a load consists of, and any other by its parts.

use super::{Answer, Malformed};
use crate::protocol::binary::{HEADER_SIZE, MAGIC_REPLY, MAGIC_REQUEST, Opcode, Status};

/// Appends a header. Keys and values that do not fit its fields are the caller's mistake; they
/// come out as the largest that fit, and the server refuses them.
fn header(out: &mut Vec<u8>, opcode: Opcode, extras_size: u8, key_size: usize, body_size: usize) {
    let mut bytes = [0; HEADER_SIZE];
    bytes[0] = MAGIC_REQUEST;
    bytes[1] = opcode as u8;
    bytes[2..4].copy_from_slice(&u16::try_from(key_size).unwrap_or(u16::MAX).to_be_bytes());
    bytes[4] = extras_size;
    bytes[8..12].copy_from_slice(&u32::try_from(body_size).unwrap_or(u32::MAX).to_be_bytes());
    out.extend_from_slice(&bytes);
}

/// Appends a get.
pub(super) fn get(out: &mut Vec<u8>, key: &[u8]) {
    header(out, Opcode::Get, 0, key.len(), key.len());
    out.extend_from_slice(key);
}

/// Appends a quiet get for each key that `keys` writes, and the noop that ends their reply.
pub(super) fn get_many(out: &mut Vec<u8>, keys: &mut dyn FnMut(&mut Vec<u8>) -> bool) {
    loop {
        let start = out.len();
        header(out, Opcode::GetKQ, 0, 0, 0);
        if !keys(out) {
            out.truncate(start);
            break;
        }
        // The size is known only now.
        let size = out.len() - start - HEADER_SIZE;
        let size_16 = u16::try_from(size).unwrap_or(u16::MAX);
        out[start + 2..start + 4].copy_from_slice(&size_16.to_be_bytes());
        out[start + 8..start + 12].copy_from_slice(&u32::from(size_16).to_be_bytes());
    }
    header(out, Opcode::Noop, 0, 0, 0);
}

/// Appends a set up to its value.
pub(super) fn set_begin(out: &mut Vec<u8>, key: &[u8], exptime: u32, size: usize) {
    header(out, Opcode::Set, 8, key.len(), 8 + key.len() + size);
    out.extend_from_slice(&0_u32.to_be_bytes());
    out.extend_from_slice(&exptime.to_be_bytes());
    out.extend_from_slice(key);
}

/// What a request consists of.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// The command.
    pub opcode: Opcode,
    /// Fixed fields, as the command has them.
    pub extras: &'a [u8],
    /// The key.
    pub key: &'a [u8],
    /// What follows.
    pub value: &'a [u8],
    /// The cas that an item must have; 0 for any.
    pub cas: u64,
}

impl<'a> Request<'a> {
    /// A request of a key and nothing else.
    pub fn new(opcode: Opcode, key: &'a [u8]) -> Self {
        Self {
            opcode,
            extras: b"",
            key,
            value: b"",
            cas: 0,
        }
    }

    /// Appends it.
    pub fn push(&self, out: &mut Vec<u8>) {
        let start = out.len();
        // Longer ones than any command has come out as a wrong shape, and are refused.
        let extras_size = u8::try_from(self.extras.len()).unwrap_or(u8::MAX);
        let body_size = self.extras.len() + self.key.len() + self.value.len();
        header(out, self.opcode, extras_size, self.key.len(), body_size);
        out[start + 16..start + 24].copy_from_slice(&self.cas.to_be_bytes());
        out.extend_from_slice(self.extras);
        out.extend_from_slice(self.key);
        out.extend_from_slice(self.value);
    }
}

/// A reply.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Packet<'a> {
    /// The command that is answered.
    pub opcode: u8,
    /// What became of it.
    pub status: u16,
    /// The item's cas.
    pub cas: u64,
    /// Fixed fields.
    pub extras: &'a [u8],
    /// The key, where the reply has it.
    pub key: &'a [u8],
    /// What follows: a value, or words.
    pub value: &'a [u8],
}

/// The packet at the front of these bytes and how many bytes it took; `None` when it is not
/// whole yet.
///
/// # Errors
///
/// The bytes cannot be a packet.
pub fn packet(bytes: &[u8]) -> Result<Option<(Packet<'_>, usize)>, Malformed> {
    if bytes.first().is_some_and(|&magic| magic != MAGIC_REPLY) {
        return Err(Malformed);
    }
    let Some(header) = bytes.first_chunk::<HEADER_SIZE>() else {
        return Ok(None);
    };
    let key_size = usize::from(u16::from_be_bytes([header[2], header[3]]));
    let extras_size = usize::from(header[4]);
    let body_size = u32::from_be_bytes([header[8], header[9], header[10], header[11]]) as usize;
    if extras_size + key_size > body_size {
        return Err(Malformed);
    }
    let size = HEADER_SIZE + body_size;
    let Some(whole) = bytes.get(..size) else {
        return Ok(None);
    };
    let (extras, rest) = whole[HEADER_SIZE..].split_at(extras_size);
    let (key, value) = rest.split_at(key_size);
    let mut cas = [0; 8];
    cas.copy_from_slice(&header[16..24]);
    let packet = Packet {
        opcode: header[1],
        status: u16::from_be_bytes([header[6], header[7]]),
        cas: u64::from_be_bytes(cas),
        extras,
        key,
        value,
    };
    Ok(Some((packet, size)))
}

/// The answer at the front of these bytes; see [`Dialect::answer`](super::Dialect::answer).
pub(super) fn answer(bytes: &[u8]) -> Result<Option<(Answer<'_>, usize)>, Malformed> {
    let Some((packet, size)) = packet(bytes)? else {
        return Ok(None);
    };
    let (opcode, status) = (packet.opcode, packet.status);
    let (key, value) = (packet.key, packet.value);
    let is_get = opcode == Opcode::Get as u8 || opcode == Opcode::GetKQ as u8;
    let answer = if status == Status::Done as u16 && is_get {
        Answer::Value { key, value }
    } else if status == Status::NotFound as u16 && is_get {
        Answer::Miss
    } else if status == Status::Done as u16 && opcode == Opcode::Noop as u8 {
        Answer::End
    } else if status == Status::Done as u16 && opcode == Opcode::Set as u8 {
        Answer::Stored
    } else {
        Answer::Other(value)
    };
    Ok(Some((answer, size)))
}
