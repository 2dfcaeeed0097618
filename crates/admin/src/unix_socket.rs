//! The Unix socket of the admin door: private from its first moment, and gone at the end.

#[cfg(test)]
mod tests;

use std::fs::{self, Metadata, Permissions};
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

use socket2::{Domain, SockAddr, Socket, Type};

/// Who may connect, by the file's mode: its owner.
const MODE: u32 = 0o600;
/// Connections that wait in the kernel's queue.
const BACKLOG: i32 = 64;
/// The longest path of a socket, in bytes (unix(7): `sun_path`, with its ending zero).
const PATH_BYTES_MAX: usize = 107;

/// A Unix socket that listens; its file is removed when this is dropped.
#[derive(Debug)]
pub(crate) struct AdminSocket {
    listener: UnixListener,
    file: FileState,
}

/// Who removes the file of a socket.
#[derive(Debug)]
enum FileState {
    /// We do, whatever becomes of us.
    Ours(SocketFile),
    /// We do once the socket is served: until then it is the process's that had it before.
    Inherited(PathBuf),
    /// Whoever opened the socket.
    NotOurs,
}

/// The file of a socket of ours.
#[derive(Debug)]
pub(crate) struct SocketFile {
    path: PathBuf,
    /// None once it is another process's.
    identity: Option<Identity>,
}

/// Tells two files of one path apart: device and inode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Identity {
    device: u64,
    inode: u64,
}

/// Why a socket can't be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SocketError {
    /// Somebody listens there.
    #[error(
        "a process listens there already; is Palisade running? Stop it, or give this one another path"
    )]
    InUse,
    /// Something else is there.
    #[error("there is a file that is no socket; remove it, or give another path")]
    NotASocket,
    /// The path is too long for a socket.
    #[error("the path has {got} bytes; a socket's may have {max}")]
    PathLength {
        /// Its length.
        got: usize,
        /// The most.
        max: usize,
    },
    /// The folder isn't there.
    #[error("there is no folder {0}; make it (for systemd: RuntimeDirectory=)")]
    NoFolder(PathBuf),
    /// Somebody else opened it, for others than its owner.
    #[error(
        "others than its owner may connect (mode {mode:04o}), and that can't be changed: {error}; for systemd: SocketMode=0600, and SocketUser= with the service's user"
    )]
    OpenToOthers {
        /// The mode of its file.
        mode: u32,
        /// Why it can't be changed.
        error: io::Error,
    },
    /// The system says no.
    #[error("{0}")]
    Io(#[from] io::Error),
}

impl AdminSocket {
    /// Opens a socket at `path` that only its owner can connect to. One that a process left behind
    /// is removed; one that somebody listens on is left alone.
    pub(crate) fn bind(path: &Path) -> Result<Self, SocketError> {
        let got = path.as_os_str().len();
        if got > PATH_BYTES_MAX {
            let max = PATH_BYTES_MAX;
            return Err(SocketError::PathLength { got, max });
        }
        remove_left_behind(path)?;
        let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
        socket.set_nonblocking(true)?;
        socket
            .bind(&SockAddr::unix(path)?)
            .map_err(|error| explain(error, path))?;
        let metadata = fs::symlink_metadata(path)?;
        let file = SocketFile {
            path: path.to_owned(),
            identity: Some(Identity::of(&metadata)),
        };
        // Until listen(2) nobody can connect, so there is no moment with the umask's mode.
        fs::set_permissions(path, Permissions::from_mode(MODE))?;
        socket.listen(BACKLOG)?;
        let listener = UnixListener::from(std::os::fd::OwnedFd::from(socket));
        let file = FileState::Ours(file);
        Ok(Self { listener, file })
    }

    /// Takes a socket that is open already and whose file is at `path`: to be removed in the end where
    /// it `is_ours`. Whatever its mode was, only its owner can connect from now on.
    pub(crate) fn take(
        listener: UnixListener,
        path: &Path,
        is_ours: bool,
    ) -> Result<Self, SocketError> {
        listener.set_nonblocking(true)?;
        close_to_others(path)?;
        let file = match is_ours {
            true => FileState::Inherited(path.to_owned()),
            false => FileState::NotOurs,
        };
        Ok(Self { listener, file })
    }

    /// The socket, and what removes its file when it is dropped.
    pub(crate) fn into_parts(self) -> (UnixListener, Option<SocketFile>) {
        let file = match self.file {
            FileState::Ours(file) => Some(file),
            FileState::Inherited(path) => SocketFile::at(path),
            FileState::NotOurs => None,
        };
        (self.listener, file)
    }
}

/// Gives the file at `path` the mode that [`AdminSocket::bind`] gives its own: systemd.socket(5) makes
/// sockets that everybody can connect to.
fn close_to_others(path: &Path) -> Result<(), SocketError> {
    let mode = fs::symlink_metadata(path)?.permissions().mode() & 0o7777;
    if mode & !MODE == 0 {
        return Ok(());
    }
    fs::set_permissions(path, Permissions::from_mode(MODE))
        .map_err(|error| SocketError::OpenToOthers { mode, error })
}

/// Makes room at `path`, if what is there is a socket that nobody listens on.
fn remove_left_behind(path: &Path) -> Result<(), SocketError> {
    let metadata = match fs::symlink_metadata(path) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error.into()),
    };
    if !metadata.file_type().is_socket() {
        return Err(SocketError::NotASocket);
    }
    match UnixStream::connect(path) {
        Ok(_) => Err(SocketError::InUse),
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
            Ok(fs::remove_file(path)?)
        }
        Err(error) => Err(error.into()),
    }
}

fn explain(error: io::Error, path: &Path) -> SocketError {
    match (error.kind(), path.parent()) {
        // Another process was quicker.
        (io::ErrorKind::AddrInUse, _) => SocketError::InUse,
        (io::ErrorKind::NotFound, Some(folder)) => SocketError::NoFolder(folder.to_owned()),
        _ => error.into(),
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

impl SocketFile {
    /// The file at `path`; none where it is gone.
    fn at(path: PathBuf) -> Option<Self> {
        let metadata = fs::symlink_metadata(&path).ok()?;
        let identity = Some(Identity::of(&metadata));
        Some(Self { path, identity })
    }

    /// Leaves the file to the process that has the socket now.
    pub(crate) fn leave(mut self) {
        self.identity = None;
    }
}

impl Drop for SocketFile {
    /// Leaves a file alone that another process put in the place of ours.
    fn drop(&mut self) {
        let there = fs::symlink_metadata(&self.path);
        if there.is_ok_and(|metadata| Some(Identity::of(&metadata)) == self.identity) {
            let _ = fs::remove_file(&self.path);
        }
    }
}
