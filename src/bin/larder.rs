//! larder, the operator's program: arguments in, exit code out.

use std::process::ExitCode;

fn main() -> ExitCode {
    larder::client::run(std::env::args_os())
}
