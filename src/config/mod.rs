//! Every setting, once.
//!
//! [`Config`] is what the rest of the program reads: plain fields, validated before anyone sees
//! them, and never changed afterwards. Where they come from (flags, environment, a file) and how
//! they are written down (help, manual, `stats settings`) is decided by one table of rows.

pub mod admin;
mod check;
pub mod cluster;
pub mod flags;
pub mod parse;
pub mod render;
#[cfg(test)]
mod tests;
pub mod tls;
pub mod value;

use std::net::Ipv6Addr;
use std::path::{Path, PathBuf};

use log::LevelFilter;

use self::admin::AdminListen;
use self::cluster::ClusterConfig;
use self::tls::{ListenTls, TlsConfig, verify};
use crate::cluster::Advertise;
use crate::limits::PORT_DEFAULT;
use crate::stats::sampler::Sampling;
use crate::store::{BalanceConfig, LruConfig, LruPolicy, StoreConfig};

/// Smallest `-I`, in bytes.
pub const ITEM_SIZE_MAX_LOW: u32 = 1 << 10;

/// Largest `-I`, in bytes.
pub const ITEM_SIZE_MAX_HIGH: u32 = 1 << 30;

/// memcached's slab page, in bytes. `slab_chunk_max` must divide it; its class table ends there.
pub const SLAB_PAGE_SIZE: u32 = 1 << 20;

/// The addresses served when no `-l` is given. memcached would serve every interface; a cache
/// without a login does not belong on all of them unasked.
pub const LISTEN_DEFAULT: [&str; 2] = ["127.0.0.1", "::1"];

/// All settings, validated.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    // Where clients come in.
    /// Addresses to serve (`-l`), as given; see [`Config::tcp_listen`] for what that means.
    pub listen: Vec<Listen>,
    /// TCP port (`-p`) for addresses that name none; 0 turns TCP off, -1 takes any free one.
    pub tcp_port: i32,
    /// UDP port (`-U`); 0 turns UDP off, -1 takes any free one.
    pub udp_port: i32,
    /// Path of the unix socket (`-s`).
    pub unix_socket: Option<PathBuf>,
    /// Mode of the unix socket, such as 0o700 (`-a`).
    pub unix_mask: u32,
    /// Connections that the system may hold for us before they are accepted (`-b`).
    pub backlog: u32,
    /// What a client may speak (`-B`), unless its listener says otherwise.
    pub protocol: BindingProtocol,
    /// Most clients at a time (`-c`).
    pub conn_limit: u32,
    /// Whether a client above the limit is told so and closed at once, instead of waiting.
    pub maxconns_fast: bool,
    /// A client that says nothing for so long is closed, in seconds; 0 never.
    pub idle_timeout_s: u32,
    /// Whether the service manager keeps listeners over a restart, if not by
    /// [`Self::keep_memory`] (`--keep-listeners`).
    pub keep_listeners: bool,
    /// Where to write the ports in use (`MEMCACHED_PORT_FILENAME` in the environment).
    pub port_file: Option<PathBuf>,

    // How the work is done.
    /// Worker threads (`-t`).
    pub workers: usize,
    /// Requests that one client is served before another has its turn (`-R`).
    pub requests_per_event: u32,
    /// Bound on the buffers of all connections, in bytes; 0 is none.
    pub read_buf_mem_limit: u64,
    /// Bytes that may wait for one watcher.
    pub watcher_logbuf_size: u32,
    /// Bytes of log lines that may wait in one worker.
    pub worker_logbuf_size: u32,

    // Memory.
    /// Bytes for items and index together (`-m`).
    pub memory_limit: u64,
    /// Whether items give way when memory is full (`-M` turns it off).
    pub evict: bool,
    /// Largest item, in bytes of memcached's logical size (`-I`).
    pub item_size_max: u32,
    /// Ratio of neighbouring slab classes (`-f`).
    pub growth_factor: f64,
    /// Bytes for key, value and flags in the smallest class (`-n`).
    pub chunk_size_min: u32,
    /// The class sizes themselves, in bytes; empty means by growth factor.
    pub slab_sizes: Vec<u32>,
    /// Largest chunk, in bytes; a larger item is a chain of them.
    pub slab_chunk_max: u32,
    /// Whether items have a cas (`-C` turns it off).
    pub cas: bool,
    /// Ask for huge pages, and take all memory at the start (`-L`).
    pub preallocate: bool,
    /// The file whose bytes are the memory, so that items outlive the process (`-e`).
    pub memory_file: Option<PathBuf>,
    /// Whether the service manager keeps the memory over a restart, and with it the listeners
    /// (`--keep-memory`).
    pub keep_memory: bool,
    /// The file that a copy of all items is written to and read from (`--snapshot`).
    pub snapshot_file: Option<PathBuf>,
    /// Seconds between two such copies; 0 takes none by itself (`--snapshot-interval`).
    pub snapshot_interval_s: u32,
    /// Bytes of such a copy that are written in a second; 0 is no bound (`-o snapshot_rate`).
    pub snapshot_rate: u64,
    /// Whether pages may move between classes.
    pub slab_reassign: bool,
    /// How pages move: 0 by hand, 1 by age, 2 at each eviction.
    pub slab_automove: u8,
    /// A class's age below this share of the oldest's earns it a page.
    pub slab_automove_ratio: f64,
    /// How much ages of larger items count for more: as their size to this power.
    pub slab_automove_bias: f64,
    /// Seconds over which ages are judged.
    pub slab_automove_window_s: u32,
    /// Share of memory kept free for any class.
    pub slab_automove_freeratio: f64,
    /// Whether queues are balanced in the background.
    pub lru_maintainer: bool,
    /// Who goes first when memory is full.
    pub lru_policy: LruPolicy,
    /// HOT, WARM and COLD queues, or one flat queue.
    pub lru_segmented: bool,
    /// Share of a class that HOT may hold, in percent.
    pub hot_lru_percent: u32,
    /// Share of a class that WARM may hold, in percent.
    pub warm_lru_percent: u32,
    /// HOT's oldest item may be this fraction of COLD's age.
    pub hot_max_factor: f64,
    /// WARM's oldest item may be this multiple of COLD's age.
    pub warm_max_factor: f64,
    /// Items with a TTL up to this go to TEMP and are never evicted, in seconds.
    pub temporary_ttl_s: Option<u32>,
    /// Whether expired items are swept in the background.
    pub lru_crawler: bool,
    /// Pause of the sweep between items, in microseconds.
    pub lru_crawler_sleep_us: u32,
    /// Items that a sweep looks at in each class; 0 is all.
    pub lru_crawler_tocrawl: u32,
    /// Accepted for memcached's sake, in seconds.
    pub tail_repair_time_s: u32,
    /// Whether `stats sizes` is kept.
    pub track_sizes: bool,
    /// Accepted for memcached's sake: the index chooses its own size. 0 when not given.
    pub hash_power: u32,
    /// Accepted for memcached's sake: the index always grows.
    pub hash_expand: bool,
    /// Accepted for memcached's sake: keys are hashed with a secret seed whatever it says.
    pub hash_algorithm: HashAlgorithm,

    // What clients may ask for.
    /// Whether `flush_all` is allowed (`-F` forbids it).
    pub flush_enabled: bool,
    /// Whether keys may be listed (`-X` forbids it).
    pub dump_enabled: bool,
    /// Whether `watch` is allowed (`-W` forbids it).
    pub watch_enabled: bool,
    /// Whether `shutdown` is allowed (`-A`).
    pub shutdown_command: bool,
    /// Ends the prefix of a key, for `stats detail` (`-D`).
    pub stat_prefix_delimiter: u8,
    /// Whether `stats detail` counts from the start (`-D` turns it on).
    pub stats_detail: bool,
    /// One request in so many is sampled for `stats hotkeys` and `stats ttl`; zero is none
    /// (`-o hot_key_sample`).
    pub hot_key_sample: u32,
    /// Time that a graceful stop leaves to requests that have begun, in seconds
    /// (`-o drain_timeout`).
    pub drain_timeout_s: u32,
    /// Turns that take so long are kept for `stats slow`, in microseconds; zero keeps none
    /// (`-o slow_log_us`).
    pub slow_log_us: u32,
    /// Whether `debugtime` and its like exist (`LARDER_DEBUG_COMMANDS=1` in the environment).
    pub debug_commands: bool,
    /// File of users and passwords, and whether text clients may log in, and must (`-Y`).
    pub auth_file: Option<PathBuf>,
    /// Whether binary clients may log in, and must (`-S`).
    pub sasl: bool,
    /// File of their users when there is no `auth_file` (`MEMCACHED_SASL_PWDB` in the
    /// environment).
    pub sasl_users: Option<PathBuf>,
    /// TLS (`-Z`), and with what.
    pub tls: TlsConfig,

    // The cluster.
    /// What clients are told of this daemon (`--advertise`).
    pub advertise: Advertise,
    /// Who decides which nodes are listed, and how they find each other.
    pub cluster: ClusterConfig,

    // Whom the operator asks.
    /// Where metrics, health and the API are served (`--admin`).
    pub admin: AdminListen,
    /// File of the token that is asked for there (`--admin-token-file`).
    pub admin_token_file: Option<PathBuf>,
    /// Whether TLS is spoken there (`--admin-tls`).
    pub admin_tls: bool,

    // The process.
    /// How much is logged: 0 warnings, 1 lifecycle, 2 connections, 3 everything (`-v`).
    pub verbosity: u8,
    /// Run in the background (`-d`).
    pub daemonize: bool,
    /// Where to write the process id (`-P`).
    pub pid_file: Option<PathBuf>,
    /// Whom to become when started as root (`-u`).
    pub user: Option<String>,
    /// Keep all memory resident (`-k`).
    pub lock_memory: bool,
    /// Raise the core file limit (`-r`).
    pub core_dumps: bool,
    /// Give up privileges that serving does not need.
    pub drop_privileges: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: Vec::new(),
            tcp_port: i32::from(PORT_DEFAULT),
            udp_port: 0,
            unix_socket: None,
            unix_mask: 0o700,
            backlog: 1024,
            protocol: BindingProtocol::Auto,
            conn_limit: 1024,
            maxconns_fast: true,
            idle_timeout_s: 0,
            keep_listeners: false,
            port_file: None,
            workers: usable_cores(),
            requests_per_event: 20,
            read_buf_mem_limit: 0,
            watcher_logbuf_size: 256 << 10,
            worker_logbuf_size: 64 << 10,
            memory_limit: 64 << 20,
            evict: true,
            item_size_max: 1 << 20,
            growth_factor: 1.25,
            chunk_size_min: 48,
            slab_sizes: Vec::new(),
            slab_chunk_max: SLAB_PAGE_SIZE / 2,
            cas: true,
            preallocate: false,
            memory_file: None,
            keep_memory: false,
            snapshot_file: None,
            snapshot_interval_s: 0,
            snapshot_rate: 64 << 20,
            slab_reassign: true,
            slab_automove: 1,
            slab_automove_ratio: 0.8,
            slab_automove_bias: 0.5,
            slab_automove_window_s: 10,
            slab_automove_freeratio: 0.01,
            lru_maintainer: true,
            lru_policy: LruPolicy::default(),
            lru_segmented: true,
            hot_lru_percent: 20,
            warm_lru_percent: 40,
            hot_max_factor: 0.2,
            warm_max_factor: 2.0,
            temporary_ttl_s: None,
            lru_crawler: true,
            lru_crawler_sleep_us: 100,
            lru_crawler_tocrawl: 0,
            tail_repair_time_s: 0,
            track_sizes: false,
            hash_power: 0,
            hash_expand: true,
            hash_algorithm: HashAlgorithm::Murmur3,
            flush_enabled: true,
            dump_enabled: true,
            watch_enabled: true,
            shutdown_command: false,
            stat_prefix_delimiter: b':',
            stats_detail: false,
            hot_key_sample: 100,
            drain_timeout_s: 5,
            slow_log_us: 10_000,
            debug_commands: false,
            auth_file: None,
            sasl: false,
            sasl_users: None,
            tls: TlsConfig::default(),
            advertise: Advertise::default(),
            cluster: ClusterConfig::default(),
            admin: AdminListen::default(),
            admin_token_file: None,
            admin_tls: false,
            verbosity: 0,
            daemonize: false,
            pid_file: None,
            user: None,
            lock_memory: false,
            core_dumps: false,
            drop_privileges: false,
        }
    }
}

impl Config {
    /// What the store is told, for this many worker threads.
    pub fn store(&self, workers: usize) -> StoreConfig {
        StoreConfig {
            memory_limit: self.memory_limit,
            workers,
            item_size_max: self.item_size_max,
            growth_factor: self.growth_factor,
            chunk_size_min: self.chunk_size_min,
            slab_sizes: self.slab_sizes.clone(),
            slab_chunk_max: self.slab_chunk_max,
            cas: self.cas,
            evict: self.evict,
            preallocate: self.preallocate,
            lru: LruConfig {
                policy: self.lru_policy,
                segmented: self.lru_segmented,
                hot_percent: self.hot_lru_percent,
                warm_percent: self.warm_lru_percent,
                hot_age_factor: self.hot_max_factor,
                warm_age_factor: self.warm_max_factor,
                temporary_ttl_s: self.temporary_ttl_s,
                maintainer: self.lru_maintainer,
            },
            balance: BalanceConfig {
                reassign: self.slab_reassign,
                automove: self.slab_automove,
                ratio: self.slab_automove_ratio,
                size_bias: self.slab_automove_bias,
                window_s: self.slab_automove_window_s,
                free_ratio: self.slab_automove_freeratio,
            },
            crawler: self.lru_crawler,
            hash_seed: None,
        }
    }

    /// How requests are sampled.
    pub const fn sampling(&self) -> Sampling {
        Sampling {
            one_in: self.hot_key_sample,
            delimiter: self.stat_prefix_delimiter,
        }
    }

    /// The addresses to serve over TCP, each with its port; none when TCP is off. An ephemeral
    /// port is 0 here, as the system wants it.
    pub fn tcp_listen(&self) -> Vec<Listen> {
        self.with_port(self.tcp_port)
    }

    /// The addresses to serve over UDP, each with its port; none when UDP is off. An address
    /// that names a port serves UDP on that same port, as memcached does, unless it asks for TLS:
    /// there is none for datagrams.
    pub fn udp_listen(&self) -> Vec<Listen> {
        let mut all = self.with_port(self.udp_port);
        all.retain(|listen| matches!(listen.tls, None | Some(ListenTls::Off)));
        all
    }

    /// The mode of the files of unix sockets.
    pub fn unix_mode(&self) -> u32 {
        self.unix_mask & 0o777
    }

    /// Whether the service manager keeps the listeners over a restart.
    pub fn keeps_listeners(&self) -> bool {
        self.keep_memory || self.keep_listeners
    }

    /// The client certificates that an address asks for, as [`verify`] numbers them; none when
    /// it is plain.
    pub fn tls_of(&self, listen: &Listen) -> Option<u8> {
        match listen.tls {
            _ if !self.tls.enabled => None,
            Some(ListenTls::Off) => None,
            Some(ListenTls::Basic) => Some(verify::NONE),
            Some(ListenTls::Mutual) => Some(verify::REQUIRE),
            None => Some(self.tls.verify_mode),
        }
    }

    fn with_port(&self, port: i32) -> Vec<Listen> {
        if port == 0 {
            return Vec::new();
        }
        // Only -1 is out of range by the time a configuration is validated.
        let port = u16::try_from(port).unwrap_or(0);
        let mut all = self.listen.clone();
        if all.is_empty() {
            all.extend(LISTEN_DEFAULT.map(Listen::host));
        }
        for listen in &mut all {
            listen.port.get_or_insert(port);
            listen.protocol.get_or_insert(self.protocol);
        }
        all
    }

    /// The file of users who may come in, if anybody has to log in.
    pub fn users_file(&self) -> Option<&Path> {
        let only_sasl = self.sasl_users.as_deref().filter(|_| self.sasl);
        self.auth_file.as_deref().or(only_sasl)
    }

    /// Whether an address the operator asked for by name must be there. The default ones need
    /// not: a host without IPv6 is served on the other.
    pub fn listen_is_explicit(&self) -> bool {
        !self.listen.is_empty()
    }
}

/// One address to serve.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Listen {
    /// Name or number, without brackets; `*` is every interface.
    pub host: String,
    /// Its own port, if it names one.
    pub port: Option<u16>,
    /// What is spoken there, if it says.
    pub protocol: Option<BindingProtocol>,
    /// Whether TLS is spoken there, if it says.
    pub tls: Option<ListenTls>,
    /// Free text that marks its connections, if it says.
    pub tag: Option<String>,
}

impl Listen {
    /// The address of a host, with everything else left to the settings.
    pub fn host(host: &str) -> Self {
        Self {
            host: host.to_owned(),
            ..Self::default()
        }
    }
}

impl std::fmt::Display for Listen {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if let Some(tls) = self.tls {
            f.write_str(tls.prefix())?;
        }
        if let Some(protocol) = self.protocol {
            write!(f, "proto[{}]:", protocol.name())?;
        }
        if let Some(tag) = &self.tag {
            write!(f, "tag[{tag}]:")?;
        }
        match self.port {
            Some(port) if self.host.parse::<Ipv6Addr>().is_ok() => {
                write!(f, "[{}]:{port}", self.host)
            }
            Some(port) => write!(f, "{}:{port}", self.host),
            None => f.write_str(&self.host),
        }
    }
}

/// What clients may speak.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum BindingProtocol {
    /// Text, meta or binary, as each client's first byte tells.
    #[default]
    Auto,
    /// Text and meta only.
    Ascii,
    /// Binary only.
    Binary,
}

impl BindingProtocol {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Auto, Self::Ascii, Self::Binary];

    /// As options spell it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Ascii => "ascii",
            Self::Binary => "binary",
        }
    }

    /// As `stats settings` spells it.
    pub const fn stat(self) -> &'static str {
        match self {
            Self::Auto => "auto-negotiate",
            Self::Ascii => "ascii",
            Self::Binary => "binary",
        }
    }
}

/// memcached's key hashes. The name is kept for `stats settings`; the hash is our own.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum HashAlgorithm {
    /// The hash of 1.4.
    Jenkins,
    /// The default.
    #[default]
    Murmur3,
    /// The newest.
    Xxh3,
}

impl HashAlgorithm {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Jenkins, Self::Murmur3, Self::Xxh3];

    /// As options and `stats settings` spell it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Jenkins => "jenkins",
            Self::Murmur3 => "murmur3",
            Self::Xxh3 => "xxh3",
        }
    }
}

/// The log level that a number of `-v` stands for.
pub const fn log_level(verbosity: u8) -> LevelFilter {
    match verbosity {
        0 => LevelFilter::Warn,
        1 => LevelFilter::Info,
        2 => LevelFilter::Debug,
        _ => LevelFilter::Trace,
    }
}

/// Cores this process may use: its affinity and its control group's quota count.
pub fn usable_cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}
