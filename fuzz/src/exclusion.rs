//! Lines of the logs that exclusions are made of. Input: one.

use palisade_seclang::syntax::{Directive, Problems, parse};
use palisade_seclang::{CompileOptions, RuleFiles, SourceError, compile};
use palisade_waf::exclusion::{
    AuditRecord, Date, EXCLUSION_IDS, LogLine, Proposal, Wanted, Wider, expired, replay,
};

use crate::{Outcome, check_message};

/// When the exclusions end.
const END: &str = "2027-03-01";

/// What a line says becomes rules that exclude, and nothing else; else an error says why not.
pub fn check(data: &[u8]) -> Outcome {
    let record = match LogLine::read(data) {
        Ok(LogLine::Audit(record)) => *record,
        Ok(LogLine::Decision { .. }) => return Outcome::Accepted,
        Err(error) => {
            check_message(&error.to_string());
            return Outcome::Refused;
        }
    };
    let wide = Wider {
        host: true,
        path: true,
        argument: true,
    };
    let narrow = propose(&record, Wider::default());
    // What is wider needs less that can be written.
    assert!(!narrow || propose(&record, wide));
    if let Some((request, _)) = replay(&record, None) {
        assert!(palisade_ftw::Request::read(&request).is_whole);
    }
    match narrow {
        true => Outcome::Accepted,
        false => Outcome::Refused,
    }
}

/// Whether there is an exclusion; what it says is read back.
fn propose(record: &AuditRecord, wider: Wider) -> bool {
    let wanted = Wanted {
        rules: &[],
        wider,
        distrusted: &[],
        id: *EXCLUSION_IDS.start(),
        expires: END.parse().ok(),
        paranoia: Some(1),
    };
    match Proposal::of(record, &wanted) {
        Ok(proposal) => {
            let made = Date::of(0);
            check_text(&proposal.to_seclang(record, &record.outcome, made), wider);
            true
        }
        Err(error) => {
            check_message(&error.to_string());
            false
        }
    }
}

fn check_text(text: &str, wider: Wider) {
    let mut problems = Problems::default();
    let directives = parse(text.as_bytes(), &"a.conf".into(), &mut problems);
    assert_eq!(problems.kept(), [], "{text}");
    let links = if wider.host { 2 } else { 3 };
    assert_eq!(directives.len(), links, "{text}");
    let is_rule = |one: &Directive| matches!(one, Directive::Rule(_));
    assert!(directives.iter().all(|one| is_rule(&one.value)), "{text}");
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    assert_eq!(lines.count(), links, "{text}");
    let end = END.parse().map_or(0, Date::begins);
    let ended = expired("a.conf", text.as_bytes(), end);
    assert_eq!(ended.len(), 1, "{text}");
    assert_eq!(expired("a.conf", text.as_bytes(), end - 1), [], "{text}");
    let compiled = compile(&["a.conf"], &OneFile(text), CompileOptions::default());
    let rules = compiled.program.map(|program| program.rule_count());
    assert_eq!(rules, Some(1), "{text}");
}

struct OneFile<'a>(&'a str);

impl RuleFiles for OneFile<'_> {
    fn matching(&self, pattern: &str, _: Option<&str>) -> Result<Vec<String>, SourceError> {
        Ok(vec![pattern.to_owned()])
    }

    fn read(&self, _: &str) -> Result<Vec<u8>, SourceError> {
        Ok(self.0.as_bytes().to_vec())
    }

    fn data(&self, _: &str, _: &str) -> Result<Vec<u8>, SourceError> {
        Err(SourceError("there is none".to_owned()))
    }
}
