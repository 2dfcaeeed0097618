//! The files that settings were made of, for noticing changes.

use std::path::{Path, PathBuf};

use crate::files::{FileContent, Files, Stamp};

/// A file that was read, or a folder that was looked through for a pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// The path as it was read.
    pub path: PathBuf,
    /// What the file held, or which names the folder did; `None` where it couldn't be read.
    pub hash: Option<SourceHash>,
    stamp: Option<Stamp>,
}

/// A fingerprint of bytes: the first 128 bits of their SHA-256.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct SourceHash(u128);

impl SourceHash {
    /// The fingerprint of `bytes`.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        let digest = ring::digest::digest(&ring::digest::SHA256, bytes);
        let first = digest.as_ref().first_chunk().copied().unwrap_or_default();
        Self(u128::from_be_bytes(first))
    }
}

impl std::fmt::Display for SourceHash {
    /// 32 hexadecimal digits.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl std::fmt::Debug for SourceHash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{self}")
    }
}

impl Source {
    pub(crate) fn file(path: &Path, content: &FileContent) -> Self {
        Self {
            path: path.to_owned(),
            hash: Some(SourceHash::of(&content.bytes)),
            stamp: Some(content.stamp),
        }
    }

    pub(crate) fn folder(path: &Path, names: &[String], stamp: Option<Stamp>) -> Self {
        Self {
            path: path.to_owned(),
            // A name can't hold a slash, so the names can be told apart.
            hash: Some(SourceHash::of(names.join("/").as_bytes())),
            stamp,
        }
    }

    /// What could not be read; `stamp` if it is there nevertheless.
    pub(crate) fn unread(path: &Path, stamp: Option<Stamp>) -> Self {
        Self {
            path: path.to_owned(),
            hash: None,
            stamp,
        }
    }
}

/// All files that one set of settings was made of, each once, in the order they were read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sources(Vec<Source>);

impl Sources {
    /// The files.
    pub fn iter(&self) -> impl Iterator<Item = &Source> {
        self.0.iter()
    }

    /// One fingerprint for all of them: the same settings have the same, on every machine.
    #[must_use]
    pub fn hash(&self) -> SourceHash {
        let hashes = self
            .0
            .iter()
            .map(|source| source.hash.map_or(0, |hash| hash.0));
        SourceHash::of(&hashes.flat_map(u128::to_be_bytes).collect::<Vec<u8>>())
    }

    /// The first of them that is not what it was when it was read. Reads no file.
    #[must_use]
    pub fn changed(&self, files: &dyn Files) -> Option<&Path> {
        let differs = |source: &&Source| files.stamp(&source.path) != source.stamp;
        self.0.iter().find(differs).map(|source| &*source.path)
    }

    /// Takes the files to be as they are now: [`Self::changed`] tells of what changes after this.
    /// Their fingerprint stays that of what was read.
    pub fn look_again(&mut self, files: &dyn Files) {
        for source in &mut self.0 {
            source.stamp = files.stamp(&source.path);
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn add(&mut self, source: Source) {
        if self.0.iter().all(|known| known.path != source.path) {
            self.0.push(source);
        }
    }
}
