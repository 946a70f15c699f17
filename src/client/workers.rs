//! `larder slow` and `threads`: what took workers long, and what each of them does, as the daemon
//! tells it.

use clap::{ArgMatches, Command};
use serde_json::json;

use super::cluster::table;
use super::insight::{Row, figure, key, numbered, report, rows, told};
use super::keys::unix_now;
use super::report::number_or_text;
use super::{Error, Session, Shown};

/// A column: its heading, and the figure that stands in it.
type Column = (&'static str, &'static str);

/// What `slow` shows of each turn.
const TURN: [Column; 12] = [
    ("AGO S", "time"),
    ("TOOK US", "duration_us"),
    ("WAITED US", "waited_us"),
    ("COMMAND", "command"),
    ("KEY", "key"),
    ("REQUESTS", "requests"),
    ("READ", "bytes_read"),
    ("WRITTEN", "bytes_written"),
    ("CLIENT", "client"),
    ("ADDRESS", "addr"),
    ("USER", "user"),
    ("WORKER", "worker"),
];

/// What `threads` shows of each worker.
const WORKER: [Column; 12] = [
    ("WORKER", ""),
    ("BUSY % 10S", "busy_percent_10s"),
    ("BUSY % 1M", "busy_percent_1m"),
    ("REQUESTS/S 10S", "requests_per_s_10s"),
    ("REQUESTS/S 1M", "requests_per_s_1m"),
    ("REQUESTS/TURN", "requests_per_turn"),
    ("TURNS/PASS", "turns_per_pass"),
    ("YIELDS", "conn_yields"),
    ("CONNECTIONS", "curr_connections"),
    ("READ", "bytes_read"),
    ("WRITTEN", "bytes_written"),
    ("BUFFERS", "buffer_bytes"),
];

/// The arguments of `slow`.
pub(super) fn slow_command() -> Command {
    Command::new("slow")
        .about("Show what took the daemon long, newest first")
        .after_help(
            "An entry is a turn: the requests of one client that could be read at once, and their\n\
             answers; COMMAND and KEY are of the first. What is long, `-o slow_log_us` of larderd \
             says.\n\nExamples:\n  larder slow\n  larder slow --json",
        )
}

/// Shows the slow log.
pub(super) fn slow(session: &Session, _arguments: &ArgMatches) -> Result<(), Error> {
    session.each(|_, connection| {
        let report = report(connection, "slow")?;
        let turns = rows(&report, "");
        let (threshold_us, count) = (told(&report, "threshold_us"), told(&report, "slow_turns"));
        let mut text = summary(&threshold_us, &count, turns.len());
        if !turns.is_empty() {
            text.push('\n');
            text.push_str(&columns(TURN, &turns));
        }
        Ok(Shown {
            text,
            json: json!({
                "threshold_us": number_or_text(threshold_us),
                "slow_turns": number_or_text(count),
                "slow": numbered(&turns, "number"),
            }),
        })
    })
}

/// How many turns were slow, and how many of them the daemon still knows.
fn summary(threshold_us: &str, count: &str, known: usize) -> String {
    if threshold_us == "0" {
        return "nothing is kept: the daemon runs with -o slow_log_us=0\n".to_owned();
    }
    let mut text = format!("turns that took {threshold_us} us or longer: {count}");
    if count != known.to_string() {
        text.push_str(&format!("; the last {known}"));
    }
    text.push('\n');
    text
}

/// A line for each row.
fn columns(columns: [Column; 12], rows: &[Row<'_>]) -> String {
    let now = unix_now();
    let heading = columns.map(|(title, _)| title.to_owned());
    let lines: Vec<_> = rows
        .iter()
        .map(|row| columns.map(|(_, name)| cell(row, name, now)))
        .collect();
    table([&heading].into_iter().chain(&lines))
}

/// What stands in a column, for people. The figure without a name is the number of the row.
fn cell(row: &Row<'_>, name: &str, now: u64) -> String {
    let value = figure(row, name);
    match (name, value.parse::<u64>()) {
        ("", _) => row.0.to_owned(),
        ("time", Ok(time)) => now.saturating_sub(time).to_string(),
        // The turn went on with an earlier request, or the daemon shows no keys.
        ("key", _) if value.is_empty() => "-".to_owned(),
        ("key", _) => key(row, name),
        _ => value.to_owned(),
    }
}

/// The arguments of `threads`.
pub(super) fn threads_command() -> Command {
    Command::new("threads")
        .about("Show what each worker thread does, and how busy it is")
        .after_help(
            "BUSY is the share of one core.\n\nExamples:\n  larder threads\n  larder threads --json",
        )
}

/// Shows the workers.
pub(super) fn threads(session: &Session, _arguments: &ArgMatches) -> Result<(), Error> {
    session.each(|_, connection| {
        let report = report(connection, "threads")?;
        let workers = rows(&report, "");
        Ok(Shown {
            text: columns(WORKER, &workers),
            json: numbered(&workers, "worker"),
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_that_is_off_or_has_forgotten_says_so() {
        assert!(summary("0", "0", 0).contains("slow_log_us=0"));
        assert_eq!(summary("5", "2", 2), "turns that took 5 us or longer: 2\n");
        assert_eq!(
            summary("5", "300", 128),
            "turns that took 5 us or longer: 300; the last 128\n"
        );
    }

    #[test]
    fn a_turn_is_told_with_its_age_and_with_a_key_only_if_it_has_one() {
        let turn = ("7", vec![("time", "90"), ("key", ""), ("user", "17")]);
        assert_eq!(cell(&turn, "time", 100), "10");
        // The clocks of two hosts differ.
        assert_eq!(cell(&turn, "time", 80), "0");
        assert_eq!(cell(&turn, "key", 100), "-");
        assert_eq!(cell(&turn, "worker", 100), "-");
        assert_eq!(cell(&turn, "", 100), "7");
        assert_eq!(
            numbered(&[turn], "number"),
            json!([{ "number": 7, "time": 90, "key": "", "user": "17" }])
        );
    }
}
