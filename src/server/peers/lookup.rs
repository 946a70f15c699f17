//! Asking a name server for the nodes of a cluster, over UDP and, where that is too small, TCP.

use std::fmt;
use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream, ToSocketAddrs, UdpSocket};
use std::time::{Duration, Instant};

use crate::cluster::Node;
use crate::cluster::dns::{self, Answer, AnswerError, Host, Kind, Subject};

/// How long one server has for one question.
const PATIENCE: Duration = Duration::from_secs(1);

/// How often a question is put to each server.
const ATTEMPT_COUNT: usize = 3;

/// Most hosts of a service that are looked up. An ElastiCache cluster has 300 at most.
const HOST_COUNT_MAX: usize = 1000;

/// Largest answer over UDP, in bytes; without more ado servers send up to 512.
const DATAGRAM_SIZE_MAX: usize = 4096;

/// The port of name servers.
const PORT: u16 = 53;

/// Where the system's name servers are written down.
const RESOLV_CONF: &str = "/etc/resolv.conf";

/// Why no nodes were found.
#[derive(Debug)]
pub(super) struct LookupError(String);

impl fmt::Display for LookupError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl LookupError {
    fn new(what: &str, why: impl fmt::Display) -> Self {
        Self(format!("{what}: {why}"))
    }
}

/// Looks the nodes up: from this server, or as the system does. May take many seconds.
///
/// # Errors
///
/// When there is no answer, or one without nodes. A host without an address is an error too: a
/// list that lacks it would move the keys of all others.
pub(super) fn look_up(
    subject: &Subject,
    server: Option<SocketAddr>,
) -> Result<Vec<Node>, LookupError> {
    let wrong = |why| LookupError::new(&subject.to_string(), AnswerError::Node(why));
    let nodes = match (subject, server) {
        (Subject::Addresses { name, port }, None) => {
            let found = (name.as_str(), *port).to_socket_addrs();
            let found = found.map_err(|error| LookupError::new(name, error))?;
            let addresses: Vec<IpAddr> = found.map(|address| address.ip()).collect();
            dns::nodes_of(&addresses, *port).map_err(wrong)?
        }
        (Subject::Addresses { name, port }, Some(server)) => {
            let answer = ask(&[server], name, Kind::A)?;
            dns::nodes_of(&answer.addresses, *port).map_err(wrong)?
        }
        (Subject::Service { name }, server) => {
            let servers = match server {
                Some(server) => vec![server],
                None => system_servers()?,
            };
            let answer = ask(&servers, name, Kind::Srv)?;
            let mut nodes = Vec::new();
            for host in answer.hosts.iter().take(HOST_COUNT_MAX) {
                let ip = address_of(&servers, host, &answer)?;
                nodes.push(Node::new(&host.name, Some(ip), host.port).map_err(wrong)?);
            }
            nodes
        }
    };
    if nodes.is_empty() {
        return Err(LookupError::new(&subject.to_string(), "no nodes"));
    }
    Ok(nodes)
}

fn address_of(servers: &[SocketAddr], host: &Host, told: &Answer) -> Result<IpAddr, LookupError> {
    let known = told
        .known
        .get(&host.name)
        .and_then(|known| dns::best(known));
    if let Some(ip) = known {
        return Ok(ip);
    }
    for kind in [Kind::A, Kind::Aaaa] {
        let answer = ask(servers, &host.name, kind)?;
        if let Some(ip) = dns::best(&answer.addresses) {
            return Ok(ip);
        }
    }
    Err(LookupError::new(&host.name, "no address"))
}

/// The name servers of the system.
fn system_servers() -> Result<Vec<SocketAddr>, LookupError> {
    let wrong = |why: &dyn fmt::Display| LookupError::new(RESOLV_CONF, why);
    let text = std::fs::read_to_string(RESOLV_CONF).map_err(|error| wrong(&error))?;
    let servers = servers_in(&text);
    if servers.is_empty() {
        return Err(wrong(&"no name server; --cluster-dns-server names one"));
    }
    Ok(servers)
}

fn servers_in(text: &str) -> Vec<SocketAddr> {
    let mut servers = Vec::new();
    for line in text.lines() {
        let mut words = line.split_whitespace();
        if words.next() == Some("nameserver")
            && let Some(ip) = words.next().and_then(|word| word.parse::<IpAddr>().ok())
        {
            servers.push(SocketAddr::new(ip, PORT));
        }
    }
    servers
}

/// Puts a question to these servers until one answers.
fn ask(servers: &[SocketAddr], name: &str, kind: Kind) -> Result<Answer, LookupError> {
    let mut last = LookupError::new(name, "no name server");
    for _ in 0..ATTEMPT_COUNT {
        for server in servers {
            match ask_one(*server, name, kind) {
                Ok(answer) => return Ok(answer),
                Err(Failure::Final(error)) => return Err(LookupError::new(name, error)),
                Err(Failure::Silence(error)) => {
                    last = LookupError::new(name, format_args!("{server}: {error}"));
                }
            }
        }
    }
    Err(last)
}

/// Why a server gave no answer.
enum Failure {
    /// It has answered, and asking again will not help.
    Final(AnswerError),
    /// It may answer later, or another may.
    Silence(io::Error),
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Silence(error)
    }
}

fn ask_one(server: SocketAddr, name: &str, kind: Kind) -> Result<Answer, Failure> {
    let mut id = [0; 2];
    getrandom::fill(&mut id).map_err(io::Error::other)?;
    let id = u16::from_ne_bytes(id);
    let question = dns::question(id, name, kind).map_err(Failure::Final)?;
    let any: IpAddr = match server {
        SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    // A new port for each question: one more thing that a forger would have to guess.
    let socket = UdpSocket::bind((any, 0))?;
    socket.connect(server)?;
    socket.send(&question)?;
    let until = Instant::now() + PATIENCE;
    let mut bytes = vec![0; DATAGRAM_SIZE_MAX];
    loop {
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(io::Error::from(io::ErrorKind::TimedOut).into());
        }
        socket.set_read_timeout(Some(left))?;
        let size = match socket.recv(&mut bytes) {
            Ok(size) => size,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => continue,
            Err(error) => return Err(error.into()),
        };
        match dns::answer(&bytes[..size], id, name, kind) {
            Ok(answer) if answer.is_truncated => break,
            Ok(answer) => return Ok(answer),
            // What cannot be read may come from somebody else.
            Err(AnswerError::NotOurs | AnswerError::Malformed) => {}
            Err(error) => return Err(Failure::Final(error)),
        }
    }
    let reply = exchange(server, &question)?;
    dns::answer(&reply, id, name, kind).map_err(Failure::Final)
}

/// Asks over TCP, where each message stands behind its size.
fn exchange(server: SocketAddr, question: &[u8]) -> io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect_timeout(&server, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let size = u16::try_from(question.len()).unwrap_or(u16::MAX);
    stream.write_all(&[&size.to_be_bytes(), question].concat())?;
    let mut size = [0; 2];
    stream.read_exact(&mut size)?;
    let mut reply = vec![0; usize::from(u16::from_be_bytes(size))];
    stream.read_exact(&mut reply)?;
    Ok(reply)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn name_servers_are_read_as_the_system_writes_them() {
        let text = "# ours\nsearch lan\nnameserver 10.0.0.1\n nameserver ::1 # x\nnameserver x\n";
        let servers: Vec<String> = servers_in(text).iter().map(ToString::to_string).collect();
        assert_eq!(servers, ["10.0.0.1:53", "[::1]:53"]);
    }
}
