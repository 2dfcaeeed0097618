//! Files that hold secrets, and the keys that name them in several sections.

use std::path::Path;

use crate::Location;
use crate::reader::{Context, FilePath, Key, Optional, Required};

/// The longest PEM file: thousands of certificates.
pub(super) const PEM_BYTES_MAX: u64 = 16 * 1024 * 1024;

pub(super) const CERTIFICATE_PATH: FilePath = FilePath {
    what: "the path of a PEM file with a certificate and its chain",
};
pub(super) const PRIVATE_KEY_PATH: FilePath = FilePath {
    what: "the path of a PEM file with a private key",
};
pub(super) const CA_PATH: FilePath = FilePath {
    what: "the path of a PEM file with the certificates of authorities",
};

pub(super) static CERTIFICATE: Key<FilePath, Required> = Key::new(
    "certificate",
    CERTIFICATE_PATH,
    Required,
    "The certificate, then those that lead to its authority (PEM).",
);
pub(super) static PRIVATE_KEY: Key<FilePath, Required> = Key::new(
    "private_key",
    PRIVATE_KEY_PATH,
    Required,
    "The certificate's private key (PEM: PKCS#8, PKCS#1 or SEC1).",
);

pub(super) static CLIENT_CERTIFICATE: Key<FilePath, Optional> = Key::new(
    "certificate",
    CERTIFICATE_PATH,
    Optional,
    "The certificate that Palisade shows, then those that lead to its authority (PEM). Goes with `private_key`.",
);
pub(super) static CLIENT_PRIVATE_KEY: Key<FilePath, Optional> = Key::new(
    "private_key",
    PRIVATE_KEY_PATH,
    Optional,
    "The private key of `certificate` (PEM).",
);

/// The bytes of a file that nobody else should read; a warning if everybody can.
pub(super) fn read_private(
    path: &Path,
    bytes_max: u64,
    location: &Location,
    context: &Context<'_>,
) -> Option<Vec<u8>> {
    let file = context.read_file(path, bytes_max, location)?;
    if file.world_readable {
        let path = path.display();
        context.warning(
            location,
            format!("every user of this machine can read {path}; run chmod o-r on it"),
        );
    }
    Some(file.bytes)
}
