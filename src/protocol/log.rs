//! The lines that watchers are sent. Each ends with a bare LF; keys are URI-encoded.

use super::key;
use super::number;

/// Most bytes of one line: a key of all escapes and every field at its widest.
pub const LINE_SIZE_MAX: usize = 1024;

/// How an item was looked for and what came of it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum GetStatus {
    /// It had expired.
    Expired,
    /// It had been flushed.
    Flushed,
    /// It is there.
    Found,
    /// There is none.
    NotFound,
}

impl GetStatus {
    const fn name(self) -> &'static str {
        match self {
            Self::Expired => "expired",
            Self::Flushed => "flushed",
            Self::Found => "found",
            Self::NotFound => "not_found",
        }
    }
}

/// Appends what every line begins with.
pub fn begin(out: &mut Vec<u8>, unix_us: u64, gid: u64, kind: &str) {
    out.extend_from_slice(b"ts=");
    number::push(out, unix_us / 1_000_000);
    out.push(b'.');
    // memcached does not pad this either.
    number::push(out, unix_us % 1_000_000);
    field(out, "gid", gid);
    word(out, "type", kind);
}

/// Appends one field with a number.
pub fn field(out: &mut Vec<u8>, name: &str, value: u64) {
    word(out, name, itoa::Buffer::new().format(value));
}

/// Appends one field with a word.
pub fn word(out: &mut Vec<u8>, name: &str, value: &str) {
    out.push(b' ');
    out.extend_from_slice(name.as_bytes());
    out.push(b'=');
    out.extend_from_slice(value.as_bytes());
}

/// Appends the key field.
pub fn key(out: &mut Vec<u8>, item_key: &[u8]) {
    out.extend_from_slice(b" key=");
    key::push_uri(out, item_key);
}

/// Appends the rest of an `item_get` line.
pub fn item_get(out: &mut Vec<u8>, key: &[u8], status: GetStatus, class: u8, id: u64, size: u32) {
    self::key(out, key);
    word(out, "status", status.name());
    field(out, "clsid", u64::from(class));
    field(out, "cfd", id);
    field(out, "size", u64::from(size));
    out.push(b'\n');
}

/// A value stored, or not.
#[derive(Clone, Copy, Debug)]
pub struct ItemStore<'a> {
    /// Raw bytes.
    pub key: &'a [u8],
    /// What became of it.
    pub status: &'static str,
    /// The command.
    pub command: &'static str,
    /// Seconds to live; zero for ever.
    pub ttl_s: u32,
    /// Slab class.
    pub class: u8,
    /// Connection.
    pub id: u64,
    /// Bytes of the value.
    pub size: u32,
}

/// Appends the rest of an `item_store` line.
pub fn item_store(out: &mut Vec<u8>, store: &ItemStore<'_>) {
    key(out, store.key);
    word(out, "status", store.status);
    word(out, "cmd", store.command);
    field(out, "ttl", u64::from(store.ttl_s));
    field(out, "clsid", u64::from(store.class));
    field(out, "cfd", store.id);
    field(out, "size", u64::from(store.size));
    out.push(b'\n');
}

/// Appends the rest of a `deleted` line.
pub fn deleted(out: &mut Vec<u8>, key: &[u8], command: &str, class: u8, size: u32) {
    self::key(out, key);
    word(out, "cmd", command);
    field(out, "clsid", u64::from(class));
    field(out, "size", u64::from(size));
    out.push(b'\n');
}

/// An item that gave way.
#[derive(Clone, Copy, Debug)]
pub struct Evicted<'a> {
    /// Raw bytes.
    pub key: &'a [u8],
    /// Whether anyone had fetched it.
    pub fetched: bool,
    /// Seconds it had left; `None` for ever.
    pub ttl_s: Option<u32>,
    /// Seconds since its last access.
    pub idle_s: u32,
    /// Slab class.
    pub class: u8,
    /// Bytes of its value.
    pub size: u32,
}

/// Appends the rest of an `eviction` line.
pub fn eviction(out: &mut Vec<u8>, item: &Evicted<'_>) {
    key(out, item.key);
    word(out, "fetch", if item.fetched { "yes" } else { "no" });
    match item.ttl_s {
        None => word(out, "ttl", "-1"),
        Some(ttl_s) => field(out, "ttl", u64::from(ttl_s)),
    }
    field(out, "la", u64::from(item.idle_s));
    field(out, "clsid", u64::from(item.class));
    field(out, "size", u64::from(item.size));
    out.push(b'\n');
}

/// Appends the rest of a `conn_new` or `conn_close` line.
pub fn connection(
    out: &mut Vec<u8>,
    address: &str,
    port: u16,
    transport: &str,
    reason: Option<&str>,
    id: u64,
) {
    word(out, "rip", address);
    field(out, "rport", u64::from(port));
    word(out, "transport", transport);
    if let Some(reason) = reason {
        word(out, "reason", reason);
    }
    field(out, "cfd", id);
    out.push(b'\n');
}

/// Appends the rest of a `conntlserr` line: why TLS failed for a client.
pub fn tls_error(out: &mut Vec<u8>, cause: &str, id: u64) {
    field(out, "fd", id);
    out.extend_from_slice(b" msg=");
    let printable = |byte: u8| if byte < b' ' { b'?' } else { byte };
    out.extend(cause.bytes().map(printable));
    out.push(b'\n');
}

/// Appends the rest of a line about a sweep: begun, or ended with items checked and freed.
pub fn crawl(out: &mut Vec<u8>, class: u8, ended: Option<(u64, u64)>) {
    field(out, "crawler", u64::from(class));
    match ended {
        None => word(out, "state", "started"),
        Some((checked, reclaimed)) => {
            word(out, "state", "finished");
            field(out, "examined", checked);
            field(out, "reclaimed", reclaimed);
        }
    }
    out.push(b'\n');
}

/// Appends the rest of a `slab_move` line.
pub fn page_move(out: &mut Vec<u8>, from: u8, to: u8) {
    field(out, "src", u64::from(from));
    field(out, "dst", u64::from(to));
    word(out, "state", "finished");
    out.push(b'\n');
}

/// Appends the line that says how many lines a watcher has missed.
pub fn skipped(out: &mut Vec<u8>, count: u64) {
    out.extend_from_slice(b"skipped=");
    number::push(out, count);
    out.push(b'\n');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_have_the_fields_that_readers_know() {
        let mut out = Vec::new();
        begin(&mut out, 12_000_345, 7, "item_get");
        item_get(&mut out, b"a b", GetStatus::Found, 3, 9, 4);
        let line = b"ts=12.345 gid=7 type=item_get key=a%20b status=found clsid=3 cfd=9 size=4\n";
        assert_eq!(out, line);
    }

    #[test]
    fn the_longest_line_fits_its_bound() {
        let mut out = Vec::new();
        begin(&mut out, u64::MAX, u64::MAX, "item_store");
        let store = ItemStore {
            key: &[b'#'; crate::limits::KEY_SIZE_MAX],
            status: "not_stored",
            command: "prepend",
            ttl_s: u32::MAX,
            class: u8::MAX,
            id: u64::MAX,
            size: u32::MAX,
        };
        item_store(&mut out, &store);
        assert!(out.len() <= LINE_SIZE_MAX);
    }
}
