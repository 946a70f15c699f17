//! Instructions that a request costs, counted by valgrind's callgrind and compared with what they
//! were: `make check-instructions`.
//!
//! Time depends on the neighbours, instructions do not: the same binary counts the same each time.
//! Whole conversations run in process against a session, as in `session.rs`, with a fixed hash
//! seed. Each row is performed 2 times and then 6 times; the difference over 4 times is what the
//! row costs, so that whatever comes once cancels out.
//!
//! The figures are kept in `instructions.txt`. Other compilers, other versions of libraries and
//! processors for which a C library picks other routines count differently by a little; when a
//! figure changes for such a reason, `UPDATE_GENERATED=1` writes the file anew.

use std::env;
use std::fmt::Write as _;
use std::fs;
use std::hint::black_box;
use std::io::{self, Write};
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};

mod talk;

use talk::{ROWS, Script, Talk, keys};

/// Where the figures are kept.
const FIGURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/instructions.txt");

/// A figure may be greater than the one kept by this share before that is a failure.
const TOLERANCE: f64 = 0.01;

/// Items in the store, and keys asked for each time a row is performed.
const ITEM_COUNT: u64 = 10_000;
const KEY_COUNT: usize = 1600;

/// How often a row is performed before and after the mark between.
const REPEATS: [usize; 2] = [2, 6];

/// Dumps of callgrind for a row: what was before it, the first repeats, the second.
const DUMPS_PER_ROW: usize = 3;

fn main() -> io::Result<ExitCode> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    if arguments.iter().any(|argument| argument == "--perform") {
        return perform().map(|()| ExitCode::SUCCESS);
    }
    // `cargo bench` passes `--bench`; a test run must be short.
    if !arguments.iter().any(|argument| argument == "--bench") {
        return Ok(ExitCode::SUCCESS);
    }
    let counted = count()?;
    let verdict = compare(&counted)?;
    if env::var_os("UPDATE_GENERATED").is_some() {
        fs::write(FIGURES, render(&counted))?;
        return Ok(ExitCode::SUCCESS);
    }
    Ok(verdict)
}

/// Callgrind is told to write a dump when this is called.
#[inline(never)]
fn mark() {
    black_box(());
}

/// What runs under callgrind.
fn perform() -> io::Result<()> {
    let keys = keys(ITEM_COUNT);
    let mut talk = Talk::begin(&keys)?;
    for row in ROWS {
        let script = Script::write(row, &keys, KEY_COUNT);
        // Also brings all buffers to their sizes.
        script.rehearse(&mut talk);
        for count in REPEATS {
            mark();
            for _ in 0..count {
                script.perform(&mut talk);
            }
        }
        mark();
    }
    talk.end();
    Ok(())
}

/// Runs this program under callgrind, and returns instructions for each key, row by row.
fn count() -> io::Result<Vec<f64>> {
    let folder = tempfile::tempdir()?;
    let base = folder.path().join("dump");
    let status = Command::new("valgrind")
        .args(["--tool=callgrind", "--dump-before=instructions::mark", "-q"])
        .arg(format!("--callgrind-out-file={}", base.display()))
        .arg(env::current_exe()?)
        .arg("--perform")
        // What the environment holds lies on the stack and moves it.
        .env_clear()
        .stdout(Stdio::null())
        .status()
        .map_err(|error| io::Error::other(format!("valgrind: {error}")))?;
    if !status.success() {
        return Err(io::Error::other(format!("valgrind: {status}")));
    }
    let mut counted = Vec::new();
    for (index, row) in ROWS.iter().enumerate() {
        let total = |part: usize| dump_total(&base, index * DUMPS_PER_ROW + part + 1);
        let (few, many) = (total(1)?, total(2)?);
        let keys = Script::write(row, &keys(ITEM_COUNT), KEY_COUNT).key_count;
        let repeats = REPEATS[1] - REPEATS[0];
        counted.push(many.saturating_sub(few) as f64 / (keys * repeats) as f64);
    }
    Ok(counted)
}

/// The instructions in one of callgrind's dumps.
fn dump_total(base: &Path, number: usize) -> io::Result<u64> {
    let path = format!("{}.{number}", base.display());
    let dump = fs::read_to_string(&path)?;
    let total = dump.lines().find_map(|line| line.strip_prefix("summary: "));
    let total = total.and_then(|total| total.trim().parse().ok());
    total.ok_or_else(|| io::Error::other(format!("{path} has no summary")))
}

fn render(counted: &[f64]) -> String {
    let mut out = String::from(
        "# Instructions for each key, counted by `make check-instructions`, which fails when one\n\
         # is more than 1 % above. UPDATE_GENERATED=1 writes them anew.\n",
    );
    for (row, count) in ROWS.iter().zip(counted) {
        let _ = writeln!(out, "{count:8.1}  {}", row.name);
    }
    out
}

/// The figure that is kept for a row.
fn kept(figures: &str, name: &str) -> Option<f64> {
    figures.lines().find_map(|line| {
        let (figure, row) = line.trim_start().split_once("  ")?;
        (row == name).then(|| figure.parse().ok())?
    })
}

fn compare(counted: &[f64]) -> io::Result<ExitCode> {
    let figures = fs::read_to_string(FIGURES).unwrap_or_default();
    let mut out = io::stdout();
    let (mut worse, mut better) = (0, 0);
    writeln!(out, "| instructions for each key | kept | now | change |")?;
    writeln!(out, "|---|---|---|---|")?;
    for (row, &now) in ROWS.iter().zip(counted) {
        let name = row.name;
        let Some(before) = kept(&figures, name) else {
            worse += 1;
            writeln!(out, "| {name} | - | {now:.1} | not kept yet |")?;
            continue;
        };
        let change = now / before - 1.0;
        let verdict = if change > TOLERANCE {
            worse += 1;
            " worse"
        } else if change < -TOLERANCE {
            better += 1;
            " better"
        } else {
            ""
        };
        let percent = change * 100.0;
        writeln!(
            out,
            "| {name} | {before:.1} | {now:.1} | {percent:+.2} %{verdict} |"
        )?;
    }
    let update = "UPDATE_GENERATED=1 make check-instructions keeps the new figures";
    if worse > 0 {
        writeln!(
            out,
            "\n{worse} figures are worse. If that is meant, {update}."
        )?;
        return Ok(ExitCode::FAILURE);
    }
    if better > 0 {
        writeln!(out, "\n{better} figures are better: {update}.")?;
    }
    Ok(ExitCode::SUCCESS)
}
