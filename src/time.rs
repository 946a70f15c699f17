//! Time, as the cache counts it.
//!
//! The core never reads a clock: it is handed a [`Now`]. The process keeps one [`Clock`], ticked
//! by the upkeep thread, so that a request costs one relaxed load and no system call.

use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU32, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Uptime at which the daemon begins. memcached dates its own start two seconds back so that
/// zero and one are never "now"; clients and its test suite see `uptime` start here.
pub const FIRST_UPTIME_S: u32 = 2;

/// An `exptime` above this many seconds is a Unix time, not an offset. Fixed by the protocol.
pub const RELATIVE_EXPIRY_MAX_S: i64 = 60 * 60 * 24 * 30;

/// One moment, in the two ways the protocol needs it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Now {
    /// Seconds since the daemon began, never below [`FIRST_UPTIME_S`].
    pub uptime_s: u32,
    /// The same moment in seconds since 1970.
    pub unix_s: i64,
}

impl Now {
    /// The Unix time of a moment of this daemon's uptime.
    pub fn unix_of(self, uptime_s: u32) -> i64 {
        self.unix_s - i64::from(self.uptime_s) + i64::from(uptime_s)
    }
}

/// The moment at which an item dies, in seconds of uptime.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Expiry(u32);

impl Expiry {
    /// The item lives until it is evicted.
    pub const NEVER: Self = Self(0);
    /// The item is dead already: uptime never falls to one.
    pub const AT_ONCE: Self = Self(1);

    /// The item dies at this second of uptime. Zero means never.
    pub const fn at(uptime_s: u32) -> Self {
        Self(uptime_s)
    }

    /// The second of uptime at which the item dies; zero means never.
    pub const fn uptime_s(self) -> u32 {
        self.0
    }

    /// Interprets the `exptime` field of a request.
    ///
    /// The wire packs four meanings into one integer: zero never expires, a negative value has
    /// expired already, up to 30 days counts from now, and more is a Unix time. That knowledge
    /// ends here; past this point an expiry is always a moment of this daemon's uptime.
    pub fn from_wire(exptime: i64, now: Now) -> Self {
        let moment = match exptime {
            0 => return Self::NEVER,
            i64::MIN..0 => return Self::AT_ONCE,
            1..=RELATIVE_EXPIRY_MAX_S => i64::from(now.uptime_s) + exptime,
            _ => exptime.saturating_sub(now.unix_of(0)),
        };
        match u32::try_from(moment) {
            Ok(0 | 1) => Self::AT_ONCE,
            Ok(uptime_s) => Self(uptime_s),
            Err(_) if moment < 0 => Self::AT_ONCE,
            Err(_) => Self(u32::MAX),
        }
    }

    /// Whether an item with this expiry is dead.
    pub const fn is_past(self, now: Now) -> bool {
        self.0 != 0 && self.0 <= now.uptime_s
    }

    /// Seconds left, or `None` for an item that never expires.
    pub const fn ttl_s(self, now: Now) -> Option<u32> {
        if self.0 == 0 {
            None
        } else {
            Some(self.0.saturating_sub(now.uptime_s))
        }
    }
}

/// The only reader of the system clocks.
///
/// [`Clock::tick`] is called a few times a second by the upkeep thread; everyone else reads what
/// it left. Uptime follows the monotonic clock, so that a step of the wall clock expires nothing.
#[derive(Debug)]
pub struct Clock {
    origin: Instant,
    /// Uptime at the origin.
    first_s: u32,
    uptime_s: AtomicU32,
    unix_s: AtomicI64,
    /// Seconds added by the debugging command that moves the clock.
    moved_s: AtomicI64,
    /// Set by the debugging command that stops the clock.
    paused: AtomicBool,
}

impl Clock {
    /// A clock that begins now.
    pub fn start() -> Self {
        Self::resume(FIRST_UPTIME_S)
    }

    /// A clock that goes on from this uptime: that of a process before, and the time since.
    pub fn resume(uptime_s: u32) -> Self {
        let first_s = uptime_s.max(FIRST_UPTIME_S);
        let clock = Self {
            origin: Instant::now(),
            first_s,
            uptime_s: AtomicU32::new(first_s),
            unix_s: AtomicI64::new(0),
            moved_s: AtomicI64::new(0),
            paused: AtomicBool::new(false),
        };
        clock.tick();
        clock
    }

    /// The moment of the last tick.
    pub fn now(&self) -> Now {
        Now {
            uptime_s: self.uptime_s.load(Ordering::Relaxed),
            unix_s: self.unix_s.load(Ordering::Relaxed),
        }
    }

    /// Reads the system clocks. Returns true when a new second has begun.
    pub fn tick(&self) -> bool {
        if self.paused.load(Ordering::Relaxed) {
            return false;
        }
        let moved_s = self.moved_s.load(Ordering::Relaxed);
        let elapsed_s = i64::try_from(self.origin.elapsed().as_secs()).unwrap_or(i64::MAX / 2);
        let uptime_s = u32::try_from(elapsed_s + moved_s)
            .unwrap_or(0)
            .saturating_add(self.first_s);
        let unix_s = i64::try_from(unix_us() / 1_000_000).unwrap_or(0) + moved_s;
        self.unix_s.store(unix_s, Ordering::Relaxed);
        self.uptime_s.swap(uptime_s, Ordering::Relaxed) != uptime_s
    }

    /// How long the present second of uptime lasts yet.
    pub fn second_left(&self) -> Duration {
        let gone = Duration::from_nanos(u64::from(self.origin.elapsed().subsec_nanos()));
        Duration::from_secs(1) - gone
    }

    /// Microseconds since 1970 at this very moment, moved as the clock is. Read for the lines
    /// of watchers, and only while there are any.
    pub fn precise_us(&self) -> u64 {
        let moved_us = self
            .moved_s
            .load(Ordering::Relaxed)
            .saturating_mul(1_000_000);
        unix_us().saturating_add_signed(moved_us)
    }

    /// Moves the clock by a number of seconds, for tests. One that stands still moves by these and by
    /// nothing that has passed meanwhile.
    pub fn shift(&self, by_s: i64) {
        self.moved_s.fetch_add(by_s, Ordering::Relaxed);
        if !self.paused.load(Ordering::Relaxed) {
            self.tick();
            return;
        }
        let now = self.now();
        let uptime_s = u32::try_from(i64::from(now.uptime_s).saturating_add(by_s));
        let uptime_s = uptime_s.unwrap_or(0).max(self.first_s);
        let unix_s = now.unix_s.saturating_add(by_s);
        self.unix_s.store(unix_s, Ordering::Relaxed);
        self.uptime_s.store(uptime_s, Ordering::Relaxed);
    }

    /// Stops or restarts the clock, for tests.
    pub fn pause(&self, paused: bool) {
        self.paused.store(paused, Ordering::Relaxed);
        self.tick();
    }
}

/// Microseconds since 1970, read from the system. For log lines, never for a request.
pub fn unix_us() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| u64::try_from(since.as_micros()).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Now = Now {
        uptime_s: 100,
        unix_s: 1_700_000_000,
    };

    #[test]
    fn thirty_days_is_relative_and_one_second_more_is_a_date() {
        assert_eq!(
            Expiry::from_wire(RELATIVE_EXPIRY_MAX_S, NOW),
            Expiry::at(100 + 2_592_000)
        );
        assert_eq!(
            Expiry::from_wire(RELATIVE_EXPIRY_MAX_S + 1, NOW),
            Expiry::AT_ONCE
        );
    }

    #[test]
    fn zero_never_expires_and_a_negative_time_has_expired() {
        assert_eq!(Expiry::from_wire(0, NOW), Expiry::NEVER);
        assert!(Expiry::from_wire(-1, NOW).is_past(NOW));
        assert!(Expiry::from_wire(i64::MIN, NOW).is_past(NOW));
        assert!(!Expiry::from_wire(i64::MAX, NOW).is_past(NOW));
    }

    #[test]
    fn a_date_becomes_the_same_moment_of_uptime() {
        let expiry = Expiry::from_wire(NOW.unix_s + 7, NOW);
        assert_eq!(expiry, Expiry::at(107));
        assert_eq!(expiry.ttl_s(NOW), Some(7));
        assert_eq!(NOW.unix_of(107), NOW.unix_s + 7);
    }

    #[test]
    fn a_clock_goes_on_where_another_has_ended() {
        assert!((5000..5060).contains(&Clock::resume(5000).now().uptime_s));
        let first = Clock::resume(0).now().uptime_s;
        assert!((FIRST_UPTIME_S..FIRST_UPTIME_S + 60).contains(&first));
    }

    #[test]
    fn a_clock_that_stands_still_moves_by_what_it_is_told_and_by_nothing_else() {
        let clock = Clock::start();
        let before = clock.now();
        clock.pause(true);
        // As if it had stood still for a while already.
        let clock = Clock {
            origin: clock.origin.checked_sub(Duration::from_secs(7)).unwrap(),
            ..clock
        };
        clock.shift(50);
        clock.shift(-20);
        let after = clock.now();
        assert_eq!(after.uptime_s, before.uptime_s + 30);
        assert_eq!(after.unix_s, before.unix_s + 30);
        clock.pause(false);
        assert!(clock.now().uptime_s >= before.uptime_s + 37);
    }

    #[test]
    fn a_moved_clock_moves_both_readings() {
        let clock = Clock::start();
        let before = clock.now();
        clock.pause(true);
        clock.shift(50);
        let after = clock.now();
        assert!(after.uptime_s >= before.uptime_s + 50);
        assert!(after.unix_s >= before.unix_s + 50);
    }
}
