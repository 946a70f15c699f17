//! The file that keeps items over a restart: whose it is, what stands beside it, and the way from
//! there to a store and back.
//!
//! ```text
//!   FILE        page 0: a mark, and a number drawn at each start; then the pages of the arena
//!   FILE.meta   written by an orderly stop: that number, the clock, the store but for its pages
//! ```
//!
//! With `-e` FILE has a name. With `--keep-memory` it has none: the service manager holds it while
//! nobody serves, and what is FILE.meta otherwise stands behind its last page, where page 0 says.
//!
//! FILE.meta is removed before its contents are used, and the number in FILE drawn anew: whatever
//! happens from then on, it can never be taken for a description of FILE again. It describes what
//! it was written for or nothing, by a checksum of its own and one of each page. The data of FILE
//! is not synchronized with a disk: what a power failure takes is found by the checksums.
//!
//! **Invariant:** FILE is this process's alone from [`Memory::open`] on, by a lock, by its owner
//! and by its mode; the arena rests on that. One without a name is known to its service manager
//! alone, which gives it to one process at a time and does not look inside. Nothing is overwritten
//! that larderd has not written.

use std::fmt;
use std::fs::{File, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use parking_lot::Mutex;
use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::disk;
use super::error::StartError;
use crate::store::{Contents, Damage, OpenError, Saved, SavedShard, Store, StoreConfig};
use crate::time::{Clock, unix_us};

/// What FILE begins with.
const MARK: &[u8; 16] = b"larder memory 1\n";

/// What FILE.meta begins with. The number grows with the form of what follows, and with what is
/// written in the pages.
const META_MARK: &[u8; 16] = b"larder meta 001\n";

/// A larger FILE.meta describes nothing that we could have.
const META_SIZE_MAX: u64 = 1 << 30;

/// Bytes of the checksum at the end of FILE.meta.
const DIGEST_SIZE: usize = 32;

/// The system's clock may be set back so far between two processes without consequence.
const CLOCK_SLACK_S: i64 = 2;

/// Only its owner reads and writes the file.
const MODE: u32 = 0o600;

type Number = [u8; 16];

/// What FILE.meta says.
#[derive(Debug, Deserialize, Serialize)]
struct Meta {
    number: Number,
    uptime_s: u32,
    unix_s: i64,
    store: Saved,
}

/// What FILE begins with after its mark.
#[derive(Clone, Copy, Debug)]
struct Head {
    number: Number,
    /// Where the description stands in a file that has no name; zero when there is none.
    meta_at: u64,
}

/// Bytes before the head's last field.
const META_AT: u64 = 32;

/// Where the description of a file stands.
#[derive(Clone, Debug)]
enum Home {
    /// In a file of its own.
    Beside { path: PathBuf, meta: PathBuf },
    /// Behind the last page.
    Within,
}

impl fmt::Display for Home {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Beside { path, .. } => path.display().fmt(f),
            Self::Within => f.write_str("the service manager"),
        }
    }
}

impl Home {
    fn fail(&self, cause: &impl ToString) -> StartError {
        StartError::MemoryFile {
            place: self.to_string(),
            option: match self {
                Self::Beside { .. } => "-e",
                Self::Within => "--keep-memory",
            },
            cause: cause.to_string(),
        }
    }
}

/// A memory file that is ours.
#[derive(Debug)]
pub(super) struct Memory {
    home: Home,
    file: File,
    /// In FILE, as it is found.
    head: Option<Head>,
}

/// Why a start is an empty one.
enum Refusal {
    /// There is nothing to be had, and nothing was promised.
    New,
    /// Something has been lost.
    Lost(String),
}

fn lost(cause: impl ToString) -> Refusal {
    Refusal::Lost(cause.to_string())
}

impl Memory {
    /// Opens the file, or makes it, and locks it.
    ///
    /// # Errors
    ///
    /// When it cannot be had, is another's, or holds what larderd has not written.
    pub(super) fn open(path: &Path) -> Result<Self, StartError> {
        let mut name = path.file_name().unwrap_or_default().to_owned();
        name.push(".meta");
        let meta = path.with_file_name(name);
        let home = Home::Beside {
            path: path.to_owned(),
            meta: meta.clone(),
        };
        let file = open_own(path).map_err(|cause| home.fail(&cause))?;
        let memory = Self {
            head: read_head(&file),
            home,
            file,
        };
        match memory.judge(&meta) {
            Ok(()) => Ok(memory),
            Err(cause) => Err(memory.home.fail(&cause)),
        }
    }

    /// Takes a file that has no name, as it comes from the service manager or is new.
    pub(super) fn unnamed(file: File) -> Self {
        Self {
            head: read_head(&file),
            home: Home::Within,
            file,
        }
    }

    /// Refuses files that are somebody else's, as far as one can see.
    fn judge(&self, meta: &Path) -> Result<(), String> {
        if self.head.is_some() || is_meta_ours(meta) {
            return Ok(());
        }
        let size = self.file.metadata().map_err(|error| error.to_string())?;
        if size.len() != 0 {
            return Err(
                "larderd has not written what is there; remove the file or name another".to_owned(),
            );
        }
        if meta.exists() {
            return Err(format!(
                "larderd has not written {} and would replace it; remove it or name another file",
                meta.display()
            ));
        }
        Ok(())
    }

    /// The store with what was kept, or an empty one, and the clock that goes with it. An empty
    /// one where something was to be expected is told in the log.
    ///
    /// # Errors
    ///
    /// When not even an empty store can be had.
    pub(super) fn store(self, config: &StoreConfig) -> Result<(Store, Clock, Keeper), StartError> {
        let file = self.home.to_string();
        self.warn_of_room(config.memory_limit);
        let (store, clock, number, has_items) = match self.restore(config) {
            Ok((store, clock)) => {
                let number = self.draw().map_err(|error| self.home.fail(&error))?;
                (store, clock, number, true)
            }
            Err(refusal) => {
                match refusal {
                    Refusal::New => log::info!("items are kept from now on  file={file}"),
                    Refusal::Lost(cause) => {
                        log::warn!("no items are kept from before: {cause}  file={file}");
                    }
                }
                let (store, number) = self.empty(config)?;
                (store, Clock::start(), number, false)
            }
        };
        let keeper = Keeper {
            home: self.home,
            number,
            file: self.file,
            has_items,
        };
        Ok((store, clock, keeper))
    }

    /// Says so when the file system has less room than the limit promises.
    fn warn_of_room(&self, limit: u64) {
        let Home::Beside { path, .. } = &self.home else {
            return;
        };
        let Ok(system) = rustix::fs::fstatvfs(&self.file) else {
            return;
        };
        let taken = self.file.metadata().map_or(0, |file| file.blocks() * 512);
        let room = system.f_bavail.saturating_mul(system.f_frsize) + taken;
        if room < limit {
            log::warn!(
                "the file system of -e has less room than -m promises, and items are evicted when \
                 it is full  file={} room_mb={} memory_mb={}",
                path.display(),
                room >> 20,
                limit >> 20
            );
        }
    }

    fn empty(&self, config: &StoreConfig) -> Result<(Store, Number), StartError> {
        let mut bytes = [0; 32];
        let drawn = getrandom::fill(&mut bytes);
        drawn.map_err(|error| self.home.fail(&error))?;
        let mut keys = [0; 4];
        for (key, bytes) in keys.iter_mut().zip(bytes.chunks_exact(8)) {
            *key = bytes
                .iter()
                .fold(0, |key, byte| key << 8 | u64::from(*byte));
        }
        // What is there is let go of: it reads as zeros when the file has grown again.
        self.file
            .set_len(0)
            .map_err(|error| self.home.fail(&error))?;
        // Before it grows: a file that has a size is known to be ours.
        let number = self.draw().map_err(|error| self.home.fail(&error))?;
        match Store::on_file(config, &self.file, Contents::Empty(keys)) {
            Ok(store) => Ok((store, number)),
            Err(OpenError::System(error)) => Err(StartError::Memory(error)),
            Err(OpenError::Damage(damage)) => Err(self.home.fail(&damage)),
        }
    }

    /// Gives the file a number that it has never had.
    fn draw(&self) -> io::Result<Number> {
        let mut number = Number::default();
        getrandom::fill(&mut number).map_err(io::Error::other)?;
        let none = 0_u64.to_le_bytes();
        let head = [MARK.as_slice(), &number, &none].concat();
        self.file.write_all_at(&head, 0)?;
        Ok(number)
    }

    fn restore(&self, config: &StoreConfig) -> Result<(Store, Clock), Refusal> {
        let Some(meta) = self.take_meta()? else {
            return Err(match self.head {
                None => Refusal::New,
                Some(_) => lost("larderd was not stopped in order"),
            });
        };
        if self.head.map(|head| head.number) != Some(meta.number) {
            return Err(lost("FILE.meta was written for another file"));
        }
        let gone_s = unix_s() - meta.unix_s;
        if gone_s < -CLOCK_SLACK_S {
            let cause = "the system's clock is behind the time of the stop, so nobody knows what \
                         has expired";
            return Err(lost(cause));
        }
        let gone_s = u32::try_from(gone_s.max(0)).unwrap_or(u32::MAX);
        let began = Instant::now();
        let store = Store::on_file(config, &self.file, Contents::Saved(&meta.store));
        let store = store.map_err(|error| match error {
            OpenError::Damage(damage) => lost(damage),
            OpenError::System(error) => lost(error),
        })?;
        restore_shards(&store, &meta.store).map_err(lost)?;
        store.end_restore();
        log::info!(
            "items are kept from before  file={} items={} mb={} stopped_s={gone_s} ms={}",
            self.home,
            store.totals().curr_items,
            meta.store.size() >> 20,
            began.elapsed().as_millis()
        );
        Ok((store, Clock::resume(meta.uptime_s.saturating_add(gone_s))))
    }

    /// Reads what is told of the file and removes it, whatever it says.
    fn take_meta(&self) -> Result<Option<Meta>, Refusal> {
        let bytes = match &self.home {
            Home::Beside { meta, .. } => {
                let read = disk::read(meta, META_SIZE_MAX);
                match disk::remove(meta) {
                    Ok(()) => read,
                    Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
                    // It would be there again after the next crash.
                    Err(error) => {
                        return Err(lost(format!("FILE.meta cannot be removed: {error}")));
                    }
                }
            }
            Home::Within => match self.head {
                Some(head) if head.meta_at != 0 => self.take_end(head.meta_at),
                _ => return Ok(None),
            },
        };
        let bytes = bytes.map_err(|error| lost(format!("FILE.meta: {error}")))?;
        decode(&bytes).map(Some).map_err(lost)
    }

    /// Takes what stands behind the pages off the file.
    fn take_end(&self, at: u64) -> io::Result<Vec<u8>> {
        let size = self.file.metadata()?.len().saturating_sub(at);
        if size > META_SIZE_MAX {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        let mut bytes = vec![0; usize::try_from(size).unwrap_or(0)];
        self.file.read_exact_at(&mut bytes, at)?;
        self.file.write_all_at(&0_u64.to_le_bytes(), META_AT)?;
        self.file.set_len(at)?;
        Ok(bytes)
    }
}

fn is_meta_ours(meta: &Path) -> bool {
    let mut mark = [0; 16];
    let read = File::open(meta).and_then(|file| file.read_exact_at(&mut mark, 0));
    read.is_ok() && mark == *META_MARK
}

/// What a running daemon knows of its file, to write what the next one needs.
#[derive(Debug)]
pub(super) struct Keeper {
    home: Home,
    number: Number,
    /// The lock is its.
    file: File,
    /// Whether the store went on where another has ended.
    pub(super) has_items: bool,
}

impl Keeper {
    /// Describes the store in FILE.meta. Nobody uses the store any more, and nobody may from now on.
    pub(super) fn save(&self, store: &Store, clock: &Clock) {
        let began = Instant::now();
        clock.tick();
        let shards = save_shards(store);
        let Some(saved) = store.saved(shards) else {
            return;
        };
        let size = saved.size();
        let meta = Meta {
            number: self.number,
            uptime_s: clock.now().uptime_s,
            unix_s: unix_s(),
            store: saved,
        };
        let written = encode(&meta)
            .map_err(io::Error::other)
            .and_then(|bytes| self.write(&bytes));
        let file = &self.home;
        match written {
            Ok(()) => log::info!(
                "items are kept for the next start  file={file} items={} mb={} ms={}",
                store.totals().curr_items,
                size >> 20,
                began.elapsed().as_millis()
            ),
            Err(error) => {
                log::error!("items are not kept for the next start  file={file} error={error}");
            }
        }
    }
}

impl Keeper {
    fn write(&self, meta: &[u8]) -> io::Result<()> {
        match &self.home {
            Home::Beside { meta: path, .. } => disk::replace(path, meta, MODE),
            Home::Within => {
                let at = self.file.metadata()?.len();
                self.file.write_all_at(meta, at)?;
                self.file.write_all_at(&at.to_le_bytes(), META_AT)
            }
        }
    }
}

fn open_own(path: &Path) -> Result<File, String> {
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(MODE)
        // Somebody else's link would lead us to any file.
        .custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK)
        .open(path)
        .map_err(|error| error.to_string())?;
    let facts = file.metadata().map_err(|error| error.to_string())?;
    if !facts.is_file() {
        return Err("it is no regular file".to_owned());
    }
    if facts.uid() != rustix::process::geteuid().as_raw() {
        return Err("it belongs to another user; remove it or name another".to_owned());
    }
    match flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => {}
        Err(Errno::WOULDBLOCK) => {
            return Err("another process has it locked; stop that one or name another".to_owned());
        }
        Err(error) => return Err(format!("it cannot be locked: {error}")),
    }
    if facts.mode() & 0o077 != 0 {
        // What lies in a cache is for its users alone.
        file.set_permissions(Permissions::from_mode(MODE))
            .map_err(|error| error.to_string())?;
    }
    Ok(file)
}

fn read_head(file: &File) -> Option<Head> {
    let mut mark = [0; MARK.len()];
    let mut number = Number::default();
    let mut meta_at = [0; 8];
    file.read_exact_at(&mut mark, 0).ok()?;
    file.read_exact_at(&mut number, MARK.len() as u64).ok()?;
    file.read_exact_at(&mut meta_at, META_AT).ok()?;
    let meta_at = u64::from_le_bytes(meta_at);
    (mark == *MARK).then_some(Head { number, meta_at })
}

fn unix_s() -> i64 {
    i64::try_from(unix_us() / 1_000_000).unwrap_or(0)
}

fn encode(meta: &Meta) -> postcard::Result<Vec<u8>> {
    let mut bytes = META_MARK.to_vec();
    bytes.extend(postcard::to_allocvec(meta)?);
    let digest = Sha256::digest(&bytes);
    bytes.extend_from_slice(&digest);
    Ok(bytes)
}

fn decode(bytes: &[u8]) -> Result<Meta, &'static str> {
    const BROKEN: &str = "FILE.meta is not whole";
    let (described, digest) = bytes.split_last_chunk::<DIGEST_SIZE>().ok_or(BROKEN)?;
    let Some(described_store) = described.strip_prefix(META_MARK) else {
        return Err("FILE.meta is of another version");
    };
    if Sha256::digest(described)[..] != digest[..] {
        return Err(BROKEN);
    }
    postcard::from_bytes(described_store).map_err(|_| BROKEN)
}

/// Does something for each shard, on as many threads as there are cores.
fn for_each_shard(count: usize, work: impl Fn(usize) + Sync) {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let next = AtomicUsize::new(0);
    let take = || {
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number >= count {
                break;
            }
            work(number);
        }
    };
    std::thread::scope(|scope| {
        for _ in 1..threads.min(count) {
            scope.spawn(take);
        }
        take();
    });
}

fn restore_shards(store: &Store, saved: &Saved) -> Result<(), Damage> {
    let found = Mutex::new(None);
    for_each_shard(saved.shard_count(), |number| {
        if found.lock().is_some() {
            return;
        }
        if let Err(damage) = store.restore_shard(number, saved) {
            *found.lock() = Some(damage);
        }
    });
    found.into_inner().map_or(Ok(()), Err)
}

fn save_shards(store: &Store) -> Vec<SavedShard> {
    let saved: Vec<_> = (0..store.shard_count())
        .map(|_| Mutex::new(SavedShard::default()))
        .collect();
    for_each_shard(saved.len(), |number| {
        *saved[number].lock() = store.save_shard(number);
    });
    saved.into_iter().map(Mutex::into_inner).collect()
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;
    use crate::store::testing;
    use crate::store::{Fetch, Fetched, Put};
    use crate::time::{Expiry, FIRST_UPTIME_S, Now};

    /// A folder with a memory file of 100 items, each with its number as value, that expire 1000
    /// seconds after the stop, and the uptime at the stop.
    fn kept() -> (tempfile::TempDir, PathBuf, u32) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("memory");
        let (store, clock, keeper) = open(&path).unwrap();
        let now = clock.now();
        for number in 0..100 {
            let key = format!("key{number}");
            let put = Put {
                expiry: Expiry::at(now.uptime_s + 1000),
                ..Put::new(key.as_bytes(), store.hash(key.as_bytes()))
            };
            store.put(&put, number.to_string().as_bytes(), now);
        }
        keeper.save(&store, &clock);
        (folder, path, now.uptime_s)
    }

    fn open(path: &Path) -> Result<(Store, Clock, Keeper), String> {
        Memory::open(path)
            .and_then(|memory| memory.store(&testing::config(4)))
            .map_err(|error| error.to_string())
    }

    fn alive(store: &Store, now: Now) -> usize {
        let found = (0..100).filter(|number| {
            let key = format!("key{number}");
            let hash = store.hash(key.as_bytes());
            store.fetch(key.as_bytes(), hash, now, &Fetch::default(), |f| match f {
                Fetched::Hit(hit) => {
                    assert_eq!(hit.inline_value(), Some(number.to_string().as_bytes()));
                    true
                }
                Fetched::Miss(_) => false,
            })
        });
        found.count()
    }

    /// Writes FILE.meta again with a change.
    fn change(path: &Path, change: impl FnOnce(&mut Meta)) {
        let meta = path.with_extension("meta");
        let mut told = decode(&std::fs::read(&meta).unwrap()).unwrap();
        change(&mut told);
        std::fs::write(&meta, encode(&told).unwrap()).unwrap();
    }

    #[test]
    fn items_and_clock_go_on_and_the_description_is_used_once() {
        let (_folder, path, uptime_s) = kept();
        let copy = std::fs::read(path.with_extension("meta")).unwrap();
        let (store, clock, keeper) = open(&path).unwrap();
        assert!(clock.now().uptime_s >= uptime_s);
        assert_eq!(alive(&store, clock.now()), 100);
        assert!(!path.with_extension("meta").exists());
        // The process is killed here. What described the file once does so no more.
        drop((store, keeper));
        std::fs::write(path.with_extension("meta"), copy).unwrap();
        let (store, clock, _keeper) = open(&path).unwrap();
        assert_eq!(alive(&store, clock.now()), 0);
    }

    #[test]
    fn a_file_without_a_name_tells_of_itself_once() {
        let file = tempfile::tempfile().unwrap();
        let open = || {
            let memory = Memory::unnamed(file.try_clone().unwrap());
            memory.store(&testing::config(4)).unwrap()
        };
        let (store, clock, keeper) = open();
        let put = Put::new(b"key7", store.hash(b"key7"));
        store.put(&put, b"7", clock.now());
        keeper.save(&store, &clock);
        drop((store, keeper));
        let (store, clock, keeper) = open();
        assert_eq!(alive(&store, clock.now()), 1);
        keeper.save(&store, &clock);
        drop((store, keeper));
        let (store, clock, keeper) = open();
        assert_eq!(alive(&store, clock.now()), 1);
        // The process is killed here: what was told has been taken.
        drop((store, keeper));
        let (store, clock, _keeper) = open();
        assert_eq!(alive(&store, clock.now()), 0);
    }

    #[test]
    fn time_passes_for_items_while_nobody_serves_them() {
        for (gone_s, expected) in [(900, 100), (1100, 0)] {
            let (_folder, path, uptime_s) = kept();
            change(&path, |meta| meta.unix_s -= gone_s);
            let (store, clock, _keeper) = open(&path).unwrap();
            assert!(i64::from(clock.now().uptime_s) >= i64::from(uptime_s) + gone_s);
            assert_eq!(alive(&store, clock.now()), expected, "{gone_s}");
        }
    }

    #[test]
    fn a_clock_that_was_set_back_is_not_believed() {
        let (_folder, path, _) = kept();
        change(&path, |meta| meta.unix_s += 100);
        let (store, clock, _keeper) = open(&path).unwrap();
        assert_eq!(alive(&store, clock.now()), 0);
        assert!(clock.now().uptime_s < FIRST_UPTIME_S + 60);
    }

    #[test]
    fn two_processes_never_have_the_same_file() {
        let (_folder, path, _) = kept();
        let first = open(&path).unwrap();
        let refusal = open(&path).unwrap_err();
        assert!(
            refusal.contains("another process has it locked"),
            "{refusal}"
        );
        drop(first);
        assert!(open(&path).is_ok());
    }

    #[test]
    fn nothing_is_overwritten_that_is_not_ours() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("memory");
        std::fs::write(&path, "a letter").unwrap();
        let refusal = open(&path).unwrap_err();
        assert!(refusal.contains("larderd has not written"), "{refusal}");
        assert_eq!(std::fs::read(&path).unwrap(), b"a letter");

        std::fs::remove_file(&path).unwrap();
        for text in ["", "Tmain\n"] {
            std::fs::write(path.with_extension("meta"), text).unwrap();
            let refusal = open(&path).unwrap_err();
            assert!(refusal.contains("would replace it"), "{refusal}");
        }
        std::fs::remove_file(path.with_extension("meta")).unwrap();
        std::fs::remove_file(&path).unwrap();

        let elsewhere = folder.path().join("elsewhere");
        std::os::unix::fs::symlink(&elsewhere, &path).unwrap();
        assert!(open(&path).is_err() && !elsewhere.exists());
        std::fs::remove_file(&path).unwrap();
        std::fs::create_dir(&path).unwrap();
        assert!(open(&path).is_err());
        assert!(open(&folder.path().join("no/memory")).is_err());
    }

    #[test]
    fn others_cannot_read_what_is_kept() {
        let (_folder, path, _) = kept();
        for file in [path.clone(), path.with_extension("meta")] {
            assert_eq!(std::fs::metadata(file).unwrap().mode() & 0o777, 0o600);
        }
        std::fs::set_permissions(&path, Permissions::from_mode(0o666)).unwrap();
        let _memory = Memory::open(&path).unwrap();
        assert_eq!(std::fs::metadata(path).unwrap().mode() & 0o777, 0o600);
    }

    #[test]
    fn a_description_is_whole_or_nothing() {
        let (_folder, path, _) = kept();
        let bytes = std::fs::read(path.with_extension("meta")).unwrap();
        assert!(decode(&bytes).is_ok());
        for at in 0..bytes.len() {
            let mut broken = bytes.clone();
            broken[at] ^= 1 << (at % 8);
            assert!(decode(&broken).is_err(), "{at}");
            assert!(decode(&bytes[..at]).is_err(), "{at}");
        }
    }
}
