//! `larder cluster dev`: a whole cluster on this host, to develop and test applications with.
//!
//! Each node is a larderd of its own on a loopback address of its own, so that clients which look
//! at names, at addresses or at ports all tell them apart.

use std::fmt::Write;
use std::io;
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::process::{Child, Command as Process, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use clap::{Arg, ArgMatches, Command, value_parser};
use rustix::process::{Pid, Signal, geteuid, kill_process};
use signal_hook::consts::{SIGCHLD, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use super::{Address, Connection, Error, Session};
use crate::cluster::{Document, Node};
use crate::limits::PORT_DEFAULT;

/// Most nodes: those of an ElastiCache cluster.
const NODE_COUNT_MAX: u8 = 40;

/// Pause between two attempts to reach a node that is starting.
const PAUSE: Duration = Duration::from_millis(20);

/// The arguments of `cluster dev`.
pub(super) fn command() -> Command {
    Command::new("dev")
        .about("Run a whole cluster on loopback addresses, until interrupted")
        .arg(
            Arg::new("count")
                .long("nodes")
                .value_name("COUNT")
                .help("How many nodes: on 127.0.0.1, 127.0.0.2 and so on")
                .default_value("3")
                .value_parser(value_parser!(u8).range(1..=i64::from(NODE_COUNT_MAX))),
        )
        .arg(
            Arg::new("port")
                .long("port")
                .value_name("PORT")
                .help("The port of each of them [default: 11211]")
                .value_parser(value_parser!(u16).range(1..)),
        )
        .arg(
            Arg::new("larderd")
                .long("larderd")
                .value_name("FILE")
                .help("The daemon to run [default: larderd beside this program, or in PATH]")
                .value_parser(value_parser!(PathBuf)),
        )
        .arg(
            Arg::new("options")
                .value_name("OPTIONS")
                .help("Options for each larderd, behind --")
                .num_args(0..)
                .last(true),
        )
        .after_help("Examples:\n  larder cluster dev\n  larder cluster dev --nodes 5 -- -m 16")
}

/// The daemons that were started. They end with this.
struct Nodes(Vec<Child>);

impl Drop for Nodes {
    fn drop(&mut self) {
        for child in &self.0 {
            let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
            // One that has ended already needs no signal.
            let _ended = pid.map(|pid| kill_process(pid, Signal::TERM));
        }
        for child in &mut self.0 {
            drop(child.wait());
        }
    }
}

/// Runs a cluster until SIGINT or SIGTERM comes, or a node ends.
pub(super) fn run(session: &Session, arguments: &ArgMatches) -> Result<(), Error> {
    let count = arguments.get_one("count").copied().unwrap_or(1);
    let port = arguments.get_one("port").copied().unwrap_or(PORT_DEFAULT);
    let program = arguments
        .get_one("larderd")
        .cloned()
        .unwrap_or_else(larderd);
    let options: Vec<&String> = arguments.get_many("options").unwrap_or_default().collect();
    let members = members(count, port)?;
    // Before the first child, so that none of them is left behind.
    let mut signals = Signals::new([SIGCHLD, SIGINT, SIGTERM]).map_err(Error::Local)?;
    let mut nodes = Nodes(Vec::new());
    for node in members.nodes() {
        let mut process = Process::new(&program);
        process.arg("-l").arg(node.name());
        process.arg("-p").arg(node.port().to_string());
        process.args(["-U", "0"]);
        if geteuid().is_root() {
            process.args(["-u", "root"]);
        }
        let child = process.args(&options).stdin(Stdio::null()).spawn();
        nodes.0.push(child.map_err(|error| {
            let words = format!("{}: {error}; --larderd names another", program.display());
            Error::Local(io::Error::new(error.kind(), words))
        })?);
    }
    for node in members.nodes() {
        tell(session, &mut nodes, node, &members)?;
    }
    session.print(introduction(&members))?;
    for signal in signals.forever() {
        if signal != SIGCHLD {
            break;
        }
        check(&mut nodes)?;
    }
    Ok(())
}

/// The list of nodes. A daemon alone has version 1.
fn members(count: u8, port: u16) -> Result<Document, Error> {
    let node = |number| {
        let ip = Ipv4Addr::new(127, 0, 0, number);
        Node::new(&ip.to_string(), Some(ip.into()), port)
    };
    let nodes: Result<Vec<Node>, _> = (1..=count).map(node).collect();
    let nodes = nodes.map_err(|error| Error::Usage(error.to_string()))?;
    Document::new(2, nodes).map_err(|error| Error::Usage(error.to_string()))
}

/// larderd beside this program, as packages and builds have it.
fn larderd() -> PathBuf {
    let beside = std::env::current_exe().map(|path| path.with_file_name("larderd"));
    match beside {
        Ok(path) if path.is_file() => path,
        _ => PathBuf::from("larderd"),
    }
}

/// Tells a node of all of them, once it answers.
fn tell(
    session: &Session,
    nodes: &mut Nodes,
    node: &Node,
    members: &Document,
) -> Result<(), Error> {
    let address = Address::Tcp {
        host: node.name().to_owned(),
        port: node.port(),
    };
    let until = Instant::now() + session.timeout;
    let mut connection = loop {
        // Somebody else may listen there, and ours has given up.
        check(nodes)?;
        match Connection::open(&address, session.timeout) {
            Err(Error::Connect { .. }) if Instant::now() < until => sleep(PAUSE),
            outcome => break outcome?,
        }
    };
    connection.set_config(b"cluster", &members.encode())?;
    check(nodes)
}

/// Fails when a node has ended, which has said why.
fn check(nodes: &mut Nodes) -> Result<(), Error> {
    for child in &mut nodes.0 {
        if let Some(status) = child.try_wait().map_err(Error::Local)? {
            let words = format!("larderd {} has ended: {status}", child.id());
            return Err(Error::Local(io::Error::other(words)));
        }
    }
    Ok(())
}

fn introduction(members: &Document) -> String {
    let mut text = String::new();
    for node in members.nodes() {
        let _ = writeln!(text, "{}:{}", node.name(), node.port());
    }
    let first = members.nodes().first();
    let endpoint = first.map_or_else(String::new, |node| {
        format!("{}:{}", node.name(), node.port())
    });
    let _ = write!(
        text,
        "\nEach of them answers `config get cluster`. With Django and django-elastipymemcache:\n\n    \
         CACHES = {{\"default\": {{\n        \
         \"BACKEND\": \"django_elastipymemcache.backend.ElastiPymemcache\",\n        \
         \"LOCATION\": \"{endpoint}\",\n    }}}}\n\n\
         With pymemcache, where its ElastiCache client is installed:\n\n    \
         from pymemcache.client.ext.aws_ec_client import AWSElastiCacheHashClient\n    \
         client = AWSElastiCacheHashClient(\"{endpoint}\")\n\n\
         Ctrl-C ends them all.\n"
    );
    text
}
