//! What a platform does otherwise than a suite expects, and why.

use std::path::Path;
use std::sync::Arc;

use palisade_yaml::{Content, Location, Node};

use crate::fields::Fields;
use crate::problem::{Problems, SuiteError};
use crate::suite::{Output, Stage, Test, TestId, read_output};

/// Overrides, in the order of their file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Overrides {
    /// Where several are for one stage, the last one counts.
    pub list: Vec<Override>,
}

/// Other expectations for some tests of a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Override {
    /// Where it is written.
    pub location: Location,
    /// The rule.
    pub rule_id: u64,
    /// Its tests; all of them where there are none.
    pub test_ids: Vec<u64>,
    /// Their stages, from 0; all of them where there are none.
    pub stage_ids: Vec<u64>,
    /// Why; never empty.
    pub reason: String,
    /// What must come of their requests instead.
    pub output: Output,
}

const FILE_KEYS: &[&str] = &["version", "meta", "test_overrides"];
const KEYS: &[&str] = &[
    "rule_id",
    "test_ids",
    "stage_ids",
    "reason",
    "retry_once",
    "output",
];

/// The overrides of `file`, whose text is `bytes`; none of an empty file.
///
/// # Errors
///
/// All that is wrong with the file, with places: what is no YAML, keys that are not known, values that
/// don't fit, overrides without a rule or without a reason.
pub fn parse_overrides(file: &Arc<Path>, bytes: &[u8]) -> Result<Overrides, SuiteError> {
    let mut problems = Problems::default();
    let root = palisade_yaml::parse(file, bytes, &mut |location, message| {
        problems.add(location, message);
    });
    let list = match root {
        Some(root) if root.content != Content::Null => read_file(&root, &mut problems),
        _ => Vec::new(),
    };
    problems.or_else(Overrides { list })
}

fn read_file(root: &Node, problems: &mut Problems) -> Vec<Override> {
    let Some(fields) = Fields::read(root, FILE_KEYS, problems) else {
        return Vec::new();
    };
    let nodes = fields.list("test_overrides", problems).iter();
    nodes
        .filter_map(|node| read_override(node, problems))
        .collect()
}

fn read_override(node: &Node, problems: &mut Problems) -> Option<Override> {
    let fields = Fields::read(node, KEYS, problems)?;
    let rule_id = fields.number("rule_id", problems);
    if fields.node("rule_id").is_none() {
        problems.add(fields.location, "the override has no `rule_id`");
    }
    let reason = fields.text("reason", problems).unwrap_or_default().trim();
    if reason.is_empty() {
        let message = "the override has no `reason`; say why the platform does otherwise";
        problems.add(fields.location, message);
    }
    let mut output = match fields.node("output") {
        Some(output) => read_output(output, problems)?,
        None => Output::default(),
    };
    if let Some(retry_once) = fields.flag("retry_once", problems) {
        output.retry_once = retry_once;
    }
    Some(Override {
        location: node.location.clone(),
        rule_id: rule_id?,
        test_ids: fields.numbers("test_ids", problems),
        stage_ids: fields.numbers("stage_ids", problems),
        reason: reason.to_owned(),
        output,
    })
}

impl Overrides {
    /// Those that are for none of `tests`.
    #[must_use]
    pub fn without_test(&self, tests: &[Test]) -> Vec<Override> {
        let is_needless = |one: &&Override| !tests.iter().any(|test| one.is_for(test.id));
        self.list.iter().filter(is_needless).cloned().collect()
    }

    /// The overrides for a test.
    pub(crate) fn of(&self, id: TestId) -> impl Iterator<Item = &Override> {
        self.list.iter().filter(move |one| one.is_for(id))
    }
}

impl Override {
    /// Whether it is for the test `id`.
    #[must_use]
    pub fn is_for(&self, id: TestId) -> bool {
        self.rule_id == id.rule_id
            && (self.test_ids.is_empty() || self.test_ids.contains(&id.test_id))
    }

    /// Gives the stages that it is for its own expectations.
    pub(crate) fn apply(&self, stages: &mut [Stage]) {
        for (index, stage) in (0_u64..).zip(stages) {
            if self.stage_ids.is_empty() || self.stage_ids.contains(&index) {
                stage.output.clone_from(&self.output);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parse(yaml: &str) -> Result<Overrides, SuiteError> {
        parse_overrides(&Arc::from(Path::new("o.yaml")), yaml.as_bytes())
    }

    #[track_caller]
    fn check_problems(yaml: &str, expected: &[&str]) {
        let problems = parse(yaml).map_or_else(|error| error.to_string(), |_| String::new());
        assert_eq!(problems, expected.join("\n"), "{yaml}");
    }

    #[test]
    fn overrides_say_what_comes_instead() {
        let yaml = "version: v1\nmeta: {engine: a, platform: b}\ntest_overrides:\n- rule_id: 7\n  test_ids: [1, 2]\n  stage_ids: [0]\n  reason: |\n    because\n  output: {status: 200}\n  retry_once: true\n- {rule_id: 8, reason: x}\n";
        let overrides = parse(yaml).unwrap();
        let [first, second] = &overrides.list[..] else {
            panic!("{overrides:?}")
        };
        assert_eq!(first.location.to_string(), "o.yaml:4:3");
        assert_eq!(first.reason, "because");
        assert_eq!(first.output.status, Some(200));
        assert!(first.output.retry_once);
        let id = |rule_id, test_id| TestId { rule_id, test_id };
        assert!(first.is_for(id(7, 2)) && !first.is_for(id(7, 3)) && !first.is_for(id(8, 1)));
        assert!(second.is_for(id(8, 9)));
        assert_eq!(second.output, Output::default());
        assert_eq!(parse("").unwrap(), Overrides::default());
    }

    #[test]
    fn an_override_says_why() {
        check_problems(
            "test_overrides: [{rule_id: 7}, {reason: ' '}, {rule_id: 7, reason: x, rule: 1}]",
            &[
                "o.yaml:1:18: the override has no `reason`; say why the platform does otherwise",
                "o.yaml:1:32: the override has no `rule_id`",
                "o.yaml:1:32: the override has no `reason`; say why the platform does otherwise",
                "o.yaml:1:71: \"rule\" is not known here; expected rule_id, test_ids, stage_ids, reason, retry_once, output",
            ],
        );
        check_problems(
            "test_overrides: {}",
            &["o.yaml:1:17: got a mapping (key: value); expected a list"],
        );
    }

    proptest! {
        #[test]
        fn any_text_is_answered(text in "(test_overrides|rule_id|reason|output|: |\n *|- |[\\[\\]{},\"]|a|1){0,30}") {
            let _ = parse(&text);
        }
    }
}
