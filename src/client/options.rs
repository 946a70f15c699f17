//! The options that all commands share: which daemons, how they are come to, who asks.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Write};
use std::path::PathBuf;
use std::time::Duration;

use clap::{Arg, ArgAction, ArgMatches, value_parser};
use rustix::termios::{LocalModes, OptionalActions, tcgetattr, tcsetattr};
use zeroize::Zeroizing;

use super::connection::{Access, Login};
use super::stream::Address;
use super::tls::{Settings, Tls};
use super::{Error, cluster, seconds};
use crate::cluster::placement::Client;

/// The daemon to ask, unless told otherwise.
const SERVER_DEFAULT: &str = "127.0.0.1:11211";

/// How long a daemon may take, unless told otherwise.
const TIMEOUT_DEFAULT: Duration = Duration::from_secs(5);

/// Longest password, in bytes. What is longer is another file.
const PASSWORD_SIZE_MAX: u64 = 1024;

/// What the options are listed under, so that they are not taken for those of a command.
const HEADING: &str = "Which daemon, and how to come to it";

/// The options, for the command line.
pub(super) fn arguments() -> Vec<Arg> {
    let option = |name: &'static str, value: &'static str, help: &'static str| {
        Arg::new(name)
            .long(name)
            .value_name(value)
            .help(help)
            .global(true)
            .help_heading(HEADING)
    };
    let switch = |name: &'static str, help: &'static str| {
        Arg::new(name)
            .long(name)
            .help(help)
            .action(ArgAction::SetTrue)
            .global(true)
            .help_heading(HEADING)
    };
    let file = |name, help| option(name, "FILE", help).value_parser(value_parser!(PathBuf));
    vec![
        option(
            "server",
            "HOST:PORT|PATH",
            "The daemon to ask: a host with its port, or the path of a unix socket; several \
             with commas, or given again [env: LARDER_SERVER] [default: 127.0.0.1:11211]",
        )
        .short('s')
        .value_delimiter(',')
        .action(ArgAction::Append)
        .value_parser(|text: &str| text.parse::<Address>()),
        switch("cluster", "Ask every node that the daemon tells clients of"),
        option(
            "placement",
            "CLIENT",
            "With several daemons: send a key where this client puts it, such as \
             ketama-weighted; see `larder cluster owner --help`",
        )
        .value_parser(|name: &str| {
            Client::by_name(name).ok_or_else(|| format!("known are {}", cluster::known()))
        }),
        option(
            "timeout",
            "SECONDS",
            "Longest wait for the daemon [default: 5]",
        )
        .value_parser(|text: &str| seconds(text)),
        option(
            "user",
            "NAME",
            "Log in as this user. The password comes from --password-file, or the variable \
             LARDER_PASSWORD, or is asked for [env: LARDER_USER]",
        ),
        file(
            "password-file",
            "The file that holds the password and nothing else [env: LARDER_PASSWORD_FILE]",
        ),
        switch(
            "allow-cleartext",
            "Send a password over the network even if nothing hides it there \
             [env: LARDER_ALLOW_CLEARTEXT]",
        ),
        switch("tls", "Encrypt connections [env: LARDER_TLS]"),
        file(
            "tls-ca",
            "Authorities to trust instead of the system's, in PEM; means --tls \
             [env: LARDER_TLS_CA]",
        ),
        file(
            "tls-cert",
            "The certificate to show, in PEM; means --tls [env: LARDER_TLS_CERT]",
        ),
        file(
            "tls-key",
            "Its private key, in PEM, when it is not in the same file [env: LARDER_TLS_KEY]",
        ),
        option(
            "tls-server-name",
            "NAME",
            "The name that the daemon's certificate must have, when it is not that of --server",
        ),
        switch(
            "binary",
            "Speak the binary protocol, to a daemon that speaks nothing else",
        ),
        switch("json", "Print JSON, for programs"),
    ]
}

/// The daemons that are named. Variables are not read by clap, for which one beside a subcommand
/// would outweigh an option before it.
pub(super) fn servers(matches: &ArgMatches) -> Result<Vec<Address>, Error> {
    if let Some(servers) = matches.get_many::<Address>("server") {
        return Ok(servers.cloned().collect());
    }
    let text = variable("LARDER_SERVER").unwrap_or_else(|| SERVER_DEFAULT.into());
    let text = text.to_string_lossy();
    let parsed: Result<Vec<_>, _> = text.split(',').map(str::parse).collect();
    parsed.map_err(|error| Error::Usage(format!("LARDER_SERVER: {error}")))
}

/// How they are come to.
pub(super) fn access(matches: &ArgMatches) -> Result<Access, Error> {
    Ok(Access {
        timeout: matches
            .get_one("timeout")
            .copied()
            .unwrap_or(TIMEOUT_DEFAULT),
        tls: tls(matches)?,
        login: login(matches)?,
        binary: matches.get_flag("binary"),
        allow_cleartext: matches.get_flag("allow-cleartext") || is_on("LARDER_ALLOW_CLEARTEXT"),
    })
}

/// An environment variable that says something.
fn variable(name: &str) -> Option<OsString> {
    std::env::var_os(name).filter(|text| !text.is_empty())
}

/// Whether an environment variable is a yes.
fn is_on(name: &str) -> bool {
    variable(name).is_some_and(|word| word != "0" && word != "no")
}

fn file(matches: &ArgMatches, option: &str, name: &str) -> Option<PathBuf> {
    let given = matches.get_one::<PathBuf>(option).cloned();
    given.or_else(|| variable(name).map(PathBuf::from))
}

fn tls(matches: &ArgMatches) -> Result<Option<Tls>, Error> {
    let settings = Settings {
        authorities: file(matches, "tls-ca", "LARDER_TLS_CA"),
        certificate: file(matches, "tls-cert", "LARDER_TLS_CERT"),
        key: file(matches, "tls-key", "LARDER_TLS_KEY"),
        server_name: matches.get_one::<String>("tls-server-name").cloned(),
    };
    let is_meant = matches.get_flag("tls")
        || is_on("LARDER_TLS")
        || settings.authorities.is_some()
        || settings.certificate.is_some()
        || settings.key.is_some()
        || settings.server_name.is_some();
    is_meant.then(|| Tls::new(&settings)).transpose()
}

/// Who is asking. The password is never an option's value, since others can see command lines.
fn login(matches: &ArgMatches) -> Result<Option<Login>, Error> {
    let user = matches.get_one::<String>("user").cloned();
    let user = user.or_else(|| variable("LARDER_USER")?.into_string().ok());
    let file = file(matches, "password-file", "LARDER_PASSWORD_FILE");
    let Some(user) = user else {
        return match file {
            None => Ok(None),
            Some(_) => Err(Error::Usage("--password-file needs --user".to_owned())),
        };
    };
    let password = match (file, variable("LARDER_PASSWORD")) {
        (Some(path), _) => from_file(&path)?,
        (None, Some(password)) => Zeroizing::new(password.into_encoded_bytes()),
        (None, None) => ask(&user)?,
    };
    Ok(Some(Login::new(user, password)))
}

fn from_file(path: &PathBuf) -> Result<Zeroizing<Vec<u8>>, Error> {
    let fail =
        |cause: String| Error::Local(io::Error::other(format!("{}: {cause}", path.display())));
    let size = fs::metadata(path).map_err(|error| fail(error.to_string()))?;
    if size.len() > PASSWORD_SIZE_MAX {
        return Err(fail("the file is too large to hold a password".to_owned()));
    }
    let mut password = fs::read(path)
        .map(Zeroizing::new)
        .map_err(|error| fail(error.to_string()))?;
    while password.last().is_some_and(|&byte| byte == b'\n') {
        password.pop();
    }
    Ok(password)
}

/// Asks at the terminal, which shows nothing of the answer.
fn ask(user: &str) -> Result<Zeroizing<Vec<u8>>, Error> {
    let no_terminal = |_| {
        let words = "a password is missing: --password-file or LARDER_PASSWORD, as there is no \
                     terminal to ask at";
        Error::Usage(words.to_owned())
    };
    let mut terminal = File::options()
        .read(true)
        .write(true)
        .open("/dev/tty")
        .map_err(no_terminal)?;
    let shown = tcgetattr(&terminal).map_err(|errno| no_terminal(errno.into()))?;
    let mut hidden = shown.clone();
    hidden.local_modes.remove(LocalModes::ECHO);
    let local = |error| Error::Local(error);
    // Before the question, since this throws away what has been typed so far.
    tcsetattr(&terminal, OptionalActions::Flush, &hidden)
        .map_err(|errno| Error::Local(errno.into()))?;
    let mut password = Zeroizing::new(Vec::with_capacity(256));
    let read = write!(terminal, "Password of {user}: ")
        .and_then(|()| BufReader::new(&terminal).read_until(b'\n', &mut password));
    // Whatever happened, the terminal shows what is typed from here on.
    let restored = tcsetattr(&terminal, OptionalActions::Flush, &shown);
    drop(writeln!(terminal));
    read.map_err(local)?;
    restored.map_err(|errno| Error::Local(errno.into()))?;
    while password
        .last()
        .is_some_and(|&byte| byte == b'\n' || byte == b'\r')
    {
        password.pop();
    }
    Ok(password)
}
