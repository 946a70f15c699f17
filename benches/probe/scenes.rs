//! What others do while the probe asks.

use std::io::{self, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use larder::client::load::keys::{Popularity, Sizes};
use larder::client::load::{self, Limit, Spec};
use larder::protocol::client::{Dialect, Reply};
use rustix::net::sockopt::set_socket_linger;

use crate::load_tools::server::Server;

/// A scene of the probe.
pub(crate) struct Scene {
    pub(crate) name: &'static str,
    /// Flags of the server.
    pub(crate) flags: &'static [&'static str],
    /// What happens before the probe begins; the number divides amounts in a quick run.
    pub(crate) prepare: fn(&Server, u64) -> io::Result<()>,
    /// What happens meanwhile, for about this long.
    pub(crate) disturb: fn(&Server, Duration, u64) -> io::Result<()>,
}

/// Items in a server that holds many.
const MANY: u64 = 2_000_000;

/// Items of a dump.
const DUMPED: u64 = 5_000_000;

/// Clients that come at once.
const CROWD: u64 = 10_000;

pub(crate) const SCENES: &[Scene] = &[
    Scene {
        name: "nothing else",
        flags: &[],
        prepare: |_, _| Ok(()),
        disturb: |_, _, _| Ok(()),
    },
    Scene {
        name: "new items: the index grows",
        flags: &["-m", "2048"],
        prepare: |_, _| Ok(()),
        disturb: |server, length, _| sets(server, length, Sizes::Fixed(10)),
    },
    Scene {
        name: "new items of 20 to 1019 bytes, memory full",
        flags: &["-m", "64"],
        prepare: |server, _| fill(server, 150_000, Sizes::Uniform(20, 1019)),
        disturb: |server, length, _| sets(server, length, Sizes::Uniform(20, 1019)),
    },
    Scene {
        name: "items of 4000 bytes take the memory of small ones: pages move",
        flags: &["-m", "64", "-o", "slab_reassign,slab_automove=1"],
        prepare: |server, _| fill(server, 600_000, Sizes::Fixed(50)),
        disturb: |server, length, _| sets(server, length, Sizes::Fixed(4000)),
    },
    Scene {
        name: "flush_all of 2 million items, and new ones",
        flags: &["-m", "2048"],
        prepare: |server, scale| fill(server, MANY / scale, Sizes::Fixed(10)),
        disturb: |server, length, _| {
            lines(server, &[b"flush_all"])?;
            sets(server, length, Sizes::Fixed(10))
        },
    },
    Scene {
        name: "metadump of 5 million items",
        flags: &["-m", "2048"],
        prepare: |server, scale| fill(server, DUMPED / scale, Sizes::Fixed(10)),
        disturb: |server, length, _| {
            let begin = Instant::now();
            while begin.elapsed() < length {
                lines(server, &[b"lru_crawler", b"metadump", b"all"])?;
            }
            Ok(())
        },
    },
    Scene {
        name: "10,000 clients come and go",
        flags: &["-c", "12000"],
        prepare: |_, _| Ok(()),
        disturb: |server, length, scale| crowd(server, length, CROWD / scale),
    },
    Scene {
        name: "values of 1 MB",
        flags: &["-m", "1024", "-I", "2m"],
        prepare: |_, _| Ok(()),
        disturb: |server, length, _| large(server, length),
    },
    Scene {
        name: "20 clients ask for 20 MB each and read nothing",
        flags: &["-m", "256"],
        prepare: |_, _| Ok(()),
        disturb: |server, length, _| silent(server, length),
    },
];

fn fill(server: &Server, count: u64, sizes: Sizes) -> io::Result<()> {
    let mut spec = server.load();
    spec.keys.sizes = sizes;
    load::fill(&spec, 0..count).map_err(io::Error::other)?;
    Ok(())
}

/// Stores new keys as fast as one thread can.
fn sets(server: &Server, length: Duration, sizes: Sizes) -> io::Result<()> {
    let mut spec = server.load();
    spec.keys.sizes = sizes;
    // Far beyond those that may be there already.
    spec.keys.count = 1_000_000_000;
    spec.fresh_share = 1.0;
    load::run(&Spec {
        connections: 8,
        depth: 16,
        set_share: 1.0,
        limit: Limit::Time {
            warm_up: Duration::ZERO,
            counted: length,
        },
        ..spec
    })
    .map_err(io::Error::other)?;
    Ok(())
}

/// Asks by one line and reads to the end of the answer.
fn lines(server: &Server, words: &[&[u8]]) -> io::Result<()> {
    let mut connection = server.connect()?;
    connection.command(words).map_err(io::Error::other)?;
    loop {
        let line = connection.line().map_err(io::Error::other)?;
        match Reply::parse(&line) {
            Reply::End | Reply::Done => return Ok(()),
            Reply::Other(b"BUSY currently processing crawler request") => return Ok(()),
            // A line of a dump.
            Reply::Other(_) => {}
            other => return Err(io::Error::other(format!("unexpected: {other:?}"))),
        }
    }
}

fn crowd(server: &Server, length: Duration, count: u64) -> io::Result<()> {
    let begin = Instant::now();
    while begin.elapsed() < length {
        let mut clients = Vec::new();
        for _ in 0..count {
            if begin.elapsed() > length {
                break;
            }
            let client = TcpStream::connect(server.address)?;
            // Hangs up at once, or the ports of those who have gone would not be free in time.
            set_socket_linger(&client, Some(Duration::ZERO))?;
            clients.push(client);
        }
    }
    Ok(())
}

fn large(server: &Server, length: Duration) -> io::Result<()> {
    let mut spec = server.load();
    spec.keys.sizes = Sizes::Fixed(1_000_000);
    spec.keys.count = 100;
    load::run(&Spec {
        connections: 4,
        popularity: Popularity::Uniform,
        set_share: 0.5,
        limit: Limit::Time {
            warm_up: Duration::ZERO,
            counted: length,
        },
        ..spec
    })
    .map_err(io::Error::other)?;
    Ok(())
}

fn silent(server: &Server, length: Duration) -> io::Result<()> {
    let mut spec = server.load();
    spec.keys.sizes = Sizes::Fixed(100_000);
    load::fill(&spec, 0..1).map_err(io::Error::other)?;
    let mut key = Vec::new();
    spec.keys.write_key(0, &mut key);
    let mut request = Vec::new();
    for _ in 0..200 {
        Dialect::Text.get(&mut request, &key);
    }
    let mut clients = Vec::new();
    for _ in 0..20 {
        let mut client = TcpStream::connect(server.address)?;
        client.write_all(&request)?;
        clients.push(client);
    }
    std::thread::sleep(length);
    Ok(())
}
