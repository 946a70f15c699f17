//! `larder`, the client program, as a shell would run it.

use std::io::Write;
use std::process::{Command, Output, Stdio};

/// The program of this build.
pub(crate) const LARDER: &str = env!("CARGO_BIN_EXE_larder");

/// Runs it with these words, for this daemon.
pub(crate) fn larder(server: &str, words: &[&str], input: &[u8]) -> Output {
    larder_with(server, words, input, &[])
}

/// As [`larder`], with these variables.
pub(crate) fn larder_with(
    server: &str,
    words: &[&str],
    input: &[u8],
    environment: &[(&str, &str)],
) -> Output {
    let mut child = Command::new(LARDER)
        .args(words)
        .env("LARDER_SERVER", server)
        .envs(environment.iter().copied())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the client program to start");
    let mut stdin = child.stdin.take().expect("a pipe");
    let input = input.to_vec();
    // Beside what it prints, so that neither waits for the other.
    let feeder = std::thread::spawn(move || {
        // One that has ended does not read on.
        let _gone = stdin.write_all(&input);
    });
    let output = child.wait_with_output().expect("the program to end");
    feeder.join().expect("the feeder");
    output
}

/// Runs it and returns its output; it must succeed.
#[track_caller]
pub(crate) fn says(server: &str, words: &[&str]) -> String {
    let output = larder(server, words, b"");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{words:?}: {text} {errors}");
    text
}

/// As [`says`], with `--json`.
#[track_caller]
pub(crate) fn tells(server: &str, words: &[&str]) -> serde_json::Value {
    let text = says(server, &[words, &["--json"]].concat());
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{words:?}: {error}: {text}"))
}

/// Runs it; it must fail with this code, and say these words.
#[track_caller]
pub(crate) fn fails(server: &str, words: &[&str], code: i32, complaint: &str) {
    let output = larder(server, words, b"");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{words:?}: {errors}");
    assert!(errors.contains(complaint), "{words:?}: {errors}");
}
