//! TLS towards servers: what may be said about it, and the compiled form.

use std::fmt;
use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, WebPkiSupportedAlgorithms};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};

use crate::address::{ServerAddress, excerpt};
use crate::settings::{Protocol, SettingsError};

/// The most certificates in one PEM text: over ten times what a system trusts.
const CERTIFICATES_MAX: usize = 4096;

/// RFC 9113 section 3.2 and RFC 7301 section 6.
pub(crate) const ALPN_HTTP2: &[u8] = b"h2";
const ALPN_HTTP1: &[u8] = b"http/1.1";

/// How connections to a pool's servers are encrypted. The default verifies each server under its
/// own host name or address against the system's authorities.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TlsSettings {
    /// The name that is asked for (SNI, RFC 6066 section 3) and that the certificate must be for;
    /// `None` is each server's own host.
    pub server_name: Option<TlsServerName>,
    /// Whose certificates are believed.
    pub trust: ServerTrust,
    /// What Palisade shows to a server that asks who it is.
    pub client_certificate: Option<ClientCertificate>,
}

/// A DNS name or an IP address that a certificate can be for. An address is verified but never
/// sent as SNI (RFC 6066 section 3).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsServerName(ServerName<'static>);

impl TlsServerName {
    /// The name `name`.
    ///
    /// # Errors
    /// When it is neither a DNS name nor an IP address.
    pub fn new(name: &str) -> Result<Self, SettingsError> {
        ServerName::try_from(name.to_owned())
            .map(Self)
            .map_err(|_| SettingsError::NotAServerName(excerpt(name)))
    }
}

/// Whose certificates are believed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum ServerTrust {
    /// Those of the authorities that the system trusts.
    #[default]
    SystemRoots,
    /// Those of these authorities only.
    Roots(Roots),
    /// Anyone's: the traffic is encrypted, but to whom is unknown (`verify: false`).
    Unverified,
}

/// Certificates of authorities.
#[derive(Clone, PartialEq, Eq)]
pub struct Roots(Arc<[CertificateDer<'static>]>);

impl Roots {
    /// The certificates in `pem`.
    ///
    /// # Errors
    /// When there is none, there are over 4,096, the PEM is broken, or one can't be an authority.
    pub fn from_pem(pem: &[u8]) -> Result<Self, SettingsError> {
        let certificates = parse_certificates("certificates of authorities", pem)?;
        root_store(&certificates)?;
        Ok(Self(certificates.into()))
    }
}

impl fmt::Debug for Roots {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Roots({})", self.0.len())
    }
}

/// A certificate chain and its private key, known to fit.
#[derive(Clone)]
pub struct ClientCertificate {
    chain: Arc<[CertificateDer<'static>]>,
    key: Arc<PrivateKeyDer<'static>>,
}

impl ClientCertificate {
    /// The chain in `chain_pem`, end certificate first, with the first key in `key_pem`.
    ///
    /// # Errors
    /// When either is missing or broken, or the key is not the certificate's.
    pub fn from_pem(chain_pem: &[u8], key_pem: &[u8]) -> Result<Self, SettingsError> {
        let chain = parse_certificates("client certificate", chain_pem)?;
        let key = PrivateKeyDer::from_pem_slice(key_pem).map_err(|error| SettingsError::Pem {
            what: "private key of the client certificate",
            problem: error.to_string(),
        })?;
        let certificate = Self {
            chain: chain.into(),
            key: Arc::new(key),
        };
        // rustls is asked now whether the key fits, so that a `ClientCertificate` always does.
        client_config(Arc::new(AnyCertificate::new()), Some(&certificate))?;
        Ok(certificate)
    }
}

impl PartialEq for ClientCertificate {
    /// The chain decides: one certificate has one key, and keys are not to be compared in time
    /// that depends on them.
    fn eq(&self, other: &Self) -> bool {
        self.chain == other.chain
    }
}

impl Eq for ClientCertificate {}

impl fmt::Debug for ClientCertificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "ClientCertificate({} in chain, key hidden)",
            self.chain.len()
        )
    }
}

/// TLS towards one server, ready to use.
#[derive(Clone, Debug)]
pub(crate) struct TlsClient {
    config: Arc<ClientConfig>,
    /// The same, but HTTP/1.1 alone is offered.
    http1: Arc<ClientConfig>,
    pub(crate) server_name: ServerName<'static>,
}

impl TlsClient {
    /// For a connection on which `protocol` is spoken: the pool's, or HTTP/1.
    pub(crate) fn config(&self, protocol: Protocol) -> Arc<ClientConfig> {
        Arc::clone(match protocol {
            Protocol::Http1 => &self.http1,
            Protocol::Http2 | Protocol::Auto => &self.config,
        })
    }
}

/// The system's authorities, read from disk when first asked for.
#[derive(Default)]
pub(crate) struct SystemRoots(Option<Arc<RootCertStore>>);

impl TlsSettings {
    /// TLS towards any server of a pool that speaks `protocol`.
    pub(crate) fn compile(
        &self,
        protocol: Protocol,
        roots: &mut SystemRoots,
    ) -> Result<TlsPool<'_>, SettingsError> {
        let verifier = verifier(&self.trust, roots)?;
        let http1 = client_config(verifier, self.client_certificate.as_ref())?;
        let mut config = http1.clone();
        config.alpn_protocols = match protocol {
            Protocol::Http1 => vec![ALPN_HTTP1.to_vec()],
            Protocol::Http2 => vec![ALPN_HTTP2.to_vec()],
            Protocol::Auto => vec![ALPN_HTTP2.to_vec(), ALPN_HTTP1.to_vec()],
        };
        Ok(TlsPool {
            config: Arc::new(config),
            http1: Arc::new(http1),
            server_name: self.server_name.as_ref(),
        })
    }
}

/// TLS towards any server of a pool: one configuration, so that they share resumed sessions.
pub(crate) struct TlsPool<'a> {
    config: Arc<ClientConfig>,
    http1: Arc<ClientConfig>,
    server_name: Option<&'a TlsServerName>,
}

impl TlsPool<'_> {
    /// TLS towards the server at `address`.
    pub(crate) fn client(&self, address: &ServerAddress) -> Result<TlsClient, SettingsError> {
        let server_name = match self.server_name {
            Some(name) => name.clone(),
            None => TlsServerName::new(&address.host())?,
        };
        Ok(TlsClient {
            config: Arc::clone(&self.config),
            http1: Arc::clone(&self.http1),
            server_name: server_name.0,
        })
    }
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

/// HTTP/1.1 by ALPN (RFC 7301), TLS 1.2 and 1.3; sessions are resumed, as is rustls' default.
fn client_config(
    verifier: Arc<dyn ServerCertVerifier>,
    client_certificate: Option<&ClientCertificate>,
) -> Result<ClientConfig, SettingsError> {
    let builder = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .map_err(|error| unusable("TLS versions", &error))?
        .dangerous()
        .with_custom_certificate_verifier(verifier);
    let mut config = match client_certificate {
        None => builder.with_no_client_auth(),
        Some(certificate) => builder
            .with_client_auth_cert(certificate.chain.to_vec(), certificate.key.clone_key())
            .map_err(|error| unusable("client certificate", &error))?,
    };
    config.alpn_protocols = vec![ALPN_HTTP1.to_vec()];
    Ok(config)
}

fn verifier(
    trust: &ServerTrust,
    system: &mut SystemRoots,
) -> Result<Arc<dyn ServerCertVerifier>, SettingsError> {
    let roots = match trust {
        ServerTrust::SystemRoots => system.get()?,
        ServerTrust::Roots(roots) => Arc::new(root_store(&roots.0)?),
        ServerTrust::Unverified => return Ok(Arc::new(AnyCertificate::new())),
    };
    let verifier = WebPkiServerVerifier::builder_with_provider(roots, provider())
        .build()
        .map_err(|error| SettingsError::Tls {
            what: "certificates of authorities",
            problem: error.to_string(),
        })?;
    Ok(verifier)
}

impl SystemRoots {
    fn get(&mut self) -> Result<Arc<RootCertStore>, SettingsError> {
        if let Some(roots) = &self.0 {
            return Ok(Arc::clone(roots));
        }
        let roots = Arc::new(system_roots()?);
        self.0 = Some(Arc::clone(&roots));
        Ok(roots)
    }
}

/// Those that can't be parsed are left out, as systems have odd ones; none at all is an error.
fn system_roots() -> Result<RootCertStore, SettingsError> {
    let found = rustls_native_certs::load_native_certs();
    let mut roots = RootCertStore::empty();
    let (added, _) = roots.add_parsable_certificates(found.certs);
    if added > 0 {
        return Ok(roots);
    }
    let problem = found
        .errors
        .first()
        .map_or_else(|| "none found".to_owned(), ToString::to_string);
    Err(SettingsError::NoSystemRoots(problem))
}

fn root_store(certificates: &[CertificateDer<'static>]) -> Result<RootCertStore, SettingsError> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates {
        roots
            .add(certificate.clone())
            .map_err(|error| unusable("certificate of an authority", &error))?;
    }
    Ok(roots)
}

fn parse_certificates(
    what: &'static str,
    pem: &[u8],
) -> Result<Vec<CertificateDer<'static>>, SettingsError> {
    let refused = |problem: String| SettingsError::Pem { what, problem };
    let certificates = CertificateDer::pem_slice_iter(pem)
        .take(CERTIFICATES_MAX + 1)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| refused(error.to_string()))?;
    match certificates.len() {
        0 => Err(refused("no certificate in PEM form found".to_owned())),
        1..=CERTIFICATES_MAX => Ok(certificates),
        _ => Err(refused(format!("over {CERTIFICATES_MAX} certificates"))),
    }
}

fn unusable(what: &'static str, error: &rustls::Error) -> SettingsError {
    SettingsError::Tls {
        what,
        problem: error.to_string(),
    }
}

/// Believes any certificate, but still wants the server to hold its key.
#[derive(Debug)]
struct AnyCertificate(WebPkiSupportedAlgorithms);

impl AnyCertificate {
    fn new() -> Self {
        Self(provider().signature_verification_algorithms)
    }
}

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls12_signature(message, certificate, signed, &self.0)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls13_signature(message, certificate, signed, &self.0)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_schemes()
    }
}
