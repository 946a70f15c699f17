//! Lines, and what becomes of them.

use super::*;

fn refused(line: &str) -> Refusal {
    decode(line.as_bytes()).expect_err(line)
}

#[test]
fn short_known_commands_are_badly_formatted_and_unknown_ones_are_errors() {
    let short = [
        "get\r\n",
        "get  \r\n",
        "gets\r\n",
        "gat 100\r\n",
        "gats\r\n",
        "set foo 0 0\r\n",
        "cas a 0 0 1\r\n",
        "incr k\r\n",
        "touch k\r\n",
        "delete\r\n",
        "mg\r\n",
        "ms quiet\r\n",
        "ms k x\r\n",
        "ma\r\n",
        "md\r\n",
        "me\r\n",
        "\r\n",
        "\n",
        " \n",
        "a\r\n",
        "mn\n",
    ];
    for line in short {
        assert_eq!(
            refused(line).error,
            Some(ProtocolError::BadFormat),
            "{line:?}"
        );
    }
    for line in [
        "ab\r\n",
        "   \r\n",
        "GET a\r\n",
        "configure\r\n",
        "getx a\r\n",
    ] {
        assert_eq!(
            refused(line).error,
            Some(ProtocolError::Unknown),
            "{line:?}"
        );
    }
}

#[test]
fn a_bad_length_swallows_nothing_and_is_always_told() {
    for size in [
        "-1",
        "-2",
        "2147483647",
        "2147483648",
        "4294967295",
        "18446744073709551616",
        "3x",
        "+3",
    ] {
        for verb in ["set", "add", "replace", "append", "prepend", "cas"] {
            let line = format!("{verb} k 0 0 {size} 1 noreply\r\n");
            assert_eq!(refused(&line), Refusal::BAD_FORMAT, "{line}");
        }
        let line = format!("ms k {size} q\r\n");
        assert_eq!(refused(&line), Refusal::BAD_FORMAT);
    }
}

#[test]
fn a_bad_argument_with_a_good_length_swallows_the_block() {
    let long = "k".repeat(251);
    for line in [
        "set k 4294967296 0 3\r\n".to_owned(),
        "set k -1 0 3\r\n".to_owned(),
        "set k 0 zz 3\r\n".to_owned(),
        "cas k 0 0 3 -1\r\n".to_owned(),
        format!("set {long} 0 0 3\r\n"),
    ] {
        let refusal = refused(&line);
        assert_eq!(refusal.error, Some(ProtocolError::BadFormat), "{line}");
        assert_eq!(
            (refusal.swallow, refusal.noreply),
            (Some(3), false),
            "{line}"
        );
    }
    assert!(refused(&format!("set {long} 0 0 3 noreply\r\n")).noreply);
}

#[test]
fn noreply_counts_only_as_the_last_token() {
    let noreply = |line: &str| match decode(line.as_bytes()) {
        Ok(
            Command::Store(Store { noreply, .. })
            | Command::Delete { noreply, .. }
            | Command::Arithmetic { noreply, .. }
            | Command::Touch { noreply, .. }
            | Command::Flush { noreply, .. }
            | Command::Admin { noreply, .. },
        )
        | Err(Refusal { noreply, .. }) => noreply,
        Ok(_) => false,
    };
    for line in [
        "set k 0 0 1 noreply\r\n",
        "cas k 0 0 1 1 noreply\r\n",
        "delete k noreply\r\n",
        "delete k 0 noreply\n",
        "incr k 1 noreply\r\n",
        "touch k 1 noreply\r\n",
        "flush_all noreply\r\n",
        "flush_all 0 noreply\r\n",
        "verbosity 0 noreply\r\n",
        "cache_memlimit 64 noreply\r\n",
        "set k 0 0 1 what noreply\r\n",
        "bogus noreply\r\n",
        "delete k 10 noreply\r\n",
    ] {
        assert!(noreply(line), "{line}");
    }
    for line in [
        "set k 0 0 1 noreply what\r\n",
        "get noreply\r\n",
        "stats noreply\r\n",
        "incr noreply 1\r\n",
        "version noreply\r\n",
        "set k 0 0 1 Noreply\r\n",
    ] {
        assert!(!noreply(line), "{line}");
    }
}

#[test]
fn delete_takes_a_zero_and_nothing_else() {
    assert!(decode(b"delete k 0\r\n").is_ok());
    for line in ["delete k 5\r\n", "delete k foo bar\r\n", "delete k 0 0\r\n"] {
        assert_eq!(refused(line), Refusal::BAD_FORMAT, "{line}");
    }
}

#[test]
fn an_overlong_key_refuses_a_whole_multiget() {
    let line = format!("get {} {}\r\n", "a".repeat(250), "b".repeat(251));
    assert_eq!(refused(&line), Refusal::BAD_FORMAT);
    let line = format!("get {} {}\r\n", "a".repeat(250), "b".repeat(250));
    assert!(decode(line.as_bytes()).is_ok());
}

#[test]
fn http_is_hung_up_on() {
    for line in [
        "GET / HTTP/1.0\r\n",
        "PUT /a/b HTTP/1.1\r\n",
        "DELETE HTTP/1.1\r\n",
    ] {
        assert_eq!(refused(line), Refusal::HANG_UP, "{line}");
    }
}

#[test]
fn only_get_and_gets_may_go_on_for_ever() {
    assert_eq!(endless_get(b"get a"), Some((4, false)));
    assert_eq!(endless_get(b"  gets a"), Some((7, true)));
    assert_eq!(endless_get(b"gat 1 a"), None);
    assert_eq!(endless_get(b"mg a"), None);
    let mut spaces = vec![b' '; 100];
    spaces.extend_from_slice(b"get a");
    assert_eq!(endless_get(&spaces), Some((104, false)));
    spaces.insert(0, b' ');
    assert_eq!(endless_get(&spaces), None);
}

#[test]
fn numbers_that_are_wrong_name_themselves() {
    assert_eq!(
        refused("incr a -1\r\n").error,
        Some(ProtocolError::InvalidDeltaArgument)
    );
    assert_eq!(
        refused("touch a x\r\n").error,
        Some(ProtocolError::InvalidExptime)
    );
    assert_eq!(
        refused("gat x a\r\n").error,
        Some(ProtocolError::InvalidExptime)
    );
    assert_eq!(
        refused("flush_all x\r\n").error,
        Some(ProtocolError::InvalidExptime)
    );
}
