//! Evaluating rules allocates nothing once the scratch has grown.

#![expect(clippy::unwrap_used, reason = "a test")]

use http::{HeaderMap, HeaderValue};
use palisade_access::{
    Action, AddressCondition, Condition, CountryCondition, Field, Pattern, PatternKind, Rule,
    RuleSet, Scratch, TextCondition,
};
use palisade_testkit::alloc::{CountingAllocator, allocations_of};
use palisade_vocabulary::{
    Cidr, ClientAddr, HttpVersion, Known, Mode, PathView, Place, RequestView, Scheme,
};

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator;

fn text(field: Field, kind: PatternKind, pattern: &str, ignore_case: bool) -> Condition {
    let pattern = Pattern::new(kind, pattern, ignore_case).unwrap();
    Condition::Text(TextCondition::new(field, [pattern]).unwrap())
}

/// A rule for each kind of matcher on each field that a request may hit, all recorded or missed.
fn rules() -> RuleSet {
    let fields = [
        Field::Path,
        Field::RawPath,
        Field::Query,
        Field::Host,
        Field::Method,
        Field::UserAgent,
        Field::Header("accept".parse().unwrap()),
        Field::Cookie("session".into()),
    ];
    let patterns = [
        (PatternKind::Equals, "GET"),
        (PatternKind::Prefix, "/shop"),
        (PatternKind::Suffix, ".php"),
        (PatternKind::Contains, "mozilla"),
        (PatternKind::Regex, r"^/shop/\w+\.html$"),
        (PatternKind::Regex, "^[a-z0-9]{6}$"),
    ];
    let mut conditions: Vec<Condition> = Vec::new();
    for field in &fields {
        for (kind, pattern) in patterns {
            for ignore_case in [false, true] {
                conditions.push(text(field.clone(), kind, pattern, ignore_case));
            }
        }
    }
    let range: Cidr = "192.0.2.0/24".parse().unwrap();
    conditions.push(Condition::Address(AddressCondition::new(
        [range].into(),
        "office".into(),
    )));
    let country = CountryCondition::new(["DE".parse().unwrap()], false).unwrap();
    conditions.push(Condition::Not(Box::new(Condition::Country(country))));
    let rules = conditions
        .into_iter()
        .enumerate()
        .map(|(number, condition)| Rule {
            id: format!("r{number}").parse().unwrap(),
            condition,
            action: if number % 2 == 0 {
                Action::Log
            } else {
                Action::Block { status: None }
            },
            mode: Mode::Detect,
            reason: None,
            place: "test".into(),
        });
    RuleSet::build(rules.collect()).unwrap()
}

#[test]
fn a_warm_scratch_allocates_nothing() {
    let rules = rules();
    let client = ClientAddr::peer("192.0.2.7".parse().unwrap(), 4000);
    let mut headers = HeaderMap::new();
    headers.append(
        "user-agent",
        HeaderValue::from_static("Mozilla/5.0 (X11; Linux x86_64)"),
    );
    headers.append(
        "cookie",
        HeaderValue::from_static("session=abc123; theme=dark"),
    );
    headers.append("accept", HeaderValue::from_static("*/*"));
    let view = RequestView {
        client: &client,
        place: Place {
            country: Known::Is("FR".parse().unwrap()),
            asn: Known::Unlisted,
        },
        scheme: Scheme::Https,
        version: HttpVersion::Http2,
        method: "GET",
        host: "example.com",
        path: PathView {
            raw: b"/shop;a/chairs.html",
            canonical: b"/shop;a/chairs.html",
            without_params: Some(b"/shop/chairs.html"),
        },
        query: b"page=2",
        headers: &headers,
    };
    let mut scratch = Scratch::new();
    let mut recorded = 0;
    let cold = allocations_of(|| recorded = rules.evaluate(&view, &mut scratch).recorded().count());
    assert!(cold > 0, "the counter counts");
    assert!(
        recorded > 10,
        "the request hits something of every kind: {recorded}"
    );
    for _ in 0..3 {
        rules.evaluate(&view, &mut scratch);
    }
    let warm = allocations_of(|| {
        for _ in 0..100 {
            assert_eq!(
                rules.evaluate(&view, &mut scratch).recorded().count(),
                recorded
            );
        }
    });
    assert_eq!(warm, 0);
}
