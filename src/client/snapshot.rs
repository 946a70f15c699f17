//! `larder snapshot`: has a daemon write all items to its disk, and waits until it has.

use std::fmt::Write;
use std::time::Duration;

use clap::{ArgMatches, Command};
use serde_json::json;

use super::connection::other;
use super::requests::Report;
use super::{Connection, Error, Session, Shown};
use crate::protocol::client::Reply;

/// Pause between two looks at a snapshot that is being written.
const LOOK_PAUSE: Duration = Duration::from_millis(100);

/// The arguments of `snapshot`.
pub(super) fn command() -> Command {
    Command::new("snapshot")
        .about("Have larderd write all items to its snapshot file, and wait until it is done")
        .after_help(
            "The daemon must have been started with --snapshot. memcached has no snapshots.\n\n\
             Examples:\n  larder snapshot\n  larder snapshot --json",
        )
}

/// Has it written, and prints what is in it.
pub(super) fn run(session: &Session, _arguments: &ArgMatches) -> Result<(), Error> {
    session.each(|_, connection| {
        let failures = figure(
            &connection.stats(&[b"larder"]).or_else(lacks)?,
            "snapshot_failures",
        );
        begin(connection)?;
        let report = loop {
            let report = connection.stats(&[b"larder"])?;
            if figure(&report, "snapshot_in_progress") == 0 {
                break report;
            }
            std::thread::sleep(LOOK_PAUSE);
        };
        if figure(&report, "snapshot_failures") != failures {
            let words = "the snapshot could not be written, the daemon's log says why";
            return Err(Error::Refused(words.to_owned()));
        }
        Ok(shown(&report))
    })
}

/// A memcached, which has no such report.
fn lacks(error: Error) -> Result<Report, Error> {
    match error {
        Error::Lacks(_) => Ok(Report::new()),
        other => Err(other),
    }
}

fn begin(connection: &mut Connection) -> Result<(), Error> {
    connection.command(&[b"snapshot"])?;
    let line = connection.line()?;
    if line.starts_with(b"BUSY") {
        let words = "a snapshot is being written already";
        return Err(Error::Refused(words.to_owned()));
    }
    match Reply::parse(&line) {
        Reply::Done => Ok(()),
        Reply::Refused(b"ERROR") => Err(Error::Lacks(
            "it writes no snapshots; larderd does".to_owned(),
        )),
        _ => Err(other(&line)),
    }
}

fn shown(report: &Report) -> Shown {
    let of = |name| figure(report, name);
    let (items, size) = (of("snapshot_last_items"), of("snapshot_last_bytes"));
    let took_ms = of("snapshot_last_ms");
    let mut text = String::new();
    // Writing to a string does not fail.
    let _ = writeln!(
        text,
        "{items} items in {size} bytes, written in {took_ms} ms"
    );
    let json = json!({ "items": items, "bytes": size, "ms": took_ms });
    Shown { text, json }
}

fn figure(report: &Report, wanted: &str) -> u64 {
    let found = report.iter().find(|(name, _)| name == wanted);
    found.and_then(|(_, text)| text.parse().ok()).unwrap_or(0)
}
