//! Daemons that find each other: real processes, each on a loopback address of its own, with one
//! gossip port and one key.
//!
//! Only conditions are awaited; how long they took is printed.

mod datagrams;
mod file;
mod membership;
mod partition;

use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicU8, Ordering};

use crate::support::process::wait_until;
use crate::support::{Client, Server};

const KEY: &str = "0f1e2d3c4b5a69788796a5b4c3d2e1f0\n";

/// The next address of this process in 127.0.0.0/8. Processes differ in the middle, so suites that
/// run side by side do not meet.
pub(crate) fn fresh_address() -> Ipv4Addr {
    static NEXT: AtomicU8 = AtomicU8::new(1);
    let last = NEXT.fetch_add(1, Ordering::Relaxed);
    assert_ne!(last, 255, "the addresses of one process are used up");
    let pid = std::process::id();
    let part = |number: u32| u8::try_from(number).expect("a byte");
    Ipv4Addr::new(127, part(16 + pid % 200), part(pid / 200 % 250), last)
}

/// Hosts of one cluster: names, addresses, disks, and the daemons that run there.
struct Fleet {
    folder: tempfile::TempDir,
    port: u16,
    seeds: String,
    extra: Vec<String>,
    hosts: Vec<Host>,
}

struct Host {
    name: String,
    ip: Ipv4Addr,
    server: Option<Server>,
}

impl Fleet {
    /// Hosts without daemons; the first is the seed.
    fn new(count: usize, extra: &[&str]) -> Self {
        let hosts: Vec<Host> = (1..=count)
            .map(|index| Host {
                name: format!("cache-{index:02}.cfg.lan"),
                ip: fresh_address(),
                server: None,
            })
            .collect();
        let free = UdpSocket::bind((hosts[0].ip, 0)).expect("a free port");
        let port = free.local_addr().expect("an address").port();
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join("key"), KEY).expect("a key file");
        Self {
            folder,
            port,
            seeds: format!("{}:{port}", hosts[0].ip),
            extra: extra.iter().map(ToString::to_string).collect(),
            hosts,
        }
    }

    /// A cluster whose nodes all list each other.
    fn grown(count: usize, extra: &[&str]) -> Self {
        let mut fleet = Self::new(count, extra);
        (0..count).for_each(|index| fleet.start(index));
        fleet.await_list(&(0..count).collect::<Vec<_>>());
        fleet
    }

    fn path(&self, name: &str) -> String {
        let path = self.folder.path().join(name);
        path.to_string_lossy().into_owned()
    }

    fn flags(&self, index: usize) -> Vec<String> {
        let host = &self.hosts[index];
        let mut flags = vec![
            format!("-l{}", host.ip),
            "-p-1".to_owned(),
            "-U0".to_owned(),
            "-m8".to_owned(),
            "-t1".to_owned(),
            "-v".to_owned(),
            format!("--advertise={}", host.name),
            format!("--cluster-name={}", host.name),
            format!("--cluster-seeds={}", self.seeds),
            format!("--cluster-listen={}:{}", host.ip, self.port),
            format!("--cluster-key-file={}", self.path("key")),
            format!("--cluster-state={}", self.path(&host.name)),
        ];
        flags.extend(self.extra.iter().cloned());
        flags
    }

    #[track_caller]
    fn start(&mut self, index: usize) {
        let flags = self.flags(index);
        let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
        self.hosts[index].server = Some(Server::start_bare(&flags));
    }

    /// Gives a host another address, from its next start on.
    fn relocate(&mut self, index: usize) {
        self.hosts[index].ip = fresh_address();
    }

    /// Kills the daemon of a host at once.
    fn kill(&mut self, index: usize) {
        self.hosts[index].server = None;
    }

    fn server(&self, index: usize) -> &Server {
        self.hosts[index].server.as_ref().expect("a daemon")
    }

    fn connect(&self, index: usize) -> Client {
        let port = self.server(index).address().port();
        Client::tcp(SocketAddr::from((self.hosts[index].ip, port)))
    }

    /// What clients of a host are told: version, and `name|ip|port` of each node.
    #[track_caller]
    fn told(&self, index: usize) -> (u32, Vec<String>) {
        let mut client = self.connect(index);
        let head = client.command("config get cluster");
        assert!(head.starts_with("CONFIG cluster 0 "), "{head}");
        let version = client.line().parse().expect("a version");
        let nodes = client.line().split(' ').map(str::to_owned).collect();
        client.expect("\r\nEND\r\n");
        (version, nodes)
    }

    /// The hosts as clients are to be told of them.
    fn nodes(&self, indices: &[usize]) -> Vec<String> {
        let node = |index: &usize| {
            let host = &self.hosts[*index];
            let port = self.server(*index).address().port();
            format!("{}|{}|{port}", host.name, host.ip)
        };
        indices.iter().map(node).collect()
    }

    /// Waits until all running daemons tell their clients of these nodes, under one version.
    #[track_caller]
    fn await_list(&self, indices: &[usize]) -> u32 {
        self.await_nodes(&self.nodes(indices))
    }

    #[track_caller]
    fn await_nodes(&self, nodes: &[String]) -> u32 {
        let running: Vec<usize> = (0..self.hosts.len())
            .filter(|index| self.hosts[*index].server.is_some())
            .collect();
        let mut told = Vec::new();
        let agreed = wait_until(|| {
            told = running.iter().map(|index| self.told(*index)).collect();
            told.iter().all(|it| it.1 == nodes && it.0 == told[0].0)
        });
        assert!(agreed, "{told:?}\n{}", self.logs());
        told[0].0
    }

    fn logs(&self) -> String {
        let running = self
            .hosts
            .iter()
            .filter_map(|host| Some((host, host.server.as_ref()?)));
        let logs = running.map(|(host, server)| format!("{}:\n{}", host.name, server.log()));
        logs.collect::<Vec<_>>().join("\n")
    }

    /// What a host's `stats cluster` says of another, if that is listed.
    fn reach(&self, index: usize, of: usize) -> Option<String> {
        let stats = self.connect(index).list("stats cluster");
        let words: Vec<&str> = stats
            .iter()
            .filter_map(|line| line.strip_prefix("STAT "))
            .collect();
        let name = format!(":name {}", self.hosts[of].name);
        let node = words.iter().find_map(|word| word.strip_suffix(&name))?;
        let state = format!("{node}:state ");
        words
            .iter()
            .find_map(|word| word.strip_prefix(&state))
            .map(str::to_owned)
    }

    /// Waits until these hosts say this of another.
    #[track_caller]
    fn await_reach(&self, indices: &[usize], of: usize, wanted: &str) {
        let mut said = Vec::new();
        let seen = wait_until(|| {
            said = indices.iter().map(|index| self.reach(*index, of)).collect();
            said.iter().all(|reach| reach.as_deref() == Some(wanted))
        });
        assert!(seen, "{said:?}\n{}", self.logs());
    }
}
