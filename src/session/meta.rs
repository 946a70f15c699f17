//! The meta commands: what each asks of the cache, and what it answers.

use super::classic;
use super::data::{Answer, Form};
use super::discovery;
use super::execute::{self, Storing};
use super::turn::Turn;
use crate::protocol::ProtocolError;
use crate::protocol::key::DecodedKey;
use crate::protocol::meta::{self, Code, Line, Options, Outcome, SetMode, Shown, Verb};
use crate::protocol::text::reply::CRLF;
use crate::store::{
    Arithmetic, ArithmeticError, Delete, DeleteStatus, Fetch, KeyHash, Pin, Put, PutMode, PutReply,
    PutStatus,
};
use crate::time::Expiry;

/// A key and its hash: the one that came, or the one it decodes to.
fn key_of<'k>(
    turn: &Turn<'_>,
    line: &'k Line<'_>,
    options: &'k Options,
    hash: KeyHash,
) -> (&'k [u8], KeyHash) {
    match &options.decoded_key {
        None => (line.key, hash),
        Some(decoded) => (decoded.as_bytes(), turn.store().hash(decoded.as_bytes())),
    }
}

/// Answers `mg`, `md`, `ma` and `me`. `hash` is that of the key as it came. A value too large
/// to copy at once is handed back pinned, its line written.
pub(super) fn command(turn: &mut Turn<'_>, line: &Line<'_>, hash: KeyHash) -> Option<Pin> {
    turn.counters().cmd_meta.add(1);
    let options = match line.options() {
        Ok(options) => options,
        Err(error) => {
            turn.say(error.reply());
            return None;
        }
    };
    match line.verb {
        Verb::Get => return get(turn, line, &options, hash),
        Verb::Delete => delete(turn, line, &options, hash),
        Verb::Arithmetic => arithmetic(turn, line, &options, hash),
        Verb::Debug => debug(turn, line, &options, hash),
        // Its data block makes it another kind of command; see `put`.
        Verb::Set => {}
    }
    None
}

fn get(turn: &mut Turn<'_>, line: &Line<'_>, options: &Options, hash: KeyHash) -> Option<Pin> {
    let now = turn.now();
    let (key, hash) = key_of(turn, line, options, hash);
    let binary = options.decoded_key.is_some();
    let how = Fetch {
        touch: options
            .exptime
            .map(|exptime| Expiry::from_wire(exptime, now)),
        vivify: options
            .vivify
            .filter(|_| !discovery::is_reserved(key))
            .map(|exptime| Expiry::from_wire(exptime, now)),
        vivify_cas: options.assign_cas,
        recache_below_s: options
            .recache
            .and_then(|recache| Expiry::from_wire(recache, now).ttl_s(now)),
        no_bump: options.no_bump,
        binary_key: binary,
        // To be told to recache is of no use to who may not store, and nobody else is told.
        recache: turn.may_write(),
    };
    let shown = execute::fetch(turn, key, hash, &how, |hit, out| {
        let with_value = options.value && options.compare.is_none_or(|cas| cas != hit.cas());
        let ttl_s = hit.expiry().ttl_s(now);
        let item = Shown {
            key: hit.key(),
            binary_key: hit.binary_key(),
            value_size: hit.value_size(),
            client_flags: hit.client_flags(),
            cas: hit.cas(),
            ttl_s,
            ttl_before_s: if hit.created() {
                ttl_s
            } else {
                hit.expiry_before().ttl_s(now)
            },
            fetched_before: hit.fetched_before(),
            idle_before_s: hit.idle_before_s(),
            token_sent: hit.token_sent(),
            stale: hit.stale(),
            won: hit.won(),
        };
        meta::push_hit(out, line.flags, with_value, &item);
        if !with_value {
            return None;
        }
        execute::push_value(hit, out, CRLF)
    });
    match shown {
        Some(pin) => pin,
        None => {
            if let Some(document) = discovery::stand_in(turn, key) {
                document.push_meta(turn.out, line.flags, options);
            } else if !options.quiet {
                say(turn, line, options, Code::Miss, &Outcome::default());
            }
            None
        }
    }
}

/// Writes a reply without a value.
fn say(turn: &mut Turn<'_>, line: &Line<'_>, options: &Options, code: Code, outcome: &Outcome) {
    let decoded = options.decoded_key.as_ref();
    let key = decoded.map_or(line.key, DecodedKey::as_bytes);
    meta::push_result(turn.out, code, line.flags, key, decoded.is_some(), outcome);
}

fn delete(turn: &mut Turn<'_>, line: &Line<'_>, options: &Options, hash: KeyHash) {
    let now = turn.now();
    let (key, hash) = key_of(turn, line, options, hash);
    let request = Delete {
        key,
        hash,
        compare: options.compare,
        invalidate: options.invalidate,
        drop_value: options.drop_value,
        touch: options
            .exptime
            .map(|exptime| Expiry::from_wire(exptime, now)),
        assign_cas: options.assign_cas,
        client_flags: options.client_flags,
    };
    let code = match execute::delete(turn, &request, "md") {
        DeleteStatus::Deleted { .. } | DeleteStatus::Kept { .. } if options.quiet => return,
        DeleteStatus::Deleted { .. } | DeleteStatus::Kept { .. } => Code::Done,
        DeleteStatus::NotFound => Code::NotFound,
        DeleteStatus::Exists => Code::Exists,
        DeleteStatus::NoMemory => return turn.say(ProtocolError::OutOfMemory.reply()),
    };
    say(turn, line, options, code, &Outcome::default());
}

fn arithmetic(turn: &mut Turn<'_>, line: &Line<'_>, options: &Options, hash: KeyHash) {
    let now = turn.now();
    let decrement = match options.decrement() {
        Ok(decrement) => decrement,
        Err(error) => return turn.say(error.reply()),
    };
    let (key, hash) = key_of(turn, line, options, hash);
    let vivify = options
        .vivify
        .map(|exptime| Expiry::from_wire(exptime, now));
    let request = Arithmetic {
        key,
        hash,
        delta: options.delta.unwrap_or(1),
        decrement,
        compare: options.compare,
        assign_cas: options.assign_cas,
        touch: options
            .exptime
            .map(|exptime| Expiry::from_wire(exptime, now)),
        vivify: vivify.map(|expiry| (expiry, options.initial)),
        binary_key: options.decoded_key.is_some(),
    };
    // What was left before is not part of the store's answer; few ask for it.
    let ttl_before_s = options.exptime.and_then(|_| {
        let store = turn.store();
        store.peek(key, hash, now, |item| {
            item.map(|item| item.expiry.ttl_s(now))
        })
    });
    let outcome = Outcome {
        ttl_before_s,
        ..Outcome::default()
    };
    match execute::arithmetic(turn, &request) {
        Ok(_) if options.quiet => {}
        Ok(counted) => {
            let outcome = Outcome {
                cas: Some(counted.cas),
                ttl_s: Some(counted.expiry.ttl_s(now)),
                ..outcome
            };
            if options.value {
                let binary = options.decoded_key.is_some();
                meta::push_number(turn.out, counted.value, line.flags, key, binary, &outcome);
            } else {
                say(turn, line, options, Code::Done, &outcome);
            }
        }
        Err(ArithmeticError::NotFound) => say(turn, line, options, Code::NotFound, &outcome),
        Err(ArithmeticError::Exists) => say(turn, line, options, Code::Exists, &outcome),
        Err(error) => turn.say(classic::arithmetic_error(error)),
    }
}

fn debug(turn: &mut Turn<'_>, line: &Line<'_>, options: &Options, hash: KeyHash) {
    let now = turn.now();
    let (key, hash) = key_of(turn, line, options, hash);
    let store = turn.store();
    let out = &mut *turn.out;
    let found = store.peek(key, hash, now, |item| {
        let Some(item) = item else {
            return false;
        };
        let item = meta::Debugged {
            key: item.key,
            binary_key: item.binary_key,
            ttl_s: item.expiry.ttl_s(now),
            idle_s: now.uptime_s.saturating_sub(item.last_access_s),
            cas: item.cas,
            fetched: item.fetched,
            class: item.class,
            size: item.size,
        };
        meta::push_debug(out, &item);
        true
    });
    if !found {
        // `me` knows no flags but `b`, so its miss shows none.
        meta::push_result(turn.out, Code::Miss, b"", key, false, &Outcome::default());
    }
}

/// What an `ms` line asks of the store, and how it is to be answered.
///
/// # Errors
///
/// What the client is told; its data block means nothing then.
pub(super) fn put<'a>(
    turn: &Turn<'_>,
    line: &'a Line<'_>,
    options: &'a Options,
    hash: KeyHash,
) -> Result<(Put<'a>, Answer<'a>), ProtocolError> {
    let now = turn.now();
    let set_mode = options.set_mode()?;
    let (key, hash) = key_of(turn, line, options, hash);
    let expiry = options
        .exptime
        .map_or(Expiry::NEVER, |e| Expiry::from_wire(e, now));
    let (mode, command) = match set_mode {
        SetMode::Add => (PutMode::Add, "add"),
        SetMode::Append => (PutMode::Append, "append"),
        SetMode::Prepend => (PutMode::Prepend, "prepend"),
        SetMode::Replace => (PutMode::Replace, "replace"),
        SetMode::Set => (PutMode::Set, "set"),
    };
    let appends = matches!(mode, PutMode::Append | PutMode::Prepend);
    // There is nothing to compare with where nothing may be stored yet.
    let compare = options.compare.filter(|_| mode != PutMode::Add);
    let put = Put {
        key,
        hash,
        mode,
        client_flags: options.client_flags.unwrap_or(0),
        expiry,
        compare,
        assign_cas: options.assign_cas,
        invalidate: options.invalidate,
        vivify: if appends {
            options
                .vivify
                .map(|exptime| Expiry::from_wire(exptime, now))
        } else {
            None
        },
        binary_key: options.decoded_key.is_some(),
        drop_on_failure: true,
    };
    let compares = compare.is_some();
    let answer = Answer {
        form: Form::Meta(line.flags),
        key,
        noreply: options.quiet,
        binary_key: options.decoded_key.is_some(),
        storing: Storing {
            command: if compares && !appends { "cas" } else { command },
            compares,
            expiry,
        },
        appends,
    };
    Ok((put, answer))
}

/// Writes the reply to an `ms`.
pub(super) fn say_stored(turn: &mut Turn<'_>, answer: &Answer<'_>, flags: &[u8], reply: PutReply) {
    let code = match reply.status {
        PutStatus::Stored if answer.noreply => return,
        PutStatus::Stored => Code::Done,
        PutStatus::NotStored => Code::NotStored,
        PutStatus::Exists => Code::Exists,
        // What is appended to must be there: that is the mode's condition, cas or not.
        PutStatus::NotFound if answer.appends => Code::NotStored,
        PutStatus::NotFound => Code::NotFound,
        PutStatus::TooLarge | PutStatus::NoMemory => return turn.say(classic::put_reply(reply)),
    };
    let outcome = Outcome {
        cas: Some(reply.cas),
        size: Some(reply.value_size),
        ..Outcome::default()
    };
    meta::push_result(
        turn.out,
        code,
        flags,
        answer.key,
        answer.binary_key,
        &outcome,
    );
}
