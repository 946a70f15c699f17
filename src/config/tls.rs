//! What the settings say about TLS.

use std::path::PathBuf;

/// The lowest version of TLS that is spoken.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum TlsVersion {
    /// TLS 1.2.
    #[default]
    Tls12,
    /// TLS 1.3.
    Tls13,
}

impl TlsVersion {
    /// As memcached numbers it.
    pub const fn number(self) -> u8 {
        match self {
            Self::Tls12 => 2,
            Self::Tls13 => 3,
        }
    }

    /// As `stats settings` spells it.
    pub const fn stat(self) -> &'static str {
        match self {
            Self::Tls12 => "tlsv1.2",
            Self::Tls13 => "tlsv1.3",
        }
    }
}

/// What an address says about TLS, by its prefix.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ListenTls {
    /// None, whatever `-Z` says (`notls:`).
    Off,
    /// TLS that asks for no client certificate (`btls:`).
    Basic,
    /// TLS that requires a client certificate (`mtls:`).
    Mutual,
}

impl ListenTls {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Off, Self::Basic, Self::Mutual];

    /// As an address spells it.
    pub const fn prefix(self) -> &'static str {
        match self {
            Self::Off => "notls:",
            Self::Basic => "btls:",
            Self::Mutual => "mtls:",
        }
    }
}

/// Whether a client shows a certificate, as numbers of `ssl_verify_mode`.
pub mod verify {
    /// It is not asked.
    pub const NONE: u8 = 0;
    /// It is asked; what it shows must be good.
    pub const REQUEST: u8 = 1;
    /// It must.
    pub const REQUIRE: u8 = 2;
    /// It must. In memcached it is not asked again when it renegotiates, which nobody may here.
    pub const ONCE: u8 = 3;
}

/// What the settings say about TLS.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct TlsConfig {
    /// Whether addresses speak TLS unless they say otherwise (`-Z`).
    pub enabled: bool,
    /// File of our certificate and those that signed it.
    pub chain_cert: Option<PathBuf>,
    /// File of our private key; the file of the certificate when not given.
    pub key: Option<PathBuf>,
    /// File of the authorities whose client certificates are good.
    pub ca_cert: Option<PathBuf>,
    /// Whether a client shows a certificate; see [`verify`].
    pub verify_mode: u8,
    /// The lowest version spoken.
    pub min_version: TlsVersion,
    /// Whether a lower one was asked for.
    pub min_version_raised: bool,
    /// Cipher suites of TLS 1.2, as OpenSSL names them; none is all that are known to be good.
    pub ciphers: Option<String>,
    /// Whether a client may resume a session.
    pub session_cache: bool,
    /// Accepted for memcached's sake, in bytes.
    pub write_buffer_size: u32,
}

impl Default for TlsConfig {
    fn default() -> Self {
        Self {
            enabled: false,
            chain_cert: None,
            key: None,
            ca_cert: None,
            verify_mode: verify::NONE,
            min_version: TlsVersion::Tls12,
            min_version_raised: false,
            ciphers: None,
            session_cache: false,
            write_buffer_size: 16 << 10,
        }
    }
}
