//! Exchanges, held by a client of the standard's words.

use base64ct::{Base64, Encoding};

use super::sasl::{Exchange, Mechanism, Outcome};
use super::scram::{Entry, Salting};
use super::*;

const KEY: [u8; 32] = [7; 32];
const NONCE: &str = "server-nonce";

fn users(text: &str) -> Users {
    file::parse(text.as_bytes(), KEY).unwrap_or_else(|wrong| panic!("{text:?}: {wrong:?}"))
}

fn scram_line(name: &str, password: &str) -> String {
    let salting = Salting {
        iterations: 4096,
        salt: Box::from(*b"0123456789abcdef"),
    };
    let keys = salting.keys(password.as_bytes());
    format!("{name}:{}\n", Entry { salting, keys })
}

fn argon2_line(name: &str, password: &str) -> String {
    let line = file::entry(name, password.as_bytes(), file::Notation::Argon2id, [9; 16]);
    line.unwrap() + "\n"
}

/// How an exchange ended.
#[derive(Debug, Eq, PartialEq)]
enum End {
    /// Who came in, and whether a slow hash had to tell.
    Granted(String, bool),
    /// Whether a slow hash had to tell.
    Refused(bool),
}

/// What the server told first: salt and iterations.
fn told(challenge: &[u8]) -> (Vec<u8>, u32) {
    let text = std::str::from_utf8(challenge).unwrap();
    let (_, rest) = text.split_once(",s=").unwrap();
    let (salt, iterations) = rest.split_once(",i=").unwrap();
    let salt = Base64::decode_vec(salt).unwrap();
    (salt, iterations.parse().unwrap())
}

/// Logs in as a client of the standard does, checking what the server proves. The proof comes from
/// a library function, keys apart.
fn prove(users: &Users, name: &str, password: &str, work: &mut Work) -> End {
    let mut exchange = Exchange::begin(b"SCRAM-SHA-256");
    let bare = format!("n={name},r=client");
    let opening = format!("n,,{bare}");
    let Outcome::Challenge(first) = exchange.step_counted(users, opening.as_bytes(), NONCE, work)
    else {
        return End::Refused(false);
    };
    let (salt, iterations) = told(&first);
    let first = String::from_utf8(first).unwrap();
    let without_proof = format!("c=biws,r=client{NONCE}");
    let signed = format!("{bare},{first},{without_proof}");
    let salted: [u8; 32] =
        pbkdf2::pbkdf2_hmac_array::<sha2::Sha256, 32>(password.as_bytes(), &salt, iterations);
    let client_key = keyed(&salted, &[b"Client Key"]);
    let stored: [u8; 32] = {
        use sha2::Digest as _;
        sha2::Sha256::digest(client_key).into()
    };
    let mut proof = keyed(&stored, &[signed.as_bytes()]);
    for (byte, key) in proof.iter_mut().zip(client_key) {
        *byte ^= key;
    }
    let last = format!("{without_proof},p={}", Base64::encode_string(&proof));
    let mut is_slow = false;
    let outcome = match exchange.step_counted(users, last.as_bytes(), NONCE, work) {
        Outcome::Verdict(Verdict::Slow(slow)) => {
            is_slow = true;
            match slow.run() {
                Some(admission) => exchange.admit(admission),
                None => Outcome::Verdict(Verdict::Refused),
            }
        }
        other => other,
    };
    let Outcome::Challenge(signature) = outcome else {
        return End::Refused(is_slow);
    };
    let server_key = keyed(&salted, &[b"Server Key"]);
    let expected = Base64::encode_string(&keyed(&server_key, &[signed.as_bytes()]));
    assert_eq!(signature, format!("v={expected}").as_bytes());
    match exchange.step_counted(users, b"", NONCE, work) {
        Outcome::Verdict(Verdict::Granted(identity)) => {
            End::Granted(identity.name().to_owned(), is_slow)
        }
        other => panic!("{other:?}"),
    }
}

fn proves(users: &Users, name: &str, password: &str) -> End {
    prove(users, name, password, &mut Work::default())
}

fn granted(name: &str, is_slow: bool) -> End {
    End::Granted(name.to_owned(), is_slow)
}

#[test]
fn plain_and_stored_passwords_are_proved_and_told() {
    let users = users(&format!("foo:bar\n{}", scram_line("anna", "pencil")));
    assert_eq!(proves(&users, "anna", "pencil"), granted("anna", false));
    // Keys of a plain password are made once.
    assert_eq!(proves(&users, "foo", "bar"), granted("foo", true));
    assert_eq!(proves(&users, "foo", "bar"), granted("foo", false));
    assert_eq!(proves(&users, "foo@realm", "bar"), granted("foo", false));
    for (name, password) in [
        ("foo", "baz"),
        ("anna", "pencil2"),
        ("nobody", "bar"),
        ("nobody", "nobody"),
    ] {
        assert_eq!(proves(&users, name, password), End::Refused(true), "{name}");
    }
    let tell = |name: &str, password: &str| match users.check(name.as_bytes(), password.as_bytes())
    {
        Verdict::Slow(slow) => slow.run().is_some(),
        Verdict::Granted(_) => true,
        Verdict::Refused => false,
    };
    assert!(tell("anna", "pencil") && !tell("anna", "pencil2") && tell("foo", "bar"));
    // The second time the digest is enough.
    assert!(matches!(
        users.check(b"anna", b"pencil"),
        Verdict::Granted(_)
    ));
}

#[test]
fn without_plain_passwords_no_proof_is_slow() {
    let users = users(&scram_line("anna", "pencil"));
    assert_eq!(proves(&users, "anna", "pencil"), granted("anna", false));
    assert_eq!(proves(&users, "anna", "wrong"), End::Refused(false));
    assert_eq!(proves(&users, "nobody", "pencil"), End::Refused(false));
}

#[test]
fn a_password_that_can_only_be_told_is_refused_as_a_wrong_one() {
    let users = users(&format!("foo:bar\n{}", argon2_line("anna", "pencil")));
    assert_eq!(proves(&users, "anna", "pencil"), End::Refused(true));
    assert_eq!(proves(&users, "foo", "bar"), granted("foo", true));
    assert!(!Mechanism::ScramSha256.is_for_all(&users));
    assert!(Mechanism::Plain.is_for_all(&users));
}

#[test]
fn a_password_that_has_been_forgotten_can_only_be_told() {
    let users = users("foo:bar\n");
    assert!(Mechanism::ScramSha256.is_for_all(&users));
    let users = users.only_told();
    assert!(!Mechanism::ScramSha256.is_for_all(&users));
    assert_eq!(proves(&users, "foo", "bar"), End::Refused(false));
    assert!(matches!(users.check(b"foo", b"bar"), Verdict::Granted(_)));
}

#[test]
fn what_is_told_of_users_who_do_not_exist_stays_and_looks_like_others() {
    let tell = |users: &Users, name: &str| {
        let opening = format!("n,,n={name},r=client");
        match Exchange::begin(b"scram-sha-256").step(users, opening.as_bytes(), NONCE) {
            Outcome::Challenge(first) => told(&first),
            other => panic!("{other:?}"),
        }
    };
    let before = users("foo:bar\n");
    let (salt, iterations) = tell(&before, "nobody");
    assert_eq!((salt.len(), iterations), (16, 4096));
    assert_ne!(salt, tell(&before, "nobody2").0);
    // Another table under the same key, as after a reload, in which somebody exists now.
    let after = users(&format!("foo:baz\nnobody:x\n{}", argon2_line("anna", "x")));
    for name in ["foo", "nobody", "anna", "neither", "foo@realm"] {
        assert_eq!(tell(&before, name), tell(&after, name), "{name}");
    }
    assert_eq!(tell(&before, "neither"), tell(&before, "neither@realm"));
    let long = Entry {
        salting: Salting {
            iterations: 5000,
            salt: [1; 28].into(),
        },
        ..Entry::make(b"x", b"saltsalt")
    };
    let users = users(&format!("foo:bar\nanna:{long}\n"));
    for name in ["foo", "nobody", "anna"] {
        let (salt, iterations) = tell(&users, name);
        assert_eq!((salt.len(), iterations), (28, 5000), "{name}");
    }
}

#[test]
fn whatever_is_wrong_with_a_proof_costs_the_same() {
    let users = users(&format!(
        "foo:bar\nx:{}\n{}{}",
        "y".repeat(60),
        scram_line("anna", "pencil"),
        argon2_line("bert", "pencil")
    ));
    let mut seen = Vec::new();
    for (name, password) in [
        ("nobody", "bar"),
        ("foo", "wrong"),
        (
            "foo",
            "a much longer one than any that the table has, by far",
        ),
        ("foo@realm", "wrong"),
        ("anna", "wrong"),
        ("bert", "pencil"),
        ("x", "bar"),
    ] {
        let mut work = Work::default();
        let end = prove(&users, name, password, &mut work);
        assert_eq!(end, End::Refused(true), "{name}");
        seen.push(work);
    }
    assert!(seen.iter().all(|work| *work == seen[0]), "{seen:?}");
}

#[test]
fn letters_that_look_the_same_are_the_same() {
    // An accent of its own or not, a soft hyphen, a roman numeral.
    let users = users("ren\u{e9}:ma\u{ad}\u{f1}ana\n");
    let composed = "ma\u{f1}ana";
    for name in ["ren\u{e9}", "rene\u{301}"] {
        for password in ["ma\u{ad}\u{f1}ana", composed, "man\u{303}ana"] {
            assert!(
                matches!(
                    users.check(name.as_bytes(), password.as_bytes()),
                    Verdict::Granted(_)
                ),
                "{name} {password}"
            );
        }
        // A client prepares its password before it proves it.
        assert!(matches!(proves(&users, name, composed), End::Granted(..)));
    }
    assert_eq!(proves(&users, "ren\u{e9}", "manana"), End::Refused(true));
}

#[test]
fn what_the_preparation_does_not_allow_is_compared_as_it_is() {
    let odd = users("a:\u{7}\u{e9}\n");
    assert!(matches!(
        odd.check(b"a", "\u{7}\u{e9}".as_bytes()),
        Verdict::Granted(_)
    ));
}

#[test]
fn a_verdict_ends_an_exchange() {
    let users = users("foo:bar\n");
    for mechanism in [&b"PLAIN"[..], b"SCRAM-SHA-256", b"SCRAM-SHA-256-PLUS", b""] {
        for first in [
            &b"n,,n=foo"[..],
            b"p=x,,n=foo,r=a",
            b"\0foo\0baz",
            b"\0",
            b"n,,",
        ] {
            let mut exchange = Exchange::begin(mechanism);
            let outcome = exchange.step(&users, first, NONCE);
            assert!(matches!(outcome, Outcome::Verdict(Verdict::Refused)));
            for more in [&b"\0foo\0bar"[..], b"", b"n,,n=foo,r=client"] {
                let outcome = exchange.step(&users, more, NONCE);
                assert!(
                    matches!(outcome, Outcome::Verdict(Verdict::Refused)),
                    "{mechanism:?} {first:?} {more:?}"
                );
            }
        }
    }
    // Nothing but silence accepts the server's proof.
    let mut exchange = Exchange::begin(b"SCRAM-SHA-256");
    let identity = match users.check(b"foo", b"bar") {
        Verdict::Granted(identity) => identity,
        other => panic!("{other:?}"),
    };
    let signature = Some("v=x".to_owned());
    exchange.admit(Admission {
        identity,
        signature,
    });
    assert!(matches!(
        exchange.step(&users, b"x", NONCE),
        Outcome::Verdict(Verdict::Refused)
    ));
    assert!(matches!(
        exchange.step(&users, b"", NONCE),
        Outcome::Verdict(Verdict::Refused)
    ));
}

#[test]
fn an_entry_for_scram_lets_its_user_in_both_ways() {
    let line = file::entry("anna", b"secret", file::Notation::Scram, [9; 16]).unwrap();
    assert!(line.starts_with("anna:SCRAM-SHA-256$16384:"), "{line}");
    assert!(!line.contains("secret"));
    let users = users(&line);
    assert_eq!(proves(&users, "anna", "secret"), granted("anna", false));
    assert_eq!(proves(&users, "anna", "Secret"), End::Refused(false));
    match users.check(b"anna", b"secret") {
        Verdict::Slow(slow) => assert_eq!(slow.run().unwrap().identity.name(), "anna"),
        other => panic!("{other:?}"),
    }
}
