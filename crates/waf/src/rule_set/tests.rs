use palisade_seclang::Location;

use super::*;
use crate::test_files::{OneFile, begin, rule_set};
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
fn paranoia_and_thresholds_are_there_for_the_rules() {
    let rules = "SecRuleEngine On
        SecRule TX:blocking_paranoia_level|TX:detection_paranoia_level|TX:paranoia_level \"!@eq 3\" id:1,phase:1,deny
        SecRule &TX:blocking_paranoia_level \"@eq 0\" id:2,phase:1,deny
        SecRule TX:inbound_anomaly_score_threshold \"!@eq 7\" id:3,phase:1,deny
        SecRule TX:outbound_anomaly_score_threshold \"!@eq 9\" id:4,phase:1,deny";
    let check = |paranoia, expected: bool| {
        let settings = RuleSetSettings {
            paranoia: Paranoia::new(paranoia),
            thresholds: Thresholds {
                inbound: Some(7),
                outbound: Some(9),
            },
            ..RuleSetSettings::default()
        };
        let (inspection, _) = begin(&rule_set(settings, rules), "/");
        assert_eq!(inspection.refused_for().is_none(), expected, "{paranoia}");
    };
    check(3, true);
    check(2, false);
    // None such: nothing is set.
    check(0, false);
}

/// Says nothing.
#[derive(Debug)]
struct Nowhere;

impl Countries for Nowhere {
    fn country(&self, _: std::net::IpAddr) -> Option<Location> {
        None
    }
}

#[test]
fn rules_that_ask_for_countries_get_the_new_database() {
    let check = |rules: &str, is_kept: bool| {
        let set = || {
            let countries: Option<Arc<dyn Countries>> = Some(Arc::new(Nowhere));
            let files = OneFile(rules);
            let compiled = RuleSet::compile(with_mode(None), &["a"], &files, countries);
            Arc::new(compiled.rule_set.unwrap())
        };
        let (old, new) = (set(), set());
        let old_sets = RuleSets::new(vec![Some(Arc::clone(&old))], None);
        let sets = RuleSets::new(vec![Some(Arc::clone(&new))], None).keeping(&old_sets);
        let used = sets.of_site(0).unwrap();
        assert_eq!(Arc::ptr_eq(used, &old), is_kept, "{rules}");
    };
    check(RULES, true);
    let asks = "SecRuleEngine On\nSecRule REMOTE_ADDR \"@geoLookup\" id:1,phase:1,pass";
    check(asks, false);
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

#[test]
fn a_shadow_judges_beside_another_set_that_runs() {
    let sample = crate::Share::ALL;
    let shadow = |rules: &Arc<RuleSet>| {
        Some(Shadow {
            rules: Arc::clone(rules),
            sample,
        })
    };
    let (one, other) = (
        rule_set(with_mode(None), RULES),
        rule_set(with_mode(Some(Mode::Detect)), RULES),
    );
    let off = rule_set(with_mode(Some(Mode::Off)), RULES);
    let active = vec![
        Some(Arc::clone(&one)),
        Some(Arc::clone(&one)),
        None,
        Some(one.clone()),
    ];
    let shadows = vec![shadow(&one), shadow(&other), shadow(&other), shadow(&off)];
    let sets = RuleSets::new(active.clone(), None).with_shadows(shadows);
    let has: Vec<bool> = (0..5)
        .map(|site| sets.shadow_of_site(site).is_some())
        .collect();
    assert_eq!(has, [false, true, false, false, false]);
    assert!(sets.have_shadows());
    assert_eq!(sets.distinct().len(), 2);
    let none = RuleSets::new(active, None).with_shadows(vec![shadow(&one)]);
    assert!(!none.have_shadows());
}

#[test]
fn a_shadow_that_is_promoted_is_the_set_that_it_was() {
    let set = |mode| rule_set(with_mode(mode), RULES);
    let before = RuleSets::new(vec![Some(set(None))], None).with_shadows(vec![Some(Shadow {
        rules: set(Some(Mode::Detect)),
        sample: crate::Share::ALL,
    })]);
    let after = RuleSets::new(vec![Some(set(Some(Mode::Detect)))], None).keeping(&before);
    let was = &before.shadow_of_site(0).unwrap().rules;
    assert!(Arc::ptr_eq(after.of_site(0).unwrap(), was));
    let again = RuleSets::new(vec![Some(set(None))], None).with_shadows(vec![Some(Shadow {
        rules: set(Some(Mode::Detect)),
        sample: crate::Share::NONE,
    })]);
    let again = again.keeping(&before);
    assert!(Arc::ptr_eq(&again.shadow_of_site(0).unwrap().rules, was));
}
