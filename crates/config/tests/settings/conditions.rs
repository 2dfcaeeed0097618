//! `match`: what is made of it, shown in the words of the access crate.

use crate::support;

fn yaml(condition: &str) -> String {
    format!(
        "geo: {{country_database: x.mmdb, asn_database: x.mmdb}}\naccess: {{lists: {{office: 10.0.0.0/8}}, rules: [{{id: r, action: block, match: {condition}}}]}}\n"
    )
}

#[track_caller]
fn check(condition: &str, expected: &str) {
    let settings = support::settings(&yaml(condition));
    let shown = settings
        .gate
        .rules
        .first()
        .map(|rule| rule.condition.to_string());
    assert_eq!(shown.as_deref(), Some(expected), "{condition}");
}

/// The problems of the rule's own line, from their column on; the condition starts at column 77.
#[track_caller]
fn check_problems(condition: &str, expected: &[&str]) {
    let got = support::problems(&support::load_with(&yaml(condition)));
    let got: Vec<&str> = got
        .lines()
        .filter_map(|line| line.strip_prefix("palisade.yaml:5:"))
        .collect();
    assert_eq!(got, expected, "{condition}");
}

#[test]
fn keys_are_all_needed_and_lists_are_alternatives() {
    check("{path: /a}", "path equals \"/a\"");
    check(
        "{path: [/a, /b], method: POST}",
        "path equals \"/a\" or equals \"/b\" and method equals \"POST\"",
    );
    check(
        "{path: {prefix: [/admin, /wp-admin]}, not: {country: [DE, at]}}",
        "path prefix \"/admin\" or prefix \"/wp-admin\" and not (country AT or DE)",
    );
    check("{}", "always");
}

#[test]
fn every_field() {
    check(
        "{address: [192.0.2.1, 198.51.100.0/24]}",
        "address 192.0.2.1 or 198.51.100.0/24",
    );
    check("{address: $office}", "address $office");
    check(
        "{address: [1.1.1.1, 2.2.2.2, 3.3.3.3, 4.4.4.4, 5.5.5.5]}",
        "address 1.1.1.1 or 2.2.2.2 or 3.3.3.3 or 4.4.4.4 or 1 more",
    );
    check("{country: [NO, unknown]}", "country NO or unknown");
    check("{asn: [64496, AS64497]}", "asn AS64496 or AS64497");
    check("{raw_path: {suffix: .php}}", "raw_path suffix \".php\"");
    check("{query: {contains: select}}", "query contains \"select\"");
    check("{host: a.example}", "host equals \"a.example\"");
    check("{user_agent: \"\"}", "user_agent equals \"\"");
    check(
        "{header: {X-A: {regex: \"^[0-9]+$\"}, x-b: b}}",
        "header x-a regex \"^[0-9]+$\" and header x-b equals \"b\"",
    );
    check("{cookie: {Session: abc}}", "cookie Session equals \"abc\"");
}

#[test]
fn conditions_nest() {
    check(
        "{any: [{path: /a}, {all: [{path: /b}, {query: x}]}], not: {any: [{method: GET}, {method: HEAD}]}}",
        "(path equals \"/a\" or (path equals \"/b\" and query equals \"x\")) and not (method equals \"GET\" or method equals \"HEAD\")",
    );
    let deep = |levels: usize| {
        format!(
            "{}{{path: /a}}{}",
            "{not: ".repeat(levels),
            "}".repeat(levels)
        )
    };
    assert!(support::load_with(&yaml(&deep(30))).is_ok());
    let problems = support::problems(&support::load_with(&yaml(&deep(40))));
    assert!(
        problems.contains("conditions nest deeper than 32 levels; flatten them"),
        "{problems}"
    );
}

#[test]
fn case_counts_where_it_does() {
    let ignores = |condition: &str| {
        let settings = support::settings(&yaml(condition));
        format!("{:?}", settings.gate.rules.first().unwrap().condition)
            .contains("ignore_case: true")
    };
    assert!(ignores("{host: A.example}") && ignores("{user_agent: {contains: sqlmap}}"));
    assert!(!ignores("{path: /a}") && !ignores("{header: {x: y}}"));
    assert!(ignores("{path: {equals: /a, ignore_case: true}}"));
    assert!(!ignores(
        "{user_agent: {contains: sqlmap, ignore_case: false}}"
    ));
}

#[test]
fn several_matchers_are_all_needed() {
    check(
        "{path: {prefix: /a, suffix: [.php, .asp]}}",
        "path prefix \"/a\" and path suffix \".php\" or suffix \".asp\"",
    );
}

#[test]
fn mistakes_have_their_place() {
    check_problems(
        "{path: {prefx: /a}}",
        &["85: error: unknown key \"prefx\"; did you mean \"prefix\"?"],
    );
    check_problems(
        "{path: {ignore_case: true}}",
        &[
            "84: error: no matcher here; expected at least one of equals, prefix, suffix, contains, regex",
        ],
    );
    check_problems(
        "{path: {contains: \"\"}}",
        &[
            "95: error: `contains` with an empty string matches everything; expected at least one character",
        ],
    );
    check_problems(
        "{path: {regex: [ok, \"a(\"]}}",
        &["97: error: not a regular expression: unclosed group (at character 2)"],
    );
    check_problems(
        "{country: [DEU, 12]}",
        &[
            "88: error: \"DEU\" is not a country; expected two letters like DE",
            "93: error: \"12\" is not a country; expected two letters like DE",
        ],
    );
    check_problems(
        "{asn: ASX}",
        &[
            "83: error: \"ASX\" is not an autonomous system; expected a number like 64496 or AS64496",
        ],
    );
    check_problems(
        "{header: [a]}",
        &["86: error: got a list; expected names with what to match, like {X-Name: ...}"],
    );
    check_problems(
        "{header: {\"a b\": c}}",
        &["87: error: \"a b\" is not the name of a header; expected one like X-Forwarded-For"],
    );
    check_problems(
        "{cookie: {\"a;b\": c}}",
        &["87: error: \"a;b\" is not the name of a cookie"],
    );
    check_problems(
        "{any: []}",
        &[
            "83: error: 0 values; expected 1 to 1000: a mapping with the keys of `access.rules.match`",
        ],
    );
    check_problems(
        "{not: [{path: /a}]}",
        &[
            "83: error: got a list; expected a mapping with address, country, asn, path, raw_path, query, host, method, user_agent, header, cookie, any, all, not",
        ],
    );
    check_problems(
        "{path: []}",
        &["84: error: 0 values; expected 1 to 100000: a text"],
    );
}

#[test]
fn what_looks_right_but_never_matches_is_warned_of() {
    check_problems(
        "{path: [admin, /x], method: [get, POST]}",
        &[
            "85: warning: \"admin\" never matches: paths start with /",
            "106: warning: \"get\" never matches: methods are upper case",
        ],
    );
    check_problems(
        "{path: [\"/a?b=c\", /x]}",
        &[
            "85: warning: \"/a?b=c\" never matches: a path ends before the ?; use `query` for what follows",
        ],
    );
    check_problems(
        "{query: {prefix: [\"?a\", a]}}",
        &["95: warning: \"?a\" never matches: the query is matched without its ?"],
    );
}

#[test]
fn paths_that_are_not_canonical_are_warned_of() {
    let sent_so = "doesn't match a path that is sent so: the canonical path is compared;";
    let check = |pattern: &str, column: u32, expected: Option<(&str, &str)>| {
        let expected = expected
            .map(|(text, instead)| format!("{column}: warning: \"{text}\" {sent_so} {instead}"));
        let expected: Vec<&str> = expected.iter().map(String::as_str).collect();
        check_problems(&format!("{{path: {pattern}}}"), &expected);
    };
    let nothing = "expected no escapes, no empty and no dot segments";
    let write = |text: &str| format!("write \"{text}\"");
    check("/%61dmin", 84, Some(("/%61dmin", &write("/admin"))));
    check("/a//b", 84, Some(("/a//b", &write("/a/b"))));
    check("/a/./b", 84, Some(("/a/./b", &write("/a/b"))));
    check("/a/../b", 84, Some(("/a/../b", &write("/b"))));
    check("/a/..", 84, Some(("/a/..", &write("/"))));
    check("{prefix: //a}", 93, Some(("//a", &write("/a"))));
    check("{prefix: /%2e/a}", 93, Some(("/%2e/a", &write("/a"))));
    check("{suffix: \"/..\"}", 93, Some(("/..", nothing)));
    check("{suffix: \"%2ephp\"}", 93, Some(("%2ephp", &write(".php"))));
    check("{contains: //}", 95, Some(("//", &write("/"))));
    check("{contains: /../}", 95, Some(("/../", nothing)));
    check("{contains: \"%3c\"}", 95, Some(("%3c", &write("<"))));
    check("/a%2fb", 84, Some(("/a%2fb", &write("/a%2Fb"))));
    // A pattern that ends, or begins, within a segment; what some sites allow.
    for canonical in [
        "/",
        "/.git",
        "/\u{e4}",
        "/a%2Fb",
        "/a%252Fb",
        "/100%",
        "{prefix: /.}",
        "{prefix: /a/..}",
        "{suffix: .php}",
        "{suffix: \"..\"}",
        "{contains: /.}",
        "{contains: \"../\"}",
        "{equals: /A%2fB, ignore_case: true}",
        "{regex: \"//|%61\"}",
    ] {
        check(canonical, 0, None);
    }
    // What a client sends is as it likes.
    check_problems("{raw_path: {contains: [//, \"%61\"]}}", &[]);
}
