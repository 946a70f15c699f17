//! Who may come in, and what they may do there.
//!
//! A [`Users`] table is made of a file once and never changes; a new file makes a new table.
//! Start reading at [`Users::check`]. Nothing here knows a protocol, a socket or a clock.
//!
//! **Invariant:** an attempt to log in costs the same work whatever is wrong with it. Names are
//! looked up by their keyed digest, passwords compared as keyed digests of one length, and who is
//! unknown is compared with a digest that nothing has.

pub mod file;
pub mod fuzz;
pub mod hash;
mod passless;
mod permissions;
mod rights;
pub mod sasl;
#[cfg(test)]
mod sasl_tests;
mod scram;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, OnceLock};

use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

pub use file::FileError;
pub use permissions::{Need, Permissions};
pub use rights::{Rights, Seat};

use crate::scram::{DIGEST_SIZE, Digest, keyed, prepared};

use hash::PasswordHash;
use passless::Passless;
use scram::{Entry, Keys, Proof, Salting};

/// Bytes of salt that is made up while no entry shows what salts look like.
const SALT_SIZE_DEFAULT: usize = 16;

/// Ways to make keys that are told apart. Beyond them what is made up looks like one of these.
const MODEL_COUNT_MAX: usize = 256;

/// Somebody who has logged in, and what they may do.
#[derive(Clone)]
pub struct Identity {
    name: Arc<str>,
    rights: Arc<Rights>,
    /// A keyed digest of the line with the password: the same while the password is.
    stamp: Digest,
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Identity").field(&self.name).finish()
    }
}

impl Identity {
    /// The user's name, as the file has it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The same, for those who keep it.
    pub fn shared_name(&self) -> Arc<str> {
        Arc::clone(&self.name)
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
    /// As it is. Its keyed digest is kept, and itself where SCRAM needs it.
    Plain(Digest, Option<Box<Known>>),
    /// As a slow hash. The digest of the password that fitted is kept from the first login on,
    /// so that a client that connects often does not cost the hash each time.
    Hashed(Box<Hashed>, OnceLock<Digest>),
}

/// A password of which keys can be made.
struct Known {
    password: Zeroizing<Vec<u8>>,
    /// Those of the first login, so that the next does not cost them again.
    keys: OnceLock<(Salting, Keys)>,
}

/// A password as something slow.
#[derive(Clone)]
enum Hashed {
    /// Good for a password that is told.
    Argon2(PasswordHash),
    /// Good for that, and for one that is only proved.
    Scram(Entry),
}

impl Hashed {
    fn fits(&self, password: &[u8]) -> bool {
        match self {
            Self::Argon2(hash) => hash.fits(password),
            Self::Scram(entry) => entry.fits(password),
        }
    }

    /// By which hashes are ordered. A KiB that argon2 passes over takes about as long as an
    /// iteration.
    fn cost(&self) -> u64 {
        match self {
            Self::Argon2(hash) => hash.cost(),
            Self::Scram(entry) => u64::from(entry.salting.iterations),
        }
    }
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
    dearest: Option<Hashed>,
    /// What entries say of their keys, each once: what is made up for others looks the same.
    models: Vec<(u32, usize)>,
    /// Users whose keys are still to be made of their password. While there are any, every proof
    /// that fails has to pay for keys.
    keys_to_make: usize,
    /// Users who can only tell their password.
    tellers: usize,
    count: usize,
    /// Those who need no password.
    passless: Passless,
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

/// Somebody who may come in.
#[derive(Clone, Debug)]
pub struct Admission {
    /// Who it is.
    pub identity: Identity,
    /// What is to be told first: our own proof.
    pub signature: Option<String>,
}

/// A slow hash that is still to be computed.
pub struct Slow {
    /// The user to let in when it fits; `None` pays without hope.
    user: Option<Arc<User>>,
    task: Box<Task>,
}

/// What is slow.
enum Task {
    /// To hash a password that was told.
    Password {
        against: Hashed,
        password: Zeroizing<Vec<u8>>,
        digest: Digest,
    },
    /// To make the keys that a proof is judged by.
    Keys(Proof),
}

impl fmt::Debug for Slow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Slow")
    }
}

impl Slow {
    /// Computes the hash: many milliseconds, many megabytes.
    pub fn run(self) -> Option<Admission> {
        match *self.task {
            Task::Password {
                against,
                password,
                digest,
            } => {
                let fits = against.fits(&password);
                let user = self.user.filter(|_| fits)?;
                if let Secret::Hashed(_, known) = &user.secret {
                    // Whoever is second has the same digest to offer.
                    let _ = known.set(digest);
                }
                Some(Admission {
                    identity: user.identity.clone(),
                    signature: None,
                })
            }
            Task::Keys(proof) => {
                let known = self.user.as_deref().and_then(User::own_password);
                let password = known.map_or(&b"nobody"[..], |known| &known.password);
                let keys = proof.salting.keys(password);
                let fits = proof.fits(&keys);
                let user = self.user.as_ref().filter(|_| fits)?;
                let signature = Some(proof.signature(&keys));
                if let Some(known) = user.own_password() {
                    let _ = known.keys.set((proof.salting, keys));
                }
                Some(Admission {
                    identity: user.identity.clone(),
                    signature,
                })
            }
        }
    }
}

impl User {
    /// Its password, if keys can be made of it.
    fn own_password(&self) -> Option<&Known> {
        match &self.secret {
            Secret::Plain(_, known) => known.as_deref(),
            Secret::Hashed(..) => None,
        }
    }

    /// Keys that are at hand, if they were made in this way.
    fn keys(&self, salting: &Salting) -> Option<&Keys> {
        let (made, keys) = match &self.secret {
            Secret::Plain(_, known) => {
                let (made, keys) = known.as_ref()?.keys.get()?;
                (made, keys)
            }
            Secret::Hashed(hashed, _) => match &**hashed {
                Hashed::Argon2(_) => return None,
                Hashed::Scram(entry) => (&entry.salting, &entry.keys),
            },
        };
        (made == salting).then_some(keys)
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
            models: Vec::new(),
            keys_to_make: 0,
            tellers: 0,
            count: 0,
            passless: Passless::default(),
        };
        users.nobody = users.digest(Purpose::Nobody, b"");
        users
    }

    /// Users in the table.
    pub fn count(&self) -> usize {
        self.count
    }

    /// Who has exactly this name, password or not.
    pub fn identity(&self, name: &str) -> Option<&Identity> {
        let digest = self.digest(Purpose::Name, &prepared(name.as_bytes()));
        if let Some(user) = self.by_name.get(&digest) {
            return Some(&user.identity);
        }
        let mut passless = self.passless.identities();
        passless.find(|identity| *identity.name == *name)
    }

    /// Who somebody is now that has logged in with a password, maybe by an older table with the
    /// same key. `None` when the user is gone or has another password.
    pub fn renew(&self, identity: &Identity) -> Option<&Identity> {
        let digest = self.digest(Purpose::Name, &prepared(identity.name.as_bytes()));
        let user = self.by_name.get(&digest)?;
        (user.identity.stamp == identity.stamp).then_some(&user.identity)
    }

    /// Whose certificate this is. It must have been judged good.
    pub fn certificate(&self, subject: &str, common_name: Option<&str>) -> Option<&Identity> {
        self.passless.certificate(subject, common_name)
    }

    /// Who anybody is that comes in through this listener: `ADDRESS:PORT` or `unix`.
    pub fn guest(&self, listener: &str) -> Option<&Identity> {
        self.passless.guest(listener)
    }

    /// Judges a name and a password.
    pub fn check(&self, name: &[u8], password: &[u8]) -> Verdict {
        self.check_counted(name, password, &mut Work::default())
    }

    /// As [`Self::check`], counting what it does.
    pub fn check_counted(&self, name: &[u8], password: &[u8], work: &mut Work) -> Verdict {
        let password = prepared(password);
        let offered = self.digest(Purpose::Password, &password);
        work.digests += 1;
        let user = self.find(name, work);
        let known = match user.map(|user| &user.secret) {
            Some(Secret::Plain(digest, _)) => digest,
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
                Secret::Plain(..) => (None, dearest.clone()),
            },
            None => (None, dearest.clone()),
        };
        Verdict::Slow(Slow {
            user,
            task: Box::new(Task::Password {
                against,
                password: Zeroizing::new(password.into_owned()),
                digest: offered,
            }),
        })
    }

    /// Whether every user can prove a password without telling it.
    pub fn all_can_prove(&self) -> bool {
        self.tellers == 0
    }

    /// Forgets the passwords themselves: who is only ever told them needs none.
    #[must_use]
    pub fn only_told(mut self) -> Self {
        for user in self.by_name.values_mut() {
            // Nobody else has a user of a table that is not in use yet.
            if let Some(Secret::Plain(_, known)) = Arc::get_mut(user).map(|user| &mut user.secret) {
                *known = None;
            }
        }
        self.keys_to_make = 0;
        self.tellers = self.count;
        self
    }

    /// How the keys of this user are made; for one who is unknown, or whose entry does not say,
    /// something that stays the same and looks like what others have.
    fn salting(&self, name: &[u8], work: &mut Work) -> Salting {
        let prepared_name = prepared(name);
        let bare = bare(&prepared_name);
        let (low, high) = (
            self.digest(Purpose::Salt, bare),
            self.digest(Purpose::SaltEnd, bare),
        );
        work.digests += 2;
        let choice = usize::from(high[DIGEST_SIZE - 1]);
        let (iterations, size) = match self.models.len() {
            0 => (Salting::ITERATIONS_DEFAULT, SALT_SIZE_DEFAULT),
            count => self.models[choice % count],
        };
        let made_up = Salting {
            iterations,
            salt: [low, high].concat()[..size].into(),
        };
        match self.find(name, work).map(|user| &user.secret) {
            Some(Secret::Hashed(hashed, _)) => match &**hashed {
                Hashed::Scram(entry) => entry.salting.clone(),
                Hashed::Argon2(_) => made_up,
            },
            Some(Secret::Plain(..)) | None => made_up,
        }
    }

    /// Judges a proof.
    fn check_proof(&self, proof: Proof, work: &mut Work) -> Result<Admission, Verdict> {
        let user = self.find(&proof.name, work);
        let nobody = Keys {
            stored: self.nobody,
            server: self.nobody,
        };
        let at_hand = user.and_then(|user| user.keys(&proof.salting));
        let keys = at_hand.unwrap_or(&nobody);
        work.digests += 2;
        work.compared += 1;
        let fits = proof.fits(keys);
        if let (Some(user), true) = (user, fits) {
            return Ok(Admission {
                identity: user.identity.clone(),
                signature: Some(proof.signature(keys)),
            });
        }
        if self.keys_to_make == 0 {
            return Err(Verdict::Refused);
        }
        let user = user.filter(|user| at_hand.is_none() && user.own_password().is_some());
        Err(Verdict::Slow(Slow {
            user: user.cloned(),
            task: Box::new(Task::Keys(proof)),
        }))
    }

    /// Finds a user by the name as it came, else by what stands before its last `@`. Both are
    /// always looked up.
    fn find(&self, name: &[u8], work: &mut Work) -> Option<&Arc<User>> {
        let name = prepared(name);
        let exact = self.by_name.get(&self.digest(Purpose::Name, &name));
        let bare = self.by_name.get(&self.digest(Purpose::Name, bare(&name)));
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
        let digest = self.digest(Purpose::Name, &prepared(name.as_bytes()));
        if self.by_name.contains_key(&digest) {
            return false;
        }
        match &user.secret {
            Secret::Plain(_, Some(_)) => self.keys_to_make += 1,
            Secret::Plain(_, None) => self.tellers += 1,
            Secret::Hashed(hashed, _) => {
                if self
                    .dearest
                    .as_ref()
                    .is_none_or(|d| d.cost() < hashed.cost())
                {
                    self.dearest = Some((**hashed).clone());
                }
                match &**hashed {
                    Hashed::Argon2(_) => self.tellers += 1,
                    Hashed::Scram(Entry { salting, .. }) => {
                        let model = (salting.iterations, salting.salt.len());
                        if !self.models.contains(&model) && self.models.len() < MODEL_COUNT_MAX {
                            self.models.push(model);
                        }
                    }
                }
            }
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
    Salt = 4,
    SaltEnd = 5,
    Stamp = 6,
}

/// What stands before the last `@` of a name.
fn bare(name: &[u8]) -> &[u8] {
    let at = name.iter().rposition(|&b| b == b'@');
    at.map_or(name, |at| &name[..at])
}
