//! Discovery of the nodes of a cluster, as clients ask for it.

use crate::support::in_process::{Arrival, InProcess};
use crate::support::packet::{Packet, Reply};
use crate::support::server::run;
use crate::support::transcript::Wire;
use crate::support::{Client, Server};

const ADVERTISED: &[&str] = &["--advertise", "cache-1.lan|10.0.0.1|11211"];
const DOCUMENT: &[u8] = b"1\ncache-1.lan|10.0.0.1|11211\n";
const CLUSTER: &str = "cluster";
const RESERVED: &str = "AmazonElastiCache:cluster";

/// Opaque, status, flags, key and value.
type Answer = (u32, u16, Vec<u8>, Vec<u8>, Vec<u8>);

/// Sends packets in these pieces.
fn converse(packets: &[Packet], arrival: Arrival) -> Vec<Answer> {
    let mut wire = InProcess::start(ADVERTISED, arrival);
    let mut bytes = Vec::new();
    for (packet, opaque) in packets.iter().zip(1..) {
        bytes.extend(packet.bytes(opaque));
    }
    wire.send('a', &bytes);
    let replies = Reply::all(&wire.take('a', usize::MAX)).into_iter();
    replies
        .map(|it| (it.opaque, it.status, it.extras, it.key, it.value))
        .collect()
}

#[test]
fn binary_clients_find_the_nodes_and_change_them() {
    let get = |opcode, key: &str| Packet::new(opcode, key);
    let set = |opcode, key: &str, flags, value: &[u8]| {
        Packet::new(opcode, key).words(&[flags]).value(value)
    };
    let none: &[u8] = b"";
    let flags = |flags: u32| flags.to_be_bytes();
    let conversation = [
        // One client takes a key in this reply for a part of the version.
        (get(0x60, CLUSTER), Some((0, &flags(0)[..], "", DOCUMENT))),
        (get(0x61, CLUSTER), Some((0, &flags(0)[..], "", DOCUMENT))),
        (
            get(0x62, CLUSTER),
            Some((0, &flags(0)[..], CLUSTER, DOCUMENT)),
        ),
        (
            get(0x63, CLUSTER),
            Some((0, &flags(0)[..], CLUSTER, DOCUMENT)),
        ),
        (get(0x60, "other"), Some((1, none, "", b"Not found"))),
        (get(0x61, "other"), None),
        (get(0x62, "other"), Some((1, none, "other", none))),
        (get(0x63, "other"), None),
        // The list of one cannot be deleted.
        (get(0x66, CLUSTER), Some((1, none, "", b"Not found"))),
        (get(0x67, CLUSTER), Some((1, none, "", b"Not found"))),
        (
            set(0x64, CLUSTER, 6, b"4\na||1\n"),
            Some((0, none, "", none)),
        ),
        (
            get(0x60, CLUSTER),
            Some((0, &flags(6)[..], "", b"4\na||1\n")),
        ),
        (set(0x65, CLUSTER, 7, b"anything"), None),
        (
            get(0x60, CLUSTER),
            Some((0, &flags(7)[..], "", b"anything")),
        ),
        (
            get(0x00, RESERVED),
            Some((0, &flags(7)[..], "", b"anything")),
        ),
        (
            get(0x0c, RESERVED),
            Some((0, &flags(7)[..], RESERVED, b"anything")),
        ),
        (
            get(0x0d, RESERVED),
            Some((0, &flags(7)[..], RESERVED, b"anything")),
        ),
        (
            Packet::store(0x01, RESERVED, "x"),
            Some((5, none, "", b"Not stored.")),
        ),
        (
            Packet::count(0x05, RESERVED, 1, 0),
            Some((1, none, "", b"Not found")),
        ),
        (get(0x67, CLUSTER), None),
        (get(0x66, CLUSTER), Some((1, none, "", b"Not found"))),
        (
            get(0x60, CLUSTER),
            Some((0, &flags(0)[..], "", b"5\ncache-1.lan|10.0.0.1|11211\n")),
        ),
        (set(0x64, "k", 0, &[b'x'; 65536]), Some((0, none, "", none))),
        (get(0x60, "k"), Some((0, &flags(0)[..], "", &[b'x'; 65536]))),
        (
            set(0x65, "k", 0, &[b'x'; 65537]),
            Some((3, none, "", b"Too large.")),
        ),
        (get(0x66, "k"), Some((0, none, "", none))),
        (
            get(0x68, CLUSTER),
            Some((0x81, none, "", b"Unknown command")),
        ),
        (get(0x0a, ""), Some((0, none, "", none))),
    ];
    let packets: Vec<Packet> = conversation
        .iter()
        .map(|(packet, _)| packet.clone())
        .collect();
    let expected: Vec<_> = conversation
        .iter()
        .zip(1..)
        .filter_map(|((_, answer), opaque)| {
            answer.map(|(status, flags, key, value)| {
                (opaque, status, flags.to_vec(), key.into(), value.to_vec())
            })
        })
        .collect();
    for arrival in [Arrival::Whole, Arrival::Pieces(1000), Arrival::Pieces(7)] {
        assert_eq!(converse(&packets, arrival), expected);
    }
}

#[test]
fn a_daemon_without_settings_lists_itself_where_a_local_client_finds_it() {
    let server = Server::start(&[]);
    let port = server.address().port();
    let mut client = server.connect();
    client.send("config get cluster\r\n");
    let list = format!("1\n127.0.0.1|127.0.0.1|{port}\n");
    client.expect(format!(
        "CONFIG cluster 0 {}\r\n{list}\r\nEND\r\n",
        list.len()
    ));
    // Whoever follows the list arrives.
    let mut found = server.connect();
    assert_eq!(found.command("version"), "VERSION 1.6.45");
}

#[test]
fn a_daemon_on_every_interface_lists_an_address_that_leads_to_it() {
    let server = Server::start_bare(&["-l", "*", "-p", "-1"]);
    let mut client = server.connect();
    client.send("config get cluster\r\n");
    let header = client.line();
    assert!(header.starts_with("CONFIG cluster 0 "), "{header}");
    assert_eq!(client.line(), "1");
    let node = client.line();
    let (host, rest) = node.split_once('|').expect("a node");
    let (ip, port) = rest.split_once('|').expect("a node");
    assert_eq!(host, ip);
    let address = format!("{ip}:{port}").parse().expect("an address");
    let mut found = Client::tcp(address);
    assert_eq!(found.command("version"), "VERSION 1.6.45");
}

#[test]
fn a_name_that_clients_cannot_use_is_refused_at_the_start() {
    let ended = run(&["--advertise", "cache_1"], &[]);
    assert_eq!(ended.code, Some(64), "{}", ended.stderr);
    assert!(ended.stderr.contains("--advertise"), "{}", ended.stderr);
    assert!(
        ended.stderr.contains("\"cache_1\" is no name"),
        "{}",
        ended.stderr
    );
}
