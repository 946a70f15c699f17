//! The file that holds the process id (`-P`).

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// A file with our process id in it, removed when this is dropped.
#[derive(Debug)]
pub(super) struct PidFile {
    path: PathBuf,
}

impl PidFile {
    /// Writes the file, whole or not at all. One left by a process that still runs is overwritten
    /// with a warning: two daemons may share a host, but hardly a pid file.
    pub(super) fn write(path: &Path) -> io::Result<Self> {
        let path = std::path::absolute(path)?;
        if let Some(pid) = running(&path) {
            log::warn!(
                "the pid file names a running process  file={} pid={pid}",
                path.display()
            );
        }
        let mut beside = path.clone().into_os_string();
        beside.push(".tmp");
        fs::write(&beside, format!("{}\n", std::process::id()))?;
        if let Err(error) = fs::rename(&beside, &path) {
            drop(fs::remove_file(&beside));
            return Err(error);
        }
        Ok(Self { path })
    }
}

impl Drop for PidFile {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_file(&self.path) {
            let path = self.path.display();
            log::warn!("cannot remove the pid file  file={path} error={error}");
        }
    }
}

/// The process named in a pid file, if it runs and is not this one.
fn running(path: &Path) -> Option<u32> {
    let pid: u32 = fs::read_to_string(path).ok()?.trim().parse().ok()?;
    let exists = Path::new("/proc").join(pid.to_string()).exists();
    (exists && pid != std::process::id()).then_some(pid)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_holds_our_id_and_goes_when_we_do() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pid");
        fs::write(&path, "").unwrap();
        let file = PidFile::write(&path).unwrap();
        let text = fs::read_to_string(&path).unwrap();
        assert_eq!(text, format!("{}\n", std::process::id()));
        drop(file);
        assert!(!path.exists());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_folder_that_is_not_there_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        assert!(PidFile::write(&folder.path().join("no/pid")).is_err());
    }

    #[test]
    fn only_a_process_that_runs_is_reported() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pid");
        for (text, expected) in [("1\n", Some(1)), ("4294967294", None), ("x", None)] {
            fs::write(&path, text).unwrap();
            assert_eq!(running(&path), expected, "{text}");
        }
    }
}
