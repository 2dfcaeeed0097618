//! A local decision to add.

use std::time::Duration;

use palisade_decisions::{Decision, DecisionId, Remedy, Scope, ScopeError};
use palisade_vocabulary::Tick;

use super::LocalDecisions;
use crate::api::AddRequest;

/// A local decision to add, within all bounds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewDecision {
    scope: Scope,
    remedy: Remedy,
    duration: Duration,
    reason: String,
}

/// Why there can be no such decision.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NewDecisionError {
    /// It names nobody.
    #[error(transparent)]
    Scope(#[from] ScopeError),
    /// Its type is none that an operator can choose.
    #[error("type \"{0}\" is not known; expected ban, captcha or throttle")]
    Kind(String),
    /// It would end too soon or too late.
    #[error("a duration of {got_seconds} s; expected 1 s to {max_seconds} s (ten years)")]
    Duration {
        /// What was asked for, in whole seconds.
        got_seconds: u64,
        /// The longest.
        max_seconds: u64,
    },
    /// Its reason is too long.
    #[error("the reason has {got} bytes; expected at most {max}")]
    ReasonLength {
        /// Its length.
        got: usize,
        /// The most.
        max: usize,
    },
    /// Its reason can't be a part of a line of a log.
    #[error("the reason has a control character; expected printable text on one line")]
    ReasonText,
}

impl NewDecision {
    /// The shortest time that a decision may hold.
    pub const DURATION_MIN: Duration = Duration::from_secs(1);
    /// The longest: ten years of 365 days.
    pub const DURATION_MAX: Duration = Duration::from_secs(10 * 365 * 86_400);

    /// A decision to do `remedy` to whom `scope` names, for `duration`. The reason has at most
    /// [`Decision::SCENARIO_BYTES_MAX`] bytes and no control character.
    ///
    /// # Errors
    /// What is out of bounds.
    pub fn new(
        scope: Scope,
        remedy: Remedy,
        duration: Duration,
        reason: &str,
    ) -> Result<Self, NewDecisionError> {
        if let Remedy::Other(name) = remedy {
            return Err(NewDecisionError::Kind(name.as_str().to_owned()));
        }
        if !(Self::DURATION_MIN..=Self::DURATION_MAX).contains(&duration) {
            return Err(NewDecisionError::Duration {
                got_seconds: duration.as_secs(),
                max_seconds: Self::DURATION_MAX.as_secs(),
            });
        }
        if reason.len() > Decision::SCENARIO_BYTES_MAX {
            return Err(NewDecisionError::ReasonLength {
                got: reason.len(),
                max: Decision::SCENARIO_BYTES_MAX,
            });
        }
        if reason.contains(char::is_control) {
            return Err(NewDecisionError::ReasonText);
        }
        Ok(Self {
            scope,
            remedy,
            duration,
            reason: reason.to_owned(),
        })
    }

    /// Reads the body of a request to add one: an [`AddRequest`].
    ///
    /// # Errors
    /// What is wrong with it, as text for the caller.
    pub fn from_json(body: &[u8]) -> Result<Self, String> {
        let wanted: AddRequest = serde_json::from_slice(body)
            .map_err(|error| format!("the body is no decision to add: {}", printable(&error)))?;
        Self::try_from(&wanted).map_err(|error| error.to_string())
    }

    /// Whom it names.
    #[must_use]
    pub fn scope(&self) -> Scope {
        self.scope
    }

    /// What is done.
    #[must_use]
    pub fn remedy(&self) -> Remedy {
        self.remedy
    }

    /// For how long.
    #[must_use]
    pub fn duration(&self) -> Duration {
        self.duration
    }

    pub(super) fn into_decision(self, id: DecisionId, now: Tick) -> Decision {
        Decision {
            id: Some(id),
            scope: self.scope,
            remedy: self.remedy,
            origin: LocalDecisions::ORIGIN.into(),
            scenario: self.reason.into(),
            expires: now + self.duration,
        }
    }
}

/// The beginning of an error that may name what the caller sent, to show it on a terminal.
fn printable(error: &serde_json::Error) -> String {
    const CHARS_MAX: usize = 200;
    let said = error.to_string();
    let letters = said.chars().take(CHARS_MAX);
    letters
        .map(|letter| match letter.is_control() {
            true => char::REPLACEMENT_CHARACTER,
            false => letter,
        })
        .collect()
}

impl TryFrom<&AddRequest> for NewDecision {
    type Error = NewDecisionError;

    fn try_from(request: &AddRequest) -> Result<Self, NewDecisionError> {
        Self::new(
            Scope::parse(&request.scope, &request.value)?,
            Remedy::parse(&request.kind),
            Duration::from_secs(request.duration_seconds),
            &request.reason,
        )
    }
}

impl From<&NewDecision> for AddRequest {
    /// A duration is rounded down to whole seconds.
    fn from(new: &NewDecision) -> Self {
        Self {
            scope: new.scope.name().to_owned(),
            value: new.scope.to_string(),
            kind: new.remedy.to_string(),
            duration_seconds: new.duration.as_secs(),
            reason: new.reason.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request() -> AddRequest {
        AddRequest {
            scope: "Ip".to_owned(),
            value: "192.0.2.7".to_owned(),
            kind: "ban".to_owned(),
            duration_seconds: 60,
            reason: "by hand".to_owned(),
        }
    }

    #[track_caller]
    fn check(change: impl FnOnce(&mut AddRequest), expected: &str) {
        let mut request = request();
        change(&mut request);
        let got = match NewDecision::try_from(&request) {
            Ok(new) => format!(
                "{} {} {} {}",
                new.scope,
                new.remedy,
                new.duration.as_secs(),
                new.reason
            ),
            Err(error) => error.to_string(),
        };
        assert_eq!(got, expected);
    }

    #[test]
    fn values_are_canonical() {
        check(|_| {}, "192.0.2.7 ban 60 by hand");
        check(
            |request| request.kind = "Captcha".to_owned(),
            "192.0.2.7 captcha 60 by hand",
        );
        check(
            |request| request.value = "::ffff:10.1.2.3/104".to_owned(),
            "10.0.0.0/8 ban 60 by hand",
        );
        check(
            |request| (request.scope, request.value) = ("as".to_owned(), "64496".to_owned()),
            "AS64496 ban 60 by hand",
        );
        check(
            |request| (request.scope, request.value) = ("country".to_owned(), "de".to_owned()),
            "DE ban 60 by hand",
        );
    }

    #[test]
    fn what_is_sent_is_what_was_meant() {
        let new = NewDecision::try_from(&request()).unwrap();
        assert_eq!(AddRequest::from(&new), request());
    }

    #[test]
    fn bounds_are_kept() {
        check(
            |request| request.duration_seconds = 1,
            "192.0.2.7 ban 1 by hand",
        );
        check(
            |request| request.duration_seconds = 315_360_000,
            "192.0.2.7 ban 315360000 by hand",
        );
        for (seconds, shown) in [
            (0, "0"),
            (315_360_001, "315360001"),
            (u64::MAX, "18446744073709551615"),
        ] {
            check(
                |request| request.duration_seconds = seconds,
                &format!("a duration of {shown} s; expected 1 s to 315360000 s (ten years)"),
            );
        }
        let longest = "x".repeat(256);
        check(
            |request| request.reason.clone_from(&longest),
            &format!("192.0.2.7 ban 60 {longest}"),
        );
        check(
            |request| request.reason = "x".repeat(257),
            "the reason has 257 bytes; expected at most 256",
        );
        check(
            |request| request.reason = "a\nb".to_owned(),
            "the reason has a control character; expected printable text on one line",
        );
        check(|request| request.reason.clear(), "192.0.2.7 ban 60 ");
    }

    #[test]
    fn a_mistyped_word_is_told() {
        check(
            |request| request.kind = "bna".to_owned(),
            "type \"bna\" is not known; expected ban, captcha or throttle",
        );
        check(
            |request| request.scope = "host".to_owned(),
            "scope \"host\" is not supported; expected Ip, Range, Country or AS",
        );
        check(
            |request| request.value = "192.0.2".to_owned(),
            "\"192.0.2\" is not an IP address; expected one like 192.0.2.1 or 2001:db8::1",
        );
    }
}
