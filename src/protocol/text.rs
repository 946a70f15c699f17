//! The classic text protocol: command lines in, reply lines out.
//!
//! ```text
//! set <key> <flags> <exptime> <bytes> [noreply]\r\n<data>\r\n     STORED\r\n
//! get <key>*\r\n                  VALUE <key> <flags> <bytes>\r\n<data>\r\nEND\r\n
//! ```
//!
//! A line ends with LF; a CR before it is dropped. Tokens are parted by runs of spaces. No other
//! byte is special, not even in keys.

use crate::limits::{KEY_SIZE_MAX, TOKEN_COUNT_MAX};

use self::reply::{CRLF, END};
use super::admin::{self, Admin};
use super::binary::MAGIC_REQUEST;
use super::error::ProtocolError;
use super::key;
use super::meta::{self, Verb};
use super::number;

/// Shortest line that can hold a command, with its line end.
const LINE_SIZE_MIN: usize = 4;

/// Largest data block that a request may announce. What may be stored is decided elsewhere.
const DATA_SIZE_MAX: u64 = i32::MAX as u64 - 2;

/// One decoded command line.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Command<'a> {
    /// `get`, `gets`, `gat`, `gats`.
    Get(Get<'a>),
    /// `set` and its kin; a data block follows.
    Store(Store<'a>),
    /// `ms`; a data block follows.
    MetaStore {
        /// The line.
        line: meta::Line<'a>,
        /// Bytes of the data block.
        size: u32,
    },
    /// `mg`, `md`, `ma`, `me`.
    Meta(meta::Line<'a>),
    /// `mn`.
    MetaNoop,
    /// `delete`.
    Delete {
        /// 1 to 250 bytes.
        key: &'a [u8],
        /// Nothing is answered.
        noreply: bool,
    },
    /// `incr` and `decr`.
    Arithmetic {
        /// 1 to 250 bytes.
        key: &'a [u8],
        /// By how much.
        delta: u64,
        /// Down instead of up.
        decrement: bool,
        /// Nothing is answered.
        noreply: bool,
    },
    /// `touch`.
    Touch {
        /// 1 to 250 bytes.
        key: &'a [u8],
        /// As the wire has it.
        exptime: i64,
        /// Nothing is answered.
        noreply: bool,
    },
    /// `flush_all`.
    Flush {
        /// When, as the wire has it; zero or less is now.
        exptime: i64,
        /// Nothing is answered.
        noreply: bool,
    },
    /// `config`; behind a set a data block follows.
    Config(config::Config<'a>),
    /// `version`.
    Version,
    /// `quit`.
    Quit,
    /// Everything that is about the daemon rather than about items.
    Admin {
        /// What is asked.
        command: Admin<'a>,
        /// Nothing is answered.
        noreply: bool,
    },
}

/// A retrieval line.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Get<'a> {
    /// The keys and the spaces between them.
    pub keys: &'a [u8],
    /// The cas is wanted.
    pub cas: bool,
    /// New expiry, as the wire has it.
    pub exptime: Option<i64>,
}

/// What a storage line does with its value.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum StoreVerb {
    /// Only where nothing is stored.
    Add,
    /// Behind what is stored.
    Append,
    /// Only over the same cas.
    Cas,
    /// Before what is stored.
    Prepend,
    /// Only where something is stored.
    Replace,
    /// In any case.
    Set,
}

impl StoreVerb {
    /// As requests and log lines spell it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Add => "add",
            Self::Append => "append",
            Self::Cas => "cas",
            Self::Prepend => "prepend",
            Self::Replace => "replace",
            Self::Set => "set",
        }
    }
}

/// A storage line.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Store<'a> {
    /// What to do with the value.
    pub verb: StoreVerb,
    /// 1 to 250 bytes.
    pub key: &'a [u8],
    /// Client flags.
    pub flags: u32,
    /// As the wire has it.
    pub exptime: i64,
    /// Bytes of the data block, without its line end.
    pub size: u32,
    /// The cas to compare with.
    pub cas: u64,
    /// Nothing is answered.
    pub noreply: bool,
}

/// A line that is not served.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Refusal {
    /// Why; `None` hangs up without a word.
    pub error: Option<ProtocolError>,
    /// Bytes of a data block, without its line end, that follow and mean nothing now.
    pub swallow: Option<u32>,
    /// Nothing is answered.
    pub noreply: bool,
}

impl Refusal {
    /// A refusal that is told and has no data block.
    pub const fn plain(error: ProtocolError) -> Self {
        Self {
            error: Some(error),
            swallow: None,
            noreply: false,
        }
    }

    const HANG_UP: Self = Self {
        error: None,
        swallow: None,
        noreply: false,
    };
    const BAD_FORMAT: Self = Self::plain(ProtocolError::BadFormat);

    const fn quiet(error: ProtocolError, noreply: bool) -> Self {
        Self {
            error: Some(error),
            swallow: None,
            noreply,
        }
    }
}

/// Tokens of a line, one after the other.
#[derive(Clone, Copy, Debug)]
pub struct Tokens<'a>(&'a [u8]);

impl<'a> Tokens<'a> {
    /// The tokens of these bytes.
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// What has not been taken yet.
    pub const fn rest(&self) -> &'a [u8] {
        self.0
    }

    /// Whether there is another token.
    pub fn has_more(&self) -> bool {
        self.0.iter().any(|&byte| byte != b' ')
    }

    /// Whether the last token of the line, among those that are looked at, is `noreply`.
    /// `taken` tokens have been taken already.
    pub fn noreply(self, taken: usize) -> bool {
        if self.0.is_empty() {
            return false;
        }
        self.take(TOKEN_COUNT_MAX - 1 - taken).last() == Some(b"noreply")
    }
}

impl<'a> Iterator for Tokens<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        while let [b' ', rest @ ..] = self.0 {
            self.0 = rest;
        }
        if self.0.is_empty() {
            return None;
        }
        let size = space_at(self.0);
        let (token, rest) = self.0.split_at(size);
        self.0 = rest;
        Some(token)
    }
}

/// Where the first space is, or the number of bytes when there is none. Tokens are short: eight
/// bytes at a time in plain registers beat a call of a search made for long texts.
#[inline]
pub fn space_at(bytes: &[u8]) -> usize {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const SPACES: u64 = ONES * b' ' as u64;
    let mut at = 0;
    while let Some(chunk) = bytes[at..].first_chunk() {
        let word = u64::from_le_bytes(*chunk) ^ SPACES;
        // The classic test for a zero byte: the lowest bit found is never a false one.
        let zeros = word.wrapping_sub(ONES) & !word & (ONES << 7);
        if zeros != 0 {
            return at + zeros.trailing_zeros() as usize / 8;
        }
        at += size_of::<u64>();
    }
    let rest = &bytes[at..];
    at + rest
        .iter()
        .position(|&byte| byte == b' ')
        .unwrap_or(rest.len())
}

/// Cuts the line end off a line whose last byte is LF.
pub fn without_line_end(line: &[u8]) -> &[u8] {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    line.strip_suffix(b"\r").unwrap_or(line)
}

/// Whether an unfinished line may go on beyond the limit: a `get` or `gets` whose keys are
/// served as they come. Tells where its keys begin, and whether the cas is wanted.
pub fn endless_get(input: &[u8]) -> Option<(usize, bool)> {
    const SPACES_MAX: usize = 100;
    let spaces = input
        .iter()
        .take(SPACES_MAX + 1)
        .take_while(|&&b| b == b' ')
        .count();
    if spaces > SPACES_MAX {
        return None;
    }
    let line = &input[spaces..];
    if line.starts_with(b"get ") {
        Some((spaces + 4, false))
    } else if line.starts_with(b"gets ") {
        Some((spaces + 5, true))
    } else {
        None
    }
}

/// Whether this begins a packet of the binary protocol, which never follows lines.
pub fn is_packet(input: &[u8]) -> bool {
    input.first() == Some(&MAGIC_REQUEST)
}

/// Decodes one line, given with its line end.
///
/// # Errors
///
/// A [`Refusal`] says what the client is told and what must be skipped.
pub fn decode(line: &[u8]) -> Result<Command<'_>, Refusal> {
    if is_packet(line) {
        return Err(Refusal::HANG_UP);
    }
    if line.len() < LINE_SIZE_MIN {
        return Err(Refusal::BAD_FORMAT);
    }
    let mut tokens = Tokens::new(without_line_end(line));
    let Some(verb) = tokens.next() else {
        return Err(Refusal::plain(ProtocolError::Unknown));
    };
    match verb {
        b"get" => get(tokens, false),
        b"gets" => get(tokens, true),
        b"mg" => meta_line(Verb::Get, tokens),
        b"set" => store(StoreVerb::Set, tokens),
        b"ms" => meta_store(tokens),
        b"delete" => delete(tokens),
        b"md" => meta_line(Verb::Delete, tokens),
        b"incr" => arithmetic(false, tokens),
        b"decr" => arithmetic(true, tokens),
        b"ma" => meta_line(Verb::Arithmetic, tokens),
        b"add" => store(StoreVerb::Add, tokens),
        b"replace" => store(StoreVerb::Replace, tokens),
        b"append" => store(StoreVerb::Append, tokens),
        b"prepend" => store(StoreVerb::Prepend, tokens),
        b"cas" => store(StoreVerb::Cas, tokens),
        b"gat" => get_and_touch(tokens, false),
        b"gats" => get_and_touch(tokens, true),
        b"touch" => touch(tokens),
        b"mn" => Ok(Command::MetaNoop),
        b"me" => meta_line(Verb::Debug, tokens),
        b"flush_all" => flush(tokens),
        b"version" => Ok(Command::Version),
        b"quit" => Ok(Command::Quit),
        b"config" => config::decode(tokens).map(Command::Config),
        _ => other(verb, tokens),
    }
}

fn get(tokens: Tokens<'_>, cas: bool) -> Result<Command<'_>, Refusal> {
    let keys = tokens.rest();
    if !tokens.has_more() {
        return Err(Refusal::BAD_FORMAT);
    }
    check_keys(keys)?;
    Ok(Command::Get(Get {
        keys,
        cas,
        exptime: None,
    }))
}

fn get_and_touch(mut tokens: Tokens<'_>, cas: bool) -> Result<Command<'_>, Refusal> {
    let exptime = tokens.next().ok_or(Refusal::BAD_FORMAT)?;
    let keys = tokens.rest();
    if !tokens.has_more() {
        return Err(Refusal::BAD_FORMAT);
    }
    let exptime = number::exptime(exptime).ok_or(Refusal::plain(ProtocolError::InvalidExptime))?;
    check_keys(keys)?;
    Ok(Command::Get(Get {
        keys,
        cas,
        exptime: Some(exptime),
    }))
}

/// One key that is too long refuses them all.
fn check_keys(keys: &[u8]) -> Result<(), Refusal> {
    if keys.len() > KEY_SIZE_MAX && Tokens::new(keys).any(|key| key.len() > KEY_SIZE_MAX) {
        return Err(Refusal::BAD_FORMAT);
    }
    Ok(())
}

fn data_size(token: &[u8]) -> Option<u32> {
    let size = number::unsigned(token).filter(|&size| size <= DATA_SIZE_MAX)?;
    u32::try_from(size).ok()
}

fn store(verb: StoreVerb, mut tokens: Tokens<'_>) -> Result<Command<'_>, Refusal> {
    let mut next = || tokens.next().ok_or(Refusal::BAD_FORMAT);
    let (key, flags, exptime, size) = (next()?, next()?, next()?, next()?);
    let size = data_size(size).ok_or(Refusal::BAD_FORMAT)?;
    let noreply = tokens.noreply(5);
    let refused = Refusal {
        error: Some(ProtocolError::BadFormat),
        swallow: Some(size),
        noreply,
    };
    if !key::is_size(key.len()) {
        return Err(refused);
    }
    let cas = if verb == StoreVerb::Cas {
        // Without a cas the line is too short to be understood, yet its data block is known.
        let told = Refusal {
            noreply: false,
            ..refused
        };
        number::unsigned(tokens.next().ok_or(told)?)
    } else {
        Some(0)
    };
    match (number::unsigned_32(flags), number::exptime(exptime), cas) {
        (Some(flags), Some(exptime), Some(cas)) => Ok(Command::Store(Store {
            verb,
            key,
            flags,
            exptime,
            size,
            cas,
            noreply,
        })),
        _ => Err(refused),
    }
}

fn meta_line(verb: Verb, mut tokens: Tokens<'_>) -> Result<Command<'_>, Refusal> {
    let key = tokens.next().ok_or(Refusal::BAD_FORMAT)?;
    Ok(Command::Meta(meta::Line {
        verb,
        key,
        flags: tokens.rest(),
    }))
}

fn meta_store(mut tokens: Tokens<'_>) -> Result<Command<'_>, Refusal> {
    let key = tokens.next().ok_or(Refusal::BAD_FORMAT)?;
    let size = tokens
        .next()
        .and_then(data_size)
        .ok_or(Refusal::BAD_FORMAT)?;
    let line = meta::Line {
        verb: Verb::Set,
        key,
        flags: tokens.rest(),
    };
    Ok(Command::MetaStore { line, size })
}

/// A key for a command that has no data block.
fn simple_key<'a>(tokens: &mut Tokens<'a>) -> Result<&'a [u8], Refusal> {
    tokens.next().ok_or(Refusal::BAD_FORMAT)
}

fn delete(mut tokens: Tokens<'_>) -> Result<Command<'_>, Refusal> {
    let key = simple_key(&mut tokens)?;
    let noreply = tokens.noreply(2);
    // A zero once meant "at once"; some clients still send it.
    let mut rest = tokens.take(TOKEN_COUNT_MAX);
    let is_known = matches!(
        (rest.next(), rest.next(), rest.next()),
        (None | Some(b"0" | b"noreply"), None, _) | (Some(b"0"), Some(b"noreply"), None)
    );
    if !is_known || !key::is_size(key.len()) {
        return Err(Refusal::quiet(ProtocolError::BadFormat, noreply));
    }
    Ok(Command::Delete { key, noreply })
}

fn arithmetic(decrement: bool, mut tokens: Tokens<'_>) -> Result<Command<'_>, Refusal> {
    let key = simple_key(&mut tokens)?;
    let delta = tokens.next().ok_or(Refusal::BAD_FORMAT)?;
    let noreply = tokens.noreply(3);
    if !key::is_size(key.len()) {
        return Err(Refusal::quiet(ProtocolError::BadFormat, noreply));
    }
    let Some(delta) = number::unsigned(delta) else {
        return Err(Refusal::quiet(ProtocolError::InvalidDeltaArgument, noreply));
    };
    Ok(Command::Arithmetic {
        key,
        delta,
        decrement,
        noreply,
    })
}

fn touch(mut tokens: Tokens<'_>) -> Result<Command<'_>, Refusal> {
    let key = simple_key(&mut tokens)?;
    let exptime = tokens.next().ok_or(Refusal::BAD_FORMAT)?;
    let noreply = tokens.noreply(3);
    if !key::is_size(key.len()) {
        return Err(Refusal::quiet(ProtocolError::BadFormat, noreply));
    }
    let Some(exptime) = number::exptime(exptime) else {
        return Err(Refusal::quiet(ProtocolError::InvalidExptime, noreply));
    };
    Ok(Command::Touch {
        key,
        exptime,
        noreply,
    })
}

fn flush(mut tokens: Tokens<'_>) -> Result<Command<'_>, Refusal> {
    let noreply = tokens.noreply(1);
    let exptime = match tokens.next() {
        None | Some(b"noreply") => 0,
        Some(token) => {
            number::exptime(token).ok_or(Refusal::quiet(ProtocolError::InvalidExptime, noreply))?
        }
    };
    Ok(Command::Flush { exptime, noreply })
}

fn other<'a>(verb: &[u8], tokens: Tokens<'a>) -> Result<Command<'a>, Refusal> {
    let noreply = tokens.noreply(1);
    match admin::decode(verb, tokens) {
        Ok(Some(command)) => {
            let noreply = noreply && command.knows_noreply();
            Ok(Command::Admin { command, noreply })
        }
        Ok(None) => {
            // A browser that has been talked into speaking to us hears nothing at all.
            let last = tokens.take(TOKEN_COUNT_MAX - 2).last();
            if last.is_some_and(|token| token.starts_with(b"HTTP/")) {
                return Err(Refusal::HANG_UP);
            }
            Err(Refusal::quiet(ProtocolError::Unknown, noreply))
        }
        Err(error) => {
            let noreply = noreply && matches!(verb, b"verbosity" | b"cache_memlimit");
            Err(Refusal::quiet(error, noreply))
        }
    }
}

pub mod config;
pub mod login;

/// Reply lines of the text protocol.
pub mod reply {
    use super::number;

    /// The end of every line, and of a value.
    pub const CRLF: &[u8] = b"\r\n";
    /// The end of a list.
    pub const END: &[u8] = b"END\r\n";
    /// Done.
    pub const OK: &[u8] = b"OK\r\n";
    /// Stored.
    pub const STORED: &[u8] = b"STORED\r\n";
    /// The condition did not hold.
    pub const NOT_STORED: &[u8] = b"NOT_STORED\r\n";
    /// The cas differs.
    pub const EXISTS: &[u8] = b"EXISTS\r\n";
    /// There is no such item.
    pub const NOT_FOUND: &[u8] = b"NOT_FOUND\r\n";
    /// The item is gone.
    pub const DELETED: &[u8] = b"DELETED\r\n";
    /// The item has a new expiry.
    pub const TOUCHED: &[u8] = b"TOUCHED\r\n";
    /// Done, as meta commands are told.
    pub const DONE: &[u8] = b"HD\r\n";
    /// Counters are zero.
    pub const RESET: &[u8] = b"RESET\r\n";
    /// The version we are compatible with. Clients parse it, so it stands bare.
    pub const VERSION_COMPATIBLE: &str = "1.6.45";
    /// The answer to `version`.
    pub const VERSION: &[u8] = b"VERSION 1.6.45\r\n";

    /// Appends why certificates were not read again.
    pub fn not_refreshed(out: &mut Vec<u8>, reason: &str) {
        out.extend_from_slice(b"SERVER_ERROR certificates not refreshed: ");
        // A path may hold anything; the line must stay one.
        let printable = |byte: u8| if byte < b' ' { b'?' } else { byte };
        out.extend(reason.bytes().map(printable));
        out.extend_from_slice(CRLF);
    }

    /// Appends the line before a value.
    pub fn value(out: &mut Vec<u8>, key: &[u8], flags: u32, size: u32, cas: Option<u64>) {
        out.extend_from_slice(b"VALUE ");
        out.extend_from_slice(key);
        if flags == 0 {
            out.extend_from_slice(b" 0 ");
        } else {
            out.push(b' ');
            number::push(out, u64::from(flags));
            out.push(b' ');
        }
        number::push(out, u64::from(size));
        if let Some(cas) = cas {
            out.push(b' ');
            number::push(out, cas);
        }
        out.extend_from_slice(CRLF);
    }

    /// Appends a number on a line of its own.
    pub fn number(out: &mut Vec<u8>, value: u64) {
        number::push(out, value);
        out.extend_from_slice(CRLF);
    }

    /// Appends one line of a statistics list.
    pub fn stat(out: &mut Vec<u8>, name: &str, value: &[u8]) {
        out.extend_from_slice(b"STAT ");
        out.extend_from_slice(name.as_bytes());
        out.push(b' ');
        out.extend_from_slice(value);
        out.extend_from_slice(CRLF);
    }

    /// Appends one line of `stats detail dump`.
    pub fn prefix(out: &mut Vec<u8>, prefix: &[u8], counts: [u64; 4]) {
        out.extend_from_slice(b"PREFIX ");
        super::key::push_printable(out, prefix);
        for (name, count) in [" get ", " hit ", " set ", " del "].iter().zip(counts) {
            out.extend_from_slice(name.as_bytes());
            number::push(out, count);
        }
        out.extend_from_slice(CRLF);
    }

    /// Appends one line of `stats cachedump`.
    pub fn cachedump(out: &mut Vec<u8>, key: &[u8], size: u32, expires: i64) {
        out.extend_from_slice(b"ITEM ");
        super::key::push_printable(out, key);
        out.extend_from_slice(b" [");
        number::push(out, u64::from(size));
        out.extend_from_slice(b" b; ");
        number::push_signed(out, expires);
        out.extend_from_slice(b" s]\r\n");
    }
}

#[cfg(test)]
mod tests;
