//! Sites with rules of their own, and rules that change.

use super::{Gate, SetUp};
use crate::harness::{Backend, wait_for};

const ONE: &str = "SecRuleEngine On\nSecRule ARGS \"@contains one\" \"id:1,phase:2,deny,log\"\n";
const TWO: &str = "SecRuleEngine On\nSecRule ARGS \"@contains two\" \"id:1,phase:2,deny,log\"\n";
const OTHER: &str =
    "SecRuleEngine On\nSecRule ARGS \"@contains three\" \"id:2,phase:2,deny,log\"\n";

/// Two sites with rules of their own, one that only detects, and one without rules.
fn sites() -> Gate {
    Gate::set_up(
        Backend::start(),
        &SetUp {
            files: &[("one.conf", ONE), ("two.conf", TWO)],
            waf: "rules: one.conf",
            sites: "
  - { hosts: one.example, upstream: app }
  - { hosts: two.example, upstream: app, waf: { rules: two.conf } }
  - { hosts: detect.example, upstream: app, waf: { mode: detect } }
  - { hosts: off.example, upstream: app, waf: { mode: off } }",
            ..SetUp::default()
        },
    )
}

impl Gate {
    /// The status that a site answers `q` with.
    #[track_caller]
    fn asked(&self, site: &str, q: &str) -> u16 {
        let request = format!("GET /?q={q} HTTP/1.1\r\nHost: {site}.example\r\n\r\n");
        self.palisade.exchange(request).expect("an answer").status
    }

    #[track_caller]
    fn check(&self, table: &[(&str, &str, u16)]) {
        for (site, q, status) in table {
            assert_eq!(self.asked(site, q), *status, "{site}: {q}");
        }
    }

    /// Replaces a file, and waits for what became of it.
    #[track_caller]
    fn change(&self, file: &str, rules: &str, result: &str) {
        let name = format!("palisade_reloads_total{{result=\"{result}\"}}");
        let before = self.palisade.metric(&name);
        std::fs::write(self.folder().join(file), rules).unwrap();
        self.palisade.signal("HUP");
        wait_for("a reload", || {
            (self.palisade.metric(&name) > before).then_some(())
        });
    }
}

const AT_FIRST: &[(&str, &str, u16)] = &[
    ("one", "one", 403),
    ("one", "two", 200),
    ("two", "one", 200),
    ("two", "two", 403),
    ("detect", "one", 200),
    ("off", "one", 200),
];

#[test]
fn each_site_has_its_own_rules() {
    let gate = sites();
    gate.check(AT_FIRST);
    let detected = gate.wait_for_audit(|line| line["host"] == "detect.example");
    assert_eq!(detected["outcome"], "would_refuse");
    let log = std::fs::read_to_string(gate.folder().join("audit.jsonl")).unwrap();
    assert!(!log.contains("off.example"), "{log}");
}

#[test]
fn a_change_of_one_file_changes_its_site_alone() {
    let gate = sites();
    gate.check(AT_FIRST);
    gate.change("two.conf", OTHER, "ok");
    gate.check(&[
        ("one", "one", 403),
        ("one", "three", 200),
        ("two", "two", 200),
        ("two", "three", 403),
        ("detect", "one", 200),
    ]);
}

#[test]
fn a_broken_file_changes_nothing_and_is_told_with_its_place() {
    let gate = sites();
    gate.change("two.conf", &format!("{OTHER}SecNothing On\n"), "failed");
    gate.check(AT_FIRST);
    let said = gate.palisade.stderr();
    let told = said.iter().any(|line| line.contains("two.conf:3:1"));
    assert!(told, "{said:#?}");
}

#[test]
fn rules_of_a_site_stand_around_those_of_all() {
    let gate = Gate::set_up(
        Backend::start(),
        &SetUp {
            files: &[
                ("one.conf", ONE),
                (
                    "before.conf",
                    "SecRule ARGS:x \"@streq 1\" \"id:9,phase:1,pass,nolog,ctl:ruleRemoveById=1\"\n",
                ),
                ("after.conf", "SecRuleRemoveById 1\n"),
            ],
            waf: "rules: one.conf",
            sites: "
  - { hosts: one.example, upstream: app }
  - { hosts: before.example, upstream: app, waf: { rules_before: before.conf } }
  - { hosts: after.example, upstream: app, waf: { rules_after: after.conf } }",
            ..SetUp::default()
        },
    );
    gate.check(&[
        ("one", "one&x=1", 403),
        ("before", "one&x=1", 200),
        ("before", "one&x=2", 403),
        ("after", "one", 200),
    ]);
}
