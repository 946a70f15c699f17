//! `larder stats` and `version`: what a daemon tells of itself.

use clap::{Arg, ArgMatches, Command};
use serde_json::{Map, Value, json};

use super::{Error, Session, Shown};
use crate::protocol::client::is_key;

/// The arguments of `stats`.
pub(super) fn stats_command() -> Command {
    Command::new("stats")
        .about("Print counters, all or one group of them")
        .arg(
            Arg::new("group")
                .value_name("GROUP")
                .help("Such as settings, items, slabs, sizes, conns, larder")
                .num_args(0..),
        )
        .after_help("Examples:\n  larder stats\n  larder stats settings --json")
}

/// Prints a report, a line for each counter.
pub(super) fn stats(session: &Session, arguments: &ArgMatches) -> Result<(), Error> {
    let group: Vec<&[u8]> = arguments
        .get_many::<String>("group")
        .unwrap_or_default()
        .map(String::as_bytes)
        .collect();
    if !group.iter().all(|word| is_key(word)) {
        return Err(Error::Usage("a group is a word without blanks".to_owned()));
    }
    session.each(|_, connection| {
        let report = connection.stats(&group)?;
        let width = report.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
        let mut text = String::new();
        for (name, value) in &report {
            text.push_str(format!("{name:width$}  {value}").trim_end());
            text.push('\n');
        }
        let object = report
            .into_iter()
            .map(|(name, value)| (name, number_or_text(value)));
        let json = Value::Object(object.collect::<Map<_, _>>());
        Ok(Shown { text, json })
    })
}

/// A whole number as such, so that programs can reckon with it; all else, versions and fractions
/// among it, as the daemon wrote it.
pub(super) fn number_or_text(value: String) -> Value {
    match value.parse::<u64>() {
        Ok(number) => json!(number),
        Err(_) => json!(value),
    }
}

/// The arguments of `version`.
pub(super) fn version_command() -> Command {
    Command::new("version")
        .about("Print the version that the daemon claims")
        .after_help("Example:\n  larder version")
}

/// Prints the version.
pub(super) fn version(session: &Session, _arguments: &ArgMatches) -> Result<(), Error> {
    session.each(|_, connection| {
        let version = connection.version()?;
        Ok(Shown {
            text: format!("{version}\n"),
            json: json!({ "version": version }),
        })
    })
}
