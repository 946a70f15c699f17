//! Who may come in, and what they may do there.
//!
//! A [`Users`] table is made of a file once and never changes; a new file makes a new table.
//! Start reading at [`Users::check`]. Nothing here knows a protocol, a socket or a clock.
//!
//! **Invariant:** an attempt to log in costs the same work whatever is wrong with it. Names are
//! looked up by their keyed digest, passwords compared as keyed digests of one length, and who is
//! unknown is compared with a digest that nothing has.

pub mod file;
pub mod hash;
mod permissions;
mod rights;
pub mod sasl;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, OnceLock};

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

pub use file::FileError;
pub use permissions::{Need, Permissions};
pub use rights::{Rights, Seat};

use hash::PasswordHash;

/// Bytes of a keyed digest.
const DIGEST_SIZE: usize = 32;

/// A digest that only this table can make.
type Digest = [u8; DIGEST_SIZE];

/// Somebody who has logged in, and what they may do.
#[derive(Clone, Debug)]
pub struct Identity {
    name: Arc<str>,
    rights: Arc<Rights>,
}

impl Identity {
    /// The user's name, as the file has it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What the user may do.
    pub fn permissions(&self) -> &Permissions {
        self.rights.permissions()
    }

    /// What the user may do, and how much of it has been done.
    pub fn rights(&self) -> &Arc<Rights> {
        &self.rights
    }
}

/// How the file keeps a password.
enum Secret {
    /// As it is; only its keyed digest is kept in memory.
    Plain(Digest),
    /// As a slow hash. The digest of the password that fitted is kept from the first login on,
    /// so that a client that connects often does not cost the hash each time.
    Hashed(Box<PasswordHash>, OnceLock<Digest>),
}

/// One user.
struct User {
    identity: Identity,
    secret: Secret,
}

/// All users of one file.
pub struct Users {
    /// Makes digests that nobody outside can make or compare.
    key: Zeroizing<[u8; DIGEST_SIZE]>,
    /// By the keyed digest of the name, so that a lookup's time tells nothing of the names.
    by_name: HashMap<Digest, Arc<User>>,
    /// What an unknown user's password is compared with: the digest of nothing that can be sent.
    nobody: Digest,
    /// The dearest hash of the file, which every attempt that fails has to pay for.
    dearest: Option<PasswordHash>,
    count: usize,
}

impl fmt::Debug for Users {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Neither names nor secrets belong into a log.
        f.debug_struct("Users")
            .field("count", &self.count)
            .finish_non_exhaustive()
    }
}

/// What came of an attempt, as far as it costs next to nothing to tell.
#[derive(Debug)]
pub enum Verdict {
    /// Name and password fit.
    Granted(Identity),
    /// They do not.
    Refused,
    /// A slow hash must tell. Run [`Slow::run`] where it delays nobody.
    Slow(Slow),
}

/// A slow hash that is still to be computed.
pub struct Slow {
    /// The user to let in when it fits; `None` pays without hope.
    user: Option<Arc<User>>,
    against: PasswordHash,
    password: Zeroizing<Vec<u8>>,
    digest: Digest,
}

impl fmt::Debug for Slow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Slow")
    }
}

impl Slow {
    /// Computes the hash: many milliseconds, many megabytes.
    pub fn run(self) -> Option<Identity> {
        let fits = self.against.fits(&self.password);
        let user = self.user?;
        if !fits {
            return None;
        }
        if let Secret::Hashed(_, known) = &user.secret {
            // Whoever is second has the same digest to offer.
            let _ = known.set(self.digest);
        }
        Some(user.identity.clone())
    }
}

/// Work done for one attempt. Two attempts of the same sizes must not differ in it.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Work {
    /// Keyed digests made.
    pub digests: u32,
    /// Digests compared.
    pub compared: u32,
    /// Names looked up.
    pub lookups: u32,
}

impl Users {
    /// A table of these users. `key` must be random and secret.
    fn new(key: [u8; DIGEST_SIZE]) -> Self {
        let mut users = Self {
            key: Zeroizing::new(key),
            by_name: HashMap::new(),
            nobody: [0; DIGEST_SIZE],
            dearest: None,
            count: 0,
        };
        users.nobody = users.digest(Purpose::Nobody, b"");
        users
    }

    /// Users in the table.
    pub fn count(&self) -> usize {
        self.count
    }

    /// The user of exactly this name, whoever asks.
    pub fn known(&self, name: &str) -> Option<&Identity> {
        let user = self
            .by_name
            .get(&self.digest(Purpose::Name, name.as_bytes()));
        user.map(|user| &user.identity)
    }

    /// Judges a name and a password.
    pub fn check(&self, name: &[u8], password: &[u8]) -> Verdict {
        self.check_counted(name, password, &mut Work::default())
    }

    /// As [`Self::check`], counting what it does.
    pub fn check_counted(&self, name: &[u8], password: &[u8], work: &mut Work) -> Verdict {
        let offered = self.digest(Purpose::Password, password);
        work.digests += 1;
        let user = self.find(name, work);
        let known = match user.map(|user| &user.secret) {
            Some(Secret::Plain(digest)) => digest,
            Some(Secret::Hashed(_, known)) => known.get().unwrap_or(&self.nobody),
            None => &self.nobody,
        };
        work.compared += 1;
        let fits = bool::from(offered.ct_eq(known));
        if let (Some(user), true) = (user, fits) {
            return Verdict::Granted(user.identity.clone());
        }
        let Some(dearest) = &self.dearest else {
            return Verdict::Refused;
        };
        let (user, against) = match user {
            Some(user) => match &user.secret {
                Secret::Hashed(hash, _) => (Some(Arc::clone(user)), (**hash).clone()),
                Secret::Plain(_) => (None, dearest.clone()),
            },
            None => (None, dearest.clone()),
        };
        Verdict::Slow(Slow {
            user,
            against,
            password: Zeroizing::new(password.to_vec()),
            digest: offered,
        })
    }

    /// Finds a user by the name as it came, else by what stands before its last `@`. Both are
    /// always looked up.
    fn find(&self, name: &[u8], work: &mut Work) -> Option<&Arc<User>> {
        let bare = name
            .iter()
            .rposition(|&b| b == b'@')
            .map_or(name, |at| &name[..at]);
        let exact = self.by_name.get(&self.digest(Purpose::Name, name));
        let bare = self.by_name.get(&self.digest(Purpose::Name, bare));
        work.digests += 2;
        work.lookups += 2;
        exact.or(bare)
    }

    fn digest(&self, purpose: Purpose, text: &[u8]) -> Digest {
        keyed(&self.key, &[&[purpose as u8], text])
    }

    /// Takes in a user. False when the name is taken.
    fn add(&mut self, user: User) -> bool {
        let name = Arc::clone(&user.identity.name);
        let digest = self.digest(Purpose::Name, name.as_bytes());
        if self.by_name.contains_key(&digest) {
            return false;
        }
        if let Secret::Hashed(hash, _) = &user.secret
            && self.dearest.as_ref().is_none_or(|d| d.cost() < hash.cost())
        {
            self.dearest = Some((**hash).clone());
        }
        self.by_name.insert(digest, Arc::new(user));
        self.count += 1;
        true
    }
}

/// What a digest is of, so that a name never reads as a password.
#[derive(Clone, Copy)]
enum Purpose {
    Name = 1,
    Password = 2,
    Nobody = 3,
}

/// HMAC-SHA-256 over the pieces, one behind the other.
fn keyed(key: &[u8; DIGEST_SIZE], pieces: &[&[u8]]) -> Digest {
    // The function fills a short key up with zeros itself; a full one cannot be refused.
    let mut block = Zeroizing::new([0; 64]);
    block[..DIGEST_SIZE].copy_from_slice(key);
    let mut mac = Hmac::<Sha256>::new((&*block).into());
    for piece in pieces {
        mac.update(piece);
    }
    mac.finalize().into_bytes().into()
}
