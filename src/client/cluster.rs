//! `larder cluster`: the nodes that a daemon tells clients of, and which of them owns a key.

use std::ffi::OsString;
use std::fmt::Write;
use std::net::IpAddr;
use std::os::unix::ffi::OsStrExt;
use std::thread::sleep;
use std::time::{Duration, Instant};

use clap::{Arg, ArgAction, ArgMatches, Command};
use serde_json::{Value, json};

use super::keys::{parsed, shown};
use super::{Address, Connection, Error, Session, Shown, dev, key_argument};
use crate::cluster::placement::{Client, Placement};
use crate::cluster::{Document, Node};

/// Pause between two looks at a list that is to change.
const PAUSE: Duration = Duration::from_millis(50);

/// The arguments of `cluster`, with its commands.
pub(super) fn command() -> Command {
    Command::new("cluster")
        .about("Show the nodes that clients find, and which of them owns a key")
        .subcommand_required(true)
        .subcommand(
            Command::new("nodes")
                .about("Print the nodes in the list that the daemon serves")
                .after_help("Examples:\n  larder cluster nodes\n  larder cluster nodes --json"),
        )
        .subcommand(owner_command())
        .subcommand(
            Command::new("join")
                .about("Put a node on the list, or give the one of its name another address")
                .arg(
                    Arg::new("node")
                        .value_name("NAME|IP|PORT")
                        .help("The node, as clients are to be told of it")
                        .required(true)
                        .value_parser(|node: &str| node.parse::<Node>()),
                )
                .after_help("Example:\n  larder cluster join '127.0.0.1|127.0.0.1|11299'"),
        )
        .subcommand(
            Command::new("leave")
                .about("Take a node off the list, whether or not it runs")
                .arg(
                    Arg::new("name")
                        .value_name("NAME[:PORT]")
                        .help("Its name, with the port where several nodes have one name")
                        .required(true),
                )
                .after_help("Example:\n  larder cluster leave 127.0.0.1:11299"),
        )
        .subcommand(dev::command())
        .after_help("Example:\n  larder cluster nodes")
}

fn owner_command() -> Command {
    let mut clients = String::from("Clients, with other names for the same rules:\n");
    for client in Client::ALL {
        let names: Vec<&str> = [client.name()]
            .into_iter()
            .chain(client.aliases().iter().copied())
            .collect();
        let _ = writeln!(clients, "  {}: {}", names.join(", "), client.about());
    }
    Command::new("owner")
        .about("Print the node on which a client puts each key")
        .arg(
            key_argument().num_args(1..))
        .arg(
            Arg::new("client")
                .long("client")
                .value_name("NAME")
                .help("The client whose rules to follow; all when none is named")
                .action(ArgAction::Append)
                .value_parser(|name: &str| {
                    Client::by_name(name).ok_or_else(|| format!("known are {}", known()))
                }),
        )
        .arg(
            Arg::new("nodes")
                .long("nodes")
                .value_name("NAME|IP|PORT,...")
                .help("A list to reckon with instead of the daemon's; nobody is asked")
                .value_delimiter(',')
                .value_parser(|node: &str| node.parse::<Node>()),
        )
        .after_help(format!(
            "{clients}\nExamples:\n  larder cluster owner user:42\n  \
             larder cluster owner user:42 user:43 --client dalli\n  \
             larder cluster owner user:42 --client pymemcache --nodes 'a|10.0.0.1|11211,b|10.0.0.2|11211'"
        ))
}

/// The names of all clients whose rules are known.
pub(super) fn known() -> String {
    let names: Vec<&str> = Client::ALL.iter().map(|client| client.name()).collect();
    names.join(", ")
}

/// Carries out a command about the cluster.
pub(super) fn run(session: &Session, arguments: &ArgMatches) -> Result<(), Error> {
    match arguments.subcommand() {
        Some(("nodes", _)) => nodes(session),
        Some(("join", arguments)) => join(session, arguments),
        Some(("leave", arguments)) => leave(session, arguments),
        Some(("owner", arguments)) => owner(session, arguments),
        Some(("dev", arguments)) => dev::run(session, arguments),
        _ => Err(Error::Usage("a command is missing".to_owned())),
    }
}

/// Where a node is.
pub(super) fn address(node: &Node) -> Address {
    Address::Tcp {
        host: node
            .ip()
            .map_or_else(|| node.name().to_owned(), |ip| ip.to_string()),
        port: node.port(),
    }
}

/// A daemon that was named, as a node on a list that clients are given.
pub(super) fn node(address: &Address) -> Result<Node, Error> {
    let Address::Tcp { host, port } = address else {
        let words = "--placement is about nodes, and a unix socket is none";
        return Err(Error::Usage(words.to_owned()));
    };
    Node::new(host, host.parse().ok(), *port).map_err(|error| Error::Usage(error.to_string()))
}

/// The nodes that the first daemon which answers tells clients of.
pub(super) fn listed(session: &Session) -> Result<Vec<Node>, Error> {
    let mut result = Err(Error::NotFound);
    for server in &session.servers {
        result = session
            .connect_to(server)
            .and_then(|mut connection| served(&mut connection))
            .map(Document::into_nodes);
        if result.is_ok() {
            break;
        }
    }
    result
}

/// The list that the daemon serves.
fn document(session: &Session) -> Result<Document, Error> {
    served(&mut session.connect()?)
}

/// The list that a daemon serves.
pub(super) fn served(connection: &mut Connection) -> Result<Document, Error> {
    let bytes = connection.config(b"cluster")?;
    let bytes = bytes.ok_or(Error::NotFound)?;
    Document::parse(&bytes)
        .map_err(|error| Error::Refused(format!("a list that clients cannot read: {error}")))
}

fn nodes(session: &Session) -> Result<(), Error> {
    let document = document(session)?;
    // ElastiCache has no such report, and this command is not for larderd alone.
    let report = session.connect()?.stats(&[b"cluster"]).unwrap_or_default();
    let told = |name: &str| {
        let mut lines = report.iter();
        let found = lines
            .find(|(n, _)| n == name)
            .map(|(_, value)| value.as_str());
        found.unwrap_or_default().to_owned()
    };
    // What is told of a node stands under its place in the list.
    let rows: Vec<[String; 5]> = document
        .nodes()
        .iter()
        .enumerate()
        .map(|(index, node)| {
            [
                node.name().to_owned(),
                node.ip().map(|ip| ip.to_string()).unwrap_or_default(),
                node.port().to_string(),
                told(&format!("node:{index}:state")),
                told(&format!("node:{index}:since")),
            ]
        })
        .collect();
    if session.json {
        let nodes: Vec<Value> = rows
            .iter()
            .zip(document.nodes())
            .map(|([name, ip, _, state, since], node)| {
                json!({
                    "name": name,
                    "ip": ip,
                    "port": node.port(),
                    "state": state,
                    "since": since.parse::<i64>().ok(),
                })
            })
            .collect();
        return session.print_json(&json!({
            "version": document.version(),
            "source": told("source"),
            "nodes": nodes,
        }));
    }
    let mut text = format!("version {}", document.version());
    if !told("source").is_empty() {
        let _ = write!(text, ", source {}", told("source"));
    }
    text.push('\n');
    let heading = ["NAME", "IP", "PORT", "STATE", "SINCE"].map(str::to_owned);
    text.push_str(&table([&heading].into_iter().chain(&rows)));
    session.print(text)
}

fn join(session: &Session, arguments: &ArgMatches) -> Result<(), Error> {
    let node: &Node = arguments.get_one("node").ok_or(Error::NotFound)?;
    let old = document(session)?;
    let mut nodes = old.nodes().to_vec();
    // A name is a node, and comes back wherever it is. An address is a host, where nodes differ
    // by their ports.
    let is_host = node.name().parse::<IpAddr>().is_ok();
    nodes.retain(|other| other.name() != node.name() || (is_host && other.port() != node.port()));
    nodes.push(node.clone());
    declare(session, &old, nodes)
}

fn leave(session: &Session, arguments: &ArgMatches) -> Result<(), Error> {
    let text: &String = arguments.get_one("name").ok_or(Error::NotFound)?;
    let (name, port) = match text.rsplit_once(':') {
        Some((name, port)) => {
            let port = port.parse::<u16>();
            let wrong = |_| Error::Usage(format!("{text}: expected NAME or NAME:PORT"));
            (name, Some(port.map_err(wrong)?))
        }
        None => (text.as_str(), None),
    };
    let is_it = |node: &Node| {
        node.name().eq_ignore_ascii_case(name) && port.is_none_or(|port| node.port() == port)
    };
    let old = document(session)?;
    match old.nodes().iter().filter(|node| is_it(node)).count() {
        0 => return Err(Error::NotFound),
        1 => {}
        _ => {
            let words = format!("{name}: several nodes have this name; say NAME:PORT");
            return Err(Error::Usage(words));
        }
    }
    let mut nodes = old.nodes().to_vec();
    nodes.retain(|node| !is_it(node));
    declare(session, &old, nodes)
}

/// Has clients told of these nodes instead of the old ones. Daemons that tell each other have to
/// be told once; others all have to be told.
fn declare(session: &Session, old: &Document, nodes: Vec<Node>) -> Result<(), Error> {
    let refuse = |error| Error::Usage(format!("{error}"));
    let mut connection = session.connect()?;
    let report = connection.stats(&[b"cluster"]).unwrap_or_default();
    let is_shared = report
        .iter()
        .any(|(n, value)| n == "source" && value == "gossip");
    let mut told: Vec<Connection> = Vec::new();
    let mut version = old.version();
    if !is_shared {
        let mut everybody = old.nodes().to_vec();
        everybody.extend(nodes.iter().cloned());
        everybody.sort();
        everybody.dedup();
        for node in &everybody {
            match open(session, node) {
                Ok((connection, served)) => {
                    version = version.max(served);
                    told.push(connection);
                }
                // Who is to go may have gone.
                Err(error) if nodes.contains(node) => {
                    session.complain(&format!("{node} is not told: {error}"));
                }
                Err(_) => {}
            }
        }
    }
    let new = Document::new(version.saturating_add(1), nodes).map_err(refuse)?;
    connection.set_config(b"cluster", &new.encode())?;
    for connection in &mut told {
        connection.set_config(b"cluster", &new.encode())?;
    }
    let until = Instant::now() + session.access.timeout;
    loop {
        let now = document(session)?;
        if now.nodes() == new.nodes() {
            let (version, count) = (now.version(), now.nodes().len());
            return session.show(Shown {
                text: format!("version {version}, {count} nodes\n"),
                json: json!({ "version": version, "nodes": count }),
            });
        }
        if Instant::now() > until {
            let words = "the members have not agreed on it in time; see `larder cluster nodes`";
            return Err(Error::Refused(words.to_owned()));
        }
        sleep(PAUSE);
    }
}

/// A connection to a node, and the version that it serves.
fn open(session: &Session, node: &Node) -> Result<(Connection, u32), Error> {
    let mut connection = session.connect_to(&address(node))?;
    let bytes = connection.config(b"cluster")?.unwrap_or_default();
    let served = Document::parse(&bytes).map_or(0, |document| document.version());
    Ok((connection, served))
}

/// Rows with their columns aligned.
pub(super) fn table<'a, const COUNT: usize>(
    rows: impl Iterator<Item = &'a [String; COUNT]> + Clone,
) -> String {
    let mut widths = [0; COUNT];
    for row in rows.clone() {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = cell.len().max(*width);
        }
    }
    let mut text = String::new();
    for row in rows {
        let mut line = String::new();
        for (width, cell) in widths.iter().zip(row) {
            let _ = write!(line, "{cell:width$}  ");
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

fn owner(session: &Session, arguments: &ArgMatches) -> Result<(), Error> {
    let keys = arguments.get_many::<OsString>("key").unwrap_or_default();
    let keys: Result<Vec<Vec<u8>>, Error> = keys.map(|key| parsed(key.as_bytes())).collect();
    let keys = keys?;
    let nodes = match arguments.get_many::<Node>("nodes") {
        // The list that clients would be told is sorted.
        Some(nodes) => Document::new(1, nodes.cloned().collect())
            .map_err(|error| Error::Usage(format!("--nodes: {error}")))?,
        None => document(session)?,
    };
    let nodes = nodes.nodes();
    let named: Vec<Client> = arguments
        .get_many("client")
        .unwrap_or_default()
        .copied()
        .collect();
    let clients = if named.is_empty() {
        Client::ALL
    } else {
        &named
    };
    let mut rows = Vec::new();
    for client in clients {
        let placement = Placement::new(*client, nodes);
        for key in &keys {
            let owner = placement.owner(key);
            let owner = owner.and_then(|index| nodes.get(index));
            // There is no list without nodes.
            let owner = owner.ok_or(Error::NotFound)?;
            rows.push([
                shown(key),
                client.name().to_owned(),
                format!("{}:{}", owner.name(), owner.port()),
            ]);
        }
    }
    if session.json {
        let owners: Vec<Value> = rows
            .iter()
            .map(|[key, client, node]| json!({ "key": key, "client": client, "node": node }))
            .collect();
        return session.print_json(&json!(owners));
    }
    // One answer to one question is for scripts too.
    if let [[_, _, node]] = &rows[..] {
        return session.print(format!("{node}\n"));
    }
    let heading = ["KEY", "CLIENT", "NODE"].map(str::to_owned);
    session.print(table([&heading].into_iter().chain(&rows)))
}
