//! One connection of a load: requests in flight, and the bytes on their way.

use std::collections::VecDeque;
use std::io::{self, Read, Write};

use mio::event::Source;
use mio::net::{TcpStream, UnixStream};
use mio::{Interest, Registry, Token};

use super::keys::{KeySpace, number_of};
use crate::client::Error;
use crate::client::stream::Stream;
use crate::client::tls::Secured;
use crate::protocol::client::{Answer, Dialect};

/// A connection that never waits.
enum Socket {
    Tcp(TcpStream),
    Unix(UnixStream),
    Tls(TcpStream, Box<Secured>),
}

impl Socket {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.read(into),
            Self::Unix(stream) => stream.read(into),
            Self::Tls(stream, secured) => secured.read(stream, into),
        }
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.write(bytes),
            Self::Unix(stream) => stream.write(bytes),
            Self::Tls(stream, secured) => secured.write(stream, bytes),
        }
    }

    /// Sends what has been encrypted and not been taken.
    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Tcp(_) | Self::Unix(_) => Ok(()),
            Self::Tls(stream, secured) => secured.flush(stream),
        }
    }

    /// Whether a read that brought less than there was room for has brought all there is.
    fn is_emptied_by_short_reads(&self) -> bool {
        !matches!(self, Self::Tls(..))
    }
}

/// A request whose reply has not come whole.
#[derive(Clone, Copy, Debug)]
pub(super) struct Flight {
    /// When it was sent, or should have been, in nanoseconds of the run.
    pub(super) begun_ns: u64,
    /// The key, or the first of several.
    pub(super) number: u64,
    /// Keys asked for; zero for a set.
    pub(super) keys: u32,
    /// Values that have come, and their bytes.
    pub(super) hits: u32,
    pub(super) value_bytes: u64,
    /// Whether the server refused it.
    pub(super) failed: bool,
}

/// A connection and what is under way on it.
pub(super) struct Lane {
    socket: Socket,
    output: Vec<u8>,
    sent: usize,
    /// Received bytes that are no whole answer yet.
    partial: Vec<u8>,
    /// Requests in flight, oldest first.
    pub(super) flights: VecDeque<Flight>,
    /// When requests should have been sent for which there was no room yet. Open loop only.
    pub(super) backlog: VecDeque<u64>,
    /// Keys that were missed and are to be set. Cache-aside only.
    pub(super) owed: VecDeque<u64>,
}

impl Lane {
    /// Takes over a connection, and has `registry` tell of it by `token`.
    pub(super) fn new(stream: Stream, registry: &Registry, token: Token) -> io::Result<Self> {
        let mut socket = match stream {
            Stream::Tcp(stream) => {
                stream.set_nonblocking(true)?;
                Socket::Tcp(TcpStream::from_std(stream))
            }
            Stream::Unix(stream) => {
                stream.set_nonblocking(true)?;
                Socket::Unix(UnixStream::from_std(stream))
            }
            Stream::Tls(stream, secured) => {
                stream.set_nonblocking(true)?;
                Socket::Tls(TcpStream::from_std(stream), secured)
            }
        };
        let source: &mut dyn Source = match &mut socket {
            Socket::Tcp(stream) | Socket::Tls(stream, _) => stream,
            Socket::Unix(stream) => stream,
        };
        source.register(registry, token, Interest::READABLE | Interest::WRITABLE)?;
        Ok(Self {
            socket,
            output: Vec::new(),
            sent: 0,
            partial: Vec::new(),
            flights: VecDeque::new(),
            backlog: VecDeque::new(),
            owed: VecDeque::new(),
        })
    }

    /// Whether nothing is under way.
    pub(super) fn is_idle(&self) -> bool {
        self.flights.is_empty() && self.backlog.is_empty() && self.owed.is_empty()
    }

    /// Notes a request as in flight, and returns where its bytes are to be appended.
    pub(super) fn begin(&mut self, begun_ns: u64, number: u64, keys: u32) -> &mut Vec<u8> {
        self.flights.push_back(Flight {
            begun_ns,
            number,
            keys,
            hits: 0,
            value_bytes: 0,
            failed: false,
        });
        &mut self.output
    }

    /// Sends what the system takes now; the rest goes when it says that it takes more.
    pub(super) fn flush(&mut self) -> Result<(), Error> {
        while self.sent < self.output.len() {
            match self.socket.write(&self.output[self.sent..]) {
                Ok(0) => return Err(Error::Broken(io::ErrorKind::WriteZero.into())),
                Ok(size) => self.sent += size,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(Error::Broken(error)),
            }
        }
        self.output.clear();
        self.sent = 0;
        match self.socket.flush() {
            Err(error) if error.kind() != io::ErrorKind::WouldBlock => Err(Error::Broken(error)),
            _ => Ok(()),
        }
    }

    /// Takes what has come, through `scratch`, and tells `done` each request that is answered.
    pub(super) fn receive(
        &mut self,
        rules: &Rules<'_>,
        scratch: &mut [u8],
        mut done: impl FnMut(Flight),
    ) -> Result<(), Error> {
        loop {
            let size = match self.socket.read(scratch) {
                Ok(0) => {
                    return Err(Error::Broken(io::Error::new(
                        io::ErrorKind::UnexpectedEof,
                        "the daemon closed it",
                    )));
                }
                Ok(size) => size,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(Error::Broken(error)),
            };
            let received = &scratch[..size];
            let flights = &mut self.flights;
            if self.partial.is_empty() {
                let taken = rules.consume(received, flights, &mut done)?;
                self.partial.extend_from_slice(&received[taken..]);
            } else {
                self.partial.extend_from_slice(received);
                let taken = rules.consume(&self.partial, flights, &mut done)?;
                self.partial.drain(..taken);
            }
            // A short read has emptied the socket; what comes later is an event of its own.
            if size < scratch.len() && self.socket.is_emptied_by_short_reads() {
                return Ok(());
            }
        }
    }
}

/// What replies must be.
pub(super) struct Rules<'a> {
    pub(super) dialect: Dialect,
    pub(super) keys: &'a KeySpace,
    /// Whether values are looked at.
    pub(super) verify: bool,
}

impl Rules<'_> {
    /// Takes whole answers from the front of these bytes; returns how many bytes that were.
    fn consume(
        &self,
        bytes: &[u8],
        flights: &mut VecDeque<Flight>,
        done: &mut impl FnMut(Flight),
    ) -> Result<usize, Error> {
        let mut at = 0;
        while at < bytes.len() {
            let rest = &bytes[at..];
            let answer = self.dialect.answer(rest);
            let Some((answer, size)) = answer.map_err(|_| Error::unexpected(rest))? else {
                break;
            };
            let flight = flights.front_mut();
            let flight = flight.ok_or_else(|| Error::unexpected(rest))?;
            if self
                .take(flight, answer)
                .ok_or_else(|| Error::unexpected(rest))?
                && let Some(flight) = flights.pop_front()
            {
                done(flight);
            }
            at += size;
        }
        Ok(at)
    }

    /// Counts an answer to a request; true when it was the last, `None` when it cannot be one.
    fn take(&self, flight: &mut Flight, answer: Answer<'_>) -> Option<bool> {
        match answer {
            Answer::Value { key, value } => {
                flight.hits += 1;
                flight.value_bytes += value.len() as u64;
                if flight.hits > flight.keys {
                    return None;
                }
                let alone = key.is_empty();
                if self.verify {
                    let number = if flight.keys == 1 {
                        flight.number
                    } else {
                        number_of(key)?
                    };
                    let key_fits = alone || number_of(key) == Some(number);
                    if !key_fits || !self.keys.is_value(number, value) {
                        return None;
                    }
                }
                Some(alone)
            }
            Answer::End => (flight.keys > 0).then_some(true),
            Answer::Miss => (flight.keys == 1).then_some(true),
            Answer::Stored => (flight.keys == 0).then_some(true),
            Answer::Other(_) => {
                flight.failed = true;
                // A request for several values in these is several, and one more that ends them.
                Some(flight.keys <= 1 || self.dialect == Dialect::Text)
            }
        }
    }
}
