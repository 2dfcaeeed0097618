//! The file behind a sink.

use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use crate::Sink;

/// Why a sink can't be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SinkError {
    /// The file can't be opened for appending.
    #[error(
        "can't open the log {}: {source}; expected a file that this user may append to, in a \
         folder that exists (a named pipe needs its reader first)", path.display()
    )]
    Open {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Standard output can't be used.
    #[error("can't write logs to standard output: {0}; expected an open file descriptor 1")]
    Stdout(io::Error),
    /// Standard error can't be used.
    #[error("can't write to standard error: {0}; expected an open file descriptor 2")]
    Stderr(io::Error),
    /// No thread can be had to write with.
    #[error("can't start a thread that writes logs: {0}")]
    Thread(io::Error),
}

/// Something open that takes bytes.
pub(super) struct Output {
    file: File,
    /// Where to open it again after a rotation, and which file it was.
    reopen: Option<(PathBuf, Identity)>,
}

/// Which file: a rotated or deleted one has another at its path, or none.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Identity {
    device: u64,
    inode: u64,
}

impl Output {
    pub(super) fn open(sink: &Sink) -> Result<Self, SinkError> {
        match sink {
            // Not `io::stdout()`: that keeps back what it could not write.
            Sink::Stdout => io::stdout()
                .as_fd()
                .try_clone_to_owned()
                .map(|fd| Self::unnamed(fd.into()))
                .map_err(SinkError::Stdout),
            Sink::Stderr => io::stderr()
                .as_fd()
                .try_clone_to_owned()
                .map(|fd| Self::unnamed(fd.into()))
                .map_err(SinkError::Stderr),
            Sink::File(path) => Self::at(path).map_err(|source| SinkError::Open {
                path: path.clone(),
                source,
            }),
        }
    }

    /// A file that has no path to open it at again.
    pub(super) fn unnamed(file: File) -> Self {
        Self { file, reopen: None }
    }

    fn at(path: &Path) -> io::Result<Self> {
        // O_NONBLOCK: a named pipe without a reader is an error instead of a thread that waits for
        // ever. It means nothing to regular files.
        let file = OpenOptions::new()
            .append(true)
            .create(true)
            .mode(0o640)
            .custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY)
            .open(path)?;
        let identity = Identity::of(&file.metadata()?);
        Ok(Self {
            file,
            reopen: Some((path.to_owned(), identity)),
        })
    }

    /// Writes a start of `bytes`, and returns its length, which is not 0.
    pub(super) fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        loop {
            match self.file.write(bytes) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                result => return result,
            }
        }
    }

    /// Opens the path again where another file is there now, or none. Whether it did.
    pub(super) fn follow_rotation(&mut self) -> io::Result<bool> {
        let Some((path, identity)) = &self.reopen else {
            return Ok(false);
        };
        match std::fs::metadata(path) {
            Ok(found) if Identity::of(&found) == *identity => return Ok(false),
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            Ok(_) | Err(_) => {}
        }
        *self = Self::at(path)?;
        Ok(true)
    }
}

impl Identity {
    fn of(metadata: &Metadata) -> Self {
        Self {
            device: metadata.dev(),
            inode: metadata.ino(),
        }
    }
}
