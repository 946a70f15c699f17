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
mod doctor;
mod dump;
mod error;
mod insight;
mod items;
mod keys;
mod latency;
pub mod load;
mod login;
#[cfg(test)]
mod manual;
mod monitor;
mod options;
mod progress;
mod raw_keys;
mod report;
pub mod requests;
mod restore;
mod scram;
mod snapshot;
pub mod stream;
pub mod tls;
mod top;
mod workers;

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;
use std::time::Duration;

use clap::{Arg, ArgMatches, Command, value_parser};
use serde_json::{Value, json};

use crate::cluster::Node;
use crate::cluster::placement::{Client, Placement};

pub use connection::{Access, Connection, LoggedIn, Login};
pub use error::{EXIT_CODES, Error};
pub use stream::Address;

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
        command: items::add_command,
        run: items::add,
    },
    Verb {
        command: items::replace_command,
        run: items::replace,
    },
    Verb {
        command: items::append_command,
        run: items::append,
    },
    Verb {
        command: items::prepend_command,
        run: items::prepend,
    },
    Verb {
        command: items::cas_command,
        run: items::cas,
    },
    Verb {
        command: items::get_command,
        run: items::get,
    },
    Verb {
        command: items::gat_command,
        run: items::gat,
    },
    Verb {
        command: items::touch_command,
        run: items::touch,
    },
    Verb {
        command: items::incr_command,
        run: items::incr,
    },
    Verb {
        command: items::decr_command,
        run: items::decr,
    },
    Verb {
        command: items::delete_command,
        run: items::delete,
    },
    Verb {
        command: items::flush_command,
        run: items::flush,
    },
    Verb {
        command: keys::keys_command,
        run: keys::keys,
    },
    Verb {
        command: keys::inspect_command,
        run: keys::inspect,
    },
    Verb {
        command: dump::command_line,
        run: dump::run,
    },
    Verb {
        command: restore::command_line,
        run: restore::run,
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
        command: top::command,
        run: top::run,
    },
    Verb {
        command: doctor::command,
        run: doctor::run,
    },
    Verb {
        command: insight::hotkeys_command,
        run: insight::hotkeys,
    },
    Verb {
        command: insight::bigkeys_command,
        run: insight::bigkeys,
    },
    Verb {
        command: insight::clients_command,
        run: insight::clients,
    },
    Verb {
        command: workers::slow_command,
        run: workers::slow,
    },
    Verb {
        command: workers::threads_command,
        run: workers::threads,
    },
    Verb {
        command: snapshot::command,
        run: snapshot::run,
    },
    Verb {
        command: latency::command,
        run: latency::run,
    },
    Verb {
        command: monitor::command,
        run: monitor::run,
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
    /// Where the daemons are: at least one.
    pub servers: Vec<Address>,
    /// How they are come to.
    pub access: Access,
    /// Whether every node that a daemon lists is meant.
    pub cluster: bool,
    /// Whose rules say which daemon has a key.
    pub placement: Option<Client>,
    /// Whether output is for programs.
    pub json: bool,
    /// Whether words may have colours.
    pub has_colours: bool,
}

impl Session {
    /// Connects to the daemon that was named, the only one.
    ///
    /// # Errors
    ///
    /// [`Error::Usage`] when there are several, [`Error::Connect`], and [`Error::Refused`] when
    /// the login fails.
    pub fn connect(&self) -> Result<Connection, Error> {
        self.connect_to(&self.server()?)
    }

    /// The only daemon.
    ///
    /// # Errors
    ///
    /// [`Error::Usage`] when there are several; and as [`Self::nodes`].
    pub fn server(&self) -> Result<Address, Error> {
        match &self.nodes()?[..] {
            [server] => Ok(server.clone()),
            several => Err(Error::Usage(format!(
                "this asks one daemon, and there are {}; --placement CLIENT tells which has a key",
                several.len()
            ))),
        }
    }

    /// Connects to the daemon that has a key: the only one, or that of `--placement`.
    ///
    /// # Errors
    ///
    /// As [`Self::connect`].
    pub fn connect_for(&self, key: &[u8]) -> Result<Connection, Error> {
        self.connect_to(self.owners()?.server(key))
    }

    /// The daemons that keys are spread over: the only one, or those of `--placement`.
    ///
    /// # Errors
    ///
    /// As [`Self::server`].
    pub fn owners(&self) -> Result<Owners, Error> {
        let Some(client) = self.placement else {
            return Ok(Owners {
                servers: vec![self.server()?],
                placement: None,
            });
        };
        let nodes: Vec<Node> = if self.cluster {
            cluster::listed(self)?
        } else {
            let nodes: Result<_, _> = self.servers.iter().map(cluster::node).collect();
            nodes?
        };
        if nodes.is_empty() {
            return Err(Error::NotFound);
        }
        Ok(Owners {
            servers: nodes.iter().map(cluster::address).collect(),
            placement: Some(Placement::new(client, &nodes)),
        })
    }

    /// Connects to a daemon of the cluster; the same login holds for all.
    ///
    /// # Errors
    ///
    /// [`Error::Connect`], and [`Error::Refused`] when the login fails.
    pub fn connect_to(&self, server: &Address) -> Result<Connection, Error> {
        let connection = Connection::open(server, &self.access)?;
        if connection.logged_in() == LoggedIn::Unneeded {
            self.complain(&format!(
                "{server} asks for no login, and has been told none"
            ));
        }
        Ok(connection)
    }

    /// All daemons that are asked: those named, or with `--cluster` those that they list.
    ///
    /// # Errors
    ///
    /// [`Error::Connect`] and what else keeps a daemon from telling its list.
    pub fn nodes(&self) -> Result<Vec<Address>, Error> {
        if !self.cluster {
            return Ok(self.servers.clone());
        }
        let nodes = cluster::listed(self)?;
        let addresses: BTreeSet<String> = nodes
            .iter()
            .map(|node| cluster::address(node).to_string())
            .collect();
        let parsed = addresses.iter().filter_map(|text| text.parse().ok());
        Ok(parsed.collect())
    }

    /// Asks each daemon and prints what it says: with several, under its name. One that fails
    /// does not keep the others from being asked.
    ///
    /// # Errors
    ///
    /// The first failure.
    pub fn each(
        &self,
        mut ask: impl FnMut(&Address, &mut Connection) -> Result<Shown, Error>,
    ) -> Result<(), Error> {
        let nodes = self.nodes()?;
        let mut failed = Vec::new();
        for (index, node) in nodes.iter().enumerate() {
            let said = self
                .connect_to(node)
                .and_then(|mut connection| ask(node, &mut connection));
            match said {
                Ok(shown) if nodes.len() == 1 => self.show(shown)?,
                Ok(shown) if self.json => {
                    let answer = json!({ "server": node.to_string(), "answer": shown.json });
                    self.print_json(&answer)?;
                }
                Ok(shown) => {
                    let gap = if index == 0 { "" } else { "\n" };
                    self.print(format!("{gap}{node}\n{}", shown.text))?;
                }
                Err(error) if nodes.len() == 1 => return Err(error),
                Err(error) => {
                    let error = error.at(node);
                    self.complain(&error.to_string());
                    failed.push(error);
                }
            }
        }
        let count = failed.len();
        match failed.into_iter().next() {
            None => Ok(()),
            Some(first) => Err(Error::Partly {
                failed: count,
                asked: nodes.len(),
                first: Box::new(first),
            }),
        }
    }

    /// Prints an answer in the form that was asked for.
    ///
    /// # Errors
    ///
    /// As [`Self::print`].
    pub fn show(&self, shown: Shown) -> Result<(), Error> {
        if self.json {
            self.print_json(&shown.json)
        } else {
            self.print(shown.text)
        }
    }

    /// Says to programs what has been done; people see that nothing went wrong.
    ///
    /// # Errors
    ///
    /// As [`Self::print`].
    pub fn done(&self, json: &Value) -> Result<(), Error> {
        if self.json {
            self.print_json(json)
        } else {
            Ok(())
        }
    }

    /// Writes to standard output.
    ///
    /// # Errors
    ///
    /// [`Error::Local`]; a reader who has gone is none.
    pub fn print(&self, bytes: impl AsRef<[u8]>) -> Result<(), Error> {
        self.print_on(bytes).map(|_| ())
    }

    /// Writes to standard output; whether anybody reads on.
    ///
    /// # Errors
    ///
    /// [`Error::Local`].
    pub fn print_on(&self, bytes: impl AsRef<[u8]>) -> Result<bool, Error> {
        let mut out = io::stdout().lock();
        match out.write_all(bytes.as_ref()).and_then(|()| out.flush()) {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(false),
            Err(error) => Err(Error::Local(error)),
            Ok(()) => Ok(true),
        }
    }

    /// Writes a line of JSON to standard output.
    ///
    /// # Errors
    ///
    /// As [`Self::print`].
    pub fn print_json(&self, value: &Value) -> Result<(), Error> {
        self.print(format!("{value}\n"))
    }

    /// Says on standard error that something has not worked which does not stop the rest.
    pub fn complain(&self, words: &str) {
        // Nobody may be listening any more.
        drop(writeln!(io::stderr(), "larder: {words}"));
    }

    /// Says on standard error how it went, where standard output has something else to carry.
    pub fn remark(&self, words: &str) {
        drop(writeln!(io::stderr(), "{words}"));
    }

    /// Words in a colour, where there are colours.
    pub fn paint(&self, colour: Colour, words: &str) -> String {
        if self.has_colours && colour != Colour::Plain {
            format!("\x1b[{}m{words}\x1b[0m", colour.code())
        } else {
            words.to_owned()
        }
    }

    /// Whether a person reads standard output.
    pub fn is_watched(&self) -> bool {
        io::stdout().is_terminal()
    }
}

/// The daemons that keys are spread over, and who has which.
pub struct Owners {
    /// At least one.
    servers: Vec<Address>,
    /// By places in `servers`; `None` where there is one.
    placement: Option<Placement>,
}

impl Owners {
    /// The daemons: at least one.
    pub fn servers(&self) -> &[Address] {
        &self.servers
    }

    /// The place of a key's owner among [`Self::servers`].
    pub fn of(&self, key: &[u8]) -> usize {
        let owner = self.placement.as_ref().and_then(|all| all.owner(key));
        owner.unwrap_or(0)
    }

    /// Who has a key.
    pub fn server(&self, key: &[u8]) -> &Address {
        &self.servers[self.of(key)]
    }
}

/// How a word stands out on a terminal.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Colour {
    /// As all else.
    Plain,
    /// As a title.
    Bold,
    /// All is well.
    Green,
    /// Worth a look.
    Yellow,
    /// Something is wrong.
    Red,
}

impl Colour {
    /// What a terminal obeys.
    const fn code(self) -> &'static str {
        match self {
            Self::Plain => "0",
            Self::Bold => "1",
            Self::Green => "32",
            Self::Yellow => "33",
            Self::Red => "31",
        }
    }
}

/// Whether words may have colours: on a terminal, unless the user or the terminal wants none.
fn is_coloured() -> bool {
    let wants_none = std::env::var_os("NO_COLOR").is_some_and(|word| !word.is_empty());
    let is_dumb = std::env::var_os("TERM").is_none_or(|name| name == "dumb" || name.is_empty());
    io::stdout().is_terminal() && !wants_none && !is_dumb
}

/// An answer in both forms.
pub struct Shown {
    /// For people: whole lines.
    pub text: String,
    /// For programs.
    pub json: Value,
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
        servers: options::servers(arguments)?,
        access: options::access(arguments)?,
        cluster: arguments.get_flag("cluster"),
        placement: arguments.get_one("placement").copied(),
        json: arguments.get_flag("json"),
        has_colours: is_coloured(),
    };
    let verb = COMMANDS
        .iter()
        .find(|verb| (verb.command)().get_name() == name)
        .ok_or_else(|| Error::Usage(format!("no such command: {name}")))?;
    (verb.run)(&session, arguments)
}

/// The command line.
pub fn command() -> Command {
    Command::new("larder")
        .version(env!("CARGO_PKG_VERSION"))
        .about(ABOUT)
        .subcommand_required(true)
        .arg_required_else_help(true)
        .infer_long_args(true)
        .max_term_width(100)
        .args(options::arguments())
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
        .help("1 to 250 bytes without blanks, or base64:TEXT for any bytes")
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
