//! Why a server could not start, in words for whoever started it.

use std::fmt;
use std::io;
use std::path::PathBuf;

pub use super::given::GivenError;
pub use super::peers::PeersError;
pub use super::tls::TlsError;
use crate::auth::FileError;

/// Why a server could not start. The text names the option and what to do.
#[derive(Debug)]
pub enum StartError {
    /// An address cannot be listened on.
    Listen {
        /// The address.
        address: String,
        /// The options that chose it.
        option: &'static str,
        /// What the system said.
        source: io::Error,
    },
    /// A name of `-l` stands for no address.
    Resolve {
        /// The name.
        address: String,
        /// What the system said.
        source: io::Error,
    },
    /// The unix socket cannot be listened on.
    UnixSocket {
        /// The path.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file of ports cannot be written.
    PortFile {
        /// The path.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// `-c` promises more descriptors than the process may open.
    Descriptors {
        /// Descriptors that would be needed.
        needed: u64,
        /// Descriptors that the process may open.
        allowed: u64,
        /// Those among the needed that are not for clients.
        spare: u64,
    },
    /// A socket of the service manager cannot be used.
    Given(GivenError),
    /// A certificate or key cannot be used.
    Tls(TlsError),
    /// A file or address of the cluster cannot be used.
    Peers(PeersError),
    /// A file of users cannot be read or is wrong.
    Users(FileError),
    /// The memory of `-m` cannot be had.
    Memory(io::Error),
    /// The file that is to keep items cannot be used.
    MemoryFile {
        /// The file, or who has it.
        place: String,
        /// The option that asks for it.
        option: &'static str,
        /// What is wrong and what to do.
        cause: String,
    },
    /// The file of snapshots cannot be used.
    Snapshot {
        /// The path.
        path: PathBuf,
        /// What is wrong and what to do.
        cause: String,
    },
    /// The system refused a thread or a poll.
    System(io::Error),
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Listen {
                address,
                option,
                source,
            } => {
                write!(f, "cannot listen on {address} ({option}): {source}")?;
                f.write_str(match source.kind() {
                    io::ErrorKind::AddrInUse => {
                        "; another server has it: stop that one or choose another port"
                    }
                    io::ErrorKind::AddrNotAvailable => "; give -l an address of this host",
                    io::ErrorKind::PermissionDenied => {
                        "; start as root with -u, or choose a port above 1023"
                    }
                    _ => "",
                })
            }
            Self::Resolve { address, source } => write!(
                f,
                "cannot find the address {address} (-l): {source}; give a number or a known name"
            ),
            Self::UnixSocket { path, source } => {
                let path = path.display();
                write!(f, "cannot listen on {path} (-s): {source}")?;
                f.write_str(match source.kind() {
                    io::ErrorKind::AddrInUse => {
                        "; a server answers there: stop it or choose another path"
                    }
                    io::ErrorKind::AlreadyExists => "; the file there is not a socket",
                    io::ErrorKind::NotFound => "; its folder does not exist",
                    _ => "",
                })
            }
            Self::PortFile { path, source } => {
                let path = path.display();
                write!(f, "cannot write {path} (MEMCACHED_PORT_FILENAME): {source}")
            }
            Self::Descriptors {
                needed,
                allowed,
                spare,
            } => write!(
                f,
                "-c needs {needed} open files and {allowed} are allowed; raise the limit \
                 (ulimit -n, LimitNOFILE) or give -c {} or less",
                allowed.saturating_sub(*spare)
            ),
            Self::Given(error) => write!(f, "{error}"),
            Self::Tls(error) => write!(f, "{error}"),
            Self::Peers(error) => write!(f, "{error}"),
            Self::Users(source) => write!(
                f,
                "cannot read the users (-Y, MEMCACHED_SASL_PWDB): {source}"
            ),
            Self::Memory(source) => write!(f, "cannot reserve memory (-m): {source}"),
            Self::MemoryFile {
                place,
                option,
                cause,
            } => write!(f, "cannot keep items in {place} ({option}): {cause}"),
            Self::Snapshot { path, cause } => {
                let path = path.display();
                write!(f, "cannot keep snapshots in {path} (--snapshot): {cause}")
            }
            Self::System(source) => write!(f, "cannot start threads (-t): {source}"),
        }
    }
}

impl std::error::Error for StartError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Listen { source, .. }
            | Self::Resolve { source, .. }
            | Self::UnixSocket { source, .. }
            | Self::PortFile { source, .. }
            | Self::Memory(source)
            | Self::System(source) => Some(source),
            Self::Tls(error) => Some(error),
            Self::Peers(error) => Some(error),
            Self::Users(source) => Some(source),
            Self::Given(_)
            | Self::Descriptors { .. }
            | Self::MemoryFile { .. }
            | Self::Snapshot { .. } => None,
        }
    }
}
