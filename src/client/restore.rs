//! `larder load`: stores what an archive has.
//!
//! Requests are quiet and sent in batches; while the daemon works on one, the next is read. So
//! memory is two batches for each daemon, or the largest value.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::PathBuf;

use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use serde_json::{Value, json};

use super::keys::{parsed, shown, unix_now};
use super::progress::Progress;
use super::{Address, Connection, Error, Owners, Session, Shown};
use crate::protocol::client::command;
use crate::protocol::client::listing::{Entry, LINE_END, Record, entry, push_record};
use crate::protocol::client::meta::MetaReply;

/// Most records in a batch, for each daemon.
const BATCH_COUNT: u64 = 1000;

/// Bytes of a daemon's part of a batch, about.
const BATCH_SIZE: usize = 64 << 10;

/// Longest line of an archive, in bytes: a key as base64, and numbers.
const LINE_SIZE_MAX: u64 = 1024;

/// Most bytes that are read of an archive before it is known what they are.
const INPUT_SIZE: usize = 256 << 10;

/// An archive as it is read.
pub(super) struct Archive<R> {
    input: R,
    offset: u64,
}

impl<R: BufRead> Archive<R> {
    pub(super) fn new(input: R) -> Self {
        Self { input, offset: 0 }
    }

    /// Bytes that have been read: where the last record ends.
    pub(super) fn offset(&self) -> u64 {
        self.offset
    }

    /// The next record, with its value; `None` at the end of a whole archive. An archive that was
    /// broken off ends in an error of the kind `UnexpectedEof`.
    pub(super) fn next(&mut self, value: &mut Vec<u8>) -> Result<Option<Record>, Error> {
        let mut line = Vec::new();
        let mut limited = (&mut self.input).take(LINE_SIZE_MAX);
        limited.read_until(b'\n', &mut line).map_err(Error::Local)?;
        self.offset += line.len() as u64;
        let Some(text) = line.strip_suffix(b"\n") else {
            return Err(if (line.len() as u64) < LINE_SIZE_MAX {
                cut_short()
            } else {
                self.strange()
            });
        };
        let text = text.strip_suffix(b"\r").unwrap_or(text);
        let record = match entry(text) {
            Some(Entry::Record(record)) => record,
            Some(Entry::End) => return Ok(None),
            None => return Err(self.strange()),
        };
        let whole = record.size as u64 + LINE_END.len() as u64;
        value.clear();
        let read = (&mut self.input).take(whole).read_to_end(value);
        self.offset += read.map_err(Error::Local)? as u64;
        if (value.len() as u64) < whole {
            return Err(cut_short());
        }
        if !value.ends_with(LINE_END) {
            return Err(self.strange());
        }
        value.truncate(record.size);
        Ok(Some(record))
    }

    fn strange(&self) -> Error {
        let at = self.offset;
        Error::Local(io::Error::other(format!(
            "this is no archive of `larder dump`, or a damaged one, before byte {at}"
        )))
    }
}

fn cut_short() -> Error {
    let words = "the archive ends before its end: the dump was broken off";
    Error::Local(io::Error::new(io::ErrorKind::UnexpectedEof, words))
}

/// The arguments of `load`.
pub(super) fn command_line() -> Command {
    Command::new("load")
        .about("Store the items of a file, or of `larder dump`")
        .arg(
            Arg::new("file")
                .value_name("FILE")
                .help("Where from; standard input unless given")
                .value_parser(value_parser!(PathBuf)),
        )
        .arg(
            Arg::new("add")
                .long("add")
                .help("Leave alone what is there already")
                .action(ArgAction::SetTrue),
        )
        .arg(Arg::new("after").long("after").value_name("KEY").help(
            "Pass over everything up to this key, and it too: a load that fails tells how \
                     far it came",
        ))
        .after_help(
            "Archives of memcached-tool's dump are read too, but for their missing end.\n\n\
             Several daemons, or a --cluster, need --placement: each item goes where that client \
             looks for it.\n\n\
             Examples:\n  larder load items.larder\n  larder dump | larder load --json\n  \
             larder load items.larder --cluster --placement ketama-weighted",
        )
}

/// What has been done so far.
#[derive(Default)]
struct Tally {
    sent: u64,
    size: u64,
    /// There already, with `--add`.
    present: u64,
    refused: u64,
    complaint: String,
}

/// Stores the items of an archive.
pub(super) fn run(session: &Session, arguments: &ArgMatches) -> Result<(), Error> {
    let path = arguments.get_one::<PathBuf>("file");
    let (input, total): (Box<dyn Read>, u64) = match path {
        None => (Box::new(io::stdin().lock()), 0),
        Some(path) => {
            let fail =
                |error| Error::Local(io::Error::other(format!("{}: {error}", path.display())));
            let file = File::open(path).map_err(fail)?;
            let size = file.metadata().map_err(fail)?.len();
            (Box::new(file), size)
        }
    };
    let after = arguments.get_one::<String>("after");
    let after = after.map(|text| parsed(text.as_bytes())).transpose()?;
    let mut archive = Archive::new(BufReader::with_capacity(INPUT_SIZE, input));
    let mut loader = Loader::new(session, arguments.get_flag("add"))?;
    let mut progress = Progress::new(total);
    let result = store_all(&mut archive, &mut loader, after, &mut progress);
    let seconds = progress.end();
    if let Err(error) = result {
        if let Some(key) = &loader.stored {
            let key = shown(key);
            session.complain(&format!("it came up to {key}; --after {key} goes on there"));
        }
        return Err(error);
    }
    let tally = loader.tally();
    let stored: u64 = loader.lanes.iter().map(Lane::stored).sum();
    let mut text = format!("{stored} items stored in {seconds:.1} s");
    for (count, what) in [
        (tally.present, "there already"),
        (loader.expired, "expired"),
    ] {
        if count > 0 {
            text.push_str(&format!(", {count} {what}"));
        }
    }
    text.push('\n');
    let mut told = json!({
        "items": stored, "value_bytes": tally.size, "present": tally.present,
        "expired": loader.expired, "refused": tally.refused, "seconds": seconds,
    });
    if loader.lanes.len() > 1 {
        let each = loader.lanes.iter().map(|lane| {
            let (server, stored) = (lane.server.to_string(), lane.stored());
            text.push_str(&format!("{server}: {stored}\n"));
            json!({ "server": server, "items": stored })
        });
        told["servers"] = Value::Array(each.collect());
    }
    session.show(Shown { text, json: told })?;
    if tally.refused > 0 {
        let words = format!("{} items: {}", tally.refused, tally.complaint);
        return Err(Error::Refused(words));
    }
    Ok(())
}

fn store_all(
    archive: &mut Archive<impl BufRead>,
    loader: &mut Loader,
    after: Option<Vec<u8>>,
    progress: &mut Progress,
) -> Result<(), Error> {
    let mut value = Vec::new();
    if let Some(after) = after {
        loop {
            match archive.next(&mut value)? {
                Some(record) if record.key == after => break,
                Some(_) => {}
                None => return Err(Error::NotFound),
            }
        }
    }
    loop {
        // What has come whole of an archive that was broken off is stored all the same.
        let next = archive.next(&mut value);
        let Ok(Some(record)) = next else {
            loader.turn()?;
            loader.turn()?;
            return next.map(|_| ());
        };
        if loader.put(record, &value) {
            loader.turn()?;
            let tally = loader.tally();
            progress.tell(tally.sent, tally.size, archive.offset());
        }
    }
}

/// Stores records by batches, one ahead of the answers. A batch goes to all daemons at once, each
/// its part, so that what is behind its last key is behind it everywhere.
struct Loader {
    owners: Owners,
    /// A daemon for each place in `owners`.
    lanes: Vec<Lane>,
    is_add: bool,
    /// Records in the batch, and the last key of it.
    count: u64,
    last: Option<Vec<u8>>,
    /// The last key of the batch that is under way.
    awaited: Option<Vec<u8>>,
    /// The last key of those that are answered.
    stored: Option<Vec<u8>>,
    expired: u64,
}

impl Loader {
    /// Connects to all daemons, so that one which is not there is known before anything is stored.
    fn new(session: &Session, is_add: bool) -> Result<Self, Error> {
        let owners = session.owners()?;
        let lanes: Result<Vec<Lane>, Error> = owners
            .servers()
            .iter()
            .map(|server| {
                Ok(Lane {
                    server: server.clone(),
                    is_one_of_many: owners.servers().len() > 1,
                    connection: session.connect_to(server)?,
                    request: Vec::new(),
                    is_sent: false,
                    is_awaited: false,
                    tally: Tally::default(),
                })
            })
            .collect();
        Ok(Self {
            owners,
            lanes: lanes?,
            is_add,
            count: 0,
            last: None,
            awaited: None,
            stored: None,
            expired: 0,
        })
    }

    /// Adds a record to the batch; whether the batch is full.
    fn put(&mut self, record: Record, value: &[u8]) -> bool {
        if record.expires > 0 && record.expires <= unix_now() {
            self.expired += 1;
            return false;
        }
        let count_max = BATCH_COUNT * self.lanes.len() as u64;
        let lane = &mut self.lanes[self.owners.of(&record.key)];
        lane.put(&record, value, self.is_add);
        self.count += 1;
        self.last = Some(record.key);
        self.count >= count_max || lane.request.len() >= BATCH_SIZE
    }

    /// Sends the batch, and takes the answers to the one before.
    fn turn(&mut self) -> Result<(), Error> {
        for lane in &mut self.lanes {
            lane.send().map_err(|error| lane.name(error))?;
        }
        for lane in &mut self.lanes {
            lane.hear().map_err(|error| lane.name(error))?;
        }
        self.count = 0;
        let answered = std::mem::replace(&mut self.awaited, self.last.take());
        self.stored = answered.or(self.stored.take());
        Ok(())
    }

    /// What has been done on all daemons.
    fn tally(&self) -> Tally {
        let mut all = Tally::default();
        for lane in &self.lanes {
            all.sent += lane.tally.sent;
            all.size += lane.tally.size;
            all.present += lane.tally.present;
            all.refused += lane.tally.refused;
            if all.complaint.is_empty() {
                all.complaint.clone_from(&lane.tally.complaint);
            }
        }
        all
    }
}

/// What goes to one daemon.
struct Lane {
    server: Address,
    /// Whether there are others, so that a complaint has to say whose it is.
    is_one_of_many: bool,
    connection: Connection,
    request: Vec<u8>,
    /// Whether this turn has sent something, and whether the turn before has.
    is_sent: bool,
    is_awaited: bool,
    tally: Tally,
}

impl Lane {
    /// Adds a record to the batch.
    fn put(&mut self, record: &Record, value: &[u8], is_add: bool) {
        let more: &[u8] = if is_add { b" q ME" } else { b" q" };
        push_record(&mut self.request, record, more);
        self.request.extend_from_slice(value);
        self.request.extend_from_slice(LINE_END);
        self.tally.sent += 1;
        self.tally.size += value.len() as u64;
    }

    /// Sends the batch, if there is one.
    fn send(&mut self) -> Result<(), Error> {
        let has_batch = !self.request.is_empty();
        self.is_awaited = std::mem::replace(&mut self.is_sent, has_batch);
        if has_batch {
            command(&mut self.request, &[b"mn"]);
            self.connection.send(&self.request)?;
            // A large value's room is not kept for small ones.
            self.request.clear();
            self.request.shrink_to(2 * BATCH_SIZE);
        }
        Ok(())
    }

    /// Takes the answers to what the turn before has sent.
    fn hear(&mut self) -> Result<(), Error> {
        while self.is_awaited {
            let line = self.connection.line()?;
            match MetaReply::parse(&line) {
                MetaReply::Noop => self.is_awaited = false,
                MetaReply::NotStored => self.tally.present += 1,
                _ if line == b"ERROR" => {
                    return Err(Error::Lacks("it has no meta commands".to_owned()));
                }
                _ => {
                    self.tally.refused += 1;
                    if self.tally.complaint.is_empty() {
                        let shown = &line[..line.len().min(200)];
                        self.tally.complaint = String::from_utf8_lossy(shown).into_owned();
                    }
                }
            }
        }
        Ok(())
    }

    /// Says whose error it is, where that is not clear.
    fn name(&self, error: Error) -> Error {
        if self.is_one_of_many {
            error.at(&self.server)
        } else {
            error
        }
    }

    fn stored(&self) -> u64 {
        self.tally.sent - self.tally.present - self.tally.refused
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Keys with their values, and how the archive ended.
    type Read = (Vec<(Vec<u8>, Vec<u8>)>, Result<Option<Record>, Error>);

    fn read(bytes: &[u8]) -> Read {
        let mut archive = Archive::new(bytes);
        let mut all = Vec::new();
        let mut value = Vec::new();
        loop {
            match archive.next(&mut value) {
                Ok(Some(record)) => all.push((record.key, value.clone())),
                end => return (all, end),
            }
        }
    }

    #[test]
    fn an_archive_is_read_to_its_end_and_one_that_is_cut_is_told_from_it() {
        let bytes = b"ms a 3 F1\r\nx\r\n\r\nms YQ== 0 b\r\n\r\nmn\r\n";
        let (all, end) = read(bytes);
        assert_eq!(all.len(), 2);
        assert_eq!(all[0], (b"a".to_vec(), b"x\r\n".to_vec()));
        assert!(matches!(end, Ok(None)));
        for cut in 0..bytes.len() - 1 {
            let (_, end) = read(&bytes[..cut]);
            let Err(Error::Local(cause)) = end else {
                panic!("cut at {cut}");
            };
            assert_eq!(cause.kind(), io::ErrorKind::UnexpectedEof, "cut at {cut}");
        }
        for wrong in [&b"hello\r\n"[..], b"ms a 1\r\nxyz\r\nmn\r\n", &[b'x'; 5000]] {
            let (_, end) = read(wrong);
            assert!(matches!(end, Err(Error::Local(cause))
                if cause.kind() == io::ErrorKind::Other));
        }
    }
}
