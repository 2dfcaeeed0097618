//! Cookies, as access rules see them. Input: a value, then `Cookie` lines, one a line.

use std::net::Ipv4Addr;

use http::header::{COOKIE, HeaderMap, HeaderValue};
use palisade_access::{
    Action, Condition, Field, Pattern, PatternKind, Rule, RuleSet, Scratch, TextCondition,
};
use palisade_hygiene::h2::join_cookies;
use palisade_vocabulary::{ClientAddr, HttpVersion, Mode, PathView, Place, RequestView, Scheme};

use crate::Outcome;

/// The cookie that rules ask for.
const NAME: &str = "session";

/// A rule finds the values that another reading of the lines finds, and the same ones when the lines
/// came as crumbs over HTTP/2.
pub fn check(data: &[u8]) -> Outcome {
    let mut lines = data.split(|byte| *byte == b'\n');
    let wanted = lines.next().unwrap_or_default();
    let lines: Vec<HeaderValue> = lines
        .filter_map(|line| HeaderValue::from_bytes(line).ok())
        .collect();
    let values = values(&lines);
    let mut headers = HeaderMap::new();
    for line in lines {
        headers.append(COOKIE, line);
    }
    let mut joined = headers.clone();
    join_cookies(&mut joined);

    let Some(wanted) = std::str::from_utf8(wanted).ok() else {
        return Outcome::Refused;
    };
    let kinds: [(PatternKind, Holds); 4] = [
        (PatternKind::Equals, |value, wanted| value == wanted),
        (PatternKind::Prefix, |value, wanted| {
            value.starts_with(wanted)
        }),
        (PatternKind::Suffix, |value, wanted| value.ends_with(wanted)),
        (PatternKind::Contains, contains),
    ];
    for (kind, holds) in kinds {
        let Some(rules) = rules(kind, wanted) else {
            continue;
        };
        let expected = values.iter().any(|value| holds(value, wanted.as_bytes()));
        assert_eq!(is_found(&rules, &headers), expected, "{kind:?} {values:?}");
        assert_eq!(is_found(&rules, &joined), expected, "{kind:?} of crumbs");
    }
    match values.is_empty() {
        true => Outcome::Refused,
        false => Outcome::Accepted,
    }
}

/// Whether a value is as wanted.
type Holds = fn(&[u8], &[u8]) -> bool;

fn contains(value: &[u8], wanted: &[u8]) -> bool {
    wanted.is_empty() || value.windows(wanted.len()).any(|window| window == wanted)
}

/// What the lines say of the cookie, read byte by byte.
fn values(lines: &[HeaderValue]) -> Vec<Vec<u8>> {
    let mut found = Vec::new();
    for line in lines {
        let (mut name, mut value) = (Vec::new(), None::<Vec<u8>>);
        for byte in line.as_bytes().iter().chain(b";") {
            match (*byte, &mut value) {
                (b';', _) => {
                    if name.trim_ascii() == NAME.as_bytes() {
                        let value = value.take().unwrap_or_default();
                        found.push(value.trim_ascii().to_vec());
                    }
                    (name, value) = (Vec::new(), None);
                }
                (b'=', None) => value = Some(Vec::new()),
                (byte, None) => name.push(byte),
                (byte, Some(value)) => value.push(byte),
            }
        }
    }
    found
}

/// A rule that asks for the cookie; none where there can be no such pattern.
fn rules(kind: PatternKind, wanted: &str) -> Option<RuleSet> {
    let pattern = Pattern::new(kind, wanted, false).ok()?;
    let condition = TextCondition::new(Field::Cookie(NAME.into()), [pattern]).ok()?;
    let rule = Rule {
        id: "cookie".parse().ok()?,
        condition: Condition::Text(condition),
        action: Action::Block { status: None },
        mode: Mode::Block,
        reason: None,
        place: "rules.yaml:1:1".into(),
    };
    RuleSet::build(vec![rule]).ok()
}

fn is_found(rules: &RuleSet, headers: &HeaderMap) -> bool {
    let client = ClientAddr::peer(Ipv4Addr::new(203, 0, 113, 9).into(), 4711);
    let view = RequestView {
        client: &client,
        place: Place::UNAVAILABLE,
        scheme: Scheme::Https,
        version: HttpVersion::Http2,
        method: "GET",
        host: "a.example",
        path: PathView {
            raw: b"/",
            canonical: b"/",
            without_params: None,
        },
        query: b"",
        headers,
    };
    rules.evaluate(&view, &mut Scratch::new()).decided.is_some()
}
