//! What a service manager is told, and what it hands over: systemd's protocols, which others
//! speak too. Without one, nothing here does anything.
//!
//! It is told by datagrams when clients can connect, while settings are read again, when the end
//! begins, and at intervals that every thread still comes round. It may hand over sockets that it
//! has bound itself, and hold the memory of the items and our own listeners from one process to the
//! next.

use std::fs::{File, OpenOptions};
use std::io::{self, IoSlice, Read};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram, UnixStream};
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError};
use listenfd::ListenFd;
use rustix::net::{
    SendAncillaryBuffer, SendAncillaryMessage, SendFlags, SocketAddrUnix, sendmsg_addr,
};
use rustix::time::{ClockId, clock_gettime};

use crate::held::{Named, is_held};
use crate::server::{Given, GivenSocket, Pulse};

/// How long a service manager that does not read may hold a thread up.
const SEND_PATIENCE: Duration = Duration::from_secs(5);

/// How much longer a manager is to wait for a daemon that says that it is busy.
const BUSY: Duration = Duration::from_secs(60);

/// Looks at the threads for each time that the service manager has to hear of them: a thread may
/// miss a look without being taken for dead.
const LOOKS_PER_PERIOD: u32 = 4;

/// Most sockets that can be handed over.
const GIVEN_COUNT_MAX: usize = 256;

/// The first descriptor that is handed over; fixed by the protocol.
const GIVEN_FIRST: usize = 3;

/// The name of the file with the items, in the manager's keeping.
const MEMORY: &str = "larder-memory";

/// What a service manager hands over.
#[derive(Default)]
pub(super) struct Handed {
    /// Sockets that it has bound.
    pub(super) sockets: Vec<Given>,
    /// Sockets that a process before this one has bound.
    pub(super) held: Vec<Named>,
    /// The file with the items of a process before this one.
    pub(super) memory: Option<File>,
}

/// The variables of this process.
pub(super) type Environment = [(String, String)];

fn variable<'a>(environment: &'a Environment, name: &str) -> Option<&'a str> {
    let found = environment.iter().find(|(key, _)| key == name);
    found.map(|(_, value)| value.as_str())
}

/// Whether a variable that names a process names this one.
fn is_us(text: &str) -> bool {
    text.parse() == Ok(std::process::id())
}

/// The service manager, if there is one that wants to be told.
pub(super) struct Manager {
    /// Not connected, so that telling needs no more than sending.
    socket: Option<(UnixDatagram, SocketAddr)>,
    /// How often it wants to hear that all is well.
    watchdog: Option<Duration>,
}

impl Manager {
    /// The one that the environment names.
    pub(super) fn new(environment: &Environment) -> Self {
        let address = variable(environment, "NOTIFY_SOCKET").filter(|name| !name.is_empty());
        let socket = address.and_then(|name| match open(name) {
            Ok(socket) => Some(socket),
            Err(error) => {
                log::warn!("cannot tell the service manager  NOTIFY_SOCKET={name} error={error}");
                None
            }
        });
        let watchdog = socket.is_some().then(|| period(environment)).flatten();
        Self { socket, watchdog }
    }

    /// Clients can connect.
    pub(super) fn ready(&self, status: &str) {
        self.tell(&format!("READY=1\nSTATUS={status}\n"));
    }

    /// Settings are read again; [`Self::ready`] ends it.
    pub(super) fn reloading(&self) {
        let now = clock_gettime(ClockId::Monotonic);
        // A manager that waits for the end of a reload tells this one from an earlier one by it.
        let now_us = i128::from(now.tv_sec) * 1_000_000 + i128::from(now.tv_nsec) / 1000;
        self.tell(&format!(
            "RELOADING=1\nMONOTONIC_USEC={now_us}\nSTATUS=Reading the settings again\n"
        ));
    }

    /// The beginning or the end takes its time; to be said again before [`BUSY`] is over.
    pub(super) fn busy(&self, status: &str) {
        let more_us = BUSY.as_micros();
        self.tell(&format!("EXTEND_TIMEOUT_USEC={more_us}\nSTATUS={status}\n"));
    }

    /// The end begins.
    pub(super) fn stopping(&self) {
        self.tell("STOPPING=1\nSTATUS=Stopping\n");
    }

    /// How long it may go without hearing of the threads, if it wants to.
    pub(super) fn watchdog(&self) -> Option<Duration> {
        self.watchdog
    }

    /// Tells the manager that all is well for as long as every thread comes round, until `stop`
    /// is gone. A thread that does not lets it starve.
    pub(super) fn watch(
        &self,
        pulse: &mut Pulse,
        period: Duration,
        status: &str,
        stop: &Receiver<()>,
    ) {
        let mut is_well = true;
        pulse.silent();
        while stop.recv_timeout(period / LOOKS_PER_PERIOD) == Err(RecvTimeoutError::Timeout) {
            let silent = pulse.silent().join(",");
            if silent.is_empty() {
                if !is_well {
                    log::warn!("all threads answer again");
                    self.tell(&format!("STATUS={status}\n"));
                }
                self.tell("WATCHDOG=1\n");
            } else if is_well {
                log::warn!("the watchdog is not fed: threads do not answer  threads={silent}");
                self.tell(&format!("STATUS=Threads do not answer: {silent}\n"));
            }
            is_well = silent.is_empty();
        }
    }

    /// Has the manager hold the file with the items, and hand it to the next process.
    pub(super) fn keep_memory(&self, file: &File) {
        self.keep(MEMORY, file.as_fd());
    }

    /// Has the manager let go of such a file.
    pub(super) fn forget_memory(&self) {
        self.forget(&[MEMORY.to_owned()]);
    }

    /// Has the manager hold what this process has open, under a name of its own.
    pub(super) fn keep(&self, name: &str, what: BorrowedFd<'_>) {
        // What happens to it meanwhile is no reason to let go of it.
        let message = format!("FDSTORE=1\nFDNAME={name}\nFDPOLL=0\n");
        if let Some((socket, address)) = &self.socket
            && let Err(error) = send_with(socket, address, &message, what)
        {
            log::warn!("the service manager does not keep {name} over a restart  error={error}");
        }
    }

    /// Has the manager let go of what it holds under these names, and waits until it has: what was
    /// bound can be bound by others then.
    pub(super) fn forget(&self, names: &[String]) {
        for name in names {
            self.tell(&format!("FDSTOREREMOVE=1\nFDNAME={name}\n"));
        }
        if let Some((socket, address)) = self.socket.as_ref().filter(|_| !names.is_empty())
            && let Err(error) = barrier(socket, address)
        {
            log::warn!("the service manager does not answer  error={error}");
        }
    }

    /// Whether there is a manager to tell.
    pub(super) fn is_there(&self) -> bool {
        self.socket.is_some()
    }

    fn tell(&self, message: &str) {
        if let Some((socket, address)) = &self.socket
            && let Err(error) = socket.send_to_addr(message.as_bytes(), address)
        {
            log::warn!("cannot tell the service manager  error={error}");
        }
    }
}

/// Waits until the manager has read everything that was sent before: it closes what comes with this.
fn barrier(socket: &UnixDatagram, address: &SocketAddr) -> io::Result<()> {
    let (mut ours, its) = UnixStream::pair()?;
    ours.set_read_timeout(Some(SEND_PATIENCE))?;
    send_with(socket, address, "BARRIER=1", its.as_fd())?;
    drop(its);
    ours.read(&mut [0]).map(drop)
}

fn send_with(
    socket: &UnixDatagram,
    address: &SocketAddr,
    message: &str,
    what: BorrowedFd<'_>,
) -> io::Result<()> {
    let address = match (address.as_pathname(), address.as_abstract_name()) {
        (Some(path), _) => SocketAddrUnix::new(path)?,
        (None, Some(name)) => SocketAddrUnix::new_abstract_name(name)?,
        (None, None) => return Err(io::ErrorKind::AddrNotAvailable.into()),
    };
    let files = [what];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    control.push(SendAncillaryMessage::ScmRights(&files));
    let message = [IoSlice::new(message.as_bytes())];
    sendmsg_addr(socket, &address, &message, &mut control, SendFlags::empty())?;
    Ok(())
}

fn open(name: &str) -> io::Result<(UnixDatagram, SocketAddr)> {
    let address = match name.strip_prefix('@') {
        Some(name) => SocketAddr::from_abstract_name(name)?,
        None => SocketAddr::from_pathname(name)?,
    };
    let socket = UnixDatagram::unbound()?;
    socket.set_write_timeout(Some(SEND_PATIENCE))?;
    Ok((socket, address))
}

/// How often the manager wants to hear of this process.
fn period(environment: &Environment) -> Option<Duration> {
    let is_for_us = variable(environment, "WATCHDOG_PID").is_none_or(is_us);
    let period_us: u64 = variable(environment, "WATCHDOG_USEC")?.parse().ok()?;
    (is_for_us && period_us > 0).then(|| Duration::from_micros(period_us))
}

/// How many sockets the environment says are handed over to this process, and their names.
fn announced(environment: &Environment) -> Result<Vec<String>, String> {
    let Some(count) = variable(environment, "LISTEN_FDS") else {
        return Ok(Vec::new());
    };
    // They may be meant for the process that has started this one.
    if !variable(environment, "LISTEN_PID").is_some_and(is_us) {
        return Ok(Vec::new());
    }
    let count = count.parse().ok().filter(|count| *count <= GIVEN_COUNT_MAX);
    let Some(count) = count else {
        return Err(format!(
            "LISTEN_FDS: expected a number of sockets, at most {GIVEN_COUNT_MAX}"
        ));
    };
    let names: Vec<&str> = variable(environment, "LISTEN_FDNAMES")
        .map(|names| names.split(':').collect())
        .unwrap_or_default();
    let name = |index: usize| match names.get(index) {
        Some(name) if names.len() == count && !name.is_empty() => (*name).to_owned(),
        _ => format!("number {}", index + GIVEN_FIRST),
    };
    Ok((0..count).map(name).collect())
}

/// Whether sockets are handed over to this process.
pub(super) fn has_sockets(environment: &Environment) -> bool {
    announced(environment).is_ok_and(|names| !names.is_empty())
}

/// Takes what is handed over, which may be nothing. To be called once, before there is any thread.
///
/// # Errors
///
/// When one of them is nothing that clients can come in by.
pub(super) fn take(environment: &Environment) -> Result<Handed, String> {
    let names = announced(environment)?;
    let mut handed = Handed::default();
    if names.is_empty() {
        return Ok(handed);
    }
    let mut descriptors = ListenFd::from_env();
    for (index, name) in names.into_iter().enumerate() {
        if name == MEMORY {
            let number = descriptors.take_raw_fd(index).map_err(|e| e.to_string())?;
            handed.memory = number.and_then(open_again);
            continue;
        }
        let Some(socket) = take_socket(&mut descriptors, index) else {
            return Err(format!(
                "socket {name} of the service manager: expected TCP, UDP or a unix stream socket \
                 (ListenStream=, ListenDatagram=)"
            ));
        };
        if is_held(&name) {
            let socket = match socket {
                GivenSocket::Tcp(socket) => OwnedFd::from(socket),
                GivenSocket::Unix(socket) => socket.into(),
                GivenSocket::Udp(socket) => socket.into(),
            };
            handed.held.push(Named { name, socket });
        } else {
            handed.sockets.push(Given { name, socket });
        }
    }
    Ok(handed)
}

fn take_socket(descriptors: &mut ListenFd, index: usize) -> Option<GivenSocket> {
    if let Ok(Some(socket)) = descriptors.take_tcp_listener(index) {
        Some(GivenSocket::Tcp(socket))
    } else if let Ok(Some(socket)) = descriptors.take_unix_listener(index) {
        Some(GivenSocket::Unix(socket))
    } else if let Ok(Some(socket)) = descriptors.take_udp_socket(index) {
        Some(GivenSocket::Udp(socket))
    } else {
        None
    }
}

/// Opens a descriptor's file once more, as a file that closes itself. Without it there are no items.
fn open_again(number: i32) -> Option<File> {
    let path = format!("/proc/self/fd/{number}");
    let opened = OpenOptions::new().read(true).write(true).open(path);
    opened
        .map_err(|error| {
            log::warn!("cannot use the memory that the service manager has kept  error={error}");
        })
        .ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(variables: &[(&str, &str)]) -> Vec<(String, String)> {
        let own = std::process::id().to_string();
        variables
            .iter()
            .map(|(name, value)| ((*name).to_owned(), value.replace("OWN", &own)))
            .collect()
    }

    #[test]
    fn nobody_is_told_where_nobody_asked() {
        for variables in [&[][..], &[("NOTIFY_SOCKET", "")], &[("WATCHDOG_USEC", "1")]] {
            let manager = Manager::new(&environment(variables));
            assert!(manager.socket.is_none() && manager.watchdog.is_none());
            manager.ready("");
        }
    }

    #[test]
    fn a_path_or_an_abstract_name_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notify");
        let receiver = UnixDatagram::bind(&path).unwrap();
        Manager::new(&environment(&[("NOTIFY_SOCKET", path.to_str().unwrap())])).ready("fine");
        let mut buffer = [0; 200];
        let count = receiver.recv(&mut buffer).unwrap();
        assert_eq!(&buffer[..count], b"READY=1\nSTATUS=fine\n");

        let name = format!("larder-test-{}", std::process::id());
        let address = SocketAddr::from_abstract_name(&name).unwrap();
        let receiver = UnixDatagram::bind_addr(&address).unwrap();
        Manager::new(&environment(&[("NOTIFY_SOCKET", &format!("@{name}"))])).reloading();
        let count = receiver.recv(&mut buffer).unwrap();
        let text = String::from_utf8_lossy(&buffer[..count]);
        assert!(text.starts_with("RELOADING=1\nMONOTONIC_USEC="), "{text}");
    }

    #[test]
    fn the_watchdog_is_for_the_process_it_names() {
        for (pid, expected) in [
            (&[][..], Some(Duration::from_millis(5))),
            (&[("WATCHDOG_PID", "OWN")], Some(Duration::from_millis(5))),
            (&[("WATCHDOG_PID", "1")], None),
            (&[("WATCHDOG_PID", "x")], None),
        ] {
            let mut all = environment(&[("WATCHDOG_USEC", "5000")]);
            all.extend(environment(pid));
            assert_eq!(period(&all), expected, "{pid:?}");
        }
        assert_eq!(period(&environment(&[("WATCHDOG_USEC", "0")])), None);
        assert_eq!(period(&environment(&[("WATCHDOG_USEC", "x")])), None);
    }

    #[test]
    fn sockets_are_announced_to_one_process_with_their_names() {
        let announce = |variables: &[(&str, &str)]| announced(&environment(variables));
        assert_eq!(announce(&[]), Ok(vec![]));
        assert_eq!(announce(&[("LISTEN_FDS", "1")]), Ok(vec![]));
        assert_eq!(
            announce(&[("LISTEN_FDS", "1"), ("LISTEN_PID", "1")]),
            Ok(vec![])
        );
        let two = [("LISTEN_FDS", "2"), ("LISTEN_PID", "OWN")];
        let unnamed = vec!["number 3".to_owned(), "number 4".to_owned()];
        assert_eq!(announce(&two), Ok(unnamed.clone()));
        for (names, expected) in [
            ("web:local", vec!["web".to_owned(), "local".to_owned()]),
            (":local", vec!["number 3".to_owned(), "local".to_owned()]),
            ("web", unnamed),
        ] {
            let all = [two[0], two[1], ("LISTEN_FDNAMES", names)];
            assert_eq!(announce(&all), Ok(expected), "{names}");
        }
        for count in ["x", "-1", "257"] {
            let told = announce(&[("LISTEN_FDS", count), ("LISTEN_PID", "OWN")]);
            assert!(told.is_err(), "{count}");
        }
    }
}
