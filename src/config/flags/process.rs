//! Settings of commands, threads and the process.

use std::path::PathBuf;

use super::{Group, Kind, ROW, Setting, Support, stat, stat_as};
use crate::config::value::{expected, integer, kilobytes, show_yes, text, yes};

pub(super) const ROWS: &[Setting] = &[
    Setting {
        name: "disable-flush-all",
        short: Some('F'),
        group: Group::Commands,
        help: "Forbid `flush_all`.",
        apply: |config, value| {
            config.flush_enabled = !yes(value)?;
            Ok(())
        },
        show: |config| show_yes(!config.flush_enabled),
        stat: stat_as("flush_enabled", |config| show_yes(config.flush_enabled)),
        ..ROW
    },
    Setting {
        name: "disable-dumping",
        short: Some('X'),
        group: Group::Commands,
        help: "Forbid what shows keys: `stats cachedump`, `stats detail`, `stats hotkeys`, \
               `stats bigkeys` and `lru_crawler metadump`.",
        apply: |config, value| {
            config.dump_enabled = !yes(value)?;
            Ok(())
        },
        show: |config| show_yes(!config.dump_enabled),
        stat: stat_as("dump_enabled", |config| show_yes(config.dump_enabled)),
        ..ROW
    },
    Setting {
        name: "disable-watch",
        short: Some('W'),
        group: Group::Commands,
        help: "Forbid `watch`.",
        apply: |config, value| {
            config.watch_enabled = !yes(value)?;
            Ok(())
        },
        show: |config| show_yes(!config.watch_enabled),
        ..ROW
    },
    Setting {
        name: "enable-shutdown",
        short: Some('A'),
        group: Group::Commands,
        help: "Allow `shutdown`: any client may then stop the daemon.",
        apply: |config, value| {
            config.shutdown_command = yes(value)?;
            Ok(())
        },
        show: |config| show_yes(config.shutdown_command),
        stat: stat("shutdown_command"),
        ..ROW
    },
    Setting {
        name: "prefix-delimiter",
        short: Some('D'),
        kind: Kind::Value("CHARACTER"),
        group: Group::Commands,
        help: "Ends the prefix by which `stats detail` counts keys. To give it turns the \
               counting on from the start.",
        apply: |config, value| {
            let &[character] = value.as_bytes() else {
                return expected("one ASCII character");
            };
            if !character.is_ascii_graphic() {
                return expected("one ASCII character that can be seen");
            }
            config.stat_prefix_delimiter = character;
            config.stats_detail = true;
            Ok(())
        },
        show: |config| char::from(config.stat_prefix_delimiter).to_string(),
        stat: stat("stat_key_prefix"),
        ..ROW
    },
    Setting {
        name: "hot-key-sample",
        extended: Some("hot_key_sample"),
        kind: Kind::Value("COUNT"),
        group: Group::Commands,
        help: "Look at one request in so many, at random, for what `stats hotkeys` and `stats ttl` \
               tell; 0 looks at none, 1 at all. Prefixes of keys end at the character of -D.",
        apply: |config, value| {
            config.hot_key_sample = integer(value, 0..=1_000_000)?;
            Ok(())
        },
        show: |config| config.hot_key_sample.to_string(),
        ..ROW
    },
    Setting {
        name: "drain-timeout",
        extended: Some("drain_timeout"),
        kind: Kind::Value("SECONDS"),
        group: Group::Process,
        help: "How long a stop by SIGTERM, SIGUSR1 or `shutdown graceful` waits for requests that have begun \
               and for answers that clients have not taken. Idle connections are closed at once. 0 \
               waits for nobody.",
        apply: |config, value| {
            config.drain_timeout_s = integer(value, 0..=3600)?;
            Ok(())
        },
        show: |config| config.drain_timeout_s.to_string(),
        ..ROW
    },
    Setting {
        name: "slow-log-us",
        extended: Some("slow_log_us"),
        kind: Kind::Value("MICROSECONDS"),
        group: Group::Commands,
        help: "Keep for `stats slow` what took a worker so long or longer; 0 keeps nothing. From 10000 on \
               time is taken by a clock that costs next to nothing and ticks every 1 to 10 \
               milliseconds, below by an exact one, which costs a few nanoseconds for each turn.",
        apply: |config, value| {
            config.slow_log_us = integer(value, 0..=60_000_000)?;
            Ok(())
        },
        show: |config| config.slow_log_us.to_string(),
        ..ROW
    },
    Setting {
        name: "watcher-logbuf-size",
        extended: Some("watcher_logbuf_size"),
        kind: Kind::Value("KILOBYTES"),
        group: Group::Commands,
        help: "Log lines that may wait for one watcher; more are skipped and counted.",
        apply: |config, value| {
            config.watcher_logbuf_size = kilobytes(value)?;
            Ok(())
        },
        show: |config| (config.watcher_logbuf_size >> 10).to_string(),
        stat: stat_as("watcher_logbuf_size", |config| {
            config.watcher_logbuf_size.to_string()
        }),
        ..ROW
    },
    Setting {
        name: "worker-logbuf-size",
        extended: Some("worker_logbuf_size"),
        kind: Kind::Value("KILOBYTES"),
        group: Group::Commands,
        help: "Log lines that may wait in one worker for the watchers.",
        apply: |config, value| {
            config.worker_logbuf_size = kilobytes(value)?;
            Ok(())
        },
        show: |config| (config.worker_logbuf_size >> 10).to_string(),
        stat: stat_as("worker_logbuf_size", |config| {
            config.worker_logbuf_size.to_string()
        }),
        ..ROW
    },
    Setting {
        name: "debug-commands",
        kind: Kind::Environment("LARDER_DEBUG_COMMANDS"),
        group: Group::Commands,
        help: "Let clients move the clock (`debugtime`). For tests only.",
        apply: |config, value| {
            config.debug_commands = yes(value)?;
            Ok(())
        },
        show: |config| show_yes(config.debug_commands),
        ..ROW
    },
    Setting {
        name: "auth-file",
        short: Some('Y'),
        kind: Kind::Value("FILE"),
        group: Group::Commands,
        help: "Users who may come in, one NAME:PASSWORD a line; a password may be a hash \
               (--hash-password). They log in over the text protocol, and with -S over the binary \
               one. Everybody else is refused, and lines of the same file say what each may do; \
               larder-users(5) has them all. Read again at SIGHUP.",
        apply: |config, value| {
            config.auth_file = Some(PathBuf::from(text(value)?));
            Ok(())
        },
        show: |config| path(config.auth_file.as_ref()),
        stat: stat_as("auth_enabled_ascii", |config| {
            config
                .auth_file
                .as_ref()
                .map_or_else(|| "no".to_owned(), |path| path.display().to_string())
        }),
        ..ROW
    },
    Setting {
        name: "enable-sasl",
        short: Some('S'),
        group: Group::Commands,
        help: "Login over the binary protocol (SASL): PLAIN and SCRAM-SHA-256. The users are those \
               of -Y; without it those of the file that MEMCACHED_SASL_PWDB names, and then only \
               the binary protocol is spoken, as in memcached.",
        apply: |config, value| {
            config.sasl = yes(value)?;
            Ok(())
        },
        show: |config| show_yes(config.sasl),
        stat: stat("auth_enabled_sasl"),
        ..ROW
    },
    Setting {
        name: "sasl-users",
        kind: Kind::Environment("MEMCACHED_SASL_PWDB"),
        group: Group::Commands,
        help: "Users for -S where -Y names none, one NAME:PASSWORD a line. Read again at SIGHUP.",
        apply: |config, value| {
            config.sasl_users = Some(PathBuf::from(text(value)?));
            Ok(())
        },
        show: |config| path(config.sasl_users.as_ref()),
        ..ROW
    },
    Setting {
        name: "threads",
        short: Some('t'),
        kind: Kind::Value("COUNT"),
        group: Group::Process,
        help: "Worker threads.",
        apply: |config, value| {
            let workers: u16 = integer(value, 1..=1024)?;
            config.workers = usize::from(workers);
            Ok(())
        },
        show: |config| config.workers.to_string(),
        default: Some("one for each core it may use"),
        stat: stat("num_threads"),
        ..ROW
    },
    Setting {
        name: "verbose",
        short: Some('v'),
        kind: Kind::Count,
        group: Group::Process,
        help: "Log more to standard error: -v what the daemon does, -vv connections too, -vvv \
               everything. In the environment and the file a number.",
        apply: |config, value| {
            config.verbosity = integer(value, 0..=u8::MAX)?;
            Ok(())
        },
        show: |config| config.verbosity.to_string(),
        reload: true,
        stat: stat("verbosity"),
        ..ROW
    },
    Setting {
        name: "daemon",
        short: Some('d'),
        group: Group::Process,
        help: "Run in the background. The command returns when clients can connect, or with \
               the reason why they cannot. Only on the command line: ignored in the environment and \
               the file.",
        apply: |config, value| {
            config.daemonize = yes(value)?;
            Ok(())
        },
        show: |config| show_yes(config.daemonize),
        ..ROW
    },
    Setting {
        name: "pidfile",
        short: Some('P'),
        kind: Kind::Value("FILE"),
        group: Group::Process,
        help: "File to write the process id to; removed at a clean stop.",
        apply: |config, value| {
            config.pid_file = Some(PathBuf::from(text(value)?));
            Ok(())
        },
        show: |config| path(config.pid_file.as_ref()),
        ..ROW
    },
    Setting {
        name: "user",
        short: Some('u'),
        kind: Kind::Value("NAME"),
        group: Group::Process,
        help: "Whom to become. Root must say, even to stay root.",
        apply: |config, value| {
            config.user = Some(text(value)?.to_owned());
            Ok(())
        },
        show: |config| config.user.clone().unwrap_or_default(),
        ..ROW
    },
    Setting {
        name: "lock-memory",
        short: Some('k'),
        group: Group::Process,
        help: "Keep all memory resident.",
        apply: |config, value| {
            config.lock_memory = yes(value)?;
            Ok(())
        },
        show: |config| show_yes(config.lock_memory),
        ..ROW
    },
    Setting {
        name: "enable-coredumps",
        short: Some('r'),
        group: Group::Process,
        help: "Raise the limit on core files as far as it goes.",
        apply: |config, value| {
            config.core_dumps = yes(value)?;
            Ok(())
        },
        show: |config| show_yes(config.core_dumps),
        ..ROW
    },
    Setting {
        name: "drop-privileges",
        extended: Some("drop_privileges"),
        kind: Kind::Toggle,
        group: Group::Process,
        help: "Give up system calls that serving does not need, such as those that start programs \
               or reach other hosts.",
        apply: |config, value| {
            config.drop_privileges = yes(value)?;
            Ok(())
        },
        show: |config| show_yes(config.drop_privileges),
        stat: stat("drop_privileges"),
        ..ROW
    },
    Setting {
        name: "relaxed-privileges",
        extended: Some("relaxed_privileges"),
        kind: Kind::Toggle,
        group: Group::Compatibility,
        help: "memcached's tests ask for it.",
        support: Support::NoEffect,
        ..ROW
    },
    Setting {
        name: "inline-ascii-resp",
        extended: Some("inline_ascii_resp"),
        kind: Kind::Toggle,
        group: Group::Compatibility,
        help: "Nothing depends on it in memcached either.",
        stat: stat_as("inline_ascii_response", |_| "no".to_owned()),
        support: Support::NoEffect,
        ..ROW
    },
    Setting {
        name: "resp-obj-mem-limit",
        extended: Some("resp_obj_mem_limit"),
        kind: Kind::Optional("MEGABYTES", "0"),
        group: Group::Compatibility,
        help: "Long replaced by read_buf_mem_limit.",
        support: Support::NoEffect,
        ..ROW
    },
];

fn path(path: Option<&PathBuf>) -> String {
    path.map_or_else(String::new, |path| path.display().to_string())
}
