//! What both sides of SCRAM-SHA-256 (RFC 5802, RFC 7677) reckon: the daemon's in `auth`, and the
//! client program's. Pure arithmetic on keys; messages are each side's own.

use std::borrow::Cow;

use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

/// Bytes of a digest.
pub const DIGEST_SIZE: usize = 32;

/// A digest of SHA-256, or a key of that size.
pub type Digest = [u8; DIGEST_SIZE];

/// The mechanism, as SASL spells it.
pub const MECHANISM: &str = "SCRAM-SHA-256";

/// Fewest iterations that are asked for and obeyed: what the standard sets.
pub const ITERATIONS_MIN: u32 = 4096;

/// Most iterations that are asked for and obeyed: about a second of work.
pub const ITERATIONS_MAX: u32 = 1_000_000;

/// The key that all others are made of: milliseconds of work and more.
pub fn salted(password: &[u8], salt: &[u8], iterations: u32) -> Zeroizing<Digest> {
    let mut salted = Zeroizing::new([0; DIGEST_SIZE]);
    let password = prepared(password);
    pbkdf2::pbkdf2_hmac::<Sha256>(&password, salt, iterations, &mut *salted);
    salted
}

/// The key by which a client proves that it knows the password.
pub fn client_key(salted: &Digest) -> Zeroizing<Digest> {
    Zeroizing::new(keyed(salted, &[b"Client Key"]))
}

/// The key by which a server proves the same.
pub fn server_key(salted: &Digest) -> Zeroizing<Digest> {
    Zeroizing::new(keyed(salted, &[b"Server Key"]))
}

/// A name or a password as it is compared: letters that look the same are the same (SASLprep, RFC
/// 4013). What that does not allow is compared as it is.
pub fn prepared(text: &[u8]) -> Cow<'_, [u8]> {
    if text.is_ascii() {
        return Cow::Borrowed(text);
    }
    let prepared = std::str::from_utf8(text)
        .ok()
        .and_then(|text| stringprep::saslprep(text).ok());
    match prepared {
        Some(prepared) if !prepared.is_empty() => Cow::Owned(prepared.into_owned().into_bytes()),
        Some(_) | None => Cow::Borrowed(text),
    }
}

/// HMAC-SHA-256 over the pieces, one behind the other.
pub fn keyed(key: &Digest, pieces: &[&[u8]]) -> Digest {
    // The function fills a short key up with zeros itself; a full one cannot be refused.
    let mut block = Zeroizing::new([0; 64]);
    block[..DIGEST_SIZE].copy_from_slice(key);
    let mut mac = Hmac::<Sha256>::new((&*block).into());
    for piece in pieces {
        mac.update(piece);
    }
    mac.finalize().into_bytes().into()
}

/// SHA-256.
pub fn sha256(text: &[u8]) -> Digest {
    Sha256::digest(text).into()
}

/// Each byte of the one with that of the other: a key and what hides it.
pub fn xor(one: &Digest, other: &Digest) -> Digest {
    std::array::from_fn(|at| one[at] ^ other[at])
}
