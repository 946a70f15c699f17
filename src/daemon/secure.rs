//! The server's TLS for the admin listener, which knows nothing of it.

use std::io;
use std::os::fd::AsFd;
use std::sync::Arc;

use socket2::Socket;

use crate::admin::{Channel, Secure};
use crate::config::Config;
use crate::server::{Certificates, Encrypted, TlsError};

/// The certificates, if the settings want the admin listener to speak TLS.
///
/// # Errors
///
/// What is wrong with them.
pub(super) fn load(config: &Config) -> Result<Option<Arc<Certificates>>, TlsError> {
    if !config.admin_tls {
        return Ok(None);
    }
    Certificates::load(config).map(Arc::new).map(Some)
}

/// The same as the admin listener sees them.
pub(super) fn of(certificates: &Arc<Certificates>) -> Box<dyn Secure> {
    Box::new(Adapter(Arc::clone(certificates)))
}

struct Adapter<T>(T);

impl Secure for Adapter<Arc<Certificates>> {
    fn begin(&self) -> Option<Box<dyn Channel>> {
        match self.0.begin() {
            Ok(encrypted) => Some(Box::new(Adapter(encrypted))),
            Err(error) => {
                log::error!("an admin connection cannot be encrypted: {error}");
                None
            }
        }
    }
}

impl Channel for Adapter<Encrypted> {
    fn receive(&mut self, socket: &Socket, room: &mut [u8]) -> io::Result<usize> {
        self.0.receive(socket.as_fd(), room)
    }

    fn send(&mut self, socket: &Socket, bytes: &[u8]) -> io::Result<usize> {
        self.0.send(socket.as_fd(), bytes)
    }

    fn is_blocked(&self) -> bool {
        self.0.is_blocked()
    }

    fn finish(&mut self, socket: &Socket) {
        self.0.finish(socket.as_fd());
    }
}
