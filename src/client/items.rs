//! `larder get`, `set` and what else is about single items; and `flush`, which is about all.

use std::ffi::{OsStr, OsString};
use std::io::{self, IsTerminal, Read, Write};
use std::os::unix::ffi::OsStrExt;

use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use serde_json::{Map, Value, json};

use super::keys::{name, parsed};
use super::requests::Item;
use super::{Error, Session, Shown, key_argument};
use crate::protocol::client::Storage;
use crate::protocol::key::push_base64;

/// The arguments of `get`.
pub(super) fn get_command() -> Command {
    Command::new("get")
        .about("Print the value of a key")
        .arg(key_argument())
        .after_help(
            "Examples:\n  larder get greeting\n  larder get greeting --json\n  \
             larder get base64:Z3JlZXRpbmc=",
        )
}

/// Prints a value as it is, with a line end behind it only where a person reads it.
pub(super) fn get(session: &Session, arguments: &ArgMatches) -> Result<(), Error> {
    let key = &key(arguments)?;
    let item = session.connect_for(key)?.get(key)?;
    print(session, key, item)
}

fn print(session: &Session, key: &[u8], item: Option<Item>) -> Result<(), Error> {
    let item = item.ok_or(Error::NotFound)?;
    if session.json {
        return session.print_json(&show(key, &item));
    }
    session.print(&item.value)?;
    if session.is_watched() {
        session.print("\n")?;
    }
    Ok(())
}

fn show(key: &[u8], item: &Item) -> Value {
    let mut object = named(
        key,
        json!({ "flags": item.flags, "cas": item.cas, "size": item.value.len() }),
    );
    // JSON has no bytes: what is no text is given in base64, under another name.
    match std::str::from_utf8(&item.value) {
        Ok(text) => object["value"] = json!(text),
        Err(_) => {
            let mut text = Vec::new();
            push_base64(&mut text, &item.value);
            object["value_base64"] = json!(String::from_utf8_lossy(&text));
        }
    }
    object
}

/// The arguments of a command that stores.
fn store_command(name: &'static str, about: &'static str, examples: &'static str) -> Command {
    Command::new(name)
        .about(about)
        .arg(key_argument())
        .arg(
            Arg::new("value")
                .value_name("VALUE")
                .help("The value; - reads it from standard input")
                .required(true)
                .allow_hyphen_values(true)
                .value_parser(value_parser!(OsString)),
        )
        .after_help(examples)
}

/// What a new item has beside its value.
fn with_item_arguments(command: Command) -> Command {
    command
        .arg(
            Arg::new("ttl")
                .long("ttl")
                .value_name("SECONDS")
                .help("How long it lives, or a Unix time; 0 is without end")
                .default_value("0")
                .allow_negative_numbers(true)
                .value_parser(value_parser!(i64)),
        )
        .arg(
            Arg::new("flags")
                .long("flags")
                .value_name("NUMBER")
                .help("A number to keep beside it, by which clients know its form")
                .default_value("0")
                .value_parser(value_parser!(u32)),
        )
}

/// The arguments of `set`.
pub(super) fn set_command() -> Command {
    with_item_arguments(store_command(
        "set",
        "Store a value under a key",
        "Examples:\n  larder set greeting hello\n  larder set greeting hello --ttl 60\n  \
         echo hello | larder set greeting -",
    ))
}

/// Stores a value.
pub(super) fn set(session: &Session, arguments: &ArgMatches) -> Result<(), Error> {
    store(session, arguments, Storage::Set)
}

/// The arguments of `add`.
pub(super) fn add_command() -> Command {
    with_item_arguments(store_command(
        "add",
        "Store a value under a key that is not there",
        "Example:\n  larder add greeting:$$ hello --ttl 60",
    ))
}

/// Stores a value unless there is one.
pub(super) fn add(session: &Session, arguments: &ArgMatches) -> Result<(), Error> {
    store(session, arguments, Storage::Add)
}

/// The arguments of `replace`.
pub(super) fn replace_command() -> Command {
    with_item_arguments(store_command(
        "replace",
        "Store a value under a key that is there",
        "Example:\n  larder replace greeting welcome",
    ))
}

/// Stores a value in the place of another.
pub(super) fn replace(session: &Session, arguments: &ArgMatches) -> Result<(), Error> {
    store(session, arguments, Storage::Replace)
}

/// The arguments of `append`.
pub(super) fn append_command() -> Command {
    store_command(
        "append",
        "Put more behind the value of a key",
        "Example:\n  larder append greeting ', world'",
    )
}

/// Stores more behind a value.
pub(super) fn append(session: &Session, arguments: &ArgMatches) -> Result<(), Error> {
    store(session, arguments, Storage::Append)
}

/// The arguments of `prepend`.
pub(super) fn prepend_command() -> Command {
    store_command(
        "prepend",
        "Put more before the value of a key",
        "Example:\n  larder prepend greeting 'oh, '",
    )
}

/// Stores more before a value.
pub(super) fn prepend(session: &Session, arguments: &ArgMatches) -> Result<(), Error> {
    store(session, arguments, Storage::Prepend)
}

/// The arguments of `cas`.
pub(super) fn cas_command() -> Command {
    let command = store_command(
        "cas",
        "Store a value unless somebody has changed the item",
        "Example:\n  larder cas greeting hello $(larder inspect greeting --only cas)",
    );
    with_item_arguments(
        command.arg(
            Arg::new("cas")
                .value_name("CAS")
                .help(
                    "The number that the item had when it was read: `larder inspect`, `get --json`",
                )
                .required(true)
                .value_parser(value_parser!(u64)),
        ),
    )
}

/// Stores a value if the item has the cas.
pub(super) fn cas(session: &Session, arguments: &ArgMatches) -> Result<(), Error> {
    let cas = arguments.get_one("cas").copied().unwrap_or_default();
    store(session, arguments, Storage::Cas(cas))
}

fn store(session: &Session, arguments: &ArgMatches, how: Storage) -> Result<(), Error> {
    let key = &key(arguments)?;
    let mut piped = Vec::new();
    let given = argument(arguments, "value");
    let value = if given == b"-" {
        io::stdin()
            .lock()
            .read_to_end(&mut piped)
            .map_err(Error::Local)?;
        &piped
    } else {
        given
    };
    let number = |name| arguments.try_get_one(name).ok().flatten().copied();
    let exptime = number("ttl").unwrap_or_default();
    let flags = arguments.try_get_one("flags").ok().flatten().copied();
    session
        .connect_for(key)?
        .store(how, key, flags.unwrap_or_default(), exptime, value)?;
    session.done(&named(key, json!({ "stored": true })))
}

/// The arguments of `delete`.
pub(super) fn delete_command() -> Command {
    Command::new("delete")
        .about("Remove a key")
        .arg(key_argument())
        .after_help("Example:\n  larder delete greeting")
}

/// Removes an item.
pub(super) fn delete(session: &Session, arguments: &ArgMatches) -> Result<(), Error> {
    let key = &key(arguments)?;
    if !session.connect_for(key)?.delete(key)? {
        return Err(Error::NotFound);
    }
    session.done(&named(key, json!({ "deleted": true })))
}

fn ttl_argument() -> Arg {
    Arg::new("ttl")
        .value_name("SECONDS")
        .help("How long it lives from now on, or a Unix time; 0 is without end")
        .required(true)
        .allow_negative_numbers(true)
        .value_parser(value_parser!(i64))
}

/// The arguments of `touch`.
pub(super) fn touch_command() -> Command {
    Command::new("touch")
        .about("Give a key another time to live")
        .arg(key_argument())
        .arg(ttl_argument())
        .after_help("Example:\n  larder touch greeting 3600")
}

/// Gives an item another time to live.
pub(super) fn touch(session: &Session, arguments: &ArgMatches) -> Result<(), Error> {
    let key = &key(arguments)?;
    let exptime = arguments.get_one("ttl").copied().unwrap_or_default();
    if !session.connect_for(key)?.touch(key, exptime)? {
        return Err(Error::NotFound);
    }
    session.done(&named(key, json!({ "touched": true })))
}

/// The arguments of `gat`.
pub(super) fn gat_command() -> Command {
    Command::new("gat")
        .about("Print the value of a key and give it another time to live")
        .arg(key_argument())
        .arg(ttl_argument())
        .after_help("Example:\n  larder gat greeting 3600")
}

/// Prints a value as `get` does.
pub(super) fn gat(session: &Session, arguments: &ArgMatches) -> Result<(), Error> {
    let key = &key(arguments)?;
    let exptime = arguments.get_one("ttl").copied().unwrap_or_default();
    let item = session.connect_for(key)?.get_and_touch(key, exptime)?;
    print(session, key, item)
}

fn count_command(name: &'static str, about: &'static str, examples: &'static str) -> Command {
    Command::new(name)
        .about(about)
        .arg(key_argument())
        .arg(
            Arg::new("delta")
                .value_name("NUMBER")
                .help("By how much")
                .default_value("1")
                .value_parser(value_parser!(u64)),
        )
        .after_help(examples)
}

/// The arguments of `incr`.
pub(super) fn incr_command() -> Command {
    count_command(
        "incr",
        "Add to the number under a key, and print the sum",
        "Example:\n  larder incr visits\n  larder incr visits 10",
    )
}

/// Adds to a counter.
pub(super) fn incr(session: &Session, arguments: &ArgMatches) -> Result<(), Error> {
    count(session, arguments, false)
}

/// The arguments of `decr`.
pub(super) fn decr_command() -> Command {
    count_command(
        "decr",
        "Take from the number under a key, down to 0, and print what is left",
        "Example:\n  larder decr visits",
    )
}

/// Takes from a counter.
pub(super) fn decr(session: &Session, arguments: &ArgMatches) -> Result<(), Error> {
    count(session, arguments, true)
}

fn count(session: &Session, arguments: &ArgMatches, is_down: bool) -> Result<(), Error> {
    let key = &key(arguments)?;
    let delta = arguments.get_one("delta").copied().unwrap_or(1);
    let counted = session.connect_for(key)?.count(key, delta, is_down)?;
    let value = counted.ok_or(Error::NotFound)?;
    session.show(Shown {
        text: format!("{value}\n"),
        json: named(key, json!({ "value": value })),
    })
}

/// The arguments of `flush`.
pub(super) fn flush_command() -> Command {
    Command::new("flush")
        .about("Remove all items")
        .arg(
            Arg::new("delay")
                .long("delay")
                .value_name("SECONDS")
                .help("Not now, but then; with several daemons each that much after the one before")
                .default_value("0")
                .value_parser(value_parser!(u32)),
        )
        .arg(
            Arg::new("yes")
                .long("yes")
                .help("Do not ask whether that is meant")
                .action(ArgAction::SetTrue),
        )
        .after_help("Example:\n  larder flush --yes")
}

/// Removes all items, if that is meant.
pub(super) fn flush(session: &Session, arguments: &ArgMatches) -> Result<(), Error> {
    let nodes: Vec<String> = session.nodes()?.iter().map(ToString::to_string).collect();
    if !arguments.get_flag("yes") && !is_meant(&nodes.join(", "))? {
        return Err(Error::Unmet("nothing has been removed"));
    }
    let delay_s: u32 = arguments.get_one("delay").copied().unwrap_or_default();
    let mut wait_s = delay_s;
    session.each(|_, connection| {
        connection.flush(wait_s)?;
        let json = json!({ "flushed": true, "delay_s": wait_s });
        wait_s = wait_s.saturating_add(delay_s);
        Ok(Shown {
            text: String::new(),
            json,
        })
    })
}

/// Asks whoever sits at the terminal.
fn is_meant(nodes: &str) -> Result<bool, Error> {
    if !io::stdin().is_terminal() {
        let words = "flush removes everything: --yes says that this is meant";
        return Err(Error::Usage(words.to_owned()));
    }
    let mut err = io::stderr();
    write!(err, "Remove all items of {nodes}? [y/N] ").map_err(Error::Local)?;
    let mut answer = String::new();
    io::stdin().read_line(&mut answer).map_err(Error::Local)?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}

/// What is said of a key, for programs.
fn named(key: &[u8], said: Value) -> Value {
    let mut object = Map::new();
    name(&mut object, key);
    if let Value::Object(said) = said {
        object.extend(said);
    }
    Value::Object(object)
}

/// The key that is meant.
fn key(arguments: &ArgMatches) -> Result<Vec<u8>, Error> {
    parsed(argument(arguments, "key"))
}

/// The bytes of an argument.
pub(super) fn argument<'a>(arguments: &'a ArgMatches, name: &str) -> &'a [u8] {
    arguments
        .get_one::<OsString>(name)
        .map_or(OsStr::new(""), OsString::as_os_str)
        .as_bytes()
}
