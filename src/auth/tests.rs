//! What the table of users promises.

use super::file::Notation;
use super::*;

const KEY: [u8; 32] = [7; 32];

/// `hashed` with a cheap hash of the password `secret`.
const HASHED: &str = "$argon2id$v=19$m=16,t=1,p=1$c2FsdHNhbHQ$";

fn users(text: &str) -> Users {
    file::parse(text.as_bytes(), KEY).unwrap_or_else(|wrong| panic!("{text:?}: {wrong:?}"))
}

fn hashed_line(name: &str, password: &str) -> String {
    // The hash is computed here so that the test holds no second implementation.
    let output = {
        let params = argon2::Params::new(16, 1, 1, Some(32)).unwrap();
        let mut output = [0; 32];
        argon2::Argon2::new(argon2::Algorithm::Argon2id, argon2::Version::V0x13, params)
            .hash_password_into(password.as_bytes(), b"saltsalt", &mut output)
            .unwrap();
        output
    };
    use base64ct::Encoding;
    let output = base64ct::Base64Unpadded::encode_string(&output);
    format!("{name}:{HASHED}{output}")
}

/// Who comes in, all work done.
fn login(users: &Users, name: &str, password: &str) -> Option<String> {
    let identity = match users.check(name.as_bytes(), password.as_bytes()) {
        Verdict::Granted(identity) => Some(identity),
        Verdict::Refused => None,
        Verdict::Slow(slow) => slow.run().map(|admission| admission.identity),
    };
    identity.map(|identity| identity.name().to_owned())
}

#[test]
fn files_as_memcached_has_them_are_read() {
    let users = users("foo:bar\nbaaaz:quux\r\n\n# nobody\nlast:no:line end");
    assert_eq!(users.count(), 3);
    assert_eq!(login(&users, "foo", "bar").as_deref(), Some("foo"));
    assert_eq!(login(&users, "baaaz", "quux").as_deref(), Some("baaaz"));
    assert_eq!(
        login(&users, "last", "no:line end").as_deref(),
        Some("last")
    );
    for (name, password) in [
        ("foo", "ba"),
        ("foo", "barr"),
        ("foo", "quux"),
        ("foo", ""),
        ("fo", "bar"),
        ("", "bar"),
        ("# nobody", ""),
        ("foo", "bar\0"),
    ] {
        assert_eq!(login(&users, name, password), None, "{name} {password}");
    }
}

#[test]
fn there_may_be_many_more_than_eight_users() {
    let text: String = (0..2000).map(|i| format!("user{i}:pass{i}\n")).collect();
    let users = users(&text);
    assert_eq!(users.count(), 2000);
    assert_eq!(
        login(&users, "user1999", "pass1999").as_deref(),
        Some("user1999")
    );
    assert_eq!(login(&users, "user1999", "pass1998"), None);
}

#[test]
fn a_realm_that_the_file_does_not_know_is_passed_over() {
    let users = users("plain:a\nboth:bare\nboth@here:there\n");
    assert_eq!(
        login(&users, "plain@any.host", "a").as_deref(),
        Some("plain")
    );
    assert_eq!(login(&users, "both", "bare").as_deref(), Some("both"));
    assert_eq!(
        login(&users, "both@here", "there").as_deref(),
        Some("both@here")
    );
    assert_eq!(login(&users, "both@here", "bare"), None);
    assert_eq!(
        login(&users, "both@elsewhere", "bare").as_deref(),
        Some("both")
    );
}

#[test]
fn a_slow_hash_is_computed_once_for_each_user() {
    let users = users(&hashed_line("anna", "secret"));
    assert!(matches!(users.check(b"anna", b"secret"), Verdict::Slow(_)));
    assert_eq!(login(&users, "anna", "wrong"), None);
    assert_eq!(login(&users, "anna", "secret").as_deref(), Some("anna"));
    assert!(matches!(
        users.check(b"anna", b"secret"),
        Verdict::Granted(_)
    ));
    assert!(matches!(users.check(b"anna", b"wrong"), Verdict::Slow(_)));
    assert_eq!(login(&users, "anna", "wrong"), None);
}

#[test]
fn whatever_is_wrong_costs_the_same() {
    let mixed = format!("foo:bar\n{}\n", hashed_line("anna", "secret"));
    for text in [
        "foo:bar\nlong:0123456789012345678901234567890123456789\n",
        &mixed,
    ] {
        let users = users(text);
        let attempts: [(&str, &str); 8] = [
            ("foo", "bar"),
            ("foo", "baz"),
            ("foo", "b"),
            (
                "foo",
                "bar and much, much more than that, and then some more of it",
            ),
            ("nobody", "bar"),
            ("anna", "wrong"),
            ("foo@realm", "baz"),
            ("", ""),
        ];
        let mut seen = Vec::new();
        for (name, password) in attempts {
            let mut work = Work::default();
            let verdict = users.check_counted(name.as_bytes(), password.as_bytes(), &mut work);
            seen.push((work, matches!(verdict, Verdict::Slow(_))));
        }
        assert!(seen.iter().all(|(work, _)| *work == seen[0].0), "{seen:?}");
        // A slow hash anywhere is paid for by every failure.
        assert!(seen[1..].iter().all(|(_, slow)| *slow == (text == mixed)));
    }
}

#[test]
fn a_wrong_line_is_named_and_not_shown() {
    for (text, line, reason) in [
        (
            "foo:bar\nsecretpassword\n",
            Some(2),
            "expected NAME:PASSWORD",
        ),
        ("foo:bar\n\n:x\n", Some(3), "the name is empty"),
        ("foo:\n", Some(1), "the password is empty"),
        (
            "foo:bar\nfoo:baz",
            Some(2),
            "this user has a password already",
        ),
        ("foo:b\0r", Some(1), "the line has a zero byte"),
        ("foo:bar\nuser foo +@fly\n", Some(2), "+@fly: expected"),
        (
            "foo:bar\nuser fo +@read\n",
            Some(2),
            "this user has no password",
        ),
        (
            "foo:bar\nuser foo +@read\nuser foo +@all",
            Some(3),
            "this user has a line",
        ),
        ("foo:$argon2id$v=19$m=1\n", Some(1), "expected $argon2id$"),
        ("foo:$argon2i$v=19$m=1\n", Some(1), "expected $argon2id$"),
        ("", None, "it names no user"),
        ("# foo:bar\n", None, "it names no user"),
    ] {
        let (at, told) = file::parse(text.as_bytes(), KEY).unwrap_err();
        assert_eq!(at, line, "{text:?}");
        assert!(told.starts_with(reason), "{text:?}: {told}");
    }
    let long = format!("foo:bar\nlong:{}\n", "x".repeat(300));
    assert_eq!(users(&long).count(), 2);
    let long = format!("foo:bar\nlong:{}\n", "x".repeat(5000));
    assert_eq!(file::parse(long.as_bytes(), KEY).unwrap_err().0, Some(2));
    let foreign = b"foo:b\xff\n";
    assert_eq!(file::parse(foreign, KEY).unwrap_err().0, Some(1));
}

#[test]
fn what_a_user_may_do_stands_in_a_line_before_or_behind() {
    let users = users("user a +@read ~x:*\na:1\nb:2\nuser b +@all\nc:3\n");
    let who = |name: &[u8], password: &[u8]| match users.check(name, password) {
        Verdict::Granted(identity) => identity,
        other => panic!("{other:?}"),
    };
    assert!(!who(b"a", b"1").permissions().allows(Need::Write));
    assert!(who(b"b", b"2").permissions().is_all());
    assert!(who(b"c", b"3").permissions().is_all());
}

#[test]
fn a_file_that_cannot_be_read_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let told = file::load(folder.path(), KEY).unwrap_err();
    assert!(told.to_string().contains("it is not a file"), "{told}");
    let missing = folder.path().join("missing");
    let told = file::load(&missing, KEY).unwrap_err().to_string();
    assert!(told.starts_with(&missing.display().to_string()), "{told}");
}

#[test]
fn a_file_that_everybody_may_read_is_warned_of() {
    use std::os::unix::fs::PermissionsExt;
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "foo:bar\n").unwrap();
    for (mode, warns) in [(0o600, false), (0o640, false), (0o644, true)] {
        let permissions = std::fs::Permissions::from_mode(mode);
        std::fs::set_permissions(file.path(), permissions).unwrap();
        let loaded = file::load(file.path(), KEY).unwrap();
        assert_eq!(loaded.warning.is_some(), warns, "{mode:o}");
    }
}

#[test]
fn an_entry_that_was_made_lets_its_user_in() {
    let line = file::entry("anna", b"secret", Notation::Argon2id, [9; 16]).unwrap();
    assert!(!line.contains("secret"));
    assert_eq!(
        login(&users(&line), "anna", "secret").as_deref(),
        Some("anna")
    );
    for (name, password) in [
        ("", "x"),
        ("a:b", "x"),
        ("a b", "x"),
        ("a", ""),
        ("#a", "x"),
    ] {
        assert!(file::entry(name, password.as_bytes(), Notation::Argon2id, [9; 16]).is_err());
    }
}

#[test]
fn nothing_secret_is_shown_by_debug() {
    let users = users("foo:bar\n");
    assert_eq!(format!("{users:?}"), "Users { count: 1, .. }");
}
