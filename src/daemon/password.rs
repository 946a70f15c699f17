//! `--hash-password`: a password in, a line for the file of users out.

use std::io::{self, BufRead, IsTerminal, Read, Write};

use rustix::termios::{LocalModes, OptionalActions, tcgetattr, tcsetattr};
use zeroize::Zeroizing;

use crate::auth::file::{self, Notation, PASSWORD_SIZE_MAX};

/// Reads a password from standard input and makes this user's line of it.
pub(super) fn entry(name: &str, scram: bool) -> Result<String, String> {
    let password = read().map_err(|error| error.to_string())?;
    let mut salt = [0; 16];
    getrandom::fill(&mut salt).map_err(|error| error.to_string())?;
    let notation = if scram {
        Notation::Scram
    } else {
        Notation::Argon2id
    };
    file::entry(name, &password, notation, salt)
}

/// One line, without its end. A terminal does not show it.
fn read() -> io::Result<Zeroizing<Vec<u8>>> {
    let stdin = io::stdin();
    if !stdin.is_terminal() {
        return line();
    }
    write!(io::stderr(), "Password: ")?;
    let shown = tcgetattr(&stdin)?;
    let mut hidden = shown.clone();
    hidden.local_modes.remove(LocalModes::ECHO);
    tcsetattr(&stdin, OptionalActions::Flush, &hidden)?;
    let password = line();
    tcsetattr(&stdin, OptionalActions::Flush, &shown)?;
    writeln!(io::stderr())?;
    password
}

fn line() -> io::Result<Zeroizing<Vec<u8>>> {
    let limit = PASSWORD_SIZE_MAX as u64 + 3;
    let mut text = Zeroizing::new(Vec::new());
    io::stdin()
        .lock()
        .take(limit)
        .read_until(b'\n', &mut text)?;
    if text.last() == Some(&b'\n') {
        text.pop();
    }
    if text.last() == Some(&b'\r') {
        text.pop();
    }
    Ok(text)
}
