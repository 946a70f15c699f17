//! `larder`, the operator's program: asks a daemon, shows what it says.
//!
//! [`COMMANDS`] has one row for each command; the command line, help, the manual page and what is
//! run come from it. A new command is a file with a `command` and a `run`, and a row. Start
//! reading at [`run`].
//!
//! It is a client like any other, of larderd or of memcached: it speaks over a connection and
//! shares nothing with the daemon but the words of the protocol.

mod bench;
mod cluster;
pub mod connection;
mod dev;
mod error;
mod items;
pub mod load;
#[cfg(test)]
mod manual;
mod report;

use std::ffi::OsString;
use std::fs;
use std::io::{self, IsTerminal, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};

use zeroize::Zeroizing;

pub use connection::{Address, Connection, Login};
pub use error::{EXIT_CODES, Error};

/// One command of the program.
pub struct Verb {
    /// Its arguments and help. What stands after the help is an example for each line.
    pub command: fn() -> Command,
    /// Carries it out.
    pub run: fn(&Session, &ArgMatches) -> Result<(), Error>,
}

/// Every command, in the order of the help.
pub const COMMANDS: &[Verb] = &[
    Verb {
        command: items::set_command,
        run: items::set,
    },
    Verb {
        command: items::get_command,
        run: items::get,
    },
    Verb {
        command: items::delete_command,
        run: items::delete,
    },
    Verb {
        command: report::stats_command,
        run: report::stats,
    },
    Verb {
        command: report::version_command,
        run: report::version,
    },
    Verb {
        command: bench::command,
        run: bench::run,
    },
    Verb {
        command: cluster::command,
        run: cluster::run,
    },
];

/// What all commands are told.
pub struct Session {
    /// Where the daemon is.
    pub server: Address,
    /// Longest wait for it.
    pub timeout: Duration,
    /// Who is asking, if the daemon wants to know.
    pub login: Option<Login>,
    /// Whether output is for programs.
    pub json: bool,
}

impl Session {
    /// Connects to the daemon, and logs in if that was asked for.
    ///
    /// # Errors
    ///
    /// [`Error::Connect`], and [`Error::Refused`] when the login fails.
    pub fn connect(&self) -> Result<Connection, Error> {
        self.connect_to(&self.server)
    }

    /// Connects to another daemon of the same cluster, where the same login holds.
    ///
    /// # Errors
    ///
    /// As [`Self::connect`].
    pub fn connect_to(&self, server: &Address) -> Result<Connection, Error> {
        let mut connection = Connection::open(server, self.timeout)?;
        if let Some(login) = &self.login {
            connection.login(login)?;
        }
        Ok(connection)
    }

    /// Writes to standard output.
    ///
    /// # Errors
    ///
    /// [`Error::Local`]; a reader who has gone is none.
    pub fn print(&self, bytes: impl AsRef<[u8]>) -> Result<(), Error> {
        let mut out = io::stdout().lock();
        match out.write_all(bytes.as_ref()).and_then(|()| out.flush()) {
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(Error::Local(error)),
            _ => Ok(()),
        }
    }

    /// Writes a line of JSON to standard output.
    ///
    /// # Errors
    ///
    /// As [`Self::print`].
    pub fn print_json(&self, value: &serde_json::Value) -> Result<(), Error> {
        self.print(format!("{value}\n"))
    }

    /// Says on standard error that something has not worked which does not stop the rest.
    pub fn complain(&self, words: &str) {
        // Nobody may be listening any more.
        drop(writeln!(io::stderr(), "larder: {words}"));
    }

    /// Whether a person reads standard output.
    pub fn is_watched(&self) -> bool {
        io::stdout().is_terminal()
    }
}

/// Runs the program with these arguments, its name first.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let matches = match command().try_get_matches_from(arguments) {
        Ok(matches) => matches,
        Err(error) => {
            // Help goes to standard output and is no failure; whether anyone reads it is.
            drop(error.print());
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2));
        }
    };
    match obey(&matches) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Nobody may be listening any more.
            drop(writeln!(io::stderr(), "larder: {error}"));
            ExitCode::from(error.exit_code())
        }
    }
}

fn obey(matches: &ArgMatches) -> Result<(), Error> {
    let Some((name, arguments)) = matches.subcommand() else {
        return Err(Error::Usage("a command is missing".to_owned()));
    };
    let session = Session {
        server: match arguments.get_one("server") {
            Some(server) => Address::clone(server),
            None => from_environment()?,
        },
        timeout: arguments
            .get_one("timeout")
            .copied()
            .unwrap_or(TIMEOUT_DEFAULT),
        login: login(arguments)?,
        json: arguments.get_flag("json"),
    };
    let verb = COMMANDS
        .iter()
        .find(|verb| (verb.command)().get_name() == name)
        .ok_or_else(|| Error::Usage(format!("no such command: {name}")))?;
    (verb.run)(&session, arguments)
}

/// The daemon that the environment names. Not read by clap, for which a variable beside a
/// subcommand would outweigh an option before it.
fn from_environment() -> Result<Address, Error> {
    let text = std::env::var("LARDER_SERVER").unwrap_or_default();
    let text = if text.is_empty() {
        SERVER_DEFAULT
    } else {
        &text
    };
    text.parse()
        .map_err(|error| Error::Usage(format!("LARDER_SERVER: {error}")))
}

/// Who is asking. The password comes from a file, since others can see command lines.
fn login(arguments: &ArgMatches) -> Result<Option<Login>, Error> {
    let user = arguments.get_one::<String>("user").cloned();
    let file = arguments.get_one::<PathBuf>("password-file");
    let (user, file) = match (user, file) {
        (None, None) => return Ok(None),
        (Some(user), Some(file)) => (user, file),
        _ => {
            let words = "--user and --password-file go together";
            return Err(Error::Usage(words.to_owned()));
        }
    };
    let mut password = fs::read(file)
        .map(Zeroizing::new)
        .map_err(|error| Error::Local(io::Error::other(format!("{}: {error}", file.display()))))?;
    while password.last().is_some_and(|&byte| byte == b'\n') {
        password.pop();
    }
    Ok(Some(Login { user, password }))
}

/// The daemon to ask, unless told otherwise.
const SERVER_DEFAULT: &str = "127.0.0.1:11211";

/// How long a daemon may take, unless told otherwise.
const TIMEOUT_DEFAULT: Duration = Duration::from_secs(5);

/// The command line.
pub fn command() -> Command {
    Command::new("larder")
        .version(env!("CARGO_PKG_VERSION"))
        .about(ABOUT)
        .subcommand_required(true)
        .arg_required_else_help(true)
        .infer_long_args(true)
        .max_term_width(100)
        .arg(
            Arg::new("server")
                .short('s')
                .long("server")
                .value_name("HOST:PORT|PATH")
                .help(
                    "The daemon to ask: a host with its port, or the path of a unix socket \
                     [env: LARDER_SERVER] [default: 127.0.0.1:11211]",
                )
                .value_parser(|text: &str| text.parse::<Address>())
                .global(true),
        )
        .arg(
            Arg::new("timeout")
                .long("timeout")
                .value_name("SECONDS")
                .help("Longest wait for the daemon [default: 5]")
                .value_parser(|text: &str| seconds(text))
                .global(true),
        )
        .arg(
            Arg::new("user")
                .long("user")
                .value_name("NAME")
                .help("Log in as this user, to a daemon with -Y")
                .global(true),
        )
        .arg(
            Arg::new("password-file")
                .long("password-file")
                .value_name("FILE")
                .help("The file that holds the password and nothing else")
                .value_parser(value_parser!(PathBuf))
                .global(true),
        )
        .arg(
            Arg::new("json")
                .long("json")
                .help("Print JSON, for programs")
                .action(ArgAction::SetTrue)
                .global(true),
        )
        .subcommands(COMMANDS.iter().map(|verb| (verb.command)()))
}

const ABOUT: &str = "Asks a larderd, or a memcached, and shows what it says.";

/// A time above zero, as seconds that may have a fraction.
fn seconds(text: &str) -> Result<Duration, String> {
    text.parse()
        .ok()
        .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
        .filter(|duration| !duration.is_zero())
        .ok_or_else(|| "a number of seconds above zero is needed".to_owned())
}

/// An argument that is one key, or several.
fn key_argument() -> Arg {
    Arg::new("key")
        .value_name("KEY")
        .help("1 to 250 bytes without blanks")
        .required(true)
        .value_parser(value_parser!(OsString))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_sound_and_every_command_has_help_and_an_example() {
        command().debug_assert();
        for verb in COMMANDS {
            let command = (verb.command)();
            let name = command.get_name().to_owned();
            assert!(command.get_about().is_some(), "{name}");
            let example = command
                .get_after_help()
                .map(ToString::to_string)
                .unwrap_or_default();
            assert!(
                example.contains(&format!("  larder {name}")),
                "{name} has no example"
            );
        }
    }

    #[test]
    fn seconds_are_above_zero() {
        assert_eq!(seconds("0.5"), Ok(Duration::from_millis(500)));
        for wrong in ["0", "-1", "x", "NaN", "1e300"] {
            assert!(seconds(wrong).is_err(), "{wrong}");
        }
    }
}
