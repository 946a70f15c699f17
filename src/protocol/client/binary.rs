//! Packets: those that a load consists of.

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

/// The answer at the front of these bytes; see [`Dialect::answer`](super::Dialect::answer).
pub(super) fn answer(bytes: &[u8]) -> Result<Option<(Answer<'_>, usize)>, Malformed> {
    if bytes.first().is_some_and(|&magic| magic != MAGIC_REPLY) {
        return Err(Malformed);
    }
    let Some(header) = bytes.first_chunk::<HEADER_SIZE>() else {
        return Ok(None);
    };
    let key_size = usize::from(u16::from_be_bytes([header[2], header[3]]));
    let extras_size = usize::from(header[4]);
    let status = u16::from_be_bytes([header[6], header[7]]);
    let body_size = u32::from_be_bytes([header[8], header[9], header[10], header[11]]) as usize;
    if extras_size + key_size > body_size {
        return Err(Malformed);
    }
    let size = HEADER_SIZE + body_size;
    let Some(packet) = bytes.get(..size) else {
        return Ok(None);
    };
    let (key, value) = packet[HEADER_SIZE + extras_size..].split_at(key_size);
    let is_get = header[1] == Opcode::Get as u8 || header[1] == Opcode::GetKQ as u8;
    let answer = if status == Status::Done as u16 && is_get {
        Answer::Value { key, value }
    } else if status == Status::NotFound as u16 && is_get {
        Answer::Miss
    } else if status == Status::Done as u16 && header[1] == Opcode::Noop as u8 {
        Answer::End
    } else if status == Status::Done as u16 && header[1] == Opcode::Set as u8 {
        Answer::Stored
    } else {
        Answer::Other(value)
    };
    Ok(Some((answer, size)))
}
