//! TLS for a listener that is not the server's: the certificate of the settings, and encrypted
//! connections as something that reads and writes.

use std::io;
use std::os::fd::BorrowedFd;

use super::stream::{Received, Sent};
use super::tls::{Secured, Tls, TlsError};
use crate::config::Config;
use crate::config::tls::verify;
use crate::time::FIRST_UPTIME_S;

/// The certificate and its key, whether or not clients of the cache see it (`-Z`).
pub struct Certificates(Tls);

impl Certificates {
    /// Reads both.
    ///
    /// # Errors
    ///
    /// Each names the option or the file that is wrong.
    pub fn load(config: &Config) -> Result<Self, TlsError> {
        let mut settings = config.tls.clone();
        settings.ca_cert = None;
        Tls::of(settings, &[verify::NONE], FIRST_UPTIME_S).map(Self)
    }

    /// What is read again with the server's.
    pub(super) fn tls(&self) -> &Tls {
        &self.0
    }

    /// What one new connection has.
    ///
    /// # Errors
    ///
    /// What the library has against it.
    pub fn begin(&self) -> Result<Encrypted, TlsError> {
        self.0.begin(verify::NONE, FIRST_UPTIME_S).map(Encrypted)
    }
}

/// What encrypts one connection, over a socket that does not block.
pub struct Encrypted(Secured);

impl Encrypted {
    /// Receives and decrypts: 0 is the end.
    ///
    /// # Errors
    ///
    /// As a socket has them; `Interrupted` when something came that is no data.
    pub fn receive(&mut self, socket: BorrowedFd<'_>, room: &mut [u8]) -> io::Result<usize> {
        match self.0.receive(socket, room) {
            Received::Bytes { count, more: _ } => Ok(count),
            Received::Nothing => Err(io::ErrorKind::WouldBlock.into()),
            Received::Progress => Err(io::ErrorKind::Interrupted.into()),
            Received::End => Ok(0),
            Received::Broken => Err(io::ErrorKind::ConnectionReset.into()),
        }
    }

    /// Encrypts and sends; says how many bytes were taken, though some may wait to be sent.
    ///
    /// # Errors
    ///
    /// As a socket has them.
    pub fn send(&mut self, socket: BorrowedFd<'_>, bytes: &[u8]) -> io::Result<usize> {
        let sending = self.0.send(socket, bytes);
        match sending.result {
            Sent::All => Ok(sending.count),
            Sent::Part if sending.count > 0 => Ok(sending.count),
            Sent::Part => Err(io::ErrorKind::WouldBlock.into()),
            Sent::Broken => Err(io::ErrorKind::ConnectionReset.into()),
        }
    }

    /// Whether something waits to be sent.
    pub fn is_blocked(&self) -> bool {
        self.0.is_blocked()
    }

    /// Tells the client that nothing more will come.
    pub fn finish(&mut self, socket: BorrowedFd<'_>) {
        self.0.finish(socket);
    }
}
