//! The longest that a server keeps one client waiting while others do what is hard for it:
//! `make probe`, as a table for `docs/performance.md`.
//!
//! One connection asks for a key a thousand times a second, at moments that the server has no part
//! in, and waits from then. Meanwhile the index grows, memory is full, pages move, everything is
//! flushed, dumped, or clients come, stop reading, and send large values. Each scene has a fresh
//! server; the two servers take turns.
//!
//! A stall of the machine is seen as one of the server: the first scene, in which nothing else
//! happens, shows how long those are.

use std::env;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::thread;
use std::time::Duration;

use hdrhistogram::Histogram;
use larder::client::load::{self, Arrivals, Limit, Spec};
use rustix::thread::gettid;

#[path = "../load/mod.rs"]
#[expect(dead_code, reason = "other benches use the rest")]
mod load_tools;
mod scenes;

use load_tools::report::{self, unknown, value};
use load_tools::server::Server;
use load_tools::{is_quick, program};
use scenes::{SCENES, Scene};

const HELP: &str = "\
usage: make probe [PEER=FILE] [ARGS='OPTION...']
  --quick         one short round: shows that it works, not what it shows
  --rounds N      rounds of each scene (default 3)
  --seconds S     length of a scene (default 5)
  --only WORDS    only scenes whose name contains WORDS
  --fifo          servers and probe run before everything else (SCHED_FIFO, by chrt), the others
                  in the time they leave, so that no wait is the scheduler's; needs root and
                  sysctl kernel.sched_rt_runtime_us=-1
environment:
  PEER            the memcached to compare with (default memcached, from PATH)
  LARDERD         the larderd to compare (default the one built beside this)";

/// Requests that the probe sends in a second.
const PROBE_RATE: f64 = 1000.0;

/// A wait longer than this is counted as a stall, in nanoseconds.
const STALL_NS: u64 = 1_000_000;

struct Options {
    quick: bool,
    fifo: bool,
    rounds: usize,
    seconds: f64,
    only: String,
    peer: PathBuf,
    larderd: PathBuf,
}

fn main() -> ExitCode {
    report::main("probe", HELP, run)
}

fn run(arguments: &[String]) -> io::Result<()> {
    let options = Options::parse(arguments)?;
    let mut out = io::stdout();
    report::introduce("probe", arguments, Some(&options.peer), options.quick)?;
    writeln!(
        out,
        "\nOne get each ms, counted from when it was due, while others do as the row says; {} \
         rounds of {} s, all rounds together; us.\n",
        options.rounds, options.seconds
    )?;
    writeln!(
        out,
        "| meanwhile | memcached p99 | p99.9 | worst | above 1 ms | larderd p99 | p99.9 | worst \
         | above 1 ms |"
    )?;
    writeln!(out, "|---|---|---|---|---|---|---|---|---|")?;
    for scene in SCENES {
        if !scene.name.contains(&options.only) {
            continue;
        }
        let mut waits: Option<[Histogram<u64>; 2]> = None;
        for _ in 0..options.rounds {
            let peer = probe_again(&options.peer, scene, &options)?;
            let larderd = probe_again(&options.larderd, scene, &options)?;
            waits = Some(match waits {
                None => [peer, larderd],
                Some([mut all_peer, mut all_larderd]) => {
                    all_peer.add(&peer).map_err(io::Error::other)?;
                    all_larderd.add(&larderd).map_err(io::Error::other)?;
                    [all_peer, all_larderd]
                }
            });
        }
        let cells: String = waits.iter().flatten().map(show).collect();
        writeln!(out, "| {} {cells}|", scene.name)?;
        out.flush()?;
    }
    Ok(())
}

impl Options {
    fn parse(arguments: &[String]) -> io::Result<Self> {
        let quick = is_quick(arguments);
        let mut options = Self {
            quick,
            fifo: false,
            rounds: if quick { 1 } else { 3 },
            seconds: if quick { 0.5 } else { 5.0 },
            only: String::new(),
            peer: program("PEER", "memcached"),
            larderd: program("LARDERD", env!("CARGO_BIN_EXE_larderd")),
        };
        let mut words = arguments.iter();
        while let Some(word) = words.next() {
            match word.as_str() {
                "--bench" | "--quick" => {}
                "--fifo" => options.fifo = true,
                "--rounds" => options.rounds = value(&mut words)?,
                "--seconds" => options.seconds = value(&mut words)?,
                "--only" => options.only = value(&mut words)?,
                _ => return Err(unknown(word, HELP)),
            }
        }
        Ok(options)
    }
}

/// As [`probe`], and once more when that fails, which is reported: memcached 1.6.45 leaves a
/// dump without its end now and then.
fn probe_again(program: &Path, scene: &Scene, options: &Options) -> io::Result<Histogram<u64>> {
    probe(program, scene, options).or_else(|error| {
        eprintln!("{}: {}: {error}; once more", scene.name, program.display());
        probe(program, scene, options)
    })
}

/// Plays a scene with a fresh server; returns how long each get of the probe took, in ns.
fn probe(program: &Path, scene: &Scene, options: &Options) -> io::Result<Histogram<u64>> {
    let mut flags = vec!["-t", "2"];
    flags.extend_from_slice(scene.flags);
    let server = Server::start_at("127.0.0.1", program, &flags)?;
    if options.fifo {
        run_first(&["--all-tasks", "--pid", "5", &server.pid().to_string()])?;
    }
    let scale = if options.quick { 20 } else { 1 };
    (scene.prepare)(&server, scale)?;
    let length = Duration::from_secs_f64(options.seconds);
    let mut spec = server.load();
    // A key of its own, of a size that no other has: when memory is full it may be evicted, and
    // a miss is as good an answer as a hit.
    spec.keys.key_size = 30;
    load::fill(&spec, 0..1).map_err(io::Error::other)?;
    let spec = Spec {
        connections: 1,
        arrivals: Arrivals::Open {
            rate: PROBE_RATE,
            poisson: false,
        },
        limit: Limit::Time {
            warm_up: Duration::from_millis(200),
            counted: length,
        },
        ..spec
    };
    thread::scope(|scope| {
        let probe = scope.spawn(|| {
            if options.fifo {
                // Only this thread: the others are those that disturb.
                run_first(&["--pid", "6", &gettid().as_raw_nonzero().to_string()])?;
            }
            load::run(&spec).map_err(io::Error::other)
        });
        // The probe has been at work for a moment, and stays until the others are done or longer.
        thread::sleep(Duration::from_millis(250));
        (scene.disturb)(&server, length.mul_f64(0.8), scale)?;
        let outcome = probe
            .join()
            .map_err(|_| io::Error::other("the probe panicked"))??;
        if outcome.counts.gets == 0 {
            return Err(io::Error::other("the probe was never answered"));
        }
        Ok(outcome.gets)
    })
}

/// Has a process or thread run before those of others, by these words for chrt.
fn run_first(words: &[&str]) -> io::Result<()> {
    let status = Command::new("chrt").arg("--fifo").args(words).status()?;
    if status.success() {
        return Ok(());
    }
    Err(io::Error::other(format!("chrt: {status}")))
}

/// The cells of one server.
fn show(waits: &Histogram<u64>) -> String {
    let us = |ns: u64| ns / 1000;
    format!(
        "| {} | {} | {} | {} of {} ",
        us(waits.value_at_percentile(99.0)),
        us(waits.value_at_percentile(99.9)),
        us(waits.max()),
        waits.count_between(STALL_NS, u64::MAX),
        waits.len()
    )
}
