//! The classic text commands: what each asks of the cache, and what it answers.

use super::data::{Answer, Form};
use super::discovery;
use super::execute::{self, Storing};
use super::turn::Turn;
use crate::protocol::ProtocolError;
use crate::protocol::text::{self, StoreVerb, reply};
use crate::store::{
    Arithmetic, ArithmeticError, Delete, DeleteStatus, Fetch, KeyHash, Pin, Put, PutMode, PutReply,
    PutStatus,
};
use crate::time::Expiry;

/// Answers one key of a retrieval. A value that is too large to copy at once is handed back
/// pinned, its line written.
pub(super) fn get(
    turn: &mut Turn<'_>,
    key: &[u8],
    hash: KeyHash,
    cas: bool,
    touch: Option<Expiry>,
) -> Option<Pin> {
    let how = Fetch {
        touch,
        ..Fetch::default()
    };
    let shown = execute::fetch(turn, key, hash, &how, |hit, out| {
        let size = hit.value_size();
        let cas = if cas { Some(hit.cas()) } else { None };
        reply::value(out, key, hit.client_flags(), size, cas);
        execute::push_value(hit, out, reply::CRLF)
    });
    if shown.is_none()
        && let Some(document) = discovery::stand_in(turn, key)
    {
        document.push_line(turn.out, cas);
    }
    shown.flatten()
}

/// What a storage line asks of the store.
pub(super) fn put<'a>(turn: &Turn<'_>, line: &text::Store<'a>, hash: KeyHash) -> Put<'a> {
    let mode = match line.verb {
        StoreVerb::Add => PutMode::Add,
        StoreVerb::Append => PutMode::Append,
        StoreVerb::Prepend => PutMode::Prepend,
        StoreVerb::Replace => PutMode::Replace,
        StoreVerb::Cas | StoreVerb::Set => PutMode::Set,
    };
    Put {
        mode,
        client_flags: line.flags,
        expiry: Expiry::from_wire(line.exptime, turn.now()),
        compare: (line.verb == StoreVerb::Cas).then_some(line.cas),
        drop_on_failure: line.verb == StoreVerb::Set,
        ..Put::new(line.key, hash)
    }
}

/// How a storage line is to be answered.
pub(super) fn answer<'a>(line: &text::Store<'a>, put: &Put<'a>) -> Answer<'a> {
    Answer {
        form: Form::Classic,
        key: line.key,
        noreply: line.noreply,
        binary_key: false,
        storing: Storing {
            command: line.verb.name(),
            compares: line.verb == StoreVerb::Cas,
            expiry: put.expiry,
        },
        appends: false,
    }
}

/// The reply line for what became of a value.
pub(super) const fn put_reply(reply: PutReply) -> &'static [u8] {
    match reply.status {
        PutStatus::Stored => reply::STORED,
        PutStatus::NotStored => reply::NOT_STORED,
        PutStatus::Exists => reply::EXISTS,
        PutStatus::NotFound => reply::NOT_FOUND,
        PutStatus::TooLarge => ProtocolError::LargeObject.reply(),
        PutStatus::NoMemory => ProtocolError::OutOfMemoryStore.reply(),
    }
}

pub(super) fn delete(turn: &mut Turn<'_>, key: &[u8], hash: KeyHash, noreply: bool) {
    let request = Delete::new(key, hash);
    let reply = match execute::delete(turn, &request, "delete") {
        DeleteStatus::Deleted { .. } | DeleteStatus::Kept { .. } => reply::DELETED,
        // Without a cas to compare, nothing can differ.
        DeleteStatus::NotFound | DeleteStatus::Exists => reply::NOT_FOUND,
        DeleteStatus::NoMemory => ProtocolError::OutOfMemory.reply(),
    };
    if !noreply {
        turn.say(reply);
    }
}

pub(super) fn arithmetic(
    turn: &mut Turn<'_>,
    key: &[u8],
    hash: KeyHash,
    delta: u64,
    decrement: bool,
    noreply: bool,
) {
    let request = Arithmetic::new(key, hash, delta, decrement);
    let result = execute::arithmetic(turn, &request);
    if noreply {
        return;
    }
    match result {
        Ok(counted) => reply::number(turn.out, counted.value),
        Err(error) => turn.say(arithmetic_error(error)),
    }
}

/// The reply line for a number that could not be counted.
pub(super) const fn arithmetic_error(error: ArithmeticError) -> &'static [u8] {
    match error {
        ArithmeticError::Exists => reply::EXISTS,
        ArithmeticError::NotANumber => ProtocolError::NonNumeric.reply(),
        ArithmeticError::NotFound => reply::NOT_FOUND,
        ArithmeticError::NoMemory => ProtocolError::OutOfMemory.reply(),
    }
}

pub(super) fn touch(turn: &mut Turn<'_>, key: &[u8], hash: KeyHash, exptime: i64, noreply: bool) {
    let touch = Some(Expiry::from_wire(exptime, turn.now()));
    let how = Fetch {
        touch,
        ..Fetch::default()
    };
    let found = execute::fetch(turn, key, hash, &how, |_, _| ()).is_some();
    if !noreply {
        turn.say(if found {
            reply::TOUCHED
        } else {
            reply::NOT_FOUND
        });
    }
}

pub(super) fn flush(turn: &mut Turn<'_>, exptime: i64, noreply: bool) {
    execute::flush(turn, exptime);
    if !noreply {
        turn.say(reply::OK);
    }
}
