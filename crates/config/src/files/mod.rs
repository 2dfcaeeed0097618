//! The files that settings are made of, as the loader sees them.
//!
//! Reading goes through [`Files`], so that every path of the loader can be tested without a disk.

mod disk;
mod memory;

use std::path::Path;

pub use disk::Disk;
pub use memory::Memory;

/// A file's bytes, and who else can read them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FileContent {
    /// The bytes.
    pub bytes: Vec<u8>,
    /// Whether users other than the owner and the group may read the file.
    pub world_readable: bool,
    /// The file's stamp from before it was read.
    pub stamp: Stamp,
}

/// What changes when a file or folder does, without reading it. Only to be compared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stamp {
    pub(crate) modified_nanos: i128,
    /// Of what is said of it too: its owner and mode (inode(7), ctime). A key that couldn't be read may
    /// be readable since.
    pub(crate) changed_nanos: i128,
    pub(crate) len: u64,
    pub(crate) inode: u64,
}

/// Where files are read from.
pub trait Files {
    /// The whole of the regular file at `path`, which may be at most `bytes_max` long.
    ///
    /// # Errors
    /// When there is no such file, it can't be read, it is no regular file, or it is too long.
    fn read(&self, path: &Path, bytes_max: u64) -> Result<FileContent, FileError>;

    /// The names of what is in `folder`, sorted, hidden files left out; at most
    /// [`FOLDER_NAMES_MAX`] of them.
    ///
    /// # Errors
    /// When there is no such folder, it can't be read, or it holds more.
    fn list(&self, folder: &Path) -> Result<Vec<String>, FileError>;

    /// The stamp of the file or folder at `path`; `None` where there is none or it can't be asked.
    fn stamp(&self, path: &Path) -> Option<Stamp>;
}

/// The most files that a folder with a pattern may hold.
pub const FOLDER_NAMES_MAX: usize = 10_000;

/// The most files that one set of settings is made of.
pub const FILES_MAX: usize = 1_000;

/// Why a file can't be had. Reads well behind the file's name: "lists/tor.txt: there is no such file".
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FileError {
    /// Nothing has that name.
    #[error("there is no such file")]
    Missing,
    /// This process may not read it.
    #[error("permission denied; this process runs as another user")]
    Denied,
    /// A folder, a device, a pipe or a socket.
    #[error("not a regular file")]
    NotAFile,
    /// Longer than the bound.
    #[error("longer than {0} bytes, the most that is read")]
    TooLong(u64),
    /// More names in a folder than the bound.
    #[error("the folder holds more than {FOLDER_NAMES_MAX} files")]
    FolderTooLarge,
    /// More files than settings may be made of.
    #[error("one file too many; settings are made of at most {FILES_MAX}")]
    TooMany,
    /// The system says why.
    #[error("{0}")]
    System(std::io::Error),
}

impl From<std::io::Error> for FileError {
    fn from(error: std::io::Error) -> Self {
        match error.kind() {
            std::io::ErrorKind::NotFound => Self::Missing,
            std::io::ErrorKind::PermissionDenied => Self::Denied,
            _ => Self::System(error),
        }
    }
}
