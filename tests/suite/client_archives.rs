//! `larder dump` and `load`: items of one daemon go to another, of either kind, as they are.

use std::collections::BTreeMap;
use std::fs;
use std::process::{Command, Stdio};

use crate::support::Server;
use crate::support::program::{LARDER, fails, larder, says, tells};

/// What is known of an item: flags, expiry, and the value.
type Items = BTreeMap<Vec<u8>, (u32, u64, Vec<u8>)>;

/// Stores items of all sorts: with and without flags and expiry, large and empty, with keys that
/// no line could hold.
fn fill(server: &Server, count: usize) {
    let mut client = server.connect();
    let value: Vec<u8> = (0..=255).cycle().take(300_000).collect();
    for number in 0..count {
        let size = match number % 10 {
            0 => 0,
            1 if number < 100 => value.len(),
            other => other * 7,
        };
        let exptime = [0, 1000, 2_000_000_000_u64][number % 3];
        let flags = [0, 7, u32::MAX][number % 3];
        client.send(format!("set user:{number} {flags} {exptime} {size}\r\n"));
        client.send(&value[..size]);
        client.ask("\r\n", "STORED\r\n");
    }
    // Bytes that would end a line, base64 of what is text, and a byte that is none.
    client.ask("ms YSBiDQoA 3 b F5 T500\r\na\r\n\r\n", "HD\r\n");
    client.ask("ms cGxhaW4= 1 b\r\nv\r\n", "HD\r\n");
    client.send(b"set a%20\xff 0 0 1\r\nv\r\n");
    client.expect("STORED\r\n");
}

/// All items of a daemon, read as a client reads them.
fn items(server: &Server) -> Items {
    let address = server.address().to_string();
    let mut client = server.connect();
    let mut items = Items::new();
    let keys = says(&address, &["keys", "--json"]);
    for line in keys.lines() {
        let told: serde_json::Value = serde_json::from_str(line).expect("JSON");
        let (word, key, mark) = match (told["key"].as_str(), told["key_base64"].as_str()) {
            (Some(key), _) if !key.contains(['\r', ' ']) => {
                (key.as_bytes().to_vec(), key.as_bytes().to_vec(), "")
            }
            (Some(key), _) => (b"YSBiDQoA".to_vec(), key.as_bytes().to_vec(), " b"),
            (None, Some(text)) => (text.as_bytes().to_vec(), text.as_bytes().to_vec(), " b"),
            (None, None) => panic!("{line}"),
        };
        client.send([b"mg ", &word[..], mark.as_bytes(), b" s f v\r\n"].concat());
        let head = client.line();
        let words: Vec<&str> = head.split_whitespace().collect();
        let size: usize = words[1].parse().expect("a size");
        let flags = words[3][1..].parse().expect("flags");
        let value = client.take(size);
        client.expect("\r\n");
        let expires = told["expires"].as_u64().unwrap_or(0);
        items.insert(key, (flags, expires, value));
    }
    items
}

#[track_caller]
fn assert_same(left: &Items, right: &Items) {
    assert_eq!(left.len(), right.len());
    for (key, (flags, expires, value)) in left {
        let other = &right[key];
        assert_eq!((flags, value), (&other.0, &other.2), "{key:?}");
        // Each daemon counts seconds from a moment of its own, and tells those of 1970: either side
        // may be one off.
        assert!(
            expires.abs_diff(other.1) <= 2,
            "{key:?}: {expires} {}",
            other.1
        );
    }
}

#[test]
fn items_move_between_daemons_of_both_kinds_and_back_as_they_are() {
    let memcached = Server::memcached(&[]);
    let (one, two) = (Server::start(&[]), Server::start(&[]));
    let back = Server::memcached(&[]);
    fill(&memcached, 3000);
    let mut before = items(&memcached);
    assert_eq!(before.len(), 3003);
    let mut from = &memcached;
    for to in [&one, &two, &back] {
        let line = format!(
            "{LARDER} -s {} dump | {LARDER} -s {} load --json",
            from.address(),
            to.address()
        );
        let output = Command::new("/bin/sh").args(["-c", &line]).output();
        let output = output.expect("a shell");
        let said: serde_json::Value =
            serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{output:?}"));
        assert_eq!(said["items"], 3003, "{said}");
        assert_eq!(said["refused"], 0);
        let after = items(to);
        assert_same(&before, &after);
        (from, before) = (to, after);
    }
    // What clients see as base64 is seen so on the other side.
    for server in [&one, &back] {
        let mut client = server.connect();
        client.ask("mg cGxhaW4= b k\r\n", "HD kcGxhaW4= b\r\n");
        client.ask("mg user:2 k\r\n", "HD kuser:2\r\n");
    }
}

#[test]
fn a_dump_that_is_broken_off_goes_on_where_it_ended() {
    let (from, to) = (Server::start(&[]), Server::start(&[]));
    fill(&from, 300);
    let [from_at, to_at] = [&from, &to].map(|server| server.address().to_string());
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("items").to_string_lossy().into_owned();
    let load = ["load", &path];
    says(&from_at, &["dump", &path]);
    let whole = fs::read(&path).expect("an archive");
    fs::write(&path, &whole[..whole.len() / 2]).expect("a file");
    // What is there is loaded, and that it is not all is said.
    fails(&to_at, &load, 5, "broken off");
    let half = to.connect().stat("curr_items");
    assert!(half > 0 && half < 303, "{half}");
    says(&from_at, &["dump", "--resume", &path]);
    let resumed = fs::read(&path).expect("an archive");
    assert_eq!(resumed.len(), whole.len());
    // A second time there is nothing to add.
    let output = larder(&from_at, &["dump", "--resume", &path, "--json"], b"");
    let told: serde_json::Value = serde_json::from_slice(&output.stderr).expect("JSON");
    assert_eq!((&told["items"], &told["kept"]), (&0.into(), &303.into()));
    says(&to_at, &load);
    assert_same(&items(&from), &items(&to));
}

#[test]
fn a_load_goes_on_after_a_key_and_leaves_alone_what_is_there() {
    let (from, to) = (Server::start(&[]), Server::start(&[]));
    fill(&from, 300);
    let [from_at, to_at] = [&from, &to].map(|server| server.address().to_string());
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("items").to_string_lossy().into_owned();
    says(&from_at, &["dump", &path, "--prefix", "user:"]);
    let archive = fs::read(&path).expect("an archive");
    let lines = archive.split(|&byte| byte == b'\n');
    let keys: Vec<&[u8]> = lines
        .filter_map(|line| {
            line.strip_prefix(b"ms user:")?
                .split(|&byte| byte == b' ')
                .next()
        })
        .collect();
    assert_eq!(keys.len(), 300);
    let key = format!("user:{}", String::from_utf8_lossy(keys[99]));
    assert_eq!(
        tells(&to_at, &["load", &path, "--after", &key])["items"],
        200
    );
    assert_eq!(to.connect().stat("curr_items"), 200);
    let told = tells(&to_at, &["load", &path, "--add"]);
    assert_eq!(
        (&told["items"], &told["present"]),
        (&100.into(), &200.into())
    );
    fails(&to_at, &["load", &path, "--after", "none"], 1, "not found");
    fails(&to_at, &["load", "/none"], 5, "/none");
    fs::write(&path, "hello\r\n").expect("a file");
    fails(&to_at, &["load", &path], 5, "no archive");
}

#[test]
fn a_dump_is_spread_over_a_cluster_as_its_client_places_keys() {
    let from = Server::memcached(&[]);
    fill(&from, 3000);
    let all = items(&from);
    let nodes = [(); 3].map(|()| Server::start(&[]));
    let addresses = nodes.each_ref().map(|node| node.address().to_string());
    let several = addresses.join(",");
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name).to_string_lossy().into_owned();
    let archive = path("items");
    says(&from.address().to_string(), &["dump", &archive]);
    fails(&several, &["load", &archive], 2, "--placement");
    let placed = ["--placement", "ketama-weighted"];
    let load = [&placed[..], &["load", &archive]].concat();
    let told = tells(&several, &load);
    assert_eq!(told["items"], 3003, "{told}");
    for (index, node) in nodes.iter().enumerate() {
        let count = told["servers"][index]["items"].as_u64().expect("a count");
        assert_eq!(told["servers"][index]["server"], addresses[index]);
        assert!(count > 100, "{told}");
        assert_eq!(node.connect().stat("curr_items"), count);
    }
    for key in ["user:7", "user:8", "user:9", "base64:YSBiDQoA"] {
        says(&several, &[&placed[..], &["inspect", key]].concat());
    }
    let mut spread = Items::new();
    for node in &nodes {
        spread.extend(items(node));
    }
    assert_same(&all, &spread);

    // The other way round: of each node what the client would look for there, and no more.
    let mut others = addresses.iter();
    let other = others.find(|node| larder(node, &["get", "user:7"], b"").status.code() == Some(1));
    let other = other.expect("a node without the key");
    says(other, &["set", "user:7", "stray"]);
    says(&several, &["dump", &path("every")]);
    says(&several, &[&placed[..], &["dump", &path("owned")]].concat());
    let to = Server::start(&[]);
    let address = to.address().to_string();
    assert_eq!(tells(&address, &["load", &path("every")])["items"], 3004);
    assert_eq!(tells(&address, &["load", &path("owned")])["items"], 3003);
    assert_same(&all, &items(&to));

    // A node that is not there is known before anything is stored, and named.
    says(&several, &["flush", "--yes"]);
    let mut nodes = Vec::from(nodes);
    drop(nodes.pop());
    fails(&several, &load, 3, &addresses[2]);
    assert_eq!(says(&addresses[0], &["keys"]), "");
}

#[test]
fn a_load_over_several_daemons_goes_on_after_a_key() {
    let from = Server::start(&[]);
    fill(&from, 300);
    let nodes = [(); 2].map(|()| Server::start(&[]));
    let several = nodes.each_ref().map(|node| node.address().to_string());
    let several = several.join(",");
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("items").to_string_lossy().into_owned();
    says(&from.address().to_string(), &["dump", &path]);
    let whole = fs::read(&path).expect("an archive");
    fs::write(&path, &whole[..whole.len() / 2]).expect("a file");
    let load = ["--placement", "dalli", "load", &path];
    let output = larder(&several, &load, b"");
    assert_eq!(output.status.code(), Some(5));
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    let key = errors
        .split_once("--after ")
        .and_then(|(_, rest)| rest.split_whitespace().next());
    let key = key.unwrap_or_else(|| panic!("{errors}"));
    let half: u64 = nodes
        .iter()
        .map(|node| node.connect().stat("curr_items"))
        .sum();
    assert!(half > 0 && half < 303, "{half}");
    fs::write(&path, &whole).expect("a file");
    let told = tells(&several, &[&load[..], &["--after", key]].concat());
    assert_eq!(told["items"], 303 - half);
    let mut spread = Items::new();
    for node in &nodes {
        spread.extend(items(node));
    }
    assert_same(&items(&from), &spread);
}

#[test]
fn what_a_daemon_does_not_take_is_told() {
    let to = Server::start(&["-I", "2k"]);
    let address = to.address().to_string();
    let large = vec![b'x'; 5000];
    let archive = [
        &b"ms a 1\r\nv\r\nms large 5000 F1\r\n"[..],
        &large,
        b"\r\nms gone 1 T1000000\r\nv\r\nms b 1\r\nv\r\nmn\r\n",
    ]
    .concat();
    let output = larder(&address, &["load", "--json"], &archive);
    assert_eq!(output.status.code(), Some(1));
    let told: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!((&told["items"], &told["refused"]), (&2.into(), &1.into()));
    assert_eq!(told["expired"], 1);
    assert!(String::from_utf8_lossy(&output.stderr).contains("too large"));
    assert_eq!(says(&address, &["get", "b"]), "v");
}

#[test]
fn an_archive_can_be_fed_to_a_daemon_as_it_is() {
    let (from, to) = (Server::start(&[]), Server::start(&[]));
    fill(&from, 100);
    let child = Command::new(LARDER)
        .arg("dump")
        .env("LARDER_SERVER", from.address().to_string())
        .stderr(Stdio::null())
        .output();
    let mut client = to.connect();
    client.send(child.expect("a dump").stdout);
    for _ in 0..103 {
        client.expect("HD\r\n");
    }
    client.expect("MN\r\n");
    assert_same(&items(&from), &items(&to));
}
