//! Settings of the cluster, and of what clients are told about it.

use super::{Group, Kind, ROW, Setting};
use crate::config::value::Wrong;

pub(super) const ROWS: &[Setting] = &[Setting {
    name: "advertise",
    kind: Kind::Value("NAME|IP|PORT"),
    group: Group::Cluster,
    help: "What clients that ask for the nodes of the cluster are told of this one. Any part may \
           be left out: it is then taken from the first address that is served, with IPv4 before \
           IPv6. Give a name that clients can resolve, and that the certificate has when they \
           speak TLS; it should stay when the address changes.",
    apply: |config, value| {
        config.advertise = value
            .parse()
            .map_err(|error| Wrong::Refused(format!("{error}; any part may be empty.")))?;
        Ok(())
    },
    show: |config| config.advertise.to_string(),
    ..ROW
}];
