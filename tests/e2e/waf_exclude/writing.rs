//! The file that an exclusion is written to.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};

use super::{Ended, Site, get};
use crate::harness::Palisade;

const WRONG: &str = "/a?x=evil";

#[test]
fn an_exclusion_ends_of_itself_and_is_told_of_then() {
    let site = Site::start();
    let request = get("app.example", WRONG);
    let id = site.refused(&request);
    site.exclude_and_reload(&id, &["--expires", "1d"]);
    assert_eq!(site.ask(&request).status, 200);
    let check = || {
        let settings = site.palisade.settings();
        Ended::of(Palisade::execute(&[
            "check",
            "--config",
            settings.to_str().unwrap(),
        ]))
    };
    assert!(check().said.contains("ok, 0 warnings"), "{:?}", check());
    // As it is once that day has come.
    let text = site.exclusions();
    let begins = text.split("TIME_EPOCH \"@lt ").nth(1).unwrap();
    let (end, _) = begins.split_once('"').unwrap();
    fs::write(
        site.path("exclusions.conf"),
        text.replace(end, "1767225600"),
    )
    .unwrap();
    site.reload();
    assert_eq!(site.ask(&request).status, 403);
    let expired = "exclusions.conf:7:1: warning: rule 98000000: the exclusion has expired on 2026-01-01; remove it";
    check().prints(&[expired]);
    assert!(check().said.contains("ok, 1 warnings"), "{:?}", check());
    let rules = site.path("exclusions.conf");
    let ended = Ended::of(Palisade::execute(&[
        "waf",
        "check",
        rules.to_str().unwrap(),
    ]));
    ended.prints(&[expired]);
}

#[test]
fn one_that_never_ends_does_not_ask_for_the_time() {
    let site = Site::start();
    let id = site.refused(&get("app.example", WRONG));
    site.exclude_and_reload(&id, &["--expires", "never"]);
    assert!(!site.exclusions().contains("TIME_EPOCH"));
    assert_eq!(site.ask(&get("app.example", WRONG)).status, 200);
}

#[test]
fn a_file_that_the_site_does_not_have_is_said_how_to_name() {
    let site = Site::start();
    let id = site.refused(&get("app.example", WRONG));
    let new = site.path("new.conf");
    let ended = site.exclude(&[&id, "--write", new.to_str().unwrap()]);
    assert_eq!(ended.code, 0, "{ended:?}");
    let line = format!("add `rules_before: {}` to its `waf`", new.display());
    ended.prints(&[&line, "the site app.example doesn't have this file yet"]);
    let mode = fs::metadata(&new).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode, 0o644);
    // Its id is free in the file as well as in the rules.
    let ended = site.exclude(&[&id, "--write", new.to_str().unwrap()]);
    assert_eq!(ended.code, 0, "{ended:?}");
    let text = fs::read_to_string(&new).unwrap();
    assert!(
        text.contains("id:98000000,") && text.contains("id:98000001,"),
        "{text}"
    );
}

#[test]
fn a_file_that_can_not_be_written_to_stays_as_it_is() {
    let site = Site::start();
    let id = site.refused(&get("app.example", WRONG));
    let link = site.path("link.conf");
    symlink(site.path("exclusions.conf"), &link).unwrap();
    let before = site.exclusions();
    let write = |path: &std::path::Path| site.exclude(&[&id, "--write", path.to_str().unwrap()]);
    write(&link).fails("it is a symbolic link");
    write(&site.path("none/a.conf")).fails("can't write to ");
    write(&site.path("rules")).fails("it is no regular file");
    // Rules that would be broken with it.
    fs::write(
        site.path("broken.conf"),
        "SecRule ARGS x \"id:7,phase:1,pass,chain\"\n",
    )
    .unwrap();
    let ended = write(&site.path("broken.conf"));
    ended.fails("nothing is written");
    assert_eq!(site.exclusions(), before);
    let broken = fs::read_to_string(site.path("broken.conf")).unwrap();
    assert_eq!(broken.lines().count(), 1, "{broken}");
}

#[test]
fn nothing_that_a_client_sent_becomes_a_directive() {
    let site = Site::start();
    let line = |host: &str, target: &str, name: &str, text: &str| {
        serde_json::json!({
            "time": text, "request_id": text, "client_ip": "192.0.2.1", "site": "app.example", "host": host,
            "request": { "method": "GET", "target": target, "version": "HTTP/1.1" }, "status": 403,
            "outcome": text, "messages": [{ "id": 100, "phase": 2, "msg": text, "name": name, "value": text, "tags": [text], "disruptive": "refused" }],
        })
        .to_string()
    };
    let evil = "\"\\\nSecRuleEngine Off\n#\u{1b}[2J %{tx.a}\\";
    let file = site.path("exclusions.conf");
    let write = [
        "--unproven",
        "--comment",
        evil,
        "--write",
        file.to_str().unwrap(),
    ];
    let run = |line: &str| site.exclude(&[&["--line", line], &write[..]].concat());
    // What can't be told in a rule is refused; what can be is told.
    run(&line(evil, "/a", "ARGS:q", "")).fails("the host ");
    run(&line("app.example", &format!("/{evil}"), "ARGS:q", "")).fails("the path ");
    assert!(!site.exclusions().contains("98000000"));
    let ended = run(&line("app.example", "/a", &format!("ARGS:{evil}"), evil));
    assert_eq!(ended.code, 0, "{ended:?}");
    assert!(
        !ended.printed.contains('\u{1b}') && !ended.said.contains('\u{1b}'),
        "{ended:?}"
    );
    let text = site.exclusions();
    let rules = text
        .lines()
        .filter(|line| !line.starts_with('#') && !line.is_empty());
    assert!(
        rules
            .clone()
            .all(|line| line.trim_start().starts_with("SecRule ")),
        "{text}"
    );
    assert_eq!(rules.count(), 3, "{text}");
    site.reload();
    assert_eq!(site.ask(&get("app.example", WRONG)).status, 403);
}
