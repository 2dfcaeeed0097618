//! What must come of a request.

use palisade_yaml::{Location, Node, quoted};

use super::Pattern;
use crate::fields::Fields;
use crate::problem::Problems;

/// What must come of a request; the default takes whatever comes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Output {
    /// The answer's status.
    pub status: Option<u16>,
    /// What must be in the answer, head or body.
    pub response_contains: Option<Pattern>,
    /// Whether there must be no answer at all. Nothing else counts then.
    pub expect_error: bool,
    /// Whether a second try counts, should the first one fail.
    pub retry_once: bool,
    /// Whether exactly one rule must be logged.
    pub isolated: bool,
    /// What must be logged.
    pub log: LogExpectations,
}

/// What the log must have of a request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LogExpectations {
    /// Rules that must be logged, all of them.
    pub expect_ids: Vec<u64>,
    /// Rules that must not.
    pub no_expect_ids: Vec<u64>,
    /// What must be in a line.
    pub match_regex: Option<Pattern>,
    /// What must be in none.
    pub no_match_regex: Option<Pattern>,
}

const KEYS: &[&str] = &[
    "status",
    "response_contains",
    "expect_error",
    "retry_once",
    "isolated",
    "log",
    "log_contains",
    "no_log_contains",
];
const LOG_KEYS: &[&str] = &[
    "expect_ids",
    "no_expect_ids",
    "match_regex",
    "no_match_regex",
];

/// What is written at `node`.
pub(crate) fn read_output(node: &Node, problems: &mut Problems) -> Option<Output> {
    let fields = Fields::read(node, KEYS, problems)?;
    // 0 is the number of who doesn't ask for one.
    let status = fields.number("status", problems).filter(|code| *code != 0);
    Some(Output {
        status,
        response_contains: pattern(&fields, "response_contains", problems),
        expect_error: fields.flag("expect_error", problems).unwrap_or(false),
        retry_once: fields.flag("retry_once", problems).unwrap_or(false),
        isolated: fields.flag("isolated", problems).unwrap_or(false),
        log: read_log(&fields, problems),
    })
}

fn read_log(output: &Fields<'_>, problems: &mut Problems) -> LogExpectations {
    let fields = output
        .node("log")
        .and_then(|node| Fields::read(node, LOG_KEYS, problems));
    let mut log = fields
        .as_ref()
        .map_or_else(LogExpectations::default, |fields| LogExpectations {
            expect_ids: fields.numbers("expect_ids", problems),
            no_expect_ids: fields.numbers("no_expect_ids", problems),
            match_regex: pattern(fields, "match_regex", problems),
            no_match_regex: pattern(fields, "no_match_regex", problems),
        });
    let is_given = |name: &str| {
        fields
            .as_ref()
            .is_some_and(|fields| fields.node(name).is_some())
    };
    // The names of the first versions, which count where there are no others.
    if !is_given("expect_ids") && log.match_regex.is_none() {
        log.match_regex = pattern(output, "log_contains", problems);
    }
    if !is_given("no_expect_ids") && log.no_match_regex.is_none() {
        log.no_match_regex = pattern(output, "no_log_contains", problems);
    }
    log
}

/// A pattern; an empty one is none.
fn pattern(fields: &Fields<'_>, name: &str, problems: &mut Problems) -> Option<Pattern> {
    let text = fields
        .text(name, problems)
        .filter(|text| !text.is_empty())?;
    let location: &Location = fields
        .node(name)
        .map_or(fields.location, |node| &node.location);
    Pattern::new(text)
        .map_err(|error| problems.add(location, not_an_expression(text, &error)))
        .ok()
}

/// In one line: errors of syntax draw the expression, and say what is wrong in their last line.
fn not_an_expression(text: &str, error: &regex::Error) -> String {
    let told = error.to_string();
    let last = told.lines().last().unwrap_or_default();
    let what = last.strip_prefix("error: ").unwrap_or(last);
    format!("not a regular expression: {what}; got {}", quoted(text))
}
