//! The rules of the cache: what a request does to the store, to the counters, and what watchers
//! hear of it. Every dialect comes through here; none of them counts or logs by itself.

use super::discovery::is_reserved;
use super::turn::Turn;
use crate::limits::COPY_SIZE_MAX;
use crate::protocol::admin::streams;
use crate::protocol::log::{self, GetStatus};
use crate::stats::hot::Access;
use crate::store::{
    Arithmetic, ArithmeticError, Counted, Delete, DeleteStatus, Fetch, Fetched, Hit, KeyHash,
    LruQueue, Miss, Pin, Put, PutReply, PutStatus,
};
use crate::time::Expiry;

/// Finds an item and lets `show` write what the client sees of it, under the shard's lock.
/// `None` is a miss.
pub(super) fn fetch<R>(
    turn: &mut Turn<'_>,
    key: &[u8],
    hash: KeyHash,
    how: &Fetch,
    mut show: impl FnMut(&mut Hit<'_>, &mut Vec<u8>) -> R,
) -> Option<R> {
    if turn.counters().sampler.is_due() {
        sample_ahead(turn, key, hash);
    }
    let store = turn.store();
    let out = &mut *turn.out;
    let found = store.fetch(key, hash, turn.ctx.now, how, |fetched| match fetched {
        Fetched::Hit(mut hit) => {
            let seen = (hit.class(), hit.value_size());
            Ok((seen, hit.queue(), show(&mut hit, out)))
        }
        Fetched::Miss(miss) => Err(miss),
    });
    let counters = turn.counters();
    let touches = how.touch.is_some();
    if touches {
        counters.cmd_touch.add(1);
    } else {
        counters.cmd_get.add(1);
    }
    let (seen, shown) = match found {
        Ok((seen, queue, shown)) => {
            let class = &counters.classes[seen.0];
            if !how.no_bump {
                match queue {
                    LruQueue::Hot => class.hits_to_hot.add(1),
                    LruQueue::Warm => class.hits_to_warm.add(1),
                    LruQueue::Cold => class.hits_to_cold.add(1),
                    LruQueue::Temp => class.hits_to_temp.add(1),
                }
            }
            if touches {
                counters.touch_hits.add(1);
                class.touch_hits.add(1);
            } else {
                counters.get_hits.add(1);
                class.get_hits.add(1);
            }
            (Ok(seen), Some(shown))
        }
        Err(miss) => {
            if touches {
                counters.touch_misses.add(1);
            } else {
                counters.get_misses.add(1);
            }
            match miss {
                Miss::Expired => counters.get_expired.add(1),
                Miss::Flushed => counters.get_flushed.add(1),
                Miss::Absent | Miss::NoMemory => {}
            }
            (Err(miss), None)
        }
    };
    if turn.watched & streams::FETCHERS != 0 {
        log_fetch(turn, key, seen);
    }
    if turn.detail {
        turn.ctx.shared.live.prefixes.get(key, shown.is_some());
    }
    shown
}

/// Appends a value and what follows it, or pins one that is too large to copy at once.
pub(super) fn push_value(hit: &mut Hit<'_>, out: &mut Vec<u8>, tail: &[u8]) -> Option<Pin> {
    if hit.value_size() as usize > COPY_SIZE_MAX {
        return Some(hit.pin());
    }
    hit.copy_value(out);
    out.extend_from_slice(tail);
    None
}

/// Keeps what a sampled request is about to find. To look ahead costs one request in many; to
/// hand out afterwards what was found would cost each of them.
#[cold]
fn sample_ahead(turn: &Turn<'_>, key: &[u8], hash: KeyHash) {
    let now = turn.now();
    let sampler = &turn.counters().sampler;
    let found = turn.store().peek(key, hash, now, |item| {
        item.map(|item| (item.expiry, item.value_size))
    });
    match found {
        Some((expiry, value_size)) => {
            sampler.note_hit(expiry.ttl_s(now));
            sampler.note(key, Access::Hit, value_size, now.uptime_s);
        }
        None => sampler.note(key, Access::Miss, 0, now.uptime_s),
    }
}

#[cold]
fn log_fetch(turn: &Turn<'_>, key: &[u8], seen: Result<(u8, u32), Miss>) {
    let (status, (class, size)) = match seen {
        Ok(seen) => (GetStatus::Found, seen),
        Err(Miss::Expired) => (GetStatus::Expired, (0, 0)),
        Err(Miss::Flushed) => (GetStatus::Flushed, (0, 0)),
        Err(Miss::Absent | Miss::NoMemory) => (GetStatus::NotFound, (0, 0)),
    };
    turn.log_get(key, status, class, size);
}

/// What is remembered of a storage request until its value is stored.
#[derive(Clone, Copy, Debug)]
pub(super) struct Storing {
    /// The command, as watchers see it.
    pub(super) command: &'static str,
    /// A cas was compared.
    pub(super) compares: bool,
    /// The expiry asked for.
    pub(super) expiry: Expiry,
}

impl Storing {
    /// Whether the item has the expiry that was asked for, and not the one that it had.
    fn sets_expiry(&self) -> bool {
        !matches!(self.command, "append" | "prepend")
    }
}

/// Stores a value that is there in full.
pub(super) fn put(turn: &mut Turn<'_>, put: &Put<'_>, value: &[u8], storing: &Storing) -> PutReply {
    lookup_for_put(turn, put.key);
    let reply = if is_reserved(put.key) {
        PutReply {
            status: PutStatus::NotStored,
            cas: 0,
            value_size: u32::try_from(value.len()).unwrap_or(u32::MAX),
            class: 0,
        }
    } else {
        turn.store().put(put, value, turn.now())
    };
    stored(turn, put.key, reply, storing);
    reply
}

/// What watchers and prefixes see of a storage request before its value is stored.
pub(super) fn lookup_for_put(turn: &Turn<'_>, key: &[u8]) {
    if turn.detail {
        turn.ctx.shared.live.prefixes.set(key);
    }
    turn.log_lookup(key);
}

/// Counts and logs what became of a storage request.
pub(super) fn stored(turn: &Turn<'_>, key: &[u8], reply: PutReply, storing: &Storing) {
    let counters = turn.counters();
    if counters.sampler.is_due() {
        sample_store(turn, key, &reply, storing);
    }
    let class = &counters.classes[reply.class];
    let status = match reply.status {
        PutStatus::Stored => {
            if storing.compares {
                counters.cas_hits.add(1);
                class.cas_hits.add(1);
            }
            "stored"
        }
        PutStatus::NotStored => "not_stored",
        PutStatus::Exists => {
            if storing.compares {
                counters.cas_badval.add(1);
                class.cas_badval.add(1);
            }
            "exists"
        }
        PutStatus::NotFound => {
            if storing.compares {
                counters.cas_misses.add(1);
            }
            "not_found"
        }
        PutStatus::TooLarge => {
            counters.store_too_large.add(1);
            "too_large"
        }
        PutStatus::NoMemory => {
            counters.store_no_memory.add(1);
            "no_memory"
        }
    };
    if !matches!(reply.status, PutStatus::TooLarge | PutStatus::NoMemory) {
        counters.cmd_set.add(1);
        class.cmd_set.add(1);
    }
    turn.log(streams::MUTATIONS, "item_store", |out| {
        let line = log::ItemStore {
            key,
            status,
            command: storing.command,
            ttl_s: storing.expiry.ttl_s(turn.now()).unwrap_or(0),
            class: reply.class,
            id: turn.id,
            size: reply.value_size,
        };
        log::item_store(out, &line);
    });
}

#[cold]
fn sample(turn: &Turn<'_>, key: &[u8], access: Access) {
    let now_s = turn.now().uptime_s;
    turn.counters().sampler.note(key, access, 0, now_s);
}

#[cold]
fn sample_store(turn: &Turn<'_>, key: &[u8], reply: &PutReply, storing: &Storing) {
    let now = turn.now();
    let sampler = &turn.counters().sampler;
    if reply.status == PutStatus::Stored && storing.sets_expiry() {
        sampler.note_store(storing.expiry.ttl_s(now));
    }
    sampler.note(key, Access::Write, reply.value_size, now.uptime_s);
}

/// Deletes an item, empties it, or marks it stale.
pub(super) fn delete(
    turn: &mut Turn<'_>,
    delete: &Delete<'_>,
    command: &'static str,
) -> DeleteStatus {
    if turn.counters().sampler.is_due() {
        sample(turn, delete.key, Access::Delete);
    }
    if turn.detail {
        turn.ctx.shared.live.prefixes.delete(delete.key);
    }
    turn.log_lookup(delete.key);
    let status = turn.store().delete(delete, turn.now());
    let counters = turn.counters();
    match status {
        DeleteStatus::Deleted { value_size, class } => {
            counters.delete_hits.add(1);
            counters.classes[class].delete_hits.add(1);
            turn.log(streams::DELETIONS, "deleted", |out| {
                log::deleted(out, delete.key, command, class, value_size);
            });
        }
        DeleteStatus::Kept { class } if !delete.invalidate => {
            counters.delete_hits.add(1);
            counters.classes[class].delete_hits.add(1);
            turn.log(streams::DELETIONS, "deleted", |out| {
                log::deleted(out, delete.key, command, class, 0);
            });
        }
        DeleteStatus::Kept { .. } | DeleteStatus::NoMemory => {}
        DeleteStatus::NotFound | DeleteStatus::Exists => counters.delete_misses.add(1),
    }
    status
}

/// Counts a number up or down.
pub(super) fn arithmetic(
    turn: &mut Turn<'_>,
    request: &Arithmetic<'_>,
) -> Result<Counted, ArithmeticError> {
    if turn.counters().sampler.is_due() {
        sample(turn, request.key, Access::Write);
    }
    turn.log_lookup(request.key);
    let result = if is_reserved(request.key) {
        Err(ArithmeticError::NotFound)
    } else {
        turn.store().arithmetic(request, turn.now())
    };
    let counters = turn.counters();
    match (&result, request.decrement) {
        (Ok(counted), false) if !counted.created => {
            counters.incr_hits.add(1);
            counters.classes[counted.class].incr_hits.add(1);
        }
        (Ok(counted), true) if !counted.created => {
            counters.decr_hits.add(1);
            counters.classes[counted.class].decr_hits.add(1);
        }
        (Err(ArithmeticError::NotFound), false) => counters.incr_misses.add(1),
        (Err(ArithmeticError::NotFound), true) => counters.decr_misses.add(1),
        _ => {}
    }
    result
}

/// Kills every item stored until now, or until a moment to come.
pub(super) fn flush(turn: &mut Turn<'_>, exptime: i64) {
    let now = turn.now();
    let at = Expiry::from_wire(exptime, now).uptime_s();
    let at = (exptime > 0 && at > now.uptime_s).then_some(at);
    turn.store().flush(at, now);
    turn.counters().cmd_flush.add(1);
}
