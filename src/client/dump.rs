//! `larder dump`: all items of a daemon, as an archive that `larder load` takes.
//!
//! ```text
//!  connection 1: listing of keys ------> a nameless file
//!  connection 2: batch n+1 of them asked for, while the values of batch n are written
//! ```
//!
//! The listing comes first and whole: memcached's passes over items that are in use while it
//! looks at them, and what is fetched is in use. Memory is two batches of keys and one value. An item that goes away meanwhile is not in the
//! archive; one that changes is there with its key, value, flags and expiry of one moment.

use std::collections::HashSet;
use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, BufWriter, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use rustix::fs::{Mode, OFlags, open};
use serde_json::json;
use sha2::{Digest, Sha256};

use super::keys::{Listing, unix_now};
use super::progress::Progress;
use super::restore::Archive;
use super::{Address, Connection, Error, Session};
use crate::protocol::client::listing::{
    ARCHIVE_END, LINE_END, Listed, Record, push_key, push_record,
};
use crate::protocol::client::meta::MetaReply;
use crate::protocol::client::{command, is_key};
use crate::protocol::number::unsigned;

/// Most keys in a batch.
const BATCH_COUNT: usize = 500;

/// Bytes of a batch of requests, about. Two of them fit what a system keeps for a socket, so that
/// neither side waits for the other to read.
const BATCH_SIZE: usize = 16 << 10;

/// Seconds by which the listing's expiry and the item's own time to live may disagree, since one
/// is rounded and the other counted from another moment.
const SLACK_S: u64 = 2;

/// Most words of the daemon that are kept of items that it does not give.
const COMPLAINT_SIZE: usize = 200;

/// The arguments of `dump`.
pub(super) fn command_line() -> Command {
    Command::new("dump")
        .about("Write all items to a file, or to `larder load`")
        .arg(
            Arg::new("file")
                .value_name("FILE")
                .help("Where to; standard output unless given")
                .value_parser(value_parser!(PathBuf)),
        )
        .arg(
            Arg::new("prefix")
                .long("prefix")
                .value_name("TEXT")
                .help("Only keys that begin so"),
        )
        .arg(
            Arg::new("resume")
                .long("resume")
                .help(
                    "Keep what FILE has from a dump that was broken off, and add the keys that \
                     it lacks",
                )
                .action(ArgAction::SetTrue)
                .requires("file"),
        )
        .after_help(
            "An archive is a run of meta commands; expiries in it are moments, and go on while it \
             lies.\n\nExamples:\n  larder dump items.larder\n  \
             larder dump --resume items.larder\n  \
             larder dump --prefix user: | larder load --add",
        )
}

/// What has been written so far.
#[derive(Default)]
struct Tally {
    items: u64,
    size: u64,
    listed: u64,
    refused: u64,
    complaint: String,
}

/// Writes all items.
pub(super) fn run(session: &Session, arguments: &ArgMatches) -> Result<(), Error> {
    let prefix = arguments.get_one::<String>("prefix");
    let prefix = prefix.map_or(&b""[..], |prefix| prefix.as_bytes());
    let path = arguments.get_one::<PathBuf>("file");
    let mut known = HashSet::new();
    let mut out: Box<dyn Write> = match path {
        None => Box::new(io::stdout().lock()),
        Some(path) if arguments.get_flag("resume") => Box::new(reopened(path, &mut known)?),
        Some(path) => Box::new(File::create(path).map_err(|error| fail(path, &error))?),
    };
    let mut out = BufWriter::with_capacity(256 << 10, &mut out);
    let owners = match session.placement {
        Some(_) => Some(session.owners()?),
        None => None,
    };
    let nodes = match &owners {
        Some(owners) => owners.servers().to_vec(),
        None => session.nodes()?,
    };
    let mut tally = Tally::default();
    let mut total = 0;
    for node in &nodes {
        let report = session.connect_to(node)?.stats(&[])?;
        let count = report.iter().find(|(name, _)| name == "curr_items");
        total += count.map_or(0, |(_, value)| value.parse().unwrap_or(0));
    }
    let mut progress = Progress::new(total);
    for node in &nodes {
        let is_wanted = |key: &[u8]| {
            key.starts_with(prefix)
                && (known.is_empty() || !known.contains(&fingerprint(key)))
                && owners
                    .as_ref()
                    .is_none_or(|owners| owners.server(key) == node)
        };
        let taken = take_all(
            session,
            node,
            is_wanted,
            &mut out,
            &mut tally,
            &mut progress,
        );
        match taken {
            Err(error) if nodes.len() > 1 => return Err(error.at(node)),
            other => other?,
        }
    }
    out.write_all(ARCHIVE_END)
        .and_then(|()| out.flush())
        .map_err(Error::Local)?;
    let seconds = progress.end();
    let (items, size, refused) = (tally.items, tally.size, tally.refused);
    // Standard output may be the archive.
    if session.json {
        let told = json!({
            "items": items, "value_bytes": size, "kept": known.len(), "refused": refused,
            "seconds": seconds,
        });
        session.remark(&told.to_string());
    } else {
        session.remark(&format!("{items} items written in {seconds:.1} s"));
    }
    if refused > 0 {
        let words = format!("{refused} items are not in it: {}", tally.complaint);
        return Err(Error::Refused(words));
    }
    Ok(())
}

/// Writes the items of a daemon that are wanted.
fn take_all(
    session: &Session,
    node: &Address,
    is_wanted: impl Fn(&[u8]) -> bool,
    out: &mut impl Write,
    tally: &mut Tally,
    progress: &mut Progress,
) -> Result<(), Error> {
    let listing = Listing::begin(session.connect_to(node)?, session.access.timeout)?;
    let mut wanted = spool(listing, is_wanted)?;
    let mut fetcher = Fetcher::new(session.connect_to(node)?);
    while let Some(item) = unspool(&mut wanted).map_err(Error::Local)? {
        tally.listed += 1;
        if fetcher.want(item) {
            fetcher.turn(out, tally)?;
            progress.tell(tally.items, tally.size, tally.listed);
        }
    }
    // What is wanted still, and what is on its way.
    fetcher.turn(out, tally)?;
    fetcher.turn(out, tally)
}

fn fail(path: &Path, error: &io::Error) -> Error {
    Error::Local(io::Error::other(format!("{}: {error}", path.display())))
}

/// Sixteen bytes that stand for a key, so that millions of them fit memory.
fn fingerprint(key: &[u8]) -> [u8; 16] {
    let digest = Sha256::digest(key);
    let mut short = [0; 16];
    short.copy_from_slice(&digest[..16]);
    short
}

/// Writes the keys that are wanted, with their expiries, to a file that nobody else can name and
/// that goes with this process; it stands at its begin.
fn spool(
    mut listing: Listing,
    is_wanted: impl Fn(&[u8]) -> bool,
) -> Result<BufReader<File>, Error> {
    let folder = std::env::temp_dir();
    let flags = OFlags::TMPFILE | OFlags::RDWR | OFlags::CLOEXEC;
    let file = open(&folder, flags, Mode::RUSR | Mode::WUSR)
        .map_err(|errno| fail(&folder, &errno.into()))?;
    let mut out = BufWriter::new(File::from(file));
    while let Some(item) = listing.next()? {
        if is_wanted(&item.key) {
            // A key has 250 bytes at most, and a daemon that told another would tell nonsense.
            let size = u8::try_from(item.key.len()).map_err(|_| Error::unexpected(&item.key))?;
            out.write_all(&item.expires.unwrap_or(0).to_le_bytes())
                .and_then(|()| out.write_all(&[size]))
                .and_then(|()| out.write_all(&item.key))
                .map_err(|error| fail(&folder, &error))?;
        }
    }
    let mut file = out
        .into_inner()
        .map_err(|error| fail(&folder, error.error()))?;
    file.rewind().map_err(|error| fail(&folder, &error))?;
    Ok(BufReader::new(file))
}

/// The next of what [`spool`] has written; `None` at the end.
fn unspool(file: &mut BufReader<File>) -> io::Result<Option<Listed>> {
    if file.fill_buf()?.is_empty() {
        return Ok(None);
    }
    let (mut expires, mut size) = ([0; 8], [0]);
    file.read_exact(&mut expires)?;
    file.read_exact(&mut size)?;
    let mut key = vec![0; usize::from(size[0])];
    file.read_exact(&mut key)?;
    let expires = u64::from_le_bytes(expires);
    Ok(Some(Listed {
        key,
        expires: (expires > 0).then_some(expires),
        ..Listed::default()
    }))
}

/// Opens an archive to write on where its last whole record ends.
fn reopened(path: &Path, known: &mut HashSet<[u8; 16]>) -> Result<File, Error> {
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(path)
        .map_err(|error| fail(path, &error))?;
    let mut archive = Archive::new(BufReader::new(&file));
    let mut value = Vec::new();
    let mut end = 0;
    loop {
        match archive.next(&mut value) {
            Ok(Some(record)) => {
                known.insert(fingerprint(&record.key));
                end = archive.offset();
            }
            // Whole, or broken off: what is behind the last record is written anew.
            Ok(None) => break,
            Err(Error::Local(cause)) if cause.kind() == io::ErrorKind::UnexpectedEof => break,
            Err(error) => return Err(error),
        }
    }
    let mut file = file;
    file.set_len(end)
        .and_then(|()| file.seek(SeekFrom::Start(end)))
        .map_err(|error| fail(path, &error))?;
    Ok(file)
}

/// Fetches items by batches of keys, one ahead of what is written.
struct Fetcher {
    connection: Connection,
    /// Keys that are to be asked for, and the requests.
    wanted: Vec<Listed>,
    request: Vec<u8>,
    /// Keys whose values are on their way.
    awaited: Vec<Listed>,
}

impl Fetcher {
    fn new(connection: Connection) -> Self {
        Self {
            connection,
            wanted: Vec::new(),
            request: Vec::new(),
            awaited: Vec::new(),
        }
    }

    /// Adds a key to the batch; whether the batch is full.
    fn want(&mut self, item: Listed) -> bool {
        let out = &mut self.request;
        out.extend_from_slice(b"mg ");
        let is_base64 = push_key(out, &item.key);
        // The key comes back with a mark when clients see it as base64. One that is no text has
        // the mark anyway, and some releases would send it back raw.
        let flags: &[u8] = if is_base64 { b" b" } else { b" k" };
        out.extend_from_slice(flags);
        let number = self.wanted.len().to_string();
        // By `u` it is not counted as a use, so that nothing moves in the daemon's queues.
        command(
            out,
            &[
                b"",
                b"u",
                b"f",
                b"t",
                b"v",
                b"q",
                &[b"O", number.as_bytes()].concat(),
            ],
        );
        self.wanted.push(item);
        self.wanted.len() >= BATCH_COUNT || self.request.len() >= BATCH_SIZE
    }

    /// Asks for the batch, and writes what came of the one before.
    fn turn(&mut self, out: &mut impl Write, tally: &mut Tally) -> Result<(), Error> {
        if !self.wanted.is_empty() {
            command(&mut self.request, &[b"mn"]);
            self.connection.send(&self.request)?;
            self.request.clear();
        }
        let awaited = std::mem::replace(&mut self.awaited, std::mem::take(&mut self.wanted));
        if awaited.is_empty() {
            return Ok(());
        }
        loop {
            let line = self.connection.line()?;
            let (size, flags) = match MetaReply::parse(&line) {
                MetaReply::Value(size, flags) => (size, flags),
                MetaReply::Noop => return Ok(()),
                MetaReply::Miss => continue,
                _ if line == b"ERROR" => {
                    return Err(Error::Lacks("it has no meta commands".to_owned()));
                }
                _ => {
                    tally.refused += 1;
                    if tally.complaint.is_empty() {
                        let shown = &line[..line.len().min(COMPLAINT_SIZE)];
                        tally.complaint = String::from_utf8_lossy(shown).into_owned();
                    }
                    continue;
                }
            };
            let number = |letter| flags.value(letter).and_then(unsigned);
            let item = number(b'O')
                .and_then(|index| awaited.get(usize::try_from(index).ok()?))
                .ok_or_else(|| Error::unexpected(&line))?;
            let record = Record {
                key: item.key.clone(),
                is_binary: flags.has(b'b') || !is_key(&item.key),
                flags: number(b'f')
                    .and_then(|bits| u32::try_from(bits).ok())
                    .unwrap_or(0),
                // Below zero is without end.
                expires: number(b't').map_or(0, |left_s| expiry(item, left_s, unix_now())),
                size,
            };
            let value = self.connection.block(size)?;
            let mut head = Vec::with_capacity(300);
            push_record(&mut head, &record, b"");
            out.write_all(&head)
                .and_then(|()| out.write_all(&value))
                .and_then(|()| out.write_all(LINE_END))
                .map_err(Error::Local)?;
            tally.items += 1;
            tally.size += size as u64;
        }
    }
}

/// When an item expires that has so long to live: the moment that the listing told, unless the
/// item has got another since.
fn expiry(item: &Listed, left_s: u64, now: u64) -> u64 {
    let counted = now.saturating_add(left_s);
    match item.expires {
        Some(told) if told.abs_diff(counted) <= SLACK_S => told,
        _ => counted,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_expiry_is_the_listings_unless_it_has_changed_since() {
        let item = |expires| Listed {
            expires,
            ..Listed::default()
        };
        assert_eq!(expiry(&item(Some(1100)), 99, 1000), 1100);
        assert_eq!(expiry(&item(Some(1100)), 102, 1000), 1100);
        assert_eq!(expiry(&item(Some(1100)), 103, 1000), 1103);
        assert_eq!(expiry(&item(None), 100, 1000), 1100);
    }
}
