//! `larder doctor`: what is wrong with a daemon, or will be, and what to do about it.
//!
//! [`Facts`] is what the daemon tells; `checks.rs` judges it, and knows neither sockets nor
//! clocks. What this host tells of the process is looked up in `host.rs`.

mod checks;
mod host;

use std::fmt::Write;

use clap::{ArgMatches, Command};
use serde_json::{Value, json};

use super::requests::Report;
use super::{Address, Colour, Connection, Error, Session, Shown, cluster};

/// How bad something is.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
enum Severity {
    /// All is well.
    Fine,
    /// Worth knowing.
    Note,
    /// It may go wrong.
    Warning,
    /// It is wrong now.
    Critical,
}

impl Severity {
    const fn name(self) -> &'static str {
        match self {
            Self::Fine => "fine",
            Self::Note => "note",
            Self::Warning => "warning",
            Self::Critical => "critical",
        }
    }

    const fn colour(self) -> Colour {
        match self {
            Self::Fine => Colour::Green,
            Self::Note => Colour::Bold,
            Self::Warning => Colour::Yellow,
            Self::Critical => Colour::Red,
        }
    }
}

/// One thing that was looked at.
#[derive(Clone, Debug)]
struct Finding {
    severity: Severity,
    /// What was looked at: a word for programs.
    subject: &'static str,
    /// What was seen, with its numbers.
    seen: String,
    /// Why that matters; empty when all is well.
    meaning: &'static str,
    /// What to do; empty when there is nothing.
    advice: String,
}

impl Finding {
    fn fine(subject: &'static str, seen: String) -> Self {
        Self {
            severity: Severity::Fine,
            subject,
            seen,
            meaning: "",
            advice: String::new(),
        }
    }

    fn new(
        severity: Severity,
        subject: &'static str,
        seen: String,
        meaning: &'static str,
        advice: impl Into<String>,
    ) -> Self {
        Self {
            severity,
            subject,
            seen,
            meaning,
            advice: advice.into(),
        }
    }
}

/// What a daemon tells of itself. A report that it does not have, or not for this user, is empty.
#[derive(Debug, Default)]
struct Facts {
    general: Report,
    settings: Report,
    items: Report,
    slabs: Report,
    /// Of larderd only.
    larder: Report,
    cluster: Report,
    /// The versions of the list that the other nodes serve, and who does not answer.
    peers: Vec<(String, Option<u32>)>,
    /// What this host says of the process, when it runs here.
    host: Option<host::Process>,
}

impl Facts {
    fn read(session: &Session, node: &Address, connection: &mut Connection) -> Result<Self, Error> {
        let general = connection.stats(&[])?;
        let mut facts = Self {
            settings: connection.stats_if_any(&[b"settings"])?,
            items: connection.stats_if_any(&[b"items"])?,
            slabs: connection.stats_if_any(&[b"slabs"])?,
            larder: connection.stats_if_any(&[b"larder"])?,
            cluster: connection.stats_if_any(&[b"cluster"])?,
            general,
            ..Self::default()
        };
        if facts.count("nodes", &facts.cluster) > 1 {
            facts.peers = peers(session, connection)?;
        }
        if node.is_local() {
            let pid = facts.count("pid", &facts.general);
            facts.host = host::Process::of(pid);
        }
        Ok(facts)
    }

    /// A word of a report.
    fn word<'a>(&self, name: &str, report: &'a Report) -> &'a str {
        let mut entries = report.iter();
        let found = entries.find(|(other, _)| other == name);
        found.map_or("", |(_, value)| value.as_str())
    }

    /// A number of a report; 0 when it is not there.
    fn count(&self, name: &str, report: &Report) -> u64 {
        self.word(name, report).parse().unwrap_or(0)
    }

    /// A number of `stats`.
    fn general(&self, name: &str) -> u64 {
        self.count(name, &self.general)
    }

    /// A word of `stats settings`.
    fn setting(&self, name: &str) -> &str {
        self.word(name, &self.settings)
    }

    /// The numbers of this name of all slab classes, by class: those of names such as
    /// `items:3:evicted` and `3:chunk_size`.
    fn by_class(&self, name: &str, report: &Report) -> Vec<(u32, u64)> {
        let classes = report.iter().filter_map(|(entry, value)| {
            let entry = entry.strip_prefix("items:").unwrap_or(entry);
            let (class, figure) = entry.split_once(':')?;
            (figure == name).then_some(())?;
            Some((class.parse().ok()?, value.parse().ok()?))
        });
        classes.collect()
    }
}

/// Asks the nodes on the list which version of it they serve.
fn peers(
    session: &Session,
    connection: &mut Connection,
) -> Result<Vec<(String, Option<u32>)>, Error> {
    let document = cluster::served(connection)?;
    let versions = document.nodes().iter().map(|node| {
        let address = cluster::address(node);
        let asked = Connection::open(&address, &session.access)
            .and_then(|mut connection| cluster::served(&mut connection));
        (
            address.to_string(),
            asked.ok().map(|document| document.version()),
        )
    });
    Ok(versions.collect())
}

/// The arguments of `doctor`.
pub(super) fn command() -> Command {
    Command::new("doctor")
        .about("Look for what is wrong with a daemon, and say what to do about it")
        .after_help(
            "It reads reports and changes nothing. The exit code is 7 when there is something to \
             warn of and 8 when\nsomething is critical. What only the host knows, such as open \
             files, is looked at when the daemon runs\nhere.\n\nExamples:\n  larder doctor\n  \
             larder doctor --json",
        )
}

/// Examines each daemon.
pub(super) fn run(session: &Session, _arguments: &ArgMatches) -> Result<(), Error> {
    let mut worst = Severity::Fine;
    session.each(|node, connection| {
        let facts = Facts::read(session, node, connection)?;
        let mut findings = checks::all(&facts);
        findings.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
        worst = findings
            .iter()
            .map(|finding| finding.severity)
            .fold(worst, Severity::max);
        Ok(Shown {
            text: text(session, &findings),
            json: json(&findings),
        })
    })?;
    match worst {
        Severity::Fine | Severity::Note => Ok(()),
        Severity::Warning => Err(Error::Unwell { is_critical: false }),
        Severity::Critical => Err(Error::Unwell { is_critical: true }),
    }
}

fn text(session: &Session, findings: &[Finding]) -> String {
    let mut out = String::new();
    for finding in findings {
        let name = format!("{:<9}", finding.severity.name());
        let name = session.paint(finding.severity.colour(), &name);
        let _ = writeln!(out, "{name} {}: {}", finding.subject, finding.seen);
        for (lead, words) in [("", finding.meaning), ("do: ", &finding.advice)] {
            if !words.is_empty() {
                let _ = writeln!(out, "{:<9} {lead}{words}", "");
            }
        }
    }
    out
}

fn json(findings: &[Finding]) -> Value {
    let worst = findings.iter().map(|finding| finding.severity).max();
    let all = findings.iter().map(|finding| {
        json!({
            "severity": finding.severity.name(),
            "subject": finding.subject,
            "seen": finding.seen,
            "meaning": finding.meaning,
            "advice": finding.advice,
        })
    });
    json!({
        "worst": worst.unwrap_or(Severity::Fine).name(),
        "findings": all.collect::<Vec<Value>>(),
    })
}
