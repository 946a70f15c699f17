//! Whole conversations without a socket.

use super::Next;
use super::testing::{Bench, Client};
use crate::config::Config;
use crate::limits::{COPY_SIZE_MAX, OUTPUT_SIZE_HIGH};

fn bench(change: impl FnOnce(&mut Config)) -> Bench {
    let mut config = Config {
        workers: 1,
        ..Config::default()
    };
    change(&mut config);
    Bench::new(config).expect("memory for a small store")
}

fn plain() -> Bench {
    bench(|_| ())
}

/// Says each line with its line end, and expects the answer beside it.
fn converse(client: &mut Client<'_>, turns: &[(&str, &str)]) {
    for (said, expected) in turns {
        let answer = client.say(said.as_bytes());
        let answer = String::from_utf8_lossy(&answer);
        assert_eq!(answer, *expected, "to {said:?}");
    }
}

#[test]
fn a_pipeline_is_answered_in_order_and_reads_what_it_wrote() {
    let bench = plain();
    let mut client = bench.client(1);
    let said = b"set a 5 0 1\r\n1\r\nget a\r\nincr a 41\r\nget a b\r\ndelete a\r\nget a\r\nmn\r\n";
    let answer = client.say(said);
    let expected = b"STORED\r\nVALUE a 5 1\r\n1\r\nEND\r\n42\r\nVALUE a 5 2\r\n42\r\nEND\r\nDELETED\r\nEND\r\nMN\r\n";
    assert_eq!(answer, expected);
}

#[test]
fn a_bad_block_is_consumed_exactly_and_leaves_the_old_value() {
    let bench = plain();
    converse(
        &mut bench.client(1),
        &[
            ("set a 0 0 1\r\n1\r\n", "STORED\r\n"),
            (
                "set a 0 0 3\r\nabcdef\r\n",
                "CLIENT_ERROR bad data chunk\r\nCLIENT_ERROR bad command line format\r\n",
            ),
            ("set a 0 0 3 noreply\r\nabcdemn\r\n", "MN\r\n"),
            ("get a\r\n", "VALUE a 0 1\r\n1\r\nEND\r\n"),
        ],
    );
}

#[test]
fn a_large_value_comes_and_goes_in_pieces_and_survives_its_successor() {
    let bench = plain();
    let mut writer = bench.client(1);
    let value = vec![b'v'; 10 * OUTPUT_SIZE_HIGH];
    let line = format!("set big 0 0 {}\r\n", value.len());
    assert_eq!(writer.say(line.as_bytes()), b"");
    for piece in value.chunks(7_001) {
        assert_eq!(writer.say(piece), b"");
    }
    assert_eq!(writer.say(b"\r"), b"");
    assert_eq!(writer.say(b"\n"), b"STORED\r\n");
    let answer = writer.say(b"get big none big\r\nmg big v s k\r\nmn\r\n");
    let mut expected = Vec::new();
    for _ in 0..2 {
        expected.extend_from_slice(format!("VALUE big 0 {}\r\n", value.len()).as_bytes());
        expected.extend_from_slice(&value);
        expected.extend_from_slice(b"\r\n");
    }
    expected.extend_from_slice(b"END\r\n");
    expected.extend_from_slice(format!("VA {0} s{0} kbig\r\n", value.len()).as_bytes());
    expected.extend_from_slice(&value);
    expected.extend_from_slice(b"\r\nMN\r\n");
    assert!(answer == expected);
    assert_eq!(writer.say(b"get big\r\n").len(), value.len() + 27);
}

#[test]
fn a_large_block_without_its_line_end_is_refused() {
    let bench = plain();
    let mut client = bench.client(1);
    let mut block = b"set big 0 0 900000\r\n".to_vec();
    block.extend(std::iter::repeat_n(b'x', 900_000));
    assert_eq!(client.say(&block), b"");
    assert_eq!(
        client.say(b"zzmn\r\n"),
        b"CLIENT_ERROR bad data chunk\r\nMN\r\n"
    );
    assert_eq!(client.say(b"get big\r\n"), b"END\r\n");
}

#[test]
fn a_value_too_large_is_skipped_and_takes_the_old_one_along_for_set_only() {
    let bench = plain();
    let mut client = bench.client(1);
    let large = vec![b'x'; 2_000_000];
    for (line, survives) in [
        ("set k 0 0 2000000\r\n", false),
        ("add k 0 0 2000000\r\n", true),
        ("append k 0 0 2000000\r\n", true),
        ("cas k 0 0 2000000 1\r\n", true),
        ("ms k 2000000 ME q\r\n", false),
    ] {
        assert_eq!(client.say(b"set k 0 0 1\r\n1\r\n"), b"STORED\r\n");
        let mut answer = client.say(line.as_bytes());
        answer.append(&mut client.say(&large));
        answer.append(&mut client.say(b"\r\n"));
        assert_eq!(
            answer, b"SERVER_ERROR object too large for cache\r\n",
            "{line}"
        );
        let left = client.say(b"get k\r\n").starts_with(b"VALUE");
        assert_eq!(left, survives, "{line}");
    }
}

#[test]
fn a_line_without_end_closes_unless_it_gets() {
    let bench = plain();
    let mut client = bench.client(1);
    assert_eq!(client.say(&[b'a'; 2049]), b"");
    assert_eq!(client.last, Some(Next::Abort));
    let mut client = bench.client(2);
    assert_eq!(client.say(&[b' '; 4095]), b"");
    assert!(client.is_closed());
    let mut client = bench.client(3);
    client.say(b"set hot 0 0 1\r\n1\r\n");
    let mut answer = client.say(b"get ");
    for _ in 0..70_000 {
        answer.append(&mut client.say(b"hot "));
    }
    answer.append(&mut client.say(b"hot\r\nmn\r\n"));
    assert_eq!(
        answer.len(),
        70_001 * b"VALUE hot 0 1\r\n1\r\n".len() + b"END\r\nMN\r\n".len()
    );
    let mut client = bench.client(4);
    let mut answer = client.say(b"get ");
    for _ in 0..600 {
        answer.append(&mut client.say(b"none "));
    }
    answer.append(&mut client.say(&[b'k'; 300]));
    assert_eq!(answer, b"CLIENT_ERROR bad command line format\r\n");
    assert!(client.is_closed());
}

#[test]
fn a_long_answer_pauses_and_goes_on_in_the_middle_of_a_line() {
    let bench = plain();
    let mut client = bench.client(1);
    let size = COPY_SIZE_MAX - 100;
    let mut set = format!("set k 0 0 {size}\r\n").into_bytes();
    set.extend(std::iter::repeat_n(b'v', size));
    set.extend_from_slice(b"\r\n");
    assert_eq!(client.say(&set), b"STORED\r\n");
    let line = ["get", &" k".repeat(50), "\r\n"].concat();
    let answer = client.say(line.as_bytes());
    assert_eq!(
        answer.len(),
        50 * (size + format!("VALUE k 0 {size}\r\n\r\n").len()) + 5
    );
}

#[test]
fn replies_beyond_their_memory_are_refused() {
    let bench = bench(|config| {
        config.read_buf_mem_limit = 32 << 10;
        config.requests_per_event = 500;
    });
    let mut client = bench.client(1);
    let line = ["get", &" foo".repeat(500), "\r\n"].concat();
    let answer = client.say(line.as_bytes());
    assert_eq!(
        answer,
        b"SERVER_ERROR out of memory writing get response\r\n"
    );
    let mut client = bench.client(2);
    assert_eq!(client.say("mg foo v\r\n".repeat(500).as_bytes()), b"");
    assert!(client.is_closed());
    assert_eq!(bench.shared.registry.totals().response_obj_oom, 2);
}

#[test]
fn a_client_has_its_share_of_a_turn_and_no_more() {
    let bench = bench(|config| config.requests_per_event = 3);
    let mut client = bench.client(1);
    // Every turn is driven until the session waits for input; nothing may be lost between them.
    let answer = client.say("mn\r\n".repeat(10).as_bytes());
    assert_eq!(answer, "MN\r\n".repeat(10).as_bytes());
}

#[test]
fn watchers_hear_what_they_asked_for() {
    let bench = plain();
    let mut watcher = bench.client(7);
    assert_eq!(
        watcher.say(b"watch fetchers mutations deletions\r\n"),
        b"OK\r\n"
    );
    let mut client = bench.client(9);
    client.say(b"set a 0 60 4\r\nbody\r\nget a\r\ndelete a\r\n");
    let heard = String::from_utf8(watcher.say(b"")).expect("text");
    let lines: Vec<_> = heard.lines().collect();
    let ends = [
        "type=item_get key=a status=not_found clsid=0 cfd=9 size=0",
        "type=item_store key=a status=stored cmd=set ttl=60 clsid=1 cfd=9 size=4",
        "type=item_get key=a status=found clsid=1 cfd=9 size=4",
        "type=item_get key=a status=found clsid=1 cfd=9 size=4",
        "type=deleted key=a cmd=delete clsid=1 size=4",
    ];
    assert_eq!(lines.len(), ends.len(), "{heard}");
    for (gid, (line, end)) in lines.iter().zip(ends).enumerate() {
        assert!(line.ends_with(&format!("gid={} {end}", gid + 1)), "{line}");
    }
    drop(watcher);
    assert!(!bench.shared.hub.is_watched());
}

#[test]
fn listings_and_watching_begin_on_a_clean_line() {
    let bench = plain();
    converse(
        &mut bench.client(1),
        &[
            (
                "mg foo v\r\nlru_crawler metadump all\r\n",
                "EN\r\nERROR cannot pipeline other commands before metadump\r\n",
            ),
            (
                "mn\r\nwatch\r\n",
                "MN\r\nERROR cannot pipeline other commands before watch\r\n",
            ),
            ("set a 3 0 1\r\n1\r\n", "STORED\r\n"),
            ("ms Zm9v 1 b\r\n1\r\n", "HD\r\n"),
        ],
    );
    let dump = bench.client(2).say(b"lru_crawler mgdump all\r\n");
    let mut lines: Vec<_> = dump.split_inclusive(|&b| b == b'\n').collect();
    lines[1..3].sort_unstable();
    assert_eq!(
        lines,
        [&b"OK\r\n"[..], b"mg Zm9v b\r\n", b"mg a\r\n", b"EN\r\n"]
    );
}

#[test]
fn a_listing_that_finds_little_lets_others_have_their_turn() {
    let bench = plain();
    let mut client = bench.client(1);
    for number in 0..4000 {
        let line = format!("set key{number} 0 0 1 noreply\r\nx\r\n");
        assert_eq!(client.say(line.as_bytes()), b"");
    }
    let before = client.turns;
    assert_eq!(client.say(b"lru_crawler metadump 30\r\n"), b"OK\r\nEND\r\n");
    let turns = client.turns - before;
    assert!(turns > 2, "all items looked at in {turns} turns");
}

#[test]
fn twenty_watchers_are_enough() {
    let bench = plain();
    let mut watchers: Vec<_> = (0..20).map(|id| bench.client(id)).collect();
    for watcher in &mut watchers {
        assert_eq!(watcher.say(b"watch\r\n"), b"OK\r\n");
    }
    let answer = bench.client(20).say(b"watch\r\n");
    assert_eq!(answer, b"WATCHER_TOO_MANY log watcher limit reached\r\n");
}

#[test]
fn the_recache_protocol_has_one_winner() {
    let bench = plain();
    let mut client = bench.client(1);
    converse(
        &mut client,
        &[
            ("mg k s v t N30 R30\r\n", "VA 0 s0 t30 W\r\n\r\n"),
            ("mg k s v t N30 R30\r\n", "VA 0 s0 t30 Z\r\n\r\n"),
            ("ms k 2 T90\r\nok\r\n", "HD\r\n"),
            ("mg k s v t N30 R30\r\n", "VA 2 s2 t90\r\nok\r\n"),
            ("md k I T30\r\n", "HD\r\n"),
            ("mg k v\r\n", "VA 2 X W\r\nok\r\n"),
            ("mg k v\r\n", "VA 2 Z X\r\nok\r\n"),
            ("ms k 3 I C1\r\nnew\r\n", "HD\r\n"),
        ],
    );
    bench.advance(31);
    converse(&mut client, &[("mg k v q\r\nmn\r\n", "MN\r\n")]);
}

#[test]
fn a_flush_kills_what_was_before_it_in_the_same_second() {
    let bench = plain();
    let mut client = bench.client(1);
    converse(
        &mut client,
        &[
            (
                "set a 0 0 1\r\n1\r\nflush_all\r\nset b 0 0 1\r\n2\r\n",
                "STORED\r\nOK\r\nSTORED\r\n",
            ),
            ("get a b\r\n", "VALUE b 0 1\r\n2\r\nEND\r\n"),
            (
                "flush_all 2\r\nget b\r\n",
                "OK\r\nVALUE b 0 1\r\n2\r\nEND\r\n",
            ),
        ],
    );
    bench.advance(3);
    converse(&mut client, &[("get b\r\n", "END\r\n")]);
}

#[test]
fn datagrams_are_answered_message_by_message() {
    let bench = plain();
    let mut client = bench.client(1);
    client.say(b"set a 0 0 1\r\n1\r\nset b 0 0 1\r\n2\r\n");
    let messages = client.datagram(b"get a none b\r\nversion\r\n");
    assert_eq!(
        messages,
        [
            &b"VALUE a 0 1\r\n1\r\n"[..],
            b"VALUE b 0 1\r\n2\r\nEND\r\n",
            b"VERSION 1.6.45\r\n",
        ]
    );
    assert_eq!(
        client.datagram(b"get a\r\n"),
        [b"VALUE a 0 1\r\n1\r\nEND\r\n"]
    );
    assert_eq!(client.datagram(b"get b none\r\n")[1], b"END\r\n");
    assert!(client.datagram(b"get a").is_empty());
}

#[test]
fn each_datagram_chooses_its_protocol_anew() {
    let bench = plain();
    let mut client = bench.client(1);
    let set = b"\x80\x01\0\x01\x08\0\0\0\0\0\0\x0a\0\0\0\x01\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0kv";
    let get = b"\x80\x00\0\x01\0\0\0\0\0\0\0\x01\0\0\0\x02\0\0\0\0\0\0\0\0k";
    let stored = client.datagram(set);
    assert_eq!(
        (stored.len(), &stored[0][..8]),
        (1, &b"\x81\x01\0\0\0\0\0\0"[..])
    );
    assert_eq!(
        client.datagram(b"get k\r\n"),
        [b"VALUE k 0 1\r\nv\r\nEND\r\n"]
    );
    let both = client.datagram(&[&get[..], get].concat());
    assert_eq!(both.len(), 2);
    assert!(both.iter().all(|message| message.ends_with(b"\0\0\0\0v")));
    // A piece of a request is dropped.
    assert!(client.datagram(&set[..set.len() - 1]).is_empty());
    let large = vec![b'x'; 100_000];
    let text = [&b"set k 0 0 100000\r\n"[..], &large, b"\r\n"].concat();
    bench.client(2).say(&text);
    let whole = client.datagram(get);
    assert_eq!((whole.len(), whole[0].len()), (1, 24 + 4 + 100_000));
}

#[test]
fn plain_stats_have_as_many_lines_as_memcached() {
    let lines = |bench: &Bench| {
        let answer = bench.client(1).say(b"stats\r\n");
        answer
            .split(|&b| b == b'\n')
            .filter(|line| line.starts_with(b"STAT "))
            .count()
    };
    assert_eq!(lines(&plain()), 93);
    let bench = bench(|config| {
        config.lru_maintainer = false;
        config.lru_crawler = false;
    });
    assert_eq!(lines(&bench), 84);
}

#[test]
fn a_client_that_leaves_takes_its_half_sent_value_along() {
    let bench = plain();
    let mut client = bench.client(1);
    client.say(b"set big 0 0 500000\r\n");
    client.say(&[b'x'; 100_000]);
    drop(client);
    assert_eq!(bench.shared.store.totals().curr_items, 0);
}
