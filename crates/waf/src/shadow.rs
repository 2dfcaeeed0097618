//! A second set of rules beside the one that guards a site: it judges some of the site's requests once they
//! are over, refuses none of them, and what it would have made of them is compared with what was.

mod case;
mod judgement;

use std::sync::Arc;

pub use case::{AnswerBody, OwnedHead, RequestBody, SeenAnswer, ShadowCase, Unread};
pub use judgement::{Disagreement, Ended, Judgement, RuleMatch, ShadowKind};

use crate::{RuleSet, Share};

/// A set of rules that judges beside the one that guards a site.
#[derive(Clone, Debug)]
pub struct Shadow {
    /// Its rules.
    pub rules: Arc<RuleSet>,
    /// How many of the site's requests it judges.
    pub sample: Share,
}

#[cfg(test)]
mod tests;
