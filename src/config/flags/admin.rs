//! Settings of the admin listener.

use std::path::PathBuf;

use super::{Group, Kind, ROW, Setting};
use crate::config::admin::AdminListen;
use crate::config::value::{show_yes, text, yes};

pub(super) const ROWS: &[Setting] = &[
    Setting {
        name: "admin",
        kind: Kind::Value("HOST:PORT|PATH|off"),
        group: Group::Admin,
        help: "Where metrics for Prometheus, health, the JSON API and a page to look at are served \
               over HTTP: an address, whose port is 9150 if it names none, or the path of a unix socket, which \
               gets the mode of -a. Beyond loopback --admin-token-file must be given.",
        apply: |config, value| {
            config.admin = AdminListen::parse(value)?;
            Ok(())
        },
        show: |config| config.admin.to_string(),
        ..ROW
    },
    Setting {
        name: "admin-token-file",
        kind: Kind::Value("FILE"),
        group: Group::Admin,
        help: "File whose first line is the token that whoever asks the admin listener must show \
               (Authorization: Bearer TOKEN, or as the password of a browser); only /healthz and /readyz are for everybody. At \
               least 16 characters. Read again at SIGHUP.",
        apply: |config, value| {
            config.admin_token_file = Some(PathBuf::from(text(value)?));
            Ok(())
        },
        show: |config| {
            let path = config.admin_token_file.as_ref();
            path.map_or_else(String::new, |path| path.display().to_string())
        },
        ..ROW
    },
    Setting {
        name: "admin-tls",
        group: Group::Admin,
        help: "Speak TLS at the address of the admin listener, with the certificate of -o ssl_chain_cert and \
               ssl_key, which need not be shown to clients (-Z). Both are read again at SIGHUP.",
        apply: |config, value| {
            config.admin_tls = yes(value)?;
            Ok(())
        },
        show: |config| show_yes(config.admin_tls),
        ..ROW
    },
];
