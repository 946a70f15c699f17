//! Requests about keys that no line of text can hold, by meta commands, which have them as base64.
//!
//! What they bring is what the classic requests of `requests.rs` bring, so that nobody who asks
//! has to know which were sent.

use super::Error;
use super::connection::{Connection, other};
use super::requests::{CHANGED, Item, TAKEN};
use crate::protocol::client::Storage;
use crate::protocol::client::meta::MetaReply;
use crate::protocol::key::push_base64;
use crate::protocol::number::{unsigned, unsigned_32};

impl Connection {
    /// Sends a meta command about a key, and takes the first line of the reply.
    fn about(&mut self, verb: &[u8], key: &[u8], more: &[&[u8]]) -> Result<Vec<u8>, Error> {
        let mut word = Vec::new();
        push_base64(&mut word, key);
        let words = [&[verb, &word], more].concat();
        self.command(&words)?;
        self.line()
    }

    /// Fetches an item with its cas, giving it another time to live if one is given.
    pub(super) fn get_raw(
        &mut self,
        key: &[u8],
        exptime: Option<i64>,
    ) -> Result<Option<Item>, Error> {
        let ttl = exptime.map(ttl).unwrap_or_default();
        let mut more: Vec<&[u8]> = vec![b"b", b"f", b"c", b"v"];
        if exptime.is_some() {
            more.push(&ttl);
        }
        let line = self.about(b"mg", key, &more)?;
        match MetaReply::parse(&line) {
            MetaReply::Value(size, flags) => Ok(Some(Item {
                flags: flags.value(b'f').and_then(unsigned_32).unwrap_or(0),
                cas: flags.value(b'c').and_then(unsigned).unwrap_or(0),
                value: self.block(size)?,
            })),
            MetaReply::Miss => Ok(None),
            _ => Err(other(&line)),
        }
    }

    /// Stores a value, as [`Self::store`] does.
    pub(super) fn store_raw(
        &mut self,
        how: Storage,
        key: &[u8],
        flags: u32,
        exptime: i64,
        value: &[u8],
    ) -> Result<(), Error> {
        let mode = match how {
            Storage::Set => "MS".to_owned(),
            Storage::Add => "ME".to_owned(),
            Storage::Replace => "MR".to_owned(),
            Storage::Append => "MA".to_owned(),
            Storage::Prepend => "MP".to_owned(),
            Storage::Cas(cas) => format!("C{cas}"),
        };
        let mut word = Vec::new();
        push_base64(&mut word, key);
        let head = format!("{} b F{flags} {mode} ", value.len());
        let head = [b"ms ", &word[..], b" ", head.as_bytes(), &ttl(exptime)].concat();
        // Two lines, the second of them the value as it is.
        self.command(&[&head])?;
        self.command(&[value])?;
        let line = self.line()?;
        match (MetaReply::parse(&line), how) {
            (MetaReply::Head(_), _) => Ok(()),
            (MetaReply::NotStored, Storage::Add) => Err(TAKEN),
            (MetaReply::NotStored, Storage::Cas(_)) => Err(CHANGED),
            (MetaReply::NotStored | MetaReply::Miss, _) => Err(Error::NotFound),
            _ => Err(other(&line)),
        }
    }

    /// Removes an item; false when there was none.
    pub(super) fn delete_raw(&mut self, key: &[u8]) -> Result<bool, Error> {
        let line = self.about(b"md", key, &[b"b"])?;
        done_or_miss(&line)
    }

    /// Gives an item another time to live; false when there is none.
    pub(super) fn touch_raw(&mut self, key: &[u8], exptime: i64) -> Result<bool, Error> {
        let line = self.about(b"mg", key, &[b"b", &ttl(exptime)])?;
        done_or_miss(&line)
    }

    /// Adds to a counter, or takes from it; `None` when there is none.
    pub(super) fn count_raw(
        &mut self,
        key: &[u8],
        delta: u64,
        is_down: bool,
    ) -> Result<Option<u64>, Error> {
        let delta = format!("D{delta}");
        let mode: &[u8] = if is_down { b"MD" } else { b"MI" };
        let line = self.about(b"ma", key, &[b"b", b"v", mode, delta.as_bytes()])?;
        match MetaReply::parse(&line) {
            MetaReply::Value(size, _) => {
                let value = self.block(size)?;
                let number = unsigned(&value).ok_or_else(|| Error::unexpected(&value))?;
                Ok(Some(number))
            }
            MetaReply::Miss => Ok(None),
            _ => Err(other(&line)),
        }
    }
}

/// The flag that gives a time to live.
fn ttl(exptime: i64) -> Vec<u8> {
    format!("T{exptime}").into_bytes()
}

fn done_or_miss(line: &[u8]) -> Result<bool, Error> {
    match MetaReply::parse(line) {
        MetaReply::Head(_) => Ok(true),
        MetaReply::Miss => Ok(false),
        _ => Err(other(line)),
    }
}
