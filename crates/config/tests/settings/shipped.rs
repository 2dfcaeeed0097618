//! What the repository ships: the default settings, the examples, the demo, the rules.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use palisade_access::{RuleSet, Scratch};
use palisade_config::files::{Disk, FileContent, FileError, Files, Memory, Stamp};
use palisade_config::{Loaded, Settings};
use palisade_hygiene::path::{PathPolicy, PathScratch, canonicalise};
use palisade_vocabulary::{ClientAddr, HttpVersion, Place, RequestView, Scheme};

use crate::listeners::certificate;

/// The path of a file of the repository.
pub(crate) fn repository_path(name: &str) -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    std::fs::canonicalize(root).unwrap().join(name)
}

/// A file of the repository; empty where there is none yet.
pub(crate) fn repository_file(name: &str) -> Vec<u8> {
    std::fs::read(repository_path(name)).unwrap_or_default()
}

/// Files of the repository, and some that an operator would have.
struct Shipped(Memory);

impl Shipped {
    fn new() -> Self {
        let (certificate, key) = certificate(&["shop.example.com"]);
        let mut files = Memory::default();
        for folder in ["config", "config/examples"] {
            for name in [
                "example",
                "clients",
                "internal-ca",
                "palisade",
                "shop",
                "wiki",
                "origin",
                "cloudflare-origin-pull-ca",
            ] {
                files = files
                    .with(
                        repository_path(&format!("{folder}/tls/{name}.crt")),
                        certificate.clone(),
                    )
                    .with(
                        repository_path(&format!("{folder}/tls/{name}.key")),
                        key.clone(),
                    );
            }
            let country = palisade_testkit::mmdb::country_database(&[("192.0.2.0/24", "DE")]);
            files = files
                .with(
                    repository_path(&format!("{folder}/secrets/crowdsec")),
                    "0123abcd\n",
                )
                .with(
                    repository_path(&format!("{folder}/lists/tor.txt")),
                    "198.51.100.1\n",
                )
                .with(
                    repository_path(&format!("{folder}/pages/blocked.html")),
                    "{{request_id}}",
                )
                .with(repository_path(&format!("{folder}/sites/none.yaml")), "")
                .with(
                    repository_path(&format!("{folder}/crs/crs-setup.conf")),
                    "SecRuleEngine On\n",
                )
                .with(repository_path(&format!("{folder}/recommended.conf")), "")
                .with(repository_path(&format!("{folder}/crs/rules/a.conf")), "")
                .with(
                    repository_path(&format!("{folder}/crs-next/crs-setup.conf")),
                    "SecRuleEngine On\n",
                )
                .with(
                    repository_path(&format!("{folder}/crs-next/rules/a.conf")),
                    "",
                )
                .with(repository_path(&format!("{folder}/waf/before.conf")), "")
                .with(
                    repository_path(&format!("{folder}/users.htpasswd")),
                    "alice:$2y$05$c4WoMPo3SXsafkva.HHa6uXQZWr7oboPiC2bT/r7q1BB8I2s0BRqC\n",
                )
                .with(repository_path(&format!("{folder}/waf/after.conf")), "")
                .with(
                    repository_path(&format!("{folder}/geo/country.mmdb")),
                    country,
                );
        }
        Self(files)
    }

    fn load(self, name: &str) -> Loaded {
        let environment = |name: &str| match name {
            "CROWDSEC_API_KEY" => Some("0123abcd".to_owned()),
            "DEMO_BACKEND" => Some("127.0.0.1:9000".to_owned()),
            _ => None,
        };
        Settings::load(&self, &environment, &repository_path(name))
            .unwrap_or_else(|error| panic!("{error}"))
    }
}

impl Files for Shipped {
    fn read(&self, path: &Path, bytes_max: u64) -> Result<FileContent, FileError> {
        self.0
            .read(path, bytes_max)
            .or_else(|_| Disk.read(path, bytes_max))
    }

    fn list(&self, folder: &Path) -> Result<Vec<String>, FileError> {
        self.0.list(folder).or_else(|_| Disk.list(folder))
    }

    fn stamp(&self, path: &Path) -> Option<Stamp> {
        self.0.stamp(path).or_else(|| Disk.stamp(path))
    }
}

/// What is warned of besides the shipped rules' own folder.
#[track_caller]
fn check_warnings(loaded: &Loaded, expected: &[&str]) {
    let warnings: Vec<&str> = loaded
        .warnings
        .iter()
        .map(|warning| warning.message.as_str())
        .collect();
    let warnings: Vec<&str> = warnings
        .into_iter()
        .filter(|message| !message.contains("no file matches"))
        .collect();
    assert_eq!(warnings, expected);
}

#[test]
fn the_default_settings_are_right() {
    check_warnings(&Shipped::new().load("config/palisade.yaml"), &[]);
}

/// The default settings with everything turned on that is off.
fn everything_on() -> String {
    let text = String::from_utf8(repository_file("config/palisade.yaml")).unwrap();
    let mut on = String::new();
    for line in text.lines() {
        let indent = line.len() - line.trim_start().len();
        let (space, rest) = line.split_at(indent);
        match rest.strip_prefix("# ") {
            Some(setting) => on.push_str(&format!("{space}{setting}\n")),
            None => on.push_str(&format!("{line}\n")),
        }
    }
    on
}

#[test]
fn the_default_settings_with_everything_on_are_right() {
    let mut shipped = Shipped::new();
    let path = repository_path("config/everything.yaml");
    shipped.0 = shipped.0.with(path, everything_on());
    let loaded = shipped.load("config/everything.yaml");
    let asn = repository_path("config/geo/asn.mmdb");
    let missing = format!(
        "{}: there is no such file; until then, what was loaded before is used; without it rules that ask for it don't match",
        asn.display()
    );
    let unfetched = "there is no copy of this list yet: it is empty until its server answers";
    // The site only detects.
    let wins = "this wins over the rule files, which say SecRuleEngine On";
    // Each key by itself is right.
    let opens = "a path with `encoded_slash` may be protected for the backend (admin) and another one here, which opens it; allow only forms that the backend reads as they are read here";
    check_warnings(&loaded, &[wins, opens, unfetched, &missing]);
}

#[test]
fn the_default_settings_explain_every_key() {
    let text = everything_on();
    let words: HashSet<&str> = text
        .split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'))
        .collect();
    let schema = palisade_config::json_schema();
    let tables = schema["$defs"].as_object().unwrap();
    for (name, table) in tables
        .iter()
        .filter(|(_, table)| table["properties"].is_object())
    {
        for key in table["properties"].as_object().unwrap().keys() {
            assert!(
                words.contains(key.as_str()),
                "config/palisade.yaml doesn't explain {name}.{key}"
            );
        }
    }
}

#[test]
fn the_examples_are_right() {
    let names = Disk.list(&repository_path("config/examples")).unwrap();
    assert!(names.len() >= 4, "{names:?}");
    for name in names {
        check_warnings(
            &Shipped::new().load(&format!("config/examples/{name}")),
            &[],
        );
    }
}

/// One line of `rules/tests.tsv`: a request, and the rule that blocks it or must not.
struct RuleTest<'a> {
    line: usize,
    rule: &'a str,
    blocks: bool,
    target: &'a str,
    user_agent: &'a str,
}

impl<'a> RuleTest<'a> {
    fn parse(line: usize, text: &'a str) -> Self {
        let columns: Vec<&str> = text.split('\t').collect();
        let [rule, outcome, target, user_agent] = columns[..] else {
            panic!("rules/tests.tsv:{line}: expected 4 columns: {text}");
        };
        assert!(
            matches!(outcome, "block" | "pass"),
            "rules/tests.tsv:{line}: {outcome}"
        );
        Self {
            line,
            rule,
            blocks: outcome == "block",
            target,
            user_agent: if user_agent.is_empty() {
                BROWSER
            } else {
                user_agent
            },
        }
    }

    /// The rule that blocks the request.
    fn blocked_by(&self, rules: &RuleSet) -> Option<String> {
        let (path, query) = self.target.split_once('?').unwrap_or((self.target, ""));
        let everything = PathPolicy {
            encoded_slash: true,
            backslash: true,
            encoded_nul: true,
            malformed_escapes: true,
            double_encoding: true,
            unresolved_dot_dot: true,
        };
        let mut path_scratch = PathScratch::default();
        let path = canonicalise(path.as_bytes(), &everything, &mut path_scratch).unwrap();
        let client = ClientAddr::peer("192.0.2.1".parse().unwrap(), 1);
        let mut headers = http::HeaderMap::new();
        headers.insert("user-agent", self.user_agent.parse().unwrap());
        let view = RequestView {
            client: &client,
            place: Place::UNAVAILABLE,
            scheme: Scheme::Https,
            version: HttpVersion::Http11,
            method: "GET",
            host: "example.com",
            path,
            query: query.as_bytes(),
            headers: &headers,
        };
        let mut scratch = Scratch::new();
        let decided = rules.evaluate(&view, &mut scratch).decided;
        decided.map(|rule| rule.id.to_string())
    }
}

const BROWSER: &str = "Mozilla/5.0 (X11; Linux x86_64; rv:143.0) Gecko/20100101 Firefox/143.0";

#[test]
fn shipped_rules_block_what_they_say_and_no_near_miss() {
    let rules = Shipped::new()
        .load("config/palisade.yaml")
        .settings
        .gate
        .rules;
    let rules = RuleSet::build(rules).unwrap();
    let text = String::from_utf8(repository_file("rules/tests.tsv")).unwrap();
    let numbered = (1..).zip(text.lines());
    let tests = numbered.filter(|(_, text)| !text.starts_with('#') && !text.is_empty());
    let tests: Vec<RuleTest<'_>> = tests
        .map(|(line, text)| RuleTest::parse(line, text))
        .collect();
    for test in &tests {
        let expected = test.blocks.then_some(test.rule);
        assert_eq!(
            test.blocked_by(&rules).as_deref(),
            expected,
            "rules/tests.tsv:{}",
            test.line
        );
    }
    for rule in rules.rules() {
        let of_rule = |blocks: bool| {
            tests
                .iter()
                .any(|test| test.rule == rule.id.as_str() && test.blocks == blocks)
        };
        assert!(
            of_rule(true) && of_rule(false),
            "rule {} needs a match and a near miss",
            rule.id
        );
        assert!(rule.reason.is_some(), "rule {} needs a reason", rule.id);
    }
}
