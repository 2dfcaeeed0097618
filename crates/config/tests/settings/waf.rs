//! `waf`, of all sites and of one.

use std::sync::Arc;

use palisade_config::files::Memory;
use palisade_config::{Loaded, Settings};
use palisade_vocabulary::FailurePolicy;
use palisade_waf::RuleSet;

use crate::support::{self, BASE, problems};

const ALL: &str = "SecRuleEngine On\nSecAction id:1,phase:1,pass\n";

fn files(yaml: &str) -> Memory {
    Memory::default()
        .with("palisade.yaml", yaml)
        .with("all.conf", ALL)
        .with(
            "folder/a.conf",
            "SecRuleEngine On\nSecAction id:2,phase:1,pass",
        )
        .with("folder/b.conf", "Include more/*.conf")
        .with(
            "folder/more/c.conf",
            "SecRule ARGS \"@pmFromFile d.data\" id:3,phase:1,pass",
        )
        .with("folder/more/d.data", "evil")
        .with("before.conf", "SecAction id:10,phase:1,pass")
        .with("after.conf", "SecRuleRemoveById 1")
        .with("silent.conf", "SecAction id:20,phase:1,pass")
        .with(
            "detect.conf",
            "SecRuleEngine DetectionOnly\nSecAction id:21,phase:1,pass",
        )
        .with(
            "bodies.conf",
            "SecRuleEngine On\nSecAction id:30,phase:2,pass\nSecAction id:31,phase:4,pass",
        )
        .with(
            "access.conf",
            "SecRequestBodyAccess On\nSecResponseBodyAccess Off",
        )
        .with(
            "broken.conf",
            "SecRuleEngine On\nSecRule ARGS \"@rx (\" id:5,phase:1,deny\nSecBanana On",
        )
}

fn load(yaml: &str) -> Result<Loaded, String> {
    support::load(&files(yaml))
}

#[track_caller]
fn settings(yaml: &str) -> Settings {
    load(yaml)
        .unwrap_or_else(|problems| panic!("{problems}"))
        .settings
}

/// Settings whose sites these are.
fn with_sites(waf: &str, sites: &[&str]) -> String {
    let sites: Vec<String> = sites
        .iter()
        .enumerate()
        .map(|(number, site)| format!("  - {{upstream: app, hosts: h{number}, {site}}}\n"))
        .collect();
    format!(
        "listeners: [{{address: 127.0.0.1:8000}}]
upstreams: {{app: {{servers: [127.0.0.1:9000]}}}}
sites:\n{}{waf}",
        sites.concat()
    )
}

/// The ids of the rules that guard each site; `-` where none does.
#[track_caller]
fn check_sites(waf: &str, sites: &[&str], expected: &[&str]) {
    let settings = settings(&with_sites(waf, sites));
    let rules = (0..sites.len()).map(|site| shown(settings.waf.rule_sets.of_site(site)));
    let rules: Vec<String> = rules.collect();
    assert_eq!(rules, expected, "{waf} {sites:?}");
}

fn shown(set: Option<&Arc<RuleSet>>) -> String {
    let Some(set) = set else {
        return "-".to_owned();
    };
    let mode = if set.only_detects() {
        "detect"
    } else {
        "block"
    };
    let ids: Vec<String> = set
        .program()
        .rules()
        .map(|rule| rule.id().to_string())
        .collect();
    format!("{mode} {}", ids.join(","))
}

#[test]
fn a_site_has_the_rules_of_all_unless_it_says_otherwise() {
    let waf = "waf: {rules: all.conf}\n";
    check_sites(
        waf,
        &[
            "mode: block",
            "waf: {rules_before: before.conf}",
            "waf: {rules_before: before.conf, rules_after: [after.conf]}",
            "waf: {rules: folder/*.conf}",
            "waf: {mode: detect}",
            "waf: {mode: off}",
            "mode: detect",
            "mode: off",
            "mode: detect, waf: {mode: block}",
        ],
        &[
            "block 1",
            "block 10,1",
            "block 10",
            "block 2,3",
            "detect 1",
            "-",
            "detect 1",
            "-",
            "detect 1",
        ],
    );
    check_sites(
        "",
        &["mode: block", "waf: {rules: all.conf}"],
        &["-", "block 1"],
    );
    check_sites(
        "waf: {mode: off, rules: all.conf}\n",
        &["mode: block", "waf: {mode: block}"],
        &["-", "block 1"],
    );
}

#[test]
fn what_is_the_same_is_compiled_once() {
    let yaml = with_sites(
        "waf: {rules: all.conf}\n",
        &[
            "mode: block",
            "waf: {rules: [all.conf]}",
            "waf: {paranoia: 2}",
            "waf: {paranoia: 2}",
        ],
    );
    let sets = settings(&yaml).waf.rule_sets;
    assert_eq!(sets.distinct().len(), 2);
    let of = |site| Arc::as_ptr(sets.of_site(site).unwrap());
    assert_eq!((of(0), of(2)), (of(1), of(3)));
    // What is for no site is looked at by the rules of all.
    assert_eq!(Arc::as_ptr(sets.of_no_site().unwrap()), of(0));
}

#[test]
fn everything_can_be_set() {
    let yaml = format!(
        "{BASE}waf:
  mode: block
  rules: [all.conf, folder/*.conf]
  paranoia: 3
  thresholds: {{inbound: 7, outbound: 8}}
  on_failure: open
  grpc: stream
  body_memory: 1GiB\n"
    );
    let waf = settings(&yaml).waf;
    let set = waf.rule_sets.of_site(0).unwrap();
    assert_eq!(set.on_failure(), FailurePolicy::Open);
    assert!(set.streams_grpc());
    assert_eq!(waf.body_memory.as_u64(), 1 << 30);
    // The settings' own rule stands first.
    assert_eq!(shown(Some(set)), "block 99000000,1,2,3");
    let default = settings(&format!("{BASE}waf: {{rules: all.conf}}\n")).waf;
    let set = default.rule_sets.of_site(0).unwrap();
    assert_eq!(set.on_failure(), FailurePolicy::Closed);
    assert_eq!(default.body_memory.as_u64(), 256 << 20);
}

#[test]
fn rule_files_are_sources() {
    let loaded = load(&format!("{BASE}waf: {{rules: folder/*.conf}}\n")).unwrap();
    let paths: Vec<String> = loaded
        .sources
        .iter()
        .map(|source| source.path.display().to_string())
        .collect();
    for path in [
        "folder",
        "folder/a.conf",
        "folder/more",
        "folder/more/c.conf",
        "folder/more/d.data",
    ] {
        assert!(
            paths.iter().any(|known| known == path),
            "{path} of {paths:?}"
        );
    }
}

#[track_caller]
fn check(waf: &str, expected: &[&str]) {
    let told = problems(&load(&format!("{BASE}waf: {waf}\n")));
    let told: Vec<&str> = told.lines().collect();
    assert_eq!(told, expected, "{waf}");
}

#[test]
fn what_is_wrong_is_told_with_its_place() {
    check("{rules: all.conf}", &[]);
    check(
        "{}",
        &["palisade.yaml:4:6: error: `waf` without `rules`; name the files, or say `mode: off`"],
    );
    check("{mode: off}", &[]);
    check(
        "{rules: [none/*.conf]}",
        &["palisade.yaml:4:15: error: none: there is no such file"],
    );
    check(
        "{rules: [folder/*.rules]}",
        &["palisade.yaml:4:15: error: no file matches folder/*.rules"],
    );
    check(
        "{rules: none.conf}",
        &["none.conf: error: none.conf: there is no such file"],
    );
    check(
        "{rules: all.conf, paranoia: 5}",
        &["palisade.yaml:4:34: error: \"5\" is out of bounds; expected a number from 1 to 4"],
    );
    let told = problems(&load(&format!("{BASE}waf: {{rules: broken.conf}}\n")));
    assert!(
        told.contains("broken.conf:2:") && told.contains("rule 5"),
        "{told}"
    );
    assert!(
        told.contains("broken.conf:3:") && told.contains("SecBanana"),
        "{told}"
    );
}

#[test]
fn it_is_told_where_modes_differ() {
    check(
        "{mode: block, rules: detect.conf}",
        &[
            "palisade.yaml:4:13: warning: this wins over the rule files, which say SecRuleEngine DetectionOnly",
        ],
    );
    check(
        "{mode: detect, rules: all.conf}",
        &["palisade.yaml:4:13: warning: this wins over the rule files, which say SecRuleEngine On"],
    );
    check("{mode: detect, rules: detect.conf}", &[]);
    check("{mode: block, rules: silent.conf}", &[]);
    check(
        "{rules: silent.conf}",
        &[
            "palisade.yaml:4:6: warning: no rule runs: SecRuleEngine is Off, as it is where no file says otherwise; say `mode: block` or `mode: detect`",
        ],
    );
}

#[test]
fn it_is_told_where_rules_for_bodies_see_none() {
    check(
        "{rules: bodies.conf}",
        &[
            "palisade.yaml:4:14: warning: no rule file has `SecRequestBodyAccess On`, so that rules see no bodies of requests; say On or Off in a file before the others, such as the shipped recommended.conf",
            "palisade.yaml:4:14: warning: no rule file has `SecResponseBodyAccess On`, so that rules see no bodies of answers; say On or Off in a file before the others, such as the shipped recommended.conf",
        ],
    );
    check("{rules: [access.conf, bodies.conf]}", &[]);
}

#[test]
fn however_many_warnings_are_no_error() {
    let rules: String = (1..=1_000)
        .map(|id| format!("SecRule ARGS \"@pm %{{tx.a}}\" id:{id},phase:2,pass\n"))
        .collect();
    let files = files(&format!("{BASE}waf: {{mode: block, rules: many.conf}}\n"));
    let loaded = support::load(&files.with("many.conf", rules)).unwrap();
    let told = problems(&Ok(loaded));
    assert!(
        told.contains("many.conf:1:") && !told.contains("error"),
        "{told}"
    );
}

/// What judges beside the rules of each site, with how much of its requests; `-` where nothing does.
#[track_caller]
fn check_shadows(waf: &str, sites: &[&str], expected: &[(&str, &str)]) {
    let settings = settings(&with_sites(waf, sites));
    let sets = &settings.waf.rule_sets;
    let told: Vec<(String, String)> = (0..sites.len())
        .map(|site| {
            let shadow = sets.shadow_of_site(site);
            let rules = shown(shadow.map(|shadow| &shadow.rules));
            let sample = shadow.map(|shadow| shadow.sample.millionths());
            let sample = sample.map_or(String::new(), |sample| format!(" {sample}"));
            (shown(sets.of_site(site)), format!("{rules}{sample}"))
        })
        .collect();
    let told: Vec<(&str, &str)> = told.iter().map(|(one, other)| (&**one, &**other)).collect();
    assert_eq!(told, expected, "{waf} {sites:?}");
}

#[test]
fn a_shadow_is_what_is_said_of_it_and_else_what_is_in_force() {
    check_shadows(
        "waf: {rules: all.conf, shadow: {rules: folder/a.conf}}\n",
        &[
            "mode: block",
            "mode: detect",
            "mode: off",
            "waf: {mode: off}",
            "waf: {rules_before: before.conf}",
            // A site's own rules are not those that the shadow is to take the place of.
            "waf: {rules: folder/*.conf}",
            "waf: {shadow: {rules: folder/*.conf, sample: 0.5%}}",
            "waf: {shadow: {sample: 100%}}",
        ],
        &[
            ("block 1", "block 2 100000"),
            ("detect 1", "detect 2 100000"),
            ("-", "-"),
            ("-", "-"),
            ("block 10,1", "block 10,2 100000"),
            ("block 2,3", "-"),
            ("block 1", "block 2,3 5000"),
            ("block 1", "block 2 1000000"),
        ],
    );
    check_shadows(
        "waf: {rules: all.conf, shadow: {paranoia: 2}}\n",
        &["mode: block", "waf: {paranoia: 1}"],
        &[
            ("block 1", "block 99000000,1 100000"),
            ("block 99000000,1", "-"),
        ],
    );
    check_shadows(
        "waf: {rules: all.conf}\n",
        &["mode: block", "waf: {shadow: {thresholds: {inbound: 9}}}"],
        &[("block 1", "-"), ("block 1", "block 99000000,1 100000")],
    );
}

#[test]
fn a_shadow_that_is_promoted_is_in_force_alone() {
    check_shadows(
        "waf: {rules: none.conf, shadow: {rules: folder/a.conf, promoted: true}}\n",
        &[
            "mode: block",
            "mode: detect",
            "waf: {rules_before: before.conf}",
            "waf: {rules: all.conf}",
            "waf: {rules: all.conf, shadow: {promoted: false, thresholds: {inbound: 9}}}",
        ],
        &[
            ("block 2", "-"),
            ("detect 2", "-"),
            ("block 10,2", "-"),
            ("block 1", "-"),
            ("block 1", "block 99000000,1 100000"),
        ],
    );
}

#[test]
fn what_a_shadow_may_take_can_be_set() {
    let shadow = |yaml: &str| {
        let yaml = format!("{BASE}waf: {{rules: all.conf, shadow: {{{yaml}}}}}\n");
        settings(&yaml).waf.shadow
    };
    let default = shadow("paranoia: 2");
    assert_eq!(default.budget.millionths(), 50_000);
    assert_eq!(default.memory_max.as_u64(), 64 << 20);
    let set = shadow("paranoia: 2, budget: 12.5%, memory: 1MiB");
    assert_eq!(set.budget.millionths(), 125_000);
    assert_eq!(set.memory_max.as_u64(), 1 << 20);
}

#[test]
fn what_is_wrong_with_a_shadow_is_told_with_its_place() {
    let log = "logs: {shadow: {path: shadow.jsonl}}";
    let check = |shadow: &str, expected: &[&str]| {
        let yaml = format!("{BASE}waf: {{rules: all.conf, shadow: {shadow}}}\n{log}\n");
        let told = problems(&load(&yaml));
        let told: Vec<&str> = told.lines().collect();
        assert_eq!(told, expected, "{shadow}");
    };
    check("{paranoia: 2}", &[]);
    check(
        "{}",
        &[
            "palisade.yaml:4:32: warning: these rules are those in force, so that there is nothing to compare; name other `rules`, `paranoia` or `thresholds`",
        ],
    );
    check("{promoted: true}", &[]);
    check(
        "{rules: silent.conf}",
        &[
            "palisade.yaml:4:32: warning: no rule runs: SecRuleEngine is Off, as it is where no file says otherwise; say `mode: block` or `mode: detect`",
        ],
    );
    check(
        "{paranoia: 2, sample: 10}",
        &[
            "palisade.yaml:4:54: error: \"10\" is no percentage; expected a number with % and up to 4 digits behind the point, like 10% or 0.5%",
        ],
    );
    check(
        "{paranoia: 2, sample: 101%}",
        &[
            "palisade.yaml:4:54: error: \"101%\" is no percentage; expected a number with % and up to 4 digits behind the point, like 10% or 0.5%",
        ],
    );
    check(
        "{paranoia: 2, budget: 0.05%}",
        &[
            "palisade.yaml:4:54: error: \"0.05%\" is out of bounds; expected a percentage like 10%, from 0.1% to 100%",
        ],
    );
    check(
        "{rules: none.conf}",
        &["none.conf: error: none.conf: there is no such file"],
    );
    let told = problems(&load(&format!(
        "{BASE}waf: {{rules: all.conf, shadow: {{rules: broken.conf}}}}\n{log}\n"
    )));
    assert!(told.contains("broken.conf:3:"), "{told}");
}

#[test]
fn a_shadow_without_a_log_is_only_counted() {
    let told = problems(&load(&format!(
        "{BASE}waf: {{rules: all.conf, shadow: {{paranoia: 2}}}}\n"
    )));
    assert!(
        told.contains("warning: `waf.shadow` without `logs.shadow`"),
        "{told}"
    );
}
