//! The last good copy of a list on disk, so that a restart while its server is away begins with
//! what was known.
//!
//! A line of JSON that says whose copy it is, then the list as it came. It is checked when it is
//! loaded: another source, or a byte that is not as it was written, and it is not used.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use palisade_remote::replace_file;
use serde::{Deserialize, Serialize};

use crate::fetch::Validators;
use crate::settings::{ListName, ListSettings, ListSource, Purpose};

/// What the first line calls itself.
const FORMAT: &str = "palisade-list";
/// The version of the format that is written, and the only one that is read.
const VERSION: u32 = 1;
/// The longest first line.
const HEADER_BYTES_MAX: u64 = 16 * 1024;

/// Where the last good copy of one list is. One process writes it.
///
/// All of its methods wait for the disk: call them where that holds nobody up.
#[derive(Clone, Debug)]
pub struct CopyFile {
    path: PathBuf,
    source: String,
    bytes_max: u64,
}

/// A copy as it was saved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SavedCopy {
    /// The list as it came.
    pub bytes: Vec<u8>,
    pub(crate) validators: Validators,
}

#[derive(Deserialize, Serialize)]
struct Header {
    format: String,
    version: u32,
    /// A digest of where it came from: a URL may hold a key.
    source: String,
    digest: String,
    validators: Validators,
}

/// Why a saved copy can't be used, or none can be saved.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CopyError {
    /// The disk says no.
    #[error("{0}")]
    Io(String),
    /// It is not a file of Palisade's, or one of another version.
    #[error("it is no copy of a list that this version can read")]
    Foreign,
    /// It was not written whole, or changed since.
    #[error("it is not as it was written")]
    Corrupt,
}

impl From<io::Error> for CopyError {
    fn from(error: io::Error) -> Self {
        Self::Io(error.to_string())
    }
}

impl CopyFile {
    /// The copy of a list, in `state_directory`.
    #[must_use]
    pub fn of(settings: &ListSettings, state_directory: &Path) -> Self {
        let source = match &settings.source {
            ListSource::File(path) => format!("file:{}", path.display()),
            ListSource::Url(settings) => settings.url.whole().to_string(),
        };
        Self {
            path: Self::path_of(&settings.purpose, &settings.name, state_directory),
            source: digest(source.as_bytes()),
            bytes_max: settings.bytes_max.as_u64(),
        }
    }

    /// Where the copy of the list `name` is.
    #[must_use]
    pub fn path_of(purpose: &Purpose, name: &ListName, state_directory: &Path) -> PathBuf {
        let file = format!("{}-{name}.list", purpose.as_str());
        state_directory.join("lists").join(file)
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What was saved; nothing where there is no file, or where its list comes from elsewhere now.
    ///
    /// # Errors
    /// When the file can't be read or used. One that is not as it was written is renamed to
    /// `*.rejected`, for somebody to look at.
    pub fn load(&self) -> Result<Option<SavedCopy>, CopyError> {
        let read = self.read();
        match read.and_then(|bytes| bytes.map_or(Ok(None), |bytes| self.decode(&bytes))) {
            Err(error @ (CopyError::Foreign | CopyError::Corrupt)) => {
                let mut rejected = self.path.clone().into_os_string();
                rejected.push(".rejected");
                fs::rename(&self.path, rejected)?;
                Err(error)
            }
            loaded => loaded,
        }
    }

    fn read(&self) -> Result<Option<Vec<u8>>, CopyError> {
        let file = match File::open(&self.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            file => file?,
        };
        let mut bytes = Vec::new();
        let most = self.bytes_max.saturating_add(HEADER_BYTES_MAX);
        file.take(most).read_to_end(&mut bytes)?;
        Ok(Some(bytes))
    }

    /// What the bytes of such a file say.
    ///
    /// # Errors
    /// As [`Self::load`].
    pub fn decode(&self, file: &[u8]) -> Result<Option<SavedCopy>, CopyError> {
        let end = file.iter().position(|byte| *byte == b'\n');
        let (header, bytes) = end
            .and_then(|end| Some((file.get(..end)?, file.get(end + 1..)?)))
            .ok_or(CopyError::Foreign)?;
        let header: Header = serde_json::from_slice(header).map_err(|_| CopyError::Foreign)?;
        if header.format != FORMAT || header.version != VERSION {
            return Err(CopyError::Foreign);
        }
        if header.source != self.source {
            return Ok(None);
        }
        if digest(bytes) != header.digest {
            return Err(CopyError::Corrupt);
        }
        Ok(Some(SavedCopy {
            bytes: bytes.to_owned(),
            validators: header.validators,
        }))
    }

    /// Replaces what was saved: readers and crashes find either the old copy or the new one, whole.
    ///
    /// # Errors
    /// When the disk says no; the old copy is as it was then.
    pub fn save(&self, copy: &SavedCopy) -> Result<(), CopyError> {
        if let Some(folder) = self.path.parent() {
            fs::create_dir_all(folder)?;
        }
        let header = Header {
            format: FORMAT.to_owned(),
            version: VERSION,
            source: self.source.clone(),
            digest: digest(&copy.bytes),
            validators: copy.validators.clone(),
        };
        replace_file(&self.path, |out| {
            serde_json::to_writer(&mut *out, &header).map_err(io::Error::from)?;
            out.write_all(b"\n")?;
            Ok(out.write_all(&copy.bytes)?)
        })
    }

    /// Says that the saved copy is still what its source has: the file's time says so.
    pub(crate) fn touch(&self) {
        let file = File::options().append(true).open(&self.path);
        // Without it the copy looks older than it is after a restart, no more.
        let _ = file.and_then(|file| file.set_modified(SystemTime::now()));
    }

    /// How long ago the saved copy was known to be what its source has; without end where that
    /// can't be known.
    #[must_use]
    pub fn age(&self) -> Duration {
        let modified = fs::metadata(&self.path).and_then(|file| file.modified());
        // A clock that went back makes it new.
        modified.map_or(Duration::MAX, |at| at.elapsed().unwrap_or_default())
    }

    /// Forgets what was saved: its list is gone from the settings.
    pub(crate) fn remove(&self) {
        // Nothing is wrong if there was none.
        let _ = fs::remove_file(&self.path);
    }
}

/// SHA-256, in hexadecimal digits.
fn digest(bytes: &[u8]) -> String {
    use std::fmt::Write;
    let digest = ring::digest::digest(&ring::digest::SHA256, bytes);
    let mut text = String::new();
    for byte in digest.as_ref() {
        // A text takes everything.
        let _ = write!(text, "{byte:02x}");
    }
    text
}
