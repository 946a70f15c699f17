//! What each part of the page says, from the figures of the daemon.

use super::view::{Cell, Kind, Row, Segment, Table, Tile, Tone, View};
use super::words::{self, NONE};
use crate::admin::api;
use crate::admin::figures::{Numbered, find};
use crate::admin::history::{History, Point, Span};
use crate::admin::state::{Phase, State};
use crate::session::Shared;
use crate::session::figures::{Group, VERSION_OWN};
use crate::store::StoreTotals;
use crate::time::Now;

/// Colours that slab classes take in turns.
const CLASS_COLOURS: usize = 6;

/// Everything but the settings, which hardly ever change.
pub(super) fn view(state: &State, now: Now, stuck: &[String]) -> View {
    let shared = &*state.shared;
    let store = shared.store.totals();
    let (classes, map) = memory(shared, &store, now);
    state.with_history(|history| View {
        health: health(state, stuck),
        about: about(now),
        tiles: tiles(history, &store, shared),
        map,
        tables: vec![
            workers(shared, history, now),
            latency(shared),
            classes,
            cluster(shared, now),
        ],
    })
}

fn health(state: &State, stuck: &[String]) -> (Tone, String) {
    if !stuck.is_empty() {
        return (Tone::Bad, format!("stuck: {}", stuck.join(", ")));
    }
    let phase = state.phase();
    let tone = match phase {
        Phase::Ready => Tone::Good,
        Phase::Loading | Phase::Draining => Tone::Warn,
    };
    (tone, phase.name().to_owned())
}

fn about(now: Now) -> String {
    let up = words::duration_s(u64::from(now.uptime_s));
    let pid = std::process::id();
    format!("version {VERSION_OWN}, up {up}, process {pid}")
}

/// Requests of a point.
fn requests(point: &Point) -> f64 {
    point.of("gets") + point.of("sets") + point.of("others")
}

fn tiles(history: &History, store: &StoreTotals, shared: &Shared) -> Vec<Tile> {
    let minute: Vec<&Point> = history.points(Span::Minute, 0).collect();
    let points = |figure: &dyn Fn(&Point) -> f64| minute.iter().map(|p| figure(p)).collect();
    let now = |figure: &dyn Fn(&Point) -> f64| history.last().map_or(0.0, figure);
    let sum = |name| minute.iter().map(|point| point.of(name)).sum::<f64>();
    let per_s = |name: &'static str| words::rate(now(&|point: &Point| point.of(name)));
    let size_per_s = |name: &'static str| words::byte_rate(now(&|p: &Point| p.of(name)));
    let (gets, hits) = (sum("gets"), sum("hits"));
    let used = store.malloced_bytes - store.free_pages * store.page_size;
    let connections = shared.host.facts().curr_connections;
    let facts_limit = u64::from(shared.config.conn_limit);
    let cpu = |point: &Point| point.of("cpu_us") / 10_000.0;
    let traffic = |point: &Point| point.of("received_bytes") + point.of("sent_bytes");
    let tile = |id, label, figure, note, points| Tile {
        id,
        label,
        figure,
        note,
        points,
    };
    vec![
        tile(
            "requests",
            "Requests",
            per_second(words::short(now(&requests))),
            format!("{} gets, {} sets", per_s("gets"), per_s("sets")),
            points(&requests),
        ),
        tile(
            "hits",
            "Hit share",
            match words::percent(hits, gets) {
                Some(figure) => (figure, "%"),
                None => (NONE.to_owned(), ""),
            },
            "of gets, last minute".to_owned(),
            points(&|point| point.of("hits") / point.of("gets")),
        ),
        tile(
            "items",
            "Items",
            words::short(store.curr_items as f64),
            format!("{} stored so far", words::rate(store.total_items as f64)),
            points(&|point| point.of("items")),
        ),
        tile(
            "memory",
            "Memory",
            words::size(used as f64),
            format!("of {}", words::bytes(store.memory_limit)),
            points(&|point| point.of("used_bytes")),
        ),
        tile(
            "connections",
            "Connections",
            (words::count(connections), ""),
            format!("of {}", words::count(facts_limit)),
            points(&|point| point.of("connections")),
        ),
        tile(
            "evictions",
            "Evictions",
            per_second(words::short(now(&|point: &Point| point.of("evictions")))),
            format!("{} so far", words::rate(store.evictions as f64)),
            points(&|point| point.of("evictions")),
        ),
        tile(
            "traffic",
            "Traffic",
            size_per_second(words::size(now(&traffic).round())),
            format!(
                "{} in, {} out",
                size_per_s("received_bytes"),
                size_per_s("sent_bytes")
            ),
            points(&traffic),
        ),
        tile(
            "cpu",
            "Processor",
            (format!("{:.1}", now(&cpu)), "%"),
            format!("of one core, {} workers", shared.config.workers),
            points(&cpu),
        ),
    ]
}

fn per_second((figure, unit): (String, &str)) -> (String, &'static str) {
    let unit = match unit {
        "k" => "k/s",
        "M" => "M/s",
        "G" => "G/s",
        "T" => "T/s",
        _ => "/s",
    };
    (figure, unit)
}

fn size_per_second((figure, unit): (String, &str)) -> (String, &'static str) {
    let unit = match unit {
        "KiB" => "KiB/s",
        "MiB" => "MiB/s",
        "GiB" => "GiB/s",
        "TiB" => "TiB/s",
        _ => "B/s",
    };
    (figure, unit)
}

fn workers(shared: &Shared, history: &History, now: Now) -> Table {
    let rates = history.workers();
    let threads = Numbered::gather(shared, now, Group::Threads, "").by_number;
    let workers = shared.registry.workers().iter();
    let rows = workers
        .take(shared.config.workers)
        .enumerate()
        .map(|(index, counters)| {
            let rates = rates.get(index).copied().unwrap_or_default();
            let [gets, sets, received, sent] = rates;
            let thread = u32::try_from(index).ok().and_then(|id| threads.get(&id));
            let busy = |name| {
                let percent = thread.and_then(|figures| find(figures, name)?.parse().ok());
                Cell::from(words::share(percent.unwrap_or(0.0), 100.0))
            };
            Row {
                cells: vec![
                    index.to_string().into(),
                    words::count(counters.curr_connections.get()).into(),
                    words::rate(gets).into(),
                    words::rate(sets).into(),
                    words::byte_rate(received).into(),
                    words::byte_rate(sent).into(),
                    busy("busy_percent_10s"),
                    busy("busy_percent_1m"),
                ],
                ..Row::default()
            }
        });
    Table {
        id: "workers",
        title: "Workers",
        note: "One thread each; a connection stays with its worker. Busy is its share of a core."
            .to_owned(),
        columns: &[
            ("Worker", Kind::Text),
            ("Connections", Kind::Number),
            ("Gets/s", Kind::Number),
            ("Sets/s", Kind::Number),
            ("Received", Kind::Number),
            ("Sent", Kind::Number),
            ("Busy, 10 s", Kind::Number),
            ("1 min", Kind::Number),
        ],
        rows: rows.collect(),
        empty: "There are none.",
    }
}

fn latency(shared: &Shared) -> Table {
    let totals = shared.registry.totals();
    let measured = totals.latency.commands();
    let rows = measured.filter(|(_, times)| times.count() > 0);
    let rows = rows.map(|(command, times)| {
        let count = times.count();
        let us = |ns: u64| Cell::from(words::duration_us(ns.div_ceil(1000)));
        let quantile = |thousandths| us(times.quantile_ns(thousandths).unwrap_or(0));
        Row {
            cells: vec![
                command.name().into(),
                words::count(count).into(),
                us(times.sum_ns / count),
                quantile(500),
                quantile(900),
                quantile(990),
                quantile(999),
                quantile(1000),
            ],
            ..Row::default()
        }
    });
    Table {
        id: "latency",
        title: "Latency",
        note: "From when a request could be read to when its reply was sent, measured on one pass \
               of a worker in 32, since the start or the last stats reset."
            .to_owned(),
        columns: &[
            ("Command", Kind::Text),
            ("Measured", Kind::Number),
            ("Mean", Kind::Number),
            ("p50", Kind::Number),
            ("p90", Kind::Number),
            ("p99", Kind::Number),
            ("p99.9", Kind::Number),
            ("Longest", Kind::Number),
        ],
        rows: rows.collect(),
        empty: "Nothing has been measured yet.",
    }
}

/// The table of slab classes, and the memory as a map.
fn memory(shared: &Shared, store: &StoreTotals, now: Now) -> (Table, Vec<Segment>) {
    let classes = shared.store.class_stats(now);
    let totals = shared.registry.totals();
    let mut rows = Vec::new();
    let mut map = Vec::new();
    let mut segment = |class: String, label: &str, what: &str, bytes: u64| {
        map.push(Segment {
            class,
            label: label.to_owned(),
            title: format!("{what}: {}", words::bytes(bytes)),
            bytes,
        });
    };
    for (id, class) in classes.iter().enumerate() {
        if class.total_pages == 0 {
            continue;
        }
        let bytes = class.total_pages * store.page_size;
        let (name, size) = (id.to_string(), words::bytes(u64::from(class.chunk_size)));
        let colour = format!("c{}", id % CLASS_COLOURS);
        segment(colour, &name, &format!("class {id}, up to {size}"), bytes);
        let items = class.number_hot + class.number_warm + class.number_cold + class.number_temp;
        let hits = totals.classes.get(id).map_or(0, |counts| counts.get_hits);
        let oldest = if items > 0 {
            words::duration_s(u64::from(class.age_s))
        } else {
            NONE.to_owned()
        };
        rows.push(Row {
            cells: vec![
                name.into(),
                size.into(),
                words::count(items).into(),
                words::bytes(bytes).into(),
                Cell::bar(class.used_chunks as f64, class.total_chunks as f64),
                oldest.into(),
                words::count(hits).into(),
                words::count(class.evicted).into(),
            ],
            ..Row::default()
        });
    }
    let free = store.free_pages * store.page_size;
    let rest = store.memory_limit.saturating_sub(store.malloced_bytes);
    segment("index".to_owned(), "index", "index", store.index_bytes);
    segment("free".to_owned(), "free", "free pages", free);
    segment("rest".to_owned(), "not taken", "not taken yet", rest);
    let note = format!(
        "Items {}, index {}, free pages {}, not taken yet {}, limit {}.",
        words::bytes(
            store
                .malloced_bytes
                .saturating_sub(free + store.index_bytes)
        ),
        words::bytes(store.index_bytes),
        words::bytes(free),
        words::bytes(rest),
        words::bytes(store.memory_limit),
    );
    let table = Table {
        id: "memory",
        title: "Memory by slab class",
        note,
        columns: &[
            ("Class", Kind::Text),
            ("Items up to", Kind::Number),
            ("Items", Kind::Number),
            ("Memory", Kind::Number),
            ("Chunks in use", Kind::Bar),
            ("Oldest in COLD", Kind::Number),
            ("Hits", Kind::Number),
            ("Evicted", Kind::Number),
        ],
        rows,
        empty: "Nothing is stored.",
    };
    (table, map)
}

fn cluster(shared: &Shared, now: Now) -> Table {
    let list = Numbered::gather(shared, now, Group::Cluster, "node:");
    let rows = list.by_number.values().map(|node| {
        let of = |name| find(node, name).unwrap_or_default();
        let state = of("state");
        let since = of("since").parse::<i64>().ok();
        let since = since.and_then(|since| u64::try_from(now.unix_s - since).ok());
        Row {
            tone: match state {
                "self" | "reachable" => Tone::Good,
                "unreachable" => Tone::Bad,
                _ => Tone::Plain,
            },
            cells: vec![
                of("name").into(),
                match of("ip") {
                    "" => NONE.into(),
                    ip => ip.into(),
                },
                of("port").into(),
                state.into(),
                since
                    .map_or_else(|| NONE.to_owned(), words::duration_s)
                    .into(),
            ],
        }
    });
    let version = list.others.number("config_version").unwrap_or(0);
    let source = list.others.word("source").unwrap_or_default();
    let note = match source {
        "none" => {
            "This daemon belongs to no cluster: clients that ask are told of it alone.".to_owned()
        }
        source => format!("Version {version} of the list, by {source}."),
    };
    Table {
        id: "cluster",
        title: "Cluster",
        note,
        columns: &[
            ("Node", Kind::Text),
            ("Address", Kind::Text),
            ("Port", Kind::Number),
            ("State", Kind::Text),
            ("For", Kind::Number),
        ],
        rows: rows.collect(),
        empty: "No node is listed.",
    }
}

/// Settings: those that differ from their defaults, and all.
pub(super) fn settings(state: &State) -> [Table; 2] {
    const COLUMNS: &[(&str, Kind)] = &[
        ("Setting", Kind::Text),
        ("Value", Kind::Text),
        ("Default", Kind::Text),
        ("Set by", Kind::Text),
    ];
    let all = api::settings_in_force(state);
    let row = |setting: &api::InForce| {
        let word = |text: &str| match text {
            "" => Cell::from(NONE),
            text => Cell::from(text),
        };
        Row {
            cells: vec![
                setting.name.into(),
                word(&setting.value),
                word(&setting.default),
                word(&setting.source),
            ],
            ..Row::default()
        }
    };
    let changed = all.iter().filter(|setting| setting.source != "default");
    let changed = Table {
        id: "settings",
        title: "Settings",
        note: "Those that somebody has set, and where.".to_owned(),
        columns: COLUMNS,
        rows: changed.map(row).collect(),
        empty: "All are at their defaults.",
    };
    let all = Table {
        id: "all-settings",
        title: "All settings",
        note: String::new(),
        columns: COLUMNS,
        rows: all.iter().map(row).collect(),
        empty: "There are none.",
    };
    [changed, all]
}
