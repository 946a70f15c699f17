//! Sockets that somebody else has bound: a service manager that holds them while larderd is not
//! running, or that may bind where larderd may not.
//!
//! Where sockets are given, they are all that clients are served on: larderd binds none beside
//! them. What is spoken on one is what the settings say of its address, so that a socket never
//! opens a door that the settings keep locked.

use std::fmt;
use std::io;
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixListener;
use std::path::PathBuf;

use socket2::SockRef;

use super::census::Place;
use super::listener::{DatagramSocket, Listener, Sockets, dialect, resolve};
use crate::config::tls::verify;
use crate::config::{Config, Listen};

/// A socket that somebody else has bound.
#[derive(Debug)]
pub struct Given {
    /// By what its giver knows it; only for messages.
    pub name: String,
    /// The socket.
    pub socket: GivenSocket,
}

/// What kind of socket is given.
#[derive(Debug)]
pub enum GivenSocket {
    /// Clients connect over TCP.
    Tcp(TcpListener),
    /// Clients of this host connect.
    Unix(UnixListener),
    /// Clients send datagrams.
    Udp(UdpSocket),
}

/// Why a given socket cannot be served. The text says what to do.
#[derive(Debug)]
pub enum GivenError {
    /// A setting names a listener that is not among the given ones.
    Missing {
        /// The setting, as it was written.
        setting: String,
    },
    /// It is a connection and not a listener.
    NotListening {
        /// The socket's name.
        name: String,
    },
    /// The settings turn its kind of transport off.
    Off {
        /// The socket's name.
        name: String,
        /// The option that does.
        option: &'static str,
    },
    /// The system does not let us use it.
    System {
        /// The socket's name.
        name: String,
        /// What the system said.
        source: io::Error,
    },
}

impl fmt::Display for GivenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing { setting } => write!(
                f,
                "{setting}: the service manager has given sockets, and this is none of them; add \
                 it to the socket unit or leave the option out"
            ),
            Self::NotListening { name } => write!(
                f,
                "socket {name} of the service manager is a connection; the socket unit must say \
                 Accept=no"
            ),
            Self::Off { name, option } => write!(
                f,
                "socket {name} of the service manager: {option} turns it off; name its port there \
                 or take it out of the socket unit"
            ),
            Self::System { name, source } => {
                write!(f, "socket {name} of the service manager: {source}")
            }
        }
    }
}

/// Makes listeners of the given sockets, as the settings say.
pub(super) fn adopt(config: &Config, given: Vec<Given>) -> Result<Sockets, GivenError> {
    let rules = Rules::new(config);
    let mut sockets = Sockets {
        listeners: Vec::new(),
        datagrams: Vec::new(),
        // Whoever bound it keeps its file.
        unix_file: None,
    };
    let mut served = vec![false; config.listen.len()];
    for Given { name, socket } in given {
        match socket {
            GivenSocket::Tcp(_) if config.tcp_port == 0 => {
                let option = "-p 0 (or -s without -p)";
                return Err(GivenError::Off { name, option });
            }
            GivenSocket::Udp(_) if config.udp_port == 0 => {
                let option = "-U 0";
                return Err(GivenError::Off { name, option });
            }
            GivenSocket::Tcp(socket) => {
                let address = prepare_tcp(&socket).map_err(|reason| reason.of(&name))?;
                let rule = rules.of(address);
                if let Some(index) = rule.index {
                    served[index] = true;
                }
                sockets.listeners.push(Listener {
                    socket: OwnedFd::from(socket),
                    place: Place::Tcp(address),
                    dialect: dialect(rule.listen.protocol),
                    tls: config.tls_of(&rule.listen),
                });
            }
            GivenSocket::Unix(socket) => {
                let path = prepare_unix(&socket).map_err(|reason| reason.of(&name))?;
                sockets.listeners.push(Listener {
                    socket: OwnedFd::from(socket),
                    place: Place::Unix(path),
                    dialect: dialect(Some(config.protocol)),
                    tls: None,
                });
            }
            GivenSocket::Udp(socket) => {
                let address = prepare_udp(&socket).map_err(|reason| reason.of(&name))?;
                sockets.datagrams.push(DatagramSocket {
                    socket,
                    address,
                    dialect: dialect(Some(config.protocol)),
                });
            }
        }
    }
    refuse_missing(config, &sockets, &served)?;
    if let Some(open) = open_addresses(config, &sockets) {
        log::warn!(
            "whoever reaches the service manager's sockets may read and change everything; ask \
             for a login (-Y FILE) or for client certificates (-o ssl_verify_mode=2)  \
             addresses={open}"
        );
    }
    Ok(sockets)
}

/// What the settings ask for and nobody has given would silently not be served, or not as asked.
fn refuse_missing(config: &Config, sockets: &Sockets, served: &[bool]) -> Result<(), GivenError> {
    let missing = |setting| Err(GivenError::Missing { setting });
    for (listen, served) in config.listen.iter().zip(served) {
        let is_special = listen.protocol.is_some() || listen.tls.is_some() || listen.tag.is_some();
        if is_special && !served {
            return missing(format!("-l {listen}"));
        }
    }
    if let Some(wanted) = &config.unix_socket {
        let is_given = sockets
            .listeners
            .iter()
            .any(|listener| matches!(&listener.place, Place::Unix(path) if path == wanted));
        if !is_given {
            return missing(format!("-s {}", wanted.display()));
        }
    }
    if config.udp_port != 0 && sockets.datagrams.is_empty() {
        return missing(format!("-U {}", config.udp_port));
    }
    Ok(())
}

/// The given addresses beyond this host that serve whoever reaches them. What `-l` opens is told
/// when settings are read, but these are not known before.
fn open_addresses(config: &Config, sockets: &Sockets) -> Option<String> {
    if config.users_file().is_some() {
        return None;
    }
    let is_judged = |listener: &&Listener| listener.tls.is_some_and(|mode| mode >= verify::REQUIRE);
    let streams = sockets.listeners.iter().filter(|l| !is_judged(l));
    let streams = streams.filter_map(|listener| match listener.place {
        Place::Tcp(address) => Some(address),
        Place::Udp(_) | Place::Unix(_) | Place::UnixClient => None,
    });
    let open: Vec<String> = streams
        .chain(sockets.udp_addresses())
        .filter(|address| !address.ip().to_canonical().is_loopback())
        .map(|address| address.to_string())
        .collect();
    (!open.is_empty()).then(|| open.join(","))
}

/// What `-l` says of each address.
struct Rules {
    /// The addresses that an entry stands for, and the entry.
    entries: Vec<(Vec<SocketAddr>, Listen)>,
    /// For any other address.
    other: Listen,
}

struct Rule {
    listen: Listen,
    /// The entry's place in the settings.
    index: Option<usize>,
}

impl Rules {
    fn new(config: &Config) -> Self {
        let entries = if config.listen_is_explicit() {
            config.tcp_listen()
        } else {
            Vec::new()
        };
        // A name that stands for nothing here fits no socket, and is refused if it was special.
        let entries = entries
            .into_iter()
            .map(|listen| (resolve(&listen).unwrap_or_default(), listen));
        Self {
            entries: entries.collect(),
            other: Listen {
                protocol: Some(config.protocol),
                ..Listen::default()
            },
        }
    }

    fn of(&self, address: SocketAddr) -> Rule {
        let index = self
            .entries
            .iter()
            .position(|(addresses, _)| addresses.contains(&address));
        let listen = index.map_or(&self.other, |index| &self.entries[index].1);
        Rule {
            listen: listen.clone(),
            index,
        }
    }
}

/// Why a socket is refused, before its name is known.
enum Reason {
    NotListening,
    System(io::Error),
}

impl Reason {
    fn of(self, name: &str) -> GivenError {
        let name = name.to_owned();
        match self {
            Self::NotListening => GivenError::NotListening { name },
            Self::System(source) => GivenError::System { name, source },
        }
    }
}

impl From<io::Error> for Reason {
    fn from(error: io::Error) -> Self {
        Self::System(error)
    }
}

fn prepare_tcp(socket: &TcpListener) -> Result<SocketAddr, Reason> {
    let raw = SockRef::from(socket);
    if !raw.is_listener()? {
        return Err(Reason::NotListening);
    }
    socket.set_nonblocking(true)?;
    // Accepted sockets inherit these two, as those of our own listeners do.
    raw.set_keepalive(true)?;
    raw.set_tcp_nodelay(true)?;
    Ok(socket.local_addr()?)
}

/// Its path; empty when it has none in the file system.
fn prepare_unix(socket: &UnixListener) -> Result<PathBuf, Reason> {
    if !SockRef::from(socket).is_listener()? {
        return Err(Reason::NotListening);
    }
    socket.set_nonblocking(true)?;
    let address = socket.local_addr()?;
    Ok(address.as_pathname().unwrap_or("".as_ref()).to_owned())
}

fn prepare_udp(socket: &UdpSocket) -> Result<SocketAddr, Reason> {
    socket.set_nonblocking(true)?;
    Ok(socket.local_addr()?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::BindingProtocol;
    use crate::config::tls::{ListenTls, TlsConfig};
    use crate::session::Dialect;

    fn tcp() -> (Given, SocketAddr) {
        let socket = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = socket.local_addr().unwrap();
        let given = Given {
            name: "web".to_owned(),
            socket: GivenSocket::Tcp(socket),
        };
        (given, address)
    }

    fn refusal(config: &Config, given: Vec<Given>) -> String {
        adopt(config, given).err().unwrap().to_string()
    }

    #[test]
    fn a_given_socket_is_spoken_to_as_the_settings_say_of_its_address() {
        let (given, address) = tcp();
        let (other, _) = tcp();
        let config = Config {
            listen: vec![Listen {
                port: Some(address.port()),
                protocol: Some(BindingProtocol::Binary),
                tls: Some(ListenTls::Mutual),
                ..Listen::host("127.0.0.1")
            }],
            protocol: BindingProtocol::Ascii,
            tls: TlsConfig {
                enabled: true,
                ..TlsConfig::default()
            },
            ..Config::default()
        };
        let sockets = adopt(&config, vec![given, other]).unwrap();
        let seen: Vec<_> = sockets
            .listeners
            .iter()
            .map(|listener| (listener.dialect, listener.tls))
            .collect();
        assert_eq!(
            seen,
            [
                (Dialect::Binary, Some(verify::REQUIRE)),
                (Dialect::Text, Some(verify::NONE))
            ]
        );
    }

    #[test]
    fn an_exception_that_no_given_socket_fits_is_refused() {
        let (given, _) = tcp();
        let config = Config {
            listen: vec![Listen {
                port: Some(1),
                tls: Some(ListenTls::Mutual),
                ..Listen::host("127.0.0.1")
            }],
            ..Config::default()
        };
        let text = refusal(&config, vec![given]);
        assert!(text.starts_with("-l mtls:127.0.0.1:1: "), "{text}");
    }

    #[test]
    fn addresses_beyond_this_host_are_open_unless_somebody_is_judged_there() {
        let at = |address: &str, tls: Option<u8>| Listener {
            socket: TcpListener::bind("127.0.0.1:0").unwrap().into(),
            place: Place::Tcp(address.parse().unwrap()),
            dialect: Dialect::Auto,
            tls,
        };
        let sockets = Sockets {
            listeners: vec![
                at("127.0.0.3:1", None),
                at("[::ffff:127.0.0.1]:1", None),
                at("192.0.2.1:1", None),
                at("[::]:1", Some(verify::REQUEST)),
                at("0.0.0.0:2", Some(verify::REQUIRE)),
            ],
            datagrams: Vec::new(),
            unix_file: None,
        };
        let open = open_addresses(&Config::default(), &sockets);
        assert_eq!(open.as_deref(), Some("192.0.2.1:1,[::]:1"));
        let locked = Config {
            auth_file: Some("users".into()),
            ..Config::default()
        };
        assert_eq!(open_addresses(&locked, &sockets), None);
    }

    #[test]
    fn a_plain_address_gives_way_to_the_given_socket() {
        let (given, address) = tcp();
        let config = Config {
            listen: vec![Listen::host("127.0.0.1")],
            ..Config::default()
        };
        let sockets = adopt(&config, vec![given]).unwrap();
        assert_eq!(sockets.tcp_addresses(), [address]);
    }

    #[test]
    fn what_the_settings_turn_off_or_miss_is_named() {
        let off = Config {
            tcp_port: 0,
            ..Config::default()
        };
        let text = refusal(&off, vec![tcp().0]);
        assert!(
            text.contains("socket web") && text.contains("-p 0"),
            "{text}"
        );

        let datagrams = || Given {
            name: "udp".to_owned(),
            socket: GivenSocket::Udp(UdpSocket::bind("127.0.0.1:0").unwrap()),
        };
        let text = refusal(&Config::default(), vec![datagrams()]);
        assert!(text.contains("-U 0"), "{text}");
        let udp = Config {
            udp_port: 11211,
            ..Config::default()
        };
        assert!(refusal(&udp, vec![tcp().0]).starts_with("-U 11211: "));
        assert!(adopt(&udp, vec![tcp().0, datagrams()]).is_ok());

        let unix = Config {
            unix_socket: Some("/nowhere/socket".into()),
            ..Config::default()
        };
        assert!(refusal(&unix, vec![tcp().0]).starts_with("-s /nowhere/socket: "));
    }

    #[test]
    fn the_file_of_a_given_unix_socket_stays_its_givers() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("socket");
        let socket = GivenSocket::Unix(UnixListener::bind(&path).unwrap());
        let given = Given {
            name: "unix".to_owned(),
            socket,
        };
        let config = Config {
            unix_socket: Some(path.clone()),
            ..Config::default()
        };
        drop(adopt(&config, vec![given]).unwrap());
        assert!(path.exists());
    }

    #[test]
    fn a_connection_is_no_listener() {
        let (_given, address) = tcp();
        let client = std::net::TcpStream::connect(address).unwrap();
        let socket = GivenSocket::Tcp(TcpListener::from(OwnedFd::from(client)));
        let given = Given {
            name: "client".to_owned(),
            socket,
        };
        let text = refusal(&Config::default(), vec![given]);
        assert!(text.contains("Accept=no"), "{text}");
    }
}
