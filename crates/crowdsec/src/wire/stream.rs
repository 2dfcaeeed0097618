//! From the decisions on the wire to those of the table.

use std::fmt;
use std::io::{self, BufReader};

use palisade_decisions::{Decision, DecisionId, Deletion, Delta, Remedy, Scope, ScopeError};
use palisade_vocabulary::Tick;

use super::document::{DecisionSink, DocumentError, List, read_document};
use super::duration::parse_remaining;
use super::raw::{FieldProblem, RawDecision, RawText, RawValue};
use crate::interner::Interner;
use palisade_remote::excerpt;

/// What a whole answer of the stream says.
#[derive(Debug, Default)]
pub struct StreamAnswer {
    /// What is to be applied.
    pub delta: Delta,
    /// What could not be understood and was left out.
    pub skipped: SkippedDecisions,
}

/// Reads the answer in `reader`, which came at `now`: how long decisions last is counted from then,
/// so that the clocks of LAPI and of this machine need not agree.
///
/// # Errors
/// When the document is truncated or malformed. A decision that can't be understood is no error:
/// it is left out and counted.
///
/// Sans-I/O, for any bytes; memory is bounded by what `reader` gives.
pub fn parse_answer(reader: impl io::Read, now: Tick) -> Result<StreamAnswer, DocumentError> {
    let mut builder = AnswerBuilder {
        now,
        answer: StreamAnswer::default(),
        origins: Interner::default(),
        scenarios: Interner::default(),
    };
    // The JSON reader asks for one byte at a time.
    read_document(BufReader::new(reader), &mut builder)?;
    Ok(builder.answer)
}

/// Decisions that were left out, with the first few for the log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SkippedDecisions {
    /// How many there were.
    pub count: u64,
    /// The first [`SkippedDecisions::SAMPLES_MAX`] of them.
    pub samples: Vec<SkippedDecision>,
}

impl SkippedDecisions {
    /// How many are kept for the log.
    pub const SAMPLES_MAX: usize = 5;

    fn push(&mut self, skipped: SkippedDecision) {
        self.count = self.count.saturating_add(1);
        if self.samples.len() < Self::SAMPLES_MAX {
            self.samples.push(skipped);
        }
    }
}

/// A decision that was left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SkippedDecision {
    /// LAPI's id for it, if it has one: `cscli decisions list` shows it.
    pub id: Option<i64>,
    /// Why it was left out.
    pub problem: DecisionProblem,
}

impl fmt::Display for SkippedDecision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.id {
            Some(id) => write!(f, "decision {id}: {}", self.problem),
            None => write!(f, "a decision without id: {}", self.problem),
        }
    }
}

/// Why a decision can't be applied.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DecisionProblem {
    /// An element of a list is no object.
    #[error("not an object")]
    NotAnObject,
    /// The `id` is no whole number of 0 or more.
    #[error("its id is no whole number from 0")]
    Id,
    /// A field is not there, of another kind, or too long.
    #[error("its {field} {problem}")]
    Field {
        /// The field's name.
        field: &'static str,
        /// What is wrong with it.
        problem: FieldProblem,
    },
    /// The scope is not supported, or the value is not one of that scope.
    #[error(transparent)]
    Scope(#[from] ScopeError),
    /// The duration is not one.
    #[error("\"{0}\" is no duration; expected one like 3h59m59s")]
    Duration(String),
    /// CrowdSec only simulates the scenario: it decides nothing.
    #[error("it is simulated")]
    Simulated,
}

struct AnswerBuilder {
    now: Tick,
    answer: StreamAnswer,
    origins: Interner,
    scenarios: Interner,
}

impl DecisionSink for AnswerBuilder {
    fn decision(&mut self, list: List, raw: &RawDecision) {
        let result = match list {
            List::New => self.add(raw),
            List::Deleted => self.delete(raw),
        };
        if let Err(problem) = result {
            let id = match raw.id {
                RawValue::Integer(id) => Some(id),
                _ => None,
            };
            self.answer.skipped.push(SkippedDecision { id, problem });
        }
    }

    fn not_a_decision(&mut self, _: List) {
        self.answer.skipped.push(SkippedDecision {
            id: None,
            problem: DecisionProblem::NotAnObject,
        });
    }
}

impl AnswerBuilder {
    fn add(&mut self, raw: &RawDecision) -> Result<(), DecisionProblem> {
        if raw.simulated == RawValue::Bool(true) {
            return Err(DecisionProblem::Simulated);
        }
        let duration = field("duration", &raw.duration, RawText::whole)?;
        let remaining = parse_remaining(duration)
            .map_err(|_| DecisionProblem::Duration(excerpt(duration.as_bytes())))?;
        let decision = Decision {
            id: id(raw)?,
            scope: scope(raw)?,
            remedy: remedy(raw)?,
            origin: self
                .origins
                .intern(field("origin", &raw.origin, RawText::cut)?),
            scenario: self
                .scenarios
                .intern(field("scenario", &raw.scenario, RawText::cut)?),
            expires: self.now + remaining,
        };
        self.answer.delta.added.push(decision);
        Ok(())
    }

    /// Says only whom and what; how long a deleted decision would have lasted doesn't matter.
    fn delete(&mut self, raw: &RawDecision) -> Result<(), DecisionProblem> {
        self.answer.delta.deleted.push(Deletion {
            scope: scope(raw)?,
            id: id(raw)?,
            remedy: Some(remedy(raw)?),
        });
        Ok(())
    }
}

/// LAPI leaves an id of 0 out (`omitempty`).
fn id(raw: &RawDecision) -> Result<Option<DecisionId>, DecisionProblem> {
    match raw.id {
        RawValue::Absent => Ok(None),
        RawValue::Integer(number) => {
            let number = u64::try_from(number).map_err(|_| DecisionProblem::Id)?;
            Ok(DecisionId::new(number))
        }
        _ => Err(DecisionProblem::Id),
    }
}

fn scope(raw: &RawDecision) -> Result<Scope, DecisionProblem> {
    let name = field("scope", &raw.scope, RawText::whole)?;
    let value = field("value", &raw.value, RawText::whole)?;
    Ok(Scope::parse(name, value)?)
}

fn remedy(raw: &RawDecision) -> Result<Remedy, DecisionProblem> {
    field("type", &raw.remedy, RawText::whole).map(Remedy::parse)
}

fn field<'a>(
    name: &'static str,
    text: &'a RawText,
    read: impl Fn(&'a RawText) -> Result<&'a str, FieldProblem>,
) -> Result<&'a str, DecisionProblem> {
    read(text).map_err(|problem| DecisionProblem::Field {
        field: name,
        problem,
    })
}
