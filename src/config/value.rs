//! Words and numbers as options spell them.

use std::ops::RangeInclusive;

use super::tls::ListenTls;
use super::{BindingProtocol, HashAlgorithm, Listen};

/// Why a value was refused.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Wrong {
    /// What would have been allowed, to follow the word "expected".
    Expected(String),
    /// The value is understood, but cannot be had; a whole sentence.
    Refused(String),
}

/// A value, or what would have been one.
pub type Result<T> = std::result::Result<T, Wrong>;

/// The refusal of a value, with what would have been allowed.
pub fn expected<T>(what: impl Into<String>) -> Result<T> {
    Err(Wrong::Expected(what.into()))
}

/// A whole number within bounds.
pub fn integer<T>(text: &str, range: RangeInclusive<T>) -> Result<T>
where
    T: TryFrom<i64> + PartialOrd + std::fmt::Display + Copy,
{
    text.parse::<i64>()
        .ok()
        .and_then(|number| T::try_from(number).ok())
        .filter(|number| range.contains(number))
        .ok_or_else(|| {
            Wrong::Expected(format!(
                "a whole number from {} to {}",
                range.start(),
                range.end()
            ))
        })
}

/// A decimal number above one bound and not above another.
pub fn decimal(text: &str, above: f64, up_to: f64) -> Result<f64> {
    let number = text
        .parse::<f64>()
        .ok()
        .filter(|n| *n > above && *n <= up_to);
    number.map_or_else(
        || {
            let bound = if up_to < f64::MAX {
                format!(" and not above {up_to}")
            } else {
                String::new()
            };
            expected(format!("a number above {above}{bound}"))
        },
        Ok,
    )
}

/// A number of bytes, counted in `unit` unless it ends in k, m, g or t.
pub fn bytes(text: &str, unit: u64) -> Option<u64> {
    let (digits, unit) = match text.as_bytes().last()?.to_ascii_lowercase() {
        b'k' => (&text[..text.len() - 1], 1 << 10),
        b'm' => (&text[..text.len() - 1], 1 << 20),
        b'g' => (&text[..text.len() - 1], 1 << 30),
        b't' => (&text[..text.len() - 1], 1 << 40),
        _ => (text, unit),
    };
    if !digits.bytes().all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    digits.parse::<u64>().ok()?.checked_mul(unit)
}

/// Bytes, counted in kilobytes where no other unit is named.
pub fn kilobytes(text: &str) -> Result<u32> {
    bytes(text, 1 << 10)
        .and_then(|size| u32::try_from(size).ok())
        .map_or_else(|| expected("kilobytes, below 4194304"), Ok)
}

/// A number of bytes in the largest unit that divides it.
pub fn show_bytes(size: u64) -> String {
    match size {
        0 => "0".to_owned(),
        _ if size.is_multiple_of(1 << 30) => format!("{}g", size >> 30),
        _ if size.is_multiple_of(1 << 20) => format!("{}m", size >> 20),
        _ if size.is_multiple_of(1 << 10) => format!("{}k", size >> 10),
        _ => size.to_string(),
    }
}

/// Yes or no.
pub fn yes(text: &str) -> Result<bool> {
    match text.to_ascii_lowercase().as_str() {
        "yes" | "on" | "true" | "1" => Ok(true),
        "no" | "off" | "false" | "0" => Ok(false),
        _ => expected("yes or no"),
    }
}

/// Yes or no, as `stats settings` and `--print-config` write it.
pub fn show_yes(value: bool) -> String {
    if value { "yes" } else { "no" }.to_owned()
}

/// What a client may speak.
pub fn protocol(text: &str) -> Result<BindingProtocol> {
    BindingProtocol::ALL
        .into_iter()
        .find(|protocol| protocol.name() == text)
        .map_or_else(|| expected("auto, ascii or binary"), Ok)
}

/// The name of one of memcached's hashes.
pub fn hash_algorithm(text: &str) -> Result<HashAlgorithm> {
    HashAlgorithm::ALL
        .into_iter()
        .find(|hash| hash.name() == text)
        .map_or_else(|| expected("jenkins, murmur3 or xxh3"), Ok)
}

/// A path, or any other text that must not be empty.
pub fn text(text: &str) -> Result<&str> {
    if text.is_empty() {
        expected("something, not an empty word")
    } else {
        Ok(text)
    }
}

/// Addresses with commas between them, each as `[PREFIX:]...HOST[:PORT]`.
pub fn listen(text: &str) -> Result<Vec<Listen>> {
    text.split(',').map(|one| listen_one(one.trim())).collect()
}

fn listen_one(text: &str) -> Result<Listen> {
    let mut listen = Listen::default();
    let mut rest = text;
    loop {
        let tls = ListenTls::ALL
            .into_iter()
            .find_map(|tls| Some((tls, rest.strip_prefix(tls.prefix())?)));
        if let Some((tls, after)) = tls {
            listen.tls = Some(tls);
            rest = after;
        } else if let Some((name, after)) = bracketed(rest, "proto") {
            listen.protocol = Some(protocol(name)?);
            rest = after;
        } else if let Some((name, after)) = bracketed(rest, "tag") {
            listen.tag = Some(name.to_owned());
            rest = after;
        } else {
            break;
        }
    }
    let (host, port) = host_and_port(rest)?;
    if host.is_empty() {
        return expected("HOST, HOST:PORT, [IPV6]:PORT or *, with commas between several");
    }
    listen.host = host.to_owned();
    listen.port = port;
    Ok(listen)
}

/// Splits `word[NAME]:REST` or `word_NAME_:REST`; shells are fond of brackets.
fn bracketed<'a>(text: &'a str, word: &str) -> Option<(&'a str, &'a str)> {
    let rest = text.strip_prefix(word)?;
    match rest.as_bytes().first()? {
        b'[' => rest[1..].split_once("]:"),
        b'_' => rest[1..].split_once("_:"),
        _ => None,
    }
}

fn host_and_port(text: &str) -> Result<(&str, Option<u16>)> {
    if let Some(rest) = text.strip_prefix('[') {
        let Some((host, rest)) = rest.split_once(']') else {
            return expected("a ] after the IPv6 address");
        };
        return match rest.strip_prefix(':') {
            Some(digits) => Ok((host, Some(port(digits)?))),
            None if rest.is_empty() => Ok((host, None)),
            None => expected("nothing but :PORT after the IPv6 address"),
        };
    }
    match text.split_once(':') {
        // More than one colon without brackets is a bare IPv6 address.
        Some((_, rest)) if rest.contains(':') => Ok((text, None)),
        Some((host, digits)) => Ok((host, Some(port(digits)?))),
        None => Ok((text, None)),
    }
}

fn port(digits: &str) -> Result<u16> {
    integer(digits, 1..=u16::MAX)
        .or_else(|_| expected("a port from 1 to 65535 after the last colon"))
}

/// Class sizes with dashes between them, ascending, at least nine bytes apart.
pub fn slab_sizes(text: &str) -> Result<Vec<u32>> {
    let mut sizes: Vec<u32> = Vec::new();
    for word in text.split('-') {
        let size = integer(word, 48..=super::SLAB_PAGE_SIZE)?;
        if sizes.last().is_some_and(|last| size <= last + 8) {
            return expected("sizes that ascend by more than 8 bytes");
        }
        sizes.push(size);
    }
    if sizes.len() > 63 {
        return expected("at most 63 sizes");
    }
    Ok(sizes)
}

/// The candidate that looks most like a word, if any does.
pub fn closest<'a>(word: &str, candidates: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    candidates
        .map(|candidate| (distance(word, candidate), candidate))
        .filter(|(distance, candidate)| *distance <= 1 + candidate.len() / 4)
        .min()
        .map(|(_, candidate)| candidate)
}

/// Letters to insert, delete or replace to get from one word to another.
fn distance(from: &str, to: &str) -> usize {
    let (from, to) = (from.as_bytes(), to.as_bytes());
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (i, a) in from.iter().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, b) in to.iter().enumerate() {
            let replace = diagonal + usize::from(a != b);
            diagonal = row[j + 1];
            row[j + 1] = replace.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[to.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_with_ports_prefixes_and_brackets() {
        let one = |text| listen_one(text).map(|listen| (listen.host, listen.port));
        let ok = |host: &str, port| Ok((host.to_owned(), port));
        assert_eq!(one("127.0.0.1"), ok("127.0.0.1", None));
        assert_eq!(one("127.0.0.1:11212"), ok("127.0.0.1", Some(11212)));
        assert_eq!(one("::1"), ok("::1", None));
        assert_eq!(one("[::1]"), ok("::1", None));
        assert_eq!(one("[::1]:5"), ok("::1", Some(5)));
        assert_eq!(one("*:5"), ok("*", Some(5)));
        assert_eq!(one("notls:localhost:5"), ok("localhost", Some(5)));
        for wrong in ["", ":5", "[::1", "[::1]5", "host:0", "host:65536", "host:x"] {
            assert!(one(wrong).is_err(), "{wrong}");
        }
        let full = listen_one("proto[ascii]:tag_tools_:127.0.0.1:11212").unwrap();
        assert_eq!(full.protocol, Some(BindingProtocol::Ascii));
        assert_eq!(full.tag.as_deref(), Some("tools"));
        assert_eq!(full.to_string(), "proto[ascii]:tag[tools]:127.0.0.1:11212");
        for (text, tls) in [
            ("notls:host:5", ListenTls::Off),
            ("btls:host:5", ListenTls::Basic),
            ("mtls:host:5", ListenTls::Mutual),
        ] {
            let listen = listen_one(text).unwrap();
            assert_eq!((listen.tls, listen.port), (Some(tls), Some(5)));
            assert_eq!(listen.to_string(), text);
        }
        assert!(listen_one("proto[proxy]:host").is_err());
    }

    #[test]
    fn sizes_are_read_and_written_with_units() {
        assert_eq!(bytes("64", 1 << 20), Some(64 << 20));
        assert_eq!(bytes("512K", 1), Some(512 << 10));
        assert_eq!(bytes("2g", 1), Some(2 << 30));
        for wrong in ["", "m", "-1", "+1", "1.5m", "20000000t"] {
            assert_eq!(bytes(wrong, 1), None, "{wrong}");
        }
        for size in [0, 1, 1023, 1024, 3 << 20, 1 << 30] {
            assert_eq!(bytes(&show_bytes(size), 1), Some(size));
        }
    }

    #[test]
    fn a_misspelt_word_finds_its_neighbour_and_a_strange_one_finds_none() {
        let words = ["idle_timeout", "slab_sizes", "lru_crawler"];
        assert_eq!(
            closest("idle_timeot", words.into_iter()),
            Some("idle_timeout")
        );
        assert_eq!(closest("banana", words.into_iter()), None);
    }
}
