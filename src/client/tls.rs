//! TLS on this side: whom to trust, what to show, and one encrypted connection.
//!
//! This is the client program's only file that names rustls. It trusts what the system trusts, or
//! one file of authorities in its place; there is no way to trust everybody.

use std::fs;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore};

use super::Error;

/// Where systems keep the authorities that they trust.
const SYSTEM_AUTHORITIES: &[&str] = &[
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
];

/// What the operator says of TLS.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// Authorities to trust instead of the system's, in PEM.
    pub authorities: Option<PathBuf>,
    /// The certificate to show, in PEM, with those between it and its authority.
    pub certificate: Option<PathBuf>,
    /// Its private key, in PEM; that of the certificate's file when there is none.
    pub key: Option<PathBuf>,
    /// The name that the daemon's certificate must have, when it is not that of the address.
    pub server_name: Option<String>,
}

/// How connections are encrypted. A clone is the same configuration.
#[derive(Clone)]
pub struct Tls {
    config: Arc<ClientConfig>,
    server_name: Option<ServerName<'static>>,
}

impl std::fmt::Debug for Tls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The configuration holds a private key.
        f.debug_struct("Tls").finish_non_exhaustive()
    }
}

impl Tls {
    /// Reads the files.
    ///
    /// # Errors
    ///
    /// [`Error::Local`] names the file that cannot be used, [`Error::Usage`] what does not fit.
    pub fn new(settings: &Settings) -> Result<Self, Error> {
        let mut roots = RootCertStore::empty();
        match &settings.authorities {
            Some(path) => {
                for certificate in certificates(path)? {
                    roots.add(certificate).map_err(|error| fail(path, error))?;
                }
            }
            None => {
                let path = system_authorities()?;
                // One among a hundred that this library does not like is no reason to stop.
                roots.add_parsable_certificates(certificates(&path)?);
            }
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| Error::Local(io::Error::other(error)))?
            .with_root_certificates(roots);
        let config = match &settings.certificate {
            None if settings.key.is_some() => {
                return Err(Error::Usage("--tls-key needs --tls-cert".to_owned()));
            }
            None => builder.with_no_client_auth(),
            Some(path) => {
                let key_path = settings.key.as_ref().unwrap_or(path);
                let key = PrivateKeyDer::from_pem_file(key_path)
                    .map_err(|error| fail(key_path, format!("no private key: {error}")))?;
                builder
                    .with_client_auth_cert(certificates(path)?, key)
                    .map_err(|error| fail(path, error))?
            }
        };
        let server_name = settings.server_name.as_deref().map(name).transpose()?;
        Ok(Self {
            config: Arc::new(config),
            server_name,
        })
    }

    /// Shakes hands over a socket that blocks.
    ///
    /// # Errors
    ///
    /// What the daemon or its certificate has wrong, in words.
    pub(super) fn begin(
        &self,
        host: &str,
        socket: &mut (impl Read + Write),
    ) -> io::Result<Secured> {
        let name = match &self.server_name {
            Some(name) => name.clone(),
            None => name(host).map_err(io::Error::other)?,
        };
        let mut connection = ClientConnection::new(Arc::clone(&self.config), name)
            .map_err(|error| io::Error::other(format!("TLS: {error}")))?;
        while connection.is_handshaking() {
            connection.complete_io(socket).map_err(|error| {
                if error.kind() == io::ErrorKind::UnexpectedEof {
                    io::Error::other("TLS: the daemon closed the connection; does it speak TLS?")
                } else {
                    io::Error::new(error.kind(), format!("TLS: {error}"))
                }
            })?;
        }
        Ok(Secured { connection })
    }
}

fn name(text: &str) -> Result<ServerName<'static>, Error> {
    ServerName::try_from(text.to_owned())
        .map_err(|_| Error::Usage(format!("{text:?} is no name that a certificate can have")))
}

fn fail(path: &Path, cause: impl std::fmt::Display) -> Error {
    Error::Local(io::Error::other(format!("{}: {cause}", path.display())))
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, Error> {
    let bytes = fs::read(path).map_err(|error| fail(path, error))?;
    let all: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&bytes).collect();
    let all = all.map_err(|error| fail(path, error))?;
    if all.is_empty() {
        return Err(fail(path, "the file has no certificate in PEM"));
    }
    Ok(all)
}

/// The file of the authorities that the system trusts; `SSL_CERT_FILE` names another.
fn system_authorities() -> Result<PathBuf, Error> {
    if let Some(named) = std::env::var_os("SSL_CERT_FILE").filter(|name| !name.is_empty()) {
        return Ok(named.into());
    }
    SYSTEM_AUTHORITIES
        .iter()
        .map(PathBuf::from)
        .find(|path| path.is_file())
        .ok_or_else(|| {
            let words = "the system has no list of authorities (Debian: the package \
                         ca-certificates); --tls-ca names those to trust";
            Error::Usage(words.to_owned())
        })
}

/// What TLS adds to one socket, which may block or not.
pub(super) struct Secured {
    connection: ClientConnection,
}

impl Secured {
    /// Takes decrypted bytes; 0 is the end. A daemon that reads no more until its replies are taken
    /// finds them taken, whatever of ours still waits to be sent.
    pub(super) fn read(
        &mut self,
        socket: &mut (impl Read + Write),
        into: &mut [u8],
    ) -> io::Result<usize> {
        loop {
            match self.connection.reader().read(into) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                other => return other,
            }
            match self.flush(socket) {
                Err(error) if error.kind() != io::ErrorKind::WouldBlock => return Err(error),
                _ => {}
            }
            self.connection.read_tls(socket)?;
            self.connection
                .process_new_packets()
                .map_err(|error| io::Error::other(format!("TLS: {error}")))?;
        }
    }

    /// Encrypts bytes and sends what the socket takes; tells how many bytes need not be given
    /// again. Nothing is encrypted before all that was encrypted earlier has been sent.
    pub(super) fn write(
        &mut self,
        socket: &mut (impl Read + Write),
        bytes: &[u8],
    ) -> io::Result<usize> {
        self.flush(socket)?;
        let taken = self.connection.writer().write(bytes)?;
        // They are taken, whether or not they are sent: what is wrong comes with the next call.
        let _ = self.flush(socket);
        Ok(taken)
    }

    /// Sends what has been encrypted.
    pub(super) fn flush(&mut self, socket: &mut (impl Read + Write)) -> io::Result<()> {
        while self.connection.wants_write() {
            if self.connection.write_tls(socket)? == 0 {
                return Err(io::ErrorKind::WriteZero.into());
            }
        }
        Ok(())
    }
}
