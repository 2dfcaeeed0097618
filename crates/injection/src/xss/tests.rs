use proptest::prelude::*;

use super::*;
use crate::html::tests::html;

#[track_caller]
fn check(input: &str, expected: bool) {
    assert_eq!(detect(input.as_bytes()), expected, "{input:?}");
}

#[test]
fn tags() {
    for name in [
        "script", "SCRIPT", "sc\0ript", "iframe", "svg", "svgx", "xsl:a", "xml", "base", "style",
    ] {
        check(&format!("<{name}>"), true);
        check(&format!("a<{name}"), true);
        check(&format!("</{name}>"), false);
        check(&format!("<a{name}>"), false);
    }
    check("<b>bold</b>", false);
    check("a < b", false);
    check("<xm", false);
    check("<scriptx", false);
}

#[test]
fn attributes_that_run_scripts() {
    for name in [
        "onload",
        "ONLOAD",
        "onloadx",
        "onauxclick",
        "style",
        "filter",
        "xmlns:a",
        "xlink:b",
        "da\0tasrc",
    ] {
        check(&format!("<a {name}=1>"), !name.contains('\0'));
        check(&format!("{name}=1"), !name.contains('\0'));
        check(&format!("x' {name}=1"), !name.contains('\0'));
        check(&format!("x\" {name}=1"), !name.contains('\0'));
        check(&format!("x`{name} = 1"), !name.contains('\0'));
        check(&format!("<a {name}>"), false);
        check(&format!("<a {name} b=1>"), false);
    }
    check("<a one=1>", false);
    check("<a onl=1 ononload=2>", false);
    check("on=1", false);
    check("a=style", false);
    check("session=onload", false);
}

#[test]
fn every_event_counts_and_nothing_else() {
    for event in include_str!("../../data/events").lines() {
        check(&format!("on{}=1", event.to_lowercase()), true);
        check(&format!("on{event}ing=1"), true);
        check(&format!("an{event}=1"), false);
    }
    for name in ["onabor", "onaa", "onzzz", "onload\0", "on\0load"] {
        check(&format!("<a attributename='{name}'>"), name == "onload\0");
    }
}

#[test]
fn attributes_that_take_urls() {
    for url in [
        "javascript:a",
        "JaVa",
        " \u{1}javascript",
        "data:a",
        "view-source:",
        "vbscript:",
        "&#106;ava",
        "&#x6a;ava",
        "&#X6A;ava",
        "&#0000106ava",
        "&#106ava;",
        "j&#0;a\nv\0a",
        "&#9;&#32;java",
        "\u{e9}java",
        "j&#x141;va",
    ] {
        check(&format!("<a href=\"{url}\">"), true);
        check(&format!("src='{url}'"), true);
        check(&format!("<a title=\"{url}\">"), false);
    }
    for url in [
        "https://example.com/",
        "/java",
        "jav",
        "jva",
        "j ava",
        "&#x;java",
        "&#;java",
        "&java",
        "&#1048832;java",
        "&#x100100;java",
        "&#x164;ata",
        "",
    ] {
        check(&format!("<a href=\"{url}\">"), false);
    }
}

#[test]
fn names_of_attributes_in_values() {
    check("<set attributename=href>", true);
    check("<set attributename='on\0load'>", false);
    check("<set attributename='h\0ref'>", true);
    check("<set attributename=x>", false);
}

#[test]
fn comments_and_declarations() {
    check("<!-- a -->", false);
    check("<!-- ` -->", true);
    check("<!--[if IE]>", true);
    check("<!--[if", false);
    check("<?xml version", true);
    check("<?xml", false);
    check("<?xm", false);
    check("<?import a", true);
    check("<!ENTITY", true);
    check("<!entit", false);
    check("<!doctype", true);
    check("<%xml%>", false);
    check("<%xml %>", true);
}

#[test]
fn harmless_values() {
    for value in [
        "",
        "a",
        "a=b&c=d",
        "https://example.com/?a=b&on=1",
        "1 < 2",
        "a <- b",
        "x = y",
        "'a' = \"b\"",
        "<p class=\"a\">text</p>",
        "if (a<b) c=d;",
        "GA1.2=3",
        "text/html;q=0.9",
    ] {
        check(value, false);
    }
}

/// As [`detect`], in all contexts whatever there is in the value.
fn detect_everywhere(input: &[u8]) -> bool {
    let starts = [
        Start::Data,
        Start::Tag,
        Start::Value(b'\''),
        Start::Value(b'"'),
        Start::Value(b'`'),
    ];
    starts.into_iter().any(|start| runs_scripts(input, start))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(20_000))]

    #[test]
    fn contexts_that_are_left_out_say_nothing(input in html()) {
        prop_assert_eq!(detect(&input), detect_everywhere(&input), "{}", input.escape_ascii());
    }

    #[test]
    fn case_says_nothing(input in html()) {
        let (small, large) = (input.to_ascii_lowercase(), input.to_ascii_uppercase());
        let is_special = small.windows(7).any(|text| text == b"[cdata[");
        prop_assert!(is_special || detect(&small) == detect(&large), "{}", input.escape_ascii());
    }

    /// Nothing that a value of an attribute begins with hides what comes behind its quote.
    #[test]
    fn what_is_behind_a_quote_counts(before in "[a-z ]{0,20}", input in html()) {
        let behind = [before.as_bytes(), b"\"", &input].concat();
        let in_tag = runs_scripts(&[b"\"", input.as_slice()].concat(), Start::Value(b'"'));
        prop_assert!(!in_tag || detect(&behind), "{}", behind.escape_ascii());
    }
}
