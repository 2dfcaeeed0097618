//! TLS towards LAPI.

use std::sync::Arc;

use rustls::crypto::ring;
use rustls::sign::SingleCertAndKey;
use rustls::{ClientConfig, RootCertStore};

use super::ClientError;
use crate::credentials::Credentials;
use crate::settings::Settings;

/// LAPI's certificate is always verified: by the authorities of the settings alone if there are
/// any, else by those of the machine.
pub(super) fn client_config(settings: &Settings) -> Result<ClientConfig, ClientError> {
    let roots = match &settings.certificate_authorities {
        Some(authorities) => Arc::clone(&authorities.0),
        None if settings.lapi_url().is_https() => Arc::new(machine_roots()?),
        None => Arc::new(RootCertStore::empty()),
    };
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| ClientError::Tls(error.to_string()))?
        .with_root_certificates(roots);
    Ok(match settings.credentials() {
        Credentials::ApiKey(_) => config.with_no_client_auth(),
        Credentials::ClientCertificate(identity) => {
            let certificate = SingleCertAndKey::from(Arc::clone(&identity.0));
            config.with_client_cert_resolver(Arc::new(certificate))
        }
    })
}

/// The machine's own store. Certificates in it that can't be read are left out, as every TLS
/// client does: it is not ours to mend.
fn machine_roots() -> Result<RootCertStore, ClientError> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if roots.is_empty() {
        return Err(ClientError::NoAuthorities);
    }
    Ok(roots)
}
