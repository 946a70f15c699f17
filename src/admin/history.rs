//! What the daemon did in the last hour, for charts: rings of fixed size that are written once a
//! second.
//!
//! ```text
//! fine     900 points of a second        the last minute, the last 15 minutes
//! coarse   360 points of ten seconds     the last hour
//! ```
//!
//! Pure: what the counters say and when are arguments. A point holds rates over the time since the
//! point before, whatever that was, so a look that comes late spoils nothing. Both rings together
//! take about 200 KiB.

use std::collections::VecDeque;

/// Points of a second that are kept.
const FINE_COUNT: usize = 900;

/// Points of ten seconds that are kept.
const COARSE_COUNT: usize = 360;

/// Seconds of a point in the coarse ring.
const COARSE_S: i64 = 10;

/// What is counted, and told as so much a second. The order is that of [`Reading::counts`].
pub(super) const COUNTS: [&str; 9] = [
    "gets",
    "hits",
    "sets",
    "others",
    "evictions",
    "received_bytes",
    "sent_bytes",
    "cpu_us",
    "refused",
];

/// What stands at some level. The order is that of [`Reading::levels`].
pub(super) const LEVELS: [&str; 4] = ["items", "used_bytes", "limit_bytes", "connections"];

/// Figures of a point.
const FIGURE_COUNT: usize = COUNTS.len() + LEVELS.len();

/// What is counted for each worker: keys asked for, values stored, bytes received, bytes sent.
pub(super) type OfWorker = [u64; 4];

/// What the counters say at one moment.
#[derive(Clone, Debug, Default)]
pub(super) struct Reading {
    /// Counts that only grow, until `stats reset`.
    pub(super) counts: [u64; COUNTS.len()],
    /// Levels.
    pub(super) levels: [u64; LEVELS.len()],
    /// Counts of each worker.
    pub(super) workers: Vec<OfWorker>,
}

/// One point of a ring.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Point {
    /// When it was made, in Unix time.
    pub(super) unix_s: i64,
    /// Counts as so much a second, then levels.
    figures: [f64; FIGURE_COUNT],
}

impl Point {
    /// One figure, by its name in [`COUNTS`] or [`LEVELS`]; 0 for a name that is in neither.
    pub(super) fn of(&self, name: &str) -> f64 {
        names()
            .zip(self.figures)
            .find_map(|(known, figure)| (known == name).then_some(figure))
            .unwrap_or(0.0)
    }

    /// All figures in the order of [`names`].
    pub(super) const fn figures(&self) -> &[f64; FIGURE_COUNT] {
        &self.figures
    }
}

/// Names of a point's figures, in their order.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    COUNTS.into_iter().chain(LEVELS)
}

/// How far back somebody wants to look.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) enum Span {
    /// A minute, by seconds.
    #[default]
    Minute,
    /// A quarter of an hour, by seconds.
    Quarter,
    /// An hour, by tens of seconds.
    Hour,
}

impl Span {
    /// Reads `1m`, `15m` or `1h`.
    pub(super) fn parse(text: &str) -> Option<Self> {
        match text {
            "1m" => Some(Self::Minute),
            "15m" => Some(Self::Quarter),
            "1h" => Some(Self::Hour),
            _ => None,
        }
    }

    /// Its length, and the time from one point to the next, in seconds.
    pub(super) const fn seconds(self) -> (i64, i64) {
        match self {
            Self::Minute => (60, 1),
            Self::Quarter => (900, 1),
            Self::Hour => (3600, COARSE_S),
        }
    }
}

/// The rings.
#[derive(Debug)]
pub(super) struct History {
    fine: VecDeque<Point>,
    coarse: VecDeque<Point>,
    /// What has been gathered for the next coarse point, and how many points it is the sum of.
    gathered: ([f64; FIGURE_COUNT], u32),
    /// The counters at the last point.
    last: Option<Reading>,
    /// What each worker did from the point before the last to the last, a second.
    workers: Vec<[f64; 4]>,
}

impl History {
    /// Empty rings, with all the memory that they will ever have.
    pub(super) fn new() -> Self {
        Self {
            fine: VecDeque::with_capacity(FINE_COUNT),
            coarse: VecDeque::with_capacity(COARSE_COUNT),
            gathered: ([0.0; FIGURE_COUNT], 0),
            last: None,
            workers: Vec::new(),
        }
    }

    /// Takes in what the counters say, `elapsed_s` after they were last taken in. The first reading
    /// is only what the next is compared with. False when the second has its point already, and
    /// nothing was taken in.
    pub(super) fn record(&mut self, reading: Reading, unix_s: i64, elapsed_s: f64) -> bool {
        if self.fine.back().is_some_and(|last| last.unix_s == unix_s) {
            return false;
        }
        let Some(last) = self.last.replace(reading.clone()) else {
            return true;
        };
        // A clock that stands still must not make rates endless.
        let elapsed_s = elapsed_s.max(0.001);
        // Counters may have been reset in between.
        let rate = |now: u64, before: u64| now.saturating_sub(before) as f64 / elapsed_s;
        let mut figures = [0.0; FIGURE_COUNT];
        let (rates, levels) = figures.split_at_mut(COUNTS.len());
        for ((figure, now), before) in rates.iter_mut().zip(reading.counts).zip(last.counts) {
            *figure = rate(now, before);
        }
        for (figure, level) in levels.iter_mut().zip(reading.levels) {
            *figure = level as f64;
        }
        self.workers = reading
            .workers
            .iter()
            .zip(&last.workers)
            .map(|(now, before)| std::array::from_fn(|index| rate(now[index], before[index])))
            .collect();
        push(&mut self.fine, FINE_COUNT, Point { unix_s, figures });
        self.gather(figures, unix_s);
        true
    }

    fn gather(&mut self, figures: [f64; FIGURE_COUNT], unix_s: i64) {
        let (sums, count) = &mut self.gathered;
        for (sum, figure) in sums.iter_mut().zip(figures) {
            *sum += figure;
        }
        *count += 1;
        let is_due = match self.coarse.back() {
            Some(last) => unix_s - last.unix_s >= COARSE_S || unix_s < last.unix_s,
            None => i64::from(*count) >= COARSE_S,
        };
        if is_due {
            let figures = sums.map(|sum| sum / f64::from(*count));
            push(&mut self.coarse, COARSE_COUNT, Point { unix_s, figures });
            self.gathered = ([0.0; FIGURE_COUNT], 0);
        }
    }

    /// Points of a span, oldest first, without those up to `since_unix_s`.
    pub(super) fn points(&self, span: Span, since_unix_s: i64) -> impl Iterator<Item = &Point> {
        let (ring, last) = match span {
            Span::Minute | Span::Quarter => (&self.fine, self.fine.back()),
            Span::Hour => (&self.coarse, self.coarse.back()),
        };
        let (length_s, _) = span.seconds();
        let begin_s = last.map_or(0, |last| last.unix_s - length_s);
        let begin_s = begin_s.max(since_unix_s);
        ring.iter().filter(move |point| point.unix_s > begin_s)
    }

    /// The point made last.
    pub(super) fn last(&self) -> Option<&Point> {
        self.fine.back()
    }

    /// What each worker did lately, a second.
    pub(super) fn workers(&self) -> &[[f64; 4]] {
        &self.workers
    }
}

fn push(ring: &mut VecDeque<Point>, count_max: usize, point: Point) {
    if ring.len() == count_max {
        ring.pop_front();
    }
    ring.push_back(point);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reading(gets: u64, items: u64) -> Reading {
        let mut reading = Reading {
            workers: vec![[gets, 0, 0, 0]],
            ..Reading::default()
        };
        reading.counts[0] = gets;
        reading.levels[0] = items;
        reading
    }

    #[test]
    fn counts_become_rates_over_the_time_that_went_by_and_levels_stay() {
        let mut history = History::new();
        history.record(reading(1000, 1), 100, 1.0);
        assert_eq!(history.last(), None, "there is nothing to compare it with");
        history.record(reading(1500, 2), 101, 1.0);
        history.record(reading(2500, 3), 103, 2.0);
        let gets: Vec<f64> = history
            .points(Span::Minute, 0)
            .map(|p| p.of("gets"))
            .collect();
        assert_eq!(gets, [500.0, 500.0]);
        assert_eq!(history.last().unwrap().of("items"), 3.0);
        assert_eq!(history.last().unwrap().of("no such figure"), 0.0);
        assert_eq!(history.workers(), [[500.0, 0.0, 0.0, 0.0]]);
        assert!(!history.record(reading(9999, 3), 103, 0.2));
        // `stats reset`.
        assert!(history.record(reading(10, 3), 104, 1.0));
        assert_eq!(history.last().unwrap().of("gets"), 0.0);
    }

    #[test]
    fn the_rings_forget_and_the_coarse_one_has_means() {
        let mut history = History::new();
        for second in 0..=5000_u64 {
            // Alternately 0 and 200 a second.
            let gets = second / 2 * 200;
            history.record(reading(gets, second), second as i64, 1.0);
        }
        let count = |span| history.points(span, 0).count();
        assert_eq!(count(Span::Minute), 60);
        assert_eq!(count(Span::Quarter), FINE_COUNT);
        assert_eq!(count(Span::Hour), COARSE_COUNT);
        for point in history.points(Span::Hour, 0) {
            assert_eq!(point.of("gets"), 100.0, "at {}", point.unix_s);
        }
        let gaps: Vec<i64> = history.points(Span::Hour, 0).map(|p| p.unix_s).collect();
        assert!(gaps.windows(2).all(|two| two[1] - two[0] == COARSE_S));
        assert_eq!(history.fine.capacity(), History::new().fine.capacity());
    }

    #[test]
    fn only_what_is_new_is_told_to_who_has_the_rest() {
        let mut history = History::new();
        for second in 0..10 {
            history.record(reading(0, 0), second, 1.0);
        }
        let times: Vec<i64> = history.points(Span::Quarter, 7).map(|p| p.unix_s).collect();
        assert_eq!(times, [8, 9]);
        assert_eq!(history.points(Span::Hour, 0).count(), 0, "not ten yet");
    }

    #[test]
    fn a_clock_that_is_set_back_does_not_stop_the_rings() {
        let mut history = History::new();
        for second in 0..40 {
            history.record(reading(0, 0), 1000 + second, 1.0);
        }
        let before = history.coarse.len();
        history.record(reading(0, 0), 500, 1.0);
        for second in 0..20 {
            history.record(reading(0, 0), 501 + second, 1.0);
        }
        assert!(history.coarse.len() >= before + 2);
        assert!(history.points(Span::Hour, 0).count() > 0);
    }
}
