//! Inputs that memcached's vulnerabilities and their kin were made of, and what must come of each.

/// What must come of an input.
pub(crate) enum Outcome {
    /// Exactly this answer, and the connection goes on.
    Answer(&'static str),
    /// Nothing, and the connection is closed.
    Closed,
    /// One or more lines of errors, and the connection goes on.
    Errors,
}

use Outcome::{Answer, Closed, Errors};

/// A name, an input, and what must come of it.
pub(crate) type Attack = (&'static str, Vec<u8>, Outcome);

const BAD_LINE: &str = "CLIENT_ERROR bad command line format\r\n";
const BAD_TOKEN: &str = "CLIENT_ERROR bad token in command line format\r\n";
const BAD_CLASS: &str = "BADCLASS invalid src or dst class id\r\n";
const TOO_LARGE: &str = "SERVER_ERROR object too large for cache\r\n";
const TOO_MANY_FLAGS: &str = "CLIENT_ERROR options flags are too long\r\n";
const LONG_OPAQUE: &str = "CLIENT_ERROR opaque token too long\r\n";
const BAD_KEY: &str = "CLIENT_ERROR error decoding key\r\n";
const BAD_DELTA: &str = "CLIENT_ERROR invalid numeric delta argument\r\n";
const TWO_DOZEN: &str = "mg k a b c d e f g h i j k l m n o p q r s t u v w\r\n";

/// Inputs as they are.
const FIXED: &[(&str, &str, Outcome)] = &[
    ("no maps of memory", "stats maps\r\n", Answer("ERROR\r\n")),
    ("no mode", "lru mode\n", Answer("ERROR\r\n")),
    ("no TTL", "lru temp_ttl\n", Answer("ERROR\r\n")),
    ("a tune cut short", "lru tune 10\n", Answer("ERROR\r\n")),
    ("mg F without a number", "mg foo F\r\n", Answer(BAD_LINE)),
    ("mg F with letters", "mg foo Fzz\r\n", Answer(BAD_LINE)),
    ("mg T at the end", "mg foo v T\r\n", Answer(BAD_TOKEN)),
    (
        "mg S",
        "mg foo S\r\n",
        Answer("CLIENT_ERROR invalid flag\r\n"),
    ),
    (
        "a flag twice",
        "mg k v v\r\n",
        Answer("CLIENT_ERROR duplicate flag\r\n"),
    ),
    ("two dozen flags", TWO_DOZEN, Answer(TOO_MANY_FLAGS)),
    ("a bare line feed", "get k\n", Answer("END\r\n")),
    ("spaces only", "   \r\n", Answer("ERROR\r\n")),
    (
        "an unknown class",
        "slabs reassign 31 64\r\n",
        Answer(BAD_CLASS),
    ),
    ("a class below zero", "slabs reassign -5 -7\r\n", Errors),
    ("a window of zero", "slabs automove window 0\r\n", Errors),
    (
        "a window of an aeon",
        "slabs automove window 67108864\r\n",
        Errors,
    ),
    (
        "flags below zero",
        "set k -1 0 1\r\nx\r\n",
        Answer(BAD_LINE),
    ),
    (
        "flags of 33 bits",
        "set k 4294967296 0 1\r\nx\r\n",
        Answer(BAD_LINE),
    ),
    (
        "an expiry of letters",
        "set k 0 zz 1\r\nx\r\n",
        Answer(BAD_LINE),
    ),
    (
        "a negative expiry",
        "set k 0 -2147483648 1\r\nx\r\n",
        Answer("STORED\r\n"),
    ),
    ("an expiry far away", "touch none 99999999999\r\n", Errors),
    ("a delta below zero", "incr k -1\r\n", Answer(BAD_DELTA)),
    (
        "an unknown mode swallows its value",
        "ms k 3 MX\r\nget\r\n",
        Answer("CLIENT_ERROR invalid mode for ms M token\r\n"),
    ),
    ("bad base64", "mg *** b\r\n", Answer(BAD_KEY)),
    ("base64 flag alone", "ms b 1 b\r\nx\r\n", Answer(BAD_KEY)),
    ("gat without a key", "gat 100\r\n", Answer(BAD_LINE)),
    (
        "a browser",
        "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
        Closed,
    ),
    (
        "a browser that posts",
        "POST / HTTP/1.1\r\nContent-Length: 9\r\n\r\nset k 0 0",
        Closed,
    ),
    ("another server is wanted", "*1\r\n$4\r\nPING\r\n", Errors),
    (
        "a secure shell",
        "SSH-2.0-OpenSSH_9.2\r\n",
        Answer("ERROR\r\n"),
    ),
    ("format strings", "get %n%s%n%s%x\r\n", Answer("END\r\n")),
    (
        "escapes of a terminal",
        "get \u{1b}[2J\u{7}\r\n",
        Answer("END\r\n"),
    ),
    ("a NUL in a key", "get a\0b\r\n", Answer("END\r\n")),
    ("NULs", "\0\0\0\0\0\0\r\n", Answer("ERROR\r\n")),
    ("a class far away", "stats cachedump 200 0\r\n", Errors),
    (
        "a list of classes",
        "lru_crawler crawl 1,2,3,4,5,6,7,8,9,10,zz\r\n",
        Errors,
    ),
];

/// Inputs that are long.
fn long() -> Vec<(&'static str, String, Outcome)> {
    let spaces = |count: usize| " ".repeat(count);
    let key = |size: usize| "k".repeat(size);
    let set = |key: &str| format!("set {key} 0 0 1\r\nx\r\n");
    let two_mb = "v".repeat(2_000_000);
    let zz = format!("set k 0 0 900000\r\n{}zz", "v".repeat(900_000));
    let (k250, k251) = (key(250), key(251));
    let opaque = |size: usize| format!("mg k O{}\r\n", "o".repeat(size));
    vec![
        (
            "hundreds of spaces",
            format!("get{}key key\r\n", spaces(200)),
            Answer("END\r\n"),
        ),
        (
            "more spaces",
            format!("get{}key key\r\n", spaces(772)),
            Answer("END\r\n"),
        ),
        ("spaces without an end", spaces(65_535), Closed),
        ("a long key to set", set(&k251), Answer(BAD_LINE)),
        ("a key of a megabyte", set(&key(1 << 20)), Closed),
        (
            "a long key to get",
            format!("get {k251}\r\n"),
            Answer(BAD_LINE),
        ),
        (
            "a long key behind a good one",
            format!("get {k250} {k251}\r\n"),
            Answer(BAD_LINE),
        ),
        (
            "2 MB to set",
            format!("set k 0 0 2000000\r\n{two_mb}\r\n"),
            Answer(TOO_LARGE),
        ),
        (
            "2 MB to ms",
            format!("ms k 2000000 q\r\n{two_mb}\r\n"),
            Answer(TOO_LARGE),
        ),
        (
            "2 MB, noreply",
            format!("set k 0 0 2000000 noreply\r\n{two_mb}\r\n"),
            Answer(""),
        ),
        (
            "900 kB that end in letters",
            zz,
            Answer("CLIENT_ERROR bad data chunk\r\n"),
        ),
        ("fifty empty lines", "\r\n".repeat(50), Errors),
        ("2049 bytes without an end", "a".repeat(2049), Closed),
        ("a long opaque", opaque(32), Answer(LONG_OPAQUE)),
        (
            "an opaque of two kilobytes",
            opaque(2000),
            Answer(LONG_OPAQUE),
        ),
        (
            "base64 of 251 bytes",
            format!("mg {} b\r\n", "A".repeat(336)),
            Answer(BAD_LINE),
        ),
    ]
}

/// All of them.
pub(crate) fn attacks() -> Vec<Attack> {
    let fuzzed = b"lru mode\no\xb1\xb4\x00lrude\xea\x07mN\x4fT_\r\n".to_vec();
    let mut all = vec![("bytes that a fuzzer sent behind lru mode", fuzzed, Errors)];
    for (name, input, outcome) in long() {
        all.push((name, input.into_bytes(), outcome));
    }
    for (name, input, outcome) in FIXED {
        let outcome = match outcome {
            Answer(answer) => Answer(answer),
            Closed => Closed,
            Errors => Errors,
        };
        all.push((name, input.as_bytes().to_vec(), outcome));
    }
    all
}
