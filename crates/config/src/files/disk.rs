//! Files of this machine.

use std::fs::{self, File};
use std::io::Read;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

use super::{FOLDER_NAMES_MAX, FileContent, FileError, Files, Stamp};

/// Files of this machine.
#[derive(Clone, Copy, Debug, Default)]
pub struct Disk;

impl Files for Disk {
    fn read(&self, path: &Path, bytes_max: u64) -> Result<FileContent, FileError> {
        // Asked before opening: opening a pipe waits for its writer. And before reading: a change
        // meanwhile then gives another stamp.
        let metadata = fs::metadata(path)?;
        if !metadata.is_file() {
            return Err(FileError::NotAFile);
        }
        let mut bytes = Vec::new();
        let read = File::open(path)?
            .take(bytes_max.saturating_add(1))
            .read_to_end(&mut bytes)?;
        if u64::try_from(read).unwrap_or(u64::MAX) > bytes_max {
            return Err(FileError::TooLong(bytes_max));
        }
        Ok(FileContent {
            bytes,
            world_readable: metadata.permissions().mode() & 0o004 != 0,
            stamp: stamp_of(&metadata),
        })
    }

    fn list(&self, folder: &Path) -> Result<Vec<String>, FileError> {
        let mut names = Vec::new();
        for entry in fs::read_dir(or_here(folder))? {
            // A name that is not UTF-8 can't be written in a settings file either.
            let Ok(name) = entry?.file_name().into_string() else {
                continue;
            };
            if !name.starts_with('.') {
                names.push(name);
            }
            if names.len() > FOLDER_NAMES_MAX {
                return Err(FileError::FolderTooLarge);
            }
        }
        names.sort_unstable();
        Ok(names)
    }

    fn stamp(&self, path: &Path) -> Option<Stamp> {
        fs::metadata(or_here(path)).ok().as_ref().map(stamp_of)
    }
}

fn stamp_of(metadata: &fs::Metadata) -> Stamp {
    let nanos = |seconds: i64, nanos: i64| i128::from(seconds) * 1_000_000_000 + i128::from(nanos);
    Stamp {
        modified_nanos: nanos(metadata.mtime(), metadata.mtime_nsec()),
        changed_nanos: nanos(metadata.ctime(), metadata.ctime_nsec()),
        len: metadata.len(),
        inode: metadata.ino(),
    }
}

/// The folder of a file that is named without one.
fn or_here(path: &Path) -> &Path {
    if path.as_os_str().is_empty() {
        Path::new(".")
    } else {
        path
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::OpenOptionsExt;

    #[test]
    fn files_are_bounded_and_regular() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        fs::OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o640)
            .open(&path)
            .unwrap();
        fs::write(&path, b"12345").unwrap();
        assert_eq!(Disk.read(&path, 5).unwrap().bytes, b"12345");
        assert!(!Disk.read(&path, 5).unwrap().world_readable);
        let stamp = Disk.stamp(&path);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        assert!(Disk.read(&path, 5).unwrap().world_readable);
        assert_ne!(Disk.stamp(&path), stamp, "others may read it now");
        assert!(matches!(Disk.read(&path, 4), Err(FileError::TooLong(4))));
        assert!(matches!(
            Disk.read(folder.path(), 5),
            Err(FileError::NotAFile)
        ));
        assert!(matches!(
            Disk.read(Path::new("/dev/zero"), 5),
            Err(FileError::NotAFile)
        ));
        assert!(matches!(
            Disk.read(&folder.path().join("b"), 5),
            Err(FileError::Missing)
        ));
    }

    #[test]
    fn folders_are_listed_in_order_without_hidden_files() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["b.yaml", "a.yaml", ".a.yaml.swp"] {
            fs::write(folder.path().join(name), b"").unwrap();
        }
        assert_eq!(Disk.list(folder.path()).unwrap(), ["a.yaml", "b.yaml"]);
        assert!(matches!(
            Disk.list(&folder.path().join("c")),
            Err(FileError::Missing)
        ));
    }
}
