//! The file of saved decisions.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use palisade_decisions::{Decision, SourceId};
use palisade_remote::replace_file;
use palisade_vocabulary::Tick;

use super::{Now, Restored, SavedError, decode, encode};

/// The longest file that is read or kept: some ten million decisions.
pub(super) const BYTES_MAX: u64 = 1 << 30;

/// Where the decisions of one source are saved. One process writes it.
///
/// All of its methods wait for the disk: call them where that holds nobody up.
#[derive(Clone, Debug)]
pub struct SavedFile {
    path: PathBuf,
    source: String,
}

impl SavedFile {
    /// The decisions of the LAPI at `lapi_url`, in `state_directory`.
    #[must_use]
    pub fn of_lapi(state_directory: &Path, lapi_url: &str) -> Self {
        Self {
            path: state_directory.join("crowdsec-decisions.jsonl"),
            source: lapi_url.to_owned(),
        }
    }

    /// The operator's own decisions, in `state_directory`.
    #[must_use]
    pub fn of_operator(state_directory: &Path) -> Self {
        Self {
            path: state_directory.join("local-decisions.jsonl"),
            source: SourceId::Local.as_str().to_owned(),
        }
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What was saved; nothing where there is no file. A file that can't be used is renamed to
    /// `*.rejected`, for somebody to look at, where the disk lets it.
    ///
    /// # Errors
    /// When the file can't be read or used.
    pub fn load(&self, now: Tick) -> Result<Option<Restored>, SavedError> {
        let Some(bytes) = self.read().transpose() else {
            return Ok(None);
        };
        let now = Now {
            tick: now,
            unix_millis: unix_millis(),
        };
        match bytes.and_then(|bytes| decode(&bytes, &self.source, now)) {
            Ok(restored) => Ok(Some(restored)),
            Err(SavedError::Io(reason)) => Err(SavedError::Io(reason)),
            Err(error) => match fs::rename(&self.path, self.beside("rejected")) {
                Ok(()) => Err(error),
                Err(denied) => {
                    let reason = format!("{error}; and it can't be renamed: {denied}");
                    Err(SavedError::Io(reason))
                }
            },
        }
    }

    /// Replaces what is in the file by `decisions`, each with how long it still holds: readers and
    /// crashes find either the old content or the new one, whole.
    ///
    /// # Errors
    /// When the disk says no; the old file is as it was then.
    pub fn save(&self, decisions: &[(Decision, Duration)]) -> Result<(), SavedError> {
        replace_file(&self.path, |out| {
            encode(decisions, &self.source, unix_millis(), out)?;
            out.flush()?;
            check_len(out.get_ref())
        })
    }

    /// Nothing where there is no file.
    fn read(&self) -> Result<Option<Vec<u8>>, SavedError> {
        let file = match File::open(&self.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            file => file?,
        };
        check_len(&file)?;
        let mut bytes = Vec::new();
        file.take(BYTES_MAX).read_to_end(&mut bytes)?;
        Ok(Some(bytes))
    }

    fn beside(&self, extension: &str) -> PathBuf {
        let mut name = self.path.clone().into_os_string();
        name.push(".");
        name.push(extension);
        name.into()
    }
}

fn check_len(file: &File) -> Result<(), SavedError> {
    match file.metadata()?.len() {
        got if got > BYTES_MAX => Err(SavedError::TooLarge {
            got,
            max: BYTES_MAX,
        }),
        _ => Ok(()),
    }
}

/// A clock before 1970 is at its start.
pub(super) fn unix_millis() -> u64 {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
