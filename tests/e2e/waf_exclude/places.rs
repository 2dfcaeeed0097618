//! What is excluded is what matched, wherever that was.

use super::{Site, get, get_with, post};

const FORM: &str = "application/x-www-form-urlencoded";
const JSON: &str = "application/json";

/// An exclusion for the first request lets it pass, and changes nothing for the others.
#[track_caller]
fn check(request: &str, target: &str, refused: &[&str]) {
    let site = Site::start();
    let id = site.refused(request);
    let ended = site.exclude_and_reload(&id, &[]);
    let expected = format!("ctl:ruleRemoveTargetById=100;{target}\"");
    ended.prints(&[
        &expected,
        "without the exclusion refused by rule 100, with it passed",
    ]);
    assert_eq!(site.ask(request).status, 200, "{request}");
    for request in refused {
        assert_eq!(site.ask(request).status, 403, "{request}");
    }
}

#[test]
fn an_argument_of_a_form() {
    let request = |path: &str, body: &str| post("app.example", path, FORM, body);
    check(
        &request("/a", "x=1&text=evil"),
        "ARGS:text",
        &[
            &request("/a", "texts=evil"),
            &request("/b", "text=evil"),
            &request("/a", "text=worse"),
            &post("b.example", "/a", FORM, "text=evil"),
        ],
    );
}

#[test]
fn a_value_in_json_whatever_its_place_in_a_list() {
    let request = |body: &str| post("app.example", "/a", JSON, body);
    let first = request(r#"{"items":[{"name":"good"},{"name":"evil"}]}"#);
    check(
        &first,
        "ARGS:items.items.name",
        &[
            &request(r#"{"items":[{"title":"evil"}]}"#),
            &request(r#"{"name":"evil"}"#),
            &request(r#"{"items":[{"name":"worse"}]}"#),
        ],
    );
}

#[test]
fn a_cookie() {
    let request = |cookie: &str| get_with("app.example", "/a", &format!("Cookie: {cookie}\r\n"));
    check(
        &request("a=b; theme=evil"),
        "REQUEST_COOKIES:theme",
        &[
            &request("a=evil"),
            &request("theme=worse"),
            &request("theme=evil; b=evil"),
        ],
    );
}

#[test]
fn a_header_field() {
    let request = |header: &str| get_with("app.example", "/a", &format!("{header}\r\n"));
    check(
        &request("X-Note: evil"),
        "REQUEST_HEADERS:X-Note",
        &[
            &request("X-Notes: evil"),
            &request("X-Note: worse"),
            &request("Referer: evil"),
        ],
    );
}

#[test]
fn the_name_of_an_argument() {
    check(
        &get("app.example", "/a?evil%5B%5D=1"),
        r"ARGS_NAMES:/^evil\x5b\x5d\z/",
        &[
            &get("app.example", "/a?evil=1"),
            &get("app.example", "/a?evil%5B%5D=evil"),
        ],
    );
}

#[test]
fn the_path() {
    check(
        &get("app.example", "/evil/a"),
        "REQUEST_FILENAME",
        &[
            &get("app.example", "/evil/b"),
            &get("app.example", "/evil/a?b=evil"),
        ],
    );
}

#[test]
fn a_request_that_several_rules_refuse_is_let_through_by_one_exclusion() {
    let site = Site::start();
    // The first refuses, so that the others are seen once it doesn't.
    let request = get("app.example", "/a?x=evil+worse&y=early");
    for rule in [102, 100, 101] {
        let id = site.refused(&request);
        let ended = site.exclude_and_reload(&id, &[]);
        ended.prints(&[&format!("ctl:ruleRemoveTargetById={rule};ARGS:")]);
    }
    assert_eq!(site.ask(&request).status, 200);
    assert_eq!(site.ask(&get("app.example", "/a?z=early")).status, 403);
    let text = site.exclusions();
    for id in ["id:98000000,", "id:98000001,", "id:98000002,"] {
        assert_eq!(text.matches(id).count(), 1, "{text}");
    }
}

#[test]
fn wider_is_what_is_asked_for() {
    let check = |wider: &[&str], table: &[(&str, &str, u16)]| {
        let site = Site::start();
        let id = site.refused(&get("app.example", "/a/b?x=evil"));
        let wider = wider.iter().flat_map(|wider| ["--wider", wider]);
        site.exclude_and_reload(&id, &wider.collect::<Vec<_>>());
        assert_eq!(site.ask(&get("app.example", "/a/b?x=evil")).status, 200);
        for (host, target, status) in table {
            assert_eq!(
                site.ask(&get(host, target)).status,
                *status,
                "{host}{target}"
            );
        }
    };
    check(
        &["host"],
        &[
            ("b.example", "/a/b?x=evil", 200),
            ("b.example", "/a/c?x=evil", 403),
        ],
    );
    check(
        &["path"],
        &[
            ("app.example", "/a/c?x=evil", 200),
            ("app.example", "/b?x=evil", 403),
            ("app.example", "/a/c?y=evil", 403),
        ],
    );
    check(
        &["argument"],
        &[
            ("app.example", "/a/b?y=evil", 200),
            ("app.example", "/a/b?y=worse", 403),
            ("app.example", "/a/c?y=evil", 403),
        ],
    );
}

#[test]
fn a_chain_that_ends_at_what_it_has_kept_says_where_that_was() {
    let site = Site::start();
    let request = get("app.example", "/a?x=chained&y=2");
    let id = site.refused(&request);
    site.exclude_and_reload(&id, &[]).prints(&[
        "matched            rule 103:  [TX:kept = ed]",
        "ctl:ruleRemoveTargetById=103;ARGS:x\"",
        "rule 103: of 1 in the tests it finds 1 in ARGS:x there: 0 still refused by other rules, 1 LET THROUGH",
        "100-4            a chained",
    ]);
    assert_eq!(site.ask(&request).status, 200);
    assert_eq!(site.ask(&get("app.example", "/a?y=chained")).status, 403);
}

#[test]
fn what_a_client_has_a_rule_say_is_not_believed() {
    let site = Site::start();
    let id = site.refused(&get("app.example", "/a?x=chained"));
    // As if the client had sent text that reads like the rule's.
    let line = site.audit_line(&id);
    let forged = line.replace(" found within ARGS:x: ", " found within ARGS:y: ");
    assert_ne!(forged, line);
    let ended = site.exclude(&["--line", &forged]);
    ended.prints(&["ctl:ruleRemoveById=103\"", "wider              rule 103"]);
}
