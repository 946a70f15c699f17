//! Nodes in the words of DNS: questions out, answers in, and the nodes they amount to.
//!
//! A name that begins with `_` is a service: its SRV records name hosts and ports, and a host's
//! name stays when its address changes. Any other name has addresses only, which then serve as
//! names too. Who asks, and whom, is decided elsewhere.

use std::collections::HashMap;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use simple_dns::rdata::RData;
use simple_dns::{CLASS, Name, Packet, PacketFlag, QTYPE, Question, RCODE, TYPE};

use super::document::{NAME_SIZE_MAX, Node, NodeError};
use crate::limits::PORT_DEFAULT;

/// What to ask for.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Subject {
    /// The addresses of a name; all nodes have this port.
    Addresses {
        /// A whole name, without a dot at its end.
        name: String,
        /// The port.
        port: u16,
    },
    /// The hosts and ports of a service, whose name begins with `_`.
    Service {
        /// A whole name, without a dot at its end.
        name: String,
    },
}

impl FromStr for Subject {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const EXPECTED: &str = "NAME or NAME:PORT, or _SERVICE._PROTOCOL.NAME for SRV records";
        let (name, port) = match text.split_once(':') {
            Some((name, port)) => (name, Some(port)),
            None => (text, None),
        };
        let name = name.strip_suffix('.').unwrap_or(name);
        let is_label = |label: &str| {
            let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
            (1..=63).contains(&label.len()) && label.bytes().all(plain)
        };
        if name.len() > NAME_SIZE_MAX || !name.split('.').all(is_label) {
            return Err(EXPECTED);
        }
        let name = name.to_ascii_lowercase();
        match (name.starts_with('_'), port) {
            (true, None) => Ok(Self::Service { name }),
            (true, Some(_)) => Err("no port: SRV records have ports of their own"),
            (false, None) => Ok(Self::Addresses {
                name,
                port: PORT_DEFAULT,
            }),
            (false, Some(port)) => {
                let port = port.parse().ok().filter(|port| *port != 0);
                Ok(Self::Addresses {
                    name,
                    port: port.ok_or(EXPECTED)?,
                })
            }
        }
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Addresses { name, port } => write!(f, "{name}:{port}"),
            Self::Service { name } => f.write_str(name),
        }
    }
}

/// Which records are asked for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Kind {
    /// Addresses of IP version 4.
    A,
    /// Addresses of IP version 6.
    Aaaa,
    /// Hosts and ports of a service.
    Srv,
}

impl Kind {
    const fn code(self) -> TYPE {
        match self {
            Self::A => TYPE::A,
            Self::Aaaa => TYPE::AAAA,
            Self::Srv => TYPE::SRV,
        }
    }
}

/// A host of a service.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Host {
    /// Its name, in lower case.
    pub name: String,
    /// Its port.
    pub port: u16,
}

/// What a server has answered.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Answer {
    /// There is more than fits a datagram: ask again over TCP.
    pub is_truncated: bool,
    /// Hosts of a service.
    pub hosts: Vec<Host>,
    /// Addresses of the name that was asked for.
    pub addresses: Vec<IpAddr>,
    /// Addresses of hosts, which a server may tell with the hosts.
    pub known: HashMap<String, Vec<IpAddr>>,
}

/// Why an answer is none.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum AnswerError {
    /// It answers something else: go on waiting.
    NotOurs,
    /// It cannot be read.
    Malformed,
    /// The server says no, with this code.
    Refused(String),
    /// A node that it names cannot be told to clients.
    Node(NodeError),
}

impl fmt::Display for AnswerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotOurs => f.write_str("it answers another question"),
            Self::Malformed => f.write_str("the answer cannot be read"),
            Self::Refused(code) => write!(f, "the server says {code}"),
            Self::Node(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for AnswerError {}

/// The bytes of a question. `id` tells its answer from others, so let nobody guess it.
///
/// # Errors
///
/// When this is no name.
pub fn question(id: u16, name: &str, kind: Kind) -> Result<Vec<u8>, AnswerError> {
    let wrong = |_| AnswerError::Malformed;
    let mut packet = Packet::new_query(id);
    packet.set_flags(PacketFlag::RECURSION_DESIRED);
    let name = Name::new(name).map_err(wrong)?;
    let kind = QTYPE::TYPE(kind.code());
    let question = Question::new(name, kind, CLASS::IN.into(), false);
    packet.questions.push(question);
    packet.build_bytes_vec().map_err(wrong)
}

/// Reads what came back for a question.
///
/// # Errors
///
/// [`AnswerError::NotOurs`] when it is about something else; anything else is final.
pub fn answer(bytes: &[u8], id: u16, name: &str, kind: Kind) -> Result<Answer, AnswerError> {
    let packet = Packet::parse(bytes).map_err(|_| AnswerError::Malformed)?;
    let asked = packet.questions.first();
    let is_ours = packet.id() == id
        && packet.has_flags(PacketFlag::RESPONSE)
        && asked.is_some_and(|asked| {
            asked.qtype == QTYPE::TYPE(kind.code()) && plain(&asked.qname) == plain_text(name)
        });
    if !is_ours {
        return Err(AnswerError::NotOurs);
    }
    if packet.rcode() != RCODE::NoError {
        return Err(AnswerError::Refused(format!("{:?}", packet.rcode())));
    }
    let mut answer = Answer {
        is_truncated: packet.has_flags(PacketFlag::TRUNCATION),
        ..Answer::default()
    };
    for record in &packet.answers {
        match &record.rdata {
            RData::SRV(service) if kind == Kind::Srv => answer.hosts.push(Host {
                name: plain(&service.target),
                port: service.port,
            }),
            // An alias stands before them; that they belong to it is the server's word.
            data => answer.addresses.extend(address(data)),
        }
    }
    for record in &packet.additional_records {
        if let Some(ip) = address(&record.rdata) {
            answer
                .known
                .entry(plain(&record.name))
                .or_default()
                .push(ip);
        }
    }
    Ok(answer)
}

fn address(data: &RData<'_>) -> Option<IpAddr> {
    match data {
        RData::A(a) => Some(Ipv4Addr::from(a.address).into()),
        RData::AAAA(aaaa) => Some(Ipv6Addr::from(aaaa.address).into()),
        _ => None,
    }
}

fn plain(name: &Name<'_>) -> String {
    plain_text(&name.to_string())
}

fn plain_text(name: &str) -> String {
    name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase()
}

/// The address that a node is listed with: one that most clients understand, and the same one
/// whatever the order of the answer.
pub fn best(addresses: &[IpAddr]) -> Option<IpAddr> {
    let v4 = addresses.iter().filter(|ip| ip.is_ipv4()).min();
    v4.or(addresses.iter().min()).copied()
}

/// The nodes that addresses of a name amount to: one for each of IP version 4, which serves as
/// its name. No name is made of one of version 6.
///
/// # Errors
///
/// When a node cannot be told to clients.
pub fn nodes_of(addresses: &[IpAddr], port: u16) -> Result<Vec<Node>, NodeError> {
    let mut v4: Vec<&IpAddr> = addresses.iter().filter(|ip| ip.is_ipv4()).collect();
    v4.sort_unstable();
    v4.dedup();
    v4.into_iter()
        .map(|ip| Node::new(&ip.to_string(), Some(*ip), port))
        .collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use simple_dns::ResourceRecord;
    use simple_dns::rdata::{A, SRV};

    use super::*;

    const SERVICE: &str = "_memcache._tcp.cache.lan";

    fn name(text: &str) -> Name<'_> {
        Name::new(text).unwrap()
    }

    fn record<'a>(owner: &'a str, data: RData<'a>) -> ResourceRecord<'a> {
        ResourceRecord::new(name(owner), CLASS::IN, 30, data)
    }

    fn srv(target: &str, port: u16) -> RData<'_> {
        RData::SRV(SRV {
            priority: 0,
            weight: 0,
            port,
            target: name(target),
        })
    }

    fn a(ip: [u8; 4]) -> RData<'static> {
        RData::A(A {
            address: Ipv4Addr::from(ip).into(),
        })
    }

    fn reply(id: u16, answers: Vec<ResourceRecord<'_>>) -> Vec<u8> {
        let asked = question(id, SERVICE, Kind::Srv).unwrap();
        let mut packet = Packet::parse(&asked).unwrap().into_reply();
        packet.answers = answers;
        packet
            .additional_records
            .push(record("cache-1.cache.lan", a([10, 0, 0, 1])));
        packet.build_bytes_vec_compressed().unwrap()
    }

    #[test]
    fn a_service_is_answered_with_hosts_and_what_is_known_of_them() {
        let answers = vec![
            record(SERVICE, srv("Cache-2.cache.lan", 11311)),
            record(SERVICE, srv("cache-1.cache.lan", 11211)),
        ];
        let bytes = reply(7, answers);
        let got = answer(&bytes, 7, SERVICE, Kind::Srv).unwrap();
        let hosts: Vec<(&str, u16)> = got.hosts.iter().map(|h| (&*h.name, h.port)).collect();
        let wanted = [("cache-2.cache.lan", 11311), ("cache-1.cache.lan", 11211)];
        assert_eq!(hosts, wanted);
        let ip: IpAddr = [10, 0, 0, 1].into();
        assert_eq!(got.known["cache-1.cache.lan"], [ip]);
        assert!(!got.is_truncated);
        for (id, name, kind) in [
            (8, SERVICE, Kind::Srv),
            (7, "other.lan", Kind::Srv),
            (7, SERVICE, Kind::A),
        ] {
            let got = answer(&bytes, id, name, kind);
            assert_eq!(got, Err(AnswerError::NotOurs), "{id} {name} {kind:?}");
        }
        // A question is no answer to itself.
        let asked = question(7, SERVICE, Kind::Srv).unwrap();
        assert_eq!(
            answer(&asked, 7, SERVICE, Kind::Srv),
            Err(AnswerError::NotOurs)
        );
    }

    #[test]
    fn a_refusal_is_told() {
        let asked = question(7, SERVICE, Kind::Srv).unwrap();
        let mut packet = Packet::parse(&asked).unwrap().into_reply();
        *packet.rcode_mut() = RCODE::NameError;
        let bytes = packet.build_bytes_vec().unwrap();
        let got = answer(&bytes, 7, SERVICE, Kind::Srv);
        assert!(matches!(got, Err(AnswerError::Refused(_))), "{got:?}");
    }

    #[test]
    fn addresses_make_nodes_in_one_order() {
        let ips: Vec<IpAddr> = ["10.0.0.2", "::1", "10.0.0.1", "10.0.0.2"]
            .map(|ip| ip.parse().unwrap())
            .into();
        let nodes = nodes_of(&ips, 5).unwrap();
        let text: Vec<String> = nodes.iter().map(Node::to_string).collect();
        assert_eq!(text, ["10.0.0.1|10.0.0.1|5", "10.0.0.2|10.0.0.2|5"]);
        assert_eq!(best(&ips), Some([10, 0, 0, 1].into()));
        assert_eq!(best(&ips[1..2]), Some(ips[1]));
        assert_eq!(best(&[]), None);
    }

    #[test]
    fn a_subject_is_read_as_it_is_written() {
        for (text, written) in [
            ("cache.lan", "cache.lan:11211"),
            ("Cache.lan.:5", "cache.lan:5"),
            ("_memcache._tcp.cache.lan", "_memcache._tcp.cache.lan"),
        ] {
            let subject: Subject = text.parse().unwrap();
            assert_eq!(subject.to_string(), written);
            assert_eq!(written.parse(), Ok(subject));
        }
        for wrong in ["", ".", "a..b", "a b", "a:0", "a:x", "_a._tcp.b:5", "a:"] {
            assert!(wrong.parse::<Subject>().is_err(), "{wrong:?}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_an_answer_or_none_and_never_a_panic(
            at in 0_usize..200,
            value: u8,
            cut in 0_usize..400,
            noise in proptest::collection::vec(any::<u8>(), 0..64),
        ) {
            let answers = vec![record(SERVICE, srv("cache-1.cache.lan", 11211))];
            let mut bytes = reply(7, answers);
            if let Some(byte) = bytes.get_mut(at) {
                *byte = value;
            }
            bytes.truncate(cut);
            let _either = answer(&bytes, 7, SERVICE, Kind::Srv);
            bytes.truncate(12);
            bytes.extend_from_slice(&noise);
            let _either = answer(&bytes, 7, SERVICE, Kind::Srv);
        }
    }
}
