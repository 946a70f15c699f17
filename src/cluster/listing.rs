//! Nodes as an operator lists them in a file, and how the version follows from it.
//!
//! ```text
//! # comments and empty lines are passed over
//! version 7
//! cache-1.example|10.0.0.1|11211
//! cache-2.example|10.0.0.2|11211
//! ```
//!
//! Where several daemons read copies of one file, the `version` line is what makes them say the
//! same: it is taken as it is, and a changed list under a version that is not higher is refused.
//! Without it a daemon counts by itself, from the time of the file on.

use std::fmt;

use sha2::{Digest, Sha256};

use super::document::{Document, Node, VERSION_MAX, parse_version};

/// Largest file that is read, in bytes.
pub const LISTING_SIZE_MAX: u64 = 1 << 20;

/// 2026-01-01, in Unix seconds: versions that are made of a time count seconds from here, and fit
/// 31 bits until 2094.
const EPOCH_UNIX_S: u64 = 1_767_225_600;

const TITLE: &str = "larder cluster list 1";

/// What a file lists.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Listing {
    version: Option<u32>,
    nodes: Vec<Node>,
}

/// Why a file is not taken.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ListingError {
    /// Where, counted from 1; 0 for the file as a whole.
    pub line: usize,
    /// What is wrong.
    pub reason: String,
}

impl ListingError {
    fn whole(reason: impl fmt::Display) -> Self {
        Self {
            line: 0,
            reason: reason.to_string(),
        }
    }
}

impl fmt::Display for ListingError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => f.write_str(&self.reason),
            line => write!(f, "line {line}: {}", self.reason),
        }
    }
}

impl std::error::Error for ListingError {}

impl Listing {
    /// Nodes that were found elsewhere than in a file, without a version.
    pub fn of(nodes: Vec<Node>) -> Self {
        Self {
            version: None,
            nodes,
        }
    }

    /// Reads a file.
    ///
    /// # Errors
    ///
    /// The first line that is wrong.
    pub fn parse(text: &str) -> Result<Self, ListingError> {
        let mut listing = Self {
            version: None,
            nodes: Vec::new(),
        };
        for (index, line) in text.lines().enumerate() {
            let wrong = |reason: String| ListingError {
                line: index + 1,
                reason,
            };
            let line = line.split('#').next().unwrap_or_default().trim();
            if line.is_empty() {
                continue;
            }
            if let Some(version) = line.strip_prefix("version") {
                let version = parse_version(version).map_err(|e| wrong(e.to_string()))?;
                if listing.version.replace(version).is_some() {
                    return Err(wrong("the version is given twice".to_owned()));
                }
                continue;
            }
            let node: Node = line.parse().map_err(|e| wrong(format!("{line:?}: {e}")))?;
            let same = |other: &Node| other.name() == node.name() && other.port() == node.port();
            if listing.nodes.iter().any(same) {
                return Err(wrong(format!("{line:?} is listed twice")));
            }
            listing.nodes.push(node);
        }
        // Whether it can be told to clients at all, whatever its version.
        Document::new(VERSION_MAX, listing.nodes.clone()).map_err(ListingError::whole)?;
        Ok(listing)
    }

    /// The document that clients are told after `last`; `changed_unix_s` is when the file was
    /// written.
    ///
    /// # Errors
    ///
    /// When its version is not above the last one although it lists others.
    pub fn document(
        self,
        last: Option<&Document>,
        changed_unix_s: u64,
    ) -> Result<Document, ListingError> {
        let time = changed_unix_s.saturating_sub(EPOCH_UNIX_S);
        let time = u32::try_from(time).unwrap_or(0).clamp(2, VERSION_MAX / 2);
        let next = last.map_or(0, Document::version).saturating_add(1);
        let version = self.version.unwrap_or_else(|| time.max(next));
        let document = Document::new(version, self.nodes).map_err(ListingError::whole)?;
        let Some(last) = last else {
            return Ok(document);
        };
        let is_same = document.nodes() == last.nodes();
        if is_same && self.version.is_none_or(|version| version == last.version()) {
            return Ok(last.clone());
        }
        if version <= last.version() {
            return Err(ListingError::whole(format!(
                "version {version} is not above {}, which was served; clients would not take it",
                last.version()
            )));
        }
        Ok(document)
    }
}

/// A document as it is written down.
pub fn encode_state(document: &Document) -> String {
    let body = document.encode();
    let body = String::from_utf8_lossy(&body);
    let sum = checksum(&body);
    format!("{TITLE}\n{body}sha256 {sum:016x}\n")
}

/// Reads a document that was written down.
///
/// # Errors
///
/// What is wrong with it.
pub fn decode_state(text: &str) -> Result<Document, &'static str> {
    let rest = text.strip_prefix(TITLE).and_then(|r| r.strip_prefix('\n'));
    let rest = rest.ok_or("it is no list of a cluster, or one of another version")?;
    let (body, sum) = rest.rsplit_once("sha256 ").ok_or("it has no checksum")?;
    if format!("{:016x}\n", checksum(body)) != sum {
        return Err("its checksum is wrong");
    }
    Document::parse(body.as_bytes()).map_err(|_| "it holds a list that must not be")
}

fn checksum(body: &str) -> u64 {
    let hash = Sha256::digest(body.as_bytes());
    let mut first = [0; 8];
    first.copy_from_slice(&hash[..8]);
    u64::from_be_bytes(first)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn document(text: &str, last: Option<&Document>, time: u64) -> Result<Document, ListingError> {
        Listing::parse(text)?.document(last, EPOCH_UNIX_S + time)
    }

    #[test]
    fn comments_and_the_version_are_no_nodes() {
        let text = "# ours\nversion 7\n\nb|10.0.0.2|1 # second\n  a|10.0.0.1|1\n";
        let document = document(text, None, 0).unwrap();
        let bytes = String::from_utf8(document.encode()).unwrap();
        assert_eq!(bytes, "7\na|10.0.0.1|1 b|10.0.0.2|1\n");
    }

    #[test]
    fn a_wrong_file_is_refused_with_its_line() {
        for (text, line) in [
            ("a|10.0.0.1|1\nb|x|1\n", 2),
            ("a|10.0.0.1|1\n\na|10.0.0.2|1\n", 3),
            ("version 0\na||1\n", 1),
            ("version 1\nversion 2\na||1\n", 2),
            ("a||1 b||1\n", 1),
            ("cache-1.example\n", 1),
            ("", 0),
            ("version 3\n", 0),
        ] {
            assert_eq!(document(text, None, 0).unwrap_err().line, line, "{text:?}");
        }
    }

    #[test]
    fn the_version_is_counted_from_the_files_time_on() {
        let first = document("a||1\n", None, 1000).unwrap();
        assert_eq!(first.version(), 1000);
        // Written again, with the same nodes.
        let same = document("a||1\n", Some(&first), 2000).unwrap();
        assert_eq!(same.version(), 1000);
        let changed = document("a||1\nb||1\n", Some(&same), 2000).unwrap();
        assert_eq!(changed.version(), 2000);
        // Changed twice in a second, or by a clock that was put back.
        let again = document("b||1\n", Some(&changed), 1990).unwrap();
        assert_eq!(again.version(), 2001);
        // A file from before larder.
        let old = Listing::parse("a||1\n").unwrap().document(None, 0).unwrap();
        assert_eq!(old.version(), 2);
    }

    #[test]
    fn a_version_that_is_given_is_taken_and_must_grow() {
        let first = document("version 5\na||1\n", None, 1000).unwrap();
        assert_eq!(first.version(), 5);
        assert_eq!(
            document("version 5\na||1\n", Some(&first), 9),
            Ok(first.clone())
        );
        assert!(document("version 5\nb||1\n", Some(&first), 9).is_err());
        assert!(document("version 4\na||1\n", Some(&first), 9).is_err());
        let next = document("version 6\nb||1\n", Some(&first), 9).unwrap();
        assert_eq!(next.version(), 6);
    }

    #[test]
    fn what_is_written_down_is_read_again_and_nothing_else() {
        let document = document("version 5\na|10.0.0.1|1\nb||1\n", None, 0).unwrap();
        let text = encode_state(&document);
        assert_eq!(decode_state(&text), Ok(document));
        for end in 0..text.len() {
            assert!(decode_state(&text[..end]).is_err());
        }
        assert!(decode_state(&text.replace("5\na", "6\na")).is_err());
    }
}
