//! Going into the background (`-d`).
//!
//! A process with threads cannot safely fork, and a fork needs unsafe code. So the daemon starts
//! itself a second time, in a session of its own, and waits until that one says that it serves or
//! dies trying. The word is passed through its standard output. The working directory stays what
//! it was, so that relative paths mean what they said.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode, Stdio};

/// Tells the second process what it is.
const MARK: &str = "LARDER_INTERNAL_BACKGROUND";

/// What the second process says when clients can connect.
const READY: &[u8] = b"ready\n";

/// Whether this process was started by [`launch`].
pub(super) fn is_background() -> bool {
    std::env::var_os(MARK).is_some()
}

/// Starts this program again in the background. Returns when that one serves, or cannot.
pub(super) fn launch(arguments: &[OsString]) -> io::Result<ExitCode> {
    let (name, rest) = arguments.split_first().ok_or(io::ErrorKind::InvalidInput)?;
    let mut child = Command::new(std::env::current_exe()?)
        .arg0(name)
        .args(rest)
        .env(MARK, "1")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()?;
    let mut said = Vec::new();
    if let Some(out) = child.stdout.take() {
        // It closes its end by serving or by dying; it says nothing else.
        out.take(READY.len() as u64).read_to_end(&mut said)?;
    }
    if said == READY {
        return Ok(ExitCode::SUCCESS);
    }
    let code = child
        .wait()?
        .code()
        .and_then(|code| u8::try_from(code).ok());
    Ok(ExitCode::from(code.filter(|code| *code != 0).unwrap_or(1)))
}

/// Leaves the terminal that the daemon was started from.
pub(super) fn detach() {
    // Fails only for a process group leader, and then there is no terminal to leave.
    let _ = rustix::process::setsid();
}

/// Tells whoever waits in [`launch`] that clients can connect, and lets go of the standard
/// streams. Standard error stays when it was asked for by `-v`, as in memcached.
pub(super) fn ready(keep_stderr: bool) -> io::Result<()> {
    let mut out = io::stdout();
    // The waiting process may have been killed; that is no reason not to serve.
    drop(out.write_all(READY).and_then(|()| out.flush()));
    let null = File::options().read(true).write(true).open("/dev/null")?;
    rustix::stdio::dup2_stdout(&null)?;
    if !keep_stderr {
        rustix::stdio::dup2_stderr(&null)?;
    }
    Ok(())
}
