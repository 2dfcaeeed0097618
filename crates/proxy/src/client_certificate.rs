//! What a client's certificate says of it.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use palisade_gate::ClientCertificate;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer, X509Certificate};

/// A certificate, and when it is valid.
#[derive(Clone, Debug)]
pub struct ValidCertificate {
    certificate: ClientCertificate,
    from: SystemTime,
    until: SystemTime,
}

/// A certificate that can't be read.
#[derive(Debug, thiserror::Error)]
#[error("the certificate can't be read: {0}")]
pub(crate) struct CertificateError(String);

impl ValidCertificate {
    /// The certificate, if it is valid at a time.
    #[must_use]
    pub fn at(&self, time: SystemTime) -> Option<&ClientCertificate> {
        (self.from..=self.until)
            .contains(&time)
            .then_some(&self.certificate)
    }
}

/// Reads a certificate (RFC 5280) that was verified, in DER: the common names of its subject, and its
/// alternative names that are DNS names, e-mail addresses or URIs.
///
/// # Errors
/// When it is none.
pub(crate) fn read(der: &[u8]) -> Result<ValidCertificate, CertificateError> {
    let error = |error: &dyn std::fmt::Display| CertificateError(error.to_string());
    let (_, parsed) = X509Certificate::from_der(der).map_err(|fault| error(&fault))?;
    let common = parsed.subject().iter_common_name();
    let common = common.filter_map(|name| name.as_str().ok());
    let extension = parsed
        .subject_alternative_name()
        .map_err(|fault| error(&fault))?;
    let alternatives = extension
        .iter()
        .flat_map(|extension| &extension.value.general_names);
    let alternatives = alternatives.filter_map(|name| match name {
        GeneralName::DNSName(name) | GeneralName::RFC822Name(name) | GeneralName::URI(name) => {
            Some(*name)
        }
        _ => None,
    });
    let validity = parsed.validity();
    let time = |seconds: i64| {
        let since = u64::try_from(seconds).unwrap_or(0);
        let time = UNIX_EPOCH.checked_add(Duration::from_secs(since));
        time.unwrap_or(UNIX_EPOCH)
    };
    Ok(ValidCertificate {
        certificate: ClientCertificate::new(common.chain(alternatives)),
        from: time(validity.not_before.timestamp()),
        until: time(validity.not_after.timestamp()),
    })
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, DnType, KeyPair, SanType, date_time_ymd};

    use super::*;

    fn read_made(params: CertificateParams) -> ValidCertificate {
        let key = KeyPair::generate().unwrap();
        read(params.self_signed(&key).unwrap().der()).unwrap()
    }

    #[test]
    fn the_names_of_subject_and_alternatives() {
        let mut params = CertificateParams::new(vec!["Box.example.com".to_owned()]).unwrap();
        params
            .distinguished_name
            .push(DnType::CommonName, "Alice Smith");
        let mail = "alice@example.com".to_owned().try_into().unwrap();
        params.subject_alt_names.push(SanType::Rfc822Name(mail));
        let valid = read_made(params);
        let shown = valid.at(SystemTime::now()).unwrap();
        let names: Vec<&str> = shown.names().collect();
        assert_eq!(
            names,
            ["alice smith", "box.example.com", "alice@example.com"]
        );
    }

    #[test]
    fn valid_from_one_time_until_another() {
        let mut params = CertificateParams::default();
        params.not_before = date_time_ymd(2020, 1, 1);
        params.not_after = date_time_ymd(2021, 1, 1);
        let valid = read_made(params);
        let at = |seconds| {
            valid
                .at(UNIX_EPOCH + Duration::from_secs(seconds))
                .is_some()
        };
        assert!(!at(1_577_836_799) && at(1_577_836_800));
        assert!(at(1_609_459_200) && !at(1_609_459_201));
    }

    #[test]
    fn what_is_no_certificate_is_told() {
        assert!(read(b"").is_err());
        assert!(read(b"\x30\x03\x02\x01\x01").is_err());
    }
}
