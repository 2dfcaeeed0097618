//! What a set of rules made of a request, and where two sets differ.

use palisade_seclang::syntax::Phase;

use crate::{Inspection, InspectionFailure, Objection};

/// Bytes of a message or of a value's name that are kept.
const TEXT_BYTES_MAX: usize = 256;

/// What a set of rules made of a request and its answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Judgement {
    /// Why it is refused, or would be if rules were not only to detect; `None` where it passes.
    pub ended: Option<Ended>,
    /// The rules that matched and are logged or end a request, each once, in order: no more than a
    /// transaction keeps, which is 1,000.
    pub matches: Vec<RuleMatch>,
    /// Why rules didn't see everything.
    pub failure: Option<InspectionFailure>,
    /// OWASP CRS's anomaly score; empty where no rule keeps one.
    pub score: Vec<u8>,
    /// Whether the rules would have looked at the answer's body, which nobody had read.
    pub is_answer_unread: bool,
}

/// Why a request ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// A rule, or the limit of a body (rule 0), in this phase.
    Rule(u64, Phase),
    /// That it couldn't be judged to the end.
    Failure(InspectionFailure),
}

/// A rule that matched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleMatch {
    /// Its id.
    pub id: u64,
    /// Its `msg`, where that has no macros, which may have a client's values; at most 256 bytes.
    pub message: Box<[u8]>,
    /// The name of the value that it matched first, such as `ARGS:q`, never the value; at most 256 bytes.
    pub target: Box<[u8]>,
}

/// In what two sets differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ShadowKind {
    /// The active set passes what the other would refuse.
    NewRefusal,
    /// The active set refuses what the other would pass.
    LostRefusal,
    /// Both refuse, by different rules.
    OtherRule,
    /// Both pass, or refuse by the same rule, but other rules matched on the way.
    OtherMatches,
    /// The other set couldn't judge it to the end.
    ShadowFailed,
}

/// Two sets made different things of a request.
#[derive(Debug, PartialEq, Eq)]
pub struct Disagreement<'j> {
    /// In what.
    pub kind: ShadowKind,
    /// The rules that matched only in the active set.
    pub only_active: Vec<&'j RuleMatch>,
    /// The rules that matched only in the other.
    pub only_shadow: Vec<&'j RuleMatch>,
}

impl Judgement {
    /// Of an inspection whose phase 5 is over.
    #[must_use]
    pub fn of(inspection: &Inspection) -> Self {
        let objection = inspection.refused_for();
        let objection = objection.or_else(|| inspection.would_be_refused_for());
        let ended = objection.map(|objection| match objection {
            Objection::Rule(interruption) => Ended::Rule(interruption.rule, interruption.phase),
            Objection::Failure(failure) => Ended::Failure(failure),
        });
        let phase = match ended {
            Some(Ended::Rule(_, phase)) => phase,
            _ => Phase::RequestBody,
        };
        Self {
            ended,
            matches: matches(inspection),
            failure: inspection.failure(),
            score: inspection.anomaly_score(phase).unwrap_or_default(),
            is_answer_unread: false,
        }
    }

    /// How much memory it takes, in bytes.
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        let texts = self.matches.iter();
        let texts = texts.map(|one| size_of_val(one) + one.message.len() + one.target.len());
        self.score.len() + texts.sum::<usize>()
    }

    /// In what `shadow` differs, where this is what the active set made of the same request.
    #[must_use]
    pub fn compare<'j>(&'j self, shadow: &'j Self) -> Option<Disagreement<'j>> {
        let only_active = missing_in(&self.matches, &shadow.matches);
        let only_shadow = missing_in(&shadow.matches, &self.matches);
        let kind = match (self.ended, shadow.ended) {
            _ if shadow.failure.is_some() && self.failure != shadow.failure => {
                ShadowKind::ShadowFailed
            }
            (None, Some(_)) => ShadowKind::NewRefusal,
            (Some(_), None) => ShadowKind::LostRefusal,
            (Some(active), Some(shadow)) if !active.is_for_the_same_as(shadow) => {
                ShadowKind::OtherRule
            }
            _ if only_active.is_empty() && only_shadow.is_empty() => return None,
            _ => ShadowKind::OtherMatches,
        };
        Some(Disagreement {
            kind,
            only_active,
            only_shadow,
        })
    }
}

impl Ended {
    /// Whether it is the same rule, or any failure.
    fn is_for_the_same_as(self, other: Self) -> bool {
        match (self, other) {
            (Self::Rule(one, _), Self::Rule(other, _)) => one == other,
            (Self::Failure(_), Self::Failure(_)) => true,
            _ => false,
        }
    }
}

fn matches(inspection: &Inspection) -> Vec<RuleMatch> {
    let mut matches: Vec<RuleMatch> = Vec::new();
    for one in inspection.matches() {
        let id = one.rule.id();
        if matches.iter().all(|known| known.id != id) {
            matches.push(RuleMatch {
                id,
                message: beginning(one.rule.message().unwrap_or_default()),
                target: beginning(one.name),
            });
        }
    }
    matches
}

fn beginning(text: &[u8]) -> Box<[u8]> {
    text.get(..TEXT_BYTES_MAX).unwrap_or(text).into()
}

fn missing_in<'j>(these: &'j [RuleMatch], those: &[RuleMatch]) -> Vec<&'j RuleMatch> {
    let is_missing = |one: &&RuleMatch| those.iter().all(|other| other.id != one.id);
    these.iter().filter(is_missing).collect()
}
