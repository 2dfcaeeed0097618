//! Rules and requests at random: what spares work changes nothing, and nothing panics.

use palisade_seclang::{CompileOptions, compile};
use proptest::prelude::*;
use proptest::sample::{select, subsequence};

use crate::memory::{MAIN, Memory};
use crate::site::{PLAIN, Ran, Request, Site};

const TARGETS: &[&str] = &[
    "ARGS",
    "ARGS:a",
    "!ARGS:b",
    "ARGS:/^a/",
    "&ARGS",
    "ARGS_NAMES",
    "TX:x",
    "&TX:x",
    "TX:/^args/",
    "!TX:args:a",
    "REQUEST_URI",
    "!REQUEST_URI",
    "REQUEST_HEADERS",
    "REQUEST_COOKIES",
    "MATCHED_VARS",
    "XML:/*",
    "IP:n",
];
const OPERATORS: &[&str] = &[
    "@rx a",
    "@rx ^[ab]+$",
    "@rx (a)(b)?",
    "@rx (?i)union.*select",
    "@rx ^AB",
    "!@rx b",
    "@pm ab CD union",
    "@contains b",
    "@contains attack",
    "@contains /b",
    "@rx a[; ]b",
    "@rx a[\\x22'^]*b[\\x22'^]*;",
    "@streq ab",
    "@beginsWith a",
    "@within ab %{tx.y}",
    "@eq 1",
    "!@eq 1",
    "@lt %{tx.x}",
    "@validateByteRange 97-99",
    "@detectSQLi",
    "@unconditionalMatch",
];
const FORMS: &[&str] = &[
    "t:lowercase",
    "t:uppercase",
    "t:none",
    "t:urlDecodeUni",
    "t:base64Decode",
    "t:base64Encode",
    "t:hexEncode",
    "t:hexDecode",
    "t:jsDecode",
    "t:cmdLine",
    "t:utf8toUnicode",
    "t:removeWhitespace",
    "t:compressWhitespace",
    "t:normalisePathWin",
    "t:replaceComments",
    "t:length",
    "multiMatch",
    "capture",
];
const EFFECTS: &[&str] = &[
    "setvar:tx.x=+1",
    "setvar:'tx.%{MATCHED_VAR_NAME}=%{MATCHED_VAR}'",
    "setvar:tx.y=%{tx.0}",
    "ctl:ruleRemoveById=3-4",
    "ctl:ruleRemoveTargetById=1-9;ARGS:a",
    "ctl:ruleRemoveTargetByTag=even;REQUEST_URI",
    "ctl:ruleEngine=DetectionOnly",
    "initcol:ip=a",
    "setvar:ip.n=+%{tx.x}",
];
const OUTCOMES: &[&str] = &[
    "pass",
    "pass",
    "pass",
    "pass,nolog",
    "pass,nolog,skip:1",
    "pass,nolog,skipAfter:M",
    "deny",
    "allow:phase",
    "block,msg:'%{MATCHED_VAR}'",
];
const QUERIES: &[&str] = &[
    "a=ab",
    "b=ab",
    "a=cd",
    "a=YWI=",
    "c=1",
    "a=%2561",
    "d=1+UNION+SELECT+2",
    "a",
    "=b",
    "b=a+b",
    "a=AB",
    "c=ab,ab;AB",
    "a=%5Cx61%5Cx42",
    "b=6162",
    "d=YXR0YWNr",
    "a=WVdJPQ==",
    "c=%C3%A9ab",
    "b=yxr0ywnr",
    "c=a%09%09b%5Cb",
    "a=a/**/b;",
    "d=L2I=",
    "b=a^%22b;",
    "a=%20a%20,b;",
    "d=1.5",
];

/// Targets, an operator, what is done to values, and what comes of a match.
type Link = (
    Vec<&'static str>,
    &'static str,
    Vec<&'static str>,
    Vec<&'static str>,
);

/// A rule, or a chain of two, without its id.
#[derive(Clone, Debug)]
pub(crate) struct Written {
    phase: u8,
    links: Vec<Link>,
    outcome: &'static str,
}

impl Written {
    pub(crate) fn text(&self, id: usize) -> String {
        let mut text = String::new();
        for (number, (targets, operator, forms, effects)) in self.links.iter().enumerate() {
            let mut actions = match number {
                0 => {
                    let tag = if id.is_multiple_of(2) { "even" } else { "odd" };
                    vec![format!(
                        "id:{id},phase:{},{},tag:{tag}",
                        self.phase, self.outcome
                    )]
                }
                _ => vec!["t:none".to_owned()],
            };
            actions.extend(forms.iter().chain(effects).map(ToString::to_string));
            if number + 1 < self.links.len() {
                actions.push("chain".to_owned());
            }
            let (targets, actions) = (targets.join("|"), actions.join(","));
            text.push_str(&format!("SecRule {targets} \"{operator}\" \"{actions}\"\n"));
        }
        text
    }
}

pub(crate) fn written() -> impl Strategy<Value = Written> {
    let link = (
        subsequence(TARGETS, 1..4),
        select(OPERATORS),
        subsequence(FORMS, 0..4),
        subsequence(EFFECTS, 0..3),
    );
    let links = prop::collection::vec(link, 1..3);
    (1..6_u8, links, select(OUTCOMES)).prop_map(|(phase, links, outcome)| Written {
        phase,
        links,
        outcome,
    })
}

fn rules() -> impl Strategy<Value = String> {
    prop::collection::vec(written(), 1..9).prop_map(|all| {
        let mut text = "SecRuleEngine On\nSecRequestBodyAccess On\n".to_owned();
        for (number, rule) in all.iter().enumerate() {
            text.push_str(&rule.text(number + 1));
            if number == 4 {
                text.push_str("SecMarker M\n");
            }
        }
        text
    })
}

pub(crate) fn request() -> impl Strategy<Value = Request> {
    let parts = || prop::collection::vec(select(QUERIES), 0..5).prop_map(|parts| parts.join("&"));
    (parts(), parts()).prop_map(|(query, body)| {
        Request::form(body)
            .to(&format!("/ab?{query}"))
            .header("Cookie", "a=ab; b=union")
    })
}

/// All that comes of a transaction.
pub(crate) fn what_came(
    ran: &Ran,
) -> (
    Vec<String>,
    Vec<String>,
    String,
    String,
    [Option<String>; 4],
) {
    let tx = ["x", "y", "0", "args:a"].map(|name| ran.tx(name));
    (ran.matches(), ran.messages(), ran.end(), ran.would_be(), tx)
}

/// So many cases, since one in thousands shows what rules do to each other; `PROPTEST_CASES` says otherwise.
pub(crate) fn cases(cases: u32) -> ProptestConfig {
    let config = ProptestConfig::default();
    match std::env::var_os("PROPTEST_CASES") {
        Some(_) => config,
        None => ProptestConfig { cases, ..config },
    }
}

proptest! {
    #![proptest_config(cases(8_000))]

    #[test]
    fn what_spares_work_changes_nothing(rules in rules(), requests in prop::collection::vec(request(), 1..4)) {
        let files = Memory::new(&rules);
        let (with, without) = (Site::of(&files, CompileOptions::default()), Site::of(&files, PLAIN));
        let mut worker = with.worker();
        // The second time what is known of strings is known.
        for request in requests.iter().chain(&requests) {
            let expected = what_came(&without.run(request));
            prop_assert_eq!(what_came(&with.run(request)), expected.clone(), "{}", rules);
            let ran = with.run_by(&mut worker, request);
            prop_assert_eq!(what_came(&ran), expected, "{}", rules);
            ran.finish(&mut worker);
        }
    }

    #[test]
    fn any_text_is_compiled_or_refused(
        words in prop::collection::vec(
            prop_oneof![
                select(vec!["SecRule ", "SecAction ", "SecMarker ", "SecDefaultAction ", "Include ", "SecRuleUpdateTargetById ", "SecRuleUpdateActionById ", "SecRuleRemoveById ", "ARGS", "|", "!", "&", ":", "/", "\"", "'", "\\", "\n", "\\\n", " ", ",", "@rx ", "@pmFromFile ", "id:1", "id:2", "phase:1", "chain", "ctl:", "ruleRemoveById=", "setvar:tx.", "=", "+", "%{", "}", "tx.a", "1", "-", "deny", "t:none", "skipAfter:"]).prop_map(|word| word.as_bytes().to_vec()),
                prop::collection::vec(any::<u8>(), 0..4),
            ],
            0..40,
        )
    ) {
        let files = Memory::default().with(MAIN, &words.concat());
        let compiled = compile(&[MAIN], &files, CompileOptions::default());
        prop_assert!(compiled.program.is_some() != compiled.problems.has_errors());
        if compiled.program.is_some() {
            Site::of(&files, CompileOptions::default()).run(&Request::get("/?a=1&b"));
        }
    }
}
