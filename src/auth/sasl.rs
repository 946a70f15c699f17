//! SASL: how a client proves in messages who it is.
//!
//! An [`Exchange`] is one attempt by one mechanism: messages of the client go in, and out comes
//! what is told to it, or the verdict. Nothing here knows how messages are carried. Start reading
//! at [`Exchange::step`].
//!
//! **Invariant:** an exchange that has told its verdict refuses whatever comes next.

use super::file::{NAME_SIZE_MAX, PASSWORD_SIZE_MAX};
use super::scram::{Challenge, Opening};
use super::{Admission, Identity, Users, Verdict, Work};

/// How a client proves who it is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Mechanism {
    /// By telling its password (RFC 4616).
    Plain,
    /// By proving that it knows it (RFC 7677).
    ScramSha256,
}

impl Mechanism {
    /// All of them.
    pub const ALL: &[Self] = &[Self::Plain, Self::ScramSha256];

    /// As the registry of mechanisms spells it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Plain => "PLAIN",
            Self::ScramSha256 => crate::scram::MECHANISM,
        }
    }

    /// Whether every one of these users can log in by it. Clients take the strongest of those that
    /// are listed, so what does not work for all is better not listed.
    pub fn is_for_all(self, users: &Users) -> bool {
        match self {
            Self::Plain => true,
            Self::ScramSha256 => users.all_can_prove(),
        }
    }

    /// The mechanism of this name, in letters of either case.
    fn of(name: &[u8]) -> Option<Self> {
        let mut all = Self::ALL.iter().copied();
        all.find(|mechanism| mechanism.name().as_bytes().eq_ignore_ascii_case(name))
    }
}

/// What a message leads to.
#[derive(Debug)]
pub enum Outcome {
    /// This is told to the client, whose next message is awaited.
    Challenge(Vec<u8>),
    /// The attempt is over, but for a slow hash.
    Verdict(Verdict),
}

/// One attempt by one mechanism.
#[derive(Debug)]
pub struct Exchange(Stage);

/// What the next message of the client is.
#[derive(Debug)]
enum Stage {
    /// The first, or nothing at all: then it is asked for.
    Begun(Mechanism),
    /// The first, which has been asked for.
    Asked(Mechanism),
    /// The proof.
    Proof(Box<Challenge>),
    /// Nothing, which says that our own proof is good.
    Accepted(Identity),
    /// Nothing any more.
    Over,
}

impl Exchange {
    /// Begins an attempt; a mechanism that nobody knows refuses every message.
    pub fn begin(mechanism: &[u8]) -> Self {
        Self(Mechanism::of(mechanism).map_or(Stage::Over, Stage::Begun))
    }

    /// Takes the client's next message. `nonce` must be printable, without a comma, and random.
    pub fn step(&mut self, users: &Users, message: &[u8], nonce: &str) -> Outcome {
        self.step_counted(users, message, nonce, &mut Work::default())
    }

    /// As [`Self::step`], counting what it does.
    pub fn step_counted(
        &mut self,
        users: &Users,
        message: &[u8],
        nonce: &str,
        work: &mut Work,
    ) -> Outcome {
        match std::mem::replace(&mut self.0, Stage::Over) {
            Stage::Begun(mechanism) if message.is_empty() => {
                self.0 = Stage::Asked(mechanism);
                Outcome::Challenge(Vec::new())
            }
            Stage::Begun(Mechanism::Plain) | Stage::Asked(Mechanism::Plain) => {
                Outcome::Verdict(plain(users, message, work))
            }
            Stage::Begun(Mechanism::ScramSha256) | Stage::Asked(Mechanism::ScramSha256) => {
                let Some(opening) = Opening::parse(message) else {
                    return Outcome::Verdict(Verdict::Refused);
                };
                let salting = users.salting(&opening.name, work);
                let (told, challenge) = opening.challenge(salting, nonce);
                self.0 = Stage::Proof(Box::new(challenge));
                Outcome::Challenge(told)
            }
            Stage::Proof(challenge) => match challenge.answer(message) {
                Some(proof) => match users.check_proof(proof, work) {
                    Ok(admission) => self.admit(admission),
                    Err(verdict) => Outcome::Verdict(verdict),
                },
                None => Outcome::Verdict(Verdict::Refused),
            },
            Stage::Accepted(identity) if message.is_empty() => {
                Outcome::Verdict(Verdict::Granted(identity))
            }
            Stage::Accepted(_) | Stage::Over => Outcome::Verdict(Verdict::Refused),
        }
    }

    /// Takes who may come in, as a slow hash has told.
    pub fn admit(&mut self, admission: Admission) -> Outcome {
        match admission.signature {
            None => Outcome::Verdict(Verdict::Granted(admission.identity)),
            Some(signature) => {
                // The client must have a chance to see it before anything else is said.
                self.0 = Stage::Accepted(admission.identity);
                Outcome::Challenge(signature.into_bytes())
            }
        }
    }
}

/// Judges `[AUTHZID] NUL NAME NUL PASSWORD`. To act for somebody else is not possible: who is
/// named first must be who logs in.
fn plain(users: &Users, message: &[u8], work: &mut Work) -> Verdict {
    let mut parts = message.split(|&b| b == 0);
    let (Some(authzid), Some(name), Some(password), None) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return Verdict::Refused;
    };
    let fits = (1..=NAME_SIZE_MAX).contains(&name.len())
        && (1..=PASSWORD_SIZE_MAX).contains(&password.len())
        && (authzid.is_empty() || authzid == name);
    if fits {
        users.check_counted(name, password, work)
    } else {
        Verdict::Refused
    }
}
