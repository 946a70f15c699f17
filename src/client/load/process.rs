//! What the system says of a process: processor time and memory.

use std::fs;
use std::io;

/// Processor time of a process, in seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct CpuTime {
    /// In its own code.
    pub user_s: f64,
    /// In the kernel's.
    pub system_s: f64,
}

impl CpuTime {
    /// The time used so far by all threads of a process, in steps of the system's tick, 10 ms.
    ///
    /// # Errors
    ///
    /// There is no such process, or it is not ours to see.
    pub fn of(pid: u32) -> io::Result<Self> {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
        parse(&stat, rustix::param::clock_ticks_per_second() as f64)
            .ok_or_else(|| io::Error::other("/proc does not tell processor time"))
    }

    /// Both together.
    pub fn total_s(self) -> f64 {
        self.user_s + self.system_s
    }

    /// The time since an earlier reading.
    #[must_use]
    pub fn since(self, earlier: Self) -> Self {
        Self {
            user_s: self.user_s - earlier.user_s,
            system_s: self.system_s - earlier.system_s,
        }
    }
}

fn parse(stat: &str, ticks_per_s: f64) -> Option<CpuTime> {
    // The second field is the program's name and may hold anything, even brackets.
    let (_, fields) = stat.rsplit_once(')')?;
    let mut fields = fields.split_ascii_whitespace().skip(11);
    let mut seconds = || Some(fields.next()?.parse::<u64>().ok()? as f64 / ticks_per_s);
    Some(CpuTime {
        user_s: seconds()?,
        system_s: seconds()?,
    })
}

/// Memory of a process that is resident now, in bytes.
///
/// # Errors
///
/// There is no such process, or it is not ours to see.
pub fn resident_size(pid: u32) -> io::Result<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.unwrap_or_default().trim().trim_end_matches(" kB");
    Ok(kib.parse::<u64>().map_err(io::Error::other)? << 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_brackets_does_not_shift_the_fields() {
        let stat = "7 (a ) b) S 1 2 3 4 5 6 7 8 9 10 250 50 0 0 20";
        let time = parse(stat, 100.0).expect("two fields");
        assert_eq!((time.user_s, time.system_s), (2.5, 0.5));
        assert!((time.total_s() - 3.0).abs() < 1e-9);
        assert_eq!(parse("7 (a) S 1", 100.0), None);
    }

    #[test]
    fn this_process_has_memory_and_time() {
        let pid = std::process::id();
        assert!(resident_size(pid).expect("our own") > 0);
        assert!(CpuTime::of(pid).expect("our own").total_s() >= 0.0);
        assert!(CpuTime::of(0).is_err());
    }
}
