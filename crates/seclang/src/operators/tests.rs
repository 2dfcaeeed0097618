//! What the tests of all operators share, and what holds of all of them.

use super::*;
use crate::SourceError;

/// The files of the tests.
struct Files;

impl Sources for Files {
    fn read(&self, name: &str) -> Result<Vec<u8>, SourceError> {
        let content: &[u8] = match name {
            "phrases.data" => b"# no phrase\n  a b \r\n\n\ttwo|bars\n|66 67|\n#\n",
            "more.data" => b"more",
            "empty.data" => b"# nothing\n\n",
            "addresses.data" => b"# ours\n198.51.100.0/24\r\n\n 2001:db8::1 \n",
            _ => return Err(SourceError("no such file".to_owned())),
        };
        Ok(content.to_vec())
    }
}

pub(super) fn parse(name: &str, argument: &[u8]) -> Operator {
    match Operator::parse(name.as_bytes(), argument, &Files) {
        Ok(operator) => operator,
        Err(error) => panic!("{error}"),
    }
}

pub(super) fn matcher(name: &str, argument: &[u8]) -> Matcher {
    match parse(name, argument) {
        Operator::Match(matcher) => matcher,
        other => panic!("{other:?}"),
    }
}

fn shown(value: &[u8]) -> String {
    value.get(..80).unwrap_or(value).escape_ascii().to_string()
}

#[track_caller]
pub(super) fn check(name: &str, argument: &[u8], value: &[u8], expected: bool) {
    assert!(parse(name, argument).macros().is_none(), "macros");
    let matcher = matcher(name, argument);
    let mut cache = OperatorCache::default();
    for _ in 0..2 {
        let found = matcher.matches(value, b"not this", &mut cache);
        assert_eq!(
            found.is_some(),
            expected,
            "@{name} {} of {}",
            argument.escape_ascii(),
            shown(value)
        );
    }
}

/// Of an argument with macros that were expanded to `expanded`.
#[track_caller]
pub(super) fn check_expanded(
    name: &str,
    argument: &[u8],
    expanded: &[u8],
    value: &[u8],
    expected: bool,
) {
    assert!(parse(name, argument).macros().is_some(), "no macros");
    let found = matcher(name, argument)
        .matches(value, expanded, &mut OperatorCache::default())
        .is_some();
    assert_eq!(
        found,
        expected,
        "@{name} {} of {}",
        expanded.escape_ascii(),
        value.escape_ascii()
    );
}

#[track_caller]
pub(super) fn check_phrase(name: &str, argument: &[u8], value: &[u8], expected: Option<&[u8]>) {
    let matcher = matcher(name, argument);
    let found = matcher.matches(value, b"", &mut OperatorCache::default());
    assert_eq!(found, expected.map(Match::Phrase));
}

#[track_caller]
pub(super) fn check_part(name: &str, argument: &[u8], value: &[u8], expected: Option<&[u8]>) {
    let matcher = matcher(name, argument);
    let found = match matcher.matches(value, b"", &mut OperatorCache::default()) {
        Some(Match::Part(part)) => Some(&value[part]),
        Some(other) => panic!("{other:?}"),
        None => None,
    };
    assert_eq!(found, expected);
}

#[track_caller]
pub(super) fn parse_error(name: &str, argument: &[u8]) -> String {
    match Operator::parse(name.as_bytes(), argument, &Files) {
        Ok(operator) => panic!("{operator:?}"),
        Err(error) => error.to_string(),
    }
}

#[test]
fn names_are_of_any_case() {
    for name in ["rx", "RX", "BeginsWith", "IPMatch", "DETECTSQLI", "streq"] {
        parse(name, b"::1");
    }
}

#[test]
fn what_others_decide() {
    assert!(matches!(parse("detectSQLi", b""), Operator::DetectSqli));
    assert!(matches!(parse("detectXSS", b""), Operator::DetectXss));
    assert!(matches!(parse("geoLookup", b""), Operator::GeoLookup));
}

#[test]
fn always_and_never() {
    check("unconditionalMatch", b"", b"", true);
    check("unconditionalMatch", b"x", b"y", true);
    check("noMatch", b"", b"", false);
    check("noMatch", b"x", b"x", false);
}

#[test]
fn what_is_no_operator_is_an_error() {
    assert_eq!(
        parse_error("foo", b"x"),
        "@foo: there is no such operator (at byte 0 of the argument)"
    );
    for (refused, _) in REFUSED {
        let error = parse_error(&refused.to_uppercase(), b"x");
        assert!(error.contains("this operator is refused: "), "{error}");
    }
}

#[test]
fn a_cache_of_another_operator_is_emptied() {
    let (first, second) = (matcher("rx", b"a(b)"), matcher("rx", b"(c)d(e)"));
    let (mut cache, mut groups) = (OperatorCache::default(), Groups::default());
    for _ in 0..3 {
        assert!(first.matches(b"xabx", b"", &mut cache).is_some());
        assert!(second.matches(b"xabx", b"", &mut cache).is_none());
        second.captures(b"xcde", &mut cache, &mut groups);
        assert_eq!(groups.iter().collect::<Vec<_>>(), [1..4, 1..2, 3..4]);
    }
    assert!(cache.memory_usage() > 0);
}
