//! Bodies of fuzz targets, as plain functions that unit tests call as well.

use std::sync::LazyLock;

use super::sasl::{Exchange, Mechanism, Outcome};
use super::{Users, Verdict, file};

/// A user of each kind whose password costs nothing: what is looked for is in the messages.
static USERS: LazyLock<Users> = LazyLock::new(|| {
    let text = b"foo:bar\n\
        user:SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$\
        WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=\n";
    let users = file::parse(text, [7; 32]).expect("two good lines");
    users.only_told()
});

/// Holds an exchange by each mechanism, any bytes cut into messages at line ends: nothing may
/// panic, a verdict is the last word, and nobody comes in who has not named `foo` with its
/// password.
pub fn messages(input: &[u8]) {
    for mechanism in Mechanism::ALL {
        let mut exchange = Exchange::begin(mechanism.name().as_bytes());
        let mut is_over = false;
        for message in input.split(|&b| b == b'\n') {
            match exchange.step(&USERS, message, "nonce") {
                Outcome::Challenge(told) => {
                    assert!(!is_over, "an answer behind the verdict");
                    assert!(told.is_empty() || told.starts_with(b"r="));
                    assert!(told.len() <= message.len() + 256);
                }
                Outcome::Verdict(Verdict::Granted(identity)) => {
                    assert!(!is_over && message.ends_with(b"\0bar"));
                    assert_eq!(identity.name(), "foo");
                    is_over = true;
                }
                Outcome::Verdict(Verdict::Refused) => is_over = true,
                // The table has a hash, so what is told and wrong has to pay for it.
                Outcome::Verdict(Verdict::Slow(_)) => {
                    assert!(!is_over && *mechanism == Mechanism::Plain);
                    is_over = true;
                }
            }
        }
    }
}

/// Reads any bytes as a file of users: a table or the line that is wrong.
pub fn table(input: &[u8]) {
    let lines = input.split(|&b| b == b'\n').count();
    match file::parse(input, [7; 32]) {
        Ok(users) => assert!((1..=lines).contains(&users.count())),
        Err((line, reason)) => {
            assert!(line.is_none_or(|line| (1..=lines).contains(&line)));
            assert!(!reason.is_empty());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CORPUS: &[&[u8]] = &[
        b"\0foo\0bar",
        b"foo\0foo\0bar\n\0foo\0bar",
        b"\n\0foo@realm\0bar\n\n",
        b"n,,n=user,r=abc\nc=biws,r=abcnonce,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=\n",
        b"y,a=us=2Cer,n=us=2Cer,r=a=b,ext=1\nc=eSw=,r=anonce,p=\n",
        b"p=tls-unique,,n=user,r=abc\n",
        b"n,,m=x,n=user,r=abc\n,,,\n=,=,=\n",
        b"foo:bar\nuser foo +@read ~a:*\n#\n\r\n",
        b"a:$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHQ$AAAAAAAAAAAAAAAAAAAAAA\n",
        b"a:SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$AAAA:AAAA\na@b:c\n",
        b"ren\xc3\xa9:ma\xc2\xad\xc3\xb1ana\nrene\xcc\x81:x\n",
    ];

    #[test]
    fn no_message_and_no_line_panics_or_lets_anybody_in() {
        for input in CORPUS {
            messages(input);
            table(input);
            for cut in 0..input.len() {
                messages(&input[..cut]);
                table(&input[..cut]);
            }
            for byte in [0, b',', b'=', b'\n', b':', b'$', 0xff] {
                let mut changed = input.to_vec();
                for at in 0..changed.len() {
                    let old = std::mem::replace(&mut changed[at], byte);
                    messages(&changed);
                    table(&changed);
                    changed[at] = old;
                }
            }
        }
    }
}
