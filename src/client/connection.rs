//! One blocking connection to a daemon.
//!
//! [`Address`] says where the daemon is; [`Connection::open`] goes there. Every wait is bounded by
//! the time limit that the connection was opened with, and memory by what the daemon has really
//! sent.

use std::fmt;
use std::io::{self, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use zeroize::Zeroizing;

use super::Error;
use crate::limits::PORT_DEFAULT;
use crate::protocol::client::{self as wire, Malformed, REPLY_LINE_SIZE_MAX, Reply};

/// Bytes read at a time.
const READ_SIZE: usize = 64 << 10;

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

/// The socket itself, connected and blocking.
pub(super) enum Stream {
    Tcp(TcpStream),
    Unix(UnixStream),
}

/// An item as a client sees it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Item {
    /// What the client that stored it noted beside it.
    pub flags: u32,
    /// Changes with every change of the item.
    pub cas: u64,
    /// The value.
    pub value: Vec<u8>,
}

/// Who one is to a daemon that asks for a login.
#[derive(Clone)]
pub struct Login {
    /// The name of the user.
    pub user: String,
    /// The password.
    pub password: Zeroizing<Vec<u8>>,
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Not the password, wherever this is printed.
        f.debug_struct("Login")
            .field("user", &self.user)
            .finish_non_exhaustive()
    }
}

/// A conversation with a daemon, one request at a time.
pub struct Connection {
    stream: Stream,
    /// Received bytes; those before `start` are done with.
    input: Vec<u8>,
    start: usize,
}

impl Connection {
    /// Connects, trying each address that the host's name stands for. No wait, here or later, is
    /// longer than `timeout`.
    ///
    /// # Errors
    ///
    /// [`Error::Connect`] when nobody answers.
    pub fn open(address: &Address, timeout: Duration) -> Result<Self, Error> {
        Ok(Self {
            stream: Stream::open(address, timeout)?,
            input: Vec::new(),
            start: 0,
        })
    }

    /// Logs in by the text protocol, as `-Y` of the daemon asks for: by a `set` whose value is
    /// the user's name and password.
    ///
    /// # Errors
    ///
    /// [`Error::Refused`] and [`Error::Broken`].
    pub fn login(&mut self, login: &Login) -> Result<(), Error> {
        let mut words = Zeroizing::new(login.user.clone().into_bytes());
        words.push(b' ');
        words.extend_from_slice(&login.password);
        self.set(b"login", 0, 0, &words)
    }

    /// The socket, when no reply is awaited.
    pub(super) fn into_stream(self) -> Stream {
        self.stream
    }

    /// Sends bytes.
    ///
    /// # Errors
    ///
    /// [`Error::Broken`]; this is so for all that follows.
    pub fn send(&mut self, request: &[u8]) -> Result<(), Error> {
        match &mut self.stream {
            Stream::Tcp(stream) => stream.write_all(request),
            Stream::Unix(stream) => stream.write_all(request),
        }
        .map_err(Error::Broken)
    }

    /// Sends one line of words.
    ///
    /// # Errors
    ///
    /// [`Error::Broken`].
    pub fn command(&mut self, words: &[&[u8]]) -> Result<(), Error> {
        let mut request = Vec::new();
        wire::command(&mut request, words);
        self.send(&request)
    }

    /// Takes the next line of what the daemon says, without its line end.
    ///
    /// # Errors
    ///
    /// [`Error::Broken`]; a line longer than [`REPLY_LINE_SIZE_MAX`] is none.
    pub fn line(&mut self) -> Result<Vec<u8>, Error> {
        loop {
            let received = &self.input[self.start..];
            if let Some((line, size)) = wire::line(received) {
                let line = line.to_vec();
                self.start += size;
                return Ok(line);
            }
            if received.len() > REPLY_LINE_SIZE_MAX {
                return Err(Error::unexpected(received));
            }
            self.receive()?;
        }
    }

    /// Takes a data block of `size` bytes, and the line end behind it.
    ///
    /// # Errors
    ///
    /// [`Error::Broken`].
    pub fn block(&mut self, size: usize) -> Result<Vec<u8>, Error> {
        loop {
            match wire::block(&self.input[self.start..], size) {
                Ok(Some((data, taken))) => {
                    let data = data.to_vec();
                    self.start += taken;
                    return Ok(data);
                }
                Ok(None) => self.receive()?,
                Err(Malformed) => return Err(Error::unexpected(&self.input[self.start..])),
            }
        }
    }

    /// Fetches an item with its cas; `None` when there is none.
    ///
    /// # Errors
    ///
    /// [`Error::Refused`] and [`Error::Broken`].
    pub fn get(&mut self, key: &[u8]) -> Result<Option<Item>, Error> {
        self.command(&[b"gets", key])?;
        let mut found = None;
        loop {
            let line = self.line()?;
            match Reply::parse(&line) {
                Reply::Value {
                    flags, size, cas, ..
                } => {
                    found = Some(Item {
                        flags,
                        cas: cas.unwrap_or_default(),
                        value: self.block(size)?,
                    });
                }
                Reply::End => return Ok(found),
                _ => return Err(other(&line)),
            }
        }
    }

    /// Stores an item. `exptime` is what requests carry: seconds from now up to 30 days, above
    /// that a Unix time, 0 for no end.
    ///
    /// # Errors
    ///
    /// [`Error::Refused`] and [`Error::Broken`].
    pub fn set(&mut self, key: &[u8], flags: u32, exptime: i64, value: &[u8]) -> Result<(), Error> {
        // A login is sent in this way too.
        let mut request = Zeroizing::new(Vec::with_capacity(value.len() + key.len() + 64));
        wire::set(&mut request, key, flags, exptime, value);
        self.send(&request)?;
        let line = self.line()?;
        match Reply::parse(&line) {
            Reply::Done => Ok(()),
            _ => Err(other(&line)),
        }
    }

    /// Removes an item; false when there was none.
    ///
    /// # Errors
    ///
    /// [`Error::Refused`] and [`Error::Broken`].
    pub fn delete(&mut self, key: &[u8]) -> Result<bool, Error> {
        self.command(&[b"delete", key])?;
        let line = self.line()?;
        match Reply::parse(&line) {
            Reply::Done => Ok(true),
            Reply::NotFound => Ok(false),
            _ => Err(other(&line)),
        }
    }

    /// Fetches an entry of `config`, such as `cluster`; `None` when there is none.
    ///
    /// # Errors
    ///
    /// [`Error::Refused`] when the daemon knows no such thing, and [`Error::Broken`].
    pub fn config(&mut self, key: &[u8]) -> Result<Option<Vec<u8>>, Error> {
        self.command(&[b"config", b"get", key])?;
        let mut found = None;
        loop {
            let line = self.line()?;
            match Reply::parse(&line) {
                Reply::Value { size, .. } => found = Some(self.block(size)?),
                Reply::End => return Ok(found),
                _ => return Err(other(&line)),
            }
        }
    }

    /// Stores an entry of `config`.
    ///
    /// # Errors
    ///
    /// [`Error::Refused`] and [`Error::Broken`].
    pub fn set_config(&mut self, key: &[u8], bytes: &[u8]) -> Result<(), Error> {
        let mut request = Vec::new();
        wire::set_config(&mut request, key, bytes);
        self.send(&request)?;
        let line = self.line()?;
        match Reply::parse(&line) {
            Reply::Done => Ok(()),
            _ => Err(other(&line)),
        }
    }

    /// The version that the daemon claims.
    ///
    /// # Errors
    ///
    /// [`Error::Refused`] and [`Error::Broken`].
    pub fn version(&mut self) -> Result<String, Error> {
        self.command(&[b"version"])?;
        let line = self.line()?;
        match Reply::parse(&line) {
            Reply::Version(version) => Ok(text(version)),
            _ => Err(other(&line)),
        }
    }

    /// A report: `stats`, or one of its groups by its words. Names and values in the daemon's
    /// order.
    ///
    /// # Errors
    ///
    /// [`Error::Refused`] when there is no such group, and [`Error::Broken`].
    pub fn stats(&mut self, group: &[&[u8]]) -> Result<Vec<(String, String)>, Error> {
        let mut words: Vec<&[u8]> = vec![b"stats"];
        words.extend_from_slice(group);
        self.command(&words)?;
        let mut report = Vec::new();
        loop {
            let line = self.line()?;
            match Reply::parse(&line) {
                Reply::Stat { name, value } => report.push((text(name), text(value))),
                Reply::End => return Ok(report),
                // `stats reset` says a word of its own.
                Reply::Done => return Ok(report),
                _ => return Err(other(&line)),
            }
        }
    }

    /// Reads once. What is done with is dropped first, so that the buffer holds no more than one
    /// reply and one read.
    fn receive(&mut self) -> Result<(), Error> {
        self.input.drain(..self.start);
        self.start = 0;
        let filled = self.input.len();
        self.input.resize(filled + READ_SIZE, 0);
        let space = &mut self.input[filled..];
        let result = loop {
            let result = match &mut self.stream {
                Stream::Tcp(stream) => stream.read(space),
                Stream::Unix(stream) => stream.read(space),
            };
            match result {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                result => break result,
            }
        };
        self.input
            .truncate(filled + result.as_ref().copied().unwrap_or(0));
        match result {
            Ok(0) => Err(Error::Broken(io::Error::new(
                io::ErrorKind::UnexpectedEof,
                "the daemon closed it",
            ))),
            Ok(_) => Ok(()),
            Err(error) => Err(Error::Broken(error)),
        }
    }
}

impl Stream {
    /// Connects; see [`Connection::open`].
    pub(super) fn open(address: &Address, timeout: Duration) -> Result<Self, Error> {
        Self::connect(address, timeout).map_err(|cause| Error::Connect {
            server: address.to_string(),
            cause,
        })
    }

    fn connect(address: &Address, timeout: Duration) -> io::Result<Self> {
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
                        Ok(stream) => {
                            stream.set_nodelay(true)?;
                            stream.set_read_timeout(Some(timeout))?;
                            stream.set_write_timeout(Some(timeout))?;
                            return Ok(Self::Tcp(stream));
                        }
                        Err(error) => refused = error,
                    }
                }
                Err(refused)
            }
        }
    }
}

/// What a line means that is none of those hoped for.
fn other(line: &[u8]) -> Error {
    match Reply::parse(line) {
        Reply::Refused(_) => Error::Refused(text(line)),
        Reply::NotFound => Error::NotFound,
        Reply::NotStored | Reply::Exists => Error::Refused(text(line)),
        _ => Error::unexpected(line),
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
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
