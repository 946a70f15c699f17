//! Whole conversations in process: bytes in, bytes out, no socket.
//!
//! What a request costs a worker beside its share of the system calls. Keys of 20 bytes with
//! values of 100, taken at random, from a set of items that fits the processor's caches and from
//! one that does not. `--only WORDS` picks rows, `--rounds N` fixes the work.

use std::io;

mod talk;
mod timing;

use talk::{ROWS, Row, Script, Talk, keys};
use timing::Timing;

/// Keys asked for in a round, by all its requests together: more than the caches hold.
const KEY_COUNT: usize = 96 << 10;

fn main() -> io::Result<()> {
    let timing = Timing::from_arguments()?;
    for (name, count) in [("small", 10_000), ("large", 2_000_000)] {
        let title = |row: &Row| format!("{name}: {}", row.name);
        if !ROWS.iter().any(|row| timing.wants(&title(row))) {
            continue;
        }
        let keys = keys(if timing.quick { 10_000 } else { count });
        let mut talk = Talk::begin(&keys)?;
        for row in ROWS.iter().filter(|row| timing.wants(&title(row))) {
            let script = Script::write(row, &keys, KEY_COUNT);
            script.rehearse(&mut talk);
            timing.row(&title(row), script.key_count, || script.perform(&mut talk))?;
        }
        talk.end();
    }
    Ok(())
}
