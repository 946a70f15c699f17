//! Where and when a run took place.

use std::fs;
use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

/// One line about the processor, memory and kernel.
pub(crate) fn describe() -> String {
    let cpu_info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = field(&cpu_info, "model name");
    let cores = cpu_info
        .lines()
        .filter(|line| line.starts_with("processor"))
        .count();
    let memory = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let memory_kib = field(&memory, "MemTotal")
        .trim_end_matches(" kB")
        .parse::<u64>();
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let virtual_machine = cpu_info.contains(" hypervisor");
    format!(
        "{model}, {cores} cores{}, {} GiB, Linux {}",
        if virtual_machine {
            " (virtual machine)"
        } else {
            ""
        },
        memory_kib.unwrap_or(0) >> 20,
        kernel.trim()
    )
}

/// The commit of the working directory, marked when files differ from it.
pub(crate) fn commit() -> String {
    let git = |arguments: &[&str]| -> Option<String> {
        let output = Command::new("git").args(arguments).output().ok()?;
        output
            .status
            .success()
            .then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
    };
    let Some(commit) = git(&["rev-parse", "--short", "HEAD"]) else {
        return "unknown".to_owned();
    };
    let changed = git(&["status", "--porcelain", "--untracked-files=no"]);
    if changed.is_some_and(|files| files.is_empty()) {
        commit
    } else {
        format!("{commit} with changes")
    }
}

/// What a program says of its version: the first line of `-V`.
pub(crate) fn version(program: &std::path::Path) -> String {
    let output = Command::new(program).arg("-V").output();
    let text = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
    text.unwrap_or_default()
        .lines()
        .next()
        .unwrap_or("unknown version")
        .to_owned()
}

/// Today's date in UTC, as YYYY-MM-DD.
pub(crate) fn date() -> String {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    // Years are counted from March, so that the leap day is the last of its year, and in eras
    // of 400 years, which all have the same number of days.
    let days = since.as_secs() / 86_400 + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = (month_from_march + 2) % 12 + 1;
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02}")
}

fn field<'a>(text: &'a str, name: &str) -> &'a str {
    text.lines()
        .find(|line| line.starts_with(name))
        .and_then(|line| line.split_once(':'))
        .map_or("unknown", |(_, value)| value.trim())
}

/// What all processors together have done since the machine was started, in seconds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Work {
    /// Anything but idling.
    pub(crate) busy_s: f64,
    /// Taken by other machines on the same host.
    pub(crate) stolen_s: f64,
}

/// Reads what the processors have done.
pub(crate) fn work() -> Work {
    let stat = fs::read_to_string("/proc/stat").unwrap_or_default();
    let first = stat.lines().next().unwrap_or_default();
    let ticks_per_s = rustix::param::clock_ticks_per_second() as f64;
    let seconds: Vec<f64> = first
        .split_ascii_whitespace()
        .skip(1)
        .map(|ticks| ticks.parse::<u64>().unwrap_or(0) as f64 / ticks_per_s)
        .collect();
    // user nice system idle iowait irq softirq steal; what follows is contained in these.
    let of = |index: usize| seconds.get(index).copied().unwrap_or(0.0);
    Work {
        busy_s: of(0) + of(1) + of(2) + of(5) + of(6),
        stolen_s: of(7),
    }
}
