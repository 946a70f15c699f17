//! SCRAM-SHA-256 from the client's side: messages, and what they prove. The password is told to
//! nobody, and a daemon that does not know it is found out.
//!
//! ```text
//! client  n,,n=NAME,r=NONCE
//! daemon  r=NONCE..,s=SALT,i=ITERATIONS
//! client  c=biws,r=NONCE..,p=PROOF
//! daemon  v=SIGNATURE
//! ```

use base64ct::{Base64, Encoding};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use crate::scram::{
    Digest, ITERATIONS_MAX, ITERATIONS_MIN, client_key, keyed, salted, server_key, sha256, xor,
};

/// A password after the slow function, and what it was made with: the same daemon asks for the
/// same again, so that only the first of many logins takes long.
#[derive(Default)]
pub(super) struct Salted {
    salt: Vec<u8>,
    iterations: u32,
    key: Zeroizing<Digest>,
}

/// The first message of a login.
pub(super) struct Opening {
    /// The part that both sides sign.
    bare: String,
    nonce: String,
}

impl Opening {
    /// For this user. `nonce` must be printable, without a comma, and random.
    pub(super) fn new(user: &str, nonce: &str) -> Self {
        let name = user.replace('=', "=3D").replace(',', "=2C");
        Self {
            bare: format!("n={name},r={nonce}"),
            nonce: nonce.to_owned(),
        }
    }

    /// The message.
    pub(super) fn message(&self) -> String {
        format!("n,,{}", self.bare)
    }

    /// The answer to what the daemon tells, and what it must say then. Takes milliseconds and
    /// more when `known` is of another salt.
    ///
    /// # Errors
    ///
    /// What is wrong with what it tells, in words.
    pub(super) fn answer(
        &self,
        told: &[u8],
        password: &[u8],
        known: &mut Salted,
    ) -> Result<(String, Expected), &'static str> {
        const SHAPE: &str = "what it tells is no challenge";
        let told = std::str::from_utf8(told).map_err(|_| SHAPE)?;
        // A mandatory extension would stand first; other ones are passed over.
        let mut attributes = told.split(',');
        let mut next = |name| attributes.next().and_then(|word| word.strip_prefix(name));
        let nonce = next("r=").ok_or(SHAPE)?;
        let salt = next("s=").and_then(|text| Base64::decode_vec(text).ok());
        let salt = salt.filter(|salt| !salt.is_empty()).ok_or(SHAPE)?;
        let iterations = next("i=").and_then(|text| text.parse().ok()).ok_or(SHAPE)?;
        let added = nonce.strip_prefix(&self.nonce);
        if added.is_none_or(str::is_empty) {
            return Err("its challenge is not for this login");
        }
        // With few rounds whoever listens could guess the password, with many nobody gets in.
        if !(ITERATIONS_MIN..=ITERATIONS_MAX).contains(&iterations) {
            return Err("it asks for fewer than 4096 iterations, or more than 1000000");
        }
        if known.salt != salt || known.iterations != iterations {
            *known = Salted {
                key: salted(password, &salt, iterations),
                salt,
                iterations,
            };
        }
        // "biws" is the `n,,` of the first message.
        let without_proof = format!("c=biws,r={nonce}");
        let signed = format!("{},{told},{without_proof}", self.bare);
        let key = client_key(&known.key);
        let proof = xor(&key, &keyed(&sha256(&*key), &[signed.as_bytes()]));
        let proof = Base64::encode_string(&proof);
        let signature = keyed(&server_key(&known.key), &[signed.as_bytes()]);
        Ok((
            format!("{without_proof},p={proof}"),
            Expected(Base64::encode_string(&signature)),
        ))
    }
}

/// What a daemon says that knows the password.
pub(super) struct Expected(String);

impl Expected {
    /// Whether this is it.
    pub(super) fn is(&self, said: &[u8]) -> bool {
        let signature = said.strip_prefix(b"v=").unwrap_or_default();
        bool::from(signature.ct_eq(self.0.as_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The conversation in RFC 7677, part 3: user `user`, password `pencil`.
    const TOLD: &str = "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,\
                        s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096";

    fn opening() -> Opening {
        Opening::new("user", "rOprNGfwEbeRWgbNEkqO")
    }

    #[test]
    fn the_conversation_of_the_standard_is_held_word_for_word() {
        assert_eq!(opening().message(), "n,,n=user,r=rOprNGfwEbeRWgbNEkqO");
        let mut known = Salted::default();
        for _ in 0..2 {
            let answer = opening().answer(TOLD.as_bytes(), b"pencil", &mut known);
            let (answer, expected) = answer.expect("an answer");
            assert_eq!(
                answer,
                "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,\
                 p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
            );
            assert!(expected.is(b"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="));
            for wrong in [
                &b""[..],
                b"v=",
                b"e=other-error",
                b"6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=",
                b"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G5=",
            ] {
                assert!(!expected.is(wrong), "{wrong:?}");
            }
        }
        assert_eq!(Opening::new("a,b=c", "x").message(), "n,,n=a=2Cb=3Dc,r=x");
    }

    #[test]
    fn a_daemon_that_asks_for_too_little_or_another_login_gets_no_answer() {
        for (is, becomes) in [
            ("i=4096", "i=4095"),
            ("i=4096", "i=1000001"),
            ("i=4096", "i=-1"),
            (",i=4096", ""),
            ("r=rOpr", "r=rOps"),
            ("r=rOpr", "m=x,r=rOpr"),
            ("%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0", ""),
            ("s=W22Z", "s=W2"),
            ("s=W22ZaJ0SNY7soEsUEjb6gQ==", "s="),
        ] {
            let changed = TOLD.replacen(is, becomes, 1);
            assert_ne!(changed, TOLD);
            let mut known = Salted::default();
            let answer = opening().answer(changed.as_bytes(), b"pencil", &mut known);
            assert!(answer.is_err(), "{changed}");
        }
    }
}
