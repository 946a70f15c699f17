//! How long requests take at a rate that both servers bear: an open loop at shares of what
//! memcached can do at the most.

use std::io::{self, Write};
use std::time::Duration;

use hdrhistogram::Histogram;
use larder::client::load::keys::KeySpace;
use larder::client::load::{self, Arrivals, Limit, Outcome, Spec, Wait};

use crate::load::server::{CONNECTION_COUNT, Server};
use crate::options::Options;
use crate::statistics::median;

/// Shares of memcached's maximum.
const SHARES: [f64; 3] = [0.3, 0.5, 0.7];

/// Share of requests that store.
const SET_SHARE: f64 = 0.3;

/// Requests that may be in flight on a connection, so that one that is late does not keep the
/// next from being sent when it is due.
const DEPTH: u32 = 16;

/// What is read off a run, in per cent of its requests.
const PERCENTILES: [f64; 4] = [50.0, 99.0, 99.9, 100.0];

/// Prints the table.
pub(crate) fn compare(options: &Options, cores: &[usize]) -> io::Result<()> {
    if !"tails".contains(&options.only) {
        return Ok(());
    }
    let (first, last) = (&cores[..1], &cores[cores.len() - 1..]);
    let flags = ["-m", "1024", "-t", "1"];
    let peer = Server::start(&options.peer, &flags, first)?;
    let larderd = Server::start(&options.larderd, &flags, first)?;
    for server in [&peer, &larderd] {
        let spec = spec(server, options, last);
        load::fill(&spec, 0..spec.keys.count).map_err(io::Error::other)?;
    }
    let maximum = maximum(&peer, options, last)?;
    let mut out = io::stdout();
    writeln!(
        out,
        "\nOpen loop, one worker, {CONNECTION_COUNT} connections, {} keys of 20 bytes with values \
         of 100, {:.0} % sets; requests come at random moments and are timed from when they were \
         due; memcached's maximum, one request in flight on each connection: {maximum:.0} a \
         second. Medians of {} pairs of {} s, us.\n",
        options.keys,
        SET_SHARE * 100.0,
        options.pairs,
        options.seconds,
    )?;
    writeln!(
        out,
        "| share of the maximum | memcached p50 | p99 | p99.9 | worst | larderd p50 | p99 | p99.9 \
         | worst | p99.9, larderd / memcached (95 % confidence) | above memcached's |"
    )?;
    writeln!(out, "|---|---|---|---|---|---|---|---|---|---|---|")?;
    for share in SHARES {
        let mut waits = [Vec::new(), Vec::new()];
        for pair in 0..options.pairs {
            // A B, then B A, so that whoever is second is so as often as first.
            let mut order = [(0, &peer), (1, &larderd)];
            if pair % 2 == 1 {
                order.reverse();
            }
            for (side, server) in order {
                let outcome = open(server, options, last, share * maximum)?;
                waits[side].push(outcome.all());
            }
        }
        print(share, &waits)?;
    }
    Ok(())
}

fn spec(server: &Server, options: &Options, cores: &[usize]) -> Spec {
    let seconds = Duration::from_secs_f64(options.seconds);
    let base = server.load();
    Spec {
        keys: KeySpace {
            count: options.keys,
            ..base.keys
        },
        set_share: SET_SHARE,
        limit: Limit::Time {
            warm_up: seconds / 5,
            counted: seconds,
        },
        wait: Wait::Spin,
        cores: cores.to_vec(),
        ..base
    }
}

/// Requests a second that a server answers when each connection sends the next at once.
fn maximum(server: &Server, options: &Options, cores: &[usize]) -> io::Result<f64> {
    let mut rates = Vec::new();
    for _ in 0..3 {
        let outcome = load::run(&spec(server, options, cores)).map_err(io::Error::other)?;
        rates.push(outcome.rate());
    }
    Ok(median(&rates).value)
}

/// One run at a rate.
fn open(server: &Server, options: &Options, cores: &[usize], rate: f64) -> io::Result<Outcome> {
    let outcome = load::run(&Spec {
        depth: DEPTH,
        arrivals: Arrivals::Open {
            rate,
            poisson: true,
        },
        ..spec(server, options, cores)
    })
    .map_err(io::Error::other)?;
    if outcome.counts.misses > 0 || outcome.counts.errors > 0 {
        return Err(io::Error::other("a key is gone, or a request was refused"));
    }
    eprintln!(
        "{}: {:.0} requests/s of {rate:.0}, sent late p99.9 {} us, worst {} us",
        server.address,
        outcome.rate(),
        outcome.late.value_at_percentile(99.9) / 1000,
        outcome.late.max() / 1000,
    );
    Ok(outcome)
}

fn print(share: f64, waits: &[Vec<Histogram<u64>>; 2]) -> io::Result<()> {
    let us = |wait: &Histogram<u64>, percent| wait.value_at_percentile(percent) as f64 / 1000.0;
    let cells: String = waits
        .iter()
        .flat_map(|waits| PERCENTILES.map(|percent| (waits, percent)))
        .map(|(waits, percent)| {
            let all: Vec<f64> = waits.iter().map(|wait| us(wait, percent)).collect();
            format!(" {:.0} |", median(&all).value)
        })
        .collect();
    let ratios: Vec<f64> = waits[0]
        .iter()
        .zip(&waits[1])
        .map(|(peer, larderd)| us(larderd, 99.9) / us(peer, 99.9))
        .collect();
    let ratio = median(&ratios);
    let above = ratios.iter().filter(|ratio| **ratio > 1.0).count();
    let mut out = io::stdout();
    writeln!(
        out,
        "| {:.0} % |{cells} **{:.2}** ({:.2} to {:.2}) | {above} of {} |",
        share * 100.0,
        ratio.value,
        ratio.low,
        ratio.high,
        ratios.len(),
    )?;
    out.flush()
}
