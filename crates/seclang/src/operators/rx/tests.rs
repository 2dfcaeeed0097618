use proptest::prelude::*;

use super::super::tests::{check, matcher, parse_error};
use super::shape::Shape;
use super::*;

#[track_caller]
fn check_groups(name: &str, pattern: &[u8], value: &[u8], expected: &[&[u8]]) {
    let matcher = matcher(name, pattern);
    let (mut cache, mut groups) = (OperatorCache::default(), Groups::default());
    matcher.captures(value, &mut cache, &mut groups);
    let found: Vec<&[u8]> = groups.iter().map(|part| &value[part]).collect();
    assert_eq!(found, expected, "{}", pattern.escape_ascii());
    assert_eq!(
        matcher.matches(value, b"", &mut cache).is_some(),
        !expected.is_empty()
    );
}

#[test]
fn values_are_bytes() {
    check("rx", br"^.$", b"\xff", true);
    check("rx", br"\xbc[^\xbe]", b"a\xbc\xff", true);
    check("rx", br"\x{bc}", b"\xbc", true);
    check("rx", b"^\xc3\xa9{2}$", b"\xc3\xa9\xa9", true);
    check("rx", b"^[\xc3\xa9]$", b"\xa9", true);
    check("rx", br"\w", b"\xe9", false);
    check("rx", br"(?i)\xe9", b"\xc9", false);
    check("rx", br"a\x00b", b"a\0b", true);
    check("rx", b"a\0b", b"a\0b", true);
}

#[test]
fn flags_are_modsecuritys() {
    check("rx", b"^a.b$", b"a\nb", true);
    check("rx", b"a$", b"a\n", false);
    check("rx", b"^b", b"a\nb", false);
    check("rx", b"(?m)^b$", b"a\nb\nc", true);
    check("rx", b"(?-s)a.b", b"a\nb", false);
    check("rx", b"A", b"a", false);
    check("rx", b"(?i)A", b"a", true);
    check("rx", b"(?i:a)b", b"AB", false);
    check("rx", b"", b"anything", true);
}

#[test]
fn what_rust_reads_differently_is_rewritten() {
    check("rx", br"\<b\>", b"<b>", true);
    check("rx", br"^[[a]$", b"[", true);
    check("rx", br"^[a[b]]$", b"b]", true);
    check("rx", br"^[a&&b]$", b"&", true);
    check("rx", br"^[!--b]$", b",", true);
    check("rx", br"^[!--b]$", b"-", true);
    check("rx", br"^[~~]$", b"~", true);
    check("rx", br"^[]a]+$", b"]a", true);
    check("rx", br"^[^]a]$", b"]", false);
    check("rx", br"^[\w-.]+$", b"a-.", true);
    check("rx", br"^[a-\d]+$", b"a-7", true);
    check("rx", br"^[a-c-e]+$", b"b-e", true);
    check("rx", br"^[a-]$", b"-", true);
    check("rx", br"a{b}", b"a{b}", true);
    check("rx", br"a{", b"a{", true);
    check("rx", br"a{1,b}", b"a{1,b}", true);
    check("rx", br"^\v\h\N$", b"\x0b\xa0a", true);
    check("rx", br"^[\v\H]$", b"\xa0", false);
    check("rx", br"^\x4\x$", b"\x04\0", true);
    check("rx", br"^\01\012\0$", b"\x01\n\0", true);
    check("rx", br"^[\101\7]+$", b"A\x07", true);
    check("rx", br"^\o{101}\cA\e$", b"A\x01\x1b", true);
    check("rx", br"^\Qa.b|\E+$", b"a.b||", true);
    check("rx", br"^a(?#no)b$", b"ab", true);
    check("rx", br"^(?'n'a)(?P<m>b)(?<o>c)$", b"abc", true);
    check("rx", b"^(?x) a # comment\n b\\ [ ]$", b"ab  ", true);
    check("rx", b"^(?x: a )b c$", b"ab c", true);
    check("rx", br"^%{2}$", b"%%", true);
    check("rx", br"[\b]", b"\x08", true);
    check("rx", br"^[[:alpha:][:^digit:]]$", b"-", true);
    check("rx", br"^[[:punct:]]$", b"~", true);
    check("rx", br"^[[:foo]$", b":", true);
    check("rx", br"(?i)[^a]", b"A", false);
    check("rx", br"(?i)^[[:upper:]]$", b"a", true);
    check("rx", br"a(?)b", b"ab", true);
    check("rx", br"\&\#\ \-\/", b"&# -/", true);
}

#[test]
fn what_cannot_be_matched_in_linear_time_is_refused() {
    for (pattern, place, said) in [
        (&br"ab(?=c)"[..], 2, "look-around (`(?=`)"),
        (br"(?!a)", 0, "look-around (`(?!`)"),
        (br"a(b(?<=c))", 3, "look-around (`(?<=`)"),
        (br"(?<!c)", 0, "look-around (`(?<!`)"),
        (br"(a)\1", 3, "a back-reference"),
        (br"(a)\g{1}", 3, "a back-reference"),
        (br"(?<n>a)\k<n>", 7, "a back-reference"),
        (br"(?P<n>a)(?P=n)", 8, "a back-reference"),
        (br"a++", 2, "a possessive quantifier"),
        (br"[a-z]{2}+", 8, "a possessive quantifier"),
        (br"(?>a)", 0, "an atomic group"),
        (br"a\R", 1, "`\\R`"),
        (br"a(?R)?", 1, "recursion"),
        (br"(a)(?1)", 3, "recursion"),
        (br"(?&n)", 0, "recursion"),
        (br"(a)?(?(1)b|c)", 4, "a condition"),
        (br"a(*COMMIT)b", 1, "a verb"),
        (br"(?C1)a", 0, "a callout"),
    ] {
        check_refused(pattern, place, said);
    }
}

#[test]
fn what_is_unclear_or_wrong_is_refused() {
    for (pattern, place, said) in [
        (&br"a{,3}"[..], 1, "`{,` is text to one version"),
        (br"a**", 2, "a quantifier with nothing before it"),
        (br"a{2}{3}", 4, "a quantifier with nothing before it"),
        (br"(*a)", 0, "a verb"),
        (br"a|+", 2, "a quantifier with nothing before it"),
        (br"a$*", 2, "a quantifier with nothing before it"),
        (br"\b+", 2, "a quantifier with nothing before it"),
        (br"[:alpha:]", 0, "a named class outside of brackets"),
        (br"\N{a}", 0, "`\\N{` is no escape"),
        (br"?", 0, "a quantifier with nothing before it"),
        (br"{2}", 0, "a quantifier with nothing before it"),
        (br"(?x)a+ ?", 7, "a quantifier with nothing before it"),
        (br"ab(c", 2, "a group that isn't closed"),
        (br"ab)c", 2, "a parenthesis that wasn't opened"),
        (br"ab[c", 2, "a class that isn't closed"),
        (br"[]", 0, "a class that isn't closed"),
        (br"a(?#b", 1, "a comment that isn't closed"),
        (br"(?i", 0, "a group that isn't closed"),
        (
            br"[az-a]",
            3,
            "a range whose end comes before its beginning",
        ),
        (br"[[:foo:]]", 1, "`[:foo:]` is no class"),
        (br"[[.a.]]", 1, "a collating element"),
        (br"[[:^upper:]]", 1, "a negated class of case"),
        (br"\x{100}", 0, "a character beyond 0xFF"),
        (br"\x{}", 0, "`\\x{` is no escape"),
        (br"ab\i", 2, "`\\i` is no escape"),
        (br"ab\", 2, "a backslash at the end"),
        (br"\Z", 0, "`\\Z` is not supported"),
        (br"\p{L}", 0, "a property of Unicode"),
        (br"a\K", 1, "`\\K` is not supported"),
        (br"(?n)a", 2, "this kind of group or flag"),
        (br"(?|a)", 0, "a group that counts anew"),
        (br"(?<1>a)", 0, "this name of a group"),
        (br"a%{tx.b}", 1, "a pattern with a macro"),
        (br"a{3,2}", 1, ""),
        (br"(?ii)a", 0, "duplicate flag"),
        (
            br"(?:\w{1000}){1000}",
            0,
            "the pattern compiles to more than 4MiB",
        ),
    ] {
        check_refused(pattern, place, said);
    }
    let long = vec![b'a'; PATTERN_BYTES_MAX + 1];
    check_refused(&long, 0, "the argument has 65537 bytes");
}

#[track_caller]
fn check_refused(pattern: &[u8], place: usize, said: &str) {
    let error = parse_error("rx", pattern);
    let expected = format!("(at byte {place} of the argument)");
    let shown = pattern.get(..40).unwrap_or(pattern).escape_ascii();
    assert!(
        error.starts_with(&format!("@rx: {said}")) && error.ends_with(&expected),
        "{shown}: {error}"
    );
    assert!(error.len() < 300, "{error}");
}

#[test]
fn groups() {
    check_groups("rx", b"(a)(b?)(c)", b"xac", &[b"ac", b"a", b"", b"c"]);
    check_groups("rx", b"(a)|(b)|(c)", b"b", &[b"b", b"", b"b"]);
    check_groups("rx", b"a", b"b", &[]);
    check_groups("rx", b"a*", b"", &[b""]);
    check_groups(
        "rx",
        b"(.)(.)(.)(.)(.)(.)(.)(.)(.)(.)(.)",
        b"abcdefghijk",
        &[
            b"abcdefghijk",
            b"a",
            b"b",
            b"c",
            b"d",
            b"e",
            b"f",
            b"g",
            b"h",
            b"i",
        ],
    );
}

#[test]
fn groups_of_all_matches() {
    check_groups("rxGlobal", b"[a-z]*", b"aaa00bbb", &[b"aaa", b"bbb"]);
    check_groups(
        "rxGlobal",
        b"(^|a)(b|c)(d)",
        b"bdacd",
        &[b"bd", b"", b"b", b"d", b"acd", b"a", b"c", b"d"],
    );
    check_groups("rxGlobal", b"([a-z]*)", b"", &[b"", b""]);
    check_groups("rxGlobal", b"a", &[b'a'; 12], &[&b"a"[..]; 10]);
    check_groups("rxGlobal", b"a", b"b", &[]);
}

#[test]
fn what_every_match_must_have_can_be_asked_for() {
    let Rx { ref translated, .. } = Rx::parse(br"\x{bc}[ab]").unwrap();
    assert_eq!(&**translated, "\\xBC[a-b]");
    let rx = Rx::parse(b"ab+c").unwrap();
    assert_eq!(rx.hir().unwrap().properties().minimum_len(), Some(3));
    assert!(rx.size() > 0);
}

#[test]
fn simple_patterns_are_known_without_a_search() {
    #[track_caller]
    fn check(pattern: &[u8], expected: &str) {
        let rx = Rx::parse(pattern).unwrap();
        let shape = match &rx.shape {
            Shape::All => "all",
            Shape::Beginning(_) => "beginning",
            Shape::Other => "other",
        };
        assert_eq!(shape, expected, "{}", pattern.escape_ascii());
        let searched = Rx {
            shape: Shape::Other,
            ..rx.clone()
        };
        for value in [
            &b""[..],
            b"a",
            b"aB_",
            b"AB_c",
            b"xab_",
            b"ab",
            b"a\nb\xff\0",
        ] {
            let (mut cache, mut groups, mut others) = Default::default();
            let matches = rx.is_match(value, &mut cache);
            assert_eq!(matches, searched.is_match(value, &mut cache));
            rx.captures(value, &mut cache, &mut groups);
            searched.captures(value, &mut cache, &mut others);
            assert_eq!(groups, others);
        }
    }
    for all in [&b"^.*$"[..], b"^.*", b".*", b"^[\\x00-\\xff]*$"] {
        check(all, "all");
    }
    for beginning in [&b"^ab_"[..], b"(?i)^ab_", b"(?i:^ab_)", b"^[aA]b", b"^a"] {
        check(beginning, "beginning");
    }
    for other in [
        &b"^.+$"[..],
        b"^.*?",
        b".*$",
        b"^(.*)$",
        b"^[^a]*$",
        b"^.{0,9}",
        b"(?m)^.*$",
        b"^",
        b"ab_",
        b"^ab_$",
        b"^[ab]b",
        b"^[a-c]b",
        b"^(a)b",
        b"^a|b",
        b"(?m)^ab_",
    ] {
        check(other, "other");
    }
}

/// Patterns of pieces whose meaning is the same everywhere, and what is special to PCRE.
fn pattern() -> impl Strategy<Value = Vec<u8>> {
    let pieces = [
        "a",
        "b",
        "[ab]",
        "[^a]",
        "[",
        "]",
        "(",
        ")",
        "(?:",
        "(?i)",
        "(?=",
        "\\1",
        "\\",
        "*",
        "+",
        "?",
        "{",
        "}",
        "{2}",
        "{,2}",
        "|",
        "^",
        "$",
        ".",
        "\\x41",
        "\\x{",
        "\\d",
        "[[:alpha:]",
        "-",
        "&&",
        "\\Q",
        "\\E",
        "(?x)",
        " ",
        "#",
        "\n",
        "\u{e9}",
        "(?<n>",
        "(?P=n)",
        "\\b",
        "\\c",
        "\\o{",
        "0",
        ":",
        "^",
    ];
    let piece = prop_oneof![
        6 => prop::sample::select(pieces.map(str::as_bytes).map(<[u8]>::to_vec).to_vec()),
        1 => any::<u8>().prop_map(|byte| vec![byte]),
    ];
    prop::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(5_000))]

    /// Any pattern compiles or is refused at a place in it; what was translated is ASCII.
    #[test]
    fn any_pattern_is_answered(pattern in pattern(), value: Vec<u8>) {
        match Rx::parse(&pattern) {
            Ok(rx) => {
                prop_assert!(rx.translated().is_ascii());
                let (mut cache, mut groups) = (OperatorCache::default(), Groups::default());
                let is_match = rx.is_match(&value, &mut cache);
                rx.captures(&value, &mut cache, &mut groups);
                prop_assert_eq!(groups.get(0).is_some(), is_match);
                prop_assert!(groups.iter().all(|part| part.start <= part.end && part.end <= value.len()));
            }
            Err((offset, problem)) => {
                prop_assert!(offset <= pattern.len());
                prop_assert!(!problem.to_string().is_empty());
            }
        }
    }

    /// Text with a backslash before each byte that isn't a letter or digit is that text.
    #[test]
    fn escaped_text_is_itself(text in prop::collection::vec(any::<u8>(), 0..12)) {
        let mut pattern = b"^".to_vec();
        for byte in &text {
            if !byte.is_ascii_alphanumeric() {
                pattern.push(b'\\');
            }
            pattern.push(*byte);
        }
        pattern.push(b'$');
        let rx = Rx::parse(&pattern).unwrap();
        prop_assert!(rx.is_match(&text, &mut OperatorCache::default()));
        prop_assert!(!rx.is_match(&[&text[..], b"x"].concat(), &mut OperatorCache::default()));
    }

    /// A class has exactly the bytes that are written in it.
    #[test]
    fn classes_have_what_is_written(members in prop::collection::vec(any::<u8>(), 1..8), value: u8) {
        let written: String = members.iter().map(|member| format!("\\x{member:02x}")).collect();
        let rx = Rx::parse(format!("^[{written}]$").as_bytes()).unwrap();
        let expected = members.contains(&value);
        prop_assert_eq!(rx.is_match(&[value], &mut OperatorCache::default()), expected);
    }
}
