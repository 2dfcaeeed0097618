//! Users and the hashes of their passwords, from files as Apache's htpasswd makes them.

use std::fmt;
use std::sync::Arc;

use hashbrown::HashMap;
use ring::digest;

use crate::basic::is_user_name;
use crate::password_hash::PasswordHash;
use crate::{Credentials, PasswordHashError};

/// The users of a file. Immutable; a file that changed makes another.
pub struct Users {
    /// Where in `hashes` each user's is.
    by_name: HashMap<Arc<str>, usize, ahash::RandomState>,
    hashes: Box<[PasswordHash]>,
    fingerprint: [u8; 32],
}

/// A line of a users file that can't be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadLine {
    /// Its number, from 1.
    pub number: u32,
    /// Why.
    pub error: UsersError,
}

/// Why a users file can't be used. Messages never show what may be a password or its hash.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum UsersError {
    /// Not even a line.
    #[error("expected a line user:hash, as `htpasswd -B FILE USER` makes it")]
    NotALine,
    /// A name that no client can send.
    #[error(
        "expected a user's name of 1 to 255 bytes of UTF-8, without control characters and spaces around it"
    )]
    Name,
    /// A name that is there already.
    #[error("the user {name:?} is at line {first} already; keep one")]
    Twice {
        /// The name.
        name: Arc<str>,
        /// Where it is first.
        first: u32,
    },
    /// A hash that can't be used.
    #[error(
        "the password of {name:?} can't be used: {error}; make a new one with `htpasswd -B -C 12 FILE USER`"
    )]
    Password {
        /// Whose.
        name: Arc<str>,
        /// Why.
        error: PasswordHashError,
    },
    /// More users than there may be.
    #[error("more than {max} users; expected fewer")]
    TooMany {
        /// The most.
        max: usize,
    },
    /// No user at all.
    #[error(
        "the file has no user; expected lines user:hash, as `htpasswd -B -c FILE USER` makes them"
    )]
    Empty,
}

impl Users {
    /// The most users of a file.
    pub const USERS_MAX: usize = 10_000;

    /// The longest file, in bytes.
    pub const FILE_BYTES_MAX: u64 = 4 * 1024 * 1024;

    /// The most bad lines that are told.
    const BAD_LINES_MAX: usize = 20;

    /// Reads a file: a line `user:hash` for each user. Empty lines, and lines that begin with `#`, are
    /// left out.
    ///
    /// # Errors
    /// All that is wrong with it, up to 20 lines.
    pub fn parse(file: &[u8]) -> Result<Self, Vec<BadLine>> {
        let mut reading = Reading::new(file);
        let mut bad_lines = Vec::new();
        for (number, line) in (1..).zip(file.split(|byte| *byte == b'\n')) {
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            if line.trim_ascii().is_empty() || line.starts_with(b"#") {
                continue;
            }
            if let Err(error) = reading.add(number, line) {
                bad_lines.push(BadLine { number, error });
            }
            if bad_lines.len() == Self::BAD_LINES_MAX {
                return Err(bad_lines);
            }
        }
        if bad_lines.is_empty() && reading.hashes.is_empty() {
            let error = UsersError::Empty;
            bad_lines.push(BadLine { number: 1, error });
        }
        match bad_lines.is_empty() {
            true => Ok(reading.finish()),
            false => Err(bad_lines),
        }
    }

    /// Whether the credentials are those of a user: that one's name. Slow: takes as long as hashes are
    /// made to take, also where there is no such user.
    #[must_use]
    pub fn verify(&self, credentials: &Credentials) -> Option<Arc<str>> {
        let found = self.by_name.get_key_value(credentials.user());
        // Who isn't here is compared with somebody who is, and always with the same one: costs differ
        // from user to user, and an unknown one is to look as any other.
        let decoy = || {
            self.by_name.hasher().hash_one(credentials.user()) as usize % self.hashes.len().max(1)
        };
        let index = found.map_or_else(decoy, |(_, index)| *index);
        let is_right = self.hashes.get(index)?.verify(credentials.password());
        found.filter(|_| is_right).map(|(name, _)| Arc::clone(name))
    }

    /// The user's name, if there is such a user.
    #[must_use]
    pub fn name(&self, user: &str) -> Option<&Arc<str>> {
        self.by_name.get_key_value(user).map(|(name, _)| name)
    }

    /// How many there are: at least one.
    #[must_use]
    #[expect(clippy::len_without_is_empty, reason = "it never is")]
    pub fn len(&self) -> usize {
        self.hashes.len()
    }

    /// Whether both were read from the same bytes.
    #[must_use]
    pub fn is_same_as(&self, other: &Self) -> bool {
        self.fingerprint == other.fingerprint
    }

    /// SHA-256 of the file: what was verified by one is so by no other.
    pub(crate) fn fingerprint(&self) -> &[u8; 32] {
        &self.fingerprint
    }
}

impl fmt::Debug for Users {
    /// How many.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Users")
            .field("len", &self.len())
            .finish_non_exhaustive()
    }
}

/// A file as far as it is read.
struct Reading {
    fingerprint: [u8; 32],
    by_name: HashMap<Arc<str>, usize, ahash::RandomState>,
    hashes: Vec<PasswordHash>,
    lines: Vec<u32>,
}

impl Reading {
    fn new(file: &[u8]) -> Self {
        let mut fingerprint = [0; 32];
        fingerprint.copy_from_slice(digest::digest(&digest::SHA256, file).as_ref());
        let word = |index: usize| {
            let bytes = fingerprint.iter().skip(8 * index).take(8);
            bytes.fold(0, |word, byte| word << 8 | u64::from(*byte))
        };
        // Of the file alone, so that a decoy stays the same over a restart.
        let hasher = ahash::RandomState::with_seeds(word(0), word(1), word(2), word(3));
        Self {
            fingerprint,
            by_name: HashMap::with_hasher(hasher),
            hashes: Vec::new(),
            lines: Vec::new(),
        }
    }

    fn add(&mut self, number: u32, line: &[u8]) -> Result<(), UsersError> {
        let colon = line.iter().position(|byte| *byte == b':');
        let (name, hash) = colon
            .and_then(|colon| Some((line.get(..colon)?, line.get(colon + 1..)?)))
            .ok_or(UsersError::NotALine)?;
        // A backend that hears of a user by a header would see no space around its name.
        let is_good = |name: &&str| is_user_name(name) && name.trim() == *name;
        let name = std::str::from_utf8(name).ok().filter(is_good);
        let name: Arc<str> = name.ok_or(UsersError::Name)?.into();
        if let Some(index) = self.by_name.get(&name) {
            let first = self.lines.get(*index).copied().unwrap_or_default();
            return Err(UsersError::Twice { name, first });
        }
        let hash = std::str::from_utf8(hash).unwrap_or_default();
        let hash = hash
            .trim_end()
            .parse()
            .map_err(|error| UsersError::Password {
                name: Arc::clone(&name),
                error,
            })?;
        if self.hashes.len() == Users::USERS_MAX {
            let max = Users::USERS_MAX;
            return Err(UsersError::TooMany { max });
        }
        self.by_name.insert(name, self.hashes.len());
        self.hashes.push(hash);
        self.lines.push(number);
        Ok(())
    }

    fn finish(self) -> Users {
        Users {
            by_name: self.by_name,
            hashes: self.hashes.into(),
            fingerprint: self.fingerprint,
        }
    }
}

#[cfg(test)]
mod tests;
