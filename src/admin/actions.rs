//! What can be changed through the admin listener: a few commands of the wire, under their names.
//!
//! Whoever gets here has shown the token (`guard.rs`). Each change stands in the log.

use super::http::{Answer, Request, Status};
use super::state::{Phase, State};
use crate::session::{FIRST, LimitError, SnapshotReply};

/// One command.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Action {
    /// `cache_memlimit`, with `?megabytes=`.
    CacheMemlimit,
    /// `client kill`, with `?client=`.
    ClientKill,
    /// `flush_all`.
    FlushAll,
    /// A snapshot, as by SIGUSR2.
    Snapshot,
    /// `verbosity`, with `?level=`.
    Verbosity,
}

/// Largest level of the log.
const VERBOSITY_MAX: u8 = 2;

/// Does it, and says what was done.
pub(super) fn act(state: &State, action: Action, request: &Request<'_>) -> Answer {
    let done = match action {
        // What is done to a cache that is being filled might be undone by what comes.
        _ if state.phase() == Phase::Loading => {
            Err((Status::Unavailable, "loading: nobody is served yet"))
        }
        Action::CacheMemlimit => cache_memlimit(state, request),
        Action::ClientKill => client_kill(state, request),
        Action::FlushAll => flush_all(state),
        Action::Snapshot => snapshot(state),
        Action::Verbosity => verbosity(state, request),
    };
    match done {
        Ok(words) => {
            log::info!("changed through the admin listener  what={words:?}");
            Answer::text(Status::Ok, format!("{words}\n"))
        }
        Err((status, words)) => Answer::text(status, format!("{words}\n")),
    }
}

/// What was done, or why not.
type Done = Result<String, (Status, &'static str)>;

fn cache_memlimit(state: &State, request: &Request<'_>) -> Done {
    let megabytes = request.asks("megabytes").and_then(|text| text.parse().ok());
    let megabytes = megabytes.ok_or((Status::BadRequest, "?megabytes= must be a number"))?;
    match state.shared.change_memory_limit(megabytes) {
        Ok(()) => Ok(format!("the memory limit is {megabytes} MiB")),
        Err(LimitError::TooSmall) => Err((Status::BadRequest, "the limit is 8 MiB at least")),
        Err(LimitError::TooLarge) => Err((Status::BadRequest, "that is no limit for memory")),
        Err(LimitError::Fixed) => Err((
            Status::BadRequest,
            "this daemon cannot have that much: it was started with less, or with -L",
        )),
    }
}

fn client_kill(state: &State, request: &Request<'_>) -> Done {
    let who = request.asks("client").unwrap_or_default();
    let host = &state.shared.host;
    let (mut count, mut next) = (0, Some(FIRST));
    while let Some(after) = next {
        let killed = host.kill(who, after).ok_or((
            Status::BadRequest,
            "?client= must be the number or the address of a client",
        ))?;
        count += killed.count;
        next = killed.next;
    }
    match count {
        0 => Err((Status::NotFound, "there is no such client")),
        1 => Ok(format!("client {who} is closed")),
        _ => Ok(format!("{count} clients of {who} are closed")),
    }
}

fn flush_all(state: &State) -> Done {
    let shared = &*state.shared;
    if !shared.config.flush_enabled {
        return Err((Status::Forbidden, "flush_all is turned off (-F)"));
    }
    let count = shared.store.totals().curr_items;
    shared.store.flush(None, shared.clock.now());
    Ok(format!("{count} items were flushed"))
}

fn snapshot(state: &State) -> Done {
    match state.shared.host.snapshot() {
        SnapshotReply::Begun => Ok("a snapshot is being written".to_owned()),
        SnapshotReply::Busy => Err((Status::Conflict, "a snapshot is being written already")),
        SnapshotReply::Off => Err((Status::Forbidden, "there is no file for it (--snapshot)")),
    }
}

fn verbosity(state: &State, request: &Request<'_>) -> Done {
    let level = request.asks("level").and_then(|text| text.parse().ok());
    let level = level.filter(|level| *level <= VERBOSITY_MAX);
    let level = level.ok_or((Status::BadRequest, "?level= must be 0, 1 or 2"))?;
    state.shared.change_verbosity(level);
    Ok(format!("the log's level is {level}"))
}
