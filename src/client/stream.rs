//! Where a daemon is, and a socket that is connected to it, plain or encrypted.
//!
//! Every wait is bounded by the time limit that the stream was opened with.

use std::fmt;
use std::io::{self, Read, Write};
use std::net::{IpAddr, TcpStream, ToSocketAddrs};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use super::Error;
use super::tls::{Secured, Tls};
use crate::limits::PORT_DEFAULT;

/// Where a daemon is.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Address {
    /// A host's name or address, and a port.
    Tcp {
        /// A name or an address, without brackets.
        host: String,
        /// The port.
        port: u16,
    },
    /// A unix socket.
    Unix(PathBuf),
}

impl Address {
    /// Whether it is on this host for sure.
    pub fn is_local(&self) -> bool {
        match self {
            Self::Unix(_) => true,
            Self::Tcp { host, .. } => {
                let ip = host.parse::<IpAddr>();
                host == "localhost" || ip.is_ok_and(|ip| ip.is_loopback())
            }
        }
    }
}

impl FromStr for Address {
    type Err = String;

    /// Reads `HOST`, `HOST:PORT`, `[IPV6]:PORT`, or a path, which has a slash in it.
    fn from_str(text: &str) -> Result<Self, String> {
        if text.contains('/') {
            return Ok(Self::Unix(text.into()));
        }
        let (host, port) = match text.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            Some((host, "")) => (host, None),
            Some((host, port)) => (host, Some(port.strip_prefix(':').unwrap_or(port))),
            // An address of IP version 6 has several colons and, without brackets, no port.
            None if text.matches(':').count() > 1 => (text, None),
            None => match text.split_once(':') {
                Some((host, port)) => (host, Some(port)),
                None => (text, None),
            },
        };
        let port = match port {
            None => PORT_DEFAULT,
            Some(port) => port.parse().map_err(|_| format!("{port:?} is no port"))?,
        };
        if host.is_empty() {
            return Err("a host is missing: HOST:PORT or the path of a unix socket".to_owned());
        }
        Ok(Self::Tcp {
            host: host.to_owned(),
            port,
        })
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp { host, port } if host.contains(':') => write!(f, "[{host}]:{port}"),
            Self::Tcp { host, port } => write!(f, "{host}:{port}"),
            Self::Unix(path) => write!(f, "{}", path.display()),
        }
    }
}

/// The socket itself, connected.
pub(super) enum Stream {
    Tcp(TcpStream),
    Unix(UnixStream),
    Tls(TcpStream, Box<Secured>),
}

impl Stream {
    /// Connects, trying each address that the host's name stands for, and shakes hands.
    ///
    /// # Errors
    ///
    /// [`Error::Connect`] when nobody answers, or nobody who is to be trusted;
    /// [`Error::Usage`] for TLS on a unix socket, which nobody speaks.
    pub(super) fn open(
        address: &Address,
        timeout: Duration,
        tls: Option<&Tls>,
    ) -> Result<Self, Error> {
        if tls.is_some() && matches!(address, Address::Unix(_)) {
            let words = "TLS is for TCP: a unix socket does not leave this host";
            return Err(Error::Usage(words.to_owned()));
        }
        Self::connect(address, timeout, tls).map_err(|cause| Error::Connect {
            server: address.to_string(),
            cause,
        })
    }

    fn connect(address: &Address, timeout: Duration, tls: Option<&Tls>) -> io::Result<Self> {
        match address {
            Address::Unix(path) => {
                let stream = UnixStream::connect(path)?;
                stream.set_read_timeout(Some(timeout))?;
                stream.set_write_timeout(Some(timeout))?;
                Ok(Self::Unix(stream))
            }
            Address::Tcp { host, port } => {
                let mut refused = io::Error::new(io::ErrorKind::NotFound, "no such host");
                for address in (host.as_str(), *port).to_socket_addrs()? {
                    match TcpStream::connect_timeout(&address, timeout) {
                        Ok(mut stream) => {
                            stream.set_nodelay(true)?;
                            stream.set_read_timeout(Some(timeout))?;
                            stream.set_write_timeout(Some(timeout))?;
                            return Ok(match tls {
                                None => Self::Tcp(stream),
                                Some(tls) => {
                                    let secured = tls.begin(host, &mut stream)?;
                                    Self::Tls(stream, Box::new(secured))
                                }
                            });
                        }
                        Err(error) => refused = error,
                    }
                }
                Err(refused)
            }
        }
    }

    /// How long a read may wait from now on.
    pub(super) fn set_read_timeout(&self, timeout: Duration) -> io::Result<()> {
        match self {
            Self::Tcp(stream) | Self::Tls(stream, _) => stream.set_read_timeout(Some(timeout)),
            Self::Unix(stream) => stream.set_read_timeout(Some(timeout)),
        }
    }

    /// Whether others on the way could read along.
    pub(super) fn is_exposed(&self) -> bool {
        match self {
            Self::Tcp(stream) => stream
                .peer_addr()
                .is_ok_and(|address| !address.ip().is_loopback()),
            Self::Unix(_) | Self::Tls(..) => false,
        }
    }
}

impl Read for Stream {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.read(into),
            Self::Unix(stream) => stream.read(into),
            Self::Tls(stream, secured) => secured.read(stream, into),
        }
    }
}

impl Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.write(bytes),
            Self::Unix(stream) => stream.write(bytes),
            Self::Tls(stream, secured) => secured.write(stream, bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Tcp(_) | Self::Unix(_) => Ok(()),
            Self::Tls(stream, secured) => secured.flush(stream),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_hosts_with_ports_or_paths() {
        let tcp = |host: &str, port| {
            Ok(Address::Tcp {
                host: host.to_owned(),
                port,
            })
        };
        assert_eq!("localhost".parse(), tcp("localhost", 11211));
        assert_eq!("10.0.0.1:7".parse(), tcp("10.0.0.1", 7));
        assert_eq!("::1".parse(), tcp("::1", 11211));
        assert_eq!("[::1]".parse(), tcp("::1", 11211));
        assert_eq!("[::1]:7".parse(), tcp("::1", 7));
        assert_eq!(
            "/run/larder.sock".parse(),
            Ok(Address::Unix("/run/larder.sock".into()))
        );
        assert_eq!("./a".parse(), Ok(Address::Unix("./a".into())));
        for wrong in ["", ":1", "host:", "host:x", "host:65536", "[::1]x"] {
            assert!(wrong.parse::<Address>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn an_address_is_shown_as_it_is_given() {
        for text in ["localhost:1", "[::1]:7", "/run/larder.sock"] {
            let address: Address = text.parse().expect("an address");
            assert_eq!(address.to_string(), text);
        }
    }
}
