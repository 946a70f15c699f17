//! What the system says of a process, and how long a test waits for anything.

use std::io::Write;
use std::time::{Duration, Instant};

/// Says that this test proves nothing here, because the system does not allow what it needs. What
/// is merely not installed is no such reason: `make deps` installs it. It is said past the harness,
/// which shows only what failed tests have said.
pub(crate) fn skip(reason: &str) {
    let thread = std::thread::current();
    let test = thread.name().unwrap_or("a test");
    let _nobody_reads = writeln!(std::io::stderr(), "skipped: {test}: {}", reason.trim());
}

/// How long any wait may take before it is a failure. Never an expectation of speed;
/// `LARDER_PATIENCE_S` shortens it for one who writes a test.
pub(crate) fn patience() -> Duration {
    let given = std::env::var("LARDER_PATIENCE_S").ok();
    let seconds = given.and_then(|text| text.parse().ok()).unwrap_or(20);
    Duration::from_secs(seconds)
}

/// Waits until `done`; false when patience ends first.
pub(crate) fn wait_until(mut done: impl FnMut() -> bool) -> bool {
    let start = Instant::now();
    while start.elapsed() < patience() {
        if done() {
            return true;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    false
}

/// Resident memory of a process, in bytes.
pub(crate) fn resident_size(pid: u32) -> u64 {
    field_kib(pid, "VmRSS:") * 1024
}

/// Resident memory of a process once it stays the same for a while: a daemon that has just
/// started makes memory ready in the background.
pub(crate) fn settled_size(pid: u32) -> u64 {
    let mut size = resident_size(pid);
    let start = Instant::now();
    while start.elapsed() < patience() {
        std::thread::sleep(Duration::from_millis(300));
        let next = resident_size(pid);
        if next == size {
            break;
        }
        size = next;
    }
    size
}

/// Threads of a process.
pub(crate) fn thread_count(pid: u32) -> u64 {
    field_kib(pid, "Threads:")
}

/// Open descriptors of a process.
pub(crate) fn descriptor_count(pid: u32) -> usize {
    std::fs::read_dir(format!("/proc/{pid}/fd")).map_or(0, Iterator::count)
}

/// Descriptors that this process may open, after asking for all that it may ask for.
pub(crate) fn descriptor_limit() -> u64 {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    if setrlimit(Resource::Nofile, limit).is_err() {
        limit = getrlimit(Resource::Nofile);
    }
    limit.current.unwrap_or(u64::MAX)
}

/// Whether this process is root, to whom memcached and larder are not started without `-u`.
pub(crate) fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

fn field_kib(pid: u32, name: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let value = status.lines().find_map(|line| line.strip_prefix(name));
    let digits = value.and_then(|value| value.split_whitespace().next());
    digits.and_then(|digits| digits.parse().ok()).unwrap_or(0)
}
