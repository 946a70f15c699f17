//! The loop of a conversation: frame, fetch ahead, execute, until input, output or patience ends.
//!
//! When several requests lie complete in the input, up to [`BATCH_COUNT_MAX`] are decoded and
//! hashed first, and the store is asked to fetch their index lines and items ahead, so that one
//! memory access hides behind the others. A single request goes straight through.

use memchr::memchr;

use super::keys::{Keys, Then};
use super::turn::Turn;
use super::{Context, Dialect, Driven, Flow, Next, Session, State, Step, classic, data, meta};
use crate::limits::{BATCH_COUNT_MAX, LINE_SIZE_MAX, OUTPUT_SIZE_HIGH};
use crate::protocol::ProtocolError;
use crate::protocol::meta::NOOP;
use crate::protocol::text::{self, Command, Refusal, reply};
use crate::store::{KeyHash, Store};
use crate::time::Expiry;

/// First byte of the binary protocol.
const BINARY_MAGIC: u8 = 0x80;

/// A request about one key that lies complete in the input.
struct Keyed<'i> {
    command: Command<'i>,
    /// The key as it came.
    key: &'i [u8],
    hash: KeyHash,
    line_size: usize,
    /// Bytes of line and data block together.
    size: usize,
}

/// What stands at the front of the input.
enum Framed<'i> {
    /// Nothing more to look at.
    End,
    /// A request that can be batched.
    Keyed(Keyed<'i>),
    /// A line of another kind.
    Other {
        command: Result<Command<'i>, Refusal>,
        line_size: usize,
    },
    /// A line without its end.
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
    let mut turn = Turn::new(ctx, output, session.id);
    let mut allowance = ctx.shared.config.requests_per_event.max(1);
    let mut consumed = 0;
    loop {
        let step = session.step(&mut turn, &input[consumed..], allowance, BATCH_COUNT_MAX);
        consumed += step.consumed;
        allowance = allowance.saturating_sub(step.served);
        let next = match step.flow {
            Flow::Wait(at_least) => Next::Read { at_least },
            Flow::Leave(next) => next,
            Flow::Go if turn.out.len() >= OUTPUT_SIZE_HIGH => Next::Flush,
            Flow::Go if allowance == 0 && consumed < input.len() => Next::Yield,
            Flow::Go => {
                allowance = allowance.max(1);
                continue;
            }
        };
        return Driven { consumed, next };
    }
}

/// See [`Session::datagram`].
pub(super) fn datagram(
    session: &mut Session,
    ctx: &Context<'_>,
    request: &[u8],
    send: &mut dyn FnMut(&[u8]),
) {
    // Each datagram chooses its dialect anew.
    let dialect = session.dialect;
    // A reply message that may still be joined by the end of its list.
    let mut held: Vec<u8> = Vec::new();
    let mut message = Vec::new();
    let mut consumed = 0;
    loop {
        let was_value = matches!(session.state, State::Sending(..));
        let mut turn = Turn::new(ctx, &mut message, session.id);
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
            Flow::Go | Flow::Leave(Next::Flush) => {
                !matches!(session.state, State::Watching | State::Dump(_))
            }
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

/// Looks at the front of the input.
fn frame<'i>(store: &Store, input: &'i [u8]) -> Framed<'i> {
    if input.is_empty() {
        return Framed::End;
    }
    let Some(line_end) = memchr(b'\n', input) else {
        return Framed::Partial;
    };
    let line_size = line_end + 1;
    let command = text::decode(&input[..line_size]);
    let (key, size) = match &command {
        Ok(Command::Get(get)) => match single(get.keys) {
            Some(key) => (key, line_size),
            None => return Framed::Other { command, line_size },
        },
        Ok(Command::Meta(line)) => (line.key, line_size),
        Ok(
            Command::Delete { key, .. }
            | Command::Arithmetic { key, .. }
            | Command::Touch { key, .. },
        ) => (*key, line_size),
        Ok(Command::Store(line)) => (line.key, block_end(line_size, line.size)),
        Ok(Command::MetaStore { line, size }) => (line.key, block_end(line_size, *size)),
        _ => return Framed::Other { command, line_size },
    };
    match command {
        Ok(command) if size <= input.len() => {
            let hash = store.hash(key);
            Framed::Keyed(Keyed {
                command,
                key,
                hash,
                line_size,
                size,
            })
        }
        command => Framed::Other { command, line_size },
    }
}

const fn block_end(line_size: usize, size: u32) -> usize {
    line_size + size as usize + reply::CRLF.len()
}

/// The only key of a retrieval, if it has no more.
fn single(keys: &[u8]) -> Option<&[u8]> {
    let keys = keys.strip_prefix(b" ").unwrap_or(keys);
    memchr(b' ', keys).is_none().then_some(keys)
}

impl Session {
    /// Does one piece of work: a batch of requests, or a part of something long.
    fn step(&mut self, turn: &mut Turn<'_>, input: &[u8], allowance: u32, keys_max: usize) -> Step {
        match std::mem::replace(&mut self.state, State::Command) {
            State::Command => self.commands(turn, input, allowance),
            State::Dump(dump) => self.dump(turn, dump),
            State::Keys(keys) => self.keys(turn, keys, input, keys_max),
            State::Sending(pin, then) => self.send(turn, pin, then),
            State::SkipLine => self.skip_line(input),
            State::Swallow(left) => self.swallow(left, input),
            State::Upload(uploading) => self.upload(turn, uploading, input),
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
        if !self.speaks_text(*first) {
            return Step::leave(0, Next::Abort);
        }
        let mut batch = [const { None::<Keyed<'_>> }; BATCH_COUNT_MAX];
        let batch_max = BATCH_COUNT_MAX.min(allowance as usize);
        let mut count = 0;
        let mut ahead = 0;
        let mut stop = Framed::End;
        while count < batch_max {
            match frame(turn.store(), &input[ahead..]) {
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
            self.execute(turn, keyed, &input[consumed..consumed + keyed.size]);
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
            Framed::Other { .. } if served == allowance => Step::go(0),
            Framed::Other { command, line_size } => self.other(turn, command, line_size, rest),
            Framed::Partial => self.partial(turn, rest),
        };
        Step {
            consumed: consumed + step.consumed,
            served: served + step.served,
            flow: step.flow,
        }
    }

    /// Whether this byte begins a command of a conversation in text. The first one decides.
    fn speaks_text(&mut self, first: u8) -> bool {
        match self.dialect {
            Dialect::Auto if first == BINARY_MAGIC => false,
            Dialect::Auto => {
                self.dialect = Dialect::Text;
                true
            }
            Dialect::Text => true,
            Dialect::Binary => false,
        }
    }

    /// Answers a request that lies complete in `bytes`.
    fn execute(&mut self, turn: &mut Turn<'_>, keyed: &Keyed<'_>, bytes: &[u8]) {
        let (key, hash) = (keyed.key, keyed.hash);
        let block = &bytes[keyed.line_size..];
        match keyed.command {
            Command::Get(get) => {
                let touch = get.exptime.map(|e| Expiry::from_wire(e, turn.now()));
                match classic::get(turn, key, hash, get.cas, touch) {
                    None => turn.say(reply::END),
                    Some(pin) => self.state = State::Sending(pin, Then::End),
                }
            }
            Command::Meta(line) => {
                if let Some(pin) = meta::command(turn, &line, hash) {
                    self.state = State::Sending(pin, Then::Command);
                }
            }
            Command::Store(line) => {
                let put = classic::put(turn, &line, hash);
                data::store_block(turn, &put, &classic::answer(&line, &put), block);
            }
            Command::MetaStore { line, .. } => {
                turn.counters().cmd_meta.add(1);
                match line.options() {
                    Err(error) => turn.say(error.reply()),
                    Ok(options) => match meta::put(turn, &line, &options, hash) {
                        Err(error) => turn.say(error.reply()),
                        Ok((put, answer)) => data::store_block(turn, &put, &answer, block),
                    },
                }
            }
            Command::Delete { noreply, .. } => classic::delete(turn, key, hash, noreply),
            Command::Arithmetic {
                delta,
                decrement,
                noreply,
                ..
            } => {
                classic::arithmetic(turn, key, hash, delta, decrement, noreply);
            }
            Command::Touch {
                exptime, noreply, ..
            } => {
                classic::touch(turn, key, hash, exptime, noreply);
            }
            Command::MetaNoop
            | Command::Flush { .. }
            | Command::Version
            | Command::Quit
            | Command::Admin { .. } => {}
        }
    }

    /// Answers a line that is not about one key, or whose data block is not there yet.
    fn other(
        &mut self,
        turn: &mut Turn<'_>,
        command: Result<Command<'_>, Refusal>,
        line_size: usize,
        input: &[u8],
    ) -> Step {
        match command {
            Ok(Command::Get(get)) => {
                let touch = get.exptime.map(|e| Expiry::from_wire(e, turn.now()));
                let body = text::without_line_end(&input[..line_size]);
                turn.begin_list();
                self.state = State::Keys(Keys::new(get.cas, touch));
                return Step::served(body.len() - get.keys.len());
            }
            Ok(Command::Store(line)) => {
                let put = classic::put(turn, &line, turn.store().hash(line.key));
                let answer = classic::answer(&line, &put);
                return self.store(turn, &put, &answer, line.size, line_size, input);
            }
            Ok(Command::MetaStore { line, size }) => {
                return self.meta_store(turn, &line, size, line_size, input);
            }
            _ => {}
        }
        if !turn.take_room() {
            turn.out.truncate(turn.begun_at());
            return Step::leave(line_size, Next::Abort);
        }
        match command {
            Err(refusal) => return self.refuse(turn, refusal, line_size),
            Ok(Command::MetaNoop) => turn.say(NOOP),
            Ok(Command::Flush { exptime, noreply }) => classic::flush(turn, exptime, noreply),
            Ok(Command::Version) => turn.say(reply::VERSION),
            Ok(Command::Quit) => return Step::leave(line_size, Next::Close),
            Ok(Command::Admin { command, noreply }) => {
                let flow = self.admin(turn, command, noreply);
                return Step {
                    consumed: line_size,
                    served: 1,
                    flow,
                };
            }
            Ok(_) => {}
        }
        Step::served(line_size)
    }

    fn meta_store(
        &mut self,
        turn: &mut Turn<'_>,
        line: &crate::protocol::meta::Line<'_>,
        size: u32,
        line_size: usize,
        input: &[u8],
    ) -> Step {
        let refuse = |error: ProtocolError| Refusal {
            swallow: Some(size),
            ..Refusal::plain(error)
        };
        let options = match line.options() {
            Ok(options) => options,
            Err(error) => return self.refuse(turn, refuse(error), line_size),
        };
        match meta::put(turn, line, &options, turn.store().hash(line.key)) {
            Err(error) => self.refuse(turn, refuse(error), line_size),
            Ok((put, answer)) => {
                let step = self.store(turn, &put, &answer, size, line_size, input);
                if step.consumed > 0 {
                    turn.counters().cmd_meta.add(1);
                }
                step
            }
        }
    }

    fn refuse(&mut self, turn: &mut Turn<'_>, refusal: Refusal, line_size: usize) -> Step {
        let Some(error) = refusal.error else {
            return Step::leave(line_size, Next::Abort);
        };
        if !refusal.noreply {
            turn.say(error.reply());
        }
        if let Some(size) = refusal.swallow {
            self.state = State::Swallow(u64::from(size) + reply::CRLF.len() as u64);
        }
        Step::served(line_size)
    }

    /// Waits for the end of a line, within reason.
    fn partial(&mut self, turn: &mut Turn<'_>, input: &[u8]) -> Step {
        if input.len() <= LINE_SIZE_MAX {
            return Step::wait(0, input.len() + 1);
        }
        match text::endless_get(input) {
            Some((keys_at, cas)) => {
                turn.begin_list();
                self.state = State::Keys(Keys::new(cas, None));
                Step::served(keys_at)
            }
            None => Step::leave(0, Next::Abort),
        }
    }
}
