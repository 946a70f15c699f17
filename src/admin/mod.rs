//! The admin listener: metrics, health, the JSON API and a page, over HTTP, for operators and what
//! works for them.
//!
//! ```text
//! thread.rs        one poll, a few connections
//!    connection.rs    bytes in, answers out; stream.rs carries them, plain or encrypted
//!       http.rs          heads of requests, frames of answers
//!    pages.rs         which answer; guard.rs says who may have it
//!       exporter.rs, own.rs, insight.rs   /metrics, written by exposition.rs
//!       api.rs                            /api/v1/
//!       page/                             /
//!       actions.rs                        what can be changed
//!    history.rs       the last hour, written down once a second
//! ```
//!
//! It stands beside the server and reads what that one's threads leave. What can be changed through
//! it is in `actions.rs`, for who shows the token. Start reading at [`Admin`].

mod actions;
mod api;
mod connection;
mod exporter;
mod exposition;
mod figures;
mod guard;
mod history;
mod http;
mod insight;
mod own;
mod page;
mod pages;
mod state;
mod stream;
mod thread;

use std::fmt;
use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{Builder, JoinHandle};

use mio::{Poll, Waker};
use socket2::{Domain, Protocol, Socket, Type};

pub use guard::TokenError;
pub use state::{Ask, Phase};
pub use stream::{Channel, Secure};

use guard::Guard;
use state::State;
use thread::Thread;

use crate::config::Config;
use crate::config::admin::AdminListen;
use crate::held::{Endpoint, Held};
use crate::session::Shared;
use crate::socket_file::SocketFile;

/// Connections that the system may hold before they are accepted.
const BACKLOG: u32 = 128;

/// Why there is no admin listener. The text names the option and what to do.
#[derive(Debug)]
pub enum AdminError {
    /// It cannot listen there.
    Listen {
        /// Where.
        place: String,
        /// What the system said.
        source: io::Error,
    },
    /// There is no token.
    Token(TokenError),
    /// The system refused a thread or a poll.
    System(io::Error),
}

impl fmt::Display for AdminError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Listen { place, source } => {
                write!(f, "cannot listen on {place} (--admin): {source}")?;
                f.write_str(match source.kind() {
                    io::ErrorKind::AddrInUse => {
                        "; another server has it: stop that one or choose another"
                    }
                    io::ErrorKind::AddrNotAvailable => "; give --admin an address of this host",
                    io::ErrorKind::AlreadyExists => "; the file there is not a socket",
                    io::ErrorKind::NotFound => "; its folder does not exist",
                    _ => "",
                })
            }
            Self::Token(error) => write!(f, "{error}"),
            Self::System(source) => write!(f, "cannot start the admin listener: {source}"),
        }
    }
}

impl std::error::Error for AdminError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Listen { source, .. } | Self::System(source) => Some(source),
            Self::Token(error) => Some(error),
        }
    }
}

/// A socket that is bound, and nobody to answer there yet.
pub struct Bound {
    socket: Socket,
    place: String,
    /// Of its unix socket, if that is what it is.
    path: Option<PathBuf>,
    file: Option<SocketFile>,
    guard: Guard,
    secure: Option<Arc<dyn Secure>>,
}

/// The running admin listener. Dropping it ends it.
pub struct Admin {
    state: Arc<State>,
    handle: Handle,
    place: String,
    stopping: Arc<AtomicBool>,
    waker: Waker,
    thread: Option<JoinHandle<()>>,
    /// The file of its unix socket, which goes with it.
    _file: Option<SocketFile>,
}

impl Bound {
    /// Reads the token and binds the socket that the settings name, if they name one and it has not
    /// been held. With `secure` TLS is spoken there.
    ///
    /// # Errors
    ///
    /// When the token cannot be read, or the address not be had.
    pub fn bind(
        config: &Config,
        secure: Option<Box<dyn Secure>>,
        held: &mut Held,
    ) -> Result<Option<Self>, AdminError> {
        let listen = &config.admin;
        let token = config.admin_token_file.as_deref();
        let bound = match listen {
            AdminListen::Off => return Ok(None),
            AdminListen::Tcp { host, port } => {
                let scheme = if secure.is_some() { "https" } else { "http" };
                bind_tcp(host, *port, held)
                    .map(|(socket, address)| (socket, format!("{scheme}://{address}/"), None))
            }
            AdminListen::Unix(path) => {
                let bound = held.unix(path, config.unix_mode(), BACKLOG);
                bound.map(|(socket, file)| (socket, path.display().to_string(), file))
            }
        };
        let guard = Guard::new(listen, token).map_err(AdminError::Token);
        let (socket, place, file) = bound.map_err(|source| AdminError::Listen {
            place: listen.to_string(),
            source,
        })?;
        let path = match listen {
            AdminListen::Unix(path) => Some(path.clone()),
            AdminListen::Off | AdminListen::Tcp { .. } => None,
        };
        Ok(Some(Self {
            socket,
            place,
            path,
            file,
            guard: guard?,
            // Who reaches a unix socket is on this host.
            secure: secure
                .filter(|_| matches!(listen, AdminListen::Tcp { .. }))
                .map(Arc::from),
        }))
    }

    /// The path of the unix socket, if it is one.
    pub fn path(&self) -> Option<&Path> {
        self.path.as_deref()
    }

    /// Begins to answer. `sources` says where each setting came from, in the table's order; `ask`
    /// names threads that do not come round.
    ///
    /// # Errors
    ///
    /// When the system has no thread or poll for it.
    pub fn start(
        self,
        shared: Arc<Shared>,
        sources: Vec<String>,
        ask: Ask,
    ) -> Result<Admin, AdminError> {
        let poll = Poll::new().map_err(AdminError::System)?;
        let waker = Waker::new(poll.registry(), thread::WAKE).map_err(AdminError::System)?;
        let state = Arc::new(State::new(shared, sources, ask));
        let handle = Handle {
            guard: Arc::new(self.guard),
        };
        let stopping = Arc::new(AtomicBool::new(false));
        let thread = Thread::new(
            poll,
            self.socket,
            Arc::clone(&state),
            Arc::clone(&handle.guard),
            self.secure,
            Arc::clone(&stopping),
        )
        .map_err(AdminError::System)?;
        let thread = Builder::new()
            .name("larder-admin".to_owned())
            .spawn(move || thread.run())
            .map_err(AdminError::System)?;
        Ok(Admin {
            state,
            handle,
            place: self.place,
            stopping,
            waker,
            thread: Some(thread),
            _file: self.file,
        })
    }
}

/// Where the settings have operators come in, but for a port that the system chooses.
pub fn endpoints(config: &Config) -> Vec<Endpoint> {
    match &config.admin {
        AdminListen::Off | AdminListen::Tcp { port: 0, .. } => Vec::new(),
        AdminListen::Tcp { host, port } => {
            let addresses = (host.as_str(), *port).to_socket_addrs();
            // A name that stands for nothing is refused when it is to be bound.
            addresses.map_or_else(|_| Vec::new(), |all| all.map(Endpoint::Tcp).collect())
        }
        AdminListen::Unix(path) => vec![Endpoint::Unix {
            path: path.clone(),
            mode: config.unix_mode(),
        }],
    }
}

/// Reads the token, if there is to be one, and binds nothing.
///
/// # Errors
///
/// What is wrong with its file.
pub fn check(config: &Config) -> Result<(), AdminError> {
    let token = config.admin_token_file.as_deref();
    let guard = Guard::new(&config.admin, token);
    guard.map(drop).map_err(AdminError::Token)
}

/// Changes what an admin listener tells, from any thread.
#[derive(Clone)]
pub struct Handle {
    guard: Arc<Guard>,
}

impl Handle {
    /// Reads the token again, if there is one. When it cannot be had the old one stays.
    ///
    /// # Errors
    ///
    /// What is wrong with its file.
    pub fn reload(&self) -> Result<(), TokenError> {
        self.guard.reload()
    }
}

impl Admin {
    /// Where it listens: `http://ADDRESS:PORT/`, with TLS `https`, or the path of its socket.
    pub fn place(&self) -> &str {
        &self.place
    }

    /// What `/readyz` tells from now on.
    pub fn set_phase(&self, phase: Phase) {
        self.state.set_phase(phase);
    }

    /// By what it is changed from other threads.
    pub fn handle(&self) -> Handle {
        self.handle.clone()
    }
}

impl Drop for Admin {
    fn drop(&mut self) {
        self.stopping.store(true, Ordering::Release);
        // It looks around once a second anyway.
        let _ = self.waker.wake();
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            log::error!("thread larder-admin has panicked");
        }
    }
}

/// Takes what was held, or binds the first address that a name stands for and that can be had.
fn bind_tcp(host: &str, port: u16, held: &mut Held) -> io::Result<(Socket, String)> {
    let addresses: Vec<SocketAddr> = (host, port).to_socket_addrs()?.collect();
    for address in &addresses {
        if let Some(socket) = held.take(&Endpoint::Tcp(*address)) {
            return Ok((socket, address.to_string()));
        }
    }
    let mut last = io::ErrorKind::NotFound.into();
    for address in addresses {
        match bind_address(address) {
            Ok(socket) => {
                held.hold(&socket)?;
                let bound = socket.local_addr()?.as_socket().unwrap_or(address);
                return Ok((socket, bound.to_string()));
            }
            Err(error) => last = error,
        }
    }
    Err(last)
}

fn bind_address(address: SocketAddr) -> io::Result<Socket> {
    let domain = Domain::for_address(address);
    let kind = Type::STREAM.nonblocking().cloexec();
    let socket = Socket::new(domain, kind, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())?;
    socket.listen(i32::try_from(BACKLOG).unwrap_or(i32::MAX))?;
    Ok(socket)
}
