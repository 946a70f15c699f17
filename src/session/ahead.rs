//! Looking ahead: what a request will want, before its turn has come.
//!
//! A pipeline has its items fetched ahead by [`drive`](super::drive). A client that sends one
//! request and waits for its answer leaves nothing to hide a memory access behind, except the
//! requests of others. So whoever has several clients in hand asks here what each wants, has it
//! fetched, and then drives one session after the other. All of it is a hint: nothing is
//! answered, counted or remembered.

use super::drive::{Framed, Wire};
use super::lines::Lines;
use super::packets::Packets;
use super::{Context, Dialect, Session, State};
use crate::protocol::binary::MAGIC_REQUEST;
use crate::store::KeyHash;

/// The item that a request is about.
#[derive(Clone, Copy, Debug)]
pub struct Wanted(KeyHash);

impl Session {
    /// Looks at the first request in `input`, which is to be driven soon. If it is about one key,
    /// asks the processor for the line of the index that leads to its item.
    pub fn foresee(&self, ctx: &Context<'_>, input: &[u8]) -> Option<Wanted> {
        if !matches!(self.state, State::Command) {
            return None;
        }
        let is_binary = match self.dialect {
            Dialect::Auto => input.first() == Some(&MAGIC_REQUEST),
            dialect => dialect == Dialect::Binary,
        };
        let hash = if is_binary {
            key_hash::<Packets>(ctx, input)
        } else {
            key_hash::<Lines>(ctx, input)
        }?;
        ctx.shared.store.prefetch_index(hash);
        Some(Wanted(hash))
    }
}

/// The hash of the key that the first request is about.
fn key_hash<W: Wire>(ctx: &Context<'_>, input: &[u8]) -> Option<KeyHash> {
    match W::frame(&ctx.shared.store, input) {
        Framed::Keyed(keyed) => Some(keyed.hash),
        Framed::End | Framed::Other(_) | Framed::Partial => None,
    }
}

impl Wanted {
    /// Asks the processor for the item itself. Best done a while after [`Session::foresee`].
    pub fn fetch(&self, ctx: &Context<'_>) {
        ctx.shared.store.prefetch_item(self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::Bench;
    use crate::config::Config;

    #[test]
    fn a_whole_request_about_one_key_tells_what_it_wants_and_nothing_else_does() {
        let bench = Bench::new(Config::default()).expect("memory for a store");
        let mut client = bench.client(1);
        for said in [
            "get k\r\n",
            "mg k v\r\nget",
            "set k 0 0 1\r\nv\r\n",
            "ms k 1\r\nv\r\n",
        ] {
            assert!(client.foresees(said.as_bytes()), "{said:?}");
        }
        for said in [
            "",
            "get k",
            "get k l\r\n",
            "set k 0 0 1\r\n",
            "version\r\n",
            "\r\n",
        ] {
            assert!(!client.foresees(said.as_bytes()), "{said:?}");
        }
        // What looks like a request is the middle of a value.
        client.say(b"set k 0 0 9000\r\n");
        assert!(!client.foresees(b"get k\r\n"));
    }

    #[test]
    fn a_packet_is_foreseen_by_who_speaks_binary() {
        let bench = Bench::new(Config::default()).expect("memory for a store");
        let mut get = vec![0x80, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1];
        get.extend_from_slice(&[0; 12]);
        get.push(b'k');
        let mut client = bench.client(1);
        assert!(client.foresees(&get));
        assert!(!client.foresees(&get[..24]));
        client.say(b"mn\r\n");
        assert!(!client.foresees(&get));
    }
}
