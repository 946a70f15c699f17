//! Who may ask the admin listener.
//!
//! Where there is a token, whoever shows it. Where there is none, the listener serves its own host
//! only, and a request must say that this is whom it means: a page in somebody's browser, whose
//! name has been made to stand for 127.0.0.1, says its own.

use std::fmt;
use std::io::{self, Read};
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use arc_swap::ArcSwap;
use base64ct::{Base64, Encoding};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::http::{Request, Status};
use crate::config::admin::AdminListen;
use crate::limits::ADMIN_TOKEN_SIZE;

/// What a token is compared by: all are of one length, whatever was shown.
type Seal = [u8; 32];

/// Judges requests.
pub(super) struct Guard {
    /// The host that the settings name, when only this one may be meant.
    host: Option<String>,
    token: Option<Token>,
}

struct Token {
    path: PathBuf,
    seal: ArcSwap<Seal>,
}

/// Why a token cannot be had.
#[derive(Debug)]
pub struct TokenError {
    path: PathBuf,
    reason: String,
}

impl fmt::Display for TokenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.path.display();
        write!(f, "--admin-token-file {path}: {}", self.reason)
    }
}

impl std::error::Error for TokenError {}

impl Guard {
    /// A guard for this listener.
    ///
    /// # Errors
    ///
    /// When the file of the token cannot be read or holds none.
    pub(super) fn new(listen: &AdminListen, file: Option<&Path>) -> Result<Self, TokenError> {
        let token = match file {
            None => None,
            Some(path) => Some(Token {
                path: path.to_owned(),
                seal: ArcSwap::from_pointee(load(path)?),
            }),
        };
        let host = match listen {
            AdminListen::Tcp { host, .. } if listen.is_local() => Some(host.clone()),
            // No browser reaches a unix socket; beyond loopback there is a token.
            AdminListen::Tcp { .. } | AdminListen::Unix(_) | AdminListen::Off => None,
        };
        Ok(Self { host, token })
    }

    /// Reads the token again, if there is one. When it cannot be had the old one stays.
    ///
    /// # Errors
    ///
    /// What is wrong with the file.
    pub(super) fn reload(&self) -> Result<(), TokenError> {
        if let Some(token) = &self.token {
            token.seal.store(load(&token.path)?.into());
        }
        Ok(())
    }

    /// Whether this is said to whom it is meant for, and by somebody who may ask for more than
    /// `is_public` pages.
    ///
    /// # Errors
    ///
    /// How the request is to be refused.
    pub(super) fn admit(&self, request: &Request<'_>, is_public: bool) -> Result<(), Status> {
        if let (Some(own), Some(said)) = (&self.host, request.host)
            && !is_meant(own, said)
        {
            return Err(Status::Forbidden);
        }
        match &self.token {
            Some(token) if !is_public && !token.is_shown(request) => Err(Status::Unauthorized),
            Some(_) | None => Ok(()),
        }
    }
}

impl Token {
    /// Whether the request shows it. Takes as long for a wrong one as for the right one.
    fn is_shown(&self, request: &Request<'_>) -> bool {
        let shown = request.authorization.and_then(shown);
        shown.is_some_and(|shown| bool::from(seal(&shown).ct_eq(&**self.seal.load())))
    }
}

/// What is shown to be let in: the token of `Bearer`, or the password of `Basic`, whoever says it.
fn shown(authorization: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let space = authorization.iter().position(|&byte| byte == b' ')?;
    let (scheme, rest) = authorization.split_at(space);
    let rest = rest.trim_ascii();
    if scheme.eq_ignore_ascii_case(b"bearer") {
        return Some(Zeroizing::new(rest.to_vec()));
    }
    if !scheme.eq_ignore_ascii_case(b"basic") {
        return None;
    }
    let pair = Zeroizing::new(Base64::decode_vec(std::str::from_utf8(rest).ok()?).ok()?);
    let colon = pair.iter().position(|&byte| byte == b':')?;
    Some(Zeroizing::new(pair[colon + 1..].to_vec()))
}

fn seal(token: &[u8]) -> Seal {
    Sha256::digest(token).into()
}

/// The first line of a file.
fn load(path: &Path) -> Result<Seal, TokenError> {
    let wrong = |reason: String| TokenError {
        path: path.to_owned(),
        reason,
    };
    let mut bytes = Zeroizing::new(Vec::new());
    // A longer line is refused below: one byte more than fits is enough to see that.
    let mut read = || -> io::Result<usize> {
        let size_max = *ADMIN_TOKEN_SIZE.end() as u64 + 2;
        std::fs::File::open(path)?
            .take(size_max)
            .read_to_end(&mut bytes)
    };
    read().map_err(|error| wrong(format!("cannot be read: {error}")))?;
    let line = bytes.split(|&byte| byte == b'\n').next();
    let token = line.unwrap_or_default().trim_ascii();
    if !ADMIN_TOKEN_SIZE.contains(&token.len()) || !token.iter().all(u8::is_ascii_graphic) {
        let (low, high) = (ADMIN_TOKEN_SIZE.start(), ADMIN_TOKEN_SIZE.end());
        return Err(wrong(format!(
            "its first line must be a token of {low} to {high} characters without spaces, such as \
             `openssl rand -hex 32` makes"
        )));
    }
    Ok(seal(token))
}

/// Whether a `Host` header means a listener of this host, whatever port it says: a tunnel may
/// end at another.
fn is_meant(own: &str, said: &str) -> bool {
    let name = match said.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => said.split(':').next().unwrap_or_default(),
    };
    let is_loopback = name
        .parse::<IpAddr>()
        .is_ok_and(|address| address.is_loopback());
    is_loopback || name.eq_ignore_ascii_case("localhost") || name.eq_ignore_ascii_case(own)
}

#[cfg(test)]
mod tests {
    use super::*;

    const REQUEST: Request<'_> = Request {
        path: "/metrics",
        query: "",
        is_head: false,
        host: Some("localhost"),
        authorization: None,
        keep_alive: true,
    };

    fn listen(text: &str) -> AdminListen {
        AdminListen::parse(text).unwrap()
    }

    #[test]
    fn on_loopback_only_names_of_this_host_are_meant() {
        let guard = Guard::new(&listen("127.0.0.1"), None).unwrap();
        for (host, admitted) in [
            (Some("localhost"), true),
            (Some("LocalHost:9150"), true),
            (Some("127.0.0.1:1"), true),
            (Some("127.1.2.3"), true),
            (Some("[::1]:9150"), true),
            (None, true),
            (Some(""), false),
            (Some("evil.example"), false),
            (Some("evil.example:9150"), false),
            (Some("localhost.evil.example"), false),
            (Some("192.0.2.1"), false),
            (Some("[::1"), true),
            (Some("[fe80::1]"), false),
        ] {
            let request = Request { host, ..REQUEST };
            let judged = guard.admit(&request, true);
            assert_eq!(judged.is_ok(), admitted, "{host:?}");
            assert_eq!(judged, guard.admit(&request, false));
        }
        let socket = Guard::new(&listen("/run/larder"), None).unwrap();
        let anywhere = Request {
            host: Some("whatever"),
            ..REQUEST
        };
        assert_eq!(socket.admit(&anywhere, false), Ok(()));
    }

    #[test]
    fn the_token_opens_and_nothing_else_does() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        std::fs::write(&path, "0123456789abcdef\nnot this\n").unwrap();
        let guard = Guard::new(&listen("0.0.0.0"), Some(&path)).unwrap();
        let admit = |authorization: Option<&[u8]>, is_public| {
            let request = Request {
                host: Some("cache1"),
                authorization,
                ..REQUEST
            };
            guard.admit(&request, is_public)
        };
        for shown in [
            &b"Bearer 0123456789abcdef"[..],
            b"bearer  0123456789abcdef ",
            b"Basic OjAxMjM0NTY3ODlhYmNkZWY=",
            b"basic YWRtaW46MDEyMzQ1Njc4OWFiY2RlZg==",
        ] {
            assert_eq!(admit(Some(shown), false), Ok(()));
        }
        for shown in [
            &b"0123456789abcdef"[..],
            b"Basic 0123456789abcdef",
            b"Bearer 0123456789abcde",
            b"Bearer 0123456789abcdefg",
            b"Bearer",
            b"Bearer ",
            b"Basic",
            b"Basic ",
            b"Basic MDEyMzQ1Njc4OWFiY2RlZg==",
            b"Basic YWRtaW46MDEyMzQ1Njc4OWFiY2RlZjA=",
            b"Basic \xff",
            b"",
            b"Bearer \xff",
        ] {
            assert_eq!(admit(Some(shown), false), Err(Status::Unauthorized));
            assert_eq!(admit(Some(shown), true), Ok(()));
        }
        assert_eq!(admit(None, false), Err(Status::Unauthorized));

        std::fs::write(&path, "fedcba9876543210").unwrap();
        guard.reload().unwrap();
        assert_eq!(admit(Some(b"Bearer fedcba9876543210"), false), Ok(()));
        std::fs::write(&path, "short").unwrap();
        assert!(guard.reload().is_err());
        assert_eq!(admit(Some(b"Bearer fedcba9876543210"), false), Ok(()));
    }

    #[test]
    fn a_file_without_a_good_token_is_refused_without_showing_what_it_holds() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        let missing = load(&path).unwrap_err().to_string();
        assert!(missing.contains("--admin-token-file"), "{missing}");
        for text in [
            "",
            "\n0123456789abcdef",
            "fifteen letters",
            "0123456789 abcdef",
        ] {
            std::fs::write(&path, text).unwrap();
            let error = load(&path).unwrap_err().to_string();
            assert!(text.trim().is_empty() || !error.contains(text), "{error}");
        }
        std::fs::write(&path, "x".repeat(1024)).unwrap();
        assert!(load(&path).is_ok());
        std::fs::write(&path, "x".repeat(1025)).unwrap();
        assert!(load(&path).is_err());
    }
}
