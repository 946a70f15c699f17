//! The one request that is heard before login: a storage line whose value is name and password.
//!
//! Its key, flags and expiry mean nothing and may be anything: clients send `_`.

use super::super::ProtocolError;
use super::super::number;
use super::{Tokens, reply};
use crate::limits::TOKEN_COUNT_MAX;

/// Shorter lines close the connection, as memcached does. Counted without their LF.
const LINE_SIZE_MIN: usize = 6;

/// A line before login.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Line {
    /// `set ANY ANY ANY SIZE` or `ms ANY SIZE`: a block of this size follows.
    Login {
        /// Bytes of the block, without its line end.
        size: u64,
        /// What tells of success.
        welcome: &'static [u8],
    },
    /// `quit`.
    Quit,
    /// Too short to be anything.
    TooShort,
    /// Anything else.
    Other,
}

/// Reads a line, given with its LF.
pub fn line(line: &[u8]) -> Line {
    if line == b"quit\r\n" || line == b"quit\n" {
        return Line::Quit;
    }
    let Some(body) = line
        .strip_suffix(b"\r\n")
        .filter(|_| line.len() > LINE_SIZE_MIN)
    else {
        return if line.len() > LINE_SIZE_MIN {
            Line::Other
        } else {
            Line::TooShort
        };
    };
    let mut tokens = Tokens::new(body).take(TOKEN_COUNT_MAX);
    let (size, welcome) = match tokens.next() {
        Some(b"set") => (tokens.nth(3), reply::STORED),
        Some(b"ms") => (tokens.nth(1), reply::DONE),
        _ => return Line::Other,
    };
    match size.and_then(number::unsigned) {
        Some(size) => Line::Login { size, welcome },
        None => Line::Other,
    }
}

/// Reads a block, given with its line end: name, space, password.
///
/// # Errors
///
/// When it ends in something else than CR LF, or has no space.
pub fn pair(block: &[u8]) -> Result<(&[u8], &[u8]), ProtocolError> {
    let Some(pair) = block.strip_suffix(reply::CRLF) else {
        return Err(ProtocolError::LoginTermination);
    };
    match memchr::memchr(b' ', pair) {
        Some(at) => Ok((&pair[..at], &pair[at + 1..])),
        None => Err(ProtocolError::LoginFormat),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_told_apart() {
        let login = |size| Line::Login {
            size,
            welcome: reply::STORED,
        };
        for (text, expected) in [
            ("set foo 0 0 7\r\n", login(7)),
            ("set _ _ _ 7\r\n", login(7)),
            ("set foo 0 0 2147483646\r\n", login(2_147_483_646)),
            ("set foo 0 0 7 noreply\r\n", login(7)),
            ("set foo 0 0 7\n", Line::Other),
            ("set foo 0 0 x\r\n", Line::Other),
            ("set foo 0 0 -1\r\n", Line::Other),
            ("set foo 0 0\r\n", Line::Other),
            ("setfoo 0 0 0 7\r\n", Line::Other),
            ("get foo\r\n", Line::Other),
            ("version\r\n", Line::Other),
            ("quit\r\n", Line::Quit),
            ("set\r\n", Line::TooShort),
            ("\n", Line::TooShort),
            ("\r\n", Line::TooShort),
            ("a\n", Line::TooShort),
        ] {
            assert_eq!(line(text.as_bytes()), expected, "{text:?}");
        }
        let welcome = reply::DONE;
        assert_eq!(line(b"ms _ 7\r\n"), Line::Login { size: 7, welcome });
    }

    #[test]
    fn a_pair_is_parted_at_its_first_space() {
        assert_eq!(pair(b"foo bar\r\n"), Ok((&b"foo"[..], &b"bar"[..])));
        assert_eq!(pair(b"foo a b \r\n"), Ok((&b"foo"[..], &b"a b "[..])));
        assert_eq!(pair(b" \r\n"), Ok((&b""[..], &b""[..])));
        assert_eq!(pair(b"foobar\r\n"), Err(ProtocolError::LoginFormat));
        assert_eq!(pair(b"foo barr\n"), Err(ProtocolError::LoginTermination));
    }
}
