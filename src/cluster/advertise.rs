//! What clients are told of this daemon: by `--advertise`, and by its listeners where that is
//! silent.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::str::FromStr;

use super::document::{Node, NodeError};
use crate::limits::PORT_DEFAULT;

/// The parts of a node that the operator has named, as `name|ip|port`. Any may be missing, and
/// pipes at the end with it.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Advertise {
    name: Option<Box<str>>,
    ip: Option<IpAddr>,
    port: Option<u16>,
}

impl FromStr for Advertise {
    type Err = NodeError;

    fn from_str(text: &str) -> Result<Self, NodeError> {
        let parts: Vec<&str> = text.split('|').collect();
        let (name, ip, port) = match *parts {
            [name] => (name, "", ""),
            [name, ip] => (name, ip, ""),
            [name, ip, port] => (name, ip, port),
            _ => return Err(NodeError::Form),
        };
        // What is missing is filled in by something that is always right, and dropped again.
        let whole = format!(
            "{}|{ip}|{}",
            if name.is_empty() { "x" } else { name },
            if port.is_empty() { "1" } else { port }
        );
        let node: Node = whole.parse()?;
        Ok(Self {
            name: (!name.is_empty()).then(|| node.name().into()),
            ip: node.ip(),
            port: (!port.is_empty()).then(|| node.port()),
        })
    }
}

impl fmt::Display for Advertise {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if *self == Self::default() {
            return Ok(());
        }
        let ip = self.ip.map(|ip| ip.to_string()).unwrap_or_default();
        let port = self.port.map(|port| port.to_string()).unwrap_or_default();
        write!(
            f,
            "{}|{ip}|{port}",
            self.name.as_deref().unwrap_or_default()
        )
    }
}

impl Advertise {
    /// Whether an address has to be found for the node: none is named, and the listeners serve
    /// every interface. `listeners` as for [`Self::node`].
    pub fn needs_address(&self, listeners: &[SocketAddr]) -> bool {
        self.ip.is_none() && first(listeners).is_some_and(|address| address.ip().is_unspecified())
    }

    /// The node of a daemon with these TCP listeners, in the order of its settings; `outward` is
    /// the address by which it talks to others, asked for by [`Self::needs_address`].
    ///
    /// An address serves as the name where none is given: it is one that every client takes and
    /// can reach, which cannot be said of the host's own name. The first listener with IPv4 is
    /// taken before others, since many clients understand nothing else.
    pub fn node(&self, listeners: &[SocketAddr], outward: Option<IpAddr>) -> Node {
        let listener = first(listeners);
        let port = listener.map_or(PORT_DEFAULT, SocketAddr::port);
        let listened = listener.map(SocketAddr::ip);
        let named = self.name.as_deref().and_then(|name| name.parse().ok());
        let ip = match listened {
            Some(ip) if ip.is_unspecified() => outward,
            listened => listened,
        };
        let loopback = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let ip = self.ip.or(named).or(ip).unwrap_or(loopback);
        let name = match (&self.name, ip) {
            (Some(name), _) => name.to_string(),
            (None, IpAddr::V4(ip)) => ip.to_string(),
            // No name has colons; this one reaches a daemon that serves loopback only.
            (None, IpAddr::V6(ip)) if ip.is_loopback() => "localhost".to_owned(),
            (None, IpAddr::V6(ip)) => ipv6_name(&ip.to_string()),
        };
        let port = self.port.unwrap_or(port);
        // Each part has been checked already, and a bound port is not zero.
        Node::new(&name, Some(ip), port).unwrap_or_else(|_| loopback_node(port))
    }
}

/// The listener that clients are told of.
fn first(listeners: &[SocketAddr]) -> Option<&SocketAddr> {
    let mut all = listeners.iter();
    all.find(|address| address.is_ipv4()).or(listeners.first())
}

/// A name that is made of an address, for an operator who has given none.
fn ipv6_name(ip: &str) -> String {
    format!("ip6-{}", ip.replace(':', "-").trim_matches('-'))
}

fn loopback_node(port: u16) -> Node {
    let text = format!("127.0.0.1|127.0.0.1|{}", port.max(1));
    text.parse()
        .unwrap_or_else(|_| unreachable!("a node is written above"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(advertise: &str, listeners: &[&str], outward: Option<&str>) -> String {
        let advertise: Advertise = advertise.parse().unwrap();
        let listeners: Vec<_> = listeners.iter().map(|text| text.parse().unwrap()).collect();
        let outward = outward.map(|text| text.parse().unwrap());
        assert_eq!(advertise.needs_address(&listeners), outward.is_some());
        advertise.node(&listeners, outward).to_string()
    }

    #[test]
    fn a_daemon_without_settings_advertises_its_first_ipv4_listener() {
        let both = ["[::1]:11211", "127.0.0.1:11211"];
        assert_eq!(node("", &both, None), "127.0.0.1|127.0.0.1|11211");
        assert_eq!(node("", &["10.0.0.5:7"], None), "10.0.0.5|10.0.0.5|7");
        assert_eq!(node("", &["[::1]:7"], None), "localhost|::1|7");
        assert_eq!(node("", &["[fd00::7]:7"], None), "ip6-fd00--7|fd00::7|7");
        assert_eq!(node("", &[], None), "127.0.0.1|127.0.0.1|11211");
    }

    #[test]
    fn a_daemon_on_every_interface_advertises_the_address_by_which_it_talks() {
        let any = ["0.0.0.0:5"];
        assert_eq!(node("", &any, Some("10.1.2.3")), "10.1.2.3|10.1.2.3|5");
        let advertise = Advertise::default();
        let any = [any[0].parse().unwrap()];
        let alone = advertise.node(&any, None);
        assert_eq!(alone.to_string(), "127.0.0.1|127.0.0.1|5");
    }

    #[test]
    fn each_part_that_is_named_replaces_what_the_listener_says() {
        let listeners = ["127.0.0.1:5"];
        for (advertise, expected) in [
            ("cache-1.lan", "cache-1.lan|127.0.0.1|5"),
            ("cache-1.lan|10.0.0.1", "cache-1.lan|10.0.0.1|5"),
            ("cache-1.lan||6", "cache-1.lan|127.0.0.1|6"),
            ("|10.0.0.1", "10.0.0.1|10.0.0.1|5"),
            ("||6", "127.0.0.1|127.0.0.1|6"),
            ("10.0.0.9", "10.0.0.9|10.0.0.9|5"),
            ("a|10.0.0.1|6", "a|10.0.0.1|6"),
        ] {
            assert_eq!(node(advertise, &listeners, None), expected, "{advertise}");
        }
    }

    #[test]
    fn what_is_written_is_read_again() {
        for text in ["", "cache-1.lan||", "|10.0.0.1|", "||6", "a|::1|6"] {
            let advertise: Advertise = text.parse().unwrap();
            assert_eq!(advertise.to_string(), text);
        }
        for wrong in ["a|b|c|d", "a_b", "a|b", "||0", "||x", "a:11211"] {
            assert!(wrong.parse::<Advertise>().is_err(), "{wrong}");
        }
    }
}
