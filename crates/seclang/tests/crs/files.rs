//! Rule files from the disk.

use std::fs;
use std::path::{Path, PathBuf};

use palisade_seclang::{RuleFiles, SourceError};

/// Names are paths; those of data files are beside the file that names them.
pub(crate) struct Disk;

impl RuleFiles for Disk {
    fn matching(&self, pattern: &str, _: Option<&str>) -> Result<Vec<String>, SourceError> {
        let Some((folder, "*.conf")) = pattern.rsplit_once('/') else {
            return Ok(vec![pattern.to_owned()]);
        };
        let mut names: Vec<String> = fs::read_dir(folder)
            .map_err(|error| SourceError(error.to_string()))?
            .map(|entry| entry.unwrap().path().to_str().unwrap().to_owned())
            .filter(|name| name.ends_with(".conf"))
            .collect();
        names.sort();
        Ok(names)
    }

    fn read(&self, file: &str) -> Result<Vec<u8>, SourceError> {
        fs::read(file).map_err(|error| SourceError(error.to_string()))
    }

    fn data(&self, name: &str, from: &str) -> Result<Vec<u8>, SourceError> {
        self.read(Path::new(from).with_file_name(name).to_str().unwrap())
    }
}

/// A file beside this test's.
pub(crate) fn data(name: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data");
    folder.join(name).to_str().unwrap().to_owned()
}

/// Where CRS is; tells loudly what isn't run without it.
pub(crate) fn crs(skipped: &str) -> Option<PathBuf> {
    let folder = std::env::var_os("PALISADE_CRS").map(PathBuf::from);
    if folder.is_none() {
        eprintln!("SKIPPED, since PALISADE_CRS names no folder with OWASP CRS: {skipped}");
    }
    folder
}
