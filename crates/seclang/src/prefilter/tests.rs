//! What a prefilter promises: that no match is missed.

pub(super) mod corpus;
mod crs;
mod sample;

use proptest::prelude::*;

use super::*;
use crate::{ByteSet, Matcher, Operator, OperatorCache, SourceError, Sources};

use sample::Sampler;

struct NoFiles;

impl Sources for NoFiles {
    fn read(&self, name: &str) -> Result<Vec<u8>, SourceError> {
        Err(SourceError(format!("no {name}")))
    }
}

fn operator(name: &str, argument: &[u8]) -> Operator {
    Operator::parse(name.as_bytes(), argument, &NoFiles)
        .unwrap_or_else(|error| panic!("{}: {error}", argument.escape_ascii()))
}

/// `literals`, separated by bars, and then the class in brackets.
fn shown(requirement: Option<&Requirement>) -> String {
    let Some(Requirement { literals, class }) = requirement else {
        return "anything".to_owned();
    };
    let literals: Vec<String> = literals
        .iter()
        .map(|literal| literal.escape_ascii().to_string())
        .collect();
    let members: Vec<u8> = (0..=u8::MAX).filter(|byte| class.contains(*byte)).collect();
    match members.len() {
        0 => literals.join("|"),
        1..20 => format!("{}[{}]", literals.join("|"), members.escape_ascii()),
        many => format!("{}[{many}]", literals.join("|")),
    }
}

#[track_caller]
fn check(name: &str, argument: &str, expected: &str) {
    let requirement = Requirement::of(&operator(name, argument.as_bytes()));
    assert_eq!(shown(requirement.as_ref()), expected, "@{name} {argument}");
}

#[test]
fn expressions() {
    check("rx", "", "anything");
    check("rx", "^$", "anything");
    check("rx", ".*", "anything");
    check("rx", "select", "select");
    check("rx", "(?i)SELECT", "select");
    check("rx", "(?i:union)\\s+select", "union");
    check("rx", "^(?:foo|ba[rz])$", "bar|baz|foo");
    check("rx", "a(?:b|cd)?ef", "aef|abef|acdef");
    check("rx", "(?:foo)?bar", "bar");
    check("rx", "(?:foo|)+", "anything");
    check("rx", "x{3}", "xxx");
    check("rx", "x{2,}", "xx");
    check("rx", "(?:xy){0}", "anything");
    check("rx", "[;|`]", "[;`|]");
    check("rx", "wget|[;`]", "wget[;`]");
    check("rx", "wg;et|[;`]", "[;`]");
    check("rx", "[a-zA-Z]+\\x00", "[\\x00]");
    check("rx", "\\xffA\\xfe", "\\xffa\\xfe");
    check("rx", "(?i)\\bk\\b", "[Kk]");
    check("rx", "[^\\x00-\\xff]", "");
}

#[test]
fn other_operators() {
    check("pm", "Union  x SELECT", "union|select[Xx]");
    check("contains", "/Etc/", "/etc/");
    check("containsWord", "xyz", "xyz");
    check("streq", "", "anything");
    check("beginsWith", "%{tx.a}", "anything");
    check("endsWith", ".php", ".php");
    check("within", "get post", "anything");
    check("validateByteRange", "1-255", "[\\x00]");
    check("validateUrlEncoding", "", "[%]");
    check("validateUtf8Encoding", "", "[128]");
    check("detectXSS", "", "[<=]");
    check("detectSQLi", "", "[66]");
    check("unconditionalMatch", "", "anything");
    check("noMatch", "", "");
    check("geoLookup", "", "anything");
    check("ge", "5", "anything");
    check("ipMatch", "192.0.2.0/24", "[.:]");
    check("verifyCC", "\\d+;`\\d", ";`");
}

/// Expressions of few letters, so that strings of the same letters match.
fn expressions_of_few_letters() -> impl Strategy<Value = String> {
    let leaf = prop::sample::select(vec![
        "a",
        "b",
        "c",
        "ab",
        "bca",
        "cab",
        "\\xff",
        "\\xe9a",
        "[ab]",
        "[^a]",
        "[a-c]",
        "[\\xe0-\\xff]",
        "\\w",
        "\\s",
        ".",
        "\\d",
        "(?i)a",
        "(?i:bC)",
        "(?i:[a-b])",
        "A",
        "[A-Ba]",
        "^",
        "$",
        "\\b",
        "\\B",
        "",
        "(?-s:.)",
        "[^\\w]",
        "\\x00",
    ]);
    let leaf = leaf.prop_map(|leaf| format!("(?:{leaf})"));
    leaf.prop_recursive(5, 40, 4, |inner| {
        let repetition = prop::sample::select(vec![
            "?", "*", "+", "{2}", "{0,2}", "{2,}", "{1,3}?", "*?", "{9}",
        ]);
        prop_oneof![
            prop::collection::vec(inner.clone(), 1..5).prop_map(|parts| parts.concat()),
            prop::collection::vec(inner.clone(), 1..5)
                .prop_map(|parts| format!("(?:{})", parts.join("|"))),
            (inner.clone(), repetition)
                .prop_map(|(inner, repetition)| format!("(?:{inner}){repetition}")),
            inner.prop_map(|inner| format!("({inner})")),
        ]
    })
}

fn values_of_few_letters() -> impl Strategy<Value = Vec<u8>> {
    let letters = b"aabbccABC \xff\xe9\n\0_1;".to_vec();
    prop::collection::vec(prop::sample::select(letters), 0..14)
}

/// That what `operator` matches of `values` has what is required; how many match.
fn check_values(operator: &Operator, values: &[Vec<u8>]) -> usize {
    let Operator::Match(matcher) = operator else {
        panic!("{operator:?}");
    };
    let requirement = Requirement::of(operator);
    let mut cache = OperatorCache::default();
    let mut matching = 0;
    for value in values {
        if matcher.matches(value, b"", &mut cache).is_some() {
            matching += 1;
            let holds = requirement
                .as_ref()
                .is_none_or(|requirement| requirement.holds(value));
            assert!(
                holds,
                "{matcher:?} matches {} without {}",
                value.escape_ascii(),
                shown(requirement.as_ref())
            );
        }
    }
    matching
}

fn hir(operator: &Operator) -> regex_syntax::hir::Hir {
    match operator {
        Operator::Match(Matcher::Rx(rx)) => rx.hir().unwrap(),
        other => panic!("{other:?}"),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4_000))]

    #[test]
    fn what_matches_has_what_is_required(
        expression in expressions_of_few_letters(),
        values in prop::collection::vec(values_of_few_letters(), 20),
        seed: u64,
    ) {
        let Ok(operator) = Operator::parse(b"rx", expression.as_bytes(), &NoFiles) else {
            return Ok(());
        };
        check_values(&operator, &values);
        let expression = hir(&operator);
        let mut sampler = Sampler::new(seed);
        let mut samples = Vec::new();
        for value in &values {
            let sample = sampler.sample(&expression);
            samples.push([value, sample.as_slice(), value].concat());
            samples.push(sample);
        }
        check_values(&operator, &samples);
    }

    #[test]
    fn text_that_matches_has_what_is_required(
        argument in "[aAbB]{0,3}",
        values in prop::collection::vec("[aAbB -]{0,6}", 8),
    ) {
        let values: Vec<Vec<u8>> = values.into_iter().map(String::into_bytes).collect();
        for name in ["contains", "containsWord", "beginsWith", "endsWith", "streq", "within"] {
            check_values(&operator(name, argument.as_bytes()), &values);
        }
        if !argument.is_empty() {
            check_values(&operator("pm", argument.as_bytes()), &values);
        }
    }

    #[test]
    fn injections_have_what_is_required(value in prop::collection::vec(any::<u8>(), 0..6), word in "[0-9a-zA-Z_\u{e9}]{0,20}") {
        let (sqli, xss) = (operator("detectSQLi", b""), operator("detectXSS", b""));
        let holds = |operator, value: &[u8]| Requirement::of(operator).unwrap().holds(value);
        for value in [&value, word.as_bytes()] {
            prop_assert!(palisade_injection::sqli::detect(value).is_none() || holds(&sqli, value));
            prop_assert!(!palisade_injection::xss::detect(value) || holds(&xss, value));
        }
    }

    #[test]
    fn a_prefilter_finds_what_requirements_say(
        requirements in prop::collection::vec(requirements(), 0..100),
        value in "[abcABC;:]{0,20}",
    ) {
        check_found(&requirements, value.as_bytes());
    }
}

fn requirements() -> impl Strategy<Value = Requirement> {
    let literals = prop::collection::vec("[abc:]{2,9}", 0..4);
    let class = prop::collection::vec(prop::sample::select(b"abcC;:xyz\xff".to_vec()), 0..3);
    (literals, class).prop_map(|(literals, class)| Requirement {
        literals: literals
            .iter()
            .map(|literal| literal.as_bytes().into())
            .collect(),
        class: ByteSet::of(&class),
    })
}

fn found(prefilter: &Prefilter, value: &[u8]) -> Vec<u64> {
    let mut found = prefilter.always().to_vec();
    prefilter.add_of_classes(prefilter.classes_of(value), &mut found);
    prefilter.scan(value, &mut found);
    found
}

/// Exactly those whose requirement holds, or that no class was left for.
#[track_caller]
fn check_found(requirements: &[Requirement], value: &[u8]) {
    let (prefilter, _) = Prefilter::build((0..).zip(requirements.iter().cloned()), &[]);
    let found = found(&prefilter, value);
    let classes = requirements
        .iter()
        .filter(|requirement| !requirement.class.is_empty());
    let has_bits_for_all = classes.count() <= 64;
    for (filter, requirement) in requirements.iter().enumerate() {
        let is_found = found[filter / 64] >> (filter % 64) & 1 == 1;
        let holds = requirement.holds(value);
        let shown = shown(Some(requirement));
        assert!(
            is_found || !holds,
            "{shown} is missed in {}",
            value.escape_ascii()
        );
        if has_bits_for_all {
            assert_eq!(is_found, holds, "{shown} in {}", value.escape_ascii());
        }
    }
}

#[test]
fn whoever_asks_for_classes_gets_their_bits() {
    let percent = ByteSet::of(b"%+");
    let requirement = Requirement {
        literals: Vec::new(),
        class: percent,
    };
    let (prefilter, bits) = Prefilter::build([(3, requirement)], &[ByteSet::of(b"\\"), percent]);
    assert_eq!(bits, [Some(0), Some(1)]);
    assert_eq!(prefilter.always().len(), 1);
    // And that of every value.
    let every = 1 << 63;
    assert_eq!(prefilter.classes_of(b""), every);
    assert_eq!(prefilter.classes_of(b"a+\\"), every | 0b11);
    assert_eq!(
        prefilter.classes_of(b"aaaaaaaaaaaaaaaaaaaaaaaa%"),
        every | 0b10
    );
    assert_eq!(found(&prefilter, b"a\\"), [0]);
    assert_eq!(found(&prefilter, b"a+"), [1 << 3]);
}

/// Which it is that no injection is made of is tested where injections are told.
#[test]
fn sql_injections_have_more_than_numbers_and_dots() {
    let besides = Requirement::besides(&Operator::DetectSqli);
    assert_eq!(besides, Some(ByteSet::of(b"0123456789.").complement()));
    assert_eq!(Requirement::besides(&Operator::DetectXss), None);
}

#[test]
fn what_is_required_besides_is_required() {
    let requirement = Requirement {
        literals: Vec::new(),
        class: ByteSet::of(b"."),
    };
    let filters = [(3, requirement.clone()), (4, requirement)];
    let (mut prefilter, _) = Prefilter::build(filters, &[]);
    prefilter.require_besides(4, ByteSet::range(b'0', b'9').with(b'.').complement());
    let of_classes = |value: &[u8]| {
        let mut found = [0];
        prefilter.of_classes(prefilter.classes_of(value), &mut found);
        let [found] = found;
        found
    };
    assert_eq!(of_classes(b"7.95"), 1 << 3);
    assert_eq!(of_classes(b"7.95 "), 1 << 3 | 1 << 4);
    assert_eq!(of_classes(b"a b"), 0);
    assert_ne!(
        prefilter.filtering(prefilter.classes_of(b".")),
        prefilter.filtering(prefilter.classes_of(b". "))
    );
}

#[test]
fn classes_beyond_63_join_wider_ones() {
    let extra: Vec<ByteSet> = (0..66).map(|byte| ByteSet::of(&[byte, 200])).collect();
    let class = |bytes: &[u8]| Requirement {
        literals: Vec::new(),
        class: ByteSet::of(bytes),
    };
    let requirements = [(0, class(&[5])), (70, class(&[90]))];
    let (prefilter, bits) = Prefilter::build(requirements, &extra);
    assert_eq!(bits[62], Some(62));
    assert_eq!(bits[63..], [None, None, None]);
    assert_eq!(prefilter.always(), [0, 1 << 6]);
    assert_eq!(found(&prefilter, &[5]), [1, 1 << 6]);
    assert_eq!(found(&prefilter, &[90]), [0, 1 << 6]);
}

#[test]
fn no_requirements_find_nothing() {
    let (prefilter, _) = Prefilter::build([], &[]);
    assert_eq!(prefilter.always().len(), 0);
    assert!(found(&prefilter, b"abc").is_empty());
}

/// Words as of rules, different for each number.
fn word(sampler: &mut Sampler) -> Vec<u8> {
    let len = 4 + sampler.below(12);
    let letters = b"abcdefghijklmnopqrstuvwxyz0123456789_-./ (<$";
    (0..len)
        .map(|_| letters[sampler.below(letters.len())])
        .collect()
}

#[test]
fn the_longest_expressions_take_bounded_time() {
    for (part, times) in [
        ("[ab]", 5_000),
        ("(?:a?|b)", 3_000),
        ("(?i)select", 5_000),
        ("[a-p]x|", 5_000),
        ("(?:ab|.)?c", 3_000),
    ] {
        let Ok(operator) = Operator::parse(b"rx", part.repeat(times).as_bytes(), &NoFiles) else {
            panic!("{part} is refused");
        };
        let begun = std::time::Instant::now();
        let requirement = Requirement::of(&operator);
        let (took, shown) = (begun.elapsed(), shown(requirement.as_ref()));
        println!(
            "{part}: {} ms: {}",
            took.as_millis(),
            shown.get(..40).unwrap_or(&shown)
        );
        assert!(took < std::time::Duration::from_secs(30));
    }
}

#[test]
fn thousands_of_rules_stay_within_bounds() {
    let mut sampler = Sampler::new(1);
    let requirements: Vec<(u32, Requirement)> = (0..5_000)
        .map(|filter| {
            let literals = (0..5).map(|_| word(&mut sampler).into()).collect();
            let class = ByteSet::EMPTY;
            (filter, Requirement { literals, class })
        })
        .collect();
    let begun = std::time::Instant::now();
    let (prefilter, _) = Prefilter::build(requirements.iter().cloned(), &[]);
    println!(
        "5,000 rules with 25,000 literals: {} KiB, built in {} ms",
        prefilter.memory_usage() / 1024,
        begun.elapsed().as_millis()
    );
    assert!(prefilter.memory_usage() < 20 * 1024 * 1024);
    for (filter, requirement) in requirements.iter().step_by(97) {
        let value = [b"a ", &*requirement.literals[3], b" b"].concat();
        let found = found(&prefilter, &value);
        assert_eq!(found[*filter as usize / 64] >> (filter % 64) & 1, 1);
    }
}
