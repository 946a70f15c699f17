//! larderd, the daemon: arguments in, exit code out.

use std::process::ExitCode;

fn main() -> ExitCode {
    larder::daemon::run(std::env::args_os())
}
