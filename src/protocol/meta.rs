//! The meta protocol: command lines in, reply lines out.
//!
//! ```text
//! mg <key> <flag>*                              VA <size> <flag>*\r\n<data>\r\n  HD  EN
//! ms <key> <size> <flag>*\r\n<data>\r\n         HD  NS  EX  NF
//! md <key> <flag>*                              HD  NF  EX
//! ma <key> <flag>*                              HD  VA  NF  EX
//! ```
//!
//! A flag is a letter, often with a value behind it. All commands share one table of flags; one
//! that means nothing to a command is accepted and ignored. Replies show flags in the order of
//! the request.

use crate::limits::{META_TOKEN_COUNT_MAX, OPAQUE_SIZE_MAX};

use super::error::ProtocolError;
use super::key::{self, DecodedKey};
use super::number;
use super::text::Tokens;
use super::text::reply::CRLF;

/// The answer to `mn`.
pub const NOOP: &[u8] = b"MN\r\n";

/// A meta command with a key.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Verb {
    /// `ma`.
    Arithmetic,
    /// `me`.
    Debug,
    /// `md`.
    Delete,
    /// `mg`.
    Get,
    /// `ms`.
    Set,
}

/// A line whose flags have not been looked at yet.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Line<'a> {
    /// The command.
    pub verb: Verb,
    /// The key as it came.
    pub key: &'a [u8],
    /// The flags and the spaces between them.
    pub flags: &'a [u8],
}

/// What the flags of a line ask for.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// The key, if it came as base64 (`b`).
    pub decoded_key: Option<DecodedKey>,
    /// Compare with this cas (`C`).
    pub compare: Option<u64>,
    /// Give the item this cas (`E`).
    pub assign_cas: Option<u64>,
    /// Client flags (`F`).
    pub client_flags: Option<u32>,
    /// Mark stale (`I`).
    pub invalidate: bool,
    /// Initial number (`J`).
    pub initial: u64,
    /// Difference (`D`).
    pub delta: Option<u64>,
    /// Mode (`M`); zero when the letter is missing.
    pub mode: Option<u8>,
    /// Make the item on a miss, with this expiry (`N`).
    pub vivify: Option<i64>,
    /// Offer a recache below this TTL (`R`).
    pub recache: Option<i64>,
    /// New expiry (`T`).
    pub exptime: Option<i64>,
    /// The value is wanted (`v`).
    pub value: bool,
    /// No trace in the queues (`u`).
    pub no_bump: bool,
    /// The expected answer is not sent (`q`).
    pub quiet: bool,
    /// Empty the item (`x`).
    pub drop_value: bool,
}

/// What `ms` does with its value (`M`).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum SetMode {
    /// Only where nothing is stored.
    Add,
    /// Behind what is stored.
    Append,
    /// Before what is stored.
    Prepend,
    /// Only where something is stored.
    Replace,
    /// In any case.
    Set,
}

impl Options {
    /// What `ms` is to do.
    ///
    /// # Errors
    ///
    /// When there is no such mode.
    pub fn set_mode(&self) -> Result<SetMode, ProtocolError> {
        Ok(match self.mode {
            Some(b'A') => SetMode::Append,
            Some(b'E') => SetMode::Add,
            Some(b'P') => SetMode::Prepend,
            Some(b'R') => SetMode::Replace,
            None | Some(b'S') => SetMode::Set,
            Some(_) => return Err(ProtocolError::InvalidSetMode),
        })
    }

    /// Whether `ma` is to count down.
    ///
    /// # Errors
    ///
    /// When there is no such mode.
    pub fn decrement(&self) -> Result<bool, ProtocolError> {
        match self.mode {
            None | Some(b'I' | b'+') => Ok(false),
            Some(b'D' | b'-') => Ok(true),
            Some(_) => Err(ProtocolError::InvalidArithmeticMode),
        }
    }
}

impl<'a> Line<'a> {
    /// Reads the flags.
    ///
    /// # Errors
    ///
    /// What the client is told.
    pub fn options(&self) -> Result<Options, ProtocolError> {
        self.options_inner().map_err(|error| match self.verb {
            // An opaque is measured when it is echoed, by then the flags have been taken.
            Verb::Arithmetic if error != ProtocolError::OpaqueTooLong => {
                ProtocolError::InvalidOrDuplicateFlag
            }
            _ => error,
        })
    }

    fn options_inner(&self) -> Result<Options, ProtocolError> {
        let mut options = Options::default();
        if !key::is_size(self.key.len()) {
            return Err(ProtocolError::BadFormat);
        }
        // The verb and the key are counted too, and for `ms` the size. A flag takes two bytes
        // at least, so that most lines need not be counted.
        let others = if self.verb == Verb::Set { 3 } else { 2 };
        let count_max = META_TOKEN_COUNT_MAX - others;
        if self.flags.len() > 2 * count_max && Tokens::new(self.flags).count() > count_max {
            return Err(ProtocolError::TooManyFlags);
        }
        let mut seen = 0_u128;
        for token in Tokens::new(self.flags) {
            let (letter, value) = (token[0], &token[1..]);
            let bit = 1_u128.checked_shl(u32::from(letter)).unwrap_or(0);
            if letter >= 127 || seen & bit != 0 {
                return Err(ProtocolError::DuplicateFlag);
            }
            seen |= bit;
            self.option(&mut options, letter, value)?;
        }
        Ok(options)
    }

    fn option(&self, options: &mut Options, letter: u8, value: &[u8]) -> Result<(), ProtocolError> {
        let exptime = || {
            number::exptime(value)
                .ok_or(ProtocolError::BadToken)
                .map(Some)
        };
        let unsigned = || number::unsigned(value);
        match letter {
            b'b' => {
                let decoded = DecodedKey::decode(self.key).ok_or(ProtocolError::KeyDecode)?;
                options.decoded_key = Some(decoded);
            }
            b'C' => options.compare = Some(unsigned().ok_or(ProtocolError::BadToken)?),
            b'D' => options.delta = Some(unsigned().ok_or(ProtocolError::InvalidDelta)?),
            b'E' => options.assign_cas = Some(unsigned().ok_or(ProtocolError::BadToken)?),
            b'F' => {
                let flags = number::unsigned_32(value).ok_or(ProtocolError::BadFormat)?;
                options.client_flags = Some(flags);
            }
            b'I' => options.invalidate = true,
            b'J' => options.initial = unsigned().ok_or(ProtocolError::InvalidInitial)?,
            b'M' => options.mode = Some(value.first().copied().unwrap_or(0)),
            b'N' => options.vivify = exptime()?,
            b'O' if value.len() > OPAQUE_SIZE_MAX => return Err(ProtocolError::OpaqueTooLong),
            b'R' => options.recache = exptime()?,
            b'T' => options.exptime = exptime()?,
            b'q' => options.quiet = true,
            b'u' => options.no_bump = true,
            b'v' => options.value = true,
            b'x' => options.drop_value = true,
            b'L' | b'O' | b'P' | b'c' | b'f' | b'h' | b'k' | b'l' | b's' | b't' => {}
            _ if letter.is_ascii_alphanumeric() => return Err(ProtocolError::InvalidFlag),
            _ => return Err(ProtocolError::BadFormat),
        }
        Ok(())
    }
}

/// What an `mg` that found an item can show of it.
#[derive(Clone, Copy, Debug)]
pub struct Shown<'a> {
    /// Raw bytes.
    pub key: &'a [u8],
    /// The key came as base64.
    pub binary_key: bool,
    /// Bytes of the value.
    pub value_size: u32,
    /// Client flags.
    pub client_flags: u32,
    /// The cas.
    pub cas: u64,
    /// Seconds left now; `None` for ever.
    pub ttl_s: Option<u32>,
    /// Seconds left before this request changed it.
    pub ttl_before_s: Option<u32>,
    /// Somebody had fetched it before.
    pub fetched_before: bool,
    /// Seconds since the access before this one.
    pub idle_before_s: u32,
    /// Another client recaches it.
    pub token_sent: bool,
    /// It is stale.
    pub stale: bool,
    /// This client is to recache it.
    pub won: bool,
}

/// Appends the reply line of an `mg` that found an item.
pub fn push_hit(out: &mut Vec<u8>, flags: &[u8], with_value: bool, item: &Shown<'_>) {
    if with_value {
        out.extend_from_slice(b"VA ");
        number::push(out, u64::from(item.value_size));
    } else {
        out.extend_from_slice(b"HD");
    }
    let mut ttl_s = item.ttl_before_s;
    for token in Tokens::new(flags) {
        match token[0] {
            b'O' => push_opaque(out, token),
            b'T' => ttl_s = item.ttl_s,
            b'c' => push_flag(out, b'c', item.cas),
            b'f' => push_flag(out, b'f', u64::from(item.client_flags)),
            b'h' => push_flag(out, b'h', u64::from(item.fetched_before)),
            b'k' => push_key(out, item.key, item.binary_key),
            b'l' => push_flag(out, b'l', u64::from(item.idle_before_s)),
            b's' => push_flag(out, b's', u64::from(item.value_size)),
            b't' => push_ttl(out, ttl_s),
            _ => {}
        }
    }
    // Readers rely on this order.
    if item.token_sent && !item.won {
        out.extend_from_slice(b" Z");
    }
    if item.stale {
        out.extend_from_slice(b" X");
    }
    if item.won {
        out.extend_from_slice(b" W");
    }
    out.extend_from_slice(CRLF);
}

/// The two letters that begin a reply without a value.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Code {
    /// Nothing found by `mg` or `me`.
    Miss,
    /// Done.
    Done,
    /// The cas differs.
    Exists,
    /// There is no such item.
    NotFound,
    /// The mode's condition did not hold.
    NotStored,
}

impl Code {
    const fn letters(self) -> &'static [u8] {
        match self {
            Self::Miss => b"EN",
            Self::Done => b"HD",
            Self::Exists => b"EX",
            Self::NotFound => b"NF",
            Self::NotStored => b"NS",
        }
    }
}

/// What a reply without a value can show beside the opaque and the key.
#[derive(Clone, Copy, Debug, Default)]
pub struct Outcome {
    /// For `c`.
    pub cas: Option<u64>,
    /// For `s`.
    pub size: Option<u32>,
    /// For `t`: seconds left, or `None` inside for ever.
    pub ttl_s: Option<Option<u32>>,
    /// For a `t` that stands before a `T`: the same before this request changed it.
    pub ttl_before_s: Option<Option<u32>>,
    /// For `f`.
    pub client_flags: Option<u32>,
}

/// Appends a reply line without a value. `key` is raw.
pub fn push_result(
    out: &mut Vec<u8>,
    code: Code,
    flags: &[u8],
    key: &[u8],
    binary_key: bool,
    result: &Outcome,
) {
    out.extend_from_slice(code.letters());
    push_result_flags(out, flags, key, binary_key, result);
}

/// Appends the reply to an `ma` whose number is wanted.
pub fn push_number(
    out: &mut Vec<u8>,
    value: u64,
    flags: &[u8],
    key: &[u8],
    binary_key: bool,
    result: &Outcome,
) {
    let mut digits = itoa::Buffer::new();
    let digits = digits.format(value).as_bytes();
    out.extend_from_slice(b"VA ");
    number::push(out, digits.len() as u64);
    push_result_flags(out, flags, key, binary_key, result);
    out.extend_from_slice(digits);
    out.extend_from_slice(CRLF);
}

fn push_result_flags(
    out: &mut Vec<u8>,
    flags: &[u8],
    key: &[u8],
    binary_key: bool,
    result: &Outcome,
) {
    let mut ttl = result.ttl_before_s.or(result.ttl_s);
    for token in Tokens::new(flags) {
        match (token[0], result) {
            (b'O', _) => push_opaque(out, token),
            (b'T', _) => ttl = result.ttl_s,
            (b'k', _) => push_key(out, key, binary_key),
            (b'c', Outcome { cas: Some(cas), .. }) => push_flag(out, b'c', *cas),
            (
                b's',
                Outcome {
                    size: Some(size), ..
                },
            ) => push_flag(out, b's', u64::from(*size)),
            (b't', _) => {
                if let Some(ttl_s) = ttl {
                    push_ttl(out, ttl_s);
                }
            }
            (
                b'f',
                Outcome {
                    client_flags: Some(flags),
                    ..
                },
            ) => {
                push_flag(out, b'f', u64::from(*flags));
            }
            _ => {}
        }
    }
    out.extend_from_slice(CRLF);
}

fn push_flag(out: &mut Vec<u8>, letter: u8, value: u64) {
    out.extend_from_slice(&[b' ', letter]);
    number::push(out, value);
}

fn push_ttl(out: &mut Vec<u8>, ttl_s: Option<u32>) {
    match ttl_s {
        None => out.extend_from_slice(b" t-1"),
        Some(ttl_s) => push_flag(out, b't', u64::from(ttl_s)),
    }
}

fn push_opaque(out: &mut Vec<u8>, token: &[u8]) {
    out.push(b' ');
    out.extend_from_slice(token);
}

fn push_key(out: &mut Vec<u8>, key: &[u8], binary_key: bool) {
    out.extend_from_slice(b" k");
    if binary_key || is_unprintable(key) {
        key::push_base64(out, key);
        out.extend_from_slice(b" b");
    } else {
        out.extend_from_slice(key);
    }
}

/// A key that a binary client stored may hold what would break a text line.
fn is_unprintable(key: &[u8]) -> bool {
    key.iter().any(|&b| b <= b' ')
}

/// What `me` shows.
#[derive(Clone, Copy, Debug)]
pub struct Debugged<'a> {
    /// Raw bytes.
    pub key: &'a [u8],
    /// The key came as base64.
    pub binary_key: bool,
    /// Seconds left; `None` for ever.
    pub ttl_s: Option<u32>,
    /// Seconds since the last access.
    pub idle_s: u32,
    /// The cas.
    pub cas: u64,
    /// Whether anyone has fetched it.
    pub fetched: bool,
    /// Slab class.
    pub class: u8,
    /// Logical size.
    pub size: u32,
}

/// Appends the reply of an `me` that found an item.
pub fn push_debug(out: &mut Vec<u8>, item: &Debugged<'_>) {
    out.extend_from_slice(b"ME ");
    if item.binary_key || is_unprintable(item.key) {
        key::push_base64(out, item.key);
    } else {
        out.extend_from_slice(item.key);
    }
    out.extend_from_slice(b" exp=");
    number::push_signed(out, item.ttl_s.map_or(-1, i64::from));
    out.extend_from_slice(b" la=");
    number::push(out, u64::from(item.idle_s));
    out.extend_from_slice(b" cas=");
    number::push(out, item.cas);
    out.extend_from_slice(if item.fetched {
        b" fetch=yes cls="
    } else {
        b" fetch=no cls="
    });
    number::push(out, u64::from(item.class));
    out.extend_from_slice(b" size=");
    number::push(out, u64::from(item.size));
    out.extend_from_slice(CRLF);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(verb: Verb, flags: &str) -> Result<Options, ProtocolError> {
        Line {
            verb,
            key: b"Zm9v",
            flags: flags.as_bytes(),
        }
        .options()
    }

    #[test]
    fn flags_that_are_wrong_are_refused_with_the_right_words() {
        let table: &[(&str, ProtocolError)] = &[
            ("v v", ProtocolError::DuplicateFlag),
            ("\u{e9}", ProtocolError::DuplicateFlag),
            ("y", ProtocolError::InvalidFlag),
            ("-", ProtocolError::BadFormat),
            ("S", ProtocolError::InvalidFlag),
            ("T", ProtocolError::BadToken),
            ("Tx", ProtocolError::BadToken),
            ("N+1", ProtocolError::BadToken),
            ("R0x1", ProtocolError::BadToken),
            ("C-1", ProtocolError::BadToken),
            ("E18446744073709551616", ProtocolError::BadToken),
            ("F", ProtocolError::BadFormat),
            ("F4294967296", ProtocolError::BadFormat),
            ("J", ProtocolError::InvalidInitial),
            ("D", ProtocolError::InvalidDelta),
            (
                "O01234567890123456789012345678901",
                ProtocolError::OpaqueTooLong,
            ),
            (
                "a b c d e f g h i j k l m n o p q r s",
                ProtocolError::TooManyFlags,
            ),
            (
                "b c f h k l s t v q u x I L P O1 T1 N1 R1",
                ProtocolError::TooManyFlags,
            ),
        ];
        for (flags, error) in table {
            assert_eq!(options(Verb::Get, flags).err(), Some(*error), "{flags}");
            if *error == ProtocolError::OpaqueTooLong {
                continue;
            }
            assert_eq!(
                options(Verb::Arithmetic, flags).err(),
                Some(ProtocolError::InvalidOrDuplicateFlag),
                "{flags}"
            );
        }
    }

    #[test]
    fn flags_without_meaning_for_a_command_are_accepted() {
        let options = options(Verb::Delete, "v h l t s c f u L P x q").expect("known flags");
        assert!(options.drop_value && options.quiet && options.value && options.no_bump);
    }

    #[test]
    fn a_key_is_decoded_and_bounded_as_text() {
        let decoded = options(Verb::Get, "b").expect("base64").decoded_key;
        assert_eq!(decoded.expect("decoded").as_bytes(), b"foo");
        let bad = Line {
            verb: Verb::Get,
            key: b"Zm9",
            flags: b"b",
        };
        assert_eq!(bad.options().err(), Some(ProtocolError::KeyDecode));
        let long = [b'A'; 252];
        let long = Line {
            verb: Verb::Get,
            key: &long,
            flags: b"b",
        };
        assert_eq!(long.options().err(), Some(ProtocolError::BadFormat));
    }

    #[test]
    fn modes_are_single_capital_letters() {
        let mode = |m: &str| options(Verb::Set, m).expect("a mode flag").set_mode();
        assert_eq!(mode("ME"), Ok(SetMode::Add));
        assert_eq!(mode("MAnything"), Ok(SetMode::Append));
        assert_eq!(mode("M"), Err(ProtocolError::InvalidSetMode));
        assert_eq!(mode("Me"), Err(ProtocolError::InvalidSetMode));
        let counting = |m: &str| {
            options(Verb::Arithmetic, m)
                .expect("a mode flag")
                .decrement()
        };
        assert_eq!(counting("M-"), Ok(true));
        assert_eq!(counting("MI"), Ok(false));
        assert_eq!(counting("MX"), Err(ProtocolError::InvalidArithmeticMode));
    }

    const SHOWN: Shown<'_> = Shown {
        key: b"foo",
        binary_key: false,
        value_size: 2,
        client_flags: 7,
        cas: 9,
        ttl_s: Some(30),
        ttl_before_s: None,
        fetched_before: true,
        idle_before_s: 4,
        token_sent: false,
        stale: false,
        won: false,
    };

    #[test]
    fn a_hit_shows_flags_in_the_order_of_the_request() {
        let mut out = Vec::new();
        push_hit(&mut out, b"s t T30 t  k Oxy c f h l v", true, &SHOWN);
        assert_eq!(out, b"VA 2 s2 t-1 t30 kfoo Oxy c9 f7 h1 l4\r\n");
    }

    #[test]
    fn tokens_of_the_recache_protocol_trail_in_their_order() {
        let mut out = Vec::new();
        push_hit(
            &mut out,
            b"",
            false,
            &Shown {
                token_sent: true,
                stale: true,
                ..SHOWN
            },
        );
        push_hit(
            &mut out,
            b"",
            false,
            &Shown {
                won: true,
                stale: true,
                ..SHOWN
            },
        );
        assert_eq!(out, b"HD Z X\r\nHD X W\r\n");
    }

    #[test]
    fn a_key_that_cannot_stand_in_a_line_is_shown_as_base64() {
        let mut out = Vec::new();
        push_hit(
            &mut out,
            b"k",
            false,
            &Shown {
                key: b"a\r\nb",
                ..SHOWN
            },
        );
        assert_eq!(out, b"HD kYQ0KYg== b\r\n");
    }

    #[test]
    fn a_miss_shows_opaque_and_key_only() {
        let mut out = Vec::new();
        let none = Outcome::default();
        push_result(&mut out, Code::Miss, b"s v t Oab k c", b"foo", false, &none);
        push_result(&mut out, Code::NotFound, b"k", b"foo", true, &none);
        assert_eq!(out, b"EN Oab kfoo\r\nNF kZm9v b\r\n");
    }
}
