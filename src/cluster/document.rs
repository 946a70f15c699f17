//! The document of a cluster: its nodes under a version, byte for byte as ElastiCache writes it.
//!
//! ```text
//! <version>\n
//! <name>|<ip>|<port> <name>|<ip>|<port>\n
//! ```
//!
//! Many clients read these two lines, each in its own way; this form is the one that all of them
//! understand. Whatever stands in one is checked when it is made, since a client that cannot read
//! its list says nothing and uses no node.
//!
//! **Invariant:** a [`Document`] has at least one node, its nodes are sorted and no two have the
//! same name and port, its version is from 1 to [`VERSION_MAX`], and it fits a config entry.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use crate::limits::{CONFIG_SIZE_MAX, DOCUMENT_SIZE_ADVISED};

/// Largest version. Some clients keep it in 32 bits with a sign.
pub const VERSION_MAX: u32 = i32::MAX as u32;

/// Digits of [`VERSION_MAX`].
const VERSION_SIZE_MAX: usize = 10;

/// Longest name of a node, in bytes: that of any DNS name.
pub const NAME_SIZE_MAX: usize = 253;

/// A node line up to so many bytes is overlooked by one client (memcache-plus).
const NODE_SIZE_OVERLOOKED: usize = 20;

/// One node of a cluster: `name|ip|port`.
///
/// The name is what a node is known by: it stays when the address changes. Clients that hash by
/// the name keep their keys then; those that hash by the address do not.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Node {
    name: Box<str>,
    port: u16,
    ip: Option<IpAddr>,
}

/// Why there is no such node.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum NodeError {
    /// Not of the form `name|ip|port`.
    Form,
    /// The name is empty, longer than [`NAME_SIZE_MAX`], or has a character that some client
    /// would stumble over.
    Name(String),
    /// The second part is no address.
    Ip(String),
    /// The third part is no port from 1 to 65535.
    Port(String),
}

impl fmt::Display for NodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Form => f.write_str("expected name|ip|port"),
            Self::Name(name) => write!(
                f,
                "{name:?} is no name for a node: expected letters, digits, '-' and '.', at most \
                 {NAME_SIZE_MAX} of them, with a letter or digit at both ends"
            ),
            Self::Ip(ip) => write!(f, "{ip:?} is no IP address"),
            Self::Port(port) => write!(f, "{port:?} is no port from 1 to 65535"),
        }
    }
}

impl std::error::Error for NodeError {}

impl Node {
    /// A node. The name is taken in lower case, since clients compare it as text.
    ///
    /// # Errors
    ///
    /// When the name or the port cannot be told to clients.
    pub fn new(name: &str, ip: Option<IpAddr>, port: u16) -> Result<Self, NodeError> {
        if port == 0 {
            return Err(NodeError::Port(port.to_string()));
        }
        Ok(Self {
            name: checked_name(name)?,
            port,
            ip,
        })
    }

    /// What it is known by: 1 to [`NAME_SIZE_MAX`] bytes of `a-z`, `0-9`, `-` and `.`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Where it is, if that is told.
    pub fn ip(&self) -> Option<IpAddr> {
        self.ip
    }

    /// The port that clients connect to, never 0.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// What the operator should know of a node that some clients cannot use.
    pub fn advice(&self) -> Option<&'static str> {
        match self.ip {
            None => Some("it has no IP address: some clients use nothing else"),
            Some(IpAddr::V6(_)) => {
                Some("its IP address is IPv6: many clients understand IPv4 only")
            }
            Some(IpAddr::V4(_)) if self.to_string().len() <= NODE_SIZE_OVERLOOKED => {
                Some("its line is so short that memcache-plus overlooks it: use a longer name")
            }
            Some(IpAddr::V4(_)) => None,
        }
    }
}

impl fmt::Display for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.ip {
            Some(ip) => write!(f, "{}|{ip}|{}", self.name, self.port),
            None => write!(f, "{}||{}", self.name, self.port),
        }
    }
}

impl FromStr for Node {
    type Err = NodeError;

    fn from_str(text: &str) -> Result<Self, NodeError> {
        let mut parts = text.split('|');
        let (Some(name), Some(ip), Some(port), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(NodeError::Form);
        };
        let ip = match ip {
            "" => None,
            _ => Some(ip.parse().map_err(|_| NodeError::Ip(ip.to_owned()))?),
        };
        let number = decimal(port)
            .and_then(|port| u16::try_from(port).ok())
            .ok_or_else(|| NodeError::Port(port.to_owned()))?;
        Self::new(name, ip, number)
    }
}

/// A name in lower case, if clients understand it. `END` cannot occur in one, which some clients
/// take for the end of the reply wherever it stands.
fn checked_name(name: &str) -> Result<Box<str>, NodeError> {
    // The name of the root that some resolvers append means nothing to clients.
    let plain = name.strip_suffix('.').unwrap_or(name);
    let at_end = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
    let bytes = plain.as_bytes();
    let is_name = bytes.len() <= NAME_SIZE_MAX
        && at_end(bytes.first())
        && at_end(bytes.last())
        && bytes
            .iter()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.'));
    if is_name {
        Ok(plain.to_ascii_lowercase().into())
    } else {
        Err(NodeError::Name(name.to_owned()))
    }
}

/// Digits and nothing else: no sign, no space.
fn decimal(text: &str) -> Option<u64> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse().ok()).flatten()
}

/// The nodes of a cluster under a version.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Document {
    version: u32,
    nodes: Vec<Node>,
}

/// Why there is no such document.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum DocumentError {
    /// Not two lines: a version, and nodes.
    Form,
    /// The version is no number from 1 to [`VERSION_MAX`].
    Version(String),
    /// There is no node: a client that is told so has nobody to talk to.
    NoNodes,
    /// A node cannot be told to clients.
    Node(NodeError),
    /// Two nodes have the same name and port.
    Twice(Node),
    /// It has so many bytes; a config entry takes [`CONFIG_SIZE_MAX`].
    TooLarge(usize),
}

impl fmt::Display for DocumentError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Form => f.write_str("expected a line with a version and a line with nodes"),
            Self::Version(version) => write!(
                f,
                "{version:?} is no version: expected a number from 1 to {VERSION_MAX}"
            ),
            Self::NoNodes => f.write_str("there is no node"),
            Self::Node(error) => error.fmt(f),
            Self::Twice(node) => write!(f, "{}:{} is listed twice", node.name, node.port),
            Self::TooLarge(size) => write!(
                f,
                "the list has {size} bytes and no more than {CONFIG_SIZE_MAX} can be served"
            ),
        }
    }
}

impl std::error::Error for DocumentError {}

impl From<NodeError> for DocumentError {
    fn from(error: NodeError) -> Self {
        Self::Node(error)
    }
}

impl Document {
    /// A document with these nodes, which are sorted here.
    ///
    /// # Errors
    ///
    /// What keeps it from being one.
    pub fn new(version: u32, mut nodes: Vec<Node>) -> Result<Self, DocumentError> {
        if version == 0 || version > VERSION_MAX {
            return Err(DocumentError::Version(version.to_string()));
        }
        if nodes.is_empty() {
            return Err(DocumentError::NoNodes);
        }
        nodes.sort();
        let same = |pair: &&[Node]| pair[0].name == pair[1].name && pair[0].port == pair[1].port;
        if let Some(pair) = nodes.windows(2).find(same) {
            return Err(DocumentError::Twice(pair[1].clone()));
        }
        let document = Self { version, nodes };
        // The version may become any other.
        match document.encode().len() + VERSION_SIZE_MAX {
            size if size > CONFIG_SIZE_MAX => Err(DocumentError::TooLarge(size)),
            _ => Ok(document),
        }
    }

    /// The document of a node that knows of no other.
    pub fn of_one(node: Node) -> Self {
        // One node breaks none of the rules for many.
        Self {
            version: 1,
            nodes: vec![node],
        }
    }

    /// The same nodes under another version, which is brought into range.
    #[must_use]
    pub fn with_version(&self, version: u32) -> Self {
        Self {
            version: version.clamp(1, VERSION_MAX),
            nodes: self.nodes.clone(),
        }
    }

    /// From 1 to [`VERSION_MAX`].
    pub fn version(&self) -> u32 {
        self.version
    }

    /// The nodes by name, and by port where names are equal.
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// The nodes, taken out.
    pub fn into_nodes(self) -> Vec<Node> {
        self.nodes
    }

    /// The bytes that clients get.
    pub fn encode(&self) -> Vec<u8> {
        let nodes: Vec<String> = self.nodes.iter().map(Node::to_string).collect();
        format!("{}\n{}\n", self.version, nodes.join(" ")).into_bytes()
    }

    /// Reads a document that may come from anybody: line ends may have a CR, and the last one may
    /// be missing.
    ///
    /// # Errors
    ///
    /// The first thing that is wrong.
    pub fn parse(bytes: &[u8]) -> Result<Self, DocumentError> {
        if bytes.len() > CONFIG_SIZE_MAX {
            return Err(DocumentError::TooLarge(bytes.len()));
        }
        let text = str::from_utf8(bytes).map_err(|_| DocumentError::Form)?;
        let mut lines = text.lines();
        let (Some(version), Some(nodes)) = (lines.next(), lines.next()) else {
            return Err(DocumentError::Form);
        };
        if lines.any(|line| !line.trim().is_empty()) {
            return Err(DocumentError::Form);
        }
        let nodes: Result<Vec<Node>, NodeError> =
            nodes.split_ascii_whitespace().map(str::parse).collect();
        Self::new(parse_version(version)?, nodes?)
    }

    /// What the operator should know of a document that some clients cannot use, one sentence
    /// each. Empty for most.
    pub fn advice(&self) -> Vec<String> {
        let size = self.encode().len();
        let mut advice = Vec::new();
        if size > DOCUMENT_SIZE_ADVISED {
            advice.push(format!(
                "the list of nodes has {size} bytes: libmemcached and PHP silently use none of a \
                 list above {DOCUMENT_SIZE_ADVISED}; shorter names help"
            ));
        }
        for node in &self.nodes {
            if let Some(why) = node.advice() {
                advice.push(format!("node {node}: {why}"));
            }
        }
        advice
    }
}

/// Reads the version in the first line of a document that may be anything else otherwise.
///
/// # Errors
///
/// [`DocumentError::Version`].
pub fn parse_version(line: &str) -> Result<u32, DocumentError> {
    let line = line.trim();
    decimal(line)
        .and_then(|version| u32::try_from(version).ok())
        .filter(|version| (1..=VERSION_MAX).contains(version))
        .ok_or_else(|| DocumentError::Version(line.chars().take(32).collect()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(text: &str) -> Node {
        text.parse().unwrap()
    }

    #[test]
    fn the_bytes_are_those_of_the_published_example() {
        let nodes = "myCluster.pc4ldq.0001.use1.cache.amazonaws.com|10.82.235.120|11211 \
                     myCluster.pc4ldq.0002.use1.cache.amazonaws.com|10.80.249.27|11211";
        let nodes = nodes.split(' ').map(node).rev().collect();
        let document = Document::new(12, nodes).unwrap();
        let bytes = document.encode();
        // The length that the documentation of the protocol gives for these two nodes.
        assert_eq!(bytes.len(), 136);
        assert!(bytes.starts_with(b"12\nmycluster.pc4ldq.0001."));
        assert!(bytes.ends_with(b"|10.80.249.27|11211\n"));
        assert_eq!(Document::parse(&bytes), Ok(document));
    }

    #[test]
    fn nodes_are_sorted_by_name_then_port() {
        let nodes = ["b.lan|10.0.0.1|2", "a.lan||9", "b.lan|10.0.0.2|1"];
        let document = Document::new(1, nodes.map(node).to_vec()).unwrap();
        let text = String::from_utf8(document.encode()).unwrap();
        assert_eq!(text, "1\na.lan||9 b.lan|10.0.0.2|1 b.lan|10.0.0.1|2\n");
    }

    #[test]
    fn a_node_is_read_as_it_is_written() {
        for text in ["a|10.0.0.1|1", "a-b.c||65535", "1.2.3.4|1.2.3.4|11211"] {
            assert_eq!(node(text).to_string(), text);
        }
        assert_eq!(node("A.Lan.|::1|1").to_string(), "a.lan|::1|1");
    }

    #[test]
    fn names_that_some_client_stumbles_over_are_refused() {
        for name in [
            "",
            ".",
            "-a",
            "a-",
            "a_b",
            "a b",
            "a|b",
            "a\n",
            "[::1]",
            "caf\u{e9}",
        ] {
            assert!(Node::new(name, None, 1).is_err(), "{name:?}");
        }
        let longest = "a".repeat(NAME_SIZE_MAX);
        assert!(Node::new(&longest, None, 1).is_ok());
        assert!(Node::new(&format!("{longest}a"), None, 1).is_err());
        // Two clients take these letters for the end of the reply.
        assert_eq!(Node::new("BACKEND", None, 1).unwrap().name(), "backend");
    }

    #[test]
    fn nodes_of_another_form_are_refused() {
        for text in [
            "",
            "a",
            "a|b",
            "a||",
            "a||0",
            "a||65536",
            "a||+1",
            "a|x|1",
            "a||1|",
            "a|1.2.3|1",
        ] {
            assert!(text.parse::<Node>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn versions_are_positive_and_fit_31_bits() {
        let nodes = || vec![node("a||1")];
        assert!(Document::new(0, nodes()).is_err());
        assert!(Document::new(1, nodes()).is_ok());
        assert!(Document::new(VERSION_MAX, nodes()).is_ok());
        assert!(Document::new(VERSION_MAX + 1, nodes()).is_err());
        for text in [
            "",
            "0",
            "-1",
            "+1",
            "1x",
            "2147483648",
            "99999999999999999999",
        ] {
            assert!(parse_version(text).is_err(), "{text:?}");
        }
        assert_eq!(parse_version("007 \r"), Ok(7));
    }

    #[test]
    fn a_document_of_another_hand_is_read_if_its_meaning_is_clear() {
        let document = Document::new(3, vec![node("a||1"), node("b||1")]).unwrap();
        for text in [
            "3\nb||1 a||1\n",
            "3\r\na||1 b||1 \r\n",
            "3\na||1  b||1",
            "3\na||1 b||1\n\n",
        ] {
            assert_eq!(
                Document::parse(text.as_bytes()),
                Ok(document.clone()),
                "{text:?}"
            );
        }
        for text in [
            "",
            "3",
            "3\n",
            "3\n\n",
            "3\na||1 a||1\n",
            "3\na||1\nb||1\n",
            "3\na\n",
        ] {
            assert!(Document::parse(text.as_bytes()).is_err(), "{text:?}");
        }
        assert!(Document::parse(b"3\n\xff||1\n").is_err());
    }

    #[test]
    fn a_list_that_is_too_long_for_some_is_advised_against_and_for_all_refused() {
        let many = |count: usize| {
            let nodes = (0..count).map(|i| node(&format!("node-{i:04}.example|10.0.0.1|11211")));
            Document::new(1, nodes.collect())
        };
        assert_eq!(many(10).unwrap().advice(), Vec::<String>::new());
        assert_eq!(many(300).unwrap().advice().len(), 1);
        assert!(matches!(many(3000), Err(DocumentError::TooLarge(_))));
    }

    #[test]
    fn nodes_without_an_ipv4_address_are_advised_against() {
        assert!(node("long-enough-name.lan||11211").advice().is_some());
        assert!(node("long-enough-name.lan|::1|11211").advice().is_some());
        assert!(node("a|10.0.0.1|1").advice().is_some());
        assert!(node("127.0.0.1|127.0.0.1|1").advice().is_none());
    }
}
