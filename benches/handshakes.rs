//! What a storm of TLS handshakes costs those who are connected already: latencies of a steady
//! stream of requests with and without it, as a table for `docs/performance.md`.
//!
//! Requests and handshakes are due at fixed times, whether or not earlier ones are done, so that a
//! pause is felt by everyone who would have come in it. Each round has three runs: nothing but
//! requests; handshakes with another daemon, which shows what the clients' own arithmetic costs
//! on the same cores; and handshakes with the daemon that answers the requests. `--help` lists
//! the options.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rcgen::{CertificateParams, KeyPair};
use rustls::client::Resumption;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore};

#[allow(dead_code, reason = "this bench has a load of its own")]
mod load;

use load::server::{Server, free_port};
use load::{machine, report};

const HELP: &str = "\
usage: cargo bench --bench handshakes -- [OPTION]...
  --quick          one short round: shows that it works, not what it costs
  --rounds N       rounds of three runs for each certificate (default 3)
  --seconds S      length of a run (default 2)
  --handshakes N   in a second (default 200)
  --requests N     in a second (default 1000)
  --secured        send the requests through TLS too
environment:
  LARDERD          the daemon to measure (default the one built beside this)";

/// Connections that send the requests, and threads that shake hands.
const CLIENT_COUNT: usize = 20;
const STORM_COUNT: usize = 4;

struct Options {
    rounds: u32,
    seconds: f64,
    handshakes: u32,
    requests: u32,
    secured: bool,
    larderd: PathBuf,
}

/// A certificate for the servers, and what clients need to trust it.
struct Identity {
    name: &'static str,
    words: String,
    clients: Arc<ClientConfig>,
}

/// A daemon with a plain and a TLS port.
struct Daemon {
    server: Server,
    secured: SocketAddr,
}

/// What one run showed.
struct Run {
    /// Latencies in microseconds, sorted.
    latencies_us: Vec<f64>,
    handshakes: f64,
    cpu_s: f64,
}

fn main() -> ExitCode {
    report::main("handshakes", HELP, run)
}

fn run(arguments: &[String]) -> io::Result<()> {
    let options = Options::parse(arguments)?;
    let mut out = io::stdout();
    writeln!(
        out,
        "{}, {}, {}, {}\n",
        machine::date(),
        machine::describe(),
        machine::version(&options.larderd),
        machine::commit()
    )?;
    writeln!(
        out,
        "| certificate | storm | p50 us | p99 us | p99.9 us | p99 against quiet (spread) | \
         server CPU us a handshake |\n|---|---|---|---|---|---|---|"
    )?;
    let folder = tempfile::tempdir()?;
    let mut identities = vec![identity(folder.path(), "ECDSA P-256", false)?];
    match identity(folder.path(), "RSA 2048", true) {
        Ok(identity) => identities.push(identity),
        Err(error) => writeln!(io::stderr(), "no RSA: {error}")?,
    }
    for identity in &identities {
        compare(&options, identity)?;
    }
    Ok(())
}

impl Options {
    fn parse(arguments: &[String]) -> io::Result<Self> {
        let given = |name: &str| arguments.iter().any(|argument| argument == name);
        let quick = load::is_quick(arguments);
        let text = |name: &str| {
            let index = arguments.iter().position(|argument| argument == name);
            index.and_then(|index| arguments.get(index + 1))
        };
        let number = |name: &str, default: u32| match text(name) {
            None => Ok(default),
            Some(text) => text.parse().map_err(io::Error::other),
        };
        let seconds = match text("--seconds") {
            None => Ok(if quick { 0.3 } else { 2.0 }),
            Some(text) => text.parse().map_err(io::Error::other),
        };
        Ok(Self {
            rounds: number("--rounds", if quick { 1 } else { 3 })?,
            seconds: seconds?,
            handshakes: number("--handshakes", 200)?,
            requests: number("--requests", 1000)?,
            secured: given("--secured"),
            larderd: load::program("LARDERD", env!("CARGO_BIN_EXE_larderd")),
        })
    }
}

/// Makes a key and a certificate that signs itself.
fn identity(folder: &Path, name: &'static str, rsa: bool) -> io::Result<Identity> {
    let stem = folder.join(if rsa { "rsa" } else { "ecdsa" });
    let (key_path, path) = (stem.with_extension("key"), stem.with_extension("pem"));
    if rsa {
        let status = Command::new("openssl")
            .args([
                "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2",
            ])
            .args([
                "-subj",
                "/CN=localhost",
                "-addext",
                "subjectAltName=DNS:localhost",
            ])
            .args(["-addext", "basicConstraints=critical,CA:FALSE"])
            .arg("-keyout")
            .arg(&key_path)
            .arg("-out")
            .arg(&path)
            .stderr(std::process::Stdio::null())
            .status()?;
        if !status.success() {
            return Err(io::Error::other("openssl makes no certificate"));
        }
    } else {
        let key = KeyPair::generate().map_err(io::Error::other)?;
        let params = CertificateParams::new(vec!["localhost".to_owned()]);
        let certificate = params.and_then(|params| params.self_signed(&key));
        std::fs::write(&path, certificate.map_err(io::Error::other)?.pem())?;
        std::fs::write(&key_path, key.serialize_pem())?;
    }
    let mut roots = RootCertStore::empty();
    let certificate = CertificateDer::from_pem_file(&path).map_err(io::Error::other)?;
    roots.add(certificate).map_err(io::Error::other)?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut clients = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?
        .with_root_certificates(roots)
        .with_no_client_auth();
    // Each handshake is a whole one.
    clients.resumption = Resumption::disabled();
    Ok(Identity {
        name,
        words: format!(
            "ssl_chain_cert={},ssl_key={}",
            path.display(),
            key_path.display()
        ),
        clients: Arc::new(clients),
    })
}

fn start(options: &Options, identity: &Identity) -> io::Result<Daemon> {
    let secured = SocketAddr::from(([127, 0, 0, 1], free_port()?));
    let listen = format!("btls:{secured}");
    let words = format!("{},ssl_verify_mode=0", identity.words);
    let flags = ["-Z", "-o", &words, "-l", &listen];
    let server = Server::start_at("notls:127.0.0.1", &options.larderd, &flags)?;
    Ok(Daemon { server, secured })
}

fn compare(options: &Options, identity: &Identity) -> io::Result<()> {
    let (daemon, other) = (start(options, identity)?, start(options, identity)?);
    let names = ["none", "at another daemon", "at this daemon"];
    let targets = [None, Some(other.secured), Some(daemon.secured)];
    let mut runs: [Vec<Run>; 3] = [const { Vec::new() }; 3];
    for _ in 0..options.rounds.max(1) {
        for (runs, target) in runs.iter_mut().zip(targets) {
            runs.push(measure(options, identity, &daemon, target)?);
        }
    }
    let median = |values: &mut Vec<f64>| -> f64 {
        values.sort_by(f64::total_cmp);
        values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
    };
    for (index, name) in names.into_iter().enumerate() {
        let at = |permille| median(&mut runs[index].iter().map(|run| run.at(permille)).collect());
        let mut ratios: Vec<f64> = runs[index]
            .iter()
            .zip(&runs[0])
            .map(|(run, quiet)| run.at(990) / quiet.at(990))
            .collect();
        let ratio = median(&mut ratios);
        let mut costs: Vec<f64> = runs[index]
            .iter()
            .zip(&runs[0])
            .map(|(run, quiet)| (run.cpu_s - quiet.cpu_s) * 1e6 / run.handshakes)
            .collect();
        let cost = if index == 2 {
            format!("{:.0}", median(&mut costs))
        } else {
            "-".to_owned()
        };
        writeln!(
            io::stdout(),
            "| {} | {name} | {:.0} | {:.0} | {:.0} | {ratio:.2} ({:.2} to {:.2}) | {cost} |",
            identity.name,
            at(500),
            at(990),
            at(999),
            ratios[0],
            ratios[ratios.len() - 1],
        )?;
    }
    Ok(())
}

impl Run {
    /// The latency that so many of a thousand requests do not exceed.
    fn at(&self, permille: usize) -> f64 {
        let last = self.latencies_us.len().saturating_sub(1);
        let index = self.latencies_us.len() * permille / 1000;
        self.latencies_us
            .get(index.min(last))
            .copied()
            .unwrap_or(f64::NAN)
    }
}

/// One run: requests, and handshakes if there is a target for them.
fn measure(
    options: &Options,
    identity: &Identity,
    daemon: &Daemon,
    target: Option<SocketAddr>,
) -> io::Result<Run> {
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        let mut storm = Vec::new();
        for index in 0..STORM_COUNT {
            let Some(address) = target else { break };
            let pace = Pace::new(options.handshakes, STORM_COUNT, index);
            let stop = &stop;
            storm.push(scope.spawn(move || shake_hands(identity, address, pace, stop)));
        }
        thread::sleep(Duration::from_secs_f64(options.seconds / 5.0));
        let before = daemon.server.cpu()?;
        let latencies = requests(options, identity, daemon);
        let cpu = daemon.server.cpu()?.since(before);
        stop.store(true, Ordering::Relaxed);
        let mut handshakes = 0.0;
        for thread in storm {
            let count = thread
                .join()
                .map_err(|_| io::Error::other("a thread panicked"))?;
            handshakes += f64::from(count?);
        }
        let mut latencies_us = latencies?;
        latencies_us.sort_by(f64::total_cmp);
        // The storm began earlier than the reading.
        let share = 1.0 / 1.2;
        Ok(Run {
            latencies_us,
            handshakes: handshakes * share,
            cpu_s: cpu.total_s(),
        })
    })
}

/// When things are due.
struct Pace {
    next: Instant,
    step: Duration,
}

impl Pace {
    /// One of several that together have `rate` in a second.
    fn new(rate: u32, count: usize, index: usize) -> Self {
        let each = Duration::from_secs(1) / rate.max(1);
        let index = u32::try_from(index).unwrap_or(0);
        Self {
            next: Instant::now() + each * index,
            step: each * u32::try_from(count).unwrap_or(1),
        }
    }

    /// Waits for the next time; when that was or is.
    fn wait(&mut self) -> Instant {
        let due = self.next;
        self.next += self.step;
        thread::sleep(due.saturating_duration_since(Instant::now()));
        due
    }
}

/// A client's connection, plain or not.
enum Client {
    Plain(TcpStream),
    Secured(Box<rustls::StreamOwned<ClientConnection, TcpStream>>),
}

impl Client {
    fn connect(address: SocketAddr, tls: Option<&Arc<ClientConfig>>) -> io::Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(Duration::from_secs(10)))?;
        let Some(config) = tls else {
            return Ok(Self::Plain(stream));
        };
        let name = ServerName::try_from("localhost").map_err(io::Error::other)?;
        let client = ClientConnection::new(Arc::clone(config), name).map_err(io::Error::other)?;
        let stream = rustls::StreamOwned::new(client, stream);
        Ok(Self::Secured(Box::new(stream)))
    }

    /// Asks, and checks the reply.
    fn ask(&mut self, request: &[u8], reply: &[u8]) -> io::Result<()> {
        let mut got = vec![0; reply.len()];
        match self {
            Self::Plain(stream) => {
                stream.write_all(request)?;
                stream.read_exact(&mut got)?;
            }
            Self::Secured(stream) => {
                stream.write_all(request)?;
                stream.read_exact(&mut got)?;
            }
        }
        if got == reply {
            Ok(())
        } else {
            Err(io::Error::other("a wrong reply"))
        }
    }
}

/// Sends requests at their times; how long each took, in microseconds.
fn requests(options: &Options, identity: &Identity, daemon: &Daemon) -> io::Result<Vec<f64>> {
    let (address, tls) = if options.secured {
        (daemon.secured, Some(&identity.clients))
    } else {
        (daemon.server.address, None)
    };
    let clients: io::Result<Vec<Client>> = (0..CLIENT_COUNT)
        .map(|_| Client::connect(address, tls))
        .collect();
    let mut clients = clients?;
    for client in &mut clients {
        client.ask(b"set key 0 0 5\r\nvalue\r\n", b"STORED\r\n")?;
    }
    let mut pace = Pace::new(options.requests, 1, 0);
    let mut latencies_us = Vec::new();
    let mut free = Instant::now();
    let end = free + Duration::from_secs_f64(options.seconds);
    while free < end {
        let due = pace.wait();
        // A timer that fires late is no fault of the server; a reply that came late is.
        let begin = if free > due { due } else { Instant::now() };
        let client = latencies_us.len() % CLIENT_COUNT;
        clients[client].ask(b"get key\r\n", b"VALUE key 0 5\r\nvalue\r\nEND\r\n")?;
        free = Instant::now();
        latencies_us.push(free.duration_since(begin).as_secs_f64() * 1e6);
    }
    Ok(latencies_us)
}

/// Shakes hands at the times of `pace` until told to stop; how often.
fn shake_hands(
    identity: &Identity,
    address: SocketAddr,
    mut pace: Pace,
    stop: &AtomicBool,
) -> io::Result<u32> {
    let mut count = 0;
    while !stop.load(Ordering::Relaxed) {
        pace.wait();
        let mut client = Client::connect(address, Some(&identity.clients))?;
        client.ask(b"mn\r\n", b"MN\r\n")?;
        count += 1;
    }
    Ok(count)
}
