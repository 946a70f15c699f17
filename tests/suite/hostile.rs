//! What memcached's vulnerabilities and their kin were made of, sent to larder.
//!
//! After each input the connection is in step or closed as stated, another client is served,
//! and nothing is left behind: no item, no connection.

use std::time::Duration;

use crate::attacks::{Outcome, attacks};
use crate::support::client::show;
use crate::support::process::{resident_size, settled_size, wait_until};
use crate::support::{Client, Server};

#[test]
fn known_attacks_are_answered_and_leave_nothing_behind() {
    let server = Server::start(&[]);
    let mut witness = server.connect();
    let connections = witness.stat("curr_connections");
    let mut wrong = Vec::new();
    for (name, input, outcome) in attacks() {
        let mut client = server.connect();
        if let Err(what) = attack(&mut client, &input, &outcome) {
            wrong.push(format!("{name}: {what}"));
        }
        drop(client);
        let mut other = server.connect();
        other.ask("version\r\n", "VERSION ");
        drop(other);
        let items = witness.stat("curr_items");
        if items > 1 {
            wrong.push(format!("{name}: leaves {items} items"));
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
    witness.await_stat("curr_connections", |now| now <= connections);
    // At most the one key that some inputs store on their way; it is dead, or goes at once.
    witness.send("delete k\r\n");
    witness.line();
    witness.await_stat("curr_items", |items| items == 0);
}

fn attack(client: &mut Client, input: &[u8], outcome: &Outcome) -> Result<(), String> {
    let _closed_meanwhile = client.try_send(input);
    match outcome {
        Outcome::Answer(wanted) => {
            client.try_send("mn\r\n");
            let got = client.take(wanted.len() + 4);
            let whole = format!("{wanted}MN\r\n");
            if got == whole.as_bytes() {
                Ok(())
            } else {
                Err(format!("answered {}", show(&got)))
            }
        }
        Outcome::Closed => {
            let rest = client.drain(Duration::from_secs(5));
            if rest.is_empty() && client.ended() {
                Ok(())
            } else {
                Err(format!("not closed, but {}", show(&rest)))
            }
        }
        Outcome::Errors => {
            client.try_send("mn\r\n");
            loop {
                let line = client.line();
                if line == "MN" {
                    return Ok(());
                }
                let known = [
                    "ERROR",
                    "CLIENT_ERROR",
                    "BADCLASS",
                    "NOT_FOUND",
                    "OK",
                    "BUSY",
                ];
                if !known.iter().any(|word| line.starts_with(word)) {
                    return Err(format!("said {line:?}"));
                }
            }
        }
    }
}

#[test]
fn seventy_thousand_copies_of_a_hot_key_in_one_get_all_come() {
    const COUNT: usize = 70_000;
    let server = Server::start(&[]);
    let mut client = server.connect();
    client.ask("set k 0 0 1\r\nv\r\n", "STORED\r\n");
    let before = settled_size(server.pid());
    client.send(format!("get{}\r\n", " k".repeat(COUNT)));
    let answer = client.take(COUNT * "VALUE k 0 1\r\nv\r\n".len() + 5);
    assert!(answer.ends_with(b"v\r\nEND\r\n"));
    let values = answer.split(|&byte| byte == b'V').count() - 1;
    assert_eq!(values, COUNT);
    client.sync();
    let growth = resident_size(server.pid()).saturating_sub(before);
    assert!(growth < 8 << 20, "grew by {growth} bytes");
}

#[test]
fn a_get_line_without_end_costs_no_memory() {
    let server = Server::start(&[]);
    let mut witness = server.connect();
    let before = settled_size(server.pid());
    let mut client = server.connect();
    client.send("get");
    let piece = " none".repeat(40_000);
    for _ in 0..50 {
        if !client.try_send(&piece) {
            break;
        }
        witness.sync();
    }
    let growth = resident_size(server.pid()).saturating_sub(before);
    assert!(growth < 4 << 20, "grew by {growth} bytes");
}

#[test]
fn refused_values_leave_no_item_and_no_memory() {
    let server = Server::start(&[]);
    let mut client = server.connect();
    client.ask("set k 0 0 1\r\nv\r\n", "STORED\r\n");
    let opaque = "o".repeat(40);
    let value = "v".repeat(100);
    let request = format!("ms x 100 MX O{opaque}\r\n{value}\r\n");
    let before = settled_size(server.pid());
    for _ in 0..100 {
        client.send(request.repeat(100));
        client.send("mn\r\n");
        loop {
            let line = client.line();
            if line == "MN" {
                break;
            }
            assert!(line.starts_with("CLIENT_ERROR "), "{line:?}");
        }
    }
    assert_eq!(client.stat("curr_items"), 1);
    let growth = resident_size(server.pid()).saturating_sub(before);
    assert!(growth < 2 << 20, "grew by {growth} bytes");
}

#[test]
fn a_client_that_leaves_in_the_middle_of_a_value_takes_it_along() {
    let server = Server::start(&[]);
    let mut witness = server.connect();
    witness.ask("set k 0 0 3\r\nold\r\n", "STORED\r\n");
    let connections = witness.stat("curr_connections");
    for size in [10, 1000, 100_000, 1_000_000] {
        let mut client = server.connect();
        client.send(format!("set k 0 0 {size}\r\n{}", "v".repeat(size / 2)));
        drop(client);
        witness.await_stat("curr_connections", |now| now <= connections);
    }
    witness.ask("get k\r\n", "VALUE k 0 3\r\nold\r\nEND\r\n");
    assert_eq!(witness.stat("curr_items"), 1);
}

#[test]
fn random_bytes_end_at_worst_their_own_connection() {
    let server = Server::start(&[]);
    let mut witness = server.connect();
    // A fixed sequence, so that a failure can be seen again.
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut random = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    let words: &[&[u8]] = &[
        b"get ",
        b"set ",
        b"ms ",
        b"mg ",
        b"md ",
        b"ma ",
        b"k ",
        b"0 ",
        b"1 ",
        b"-1 ",
        b"\r\n",
        b"\n",
        b" ",
        b"noreply",
        b"v ",
        b"q ",
        b"T30 ",
        b"O1 ",
        b"b ",
        b"99999999999 ",
        b"\0",
        b"\xff",
        b"{}",
        b"incr ",
        b"stats ",
        b"lru ",
        b"slabs ",
    ];
    for _ in 0..200 {
        let mut client = server.connect();
        let mut input = Vec::new();
        for _ in 0..100 {
            let choice = usize::try_from(random() % (words.len() as u64 + 4)).expect("an index");
            match words.get(choice) {
                Some(word) => input.extend_from_slice(word),
                None => input.extend_from_slice(&random().to_le_bytes()),
            }
        }
        client.try_send(&input);
    }
    let alive = wait_until(|| {
        witness.sync();
        true
    });
    assert!(alive);
    witness.ask("set k 0 0 1\r\nv\r\n", "STORED\r\n");
    witness.ask("get k\r\n", "VALUE k 0 1\r\nv\r\nEND\r\n");
}
