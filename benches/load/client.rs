//! One load thread: its connections, and the loop that keeps each of them busy.

use std::io::{self, Read, Write};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};

use super::Shape;
use super::keys::{Pick, Random};
use super::wire::{Format, Replies, Seen};

/// How a thread waits when no reply is there.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Wait {
    /// It asks again at once. For a core of its own: the server then never pays for waking it.
    Spin,
    /// It sleeps. For a core shared with the server.
    Sleep,
}

/// What a load thread has done so far; it writes, anyone reads.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    /// Requests answered.
    pub(crate) requests: AtomicU64,
    /// Keys asked for and not found.
    pub(crate) misses: AtomicU64,
}

/// One connection and its batch in flight.
struct Connection {
    stream: TcpStream,
    output: Vec<u8>,
    sent: usize,
    input: Vec<u8>,
    received: usize,
    replies: Replies,
    /// Requests in the batch in flight.
    batch: u32,
}

/// Keeps all connections busy until `stop`, or until the keys are used up. Closed loop: a
/// connection sends its next batch when it has the whole reply to the last.
pub(crate) fn run(
    shape: &Shape,
    address: SocketAddr,
    connections: u32,
    mut pick: Pick,
    progress: &Progress,
    stop: &AtomicBool,
) -> io::Result<()> {
    let format = shape.format;
    let mut random = Random(0x5eed ^ u64::from(connections));
    let mut poll = Poll::new()?;
    let mut events = Events::with_capacity(256);
    let mut clients = Vec::new();
    for index in 0..connections as usize {
        clients.push(Connection::open(shape, address, &poll, Token(index))?);
    }
    let mut busy = clients.len();
    for client in &mut clients {
        busy -= usize::from(!client.next_batch(shape, &mut pick, &mut random)?);
    }
    let timeout = match shape.wait {
        Wait::Spin => Duration::ZERO,
        Wait::Sleep => Duration::from_millis(100),
    };
    while busy > 0 && !stop.load(Ordering::Relaxed) {
        match poll.poll(&mut events, Some(timeout)) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            other => other?,
        }
        for event in &events {
            let client = &mut clients[event.token().0];
            if event.is_writable() {
                client.flush()?;
            }
            if event.is_readable() && client.receive(&format)? {
                add(&progress.requests, u64::from(client.batch));
                add(&progress.misses, std::mem::take(&mut client.replies.misses));
                busy -= usize::from(!client.next_batch(shape, &mut pick, &mut random)?);
            }
        }
    }
    Ok(())
}

impl Connection {
    fn open(shape: &Shape, address: SocketAddr, poll: &Poll, token: Token) -> io::Result<Self> {
        // Connected while blocking, so that no request waits for a handshake.
        let stream = std::net::TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_nonblocking(true)?;
        let mut stream = TcpStream::from_std(stream);
        let interest = Interest::READABLE | Interest::WRITABLE;
        poll.registry().register(&mut stream, token, interest)?;
        // One byte more than the longest reply: a full buffer then means a wrong reply.
        let size = shape.format.reply_size_max(shape.operation) * shape.depth as usize + 1;
        Ok(Self {
            stream,
            output: Vec::new(),
            sent: 0,
            input: vec![0; size],
            received: 0,
            replies: Replies::default(),
            batch: 0,
        })
    }

    /// Sends the next batch; returns false when there are no more keys.
    fn next_batch(
        &mut self,
        shape: &Shape,
        pick: &mut Pick,
        random: &mut Random,
    ) -> io::Result<bool> {
        self.output.clear();
        self.sent = 0;
        self.received = 0;
        self.replies.reset();
        self.batch = 0;
        while self.batch < shape.depth {
            let Some(number) = pick.next(shape.format.keys) else {
                break;
            };
            let (output, replies) = (&mut self.output, &mut self.replies);
            shape
                .format
                .request(shape.operation, number, random, output, replies);
            self.batch += 1;
        }
        self.flush()?;
        Ok(self.batch > 0)
    }

    fn flush(&mut self) -> io::Result<()> {
        while self.sent < self.output.len() {
            match self.stream.write(&self.output[self.sent..]) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(size) => self.sent += size,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Takes what has come; returns true when the batch is answered. One read for an event: a
    /// short read has emptied the socket, and what comes later is an event of its own.
    fn receive(&mut self, format: &Format) -> io::Result<bool> {
        if self.replies.is_empty() {
            return Ok(false);
        }
        match self.stream.read(&mut self.input[self.received..]) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(size) => self.received += size,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return Ok(false),
            Err(error) => return Err(error),
        }
        let bytes = &self.input[..self.received];
        match self.replies.look(format, bytes) {
            Seen::All => Ok(true),
            Seen::Part => Ok(false),
            Seen::Wrong => {
                let rest = self.replies.rest(bytes);
                let shown = String::from_utf8_lossy(&rest[..rest.len().min(80)]);
                Err(io::Error::new(
                    io::ErrorKind::InvalidData,
                    format!("unexpected reply: {shown:?}"),
                ))
            }
        }
    }
}

/// Adds to a counter that only this thread writes.
fn add(counter: &AtomicU64, by: u64) {
    counter.store(counter.load(Ordering::Relaxed) + by, Ordering::Relaxed);
}
