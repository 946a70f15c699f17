//! Logging in, by text as `-Y` of a daemon asks for it, or by SASL in packets as `-S` does.
//!
//! **Invariant:** a password is sent to a daemon that asks for one, and to no other: without `-Y`
//! the request would store it as an item that everybody can read.

use zeroize::Zeroizing;

use super::Error;
use super::connection::{Connection, LoggedIn, Login, text};
use crate::protocol::binary::{Opcode, Status};
use crate::protocol::client::binary::Request;
use crate::protocol::client::{self as wire, Reply};

/// The mechanism of SASL that every daemon has.
const MECHANISM: &[u8] = b"PLAIN";

impl Connection {
    /// Logs in by a `set` whose value is the user's name and password.
    pub(super) fn log_in_by_text(&mut self, login: &Login) -> Result<LoggedIn, Error> {
        if !self.is_login_wanted()? {
            return Ok(LoggedIn::Unneeded);
        }
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

    /// Logs in by SASL.
    pub(super) fn log_in_by_packets(&mut self, login: &Login) -> Result<LoggedIn, Error> {
        let list = self.exchange(&Request::new(Opcode::SaslList, b""), |packet| {
            (packet.status, packet.value.to_vec())
        })?;
        match list {
            (status, mechanisms) if status == Status::Done as u16 => {
                let known = mechanisms.split(|&byte| byte == b' ');
                if !known.into_iter().any(|name| name == MECHANISM) {
                    let words = format!(
                        "it logs in by {}, and this program by PLAIN",
                        text(&mechanisms)
                    );
                    return Err(Error::Lacks(words));
                }
            }
            _ => return Ok(LoggedIn::Unneeded),
        }
        let mut message = Zeroizing::new(Vec::with_capacity(
            login.user.len() + login.password.len() + 2,
        ));
        message.push(0);
        message.extend_from_slice(login.user.as_bytes());
        message.push(0);
        message.extend_from_slice(&login.password);
        let request = Request {
            value: &message,
            ..Request::new(Opcode::SaslAuth, MECHANISM)
        };
        self.exchange(&request, |packet| {
            if packet.status == Status::Done as u16 {
                Ok(LoggedIn::Yes)
            } else {
                Err(Error::Refused(text(packet.value)))
            }
        })?
    }
}
