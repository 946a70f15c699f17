//! memcached and larderd side by side: processor time for each request, latencies at a steady rate,
//! items held in equal memory and what an idle connection takes, as tables for `docs/performance.md`. `make compare` runs it, `--help` lists the options.
//!
//! Both servers run at once and are loaded in turns, A B B A, so that a slow minute of the machine
//! hits both; a pair of neighbouring runs gives one ratio, and the table shows the median of the
//! ratios with its confidence interval.

use std::io::{self, Read};
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

use load::{floor, report};
use options::{HELP, Options};

fn main() -> ExitCode {
    report::main("compare", HELP, compare)
}

fn compare(arguments: &[String]) -> io::Result<()> {
    if let [first, request_size] = arguments
        && first == cpu::SERVE_FLOOR
    {
        let mut reply = Vec::new();
        io::stdin().read_to_end(&mut reply)?;
        return floor::serve(request_size.parse().map_err(io::Error::other)?, &reply);
    }
    let options = Options::parse(arguments)?;
    report::introduce("compare", arguments, Some(&options.peer), options.quick)?;
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
