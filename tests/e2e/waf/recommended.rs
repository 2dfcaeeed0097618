//! The recommended settings that come with Palisade: `rules/seclang/recommended.conf`.

use std::path::Path;

use super::Folder;

fn recommended() -> String {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../rules/seclang/recommended.conf");
    file.to_str().unwrap().to_owned()
}

#[test]
fn nothing_is_wrong_with_the_recommended_settings() {
    let ended = Folder::with(&[]).waf(&["check", &recommended()]);
    assert_eq!(ended.code, 0, "{ended:?}");
    ended.prints(&[
        "rules 8, of which 0 are chains",
        "SecRuleEngine DetectionOnly: nothing is refused",
        "request bodies up to 13107200 bytes",
        "answers' bodies up to 524288 bytes",
    ]);
    assert_eq!(ended.said, "ok, 0 warnings, 1 files\n");
}

const MULTIPART: &str = "Content-Type: multipart/form-data; boundary=B";

/// What is told of a request with that field and body, with the engine on.
#[track_caller]
fn check(field: &str, body: &str, expected: &[&str]) {
    let own = "SecRuleEngine On
SecRule ARGS|XML:/* ^ \"id:1,phase:2,pass,log,msg:'%{MATCHED_VAR_NAME} of %{REQBODY_PROCESSOR}'\"
SecRule REQUEST_HEADERS:X-Gives-Up . \"id:2,phase:1,pass,nolog,setvar:tx.msc_gave_up=1\"
";
    let folder = Folder::with(&[("own.conf", own)]);
    let rules = recommended();
    let arguments = ["explain", "--rules", &rules, "own.conf", "--header", field];
    let url = "http://a.example/";
    let ended = folder.waf(&[&arguments[..], &[&format!("--data={body}"), url]].concat());
    assert_eq!(ended.code, 0, "{ended:?}");
    ended.prints(expected);
}

#[test]
fn bodies_are_read_as_their_type_says_or_refused() {
    let passes = "=> passes";
    for name in [
        "text/xml",
        "application/xml",
        "application/soap+xml; charset=utf-8",
    ] {
        let field = format!("Content-Type: {name}");
        check(&field, "<a>1</a>", &["msg XML of XML", passes]);
        check(&field, "<a>1", &["by rule 200002 with status 400"]);
    }
    for name in ["application/json", "Application/problem+JSON"] {
        let field = format!("Content-Type: {name}");
        check(&field, "{\"a\":1}", &["msg ARGS:a of JSON", passes]);
        check(&field, "{\"a\":1", &["by rule 200002 with status 400"]);
    }
    let part = "--B\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n1\r\n";
    check(
        MULTIPART,
        &format!("{part}--B--\r\n"),
        &["msg ARGS:a of MULTIPART", passes],
    );
    check(
        MULTIPART,
        &format!("x\r\n{part}--B--\r\n"),
        &[
            "by rule 200003 with status 400",
            "data before 1, data after 0",
        ],
    );
    check(
        MULTIPART,
        "--B\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\nx --B\r\n--B--\r\n",
        &["by rule 200004 with status 400"],
    );
    check(
        "Content-Type: application/x-www-form-urlencoded",
        &"a&".repeat(1_001),
        &["by rule 200002 with status 400"],
    );
    check(
        "Content-Type: application/x-www-form-urlencoded",
        &"a&".repeat(1_000),
        &["by rule 200007 with status 400"],
    );
    check(
        "X-Gives-Up: 1",
        "",
        &[
            "msg A rule gave up: TX:msc_gave_up.",
            "by rule 200005 with status 403",
        ],
    );
}
