//! What is told of workers: `stats slow` and `stats threads`.

use super::figures::List;
use super::{Asked, Dialect, Session, Shared, State};
use crate::protocol::binary::{self, MAGIC_REQUEST};
use crate::protocol::text::config::Config;
use crate::protocol::text::{self, Command, Tokens};
use crate::stats::slow::SlowTurn;
use crate::time::Now;

impl Session {
    /// Whether the next byte begins a request.
    pub const fn is_between_requests(&self) -> bool {
        matches!(self.state, State::Command)
    }

    /// Whether no request has begun: the client has the word, or listens only.
    pub const fn is_at_rest(&self) -> bool {
        match self.state {
            State::Command => !self.awaits_block,
            State::Watching => true,
            State::Dump(_)
            | State::Entry(_)
            | State::Keys(_)
            | State::Listing(_)
            | State::Search(_)
            | State::Sending(..)
            | State::SkipLine
            | State::Swallow(_)
            | State::Upload(_) => false,
        }
    }

    /// What the first request in `input`, which begins with one, is called, and its first key.
    /// Values are not looked at. Decodes again what has been answered: for what is rare.
    pub fn recognize<'i>(&self, input: &'i [u8]) -> Option<(Asked, &'i [u8])> {
        if self.dialect == Dialect::Binary || input.first() == Some(&MAGIC_REQUEST) {
            let header = binary::decode(input).ok()??;
            let verb = header.opcode?.verb();
            let is_there = input.len() >= header.head_size();
            let key = if is_there {
                header.head(input).key
            } else {
                b""
            };
            return Some((Asked::packet(verb), key));
        }
        let size = memchr::memchr(b'\n', input)? + 1;
        let command = text::decode(&input[..size]).ok()?;
        let key = match &command {
            Command::Get(get) => Tokens::new(get.keys).next().unwrap_or_default(),
            Command::Store(store) => store.key,
            Command::MetaStore { line, .. } | Command::Meta(line) => line.key,
            Command::Delete { key, .. }
            | Command::Arithmetic { key, .. }
            | Command::Touch { key, .. }
            | Command::Config(
                Config::Get { key } | Config::Set { key, .. } | Config::Delete { key },
            ) => key,
            Command::MetaNoop
            | Command::Flush { .. }
            | Command::Version
            | Command::Quit
            | Command::Admin { .. } => b"",
        };
        Some((Asked::line(&command), key))
    }
}

/// `stats slow`.
pub(super) fn slow(shared: &Shared, list: &mut List<'_>) {
    let log = shared.registry.slow();
    list.number("threshold_us", shared.config.slow_log_us.into());
    list.number("slow_turns", log.count());
    for turn in log.newest() {
        slow_turn(list, &turn);
    }
}

fn slow_turn(list: &mut List<'_>, turn: &SlowTurn) {
    let line = format!("{}:", turn.number);
    list.word(&format!("{line}time"), &turn.unix_s.to_string());
    list.word(&format!("{line}command"), turn.command);
    list.key(&format!("{line}key"), &turn.key);
    list.word(&format!("{line}addr"), &turn.address);
    let user = turn.user.as_deref().unwrap_or("-");
    list.word(&format!("{line}user"), user);
    list.prefixed(
        &line,
        &[
            ("duration_us", turn.duration_us),
            ("waited_us", turn.waited_us),
            ("requests", turn.requests),
            ("bytes_read", turn.bytes_read),
            ("bytes_written", turn.bytes_written),
            ("client", turn.client),
            ("worker", turn.worker as u64),
        ],
    );
}

/// The times that `stats threads` tells of, in seconds.
const WINDOWS_S: [(u32, &str); 2] = [(10, "10s"), (60, "1m")];

/// `stats threads`.
pub(super) fn threads(shared: &Shared, now: Now, list: &mut List<'_>) {
    // Behind the workers stand those who shake hands.
    let workers = shared.registry.workers().iter().take(shared.config.workers);
    for (index, worker) in workers.enumerate() {
        let line = format!("{index}:");
        list.word(&format!("{line}name"), &format!("larder-w{index}"));
        for (window_s, name) in WINDOWS_S {
            let (work, length_s) = worker.load.recent(now.uptime_s, window_s);
            let length_s = u64::from(length_s.max(1));
            // A thousandth of a second is a thousand microseconds.
            let busy = (work.cpu_us / 1000 / length_s).min(1000);
            list.word(&format!("{line}busy_percent_{name}"), &tenths(busy));
            let rate = work.requests / length_s;
            list.number(&format!("{line}requests_per_s_{name}"), rate);
        }
        let (passes, turns) = (worker.passes.get(), worker.turns.get());
        let requests = worker.requests.get();
        let ratio = |part: u64, of: u64| tenths(part.saturating_mul(10) / of.max(1));
        list.word(&format!("{line}turns_per_pass"), &ratio(turns, passes));
        list.word(&format!("{line}requests_per_turn"), &ratio(requests, turns));
        list.prefixed(
            &line,
            &[
                ("passes", passes),
                ("turns", turns),
                ("requests", requests),
                ("conn_yields", worker.conn_yields.get()),
                ("curr_connections", worker.curr_connections.get()),
                ("total_connections", worker.total_connections.get()),
                ("bytes_read", worker.bytes_read.get()),
                ("bytes_written", worker.bytes_written.get()),
                ("buffers", worker.buffers.get()),
                ("buffer_bytes", worker.buffer_bytes.get()),
            ],
        );
    }
}

/// A number of tenths, with its decimal.
fn tenths(tenths: u64) -> String {
    format!("{}.{}", tenths / 10, tenths % 10)
}

#[cfg(test)]
mod tests {
    use super::super::testing::Bench;

    #[test]
    fn the_first_request_is_recognized_by_its_name_and_its_first_key() {
        let bench = Bench::new(crate::config::Config::default()).expect("memory for a store");
        let client = bench.client(1);
        let mut packet = vec![0x80, 1, 0, 1, 8, 0, 0, 0, 0, 0, 0, 12];
        packet.extend_from_slice(&[0; 20]);
        packet.extend_from_slice(b"kval");
        for (input, name, key) in [
            (&b"get a b\r\nset c 0 0 1\r\nx\r\n"[..], "get", &b"a"[..]),
            (b"gats 5 a\r\n", "gats", b"a"),
            (b"set c 0 0 6\r\nsecret\r\n", "set", b"c"),
            (b"cas c 0 0 6 7\r\nsecret\r\n", "cas", b"c"),
            (b"mg YQ== b v\r\n", "mg", b"YQ=="),
            (b"ms a 6\r\nsecret\r\n", "ms", b"a"),
            (b"decr n 1\r\n", "decr", b"n"),
            (b"config get cluster\r\n", "config", b"cluster"),
            (b"flush_all\r\n", "flush_all", b""),
            (b"stats\r\n", "stats", b""),
            (&packet, "set", b"k"),
            (&packet[..30], "set", b""),
        ] {
            let found = client.recognize(input);
            assert_eq!(
                found.map(|(asked, key)| (asked.name(), key)),
                Some((name, key))
            );
        }
        for input in [&b""[..], b"get a", b"nonsense\r\n", &packet[..20]] {
            assert_eq!(client.recognize(input), None);
        }
    }
}
