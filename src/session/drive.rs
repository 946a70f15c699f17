//! The loop of a conversation: frame, fetch ahead, execute, until input, output or patience ends.
//!
//! When several requests lie complete in the input, up to [`BATCH_COUNT_MAX`] are decoded and
//! hashed first, and the store is asked to fetch their index lines and items ahead, so that one
//! memory access hides behind the others. A single request goes straight through.

use super::lines::Lines;
use super::packets::Packets;
use super::rights::Denied;
use super::turn::Turn;
use super::{Context, Dialect, Driven, Flow, Next, Session, State, Step};
use crate::limits::{BATCH_COUNT_MAX, OUTPUT_SIZE_HIGH};
use crate::protocol::binary::MAGIC_REQUEST;
use crate::protocol::text::reply;
use crate::store::{KeyHash, Store};

/// How a dialect frames requests and answers them.
pub(super) trait Wire {
    /// A request about one key.
    type Request<'i>;
    /// Whatever else stands at the front of the input, its head complete.
    type Other<'i>;

    /// Looks at the front of the input.
    fn frame<'i>(
        store: &Store,
        input: &'i [u8],
    ) -> Framed<Keyed<'i, Self::Request<'i>>, Self::Other<'i>>;

    /// Judges a request by what its client may do. Asked only of clients that are limited.
    fn judge(turn: &Turn<'_>, keyed: &Keyed<'_, Self::Request<'_>>) -> Result<(), Denied>;

    /// Answers a request that is not served, of which `head` is all but the value. False when it
    /// is to be looked at once more, as a login.
    fn deny(
        session: &mut Session,
        turn: &mut Turn<'_>,
        keyed: &Keyed<'_, Self::Request<'_>>,
        denied: Denied,
        head: &[u8],
    ) -> bool;

    /// Answers a request that lies complete in `bytes`.
    fn execute(
        session: &mut Session,
        turn: &mut Turn<'_>,
        keyed: &Keyed<'_, Self::Request<'_>>,
        bytes: &[u8],
    );

    /// Answers what is not about one key, or is not complete yet.
    fn other(
        session: &mut Session,
        turn: &mut Turn<'_>,
        other: Self::Other<'_>,
        input: &[u8],
    ) -> Step;

    /// Waits for the rest of a head, within reason.
    fn partial(session: &mut Session, turn: &mut Turn<'_>, input: &[u8]) -> Step;
}

/// A request about one key that lies complete in the input.
pub(super) struct Keyed<'i, R> {
    pub(super) request: R,
    /// The key as it came.
    pub(super) key: &'i [u8],
    pub(super) hash: KeyHash,
    /// Bytes before the value.
    pub(super) head_size: usize,
    /// Bytes of all of it.
    pub(super) size: usize,
}

/// What stands at the front of the input.
pub(super) enum Framed<K, O> {
    /// Nothing more to look at.
    End,
    /// A request that can be batched.
    Keyed(K),
    /// Something else.
    Other(O),
    /// The beginning of something.
    Partial,
}

/// See [`Session::drive`].
pub(super) fn drive(
    session: &mut Session,
    ctx: &Context<'_>,
    input: &[u8],
    output: &mut Vec<u8>,
) -> Driven {
    session.awaits_block = false;
    if !session.renew(ctx) {
        return Driven {
            consumed: 0,
            served: 0,
            next: Next::Abort,
        };
    }
    let mut turn = Turn::new(ctx, output, session.id, session.rights());
    let served_max = ctx.shared.config.requests_per_event.max(1);
    let mut consumed = 0;
    let mut served = 0;
    loop {
        let allowance = served_max.saturating_sub(served).max(1);
        let step = session.step(&mut turn, &input[consumed..], allowance, BATCH_COUNT_MAX);
        consumed += step.consumed;
        served += step.served;
        let next = match step.flow {
            Flow::Wait(at_least) => Next::Read { at_least },
            Flow::Leave(next) => next,
            Flow::Go if turn.out.len() >= OUTPUT_SIZE_HIGH => Next::Flush,
            Flow::Go if served >= served_max && consumed < input.len() => Next::Yield,
            Flow::Go => continue,
        };
        return Driven {
            consumed,
            served,
            next,
        };
    }
}

/// See [`Session::datagram`].
pub(super) fn datagram(
    session: &mut Session,
    ctx: &Context<'_>,
    request: &[u8],
    send: &mut dyn FnMut(&[u8]),
) {
    // A datagram belongs to nobody who could have logged in.
    if ctx.shared.door.is_locked() {
        return;
    }
    // Each datagram chooses its dialect anew.
    let dialect = session.dialect;
    // A reply message that may still be joined by the end of its list.
    let mut held: Vec<u8> = Vec::new();
    let mut message = Vec::new();
    let mut consumed = 0;
    loop {
        let was_value = matches!(session.state, State::Sending(..) | State::Listing(_));
        let mut turn = Turn::new(ctx, &mut message, session.id, None);
        let step = session.step(&mut turn, &request[consumed..], 1, 1);
        consumed += step.consumed;
        if was_value || message == reply::END && !held.is_empty() {
            held.append(&mut message);
        } else if !message.is_empty() || step.consumed > 0 {
            if !held.is_empty() {
                send(&held);
            }
            held.clear();
            std::mem::swap(&mut held, &mut message);
        }
        let goes_on = match step.flow {
            Flow::Go | Flow::Leave(Next::Flush) => !matches!(
                session.state,
                State::Watching | State::Dump(_) | State::Search(_)
            ),
            Flow::Wait(_) | Flow::Leave(_) => false,
        };
        if !goes_on {
            break;
        }
    }
    if !held.is_empty() {
        send(&held);
    }
    session.close(ctx);
    session.dialect = dialect;
}

impl Session {
    /// Does one piece of work: a batch of requests, or a part of something long.
    fn step(&mut self, turn: &mut Turn<'_>, input: &[u8], allowance: u32, keys_max: usize) -> Step {
        if let Some(step) = self.at_door(turn, input) {
            return step;
        }
        match std::mem::replace(&mut self.state, State::Command) {
            State::Command => self.commands(turn, input, allowance),
            State::Dump(dump) => self.dump(turn, dump),
            State::Search(search) => self.search(turn, search),
            State::Keys(keys) => self.keys(turn, keys, input, keys_max),
            State::Listing(listing) => self.listing(turn, listing),
            State::Sending(pin, then) => self.send(turn, pin, then),
            State::SkipLine => self.skip_line(input),
            State::Swallow(left) => self.swallow(left, input),
            State::Upload(uploading) => self.upload(turn, uploading, input),
            State::Entry(receiving) => self.receive_entry(turn, receiving, input),
            State::Watching => {
                self.state = State::Watching;
                Step::leave(input.len(), Next::Watch)
            }
        }
    }

    fn commands(&mut self, turn: &mut Turn<'_>, input: &[u8], allowance: u32) -> Step {
        self.awaits_block = false;
        let Some(first) = input.first() else {
            return Step::wait(0, 1);
        };
        if self.is_binary(*first) {
            self.batch::<Packets>(turn, input, allowance)
        } else {
            self.batch::<Lines>(turn, input, allowance)
        }
    }

    /// Whether this is a conversation in binary. The first byte decides, for good.
    pub(super) fn is_binary(&mut self, first: u8) -> bool {
        if self.dialect == Dialect::Auto {
            self.dialect = match first {
                MAGIC_REQUEST => Dialect::Binary,
                _ => Dialect::Text,
            };
        }
        self.dialect == Dialect::Binary
    }

    /// Answers the requests that lie complete at the front of the input, as many as one batch
    /// holds, and then looks at what stands behind them.
    fn batch<W: Wire>(&mut self, turn: &mut Turn<'_>, input: &[u8], allowance: u32) -> Step {
        let mut batch = [const { None::<Keyed<'_, W::Request<'_>>> }; BATCH_COUNT_MAX];
        let batch_max = BATCH_COUNT_MAX.min(allowance as usize);
        let mut count = 0;
        let mut ahead = 0;
        let mut stop = Framed::End;
        while count < batch_max {
            match W::frame(turn.store(), &input[ahead..]) {
                Framed::Keyed(keyed) => {
                    ahead += keyed.size;
                    batch[count] = Some(keyed);
                    count += 1;
                }
                other => {
                    stop = other;
                    break;
                }
            }
        }
        let batch = &batch[..count];
        if count > 1 {
            for keyed in batch.iter().flatten() {
                turn.store().prefetch_index(keyed.hash);
            }
            for keyed in batch.iter().flatten() {
                turn.store().prefetch_item(keyed.hash);
            }
        }
        let mut consumed = 0;
        let mut served = 0;
        for keyed in batch.iter().flatten() {
            if !turn.take_room() {
                turn.out.truncate(turn.begun_at());
                return Step::leave(consumed, Next::Abort);
            }
            let said = turn.out.len();
            let judged = match turn.rights {
                None => Ok(()),
                Some(_) => W::judge(turn, keyed),
            };
            match judged {
                Ok(()) => W::execute(self, turn, keyed, &input[consumed..consumed + keyed.size]),
                Err(denied) => {
                    let bytes = &input[consumed..consumed + keyed.head_size];
                    if !W::deny(self, turn, keyed, denied, bytes) {
                        return Step {
                            consumed,
                            served,
                            flow: Flow::Go,
                        };
                    }
                }
            }
            if turn.out.len() == said {
                turn.give_room();
            }
            consumed += keyed.size;
            served += 1;
            let is_busy = !matches!(self.state, State::Command);
            if is_busy || turn.out.len() >= OUTPUT_SIZE_HIGH {
                return Step {
                    consumed,
                    served,
                    flow: Flow::Go,
                };
            }
        }
        let rest = &input[consumed..];
        let step = match stop {
            // What lies behind a full batch has not been looked at.
            Framed::End | Framed::Keyed(_) => Step::go(0),
            Framed::Other(_) if served == allowance => Step::go(0),
            Framed::Other(other) => W::other(self, turn, other, rest),
            Framed::Partial => W::partial(self, turn, rest),
        };
        Step {
            consumed: consumed + step.consumed,
            served: served + step.served,
            flow: step.flow,
        }
    }
}
