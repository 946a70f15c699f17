//! `larder top`: how busy each daemon is, anew each second.
//!
//! Figures are differences between two readings of `stats`, so the first table comes one interval
//! after the start.

use std::fmt::Write as _;
use std::io::{self, IsTerminal, Read, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use rustix::termios::{
    LocalModes, OptionalActions, SpecialCodeIndex, Termios, tcgetattr, tcsetattr,
};
use serde_json::{Value, json};
use signal_hook::consts::{SIGHUP, SIGTERM};

use super::requests::Report;
use super::{Address, Colour, Connection, Error, Session, seconds};

/// Time between two readings, unless told otherwise.
const INTERVAL_DEFAULT: Duration = Duration::from_secs(1);

/// Longest wait for a key before signals are looked at.
const GLANCE: Duration = Duration::from_millis(100);

/// The arguments of `top`.
pub(super) fn command() -> Command {
    Command::new("top")
        .about("Show how busy each daemon is, anew each second; q ends it")
        .arg(
            Arg::new("once")
                .long("once")
                .help("Print one table after one interval, for scripts")
                .action(ArgAction::SetTrue),
        )
        .arg(
            Arg::new("count")
                .long("count")
                .value_name("COUNT")
                .help("End after so many tables")
                .value_parser(value_parser!(u64).range(1..)),
        )
        .arg(
            Arg::new("interval")
                .long("interval")
                .value_name("SECONDS")
                .help("Time between two readings [default: 1]")
                .value_parser(|text: &str| seconds(text)),
        )
        .after_help(
            "The last columns are larderd's own times, since its start. With --json there is an \
             array a line.\n\nExamples:\n  larder top --once\n  \
             larder top --count 2 --interval 0.2 --json",
        )
}

/// One reading of a daemon.
struct Reading {
    at: Instant,
    general: Report,
    latency: Report,
}

/// A daemon that is watched, with what it said last.
struct Node {
    address: Address,
    connection: Option<Connection>,
    before: Option<Reading>,
}

impl Node {
    /// Reads once more; what has happened since the last time. One that does not answer is asked
    /// anew the next time.
    fn look(&mut self, session: &Session) -> Result<Option<Row>, Error> {
        let read = self.read(session);
        if read.is_err() {
            self.connection = None;
            self.before = None;
        }
        let now = read?;
        let row = self
            .before
            .as_ref()
            .map(|before| Row::between(before, &now));
        self.before = Some(now);
        Ok(row)
    }

    fn read(&mut self, session: &Session) -> Result<Reading, Error> {
        let connection = match &mut self.connection {
            Some(connection) => connection,
            none => none.insert(session.connect_to(&self.address)?),
        };
        Ok(Reading {
            general: connection.stats(&[])?,
            latency: connection.stats_if_any(&[b"latency"])?,
            at: Instant::now(),
        })
    }
}

/// A line of the table.
struct Row {
    gets_per_s: f64,
    sets_per_s: f64,
    /// Share of keys that were there, in percent; `None` when none was asked for.
    hit_percent: Option<f64>,
    evictions_per_s: f64,
    in_per_s: f64,
    out_per_s: f64,
    connections: u64,
    items: u64,
    memory_percent: f64,
    /// Of gets, in microseconds, when the daemon tells.
    p99_us: Option<u64>,
}

impl Row {
    fn between(before: &Reading, now: &Reading) -> Self {
        let elapsed_s = now.at.duration_since(before.at).as_secs_f64().max(1e-6);
        let count = |reading: &Reading, name: &str| number(&reading.general, name).unwrap_or(0);
        let level = |name| count(now, name);
        // A daemon that has started again counts from zero.
        let since = |name| level(name).saturating_sub(count(before, name)) as f64;
        let rate = |name| since(name) / elapsed_s;
        let (hits, misses) = (since("get_hits"), since("get_misses"));
        let asked = hits + misses;
        Self {
            gets_per_s: rate("cmd_get"),
            sets_per_s: rate("cmd_set"),
            hit_percent: (asked > 0.0).then(|| hits / asked * 100.0),
            evictions_per_s: rate("evictions"),
            in_per_s: rate("bytes_read"),
            out_per_s: rate("bytes_written"),
            connections: level("curr_connections"),
            items: level("curr_items"),
            memory_percent: level("bytes") as f64 / level("limit_maxbytes").max(1) as f64 * 100.0,
            p99_us: number(&now.latency, "get:p99_us"),
        }
    }

    fn json(&self, server: &Address) -> Value {
        json!({
            "server": server.to_string(),
            "gets_per_s": self.gets_per_s,
            "sets_per_s": self.sets_per_s,
            "hit_percent": self.hit_percent,
            "evictions_per_s": self.evictions_per_s,
            "in_bytes_per_s": self.in_per_s,
            "out_bytes_per_s": self.out_per_s,
            "connections": self.connections,
            "items": self.items,
            "memory_percent": self.memory_percent,
            "get_p99_us": self.p99_us,
        })
    }
}

fn number(report: &Report, name: &str) -> Option<u64> {
    let mut entries = report.iter();
    let found = entries.find(|(other, _)| other == name)?;
    found.1.parse().ok()
}

/// Shows tables until it is to end.
pub(super) fn run(session: &Session, arguments: &ArgMatches) -> Result<(), Error> {
    let once = arguments.get_flag("once");
    let interval = arguments.get_one("interval").copied();
    let interval = interval.unwrap_or(INTERVAL_DEFAULT);
    let mut left = match arguments.get_one::<u64>("count") {
        _ if once => 1,
        Some(&count) => count,
        None => u64::MAX,
    };
    let nodes = session.nodes()?;
    let mut nodes: Vec<Node> = nodes
        .into_iter()
        .map(|address| Node {
            address,
            connection: None,
            before: None,
        })
        .collect();
    // A daemon that cannot be reached at all is told at once, not in a table.
    let mut first = Ok(());
    for node in &mut nodes {
        first = first.and(node.look(session).map(|_| ()));
    }
    if nodes.iter().all(|node| node.before.is_none()) {
        return first;
    }
    let is_live = !once && !session.json && session.is_watched();
    let screen = if is_live { Some(Screen::open()?) } else { None };
    while left > 0 {
        left -= 1;
        match &screen {
            Some(screen) if screen.is_left(interval)? => break,
            Some(_) => {}
            None => sleep(interval),
        }
        let rows: Vec<Result<Option<Row>, Error>> =
            nodes.iter_mut().map(|node| node.look(session)).collect();
        let text = if session.json {
            json_line(&nodes, &rows)
        } else {
            table(session, &nodes, &rows)
        };
        let lead = if is_live { CLEAR } else { "" };
        if !session.print_on(format!("{lead}{text}"))? {
            break;
        }
    }
    Ok(())
}

fn json_line(nodes: &[Node], rows: &[Result<Option<Row>, Error>]) -> String {
    let all = nodes.iter().zip(rows).map(|(node, row)| match row {
        Ok(Some(row)) => row.json(&node.address),
        Ok(None) => json!({ "server": node.address.to_string() }),
        Err(error) => json!({ "server": node.address.to_string(), "error": error.to_string() }),
    });
    format!("{}\n", Value::Array(all.collect()))
}

fn table(session: &Session, nodes: &[Node], rows: &[Result<Option<Row>, Error>]) -> String {
    let names = nodes.iter().map(|node| node.address.to_string().len());
    let width = names.max().unwrap_or(0).max(6);
    let heading = format!(
        "{:<width$}{:>10}{:>10}{:>7}{:>9}{:>9}{:>9}{:>7}{:>11}{:>7}{:>9}",
        "server",
        "get/s",
        "set/s",
        "hit %",
        "evict/s",
        "in/s",
        "out/s",
        "conns",
        "items",
        "mem %",
        "p99 us"
    );
    let mut out = format!("{}\n", session.paint(Colour::Bold, &heading));
    for (node, row) in nodes.iter().zip(rows) {
        let name = node.address.to_string();
        let _ = write!(out, "{name:<width$}");
        match row {
            Ok(Some(row)) => {
                let hits = row.hit_percent.map(|share| format!("{share:.1}"));
                let p99 = row.p99_us.map(|us| us.to_string());
                let _ = writeln!(
                    out,
                    "{:>10.0}{:>10.0}{:>7}{:>9.0}{:>9}{:>9}{:>7}{:>11}{:>7.1}{:>9}",
                    row.gets_per_s,
                    row.sets_per_s,
                    hits.as_deref().unwrap_or("-"),
                    row.evictions_per_s,
                    size(row.in_per_s),
                    size(row.out_per_s),
                    row.connections,
                    row.items,
                    row.memory_percent,
                    p99.as_deref().unwrap_or("-"),
                );
            }
            Ok(None) => out.push_str("  is back\n"),
            Err(error) => {
                let words = session.paint(Colour::Red, &error.to_string());
                let _ = writeln!(out, "  {words}");
            }
        }
    }
    out
}

/// Bytes with the unit that fits.
fn size(bytes: f64) -> String {
    match bytes {
        _ if bytes >= 1e9 => format!("{:.1}G", bytes / 1e9),
        _ if bytes >= 1e6 => format!("{:.1}M", bytes / 1e6),
        _ if bytes >= 1e3 => format!("{:.1}k", bytes / 1e3),
        _ => format!("{bytes:.0}"),
    }
}

/// Moves to the upper left and clears what is below.
const CLEAR: &str = "\x1b[H\x1b[J";

/// The terminal's other screen. The one before comes back when this goes, whatever ends it.
struct Screen {
    /// How standard input was, when it is a terminal.
    typed: Option<Termios>,
    ended: Arc<AtomicBool>,
}

impl Screen {
    fn open() -> Result<Self, Error> {
        let ended = Arc::new(AtomicBool::new(false));
        for signal in [SIGTERM, SIGHUP] {
            signal_hook::flag::register(signal, Arc::clone(&ended)).map_err(Error::Local)?;
        }
        let mut typed = None;
        if io::stdin().is_terminal() {
            let local = |errno: rustix::io::Errno| Error::Local(errno.into());
            let modes = tcgetattr(io::stdin()).map_err(local)?;
            let mut keys = modes.clone();
            // Ctrl-C comes as a key too, so that the screen is left in order.
            keys.local_modes
                .remove(LocalModes::ICANON | LocalModes::ECHO | LocalModes::ISIG);
            keys.special_codes[SpecialCodeIndex::VMIN] = 0;
            keys.special_codes[SpecialCodeIndex::VTIME] = 1;
            tcsetattr(io::stdin(), OptionalActions::Now, &keys).map_err(local)?;
            typed = Some(modes);
        }
        let screen = Self { typed, ended };
        let mut out = io::stdout();
        out.write_all(b"\x1b[?1049h\x1b[?25l")
            .and_then(|()| out.write_all(CLEAR.as_bytes()))
            .and_then(|()| out.write_all(b"reading, q ends\n"))
            .and_then(|()| out.flush())
            .map_err(Error::Local)?;
        Ok(screen)
    }

    /// Waits; whether the user, or the system, wants it to end.
    fn is_left(&self, time: Duration) -> Result<bool, Error> {
        let until = Instant::now() + time;
        while Instant::now() < until {
            if self.ended.load(Ordering::Relaxed) {
                return Ok(true);
            }
            if self.typed.is_none() {
                sleep(GLANCE.min(until.saturating_duration_since(Instant::now())));
                continue;
            }
            let mut key = [0];
            match io::stdin().read(&mut key) {
                Ok(1) if matches!(key[0], b'q' | b'Q' | 3 | 4) => return Ok(true),
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(Error::Local(error)),
            }
        }
        Ok(false)
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        let mut out = io::stdout();
        drop(
            out.write_all(b"\x1b[?25h\x1b[?1049l")
                .and_then(|()| out.flush()),
        );
        if let Some(typed) = &self.typed {
            // There is nothing left to be done about a terminal that has gone.
            let _gone = tcsetattr(io::stdin(), OptionalActions::Now, typed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_differences_over_time_and_shares_need_something_asked() {
        let begun = Instant::now();
        let reading = |after_s: u64, gets: &str, hits: &str| Reading {
            at: begun + Duration::from_secs(after_s),
            general: [
                ("cmd_get", gets),
                ("get_hits", hits),
                ("get_misses", "0"),
                ("bytes", "50"),
                ("limit_maxbytes", "200"),
            ]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .to_vec(),
            latency: vec![("get:p99_us".to_owned(), "70".to_owned())],
        };
        let row = Row::between(&reading(0, "100", "50"), &reading(2, "300", "250"));
        assert!((row.gets_per_s - 100.0).abs() < 1e-9);
        assert_eq!(row.hit_percent, Some(100.0));
        assert_eq!((row.memory_percent, row.p99_us), (25.0, Some(70)));
        // It has started again meanwhile.
        let row = Row::between(&reading(0, "100", "50"), &reading(2, "10", "0"));
        assert!(row.gets_per_s.abs() < 1e-9 && row.hit_percent.is_none());
    }

    #[test]
    fn sizes_have_a_unit() {
        assert_eq!(size(999.0), "999");
        assert_eq!(size(1500.0), "1.5k");
        assert_eq!(size(2_500_000.0), "2.5M");
        assert_eq!(size(3e9), "3.0G");
    }
}
