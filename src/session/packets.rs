//! Conversations in packets: the binary protocol.
//!
//! What requests do to the cache, and how that is counted, is in [`execute`] as
//! for the other dialects; here stands only how they ask and what they are answered.

use super::data::{self, Answer, Form};
use super::drive::{Framed, Keyed, Wire};
use super::execute::{self, Storing};
use super::keys::Then;
use super::report::{self, Reader};
use super::rights::{self, Denied};
use super::turn::Turn;
use super::{Asked, Next, Session, State, Step, discovery, sasl};
use crate::protocol::admin;
use crate::protocol::binary::{
    self, Echo, HEADER_SIZE, Header, Opcode, Refusal, Status, Verb, reply,
};
use crate::protocol::text::{self, Tokens};
use crate::store::{
    Arithmetic, ArithmeticError, Delete, DeleteStatus, Fetch, KeyHash, Put, PutMode, PutReply,
    PutStatus, Store,
};
use crate::time::Expiry;

/// The binary dialect.
pub(super) struct Packets;

/// A known command with its header.
#[derive(Clone, Copy)]
pub(super) struct Request {
    opcode: Opcode,
    header: Header,
}

/// A header that was judged.
type Judged = Result<Header, Refusal>;

impl Wire for Packets {
    type Request<'i> = Request;
    type Other<'i> = Judged;

    fn frame<'i>(store: &Store, input: &'i [u8]) -> Framed<Keyed<'i, Request>, Judged> {
        let header = match binary::decode(input) {
            Ok(None) if input.is_empty() => return Framed::End,
            Ok(None) => return Framed::Partial,
            Ok(Some(header)) => header,
            Err(refusal) => return Framed::Other(Err(refusal)),
        };
        let opcode = header.opcode.filter(|opcode| opcode.verb().is_keyed());
        let (Some(opcode), true) = (opcode, header.size() <= input.len()) else {
            return Framed::Other(Ok(header));
        };
        let key = header.head(input).key;
        Framed::Keyed(Keyed {
            request: Request { opcode, header },
            key,
            hash: store.hash(key),
            head_size: header.head_size(),
            size: header.size(),
        })
    }

    fn judge(turn: &Turn<'_>, keyed: &Keyed<'_, Request>) -> Result<(), Denied> {
        let need = rights::packet(keyed.request.opcode.verb(), keyed.key).need;
        turn.permits(need, Some(keyed.key))?;
        turn.spend(need)
    }

    fn deny(
        _session: &mut Session,
        turn: &mut Turn<'_>,
        keyed: &Keyed<'_, Request>,
        denied: Denied,
        _head: &[u8],
    ) -> bool {
        keyed.request.deny(turn, denied);
        true
    }

    fn execute(
        session: &mut Session,
        turn: &mut Turn<'_>,
        keyed: &Keyed<'_, Request>,
        bytes: &[u8],
    ) {
        let Keyed { request, hash, .. } = *keyed;
        let key = keyed.key;
        let verb = request.opcode.verb();
        session.asked = Asked::packet(verb);
        match verb {
            Verb::Get | Verb::GetKey | Verb::GetTouch | Verb::GetKeyTouch => {
                request.get(session, turn, key, hash, bytes);
            }
            Verb::Touch => request.touch(turn, key, hash, bytes),
            Verb::Delete => request.delete(turn, key, hash),
            Verb::Decrement | Verb::Increment => request.count(turn, key, hash, bytes),
            _ => {
                if let Some((put, answer)) = request.put(turn, key, hash, bytes) {
                    data::store_block(turn, &put, &answer, &bytes[keyed.head_size..]);
                }
            }
        }
    }

    fn other(session: &mut Session, turn: &mut Turn<'_>, judged: Judged, input: &[u8]) -> Step {
        let header = match judged {
            Ok(header) => header,
            Err(Refusal::HangUp) => return Step::leave(0, Next::Abort),
            Err(Refusal::Close(echo, status)) => {
                reply::error(turn.out, echo, status);
                return Step::leave(HEADER_SIZE, Next::Abort);
            }
        };
        let has_login = turn.ctx.shared.door.has_sasl();
        // A daemon without logins knows none of their commands either.
        let is_known = |opcode: &Opcode| has_login || !opcode.verb().is_login();
        let Some(opcode) = header.opcode.filter(is_known) else {
            session.asked = Asked::Unknown;
            return unknown(session, turn, &header);
        };
        if matches!(opcode.verb(), Verb::SaslAuth | Verb::SaslStep) {
            // Whoever begins a login is nobody until it has worked.
            session.put_out();
            return Step::go(0);
        }
        session.asked = Asked::packet(opcode.verb());
        let request = Request { opcode, header };
        let head_size = header.head_size();
        if input.len() < head_size {
            return Step::wait(0, head_size);
        }
        let key = header.head(input).key;
        if let Err(denied) = request.judge(turn, key, input.len() - head_size) {
            request.deny(turn, denied);
            session.state = State::Swallow(u64::from(header.value_size()));
            return Step::served(head_size);
        }
        if opcode.verb().is_config() {
            return discovery::packet(session, turn, opcode, &header, input);
        }
        if let Some((put, answer)) = request.put(turn, key, turn.store().hash(key), input) {
            return session.store(turn, &put, &answer, header.value_size(), head_size, input);
        }
        request.simple(session, turn, key, input)
    }

    fn partial(_session: &mut Session, _turn: &mut Turn<'_>, _input: &[u8]) -> Step {
        Step::wait(0, HEADER_SIZE)
    }
}

/// Answers a command that nobody knows, and skips exactly its body: what follows is understood.
fn unknown(session: &mut Session, turn: &mut Turn<'_>, header: &Header) -> Step {
    if !turn.take_room() {
        turn.out.truncate(turn.begun_at());
        return Step::leave(HEADER_SIZE, Next::Abort);
    }
    reply::error(turn.out, header.echo, Status::Unknown);
    session.state = State::Swallow(u64::from(header.body_size()));
    Step::served(HEADER_SIZE)
}

impl Request {
    const fn echo(&self) -> Echo {
        self.header.echo
    }

    /// Judges a request of which so many bytes are there behind its key.
    fn judge(&self, turn: &Turn<'_>, key: &[u8], here: usize) -> Result<(), Denied> {
        let verb = self.opcode.verb();
        let rule = rights::packet(verb, key);
        let value_size = self.header.value_size() as usize;
        let is_awaited = data::is_awaited(value_size, here);
        if verb.is_keyed() {
            turn.permits(rule.need, Some(key))?;
            if value_size == 0 || is_awaited {
                // It comes again when it is there in full.
                return Ok(());
            }
        } else {
            turn.permits_rule(rule)?;
            if is_awaited {
                return Ok(());
            }
        }
        turn.spend(rule.need)
    }

    /// Says that it is not served. What is quiet is told too: it is no success.
    fn deny(&self, turn: &mut Turn<'_>, denied: Denied) {
        reply::error(turn.out, self.echo(), denied.status(self.opcode.verb()));
    }

    /// Says that it is done, to those who want to hear it.
    fn done(&self, turn: &mut Turn<'_>, cas: u64) {
        if !self.opcode.is_quiet() {
            reply::done(turn.out, self.echo(), cas);
        }
    }

    fn get(
        &self,
        session: &mut Session,
        turn: &mut Turn<'_>,
        key: &[u8],
        hash: KeyHash,
        bytes: &[u8],
    ) {
        let verb = self.opcode.verb();
        let touches = matches!(verb, Verb::GetTouch | Verb::GetKeyTouch);
        let shows_key = matches!(verb, Verb::GetKey | Verb::GetKeyTouch);
        let exptime = touches.then(|| self.header.head(bytes).exptime());
        let how = Fetch {
            touch: exptime.map(|exptime| Expiry::from_wire(exptime, turn.now())),
            ..Fetch::default()
        };
        let echo = self.echo();
        let shown_key = if shows_key { key } else { b"" };
        let shown = execute::fetch(turn, key, hash, &how, |hit, out| {
            let (flags, size, cas) = (hit.client_flags(), hit.value_size(), hit.cas());
            reply::hit(out, echo, flags, shown_key, size, cas);
            execute::push_value(hit, out, b"")
        });
        match shown {
            Some(None) => {}
            Some(Some(pin)) => session.state = State::Sending(pin, Then::Packet),
            None => self.miss(turn, key, shows_key),
        }
    }

    fn miss(&self, turn: &mut Turn<'_>, key: &[u8], shows_key: bool) {
        let echo = self.echo();
        match discovery::stand_in(turn, key) {
            Some(document) => document.push_packet(turn.out, echo, shows_key),
            None if self.opcode.is_quiet() => {}
            None if shows_key => reply::miss_with_key(turn.out, echo, key),
            None => reply::error(turn.out, echo, Status::NotFound),
        }
    }

    fn touch(&self, turn: &mut Turn<'_>, key: &[u8], hash: KeyHash, bytes: &[u8]) {
        let exptime = self.header.head(bytes).exptime();
        let how = Fetch {
            touch: Some(Expiry::from_wire(exptime, turn.now())),
            ..Fetch::default()
        };
        let echo = self.echo();
        let found = execute::fetch(turn, key, hash, &how, |hit, out| {
            reply::hit(out, echo, hit.client_flags(), b"", 0, hit.cas());
        });
        if found.is_none() {
            reply::error(turn.out, echo, Status::NotFound);
        }
    }

    fn delete(&self, turn: &mut Turn<'_>, key: &[u8], hash: KeyHash) {
        let request = Delete {
            compare: self.header.compare(),
            ..Delete::new(key, hash)
        };
        let status = match execute::delete(turn, &request, "delete") {
            DeleteStatus::Deleted { .. } | DeleteStatus::Kept { .. } => return self.done(turn, 0),
            DeleteStatus::NotFound => Status::NotFound,
            DeleteStatus::Exists => Status::Exists,
            DeleteStatus::NoMemory => Status::NoMemory,
        };
        reply::error(turn.out, self.echo(), status);
    }

    fn count(&self, turn: &mut Turn<'_>, key: &[u8], hash: KeyHash, bytes: &[u8]) {
        let head = self.header.head(bytes);
        let decrement = self.opcode.verb() == Verb::Decrement;
        let initial = head.initial();
        let request = Arithmetic {
            compare: self.header.compare(),
            vivify: initial.map(|(exptime, value)| (Expiry::from_wire(exptime, turn.now()), value)),
            ..Arithmetic::new(key, hash, head.delta(), decrement)
        };
        let status = match execute::arithmetic(turn, &request) {
            Ok(_) if self.opcode.is_quiet() => return,
            Ok(counted) => {
                return reply::number(turn.out, self.echo(), counted.value, counted.cas);
            }
            Err(ArithmeticError::Exists) => Status::Exists,
            Err(ArithmeticError::NotANumber) => Status::NotANumber,
            Err(ArithmeticError::NotFound) => Status::NotFound,
            Err(ArithmeticError::NoMemory) => Status::NoMemory,
        };
        reply::error(turn.out, self.echo(), status);
    }

    /// What a storage request asks of the store, and how it is to be answered. `None` for any
    /// other request.
    fn put<'a>(
        &self,
        turn: &Turn<'_>,
        key: &'a [u8],
        hash: KeyHash,
        bytes: &[u8],
    ) -> Option<(Put<'a>, Answer<'a>)> {
        let (mode, command) = match self.opcode.verb() {
            Verb::Add => (PutMode::Add, "add"),
            Verb::Append => (PutMode::Append, "append"),
            Verb::Prepend => (PutMode::Prepend, "prepend"),
            Verb::Replace => (PutMode::Replace, "replace"),
            Verb::Set => (PutMode::Set, "set"),
            _ => return None,
        };
        let head = self.header.head(bytes);
        let appends = matches!(mode, PutMode::Append | PutMode::Prepend);
        // Without cas there is nothing to compare with, as if none had been sent.
        let compare = self.header.compare().filter(|_| turn.ctx.shared.config.cas);
        // With a cas these three are one: it must be that of what is stored.
        let compares = compare.is_some() && !appends;
        let (flags, exptime) = if appends {
            (0, 0)
        } else {
            (head.flags(), head.store_exptime())
        };
        let expiry = Expiry::from_wire(exptime, turn.now());
        let put = Put {
            mode: if compares { PutMode::Set } else { mode },
            client_flags: flags,
            expiry,
            compare,
            drop_on_failure: mode == PutMode::Set,
            ..Put::new(key, hash)
        };
        let answer = Answer {
            form: Form::Binary(self.echo()),
            key,
            noreply: self.opcode.is_quiet(),
            binary_key: false,
            storing: Storing {
                command: if compares { "cas" } else { command },
                compares,
                expiry,
            },
            appends,
        };
        Some((put, answer))
    }

    /// Answers a request without a value.
    fn simple(&self, session: &mut Session, turn: &mut Turn<'_>, key: &[u8], input: &[u8]) -> Step {
        let size = self.header.size();
        if self.opcode.verb().is_keyed() {
            // It would have been in the batch if it were complete.
            return Step::wait(0, size);
        }
        if !turn.take_room() {
            turn.out.truncate(turn.begun_at());
            return Step::leave(self.header.head_size(), Next::Abort);
        }
        let echo = self.echo();
        match self.opcode.verb() {
            Verb::Flush => {
                execute::flush(turn, self.header.head(input).exptime());
                self.done(turn, 0);
            }
            Verb::Quit => {
                self.done(turn, 0);
                return Step::leave(size, Next::Close);
            }
            Verb::Stat => match admin::stats(Tokens::new(key)) {
                Ok(group) => report::stats(session, turn, group, Reader::Packets(echo)),
                Err(error) => Reader::Packets(echo).refuse(turn, error),
            },
            Verb::SaslList => sasl::list(turn, echo),
            Verb::Version => {
                let version = text::reply::VERSION_COMPATIBLE.as_bytes();
                reply::text(turn.out, echo, version);
            }
            _ => reply::done(turn.out, echo, 0),
        }
        Step::served(size)
    }
}

/// Answers a storage request.
pub(super) fn say_stored(turn: &mut Turn<'_>, answer: &Answer<'_>, echo: Echo, stored: PutReply) {
    let status = match stored.status {
        PutStatus::Stored if answer.noreply => return,
        PutStatus::Stored => return reply::done(turn.out, echo, stored.cas),
        PutStatus::NotStored => match answer.storing.command {
            "add" => Status::Exists,
            "replace" => Status::NotFound,
            _ => Status::NotStored,
        },
        PutStatus::Exists => Status::Exists,
        PutStatus::NotFound if answer.appends => Status::NotStored,
        PutStatus::NotFound => Status::NotFound,
        PutStatus::TooLarge => Status::TooLarge,
        PutStatus::NoMemory => Status::NoMemory,
    };
    reply::error(turn.out, echo, status);
}
