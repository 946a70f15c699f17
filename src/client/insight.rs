//! `larder hotkeys`, `bigkeys` and `clients`: what is asked for most, what is largest, and who is
//! connected, as the daemon tells it.

use clap::{Arg, ArgMatches, Command, value_parser};
use serde_json::{Map, Value, json};

use super::cluster::table;
use super::connection::other;
use super::keys::{name, shown};
use super::report::number_or_text;
use super::requests::Report;
use super::{Connection, Error, Session, Shown};
use crate::protocol::client::listing::decoded;
use crate::protocol::client::{Reply, is_key};

/// One of the things that a report tells of, with its figures by name.
pub(super) type Row<'a> = (&'a str, Vec<(&'a str, &'a str)>);

/// Lines of the form `[GROUP:]NUMBER:NAME VALUE`, by number. `group` is empty where there is none.
pub(super) fn rows<'a>(report: &'a Report, group: &str) -> Vec<Row<'a>> {
    let mut rows: Vec<Row<'a>> = Vec::new();
    for (entry, value) in report {
        let entry = if group.is_empty() {
            Some(entry.as_str())
        } else {
            entry
                .strip_prefix(group)
                .and_then(|rest| rest.strip_prefix(':'))
        };
        let Some((number, name)) = entry.and_then(|entry| entry.split_once(':')) else {
            continue;
        };
        match rows.last_mut() {
            Some((last, figures)) if *last == number => figures.push((name, value)),
            _ => rows.push((number, vec![(name, value)])),
        }
    }
    rows
}

/// A figure of a row, as the daemon wrote it; `-` where there is none.
pub(super) fn figure<'a>(row: &Row<'a>, name: &str) -> &'a str {
    let mut figures = row.1.iter();
    let found = figures.find(|(other, _)| *other == name);
    found.map_or("-", |(_, value)| value)
}

/// A key as the report has it, for people.
pub(super) fn key(row: &Row<'_>, name: &str) -> String {
    shown(&decoded(figure(row, name).as_bytes()).unwrap_or_default())
}

/// A row for programs: numbers as such, and keys as they are.
fn object(row: &Row<'_>) -> Value {
    let mut object = Map::new();
    for (figure, value) in &row.1 {
        match *figure {
            "key" => name(&mut object, &decoded(value.as_bytes()).unwrap_or_default()),
            "prefix" => {
                let prefix = decoded(value.as_bytes()).unwrap_or_default();
                let text = String::from_utf8_lossy(&prefix).into_owned();
                object.insert("prefix".to_owned(), json!(text));
            }
            // A name is no number, even where it is made of digits.
            "user" => {
                object.insert("user".to_owned(), json!(value));
            }
            _ => {
                let value = match value.parse::<f64>() {
                    Ok(number) if value.contains('.') => json!(number),
                    _ => number_or_text((*value).to_owned()),
                };
                object.insert((*figure).to_owned(), value);
            }
        }
    }
    Value::Object(object)
}

fn objects(rows: &[Row<'_>]) -> Value {
    Value::Array(rows.iter().map(object).collect())
}

/// All rows for programs, each with its number under this name.
pub(super) fn numbered(rows: &[Row<'_>], name: &str) -> Value {
    let all = rows.iter().map(|row| {
        let mut object = object(row);
        object[name] = number_or_text(row.0.to_owned());
        object
    });
    Value::Array(all.collect())
}

/// A report that memcached does not have.
pub(super) fn report(connection: &mut Connection, group: &str) -> Result<Report, Error> {
    match connection.stats(&[group.as_bytes()]) {
        Err(Error::Lacks(_)) => Err(Error::Lacks(format!(
            "it has no `stats {group}`; larderd has"
        ))),
        other => other,
    }
}

/// A figure of the whole report; `0` where there is none.
pub(super) fn told(report: &Report, name: &str) -> String {
    let mut entries = report.iter();
    let found = entries.find(|(other, _)| other == name);
    found.map_or_else(|| "0".to_owned(), |(_, value)| value.clone())
}

/// The arguments of `hotkeys`.
pub(super) fn hotkeys_command() -> Command {
    Command::new("hotkeys")
        .about("Show the keys, and the prefixes of keys, that are asked for most")
        .after_help(
            "Figures are estimates from a sample of the requests of the last minute.\n\nExamples:\n  \
             larder hotkeys\n  larder hotkeys --json",
        )
}

/// Shows what is hot.
pub(super) fn hotkeys(session: &Session, _arguments: &ArgMatches) -> Result<(), Error> {
    session.each(|_, connection| {
        let report = report(connection, "hotkeys")?;
        let (keys, prefixes) = (rows(&report, "key"), rows(&report, "prefix"));
        let (samples, window_s) = (told(&report, "samples"), told(&report, "window_s"));
        let mut text = format!("{samples} samples of {window_s} s\n");
        for (title, field, rows) in [("KEY", "key", &keys), ("PREFIX", "prefix", &prefixes)] {
            if rows.is_empty() {
                continue;
            }
            let heading = [
                title,
                "REQUESTS/S",
                "SHARE %",
                "HITS/S",
                "MISSES/S",
                "WRITES/S",
                "DELETES/S",
                "LARGEST",
            ]
            .map(str::to_owned);
            let lines: Vec<[String; 8]> = rows
                .iter()
                .map(|row| {
                    let figure = |name| figure(row, name).to_owned();
                    [
                        key(row, field),
                        figure("requests_per_s"),
                        figure("share_percent"),
                        figure("hits_per_s"),
                        figure("misses_per_s"),
                        figure("writes_per_s"),
                        figure("deletes_per_s"),
                        figure("value_size_max"),
                    ]
                })
                .collect();
            text.push('\n');
            text.push_str(&table([&heading].into_iter().chain(&lines)));
        }
        Ok(Shown {
            text,
            json: json!({
                "samples": number_or_text(samples),
                "window_s": number_or_text(window_s),
                "keys": objects(&keys),
                "prefixes": objects(&prefixes),
            }),
        })
    })
}

/// The arguments of `bigkeys`.
pub(super) fn bigkeys_command() -> Command {
    Command::new("bigkeys")
        .about("Show the largest items")
        .after_help("Examples:\n  larder bigkeys\n  larder bigkeys --json")
}

/// Shows what is big.
pub(super) fn bigkeys(session: &Session, _arguments: &ArgMatches) -> Result<(), Error> {
    session.each(|_, connection| {
        let report = report(connection, "bigkeys")?;
        let keys = rows(&report, "key");
        let heading = [
            "KEY", "VALUE", "MEMORY", "CLASS", "IDLE S", "TTL S", "FETCHED",
        ];
        let heading = heading.map(str::to_owned);
        let lines: Vec<[String; 7]> = keys
            .iter()
            .map(|row| {
                let figure = |name| figure(row, name).to_owned();
                let ttl = figure("ttl_s");
                [
                    key(row, "key"),
                    figure("value_size"),
                    figure("size"),
                    figure("class"),
                    figure("idle_s"),
                    if ttl == "-1" { "-".to_owned() } else { ttl },
                    figure("fetched"),
                ]
            })
            .collect();
        let mut text = table([&heading].into_iter().chain(&lines));
        let is_complete = told(&report, "complete") != "no";
        if !is_complete {
            text.push_str("there may be others as large: not all were looked at\n");
        }
        Ok(Shown {
            text,
            json: json!({ "complete": is_complete, "keys": objects(&keys) }),
        })
    })
}

/// The arguments of `clients`, with its commands.
pub(super) fn clients_command() -> Command {
    Command::new("clients")
        .about("Show who is connected, or close connections")
        .arg(limit_argument())
        .subcommand(
            Command::new("list")
                .about("Print who is connected, which is done without a command too")
                .arg(limit_argument())
                .after_help("Example:\n  larder clients list"),
        )
        .subcommand(
            Command::new("kill")
                .about("Close a connection, or all of an address")
                .arg(
                    Arg::new("client")
                        .value_name("ID|ADDRESS")
                        .help("A number of the list, or an address with its port or without")
                        .required(true),
                )
                .after_help("Example:\n  larder clients kill 127.0.0.1"),
        )
        .after_help(
            "Of memcached it shows what `stats conns` tells, and can close nothing.\n\nExamples:\n  \
             larder clients\n  larder clients --limit 10 --json",
        )
}

fn limit_argument() -> Arg {
    Arg::new("limit")
        .long("limit")
        .value_name("COUNT")
        .help("Show so many, and how many there are")
        .value_parser(value_parser!(u64).range(1..))
}

/// What a daemon tells of the first clients, and how many there are. What is told of the others is
/// not kept.
fn first_clients(connection: &mut Connection, limit: u64) -> Result<(Report, u64), Error> {
    let mut first = Report::new();
    let (mut count, mut last) = (0, String::new());
    let mut see = |name: String, value| {
        let number = name.split(':').next().unwrap_or_default();
        if number != last {
            number.clone_into(&mut last);
            count += 1;
        }
        if count <= limit {
            first.push((name, value));
        }
    };
    match connection.stats_each(&[b"clients"], &mut see) {
        Err(Error::Lacks(_)) => connection.stats_each(&[b"conns"], &mut see)?,
        other => other?,
    }
    Ok((first, count))
}

/// Shows who is connected, or closes connections.
pub(super) fn clients(session: &Session, arguments: &ArgMatches) -> Result<(), Error> {
    let arguments = match arguments.subcommand() {
        Some(("kill", arguments)) => return kill(session, arguments),
        Some((_, arguments)) => arguments,
        None => arguments,
    };
    let limit = arguments.get_one("limit").copied().unwrap_or(u64::MAX);
    session.each(|_, connection| {
        let (report, count) = first_clients(connection, limit)?;
        let clients = rows(&report, "");
        let heading = [
            "ID", "ADDRESS", "USER", "TLS", "PROTOCOL", "STATE", "LAST", "AGE S", "IDLE S",
            "REQUESTS", "READ", "WRITTEN",
        ]
        .map(str::to_owned);
        let lines: Vec<[String; 12]> = clients
            .iter()
            .map(|row| {
                let figure = |name| figure(row, name).to_owned();
                let idle = match figure("idle_s") {
                    none if none == "-" => figure("secs_since_last_cmd"),
                    idle => idle,
                };
                [
                    row.0.to_owned(),
                    figure("addr"),
                    figure("user"),
                    figure("tls"),
                    figure("protocol"),
                    figure("state"),
                    figure("last_command"),
                    figure("age_s"),
                    idle,
                    figure("requests"),
                    figure("bytes_read"),
                    figure("bytes_written"),
                ]
            })
            .collect();
        let mut text = table([&heading].into_iter().chain(&lines));
        if count > limit {
            text.push_str(&format!("{limit} of {count}\n"));
        }
        Ok(Shown {
            text,
            json: numbered(&clients, "id"),
        })
    })
}

fn kill(session: &Session, arguments: &ArgMatches) -> Result<(), Error> {
    let client = arguments.get_one::<String>("client");
    let client = client.map_or(&b""[..], |client| client.as_bytes());
    if !is_key(client) {
        let words = "a number of the list, or an address, is needed";
        return Err(Error::Usage(words.to_owned()));
    }
    let mut connection = session.connect()?;
    connection.command(&[b"client", b"kill", client])?;
    let line = connection.line()?;
    match Reply::parse(&line) {
        Reply::Done => session.done(&json!({ "killed": true })),
        Reply::Refused(b"ERROR") => Err(Error::Lacks(
            "it closes no connections for others; larderd does".to_owned(),
        )),
        _ => Err(other(&line)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_a_report_are_gathered_by_number() {
        let report: Report = [
            ("samples", "7"),
            ("key:1:key", "a%20b"),
            ("key:1:share_percent", "9.5"),
            ("key:2:key", "c"),
            ("prefix:1:prefix", "user"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .to_vec();
        let keys = rows(&report, "key");
        assert_eq!(keys.len(), 2);
        assert_eq!(figure(&keys[0], "share_percent"), "9.5");
        assert_eq!(figure(&keys[1], "share_percent"), "-");
        assert_eq!(
            object(&keys[0]),
            json!({ "key": "a b", "share_percent": 9.5 })
        );
        assert_eq!(key(&keys[0], "key"), "base64:YSBi");
        assert_eq!(rows(&report, "prefix").len(), 1);
        assert_eq!(told(&report, "samples"), "7");
    }
}
