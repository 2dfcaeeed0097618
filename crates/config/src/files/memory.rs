//! Files that exist only in this process: built-in settings and tests.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};

use super::{FileContent, FileError, Files, Stamp};

/// Files that exist only in this process, by path.
#[derive(Clone, Debug, Default)]
pub struct Memory(BTreeMap<PathBuf, FileContent>);

impl Memory {
    /// These files and one more, which only its owner may read.
    #[must_use]
    pub fn with(self, path: impl Into<PathBuf>, bytes: impl Into<Vec<u8>>) -> Self {
        self.and(path.into(), bytes.into(), false)
    }

    /// These files and one more, which everybody may read.
    #[must_use]
    pub fn with_world_readable(self, path: impl Into<PathBuf>, bytes: impl Into<Vec<u8>>) -> Self {
        self.and(path.into(), bytes.into(), true)
    }

    fn and(mut self, path: PathBuf, bytes: Vec<u8>, world_readable: bool) -> Self {
        let content = FileContent {
            world_readable,
            stamp: stamp_of(&bytes),
            bytes,
        };
        self.0.insert(path, content);
        self
    }
}

/// A file without a time is known by what it holds.
fn stamp_of(hashed: &impl Hash) -> Stamp {
    let mut hasher = DefaultHasher::new();
    hashed.hash(&mut hasher);
    Stamp {
        inode: hasher.finish(),
        ..Stamp::default()
    }
}

impl Files for Memory {
    fn read(&self, path: &Path, bytes_max: u64) -> Result<FileContent, FileError> {
        let content = self.0.get(path).ok_or(FileError::Missing)?;
        if u64::try_from(content.bytes.len()).unwrap_or(u64::MAX) > bytes_max {
            return Err(FileError::TooLong(bytes_max));
        }
        Ok(content.clone())
    }

    fn list(&self, folder: &Path) -> Result<Vec<String>, FileError> {
        let inside = |path: &&PathBuf| path.parent() == Some(folder);
        let names = self
            .0
            .keys()
            .filter(inside)
            .filter_map(|path| path.file_name()?.to_str());
        let names: Vec<String> = names
            .filter(|name| !name.starts_with('.'))
            .map(str::to_owned)
            .collect();
        if names.is_empty() {
            Err(FileError::Missing)
        } else {
            Ok(names)
        }
    }

    fn stamp(&self, path: &Path) -> Option<Stamp> {
        let file = self.0.get(path).map(|content| content.stamp);
        file.or_else(|| self.list(path).ok().as_ref().map(stamp_of))
    }
}
