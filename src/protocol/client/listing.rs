//! What lists all items, and what keeps them: lines of `lru_crawler metadump`, and archives.
//!
//! An archive is a run of `ms` requests with `mn` behind the last, which any daemon of meta
//! commands can be fed as it is. Expiries in it are moments in Unix time, so it may lie for a while.
//! Archives of memcached-tool, which are runs of `add`, are read too.

use super::meta::Flags;
use super::text::is_key;
use crate::protocol::key::{DecodedKey, push_base64};
use crate::protocol::number::{push, unsigned, unsigned_32};

/// An item as a listing has it.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Listed {
    /// Raw bytes.
    pub key: Vec<u8>,
    /// When it expires, in Unix time; `None` for never.
    pub expires: Option<u64>,
    /// When it was last asked for or stored, in Unix time.
    pub last_access: u64,
    /// Its cas.
    pub cas: u64,
    /// Whether anyone has fetched it.
    pub is_fetched: bool,
    /// Its slab class.
    pub class: u64,
    /// Bytes of memory, as memcached counts them.
    pub size: u64,
    /// Client flags, where the listing has them.
    pub flags: Option<u32>,
}

/// Reads a line of a listing; `None` when it is none.
pub fn listed(line: &[u8]) -> Option<Listed> {
    let mut words = line.split(|&byte| byte == b' ');
    let mut item = Listed {
        key: decoded(words.next()?.strip_prefix(b"key=")?)?,
        ..Listed::default()
    };
    for word in words {
        let Some(at) = memchr::memchr(b'=', word) else {
            continue;
        };
        let value = &word[at + 1..];
        match &word[..at] {
            // Never is -1, which is no number here.
            b"exp" => item.expires = unsigned(value),
            b"la" => item.last_access = unsigned(value).unwrap_or_default(),
            b"cas" => item.cas = unsigned(value).unwrap_or_default(),
            b"fetch" => item.is_fetched = value == b"yes",
            b"cls" => item.class = unsigned(value).unwrap_or_default(),
            b"size" => item.size = unsigned(value).unwrap_or_default(),
            b"flags" => item.flags = unsigned_32(value),
            _ => {}
        }
    }
    Some(item)
}

/// The bytes that a key with `%XX` in it stands for.
pub fn decoded(text: &[u8]) -> Option<Vec<u8>> {
    let mut key = Vec::with_capacity(text.len());
    let mut rest = text.iter();
    while let Some(&byte) = rest.next() {
        if byte != b'%' {
            key.push(byte);
            continue;
        }
        let mut digit = || char::from(*rest.next()?).to_digit(16);
        let both = digit()? << 4 | digit()?;
        key.push(u8::try_from(both).ok()?);
    }
    Some(key)
}

/// Appends a key as meta commands have it; whether it has to be marked as base64.
pub fn push_key(out: &mut Vec<u8>, key: &[u8]) -> bool {
    if is_key(key) {
        out.extend_from_slice(key);
        false
    } else {
        push_base64(out, key);
        true
    }
}

/// What an item has that is to be stored again.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Record {
    /// Raw bytes.
    pub key: Vec<u8>,
    /// Whether the item's key is one that clients see as base64.
    pub is_binary: bool,
    /// Client flags.
    pub flags: u32,
    /// When it expires, in Unix time; 0 for never.
    pub expires: u64,
    /// Bytes of the value.
    pub size: usize,
}

/// Appends the request that stores a record, up to its value, which a line end follows. `more` is
/// further flags, each with a blank before it.
pub fn push_record(out: &mut Vec<u8>, record: &Record, more: &[u8]) {
    out.extend_from_slice(b"ms ");
    let mut is_base64 = record.is_binary;
    if is_base64 {
        push_base64(out, &record.key);
    } else {
        is_base64 = push_key(out, &record.key);
    }
    out.push(b' ');
    push(out, record.size as u64);
    if is_base64 {
        out.extend_from_slice(b" b");
    }
    if record.flags > 0 {
        out.extend_from_slice(b" F");
        push(out, u64::from(record.flags));
    }
    if record.expires > 0 {
        out.extend_from_slice(b" T");
        push(out, record.expires);
    }
    out.extend_from_slice(more);
    out.extend_from_slice(b"\r\n");
}

/// What ends a line, and a value.
pub const LINE_END: &[u8] = b"\r\n";

/// The line behind the last record of an archive.
pub const ARCHIVE_END: &[u8] = b"mn\r\n";

/// A line of an archive.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Entry {
    /// A record, whose value follows.
    Record(Record),
    /// The archive is whole.
    End,
}

/// Reads a line of an archive without its line end; `None` when it is none.
pub fn entry(line: &[u8]) -> Option<Entry> {
    if line == b"mn" {
        return Some(Entry::End);
    }
    // Four words at most: what follows the size of an `ms` is its flags.
    let mut words = line.splitn(4, |&byte| byte == b' ');
    let verb = words.next()?;
    let key = words.next()?;
    if verb == b"ms" {
        let size = unsigned_32(words.next()?)? as usize;
        let flags = Flags::new(words.next().unwrap_or_default());
        let number = |letter| match flags.value(letter) {
            None => Some(0),
            Some(word) => unsigned(word),
        };
        let is_binary = flags.has(b'b');
        let key = if is_binary {
            DecodedKey::decode(key)?.as_bytes().to_vec()
        } else {
            is_key(key).then(|| key.to_vec())?
        };
        return Some(Entry::Record(Record {
            key,
            is_binary,
            flags: u32::try_from(number(b'F')?).ok()?,
            expires: number(b'T')?,
            size,
        }));
    }
    if verb != b"add" && verb != b"set" {
        return None;
    }
    let flags = unsigned_32(words.next()?)?;
    let mut words = words.next()?.split(|&byte| byte == b' ');
    let expires = unsigned(words.next()?)?;
    let size = unsigned_32(words.next()?)? as usize;
    // memcached-tool writes keys as the listing has them.
    let key = decoded(key).filter(|key| !key.is_empty() && key.len() <= 250)?;
    words.next().is_none().then_some(Entry::Record(Record {
        key,
        is_binary: false,
        flags,
        expires,
        size,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_a_listing_is_an_item() {
        let line = b"key=a%20%FFb exp=1700000000 la=7 cas=9 fetch=yes cls=3 size=70 flags=5 ";
        let item = listed(line).expect("an item");
        assert_eq!(item.key, b"a \xffb");
        assert_eq!(item.expires, Some(1_700_000_000));
        assert_eq!((item.last_access, item.cas, item.class), (7, 9, 3));
        assert!(item.is_fetched);
        assert_eq!((item.size, item.flags), (70, Some(5)));
        let item = listed(b"key=k exp=-1 la=7 cas=9 fetch=no cls=3 size=70").expect("an item");
        assert_eq!((item.expires, item.flags), (None, None));
        for wrong in [&b"END"[..], b"key=%", b"key=%zz", b""] {
            assert_eq!(listed(wrong), None);
        }
    }

    #[test]
    fn what_is_written_to_an_archive_is_read_from_it() {
        let plain = Record {
            key: b"user:1".to_vec(),
            is_binary: false,
            flags: 7,
            expires: 1_700_000_000,
            size: 3,
        };
        let bare = Record {
            key: b"k".to_vec(),
            ..Record::default()
        };
        let marked = Record {
            key: b"k".to_vec(),
            is_binary: true,
            ..Record::default()
        };
        let raw = Record {
            key: b"a b\r\n\0".to_vec(),
            is_binary: true,
            ..Record::default()
        };
        for record in [plain, bare, marked, raw] {
            let mut line = Vec::new();
            push_record(&mut line, &record, b" q");
            let line = line.strip_suffix(LINE_END).expect("a line");
            assert!(!line.contains(&b'\n'));
            assert_eq!(entry(line), Some(Entry::Record(record)));
        }
        assert_eq!(entry(b"mn"), Some(Entry::End));
        for wrong in [
            &b""[..],
            b"ms",
            b"ms k",
            b"ms k x",
            b"ms k 1 Tx",
            b"ms *** 1 b",
            b"get k",
        ] {
            assert_eq!(entry(wrong), None, "{wrong:?}");
        }
    }

    #[test]
    fn archives_of_memcached_tool_are_read() {
        let expected = Record {
            key: b"a b".to_vec(),
            is_binary: false,
            flags: 5,
            expires: 99,
            size: 2,
        };
        assert_eq!(entry(b"add a%20b 5 99 2"), Some(Entry::Record(expected)));
        assert_eq!(entry(b"add k 5 99"), None);
        assert_eq!(entry(b"add k 5 99 2 3"), None);
    }
}
