//! Settings of TLS.

use std::path::PathBuf;

use super::{Group, Kind, ROW, Setting, Support, stat, stat_as};
use crate::config::tls::{TlsVersion, verify};
use crate::config::value::{expected, integer, kilobytes, show_yes, text, yes};

pub(super) const ROWS: &[Setting] = &[
    Setting {
        name: "enable-ssl",
        short: Some('Z'),
        group: Group::Tls,
        help: "Speak TLS 1.2 and 1.3 on every TCP address. The prefixes of -l make exceptions: \
               notls: is plain, btls: is TLS without client certificates, mtls: requires one. \
               The unix socket stays plain, and so does UDP.",
        apply: |config, value| {
            config.tls.enabled = yes(value)?;
            Ok(())
        },
        show: |config| show_yes(config.tls.enabled),
        stat: stat("ssl_enabled"),
        ..ROW
    },
    Setting {
        name: "ssl-chain-cert",
        extended: Some("ssl_chain_cert"),
        kind: Kind::Value("FILE"),
        group: Group::Tls,
        help: "PEM file of the certificate that clients are shown, and behind it those that \
               signed it. The file is read again by SIGHUP and by the command refresh_certs; open \
               connections stay as they are.",
        apply: |config, value| {
            config.tls.chain_cert = Some(PathBuf::from(text(value)?));
            Ok(())
        },
        show: |config| path(config.tls.chain_cert.as_ref()),
        stat: stat_as("ssl_chain_cert", |config| {
            path_or_null(config.tls.chain_cert.as_ref())
        }),
        ..ROW
    },
    Setting {
        name: "ssl-key",
        extended: Some("ssl_key"),
        kind: Kind::Value("FILE"),
        group: Group::Tls,
        help: "PEM file of the private key, when it is not in the file of the certificate. Nobody \
               but the daemon should be able to read it.",
        apply: |config, value| {
            config.tls.key = Some(PathBuf::from(text(value)?));
            Ok(())
        },
        show: |config| path(config.tls.key.as_ref()),
        stat: stat_as("ssl_key", |config| path_or_null(config.tls.key.as_ref())),
        ..ROW
    },
    Setting {
        name: "ssl-verify-mode",
        extended: Some("ssl_verify_mode"),
        kind: Kind::Value("MODE"),
        group: Group::Tls,
        help: "Client certificates: 0 asks for none; 1 asks, and refuses a client whose \
               certificate is not good; 2 requires one; 3 is 2, since no client may renegotiate.",
        apply: |config, value| {
            config.tls.verify_mode = integer(value, verify::NONE..=verify::ONCE)?;
            Ok(())
        },
        show: |config| config.tls.verify_mode.to_string(),
        stat: stat("ssl_verify_mode"),
        ..ROW
    },
    Setting {
        name: "ssl-keyformat",
        extended: Some("ssl_keyformat"),
        kind: Kind::Value("FORMAT"),
        group: Group::Tls,
        help: "Format of the key file: PEM, which is also 1, is the only one.",
        apply: |_, value| match value {
            "1" => Ok(()),
            _ if value.eq_ignore_ascii_case("pem") => Ok(()),
            _ => expected("PEM or 1, its number; `openssl pkey` converts others"),
        },
        show: |_| "PEM".to_owned(),
        stat: stat_as("ssl_keyformat", |_| "1".to_owned()),
        ..ROW
    },
    Setting {
        name: "ssl-ciphers",
        extended: Some("ssl_ciphers"),
        kind: Kind::Value("LIST"),
        group: Group::Tls,
        help: "Cipher suites of TLS 1.2 by OpenSSL's names, with colons between: \
               ECDHE-ECDSA-AES256-GCM-SHA384, ECDHE-ECDSA-AES128-GCM-SHA256, \
               ECDHE-ECDSA-CHACHA20-POLY1305, and the same with RSA. Words such as HIGH and \
               DEFAULT mean all of them, !NAME takes one away. Unknown names are passed over with \
               a warning, as in OpenSSL; a list of nothing else is refused. TLS 1.3 is not \
               concerned.",
        apply: |config, value| {
            config.tls.ciphers = Some(text(value)?.to_owned());
            Ok(())
        },
        show: |config| config.tls.ciphers.clone().unwrap_or_default(),
        stat: stat_as("ssl_ciphers", |config| {
            let ciphers = config.tls.ciphers.clone();
            ciphers.unwrap_or_else(|| "NULL".to_owned())
        }),
        ..ROW
    },
    Setting {
        name: "ssl-ca-cert",
        extended: Some("ssl_ca_cert"),
        kind: Kind::Value("FILE"),
        group: Group::Tls,
        help: "PEM file of the authorities that sign good client certificates. Read again with \
               the certificate.",
        apply: |config, value| {
            config.tls.ca_cert = Some(PathBuf::from(text(value)?));
            Ok(())
        },
        show: |config| path(config.tls.ca_cert.as_ref()),
        stat: stat_as("ssl_ca_cert", |config| {
            path_or_null(config.tls.ca_cert.as_ref())
        }),
        ..ROW
    },
    Setting {
        name: "ssl-wbuf-size",
        extended: Some("ssl_wbuf_size"),
        kind: Kind::Value("KILOBYTES"),
        group: Group::Compatibility,
        help: "Size of memcached's buffer for encryption. larderd holds up to 64 kilobytes that \
               are encrypted and not sent, for those connections that have any.",
        apply: |config, value| {
            config.tls.write_buffer_size = kilobytes(value)?;
            Ok(())
        },
        show: |config| (config.tls.write_buffer_size >> 10).to_string(),
        stat: stat_as("ssl_wbuf_size", |config| {
            config.tls.write_buffer_size.to_string()
        }),
        support: Support::NoEffect,
        ..ROW
    },
    Setting {
        name: "ssl-session-cache",
        extended: Some("ssl_session_cache"),
        kind: Kind::Toggle,
        group: Group::Tls,
        help: "Let clients resume sessions, which spares both sides most of a handshake.",
        apply: |config, value| {
            config.tls.session_cache = yes(value)?;
            Ok(())
        },
        show: |config| show_yes(config.tls.session_cache),
        stat: stat("ssl_session_cache"),
        ..ROW
    },
    Setting {
        name: "ssl-kernel-tls",
        extended: Some("ssl_kernel_tls"),
        kind: Kind::Toggle,
        group: Group::Tls,
        help: "Encryption by the kernel.",
        show: |_| "no".to_owned(),
        stat: stat("ssl_kernel_tls"),
        support: Support::Refused("larderd encrypts by itself and hands no session to the kernel."),
        ..ROW
    },
    Setting {
        name: "ssl-min-version",
        extended: Some("ssl_min_version"),
        kind: Kind::Value("VERSION"),
        group: Group::Tls,
        help: "Lowest version spoken: 2 is TLS 1.2, 3 is TLS 1.3. 0 and 1 stand for TLS 1.0 and \
               1.1 in memcached; larderd does not speak these and takes them for 2, with a \
               warning.",
        apply: |config, value| {
            config.tls.min_version = match integer(value, 0..=3)? {
                3 => TlsVersion::Tls13,
                _ => TlsVersion::Tls12,
            };
            config.tls.min_version_raised = matches!(value, "0" | "1");
            Ok(())
        },
        show: |config| config.tls.min_version.number().to_string(),
        stat: stat_as("ssl_min_version", |config| {
            config.tls.min_version.stat().to_owned()
        }),
        ..ROW
    },
];

fn path(path: Option<&PathBuf>) -> String {
    path.map_or_else(String::new, |path| path.display().to_string())
}

fn path_or_null(path: Option<&PathBuf>) -> String {
    path.map_or_else(|| "NULL".to_owned(), |path| path.display().to_string())
}
