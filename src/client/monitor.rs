//! `larder monitor`: what happens in a daemon, a line for each event, as it happens.

use std::fmt::Write;
use std::time::{Duration, Instant};

use clap::{Arg, ArgMatches, Command, value_parser};
use serde_json::{Map, Value, json};

use super::connection::other;
use super::error::is_timeout;
use super::keys::{name, shown};
use super::{Colour, Error, Session, seconds};
use crate::protocol::client::listing::decoded;

/// What can be watched; older releases of memcached lack some of it.
const STREAMS: [&str; 6] = [
    "fetchers",
    "mutations",
    "evictions",
    "deletions",
    "connevents",
    "sysevents",
];

/// What is watched unless told otherwise: all releases have these.
const DEFAULT: [&str; 3] = ["fetchers", "mutations", "evictions"];

/// Longest silence before it is looked whether the time is over.
const GLANCE: Duration = Duration::from_millis(100);

/// The arguments of `monitor`.
pub(super) fn command() -> Command {
    Command::new("monitor")
        .about("Show what happens in a daemon, as it happens")
        .arg(
            Arg::new("stream")
                .value_name("STREAM")
                .help("What to watch: fetchers, mutations and evictions unless given")
                .num_args(0..)
                .value_parser(STREAMS),
        )
        .arg(
            Arg::new("count")
                .long("count")
                .value_name("COUNT")
                .help("End after so many lines")
                .value_parser(value_parser!(u64)),
        )
        .arg(
            Arg::new("duration")
                .long("duration")
                .value_name("SECONDS")
                .help("End after this time")
                .value_parser(|text: &str| seconds(text)),
        )
        .after_help(
            "The daemon waits for no watcher: one that is too slow is told how many lines it has \
             missed.\n\nExamples:\n  larder monitor --duration 0.5\n  \
             larder monitor mutations evictions --duration 0.5 --json",
        )
}

/// Prints events until it is to end.
pub(super) fn run(session: &Session, arguments: &ArgMatches) -> Result<(), Error> {
    let streams: Vec<&str> = match arguments.get_many::<String>("stream") {
        Some(streams) => streams.map(String::as_str).collect(),
        None => DEFAULT.to_vec(),
    };
    let mut left = arguments.get_one("count").copied().unwrap_or(u64::MAX);
    let limit: Option<&Duration> = arguments.get_one("duration");
    let mut connection = session.connect()?;
    let mut words: Vec<&[u8]> = vec![b"watch"];
    words.extend(streams.iter().map(|stream| stream.as_bytes()));
    connection.command(&words)?;
    let line = connection.line()?;
    if line != b"OK" {
        return Err(match &line[..] {
            b"ERROR" => Error::Lacks("it has not all of these streams".to_owned()),
            _ if line.starts_with(b"WATCHER_") => {
                Error::Refused(String::from_utf8_lossy(&line).into_owned())
            }
            _ => other(&line),
        });
    }
    connection.set_patience(GLANCE)?;
    let begun = Instant::now();
    while left > 0 && limit.is_none_or(|limit| begun.elapsed() < *limit) {
        let line = match connection.line() {
            Ok(line) => line,
            // Nothing has happened.
            Err(Error::Broken(cause)) if is_timeout(&cause) => continue,
            Err(error) => return Err(error),
        };
        left -= 1;
        let event = Event::parse(&line);
        let text = if session.json {
            format!("{}\n", event.object())
        } else {
            event.text(session)
        };
        if !session.print_on(text)? {
            break;
        }
    }
    Ok(())
}

/// A line of the daemon: words of the form `name=value`.
struct Event<'a> {
    fields: Vec<(String, &'a [u8])>,
}

impl<'a> Event<'a> {
    fn parse(line: &'a [u8]) -> Self {
        let words = line
            .split(|&byte| byte == b' ')
            .filter(|word| !word.is_empty());
        let fields = words.map(|word| {
            let at = memchr::memchr(b'=', word).unwrap_or(word.len());
            let value = word.get(at + 1..).unwrap_or_default();
            (String::from_utf8_lossy(&word[..at]).into_owned(), value)
        });
        Self {
            fields: fields.collect(),
        }
    }

    fn value(&self, name: &str) -> Option<&'a [u8]> {
        let mut fields = self.fields.iter();
        fields
            .find(|(other, _)| other == name)
            .map(|(_, value)| *value)
    }

    /// For programs: numbers as such, and the key as it is.
    fn object(&self) -> Value {
        let mut object = Map::new();
        for (field, value) in &self.fields {
            if field == "key" {
                name(&mut object, &decoded(value).unwrap_or_default());
                continue;
            }
            let text = String::from_utf8_lossy(value);
            let value = match (text.parse::<i64>(), text.parse::<f64>()) {
                (Ok(number), _) => json!(number),
                (_, Ok(number)) if field == "ts" => json!(number),
                _ => json!(text),
            };
            object.insert(field.clone(), value);
        }
        Value::Object(object)
    }

    /// For people: time of day in UTC, what happened, to whom, and the rest.
    fn text(&self, session: &Session) -> String {
        let word = |name| String::from_utf8_lossy(self.value(name).unwrap_or_default());
        if let Some(missed) = self.value("skipped") {
            let missed = String::from_utf8_lossy(missed);
            let words = format!("{missed} lines missed: the daemon waits for nobody");
            return format!("{}\n", session.paint(Colour::Red, &words));
        }
        let kind = word("type");
        let (colour, title) = match (&*kind, &*word("status")) {
            ("item_get", "found") => (Colour::Green, "hit"),
            ("item_get", _) => (Colour::Yellow, "miss"),
            ("item_store", "stored") => (Colour::Green, "stored"),
            ("item_store", _) => (Colour::Yellow, "not stored"),
            ("eviction", _) => (Colour::Red, "evicted"),
            ("deleted", _) => (Colour::Yellow, "deleted"),
            ("conn_new", _) => (Colour::Green, "connected"),
            ("conn_close", _) => (Colour::Yellow, "closed"),
            (other, _) => (Colour::Plain, other),
        };
        let mut out = format!("{}  ", time_of_day(&word("ts")));
        out.push_str(&session.paint(colour, &format!("{title:<11}")));
        if let Some(key) = self.value("key") {
            let key = decoded(key).unwrap_or_default();
            let _ = write!(out, " {}", shown(&key));
        }
        for (name, value) in &self.fields {
            if !["ts", "gid", "type", "key"].contains(&name.as_str()) {
                let value = String::from_utf8_lossy(value);
                let _ = write!(out, " {}={}", name, value.replace(char::is_control, "?"));
            }
        }
        out.push('\n');
        out
    }
}

/// A moment as hours, minutes, seconds and microseconds; what is no moment as it is.
fn time_of_day(moment: &str) -> String {
    let parts = moment.split_once('.').unwrap_or((moment, "0"));
    // The fraction is microseconds, and not padded.
    let (Ok(seconds), Ok(micros)) = (parts.0.parse::<u64>(), parts.1.parse::<u32>()) else {
        return moment.to_owned();
    };
    let of_day = seconds % 86_400;
    let (hours, minutes, seconds) = (of_day / 3600, of_day / 60 % 60, of_day % 60);
    format!("{hours:02}:{minutes:02}:{seconds:02}.{micros:06}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_an_event_and_its_key_is_decoded() {
        let line = b"ts=1700000000.42 gid=7 type=item_get key=a%20b status=found cfd=5 size=3";
        let object = Event::parse(line).object();
        assert_eq!(object["key"], "a b");
        assert_eq!(object["type"], "item_get");
        assert_eq!(object["size"], 3);
        assert_eq!(object["ts"], 1_700_000_000.42);
        assert_eq!(time_of_day("1700000000.42"), "22:13:20.000042");
        assert_eq!(time_of_day("x"), "x");
    }
}
