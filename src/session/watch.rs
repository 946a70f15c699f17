//! Who watches what, and the lines they are owed.

use super::{CloseReason, Context, Peer, Shared};
use crate::time::Now;

/// Who watches what. Pure: time comes with each line.
#[derive(Debug, Default)]
pub struct Hub {}

impl Hub {
    /// Tells those who watch `connevents` that a client has come.
    pub fn opened(&self, _context: &Context<'_>, _peer: &Peer) {}
    /// Tells those who watch `connevents` that a client has gone.
    pub fn closed(&self, _context: &Context<'_>, _peer: &Peer, _reason: CloseReason) {}
    /// Whether anybody watches anything.
    pub fn is_watched(&self) -> bool {
        false
    }
    /// Moves lines from the workers to the watchers. True when a watcher has something new.
    pub fn pump(&self, _shared: &Shared, _now: Now) -> bool {
        false
    }
    /// Appends a bounded part of what the watcher with this [`Peer::id`] is owed. Asked again
    /// until it appends nothing.
    pub fn take(&self, _id: u64, _output: &mut Vec<u8>) {}
}
