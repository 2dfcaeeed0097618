//! Access rules: syntax tree, compiled matchers, evaluation, explanation and analysis.
//!
//! Layer 1, sans-I/O: rules come in as typed values (the file format is another crate's), requests as
//! [`palisade_vocabulary::RequestView`], and a [`Ruling`] goes out. Nothing is kept between requests
//! but the memory of a [`Scratch`].

mod analysis;
mod compile;
mod condition;
mod evaluate;
mod explain;
mod field_values;
mod hits;
#[cfg(test)]
mod interpret;
mod matcher;
mod pattern;
mod regex;
mod required_literals;
mod rule;
mod rule_set;
#[cfg(test)]
mod test_request;
#[cfg(test)]
mod test_rules;
mod truth;

pub use analysis::{Finding, FindingKind};
pub use condition::{
    AddressCondition, AsnCondition, Condition, ConditionError, CountryCondition, Field,
    TextCondition,
};
pub use evaluate::{Ruling, Scratch};
pub use explain::{Because, Outcome, RuleExplanation};
pub use pattern::{Pattern, PatternError, PatternKind};
pub use regex::RegexError;
pub use rule::{Action, BlockStatus, BlockStatusError, Rule, SourcePlace};
pub use rule_set::{BuildError, RuleSet};
pub use truth::Truth;
