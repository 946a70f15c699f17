//! Whether the threads that serve still come round: each is woken and counts its rounds.
//!
//! A thread that is stuck in a turn, or waits for a lock that nobody gives back, is seen here;
//! one that merely has nothing to do is not mistaken for it. Requests pay nothing: a round is
//! counted when a thread opens its mailbox, not when it serves.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::gate::Gate;
use super::mailbox::Mailbox;

/// Counts the rounds of one thread, which alone writes it.
#[derive(Debug, Default)]
pub(super) struct Beat(AtomicU64);

impl Beat {
    /// Said by the thread when it looks around.
    pub(super) fn tick(&self) {
        let next = self.0.load(Ordering::Relaxed).wrapping_add(1);
        self.0.store(next, Ordering::Relaxed);
    }

    fn count(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// A thread that is watched, by what wakes it and counts its rounds.
pub(super) enum Watched {
    /// A worker, or a thread that shakes hands.
    Worker(Arc<Mailbox>),
    /// The thread that takes connections in.
    Acceptor(Arc<Gate>),
    /// The thread that keeps time and house, which wakes by itself.
    Upkeep(Arc<Beat>),
}

impl Watched {
    fn count(&self) -> u64 {
        match self {
            Self::Worker(mailbox) => mailbox.beat.count(),
            Self::Acceptor(gate) => gate.beat.count(),
            Self::Upkeep(beat) => beat.count(),
        }
    }

    fn wake(&self) {
        match self {
            Self::Worker(mailbox) => mailbox.wake(),
            Self::Acceptor(gate) => gate.wake(),
            Self::Upkeep(_) => {}
        }
    }
}

/// Asks the threads of one server whether they still come round.
pub struct Pulse {
    threads: Vec<Thread>,
}

struct Thread {
    name: String,
    watched: Watched,
    /// Its rounds when it was asked last.
    asked: Option<u64>,
}

impl Pulse {
    pub(super) fn new(threads: impl IntoIterator<Item = (String, Watched)>) -> Self {
        let threads = threads.into_iter().map(|(name, watched)| Thread {
            name,
            watched,
            asked: None,
        });
        Self {
            threads: threads.collect(),
        }
    }

    /// Names of the threads that have not come round since they were asked; asks all others again.
    ///
    /// The first call only asks. Costs one wake-up for each thread: call it a few times a second
    /// at most.
    pub fn silent(&mut self) -> Vec<&str> {
        let mut silent = Vec::new();
        for thread in &mut self.threads {
            // Counted before it is woken: whatever it does from here on is an answer.
            let count = thread.watched.count();
            if thread.asked == Some(count) {
                silent.push(thread.name.as_str());
            } else {
                thread.asked = Some(count);
                thread.watched.wake();
            }
        }
        silent
    }
}

#[cfg(test)]
mod tests {
    use mio::{Poll, Token, Waker};

    use super::*;

    fn mailbox() -> (Poll, Arc<Mailbox>) {
        let poll = Poll::new().unwrap();
        let waker = Waker::new(poll.registry(), Token(0)).unwrap();
        let (mailbox, _letters) = Mailbox::new(waker);
        (poll, Arc::new(mailbox))
    }

    #[test]
    fn a_thread_is_silent_from_being_asked_until_it_comes_round() {
        let (_poll, mailbox) = mailbox();
        let beat = Arc::new(Beat::default());
        let mut pulse = Pulse::new([
            ("worker".to_owned(), Watched::Worker(Arc::clone(&mailbox))),
            ("upkeep".to_owned(), Watched::Upkeep(Arc::clone(&beat))),
        ]);
        assert_eq!(pulse.silent(), [""; 0], "nobody has been asked before");
        assert_eq!(pulse.silent(), ["worker", "upkeep"]);
        beat.tick();
        assert_eq!(pulse.silent(), ["worker"]);
        mailbox.seen();
        beat.tick();
        assert_eq!(pulse.silent(), [""; 0]);
        // The answers were to the question before this one.
        assert_eq!(pulse.silent(), ["worker", "upkeep"]);
    }

    #[test]
    fn a_thread_that_is_asked_is_woken() {
        let (mut poll, mailbox) = mailbox();
        let mut pulse = Pulse::new([("worker".to_owned(), Watched::Worker(mailbox))]);
        assert_eq!(pulse.silent(), [""; 0]);
        let mut events = mio::Events::with_capacity(1);
        poll.poll(&mut events, None).unwrap();
        assert!(!events.is_empty());
    }
}
