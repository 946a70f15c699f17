//! What a conversation is doing and what it was asked last, in a byte each, for lists of clients.

use crate::protocol::admin::{Admin, Client};
use crate::protocol::binary;
use crate::protocol::meta;
use crate::protocol::text::config::Config;
use crate::protocol::text::{Command, StoreVerb};

/// An enum whose variants have names, and can be kept in a byte.
macro_rules! named {
    ($(#[$doc:meta])* $kind:ident: $($(#[$of:meta])* $variant:ident $name:literal,)*) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Eq, PartialEq)]
        #[repr(u8)]
        pub enum $kind { $($(#[$of])* $variant,)* }

        impl $kind {
            const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// As lists spell it.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// What this byte stands for; the first of all for a byte that stands for nothing.
            pub fn of_byte(byte: u8) -> Self {
                Self::ALL.get(usize::from(byte)).copied().unwrap_or(Self::ALL[0])
            }
        }
    };
}

named! {
    /// What a socket is doing, in the words of `stats conns`.
    Doing:
    /// A client has come and nothing has been heard.
    New "conn_new_cmd",
    /// It is being closed.
    Closing "conn_closing",
    /// It takes connections in.
    Listening "conn_listening",
    /// Output is on its way.
    Mwrite "conn_mwrite",
    /// A value is on its way in.
    Nread "conn_nread",
    /// A request is being answered.
    ParseCommand "conn_parse_cmd",
    /// Nothing: the client has the word.
    Read "conn_read",
    /// A value comes in that nobody wants.
    Swallow "conn_swallow",
    /// It watches.
    Watch "conn_watch",
}

named! {
    /// What a client has asked for.
    Asked:
    /// Nothing yet.
    Nothing "none",
    /// A line or packet that nobody understands.
    Unknown "unknown",
    /// `add`.
    Add "add",
    /// `append`.
    Append "append",
    /// `cache_memlimit`.
    CacheMemlimit "cache_memlimit",
    /// `cas`.
    Cas "cas",
    /// `client`.
    Client "client",
    /// `config`.
    Config "config",
    /// `debugtime`.
    DebugTime "debugtime",
    /// `decr`.
    Decr "decr",
    /// `delete`.
    Delete "delete",
    /// `flush_all`.
    FlushAll "flush_all",
    /// `gat`.
    Gat "gat",
    /// `gats`.
    Gats "gats",
    /// `get`.
    Get "get",
    /// `gets`.
    Gets "gets",
    /// `incr`.
    Incr "incr",
    /// `lru`.
    Lru "lru",
    /// `lru_crawler`.
    LruCrawler "lru_crawler",
    /// `ma`.
    MetaArithmetic "ma",
    /// `md`.
    MetaDelete "md",
    /// `me`.
    MetaDebug "me",
    /// `mg`.
    MetaGet "mg",
    /// `mn`.
    MetaNoop "mn",
    /// `ms`.
    MetaSet "ms",
    /// A packet that wants nothing but an answer.
    Noop "noop",
    /// `prepend`.
    Prepend "prepend",
    /// `quit`.
    Quit "quit",
    /// `refresh_certs`.
    RefreshCerts "refresh_certs",
    /// `replace`.
    Replace "replace",
    /// A step of a login in packets.
    Sasl "sasl",
    /// `set`.
    Set "set",
    /// `shutdown`.
    Shutdown "shutdown",
    /// `slabs`.
    Slabs "slabs",
    /// `snapshot`.
    Snapshot "snapshot",
    /// `stats`.
    Stats "stats",
    /// `touch`.
    Touch "touch",
    /// `verbosity`.
    Verbosity "verbosity",
    /// `version`.
    Version "version",
    /// `watch`.
    Watch "watch",
}

impl Asked {
    /// What a line asks for.
    pub(super) const fn line(command: &Command<'_>) -> Self {
        match command {
            Command::Get(get) => Self::get(get.cas, get.exptime.is_some()),
            Command::Store(store) => Self::store(store.verb),
            Command::MetaStore { .. } => Self::MetaSet,
            Command::Meta(line) => Self::meta(line.verb),
            Command::MetaNoop => Self::MetaNoop,
            Command::Delete { .. } => Self::Delete,
            Command::Arithmetic { decrement, .. } => Self::arithmetic(*decrement),
            Command::Touch { .. } => Self::Touch,
            Command::Flush { .. } => Self::FlushAll,
            Command::Config(Config::Get { .. } | Config::Set { .. } | Config::Delete { .. }) => {
                Self::Config
            }
            Command::Version => Self::Version,
            Command::Quit => Self::Quit,
            Command::Admin { command, .. } => Self::admin(command),
        }
    }

    /// A retrieval that asks for the cas, or touches.
    pub(super) const fn get(cas: bool, touches: bool) -> Self {
        match (cas, touches) {
            (false, false) => Self::Get,
            (true, false) => Self::Gets,
            (false, true) => Self::Gat,
            (true, true) => Self::Gats,
        }
    }

    /// A storage line.
    pub(super) const fn store(verb: StoreVerb) -> Self {
        match verb {
            StoreVerb::Add => Self::Add,
            StoreVerb::Append => Self::Append,
            StoreVerb::Cas => Self::Cas,
            StoreVerb::Prepend => Self::Prepend,
            StoreVerb::Replace => Self::Replace,
            StoreVerb::Set => Self::Set,
        }
    }

    /// A meta line.
    pub(super) const fn meta(verb: meta::Verb) -> Self {
        match verb {
            meta::Verb::Arithmetic => Self::MetaArithmetic,
            meta::Verb::Debug => Self::MetaDebug,
            meta::Verb::Delete => Self::MetaDelete,
            meta::Verb::Get => Self::MetaGet,
            meta::Verb::Set => Self::MetaSet,
        }
    }

    /// Counting, up or down.
    pub(super) const fn arithmetic(decrement: bool) -> Self {
        if decrement { Self::Decr } else { Self::Incr }
    }

    const fn admin(command: &Admin<'_>) -> Self {
        match command {
            Admin::CacheMemlimit(_) => Self::CacheMemlimit,
            Admin::Client(Client::Kill(_)) => Self::Client,
            Admin::DebugTime(_) => Self::DebugTime,
            Admin::Crawler(_) => Self::LruCrawler,
            Admin::Lru(_) => Self::Lru,
            Admin::RefreshCerts => Self::RefreshCerts,
            Admin::Shutdown { .. } => Self::Shutdown,
            Admin::Slabs(_) => Self::Slabs,
            Admin::Snapshot => Self::Snapshot,
            Admin::Stats(_) => Self::Stats,
            Admin::Verbosity(_) => Self::Verbosity,
            Admin::Watch(_) => Self::Watch,
        }
    }

    /// What a packet asks for.
    pub(super) const fn packet(verb: binary::Verb) -> Self {
        match verb {
            binary::Verb::Add => Self::Add,
            binary::Verb::Append => Self::Append,
            binary::Verb::ConfigDelete
            | binary::Verb::ConfigGet
            | binary::Verb::ConfigGetKey
            | binary::Verb::ConfigSet => Self::Config,
            binary::Verb::Decrement => Self::Decr,
            binary::Verb::Delete => Self::Delete,
            binary::Verb::Flush => Self::FlushAll,
            binary::Verb::Get | binary::Verb::GetKey => Self::Get,
            binary::Verb::GetTouch | binary::Verb::GetKeyTouch => Self::Gat,
            binary::Verb::Increment => Self::Incr,
            binary::Verb::Noop => Self::Noop,
            binary::Verb::Prepend => Self::Prepend,
            binary::Verb::Quit => Self::Quit,
            binary::Verb::Replace => Self::Replace,
            binary::Verb::SaslAuth | binary::Verb::SaslList | binary::Verb::SaslStep => Self::Sasl,
            binary::Verb::Set => Self::Set,
            binary::Verb::Stat => Self::Stats,
            binary::Verb::Touch => Self::Touch,
            binary::Verb::Version => Self::Version,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_byte_stands_for_what_it_was_made_of() {
        for (byte, &asked) in (0..).zip(Asked::ALL) {
            assert_eq!(asked as u8, byte);
            assert_eq!(Asked::of_byte(byte), asked);
        }
        assert_eq!(Asked::of_byte(u8::MAX), Asked::Nothing);
        assert_eq!(Doing::of_byte(Doing::Watch as u8).name(), "conn_watch");
    }
}
