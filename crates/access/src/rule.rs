//! An access rule as the operator wrote it.

use std::fmt;
use std::sync::Arc;

use palisade_vocabulary::{Mode, RuleId, SkipSet};

use crate::Condition;

/// An access rule: when it holds, what happens, and where it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// Its name in logs; no other rule of the set has it.
    pub id: RuleId,
    /// When it applies.
    pub condition: Condition,
    /// What happens then.
    pub action: Action,
    /// Whether it acts, only records that it would have, or is not run.
    pub mode: Mode,
    /// Why it exists, for the operator's logs; a client never sees it.
    pub reason: Option<Arc<str>>,
    /// Where it was written, for messages.
    pub place: SourcePlace,
}

impl Rule {
    /// Whether a match ends the access rules.
    #[must_use]
    pub fn decides(&self) -> bool {
        self.mode == Mode::Block && !matches!(self.action, Action::Log)
    }

    /// Whether the path without `;params` is tried too. An allow is never widened by it.
    pub(crate) fn tries_path_without_params(&self) -> bool {
        !matches!(self.action, Action::Allow { .. })
    }
}

/// What a rule does with a request that it matches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Refuse the request; ends the access rules.
    Block {
        /// The status of the answer; the site's own where there is none.
        status: Option<BlockStatus>,
    },
    /// End the access rules without refusing.
    Allow {
        /// The checks outside the access rules that are skipped as well.
        skip: SkipSet,
    },
    /// Record the match and go on.
    Log,
}

/// The status of a refusal: 400 to 599 (RFC 9110 sections 15.5 and 15.6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlockStatus(u16);

impl BlockStatus {
    /// The status code.
    #[must_use]
    pub fn as_u16(self) -> u16 {
        self.0
    }
}

impl TryFrom<u16> for BlockStatus {
    type Error = BlockStatusError;

    fn try_from(code: u16) -> Result<Self, BlockStatusError> {
        if (400..=599).contains(&code) {
            Ok(Self(code))
        } else {
            Err(BlockStatusError(code))
        }
    }
}

/// Not the status of a refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("status {0} is not one to refuse with; expected a number from 400 to 599")]
pub struct BlockStatusError(u16);

/// Where something was written, as messages show it: `file:line:column`. Cheap to clone.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SourcePlace(Arc<str>);

impl SourcePlace {
    /// The place as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl<T: Into<Arc<str>>> From<T> for SourcePlace {
    fn from(text: T) -> Self {
        Self(text.into())
    }
}

impl fmt::Display for SourcePlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_a_client_or_server_error() {
        for code in [400, 403, 404, 451, 599] {
            assert_eq!(BlockStatus::try_from(code).unwrap().as_u16(), code);
        }
        for code in [0, 200, 302, 399, 600, u16::MAX] {
            let error = BlockStatus::try_from(code).unwrap_err();
            assert!(
                error
                    .to_string()
                    .starts_with(&format!("status {code} is not"))
            );
        }
    }
}
