//! Listings of all items: `lru_crawler metadump` and `mgdump`.
//!
//! Each listing has a cursor of its own and is written only as fast as its client reads, so a
//! client that stalls holds nothing up and costs one cursor.

use super::turn::Turn;
use super::{Flow, Next, Session, State, Step};
use crate::limits::LISTING_SIZE_HIGH;
use crate::protocol::admin::{self, Listed};
use crate::protocol::text::reply;
use crate::store::DumpCursor;

/// Items shown, or buckets looked at, under one lock.
const ITEM_COUNT_MAX: usize = 64;

/// Times that a lock is taken for one piece: where few items are of the classes wanted, a piece
/// may be empty, and others have their turn all the same.
const ROUND_COUNT_MAX: usize = 4;

/// A listing under way.
#[derive(Debug)]
pub(super) struct Dump {
    cursor: DumpCursor,
    /// Classes wanted, as bits.
    classes: u64,
    as_commands: bool,
}

impl Dump {
    pub(super) fn new(classes: u64, as_commands: bool) -> Self {
        Self {
            cursor: DumpCursor::default(),
            classes,
            as_commands,
        }
    }
}

impl Session {
    /// Writes a piece of a listing.
    pub(super) fn dump(&mut self, turn: &mut Turn<'_>, mut dump: Box<Dump>) -> Step {
        let now = turn.now();
        let store = turn.store();
        let as_commands = dump.as_commands;
        for _ in 0..ROUND_COUNT_MAX {
            if turn.out.len() >= LISTING_SIZE_HIGH {
                break;
            }
            let out = &mut *turn.out;
            let classes = dump.classes;
            let done = store.dump(
                &mut dump.cursor,
                classes,
                now,
                ITEM_COUNT_MAX,
                &mut |item| {
                    if as_commands {
                        return admin::mgdump_line(out, item.key, item.binary_key);
                    }
                    let expires = match item.expiry.uptime_s() {
                        0 => -1,
                        uptime_s => now.unix_of(uptime_s),
                    };
                    let listed = Listed {
                        key: item.key,
                        expires,
                        last_access: now.unix_of(item.last_access_s),
                        cas: item.cas,
                        fetched: item.fetched,
                        class: item.class,
                        size: item.size,
                        flags: item.client_flags,
                    };
                    admin::metadump_line(out, &listed);
                },
            );
            if done {
                turn.say(if as_commands {
                    admin::MGDUMP_END
                } else {
                    reply::END
                });
                return Step::go(0);
            }
        }
        self.state = State::Dump(dump);
        Step {
            consumed: 0,
            served: 0,
            flow: Flow::Leave(Next::Flush),
        }
    }
}
