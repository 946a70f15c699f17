//! What a thread that meets clients shares with the others.

use std::sync::Arc;

use super::Control;
use super::census::{Census, Info};
use super::gate::Gate;
use super::mailbox::{Mailbox, ip_and_port};
use super::tls::Trouble;
use crate::session::{Context, Dialect, Shared};
use crate::stats::Counters;
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
