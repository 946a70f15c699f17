//! Meta commands: those that a load consists of, and what any reply says.

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

/// The words behind a meta reply, or a meta request: each a letter, and what belongs to it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Flags<'a>(&'a [u8]);

impl<'a> Flags<'a> {
    /// These words, with blanks between them.
    pub fn new(words: &'a [u8]) -> Self {
        Self(words)
    }

    /// What belongs to a letter, which may be nothing; `None` when it is not there.
    pub fn value(self, letter: u8) -> Option<&'a [u8]> {
        self.0.split(|&byte| byte == b' ').find_map(|word| {
            let (&first, rest) = word.split_first()?;
            (first == letter).then_some(rest)
        })
    }

    /// Whether a letter is there.
    pub fn has(self, letter: u8) -> bool {
        self.value(letter).is_some()
    }
}

/// What a line of a meta reply says.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum MetaReply<'a> {
    /// A value of so many bytes follows.
    Value(usize, Flags<'a>),
    /// Done, without a value.
    Head(Flags<'a>),
    /// There is no such item.
    Miss,
    /// A condition did not hold.
    NotStored,
    /// The answer to `mn`: all before it is answered.
    Noop,
    /// Something else.
    Other(&'a [u8]),
}

impl<'a> MetaReply<'a> {
    /// Reads a line without its line end.
    pub fn parse(line: &'a [u8]) -> Self {
        let (code, rest) = line.split_at(line.len().min(2));
        let rest = rest.strip_prefix(b" ").unwrap_or(rest);
        match code {
            b"VA" => {
                let end = memchr::memchr(b' ', rest).unwrap_or(rest.len());
                let flags = rest.get(end + 1..).unwrap_or_default();
                match unsigned_32(&rest[..end]) {
                    Some(size) => Self::Value(size as usize, Flags(flags)),
                    None => Self::Other(line),
                }
            }
            b"HD" => Self::Head(Flags(rest)),
            // The end of other reports begins with these letters too.
            b"EN" | b"NF" if matches!(line.get(2), None | Some(b' ')) => Self::Miss,
            b"NS" | b"EX" => Self::NotStored,
            b"MN" => Self::Noop,
            _ => Self::Other(line),
        }
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reply_has_a_code_and_flags() {
        let MetaReply::Value(12, flags) = MetaReply::parse(b"VA 12 f5 t-1 kab b") else {
            panic!("a value");
        };
        assert_eq!(flags.value(b'f'), Some(&b"5"[..]));
        assert_eq!(flags.value(b't'), Some(&b"-1"[..]));
        assert!(flags.has(b'b') && !flags.has(b'O'));
        assert_eq!(MetaReply::parse(b"HD"), MetaReply::Head(Flags::new(b"")));
        assert_eq!(MetaReply::parse(b"EN"), MetaReply::Miss);
        assert_eq!(MetaReply::parse(b"EN kk"), MetaReply::Miss);
        assert_eq!(MetaReply::parse(b"MN"), MetaReply::Noop);
        for other in [&b""[..], b"V", b"VA x", b"ERROR", b"END"] {
            assert_eq!(MetaReply::parse(other), MetaReply::Other(other));
        }
    }
}
