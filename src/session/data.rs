//! Data blocks: values on their way in, complete or in pieces, wanted or not.

use super::discovery::is_reserved;
use super::execute::{self, Storing};
use super::turn::Turn;
use super::{Session, State, Step, classic, meta, packets};
use crate::protocol::text::reply::CRLF;
use crate::protocol::{ProtocolError, binary};
use crate::store::{Put, PutReply, PutStatus, Upload};

/// A data block up to this many bytes is waited for; a larger one goes into the store as it
/// comes, so that no connection ever holds more than this.
const WAIT_SIZE_MAX: usize = 4 << 10;

/// Whether a value is waited for of which this much is there. Both sizes include what follows it.
pub(super) const fn is_awaited(block_size: usize, here: usize) -> bool {
    here < block_size && block_size <= WAIT_SIZE_MAX
}

/// The form of a request and of its answer. `F` holds the flags of a meta line.
#[derive(Clone, Copy, Debug)]
pub(super) enum Form<F> {
    /// A packet.
    Binary(binary::Echo),
    /// A classic line.
    Classic,
    /// A meta line.
    Meta(F),
}

/// How a storage request is to be answered.
#[derive(Clone, Copy, Debug)]
pub(super) struct Answer<'a> {
    /// The form.
    pub(super) form: Form<&'a [u8]>,
    /// Raw bytes.
    pub(super) key: &'a [u8],
    /// Classic: nothing is answered. Otherwise: success is not answered.
    pub(super) noreply: bool,
    /// The key came as base64.
    pub(super) binary_key: bool,
    /// For counters and watchers.
    pub(super) storing: Storing,
    /// The value goes beside another.
    pub(super) appends: bool,
}

impl Form<&[u8]> {
    fn to_owned(self) -> Form<Box<[u8]>> {
        match self {
            Self::Binary(echo) => Form::Binary(echo),
            Self::Classic => Form::Classic,
            Self::Meta(flags) => Form::Meta(Box::from(flags)),
        }
    }
}

impl Form<Box<[u8]>> {
    fn as_deref(&self) -> Form<&[u8]> {
        match self {
            Self::Binary(echo) => Form::Binary(*echo),
            Self::Classic => Form::Classic,
            Self::Meta(flags) => Form::Meta(flags),
        }
    }
}

impl Answer<'_> {
    fn say(&self, turn: &mut Turn<'_>, reply: PutReply) {
        match self.form {
            Form::Binary(echo) => packets::say_stored(turn, self, echo, reply),
            Form::Classic if self.noreply => {}
            Form::Classic => turn.say(classic::put_reply(reply)),
            Form::Meta(flags) => meta::say_stored(turn, self, flags, reply),
        }
    }

    /// The bytes that must stand behind the value.
    const fn tail(&self) -> &'static [u8] {
        match self.form {
            Form::Binary(_) => b"",
            Form::Classic | Form::Meta(_) => CRLF,
        }
    }

    fn refuse_tail(&self, turn: &mut Turn<'_>) {
        turn.counters().cmd_set.add(1);
        self.refuse(turn, ProtocolError::BadDataChunk);
    }

    fn refuse(&self, turn: &mut Turn<'_>, error: ProtocolError) {
        // A meta request hides nothing but success.
        if matches!(self.form, Form::Meta(_)) || !self.noreply {
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
    form: Form<Box<[u8]>>,
    key: Box<[u8]>,
    noreply: bool,
    binary_key: bool,
    storing: Storing,
    appends: bool,
}

impl Uploading {
    fn answer(&self) -> Answer<'_> {
        Answer {
            form: self.form.as_deref(),
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

/// Stores a value whose data block lies complete in `block`, what must follow it included.
pub(super) fn store_block(turn: &mut Turn<'_>, put: &Put<'_>, answer: &Answer<'_>, block: &[u8]) {
    let Some(value) = block.strip_suffix(answer.tail()) else {
        return answer.refuse_tail(turn);
    };
    let reply = execute::put(turn, put, value, &answer.storing);
    answer.say(turn, reply);
}

impl Session {
    /// Stores a value whose data block begins in `input` behind a head of `head_size` bytes: a
    /// line, or a packet up to its value.
    pub(super) fn store(
        &mut self,
        turn: &mut Turn<'_>,
        put: &Put<'_>,
        answer: &Answer<'_>,
        size: u32,
        head_size: usize,
        input: &[u8],
    ) -> Step {
        let block_size = size as usize + answer.tail().len();
        let rest = &input[head_size..];
        if let Some(block) = rest.get(..block_size) {
            store_block(turn, put, answer, block);
            return Step::served(head_size + block_size);
        }
        if is_awaited(block_size, rest.len()) {
            self.awaits_block = true;
            return Step::wait(0, head_size + block_size);
        }
        execute::lookup_for_put(turn, put.key);
        let begun = if is_reserved(put.key) {
            Err(PutStatus::NotStored)
        } else {
            turn.store().begin_upload(put, size, turn.now())
        };
        let mut upload = match begun {
            Ok(upload) => upload,
            Err(status) => {
                self.fail(turn, answer, status, size);
                self.state = State::Swallow(block_size as u64);
                return Step::served(head_size);
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
            return Step::served(head_size + here);
        }
        self.state = State::Upload(Box::new(Uploading {
            upload,
            // `here` is at most `size`.
            remaining: size - u32::try_from(here).unwrap_or(size),
            size,
            form: answer.form.to_owned(),
            key: Box::from(answer.key),
            noreply: answer.noreply,
            binary_key: answer.binary_key,
            storing: answer.storing,
            appends: answer.appends,
        }));
        Step::go(head_size + here)
    }

    /// Goes on with a value that is being received.
    pub(super) fn upload(
        &mut self,
        turn: &mut Turn<'_>,
        mut uploading: Box<Uploading>,
        input: &[u8],
    ) -> Step {
        let tail = uploading.answer().tail();
        let here = input.len().min(uploading.remaining as usize);
        if here > 0 {
            let piece = &input[..here];
            let filled = turn
                .store()
                .fill_upload(&mut uploading.upload, piece, turn.now());
            // `here` is at most `remaining`.
            uploading.remaining -= u32::try_from(here).unwrap_or(uploading.remaining);
            if let Err(status) = filled {
                let left = u64::from(uploading.remaining) + tail.len() as u64;
                self.fail_midway(turn, &uploading.answer(), status, uploading.size);
                turn.store().abort_upload(uploading.into_upload());
                self.state = State::Swallow(left);
                return Step::served(here);
            }
        }
        // The tail may be nothing at all, and that is there at once.
        let end = input[here..].get(..tail.len());
        let Some(end) = end.filter(|_| uploading.remaining == 0) else {
            let at_least = (uploading.remaining as usize).min(WAIT_SIZE_MAX) + tail.len();
            self.state = State::Upload(uploading);
            return Step::wait(here, at_least);
        };
        if end == tail {
            let Uploading {
                upload,
                form,
                key,
                noreply,
                binary_key,
                storing,
                appends,
                ..
            } = *uploading;
            let reply = turn.store().finish_upload(upload, turn.now());
            execute::stored(turn, &key, reply, &storing);
            let answer = Answer {
                form: form.as_deref(),
                key: &key,
                noreply,
                binary_key,
                storing,
                appends,
            };
            answer.say(turn, reply);
        } else {
            uploading.answer().refuse_tail(turn);
            turn.store().abort_upload(uploading.into_upload());
        }
        self.state = State::Command;
        Step::served(here + tail.len())
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
        match answer.form {
            Form::Binary(_) => answer.say(turn, reply),
            _ if chunked => answer.refuse(turn, ProtocolError::OutOfMemoryRead),
            _ => answer.refuse(turn, ProtocolError::OutOfMemoryStore),
        }
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
