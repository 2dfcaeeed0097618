//! A file of tests.

use std::path::Path;
use std::sync::Arc;

use palisade_vocabulary::Scheme;
use palisade_yaml::{Content, Location, Node, quoted};

use super::message::read_message;
use super::{Input, Output, Stage, Test, TestId, read_output};
use crate::fields::Fields;
use crate::problem::{Problems, SuiteError};

const FILE_KEYS: &[&str] = &["meta", "author", "rule_id", "tests"];
const TEST_KEYS: &[&str] = &["test_id", "test_title", "desc", "tags", "stages"];
const STAGE_KEYS: &[&str] = &["description", "input", "output"];
pub(super) const INPUT_KEYS: &[&str] = &[
    "dest_addr",
    "port",
    "protocol",
    "method",
    "uri",
    "version",
    "headers",
    "ordered_headers",
    "data",
    "encoded_data",
    "encoded_request",
    "autocomplete_headers",
    "stop_magic",
    "save_cookie",
    "follow_redirect",
    "virtual_host_mode",
];

/// The tests of `file`, whose text is `bytes`, in their order; none of an empty file.
///
/// # Errors
///
/// All that is wrong with the file, with places: what is no YAML, keys that are not known, values that
/// don't fit, templates with functions that are not known, tests without stages.
pub fn parse_tests(file: &Arc<Path>, bytes: &[u8]) -> Result<Vec<Test>, SuiteError> {
    let mut problems = Problems::default();
    let root = palisade_yaml::parse(file, bytes, &mut |location, message| {
        problems.add(location, message);
    });
    let tests = match root {
        Some(root) if root.content != Content::Null => read_file(&root, &mut problems),
        _ => None,
    };
    problems.or_else(tests.unwrap_or_default())
}

fn read_file(root: &Node, problems: &mut Problems) -> Option<Vec<Test>> {
    let fields = Fields::read(root, FILE_KEYS, problems)?;
    let written = fields.number("rule_id", problems).filter(|id| *id != 0);
    let Some(rule_id) = written.or_else(|| number_of_file(root.location.file())) else {
        let message = "there is no `rule_id`, and no number in the file's name";
        problems.add(&root.location, message);
        return None;
    };
    let tests = fields.list("tests", problems).iter().enumerate();
    Some(
        tests
            .filter_map(|(index, node)| read_test(node, rule_id, index, problems))
            .collect(),
    )
}

/// The first number in a file's name.
fn number_of_file(file: &Path) -> Option<u64> {
    let name = file.file_name()?.to_str()?;
    let mut digits = name.split(|character: char| !character.is_ascii_digit());
    digits.find(|digits| !digits.is_empty())?.parse().ok()
}

fn read_test(node: &Node, rule_id: u64, index: usize, problems: &mut Problems) -> Option<Test> {
    let fields = Fields::read(node, TEST_KEYS, problems)?;
    let written = fields.number("test_id", problems).filter(|id| *id != 0);
    let position = u64::try_from(index).unwrap_or(u64::MAX).saturating_add(1);
    let stages = fields.list("stages", problems);
    if stages.is_empty() {
        problems.add(
            fields.location,
            "the test has no stages, and so tests nothing",
        );
    }
    Some(Test {
        id: TestId {
            rule_id,
            test_id: written.unwrap_or(position),
        },
        location: node.location.clone(),
        description: fields.text("desc", problems).unwrap_or_default().to_owned(),
        stages: stages
            .iter()
            .filter_map(|stage| read_stage(stage, problems))
            .collect(),
    })
}

fn read_stage(node: &Node, problems: &mut Problems) -> Option<Stage> {
    let fields = Fields::read(inner_stage(node), STAGE_KEYS, problems)?;
    let input = match fields.node("input") {
        Some(input) => read_input(input, problems),
        None => {
            problems.add(fields.location, "the stage has no `input`");
            None
        }
    };
    let output = match fields.node("output") {
        Some(output) => read_output(output, problems),
        None => Some(Output::default()),
    };
    Some(Stage {
        input: input?,
        output: output?,
    })
}

/// The first versions had `stage` between the list's entry and what is in it.
fn inner_stage(node: &Node) -> &Node {
    match &node.content {
        Content::Mapping(entries) => match &entries[..] {
            [only] if &*only.key == "stage" => &only.value,
            _ => node,
        },
        _ => node,
    }
}

fn read_input(node: &Node, problems: &mut Problems) -> Option<Input> {
    let fields = Fields::read(node, INPUT_KEYS, problems)?;
    let dest_addr = fields.text("dest_addr", problems).unwrap_or("localhost");
    let scheme = match fields.text("protocol", problems) {
        None | Some("http") => Scheme::Http,
        Some("https") => Scheme::Https,
        Some(other) => {
            let location: &Location = fields
                .node("protocol")
                .map_or(fields.location, |node| &node.location);
            let message = format!("{} is no protocol; expected http or https", quoted(other));
            problems.add(location, message);
            return None;
        }
    };
    Some(Input {
        dest_addr: dest_addr.to_owned(),
        port: fields.number("port", problems).unwrap_or(80),
        scheme,
        message: read_message(&fields, problems)?,
        save_cookie: fields.flag("save_cookie", problems).unwrap_or(false),
        follow_redirect: fields.flag("follow_redirect", problems).unwrap_or(false),
        virtual_host_mode: fields.flag("virtual_host_mode", problems).unwrap_or(false),
    })
}
