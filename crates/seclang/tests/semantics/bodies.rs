//! Bodies of requests: who parses them, what comes of it, and how much of them is looked at.

use crate::site::{Request, Site, run};

/// Rules of the recommended configuration, which choose a parser by type.
const CHOOSE: &str = r#"
SecRule REQUEST_HEADERS:Content-Type "@rx ^(?:application(?:/soap\+|/)|text/)xml" "id:200000,phase:1,t:none,t:lowercase,pass,nolog,ctl:requestBodyProcessor=XML"
SecRule REQUEST_HEADERS:Content-Type "@rx ^application/json" "id:200001,phase:1,t:none,t:lowercase,pass,nolog,ctl:requestBodyProcessor=JSON"
"#;

/// The values of targets in phase 2, after rules.
#[track_caller]
fn check(rules: &str, targets: &str, request: &Request, expected: &[&str]) {
    let rules = format!("{CHOOSE}\n{rules}\nSecRule {targets} ^ id:1,phase:2,pass");
    let matches = run(&rules, request).matches();
    let values: Vec<_> = matches
        .iter()
        .map(|one| one.replacen("1 ", "", 1))
        .collect();
    assert_eq!(values, expected, "{targets}");
}

fn multipart(body: &str) -> Request {
    Request::post(
        "multipart/form-data; boundary=B",
        body.replace('\n', "\r\n"),
    )
}

#[test]
fn point_17_the_type_chooses_the_processor() {
    let check = |content_type: &str, expected: &[&str]| {
        let request = Request::post(content_type, "a=b");
        self::check("", "REQBODY_PROCESSOR|ARGS", &request, expected);
    };
    check(
        "application/x-www-form-urlencoded",
        &["REQBODY_PROCESSOR=URLENCODED", "ARGS:a=b"],
    );
    check(
        "Application/X-WWW-Form-Urlencoded; charset=utf-8",
        &["REQBODY_PROCESSOR=URLENCODED", "ARGS:a=b"],
    );
    check("text/plain", &["REQBODY_PROCESSOR="]);
    check("", &["REQBODY_PROCESSOR="]);
    check("application/json", &["REQBODY_PROCESSOR=JSON"]);
    check("text/xml", &["REQBODY_PROCESSOR=XML"]);
    // A rule decides otherwise.
    self::check(
        "SecAction id:2,phase:1,pass,nolog,ctl:requestBodyProcessor=URLENCODED",
        "REQBODY_PROCESSOR|ARGS",
        &Request::post("text/plain", "a=b"),
        &["REQBODY_PROCESSOR=URLENCODED", "ARGS:a=b"],
    );
}

#[test]
fn point_18_request_body_is_of_forms_or_forced() {
    let json = Request::post("application/json", "{\"a\":\"b\"}");
    let force = "SecAction id:2,phase:1,pass,nolog,ctl:forceRequestBodyVariable=On";
    check(
        "",
        "REQUEST_BODY",
        &Request::form("a=b"),
        &["REQUEST_BODY=a=b"],
    );
    check("", "REQUEST_BODY", &json, &[]);
    check("", "REQUEST_BODY", &Request::post("text/plain", "x"), &[]);
    check(
        force,
        "REQUEST_BODY",
        &Request::post("text/plain", "x"),
        &["REQUEST_BODY=x"],
    );
    check(
        force,
        "REQUEST_BODY|ARGS",
        &json,
        &["REQUEST_BODY={\\\"a\\\":\\\"b\\\"}", "ARGS:a=b"],
    );
    check(
        "SecRequestBodyAccess Off",
        "REQUEST_BODY|ARGS",
        &Request::form("a=b"),
        &[],
    );
    check(
        "SecAction id:2,phase:1,pass,nolog,ctl:requestBodyAccess=Off",
        "REQUEST_BODY|ARGS",
        &Request::form("a=b"),
        &[],
    );
}

#[test]
fn point_19_json_names_and_values() {
    let check = |body: &str, expected: &[&str]| {
        let request = Request::post("application/json", body);
        self::check("", "ARGS|ARGS_NAMES", &request, expected);
    };
    check(
        r#"{"a":{"b":"x"},"n":[1,true,null]}"#,
        &[
            "ARGS:a.b=x",
            "ARGS:n.n=1",
            "ARGS:n.n=true",
            "ARGS:n.n=",
            "ARGS_NAMES:a.b=a.b",
            "ARGS_NAMES:n.n=n.n",
            "ARGS_NAMES:n.n=n.n",
            "ARGS_NAMES:n.n=n.n",
        ],
    );
    // All values of a key that repeats.
    check(
        r#"{"a":1,"a":2}"#,
        &["ARGS:a=1", "ARGS:a=2", "ARGS_NAMES:a=a", "ARGS_NAMES:a=a"],
    );
    // Too deep: what came before is there.
    self::check(
        "SecRequestBodyJsonDepthLimit 2",
        "ARGS|REQBODY_ERROR",
        &Request::post("application/json", r#"{"a":1,"b":{"c":{"d":{"e":2}}}}"#),
        &["ARGS:a=1", "REQBODY_ERROR=1"],
    );
}

#[test]
fn point_20_xml_is_its_text_and_its_attributes() {
    let body = "<?xml version=\"1.0\"?><a x='1' y='2'>one<b>two</b><![CDATA[three]]></a>";
    let xml = Request::post("text/xml", body);
    check("", "XML:/*", &xml, &["XML=onetwothree"]);
    check("", "XML://@*", &xml, &["XML=1", "XML=2"]);
    check("", "&XML:/*|&XML://@*|ARGS", &xml, &["&XML=1", "&XML=2"]);
    // No entity is expanded.
    let bomb = "<!DOCTYPE a [<!ENTITY x SYSTEM \"file:///etc/passwd\">]><a>&x;</a>";
    check(
        "",
        "REQBODY_ERROR",
        &Request::post("text/xml", bomb),
        &["REQBODY_ERROR=1"],
    );
}

/// `SecParseXmlIntoArgs` of ModSecurity 2.9.8 and 3.0.15.
#[test]
fn leaves_of_xml_are_arguments_where_that_is_asked_for() {
    let body = "<a x='1'>0<b>two</b><s:c xmlns:s='urn:s'><d>three</d></s:c></a>";
    let xml = Request::post("text/xml", body).to("/?q=1");
    let targets = "ARGS|&ARGS|ARGS_POST_NAMES|XML:/*|XML://@*";
    let on = [
        "ARGS:q=1",
        "ARGS:xml.a.b=two",
        "ARGS:xml.a.c.d=three",
        "&ARGS=3",
        "ARGS_POST_NAMES:xml.a.b=xml.a.b",
        "ARGS_POST_NAMES:xml.a.c.d=xml.a.c.d",
        "XML=0twothree",
        "XML=1",
    ];
    let off = ["ARGS:q=1", "&ARGS=1", "XML=0twothree", "XML=1"];
    check("", targets, &xml, &off);
    check("SecParseXmlIntoArgs Off", targets, &xml, &off);
    check("SecParseXmlIntoArgs on", targets, &xml, &on);
    check("SecParseXmlIntoArgs OnlyArgs", targets, &xml, &on[..6]);
    let later =
        |mode: &str| format!("SecAction id:9,phase:1,pass,nolog,ctl:parseXmlIntoArgs={mode}");
    check(&later("On"), targets, &xml, &on);
    check(&later("OnlyArgs"), targets, &xml, &on[..6]);
    check(
        &format!("SecParseXmlIntoArgs On\n{}", later("off")),
        targets,
        &xml,
        &off,
    );
    // Those of the query count; what is beyond the limit is seen as text.
    check(
        "SecParseXmlIntoArgs On\nSecArgumentsLimit 2",
        "ARGS|XML:/*|REQBODY_ERROR",
        &xml,
        &[
            "ARGS:q=1",
            "ARGS:xml.a.b=two",
            "XML=0twothree",
            "REQBODY_ERROR=1",
        ],
    );
}

#[test]
fn point_21_multipart_is_read_strictly() {
    let request = multipart(
        "--B\nContent-Disposition: form-data; name=\"a\"\n\nvalue\n--B\nContent-Disposition: form-data; name=\"f\"; filename=\"x.php\"\nContent-Type: text/plain\n\ncontent\n--B--\n",
    );
    check(
        "",
        "ARGS|FILES|FILES_NAMES|FILES_SIZES|FILES_COMBINED_SIZE|MULTIPART_FILENAME|MULTIPART_NAME|MULTIPART_PART_HEADERS:f|MULTIPART_STRICT_ERROR|REQBODY_ERROR|REQBODY_PROCESSOR",
        &request,
        &[
            "ARGS:a=value",
            "FILES:f=x.php",
            "FILES_NAMES:f=f",
            "FILES_SIZES:f=7",
            "FILES_COMBINED_SIZE=7",
            "MULTIPART_FILENAME:f=x.php",
            "MULTIPART_NAME:f=f",
            "MULTIPART_PART_HEADERS:f=Content-Disposition: form-data; name=\\\"f\\\"; filename=\\\"x.php\\\"",
            "MULTIPART_PART_HEADERS:f=Content-Type: text/plain",
            "MULTIPART_STRICT_ERROR=0",
            "REQBODY_ERROR=0",
            "REQBODY_PROCESSOR=MULTIPART",
        ],
    );
    let part = "--B\nContent-Disposition: form-data; name=\"a\"\n\nvalue\n--B--\n";
    let flagged = |flag: &str, request: &Request| {
        check(
            "",
            &format!("{flag}|MULTIPART_STRICT_ERROR"),
            request,
            &[&format!("{flag}=1"), "MULTIPART_STRICT_ERROR=1"],
        );
    };
    flagged("MULTIPART_DATA_BEFORE", &multipart(&format!("x\n{part}")));
    flagged("MULTIPART_DATA_AFTER", &multipart(&format!("{part}x")));
    flagged(
        "MULTIPART_LF_LINE",
        &Request::post("multipart/form-data; boundary=B", part),
    );
    flagged(
        "MULTIPART_BOUNDARY_QUOTED",
        &Request::post(
            "multipart/form-data; boundary=\"B\"",
            part.replace('\n', "\r\n"),
        ),
    );
    flagged(
        "MULTIPART_INVALID_QUOTING",
        &multipart(&part.replace("\"a\"", "'a'")),
    );
    flagged(
        "MULTIPART_HEADER_FOLDING",
        &multipart(&part.replace("; name", ";\n name")),
    );
}

#[test]
fn point_22_what_can_not_be_read_is_told_and_rules_run() {
    let broken = Request::post("application/json", r#"{"a":"attack","b":"#);
    let rules = format!(
        "{CHOOSE}
        SecRule REQBODY_ERROR \"!@eq 0\" \"id:200002,phase:2,deny,status:400,msg:'m',logdata:'%{{reqbody_error_msg}}'\"
        SecRule ARGS attack id:2,phase:2,pass"
    );
    let ran = run(&rules, &broken);
    assert_eq!(ran.end(), "deny 400 by 200002 in phase 2");
    let message = &ran.messages()[0];
    assert!(message.starts_with("m|JSON parsing error: "), "{message}");
    check(
        "",
        "REQBODY_ERROR|REQBODY_PROCESSOR_ERROR|ARGS",
        &broken,
        &[
            "REQBODY_ERROR=1",
            "REQBODY_PROCESSOR_ERROR=1",
            "ARGS:a=attack",
        ],
    );
    // One that a limit cut off is not broken.
    check(
        "SecRequestBodyLimitAction ProcessPartial",
        "REQBODY_ERROR|ARGS",
        &broken.clone().cut(),
        &["REQBODY_ERROR=0", "ARGS:a=attack"],
    );
}

#[test]
fn point_25_limits() {
    let limits = |rules: &str, request: &Request| {
        let ran = Site::new(rules).run(request);
        ran.transaction().request_body_limit()
    };
    let form = Request::form("a=b");
    assert_eq!(limits("", &form), Some(13_107_200));
    assert_eq!(limits("SecRequestBodyLimit 1000", &form), Some(1_000));
    assert_eq!(limits("SecRequestBodyAccess Off", &form), None);
    assert_eq!(limits("SecRuleEngine Off", &form), None);
    assert_eq!(
        limits(
            "SecAction id:1,phase:1,nolog,pass,ctl:requestBodyLimit=7",
            &form
        ),
        Some(7)
    );
    // The part that was seen.
    check(
        "SecRequestBodyLimit 5\nSecRequestBodyLimitAction ProcessPartial",
        "ARGS|INBOUND_DATA_ERROR|REQBODY_ERROR",
        &Request::form("a=b&c=d"),
        &[
            "ARGS:a=b",
            "ARGS:c=",
            "INBOUND_DATA_ERROR=1",
            "REQBODY_ERROR=0",
        ],
    );
    // All of it refused, before rules see it; of what is only watched the beginning is looked at.
    let over = Request::form("a=b&c=d").answered(200, "text/html", "too long an answer");
    let ends = |rules: &str| {
        let matches = "SecRule ARGS|RESPONSE_BODY . id:1,phase:2,pass\nSecRule RESPONSE_BODY . id:2,phase:4,pass
            SecAction id:3,phase:5,pass";
        let ran = Site::new(&format!("{rules}\n{matches}")).run(&over);
        (ran.end(), ran.would_be(), ran.ids())
    };
    let text = |text: &str| text.to_owned();
    assert_eq!(
        ends("SecRequestBodyLimit 5"),
        (text("deny 413 by 0 in phase 2"), text(""), vec![3])
    );
    assert_eq!(
        ends("SecRequestBodyLimit 5\nSecRuleEngine DetectionOnly"),
        (text(""), text("deny 413 by 0 in phase 2"), vec![1, 2, 3])
    );
    let answers = "SecResponseBodyAccess On\nSecResponseBodyLimit 5";
    assert_eq!(
        ends(answers),
        (text("deny 500 by 0 in phase 4"), text(""), vec![1, 1, 3])
    );
    let partial = format!("{answers}\nSecResponseBodyLimitAction ProcessPartial");
    assert_eq!(ends(&partial), (text(""), text(""), vec![1, 1, 2, 3]));
    let settings = |rules: &str| Site::new(rules).program().settings().clone();
    let partial = settings("SecRequestBodyLimitAction ProcessPartial");
    assert!(partial.request_body.is_partial_processed);
    assert!(!settings("").request_body.is_partial_processed);
    assert_eq!(settings("").response_body.limit, 524_288);
    // Arguments of query and body together; one more is an error, and what comes before it is there.
    let three = Request::form("b=2&c=3").to("/?a=1");
    check(
        "SecArgumentsLimit 2",
        "ARGS|REQBODY_ERROR",
        &three,
        &["ARGS:a=1", "ARGS:b=2", "REQBODY_ERROR=1"],
    );
    check(
        "SecArgumentsLimit 3",
        "&ARGS|REQBODY_ERROR",
        &three,
        &["&ARGS=3", "REQBODY_ERROR=0"],
    );
    // Bytes that are no file's.
    let long = format!("a={}", "x".repeat(20));
    check(
        "SecRequestBodyNoFilesLimit 10",
        "REQBODY_ERROR|REQBODY_ERROR_MSG",
        &Request::form(&long),
        &[
            "REQBODY_ERROR=1",
            "REQBODY_ERROR_MSG=Request body no files data length is larger than the configured limit (10).",
        ],
    );
    check(
        "SecRequestBodyNoFilesLimit 100",
        "REQBODY_ERROR",
        &Request::form(&long),
        &["REQBODY_ERROR=0"],
    );
    check(
        "SecRequestBodyNoFilesLimit 200",
        "REQBODY_ERROR|FILES_COMBINED_SIZE",
        &multipart(&format!(
            "--B\nContent-Disposition: form-data; name=\"f\"; filename=\"x\"\n\n{}\n--B--\n",
            "x".repeat(300)
        )),
        &["REQBODY_ERROR=0", "FILES_COMBINED_SIZE=300"],
    );
    check(
        "SecRequestBodyNoFilesLimit 10",
        "REQBODY_ERROR",
        &Request::post("text/plain", &long),
        &["REQBODY_ERROR=1"],
    );
    // Files.
    let file = |name: &str| {
        format!("--B\nContent-Disposition: form-data; name=\"f\"; filename=\"{name}\"\n\nx\n")
    };
    check(
        "SecUploadFileLimit 1",
        "MULTIPART_FILE_LIMIT_EXCEEDED|FILES",
        &multipart(&format!("{}{}--B--\n", file("a"), file("b"))),
        &["MULTIPART_FILE_LIMIT_EXCEEDED=1", "FILES:f=a", "FILES:f=b"],
    );
}
