//! Hits in equal memory, and memory for equal hits: `make hit-share`, as tables for
//! `docs/performance.md`.
//!
//! Each run is a fresh server that is used as a cache usually is: a client asks for a key, and
//! stores its value when it is not there. Every run asks for the same keys in the same order, and
//! a server's time is told to it: a second passes after so many requests, however fast they go.
//! So a row depends on neither the machine nor its neighbours, but for what servers do by
//! themselves in between, which real time bounds.
//!
//! With `--simulate` larderd's store is asked in process, once for each set of flags.

use std::collections::BTreeMap;
use std::env;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use larder::client::load::keys::Sizes;

mod caches;
#[path = "../load/mod.rs"]
#[expect(dead_code, reason = "other benches use the rest")]
mod load_tools;
mod workload;

use caches::{Daemon, InProcess};
use load_tools::report::{self, unknown, value};
use load_tools::{is_quick, program};
use workload::{Load, Outcome};

const HELP: &str = "\
usage: make hit-share PEER=FILE [ARGS='OPTION...']
  --quick         one short row: shows that it works, not what it shows
  --requests N    requests of a run, the first half of which is not counted (default 4000000)
  --rate N        requests in a second of the servers' time (default 5000)
  --memory N      -m of the peer, in MiB (default 64)
  --only WORDS    only rows whose name contains WORDS
  --simulate      ask larderd's store in process instead, at --memory
  --flags WORDS   flags for larderd; with --simulate given once for each column
environment:
  PEER            the memcached to compare with, one built for debugging: its clock is moved
  LARDERD         the larderd to compare (default the one built beside this)";

/// Runs of larderd in a row: one at the peer's limit, the others where the peer's hit share is
/// expected.
const RUN_COUNT: usize = 4;

/// Requests after which each key has given way to another, in the rows where they do.
const RENEWAL: u64 = 1_000_000;

struct Options {
    requests: u64,
    rate: u64,
    memory_mib: u32,
    only: String,
    simulate: bool,
    flags: Vec<String>,
    quick: bool,
    peer: PathBuf,
    larderd: PathBuf,
}

fn main() -> ExitCode {
    report::main("hit-share", HELP, run)
}

fn run(arguments: &[String]) -> io::Result<()> {
    let options = Options::parse(arguments)?;
    let peer = Some(options.peer.as_path()).filter(|_| !options.simulate);
    report::introduce("hit-share", arguments, peer, options.quick)?;
    if options.simulate {
        options.simulate()
    } else {
        options.compare()
    }
}

impl Options {
    fn parse(arguments: &[String]) -> io::Result<Self> {
        let quick = is_quick(arguments);
        let mut options = Self {
            requests: if quick { 50_000 } else { 4_000_000 },
            rate: 5000,
            memory_mib: if quick { 4 } else { 64 },
            only: String::new(),
            // A memcached that lets its clock be moved is nothing that every machine has.
            simulate: quick,
            flags: Vec::new(),
            quick,
            peer: program("PEER", "memcached"),
            larderd: program("LARDERD", env!("CARGO_BIN_EXE_larderd")),
        };
        let mut words = arguments.iter();
        while let Some(word) = words.next() {
            match word.as_str() {
                "--bench" | "--quick" => {}
                "--simulate" => options.simulate = true,
                "--requests" => options.requests = value(&mut words)?,
                "--rate" => options.rate = value(&mut words)?,
                "--memory" => options.memory_mib = value(&mut words)?,
                "--only" => options.only = value(&mut words)?,
                "--flags" => options.flags.push(value(&mut words)?),
                _ => return Err(unknown(word, HELP)),
            }
        }
        if options.flags.is_empty() {
            options.flags.push(String::new());
        }
        Ok(options)
    }

    /// The rows: every popularity with every share of keys that come once, with TTLs and without;
    /// with sizes that are all the same where that alone may make a difference.
    fn loads(&self) -> Vec<Load> {
        let mut loads = Vec::new();
        for (sizes, expires, renewal) in [
            (Sizes::Twitter, false, None),
            (Sizes::Twitter, true, None),
            (Sizes::Fixed(100), false, None),
            (Sizes::Twitter, false, Some(RENEWAL)),
        ] {
            for exponent in [0.9, 1.1] {
                for once_share in [0.0, 0.2] {
                    loads.push(Load {
                        exponent,
                        once_share,
                        sizes,
                        expires,
                        renewal,
                        rate: self.rate,
                    });
                }
            }
        }
        loads.retain(|load| load.name().contains(&self.only));
        if self.quick {
            loads.truncate(1);
        }
        loads
    }

    fn simulate(&self) -> io::Result<()> {
        let mut out = io::stdout();
        write!(out, "\n| asked for |")?;
        for flags in &self.flags {
            write!(out, " {flags} |")?;
        }
        writeln!(out, "\n|---|{}", "---|".repeat(self.flags.len()))?;
        for load in self.loads() {
            write!(out, "| {} |", load.name())?;
            for flags in &self.flags {
                let memory = self.memory_mib.to_string();
                let all: Vec<&str> = ["-m", &memory]
                    .into_iter()
                    .chain(flags.split_whitespace())
                    .collect();
                let outcome = load.run(&mut InProcess::new(&all)?, self.requests)?;
                let (hits, bytes) = (outcome.hit_share * 100.0, outcome.byte_share * 100.0);
                write!(out, " {hits:.2} ({bytes:.2}) |")?;
                out.flush()?;
            }
            writeln!(out)?;
        }
        Ok(())
    }

    fn compare(&self) -> io::Result<()> {
        let mut out = io::stdout();
        writeln!(
            out,
            "\n{} requests in each run, {} in a second; memcached at `-m {}`, both with one \
             worker.\n",
            self.requests, self.rate, self.memory_mib
        )?;
        writeln!(
            out,
            "| asked for | memcached hits (of bytes) | RSS MiB | larderd hits in that RSS (of bytes) \
             | misses | RSS MiB for memcached's hits | RSS |"
        )?;
        writeln!(out, "|---|---|---|---|---|---|---|")?;
        for load in self.loads() {
            let peer = self.run(&self.peer, self.memory_mib, "", &load)?;
            let (curve, byte_curve) = self.curves(&load, peer)?;
            let hits = curve.share_at(peer.memory as f64);
            let bytes = byte_curve.share_at(peer.memory as f64);
            let memory = curve.memory_for(peer.hit_share);
            let mib = f64::from(1 << 20);
            writeln!(
                out,
                "| {} | {:.2} % ({:.2} %) | {:.1} | {:.2} % ({:.2} %) | **{:.2}** | {:.1} \
                 | **{:.2}** |",
                load.name(),
                peer.hit_share * 100.0,
                peer.byte_share * 100.0,
                peer.memory as f64 / mib,
                hits * 100.0,
                bytes * 100.0,
                (1.0 - hits) / (1.0 - peer.hit_share),
                memory / mib,
                memory / peer.memory as f64,
            )?;
            out.flush()?;
        }
        Ok(())
    }

    /// larderd's hit share by memory, near the peer's of both, and that of bytes.
    fn curves(&self, load: &Load, peer: Outcome) -> io::Result<(Curve, Curve)> {
        let (mut curve, mut byte_curve) = (Curve(BTreeMap::new()), Curve(BTreeMap::new()));
        let mut limit = f64::from(self.memory_mib);
        let mut tried = Vec::new();
        for _ in 0..RUN_COUNT {
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "some megabytes"
            )]
            let mebibytes = (limit.round() as u32).max(8);
            if tried.contains(&mebibytes) {
                break;
            }
            tried.push(mebibytes);
            let outcome = self.run(&self.larderd, mebibytes, &self.flags[0], load)?;
            let over = outcome.memory as f64 / (1 << 20) as f64 - f64::from(mebibytes);
            curve.0.insert(outcome.memory, outcome.hit_share);
            byte_curve.0.insert(outcome.memory, outcome.byte_share);
            limit = match curve.0.len() {
                1 => limit * 0.7,
                _ => {
                    let wanted = curve.memory_for(peer.hit_share) / f64::from(1 << 20) - over;
                    wanted.clamp(limit * 0.4, limit * 2.5)
                }
            };
        }
        Ok((curve, byte_curve))
    }

    fn run(
        &self,
        program: &Path,
        memory_mib: u32,
        flags: &str,
        load: &Load,
    ) -> io::Result<Outcome> {
        let memory = memory_mib.to_string();
        let all: Vec<&str> = ["-t", "1", "-m", &memory]
            .into_iter()
            .chain(flags.split_whitespace())
            .collect();
        let outcome = load.run(&mut Daemon::start(program, &all)?, self.requests)?;
        eprintln!(
            "{}: {} -m {memory_mib}: {:.2} %, of bytes {:.2} %, in {:.1} MiB",
            program.file_name().unwrap_or_default().display(),
            load.name(),
            outcome.hit_share * 100.0,
            outcome.byte_share * 100.0,
            outcome.memory as f64 / f64::from(1 << 20)
        );
        Ok(outcome)
    }
}

/// A share of hits by resident bytes, drawn straight between measured points over the logarithm of
/// memory, and beyond them.
struct Curve(BTreeMap<u64, f64>);

impl Curve {
    /// Two neighbouring points for which `before` tells the first from the second, or the two at
    /// the end, as logarithms of memory and shares.
    fn around(&self, before: impl Fn(f64, f64) -> bool) -> [(f64, f64); 2] {
        let points: Vec<(f64, f64)> = self
            .0
            .iter()
            .map(|(memory, hits)| ((*memory as f64).ln(), *hits))
            .collect();
        let last = points.len() - 1;
        let index = points.partition_point(|(memory, hits)| before(*memory, *hits));
        let index = index.clamp(1.min(last), last);
        [points[index.saturating_sub(1)], points[index]]
    }

    fn share_at(&self, memory: f64) -> f64 {
        let wanted = memory.ln();
        let [(low, few), (high, many)] = self.around(|memory, _| memory < wanted);
        if high > low {
            few + (many - few) * (wanted - low) / (high - low)
        } else {
            few
        }
    }

    fn memory_for(&self, wanted: f64) -> f64 {
        let [(low, few), (high, many)] = self.around(|_, hits| hits < wanted);
        if many > few {
            (low + (high - low) * (wanted - few) / (many - few)).exp()
        } else {
            low.exp()
        }
    }
}
