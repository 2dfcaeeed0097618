//! Transforming, matching and expanding allocate nothing once buffers and caches have grown.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test may panic")]

use palisade_seclang::{
    Groups, Lookup, MacroText, Matcher, Operator, OperatorCache, SourceError, Sources,
    Transformation, UnicodeMap, Variable,
};
use palisade_testkit::alloc::{CountingAllocator, allocations_of};

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator;

/// Values that all transformations change, and some that few do.
const VALUES: [&[u8]; 4] = [
    b"a plain value",
    b"%41+%u0042\\x43\\104&#69;&lt;/* */--#<!-- -->../a//.\\b 0x4142 \xc3\xa9\0\t\r\n \"^,;(",
    b"VGVzdCBDYXNl",
    b"abc def 4111111111111111 GET union select 192.0.2.7",
];

#[test]
fn transforming_allocates_nothing() {
    let map = UnicodeMap::default();
    let mut out = Vec::new();
    let mut apply_all = || {
        for transformation in Transformation::ALL {
            for value in VALUES {
                transformation.apply(value, &mut out, &map);
            }
        }
    };
    assert!(allocations_of(&mut apply_all) > 0, "the counter counts");
    assert_eq!(allocations_of(apply_all), 0);
}

struct File;

impl Sources for File {
    fn read(&self, _: &str) -> Result<Vec<u8>, SourceError> {
        Ok(b"192.0.2.0/24\n".to_vec())
    }
}

fn matchers() -> Vec<Matcher> {
    let operators: [(&str, &[u8]); 20] = [
        ("rx", br"(?i)\bunion\s+(select)\b"),
        ("rx", br"^[a-z ]*$"),
        ("rxGlobal", br"[a-z]+"),
        ("pm", b"select insert update"),
        ("pmFromFile", b"file"),
        ("contains", b"def"),
        ("containsWord", b"def"),
        ("beginsWith", b"abc"),
        ("endsWith", b"%{tx.end}"),
        ("streq", b"%{tx.whole}"),
        ("within", b"%{tx.list}"),
        ("strmatch", b"GET"),
        ("ipMatch", b"192.0.2.0/24"),
        ("ge", b"5"),
        ("lt", b"%{tx.limit}"),
        ("validateByteRange", b"32-126"),
        ("validateUrlEncoding", b""),
        ("validateUtf8Encoding", b""),
        ("verifyCC", br"\d{13,16}"),
        ("unconditionalMatch", b""),
    ];
    let parse =
        |(name, argument): (&str, &[u8])| match Operator::parse(name.as_bytes(), argument, &File)
            .unwrap()
        {
            Operator::Match(matcher) => matcher,
            other => panic!("{other:?}"),
        };
    operators.into_iter().map(parse).collect()
}

#[test]
fn matching_allocates_nothing() {
    let matchers = matchers();
    let mut caches: Vec<_> = matchers.iter().map(|_| OperatorCache::default()).collect();
    let mut groups = Groups::default();
    let mut matched = 0;
    let mut match_all = || {
        for (matcher, cache) in matchers.iter().zip(&mut caches) {
            for value in VALUES {
                if matcher.matches(value, b"abc", cache).is_some() {
                    matcher.captures(value, cache, &mut groups);
                    matched += 1;
                }
            }
        }
    };
    assert!(allocations_of(&mut match_all) > 0, "the counter counts");
    // What is lazily built is built by the second time.
    match_all();
    assert_eq!(allocations_of(match_all), 0);
    assert!(matched > 50, "{matched} times, which is too little to tell");
}

struct Score;

impl Lookup for Score {
    fn append(&self, variable: &Variable, out: &mut Vec<u8>) {
        out.extend_from_slice(&variable.collection);
    }
}

#[test]
fn expanding_allocates_nothing() {
    let text = MacroText::parse(b"Inbound score %{tx.score} of %{REMOTE_ADDR}").unwrap();
    let mut out = Vec::new();
    assert!(
        allocations_of(|| text.expand(&Score, &mut out)) > 0,
        "the counter counts"
    );
    assert_eq!(allocations_of(|| text.expand(&Score, &mut out)), 0);
    assert_eq!(out, b"Inbound score tx of REMOTE_ADDR");
}
