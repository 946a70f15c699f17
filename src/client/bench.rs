//! `larder bench`: a load, and what it showed.

use std::fmt::Write;
use std::time::Duration;

use clap::builder::ValueParser;
use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use hdrhistogram::Histogram;
use serde_json::{Value, json};

use super::load::keys::{KeySpace, Popularity, Sizes};
use super::load::{self, Arrivals, Limit, Outcome, Spec, Wait};
use super::{Error, Session, seconds};
use crate::protocol::client::Dialect;

/// The percentiles that are shown, by name.
const PERCENTILES: [(&str, f64); 4] =
    [("p50", 50.0), ("p90", 90.0), ("p99", 99.0), ("p99.9", 99.9)];

/// An option with a value.
fn option(
    name: &'static str,
    value: &'static str,
    default: &'static str,
    help: &'static str,
    parser: impl Into<ValueParser>,
) -> Arg {
    let argument = Arg::new(name)
        .long(name)
        .value_name(value)
        .help(help)
        .value_parser(parser.into());
    if default.is_empty() {
        argument
    } else {
        argument.default_value(default)
    }
}

/// An option without a value.
fn flag(name: &'static str, help: &'static str) -> Arg {
    Arg::new(name)
        .long(name)
        .help(help)
        .action(ArgAction::SetTrue)
}

/// The arguments of `bench`.
pub(super) fn command() -> Command {
    Command::new("bench")
        .about("Load a daemon and show how fast it answers")
        .args(shape_arguments())
        .args(key_arguments())
        .args(run_arguments())
        .after_help(
            "Without --rate each connection sends the next request when it has a reply (closed \
             loop). With it\nrequests are due at fixed times and latency counts from then (open \
             loop).\n\nExamples:\n  \
             larder bench --preload --keys 10000 --duration 0.5\n  \
             larder bench --depth 16 --sets 50 --value-size 20-1019 --keys 1000 --duration 0.5\n  \
             larder bench --cache-aside --pick zipf:0.99 --keys 10000 --duration 0.5\n  \
             larder bench --rate 2000 --poisson --duration 0.5 --json",
        )
}

fn shape_arguments() -> [Arg; 8] {
    [
        option(
            "connections",
            "COUNT",
            "50",
            "Connections, over all threads",
            value_parser!(u32).range(1..),
        ),
        option(
            "threads",
            "COUNT",
            "1",
            "Threads of the load",
            value_parser!(u32).range(1..=1024),
        ),
        option(
            "depth",
            "COUNT",
            "1",
            "Requests in flight on a connection",
            value_parser!(u32).range(1..=65536),
        ),
        option(
            "protocol",
            "NAME",
            "text",
            "text, meta or binary",
            ["text", "meta", "binary"],
        ),
        option(
            "sets",
            "PERCENT",
            "10",
            "Share of requests that store; 0 with --cache-aside",
            percent as fn(&str) -> _,
        ),
        option(
            "multiget",
            "COUNT",
            "1",
            "Keys in a get",
            value_parser!(u32).range(1..=100_000),
        ),
        flag(
            "cache-aside",
            "Follow a get that misses by a set, as users of a cache do",
        ),
        option(
            "ttl",
            "SECONDS",
            "0",
            "Time to live of what is stored: N or A-B; 0 is without end",
            range as fn(&str) -> _,
        ),
    ]
}

fn key_arguments() -> [Arg; 6] {
    [
        option(
            "keys",
            "COUNT",
            "100000",
            "How many keys there are",
            value_parser!(u64),
        ),
        option(
            "key-size",
            "BYTES",
            "20",
            "Bytes of a key",
            value_parser!(u32),
        ),
        option(
            "value-size",
            "BYTES",
            "100",
            "Bytes of a value: N, A-B, or twitter, a mix as large sites have, with keys of its own",
            |text: &str| text.parse::<Sizes>(),
        ),
        option(
            "pick",
            "WAY",
            "uniform",
            "Which keys: uniform, sequential or zipf:EXPONENT",
            |text: &str| text.parse::<Popularity>(),
        ),
        option(
            "one-time",
            "PERCENT",
            "0",
            "Share of requests for keys that never come again",
            percent as fn(&str) -> _,
        ),
        option(
            "seed",
            "NUMBER",
            "1",
            "Another seed is another run",
            value_parser!(u64),
        ),
    ]
}

fn run_arguments() -> [Arg; 10] {
    [
        option(
            "duration",
            "SECONDS",
            "10",
            "How long it is measured",
            seconds as fn(&str) -> _,
        ),
        option(
            "warm-up",
            "SECONDS",
            "",
            "How long it runs before; a tenth of the duration unless given",
            seconds as fn(&str) -> _,
        ),
        option(
            "requests",
            "COUNT",
            "",
            "Send so many requests instead, all of them measured",
            value_parser!(u64).range(1..),
        ),
        option(
            "rate",
            "PER-SECOND",
            "",
            "Send at this rate, over all connections",
            value_parser!(f64),
        ),
        flag(
            "poisson",
            "With --rate: at random times, as many independent clients do",
        )
        .requires("rate"),
        flag("preload", "Store every key first"),
        flag("verify", "Stop when a value is not the one that was stored"),
        flag(
            "spin",
            "Never sleep: for a load with a processor of its own",
        ),
        option(
            "server-pid",
            "PID",
            "",
            "The daemon's process: its processor time is shown for each request",
            value_parser!(u32),
        ),
        Arg::new("cores")
            .long("cores")
            .value_name("LIST")
            .help("Processors to keep the threads on, such as 1,3")
            .value_delimiter(',')
            .value_parser(value_parser!(u32).range(0..1024)),
    ]
}

/// A share, given in percent.
fn percent(text: &str) -> Result<f64, String> {
    let percent = text.parse::<f64>().ok();
    let percent = percent.filter(|percent| (0.0..=100.0).contains(percent));
    percent
        .map(|percent| percent / 100.0)
        .ok_or_else(|| "a number from 0 to 100 is needed".to_owned())
}

/// `N` or `A-B`.
fn range(text: &str) -> Result<(u32, u32), String> {
    let (low, high) = text.split_once('-').unwrap_or((text, text));
    match (low.parse(), high.parse()) {
        (Ok(low), Ok(high)) if low <= high => Ok((low, high)),
        _ => Err("N or A-B is needed".to_owned()),
    }
}

/// Loads the daemon, and prints what that showed.
pub(super) fn run(session: &Session, arguments: &ArgMatches) -> Result<(), Error> {
    let spec = spec(session, arguments)?;
    spec.check()?;
    if arguments.get_flag("preload") {
        load::fill(&spec, 0..spec.keys.count)?;
    }
    let outcome = load::run(&spec)?;
    if session.json {
        session.print_json(&json(&spec, &outcome))
    } else {
        session.print(text(&spec, &outcome))
    }
}

fn spec(session: &Session, arguments: &ArgMatches) -> Result<Spec, Error> {
    let number = |name| arguments.get_one::<u32>(name).copied().unwrap_or_default();
    let share = |name| arguments.get_one::<f64>(name).copied().unwrap_or_default();
    let cache_aside = arguments.get_flag("cache-aside");
    // Whoever asks for sets besides has them.
    let sets_given = arguments.value_source("sets") == Some(clap::parser::ValueSource::CommandLine);
    let counted = time(arguments, "duration").unwrap_or(Duration::from_secs(10));
    Ok(Spec {
        server: session.server()?,
        access: session.access.clone(),
        dialect: match arguments.get_one::<String>("protocol").map(String::as_str) {
            Some("meta") => Dialect::Meta,
            Some("binary") => Dialect::Binary,
            _ => Dialect::Text,
        },
        threads: number("threads") as usize,
        connections: number("connections") as usize,
        depth: number("depth"),
        keys: KeySpace {
            count: arguments.get_one("keys").copied().unwrap_or_default(),
            key_size: number("key-size") as usize,
            sizes: *arguments
                .get_one("value-size")
                .unwrap_or(&Sizes::Fixed(100)),
            seed: arguments.get_one("seed").copied().unwrap_or_default(),
        },
        popularity: *arguments.get_one("pick").unwrap_or(&Popularity::Uniform),
        fresh_share: share("one-time"),
        set_share: if cache_aside && !sets_given {
            0.0
        } else {
            share("sets")
        },
        multiget: number("multiget"),
        cache_aside,
        ttl: *arguments.get_one("ttl").unwrap_or(&(0, 0)),
        arrivals: match arguments.get_one::<f64>("rate") {
            None => Arrivals::Closed,
            Some(&rate) => Arrivals::Open {
                rate,
                poisson: arguments.get_flag("poisson"),
            },
        },
        limit: match arguments.get_one::<u64>("requests") {
            Some(&count) => Limit::Requests(count),
            None => Limit::Time {
                warm_up: time(arguments, "warm-up").unwrap_or(counted / 10),
                counted,
            },
        },
        wait: if arguments.get_flag("spin") {
            Wait::Spin
        } else {
            Wait::Sleep
        },
        verify: arguments.get_flag("verify"),
        timeout: session.access.timeout,
        server_pid: arguments.get_one("server-pid").copied(),
        cores: arguments
            .get_many::<u32>("cores")
            .unwrap_or_default()
            .map(|&core| core as usize)
            .collect(),
    })
}

fn time(arguments: &ArgMatches, name: &str) -> Option<Duration> {
    arguments.get_one(name).copied()
}

/// The outcome for people. Latencies are in microseconds.
fn text(spec: &Spec, outcome: &Outcome) -> String {
    let mut out = String::new();
    let _ = write!(out, "{:<8}{:>12}{:>12}", "", "requests", "per second");
    for (name, _) in PERCENTILES {
        let _ = write!(out, "{name:>10}");
    }
    let _ = writeln!(out, "{:>10}  us", "max");
    let mut row = |name: &str, histogram: &Histogram<u64>, count: u64| {
        if count == 0 {
            return;
        }
        let rate = count as f64 / outcome.elapsed_s;
        let _ = write!(out, "{name:<8}{count:>12}{rate:>12.0}");
        for (_, percentile) in PERCENTILES {
            let _ = write!(out, "{:>10.1}", at(histogram, percentile));
        }
        let _ = writeln!(out, "{:>10.1}", us(histogram.max()));
    };
    let counts = &outcome.counts;
    row("get", &outcome.gets, counts.gets);
    row("set", &outcome.sets, counts.sets);
    if counts.gets > 0 && counts.sets > 0 {
        row("all", &outcome.all(), counts.requests());
    }
    if counts.gets > 0 {
        let percent = outcome.hit_share() * 100.0;
        let (hits, misses) = (counts.hits, counts.misses);
        let _ = writeln!(
            out,
            "keys found: {percent:.2} % ({hits} hits, {misses} misses)"
        );
    }
    if counts.errors > 0 {
        let _ = writeln!(out, "refused: {} requests", counts.errors);
    }
    if let (Some(cpu), Some((all, own))) = (outcome.server_cpu, outcome.server_us()) {
        let _ = writeln!(
            out,
            "daemon: {all:.3} us of processor time a request ({own:.3} its own, {:.3} the \
             kernel's), {:.0} % of a core",
            all - own,
            cpu.total_s() / outcome.elapsed_s * 100.0
        );
    }
    let client = outcome.client_cpu.total_s() / outcome.elapsed_s * 100.0;
    let _ = writeln!(out, "load: {client:.0} % of a core");
    if let Arrivals::Open { rate, .. } = spec.arrivals {
        let _ = writeln!(
            out,
            "schedule: {rate:.0} a second, sent late by {:.1} us (p50), {:.1} us (p99), {:.1} us \
             (max), {} not sent",
            at(&outcome.late, 50.0),
            at(&outcome.late, 99.0),
            us(outcome.late.max()),
            outcome.unsent
        );
    }
    out
}

/// The outcome for programs.
fn json(spec: &Spec, outcome: &Outcome) -> Value {
    let counts = &outcome.counts;
    let latency = |histogram: &Histogram<u64>, count: u64| {
        let mut object = json!({
            "requests": count,
            "per_second": count as f64 / outcome.elapsed_s,
        });
        if !histogram.is_empty() {
            for (name, percentile) in PERCENTILES {
                object[format!("{name}_us")] = json!(at(histogram, percentile));
            }
            object["max_us"] = json!(us(histogram.max()));
            object["mean_us"] = json!(histogram.mean() / 1e3);
        }
        object
    };
    let mut object = json!({
        "server": spec.server.to_string(),
        "elapsed_s": outcome.elapsed_s,
        "get": latency(&outcome.gets, counts.gets),
        "set": latency(&outcome.sets, counts.sets),
        "all": latency(&outcome.all(), counts.requests()),
        "hits": counts.hits,
        "misses": counts.misses,
        "value_bytes": counts.value_bytes,
        "errors": counts.errors,
        "load_cpu_s": outcome.client_cpu.total_s(),
    });
    if let (Some(cpu), Some((all, _))) = (outcome.server_cpu, outcome.server_us()) {
        object["server_cpu"] = json!({
            "user_s": cpu.user_s,
            "system_s": cpu.system_s,
            "us_per_request": all,
        });
    }
    if let Arrivals::Open { rate, .. } = spec.arrivals {
        object["schedule"] = json!({
            "per_second": rate,
            "late_p99_us": at(&outcome.late, 99.0),
            "late_max_us": us(outcome.late.max()),
            "unsent": outcome.unsent,
        });
    }
    object
}

fn at(histogram: &Histogram<u64>, percentile: f64) -> f64 {
    us(histogram.value_at_percentile(percentile))
}

fn us(ns: u64) -> f64 {
    ns as f64 / 1e3
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_percent_and_times_are_ranges() {
        assert_eq!(percent("10"), Ok(0.1));
        assert!(percent("101").is_err() && percent("-1").is_err() && percent("NaN").is_err());
        assert_eq!(range("5"), Ok((5, 5)));
        assert_eq!(range("5-10"), Ok((5, 10)));
        assert!(range("10-5").is_err() && range("x").is_err());
    }
}
