//! Which cores a thread may run on.

use std::io;

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

/// The cores that this process may use.
pub(crate) fn allowed() -> io::Result<Vec<usize>> {
    let set = sched_getaffinity(None)?;
    Ok((0..CpuSet::MAX_CPU)
        .filter(|&core| set.is_set(core))
        .collect())
}

/// Keeps the calling thread on these cores, and so every thread and process it starts.
pub(crate) fn pin(on: &[usize]) -> io::Result<()> {
    let mut set = CpuSet::new();
    for &core in on {
        set.set(core);
    }
    Ok(sched_setaffinity(None, &set)?)
}

/// Runs `what` on these cores; the calling thread is where it was afterwards.
pub(crate) fn with<T>(on: &[usize], what: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
    let before = sched_getaffinity(None)?;
    pin(on)?;
    let result = what();
    sched_setaffinity(None, &before)?;
    result
}
