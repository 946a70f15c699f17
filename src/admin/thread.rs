//! The thread of the admin listener: one poll, a few connections, and a look at the other threads
//! once a second.
//!
//! It takes its time from nobody: figures are read from counters and, for an instant each, under
//! the locks of the shards, as `stats` does.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Token};
use slab::Slab;
use socket2::Socket;

use super::connection::{Connection, Verdict};
use super::guard::Guard;
use super::http::Request;
use super::pages;
use super::state::State;
use super::stream::{Secure, Stream};
use crate::limits::ADMIN_CONNECTION_COUNT_MAX;

/// The poll's name for the waker.
pub(super) const WAKE: Token = Token(usize::MAX);

/// The poll's name for the socket that listens.
const LISTENER: Token = Token(usize::MAX - 1);

/// Connections accepted before those that are there have their turns: nobody is closed for
/// newcomers before it has been heard.
const ACCEPT_COUNT: usize = ADMIN_CONNECTION_COUNT_MAX / 4;

/// Time between two looks at the other threads.
const LOOK_PAUSE: Duration = Duration::from_secs(1);

/// What the thread works with.
pub(super) struct Thread {
    poll: Poll,
    listener: Socket,
    state: Arc<State>,
    guard: Arc<Guard>,
    secure: Option<Arc<dyn Secure>>,
    stopping: Arc<AtomicBool>,
    connections: Slab<Connection>,
    /// Who has something to do without new events.
    queue: VecDeque<usize>,
    /// Connections may wait to be accepted.
    has_newcomers: bool,
    /// Connections accepted so far.
    accepted: u64,
    looked_at: Instant,
}

impl Thread {
    /// A thread that has not begun.
    ///
    /// # Errors
    ///
    /// When the socket cannot be registered with the poll.
    pub(super) fn new(
        poll: Poll,
        listener: Socket,
        state: Arc<State>,
        guard: Arc<Guard>,
        secure: Option<Arc<dyn Secure>>,
        stopping: Arc<AtomicBool>,
    ) -> io::Result<Self> {
        let descriptor = std::os::fd::AsRawFd::as_raw_fd(&listener);
        let registry = poll.registry();
        registry.register(&mut SourceFd(&descriptor), LISTENER, Interest::READABLE)?;
        Ok(Self {
            poll,
            listener,
            state,
            guard,
            secure,
            stopping,
            connections: Slab::new(),
            queue: VecDeque::new(),
            has_newcomers: true,
            accepted: 0,
            looked_at: Instant::now(),
        })
    }

    /// Serves until told to stop.
    pub(super) fn run(mut self) {
        let mut events = Events::with_capacity(2 * ADMIN_CONNECTION_COUNT_MAX);
        while !self.stopping.load(Ordering::Acquire) {
            let patience = if self.queue.is_empty() && !self.has_newcomers {
                LOOK_PAUSE.saturating_sub(self.looked_at.elapsed())
            } else {
                Duration::ZERO
            };
            if let Err(error) = self.poll.poll(&mut events, Some(patience))
                && error.kind() != io::ErrorKind::Interrupted
            {
                log::error!("the admin listener ends: cannot wait for events: {error}");
                break;
            }
            for event in &events {
                match event.token() {
                    WAKE => {}
                    LISTENER => self.has_newcomers = true,
                    Token(key) => self.enqueue(key),
                }
            }
            let now = Instant::now();
            self.accept(now);
            self.serve(now);
            self.look(now);
        }
    }

    fn enqueue(&mut self, key: usize) {
        if let Some(connection) = self.connections.get_mut(key)
            && !connection.is_queued
        {
            connection.is_queued = true;
            self.queue.push_back(key);
        }
    }

    fn accept(&mut self, now: Instant) {
        for _ in 0..ACCEPT_COUNT {
            if !self.has_newcomers {
                return;
            }
            match self.listener.accept() {
                Ok((socket, _)) => self.adopt(socket, now),
                // Who left before we came is no reason to stop.
                Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
                // There are no more; or descriptors are short, and the next look tries again.
                Err(_) => self.has_newcomers = false,
            }
        }
    }

    fn adopt(&mut self, socket: Socket, now: Instant) {
        if self.connections.len() >= ADMIN_CONNECTION_COUNT_MAX {
            let all = self.connections.iter();
            let longest = all.min_by_key(|(_, connection)| connection.age());
            if let Some(key) = longest.map(|(key, _)| key) {
                self.close(key);
            }
        }
        if socket.set_nonblocking(true).is_err() {
            return;
        }
        // Only unix sockets refuse, and have no need of it.
        let _ = socket.set_tcp_nodelay(true);
        let channel = match &self.secure {
            None => None,
            // What cannot be encrypted is not said at all.
            Some(secure) => match secure.begin() {
                None => return,
                channel => channel,
            },
        };
        self.accepted += 1;
        let stream = Stream::new(socket, channel);
        let connection = Connection::new(stream, self.accepted, now);
        let descriptor = connection.descriptor();
        let key = self.connections.insert(connection);
        let registry = self.poll.registry();
        let interest = Interest::READABLE | Interest::WRITABLE;
        let registered = registry.register(&mut SourceFd(&descriptor), Token(key), interest);
        if registered.is_err() {
            self.close(key);
        } else {
            self.enqueue(key);
        }
    }

    /// Gives each one in the queue a turn.
    fn serve(&mut self, now: Instant) {
        for _ in 0..self.queue.len() {
            let Some(key) = self.queue.pop_front() else {
                return;
            };
            let Some(connection) = self.connections.get_mut(key) else {
                continue;
            };
            connection.is_queued = false;
            let (state, guard) = (&self.state, &self.guard);
            let answer = |request: &Request<'_>| pages::answer(state, guard, request);
            match connection.serve(now, &answer) {
                Verdict::Wait => {}
                Verdict::Again => self.enqueue(key),
                Verdict::Close => self.close(key),
            }
        }
    }

    /// Once a second, asks the other threads and closes who has had its time.
    fn look(&mut self, now: Instant) {
        if now.saturating_duration_since(self.looked_at) < LOOK_PAUSE {
            return;
        }
        self.looked_at = now;
        self.has_newcomers = true;
        self.state.listen(now);
        self.state.remember(now);
        let all = self.connections.iter();
        let due = all.filter(|(_, connection)| connection.is_due(now));
        let due: Vec<usize> = due.map(|(key, _)| key).collect();
        for key in due {
            self.close(key);
        }
    }

    /// Closes a connection; its descriptor leaves the poll with it.
    fn close(&mut self, key: usize) {
        drop(self.connections.remove(key));
    }
}
