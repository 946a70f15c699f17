//! Servers under test: started, watched from outside, stopped.

use std::io::{self, BufRead, BufReader, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use larder::client::load::keys::{KeySpace, Popularity, Sizes};
use larder::client::load::process::CpuTime;
use larder::client::load::{Arrivals, Limit, Spec, Wait};
use larder::client::{Access, Address, Connection};
use larder::protocol::client::Dialect;

use super::cores;

/// Connections of a load, unless it has others.
pub(crate) const CONNECTION_COUNT: usize = 50;

/// A running server. Dropping it ends its process.
#[derive(Debug)]
pub(crate) struct Server {
    child: Child,
    /// Where it listens.
    pub(crate) address: SocketAddr,
}

impl Server {
    /// Starts a memcached or a kin of it on a free port, on these cores only, with `flags`
    /// beside those that name the address. Returns when it accepts connections.
    pub(crate) fn start(program: &Path, flags: &[&str], on: &[usize]) -> io::Result<Self> {
        cores::with(on, || Self::start_at("127.0.0.1", program, flags))
    }

    /// As [`Self::start`], on any core, at a loopback address written as `-l` has it.
    pub(crate) fn start_at(listen: &str, program: &Path, flags: &[&str]) -> io::Result<Self> {
        Self::start_with(listen, program, flags, &[])
    }

    /// As [`Self::start_at`], with these variables in its environment.
    pub(crate) fn start_with(
        listen: &str,
        program: &Path,
        flags: &[&str],
        variables: &[(&str, &str)],
    ) -> io::Result<Self> {
        let port = free_port()?;
        let mut command = Command::new(program);
        command
            .envs(variables.iter().copied())
            .args(["-l", listen, "-U", "0", "-c", "4096"])
            .args(["-p", &port.to_string()])
            .args(flags);
        if rustix::process::geteuid().is_root() {
            // memcached will not run as root unless told to.
            command.args(["-u", "root"]);
        }
        command.stdin(Stdio::null());
        let child = command.spawn()?;
        let server = Self {
            child,
            address: SocketAddr::from((Ipv4Addr::LOCALHOST, port)),
        };
        server.await_connection()?;
        Ok(server)
    }

    /// Starts `command` with this input, which must print the port it listens on as its first
    /// line.
    pub(crate) fn start_announcing(
        command: &mut Command,
        input: &[u8],
        on: &[usize],
    ) -> io::Result<Self> {
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = cores::with(on, || command.spawn())?;
        if let Some(mut stdin) = child.stdin.take() {
            stdin.write_all(input)?;
        }
        let mut line = String::new();
        if let Some(stdout) = child.stdout.take() {
            BufReader::new(stdout).read_line(&mut line)?;
        }
        let port = line.trim().parse::<u16>().map_err(io::Error::other)?;
        Ok(Self {
            child,
            address: SocketAddr::from((Ipv4Addr::LOCALHOST, port)),
        })
    }

    fn await_connection(&self) -> io::Result<()> {
        let deadline = Instant::now() + Duration::from_secs(10);
        loop {
            match TcpStream::connect(self.address) {
                Ok(_) => return Ok(()),
                Err(error) if Instant::now() > deadline => return Err(error),
                Err(_) => std::thread::sleep(Duration::from_millis(10)),
            }
        }
    }

    /// Its process.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Where it listens, for a load.
    pub(crate) fn target(&self) -> Address {
        Address::Tcp {
            host: self.address.ip().to_string(),
            port: self.address.port(),
        }
    }

    /// A load of gets that checks every reply, to be changed field by field.
    pub(crate) fn load(&self) -> Spec {
        Spec {
            server: self.target(),
            access: Access::plain(Duration::from_secs(10)),
            dialect: Dialect::Text,
            threads: 1,
            connections: CONNECTION_COUNT,
            depth: 1,
            keys: KeySpace {
                count: 1,
                key_size: 20,
                sizes: Sizes::Fixed(100),
                seed: 1,
            },
            popularity: Popularity::Uniform,
            fresh_share: 0.0,
            set_share: 0.0,
            multiget: 1,
            cache_aside: false,
            ttl: (0, 0),
            arrivals: Arrivals::Closed,
            limit: Limit::Requests(1),
            wait: Wait::Sleep,
            verify: true,
            server_pid: Some(self.pid()),
            timeout: Duration::from_secs(10),
            cores: Vec::new(),
        }
    }

    /// Processor time used so far.
    pub(crate) fn cpu(&self) -> io::Result<CpuTime> {
        CpuTime::of(self.pid())
    }

    /// A connection for single requests.
    pub(crate) fn connect(&self) -> io::Result<Connection> {
        Connection::open(&self.target(), &Access::plain(Duration::from_secs(10)))
            .map_err(io::Error::other)
    }

    /// One number of `stats`.
    pub(crate) fn stat(&self, name: &str) -> io::Result<u64> {
        let mut connection = self.connect()?;
        let report = connection.stats(&[]).map_err(io::Error::other)?;
        report
            .into_iter()
            .find_map(|(key, value)| (key == name).then(|| value.parse().ok())?)
            .ok_or_else(|| io::Error::other(format!("no {name} in stats")))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It holds nothing worth keeping, and a failure to end it has no remedy here.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A port that nobody uses just now.
pub(crate) fn free_port() -> io::Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?
        .local_addr()?
        .port())
}
