//! `config`, by which clients find the nodes of a cluster, as ElastiCache spells it.
//!
//! ```text
//! config get <key>\r\n                          CONFIG <key> <flags> <bytes>\r\n<data>\r\nEND\r\n
//! config set <key> <flags> <bytes>\r\n<data>\r\n                                   STORED\r\n
//! config delete <key>\r\n                                                         DELETED\r\n
//! ```
//!
//! The clients that ask are many and their line ends differ: LF alone will do, and spaces before
//! it, as for every other command.

use super::{CRLF, END, Refusal, Tokens, data_size};
use crate::limits::CONFIG_SIZE_MAX;
use crate::protocol::error::ProtocolError;
use crate::protocol::{key, number};

/// What `config` asks.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Config<'a> {
    /// The entry of a key.
    Get {
        /// 1 to 250 bytes.
        key: &'a [u8],
    },
    /// A new entry; a data block follows.
    Set {
        /// 1 to 250 bytes.
        key: &'a [u8],
        /// Client flags.
        flags: u32,
        /// Bytes of the data block, up to [`CONFIG_SIZE_MAX`], without its line end.
        size: u32,
    },
    /// No entry.
    Delete {
        /// 1 to 250 bytes.
        key: &'a [u8],
    },
}

/// Decodes what follows the word `config`.
///
/// # Errors
///
/// A [`Refusal`] says what the client is told and what must be skipped.
pub(super) fn decode(mut tokens: Tokens<'_>) -> Result<Config<'_>, Refusal> {
    const MALFORMED: Refusal = Refusal::plain(ProtocolError::Unknown);
    let (Some(verb), Some(key)) = (tokens.next(), tokens.next()) else {
        return Err(MALFORMED);
    };
    let is_key = key::is_size(key.len());
    match verb {
        b"get" if is_key && tokens.next().is_none() => Ok(Config::Get { key }),
        b"delete" if is_key && tokens.next().is_none() => Ok(Config::Delete { key }),
        b"set" => {
            let flags = tokens.next().ok_or(MALFORMED)?;
            let size = tokens.next().and_then(data_size);
            // Where the block ends is not known then; memcached says so in these words too.
            let size = size.ok_or(Refusal::plain(ProtocolError::BadDataChunk))?;
            let refused = |error| Refusal {
                swallow: Some(size),
                ..Refusal::plain(error)
            };
            if size as usize > CONFIG_SIZE_MAX {
                return Err(refused(ProtocolError::LargeObject));
            }
            match (number::unsigned_32(flags), tokens.next()) {
                (Some(flags), None) if is_key => Ok(Config::Set { key, flags, size }),
                _ => Err(refused(ProtocolError::Unknown)),
            }
        }
        _ => Err(MALFORMED),
    }
}

/// Appends an entry: the form of a retrieval, with another word before it.
pub fn entry(out: &mut Vec<u8>, key: &[u8], flags: u32, bytes: &[u8]) {
    out.extend_from_slice(b"CONFIG ");
    out.extend_from_slice(key);
    out.push(b' ');
    number::push(out, u64::from(flags));
    out.push(b' ');
    number::push(out, bytes.len() as u64);
    out.extend_from_slice(CRLF);
    out.extend_from_slice(bytes);
    out.extend_from_slice(CRLF);
    out.extend_from_slice(END);
}

#[cfg(test)]
mod tests {
    use super::super::{Command, decode as line};
    use super::*;

    #[test]
    fn lines_of_all_clients_are_understood() {
        let get = Ok(Command::Config(Config::Get { key: b"cluster" }));
        for text in [
            "config get cluster\r\n",
            "config get cluster \r\n",
            "config get cluster\n",
            "config  get  cluster  \n",
        ] {
            assert_eq!(line(text.as_bytes()), get, "{text:?}");
        }
        let delete = Config::Delete { key: b"k" };
        assert_eq!(line(b"config delete k\r\n"), Ok(Command::Config(delete)));
        let set = Config::Set {
            key: b"cluster",
            flags: 7,
            size: 65536,
        };
        let text = b"config set cluster 7 65536\r\n";
        assert_eq!(line(text), Ok(Command::Config(set)));
    }

    #[test]
    fn what_is_wrong_with_a_line_is_told_and_its_block_skipped() {
        use ProtocolError::{BadDataChunk, LargeObject, Unknown};
        let long = format!("config set {} 0 3\r\n", "k".repeat(251));
        for (text, error, swallow) in [
            ("config\r\n", Unknown, None),
            ("config get\r\n", Unknown, None),
            ("config get a b\r\n", Unknown, None),
            ("config list\r\n", Unknown, None),
            ("config delete\r\n", Unknown, None),
            ("config delete a 0\r\n", Unknown, None),
            ("config set a\r\n", Unknown, None),
            ("config set a 0\r\n", BadDataChunk, None),
            ("config set a 0 x\r\n", BadDataChunk, None),
            ("config set a 0 -1\r\n", BadDataChunk, None),
            ("config set a x 3\r\n", Unknown, Some(3)),
            ("config set a 0 3 0\r\n", Unknown, Some(3)),
            ("config set a 0 65537\r\n", LargeObject, Some(65537)),
            (&long, Unknown, Some(3)),
        ] {
            let refusal = line(text.as_bytes()).unwrap_err();
            assert_eq!(
                (refusal.error, refusal.swallow),
                (Some(error), swallow),
                "{text:?}"
            );
            assert!(!refusal.noreply);
        }
    }

    #[test]
    fn an_entry_is_written_as_elasticache_writes_it() {
        let mut out = Vec::new();
        entry(&mut out, b"cluster", 0, b"1\na|10.0.0.1|11211\n");
        let expected = b"CONFIG cluster 0 19\r\n1\na|10.0.0.1|11211\n\r\nEND\r\n";
        assert_eq!(out, expected);
    }
}
