//! Clients that find the nodes of a cluster by themselves, and that nobody here wrote.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, UdpSocket};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use larder::cluster::placement::{Client as Rules, Placement};
use larder::cluster::{Document, Node};
use rustix::process::Signal;

use crate::cluster::fresh_address;
use crate::support::foreign::in_path;
use crate::support::{Client, Server};

/// Keys that an application stores.
const KEY_COUNT: usize = 600;

/// A client library, in an application of `tests/clients/discovery`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Library {
    Dalli,
    Django,
    Ecad,
    ElasticacheAutoDiscovery,
    Emcache,
    MemcachedElasticache,
    Pymemcache,
}

impl Library {
    const fn script(self) -> &'static str {
        match self {
            Self::Dalli => "dalli_application.rb",
            Self::Django => "django_application.py",
            Self::Ecad => "ecad_application.js",
            Self::ElasticacheAutoDiscovery => "elasticache_auto_discovery_application.py",
            Self::Emcache => "emcache_application.py",
            Self::MemcachedElasticache => "memcached_elasticache_application.js",
            Self::Pymemcache => "pymemcache_application.py",
        }
    }

    /// Whether it stores items, or only finds nodes for something that does.
    const fn stores(self) -> bool {
        !matches!(self, Self::Ecad | Self::ElasticacheAutoDiscovery)
    }

    /// How it spreads keys, where that is known, and what it writes before them.
    const fn rules(self) -> Option<(Rules, &'static str)> {
        match self {
            Self::Dalli => Some((Rules::Dalli, "")),
            Self::Django => Some((Rules::Pymemcache, ":1:")),
            Self::MemcachedElasticache => Some((Rules::NodeMemcached, "")),
            Self::Pymemcache => Some((Rules::Pymemcache, "")),
            Self::Ecad | Self::ElasticacheAutoDiscovery | Self::Emcache => None,
        }
    }

    /// What runs its script.
    fn interpreter(self) -> Command {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let script = root.join("tests/clients/discovery").join(self.script());
        let (program, installed) = if self == Self::Dalli {
            let ruby = in_path("ruby");
            let mut probe = Command::new(&ruby);
            let probe = probe.args(["-rdalli", "-e", "0"]).stderr(Stdio::null());
            (ruby, probe.status().is_ok_and(|status| status.success()))
        } else if self.script().ends_with(".js") {
            let ready = root.join("tests/clients/node_modules/.ready");
            (in_path("node"), ready.exists())
        } else {
            (
                root.join(".venv/bin/python"),
                root.join(".venv/.ready").exists(),
            )
        };
        assert!(
            installed,
            "{self:?} is not installed, `make deps` does that"
        );
        let mut command = Command::new(program);
        command.arg(script);
        command
    }
}

/// A running application.
struct Application {
    library: Library,
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Application {
    fn start(library: Library, endpoint: SocketAddr) -> Self {
        let mut command = library.interpreter();
        command.arg(endpoint.to_string());
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().expect("an interpreter to start");
        let (input, output) = (child.stdin.take(), child.stdout.take());
        Self {
            library,
            child,
            input: input.expect("a pipe"),
            output: BufReader::new(output.expect("a pipe")),
        }
    }

    /// Tells it to do something with so many nodes or keys; what it answers.
    #[track_caller]
    fn told(&mut self, command: &str, count: usize) -> String {
        writeln!(self.input, "{command} {count}").expect("an application that listens");
        let mut line = String::new();
        self.output.read_line(&mut line).expect("text");
        let library = self.library;
        assert!(line.ends_with('\n'), "{library:?} has ended at: {command}");
        line.trim().to_owned()
    }

    #[track_caller]
    fn uses(&mut self, members: &[&Member]) {
        let wanted: BTreeSet<String> = members.iter().map(|it| it.address.to_string()).collect();
        let seen = self.told("nodes", members.len());
        let seen: BTreeSet<String> = seen.split(',').map(str::to_owned).collect();
        assert_eq!(seen, wanted, "{:?}", self.library);
    }

    #[track_caller]
    fn stores(&mut self) {
        assert_eq!(self.told("store", KEY_COUNT), "stored");
        assert_eq!(self.told("find", KEY_COUNT), KEY_COUNT.to_string());
    }

    /// Keys that it does not find after a change, which has to be about this share of them.
    #[track_caller]
    fn has_lost(&mut self, change: &str, expected: usize) {
        let found: usize = self.told("find", KEY_COUNT).parse().expect("a number");
        let lost = KEY_COUNT - found;
        let library = self.library;
        println!("{library:?}: {lost} of {KEY_COUNT} keys have another owner after a {change}");
        assert!(
            (expected / 3..expected * 2).contains(&lost),
            "{library:?} {change}: {lost} of {KEY_COUNT}"
        );
    }
}

impl Drop for Application {
    fn drop(&mut self) {
        let _ended_already = self.child.kill();
        let _status = self.child.wait();
    }
}

/// A cluster that comes to its list by itself.
struct Cluster {
    folder: tempfile::TempDir,
    seed: Option<SocketAddr>,
}

/// A daemon on an address of its own.
struct Member {
    server: Server,
    address: SocketAddr,
}

impl Cluster {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let key = "0f1e2d3c4b5a69788796a5b4c3d2e1f0\n";
        std::fs::write(folder.path().join("key"), key).expect("a key file");
        Self { folder, seed: None }
    }

    /// Starts a daemon that joins. The first is the seed.
    fn join(&mut self) -> Member {
        let ip = fresh_address();
        let seed = *self.seed.get_or_insert_with(|| {
            let free = UdpSocket::bind((ip, 0)).expect("a free port");
            free.local_addr().expect("an address")
        });
        let flags = [
            format!("-l{ip}"),
            "-p-1".to_owned(),
            "-m8".to_owned(),
            "-t1".to_owned(),
            format!("--cluster-seeds={seed}"),
            format!("--cluster-listen={ip}:{}", seed.port()),
            format!("--cluster-key-file={}/key", self.folder.path().display()),
            "--leave".to_owned(),
        ];
        let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
        let server = Server::start_bare(&flags);
        Member {
            address: (ip, server.address().port()).into(),
            server,
        }
    }
}

impl Member {
    /// Goes off the list, and stops.
    fn leave(mut self) {
        self.server.signal(Signal::TERM);
        let status = self.server.await_exit();
        assert!(status.success(), "{status}");
    }

    fn node(&self) -> Node {
        let ip = self.address.ip();
        Node::new(&ip.to_string(), Some(ip), self.address.port()).expect("a node")
    }
}

/// Every key lies where the rules of the library say, in the view of `larder cluster owner`.
fn are_placed_by_the_rules(library: Library, members: &[&Member]) {
    let Some((rules, before)) = library.rules() else {
        return;
    };
    let nodes = members.iter().map(|member| member.node()).collect();
    let document = Document::new(1, nodes).expect("a list");
    let placement = Placement::new(rules, document.nodes());
    let mut clients: Vec<Client> = document
        .nodes()
        .iter()
        .map(|node| Client::tcp((node.ip().expect("an address"), node.port()).into()))
        .collect();
    for number in 0..KEY_COUNT {
        let key = format!("{before}key:{number}");
        let owner = placement.owner(key.as_bytes()).expect("an owner");
        let line = clients[owner].command(&format!("mg {key}"));
        assert_eq!(line, "HD", "{library:?}: {key} is not at {owner}");
    }
}

/// An application follows its cluster through a start, a join and a leave.
fn follows(library: Library) {
    let mut cluster = Cluster::new();
    let [one, two, three] = [(); 3].map(|()| cluster.join());
    let mut application = Application::start(library, one.address);
    application.uses(&[&one, &two, &three]);
    if library.stores() {
        application.stores();
        are_placed_by_the_rules(library, &[&one, &two, &three]);
    }
    let four = cluster.join();
    application.uses(&[&one, &two, &three, &four]);
    if library.stores() {
        application.has_lost("join", KEY_COUNT / 4);
        application.stores();
        are_placed_by_the_rules(library, &[&one, &two, &three, &four]);
    }
    two.leave();
    application.uses(&[&one, &three, &four]);
    if library.stores() {
        application.has_lost("leave", KEY_COUNT / 4);
        application.stores();
    }
}

#[test]
fn pymemcache_follows_the_cluster() {
    follows(Library::Pymemcache);
}

#[test]
fn django_follows_the_cluster() {
    follows(Library::Django);
}

#[test]
fn emcache_follows_the_cluster() {
    follows(Library::Emcache);
}

#[test]
fn elasticache_auto_discovery_finds_the_cluster() {
    follows(Library::ElasticacheAutoDiscovery);
}

#[test]
fn memcached_elasticache_follows_the_cluster() {
    follows(Library::MemcachedElasticache);
}

#[test]
fn ecad_finds_the_cluster() {
    follows(Library::Ecad);
}

#[test]
fn dalli_follows_the_cluster_that_its_application_finds() {
    follows(Library::Dalli);
}
