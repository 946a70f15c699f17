//! The figures behind `stats` and its groups, as names and values.
//!
//! Names and order are memcached's: dashboards and exporters read them, and its own test counts
//! them. What is ours stands in `stats larder`. Whoever reports them frames them: the wire its own
//! way, the admin listener another.

use super::{FIRST, Shared, TlsFacts};
use super::{discovery, insight, slow, waste};
use crate::config::Config;
use crate::config::render::stats_settings;
use crate::limits::SLAB_CLASS_COUNT_MAX;
use crate::protocol::text::reply;
use crate::stats::{ClassTotals, Totals};
use crate::store::{ClassStats, StoreTotals};
use crate::time::Now;

/// A day, in seconds.
const DAY_S: i64 = 86_400;

/// The table that memcached begins with when no other is asked for, as a power of two.
const HASH_POWER_MIN: u32 = 16;

/// The build that answers, for `stats larder`.
pub const VERSION_OWN: &str = env!("CARGO_PKG_VERSION");

/// A group of figures, by what `stats` calls it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Group {
    /// `stats bigkeys`. Takes some milliseconds: for who has no clients to keep waiting.
    BigKeys,
    /// `stats cluster`.
    Cluster,
    /// `stats conns`.
    Conns,
    /// `stats` alone.
    General,
    /// `stats hotkeys`.
    HotKeys,
    /// `stats items`.
    Items,
    /// `stats larder`.
    Larder,
    /// `stats latency`.
    Latency,
    /// `stats settings`.
    Settings,
    /// `stats sizes` without `-o track_sizes`; with it they are counted in steps.
    Sizes,
    /// `stats slabs`.
    Slabs,
    /// `stats slow`.
    Slow,
    /// `stats threads`.
    Threads,
    /// `stats ttl`.
    Ttl,
    /// `stats waste`.
    Waste,
}

/// Shows each figure of a group to `see` as a name and a value, such as `curr_items` and `5`.
///
/// Takes the locks of the shards one at a time and each for a moment; workers are not waited for.
pub fn show(shared: &Shared, now: Now, group: Group, see: &mut dyn FnMut(&str, &[u8])) {
    let list = &mut List::new(see);
    match group {
        Group::BigKeys => insight::big_keys(shared, now, list),
        Group::Cluster => discovery::stats(shared, &mut |name, value| list.word(name, value)),
        Group::Conns => {
            let mut next = Some(FIRST);
            while let Some(after) = next {
                let see = &mut |name: &str, value: &str| list.word(name, value);
                next = shared.host.connections(now, after, see);
            }
        }
        Group::General => general(shared, now, list),
        Group::HotKeys => insight::hot_keys(shared, now, list),
        Group::Items => items(shared, now, list),
        Group::Larder => larder(shared, now, list),
        Group::Latency => latency(shared, list),
        Group::Settings => {
            for (name, value) in stats_settings(&config_in_force(shared)) {
                list.word(name, &value);
            }
        }
        Group::Sizes => list.word("sizes_status", "disabled"),
        Group::Slabs => slabs(shared, now, list),
        Group::Slow => slow::slow(shared, list),
        Group::Threads => slow::threads(shared, now, list),
        Group::Ttl => insight::ttl(shared, now, list),
        Group::Waste => waste::waste(shared, now, list),
    }
}

/// A list being shown.
pub(super) struct List<'o> {
    see: &'o mut dyn FnMut(&str, &[u8]),
}

impl<'o> List<'o> {
    pub(super) fn new(see: &'o mut dyn FnMut(&str, &[u8])) -> Self {
        Self { see }
    }
}

impl List<'_> {
    pub(super) fn bytes(&mut self, name: &str, value: &[u8]) {
        (self.see)(name, value);
    }

    pub(super) fn number(&mut self, name: &str, value: u64) {
        (self.see)(name, itoa::Buffer::new().format(value).as_bytes());
    }

    pub(super) fn numbers(&mut self, lines: &[(&str, u64)]) {
        for (name, value) in lines {
            self.number(name, *value);
        }
    }

    pub(super) fn word(&mut self, name: &str, value: &str) {
        (self.see)(name, value.as_bytes());
    }

    /// Lines whose names begin alike, such as `items:5:`.
    pub(super) fn prefixed(&mut self, prefix: &str, lines: &[(&str, u64)]) {
        for (name, value) in lines {
            self.number(&format!("{prefix}{name}"), *value);
        }
    }
}

/// The settings of the start with what commands have changed since.
pub fn config_in_force(shared: &Shared) -> Config {
    let mut config = shared.config.clone();
    shared.live.apply(&mut config);
    let lru = shared.store.lru();
    config.lru_policy = lru.policy;
    config.lru_segmented = lru.segmented;
    config.hot_lru_percent = lru.hot_percent;
    config.warm_lru_percent = lru.warm_percent;
    config.hot_max_factor = lru.hot_age_factor;
    config.warm_max_factor = lru.warm_age_factor;
    config.temporary_ttl_s = lru.temporary_ttl_s;
    let balance = shared.store.balance();
    config.slab_automove = balance.automove;
    config.slab_automove_ratio = balance.ratio;
    config.slab_automove_window_s = balance.window_s;
    config.slab_automove_freeratio = balance.free_ratio;
    config.lru_crawler = shared.store.crawler();
    config.memory_limit = shared.store.totals().memory_limit;
    config
}

/// Microseconds as seconds with six places.
fn seconds(us: u64) -> String {
    format!("{}.{:06}", us / 1_000_000, us % 1_000_000)
}

fn general(shared: &Shared, now: Now, list: &mut List<'_>) {
    let facts = shared.host.facts();
    let totals = shared.registry.totals();
    let store = shared.store.totals();
    let config = &shared.config;
    list.number("pid", u64::from(std::process::id()));
    list.number("uptime", u64::from(now.uptime_s));
    list.number("time", u64::try_from(now.unix_s).unwrap_or(0));
    list.word("version", reply::VERSION_COMPATIBLE);
    // There is no such library here; the line is kept for those who look for it.
    list.word("libevent", "none");
    list.number("pointer_size", 8 * size_of::<usize>() as u64);
    list.word("rusage_user", &seconds(facts.user_us));
    list.word("rusage_system", &seconds(facts.system_us));
    list.number("max_connections", u64::from(config.conn_limit));
    list.number("curr_connections", facts.curr_connections);
    list.number("total_connections", facts.total_connections);
    if config.maxconns_fast {
        list.number("rejected_connections", facts.rejected_connections);
    }
    list.numbers(&[
        ("connection_structures", facts.curr_connections),
        ("response_obj_oom", totals.response_obj_oom),
        ("response_obj_count", 0),
        ("response_obj_bytes", 0),
        ("read_buf_count", totals.buffers),
        ("read_buf_bytes", totals.buffer_bytes),
        ("read_buf_bytes_free", 0),
        ("read_buf_oom", totals.read_buf_oom),
        ("reserved_fds", facts.reserved_fds),
    ]);
    commands(list, &totals, config);
    list.numbers(&[
        ("bytes_read", totals.bytes_read),
        ("bytes_written", totals.bytes_written),
        ("limit_maxbytes", store.memory_limit),
        ("accepting_conns", u64::from(facts.accepting)),
        ("listen_disabled_num", facts.listen_disabled_num),
        (
            "time_in_listen_disabled_us",
            facts.time_in_listen_disabled_us,
        ),
        ("threads", config.workers as u64),
        ("conn_yields", totals.conn_yields),
    ]);
    memory(list, shared, &store);
    if let Some(facts) = facts.tls {
        tls(list, &facts, &totals, config, now);
    }
    items_and_queues(list, shared, &store);
}

fn commands(list: &mut List<'_>, totals: &Totals, config: &Config) {
    list.numbers(&[
        ("cmd_get", totals.cmd_get),
        ("cmd_set", totals.cmd_set),
        ("cmd_flush", totals.cmd_flush),
        ("cmd_touch", totals.cmd_touch),
        ("cmd_meta", totals.cmd_meta),
        ("get_hits", totals.get_hits),
        ("get_misses", totals.get_misses),
        ("get_expired", totals.get_expired),
        ("get_flushed", totals.get_flushed),
        ("delete_misses", totals.delete_misses),
        ("delete_hits", totals.delete_hits),
        ("incr_misses", totals.incr_misses),
        ("incr_hits", totals.incr_hits),
        ("decr_misses", totals.decr_misses),
        ("decr_hits", totals.decr_hits),
        ("cas_misses", totals.cas_misses),
        ("cas_hits", totals.cas_hits),
        ("cas_badval", totals.cas_badval),
        ("touch_hits", totals.touch_hits),
        ("touch_misses", totals.touch_misses),
        ("store_too_large", totals.store_too_large),
        ("store_no_memory", totals.store_no_memory),
        ("auth_cmds", totals.auth_cmds),
        ("auth_errors", totals.auth_errors),
    ]);
    if config.idle_timeout_s > 0 {
        list.number("idle_kicks", totals.idle_kicks);
    }
}

fn memory(list: &mut List<'_>, shared: &Shared, store: &StoreTotals) {
    let hub = shared.hub.counts();
    // memcached's table is never smaller than the one it begins with.
    let first = match shared.config.hash_power {
        0 => HASH_POWER_MIN,
        power => power,
    };
    list.numbers(&[
        ("hash_power_level", u64::from(store.index_power.max(first))),
        ("hash_bytes", store.index_bytes),
        ("hash_is_expanding", 0),
    ]);
    if shared.config.slab_reassign {
        list.numbers(&[
            ("slab_reassign_rescues", store.reassign_rescues),
            ("slab_reassign_chunk_rescues", store.reassign_chunk_rescues),
            ("slab_reassign_inline_reclaim", 0),
            ("slab_reassign_busy_items", 0),
            ("slab_reassign_busy_deletes", 0),
            ("slab_reassign_busy_nomem", store.reassign_evictions),
        ]);
        list.word("slab_reassign_last_busy_status", "none");
        // A page is moved before its command is answered.
        list.number("slab_reassign_running", 0);
        list.number("slabs_moved", store.slabs_moved);
    }
    if shared.store.crawler() {
        list.number("lru_crawler_running", u64::from(store.crawler_running));
        list.number("lru_crawler_starts", store.crawler_starts);
    }
    let maintainer = shared.config.lru_maintainer;
    if maintainer {
        list.number("lru_maintainer_juggles", store.maintainer_juggles);
    }
    list.numbers(&[
        ("malloc_fails", store.malloc_fails),
        ("log_worker_dropped", hub.dropped),
        ("log_worker_written", hub.written),
        ("log_watcher_skipped", hub.skipped),
        ("log_watcher_sent", hub.sent),
        ("log_watchers", hub.watchers),
    ]);
}

fn tls(list: &mut List<'_>, facts: &TlsFacts, totals: &Totals, config: &Config, now: Now) {
    if config.tls.session_cache {
        list.number("ssl_new_sessions", totals.ssl_new_sessions);
    }
    let since_s = now.uptime_s.saturating_sub(facts.refreshed_s);
    list.numbers(&[
        ("ssl_handshake_errors", totals.ssl_handshake_errors),
        ("ssl_proto_errors", totals.ssl_proto_errors),
        ("time_since_server_cert_refresh", u64::from(since_s)),
    ]);
}

fn items_and_queues(list: &mut List<'_>, shared: &Shared, store: &StoreTotals) {
    let maintainer = shared.config.lru_maintainer;
    list.numbers(&[
        ("unexpected_napi_ids", 0),
        ("round_robin_fallback", 0),
        ("bytes", store.bytes),
        ("curr_items", store.curr_items),
        ("total_items", store.total_items),
        ("slab_global_page_pool", store.free_pages),
        ("expired_unfetched", store.expired_unfetched),
        ("evicted_unfetched", store.evicted_unfetched),
    ]);
    if maintainer {
        list.number("evicted_active", store.evicted_active);
    }
    list.numbers(&[
        ("evictions", store.evictions),
        ("reclaimed", store.reclaimed),
        ("crawler_reclaimed", store.crawler_reclaimed),
        ("crawler_items_checked", store.crawler_items_checked),
        ("lrutail_reflocked", store.lru_tail_pinned),
    ]);
    if maintainer {
        list.numbers(&[
            ("moves_to_cold", store.moves_to_cold),
            ("moves_to_warm", store.moves_to_warm),
            ("moves_within_lru", store.moves_within_lru),
            ("direct_reclaims", store.direct_reclaims),
            ("lru_bumps_dropped", 0),
        ]);
    }
}

fn items(shared: &Shared, now: Now, list: &mut List<'_>) {
    let maintainer = shared.config.lru_maintainer;
    let has_temp = shared.store.lru().temporary_ttl_s.is_some();
    let classes = shared.store.class_stats(now);
    let counts = shared.registry.totals().classes;
    for (id, (class, counts)) in classes.iter().zip(&counts).enumerate() {
        let number = class.number_hot + class.number_warm + class.number_cold + class.number_temp;
        if id == 0 || number == 0 {
            continue;
        }
        let prefix = format!("items:{id}:");
        list.prefixed(&prefix, &[("number", number)]);
        if maintainer {
            list.prefixed(
                &prefix,
                &[
                    ("number_hot", class.number_hot),
                    ("number_warm", class.number_warm),
                    ("number_cold", class.number_cold),
                ],
            );
            if has_temp {
                list.prefixed(&prefix, &[("number_temp", class.number_temp)]);
            }
            list.prefixed(
                &prefix,
                &[
                    ("age_hot", u64::from(class.age_hot_s)),
                    ("age_warm", u64::from(class.age_warm_s)),
                ],
            );
        }
        items_of(list, &prefix, class, counts, maintainer);
    }
}

fn items_of(
    list: &mut List<'_>,
    prefix: &str,
    class: &ClassStats,
    counts: &ClassTotals,
    maintainer: bool,
) {
    list.prefixed(
        prefix,
        &[
            ("age", u64::from(class.age_s)),
            ("mem_requested", class.mem_requested),
            ("evicted", class.evicted),
            ("evicted_nonzero", class.evicted_nonzero),
            ("evicted_time", u64::from(class.evicted_time_s)),
            ("outofmemory", class.out_of_memory),
            ("tailrepairs", 0),
            ("reclaimed", class.reclaimed),
            ("expired_unfetched", class.expired_unfetched),
            ("evicted_unfetched", class.evicted_unfetched),
        ],
    );
    if maintainer {
        list.prefixed(prefix, &[("evicted_active", class.evicted_active)]);
    }
    list.prefixed(
        prefix,
        &[
            ("crawler_reclaimed", class.crawler_reclaimed),
            ("crawler_items_checked", class.crawler_items_checked),
            ("lrutail_reflocked", class.lru_tail_pinned),
        ],
    );
    if maintainer {
        list.prefixed(
            prefix,
            &[
                ("moves_to_cold", class.moves_to_cold),
                ("moves_to_warm", class.moves_to_warm),
                ("moves_within_lru", class.moves_within_lru),
                ("direct_reclaims", class.direct_reclaims),
                ("hits_to_hot", counts.hits_to_hot),
                ("hits_to_warm", counts.hits_to_warm),
                ("hits_to_cold", counts.hits_to_cold),
                ("hits_to_temp", counts.hits_to_temp),
            ],
        );
    }
}

fn slabs(shared: &Shared, now: Now, list: &mut List<'_>) {
    let classes = shared.store.class_stats(now);
    let totals = shared.registry.totals();
    let malloced = shared.store.totals().malloced_bytes;
    let mut active = 0;
    for (id, class) in classes.iter().enumerate().take(SLAB_CLASS_COUNT_MAX) {
        if id == 0 || class.total_pages == 0 {
            continue;
        }
        active += 1;
        let counts = totals.classes.get(id).copied().unwrap_or_default();
        slabs_of(list, &format!("{id}:"), class, &counts);
    }
    list.numbers(&[("active_slabs", active), ("total_malloced", malloced)]);
}

fn slabs_of(list: &mut List<'_>, prefix: &str, class: &ClassStats, counts: &ClassTotals) {
    list.prefixed(
        prefix,
        &[
            ("chunk_size", u64::from(class.chunk_size)),
            ("chunks_per_page", u64::from(class.chunks_per_page)),
            ("total_pages", class.total_pages),
            ("total_chunks", class.total_chunks),
            ("used_chunks", class.used_chunks),
            ("free_chunks", class.free_chunks),
            ("free_chunks_end", 0),
            ("get_hits", counts.get_hits),
            ("cmd_set", counts.cmd_set),
            ("delete_hits", counts.delete_hits),
            ("incr_hits", counts.incr_hits),
            ("decr_hits", counts.decr_hits),
            ("cas_hits", counts.cas_hits),
            ("cas_badval", counts.cas_badval),
            ("touch_hits", counts.touch_hits),
        ],
    );
}

fn larder(shared: &Shared, now: Now, list: &mut List<'_>) {
    let totals = shared.registry.totals();
    let store = shared.store.totals();
    let now_unix_s = now.unix_s;
    list.word("version", VERSION_OWN);
    list.numbers(&[
        ("slow_client_closed", totals.slow_client_closed),
        ("denied_requests", totals.denied_requests),
        ("limited_requests", totals.limited_requests),
        ("limited_connections", totals.limited_connections),
        ("page_size", store.page_size),
        ("free_pages", store.free_pages),
        ("malloced_bytes", store.malloced_bytes),
        ("index_bytes", store.index_bytes),
        ("reassign_evictions", store.reassign_evictions),
    ]);
    let facts = shared.host.facts();
    if let Some(facts) = facts.snapshot {
        list.numbers(&[
            ("snapshot_in_progress", u64::from(facts.is_taking)),
            ("snapshots", facts.taken),
            ("snapshot_failures", facts.failures),
            ("snapshot_restored_items", facts.restored_items),
            ("snapshot_last_time", facts.last.unix_s.unsigned_abs()),
            ("snapshot_last_ms", facts.last.took_ms),
            ("snapshot_last_items", facts.last.items),
            ("snapshot_last_bytes", facts.last.size),
        ]);
    }
    if let Some(facts) = facts.tls {
        let left_s = facts.not_after_unix_s - now_unix_s;
        list.word("tls_certificate_ends", &facts.not_after_unix_s.to_string());
        // Below zero once it has ended.
        list.word(
            "tls_certificate_days_left",
            &left_s.div_euclid(DAY_S).to_string(),
        );
        list.number("tls_refresh_failures", facts.refresh_failures);
    }
    // Behind the workers stand those who shake hands.
    let workers = shared.registry.workers().iter().take(shared.config.workers);
    for (index, worker) in workers.enumerate() {
        list.prefixed(
            &format!("worker:{index}:"),
            &[
                ("curr_connections", worker.curr_connections.get()),
                ("total_connections", worker.total_connections.get()),
                ("cmd_get", worker.cmd_get.get()),
                ("cmd_set", worker.cmd_set.get()),
                ("conn_yields", worker.conn_yields.get()),
                ("bytes_read", worker.bytes_read.get()),
                ("bytes_written", worker.bytes_written.get()),
            ],
        );
    }
}

/// What is told of the times of a command, as thousandths of all.
const QUANTILES: &[(&str, u64)] = &[
    ("p50_us", 500),
    ("p90_us", 900),
    ("p99_us", 990),
    ("p999_us", 999),
    ("max_us", 1000),
];

fn latency(shared: &Shared, list: &mut List<'_>) {
    let totals = shared.registry.totals();
    for (command, times) in totals.latency.commands() {
        let name = command.name();
        let count = times.count();
        list.number(&format!("{name}:samples"), count);
        if count == 0 {
            continue;
        }
        list.number(&format!("{name}:mean_us"), times.sum_ns / count / 1000);
        for (quantile, thousandths) in QUANTILES {
            let ns = times.quantile_ns(*thousandths).unwrap_or(0);
            list.number(&format!("{name}:{quantile}"), ns.div_ceil(1000));
        }
    }
}
