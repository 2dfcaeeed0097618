//! Where files are.

use std::path::{Path, PathBuf};

/// A file beside this test's.
pub(crate) fn data(name: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data");
    folder.join(name).to_str().unwrap().to_owned()
}

/// Where CRS is; tells loudly what isn't run without it.
pub(crate) fn crs(skipped: &str) -> Option<PathBuf> {
    let folder = std::env::var_os("PALISADE_CRS").map(PathBuf::from);
    if folder.is_none() {
        say!("SKIPPED, since PALISADE_CRS names no folder with OWASP CRS: {skipped}");
    }
    folder
}
