//! The client's side of the wire: requests out, replies in.
//!
//! [`text`] has what a client program says one request at a time. [`Dialect`] says the few
//! requests that a load consists of in each of the three protocols, and [`Dialect::answer`] takes
//! their replies from the front of a buffer: as many answers to a request as [`Answer`] tells,
//! in the order of the requests.

pub mod binary;
pub mod listing;
pub mod meta;
pub mod text;

pub use text::{
    Malformed, REPLY_LINE_SIZE_MAX, Reply, Storage, block, command, is_key, line, set, set_config,
    store,
};

/// Which words requests are made of.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Dialect {
    /// Classic commands.
    Text,
    /// Meta commands.
    Meta,
    /// Packets.
    Binary,
}

/// One piece of a reply.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Answer<'a> {
    /// A value.
    Value {
        /// Whose; empty when the reply does not say, and then it answers a request alone.
        key: &'a [u8],
        /// The value.
        value: &'a [u8],
    },
    /// The request for values before this is answered; what did not come is not there.
    End,
    /// There is no value; this answers a request alone.
    Miss,
    /// Stored.
    Stored,
    /// Something else, which answers a request alone.
    Other(&'a [u8]),
}

impl Dialect {
    /// Appends a request for one value.
    pub fn get(self, out: &mut Vec<u8>, key: &[u8]) {
        match self {
            Self::Text => command(out, &[b"get", key]),
            Self::Meta => command(out, &[b"mg", key, b"v"]),
            Self::Binary => binary::get(out, key),
        }
    }

    /// Appends a request for as many values as `keys` writes: it appends a key each time it is
    /// called, until it returns false, having appended nothing. [`Answer::End`] ends the reply.
    pub fn get_many(self, out: &mut Vec<u8>, mut keys: impl FnMut(&mut Vec<u8>) -> bool) {
        match self {
            Self::Text => text::get_many(out, &mut keys),
            Self::Meta => meta::get_many(out, &mut keys),
            Self::Binary => binary::get_many(out, &mut keys),
        }
    }

    /// Appends a request to store a value of `size` bytes up to the value. The value follows, and
    /// [`Self::set_end`].
    pub fn set_begin(self, out: &mut Vec<u8>, key: &[u8], exptime: u32, size: usize) {
        match self {
            Self::Text => text::set_begin(out, key, 0, i64::from(exptime), size),
            Self::Meta => meta::set_begin(out, key, exptime, size),
            Self::Binary => binary::set_begin(out, key, exptime, size),
        }
    }

    /// Appends what stands behind a value.
    pub fn set_end(self, out: &mut Vec<u8>) {
        match self {
            Self::Text | Self::Meta => out.extend_from_slice(b"\r\n"),
            Self::Binary => {}
        }
    }

    /// The answer at the front of these bytes and how many bytes it took; `None` when it is not
    /// whole yet.
    ///
    /// # Errors
    ///
    /// The bytes cannot be a reply.
    pub fn answer(self, bytes: &[u8]) -> Result<Option<(Answer<'_>, usize)>, Malformed> {
        match self {
            Self::Text => text::answer(bytes),
            Self::Meta => meta::answer(bytes),
            Self::Binary => binary::answer(bytes),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Requests for one key, three keys and a set, in this dialect.
    fn requests(dialect: Dialect) -> Vec<u8> {
        let mut out = Vec::new();
        dialect.get(&mut out, b"one");
        let mut keys = [&b"a"[..], b"bb", b"ccc"].into_iter();
        dialect.get_many(&mut out, |out| {
            let key = keys.next();
            out.extend_from_slice(key.unwrap_or_default());
            key.is_some()
        });
        dialect.set_begin(&mut out, b"key", 60, 2);
        out.extend_from_slice(b"xy");
        dialect.set_end(&mut out);
        out
    }

    /// All answers, which must be the same wherever the bytes are cut.
    fn answers(dialect: Dialect, bytes: &[u8]) -> Vec<String> {
        let mut seen = Vec::new();
        let mut at = 0;
        while at < bytes.len() {
            let rest = &bytes[at..];
            let (answer, size) = dialect
                .answer(rest)
                .expect("a reply")
                .expect("a whole reply");
            for cut in 0..size {
                assert_eq!(dialect.answer(&rest[..cut]), Ok(None), "cut at {cut}");
            }
            seen.push(format!("{answer:?}"));
            at += size;
        }
        seen
    }

    fn value(key: &[u8], value: &[u8]) -> String {
        format!("{:?}", Answer::Value { key, value })
    }

    #[test]
    fn text_requests_and_answers() {
        assert_eq!(
            requests(Dialect::Text),
            b"get one\r\nget a bb ccc\r\nset key 0 60 2\r\nxy\r\n"
        );
        let replies = b"VALUE one 0 3\r\n1\r2\r\nEND\r\nSTORED\r\nSERVER_ERROR x\r\n";
        assert_eq!(
            answers(Dialect::Text, replies),
            [
                value(b"one", b"1\r2"),
                "End".to_owned(),
                "Stored".to_owned(),
                format!("{:?}", Answer::Other(b"SERVER_ERROR x")),
            ]
        );
        assert_eq!(
            Dialect::Text.answer(b"VALUE k 0 1\r\nabc\r\n"),
            Err(Malformed)
        );
    }

    #[test]
    fn meta_requests_and_answers() {
        assert_eq!(
            requests(Dialect::Meta),
            b"mg one v\r\nmg a k v q\r\nmg bb k v q\r\nmg ccc k v q\r\nmn\r\nms key 2 T60\r\nxy\r\n"
        );
        let replies = b"VA 3\r\n123\r\nEN\r\nVA 1 ka\r\nx\r\nMN\r\nHD\r\nNS\r\n";
        assert_eq!(
            answers(Dialect::Meta, replies),
            [
                value(b"", b"123"),
                "Miss".to_owned(),
                value(b"a", b"x"),
                "End".to_owned(),
                "Stored".to_owned(),
                format!("{:?}", Answer::Other(b"NS")),
            ]
        );
        assert_eq!(Dialect::Meta.answer(b"VA x\r\n"), Err(Malformed));
    }

    #[test]
    fn binary_requests_are_those_that_the_daemon_reads() {
        use crate::protocol::binary::{Opcode, decode};
        let bytes = requests(Dialect::Binary);
        let mut rest = &bytes[..];
        let mut seen = Vec::new();
        while !rest.is_empty() {
            let header = decode(rest).expect("a request").expect("a whole header");
            let head = header.head(rest);
            seen.push((
                header.opcode.expect("a command"),
                head.key,
                header.value_size(),
            ));
            if header.opcode == Some(Opcode::Set) {
                assert_eq!((head.flags(), head.store_exptime()), (0, 60));
            }
            rest = &rest[header.size()..];
        }
        assert_eq!(
            seen,
            [
                (Opcode::Get, &b"one"[..], 0),
                (Opcode::GetKQ, b"a", 0),
                (Opcode::GetKQ, b"bb", 0),
                (Opcode::GetKQ, b"ccc", 0),
                (Opcode::Noop, b"", 0),
                (Opcode::Set, b"key", 2),
            ]
        );
    }

    #[test]
    fn binary_answers_are_those_that_the_daemon_writes() {
        use crate::protocol::binary::{Echo, Opcode, Status, reply};
        let echo = |opcode: Opcode| Echo {
            opcode: opcode as u8,
            opaque: 0,
        };
        let mut bytes = Vec::new();
        reply::hit(&mut bytes, echo(Opcode::Get), 0, b"", 3, 9);
        bytes.extend_from_slice(b"123");
        reply::error(&mut bytes, echo(Opcode::Get), Status::NotFound);
        reply::hit(&mut bytes, echo(Opcode::GetKQ), 0, b"a", 1, 9);
        bytes.extend_from_slice(b"x");
        reply::done(&mut bytes, echo(Opcode::Noop), 0);
        reply::done(&mut bytes, echo(Opcode::Set), 9);
        reply::error(&mut bytes, echo(Opcode::Set), Status::TooLarge);
        assert_eq!(
            answers(Dialect::Binary, &bytes),
            [
                value(b"", b"123"),
                "Miss".to_owned(),
                value(b"a", b"x"),
                "End".to_owned(),
                "Stored".to_owned(),
                format!("{:?}", Answer::Other(b"Too large.")),
            ]
        );
        assert_eq!(Dialect::Binary.answer(b"HELLO"), Err(Malformed));
    }
}
