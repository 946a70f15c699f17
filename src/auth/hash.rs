//! Passwords as slow hashes: argon2id, in the notation that other programs write too.

use std::fmt;

use argon2::{Algorithm, Argon2, Params, Version};
use base64ct::{Base64Unpadded, Encoding};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

/// How the notation begins.
pub const PREFIX: &str = "$argon2id$";

/// Most memory that one entry may ask for, in KiB. A login must not be able to fill the host.
const MEMORY_KIB_MAX: u32 = 256 << 10;

/// Most passes that one entry may ask for.
const PASSES_MAX: u32 = 16;

/// Most lanes that one entry may ask for.
const LANES_MAX: u32 = 16;

/// Bytes of salt in new entries.
pub const SALT_SIZE: usize = 16;

/// Bytes of output in new entries.
const OUTPUT_SIZE: usize = 32;

/// A password as a slow hash.
#[derive(Clone, Eq, PartialEq)]
pub struct PasswordHash {
    memory_kib: u32,
    passes: u32,
    lanes: u32,
    salt: Box<[u8]>,
    output: Box<[u8]>,
}

impl fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PasswordHash")
    }
}

impl PasswordHash {
    /// Reads `$argon2id$v=19$m=19456,t=2,p=1$SALT$HASH`.
    ///
    /// # Errors
    ///
    /// What is wrong, in words.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        const SHAPE: &str = "expected $argon2id$v=19$m=KIB,t=PASSES,p=LANES$SALT$HASH";
        let rest = text.strip_prefix(PREFIX).ok_or(SHAPE)?;
        let rest = rest.strip_prefix("v=19$").ok_or(SHAPE)?;
        let mut parts = rest.split('$');
        let (Some(costs), Some(salt), Some(output), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(SHAPE);
        };
        let mut costs = costs.split(',');
        let mut cost = |name: &str, max: u32| {
            let text = costs
                .next()
                .and_then(|c| c.strip_prefix(name))
                .ok_or(SHAPE)?;
            let value: u32 = text.parse().map_err(|_| SHAPE)?;
            if value == 0 || value > max {
                return Err(
                    "it asks for more work than larderd does: m up to 262144, t and p up to 16",
                );
            }
            Ok(value)
        };
        let hash = Self {
            memory_kib: cost("m=", MEMORY_KIB_MAX)?,
            passes: cost("t=", PASSES_MAX)?,
            lanes: cost("p=", LANES_MAX)?,
            salt: Base64Unpadded::decode_vec(salt).map_err(|_| SHAPE)?.into(),
            output: Base64Unpadded::decode_vec(output)
                .map_err(|_| SHAPE)?
                .into(),
        };
        if !(8..=64).contains(&hash.salt.len()) || !(16..=64).contains(&hash.output.len()) {
            return Err("salt must be 8 to 64 bytes, hash 16 to 64");
        }
        if hash.memory_kib < 8 * hash.lanes {
            return Err("m must be at least eight times p");
        }
        Ok(hash)
    }

    /// Hashes a password for the file. `salt` must be random.
    ///
    /// # Errors
    ///
    /// When there is no memory for it.
    pub fn make(password: &[u8], salt: [u8; SALT_SIZE]) -> Result<Self, String> {
        let mut hash = Self {
            memory_kib: Params::DEFAULT_M_COST,
            passes: Params::DEFAULT_T_COST,
            lanes: Params::DEFAULT_P_COST,
            salt: salt.into(),
            output: vec![0; OUTPUT_SIZE].into(),
        };
        hash.output = hash
            .compute(password)
            .map_err(|error| error.to_string())?
            .as_slice()
            .into();
        Ok(hash)
    }

    /// Whether the password is the one.
    pub(super) fn fits(&self, password: &[u8]) -> bool {
        match self.compute(password) {
            Ok(output) => bool::from(output.as_slice().ct_eq(&self.output)),
            Err(_) => false,
        }
    }

    /// By which hashes are ordered: the product of memory and passes.
    pub(super) fn cost(&self) -> u64 {
        u64::from(self.memory_kib) * u64::from(self.passes)
    }

    fn compute(&self, password: &[u8]) -> Result<Zeroizing<Vec<u8>>, argon2::Error> {
        let mut output = Zeroizing::new(vec![0; self.output.len()]);
        let params = Params::new(
            self.memory_kib,
            self.passes,
            self.lanes,
            Some(self.output.len()),
        )?;
        Argon2::new(Algorithm::Argon2id, Version::V0x13, params).hash_password_into(
            password,
            &self.salt,
            &mut output,
        )?;
        Ok(output)
    }
}

impl fmt::Display for PasswordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{PREFIX}v=19$m={},t={},p={}${}${}",
            self.memory_kib,
            self.passes,
            self.lanes,
            Base64Unpadded::encode_string(&self.salt),
            Base64Unpadded::encode_string(&self.output),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_reads_back_as_it_was_written_and_knows_its_password() {
        let hash = PasswordHash {
            memory_kib: 16,
            passes: 1,
            lanes: 1,
            salt: Box::from(*b"saltsalt"),
            output: vec![0; 32].into(),
        };
        let output = hash.compute(b"secret").unwrap().as_slice().into();
        let hash = PasswordHash { output, ..hash };
        let again = PasswordHash::parse(&hash.to_string()).unwrap();
        assert_eq!(again, hash);
        assert!(again.fits(b"secret"));
        assert!(!again.fits(b"secret2"));
        assert!(!again.fits(b""));
    }

    #[test]
    fn the_reference_program_and_we_agree() {
        // The first of the test vectors of the reference program for argon2id, version 19.
        let text = "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ\
                    $CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc";
        assert!(PasswordHash::parse(text).unwrap().fits(b"password"));
    }

    #[test]
    fn what_is_no_hash_or_too_dear_is_refused() {
        for text in [
            "$argon2id$",
            "$argon2i$v=19$m=16,t=1,p=1$c2FsdHNhbHQ$AAAAAAAAAAAAAAAAAAAAAA",
            "$argon2id$v=16$m=16,t=1,p=1$c2FsdHNhbHQ$AAAAAAAAAAAAAAAAAAAAAA",
            "$argon2id$v=19$m=0,t=1,p=1$c2FsdHNhbHQ$AAAAAAAAAAAAAAAAAAAAAA",
            "$argon2id$v=19$m=262145,t=1,p=1$c2FsdHNhbHQ$AAAAAAAAAAAAAAAAAAAAAA",
            "$argon2id$v=19$m=16,t=17,p=1$c2FsdHNhbHQ$AAAAAAAAAAAAAAAAAAAAAA",
            "$argon2id$v=19$m=16,t=1,p=4$c2FsdHNhbHQ$AAAAAAAAAAAAAAAAAAAAAA",
            "$argon2id$v=19$m=16,t=1,p=1$c2Fs$AAAAAAAAAAAAAAAAAAAAAA",
            "$argon2id$v=19$m=16,t=1,p=1$c2FsdHNhbHQ$AAAA",
            "$argon2id$v=19$m=16,t=1,p=1$c2FsdHNhbHQ$!!!!",
            "$argon2id$v=19$m=16,t=1,p=1$c2FsdHNhbHQ",
        ] {
            assert!(PasswordHash::parse(text).is_err(), "{text}");
        }
    }
}
