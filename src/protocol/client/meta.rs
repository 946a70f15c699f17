//! Meta commands: those that a load consists of.

use super::text::{Malformed, block, whole_line};
use super::{Answer, command};
use crate::protocol::number::{push, unsigned_32};

/// Appends a quiet `mg` for each key that `keys` writes, and the `mn` that ends their reply.
pub(super) fn get_many(out: &mut Vec<u8>, keys: &mut dyn FnMut(&mut Vec<u8>) -> bool) {
    loop {
        let start = out.len();
        out.extend_from_slice(b"mg ");
        if !keys(out) {
            out.truncate(start);
            break;
        }
        out.extend_from_slice(b" k v q\r\n");
    }
    command(out, &[b"mn"]);
}

/// Appends an `ms` up to its value.
pub(super) fn set_begin(out: &mut Vec<u8>, key: &[u8], exptime: u32, size: usize) {
    out.extend_from_slice(b"ms ");
    out.extend_from_slice(key);
    out.push(b' ');
    push(out, size as u64);
    if exptime > 0 {
        out.extend_from_slice(b" T");
        push(out, u64::from(exptime));
    }
    out.extend_from_slice(b"\r\n");
}

/// The answer at the front of these bytes; see [`Dialect::answer`](super::Dialect::answer).
pub(super) fn answer(bytes: &[u8]) -> Result<Option<(Answer<'_>, usize)>, Malformed> {
    let Some((line, head)) = whole_line(bytes)? else {
        return Ok(None);
    };
    let answer = match line {
        b"EN" => Answer::Miss,
        b"HD" => Answer::Stored,
        b"MN" => Answer::End,
        _ => match line.strip_prefix(b"VA ") {
            None => Answer::Other(line),
            Some(rest) => {
                let mut words = rest.split(|&byte| byte == b' ');
                let size = words.next().and_then(unsigned_32).ok_or(Malformed)?;
                let key = words.find_map(|word| word.strip_prefix(b"k"));
                let key = key.unwrap_or_default();
                return Ok(block(&bytes[head..], size as usize)?
                    .map(|(value, taken)| (Answer::Value { key, value }, head + taken)));
            }
        },
    };
    Ok(Some((answer, head)))
}
