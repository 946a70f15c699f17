//! Lists of sockets, what is done to many of them, and sizes of items: a piece at a time, so that
//! ten thousand clients or a million items keep nobody waiting.
//!
//! Each list has a cursor of its own. One of sockets goes on behind the one that was shown last. Who comes
//! or leaves meanwhile is shown or not; everybody else is shown once.

use super::report::Reader;
use super::turn::Turn;
use super::{Flow, Next, Session, State, Step};
use crate::protocol::ProtocolError;
use crate::protocol::text::reply;
use crate::store::SizeWalk;

/// Before the first socket.
pub const FIRST: i32 = -1;

/// A list under way.
#[derive(Debug)]
pub(super) struct Listing {
    task: Task,
    /// The descriptor that was looked at last, where there are any.
    after: i32,
}

/// What is listed or done.
#[derive(Debug)]
pub(super) enum Task {
    /// `stats clients`.
    Clients(Reader),
    /// `stats conns`.
    Conns(Reader),
    /// `stats sizes`.
    Sizes(Reader, SizeWalk),
    /// `client kill`.
    Kill {
        /// Whom, as the client has said.
        who: Box<str>,
        /// How many have been found.
        count: u32,
    },
}

impl Session {
    /// Begins a list.
    pub(super) fn begin_listing(&mut self, task: Task) {
        let after = FIRST;
        self.state = State::Listing(Box::new(Listing { task, after }));
    }

    /// Does a piece of a list.
    pub(super) fn listing(&mut self, turn: &mut Turn<'_>, mut listing: Box<Listing>) -> Step {
        let (host, now) = (&turn.ctx.shared.host, turn.ctx.now);
        let after = listing.after;
        let out = &mut *turn.out;
        let next = match &mut listing.task {
            Task::Clients(reader) => host.clients(now, after, &mut |name, value| {
                reader.line(out, name, value.as_bytes());
            }),
            Task::Conns(reader) => host.connections(now, after, &mut |name, value| {
                reader.line(out, name, value.as_bytes());
            }),
            Task::Sizes(reader, walk) => {
                let is_over = turn.ctx.shared.store.count_sizes(walk, now);
                if is_over {
                    for (size, count) in walk.counts() {
                        let (mut name, mut value) = (itoa::Buffer::new(), itoa::Buffer::new());
                        reader.line(out, name.format(size), value.format(count).as_bytes());
                    }
                }
                (!is_over).then_some(after)
            }
            Task::Kill { who, count } => match host.kill(who, after) {
                None => {
                    turn.say(ProtocolError::BadClient.reply());
                    return Step::go(0);
                }
                Some(killed) => {
                    *count += killed.count;
                    killed.next
                }
            },
        };
        if let Some(after) = next {
            listing.after = after;
            self.state = State::Listing(listing);
            return Step {
                consumed: 0,
                served: 0,
                flow: Flow::Leave(Next::Flush),
            };
        }
        match listing.task {
            Task::Clients(reader) | Task::Conns(reader) | Task::Sizes(reader, _) => {
                reader.end(turn.out);
            }
            Task::Kill { count: 0, .. } => turn.say(reply::NOT_FOUND),
            Task::Kill { who, count } => {
                log::info!("clients are closed by command  client={who} count={count}");
                turn.say(reply::OK);
            }
        }
        Step::go(0)
    }
}
