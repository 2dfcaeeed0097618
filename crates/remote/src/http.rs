//! HTTP clients.

use std::sync::Arc;
use std::time::Duration;

use reqwest::ClientBuilder;
use rustls::client::WantsClientCert;
use rustls::crypto::ring;
use rustls::{ClientConfig, ConfigBuilder, RootCertStore};

/// A name and a version with exactly one slash between them, as CrowdSec's LAPI wants it, which
/// takes a name that starts with `crowdsec/` for an agent.
const USER_AGENT: &str = concat!("palisade/", env!("CARGO_PKG_VERSION"));
/// How long a connection may take, whatever the whole exchange may.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Why there can be no client.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ClientError {
    /// A server is asked over TLS, no authorities are given, and the machine has none.
    #[error(
        "no certificate authorities found on this machine; install ca-certificates, or give the server's own authority"
    )]
    NoAuthorities,
    /// TLS can't be set up.
    #[error("TLS can't be set up: {0}")]
    Tls(String),
    /// The client can't be built.
    #[error("the client can't be built: {0}")]
    Build(String),
}

/// A client that asks directly (no proxy of the environment), over HTTP/1.1, follows no redirect,
/// says nothing about where it has been, and tries nothing twice by itself.
pub fn builder(tls: ClientConfig) -> ClientBuilder {
    reqwest::Client::builder()
        .tls_backend_preconfigured(tls)
        .user_agent(USER_AGENT)
        .connect_timeout(CONNECT_TIMEOUT)
        .http1_only()
        .no_proxy()
        .no_gzip()
        .redirect(reqwest::redirect::Policy::none())
        .referer(false)
        .retry(reqwest::retry::never())
        .pool_max_idle_per_host(1)
}

/// TLS that verifies servers by `roots`, before it is said whether a certificate is shown.
///
/// # Errors
/// When the provider of ciphers and the versions don't fit each other.
pub fn tls_builder(
    roots: Arc<RootCertStore>,
) -> Result<ConfigBuilder<ClientConfig, WantsClientCert>, ClientError> {
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| ClientError::Tls(error.to_string()))?;
    Ok(config.with_root_certificates(roots))
}

/// The machine's own store of authorities. Certificates in it that can't be read are left out, as
/// every TLS client does: it is not ours to mend.
///
/// # Errors
/// When there is none.
pub fn machine_roots() -> Result<RootCertStore, ClientError> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if roots.is_empty() {
        return Err(ClientError::NoAuthorities);
    }
    Ok(roots)
}
