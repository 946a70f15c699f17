//! What members say to each other, one message a datagram.
//!
//! The form is postcard's: short, and read with bounds. Who may say anything at all is decided
//! before (`seal.rs`).

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

use super::agreement::Ballot;
use super::roster::{Change, Head, Life, Step};

/// Largest message, in bytes. With its seal it fits a datagram that no network cuts.
pub const MESSAGE_SIZE_MAX: usize = 1300;

/// Largest piece of a roster in one message, in bytes.
pub const CHUNK_SIZE_MAX: usize = 1024;

/// Largest roster that is taken from others, in bytes.
pub const ROSTER_SIZE_MAX: usize = 1 << 20;

/// Largest step that is proposed, in bytes: it travels beside two heads and a ballot.
pub const STEP_SIZE_MAX: usize = 1000;

/// Who speaks.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Who {
    /// By what it is known.
    pub id: String,
    /// Which life it is in.
    pub life: Life,
    /// Where it is reached.
    pub gossip: SocketAddr,
    /// Grows with each of its starts, in Unix milliseconds.
    pub epoch: u64,
    /// It belongs to no cluster and may found one.
    pub can_found: bool,
}

/// One message.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub enum Message {
    /// To an address where somebody may be: who is there? The only message that need not be meant
    /// for one certain process.
    Hello {
        /// Who asks.
        who: Who,
        /// Where this was sent to, by which a node finds out that a seed is itself.
        to: SocketAddr,
    },
    /// Who I am and what I have.
    Summary {
        /// Who speaks.
        who: Who,
        /// Its roster.
        head: Head,
        /// It wants an answer.
        ask: bool,
    },
    /// Send me this roster, from this byte on.
    Pull {
        /// The roster.
        head: Head,
        /// Where to begin.
        offset: u32,
    },
    /// A piece of a roster.
    Chunk {
        /// The roster.
        head: Head,
        /// Bytes it has.
        total: u32,
        /// Where this piece begins.
        offset: u32,
        /// The piece.
        bytes: Vec<u8>,
    },
    /// Somebody wants the roster changed. It is repeated until that is so.
    Wish {
        /// How.
        change: Change,
        /// Who wants it vouches that the life which goes by it has ended for good.
        vouched: bool,
        /// Versions that were told to clients before, outside of this cluster.
        floor: u32,
    },
    /// A wish is not fulfilled.
    Denied {
        /// Whom it was about.
        id: String,
        /// Why not.
        why: Denial,
    },
    /// Paxos, first half: promise me.
    Prepare {
        /// The roster whose successor is sought.
        base: Head,
        /// The attempt.
        ballot: Ballot,
    },
    /// Promised.
    Promise {
        /// As asked.
        base: Head,
        /// As asked.
        ballot: Ballot,
        /// What this voter has accepted before.
        accepted: Option<(Ballot, Step)>,
    },
    /// Paxos, second half: accept this.
    Accept {
        /// The roster whose successor is sought.
        base: Head,
        /// The attempt.
        ballot: Ballot,
        /// The proposal.
        step: Step,
    },
    /// Accepted.
    Accepted {
        /// As asked.
        base: Head,
        /// As asked.
        ballot: Ballot,
    },
    /// Neither: a higher ballot has been promised.
    Refused {
        /// As asked.
        base: Head,
        /// The higher one.
        promised: Ballot,
    },
    /// This is the successor.
    Chosen {
        /// Whose.
        base: Head,
        /// How to get there.
        step: Step,
        /// Where that is.
        head: Head,
    },
    /// Of failure detection; not looked into here.
    Swim(Vec<u8>),
}

/// Why a wish is not fulfilled.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub enum Denial {
    /// Another daemon of this name is running.
    NameInUse,
    /// Clients could not tell the node from another, or there are too many.
    NotListable,
}

/// A message and whose it is.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Packet {
    /// Who says it.
    pub from: Life,
    /// What.
    pub message: Message,
}

impl Packet {
    /// As it travels.
    pub fn encode(&self) -> Vec<u8> {
        // Strings, numbers and lists of them have no way to fail.
        postcard::to_allocvec(self).unwrap_or_default()
    }

    /// Reads a packet; `None` when it is something else.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let (packet, rest) = postcard::take_from_bytes(bytes).ok()?;
        rest.is_empty().then_some(packet)
    }
}
