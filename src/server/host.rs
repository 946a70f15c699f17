//! What a session may ask of the process around it.

use std::sync::Arc;

use crossbeam_channel::Sender;

use super::Control;
use super::census::Census;
use super::certificates::Certificates;
use super::gate::Gate;
use super::logins::Request;
use super::mailbox::{Letter, Mailbox};
use super::snapshot::Snapshots;
use super::tls::Tls;
use crate::config::log_level;
use crate::session::{Choice, Chosen, Facts, Host, Killed, SnapshotReply, Ticket};
use crate::stats::Counters;
use crate::time::Now;

/// Descriptors that each worker, or thread that shakes hands, takes for itself: its poll and its
/// waker.
const DESCRIPTORS_PER_WORKER: u64 = 2;

/// The server, as sessions see it.
pub(super) struct ServerHost {
    pub(super) control: Control,
    pub(super) logins: Sender<Request>,
    pub(super) gate: Arc<Gate>,
    pub(super) census: Arc<Census>,
    pub(super) workers: Vec<Arc<Mailbox>>,
    pub(super) handshakers: Vec<Arc<Mailbox>>,
    pub(super) counters: Vec<Arc<Counters>>,
    pub(super) tls: Option<Arc<Tls>>,
    /// Those of another listener.
    pub(super) certificates: Option<Arc<Certificates>>,
    pub(super) snapshots: Option<Arc<Snapshots>>,
}

impl ServerHost {
    /// The descriptors that are being served at this moment.
    fn current(&self) -> Vec<i32> {
        self.workers.iter().map(|worker| worker.current()).collect()
    }
}

impl Host for ServerHost {
    fn shutdown(&self, graceful: bool) {
        self.control.shutdown(graceful);
    }

    fn set_verbosity(&self, level: u8) {
        log::set_max_level(log_level(level));
    }

    fn connections(&self, now: Now, after: i32, see: &mut dyn FnMut(&str, &str)) -> Option<i32> {
        self.census
            .show_sockets(now.uptime_s, &self.current(), after, see)
    }

    fn clients(&self, now: Now, after: i32, see: &mut dyn FnMut(&str, &str)) -> Option<i32> {
        self.census
            .show_clients(now.uptime_s, &self.current(), after, see)
    }

    fn chosen_clients(
        &self,
        now: Now,
        choice: Choice,
        count: usize,
        see: &mut dyn FnMut(&str, &str),
    ) -> Chosen {
        self.census
            .show_chosen(now.uptime_s, &self.current(), choice, count, see)
    }

    fn kill(&self, who: &str, after: i32) -> Option<Killed> {
        self.census.kill(who, after, &mut |seat| {
            let mailbox = if seat.is_shaking {
                &self.handshakers[seat.worker % self.handshakers.len()]
            } else {
                &self.workers[seat.worker]
            };
            // One that takes no letters has ended, and closed all it had.
            mailbox.post(Letter::Kill(seat.key));
        })
    }

    fn refresh_certificates(&self, now: Now) -> Result<(), String> {
        let others = self.certificates.as_deref().map(Certificates::tls);
        let all: Vec<&Tls> = self.tls.as_deref().into_iter().chain(others).collect();
        if all.is_empty() {
            return Err("TLS is not enabled".to_owned());
        }
        Tls::refresh(&all, now.uptime_s).map_err(|error| error.to_string())
    }

    fn log_in(&self, worker: usize, ticket: &Arc<Ticket>) -> bool {
        self.logins.try_send((worker, Arc::clone(ticket))).is_ok()
    }

    fn snapshot(&self) -> SnapshotReply {
        let snapshots = self.snapshots.as_ref();
        snapshots.map_or(SnapshotReply::Off, |snapshots| snapshots.ask())
    }

    fn facts(&self) -> Facts {
        let (user_us, system_us) = cpu_us();
        let (listen_disabled_num, time_in_listen_disabled_us, paused) = self.gate.pauses();
        let total_connections = self
            .counters
            .iter()
            .map(|counters| counters.total_connections.get())
            .sum();
        Facts {
            user_us,
            system_us,
            rejected_connections: self.gate.rejected(),
            listen_disabled_num,
            time_in_listen_disabled_us,
            accepting: !paused,
            reserved_fds: self.counters.len() as u64 * DESCRIPTORS_PER_WORKER,
            curr_connections: self.gate.open() as u64,
            total_connections,
            tls: self.tls.as_ref().map(|tls| tls.facts()),
            snapshot: self.snapshots.as_ref().map(|snapshots| snapshots.facts()),
        }
    }
}

/// CPU time of the calling thread, in microseconds.
pub(super) fn thread_cpu_us() -> u64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    time.tv_sec.unsigned_abs() * 1_000_000 + time.tv_nsec.unsigned_abs() / 1_000
}

/// CPU time of this process in user and system mode, in microseconds.
///
/// The sum is exact. The system keeps the two parts in ticks of a hundredth of a second, so they
/// are scaled to the sum, which is what the kernel itself does for `getrusage`.
fn cpu_us() -> (u64, u64) {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    let total_us = u64::try_from(time.tv_sec).unwrap_or(0) * 1_000_000
        + u64::try_from(time.tv_nsec).unwrap_or(0) / 1_000;
    let (user, system) = std::fs::read_to_string("/proc/self/stat")
        .ok()
        .and_then(|text| parse_ticks(&text))
        .unwrap_or((1, 0));
    let ticks = (user + system).max(1);
    let user_us = u128::from(total_us) * u128::from(user) / u128::from(ticks);
    let user_us = u64::try_from(user_us).unwrap_or(total_us);
    (user_us, total_us.saturating_sub(user_us))
}

/// The fields `utime` and `stime`. The name before them may contain anything, so fields are
/// counted from its closing parenthesis.
fn parse_ticks(text: &str) -> Option<(u64, u64)> {
    let (_, fields) = text.rsplit_once(')')?;
    let mut fields = fields.split_ascii_whitespace().skip(11);
    let user = fields.next()?.parse().ok()?;
    let system = fields.next()?.parse().ok()?;
    Some((user, system))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_found_behind_a_name_with_spaces_and_parentheses() {
        let text = "1 (a) b) R 1 2 3 4 5 6 7 8 9 10 70 30 0 0 20";
        assert_eq!(parse_ticks(text), Some((70, 30)));
        assert_eq!(parse_ticks("1 (a"), None);
    }

    #[test]
    fn the_parts_of_cpu_time_add_up_and_grow() {
        let (user, system) = cpu_us();
        assert!(user + system > 0);
        let (user_later, system_later) = cpu_us();
        assert!(user_later + system_later >= user + system);
    }
}
