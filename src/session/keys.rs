//! Retrievals of many keys, and large values on their way out.
//!
//! A line of keys is never held: each key is answered and consumed, and the session remembers
//! only how to answer the next. So a line may be of any length and the answer may pause anywhere.

use memchr::memchr2;

use super::turn::Turn;
use super::{Flow, Next, Session, State, Step, classic, rights};
use crate::limits::{BATCH_COUNT_MAX, COPY_SIZE_MAX, KEY_SIZE_MAX, OUTPUT_SIZE_HIGH};
use crate::protocol::ProtocolError;
use crate::protocol::text::reply;
use crate::store::{KeyHash, Pin};
use crate::time::Expiry;

/// How the keys of a line are to be answered.
#[derive(Clone, Copy, Debug)]
pub(super) struct Keys {
    cas: bool,
    touch: Option<Expiry>,
}

impl Keys {
    pub(super) const fn new(cas: bool, touch: Option<Expiry>) -> Self {
        Self { cas, touch }
    }
}

/// What follows a large value.
#[derive(Clone, Copy, Debug)]
pub(super) enum Then {
    /// The next command.
    Command,
    /// The next packet: nothing stands behind a value there.
    Packet,
    /// The end of the list, then the next command.
    End,
    /// More keys of the same line.
    Keys(Keys),
}

/// One key found in the input.
#[derive(Clone, Copy)]
struct Found<'i> {
    key: &'i [u8],
    hash: KeyHash,
    /// Where the input goes on behind it.
    end: usize,
}

/// What stands behind the keys that were found.
#[derive(Clone, Copy)]
enum Tail {
    /// More keys.
    More,
    /// The end of the line; the input goes on here.
    LineEnd(usize),
    /// A piece of a key, or nothing.
    Partial(usize),
    /// A key that is too long.
    TooLong,
}

impl Session {
    /// Answers keys at the front of the input, up to `keys_max` of them.
    pub(super) fn keys(
        &mut self,
        turn: &mut Turn<'_>,
        keys: Keys,
        input: &[u8],
        keys_max: usize,
    ) -> Step {
        let mut group = [const { None::<Found<'_>> }; BATCH_COUNT_MAX];
        let (count, tail) = find(turn, input, &mut group[..keys_max]);
        let group = &group[..count];
        if count > 1 {
            for found in group.iter().flatten() {
                turn.store().prefetch_index(found.hash);
            }
            for found in group.iter().flatten() {
                turn.store().prefetch_item(found.hash);
            }
        }
        let mut consumed = 0;
        for found in group.iter().flatten() {
            if !turn.take_room() {
                turn.forget_list();
                turn.say(ProtocolError::OutOfMemoryGet.reply());
                self.state = State::SkipLine;
                return Step::go(consumed);
            }
            let need = rights::retrieval(keys.touch.is_some());
            let judged = turn.permits(need, Some(found.key));
            if let Err(denied) = judged.and_then(|()| turn.spend(need)) {
                turn.forget_list();
                turn.say(denied.line().reply());
                self.state = State::SkipLine;
                return Step::go(consumed);
            }
            let pin = classic::get(turn, found.key, found.hash, keys.cas, keys.touch);
            consumed = found.end;
            if let Some(pin) = pin {
                self.state = State::Sending(pin, Then::Keys(keys));
                return Step::go(consumed);
            }
            if turn.out.len() >= OUTPUT_SIZE_HIGH {
                self.state = State::Keys(keys);
                return Step::go(consumed);
            }
        }
        match tail {
            Tail::More => {
                self.state = State::Keys(keys);
                Step::go(consumed)
            }
            Tail::LineEnd(end) => {
                turn.say(reply::END);
                Step::go(end)
            }
            Tail::Partial(begin) => {
                self.state = State::Keys(keys);
                Step::wait(begin, input.len() - begin + 1)
            }
            Tail::TooLong => {
                turn.say(ProtocolError::BadFormat.reply());
                Step::leave(consumed, Next::Abort)
            }
        }
    }

    /// Sends a piece of a large value.
    pub(super) fn send(&mut self, turn: &mut Turn<'_>, mut pin: Pin, then: Then) -> Step {
        while pin.remaining > 0 {
            if turn.out.len() >= OUTPUT_SIZE_HIGH {
                self.state = State::Sending(pin, then);
                return Step {
                    consumed: 0,
                    served: 0,
                    flow: Flow::Leave(Next::Flush),
                };
            }
            turn.store().read_pin(&mut pin, COPY_SIZE_MAX, turn.out);
        }
        turn.store().unpin(pin);
        if !matches!(then, Then::Packet) {
            turn.say(reply::CRLF);
        }
        match then {
            Then::Command | Then::Packet => {}
            Then::End => turn.say(reply::END),
            Then::Keys(keys) => self.state = State::Keys(keys),
        }
        Step::go(0)
    }

    /// Skips the rest of a line that has been answered.
    pub(super) fn skip_line(&mut self, input: &[u8]) -> Step {
        match memchr::memchr(b'\n', input) {
            Some(line_end) => Step::go(line_end + 1),
            None => {
                self.state = State::SkipLine;
                Step::wait(input.len(), 1)
            }
        }
    }
}

/// Finds keys at the front of the input until `group` is full or they end.
fn find<'i>(turn: &Turn<'_>, input: &'i [u8], group: &mut [Option<Found<'i>>]) -> (usize, Tail) {
    let mut at = 0;
    let mut count = 0;
    while count < group.len() {
        while input.get(at) == Some(&b' ') {
            at += 1;
        }
        let rest = &input[at..];
        let Some(size) = memchr2(b' ', b'\n', rest) else {
            // One byte more than a key may have: the CR of a line end.
            let is_too_long = rest.len() > KEY_SIZE_MAX + 1;
            return (
                count,
                if is_too_long {
                    Tail::TooLong
                } else {
                    Tail::Partial(at)
                },
            );
        };
        let is_last = rest[size] == b'\n';
        let mut key = &rest[..size];
        if is_last {
            key = key.strip_suffix(b"\r").unwrap_or(key);
            if key.is_empty() {
                return (count, Tail::LineEnd(at + size + 1));
            }
        }
        if key.len() > KEY_SIZE_MAX {
            return (count, Tail::TooLong);
        }
        let hash = turn.store().hash(key);
        // The line end is left in place for the next look.
        group[count] = Some(Found {
            key,
            hash,
            end: at + key.len(),
        });
        count += 1;
        at += key.len();
    }
    (count, Tail::More)
}
