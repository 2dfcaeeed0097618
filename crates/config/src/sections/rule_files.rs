//! Files with SecLang rules, as sources of the settings: when one changes, the settings are read again.

use std::path::{Path, PathBuf};

use palisade_seclang::{RuleFiles, SourceError};
use palisade_vocabulary::ByteSize;

use crate::reader::Context;

/// The largest rule or data file. CRS's largest has 110 KiB.
const FILE_SIZE_MAX: ByteSize = ByteSize::mib(16);

/// Files with rules. A relative name starts at the folder of the file that it stands in, as in ModSecurity.
pub(super) struct RuleFilesOf<'a>(pub(super) &'a Context<'a>);

impl RuleFilesOf<'_> {
    fn read_path(&self, path: &Path) -> Result<Vec<u8>, SourceError> {
        let read = self.0.try_read_file(path, FILE_SIZE_MAX.as_u64());
        let read = read.map_err(|error| SourceError(error.to_string()))?;
        Ok(read.bytes)
    }
}

impl RuleFiles for RuleFilesOf<'_> {
    fn matching(&self, pattern: &str, from: Option<&str>) -> Result<Vec<String>, SourceError> {
        // What the settings name is resolved already.
        let Some(from) = from else {
            return Ok(vec![pattern.to_owned()]);
        };
        let paths = self.0.try_matching_files(&beside(from, pattern));
        let paths = paths.map_err(SourceError)?;
        if paths.is_empty() {
            return Err(SourceError("no file has such a name".to_owned()));
        }
        let names = paths.into_iter().map(|path| {
            let name = path.into_os_string().into_string();
            name.map_err(|path| SourceError(format!("{} is not UTF-8", path.display())))
        });
        names.collect()
    }

    fn read(&self, file: &str) -> Result<Vec<u8>, SourceError> {
        self.read_path(Path::new(file))
    }

    fn data(&self, name: &str, from: &str) -> Result<Vec<u8>, SourceError> {
        self.read_path(&beside(from, name))
    }
}

fn beside(from: &str, name: &str) -> PathBuf {
    let folder = Path::new(from).parent();
    folder.unwrap_or(Path::new("")).join(name)
}
