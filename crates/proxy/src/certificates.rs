//! Which certificate a TLS client gets.

use std::collections::HashMap;
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::danger::ClientCertVerifier;
use rustls::server::{ClientHello, ResolvesServerCert, WebPkiClientVerifier};
use rustls::sign::CertifiedKey;

use crate::client_certificate::{self, ValidCertificate};
use crate::settings::{CertificateSettings, ClientAuthorities, ClientCertificates, TlsSettings};

/// What a listener needs for TLS handshakes: swapped whole when certificates change.
#[derive(Debug)]
pub(crate) struct TlsAcceptor {
    /// rustls's own settings, with the certificates below behind its resolver.
    pub(crate) config: Arc<ServerConfig>,
    certificates: Arc<Certificates>,
}

/// Why TLS settings can't be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TlsError {
    /// The authorities of client certificates.
    #[error("client certificates can't be verified with the given authorities: {0}")]
    ClientRoots(#[from] rustls::server::VerifierBuilderError),
    /// rustls refuses the settings.
    #[error("TLS settings can't be used: {0}")]
    Settings(#[from] rustls::Error),
}

impl TlsAcceptor {
    pub(crate) fn build(settings: &TlsSettings, http2: bool) -> Result<Self, TlsError> {
        let certificates = Arc::new(Certificates::new(&settings.certificates));
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()?;
        let builder = match client_verifier(&settings.client_certificates, provider)? {
            None => builder.with_no_client_auth(),
            Some(verifier) => builder.with_client_cert_verifier(verifier),
        };
        let resolver: Arc<dyn ResolvesServerCert> = Arc::clone(&certificates) as _;
        let mut config = builder.with_cert_resolver(resolver);
        config.alpn_protocols = match http2 {
            true => vec![b"h2".to_vec(), b"http/1.1".to_vec()],
            false => vec![b"http/1.1".to_vec()],
        };
        // Stateless tickets: sessions are resumed without memory here (RFC 8446 section 4.6.1).
        config.ticketer = rustls::crypto::ring::Ticketer::new()?;
        Ok(Self {
            config: Arc::new(config),
            certificates,
        })
    }

    /// Whether the certificate that `server_name` selects is also one for `host`.
    pub(crate) fn serves(&self, server_name: Option<&str>, host: &str) -> bool {
        self.certificates
            .select(server_name)
            .is_some_and(|certificate| certificate.is_for(host))
    }
}

impl ClientAuthorities {
    /// Whether certificates can be verified with them.
    ///
    /// # Errors
    /// When a list of revoked certificates can't be read.
    pub fn check(&self) -> Result<(), TlsError> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        client_verifier(&ClientCertificates::Required(self.clone()), provider).map(|_| ())
    }
}

/// What verifies clients' certificates, if any are asked for.
fn client_verifier(
    settings: &ClientCertificates,
    provider: Arc<CryptoProvider>,
) -> Result<Option<Arc<dyn ClientCertVerifier>>, TlsError> {
    let builder = |authorities: &ClientAuthorities| {
        let roots = Arc::clone(&authorities.roots);
        WebPkiClientVerifier::builder_with_provider(roots, provider)
            .with_crls(authorities.revoked.iter().cloned())
            .allow_unknown_revocation_status()
    };
    Ok(match settings {
        ClientCertificates::Off => None,
        ClientCertificates::Optional(authorities) => {
            Some(builder(authorities).allow_unauthenticated().build()?)
        }
        ClientCertificates::Required(authorities) => Some(builder(authorities).build()?),
    })
}

/// Verifies a certificate that a client shows, followed by those that lead to its authority, as a handshake
/// does: what it says of the client, and whether it was asked for at all.
///
/// # Errors
/// When the handshake would fail.
pub fn verify_client_certificate(
    settings: &ClientCertificates,
    chain: &[CertificateDer<'_>],
) -> Result<Option<ValidCertificate>, TlsError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let Some(verifier) = client_verifier(settings, provider)? else {
        return Ok(None);
    };
    let (shown, others) = chain
        .split_first()
        .ok_or(rustls::Error::NoCertificatesPresented)?;
    verifier.verify_client_cert(shown, others, UnixTime::now())?;
    // One that can't be read is as none.
    Ok(client_certificate::read(shown).ok())
}

#[derive(Debug)]
struct Certificates {
    all: Vec<Certificate>,
    exact: HashMap<Box<str>, usize>,
    /// By the name without `*.`.
    wildcard: HashMap<Box<str>, usize>,
}

#[derive(Debug)]
struct Certificate {
    key: Arc<CertifiedKey>,
    names: Vec<Box<str>>,
}

impl Certificate {
    /// A wildcard stands for exactly one label (RFC 9525 section 6.3).
    fn is_for(&self, host: &str) -> bool {
        let host = host.trim_start_matches('[').trim_end_matches(']');
        self.names.iter().any(|name| match name.strip_prefix("*.") {
            Some(parent) => host.split_once('.').is_some_and(|(_, rest)| rest == parent),
            None => **name == *host,
        })
    }
}

impl Certificates {
    fn new(settings: &[CertificateSettings]) -> Self {
        let (mut exact, mut wildcard) = (HashMap::new(), HashMap::new());
        for (index, certificate) in settings.iter().enumerate() {
            for name in &certificate.names {
                match name.strip_prefix("*.") {
                    Some(parent) => wildcard.entry(parent.into()).or_insert(index),
                    None => exact.entry(name.clone()).or_insert(index),
                };
            }
        }
        let all = settings.iter().map(|certificate| Certificate {
            key: Arc::clone(&certificate.key),
            names: certificate.names.clone(),
        });
        Self {
            all: all.collect(),
            exact,
            wildcard,
        }
    }

    /// The certificate for a server name, else the first.
    fn select(&self, server_name: Option<&str>) -> Option<&Certificate> {
        let named = server_name.and_then(|name| {
            self.exact.get(name).or_else(|| {
                let (_, parent) = name.split_once('.')?;
                self.wildcard.get(parent)
            })
        });
        self.all.get(named.copied().unwrap_or(0))
    }
}

impl ResolvesServerCert for Certificates {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let name = hello.server_name().map(str::to_ascii_lowercase);
        self.select(name.as_deref())
            .map(|certificate| Arc::clone(&certificate.key))
    }
}
