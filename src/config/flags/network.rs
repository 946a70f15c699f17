//! Settings of listeners and connections.

use std::path::PathBuf;

use super::{Kind, ROW, Setting, Support, stat, stat_as};
use crate::config::value::{bytes, expected, integer, listen, protocol, show_yes, text, yes};
use crate::config::{LISTEN_DEFAULT, Listen};

/// Ports: -1 is any free one, 0 is off.
const PORTS: std::ops::RangeInclusive<i32> = -1..=65535;

pub(super) const ROWS: &[Setting] = &[
    Setting {
        name: "listen",
        short: Some('l'),
        kind: Kind::Value("ADDRESS,..."),
        help: "Addresses to serve: HOST, HOST:PORT, [IPV6]:PORT, or * for every interface. May be \
               given more than once. A prefix proto[ascii]:, proto[binary]: or proto[auto]: says \
               what is spoken there, tag[NAME]: marks its connections, and notls:, btls: or mtls: \
               makes an exception to -Z. Without it only loopback \
               is served, where memcached would serve every interface: a cache without a login \
               is reachable from elsewhere only when you say so.",
        apply: |config, value| {
            config.listen.extend(listen(value)?);
            Ok(())
        },
        clear: Some(|config| config.listen.clear()),
        show: |config| join(&config.listen),
        default: Some("127.0.0.1,::1"),
        stat: stat_as("inter", |config| {
            if config.listen.is_empty() {
                LISTEN_DEFAULT.join(",")
            } else {
                join(&config.listen)
            }
        }),
        ..ROW
    },
    Setting {
        name: "port",
        short: Some('p'),
        kind: Kind::Value("PORT"),
        help: "TCP port; 0 turns TCP off, -1 takes any free port. When -U names a port and this \
               does not, TCP has the same one.",
        apply: |config, value| {
            config.tcp_port = integer(value, PORTS)?;
            Ok(())
        },
        show: |config| config.tcp_port.to_string(),
        stat: stat("tcpport"),
        ..ROW
    },
    Setting {
        name: "udp-port",
        short: Some('U'),
        kind: Kind::Value("PORT"),
        help: "UDP port; 0 turns UDP off, -1 takes any free port. Leave it off where strangers \
               can reach it: UDP lends itself to amplification.",
        apply: |config, value| {
            config.udp_port = integer(value, PORTS)?;
            Ok(())
        },
        show: |config| config.udp_port.to_string(),
        stat: stat("udpport"),
        ..ROW
    },
    Setting {
        name: "unix-socket",
        short: Some('s'),
        kind: Kind::Value("FILE"),
        help: "Unix socket to serve. Alone it turns TCP off, as in memcached; together with -p \
               or -l both are served.",
        apply: |config, value| {
            config.unix_socket = Some(PathBuf::from(text(value)?));
            Ok(())
        },
        show: |config| path(config.unix_socket.as_ref()),
        stat: stat_as("domain_socket", |config| {
            config
                .unix_socket
                .as_ref()
                .map_or_else(|| "NULL".to_owned(), |path| path.display().to_string())
        }),
        ..ROW
    },
    Setting {
        name: "unix-mask",
        short: Some('a'),
        kind: Kind::Value("OCTAL"),
        help: "Access mode of the unix socket.",
        apply: |config, value| {
            let mode = u32::from_str_radix(value, 8).ok().filter(|m| *m <= 0o777);
            let Some(mode) = mode else {
                return expected("an octal mode from 0 to 777");
            };
            config.unix_mask = mode;
            Ok(())
        },
        show: |config| format!("{:o}", config.unix_mask),
        stat: stat("umask"),
        ..ROW
    },
    Setting {
        name: "protocol",
        short: Some('B'),
        kind: Kind::Value("NAME"),
        help: "What clients may speak: ascii (text and meta), binary, or auto, which follows \
               each client's first byte.",
        apply: |config, value| {
            config.protocol = protocol(value)?;
            Ok(())
        },
        show: |config| config.protocol.name().to_owned(),
        stat: stat_as("binding_protocol", |config| {
            config.protocol.stat().to_owned()
        }),
        ..ROW
    },
    Setting {
        name: "conn-limit",
        short: Some('c'),
        kind: Kind::Value("COUNT"),
        help: "Most clients at a time.",
        apply: |config, value| {
            config.conn_limit = integer(value, 1..=10_000_000)?;
            Ok(())
        },
        show: |config| config.conn_limit.to_string(),
        stat: stat("maxconns"),
        ..ROW
    },
    Setting {
        name: "maxconns-fast",
        extended: Some("maxconns_fast"),
        kind: Kind::Toggle,
        help: "Tell a client above the limit so and close it at once; otherwise it waits \
               unaccepted.",
        apply: |config, value| {
            config.maxconns_fast = yes(value)?;
            Ok(())
        },
        show: |config| show_yes(config.maxconns_fast),
        stat: stat("maxconns_fast"),
        ..ROW
    },
    Setting {
        name: "listen-backlog",
        short: Some('b'),
        kind: Kind::Value("COUNT"),
        help: "Connections that the system may hold before they are accepted.",
        apply: |config, value| {
            config.backlog = integer(value, 0..=i32::MAX.unsigned_abs())?;
            Ok(())
        },
        show: |config| config.backlog.to_string(),
        stat: stat("tcp_backlog"),
        ..ROW
    },
    Setting {
        name: "idle-timeout",
        extended: Some("idle_timeout"),
        kind: Kind::Value("SECONDS"),
        help: "Close a client that says nothing for so long; 0 never does.",
        apply: |config, value| {
            config.idle_timeout_s = integer(value, 0..=i32::MAX.unsigned_abs())?;
            Ok(())
        },
        show: |config| config.idle_timeout_s.to_string(),
        stat: stat("idle_timeout"),
        ..ROW
    },
    Setting {
        name: "max-reqs-per-event",
        short: Some('R'),
        kind: Kind::Value("COUNT"),
        help: "Requests that one client is served before others have their turn.",
        apply: |config, value| {
            config.requests_per_event = integer(value, 1..=i32::MAX.unsigned_abs())?;
            Ok(())
        },
        show: |config| config.requests_per_event.to_string(),
        stat: stat("reqs_per_event"),
        ..ROW
    },
    Setting {
        name: "read-buf-mem-limit",
        extended: Some("read_buf_mem_limit"),
        kind: Kind::Value("MEGABYTES"),
        help: "Bound on the buffers of all connections together; 0 is none.",
        apply: |config, value| {
            let Some(limit) = bytes(value, 1 << 20) else {
                return expected("megabytes");
            };
            config.read_buf_mem_limit = limit;
            Ok(())
        },
        show: |config| (config.read_buf_mem_limit >> 20).to_string(),
        stat: stat_as("read_buf_mem_limit", |config| {
            config.read_buf_mem_limit.to_string()
        }),
        ..ROW
    },
    Setting {
        name: "keep-listeners",
        help: "Keep listening over `systemctl restart`: systemd holds the sockets meanwhile, and \
               clients that connect wait for the next larderd. Implied by --keep-memory. Needs \
               FileDescriptorStoreMax= in the unit, which the packaged ones have.",
        apply: |config, value| {
            config.keep_listeners = yes(value)?;
            Ok(())
        },
        show: |config| show_yes(config.keep_listeners),
        ..ROW
    },
    Setting {
        name: "port-file",
        kind: Kind::Environment("MEMCACHED_PORT_FILENAME"),
        help: "File to write the ports in use to, one a line, once they are bound. For tests \
               that ask for any free port.",
        apply: |config, value| {
            config.port_file = Some(PathBuf::from(text(value)?));
            Ok(())
        },
        show: |config| path(config.port_file.as_ref()),
        ..ROW
    },
    Setting {
        name: "napi-ids",
        short: Some('N'),
        kind: Kind::Value("COUNT"),
        help: "Threads chosen by the network card's queue.",
        stat: stat_as("num_napi_ids", |_| "0".to_owned()),
        support: Support::Refused(
            "larderd gives each connection to the least loaded worker and does not choose by \
             the network card's queue.",
        ),
        ..ROW
    },
];

fn join(all: &[Listen]) -> String {
    let all: Vec<String> = all.iter().map(Listen::to_string).collect();
    all.join(",")
}

fn path(path: Option<&PathBuf>) -> String {
    path.map_or_else(String::new, |path| path.display().to_string())
}
