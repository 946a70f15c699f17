//! What a node writes down, as the text of a file: readable enough to see which version it holds,
//! and with a checksum, since half a memory is worse than none.
//!
//! ```text
//! larder cluster state 1
//! version 546247 nodes a b c
//! data 0a1b2c...
//! sha256 8f...
//! ```

use std::fmt::Write;

use sha2::{Digest, Sha256};

use super::membership::Saved;
use super::roster::Roster;

const TITLE: &str = "larder cluster state 1";

/// Largest file that is read, in bytes.
pub const STATE_SIZE_MAX: u64 = 8 << 20;

/// The text of a file.
pub fn encode(saved: &Saved) -> String {
    let mut text = format!("{TITLE}\n");
    let served = saved.served.as_ref().or(saved.roster.as_ref());
    let _ = write!(text, "version {}", served.map_or(0, Roster::version));
    text.push_str(" nodes");
    for member in served.into_iter().flat_map(Roster::members) {
        let _ = write!(text, " {}", member.id);
    }
    // Numbers, strings and lists of them have no way to fail.
    let data = postcard::to_allocvec(saved).unwrap_or_default();
    let _ = write!(text, "\ndata {}\n", hex(&data));
    let sum = hex(&Sha256::digest(text.as_bytes()));
    let _ = writeln!(text, "sha256 {sum}");
    text
}

/// Reads the text of a file.
///
/// # Errors
///
/// What is wrong with it.
pub fn decode(text: &str) -> Result<Saved, &'static str> {
    let Some((body, sum)) = text.rsplit_once("sha256 ") else {
        return Err("it has no checksum");
    };
    if !body.starts_with(TITLE) {
        return Err("it is no state of a cluster, or one of another version");
    }
    if hex(&Sha256::digest(body.as_bytes())) != sum.trim_end() {
        return Err("its checksum is wrong");
    }
    let data = body.lines().find_map(|line| line.strip_prefix("data "));
    let data = data.and_then(unhex).ok_or("it holds nothing")?;
    let saved: Saved = postcard::from_bytes(&data).map_err(|_| "it cannot be understood")?;
    let is_good = |roster: &Roster| Roster::decode(&roster.encode()).is_some();
    let good = saved.roster.iter().chain(&saved.served).all(is_good);
    if good && saved.life != 0 {
        Ok(saved)
    } else {
        Err("it holds a list that must not be")
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    if !text.len().is_multiple_of(2) || !text.is_ascii() {
        return None;
    }
    let pairs = (0..text.len()).step_by(2);
    pairs
        .map(|at| u8::from_str_radix(&text[at..at + 2], 16).ok())
        .collect()
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use super::*;
    use crate::cluster::agreement::Acceptor;
    use crate::cluster::document::Node;
    use crate::cluster::roster::{ClusterId, Member};

    fn saved() -> Saved {
        let member = Member {
            id: "a".to_owned(),
            node: Node::new("a", None, 1).unwrap(),
            gossip: SocketAddr::from(([127, 0, 0, 1], 1)),
            life: 7,
        };
        let roster = Roster::found(ClusterId::default(), 9, member);
        Saved {
            life: 7,
            epoch: 3,
            acceptor: Acceptor::new(roster.head()),
            roster: Some(roster),
            served: None,
        }
    }

    #[test]
    fn what_is_written_is_read_again() {
        let text = encode(&saved());
        assert!(text.contains("\nversion 9 nodes a\n"), "{text}");
        assert_eq!(decode(&text), Ok(saved()));
        let empty = Saved {
            roster: None,
            ..saved()
        };
        assert_eq!(decode(&encode(&empty)), Ok(empty));
    }

    #[test]
    fn half_a_file_and_a_changed_one_are_refused() {
        let text = encode(&saved());
        for end in 0..text.len() - 1 {
            assert!(decode(&text[..end]).is_err(), "{end}");
        }
        for at in 0..text.len() - 1 {
            let mut wrong = text.clone().into_bytes();
            wrong[at] ^= 1;
            let wrong = String::from_utf8(wrong).unwrap();
            assert!(decode(&wrong).is_err(), "{at}");
        }
        assert!(decode("").is_err());
    }
}
