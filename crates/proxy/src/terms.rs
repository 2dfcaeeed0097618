//! On what terms a listener takes connections.

use std::sync::Arc;

use crate::certificates::{TlsAcceptor, TlsError};
use crate::settings::{ClientCertificates, ListenerSettings, TlsSettings};

/// What the settings of a listener make. A connection keeps those that it began with; a reload gives
/// others to the connections that come after it.
pub(crate) struct Terms {
    pub(crate) settings: ListenerSettings,
    pub(crate) tls: Option<Arc<TlsAcceptor>>,
}

impl Terms {
    pub(crate) fn new(settings: ListenerSettings) -> Result<Self, TlsError> {
        let tls = settings.tls.as_ref();
        let tls = tls.map(|tls| TlsAcceptor::build(tls, settings.http2));
        Ok(Self {
            tls: tls.transpose()?.map(Arc::new),
            settings,
        })
    }

    /// The terms of other settings. What TLS needs is kept where it is the same, and with it the keys
    /// by which clients resume their sessions.
    pub(crate) fn changed_to(&self, settings: ListenerSettings) -> Result<Self, TlsError> {
        let (old, new) = (self.settings.tls.as_ref(), settings.tls.as_ref());
        let is_same = self.settings.http2 == settings.http2
            && old.zip(new).is_some_and(|(old, new)| old.is_same_as(new));
        match is_same {
            true => Ok(Self {
                tls: self.tls.clone(),
                settings,
            }),
            false => Self::new(settings),
        }
    }
}

impl TlsSettings {
    /// Whether a handshake goes the same way with both. No key is compared: each belongs to its
    /// certificate, or the settings would have been refused.
    fn is_same_as(&self, other: &Self) -> bool {
        let (own, others) = (&self.certificates, &other.certificates);
        own.len() == others.len()
            && own
                .iter()
                .zip(others)
                .all(|(own, other)| own.key.cert == other.key.cert)
            && self
                .client_certificates
                .is_same_as(&other.client_certificates)
    }
}

impl ClientCertificates {
    fn is_same_as(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Off, Self::Off) => true,
            (Self::Optional(own), Self::Optional(other))
            | (Self::Required(own), Self::Required(other)) => {
                own.roots.roots == other.roots.roots && own.revoked == other.revoked
            }
            _ => false,
        }
    }
}
