//! memcached and larderd side by side: processor time for each request, latencies at a steady rate,
//! items held in equal memory and what an idle connection takes, as tables for `docs/performance.md`. `make compare` runs it, `--help` lists the options.
//!
//! Both servers run at once and are loaded in turns, A B B A, so that a slow minute of the machine
//! hits both; a pair of neighbouring runs gives one ratio, and the table shows the median of the
//! ratios with its confidence interval.

use std::env;
use std::io::{self, Read, Write};
use std::process::ExitCode;

mod cpu;
mod density;
mod idle;
#[path = "../load/mod.rs"]
#[expect(dead_code, reason = "other benches use the rest")]
mod load;
mod options;
mod statistics;
mod tails;

use load::floor;
use options::{HELP, Options};

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("compare: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> io::Result<()> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    if let [first, request_size] = arguments.as_slice()
        && first == cpu::SERVE_FLOOR
    {
        let mut reply = Vec::new();
        io::stdin().read_to_end(&mut reply)?;
        return floor::serve(request_size.parse().map_err(io::Error::other)?, &reply);
    }
    if arguments.iter().any(|argument| argument == "--help") {
        return writeln!(io::stdout(), "{HELP}");
    }
    let options = Options::parse(&arguments)?;
    options.introduce(&arguments)?;
    let cores = load::cores::allowed()?;
    if options.cpu {
        cpu::compare(&options, &cores)?;
    }
    if options.tails {
        tails::compare(&options, &cores)?;
    }
    if options.density {
        density::compare(&options, &cores)?;
        idle::compare(&options, &cores)?;
    }
    Ok(())
}
