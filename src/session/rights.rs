//! What each request needs, and the one check of it.
//!
//! Every request of every dialect passes [`Turn::permits`] before it runs, with each of its keys
//! as the store would see them. What it needs stands in the tables below and nowhere else: a
//! command that is added does not compile before it has a row. A client that may do everything
//! has no rights to look at, and pays for none of this but one comparison.

use super::turn::Turn;
use crate::auth::Need;
use crate::config;
use crate::protocol::ProtocolError;
use crate::protocol::admin::{self, Admin, Client, Crawler, Detail, Stats, streams};
use crate::protocol::binary::{Status, Verb};
use crate::protocol::meta::{self, Options};
use crate::protocol::text::config::Config;
use crate::protocol::text::{self, Command, Tokens};

/// What the settings may have switched off for everybody.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Switch {
    /// Listings of keys (`-X`).
    Dump,
    /// Emptying the cache (`-F`).
    Flush,
    /// Watching (`-W`).
    Watch,
}

impl Switch {
    const fn is_on(self, config: &config::Config) -> bool {
        match self {
            Self::Dump => config.dump_enabled,
            Self::Flush => config.flush_enabled,
            Self::Watch => config.watch_enabled,
        }
    }
}

/// What a request needs: of its user, and of the settings.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Rule {
    /// What its user must be allowed.
    pub(super) need: Need,
    /// What must not be switched off, and what is told when it is.
    pub(super) switch: Option<(Switch, ProtocolError)>,
}

impl Rule {
    const fn plain(need: Need) -> Self {
        Self { need, switch: None }
    }

    const fn unless_off(need: Need, switch: Switch, error: ProtocolError) -> Self {
        Self {
            need,
            switch: Some((switch, error)),
        }
    }
}

/// Why a request is not served.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Denied {
    /// It is switched off for everybody.
    Off(ProtocolError),
    /// Its user may not.
    Permission,
    /// Its user has had this second's share.
    Rate,
}

impl Denied {
    /// The line that tells a client of text or meta.
    pub(super) const fn line(self) -> ProtocolError {
        match self {
            Self::Off(error) => error,
            Self::Permission => ProtocolError::PermissionDenied,
            Self::Rate => ProtocolError::RateExceeded,
        }
    }

    /// What tells a client of the binary protocol.
    pub(super) const fn status(self, verb: Verb) -> Status {
        match self {
            // A report that is off is not there.
            Self::Off(_) if matches!(verb, Verb::Stat) => Status::NotFound,
            Self::Off(_) | Self::Permission => Status::Refused,
            Self::Rate => Status::Busy,
        }
    }
}

/// What a text or meta command needs.
pub(super) fn command(command: &Command<'_>) -> Rule {
    match command {
        Command::Get(get) => Rule::plain(retrieval(get.exptime.is_some())),
        Command::Store(_) | Command::Delete { .. } | Command::Touch { .. } => {
            Rule::plain(Need::Write)
        }
        // The number is told.
        Command::Arithmetic { .. } => Rule::plain(Need::ReadWrite),
        Command::Meta(line) | Command::MetaStore { line, .. } => Rule::plain(
            line.options()
                .map_or(Need::Nothing, |options| of_meta(line.verb, &options)),
        ),
        Command::Flush { .. } => flush(),
        Command::MetaNoop | Command::Version | Command::Quit => Rule::plain(Need::Nothing),
        Command::Config(config) => match config {
            Config::Get { .. } => LOOK,
            Config::Set { .. } | Config::Delete { .. } => ADMIN,
        },
        Command::Admin { command, .. } => of_admin(command),
    }
}

/// What a packet needs; `key` is its key, which names the group of a `stat`.
pub(super) fn packet(verb: Verb, key: &[u8]) -> Rule {
    Rule::plain(match verb {
        Verb::Get | Verb::GetKey => Need::Read,
        Verb::GetTouch | Verb::GetKeyTouch => Need::ReadWrite,
        Verb::Increment | Verb::Decrement => Need::ReadWrite,
        Verb::Add
        | Verb::Append
        | Verb::Delete
        | Verb::Prepend
        | Verb::Replace
        | Verb::Set
        | Verb::Touch => Need::Write,
        Verb::ConfigGet | Verb::ConfigGetKey => Need::Look,
        Verb::ConfigDelete | Verb::ConfigSet => Need::Admin,
        Verb::Flush => return flush(),
        Verb::Stat => return admin::stats(Tokens::new(key)).map_or(LOOK, |group| of_stats(&group)),
        Verb::Noop | Verb::Quit | Verb::Version => Need::Nothing,
        // Who may log in is decided at the door.
        Verb::SaslAuth | Verb::SaslList | Verb::SaslStep => Need::Nothing,
    })
}

/// What a retrieval needs, which may touch what it finds.
pub(super) const fn retrieval(touches: bool) -> Need {
    if touches { Need::ReadWrite } else { Need::Read }
}

/// What a meta command needs, whose flags make more or less of it.
fn of_meta(verb: meta::Verb, options: &Options) -> Need {
    match verb {
        meta::Verb::Get => {
            // A recache that is handed out is a promise to store.
            let writes =
                options.vivify.is_some() || options.recache.is_some() || options.exptime.is_some();
            retrieval(writes)
        }
        meta::Verb::Set | meta::Verb::Delete => Need::Write,
        meta::Verb::Arithmetic => Need::ReadWrite,
        meta::Verb::Debug => Need::Read,
    }
}

const LOOK: Rule = Rule::plain(Need::Look);

const ADMIN: Rule = Rule::plain(Need::Admin);

const fn flush() -> Rule {
    Rule::unless_off(Need::Admin, Switch::Flush, ProtocolError::FlushNotAllowed)
}

fn of_admin(command: &Admin<'_>) -> Rule {
    match command {
        Admin::Stats(group) => of_stats(group),
        Admin::Watch(wanted) => {
            // These show no key.
            let keyless = streams::CONNEVENTS | streams::SYSEVENTS;
            let need = if wanted & !keyless == 0 {
                Need::Admin
            } else {
                Need::List
            };
            Rule::unless_off(need, Switch::Watch, ProtocolError::WatchNotAllowed)
        }
        Admin::Crawler(Crawler::Metadump(_)) => {
            Rule::unless_off(Need::List, Switch::Dump, ProtocolError::DumpNotAllowed)
        }
        Admin::Crawler(Crawler::Mgdump(_)) => {
            Rule::unless_off(Need::List, Switch::Dump, ProtocolError::KeyDumpNotAllowed)
        }
        Admin::Crawler(
            Crawler::Crawl(_)
            | Crawler::Disable
            | Crawler::Enable
            | Crawler::Sleep(_)
            | Crawler::ToCrawl(_),
        )
        | Admin::CacheMemlimit(_)
        | Admin::Client(Client::Kill(_))
        | Admin::DebugTime(_)
        | Admin::Lru(_)
        | Admin::RefreshCerts
        | Admin::Shutdown { .. }
        | Admin::Slabs(_)
        | Admin::Snapshot
        | Admin::Verbosity(_) => ADMIN,
    }
}

fn of_stats(group: &Stats<'_>) -> Rule {
    const NOT_ALLOWED: ProtocolError = ProtocolError::DetailNotAllowed;
    match group {
        Stats::Cluster
        | Stats::General
        | Stats::Items
        | Stats::Larder
        | Stats::Latency
        | Stats::Settings
        | Stats::Sizes
        | Stats::Slabs
        | Stats::Threads
        | Stats::Ttl
        | Stats::Unknown(_)
        | Stats::Waste => LOOK,
        // It names keys, unless -X keeps them out, and clients.
        Stats::Slow => Rule::plain(Need::List),
        // The first two show the addresses of all clients, the third takes numbers from everybody.
        Stats::Clients | Stats::Conns | Stats::Reset => ADMIN,
        Stats::Cachedump { .. } => {
            Rule::unless_off(Need::List, Switch::Dump, ProtocolError::CachedumpNotAllowed)
        }
        Stats::BigKeys | Stats::HotKeys => {
            Rule::unless_off(Need::List, Switch::Dump, ProtocolError::KeyStatsNotAllowed)
        }
        // It names the prefixes of everybody's keys.
        Stats::Detail(Detail::Dump) => Rule::unless_off(Need::List, Switch::Dump, NOT_ALLOWED),
        Stats::Detail(Detail::On | Detail::Off) => {
            Rule::unless_off(Need::Admin, Switch::Dump, NOT_ALLOWED)
        }
    }
}

impl Turn<'_> {
    /// Whether the client may write; asked by what goes beyond looking of its own accord.
    pub(super) fn may_write(&self) -> bool {
        let Some(rights) = &self.rights else {
            return true;
        };
        rights.permissions().allows(Need::Write)
    }

    /// Judges a request that needs no more than its user's leave. `key` is as the store sees it.
    pub(super) fn permits(&self, need: Need, key: Option<&[u8]>) -> Result<(), Denied> {
        let Some(rights) = &self.rights else {
            return Ok(());
        };
        let permissions = rights.permissions();
        let allowed = match key {
            Some(key) => permissions.allows_key(need, key),
            None => permissions.allows(need),
        };
        if allowed {
            return Ok(());
        }
        self.counters().denied_requests.add(1);
        Err(Denied::Permission)
    }

    /// Takes a request out of its user's share of this second.
    pub(super) fn spend(&self, need: Need) -> Result<(), Denied> {
        let Some(rights) = &self.rights else {
            return Ok(());
        };
        if rights.spend(need, self.now().uptime_s) {
            return Ok(());
        }
        self.counters().limited_requests.add(1);
        Err(Denied::Rate)
    }

    /// Judges a request that is not about a key.
    pub(super) fn permits_rule(&self, rule: Rule) -> Result<(), Denied> {
        if let Some((switch, error)) = rule.switch
            && !switch.is_on(&self.ctx.shared.config)
        {
            return Err(Denied::Off(error));
        }
        self.permits(rule.need, None)
    }

    /// Judges a text or meta command by all its keys: one that is denied denies them all.
    pub(super) fn permits_command(&self, asked: &Command<'_>) -> Result<(), Denied> {
        match asked {
            Command::MetaNoop
            | Command::Flush { .. }
            | Command::Version
            | Command::Quit
            | Command::Config(_)
            | Command::Admin { .. } => self.permits_rule(command(asked)),
            // Nobody has limited this client.
            _ if self.rights.is_none() => Ok(()),
            Command::Get(get) => {
                let need = command(asked).need;
                Tokens::new(get.keys).try_for_each(|key| self.permits(need, Some(key)))
            }
            Command::Meta(line) | Command::MetaStore { line, .. } => match line.options() {
                // What is wrong with it is told, and nothing else happens.
                Err(_) => Ok(()),
                Ok(options) => {
                    let decoded = options.decoded_key.as_ref();
                    let key = decoded.map_or(line.key, |key| key.as_bytes());
                    self.permits(of_meta(line.verb, &options), Some(key))
                }
            },
            Command::Store(text::Store { key, .. })
            | Command::Delete { key, .. }
            | Command::Arithmetic { key, .. }
            | Command::Touch { key, .. } => self.permits(command(asked).need, Some(key)),
        }
    }
}
