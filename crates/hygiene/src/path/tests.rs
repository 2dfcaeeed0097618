//! Canonical paths, against a table, a naive model and themselves.

use proptest::prelude::*;

use super::*;
use crate::RefusalReason::*;

const STRICT: PathPolicy = PathPolicy {
    encoded_slash: false,
    backslash: false,
    encoded_nul: false,
    malformed_escapes: false,
    double_encoding: false,
    unresolved_dot_dot: false,
};

const LAX: PathPolicy = PathPolicy {
    encoded_slash: true,
    backslash: true,
    encoded_nul: true,
    malformed_escapes: true,
    double_encoding: true,
    unresolved_dot_dot: true,
};

/// `expected` is the canonical path, ` | ` and the path without parameters if it has any.
#[track_caller]
fn check(policy: &PathPolicy, raw: &str, expected: Result<&str, RefusalReason>) {
    let mut scratch = PathScratch::default();
    let got = canonicalise(raw.as_bytes(), policy, &mut scratch)
        .map(|view| {
            let without_params = view
                .without_params
                .map(|path| format!(" | {}", path.escape_ascii()));
            format!(
                "{}{}",
                view.canonical.escape_ascii(),
                without_params.unwrap_or_default()
            )
        })
        .map_err(|refusal| refusal.reason);
    assert_eq!(got.as_deref(), expected.as_ref().copied(), "{raw:?}");
}

#[test]
fn segments_are_resolved() {
    for (raw, expected) in [
        ("/", "/"),
        ("//", "/"),
        ("/a/b", "/a/b"),
        ("/a/b/", "/a/b/"),
        ("/a//b///", "/a/b/"),
        ("/.", "/"),
        ("/./", "/"),
        ("/a/.", "/a/"),
        ("/a/./b", "/a/b"),
        ("/a/..", "/"),
        ("/a/../", "/"),
        ("/a/b/..", "/a/"),
        ("/a/b/../c", "/a/c"),
        ("/a/b/../../c", "/c"),
        ("/a/../b//c", "/b/c"),
        ("/a/./../b", "/b"),
        ("/.well-known/x", "/.well-known/x"),
        ("/..a/b..", "/..a/b.."),
        ("/...", "/..."),
        ("/a.b", "/a.b"),
    ] {
        check(&STRICT, raw, Ok(expected));
    }
}

#[test]
fn escapes_are_decoded_once() {
    for (raw, expected) in [
        ("/%41%6a", "/Aj"),
        ("/a%20b", "/a b"),
        ("/%C3%A4", "/\\xc3\\xa4"),
        ("/a%0Ab%09", "/a\\nb\\t"),
        ("/%2e/a", "/a"),
        ("/a%2eb", "/a.b"),
        ("/%2ehidden", "/.hidden"),
        ("/%2541", "/%41"),
        ("/100%25", "/100%"),
        ("/%25zz", "/%zz"),
        ("/%25%32%30", "/%20"),
        ("/%3f%23", "/?#"),
    ] {
        check(&STRICT, raw, Ok(expected));
    }
}

#[test]
fn ambiguous_forms_need_leave() {
    for (raw, reason, expected) in [
        ("/a%2fb", EncodedSlash, "/a%2Fb"),
        ("/a%2F", EncodedSlash, "/a%2F"),
        ("/a\\b", Backslash, "/a\\\\b"),
        ("/a%5cb", Backslash, "/a\\\\b"),
        ("/a%00b", EncodedNul, "/a\\x00b"),
        ("/a%", MalformedEscape, "/a%"),
        ("/a%4", MalformedEscape, "/a%4"),
        ("/a%g0", MalformedEscape, "/a%g0"),
        ("/a%0g", MalformedEscape, "/a%0g"),
        ("/%%41", MalformedEscape, "/%A"),
        ("/%%32f", MalformedEscape, "/%252f"),
        ("/%252f", DoubleEncoding, "/%252f"),
        ("/%255C", DoubleEncoding, "/%255C"),
        ("/%252e%252E", DoubleEncoding, "/%252e%252E"),
        ("/%25252f", DoubleEncoding, "/%25252f"),
        ("/%25%32%46", DoubleEncoding, "/%252F"),
        ("/..", UnresolvedDotDot, "/"),
        ("/../a", UnresolvedDotDot, "/a"),
        ("/a/../../b", UnresolvedDotDot, "/b"),
        ("/a/%2e%2e/b", UnresolvedDotDot, "/b"),
        ("/a/.%2E/b", UnresolvedDotDot, "/b"),
        ("/a/..;/b", UnresolvedDotDot, "/a/..;/b | /b"),
        ("/a/..%3bx/b", UnresolvedDotDot, "/a/..;x/b | /b"),
        ("/a/x;../b", UnresolvedDotDot, "/a/x;../b | /a/x/b"),
        ("/a//../b", UnresolvedDotDot, "/b"),
        ("/a//b/../../c", UnresolvedDotDot, "/c"),
        ("/a/;x/../b", UnresolvedDotDot, "/a/b | /b"),
        ("/a/;/../b", UnresolvedDotDot, "/a/b | /b"),
        ("/a/.;/../b", UnresolvedDotDot, "/a/b | /b"),
        ("/a/%2E%3bx/../b", UnresolvedDotDot, "/a/b | /b"),
        ("/a/..;/../b", UnresolvedDotDot, "/a/b | /b"),
    ] {
        check(&STRICT, raw, Err(reason));
        check(&LAX, raw, Ok(expected));
    }
}

#[test]
fn dot_dot_may_not_hide_in_a_segment_of_several() {
    let policy = PathPolicy {
        encoded_slash: true,
        backslash: true,
        ..STRICT
    };
    for raw in [
        "/a/..%2fb",
        "/a%2F..%2fb",
        "/a/b%2f..",
        "/a/..\\b",
        "/a/b%5c..",
        "/a\\%2e%2e\\b",
    ] {
        check(&policy, raw, Err(UnresolvedDotDot));
    }
    check(&policy, "/a..%2fb", Ok("/a..%2Fb"));
    check(&policy, "/...%2f", Ok("/...%2F"));
    check(&policy, "/a%2fb/../c", Ok("/c"));
}

#[test]
fn parameters_are_removed() {
    for (raw, expected) in [
        ("/a;x=1/b;y", "/a;x=1/b;y | /a/b"),
        ("/a;", "/a; | /a"),
        ("/;x/a", "/;x/a | /a"),
        ("/a/;x", "/a/;x | /a/"),
        ("/.;x/a", "/.;x/a | /a"),
        ("/a;x/../b", "/b"),
        ("/a%3Bx", "/a;x | /a"),
        ("/;", "/; | /"),
        ("/a;b/", "/a;b/ | /a/"),
    ] {
        check(&STRICT, raw, Ok(expected));
    }
}

#[test]
fn a_path_begins_with_a_slash() {
    for raw in ["", "a", "*", "%2fa", "./a"] {
        check(&LAX, raw, Err(TargetForm));
    }
}

#[test]
fn a_canonical_path_is_not_copied() {
    let mut scratch = PathScratch::default();
    let raw = b"/static/css/site.min.css".as_slice();
    let view = canonicalise(raw, &STRICT, &mut scratch).unwrap();
    assert!(std::ptr::eq(view.canonical, raw));
    assert_eq!(scratch.canonical.capacity(), 0);
}

#[test]
fn a_canonical_target_is_encoded() {
    let encode = |canonical: &[u8], query: Option<&[u8]>| {
        let mut out = Vec::new();
        write_canonical_target(canonical, query, &mut out);
        String::from_utf8(out).unwrap()
    };
    assert_eq!(
        encode(b"/a b/\xc3\xa4", Some(b"c=%20")),
        "/a%20b/%C3%A4?c=%20"
    );
    assert_eq!(encode(b"/a;b=c,d@e:f", None), "/a;b=c,d@e:f");
    assert_eq!(encode(b"/?#", Some(b"")), "/%3F%23?");
    assert_eq!(encode(b"/100%", None), "/100%25");
    assert_eq!(encode(b"/%41", None), "/%2541");
    assert_eq!(encode(b"/%2F", None), "/%2F");
    assert_eq!(encode(b"/\0\n\\", None), "/%00%0A%5C");
}

/// Paths with much to decode and resolve.
fn paths() -> impl Strategy<Value = Vec<u8>> {
    const WORDS: &[&str] = &[
        "/", "/", "/", ".", "..", "/../", "/./", "%2e", "%2E", "%2f", "%2F", "%5c", "\\", ";",
        "%3b", "a", "bc", "%", "%25", "25", "2f", "2E", "5C", "%00", "%zz", "%41", "é", "%0a",
        "x=1", "%32", "%35", "f",
    ];
    prop::collection::vec(prop::sample::select(WORDS), 0..10)
        .prop_map(|words| format!("/{}", words.concat()).into_bytes())
}

fn policies() -> impl Strategy<Value = PathPolicy> {
    any::<[bool; 6]>().prop_map(|bits| PathPolicy {
        encoded_slash: bits[0],
        backslash: bits[1],
        encoded_nul: bits[2],
        malformed_escapes: bits[3],
        double_encoding: bits[4],
        unresolved_dot_dot: bits[5],
    })
}

/// What a strict canonical path is, said the plain way; `None` where `..` climbs over the root.
fn model(raw: &[u8]) -> Option<Vec<u8>> {
    let segments: Vec<Vec<u8>> = raw
        .split(|&b| b == b'/')
        .skip(1)
        .map(|s| Decoded(s).collect())
        .collect();
    let mut kept: Vec<&[u8]> = Vec::new();
    for segment in &segments {
        match segment.as_slice() {
            b"" | b"." => {}
            b".." => {
                kept.pop()?;
            }
            segment => kept.push(segment),
        }
    }
    let last = segments.last()?.as_slice();
    let mut path: Vec<u8> = kept.iter().flat_map(|s| [b"/", *s].concat()).collect();
    if matches!(last, b"" | b"." | b"..") || path.is_empty() {
        path.push(b'/');
    }
    Some(path)
}

/// The path to servers that do not all resolve alike: whether empty segments are kept until the
/// end, and whether parameters are taken off first.
fn another_servers(raw: &[u8], keeps_empty: bool, params_first: bool) -> Option<Vec<u8>> {
    let strip = |segment: &[u8]| -> Vec<u8> {
        segment.iter().copied().take_while(|&b| b != b';').collect()
    };
    let mut kept: Vec<Vec<u8>> = Vec::new();
    for segment in raw.split(|&b| b == b'/').skip(1) {
        let decoded: Vec<u8> = Decoded(segment).collect();
        let decoded = if params_first {
            strip(&decoded)
        } else {
            decoded
        };
        match decoded.as_slice() {
            b"" if !keeps_empty => {}
            b"." => {}
            b".." => {
                kept.pop()?;
            }
            _ => kept.push(decoded),
        }
    }
    let kept = kept.iter().map(|segment| strip(segment));
    Some(
        kept.filter(|segment| !matches!(segment.as_slice(), b"" | b"."))
            .flat_map(|s| [b"/", s.as_slice()].concat())
            .collect(),
    )
}

fn is_resolved(path: &[u8]) -> bool {
    let mut segments = path.split(|&b| b == b'/');
    let starts = segments.next() == Some(b"");
    let mut segments: Vec<&[u8]> = segments.collect();
    let last = segments.pop();
    let is_dots = |segment: &[u8]| matches!(segment, b"." | b"..");
    starts
        && last.is_some_and(|last| !is_dots(last))
        && !segments
            .iter()
            .any(|segment| segment.is_empty() || is_dots(segment))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(5000))]

    #[test]
    fn any_bytes_are_judged(raw in prop::collection::vec(any::<u8>(), 0..60), policy in policies()) {
        let _ = canonicalise(&raw, &policy, &mut PathScratch::default());
    }

    #[test]
    fn a_strict_path_is_as_the_model_says(raw in paths()) {
        if let Ok(view) = canonicalise(&raw, &STRICT, &mut PathScratch::default()) {
            prop_assert_eq!(Some(view.canonical.to_vec()), model(&raw));
        }
    }

    #[test]
    fn servers_that_resolve_differently_agree_about_a_strict_path(raw in paths()) {
        let mut scratch = PathScratch::default();
        if let Ok(view) = canonicalise(&raw, &STRICT, &mut scratch) {
            let ours = view.without_params.unwrap_or(view.canonical);
            let ours = ours.strip_suffix(b"/").unwrap_or(ours).to_vec();
            for (keeps_empty, params_first) in [(false, false), (false, true), (true, false), (true, true)] {
                let theirs = another_servers(&raw, keeps_empty, params_first);
                prop_assert_eq!(Some(&ours), theirs.as_ref(), "{} {} {}", raw.escape_ascii(), keeps_empty, params_first);
            }
        }
    }

    #[test]
    fn every_path_is_resolved(raw in paths(), policy in policies()) {
        if let Ok(view) = canonicalise(&raw, &policy, &mut PathScratch::default()) {
            prop_assert!(is_resolved(view.canonical), "{}", view.canonical.escape_ascii());
            prop_assert!(view.canonical.len() <= raw.len());
            let without_params = view.without_params.unwrap_or(b"/");
            prop_assert!(is_resolved(without_params), "{}", without_params.escape_ascii());
            prop_assert!(!without_params.contains(&b';'));
        }
    }

    #[test]
    fn the_encoded_canonical_path_has_itself_as_canonical_path(raw in paths(), policy in policies()) {
        let mut scratch = PathScratch::default();
        if let Ok(view) = canonicalise(&raw, &policy, &mut scratch) {
            let mut encoded = Vec::new();
            write_canonical_target(view.canonical, None, &mut encoded);
            let mut again = PathScratch::default();
            let again = canonicalise(&encoded, &policy, &mut again);
            prop_assert_eq!(again.map(|view| view.canonical.to_vec()), Ok(view.canonical.to_vec()), "{}", encoded.escape_ascii());
        }
    }

    #[test]
    fn the_fast_path_is_the_slow_path(raw in "/[a-z./%;]{0,12}", policy in policies()) {
        let mut slow = Vec::new();
        if is_plain(raw.as_bytes()) {
            prop_assert_eq!(resolve(raw.as_bytes(), &policy, &mut slow), Ok(false));
            prop_assert_eq!(slow, raw.into_bytes());
        }
    }

    #[test]
    fn a_reused_buffer_changes_nothing(first in paths(), second in paths()) {
        let mut used = PathScratch::default();
        let _ = canonicalise(&first, &LAX, &mut used);
        let mut fresh = PathScratch::default();
        let forms = |view: PathView<'_>| (view.canonical.to_vec(), view.without_params.map(<[u8]>::to_vec));
        prop_assert_eq!(
            canonicalise(&second, &LAX, &mut used).map(forms),
            canonicalise(&second, &LAX, &mut fresh).map(forms)
        );
    }
}
