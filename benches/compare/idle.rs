//! What a connection that says nothing costs: resident memory with and without many of them.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::path::Path;

use larder::client::load::process;

use crate::load::server::Server;
use crate::options::Options;

/// Connections that are opened. Servers are started with `-c 4096`.
const CONNECTION_COUNT: usize = 3000;

/// Connections opened before anything is counted, so that what is had once is not counted.
const BEFORE_COUNT: usize = 500;

/// What the server's memory grew by for each connection, in bytes.
struct Cost {
    /// Never a word said.
    silent: u64,
    /// A request served.
    served: u64,
}

/// Prints the table.
pub(crate) fn compare(options: &Options, cores: &[usize]) -> io::Result<()> {
    if !"idle connections".contains(&options.only) {
        return Ok(());
    }
    let mut out = io::stdout();
    writeln!(
        out,
        "\nResident bytes of the server for each of {CONNECTION_COUNT} connections, one worker, \
         beyond the first {BEFORE_COUNT}; buffers of the kernel are not the server's.\n"
    )?;
    writeln!(out, "| connection | memcached | larderd |")?;
    writeln!(out, "|---|---|---|")?;
    let peer = cost(&options.peer, cores)?;
    let larderd = cost(&options.larderd, cores)?;
    writeln!(
        out,
        "| that never said a word | {} | **{}** |\n| whose request was answered | {} | **{}** |",
        peer.silent, larderd.silent, peer.served, larderd.served
    )?;
    out.flush()
}

fn cost(program: &Path, cores: &[usize]) -> io::Result<Cost> {
    let server = Server::start(program, &["-t", "1"], &cores[..1])?;
    let resident = || process::resident_size(server.pid());
    let mut clients = Vec::new();
    crowd(&server, &mut clients, BEFORE_COUNT)?;
    talk(&mut clients)?;
    let before = resident()?;
    crowd(&server, &mut clients, BEFORE_COUNT + CONNECTION_COUNT)?;
    let silent = resident()?;
    talk(&mut clients)?;
    let served = resident()?;
    let each = |now: u64| now.saturating_sub(before) / CONNECTION_COUNT as u64;
    Ok(Cost {
        silent: each(silent),
        served: each(served),
    })
}

/// Connects until there are this many, all of which the server has taken.
fn crowd(server: &Server, clients: &mut Vec<TcpStream>, count: usize) -> io::Result<()> {
    while clients.len() < count {
        clients.push(TcpStream::connect(server.address)?);
    }
    // The one that is asked is counted too.
    while server.stat("curr_connections")? <= count as u64 {
        std::thread::yield_now();
    }
    Ok(())
}

/// Has a request answered on each.
fn talk(clients: &mut [TcpStream]) -> io::Result<()> {
    const MISS: &[u8; 5] = b"END\r\n";
    for client in &mut *clients {
        client.write_all(b"get a\r\n")?;
    }
    for client in clients {
        let mut reply = [0; MISS.len()];
        client.read_exact(&mut reply)?;
        if reply != *MISS {
            return Err(io::Error::other("not a miss"));
        }
    }
    Ok(())
}
