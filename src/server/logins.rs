//! The thread that computes slow hashes, so that a login delays no worker.
//!
//! One thread and a bounded queue: however many try to log in, no more than one hash has its
//! memory at a time.

use std::sync::Arc;

use crossbeam_channel::{Receiver, select};

use super::mailbox::Mailbox;
use crate::session::Ticket;

/// A hash to compute, and the worker that waits for it.
pub(super) type Request = (usize, Arc<Ticket>);

/// Computes until told to stop.
pub(super) fn run(
    requests: &Receiver<Request>,
    mailboxes: &[Arc<Mailbox>],
    stopped: &Receiver<()>,
) {
    loop {
        select! {
            recv(requests) -> request => {
                let Ok((worker, ticket)) = request else {
                    return;
                };
                ticket.run();
                if let Some(mailbox) = mailboxes.get(worker) {
                    mailbox.wake();
                }
            }
            recv(stopped) -> _ => return,
        }
    }
}
