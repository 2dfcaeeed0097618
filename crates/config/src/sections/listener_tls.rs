//! `listeners.tls`: certificates, and whose certificates clients may show.

use std::collections::HashSet;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use palisade_proxy::settings::{
    CertificateSettings, ClientAuthorities, ClientCertificates, TlsSettings,
};
use rustls::RootCertStore;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, CertificateRevocationListDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer, Validity, X509Certificate};

use super::credentials::{CERTIFICATE, PEM_BYTES_MAX, PRIVATE_KEY, read_private};
use crate::reader::{
    Choice, Context, Defaulted, Fields, FilePath, Key, ListOf, Located, OneOrList, Optional,
    Required, Table, TableInfo, WithLocation,
};

/// The most certificates of one listener.
const CERTIFICATES_MAX: usize = 10_000;

/// The most files with lists of revoked certificates.
const REVOKED_FILES_MAX: usize = 100;

pub(super) const TLS: Table<TlsSettings> = Table {
    info: &INFO,
    lower: |fields| {
        let (certificates, clients) = (fields.get(&CERTIFICATES), fields.get(&CLIENT_CERTIFICATES));
        Some(TlsSettings {
            certificates: certificates?,
            client_certificates: clients?.unwrap_or(ClientCertificates::Off),
        })
    },
};

static INFO: TableInfo = TableInfo {
    name: "listeners.tls",
    about: "TLS of a listener.",
    keys: &[&CERTIFICATES, &CLIENT_CERTIFICATES],
    later: &[],
};

static CERTIFICATES: Key<ListOf<Table<CertificateSettings>>, Required> = Key::new(
    "certificates",
    ListOf {
        of: CERTIFICATE_TABLE,
        min: 1,
        max: CERTIFICATES_MAX,
    },
    Required,
    "Certificates, chosen by the server name that the client asks for (SNI). The first is for clients that ask for none of them.",
);
static CLIENT_CERTIFICATES: Key<Table<ClientCertificates>, Optional> = Key::new(
    "client_certificates",
    CLIENTS_TABLE,
    Optional,
    "Whether clients show a certificate of their own. Absent: they aren't asked.",
);

const CERTIFICATE_TABLE: Table<CertificateSettings> = Table {
    info: &CERTIFICATE_INFO,
    lower: lower_certificate,
};

static CERTIFICATE_INFO: TableInfo = TableInfo {
    name: "listeners.tls.certificates",
    about: "A certificate and its private key, in PEM files.",
    keys: &[&CERTIFICATE, &PRIVATE_KEY],
    later: &[],
};

fn lower_certificate(fields: &Fields<'_>) -> Option<CertificateSettings> {
    let context = fields.context();
    let (certificate, private_key) = (fields.get(&CERTIFICATE), fields.get(&PRIVATE_KEY));
    let chain = certificate.as_ref().and_then(|path| {
        let file = context.read_file(path, PEM_BYTES_MAX, fields.location_of(&CERTIFICATE))?;
        fields.accept(certificates_in(path, &file.bytes), &CERTIFICATE)
    });
    let key = private_key.as_ref().and_then(|path| {
        let bytes = read_private(
            path,
            PEM_BYTES_MAX,
            fields.location_of(&PRIVATE_KEY),
            context,
        )?;
        fields.accept(key_in(path, &bytes), &PRIVATE_KEY)
    });
    let (certificate, chain) = (certificate?, chain?);
    let (names, validity) = fields.accept(facts_of(&certificate, &chain), &CERTIFICATE)?;
    if !validity.is_valid() {
        let (from, until) = (validity.not_before, validity.not_after);
        let message = format!(
            "{} is valid from {from} until {until}, and not now",
            certificate.display()
        );
        context.warning(fields.location_of(&CERTIFICATE), message);
    }
    let provider = rustls::crypto::ring::default_provider();
    let key = CertifiedKey::from_der(chain, key?, &provider)
        .map_err(|error| format!("the private key can't be used with the certificate: {error}"));
    Some(CertificateSettings {
        certificate,
        private_key: private_key?,
        key: Arc::new(fields.accept(key, &PRIVATE_KEY)?),
        names,
    })
}

fn certificates_in(path: &Path, pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, String> {
    let path = path.display();
    let read: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    match read {
        Ok(chain) if chain.is_empty() => Err(format!(
            "{path} holds no certificate; expected PEM with -----BEGIN CERTIFICATE-----"
        )),
        Ok(chain) => Ok(chain),
        Err(error) => Err(format!("{path} is not PEM: {error}")),
    }
}

fn key_in(path: &Path, pem: &[u8]) -> Result<PrivateKeyDer<'static>, String> {
    PrivateKeyDer::from_pem_slice(pem).map_err(|error| {
        format!(
            "{} holds no private key ({error}); expected PEM with -----BEGIN PRIVATE KEY-----",
            path.display()
        )
    })
}

/// The DNS names and addresses that the first certificate of `chain` is for, which are its alternative
/// names (RFC 9525 section 6: the subject's common name doesn't count), and when it is valid.
fn facts_of(
    path: &Path,
    chain: &[CertificateDer<'_>],
) -> Result<(Vec<Box<str>>, Validity), String> {
    let first = chain.first().map(AsRef::as_ref).unwrap_or_default();
    let unreadable = |error: &dyn std::fmt::Display| {
        format!("{}: the certificate can't be read: {error}", path.display())
    };
    let (_, parsed) = X509Certificate::from_der(first).map_err(|error| unreadable(&error))?;
    let extension = parsed
        .subject_alternative_name()
        .map_err(|error| unreadable(&error))?;
    let names = extension
        .iter()
        .flat_map(|extension| &extension.value.general_names);
    let mut seen = HashSet::new();
    let names = names
        .filter_map(name_text)
        .filter(|name| seen.insert(name.clone()));
    Ok((names.collect(), parsed.validity().clone()))
}

fn name_text(name: &GeneralName<'_>) -> Option<Box<str>> {
    match name {
        GeneralName::DNSName(name) => Some(name.to_ascii_lowercase().into()),
        GeneralName::IPAddress(bytes) => {
            let v4 = <[u8; 4]>::try_from(*bytes).map(IpAddr::from);
            let v6 = <[u8; 16]>::try_from(*bytes).map(IpAddr::from);
            Some(v4.or(v6).ok()?.to_string().into())
        }
        _ => None,
    }
}

#[derive(Clone, Copy)]
enum ClientMode {
    Optional,
    Required,
}

const CLIENTS_TABLE: Table<ClientCertificates> = Table {
    info: &CLIENTS_INFO,
    lower: |fields| {
        let (mode, ca) = (fields.get(&CLIENT_MODE), fields.get(&CLIENT_CA));
        let revoked = fields.get(&CLIENT_REVOKED)?.unwrap_or_default();
        let ca = ca?;
        let roots = read_roots(&ca.value, &ca.location, fields.context());
        let revoked = read_revoked(&revoked, fields.context());
        let authorities = ClientAuthorities {
            roots: Arc::new(roots?),
            revoked: revoked?,
        };
        fields.accept(authorities.check(), &CLIENT_REVOKED)?;
        Some(match mode? {
            ClientMode::Optional => ClientCertificates::Optional(authorities),
            ClientMode::Required => ClientCertificates::Required(authorities),
        })
    },
};

static CLIENTS_INFO: TableInfo = TableInfo {
    name: "listeners.tls.client_certificates",
    about: "Certificates that clients show.",
    keys: &[&CLIENT_MODE, &CLIENT_CA, &CLIENT_REVOKED],
    later: &[],
};

static CLIENT_MODE: Key<Choice<ClientMode>, Defaulted> = Key::new(
    "mode",
    Choice {
        words: &[
            ("required", ClientMode::Required),
            ("optional", ClientMode::Optional),
        ],
        later: &[],
    },
    Defaulted("required"),
    "`required`: no connection without one. `optional`: one that is shown must be good.",
);
static CLIENT_CA: Key<WithLocation<FilePath>, Required> = Key::new(
    "ca",
    WithLocation(FilePath {
        what: "the path of a PEM file with the certificates of authorities",
    }),
    Required,
    "The authorities that may sign clients' certificates (PEM).",
);

static CLIENT_REVOKED: Key<OneOrList<WithLocation<FilePath>>, Optional> = Key::new(
    "revoked",
    OneOrList {
        of: WithLocation(FilePath {
            what: "the path of a PEM file with lists of revoked certificates",
        }),
        max: REVOKED_FILES_MAX,
    },
    Optional,
    "Files with lists of revoked certificates (CRL, PEM), read again when they change: who shows one that is on a list is refused as with one of another authority. Authorities without a list have revoked none. Connections that are open go on.",
);

/// The lists of all files.
fn read_revoked(
    files: &[Located<PathBuf>],
    context: &Context<'_>,
) -> Option<Vec<CertificateRevocationListDer<'static>>> {
    let mut lists = Vec::new();
    for Located {
        value: path,
        location,
    } in files
    {
        let file = context.read_file(path, PEM_BYTES_MAX, location)?;
        let read: Result<Vec<_>, _> =
            CertificateRevocationListDer::pem_slice_iter(&file.bytes).collect();
        let shown = path.display();
        let read = match read {
            Ok(read) if read.is_empty() => Err(format!(
                "{shown} holds no list; expected PEM with -----BEGIN X509 CRL-----"
            )),
            Ok(read) => Ok(read),
            Err(error) => Err(format!("{shown} is not PEM: {error}")),
        };
        lists.extend(context.accept(read, location)?);
    }
    Some(lists)
}

fn read_roots(
    path: &Path,
    location: &crate::Location,
    context: &Context<'_>,
) -> Option<RootCertStore> {
    let file = context.read_file(path, PEM_BYTES_MAX, location)?;
    let certificates = context.accept(certificates_in(path, &file.bytes), location)?;
    let mut roots = RootCertStore::empty();
    for certificate in certificates {
        let added = roots.add(certificate);
        context.accept(
            added.map_err(|error| format!("{}: {error}", path.display())),
            location,
        )?;
    }
    Some(roots)
}
