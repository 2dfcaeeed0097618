//! How Palisade proves to LAPI who it is, and how LAPI proves it to Palisade.

use std::fmt;
use std::sync::Arc;

use reqwest::header::HeaderValue;
use rustls::RootCertStore;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;

/// How Palisade proves to LAPI who it is.
///
/// With a client certificate no key is sent: LAPI would ignore it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Credentials {
    /// A bouncer's key, as `cscli bouncers add` prints it; sent as `X-Api-Key`.
    ApiKey(Secret),
    /// A certificate whose organisational unit is in LAPI's `bouncers_allowed_ou`.
    ClientCertificate(ClientIdentity),
}

/// A text that is never shown: 1 to 512 visible ASCII characters (RFC 9110 section 5.5, without
/// space, tab and obs-text).
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(HeaderValue);

impl Secret {
    /// The longest, in bytes.
    pub const LEN_MAX: usize = 512;

    /// The secret in `text`; the line break at the end of a file is left out.
    ///
    /// # Errors
    /// When the text is empty, too long, or holds anything but visible ASCII characters.
    pub fn new(text: &str) -> Result<Self, SecretError> {
        let text = text.strip_suffix('\n').unwrap_or(text);
        let text = text.strip_suffix('\r').unwrap_or(text);
        if text.is_empty() {
            return Err(SecretError::Empty);
        }
        if text.len() > Self::LEN_MAX {
            return Err(SecretError::TooLong { got: text.len() });
        }
        let position = text.bytes().position(|byte| !byte.is_ascii_graphic());
        if let Some(position) = position {
            return Err(SecretError::NotVisibleAscii { position });
        }
        let mut value = HeaderValue::from_str(text)
            .map_err(|_| SecretError::NotVisibleAscii { position: 0 })?;
        value.set_sensitive(true);
        Ok(Self(value))
    }

    /// The secret as a header field's value, marked sensitive. Shares the bytes.
    pub(crate) fn header_value(&self) -> HeaderValue {
        self.0.clone()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("<secret>")
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("<secret>")
    }
}

/// What is wrong with a secret. Never repeats it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SecretError {
    /// Nothing there.
    #[error("the key is empty; `cscli bouncers add palisade` prints one")]
    Empty,
    /// Over [`Secret::LEN_MAX`] bytes.
    #[error("the key has {got} bytes; at most {} are possible", Secret::LEN_MAX)]
    TooLong {
        /// How many bytes were got.
        got: usize,
    },
    /// A space, a line break, another control character, or no ASCII.
    #[error(
        "byte {position} of the key is no visible ASCII character; expected one line without spaces"
    )]
    NotVisibleAscii {
        /// Which byte, from 0.
        position: usize,
    },
}

/// A certificate chain and the private key that fits it.
#[derive(Clone)]
pub struct ClientIdentity(pub(crate) Arc<CertifiedKey>);

impl ClientIdentity {
    /// The chain in `certificate_pem` (own certificate first) and the key in `private_key_pem`
    /// (PKCS#8, PKCS#1 or SEC1).
    ///
    /// # Errors
    /// When either is missing, malformed, of an unknown kind, or they don't belong together.
    pub fn from_pem(
        certificate_pem: &[u8],
        private_key_pem: &[u8],
    ) -> Result<Self, CredentialsError> {
        let chain = certificates(certificate_pem)?;
        let key = PrivateKeyDer::from_pem_slice(private_key_pem).map_err(|error| {
            CredentialsError::PrivateKey {
                reason: error.to_string(),
            }
        })?;
        let certified =
            CertifiedKey::from_der(chain, key, &ring::default_provider()).map_err(|error| {
                CredentialsError::Mismatch {
                    reason: error.to_string(),
                }
            })?;
        Ok(Self(Arc::new(certified)))
    }
}

impl PartialEq for ClientIdentity {
    /// The key is that of the certificate, so the certificates tell.
    fn eq(&self, other: &Self) -> bool {
        self.0.cert == other.0.cert
    }
}

impl Eq for ClientIdentity {}

impl fmt::Debug for ClientIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("<client certificate>")
    }
}

/// The authorities that may vouch for LAPI's certificate; at least one.
#[derive(Clone, Debug)]
pub struct CertificateAuthorities(pub(crate) Arc<RootCertStore>);

impl PartialEq for CertificateAuthorities {
    fn eq(&self, other: &Self) -> bool {
        self.0.roots == other.0.roots
    }
}

impl Eq for CertificateAuthorities {}

impl CertificateAuthorities {
    /// The certificates in `pem`.
    ///
    /// # Errors
    /// When there is none, or one is malformed.
    pub fn from_pem(pem: &[u8]) -> Result<Self, CredentialsError> {
        let mut roots = RootCertStore::empty();
        for certificate in certificates(pem)? {
            roots
                .add(certificate)
                .map_err(|error| CredentialsError::Certificate {
                    reason: error.to_string(),
                })?;
        }
        Ok(Self(Arc::new(roots)))
    }
}

fn certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, CredentialsError> {
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    let chain = chain.map_err(|error| CredentialsError::Certificate {
        reason: error.to_string(),
    })?;
    if chain.is_empty() {
        return Err(CredentialsError::NoCertificate);
    }
    Ok(chain)
}

/// What is wrong with a certificate or its key. Never repeats the key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CredentialsError {
    /// No certificate in the file.
    #[error("no certificate found; expected PEM with `-----BEGIN CERTIFICATE-----`")]
    NoCertificate,
    /// A certificate can't be read.
    #[error("the certificate can't be read: {reason}")]
    Certificate {
        /// Why not.
        reason: String,
    },
    /// The private key can't be read.
    #[error(
        "the private key can't be read: {reason}; expected PEM with `-----BEGIN PRIVATE KEY-----`"
    )]
    PrivateKey {
        /// Why not.
        reason: String,
    },
    /// The key is of an unknown kind, or of another certificate.
    #[error("the private key can't be used with the certificate: {reason}")]
    Mismatch {
        /// Why not.
        reason: String,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(input: &str, expected: Result<&str, SecretError>) {
        let got = Secret::new(input);
        let got = got.as_ref().map(|s| s.0.to_str().unwrap_or_default());
        assert_eq!(got, expected.as_ref().copied(), "{input:?}");
    }

    #[test]
    fn a_key_is_one_line_of_visible_ascii() {
        check("0123abcd", Ok("0123abcd"));
        check("a+b/c=\n", Ok("a+b/c="));
        check("abc\r\n", Ok("abc"));
        check("", Err(SecretError::Empty));
        check("\n", Err(SecretError::Empty));
        check("a b", Err(SecretError::NotVisibleAscii { position: 1 }));
        check(
            "ab\ncd\n",
            Err(SecretError::NotVisibleAscii { position: 2 }),
        );
        check("ab\n\n", Err(SecretError::NotVisibleAscii { position: 2 }));
        check(
            "schlüssel",
            Err(SecretError::NotVisibleAscii { position: 4 }),
        );
        check(&"x".repeat(512), Ok(&"x".repeat(512)));
        check(&"x".repeat(513), Err(SecretError::TooLong { got: 513 }));
    }

    #[test]
    fn a_key_is_never_shown() {
        let credentials = Credentials::ApiKey(Secret::new("hunter2").unwrap());
        let secret = Secret::new("hunter2").unwrap();
        for shown in [
            format!("{credentials:?}"),
            format!("{secret}"),
            format!("{:?}", secret.header_value()),
        ] {
            assert!(!shown.contains("hunter2"), "{shown}");
        }
    }

    #[test]
    fn certificates_are_parsed_at_once() {
        let none = CertificateAuthorities::from_pem(b"").unwrap_err();
        assert_eq!(none, CredentialsError::NoCertificate);
        let garbage = b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        assert!(matches!(
            CertificateAuthorities::from_pem(garbage).unwrap_err(),
            CredentialsError::Certificate { .. }
        ));
        assert!(matches!(
            ClientIdentity::from_pem(garbage, b"").unwrap_err(),
            CredentialsError::PrivateKey { .. }
        ));
    }
}
