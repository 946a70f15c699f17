//! What the command line asks of a comparison.

use std::io;
use std::path::PathBuf;

use crate::load::report::{unknown, value};
use crate::load::{is_quick, program};

/// What `--help` says.
pub(crate) const HELP: &str = "\
usage: make compare [PEER=FILE] [ARGS='OPTION...']
  --quick         few short runs: shows that it works, not what it costs
  --pairs N       pairs of runs in each row (default 7)
  --seconds S     length of a run (default 3)
  --keys N        keys in the store (default 1000000)
  --memory N      -m of the full servers, in MiB (default 256)
  --only WORDS    only rows whose name contains WORDS
  --no-cpu        leave out processor time
  --no-tails      leave out the latencies at a steady rate
  --no-density    leave out the items held in equal memory, and idle connections
environment:
  PEER            the memcached to compare with (default memcached, from PATH)
  LARDERD         the larderd to compare (default the one built beside this)";

/// What is to be compared.
pub(crate) struct Options {
    pub(crate) quick: bool,
    pub(crate) pairs: usize,
    pub(crate) seconds: f64,
    pub(crate) keys: u64,
    pub(crate) memory_mib: u32,
    pub(crate) only: String,
    pub(crate) cpu: bool,
    pub(crate) tails: bool,
    pub(crate) density: bool,
    pub(crate) peer: PathBuf,
    pub(crate) larderd: PathBuf,
}

impl Options {
    /// Reads the command line without the program's name, and the environment.
    pub(crate) fn parse(arguments: &[String]) -> io::Result<Self> {
        let quick = is_quick(arguments);
        let mut options = Self {
            quick,
            pairs: if quick { 1 } else { 7 },
            seconds: if quick { 0.3 } else { 3.0 },
            keys: if quick { 50_000 } else { 1_000_000 },
            memory_mib: if quick { 64 } else { 256 },
            only: String::new(),
            cpu: true,
            tails: true,
            density: true,
            peer: program("PEER", "memcached"),
            larderd: program("LARDERD", env!("CARGO_BIN_EXE_larderd")),
        };
        let mut words = arguments.iter();
        while let Some(word) = words.next() {
            match word.as_str() {
                "--bench" | "--quick" => {}
                "--pairs" => options.pairs = value(&mut words)?,
                "--seconds" => options.seconds = value(&mut words)?,
                "--keys" => options.keys = value(&mut words)?,
                "--memory" => options.memory_mib = value(&mut words)?,
                "--only" => options.only = value(&mut words)?,
                "--no-cpu" => options.cpu = false,
                "--no-tails" => options.tails = false,
                "--no-density" => options.density = false,
                _ => return Err(unknown(word, HELP)),
            }
        }
        Ok(options)
    }
}
