//! Arguments, environment and file into one [`Config`], and where each value came from.
//!
//! The weakest source is applied first and overwritten by the next: defaults, file, environment,
//! command line. Nothing here touches the process; the environment is an argument.

use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};

use clap::error::ErrorKind;
use clap::{Arg, ArgAction, ArgMatches, Command};

use super::flags::{self, Kind, REFUSED, Setting, Support, WORDS};
use super::value::{Wrong, closest};
use super::{BindingProtocol, Config, check, render};

/// What `--hash-password` can make of a password.
const HASH_METHODS: [&str; 2] = ["argon2id", "scram-sha-256"];

/// Words in the file that other programs read; larderd passes over them without a warning.
const FOREIGN_DIRECTIVES: &[&str] = &["logfile", "maxcon", "verbosity", "syslog"];

/// Where a value came from, weakest first.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Source {
    /// Nobody said anything.
    Default,
    /// A line of the configuration file.
    File {
        /// The file.
        path: PathBuf,
        /// Counted from 1.
        line: usize,
    },
    /// A variable.
    Environment(String),
    /// The command line.
    CommandLine,
}

impl Source {
    fn rank(&self) -> u8 {
        match self {
            Self::Default => 0,
            Self::File { .. } => 1,
            Self::Environment(_) => 2,
            Self::CommandLine => 3,
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File { path, line } => write!(f, "{}:{line}", path.display()),
            Self::Environment(name) => write!(f, "environment {name}"),
            Self::CommandLine => f.write_str("command line"),
        }
    }
}

/// Why there is no configuration. Its text is a whole message for the operator.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Error(String);

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Error {}

/// What the command line asks for.
#[derive(Debug)]
pub enum Action {
    /// Serve.
    Run(Box<Loaded>),
    /// Print this and leave.
    Print(String),
    /// Say whether all is good, with the files that the settings name, and leave.
    Check(Box<Loaded>),
    /// Read a password, print the line of this user for a file of users, and leave.
    HashPassword {
        /// The user.
        name: String,
        /// Whether the line shall serve SCRAM too.
        scram: bool,
    },
}

/// A configuration, and how it came to be.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The settings in force.
    pub config: Config,
    /// What the operator should hear, though it stops nothing.
    pub warnings: Vec<String>,
    /// Where each setting came from, in the table's order.
    sources: Vec<Source>,
}

impl Loaded {
    /// Where a setting came from, by its number in the table.
    pub fn source(&self, index: usize) -> &Source {
        &self.sources[index]
    }

    fn is_given(&self, name: &str) -> bool {
        flags::by_name(name).is_some_and(|(index, _)| self.sources[index] != Source::Default)
    }
}

/// Reads the command line (the program's name first) and the environment.
///
/// # Errors
///
/// An option, variable or line that is unknown, wrong or refused, or that contradicts another.
pub fn parse(
    arguments: impl IntoIterator<Item = OsString>,
    environment: &[(String, String)],
) -> Result<Action, Error> {
    let matches = match command().try_get_matches_from(arguments) {
        Ok(matches) => matches,
        Err(error) => {
            return match error.kind() {
                ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => {
                    Ok(Action::Print(error.render().to_string()))
                }
                _ => {
                    let text = error.render().to_string();
                    let text = text.strip_prefix("error: ").unwrap_or(&text);
                    Err(Error(text.trim_end().to_owned()))
                }
            };
        }
    };
    if matches.get_flag("license") {
        return Ok(Action::Print(render::LICENSE.to_owned()));
    }
    let file = matches
        .get_one::<String>("config")
        .or_else(|| variable(environment, "LARDER_CONFIG"));
    let mut loader = Loader::new();
    if let Some(path) = file {
        loader.file(Path::new(path))?;
    }
    loader.environment(environment)?;
    loader.matches(&matches, &Source::CommandLine)?;
    let loaded = loader.finish()?;
    if matches.contains_id("hash-password") {
        let name = matches.get_one::<String>("hash-password").cloned();
        let method = matches.get_one::<String>("hash-method");
        return Ok(Action::HashPassword {
            name: name.unwrap_or_default(),
            scram: method.is_some_and(|method| method == HASH_METHODS[1]),
        });
    }
    if matches.get_flag("print-config") {
        return Ok(Action::Print(render::configuration(&loaded)));
    }
    if matches.get_flag("check-config") {
        return Ok(Action::Check(Box::new(loaded)));
    }
    Ok(Action::Run(Box::new(loaded)))
}

fn variable<'a>(environment: &'a [(String, String)], name: &str) -> Option<&'a String> {
    environment
        .iter()
        .find(|(key, _)| key == name)
        .map(|(_, value)| value)
}

/// The command line as clap sees it: the table, and the few options that are no settings.
pub fn command() -> Command {
    let mut command = Command::new("larder")
        .bin_name("larderd")
        .display_name("larder")
        .version(render::VERSION)
        .about(render::ABOUT)
        .after_help(render::AFTER_HELP)
        .infer_long_args(true)
        .disable_help_flag(true)
        .disable_version_flag(true)
        .next_line_help(true)
        .max_term_width(100);
    for setting in flags::all() {
        if let Some(argument) = argument(setting) {
            command = command.arg(argument);
        }
    }
    let flag = |name: &'static str, help: &'static str| {
        Arg::new(name)
            .long(name)
            .help(help)
            .action(ArgAction::SetTrue)
            .help_heading("Other")
    };
    command
        .next_help_heading("Other")
        .arg(
            Arg::new("extended")
                .short('o')
                .long("extended")
                .value_name("NAME[=VALUE],...")
                .action(ArgAction::Append)
                .help("Settings by the names that memcached has for them, with commas between"),
        )
        .arg(
            Arg::new("config")
                .long("config")
                .value_name("FILE")
                .help("Read settings from this file first [env: LARDER_CONFIG]"),
        )
        .arg(flag(
            "check-config",
            "Say whether the settings are good, and the users and certificates that they name, and leave",
        ))
        .arg(flag(
            "print-config",
            "Print every setting with where it came from, and leave",
        ))
        .arg(
            Arg::new("hash-password")
                .long("hash-password")
                .value_name("NAME")
                .num_args(1)
                .help("Read a password from standard input, print the line for -Y, and leave"),
        )
        .arg(
            Arg::new("hash-method")
                .long("hash-method")
                .value_name("METHOD")
                .value_parser(HASH_METHODS)
                .default_value(HASH_METHODS[0])
                .help(
                    "How --hash-password does it: argon2id is the hardest to guess from, \
                     scram-sha-256 serves SCRAM as well",
                ),
        )
        .arg(flag("license", "Print the licence, and leave").short('i'))
        .arg(
            flag("help", "Print this, and leave")
                .short('h')
                .action(ArgAction::Help),
        )
        .arg(
            flag("version", "Print the version, and leave")
                .short('V')
                .action(ArgAction::Version),
        )
}

fn argument(setting: &'static Setting) -> Option<Arg> {
    let mut argument = Arg::new(setting.name)
        .long(setting.name)
        .help_heading(setting.group.title())
        .help(render::help_text(setting))
        .hide(setting.is_refused());
    if let Some(short) = setting.short {
        argument = argument.short(short);
    }
    if let Some(extended) = setting.extended.filter(|name| name.contains('_')) {
        argument = argument.alias(extended);
    }
    Some(match setting.kind {
        Kind::Environment(_) => return None,
        Kind::Value(value) => argument
            .value_name(value)
            .action(ArgAction::Append)
            .allow_negative_numbers(true),
        Kind::Optional(value, missing) => optional(argument.value_name(value), missing),
        Kind::Toggle => optional(argument.value_name("yes|no"), "yes"),
        Kind::Switch => argument
            .action(ArgAction::SetTrue)
            .overrides_with(setting.name),
        Kind::Count => argument.action(ArgAction::Count),
    })
}

fn optional(argument: Arg, missing: &'static str) -> Arg {
    argument
        .action(ArgAction::Append)
        .num_args(0..=1)
        .require_equals(true)
        .default_missing_value(missing)
}

/// A setting with its number in the table.
type Row<'a> = (usize, &'a Setting);

/// A configuration in the making.
struct Loader {
    loaded: Loaded,
}

impl Loader {
    fn new() -> Self {
        Self {
            loaded: Loaded {
                config: Config::default(),
                warnings: Vec::new(),
                sources: vec![Source::Default; flags::all().count()],
            },
        }
    }

    /// Applies one value. `written` is how the operator named the setting.
    fn set(
        &mut self,
        (index, setting): Row<'_>,
        written: &str,
        value: &str,
        source: &Source,
    ) -> Result<(), Error> {
        let value = value.trim_start();
        if let Support::Refused(reason) = setting.support
            && !matches!(value, "no" | "0" | "off" | "false")
        {
            return Err(Error(format!("{written} ({source}): {reason}")));
        }
        let before = &self.loaded.sources[index];
        if let Some(clear) = setting.clear
            && before.rank() < source.rank()
        {
            clear(&mut self.loaded.config);
        }
        (setting.apply)(&mut self.loaded.config, value).map_err(|wrong| {
            Error(match wrong {
                Wrong::Expected(what) => {
                    format!("{written} ({source}): \"{value}\" is wrong, expected {what}")
                }
                Wrong::Refused(reason) => format!("{written} ({source}): {reason}"),
            })
        })?;
        self.loaded.sources[index] = source.clone();
        Ok(())
    }

    /// Applies what clap found, in the order in which it was written.
    fn matches(&mut self, matches: &ArgMatches, source: &Source) -> Result<(), Error> {
        let mut found: Vec<(usize, Option<Row<'_>>, String)> = Vec::new();
        for (index, setting) in flags::all().enumerate() {
            let row = Some((index, setting));
            match setting.kind {
                Kind::Environment(_) => {}
                Kind::Switch if matches.get_flag(setting.name) => {
                    let at = matches.index_of(setting.name).unwrap_or(0);
                    found.push((at, row, "yes".to_owned()));
                }
                Kind::Count if matches.get_count(setting.name) > 0 => {
                    let at = matches.index_of(setting.name).unwrap_or(0);
                    found.push((at, row, matches.get_count(setting.name).to_string()));
                }
                Kind::Switch | Kind::Count => {}
                Kind::Value(_) | Kind::Optional(..) | Kind::Toggle => {
                    found.extend(written(matches, setting.name).map(|(at, text)| (at, row, text)));
                }
            }
        }
        found.extend(written(matches, "extended").map(|(at, text)| (at, None, text)));
        found.sort_by_key(|(at, ..)| *at);
        for (_, row, value) in found {
            match row {
                Some(row) => self.set(row, &row.1.title(), &value, source)?,
                None => self.extended(&value, source)?,
            }
        }
        Ok(())
    }

    /// Applies the words behind one `-o`.
    fn extended(&mut self, text: &str, source: &Source) -> Result<(), Error> {
        for word in text.split(',').map(str::trim).filter(|w| !w.is_empty()) {
            let (name, value) = match word.split_once('=') {
                Some((name, value)) => (name, Some(value)),
                None => (word, None),
            };
            self.extended_one(name, value, source)?;
        }
        Ok(())
    }

    fn extended_one(
        &mut self,
        name: &str,
        value: Option<&str>,
        source: &Source,
    ) -> Result<(), Error> {
        if let Some(word) = WORDS.iter().find(|word| word.name == name) {
            for (name, value) in word.values {
                // memcached too lets a chunk size that was given stand.
                let keep = *name == "slab-chunk-max" && self.loaded.is_given(name);
                if let (Some(row), false) = (flags::by_name(name), keep) {
                    self.set(row, &row.1.title(), value, source)?;
                }
            }
            return Ok(());
        }
        let written = format!("-o {name}");
        if let Some(row) = flags::by_extended(name) {
            let value = match (row.1.kind, value) {
                (_, Some(value)) => value,
                (Kind::Toggle | Kind::Switch, None) => "yes",
                (Kind::Optional(_, missing), None) => missing,
                (Kind::Value(what), None) => {
                    return Err(Error(format!(
                        "{written} ({source}): needs a value, {name}={what}"
                    )));
                }
                (Kind::Count | Kind::Environment(_), None) => return Ok(()),
            };
            return self.set(row, &written, value, source);
        }
        let negated = name.strip_prefix("no_").and_then(flags::by_extended);
        if let Some(row) = negated.filter(|(_, setting)| setting.kind == Kind::Toggle) {
            return self.set(row, &written, "no", source);
        }
        if let Some((_, reason)) = REFUSED.iter().find(|(prefix, _)| name.starts_with(prefix)) {
            return Err(Error(format!("{written} ({source}): {reason}")));
        }
        let names = flags::all().filter_map(|setting| setting.extended);
        let names = names.chain(WORDS.iter().map(|word| word.name));
        Err(unknown(&written, "-o ", name, names, source))
    }

    /// Applies the variables that name a setting.
    fn environment(&mut self, environment: &[(String, String)]) -> Result<(), Error> {
        for (index, setting) in flags::all().enumerate() {
            let name = setting.environment();
            let Some(value) = variable(environment, &name) else {
                continue;
            };
            // To go into the background is the caller's wish, not the environment's.
            if setting.name == "daemon" {
                continue;
            }
            // A container platform announces a service called "larder" by variables of this
            // very form, LARDER_PORT=tcp://192.0.2.1:11211 among them.
            if value.contains("://") {
                continue;
            }
            let source = Source::Environment(name.clone());
            self.set((index, setting), &setting.title(), value, &source)?;
        }
        if let Some(text) = variable(environment, "LARDER_EXTENDED") {
            self.extended(text, &Source::Environment("LARDER_EXTENDED".to_owned()))?;
        }
        let names: Vec<String> = flags::all().map(Setting::environment).collect();
        for (name, _) in environment {
            let known = names.contains(name)
                || matches!(name.as_str(), "LARDER_CONFIG" | "LARDER_EXTENDED")
                || name.starts_with("LARDER_SERVICE_")
                || name.starts_with("LARDER_PORT_")
                || name.starts_with("LARDER_INTERNAL_");
            if name.starts_with("LARDER_") && !known {
                let near = closest(name, names.iter().map(String::as_str));
                let near = near.map_or_else(String::new, |near| format!("; did you mean {near}?"));
                let warning = format!("variable {name} names no setting{near}");
                self.loaded.warnings.push(warning);
            }
        }
        Ok(())
    }

    /// Applies a file: one option a line, as in Debian's memcached.conf.
    fn file(&mut self, path: &Path) -> Result<(), Error> {
        let text = std::fs::read_to_string(path)
            .map_err(|error| Error(format!("--config {}: {error}", path.display())))?;
        for (number, line) in text.lines().enumerate() {
            let source = Source::File {
                path: path.to_owned(),
                line: number + 1,
            };
            self.line(line, &source)?;
        }
        Ok(())
    }

    fn line(&mut self, line: &str, source: &Source) -> Result<(), Error> {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            return Ok(());
        }
        if line.starts_with('-') && !line.starts_with("--") {
            return self.short_line(line, source);
        }
        let is_option = line.starts_with("--");
        let line = line.trim_start_matches('-');
        let end = line
            .find(|c: char| c.is_whitespace() || c == '=')
            .unwrap_or(line.len());
        let (name, rest) = line.split_at(end);
        let rest = rest.trim_start();
        let value = uncommented(rest.strip_prefix('=').unwrap_or(rest), name);
        let row = flags::by_name(name).or_else(|| flags::by_extended(name));
        match (row, name) {
            (_, "daemon" | "help") => Ok(()),
            (_, "extended") => self.extended(value, source),
            (Some(row), _) => self.set(row, row.1.title().as_str(), implied(row.1, value), source),
            (None, _) if is_option => {
                let names = flags::all().map(|setting| setting.name);
                Err(unknown(&format!("--{name}"), "--", name, names, source))
            }
            (None, _) => {
                if !FOREIGN_DIRECTIVES.contains(&name) {
                    let warning = format!("{name} ({source}): not an option of larderd, ignored");
                    self.loaded.warnings.push(warning);
                }
                Ok(())
            }
        }
    }

    /// A line of short options goes through the same grammar as the command line.
    fn short_line(&mut self, line: &str, source: &Source) -> Result<(), Error> {
        let words: Vec<&str> = line.split_whitespace().collect();
        // Debian's own start script drops these two: the service manager decides about them.
        if matches!(words[0], "-d" | "-h") {
            return Ok(());
        }
        let comment = words
            .iter()
            .enumerate()
            .position(|(at, word)| word.starts_with('#') && !(at == 1 && words[0] == "-D"))
            .unwrap_or(words.len());
        let arguments = std::iter::once("larderd").chain(words[..comment].iter().copied());
        let matches = command().try_get_matches_from(arguments).map_err(|error| {
            let text = error.render().to_string();
            let first = text.lines().next().unwrap_or_default();
            let first = first.strip_prefix("error: ").unwrap_or(first);
            Error(format!("{line} ({source}): {first}"))
        })?;
        // Counted over the whole file, as they would be on one command line.
        if matches.get_count("verbose") > 0
            && let Some((index, _)) = flags::by_name("verbose")
            && matches!(self.loaded.sources[index], Source::File { .. })
        {
            let before = self.loaded.config.verbosity;
            self.matches(&matches, source)?;
            self.loaded.config.verbosity = self.loaded.config.verbosity.saturating_add(before);
            return Ok(());
        }
        self.matches(&matches, source)
    }

    /// Fills in what follows from other settings and refuses what contradicts them.
    fn finish(mut self) -> Result<Loaded, Error> {
        let given = |name: &str| self.loaded.is_given(name);
        let (tcp, udp, listen) = (given("port"), given("udp-port"), given("listen"));
        let chunk_max_given = given("slab-chunk-max");
        let protocol_given = given("protocol");
        let config = &mut self.loaded.config;
        if config.unix_socket.is_some() && !tcp && !listen {
            config.tcp_port = 0;
        } else if udp && config.udp_port != 0 && !tcp {
            config.tcp_port = config.udp_port;
        }
        if !chunk_max_given && config.item_size_max < config.slab_chunk_max {
            // The largest power of two that divides -I: every rule below then holds.
            config.slab_chunk_max = 1 << config.item_size_max.trailing_zeros().max(10);
        }
        if config.sasl && config.auth_file.is_none() && !protocol_given {
            // As in memcached: without users of its own the text protocol is not spoken.
            config.protocol = BindingProtocol::Binary;
        }
        check::refuse(config).map_err(Error)?;
        config.cluster.check().map_err(Error)?;
        self.loaded
            .warnings
            .extend(check::warnings(&self.loaded.config));
        Ok(self.loaded)
    }
}

/// The places and values of an option that takes values.
fn written(matches: &ArgMatches, name: &str) -> impl Iterator<Item = (usize, String)> {
    let values = matches.get_many::<String>(name).into_iter().flatten();
    let places = matches.indices_of(name).into_iter().flatten();
    places.zip(values.cloned()).collect::<Vec<_>>().into_iter()
}

/// A value without the comment behind it. Only the prefix delimiter may itself be a `#`.
fn uncommented<'a>(text: &'a str, name: &str) -> &'a str {
    if name == "prefix-delimiter" {
        return text.split_whitespace().next().unwrap_or_default();
    }
    let blank_before = |at: usize| {
        text[..at]
            .chars()
            .next_back()
            .is_none_or(char::is_whitespace)
    };
    let comment = text.match_indices('#').find(|(at, _)| blank_before(*at));
    text[..comment.map_or(text.len(), |(at, _)| at)].trim()
}

/// A value left out in the file means what it means on the command line.
fn implied<'a>(setting: &Setting, value: &'a str) -> &'a str {
    match setting.kind {
        _ if !value.is_empty() => value,
        Kind::Switch | Kind::Toggle => "yes",
        Kind::Count => "1",
        Kind::Optional(_, missing) => missing,
        Kind::Value(_) | Kind::Environment(_) => value,
    }
}

fn unknown<'a>(
    written: &str,
    prefix: &str,
    name: &str,
    names: impl Iterator<Item = &'a str>,
    source: &Source,
) -> Error {
    let near = closest(name, names);
    let near = near.map_or_else(String::new, |near| {
        format!("; did you mean {prefix}{near}?")
    });
    Error(format!(
        "{written} ({source}): there is no such option{near}"
    ))
}
