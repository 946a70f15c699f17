//! One blocking connection to a daemon: bytes out, lines, blocks and packets in.
//!
//! [`Connection::open`] goes there and logs in. What can be asked is in `requests.rs`; how one logs
//! in is in `login.rs`. Every wait is bounded by the time limit of [`Access`], and memory by what
//! the daemon has really sent.

use std::fmt;
use std::io::{self, Read, Write};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::{Mutex, MutexGuard};
use zeroize::Zeroizing;

use super::Error;
use super::scram::Salted;
use super::stream::{Address, Stream};
use super::tls::Tls;
use crate::protocol::client::binary::{self, Packet, Request};
use crate::protocol::client::{self as wire, Malformed, REPLY_LINE_SIZE_MAX, Reply};

/// Bytes read at a time.
const READ_SIZE: usize = 64 << 10;

/// Who one is to a daemon that asks for a login.
#[derive(Clone)]
pub struct Login {
    /// The name of the user.
    pub user: String,
    /// The password.
    pub password: Zeroizing<Vec<u8>>,
    /// What a daemon that lets clients prove it has had made of it.
    salted: Arc<Mutex<Salted>>,
}

impl Login {
    /// This user, with this password.
    pub fn new(user: String, password: Zeroizing<Vec<u8>>) -> Self {
        Self {
            user,
            password,
            salted: Arc::default(),
        }
    }

    pub(super) fn salted(&self) -> MutexGuard<'_, Salted> {
        self.salted.lock()
    }
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Not the password, wherever this is printed.
        f.debug_struct("Login")
            .field("user", &self.user)
            .finish_non_exhaustive()
    }
}

/// How a daemon is come to.
#[derive(Clone, Debug)]
pub struct Access {
    /// Longest wait, each time.
    pub timeout: Duration,
    /// How connections are encrypted, if they are.
    pub tls: Option<Tls>,
    /// Who is asking, if the daemon wants to know.
    pub login: Option<Login>,
    /// Whether to speak in packets from the first byte on.
    pub binary: bool,
    /// Whether the password may cross the network as it is.
    pub allow_cleartext: bool,
}

impl Access {
    /// Plain text, and nobody in particular.
    pub fn plain(timeout: Duration) -> Self {
        Self {
            timeout,
            tls: None,
            login: None,
            binary: false,
            allow_cleartext: false,
        }
    }
}

/// What became of a wish to log in.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum LoggedIn {
    /// There was none.
    Nobody,
    /// The daemon knows who asks.
    Yes,
    /// The daemon asks nobody; no password has been sent.
    Unneeded,
}

/// A conversation with a daemon, one request at a time.
pub struct Connection {
    stream: Stream,
    /// Whether a password may be told on it as it is.
    pub(super) is_discreet: bool,
    /// Whether it is in packets. The first byte has decided that for good.
    binary: bool,
    logged_in: LoggedIn,
    /// Received bytes; those before `start` are done with.
    input: Vec<u8>,
    start: usize,
}

impl Connection {
    /// Connects, trying each address that the host's name stands for, and logs in where that is
    /// asked for: by text, or by packets when the daemon speaks nothing else. No wait, here or
    /// later, is longer than the time limit.
    ///
    /// # Errors
    ///
    /// [`Error::Connect`] when nobody answers, [`Error::Refused`] when the login fails, and
    /// [`Error::Usage`] when others could read the password along.
    pub fn open(address: &Address, access: &Access) -> Result<Self, Error> {
        let mut connection = Self::bare(address, access, access.binary)?;
        let Some(login) = &access.login else {
            return Ok(connection);
        };
        connection.logged_in = if access.binary {
            connection.log_in_by_packets(login)?
        } else {
            match connection.log_in_by_text(login) {
                // It has closed the connection because it speaks packets only.
                Err(Error::Broken(cause)) if is_end(&cause) => {
                    connection = Self::bare(address, access, true)?;
                    connection.log_in_by_packets(login)?
                }
                other => other?,
            }
        };
        Ok(connection)
    }

    fn bare(address: &Address, access: &Access, binary: bool) -> Result<Self, Error> {
        let stream = Stream::open(address, access.timeout, access.tls.as_ref())?;
        Ok(Self {
            is_discreet: access.allow_cleartext || !stream.is_exposed(),
            stream,
            binary,
            logged_in: LoggedIn::Nobody,
            input: Vec::new(),
            start: 0,
        })
    }

    /// The socket, when no reply is awaited.
    pub(super) fn into_stream(self) -> Stream {
        self.stream
    }

    /// Whether the conversation is in packets.
    pub fn is_binary(&self) -> bool {
        self.binary
    }

    /// What became of the login.
    pub fn logged_in(&self) -> LoggedIn {
        self.logged_in
    }

    /// Sets how long each wait may be from now on.
    ///
    /// # Errors
    ///
    /// [`Error::Broken`].
    pub fn set_patience(&mut self, patience: Duration) -> Result<(), Error> {
        self.stream
            .set_read_timeout(patience)
            .map_err(Error::Broken)
    }

    /// Sends bytes.
    ///
    /// # Errors
    ///
    /// [`Error::Broken`]; this is so for all that follows.
    pub fn send(&mut self, request: &[u8]) -> Result<(), Error> {
        self.stream
            .write_all(request)
            .and_then(|()| self.stream.flush())
            .map_err(Error::Broken)
    }

    /// Sends one line of words.
    ///
    /// # Errors
    ///
    /// [`Error::Broken`]; [`Error::Lacks`] when the conversation is in packets.
    pub fn command(&mut self, words: &[&[u8]]) -> Result<(), Error> {
        if self.binary {
            let words = "the binary protocol has no such request; it needs the text protocol";
            return Err(Error::Lacks(words.to_owned()));
        }
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

    /// Sends a packet and hands its reply to `take`.
    pub(super) fn exchange<T>(
        &mut self,
        request: &Request<'_>,
        take: impl FnOnce(Packet<'_>) -> T,
    ) -> Result<T, Error> {
        // A login is sent in this way too.
        let mut bytes = Zeroizing::new(Vec::with_capacity(request.value.len() + 512));
        request.push(&mut bytes);
        self.send(&bytes)?;
        self.packet(take)
    }

    /// Takes the next packet of what the daemon says.
    pub(super) fn packet<T>(&mut self, take: impl FnOnce(Packet<'_>) -> T) -> Result<T, Error> {
        loop {
            let received = &self.input[self.start..];
            match binary::packet(received) {
                Ok(Some((packet, size))) => {
                    let taken = take(packet);
                    self.start += size;
                    return Ok(taken);
                }
                Ok(None) => self.receive()?,
                Err(Malformed) => return Err(Error::unexpected(received)),
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
        let result = loop {
            match self.stream.read(&mut self.input[filled..]) {
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

/// Whether the daemon has ended the connection, one way or another.
fn is_end(cause: &io::Error) -> bool {
    matches!(
        cause.kind(),
        io::ErrorKind::UnexpectedEof
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::BrokenPipe
    )
}

/// What a line means that is none of those hoped for.
pub(super) fn other(line: &[u8]) -> Error {
    match Reply::parse(line) {
        Reply::Refused(b"ERROR") => {
            Error::Lacks("it answered ERROR: it does not know this request".to_owned())
        }
        Reply::Refused(_) => Error::Refused(text(line)),
        Reply::NotFound => Error::NotFound,
        Reply::NotStored | Reply::Exists => Error::Refused(text(line)),
        _ => Error::unexpected(line),
    }
}

pub(super) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
