//! What is told of a request of which two sets of rules make different things.

use palisade_telemetry::{ShadowDifference, ShadowEvent, ShadowRule, ShadowSide, Telemetry};
use palisade_waf::{Ended, Judgement, RuleMatch, ShadowKind};

use super::lane::Waiting;
use crate::clock::wall_time;

/// Tells it, where they do.
pub(super) fn tell(telemetry: &Telemetry, waiting: &Waiting, shadow: &Judgement) {
    let active = &waiting.active;
    let Some(disagreement) = active.compare(shadow) else {
        return;
    };
    let (case, subject) = (&waiting.case, &waiting.subject);
    let only_active = rules(&disagreement.only_active);
    let only_shadow = rules(&disagreement.only_shadow);
    telemetry.observe_shadow(&ShadowEvent {
        time: wall_time(),
        request_id: case.id,
        client: &subject.client,
        host: &subject.host,
        site: &subject.site,
        method: case.head.method(),
        path: case.head.path(),
        difference: match disagreement.kind {
            ShadowKind::NewRefusal => ShadowDifference::NewRefusal,
            ShadowKind::LostRefusal => ShadowDifference::LostRefusal,
            ShadowKind::OtherRule => ShadowDifference::OtherRule,
            ShadowKind::OtherMatches => ShadowDifference::OtherMatches,
            ShadowKind::ShadowFailed => ShadowDifference::ShadowFailed,
        },
        active: side(active, &only_active),
        shadow: side(shadow, &only_shadow),
        is_answer_unread: shadow.is_answer_unread,
    });
}

fn side<'a>(judgement: &'a Judgement, only: &'a [ShadowRule<'a>]) -> ShadowSide<'a> {
    let ended_by = match judgement.ended {
        Some(Ended::Rule(rule, phase)) => Some((rule, phase.number())),
        Some(Ended::Failure(_)) | None => None,
    };
    ShadowSide {
        ended_by,
        failure: judgement.failure.map(|failure| failure.kind.label()),
        is_refused: judgement.ended.is_some(),
        score: &judgement.score,
        rules: only,
    }
}

fn rules<'a>(matches: &[&'a RuleMatch]) -> Vec<ShadowRule<'a>> {
    let rules = matches.iter().map(|one| ShadowRule {
        id: one.id,
        message: &one.message,
        target: &one.target,
    });
    rules.collect()
}
