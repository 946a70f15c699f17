//! The datagram transport: off by default, one request and its reply at a time.
//!
//! Each datagram begins with eight bytes: the client's request id, the number of this datagram
//! and of all datagrams in the message, and two zero bytes, all big endian. A request is one
//! datagram; a reply message may take several. A datagram that is anything else is dropped: an
//! answer to a forged sender is somebody's flood.

use std::io::ErrorKind;
use std::net::{SocketAddr, UdpSocket};
use std::os::fd::AsRawFd;
use std::sync::Arc;

use crate::limits::{DATAGRAM_COUNT_MAX, DATAGRAM_SIZE_MAX};
use crate::session::{Context, Dialect, Peer, Session};

/// Bytes before the payload.
const HEADER_SIZE: usize = 8;

/// One socket for datagrams.
pub(super) struct Datagrams {
    socket: UdpSocket,
    session: Session,
    ready: bool,
}

impl Datagrams {
    /// Serves this socket, which must not block.
    pub(super) fn new(socket: UdpSocket, dialect: Dialect) -> Self {
        let session = Session::new(&Peer {
            id: u64::try_from(socket.as_raw_fd()).unwrap_or(0),
            transport: "udp",
            address: String::new(),
            port: 0,
            dialect,
            secured: false,
            listener: Arc::from(""),
            certificate: None,
        });
        Self {
            socket,
            session,
            ready: false,
        }
    }

    /// The descriptor.
    pub(super) fn descriptor(&self) -> i32 {
        self.socket.as_raw_fd()
    }

    /// Notes that there may be datagrams.
    pub(super) fn set_ready(&mut self) {
        self.ready = true;
    }

    /// Whether there may be datagrams.
    pub(super) fn is_ready(&self) -> bool {
        self.ready
    }

    /// Answers the datagrams that wait, up to a bound.
    pub(super) fn serve(&mut self, context: &Context<'_>, scratch: &mut [u8]) {
        if !self.ready {
            return;
        }
        for _ in 0..DATAGRAM_COUNT_MAX {
            let (size, from) = match self.socket.recv_from(scratch) {
                Ok(received) => received,
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    self.ready = false;
                    return;
                }
                // It belongs to an earlier reply that somebody refused.
                Err(_) => continue,
            };
            context.counters.bytes_read.add(size as u64);
            if let Some((id, request)) = parse(&scratch[..size]) {
                self.answer(context, id, request, from);
            }
        }
    }

    fn answer(&mut self, context: &Context<'_>, id: u16, request: &[u8], to: SocketAddr) {
        let Self {
            socket, session, ..
        } = self;
        let mut congested = false;
        session.datagram(context, request, &mut |message| {
            frame(id, message, |datagram| {
                if !congested {
                    match socket.send_to(datagram, to) {
                        Ok(size) => context.counters.bytes_written.add(size as u64),
                        // Datagrams may be lost; the client asks again.
                        Err(_) => congested = true,
                    }
                }
            });
        });
    }
}

/// The request id and the payload, if this is a whole request.
fn parse(datagram: &[u8]) -> Option<(u16, &[u8])> {
    let (header, request) = datagram.split_first_chunk::<HEADER_SIZE>()?;
    let [id_high, id_low, _, _, total_high, total_low, _, _] = *header;
    let whole = u16::from_be_bytes([total_high, total_low]) == 1;
    (whole && !request.is_empty()).then_some((u16::from_be_bytes([id_high, id_low]), request))
}

/// Cuts a message into datagrams. One that takes more than the header can count is not sent.
fn frame(id: u16, message: &[u8], mut send: impl FnMut(&[u8])) {
    const PAYLOAD_SIZE: usize = DATAGRAM_SIZE_MAX - HEADER_SIZE;
    let Ok(total) = u16::try_from(message.len().div_ceil(PAYLOAD_SIZE)) else {
        return;
    };
    let mut datagram = [0; DATAGRAM_SIZE_MAX];
    for (number, payload) in (0..total).zip(message.chunks(PAYLOAD_SIZE)) {
        datagram[0..2].copy_from_slice(&id.to_be_bytes());
        datagram[2..4].copy_from_slice(&number.to_be_bytes());
        datagram[4..6].copy_from_slice(&total.to_be_bytes());
        let end = HEADER_SIZE + payload.len();
        datagram[HEADER_SIZE..end].copy_from_slice(payload);
        send(&datagram[..end]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_one_datagram_with_a_payload() {
        assert_eq!(
            parse(b"\x00\xa1\0\0\0\x01\0\0get a"),
            Some((161, &b"get a"[..]))
        );
        assert_eq!(parse(b"\x00\xa1\0\0\0\x02\0\0get a"), None);
        assert_eq!(parse(b"\x00\xa1\0\0\0\x01\0\0"), None);
        assert_eq!(parse(b"\x00\xa1\0\0"), None);
    }

    #[test]
    fn a_message_is_cut_at_1392_bytes_and_numbered() {
        let message = vec![b'x'; 1392 + 1];
        let mut sent = Vec::new();
        frame(7, &message, |datagram| sent.push(datagram.to_vec()));
        assert_eq!(sent.len(), 2);
        assert_eq!(sent[0][..8], [0, 7, 0, 0, 0, 2, 0, 0]);
        assert_eq!(sent[0].len(), 1400);
        assert_eq!(sent[1], [0, 7, 0, 1, 0, 2, 0, 0, b'x']);
    }

    #[test]
    fn a_message_beyond_the_count_of_the_header_is_not_sent() {
        let message = vec![b'x'; 1392 * 65536];
        frame(7, &message, |_| panic!("sent"));
    }
}
