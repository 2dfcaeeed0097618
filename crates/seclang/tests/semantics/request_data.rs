//! What of a request is in which variable.

use crate::site::{Request, run};

/// The values of targets in phase 2.
#[track_caller]
fn check(targets: &str, request: &Request, expected: &[&str]) {
    let rules = format!("SecRule {targets} ^ id:1,phase:2,pass");
    let matches = run(&rules, request).matches();
    let values: Vec<_> = matches
        .iter()
        .map(|one| one.replacen("1 ", "", 1))
        .collect();
    assert_eq!(values, expected, "{targets}");
}

#[test]
fn point_14_targets_are_as_they_were_sent() {
    let all =
        "REQUEST_LINE|REQUEST_URI_RAW|REQUEST_URI|REQUEST_FILENAME|REQUEST_BASENAME|QUERY_STRING";
    check(
        all,
        &Request::get("/a%20b/c%2fd.php?x=%41&y#frag"),
        &[
            "REQUEST_LINE=GET /a%20b/c%2fd.php?x=%41&y#frag HTTP/1.1",
            "REQUEST_URI_RAW=/a%20b/c%2fd.php?x=%41&y#frag",
            "REQUEST_URI=/a%20b/c%2fd.php?x=%41&y",
            // Apache decodes the path between phases 1 and 2.
            "REQUEST_FILENAME=/a b/c/d.php",
            "REQUEST_BASENAME=d.php",
            "QUERY_STRING=x=%41&y",
        ],
    );
    let rules = "SecRule REQUEST_FILENAME|REQUEST_BASENAME ^ id:1,phase:1,pass";
    let ran = run(rules, &Request::get("/a%20b/c%2fd.php?x"));
    assert_eq!(
        ran.matches(),
        [
            "1 REQUEST_FILENAME=/a%20b/c%2fd.php",
            "1 REQUEST_BASENAME=c%2fd.php"
        ]
    );
    check(
        "REQUEST_URI_RAW|REQUEST_URI|REQUEST_FILENAME|REQUEST_BASENAME|QUERY_STRING",
        &Request::get("http://h.example:80/a\\b?"),
        &[
            "REQUEST_URI_RAW=http://h.example:80/a\\\\b?",
            "REQUEST_URI=/a\\\\b?",
            "REQUEST_FILENAME=/a\\\\b",
            "REQUEST_BASENAME=b",
            "QUERY_STRING=",
        ],
    );
    check(
        "REQUEST_URI|REQUEST_BASENAME|&QUERY_STRING",
        &Request::get("*"),
        &["REQUEST_URI=*", "REQUEST_BASENAME=*", "&QUERY_STRING=0"],
    );
    // What looks like an authority further on is none.
    check(
        "REQUEST_URI",
        &Request::get("a?b=http://c/d"),
        &["REQUEST_URI=a?b=http://c/d"],
    );
}

#[test]
fn point_15_arguments() {
    let check = |query: &str, expected: &[&str]| {
        self::check("ARGS", &Request::get(&format!("/?{query}")), expected);
    };
    check("a=1&b=2", &["ARGS:a=1", "ARGS:b=2"]);
    check("a=1;b=2", &["ARGS:a=1;b=2"]);
    check("a=b=c", &["ARGS:a=b=c"]);
    check("a+b=c+d", &["ARGS:a b=c d"]);
    check("a=%41%zz%4", &["ARGS:a=A%zz%4"]);
    check("%61=%00%ff", &["ARGS:a=\\x00\\xff"]);
    check("a", &["ARGS:a="]);
    check("a&&b", &["ARGS:a=", "ARGS:=", "ARGS:b="]);
    check("b=2&a=1&b=3", &["ARGS:b=2", "ARGS:a=1", "ARGS:b=3"]);
    check("", &[]);
    self::check(
        "ARGS_NAMES|ARGS_GET_NAMES|&ARGS|&ARGS_GET:a",
        &Request::get("/?a=1&a=2"),
        &[
            "ARGS_NAMES:a=a",
            "ARGS_NAMES:a=a",
            "ARGS_GET_NAMES:a=a",
            "ARGS_GET_NAMES:a=a",
            "&ARGS=2",
            "&ARGS_GET=2",
        ],
    );
    self::check(
        "URLENCODED_ERROR",
        &Request::get("/?a=%zz"),
        &["URLENCODED_ERROR=1"],
    );
}

#[test]
fn point_16_cookies() {
    let check = |field: &str, expected: &[&str]| {
        let request = Request::get("/").header("Cookie", field);
        self::check("REQUEST_COOKIES", &request, expected);
    };
    check("a=1; b=2", &["REQUEST_COOKIES:a=1", "REQUEST_COOKIES:b=2"]);
    check("a=%41+b", &["REQUEST_COOKIES:a=%41+b"]);
    check("a;  =x;b", &["REQUEST_COOKIES:a=", "REQUEST_COOKIES:b="]);
    check("a=1;a=2", &["REQUEST_COOKIES:a=1", "REQUEST_COOKIES:a=2"]);
    check(
        "$Version=1; a=\"b\"",
        &["REQUEST_COOKIES:$Version=1", "REQUEST_COOKIES:a=\\\"b\\\""],
    );
    let two = Request::get("/")
        .header("Cookie", "a=1")
        .header("cookie", "b=2");
    self::check(
        "REQUEST_COOKIES_NAMES|&REQUEST_COOKIES",
        &two,
        &[
            "REQUEST_COOKIES_NAMES:a=a",
            "REQUEST_COOKIES_NAMES:b=b",
            "&REQUEST_COOKIES=2",
        ],
    );
    // However many there are: what comes last is looked at like what comes first.
    let many = format!("{}last=x", "a=1;".repeat(1_500));
    self::check(
        "REQUEST_COOKIES:last",
        &Request::get("/").header("Cookie", many),
        &["REQUEST_COOKIES:last=x"],
    );
}

#[test]
fn point_23_sizes() {
    check(
        "ARGS_COMBINED_SIZE|REQUEST_BODY_LENGTH|FILES_COMBINED_SIZE|FULL_REQUEST_LENGTH",
        &Request::form("cc=ddd").to("/?a=b"),
        &[
            "ARGS_COMBINED_SIZE=7",
            "REQUEST_BODY_LENGTH=6",
            "FILES_COMBINED_SIZE=0",
            "FULL_REQUEST_LENGTH=78",
        ],
    );
}

#[test]
fn point_24_ids_and_collections() {
    check(
        "UNIQUE_ID|ENV|GEO|IP|GLOBAL|SESSION|DURATION",
        &Request::get("/"),
        &["UNIQUE_ID=unique", "DURATION=0"],
    );
    let ran = run(
        "SecAction \"id:1,phase:1,nolog,pass,initcol:ip=%{REMOTE_ADDR},setvar:ip.n=+2,setvar:global.n=1\"
         SecRule IP:n|GLOBAL:n .* id:2,phase:2,pass",
        &Request::get("/"),
    );
    assert_eq!(ran.matches(), ["2 IP:n=2"]);
}

#[test]
fn point_26_values_are_bytes() {
    let request = Request::get("/?a=%ff%c3%a9%00").header("X", b"\xfe");
    check(
        "ARGS|REQUEST_HEADERS:x",
        &request,
        &["ARGS:a=\\xff\\xc3\\xa9\\x00", "REQUEST_HEADERS:X=\\xfe"],
    );
    let found = |operator: &str| {
        let rules = format!("SecRule ARGS \"{operator}\" id:1,phase:1,pass");
        !run(&rules, &request).ids().is_empty()
    };
    // One byte each, whatever characters they make.
    assert!(found(r"@rx ^\xff..\x00$"));
    assert!(found(r"@rx ^[^a]{4}$"));
    assert!(!found(r"@rx \w"));
    let transformed = |list: &str, value: &str| {
        let rules = format!("SecRule ARGS ^ \"id:1,phase:1,pass,{list}\"");
        let ran = run(&rules, &Request::get(&format!("/?a={value}")));
        ran.matches()[0].replacen("1 ARGS:a=", "", 1)
    };
    assert_eq!(transformed("t:utf8toUnicode", "%ff%c3%a9"), "\\xff%u00e9");
    assert_eq!(transformed("t:urlDecodeUni", "%25u0041%25uff21"), "AA");
    assert_eq!(transformed("t:htmlEntityDecode", "%26nbsp;"), "\\xa0");
    assert_eq!(transformed("t:base64Decode", "YWJj*x"), "abc");
    assert_eq!(transformed("t:normalisePathWin", "a%5c..%5cb"), "b");
}

#[test]
fn who_speaks_to_whom() {
    check(
        "REMOTE_ADDR|REMOTE_HOST|REMOTE_PORT|SERVER_ADDR|SERVER_PORT|SERVER_NAME|REQUEST_METHOD|REQUEST_PROTOCOL",
        &Request::get("/").header("Host", "H.example:8080"),
        &[
            "REMOTE_ADDR=192.0.2.7",
            "REMOTE_HOST=192.0.2.7",
            "REMOTE_PORT=1234",
            "SERVER_ADDR=192.0.2.80",
            "SERVER_PORT=443",
            "SERVER_NAME=H.example",
            "REQUEST_METHOD=GET",
            "REQUEST_PROTOCOL=HTTP/1.1",
        ],
    );
    for (host, expected) in [
        ("a.example.", "a.example"),
        ("a.example.:80", "a.example"),
        (".", "."),
        ("[::1]:80", "[::1]"),
    ] {
        let request = Request::get("/").header("Host", host);
        check(
            "SERVER_NAME",
            &request,
            &[&format!("SERVER_NAME={expected}")],
        );
    }
    check(
        "AUTH_TYPE|REMOTE_USER",
        &Request::get("/").header("Authorization", "Basic dXNlcjpwYXNz"),
        &["AUTH_TYPE=Basic", "REMOTE_USER=user"],
    );
    check(
        "TIME|TIME_EPOCH|TIME_WDAY|WEBAPPID|&FULL_REQUEST",
        &Request::get("/"),
        &[
            "TIME=23:05:09",
            "TIME_EPOCH=1709247909",
            "TIME_WDAY=4",
            "WEBAPPID=default",
            "&FULL_REQUEST=1",
        ],
    );
    check(
        "FULL_REQUEST",
        &Request::form("a=b"),
        &[
            "FULL_REQUEST=POST / HTTP/1.1\\r\\nContent-Type: application/x-www-form-urlencoded\\r\\n\\r\\na=b",
        ],
    );
}
