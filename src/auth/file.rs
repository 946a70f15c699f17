//! The file of users.
//!
//! One line a user, `NAME:PASSWORD` as memcached's files have it, plain or as a slow hash. A line
//! `user NAME WORD...` says what a user may do; without one a user may do everything. `user *
//! WORD...` says what anybody may do without a login, and `cert NAME SUBJECT` whose certificate
//! needs none. Empty lines and lines that begin with `#` are passed over.

use std::collections::HashMap;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use zeroize::Zeroizing;

use super::hash::{self, PasswordHash};
use super::passless::{Subject, Where};
use super::scram::{self, Entry};
use super::{Hashed, Identity, Known, Permissions, Purpose, Rights, Secret, User, Users, prepared};

/// Largest file, in bytes: a million users and more. A mistaken path must not fill memory.
const FILE_SIZE_MAX: u64 = 64 << 20;

/// Longest line, in bytes.
const LINE_SIZE_MAX: usize = 4096;

/// Longest password that a client can offer, in bytes.
pub const PASSWORD_SIZE_MAX: usize = 512;

/// Longest name that a client can offer, in bytes.
pub const NAME_SIZE_MAX: usize = 256;

/// Why there is no table. Its text names the file, the line where there is one, and the reason,
/// and never what stands there.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct FileError {
    /// The file.
    pub path: PathBuf,
    /// The line, counted from 1.
    pub line: Option<usize>,
    /// What is wrong.
    pub reason: String,
}

impl fmt::Display for FileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.path.display())?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
        }
        write!(f, ": {}", self.reason)
    }
}

impl std::error::Error for FileError {}

/// A table, and what the operator should hear about its file.
#[derive(Debug)]
pub struct Loaded {
    /// The users.
    pub users: Users,
    /// A warning, if there is one.
    pub warning: Option<String>,
}

/// Reads a file of users. `key` must be random and secret.
///
/// # Errors
///
/// When the file cannot be read, has no user, or has a line that is wrong.
pub fn load(path: &Path, key: [u8; 32]) -> Result<Loaded, FileError> {
    load_after(path, key, None)
}

/// As [`load`], when there has been a table: what its users have used is remembered.
///
/// # Errors
///
/// As [`load`].
pub fn load_after(path: &Path, key: [u8; 32], before: Option<&Users>) -> Result<Loaded, FileError> {
    let wrong = |reason: String| FileError {
        path: path.to_owned(),
        line: None,
        reason,
    };
    let text = read(path).map_err(|error| wrong(error.to_string()))?;
    let users = parse_after(&text, key, before).map_err(|(line, reason)| FileError {
        line,
        ..wrong(reason)
    })?;
    Ok(Loaded {
        users,
        warning: open_to_all(path),
    })
}

fn read(path: &Path) -> io::Result<Zeroizing<Vec<u8>>> {
    use std::io::Read;
    let file = std::fs::File::open(path)?;
    if !file.metadata()?.is_file() {
        return Err(io::Error::other("it is not a file"));
    }
    let mut text = Zeroizing::new(Vec::new());
    file.take(FILE_SIZE_MAX + 1).read_to_end(&mut text)?;
    if text.len() as u64 > FILE_SIZE_MAX {
        return Err(io::Error::other("it is above 64 MiB"));
    }
    Ok(text)
}

/// Says so when everybody on the host may read the passwords.
fn open_to_all(path: &Path) -> Option<String> {
    use std::os::unix::fs::PermissionsExt;
    let mode = std::fs::metadata(path).ok()?.permissions().mode();
    (mode & 0o007 != 0).then(|| {
        let path = path.display();
        format!("{path}: everybody on this host may read the passwords; chmod o= {path}")
    })
}

/// What is wrong, and on which line.
type Wrong = (Option<usize>, String);

/// Makes a table of the bytes of a file. `key` must be random and secret.
///
/// # Errors
///
/// The line, counted from 1, and what is wrong with it.
pub fn parse(text: &[u8], key: [u8; 32]) -> Result<Users, Wrong> {
    parse_after(text, key, None)
}

/// The lines of a file by their kind, each with its number. Any may come first.
#[derive(Default)]
struct Lines<'t> {
    permissions: HashMap<&'t str, (usize, Permissions)>,
    passwords: Vec<(usize, &'t str, &'t str)>,
    certificates: Vec<(usize, &'t str, Subject)>,
    guests: Vec<(usize, &'t str, Permissions)>,
}

fn sort(text: &[u8]) -> Result<Lines<'_>, Wrong> {
    let mut lines = Lines::default();
    for (index, line) in text.split(|&b| b == b'\n').enumerate() {
        let number = index + 1;
        let wrong = |reason: &str| (Some(number), reason.to_owned());
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if line.is_empty() || line.starts_with(b"#") {
            continue;
        }
        if line.len() > LINE_SIZE_MAX {
            return Err(wrong("the line is too long"));
        }
        if line.contains(&0) {
            return Err(wrong("the line has a zero byte"));
        }
        let line = std::str::from_utf8(line).map_err(|_| wrong("the line is not UTF-8"))?;
        if let Some(rest) = line.strip_prefix("user ") {
            let mut words = rest.split_whitespace();
            let name = words
                .next()
                .ok_or_else(|| wrong("expected user NAME WORD..."))?;
            let set = Permissions::parse(words).map_err(|reason| (Some(number), reason))?;
            if let Some(place) = name.strip_prefix('*') {
                lines.guests.push((number, place, set));
            } else if lines.permissions.insert(name, (number, set)).is_some() {
                return Err(wrong("this user has a line already"));
            }
            continue;
        }
        if let Some(rest) = line.strip_prefix("cert ") {
            let (name, subject) = rest
                .trim_start()
                .split_once(' ')
                .ok_or_else(|| wrong("expected cert NAME SUBJECT"))?;
            let subject = Subject::parse(subject).map_err(wrong)?;
            lines.certificates.push((number, name, subject));
            continue;
        }
        let (name, password) = line
            .split_once(':')
            .ok_or_else(|| wrong("expected NAME:PASSWORD"))?;
        lines.passwords.push((number, name, password));
    }
    Ok(lines)
}

fn parse_after(text: &[u8], key: [u8; 32], before: Option<&Users>) -> Result<Users, Wrong> {
    let Lines {
        mut permissions,
        passwords,
        certificates,
        guests,
    } = sort(text)?;
    let mut users = Users::new(key);
    let identity = |name: &str, permissions, stamp| {
        let mut rights = Rights::new(permissions);
        if let Some(before) = before.and_then(|before| before.identity(name)) {
            rights.inherit(before.rights());
        }
        Identity {
            name: Arc::from(name),
            rights: Arc::new(rights),
            stamp,
        }
    };
    for (number, name, password) in passwords {
        let wrong = |reason: &str| (Some(number), reason.to_owned());
        let secret = secret(&users, name, password).map_err(wrong)?;
        let permissions = match permissions.remove(name) {
            Some((_, permissions)) => permissions,
            None => Permissions::ALL,
        };
        let stamp = users.digest(Purpose::Stamp, password.as_bytes());
        let identity = identity(name, permissions, stamp);
        if !users.add(User { identity, secret }) {
            return Err(wrong("this user has a password already"));
        }
    }
    // Nothing of these is secret, nor ever compared.
    let stamp = [0; 32];
    for (number, name, subject) in certificates {
        let wrong = |reason: &str| (Some(number), reason.to_owned());
        let identity = match (users.identity(name), permissions.remove(name)) {
            (Some(identity), _) => identity.clone(),
            (None, Some((_, permissions))) => identity(name, permissions, stamp),
            // All rights for a name that was mistaken would be too much.
            (None, None) => {
                return Err(wrong("this user has no password and no line of its own"));
            }
        };
        if !users.passless.add_certificate(subject, identity) {
            return Err(wrong("this certificate is somebody's already"));
        }
    }
    for (number, place, permissions) in guests {
        let wrong = |reason: &str| (Some(number), reason.to_owned());
        if permissions.may_write_every_key() {
            return Err(wrong(
                "who has not logged in must not write every key, or a login would be stored; \
                 name prefixes",
            ));
        }
        let at = Where::parse(place).map_err(wrong)?;
        let guest = identity(&format!("*{place}"), permissions, stamp);
        if !users.passless.add_guest(at, guest) {
            return Err(wrong("this listener has a line already"));
        }
    }
    // Rights for somebody who is not there: a name was mistaken, or a password forgotten.
    if let Some((number, _)) = permissions.into_values().min_by_key(|(number, _)| *number) {
        let reason = "this user has no password and no certificate";
        return Err((Some(number), reason.to_owned()));
    }
    if users.count() == 0 && users.passless.is_empty() {
        return Err((None, "it names no user".to_owned()));
    }
    Ok(users)
}

fn secret(users: &Users, name: &str, password: &str) -> Result<Secret, &'static str> {
    if name.is_empty() {
        return Err("the name is empty");
    }
    if name.len() > NAME_SIZE_MAX {
        return Err("the name is above 256 bytes");
    }
    if password.is_empty() {
        return Err("the password is empty");
    }
    let hashed = if password.starts_with("$argon2") {
        Some(Hashed::Argon2(PasswordHash::parse(password)?))
    } else if password.starts_with(scram::PREFIX) {
        Some(Hashed::Scram(Entry::parse(password)?))
    } else {
        None
    };
    if let Some(hashed) = hashed {
        return Ok(Secret::Hashed(Box::new(hashed), OnceLock::new()));
    }
    if password.len() > PASSWORD_SIZE_MAX {
        return Err("the password is above 512 bytes, more than a client can send");
    }
    let password = prepared(password.as_bytes());
    let digest = users.digest(Purpose::Password, &password);
    let known = Known {
        password: Zeroizing::new(password.into_owned()),
        keys: OnceLock::new(),
    };
    Ok(Secret::Plain(digest, Some(Box::new(known))))
}

/// How a password is written into the file.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Notation {
    /// As argon2id, for logins that tell the password.
    Argon2id,
    /// As SCRAM-SHA-256, for those that prove it as well.
    Scram,
}

/// The line for a user whose password is to be kept as a slow hash. `salt` must be random.
///
/// # Errors
///
/// When the name or the password could not be used, or there is no memory.
pub fn entry(
    name: &str,
    password: &[u8],
    notation: Notation,
    salt: [u8; hash::SALT_SIZE],
) -> Result<String, String> {
    if name.is_empty() || name.len() > NAME_SIZE_MAX || name.starts_with('#') {
        return Err("a name must have 1 to 256 bytes and not begin with #".to_owned());
    }
    if name.contains([':', ' ', '\0', '\r', '\n']) {
        return Err("a name must not contain a colon, a space or a line end".to_owned());
    }
    if password.is_empty() || password.len() > PASSWORD_SIZE_MAX || password.contains(&0) {
        return Err("a password must have 1 to 512 bytes, none of them zero".to_owned());
    }
    let password = prepared(password);
    Ok(match notation {
        Notation::Argon2id => format!("{name}:{}", PasswordHash::make(&password, salt)?),
        Notation::Scram => format!("{name}:{}", Entry::make(&password, &salt)),
    })
}
