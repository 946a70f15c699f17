//! A network that parts and heals: daemons in network namespaces of their own, joined by two
//! bridges with a link between them. Needs root; without it the test says so and ends.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use rustix::process::Signal;

use super::KEY;
use crate::support::foreign::in_path;
use crate::support::process::{is_root, skip, wait_until};
use crate::support::{Client, Server};

/// Namespaces that end with the test.
struct Lab {
    prefix: String,
    count: usize,
}

fn ip(words: &str) -> bool {
    let mut command = Command::new("ip");
    command.args(words.split(' ')).stdin(Stdio::null());
    command.stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

impl Lab {
    /// A hub with two bridges and a link between them, and nodes 10.77.0.1 and up; the first
    /// `left` of them hang on the first bridge.
    fn build(count: usize, left: usize) -> Option<Self> {
        let prefix = format!("larder{}", std::process::id());
        let hub = format!("{prefix}h");
        in_path("ip");
        if !is_root() || !ip(&format!("netns add {hub}")) {
            return None;
        }
        let lab = Self { prefix, count };
        let inside = |words: &str| ip(&format!("-n {hub} {words}"));
        let mut built = inside("link add br0 type bridge")
            && inside("link add br1 type bridge")
            && inside("link add bridge0 type veth peer name bridge1")
            && inside("link set bridge0 master br0")
            && inside("link set bridge1 master br1");
        for name in ["br0", "br1", "bridge0", "bridge1"] {
            built &= inside(&format!("link set {name} up"));
        }
        for index in 0..count {
            let node = lab.namespace(index);
            let bridge = if index < left { "br0" } else { "br1" };
            built &= ip(&format!("netns add {node}"))
                && inside(&format!(
                    "link add n{index} type veth peer name eth0 netns {node}"
                ))
                && inside(&format!("link set n{index} master {bridge}"))
                && inside(&format!("link set n{index} up"))
                && ip(&format!("-n {node} link set lo up"))
                && ip(&format!("-n {node} link set eth0 up"))
                && ip(&format!(
                    "-n {node} addr add 10.77.0.{}/24 dev eth0",
                    index + 1
                ));
        }
        built.then_some(lab)
    }

    fn namespace(&self, index: usize) -> String {
        format!("{}n{index}", self.prefix)
    }

    /// Parts the two bridges, or joins them.
    fn link(&self, up: bool) {
        let state = if up { "up" } else { "down" };
        assert!(ip(&format!("-n {}h link set bridge0 {state}", self.prefix)));
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        for index in 0..self.count {
            let _gone = ip(&format!("netns del {}", self.namespace(index)));
        }
        let _gone = ip(&format!("netns del {}h", self.prefix));
    }
}

struct Nodes {
    folder: tempfile::TempDir,
    servers: Vec<Option<Server>>,
    lab: Lab,
}

impl Nodes {
    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn start(&mut self, index: usize) {
        let at = index + 1;
        let show = |path: PathBuf| path.to_string_lossy().into_owned();
        let flags = [
            format!("-l10.77.0.{at}"),
            "-p11211".to_owned(),
            "-U0".to_owned(),
            "-m8".to_owned(),
            "-t1".to_owned(),
            "-v".to_owned(),
            "-sFOLDER/socket".to_owned(),
            format!("--advertise=cache-{at}.cfg.lan"),
            "--cluster-seeds=10.77.0.1,10.77.0.2".to_owned(),
            format!("--cluster-key-file={}", show(self.path("key"))),
            format!("--cluster-state={}", show(self.path(&format!("state{at}")))),
            "--leave".to_owned(),
        ];
        let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
        let namespace = self.lab.namespace(index);
        self.servers[index] = Some(Server::start_inside(&namespace, &flags));
    }

    /// Version and names that a node tells its clients, who come by its unix socket.
    fn told(&self, index: usize) -> (u32, Vec<String>) {
        let server = self.servers[index].as_ref().expect("a daemon");
        let mut client = Client::unix(&server.socket());
        client.send("config get cluster\r\n");
        client.line();
        let version = client.line().parse().expect("a version");
        let line = client.line();
        let names = line
            .split(' ')
            .map(|node| node.split('|').next().unwrap_or_default());
        (version, names.map(str::to_owned).collect())
    }

    fn await_all(&self, what: &str, indices: &[usize], wanted: impl Fn(&[(u32, usize)]) -> bool) {
        let mut told = Vec::new();
        let seen = wait_until(|| {
            let of = |index: &usize| {
                let (version, names) = self.told(*index);
                (version, names.len())
            };
            told = indices.iter().map(of).collect();
            wanted(&told)
        });
        let logs: Vec<String> = self.servers.iter().flatten().map(Server::log).collect();
        assert!(seen, "{what}: {told:?}\n{}", logs.join("\n"));
    }
}

#[test]
fn the_halves_of_a_partition_never_tell_two_lists_under_one_version() {
    let Some(lab) = Lab::build(6, 3) else {
        skip("no network namespaces, which need root");
        return;
    };
    let mut nodes = Nodes {
        folder: tempfile::tempdir().expect("a folder"),
        servers: (0..6).map(|_| None).collect(),
        lab,
    };
    std::fs::write(nodes.path("key"), KEY).expect("a key file");
    // Five at first: three on one side, two on the other.
    (0..5).for_each(|index| nodes.start(index));
    let one_list =
        |count: usize| move |told: &[(u32, usize)]| told.iter().all(|it| *it == (told[0].0, count));
    nodes.await_all("five join", &[0, 1, 2, 3, 4], one_list(5));
    let (before, _) = nodes.told(0);

    nodes.lab.link(false);
    // Both sides want to change the list: one joins here, another leaves there.
    nodes.start(5);
    nodes.servers[2]
        .as_ref()
        .expect("a daemon")
        .signal(Signal::TERM);
    let mut leaver = nodes.servers[2].take().expect("a daemon");
    nodes.await_all("a leave by a majority", &[0, 1], one_list(4));
    assert_eq!(leaver.await_exit().code(), Some(0), "{}", leaver.log());
    // What was said under each version while the network was parted.
    let mut meanings: BTreeMap<u32, Vec<String>> = BTreeMap::new();
    let mut look = |nodes: &Nodes, indices: &[usize]| {
        for index in indices {
            let (version, names) = nodes.told(*index);
            // Version 1 is that of nodes that belong to no cluster yet.
            if version > 1 {
                let meaning = meanings.entry(version).or_insert_with(|| names.clone());
                assert_eq!(*meaning, names, "version {version} at node {index}");
            }
        }
    };
    for _ in 0..20 {
        look(&nodes, &[0, 1, 3, 4, 5]);
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    assert!(nodes.told(0).0 > before);
    for index in [3, 4] {
        assert_eq!(nodes.told(index).0, before, "a minority keeps its list");
    }

    nodes.lab.link(true);
    let all = [0, 1, 3, 4, 5];
    let healed = wait_until(|| {
        look(&nodes, &all);
        let told: Vec<_> = all.iter().map(|index| nodes.told(*index)).collect();
        told.iter().all(|it| *it == told[0] && it.1.len() == 5)
    });
    let logs: Vec<String> = nodes.servers.iter().flatten().map(Server::log).collect();
    assert!(healed, "{}", logs.join("\n"));
    assert!(nodes.told(3).0 > before);
}
