//! ASCII integers in and out, without allocation.
//!
//! Strict: digits only, a minus sign only where a number may be negative, and at most as many
//! digits as the type can hold. A token is bounded by its line, so nothing is read beyond it.

/// Most digits of a 64-bit number.
const DIGIT_COUNT_MAX: usize = 20;

/// An unsigned decimal number.
pub fn unsigned(token: &[u8]) -> Option<u64> {
    // Only the last digit of the longest number can be too much.
    let (most, last) = match token.len() {
        0 => return None,
        1..DIGIT_COUNT_MAX => (token, None),
        DIGIT_COUNT_MAX => token.split_last().map(|(last, most)| (most, Some(last)))?,
        _ => return None,
    };
    let mut value = 0_u64;
    for &byte in most {
        value = value * 10 + digit(byte)?;
    }
    match last {
        None => Some(value),
        Some(&byte) => value.checked_mul(10)?.checked_add(digit(byte)?),
    }
}

#[inline]
fn digit(byte: u8) -> Option<u64> {
    let digit = byte.wrapping_sub(b'0');
    (digit <= 9).then_some(u64::from(digit))
}

/// An unsigned decimal number of 32 bits.
pub fn unsigned_32(token: &[u8]) -> Option<u32> {
    unsigned(token).and_then(|value| u32::try_from(value).ok())
}

/// A decimal number that may be negative.
pub fn signed(token: &[u8]) -> Option<i64> {
    match token.strip_prefix(b"-") {
        None => unsigned(token).and_then(|value| i64::try_from(value).ok()),
        Some(digits) => unsigned(digits).and_then(|value| 0_i64.checked_sub_unsigned(value)),
    }
}

/// An expiry as requests give it: as [`signed`], with what is out of range taken as the nearest
/// number in it, since a client that asks for the far future means it.
pub fn exptime(token: &[u8]) -> Option<i64> {
    if let Some(value) = signed(token) {
        return Some(value);
    }
    let digits = token.strip_prefix(b"-").unwrap_or(token);
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    Some(if digits.len() == token.len() {
        i64::MAX
    } else {
        i64::MIN
    })
}

/// A decimal fraction, such as `0.8`.
pub fn fraction(token: &[u8]) -> Option<f64> {
    let plain = |byte: &u8| byte.is_ascii_digit() || *byte == b'.' || *byte == b'-';
    if token.len() > DIGIT_COUNT_MAX || !token.iter().all(plain) {
        return None;
    }
    std::str::from_utf8(token).ok()?.parse().ok()
}

/// Appends a number in decimal.
pub fn push(out: &mut Vec<u8>, value: u64) {
    out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
}

/// Appends a number that may be negative in decimal.
pub fn push_signed(out: &mut Vec<u8>, value: i64) {
    out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unsigned_numbers_are_digits_and_nothing_else() {
        let table: &[(&str, Option<u64>)] = &[
            ("0", Some(0)),
            ("007", Some(7)),
            ("18446744073709551615", Some(u64::MAX)),
            ("18446744073709551616", None),
            ("99999999999999999999", None),
            ("000000000000000000001", None),
            ("", None),
            ("+1", None),
            ("-1", None),
            ("1 ", None),
            ("0x1", None),
            ("3x", None),
            ("\u{b2}", None),
        ];
        for (token, value) in table {
            assert_eq!(unsigned(token.as_bytes()), *value, "{token}");
        }
        assert_eq!(unsigned_32(b"4294967295"), Some(u32::MAX));
        assert_eq!(unsigned_32(b"4294967296"), None);
    }

    #[test]
    fn signed_numbers_reach_both_ends() {
        assert_eq!(signed(b"-9223372036854775808"), Some(i64::MIN));
        assert_eq!(signed(b"9223372036854775807"), Some(i64::MAX));
        assert_eq!(signed(b"9223372036854775808"), None);
        assert_eq!(signed(b"-"), None);
        assert_eq!(signed(b"--1"), None);
    }

    #[test]
    fn an_expiry_out_of_range_is_the_nearest_in_range() {
        assert_eq!(exptime(b"99999999999999999999999"), Some(i64::MAX));
        assert_eq!(exptime(b"-99999999999999999999999"), Some(i64::MIN));
        assert_eq!(exptime(b"-1"), Some(-1));
        assert_eq!(exptime(b"zz"), None);
        assert_eq!(exptime(b""), None);
        assert_eq!(exptime(b"-"), None);
    }

    #[test]
    fn fractions_have_no_exponent_and_no_name() {
        assert_eq!(fraction(b"0.8"), Some(0.8));
        assert_eq!(fraction(b"2"), Some(2.0));
        assert_eq!(fraction(b"1e9"), None);
        assert_eq!(fraction(b"inf"), None);
        assert_eq!(fraction(b"NaN"), None);
        assert_eq!(fraction(b""), None);
    }

    #[test]
    fn what_is_pushed_reads_back() {
        for value in [0, 1, 9, 10, 99, 100, 12_345, u64::MAX] {
            let mut out = Vec::new();
            push(&mut out, value);
            assert_eq!(unsigned(&out), Some(value));
        }
        let mut out = Vec::new();
        push_signed(&mut out, -1);
        assert_eq!(out, b"-1");
    }
}
