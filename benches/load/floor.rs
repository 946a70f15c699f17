//! The floor under any server of this kind: an event loop that stores nothing.
//!
//! It reads once, counts requests by their fixed length, answers each with the same bytes, and
//! writes once. What a server uses beyond this is its own; what the floor uses is the kernel's and
//! the machine's.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr};

use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token};

/// Connections that the floor can serve at a time.
const CONNECTION_COUNT_MAX: usize = 4096;

/// Bytes read at a time, and the least that all replies to them may come to.
const SCRATCH_SIZE: usize = 64 << 10;

struct Connection {
    stream: TcpStream,
    /// Bytes of a request that has not come whole.
    partial: usize,
    /// Bytes of replies that are owed.
    owed: usize,
}

/// Answers for ever: `reply` to each `request_size` bytes. Prints the port it listens on as its
/// first line.
pub(crate) fn serve(request_size: usize, reply: &[u8]) -> io::Result<()> {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let mut listener = TcpListener::bind(address)?;
    let mut out = io::stdout();
    writeln!(out, "{}", listener.local_addr()?.port())?;
    out.flush()?;
    let mut poll = Poll::new()?;
    let listening = Token(CONNECTION_COUNT_MAX);
    poll.registry()
        .register(&mut listener, listening, Interest::READABLE)?;
    let mut events = Events::with_capacity(256);
    let mut connections: Vec<Option<Connection>> = Vec::new();
    let mut scratch = vec![0; SCRATCH_SIZE];
    let reply_size = reply.len();
    let replies = reply.repeat(SCRATCH_SIZE / reply_size + 2);
    loop {
        match poll.poll(&mut events, None) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            other => other?,
        }
        for event in &events {
            if event.token() == listening {
                accept(&listener, &poll, &mut connections)?;
                continue;
            }
            let slot = &mut connections[event.token().0];
            let Some(connection) = slot else { continue };
            let more = connection.turn(&mut scratch, &replies, request_size, reply_size);
            if !more.unwrap_or(false) {
                *slot = None;
            }
        }
    }
}

fn accept(
    listener: &TcpListener,
    poll: &Poll,
    connections: &mut Vec<Option<Connection>>,
) -> io::Result<()> {
    loop {
        let mut stream = match listener.accept() {
            Ok((stream, _)) => stream,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
            Err(error) => return Err(error),
        };
        stream.set_nodelay(true)?;
        let index = match connections.iter().position(Option::is_none) {
            Some(index) => index,
            None if connections.len() < CONNECTION_COUNT_MAX => {
                connections.push(None);
                connections.len() - 1
            }
            None => continue,
        };
        let interest = Interest::READABLE | Interest::WRITABLE;
        poll.registry()
            .register(&mut stream, Token(index), interest)?;
        connections[index] = Some(Connection {
            stream,
            partial: 0,
            owed: 0,
        });
    }
}

impl Connection {
    /// Reads until a short read, and answers. Returns false at the end of the stream.
    fn turn(
        &mut self,
        scratch: &mut [u8],
        replies: &[u8],
        request_size: usize,
        reply_size: usize,
    ) -> io::Result<bool> {
        loop {
            let size = match self.stream.read(scratch) {
                Ok(0) => return Ok(false),
                Ok(size) => size,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => 0,
                Err(error) => return Err(error),
            };
            let pending = self.partial + size;
            self.partial = pending % request_size;
            self.owed += pending / request_size * reply_size;
            while self.owed > 0 {
                // A reply that has gone out in part goes on where it was cut.
                let from = (reply_size - self.owed % reply_size) % reply_size;
                let until = replies.len().min(from + self.owed);
                match self.stream.write(&replies[from..until]) {
                    Ok(sent) => self.owed -= sent,
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                    Err(error) => return Err(error),
                }
            }
            if size < scratch.len() {
                return Ok(true);
            }
        }
    }
}
