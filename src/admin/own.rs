//! The series that memcached's exporter does not have, under `larder_`.

use super::exposition::Kind::{Counter, Gauge, Histogram};
use super::exposition::Page;
use super::figures::{Figures, Numbered, find};
use super::insight;
use super::state::{Phase, State};
use crate::session::figures::{Group, VERSION_OWN};
use crate::session::{Facts, Shared, SnapshotFacts};
use crate::stats::latency::DOUBLING_COUNT;
use crate::stats::{Counters, Totals};
use crate::store::StoreTotals;
use crate::time::Now;

/// Writes all series.
pub(super) fn write(page: &mut Page, state: &State, now: Now) {
    let shared = &*state.shared;
    let totals = shared.registry.totals();
    let store = shared.store.totals();
    let facts = shared.host.facts();
    page.family("larder_build_info", Gauge, "The version of larderd.")
        .add(&[("version", VERSION_OWN)], 1);
    let help = "Whether clients should come: the daemon neither begins nor ends.";
    page.gauge(
        "larder_ready",
        help,
        u8::from(state.phase() == Phase::Ready),
    );
    workers(page, shared);
    durations(page, &totals);
    memory(page, &store, &totals);
    evictions(page, shared, &store, now);
    misses(page, &totals);
    insight::write(page, shared, &totals, now);
    refusals(page, &totals);
    if facts.tls.is_some() {
        tls(page, &facts, &totals);
    }
    if let Some(facts) = &facts.snapshot {
        snapshots(page, facts);
    }
    cluster(page, shared, now);
    process(page, shared, now, &facts);
    let help = "Requests to the admin listener, answered or refused.";
    page.counter("larder_admin_requests_total", help, state.requests());
    let help = "Of those, refused for want of a token or for meaning another host.";
    page.counter("larder_admin_denied_total", help, state.denied());
}

/// A figure of each worker.
type OfWorker = (
    &'static str,
    super::exposition::Kind,
    &'static str,
    fn(&Counters) -> u64,
);

const WORKERS: &[OfWorker] = &[
    (
        "larder_worker_connections",
        Gauge,
        "Connections that a worker serves.",
        |counters| counters.curr_connections.get(),
    ),
    (
        "larder_worker_connections_total",
        Counter,
        "Connections that a worker was given.",
        |counters| counters.total_connections.get(),
    ),
    (
        "larder_worker_received_bytes_total",
        Counter,
        "Bytes that a worker received.",
        |counters| counters.bytes_read.get(),
    ),
    (
        "larder_worker_sent_bytes_total",
        Counter,
        "Bytes that a worker sent.",
        |counters| counters.bytes_written.get(),
    ),
    (
        "larder_worker_yields_total",
        Counter,
        "Times that a connection of a worker had its share (-R) and others their turn.",
        |counters| counters.conn_yields.get(),
    ),
];

fn workers(page: &mut Page, shared: &Shared) {
    // Behind the workers stand those who shake hands.
    let workers = || shared.registry.workers().iter().take(shared.config.workers);
    for (name, kind, help, figure) in WORKERS {
        let mut family = page.family(name, *kind, help);
        for (index, counters) in workers().enumerate() {
            family.add(&[("worker", &index.to_string())], figure(counters));
        }
    }
    let help = "Keys asked for, values stored and keys touched by a worker.";
    let mut family = page.family("larder_worker_commands_total", Counter, help);
    for (index, counters) in workers().enumerate() {
        let worker = index.to_string();
        for (command, counter) in [
            ("get", &counters.cmd_get),
            ("set", &counters.cmd_set),
            ("touch", &counters.cmd_touch),
        ] {
            let labels = [("worker", &*worker), ("command", command)];
            family.add(&labels, counter.get());
        }
    }
}

fn durations(page: &mut Page, totals: &Totals) {
    let help = "Time from when a request could be read to when its answer was sent, of those on \
                about one pass of a worker in 32.";
    let mut family = page.family("larder_command_duration_seconds", Histogram, help);
    for (command, times) in totals.latency.commands() {
        let command = ("command", command.name());
        for doublings in 0..DOUBLING_COUNT {
            let us = 1_u64 << doublings;
            let le = format!("{}.{:06}", us / 1_000_000, us % 1_000_000);
            let labels = [command, ("le", le.trim_end_matches('0'))];
            family.series("_bucket", &labels, times.below(doublings));
        }
        let count = times.count();
        family.series("_bucket", &[command, ("le", "+Inf")], count);
        let sum = format!(
            "{}.{:09}",
            times.sum_ns / 1_000_000_000,
            times.sum_ns % 1_000_000_000
        );
        family.series("_sum", &[command], sum);
        family.series("_count", &[command], count);
    }
}

fn memory(page: &mut Page, store: &StoreTotals, totals: &Totals) {
    let free = store.free_pages * store.page_size;
    let items = store
        .malloced_bytes
        .saturating_sub(free + store.index_bytes);
    page.family(
        "larder_memory_bytes",
        Gauge,
        "Memory by what it is used for.",
    )
    .add(&[("use", "items")], items)
    .add(&[("use", "index")], store.index_bytes)
    .add(&[("use", "free_pages")], free)
    .add(&[("use", "connection_buffers")], totals.buffer_bytes);
    let help = "Buffers held by connections with a partial request or unsent output.";
    page.gauge("larder_connection_buffers", help, totals.buffers);
    let help = "Pages that changed hands between classes.";
    page.counter("larder_pages_moved_total", help, store.slabs_moved);
    let help = "Items dropped while their page was emptied, for want of room.";
    page.counter(
        "larder_page_move_evictions_total",
        help,
        store.reassign_evictions,
    );
}

fn evictions(page: &mut Page, shared: &Shared, store: &StoreTotals, now: Now) {
    let help = "Live items that gave way, by what had been done with them.";
    let active = store.evicted_active.min(store.evictions);
    let unfetched = store.evicted_unfetched.min(store.evictions - active);
    page.family("larder_evictions_total", Counter, help)
        .add(&[("item", "unfetched")], unfetched)
        .add(&[("item", "active")], active)
        .add(&[("item", "fetched")], store.evictions - active - unfetched);
    let help = "Expired items that nobody had fetched.";
    page.counter(
        "larder_expired_unfetched_total",
        help,
        store.expired_unfetched,
    );
    let classes = shared.store.class_stats(now);
    let evicting = classes.iter().filter(|class| class.evicted > 0);
    if let Some(age_s) = evicting.map(|class| class.evicted_time_s).min() {
        let help = "Time since the item evicted last had been used, in the class where it is \
                    shortest; absent while nothing has been evicted.";
        page.gauge("larder_eviction_age_seconds", help, age_s);
    }
}

fn misses(page: &mut Page, totals: &Totals) {
    let known = totals.get_expired + totals.get_flushed;
    page.family("larder_get_misses_total", Counter, "Misses by reason.")
        .add(
            &[("reason", "absent")],
            totals.get_misses.saturating_sub(known),
        )
        .add(&[("reason", "expired")], totals.get_expired)
        .add(&[("reason", "flushed")], totals.get_flushed);
}

fn refusals(page: &mut Page, totals: &Totals) {
    let help = "Requests refused, by reason: the rights or the share of a user, or memory for \
                requests or replies.";
    page.family("larder_refused_requests_total", Counter, help)
        .add(&[("reason", "denied")], totals.denied_requests)
        .add(&[("reason", "limited")], totals.limited_requests)
        .add(&[("reason", "read_buffers")], totals.read_buf_oom)
        .add(&[("reason", "reply_memory")], totals.response_obj_oom);
    let help = "Logins refused because their user had as many connections as may be.";
    page.counter(
        "larder_limited_connections_total",
        help,
        totals.limited_connections,
    );
    let help = "Attempts to log in.";
    page.counter("larder_logins_total", help, totals.auth_cmds);
    let help = "Attempts to log in that were refused.";
    page.counter("larder_login_failures_total", help, totals.auth_errors);
    let help = "Connections closed by the daemon, by reason: silent for too long, or taking none \
                of their output.";
    page.family("larder_connections_closed_total", Counter, help)
        .add(&[("reason", "idle")], totals.idle_kicks)
        .add(&[("reason", "slow")], totals.slow_client_closed);
}

fn tls(page: &mut Page, facts: &Facts, totals: &Totals) {
    let help = "TLS sessions begun anew.";
    page.counter("larder_tls_sessions_total", help, totals.ssl_new_sessions);
    let help = "TLS connections that failed, by when.";
    page.family("larder_tls_errors_total", Counter, help)
        .add(&[("during", "handshake")], totals.ssl_handshake_errors)
        .add(&[("during", "connection")], totals.ssl_proto_errors);
    if let Some(facts) = &facts.tls {
        let help = "When the daemon's certificate ends, in Unix time.";
        let name = "larder_tls_certificate_not_after_timestamp_seconds";
        page.gauge(name, help, facts.not_after_unix_s);
        let help = "Attempts to read the certificates again that failed.";
        page.counter(
            "larder_tls_refresh_failures_total",
            help,
            facts.refresh_failures,
        );
    }
}

fn snapshots(page: &mut Page, facts: &SnapshotFacts) {
    let help = "Snapshots written.";
    page.counter("larder_snapshots_total", help, facts.taken);
    let help = "Snapshots that could not be written.";
    page.counter("larder_snapshot_failures_total", help, facts.failures);
    let help = "Whether a snapshot is being written.";
    let name = "larder_snapshot_in_progress";
    page.gauge(name, help, u8::from(facts.is_taking));
    let help = "Items that came from a snapshot at the start.";
    let name = "larder_snapshot_restored_items";
    page.gauge(name, help, facts.restored_items);
    let last = &facts.last;
    let help = "When the last snapshot was written, in Unix time; 0 before the first.";
    let name = "larder_snapshot_last_timestamp_seconds";
    page.gauge(name, help, last.unix_s);
    let help = "How long the last snapshot took.";
    let seconds = format!("{}.{:03}", last.took_ms / 1000, last.took_ms % 1000);
    let name = "larder_snapshot_last_duration_seconds";
    page.gauge(name, help, seconds);
    let help = "Items in the last snapshot.";
    page.gauge("larder_snapshot_last_items", help, last.items);
    let help = "Size of the last snapshot.";
    page.gauge("larder_snapshot_last_bytes", help, last.size);
}

fn cluster(page: &mut Page, shared: &Shared, now: Now) {
    let list = Numbered::gather(shared, now, Group::Cluster, "node:");
    let others = &list.others;
    let of = |name| others.number(name).unwrap_or(0);
    let help = "Nodes that clients are told of, by whether they can be reached from here.";
    let mut family = page.family("larder_cluster_nodes", Gauge, help);
    for wanted in ["self", "reachable", "unreachable", "unknown"] {
        let nodes = list.by_number.values();
        let count = nodes
            .filter(|node| find(node, "state") == Some(wanted))
            .count();
        family.add(&[("state", wanted)], count);
    }
    let help = "Version of the list of nodes; it only grows.";
    page.gauge("larder_cluster_config_version", help, of("config_version"));
    let help = "Times that clients asked for the list of nodes or another entry.";
    page.counter(
        "larder_cluster_config_requests_total",
        help,
        of("cmd_config_get"),
    );
}

/// What the exporter tells of a process whose pid file it is given.
fn process(page: &mut Page, shared: &Shared, now: Now, facts: &Facts) {
    let us = facts.user_us + facts.system_us;
    let seconds = format!("{}.{:06}", us / 1_000_000, us % 1_000_000);
    let help = "CPU time of the process.";
    page.family("memcached_process_cpu_seconds_total", Counter, help)
        .add(&[], seconds);
    let general = Figures::gather(shared, now, Group::General);
    let uptime_s = general.number("uptime").unwrap_or(0);
    let began_s = general.number("time").unwrap_or(0).saturating_sub(uptime_s);
    let help = "When the process began, in Unix time.";
    page.gauge("memcached_process_start_time_seconds", help, began_s);
    if let Some((virtual_size, resident_size)) = sizes() {
        let help = "Address space of the process.";
        page.gauge("memcached_process_virtual_memory_bytes", help, virtual_size);
        let help = "Memory of the process that is resident.";
        page.gauge(
            "memcached_process_resident_memory_bytes",
            help,
            resident_size,
        );
    }
    if let Ok(open) = std::fs::read_dir("/proc/self/fd") {
        let help = "Descriptors that are open.";
        page.gauge("memcached_process_open_fds", help, open.count());
    }
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
    if let Some(limit) = limit {
        let help = "Descriptors that may be open.";
        page.gauge("memcached_process_max_fds", help, limit);
    }
}

/// Address space and resident memory of this process, in bytes.
fn sizes() -> Option<(u64, u64)> {
    let text = std::fs::read_to_string("/proc/self/statm").ok()?;
    let mut pages = text.split_ascii_whitespace();
    let page_size = rustix::param::page_size() as u64;
    let all = pages.next()?.parse::<u64>().ok()?;
    let resident = pages.next()?.parse::<u64>().ok()?;
    Some((all * page_size, resident * page_size))
}
