//! THE table: one row a setting.
//!
//! Command line, environment, file, help, manual, `--print-config` and `stats settings` are all
//! made from these rows; nothing else knows the name of an option. The rows live in one file for
//! each half of the program that they govern.

mod admin;
mod cluster;
mod network;
mod process;
mod storage;
mod tls;

use super::Config;
use super::value::Result;

/// One setting.
pub struct Setting {
    /// Long name: `--NAME` on the command line, `NAME VALUE` in the file, and `LARDER_NAME` in
    /// capitals with underscores in the environment.
    pub name: &'static str,
    /// memcached's letter.
    pub short: Option<char>,
    /// memcached's name under `-o`.
    pub extended: Option<&'static str>,
    /// What it takes.
    pub kind: Kind,
    /// Where help and manual show it.
    pub group: Group,
    /// What it does, in sentences.
    pub help: &'static str,
    /// Takes a value over into the configuration.
    pub apply: fn(&mut Config, &str) -> Result<()>,
    /// The value in force, in words that `apply` takes; empty when there is none.
    pub show: fn(&Config) -> String,
    /// The default in words, where it depends on the machine.
    pub default: Option<&'static str>,
    /// Whether a running daemon takes a new value over.
    pub reload: bool,
    /// Its line in `stats settings`.
    pub stat: Option<Stat>,
    /// Whether it does anything.
    pub support: Support,
    /// Empties a list before a stronger source fills it.
    pub clear: Option<fn(&mut Config)>,
}

/// What a setting takes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Kind {
    /// A value, shown in help by this name.
    Value(&'static str),
    /// A value, or none, which means the second word.
    Optional(&'static str, &'static str),
    /// Nothing: to name it is to turn it on. Environment and file may say yes or no.
    Switch,
    /// Yes or no; to name it is to turn it on. Under `-o` the prefix `no_` turns it off.
    Toggle,
    /// Counted: `-vv` is 2.
    Count,
    /// Only in the environment, under this name.
    Environment(&'static str),
}

/// A line of `stats settings`.
#[derive(Clone, Copy)]
pub struct Stat {
    /// memcached's key.
    pub key: &'static str,
    /// The value in memcached's form, where `show` differs.
    pub value: Option<fn(&Config) -> String>,
}

/// Whether a setting does anything.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Support {
    /// It does what it says.
    Full,
    /// Accepted, so that a command line for memcached starts larderd, and then ignored.
    NoEffect,
    /// Refused at the start, for this reason: to ignore it would be a lie.
    Refused(&'static str),
}

/// Where help and manual show a setting.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Group {
    /// Addresses, connections.
    Network,
    /// Encryption.
    Tls,
    /// Nodes that clients find.
    Cluster,
    /// Size and shape of the cache.
    Memory,
    /// What goes when memory is full, and what goes when it expires.
    Eviction,
    /// What clients may ask for.
    Commands,
    /// Metrics, health, the API.
    Admin,
    /// Threads, logging, the process.
    Process,
    /// Accepted without effect.
    Compatibility,
}

impl Group {
    /// All of them, in reading order.
    pub const ALL: [Self; 9] = [
        Self::Network,
        Self::Tls,
        Self::Cluster,
        Self::Memory,
        Self::Eviction,
        Self::Commands,
        Self::Admin,
        Self::Process,
        Self::Compatibility,
    ];

    /// Its heading.
    pub const fn title(self) -> &'static str {
        match self {
            Self::Network => "Network",
            Self::Tls => "TLS",
            Self::Cluster => "Cluster",
            Self::Memory => "Memory",
            Self::Eviction => "Eviction and expiry",
            Self::Commands => "What clients may ask for",
            Self::Admin => "Admin listener",
            Self::Process => "Process",
            Self::Compatibility => "Accepted for memcached's sake, without effect",
        }
    }
}

/// What most rows have in common.
const ROW: Setting = Setting {
    name: "",
    short: None,
    extended: None,
    kind: Kind::Switch,
    group: Group::Network,
    help: "",
    apply: |_, _| Ok(()),
    show: |_| String::new(),
    default: None,
    reload: false,
    stat: None,
    support: Support::Full,
    clear: None,
};

impl Setting {
    /// Its name in the environment.
    pub fn environment(&self) -> String {
        match self.kind {
            Kind::Environment(name) => name.to_owned(),
            _ => format!("LARDER_{}", self.name.to_uppercase().replace('-', "_")),
        }
    }

    /// Its default in words; empty when there is none.
    pub fn default_text(&self) -> String {
        self.default
            .map_or_else(|| (self.show)(&Config::default()), str::to_owned)
    }

    /// Whether it is refused.
    pub const fn is_refused(&self) -> bool {
        matches!(self.support, Support::Refused(_))
    }

    /// As messages name it: every way it can be written.
    pub fn title(&self) -> String {
        match (self.short, self.extended) {
            (Some(short), _) => format!("-{short} (--{})", self.name),
            (None, Some(extended)) => format!("-o {extended} (--{})", self.name),
            (None, None) => match self.kind {
                Kind::Environment(name) => name.to_owned(),
                _ => format!("--{}", self.name),
            },
        }
    }
}

const fn stat(key: &'static str) -> Option<Stat> {
    Some(Stat { key, value: None })
}

const fn stat_as(key: &'static str, value: fn(&Config) -> String) -> Option<Stat> {
    Some(Stat {
        key,
        value: Some(value),
    })
}

/// All settings. The place in this order is a setting's number.
pub fn all() -> impl Iterator<Item = &'static Setting> {
    [
        network::ROWS,
        tls::ROWS,
        cluster::ROWS,
        storage::ROWS,
        admin::ROWS,
        process::ROWS,
    ]
    .into_iter()
    .flatten()
}

/// The setting with this long name.
pub fn by_name(name: &str) -> Option<(usize, &'static Setting)> {
    all().enumerate().find(|(_, setting)| setting.name == name)
}

/// The setting with this name under `-o`.
pub fn by_extended(name: &str) -> Option<(usize, &'static Setting)> {
    all()
        .enumerate()
        .find(|(_, setting)| setting.extended == Some(name))
}

/// A word under `-o` that stands for other settings.
pub struct Word {
    /// The word.
    pub name: &'static str,
    /// Settings by long name, and the values that they get.
    pub values: &'static [(&'static str, &'static str)],
    /// What that amounts to.
    pub meaning: &'static str,
}

/// All words that stand for other settings.
pub const WORDS: &[Word] = &[
    Word {
        name: "modern",
        values: &[],
        meaning: "Nothing: the defaults are modern.",
    },
    Word {
        name: "no_modern",
        values: &[
            ("slab-chunk-max", "1024"),
            ("slab-reassign", "no"),
            ("slab-automove", "0"),
            ("maxconns-fast", "no"),
            ("hash-algorithm", "jenkins"),
            ("lru-crawler", "no"),
            ("lru-maintainer", "no"),
        ],
        meaning: "The defaults of memcached 1.4: pages stay where they are, one flat queue, no \
                  sweep.",
    },
    Word {
        name: "no_chunked_items",
        values: &[("slab-chunk-max", "1024")],
        meaning: "Class table up to a whole slab page.",
    },
    Word {
        name: "no_slab_automove",
        values: &[("slab-automove", "0")],
        meaning: "Pages move by hand only.",
    },
];

/// Names under `-o` that are refused, by prefix, and why.
pub const REFUSED: &[(&str, &str)] = &[
    (
        "ext_",
        "larderd keeps items in memory only and has no storage on disk.",
    ),
    (
        "proxy_",
        "larderd is a cache and not a proxy; the proxy of memcached is another program in one.",
    ),
    (
        "sock_cookie_id",
        "Socket cookies exist on FreeBSD only, and larderd sets none.",
    ),
];
