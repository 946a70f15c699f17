//! memcached and larderd side by side: processor time for each request, and items held in equal
//! memory, as tables for `docs/performance.md`.
//!
//! Both servers run at once and are loaded in turns, A B B A, so that a slow minute of the
//! machine hits both; a pair of neighbouring runs gives one ratio, and the table shows the median
//! of the ratios and how far they spread. `--help` lists the options.

use std::env;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::Command;

mod load;

use load::client::Wait;
use load::keys::KeySpace;
use load::server::Server;
use load::wire::{Check, Dialect, Format, Operation};
use load::{Sample, Shape, cores, fill, floor, machine, measure};

const HELP: &str = "\
usage: cargo bench --bench compare -- [OPTION]...
  --quick         few short runs: shows that it works, not what it costs
  --pairs N       pairs of runs in each row (default 7)
  --seconds S     length of a run (default 2)
  --keys N        keys in the store (default 1000000)
  --only WORDS    only rows whose name contains WORDS
  --no-floor      leave out the responder that stores nothing
  --no-memory     leave out the items held in equal memory
environment:
  PEER            the memcached to compare with (default memcached, from PATH)
  LARDERD         the larderd to compare (default the one built beside this)";

/// Connections in each run.
const CONNECTION_COUNT: u32 = 50;

/// Memory limit of the density runs, in MiB.
const DENSITY_LIMIT_MIB: u32 = 256;

struct Options {
    quick: bool,
    pairs: usize,
    seconds: f64,
    keys: u32,
    only: String,
    floor: bool,
    memory: bool,
    peer: PathBuf,
    larderd: PathBuf,
}

/// A row of the table of processor time.
struct Row {
    name: &'static str,
    dialect: Dialect,
    operation: Operation,
    depth: u32,
    /// Worker threads of the server.
    workers: usize,
}

const ROWS: &[Row] = &[
    row("get, depth 1", Dialect::Text, Operation::Get, 1, 1),
    row("get, depth 16", Dialect::Text, Operation::Get, 16, 1),
    row("meta get, depth 16", Dialect::Meta, Operation::Get, 16, 1),
    row(
        "multiget of 50",
        Dialect::Text,
        Operation::Multiget { keys: 50 },
        1,
        1,
    ),
    row("set, depth 1", Dialect::Text, Operation::Set, 1, 1),
    row("set, depth 16", Dialect::Text, Operation::Set, 16, 1),
    row(
        "9 get : 1 set, depth 16",
        Dialect::Text,
        Operation::Mixed { set_percent: 10 },
        16,
        1,
    ),
    row(
        "set, depth 16, 2 workers",
        Dialect::Text,
        Operation::Set,
        16,
        2,
    ),
];

const fn row(
    name: &'static str,
    dialect: Dialect,
    operation: Operation,
    depth: u32,
    workers: usize,
) -> Row {
    Row {
        name,
        dialect,
        operation,
        depth,
        workers,
    }
}

fn main() -> io::Result<()> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    if let [first, request_size, reply_size] = arguments.as_slice()
        && first == "--serve-floor"
    {
        let size = |text: &str| text.parse().map_err(io::Error::other);
        return floor::serve(size(request_size)?, size(reply_size)?);
    }
    if arguments.iter().any(|argument| argument == "--help") {
        return writeln!(io::stdout(), "{HELP}");
    }
    let options = Options::parse(&arguments)?;
    introduce(&options, &arguments)?;
    let cores = cores::allowed()?;
    for workers in [1, 2] {
        let rows: Vec<&Row> = ROWS
            .iter()
            .filter(|row| row.workers == workers && row.name.contains(&options.only))
            .collect();
        if !rows.is_empty() {
            compare_cpu(&options, &rows, workers, &cores)?;
        }
    }
    if options.memory {
        compare_memory(&options, &cores)?;
    }
    Ok(())
}

impl Options {
    fn parse(arguments: &[String]) -> io::Result<Self> {
        // `cargo bench` passes `--bench`; without it this may be a test run, which must be short.
        let quick = arguments.iter().any(|argument| argument == "--quick")
            || !arguments.iter().any(|argument| argument == "--bench");
        let variable = |name: &str, default: &str| env::var_os(name).unwrap_or(default.into());
        let mut options = Self {
            quick,
            pairs: if quick { 1 } else { 7 },
            seconds: if quick { 0.3 } else { 2.0 },
            keys: if quick { 50_000 } else { 1_000_000 },
            only: String::new(),
            floor: true,
            memory: true,
            peer: variable("PEER", "memcached").into(),
            larderd: variable("LARDERD", env!("CARGO_BIN_EXE_larderd")).into(),
        };
        let mut words = arguments.iter();
        while let Some(word) = words.next() {
            let mut value = || words.next().map_or("", String::as_str);
            match word.as_str() {
                "--bench" | "--quick" => {}
                "--pairs" => options.pairs = value().parse().map_err(io::Error::other)?,
                "--seconds" => options.seconds = value().parse().map_err(io::Error::other)?,
                "--keys" => options.keys = value().parse().map_err(io::Error::other)?,
                "--only" => value().clone_into(&mut options.only),
                "--no-floor" => options.floor = false,
                "--no-memory" => options.memory = false,
                _ => return Err(io::Error::other(format!("unknown option {word}\n{HELP}"))),
            }
        }
        Ok(options)
    }

    fn format(&self, dialect: Dialect) -> Format {
        Format {
            dialect,
            keys: KeySpace {
                count: self.keys,
                size: 20,
            },
            value_size: 100,
            check: Check::Replies,
        }
    }
}

fn introduce(options: &Options, arguments: &[String]) -> io::Result<()> {
    let mut out = io::stdout();
    writeln!(out, "- date: {}", machine::date())?;
    writeln!(out, "- machine: {}", machine::describe())?;
    writeln!(out, "- commit: {}", machine::commit())?;
    writeln!(out, "- peer: {}", machine::version(&options.peer))?;
    let arguments: Vec<&str> = arguments
        .iter()
        .map(String::as_str)
        .filter(|&argument| argument != "--bench")
        .collect();
    let words = arguments.join(" ");
    // Where the peer lies on this machine is of no use to others; its version is above.
    let peer = options.peer.file_name().unwrap_or_default().display();
    writeln!(
        out,
        "- command: `PEER={peer} cargo bench --bench compare -- {words}`"
    )?;
    if options.quick {
        writeln!(out, "- a quick run: figures mean little")?;
    }
    Ok(())
}

/// Prints the table of processor time for servers with this many workers.
fn compare_cpu(
    options: &Options,
    rows: &[&Row],
    workers: usize,
    cores: &[usize],
) -> io::Result<()> {
    let first = &cores[..1];
    let last = &cores[cores.len() - 1..];
    // One worker has a core to itself; several share all cores with the clients, who then sleep.
    let (server_cores, client_cores, wait) = if workers == 1 && cores.len() > 1 {
        (first, last, Wait::Spin)
    } else {
        (cores, &cores[..workers.min(cores.len())], Wait::Sleep)
    };
    let threads = workers.to_string();
    let flags = ["-m", "1024", "-t", &threads];
    let peer = Server::start(&options.peer, &flags, server_cores)?;
    let larderd = Server::start(&options.larderd, &flags, server_cores)?;
    for server in [&peer, &larderd] {
        let format = options.format(Dialect::Text);
        fill(server.address, format, 0..options.keys, last[0])?;
    }
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
        "| request | memcached | larderd | ratio (spread) | floor | larderd above floor |"
    )?;
    writeln!(out, "|---|---|---|---|---|---|")?;
    for row in rows {
        let shape = Shape {
            format: options.format(row.dialect),
            operation: row.operation,
            depth: row.depth,
            connections: CONNECTION_COUNT,
            wait,
        };
        let floor = if options.floor && workers == 1 {
            Some(start_floor(&shape, server_cores)?)
        } else {
            None
        };
        let mut turns = Turns::default();
        for pair in 0..options.pairs {
            let run = |server| measure(server, &shape, options.seconds, client_cores);
            if pair % 2 == 0 {
                turns.peer.push(run(&peer)?);
                turns.larderd.push(run(&larderd)?);
            } else {
                turns.larderd.push(run(&larderd)?);
                turns.peer.push(run(&peer)?);
            }
            if let Some((server, shape)) = &floor {
                let seconds = options.seconds;
                turns
                    .floor
                    .push(measure(server, shape, seconds, client_cores)?);
            }
        }
        turns.print(row.name)?;
    }
    Ok(())
}

/// Starts the responder that stores nothing, with requests and replies as long as the shape's.
fn start_floor(shape: &Shape, on: &[usize]) -> io::Result<(Server, Shape)> {
    let format = shape.format;
    let (key, value) = (format.keys.size, format.value_size);
    let hit = format.value_reply_size();
    let (request_size, reply_size) = match (format.dialect, shape.operation) {
        (_, Operation::Multiget { keys }) => {
            let keys = keys as usize;
            (
                "get\r\n".len() + (key + 1) * keys,
                hit * keys + "END\r\n".len(),
            )
        }
        (_, Operation::Set) => (
            "set  0 0 100\r\n\r\n".len() + key + value,
            "STORED\r\n".len(),
        ),
        (Dialect::Meta, _) => ("mg  v\r\n".len() + key, hit),
        // The floor cannot tell requests of different lengths apart: a mixture is given as gets.
        (Dialect::Text, _) => ("get \r\n".len() + key, hit + "END\r\n".len()),
    };
    let mut command = Command::new(env::current_exe()?);
    command
        .arg("--serve-floor")
        .args([request_size.to_string(), reply_size.to_string()]);
    let server = Server::start_announcing(&mut command, on)?;
    let operation = match shape.operation {
        Operation::Mixed { .. } => Operation::Get,
        other => other,
    };
    let shape = Shape {
        format: Format {
            check: Check::Length { reply_size },
            ..format
        },
        operation,
        ..*shape
    };
    Ok((server, shape))
}

/// The runs of one row.
#[derive(Default)]
struct Turns {
    peer: Vec<Sample>,
    larderd: Vec<Sample>,
    floor: Vec<Sample>,
}

impl Turns {
    fn print(&self, name: &str) -> io::Result<()> {
        let of = |samples: &[Sample], what: fn(&Sample) -> f64| {
            median(&mut samples.iter().map(what).collect::<Vec<_>>())
        };
        let show = |samples: &[Sample]| {
            let (all, user) = (of(samples, Sample::us), of(samples, Sample::user_us));
            format!("{all:.2} ({user:.2} + {:.2})", all - user)
        };
        let pairs = self.peer.iter().zip(&self.larderd);
        let mut ratios: Vec<f64> = pairs.map(|(a, b)| a.us() / b.us()).collect();
        let ratio = median(&mut ratios);
        let (low, high) = (ratios[0], ratios[ratios.len() - 1]);
        let (floor, above) = if self.floor.is_empty() {
            ("-".to_owned(), "-".to_owned())
        } else {
            let floor = of(&self.floor, Sample::us);
            let above = of(&self.larderd, Sample::us) - floor;
            (format!("{floor:.2}"), format!("{above:.2}"))
        };
        let mut out = io::stdout();
        writeln!(
            out,
            "| {name} | {} | {} | **{ratio:.2}** ({low:.2} to {high:.2}) | {floor} | {above} |",
            show(&self.peer),
            show(&self.larderd),
        )?;
        out.flush()?;
        let runs = [
            ("memcached", &self.peer),
            ("larderd", &self.larderd),
            ("floor", &self.floor),
        ];
        for (server, samples) in runs {
            for sample in samples {
                eprintln!(
                    "{name}: {server}: {:.3} us, {:.0} requests/s, server busy {:.0} %, {} misses",
                    sample.us(),
                    sample.requests as f64 / sample.elapsed_s,
                    sample.cpu.total_s() / sample.elapsed_s * 100.0,
                    sample.misses,
                );
            }
        }
        Ok(())
    }
}

/// The middle of the numbers, which come back sorted.
fn median(numbers: &mut [f64]) -> f64 {
    numbers.sort_by(f64::total_cmp);
    let middle = numbers.len() / 2;
    if numbers.is_empty() {
        f64::NAN
    } else if numbers.len() % 2 == 1 {
        numbers[middle]
    } else {
        f64::midpoint(numbers[middle - 1], numbers[middle])
    }
}

/// What a full server holds.
struct Held {
    items: u64,
    rss_bytes: u64,
}

/// Prints the table of items held in equal memory.
fn compare_memory(options: &Options, cores: &[usize]) -> io::Result<()> {
    let limit_mib = if options.quick { 64 } else { DENSITY_LIMIT_MIB };
    let mut out = io::stdout();
    writeln!(
        out,
        "\nFull servers at `-m {limit_mib}`, keys of 20 bytes; resident memory for each item.\n"
    )?;
    writeln!(
        out,
        "| value bytes | memcached items | RSS MiB | bytes an item | larderd items | RSS MiB \
         | bytes an item | items for each byte of RSS |"
    )?;
    writeln!(out, "|---|---|---|---|---|---|---|---|")?;
    for value_size in [10, 100, 400] {
        let peer = hold(&options.peer, limit_mib, value_size, cores)?;
        let larderd = hold(&options.larderd, limit_mib, value_size, cores)?;
        let each = |held: &Held| held.rss_bytes as f64 / held.items as f64;
        let show = |held: &Held| {
            let mib = held.rss_bytes as f64 / f64::from(1 << 20);
            format!("{} | {mib:.1} | {:.1}", held.items, each(held))
        };
        let ratio = each(&peer) / each(&larderd);
        let (peer, larderd) = (show(&peer), show(&larderd));
        writeln!(
            out,
            "| {value_size} | {peer} | {larderd} | **{ratio:.2}** |"
        )?;
        out.flush()?;
    }
    Ok(())
}

/// Stores new keys until the server evicts, and a quarter more.
fn hold(program: &Path, limit_mib: u32, value_size: usize, cores: &[usize]) -> io::Result<Held> {
    const STEP: u32 = 50_000;
    const KEY_COUNT_MAX: u32 = 100_000_000;
    let (first, last) = (cores[0], cores[cores.len() - 1]);
    let limit = limit_mib.to_string();
    let server = Server::start(program, &["-m", &limit, "-t", "1"], &[first])?;
    let mut format = Format {
        dialect: Dialect::Text,
        keys: KeySpace {
            count: KEY_COUNT_MAX,
            size: 20,
        },
        value_size,
        check: Check::Replies,
    };
    format.keys.check()?;
    let mut stored = 0;
    let mut enough = KEY_COUNT_MAX;
    while stored < enough {
        fill(server.address, format, stored..stored + STEP, last)?;
        stored += STEP;
        if enough == KEY_COUNT_MAX && server.stat("evictions")? > 0 {
            enough = stored + stored / 4;
        }
    }
    let held = Held {
        items: server.stat("curr_items")?,
        rss_bytes: server.rss_bytes()?,
    };
    // The count is the server's word; what it answers for keys taken at random must agree.
    format.keys.count = stored;
    let shape = Shape {
        format,
        operation: Operation::Get,
        depth: 16,
        connections: 4,
        wait: Wait::Sleep,
    };
    let sample = measure(&server, &shape, 1.0, &[last])?;
    let found = 1.0 - sample.misses as f64 / sample.requests as f64;
    let claimed = held.items as f64 / f64::from(stored);
    eprintln!(
        "{}: {value_size} bytes: {stored} stored, {claimed:.3} said to be held, {found:.3} found",
        program.display()
    );
    if (found - claimed).abs() > 0.02 {
        return Err(io::Error::other("curr_items is not what is found"));
    }
    Ok(held)
}
