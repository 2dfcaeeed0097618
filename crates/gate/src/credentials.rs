//! Credentials that a request presents, on their way from its header to a verdict.

use std::sync::Arc;

use http::HeaderValue;
use palisade_authentication::{Credentials, Users};
use palisade_limits::{Attempt, Locked, LockoutKey, LockoutPolicy};
use palisade_vocabulary::{RuleId, Tick};

use crate::{Cause, Refusal, RefusedCredentials, State};

/// Who a client was found to be.
#[derive(Clone, Debug, Default)]
pub enum Authentication {
    /// It wasn't asked, or it is not found to be anybody.
    #[default]
    Nobody,
    /// A user, verified.
    User(Arc<str>),
    /// It presented credentials that are yet to be verified: until then it passes nothing.
    Unverified(Arc<Unverified>),
}

/// Credentials that are yet to be verified, which takes long.
#[derive(Debug)]
pub struct Unverified {
    pub(crate) credentials: Credentials,
    /// The first protected path that asks for them.
    pub(crate) first: Asking,
    /// More of them, with other users.
    pub(crate) others: Vec<Asking>,
    pub(crate) lockout: Option<(LockoutKey, LockoutPolicy)>,
    /// The site is in detect mode.
    pub(crate) is_trial: bool,
}

/// A protected path that asks for credentials.
#[derive(Clone, Debug)]
pub(crate) struct Asking {
    pub(crate) id: RuleId,
    pub(crate) challenge: HeaderValue,
    pub(crate) users: Arc<Users>,
}

/// What is wrong with credentials.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CredentialsFault {
    /// There are none: not a failure, since browsers ask first.
    Missing,
    /// They can't be read.
    Malformed,
    /// There is no such user, or the password is another.
    Wrong,
    /// Too many are being verified to verify these too.
    Overloaded,
}

impl CredentialsFault {
    /// Its name in logs and metrics.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Missing => "credentials_missing",
            Self::Malformed => "credentials_malformed",
            Self::Wrong => "credentials_wrong",
            Self::Overloaded => "verification_overloaded",
        }
    }

    fn status(self) -> u16 {
        match self {
            Self::Missing | Self::Malformed | Self::Wrong => 401,
            Self::Overloaded => 503,
        }
    }
}

impl Asking {
    pub(crate) fn refuse(&self, fault: CredentialsFault, user: Option<&str>) -> Refusal {
        Refusal {
            status: fault.status(),
            cause: Cause::Credentials(Box::new(RefusedCredentials {
                id: self.id.clone(),
                fault,
                user: user.map(Into::into),
                challenge: self.challenge.clone(),
                locks: false,
            })),
        }
    }
}

impl Unverified {
    /// Whether what comes of it is only recorded.
    #[must_use]
    pub fn is_trial(&self) -> bool {
        self.is_trial
    }

    /// Begins an attempt, which counts as a failed one until it succeeds; none where an access rule skips
    /// limits.
    ///
    /// # Errors
    /// When the client is locked out, or has as many attempts under way as may fail.
    pub fn begin(&self, state: &State, now: Tick) -> Result<Option<Attempt>, Refusal> {
        let Some((key, policy)) = &self.lockout else {
            return Ok(None);
        };
        let begun = state.lockouts.begin(policy, *key, now);
        begun.map(Some).map_err(|locked| self.locked(locked))
    }

    /// Verifies them: the user's name. Slow.
    ///
    /// # Errors
    /// When they are wrong.
    pub fn verify(&self) -> Result<Arc<str>, Refusal> {
        let verify = |asking: &Asking| {
            let verified = asking.users.verify(&self.credentials);
            verified.ok_or_else(|| self.refuse(asking, CredentialsFault::Wrong))
        };
        let user = verify(&self.first)?;
        for asking in &self.others {
            verify(asking)?;
        }
        Ok(user)
    }

    /// Remembers that they are right.
    pub fn remember(&self, state: &State, now: Tick) {
        for asking in std::iter::once(&self.first).chain(&self.others) {
            let verified = &state.verified_credentials;
            verified.remember(&asking.users, &self.credentials, now);
        }
    }

    /// What is answered where there is no room to verify them.
    #[must_use]
    pub fn overloaded(&self) -> Refusal {
        self.refuse(&self.first, CredentialsFault::Overloaded)
    }

    fn refuse(&self, asking: &Asking, fault: CredentialsFault) -> Refusal {
        asking.refuse(fault, Some(self.credentials.user()))
    }

    fn locked(&self, locked: Locked) -> Refusal {
        refuse_locked(locked, Some(self.credentials.user()))
    }
}

/// The refusal of a client that is locked out (RFC 6585 section 4).
pub(crate) fn refuse_locked(locked: Locked, user: Option<&str>) -> Refusal {
    Refusal {
        status: 429,
        cause: Cause::LockedOut {
            retry_after: locked.retry_after,
            user: user.map(Into::into),
        },
    }
}
