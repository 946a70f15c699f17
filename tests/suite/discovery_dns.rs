//! A list of nodes from DNS, told by a name server of the test's own.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, UdpSocket};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

use rustix::process::Signal;
use simple_dns::rdata::{A, RData, SRV};
use simple_dns::{CLASS, Name, Packet, PacketFlag, QTYPE, RCODE, ResourceRecord, TYPE};

use crate::support::process::wait_until;
use crate::support::server::run;
use crate::support::{Client, Server};

const SERVICE: &str = "_memcache._tcp.cache.lan";

/// Hosts and their addresses. All have one port.
type Hosts = Vec<(&'static str, Ipv4Addr)>;

/// What the name server says.
#[derive(Clone, Debug)]
enum Says {
    Hosts(Hosts),
    NoSuchName,
    Nothing,
}

/// A name server that knows one service. It ends with the process.
struct NameServer {
    address: SocketAddr,
    /// Datagrams that were received.
    asked: Arc<AtomicUsize>,
    says: Arc<Mutex<Says>>,
}

impl NameServer {
    /// Starts one; `truncates` has every question for the service asked again over TCP.
    fn start(says: Says, truncates: bool) -> Self {
        // The same port for both ways to ask.
        let (udp, tcp) = loop {
            let udp = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
            let address = udp.local_addr().expect("an address");
            if let Ok(tcp) = TcpListener::bind(address) {
                break (udp, tcp);
            }
        };
        let address = udp.local_addr().expect("an address");
        let says = Arc::new(Mutex::new(says));
        let asked = Arc::new(AtomicUsize::new(0));
        let (here, count) = (Arc::clone(&says), Arc::clone(&asked));
        thread::spawn(move || {
            let mut bytes = [0; 512];
            while let Ok((size, from)) = udp.recv_from(&mut bytes) {
                count.fetch_add(1, Ordering::SeqCst);
                let said = here.lock().expect("no panic").clone();
                if let Some(reply) = reply(&bytes[..size], &said, truncates) {
                    // Whoever asked may have given up.
                    let _gone = udp.send_to(&reply, from);
                }
            }
        });
        let here = Arc::clone(&says);
        thread::spawn(move || {
            for mut stream in tcp.incoming().flatten() {
                let mut size = [0; 2];
                stream.read_exact(&mut size).expect("a size");
                let mut bytes = vec![0; usize::from(u16::from_be_bytes(size))];
                stream.read_exact(&mut bytes).expect("a question");
                let said = here.lock().expect("no panic").clone();
                let reply = reply(&bytes, &said, false).expect("something to say");
                let size = u16::try_from(reply.len()).expect("a small reply");
                let whole = [&size.to_be_bytes()[..], &reply].concat();
                stream.write_all(&whole).expect("a reader");
            }
        });
        Self {
            address,
            asked,
            says,
        }
    }

    /// Waits until the name has been looked up so many times more: all but the last have been
    /// understood then.
    #[track_caller]
    fn await_questions(&self, count: usize, ask: impl Fn()) {
        // A look-up asks for the service, and for each host.
        let wanted = self.asked.load(Ordering::SeqCst) + count * 5;
        let done = wait_until(|| {
            ask();
            self.asked.load(Ordering::SeqCst) >= wanted
        });
        assert!(done, "nobody asks any more");
    }

    fn say(&self, says: Says) {
        *self.says.lock().expect("no panic") = says;
    }
}

fn reply(question: &[u8], says: &Says, truncates: bool) -> Option<Vec<u8>> {
    let mut packet = Packet::parse(question).expect("a question").into_reply();
    let asked = packet.questions[0].clone();
    let name = asked.qname.to_string();
    match says {
        Says::Nothing => return None,
        Says::NoSuchName => *packet.rcode_mut() = RCODE::NameError,
        Says::Hosts(_) if truncates && name == SERVICE => {
            packet.set_flags(PacketFlag::TRUNCATION);
        }
        Says::Hosts(hosts) => {
            for (host, ip) in hosts {
                let address = RData::A(A {
                    address: (*ip).into(),
                });
                let service = RData::SRV(SRV {
                    priority: 0,
                    weight: 0,
                    port: 11311,
                    target: Name::new_unchecked(host),
                });
                let data = match &asked.qtype {
                    QTYPE::TYPE(TYPE::SRV) if name == SERVICE => service,
                    QTYPE::TYPE(TYPE::A) if name == *host || name == "cache.lan" => address,
                    _ => continue,
                };
                let owner = asked.qname.clone();
                packet
                    .answers
                    .push(ResourceRecord::new(owner, CLASS::IN, 1, data));
            }
        }
    }
    Some(packet.build_bytes_vec().expect("a reply"))
}

fn hosts(count: u8) -> Hosts {
    const NAMES: [&str; 5] = [
        "cache-0.cache.lan",
        "cache-1.cache.lan",
        "cache-2.cache.lan",
        "cache-3.cache.lan",
        "cache-4.cache.lan",
    ];
    (0..count)
        .map(|number| (NAMES[usize::from(number)], Ipv4Addr::new(10, 0, 0, number)))
        .collect()
}

/// The list as a line of nodes, and its version.
fn listed(client: &mut Client) -> (String, u64) {
    client.send("config get cluster\r\n");
    let _header = client.line();
    let version = client.line().parse().expect("a version");
    let nodes = client.line();
    assert_eq!(
        (client.line(), client.line()),
        (String::new(), "END".to_owned())
    );
    (nodes, version)
}

fn node(number: u8) -> String {
    format!("cache-{number}.cache.lan|10.0.0.{number}|11311")
}

fn flags<'a>(name: &'a str, server: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    let mut flags = vec!["-v", "--cluster-dns", name, "--cluster-dns-server", server];
    flags.extend(["--cluster-dns-interval", "1", "-m", "8"]);
    flags.extend(more);
    flags
}

#[test]
fn hosts_of_a_service_are_listed_and_followed_and_no_answer_changes_nothing() {
    let dns = NameServer::start(Says::Hosts(hosts(2)), false);
    let address = dns.address.to_string();
    let more = ["--cluster-min-nodes", "2"];
    let server = Server::start(&flags(SERVICE, &address, &more));
    let mut client = server.connect();
    // They are listed from the first moment.
    let (nodes, first) = listed(&mut client);
    assert_eq!(nodes, format!("{} {}", node(0), node(1)));
    assert_eq!(
        client.find_stat("stats cluster", "source").as_deref(),
        Some("dns")
    );
    client.ask(
        "config set cluster 0 7\r\n9\na||1\n\r\n",
        "CLIENT_ERROR the nodes of this cluster are declared by its operator\r\n",
    );

    dns.say(Says::Hosts(hosts(4)));
    let mut version = first;
    assert!(wait_until(|| {
        let (nodes, now) = listed(&mut client);
        version = now;
        nodes.contains(&node(3))
    }));
    assert!(version > first, "{version} after {first}");
    let silence = dns.address.to_string();
    for (says, complaint) in [
        (Says::NoSuchName, "NameError"),
        (Says::Hosts(hosts(1)), "fewer than --cluster-min-nodes 2"),
        (Says::Hosts(hosts(0)), "no nodes"),
        (Says::Nothing, &silence),
    ] {
        dns.say(says);
        server.signal(Signal::HUP);
        assert!(
            wait_until(|| server.log().contains(complaint)),
            "{complaint}"
        );
        assert_eq!(listed(&mut client).1, version);
        // Good news in between, so that bad news is told again. It is the same, in another order.
        let mut again = hosts(4);
        again.reverse();
        dns.say(Says::Hosts(again));
        dns.await_questions(2, || server.signal(Signal::HUP));
        assert_eq!(listed(&mut client).1, version);
    }
}

#[test]
fn a_long_answer_is_fetched_over_tcp() {
    let dns = NameServer::start(Says::Hosts(hosts(5)), true);
    let address = dns.address.to_string();
    let server = Server::start(&flags(SERVICE, &address, &[]));
    let (nodes, _) = listed(&mut server.connect());
    assert_eq!(nodes.split(' ').count(), 5, "{nodes}");
}

#[test]
fn addresses_of_a_name_are_nodes_by_their_address() {
    let dns = NameServer::start(Says::Hosts(hosts(2)), false);
    let address = dns.address.to_string();
    let server = Server::start(&flags("cache.lan:7", &address, &[]));
    let (nodes, _) = listed(&mut server.connect());
    assert_eq!(nodes, "10.0.0.0|10.0.0.0|7 10.0.0.1|10.0.0.1|7");
}

#[test]
fn without_a_server_a_name_is_found_as_the_system_finds_it() {
    let server = Server::start(&["--cluster-dns", "localhost:7"]);
    let (nodes, _) = listed(&mut server.connect());
    assert_eq!(nodes, "127.0.0.1|127.0.0.1|7");
}

#[test]
fn what_was_written_down_is_served_when_nobody_answers_at_the_start() {
    let dns = NameServer::start(Says::Hosts(hosts(3)), false);
    let address = dns.address.to_string();
    let folder = tempfile::tempdir().expect("a folder");
    let state = folder.path().join("state");
    let state = state.to_string_lossy();
    let more = ["--cluster-state", &state];
    let before = listed(&mut Server::start(&flags(SERVICE, &address, &more)).connect());
    dns.say(Says::NoSuchName);
    let server = Server::start(&flags(SERVICE, &address, &more));
    assert_eq!(listed(&mut server.connect()), before);
    assert!(server.log().contains("NameError"), "{}", server.log());
    // Without it there is nobody but the daemon itself.
    let server = Server::start(&flags(SERVICE, &address, &[]));
    let alone = format!("127.0.0.1|127.0.0.1|{}", server.address().port());
    assert_eq!(listed(&mut server.connect()), (alone.clone(), 1));
    dns.say(Says::Hosts(hosts(3)));
    let mut client = server.connect();
    assert!(wait_until(|| listed(&mut client).0 != alone));
    assert!(listed(&mut client).1 > 1);
}

#[test]
fn settings_that_cannot_work_are_refused_at_the_start() {
    for (flags, complaint) in [
        (&["--cluster-dns", "a b"][..], "expected NAME or NAME:PORT"),
        (&["--cluster-source", "dns"], "needs --cluster-dns"),
        (&["--cluster-dns", "_a._tcp.b:5"], "no port"),
        (
            &["--cluster-dns", "cache.lan", "-o", "drop_privileges"],
            "drop_privileges",
        ),
    ] {
        let ended = run(flags, &[]);
        assert_eq!(ended.code, Some(64), "{flags:?}: {}", ended.stderr);
        assert!(ended.stderr.contains(complaint), "{}", ended.stderr);
    }
}
