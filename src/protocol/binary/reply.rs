//! Reply packets of the binary protocol.

use super::{Echo, MAGIC_REPLY, Status};

/// What a reply header says beside its echo.
#[derive(Clone, Copy, Debug)]
struct Frame {
    status: Status,
    extras_size: u8,
    key_size: usize,
    /// Bytes of extras, key and value.
    body_size: usize,
    cas: u64,
}

fn header(out: &mut Vec<u8>, echo: Echo, frame: Frame) {
    // Keys that fit a request fit a reply, and names of statistics are shorter; no item and no
    // report comes near four gigabytes.
    let key_size = u16::try_from(frame.key_size).unwrap_or(u16::MAX);
    let body_size = u32::try_from(frame.body_size).unwrap_or(u32::MAX);
    let mut bytes = [0; super::HEADER_SIZE];
    bytes[0] = MAGIC_REPLY;
    bytes[1] = echo.opcode;
    bytes[2..4].copy_from_slice(&key_size.to_be_bytes());
    bytes[4] = frame.extras_size;
    bytes[6..8].copy_from_slice(&(frame.status as u16).to_be_bytes());
    bytes[8..12].copy_from_slice(&body_size.to_be_bytes());
    bytes[12..16].copy_from_slice(&echo.opaque.to_be_bytes());
    bytes[16..24].copy_from_slice(&frame.cas.to_be_bytes());
    out.extend_from_slice(&bytes);
}

/// A reply with nothing but a body.
fn with_body(out: &mut Vec<u8>, echo: Echo, status: Status, cas: u64, body: &[u8]) {
    let frame = Frame {
        status,
        extras_size: 0,
        key_size: 0,
        body_size: body.len(),
        cas,
    };
    header(out, echo, frame);
    out.extend_from_slice(body);
}

/// Appends the reply to a request that did what it was asked, with the item's new cas.
pub fn done(out: &mut Vec<u8>, echo: Echo, cas: u64) {
    with_body(out, echo, Status::Done, cas, b"");
}

/// Appends a refusal.
pub fn error(out: &mut Vec<u8>, echo: Echo, status: Status) {
    with_body(out, echo, status, 0, status.text());
}

/// Appends a text, such as the version.
pub fn text(out: &mut Vec<u8>, echo: Echo, text: &[u8]) {
    with_body(out, echo, Status::Done, 0, text);
}

/// Appends what the client needs to go on with its login.
pub fn challenge(out: &mut Vec<u8>, echo: Echo, challenge: &[u8]) {
    with_body(out, echo, Status::Continue, 0, challenge);
}

/// Appends a number as it is after counting.
pub fn number(out: &mut Vec<u8>, echo: Echo, value: u64, cas: u64) {
    with_body(out, echo, Status::Done, cas, &value.to_be_bytes());
}

/// Appends all of a hit but its value, which follows: `value_size` bytes. `key` is empty for
/// those who do not want it.
pub fn hit(out: &mut Vec<u8>, echo: Echo, flags: u32, key: &[u8], value_size: u32, cas: u64) {
    let flags = flags.to_be_bytes();
    let frame = Frame {
        status: Status::Done,
        extras_size: 4,
        key_size: key.len(),
        body_size: flags.len() + key.len() + value_size as usize,
        cas,
    };
    header(out, echo, frame);
    out.extend_from_slice(&flags);
    out.extend_from_slice(key);
}

/// Appends a miss that tells its key: in place of the text that other misses have.
pub fn miss_with_key(out: &mut Vec<u8>, echo: Echo, key: &[u8]) {
    let frame = Frame {
        status: Status::NotFound,
        extras_size: 0,
        key_size: key.len(),
        body_size: key.len(),
        cas: 0,
    };
    header(out, echo, frame);
    out.extend_from_slice(key);
}

/// Appends one statistic. The one with neither name nor value ends the list.
pub fn stat(out: &mut Vec<u8>, echo: Echo, name: &str, value: &[u8]) {
    let frame = Frame {
        status: Status::Done,
        extras_size: 0,
        key_size: name.len(),
        body_size: name.len() + value.len(),
        cas: 0,
    };
    header(out, echo, frame);
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(value);
}
