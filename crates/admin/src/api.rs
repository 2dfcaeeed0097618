//! What is said at the admin socket about decisions, as JSON. Both ends share these types.

use serde::{Deserialize, Serialize};

/// The most decisions in one listing.
pub const LISTED_MAX: usize = 100_000;

/// `POST /decisions`: a local decision to add. [`crate::NewDecision`] has the bounds.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct AddRequest {
    /// `Ip`, `Range`, `Country` or `AS`, in any case; `Ip` and `Range` mean the same.
    pub scope: String,
    /// An address or range, a country's two letters, or a number of an autonomous system.
    pub value: String,
    /// `ban`, `captcha` or `throttle`.
    #[serde(rename = "type")]
    pub kind: String,
    /// For how long, in seconds.
    pub duration_seconds: u64,
    /// Why, for the logs.
    pub reason: String,
}

/// The answer to [`AddRequest`].
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct AddAnswer {
    /// The decision as it now holds.
    pub decision: DecisionRow,
    /// Whether it took the place of one with the same scope, value and type.
    pub replaced: bool,
    /// What the operator should know: that a restart forgets it, and why.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub warning: Option<String>,
}

/// The answer to a deletion.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct DeleteAnswer {
    /// How many decisions were taken back.
    pub deleted: usize,
    /// What the operator should know: that a restart brings them back, and why.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub warning: Option<String>,
}

/// The answer to `GET /decisions`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct ListAnswer {
    /// The first, by source, scope and id; at most as many as were asked for.
    pub decisions: Vec<DecisionRow>,
    /// How many there are in all.
    pub total: usize,
}

/// A decision.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct DecisionRow {
    /// The source's number for it, where it has one.
    pub id: Option<u64>,
    /// Who put it there: `local` or `crowdsec`.
    pub source: String,
    /// `Ip`, `Range`, `Country` or `AS`.
    pub scope: String,
    /// `192.0.2.1`, `10.0.0.0/8`, `DE`, `AS64496`.
    pub value: String,
    /// What is done: `ban`, `captcha`, `throttle`, or a type that this version doesn't know.
    #[serde(rename = "type")]
    pub kind: String,
    /// Who decided: `local`, `cscli`, `crowdsec`, `CAPI`, `lists:NAME`.
    pub origin: String,
    /// Why: a scenario, or the operator's words.
    pub reason: String,
    /// How long it still holds, in seconds, rounded up.
    pub expires_in_seconds: u64,
}

/// The body of every answer that is no success.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct ErrorAnswer {
    /// What is wrong, and how to mend it.
    pub error: String,
}
