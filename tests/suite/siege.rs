//! Attacks that take time, numbers or a peer that does not read. After each, another client is
//! served, and nothing is left behind: no item, no connection, no memory beyond a bound.

use std::path::Path;

use rustix::process::Signal;

use crate::support::packet::{Packet, Reply, header};
use crate::support::process::{patience, resident_size, settled_size, wait_until};
use crate::support::{Client, Server, text_file};

const MIB: u64 = 1 << 20;

/// A daemon, a client that looks on, and what there was before the attack.
struct Siege {
    server: Server,
    witness: Client,
    connections: u64,
    size: u64,
}

impl Siege {
    fn begin(flags: &[&str]) -> Self {
        let server = Server::start(flags);
        let mut witness = server.connect();
        let connections = witness.stat("curr_connections");
        let size = settled_size(server.pid());
        Self {
            server,
            witness,
            connections,
            size,
        }
    }

    /// Everybody has gone but the witness; so much memory and so many items may be left.
    #[track_caller]
    fn end(&mut self, growth_max: u64, items: u64) {
        let connections = self.connections;
        self.witness
            .await_stat("curr_connections", |now| now <= connections);
        self.witness
            .ask("set sentinel 0 0 1\r\ns\r\n", "STORED\r\n");
        self.server
            .connect()
            .ask("get sentinel\r\n", "VALUE sentinel 0 1\r\ns\r\nEND\r\n");
        assert_eq!(self.witness.stat("curr_items"), items + 1);
        let growth = resident_size(self.server.pid()).saturating_sub(self.size);
        assert!(growth <= growth_max, "grew by {growth} bytes");
    }
}

fn name(path: &Path) -> &str {
    path.to_str().expect("a path of letters")
}

#[test]
fn gets_whose_replies_nobody_reads_survive_what_becomes_of_their_key() {
    const COUNT: usize = 70_000;
    const SIZE: usize = 2_000;
    let mut siege = Siege::begin(&[]);
    let mut client = siege.server.connect();
    client.send(Packet::store(0x01, "k", vec![b'a'; SIZE]).bytes(0));
    assert_eq!(Reply::take(&mut client).expect("a reply").status, 0);
    // All requests are sent from another thread: the daemon stops to read them at some point.
    let request = Packet::new(0x0c, "k").bytes(4);
    let mut sender = client.second();
    let sending = std::thread::spawn(move || sender.try_send(request.repeat(COUNT)));
    // Once replies come, the key gets other values, goes, and comes back.
    let mut replies = vec![Reply::take(&mut client).expect("a reply")];
    for value in ["b", "c"] {
        let text = value.repeat(SIZE);
        siege
            .witness
            .ask(format!("set k 0 0 {SIZE}\r\n{text}\r\n"), "STORED\r\n");
        siege.witness.ask("delete k\r\n", "DELETED\r\n");
        siege
            .witness
            .ask(format!("set k 0 0 {SIZE}\r\n{text}\r\n"), "STORED\r\n");
    }
    let growth = resident_size(siege.server.pid()).saturating_sub(siege.size);
    assert!(growth < 16 * MIB, "grew by {growth} bytes");
    // Each reply is one whole value, whichever it was.
    let mut seen = [0; 3];
    for _ in 0..COUNT {
        let next = replies.pop().or_else(|| Reply::take(&mut client));
        let reply = next.expect("a reply");
        if reply.status == 1 {
            // Between one value and the next.
            continue;
        }
        let first = reply.value.first().copied().unwrap_or(b'?');
        assert!(
            reply.status == 0 && reply.value.len() == SIZE,
            "{}",
            reply.status
        );
        assert!(reply.value.iter().all(|&byte| byte == first));
        seen[usize::from(first - b'a')] += 1;
    }
    assert!(seen[0] > 0 && seen[2] > 0, "{seen:?}");
    assert!(sending.join().expect("a thread"));
    drop(client);
    siege.end(16 * MIB, 1);
}

#[test]
fn packets_are_told_that_memory_is_full() {
    let mut siege = Siege::begin(&["-M", "-m", "8"]);
    let mut client = siege.server.connect();
    let mut refused = 0;
    for number in 0..1500 {
        let key = format!("key{number}");
        client.send(Packet::store(0x01, &key, vec![b'v'; 10_000]).bytes(number));
        let reply = Reply::take(&mut client).expect("a reply");
        assert_eq!(reply.opaque, number);
        match reply.status {
            0 => {}
            0x82 => refused += 1,
            other => panic!("{other:#x}"),
        }
    }
    assert!(refused > 500, "{refused}");
    // A quiet one says so too, and the conversation is in step.
    client.send(Packet::store(0x11, "quiet", vec![b'v'; 10_000]).bytes(1));
    client.send(Packet::new(0x0a, "").bytes(2));
    let statuses = [(); 2].map(|()| Reply::take(&mut client).expect("a reply").status);
    assert_eq!(statuses, [0x82, 0]);
    client.send(Packet::new(0x08, "").bytes(3));
    assert_eq!(Reply::take(&mut client).expect("a reply").status, 0);
    drop(client);
    // Room for another size comes with the next step of upkeep.
    siege.witness.await_stat("curr_items", |items| items == 0);
    siege.end(16 * MIB, 0);
}

#[test]
fn values_that_are_announced_and_never_sent_cost_little() {
    let mut siege = Siege::begin(&["-m", "64"]);
    let mut clients = Vec::new();
    for number in 0..300 {
        let mut client = siege.server.connect();
        if number % 2 == 0 {
            client.send(header(0x01, 3, 8, 1_000_011, 0));
            client.send(b"\0\0\0\0\0\0\0\0keyvalue");
        } else {
            client.send(format!("set key{number} 0 0 1000000\r\nvalue"));
        }
        clients.push(client);
    }
    siege
        .witness
        .await_stat("curr_connections", |now| now > 300);
    siege.witness.sync();
    let growth = resident_size(siege.server.pid()).saturating_sub(siege.size);
    // 300 MB were announced; a page or so for each is what an upload begins with.
    assert!(growth < 40 * MIB, "grew by {growth} bytes");
    drop(clients);
    siege.end(40 * MIB, 0);
}

#[test]
fn strangers_that_never_read_are_told_little_and_closed() {
    let file = text_file("foo:bar\n");
    let server = Server::start(&["-Y", name(file.path())]);
    let size = settled_size(server.pid());
    for request in [&b"get a\r\n"[..], b"set a 0 0 2147483646\r\n", b"mn\r\n"] {
        let mut client = server.connect();
        for _ in 0..100 {
            if !client.try_send(request.repeat(10_000)) {
                break;
            }
        }
        let said = client.drain(std::time::Duration::from_secs(5));
        assert!(
            client.ended(),
            "{} is heard for ever",
            request.escape_ascii()
        );
        assert!(said.len() <= 4200, "{} bytes", said.len());
    }
    let mut client = server.connect();
    client.ask("set _ _ _ 7\r\nfoo bar\r\n", "STORED\r\n");
    assert_eq!(client.stat("curr_items"), 0);
    let growth = resident_size(server.pid()).saturating_sub(size);
    assert!(growth < 8 * MIB, "grew by {growth} bytes");
}

#[test]
fn what_is_no_login_is_never_served() {
    let file = text_file("foo:bar\n");
    let server = Server::start(&["-Y", name(file.path())]);
    let long = format!("set {} 0 0 7\r\nfoo bar\r\n", "k".repeat(2000));
    let whole = format!("set _ 0 0 16385\r\n{}\r\n", "x".repeat(16_385));
    let none: Vec<&[u8]> = vec![
        &[b'\n'; 64],
        b"\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n",
        b"a\n",
        b"set\n",
        b"set \n",
        b"set k 0 0 7\nfoo bar\n",
        b"set k 0 0 -1\r\nfoo bar\r\n",
        b"set k 0 0 2147483646\r\nfoo bar\r\n",
        b"set k 0 0 6\r\nfoobar\r\n",
        b"set k 0 0 7\r\nfoo\0bar\r\n",
        b"set k 0 0 6\r\nfoo ba\r\n",
        b"set k 0 0 8\r\nfoo barx\r\n",
        b"set k 0 0 0\r\n\r\n",
        b"set k 0 0 7 noreply\r\nfoo baz\r\n",
        b"get foo bar\r\n",
        b"\x80\x00",
        long.as_bytes(),
        whole.as_bytes(),
    ];
    for request in none {
        let mut client = server.connect();
        client.try_send(request);
        client.try_send("get sentinel\r\nquit\r\n");
        let said = client.rest();
        let text = String::from_utf8_lossy(&said);
        let request = &request[..request.len().min(40)];
        let served = text.contains("END") || text.contains("STORED") || text.contains("HD");
        assert!(!served, "{}: {text}", request.escape_ascii());
        // Somebody who logs in is served all the same.
        let mut client = server.connect();
        client.ask("set _ _ _ 7\r\nfoo bar\r\n", "STORED\r\n");
        client.ask("get sentinel\r\n", "END\r\n");
    }
}

#[test]
fn users_are_read_again_while_others_log_in() {
    let file = text_file("foo:bar\n");
    let server = Server::start(&["-Y", name(file.path())]);
    std::thread::scope(|scope| {
        let clients: Vec<_> = (0..4)
            .map(|_| {
                scope.spawn(|| {
                    for _ in 0..50 {
                        let mut client = server.connect();
                        client.ask("set _ 0 0 7\r\nfoo bar\r\n", "STORED\r\n");
                        client.ask("get none\r\n", "END\r\n");
                    }
                })
            })
            .collect();
        let mut round = 0;
        while clients.iter().any(|client| !client.is_finished()) {
            round += 1;
            // Replaced in one step, as one who edits a file that is read should.
            let next = text_file(&format!("foo:bar\nuser{round}:x\n"));
            std::fs::rename(next.path(), file.path()).expect("a file of ours");
            server.signal(Signal::HUP);
        }
    });
    server
        .connect()
        .ask("set _ 0 0 7\r\nfoo bar\r\n", "STORED\r\n");
}

#[test]
fn watchers_come_and_go_unread_while_much_happens() {
    let mut siege = Siege::begin(&[]);
    std::thread::scope(|scope| {
        let writer = scope.spawn(|| {
            let mut client = siege.server.connect();
            for round in 0..300 {
                let set = format!("set k{round} 0 0 1 noreply\r\nv\r\ndelete k{round} noreply\r\n");
                client.send(set.repeat(20));
                client.sync();
            }
        });
        while !writer.is_finished() {
            let mut watchers: Vec<Client> = (0..10).map(|_| siege.server.connect()).collect();
            for watcher in &mut watchers {
                watcher.send("watch fetchers mutations evictions connevents deletions\r\n");
            }
            // Half of them wait for the first word, the others leave at once.
            for watcher in &mut watchers[..5] {
                assert_eq!(watcher.line(), "OK");
            }
        }
    });
    siege.end(16 * MIB, 0);
}

#[test]
fn a_dump_that_nobody_reads_holds_up_no_other() {
    let mut siege = Siege::begin(&[]);
    let mut stored = Vec::new();
    for number in 0..20_000 {
        let key = format!("{:0>200}", number);
        stored.extend_from_slice(format!("set {key} 0 0 1 noreply\r\nv\r\n").as_bytes());
    }
    siege.witness.send(&stored);
    siege.witness.sync();
    let mut stalled = siege.server.connect();
    stalled.send("lru_crawler metadump all\r\n");
    siege.witness.sync();
    let mut second = siege.server.connect();
    second.send("lru_crawler metadump all\r\n");
    let count = std::iter::repeat_with(|| second.line())
        .take_while(|line| line != "END")
        .filter(|line| line.starts_with("key="))
        .count();
    assert_eq!(count, 20_000);
    drop((stalled, second));
    siege.end(32 * MIB, 20_000);
}

#[test]
fn keys_of_packets_are_never_lines_of_a_listing() {
    let server = Server::start(&["-vvv"]);
    // The oldest listing shows one queue only.
    server.connect().ask("lru mode flat\r\n", "OK\r\n");
    let mut client = server.connect();
    let hostile = [
        "a\r\nset evil 0 0 1\r\nx",
        "%n%s%n%s",
        "\x1b[2J\x07",
        "space and tab\t",
        "nul\0nul",
    ];
    for key in hostile {
        client.send(Packet::store(0x01, key, "v").bytes(0));
        assert_eq!(Reply::take(&mut client).expect("a reply").status, 0);
    }
    let mut text = server.connect();
    let class = text
        .list("stats items")
        .iter()
        .find_map(|line| {
            Some(
                line.strip_prefix("STAT items:")?
                    .split(':')
                    .next()?
                    .to_owned(),
            )
        })
        .expect("a class");
    for (request, begins) in [
        (format!("stats cachedump {class} 0"), "ITEM "),
        ("lru_crawler metadump all".to_owned(), "key="),
        ("lru_crawler mgdump all".to_owned(), "mg "),
    ] {
        text.send(format!("{request}\r\n"));
        let mut count = 0;
        loop {
            let line = text.line();
            match line.as_str() {
                "END" | "EN" => break,
                "OK" => continue,
                _ => {}
            }
            assert!(line.starts_with(begins), "{request}: {line:?}");
            assert!(line.bytes().all(|byte| byte >= b' '), "{request}: {line:?}");
            count += 1;
        }
        assert_eq!(count, hostile.len(), "{request}");
    }
    text.ask("get evil\r\n", "END\r\n");
    text.send("get \x1b[2J\x07 %n%s\r\n");
    assert_eq!(text.line(), "VALUE \x1b[2J\x07 5 1");
    let quiet = |byte: u8| byte == b'\n' || byte >= b' ';
    assert!(server.log().bytes().all(quiet), "{:?}", server.log());
}

#[test]
fn datagrams_that_are_none_are_dropped() {
    let siege = Siege::begin(&["-U", "-1"]);
    let ports = siege.server.ports();
    let line = ports.lines().find(|line| line.starts_with("UDP"));
    let port: u16 = line
        .and_then(|line| line.rsplit(' ').next()?.parse().ok())
        .expect("a port for datagrams");
    let socket = std::net::UdpSocket::bind("127.0.0.1:0").expect("a port");
    socket.connect(("127.0.0.1", port)).expect("an address");
    socket.set_read_timeout(Some(patience())).expect("a socket");
    let datagram = |id: u8, count: u8, rest: &[u8]| [&[0, id, 0, 0, 0, count, 0, 0], rest].concat();
    let none: [&[u8]; 9] = [
        b"",
        b"\0\x01\0\0",
        b"\0\x01\0\0\0\0\0\0\0",
        &datagram(1, 2, b"get a\r\n"),
        &datagram(1, 1, b""),
        &datagram(1, 1, b"get a"),
        &datagram(1, 1, b"set a 0 0 2000000000\r\n"),
        &datagram(1, 1, &header(0x01, 1, 8, u32::MAX, 0)),
        &datagram(1, 1, &[0x16, 3, 1, 2, 0]),
    ];
    for bytes in none {
        socket.send(bytes).expect("a datagram");
    }
    // Whatever they were answered, it is less than they were and comes before this.
    socket
        .send(&datagram(77, 1, b"get sentinel\r\n"))
        .expect("a datagram");
    let mut answers = Vec::new();
    loop {
        let mut reply = [0; 1400];
        let size = socket.recv(&mut reply).expect("a reply");
        if reply[1] == 77 {
            assert_eq!(&reply[8..size], b"END\r\n");
            break;
        }
        answers.push(reply[8..size].escape_ascii().to_string());
    }
    let served = |answer: &String| answer.contains("VALUE") || answer.contains("STORED");
    assert!(!answers.iter().any(served), "{answers:?}");
    assert_eq!(siege.server.connect().stat("curr_items"), 0);
}

#[test]
fn a_long_path_of_a_unix_socket_is_shown_whole() {
    let folder = tempfile::tempdir_in("/tmp").expect("a folder");
    let begin = folder.path().display().to_string();
    // The system takes 108 bytes with the NUL.
    let path = format!("{begin}/{}", "s".repeat(107 - begin.len() - 1));
    let server = Server::start_bare(&["-s", &path, "-p", "-1", "-l", "127.0.0.1"]);
    let path = Path::new(&path);
    assert!(wait_until(|| path.exists()));
    let mut client = Client::unix(path);
    let lines = client.list("stats conns");
    let shown = format!("unix:{}", path.display());
    assert!(lines.iter().any(|line| line.ends_with(&shown)), "{lines:?}");
    server.connect().sync();
}

#[test]
fn a_storm_of_signals_changes_nothing() {
    let mut server = Server::start(&[]);
    let mut client = server.connect();
    client.ask("set k 0 0 1\r\nv\r\n", "STORED\r\n");
    for _ in 0..300 {
        for signal in [Signal::HUP, Signal::PIPE] {
            server.signal(signal);
        }
        client.ask("get k\r\n", "VALUE k 0 1\r\nv\r\nEND\r\n");
    }
    for signal in [Signal::HUP, Signal::TERM, Signal::HUP] {
        server.signal(signal);
    }
    assert!(wait_until(|| server.exited().is_some()));
    assert_eq!(server.await_exit().code(), Some(0), "{}", server.log());
}
