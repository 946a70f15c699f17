//! Who may ask the admin listener.
//!
//! Where there is a token, whoever shows it. Where there is none, the listener serves its own host
//! only, and a request must say that this is whom it means: a page in somebody's browser, whose
//! name has been made to stand for 127.0.0.1, says its own.
//!
//! Who wants to change something needs the token in any case. A browser that has been told it
//! shows it to us on behalf of any page, so the page must be ours, too.

use std::fmt;
use std::io::{self, Read};
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use arc_swap::ArcSwap;
use base64ct::{Base64, Encoding};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::http::{Answer, Request, Status};
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

/// What somebody wants.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Wish {
    /// To see what is for everybody.
    Glance,
    /// To see anything else.
    See,
    /// To change something.
    Change,
}

/// Why it is not granted.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Refusal {
    /// The token is missing or wrong.
    Token,
    /// The `Host` header means somebody else.
    OtherHost,
    /// A page from elsewhere asks.
    OtherOrigin,
    /// Nothing can be changed, since there is no token.
    ReadOnly,
}

impl Refusal {
    /// What is said.
    pub(super) fn answer(self) -> Answer {
        match self {
            Self::Token => Answer::refusal(Status::Unauthorized),
            Self::OtherHost => Answer::text(
                Status::Forbidden,
                "Forbidden: the Host header names another host\n",
            ),
            Self::OtherOrigin => Answer::text(
                Status::Forbidden,
                "Forbidden: asked by a page from elsewhere, or by a program without Bearer\n",
            ),
            Self::ReadOnly => Answer::text(
                Status::Forbidden,
                "Forbidden: nothing can be changed here without --admin-token-file\n",
            ),
        }
    }
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

    /// Whether this is said to whom it is meant for, and by somebody who may wish for it.
    ///
    /// # Errors
    ///
    /// Why it is refused.
    pub(super) fn admit(&self, request: &Request<'_>, wish: Wish) -> Result<(), Refusal> {
        if let (Some(own), Some(said)) = (&self.host, request.host)
            && !is_meant(own, said)
        {
            return Err(Refusal::OtherHost);
        }
        let is_ours = match wish {
            Wish::Glance | Wish::See => is_asked_openly(request),
            Wish::Change => is_wanted_here(request),
        };
        if !is_ours {
            return Err(Refusal::OtherOrigin);
        }
        match (&self.token, wish) {
            (_, Wish::Glance) | (None, Wish::See) => Ok(()),
            (None, Wish::Change) => Err(Refusal::ReadOnly),
            (Some(token), Wish::See | Wish::Change) => match token.is_shown(request) {
                true => Ok(()),
                false => Err(Refusal::Token),
            },
        }
    }

    /// Whether there is a token, without which nothing can be changed.
    pub(super) const fn has_token(&self) -> bool {
        self.token.is_some()
    }
}

impl Token {
    /// Whether the request shows it. Takes as long for a wrong one as for the right one.
    fn is_shown(&self, request: &Request<'_>) -> bool {
        let shown = request.authorization.and_then(shown);
        shown.is_some_and(|shown| bool::from(seal(&shown).ct_eq(&**self.seal.load())))
    }
}

/// Whether no page from elsewhere asks behind its reader's back. It would not get to see the
/// answer, but how long it took and whether there was one.
fn is_asked_openly(request: &Request<'_>) -> bool {
    let is_from_elsewhere = matches!(request.site, Some("cross-site" | "same-site"));
    !is_from_elsewhere || request.is_navigation
}

/// Whether our own page, or no page at all, wants something changed.
fn is_wanted_here(request: &Request<'_>) -> bool {
    let is_same_origin = |origin: &str| {
        let host = origin
            .strip_prefix("http://")
            .or_else(|| origin.strip_prefix("https://"));
        host.zip(request.host)
            .is_some_and(|(own, said)| own.eq_ignore_ascii_case(said))
    };
    match (request.origin, request.site) {
        // No browser: those say at least one of them. And `Bearer` is what no browser says by
        // itself.
        (None, None) => request
            .authorization
            .is_some_and(|shown| has_scheme(shown, b"bearer")),
        (origin, site) => {
            origin.is_none_or(is_same_origin) && site.is_none_or(|site| site == "same-origin")
        }
    }
}

/// Whether an `Authorization` header is of this scheme.
fn has_scheme(authorization: &[u8], scheme: &[u8]) -> bool {
    let first = authorization.split(|&byte| byte == b' ').next();
    first.is_some_and(|first| first.eq_ignore_ascii_case(scheme))
}

/// What is shown to be let in: the token of `Bearer`, or the password of `Basic`, whoever says it.
fn shown(authorization: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let space = authorization.iter().position(|&byte| byte == b' ')?;
    let rest = authorization[space..].trim_ascii();
    if has_scheme(authorization, b"bearer") {
        return Some(Zeroizing::new(rest.to_vec()));
    }
    if !has_scheme(authorization, b"basic") {
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
        method: super::super::http::Method::Get,
        path: "/metrics",
        query: "",
        host: Some("localhost"),
        authorization: None,
        origin: None,
        site: None,
        is_navigation: false,
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
            let judged = guard.admit(&request, Wish::Glance);
            assert_eq!(judged.is_ok(), admitted, "{host:?}");
            assert_eq!(judged, guard.admit(&request, Wish::See));
        }
        let socket = Guard::new(&listen("/run/larder"), None).unwrap();
        let anywhere = Request {
            host: Some("whatever"),
            ..REQUEST
        };
        assert_eq!(socket.admit(&anywhere, Wish::See), Ok(()));
    }

    #[test]
    fn a_page_from_elsewhere_is_told_nothing_unless_its_reader_goes_there() {
        let guard = Guard::new(&listen("127.0.0.1"), None).unwrap();
        for (site, is_navigation, admitted) in [
            (None, false, true),
            (Some("same-origin"), false, true),
            (Some("none"), true, true),
            (Some("cross-site"), true, true),
            (Some("cross-site"), false, false),
            (Some("same-site"), false, false),
        ] {
            let request = Request {
                site,
                is_navigation,
                ..REQUEST
            };
            let judged = guard.admit(&request, Wish::See);
            assert_eq!(judged.is_ok(), admitted, "{site:?} {is_navigation}");
        }
    }

    #[test]
    fn a_change_needs_the_token_and_our_own_page_or_no_browser() {
        const BEARER: &[u8] = b"Bearer 0123456789abcdef";
        const BASIC: &[u8] = b"Basic OjAxMjM0NTY3ODlhYmNkZWY=";
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        std::fs::write(&path, "0123456789abcdef").unwrap();
        let with_token = Guard::new(&listen("127.0.0.1"), Some(&path)).unwrap();
        let without = Guard::new(&listen("127.0.0.1"), None).unwrap();
        let own = Some("http://localhost:9150");
        for (origin, site, shown, judged) in [
            (own, Some("same-origin"), BASIC, Ok(())),
            (own, None, BASIC, Ok(())),
            (None, Some("same-origin"), BASIC, Ok(())),
            (own, Some("same-origin"), BEARER, Ok(())),
            (None, None, BEARER, Ok(())),
            (Some("https://LOCALHOST:9150"), None, BEARER, Ok(())),
            (None, None, BASIC, Err(Refusal::OtherOrigin)),
            (None, None, b"", Err(Refusal::OtherOrigin)),
            (own, None, b"", Err(Refusal::Token)),
            (own, None, b"Bearer 0123456789abcdeX", Err(Refusal::Token)),
            (own, Some("none"), BASIC, Err(Refusal::OtherOrigin)),
            (own, Some("cross-site"), BEARER, Err(Refusal::OtherOrigin)),
            (None, Some("same-site"), BEARER, Err(Refusal::OtherOrigin)),
            (Some("null"), None, BEARER, Err(Refusal::OtherOrigin)),
            (
                Some("http://localhost"),
                None,
                BEARER,
                Err(Refusal::OtherOrigin),
            ),
            (
                Some("http://localhost:9150.evil.example"),
                Some("same-origin"),
                BEARER,
                Err(Refusal::OtherOrigin),
            ),
            (
                Some("http://evil.example"),
                None,
                BASIC,
                Err(Refusal::OtherOrigin),
            ),
        ] {
            let request = Request {
                host: Some("localhost:9150"),
                authorization: Some(shown),
                origin,
                site,
                ..REQUEST
            };
            let told = with_token.admit(&request, Wish::Change);
            assert_eq!(told, judged, "{origin:?} {site:?} {shown:?}");
            assert!(without.admit(&request, Wish::Change).is_err());
            let rebound = Request {
                host: Some("evil.example"),
                ..request
            };
            let told = with_token.admit(&rebound, Wish::Change);
            assert_eq!(told, Err(Refusal::OtherHost));
        }
        let request = Request {
            authorization: Some(BEARER),
            ..REQUEST
        };
        let told = without.admit(&request, Wish::Change);
        assert_eq!(told, Err(Refusal::ReadOnly));
    }

    #[test]
    fn the_token_opens_and_nothing_else_does() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        std::fs::write(&path, "0123456789abcdef\nnot this\n").unwrap();
        let guard = Guard::new(&listen("0.0.0.0"), Some(&path)).unwrap();
        let admit = |authorization: Option<&[u8]>, wish| {
            let request = Request {
                host: Some("cache1"),
                authorization,
                ..REQUEST
            };
            guard.admit(&request, wish)
        };
        for shown in [
            &b"Bearer 0123456789abcdef"[..],
            b"bearer  0123456789abcdef ",
            b"Basic OjAxMjM0NTY3ODlhYmNkZWY=",
            b"basic YWRtaW46MDEyMzQ1Njc4OWFiY2RlZg==",
        ] {
            assert_eq!(admit(Some(shown), Wish::See), Ok(()));
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
            assert_eq!(admit(Some(shown), Wish::See), Err(Refusal::Token));
            assert_eq!(admit(Some(shown), Wish::Glance), Ok(()));
        }
        assert_eq!(admit(None, Wish::See), Err(Refusal::Token));

        std::fs::write(&path, "fedcba9876543210").unwrap();
        guard.reload().unwrap();
        assert_eq!(admit(Some(b"Bearer fedcba9876543210"), Wish::See), Ok(()));
        std::fs::write(&path, "short").unwrap();
        assert!(guard.reload().is_err());
        assert_eq!(admit(Some(b"Bearer fedcba9876543210"), Wish::See), Ok(()));
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
