//! `larder get`, `set` and `delete`: single items.

use std::ffi::{OsStr, OsString};
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;

use clap::{Arg, ArgMatches, Command, value_parser};
use serde_json::{Value, json};

use super::connection::Item;
use super::{Error, Session, key_argument};
use crate::protocol::client::is_key;
use crate::protocol::key::push_base64;

/// The arguments of `get`.
pub(super) fn get_command() -> Command {
    Command::new("get")
        .about("Print the value of a key")
        .arg(key_argument())
        .after_help("Examples:\n  larder get greeting\n  larder get greeting --json")
}

/// Prints a value as it is, with a line end behind it only where a person reads it.
pub(super) fn get(session: &Session, arguments: &ArgMatches) -> Result<(), Error> {
    let key = key(arguments)?;
    let item = session.connect()?.get(key)?.ok_or(Error::NotFound)?;
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
    let mut object = json!({
        "key": String::from_utf8_lossy(key),
        "flags": item.flags,
        "cas": item.cas,
        "size": item.value.len(),
    });
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

/// The arguments of `set`.
pub(super) fn set_command() -> Command {
    Command::new("set")
        .about("Store a value under a key")
        .arg(key_argument())
        .arg(
            Arg::new("value")
                .value_name("VALUE")
                .help("The value; - reads it from standard input")
                .required(true)
                .allow_hyphen_values(true)
                .value_parser(value_parser!(OsString)),
        )
        .arg(
            Arg::new("ttl")
                .long("ttl")
                .value_name("SECONDS")
                .help("How long it lives, or a Unix time; 0 is without end")
                .default_value("0")
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
        .after_help("Examples:\n  larder set greeting hello\n  larder set greeting hello --ttl 60")
}

/// Stores a value.
pub(super) fn set(session: &Session, arguments: &ArgMatches) -> Result<(), Error> {
    let key = key(arguments)?;
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
    let exptime = arguments.get_one("ttl").copied().unwrap_or_default();
    let flags = arguments.get_one("flags").copied().unwrap_or_default();
    session.connect()?.set(key, flags, exptime, value)
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
    if session.connect()?.delete(key(arguments)?)? {
        Ok(())
    } else {
        Err(Error::NotFound)
    }
}

fn key(arguments: &ArgMatches) -> Result<&[u8], Error> {
    let key = argument(arguments, "key");
    if is_key(key) {
        Ok(key)
    } else {
        Err(Error::Usage(
            "a key has 1 to 250 bytes, none of them a blank or a control character".to_owned(),
        ))
    }
}

fn argument<'a>(arguments: &'a ArgMatches, name: &str) -> &'a [u8] {
    arguments
        .get_one::<OsString>(name)
        .map_or(OsStr::new(""), OsString::as_os_str)
        .as_bytes()
}
