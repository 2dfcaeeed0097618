//! `access` without conditions: lists, rule files, rules.

use palisade_access::Action;
use palisade_config::files::Memory;
use palisade_vocabulary::{Mode, SkippableCheck};

use crate::support::{self, BASE, check_problems};

#[test]
fn rules_have_actions() {
    let settings = support::settings(
        "access:
  rules:
    - {id: a, match: {path: /a}, action: block, status: 404, reason: no such thing}
    - {id: b, match: {address: 10.0.0.1}, action: allow, skip: [decisions, waf], mode: detect}
    - {id: c, match: {}, action: log, mode: off}
",
    );
    let [a, b, c] = &settings.gate.rules[..] else {
        panic!()
    };
    assert!(matches!(a.action, Action::Block { status: Some(status) } if status.as_u16() == 404));
    assert_eq!(a.reason.as_deref(), Some("no such thing"));
    assert_eq!(a.place.as_str(), "palisade.yaml:6:7");
    let Action::Allow { skip } = b.action else {
        panic!()
    };
    assert!(skip.contains(SkippableCheck::Decisions) && skip.contains(SkippableCheck::Waf));
    assert!(!skip.contains(SkippableCheck::Limits));
    assert_eq!(
        (b.mode, c.mode, c.action),
        (Mode::Detect, Mode::Off, Action::Log)
    );
}

#[test]
fn actions_and_their_keys_fit() {
    check_problems(
        "access:
  rules:
    - {id: a, match: {path: /a}, action: challenge}
    - {id: b, match: {path: /b}, action: blok}
    - {id: c, match: {path: /c}, action: allow, status: 404}
    - {id: d, match: {path: /d}, action: block, skip: waf}
    - {id: e, match: {path: /e}, action: block, status: 200}
    - {id: a b, match: {path: /f}, action: block}
    - {id: g, action: block}
    - {id: h, match: {path: /h}, action: allow, skip: [wafs]}
",
        &[
            "6:42: error: \"challenge\": this version can't do it yet; expected block, allow, log",
            "7:42: error: \"blok\" is not known here; did you mean \"block\"?",
            "8:57: error: `status` goes with `action: block` only; remove it",
            "9:55: error: `skip` goes with `action: allow` only; remove it",
            "10:57: error: \"200\" is not a status that can be given here; expected a number from 400 to 599",
            "11:12: error: \"a b\" is not a rule id; expected 1 to 64 of A-Z a-z 0-9 . _ -",
            "12:7: error: `match` is missing here; expected a mapping with the keys of `access.rules.match`",
            "13:56: error: \"wafs\" is not known here; did you mean \"waf\"?",
        ],
    );
}

#[test]
fn ids_are_used_once_over_all_sites() {
    let yaml = "\
listeners: [{address: 127.0.0.1:8000}]
upstreams: {app: {servers: [127.0.0.1:9000]}}
access: {rules: [{id: x, match: {path: /a}, action: block}]}
sites:
  - upstream: app
    access: {rules: [{id: y, match: {path: /b}, action: block}, {id: x, match: {path: /c}, action: block}]}
";
    support::check_problems_alone(
        yaml,
        &[
            "6:65: error: rule id \"x\" is used already at palisade.yaml:3:18; give each rule its own",
        ],
    );
}

#[test]
fn odd_rules_are_warned_of() {
    check_problems(
        "access:
  rules:
    - {id: a, match: {path: {prefix: /a}}, action: allow}
    - {id: b, match: {path: /a/b}, action: block}
    - {id: c, match: {path: {prefix: /c}}, action: allow, skip: waf}
    - {id: d, match: {path: /d, not: {path: /d}}, action: block}
",
        &[
            "7:7: warning: rule b never blocks: a (palisade.yaml:6:7) allows all that it matches; expected the block first",
            "8:7: warning: rule c skips other checks on the client's own word; expected an `address` that must match",
            "9:7: warning: rule d can never match: path equals \"/d\" and not (path equals \"/d\") exclude each other",
        ],
    );
}

#[test]
fn places_need_databases() {
    check_problems(
        "access:
  rules:
    - {id: a, match: {any: [{country: DE}, {not: {asn: AS64496}}]}, action: block}
    - {id: b, match: {country: AT}, action: block, mode: off}
",
        &[
            "6:7: warning: rule a asks for what only geo.asn_database can tell; without it the rule matches only where it names `unknown`",
            "6:7: warning: rule a asks for what only geo.country_database can tell; without it the rule matches only where it names `unknown`",
        ],
    );
}

#[test]
fn lists_come_inline_and_from_files() {
    let yaml = format!(
        "{BASE}trusted_clients: [192.0.2.9, $office]
access:
  lists:
    office: [203.0.113.0/24, 2001:db8::/32]
    tor: {{file: lists/tor.txt}}
    none: {{file: lists/none.txt}}
  rules:
    - {{id: tor, match: {{address: [$tor, 198.51.100.1]}}, action: block}}
    - {{id: none, match: {{address: $none}}, action: block}}
"
    );
    let files = Memory::default()
        .with("palisade.yaml", yaml)
        .with(
            "lists/tor.txt",
            "# exits\r\n192.0.2.1\r\n\n  192.0.2.128/25 # many\n10.0.0.0/8 ; SBL1\n",
        )
        .with("lists/none.txt", "# nobody\n");
    let loaded = support::load(&files).unwrap();
    let settings = &loaded.settings;
    for (address, expected) in [
        ("203.0.113.7", true),
        ("192.0.2.9", true),
        ("2001:db8::7", true),
        ("192.0.2.1", false),
    ] {
        assert_eq!(
            settings
                .gate
                .trusted_clients
                .contains(address.parse().unwrap()),
            expected,
            "{address}"
        );
    }
    let shown: Vec<String> = settings
        .gate
        .rules
        .iter()
        .map(|rule| rule.condition.to_string())
        .collect();
    assert_eq!(
        shown,
        ["address $tor or address 198.51.100.1", "address $none"]
    );
    assert_eq!(loaded.warnings.iter().count(), 1, "{}", loaded.warnings);
}

#[test]
fn a_bad_line_refuses_the_list_at_its_place() {
    let yaml = format!(
        "{BASE}trusted_clients: $tor\naccess: {{lists: {{tor: {{file: lists/tor.txt}}}}}}\n"
    );
    let files = Memory::default().with("palisade.yaml", yaml).with(
        "lists/tor.txt",
        b"192.0.2.1\n  example.com\n10.0.0.0/40\n\xff\n",
    );
    assert_eq!(
        support::problems(&support::load(&files)),
        "\
lists/tor.txt:2:3: error: \"example.com\" is not an IP address; expected one like 192.0.2.1 or 2001:db8::1
lists/tor.txt:3:1: error: prefix length 40 is too long; at most 32 here
lists/tor.txt:4:1: error: \"\\u{fffd}\" is not an IP address; expected one like 192.0.2.1 or 2001:db8::1
"
    );
}

#[test]
fn lists_that_are_not_there_are_errors() {
    check_problems(
        "trusted_clients: [$offce, $x]
access:
  lists:
    office: [10.0.0.0/8]
    drop: {url: \"https://lists.example/drop.txt\", refresh: 1h}
    gone: {file: gone.txt}
    bad: 10
  rules: [{id: a, match: {address: [$gone, $drop, $bad]}, action: block}]
",
        &[
            "4:19: error: there is no list \"offce\" in access.lists; did you mean \"office\"?",
            "4:27: error: there is no list \"x\" in access.lists",
            "8:5: error: a list from a server needs `state_directory`, where its last good copy is",
            "9:18: error: gone.txt: there is no such file",
            "10:10: error: \"10\" is not an IP address; expected one like 192.0.2.1 or 2001:db8::1",
        ],
    );
}

#[test]
fn rule_files_are_read_in_order_after_the_files_own_rules() {
    let yaml = "\
include: []
listeners: [{address: 127.0.0.1:8000}]
upstreams: {app: {servers: [127.0.0.1:9000]}}
sites: [{upstream: app}]
access:
  rules: [{id: own, match: {path: /a}, action: allow}]
  rule_files: [rules/last.yaml, ../rules/*.yaml]
";
    let rule = |id: &str| format!("rules: [{{id: {id}, match: {{path: /{id}}}, action: block}}]\n");
    let files = Memory::default()
        .with("etc/palisade.yaml", yaml.replace("include: []\n", ""))
        .with("etc/rules/last.yaml", rule("last"))
        .with("rules/b.yaml", rule("b"))
        .with("rules/a.yaml", rule("a"))
        .with("rules/README.md", "no rules");
    let path = std::path::Path::new("etc/palisade.yaml");
    let loaded = palisade_config::Settings::load(&files, &support::environment, path).unwrap();
    let ids: Vec<&str> = loaded
        .settings
        .gate
        .rules
        .iter()
        .map(|rule| rule.id.as_str())
        .collect();
    assert_eq!(ids, ["own", "last", "a", "b"]);
}

#[test]
fn problems_in_rule_files_have_their_own_place() {
    let yaml =
        format!("{BASE}access: {{rule_files: [rules/*.yaml, rules/none.yaml, none/*.yaml]}}\n");
    let files = Memory::default()
        .with("palisade.yaml", yaml)
        .with(
            "rules/a.yaml",
            "rules:\n  - {id: a, match: {pth: /a}, action: block}\n",
        )
        .with("rules/b.yaml", "- {id: b}\n")
        .with("rules/c.yaml", "rules: [\n");
    let problems = support::problems(&support::load(&files));
    let lines: Vec<&str> = problems.lines().collect();
    assert_eq!(
        lines[..4],
        [
            "palisade.yaml:4:37: error: rules/none.yaml: there is no such file",
            "palisade.yaml:4:54: error: none: there is no such file",
            "rules/a.yaml:2:21: error: unknown key \"pth\"; did you mean \"path\"?",
            "rules/b.yaml:1:1: error: got a list; expected a mapping with rules",
        ]
    );
    assert!(
        lines[4].starts_with("rules/c.yaml:2:1: error: not valid YAML: "),
        "{}",
        lines[4]
    );
}

#[test]
fn floods_of_mistakes_are_cut_short() {
    let yaml = format!("{BASE}trusted_clients: $a\naccess: {{lists: {{a: {{file: a.txt}}}}}}\n");
    let files = Memory::default()
        .with("palisade.yaml", yaml)
        .with("a.txt", "x\n".repeat(1000));
    let problems = support::problems(&support::load(&files));
    assert_eq!(problems.lines().count(), 21);
    assert!(
        problems.ends_with("a.txt:21:1: error: more bad lines follow; mend these first\n"),
        "{problems}"
    );
    let keys: String = (0..1000)
        .map(|number| format!("unknown{number}: 1\n"))
        .collect();
    let problems = support::problems(&support::load_with(&keys));
    assert_eq!(problems.lines().count(), 21);
    assert!(
        problems.ends_with("palisade.yaml:24:1: error: 980 more unknown keys here\n"),
        "{problems}"
    );
}

#[test]
fn a_sites_rules_are_compared_with_the_global_ones() {
    let yaml = "\
listeners: [{address: 127.0.0.1:8000}]
upstreams: {app: {servers: [127.0.0.1:9000]}}
access: {rules: [{id: x, match: {path: {prefix: /a}}, action: block}]}
sites:
  - upstream: app
    access: {rules: [{id: y, match: {path: /a/b}, action: block}]}
";
    support::check_problems_alone(
        yaml,
        &[
            "6:22: warning: rule y is never reached: x (palisade.yaml:3:18) decides all that it matches",
        ],
    );
}
