//! What a rule does when it matches, in SecLang's words, for people.

use std::fmt::Write;

use super::effect::{Change, CtlEffect, Destination, Effect, Operand, RuleSet};
use super::rule::{Outcome, Rule};
use super::source::{RuleField, Source};
use super::step::Step;
use super::target::{Exclusion, Pick};
use super::{Program, Slot};
use crate::MacroText;
use crate::macro_text::Lookup;
use crate::syntax::{AllowScope, AuditMode, EngineMode, Sanitise, XmlArguments};

/// The most rules that one `ctl` is shown to leave out; further ones are counted.
const SHOWN_IDS_MAX: usize = 8;

impl Program {
    /// What `rule` does when it matches, an action each, in SecLang's words and before macros are
    /// expanded of which nothing was known at load: `deny,status:403`,
    /// `setvar:tx.score=+%{tx.critical_anomaly_score}`. Actions that only
    /// say what the rule is (`id`, `msg`, `tag`, ...) are left out.
    #[must_use]
    pub fn actions_of(&self, rule: &Rule) -> Vec<String> {
        let mut actions = vec![self.outcome(&rule.outcome)];
        let effects = self.links_of(rule).iter().flat_map(|link| &link.effects);
        actions.extend(effects.map(|effect| self.effect(effect)));
        actions.extend(rule.skip_to.map(|step| self.skip(rule, step)));
        actions
    }

    fn outcome(&self, outcome: &Outcome) -> String {
        match outcome {
            Outcome::Pass => "pass".to_owned(),
            Outcome::Deny(status) => format!("deny,status:{status}"),
            Outcome::Drop => "drop".to_owned(),
            Outcome::Redirect(status, to) => {
                format!("redirect:{},status:{status}", self.macros(to))
            }
            Outcome::Allow(scope) => match scope {
                AllowScope::Transaction => "allow",
                AllowScope::Phase => "allow:phase",
                AllowScope::Request => "allow:request",
            }
            .to_owned(),
        }
    }

    /// Names the rule that the phase goes on with.
    fn skip(&self, rule: &Rule, step: u32) -> String {
        let behind = self.steps(rule.phase).iter().skip(step as usize);
        let mut rules = behind.filter_map(|step| match step {
            Step::Marker => None,
            Step::Gate(gate) => Some(gate.rule),
            Step::Preset(preset) => Some(preset.rule),
            Step::Filtered(filtered) => Some(filtered.rule),
            Step::Rule(index) => Some(*index),
        });
        let next = rules
            .next()
            .and_then(|index| self.rules.get(index as usize));
        match next {
            Some(next) => format!("skips to rule {}", next.id),
            None => "skips to the end of the phase".to_owned(),
        }
    }

    fn effect(&self, effect: &Effect) -> String {
        match effect {
            Effect::Set(to, change) => self.set(&self.destination(to), change),
            Effect::Expire(collection, name, seconds) => {
                let collection = collection.as_str().to_ascii_lowercase();
                let (name, seconds) = (self.macros(name), self.macros(seconds));
                format!("expirevar:{collection}.{name}={seconds}")
            }
            Effect::InitCollection(collection, key) => {
                let collection = collection.as_str().to_ascii_lowercase();
                format!("initcol:{collection}={}", self.macros(key))
            }
            Effect::SetEnv(name, Some(value)) => {
                format!("setenv:{}={}", self.macros(name), self.macros(value))
            }
            Effect::SetEnv(name, None) => format!("setenv:!{}", self.macros(name)),
            Effect::Ctl(ctl) => format!("ctl:{}", self.ctl(ctl)),
            Effect::Sanitise(what) => sanitise(what),
        }
    }

    fn destination(&self, destination: &Destination) -> String {
        match destination {
            Destination::Tx(slot) => format!("tx.{}", self.tx_name(*slot)),
            Destination::TxNamed(name) => format!("tx.{}", self.macros(name)),
            Destination::Member(collection, name) => {
                let collection = collection.as_str().to_ascii_lowercase();
                format!("{collection}.{}", self.macros(name))
            }
        }
    }

    fn set(&self, name: &str, change: &Change) -> String {
        match change {
            Change::Unset => format!("setvar:!{name}"),
            Change::Set(value) => format!("setvar:{name}={}", self.operand(value)),
            Change::Add(value) => format!("setvar:{name}=+{}", self.operand(value)),
            Change::Subtract(value) => format!("setvar:{name}=-{}", self.operand(value)),
        }
    }

    fn operand(&self, operand: &Operand) -> String {
        match operand {
            Operand::Integer(number) => number.to_string(),
            Operand::Tx(slot) => format!("%{{tx.{}}}", self.tx_name(*slot)),
            Operand::Text(text) => String::from_utf8_lossy(text).into_owned(),
            Operand::Macros(text) => self.macros(text),
        }
    }

    fn tx_name(&self, slot: Slot) -> String {
        String::from_utf8_lossy(self.tx.name(slot)).into_owned()
    }

    fn macros(&self, text: &MacroText<Source>) -> String {
        let mut out = Vec::new();
        text.append_to(&Written(self), usize::MAX, &mut out);
        String::from_utf8_lossy(&out).into_owned()
    }

    fn ctl(&self, ctl: &CtlEffect) -> String {
        match ctl {
            CtlEffect::RuleEngine(mode) => format!("ruleEngine={}", engine_mode(*mode)),
            CtlEffect::AuditEngine(mode) => format!("auditEngine={}", audit_mode(*mode)),
            CtlEffect::AuditLogParts(parts) => {
                format!("auditLogParts={}", String::from_utf8_lossy(parts))
            }
            CtlEffect::RequestBodyAccess(is_on) => format!("requestBodyAccess={}", on_off(*is_on)),
            CtlEffect::ResponseBodyAccess(is_on) => {
                format!("responseBodyAccess={}", on_off(*is_on))
            }
            CtlEffect::RequestBodyLimit(limit) => format!("requestBodyLimit={limit}"),
            CtlEffect::ResponseBodyLimit(limit) => format!("responseBodyLimit={limit}"),
            CtlEffect::Processor(processor) => format!("requestBodyProcessor={}", processor.name()),
            CtlEffect::XmlArguments(mode) => format!("parseXmlIntoArgs={}", xml_arguments(*mode)),
            CtlEffect::ForceRequestBody(is_on) => {
                format!("forceRequestBodyVariable={}", on_off(*is_on))
            }
            CtlEffect::ForceResponseBody(is_on) => {
                format!("forceResponseBodyVariable={}", on_off(*is_on))
            }
            CtlEffect::RemoveRules(rules) => format!("ruleRemoveById={}", self.ids(rules)),
            CtlEffect::RemoveTargets(removal) => self.target_removal(*removal),
        }
    }

    fn target_removal(&self, removal: usize) -> String {
        let Some(removal) = self.removals.get(removal) else {
            return "ruleRemoveTargetById".to_owned();
        };
        let targets: Vec<String> = removal
            .exclusions
            .iter()
            .map(|one| self.excluded(one))
            .collect();
        let ids = self.ids(&removal.rules);
        format!("ruleRemoveTargetById={ids};{}", targets.join("|"))
    }

    fn excluded(&self, exclusion: &Exclusion) -> String {
        let name = exclusion.name.as_str();
        match &exclusion.pick {
            Pick::All => name.to_owned(),
            Pick::Name(member) => format!("{name}:{}", String::from_utf8_lossy(member)),
            Pick::Slot(slot) => format!("{name}:{}", self.tx_name(*slot)),
            Pick::Regex(rx, _) => format!("{name}:/{}/", rx.translated()),
            Pick::XmlText => format!("{name}:/*"),
            Pick::XmlAttributes => format!("{name}://@*"),
        }
    }

    fn ids(&self, rules: &RuleSet) -> String {
        let all = self.rules.iter().enumerate();
        let mut ids = all
            .filter(|(index, _)| rules.contains(*index))
            .map(|(_, rule)| rule.id);
        let mut shown = String::new();
        for id in ids.by_ref().take(SHOWN_IDS_MAX) {
            let separator = if shown.is_empty() { "" } else { " " };
            let _ = write!(shown, "{separator}{id}");
        }
        match (ids.count(), shown.is_empty()) {
            (0, true) => "none".to_owned(),
            (0, false) => shown,
            (more, _) => format!("{shown} and {more} more"),
        }
    }
}

const fn on_off(is_on: bool) -> &'static str {
    if is_on { "On" } else { "Off" }
}

const fn engine_mode(mode: EngineMode) -> &'static str {
    match mode {
        EngineMode::On => "On",
        EngineMode::Off => "Off",
        EngineMode::DetectionOnly => "DetectionOnly",
    }
}

const fn xml_arguments(mode: XmlArguments) -> &'static str {
    match mode {
        XmlArguments::On => "On",
        XmlArguments::Off => "Off",
        XmlArguments::Only => "OnlyArgs",
    }
}

const fn audit_mode(mode: AuditMode) -> &'static str {
    match mode {
        AuditMode::On => "On",
        AuditMode::Off => "Off",
        AuditMode::RelevantOnly => "RelevantOnly",
    }
}

/// Gives macros as they are written.
struct Written<'p>(&'p Program);

impl Lookup<Source> for Written<'_> {
    fn append(&self, source: &Source, out: &mut Vec<u8>) {
        let mut write = |collection: &str, key: &[u8]| {
            out.extend_from_slice(b"%{");
            out.extend_from_slice(collection.as_bytes());
            if !key.is_empty() {
                out.push(b'.');
                out.extend_from_slice(key);
            }
            out.push(b'}');
        };
        match source {
            Source::Tx(slot) => write("tx", self.0.tx.name(*slot)),
            Source::Variable(name) => write(name.as_str(), b""),
            Source::Member(name, member) => write(name.as_str(), member),
            Source::Rule(field) => write("rule", rule_field(*field).as_bytes()),
            Source::Nothing => {}
        }
    }
}

const fn rule_field(field: RuleField) -> &'static str {
    match field {
        RuleField::Id => "id",
        RuleField::Message => "msg",
        RuleField::LogData => "logdata",
        RuleField::Severity => "severity",
        RuleField::Revision => "rev",
        RuleField::Version => "ver",
    }
}

fn sanitise(what: &Sanitise) -> String {
    let named = |action: &str, name: &[u8]| format!("{action}:{}", String::from_utf8_lossy(name));
    match what {
        Sanitise::Argument(name) => named("sanitiseArg", name),
        Sanitise::RequestHeader(name) => named("sanitiseRequestHeader", name),
        Sanitise::ResponseHeader(name) => named("sanitiseResponseHeader", name),
        Sanitise::Matched => "sanitiseMatched".to_owned(),
        Sanitise::MatchedBytes {
            shown_first,
            shown_last,
        } => format!("sanitiseMatchedBytes:{shown_first}/{shown_last}"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::test_rules::program;

    /// What the first rule does, of several with what may be said behind it.
    #[track_caller]
    fn check(actions: &str, expected: &[&str]) {
        let rules = format!(
            "SecRule ARGS x \"id:1,phase:2,{actions}\"\nSecAction id:2,phase:2,pass,tag:t\nSecMarker M\n"
        );
        let program = program(&rules);
        let rule = program.rules().next().unwrap();
        assert_eq!(program.actions_of(rule), expected, "{actions}");
    }

    #[test]
    fn how_a_transaction_ends() {
        check("pass,msg:'a'", &["pass"]);
        check("deny,status:404", &["deny,status:404"]);
        check("drop", &["drop"]);
        check(
            "redirect:http://a/%{UNIQUE_ID}",
            &["redirect:http://a/%{UNIQUE_ID},status:302"],
        );
        check("allow", &["allow"]);
        check("allow:phase", &["allow:phase"]);
        check("allow:request", &["allow:request"]);
        check("pass,skip:1", &["pass", "skips to the end of the phase"]);
        check(
            "pass,skipAfter:M",
            &["pass", "skips to the end of the phase"],
        );
    }

    #[test]
    fn variables() {
        check(
            "pass,setvar:tx.a=+5,setvar:tx.A=-%{tx.0},setvar:!tx.c,setvar:tx.d=%{rule.id}-%{MATCHED_VAR}",
            &[
                "pass",
                "setvar:tx.a=+5",
                "setvar:tx.a=-%{tx.0}",
                "setvar:!tx.c",
                "setvar:tx.d=%{rule.id}-%{MATCHED_VAR}",
            ],
        );
        check(
            "pass,setvar:tx.n_%{MATCHED_VAR_NAME}=x,initcol:ip=%{REMOTE_ADDR},setvar:ip.a=1,expirevar:ip.a=60",
            &[
                "pass",
                "setvar:tx.n_%{MATCHED_VAR_NAME}=x",
                "initcol:ip=%{REMOTE_ADDR}",
                "setvar:ip.a=1",
                "expirevar:ip.a=60",
            ],
        );
        check(
            "pass,setenv:a=%{request_headers.host},setenv:!b",
            &["pass", "setenv:a=%{REQUEST_HEADERS.host}", "setenv:!b"],
        );
    }

    #[test]
    fn controls() {
        check(
            "pass,ctl:ruleEngine=DetectionOnly,ctl:requestBodyProcessor=JSON,ctl:parseXmlIntoArgs=onlyargs,ctl:requestBodyAccess=off",
            &[
                "pass",
                "ctl:ruleEngine=DetectionOnly",
                "ctl:requestBodyProcessor=JSON",
                "ctl:parseXmlIntoArgs=OnlyArgs",
                "ctl:requestBodyAccess=Off",
            ],
        );
        check(
            "pass,ctl:ruleRemoveByTag=t,ctl:ruleRemoveById=9",
            &["pass", "ctl:ruleRemoveById=2", "ctl:ruleRemoveById=none"],
        );
        check(
            "pass,ctl:ruleRemoveTargetById=2;ARGS:a",
            &["pass", "ctl:ruleRemoveTargetById=2;ARGS:a"],
        );
    }

    #[test]
    fn what_audit_logs_do_not_show() {
        check(
            "pass,sanitizeArg:p,sanitiseRequestHeader:a,sanitiseResponseHeader:b,sanitiseMatched,sanitiseMatchedBytes:1/4",
            &[
                "pass",
                "sanitiseArg:p",
                "sanitiseRequestHeader:a",
                "sanitiseResponseHeader:b",
                "sanitiseMatched",
                "sanitiseMatchedBytes:1/4",
            ],
        );
    }

    #[test]
    fn many_rules_are_counted() {
        let many: String = (3..20)
            .map(|id| format!("SecAction id:{id},phase:1,pass\n"))
            .collect();
        let rules = format!("SecAction id:1,phase:1,pass,ctl:ruleRemoveById=3-99\n{many}");
        let program = program(&rules);
        let actions = program.actions_of(program.rules().next().unwrap());
        assert_eq!(
            actions,
            ["pass", "ctl:ruleRemoveById=3 4 5 6 7 8 9 10 and 9 more"]
        );
    }
}
