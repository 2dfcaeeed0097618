//! What is odd about rules though nothing is wrong with them: for `palisade check`.
//!
//! Findings are sound but not complete: what is reported is so, but not all that is so is found.

mod candidates;
mod implication;
mod pattern;
mod satisfiability;

use std::fmt;

use palisade_vocabulary::{Mode, RuleId};

use self::candidates::Candidates;
use self::implication::Implication;
use self::satisfiability::why_never;
use crate::{Action, BuildError, Condition, Rule, RuleSet, SourcePlace};

/// Something odd about a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The rule.
    pub id: RuleId,
    /// Where it was written.
    pub place: SourcePlace,
    /// What is odd.
    pub kind: FindingKind,
}

/// What is odd about a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FindingKind {
    /// No request can match it.
    NeverMatches {
        /// Why.
        because: String,
    },
    /// An earlier rule has the same action and matches the same requests.
    Duplicate {
        /// The earlier rule.
        of: RuleId,
        /// Where that was written.
        at: SourcePlace,
    },
    /// An earlier allow matches everything that this block would.
    ShadowedByAllow {
        /// The earlier rule.
        by: RuleId,
        /// Where that was written.
        at: SourcePlace,
    },
    /// An earlier rule that decides matches everything that this one would.
    Unreachable {
        /// The earlier rule.
        by: RuleId,
        /// Where that was written.
        at: SourcePlace,
    },
    /// It skips other checks although no `address` has to match: all else is the client's own word.
    SkipWithoutAddress,
    /// There are too many rules to compare this and later ones with all before them.
    NotCompared,
}

impl RuleSet {
    /// What is odd about `rules`, which are asked after the rules `before` them (the global ones, if
    /// `rules` are a site's). Nothing is said of the rules before.
    ///
    /// "Matches everything" is judged on the canonical path. A rule that is off is left out. Takes
    /// bounded time: seconds at worst.
    #[must_use]
    pub fn findings(before: &[Rule], rules: &[Rule]) -> Vec<Finding> {
        findings_within(STEPS_MAX, before, rules, Candidates::among(before, rules))
    }

    /// What is odd about `rules`, as [`findings`](Self::findings) has it, and what keeps them from being
    /// [built](Self::build): both for the price of compiling them once.
    #[must_use]
    pub fn examine(before: &[Rule], rules: &[Rule]) -> (Vec<Finding>, Vec<BuildError>) {
        let (candidates, errors) = match Self::build(rules.to_vec()) {
            Ok(set) if before.is_empty() => {
                (Candidates::of(set.into_compiled(), rules), Vec::new())
            }
            Ok(_) => (Candidates::among(before, rules), Vec::new()),
            Err(errors) => (Candidates::among(before, rules), errors),
        };
        let findings = findings_within(STEPS_MAX, before, rules, candidates);
        (findings, errors)
    }
}

/// The most comparisons of one analysis: about a second of work.
const STEPS_MAX: u64 = 100_000_000;

fn findings_within(
    steps_max: u64,
    before: &[Rule],
    rules: &[Rule],
    mut candidates: Candidates,
) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut implication = Implication::within(steps_max);
    // By position; `None` for rules that take nothing away from later ones.
    let mut earlier: Vec<Option<Profile<'_>>> = before.iter().map(Profile::of).collect();
    for rule in rules {
        let position = earlier.len();
        let Some(profile) = Profile::of(rule) else {
            earlier.push(None);
            continue;
        };
        if skips_without_address(rule) {
            findings.push(finding(rule, FindingKind::SkipWithoutAddress));
        }
        if let Some(because) = why_never(&rule.condition, &mut implication) {
            findings.push(finding(rule, FindingKind::NeverMatches { because }));
            earlier.push(None);
            continue;
        }
        let others = candidates.before(position, &rule.condition).into_iter();
        let overlap = others
            .filter_map(|other| earlier.get(other)?.as_ref())
            .find_map(|other| overlap(other, &profile, &mut implication));
        findings.extend(overlap.map(|kind| finding(rule, kind)));
        if implication.is_spent() {
            findings.push(finding(rule, FindingKind::NotCompared));
            break;
        }
        earlier.push(Some(profile));
    }
    findings
}

/// A rule with what lets most comparisons end at once.
struct Profile<'r> {
    rule: &'r Rule,
    /// Which kinds of facts about a request the condition mentions.
    mentions: u16,
    /// Which kinds any match must have something of.
    needs: u16,
}

impl<'r> Profile<'r> {
    /// `None` for a rule that is off.
    fn of(rule: &'r Rule) -> Option<Self> {
        (rule.mode != Mode::Off).then(|| Self {
            rule,
            mentions: mentions(&rule.condition),
            needs: needs(&rule.condition),
        })
    }
}

/// How an earlier rule makes a later one odd.
fn overlap(
    earlier: &Profile<'_>,
    later: &Profile<'_>,
    implication: &mut Implication,
) -> Option<FindingKind> {
    let (first, second) = (earlier.rule, later.rule);
    let same_effect = first.action == second.action && first.mode == second.mode;
    if !(first.decides() || same_effect) || earlier.needs & !later.mentions != 0 {
        return None;
    }
    if !implication.holds(&second.condition, &first.condition) {
        return None;
    }
    let (id, at) = (first.id.clone(), first.place.clone());
    if same_effect && implication.holds(&first.condition, &second.condition) {
        return Some(FindingKind::Duplicate { of: id, at });
    }
    match (first.action, second.action) {
        _ if !first.decides() => None,
        (Action::Allow { .. }, Action::Block { .. }) => {
            Some(FindingKind::ShadowedByAllow { by: id, at })
        }
        _ => Some(FindingKind::Unreachable { by: id, at }),
    }
}

fn finding(rule: &Rule, kind: FindingKind) -> Finding {
    Finding {
        id: rule.id.clone(),
        place: rule.place.clone(),
        kind,
    }
}

fn skips_without_address(rule: &Rule) -> bool {
    matches!(rule.action, Action::Allow { skip } if !skip.is_empty())
        && !must_match_address(&rule.condition)
}

/// Whether the client's address has to be in some range that isn't the whole family.
fn must_match_address(condition: &Condition) -> bool {
    match condition {
        Condition::All(parts) => parts.iter().any(must_match_address),
        Condition::Any(parts) => parts.iter().all(must_match_address),
        Condition::Address(address) => address.ranges().iter().all(|range| range.prefix_len() > 0),
        Condition::Not(_) | Condition::Country(_) | Condition::Asn(_) | Condition::Text(_) => false,
    }
}

/// The bit of each kind of leaf. Headers and cookies share theirs whatever their names.
fn kind_of(leaf: &Condition) -> u16 {
    use crate::Field;
    match leaf {
        Condition::All(_) | Condition::Any(_) | Condition::Not(_) => 0,
        Condition::Address(_) => 1,
        Condition::Country(_) => 1 << 1,
        Condition::Asn(_) => 1 << 2,
        Condition::Text(text) => match text.field() {
            Field::Path => 1 << 3,
            Field::RawPath => 1 << 4,
            Field::Query => 1 << 5,
            Field::Host => 1 << 6,
            Field::Method => 1 << 7,
            Field::UserAgent => 1 << 8,
            Field::Header(_) => 1 << 9,
            Field::Cookie(_) => 1 << 10,
        },
    }
}

fn mentions(condition: &Condition) -> u16 {
    match condition {
        Condition::All(parts) | Condition::Any(parts) => {
            parts.iter().fold(0, |all, part| all | mentions(part))
        }
        Condition::Not(part) => mentions(part),
        leaf => kind_of(leaf),
    }
}

/// The kinds that the top-level parts need; a part that always holds needs nothing.
fn needs(condition: &Condition) -> u16 {
    match condition {
        Condition::All(parts) => parts.iter().fold(0, |all, part| all | needs(part)),
        Condition::Any(_) | Condition::Not(_) => 0,
        leaf if satisfiability::is_certain(leaf) => 0,
        leaf => kind_of(leaf),
    }
}

impl fmt::Display for Finding {
    /// `FILE:LINE:COLUMN: rule ID ...`, on one line.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: rule {} {}", self.place, self.id, self.kind)
    }
}

impl fmt::Display for FindingKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NeverMatches { because } => write!(f, "can never match: {because}"),
            Self::Duplicate { of, at } => {
                write!(f, "matches the same requests as {of} ({at}); expected one of the two")
            }
            Self::ShadowedByAllow { by, at } => write!(
                f,
                "never blocks: {by} ({at}) allows all that it matches; expected the block first"
            ),
            Self::Unreachable { by, at } => {
                write!(f, "is never reached: {by} ({at}) decides all that it matches")
            }
            Self::SkipWithoutAddress => f.write_str(
                "skips other checks on the client's own word; expected an `address` that must match",
            ),
            Self::NotCompared => f.write_str(
                "and those after it were not compared with all earlier rules: there are too many",
            ),
        }
    }
}

#[cfg(test)]
mod tests;
