//! The binary that is measured.

use std::path::{Path, PathBuf};

/// The binary to measure: `PALISADE`, or what the workspace was built to.
#[must_use]
pub fn binary() -> PathBuf {
    if let Some(path) = std::env::var_os("PALISADE") {
        return path.into();
    }
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../target"),
        PathBuf::from,
    );
    target.join("release/palisade")
}
