//! Certificates for one test: an authority, and files of what it has signed.
#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot be set up has failed"
)]

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};

/// An authority, and files of what it has signed.
pub(crate) struct Authority {
    folder: tempfile::TempDir,
    issuer: Issuer<'static, KeyPair>,
    root: CertificateDer<'static>,
}

impl Authority {
    /// An authority whose folder holds `ca.pem`, `server.pem` and `server.key`.
    pub(crate) fn new() -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params
            .distinguished_name
            .push(DnType::CommonName, "authority");
        let root = params.self_signed(&key).unwrap();
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("ca.pem"), root.pem()).unwrap();
        let authority = Self {
            folder,
            root: root.der().clone(),
            issuer: Issuer::new(params, key),
        };
        authority.sign("server");
        authority
    }

    /// Writes `NAME.pem` and `NAME.key`, signed anew.
    pub(crate) fn sign(&self, name: &str) {
        let key = KeyPair::generate().unwrap();
        let mut params =
            CertificateParams::new(vec!["localhost".to_owned(), "127.0.0.1".to_owned()]).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        fs::write(self.path(name, "pem"), certificate.pem()).unwrap();
        fs::write(self.path(name, "key"), key.serialize_pem()).unwrap();
    }

    /// One of its files.
    pub(crate) fn path(&self, name: &str, ending: &str) -> PathBuf {
        self.folder.path().join(format!("{name}.{ending}"))
    }

    /// Words for `-o` that name the server's files.
    pub(crate) fn words(&self) -> String {
        format!(
            "ssl_chain_cert={},ssl_key={},ssl_ca_cert={}",
            self.path("server", "pem").display(),
            self.path("server", "key").display(),
            self.path("ca", "pem").display()
        )
    }

    /// A client that trusts this authority and shows the certificate of that name, if any.
    pub(crate) fn client(&self, name: Option<&str>) -> Arc<ClientConfig> {
        let mut roots = RootCertStore::empty();
        roots.add(self.root.clone()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots);
        Arc::new(match name {
            None => builder.with_no_client_auth(),
            Some(name) => {
                let chain = CertificateDer::from_pem_file(self.path(name, "pem")).unwrap();
                let key = PrivateKeyDer::from_pem_file(self.path(name, "key")).unwrap();
                builder.with_client_auth_cert(vec![chain], key).unwrap()
            }
        })
    }
}
