//! `stats` and its groups, on the wire.
//!
//! The figures themselves come from `figures.rs`; here they get the form of a client's protocol,
//! and what `stats` changes is changed.

use super::figures::{self, Group};
use super::insight::Search;
use super::listing::Task;
use super::turn::Turn;
use super::{Session, State};
use crate::protocol::ProtocolError;
use crate::protocol::admin::{Detail, Stats};
use crate::protocol::binary::{self, Echo, Status};
use crate::protocol::text::reply;
use crate::store::SizeWalk;

/// Most bytes of one `stats cachedump`.
const CACHEDUMP_SIZE_MAX: usize = 2 << 20;

/// Most bytes that the end of a `cachedump` line takes beside its key.
const CACHEDUMP_LINE_SIZE_MAX: usize = 320;

/// Whom a report is for.
#[derive(Clone, Copy, Debug)]
pub(super) enum Reader {
    /// A client that speaks binary, with what its packets repeat.
    Packets(Echo),
    /// A client that speaks text.
    Lines,
}

impl Reader {
    /// One line of a list.
    pub(super) fn line(self, out: &mut Vec<u8>, name: &str, value: &[u8]) {
        match self {
            Self::Packets(echo) => binary::reply::stat(out, echo, name, value),
            Self::Lines => reply::stat(out, name, value),
        }
    }

    /// The end of a list.
    pub(super) fn end(self, out: &mut Vec<u8>) {
        match self {
            Self::Packets(echo) => binary::reply::stat(out, echo, "", b""),
            Self::Lines => out.extend_from_slice(reply::END),
        }
    }

    /// Says that what was asked is done, where no list is the answer.
    fn done(self, turn: &mut Turn<'_>, line: &[u8]) {
        match self {
            Self::Packets(echo) => binary::reply::stat(turn.out, echo, "", b""),
            Self::Lines => turn.say(line),
        }
    }

    /// Says that there is no such report for this client.
    pub(super) fn refuse(self, turn: &mut Turn<'_>, error: ProtocolError) {
        match self {
            Self::Packets(echo) => binary::reply::error(turn.out, echo, Status::NotFound),
            Self::Lines => turn.say(error.reply()),
        }
    }
}

/// Answers `stats` in all its forms.
pub(super) fn stats(session: &mut Session, turn: &mut Turn<'_>, group: Stats<'_>, reader: Reader) {
    let shared = turn.ctx.shared;
    match group {
        Stats::BigKeys => session.state = State::Search(Box::new(Search::new(turn, reader))),
        Stats::HotKeys => list(turn, Group::HotKeys, reader),
        Stats::Ttl => list(turn, Group::Ttl, reader),
        Stats::Waste => list(turn, Group::Waste, reader),
        Stats::General => list(turn, Group::General, reader),
        Stats::Settings => list(turn, Group::Settings, reader),
        Stats::Items => list(turn, Group::Items, reader),
        Stats::Slabs => list(turn, Group::Slabs, reader),
        Stats::Slow => list(turn, Group::Slow, reader),
        Stats::Threads => list(turn, Group::Threads, reader),
        Stats::Sizes if shared.config.track_sizes => {
            session.begin_listing(Task::Sizes(reader, SizeWalk::default()));
        }
        Stats::Sizes => list(turn, Group::Sizes, reader),
        Stats::Larder => list(turn, Group::Larder, reader),
        Stats::Latency => list(turn, Group::Latency, reader),
        Stats::Cluster => list(turn, Group::Cluster, reader),
        Stats::Clients => session.begin_listing(Task::Clients(reader)),
        Stats::Conns => session.begin_listing(Task::Conns(reader)),
        Stats::Reset => {
            shared.registry.reset();
            shared.store.reset_stats();
            shared.hub.reset_counts();
            shared.live.prefixes.clear();
            reader.done(turn, reply::RESET);
        }
        Stats::Cachedump { class, limit } => match reader {
            // Its lines are no statistics.
            Reader::Packets(_) => reader.refuse(turn, ProtocolError::Unknown),
            Reader::Lines => cachedump(turn, class, limit),
        },
        Stats::Detail(Detail::Dump) => match reader {
            Reader::Packets(_) => {
                let mut dump = Vec::new();
                shared.live.prefixes.dump(&mut dump);
                reader.line(turn.out, "detailed", &dump);
                reader.end(turn.out);
            }
            Reader::Lines => shared.live.prefixes.dump(turn.out),
        },
        Stats::Detail(Detail::On) => {
            shared.live.prefixes.turn(true);
            turn.detail = true;
            reader.done(turn, reply::OK);
        }
        Stats::Detail(Detail::Off) => {
            shared.live.prefixes.turn(false);
            turn.detail = false;
            reader.done(turn, reply::OK);
        }
        Stats::Unknown(_) => reader.refuse(turn, ProtocolError::Unknown),
    }
}

/// Says all figures of a group.
fn list(turn: &mut Turn<'_>, group: Group, reader: Reader) {
    let ctx = turn.ctx;
    let out = &mut *turn.out;
    let mut line = |name: &str, value: &[u8]| reader.line(out, name, value);
    figures::show(ctx.shared, ctx.now, group, &mut line);
    reader.end(out);
}

fn cachedump(turn: &mut Turn<'_>, class: u8, limit: u32) {
    let now = turn.ctx.now;
    let store = turn.store();
    let out = &mut *turn.out;
    let size_max = out.len() + CACHEDUMP_SIZE_MAX - CACHEDUMP_LINE_SIZE_MAX;
    let mut left = if limit == 0 { u32::MAX } else { limit };
    store.cachedump(class, now, &mut |item| {
        // A key of a binary client may not be fit for a line.
        if !item.binary_key {
            let expires = match item.expiry.uptime_s() {
                0 => 0,
                uptime_s => now.unix_of(uptime_s),
            };
            reply::cachedump(out, item.key, item.value_size, expires);
            left -= 1;
        }
        left > 0 && out.len() < size_max
    });
    turn.say(reply::END);
}
