//! What peers are given.

use std::fmt::Write as _;
use std::fs;
use std::net::Ipv4Addr;
use std::path::PathBuf;

use rustls_pki_types::CertificateDer;
use tempfile::TempDir;

use crate::client::HOST;
use crate::{BANNED, BANNED_IN_RANGE};

/// As many as the harness has.
const BLOCKED: u32 = 50_000;

/// A certificate, listed addresses, and CRS where it is here.
pub(crate) struct Files {
    folder: TempDir,
    pub(crate) der: CertificateDer<'static>,
    pub(crate) crs: Option<PathBuf>,
}

impl Files {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let made = rcgen::generate_simple_self_signed([HOST.to_owned()]).unwrap();
        let files = Self {
            der: made.cert.der().clone(),
            crs: std::env::var_os("PALISADE_CRS")
                .map(|crs| PathBuf::from(crs).canonicalize().unwrap()),
            folder,
        };
        fs::write(files.certificate(), made.cert.pem()).unwrap();
        fs::write(files.key(), made.signing_key.serialize_pem()).unwrap();
        fs::write(files.blocked(), blocked()).unwrap();
        files
    }

    pub(crate) fn certificate(&self) -> PathBuf {
        self.folder.path().join("certificate.pem")
    }

    pub(crate) fn key(&self) -> PathBuf {
        self.folder.path().join("key.pem")
    }

    pub(crate) fn blocked(&self) -> PathBuf {
        self.folder.path().join("blocked.txt")
    }
}

/// The banned client last, so that a list that is cut short is noticed.
fn blocked() -> String {
    let range = BANNED_IN_RANGE.rsplit_once('.').unwrap().0;
    let mut lines = format!("{range}.0/24\n");
    let first = Ipv4Addr::new(20, 0, 0, 0).to_bits();
    for number in 0..BLOCKED - 2 {
        // Spread over a part of the address space, no two the same.
        let _ = writeln!(lines, "{}", Ipv4Addr::from_bits(first + number * 977));
    }
    lines + BANNED + "\n"
}
