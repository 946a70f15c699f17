//! Commands about the daemon rather than about items.

use super::dump::Dump;
use super::listing::Task;
use super::report::Reader;
use super::turn::Turn;
use super::{Flow, Next, Session, Shared, SnapshotReply, State, report};
use crate::protocol::ProtocolError;
use crate::protocol::admin::{Admin, Client, Crawler, DebugTime, Lru, Slabs};
use crate::protocol::text::reply;
use crate::store::{LruConfig, Reassign};

/// Smallest and largest `cache_memlimit`, in megabytes.
const MEMLIMIT_MB_MIN: u64 = 8;
const MEMLIMIT_MB_MAX: u64 = 1_000_000_000;

/// What came of a command: a line for the client.
type Outcome = Result<&'static [u8], ProtocolError>;

impl Session {
    /// Runs one command about the daemon.
    pub(super) fn admin(&mut self, turn: &mut Turn<'_>, command: Admin<'_>, noreply: bool) -> Flow {
        let shared = turn.ctx.shared;
        let outcome = match command {
            Admin::Stats(stats) => {
                report::stats(self, turn, stats, Reader::Lines);
                return Flow::Go;
            }
            Admin::Client(Client::Kill(who)) => {
                let who = String::from_utf8_lossy(who).into();
                self.begin_listing(Task::Kill { who, count: 0 });
                return Flow::Go;
            }
            Admin::Watch(streams) => return self.watch(turn, streams),
            Admin::Crawler(Crawler::Metadump(classes)) => self.list(turn, classes, false),
            Admin::Crawler(Crawler::Mgdump(classes)) => self.list(turn, classes, true),
            Admin::Crawler(command) => crawler(turn, command),
            Admin::Lru(command) => lru(turn, command),
            Admin::Slabs(command) => slabs(turn, command),
            Admin::CacheMemlimit(megabytes) => memory_limit(turn, megabytes),
            Admin::Verbosity(level) => {
                shared.change_verbosity(level);
                Ok(reply::OK)
            }
            Admin::Shutdown { graceful } => {
                if !shared.config.shutdown_command {
                    turn.say(ProtocolError::ShutdownNotEnabled.reply());
                    return Flow::Go;
                }
                shared.host.shutdown(graceful);
                return Flow::Leave(Next::Close);
            }
            Admin::DebugTime(change) if shared.config.debug_commands => {
                match change {
                    DebugTime::Pause => shared.clock.pause(true),
                    DebugTime::Resume => shared.clock.pause(false),
                    DebugTime::Shift(by_s) => shared.clock.shift(by_s),
                }
                Ok(reply::OK)
            }
            Admin::RefreshCerts => {
                match shared.host.refresh_certificates(turn.ctx.now) {
                    Ok(()) => turn.say(reply::OK),
                    Err(reason) => reply::not_refreshed(turn.out, &reason),
                }
                return Flow::Go;
            }
            Admin::Snapshot => match shared.host.snapshot() {
                SnapshotReply::Begun => Ok(reply::OK),
                SnapshotReply::Busy => Err(ProtocolError::SnapshotBusy),
                SnapshotReply::Off => Err(ProtocolError::SnapshotsNotEnabled),
            },
            Admin::DebugTime(_) => Err(ProtocolError::Unknown),
        };
        if !noreply {
            turn.say(outcome.unwrap_or_else(ProtocolError::reply));
        }
        Flow::Go
    }

    fn watch(&mut self, turn: &mut Turn<'_>, streams: u32) -> Flow {
        let shared = turn.ctx.shared;
        let refused = if turn.has_queued() {
            Some(ProtocolError::PipelinedWatch)
        } else if !shared.hub.join(turn.ctx, self.id, streams) {
            Some(ProtocolError::WatcherLimit)
        } else {
            None
        };
        if let Some(error) = refused {
            turn.say(error.reply());
            return Flow::Go;
        }
        turn.say(reply::OK);
        self.state = State::Watching;
        Flow::Leave(Next::Watch)
    }

    fn list(&mut self, turn: &mut Turn<'_>, classes: u64, as_commands: bool) -> Outcome {
        if turn.has_queued() {
            return Err(if as_commands {
                ProtocolError::PipelinedMgdump
            } else {
                ProtocolError::PipelinedMetadump
            });
        }
        self.state = State::Dump(Box::new(Dump::new(classes, as_commands)));
        Ok(reply::OK)
    }
}

fn crawler(turn: &Turn<'_>, command: Crawler) -> Outcome {
    let shared = turn.ctx.shared;
    let store = &shared.store;
    match command {
        Crawler::Enable => store.set_crawler(true),
        Crawler::Disable => store.set_crawler(false),
        Crawler::Sleep(sleep_us) => shared.live.set_crawler_sleep_us(sleep_us),
        Crawler::ToCrawl(count) => shared.live.set_crawler_tocrawl(count),
        Crawler::Crawl(_) if !store.crawler() => return Err(ProtocolError::CrawlerDisabled),
        Crawler::Crawl(classes) => {
            if !store.crawl(classes) {
                return Err(ProtocolError::CrawlBusy);
            }
        }
        // These answer for themselves; see `list`.
        Crawler::Metadump(_) | Crawler::Mgdump(_) => {}
    }
    Ok(reply::OK)
}

fn lru(turn: &Turn<'_>, command: Lru) -> Outcome {
    let store = turn.store();
    let lru = store.lru();
    // Without its upkeep the queues of a class are one, and there is nothing to tune.
    if !lru.maintainer && !matches!(command, Lru::TempTtl(_)) {
        return Err(ProtocolError::Unknown);
    }
    store.set_lru(match command {
        Lru::Mode { segmented } => LruConfig { segmented, ..lru },
        Lru::TempTtl(temporary_ttl_s) => LruConfig {
            temporary_ttl_s,
            ..lru
        },
        Lru::Tune {
            hot_percent,
            warm_percent,
            hot_factor,
            warm_factor,
        } => LruConfig {
            hot_percent,
            warm_percent,
            hot_age_factor: hot_factor,
            warm_age_factor: warm_factor,
            ..lru
        },
    });
    Ok(reply::OK)
}

fn slabs(turn: &Turn<'_>, command: Slabs) -> Outcome {
    let store = turn.store();
    let mut balance = store.balance();
    match command {
        Slabs::Reassign { .. } if !balance.reassign => {
            return Err(ProtocolError::ReassignDisabled);
        }
        Slabs::Reassign { src, dst } => {
            return match store.reassign(src, dst, turn.now()) {
                Reassign::Started => Ok(reply::OK),
                Reassign::BadClass => Err(ProtocolError::BadClass),
                Reassign::NoSpare => Err(ProtocolError::NoSpare),
                Reassign::Same => Err(ProtocolError::ReassignSame),
            };
        }
        Slabs::Automove(mode) => balance.automove = mode,
        Slabs::FreeRatio(ratio) => balance.free_ratio = ratio,
        Slabs::Ratio(ratio) => balance.ratio = ratio,
        Slabs::Window(window_s) => balance.window_s = window_s,
    }
    store.set_balance(balance);
    Ok(reply::OK)
}

fn memory_limit(turn: &Turn<'_>, megabytes: u64) -> Outcome {
    match turn.ctx.shared.change_memory_limit(megabytes) {
        Ok(()) => Ok(reply::OK),
        Err(LimitError::TooSmall) => Err(ProtocolError::MemlimitTooSmall),
        Err(LimitError::TooLarge) => Err(ProtocolError::MemlimitNotBytes),
        Err(LimitError::Fixed) => Err(ProtocolError::MemlimitBounds),
    }
}

/// Why a memory limit is not taken over.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum LimitError {
    /// Less than a cache can work with.
    TooSmall,
    /// More than any computer has.
    TooLarge,
    /// More than was reserved at the start, or all of it was taken then (`-L`).
    Fixed,
}

impl Shared {
    /// Changes the memory limit, in megabytes, as `cache_memlimit` does.
    ///
    /// # Errors
    ///
    /// Why it stays as it is.
    pub fn change_memory_limit(&self, megabytes: u64) -> Result<(), LimitError> {
        if megabytes < MEMLIMIT_MB_MIN {
            return Err(LimitError::TooSmall);
        }
        if megabytes > MEMLIMIT_MB_MAX {
            return Err(LimitError::TooLarge);
        }
        if self.config.preallocate || !self.store.set_memory_limit(megabytes << 20) {
            return Err(LimitError::Fixed);
        }
        Ok(())
    }

    /// Changes how much is logged, 0 to 2, as `verbosity` does.
    pub fn change_verbosity(&self, level: u8) {
        self.live.set_verbosity(level);
        self.host.set_verbosity(level);
    }
}
