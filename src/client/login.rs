//! Logging in, by text as `-Y` of a daemon asks for it, or by SASL in packets as `-S` does.
//!
//! **Invariant:** a password is sent to a daemon that asks for one, and to no other: without `-Y`
//! the request would store it as an item that everybody can read. It crosses the network as it is
//! only under TLS, or when the user has allowed for it; SCRAM does not send it at all.

use std::io;

use base64ct::{Base64, Encoding};
use zeroize::Zeroizing;

use super::Error;
use super::connection::{Connection, LoggedIn, Login, text};
use super::scram::Opening;
use crate::protocol::binary::{Opcode, Status};
use crate::protocol::client::binary::Request;
use crate::protocol::client::{self as wire, Reply};
use crate::scram;

/// The mechanism of SASL that every daemon has. It tells the password.
const PLAIN: &str = "PLAIN";

/// Random bytes in each nonce, before they are made printable.
const NONCE_SIZE: usize = 18;

impl Connection {
    /// Logs in by a `set` whose value is the user's name and password.
    pub(super) fn log_in_by_text(&mut self, login: &Login) -> Result<LoggedIn, Error> {
        if !self.is_login_wanted()? {
            return Ok(LoggedIn::Unneeded);
        }
        self.mind_discretion()?;
        let mut words = Zeroizing::new(login.user.clone().into_bytes());
        words.push(b' ');
        words.extend_from_slice(&login.password);
        // Large enough from the start: what grows leaves copies behind.
        let mut request = Zeroizing::new(Vec::with_capacity(words.len() + 64));
        wire::set(&mut request, b"login", 0, 0, &words);
        self.send(&request)?;
        let line = self.line()?;
        match Reply::parse(&line) {
            Reply::Done => Ok(LoggedIn::Yes),
            _ => Err(Error::Refused(text(&line))),
        }
    }

    /// Whether the daemon asks for a login by text. One that lets strangers do something and
    /// others more is asked for its settings.
    fn is_login_wanted(&mut self) -> Result<bool, Error> {
        self.command(&[b"version"])?;
        let line = self.line()?;
        if !matches!(Reply::parse(&line), Reply::Version(_)) {
            return Ok(true);
        }
        match self.stats(&[b"settings"]) {
            Ok(settings) => Ok(settings
                .iter()
                // The one by text is told by the name of its file.
                .any(|(name, value)| name.starts_with("auth_enabled_") && value != "no")),
            // Only a daemon that tells its users apart refuses that.
            Err(Error::Refused(_)) => Ok(true),
            Err(error) => Err(error),
        }
    }

    /// Logs in by SASL: so that the password is proved and not told, where the daemon has that.
    pub(super) fn log_in_by_packets(&mut self, login: &Login) -> Result<LoggedIn, Error> {
        let list = self.exchange(&Request::new(Opcode::SaslList, b""), |packet| {
            (packet.status, text(packet.value))
        })?;
        let (status, mechanisms) = list;
        if status != Status::Done as u16 {
            return Ok(LoggedIn::Unneeded);
        }
        let has = |wanted| mechanisms.split(' ').any(|name| name == wanted);
        if has(scram::MECHANISM) {
            self.prove(login)
        } else if has(PLAIN) {
            self.tell(login)
        } else {
            let known = scram::MECHANISM;
            Err(Error::Lacks(format!(
                "it logs in by {mechanisms}, and this program by {known} and {PLAIN}"
            )))
        }
    }

    /// Logs in by SCRAM.
    fn prove(&mut self, login: &Login) -> Result<LoggedIn, Error> {
        let mut nonce = [0; NONCE_SIZE];
        getrandom::fill(&mut nonce).map_err(|error| Error::Local(io::Error::other(error)))?;
        let opening = Opening::new(&login.user, &Base64::encode_string(&nonce));
        let mechanism = scram::MECHANISM;
        let message = opening.message();
        let (status, told) = self.say(Opcode::SaslAuth, mechanism, message.as_bytes())?;
        if status != Status::Continue as u16 {
            return Err(Error::Refused(text(&told)));
        }
        let answer = opening.answer(&told, &login.password, &mut login.salted());
        let (answer, expected) = answer.map_err(distrust)?;
        let (status, last) = self.say(Opcode::SaslStep, mechanism, answer.as_bytes())?;
        if status != Status::Continue as u16 && status != Status::Done as u16 {
            return Err(Error::Refused(text(&last)));
        }
        if !expected.is(&last) {
            return Err(distrust("it has not shown that it knows the password"));
        }
        if status == Status::Continue as u16 {
            let (status, said) = self.say(Opcode::SaslStep, mechanism, b"")?;
            if status != Status::Done as u16 {
                return Err(Error::Refused(text(&said)));
            }
        }
        Ok(LoggedIn::Yes)
    }

    /// Logs in by PLAIN.
    fn tell(&mut self, login: &Login) -> Result<LoggedIn, Error> {
        self.mind_discretion()?;
        let size = login.user.len() + login.password.len() + 2;
        let mut message = Zeroizing::new(Vec::with_capacity(size));
        message.push(0);
        message.extend_from_slice(login.user.as_bytes());
        message.push(0);
        message.extend_from_slice(&login.password);
        match self.say(Opcode::SaslAuth, PLAIN, &message)? {
            (status, _) if status == Status::Done as u16 => Ok(LoggedIn::Yes),
            (_, words) => Err(Error::Refused(text(&words))),
        }
    }

    /// Sends a message of a login; what comes back.
    fn say(
        &mut self,
        opcode: Opcode,
        mechanism: &str,
        message: &[u8],
    ) -> Result<(u16, Vec<u8>), Error> {
        let request = Request {
            value: message,
            ..Request::new(opcode, mechanism.as_bytes())
        };
        self.exchange(&request, |packet| (packet.status, packet.value.to_vec()))
    }

    /// Refuses to tell a password where others could read it along.
    fn mind_discretion(&self) -> Result<(), Error> {
        if self.is_discreet {
            return Ok(());
        }
        let words = "the password would cross the network as it is, and has not been sent: --tls \
                     hides it; --binary only proves it, to a daemon that has SCRAM-SHA-256; \
                     --allow-cleartext sends it all the same";
        Err(Error::Usage(words.to_owned()))
    }
}

/// A daemon may be another than it seems.
fn distrust(cause: &'static str) -> Error {
    let words = format!("the login has been broken off: {cause}");
    Error::Broken(io::Error::other(words))
}
