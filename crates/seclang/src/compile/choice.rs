//! Which rules a directive or a `ctl` is for: by id, tag or message.

use std::cell::RefCell;
use std::ops::RangeInclusive;

use super::assembly::Draft;
use super::rule_files::Beside;
use crate::operators::{Matcher, Operator, OperatorCache};
use crate::syntax::{Action, RuleChoice};

/// Finds rules.
pub(super) enum Choice {
    Ids(Vec<RangeInclusive<u64>>),
    Tag(Expression),
    Message(Expression),
}

/// What a tag or message is to have somewhere.
pub(super) struct Expression {
    matcher: Matcher,
    /// Kept from one rule to the next: making one costs more than searching.
    cache: RefCell<OperatorCache>,
}

impl Choice {
    /// # Errors
    /// When an expression isn't one; the message says why.
    pub(super) fn new(choice: &RuleChoice, beside: &Beside<'_>) -> Result<Self, String> {
        Ok(match choice {
            RuleChoice::Ids(ids) => Self::Ids(ids.clone()),
            RuleChoice::Tag(tag) => Self::Tag(expression(tag, beside)?),
            RuleChoice::Message(message) => Self::Message(expression(message, beside)?),
        })
    }

    pub(super) fn is_for(&self, draft: &Draft) -> bool {
        match self {
            Self::Ids(ids) => ids.iter().any(|range| range.contains(&draft.id)),
            Self::Tag(expression) => draft.starter_actions().any(|action| match action {
                Action::Tag(tag) => finds(expression, tag.as_literal()),
                _ => false,
            }),
            Self::Message(expression) => draft.starter_actions().any(|action| match action {
                Action::Message(message) => finds(expression, message.as_literal()),
                _ => false,
            }),
        }
    }
}

fn expression(text: &[u8], beside: &Beside<'_>) -> Result<Expression, String> {
    match Operator::parse(b"rx", text, beside) {
        Ok(Operator::Match(matcher)) => Ok(Expression {
            matcher,
            cache: RefCell::default(),
        }),
        Ok(_) => Err("expected an expression".to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

fn finds(expression: &Expression, text: Option<&[u8]>) -> bool {
    let cache = &mut expression.cache.borrow_mut();
    text.is_some_and(|text| expression.matcher.matches(text, b"", cache).is_some())
}
