//! The table of settings, written down: help, `--print-config`, `stats settings`, the reference
//! and the manual page.

use std::fmt::Write;

use super::flags::{self, Group, Kind, REFUSED, Setting, Support, WORDS};
use super::parse::Loaded;
use super::{Config, value};

/// What `--version` says after the name.
pub const VERSION: &str = concat!(env!("CARGO_PKG_VERSION"), " (memcached 1.6.45 compatible)");

/// One line about the program.
pub const ABOUT: &str = "A cache daemon that every memcached client can use unchanged.";

/// What `--help` says at the end.
pub const AFTER_HELP: &str = "\
Every setting can also stand in the file, one a line as above or as NAME VALUE, and in the
environment as LARDER_NAME, in capitals and with underscores. The command line is stronger than
the environment, the environment than the file. -o takes the settings that memcached has there,
in memcached's spelling: -o idle_timeout=60,no_lru_crawler";

/// What `-i` says.
pub const LICENSE: &str = concat!(
    "larder is free software under the Apache License 2.0 or, at your option, under this one:\n\n",
    include_str!("../../LICENSE-MIT")
);

/// The help of one setting, with its default and its name under `-o`.
pub fn help_text(setting: &Setting) -> String {
    let mut text = setting.help.trim_end_matches('.').to_owned();
    let default = setting.default_text();
    if !default.is_empty() && setting.kind != Kind::Switch {
        let _ = write!(text, " [default: {default}]");
    }
    if let Some(extended) = setting.extended {
        let _ = write!(text, " [-o {extended}]");
    }
    text
}

/// Every setting with its value and where it came from, in the form that the file has.
pub fn configuration(loaded: &Loaded) -> String {
    let mut out = String::new();
    for warning in &loaded.warnings {
        let _ = writeln!(out, "# warning: {warning}");
    }
    for (index, setting) in flags::all().enumerate() {
        if setting.is_refused() {
            continue;
        }
        let value = (setting.show)(&loaded.config);
        let shown = match (setting.kind, value.as_str()) {
            (Kind::Environment(name), _) => format!("# {name} {value}"),
            (_, "") => format!("# {}", setting.name),
            _ => format!("{} {value}", setting.name),
        };
        let _ = writeln!(out, "{:<32} # {}", shown.trim_end(), loaded.source(index));
    }
    out
}

/// The keys of `stats settings`, in memcached's order.
const STAT_KEYS: &[&str] = &[
    "maxbytes",
    "maxconns",
    "tcpport",
    "udpport",
    "inter",
    "verbosity",
    "oldest",
    "evictions",
    "domain_socket",
    "umask",
    "shutdown_command",
    "growth_factor",
    "chunk_size",
    "num_threads",
    "num_threads_per_udp",
    "stat_key_prefix",
    "detail_enabled",
    "reqs_per_event",
    "cas_enabled",
    "tcp_backlog",
    "binding_protocol",
    "auth_enabled_sasl",
    "auth_enabled_ascii",
    "item_size_max",
    "maxconns_fast",
    "hashpower_init",
    "slab_reassign",
    "slab_automove",
    "slab_automove_ratio",
    "slab_automove_window",
    "slab_chunk_max",
    "lru_crawler",
    "lru_crawler_sleep",
    "lru_crawler_tocrawl",
    "tail_repair_time",
    "flush_enabled",
    "dump_enabled",
    "hash_algorithm",
    "lru_maintainer_thread",
    "lru_segmented",
    "hot_lru_pct",
    "warm_lru_pct",
    "hot_max_factor",
    "warm_max_factor",
    "temp_lru",
    "temporary_ttl",
    "idle_timeout",
    "watcher_logbuf_size",
    "worker_logbuf_size",
    "read_buf_mem_limit",
    "track_sizes",
    "inline_ascii_response",
    "drop_privileges",
    "slab_automove_freeratio",
    "ssl_enabled",
    "ssl_chain_cert",
    "ssl_key",
    "ssl_verify_mode",
    "ssl_keyformat",
    "ssl_ciphers",
    "ssl_ca_cert",
    "ssl_wbuf_size",
    "ssl_session_cache",
    "ssl_kernel_tls",
    "ssl_min_version",
    "num_napi_ids",
    "memory_file",
    "client_flags_size",
];

/// The lines of `stats settings`: memcached's keys in its order, values in its form.
///
/// What a client can change while the daemon runs (`cache_memlimit`, `lru mode`, `verbosity` and
/// others) is not in the configuration of the start: clone it and set those fields first.
pub fn stats_settings(config: &Config) -> Vec<(&'static str, String)> {
    STAT_KEYS
        .iter()
        .map(|key| (*key, stat_value(key, config)))
        .collect()
}

fn stat_value(key: &str, config: &Config) -> String {
    let row = flags::all().find_map(|setting| {
        setting
            .stat
            .filter(|stat| stat.key == key)
            .map(|stat| stat.value.unwrap_or(setting.show))
    });
    match (row, key) {
        (Some(show), _) => show(config),
        // Lines that belong to no setting of their own.
        (None, "client_flags_size") => "4".to_owned(),
        (None, "detail_enabled") => value::show_yes(config.stats_detail),
        (None, "lru_segmented") => value::show_yes(config.lru_segmented),
        // memcached reads a UDP socket with all threads when there is one, else with one each.
        (None, "num_threads_per_udp") if config.listen.len() > 1 => "1".to_owned(),
        (None, "num_threads_per_udp") => config.workers.to_string(),
        (None, "temp_lru") => value::show_yes(config.temporary_ttl_s.is_some()),
        (None, _) => "0".to_owned(),
    }
}

/// How a setting is written on the command line, all ways.
fn forms(setting: &Setting) -> Vec<String> {
    let value = match setting.kind {
        Kind::Value(value) => format!(" {value}"),
        Kind::Optional(value, _) => format!("[={value}]"),
        Kind::Toggle => "[=yes|no]".to_owned(),
        Kind::Switch | Kind::Count => String::new(),
        Kind::Environment(name) => return vec![name.to_owned()],
    };
    let mut forms = Vec::new();
    if let Some(short) = setting.short {
        forms.push(format!("-{short}{value}"));
    }
    forms.push(format!("--{}{value}", setting.name));
    if let Some(extended) = setting.extended {
        forms.push(match setting.kind {
            Kind::Toggle => format!("-o [no_]{extended}"),
            Kind::Value(value) => format!("-o {extended}={value}"),
            Kind::Optional(value, _) => format!("-o {extended}[={value}]"),
            _ => format!("-o {extended}"),
        });
    }
    forms
}

fn of_group(group: Group) -> impl Iterator<Item = &'static Setting> {
    flags::all().filter(move |setting| setting.group == group && !setting.is_refused())
}

fn refused() -> impl Iterator<Item = (String, &'static str)> {
    let rows = flags::all().filter_map(|setting| match setting.support {
        Support::Refused(reason) => {
            let mut forms = forms(setting);
            forms.truncate(2);
            Some((forms.join(", "), reason))
        }
        _ => None,
    });
    rows.chain(REFUSED.iter().map(|(prefix, reason)| {
        let star = if prefix.ends_with('_') { "*" } else { "" };
        (format!("-o {prefix}{star}"), *reason)
    }))
}

/// The reference page, `docs/configuration.md`.
pub fn markdown() -> String {
    let mut out = String::from(MARKDOWN_HEAD);
    for group in Group::ALL {
        let _ = write!(out, "\n## {}\n", group.title());
        for setting in of_group(group) {
            let _ = write!(out, "\n### {}\n\n", setting.name);
            let forms: Vec<String> = forms(setting).iter().map(|f| format!("`{f}`")).collect();
            let _ = write!(out, "{}", forms.join(", "));
            let default = setting.default_text();
            if setting.kind != Kind::Switch && !default.is_empty() {
                let _ = write!(out, "; default {}", quoted(setting, &default));
            }
            if setting.reload {
                let _ = write!(out, "; taken over on SIGHUP");
            }
            let _ = write!(out, ".\n\n{}\n", setting.help);
        }
    }
    out.push_str("\n## Words under -o that stand for others\n\n");
    out.push_str("| word | stands for | meaning |\n|---|---|---|\n");
    for word in WORDS {
        let values: Vec<String> = word
            .values
            .iter()
            .map(|(name, value)| format!("`{name} {value}`"))
            .collect();
        let _ = writeln!(
            out,
            "| `{}` | {} | {} |",
            word.name,
            values.join(", "),
            word.meaning
        );
    }
    out.push_str(
        "\n## Refused\n\nmemcached has these and larderd does not. It does not start with them, \
         because to ignore them\nwould be a lie.\n\n| option | why |\n|---|---|\n",
    );
    for (form, reason) in refused() {
        let _ = writeln!(out, "| `{form}` | {reason} |");
    }
    out
}

fn quoted(setting: &Setting, default: &str) -> String {
    if setting.default.is_some() && setting.name == "threads" {
        default.to_owned()
    } else {
        format!("`{default}`")
    }
}

const MARKDOWN_HEAD: &str = "\
# Configuration

This page is generated from the table of settings. `UPDATE_GENERATED=1 cargo test generated`
writes it anew, and `cargo test` fails when it is stale.

A setting can be given in three places. The command line is stronger than the environment, the
environment is stronger than the file, and within one place the last word counts.

* **Command line**: memcached's letters and its names under `-o`, or long names.
* **Environment**: `LARDER_` and the long name in capitals with underscores, such as
  `LARDER_MEMORY_LIMIT=128`; what takes no value is `yes` or `no`. `LARDER_CONFIG` names the file,
  `LARDER_EXTENDED` holds words as behind `-o`.
* **File** (`--config FILE`): one option a line as on the command line (`-m 128`), or its long name
  and value (`memory-limit 128`); `#` begins a comment. Debian's memcached.conf is such a file:
  its `-d` and `logfile` lines are passed over, other words that larderd does not know are too,
  with a warning.

`--check-config` says whether all of it is good, `--print-config` prints every setting with where
its value came from. SIGHUP reads the file again: a setting marked so below is taken over, any
other that has changed is named in the log and waits for a restart.
";

/// The manual page, `packaging/larderd.8`.
pub fn man() -> String {
    let mut out = String::new();
    let _ = writeln!(
        out,
        ".TH LARDERD 8 \"\" \"larder\" \"System Administration\""
    );
    let _ = write!(
        out,
        ".SH NAME\nlarderd \\- a cache daemon that speaks memcached's protocols\n\
         .SH SYNOPSIS\n.B larderd\n[\\fIoptions\\fR]\n\
         .SH DESCRIPTION\n{}\n",
        roff(ABOUT)
    );
    for group in Group::ALL {
        let _ = writeln!(out, ".SH {}", roff(&group.title().to_uppercase()));
        for setting in of_group(group) {
            let forms: Vec<String> = forms(setting).iter().map(|form| roff(form)).collect();
            let mut text = setting.help.to_owned();
            let default = setting.default_text();
            if setting.kind != Kind::Switch && !default.is_empty() {
                let _ = write!(text, " Default: {default}.");
            }
            let _ = write!(
                out,
                ".TP\n.B {}\n{}\n",
                forms.join(", "),
                roff(&text.replace('`', ""))
            );
        }
    }
    out.push_str(MAN_TAIL);
    out
}

/// The manual page of the file, `packaging/larderd.conf.5`.
pub fn file_man() -> String {
    let mut out = String::from(FILE_HEAD);
    for group in Group::ALL {
        let _ = writeln!(out, ".SH {}", roff(&group.title().to_uppercase()));
        let in_file = |setting: &&Setting| {
            // The service manager decides about the background, the environment about its own.
            !matches!(setting.kind, Kind::Environment(_)) && setting.name != "daemon"
        };
        for setting in of_group(group).filter(in_file) {
            let value = match setting.kind {
                Kind::Value(value) => format!(" {value}"),
                Kind::Optional(value, _) => format!(" [{value}]"),
                Kind::Toggle | Kind::Switch => " [yes|no]".to_owned(),
                Kind::Count => " [NUMBER]".to_owned(),
                Kind::Environment(_) => String::new(),
            };
            let short = match (setting.short, setting.kind) {
                (Some(short), Kind::Value(value)) => format!(", -{short} {value}"),
                (Some(short), _) => format!(", -{short}"),
                (None, _) => String::new(),
            };
            let mut text = setting.help.to_owned();
            let default = setting.default_text();
            if setting.kind != Kind::Switch && !default.is_empty() {
                let _ = write!(text, " Default: {default}.");
            }
            if setting.reload {
                text.push_str(" Taken over on SIGHUP.");
            }
            let forms = format!("{}{value}{short}", setting.name);
            let text = roff(&text.replace('`', ""));
            let _ = write!(out, ".TP\n.B {}\n{text}\n", roff(&forms));
        }
    }
    out.push_str(FILE_TAIL);
    out
}

const FILE_HEAD: &str = "\
.TH LARDERD.CONF 5 \"\" \"larder\" \"File Formats\"
.SH NAME
larderd.conf \\- settings of larderd, one a line
.SH SYNOPSIS
.I /etc/larder/larderd.conf
.br
.I /etc/larder/NAME.conf
.SH DESCRIPTION
The file that
.B larderd \\-\\-config
reads. The unit larderd.service reads
.IR /etc/larder/larderd.conf ,
the unit larderd@NAME.service
.IR /etc/larder/NAME.conf .
.PP
A line is empty, or a comment that begins with #, or a setting: its long name and its value
(memory\\-limit 128), or the same as on the command line (\\-m 128, \\-\\-memory\\-limit=128). Behind a value
a # after a blank begins a comment. Of two lines about the same setting the later counts; \\-l adds to
those before it. There is no quoting and no shell.
.PP
That is the form of Debian's memcached.conf, and such a file can be used as it is: lines \\-d and \\-h, and
those that begin with logfile, maxcon, verbosity or syslog, are passed over in silence, other words that
are no setting with a warning. An unknown name behind \\-\\- is an error.
.PP
The environment (LARDER_MEMORY_LIMIT=128) is stronger than the file, the command line stronger still.
.PP
.B larderd \\-\\-config FILE \\-\\-check\\-config
says whether a file is good,
.B \\-\\-print\\-config
what comes of it. SIGHUP, and systemctl reload, reads it again: what is marked below is taken over, what
else has changed is named in the log and waits for a restart.
";

const FILE_TAIL: &str = "\
.SH EXAMPLE
.nf
# half a gigabyte, for this host and one network
\\-m 512
\\-l 127.0.0.1
\\-l 192.0.2.10
conn\\-limit 4096   # as \\-c 4096
idle\\-timeout 600
auth\\-file /etc/larder/users
.fi
.SH SEE ALSO
.BR larderd (8),
.BR larder\\-users (5),
.BR systemctl (1)
";

/// Text as troff takes it.
pub(crate) fn roff(text: &str) -> String {
    let text = text.replace('\\', "\\e").replace('-', "\\-");
    if text.starts_with('.') || text.starts_with('\'') {
        format!("\\&{text}")
    } else {
        text
    }
}

const MAN_TAIL: &str = "\
.SH OTHER OPTIONS
.TP
.B \\-o \\fINAME[=VALUE],...\\fR
Settings by the names that memcached has for them.
.TP
.B \\-\\-config \\fIFILE\\fR
Read settings from this file first, one option a line.
.TP
.B \\-\\-check\\-config
Say whether the settings are good, and leave.
.TP
.B \\-\\-print\\-config
Print every setting with where it came from, and leave.
.TP
.B \\-h, \\-\\-help
Print help, and leave.
.TP
.B \\-V, \\-\\-version
Print the version, and leave.
.TP
.B \\-i, \\-\\-license
Print the licence, and leave.
.SH SIGNALS
.TP
.B SIGTERM, SIGUSR1
Stop gracefully: no client is accepted any more, idle ones are closed, and the others are served what
they have asked for, for
.B \\-\\-drain\\-timeout
seconds at most. A second SIGTERM stops at once.
.TP
.B SIGINT
Stop at once.
.TP
.B SIGHUP
Read the file again and take over what can be.
.TP
.B SIGUSR2
Write the snapshot of
.BR \\-\\-snapshot .
.SH ENVIRONMENT
.TP
.B LARDER_\\fINAME\\fR
Every setting by its long name, in capitals and with underscores.
.TP
.B NOTIFY_SOCKET, WATCHDOG_USEC
Where a service manager is told that clients can connect, that settings are read again and that the
end begins, and how often it wants to hear that every thread still comes round; see
.BR sd_notify (3).
.TP
.B LISTEN_FDS, LISTEN_PID, LISTEN_FDNAMES
Sockets that a service manager has bound; see
.BR sd_listen_fds (3).
They are served instead of what \\-l, \\-p, \\-U and \\-s would bind. A TCP socket is treated as \\-l says
of its address, any other as \\-B and \\-Z say. Where the settings name a unix socket, a UDP port or an
address with a prefix that is not among the given ones, larderd does not start.
.SH EXIT STATUS
0 after a clean stop, 64 for a wrong option, 1 for anything else that kept it from serving.
.SH SEE ALSO
.BR larderd.conf (5),
.BR larder-users (5),
.BR memcached (1)
";
