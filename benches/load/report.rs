//! How a comparison begins and ends: its help, what stands above its tables, its exit code.

use std::env;
use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;

use super::machine;

/// Runs a comparison with the words of its command line, or prints what `--help` says.
pub(crate) fn main(
    name: &str,
    help: &str,
    compare: impl FnOnce(&[String]) -> io::Result<()>,
) -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let result = if arguments.iter().any(|argument| argument == "--help") {
        writeln!(io::stdout(), "{help}")
    } else {
        compare(&arguments)
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{name}: {error}");
            ExitCode::FAILURE
        }
    }
}

/// An option's value.
pub(crate) fn value<T>(words: &mut std::slice::Iter<'_, String>) -> io::Result<T>
where
    T: std::str::FromStr,
    T::Err: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let word = words.next().map_or("", String::as_str);
    word.parse().map_err(io::Error::other)
}

/// What is said of an option that there is not.
pub(crate) fn unknown(word: &str, help: &str) -> io::Error {
    io::Error::other(format!("unknown option {word}\n{help}"))
}

/// Prints what stands above the tables: when, where, beside whom, and by which command.
pub(crate) fn introduce(
    target: &str,
    arguments: &[String],
    peer: Option<&Path>,
    quick: bool,
) -> io::Result<()> {
    let mut out = io::stdout();
    writeln!(out, "- date: {}", machine::date())?;
    writeln!(out, "- machine: {}", machine::describe())?;
    writeln!(out, "- commit: {}", machine::commit())?;
    if let Some(peer) = peer {
        writeln!(out, "- peer: {}", machine::version(peer))?;
    }
    let words: Vec<String> = arguments
        .iter()
        .filter(|&argument| argument != "--bench")
        .map(|argument| match argument.contains(' ') {
            true => format!("\"{argument}\""),
            false => argument.clone(),
        })
        .collect();
    // Where the peer lies on this machine is of no use to others; its version is above.
    let peer = peer.map_or(String::new(), |peer| {
        format!(" PEER={}", peer.file_name().unwrap_or_default().display())
    });
    let words = match words.as_slice() {
        [] => String::new(),
        words => format!(" ARGS='{}'", words.join(" ")),
    };
    writeln!(out, "- command: `make {target}{peer}{words}`")?;
    if quick {
        writeln!(out, "- a quick run: figures mean little")?;
    }
    Ok(())
}
