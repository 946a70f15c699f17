//! What the settings say about the admin listener.

use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;

use super::value::{Result, Wrong, expected};
use crate::limits::ADMIN_DESCRIPTORS;

/// The port of the admin listener where none is named: that of memcached's exporter, so that
/// what collects from one collects from the other.
pub const ADMIN_PORT: u16 = 9150;

/// Where metrics and the API are served.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub enum AdminListen {
    /// Nowhere.
    #[default]
    Off,
    /// At an address.
    Tcp {
        /// Name or number, without brackets.
        host: String,
        /// Its port; 0 is any free one.
        port: u16,
    },
    /// At a unix socket.
    Unix(PathBuf),
}

impl AdminListen {
    /// Reads `off`, `HOST[:PORT]`, `[IPV6][:PORT]` or a path, which has a slash.
    ///
    /// # Errors
    ///
    /// What would have been allowed.
    pub fn parse(text: &str) -> Result<Self> {
        let wrong = || Wrong::Expected("HOST, HOST:PORT, the path of a socket, or off".to_owned());
        if text.is_empty() {
            return Err(wrong());
        }
        if text == "off" {
            return Ok(Self::Off);
        }
        if text.contains('/') {
            return Ok(Self::Unix(PathBuf::from(text)));
        }
        let (host, port) = match text.strip_prefix('[') {
            Some(rest) => rest.split_once(']').ok_or_else(wrong)?,
            None if text.matches(':').count() > 1 => (text, ""),
            None => text
                .find(':')
                .map_or((text, ""), |colon| text.split_at(colon)),
        };
        let port = match port.strip_prefix(':') {
            Some(digits) => match digits.parse() {
                Ok(port) => port,
                Err(_) => return expected("a port from 0 to 65535 after the last colon"),
            },
            None if port.is_empty() => ADMIN_PORT,
            None => return Err(wrong()),
        };
        let is_host = |byte: u8| byte.is_ascii_alphanumeric() || b"-._:%".contains(&byte);
        if host.is_empty() || !host.bytes().all(is_host) {
            return Err(wrong());
        }
        let host = host.to_owned();
        Ok(Self::Tcp { host, port })
    }

    /// Descriptors that it takes.
    pub const fn descriptors(&self) -> u64 {
        match self {
            Self::Off => 0,
            Self::Tcp { .. } | Self::Unix(_) => ADMIN_DESCRIPTORS,
        }
    }

    /// Whether only processes of this host can reach it.
    pub fn is_local(&self) -> bool {
        match self {
            Self::Off | Self::Unix(_) => true,
            Self::Tcp { host, .. } => match host.parse::<IpAddr>() {
                Ok(address) => address.is_loopback(),
                Err(_) => host == "localhost",
            },
        }
    }
}

impl fmt::Display for AdminListen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Off => f.write_str("off"),
            Self::Unix(path) => write!(f, "{}", path.display()),
            Self::Tcp { host, port } if host.contains(':') => write!(f, "[{host}]:{port}"),
            Self::Tcp { host, port } => write!(f, "{host}:{port}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_a_path_or_off_is_read_and_written() {
        for (text, written, is_local) in [
            ("off", "off", true),
            ("127.0.0.1", "127.0.0.1:9150", true),
            ("localhost:0", "localhost:0", true),
            ("::1", "[::1]:9150", true),
            ("[::1]:80", "[::1]:80", true),
            ("[fe80::1]", "[fe80::1]:9150", false),
            ("0.0.0.0:9150", "0.0.0.0:9150", false),
            ("cache1.example:9150", "cache1.example:9150", false),
            ("./admin", "./admin", true),
            ("/run/larder/admin", "/run/larder/admin", true),
        ] {
            let listen = AdminListen::parse(text).unwrap();
            assert_eq!(listen.to_string(), written);
            assert_eq!(AdminListen::parse(written).unwrap(), listen);
            assert_eq!(listen.is_local(), is_local, "{text}");
        }
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for text in [
            "",
            ":",
            ":9150",
            "host:",
            "host:x",
            "host:65536",
            "[::1",
            "[::1]x",
            "[]:1",
            "a b",
            "*",
        ] {
            assert!(AdminListen::parse(text).is_err(), "{text}");
        }
    }
}
