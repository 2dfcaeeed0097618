//! Hashes of passwords, as users files have them.

use std::fmt;
use std::str::FromStr;

use argon2::{Algorithm, Argon2, Params, PasswordHash as Phc, PasswordVerifier as _};
use bcrypt::HashParts;
use sha_crypt::{PasswordHashRef, ShaCrypt};

/// The highest cost of bcrypt, whose work is two to the power of it: 14 takes about a second.
const BCRYPT_COST_MAX: u32 = 14;
/// The most rounds of SHA-crypt: a million take about a second.
const SHA_CRYPT_ROUNDS_MAX: u32 = 1_000_000;
/// Rounds where a hash names none.
const SHA_CRYPT_ROUNDS_MIN: u32 = 1_000;
/// The most memory of Argon2: 64 MiB, as RFC 9106 section 4 has it where memory is dear.
const ARGON2_MEMORY_KIB_MAX: u32 = 64 * 1024;
/// The most passes of Argon2.
const ARGON2_PASSES_MAX: u32 = 10;
/// The most lanes of Argon2, which are computed one after the other.
const ARGON2_LANES_MAX: u32 = 16;
/// Bytes of Argon2's output below which passwords are guessed that aren't the right one.
const ARGON2_OUTPUT_BYTES_MIN: usize = 16;

/// A password's hash, whose cost is bounded.
#[derive(Clone)]
pub(crate) enum PasswordHash {
    Bcrypt(Box<str>),
    Argon2id(Box<Phc>),
    ShaCrypt(Box<str>),
}

/// Why a hash can't be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PasswordHashError {
    /// A form that is quickly guessed, or none at all.
    #[error("{0}")]
    Form(&'static str),
    /// The form is known, and this is none of it.
    #[error("it begins as {form}, and isn't: {fault}")]
    Broken {
        /// The form.
        form: &'static str,
        /// What is wrong with it.
        fault: &'static str,
    },
    /// Whoever may ask could keep this machine busy with it.
    #[error("{what} is {got}; expected {min} to {max}")]
    Cost {
        /// What costs.
        what: &'static str,
        /// What the hash says.
        got: u32,
        /// The least that is accepted.
        min: u32,
        /// The most that is accepted.
        max: u32,
    },
}

impl PasswordHash {
    /// Verifies a password: slow. Comparisons take the same time wherever two hashes differ.
    pub(crate) fn verify(&self, password: &[u8]) -> bool {
        match self {
            Self::Bcrypt(hash) => bcrypt::verify(password, hash).unwrap_or(false),
            Self::Argon2id(hash) => Argon2::default().verify_password(password, &**hash).is_ok(),
            Self::ShaCrypt(hash) => PasswordHashRef::new(hash)
                .is_ok_and(|hash| ShaCrypt::SHA512.verify_password(password, hash).is_ok()),
        }
    }
}

impl FromStr for PasswordHash {
    type Err = PasswordHashError;

    fn from_str(text: &str) -> Result<Self, PasswordHashError> {
        let starts = |prefixes: &[&str]| prefixes.iter().any(|prefix| text.starts_with(prefix));
        if starts(&["$2y$", "$2b$", "$2a$"]) {
            bcrypt(text)
        } else if starts(&["$argon2id$"]) {
            argon2id(text)
        } else if starts(&["$5$", "$6$"]) {
            sha_crypt(text)
        } else {
            Err(PasswordHashError::Form(if starts(&["$apr1$", "$1$"]) {
                "MD5 is guessed too fast"
            } else if starts(&["{SHA}", "{SSHA}"]) {
                "one round of SHA-1 is guessed too fast"
            } else if starts(&["$argon2i$", "$argon2d$"]) {
                "of the forms of Argon2 only argon2id is accepted (RFC 9106 section 4)"
            } else if starts(&["$2x$", "$2$"]) {
                "this version of bcrypt is known to be broken"
            } else {
                "this is a plain password, DES crypt or a form that isn't known"
            }))
        }
    }
}

impl fmt::Debug for PasswordHash {
    /// Which form it has.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Bcrypt(_) => "bcrypt",
            Self::Argon2id(_) => "argon2id",
            Self::ShaCrypt(_) => "SHA-crypt",
        })
    }
}

fn bounded(what: &'static str, got: u32, min: u32, max: u32) -> Result<(), PasswordHashError> {
    match (min..=max).contains(&got) {
        true => Ok(()),
        false => Err(PasswordHashError::Cost {
            what,
            got,
            min,
            max,
        }),
    }
}

fn bcrypt(text: &str) -> Result<PasswordHash, PasswordHashError> {
    let parts = HashParts::from_str(text).map_err(|_| PasswordHashError::Broken {
        form: "bcrypt",
        fault: "expected a cost of two digits and 53 characters of its base64",
    })?;
    bounded("the cost of bcrypt", parts.get_cost(), 4, BCRYPT_COST_MAX)?;
    Ok(PasswordHash::Bcrypt(text.into()))
}

fn argon2id(text: &str) -> Result<PasswordHash, PasswordHashError> {
    let broken = |fault| PasswordHashError::Broken {
        form: "argon2id",
        fault,
    };
    let expected = "expected $argon2id$v=19$m=...,t=...,p=...$salt$hash";
    let hash = Phc::new(text).map_err(|_| broken(expected))?;
    let params = Params::try_from(&hash).map_err(|_| broken(expected))?;
    let is_whole = hash.algorithm == Algorithm::Argon2id.ident() && hash.version == Some(19);
    if !is_whole || hash.salt.is_none() {
        return Err(broken(expected));
    }
    if hash
        .hash
        .as_ref()
        .is_none_or(|hash| hash.len() < ARGON2_OUTPUT_BYTES_MIN)
    {
        return Err(broken("its hash is missing or too short"));
    }
    bounded(
        "the memory of argon2id in KiB",
        params.m_cost(),
        1,
        ARGON2_MEMORY_KIB_MAX,
    )?;
    bounded(
        "the passes of argon2id",
        params.t_cost(),
        1,
        ARGON2_PASSES_MAX,
    )?;
    bounded(
        "the lanes of argon2id",
        params.p_cost(),
        1,
        ARGON2_LANES_MAX,
    )?;
    Ok(PasswordHash::Argon2id(Box::new(hash)))
}

/// `$6$rounds=N$salt$hash`, the rounds left out where they are 5,000.
fn sha_crypt(text: &str) -> Result<PasswordHash, PasswordHashError> {
    const SALT_BYTES_MAX: usize = 16;
    let broken = |fault| PasswordHashError::Broken {
        form: "SHA-crypt",
        fault,
    };
    let hash_bytes = if text.starts_with("$5$") { 43 } else { 86 };
    let mut fields = text.split('$').skip(2).peekable();
    if let Some(rounds) = fields.next_if(|field| field.starts_with("rounds=")) {
        let rounds = rounds
            .strip_prefix("rounds=")
            .and_then(|rounds| rounds.parse().ok());
        let rounds = rounds.ok_or(broken("the rounds are no number"))?;
        let what = "the rounds of SHA-crypt";
        bounded(what, rounds, SHA_CRYPT_ROUNDS_MIN, SHA_CRYPT_ROUNDS_MAX)?;
    }
    let (salt, hash, rest) = (fields.next(), fields.next(), fields.next());
    let is_plain = |text: &str| {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'/');
        text.bytes().all(plain)
    };
    if !salt.is_some_and(|salt| (1..=SALT_BYTES_MAX).contains(&salt.len()) && is_plain(salt)) {
        return Err(broken(
            "expected a salt of 1 to 16 characters of its base64",
        ));
    }
    let is_hash = hash.is_some_and(|hash| hash.len() == hash_bytes && is_plain(hash));
    if !is_hash || rest.is_some() || PasswordHashRef::new(text).is_err() {
        return Err(broken(
            "expected a hash of 43 ($5$) or 86 ($6$) characters of its base64",
        ));
    }
    Ok(PasswordHash::ShaCrypt(text.into()))
}

#[cfg(test)]
pub(crate) mod tests;
