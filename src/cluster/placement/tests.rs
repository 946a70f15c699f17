//! Placements that real clients made.

use super::*;

/// Keys and the owners, from 1, that clients chose: on three nodes with addresses, then on three
/// with names, of which the last has another port. Columns: weighted ketama and node, consistent
/// libmemcached, memcached's proxy, AWS's ring for Java, its default, libmemcached's default,
/// dalli, pymemcache.
const OWNERS: &str = "
    foo         2 3 3 3 1 1 3 3           3 2 1 3 1 1 1 1
    bar         2 1 1 3 1 2 1 2           2 2 1 1 1 2 2 3
    user:1      2 1 3 2 3 3 1 2           1 1 3 1 3 3 3 1
    user:2      3 1 3 1 1 3 3 1           2 1 1 2 1 3 2 2
    user:42     1 2 1 3 2 1 2 1           2 2 1 3 2 1 3 2
    session:abc 3 1 3 3 3 1 2 3           3 1 1 2 3 1 3 1
    key0        2 1 3 2 3 3 3 1           3 3 2 1 3 3 3 3
    key1        1 1 1 1 1 3 3 1           2 1 2 3 1 3 1 2
    key2        3 2 3 3 2 3 3 1           1 2 1 1 2 3 3 1
    key3        3 3 1 2 3 3 3 1           1 2 1 3 3 3 2 3";

const COLUMNS: [Client; 8] = [
    Client::KetamaWeighted,
    Client::Ketama,
    Client::MemcachedProxy,
    Client::AwsJava,
    Client::AwsJavaDefault,
    Client::Libmemcached,
    Client::Dalli,
    Client::Pymemcache,
];

fn numbers() -> Vec<Node> {
    let nodes = ["10.0.0.1", "10.0.0.2", "10.0.0.3"];
    let nodes = nodes.map(|ip| format!("{ip}|{ip}|11211").parse().unwrap());
    nodes.into()
}

/// Without addresses, so that clients which hash those hash the names instead.
fn names() -> Vec<Node> {
    let nodes = [
        "cache-1.cfg.lan||11211",
        "cache-2.cfg.lan||11211",
        "cache-3.cfg.lan||11311",
    ];
    nodes.map(|node| node.parse().unwrap()).into()
}

#[test]
fn keys_are_owned_as_the_real_clients_place_them() {
    let mut count = 0;
    for line in OWNERS.lines().skip(1) {
        let mut words = line.split_whitespace();
        let key = words.next().unwrap();
        for nodes in [numbers(), names()] {
            for client in COLUMNS {
                let owner: usize = words.next().unwrap().parse().unwrap();
                let placement = Placement::new(client, &nodes);
                let got = placement.owner(key.as_bytes());
                assert_eq!(got, Some(owner - 1), "{client:?} {key} {nodes:?}");
                count += 1;
            }
            let [weighted, node] = [Client::KetamaWeighted, Client::NodeMemcached];
            assert_eq!(
                Placement::new(weighted, &nodes).owner(key.as_bytes()),
                Placement::new(node, &nodes).owner(key.as_bytes())
            );
        }
    }
    assert_eq!(count, 160);
}

#[test]
fn hashes_are_those_of_the_real_clients() {
    for (key, md5, oaat, sha384, crc32, java) in [
        (
            "foo",
            3_675_831_724,
            596_015_325,
            4_246_716_824,
            2_356_372_769,
            101_574,
        ),
        (
            "key0",
            4_060_279_841,
            1_952_532_230,
            3_833_422_271,
            1_532_712_134,
            3_288_497,
        ),
    ] {
        let bytes: &[u8] = str::as_bytes(key);
        assert_eq!(little_endian(&md5_bytes(bytes), 0), md5);
        assert_eq!(one_at_a_time(bytes), oaat);
        assert_eq!(little_endian(&Sha384::digest(bytes), 0), sha384);
        assert_eq!(crc32fast::hash(bytes), crc32);
        assert_eq!(java_hash_code(bytes), java);
    }
    assert_eq!(murmur3_32(b"10.0.0.1:11211-foo"), 2_823_494_239);
    assert_eq!(murmur3_32(b"10.0.0.1:11211-key0"), 3_312_325_409);
    let points: Vec<u32> = ring_points(&md5("10.0.0.1-0")).collect();
    assert_eq!(
        points,
        [563_378_236, 920_037_467, 4_058_903_954, 1_084_864_719]
    );
    assert_eq!(one_at_a_time(b"10.0.0.1-0"), 4_128_832_250);
    assert_eq!(sha1_point("10.0.0.1:11211:0"), 4_015_084_205);
}

#[test]
fn rings_begin_and_end_where_those_of_the_real_clients_do() {
    let ends = |client| {
        let points = Placement::new(client, &numbers()).points;
        let (low, high) = (points[0], points[points.len() - 1]);
        ((low.0, low.1 + 1), (high.0, high.1 + 1), points.len())
    };
    let (low, high, count) = ends(Client::KetamaWeighted);
    assert_eq!(
        (low, high, count),
        ((4_635_516, 3), (4_288_155_631, 3), 480)
    );
    let (low, high, count) = ends(Client::Ketama);
    assert_eq!(
        (low, high, count),
        ((55_288_972, 2), (4_285_078_151, 2), 300)
    );
    assert_eq!(ends(Client::AwsJava).0, (23_343_771, 2));
    assert_eq!(ends(Client::Dalli).0, (4_116_300, 2));
}

#[test]
fn a_ring_moves_few_keys_when_a_node_comes_and_a_modulus_moves_most() {
    let nodes = |count: usize| -> Vec<Node> {
        let nodes = (1..=count).map(|n| format!("10.0.0.{n}|10.0.0.{n}|11211").parse().unwrap());
        nodes.collect()
    };
    for client in Client::ALL {
        let (ten, eleven) = (
            Placement::new(*client, &nodes(10)),
            Placement::new(*client, &nodes(11)),
        );
        let moved = (0..2000)
            .map(|n| format!("key:{n}"))
            .filter(|key| ten.owner(key.as_bytes()) != eleven.owner(key.as_bytes()))
            .count();
        let by_list = matches!(
            client,
            Client::Libmemcached | Client::AwsJavaDefault | Client::PythonMemcached
        );
        let range = if by_list { 1600..2000 } else { 60..400 };
        assert!(range.contains(&moved), "{client:?} moved {moved} of 2000");
    }
}

#[test]
fn every_name_and_alias_leads_to_one_client() {
    let mut words = std::collections::BTreeSet::new();
    for client in Client::ALL {
        for word in client.aliases().iter().chain([&client.name()]) {
            assert_eq!(Client::by_name(word), Some(*client));
            assert!(words.insert(*word), "{word} names two");
        }
    }
    assert_eq!(Client::by_name("nobody"), None);
    assert_eq!(Placement::new(Client::Dalli, &[]).owner(b"k"), None);
}

#[test]
fn bytes_beyond_ascii_are_hashed_as_the_clients_see_them() {
    // libmemcached takes bytes as signed, Java takes characters.
    assert_ne!(one_at_a_time(b"\xe9"), one_at_a_time(b"\x69"));
    assert_eq!(java_hash_code("\u{e9}".as_bytes()), 0xe9);
    assert_eq!(java_hash_code("\u{1f600}".as_bytes()), 0xd83d * 31 + 0xde00);
}
