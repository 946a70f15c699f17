//! Who is served, and for how long.
//!
//! A conversation that needs no password begins here: by its certificate, or as a guest of its
//! listener. And here each conversation notices, at its next turn, that the users have been read
//! again: its rights are those of the new table, and whoever is not in it any more, or has another
//! password, is cut off.

use std::sync::Arc;

use super::login::{Knock, Side};
use super::turn::Turn;
use super::{Certificate, Context, Session, State};
use crate::auth::{Identity, Rights, Seat, Users};
use crate::limits::LOGIN_REQUEST_SIZE_MAX;
use crate::protocol::text::login::{self, Line};

/// Somebody who is served.
#[derive(Debug)]
pub(super) struct Insider {
    identity: Identity,
    /// Counts this connection among the user's.
    _seat: Seat,
    way: Way,
}

/// By what somebody has come in.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Way {
    /// A verified certificate.
    Certificate,
    /// A listener that serves anybody.
    Guest,
    /// A password.
    Login,
}

impl Insider {
    fn new(identity: &Identity, way: Way) -> Option<Self> {
        Some(Self {
            _seat: identity.rights().sit()?,
            identity: identity.clone(),
            way,
        })
    }

    /// The user's name.
    pub(super) fn name(&self) -> Arc<str> {
        self.identity.shared_name()
    }

    /// Somebody who has logged in. `None` when as many connections are open as may be.
    pub(super) fn by_login(identity: &Identity) -> Option<Box<Self>> {
        Self::new(identity, Way::Login).map(Box::new)
    }
}

/// What is known of a connection before anything is said on it.
#[derive(Debug, Default)]
pub(super) struct Origin {
    /// The listener that it came in by.
    pub(super) listener: Arc<str>,
    /// The certificate that it has shown.
    pub(super) certificate: Option<Box<Certificate>>,
}

impl Origin {
    fn by_certificate<'u>(&self, users: &'u Users) -> Option<&'u Identity> {
        let certificate = self.certificate.as_deref()?;
        users.certificate(&certificate.subject, certificate.common_name.as_deref())
    }

    /// Who this is without any password, and why.
    fn enter(&self, users: &Users) -> Option<Insider> {
        let by_certificate = self.by_certificate(users);
        by_certificate
            .and_then(|identity| Insider::new(identity, Way::Certificate))
            .or_else(|| Insider::new(users.guest(&self.listener)?, Way::Guest))
    }
}

impl Session {
    /// Begins a conversation where somebody may have to log in: inside, for who needs no
    /// password, else before the door.
    pub(super) fn begin(&mut self, turn: &mut Turn<'_>) {
        let users = turn.ctx.shared.door.users();
        let insider = users.and_then(|users| {
            let certified = self.origin.by_certificate(&users);
            if certified.is_some_and(|identity| !identity.rights().has_seat()) {
                turn.counters().limited_connections.add(1);
            }
            self.origin.enter(&users)
        });
        match insider {
            Some(insider) => {
                let (id, name) = (self.id, insider.identity.name());
                log::debug!("connection {id} needs no password  user={name}");
                self.side = Side::Inside(Some(Box::new(insider)));
                self.note_user();
                turn.rights = self.rights();
            }
            None => self.put_out(),
        }
    }

    /// Notes that the user has changed.
    pub(super) fn note_user(&mut self) {
        // Zero is for those that never had one.
        self.user_version = self.user_version.checked_add(1).unwrap_or(1);
    }

    /// Who is served, if it is known.
    pub(super) fn insider(&self) -> Option<&Insider> {
        match &self.side {
            Side::Inside(insider) => insider.as_deref(),
            Side::Unknown | Side::Outside(_) => None,
        }
    }

    /// What the client may do, if that is not everything.
    pub(super) fn rights(&self) -> Option<Arc<Rights>> {
        let rights = self.insider()?.identity.rights();
        (!rights.is_unlimited()).then(|| Arc::clone(rights))
    }

    /// Takes over the users as they are now. False ends the conversation: its user is gone, or
    /// may not go on with what is under way.
    pub(super) fn renew(&mut self, ctx: &Context<'_>) -> bool {
        let generation = ctx.shared.door.generation();
        if self.generation == generation {
            return true;
        }
        self.renew_to(ctx, generation)
    }

    #[cold]
    fn renew_to(&mut self, ctx: &Context<'_>, generation: u64) -> bool {
        self.generation = generation;
        let Side::Inside(Some(insider)) = &mut self.side else {
            return true;
        };
        let Some(users) = ctx.shared.door.users() else {
            return true;
        };
        let renewed = match insider.way {
            Way::Certificate => self.origin.by_certificate(&users),
            Way::Guest => users.guest(&self.origin.listener),
            Way::Login => users.renew(&insider.identity),
        };
        // A certificate may be somebody else's by now; a client is never two users.
        let Some(renewed) = renewed.filter(|new| new.name() == insider.identity.name()) else {
            return false;
        };
        let is_same = renewed.permissions() == insider.identity.permissions();
        insider.identity = renewed.clone();
        let is_idle = matches!(
            self.state,
            State::Command | State::SkipLine | State::Swallow(_)
        );
        is_same || is_idle
    }

    /// Has a guest looked at who is about to log in.
    pub(super) fn knock(&mut self) {
        self.put_out();
        if let Side::Outside(visitor) = &mut self.side {
            visitor.knock = Some(Knock::Due);
        }
    }

    /// Whether a line that is not served may be a login: that of a guest who wants to be more.
    pub(super) fn may_log_in(&self, turn: &Turn<'_>, line: &[u8]) -> bool {
        let is_guest = self
            .insider()
            .is_some_and(|insider| insider.way == Way::Guest);
        is_guest
            && turn.ctx.shared.door.has_text()
            && line.len() <= LOGIN_REQUEST_SIZE_MAX
            && matches!(
                login::line(line),
                Line::Login { size, .. } if size <= LOGIN_REQUEST_SIZE_MAX as u64
            )
    }
}
