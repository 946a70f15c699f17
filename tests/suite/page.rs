//! The page of the admin listener, in a browser, and what can be changed from there.

use std::net::SocketAddr;

use crate::admin::{Answer, admin_address, get, json, request};
use crate::support::foreign::{python, run};
use crate::support::process::wait_until;
use crate::support::{Authority, Server};

/// What must be shown as it is written, wherever it appears.
const MARKUP: &str = "<img src=x onerror=document.title='owned'>";

const TOKEN: &str = "a-token-for-the-browser";

/// A daemon whose admin listener wants the token.
struct Guarded {
    server: Server,
    address: SocketAddr,
    _folder: tempfile::TempDir,
}

impl Guarded {
    fn start(flags: &[&str]) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("token");
        std::fs::write(&file, TOKEN).expect("a file");
        let file = file.to_string_lossy().into_owned();
        let all = ["-v", "--admin", "127.0.0.1:0", "--admin-token-file", &file];
        let server = Server::start(&[&all[..], flags].concat());
        let address = admin_address(&server);
        Self {
            server,
            address,
            _folder: folder,
        }
    }

    fn post(&self, path: &str) -> Answer {
        let shown = format!("Authorization: Bearer {TOKEN}\r\n");
        request(self.address, "POST", path, &shown)
    }
}

/// One browser looks at everything: starting it takes longer than all that it is asked.
#[test]
fn a_browser_shows_the_page_as_it_is_meant() {
    let mut command = python();
    let pid_file = format!("FOLDER/{MARKUP}");
    let all = ["-v", "--admin", "127.0.0.1:0", "-t", "2"];
    let every_turn = ["-o", "slow_log_us=1"];
    let server = Server::start(&[&all[..], &every_turn, &["-P", &pid_file]].concat());
    let users = tempfile::NamedTempFile::new().expect("a file");
    let entry = format!("{}:secret\n", MARKUP.replace(' ', "/"));
    std::fs::write(users.path(), entry).expect("a file");
    let users_file = users.path().to_string_lossy().into_owned();
    let guarded = Guarded::start(&[&["-t", "2", "-Y", &users_file], &every_turn[..]].concat());

    let authority = Authority::new();
    let words = authority.words();
    let secure = Guarded::start(&["-t", "2", "--admin-tls", "-o", &words]);

    let root = env!("CARGO_MANIFEST_DIR");
    command.arg(format!("{root}/tests/page/cases.py"));
    command.arg(format!("secure=https://{}/", secure.address));
    command.arg(format!("open=http://{}/", admin_address(&server)));
    command.arg(format!("closed=http://{}/", guarded.address));
    command.arg(format!("other={}", guarded.server.address().port()));
    command.arg(format!("token={TOKEN}"));
    command.arg(format!("port={}", server.address().port()));
    let (code, text) = run(&mut command, "");
    assert!(code == Some(0) && text.contains("passed: all"), "{text}");
}

#[test]
fn who_shows_the_token_changes_what_commands_change_and_the_log_tells() {
    let guarded = Guarded::start(&["-m", "64"]);
    let mut client = guarded.server.connect();
    client.ask("set a 0 0 1\r\nx\r\n", "STORED\r\n");
    let flushed = guarded.post("/api/v1/flush_all");
    assert_eq!(
        (flushed.status, &*flushed.body),
        (200, "1 items were flushed\n")
    );
    client.ask("get a\r\n", "END\r\n");
    let limited = guarded.post("/api/v1/cache_memlimit?megabytes=32");
    assert_eq!(limited.status, 200, "{}", limited.body);
    assert_eq!(client.stat("limit_maxbytes"), 32 << 20);
    let talkative = guarded.post("/api/v1/verbosity?level=2");
    assert_eq!(talkative.status, 200, "{}", talkative.body);
    assert_eq!(
        client.find_stat("stats settings", "verbosity").as_deref(),
        Some("2")
    );
    let mut victim = guarded.server.connect();
    victim.sync();
    let clients = request(
        guarded.address,
        "GET",
        "/api/v1/clients",
        &format!("Authorization: Bearer {TOKEN}\r\n"),
    );
    let clients: serde_json::Value = serde_json::from_str(&clients.body).expect("JSON");
    let last = clients["clients"].as_array().and_then(|all| all.last());
    let path = format!(
        "/api/v1/client_kill?client={}",
        last.expect("a client")["id"]
    );
    let killed = guarded.post(&path);
    assert_eq!(killed.status, 200, "{}", killed.body);
    victim.expect_close();
    client.sync();
    let told = wait_until(|| {
        let log = guarded.server.log();
        log.matches("changed through the admin listener").count() == 4
    });
    assert!(told, "{}", guarded.server.log());
    for (path, status) in [
        ("/api/v1/cache_memlimit", 400),
        ("/api/v1/cache_memlimit?megabytes=7", 400),
        ("/api/v1/cache_memlimit?megabytes=-1", 400),
        ("/api/v1/cache_memlimit?megabytes=99999999999999999999", 400),
        ("/api/v1/cache_memlimit?megabytes=2000000000", 400),
        ("/api/v1/verbosity?level=3", 400),
        ("/api/v1/client_kill?client=all", 400),
        ("/api/v1/client_kill?client=999999999", 404),
        ("/api/v1/verbosity?levels=1", 400),
        ("/api/v1/stats", 405),
        ("/", 405),
        ("/nowhere", 404),
    ] {
        assert_eq!(guarded.post(path).status, status, "{path}");
    }
    assert_eq!(client.stat("limit_maxbytes"), 32 << 20);
}

#[test]
fn a_change_is_refused_to_strangers_to_other_pages_and_to_other_hosts() {
    let guarded = Guarded::start(&[]);
    let mut client = guarded.server.connect();
    client.ask("set a 0 0 1\r\nx\r\n", "STORED\r\n");
    let address = guarded.address;
    let bearer = format!("Authorization: Bearer {TOKEN}\r\n");
    // An empty name and the token as its password.
    let basic = "Authorization: Basic OmEtdG9rZW4tZm9yLXRoZS1icm93c2Vy\r\n";
    let own = format!("Origin: http://{address}\r\nSec-Fetch-Site: same-origin\r\n");
    let elsewhere = "Origin: http://evil.example\r\nSec-Fetch-Site: cross-site\r\n";
    for (method, headers, status) in [
        ("POST", own.clone(), 401),
        ("POST", format!("{own}Authorization: Bearer x\r\n"), 401),
        ("POST", format!("{elsewhere}{basic}"), 403),
        ("POST", format!("{elsewhere}{bearer}"), 403),
        ("POST", format!("Origin: null\r\n{basic}"), 403),
        ("POST", basic.to_owned(), 403),
        ("POST", String::new(), 403),
        ("GET", bearer.clone(), 405),
        ("GET", format!("{own}{basic}"), 405),
    ] {
        let refused = request(address, method, "/api/v1/flush_all", &headers);
        assert_eq!(refused.status, status, "{headers}: {}", refused.body);
    }
    let mut other = crate::support::Client::tcp(address);
    other.send(format!(
        "POST /api/v1/flush_all HTTP/1.1\r\nHost: evil.example\r\n{bearer}\r\n"
    ));
    assert!(other.line().starts_with("HTTP/1.1 403 "));
    client.ask("get a\r\n", "VALUE a 0 1\r\nx\r\nEND\r\n");
    // Nor is a page from elsewhere told anything, while its readers may follow a link.
    let seen = |more: &str| {
        let headers = format!("{basic}Sec-Fetch-Site: cross-site\r\n{more}");
        request(address, "GET", "/api/v1/stats", &headers).status
    };
    assert_eq!(seen(""), 403);
    assert_eq!(seen("Sec-Fetch-Mode: navigate\r\n"), 200);
    let accepted = request(
        address,
        "POST",
        "/api/v1/flush_all",
        &format!("{own}{basic}"),
    );
    assert_eq!(accepted.status, 200, "{}", accepted.body);
    client.ask("get a\r\n", "END\r\n");
}

#[test]
fn without_a_token_nothing_can_be_changed_and_with_f_nothing_flushed() {
    let server = Server::start(&["-v", "--admin", "127.0.0.1:0"]);
    let address = admin_address(&server);
    let shown = format!("Authorization: Bearer {TOKEN}\r\n");
    let refused = request(address, "POST", "/api/v1/flush_all", &shown);
    assert_eq!(refused.status, 403);
    assert!(
        refused.body.contains("--admin-token-file"),
        "{}",
        refused.body
    );
    assert!(json(address, "/api/v1/page")["changes"].is_null());
    let guarded = Guarded::start(&["-F"]);
    assert_eq!(guarded.post("/api/v1/flush_all").status, 403);
}

#[test]
fn the_page_allows_itself_and_nothing_else() {
    let server = Server::start(&["-v", "--admin", "127.0.0.1:0"]);
    let page = get(admin_address(&server), "/");
    assert_eq!(page.status, 200);
    for header in [
        "Content-Type: text/html; charset=utf-8\n",
        "Content-Security-Policy: default-src 'none'; script-src 'sha256-",
        "frame-ancestors 'none'",
        "X-Content-Type-Options: nosniff\n",
        "Cache-Control: no-store\n",
        "Referrer-Policy: no-referrer\n",
    ] {
        assert!(page.head.contains(header), "{}", page.head);
    }
    assert!(!page.head.contains("unsafe"), "{}", page.head);
    // Nothing is loaded from elsewhere.
    for word in ["http://", "https://", " src=", "@import", "url("] {
        let found = page.body.replace("http://www.w3.org/2000/svg", "");
        let found = found.replace("127.0.0.1", "");
        assert!(!found.contains(word), "{word}");
    }
}

#[test]
fn the_past_is_told_by_the_second_and_from_where_somebody_has_it() {
    let server = Server::start(&["-v", "--admin", "127.0.0.1:0"]);
    let address = admin_address(&server);
    let mut client = server.connect();
    let path = "/api/v1/history?span=15m";
    let filled = wait_until(|| {
        client.ask("set a 0 0 1\r\nx\r\n", "STORED\r\n");
        let series = &json(address, path)["series"];
        let sets = series["sets"].as_array().expect("a list");
        sets.len() > 1 && sets.iter().any(|rate| rate.as_f64() > Some(0.0))
    });
    assert!(filled);
    let told = json(address, path);
    let series = told["series"].as_object().expect("an object");
    let times: Vec<i64> = series["time"]
        .as_array()
        .expect("a list")
        .iter()
        .filter_map(serde_json::Value::as_i64)
        .collect();
    assert!(times.is_sorted(), "{times:?}");
    assert_eq!([&told["span_s"], &told["interval_s"]], [900, 1]);
    assert!(
        series
            .values()
            .all(|one| one.as_array().map(Vec::len) == Some(times.len()))
    );
    let newest = times.last().expect("a time");
    let rest = json(address, &format!("{path}&since={newest}"));
    let rest = rest["series"]["time"].as_array().expect("a list");
    assert!(rest.iter().all(|time| time.as_i64() > Some(*newest)));
    assert_eq!(get(address, "/api/v1/history?span=2h").status, 400);
    assert_eq!(get(address, "/api/v1/history?since=x").status, 400);
}
