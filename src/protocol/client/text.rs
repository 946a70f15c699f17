//! Classic commands: requests out, replies in.
//!
//! Requests are appended to a buffer. Replies are taken from the front of one: [`line`](fn@line) finds a
//! line and [`Reply::parse`] says what it is; a [`Reply::Value`] is followed by a data block,
//! which [`block`] takes. Whether a key may be sent is the caller's to ask, by [`is_key`].

use super::Answer;
use crate::protocol::key;
use crate::protocol::number::{push, push_signed, unsigned, unsigned_32};

/// Longest line that a reply may have, in bytes. Servers keep theirs far below.
pub const REPLY_LINE_SIZE_MAX: usize = 64 << 10;

/// Whether these bytes can be a key of a text request: no byte in it ends a word or a line.
pub fn is_key(bytes: &[u8]) -> bool {
    key::is_size(bytes.len()) && bytes.iter().all(|&byte| byte > b' ' && byte != 127)
}

/// Appends a request that is one line of words.
pub fn command(out: &mut Vec<u8>, words: &[&[u8]]) {
    for (index, word) in words.iter().enumerate() {
        if index > 0 {
            out.push(b' ');
        }
        out.extend_from_slice(word);
    }
    out.extend_from_slice(b"\r\n");
}

/// Appends a `get` of as many keys as `keys` writes; see
/// [`Dialect::get_many`](super::Dialect::get_many).
pub(super) fn get_many(out: &mut Vec<u8>, keys: &mut dyn FnMut(&mut Vec<u8>) -> bool) {
    out.extend_from_slice(b"get ");
    while keys(out) {
        out.push(b' ');
    }
    // The blank that stands where the next key would.
    out.pop();
    out.extend_from_slice(b"\r\n");
}

/// Appends a `set`.
pub fn set(out: &mut Vec<u8>, key: &[u8], flags: u32, exptime: i64, value: &[u8]) {
    store(out, Storage::Set, key, flags, exptime, value);
}

/// On which condition a value is stored, or what is made of it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Storage {
    /// In any case.
    Set,
    /// When there is no such item.
    Add,
    /// When there is one.
    Replace,
    /// Behind the value that is there.
    Append,
    /// Before the value that is there.
    Prepend,
    /// When the item has this cas.
    Cas(u64),
}

impl Storage {
    /// The command.
    pub const fn verb(self) -> &'static str {
        match self {
            Self::Set => "set",
            Self::Add => "add",
            Self::Replace => "replace",
            Self::Append => "append",
            Self::Prepend => "prepend",
            Self::Cas(_) => "cas",
        }
    }
}

/// Appends a request that stores a value.
pub fn store(out: &mut Vec<u8>, how: Storage, key: &[u8], flags: u32, exptime: i64, value: &[u8]) {
    let cas = match how {
        Storage::Cas(cas) => Some(cas),
        _ => None,
    };
    begin(out, how.verb(), key, flags, exptime, value.len());
    if let Some(cas) = cas {
        out.push(b' ');
        push(out, cas);
    }
    out.extend_from_slice(b"\r\n");
    out.extend_from_slice(value);
    out.extend_from_slice(b"\r\n");
}

/// Appends a `config set`, with flags of zero: clients read no list that has others.
pub fn set_config(out: &mut Vec<u8>, key: &[u8], value: &[u8]) {
    out.extend_from_slice(b"config set ");
    out.extend_from_slice(key);
    out.extend_from_slice(b" 0 ");
    push(out, value.len() as u64);
    out.extend_from_slice(b"\r\n");
    out.extend_from_slice(value);
    out.extend_from_slice(b"\r\n");
}

/// Appends a `set` up to its value.
pub(super) fn set_begin(out: &mut Vec<u8>, key: &[u8], flags: u32, exptime: i64, size: usize) {
    begin(out, "set", key, flags, exptime, size);
    out.extend_from_slice(b"\r\n");
}

/// Appends the line of a storage command, without what only `cas` has and without its end.
fn begin(out: &mut Vec<u8>, verb: &str, key: &[u8], flags: u32, exptime: i64, size: usize) {
    out.extend_from_slice(verb.as_bytes());
    out.push(b' ');
    out.extend_from_slice(key);
    out.push(b' ');
    push(out, u64::from(flags));
    out.push(b' ');
    push_signed(out, exptime);
    out.push(b' ');
    push(out, size as u64);
}

/// The answer at the front of these bytes; see [`Dialect::answer`](super::Dialect::answer).
pub(super) fn answer(bytes: &[u8]) -> Result<Option<(Answer<'_>, usize)>, Malformed> {
    let Some((line, head)) = whole_line(bytes)? else {
        return Ok(None);
    };
    let answer = match Reply::parse(line) {
        Reply::Value { key, size, .. } => {
            return Ok(block(&bytes[head..], size)?
                .map(|(value, taken)| (Answer::Value { key, value }, head + taken)));
        }
        Reply::End => Answer::End,
        Reply::Done => Answer::Stored,
        _ => Answer::Other(line),
    };
    Ok(Some((answer, head)))
}

/// As [`line`](fn@line), refusing what is too long to become one.
pub(super) fn whole_line(bytes: &[u8]) -> Result<Option<(&[u8], usize)>, Malformed> {
    let found = line(bytes);
    if found.is_none() && bytes.len() > REPLY_LINE_SIZE_MAX {
        return Err(Malformed);
    }
    Ok(found)
}

/// The first line of these bytes without its line end, and how many bytes it took with it;
/// `None` when no line is whole yet.
pub fn line(bytes: &[u8]) -> Option<(&[u8], usize)> {
    let end = memchr::memchr(b'\n', bytes)?;
    let line = &bytes[..end];
    Some((line.strip_suffix(b"\r").unwrap_or(line), end + 1))
}

/// The bytes do not go on as the reply announced.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Malformed;

/// The data block of `size` bytes at the front of these bytes, and how many bytes it took with
/// its line end; `None` when it is not whole yet.
///
/// # Errors
///
/// The block does not end in a line end.
pub fn block(bytes: &[u8], size: usize) -> Result<Option<(&[u8], usize)>, Malformed> {
    let whole = size.checked_add(2).ok_or(Malformed)?;
    let Some(taken) = bytes.get(..whole) else {
        return Ok(None);
    };
    let (data, end) = taken.split_at(size);
    if end == b"\r\n" {
        Ok(Some((data, whole)))
    } else {
        Err(Malformed)
    }
}

/// What a line of a reply says.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Reply<'a> {
    /// A value follows as a block of `size` bytes: that of an item, or of an entry of `config`.
    Value {
        /// Whose value.
        key: &'a [u8],
        /// What the client that stored it noted beside it.
        flags: u32,
        /// Bytes of the block.
        size: usize,
        /// The item's cas, when it was asked for.
        cas: Option<u64>,
    },
    /// One line of a report.
    Stat {
        /// What is told.
        name: &'a [u8],
        /// To the end of the line, as it stands.
        value: &'a [u8],
    },
    /// A list of values or of a report has ended.
    End,
    /// The server's version.
    Version(&'a [u8]),
    /// A counter after a change.
    Number(u64),
    /// Done: `STORED`, `DELETED`, `TOUCHED`, `OK` and `RESET`.
    Done,
    /// There is no such item.
    NotFound,
    /// A condition did not hold.
    NotStored,
    /// The item has another cas.
    Exists,
    /// Refused, with the server's words.
    Refused(&'a [u8]),
    /// A line of no known form.
    Other(&'a [u8]),
}

impl<'a> Reply<'a> {
    /// Reads a line without its line end.
    pub fn parse(line: &'a [u8]) -> Self {
        match line {
            b"END" => return Self::End,
            b"STORED" | b"DELETED" | b"TOUCHED" | b"OK" | b"RESET" => return Self::Done,
            b"NOT_FOUND" => return Self::NotFound,
            b"NOT_STORED" => return Self::NotStored,
            b"EXISTS" => return Self::Exists,
            b"ERROR" => return Self::Refused(line),
            _ => {}
        }
        let entry = line.strip_prefix(b"VALUE ");
        if let Some(rest) = entry.or_else(|| line.strip_prefix(b"CONFIG ")) {
            Self::value(rest).unwrap_or(Self::Other(line))
        } else if let Some(rest) = line.strip_prefix(b"STAT ") {
            let end = memchr::memchr(b' ', rest).unwrap_or(rest.len());
            let (name, value) = rest.split_at(end);
            let value = value.strip_prefix(b" ").unwrap_or(value);
            Self::Stat { name, value }
        } else if let Some(version) = line.strip_prefix(b"VERSION ") {
            Self::Version(version)
        } else if line.starts_with(b"CLIENT_ERROR ") || line.starts_with(b"SERVER_ERROR ") {
            Self::Refused(line)
        } else if let Some(number) = unsigned(line) {
            Self::Number(number)
        } else {
            Self::Other(line)
        }
    }

    fn value(rest: &'a [u8]) -> Option<Self> {
        let mut words = rest.split(|&byte| byte == b' ');
        let key = words.next()?;
        let flags = unsigned_32(words.next()?)?;
        let size = unsigned_32(words.next()?)?;
        let cas = match words.next() {
            Some(word) => Some(unsigned(word)?),
            None => None,
        };
        words.next().is_none().then_some(Self::Value {
            key,
            flags,
            size: size as usize,
            cas,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_has_no_byte_that_would_end_it() {
        assert!(is_key(b"user:1"));
        assert!(is_key(&[b'k'; 250]));
        for wrong in [
            &b""[..],
            b"a b",
            b"a\r",
            b"a\n",
            b"a\0",
            b"a\x7f",
            &[b'k'; 251],
        ] {
            assert!(!is_key(wrong), "{wrong:?}");
        }
    }

    #[test]
    fn requests_are_the_lines_that_servers_read() {
        let mut out = Vec::new();
        command(&mut out, &[b"get", b"a", b"b"]);
        set(&mut out, b"k", 7, -1, b"xyz");
        assert_eq!(out, b"get a b\r\nset k 7 -1 3\r\nxyz\r\n");
        out.clear();
        store(&mut out, Storage::Cas(9), b"k", 0, 60, b"xyz");
        assert_eq!(out, b"cas k 0 60 3 9\r\nxyz\r\n");
    }

    #[test]
    fn a_line_and_a_block_wait_until_they_are_whole() {
        assert_eq!(line(b"END\r"), None);
        assert_eq!(line(b"END\r\nmore"), Some((&b"END"[..], 5)));
        assert_eq!(block(b"abc\r", 3), Ok(None));
        assert_eq!(block(b"abc\r\nEND", 3), Ok(Some((&b"abc"[..], 5))));
        assert_eq!(block(b"abcd\r\n", 3), Err(Malformed));
        assert_eq!(block(b"", usize::MAX), Err(Malformed));
    }

    #[test]
    fn every_line_has_its_meaning() {
        let value = |cas| Reply::Value {
            key: b"k",
            flags: 3,
            size: 12,
            cas,
        };
        let table: &[(&[u8], Reply<'_>)] = &[
            (b"VALUE k 3 12", value(None)),
            (b"VALUE k 3 12 9", value(Some(9))),
            (b"VALUE k 3", Reply::Other(b"VALUE k 3")),
            (b"VALUE k 3 1 2 3", Reply::Other(b"VALUE k 3 1 2 3")),
            (b"VALUE k 3 -1", Reply::Other(b"VALUE k 3 -1")),
            (
                b"STAT version 1.6.45",
                Reply::Stat {
                    name: b"version",
                    value: b"1.6.45",
                },
            ),
            (
                b"STAT empty",
                Reply::Stat {
                    name: b"empty",
                    value: b"",
                },
            ),
            (b"END", Reply::End),
            (b"VERSION 1.6.45", Reply::Version(b"1.6.45")),
            (b"17", Reply::Number(17)),
            (b"STORED", Reply::Done),
            (b"OK", Reply::Done),
            (b"NOT_FOUND", Reply::NotFound),
            (b"NOT_STORED", Reply::NotStored),
            (b"EXISTS", Reply::Exists),
            (b"ERROR", Reply::Refused(b"ERROR")),
            (
                b"SERVER_ERROR out of memory",
                Reply::Refused(b"SERVER_ERROR out of memory"),
            ),
            (b"hello", Reply::Other(b"hello")),
            (b"", Reply::Other(b"")),
        ];
        for (line, reply) in table {
            assert_eq!(Reply::parse(line), *reply, "{line:?}");
        }
    }
}
