//! Finding the addresses of the seeds: on a thread of its own where they are names, since a
//! resolver may take its time.

use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::thread::Builder;
use std::time::Duration;

use super::{Order, Orders};
use crate::config::cluster::Place;

/// Pause between two looks at names that are known, and at those that are not.
const PAUSE_KNOWN: Duration = Duration::from_secs(30);
const PAUSE_UNKNOWN: Duration = Duration::from_secs(2);

/// Most addresses that are taken; a name may have many.
const ADDRESS_COUNT_MAX: usize = 256;

/// Tells the thread the addresses of these places, now if they are numbers, else as they are
/// found, again and again.
pub(super) fn start(places: &[Place], orders: &Orders) -> io::Result<()> {
    let numbers: Option<Vec<SocketAddr>> = places.iter().map(number).collect();
    if let Some(numbers) = numbers {
        if !numbers.is_empty() {
            orders.give(Order::Seeds(numbers));
        }
        return Ok(());
    }
    let (places, orders) = (places.to_vec(), orders.clone());
    // Not joined: a resolver cannot be interrupted, and nothing is lost with it.
    Builder::new()
        .name("larder-seeds".to_owned())
        .spawn(move || look_up(&places, &orders))?;
    Ok(())
}

fn number(place: &Place) -> Option<SocketAddr> {
    let ip: IpAddr = place.host.parse().ok()?;
    Some(SocketAddr::new(ip, place.port))
}

fn look_up(places: &[Place], orders: &Orders) {
    let mut last = Vec::new();
    let mut complained = false;
    loop {
        let mut found = Vec::new();
        let mut missing = Vec::new();
        for place in places {
            match (place.host.as_str(), place.port).to_socket_addrs() {
                Ok(addresses) => found.extend(addresses),
                Err(error) => missing.push(format!("{place} ({error})")),
            }
        }
        found.sort_unstable();
        found.dedup();
        found.truncate(ADDRESS_COUNT_MAX);
        if !missing.is_empty() && !complained {
            complained = true;
            let missing = missing.join(", ");
            log::warn!("cluster: seeds cannot be found, trying on  seeds={missing}");
        }
        complained &= !missing.is_empty();
        // What is unknown now may still be where it was: the last addresses stand.
        if !found.is_empty() && found != last {
            if orders.sender.send(Order::Seeds(found.clone())).is_err() {
                return;
            }
            orders.wake();
            last = found;
        }
        std::thread::sleep(if missing.is_empty() {
            PAUSE_KNOWN
        } else {
            PAUSE_UNKNOWN
        });
        if orders.is_over() {
            return;
        }
    }
}
