//! An explanation, told to people.

use palisade_seclang::syntax::EngineMode;
use palisade_seclang::{Budget, Interruption, InterruptionAction, Outcome, Program, Rule};
use palisade_waf::{BodySight, Case, Explanation, Matched, severity_name};

use super::terminal::shown;
use crate::say;

/// The widest line of ids.
const LINE_WIDTH: usize = 100;

/// All that there is to tell.
pub(super) struct Story<'s> {
    pub(super) program: &'s Program,
    pub(super) case: &'s Case<'s>,
    /// What is odd about the request as it was written.
    pub(super) oddities: Vec<String>,
    pub(super) explanation: &'s Explanation<'s>,
    pub(super) budget: Budget,
}

impl Story<'_> {
    /// Tells it on standard output; `with_unlogged`: with what rules did that are not logged.
    pub(super) fn tell(&self, with_unlogged: bool) {
        self.tell_request();
        for matched in &self.explanation.matches {
            self.tell_match(matched);
        }
        let left_out = self.explanation.matches_left_out;
        if left_out > 0 {
            say(&format!("\n... and {left_out} matches more"));
        }
        self.tell_unlogged(with_unlogged);
        say("");
        for (name, value) in &self.explanation.scores {
            say(&format!("tx.{name:<32} {}", shown(value)));
        }
        self.tell_budget();
        say(&format!("\n=> {}", self.verdict()));
    }

    fn tell_request(&self) {
        let request = self.case.request;
        say(&format!("client             {}", self.case.client.ip()));
        say(&format!("request            {}", shown(request.line)));
        for odd in &self.oddities {
            say(&format!("request            {odd}"));
        }
        match &self.explanation.refusal {
            None => say("hygiene            the head is clean"),
            Some(refusal) => say(&format!(
                "hygiene            refused with {} before any rule: {refusal} ({}); the rules ran for the record",
                refusal.status(),
                refusal.reason.as_str()
            )),
        }
        for note in self.body_notes() {
            say(&note);
        }
    }

    fn body_notes(&self) -> Vec<String> {
        let Explanation {
            request_body,
            response_body,
            ..
        } = self.explanation;
        let mut notes = Vec::new();
        if let Some(sight) = request_body {
            let label = "request's body    ";
            notes.push(format!(
                "{label} {}",
                self.seen(sight, 2, "SecRequestBodyAccess is Off")
            ));
        }
        if let Some(sight) = response_body {
            let why =
                "SecResponseBodyAccess is Off, or SecResponseBodyMimeType doesn't name its type";
            notes.push(format!("answer's body      {}", self.seen(sight, 4, why)));
        } else if self.case.response.is_some() {
            notes.push("answer's body      phase 4 was not reached".to_owned());
        }
        let error = self.explanation.body_error.as_ref();
        notes.extend(error.map(|error| format!("body error         {}", shown(error.as_bytes()))));
        notes
    }

    /// How much of a body rules saw, of those that `phase` is for.
    fn seen(&self, sight: &BodySight, phase: u8, why_not: &str) -> String {
        let refusal = self.explanation.interruption.as_ref();
        // No rule refused it, but its length.
        let is_refused = refusal.is_some_and(|one| one.rule == 0 && one.phase.number() == phase);
        let len = sight.len;
        let seen = match sight.limit {
            _ if len == 0 => "empty".to_owned(),
            None => format!("{len} bytes, which no rule sees: {why_not}"),
            Some(limit) if is_refused => {
                format!("{len} bytes, more than {limit}, so that no rule sees them")
            }
            Some(limit) if sight.is_cut() => {
                format!("{len} bytes, of which rules see the first {limit}")
            }
            Some(_) => format!("{len} bytes"),
        };
        match &sight.coding_error {
            None => seen,
            Some(error) => format!("{seen}, as it was sent: {error}"),
        }
    }

    fn tell_match(&self, matched: &Matched<'_>) {
        let silent = if matched.is_logged {
            ""
        } else {
            ", not logged"
        };
        say(&format!("\n{}{silent}", headline(matched.rule)));
        let field = |label: &str, value: &[u8]| {
            if !value.is_empty() {
                say(&format!("  {label:<16} {}", shown(value)));
            }
        };
        field("msg", &matched.message);
        field("data", &matched.data);
        if !matched.name.is_empty() {
            let (name, value) = (shown(&matched.name), shown(&matched.value));
            say(&format!("  {:<16} {name} = {value}", "matched"));
        }
        self.tell_actions(matched.rule);
    }

    fn tell_actions(&self, rule: &Rule) {
        for action in self.program.actions_of(rule) {
            say(&format!("  {:<16} {}", "does", shown(action.as_bytes())));
        }
    }

    fn tell_unlogged(&self, with_unlogged: bool) {
        let unlogged = &self.explanation.unlogged;
        if unlogged.is_empty() {
            return;
        }
        if with_unlogged {
            for rule in unlogged {
                say(&format!("\n{}, not logged", headline(rule)));
                self.tell_actions(rule);
            }
            return;
        }
        say(&format!(
            "\n{} rules matched that are not logged; --all shows what they did:",
            unlogged.len()
        ));
        let mut line = String::new();
        for id in unlogged.iter().map(|rule| rule.id().to_string()) {
            if line.len() + id.len() > LINE_WIDTH {
                say(&std::mem::take(&mut line));
            }
            line.push_str("  ");
            line.push_str(&id);
        }
        say(&line);
    }

    fn tell_budget(&self) {
        let Explanation {
            bytes_spent,
            elapsed,
            outcome,
            ..
        } = self.explanation;
        let Budget { bytes, time } = self.budget;
        say(&format!(
            "budget             {bytes_spent} of {bytes} bytes looked at, {:.1} ms of {} ms",
            elapsed.as_secs_f64() * 1_000.0,
            time.as_millis()
        ));
        if let Outcome::BudgetSpent(phase) = outcome {
            say(&format!(
                "budget             spent in phase {}: rules behind that didn't run",
                phase.number()
            ));
        }
    }

    /// What becomes of the request.
    fn verdict(&self) -> String {
        let explanation = self.explanation;
        let by_rules = match (&explanation.interruption, &explanation.would_be) {
            (Some(interruption), _) => format!("would be {}", ending(interruption)),
            (None, Some(would_be)) => format!(
                "passes, since rules only detect (SecRuleEngine DetectionOnly); else it would be {}",
                ending(would_be)
            ),
            (None, None) if self.program.settings().engine == EngineMode::Off => {
                "passes, since no rule runs (SecRuleEngine Off)".to_owned()
            }
            (None, None) => "passes".to_owned(),
        };
        match &explanation.refusal {
            None => by_rules,
            Some(refusal) => format!(
                "refused with {} before any rule; by the rules alone it {by_rules}",
                refusal.status()
            ),
        }
    }
}

/// `rule 942100         phase 2, CRITICAL, rules/x.conf:1:1`
fn headline(rule: &Rule) -> String {
    let severity = rule.severity().and_then(severity_name);
    let severity = severity.map_or_else(String::new, |name| format!("{name}, "));
    let id = format!("rule {}", rule.id());
    format!(
        "{id:<18} phase {}, {severity}{}",
        rule.phase().number(),
        rule.place()
    )
}

/// `refused by rule 949110 with status 403 in phase 2`
pub(crate) fn ending(interruption: &Interruption) -> String {
    let Interruption {
        rule,
        phase,
        action,
    } = interruption;
    let phase = phase.number();
    match action {
        // No rule did, but `SecRequestBodyLimitAction` or that of answers.
        InterruptionAction::Deny(status) if *rule == 0 => {
            format!("refused with status {status} in phase {phase}: the body is over its limit")
        }
        InterruptionAction::Deny(status) => {
            format!("refused by rule {rule} with status {status} in phase {phase}")
        }
        InterruptionAction::Drop => {
            format!("dropped without an answer by rule {rule} in phase {phase}")
        }
        InterruptionAction::Redirect { status, location } => format!(
            "redirected by rule {rule} with status {status} in phase {phase} to {}",
            shown(location)
        ),
    }
}
