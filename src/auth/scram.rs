//! SCRAM-SHA-256 (RFC 5802, RFC 7677) from the server's side: keys and messages.
//!
//! A client proves that it knows a password without telling it, and is shown in turn that the
//! server knows it too. Nothing that crosses the network, and nothing in an [`Entry`], lets
//! anybody log in. Channels are not bound: a client that asks for that is refused.
//!
//! ```text
//! client  n,,n=NAME,r=NONCE
//! server  r=NONCE..,s=SALT,i=ITERATIONS
//! client  c=biws,r=NONCE..,p=PROOF
//! server  v=SIGNATURE
//! ```

use std::fmt;

use base64ct::{Base64, Encoding};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::file::NAME_SIZE_MAX;
use crate::scram::{
    DIGEST_SIZE, Digest, ITERATIONS_MAX, ITERATIONS_MIN, client_key, keyed, salted, server_key,
    sha256, xor,
};

/// How the notation of an entry begins. It is PostgreSQL's.
pub(super) const PREFIX: &str = "SCRAM-SHA-256$";

/// Iterations in new entries. Clients pay them at each login.
const ITERATIONS_NEW: u32 = 16_384;

/// Longest nonce that a client may choose, in bytes.
const NONCE_SIZE_MAX: usize = 256;

/// Longest salt, in bytes.
pub(super) const SALT_SIZE_MAX: usize = 2 * DIGEST_SIZE;

/// How a password becomes keys.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Salting {
    /// Rounds of the slow function.
    pub(super) iterations: u32,
    /// Makes equal passwords differ.
    pub(super) salt: Box<[u8]>,
}

impl Salting {
    /// How it is done for those whose entry does not say: as little as the standard allows, since
    /// their password stands in the file as it is.
    pub(super) const ITERATIONS_DEFAULT: u32 = ITERATIONS_MIN;

    /// The keys of a password: milliseconds of work and more.
    pub(super) fn keys(&self, password: &[u8]) -> Keys {
        let salted = salted(password, &self.salt, self.iterations);
        Keys {
            stored: sha256(&*client_key(&salted)),
            server: *server_key(&salted),
        }
    }
}

/// What the server knows of a password.
#[derive(Clone, Eq, PartialEq)]
pub(super) struct Keys {
    /// Knows a proof.
    pub(super) stored: Digest,
    /// Makes the signature.
    pub(super) server: Digest,
}

impl Drop for Keys {
    fn drop(&mut self) {
        zeroize::Zeroize::zeroize(&mut self.server);
    }
}

/// A line's secret: keys, and how they were made.
#[derive(Clone, Eq, PartialEq)]
pub(super) struct Entry {
    pub(super) salting: Salting,
    pub(super) keys: Keys,
}

impl Entry {
    /// Reads `SCRAM-SHA-256$ITERATIONS:SALT$STORED:SERVER`.
    ///
    /// # Errors
    ///
    /// What is wrong, in words.
    pub(super) fn parse(text: &str) -> Result<Self, &'static str> {
        const SHAPE: &str =
            "expected SCRAM-SHA-256$ITERATIONS:SALT$STOREDKEY:SERVERKEY, the last three in base64";
        let rest = text.strip_prefix(PREFIX).ok_or(SHAPE)?;
        let (made, keys) = rest.split_once('$').ok_or(SHAPE)?;
        let (iterations, salt) = made.split_once(':').ok_or(SHAPE)?;
        let (stored, server) = keys.split_once(':').ok_or(SHAPE)?;
        let iterations: u32 = iterations.parse().map_err(|_| SHAPE)?;
        if !(ITERATIONS_MIN..=ITERATIONS_MAX).contains(&iterations) {
            return Err("iterations must be from 4096 to 1000000");
        }
        let salt = Base64::decode_vec(salt).map_err(|_| SHAPE)?;
        if !(8..=SALT_SIZE_MAX).contains(&salt.len()) {
            return Err("the salt must be 8 to 64 bytes");
        }
        Ok(Self {
            salting: Salting {
                iterations,
                salt: salt.into(),
            },
            keys: Keys {
                stored: digest(stored.as_bytes()).ok_or(SHAPE)?,
                server: digest(server.as_bytes()).ok_or(SHAPE)?,
            },
        })
    }

    /// The entry of a password for the file. `salt` must be random.
    pub(super) fn make(password: &[u8], salt: &[u8]) -> Self {
        let salting = Salting {
            iterations: ITERATIONS_NEW,
            salt: salt.into(),
        };
        let keys = salting.keys(password);
        Self { salting, keys }
    }

    /// Whether the password is the one.
    pub(super) fn fits(&self, password: &[u8]) -> bool {
        let keys = self.salting.keys(password);
        bool::from(keys.stored.ct_eq(&self.keys.stored))
    }
}

impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{PREFIX}{}:{}${}:{}",
            self.salting.iterations,
            Base64::encode_string(&self.salting.salt),
            Base64::encode_string(&self.keys.stored),
            Base64::encode_string(&self.keys.server),
        )
    }
}

/// What the client opens with.
#[derive(Debug, Eq, PartialEq)]
pub(super) struct Opening<'m> {
    /// Who it says it is.
    pub(super) name: Vec<u8>,
    /// What stands before the part that is signed, and comes again in the proof.
    header: &'m [u8],
    /// The part that is signed.
    bare: &'m [u8],
    nonce: &'m [u8],
}

impl<'m> Opening<'m> {
    /// Reads the client's first message. Nothing in it may ask for what is not done here.
    pub(super) fn parse(message: &'m [u8]) -> Option<Self> {
        // `p` wants the channel bound; `y` would have, had we offered it.
        let rest = message
            .strip_prefix(b"n,")
            .or_else(|| message.strip_prefix(b"y,"))?;
        let comma = memchr::memchr(b',', rest)?;
        let (authzid, bare) = (&rest[..comma], &rest[comma + 1..]);
        let header = &message[..message.len() - bare.len()];
        // A mandatory extension would stand where the name does.
        let mut attributes = bare.split(|&b| b == b',');
        let name = saslname(attributes.next()?.strip_prefix(b"n=")?)?;
        let nonce = attributes.next()?.strip_prefix(b"r=")?;
        let is_nonce = (1..=NONCE_SIZE_MAX).contains(&nonce.len())
            && nonce.iter().all(|byte| byte.is_ascii_graphic());
        // To act for somebody else is not possible.
        let acts_for_itself = authzid.is_empty() || saslname(authzid.strip_prefix(b"a=")?)? == name;
        (is_nonce && acts_for_itself).then_some(Self {
            name,
            header,
            bare,
            nonce,
        })
    }

    /// What is told to the client, and what is kept until it answers. `nonce` must be printable,
    /// without a comma, and random.
    pub(super) fn challenge(&self, salting: Salting, nonce: &str) -> (Vec<u8>, Challenge) {
        let nonce = [self.nonce, nonce.as_bytes()].concat();
        let salt = Base64::encode_string(&salting.salt);
        let told = [
            b"r=",
            &nonce[..],
            format!(",s={salt},i={}", salting.iterations).as_bytes(),
        ]
        .concat();
        let challenge = Challenge {
            header: Base64::encode_string(self.header),
            signed: [self.bare, b",", &told, b","].concat(),
            name: self.name.clone(),
            salting,
            nonce,
        };
        (told, challenge)
    }
}

/// A challenge that the client has not answered.
#[derive(Debug)]
pub(super) struct Challenge {
    name: Vec<u8>,
    salting: Salting,
    nonce: Vec<u8>,
    /// The header that the client sent, as it must send it again.
    header: String,
    /// What has been said so far, as both sides sign it.
    signed: Vec<u8>,
}

impl Challenge {
    /// Reads the client's answer; whether its proof is good is not looked at.
    pub(super) fn answer(mut self, message: &[u8]) -> Option<Proof> {
        let at = memchr::memmem::rfind(message, b",p=")?;
        let (signed, proof) = (&message[..at], &message[at + 3..]);
        let mut attributes = signed.split(|&b| b == b',');
        let header = attributes.next()?.strip_prefix(b"c=")?;
        let nonce = attributes.next()?.strip_prefix(b"r=")?;
        if header != self.header.as_bytes() || nonce != self.nonce {
            return None;
        }
        self.signed.extend_from_slice(signed);
        Some(Proof {
            proof: digest(proof)?,
            name: self.name,
            salting: self.salting,
            signed: self.signed,
        })
    }
}

/// What a client offers as a proof.
pub(super) struct Proof {
    pub(super) name: Vec<u8>,
    pub(super) salting: Salting,
    signed: Vec<u8>,
    proof: Digest,
}

impl Proof {
    /// Whether it was made with the password of these keys.
    pub(super) fn fits(&self, keys: &Keys) -> bool {
        let mask = keyed(&keys.stored, &[&self.signed]);
        let key = Zeroizing::new(xor(&mask, &self.proof));
        bool::from(sha256(&*key).ct_eq(&keys.stored))
    }

    /// Shows the client that we have the keys.
    pub(super) fn signature(&self, keys: &Keys) -> String {
        let signature = keyed(&keys.server, &[&self.signed]);
        format!("v={}", Base64::encode_string(&signature))
    }
}

/// A name as SCRAM spells it: no comma, and no equals sign but in `=2C` and `=3D`.
fn saslname(text: &[u8]) -> Option<Vec<u8>> {
    let mut name = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((&byte, behind)) = rest.split_first() {
        let (byte, behind) = match byte {
            b'=' => match behind.split_at_checked(2)? {
                (b"2C", behind) => (b',', behind),
                (b"3D", behind) => (b'=', behind),
                _ => return None,
            },
            0 => return None,
            byte => (byte, behind),
        };
        name.push(byte);
        rest = behind;
    }
    let is_name = (1..=NAME_SIZE_MAX).contains(&name.len()) && std::str::from_utf8(&name).is_ok();
    is_name.then_some(name)
}

/// A digest in base64.
fn digest(text: &[u8]) -> Option<Digest> {
    let mut bytes = [0; DIGEST_SIZE];
    let decoded = Base64::decode(text, &mut bytes).ok()?;
    (decoded.len() == DIGEST_SIZE).then_some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The conversation in RFC 7677, part 3: user `user`, password `pencil`.
    const SALT: &str = "W22ZaJ0SNY7soEsUEjb6gQ==";
    const FIRST: &[u8] = b"n,,n=user,r=rOprNGfwEbeRWgbNEkqO";
    const NONCE: &str = "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0";
    const TOLD: &[u8] = b"r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,\
                          s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096";
    const LAST: &[u8] = b"c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,\
                          p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=";
    const SIGNATURE: &str = "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=";

    fn salting() -> Salting {
        Salting {
            iterations: 4096,
            salt: Base64::decode_vec(SALT).unwrap().into(),
        }
    }

    fn challenge() -> Challenge {
        let (told, challenge) = Opening::parse(FIRST).unwrap().challenge(salting(), NONCE);
        assert_eq!(told, TOLD);
        challenge
    }

    #[test]
    fn the_conversation_of_the_standard_is_held_word_for_word() {
        let keys = salting().keys(b"pencil");
        let proof = challenge().answer(LAST).unwrap();
        assert!(proof.fits(&keys));
        assert_eq!(proof.signature(&keys), SIGNATURE);
        assert!(!proof.fits(&salting().keys(b"pencils")));
    }

    #[test]
    fn an_answer_that_is_not_to_this_challenge_is_none() {
        let last = std::str::from_utf8(LAST).unwrap();
        for (is, becomes) in [
            ("c=biws", "c=eSws"),
            ("c=biws", "c=biw="),
            ("c=biws", "biws"),
            ("c=biws,", ""),
            ("r=rOpr", "r=rOps"),
            ("NlF$k0", "NlF$k"),
            ("NlF$k0", "NlF$k00"),
            ("NlF$k0", "NlF$k0,"),
            (",p=dHzb", ",p=dHz"),
            (",p=dHzb", ",p="),
            (",p=dHzb", ",q=dHzb"),
            ("AndVQ=", "AndVQ"),
            ("AndVQ=", "AndVQ=="),
            ("AndVQ=", "AndVQ=,x=1"),
        ] {
            let changed = last.replacen(is, becomes, 1);
            assert_ne!(changed, last);
            let proof = challenge().answer(changed.as_bytes());
            let keys = salting().keys(b"pencil");
            assert!(proof.is_none_or(|proof| !proof.fits(&keys)), "{changed}");
        }
        for cut in 0..LAST.len() {
            assert!(challenge().answer(&LAST[..cut]).is_none(), "{cut}");
        }
    }

    #[test]
    fn an_opening_says_who_and_asks_for_nothing_else() {
        let name = |text: &str| Some(Opening::parse(text.as_bytes())?.name);
        for (text, expected) in [
            ("n,,n=user,r=x", "user"),
            ("y,,n=user,r=x", "user"),
            ("n,a=user,n=user,r=x", "user"),
            ("n,a=a=2Cb,n=a=2Cb,r=x", "a,b"),
            ("n,,n=a=3Db=2Cc,r=x,e=ignored", "a=b,c"),
        ] {
            assert_eq!(name(text).as_deref(), Some(expected.as_bytes()), "{text}");
        }
        for text in [
            "",
            "n",
            "n,",
            "n,,",
            "n,,n=user",
            "n,,n=user,",
            "n,,n=user,r=",
            "n,,n=,r=x",
            "n,,r=x,n=user",
            "n,,m=ext,n=user,r=x",
            "n,,n=us=er,r=x",
            "n,,n=us=2,r=x",
            "n,,n=us=2c,r=x",
            "n,,n=us\0er,r=x",
            "n,,n=user,r=x\u{e9}",
            "n,,n=user,r=x y",
            "n,a=other,n=user,r=x",
            "n,a=,n=user,r=x",
            "n,user,n=user,r=x",
            "p=tls-exporter,,n=user,r=x",
            "p,,n=user,r=x",
            "x,,n=user,r=x",
            "nn,,n=user,r=x",
            "N,,n=user,r=x",
        ] {
            assert_eq!(name(text), None, "{text}");
        }
        let long = |size| format!("n,,n=user,r={}", "x".repeat(size));
        assert!(name(&long(NONCE_SIZE_MAX)).is_some());
        assert!(name(&long(NONCE_SIZE_MAX + 1)).is_none());
        assert!(Opening::parse(b"n,,n=\xff,r=x").is_none());
    }

    #[test]
    fn an_entry_reads_back_as_it_was_written_and_others_are_refused() {
        let made = Entry {
            salting: salting(),
            keys: salting().keys(b"pencil"),
        };
        let text = made.to_string();
        assert!(text.starts_with("SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$"));
        let read = Entry::parse(&text).ok().unwrap();
        assert!(read == made && read.fits(b"pencil") && !read.fits(b"pencil "));
        for (is, becomes) in [
            ("$4096", "$4095"),
            ("$4096", "$1000001"),
            ("$4096", "$-1"),
            ("$4096:", "$"),
            ("W22ZaJ0SNY7soEsUEjb6gQ==", "W22Z"),
            ("gQ==$", "gQ=="),
            ("gQ==$", "gQ$"),
            ("256$", "1$"),
        ] {
            let changed = text.replacen(is, becomes, 1);
            assert_ne!(changed, text);
            assert!(Entry::parse(&changed).is_err(), "{changed}");
        }
        for cut in 0..text.len() {
            assert!(Entry::parse(&text[..cut]).is_err(), "{cut}");
        }
    }
}
