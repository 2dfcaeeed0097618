//! An explanation as JSON. Bytes that are no UTF-8 are U+FFFD there.

use palisade_seclang::{Interruption, InterruptionAction, Outcome};
use palisade_waf::{BodySight, Matched, severity_name};
use serde::Serialize;

use super::story::Story;

/// All of it.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    client: String,
    request: RequestReport,
    /// Why Palisade refuses the head before any rule.
    hygiene: Option<HygieneReport>,
    request_body: Option<BodyReport>,
    response_body: Option<BodyReport>,
    body_error: Option<String>,
    matches: Vec<MatchReport>,
    matches_left_out: usize,
    matched_without_log: Vec<u64>,
    /// Variables of `TX`.
    scores: serde_json::Map<String, serde_json::Value>,
    verdict: VerdictReport,
    budget: BudgetReport,
}

#[derive(Debug, Serialize)]
struct RequestReport {
    method: String,
    target: String,
    protocol: String,
    headers: usize,
    body_bytes: usize,
    oddities: Vec<String>,
}

#[derive(Debug, Serialize)]
struct HygieneReport {
    status: u16,
    reason: &'static str,
    message: String,
}

#[derive(Debug, Serialize)]
struct BodyReport {
    bytes: usize,
    is_looked_at: bool,
    limit: Option<u64>,
    coding_error: Option<String>,
}

#[derive(Debug, Serialize)]
struct MatchReport {
    id: u64,
    phase: u8,
    severity: Option<&'static str>,
    message: String,
    data: String,
    variable: String,
    value: String,
    file: String,
    line: u32,
    tags: Vec<String>,
    actions: Vec<String>,
    is_logged: bool,
    is_disruptive: bool,
}

#[derive(Debug, Serialize)]
struct VerdictReport {
    /// `passes`, `refused`, or `detected`: refused, if rules were not only to detect.
    outcome: &'static str,
    rule: Option<u64>,
    phase: Option<u8>,
    /// `deny`, `drop`, `redirect`
    action: Option<&'static str>,
    status: Option<u16>,
    location: Option<String>,
}

#[derive(Debug, Serialize)]
struct BudgetReport {
    bytes: u64,
    bytes_max: u64,
    seconds: f64,
    seconds_max: f64,
    /// The phase in which it was spent.
    spent_in_phase: Option<u8>,
}

impl Report {
    pub(super) fn of(story: &Story<'_>) -> Self {
        let explanation = story.explanation;
        let matches = explanation.matches.iter();
        let scores = explanation.scores.iter();
        Self {
            client: story.case.client.ip().to_string(),
            request: RequestReport::of(story),
            hygiene: explanation.refusal.map(|refusal| HygieneReport {
                status: refusal.status(),
                reason: refusal.reason.as_str(),
                message: refusal.to_string(),
            }),
            request_body: explanation.request_body.as_ref().map(BodyReport::of),
            response_body: explanation.response_body.as_ref().map(BodyReport::of),
            body_error: explanation.body_error.clone(),
            matches: matches.map(|one| MatchReport::of(one, story)).collect(),
            matches_left_out: explanation.matches_left_out,
            matched_without_log: explanation.unlogged.iter().map(|rule| rule.id()).collect(),
            scores: scores
                .map(|(name, value)| ((*name).to_owned(), number(value)))
                .collect(),
            verdict: VerdictReport::of(story),
            budget: BudgetReport::of(story),
        }
    }
}

impl RequestReport {
    fn of(story: &Story<'_>) -> Self {
        let request = story.case.request;
        Self {
            method: text(request.method),
            target: text(request.target),
            protocol: text(request.protocol),
            headers: request.headers.len(),
            body_bytes: request.body.len(),
            oddities: story.oddities.clone(),
        }
    }
}

impl BodyReport {
    fn of(sight: &BodySight) -> Self {
        Self {
            bytes: sight.len,
            is_looked_at: sight.limit.is_some(),
            limit: sight.limit,
            coding_error: sight.coding_error.map(|error| error.to_string()),
        }
    }
}

impl MatchReport {
    fn of(matched: &Matched<'_>, story: &Story<'_>) -> Self {
        let rule = matched.rule;
        Self {
            id: rule.id(),
            phase: rule.phase().number(),
            severity: rule.severity().and_then(severity_name),
            message: text(&matched.message),
            data: text(&matched.data),
            variable: text(&matched.name),
            value: text(&matched.value),
            file: rule.place().file.to_string(),
            line: rule.place().line,
            tags: rule.tags().map(text).collect(),
            actions: story.program.actions_of(rule),
            is_logged: matched.is_logged,
            is_disruptive: matched.is_disruptive,
        }
    }
}

impl VerdictReport {
    fn of(story: &Story<'_>) -> Self {
        let explanation = story.explanation;
        match (&explanation.interruption, &explanation.would_be) {
            (Some(interruption), _) => Self::ended("refused", interruption),
            (None, Some(would_be)) => Self::ended("detected", would_be),
            (None, None) => Self {
                outcome: "passes",
                rule: None,
                phase: None,
                action: None,
                status: None,
                location: None,
            },
        }
    }

    fn ended(outcome: &'static str, interruption: &Interruption) -> Self {
        let (action, status, location) = match &interruption.action {
            InterruptionAction::Deny(status) => ("deny", Some(*status), None),
            InterruptionAction::Drop => ("drop", None, None),
            InterruptionAction::Redirect { status, location } => {
                ("redirect", Some(*status), Some(text(location)))
            }
        };
        Self {
            outcome,
            // No rule, but the limit of a body.
            rule: Some(interruption.rule).filter(|rule| *rule != 0),
            phase: Some(interruption.phase.number()),
            action: Some(action),
            status,
            location,
        }
    }
}

impl BudgetReport {
    fn of(story: &Story<'_>) -> Self {
        Self {
            bytes: story.explanation.bytes_spent,
            bytes_max: story.budget.bytes,
            seconds: story.explanation.elapsed.as_secs_f64(),
            seconds_max: story.budget.time.as_secs_f64(),
            spent_in_phase: match story.explanation.outcome {
                Outcome::Complete => None,
                Outcome::BudgetSpent(phase) => Some(phase.number()),
            },
        }
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// A number, where it is one.
fn number(value: &[u8]) -> serde_json::Value {
    let text = text(value);
    match text.parse::<i64>() {
        Ok(number) => number.into(),
        Err(_) => text.into(),
    }
}
