//! Bodies of fuzz targets, as plain functions that unit tests call as well.

use super::key::{DecodedKey, push_base64};
use super::text::{self, Command};
use super::{binary, meta, number};

/// Decodes every line of any bytes and every truncation of the first: nothing may panic, and no
/// key may come out that is too long.
pub fn lines(input: &[u8]) {
    for line in input.split_inclusive(|&b| b == b'\n') {
        one_line(line);
    }
    let first = input.split(|&b| b == b'\n').next().unwrap_or_default();
    for cut in 0..first.len().min(512) {
        one_line(&first[..cut]);
        let _ = text::endless_get(&first[..cut]);
    }
}

fn one_line(line: &[u8]) {
    let check = |key: &[u8]| assert!((1..=250).contains(&key.len()));
    match text::decode(line) {
        Ok(Command::Meta(line) | Command::MetaStore { line, .. }) => flags(&line),
        Ok(Command::Store(store)) => check(store.key),
        Ok(
            Command::Delete { key, .. }
            | Command::Arithmetic { key, .. }
            | Command::Touch { key, .. },
        ) => check(key),
        Ok(Command::Get(get)) => text::Tokens::new(get.keys).for_each(check),
        Ok(_) => {}
        Err(refusal) => assert!(refusal.swallow.is_none() || refusal.error.is_some()),
    }
}

/// Reads the flags of a meta line, and writes the reply that echoes all it can.
fn flags(line: &meta::Line<'_>) {
    let Ok(options) = line.options() else {
        return;
    };
    let binary = options.decoded_key.is_some();
    let key = options
        .decoded_key
        .as_ref()
        .map_or(line.key, DecodedKey::as_bytes);
    let mut out = Vec::new();
    let result = meta::Outcome::default();
    meta::push_result(&mut out, meta::Code::Done, line.flags, key, binary, &result);
    assert!(out.ends_with(b"\r\n"));
    assert_eq!(out.iter().filter(|&&b| b == b'\n').count(), 1);
}

/// Reads any bytes as packets: each prefix either asks for more or is decided as the whole is,
/// and what is decided lies within what it announces.
pub fn packets(input: &[u8]) {
    let mut rest = input;
    loop {
        let whole = binary::decode(rest);
        for cut in 0..rest.len().min(2 * binary::HEADER_SIZE) {
            let early = binary::decode(&rest[..cut]);
            assert!(early == Ok(None) || early == whole);
        }
        let Ok(Some(header)) = whole else {
            return;
        };
        assert!(header.head_size() <= header.size());
        assert_eq!(
            header.head_size() + header.value_size() as usize,
            header.size()
        );
        let head = header.head(rest);
        let _ = (head.flags(), head.store_exptime(), head.exptime());
        let _ = (head.delta(), head.initial());
        match rest.get(header.size()..) {
            Some(behind) => rest = behind,
            None => return,
        }
    }
}

/// Reads any bytes as numbers: what reads must read the same when written.
pub fn numbers(input: &[u8]) {
    if let Some(value) = number::unsigned(input) {
        let mut out = Vec::new();
        number::push(&mut out, value);
        assert_eq!(number::unsigned(&out), Some(value));
    }
    let _ = (
        number::signed(input),
        number::exptime(input),
        number::fraction(input),
    );
}

/// Reads any bytes as base64, and what reads must come back.
pub fn base64(input: &[u8]) {
    if let Some(key) = DecodedKey::decode(input) {
        let mut out = Vec::new();
        push_base64(&mut out, key.as_bytes());
        assert_eq!(out.len(), input.len());
        assert_eq!(
            DecodedKey::decode(&out).map(|k| k.as_bytes().to_vec()),
            Some(key.as_bytes().to_vec())
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CORPUS: &[&[u8]] = &[
        b"set foo 0 0 3 noreply\r\nbar\r\ncas foo 1 2 3 4 noreply\r\n",
        b"get a b c\r\ngets a\r\ngat 10 a b\r\ngat 100\r\n",
        b"mg foo v k s t T30 O123 N30 R30\r\nms foo 2 b MA C1\r\nmg Zm9v b k v\r\n",
        b"ma foo J1 D2 M+\r\nmd foo x I E5\r\nme foo b\r\nmn\r\n",
        b"lru mode\n\x6f\xb1\xb4\x00lude\xea\x07mNO_\n",
        b"slabs reassign 31 64\r\nslabs automove window 0\r\n",
        b"stats cachedump 1\r\nstats detail\r\nverbosity\r\n",
        b"delete k 0 noreply\r\nincr a -1\r\ndecr a 18446744073709551616\r\n",
        b"GET / HTTP/1.1\r\n\r\n   \r\n\x80\x0a\x00\x00",
        b"mg foo F\r\nmg foo S\r\nmg foo Fzz\r\nmg foo v T\r\n",
        b"AAAA",
        b"Zg==",
        b"12345678901234567890",
        b"-0",
    ];

    #[test]
    fn no_line_and_no_piece_of_one_panics() {
        for input in CORPUS {
            lines(input);
            packets(input);
            numbers(input);
            base64(input);
            for byte in [b' ', b'\n', b'\r', 0, 127, 255] {
                let mut changed = input.to_vec();
                for at in 0..changed.len() {
                    let old = std::mem::replace(&mut changed[at], byte);
                    lines(&changed);
                    changed[at] = old;
                }
            }
        }
    }
}
