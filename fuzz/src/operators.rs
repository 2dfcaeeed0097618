//! SecLang's operators. Input: a rule's operator and argument in one line (`rx ^a`), then a value. Files
//! that an argument names hold the value.

use palisade_seclang::{
    Groups, Lookup, MacroText, Match, Matcher, Operator, OperatorCache, SourceError, Sources,
    Variable,
};

use crate::{Outcome, check_message};

/// Longer patterns take the fuzzer's time for what regex-automata does.
const ARGUMENT_BYTES_MAX: usize = 512;

/// What loads is asked the same twice, with a fresh cache and a used one, and what it captures is in the
/// value; else an error with its place. Accepted: what loads.
pub fn check(data: &[u8]) -> Outcome {
    let end = data.iter().position(|byte| *byte == b'\n');
    let (line, value) = data.split_at(end.unwrap_or(data.len()));
    let value = value.strip_prefix(b"\n").unwrap_or_default();
    let space = line.iter().position(|byte| *byte == b' ');
    let (name, argument) = line.split_at(space.unwrap_or(line.len()));
    let argument = argument.strip_prefix(b" ").unwrap_or_default();
    let argument = argument.get(..ARGUMENT_BYTES_MAX).unwrap_or(argument);
    let operator = match Operator::parse(name, argument, &File(value)) {
        Ok(operator) => operator,
        Err(error) => {
            check_message(&error.to_string());
            assert!(error.offset <= argument.len(), "{error}");
            return Outcome::Refused;
        }
    };
    let expanded = operator.macros().map(expand).unwrap_or_default();
    if let Operator::Match(matcher) = operator {
        check_matcher(&matcher, value, &expanded);
    }
    Outcome::Accepted
}

fn check_matcher(matcher: &Matcher, value: &[u8], expanded: &[u8]) {
    let (mut cache, mut groups) = (OperatorCache::default(), Groups::default());
    let first = matcher.matches(value, expanded, &mut cache);
    assert_eq!(first, matcher.matches(value, expanded, &mut cache));
    matcher.captures(value, &mut cache, &mut groups);
    match &first {
        Some(Match::Groups) => assert!(groups.get(0).is_some(), "matches, and has no groups"),
        Some(Match::Part(part)) => assert!(part.start < part.end && part.end <= value.len()),
        Some(Match::Phrase(phrase)) => assert!(
            holds(value, phrase),
            "{} is not there",
            phrase.escape_ascii()
        ),
        Some(Match::Plain) | None => assert!(groups.get(0).is_none()),
    }
    for part in groups.iter() {
        assert!(part.start <= part.end && part.end <= value.len());
    }
}

fn holds(value: &[u8], phrase: &[u8]) -> bool {
    value
        .windows(phrase.len())
        .any(|part| part.eq_ignore_ascii_case(phrase))
}

/// Each variable is its own name.
fn expand(macros: &MacroText) -> Vec<u8> {
    let mut out = Vec::new();
    macros.expand(&Names, &mut out);
    out
}

struct Names;

impl Lookup for Names {
    fn append(&self, variable: &Variable, out: &mut Vec<u8>) {
        out.extend_from_slice(&variable.collection);
        out.extend_from_slice(variable.key.as_deref().unwrap_or_default());
    }
}

struct File<'v>(&'v [u8]);

impl Sources for File<'_> {
    fn read(&self, name: &str) -> Result<Vec<u8>, SourceError> {
        match name {
            "none" => Err(SourceError("no such file".to_owned())),
            _ => Ok(self.0.to_vec()),
        }
    }
}
