use super::*;
use crate::test_files::{OneFile, rule_set};
use crate::{Paranoia, Thresholds};

const RULES: &str = "SecRuleEngine On\nSecAction id:1,phase:1,pass";

fn with_mode(mode: Option<Mode>) -> RuleSetSettings {
    RuleSetSettings {
        mode,
        ..RuleSetSettings::default()
    }
}

#[test]
fn a_mode_wins_over_the_files() {
    let check = |mode, engine, expected: (bool, bool)| {
        let rules = format!("SecRuleEngine {engine}\nSecAction id:1,phase:1,deny");
        let set = rule_set(with_mode(mode), &rules);
        assert_eq!(
            (set.is_on(), set.only_detects()),
            expected,
            "{mode:?} {engine}"
        );
    };
    check(None, "On", (true, false));
    check(None, "Off", (false, false));
    check(None, "DetectionOnly", (true, true));
    check(Some(Mode::Block), "DetectionOnly", (true, false));
    check(Some(Mode::Block), "Off", (true, false));
    check(Some(Mode::Detect), "On", (true, true));
    check(Some(Mode::Off), "On", (false, false));
}

#[test]
fn what_the_files_say_is_told() {
    let files = OneFile("SecRuleEngine DetectionOnly");
    let compiled = RuleSet::compile(with_mode(Some(Mode::Block)), &["a"], &files, None);
    assert_eq!(compiled.engine_in_files, EngineMode::DetectionOnly);
}

#[test]
fn sets_that_do_the_same_are_kept_over_a_reload() {
    let check = |settings: RuleSetSettings, rules: &str, is_kept: bool| {
        let old = rule_set(with_mode(None), RULES);
        let old_sets = RuleSets::new(vec![Some(Arc::clone(&old))], None);
        let new = rule_set(settings, rules);
        let new_sets = RuleSets::new(vec![None, Some(new)], None).keeping(&old_sets);
        let used = new_sets.of_site(1).unwrap();
        assert_eq!(Arc::ptr_eq(used, &old), is_kept, "{settings:?} {rules}");
        assert!(new_sets.of_site(0).is_none());
    };
    check(with_mode(None), RULES, true);
    check(with_mode(None), &format!("{RULES} "), false);
    check(with_mode(Some(Mode::Block)), RULES, false);
    let paranoia = Paranoia::new(2);
    let settings = RuleSetSettings {
        paranoia,
        ..with_mode(None)
    };
    check(settings, RULES, false);
    let thresholds = Thresholds {
        outbound: Some(9),
        inbound: None,
    };
    let settings = RuleSetSettings {
        thresholds,
        ..with_mode(None)
    };
    check(settings, RULES, false);
    let settings = RuleSetSettings {
        on_failure: FailurePolicy::Open,
        ..with_mode(None)
    };
    check(settings, RULES, false);
}

#[test]
fn a_set_in_which_no_rule_runs_guards_nothing() {
    let off = rule_set(with_mode(Some(Mode::Off)), RULES);
    let sets = RuleSets::new(vec![Some(Arc::clone(&off))], Some(off));
    assert!(sets.of_site(0).is_none() && sets.of_no_site().is_none());
    assert!(sets.distinct().is_empty());
}
