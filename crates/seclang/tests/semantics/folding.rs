//! What is decided when rules are loaded is what every request would decide.

use palisade_seclang::CompileOptions;
use palisade_seclang::syntax::Phase;
use proptest::prelude::*;
use proptest::sample::select;

use crate::memory::Memory;
use crate::random::{Written, cases, request, what_came, written};
use crate::site::{Ran, Request, Site};

const UNFOLDED: CompileOptions = CompileOptions {
    prefilter: true,
    fold: false,
    has_countries: false,
    engine: None,
};

const CONDITIONS: &[&str] = &[
    "SecAction",
    "SecAction",
    "SecRule &TX:a \"@eq 0\"",
    "SecRule &TX:b \"@eq 0\"",
    "SecRule &TX:b \"!@eq 1\"",
    "SecRule TX:a \"@lt 2\"",
    "SecRule TX:a \"@ge 2\"",
    "SecRule TX:a \"!@eq 2\"",
    "SecRule TX:b \"@gt %{tx.a}\"",
    "SecRule TX:b \"@le %{tx.c}1\"",
    "SecRule TX:c \"@eq 1\"",
    "SecRule TX:0 \"@eq 0\"",
    "SecRule TX:a|TX:b \"@ge 1\"",
    "SecRule ARGS:a \"@rx a\"",
    "SecRule ARGS \"@rx b\"",
    "SecRule ARGS \"@within %{tx.a}%{tx.c}ab\"",
    "SecRule ARGS \"@contains %{tx.b}\"",
    "SecRule ARGS \"!@streq %{tx.a}\"",
    "SecRule TX:/b/ \"@beginsWith %{tx.b}\"",
    "SecRule &ARGS \"@ge %{tx.a}\"",
];
const EFFECTS: &[&str] = &[
    "setvar:tx.a=1",
    "setvar:tx.a=2",
    "setvar:tx.a=+1",
    "setvar:tx.b=%{tx.a}",
    "setvar:tx.b=-1",
    "setvar:tx.b=+%{tx.a}",
    "setvar:tx.a=-%{tx.b}",
    "setvar:!tx.b",
    "setvar:tx.c=%{tx.b}x",
    "setvar:tx.c=%{MATCHED_VAR}",
    "setvar:tx.%{MATCHED_VAR}=1",
    "setvar:tx.b%{tx.c}=3",
    "capture",
    "severity:3",
    "ctl:ruleRemoveById=1-4",
    "ctl:ruleRemoveById=3-12",
    "ctl:ruleRemoveByTag=even",
    "ctl:ruleRemoveTargetById=5-9;TX:a",
    "ctl:ruleRemoveTargetByTag=odd;ARGS:a",
    "ctl:ruleEngine=DetectionOnly",
    "ctl:ruleEngine=Off",
];
const OUTCOMES: &[&str] = &[
    "pass,nolog",
    "pass,nolog",
    "pass,nolog",
    "pass,log,msg:'%{MATCHED_VAR}'",
    "pass,nolog,skipAfter:M",
    "pass,nolog,skipAfter:N",
    "pass,nolog,skip:1",
    "pass,nolog,skip:2",
    "deny,nolog",
    "allow,nolog",
    "allow:phase,nolog",
    "allow:request,nolog",
];

/// A condition, and what a match does.
type Link = (&'static str, Vec<&'static str>);

/// A rule that sets or asks variables of `TX`, without its id.
#[derive(Clone, Debug)]
struct Gate {
    phase: u8,
    links: Vec<Link>,
    outcome: &'static str,
}

impl Gate {
    fn text(&self, id: usize) -> String {
        let tag = if id.is_multiple_of(2) { "even" } else { "odd" };
        let mut text = String::new();
        for (number, (condition, effects)) in self.links.iter().enumerate() {
            let mut actions = match number {
                0 => format!("id:{id},phase:{},{},tag:{tag}", self.phase, self.outcome),
                _ => "t:none".to_owned(),
            };
            let may = |effect: &&&str| number == 0 || !effect.starts_with("severity");
            for effect in effects.iter().filter(may) {
                actions.push_str(&format!(",{effect}"));
            }
            if number + 1 < self.links.len() {
                actions.push_str(",chain");
            }
            text.push_str(&format!("{condition} \"{actions}\"\n"));
        }
        text
    }
}

#[derive(Clone, Debug)]
enum Any {
    Gate(Gate),
    Other(Written),
}

fn gate() -> impl Strategy<Value = Gate> {
    let link = (
        select(CONDITIONS),
        prop::collection::vec(select(EFFECTS), 0..3),
    );
    let links = prop_oneof![
        4 => prop::collection::vec(link.clone(), 1),
        1 => prop::collection::vec(link, 2..4),
    ];
    let phase = prop_oneof![3 => Just(1_u8), 2 => 2..6_u8];
    (phase, links, select(OUTCOMES)).prop_map(|(phase, links, outcome)| Gate {
        phase,
        links,
        outcome,
    })
}

fn rules() -> impl Strategy<Value = String> {
    let any = prop_oneof![
        6 => gate().prop_map(Any::Gate),
        1 => written().prop_map(Any::Other),
    ];
    prop::collection::vec(any, 2..14).prop_map(|all| {
        let mut text = "SecRuleEngine On\nSecRequestBodyAccess On\n".to_owned();
        for (number, rule) in all.iter().enumerate() {
            text.push_str(&match rule {
                Any::Gate(gate) => gate.text(number + 1),
                Any::Other(written) => written.text(number + 1),
            });
            match number {
                4 => text.push_str("SecMarker M\n"),
                8 => text.push_str("SecMarker N\n"),
                _ => {}
            }
        }
        text
    })
}

/// What a host may drive, whatever it should.
fn phases() -> impl Strategy<Value = Vec<Phase>> {
    prop_oneof![
        2 => Just(Phase::ALL.to_vec()),
        1 => Just(Phase::ALL.to_vec()).prop_shuffle(),
        1 => prop::collection::vec(select(Phase::ALL.to_vec()), 0..7),
    ]
}

fn variables(ran: &Ran) -> [Option<String>; 5] {
    ["a", "b", "c", "ba", "b1x"].map(|name| ran.tx(name))
}

proptest! {
    #![proptest_config(cases(12_000))]

    #[test]
    fn what_is_folded_changes_nothing(rules in rules(), requests in prop::collection::vec((request(), phases()), 1..4)) {
        let files = Memory::new(&rules);
        let with = Site::of(&files, CompileOptions::default());
        let without = Site::of(&files, UNFOLDED);
        let (mut folded, mut plain) = (with.worker(), without.worker());
        for (request, phases) in &requests {
            let ran = with.run_phases(&mut folded, request, phases);
            let expected = without.run_phases(&mut plain, request, phases);
            prop_assert_eq!(what_came(&ran), what_came(&expected), "{}{:?}", rules, phases);
            prop_assert_eq!(variables(&ran), variables(&expected), "{}{:?}", rules, phases);
        }
        for ((rule, got), expected) in with.program().rules().zip(folded.counters()).zip(plain.counters()) {
            if !rule.is_folded() {
                prop_assert_eq!(got.hits, expected.hits, "{} of {}", rule.id(), rules);
            }
        }
    }
}

/// Rules that only set variables, and one that may leave them out.
const PRESETS: &str = "SecRuleEngine On
SecRule ARGS y \"id:1,phase:1,pass,nolog,ctl:ruleRemoveById=2-3\"
SecAction \"id:2,phase:1,pass,nolog,setvar:tx.a=one,setvar:tx.b=two\"
SecAction \"id:3,phase:1,pass,nolog,setvar:tx.c=7,setvar:tx.d=%{tx.b}%{tx.c}\"
";

#[test]
fn what_is_set_at_once_is_what_rules_set_one_after_the_other() {
    let files = Memory::new(PRESETS);
    let check = |target: &str, expected: [Option<&str>; 4]| {
        for options in [CompileOptions::default(), UNFOLDED] {
            let site = Site::of(&files, options);
            let folded = site.program().rules().filter(|rule| rule.is_folded());
            assert_eq!(folded.count(), if options.fold { 2 } else { 0 });
            let mut worker = site.worker();
            let ran = site.run_phases(&mut worker, &Request::get(target), &Phase::ALL);
            let got = ["a", "b", "c", "d"].map(|name| ran.tx(name));
            assert_eq!(got.each_ref().map(Option::as_deref), expected, "{target}");
        }
    };
    check("/?a=x", [Some("one"), Some("two"), Some("7"), Some("two7")]);
    check("/?a=y", [None; 4]);
}

/// Rules that tell of a level, and what is asked at it.
const LEVELS: &str = "SecAction id:1,phase:1,pass,nolog,setvar:tx.level=1
SecRule TX:level \"@lt 2\" id:2,phase:2,pass,nolog,skipAfter:END
SecRule ARGS x id:3,phase:2,pass
SecMarker END
SecRule ARGS x id:4,phase:2,pass
SecAction id:5,phase:5,pass,msg:'%{tx.level}'
";

#[test]
fn no_phase_runs_before_the_first_and_none_after_the_last() {
    let files = Memory::new(&format!("SecRuleEngine On\n{LEVELS}"));
    let check = |phases: &[Phase], expected: &[u64]| {
        let site = Site::of(&files, CompileOptions::default());
        let ran = site.run_phases(&mut site.worker(), &Request::get("/?a=x"), phases);
        assert_eq!(ran.ids(), expected, "{phases:?}");
    };
    let (head, body, log) = (Phase::RequestHeaders, Phase::RequestBody, Phase::Logging);
    check(&[head, body, log], &[4, 5]);
    check(&[head, log], &[5]);
    check(&[body, log], &[]);
    check(&[body, head, log], &[5]);
    // Arguments that are sent twice are there twice.
    check(&[head, head, body, log, log, body], &[4, 4, 5]);
}

#[test]
fn what_is_folded_is_checked() {
    let errors = |rule: &str| {
        let files = Memory::new(&format!("SecAction id:1,phase:1,pass,nolog,skip:1\n{rule}"));
        let compiled =
            palisade_seclang::compile(&[crate::memory::MAIN], &files, CompileOptions::default());
        compiled.problems.counts().0
    };
    assert_eq!(errors("SecRule ARGS x id:2,phase:1,pass"), 0);
    for wrong in [
        "SecRule ARGS \"@rx (?=a)\" id:2,phase:1,pass",
        "SecRule ARGS:/(/ x id:2,phase:1,pass",
        "SecRule ARGS \"@pmFromFile none\" id:2,phase:1,pass",
    ] {
        assert_eq!(errors(wrong), 1, "{wrong}");
    }
}
