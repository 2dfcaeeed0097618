//! The files that settings were made of, for noticing changes.

use std::path::{Path, PathBuf};

/// One file, or the list of a folder's files where settings have a pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// The path as it was read.
    pub path: PathBuf,
    /// What the file held, or which names the folder did.
    pub hash: SourceHash,
    /// Whether this is a folder.
    pub is_folder: bool,
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
    pub(crate) fn new(path: &Path, bytes: &[u8]) -> Self {
        Self {
            path: path.to_owned(),
            hash: SourceHash::of(bytes),
            is_folder: false,
        }
    }

    pub(crate) fn folder(path: &Path, names: &[String]) -> Self {
        Self {
            path: path.to_owned(),
            // A name can't hold a slash, so the names can be told apart.
            hash: SourceHash::of(names.join("/").as_bytes()),
            is_folder: true,
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
        let bytes: Vec<u8> = self
            .0
            .iter()
            .flat_map(|source| source.hash.0.to_be_bytes())
            .collect();
        SourceHash::of(&bytes)
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn add(&mut self, source: Source) {
        if !self.0.contains(&source) {
            self.0.push(source);
        }
    }
}
