//! Which node owns a key, by the rules of each client that spreads keys.
//!
//! Nodes do not decide this: each client hashes keys by itself, and no two families of clients
//! agree. What stands here was compared with the real clients, placement by placement; the tests
//! keep the results. Start reading at [`Placement::new`].

use md5::Md5;
use sha1::Sha1;
use sha2::{Digest, Sha384};

use super::document::Node;
use crate::limits::PORT_DEFAULT;

/// Digests taken for a node of equal weight, each of which makes several points.
const DIGEST_COUNT: u32 = 40;

/// Points in a digest of MD5 that are used.
const POINTS_PER_DIGEST: usize = 4;

/// Points of a node on the ring of libmemcached's consistent distribution.
const CONSISTENT_POINT_COUNT: u32 = 100;

/// Points of a node on dalli's ring.
const DALLI_POINT_COUNT: u32 = 160;

macro_rules! clients {
    ($($(#[$doc:meta])* $name:ident = $word:literal, $also:expr, $about:literal;)*) => {
        /// A client, or a setting of one, that has rules of its own.
        #[derive(Clone, Copy, Debug, Eq, PartialEq)]
        pub enum Client {
            $($(#[$doc])* $name,)*
        }

        impl Client {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// The word for it.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$name => $word,)*
                }
            }

            /// Other words for it: clients that follow the same rules.
            pub const fn aliases(self) -> &'static [&'static str] {
                match self {
                    $(Self::$name => $also,)*
                }
            }

            /// How it spreads keys, in a few words.
            pub const fn about(self) -> &'static str {
                match self {
                    $(Self::$name => $about,)*
                }
            }
        }
    };
}

clients! {
    /// libmemcached's modulo distribution, its default.
    Libmemcached = "libmemcached", &["libmemcached-modula", "pylibmc", "php-memcached"],
        "list order, one-at-a-time hash modulo nodes";
    /// libmemcached's consistent distribution.
    Ketama = "ketama", &["libmemcached-ketama", "libmemcached-consistent"],
        "ring of one-at-a-time hashes of names";
    /// libmemcached's weighted ketama, all weights equal.
    KetamaWeighted = "ketama-weighted", &["libketama", "php-libketama"],
        "ring of MD5 of names without port 11211";
    /// The ring of node's memcached.
    NodeMemcached = "node-memcached", &["memcached-elasticache", "hashring"],
        "ring of MD5 of names without port 11211";
    /// The ring of memcached's proxy.
    MemcachedProxy = "memcached-proxy", &["mcmc-ketama"],
        "ring of MD5 of names with ports";
    /// The ring of spymemcached.
    Spymemcached = "spymemcached", &["spymemcached-ketama"],
        "ring of MD5 of names with addresses and ports";
    /// The ring of the AWS client for Java.
    AwsJava = "aws-java", &["aws-java-ketama"],
        "ring of SHA-384 of addresses with ports";
    /// What Java clients do unless told otherwise.
    AwsJavaDefault = "aws-java-default", &["spymemcached-default"],
        "list order, String.hashCode modulo nodes";
    /// The rendezvous hash of pymemcache.
    Pymemcache = "pymemcache", &["django-elastipymemcache"],
        "rendezvous hash of addresses with ports";
    /// The ring of dalli.
    Dalli = "dalli", &["dalli-elasticache"],
        "ring of SHA-1 of names with ports, walked backwards";
    /// python-memcached.
    PythonMemcached = "python-memcached", &[],
        "list order, CRC-32 modulo nodes";
}

impl Client {
    /// The client of this name, or of one of its aliases.
    pub fn by_name(name: &str) -> Option<Self> {
        let mut all = Self::ALL.iter().copied();
        all.find(|client| client.name() == name || client.aliases().contains(&name))
    }

    /// How it writes a node where it hashes one.
    fn label(self, node: &Node) -> String {
        let (name, port) = (node.name(), node.port());
        let with_port = format!("{name}:{port}");
        match self {
            Self::Libmemcached | Self::AwsJavaDefault | Self::PythonMemcached => String::new(),
            Self::Ketama | Self::KetamaWeighted | Self::NodeMemcached => {
                if port == PORT_DEFAULT {
                    name.to_owned()
                } else {
                    with_port
                }
            }
            Self::Dalli | Self::MemcachedProxy => with_port,
            Self::Spymemcached => match node.ip() {
                // Java writes an address that was looked up so, and without a name before it
                // when there was nothing to look up.
                Some(ip) if ip.to_string() != name => format!("{name}/{ip}:{port}"),
                _ => with_port,
            },
            Self::AwsJava | Self::Pymemcache => match node.ip() {
                Some(ip) => format!("{ip}:{port}"),
                None => with_port,
            },
        }
    }
}

/// The nodes of a list as one client places keys on them.
#[derive(Clone, Debug)]
pub struct Placement {
    client: Client,
    labels: Vec<String>,
    /// Places on the ring and the node of each, in order; empty where there is no ring.
    points: Vec<(u32, usize)>,
}

impl Placement {
    /// Places keys on these nodes, in this order: that of the list, which some clients rely on.
    /// Costs a few hundred hashes for each node.
    pub fn new(client: Client, nodes: &[Node]) -> Self {
        let labels = nodes.iter().map(|node| client.label(node)).collect();
        Self::of_labels(client, labels)
    }

    fn of_labels(client: Client, labels: Vec<String>) -> Self {
        let count = labels.len();
        let mut points = Vec::new();
        for (index, label) in labels.iter().enumerate() {
            let mut add = |point| points.push((point, index));
            match client {
                Client::Libmemcached
                | Client::AwsJavaDefault
                | Client::PythonMemcached
                | Client::Pymemcache => {}
                Client::Ketama => {
                    for number in 0..CONSISTENT_POINT_COUNT {
                        add(one_at_a_time(format!("{label}-{number}").as_bytes()));
                    }
                }
                Client::KetamaWeighted => {
                    for number in 0..weighted_digest_count(count) {
                        ring_points(&md5(&format!("{label}-{number}"))).for_each(&mut add);
                    }
                }
                Client::NodeMemcached | Client::MemcachedProxy | Client::Spymemcached => {
                    for number in 0..DIGEST_COUNT {
                        ring_points(&md5(&format!("{label}-{number}"))).for_each(&mut add);
                    }
                }
                Client::AwsJava => {
                    for number in 0..DIGEST_COUNT {
                        ring_points(&sha384(&format!("{label}-{number}"))).for_each(&mut add);
                    }
                }
                Client::Dalli => {
                    for number in 0..DALLI_POINT_COUNT {
                        add(sha1_point(&format!("{label}:{number}")));
                    }
                }
            }
        }
        points.sort_by_key(|(point, _)| *point);
        Self {
            client,
            labels,
            points,
        }
    }

    /// The node that owns a key, by its place in the list; `None` when there are no nodes.
    pub fn owner(&self, key: &[u8]) -> Option<usize> {
        let count = self.labels.len();
        if count == 0 {
            return None;
        }
        let modulo = |hash: u32| hash as usize % count;
        Some(match self.client {
            Client::Libmemcached => modulo(one_at_a_time(key)),
            Client::AwsJavaDefault => modulo(java_hash_code(key)),
            Client::PythonMemcached => modulo(python_memcached_hash(key)),
            Client::Pymemcache => self.rendezvous(key),
            Client::Ketama => self.first_from(one_at_a_time(key)),
            Client::KetamaWeighted
            | Client::NodeMemcached
            | Client::MemcachedProxy
            | Client::Spymemcached => self.first_from(little_endian(&md5_bytes(key), 0)),
            Client::AwsJava => self.first_from(little_endian(&Sha384::digest(key), 0)),
            Client::Dalli => self.last_up_to(crc32fast::hash(key)),
        })
    }

    /// The node of the first point at or behind this one, around the ring.
    fn first_from(&self, hash: u32) -> usize {
        let at = self.points.partition_point(|(point, _)| *point < hash);
        let point = self.points.get(at).or(self.points.first());
        point.map_or(0, |(_, index)| *index)
    }

    /// The node of the last point at or before this one, around the ring.
    fn last_up_to(&self, hash: u32) -> usize {
        let at = self.points.partition_point(|(point, _)| *point <= hash);
        let point = match at {
            0 => self.points.last(),
            _ => self.points.get(at - 1),
        };
        point.map_or(0, |(_, index)| *index)
    }

    /// The node with the highest score, and with the greatest label among equals.
    fn rendezvous(&self, key: &[u8]) -> usize {
        let score = |label: &String| {
            let mut text = label.as_bytes().to_vec();
            text.push(b'-');
            text.extend_from_slice(key);
            murmur3_32(&text)
        };
        let nodes = self.labels.iter().enumerate();
        nodes
            .max_by_key(|(_, label)| (score(label), *label))
            .map_or(0, |(index, _)| index)
    }
}

/// How many digests libmemcached takes for each of so many nodes of equal weight. It reckons in
/// 32 bits, so that for some counts a digest is lost to rounding, on all nodes alike.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "the same rounding as in libmemcached is the point; the result is 40 or so"
)]
fn weighted_digest_count(node_count: usize) -> u32 {
    let share = 1.0_f32 / node_count as f32;
    let digests = share * 160.0 / 4.0 * node_count as f32;
    ((f64::from(digests) + 1e-10) as f32).floor() as u32
}

/// Bob Jenkins's one-at-a-time hash, with bytes as signed numbers, as libmemcached has them.
fn one_at_a_time(bytes: &[u8]) -> u32 {
    let mut hash = 0_u32;
    for byte in bytes {
        hash = hash.wrapping_add(i32::from(byte.cast_signed()).cast_unsigned());
        hash = hash.wrapping_add(hash << 10);
        hash ^= hash >> 6;
    }
    hash = hash.wrapping_add(hash << 3);
    hash ^= hash >> 11;
    hash.wrapping_add(hash << 15)
}

/// What `hashCode` of a string is in Java, as the number without a sign that clients make of it.
fn java_hash_code(key: &[u8]) -> u32 {
    String::from_utf8_lossy(key)
        .encode_utf16()
        .fold(0, |hash: u32, unit| {
            hash.wrapping_mul(31).wrapping_add(u32::from(unit))
        })
}

fn python_memcached_hash(key: &[u8]) -> u32 {
    match (crc32fast::hash(key) >> 16) & 0x7fff {
        0 => 1,
        hash => hash,
    }
}

fn murmur3_32(bytes: &[u8]) -> u32 {
    // Reading from memory does not fail.
    murmur3::murmur3_32(&mut &*bytes, 0).unwrap_or_default()
}

fn md5_bytes(bytes: &[u8]) -> [u8; 16] {
    Md5::digest(bytes).into()
}

fn md5(text: &str) -> [u8; 16] {
    md5_bytes(text.as_bytes())
}

fn sha384(text: &str) -> [u8; 48] {
    Sha384::digest(text.as_bytes()).into()
}

fn sha1_point(text: &str) -> u32 {
    let digest = Sha1::digest(text.as_bytes());
    digest
        .first_chunk()
        .map_or(0, |bytes| u32::from_be_bytes(*bytes))
}

/// The points that ketama takes from a digest.
fn ring_points(digest: &[u8]) -> impl Iterator<Item = u32> {
    (0..POINTS_PER_DIGEST).map(|number| little_endian(digest, number))
}

/// Four bytes of a digest, least significant first.
fn little_endian(digest: &[u8], number: usize) -> u32 {
    let bytes = digest.get(number * 4..).and_then(<[u8]>::first_chunk);
    bytes.map_or(0, |bytes| u32::from_le_bytes(*bytes))
}

#[cfg(test)]
mod tests;
