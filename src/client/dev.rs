//! `larder cluster dev`: a whole cluster on this host, to develop and test applications with.
//!
//! Each node is a larderd of its own on a loopback address of its own, so that clients which look
//! at names, at addresses or at ports all tell them apart. They find each other by gossip, under a
//! key that is made for this run.

use std::fmt::Write;
use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Write as _};
use std::net::Ipv4Addr;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
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

/// Pause between two looks at a node that is starting.
const PAUSE: Duration = Duration::from_millis(20);

/// How long all nodes together may take to find each other.
const PATIENCE: Duration = Duration::from_secs(30);

/// The first node, by which the others find each other.
const FIRST: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 1);

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

/// The daemons that were started, and the folder of the key that they share. They end with this.
struct Nodes {
    children: Vec<Child>,
    folder: PathBuf,
}

impl Nodes {
    /// Makes the folder and the key, for nobody else to read.
    fn new() -> io::Result<Self> {
        let mut random = [0_u8; 16];
        getrandom::fill(&mut random).map_err(io::Error::other)?;
        let mut key = [0_u8; 32];
        getrandom::fill(&mut key).map_err(io::Error::other)?;
        let folder = std::env::temp_dir().join(format!("larder-{}", hex(&random)));
        DirBuilder::new().mode(0o700).create(&folder)?;
        let nodes = Self {
            children: Vec::new(),
            folder,
        };
        let mut file = OpenOptions::new();
        let file = file.write(true).create_new(true).mode(0o600);
        writeln!(file.open(nodes.key_file())?, "{}", hex(&key))?;
        Ok(nodes)
    }

    fn key_file(&self) -> PathBuf {
        self.folder.join("key")
    }

    /// Fails when a node has ended, which has said why.
    fn check(&mut self) -> Result<(), Error> {
        for child in &mut self.children {
            if let Some(status) = child.try_wait().map_err(Error::Local)? {
                let words = format!("larderd {} has ended: {status}", child.id());
                return Err(Error::Local(io::Error::other(words)));
            }
        }
        Ok(())
    }
}

fn hex(bytes: &[u8]) -> String {
    let mut text = String::new();
    for byte in bytes {
        let _ = write!(text, "{byte:02x}");
    }
    text
}

impl Drop for Nodes {
    fn drop(&mut self) {
        for child in &self.children {
            let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
            // One that has ended already needs no signal.
            let _ended = pid.map(|pid| kill_process(pid, Signal::TERM));
        }
        for child in &mut self.children {
            drop(child.wait());
        }
        drop(fs::remove_dir_all(&self.folder));
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
    let mut nodes = Nodes::new().map_err(Error::Local)?;
    for node in members.nodes() {
        let mut process = Process::new(&program);
        process.arg("-l").arg(node.name());
        process.arg("-p").arg(node.port().to_string());
        process.args(["-U", "0"]);
        process.arg(format!("--cluster-listen={}:{port}", node.name()));
        process.arg(format!("--cluster-seeds={FIRST}:{port}"));
        process.arg("--cluster-key-file").arg(nodes.key_file());
        process.arg("--cluster-state");
        process.arg(nodes.folder.join(node.name()));
        if geteuid().is_root() {
            process.args(["-u", "root"]);
        }
        let child = process.args(&options).stdin(Stdio::null()).spawn();
        nodes.children.push(child.map_err(|error| {
            let words = format!("{}: {error}; --larderd names another", program.display());
            Error::Local(io::Error::new(error.kind(), words))
        })?);
    }
    for node in members.nodes() {
        await_list(session, &mut nodes, node, &members)?;
    }
    session.print(introduction(&members))?;
    for signal in signals.forever() {
        if signal != SIGCHLD {
            break;
        }
        nodes.check()?;
    }
    Ok(())
}

/// The list of nodes, as it will be.
fn members(count: u8, port: u16) -> Result<Document, Error> {
    let node = |number| {
        let ip = Ipv4Addr::new(127, 0, 0, number);
        Node::new(&ip.to_string(), Some(ip.into()), port)
    };
    let nodes: Result<Vec<Node>, _> = (1..=count).map(node).collect();
    let nodes = nodes.map_err(|error| Error::Usage(error.to_string()))?;
    Document::new(1, nodes).map_err(|error| Error::Usage(error.to_string()))
}

/// larderd beside this program, as packages and builds have it.
fn larderd() -> PathBuf {
    let beside = std::env::current_exe().map(|path| path.with_file_name("larderd"));
    match beside {
        Ok(path) if path.is_file() => path,
        _ => PathBuf::from("larderd"),
    }
}

/// Waits until a node lists all of them.
fn await_list(
    session: &Session,
    nodes: &mut Nodes,
    node: &Node,
    members: &Document,
) -> Result<(), Error> {
    let address = Address::Tcp {
        host: node.name().to_owned(),
        port: node.port(),
    };
    let until = Instant::now() + PATIENCE.max(session.access.timeout);
    loop {
        // Somebody else may listen there, and ours has given up.
        nodes.check()?;
        let listed = Connection::open(&address, &session.access)
            .and_then(|mut connection| connection.config(b"cluster"));
        let is_complete = match &listed {
            Ok(Some(bytes)) => {
                Document::parse(bytes).is_ok_and(|document| document.nodes() == members.nodes())
            }
            Ok(None) | Err(_) => false,
        };
        match listed {
            _ if is_complete => return Ok(()),
            Err(error) if Instant::now() > until => return Err(error),
            _ if Instant::now() > until => {
                let words = format!("{address} does not list all nodes");
                return Err(Error::Local(io::Error::other(words)));
            }
            _ => sleep(PAUSE),
        }
    }
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
