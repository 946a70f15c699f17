//! SIGHUP: read the settings again, take over what a running daemon can, name what it cannot.

use std::ffi::OsString;
use std::sync::Arc;

use super::{environment, logging};
use crate::admin::Handle;
use crate::config::Config;
use crate::config::flags;
use crate::config::parse::{self, Action, Loaded};
use crate::session::Shared;

/// What is needed to read the settings again.
pub(super) struct Reload {
    arguments: Vec<OsString>,
    /// The settings as they were read last. What clients have changed since stands, unless the
    /// file changes the same setting.
    config: Config,
    shared: Arc<Shared>,
    admin: Option<Handle>,
}

impl Reload {
    pub(super) fn new(
        arguments: Vec<OsString>,
        loaded: Loaded,
        shared: Arc<Shared>,
        admin: Option<Handle>,
    ) -> Self {
        Self {
            arguments,
            config: loaded.config,
            shared,
            admin,
        }
    }

    /// Reads all settings again. A mistake in them changes nothing.
    pub(super) fn run(&mut self) {
        self.reload_users();
        if let Some(Err(error)) = self.admin.as_ref().map(Handle::reload) {
            log::error!("admin token not reloaded, the old one stays: {error}");
        }
        let loaded = match parse::parse(self.arguments.iter().cloned(), &environment()) {
            Ok(Action::Run(loaded)) => loaded,
            // The arguments asked for serving once and have not changed.
            Ok(Action::Print(_) | Action::Check(_) | Action::HashPassword { .. }) => return,
            Err(error) => {
                log::error!("settings not reloaded: {error}");
                return;
            }
        };
        for warning in &loaded.warnings {
            log::warn!("{warning}");
        }
        let changed = changes(&self.config, &loaded.config);
        for (name, taken) in &changed {
            if !taken {
                log::warn!("setting has changed and waits for a restart  name={name}");
            }
        }
        let taken: Vec<&str> = changed
            .iter()
            .filter(|(_, t)| *t)
            .map(|(n, _)| *n)
            .collect();
        self.take_over(&loaded.config);
        if self.config.tls.enabled || self.config.admin_tls {
            let now = self.shared.clock.now();
            // Whatever comes of it stands in the log.
            let _ = self.shared.host.refresh_certificates(now);
        }
        self.config = loaded.config;
        log::info!("settings reloaded  changed={}", taken.join(","));
    }

    /// Users first, on their own: a mistake elsewhere must not keep somebody in who was put out.
    fn reload_users(&self) {
        let door = &self.shared.door;
        if !door.is_locked() {
            return;
        }
        match door.reload() {
            Ok(()) => log::info!("users reloaded"),
            Err(error) => log::error!("users not reloaded, the old ones stay: {error}"),
        }
    }

    fn take_over(&self, new: &Config) {
        let old = &self.config;
        if new.verbosity != old.verbosity {
            logging::set_verbosity(new.verbosity);
        }
        let store = &self.shared.store;
        if new.memory_limit != old.memory_limit && !store.set_memory_limit(new.memory_limit) {
            let memory_mb = new.memory_limit >> 20;
            log::error!("memory limit cannot be taken over  memory_mb={memory_mb}");
        }
        let (old, new) = (old.store(1), new.store(1));
        if new.lru != old.lru {
            store.set_lru(new.lru);
        }
        if new.balance != old.balance {
            store.set_balance(new.balance);
        }
        if new.crawler != old.crawler {
            store.set_crawler(new.crawler);
        }
    }
}

/// The settings that differ, and whether a running daemon takes each over.
fn changes(old: &Config, new: &Config) -> Vec<(&'static str, bool)> {
    flags::all()
        .filter(|setting| (setting.show)(old) != (setting.show)(new))
        .map(|setting| (setting.name, setting.reload))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_can_be_taken_over_is_told_from_what_waits() {
        let old = Config::default();
        let new = Config {
            verbosity: 2,
            tcp_port: 5,
            memory_limit: 128 << 20,
            ..Config::default()
        };
        assert_eq!(
            changes(&old, &new),
            [("port", false), ("memory-limit", true), ("verbose", true)]
        );
        assert_eq!(changes(&old, &old), []);
    }
}
