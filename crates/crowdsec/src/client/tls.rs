//! TLS towards LAPI.

use std::sync::Arc;

use palisade_remote::{ClientError, machine_roots, tls_builder};
use rustls::sign::SingleCertAndKey;
use rustls::{ClientConfig, RootCertStore};

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
    let config = tls_builder(roots)?;
    Ok(match settings.credentials() {
        Credentials::ApiKey(_) => config.with_no_client_auth(),
        Credentials::ClientCertificate(identity) => {
            let certificate = SingleCertAndKey::from(Arc::clone(&identity.0));
            config.with_client_cert_resolver(Arc::new(certificate))
        }
    })
}
