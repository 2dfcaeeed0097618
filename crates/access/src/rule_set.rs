//! Rules that were checked and compiled together.

use std::collections::HashMap;

use palisade_vocabulary::{ByteSize, RuleId};

use crate::compile::{CompileError, Compiled, Node, PATTERNS_MAX, RANGES_MAX, compile};
use crate::{Condition, Field, Rule, SourcePlace};

/// The access rules of the whole proxy or of one site, in file order, compiled together. Immutable;
/// shared by all workers.
#[derive(Debug)]
pub struct RuleSet {
    rules: Box<[Rule]>,
    compiled: Compiled,
}

impl RuleSet {
    /// The most rules of a set: ten times what the speed promises speak of.
    pub const RULES_MAX: usize = 100_000;

    /// Compiles `rules`. Their order is the order in which they are asked.
    ///
    /// # Errors
    /// All that is wrong: more rules, patterns, ranges or nesting than there may be, an id used
    /// twice, or regular expressions without a literal that together compile to too much.
    pub fn build(rules: Vec<Rule>) -> Result<Self, Vec<BuildError>> {
        if rules.len() > Self::RULES_MAX {
            return Err(vec![BuildError::TooManyRules {
                got: rules.len(),
                max: Self::RULES_MAX,
            }]);
        }
        let mut errors: Vec<BuildError> = rules.iter().filter_map(too_deep).collect();
        errors.extend(duplicate_ids(&rules));
        if !errors.is_empty() {
            return Err(errors);
        }
        match compile(&rules) {
            Ok(compiled) => Ok(Self {
                rules: rules.into(),
                compiled,
            }),
            Err(error) => Err(build_error(&rules, error).into_iter().collect()),
        }
    }

    /// The rules, in file order; those that are off too.
    #[must_use]
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }

    pub(crate) fn compiled(&self) -> &Compiled {
        &self.compiled
    }

    pub(crate) fn into_compiled(self) -> Compiled {
        self.compiled
    }

    /// The compiled condition of the rule at a position; `None` if it is off.
    pub(crate) fn condition(&self, position: u32) -> Option<&Node> {
        self.compiled.conditions.get(position as usize)?.as_ref()
    }
}

/// Why rules can't be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// More rules than a set may have.
    #[error("{got} rules; expected at most {max} in one set")]
    TooManyRules {
        /// How many there are.
        got: usize,
        /// The most that is possible.
        max: usize,
    },
    /// Two rules with one id.
    #[error("{place}: rule id {id} is used already at {first}; expected each id once")]
    DuplicateId {
        /// The id.
        id: RuleId,
        /// Where the first rule is.
        first: SourcePlace,
        /// Where the second rule is.
        place: SourcePlace,
    },
    /// `all`, `any` and `not` in one another too often.
    #[error("{place}: rule {id} nests conditions {got} deep; expected at most {max}")]
    TooDeep {
        /// The rule.
        id: RuleId,
        /// Where it is.
        place: SourcePlace,
        /// How deep.
        got: usize,
        /// The most that is possible.
        max: usize,
    },
    /// More patterns than a set may have.
    #[error("{place}: with rule {id} there are more than {max} different patterns; expected fewer")]
    TooManyPatterns {
        /// The first rule with too many.
        id: RuleId,
        /// Where it is.
        place: SourcePlace,
        /// The most that is possible.
        max: usize,
    },
    /// More address ranges than a set may have.
    #[error(
        "{place}: with rule {id} there are more than {max} different address ranges; expected fewer"
    )]
    TooManyRanges {
        /// The first rule with too many.
        id: RuleId,
        /// Where it is.
        place: SourcePlace,
        /// The most that is possible.
        max: usize,
    },
    /// Regular expressions that must run on every request take too much together.
    #[error(
        "{place}: with rule {id} the regular expressions on {field} that contain no fixed text of two \
         characters or more compile to over {max}; expected fewer, or some fixed text in them"
    )]
    RegexesTooLarge {
        /// The first rule that doesn't fit.
        id: RuleId,
        /// Where it is.
        place: SourcePlace,
        /// The field of the expressions.
        field: Field,
        /// The most that they may take together.
        max: ByteSize,
    },
}

fn too_deep(rule: &Rule) -> Option<BuildError> {
    let got = rule.condition.depth();
    (got > Condition::DEPTH_MAX).then(|| BuildError::TooDeep {
        id: rule.id.clone(),
        place: rule.place.clone(),
        got,
        max: Condition::DEPTH_MAX,
    })
}

fn duplicate_ids(rules: &[Rule]) -> Vec<BuildError> {
    let mut first_by_id: HashMap<&RuleId, &Rule> = HashMap::with_capacity(rules.len());
    let mut errors = Vec::new();
    for rule in rules {
        if let Some(first) = first_by_id.get(&rule.id) {
            errors.push(BuildError::DuplicateId {
                id: rule.id.clone(),
                first: first.place.clone(),
                place: rule.place.clone(),
            });
        } else {
            first_by_id.insert(&rule.id, rule);
        }
    }
    errors
}

fn build_error(rules: &[Rule], error: CompileError) -> Option<BuildError> {
    let (CompileError::TooManyPatterns { rule: position }
    | CompileError::TooManyRanges { rule: position }
    | CompileError::Regexes { rule: position, .. }) = error;
    let rule = rules.get(position)?;
    let (id, place) = (rule.id.clone(), rule.place.clone());
    Some(match error {
        CompileError::TooManyPatterns { .. } => BuildError::TooManyPatterns {
            id,
            place,
            max: PATTERNS_MAX,
        },
        CompileError::TooManyRanges { .. } => BuildError::TooManyRanges {
            id,
            place,
            max: RANGES_MAX,
        },
        CompileError::Regexes { field, error, .. } => BuildError::RegexesTooLarge {
            id,
            place,
            field,
            max: error.max,
        },
    })
}
