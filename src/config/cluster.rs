//! What the settings say about the cluster.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;

use crate::cluster::dns::Subject;

use super::value::{Result, Wrong, expected};

/// The port of gossip where none is named.
pub const GOSSIP_PORT: u16 = 11212;

/// Who decides what the list of nodes says.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum ClusterSource {
    /// Nobody: a list of one.
    #[default]
    None,
    /// The nodes themselves, who tell each other.
    Gossip,
    /// A file.
    File,
    /// A name in DNS.
    Dns,
}

impl ClusterSource {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::None, Self::Gossip, Self::File, Self::Dns];

    /// As the option and `stats cluster` spell it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Gossip => "gossip",
            Self::File => "file",
            Self::Dns => "dns",
        }
    }
}

/// A host that others are found at.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Place {
    /// Name or number, without brackets.
    pub host: String,
    /// Its port.
    pub port: u16,
}

impl Place {
    /// Reads `HOST[:PORT]`; an IPv6 address has brackets if a port follows.
    ///
    /// # Errors
    ///
    /// What would have been allowed.
    pub fn parse(text: &str) -> Result<Self> {
        let wrong = || Wrong::Expected("HOST or HOST:PORT".to_owned());
        let port = |text: &str| text.parse::<u16>().map_err(|_| wrong());
        let is_v6 = text.parse::<Ipv6Addr>().is_ok();
        let (host, port) = match text.strip_prefix('[') {
            Some(rest) => match rest.split_once(']').ok_or_else(wrong)? {
                (host, "") => (host, GOSSIP_PORT),
                (host, rest) => (host, port(rest.strip_prefix(':').ok_or_else(wrong)?)?),
            },
            None if is_v6 => (text, GOSSIP_PORT),
            None => match text.split_once(':') {
                Some((host, rest)) => (host, port(rest)?),
                None => (text, GOSSIP_PORT),
            },
        };
        let is_host = |byte: u8| byte.is_ascii_alphanumeric() || b"-._:%".contains(&byte);
        if host.is_empty() || !host.bytes().all(is_host) {
            return Err(wrong());
        }
        let host = host.to_owned();
        Ok(Self { host, port })
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.parse::<Ipv6Addr>().is_ok() {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

/// Where gossip is listened for.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct GossipListen {
    /// The address; that of the first listener when not given.
    pub ip: Option<IpAddr>,
    /// The port; [`GOSSIP_PORT`] when not given.
    pub port: Option<u16>,
}

impl GossipListen {
    /// Reads `ADDRESS[:PORT]` or `:PORT`.
    ///
    /// # Errors
    ///
    /// What would have been allowed.
    pub fn parse(text: &str) -> Result<Self> {
        let what = "an address of this host, with or without :PORT, or :PORT alone";
        if let Some(port) = text.strip_prefix(':') {
            return match port.parse() {
                Ok(port) => Ok(Self {
                    ip: None,
                    port: Some(port),
                }),
                Err(_) => expected(what),
            };
        }
        let place = Place::parse(text)?;
        match place.host.parse() {
            Ok(ip) => Ok(Self {
                ip: Some(ip),
                port: Some(place.port),
            }),
            Err(_) => expected(what),
        }
    }
}

impl fmt::Display for GossipListen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.ip, self.port) {
            (Some(ip), port) => {
                let host = ip.to_string();
                let port = port.unwrap_or(GOSSIP_PORT);
                Place { host, port }.fmt(f)
            }
            (None, Some(port)) => write!(f, ":{port}"),
            (None, None) => Ok(()),
        }
    }
}

/// What the settings say about the cluster.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ClusterConfig {
    /// Who decides what the list says, if that is named.
    pub source: Option<ClusterSource>,
    /// By what this node is known to the others; its advertised name and port when not given.
    pub name: Option<String>,
    /// Where others are found.
    pub seeds: Vec<Place>,
    /// Where gossip is listened for.
    pub listen: GossipListen,
    /// File of the key that the nodes share.
    pub key_file: Option<PathBuf>,
    /// File that lists the nodes.
    pub file: Option<PathBuf>,
    /// The name that stands for the nodes.
    pub dns: Option<Subject>,
    /// Whom to ask for it; the system's name servers when not given.
    pub dns_server: Option<SocketAddr>,
    /// Time between two look-ups, in seconds.
    pub dns_interval_s: u32,
    /// Answers with fewer nodes are not believed.
    pub nodes_min: usize,
    /// Where the list and its version are written down.
    pub state_file: Option<PathBuf>,
    /// Whether this node goes off the list before it stops.
    pub leave: bool,
    /// After how long an unreachable node goes off the list, in seconds; 0 is never.
    pub eject_after_s: u32,
}

impl Default for ClusterConfig {
    fn default() -> Self {
        Self {
            source: None,
            name: None,
            seeds: Vec::new(),
            listen: GossipListen::default(),
            key_file: None,
            file: None,
            dns: None,
            dns_server: None,
            dns_interval_s: 30,
            nodes_min: 1,
            state_file: None,
            leave: false,
            eject_after_s: 0,
        }
    }
}

impl ClusterConfig {
    /// Who decides what the list says: what is named, else what the other settings are for.
    pub fn source(&self) -> ClusterSource {
        self.source.unwrap_or_else(|| {
            if self.file.is_some() {
                ClusterSource::File
            } else if self.dns.is_some() {
                ClusterSource::Dns
            } else if self.key_file.is_some() || !self.seeds.is_empty() {
                ClusterSource::Gossip
            } else {
                ClusterSource::None
            }
        })
    }

    /// What one setting alone cannot see.
    ///
    /// # Errors
    ///
    /// What is missing or contradicts another, naming the options.
    pub fn check(&self) -> std::result::Result<(), String> {
        let source = self.source();
        let name = source.name();
        let gossip = source == ClusterSource::Gossip;
        let dns = source == ClusterSource::Dns;
        let misplaced = [
            (!self.seeds.is_empty() && !gossip, "--cluster-seeds"),
            (self.key_file.is_some() && !gossip, "--cluster-key-file"),
            (self.leave && !gossip, "--leave"),
            (self.eject_after_s > 0 && !gossip, "--eject-after"),
            (
                self.file.is_some() && source != ClusterSource::File,
                "--cluster-file",
            ),
            (self.dns.is_some() && !dns, "--cluster-dns"),
            (self.dns_server.is_some() && !dns, "--cluster-dns-server"),
            (self.nodes_min > 1 && !dns, "--cluster-min-nodes"),
        ];
        if let Some((_, option)) = misplaced.iter().find(|(is_wrong, _)| *is_wrong) {
            return Err(format!(
                "{option}: means nothing with --cluster-source {name}; leave one of them out"
            ));
        }
        match source {
            ClusterSource::Gossip if self.key_file.is_none() => Err(
                "--cluster-source gossip: needs --cluster-key-file, a file that all nodes have; \
                 `openssl rand -hex 32` makes a key"
                    .to_owned(),
            ),
            ClusterSource::File if self.file.is_none() => {
                Err("--cluster-source file: needs --cluster-file".to_owned())
            }
            ClusterSource::Dns if self.dns.is_none() => {
                Err("--cluster-source dns: needs --cluster-dns".to_owned())
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_read_as_it_is_written() {
        for (text, written) in [
            ("cache-1.lan", "cache-1.lan:11212"),
            ("cache-1.lan:7", "cache-1.lan:7"),
            ("10.0.0.1:7", "10.0.0.1:7"),
            ("::1", "[::1]:11212"),
            ("[::1]", "[::1]:11212"),
            ("[::1]:7", "[::1]:7"),
        ] {
            assert_eq!(Place::parse(text).unwrap().to_string(), written);
        }
        for wrong in [
            "", ":7", "a:", "a:x", "a:70000", "[::1", "[::1]7", "a b", "a/b",
        ] {
            assert!(Place::parse(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn gossip_is_listened_for_on_an_address_a_port_or_both() {
        for (text, written) in [
            ("10.0.0.1", "10.0.0.1:11212"),
            ("10.0.0.1:0", "10.0.0.1:0"),
            (":7", ":7"),
        ] {
            assert_eq!(GossipListen::parse(text).unwrap().to_string(), written);
        }
        assert_eq!(GossipListen::default().to_string(), "");
        for wrong in ["", ":", "cache-1.lan", "10.0.0.1:x"] {
            assert!(GossipListen::parse(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn the_source_follows_from_what_is_given() {
        let with = |change: fn(&mut ClusterConfig)| {
            let mut config = ClusterConfig::default();
            change(&mut config);
            (config.source(), config.check().is_ok())
        };
        assert_eq!(with(|_| ()), (ClusterSource::None, true));
        let file = with(|c| c.file = Some("nodes".into()));
        assert_eq!(file, (ClusterSource::File, true));
        let dns = with(|c| c.dns = Some("cache.lan".parse().unwrap()));
        assert_eq!(dns, (ClusterSource::Dns, true));
        assert!(!with(|c| c.source = Some(ClusterSource::Dns)).1);
        assert!(!with(|c| c.nodes_min = 2).1);
        let key = with(|c| c.key_file = Some("key".into()));
        assert_eq!(key, (ClusterSource::Gossip, true));
        let seeds = with(|c| c.seeds = vec![Place::parse("a").unwrap()]);
        assert_eq!(seeds, (ClusterSource::Gossip, false));
        assert!(!with(|c| c.leave = true).1);
        assert!(!with(|c| c.source = Some(ClusterSource::File)).1);
    }
}
