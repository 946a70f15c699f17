//! Conversations in lines: the text and meta commands, one line after the other.

use memchr::memchr;

use super::drive::{Framed, Keyed, Wire};
use super::keys::{Keys, Then};
use super::rights::Denied;
use super::turn::Turn;
use super::{Asked, Next, Session, State, Step, classic, data, discovery, meta, rights};
use crate::limits::LINE_SIZE_MAX;
use crate::protocol::ProtocolError;
use crate::protocol::meta::NOOP;
use crate::protocol::text::config::Config;
use crate::protocol::text::{self, Command, Refusal, reply};
use crate::store::Store;
use crate::time::Expiry;

/// The text and meta dialects, which share their connections.
pub(super) struct Lines;

/// A line that is not about one key, or whose data block is not there yet.
pub(super) struct Line<'i> {
    command: Result<Command<'i>, Refusal>,
    line_size: usize,
}

impl Wire for Lines {
    type Request<'i> = Command<'i>;
    type Other<'i> = Line<'i>;

    fn frame<'i>(store: &Store, input: &'i [u8]) -> Framed<Keyed<'i, Command<'i>>, Line<'i>> {
        frame(store, input)
    }

    fn judge(turn: &Turn<'_>, keyed: &Keyed<'_, Command<'_>>) -> Result<(), Denied> {
        turn.permits_command(&keyed.request)?;
        turn.spend(rights::command(&keyed.request).need)
    }

    fn deny(
        session: &mut Session,
        turn: &mut Turn<'_>,
        keyed: &Keyed<'_, Command<'_>>,
        denied: Denied,
        head: &[u8],
    ) -> bool {
        if denied == Denied::Permission && session.may_log_in(turn, head) {
            session.knock();
            return false;
        }
        if !is_quiet(&keyed.request) {
            turn.say(denied.line().reply());
        }
        true
    }

    fn execute(
        session: &mut Session,
        turn: &mut Turn<'_>,
        keyed: &Keyed<'_, Command<'_>>,
        bytes: &[u8],
    ) {
        session.execute(turn, keyed, bytes);
    }

    fn other(session: &mut Session, turn: &mut Turn<'_>, line: Line<'_>, input: &[u8]) -> Step {
        session.other(turn, line.command, line.line_size, input)
    }

    fn partial(session: &mut Session, turn: &mut Turn<'_>, input: &[u8]) -> Step {
        session.partial(turn, input)
    }
}

/// Looks at the front of the input.
fn frame<'i>(store: &Store, input: &'i [u8]) -> Framed<Keyed<'i, Command<'i>>, Line<'i>> {
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
            None => return Framed::Other(Line { command, line_size }),
        },
        Ok(Command::Meta(line)) => (line.key, line_size),
        Ok(
            Command::Delete { key, .. }
            | Command::Arithmetic { key, .. }
            | Command::Touch { key, .. },
        ) => (*key, line_size),
        Ok(Command::Store(line)) => (line.key, block_end(line_size, line.size)),
        Ok(Command::MetaStore { line, size }) => (line.key, block_end(line_size, *size)),
        _ => return Framed::Other(Line { command, line_size }),
    };
    match command {
        Ok(command) if size <= input.len() => {
            let hash = store.hash(key);
            Framed::Keyed(Keyed {
                request: command,
                key,
                hash,
                head_size: line_size,
                size,
            })
        }
        command => Framed::Other(Line { command, line_size }),
    }
}

const fn block_end(line_size: usize, size: u32) -> usize {
    line_size + size as usize + reply::CRLF.len()
}

/// The only key of a retrieval, if it has no more.
fn single(keys: &[u8]) -> Option<&[u8]> {
    let keys = keys.strip_prefix(b" ").unwrap_or(keys);
    (text::space_at(keys) == keys.len()).then_some(keys)
}

/// Whether nothing at all is answered, errors included.
const fn is_quiet(command: &Command<'_>) -> bool {
    match command {
        Command::Store(text::Store { noreply, .. })
        | Command::Delete { noreply, .. }
        | Command::Arithmetic { noreply, .. }
        | Command::Touch { noreply, .. }
        | Command::Flush { noreply, .. }
        | Command::Admin { noreply, .. } => *noreply,
        Command::Get(_)
        | Command::Config(_)
        | Command::Meta(_)
        | Command::MetaNoop
        | Command::MetaStore { .. }
        | Command::Quit
        | Command::Version => false,
    }
}

/// Judges a command of which so many bytes are there behind its line.
fn judge(turn: &Turn<'_>, command: &Command<'_>, here: usize) -> Result<(), Denied> {
    turn.permits_command(command)?;
    if turn.rights.is_none() {
        return Ok(());
    }
    match command {
        // It comes again when its value is there.
        Command::Store(text::Store { size, .. })
        | Command::Config(Config::Set { size, .. })
        | Command::MetaStore { size, .. }
            if data::is_awaited(block_end(0, *size), here) =>
        {
            Ok(())
        }
        // Each key is a request.
        Command::Get(_) => Ok(()),
        _ => turn.spend(rights::command(command).need),
    }
}

/// How a command is refused that its client may not give. Its data block means nothing then.
const fn refusal(command: &Command<'_>, denied: Denied) -> Refusal {
    let swallow = match command {
        Command::Store(text::Store { size, .. })
        | Command::Config(Config::Set { size, .. })
        | Command::MetaStore { size, .. } => Some(*size),
        _ => None,
    };
    Refusal {
        error: Some(denied.line()),
        swallow,
        noreply: is_quiet(command),
    }
}

impl Session {
    /// Answers a request that lies complete in `bytes`.
    fn execute(&mut self, turn: &mut Turn<'_>, keyed: &Keyed<'_, Command<'_>>, bytes: &[u8]) {
        let (key, hash) = (keyed.key, keyed.hash);
        let block = &bytes[keyed.head_size..];
        match keyed.request {
            Command::Get(get) => {
                self.asked = Asked::get(get.cas, get.exptime.is_some());
                let touch = get.exptime.map(|e| Expiry::from_wire(e, turn.now()));
                match classic::get(turn, key, hash, get.cas, touch) {
                    None => turn.say(reply::END),
                    Some(pin) => self.state = State::Sending(pin, Then::End),
                }
            }
            Command::Meta(line) => {
                self.asked = Asked::meta(line.verb);
                if let Some(pin) = meta::command(turn, &line, hash) {
                    self.state = State::Sending(pin, Then::Command);
                }
            }
            Command::Store(line) => {
                self.asked = Asked::store(line.verb);
                let put = classic::put(turn, &line, hash);
                data::store_block(turn, &put, &classic::answer(&line, &put), block);
            }
            Command::MetaStore { line, .. } => {
                self.asked = Asked::MetaSet;
                turn.counters().cmd_meta.add(1);
                match line.options() {
                    Err(error) => turn.say(error.reply()),
                    Ok(options) => match meta::put(turn, &line, &options, hash) {
                        Err(error) => turn.say(error.reply()),
                        Ok((put, answer)) => data::store_block(turn, &put, &answer, block),
                    },
                }
            }
            Command::Delete { noreply, .. } => {
                self.asked = Asked::Delete;
                classic::delete(turn, key, hash, noreply);
            }
            Command::Arithmetic {
                delta,
                decrement,
                noreply,
                ..
            } => {
                self.asked = Asked::arithmetic(decrement);
                classic::arithmetic(turn, key, hash, delta, decrement, noreply);
            }
            Command::Touch {
                exptime, noreply, ..
            } => {
                self.asked = Asked::Touch;
                classic::touch(turn, key, hash, exptime, noreply);
            }
            Command::MetaNoop
            | Command::Flush { .. }
            | Command::Config(_)
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
        let here = input.len() - line_size;
        self.asked = command.as_ref().map_or(Asked::Unknown, Asked::line);
        let command = command.and_then(|command| match judge(turn, &command, here) {
            Ok(()) => Ok(command),
            Err(denied) => Err(refusal(&command, denied)),
        });
        // A login is a storage line that says nothing else.
        let may_be = |refusal: &Refusal| refusal.error != Some(ProtocolError::RateExceeded);
        if command.as_ref().err().is_some_and(may_be) && self.may_log_in(turn, &input[..line_size])
        {
            self.knock();
            return Step::go(0);
        }
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
            Ok(Command::Config(command)) => {
                let block = &input[line_size..];
                return discovery::line(self, turn, command, line_size, block);
            }
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
        if text::is_packet(input) {
            return Step::leave(0, Next::Abort);
        }
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
