//! `stats` and its groups.
//!
//! Names and order are memcached's: dashboards and exporters read them, and its own test counts
//! them. What is ours stands in `stats larder`.

use super::discovery;
use super::turn::Turn;
use super::{Shared, TlsFacts};
use crate::config::Config;
use crate::config::render::stats_settings;
use crate::limits::SLAB_CLASS_COUNT_MAX;
use crate::protocol::ProtocolError;
use crate::protocol::admin::{Detail, Stats};
use crate::protocol::binary::{self, Echo, Status};
use crate::protocol::text::reply;
use crate::stats::{ClassTotals, Totals};
use crate::store::{ClassStats, StoreTotals};
use crate::time::Now;

/// Most bytes of one `stats cachedump`.
const CACHEDUMP_SIZE_MAX: usize = 2 << 20;

/// Most bytes that the end of a `cachedump` line takes beside its key.
const CACHEDUMP_LINE_SIZE_MAX: usize = 320;

/// A day, in seconds.
const DAY_S: i64 = 86_400;

/// The build that answers, for `stats larder`.
const VERSION_OWN: &str = env!("CARGO_PKG_VERSION");

/// Whom a report is for.
#[derive(Clone, Copy)]
pub(super) enum Reader {
    /// A client that speaks binary, with what its packets repeat.
    Packets(Echo),
    /// A client that speaks text.
    Lines,
}

impl Reader {
    /// Says that what was asked is done, where no list is the answer.
    fn done(self, turn: &mut Turn<'_>, line: &[u8]) {
        match self {
            Self::Packets(echo) => binary::reply::stat(turn.out, echo, "", b""),
            Self::Lines => turn.say(line),
        }
    }

    /// Says that there is no such report for this client.
    pub(super) fn refuse(self, turn: &mut Turn<'_>, error: ProtocolError) {
        match self {
            Self::Packets(echo) => binary::reply::error(turn.out, echo, Status::NotFound),
            Self::Lines => turn.say(error.reply()),
        }
    }
}

/// A list being written.
struct List<'o> {
    out: &'o mut Vec<u8>,
    reader: Reader,
}

impl<'o> List<'o> {
    fn new(turn: &'o mut Turn<'_>, reader: Reader) -> Self {
        Self {
            out: turn.out,
            reader,
        }
    }

    fn line(&mut self, name: &str, value: &[u8]) {
        match self.reader {
            Reader::Packets(echo) => binary::reply::stat(self.out, echo, name, value),
            Reader::Lines => reply::stat(self.out, name, value),
        }
    }

    fn number(&mut self, name: &str, value: u64) {
        self.line(name, itoa::Buffer::new().format(value).as_bytes());
    }

    fn numbers(&mut self, lines: &[(&str, u64)]) {
        for (name, value) in lines {
            self.number(name, *value);
        }
    }

    fn word(&mut self, name: &str, value: &str) {
        self.line(name, value.as_bytes());
    }

    /// Lines whose names begin alike, such as `items:5:`.
    fn prefixed(&mut self, prefix: &str, lines: &[(&str, u64)]) {
        for (name, value) in lines {
            self.number(&format!("{prefix}{name}"), *value);
        }
    }

    fn end(self) {
        match self.reader {
            Reader::Packets(echo) => binary::reply::stat(self.out, echo, "", b""),
            Reader::Lines => self.out.extend_from_slice(reply::END),
        }
    }
}

/// Answers `stats` in all its forms.
pub(super) fn stats(turn: &mut Turn<'_>, group: Stats<'_>, reader: Reader) {
    let shared = turn.ctx.shared;
    match group {
        Stats::General => general(turn, reader),
        Stats::Settings => {
            let config = config_in_force(shared);
            let mut list = List::new(turn, reader);
            for (name, value) in stats_settings(&config) {
                list.word(name, &value);
            }
            list.end();
        }
        Stats::Items => items(turn, reader),
        Stats::Slabs => slabs(turn, reader),
        Stats::Sizes => sizes(turn, reader),
        Stats::Larder => larder(turn, reader),
        Stats::Cluster => {
            let mut lines = Vec::new();
            discovery::stats(turn, &mut |name, value| {
                lines.push((name.to_owned(), value.to_owned()));
            });
            let mut list = List::new(turn, reader);
            for (name, value) in lines {
                list.word(&name, &value);
            }
            list.end();
        }
        Stats::Conns => {
            let now = turn.ctx.now;
            let mut list = List::new(turn, reader);
            shared
                .host
                .connections(now, &mut |name, value| list.word(name, value));
            list.end();
        }
        Stats::Reset => {
            shared.registry.reset();
            shared.store.reset_stats();
            shared.hub.reset_counts();
            shared.live.prefixes.clear();
            reader.done(turn, reply::RESET);
        }
        Stats::Cachedump { class, limit } => match reader {
            // Its lines are no statistics.
            Reader::Packets(_) => reader.refuse(turn, ProtocolError::Unknown),
            Reader::Lines => cachedump(turn, class, limit),
        },
        Stats::Detail(Detail::Dump) => match reader {
            Reader::Packets(_) => {
                let mut dump = Vec::new();
                shared.live.prefixes.dump(&mut dump);
                let mut list = List::new(turn, reader);
                list.line("detailed", &dump);
                list.end();
            }
            Reader::Lines => shared.live.prefixes.dump(turn.out),
        },
        Stats::Detail(Detail::On) => {
            shared.live.prefixes.turn(true);
            turn.detail = true;
            reader.done(turn, reply::OK);
        }
        Stats::Detail(Detail::Off) => {
            shared.live.prefixes.turn(false);
            turn.detail = false;
            reader.done(turn, reply::OK);
        }
        Stats::Unknown(_) => reader.refuse(turn, ProtocolError::Unknown),
    }
}

/// The settings of the start with what commands have changed since.
fn config_in_force(shared: &Shared) -> Config {
    let mut config = shared.config.clone();
    shared.live.apply(&mut config);
    let lru = shared.store.lru();
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

fn general(turn: &mut Turn<'_>, reader: Reader) {
    let shared = turn.ctx.shared;
    let now = turn.ctx.now;
    let facts = shared.host.facts();
    let totals = shared.registry.totals();
    let store = shared.store.totals();
    let config = &shared.config;
    let mut list = List::new(turn, reader);
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
    commands(&mut list, &totals, config);
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
    memory(&mut list, shared, &store);
    if let Some(facts) = facts.tls {
        tls(&mut list, &facts, &totals, config, now);
    }
    items_and_queues(&mut list, shared, &store);
    list.end();
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
    list.numbers(&[
        ("hash_power_level", u64::from(store.index_power)),
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

fn items(turn: &mut Turn<'_>, reader: Reader) {
    let shared = turn.ctx.shared;
    let maintainer = shared.config.lru_maintainer;
    let has_temp = shared.store.lru().temporary_ttl_s.is_some();
    let classes = shared.store.class_stats(turn.ctx.now);
    let counts = shared.registry.totals().classes;
    let mut list = List::new(turn, reader);
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
        items_of(&mut list, &prefix, class, counts, maintainer);
    }
    list.end();
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

fn slabs(turn: &mut Turn<'_>, reader: Reader) {
    let shared = turn.ctx.shared;
    let classes = shared.store.class_stats(turn.ctx.now);
    let totals = shared.registry.totals();
    let malloced = shared.store.totals().malloced_bytes;
    let mut list = List::new(turn, reader);
    let mut active = 0;
    for (id, class) in classes.iter().enumerate().take(SLAB_CLASS_COUNT_MAX) {
        if id == 0 || class.total_pages == 0 {
            continue;
        }
        active += 1;
        let counts = totals.classes.get(id).copied().unwrap_or_default();
        slabs_of(&mut list, &format!("{id}:"), class, &counts);
    }
    list.numbers(&[("active_slabs", active), ("total_malloced", malloced)]);
    list.end();
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

fn sizes(turn: &mut Turn<'_>, reader: Reader) {
    let shared = turn.ctx.shared;
    let now = turn.ctx.now;
    let mut list = List::new(turn, reader);
    if shared.config.track_sizes {
        for (size, count) in shared.store.size_histogram(now) {
            list.number(itoa::Buffer::new().format(size), count);
        }
    } else {
        list.word("sizes_status", "disabled");
    }
    list.end();
}

fn larder(turn: &mut Turn<'_>, reader: Reader) {
    let shared = turn.ctx.shared;
    let totals = shared.registry.totals();
    let store = shared.store.totals();
    let now_unix_s = turn.ctx.now.unix_s;
    let mut list = List::new(turn, reader);
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
    if let Some(facts) = shared.host.facts().tls {
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
    list.end();
}

fn cachedump(turn: &mut Turn<'_>, class: u8, limit: u32) {
    let now = turn.ctx.now;
    let store = turn.store();
    let out = &mut *turn.out;
    let size_max = out.len() + CACHEDUMP_SIZE_MAX - CACHEDUMP_LINE_SIZE_MAX;
    let mut left = if limit == 0 { u32::MAX } else { limit };
    store.cachedump(class, now, &mut |item| {
        // A key of a binary client may not be fit for a line.
        if !item.binary_key {
            let expires = match item.expiry.uptime_s() {
                0 => 0,
                uptime_s => now.unix_of(uptime_s),
            };
            reply::cachedump(out, item.key, item.value_size, expires);
            left -= 1;
        }
        left > 0 && out.len() < size_max
    });
    turn.say(reply::END);
}
