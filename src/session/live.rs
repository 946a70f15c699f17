//! What commands have changed since the start.

use std::sync::atomic::{AtomicU8, AtomicU32, Ordering};

use super::prefix::Prefixes;
use crate::config::Config;

/// Settings that commands may change and that no other part of the daemon keeps.
#[derive(Debug)]
pub struct Live {
    /// Keys counted by prefix.
    pub(super) prefixes: Prefixes,
    verbosity: AtomicU8,
    crawler_sleep_us: AtomicU32,
    crawler_tocrawl: AtomicU32,
}

impl Live {
    /// The settings at the start.
    pub fn new(config: &Config) -> Self {
        Self {
            prefixes: Prefixes::new(config.stat_prefix_delimiter, config.stats_detail),
            verbosity: AtomicU8::new(config.verbosity),
            crawler_sleep_us: AtomicU32::new(config.lru_crawler_sleep_us),
            crawler_tocrawl: AtomicU32::new(config.lru_crawler_tocrawl),
        }
    }

    pub(super) fn set_verbosity(&self, level: u8) {
        self.verbosity.store(level, Ordering::Relaxed);
    }

    pub(super) fn set_crawler_sleep_us(&self, sleep_us: u32) {
        self.crawler_sleep_us.store(sleep_us, Ordering::Relaxed);
    }

    pub(super) fn set_crawler_tocrawl(&self, count: u32) {
        self.crawler_tocrawl.store(count, Ordering::Relaxed);
    }

    /// The settings in force, by changing those of the start.
    pub(super) fn apply(&self, config: &mut Config) {
        config.verbosity = self.verbosity.load(Ordering::Relaxed);
        config.lru_crawler_sleep_us = self.crawler_sleep_us.load(Ordering::Relaxed);
        config.lru_crawler_tocrawl = self.crawler_tocrawl.load(Ordering::Relaxed);
        config.stats_detail = self.prefixes.is_on();
    }
}
