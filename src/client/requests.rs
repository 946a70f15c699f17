//! What a daemon can be asked, one request at a time, by text or in packets. A key that text has
//! no room for goes by the meta commands of `raw_keys.rs`.

use super::Error;
use super::connection::{Connection, other, text};
use crate::protocol::binary::{Opcode, Status};
use crate::protocol::client::binary::{Packet, Request};
use crate::protocol::client::{self as wire, Reply, Storage};

/// In packets an expiry has no sign; this moment, a month after 1970 began, has passed for all.
const PAST: u32 = 60 * 60 * 24 * 30 + 1;

/// An expiry by which a packet makes no counter where there is none.
const NO_ITEM: [u8; 4] = [0xff; 4];

/// An item as a client sees it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Item {
    /// What the client that stored it noted beside it.
    pub flags: u32,
    /// Changes with every change of the item.
    pub cas: u64,
    /// The value.
    pub value: Vec<u8>,
}

/// Why nothing was added.
pub(super) const TAKEN: Error = Error::Unmet("the key is there already");

/// Why a cas did not hold.
pub(super) const CHANGED: Error = Error::Unmet("the item has another cas: somebody has changed it");

/// What a report tells: names and values, in the daemon's order.
pub type Report = Vec<(String, String)>;

impl Connection {
    /// Fetches an item with its cas; `None` when there is none.
    ///
    /// # Errors
    ///
    /// [`Error::Refused`] and [`Error::Broken`].
    pub fn get(&mut self, key: &[u8]) -> Result<Option<Item>, Error> {
        if self.is_binary() {
            return self.exchange(&Request::new(Opcode::Get, key), hit)?;
        }
        if !wire::is_key(key) {
            return self.get_raw(key, None);
        }
        self.command(&[b"gets", key])?;
        self.values()
    }

    /// As [`Self::get`], giving the item another time to live.
    ///
    /// # Errors
    ///
    /// [`Error::Refused`] and [`Error::Broken`].
    pub fn get_and_touch(&mut self, key: &[u8], exptime: i64) -> Result<Option<Item>, Error> {
        if self.is_binary() {
            let request = Request {
                extras: &expiry(exptime),
                ..Request::new(Opcode::Gat, key)
            };
            return self.exchange(&request, hit)?;
        }
        if !wire::is_key(key) {
            return self.get_raw(key, Some(exptime));
        }
        self.command(&[b"gats", exptime.to_string().as_bytes(), key])?;
        self.values()
    }

    fn values(&mut self) -> Result<Option<Item>, Error> {
        let mut found = None;
        loop {
            let line = self.line()?;
            match Reply::parse(&line) {
                Reply::Value {
                    flags, size, cas, ..
                } => {
                    found = Some(Item {
                        flags,
                        cas: cas.unwrap_or_default(),
                        value: self.block(size)?,
                    });
                }
                Reply::End => return Ok(found),
                _ => return Err(other(&line)),
            }
        }
    }

    /// Stores a value. `exptime` is what requests carry: seconds from now up to 30 days, above
    /// that a Unix time, 0 for no end. Neither it nor `flags` means anything to append and prepend.
    ///
    /// # Errors
    ///
    /// [`Error::Unmet`] or [`Error::NotFound`] when the condition does not hold,
    /// [`Error::Refused`] and [`Error::Broken`].
    pub fn store(
        &mut self,
        how: Storage,
        key: &[u8],
        flags: u32,
        exptime: i64,
        value: &[u8],
    ) -> Result<(), Error> {
        if self.is_binary() {
            let (opcode, cas) = match how {
                Storage::Set => (Opcode::Set, 0),
                Storage::Add => (Opcode::Add, 0),
                Storage::Replace => (Opcode::Replace, 0),
                Storage::Append => (Opcode::Append, 0),
                Storage::Prepend => (Opcode::Prepend, 0),
                Storage::Cas(cas) => (Opcode::Set, cas),
            };
            let mut extras = flags.to_be_bytes().to_vec();
            extras.extend_from_slice(&expiry(exptime));
            let is_joined = matches!(how, Storage::Append | Storage::Prepend);
            let request = Request {
                extras: if is_joined { b"" } else { &extras },
                value,
                cas,
                ..Request::new(opcode, key)
            };
            return self.exchange(&request, |packet| match (packet.status, how) {
                (status, Storage::Add) if status == Status::Exists as u16 => Err(TAKEN),
                (status, _) if status == Status::Exists as u16 => Err(CHANGED),
                (status, _) if status == Status::NotStored as u16 => Err(Error::NotFound),
                _ => done(packet),
            })?;
        }
        if !wire::is_key(key) {
            return self.store_raw(how, key, flags, exptime, value);
        }
        let mut request = Vec::with_capacity(value.len() + key.len() + 64);
        wire::store(&mut request, how, key, flags, exptime, value);
        self.send(&request)?;
        let line = self.line()?;
        match (Reply::parse(&line), how) {
            (Reply::Done, _) => Ok(()),
            (Reply::NotStored, Storage::Add) => Err(TAKEN),
            (Reply::NotStored, _) => Err(Error::NotFound),
            (Reply::Exists, _) => Err(CHANGED),
            _ => Err(other(&line)),
        }
    }

    /// Removes an item; false when there was none.
    ///
    /// # Errors
    ///
    /// [`Error::Refused`] and [`Error::Broken`].
    pub fn delete(&mut self, key: &[u8]) -> Result<bool, Error> {
        if self.is_binary() {
            return self.exchange(&Request::new(Opcode::Delete, key), found)?;
        }
        if !wire::is_key(key) {
            return self.delete_raw(key);
        }
        self.command(&[b"delete", key])?;
        self.found_or_not()
    }

    /// Gives an item another time to live; false when there is none.
    ///
    /// # Errors
    ///
    /// [`Error::Refused`] and [`Error::Broken`].
    pub fn touch(&mut self, key: &[u8], exptime: i64) -> Result<bool, Error> {
        if self.is_binary() {
            let request = Request {
                extras: &expiry(exptime),
                ..Request::new(Opcode::Touch, key)
            };
            return self.exchange(&request, found)?;
        }
        if !wire::is_key(key) {
            return self.touch_raw(key, exptime);
        }
        self.command(&[b"touch", key, exptime.to_string().as_bytes()])?;
        self.found_or_not()
    }

    fn found_or_not(&mut self) -> Result<bool, Error> {
        let line = self.line()?;
        match Reply::parse(&line) {
            Reply::Done => Ok(true),
            Reply::NotFound => Ok(false),
            _ => Err(other(&line)),
        }
    }

    /// Adds to a counter, or takes from it, which ends at 0; `None` when there is none.
    ///
    /// # Errors
    ///
    /// [`Error::Refused`] when the value is no number, and [`Error::Broken`].
    pub fn count(&mut self, key: &[u8], delta: u64, is_down: bool) -> Result<Option<u64>, Error> {
        if self.is_binary() {
            let opcode = if is_down {
                Opcode::Decrement
            } else {
                Opcode::Increment
            };
            let mut extras = delta.to_be_bytes().to_vec();
            extras.extend_from_slice(&[0; 8]);
            extras.extend_from_slice(&NO_ITEM);
            let request = Request {
                extras: &extras,
                ..Request::new(opcode, key)
            };
            return self.exchange(&request, |packet| {
                if packet.status == Status::NotFound as u16 {
                    return Ok(None);
                }
                done(packet)?;
                let number = packet.value.first_chunk().copied();
                Ok(number.map(u64::from_be_bytes))
            })?;
        }
        if !wire::is_key(key) {
            return self.count_raw(key, delta, is_down);
        }
        let verb: &[u8] = if is_down { b"decr" } else { b"incr" };
        self.command(&[verb, key, delta.to_string().as_bytes()])?;
        let line = self.line()?;
        match Reply::parse(&line) {
            Reply::Number(number) => Ok(Some(number)),
            Reply::NotFound => Ok(None),
            _ => Err(other(&line)),
        }
    }

    /// Takes all items away, now or in so many seconds.
    ///
    /// # Errors
    ///
    /// [`Error::Refused`] and [`Error::Broken`].
    pub fn flush(&mut self, delay_s: u32) -> Result<(), Error> {
        if self.is_binary() {
            let request = Request {
                extras: &delay_s.to_be_bytes(),
                ..Request::new(Opcode::Flush, b"")
            };
            return self.exchange(&request, done)?;
        }
        self.command(&[b"flush_all", delay_s.to_string().as_bytes()])?;
        let line = self.line()?;
        match Reply::parse(&line) {
            Reply::Done => Ok(()),
            _ => Err(other(&line)),
        }
    }

    /// Fetches an entry of `config`, such as `cluster`; `None` when there is none.
    ///
    /// # Errors
    ///
    /// [`Error::Lacks`] when the daemon knows no such thing, [`Error::Refused`] and
    /// [`Error::Broken`].
    pub fn config(&mut self, key: &[u8]) -> Result<Option<Vec<u8>>, Error> {
        if self.is_binary() {
            let found = self.exchange(&Request::new(Opcode::ConfigGet, key), hit)??;
            return Ok(found.map(|item| item.value));
        }
        self.command(&[b"config", b"get", key])?;
        let mut found = None;
        loop {
            let line = self.line()?;
            match Reply::parse(&line) {
                Reply::Value { size, .. } => found = Some(self.block(size)?),
                Reply::End => return Ok(found),
                _ => return Err(other(&line)),
            }
        }
    }

    /// Stores an entry of `config`.
    ///
    /// # Errors
    ///
    /// As [`Self::config`].
    pub fn set_config(&mut self, key: &[u8], bytes: &[u8]) -> Result<(), Error> {
        if self.is_binary() {
            let request = Request {
                extras: &[0; 4],
                value: bytes,
                ..Request::new(Opcode::ConfigSet, key)
            };
            return self.exchange(&request, done)?;
        }
        let mut request = Vec::new();
        wire::set_config(&mut request, key, bytes);
        self.send(&request)?;
        let line = self.line()?;
        match Reply::parse(&line) {
            Reply::Done => Ok(()),
            _ => Err(other(&line)),
        }
    }

    /// The version that the daemon claims.
    ///
    /// # Errors
    ///
    /// [`Error::Refused`] and [`Error::Broken`].
    pub fn version(&mut self) -> Result<String, Error> {
        if self.is_binary() {
            return self.exchange(&Request::new(Opcode::Version, b""), |packet| {
                done(packet).map(|()| text(packet.value))
            })?;
        }
        self.command(&[b"version"])?;
        let line = self.line()?;
        match Reply::parse(&line) {
            Reply::Version(version) => Ok(text(version)),
            _ => Err(other(&line)),
        }
    }

    /// A report: `stats`, or one of its groups by its words.
    ///
    /// # Errors
    ///
    /// [`Error::Lacks`] when there is no such group, [`Error::Refused`] and [`Error::Broken`].
    pub fn stats(&mut self, group: &[&[u8]]) -> Result<Report, Error> {
        let mut report = Report::new();
        self.stats_each(group, &mut |name, value| report.push((name, value)))?;
        Ok(report)
    }

    /// As [`Self::stats`], each line handed to `see` as it comes: for reports that may be long.
    ///
    /// # Errors
    ///
    /// As [`Self::stats`].
    pub fn stats_each(
        &mut self,
        group: &[&[u8]],
        see: &mut dyn FnMut(String, String),
    ) -> Result<(), Error> {
        if self.is_binary() {
            let key = group.join(&b' ');
            let mut bytes = Vec::new();
            Request::new(Opcode::Stat, &key).push(&mut bytes);
            self.send(&bytes)?;
            while let Some((name, value)) = self.packet(|packet| {
                // A report has groups that are not there as any other key that is not.
                if packet.status == Status::NotFound as u16 {
                    return Err(Error::Lacks("it has no such report".to_owned()));
                }
                done(packet)?;
                let entry = (text(packet.key), text(packet.value));
                Ok((!packet.key.is_empty()).then_some(entry))
            })?? {
                see(name, value);
            }
            return Ok(());
        }
        let mut words: Vec<&[u8]> = vec![b"stats"];
        words.extend_from_slice(group);
        self.command(&words)?;
        loop {
            let line = self.line()?;
            match Reply::parse(&line) {
                Reply::Stat { name, value } => see(text(name), text(value)),
                Reply::End => return Ok(()),
                // `stats reset` says a word of its own.
                Reply::Done => return Ok(()),
                _ => return Err(other(&line)),
            }
        }
    }

    /// As [`Self::stats`]; nothing when there is no such report, or none for this user.
    ///
    /// # Errors
    ///
    /// [`Error::Broken`].
    pub fn stats_if_any(&mut self, group: &[&[u8]]) -> Result<Report, Error> {
        match self.stats(group) {
            Err(Error::Lacks(_) | Error::Refused(_)) => Ok(Report::new()),
            other => other,
        }
    }
}

fn expiry(exptime: i64) -> [u8; 4] {
    let moment = if exptime < 0 {
        PAST
    } else {
        u32::try_from(exptime).unwrap_or(u32::MAX)
    };
    moment.to_be_bytes()
}

/// The item that a packet brings.
fn hit(packet: Packet<'_>) -> Result<Option<Item>, Error> {
    if packet.status == Status::NotFound as u16 {
        return Ok(None);
    }
    done(packet)?;
    let flags = packet.extras.first_chunk().copied();
    Ok(Some(Item {
        flags: flags.map_or(0, u32::from_be_bytes),
        cas: packet.cas,
        value: packet.value.to_vec(),
    }))
}

/// Whether there was an item to do it to.
fn found(packet: Packet<'_>) -> Result<bool, Error> {
    if packet.status == Status::NotFound as u16 {
        return Ok(false);
    }
    done(packet).map(|()| true)
}

/// Whether it has been done.
fn done(packet: Packet<'_>) -> Result<(), Error> {
    if packet.status == Status::Done as u16 {
        Ok(())
    } else if packet.status == Status::NotFound as u16 {
        Err(Error::NotFound)
    } else if packet.status == Status::Unknown as u16 {
        Err(Error::Lacks("it does not know this request".to_owned()))
    } else {
        Err(Error::Refused(text(packet.value)))
    }
}
