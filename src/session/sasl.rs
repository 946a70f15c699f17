//! Logging in by packets.
//!
//! Who has not logged in may ask for the mechanisms and the version and log in. Anything else is
//! refused and ends the conversation, as in memcached. What a mechanism says to whom is decided in
//! `auth`; here it is only carried.

use base64ct::{Base64, Encoding};

use super::login::{Form, Outcome, Visitor, conclude};
use super::turn::Turn;
use super::{Next, Step};
use crate::auth::sasl::{self, Exchange, Mechanism};
use crate::auth::{Admission, Users, Verdict};
use crate::limits::LOGIN_REQUEST_SIZE_MAX;
use crate::protocol::binary::{
    self, Echo, HEADER_SIZE, Header, MECHANISM_SIZE_MAX, Refusal, Status, Verb, reply,
};
use crate::protocol::text;

/// Random bytes in each nonce, before they are made printable.
const NONCE_SIZE: usize = 18;

/// Tells by which mechanisms one may log in.
pub(super) fn list(turn: &mut Turn<'_>, echo: Echo) {
    let users = turn.ctx.shared.door.users();
    let is_listed = |mechanism: &&Mechanism| {
        let users = users.as_ref();
        users.is_some_and(|users| mechanism.is_for_all(users))
    };
    let listed = Mechanism::ALL.iter().filter(is_listed);
    let names: Vec<&str> = listed.map(|mechanism| mechanism.name()).collect();
    reply::text(turn.out, echo, names.join(" ").as_bytes());
}

/// A nonce, unless the system has none to give.
fn nonce() -> Option<String> {
    let mut bytes = [0; NONCE_SIZE];
    getrandom::fill(&mut bytes).ok()?;
    Some(Base64::encode_string(&bytes))
}

/// A packet before login.
pub(super) fn packet(
    turn: &mut Turn<'_>,
    visitor: &mut Visitor,
    users: &Users,
    input: &[u8],
) -> Outcome {
    let stay = |step: Step| (step, None);
    let header = match binary::decode(input) {
        Ok(Some(header)) => header,
        Ok(None) => return stay(Step::wait(0, HEADER_SIZE)),
        Err(Refusal::HangUp) => return stay(Step::leave(0, Next::Abort)),
        Err(Refusal::Close(echo, status)) => {
            reply::error(turn.out, echo, status);
            return stay(Step::leave(HEADER_SIZE, Next::Abort));
        }
    };
    let echo = header.echo;
    match header.opcode.map(binary::Opcode::verb) {
        Some(Verb::SaslList) => list(turn, echo),
        Some(Verb::Version) => {
            reply::text(turn.out, echo, text::reply::VERSION_COMPATIBLE.as_bytes());
        }
        Some(verb @ (Verb::SaslAuth | Verb::SaslStep)) => {
            return message(turn, visitor, users, &header, verb, input);
        }
        Some(_) | None => {
            reply::error(turn.out, echo, Status::Refused);
            return stay(Step::leave(HEADER_SIZE, Next::Abort));
        }
    }
    // Neither has a body, or its header would have been refused.
    stay(Step::served(HEADER_SIZE))
}

/// A message of a login.
fn message(
    turn: &mut Turn<'_>,
    visitor: &mut Visitor,
    users: &Users,
    header: &Header,
    verb: Verb,
    input: &[u8],
) -> Outcome {
    let (size, head_size) = (header.size(), header.head_size());
    if head_size - HEADER_SIZE > MECHANISM_SIZE_MAX {
        reply::error(turn.out, header.echo, Status::Invalid);
        visitor.skip = u64::from(header.body_size());
        return (Step::served(HEADER_SIZE), None);
    }
    let form = Form::Packet(header.echo);
    if size > LOGIN_REQUEST_SIZE_MAX {
        visitor.skip = u64::from(header.body_size());
        return conclude(turn, visitor, Verdict::Refused, HEADER_SIZE, form);
    }
    let Some(message) = input.get(head_size..size) else {
        return (Step::wait(0, size), None);
    };
    if verb == Verb::SaslAuth {
        visitor.exchange = Some(Exchange::begin(header.head(input).key));
    }
    let outcome = match (&mut visitor.exchange, nonce()) {
        (Some(exchange), Some(nonce)) => exchange.step(users, message, &nonce),
        _ => sasl::Outcome::Verdict(Verdict::Refused),
    };
    go_on(turn, visitor, outcome, size, header.echo)
}

/// Does what an outcome says, and tells it.
fn go_on(
    turn: &mut Turn<'_>,
    visitor: &mut Visitor,
    outcome: sasl::Outcome,
    consumed: usize,
    echo: Echo,
) -> Outcome {
    match outcome {
        sasl::Outcome::Challenge(challenge) => {
            reply::challenge(turn.out, echo, &challenge);
            (Step::served(consumed), None)
        }
        sasl::Outcome::Verdict(verdict) => {
            conclude(turn, visitor, verdict, consumed, Form::Packet(echo))
        }
    }
}

/// Takes what a slow hash has told.
pub(super) fn admit(
    turn: &mut Turn<'_>,
    visitor: &mut Visitor,
    admission: Admission,
    echo: Echo,
) -> Outcome {
    let outcome = match &mut visitor.exchange {
        Some(exchange) => exchange.admit(admission),
        None => sasl::Outcome::Verdict(Verdict::Refused),
    };
    go_on(turn, visitor, outcome, 0, echo)
}
