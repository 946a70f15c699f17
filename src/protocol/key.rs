//! Keys: 1 to 250 bytes, plain or as base64.

use crate::limits::KEY_SIZE_MAX;

/// Bytes that the longest base64 key decodes to.
const DECODED_SIZE_MAX: usize = KEY_SIZE_MAX / 4 * 3;

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// The value of each base64 digit; 255 for what is none.
const DIGITS: [u8; 256] = {
    let mut digits = [255; 256];
    let mut value = 0_u8;
    while value < 64 {
        digits[ALPHABET[value as usize] as usize] = value;
        value += 1;
    }
    digits
};

/// Whether a key of this many bytes may be.
pub const fn is_size(size: usize) -> bool {
    size >= 1 && size <= KEY_SIZE_MAX
}

/// A key that came as base64, decoded in place.
#[derive(Clone, Debug)]
pub struct DecodedKey {
    bytes: [u8; DECODED_SIZE_MAX],
    size: usize,
}

impl DecodedKey {
    /// Decodes padded base64; `None` if it is not that, or empty, or too long for a key.
    pub fn decode(text: &[u8]) -> Option<Self> {
        if text.is_empty() || text.len() > KEY_SIZE_MAX || !text.len().is_multiple_of(4) {
            return None;
        }
        let padding = text
            .iter()
            .rev()
            .take(2)
            .take_while(|&&b| b == b'=')
            .count();
        let mut key = Self {
            bytes: [0; DECODED_SIZE_MAX],
            size: text.len() / 4 * 3 - padding,
        };
        let digit_count = text.len() - padding;
        for (group, quad) in text.chunks_exact(4).enumerate() {
            let mut word = 0_u32;
            for (at, &byte) in quad.iter().enumerate() {
                let is_padding = group * 4 + at >= digit_count;
                let digit = if is_padding {
                    0
                } else {
                    DIGITS[usize::from(byte)]
                };
                if digit > 63 {
                    return None;
                }
                word = word << 6 | u32::from(digit);
            }
            let [_, triple @ ..] = word.to_be_bytes();
            key.bytes[group * 3..group * 3 + 3].copy_from_slice(&triple);
        }
        Some(key)
    }

    /// The key itself.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.size]
    }
}

/// Appends a key as padded base64.
pub fn push_base64(out: &mut Vec<u8>, key: &[u8]) {
    for triple in key.chunks(3) {
        let byte = |at: usize| u32::from(triple.get(at).copied().unwrap_or(0));
        let word = byte(0) << 16 | byte(1) << 8 | byte(2);
        for at in 0..4 {
            out.push(if at > triple.len() {
                b'='
            } else {
                ALPHABET[(word >> (18 - 6 * at) & 63) as usize]
            });
        }
    }
}

/// Appends a key with every byte but letters, digits and `-._~` as `%XX`, as log lines and
/// listings have it. Whatever a binary client put into a key, no line is broken by it.
pub fn push_uri(out: &mut Vec<u8>, key: &[u8]) {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    for &byte in key {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(byte);
        } else {
            out.extend_from_slice(&[
                b'%',
                HEX[usize::from(byte >> 4)],
                HEX[usize::from(byte & 15)],
            ]);
        }
    }
}

/// Appends a key as it is, but for bytes that would break a line, which become `?`.
pub fn push_printable(out: &mut Vec<u8>, key: &[u8]) {
    out.extend(
        key.iter()
            .map(|&b| if b <= b' ' || b == 127 { b'?' } else { b }),
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_there_and_back_for_every_length() {
        for size in 1..=DECODED_SIZE_MAX {
            let key: Vec<u8> = (0..=255)
                .cycle()
                .skip(size)
                .step_by(37)
                .take(size)
                .collect();
            let mut text = Vec::new();
            push_base64(&mut text, &key);
            let decoded = DecodedKey::decode(&text).expect("own output is base64");
            assert_eq!(decoded.as_bytes(), key);
        }
    }

    #[test]
    fn what_is_not_padded_base64_is_refused() {
        for text in [
            "", "A", "AA", "AAA", "====", "A===", "AA=A", "AA A", "AAA-", "AA==AA==",
        ] {
            assert!(DecodedKey::decode(text.as_bytes()).is_none(), "{text}");
        }
        assert!(DecodedKey::decode(&[b'A'; 252]).is_none());
    }

    #[test]
    fn a_key_cannot_break_a_line() {
        let mut out = Vec::new();
        push_uri(&mut out, b"a:b \r\n\xff~");
        assert_eq!(out, b"a%3Ab%20%0D%0A%FF~");
    }
}
