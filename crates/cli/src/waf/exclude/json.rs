//! An exclusion as JSON. Bytes that are no UTF-8 are U+FFFD there.

use anyhow::Result;
use palisade_waf::exclusion::{AttacksThere, PathScope, SparedRule, Trial};
use serde::Serialize;

use super::super::terminal::json_shown;
use super::Excluding;
use crate::say;

/// All of it.
#[derive(Debug, Serialize)]
struct Report<'r> {
    request_id: &'r str,
    exclusion: ExclusionReport<'r>,
    seclang: &'r str,
    /// Nothing where the log has too little of the request.
    replay: Option<ReplayReport<'r>>,
    /// Nothing where no tests were found.
    suite: Option<SuiteReport>,
    file: Option<String>,
    is_written: bool,
    /// Whether the site's rules have the file already.
    is_loaded: bool,
}

#[derive(Debug, Serialize)]
struct ExclusionReport<'r> {
    id: u64,
    host: Option<&'r str>,
    path: &'r str,
    with_paths_below: bool,
    expires: Option<String>,
    rules: Vec<RuleReport>,
    rules_above_paranoia: &'r [u64],
    rules_not_needed: &'r [u64],
}

#[derive(Debug, Serialize)]
struct RuleReport {
    id: u64,
    /// Nothing where the rule doesn't run.
    target: Option<String>,
}

#[derive(Debug, Serialize)]
struct ReplayReport<'r> {
    is_reproduced: bool,
    without: EndReport,
    with: EndReport,
    missing: &'r [String],
}

#[derive(Debug, Serialize)]
struct EndReport {
    is_refused: bool,
    refused_by: Option<u64>,
    matched: Vec<u64>,
}

#[derive(Debug, Serialize)]
struct SuiteReport {
    rules: Vec<AttacksReport>,
    tests_elsewhere: usize,
    changed_elsewhere: Vec<String>,
}

#[derive(Debug, Serialize)]
struct AttacksReport {
    rule: u64,
    known: usize,
    found_there: usize,
    still_refused: usize,
    passed_before: usize,
    place_is_fixed: bool,
    let_through: Vec<AttackReport>,
}

#[derive(Debug, Serialize)]
struct AttackReport {
    test: String,
    payload: String,
}

pub(super) fn tell(excluding: &Excluding<'_>, is_written: bool) -> Result<()> {
    let json = serde_json::to_string_pretty(&report(excluding, is_written))?;
    say(&json_shown(&json));
    Ok(())
}

fn report<'r>(excluding: &'r Excluding<'_>, is_written: bool) -> Report<'r> {
    let exclusion = &excluding.proposal.exclusion;
    let replay = excluding.proof.replayed.as_ref().map(|one| ReplayReport {
        is_reproduced: one.is_reproduced(&exclusion.rules),
        without: end(&one.without),
        with: end(&one.with),
        missing: &one.missing,
    });
    let suite = excluding.proof.attacks.as_ref().map(|attacks| SuiteReport {
        rules: exclusion
            .rules
            .iter()
            .zip(&attacks.there)
            .map(|(rule, there)| attacks_report(rule, there))
            .collect(),
        tests_elsewhere: attacks.elsewhere.tests,
        changed_elsewhere: attacks
            .elsewhere
            .changed
            .iter()
            .map(ToString::to_string)
            .collect(),
    });
    Report {
        request_id: &excluding.record.request_id,
        exclusion: exclusion_report(excluding),
        seclang: excluding.text,
        replay,
        suite,
        file: excluding
            .file
            .map(|(file, _)| file.path.display().to_string()),
        is_written,
        is_loaded: excluding.file.is_some_and(|(_, is_loaded)| is_loaded),
    }
}

fn exclusion_report<'r>(excluding: &'r Excluding<'_>) -> ExclusionReport<'r> {
    let exclusion = &excluding.proposal.exclusion;
    let (PathScope::Exactly(path) | PathScope::Below(path)) = &exclusion.path;
    let rules = exclusion.rules.iter().map(|rule| RuleReport {
        id: rule.id,
        target: rule.spared.target(),
    });
    ExclusionReport {
        id: exclusion.id,
        host: exclusion.host.as_ref().map(|host| host.as_str()),
        path: path.as_str(),
        with_paths_below: matches!(exclusion.path, PathScope::Below(_)),
        expires: exclusion.expires.map(|date| date.to_string()),
        rules: rules.collect(),
        rules_above_paranoia: &excluding.proposal.above_paranoia,
        rules_not_needed: &excluding.proposal.needless,
    }
}

fn end(trial: &Trial) -> EndReport {
    EndReport {
        is_refused: trial.is_refused(),
        refused_by: trial.refused_by,
        matched: trial.matches.iter().map(|one| one.rule).collect(),
    }
}

fn attacks_report(rule: &SparedRule, there: &AttacksThere) -> AttacksReport {
    let let_through = there.let_through.iter().map(|attack| AttackReport {
        test: attack.test.to_string(),
        payload: String::from_utf8_lossy(&attack.payload).into_owned(),
    });
    AttacksReport {
        rule: rule.id,
        known: there.known,
        found_there: there.found_there,
        still_refused: there.still_refused,
        passed_before: there.passing_anyway,
        place_is_fixed: there.is_fixed,
        let_through: let_through.collect(),
    }
}
