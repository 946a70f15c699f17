//! Discovery: what clients that look for the nodes of the cluster ask, and what they are told.
//!
//! Entries are looked up in the directory, not in the store. The cluster document is there at all
//! times, since a client that is told nothing waits for ever or uses no node.

use std::sync::Arc;

use super::data::is_awaited;
use super::turn::Turn;
use super::{Session, Shared, State, Step};
use crate::cluster::Reach;
use crate::cluster::directory::{CLUSTER_KEY, Entry, RESERVED_KEY, Refused, View};
use crate::limits::CONFIG_SIZE_MAX;
use crate::protocol::ProtocolError;
use crate::protocol::binary::{self, Echo, Header, Opcode, Status, Verb};
use crate::protocol::meta::{self, Options, Shown};
use crate::protocol::text::config::{self, Config};
use crate::protocol::text::reply;

/// How a client wants to store an entry.
#[derive(Clone, Copy, Debug)]
struct Storing {
    form: Form,
    flags: u32,
    /// Bytes of the entry, without what follows it.
    size: u32,
}

/// The form of the request.
#[derive(Clone, Copy, Debug)]
enum Form {
    Line,
    /// Success is not told to the quiet.
    Packet {
        echo: Echo,
        quiet: bool,
    },
}

/// An entry that is being received.
#[derive(Debug)]
pub(super) struct Receiving {
    key: Box<[u8]>,
    storing: Storing,
    bytes: Vec<u8>,
}

impl Storing {
    /// Bytes of the entry and of what must follow it.
    fn block_size(self) -> usize {
        self.size as usize + self.tail().len()
    }

    const fn tail(self) -> &'static [u8] {
        match self.form {
            Form::Line => reply::CRLF,
            Form::Packet { .. } => b"",
        }
    }

    /// Stores the entry, whose whole block this is, and says so.
    fn finish(self, turn: &mut Turn<'_>, key: &[u8], block: &[u8]) {
        let Some(bytes) = block.strip_suffix(self.tail()) else {
            return turn.say(ProtocolError::BadDataChunk.reply());
        };
        let done = set(turn, key, self.flags, bytes);
        match (self.form, done) {
            (Form::Line, Ok(())) => turn.say(reply::STORED),
            (Form::Line, Err(refused)) => turn.say(error(&refused).reply()),
            (Form::Packet { quiet: true, .. }, Ok(())) => {}
            (Form::Packet { echo, .. }, Ok(())) => binary::reply::done(turn.out, echo, 0),
            (Form::Packet { echo, .. }, Err(refused)) => {
                binary::reply::error(turn.out, echo, status(&refused));
            }
        }
    }
}

impl Session {
    /// Stores an entry whose block begins in `rest`, behind a head of `head_size` bytes.
    fn store_entry(
        &mut self,
        turn: &mut Turn<'_>,
        key: &[u8],
        storing: Storing,
        head_size: usize,
        rest: &[u8],
    ) -> Step {
        let block_size = storing.block_size();
        if let Some(block) = rest.get(..block_size) {
            storing.finish(turn, key, block);
            return Step::served(head_size + block_size);
        }
        if is_awaited(block_size, rest.len()) {
            self.awaits_block = true;
            return Step::wait(0, head_size + block_size);
        }
        // A worker's own buffer is too small for the largest entry and its line.
        self.state = State::Entry(Box::new(Receiving {
            key: key.into(),
            storing,
            bytes: rest.to_vec(),
        }));
        Step::go(head_size + rest.len())
    }

    /// Goes on with an entry that is being received.
    pub(super) fn receive_entry(
        &mut self,
        turn: &mut Turn<'_>,
        mut receiving: Box<Receiving>,
        input: &[u8],
    ) -> Step {
        let storing = receiving.storing;
        let missing = storing.block_size() - receiving.bytes.len();
        let here = input.len().min(missing);
        receiving.bytes.extend_from_slice(&input[..here]);
        if here < missing {
            self.state = State::Entry(receiving);
            return Step::wait(here, 1);
        }
        storing.finish(turn, &receiving.key, &receiving.bytes);
        Step::served(here)
    }
}

/// Answers a line that begins with `config`; `block` is what of its data block is there.
pub(super) fn line(
    session: &mut Session,
    turn: &mut Turn<'_>,
    command: Config<'_>,
    line_size: usize,
    block: &[u8],
) -> Step {
    match command {
        Config::Get { key } => get(turn, key),
        Config::Delete { key } => {
            let line = match delete(turn, key) {
                Ok(true) => reply::DELETED,
                Ok(false) => reply::NOT_FOUND,
                Err(refused) => error(&refused).reply(),
            };
            turn.say(line);
        }
        Config::Set { key, flags, size } => {
            let form = Form::Line;
            let storing = Storing { form, flags, size };
            return session.store_entry(turn, key, storing, line_size, block);
        }
    }
    Step::served(line_size)
}

fn get(turn: &mut Turn<'_>, key: &[u8]) {
    turn.counters().cmd_config_get.add(1);
    let view = turn.ctx.shared.directory.view();
    match view.entry(key) {
        Some(entry) => config::entry(turn.out, key, entry.flags, &entry.bytes),
        None => turn.say(reply::END),
    }
}

fn set(turn: &Turn<'_>, key: &[u8], flags: u32, bytes: &[u8]) -> Result<(), Refused> {
    turn.counters().cmd_config_set.add(1);
    let directory = &turn.ctx.shared.directory;
    directory.set(key, flags, bytes)?;
    if key == CLUSTER_KEY {
        let (version, id) = (directory.view().version(), turn.id);
        log::info!("a client has set the list of nodes  version={version} connection={id}");
    }
    Ok(())
}

fn delete(turn: &Turn<'_>, key: &[u8]) -> Result<bool, Refused> {
    let deleted = turn.ctx.shared.directory.delete(key)?;
    if deleted && key == CLUSTER_KEY {
        let id = turn.id;
        log::info!("a client has deleted the list of nodes that was set  connection={id}");
    }
    Ok(deleted)
}

/// What a client of text is told.
const fn error(refused: &Refused) -> ProtocolError {
    match refused {
        Refused::Declared => ProtocolError::ConfigDeclared,
        Refused::Full => ProtocolError::OutOfMemoryStore,
        Refused::Key => ProtocolError::Unknown,
        Refused::NotADocument(_) => ProtocolError::ConfigNotADocument,
        Refused::Stale => ProtocolError::ConfigStale,
        Refused::TooLarge => ProtocolError::LargeObject,
    }
}

/// What a client of the binary protocol is told.
const fn status(refused: &Refused) -> Status {
    match refused {
        Refused::Declared | Refused::Stale => Status::NotStored,
        Refused::Full => Status::NoMemory,
        Refused::Key | Refused::NotADocument(_) => Status::Invalid,
        Refused::TooLarge => Status::TooLarge,
    }
}

/// Answers a packet about an entry, of which all but its value is there.
pub(super) fn packet(
    session: &mut Session,
    turn: &mut Turn<'_>,
    opcode: Opcode,
    header: &Header,
    input: &[u8],
) -> Step {
    let echo = header.echo;
    if header.value_size() as usize > CONFIG_SIZE_MAX {
        binary::reply::error(turn.out, echo, Status::TooLarge);
        session.state = State::Swallow(u64::from(header.value_size()));
        return Step::served(header.head_size());
    }
    let head = header.head(input);
    let key = head.key;
    let done = match opcode.verb() {
        Verb::ConfigSet => {
            let quiet = opcode.is_quiet();
            let storing = Storing {
                form: Form::Packet { echo, quiet },
                flags: head.flags(),
                size: header.value_size(),
            };
            let head_size = header.head_size();
            return session.store_entry(turn, key, storing, head_size, &input[head_size..]);
        }
        Verb::ConfigDelete => delete(turn, key),
        verb => {
            let shows_key = verb == Verb::ConfigGetKey;
            get_packet(turn, opcode, echo, key, shows_key);
            return Step::served(header.size());
        }
    };
    match done {
        Ok(true) if opcode.is_quiet() => {}
        Ok(true) => binary::reply::done(turn.out, echo, 0),
        Ok(false) => binary::reply::error(turn.out, echo, Status::NotFound),
        Err(refused) => binary::reply::error(turn.out, echo, status(&refused)),
    }
    Step::served(header.size())
}

fn get_packet(turn: &mut Turn<'_>, opcode: Opcode, echo: Echo, key: &[u8], shows_key: bool) {
    turn.counters().cmd_config_get.add(1);
    // One client takes a key that it has not asked for as a part of the version.
    let shown_key = if shows_key { key } else { b"" };
    let view = turn.ctx.shared.directory.view();
    match view.entry(key) {
        Some(entry) => push_packet(turn.out, echo, entry, shown_key),
        None if opcode.is_quiet() => {}
        None if shows_key => binary::reply::miss_with_key(turn.out, echo, key),
        None => binary::reply::error(turn.out, echo, Status::NotFound),
    }
}

fn push_packet(out: &mut Vec<u8>, echo: Echo, entry: &Entry, key: &[u8]) {
    // No entry is larger than `CONFIG_SIZE_MAX`.
    let size = u32::try_from(entry.bytes.len()).unwrap_or(u32::MAX);
    binary::reply::hit(out, echo, entry.flags, key, size, 0);
    out.extend_from_slice(&entry.bytes);
}

/// Whether this is the key under which clients of old servers look for the cluster document. It
/// is nobody's item: what is stored under it is refused, so a look-up of it always misses, and
/// only a miss has to ask.
pub(super) fn is_reserved(key: &[u8]) -> bool {
    key == RESERVED_KEY
}

/// Asks for the cluster document in place of an item that is not there; `None` for any other key.
pub(super) fn stand_in(turn: &Turn<'_>, key: &[u8]) -> Option<StandIn> {
    if !is_reserved(key) {
        return None;
    }
    turn.counters().cmd_config_get.add(1);
    Some(StandIn(turn.ctx.shared.directory.view()))
}

/// The cluster document as the item that it looks like.
pub(super) struct StandIn(arc_swap::Guard<Arc<View>>);

impl StandIn {
    /// Appends it to a text reply.
    pub(super) fn push_line(&self, out: &mut Vec<u8>, cas: bool) {
        let entry = self.0.cluster();
        let cas = cas.then(|| self.cas());
        reply::value(out, RESERVED_KEY, entry.flags, self.size(), cas);
        out.extend_from_slice(&entry.bytes);
        out.extend_from_slice(reply::CRLF);
    }

    /// Appends it to a meta reply. `flags` are those of the request.
    pub(super) fn push_meta(&self, out: &mut Vec<u8>, flags: &[u8], options: &Options) {
        let item = Shown {
            key: RESERVED_KEY,
            binary_key: options.decoded_key.is_some(),
            value_size: self.size(),
            client_flags: self.0.cluster().flags,
            cas: self.cas(),
            ttl_s: None,
            ttl_before_s: None,
            fetched_before: true,
            idle_before_s: 0,
            token_sent: false,
            stale: false,
            won: false,
        };
        let with_value = options.value && options.compare.is_none_or(|cas| cas != item.cas);
        meta::push_hit(out, flags, with_value, &item);
        if with_value {
            out.extend_from_slice(&self.0.cluster().bytes);
            out.extend_from_slice(reply::CRLF);
        }
    }

    /// Appends it as a packet, with its key for those who asked for it.
    pub(super) fn push_packet(&self, out: &mut Vec<u8>, echo: Echo, shows_key: bool) {
        let key = if shows_key { RESERVED_KEY } else { b"" };
        push_packet(out, echo, self.0.cluster(), key);
    }

    fn size(&self) -> u32 {
        // No entry is larger than `CONFIG_SIZE_MAX`.
        u32::try_from(self.0.cluster().bytes.len()).unwrap_or(u32::MAX)
    }

    /// What changes whenever the document does.
    fn cas(&self) -> u64 {
        u64::from(self.0.version())
    }
}

/// Shows the counters and the nodes for `stats cluster`.
pub(super) fn stats(shared: &Shared, see: &mut dyn FnMut(&str, &str)) {
    let directory = &shared.directory;
    let totals = shared.registry.totals();
    let view = directory.view();
    let states = directory.states();
    see("cmd_config_get", &totals.cmd_config_get.to_string());
    see("cmd_config_set", &totals.cmd_config_set.to_string());
    see("curr_config", &view.count().to_string());
    see("config_version", &view.version().to_string());
    see("config_bytes", &view.cluster().bytes.len().to_string());
    see("source", directory.source());
    see("nodes", &view.nodes().len().to_string());
    for (index, node) in view.nodes().iter().enumerate() {
        let mut word = |name: &str, value: &str| see(&format!("node:{index}:{name}"), value);
        word("name", node.name());
        word(
            "ip",
            &node.ip().map(|ip| ip.to_string()).unwrap_or_default(),
        );
        word("port", &node.port().to_string());
        let mut all = states.iter();
        let state = all.find(|state| state.name == node.name() && state.port == node.port());
        let reach = match state {
            Some(state) => state.reach,
            None if node == directory.node() => Reach::Itself,
            None => Reach::Unknown,
        };
        word("state", reach.name());
        if let Some(state) = state {
            word("since", &state.since_unix_s.to_string());
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::config::Config;
    use crate::session::testing::Bench;

    const REPLY: &str = "CONFIG cluster 0 28\r\n1\n127.0.0.1|127.0.0.1|11211\n\r\nEND\r\n";

    #[test]
    fn a_datagram_is_answered_by_one_with_all_of_the_list() {
        let bench = Bench::new(Config::default()).unwrap();
        let mut client = bench.client(1);
        let messages = client.datagram(b"config get cluster\r\n");
        assert_eq!(messages, [REPLY.as_bytes()]);
    }

    #[test]
    fn the_list_is_told_among_other_requests_in_their_order() {
        let bench = Bench::new(Config::default()).unwrap();
        let mut client = bench.client(1);
        let said = client.say(b"get a\r\nconfig get cluster\r\nset a 0 0 1\r\nv\r\nget a\r\n");
        let wanted = format!("END\r\n{REPLY}STORED\r\nVALUE a 0 1\r\nv\r\nEND\r\n");
        assert_eq!(String::from_utf8(said).unwrap(), wanted);
    }

    #[test]
    fn a_client_that_goes_in_the_middle_of_an_entry_leaves_nothing() {
        let bench = Bench::new(Config::default()).unwrap();
        let mut client = bench.client(1);
        client.say(b"config set k 0 60000\r\n");
        client.say(&[b'x'; 50_000]);
        drop(client);
        assert_eq!(bench.client(2).say(b"config get k\r\n"), b"END\r\n");
    }
}
