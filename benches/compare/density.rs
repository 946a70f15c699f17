//! Items held in equal memory: servers filled until they evict, and what is resident then.

use std::io::{self, Write};
use std::path::Path;

use larder::client::load::keys::Sizes;
use larder::client::load::{self, Limit, Spec, process};

use crate::load::server::Server;
use crate::options::Options;

/// What a table calls the sizes of a full server's items.
const ROWS: [(&str, Sizes); 5] = [
    ("10", Sizes::Fixed(10)),
    ("100", Sizes::Fixed(100)),
    ("400", Sizes::Fixed(400)),
    ("20 to 1019", Sizes::Uniform(20, 1019)),
    ("twitter, a mix", Sizes::Twitter),
];

/// What a full server holds.
struct Held {
    items: u64,
    resident: u64,
    /// Bytes of values in each byte of resident memory.
    payload_share: f64,
}

impl Held {
    fn bytes_an_item(&self) -> f64 {
        self.resident as f64 / self.items as f64
    }
}

/// Prints the table.
pub(crate) fn compare(options: &Options, cores: &[usize]) -> io::Result<()> {
    let rows: Vec<_> = ROWS
        .iter()
        .filter(|(name, _)| format!("density {name}").contains(&options.only))
        .collect();
    if rows.is_empty() {
        return Ok(());
    }
    let mut out = io::stdout();
    writeln!(
        out,
        "\nFull servers at `-m {}`, one worker, keys of 20 bytes; the mix has keys of its own. \
         Payload is bytes of values.\n",
        options.memory_mib
    )?;
    writeln!(
        out,
        "| value bytes | memcached items | RSS MiB | bytes an item | larderd items | RSS MiB \
         | bytes an item | items for each byte of RSS | payload for each byte of RSS |"
    )?;
    writeln!(out, "|---|---|---|---|---|---|---|---|---|")?;
    for (name, sizes) in rows {
        let peer = hold(&options.peer, options.memory_mib, *sizes, cores)?;
        let larderd = hold(&options.larderd, options.memory_mib, *sizes, cores)?;
        let show = |held: &Held| {
            let mib = held.resident as f64 / f64::from(1 << 20);
            format!("{} | {mib:.1} | {:.1}", held.items, held.bytes_an_item())
        };
        let items = peer.bytes_an_item() / larderd.bytes_an_item();
        let payload = larderd.payload_share / peer.payload_share;
        let (peer, larderd) = (show(&peer), show(&larderd));
        writeln!(
            out,
            "| {name} | {peer} | {larderd} | **{items:.2}** | {payload:.2} |"
        )?;
        out.flush()?;
    }
    Ok(())
}

/// Stores new keys until the server evicts, and a quarter more.
fn hold(program: &Path, limit_mib: u32, sizes: Sizes, cores: &[usize]) -> io::Result<Held> {
    const STEP: u64 = 20_000;
    const KEY_COUNT_MAX: u64 = 100_000_000;
    let limit = limit_mib.to_string();
    let server = Server::start(program, &["-m", &limit, "-t", "1"], &cores[..1])?;
    let mut spec = Spec {
        cores: cores[cores.len() - 1..].to_vec(),
        ..server.load()
    };
    spec.keys.sizes = sizes;
    spec.keys.count = KEY_COUNT_MAX;
    let mut stored = 0;
    let mut enough = KEY_COUNT_MAX;
    while stored < enough {
        load::fill(&spec, stored..stored + STEP).map_err(io::Error::other)?;
        stored += STEP;
        if enough == KEY_COUNT_MAX && server.stat("evictions")? > 0 {
            enough = stored + stored / 4;
        }
    }
    let (items, resident) = (
        server.stat("curr_items")?,
        process::resident_size(server.pid())?,
    );
    // The count is the server's word; what it answers for keys taken at random must agree.
    spec.keys.count = stored;
    let seen = load::run(&Spec {
        depth: 16,
        connections: 4,
        limit: Limit::Requests(100_000),
        ..spec
    })
    .map_err(io::Error::other)?;
    let (found, claimed) = (seen.hit_share(), items as f64 / stored as f64);
    eprintln!(
        "{}: {sizes:?}: {stored} stored, {claimed:.3} said to be held, {found:.3} found",
        program.display()
    );
    if (found - claimed).abs() > 0.02 {
        return Err(io::Error::other("curr_items is not what is found"));
    }
    let payload = seen.counts.value_bytes as f64 / seen.counts.requests() as f64 * stored as f64;
    Ok(Held {
        items,
        resident,
        payload_share: payload / resident as f64,
    })
}
