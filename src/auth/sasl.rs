//! SASL: how a client proves in messages who it is.
//!
//! An [`Exchange`] is one attempt by one mechanism: messages of the client go in, and out comes
//! what is told to it, or the verdict. Nothing here knows how messages are carried. Start reading
//! at [`Exchange::step`].
//!
//! **Invariant:** an exchange that has told its verdict refuses whatever comes next.

use super::file::{NAME_SIZE_MAX, PASSWORD_SIZE_MAX};
use super::{Users, Verdict};

/// How a client proves who it is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Mechanism {
    /// By telling its password (RFC 4616).
    Plain,
}

impl Mechanism {
    /// All of them.
    pub const ALL: &[Self] = &[Self::Plain];

    /// As the registry of mechanisms spells it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Plain => "PLAIN",
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
    /// Nothing any more.
    Over,
}

impl Exchange {
    /// Begins an attempt; a mechanism that nobody knows refuses every message.
    pub fn begin(mechanism: &[u8]) -> Self {
        Self(Mechanism::of(mechanism).map_or(Stage::Over, Stage::Begun))
    }

    /// Takes the client's next message.
    pub fn step(&mut self, users: &Users, message: &[u8]) -> Outcome {
        match std::mem::replace(&mut self.0, Stage::Over) {
            Stage::Begun(mechanism) if message.is_empty() => {
                self.0 = Stage::Asked(mechanism);
                Outcome::Challenge(Vec::new())
            }
            Stage::Begun(Mechanism::Plain) | Stage::Asked(Mechanism::Plain) => {
                Outcome::Verdict(plain(users, message))
            }
            Stage::Over => Outcome::Verdict(Verdict::Refused),
        }
    }
}

/// Judges `[AUTHZID] NUL NAME NUL PASSWORD`. To act for somebody else is not possible: who is
/// named first must be who logs in.
fn plain(users: &Users, message: &[u8]) -> Verdict {
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
        users.check(name, password)
    } else {
        Verdict::Refused
    }
}
