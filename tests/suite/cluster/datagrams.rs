//! Datagrams that a cluster must not take.

use std::net::{SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use super::{Fleet, fresh_address};
use crate::support::process::{resident_size, wait_until};

/// Stands between a node and its seed, passes everything on and keeps a copy.
struct Relay {
    address: SocketAddr,
    seed: SocketAddr,
    /// What was sent to the seed.
    heard: Arc<Mutex<Vec<Vec<u8>>>>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Relay {
    fn start(seed: SocketAddr, node: SocketAddr) -> Self {
        let socket = UdpSocket::bind((fresh_address(), 0)).expect("a socket");
        let wait = Some(Duration::from_millis(20));
        socket.set_read_timeout(wait).expect("a timeout");
        let address = socket.local_addr().expect("an address");
        let heard: Arc<Mutex<Vec<Vec<u8>>>> = Arc::default();
        let stop = Arc::new(AtomicBool::new(false));
        let (copies, end) = (Arc::clone(&heard), Arc::clone(&stop));
        let thread = std::thread::spawn(move || {
            let mut buffer = [0; 65_535];
            while !end.load(Ordering::Relaxed) {
                let Ok((size, from)) = socket.recv_from(&mut buffer) else {
                    continue;
                };
                let to = if from == seed { node } else { seed };
                if to == seed {
                    let copy = buffer[..size].to_vec();
                    copies.lock().expect("no panic").push(copy);
                }
                let _ = socket.send_to(&buffer[..size], to);
            }
        });
        Self {
            address,
            seed,
            heard,
            stop,
            thread: Some(thread),
        }
    }

    fn copies(&self) -> Vec<Vec<u8>> {
        self.heard.lock().expect("no panic").clone()
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ended = thread.join();
        }
    }
}

fn gossip(fleet: &Fleet, index: usize) -> SocketAddr {
    SocketAddr::from((fleet.hosts[index].ip, fleet.port))
}

#[test]
fn a_node_with_another_key_is_not_heard() {
    let mut fleet = Fleet::new(2, &[]);
    fleet.start(0);
    fleet.await_list(&[0]);
    assert!(wait_until(|| fleet.told(0).0 > 1), "{}", fleet.logs());
    let told = fleet.told(0);
    let key = fleet.path("key");
    std::fs::write(&key, "another key of a good length\n").expect("a key file");
    fleet.start(1);
    let refused = wait_until(|| fleet.server(0).log().contains("wrong key"));
    assert!(refused, "{}", fleet.logs());
    assert_eq!(fleet.told(0), told);
    assert_eq!(fleet.told(1), (1, fleet.nodes(&[1])));
    // The seed learns the other key beside its own, and both find each other.
    let both = format!("another key of a good length\n{}", super::KEY);
    std::fs::write(&key, both).expect("a key file");
    fleet.server(0).signal(rustix::process::Signal::HUP);
    assert!(fleet.await_list(&[0, 1]) > told.0);
}

#[test]
fn datagrams_that_are_forged_changed_too_large_or_sent_again_change_nothing() {
    let mut fleet = Fleet::new(2, &[]);
    fleet.start(0);
    let relay = Relay::start(gossip(&fleet, 0), gossip(&fleet, 1));
    let direct = std::mem::replace(&mut fleet.seeds, relay.address.to_string());
    fleet.start(1);
    fleet.seeds = direct;
    fleet.await_list(&[0, 1]);
    fleet.await_reach(&[0], 1, "reachable");
    let heard = wait_until(|| relay.copies().len() >= 3);
    assert!(heard, "nothing came by the relay: {}", fleet.logs());
    let told = fleet.told(0);
    let memory = resident_size(fleet.server(0).pid());

    let attacker = UdpSocket::bind((fresh_address(), 0)).expect("a socket");
    let send = |bytes: &[u8]| {
        // Too large a datagram may be refused by the system already.
        let _ = attacker.send_to(bytes, relay.seed);
    };
    let copies = relay.copies();
    for copy in &copies {
        for _ in 0..20 {
            send(copy);
        }
        for at in 0..copy.len() {
            let mut changed = copy.clone();
            changed[at] ^= 0x40;
            send(&changed);
        }
        for end in 0..copy.len() {
            send(&copy[..end]);
        }
    }
    for size in [0, 1, 1499, 9000, 65_000] {
        send(&vec![b'L'; size]);
    }
    for reason in ["wrong key", "replayed", "malformed"] {
        let refused = wait_until(|| fleet.server(0).log().contains(reason));
        assert!(refused, "{reason}: {}", fleet.logs());
    }
    assert_eq!(fleet.told(0), told);
    assert_eq!(fleet.told(1), told);
    fleet.await_reach(&[0], 1, "reachable");
    let grown = resident_size(fleet.server(0).pid()).saturating_sub(memory);
    assert!(grown < 8 << 20, "{grown} bytes more");

    // What was meant for an earlier run is not taken by the next.
    fleet.kill(0);
    fleet.start(0);
    let after = fleet.await_list(&[0, 1]);
    for copy in &copies {
        send(copy);
    }
    fleet.await_reach(&[0], 1, "reachable");
    assert_eq!(fleet.told(0).0, after);
}
