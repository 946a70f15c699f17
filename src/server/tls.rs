//! TLS: certificates, and what one encrypted connection adds to its socket.
//!
//! This is the only file that names rustls. [`Tls`] is what the whole server has: one
//! configuration for each way to treat client certificates, replaced as a whole when the files
//! are read again, so that an open connection keeps what it began with and a new one sees all of
//! the new or nothing of it. [`Secured`] is what one connection has. Handshakes are driven by the
//! turns of the connection's worker, like everything else about it.

use std::fmt;
use std::fs::{self, File};
use std::io::{self, IoSlice, Read, Write};
use std::os::fd::BorrowedFd;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use arc_swap::ArcSwap;
use rustix::net::{SendAncillaryBuffer, SendFlags};
use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::server::{NoServerSessionStorage, ServerSessionMemoryCache, WebPkiClientVerifier};
use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, HandshakeKind, RootCertStore,
    ServerConfig, ServerConnection, SignatureScheme, SupportedProtocolVersion,
};
use x509_parser::objects::{oid_registry, oid2abbrev};
use x509_parser::prelude::{FromDer, X509Certificate, X509Name};

use super::stream::{Received, Sending, Sent, receive};
use crate::config::Config;
use crate::config::tls::{TlsConfig, TlsVersion, verify};
use crate::limits::{CERTIFICATE_FILE_SIZE_MAX, SECURED_OUTPUT_SIZE_MAX, TLS_SESSION_COUNT_MAX};
use crate::session::{Certificate, TlsFacts};

/// What every client that begins TLS sends first: a handshake record, and the version's first
/// half.
pub(super) const CLIENT_HELLO: &[u8] = &[22, 3];

/// Reads from the socket in one receive; a client that sends nothing but empty records has no
/// more of a turn than that.
const READ_COUNT_MAX: usize = 32;

/// What every client that begins TLS sends first: the kind of record that a handshake is.
const HANDSHAKE_RECORD: u8 = 22;

/// Suites of TLS 1.2 as OpenSSL and the standard name them.
const SUITES: [(&str, &str); 6] = [
    (
        "ECDHE-ECDSA-AES256-GCM-SHA384",
        "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",
    ),
    (
        "ECDHE-ECDSA-AES128-GCM-SHA256",
        "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
    ),
    (
        "ECDHE-ECDSA-CHACHA20-POLY1305",
        "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256",
    ),
    (
        "ECDHE-RSA-AES256-GCM-SHA384",
        "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384",
    ),
    (
        "ECDHE-RSA-AES128-GCM-SHA256",
        "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
    ),
    (
        "ECDHE-RSA-CHACHA20-POLY1305",
        "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256",
    ),
];

/// OpenSSL's words for groups of suites that contain all of ours.
const ALL_SUITES: [&str; 8] = [
    "ALL", "DEFAULT", "HIGH", "ECDHE", "EECDH", "kECDHE", "AEAD", "TLSv1.2",
];

/// Why TLS cannot be had, in words for the operator.
#[derive(Debug)]
pub struct TlsError(String);

impl fmt::Display for TlsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for TlsError {}

/// What the whole server has of TLS.
pub(super) struct Tls {
    settings: TlsConfig,
    /// The ways to treat client certificates that some listener has.
    modes: [bool; 3],
    material: ArcSwap<Material>,
    refreshed_s: AtomicU32,
    refresh_failures: AtomicU64,
}

/// What is made of the files, as they were at one moment.
struct Material {
    /// By the number of the way to treat client certificates.
    configs: [Option<Arc<ServerConfig>>; 3],
    not_after_unix_s: i64,
}

impl Tls {
    /// Reads certificate and key, when the settings ask for TLS.
    ///
    /// # Errors
    ///
    /// Each names the option or the file that is wrong.
    pub(super) fn load(config: &Config, now_s: u32) -> Result<Option<Self>, TlsError> {
        if !config.tls.enabled {
            return Ok(None);
        }
        let wanted = config.tcp_listen().into_iter();
        let wanted: Vec<u8> = wanted.filter_map(|listen| config.tls_of(&listen)).collect();
        Self::of(config.tls.clone(), &wanted, now_s).map(Some)
    }

    /// Reads certificate and key for listeners that treat client certificates in these ways.
    ///
    /// # Errors
    ///
    /// Each names the option or the file that is wrong.
    pub(super) fn of(settings: TlsConfig, wanted: &[u8], now_s: u32) -> Result<Self, TlsError> {
        let mut modes = [false; 3];
        for mode in wanted {
            modes[slot(*mode)] = true;
        }
        let material = Material::load(&settings, modes)?;
        Ok(Self {
            settings,
            modes,
            material: ArcSwap::from_pointee(material),
            refreshed_s: AtomicU32::new(now_s),
            refresh_failures: AtomicU64::new(0),
        })
    }

    /// Reads the files of all these again. When anything is wrong with them, everything stays as it
    /// is.
    ///
    /// # Errors
    ///
    /// What is wrong, with the name of the file.
    pub(super) fn refresh(all: &[&Self], now_s: u32) -> Result<(), TlsError> {
        let load = |one: &&Self| Material::load(&one.settings, one.modes);
        let loaded: Result<Vec<Material>, TlsError> = all.iter().map(load).collect();
        match loaded {
            Ok(loaded) => {
                for (one, material) in all.iter().zip(loaded) {
                    one.material.store(Arc::new(material));
                    one.refreshed_s.store(now_s, Ordering::Relaxed);
                }
                log::info!("certificates refreshed");
                Ok(())
            }
            Err(error) => {
                for one in all {
                    one.refresh_failures.fetch_add(1, Ordering::Relaxed);
                }
                log::error!("certificates not refreshed, the old ones stay: {error}");
                Err(error)
            }
        }
    }

    /// What one new connection has, at a listener that treats client certificates so.
    pub(super) fn begin(&self, mode: u8, now_s: u32) -> Result<Secured, TlsError> {
        let material = self.material.load();
        let config = material.configs[slot(mode)].as_ref();
        let config = config.ok_or_else(|| TlsError(format!("no listener has mode {mode}")))?;
        let mut connection =
            ServerConnection::new(Arc::clone(config)).map_err(|error| fail("TLS", error))?;
        connection.set_buffer_limit(Some(SECURED_OUTPUT_SIZE_MAX));
        Ok(Secured {
            connection,
            since_s: now_s,
            first: None,
            ended: None,
            trouble: None,
        })
    }

    /// What `stats` tells.
    pub(super) fn facts(&self) -> TlsFacts {
        TlsFacts {
            refreshed_s: self.refreshed_s.load(Ordering::Relaxed),
            refresh_failures: self.refresh_failures.load(Ordering::Relaxed),
            not_after_unix_s: self.material.load().not_after_unix_s,
        }
    }
}

/// Where a way to treat client certificates has its configuration. The last two ways are one.
fn slot(mode: u8) -> usize {
    usize::from(mode.min(verify::REQUIRE))
}

impl Material {
    fn load(settings: &TlsConfig, modes: [bool; 3]) -> Result<Self, TlsError> {
        let missing = || TlsError("TLS needs -o ssl_chain_cert".to_owned());
        let chain_path = settings.chain_cert.as_ref().ok_or_else(missing)?;
        let chain = certificates(chain_path, "-o ssl_chain_cert")?;
        let key_path = settings.key.as_ref().unwrap_or(chain_path);
        let key = private_key(key_path, settings.key.is_none())?;
        let authorities = match &settings.ca_cert {
            None => None,
            Some(path) => Some(Arc::new(authorities(path)?)),
        };
        let provider = Arc::new(provider(settings)?);
        let mut configs = [None, None, None];
        for (mode, wanted) in [verify::NONE, verify::REQUEST, verify::REQUIRE]
            .into_iter()
            .zip(modes)
        {
            if wanted {
                let config = config(settings, &provider, mode, authorities.clone())?
                    .with_single_cert(chain.clone(), key.clone_key())
                    .map_err(|error| {
                        let files = format!(
                            "-o ssl_chain_cert={},ssl_key={}",
                            chain_path.display(),
                            key_path.display()
                        );
                        fail(&files, error)
                    })?;
                configs[slot(mode)] = Some(Arc::new(with_sessions(config, settings)));
            }
        }
        let not_after_unix_s = not_after(&chain[0]).ok_or_else(|| {
            TlsError(format!(
                "-o ssl_chain_cert={}: the first certificate cannot be read",
                chain_path.display()
            ))
        })?;
        let now_unix_s = i64::try_from(UnixTime::now().as_secs()).unwrap_or(i64::MAX);
        if not_after_unix_s < now_unix_s {
            log::warn!("the certificate has expired  file={}", chain_path.display());
        }
        Ok(Self {
            configs,
            not_after_unix_s,
        })
    }
}

fn fail(what: &str, cause: impl fmt::Display) -> TlsError {
    TlsError(format!("{what}: {cause}"))
}

/// Reads a file of certificates or keys, which are small.
fn read(path: &Path, option: &str) -> Result<Vec<u8>, TlsError> {
    let what = || format!("{option}={}", path.display());
    let file = File::open(path).map_err(|error| fail(&what(), error))?;
    let mut bytes = Vec::new();
    file.take(CERTIFICATE_FILE_SIZE_MAX + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| fail(&what(), error))?;
    if bytes.len() as u64 > CERTIFICATE_FILE_SIZE_MAX {
        return Err(fail(&what(), "the file is too large to be certificates"));
    }
    Ok(bytes)
}

fn certificates(path: &Path, option: &str) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let what = || format!("{option}={}", path.display());
    let bytes = read(path, option)?;
    let all: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&bytes).collect();
    let all = all.map_err(|error| fail(&what(), error))?;
    if all.is_empty() {
        return Err(fail(&what(), "the file has no certificate in PEM"));
    }
    Ok(all)
}

fn private_key(path: &PathBuf, implied: bool) -> Result<PrivateKeyDer<'static>, TlsError> {
    let bytes = read(path, "-o ssl_key")?;
    let key = PrivateKeyDer::from_pem_slice(&bytes).map_err(|error| {
        if implied {
            let path = path.display();
            TlsError(format!(
                "TLS needs a private key, -o ssl_key=FILE; there is none in the file of the \
                 certificate, {path}"
            ))
        } else {
            fail(&format!("-o ssl_key={}", path.display()), error)
        }
    })?;
    let mode = fs::metadata(path).map_or(0, |metadata| metadata.permissions().mode());
    if mode & 0o004 != 0 {
        let path = path.display();
        log::warn!("everybody on this host can read the private key (-o ssl_key)  file={path}");
    }
    Ok(key)
}

fn authorities(path: &Path) -> Result<RootCertStore, TlsError> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(path, "-o ssl_ca_cert")? {
        roots
            .add(certificate)
            .map_err(|error| fail(&format!("-o ssl_ca_cert={}", path.display()), error))?;
    }
    Ok(roots)
}

/// The algorithms, without the suites that the settings exclude.
fn provider(settings: &TlsConfig) -> Result<CryptoProvider, TlsError> {
    let mut provider = rustls::crypto::ring::default_provider();
    if let Some(list) = &settings.ciphers {
        let chosen = suites(list)?;
        provider.cipher_suites.retain(|suite| {
            let name = suite.suite();
            let name = name.as_str().unwrap_or_default();
            name.starts_with("TLS13_") || chosen.contains(&name)
        });
    }
    Ok(provider)
}

/// The suites that a list of OpenSSL's names stands for, by the names of the standard.
fn suites(list: &str) -> Result<Vec<&'static str>, TlsError> {
    let option = format!("-o ssl_ciphers={list}");
    let mut chosen: Vec<&str> = Vec::new();
    let mut unknown = Vec::new();
    for word in list.split([':', ',', ' ']).filter(|word| !word.is_empty()) {
        // An order of strength is what ours have anyway.
        if word.starts_with('@') {
            continue;
        }
        let (away, name) = match word.strip_prefix(['!', '-']) {
            Some(name) => (true, name),
            None => (false, word),
        };
        let meant = |(openssl, standard): &&(&str, &str)| name == *openssl || name == *standard;
        match (away, SUITES.iter().find(meant)) {
            (false, Some((_, suite))) => chosen.push(suite),
            (true, Some((_, suite))) => chosen.retain(|other| other != suite),
            (false, None) if ALL_SUITES.contains(&name) => {
                chosen.extend(SUITES.iter().map(|(_, suite)| suite));
            }
            (true, None) if ALL_SUITES.contains(&name) => chosen.clear(),
            // What is taken away and was never there is no loss.
            (true, None) => {}
            (false, None) => unknown.push(word),
        }
    }
    if chosen.is_empty() {
        let known: Vec<&str> = SUITES.iter().map(|(openssl, _)| *openssl).collect();
        return Err(TlsError(format!(
            "{option}: nothing is left of it; there are {}",
            known.join(", ")
        )));
    }
    if !unknown.is_empty() {
        log::warn!("{option}: passed over {}", unknown.join(", "));
    }
    Ok(chosen)
}

type NeedsCertificate = rustls::ConfigBuilder<ServerConfig, rustls::server::WantsServerCert>;

fn config(
    settings: &TlsConfig,
    provider: &Arc<CryptoProvider>,
    mode: u8,
    authorities: Option<Arc<RootCertStore>>,
) -> Result<NeedsCertificate, TlsError> {
    let versions: &[&SupportedProtocolVersion] = match settings.min_version {
        TlsVersion::Tls12 => &[&rustls::version::TLS13, &rustls::version::TLS12],
        TlsVersion::Tls13 => &[&rustls::version::TLS13],
    };
    let builder = ServerConfig::builder_with_provider(Arc::clone(provider))
        .with_protocol_versions(versions)
        .map_err(|error| fail("-o ssl_min_version", error))?;
    if mode == verify::NONE {
        return Ok(builder.with_no_client_auth());
    }
    let verifier: Arc<dyn ClientCertVerifier> = match authorities {
        None => Arc::new(Nobody(Arc::clone(provider))),
        Some(roots) => {
            let judge = WebPkiClientVerifier::builder_with_provider(roots, Arc::clone(provider));
            let judge = if mode == verify::REQUEST {
                judge.allow_unauthenticated()
            } else {
                judge
            };
            judge
                .build()
                .map_err(|error| fail("-o ssl_ca_cert", error))?
        }
    };
    Ok(builder.with_client_cert_verifier(verifier))
}

/// Sessions are kept by each configuration for itself: none is resumed where other client
/// certificates are asked for, or after the authorities have changed.
fn with_sessions(mut config: ServerConfig, settings: &TlsConfig) -> ServerConfig {
    if settings.session_cache {
        config.session_storage = ServerSessionMemoryCache::new(TLS_SESSION_COUNT_MAX);
    } else {
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
    }
    config
}

/// When a certificate ends, in Unix time.
fn not_after(certificate: &CertificateDer<'_>) -> Option<i64> {
    let (_, parsed) = X509Certificate::from_der(certificate).ok()?;
    Some(parsed.validity().not_after.timestamp())
}

/// Requires a certificate and finds none good: there is no authority to sign one.
#[derive(Debug)]
struct Nobody(Arc<CryptoProvider>);

impl ClientCertVerifier for Nobody {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _now: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        Err(CertificateError::UnknownIssuer.into())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _certificate: &CertificateDer<'_>,
        _signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Err(CertificateError::UnknownIssuer.into())
    }

    fn verify_tls13_signature(
        &self,
        _message: &[u8],
        _certificate: &CertificateDer<'_>,
        _signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Err(CertificateError::UnknownIssuer.into())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

/// Why TLS failed on a connection.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Trouble {
    /// In words.
    pub(super) text: String,
    /// The handshake was not done yet.
    pub(super) in_handshake: bool,
    /// The client does not speak TLS at all.
    pub(super) is_plain: bool,
}

/// A subject such as `O=Example, CN=app1`. What would end a value stands behind a backslash, so that
/// no two subjects read the same. `None` when a value is no text.
fn whole_subject(name: &X509Name<'_>) -> Option<String> {
    let mut whole = String::new();
    for relative in name.iter() {
        let mut separator = ", ";
        for attribute in relative.iter() {
            if !whole.is_empty() {
                whole += separator;
            }
            separator = "+";
            match oid2abbrev(attribute.attr_type(), oid_registry()) {
                Ok(short) => whole += short,
                Err(_) => whole += &attribute.attr_type().to_id_string(),
            }
            whole.push('=');
            for letter in attribute.as_str().ok()?.chars() {
                if matches!(letter, ',' | '+' | '\\') {
                    whole.push('\\');
                }
                whole.push(letter);
            }
        }
    }
    Some(whole)
}

/// What TLS adds to one connection.
pub(super) struct Secured {
    connection: ServerConnection,
    /// When the handshake began, in seconds of uptime.
    since_s: u32,
    /// The first byte received.
    first: Option<u8>,
    /// Nothing more will come, for this reason.
    ended: Option<Received>,
    trouble: Option<Trouble>,
}

impl Secured {
    /// When the handshake began, in seconds of uptime, unless it is done.
    pub(super) fn handshake_since_s(&self) -> Option<u32> {
        self.connection.is_handshaking().then_some(self.since_s)
    }

    /// Whether what has been encrypted waits for the client to take it.
    pub(super) fn is_blocked(&self) -> bool {
        self.connection.wants_write()
    }

    /// Why it failed, if it did.
    pub(super) fn trouble(&self) -> Option<&Trouble> {
        self.trouble.as_ref()
    }

    /// Whether the session is a new one, instead of an earlier one gone on with.
    pub(super) fn is_new_session(&self) -> bool {
        self.connection.handshake_kind() != Some(HandshakeKind::Resumed)
    }

    /// The client's certificate, if it has shown one. It has been judged good by then.
    pub(super) fn certificate(&self) -> Option<Certificate> {
        let first = self.connection.peer_certificates()?.first()?;
        let (_, parsed) = X509Certificate::from_der(first).ok()?;
        let subject = parsed.subject();
        let common_name = subject.iter_common_name().next();
        Some(Certificate {
            subject: whole_subject(subject).unwrap_or_default(),
            common_name: common_name
                .and_then(|name| name.as_str().ok())
                .map(str::to_owned),
        })
    }

    /// Receives and decrypts until the room is full or the socket is empty. What is decrypted is
    /// handed out before the socket is asked again: the poll knows nothing of it.
    pub(super) fn receive(&mut self, socket: BorrowedFd<'_>, room: &mut [u8]) -> Received {
        let mut filled = 0;
        let mut drained = false;
        for _ in 0..READ_COUNT_MAX {
            filled += self.hand_out(&mut room[filled..]);
            if filled == room.len() {
                return bytes(filled, true);
            }
            if let Some(ended) = self.ended {
                return if filled > 0 {
                    bytes(filled, true)
                } else {
                    ended
                };
            }
            if drained && filled > 0 {
                return bytes(filled, false);
            }
            let mut pipe = Pipe::new(socket);
            match self.connection.read_tls(&mut pipe) {
                Ok(0) => self.ended = Some(Received::End),
                Ok(_) => drained = pipe.short,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    return if filled > 0 {
                        bytes(filled, false)
                    } else {
                        Received::Nothing
                    };
                }
                Err(_) => self.ended = Some(Received::Broken),
            }
            self.first = self.first.or(pipe.first);
            if self.ended.is_none() && self.decrypt(socket) {
                return Received::Progress;
            }
        }
        if filled > 0 {
            bytes(filled, true)
        } else {
            Received::Progress
        }
    }

    /// Copies out what has been decrypted.
    fn hand_out(&mut self, room: &mut [u8]) -> usize {
        let mut filled = 0;
        while filled < room.len() {
            match self.connection.reader().read(&mut room[filled..]) {
                Ok(0) => {
                    self.ended.get_or_insert(Received::End);
                    break;
                }
                Ok(count) => filled += count,
                // There is nothing for now, or nothing any more, which is known already.
                Err(_) => break,
            }
        }
        filled
    }

    /// Works on what has been received, and sends what the client must be told. Returns true if
    /// this has ended the handshake.
    fn decrypt(&mut self, socket: BorrowedFd<'_>) -> bool {
        let in_handshake = self.connection.is_handshaking();
        if let Err(error) = self.connection.process_new_packets() {
            let is_plain = in_handshake && self.first != Some(HANDSHAKE_RECORD);
            self.trouble = Some(Trouble {
                text: error.to_string(),
                in_handshake,
                is_plain,
            });
            // The client is told why, if it listens.
            let _ = self.flush(socket);
            self.ended = Some(Received::Broken);
            return false;
        }
        if self.connection.wants_write() && self.flush(socket).result == Sent::Broken {
            self.ended = Some(Received::Broken);
        }
        in_handshake && !self.connection.is_handshaking()
    }

    /// Encrypts and sends. What is encrypted and not taken waits here, bounded; of the rest
    /// nothing is kept.
    pub(super) fn send(&mut self, socket: BorrowedFd<'_>, bytes: &[u8]) -> Sending {
        let mut count = 0;
        let mut moved = false;
        loop {
            let flushed = self.flush(socket);
            moved |= flushed.moved;
            if flushed.result != Sent::All || count == bytes.len() {
                return Sending {
                    result: flushed.result,
                    count,
                    moved,
                };
            }
            match self.connection.writer().write(&bytes[count..]) {
                Ok(taken) if taken > 0 => count += taken,
                // It takes something whenever nothing waits.
                Ok(_) | Err(_) => {
                    return Sending {
                        result: Sent::Broken,
                        count,
                        moved,
                    };
                }
            }
        }
    }

    /// Sends what has been encrypted.
    fn flush(&mut self, socket: BorrowedFd<'_>) -> Sending {
        let mut moved = false;
        let mut result = Sent::All;
        while self.connection.wants_write() {
            match self.connection.write_tls(&mut Pipe::new(socket)) {
                Ok(_) => moved = true,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    result = Sent::Part;
                    break;
                }
                Err(_) => {
                    result = Sent::Broken;
                    break;
                }
            }
        }
        Sending {
            result,
            count: 0,
            moved,
        }
    }

    /// Tells the client that nothing more will come.
    pub(super) fn finish(&mut self, socket: BorrowedFd<'_>) {
        if self.trouble.is_none() && !self.connection.is_handshaking() && !self.is_blocked() {
            self.connection.send_close_notify();
            // A client that does not take it sees the end of the connection.
            let _ = self.flush(socket);
        }
    }
}

fn bytes(count: usize, more: bool) -> Received {
    Received::Bytes { count, more }
}

/// The socket as the cipher sees it.
struct Pipe<'a> {
    socket: BorrowedFd<'a>,
    /// The last read has emptied the socket.
    short: bool,
    /// The first byte read.
    first: Option<u8>,
}

impl<'a> Pipe<'a> {
    const fn new(socket: BorrowedFd<'a>) -> Self {
        Self {
            socket,
            short: false,
            first: None,
        }
    }
}

impl Read for Pipe<'_> {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        let count = receive(self.socket, room)?;
        self.short = count < room.len();
        self.first = self.first.or(room[..count].first().copied());
        Ok(count)
    }
}

impl Write for Pipe<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.write_vectored(&[IoSlice::new(bytes)])
    }

    fn write_vectored(&mut self, pieces: &[IoSlice<'_>]) -> io::Result<usize> {
        let mut nothing = SendAncillaryBuffer::default();
        let flags = SendFlags::NOSIGNAL;
        loop {
            match rustix::net::sendmsg(self.socket, pieces, &mut nothing, flags) {
                Err(rustix::io::Errno::INTR) => {}
                other => return other.map_err(io::Error::from),
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
