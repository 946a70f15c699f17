//! Ways in without a password: a certificate, and where a client has come in.

use super::Identity;

/// Who comes in without a password.
#[derive(Default)]
pub(super) struct Passless {
    /// Subjects of certificates, and whose they are.
    certificates: Vec<(Subject, Identity)>,
    /// Listeners, and what anybody may do who comes in there.
    guests: Vec<(Where, Identity)>,
}

/// The subject of a certificate, as the file names it.
#[derive(Debug, Eq, PartialEq)]
pub(super) enum Subject {
    /// Any with this common name.
    CommonName(String),
    /// Exactly this one, without the spaces that programs write differently.
    Whole(String),
}

impl Subject {
    /// Reads `CN=NAME`, or a whole subject such as `C=DE, O=Example, CN=app1`.
    pub(super) fn parse(text: &str) -> Result<Self, &'static str> {
        let text = text.trim();
        let whole = tight(text);
        let is_sound = parts(&whole).all(|part| {
            let (name, value) = part.split_once('=').unwrap_or_default();
            !name.is_empty() && !value.is_empty()
        });
        if !is_sound {
            return Err("expected cert NAME CN=COMMONNAME or cert NAME with a whole subject");
        }
        match whole.strip_prefix("CN=") {
            Some(_) if parts(&whole).count() == 1 => Ok(Self::CommonName(plain(&whole[3..]))),
            Some(_) | None => Ok(Self::Whole(whole)),
        }
    }

    fn fits(&self, subject: &str, common_name: Option<&str>) -> bool {
        match self {
            Self::CommonName(name) => common_name.is_some_and(|common| common == name),
            Self::Whole(whole) => !subject.is_empty() && *whole == tight(subject),
        }
    }
}

/// Takes out the spaces around `,` and `=`.
fn tight(subject: &str) -> String {
    let parts = parts(subject).map(|part| match part.split_once('=') {
        Some((name, value)) => format!("{}={}", name.trim(), value.trim()),
        None => part.trim().to_owned(),
    });
    parts.collect::<Vec<_>>().join(",")
}

/// The parts of a subject between its commas; one behind a backslash belongs to a value.
fn parts(subject: &str) -> impl Iterator<Item = &str> {
    let mut is_escaped = false;
    subject.split(move |letter| {
        let ends = letter == ',' && !is_escaped;
        is_escaped = letter == '\\' && !is_escaped;
        ends
    })
}

/// A value without its backslashes.
fn plain(value: &str) -> String {
    let mut plain = String::new();
    let mut letters = value.chars();
    while let Some(letter) = letters.next() {
        plain.extend(match letter {
            '\\' => letters.next(),
            letter => Some(letter),
        });
    }
    plain
}

/// Listeners, as the file names them.
#[derive(Debug, Eq, PartialEq)]
pub(super) enum Where {
    /// All of them.
    Everywhere,
    /// Those of this port, written `:11211`.
    Port(String),
    /// That of this address and port, or `unix`.
    Exactly(String),
}

impl Where {
    /// Reads what stands behind `*`: nothing, `@ADDRESS:PORT`, `@:PORT` or `@unix`.
    pub(super) fn parse(text: &str) -> Result<Self, &'static str> {
        const SHAPE: &str = "expected *, *@ADDRESS:PORT, *@:PORT or *@unix";
        if text.is_empty() {
            return Ok(Self::Everywhere);
        }
        let text = text.strip_prefix('@').ok_or(SHAPE)?;
        if text == "unix" {
            return Ok(Self::Exactly(text.to_owned()));
        }
        let (host, port) = text.rsplit_once(':').ok_or(SHAPE)?;
        if port.parse::<u16>().is_err() {
            return Err(SHAPE);
        }
        Ok(if host.is_empty() {
            Self::Port(text.to_owned())
        } else {
            Self::Exactly(text.to_owned())
        })
    }

    /// How well it fits a listener; `None` is not at all.
    fn fits(&self, listener: &str) -> Option<u8> {
        match self {
            Self::Everywhere => Some(0),
            Self::Port(port) => listener.ends_with(port.as_str()).then_some(1),
            Self::Exactly(name) => (listener == name).then_some(2),
        }
    }
}

impl Passless {
    /// Whether nobody comes in so.
    pub(super) fn is_empty(&self) -> bool {
        self.certificates.is_empty() && self.guests.is_empty()
    }

    /// Takes in a certificate. False when its subject is somebody's already.
    pub(super) fn add_certificate(&mut self, subject: Subject, identity: Identity) -> bool {
        if self.certificates.iter().any(|(known, _)| *known == subject) {
            return false;
        }
        self.certificates.push((subject, identity));
        true
    }

    /// Takes in what anybody may do at a listener. False when that has been said already.
    pub(super) fn add_guest(&mut self, at: Where, identity: Identity) -> bool {
        if self.guests.iter().any(|(known, _)| *known == at) {
            return false;
        }
        self.guests.push((at, identity));
        true
    }

    /// Whose certificate this is. A whole subject counts more than a common name.
    pub(super) fn certificate(
        &self,
        subject: &str,
        common_name: Option<&str>,
    ) -> Option<&Identity> {
        let fitting = self
            .certificates
            .iter()
            .filter(|(known, _)| known.fits(subject, common_name));
        let best = fitting.max_by_key(|(known, _)| matches!(known, Subject::Whole(_)));
        best.map(|(_, identity)| identity)
    }

    /// Who anybody is that comes in here. The line that fits best counts.
    pub(super) fn guest(&self, listener: &str) -> Option<&Identity> {
        let fitting = self
            .guests
            .iter()
            .filter_map(|(at, identity)| Some((at.fits(listener)?, identity)));
        let best = fitting.max_by_key(|(fit, _)| *fit);
        best.map(|(_, identity)| identity)
    }

    /// All who come in so.
    pub(super) fn identities(&self) -> impl Iterator<Item = &Identity> {
        let certificates = self.certificates.iter().map(|(_, identity)| identity);
        let guests = self.guests.iter().map(|(_, identity)| identity);
        certificates.chain(guests)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_common_name_fits_any_subject_that_has_it_and_a_whole_one_only_itself() {
        let name = Subject::parse("CN = app1").unwrap();
        assert!(name.fits("C=DE, CN=app1", Some("app1")));
        assert!(!name.fits("C=DE, CN=app1", None));
        assert!(!name.fits("CN=app11", Some("app11")));
        let whole = Subject::parse("C = DE, O=Ex ample,CN=app1").unwrap();
        assert!(whole.fits("C=DE, O=Ex ample, CN=app1", Some("app1")));
        assert!(!whole.fits("C=DE, O=Example, CN=app1", Some("app1")));
        assert!(!whole.fits("CN=app1", Some("app1")));
        let comma = Subject::parse("O=Example\\, Inc., CN=app1").unwrap();
        assert!(comma.fits("O=Example\\, Inc., CN=app1", Some("app1")));
        assert!(!comma.fits("O=Example, Inc., CN=app1", Some("app1")));
        let name = Subject::parse("CN=a\\, O=b").unwrap();
        assert!(name.fits("CN=a\\, O=b", Some("a, O=b")));
        assert!(!name.fits("CN=a, O=b", Some("a")));
        for text in ["", "app1", "CN=", "=app1", "CN=a,", "CN=a, O"] {
            assert!(Subject::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn the_narrowest_place_fits_best() {
        let fit = |text: &str, listener| Where::parse(text).unwrap().fits(listener);
        assert_eq!(fit("", "unix"), Some(0));
        assert_eq!(fit("@:11211", "127.0.0.1:11211"), Some(1));
        assert_eq!(fit("@:1211", "127.0.0.1:11211"), None);
        assert_eq!(fit("@[::1]:11211", "[::1]:11211"), Some(2));
        assert_eq!(fit("@127.0.0.1:11211", "127.0.0.2:11211"), None);
        assert_eq!(fit("@unix", "unix"), Some(2));
        assert_eq!(fit("@unix", "127.0.0.1:11211"), None);
        for text in ["@", "x", "@host", "@host:", "@host:port", "@:99999"] {
            assert!(Where::parse(text).is_err(), "{text}");
        }
    }
}
