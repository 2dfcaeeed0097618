//! The rule file that an exclusion is written to.

use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt, fchown};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

/// The largest file that is added to.
const FILE_BYTES_MAX: u64 = 16 << 20;
/// The mode of a new file: the service has to read it, whoever writes it.
const MODE: u32 = 0o644;

/// A rule file, as it was when it was read.
#[derive(Debug)]
pub(super) struct RuleFile {
    pub(super) path: PathBuf,
    pub(super) content: Vec<u8>,
    /// What was known of it; `None` where it isn't there yet.
    metadata: Option<Metadata>,
}

impl RuleFile {
    /// Reads the file at `path`, which may be there or not.
    pub(super) fn read(path: &Path) -> Result<Self> {
        let told = || format!("can't write to {}", path.display());
        if path.file_name().is_none() {
            bail!("{}: expected the name of a file", told());
        }
        let metadata = match fs::symlink_metadata(path) {
            Ok(metadata) => Some(metadata),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(error).with_context(told),
        };
        let mut content = Vec::new();
        if let Some(metadata) = &metadata {
            if metadata.is_symlink() {
                bail!(
                    "{}: it is a symbolic link; name the file that it leads to",
                    told()
                );
            }
            if !metadata.is_file() {
                bail!("{}: it is no regular file", told());
            }
            let file = File::open(path).with_context(told)?;
            let mut part = file.take(FILE_BYTES_MAX + 1);
            part.read_to_end(&mut content).with_context(told)?;
            if content.len() as u64 > FILE_BYTES_MAX {
                bail!("{}: it is larger than 16 MiB", told());
            }
        }
        Ok(Self {
            path: path.to_owned(),
            content,
            metadata,
        })
    }

    /// Its content with a text behind an empty line, which also ends what a backslash may have left open.
    pub(super) fn with(&self, text: &str) -> Vec<u8> {
        let mut content = self.content.clone();
        if !content.is_empty() {
            if !content.ends_with(b"\n") {
                content.push(b'\n');
            }
            content.push(b'\n');
        }
        content.extend_from_slice(text.as_bytes());
        content
    }

    /// Adds the text: whoever reads the file finds the old content or the new one, whole.
    pub(super) fn append(&self, text: &str) -> Result<()> {
        let mut unfinished = self.path.clone().into_os_string();
        unfinished.push(format!(".{}.tmp", std::process::id()));
        let unfinished = PathBuf::from(unfinished);
        let result = self.replace(&unfinished, &self.with(text));
        if result.is_err() {
            // There may be none; the error that counts is the first.
            let _ = fs::remove_file(&unfinished);
        }
        result.with_context(|| format!("can't write to {}", self.path.display()))
    }

    fn replace(&self, unfinished: &Path, content: &[u8]) -> Result<()> {
        // What is there by that name is none of ours, so that it isn't written through.
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(unfinished)?;
        file.write_all(content)?;
        let mode = match &self.metadata {
            Some(old) => {
                let new = file.metadata()?;
                if (old.uid(), old.gid()) != (new.uid(), new.gid()) {
                    fchown(&file, Some(old.uid()), Some(old.gid()))?;
                }
                old.permissions().mode() & 0o7777
            }
            None => MODE,
        };
        file.set_permissions(fs::Permissions::from_mode(mode))?;
        file.sync_all()?;
        if !self.is_unchanged() {
            bail!("it has changed meanwhile; try again");
        }
        fs::rename(unfinished, &self.path)?;
        let folder = self.path.parent().filter(|folder| *folder != Path::new(""));
        File::open(folder.unwrap_or(Path::new(".")))?.sync_all()?;
        Ok(())
    }

    fn is_unchanged(&self) -> bool {
        let stamp = |of: &Metadata| {
            (
                of.ino(),
                of.len(),
                of.mtime(),
                of.mtime_nsec(),
                of.is_file(),
            )
        };
        let now = fs::symlink_metadata(&self.path).ok();
        now.as_ref().map(stamp) == self.metadata.as_ref().map(stamp)
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[track_caller]
    fn check(before: Option<&str>, expected: &str) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.conf");
        if let Some(before) = before {
            fs::write(&path, before).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        }
        let file = RuleFile::read(&path).unwrap();
        file.append("new\n").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), expected);
        let mode = fs::metadata(&path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, if before.is_some() { 0o640 } else { 0o644 });
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn text_is_added_behind_an_empty_line() {
        check(None, "new\n");
        check(Some(""), "new\n");
        check(Some("a\n"), "a\n\nnew\n");
        check(Some("a"), "a\n\nnew\n");
        check(Some("# a \\"), "# a \\\n\nnew\n");
    }

    #[test]
    fn what_is_no_file_of_its_own_is_not_written_to() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        fs::write(path("a.conf"), "a").unwrap();
        symlink(path("a.conf"), path("link.conf")).unwrap();
        let check = |path: &Path, expected: &str| {
            let error = RuleFile::read(path).unwrap_err();
            assert!(error.to_string().contains(expected), "{error}");
        };
        check(&path("link.conf"), "a symbolic link");
        check(folder.path(), "no regular file");
        check(Path::new("/"), "the name of a file");
    }

    #[test]
    fn a_file_that_changes_meanwhile_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.conf");
        let check = |change: &dyn Fn()| {
            let file = RuleFile::read(&path).unwrap();
            change();
            let error = file.append("new").unwrap_err();
            assert!(format!("{error:#}").contains("has changed meanwhile"));
            let text = fs::read_to_string(&path).unwrap();
            assert!(!text.contains("new"), "{text}");
        };
        check(&|| fs::write(&path, "made").unwrap());
        check(&|| fs::write(&path, "changed").unwrap());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
