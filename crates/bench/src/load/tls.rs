//! What both sides of a TLS connection have: a certificate made for this run, and clients that trust it.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::client::Resumption;
use rustls::crypto::ring;
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::CertificateDer;

use crate::workload::HOST;

/// How many sessions a client remembers. Each is used once.
const SESSIONS: usize = 32;

/// A certificate for [`HOST`] that nobody but this run's clients trusts, with an ECDSA key on P-256.
#[derive(Clone, Debug)]
pub struct Certificate {
    /// The certificate, in PEM.
    pub certificate: PathBuf,
    /// Its key, in PEM.
    pub key: PathBuf,
    der: CertificateDer<'static>,
}

impl Certificate {
    /// Makes one and writes it into `folder`.
    ///
    /// # Errors
    /// Where it can't be written.
    pub fn make(folder: &Path) -> io::Result<Self> {
        let made = rcgen::generate_simple_self_signed([HOST.to_owned()]);
        let made = made.map_err(io::Error::other)?;
        let (certificate, key) = (folder.join("certificate.pem"), folder.join("key.pem"));
        fs::write(&certificate, made.cert.pem())?;
        fs::write(&key, made.signing_key.serialize_pem())?;
        Ok(Self {
            certificate,
            key,
            der: made.cert.der().clone(),
        })
    }
}

/// How clients speak TLS 1.3 to one server: sessions are kept by the name of the host, which all servers have.
#[derive(Clone, Debug)]
pub struct ClientTls {
    /// With a whole handshake each time.
    pub full: Arc<ClientConfig>,
    /// With the sessions that the server gave.
    pub resumed: Arc<ClientConfig>,
    /// For HTTP/2, with a whole handshake.
    pub http2: Arc<ClientConfig>,
    /// As `resumed`, one for each client: rustls remembers eight sessions for a server, too few for many clients.
    of_clients: Arc<[Arc<ClientConfig>]>,
}

impl ClientTls {
    /// So many clients that trust this certificate.
    ///
    /// # Errors
    /// Where it isn't one.
    pub fn trusting(certificate: &Certificate, clients: usize) -> Result<Self, rustls::Error> {
        let mut roots = RootCertStore::empty();
        roots.add(certificate.der.clone())?;
        let mut full = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_protocol_versions(&[&rustls::version::TLS13])?
            .with_root_certificates(roots)
            .with_no_client_auth();
        full.resumption = Resumption::disabled();
        let mut http2 = full.clone();
        http2.alpn_protocols = vec![b"h2".to_vec()];
        let resumed = || {
            let mut resumed = full.clone();
            resumed.resumption = Resumption::in_memory_sessions(SESSIONS);
            Arc::new(resumed)
        };
        Ok(Self {
            resumed: resumed(),
            of_clients: (0..clients).map(|_| resumed()).collect(),
            http2: Arc::new(http2),
            full: Arc::new(full),
        })
    }

    /// The same for the client of this number, which has its own sessions, over all rounds.
    #[must_use]
    pub fn of_client(&self, number: usize) -> Self {
        let own = self.of_clients.get(number).unwrap_or(&self.resumed);
        Self {
            resumed: Arc::clone(own),
            ..self.clone()
        }
    }
}
