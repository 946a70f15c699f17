//! The list of nodes from a file: read at the start, when it changes, and at SIGHUP. A file that
//! is wrong changes nothing, and the log says which line.

use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError};

use super::super::disk;
use super::{Order, PeersError};
use crate::cluster::listing::{LISTING_SIZE_MAX, Listing, decode_state, encode_state};
use crate::cluster::{Directory, Document};
use crate::config::Config;

/// Pause between two looks at the file. What is seen changed is read one pause later, when whoever
/// writes it has finished.
const PAUSE: Duration = Duration::from_secs(1);

const FILE: &str = "--cluster-file";
const STATE: &str = "--cluster-state";

/// By what a change of the file is noticed.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
struct Stamp {
    inode: u64,
    size: u64,
    changed: (i64, i64),
}

impl Stamp {
    fn of(path: &Path) -> Option<Self> {
        let file = std::fs::metadata(path).ok()?;
        Some(Self {
            inode: file.ino(),
            size: file.size(),
            changed: (file.mtime(), file.mtime_nsec()),
        })
    }

    fn changed_unix_s(&self) -> u64 {
        u64::try_from(self.changed.0).unwrap_or(0)
    }
}

/// A file of nodes, and what was made of it.
pub(in crate::server) struct Listed {
    path: PathBuf,
    state_file: Option<PathBuf>,
    document: Document,
    /// The file as it was read last, and as it was seen last.
    read: Option<Stamp>,
    seen: Option<Stamp>,
}

impl Listed {
    /// Reads the file, and what was written down.
    pub(super) fn open(config: &Config) -> Result<Self, PeersError> {
        // Checked when the settings were read.
        let path = config.cluster.file.clone().unwrap_or_default();
        let state_file = config.cluster.state_file.clone();
        let last = match &state_file {
            Some(state) => read_state(state)?,
            None => None,
        };
        let stamp = Stamp::of(&path);
        let document = match (read(&path, stamp, last.as_ref()), last) {
            (Ok(document), _) => document,
            (Err(error), Some(last)) => {
                log::error!("cluster: the list stays as it was: {error}");
                last
            }
            (Err(error), None) => return Err(error),
        };
        Ok(Self {
            path,
            state_file,
            document,
            read: stamp,
            seen: stamp,
        })
    }

    /// Tells clients, once it is written down.
    pub(super) fn publish(&mut self, directory: &Directory) -> Result<(), PeersError> {
        publish(&self.document, self.state_file.as_deref(), directory)
    }

    /// Follows the file until told to stop.
    pub(super) fn run(mut self, directory: &Directory, orders: &Receiver<Order>) {
        loop {
            match orders.recv_timeout(PAUSE) {
                Ok(Order::Stop) | Err(RecvTimeoutError::Disconnected) => return,
                Ok(Order::Reload) => self.reload(directory),
                // There is nobody to be told: the list is the operator's.
                Ok(Order::Leave(done)) => drop(done.try_send(())),
                Ok(Order::Declare(_) | Order::Seeds(_) | Order::Look) => {}
                Err(RecvTimeoutError::Timeout) => self.look(directory),
            }
        }
    }

    fn look(&mut self, directory: &Directory) {
        let stamp = Stamp::of(&self.path);
        let is_still = stamp == self.seen;
        self.seen = stamp;
        if is_still && stamp.is_some() && stamp != self.read {
            self.reload(directory);
        }
    }

    fn reload(&mut self, directory: &Directory) {
        let stamp = Stamp::of(&self.path);
        self.read = stamp;
        match read(&self.path, stamp, Some(&self.document)) {
            Ok(document) if document == self.document => {}
            Ok(document) => {
                let old = std::mem::replace(&mut self.document, document);
                if let Err(error) = self.publish(directory) {
                    log::error!("cluster: the list stays as it was: {error}");
                    self.document = old;
                    // Tried again at the next look.
                    self.read = None;
                    return;
                }
                let (version, count) = (self.document.version(), self.document.nodes().len());
                log::info!("cluster: new list  version={version} nodes={count}");
            }
            Err(error) => log::error!("cluster: the list stays as it was: {error}"),
        }
    }
}

fn read(
    path: &Path,
    stamp: Option<Stamp>,
    last: Option<&Document>,
) -> Result<Document, PeersError> {
    let bytes = disk::read(path, LISTING_SIZE_MAX).map_err(|e| PeersError::file(FILE, path, e))?;
    let text = String::from_utf8_lossy(&bytes);
    let changed = stamp.unwrap_or_default().changed_unix_s();
    let listing = Listing::parse(&text).and_then(|listing| listing.document(last, changed));
    listing.map_err(|error| PeersError::wrong(FILE, path, error))
}

/// Tells clients of these nodes, once they are written down.
pub(super) fn publish(
    document: &Document,
    state_file: Option<&Path>,
    directory: &Directory,
) -> Result<(), PeersError> {
    if let Some(path) = state_file {
        let text = encode_state(document);
        disk::replace(path, text.as_bytes(), disk::STATE_MODE)
            .map_err(|e| PeersError::file(STATE, path, e))?;
    }
    for advice in document.advice() {
        log::warn!("cluster: {advice}");
    }
    if let Err(error) = directory.publish(document) {
        log::error!("cluster: the list cannot be served: {error}");
    }
    Ok(())
}

/// Reads what was written down; `None` when nothing was.
pub(super) fn read_state(path: &Path) -> Result<Option<Document>, PeersError> {
    match disk::read(path, LISTING_SIZE_MAX) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(PeersError::file(STATE, path, error)),
        Ok(bytes) => {
            let text = String::from_utf8_lossy(&bytes);
            let document = decode_state(&text).map_err(|why| {
                let advice = "remove it to count versions from the file's time";
                PeersError::wrong(STATE, path, format!("{why}; {advice}"))
            })?;
            Ok(Some(document))
        }
    }
}
