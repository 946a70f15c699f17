//! The bytes of one client, plain or encrypted.
//!
//! TCP and unix sockets are the same to us. A plain stream is its socket and nothing else; what
//! TLS adds lives in `tls.rs`, behind one pointer that a plain stream does not have.

use std::os::fd::{AsFd, AsRawFd, OwnedFd};

use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags, Shutdown};

use super::tls::{Secured, Trouble};
use crate::session::Certificate;

/// The bytes of one client, plain or encrypted.
pub(super) struct Stream {
    socket: OwnedFd,
    tls: Option<Box<Secured>>,
}

/// What became of an attempt to send.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Sent {
    /// All of it.
    All,
    /// The client does not take more at present; the rest is kept.
    Part,
    /// The connection is broken.
    Broken,
}

/// What became of an attempt to receive.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Received {
    /// This many bytes, at least one.
    Bytes {
        /// So many.
        count: usize,
        /// The system, or what decrypts, may have more for us.
        more: bool,
    },
    /// Nothing for now.
    Nothing,
    /// Something that is no data; there may be more. Only TLS has this.
    Progress,
    /// The client has shut down its side.
    End,
    /// The connection is broken.
    Broken,
}

/// How far an attempt to send came.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Sending {
    /// What became of it.
    pub(super) result: Sent,
    /// Bytes that need not be sent again.
    pub(super) count: usize,
    /// The client has taken something.
    pub(super) moved: bool,
}

impl Stream {
    /// A stream that is what its socket carries.
    pub(super) const fn plain(socket: OwnedFd) -> Self {
        Self { socket, tls: None }
    }

    /// The same connection with a handshake to begin with.
    pub(super) fn secure(self, tls: Secured) -> Self {
        Self {
            tls: Some(Box::new(tls)),
            ..self
        }
    }

    /// The descriptor.
    pub(super) fn descriptor(&self) -> i32 {
        self.socket.as_raw_fd()
    }

    /// Whether TLS protects it.
    pub(super) const fn is_secured(&self) -> bool {
        self.tls.is_some()
    }

    /// When the handshake began, in seconds of uptime, unless it is done.
    pub(super) fn handshake_since_s(&self) -> Option<u32> {
        self.tls.as_ref().and_then(|tls| tls.handshake_since_s())
    }

    /// Whether what has been encrypted waits for the client to take it.
    pub(super) fn is_blocked(&self) -> bool {
        self.tls.as_ref().is_some_and(|tls| tls.is_blocked())
    }

    /// Why TLS failed, if it did.
    pub(super) fn trouble(&self) -> Option<&Trouble> {
        self.tls.as_ref()?.trouble()
    }

    /// The client's certificate, if it has shown one.
    pub(super) fn certificate(&self) -> Option<Certificate> {
        self.tls.as_ref()?.certificate()
    }

    /// Whether the session is a new one, instead of an earlier one gone on with.
    pub(super) fn is_new_session(&self) -> bool {
        self.tls.as_ref().is_some_and(|tls| tls.is_new_session())
    }

    /// Receives once.
    pub(super) fn receive(&mut self, room: &mut [u8]) -> Received {
        if let Some(tls) = &mut self.tls {
            return tls.receive(self.socket.as_fd(), room);
        }
        match receive(&self.socket, room) {
            Ok(0) => Received::End,
            // A short read has emptied the socket: the poll will tell when there is more.
            Ok(count) => Received::Bytes {
                count,
                more: count == room.len(),
            },
            Err(Errno::AGAIN) => Received::Nothing,
            Err(_) => Received::Broken,
        }
    }

    /// Sends once. A short count is not tried again: asking the poll for room tells for sure.
    pub(super) fn send(&mut self, bytes: &[u8]) -> Sending {
        if let Some(tls) = &mut self.tls {
            return tls.send(self.socket.as_fd(), bytes);
        }
        let (result, count) = match send(&self.socket, bytes) {
            Ok(count) if count == bytes.len() => (Sent::All, count),
            Ok(count) => (Sent::Part, count),
            Err(Errno::AGAIN) => (Sent::Part, 0),
            Err(_) => (Sent::Broken, 0),
        };
        Sending {
            result,
            count,
            moved: count > 0,
        }
    }

    /// Says farewell before the socket is closed. `unread` says that there may be bytes that
    /// nobody has read.
    pub(super) fn finish(&mut self, unread: bool, room: &mut [u8]) {
        if let Some(tls) = &mut self.tls {
            tls.finish(self.socket.as_fd());
        }
        if unread {
            // Closing over unread bytes would tear down the connection at once, and the last
            // reply with it.
            let _ = rustix::net::shutdown(&self.socket, Shutdown::Write);
            let _ = receive(&self.socket, room);
        }
    }
}

/// Receives once, whatever interrupts.
pub(super) fn receive(socket: impl AsFd, room: &mut [u8]) -> Result<usize, Errno> {
    loop {
        match rustix::net::recv(&socket, &mut *room, RecvFlags::empty()) {
            Err(Errno::INTR) => {}
            other => return other.map(|(_, count)| count),
        }
    }
}

/// Sends once, whatever interrupts.
fn send(socket: &OwnedFd, bytes: &[u8]) -> Result<usize, Errno> {
    loop {
        match rustix::net::send(socket, bytes, SendFlags::NOSIGNAL) {
            Err(Errno::INTR) => {}
            other => return other,
        }
    }
}
