//! What `set-up test` fetched.

use std::path::{Path, PathBuf};

/// A file that it fetched.
#[track_caller]
pub(crate) fn test_data(name: &str) -> PathBuf {
    let fetched = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/test-data");
    let folder = std::env::var_os("PALISADE_TEST_DATA").map_or(fetched, PathBuf::from);
    let path = folder.join(name);
    assert!(
        path.exists(),
        "there is no {}: run ./set-up test",
        path.display()
    );
    path
}
