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
/// found, again and again. `is_last_chance` when the process is about to give up what a resolver
/// needs: then names are looked up once before this returns.
pub(super) fn start(places: &[Place], orders: &Orders, is_last_chance: bool) -> io::Result<()> {
    let numbers: Option<Vec<SocketAddr>> = places.iter().map(number).collect();
    if let Some(numbers) = numbers {
        if !numbers.is_empty() {
            orders.give(Order::Seeds(numbers));
        }
        return Ok(());
    }
    let mut search = Search {
        places: places.to_vec(),
        last: Vec::new(),
        complained: false,
    };
    if is_last_chance {
        search.look(orders);
    }
    let orders = orders.clone();
    // Not joined: a resolver cannot be interrupted, and nothing is lost with it.
    Builder::new()
        .name("larder-seeds".to_owned())
        .spawn(move || search.run(&orders))?;
    Ok(())
}

fn number(place: &Place) -> Option<SocketAddr> {
    let ip: IpAddr = place.host.parse().ok()?;
    Some(SocketAddr::new(ip, place.port))
}

/// Names that are looked up again and again.
struct Search {
    places: Vec<Place>,
    last: Vec<SocketAddr>,
    complained: bool,
}

impl Search {
    fn run(mut self, orders: &Orders) {
        loop {
            let pause = self.look(orders);
            std::thread::sleep(pause);
            if orders.is_over() {
                return;
            }
        }
    }

    /// Looks all names up, and says how long to wait for the next time.
    fn look(&mut self, orders: &Orders) -> Duration {
        let mut found = Vec::new();
        let mut missing = Vec::new();
        for place in &self.places {
            match (place.host.as_str(), place.port).to_socket_addrs() {
                Ok(addresses) => found.extend(addresses),
                Err(error) => missing.push(format!("{place} ({error})")),
            }
        }
        found.sort_unstable();
        found.dedup();
        found.truncate(ADDRESS_COUNT_MAX);
        if !missing.is_empty() && !self.complained {
            let missing = missing.join(", ");
            log::warn!("cluster: seeds cannot be found, trying on  seeds={missing}");
        }
        self.complained = !missing.is_empty();
        // What is unknown now may still be where it was: the last addresses stand.
        if !found.is_empty() && found != self.last {
            orders.give(Order::Seeds(found.clone()));
            self.last = found;
        }
        if missing.is_empty() {
            PAUSE_KNOWN
        } else {
            PAUSE_UNKNOWN
        }
    }
}
