//! Reads a snapshot into an empty store, on all cores.

use std::io::BufReader;
use std::path::Path;
use std::time::Instant;

use crossbeam_channel::{Receiver, Sender};
use rustix::fs::{Advice, fadvise};

use crate::store::Store;
use crate::store::snapshot::{Block, BlockReader, Restored, Restorer, SnapshotError, Terms};
use crate::time::Clock;

/// Bytes read at a time.
const READ_SIZE: usize = 1 << 20;

/// Most threads that put items into the store. One reads, and is as fast as some of them.
const LANE_COUNT_MAX: usize = 8;

/// Blocks that wait for each of them.
const BLOCKS_PER_LANE: usize = 4;

/// What has come of a start.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(in super::super) enum Loaded {
    /// The store has so many items from the file, which may be none.
    Done(u64),
    /// Somebody wants the daemon to stop. The store is empty.
    Stopped,
}

/// Why not all of it has been read.
enum Broken {
    Stopped,
    Error(SnapshotError),
}

impl<E: Into<SnapshotError>> From<E> for Broken {
    fn from(error: E) -> Self {
        Self::Error(error.into())
    }
}

/// Reads the file, if there is one. A file that is not whole is told in the log, and leaves an
/// empty store.
pub(super) fn load(path: &Path, store: &Store, clock: &Clock, go_on: &dyn Fn() -> bool) -> Loaded {
    let file = path.display();
    match read(path, store, clock, go_on) {
        Ok(None) => {
            log::info!("there is no snapshot yet  file={file}");
            Loaded::Done(0)
        }
        Ok(Some(restored)) => Loaded::Done(restored.items),
        Err(Broken::Stopped) => {
            store.flush(None, clock.now());
            Loaded::Stopped
        }
        Err(Broken::Error(error)) => {
            // What has been stored so far is whole. Yet who reads half of a file as if it were all
            // of it would never hear that his disk forgets.
            store.flush(None, clock.now());
            log::warn!(
                "no items are restored: {error}; the next snapshot replaces the file  file={file}"
            );
            Loaded::Done(0)
        }
    }
}

fn read(
    path: &Path,
    store: &Store,
    clock: &Clock,
    go_on: &dyn Fn() -> bool,
) -> Result<Option<Restored>, Broken> {
    let began = Instant::now();
    let file = match super::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let facts = file.metadata()?;
    if facts.len() == 0 {
        return Ok(None);
    }
    // A wish, which a file system may have no ear for.
    let _ = fadvise(&file, 0, None, Advice::Sequential);
    let mut blocks = BlockReader::new(BufReader::with_capacity(READ_SIZE, file))?;
    clock.tick();
    let terms = Terms::new(blocks.end(), clock.now())?;
    if terms.is_flushed(clock.now()) {
        let dead = blocks.end().items;
        log::info!(
            "no items are restored: all have been flushed since  file={} items={dead}",
            path.display()
        );
        return Ok(Some(Restored {
            dead,
            ..Restored::default()
        }));
    }
    store.begin_restore(&terms);
    let restored = restore(store, clock, &mut blocks, &terms, go_on)?;
    store.end_restore_of(&terms, clock.now());
    log::info!(
        "items are restored from the snapshot  file={} items={} dead={} refused={} mb={} age_s={} \
         ms={}",
        path.display(),
        restored.items,
        restored.dead,
        restored.refused,
        facts.len() >> 20,
        terms.gone_s(),
        began.elapsed().as_millis()
    );
    Ok(Some(restored))
}

/// Reads blocks and deals them out to threads that store their items.
fn restore(
    store: &Store,
    clock: &Clock,
    blocks: &mut BlockReader<BufReader<std::fs::File>>,
    terms: &Terms,
    go_on: &dyn Fn() -> bool,
) -> Result<Restored, Broken> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        let (lanes, threads): (Vec<_>, Vec<_>) = (0..cores.min(LANE_COUNT_MAX))
            .map(|_| {
                let (lane, given) = crossbeam_channel::bounded(BLOCKS_PER_LANE);
                let work = move || fill(store, clock, terms, &given);
                (lane, scope.spawn(work))
            })
            .unzip();
        let dealt = deal(blocks, lanes, go_on);
        let mut restored = Restored::default();
        let mut worst = dealt.err();
        for thread in threads {
            // Whatever a panic was about, what it leaves is not to be served.
            let done = thread.join().unwrap_or(Err(SnapshotError::Contents));
            match done {
                Ok(more) => restored.add(&more),
                // An item that is cut short because of something else is no news.
                Err(error) => worst = worst.or(Some(Broken::Error(error))),
            }
        }
        worst.map_or(Ok(restored), Err)
    })
}

fn deal(
    blocks: &mut BlockReader<BufReader<std::fs::File>>,
    lanes: Vec<Sender<Block>>,
    go_on: &dyn Fn() -> bool,
) -> Result<(), Broken> {
    let mut next = 0;
    while let Some(block) = blocks.next_block()? {
        if !go_on() {
            return Err(Broken::Stopped);
        }
        // All of a large item goes to the same one.
        if !block.is_rest() {
            next = (next + 1) % lanes.len();
        }
        if lanes[next].send(block).is_err() {
            // It has met what is not to be, and says so.
            break;
        }
    }
    Ok(())
}

fn fill(
    store: &Store,
    clock: &Clock,
    terms: &Terms,
    given: &Receiver<Block>,
) -> Result<Restored, SnapshotError> {
    let mut restorer = Restorer::new(store, terms);
    let mut result = Ok(());
    while let Ok(block) = given.recv() {
        result = restorer.take(&block, clock.now());
        if result.is_err() {
            break;
        }
    }
    let finished = restorer.finish();
    result.and(finished)
}
