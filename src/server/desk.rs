//! What a thread that meets clients shares with the others.

use std::sync::Arc;

use super::Control;
use super::census::{Census, Info};
use super::connection::{Connection, Done};
use super::gate::Gate;
use super::host::thread_cpu_us;
use super::mailbox::{Mailbox, ip_and_port};
use super::stopwatch::SlowLap;
use super::tls::Trouble;
use crate::session::{Context, Dialect, Shared};
use crate::stats::Counters;
use crate::stats::load::Work;
use crate::stats::slow::SlowTurn;
use crate::time::Now;

/// What a thread that meets clients shares with the others.
#[derive(Clone)]
pub(super) struct Desk {
    pub(super) index: usize,
    pub(super) shared: Arc<Shared>,
    pub(super) counters: Arc<Counters>,
    pub(super) mailbox: Arc<Mailbox>,
    pub(super) gate: Arc<Gate>,
    pub(super) census: Arc<Census>,
    pub(super) control: Control,
}

impl Desk {
    /// What a session is called with.
    pub(super) fn context(&self, now: Now) -> Context<'_> {
        Context {
            shared: &self.shared,
            counters: &self.counters,
            now,
            worker: self.index,
        }
    }

    /// Counts a pass, and once a second notes what has been done. `noted_s` is the second of the
    /// last note.
    pub(super) fn begin_pass(&self, noted_s: &mut u32, now: Now) {
        self.counters.passes.add(1);
        if *noted_s != now.uptime_s {
            *noted_s = now.uptime_s;
            let work = Work {
                cpu_us: thread_cpu_us(),
                requests: self.counters.requests.get(),
            };
            self.counters.load.note(now.uptime_s, work);
        }
    }

    /// Keeps a turn that took long, of a connection that had done so much `before` it. `input` is
    /// what was read in it, where that began with a request.
    #[cold]
    pub(super) fn keep_slow(
        &self,
        context: &Context<'_>,
        lap: SlowLap,
        connection: &Connection,
        before: &Done,
        input: Option<&[u8]>,
    ) {
        let (info, session) = (&connection.info, &connection.session);
        let user = session.user();
        // Nobody has a name for what a stranger says.
        let is_known = user.is_some() || !context.shared.door.is_locked();
        let first = input
            .filter(|_| is_known)
            .and_then(|input| session.recognize(input));
        let (asked, key) = first.unwrap_or((session.asked(), b""));
        let shows_keys = context.shared.config.dump_enabled;
        let done = Done::by(connection);
        context.shared.registry.slow().keep(SlowTurn {
            number: 0,
            unix_s: context.now.unix_s,
            duration_us: lap.duration_us,
            waited_us: lap.waited_us,
            command: asked.name(),
            key: if shows_keys {
                key.into()
            } else {
                Box::default()
            },
            requests: done.requests - before.requests,
            bytes_read: done.bytes_read - before.bytes_read,
            bytes_written: done.bytes_written - before.bytes_written,
            client: info.id,
            address: info.address(),
            user,
            worker: self.index,
        });
    }

    /// Counts and tells why TLS failed on a connection.
    pub(super) fn tell(&self, context: &Context<'_>, info: &Info, trouble: &Trouble) {
        let counter = if trouble.in_handshake {
            &self.counters.ssl_handshake_errors
        } else {
            &self.counters.ssl_proto_errors
        };
        counter.add(1);
        let peer = info.as_peer(Dialect::Auto);
        context.shared.hub.tls_failed(context, &peer, &trouble.text);
        log::debug!("connection {}: TLS: {}", info.descriptor, trouble.text);
        if trouble.is_plain {
            self.hint(
                context.now,
                "a client does not speak TLS on a TLS port",
                info,
            );
        }
    }

    /// Tells the operator of a client that was set up wrongly, now and then.
    pub(super) fn hint(&self, now: Now, hint: &str, info: &Info) {
        if self.gate.may_hint(now.uptime_s) {
            let (address, _) = ip_and_port(info.peer());
            log::warn!("{hint}  client={address}");
        }
    }
}
