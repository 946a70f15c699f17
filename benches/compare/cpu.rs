//! Processor time for each request, row by row, of memcached, larderd and the floor.

use std::env;
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::process::Command;
use std::time::Duration;

use larder::client::load::keys::{KeySpace, Sizes};
use larder::client::load::{self, Limit, Outcome, Spec, Wait};
use larder::protocol::client::{Answer, Dialect};

use crate::load::machine;
use crate::load::server::{CONNECTION_COUNT, Server};
use crate::options::Options;
use crate::statistics::median;

/// Makes this program the floor instead.
pub(crate) const SERVE_FLOOR: &str = "--serve-floor";

/// A run is disturbed when others used more than this of a core meanwhile, or when more than
/// this share of the time was stolen by other machines on the host. A pair with such a run is
/// taken again, at most as often as there are pairs; what is disturbed even so is counted.
const OTHERS_CORE_MAX: f64 = 0.10;
const STOLEN_SHARE_MAX: f64 = 0.01;

/// What a request does.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Kind {
    Get,
    Set,
    Multiget(u32),
}

/// A row of the table.
struct Row {
    name: &'static str,
    dialect: Dialect,
    kind: Kind,
    depth: u32,
    /// Worker threads of the server.
    workers: usize,
    value_size: u32,
}

const ROWS: &[Row] = &[
    row("get, depth 1", Dialect::Text, Kind::Get, 1, 1),
    row("get, depth 16", Dialect::Text, Kind::Get, 16, 1),
    row("meta get, depth 16", Dialect::Meta, Kind::Get, 16, 1),
    row("binary get, depth 16", Dialect::Binary, Kind::Get, 16, 1),
    row("multiget of 50", Dialect::Text, Kind::Multiget(50), 1, 1),
    row("set, depth 1", Dialect::Text, Kind::Set, 1, 1),
    row("set, depth 16", Dialect::Text, Kind::Set, 16, 1),
    Row {
        value_size: 20 << 10,
        ..row(
            "get of 20 KB values, depth 1",
            Dialect::Text,
            Kind::Get,
            1,
            1,
        )
    },
    row("get, depth 16, 2 workers", Dialect::Text, Kind::Get, 16, 2),
    row("set, depth 16, 2 workers", Dialect::Text, Kind::Set, 16, 2),
];

const fn row(name: &'static str, dialect: Dialect, kind: Kind, depth: u32, workers: usize) -> Row {
    Row {
        name,
        dialect,
        kind,
        depth,
        workers,
        value_size: 100,
    }
}

/// Where the servers and the load run.
struct Places<'a> {
    server: &'a [usize],
    load: &'a [usize],
    wait: Wait,
}

/// Prints the tables.
pub(crate) fn compare(options: &Options, cores: &[usize]) -> io::Result<()> {
    for workers in [1, 2] {
        let rows: Vec<&Row> = ROWS
            .iter()
            .filter(|row| row.workers == workers && row.name.contains(&options.only))
            .collect();
        if rows.is_empty() {
            continue;
        }
        // One worker has a core to itself; several share all cores with the load, which sleeps.
        let places = if workers == 1 && cores.len() > 1 {
            Places {
                server: &cores[..1],
                load: &cores[cores.len() - 1..],
                wait: Wait::Spin,
            }
        } else {
            Places {
                server: cores,
                load: &cores[..workers.min(cores.len())],
                wait: Wait::Sleep,
            }
        };
        table(options, &rows, workers, &places)?;
    }
    Ok(())
}

/// Prints the table for servers with this many workers.
fn table(options: &Options, rows: &[&Row], workers: usize, places: &Places<'_>) -> io::Result<()> {
    let threads = workers.to_string();
    let flags = ["-m", "1024", "-t", &threads];
    let peer = Server::start(&options.peer, &flags, places.server)?;
    let larderd = Server::start(&options.larderd, &flags, places.server)?;
    let mut filled = Vec::new();
    let mut out = io::stdout();
    writeln!(
        out,
        "\n{workers} worker{}, {CONNECTION_COUNT} connections, {} keys of 20 bytes with values of \
         100; {} pairs of {} s; server CPU us for each request (own + kernel).\n",
        if workers == 1 { "" } else { "s" },
        options.keys,
        options.pairs,
        options.seconds,
    )?;
    writeln!(
        out,
        "| request | memcached | larderd | ratio (95 % confidence) | floor | floor / memcached \
         | floor / larderd | disturbed |"
    )?;
    writeln!(out, "|---|---|---|---|---|---|---|---|")?;
    for row in rows {
        if !filled.contains(&row.value_size) {
            for server in [&peer, &larderd] {
                let spec = spec(row, server, options, places);
                load::fill(&spec, 0..spec.keys.count).map_err(io::Error::other)?;
            }
            filled.push(row.value_size);
        }
        compare_row(options, row, places, [&peer, &larderd])?.print(row)?;
    }
    Ok(())
}

fn spec(row: &Row, server: &Server, options: &Options, places: &Places<'_>) -> Spec {
    let seconds = Duration::from_secs_f64(options.seconds);
    // Values of another size have keys of another size, so that both lie in one server.
    let is_large = row.value_size > 100;
    let base = server.load();
    Spec {
        dialect: row.dialect,
        threads: places.load.len(),
        depth: row.depth,
        keys: KeySpace {
            count: if is_large {
                options.keys / 50
            } else {
                options.keys
            },
            key_size: if is_large { 21 } else { 20 },
            sizes: Sizes::Fixed(row.value_size),
            ..base.keys
        },
        set_share: if row.kind == Kind::Set { 1.0 } else { 0.0 },
        multiget: match row.kind {
            Kind::Multiget(count) => count,
            Kind::Get | Kind::Set => 1,
        },
        limit: Limit::Time {
            warm_up: seconds / 5,
            counted: seconds,
        },
        wait: places.wait,
        cores: places.load.to_vec(),
        ..base
    }
}

/// One run.
struct Sample {
    outcome: Outcome,
    is_disturbed: bool,
}

impl Sample {
    fn us(&self) -> f64 {
        self.outcome.server_us().map_or(f64::NAN, |(all, _)| all)
    }

    fn own_us(&self) -> f64 {
        self.outcome.server_us().map_or(f64::NAN, |(_, own)| own)
    }
}

fn measure(spec: &Spec) -> io::Result<Sample> {
    let before = machine::work();
    let outcome = load::run(spec).map_err(io::Error::other)?;
    let after = machine::work();
    let ours = outcome.client_cpu.total_s() + outcome.server_cpu.map_or(0.0, |cpu| cpu.total_s());
    // The warm-up, a fifth of the run, is ours too.
    let others = after.busy_s - before.busy_s - ours * 1.2;
    let stolen = after.stolen_s - before.stolen_s;
    if outcome.counts.misses > 0 || outcome.counts.errors > 0 {
        return Err(io::Error::other("a key is gone, or a request was refused"));
    }
    Ok(Sample {
        is_disturbed: others > OTHERS_CORE_MAX * outcome.elapsed_s
            || stolen > STOLEN_SHARE_MAX * outcome.elapsed_s,
        outcome,
    })
}

fn compare_row(
    options: &Options,
    row: &Row,
    places: &Places<'_>,
    [peer, larderd]: [&Server; 2],
) -> io::Result<Runs> {
    let peer_spec = spec(row, peer, options, places);
    let larderd_spec = spec(row, larderd, options, places);
    let floor = if row.workers == 1 {
        Some(start_floor(&larderd_spec, places)?)
    } else {
        None
    };
    let mut runs = Runs::default();
    let mut again = options.pairs;
    while runs.larderd.len() < options.pairs {
        let pair = if runs.larderd.len().is_multiple_of(2) {
            let first = measure(&peer_spec)?;
            [first, measure(&larderd_spec)?]
        } else {
            let first = measure(&larderd_spec)?;
            [measure(&peer_spec)?, first]
        };
        if again > 0 && !options.quick && pair.iter().any(|sample| sample.is_disturbed) {
            again -= 1;
            continue;
        }
        let [first, second] = pair;
        runs.peer.push(first);
        runs.larderd.push(second);
        if let Some(floor) = &floor {
            runs.floor.push(measure(&Spec {
                server: floor.target(),
                server_pid: Some(floor.pid()),
                // It answers every request with the value of one key.
                verify: false,
                ..larderd_spec.clone()
            })?);
        }
    }
    Ok(runs)
}

/// Starts the responder that stores nothing. Its reply is what `spec`'s server says to the first
/// request, so that it has the size and the form of a real one.
fn start_floor(spec: &Spec, places: &Places<'_>) -> io::Result<Server> {
    let (dialect, keys) = (spec.dialect, &spec.keys);
    let mut key = Vec::new();
    keys.write_key(0, &mut key);
    let mut request = Vec::new();
    if spec.set_share > 0.0 {
        dialect.set_begin(&mut request, &key, 0, keys.size(0).1);
        keys.write_value(0, &mut request);
        dialect.set_end(&mut request);
    } else if spec.multiget > 1 {
        let mut left = spec.multiget;
        dialect.get_many(&mut request, |out| {
            let more = left > 0;
            if more {
                out.extend_from_slice(&key);
                left -= 1;
            }
            more
        });
    } else {
        dialect.get(&mut request, &key);
    }
    let mut stream = TcpStream::connect(spec.server.to_string())?;
    stream.set_read_timeout(Some(spec.timeout))?;
    stream.write_all(&request)?;
    let mut reply = Vec::new();
    let mut seen = 0;
    loop {
        match dialect.answer(&reply[seen..]) {
            Ok(Some((answer, size))) => {
                seen += size;
                // A value in text, or one of several, is not the last of a reply.
                match answer {
                    Answer::Value { key, .. } if !key.is_empty() => {}
                    _ => break,
                }
            }
            Ok(None) => {
                let mut bytes = [0; 64 << 10];
                let size = stream.read(&mut bytes)?;
                reply.extend_from_slice(&bytes[..size]);
            }
            Err(_) => return Err(io::Error::other("not a reply")),
        }
    }
    let mut command = Command::new(env::current_exe()?);
    command.args([SERVE_FLOOR, &request.len().to_string()]);
    Server::start_announcing(&mut command, &reply, places.server)
}

/// The runs of one row.
#[derive(Default)]
struct Runs {
    peer: Vec<Sample>,
    larderd: Vec<Sample>,
    floor: Vec<Sample>,
}

impl Runs {
    fn print(&self, row: &Row) -> io::Result<()> {
        let of = |samples: &[Sample], what: fn(&Sample) -> f64| {
            median(&samples.iter().map(what).collect::<Vec<_>>()).value
        };
        let show = |samples: &[Sample]| {
            let (all, own) = (of(samples, Sample::us), of(samples, Sample::own_us));
            format!("{all:.2} ({own:.2} + {:.2})", all - own)
        };
        let pairs = || self.peer.iter().zip(&self.larderd);
        let ratios: Vec<f64> = pairs().map(|(a, b)| a.us() / b.us()).collect();
        let ratio = median(&ratios);
        let sure = if ratio.confidence < 0.95 {
            format!(", {:.0} %", ratio.confidence * 100.0)
        } else {
            String::new()
        };
        let (floor, of_peer, of_larderd) = if self.floor.is_empty() {
            ("-".to_owned(), "-".to_owned(), "-".to_owned())
        } else {
            let floor = of(&self.floor, Sample::us);
            let share = |samples: &[Sample]| format!("{:.2}", floor / of(samples, Sample::us));
            (
                format!("{floor:.2}"),
                share(&self.peer),
                share(&self.larderd),
            )
        };
        let disturbed = pairs()
            .filter(|(a, b)| a.is_disturbed || b.is_disturbed)
            .count();
        let mut out = io::stdout();
        writeln!(
            out,
            "| {} | {} | {} | **{:.2}** ({:.2} to {:.2}{sure}) | {floor} | {of_peer} | {of_larderd} \
             | {disturbed} of {} |",
            row.name,
            show(&self.peer),
            show(&self.larderd),
            ratio.value,
            ratio.low,
            ratio.high,
            ratios.len(),
        )?;
        out.flush()?;
        let runs = [
            ("memcached", &self.peer),
            ("larderd", &self.larderd),
            ("floor", &self.floor),
        ];
        for (server, samples) in runs {
            for sample in samples {
                let outcome = &sample.outcome;
                eprintln!(
                    "{}: {server}: {:.3} us, {:.0} requests/s, p99 {} us, load {:.0} % of a core{}",
                    row.name,
                    sample.us(),
                    outcome.rate(),
                    outcome.all().value_at_percentile(99.0) / 1000,
                    outcome.client_cpu.total_s() / outcome.elapsed_s * 100.0,
                    if sample.is_disturbed {
                        ", disturbed"
                    } else {
                        ""
                    },
                );
            }
        }
        Ok(())
    }
}
