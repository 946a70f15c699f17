//! The door of a conversation: who has not logged in may do that, and leave.
//!
//! A [`Door`] holds the users of the daemon; each session stands before it or behind it. The gate
//! is one place, `Session::at_door`, which every step of every conversation passes, so that no
//! dialect and no listener can be forgotten. Slow hashes are computed by a thread of the host;
//! the session holds until it has told.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use arc_swap::{ArcSwap, Guard};
use memchr::memchr;
use zeroize::Zeroizing;

use super::inside::Insider;
use super::turn::Turn;
use super::{Next, Session, Step, sasl};
use crate::auth::sasl::Exchange;
use crate::auth::{Admission, FileError, Identity, Slow, Users, Verdict, file};
use crate::config::Config;
use crate::limits::{LOGIN_FAILURES_MAX, LOGIN_REPLIES_SIZE_MAX, LOGIN_REQUEST_SIZE_MAX};
use crate::protocol::ProtocolError;
use crate::protocol::binary::{AUTHENTICATED, Echo, MAGIC_REQUEST, Status, reply};
use crate::protocol::text::login::{self, Line};

/// One file of users, and the table made of it.
struct Book {
    path: PathBuf,
    /// One for all tables that are made of the file, so that what is made up for users who do not
    /// exist outlasts a reload as the users do who exist.
    key: Zeroizing<[u8; 32]>,
    /// Whether passwords may be proved as well as told.
    proves: bool,
    users: ArcSwap<Users>,
}

impl Book {
    fn open(path: &Path, proves: bool) -> Result<Self, FileError> {
        let mut key = Zeroizing::new([0; 32]);
        getrandom::fill(&mut *key).map_err(|error| FileError {
            path: path.to_owned(),
            line: None,
            reason: format!("the system gives no random bytes: {error}"),
        })?;
        Ok(Self {
            users: ArcSwap::from_pointee(load(path, &key, proves, None)?),
            path: path.to_owned(),
            key,
            proves,
        })
    }

    fn reload(&self) -> Result<(), FileError> {
        let before = self.users.load();
        let users = load(&self.path, &self.key, self.proves, Some(&before))?;
        self.users.store(Arc::new(users));
        Ok(())
    }
}

/// Reads a file of users, after there has been a table of it or for the first time.
fn load(
    path: &Path,
    key: &[u8; 32],
    proves: bool,
    before: Option<&Users>,
) -> Result<Users, FileError> {
    let loaded = file::load_after(path, *key, before)?;
    if let Some(warning) = &loaded.warning {
        log::warn!("{warning}");
    }
    Ok(if proves {
        loaded.users
    } else {
        loaded.users.only_told()
    })
}

/// Who may come in.
#[derive(Default)]
pub struct Door {
    /// Those who may; without them it is open.
    book: Option<Book>,
    /// Whether they may log in over the text protocol (`-Y`).
    text: bool,
    /// Whether they may log in over the binary protocol (`-S`).
    sasl: bool,
    /// Times that the users have been read again.
    generation: AtomicU64,
}

impl Door {
    /// The door that these settings ask for.
    ///
    /// # Errors
    ///
    /// When a file of users cannot be read or is wrong.
    pub fn open(config: &Config) -> Result<Self, FileError> {
        Ok(Self {
            book: config
                .users_file()
                .map(|path| Book::open(path, config.sasl))
                .transpose()?,
            text: config.auth_file.is_some(),
            sasl: config.sasl,
            generation: AtomicU64::new(0),
        })
    }

    /// Whether anybody must log in.
    pub fn is_locked(&self) -> bool {
        self.book.is_some()
    }

    /// Times that the users have been read again.
    pub(super) fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    /// Whether the text protocol has a login.
    pub(super) fn has_text(&self) -> bool {
        self.text && self.is_locked()
    }

    /// Whether the binary protocol has a login.
    pub(super) fn has_sasl(&self) -> bool {
        self.sasl && self.is_locked()
    }

    /// The users, as the file has them now.
    pub(super) fn users(&self) -> Option<Guard<Arc<Users>>> {
        self.book.as_ref().map(|book| book.users.load())
    }

    /// Reads the users again; when the file is wrong the old ones stay. A conversation notices at
    /// its next turn: see `Session::renew`.
    ///
    /// # Errors
    ///
    /// What is wrong, and on which line.
    pub fn reload(&self) -> Result<(), FileError> {
        if let Some(book) = &self.book {
            book.reload()?;
            // After the users: who sees the new number must see them too.
            self.generation.fetch_add(1, Ordering::Release);
        }
        Ok(())
    }
}

/// A slow hash on its way through a thread of the host.
pub struct Ticket {
    slow: parking_lot::Mutex<Option<Slow>>,
    told: OnceLock<Option<Admission>>,
}

impl Ticket {
    fn new(slow: Slow) -> Arc<Self> {
        Arc::new(Self {
            slow: parking_lot::Mutex::new(Some(slow)),
            told: OnceLock::new(),
        })
    }

    /// Computes the hash; for the host to call where it delays nobody.
    pub fn run(&self) {
        let slow = self.slow.lock().take();
        if let Some(slow) = slow {
            let _ = self.told.set(slow.run());
        }
    }
}

impl std::fmt::Debug for Ticket {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Ticket")
    }
}

/// What was done, and who has come in by it.
pub(super) type Outcome = (Step, Option<Identity>);

/// On which side of the door a session stands.
#[derive(Debug, Default)]
pub(super) enum Side {
    /// Nobody has looked yet.
    #[default]
    Unknown,
    /// Before it.
    Outside(Box<Visitor>),
    /// Behind it: as this user, or as nobody in particular because the door is open.
    Inside(Option<Box<Insider>>),
}

/// Somebody who has not logged in.
#[derive(Debug, Default)]
pub(super) struct Visitor {
    /// Bytes said to them.
    said: usize,
    /// Logins that have failed on this connection.
    failures: u32,
    /// After a failure nothing is heard until the clock passes this, in seconds of uptime.
    deaf_until_s: Option<u32>,
    /// The hash that is being computed.
    pending: Option<Pending>,
    /// The login that is going on, message by message.
    pub(super) exchange: Option<Exchange>,
    /// Bytes of a request that were refused and mean nothing.
    pub(super) skip: u64,
    /// A guest who has sent one line that may be a login, and is one again when that has failed.
    pub(super) knock: Option<Knock>,
}

/// How far a guest's login has come.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Knock {
    /// It stands at the front of the input.
    Due,
    /// It has been read.
    Done,
}

/// A hash that is being computed for somebody.
#[derive(Debug)]
struct Pending {
    ticket: Arc<Ticket>,
    /// Whether the host has it.
    is_taken: bool,
    form: Form,
}

/// How the outcome of a login is told.
#[derive(Clone, Copy, Debug)]
pub(super) enum Form {
    /// By this line, if it worked.
    Line(&'static [u8]),
    /// By a packet.
    Packet(Echo),
}

impl Session {
    /// Serves who has not logged in; `None` lets the conversation go on.
    pub(super) fn at_door(&mut self, turn: &mut Turn<'_>, input: &[u8]) -> Option<Step> {
        match &self.side {
            Side::Inside(_) => return None,
            Side::Unknown if !turn.ctx.shared.door.is_locked() => {
                self.side = Side::Inside(None);
                return None;
            }
            Side::Unknown => self.begin(turn),
            Side::Outside(visitor) if visitor.is_guest_again(turn) => self.begin(turn),
            Side::Outside(_) => {}
        }
        let mut visitor = match std::mem::take(&mut self.side) {
            Side::Outside(visitor) => visitor,
            inside => {
                self.side = inside;
                return None;
            }
        };
        let before = turn.out.len();
        let (step, identity) = self.receive(turn, &mut visitor, input);
        visitor.said += turn.out.len() - before;
        self.login_failures = visitor.failures;
        if let Some(identity) = identity {
            return Some(self.enter(turn, &identity, step));
        }
        if visitor.knock.is_some() && step.consumed > 0 {
            visitor.knock = Some(Knock::Done);
        }
        let is_spent = visitor.said > LOGIN_REPLIES_SIZE_MAX;
        self.side = Side::Outside(visitor);
        Some(if is_spent {
            Step::leave(step.consumed, Next::Abort)
        } else {
            step
        })
    }

    /// Lets a user in who has been told so.
    fn enter(&mut self, turn: &mut Turn<'_>, identity: &Identity, step: Step) -> Step {
        let users = turn.ctx.shared.door.users();
        // While a hash was computed the users may have been read again.
        let renewed = users.and_then(|users| users.renew(identity).cloned());
        let Some(insider) = renewed.and_then(|identity| Insider::by_login(&identity)) else {
            self.put_out();
            return Step::leave(step.consumed, Next::Close);
        };
        let (id, name) = (self.id, identity.name());
        log::debug!("connection {id} has logged in  user={name}");
        self.side = Side::Inside(Some(insider));
        self.note_user();
        turn.rights = self.rights();
        step
    }

    /// From here on this is somebody who has not logged in, whoever it was before.
    pub(super) fn put_out(&mut self) {
        if self.insider().is_some() {
            self.note_user();
        }
        self.side = Side::Outside(Box::new(Visitor {
            failures: self.login_failures,
            ..Visitor::default()
        }));
    }

    fn receive(&mut self, turn: &mut Turn<'_>, visitor: &mut Visitor, input: &[u8]) -> Outcome {
        if let Some(pending) = visitor.pending.take() {
            return pending.resume(turn, visitor);
        }
        if visitor
            .deaf_until_s
            .is_some_and(|until_s| turn.now().uptime_s < until_s)
        {
            return (Step::leave(0, Next::Hold), None);
        }
        if visitor.failures >= LOGIN_FAILURES_MAX {
            return (Step::leave(0, Next::Close), None);
        }
        let Some(first) = input.first() else {
            return (Step::wait(0, 1), None);
        };
        if visitor.skip > 0 {
            let size = visitor.skip.min(input.len() as u64);
            visitor.skip -= size;
            // No more than the input, whose size is one.
            return (Step::go(usize::try_from(size).unwrap_or(0)), None);
        }
        let door = &turn.ctx.shared.door;
        let is_binary = self.is_binary(*first);
        match door.users() {
            Some(users) if is_binary && door.sasl => sasl::packet(turn, visitor, &users, input),
            Some(users) if !is_binary && door.text && *first != MAGIC_REQUEST => {
                text(turn, visitor, &users, input)
            }
            // There is no way in for this dialect.
            Some(_) | None => (Step::leave(0, Next::Abort), None),
        }
    }
}

impl Visitor {
    /// Whether this is a guest whose login has failed and who has waited for it.
    fn is_guest_again(&self, turn: &Turn<'_>) -> bool {
        let is_deaf = self
            .deaf_until_s
            .is_some_and(|until_s| turn.now().uptime_s < until_s);
        self.knock == Some(Knock::Done)
            && self.pending.is_none()
            && !is_deaf
            && self.failures < LOGIN_FAILURES_MAX
    }
}

impl Pending {
    /// Looks whether the hash is there.
    fn resume(mut self, turn: &mut Turn<'_>, visitor: &mut Visitor) -> Outcome {
        let Some(told) = self.ticket.told.get() else {
            let host = &turn.ctx.shared.host;
            self.is_taken = self.is_taken || host.log_in(turn.ctx.worker, &self.ticket);
            visitor.pending = Some(self);
            return (Step::leave(0, Next::Hold), None);
        };
        match (told.clone(), self.form) {
            (Some(admission), Form::Packet(echo)) => sasl::admit(turn, visitor, admission, echo),
            (Some(Admission { identity, .. }), form @ Form::Line(_)) => {
                conclude(turn, visitor, Verdict::Granted(identity), 0, form)
            }
            (None, form) => conclude(turn, visitor, Verdict::Refused, 0, form),
        }
    }
}

/// A line of the text protocol before login.
fn text(turn: &mut Turn<'_>, visitor: &mut Visitor, users: &Users, input: &[u8]) -> Outcome {
    let stay = |step: Step| (step, None);
    let Some(line_end) = memchr(b'\n', input) else {
        return stay(if input.len() > LOGIN_REQUEST_SIZE_MAX {
            Step::leave(0, Next::Abort)
        } else {
            Step::wait(0, input.len() + 1)
        });
    };
    let line_size = line_end + 1;
    if line_size > LOGIN_REQUEST_SIZE_MAX {
        return stay(Step::leave(0, Next::Abort));
    }
    let (size, welcome) = match login::line(&input[..line_size]) {
        Line::Login { size, welcome } => (size, welcome),
        Line::Quit => return stay(Step::leave(line_size, Next::Close)),
        Line::TooShort => return stay(Step::leave(line_size, Next::Abort)),
        Line::Other => {
            turn.say(ProtocolError::Unauthenticated.reply());
            return stay(Step::served(line_size));
        }
    };
    let Some(size) = usize::try_from(size)
        .ok()
        .filter(|size| *size <= LOGIN_REQUEST_SIZE_MAX)
    else {
        turn.say(ProtocolError::LoginTooLong.reply());
        return stay(Step::served(line_size));
    };
    let total = line_size + size + 2;
    let Some(block) = input.get(line_size..total) else {
        return stay(Step::wait(0, total));
    };
    let (name, password) = match login::pair(block) {
        Ok(pair) => pair,
        Err(error) => {
            turn.say(error.reply());
            return stay(Step::served(total));
        }
    };
    let verdict = users.check(name, password);
    conclude(turn, visitor, verdict, total, Form::Line(welcome))
}

/// Does what a verdict says, and tells it.
pub(super) fn conclude(
    turn: &mut Turn<'_>,
    visitor: &mut Visitor,
    verdict: Verdict,
    consumed: usize,
    form: Form,
) -> Outcome {
    match verdict {
        Verdict::Granted(identity) if !identity.rights().has_seat() => {
            turn.counters().limited_connections.add(1);
            match form {
                Form::Line(_) => turn.say(ProtocolError::TooManyConnections.reply()),
                Form::Packet(echo) => reply::error(turn.out, echo, Status::Busy),
            }
            (Step::leave(consumed, Next::Close), None)
        }
        Verdict::Granted(identity) => {
            turn.counters().auth_cmds.add(1);
            match form {
                Form::Line(welcome) => turn.say(welcome),
                Form::Packet(echo) => reply::text(turn.out, echo, AUTHENTICATED),
            }
            (Step::served(consumed), Some(identity))
        }
        Verdict::Refused => (fail(turn, visitor, consumed, form), None),
        Verdict::Slow(slow) => {
            let ticket = Ticket::new(slow);
            let is_taken = turn.ctx.shared.host.log_in(turn.ctx.worker, &ticket);
            visitor.pending = Some(Pending {
                ticket,
                is_taken,
                form,
            });
            (Step::leave(consumed, Next::Hold), None)
        }
    }
}

/// Tells of a failure, and listens no more for a moment: guessing is slow.
fn fail(turn: &mut Turn<'_>, visitor: &mut Visitor, consumed: usize, form: Form) -> Step {
    turn.counters().auth_cmds.add(1);
    turn.counters().auth_errors.add(1);
    match form {
        Form::Line(_) => turn.say(ProtocolError::LoginFailed.reply()),
        Form::Packet(echo) => reply::error(turn.out, echo, Status::Refused),
    }
    visitor.exchange = None;
    visitor.failures += 1;
    visitor.deaf_until_s = Some(turn.now().uptime_s + 1);
    Step::leave(consumed, Next::Hold)
}
