//! Snapshots: what comes back from one, into which daemon, and what never does.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::os::unix::net::UnixDatagram;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::process::Signal;

use crate::admin::{admin_address, get, request};
use crate::support::process::wait_until;
use crate::support::program::{fails, says, tells};
use crate::support::server::run;
use crate::support::{Client, Server};

/// A folder with the path of a snapshot in it.
struct Place {
    folder: tempfile::TempDir,
    file: PathBuf,
}

impl Place {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        Self {
            file: folder.path().join("snapshot"),
            folder,
        }
    }

    fn flags<'f>(&'f self, flags: &[&'f str]) -> Vec<&'f str> {
        let file = self.file.to_str().expect("text");
        [&["-v", "-A", "--snapshot", file], flags].concat()
    }

    /// A daemon that serves: the file has been read.
    fn start(&self, flags: &[&str]) -> Server {
        let server = Server::start(&self.flags(flags));
        server.connect().sync();
        server
    }

    /// Everything in the folder.
    fn names(&self) -> Vec<String> {
        let files = std::fs::read_dir(self.folder.path()).expect("a folder");
        let name = |entry: std::fs::DirEntry| entry.file_name().to_string_lossy().into_owned();
        let mut names: Vec<String> = files.map(|entry| name(entry.expect("a file"))).collect();
        names.sort();
        names
    }
}

fn own_stat(server: &Server, name: &str) -> u64 {
    let text = server.connect().find_stat("stats larder", name);
    text.and_then(|text| text.parse().ok())
        .unwrap_or_else(|| panic!("stats larder has no number {name}"))
}

/// Has a snapshot written, and waits until it is there.
#[track_caller]
fn take(server: &Server) {
    let before = own_stat(server, "snapshots");
    server.signal(Signal::USR2);
    let taken = wait_until(|| own_stat(server, "snapshots") > before);
    assert!(taken, "{}", server.log());
}

fn kill(mut server: Server) {
    server.signal(Signal::KILL);
    server.await_exit();
}

fn stop(mut server: Server, signal: Signal) -> String {
    server.signal(signal);
    assert!(server.await_exit().success(), "{}", server.log());
    server.log()
}

#[test]
fn what_was_in_it_outlives_a_kill_in_a_daemon_of_any_shape() {
    let place = Place::new();
    let server = place.start(&["-m", "100", "-I", "8m"]);
    let mut client = server.connect();
    let large = "abcdefg".repeat(1_000_000);
    let middle = "m".repeat(60_000);
    client.ask("set plain 0 0 5\r\nvalue\r\n", "STORED\r\n");
    client.ask("set empty 0 0 0\r\n\r\n", "STORED\r\n");
    client.ask("set flags 4294967295 0 1\r\nv\r\n", "STORED\r\n");
    client.ask("set ttl 0 5000 1\r\nt\r\n", "STORED\r\n");
    client.ask("set soon 0 1 1\r\ns\r\n", "STORED\r\n");
    client.ask("ms assigned 1 E998877\r\na\r\n", "HD\r\n");
    client.ask("ms c3RhbGU= 1 b T900\r\nx\r\n", "HD\r\n");
    client.ask("md c3RhbGU= b I\r\n", "HD\r\n");
    client.ask("set seen 0 0 1\r\ns\r\n", "STORED\r\n");
    client.ask("get seen\r\n", "VALUE seen 0 1\r\ns\r\nEND\r\n");
    client.ask(
        format!("set middle 3 0 60000\r\n{middle}\r\n"),
        "STORED\r\n",
    );
    client.ask(
        format!("set large 7 0 7000000\r\n{large}\r\n"),
        "STORED\r\n",
    );
    let cas: Vec<String> = ["plain", "large", "ttl"]
        .map(|key| client.command(&format!("mg {key} c")))
        .into();
    take(&server);
    assert_eq!(place.names(), ["snapshot"]);
    let mode = std::fs::metadata(&place.file).expect("a snapshot").mode();
    assert_eq!(mode & 0o777, 0o600);
    client.ask("set after 0 0 1\r\na\r\n", "STORED\r\n");
    kill(server);
    for flags in [
        &["-m", "400", "-I", "16m", "-t", "1"][..],
        &[
            "-f",
            "1.08",
            "-I",
            "8m",
            "-o",
            "slab_chunk_max=64",
            "-t",
            "4",
        ],
        &[
            "-m",
            "2048",
            "-n",
            "200",
            "-I",
            "8m",
            "-o",
            "no_lru_maintainer",
        ],
    ] {
        let server = place.start(flags);
        let mut client = server.connect();
        client.ask("mg plain h v\r\n", "VA 5 h1\r\nvalue\r\n");
        client.ask("mg empty h v\r\n", "VA 0 h0\r\n\r\n");
        client.ask("mg flags f v\r\n", "VA 1 f4294967295\r\nv\r\n");
        let left = client.command("mg ttl t");
        let left_s: u32 = left.trim_start_matches("HD t").parse().expect("seconds");
        assert!((4000..=5000).contains(&left_s), "{left}");
        client.ask("mg assigned c\r\n", "HD c998877\r\n");
        client.ask("mg seen h\r\n", "HD h1\r\n");
        let stale = client.command("mg c3RhbGU= b s k");
        assert!(stale.starts_with("HD s1 kc3RhbGU= b"), "{stale}");
        client.ask("mg middle f v\r\n", format!("VA 60000 f3\r\n{middle}\r\n"));
        client.ask("mg large f v\r\n", format!("VA 7000000 f7\r\n{large}\r\n"));
        for (key, cas) in ["plain", "large", "ttl"].iter().zip(&cas) {
            assert_eq!(client.command(&format!("mg {key} c")), *cas, "{key}");
        }
        client.ask("get after\r\n", "END\r\n");
        // What is stored now is newer than all that was.
        client.ask("set newer 0 0 1\r\nn\r\n", "STORED\r\n");
        let number = |line: &str| {
            line.trim_start_matches("HD c")
                .parse::<u64>()
                .expect("a cas")
        };
        let newer = number(&client.command("mg newer c"));
        assert!(cas.iter().all(|cas| number(cas) < newer), "{newer}");
        kill(server);
    }
}

#[test]
fn every_orderly_stop_writes_one_and_what_was_deleted_stays_deleted() {
    let place = Place::new();
    let server = place.start(&[]);
    server.connect().ask("set k0 0 0 1\r\nv\r\n", "STORED\r\n");
    take(&server);
    let mut server = server;
    for (number, how) in ["USR1", "TERM", "INT", "shutdown"].iter().enumerate() {
        let mut client = server.connect();
        client.ask(format!("delete k{number}\r\n"), "DELETED\r\n");
        let next = number + 1;
        client.ask(format!("set k{next} 0 0 1\r\nv\r\n"), "STORED\r\n");
        drop(client);
        match *how {
            "USR1" => server.signal(Signal::USR1),
            "TERM" => server.signal(Signal::TERM),
            "INT" => server.signal(Signal::INT),
            _ => server.connect().send("shutdown\r\n"),
        }
        assert!(server.await_exit().success(), "{how}: {}", server.log());
        server = place.start(&[]);
        let mut client = server.connect();
        client.ask(format!("get k{number}\r\n"), "END\r\n");
        client.ask(format!("mg k{next} v\r\n"), "VA 1\r\nv\r\n");
        assert_eq!(client.stat("curr_items"), 1, "{how}");
        assert_eq!(own_stat(&server, "snapshot_restored_items"), 1);
    }
    server.connect().ask("flush_all\r\n", "OK\r\n");
    stop(server, Signal::TERM);
    let server = place.start(&[]);
    server.connect().ask("get k4\r\n", "END\r\n");
    assert_eq!(server.connect().stat("curr_items"), 0);
}

/// Any part of a value tells whose it is.
fn value_of(key: &str, number: u64) -> Vec<u8> {
    let size = match number % 29 {
        0 => 300_000,
        1..5 => 9_000,
        _ => 20 + number * 7 % 900,
    };
    let size = usize::try_from(size).expect("a small number");
    let text = format!("{key}={number};").into_bytes();
    text.into_iter().cycle().take(size).collect()
}

/// Stores under keys of its own until the daemon is gone.
fn load(client: u64, address: SocketAddr, answered: &AtomicU64) {
    let mut stream = TcpStream::connect(address).expect("a listener");
    for number in 0.. {
        let key = format!("c{client}k{}", number * 7919 % 400);
        let value = value_of(&key, number);
        let line = format!("set {key} 0 0 {}\r\n", value.len());
        let request = [line.as_bytes(), &value, b"\r\n"].concat();
        let mut answer = [0; 8];
        if stream.write_all(&request).is_err() || stream.read_exact(&mut answer).is_err() {
            return;
        }
        assert_eq!(&answer, b"STORED\r\n");
        answered.fetch_add(1, Ordering::Relaxed);
    }
}

#[test]
fn every_value_is_whole_after_kills_under_load() {
    let place = Place::new();
    let mut restored = 0;
    for round in 0..3 {
        let flags = ["-m", "64", "-t", "2", "-o", "snapshot_rate=0"];
        let server = place.start(if round % 2 == 0 { &flags } else { &flags[..4] });
        let mut client = server.connect();
        let mut found = 0;
        for owner in 0..3 {
            for slot in 0..400 {
                let key = format!("c{owner}k{slot}");
                client.send(format!("mg {key} v\r\n"));
                let line = client.line();
                if line == "EN" {
                    continue;
                }
                found += 1;
                let size = line.trim_start_matches("VA ").parse().expect("a size");
                let value = client.take(size);
                client.expect("\r\n");
                let text = String::from_utf8_lossy(&value);
                let number = text.split(['=', ';']).nth(1).expect("a number");
                let number = number.parse().expect("a number");
                assert!(value == value_of(&key, number), "{key} of {number} is torn");
            }
        }
        restored += found;
        assert!(round == 0 || found > 0, "{}", server.log());
        let answered = AtomicU64::new(0);
        let address = server.address();
        std::thread::scope(|scope| {
            for client in 0..3 {
                let answered = &answered;
                scope.spawn(move || load(client, address, answered));
            }
            for _ in 0..2 {
                let before = answered.load(Ordering::Relaxed);
                assert!(wait_until(
                    || answered.load(Ordering::Relaxed) > before + 400
                ));
                take(&server);
            }
            // The last one is cut off where it stands.
            server.signal(Signal::USR2);
            kill(server);
        });
    }
    assert!(restored > 100, "{restored}");
}

#[test]
fn a_disk_that_is_full_costs_a_snapshot_and_nothing_else() {
    let place = Place::new();
    // Blocks of 512 bytes.
    let server = Server::start_after("ulimit -f 200", &place.flags(&[]));
    let mut client = server.connect();
    client.ask("set k 0 0 5\r\nfirst\r\n", "STORED\r\n");
    take(&server);
    let first = std::fs::read(&place.file).expect("a snapshot");
    client.ask("set k 0 0 5\r\nnewer\r\n", "STORED\r\n");
    let value = "v".repeat(300_000);
    client.ask(format!("set large 0 0 300000\r\n{value}\r\n"), "STORED\r\n");
    server.signal(Signal::USR2);
    assert!(wait_until(|| own_stat(&server, "snapshot_failures") == 1));
    assert!(
        server
            .log()
            .contains("snapshot not written, the one before stays")
    );
    assert_eq!(std::fs::read(&place.file).expect("a snapshot"), first);
    assert_eq!(place.names(), ["snapshot"]);
    client.ask("get k\r\n", "VALUE k 0 5\r\nnewer\r\nEND\r\n");
    client.ask("delete large\r\n", "DELETED\r\n");
    take(&server);
    kill(server);
    let server = place.start(&[]);
    server
        .connect()
        .ask("get k\r\n", "VALUE k 0 5\r\nnewer\r\nEND\r\n");
}

#[test]
fn a_damaged_file_is_not_read_and_said_so_once() {
    let place = Place::new();
    let server = place.start(&[]);
    let mut client = server.connect();
    for number in 0..300 {
        let line = format!("set k{number} 0 0 2000\r\n{}\r\n", "v".repeat(2000));
        client.ask(line, "STORED\r\n");
    }
    stop(server, Signal::TERM);
    let whole = std::fs::read(&place.file).expect("a snapshot");
    let size = whole.len() as u64;
    let damage: [&dyn Fn(&std::fs::File); 4] = [
        &|file| file.write_all_at(b"x", size / 2).expect("a byte"),
        &|file| file.set_len(size / 2).expect("a shorter file"),
        &|file| file.write_all_at(b"9", 14).expect("another version"),
        &|file| file.write_all_at(b"x", size - 30).expect("a byte"),
    ];
    for (number, damage) in damage.iter().enumerate() {
        std::fs::write(&place.file, &whole).expect("a snapshot");
        damage(
            &std::fs::File::options()
                .write(true)
                .open(&place.file)
                .expect("a file"),
        );
        let server = place.start(&[]);
        let mut client = server.connect();
        client.ask("get k1 k150 k299\r\n", "END\r\n");
        client.await_stat("curr_items", |items| items == 0);
        let log = server.log();
        let told = log.matches("warn  no items are restored").count();
        assert_eq!(told, 1, "{number}: {log}");
        client.ask("set k 0 0 1\r\nv\r\n", "STORED\r\n");
        kill(server);
    }
    std::fs::write(&place.file, &whole).expect("a snapshot");
    let server = place.start(&[]);
    assert_eq!(server.connect().stat("curr_items"), 300);
}

#[test]
fn a_file_that_cannot_be_used_stops_the_start_and_is_left_alone() {
    let place = Place::new();
    std::fs::write(&place.file, "a letter").expect("a file");
    let flags = ["-p", "-1", "-l", "127.0.0.1", "-u", "root", "--snapshot"];
    let file = place.file.to_str().expect("text");
    let refused = run(&[&flags[..], &[file]].concat(), &[]);
    assert_eq!(refused.code, Some(1));
    assert!(
        refused
            .stderr
            .contains("(--snapshot): larderd has not written"),
        "{}",
        refused.stderr
    );
    assert_eq!(std::fs::read(&place.file).expect("a file"), b"a letter");
    let nowhere = place.folder.path().join("no/snapshot");
    let refused = run(
        &[&flags[..], &[nowhere.to_str().expect("text")]].concat(),
        &[],
    );
    assert!(
        refused.stderr.contains("(--snapshot): "),
        "{}",
        refused.stderr
    );
    let folder = place.folder.path().to_str().expect("text");
    let refused = run(&[&flags[..], &[folder]].concat(), &[]);
    assert!(
        refused.stderr.contains("no regular file"),
        "{}",
        refused.stderr
    );
    let refused = run(&["--snapshot-interval", "5"], &[]);
    assert_eq!(refused.code, Some(64), "{}", refused.stderr);
}

#[test]
fn one_is_written_by_itself_when_it_is_due() {
    let place = Place::new();
    let server = place.start(&["--snapshot-interval", "1"]);
    server.connect().ask("set k 0 0 1\r\nv\r\n", "STORED\r\n");
    assert!(wait_until(|| own_stat(&server, "snapshots") >= 2));
    assert_eq!(own_stat(&server, "snapshot_last_items"), 1);
    assert!(own_stat(&server, "snapshot_last_time") > 1_700_000_000);
    kill(server);
    let server = place.start(&[]);
    server
        .connect()
        .ask("get k\r\n", "VALUE k 0 1\r\nv\r\nEND\r\n");
}

#[test]
fn items_kept_in_memory_are_newer_and_without_them_the_snapshot_counts() {
    let place = Place::new();
    let memory = tempfile::tempdir_in("/dev/shm").expect("memory");
    let memory_file = memory.path().join("memory");
    let flags = ["-e", memory_file.to_str().expect("text")];
    let server = place.start(&flags);
    server.connect().ask("set k 0 0 1\r\n1\r\n", "STORED\r\n");
    let cas = server.connect().command("mg k c");
    stop(server, Signal::TERM);
    let server = place.start(&flags);
    assert_eq!(server.connect().command("mg k c"), cas);
    assert!(
        server.log().contains("the snapshot is not read"),
        "{}",
        server.log()
    );
    server.connect().ask("set k 0 0 1\r\n2\r\n", "STORED\r\n");
    take(&server);
    server.connect().ask("set k 0 0 1\r\n3\r\n", "STORED\r\n");
    kill(server);
    let server = place.start(&flags);
    server
        .connect()
        .ask("get k\r\n", "VALUE k 0 1\r\n2\r\nEND\r\n");
    assert!(server.log().contains("no items are kept from before"));
    stop(server, Signal::TERM);
    let server = place.start(&flags);
    server
        .connect()
        .ask("get k\r\n", "VALUE k 0 1\r\n2\r\nEND\r\n");
}

#[test]
fn the_admin_listener_has_one_written_for_who_shows_the_token() {
    let place = Place::new();
    let token = place.folder.path().join("token");
    std::fs::write(&token, "a-token-of-some-length\n").expect("a token");
    let flags = [
        "--admin",
        "127.0.0.1:0",
        "--admin-token-file",
        token.to_str().expect("text"),
    ];
    let server = place.start(&flags);
    let address = admin_address(&server);
    let bearer = "Authorization: Bearer a-token-of-some-length\r\n";
    let post = |headers: &str| request(address, "POST", "/api/v1/snapshot", headers);
    server.connect().ask("set k 0 0 1\r\nv\r\n", "STORED\r\n");
    assert_eq!(post(&bearer.replace("a-token", "another")).status, 401);
    let answer = post(bearer);
    assert_eq!(
        (answer.status, answer.body.as_str()),
        (200, "a snapshot is being written\n")
    );
    assert!(wait_until(|| own_stat(&server, "snapshots") == 1));
    let metrics = request(address, "GET", "/metrics", bearer).body;
    for line in [
        "larder_snapshots_total 1",
        "larder_snapshot_failures_total 0",
        "larder_snapshot_in_progress 0",
        "larder_snapshot_last_items 1",
    ] {
        assert!(metrics.lines().any(|found| found == line), "{line}");
    }
    assert_eq!(get(address, "/readyz").status, 200);
    let without = Server::start(&[&["-v"], &flags[..]].concat());
    let refused = request(admin_address(&without), "POST", "/api/v1/snapshot", bearer);
    assert_eq!(refused.status, 403, "{}", refused.body);
    without.signal(Signal::USR2);
    assert!(wait_until(|| without
        .log()
        .contains("there is no file to write")));
    without.connect().sync();
}

#[test]
fn the_client_program_waits_until_one_is_written() {
    let place = Place::new();
    let server = place.start(&[]);
    let address = server.address().to_string();
    server.connect().ask("set k 0 0 1\r\nv\r\n", "STORED\r\n");
    let size = |place: &Place| std::fs::metadata(&place.file).expect("a snapshot").len();
    let told = tells(&address, &["snapshot"]);
    assert_eq!(
        (&told["items"], &told["bytes"]),
        (&1.into(), &size(&place).into())
    );
    assert!(says(&address, &["snapshot"]).starts_with("1 items in "));
    // A folder that is gone is no place to write to.
    std::fs::rename(
        place.folder.path(),
        place.folder.path().with_extension("away"),
    )
    .expect("another name");
    let refused = "could not be written";
    fails(&address, &["snapshot"], 1, refused);
    std::fs::rename(
        place.folder.path().with_extension("away"),
        place.folder.path(),
    )
    .expect("its own name");
    let without = Server::start(&[]);
    let address = without.address().to_string();
    fails(&address, &["snapshot"], 1, "snapshots not enabled");
    without
        .connect()
        .ask("snapshot\r\n", "CLIENT_ERROR snapshots not enabled\r\n");
}

#[test]
fn a_confined_daemon_writes_them_too() {
    let place = Place::new();
    let server = place.start(&["-o", "drop_privileges"]);
    server.connect().ask("set k 0 0 1\r\nv\r\n", "STORED\r\n");
    take(&server);
    let log = stop(server, Signal::TERM);
    assert_eq!(log.matches("snapshot written").count(), 2, "{log}");
}

#[test]
fn a_service_manager_is_asked_for_time() {
    let place = Place::new();
    let path = place.folder.path().join("notify");
    let socket = UnixDatagram::bind(&path).expect("a socket");
    let environment = [("NOTIFY_SOCKET", path.to_str().expect("text"))];
    let server = Server::start_with(&place.flags(&[]), &environment);
    let mut buffer = [0; 512];
    let mut hear = || {
        let count = socket.recv(&mut buffer).expect("to be told something");
        String::from_utf8_lossy(&buffer[..count]).into_owned()
    };
    assert_eq!(
        hear(),
        "EXTEND_TIMEOUT_USEC=60000000\nSTATUS=Reading the snapshot\n"
    );
    assert!(hear().starts_with("READY=1\n"));
    stop(server, Signal::TERM);
    assert!(hear().starts_with("STOPPING=1\n"));
    assert_eq!(
        hear(),
        "EXTEND_TIMEOUT_USEC=60000000\nSTATUS=Writing the snapshot\n"
    );
}

/// Two daemons with one file.
#[test]
fn somebody_elses_half_written_file_is_not_touched() {
    let place = Place::new();
    let server = place.start(&[]);
    let new = place.file.with_file_name("snapshot.new");
    let other = std::fs::File::create(&new).expect("a file");
    rustix::fs::flock(&other, rustix::fs::FlockOperation::LockExclusive).expect("a lock");
    (&other).write_all(b"half").expect("to write");
    server.signal(Signal::USR2);
    assert!(wait_until(|| own_stat(&server, "snapshot_failures") == 1));
    assert!(
        server.log().contains("another process is writing it"),
        "{}",
        server.log()
    );
    assert_eq!(std::fs::read(&new).expect("a file"), b"half");
    let mut client = Client::tcp(server.address());
    client.sync();
}
