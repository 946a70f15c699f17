//! `larder latency`: how long a round trip takes, and how long the daemon says that it works.

use std::fmt::Write;
use std::time::Instant;

use clap::{Arg, ArgMatches, Command, value_parser};
use hdrhistogram::Histogram;
use serde_json::{Map, Value, json};

use super::report::number_or_text;
use super::requests::Report;
use super::{Connection, Error, Session, Shown};

/// Longest time that is told apart from longer ones, in nanoseconds: a minute.
const TIME_MAX_NS: u64 = 60_000_000_000;

/// The percentiles that are shown, by name.
const PERCENTILES: [(&str, f64); 5] = [
    ("p50", 50.0),
    ("p90", 90.0),
    ("p99", 99.0),
    ("p99.9", 99.9),
    ("max", 100.0),
];

/// The arguments of `latency`.
pub(super) fn command() -> Command {
    Command::new("latency")
        .about("Measure round trips, and show how long the daemon itself takes for commands")
        .arg(
            Arg::new("count")
                .long("count")
                .value_name("COUNT")
                .help("Round trips to measure, one after the other")
                .default_value("1000")
                .value_parser(value_parser!(u32).range(1..=10_000_000)),
        )
        .after_help(
            "A round trip is a request that does nothing, its reply, and the network both ways. \
             The times of commands\nare larderd's own, and memcached has none.\n\nExamples:\n  \
             larder latency\n  larder latency --count 100 --json",
        )
}

/// Measures, and prints what it showed.
pub(super) fn run(session: &Session, arguments: &ArgMatches) -> Result<(), Error> {
    let count: u32 = arguments.get_one("count").copied().unwrap_or(1);
    session.each(|_, connection| {
        let trips = measure(connection, count)?;
        let report = connection.stats_if_any(&[b"latency"])?;
        let rows = commands(&report);
        Ok(Shown {
            text: text(&trips, &rows),
            json: json!({ "round_trip": summary(&trips), "commands": objects(&rows) }),
        })
    })
}

fn measure(connection: &mut Connection, count: u32) -> Result<Histogram<u64>, Error> {
    let mut trips = Histogram::new_with_bounds(1, TIME_MAX_NS, 3)
        .map_err(|error| Error::Local(std::io::Error::other(error)))?;
    for _ in 0..count {
        let begun = Instant::now();
        connection.version()?;
        let took_ns = begun.elapsed().as_nanos();
        trips.saturating_record(u64::try_from(took_ns).unwrap_or(u64::MAX));
    }
    Ok(trips)
}

fn us(ns: u64) -> f64 {
    ns as f64 / 1e3
}

fn summary(trips: &Histogram<u64>) -> Value {
    let mut object = json!({
        "count": trips.len(),
        "min_us": us(trips.min()),
        "mean_us": trips.mean() / 1e3,
    });
    for (name, percentile) in PERCENTILES {
        object[format!("{name}_us")] = json!(us(trips.value_at_percentile(percentile)));
    }
    object
}

/// A command and its figures, by name.
type Row<'a> = (&'a str, Vec<(&'a str, &'a str)>);

/// The lines of the report by command: each is named `command:figure`.
fn commands(report: &Report) -> Vec<Row<'_>> {
    let mut rows: Vec<Row<'_>> = Vec::new();
    for (name, value) in report {
        let Some((command, figure)) = name.split_once(':') else {
            continue;
        };
        match rows.last_mut() {
            Some((last, figures)) if *last == command => figures.push((figure, value)),
            _ => rows.push((command, vec![(figure, value)])),
        }
    }
    rows
}

fn objects(rows: &[Row<'_>]) -> Value {
    let objects = rows.iter().map(|(command, figures)| {
        let figures = figures
            .iter()
            .map(|(name, value)| ((*name).to_owned(), number_or_text((*value).to_owned())));
        (
            (*command).to_owned(),
            Value::Object(figures.collect::<Map<_, _>>()),
        )
    });
    Value::Object(objects.collect::<Map<_, _>>())
}

fn text(trips: &Histogram<u64>, rows: &[Row<'_>]) -> String {
    let mut out = format!("{:<12}{:>10}{:>10}{:>10}", "", "count", "mean", "min");
    for (name, _) in PERCENTILES {
        let _ = write!(out, "{name:>10}");
    }
    let (mean, least) = (trips.mean() / 1e3, us(trips.min()));
    let _ = write!(
        out,
        "  us\n{:<12}{:>10}{mean:>10.1}{least:>10.1}",
        "round trip",
        trips.len()
    );
    for (_, percentile) in PERCENTILES {
        let _ = write!(out, "{:>10.1}", us(trips.value_at_percentile(percentile)));
    }
    out.push('\n');
    let asked = [
        "samples", "mean_us", "", "p50_us", "p90_us", "p99_us", "p999_us", "max_us",
    ];
    for (command, figures) in rows {
        let told = |name: &str| {
            let mut figures = figures.iter();
            figures
                .find(|(other, _)| *other == name)
                .map(|(_, value)| *value)
        };
        // A command that nobody has used has nothing to show.
        if told("mean_us").is_none() {
            continue;
        }
        let _ = write!(out, "{command:<12}");
        for name in asked {
            let _ = write!(out, "{:>10}", told(name).unwrap_or_default());
        }
        out.push('\n');
    }
    out
}
