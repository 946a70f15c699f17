//! Who is connected: the list of clients, and how an administrator closes some of them.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::admin::{admin_address, json, request};
use crate::rights::log_in;
use crate::support::packet::Packet;
use crate::support::packet::opcode::NOOP;
use crate::support::process::wait_until;
use crate::support::server::free_port;
use crate::support::{Authority, Client, Server, text_file};

/// What `stats clients` says of each, by number.
type Listed = BTreeMap<u64, BTreeMap<String, String>>;

fn clients(asker: &mut Client) -> Listed {
    let mut listed = Listed::new();
    for line in asker.list("stats clients") {
        let line = line.strip_prefix("STAT ").expect("a figure");
        let (name, value) = line.split_once(' ').expect("a value");
        let (id, name) = name.split_once(':').expect("a number");
        let client = listed.entry(id.parse().expect("a number")).or_default();
        let before = client.insert(name.to_owned(), value.to_owned());
        assert_eq!(before, None, "{name} comes twice");
    }
    listed
}

/// The number of the client that has this figure.
fn find(listed: &Listed, name: &str, value: &str) -> Option<u64> {
    let mut all = listed.iter();
    let found = all.find(|(_, client)| client.get(name).is_some_and(|found| found == value));
    found.map(|(id, _)| *id)
}

fn await_client(asker: &mut Client, name: &str, value: &str) -> u64 {
    let mut found = None;
    let is_found = wait_until(|| {
        found = find(&clients(asker), name, value);
        found.is_some()
    });
    assert!(is_found, "{name} {value}: {:?}", clients(asker));
    found.expect("a number")
}

#[test]
fn clients_are_listed_with_what_they_are_and_have_done() {
    let server = Server::start(&[]);
    let mut asker = server.connect();
    let mut writer = server.connect();
    writer.ask("set k 0 0 3\r\nabc\r\n", "STORED\r\n");
    writer.ask(
        "get k no\r\nmg k v\r\n",
        "VALUE k 0 3\r\nabc\r\nEND\r\nVA 3\r\nabc\r\n",
    );
    writer.send("ms k 1000\r\nbegin");
    let mut packets = server.connect();
    packets.send(Packet::new(NOOP, "").bytes(7));
    packets.take(24);
    let silent = server.connect();
    asker.await_stat("curr_connections", |now| now == 4);

    let writing = await_client(&mut asker, "state", "conn_nread");
    let binary = await_client(&mut asker, "protocol", "binary");
    let listed = clients(&mut asker);
    assert_eq!(listed.len(), 4, "{listed:?}");
    let of = |id: u64, name: &str| listed[&id][name].clone();
    for (name, expected) in [
        ("listen_addr", format!("tcp:{}", server.address())),
        ("user", "-".to_owned()),
        ("tls", "no".to_owned()),
        ("protocol", "ascii".to_owned()),
        ("last_command", "ms".to_owned()),
        ("requests", "3".to_owned()),
        ("bytes_read", "52".to_owned()),
        ("bytes_written", "42".to_owned()),
    ] {
        assert_eq!(of(writing, name), expected, "{name}");
    }
    assert_ne!(of(writing, "buffer_bytes"), "0");
    assert_eq!(
        (of(binary, "last_command"), of(binary, "requests")),
        ("noop".into(), "1".into())
    );
    let heard = find(&listed, "last_command", "stats").expect("who asks");
    assert_eq!(of(heard, "state"), "conn_parse_cmd");
    let unheard = find(&listed, "last_command", "none").expect("who is silent");
    assert_eq!(
        (of(unheard, "requests"), of(unheard, "buffer_bytes")),
        ("0".into(), "0".into())
    );
    assert_eq!(of(unheard, "protocol"), "negotiating");

    // A number is nobody else's, whatever becomes of the descriptor.
    drop(silent);
    assert!(wait_until(|| !clients(&mut asker).contains_key(&unheard)));
    server.connect().sync();
    assert!(!clients(&mut asker).contains_key(&unheard));
}

#[test]
fn users_and_encrypted_connections_are_shown_as_such() {
    let authority = Authority::new();
    let words = authority.words();
    let users = text_file("root:root\napp:pw\n");
    let users = users.path().to_str().expect("a path of letters");
    let flags = ["-Y", users, "-Z", "-o", &words];
    let (port, other) = (free_port(), free_port());
    let plain = format!("notls:127.0.0.1:{port},127.0.0.1:{other}");
    let _server = Server::start_bare(&[&flags[..], &["-l", &plain]].concat());
    let address = ([127, 0, 0, 1], port).into();
    let mut asker = Client::tcp(address);
    log_in(&mut asker, "root", "root");
    let mut app = Client::tcp(address);
    log_in(&mut app, "app", "pw");
    let app_id = await_client(&mut asker, "user", "app");
    let root_id = await_client(&mut asker, "user", "root");
    assert_ne!(app_id, root_id);
    let mut shaking = Client::tcp(([127, 0, 0, 1], other).into());
    let shaking_id = await_client(&mut asker, "tls", "yes");
    assert_eq!(clients(&mut asker)[&shaking_id]["state"], "conn_new_cmd");
    // Who has not shaken hands can be closed too.
    asker.ask(format!("client kill {shaking_id}\r\n"), "OK\r\n");
    shaking.expect_close();
    app.sync();
}

#[test]
fn an_administrator_closes_clients_by_number_and_by_address() {
    let server = Server::start(&["-t", "2", "-vv"]);
    let mut asker = server.connect();
    let mut watcher = server.connect();
    watcher.ask("watch connevents\r\n", "OK\r\n");
    let mut first = server.connect();
    first.ask("get a\r\n", "END\r\n");
    let mut second = server.connect();
    second.ask("incr a 1\r\n", "NOT_FOUND\r\n");
    let first_id = await_client(&mut asker, "last_command", "get");
    let second_id = await_client(&mut asker, "last_command", "incr");

    asker.ask(format!("client kill {first_id}\r\n"), "OK\r\n");
    first.expect_close();
    asker.ask(format!("client kill {first_id}\r\n"), "NOT_FOUND\r\n");
    second.sync();
    let address = clients(&mut asker)[&second_id]["addr"].clone();
    asker.ask(format!("client kill {address}\r\n"), "OK\r\n");
    second.expect_close();
    let mut told = String::new();
    assert!(
        wait_until(|| {
            told += &String::from_utf8_lossy(&watcher.drain(std::time::Duration::from_millis(50)));
            told.matches("reason=killed").count() == 2
        }),
        "{told}"
    );

    for line in ["client", "client kill", "client kill 1 2", "client list"] {
        let usage = "CLIENT_ERROR usage: client kill <id|address>\r\n";
        asker.ask(format!("{line}\r\n"), usage);
    }
    let unknown = "CLIENT_ERROR expected the number or the address of a client\r\n";
    asker.ask("client kill everybody\r\n", unknown);
    asker.ask("client kill 192.0.2.1\r\n", "NOT_FOUND\r\n");
    // All of an address: who asks is told before it goes.
    asker.ask("client kill 127.0.0.1\r\n", "OK\r\n");
    asker.expect_close();
    watcher.rest();
    server.connect().sync();
    assert!(
        server
            .log()
            .contains("clients are closed by command  client=127.0.0.1 count=2")
    );
}

#[test]
fn clients_that_take_nothing_and_clients_in_the_middle_of_a_value_are_closed_too() {
    let server = Server::start(&["-t", "1"]);
    let mut asker = server.connect();
    let value = "v".repeat(1_000_000);
    asker.ask(format!("set big 0 0 1000000\r\n{value}\r\n"), "STORED\r\n");
    let mut deaf = server.connect();
    deaf.send("get big\r\n".repeat(50));
    let deaf_id = await_client(&mut asker, "state", "conn_mwrite");
    let mut sender = server.connect();
    sender.send(format!("set new 0 0 1000000\r\n{}", "v".repeat(500_000)));
    let sender_id = await_client(&mut asker, "state", "conn_nread");
    for id in [deaf_id, sender_id] {
        asker.ask(format!("client kill {id}\r\n"), "OK\r\n");
    }
    asker.await_stat("curr_connections", |now| now == 1);
    assert_eq!(asker.stat("read_buf_count"), 0);
    asker.ask("get new\r\n", "END\r\n");
}

#[test]
fn a_thousand_clients_are_listed_whole_while_others_are_served() {
    const COUNT: usize = 1000;
    let server = Server::start(&["-t", "1", "-c", "2000"]);
    let idle: Vec<Client> = (0..COUNT).map(|_| server.connect()).collect();
    let mut asker = server.connect();
    asker.await_stat("curr_connections", |now| now > COUNT as u64);
    let mut lively = server.connect();
    lively.sync();
    for group in ["clients", "conns"] {
        asker.send(format!("stats {group}\r\nmn\r\n"));
        lively.sync();
        let mut descriptors = std::collections::BTreeSet::new();
        loop {
            let line = asker.line();
            if line == "END" {
                break;
            }
            let name = line.split(' ').nth(1).unwrap_or_default();
            let (number, name) = name.split_once(':').expect("a number");
            if name == "addr" {
                assert!(
                    descriptors.insert(number.to_owned()),
                    "{number} comes twice"
                );
            }
        }
        // The listener is a socket and no client.
        let listeners = usize::from(group == "conns");
        assert_eq!(descriptors.len(), COUNT + 2 + listeners, "{group}");
        asker.expect("MN\r\n");
    }
    drop(idle);
    lively.sync();
}

#[test]
fn the_api_lists_clients() {
    let server = Server::start(&["-v", "--admin", "127.0.0.1:0"]);
    let address = admin_address(&server);
    let mut client = server.connect();
    client.ask("touch k 1\r\n", "NOT_FOUND\r\n");
    let mut seen = Value::Null;
    assert!(
        wait_until(|| {
            seen = json(address, "/api/v1/clients")["clients"][0].clone();
            seen["last_command"] == "touch"
        }),
        "{seen}"
    );
    assert_eq!((&seen["id"], &seen["requests"]), (&1.into(), &1.into()));
    assert_eq!(seen["listen_addr"], format!("tcp:{}", server.address()));
}

/// Starts a daemon with one worker, an admin listener, and these flags.
fn start(flags: &[&str]) -> (Server, std::net::SocketAddr) {
    let own = ["-v", "-t", "1", "--admin", "127.0.0.1:0"];
    let server = Server::start(&[&own, flags].concat());
    let address = admin_address(&server);
    (server, address)
}

#[test]
fn what_takes_long_is_kept_with_its_command_its_key_and_its_client() {
    let (server, address) = start(&["-o", "slow_log_us=1"]);
    let mut client = server.connect();
    client.ask("set k 0 0 6\r\nSECRET\r\n", "STORED\r\n");
    let answer = "VALUE k 0 6\r\nSECRET\r\nEND\r\nHD\r\n";
    client.ask("get k other\r\nmd k\r\n", answer);
    // Its value comes later than its line.
    client.send("set late 0 0 100000\r\n");
    client.send("S".repeat(100_000));
    client.ask("\r\n", "STORED\r\n");
    // A turn is kept once its answer has been sent.
    client.sync();
    let slow = json(address, "/api/v1/slow");
    assert_eq!(slow["threshold_us"], 1);
    let turns = slow["slow"].as_array().expect("a list").clone();
    let numbers = turns.iter().map(|turn| turn["number"].as_u64());
    assert!(
        numbers.is_sorted_by(|before, after| before > after),
        "{turns:?}"
    );
    let with = |key: &str| {
        let found = turns.iter().find(|turn| turn["key"] == key);
        found.unwrap_or_else(|| panic!("{key}: {turns:?}"))
    };
    let get = turns
        .iter()
        .find(|turn| turn["command"] == "get")
        .expect("a get");
    assert_eq!((&get["key"], &get["requests"]), (&"k".into(), &2.into()));
    assert_eq!(
        (&get["bytes_read"], &get["bytes_written"]),
        (&19.into(), &30.into())
    );
    assert_eq!((&get["user"], &get["worker"]), (&"-".into(), &0.into()));
    let duration_us = get["duration_us"].as_u64().expect("a time");
    assert!((1..60_000_000).contains(&duration_us), "{get}");
    assert!(
        get["addr"]
            .as_str()
            .is_some_and(|addr| addr.starts_with("tcp:127.0.0.1:"))
    );
    assert_eq!(with("late")["command"], "set");
    let id = await_client(&mut server.connect(), "last_command", "mn");
    assert_eq!(get["client"], id);
    let listed = client.list("stats slow");
    assert!(
        listed.iter().any(|line| line.ends_with(":key late")),
        "{listed:?}"
    );
    assert!(
        !listed
            .iter()
            .any(|line| line.contains("SECRET") || line.contains("SSS"))
    );
    client.ask("stats reset\r\n", "RESET\r\n");
    let (before, slow) = (turns.len(), json(address, "/api/v1/slow"));
    assert!(
        slow["slow"]
            .as_array()
            .is_some_and(|turns| turns.len() < before),
        "{slow}"
    );
}

#[test]
fn nothing_is_kept_below_the_threshold_and_no_key_where_keys_are_not_shown() {
    let (server, address) = start(&["-o", "slow_log_us=0"]);
    server.connect().sync();
    assert_eq!(json(address, "/api/v1/slow")["slow_turns"], 0);
    let (server, address) = start(&["-o", "slow_log_us=60000000"]);
    server.connect().sync();
    assert_eq!(json(address, "/api/v1/slow")["slow_turns"], 0);
    let (server, address) = start(&["-o", "slow_log_us=1", "-X"]);
    server.connect().ask("get SECRET\r\n", "END\r\n");
    let mut slow = Value::Null;
    assert!(wait_until(|| {
        slow = json(address, "/api/v1/slow")["slow"][0].clone();
        slow["command"] == "get"
    }));
    assert_eq!(slow["key"], "");
}

#[test]
fn workers_tell_what_they_do() {
    let (server, address) = start(&[]);
    let mut client = server.connect();
    let gets = "get k\r\n".repeat(10);
    let misses = "END\r\n".repeat(10);
    let mut thread = Value::Null;
    // A worker notes once a second what it has done.
    assert!(
        wait_until(|| {
            for _ in 0..100 {
                client.ask(&gets, &misses);
            }
            thread = json(address, "/api/v1/threads")["threads"][0].clone();
            let of = |name: &str| thread[name].as_f64().unwrap_or_default();
            of("busy_percent_10s") > 0.0 && of("requests_per_s_1m") > 0.0
        }),
        "{thread}"
    );
    assert!(
        thread["busy_percent_10s"]
            .as_f64()
            .is_some_and(|busy| busy <= 100.0)
    );
    assert_eq!(
        (&thread["worker"], &thread["name"]),
        (&0.into(), &"larder-w0".into())
    );
    assert_eq!(thread["curr_connections"], 1);
    let (turns, requests) = (thread["turns"].as_u64(), thread["requests"].as_u64());
    assert!(
        turns
            .zip(requests)
            .is_some_and(|(turns, requests)| requests >= 8 * turns),
        "{thread}"
    );
    let per_turn = thread["requests_per_turn"].as_f64();
    assert!(
        per_turn.is_some_and(|per_turn| (8.0..=10.0).contains(&per_turn)),
        "{thread}"
    );
    let listed = client.list("stats threads");
    assert!(
        listed
            .iter()
            .any(|line| line.starts_with("STAT 0:busy_percent_1m ")),
        "{listed:?}"
    );
}

#[test]
fn the_api_closes_clients_for_who_shows_the_token() {
    let token = text_file("0123456789abcdef\n");
    let path = token.path().to_str().expect("a path of letters");
    let (server, address) = start(&["--admin-token-file", path]);
    let mut client = server.connect();
    client.sync();
    let post = |query: &str, headers: &str| {
        let path = format!("/api/v1/client_kill{query}");
        request(address, "POST", &path, headers).status
    };
    let shown = "Authorization: Bearer 0123456789abcdef\r\n";
    assert_eq!(post("?client=1", ""), 403);
    for (query, status) in [("", 400), ("?client=all", 400), ("?client=77", 404)] {
        assert_eq!(post(query, shown), status, "{query}");
    }
    client.sync();
    assert_eq!(post("?client=1", shown), 200);
    client.expect_close();
}
