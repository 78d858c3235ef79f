//! A certificate of its own for the endpoint, in files that `SSL_CERT_FILE` can name.

use std::{fs, path::PathBuf, sync::Arc};

use anyhow::Result;
use tempfile::TempDir;
use tokio_rustls::{
    TlsAcceptor,
    rustls::{ServerConfig, crypto::ring, pki_types::PrivateKeyDer},
};

/// A self-signed certificate.
pub struct Certificate {
    pub acceptor: TlsAcceptor,
    /// The certificate.
    pub alone: PathBuf,
    /// The same behind the system's, for who would read those.
    pub with_systems: PathBuf,
    _folder: TempDir,
}

impl Certificate {
    pub fn make() -> Result<Self> {
        let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()])?;
        let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).map_err(anyhow::Error::msg)?;
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(vec![made.cert.der().clone()], key)?;
        let folder = tempfile::tempdir()?;
        let (alone, with_systems) = (folder.path().join("alone.pem"), folder.path().join("with-systems.pem"));
        fs::write(&alone, made.cert.pem())?;
        let places = ["/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt"];
        let systems = places.iter().find_map(|place| fs::read_to_string(place).ok()).unwrap_or_default();
        fs::write(&with_systems, systems + &made.cert.pem())?;
        Ok(Certificate { acceptor: TlsAcceptor::from(Arc::new(config)), alone, with_systems, _folder: folder })
    }
}
