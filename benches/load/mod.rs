//! What comparisons of servers need beside a load: processes that are started and watched, cores,
//! and what machine this is. The load itself is `larder::client::load`.

pub(crate) mod cores;
pub(crate) mod floor;
pub(crate) mod machine;
pub(crate) mod report;
pub(crate) mod server;

use std::env;
use std::path::PathBuf;

/// The program that a variable of the environment names, or this one.
pub(crate) fn program(variable: &str, default: &str) -> PathBuf {
    let given = env::var_os(variable).filter(|value| !value.is_empty());
    PathBuf::from(given.unwrap_or(default.into()))
}

/// Whether a run is to be short. `cargo bench` passes `--bench`; without it this may be a test
/// run.
pub(crate) fn is_quick(arguments: &[String]) -> bool {
    let given = |word: &str| arguments.iter().any(|argument| argument == word);
    given("--quick") || !given("--bench")
}
