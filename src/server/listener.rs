//! Where clients come in: the sockets that listen.
//!
//! Everything is bound before any thread starts, so that a daemon may give up its privileges in
//! between, and so that an address in use is a message and not a half-started server.

use std::fs;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs, UdpSocket};
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::Path;

use socket2::{Domain, Protocol, Socket, Type};

use super::StartError;
use super::census::Place;
use crate::config::{BindingProtocol, Config, Listen};
use crate::held::{Endpoint, Held};
use crate::session::Dialect;
use crate::socket_file::SocketFile;

/// Bytes asked for in the send buffer of a socket for datagrams: a large value leaves at once.
const DATAGRAM_SEND_BUFFER_SIZE: usize = 4 << 20;

/// One socket that listens.
pub(super) struct Listener {
    /// The socket, not blocking.
    pub(super) socket: OwnedFd,
    /// Where it listens.
    pub(super) place: Place,
    /// What is spoken there.
    pub(super) dialect: Dialect,
    /// How client certificates are treated there, when TLS is spoken.
    pub(super) tls: Option<u8>,
}

/// One socket for datagrams.
pub(super) struct DatagramSocket {
    /// The socket, not blocking.
    pub(super) socket: UdpSocket,
    /// Where it receives.
    pub(super) address: SocketAddr,
    /// What is spoken there.
    pub(super) dialect: Dialect,
}

/// All sockets of a server that clients come in by.
pub(super) struct Sockets {
    pub(super) listeners: Vec<Listener>,
    pub(super) datagrams: Vec<DatagramSocket>,
    /// Removes the unix socket's file when the server is gone.
    pub(super) unix_file: Option<SocketFile>,
}

impl Sockets {
    /// Binds everything that the settings ask for, and has not been held meanwhile.
    pub(super) fn bind(config: &Config, held: &mut Held) -> Result<Self, StartError> {
        let mut listeners = Vec::new();
        let mut datagrams = Vec::new();
        let explicit = config.listen_is_explicit();
        bind_each(
            &config.tcp_listen(),
            explicit,
            "-l, -p",
            |address, dialect, listen| {
                let tls = config.tls_of(listen);
                let listener = bind_tcp(address, config.backlog, dialect, tls, held)?;
                let Place::Tcp(bound) = listener.place else {
                    return Ok(address);
                };
                listeners.push(listener);
                Ok(bound)
            },
        )?;
        bind_each(
            &config.udp_listen(),
            explicit,
            "-l, -U",
            |address, dialect, _| {
                let socket = bind_udp(address, dialect, held)?;
                let bound = socket.address;
                datagrams.push(socket);
                Ok(bound)
            },
        )?;
        let mut unix_file = None;
        if let Some(path) = &config.unix_socket {
            let (listener, file) = bind_unix(path, config, held)?;
            listeners.push(listener);
            unix_file = file;
        }
        Ok(Self {
            listeners,
            datagrams,
            unix_file,
        })
    }

    /// Writes the port file, where one is asked for.
    pub(super) fn tell_ports(&self, config: &Config) -> Result<(), StartError> {
        let Some(path) = &config.port_file else {
            return Ok(());
        };
        self.write_ports(path)
            .map_err(|source| StartError::PortFile {
                path: path.clone(),
                source,
            })
    }

    /// Addresses of the TCP listeners, in the order of the settings.
    pub(super) fn tcp_addresses(&self) -> Vec<SocketAddr> {
        self.listeners
            .iter()
            .filter_map(|listener| match listener.place {
                Place::Tcp(address) => Some(address),
                Place::Udp(_) | Place::Unix(_) | Place::UnixClient => None,
            })
            .collect()
    }

    /// Addresses of the sockets for datagrams, in the order of the settings.
    pub(super) fn udp_addresses(&self) -> Vec<SocketAddr> {
        self.datagrams.iter().map(|socket| socket.address).collect()
    }

    /// Writes the ports in use as memcached does. The file appears whole or not at all.
    fn write_ports(&self, path: &Path) -> io::Result<()> {
        let tcp = self.tcp_addresses();
        let udp = self.udp_addresses();
        let mut text = String::new();
        for (name, addresses) in [("TCP", tcp), ("UDP", udp)] {
            for address in addresses {
                let family = if address.is_ipv4() { "INET" } else { "INET6" };
                text += &format!("{name} {family}: {}\n", address.port());
            }
        }
        let mut temporary = path.as_os_str().to_owned();
        temporary.push(".lck");
        fs::write(&temporary, text)?;
        fs::rename(&temporary, path)
    }
}

/// Where the settings have clients come in, as far as that is known before anything is bound: not
/// the ports that the system chooses.
pub(super) fn endpoints(config: &Config) -> Vec<Endpoint> {
    let addresses = |all: Vec<Listen>| {
        // A name that stands for nothing is refused when it is to be bound.
        let each = all.into_iter().map(|one| resolve(&one).unwrap_or_default());
        each.flatten().filter(|address| address.port() != 0)
    };
    let tcp = addresses(config.tcp_listen()).map(Endpoint::Tcp);
    let udp = addresses(config.udp_listen()).map(Endpoint::Udp);
    let unix = config.unix_socket.iter().map(|path| Endpoint::Unix {
        path: path.clone(),
        mode: config.unix_mode(),
    });
    tcp.chain(udp).chain(unix).collect()
}

/// Resolves each address and binds all it stands for.
///
/// An address in use is always an error. An address that this host does not have is one only if
/// nothing else came of the same `-l`, or of the defaults taken together: hosts without IPv6 are
/// common, and a name such as localhost stands for both.
fn bind_each(
    all: &[Listen],
    explicit: bool,
    option: &'static str,
    mut bind: impl FnMut(SocketAddr, Dialect, &Listen) -> io::Result<SocketAddr>,
) -> Result<(), StartError> {
    // The port that the first ephemeral one became. The others try it too: one number to tell.
    let mut chosen = None;
    let mut bound_any = false;
    let mut missing = None;
    for listen in all {
        let dialect = dialect(listen.protocol);
        let mut bound_this = false;
        for address in resolve(listen)? {
            let fail = |source| StartError::Listen {
                address: address.to_string(),
                option,
                source,
            };
            let result = match chosen {
                Some(port) if address.port() == 0 => {
                    let wanted = SocketAddr::new(address.ip(), port);
                    bind(wanted, dialect, listen).or_else(|_| bind(address, dialect, listen))
                }
                _ => bind(address, dialect, listen),
            };
            match result {
                Ok(bound) => {
                    bound_this = true;
                    if address.port() == 0 {
                        chosen.get_or_insert(bound.port());
                    }
                }
                Err(error) if is_absent(&error) => missing = Some(fail(error)),
                Err(error) => return Err(fail(error)),
            }
        }
        bound_any |= bound_this;
        if explicit
            && !bound_this
            && let Some(error) = missing.take()
        {
            return Err(error);
        }
    }
    match missing {
        Some(error) if !bound_any => Err(error),
        _ => Ok(()),
    }
}

/// Whether an address cannot be bound because this host does not have it.
fn is_absent(error: &io::Error) -> bool {
    use rustix::io::Errno;
    error.kind() == io::ErrorKind::AddrNotAvailable
        || error.raw_os_error() == Some(Errno::AFNOSUPPORT.raw_os_error())
}

/// What is spoken where the settings say this.
pub(super) fn dialect(protocol: Option<BindingProtocol>) -> Dialect {
    match protocol {
        None | Some(BindingProtocol::Auto) => Dialect::Auto,
        Some(BindingProtocol::Ascii) => Dialect::Text,
        Some(BindingProtocol::Binary) => Dialect::Binary,
    }
}

/// All addresses that an entry of `-l` stands for.
pub(super) fn resolve(listen: &Listen) -> Result<Vec<SocketAddr>, StartError> {
    let port = listen.port.unwrap_or(0);
    if listen.host == "*" {
        return Ok(vec![
            SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), port),
            SocketAddr::new(IpAddr::V6(Ipv6Addr::UNSPECIFIED), port),
        ]);
    }
    let fail = |source| StartError::Resolve {
        address: listen.host.clone(),
        source,
    };
    let mut addresses = Vec::new();
    for address in (listen.host.as_str(), port)
        .to_socket_addrs()
        .map_err(fail)?
    {
        if !addresses.contains(&address) {
            addresses.push(address);
        }
    }
    if addresses.is_empty() {
        return Err(fail(io::ErrorKind::NotFound.into()));
    }
    Ok(addresses)
}

fn bind_tcp(
    address: SocketAddr,
    backlog: u32,
    dialect: Dialect,
    tls: Option<u8>,
    held: &mut Held,
) -> io::Result<Listener> {
    let taken = held.take(&Endpoint::Tcp(address));
    let is_new = taken.is_none();
    let socket = taken.map_or_else(|| open_tcp(address), Ok)?;
    // Accepted sockets inherit these two, which spares two calls for each.
    socket.set_keepalive(true)?;
    socket.set_tcp_nodelay(true)?;
    // One that listens already takes on the length of its queue.
    socket.listen(i32::try_from(backlog).unwrap_or(i32::MAX))?;
    if is_new {
        held.hold(&socket)?;
    }
    let bound = socket.local_addr()?.as_socket().unwrap_or(address);
    Ok(Listener {
        socket: socket.into(),
        place: Place::Tcp(bound),
        dialect,
        tls,
    })
}

fn open_tcp(address: SocketAddr) -> io::Result<Socket> {
    let socket = open(address, Type::STREAM, Protocol::TCP)?;
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())?;
    Ok(socket)
}

/// A socket for this family of addresses alone, not bound yet.
fn open(address: SocketAddr, kind: Type, protocol: Protocol) -> io::Result<Socket> {
    let kind = kind.nonblocking().cloexec();
    let socket = Socket::new(Domain::for_address(address), kind, Some(protocol))?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    Ok(socket)
}

fn bind_udp(address: SocketAddr, dialect: Dialect, held: &mut Held) -> io::Result<DatagramSocket> {
    let taken = held.take(&Endpoint::Udp(address));
    let is_new = taken.is_none();
    let socket = taken.map_or_else(|| open(address, Type::DGRAM, Protocol::UDP), Ok)?;
    if is_new {
        // The system gives what it allows; less is only slower.
        let _ = socket.set_send_buffer_size(DATAGRAM_SEND_BUFFER_SIZE);
        socket.bind(&address.into())?;
        held.hold(&socket)?;
    }
    let bound = socket.local_addr()?.as_socket().unwrap_or(address);
    Ok(DatagramSocket {
        socket: socket.into(),
        address: bound,
        dialect,
    })
}

/// With the file that goes with the server, if it is the server's to remove.
fn bind_unix(
    path: &Path,
    config: &Config,
    held: &mut Held,
) -> Result<(Listener, Option<SocketFile>), StartError> {
    let fail = |source| StartError::UnixSocket {
        path: path.to_owned(),
        source,
    };
    let (socket, file) = held
        .unix(path, config.unix_mode(), config.backlog)
        .map_err(fail)?;
    let listener = Listener {
        socket: socket.into(),
        place: Place::Unix(path.to_owned()),
        dialect: dialect(Some(config.protocol)),
        tls: None,
    };
    Ok((listener, file))
}

impl Listener {
    /// The descriptor.
    pub(super) fn descriptor(&self) -> i32 {
        self.socket.as_raw_fd()
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn config() -> Config {
        Config {
            tcp_port: 0,
            ..Config::default()
        }
    }

    #[test]
    fn a_port_in_use_is_named_with_its_option() {
        let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let config = Config {
            listen: vec![Listen::host("127.0.0.1")],
            tcp_port: i32::from(taken.local_addr().unwrap().port()),
            ..Config::default()
        };
        let error = Sockets::bind(&config, &mut Held::default())
            .err()
            .unwrap()
            .to_string();
        assert!(
            error.contains(&taken.local_addr().unwrap().to_string()),
            "{error}"
        );
        assert!(error.contains("-l, -p"), "{error}");
    }

    #[test]
    fn the_port_file_names_each_socket_and_ephemeral_ports_agree() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ports");
        let config = Config {
            listen: vec![Listen::host("127.0.0.1"), Listen::host("127.0.0.2")],
            tcp_port: -1,
            udp_port: -1,
            port_file: Some(path.clone()),
            ..Config::default()
        };
        let sockets = Sockets::bind(&config, &mut Held::default()).unwrap();
        sockets.tell_ports(&config).unwrap();
        let tcp: Vec<u16> = sockets
            .tcp_addresses()
            .iter()
            .map(SocketAddr::port)
            .collect();
        let udp: Vec<u16> = sockets
            .udp_addresses()
            .iter()
            .map(SocketAddr::port)
            .collect();
        assert_eq!((tcp.len(), udp.len()), (2, 2));
        let expected = format!(
            "TCP INET: {}\nTCP INET: {}\nUDP INET: {}\nUDP INET: {}\n",
            tcp[0], tcp[1], udp[0], udp[1]
        );
        assert_eq!(fs::read_to_string(path).unwrap(), expected);
    }

    #[test]
    fn a_stale_socket_file_is_replaced_and_a_live_one_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("socket");
        drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
        let config = Config {
            unix_socket: Some(path.clone()),
            unix_mask: 0o750,
            ..config()
        };
        let sockets = Sockets::bind(&config, &mut Held::default()).unwrap();
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o750);
        let error = Sockets::bind(&config, &mut Held::default())
            .err()
            .unwrap()
            .to_string();
        assert!(error.contains("-s"), "{error}");
        assert!(path.exists());
        drop(sockets);
        assert!(!path.exists());
    }

    #[test]
    fn a_file_that_is_no_socket_is_left_alone() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let config = Config {
            unix_socket: Some(file.path().to_owned()),
            ..config()
        };
        assert!(Sockets::bind(&config, &mut Held::default()).is_err());
        assert!(file.path().exists());
    }
}
