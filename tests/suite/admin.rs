//! The admin listener from outside: what operators, Prometheus and strangers get to see.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use rustix::process::Signal;
use serde_json::Value;

use crate::support::Client;
use crate::support::foreign::{in_path, run};
use crate::support::process::wait_until;
use crate::support::server::{Server, free_port, run as run_larderd};

/// An answer over HTTP.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

/// Starts a daemon with an admin listener on a free port.
pub(crate) fn start(flags: &[&str]) -> (Server, SocketAddr) {
    let server = Server::start(&[&["-v", "--admin", "127.0.0.1:0"], flags].concat());
    let address = admin_address(&server);
    (server, address)
}

pub(crate) fn admin_address(server: &Server) -> SocketAddr {
    let mut address = None;
    let found = wait_until(|| {
        let log = server.log();
        let url = log.split("admin=http").nth(1);
        address = url.and_then(|rest| rest.split('/').nth(2)?.parse().ok());
        address.is_some()
    });
    assert!(found, "{}", server.log());
    address.expect("an address")
}

/// Reads one answer of a connection.
fn answer(client: &mut Client) -> Answer {
    let first = client.line();
    let status = first.split(' ').nth(1).and_then(|word| word.parse().ok());
    let mut head = String::new();
    let mut size = 0;
    loop {
        let line = client.line();
        if line.is_empty() {
            break;
        }
        if let Some(number) = line.strip_prefix("Content-Length: ") {
            size = number.parse().expect("a size");
        }
        head += &format!("{line}\n");
    }
    Answer {
        status: status.unwrap_or_else(|| panic!("no answer: {first}")),
        head,
        body: String::from_utf8(client.take(size)).expect("text"),
    }
}

/// Asks for a path with these headers on a connection of its own.
fn ask(address: SocketAddr, path: &str, headers: &str) -> Answer {
    request(address, "GET", path, headers)
}

/// As [`ask`], with another method.
pub(crate) fn request(address: SocketAddr, method: &str, path: &str, headers: &str) -> Answer {
    let mut client = Client::tcp(address);
    client.send(format!(
        "{method} {path} HTTP/1.1\r\nHost: {address}\r\n{headers}\r\n"
    ));
    answer(&mut client)
}

pub(crate) fn get(address: SocketAddr, path: &str) -> Answer {
    ask(address, path, "")
}

pub(crate) fn json(address: SocketAddr, path: &str) -> Value {
    let answer = get(address, path);
    assert_eq!(answer.status, 200, "{path}: {}", answer.body);
    assert!(answer.head.contains("Content-Type: application/json\n"));
    serde_json::from_str(&answer.body).expect("JSON")
}

/// A scrape, taken apart.
pub(crate) struct Scrape {
    /// Families and their types.
    pub(crate) types: BTreeMap<String, String>,
    /// Series with labels as they are written, and values.
    pub(crate) series: BTreeMap<String, f64>,
}

pub(crate) fn scrape(address: SocketAddr) -> Scrape {
    let page = get(address, "/metrics");
    let content_type = "Content-Type: text/plain; version=0.0.4; charset=utf-8\n";
    assert!(page.status == 200 && page.head.contains(content_type));
    let mut scrape = Scrape {
        types: BTreeMap::new(),
        series: BTreeMap::new(),
    };
    for line in page.body.lines() {
        if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').expect("a type");
            let before = scrape.types.insert(name.to_owned(), kind.to_owned());
            assert_eq!(before, None, "{name} comes twice");
        } else if !line.starts_with("# HELP ") {
            let (series, value) = line.rsplit_once(' ').expect("a value");
            let value = value.parse().unwrap_or_else(|_| panic!("{line}"));
            let before = scrape.series.insert(series.to_owned(), value);
            assert_eq!(before, None, "{series} comes twice");
        }
    }
    scrape
}

impl Scrape {
    pub(crate) fn value(&self, series: &str) -> f64 {
        let found = self.series.get(series);
        *found.unwrap_or_else(|| panic!("no {series} in {:?}", self.series.keys()))
    }
}

/// What memcached's exporter serves for a memcached with its queues and its crawler: without the
/// prefix `memcached_`, counters first.
const EXPORTER: [(&str, &str); 2] = [
    (
        "counter",
        "uptime_seconds process_user_cpu_seconds_total process_system_cpu_seconds_total \
         read_bytes_total written_bytes_total connections_total connections_rejected_total \
         connections_yielded_total connections_listener_disabled_total commands_total items_total \
         items_evicted_total items_reclaimed_total item_too_large_total item_no_memory_total \
         direct_reclaims_total lru_crawler_starts_total lru_crawler_reclaimed_total \
         lru_crawler_items_checked_total lru_crawler_moves_to_cold_total \
         lru_crawler_moves_to_warm_total lru_crawler_moves_within_lru_total \
         slab_items_crawler_reclaimed_total slab_items_evicted_total \
         slab_items_evicted_nonzero_total slab_items_evicted_time_seconds \
         slab_items_evicted_unfetched_total slab_items_expired_unfetched_total \
         slab_items_outofmemory_total slab_items_reclaimed_total slab_items_tailrepairs_total \
         slab_items_moves_to_cold slab_items_moves_to_warm slab_items_moves_within_lru \
         slab_lru_hits_total slab_commands_total process_cpu_seconds_total",
    ),
    (
        "gauge",
        "up time_seconds version current_connections max_connections current_bytes limit_bytes \
         malloced_bytes current_items accepting_connections lru_crawler_enabled lru_crawler_sleep \
         lru_crawler_to_crawl lru_crawler_maintainer_thread lru_crawler_hot_percent \
         lru_crawler_warm_percent lru_crawler_hot_max_factor lru_crawler_warm_max_factor \
         slab_current_items slab_items_age_seconds slab_hot_items slab_warm_items slab_cold_items \
         slab_temporary_items slab_hot_age_seconds slab_warm_age_seconds slab_chunk_size_bytes \
         slab_chunks_per_page slab_current_pages slab_current_chunks slab_chunks_used \
         slab_chunks_free slab_chunks_free_end slab_mem_requested_bytes process_open_fds \
         process_max_fds process_resident_memory_bytes process_virtual_memory_bytes \
         process_start_time_seconds",
    ),
];

/// Every command of the exporter's list, with both outcomes.
fn load(client: &mut Client) {
    for line in [
        "set a 0 0 1\r\n1\r\n",
        "set n 0 60 1\r\n5\r\n",
        "get a b\r\n",
        "get c\r\n",
        "incr n 1\r\n",
        "incr c 1\r\n",
        "decr n 1\r\n",
        "decr c 1\r\n",
        "touch a 0\r\n",
        "touch c 0\r\n",
        "cas c 0 0 1 1\r\nx\r\n",
        "cas a 0 0 1 1000000\r\nx\r\n",
        "delete c\r\n",
        "set d 0 0 1\r\nx\r\n",
        "delete d\r\n",
    ] {
        client.send(line);
    }
    client.send("mn\r\n");
    while client.line() != "MN" {}
}

#[test]
fn every_series_of_memcacheds_exporter_is_there_with_its_type_under_load() {
    let (server, address) = start(&["-o", "temporary_ttl=90"]);
    let mut client = server.connect();
    load(&mut client);
    let scrape = scrape(address);
    let served: BTreeMap<&str, &str> = scrape
        .types
        .iter()
        .filter_map(|(name, kind)| Some((name.strip_prefix("memcached_")?, kind.as_str())))
        .collect();
    let wanted: BTreeMap<&str, &str> = EXPORTER
        .iter()
        .flat_map(|(kind, names)| names.split_whitespace().map(move |name| (name, *kind)))
        .collect();
    assert_eq!(served, wanted);
    for name in wanted.keys() {
        let name = format!("memcached_{name}");
        let has_series = scrape
            .series
            .keys()
            .any(|series| series.split('{').next() == Some(&name));
        assert!(has_series, "{name} has no series");
    }
    let labels = |command: &str, status: &str| format!("command=\"{command}\",status=\"{status}\"");
    for (command, status, count) in [
        ("get", "hit", 1),
        ("get", "miss", 2),
        ("delete", "hit", 1),
        ("delete", "miss", 1),
        ("incr", "hit", 1),
        ("incr", "miss", 1),
        ("decr", "hit", 1),
        ("decr", "miss", 1),
        ("cas", "hit", 0),
        ("cas", "miss", 1),
        ("cas", "badval", 1),
        ("touch", "hit", 1),
        ("touch", "miss", 1),
        ("flush", "hit", 0),
        // Without those that were a cas.
        ("set", "hit", 3),
    ] {
        let series = format!("memcached_commands_total{{{}}}", labels(command, status));
        assert_eq!(scrape.value(&series), f64::from(count), "{series}");
    }
    // Here the exporter knows of no cas that missed, and takes it for a set.
    for (command, count) in [
        ("get", 1),
        ("set", 4),
        ("delete", 1),
        ("incr", 1),
        ("touch", 1),
    ] {
        let labels = labels(command, "hit");
        let series = format!("memcached_slab_commands_total{{slab=\"1\",{labels}}}");
        assert_eq!(scrape.value(&series), f64::from(count), "{series}");
    }
    for (series, value) in [
        ("memcached_up", 1),
        ("memcached_version{version=\"1.6.45\"}", 1),
        ("memcached_current_items", 2),
        ("memcached_current_connections", 1),
        ("memcached_max_connections", 1024),
        ("memcached_limit_bytes", 64 << 20),
        ("memcached_slab_current_items{slab=\"1\"}", 2),
        ("memcached_slab_temporary_items{slab=\"1\"}", 1),
    ] {
        assert_eq!(scrape.value(series), f64::from(value), "{series}");
    }
    let hits = client.find_stat("stats items", "items:1:hits_to_hot");
    let series = "memcached_slab_lru_hits_total{slab=\"1\",lru=\"hot\"}";
    assert_eq!(Some(scrape.value(series).to_string()), hits);
}

#[test]
fn figures_of_our_own_tell_workers_memory_and_the_cluster() {
    let (server, address) = start(&["-t", "2", "-m", "8", "-I", "512k"]);
    let mut client = server.connect();
    let value = "x".repeat(100_000);
    for index in 0..200 {
        client.ask(
            format!("set k{index} 0 0 100000\r\n{value}\r\n"),
            "STORED\r\n",
        );
    }
    let scrape = scrape(address);
    let of = |series: &str| scrape.value(series);
    let worker = |index| {
        of(&format!(
            "larder_worker_commands_total{{worker=\"{index}\",command=\"set\"}}"
        ))
    };
    assert_eq!(worker(0) + worker(1), 200.0);
    let memory = ["items", "index", "free_pages"]
        .map(|usage| of(&format!("larder_memory_bytes{{use=\"{usage}\"}}")));
    assert_eq!(memory.iter().sum::<f64>(), of("memcached_malloced_bytes"));
    assert!(memory[0] > 0.0 && memory[1] > 0.0, "{memory:?}");
    let evicted = of("memcached_items_evicted_total");
    let unfetched = of("larder_evictions_total{item=\"unfetched\"}");
    assert!(
        evicted > 0.0 && unfetched == evicted,
        "{unfetched} of {evicted}"
    );
    assert!(of("larder_eviction_age_seconds") >= 0.0);
    assert_eq!(of("larder_cluster_nodes{state=\"self\"}"), 1.0);
    assert_eq!(of("larder_ready"), 1.0);
}

#[test]
fn times_of_commands_are_told_as_a_histogram_and_by_quantiles() {
    let (server, address) = start(&["-t", "1"]);
    let mut client = server.connect();
    client.ask("set a 0 0 1\r\nx\r\n", "STORED\r\n");
    // A few of many passes are measured; which ones is left to chance.
    let is_measured = |client: &mut Client, name: &str| {
        let found = client.find_stat("stats latency", &format!("{name}:samples"));
        found.expect("a number") != "0"
    };
    let measured = wait_until(|| {
        client.ask("get a\r\n", "VALUE a 0 1\r\nx\r\nEND\r\n");
        client.ask("delete b\r\n", "NOT_FOUND\r\n");
        is_measured(&mut client, "get") && is_measured(&mut client, "delete")
    });
    assert!(measured);
    let scrape = scrape(address);
    assert_eq!(scrape.types["larder_command_duration_seconds"], "histogram");
    let of = |suffix: &str, labels: &str| {
        scrape.value(&format!(
            "larder_command_duration_seconds_{suffix}{{{labels}}}"
        ))
    };
    let buckets: Vec<(f64, f64)> = scrape
        .series
        .iter()
        .filter_map(|(series, value)| {
            let start = "larder_command_duration_seconds_bucket{command=\"get\",le=\"";
            let le = series.strip_prefix(start)?.strip_suffix("\"}")?;
            Some((le.parse().expect("a bound"), *value))
        })
        .collect();
    let mut sorted = buckets.clone();
    sorted.sort_by(|a, b| a.0.total_cmp(&b.0));
    assert!(
        sorted.len() > 20 && sorted.is_sorted_by(|a, b| a.1 <= b.1),
        "{sorted:?}"
    );
    let count = of("count", "command=\"get\"");
    assert_eq!(sorted.last().map(|last| last.1), Some(count));
    assert!(count >= 1.0 && of("sum", "command=\"get\"") > 0.0);
    assert_eq!(of("count", "command=\"incr\""), 0.0);

    let latency = json(address, "/api/v1/latency");
    let get = &latency["commands"]["get"];
    let of = |name: &str| {
        get[name]
            .as_u64()
            .unwrap_or_else(|| panic!("{name}: {get}"))
    };
    assert!(of("samples") >= 1 && of("p50_us") > 0);
    assert!(
        of("p50_us") <= of("p99_us") && of("p99_us") <= of("max_us"),
        "{get}"
    );
    assert_eq!(latency["commands"]["incr"]["samples"], 0);
    client.ask("stats reset\r\n", "RESET\r\n");
    assert_eq!(client.list("stats latency").len(), 6, "all is forgotten");
}

#[test]
fn promtool_has_nothing_to_say_but_about_names_that_the_exporter_gave() {
    let promtool = in_path("promtool");
    let (server, address) = start(&[]);
    load(&mut server.connect());
    let page = get(address, "/metrics").body;
    let (code, said) = run(Command::new(promtool).args(["check", "metrics"]), &page);
    // It has read all of them, and those names alone are what it does not like.
    assert!(
        code == Some(3) && said.lines().count() >= 2,
        "{code:?} {said}"
    );
    for line in said.lines().filter(|line| !line.is_empty()) {
        let is_exporters = line.starts_with("memcached_uptime_seconds ")
            || line.starts_with("memcached_slab_items_evicted_time_seconds ")
            || line.starts_with("memcached_slab_items_moves_");
        assert!(is_exporters, "{said}");
    }
}

#[test]
fn the_api_tells_what_stats_tells() {
    let (server, address) = start(&["-o", "idle_timeout=1000"]);
    let mut client = server.connect();
    load(&mut client);
    client.ask("lru tune 30 30 0.3 3\r\n", "OK\r\n");
    let stats = json(address, "/api/v1/stats");
    for name in [
        "get_hits",
        "cmd_set",
        "curr_items",
        "limit_maxbytes",
        "threads",
    ] {
        assert_eq!(stats["stats"][name], client.stat(name), "{name}");
    }
    assert_eq!(stats["stats"]["version"], "1.6.45");
    assert_eq!(stats["phase"], "ready");
    assert!(stats["larder"]["page_size"].is_u64());
    let workers = stats["workers"].as_array().expect("a list");
    let gets = workers
        .iter()
        .filter_map(|worker| worker["cmd_get"].as_u64());
    assert_eq!(gets.sum::<u64>(), client.stat("cmd_get"));

    let slabs = json(address, "/api/v1/slabs");
    let first = &slabs["slabs"][0];
    assert_eq!(
        (&first["id"], &first["items"]["number"]),
        (&1.into(), &2.into())
    );
    assert_eq!(first["slab"]["chunk_size"], 96);

    let clients = json(address, "/api/v1/clients");
    let clients = clients["clients"].as_array().expect("a list");
    let peers = clients
        .iter()
        .filter(|one| one["state"] != "conn_listening");
    let peers: Vec<&Value> = peers.collect();
    assert_eq!(peers.len(), 1, "{clients:?}");
    let address_of = peers[0]["addr"].as_str().expect("an address");
    assert!(address_of.starts_with("tcp:127.0.0.1:"), "{address_of}");

    let settings = json(address, "/api/v1/settings");
    let settings = settings["settings"].as_array().expect("a list");
    let setting = |name: &str| {
        let found = settings.iter().find(|setting| setting["name"] == name);
        let found = found.unwrap_or_else(|| panic!("no {name}"));
        let text = |key: &str| found[key].as_str().unwrap_or_default().to_owned();
        (text("value"), text("source"))
    };
    let pair = |value: &str, source: &str| (value.to_owned(), source.to_owned());
    assert_eq!(setting("idle-timeout"), pair("1000", "command line"));
    assert_eq!(setting("conn-limit"), pair("1024", "default"));
    assert_eq!(setting("hot-lru-pct"), pair("30", "changed while running"));

    let cluster = json(address, "/api/v1/cluster");
    assert_eq!(cluster["nodes"][0]["state"], "self");
    assert_eq!(cluster["nodes"][0]["port"], server.address().port());
}

#[test]
fn clients_are_told_a_page_at_a_time() {
    let (server, address) = start(&[]);
    let _others = [(); 4].map(|()| {
        let mut other = server.connect();
        other.sync();
        other
    });
    let first = json(address, "/api/v1/clients?limit=3");
    assert_eq!(
        (&first["connected"], &first["next"]),
        (&4.into(), &first["clients"][2]["id"])
    );
    let path = format!("/api/v1/clients?limit=3&after={}", first["next"]);
    let rest = json(address, &path);
    assert_eq!(
        (&rest["connected"], &rest["next"]),
        (&4.into(), &Value::Null)
    );
    let ids = [&first, &rest].map(|page| page["clients"].as_array().expect("a list").iter());
    let ids: Vec<u64> = ids
        .into_iter()
        .flatten()
        .filter_map(|one| one["id"].as_u64())
        .collect();
    assert!(ids.len() == 4 && ids.is_sorted(), "{ids:?}");
    for wrong in ["limit=0", "limit=1001", "limit=x", "after=-1", "after="] {
        let answer = ask(address, &format!("/api/v1/clients?{wrong}"), "");
        assert_eq!(answer.status, 400, "{wrong}");
    }
}

#[test]
fn a_connection_carries_many_requests_and_their_answers_in_order() {
    // Without the system calls, too, that serving does not need.
    let (_server, address) = start(&["-o", "drop_privileges"]);
    let mut client = Client::tcp(address);
    let paths = ["/healthz", "/nowhere", "/readyz", "/"];
    let requests = paths.map(|path| format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n"));
    client.send(requests.concat());
    let answers = paths.map(|_| answer(&mut client));
    assert_eq!(answers.map(|answer| answer.status), [200, 404, 200, 200]);
    client.send("HEAD /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    let head = String::from_utf8(client.rest()).expect("text");
    assert!(
        head.starts_with("HTTP/1.1 200 ") && head.ends_with("\r\n\r\n"),
        "{head}"
    );
}

#[test]
fn who_means_another_host_or_wants_to_change_something_is_refused() {
    let (_server, address) = start(&[]);
    for (request, status) in [
        (
            "GET /metrics HTTP/1.1\r\nHost: rebound.example:9150\r\n\r\n",
            403,
        ),
        (
            "GET /healthz HTTP/1.1\r\nHost: rebound.example\r\n\r\n",
            403,
        ),
        ("GET /metrics HTTP/1.1\r\nHost: localhost:1\r\n\r\n", 200),
        ("GET /metrics HTTP/1.0\r\n\r\n", 200),
        ("GET /metrics HTTP/1.1\r\n\r\n", 400),
        (
            "PUT /metrics HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\nab",
            405,
        ),
        (
            "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\nab",
            413,
        ),
        ("stats\r\n\r\n", 400),
    ] {
        let mut client = Client::tcp(address);
        client.send(request);
        let answer = answer(&mut client);
        assert_eq!(answer.status, status, "{request}");
        let closes = answer.head.contains("Connection: close\n");
        if closes {
            client.finish_sending();
            client.expect_close();
        }
        assert_eq!(closes, status != 403 && !request.contains("localhost:1\r"));
    }
    let mut client = Client::tcp(address);
    client.send(format!("GET /{}", "x".repeat(9000)));
    assert_eq!(answer(&mut client).status, 431);
}

#[test]
fn a_token_is_asked_for_but_health_is_for_everybody_and_a_new_one_holds_after_sighup() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("token");
    std::fs::write(&path, "first-token-of-all\n").expect("a file");
    let file = path.to_string_lossy().into_owned();
    let (server, address) = start(&["--admin-token-file", &file]);
    let status = |path: &str, token: &str| {
        ask(address, path, &format!("Authorization: Bearer {token}\r\n")).status
    };
    for path in ["/", "/metrics", "/api/v1/clients", "/nowhere"] {
        let refused = get(address, path);
        assert_eq!(refused.status, 401, "{path}");
        assert!(
            refused.head.contains("WWW-Authenticate: Bearer"),
            "{}",
            refused.head
        );
        assert_eq!(status(path, "first-token-of-al"), 401);
    }
    assert_eq!(get(address, "/healthz").status, 200);
    assert_eq!(get(address, "/readyz").status, 200);
    assert_eq!(status("/metrics", "first-token-of-all"), 200);
    std::fs::write(&path, "second-token-of-all\n").expect("a file");
    server.signal(Signal::HUP);
    assert!(wait_until(
        || status("/metrics", "second-token-of-all") == 200
    ));
    assert_eq!(status("/metrics", "first-token-of-all"), 401);
    std::fs::write(&path, "short\n").expect("a file");
    server.signal(Signal::HUP);
    assert!(wait_until(|| server
        .log()
        .contains("admin token not reloaded")));
    assert_eq!(status("/metrics", "second-token-of-all"), 200);
    assert!(
        !server.log().contains("-token-of-all"),
        "secrets are not logged"
    );
}

#[test]
fn a_unix_socket_serves_with_the_mode_of_the_other_and_goes_with_the_daemon() {
    let mut server = Server::start(&["--admin", "FOLDER/admin", "-a", "0750"]);
    let path = server.folder().join("admin");
    let mut client = Client::unix(&path);
    client.send("GET /metrics HTTP/1.1\r\nHost: whoever\r\n\r\n");
    assert!(answer(&mut client).body.contains("memcached_up 1\n"));
    let mode = std::fs::metadata(&path)
        .expect("a socket")
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o750);
    server.signal(Signal::TERM);
    assert!(server.await_exit().success());
    assert!(!path.exists());
}

#[test]
fn a_daemon_that_drains_is_alive_and_not_ready() {
    let (mut server, address) = start(&[]);
    let mut slow = server.connect();
    slow.ask(
        format!("set big 0 0 1000000\r\n{}\r\n", "x".repeat(1_000_000)),
        "STORED\r\n",
    );
    slow.send("get big\r\n".repeat(40));
    let mut other = server.connect();
    other.await_stat("bytes_written", |bytes| bytes > 100_000);
    server.signal(Signal::USR1);
    assert!(wait_until(|| get(address, "/readyz").status == 503));
    assert_eq!(get(address, "/readyz").body, "draining\n");
    assert_eq!(get(address, "/healthz").status, 200);
    // It takes its output after all, so that the end need not be waited for.
    drop(slow);
    assert!(server.await_exit().success());
}

#[test]
fn those_who_keep_connections_open_keep_nobody_out() {
    let (server, address) = start(&[]);
    let mut idle: Vec<Client> = (0..100).map(|_| Client::tcp(address)).collect();
    assert_eq!(get(address, "/healthz").status, 200);
    // Sixty-four at most are open, and the first to come were the first to go.
    idle[0].expect_close();
    idle[99].send("GET /readyz HTTP/1.1\r\nHost: localhost\r\n\r\n");
    assert_eq!(answer(&mut idle[99]).status, 200);
    server.connect().sync();
}

#[test]
fn what_cannot_be_served_is_told_with_its_option() {
    let folder = tempfile::tempdir().expect("a folder");
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let taken = taken.local_addr().expect("an address").to_string();
    let file = folder.path().join("file");
    std::fs::write(&file, "short").expect("a file");
    let file = file.to_string_lossy().into_owned();
    let port = free_port().to_string();
    let token = ["--admin", "127.0.0.1:0", "--admin-token-file"];
    for (flags, code, told) in [
        (&["--admin", "0.0.0.0:0"][..], 64, "--admin-token-file"),
        (&["--admin", "somewhere.example"], 64, "--admin-token-file"),
        (&["--admin", "127.0.0.1:x"], 64, "port from 0 to 65535"),
        (&["--admin", &taken], 1, "(--admin)"),
        (&["--admin", &file], 1, "not a socket"),
        (
            &[token[0], token[1], token[2], &file],
            1,
            "its first line must be a token",
        ),
        (
            &[token[0], token[1], token[2], "/nowhere"],
            1,
            "--admin-token-file /nowhere",
        ),
    ] {
        let mut all = vec!["-u", "root", "-l", "127.0.0.1", "-p", &port];
        all.extend(flags);
        let ended = run_larderd(&all, &[]);
        assert_eq!(ended.code, Some(code), "{flags:?}: {}", ended.stderr);
        assert!(ended.stderr.contains(told), "{flags:?}: {}", ended.stderr);
    }
    let checked = run_larderd(
        &["--check-config", token[0], token[1], token[2], &file],
        &[],
    );
    assert_eq!(checked.code, Some(1), "{}", checked.stderr);
}
