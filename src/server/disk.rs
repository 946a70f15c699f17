//! Files that are small, whole and worth keeping.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

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
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".new");
    let new = path.with_file_name(name);
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(mode)
        .open(&new)?;
    file.write_all(bytes)?;
    file.sync_data()?;
    drop(file);
    std::fs::rename(&new, path)?;
    File::open(folder(path))?.sync_all()
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
    fn a_file_that_is_too_large_is_not_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        std::fs::write(&path, [0; 11]).unwrap();
        assert!(read(&path, 10).is_err());
        assert!(read(&path, 11).is_ok());
    }
}
