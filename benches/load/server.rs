//! Servers under test: started, watched from outside, stopped.

use std::fs;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::cores;

/// A running server. Dropping it ends its process.
#[derive(Debug)]
pub(crate) struct Server {
    child: Child,
    /// Where it listens.
    pub(crate) address: SocketAddr,
}

/// Processor time of a process, in seconds.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct CpuTime {
    /// In its own code.
    pub(crate) user_s: f64,
    /// In the kernel's.
    pub(crate) system_s: f64,
}

impl CpuTime {
    /// The time since an earlier reading.
    pub(crate) fn since(self, earlier: Self) -> Self {
        Self {
            user_s: self.user_s - earlier.user_s,
            system_s: self.system_s - earlier.system_s,
        }
    }

    /// Own and kernel together.
    pub(crate) fn total_s(self) -> f64 {
        self.user_s + self.system_s
    }
}

impl Server {
    /// Starts a memcached or a kin of it on a free port, on these cores only, with `flags`
    /// beside those that name the address. Returns when it accepts connections.
    pub(crate) fn start(program: &Path, flags: &[&str], on: &[usize]) -> io::Result<Self> {
        cores::with(on, || Self::start_at("127.0.0.1", program, flags))
    }

    /// As [`Self::start`], on any core, at a loopback address written as `-l` has it.
    pub(crate) fn start_at(listen: &str, program: &Path, flags: &[&str]) -> io::Result<Self> {
        let port = free_port()?;
        let mut command = Command::new(program);
        command
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

    /// Starts `command`, which must print the port it listens on as its first line.
    pub(crate) fn start_announcing(command: &mut Command, on: &[usize]) -> io::Result<Self> {
        command.stdin(Stdio::null()).stdout(Stdio::piped());
        let mut child = cores::with(on, || command.spawn())?;
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

    /// Processor time used so far.
    pub(crate) fn cpu(&self) -> io::Result<CpuTime> {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.child.id()))?;
        // The second field is the program's name and may hold anything, even brackets.
        let fields = stat.rsplit(')').next().unwrap_or_default();
        let mut fields = fields.split_ascii_whitespace().skip(11);
        let mut seconds = || -> io::Result<f64> {
            let ticks = fields.next().unwrap_or_default();
            let ticks = ticks.parse::<u64>().map_err(io::Error::other)?;
            Ok(ticks as f64 / rustix::param::clock_ticks_per_second() as f64)
        };
        Ok(CpuTime {
            user_s: seconds()?,
            system_s: seconds()?,
        })
    }

    /// Memory resident now, in bytes.
    pub(crate) fn rss_bytes(&self) -> io::Result<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kib = line.unwrap_or_default().trim().trim_end_matches(" kB");
        Ok(kib.parse::<u64>().map_err(io::Error::other)? << 10)
    }

    /// One number of `stats`.
    pub(crate) fn stat(&self, name: &str) -> io::Result<u64> {
        let mut stream = TcpStream::connect(self.address)?;
        stream.set_read_timeout(Some(Duration::from_secs(10)))?;
        stream.write_all(b"stats\r\nquit\r\n")?;
        let mut reply = String::new();
        stream.read_to_string(&mut reply)?;
        let wanted = format!("STAT {name} ");
        let value = reply.lines().find_map(|line| line.strip_prefix(&wanted));
        value
            .unwrap_or_default()
            .parse()
            .map_err(|_| io::Error::other(format!("no {name} in stats")))
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
