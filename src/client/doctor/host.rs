//! What this host says of a daemon's process.

use std::fs;

/// What is known of a process.
#[derive(Clone, Debug, Default)]
pub(super) struct Process {
    /// Files that it may have open; `None` for any number.
    pub(super) files_max: Option<u64>,
    /// Memory of it that has been swapped out, in bytes.
    pub(super) swapped: u64,
    /// Cores of this host.
    pub(super) cores: u64,
    /// Memory of this host, in bytes; 0 when it does not say.
    pub(super) memory: u64,
    /// Connections that may wait to be accepted; 0 when it does not say.
    pub(super) backlog_max: u64,
}

impl Process {
    /// The process with this number, if it is a daemon of ours to see. The number is one that a
    /// daemon told, which may run in a container and see other numbers: so its name is looked at.
    pub(super) fn of(pid: u64) -> Option<Self> {
        let name = fs::read_to_string(format!("/proc/{pid}/comm")).ok()?;
        if !["larderd", "memcached"].contains(&name.trim()) {
            return None;
        }
        let limits = fs::read_to_string(format!("/proc/{pid}/limits")).ok()?;
        let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
        let meminfo = fs::read_to_string("/proc/meminfo").unwrap_or_default();
        let backlog = fs::read_to_string("/proc/sys/net/core/somaxconn").unwrap_or_default();
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Some(Self {
            files_max: files(&limits),
            swapped: kib(&status, "VmSwap:") << 10,
            cores: cores as u64,
            memory: kib(&meminfo, "MemTotal:") << 10,
            backlog_max: backlog.trim().parse().unwrap_or(0),
        })
    }
}

/// The limit that is in force for open files.
fn files(limits: &str) -> Option<u64> {
    let line = limits
        .lines()
        .find_map(|line| line.strip_prefix("Max open files"))?;
    line.split_whitespace().next()?.parse().ok()
}

/// A line such as `VmSwap:   12 kB`.
fn kib(text: &str, name: &str) -> u64 {
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    let number = line.and_then(|line| line.split_whitespace().next());
    number.and_then(|number| number.parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_and_sizes_are_read_from_what_the_system_writes() {
        let limits = "Limit                     Soft Limit           Hard Limit           Units\n\
                      Max open files            1024                 524288               files\n";
        assert_eq!(files(limits), Some(1024));
        assert_eq!(
            files("Max open files            unlimited unlimited files"),
            None
        );
        assert_eq!(kib("VmRSS:\t 7 kB\nVmSwap:\t      12 kB\n", "VmSwap:"), 12);
        assert_eq!(kib("", "VmSwap:"), 0);
    }
}
