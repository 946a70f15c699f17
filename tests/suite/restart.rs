//! Items that outlive the process: what an orderly stop keeps, and what nothing else may bring back.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::process::Signal;

use crate::support::process::{is_root, patience, skip, wait_until};
use crate::support::server::run;
use crate::support::{Client, Server};

/// A folder with the path of a memory file in it.
struct Place {
    _folder: tempfile::TempDir,
    file: PathBuf,
    flag: String,
}

impl Place {
    fn new() -> Self {
        // Where memory files belong: in memory. On a disk all of this holds, and takes long.
        let folder = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir());
        let folder = folder.expect("a temporary folder");
        let file = folder.path().join("memory");
        Self {
            flag: format!("--memory-file={}", file.display()),
            file,
            _folder: folder,
        }
    }

    fn start(&self, flags: &[&str]) -> Server {
        let mut all = vec![self.flag.as_str(), "-v", "-A"];
        all.extend(flags);
        Server::start(&all)
    }

    fn meta(&self) -> PathBuf {
        self.file.with_extension("meta")
    }
}

fn stop(mut server: Server, signal: Signal) -> String {
    server.signal(signal);
    assert!(server.await_exit().success(), "{}", server.log());
    server.log()
}

#[test]
fn every_orderly_stop_keeps_items_with_all_that_belongs_to_them() {
    let place = Place::new();
    let server = place.start(&[]);
    let mut client = server.connect();
    let long = "l".repeat(300_000);
    client.ask("set plain 0 0 5\r\nvalue\r\n", "STORED\r\n");
    client.ask("set flags 4294967295 0 1\r\nv\r\n", "STORED\r\n");
    client.ask("set ttl 0 5000 1\r\nt\r\n", "STORED\r\n");
    client.ask("set seen 0 0 1\r\ns\r\n", "STORED\r\n");
    client.ask("get seen\r\n", "VALUE seen 0 1\r\ns\r\nEND\r\n");
    client.ask(format!("set long 7 0 300000\r\n{long}\r\n"), "STORED\r\n");
    client.ask("ms assigned 1 E998877\r\na\r\n", "HD\r\n");
    client.ask("ms c3RhbGU= 1 b T900\r\nx\r\n", "HD\r\n");
    client.ask("md c3RhbGU= b I\r\n", "HD\r\n");
    client.ask("set count 0 0 2\r\n41\r\n", "STORED\r\n");
    client.ask("set gone 0 0 1\r\ng\r\n", "STORED\r\n");
    client.ask("delete gone\r\n", "DELETED\r\n");
    let cas = client.command("mg plain c");
    let mut server = server;
    for how in ["USR1", "TERM", "INT", "shutdown"] {
        match how {
            "USR1" => server.signal(Signal::USR1),
            "TERM" => server.signal(Signal::TERM),
            "INT" => server.signal(Signal::INT),
            _ => server.connect().send("shutdown\r\n"),
        }
        assert!(server.await_exit().success(), "{how}: {}", server.log());
        assert!(server.log().contains("items are kept for the next start"));
        server = place.start(&[]);
        let mut client = server.connect();
        assert_eq!(client.command("mg plain c"), cas, "{how}");
        assert!(server.log().contains("items=8"), "{how}: {}", server.log());
        client.ask("mg plain h v\r\n", "VA 5 h1\r\nvalue\r\n");
        client.ask("mg flags f v\r\n", "VA 1 f4294967295\r\nv\r\n");
        let left = client.command("mg ttl t");
        let left_s: u32 = left.trim_start_matches("HD t").parse().expect("seconds");
        assert!((4000..=5000).contains(&left_s), "{how}: {left}");
        client.ask("mg seen h\r\n", "HD h1\r\n");
        client.ask(
            "mg long f s v\r\n",
            format!("VA 300000 f7 s300000\r\n{long}\r\n"),
        );
        client.ask("mg assigned c\r\n", "HD c998877\r\n");
        assert!(
            client
                .command("mg c3RhbGU= b s k")
                .starts_with("HD s1 kc3RhbGU= b")
        );
        client.ask("get gone\r\n", "END\r\n");
        assert_eq!(client.stat("curr_items"), 8, "{how}");
    }
    let mut client = server.connect();
    client.ask("incr count 1\r\n", "42\r\n");
    assert_eq!(
        client.find_stat("stats settings", "memory_file"),
        Some(place.file.display().to_string())
    );
}

#[test]
fn after_a_kill_nothing_is_kept_and_the_log_says_so() {
    let place = Place::new();
    let server = place.start(&[]);
    server.connect().ask("set k 0 0 1\r\nv\r\n", "STORED\r\n");
    stop(server, Signal::USR1);
    let mut server = place.start(&[]);
    server
        .connect()
        .ask("get k\r\n", "VALUE k 0 1\r\nv\r\nEND\r\n");
    server.signal(Signal::KILL);
    server.await_exit();
    let server = place.start(&[]);
    server.connect().ask("get k\r\n", "END\r\n");
    let log = server.log();
    assert!(
        log.contains("no items are kept from before: larderd was not stopped in order"),
        "{log}"
    );
}

#[test]
fn settings_that_cut_memory_otherwise_begin_empty_and_others_do_not() {
    let place = Place::new();
    let server = place.start(&["-t", "2", "-m", "100"]);
    server.connect().ask("set k 0 0 1\r\nv\r\n", "STORED\r\n");
    stop(server, Signal::TERM);
    let server = place.start(&["-t", "4", "-m", "200", "-o", "temporary_ttl=60"]);
    server
        .connect()
        .ask("get k\r\n", "VALUE k 0 1\r\nv\r\nEND\r\n");
    stop(server, Signal::TERM);
    let server = place.start(&["-m", "100", "-f", "1.5"]);
    server.connect().ask("get k\r\n", "END\r\n");
    assert!(
        server.log().contains("slab classes are others now"),
        "{}",
        server.log()
    );
}

#[test]
fn a_file_in_use_or_of_somebody_else_stops_the_start() {
    let place = Place::new();
    let server = place.start(&[]);
    let flags = ["-p", "0", "-l", "127.0.0.1", "-u", "root", &place.flag];
    let second = run(&flags, &[]);
    assert_eq!(second.code, Some(1), "{}", second.stderr);
    assert!(
        second
            .stderr
            .contains("(-e): another process has it locked"),
        "{}",
        second.stderr
    );
    stop(server, Signal::TERM);
    std::fs::remove_file(place.meta()).expect("a description");
    std::fs::write(&place.file, "a letter").expect("a file");
    let refused = run(&flags, &[]);
    assert!(
        refused.stderr.contains("larderd has not written"),
        "{}",
        refused.stderr
    );
}

/// Any part of a value tells whose it is.
fn value_of(key: &str, number: u64, size: usize) -> Vec<u8> {
    format!("{key}={number};")
        .into_bytes()
        .into_iter()
        .cycle()
        .take(size)
        .collect()
}

#[test]
fn a_file_that_was_changed_by_one_byte_or_cut_short_serves_nothing_wrong() {
    let place = Place::new();
    let server = place.start(&["-m", "8", "-I", "1m"]);
    let mut client = server.connect();
    for number in 0..40_u64 {
        let key = format!("k{number}");
        let value = value_of(&key, number, 20 << (number % 14));
        client.send(format!("set {key} 0 0 {}\r\n", value.len()));
        client.send(&value);
        client.ask("\r\n", "STORED\r\n");
    }
    stop(server, Signal::USR1);
    let meta = std::fs::read(place.meta()).expect("a description");
    // Behind what -m allows there is nothing but a promise of gigabytes.
    let mut file = vec![0; 16 << 20];
    let memory = std::fs::File::open(&place.file).expect("memory");
    memory.read_exact_at(&mut file, 0).expect("memory");
    let used = file.iter().rposition(|byte| *byte != 0).expect("items") + 1;
    let mut state = 0x1234_5678_9abc_def1_u64;
    let mut next = |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state % below as u64).expect("less than below")
    };
    let mut kept = 0;
    for round in 0..12 {
        std::fs::write(&place.file, &file[..used]).expect("memory");
        std::fs::write(place.meta(), &meta).expect("a description");
        let (path, size) = if round % 2 == 0 {
            (place.file.clone(), used)
        } else {
            (place.meta(), meta.len())
        };
        let damaged = std::fs::OpenOptions::new()
            .write(true)
            .read(true)
            .open(&path);
        let damaged = damaged.expect("a file");
        let at = next(size) as u64;
        if round % 3 == 2 {
            damaged.set_len(at.max(1)).expect("a shorter file");
        } else {
            let mut byte = [0];
            damaged.read_exact_at(&mut byte, at).expect("a byte");
            damaged
                .write_all_at(&[byte[0] ^ 0x10], at)
                .expect("another");
        }
        let server = place.start(&["-m", "8", "-I", "1m"]);
        let mut client = server.connect();
        let items = client.stat("curr_items");
        assert!(items == 0 || items == 40, "{items}: {}", server.log());
        assert_eq!(
            items == 0,
            server.log().contains("no items are kept from before")
        );
        if items == 40 {
            kept += 1;
            for number in 0..40_u64 {
                let key = format!("k{number}");
                let value = value_of(&key, number, 20 << (number % 14));
                client.send(format!("get {key}\r\n"));
                client.expect(format!("VALUE {key} 0 {}\r\n", value.len()));
                client.expect(&value);
                client.expect("\r\nEND\r\n");
            }
        }
    }
    assert!(kept < 12, "no damage was done");
}

/// One way to store: what was asked for, and the cas that was answered, if any was.
struct Stored {
    number: u64,
    size: usize,
    cas: Option<u64>,
}

/// What one client has done to keys of its own; the daemon may know less, and nothing else.
#[derive(Default)]
struct History {
    stored: HashMap<String, Vec<Stored>>,
    next: u64,
}

/// Keys of each client.
const KEY_COUNT: u64 = 150;

/// Requests under way at a time.
const DEPTH: u64 = 8;

impl History {
    fn size_of(number: u64) -> usize {
        let size = match number % 23 {
            0 => 120_000,
            1..4 => 9_000,
            _ => number * 7 % 900,
        };
        usize::try_from(20 + size).expect("a small number")
    }

    /// Stores until the daemon is gone. Every answer that comes is remembered.
    fn run(&mut self, client: u64, address: SocketAddr, answered: &AtomicU64) {
        let stream = TcpStream::connect(address).expect("a listener");
        stream
            .set_read_timeout(Some(patience()))
            .expect("a timeout");
        let mut writer = stream.try_clone().expect("a stream");
        let mut reader = BufReader::new(stream);
        loop {
            let mut keys = Vec::new();
            let mut batch = Vec::new();
            for _ in 0..DEPTH {
                self.next += 1;
                let number = self.next;
                let key = format!("c{client}k{}", number * 7919 % KEY_COUNT);
                let size = Self::size_of(number);
                batch.extend(format!("ms {key} {size} c\r\n").into_bytes());
                batch.extend(value_of(&key, number, size));
                batch.extend(b"\r\n");
                let cas = None;
                let history = self.stored.entry(key.clone()).or_default();
                history.push(Stored { number, size, cas });
                keys.push(key);
            }
            if writer.write_all(&batch).is_err() {
                return;
            }
            for key in keys {
                let mut line = String::new();
                match reader.read_line(&mut line) {
                    Ok(count) if count > 0 && line.ends_with('\n') => {}
                    _ => return,
                }
                let cas = line
                    .strip_prefix("HD c")
                    .and_then(|cas| cas.trim().parse().ok());
                assert!(cas.is_some(), "{line}");
                let history = self.stored.get_mut(&key).expect("a key of ours");
                let first = history.iter_mut().find(|stored| stored.cas.is_none());
                first.expect("an answer for each request").cas = cas;
                answered.fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    /// Compares what is served with what was stored. Returns how many keys there are.
    fn check(&mut self, client: &mut Client, orderly: bool) -> usize {
        let mut found = 0;
        for (key, history) in &mut self.stored {
            client.send(format!("mg {key} c s v\r\n"));
            let line = client.line();
            if line.trim_end() == "EN" {
                let was_stored = history.iter().any(|stored| stored.cas.is_some());
                assert!(!orderly || !was_stored, "{key} is lost");
                history.clear();
                continue;
            }
            found += 1;
            let words: Vec<&str> = line.split_whitespace().collect();
            let size: usize = words[1].parse().expect("a size");
            let cas: u64 = words[2][1..].parse().expect("a cas");
            let value = client.take(size);
            client.expect("\r\n");
            let stored = history.iter().rposition(|stored| {
                stored.size == size && value_of(key, stored.number, size) == value
            });
            let stored =
                stored.unwrap_or_else(|| panic!("{key} was never stored like that: {line}"));
            assert_eq!(history[stored].cas.unwrap_or(cas), cas, "{key}");
            let acknowledged = history.iter().rposition(|stored| stored.cas.is_some());
            assert!(
                acknowledged.is_none_or(|last| last <= stored),
                "{key} is older than answered"
            );
            let last = history.swap_remove(stored);
            *history = vec![Stored {
                cas: Some(cas),
                ..last
            }];
        }
        // What was asked for and not answered will not come any more.
        self.stored.retain(|_, history| !history.is_empty());
        found
    }
}

/// Ends of the daemon under load; `make soak` asks for more.
fn kill_count() -> u64 {
    let given = std::env::var("LARDER_KILLS").ok();
    given.and_then(|text| text.parse().ok()).unwrap_or(12)
}

#[test]
fn ends_of_any_kind_under_load_never_bring_back_what_was_not_stored() {
    let place = Place::new();
    let mut histories: Vec<History> = (0..3).map(|_| History::default()).collect();
    let mut kept = 0;
    for round in 0..kill_count() {
        let mut server = place.start(&["-t", "2", "-m", "96"]);
        let answered = AtomicU64::new(0);
        let address = server.address();
        std::thread::scope(|scope| {
            for (number, history) in (0..).zip(&mut histories) {
                let answered = &answered;
                scope.spawn(move || history.run(number, address, answered));
            }
            // Each round ends at another moment of what is going on.
            let until = 300 + round * 37 % 200;
            let busy = wait_until(|| answered.load(Ordering::Relaxed) > until);
            let signals = [Signal::USR1, Signal::KILL, Signal::TERM];
            server.signal(signals[usize::try_from(round % 3).expect("small")]);
            assert!(busy, "{}", server.log());
            server.await_exit();
        });
        let orderly = round % 3 != 1;
        assert_eq!(place.meta().exists(), orderly, "{}", server.log());
        let server = place.start(&["-t", "2", "-m", "96"]);
        let mut client = server.connect();
        let found: usize = histories
            .iter_mut()
            .map(|history| history.check(&mut client, orderly))
            .sum();
        assert_eq!(client.stat("curr_items"), found as u64);
        kept += found;
        stop(server, Signal::TERM);
    }
    assert!(kept > 0, "nothing was ever kept");
}

/// Bytes of a file on disk.
fn room_of(file: &Path) -> u64 {
    use std::os::unix::fs::MetadataExt;
    std::fs::metadata(file).expect("a file").blocks() * 512
}

#[test]
fn memory_that_is_given_back_leaves_the_file() {
    let place = Place::new();
    let server = place.start(&["-m", "64"]);
    let mut client = server.connect();
    let value = "v".repeat(100_000);
    for number in 0..500 {
        client.ask(
            format!("set k{number} 0 0 100000\r\n{value}\r\n"),
            "STORED\r\n",
        );
    }
    assert!(room_of(&place.file) > 40 << 20);
    client.ask("cache_memlimit 8\r\n", "OK\r\n");
    assert!(
        wait_until(|| room_of(&place.file) < 16 << 20),
        "{}",
        room_of(&place.file)
    );
}

#[test]
fn a_file_system_that_is_full_evicts_instead_of_ending_the_daemon() {
    // A tmpfs of 24 MiB in a mount namespace of its own, which needs root.
    let script = "mount -t tmpfs -o size=24m tmpfs \"$0\" && exec \"$@\"";
    let folder = tempfile::tempdir().expect("a folder");
    let port = crate::support::server::free_port();
    let mut command = std::process::Command::new("unshare");
    command.args(["-m", "sh", "-c", script]).arg(folder.path());
    command.arg(crate::support::server::larderd());
    command.args([
        "-u",
        "root",
        "-m",
        "64",
        "-l",
        "127.0.0.1",
        "-p",
        &port.to_string(),
    ]);
    command.arg("-e").arg(folder.path().join("memory"));
    command.stderr(std::process::Stdio::piped());
    if !is_root() {
        skip("only root may mount");
        return;
    }
    let mut child = command.spawn().expect("unshare");
    let address = SocketAddr::from(([127, 0, 0, 1], port));
    let served = wait_until(|| {
        TcpStream::connect(address).is_ok() || child.try_wait().is_ok_and(|s| s.is_some())
    });
    let ended = child.try_wait().expect("a child");
    if !served || ended.is_some() {
        let mut text = String::new();
        let _ = child.kill();
        let _read = child
            .stderr
            .take()
            .expect("a pipe")
            .read_to_string(&mut text);
        // A container may forbid mounts.
        assert!(text.contains("unshare") || text.contains("mount"), "{text}");
        skip(&text);
        return;
    }
    let mut client = Client::tcp(address);
    let value = "v".repeat(50_000);
    for number in 0..1000 {
        client.ask(
            format!("set k{number} 0 0 50000\r\n{value}\r\n"),
            "STORED\r\n",
        );
    }
    client.ask(
        "get k999\r\n",
        format!("VALUE k999 0 50000\r\n{value}\r\nEND\r\n"),
    );
    assert!(client.stat("evictions") > 500);
    let _ = child.kill();
    let _ = child.wait();
}
