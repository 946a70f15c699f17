//! Conversations in the binary protocol.

use crate::support::in_process::{Arrival, InProcess};
use crate::support::packet::opcode::NOOP;
use crate::support::packet::{Packet, Reply, header};
use crate::support::transcript::Wire;
use crate::support::{Client, Server};

/// A request, and what it is answered: status, extras, key and value. `None` is silence.
type Turn = (Packet, Option<Answer>);
type Answer = (u16, &'static [u8], &'static [u8], Vec<u8>);

const FLAGS: &[u8] = &[0, 0, 0, 5];
const NO_FLAGS: &[u8] = &[0; 4];

fn done(value: impl AsRef<[u8]>) -> Option<Answer> {
    Some((0, b"", b"", value.as_ref().to_vec()))
}

fn hit(key: &'static str, value: impl AsRef<[u8]>) -> Option<Answer> {
    Some((0, FLAGS, key.as_bytes(), value.as_ref().to_vec()))
}

fn number(value: u64) -> Option<Answer> {
    done(value.to_be_bytes())
}

fn error(status: u16) -> Option<Answer> {
    let text: &[u8] = match status {
        1 => b"Not found",
        2 => b"Data exists for key.",
        3 => b"Too large.",
        4 => b"Invalid arguments",
        5 => b"Not stored.",
        6 => b"Non-numeric server-side value for incr or decr",
        0x20 => b"Auth failure.",
        _ => b"Unknown command",
    };
    Some((status, b"", b"", text.to_vec()))
}

/// Every command and its quiet twin, where it works and where it does not.
fn conversation() -> Vec<Turn> {
    let get = |opcode, key: &str| Packet::new(opcode, key);
    let store = Packet::store;
    let join = |opcode, key: &str, value: &str| Packet::new(opcode, key).value(value);
    let touch = |opcode, key: &str, exptime| Packet::new(opcode, key).words(&[exptime]);
    let count = Packet::count;
    const NO_ITEM: u32 = u32::MAX;
    vec![
        (get(0x0b, ""), done("1.6.45")),
        (get(NOOP, ""), done("")),
        // Retrieval of nothing.
        (get(0x00, "k"), error(1)),
        (get(0x09, "k"), None),
        (get(0x0c, "k"), Some((1, b"", b"k", Vec::new()))),
        (get(0x0d, "k"), None),
        (touch(0x1c, "k", 0), error(1)),
        (touch(0x1d, "k", 0), error(1)),
        (touch(0x1e, "k", 0), None),
        (touch(0x23, "k", 0), Some((1, b"", b"k", Vec::new()))),
        (touch(0x24, "k", 0), None),
        // What needs something finds nothing, and says so however quiet.
        (get(0x04, "k"), error(1)),
        (get(0x14, "k"), error(1)),
        (store(0x03, "k", "v"), error(1)),
        (store(0x13, "k", "v"), error(1)),
        (join(0x0e, "k", "v"), error(5)),
        (join(0x0f, "k", "v"), error(5)),
        (join(0x19, "k", "v"), error(5)),
        (join(0x1a, "k", "v"), error(5)),
        (join(0x0e, "k", "v").cas(7), error(5)),
        (count(0x05, "k", 1, NO_ITEM), error(1)),
        (count(0x16, "k", 1, NO_ITEM), error(1)),
        (store(0x01, "k", "v").cas(7), error(1)),
        (store(0x02, "k", "v").cas(7), error(1)),
        (store(0x03, "k", "v").cas(7), error(1)),
        // Storage.
        (store(0x02, "k", "one"), done("")),
        (store(0x02, "k", "two"), error(2)),
        (store(0x12, "k", "two"), error(2)),
        (get(0x00, "k"), hit("", "one")),
        (get(0x09, "k"), hit("", "one")),
        (get(0x0c, "k"), hit("k", "one")),
        (get(0x0d, "k"), hit("k", "one")),
        (store(0x01, "k", "two"), done("")),
        (store(0x11, "k", "three"), None),
        (store(0x03, "k", "four"), done("")),
        (store(0x13, "k", "five"), None),
        (join(0x0e, "k", ">"), done("")),
        (join(0x0f, "k", "<"), done("")),
        (join(0x19, "k", "]"), None),
        (join(0x1a, "k", "["), None),
        (touch(0x1d, "k", 0), hit("", "[<five>]")),
        (touch(0x1e, "k", 0), hit("", "[<five>]")),
        (touch(0x23, "k", 0), hit("k", "[<five>]")),
        (touch(0x24, "k", 0), hit("k", "[<five>]")),
        (touch(0x1c, "k", 100), hit("", "")),
        (store(0x01, "k", "six").cas(u64::MAX), error(2)),
        (join(0x0e, "k", "six").cas(u64::MAX), error(2)),
        (get(0x04, "k").cas(u64::MAX), error(2)),
        (store(0x12, "quiet", ""), None),
        (get(0x0c, "quiet"), hit("quiet", "")),
        // Numbers.
        (count(0x05, "k", 1, 0), error(6)),
        (count(0x15, "k", 1, 0), error(6)),
        (count(0x05, "n", 1, 0), number(10)),
        (count(0x05, "n", 5, 0), number(15)),
        (count(0x15, "n", 5, 0), None),
        (count(0x06, "n", 1, NO_ITEM), number(19)),
        (count(0x16, "n", 10, 0), None),
        (count(0x05, "n", u64::MAX, 0), number(8)),
        (count(0x06, "n", 100, 0), number(0)),
        (count(0x05, "n", 1, 0).cas(u64::MAX), error(2)),
        (count(0x16, "m", 1, 0), None),
        (get(0x00, "m"), Some((0, NO_FLAGS, b"", b"10".to_vec()))),
        // Deletion, and a binary key.
        (get(0x04, "n"), done("")),
        (get(0x14, "m"), None),
        (store(0x01, "\0\r\n ", "raw"), done("")),
        (get(0x0c, "\0\r\n "), hit("\0\r\n ", "raw")),
        // What nobody knows is skipped, whatever it carries.
        (Packet::store(0x1b, "key", "value"), error(0x81)),
        (Packet::store(0xff, "key", "value"), error(0x81)),
        (get(0x20, ""), error(0x81)),
        (join(0x21, "PLAIN", "\0user\0pass"), error(0x81)),
        (join(0x22, "PLAIN", "\0user\0pass"), error(0x81)),
        // Statistics that answer with little.
        (get(0x10, "detail on"), done("")),
        (get(0x10, "detail off"), done("")),
        (get(0x10, "detail"), error(1)),
        (get(0x10, "unheard of"), error(1)),
        (get(0x10, "reset"), done("")),
        (get(0x10, "cachedump 1 1"), error(1)),
        // The end.
        (get(0x08, ""), done("")),
        (get(0x00, "k"), error(1)),
        (get(0x18, ""), None),
        (touch(0x08, "", 1000), done("")),
        (touch(0x18, "", 1000), None),
        (get(NOOP, ""), done("")),
        (get(0x07, ""), done("")),
    ]
}

/// A conversation as one pipeline; the opaque of each request is its place.
fn pipeline(turns: &[Turn]) -> Vec<u8> {
    let numbered = (1..).zip(turns);
    numbered
        .flat_map(|(opaque, (packet, _))| packet.bytes(opaque))
        .collect()
}

fn compare(turns: &[Turn], replies: &[Reply]) -> Result<(), String> {
    let mut replies = replies.iter();
    for (opaque, (packet, wanted)) in (1..).zip(turns) {
        let Some((status, extras, key, value)) = wanted else {
            continue;
        };
        let reply = replies.next().ok_or_else(|| format!("{packet:?}: none"))?;
        let echoed = reply.opcode == packet.opcode && reply.opaque == opaque;
        let same = reply.status == *status
            && reply.extras == *extras
            && reply.key == *key
            && reply.value == *value;
        if !echoed || !same {
            return Err(format!("{packet:?}: wanted {wanted:?}, got {reply:?}"));
        }
    }
    match replies.next() {
        None => Ok(()),
        Some(reply) => Err(format!("more than was asked for: {reply:?}")),
    }
}

#[test]
fn every_command_and_its_quiet_twin_answer_as_they_should() {
    let turns = conversation();
    let server = Server::start(&[]);
    let mut client = server.connect();
    client.send(pipeline(&turns));
    compare(&turns, &Reply::all(&client.rest())).expect("as written");
}

#[test]
fn a_pipeline_cut_anywhere_gets_the_same_answers() {
    let turns = conversation();
    let bytes = pipeline(&turns);
    let pieces = [1, 2, 7, 23, 24, 25, 100].map(Arrival::Pieces);
    // A step that no size of a packet is a multiple of, so that every part gets cut.
    let cuts = (0..=bytes.len()).step_by(5).map(Arrival::CutAt);
    for arrival in cuts.chain(pieces) {
        let mut wire = InProcess::start(&[], arrival);
        wire.send('a', &bytes);
        let replies = Reply::all(&wire.take('a', usize::MAX));
        compare(&turns, &replies).unwrap_or_else(|what| panic!("{arrival:?}: {what}"));
        assert!(wire.closed('a'));
    }
}

#[test]
fn a_cas_that_was_answered_is_the_one_that_stores() {
    let server = Server::start(&[]);
    let mut client = server.connect();
    let mut ask = |packet: Packet| {
        client.send(packet.bytes(9));
        Reply::take(&mut client).expect("a reply")
    };
    let first = ask(Packet::store(0x01, "k", "1"));
    assert_ne!(first.cas, 0);
    assert_eq!(ask(Packet::new(0x00, "k")).cas, first.cas);
    let second = ask(Packet::store(0x03, "k", "2").cas(first.cas));
    assert_eq!(second.status, 0);
    assert_eq!(ask(Packet::store(0x01, "k", "3").cas(first.cas)).status, 2);
    let counted = ask(Packet::count(0x05, "k", 1, 0).cas(second.cas));
    assert_eq!(
        (counted.status, &counted.value[..]),
        (0, &[0, 0, 0, 0, 0, 0, 0, 3][..])
    );
    assert_eq!(ask(Packet::new(0x0c, "k")).cas, counted.cas);
    assert_eq!(ask(Packet::new(0x1c, "k").words(&[0])).cas, counted.cas);
    assert_eq!(ask(Packet::new(0x04, "k").cas(second.cas)).status, 2);
    let deleted = ask(Packet::new(0x04, "k").cas(counted.cas));
    assert_eq!((deleted.status, deleted.cas), (0, 0));
}

#[test]
fn large_values_go_in_and_come_out_in_pieces() {
    let value: Vec<u8> = (0..900_000_u32).map(|n| n.to_le_bytes()[1]).collect();
    for piece in [1_000, 4_096, 65_536, usize::MAX] {
        let mut wire = InProcess::start(&[], Arrival::Pieces(piece));
        let mut bytes = Packet::store(0x11, "k", &value).bytes(1);
        bytes.extend(Packet::new(0x0e, "k").value("end").bytes(2));
        bytes.extend(Packet::new(0x0d, "k").bytes(3));
        // The value that is being sent stays what it was.
        bytes.extend(Packet::store(0x11, "k", "small").bytes(4));
        bytes.extend(Packet::new(0x00, "k").bytes(5));
        wire.send('a', &bytes);
        let replies = Reply::all(&wire.take('a', usize::MAX));
        let opaques: Vec<u32> = replies.iter().map(|reply| reply.opaque).collect();
        assert_eq!(opaques, [2, 3, 5]);
        assert!(replies[1].value == [&value[..], b"end"].concat());
        assert_eq!(
            (&replies[1].extras[..], &replies[1].key[..]),
            (FLAGS, &b"k"[..])
        );
        assert_eq!(replies[2].value, b"small");
    }
}

#[test]
fn too_large_a_value_is_skipped_and_a_set_takes_the_old_one_along() {
    let value = vec![b'x'; 1_500_000];
    // The quiet say so too; only a set removes.
    let cases = [
        (0x01, 1),
        (0x11, 1),
        (0x02, 0),
        (0x13, 0),
        (0x0e, 0),
        (0x1a, 0),
    ];
    for (opcode, then) in cases {
        let mut wire = InProcess::start(&[], Arrival::Pieces(65_536));
        let mut bytes = Packet::store(0x11, "k", "old").bytes(1);
        let mut large = Packet::store(opcode, "k", &value);
        if matches!(opcode, 0x0e | 0x1a) {
            large.extras.clear();
        }
        bytes.extend(large.bytes(2));
        bytes.extend(Packet::new(0x00, "k").bytes(3));
        wire.send('a', &bytes);
        let replies = Reply::all(&wire.take('a', usize::MAX));
        let seen: Vec<_> = replies.iter().map(|it| (it.opaque, it.status)).collect();
        assert_eq!(seen, [(2, 3), (3, then)], "{opcode:#x}");
    }
}

/// Sends bytes and a noop; the statuses of what they are answered, and whether the noop is.
fn probe(client: &mut Client, bytes: &[u8]) -> (Vec<u16>, bool) {
    const SENTINEL: u32 = 0x5e11_71e1;
    client.try_send(bytes);
    client.try_send(Packet::new(NOOP, "").bytes(SENTINEL));
    let mut statuses = Vec::new();
    while let Some(reply) = Reply::take(client) {
        if reply.opaque == SENTINEL && reply.opcode == NOOP {
            return (statuses, true);
        }
        statuses.push(reply.status);
    }
    assert!(client.ended(), "neither answered nor closed");
    (statuses, false)
}

#[test]
fn headers_that_attacks_were_made_of_are_refused_and_leave_nothing_behind() {
    let server = Server::start(&[]);
    let mut witness = server.connect();
    let connections = witness.stat("curr_connections");
    let mut check = |bytes: Vec<u8>, wanted: (Vec<u16>, bool)| {
        let got = probe(&mut server.connect(), &bytes);
        assert_eq!(
            got,
            wanted,
            "{}",
            bytes[..24.min(bytes.len())].escape_ascii()
        );
        witness.sync();
    };
    // A body length with its highest bit set, as it was once read as a negative number.
    for code in [
        0x12, 0x01, 0x02, 0x03, 0x0e, 0x0f, 0x11, 0x13, 0x19, 0x1a, 0x21, 0x22,
    ] {
        for body in [0xffff_ffe8, 0x7fff_ffff, 0x8000_0000, u32::MAX] {
            let mut bytes = header(code, 1, 8, body, 0);
            bytes.extend_from_slice(&[0xff, 0xff, 0xff, 0xff, 1, 0, 0, 0, b'0']);
            check(bytes, (vec![4], false));
        }
    }
    for code in (0..=0x24).filter(|code| !matches!(code, 0x1b | 0x1f)) {
        check(header(code, 1, 0xff, 0x100, 0), (vec![4], false));
        check(header(code, 251, 0, 251, 0), (vec![4], false));
        check(header(code, 0xffff, 0, 0xffff, 0), (vec![4], false));
        check(header(code, 8, 8, 15, 0), (vec![0x81], false));
        check(header(code, 0xffff, 0xff, 1, 0), (vec![0x81], false));
    }
    check(header(0x0a, 0, 30, 30, 0), (vec![4], false));
    // A body where there is none.
    for code in [0x00, 0x07, 0x0a, 0x0b, 0x17] {
        let key = u16::from(code == 0);
        check(header(code, key, 0, 5, 0), (vec![4], false));
    }
    // Unknown commands are skipped to the byte.
    for code in [0x1b, 0x1f, 0x25, 0x3f, 0x40, 0x7f, 0xff] {
        let twice = [
            Packet::new(code, "key").words(&[1]).value("v").bytes(1),
            header(code, 0, 0, 0, 2),
        ];
        check(twice.concat(), (vec![0x81, 0x81], true));
        let mut long = header(code, 3, 4, 100_000, 0);
        long.extend(vec![0x80; 100_000]);
        check(long, (vec![0x81], true));
    }
    // Another protocol after this one.
    let version = header(0x0b, 0, 0, 0, 0);
    for other in [
        &b"version\r\n"[..],
        b"\x81",
        b"\x82",
        b"\0",
        b"GET / HTTP/1.1\r\n\r\n",
    ] {
        check([&version, other].concat(), (vec![0], false));
    }
    witness.await_stat("curr_connections", |now| now <= connections);
    assert_eq!(witness.stat("curr_items"), 0);
}

#[test]
fn a_listener_speaks_what_it_was_told_to_and_a_connection_never_changes() {
    let noop = Packet::new(NOOP, "").bytes(7);
    let auto = Server::start(&["-B", "auto"]);
    auto.connect().sync();
    assert_eq!(probe(&mut auto.connect(), b""), (vec![], true));
    let mut client = auto.connect();
    client.sync();
    client.send(&noop);
    client.expect_close();
    let mut client = auto.connect();
    client.send([b"mn\r\n", &noop[..], b"\n"].concat());
    client.expect("MN\r\n");
    client.expect_close();
    let ascii = Server::start(&["-B", "ascii"]);
    let mut client = ascii.connect();
    client.send(&noop);
    client.expect_close();
    let binary = Server::start_bare(&["-B", "binary"]);
    assert_eq!(probe(&mut binary.connect(), b""), (vec![], true));
    let mut client = binary.connect();
    client.try_send("version\r\n");
    client.expect_close();
}

/// The statistics of a group, up to the packet that ends them.
fn stats(client: &mut Client, group: &str) -> Vec<(String, String)> {
    client.send(Packet::new(0x10, group).bytes(3));
    let mut list = Vec::new();
    loop {
        let reply = Reply::take(client).expect("a reply");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        assert_eq!(
            (reply.opcode, reply.status, reply.opaque),
            (0x10, 0, 3),
            "{group}"
        );
        if reply.key.is_empty() {
            assert!(reply.value.is_empty());
            return list;
        }
        list.push((text(&reply.key), text(&reply.value)));
    }
}

#[test]
fn statistics_are_those_of_the_text_protocol() {
    let server = Server::start(&["-o", "track_sizes"]);
    let mut text = server.connect();
    let mut binary = server.connect();
    text.ask("set a:b 0 0 1\r\nv\r\n", "STORED\r\n");
    assert!(stats(&mut binary, "detail on").is_empty());
    for group in ["", "settings", "items", "slabs", "sizes", "conns", "larder"] {
        let lines = text.list(format!("stats {group}").trim_end());
        let names = lines.iter().filter_map(|line| line.split(' ').nth(1));
        let list = stats(&mut binary, group);
        assert!(!list.is_empty());
        assert!(
            names.eq(list.iter().map(|(name, _)| name)),
            "{group}: {list:?}"
        );
    }
    text.ask("get a:b\r\n", "VALUE a:b 0 1\r\nv\r\nEND\r\n");
    let dump = stats(&mut binary, "detail dump");
    let prefix = "PREFIX a get 1 hit 1 set 0 del 0\r\nEND\r\n";
    assert_eq!(dump, [("detailed".to_owned(), prefix.to_owned())]);
    assert!(stats(&mut binary, "reset").is_empty());
    assert_eq!(text.stat("get_hits"), 0);
}

#[test]
fn what_is_forbidden_in_text_is_forbidden_in_binary() {
    let server = Server::start(&["-F", "-X"]);
    let mut client = server.connect();
    for opcode in [0x08, 0x18] {
        client.send(Packet::new(opcode, "").bytes(1));
        assert_eq!(Reply::take(&mut client).expect("a reply").status, 0x20);
    }
    for group in ["detail on", "detail off", "detail dump"] {
        client.send(Packet::new(0x10, group).bytes(1));
        assert_eq!(Reply::take(&mut client).expect("a reply").status, 1);
    }
    assert_eq!(probe(&mut client, b""), (vec![], true));
    assert_eq!(
        server
            .connect()
            .find_stat("stats settings", "detail_enabled")
            .as_deref(),
        Some("no")
    );
}

#[test]
fn counters_are_those_of_the_text_protocol() {
    let counted = |requests: &[&[u8]]| {
        let server = Server::start(&[]);
        let mut client = server.connect();
        for request in requests {
            client.send(request);
        }
        if requests[0][0] == 0x80 {
            client.send(Packet::new(0x07, "").bytes(0));
        } else {
            client.send("quit\r\n");
        }
        client.rest();
        let lines = server.connect().list("stats");
        let words = [
            "get",
            "set",
            "touch",
            "flush",
            "delete",
            "incr",
            "decr",
            "cas",
            "total_items",
        ];
        let wanted = |line: &String| words.iter().any(|word| line.contains(word));
        lines.into_iter().filter(wanted).collect::<Vec<_>>()
    };
    let text = counted(&[
        b"set k 0 0 1\r\n1\r\nget k\r\nget none\r\ntouch k 0\r\ngat 0 none\r\nincr k 1\r\n",
        b"incr none 1\r\ndecr none 1\r\ndecr k 1\r\ncas k 0 0 1 77777\r\nx\r\n",
        b"cas none 0 0 1 7\r\nx\r\nadd k 0 0 1\r\nx\r\ndelete k\r\ndelete none\r\nflush_all\r\n",
    ]);
    let packets = [
        Packet::store(0x01, "k", "1"),
        Packet::new(0x00, "k"),
        Packet::new(0x09, "none"),
        Packet::new(0x1c, "k").words(&[0]),
        Packet::new(0x1d, "none").words(&[0]),
        Packet::count(0x05, "k", 1, 0),
        Packet::count(0x05, "none", 1, u32::MAX),
        Packet::count(0x06, "none", 1, u32::MAX),
        Packet::count(0x16, "k", 1, 0),
        Packet::store(0x01, "k", "x").cas(77777),
        Packet::store(0x01, "none", "x").cas(7),
        Packet::store(0x02, "k", "x"),
        Packet::new(0x14, "k"),
        Packet::new(0x04, "none"),
        Packet::new(0x18, ""),
    ];
    let packets: Vec<Vec<u8>> = packets.iter().map(|packet| packet.bytes(0)).collect();
    let slices: Vec<&[u8]> = packets.iter().map(Vec::as_slice).collect();
    assert_eq!(counted(&slices), text);
}

#[test]
fn seventy_thousand_gets_of_one_key_are_all_answered() {
    const COUNT: usize = 70_000;
    let server = Server::start(&[]);
    let mut client = server.connect();
    client.send(Packet::store(0x11, "k", "v").bytes(0));
    let requests = Packet::new(0x0c, "k").bytes(4).repeat(COUNT / 100);
    for _ in 0..100 {
        client.send(&requests);
        let answer = client.take(COUNT / 100 * 30);
        assert!(answer.len() == COUNT / 100 * 30 && answer.ends_with(b"kv"));
    }
    assert_eq!(probe(&mut client, b""), (vec![], true));
}

#[test]
fn watchers_hear_of_storage_that_fails() {
    let server = Server::start(&[]);
    let mut watcher = server.connect();
    watcher.ask("watch mutations\r\n", "OK\r\n");
    let mut client = server.connect();
    let failing = [
        Packet::store(0x01, "%n\r\n", vec![b'x'; 2_000_000]),
        Packet::store(0x11, "k", "x").cas(7),
        Packet::store(0x13, "k", "x"),
        Packet::new(0x19, "k").value("x"),
    ];
    for packet in &failing {
        client.send(packet.bytes(1));
        assert_ne!(Reply::take(&mut client).expect("a reply").status, 0);
    }
    for (key, status) in [
        ("%25n%0D%0A", "too_large"),
        ("k", "not_found"),
        ("k", "not_stored"),
        ("k", "not_stored"),
    ] {
        let line = watcher.line();
        let shown =
            line.contains(&format!("key={key} ")) && line.contains(&format!("status={status} "));
        assert!(shown, "{line}");
    }
}
