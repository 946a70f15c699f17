//! The bytes of one admin connection, plain or encrypted.
//!
//! What encrypts them is given by whoever starts the listener, so that nothing here knows a
//! library for it.

use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::os::fd::AsRawFd;

use socket2::Socket;

/// Certificates, and what makes encrypted connections of sockets.
pub trait Secure: Send + Sync {
    /// What one new connection has; `None` when there can be none.
    fn begin(&self) -> Option<Box<dyn Channel>>;
}

/// What encrypts one connection. The socket never blocks.
pub trait Channel: Send {
    /// As [`Read::read`] on the socket. `Interrupted` is progress that is no data.
    ///
    /// # Errors
    ///
    /// As a socket has them.
    fn receive(&mut self, socket: &Socket, room: &mut [u8]) -> io::Result<usize>;
    /// As [`Write::write`] on the socket.
    ///
    /// # Errors
    ///
    /// As a socket has them.
    fn send(&mut self, socket: &Socket, bytes: &[u8]) -> io::Result<usize>;
    /// Whether something that was taken by [`Self::send`] has not been sent.
    fn is_blocked(&self) -> bool;
    /// Tells the client that nothing more will come.
    fn finish(&mut self, socket: &Socket);
}

/// One connection.
pub(super) struct Stream {
    socket: Socket,
    channel: Option<Box<dyn Channel>>,
}

impl Stream {
    /// What the socket carries.
    pub(super) fn new(socket: Socket, channel: Option<Box<dyn Channel>>) -> Self {
        Self { socket, channel }
    }

    /// The descriptor.
    pub(super) fn descriptor(&self) -> i32 {
        self.socket.as_raw_fd()
    }

    /// Whether something that was taken has not been sent: write nothing to send it.
    pub(super) fn is_blocked(&self) -> bool {
        self.channel.as_ref().is_some_and(|one| one.is_blocked())
    }

    /// Tells the client that nothing more will come.
    pub(super) fn finish(&mut self) -> io::Result<()> {
        if let Some(channel) = &mut self.channel {
            channel.finish(&self.socket);
        }
        self.socket.shutdown(Shutdown::Write)
    }
}

impl Read for Stream {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        match &mut self.channel {
            None => self.socket.read(room),
            Some(channel) => channel.receive(&self.socket, room),
        }
    }
}

impl Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.channel {
            None => self.socket.write(bytes),
            Some(channel) => channel.send(&self.socket, bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
