//! What the daemon says, and to whom: one line an event, on standard error.

use std::io::Write;

use env_logger::{Builder, Target};
use log::{Level, LevelFilter};

use crate::config::log_level;

/// Starts logging. Level, event, then the numbers; the time of day is the service manager's.
pub(super) fn start(verbosity: u8) {
    let built = Builder::new()
        // Our own lines are sifted by `log::max_level` alone, which can change at any time.
        .filter_module("larder", LevelFilter::Trace)
        .filter_level(LevelFilter::Warn)
        .target(Target::Stderr)
        .format(|out, record| {
            let style = out.default_level_style(record.level());
            let level = name(record.level());
            writeln!(out, "{style}{level:<5}{style:#} {}", record.args())
        })
        .try_init();
    // Only a test that runs two daemons in one process can have started it before.
    drop(built);
    set_verbosity(verbosity);
}

/// Logs more or less from now on.
pub(super) fn set_verbosity(verbosity: u8) {
    log::set_max_level(log_level(verbosity));
}

const fn name(level: Level) -> &'static str {
    match level {
        Level::Error => "error",
        Level::Warn => "warn",
        Level::Info => "info",
        Level::Debug => "debug",
        Level::Trace => "trace",
    }
}
