use palisade_body::Body;
use palisade_seclang::ResponseHead;

use super::*;
use crate::test_files::{begin, rule_set};
use crate::{Inspection, RuleSetSettings};

const RULES: &str = "SecRuleEngine On
    SecRequestBodyAccess On
    SecResponseBodyAccess On
    SecRule ARGS:card \"@rx [0-9]{8}\" id:1,phase:2,log,pass,sanitiseMatched
    SecRule ARGS:word \"@rx s[a-z]+t\" id:2,phase:2,log,pass,capture,sanitiseMatchedBytes
    SecAction id:3,phase:1,log,pass";

fn names() -> HiddenNames {
    HiddenNames {
        arguments: vec!["password".into()],
        headers: vec!["authorization".into()],
        cookies: vec!["sid".into()],
    }
}

/// A request with this target and form, once it is over.
fn over(target: &str, form: &str) -> Inspection {
    let (mut inspection, _) = begin(&rule_set(RuleSetSettings::default(), RULES), target);
    inspection.request_body(b"", Body::whole(form.as_bytes()));
    inspection.response_head(&ResponseHead {
        protocol: b"HTTP/1.1",
        status: 200,
        reason: b"OK",
        headers: &[],
    });
    inspection.log(&names());
    inspection
}

#[test]
fn targets_are_shown_without_hidden_values() {
    let check = |target: &str, expected: &str| {
        let (inspection, names) = (over(target, ""), names());
        let hiding = Hiding::of(inspection.transaction(), &names);
        let shown = hiding.target(target.as_bytes()).into_owned();
        assert_eq!(String::from_utf8(shown).unwrap(), expected, "{target}");
    };
    check("/a?b=c&d", "/a?b=c&d");
    check("/a?password=x1&b=c", "/a?password=**&b=c");
    check("/a?b=c&Pass%77ord=x1", "/a?b=c&Pass%77ord=**");
    check("/a?login%5bpassword%5d=x%31", "/a?login%5bpassword%5d=****");
    check("/a?b=c;password=x", "/a?**************");
    check("/a?password", "/a?password");
    check("/a?password[]=x", "/a?password[]=*");
    check("/a?{\"password\":\"x\"}&b=c", "/a?****************&b=c");
    check("/a?b={%22password%22:1}&c=d", "/a?********************&c=d");
    // By a rule: of a name, and wherever it stands.
    check("/a?card=12345678&b=12345678", "/a?card=********&b=12345678");
    check("/secret?word=secret", "/******?word=******");
    check("/a?word=s%65cret&b=c", "/a?word=********&b=c");
}

#[test]
fn fields_are_shown_without_hidden_values() {
    let (inspection, names) = (over("/?word=secret", ""), names());
    let hiding = Hiding::of(inspection.transaction(), &names);
    let check = |name: &str, value: &str, expected: &str| {
        let shown = hiding.request_header(name.as_bytes(), value.as_bytes());
        assert_eq!(String::from_utf8_lossy(&shown), expected, "{name}");
    };
    check("Accept", "a", "a");
    check("Authorization", "Basic eDp5", "**********");
    check("Cookie", "a=b; sid=xyz; SID=q", "a=b; sid=***; SID=*");
    check("Cookie", "sid", "sid");
    check("Referer", "/a?b=secret", "/a?b=******");
    let check = |name: &str, value: &str, expected: &str| {
        let shown = hiding.response_header(name.as_bytes(), value.as_bytes());
        assert_eq!(String::from_utf8_lossy(&shown), expected, "{name}");
    };
    check("Set-Cookie", "sid=xyz; Path=/", "***************");
    check("Set-Cookie", "other=xyz", "other=xyz");
    check("X", "secret", "******");
}

#[test]
fn bodies_are_shown_without_hidden_values() {
    let check = |content_type: &str, form: &str, body: &str, expected: &str| {
        let (inspection, names) = (over("/", form), names());
        let hiding = Hiding::of(inspection.transaction(), &names);
        let shown = hiding.request_body(content_type.as_bytes(), body.as_bytes());
        assert_eq!(String::from_utf8_lossy(&shown), expected, "{body}");
    };
    let form = "user=ann&password=p+w";
    let kind = "application/x-www-form-urlencoded; charset=utf-8";
    check(kind, form, form, "user=ann&password=***");
    // What the form had stands for what the other body has.
    let multipart = "--x\r\nContent-Disposition: form-data; name=\"password\"\r\n\r\np w\r\n--x--";
    check(
        "multipart/form-data",
        form,
        multipart,
        &multipart.replace("p w", "***"),
    );
    check("application/json", form, r#"{"a":"p w"}"#, r#"{"a":"***"}"#);
    let escaped = r#"{"a":"\u0070 w"}"#;
    check(
        "application/json",
        form,
        escaped,
        &"*".repeat(escaped.len()),
    );
    let other = r#"{"a":"q"}"#;
    check("application/json", form, other, &"*".repeat(other.len()));
    check("application/json", "a=b", other, other);
    // What is no form of what the form had.
    let json = r#"{"a":1,"password":"p w"}"#;
    check(kind, form, json, &"*".repeat(json.len()));
}

#[test]
fn a_body_that_was_not_read_is_not_shown() {
    let names = names();
    let rules = "SecRuleEngine On\nSecRequestBodyAccess On\nSecArgumentsLimit 2\nSecAction id:1,phase:1,pass,log";
    let set = rule_set(RuleSetSettings::default(), rules);
    let check = |form: &str, expected: &str| {
        let (mut inspection, _) = begin(&set, "/");
        inspection.request_body(b"", Body::whole(form.as_bytes()));
        inspection.log(&names);
        let hiding = Hiding::of(inspection.transaction(), &names);
        let shown = hiding.request_body(b"application/x-www-form-urlencoded", form.as_bytes());
        assert_eq!(String::from_utf8_lossy(&shown), expected, "{form}");
    };
    check("a=b&c=d", "a=b&c=d");
    // More than is read.
    check("a=b&c=d&e=f", "***********");
}

#[test]
fn an_answer_is_shown_without_the_hidden_values_that_it_repeats() {
    let (inspection, names) = (over("/?password=first", "password=second"), names());
    let hiding = Hiding::of(inspection.transaction(), &names);
    let shown = hiding.response_body(b"<p>first, second, third</p>");
    assert_eq!(
        String::from_utf8_lossy(&shown),
        "<p>*****, ******, third</p>"
    );
}

#[test]
fn of_an_inspection_that_failed_what_has_a_name_is_hidden() {
    let names = names();
    let hiding = Hiding::of(None, &names);
    assert_eq!(&*hiding.target(b"/?password=x"), b"/?password=*");
    assert_eq!(&*hiding.request_header(b"authorization", b"x"), b"*");
}
