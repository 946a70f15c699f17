//! Data blocks: values on their way in, complete or in pieces, wanted or not.

use super::execute::{self, Storing};
use super::turn::Turn;
use super::{Session, State, Step, classic, meta};
use crate::protocol::ProtocolError;
use crate::protocol::text::reply::CRLF;
use crate::store::{Put, PutReply, PutStatus, Upload};

/// A data block up to this many bytes is waited for; a larger one goes into the store as it
/// comes, so that no connection ever holds more than this.
const WAIT_SIZE_MAX: usize = 4 << 10;

/// How a storage request is to be answered.
#[derive(Clone, Copy, Debug)]
pub(super) struct Answer<'a> {
    /// Flags of the line, if it is a meta one.
    pub(super) meta: Option<&'a [u8]>,
    /// Raw bytes.
    pub(super) key: &'a [u8],
    /// Classic: nothing is answered. Meta: success is not answered.
    pub(super) noreply: bool,
    /// The key came as base64.
    pub(super) binary_key: bool,
    /// For counters and watchers.
    pub(super) storing: Storing,
    /// The value goes beside another.
    pub(super) appends: bool,
}

impl Answer<'_> {
    fn say(&self, turn: &mut Turn<'_>, reply: PutReply) {
        match self.meta {
            Some(flags) => meta::say_stored(turn, self, flags, reply),
            None if self.noreply => {}
            None => turn.say(classic::put_reply(reply)),
        }
    }

    fn refuse(&self, turn: &mut Turn<'_>, error: ProtocolError) {
        // A meta request hides nothing but success.
        if self.meta.is_some() || !self.noreply {
            turn.say(error.reply());
        }
    }
}

/// A value that is being received.
#[derive(Debug)]
pub(super) struct Uploading {
    upload: Upload,
    /// Bytes still to come, without the line end.
    remaining: u32,
    size: u32,
    meta: Option<Box<[u8]>>,
    key: Box<[u8]>,
    noreply: bool,
    binary_key: bool,
    storing: Storing,
    appends: bool,
}

impl Uploading {
    fn answer(&self) -> Answer<'_> {
        Answer {
            meta: self.meta.as_deref(),
            key: &self.key,
            noreply: self.noreply,
            binary_key: self.binary_key,
            storing: self.storing,
            appends: self.appends,
        }
    }

    /// What is left of it when its client is gone.
    pub(super) fn into_upload(self) -> Upload {
        self.upload
    }
}

/// Stores a value whose data block lies complete in `block`, line end included.
pub(super) fn store_block(turn: &mut Turn<'_>, put: &Put<'_>, answer: &Answer<'_>, block: &[u8]) {
    let Some(value) = block.strip_suffix(CRLF) else {
        turn.counters().cmd_set.add(1);
        return answer.refuse(turn, ProtocolError::BadDataChunk);
    };
    let reply = execute::put(turn, put, value, &answer.storing);
    answer.say(turn, reply);
}

impl Session {
    /// Stores a value whose data block begins in `input` behind a line of `line_size` bytes.
    pub(super) fn store(
        &mut self,
        turn: &mut Turn<'_>,
        put: &Put<'_>,
        answer: &Answer<'_>,
        size: u32,
        line_size: usize,
        input: &[u8],
    ) -> Step {
        let block_size = size as usize + CRLF.len();
        let rest = &input[line_size..];
        if let Some(block) = rest.get(..block_size) {
            store_block(turn, put, answer, block);
            return Step::served(line_size + block_size);
        }
        if block_size <= WAIT_SIZE_MAX {
            self.awaits_block = true;
            self.awaits_block = true;
            return Step::wait(0, line_size + block_size);
        }
        execute::lookup_for_put(turn, put.key);
        let mut upload = match turn.store().begin_upload(put, size, turn.now()) {
            Ok(upload) => upload,
            Err(status) => {
                self.fail(turn, answer, status, size);
                self.state = State::Swallow(block_size as u64);
                return Step::served(line_size);
            }
        };
        let here = rest.len().min(size as usize);
        if let Err(status) = turn
            .store()
            .fill_upload(&mut upload, &rest[..here], turn.now())
        {
            turn.store().abort_upload(upload);
            self.fail_midway(turn, answer, status, size);
            self.state = State::Swallow((block_size - here) as u64);
            return Step::served(line_size + here);
        }
        self.state = State::Upload(Box::new(Uploading {
            upload,
            // `here` is at most `size`.
            remaining: size - u32::try_from(here).unwrap_or(size),
            size,
            meta: answer.meta.map(Box::from),
            key: Box::from(answer.key),
            noreply: answer.noreply,
            binary_key: answer.binary_key,
            storing: answer.storing,
            appends: answer.appends,
        }));
        Step::go(line_size + here)
    }

    /// Goes on with a value that is being received.
    pub(super) fn upload(
        &mut self,
        turn: &mut Turn<'_>,
        mut uploading: Box<Uploading>,
        input: &[u8],
    ) -> Step {
        let here = input.len().min(uploading.remaining as usize);
        if here > 0 {
            let piece = &input[..here];
            let filled = turn
                .store()
                .fill_upload(&mut uploading.upload, piece, turn.now());
            // `here` is at most `remaining`.
            uploading.remaining -= u32::try_from(here).unwrap_or(uploading.remaining);
            if let Err(status) = filled {
                let left = u64::from(uploading.remaining) + CRLF.len() as u64;
                self.fail_midway(turn, &uploading.answer(), status, uploading.size);
                turn.store().abort_upload(uploading.into_upload());
                self.state = State::Swallow(left);
                return Step::served(here);
            }
        }
        let Some(end) = input[here..].get(..CRLF.len()) else {
            let at_least = (uploading.remaining as usize).min(WAIT_SIZE_MAX) + CRLF.len();
            self.state = State::Upload(uploading);
            return Step::wait(here, at_least);
        };
        let consumed = here + CRLF.len();
        if end == CRLF {
            let Uploading {
                upload,
                meta,
                key,
                noreply,
                binary_key,
                storing,
                appends,
                ..
            } = *uploading;
            let reply = turn.store().finish_upload(upload, turn.now());
            execute::stored(turn, &key, reply, &storing);
            let meta = meta.as_deref();
            let answer = Answer {
                meta,
                key: &key,
                noreply,
                binary_key,
                storing,
                appends,
            };
            answer.say(turn, reply);
        } else {
            turn.counters().cmd_set.add(1);
            uploading.answer().refuse(turn, ProtocolError::BadDataChunk);
            turn.store().abort_upload(uploading.into_upload());
        }
        self.state = State::Command;
        Step::served(consumed)
    }

    /// Answers a value that the store would not begin to take.
    fn fail(&self, turn: &mut Turn<'_>, answer: &Answer<'_>, status: PutStatus, size: u32) {
        let class = match status {
            // No class is large enough.
            PutStatus::TooLarge => 0,
            _ => turn.store().class_of(answer.key.len(), size, 0),
        };
        let reply = PutReply {
            status,
            cas: 0,
            value_size: size,
            class,
        };
        execute::stored(turn, answer.key, reply, &answer.storing);
        answer.say(turn, reply);
    }

    /// Answers a value for which the memory ran out while it came. Only of one that memcached
    /// takes in chunks is that said, whatever the pieces it came in.
    fn fail_midway(&self, turn: &mut Turn<'_>, answer: &Answer<'_>, status: PutStatus, size: u32) {
        let reply = PutReply {
            status,
            cas: 0,
            value_size: size,
            class: 0,
        };
        execute::stored(turn, answer.key, reply, &answer.storing);
        let chunked = size > turn.ctx.shared.config.slab_chunk_max;
        answer.refuse(
            turn,
            if chunked {
                ProtocolError::OutOfMemoryRead
            } else {
                ProtocolError::OutOfMemoryStore
            },
        );
    }

    /// Skips a data block that means nothing.
    pub(super) fn swallow(&mut self, left: u64, input: &[u8]) -> Step {
        let here = usize::try_from(left).unwrap_or(usize::MAX).min(input.len());
        let left = left - here as u64;
        if left == 0 {
            self.state = State::Command;
            return Step::go(here);
        }
        self.state = State::Swallow(left);
        Step::wait(here, 1)
    }
}
