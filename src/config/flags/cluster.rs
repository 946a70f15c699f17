//! Settings of the cluster, and of what clients are told about it.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use super::{Group, Kind, ROW, Setting};
use crate::cluster::document::NAME_SIZE_MAX;
use crate::config::cluster::{ClusterSource, GossipListen, Place};
use crate::config::value::{Wrong, expected, integer, show_yes, text, yes};

/// The port of name servers.
const DNS_PORT: u16 = 53;

pub(super) const ROWS: &[Setting] = &[
    Setting {
        name: "advertise",
        kind: Kind::Value("NAME|IP|PORT"),
        group: Group::Cluster,
        help: "What clients that ask for the nodes of the cluster are told of this one. Any part may \
               be left out: it is then taken from the first address that is served, with IPv4 before \
               IPv6. Give a name that clients can resolve, and that the certificate has when they \
               speak TLS; it should stay when the address changes.",
        apply: |config, value| {
            config.advertise = value
                .parse()
                .map_err(|error| Wrong::Refused(format!("{error}; any part may be empty.")))?;
            Ok(())
        },
        show: |config| config.advertise.to_string(),
        ..ROW
    },
    Setting {
        name: "cluster-source",
        kind: Kind::Value("SOURCE"),
        group: Group::Cluster,
        help: "Who decides which nodes clients are told of: `none` lists this daemon alone, \
               `gossip` lets the nodes find each other, `file` reads them from a file, `dns` looks \
               them up.",
        apply: |config, value| {
            let source = ClusterSource::ALL.into_iter().find(|s| s.name() == value);
            let Some(source) = source else {
                return expected("none, gossip, file or dns");
            };
            config.cluster.source = Some(source);
            Ok(())
        },
        show: |config| {
            let source = config.cluster.source.map(ClusterSource::name);
            source.unwrap_or_default().to_owned()
        },
        default: Some("what the other settings of the cluster are for, else none"),
        ..ROW
    },
    Setting {
        name: "cluster-name",
        kind: Kind::Value("NAME"),
        group: Group::Cluster,
        help: "By what this node is known to the others. A node that comes back under its name \
               takes its own place on the list, wherever it is; so no two may have the same.",
        apply: |config, value| {
            let is_name = |byte: u8| byte.is_ascii_alphanumeric() || b"-._:".contains(&byte);
            if value.is_empty() || value.len() > NAME_SIZE_MAX || !value.bytes().all(is_name) {
                return expected("letters, digits, '-', '_', '.' and ':', at most 253");
            }
            config.cluster.name = Some(value.to_owned());
            Ok(())
        },
        show: |config| config.cluster.name.clone().unwrap_or_default(),
        default: Some("name and port of --advertise"),
        ..ROW
    },
    Setting {
        name: "cluster-seeds",
        kind: Kind::Value("HOST[:PORT],..."),
        group: Group::Cluster,
        help: "Where others are found when this node starts: addresses of gossip, or names, of \
               which all addresses are tried. One is enough. The seeds found the cluster: of \
               those that are up, the first by name. Nodes that are no seed wait for one.",
        apply: |config, value| {
            let places = value.split(',').map(|place| Place::parse(place.trim()));
            config.cluster.seeds = places.collect::<Result<_, _>>()?;
            Ok(())
        },
        show: |config| {
            let seeds = config.cluster.seeds.iter().map(Place::to_string);
            seeds.collect::<Vec<_>>().join(",")
        },
        ..ROW
    },
    Setting {
        name: "cluster-listen",
        kind: Kind::Value("[ADDRESS][:PORT]"),
        group: Group::Cluster,
        help: "Where the other nodes reach this one by UDP. On every interface (0.0.0.0) the \
               others are told the address of --advertise.",
        apply: |config, value| {
            config.cluster.listen = GossipListen::parse(value)?;
            Ok(())
        },
        show: |config| config.cluster.listen.to_string(),
        default: Some("the address of the first listener, port 11212"),
        ..ROW
    },
    Setting {
        name: "cluster-key-file",
        kind: Kind::Value("FILE"),
        group: Group::Cluster,
        help: "File of the key that all nodes share, one key a line: datagrams are sealed with \
               the first and opened with any, so a key is changed by having two for a while. \
               Read again at SIGHUP.",
        apply: |config, value| {
            config.cluster.key_file = Some(PathBuf::from(text(value)?));
            Ok(())
        },
        show: |config| path(config.cluster.key_file.as_ref()),
        ..ROW
    },
    Setting {
        name: "cluster-file",
        kind: Kind::Value("FILE"),
        group: Group::Cluster,
        help: "File that lists the nodes, one NAME|IP|PORT a line; a line `version NUMBER` gives \
               the version, which must grow whenever the list changes. Without it this daemon \
               counts by itself. Read again when it changes and at SIGHUP.",
        apply: |config, value| {
            config.cluster.file = Some(PathBuf::from(text(value)?));
            Ok(())
        },
        show: |config| path(config.cluster.file.as_ref()),
        ..ROW
    },
    Setting {
        name: "cluster-dns",
        kind: Kind::Value("NAME[:PORT]"),
        group: Group::Cluster,
        help: "Name that stands for the nodes, looked up again and again. One that begins with an \
               underscore, such as _memcache._tcp.cache.example, has SRV records: hosts, which \
               keep their names, and ports. Any other has addresses, which are names too then. \
               When there is no answer the list stays.",
        apply: |config, value| {
            config.cluster.dns = Some(value.parse().or_else(expected)?);
            Ok(())
        },
        show: |config| {
            let dns = config.cluster.dns.as_ref();
            dns.map(ToString::to_string).unwrap_or_default()
        },
        ..ROW
    },
    Setting {
        name: "cluster-dns-server",
        kind: Kind::Value("IP[:PORT]"),
        group: Group::Cluster,
        help: "The name server to ask.",
        apply: |config, value| {
            let address = value.parse::<SocketAddr>();
            let with_port = |ip: IpAddr| SocketAddr::new(ip, DNS_PORT);
            let address = address.or_else(|_| value.parse().map(with_port));
            let Ok(address) = address else {
                return expected("an IP address, with or without :PORT");
            };
            config.cluster.dns_server = Some(address);
            Ok(())
        },
        show: |config| {
            let server = config.cluster.dns_server;
            server.map(|server| server.to_string()).unwrap_or_default()
        },
        default: Some("those of the system"),
        ..ROW
    },
    Setting {
        name: "cluster-dns-interval",
        kind: Kind::Value("SECONDS"),
        group: Group::Cluster,
        help: "Time between two look-ups of the name.",
        apply: |config, value| {
            config.cluster.dns_interval_s = integer(value, 1..=86_400)?;
            Ok(())
        },
        show: |config| config.cluster.dns_interval_s.to_string(),
        ..ROW
    },
    Setting {
        name: "cluster-min-nodes",
        kind: Kind::Value("COUNT"),
        group: Group::Cluster,
        help: "An answer of DNS with fewer nodes is not believed, and the list stays: names \
               vanish when their hosts are restarted.",
        apply: |config, value| {
            let count: u32 = integer(value, 1..=1000)?;
            config.cluster.nodes_min = count as usize;
            Ok(())
        },
        show: |config| config.cluster.nodes_min.to_string(),
        ..ROW
    },
    Setting {
        name: "cluster-state",
        kind: Kind::Value("FILE"),
        group: Group::Cluster,
        help: "Where the list and its version are written down. It is served at once after a \
               restart, and a node that keeps it keeps its vote.",
        apply: |config, value| {
            config.cluster.state_file = Some(PathBuf::from(text(value)?));
            Ok(())
        },
        show: |config| path(config.cluster.state_file.as_ref()),
        ..ROW
    },
    Setting {
        name: "leave",
        group: Group::Cluster,
        help: "When told to stop (SIGTERM, SIGINT, SIGUSR1), go off the list of nodes first, wait \
               until the others know, and then stop. Without it the node stays listed, as one that \
               comes back.",
        apply: |config, value| {
            config.cluster.leave = yes(value)?;
            Ok(())
        },
        show: |config| show_yes(config.cluster.leave),
        ..ROW
    },
    Setting {
        name: "eject-after",
        kind: Kind::Value("SECONDS"),
        group: Group::Cluster,
        help: "Take a node that nobody reaches off the list after so long, one at a time and \
               never more than a minority; 0 is never. Its keys move to the others, and back when \
               it returns, so leave this off unless losing a tenth of all requests is worse.",
        apply: |config, value| {
            config.cluster.eject_after_s = integer(value, 0..=31_536_000)?;
            Ok(())
        },
        show: |config| config.cluster.eject_after_s.to_string(),
        ..ROW
    },
];

fn path(path: Option<&PathBuf>) -> String {
    path.map_or_else(String::new, |path| path.display().to_string())
}
