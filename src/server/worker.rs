//! One worker: a thread, a poll, and the connections it was given.
//!
//! A turn reads a ready connection once into the worker's scratch buffer, lets its session answer
//! every complete request in it, and sends all replies with one write. Nothing is allocated, no
//! clock is read and nothing shared is written for a request. What is left of the input, or of
//! the output when the client does not take it, moves to the connection; a connection with unsent
//! output is not read. Work that a turn leaves over stands in a queue of its own, behind those who
//! have just been heard from.
//!
//! Of those, a few are read before the first of them is answered. While the next is being read, the
//! memory that the last one's request needs is on its way: what lone requests would wait for one
//! after the other, as many clients with one request each, they wait for together.
//!
//! **Invariant:** a connection that has something to do without new events stands in a queue.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Token};
use slab::Slab;

use super::connection::{Connection, Done, enqueue};
use super::desk::Desk;
use super::mailbox::{Letter, Letters, Newcomer};
use super::stopwatch::Stopwatch;
use super::stream::{Received, Sent};
use super::tls::CLIENT_HELLO;
use super::udp::Datagrams;
use crate::limits::{
    FLUSH_COUNT_MAX, HEARD_COUNT_MAX, OUTPUT_SIZE_HIGH, READ_BUFFER_SIZE, SCRATCH_SIZE,
    SHARE_COUNT_MAX, WRITE_STALL_MAX_S,
};
use crate::session::{CloseReason, Context, Next, Session, Wanted};
use crate::time::Now;

/// The poll's name for the mailbox.
pub(super) const WAKE: Token = Token(usize::MAX);

/// The poll's name for the first socket for datagrams; others count down from it.
const DATAGRAMS: usize = usize::MAX - 1;

/// Events taken from the poll at once.
const EVENT_COUNT: usize = 1024;

/// Least number of connections with work left that have a turn in one pass.
const LEFTOVER_COUNT_MIN: usize = 16;

/// Nobody is read behind others when more than this of the scratch buffer is used: who sends much is
/// to be heard in large pieces.
const HEARD_SIZE_MAX: usize = SCRATCH_SIZE / 2;

/// Output buffers above this size are given back after a turn.
const OUTPUT_KEEP: usize = 256 << 10;

/// One worker.
pub(super) struct Worker {
    desk: Desk,
    poll: Poll,
    letters: Letters,
    now: Now,

    connections: Slab<Connection>,
    /// Who has been heard from since the last pass. All of them have a turn in this one.
    fresh: VecDeque<usize>,
    /// Who had a turn and has work left. As many of them have another turn as there are fresh
    /// ones, and a few at least: heavy work neither delays a light request nor starves by it.
    leftover: VecDeque<usize>,
    watchers: Vec<usize>,
    /// Connections whose session is to be called again at the next letter or second.
    holding: Vec<usize>,
    datagrams: Vec<Datagrams>,
    /// Connections with a partial request, and how many there may be; zero is no bound.
    partial: u64,
    partial_max: u64,
    /// Connections that wait for their client to take output.
    stalled: usize,

    stopwatch: Stopwatch,

    idle_timeout_s: u32,
    swept_s: u32,
    /// The second whose beginning is in the counters of load.
    noted_s: u32,
    stopping: Option<Instant>,

    scratch: Box<[u8]>,
    output: Vec<u8>,
}

/// What is to be done with a connection after its turn.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Verdict {
    /// Wait for an event.
    Wait,
    /// Another turn, behind the others.
    Again,
    /// Close it.
    Close(CloseReason),
}

/// What a connection has said whose turn is to come.
#[derive(Clone, Copy, Debug)]
enum Heard {
    /// It has not been read: that, or something else, is the first thing in its turn.
    Unread,
    /// These bytes of the scratch buffer, behind room for those that the connection holds.
    Bytes {
        /// Where that room begins.
        start: usize,
        /// Where the bytes end.
        end: usize,
    },
    /// Nothing to answer; this is how the turn ends.
    Nothing(Verdict),
}

/// Why a connection's time is up.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Due {
    /// It takes none of its output.
    Stalled,
    /// It says nothing.
    Idle,
}

impl Worker {
    /// A worker that has not begun.
    ///
    /// # Errors
    ///
    /// When a socket cannot be registered with the poll.
    pub(super) fn new(
        desk: Desk,
        poll: Poll,
        letters: Letters,
        datagrams: Vec<Datagrams>,
    ) -> io::Result<Self> {
        for (index, socket) in datagrams.iter().enumerate() {
            let token = Token(DATAGRAMS - index);
            let descriptor = socket.descriptor();
            let registry = poll.registry();
            registry.register(&mut SourceFd(&descriptor), token, Interest::READABLE)?;
        }
        let config = &desk.shared.config;
        let workers = u64::try_from(config.workers.max(1)).unwrap_or(u64::MAX);
        let partial_max = match config.read_buf_mem_limit {
            0 => 0,
            limit => (limit / workers / READ_BUFFER_SIZE).max(1),
        };
        let now = desk.shared.clock.now();
        Ok(Self {
            stopwatch: Stopwatch::new(config.slow_log_us),
            idle_timeout_s: config.idle_timeout_s,
            swept_s: now.uptime_s,
            noted_s: 0,
            desk,
            poll,
            letters,
            now,
            connections: Slab::new(),
            fresh: VecDeque::new(),
            leftover: VecDeque::new(),
            watchers: Vec::new(),
            holding: Vec::new(),
            datagrams,
            partial: 0,
            partial_max,
            stalled: 0,
            stopping: None,
            scratch: vec![0; SCRATCH_SIZE].into_boxed_slice(),
            output: Vec::with_capacity(SCRATCH_SIZE),
        })
    }

    /// Serves until told to stop.
    pub(super) fn run(mut self) {
        let mut events = Events::with_capacity(EVENT_COUNT);
        loop {
            if let Err(error) = self.poll.poll(&mut events, self.patience())
                && error.kind() != io::ErrorKind::Interrupted
            {
                log::error!("worker {} cannot wait for events: {error}", self.desk.index);
                self.desk.control.shutdown(false);
                break;
            }
            self.now = self.desk.shared.clock.now();
            self.stopwatch.begin(&self.desk.counters);
            self.desk.begin_pass(&mut self.noted_s, self.now);
            for event in &events {
                self.note(event);
            }
            self.serve_ready();
            self.sweep();
            if self.is_done() {
                break;
            }
        }
        self.close_all();
    }

    /// How long the poll may wait.
    fn patience(&self) -> Option<Duration> {
        let waiting = !self.leftover.is_empty() || !self.fresh.is_empty();
        if waiting || self.datagrams.iter().any(Datagrams::is_ready) {
            return Some(Duration::ZERO);
        }
        if self.stopping.is_some() {
            return Some(Duration::from_millis(20));
        }
        let watches_time = !self.holding.is_empty()
            || self.stalled > 0
            || (self.idle_timeout_s > 0 && !self.connections.is_empty());
        watches_time.then_some(Duration::from_secs(1))
    }

    fn note(&mut self, event: &mio::event::Event) {
        match event.token() {
            WAKE => self.open_mailbox(),
            Token(token) if token > DATAGRAMS - self.datagrams.len() => {
                self.datagrams[DATAGRAMS - token].set_ready();
            }
            Token(key) => {
                if let Some(connection) = self.connections.get_mut(key) {
                    // An error is found by reading, as an end is.
                    if event.is_readable() || event.is_read_closed() || event.is_error() {
                        connection.readable = true;
                    }
                    if event.is_read_closed() || event.is_error() {
                        connection.ended = true;
                    }
                    enqueue(&mut self.fresh, connection, key);
                }
            }
        }
    }

    fn open_mailbox(&mut self) {
        self.desk.mailbox.seen();
        while let Ok(letter) = self.letters.try_recv() {
            match letter {
                Letter::Adopt(newcomer) => self.adopt(newcomer),
                Letter::Kill(key) => self.kill(key),
                Letter::Stop { until } => self.stopping = Some(until),
            }
        }
        self.release();
        for &key in &self.watchers {
            if let Some(connection) = self.connections.get_mut(key) {
                enqueue(&mut self.fresh, connection, key);
            }
        }
    }

    /// Has the sessions called again that hold.
    fn release(&mut self) {
        for key in std::mem::take(&mut self.holding) {
            if let Some(connection) = self.connections.get_mut(key) {
                connection.holding = false;
                connection.resume = true;
                enqueue(&mut self.fresh, connection, key);
            }
        }
    }

    /// Closes a connection, unless its number is another's by now.
    fn kill(&mut self, key: usize) {
        let connection = self.connections.get(key);
        if connection.is_some_and(|connection| connection.info.is_doomed()) {
            self.close(key, CloseReason::Killed);
        }
    }

    fn adopt(&mut self, newcomer: Newcomer) {
        let Newcomer {
            stream,
            info,
            dialect,
            ..
        } = newcomer;
        let now_s = self.now.uptime_s;
        // The session knows from its first byte whom it talks to.
        let mut peer = info.as_peer(dialect);
        peer.secured = stream.is_secured();
        peer.certificate = stream.certificate();
        let session = Session::new(&peer);
        let mut connection = Connection::new(stream, session, info, now_s);
        // The poll knows nothing of bytes that came with the end of a handshake.
        connection.readable = peer.secured;
        let descriptor = connection.descriptor();
        let key = self.connections.insert(connection);
        let counters = &self.desk.counters;
        counters.curr_connections.add(1);
        if peer.secured {
            // Who has shaken hands has been announced already.
            enqueue(&mut self.fresh, &mut self.connections[key], key);
        } else {
            counters.total_connections.add(1);
            let context = self.desk.context(self.now);
            context.shared.hub.opened(&context, &peer);
            log::debug!("connection {descriptor} opened by {}", peer.address);
        }
        let registry = self.poll.registry();
        let registered =
            registry.register(&mut SourceFd(&descriptor), Token(key), Interest::READABLE);
        if let Err(error) = registered {
            log::error!("cannot wait for events of connection {descriptor}: {error}");
            return self.close(key, CloseReason::Error);
        }
        if !self.connections[key].info.sit(key, false) {
            self.close(key, CloseReason::Killed);
        }
    }

    /// Gives turns. Who gets work left meanwhile waits for the next pass, after the poll has been
    /// asked for news.
    fn serve_ready(&mut self) {
        let again = self
            .leftover
            .len()
            .min(self.fresh.len().max(LEFTOVER_COUNT_MIN));
        while self.fresh.len() > 1 {
            self.serve_together();
        }
        if let Some(key) = self.fresh.pop_front() {
            self.turn(key, Heard::Unread);
        }
        for _ in 0..again {
            if let Some(key) = self.leftover.pop_front() {
                self.turn(key, Heard::Unread);
            }
        }
        self.desk.mailbox.set_current(-1);
        for index in 0..self.datagrams.len() {
            let context = self.desk.context(self.now);
            self.datagrams[index].serve(&context, &mut self.scratch);
        }
    }

    /// Reads the first of the fresh, as many as the scratch buffer has room for, has fetched what
    /// they want, and gives each a turn. One whose turn begins with something else has it alone.
    fn serve_together(&mut self) {
        let mut heard = [Heard::Unread; HEARD_COUNT_MAX];
        let mut wanted = [const { None::<Wanted> }; HEARD_COUNT_MAX];
        let context = self.desk.context(self.now);
        let (mut count, mut used) = (0, 0);
        for key in self.fresh.iter().take(HEARD_COUNT_MAX) {
            let connection = match self.connections.get_mut(*key) {
                Some(connection) if connection.begins_with_reading() => connection,
                _ => break,
            };
            if used > 0 && used + connection.input().len() > HEARD_SIZE_MAX {
                break;
            }
            heard[count] = hear(connection, &mut self.scratch, used);
            if let Heard::Bytes { start, end } = heard[count] {
                if !connection.holds_input() {
                    let bytes = &self.scratch[start..end];
                    wanted[count] = connection.session.foresee(&context, bytes);
                }
                used = end;
            }
            count += 1;
        }
        for wanted in wanted.iter().flatten() {
            wanted.fetch(&context);
        }
        for heard in &heard[..count.max(1)] {
            if let Some(key) = self.fresh.pop_front() {
                self.turn(key, *heard);
            }
        }
    }

    fn turn(&mut self, key: usize, heard: Heard) {
        let Some(connection) = self.connections.get_mut(key) else {
            return;
        };
        connection.queued = false;
        self.desk.mailbox.set_current(connection.descriptor());
        let held = connection.holds_input();
        let context = self.desk.context(self.now);
        self.desk.counters.turns.add(1);
        let before = Done::by(connection);
        let mut turn = Turn {
            context: &context,
            worker: &self.desk,
            alone: self.fresh.is_empty() && self.leftover.is_empty(),
            scratch: &mut self.scratch,
            output: &mut self.output,
            begins_at: None,
        };
        let mut verdict = match heard {
            Heard::Unread => turn.serve(connection),
            Heard::Bytes { start, end } => turn.answer(connection, start, end),
            Heard::Nothing(verdict) => verdict,
        };
        let begins_at = turn.begins_at;
        if let Some(lap) = self.stopwatch.lap(&self.desk.counters) {
            let input = begins_at.and_then(|(start, end)| self.scratch.get(start..end));
            self.desk
                .keep_slow(&context, lap, connection, &before, input);
        }
        if self.output.capacity() > OUTPUT_KEEP {
            self.output = Vec::with_capacity(SCRATCH_SIZE);
        }
        connection.count_buffers(&self.desk.counters);
        match (held, connection.holds_input()) {
            (false, true) => self.partial += 1,
            (true, false) => self.partial -= 1,
            (false, false) | (true, true) => {}
        }
        if self.partial_max != 0 && self.partial > self.partial_max && connection.holds_input() {
            self.desk.counters.read_buf_oom.add(1);
            verdict = Verdict::Close(CloseReason::Error);
        }
        if connection.holding && !self.holding.contains(&key) {
            self.holding.push(key);
        }
        if connection.watching && !self.watchers.contains(&key) {
            self.watchers.push(key);
            self.desk.mailbox.set_watchers(self.watchers.len());
        }
        if connection.is_blocked() != connection.awaits_write {
            verdict = self.await_write(key).unwrap_or(verdict);
        }
        let connection = &mut self.connections[key];
        let queue = &mut self.leftover;
        match verdict {
            Verdict::Close(reason) => return self.close(key, reason),
            Verdict::Again => enqueue(queue, connection, key),
            Verdict::Wait
                if connection.readable && !connection.is_blocked() && !connection.holding =>
            {
                enqueue(queue, connection, key);
            }
            Verdict::Wait => {}
        }
        connection.publish();
        if connection.session.user_version() != connection.user_version {
            connection.user_version = connection.session.user_version();
            let user = connection.session.user();
            self.desk.census.set_user(connection.descriptor(), user);
        }
    }

    /// Asks the poll for room to write, or no longer. Only blocked connections ask: a unix socket
    /// would otherwise raise an event each time its client reads.
    fn await_write(&mut self, key: usize) -> Option<Verdict> {
        let connection = &mut self.connections[key];
        connection.awaits_write = connection.is_blocked();
        let interest = if connection.awaits_write {
            self.stalled += 1;
            Interest::READABLE | Interest::WRITABLE
        } else {
            self.stalled -= 1;
            Interest::READABLE
        };
        let descriptor = connection.descriptor();
        let registry = self.poll.registry();
        match registry.reregister(&mut SourceFd(&descriptor), Token(key), interest) {
            Ok(()) => None,
            Err(error) => {
                log::error!("cannot wait for events of connection {descriptor}: {error}");
                Some(Verdict::Close(CloseReason::Error))
            }
        }
    }

    /// Once a second, closes those who have been silent or have not read for too long.
    fn sweep(&mut self) {
        let now_s = self.now.uptime_s;
        if now_s == self.swept_s {
            return;
        }
        self.swept_s = now_s;
        self.release();
        if self.stalled == 0 && self.idle_timeout_s == 0 {
            return;
        }
        let idle_timeout_s = self.idle_timeout_s;
        let due: Vec<(usize, Due)> = self
            .connections
            .iter()
            .filter_map(|(key, connection)| {
                if connection.is_blocked() {
                    let stalled_s = now_s.saturating_sub(connection.progress_s);
                    return (stalled_s >= WRITE_STALL_MAX_S).then_some((key, Due::Stalled));
                }
                let idles = idle_timeout_s != 0
                    && connection.info.is_remote()
                    && !connection.watching
                    && now_s.saturating_sub(connection.active_s) > idle_timeout_s;
                idles.then_some((key, Due::Idle))
            })
            .collect();
        let counters = Arc::clone(&self.desk.counters);
        for (key, due) in due {
            let (counter, reason) = match due {
                Due::Stalled => (&counters.slow_client_closed, CloseReason::Error),
                Due::Idle => (&counters.idle_kicks, CloseReason::IdleTimeout),
            };
            counter.add(1);
            self.close(key, reason);
        }
    }

    /// When stopping, closes everyone who has no request under way and no answer coming; true when
    /// there is nobody left to wait for.
    fn is_done(&mut self) -> bool {
        let Some(until) = self.stopping else {
            return false;
        };
        let finished: Vec<usize> = self
            .connections
            .iter()
            .filter(|(_, connection)| connection.is_at_rest())
            .map(|(key, _)| key)
            .collect();
        for key in finished {
            self.close(key, CloseReason::Shutdown);
        }
        self.connections.is_empty() || Instant::now() >= until
    }

    fn close_all(&mut self) {
        let keys: Vec<usize> = self.connections.iter().map(|(key, _)| key).collect();
        for key in keys {
            self.close(key, CloseReason::Shutdown);
        }
        // Letters that nobody will read any more hold connections too.
        while let Ok(letter) = self.letters.try_recv() {
            if let Letter::Adopt(newcomer) = letter {
                self.desk.census.leave(newcomer.info.descriptor);
                self.desk.gate.release();
            }
        }
    }

    fn close(&mut self, key: usize, reason: CloseReason) {
        let mut connection = self.connections.remove(key);
        if connection.holds_input() {
            self.partial -= 1;
        }
        connection.free_buffers();
        connection.count_buffers(&self.desk.counters);
        if connection.awaits_write {
            self.stalled -= 1;
        }
        if connection.holding {
            self.holding.retain(|&holding| holding != key);
        }
        if connection.watching {
            self.watchers.retain(|&watcher| watcher != key);
            self.desk.mailbox.set_watchers(self.watchers.len());
        }
        let context = self.desk.context(self.now);
        if let Some(trouble) = connection.stream.trouble() {
            self.desk.tell(&context, &connection.info, trouble);
        }
        connection.session.close(&context);
        let peer = connection.info.as_peer(crate::session::Dialect::Auto);
        context.shared.hub.closed(&context, &peer, reason);
        let descriptor = connection.descriptor();
        log::debug!("connection {descriptor} closed: {}", reason.name());
        let unread = connection.readable;
        connection.stream.finish(unread, &mut self.scratch);
        self.desk.census.leave(descriptor);
        self.desk.counters.curr_connections.sub(1);
        self.desk.mailbox.load_down();
        // The descriptor must be free before the acceptor hears that there is room.
        drop(connection);
        self.desk.gate.release();
    }
}

/// What one connection's turn works with.
struct Turn<'a> {
    context: &'a Context<'a>,
    worker: &'a Desk,
    /// Nobody else waits for this worker.
    alone: bool,
    scratch: &'a mut [u8],
    output: &'a mut Vec<u8>,
    /// Where the input stands in the scratch buffer, if it began with a request.
    begins_at: Option<(usize, usize)>,
}

/// Reads once into the scratch buffer, from `start` on and behind what the connection holds.
fn hear(connection: &mut Connection, scratch: &mut [u8], start: usize) -> Heard {
    let at = start + connection.input().len();
    let Some(room) = scratch.get_mut(at..).filter(|room| !room.is_empty()) else {
        // A session asks for no more than fits here.
        log::error!("a request does not fit a worker's buffer");
        return Heard::Nothing(Verdict::Close(CloseReason::Error));
    };
    match connection.receive(room) {
        Received::Bytes { count, .. } => Heard::Bytes {
            start,
            end: at + count,
        },
        Received::Nothing | Received::Progress => Heard::Nothing(Verdict::Wait),
        Received::End => Heard::Nothing(Verdict::Close(CloseReason::Normal)),
        Received::Broken => Heard::Nothing(Verdict::Close(CloseReason::Error)),
    }
}

impl Turn<'_> {
    fn serve(&mut self, connection: &mut Connection) -> Verdict {
        let context = self.context;
        let now_s = context.now.uptime_s;
        if connection.is_blocked() {
            let (sent, count) = connection.send_waiting(now_s);
            context.counters.bytes_written.add(count as u64);
            connection.info.bytes_written.add(count as u64);
            match sent {
                Sent::All => {}
                Sent::Part => return Verdict::Wait,
                Sent::Broken => return Verdict::Close(CloseReason::Error),
            }
        }
        if let Some(reason) = connection.closing {
            return Verdict::Close(reason);
        }
        if connection.watching {
            return self.watch(connection);
        }
        if connection.holding {
            return Verdict::Wait;
        }
        if connection.resume {
            connection.resume = false;
            let (input, start) = connection.take_input();
            let (consumed, verdict) = self.drive(connection, &input[start..]);
            connection.put_back_input(input, start + consumed);
            return verdict;
        }
        if !connection.readable {
            return Verdict::Wait;
        }
        match hear(connection, self.scratch, 0) {
            Heard::Bytes { start, end } => self.answer(connection, start, end),
            Heard::Nothing(verdict) => verdict,
            Heard::Unread => Verdict::Wait,
        }
    }

    /// Lets the session answer what has been read to `start..end` of the scratch buffer, behind
    /// room for what the connection holds.
    fn answer(&mut self, connection: &mut Connection, start: usize, end: usize) -> Verdict {
        let held = connection.input().len();
        let read_at = start + held;
        connection.heard(self.context.now.uptime_s);
        let count = end - read_at;
        self.context.counters.bytes_read.add(count as u64);
        connection.info.bytes_read.add(count as u64);
        if !connection.greeted {
            connection.greeted = true;
            if self.scratch[start..end].starts_with(CLIENT_HELLO) && !connection.stream.is_secured()
            {
                self.worker.hint(
                    self.context.now,
                    "a client began TLS on a plain port; -Z turns TLS on",
                    &connection.info,
                );
                return Verdict::Close(CloseReason::Error);
            }
        }
        if end - start < connection.at_least {
            connection.extend_input(&self.scratch[read_at..end]);
            return Verdict::Wait;
        }
        if held > 0 {
            let (input, input_start) = connection.take_input();
            self.scratch[start..read_at].copy_from_slice(&input[input_start..]);
        }
        if connection.session.is_between_requests() {
            self.begins_at = Some((start, end));
        }
        // The scratch buffer is lent to the session while it writes into the output.
        let scratch = std::mem::take(&mut self.scratch);
        let (consumed, verdict) = self.drive(connection, &scratch[start..end]);
        connection.keep_input(&scratch[start + consumed..end]);
        self.scratch = scratch;
        verdict
    }

    /// Lets the session answer what is in `input`. Returns the number of bytes that are done with.
    fn drive(&mut self, connection: &mut Connection, input: &[u8]) -> (usize, Verdict) {
        let mut consumed = 0;
        let mut flushes = 0;
        let mut shares = 1;
        self.output.clear();
        loop {
            let session = &mut connection.session;
            let driven = session.drive(self.context, &input[consumed..], self.output);
            consumed += driven.consumed;
            connection.info.requests.add(driven.served.into());
            self.context.counters.requests.add(driven.served.into());
            if driven.next == Next::Yield {
                self.context.counters.conn_yields.add(1);
                if self.alone && shares < SHARE_COUNT_MAX && self.output.len() < OUTPUT_SIZE_HIGH {
                    shares += 1;
                    continue;
                }
            }
            let sent = self.send(connection);
            if sent == Sent::Broken {
                return (consumed, Verdict::Close(CloseReason::Error));
            }
            let blocked = sent == Sent::Part;
            let verdict = match driven.next {
                Next::Read { at_least } => {
                    connection.at_least = at_least;
                    Verdict::Wait
                }
                Next::Flush if self.alone && !blocked && flushes < FLUSH_COUNT_MAX => {
                    flushes += 1;
                    continue;
                }
                Next::Flush | Next::Yield => {
                    connection.resume = true;
                    if blocked {
                        Verdict::Wait
                    } else {
                        Verdict::Again
                    }
                }
                Next::Hold => {
                    connection.holding = true;
                    Verdict::Wait
                }
                Next::Watch => {
                    connection.watching = true;
                    Verdict::Again
                }
                Next::Close | Next::Abort => {
                    consumed = input.len();
                    let reason = match driven.next {
                        Next::Abort => CloseReason::Error,
                        _ => CloseReason::Normal,
                    };
                    if blocked {
                        connection.closing = Some(reason);
                        Verdict::Wait
                    } else {
                        Verdict::Close(reason)
                    }
                }
            };
            return (consumed, verdict);
        }
    }

    /// Sends the output and empties it; what the client does not take moves to the connection.
    fn send(&mut self, connection: &mut Connection) -> Sent {
        if self.output.is_empty() {
            return Sent::All;
        }
        let (sent, count) = connection.send(self.output, self.context.now.uptime_s);
        self.context.counters.bytes_written.add(count as u64);
        connection.info.bytes_written.add(count as u64);
        self.output.clear();
        sent
    }

    /// One turn of a watcher: sends what the hub has for it, and notices when it leaves. What it
    /// says is not heard any more.
    fn watch(&mut self, connection: &mut Connection) -> Verdict {
        if connection.readable {
            match connection.receive(self.scratch) {
                Received::Bytes { .. } | Received::Nothing | Received::Progress => {}
                Received::End => return Verdict::Close(CloseReason::Normal),
                Received::Broken => return Verdict::Close(CloseReason::Error),
            }
        }
        self.output.clear();
        if !connection.session.watched(self.context, self.output) {
            return Verdict::Close(CloseReason::Normal);
        }
        if self.output.is_empty() {
            return Verdict::Wait;
        }
        match self.send(connection) {
            Sent::All => Verdict::Again,
            Sent::Part => Verdict::Wait,
            Sent::Broken => Verdict::Close(CloseReason::Error),
        }
    }
}
