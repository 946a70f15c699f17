//! The dashboard and the alerts that come with larder: what they ask for exists, and they work.

use std::collections::BTreeSet;
use std::fs;
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::Value;

use crate::admin::{admin_address, scrape};
use crate::support::foreign::{in_path, run};
use crate::support::process::wait_until;
use crate::support::server::{Server, free_port};
use crate::support::{Authority, Client};

const RULES: &str = "packaging/prometheus/larder.rules.yml";
const DASHBOARD: &str = "packaging/grafana/larder.json";

fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

fn text(name: &str) -> String {
    fs::read_to_string(file(name)).expect("a file of this project")
}

/// Every expression of the dashboard, with what a reader would choose in place of its variables.
fn dashboard() -> Vec<String> {
    let dashboard: Value = serde_json::from_str(&text(DASHBOARD)).expect("JSON");
    let panels = dashboard["panels"].as_array().expect("a list");
    let mut all = Vec::new();
    for panel in panels.iter().filter(|panel| panel["type"] != "row") {
        let targets = panel["targets"].as_array().expect("a list");
        assert!(!targets.is_empty(), "{}", panel["title"]);
        for target in targets {
            let expression = target["expr"].as_str().expect("an expression");
            assert!(expression.contains("job=~\"$job\",instance=~\"$instance\""));
            all.push(
                expression
                    .replace("$__rate_interval", "1m")
                    .replace("$job", ".+")
                    .replace("$instance", ".+"),
            );
        }
    }
    all
}

/// Words of a text that are names of our series.
fn names(text: &str) -> BTreeSet<&str> {
    let words = text.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_');
    let ours = |word: &&str| word.starts_with("memcached_") || word.starts_with("larder_");
    // Another program's name is no series.
    words
        .filter(ours)
        .filter(|word| *word != "memcached_exporter")
        .collect()
}

/// A daemon with everything on that has series of its own, and evictions.
fn start() -> (Server, SocketAddr) {
    let authority = Authority::new();
    let words = authority.words();
    let server = Server::start_bare(&[
        "-v",
        "-U",
        "0",
        "-p",
        "-1",
        "-l",
        "notls:127.0.0.1",
        "-m",
        "8",
        "-I",
        "512k",
        "-c",
        "20",
        "-Z",
        "-o",
        &words,
        "--admin",
        "127.0.0.1:0",
        "--snapshot",
        "FOLDER/snapshot",
    ]);
    let address = admin_address(&server);
    let mut client = server.connect();
    let value = "x".repeat(100_000);
    for index in 0..200 {
        let line = format!("set k{index} 0 0 100000\r\n{value}\r\nget k{index}\r\n");
        client.send(line);
        client.expect(format!(
            "STORED\r\nVALUE k{index} 0 100000\r\n{value}\r\nEND\r\n"
        ));
    }
    (server, address)
}

#[test]
fn what_dashboard_and_alerts_ask_for_exists() {
    let (_server, address) = start();
    let scrape = scrape(address);
    let mut asked = 0;
    for text in [text(RULES), dashboard().join("\n")] {
        for name in names(&text) {
            let family = name.strip_suffix("_bucket").unwrap_or(name);
            assert!(scrape.types.contains_key(family), "there is no {name}");
            asked += 1;
        }
    }
    assert!(asked > 30, "{asked} names were found");
}

#[test]
fn what_the_page_on_metrics_names_exists_and_the_other_way_round() {
    let (_server, address) = start();
    let scrape = scrape(address);
    let page = text("docs/metrics.md");
    let named = names(&page);
    for name in scrape
        .types
        .keys()
        .filter(|name| name.starts_with("larder_"))
    {
        assert!(
            named.contains(name.as_str()),
            "the page does not name {name}"
        );
    }
    for name in named.iter().filter(|name| !name.ends_with('_')) {
        let is_served = scrape.types.contains_key(*name);
        // Only with a setting that is off here.
        assert!(
            is_served || *name == "memcached_slab_temporary_items",
            "no {name}"
        );
    }
}

#[test]
fn the_alerts_are_good_rules() {
    let promtool = in_path("promtool");
    let (code, said) = run(
        Command::new(promtool)
            .args(["check", "rules"])
            .arg(file(RULES)),
        "",
    );
    assert_eq!(code, Some(0), "{said}");
}

/// A Prometheus that ends with the test.
struct Prometheus {
    child: Child,
    address: SocketAddr,
}

impl Prometheus {
    /// Starts one that collects from this address, with these rules.
    fn start(program: &Path, folder: &Path, target: SocketAddr, rules: &str) -> Self {
        fs::write(folder.join("rules.yml"), rules).expect("a file");
        let config = format!(
            "global: {{scrape_interval: 500ms, scrape_timeout: 500ms, evaluation_interval: 500ms}}\n\
             rule_files: [rules.yml]\n\
             scrape_configs: [{{job_name: memcached, static_configs: [{{targets: ['{target}']}}]}}]\n"
        );
        fs::write(folder.join("prometheus.yml"), config).expect("a file");
        let address = SocketAddr::from(([127, 0, 0, 1], free_port()));
        let child = Command::new(program)
            .arg(format!(
                "--config.file={}",
                folder.join("prometheus.yml").display()
            ))
            .arg(format!(
                "--storage.tsdb.path={}",
                folder.join("data").display()
            ))
            .arg(format!("--web.listen-address={address}"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("a program that was found to start");
        let prometheus = Self { child, address };
        let listens = wait_until(|| TcpStream::connect(address).is_ok());
        let ready = listens && wait_until(|| prometheus.ask("/-/ready").0 == 200);
        assert!(ready, "Prometheus is not ready");
        prometheus
    }

    /// The status and the body of an answer.
    fn ask(&self, path: &str) -> (u16, String) {
        let mut client = Client::tcp(self.address);
        // In this version a body ends with its connection and comes in one piece.
        client.send(format!("GET {path} HTTP/1.0\r\n\r\n"));
        let answer = String::from_utf8(client.rest()).expect("text");
        let (head, body) = answer.split_once("\r\n\r\n").expect("an answer");
        let status = head.split(' ').nth(1).and_then(|word| word.parse().ok());
        (status.expect("a status"), body.to_owned())
    }

    fn alerts(&self) -> Value {
        let (_, body) = self.ask("/api/v1/alerts");
        serde_json::from_str(&body).unwrap_or_default()
    }

    /// What an expression comes to; an error is a failure.
    fn query(&self, expression: &str) -> Value {
        let encoded: String = expression
            .bytes()
            .map(|byte| format!("%{byte:02X}"))
            .collect();
        let (status, body) = self.ask(&format!("/api/v1/query?query={encoded}"));
        assert_eq!(status, 200, "{expression}: {body}");
        let answer: Value = serde_json::from_str(&body).expect("JSON");
        answer["data"]["result"].clone()
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        let _ended_already = self.child.kill();
        let _status = self.child.wait();
    }
}

#[test]
fn prometheus_collects_fires_an_alert_and_answers_the_dashboard() {
    let program = in_path("prometheus");
    let (server, address) = start();
    // An alert waits for minutes before it fires; here it does not.
    let rules = text(RULES);
    let hasty: Vec<&str> = rules
        .lines()
        .filter(|line| !line.trim_start().starts_with("for: "))
        .collect();
    let folder = tempfile::tempdir().expect("a folder");
    let prometheus = Prometheus::start(&program, folder.path(), address, &hasty.join("\n"));
    let fires = |name: &str| {
        let alerts = prometheus.alerts();
        let mut all = alerts["data"]["alerts"].as_array().into_iter().flatten();
        all.any(|alert| alert["labels"]["alertname"] == name && alert["state"] == "firing")
    };
    let is_up = || prometheus.query("memcached_up == 1 and on (instance) up == 1");
    assert!(wait_until(|| is_up()
        .as_array()
        .is_some_and(|all| all.len() == 1)));
    assert!(!fires("MemcachedConnectionLimitApproaching"));
    let clients: Vec<Client> = (0..19).map(|_| server.connect()).collect();
    assert!(wait_until(|| fires("MemcachedConnectionLimitApproaching")));
    drop(clients);
    assert!(wait_until(|| !fires("MemcachedConnectionLimitApproaching")));
    assert!(!fires("MemcachedDown"));
    let mut answered = 0;
    for expression in dashboard() {
        let series = prometheus.query(&expression);
        answered += usize::from(series.as_array().is_some_and(|all| !all.is_empty()));
    }
    // Some tell of what has not happened here.
    assert!(answered > 30, "only {answered} have something to show");
    drop(server);
    assert!(wait_until(|| fires("MemcachedDown")));
}
