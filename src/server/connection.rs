//! One client's socket, and what it holds between turns.
//!
//! A connection owns buffer memory only while it has a partial request or unsent output; both
//! are bounded by what a worker reads or a session gathers in one go. An idle one is this struct,
//! its [`Info`] and its session.

use std::collections::VecDeque;
use std::sync::Arc;

use super::census::{Face, Info};
use super::stream::{Received, Sent, Stream};
use crate::session::{CloseReason, Doing, Session};
use crate::stats::Counters;

/// One client's socket, and what it holds between turns.
pub(super) struct Connection {
    pub(super) stream: Stream,
    pub(super) session: Session,
    pub(super) info: Arc<Info>,

    /// Bytes received and not yet done with begin at `input_start`.
    input: Vec<u8>,
    input_start: usize,
    /// Bytes that must be there before the session is asked again.
    pub(super) at_least: usize,
    /// Replies that the client has not taken yet begin at `output_start`.
    output: Vec<u8>,
    output_start: usize,

    /// When something was last received, in seconds of uptime.
    pub(super) active_s: u32,
    /// When the client last took something while output was waiting, in seconds of uptime.
    pub(super) progress_s: u32,
    /// What is already in the gauges: bytes and buffers.
    counted_bytes: usize,
    counted_buffers: u8,
    /// Which of the session's users the census has.
    pub(super) user_version: u8,
    /// What the census has of what it is doing.
    face: Option<Face>,

    /// The system may have more for us to read.
    pub(super) readable: bool,
    /// Something has been received.
    pub(super) greeted: bool,
    /// The client has shut down its side: after the next empty read there is nothing more.
    pub(super) ended: bool,
    /// The poll tells when the socket takes output again.
    pub(super) awaits_write: bool,
    /// It stands in the worker's queue.
    pub(super) queued: bool,
    /// The session has more to say or do, even with no new input.
    pub(super) resume: bool,
    /// It watches.
    pub(super) watching: bool,
    /// The session wants to hear nothing until it is called again.
    pub(super) holding: bool,
    /// It closes as soon as its output is out.
    pub(super) closing: Option<CloseReason>,
}

/// How the gauges change when a connection takes or frees buffers.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct Change {
    /// Bytes before and after.
    pub(super) bytes: (u64, u64),
    /// Buffers before and after.
    pub(super) buffers: (u64, u64),
}

/// What a connection had done at some moment.
#[derive(Clone, Copy, Debug)]
pub(super) struct Done {
    pub(super) requests: u64,
    pub(super) bytes_read: u64,
    pub(super) bytes_written: u64,
}

impl Done {
    /// What it has done by now.
    pub(super) fn by(connection: &Connection) -> Self {
        let info = &connection.info;
        Self {
            requests: info.requests.get(),
            bytes_read: info.bytes_read.get(),
            bytes_written: info.bytes_written.get(),
        }
    }
}

impl Connection {
    /// A connection that nothing has been heard from.
    pub(super) fn new(stream: Stream, session: Session, info: Arc<Info>, now_s: u32) -> Self {
        Self {
            stream,
            session,
            info,
            input: Vec::new(),
            input_start: 0,
            at_least: 1,
            output: Vec::new(),
            output_start: 0,
            active_s: now_s,
            progress_s: now_s,
            counted_bytes: 0,
            counted_buffers: 0,
            user_version: 0,
            face: None,
            readable: false,
            greeted: false,
            ended: false,
            awaits_write: false,
            queued: false,
            resume: false,
            watching: false,
            holding: false,
            closing: None,
        }
    }

    /// The descriptor.
    pub(super) fn descriptor(&self) -> i32 {
        self.stream.descriptor()
    }

    /// Bytes received and not yet done with.
    pub(super) fn input(&self) -> &[u8] {
        &self.input[self.input_start..]
    }

    /// Whether replies wait for the client to take them.
    pub(super) fn is_blocked(&self) -> bool {
        self.output_start < self.output.len() || self.stream.is_blocked()
    }

    /// Whether nothing that has been read waits to be answered, and no answer to be taken.
    pub(super) fn is_at_rest(&self) -> bool {
        let has_work = self.resume || self.holding || self.holds_input() || self.is_blocked();
        !has_work && self.session.is_at_rest()
    }

    /// Whether its turn begins with reading it.
    pub(super) fn begins_with_reading(&self) -> bool {
        let has_other_work = self.closing.is_some() || self.watching || self.holding || self.resume;
        self.readable && !has_other_work && !self.is_blocked()
    }

    /// Takes the input out, to be put back by [`Self::keep_input`] in part or not at all.
    pub(super) fn take_input(&mut self) -> (Vec<u8>, usize) {
        let start = std::mem::take(&mut self.input_start);
        (std::mem::take(&mut self.input), start)
    }

    /// Puts back what [`Self::take_input`] took, of which `start` bytes are done with.
    pub(super) fn put_back_input(&mut self, input: Vec<u8>, start: usize) {
        let left = input.len() - start;
        if left == 0 {
            return;
        }
        // A long pipeline served a few requests at a time is not moved for each of them; only
        // when most of the buffer is dead is the rest worth a smaller one.
        if left < input.capacity() / 4 {
            self.keep_input(&input[start..]);
        } else {
            self.input = input;
            self.input_start = start;
        }
    }

    /// Keeps bytes for the next turn. There must be none yet.
    pub(super) fn keep_input(&mut self, bytes: &[u8]) {
        debug_assert!(self.input.is_empty());
        self.input_start = 0;
        if !bytes.is_empty() {
            self.input = bytes.to_vec();
        }
    }

    /// Adds bytes to those kept.
    pub(super) fn extend_input(&mut self, bytes: &[u8]) {
        self.input.extend_from_slice(bytes);
    }

    /// Receives once, and notes whether there may be more to receive.
    pub(super) fn receive(&mut self, room: &mut [u8]) -> Received {
        let received = self.stream.receive(room);
        self.readable = match received {
            // An end that has been told already would not be told again.
            Received::Bytes { more, .. } => more || self.ended,
            Received::Progress => true,
            Received::Nothing | Received::End | Received::Broken => false,
        };
        received
    }

    /// Sends `bytes` behind what waits already, and keeps what the client does not take. Returns
    /// the number of bytes sent too.
    pub(super) fn send(&mut self, bytes: &[u8], now_s: u32) -> (Sent, usize) {
        if self.is_blocked() {
            self.output.extend_from_slice(bytes);
            return (Sent::Part, 0);
        }
        let sending = self.stream.send(bytes);
        let (result, count) = (sending.result, sending.count);
        if result == Sent::Part {
            self.output = bytes[count..].to_vec();
            self.output_start = 0;
            self.progress_s = now_s;
        }
        (result, count)
    }

    /// Sends what waits.
    pub(super) fn send_waiting(&mut self, now_s: u32) -> (Sent, usize) {
        let sending = self.stream.send(&self.output[self.output_start..]);
        let (result, count) = (sending.result, sending.count);
        self.output_start += count;
        if sending.moved {
            self.progress_s = now_s;
        }
        if result == Sent::All {
            self.output = Vec::new();
            self.output_start = 0;
        }
        (result, count)
    }

    /// Whether it holds a partial request.
    pub(super) fn holds_input(&self) -> bool {
        self.input.capacity() != 0
    }

    /// Brings the gauges up to its buffers.
    pub(super) fn count_buffers(&mut self, counters: &Counters) {
        if let Some(change) = self.change() {
            let (before, after) = change.bytes;
            counters.buffer_bytes.add(after);
            counters.buffer_bytes.sub(before);
            let (before, after) = change.buffers;
            counters.buffers.add(after);
            counters.buffers.sub(before);
        }
    }

    /// How its buffers have changed since this was last asked.
    fn change(&mut self) -> Option<Change> {
        let bytes = self.input.capacity() + self.output.capacity();
        if bytes == self.counted_bytes {
            return None;
        }
        let buffers = u8::from(self.input.capacity() != 0) + u8::from(self.output.capacity() != 0);
        let change = Change {
            bytes: (self.counted_bytes as u64, bytes as u64),
            buffers: (self.counted_buffers.into(), buffers.into()),
        };
        self.counted_bytes = bytes;
        self.counted_buffers = buffers;
        self.info.set_buffers(bytes);
        Some(change)
    }

    /// Frees all buffers.
    pub(super) fn free_buffers(&mut self) {
        self.input = Vec::new();
        self.input_start = 0;
        self.output = Vec::new();
        self.output_start = 0;
    }

    /// Tells the census what the connection is doing, if that has changed.
    pub(super) fn publish(&mut self) {
        let doing = if self.closing.is_some() {
            Doing::Closing
        } else if self.is_blocked() {
            Doing::Mwrite
        } else if self.watching {
            Doing::Watch
        } else {
            self.session.doing()
        };
        let face = Face::new(doing, self.session.asked(), self.session.dialect());
        // A turn that ends as the last one did touches nothing shared.
        if self.face != Some(face) {
            self.face = Some(face);
            self.info.set_face(face);
        }
    }

    /// Notes that the client has been heard.
    pub(super) fn heard(&mut self, now_s: u32) {
        if self.active_s != now_s {
            self.active_s = now_s;
            self.info.set_active(now_s);
        }
    }
}

/// Puts a connection into one of its worker's queues, unless it stands in one.
pub(super) fn enqueue(queue: &mut VecDeque<usize>, connection: &mut Connection, key: usize) {
    if !connection.queued {
        connection.queued = true;
        queue.push_back(key);
    }
}

const _: () = {
    // What an idle connection costs us: this, what others see of it with its two counts, and
    // its place in the census.
    let idle = size_of::<Connection>() + size_of::<Info>() + 2 * size_of::<usize>() + 32;
    assert!(idle <= 512);
};
