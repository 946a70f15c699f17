//! `larder keys` and `inspect`: which items there are, and what is known of one.

use std::fmt::Write;
use std::thread::sleep;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use serde_json::{Map, Value, json};

use super::connection::other;
use super::{Connection, Error, Session, Shown, items, key_argument};
use crate::limits::KEY_SIZE_MAX;
use crate::protocol::client::is_key;
use crate::protocol::client::listing::{Listed, listed};
use crate::protocol::client::meta::MetaReply;
use crate::protocol::key::{DecodedKey, push_base64};

/// Pause before asking again for a listing that somebody else is having.
const PAUSE: Duration = Duration::from_millis(50);

/// Output that is collected before it is printed, in bytes.
const OUTPUT_SIZE: usize = 32 << 10;

/// A listing of all items, as it comes. Nothing is kept of what has been handed out.
pub(super) struct Listing {
    connection: Connection,
    /// The line that was looked at to know that it has begun.
    first: Option<Vec<u8>>,
}

impl Listing {
    /// Asks for it, and again as long as the daemon is busy with another. The walk is along the
    /// queues: along the hash table memcached holds a lock while it waits for its reader, and
    /// with it everybody who asks for a key of that part.
    pub(super) fn begin(mut connection: Connection, patience: Duration) -> Result<Self, Error> {
        let until = Instant::now() + patience;
        loop {
            connection.command(&[b"lru_crawler", b"metadump", b"all"])?;
            let line = connection.line()?;
            let is_busy = line.starts_with(b"BUSY") || line.starts_with(b"ERROR locked");
            if is_busy && Instant::now() < until {
                sleep(PAUSE);
            } else if line == b"OK" {
                let first = None;
                return Ok(Self { connection, first });
            } else if line == b"END" || line.starts_with(b"key=") {
                // Releases before 1.6.43 begin at once.
                let first = Some(line);
                return Ok(Self { connection, first });
            } else if line.starts_with(b"ERROR ") || is_busy {
                return Err(Error::Refused(String::from_utf8_lossy(&line).into_owned()));
            } else {
                return Err(other(&line));
            }
        }
    }

    /// The next item; `None` at the end.
    pub(super) fn next(&mut self) -> Result<Option<Listed>, Error> {
        let line = match self.first.take() {
            Some(line) => line,
            None => self.connection.line()?,
        };
        if line == b"END" {
            return Ok(None);
        }
        let item = listed(&line).ok_or_else(|| Error::unexpected(&line))?;
        Ok(Some(item))
    }
}

/// Bytes of the longest key that fits a request as base64.
const BASE64_SIZE_MAX: usize = KEY_SIZE_MAX / 4 * 3;

/// How a key is marked that stands as base64, here and where keys are read.
const BASE64_MARK: &str = "base64:";

/// A key for people, as [`parsed`] reads it: as it is, or marked as base64 when it would break a
/// line, is no text, or could be taken for one that is marked.
pub(super) fn shown(key: &[u8]) -> String {
    let text = std::str::from_utf8(key).unwrap_or_default();
    // What a terminal would obey is no part of a text.
    if is_key(key)
        && !text.is_empty()
        && !text.contains(char::is_control)
        && !text.starts_with(BASE64_MARK)
    {
        return text.to_owned();
    }
    let mut text = BASE64_MARK.as_bytes().to_vec();
    push_base64(&mut text, key);
    String::from_utf8_lossy(&text).into_owned()
}

/// Puts a key into an object for programs.
pub(super) fn name(object: &mut Map<String, Value>, key: &[u8]) {
    match std::str::from_utf8(key) {
        Ok(text) => object.insert("key".to_owned(), json!(text)),
        Err(_) => {
            let mut text = Vec::new();
            push_base64(&mut text, key);
            let text = String::from_utf8_lossy(&text).into_owned();
            object.insert("key_base64".to_owned(), json!(text))
        }
    };
}

/// Reads a key as [`shown`] writes it.
///
/// # Errors
///
/// [`Error::Usage`] when it can be none.
pub(super) fn parsed(text: &[u8]) -> Result<Vec<u8>, Error> {
    if let Some(text) = text.strip_prefix(BASE64_MARK.as_bytes()) {
        return match DecodedKey::decode(text) {
            Some(key) => Ok(key.as_bytes().to_vec()),
            None => Err(Error::Usage(format!(
                "this is no key: behind {BASE64_MARK} stand 1 to 187 bytes as padded base64"
            ))),
        };
    }
    if is_key(text) {
        return Ok(text.to_vec());
    }
    let mut hint = String::new();
    if (1..=BASE64_SIZE_MAX).contains(&text.len()) {
        hint = format!("; {} means this one", shown(text));
    }
    Err(Error::Usage(format!(
        "a key has 1 to 250 bytes, none of them a blank or a control character{hint}"
    )))
}

/// The arguments of `keys`.
pub(super) fn keys_command() -> Command {
    Command::new("keys")
        .about("Print the keys of all items, one on a line, in no order")
        .arg(
            Arg::new("prefix")
                .long("prefix")
                .value_name("TEXT")
                .help("Only keys that begin so"),
        )
        .arg(
            Arg::new("limit")
                .long("limit")
                .value_name("COUNT")
                .help("Stop after so many")
                .value_parser(value_parser!(u64)),
        )
        .arg(
            Arg::new("long")
                .long("long")
                .help(
                    "Behind each, with tabs: memory in bytes, seconds to live or -, seconds since \
                     it was used, slab class",
                )
                .action(ArgAction::SetTrue),
        )
        .after_help(
            "A key that would break a line, or is no text, is shown as base64:TEXT, which every \
             command takes as a key. With --json there is an object \
             a line.\n\nExamples:\n  larder keys --prefix user:\n  \
             larder keys --long --limit 10\n  larder keys --json | head -n 3",
        )
}

/// Prints keys as the daemons tell them.
pub(super) fn keys(session: &Session, arguments: &ArgMatches) -> Result<(), Error> {
    let prefix = arguments.get_one::<String>("prefix");
    let prefix = prefix.map_or(&b""[..], |prefix| prefix.as_bytes());
    let mut left = arguments.get_one("limit").copied().unwrap_or(u64::MAX);
    let is_long = arguments.get_flag("long");
    let now = unix_now();
    for node in session.nodes()? {
        let connection = session.connect_to(&node)?;
        let mut listing = Listing::begin(connection, session.access.timeout)?;
        let mut out = String::new();
        while left > 0
            && let Some(item) = listing.next()?
        {
            if !item.key.starts_with(prefix) {
                continue;
            }
            left -= 1;
            if session.json {
                let _ = writeln!(out, "{}", object(&item));
            } else if is_long {
                let ttl = match item.expires {
                    None => "-".to_owned(),
                    Some(expires) => expires.saturating_sub(now).to_string(),
                };
                let idle = now.saturating_sub(item.last_access);
                let (key, size, class) = (shown(&item.key), item.size, item.class);
                let _ = writeln!(out, "{key}\t{size}\t{ttl}\t{idle}\t{class}");
            } else {
                out.push_str(&shown(&item.key));
                out.push('\n');
            }
            if out.len() >= OUTPUT_SIZE {
                if !session.print_on(&out)? {
                    return Ok(());
                }
                out.clear();
            }
        }
        session.print(&out)?;
    }
    Ok(())
}

fn object(item: &Listed) -> Value {
    let mut object = Map::new();
    name(&mut object, &item.key);
    let mut put = |name: &str, value: Value| object.insert(name.to_owned(), value);
    put("size", json!(item.size));
    put("expires", json!(item.expires));
    put("last_access", json!(item.last_access));
    put("cas", json!(item.cas));
    put("fetched", json!(item.is_fetched));
    put("class", json!(item.class));
    if let Some(flags) = item.flags {
        put("flags", json!(flags));
    }
    Value::Object(object)
}

/// Seconds since 1970.
pub(super) fn unix_now() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs())
}

/// What `inspect` tells: the name for programs, for people, and the unit.
const FIELDS: [(&str, &str, &str); 9] = [
    ("size", "size", "bytes"),
    ("flags", "flags", ""),
    ("cas", "cas", ""),
    ("ttl_s", "time to live", "s"),
    ("last_access_s", "last access", "s ago"),
    ("hit_before", "hit before", ""),
    ("class", "slab class", ""),
    ("memory", "memory", "bytes"),
    ("binary", "binary key", ""),
];

/// The arguments of `inspect`.
pub(super) fn inspect_command() -> Command {
    let names = FIELDS.map(|(name, ..)| name);
    Command::new("inspect")
        .about("Print what the daemon knows of an item, without using it")
        .arg(key_argument())
        .arg(
            Arg::new("only")
                .long("only")
                .value_name("FIELD")
                .help("Print this number or word and nothing else")
                .value_parser(names),
        )
        .after_help(
            "Examples:\n  larder inspect greeting\n  larder inspect greeting --only class\n  \
             larder inspect greeting --json",
        )
}

/// Prints what is known of an item.
pub(super) fn inspect(session: &Session, arguments: &ArgMatches) -> Result<(), Error> {
    let text = items::argument(arguments, "key");
    let key = parsed(text)?;
    let mut connection = session.connect_for(&key)?;
    let found = facts(&mut connection, &key)?;
    let value = |name: &str| found.get(name).filter(|value| !value.is_null());
    if let Some(only) = arguments.get_one::<String>("only") {
        let value = value(only)
            .ok_or_else(|| Error::Lacks(format!("it does not tell {only}, or not of this item")))?;
        return session.print(format!("{value}\n"));
    }
    let mut text = format!("{:<14}{}\n", "key", shown(&key));
    for (name, title, unit) in FIELDS {
        let told = match value(name) {
            Some(Value::Bool(true)) => "yes".to_owned(),
            Some(Value::Bool(false)) => "no".to_owned(),
            Some(value) => format!("{value} {unit}"),
            None if name == "ttl_s" => "without end".to_owned(),
            None => continue,
        };
        let _ = writeln!(text, "{}", format!("{title:<14}{told}").trim_end());
    }
    let mut object = Map::new();
    name(&mut object, &key);
    object.extend(found);
    session.show(Shown {
        text,
        json: Value::Object(object),
    })
}

/// What meta commands tell of an item. None of them counts as a use.
fn facts(connection: &mut Connection, key: &[u8]) -> Result<Map<String, Value>, Error> {
    let mut word = Vec::new();
    let is_base64 = if is_key(key) {
        word.extend_from_slice(key);
        false
    } else {
        push_base64(&mut word, key);
        true
    };
    let mut request: Vec<&[u8]> = vec![b"mg", &word];
    if is_base64 {
        request.push(b"b");
    }
    // A key that is not text would come back raw from releases that forget what it is.
    let asked: &[&[u8]] = &[b"s", b"f", b"c", b"t", b"l", b"h", b"u", b"k"];
    request.extend_from_slice(&asked[..asked.len() - usize::from(is_base64)]);
    connection.command(&request)?;
    let line = connection.line()?;
    let flags = match MetaReply::parse(&line) {
        MetaReply::Head(flags) => flags,
        MetaReply::Miss => return Err(Error::NotFound),
        _ => return Err(other(&line)),
    };
    let number = |letter| {
        let text = std::str::from_utf8(flags.value(letter)?).ok()?;
        text.parse::<i64>().ok()
    };
    let mut facts = Map::new();
    let mut put = |name: &str, value: Value| facts.insert(name.to_owned(), value);
    put("size", json!(number(b's')));
    put("flags", json!(number(b'f')));
    put("cas", json!(number(b'c')));
    // Below zero is without end.
    put("ttl_s", json!(number(b't').filter(|&left_s| left_s >= 0)));
    put("last_access_s", json!(number(b'l')));
    put("hit_before", json!(number(b'h').map(|hit| hit != 0)));
    put("binary", json!(is_base64 || flags.has(b'b')));
    request.truncate(2 + usize::from(is_base64));
    request[0] = b"me";
    connection.command(&request)?;
    let line = connection.line()?;
    // Some releases do not find such keys here, and gone it may be too.
    if line.starts_with(b"ME ") {
        let told = |name: &str| {
            let text = String::from_utf8_lossy(&line).into_owned();
            let mut words = text.split(' ');
            let value = words.find_map(|word| word.strip_prefix(name)?.strip_prefix('='));
            value.and_then(|value| value.parse::<u64>().ok())
        };
        put("class", json!(told("cls")));
        put("memory", json!(told("size")));
    }
    Ok(facts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_that_is_shown_is_read_back() {
        for key in [
            &b"user:1"[..],
            b"a%20b",
            b"a b\r\n\0",
            b"base64:YQ==",
            b"\xff",
            "\u{9b}31m".as_bytes(),
            "\u{e9}".as_bytes(),
        ] {
            let text = shown(key);
            assert!(
                !text.contains(char::is_control) && !text.contains(' '),
                "{text}"
            );
            assert_eq!(parsed(text.as_bytes()).ok().as_deref(), Some(key), "{text}");
        }
        assert_eq!(shown("\u{e9}".as_bytes()), "\u{e9}");
        assert_eq!(shown(b"a b"), "base64:YSBi");
        let long = [b'x'; 251];
        for wrong in [&b""[..], b"a b", b"base64:", b"base64:x", &long] {
            assert!(matches!(parsed(wrong), Err(Error::Usage(_))), "{wrong:?}");
        }
    }
}
