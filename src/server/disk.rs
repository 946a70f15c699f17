//! Files that are whole and worth keeping.

use std::fs::{File, OpenOptions, Permissions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;

/// Mode of a file that the operator's group may read.
pub(super) const STATE_MODE: u32 = 0o640;

/// Reads a file that has so many bytes at most.
///
/// # Errors
///
/// Those of the system, and `FileTooLarge`.
pub(super) fn read(path: &Path, size_max: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?
        .take(size_max + 1)
        .read_to_end(&mut bytes)?;
    if bytes.len() as u64 > size_max {
        return Err(io::ErrorKind::FileTooLarge.into());
    }
    Ok(bytes)
}

/// Replaces a file as a whole, by one with this mode, such as 0o640: after a crash there is the old
/// one or the new one.
///
/// # Errors
///
/// Those of the system.
pub(super) fn replace(path: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
    let mut new = Replacement::begin(path, mode)?;
    new.file.write_all(bytes)?;
    new.finish()
}

/// A file that takes the place of another once it is whole. Dropped before, it leaves nothing.
#[derive(Debug)]
pub(super) struct Replacement {
    /// What is written. Nobody else writes it.
    pub(super) file: File,
    /// Its name until it is whole.
    new: PathBuf,
    path: PathBuf,
    is_finished: bool,
}

impl Replacement {
    /// Makes the new file, with this mode, beside the old one as `NAME.new`. What somebody has
    /// left there is gone.
    ///
    /// # Errors
    ///
    /// Those of the system, and `ResourceBusy` while another process is writing it.
    pub(super) fn begin(path: &Path, mode: u32) -> io::Result<Self> {
        let mut name = path.file_name().unwrap_or_default().to_owned();
        name.push(".new");
        let new = path.with_file_name(name);
        let file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .mode(mode)
            // Somebody else's link would lead us to any file.
            .custom_flags(libc::O_NOFOLLOW)
            .open(&new)?;
        let is_ours = match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => is_at(&file, &new),
            Err(Errno::WOULDBLOCK) => false,
            Err(error) => return Err(error.into()),
        };
        if !is_ours {
            // Or it has just been finished, and is the file that it was to replace.
            return Err(io::Error::new(
                io::ErrorKind::ResourceBusy,
                "another process is writing it",
            ));
        }
        file.set_len(0)?;
        file.set_permissions(Permissions::from_mode(mode))?;
        Ok(Self {
            file,
            new,
            path: path.to_owned(),
            is_finished: false,
        })
    }

    /// Puts the new file in the place of the old one, once it is on the disk.
    ///
    /// # Errors
    ///
    /// Those of the system.
    pub(super) fn finish(mut self) -> io::Result<()> {
        self.file.sync_data()?;
        std::fs::rename(&self.new, &self.path)?;
        self.is_finished = true;
        File::open(folder(&self.path))?.sync_all()
    }
}

impl Drop for Replacement {
    fn drop(&mut self) {
        if !self.is_finished {
            // What cannot be removed is overwritten the next time.
            let _ = std::fs::remove_file(&self.new);
        }
    }
}

/// Whether a path leads to a file that is open.
fn is_at(file: &File, path: &Path) -> bool {
    let facts = file
        .metadata()
        .and_then(|open| Ok((open, path.symlink_metadata()?)));
    facts.is_ok_and(|(open, named)| (open.dev(), open.ino()) == (named.dev(), named.ino()))
}

/// Removes a file, for good even if the host fails now.
///
/// # Errors
///
/// Those of the system.
pub(super) fn remove(path: &Path) -> io::Result<()> {
    std::fs::remove_file(path)?;
    File::open(folder(path))?.sync_all()
}

/// The parent of a path that may have none.
pub(super) fn folder(path: &Path) -> PathBuf {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder.to_owned(),
        _ => PathBuf::from("."),
    }
}

/// Whether everybody on this host may read a file.
pub(super) fn is_world_readable(path: &Path) -> bool {
    std::fs::metadata(path).is_ok_and(|file| file.mode() & 0o004 != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_as_a_whole() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state");
        for text in ["one", "another", ""] {
            replace(&path, text.as_bytes(), 0o600).unwrap();
            assert_eq!(read(&path, 10).unwrap(), text.as_bytes());
        }
        let count = std::fs::read_dir(folder.path()).unwrap().count();
        assert_eq!(count, 1);
        assert!(replace(&folder.path().join("no/state"), b"", 0o600).is_err());
        remove(&path).unwrap();
        assert!(!path.exists() && remove(&path).is_err());
    }

    #[test]
    fn what_is_not_finished_leaves_the_old_file_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state");
        replace(&path, b"old", 0o600).unwrap();
        let mut new = Replacement::begin(&path, 0o600).unwrap();
        new.file.write_all(b"half of").unwrap();
        let busy = Replacement::begin(&path, 0o600).unwrap_err();
        assert_eq!(busy.kind(), io::ErrorKind::ResourceBusy);
        drop(new);
        assert_eq!(read(&path, 10).unwrap(), b"old");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
        // What a process that was killed has left is in nobody's way, and is read by nobody.
        std::fs::write(folder.path().join("state.new"), "half of something long").unwrap();
        replace(&path, b"new", 0o640).unwrap();
        assert_eq!(read(&path, 10).unwrap(), b"new");
        assert_eq!(std::fs::metadata(&path).unwrap().mode() & 0o777, 0o640);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_file_that_is_too_large_is_not_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        std::fs::write(&path, [0; 11]).unwrap();
        assert!(read(&path, 10).is_err());
        assert!(read(&path, 11).is_ok());
    }
}
