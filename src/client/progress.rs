//! How far a long command has come, for whoever watches the terminal.

use std::io::{self, IsTerminal, Write};
use std::time::{Duration, Instant};

/// Pause between two reports.
const PAUSE: Duration = Duration::from_millis(200);

/// A line at the foot of a terminal; nothing where standard error is none.
pub(super) struct Progress {
    begun: Instant,
    shown: Option<Instant>,
    is_watched: bool,
    /// How much there is to do, in the unit of what is done; 0 when nobody knows.
    total: u64,
}

impl Progress {
    pub(super) fn new(total: u64) -> Self {
        Self {
            begun: Instant::now(),
            shown: None,
            is_watched: io::stderr().is_terminal(),
            total,
        }
    }

    /// Shows how much is done, at most a few times a second.
    pub(super) fn tell(&mut self, items: u64, size: u64, done: u64) {
        let is_due = self.shown.is_none_or(|shown| shown.elapsed() >= PAUSE);
        if !self.is_watched || !is_due {
            return;
        }
        self.shown = Some(Instant::now());
        let rate = items as f64 / self.begun.elapsed().as_secs_f64().max(0.001);
        let mut line = format!(
            "\r{items} items, {} MB, {rate:.0} a second",
            size / 1_000_000
        );
        if let Some(percent) = done.saturating_mul(100).checked_div(self.total) {
            line.push_str(&format!(", {} %", percent.min(100)));
        }
        // Blanks over what a longer line has left.
        line.push_str("   ");
        drop(io::stderr().write_all(line.as_bytes()));
    }

    /// Leaves the line, and tells how long it took.
    pub(super) fn end(&mut self) -> f64 {
        if self.shown.is_some() {
            drop(io::stderr().write_all(b"\n"));
        }
        self.begun.elapsed().as_secs_f64()
    }
}
