//! The series of memcached's exporter for Prometheus: its names, types and labels, from the
//! figures that it reads.
//!
//! Dashboards and alerts are written against these names, so they are kept where they break the
//! rules of Prometheus, too. A series whose figure is not reported under the settings in force is
//! left out, as the exporter does.

use super::exposition::Kind::{Counter, Gauge};
use super::exposition::{Kind, Page};
use super::figures::{Figures, Numbered, find};
use crate::session::Shared;
use crate::session::figures::Group;
use crate::time::Now;

/// A series of its own: name, type, help, figure.
type Row = (&'static str, Kind, &'static str, &'static str);

/// Series from `stats`.
const GENERAL: &[Row] = &[
    (
        "uptime_seconds",
        Counter,
        "Seconds since the start.",
        "uptime",
    ),
    (
        "time_seconds",
        Gauge,
        "Unix time as the daemon knows it.",
        "time",
    ),
    (
        "process_user_cpu_seconds_total",
        Counter,
        "CPU time spent in user mode.",
        "rusage_user",
    ),
    (
        "process_system_cpu_seconds_total",
        Counter,
        "CPU time spent in the kernel.",
        "rusage_system",
    ),
    (
        "read_bytes_total",
        Counter,
        "Bytes received from clients.",
        "bytes_read",
    ),
    (
        "written_bytes_total",
        Counter,
        "Bytes sent to clients.",
        "bytes_written",
    ),
    (
        "current_connections",
        Gauge,
        "Connections that are open.",
        "curr_connections",
    ),
    (
        "connections_total",
        Counter,
        "Connections accepted.",
        "total_connections",
    ),
    (
        "connections_rejected_total",
        Counter,
        "Connections turned away because -c was reached.",
        "rejected_connections",
    ),
    (
        "connections_yielded_total",
        Counter,
        "Times that a connection had its share (-R) and others their turn.",
        "conn_yields",
    ),
    (
        "connections_listener_disabled_total",
        Counter,
        "Times that accepting was paused because -c was reached.",
        "listen_disabled_num",
    ),
    (
        "accepting_connections",
        Gauge,
        "Whether connections are accepted now.",
        "accepting_conns",
    ),
    (
        "current_bytes",
        Gauge,
        "Bytes of items, on memcached's scale.",
        "bytes",
    ),
    (
        "limit_bytes",
        Gauge,
        "Bytes that items and index may take (-m).",
        "limit_maxbytes",
    ),
    (
        "current_items",
        Gauge,
        "Items that are stored.",
        "curr_items",
    ),
    ("items_total", Counter, "Items ever stored.", "total_items"),
    (
        "items_evicted_total",
        Counter,
        "Live items that gave way to others.",
        "evictions",
    ),
    (
        "items_reclaimed_total",
        Counter,
        "Times that an expired item's memory was used again.",
        "reclaimed",
    ),
    (
        "item_too_large_total",
        Counter,
        "Values refused because they exceed -I.",
        "store_too_large",
    ),
    (
        "item_no_memory_total",
        Counter,
        "Values refused for want of memory.",
        "store_no_memory",
    ),
    (
        "direct_reclaims_total",
        Counter,
        "Evictions that a request had to do itself.",
        "direct_reclaims",
    ),
    (
        "lru_crawler_starts_total",
        Counter,
        "Sweeps for expired items begun.",
        "lru_crawler_starts",
    ),
    (
        "lru_crawler_reclaimed_total",
        Counter,
        "Expired items found by sweeps.",
        "crawler_reclaimed",
    ),
    (
        "lru_crawler_items_checked_total",
        Counter,
        "Items looked at by sweeps.",
        "crawler_items_checked",
    ),
    (
        "lru_crawler_moves_to_cold_total",
        Counter,
        "Items moved to COLD.",
        "moves_to_cold",
    ),
    (
        "lru_crawler_moves_to_warm_total",
        Counter,
        "Items moved to WARM.",
        "moves_to_warm",
    ),
    (
        "lru_crawler_moves_within_lru_total",
        Counter,
        "Items moved to the head of their own queue.",
        "moves_within_lru",
    ),
];

/// Series from `stats settings`, when there is a sweep for expired items.
const CRAWLER: &[Row] = &[
    (
        "lru_crawler_enabled",
        Gauge,
        "Whether expired items are swept.",
        "lru_crawler",
    ),
    (
        "lru_crawler_sleep",
        Gauge,
        "Pause of a sweep between items, in microseconds.",
        "lru_crawler_sleep",
    ),
    (
        "lru_crawler_to_crawl",
        Gauge,
        "Items that a sweep looks at; 0 is all.",
        "lru_crawler_tocrawl",
    ),
    (
        "lru_crawler_maintainer_thread",
        Gauge,
        "Whether queues are balanced in the background.",
        "lru_maintainer_thread",
    ),
    (
        "lru_crawler_hot_percent",
        Gauge,
        "Share of a class that HOT may hold.",
        "hot_lru_pct",
    ),
    (
        "lru_crawler_warm_percent",
        Gauge,
        "Share of a class that WARM may hold.",
        "warm_lru_pct",
    ),
    (
        "lru_crawler_hot_max_factor",
        Gauge,
        "Age of HOT as a part of COLD's.",
        "hot_max_factor",
    ),
    (
        "lru_crawler_warm_max_factor",
        Gauge,
        "Age of WARM as a multiple of COLD's.",
        "warm_max_factor",
    ),
];

/// Series of each slab class from `stats items`.
const ITEMS: &[Row] = &[
    ("slab_current_items", Gauge, "Items of the class.", "number"),
    (
        "slab_items_age_seconds",
        Gauge,
        "Time since COLD's oldest item was used.",
        "age",
    ),
    ("slab_hot_items", Gauge, "Items in HOT.", "number_hot"),
    ("slab_warm_items", Gauge, "Items in WARM.", "number_warm"),
    ("slab_cold_items", Gauge, "Items in COLD.", "number_cold"),
    (
        "slab_temporary_items",
        Gauge,
        "Items in TEMP.",
        "number_temp",
    ),
    (
        "slab_hot_age_seconds",
        Gauge,
        "Time since HOT's oldest item was used.",
        "age_hot",
    ),
    (
        "slab_warm_age_seconds",
        Gauge,
        "Time since WARM's oldest item was used.",
        "age_warm",
    ),
    (
        "slab_mem_requested_bytes",
        Gauge,
        "Bytes that the items ask for.",
        "mem_requested",
    ),
    (
        "slab_items_crawler_reclaimed_total",
        Counter,
        "Expired items found by sweeps.",
        "crawler_reclaimed",
    ),
    (
        "slab_items_evicted_total",
        Counter,
        "Live items that gave way to others.",
        "evicted",
    ),
    (
        "slab_items_evicted_nonzero_total",
        Counter,
        "Of those, items with a time to live.",
        "evicted_nonzero",
    ),
    (
        "slab_items_evicted_time_seconds",
        Counter,
        "Time since the item evicted last had been used.",
        "evicted_time",
    ),
    (
        "slab_items_evicted_unfetched_total",
        Counter,
        "Evicted items that nobody had fetched.",
        "evicted_unfetched",
    ),
    (
        "slab_items_expired_unfetched_total",
        Counter,
        "Expired items that nobody had fetched.",
        "expired_unfetched",
    ),
    (
        "slab_items_outofmemory_total",
        Counter,
        "Requests refused for want of memory.",
        "outofmemory",
    ),
    (
        "slab_items_reclaimed_total",
        Counter,
        "Times that an expired item's memory was used again.",
        "reclaimed",
    ),
    (
        "slab_items_tailrepairs_total",
        Counter,
        "Always 0: no item is ever stuck.",
        "tailrepairs",
    ),
    (
        "slab_items_moves_to_cold",
        Counter,
        "Items moved to COLD.",
        "moves_to_cold",
    ),
    (
        "slab_items_moves_to_warm",
        Counter,
        "Items moved to WARM.",
        "moves_to_warm",
    ),
    (
        "slab_items_moves_within_lru",
        Counter,
        "Items moved to the head of their own queue.",
        "moves_within_lru",
    ),
];

/// Series of each slab class from `stats slabs`.
const SLABS: &[Row] = &[
    (
        "slab_chunk_size_bytes",
        Gauge,
        "Largest item of the class.",
        "chunk_size",
    ),
    (
        "slab_chunks_per_page",
        Gauge,
        "Chunks of a page.",
        "chunks_per_page",
    ),
    (
        "slab_current_pages",
        Gauge,
        "Pages of the class.",
        "total_pages",
    ),
    (
        "slab_current_chunks",
        Gauge,
        "Chunks in those pages.",
        "total_chunks",
    ),
    (
        "slab_chunks_used",
        Gauge,
        "Chunks that hold something.",
        "used_chunks",
    ),
    (
        "slab_chunks_free",
        Gauge,
        "Chunks that hold nothing.",
        "free_chunks",
    ),
    (
        "slab_chunks_free_end",
        Gauge,
        "Always 0: no page is left half cut.",
        "free_chunks_end",
    ),
];

/// Queues as the exporter and `stats items` name them.
const QUEUES: &[(&str, &str)] = &[
    ("hot", "hits_to_hot"),
    ("warm", "hits_to_warm"),
    ("cold", "hits_to_cold"),
    ("temporary", "hits_to_temp"),
];

/// Commands that hit or miss.
const COMMANDS: &[&str] = &["get", "delete", "incr", "decr", "cas", "touch"];

/// Writes all series.
pub(super) fn write(page: &mut Page, shared: &Shared, now: Now) {
    let general = Figures::gather(shared, now, Group::General);
    let settings = Figures::gather(shared, now, Group::Settings);
    let items = Numbered::gather(shared, now, Group::Items, "items:");
    let slabs = Numbered::gather(shared, now, Group::Slabs, "");

    page.gauge("memcached_up", "Whether the daemon answers.", 1);
    let version = general.word("version").unwrap_or_default();
    page.family(
        "memcached_version",
        Gauge,
        "The version of memcached that clients are told.",
    )
    .add(&[("version", version)], 1);
    rows(page, GENERAL, &general);
    let max_connections = settings.word("maxconns").unwrap_or("0");
    let help = "Connections that may be open at a time (-c).";
    page.gauge("memcached_max_connections", help, max_connections);
    let malloced = slabs.others.word("total_malloced").unwrap_or("0");
    page.gauge("memcached_malloced_bytes", "Bytes of pages.", malloced);
    if settings.word("lru_crawler") == Some("yes") {
        rows(page, CRAWLER, &settings);
    }
    commands(page, &general);
    classes(page, ITEMS, &items);
    lru_hits(page, &items);
    classes(page, SLABS, &slabs);
    slab_commands(page, &slabs);
}

fn rows(page: &mut Page, rows: &[Row], figures: &Figures) {
    for (name, kind, help, figure) in rows {
        if let Some(value) = figures.word(figure) {
            page.family(&format!("memcached_{name}"), *kind, help)
                .add(&[], number(value));
        }
    }
}

/// `yes` and `no` are numbers too.
fn number(value: &str) -> &str {
    match value {
        "yes" => "1",
        "no" => "0",
        _ => value,
    }
}

fn commands(page: &mut Page, general: &Figures) {
    let mut family = page.family(
        "memcached_commands_total",
        Counter,
        "Keys asked for and changed, by command and outcome.",
    );
    for command in COMMANDS {
        for (status, ending) in [("hit", "hits"), ("miss", "misses")] {
            let value = general.number(&format!("{command}_{ending}"));
            let labels = [("command", *command), ("status", status)];
            family.add(&labels, value.unwrap_or(0));
        }
    }
    let of = |name| general.number(name).unwrap_or(0);
    family.add(
        &[("command", "cas"), ("status", "badval")],
        of("cas_badval"),
    );
    family.add(&[("command", "flush"), ("status", "hit")], of("cmd_flush"));
    // A cas is counted as a set too.
    let cas = of("cas_hits") + of("cas_misses") + of("cas_badval");
    let set = of("cmd_set").saturating_sub(cas);
    family.add(&[("command", "set"), ("status", "hit")], set);
}

fn classes(page: &mut Page, rows: &[Row], classes: &Numbered) {
    for (name, kind, help, figure) in rows {
        let name = format!("memcached_{name}");
        let mut values = Vec::new();
        for (id, figures) in &classes.by_number {
            if let Some(value) = find(figures, figure) {
                values.push((id.to_string(), value));
            }
        }
        if values.is_empty() {
            continue;
        }
        let mut family = page.family(&name, *kind, help);
        for (slab, value) in values {
            family.add(&[("slab", &slab)], value);
        }
    }
}

fn lru_hits(page: &mut Page, items: &Numbered) {
    let mut family = page.family("memcached_slab_lru_hits_total", Counter, "Hits by queue.");
    for (id, figures) in &items.by_number {
        for (queue, figure) in QUEUES {
            if let Some(value) = find(figures, figure) {
                family.add(&[("slab", &id.to_string()), ("lru", queue)], value);
            }
        }
    }
}

fn slab_commands(page: &mut Page, slabs: &Numbered) {
    let mut family = page.family(
        "memcached_slab_commands_total",
        Counter,
        "Keys found and changed, by class, command and outcome.",
    );
    for (id, figures) in &slabs.by_number {
        let slab = id.to_string();
        let of = |name: &str| find(figures, name).and_then(|value| value.parse().ok());
        let of = |name: &str| -> u64 { of(name).unwrap_or(0) };
        let mut add = |command: &str, status: &str, value: u64| {
            let labels = [("slab", &*slab), ("command", command), ("status", status)];
            family.add(&labels, value);
        };
        for command in COMMANDS {
            add(command, "hit", of(&format!("{command}_hits")));
        }
        add("cas", "badval", of("cas_badval"));
        let cas = of("cas_hits") + of("cas_badval");
        add("set", "hit", of("cmd_set").saturating_sub(cas));
    }
}
