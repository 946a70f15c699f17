//! The body of a fuzz target, as a plain function that unit tests call as well.

use std::io::Cursor;

use super::super::{Store, testing};
use super::format::{Block, Blocks, Kind};
use super::{BlockReader, End, Restorer, SnapshotError, Terms};
use crate::time::Now;

const NOW: Now = Now {
    uptime_s: 100,
    unix_s: 1_700_000_000,
};

/// Reads any bytes as a snapshot, and as what stands in blocks of one that is whole: nothing may
/// panic, and the store is sound whatever came of it.
///
/// # Panics
///
/// If it is not.
pub fn snapshot(input: &[u8]) {
    let store = Store::new(&testing::config(4)).expect("a store");
    let _ = read(&store, input);
    let (first, rest) = input.split_at(input.len() / 2);
    let (second, third) = rest.split_at(rest.len() / 2);
    let mut blocks = Blocks::new();
    for (kind, part) in [
        (Kind::Items, input),
        (Kind::Begin, first),
        (Kind::Rest, second),
        (Kind::Rest, third),
    ] {
        blocks.seal(kind, 0, &mut part.to_vec());
    }
    let end = End {
        flushed: vec![0],
        ..End::default()
    };
    blocks.end(end.clone());
    let _ = read(&store, &blocks.ready);
    let terms = Terms::new(&end, NOW).expect("long ago");
    for kind in [Kind::Begin, Kind::Items] {
        let mut restorer = Restorer::new(&store, &terms);
        let contents = input.to_vec();
        let shard = u32::from(input.first().copied().unwrap_or(0) & 1);
        let block = Block {
            kind,
            shard,
            contents,
        };
        let _ = restorer.take(&block, NOW);
        let _ = restorer.finish();
    }
    store.check();
}

/// Reads a snapshot into a store, as the server does with several threads.
///
/// # Errors
///
/// When it is not what was written.
pub fn read(store: &Store, bytes: &[u8]) -> Result<super::Restored, SnapshotError> {
    let mut blocks = BlockReader::new(Cursor::new(bytes))?;
    let terms = Terms::new(blocks.end(), NOW)?;
    store.begin_restore(&terms);
    let mut restorer = Restorer::new(store, &terms);
    while let Some(block) = blocks.next_block()? {
        if let Err(error) = restorer.take(&block, NOW) {
            let _ = restorer.finish();
            return Err(error);
        }
    }
    let restored = restorer.finish()?;
    store.end_restore_of(&terms, NOW);
    Ok(restored)
}
