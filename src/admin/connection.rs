//! One connection to the admin listener: bytes in, whole answers out.

use std::io::{self, Read, Write};
use std::time::{Duration, Instant};

use super::http::{self, Answer, Method, Parsed, Request};
use super::stream::Stream;
use crate::limits::{ADMIN_HEAD_SIZE_MAX, ADMIN_KEEP_ALIVE_S, ADMIN_PATIENCE_S};

/// What is to be done with a connection after its turn.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Verdict {
    /// Wait for an event.
    Wait,
    /// Another turn, behind the others.
    Again,
    /// Close it.
    Close,
}

/// One connection.
pub(super) struct Connection {
    stream: Stream,
    /// Counts up with each that is accepted.
    number: u64,
    /// Received and not answered; never more than a head.
    input: Vec<u8>,
    output: Vec<u8>,
    /// Bytes of the output that have been sent.
    sent: usize,
    /// When the client was last heard, or took something.
    moved_at: Instant,
    /// The last answer is on its way.
    is_last: bool,
    /// The last answer is sent; what the client says is read so that it hears that answer, and
    /// not that nobody listens.
    is_ending: bool,
    /// It stands in a queue for a turn.
    pub(super) is_queued: bool,
}

impl Connection {
    /// A connection that has just been accepted.
    pub(super) fn new(stream: Stream, number: u64, now: Instant) -> Self {
        Self {
            stream,
            number,
            input: Vec::new(),
            output: Vec::new(),
            sent: 0,
            moved_at: now,
            is_last: false,
            is_ending: false,
            is_queued: false,
        }
    }

    /// The descriptor.
    pub(super) fn descriptor(&self) -> i32 {
        self.stream.descriptor()
    }

    /// Lowest for the one that has been of no use for longest; of those that came at the same
    /// moment, for the first.
    pub(super) fn age(&self) -> (Instant, u64) {
        (self.moved_at, self.number)
    }

    /// Whether its client has had all the time that there is.
    pub(super) fn is_due(&self, now: Instant) -> bool {
        let is_idle = self.input.is_empty() && self.output.is_empty() && !self.is_ending;
        let patience_s = if is_idle {
            ADMIN_KEEP_ALIVE_S
        } else {
            ADMIN_PATIENCE_S
        };
        now.saturating_duration_since(self.moved_at) >= Duration::from_secs(patience_s)
    }

    /// One turn: one answer at most, so that others have theirs.
    pub(super) fn serve(
        &mut self,
        now: Instant,
        answer: &dyn Fn(&Request<'_>) -> Answer,
    ) -> Verdict {
        if !self.output.is_empty() {
            return self.send(now);
        }
        if self.is_ending {
            return self.listen_on();
        }
        let taken = match http::parse(&self.input) {
            Parsed::Partial => return self.receive(now),
            Parsed::Complete { request, size } => {
                self.is_last = !request.keep_alive;
                let told = answer(&request);
                told.write(
                    request.method == Method::Head,
                    request.keep_alive,
                    &mut self.output,
                );
                size
            }
            Parsed::Refused(status) => {
                self.is_last = true;
                Answer::refusal(status).write(false, false, &mut self.output);
                self.input.len()
            }
        };
        self.input.drain(..taken);
        self.moved_at = now;
        self.send(now)
    }

    fn send(&mut self, now: Instant) -> Verdict {
        while let Some(rest) = self.output.get(self.sent..) {
            if rest.is_empty() && !self.stream.is_blocked() {
                break;
            }
            match self.stream.write(rest) {
                Ok(0) if !rest.is_empty() => return Verdict::Close,
                Ok(count) => {
                    self.sent += count;
                    self.moved_at = now;
                }
                Err(error) => return after(&error),
            }
        }
        // A large page is not kept for a small one.
        self.output = Vec::new();
        self.sent = 0;
        if !self.is_last {
            return Verdict::Again;
        }
        self.is_ending = true;
        match self.stream.finish() {
            Ok(()) => Verdict::Again,
            Err(_) => Verdict::Close,
        }
    }

    fn receive(&mut self, now: Instant) -> Verdict {
        let held = self.input.len();
        let mut room = [0; ADMIN_HEAD_SIZE_MAX];
        match self.stream.read(&mut room[held..]) {
            Ok(0) => Verdict::Close,
            Ok(count) => {
                // Who sends a byte now and then has no more time than others: the head must be
                // there in time from its first byte on.
                if held == 0 {
                    self.moved_at = now;
                }
                self.input.extend_from_slice(&room[held..held + count]);
                Verdict::Again
            }
            Err(error) => after(&error),
        }
    }

    /// Reads what nobody looks at, until the client leaves or its time is up.
    fn listen_on(&mut self) -> Verdict {
        let mut room = [0; ADMIN_HEAD_SIZE_MAX];
        match self.stream.read(&mut room) {
            Ok(0) => Verdict::Close,
            Ok(_) => Verdict::Again,
            Err(error) => after(&error),
        }
    }
}

fn after(error: &io::Error) -> Verdict {
    match error.kind() {
        io::ErrorKind::WouldBlock => Verdict::Wait,
        io::ErrorKind::Interrupted => Verdict::Again,
        _ => Verdict::Close,
    }
}

#[cfg(test)]
mod tests {
    use socket2::Socket;

    use super::super::http::Status;
    use super::*;

    fn pair() -> (Connection, Socket, Instant) {
        let (ours, theirs) =
            Socket::pair(socket2::Domain::UNIX, socket2::Type::STREAM, None).expect("two ends");
        ours.set_nonblocking(true).unwrap();
        let now = Instant::now();
        let connection = Connection::new(Stream::new(ours, None), 0, now);
        (connection, theirs, now)
    }

    fn turns(connection: &mut Connection, now: Instant) -> Verdict {
        loop {
            let verdict = connection.serve(now, &|request| Answer::text(Status::Ok, request.path));
            if verdict != Verdict::Again {
                return verdict;
            }
        }
    }

    fn said(client: &Socket) -> String {
        let mut room = vec![0; 1 << 16];
        let count = { client }.read(&mut room).unwrap();
        String::from_utf8_lossy(&room[..count]).into_owned()
    }

    #[test]
    fn requests_in_one_piece_are_answered_in_order_and_the_last_one_ends_it() {
        let (mut connection, client, now) = pair();
        let get = |path: &str, more: &str| format!("GET {path} HTTP/1.1\r\nHost: a\r\n{more}\r\n");
        let both = get("/1", "") + &get("/2", "Connection: close\r\n") + "never looked at";
        client.send(both.as_bytes()).unwrap();
        assert_eq!(turns(&mut connection, now), Verdict::Wait);
        let answers = said(&client);
        let bodies: Vec<&str> = answers
            .split("HTTP/1.1 200 OK")
            .filter_map(|answer| answer.split("\r\n\r\n").nth(1))
            .collect();
        assert_eq!(bodies, ["/1", "/2"]);
        assert_eq!(
            { &client }.read(&mut [0]).unwrap(),
            0,
            "told that this is the end"
        );
        drop(client);
        assert_eq!(turns(&mut connection, now), Verdict::Close);
    }

    #[test]
    fn what_is_no_request_is_refused_once_and_closed() {
        let (mut connection, client, now) = pair();
        client.send(b"stats\r\n\r\nstats\r\n\r\n").unwrap();
        assert_eq!(turns(&mut connection, now), Verdict::Wait);
        let answer = said(&client);
        assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
        assert_eq!(answer.matches("HTTP/1.1").count(), 1);
    }

    #[test]
    fn a_head_has_its_time_from_its_first_byte_on() {
        let (mut connection, client, now) = pair();
        let after = |seconds| now + Duration::from_secs(seconds);
        assert!(!connection.is_due(after(ADMIN_KEEP_ALIVE_S - 1)));
        assert!(connection.is_due(after(ADMIN_KEEP_ALIVE_S)));
        client.send(b"G").unwrap();
        assert_eq!(turns(&mut connection, after(20)), Verdict::Wait);
        client.send(b"E").unwrap();
        assert_eq!(turns(&mut connection, after(25)), Verdict::Wait);
        assert!(!connection.is_due(after(20 + ADMIN_PATIENCE_S - 1)));
        assert!(connection.is_due(after(20 + ADMIN_PATIENCE_S)));
    }
}
