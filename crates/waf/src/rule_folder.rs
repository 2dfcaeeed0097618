//! Rule files on the disk.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use palisade_seclang::{RuleFiles, SourceError};
use palisade_vocabulary::ByteSize;

/// The largest rule or data file. CRS's largest has 110 KiB.
const FILE_SIZE_MAX: ByteSize = ByteSize::mib(16);
/// The most files that one pattern may mean.
const MATCHES_MAX: usize = 1_000;

/// Rule files on the disk. A relative name is relative to the folder of the file that it stands in, as in
/// ModSecurity, and one that no file names to a folder of its own.
#[derive(Clone, Debug)]
pub struct RuleFolder {
    folder: PathBuf,
}

impl RuleFolder {
    /// Files that nobody but the caller names are relative to `folder`.
    #[must_use]
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self {
            folder: folder.into(),
        }
    }

    fn resolve(&self, name: &str, from: Option<&str>) -> PathBuf {
        let folder = from.and_then(|from| Path::new(from).parent());
        folder.unwrap_or(&self.folder).join(name)
    }
}

impl RuleFiles for RuleFolder {
    fn matching(&self, pattern: &str, from: Option<&str>) -> Result<Vec<String>, SourceError> {
        let path = self.resolve(pattern, from);
        let path = utf8(&path)?;
        if !pattern.contains(['*', '?', '[']) {
            return Ok(vec![path.to_owned()]);
        }
        let found = glob::glob(path).map_err(|error| SourceError(error.to_string()))?;
        let mut names = Vec::new();
        for entry in found {
            let entry = entry.map_err(|error| SourceError(error.to_string()))?;
            if names.len() == MATCHES_MAX {
                let message = format!("the pattern means more than {MATCHES_MAX} files");
                return Err(SourceError(message));
            }
            if entry.is_file() {
                names.push(utf8(&entry)?.to_owned());
            }
        }
        match names.is_empty() {
            true => Err(SourceError("no file has such a name".to_owned())),
            false => Ok(names),
        }
    }

    fn read(&self, file: &str) -> Result<Vec<u8>, SourceError> {
        read(Path::new(file))
    }

    fn data(&self, name: &str, from: &str) -> Result<Vec<u8>, SourceError> {
        read(&self.resolve(name, Some(from)))
    }
}

fn utf8(path: &Path) -> Result<&str, SourceError> {
    let text = path.to_str();
    text.ok_or_else(|| SourceError(format!("{} is not UTF-8", path.display())))
}

/// The content of a file, at most 16 MiB.
pub(crate) fn read(path: &Path) -> Result<Vec<u8>, SourceError> {
    let told = |error: std::io::Error| SourceError(error.to_string());
    let file = fs::File::open(path).map_err(told)?;
    if file.metadata().map_err(told)?.is_dir() {
        let message = "it is a folder; name its files, like FOLDER/*.conf";
        return Err(SourceError(message.to_owned()));
    }
    let mut content = Vec::new();
    let max = FILE_SIZE_MAX.as_u64();
    file.take(max + 1).read_to_end(&mut content).map_err(told)?;
    if content.len() as u64 > max {
        return Err(SourceError(format!("it is larger than {FILE_SIZE_MAX}")));
    }
    Ok(content)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A folder with `a.conf`, `b.conf`, `c.data` and `more/d.conf`.
    fn folder() -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("more")).unwrap();
        for name in ["b.conf", "a.conf", "c.data", "more/d.conf"] {
            fs::write(folder.path().join(name), name).unwrap();
        }
        folder
    }

    #[test]
    fn patterns_are_relative_to_who_names_them() {
        let folder = folder();
        let files = RuleFolder::new(folder.path());
        let inner = folder.path().join("more/d.conf");
        let check = |pattern: &str, from: Option<&Path>, expected: &[&str]| {
            let from = from.map(|from| from.to_str().unwrap());
            let names = files.matching(pattern, from).unwrap();
            let expected: Vec<String> = expected
                .iter()
                .map(|name| folder.path().join(name).to_str().unwrap().to_owned())
                .collect();
            assert_eq!(names, expected, "{pattern}");
        };
        check("*.conf", None, &["a.conf", "b.conf"]);
        check("*/*.conf", None, &["more/d.conf"]);
        check("*.conf", Some(&inner), &["more/d.conf"]);
        // Whether it is there is found out by whoever reads it.
        check("none.conf", None, &["none.conf"]);
        let inner = inner.to_str().unwrap();
        assert_eq!(files.data("../c.data", inner).unwrap(), b"c.data");
    }

    #[test]
    fn what_can_not_be_read_is_told() {
        let folder = folder();
        let files = RuleFolder::new(folder.path());
        let check = |error: SourceError, expected: &str| assert_eq!(error.0, expected);
        let none = files.matching("*.none", None).unwrap_err();
        check(none, "no file has such a name");
        let more = folder.path().join("more");
        let is_folder = files.read(more.to_str().unwrap()).unwrap_err();
        check(
            is_folder,
            "it is a folder; name its files, like FOLDER/*.conf",
        );
        let large = folder.path().join("large.conf");
        let file = fs::File::create(&large).unwrap();
        file.set_len(FILE_SIZE_MAX.as_u64() + 1).unwrap();
        let too_large = files.read(large.to_str().unwrap()).unwrap_err();
        check(too_large, "it is larger than 16MiB");
        file.set_len(FILE_SIZE_MAX.as_u64()).unwrap();
        assert!(files.read(large.to_str().unwrap()).is_ok());
    }
}
