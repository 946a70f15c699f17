//! A client that says exactly these bytes and expects exactly those.
//!
//! Every wait has a deadline, and a failure prints what was expected and what came.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::{Duration, Instant};

use super::process::{patience, wait_until};

/// One connection, over TCP or a unix socket.
pub(crate) struct Client {
    stream: Stream,
    /// Received and not yet looked at.
    received: Vec<u8>,
    ended: bool,
}

enum Stream {
    Tcp(TcpStream),
    Unix(UnixStream),
}

impl Stream {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.read(buffer),
            Self::Unix(stream) => stream.read(buffer),
        }
    }

    fn write_all(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        match self {
            Self::Tcp(stream) => stream.write_all(bytes),
            Self::Unix(stream) => stream.write_all(bytes),
        }
    }

    fn set_read_timeout(&self, wait: Duration) -> std::io::Result<()> {
        match self {
            Self::Tcp(stream) => stream.set_read_timeout(Some(wait)),
            Self::Unix(stream) => stream.set_read_timeout(Some(wait)),
        }
    }
}

impl Client {
    /// Connects over TCP.
    pub(crate) fn tcp(address: SocketAddr) -> Self {
        let stream = TcpStream::connect_timeout(&address, patience()).expect("a listener");
        stream.set_nodelay(true).expect("TCP_NODELAY");
        stream
            .set_write_timeout(Some(patience()))
            .expect("a timeout");
        Self::over(Stream::Tcp(stream))
    }

    /// Connects to a unix socket.
    pub(crate) fn unix(path: &Path) -> Self {
        // The file appears when the socket is bound, an instant before it listens.
        let mut stream = None;
        wait_until(|| {
            stream = UnixStream::connect(path).ok();
            stream.is_some()
        });
        let stream = stream.expect("a listener");
        stream
            .set_write_timeout(Some(patience()))
            .expect("a timeout");
        Self::over(Stream::Unix(stream))
    }

    fn over(stream: Stream) -> Self {
        Self {
            stream,
            received: Vec::new(),
            ended: false,
        }
    }

    /// The same connection for another thread, which only sends.
    pub(crate) fn second(&self) -> Self {
        let stream = match &self.stream {
            Stream::Tcp(stream) => stream.try_clone().map(Stream::Tcp),
            Stream::Unix(stream) => stream.try_clone().map(Stream::Unix),
        };
        Self::over(stream.expect("a descriptor"))
    }

    /// Sends these bytes as they are.
    pub(crate) fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream.write_all(bytes.as_ref()).expect("a peer");
    }

    /// Sends these bytes; false if the peer has closed the connection meanwhile.
    pub(crate) fn try_send(&mut self, bytes: impl AsRef<[u8]>) -> bool {
        self.stream.write_all(bytes.as_ref()).is_ok()
    }

    /// Tells the peer that nothing more will be sent, and goes on receiving.
    pub(crate) fn finish_sending(&mut self) {
        let done = match &self.stream {
            Stream::Tcp(stream) => stream.shutdown(std::net::Shutdown::Write),
            Stream::Unix(stream) => stream.shutdown(std::net::Shutdown::Write),
        };
        done.expect("a peer");
    }

    /// The next `count` bytes; fewer only if the connection ends or the wait does.
    pub(crate) fn take(&mut self, count: usize) -> Vec<u8> {
        self.fill_until(|received| received.len() >= count);
        let count = count.min(self.received.len());
        self.received.drain(..count).collect()
    }

    /// Fails unless exactly these bytes come next.
    #[track_caller]
    pub(crate) fn expect(&mut self, bytes: impl AsRef<[u8]>) {
        let bytes = bytes.as_ref();
        let got = self.take(bytes.len());
        assert!(
            got == bytes,
            "expected {:?}\n     got {:?}",
            show(bytes),
            show(&got)
        );
    }

    /// Sends a request and expects this answer.
    #[track_caller]
    pub(crate) fn ask(&mut self, request: impl AsRef<[u8]>, answer: impl AsRef<[u8]>) {
        self.send(request);
        self.expect(answer);
    }

    /// The next line without its line end, or what came before the end of the connection.
    pub(crate) fn line(&mut self) -> String {
        let line = self.take_line();
        let text = String::from_utf8_lossy(&line);
        text.trim_end_matches(['\r', '\n']).to_owned()
    }

    /// The next line with its line end, or what came before the end of the connection.
    pub(crate) fn take_line(&mut self) -> Vec<u8> {
        self.fill_until(|received| received.contains(&b'\n'));
        match self.received.iter().position(|&byte| byte == b'\n') {
            Some(at) => self.received.drain(..=at).collect(),
            None => std::mem::take(&mut self.received),
        }
    }

    /// Sends one command line and returns its one-line answer.
    pub(crate) fn command(&mut self, line: &str) -> String {
        self.send(format!("{line}\r\n"));
        self.line()
    }

    /// Sends one command line and returns the lines of its answer before `END`.
    #[track_caller]
    pub(crate) fn list(&mut self, line: &str) -> Vec<String> {
        self.send(format!("{line}\r\n"));
        let mut lines = Vec::new();
        loop {
            let next = self.line();
            if next == "END" {
                return lines;
            }
            let broken = next.is_empty() || next.contains("ERROR");
            assert!(!broken, "{line}: {next:?} after {lines:?}");
            lines.push(next);
        }
    }

    /// One value of a `stats` report, or `None` if it does not name it.
    pub(crate) fn find_stat(&mut self, report: &str, name: &str) -> Option<String> {
        let wanted = format!("STAT {name} ");
        self.list(report)
            .iter()
            .find_map(|line| line.strip_prefix(&wanted).map(str::to_owned))
    }

    /// One number of plain `stats`.
    #[track_caller]
    pub(crate) fn stat(&mut self, name: &str) -> u64 {
        let text = self.find_stat("stats", name);
        let number = text.as_deref().and_then(|text| text.parse().ok());
        number.unwrap_or_else(|| panic!("stats: {name} is {text:?}"))
    }

    /// Waits until a number of plain `stats` satisfies `wanted`.
    #[track_caller]
    pub(crate) fn await_stat(&mut self, name: &str, wanted: impl Fn(u64) -> bool) -> u64 {
        let start = Instant::now();
        loop {
            let value = self.stat(name);
            if wanted(value) {
                return value;
            }
            assert!(start.elapsed() < patience(), "{name} stays {value}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Fails unless the connection is in step: what is sent now is answered next.
    #[track_caller]
    pub(crate) fn sync(&mut self) {
        self.send("mn\r\n");
        self.expect("MN\r\n");
    }

    /// Fails unless the server closes the connection without another byte.
    #[track_caller]
    pub(crate) fn expect_close(&mut self) {
        let rest = self.rest();
        assert!(rest.is_empty(), "before the end came {:?}", show(&rest));
    }

    /// Whether the server has closed the connection.
    pub(crate) fn ended(&self) -> bool {
        self.ended
    }

    /// Everything up to the end of the connection.
    #[track_caller]
    pub(crate) fn rest(&mut self) -> Vec<u8> {
        self.fill_until(|_| false);
        assert!(self.ended, "the connection stays open");
        std::mem::take(&mut self.received)
    }

    /// Everything that comes until `quiet` passes without a byte, or the connection ends.
    pub(crate) fn drain(&mut self, quiet: Duration) -> Vec<u8> {
        while !self.ended && self.read_once(quiet) {}
        std::mem::take(&mut self.received)
    }

    /// Reads until `enough`, the end of the connection, or the end of patience.
    fn fill_until(&mut self, enough: impl Fn(&[u8]) -> bool) {
        let deadline = Instant::now() + patience();
        while !self.ended && !enough(&self.received) {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() || !self.read_once(left) {
                return;
            }
        }
    }

    /// One read. False when nothing came in time.
    fn read_once(&mut self, wait: Duration) -> bool {
        let wait = wait.max(Duration::from_millis(1));
        self.stream.set_read_timeout(wait).expect("a timeout");
        let mut buffer = vec![0; 64 << 10];
        match self.stream.read(&mut buffer) {
            Ok(0) => self.ended = true,
            Ok(count) => self.received.extend_from_slice(&buffer[..count]),
            Err(error) => match error.kind() {
                ErrorKind::WouldBlock | ErrorKind::TimedOut => return false,
                ErrorKind::Interrupted => {}
                _ => self.ended = true,
            },
        }
        true
    }
}

/// Bytes as a failure message shows them: escaped, and cut when long.
pub(crate) fn show(bytes: &[u8]) -> String {
    const SHOWN_MAX: usize = 400;
    let cut = &bytes[..bytes.len().min(SHOWN_MAX)];
    let more = if bytes.len() > SHOWN_MAX {
        format!(" ... ({} bytes)", bytes.len())
    } else {
        String::new()
    };
    format!("{}{more}", cut.escape_ascii())
}
