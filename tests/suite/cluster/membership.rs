//! Joining, leaving, dying and coming back.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use rustix::process::Signal;

use super::Fleet;
use crate::support::process::wait_until;

#[test]
fn nodes_that_join_are_listed_by_all_and_leave_when_they_are_told_to() {
    let mut fleet = Fleet::grown(3, &["--leave"]);
    let (before, _) = fleet.told(0);
    let began = Instant::now();
    fleet.server(1).signal(Signal::TERM);
    let mut leaver = fleet.hosts[1].server.take().expect("a daemon");
    fleet.await_list(&[0, 2]);
    println!("a graceful leave reached all after {:?}", began.elapsed());
    let status = leaver.await_exit();
    assert_eq!(status.code(), Some(0), "{}", leaver.log());
    let (after, _) = fleet.told(2);
    assert!(after > before);
    // It comes back as if it had never been there.
    fleet.start(1);
    assert!(fleet.await_list(&[0, 1, 2]) > after);
}

#[test]
fn no_request_fails_twice_while_a_node_leaves() {
    let mut fleet = Fleet::grown(3, &["--leave"]);
    let done = Arc::new(AtomicBool::new(false));
    let address = {
        let port = fleet.server(0).address().port();
        std::net::SocketAddr::from((fleet.hosts[0].ip, port))
    };
    let stop = Arc::clone(&done);
    let client = std::thread::spawn(move || converse(address, &stop));
    fleet.server(2).signal(Signal::TERM);
    let mut leaver = fleet.hosts[2].server.take().expect("a daemon");
    leaver.await_exit();
    fleet.await_list(&[0, 1]);
    done.store(true, Ordering::Relaxed);
    let (requests, retries) = client.join().expect("no request fails twice");
    println!("{requests} requests while a node left, {retries} of them sent twice");
    assert!(requests > 0);
}

/// Stores one value after another at the node that the list gives for it; after a failure asks for
/// the list again and tries once more. Returns how many were stored, and how many at the second
/// try.
fn converse(discovery: std::net::SocketAddr, stop: &AtomicBool) -> (usize, usize) {
    use std::io::{Read, Write};
    let list = || {
        let mut stream = std::net::TcpStream::connect(discovery).expect("a node that stays");
        stream.write_all(b"config get cluster\r\n").expect("a peer");
        let mut text = String::new();
        let mut buffer = [0; 4096];
        while !text.ends_with("END\r\n") {
            let count = stream.read(&mut buffer).expect("a reply");
            text.push_str(std::str::from_utf8(&buffer[..count]).expect("text"));
        }
        let nodes = text.lines().nth(2).expect("a list of nodes").split(' ');
        nodes.map(str::to_owned).collect::<Vec<_>>()
    };
    let store = |node: &str| -> std::io::Result<()> {
        let mut parts = node.split('|').skip(1);
        let (ip, port) = (parts.next().unwrap_or(""), parts.next().unwrap_or(""));
        let mut stream = std::net::TcpStream::connect(format!("{ip}:{port}"))?;
        stream.write_all(b"set k 0 0 1\r\nv\r\n")?;
        let mut reply = [0; 8];
        stream.read_exact(&mut reply)?;
        assert_eq!(&reply, b"STORED\r\n");
        Ok(())
    };
    let (mut requests, mut retries) = (0, 0);
    let mut nodes = list();
    while !stop.load(Ordering::Relaxed) {
        if store(&nodes[requests % nodes.len()]).is_err() {
            nodes = list();
            retries += 1;
            store(&nodes[requests % nodes.len()]).expect("a node of the new list");
        }
        requests += 1;
    }
    (requests, retries)
}

#[test]
fn a_killed_node_stays_listed_and_its_return_elsewhere_replaces_it_in_place() {
    let mut fleet = Fleet::grown(3, &[]);
    let (before, nodes) = fleet.told(0);
    let began = Instant::now();
    fleet.kill(1);
    fleet.await_reach(&[0, 2], 1, "unreachable");
    println!(
        "a killed node was known to be so after {:?}",
        began.elapsed()
    );
    assert_eq!(fleet.told(0), (before, nodes.clone()));
    assert_eq!(fleet.told(2), (before, nodes));
    fleet.relocate(1);
    let began = Instant::now();
    fleet.start(1);
    let after = fleet.await_list(&[0, 1, 2]);
    println!("its return was told by all after {:?}", began.elapsed());
    assert!(after > before);
    fleet.await_reach(&[0, 2], 1, "reachable");
}

#[test]
fn a_node_that_has_lost_its_memory_takes_its_own_place_again() {
    let mut fleet = Fleet::grown(2, &[]);
    let (before, _) = fleet.told(0);
    fleet.kill(1);
    fleet.relocate(1);
    let state = fleet.path(&fleet.hosts[1].name);
    std::fs::remove_file(state).expect("a state file");
    fleet.start(1);
    assert!(fleet.await_list(&[0, 1]) > before);
}

#[test]
fn without_its_seed_a_node_lists_itself_under_version_1_until_that_is_there() {
    let mut fleet = Fleet::new(3, &[]);
    fleet.start(1);
    fleet.start(2);
    for index in [1, 2] {
        assert_eq!(fleet.told(index), (1, fleet.nodes(&[index])));
    }
    fleet.start(0);
    let version = fleet.await_list(&[0, 1, 2]);
    assert!(version > 1 && version <= i32::MAX as u32);
}

#[test]
fn after_a_restart_of_all_the_old_list_is_served_at_once() {
    let mut fleet = Fleet::grown(3, &[]);
    let (before, nodes) = fleet.told(0);
    for index in 0..3 {
        fleet.server(index).signal(Signal::TERM);
    }
    for index in 0..3 {
        let mut server = fleet.hosts[index].server.take().expect("a daemon");
        assert_eq!(server.await_exit().code(), Some(0), "{}", server.log());
    }
    // Nobody else is there to tell it.
    fleet.start(2);
    assert_eq!(fleet.told(2), (before, nodes));
    fleet.start(0);
    fleet.start(1);
    // Each has another port, so the list changes; the version only grows.
    assert!(fleet.await_list(&[0, 1, 2]) > before);
}

#[test]
fn a_frozen_node_stays_listed_and_is_back_when_it_thaws() {
    let fleet = Fleet::grown(3, &[]);
    let told = fleet.told(0);
    fleet.server(1).signal(Signal::STOP);
    fleet.await_reach(&[0, 2], 1, "unreachable");
    assert_eq!(fleet.told(0), told);
    fleet.server(1).signal(Signal::CONT);
    fleet.await_reach(&[0, 2], 1, "reachable");
    fleet.await_reach(&[1], 0, "reachable");
    for index in 0..3 {
        assert_eq!(fleet.told(index), told);
    }
}

#[test]
fn forty_nodes_converge() {
    let count = 40;
    let mut fleet = Fleet::new(count, &[]);
    for index in 0..count {
        fleet.start(index);
    }
    let began = Instant::now();
    let all: Vec<usize> = (0..count).collect();
    fleet.await_list(&all);
    println!(
        "{count} daemons told one list {:?} after the last start",
        began.elapsed()
    );
}

#[test]
fn a_second_daemon_under_a_name_is_not_listed() {
    let mut fleet = Fleet::grown(3, &[]);
    let told = fleet.told(0);
    let mut flags = fleet.flags(2);
    let ip = super::fresh_address();
    for flag in &mut flags {
        if flag.starts_with("-l") {
            *flag = format!("-l{ip}");
        } else if flag.starts_with("--cluster-listen=") {
            *flag = format!("--cluster-listen={ip}:{}", fleet.port);
        } else if flag.starts_with("--cluster-state=") {
            *flag = "--cluster-state=FOLDER/state".to_owned();
        }
    }
    let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
    let second = crate::support::Server::start_bare(&flags);
    let denied = wait_until(|| second.log().contains("NameInUse"));
    assert!(denied, "{}", second.log());
    assert_eq!(fleet.told(0), told);
    assert_eq!(fleet.told(1), told);
    fleet.kill(2);
}

#[test]
fn a_list_that_an_administrator_stores_is_agreed_on_by_all() {
    let mut fleet = Fleet::grown(3, &[]);
    let (before, mut nodes) = fleet.told(0);
    fleet.kill(2);
    fleet.await_reach(&[0, 1], 2, "unreachable");
    nodes.pop();
    let text = format!("{}\n{}\n", before + 5, nodes.join(" "));
    let mut client = fleet.connect(1);
    client.send(format!("config set cluster 0 {}\r\n{text}\r\n", text.len()));
    client.expect("STORED\r\n");
    assert!(fleet.await_nodes(&nodes) > before);
    // Whoever was taken off while it was down comes back when it starts.
    fleet.start(2);
    fleet.await_list(&[0, 1, 2]);
}

#[test]
fn a_node_that_cannot_write_its_state_tells_nothing_new_until_it_can() {
    let mut fleet = Fleet::grown(3, &["--leave"]);
    let told = fleet.told(2);
    // Where the new state is written first there is something else.
    let obstacle = format!("{}.new", fleet.path(&fleet.hosts[2].name));
    std::fs::create_dir(&obstacle).expect("a folder");
    fleet.server(1).signal(Signal::TERM);
    let mut leaver = fleet.hosts[1].server.take().expect("a daemon");
    let said = wait_until(|| fleet.server(2).log().contains("state cannot be written"));
    assert!(said, "{}", fleet.logs());
    assert_eq!(fleet.told(2), told);
    std::fs::remove_dir(&obstacle).expect("a folder");
    assert!(fleet.await_list(&[0, 2]) > told.0);
    assert_eq!(leaver.await_exit().code(), Some(0), "{}", leaver.log());
}
