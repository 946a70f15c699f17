//! Why a command of the client program failed, and the exit code that scripts see.

use std::fmt;
use std::io;

use super::Address;

/// Why a command failed.
#[derive(Debug)]
pub enum Error {
    /// What was asked for is not there; nothing is wrong.
    NotFound,
    /// The daemon said no, with these words.
    Refused(String),
    /// A condition did not hold, such as that of `add`; nothing is wrong.
    Unmet(&'static str),
    /// The daemon does not have what was asked for: it is another, or an older one.
    Lacks(String),
    /// An examination went well, and found something that is not.
    Unwell {
        /// Whether something is wrong now; else something may go wrong.
        is_critical: bool,
    },
    /// The command line asks for something that cannot be.
    Usage(String),
    /// Nobody answered at this address.
    Connect {
        /// The address as it was given.
        server: String,
        /// What the system said.
        cause: io::Error,
    },
    /// The conversation broke: the connection ended, took too long, or brought what is no reply.
    Broken(io::Error),
    /// Something on this side failed, such as writing the output.
    Local(io::Error),
    /// One daemon of several failed.
    At(String, Box<Self>),
    /// Some daemons of several failed, and it has been told which and why.
    Partly {
        /// How many failed.
        failed: usize,
        /// How many were asked.
        asked: usize,
        /// What the first of them said.
        first: Box<Self>,
    },
}

/// Exit codes and what each means, for the manual page.
pub const EXIT_CODES: &[(u8, &str)] = &[
    (0, "done"),
    (
        1,
        "not found, a condition that did not hold, or refused by the daemon",
    ),
    (2, "the command line is wrong"),
    (3, "no connection"),
    (4, "the connection broke, or the daemon took too long"),
    (5, "something failed on this side"),
    (6, "the daemon does not have what was asked for"),
    (7, "doctor found something to warn of"),
    (8, "doctor found something critical"),
];

impl Error {
    /// The exit code of the program.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::NotFound | Self::Refused(_) | Self::Unmet(_) => 1,
            Self::Usage(_) => 2,
            Self::Connect { .. } => 3,
            Self::Broken(_) => 4,
            Self::Local(_) => 5,
            Self::Lacks(_) => 6,
            Self::Unwell { is_critical: false } => 7,
            Self::Unwell { is_critical: true } => 8,
            Self::At(_, cause) | Self::Partly { first: cause, .. } => cause.exit_code(),
        }
    }

    /// Says whose error it is, unless it names the daemon already or is none of a daemon's.
    pub fn at(self, server: &Address) -> Self {
        match self {
            Self::Connect { .. } | Self::Local(_) | Self::Usage(_) => self,
            other => Self::At(server.to_string(), Box::new(other)),
        }
    }

    /// A reply that is not what this command must get.
    pub fn unexpected(line: &[u8]) -> Self {
        let shown = String::from_utf8_lossy(&line[..line.len().min(80)]).into_owned();
        Self::Broken(io::Error::other(format!("unexpected reply: {shown:?}")))
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotFound => f.write_str("not found"),
            Self::Refused(words) => write!(f, "the daemon refused: {words}"),
            Self::Unmet(words) => f.write_str(words),
            Self::Lacks(words) => write!(f, "the daemon lacks it: {words}"),
            Self::Unwell { is_critical: false } => f.write_str("there is something to warn of"),
            Self::Unwell { is_critical: true } => f.write_str("there is something critical"),
            Self::Usage(words) => f.write_str(words),
            Self::Connect { server, cause } => write!(
                f,
                "cannot connect to {server}: {cause}; --server or LARDER_SERVER names another \
                 daemon"
            ),
            Self::Broken(cause) if is_timeout(cause) => {
                f.write_str("the daemon did not answer in time; --timeout allows for more")
            }
            Self::Broken(cause) => write!(f, "the connection broke: {cause}"),
            Self::Local(cause) => write!(f, "{cause}"),
            Self::At(server, cause) => write!(f, "{server}: {cause}"),
            Self::Partly { failed, asked, .. } => {
                write!(f, "{failed} of {asked} daemons failed")
            }
        }
    }
}

impl std::error::Error for Error {}

/// Whether a wait has ended because nothing came.
pub(super) fn is_timeout(cause: &io::Error) -> bool {
    matches!(
        cause.kind(),
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut
    )
}
