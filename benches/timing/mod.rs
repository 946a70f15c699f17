//! Times short pieces of code, in process, by plain repetition.
//!
//! A row is timed in rounds of equal work and reported by its median round and its best: the
//! median says what it costs here and now, the best what it costs undisturbed. With `--rounds`
//! the work is fixed instead of the time, for tools that count instructions: the difference of
//! two runs, with N and 2N rounds, is what N rounds cost.

use std::env;
use std::io::{self, Write};
use std::time::{Duration, Instant};

/// How long each row is timed, and which rows.
pub(crate) struct Timing {
    budget: Duration,
    rounds: Option<usize>,
    only: String,
    /// A run that shows that everything works, and no more.
    pub(crate) quick: bool,
}

/// Fewest rounds that a median is taken of.
const ROUND_COUNT_MIN: usize = 3;

impl Timing {
    /// Reads `--quick`, `--only WORDS` and `--rounds N` from the command line, and prints the
    /// head of the table.
    pub(crate) fn from_arguments() -> io::Result<Self> {
        let arguments: Vec<String> = env::args().skip(1).collect();
        let value = |name: &str| {
            let index = arguments.iter().position(|argument| argument == name)?;
            arguments.get(index + 1)
        };
        let given = |name: &str| arguments.iter().any(|argument| argument == name);
        // `cargo bench` passes `--bench`; without it this may be a test run, which must be short.
        let quick = given("--quick") || !given("--bench");
        let rounds = match value("--rounds") {
            Some(count) => Some(count.parse().map_err(io::Error::other)?),
            None => None,
        };
        let mut out = io::stdout();
        writeln!(out, "| what | ns each | best | rounds |")?;
        writeln!(out, "|---|---|---|---|")?;
        Ok(Self {
            budget: Duration::from_millis(if quick { 1 } else { 400 }),
            rounds,
            only: value("--only").cloned().unwrap_or_default(),
            quick: quick && rounds.is_none(),
        })
    }

    /// Whether a row of this name is wanted; asked before costly preparations.
    pub(crate) fn wants(&self, name: &str) -> bool {
        name.contains(&self.only)
    }

    /// Times `work`, which does `count` pieces of work each time it is called.
    pub(crate) fn row(&self, name: &str, count: usize, mut work: impl FnMut()) -> io::Result<()> {
        self.row_with(name, count, || (), |()| work())
    }

    /// Times `work`, not what `prepare` does before each round.
    pub(crate) fn row_with<T>(
        &self,
        name: &str,
        count: usize,
        mut prepare: impl FnMut() -> T,
        mut work: impl FnMut(T),
    ) -> io::Result<()> {
        if !self.wants(name) {
            return Ok(());
        }
        let mut rounds = Vec::new();
        let begin = Instant::now();
        loop {
            let ready = prepare();
            let start = Instant::now();
            work(ready);
            rounds.push(start.elapsed().as_nanos() as f64 / count as f64);
            let enough = match self.rounds {
                Some(wanted) => rounds.len() >= wanted,
                None => rounds.len() >= ROUND_COUNT_MIN && begin.elapsed() >= self.budget,
            };
            if enough {
                break;
            }
        }
        rounds.sort_by(f64::total_cmp);
        let (best, median) = (rounds[0], rounds[rounds.len() / 2]);
        let mut out = io::stdout();
        writeln!(
            out,
            "| {name} | {median:.1} | {best:.1} | {} |",
            rounds.len()
        )?;
        out.flush()
    }
}
