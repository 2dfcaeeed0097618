//! Which rules a value can match at all, found in one pass for all rules.
//!
//! A [`Requirement`] is what every value has that an operator matches: one of some literals, or a byte
//! of a class. A [`Prefilter`] looks for what all rules require at once: for classes through a table
//! of 64 bits a byte, for literals through one automaton. What isn't found can't match, and few rules
//! are left to be asked. That a rule is left says nothing: it is asked as if there were no prefilter.

mod automaton;
mod byte_classes;
mod clause;
mod expression;
mod filter;
mod filter_bits;
mod frequency;
mod grouped;
mod literals;
mod requirement;
mod unquoted;
mod witnesses;

pub(crate) use filter::Prefilter;
pub(crate) use requirement::Requirement;

#[cfg(test)]
mod tests;
