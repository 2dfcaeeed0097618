//! Requests that are made.

use palisade_ftw::TestId;

use super::*;

fn attack(payload: &[u8]) -> Attack {
    Attack {
        test: TestId {
            rule_id: 1,
            test_id: 1,
        },
        request:
            b"POST /post?a=b HTTP/1.1\r\nHost: localhost\r\nX: y\r\nContent-Length: 3\r\n\r\nc=d"
                .to_vec(),
        payload: payload.to_vec(),
    }
}

#[track_caller]
fn planted(name: &str, is_in_query: bool, payload: &[u8]) -> Option<String> {
    let host = Host::parse("a.example").unwrap();
    let path = SentPath::of_target("/s").unwrap();
    let spared = Spared::of_match(name).unwrap();
    let place = Place {
        host: Some(&host),
        path: &path,
        spared: &spared,
        is_in_query,
    };
    match plant(&place, &attack(payload)) {
        Planted::Request(bytes) => Some(String::from_utf8(bytes).unwrap()),
        Planted::Fixed | Planted::Impossible => None,
    }
}

#[test]
fn an_attack_is_where_the_exclusion_holds() {
    #[track_caller]
    fn check(name: &str, is_in_query: bool, first: &str, contains: &str) {
        let request = planted(name, is_in_query, b"1' --").unwrap();
        assert!(request.starts_with(first), "{request}");
        assert!(request.contains(contains), "{request}");
        assert!(request.contains("\r\nHost: a.example\r\n"), "{request}");
        let read = Request::read(request.as_bytes());
        let values = sent(&read, name);
        assert!(name == "REQUEST_URI" || values == [b"1' --"], "{request}");
    }
    check("ARGS:q", true, "GET /s?q=1%27%20-- HTTP/1.1\r\n", "");
    check(
        "ARGS:a b",
        false,
        "POST /s HTTP/1.1\r\n",
        "\r\n\r\na%20b=1%27%20--",
    );
    check(
        "REQUEST_COOKIES:c",
        true,
        "GET /s HTTP/1.1\r\n",
        "\r\nCookie: c=1' --\r\n",
    );
    check(
        "REQUEST_HEADERS:Referer",
        true,
        "GET /s HTTP/1.1\r\n",
        "\r\nReferer: 1' --\r\n",
    );
    check("REQUEST_URI", true, "GET /s?1%27%20-- HTTP/1.1\r\n", "");
}

#[test]
fn where_a_rule_does_not_run_the_attack_stays_as_it_is() {
    assert_eq!(
        planted("TX:1", true, b"").unwrap(),
        "POST /s?a=b HTTP/1.1\r\nHost: a.example\r\nX: y\r\nContent-Length: 3\r\n\r\nc=d"
    );
}

#[test]
fn places_without_room() {
    for name in [
        "ARGS_NAMES:q",
        "REQUEST_FILENAME",
        "REQUEST_HEADERS:Host",
        "REQUEST_PROTOCOL",
    ] {
        assert_eq!(planted(name, true, b"x"), None, "{name}");
    }
    assert_eq!(planted("REQUEST_HEADERS:Referer", true, b"a\r\nb: c"), None);
}

fn record(method: &str, target: &str, messages: &[(&str, &str)]) -> AuditRecord {
    let messages = messages.iter().map(
        |(name, value)| serde_json::json!({ "id": 1, "phase": 2, "name": name, "value": value }),
    );
    let messages: Vec<_> = messages.collect();
    let line = serde_json::json!({
        "time": "", "request_id": "a", "client_ip": "192.0.2.1", "host": "a.example", "outcome": "refused",
        "request": { "method": method, "target": target }, "messages": messages,
    });
    serde_json::from_value(line).unwrap()
}

#[track_caller]
fn replayed(record: &AuditRecord) -> (String, Vec<String>) {
    let (bytes, missing) = replay(record, None).unwrap();
    (String::from_utf8(bytes).unwrap(), missing)
}

#[test]
fn a_request_is_made_again_of_its_target() {
    let (request, missing) = replayed(&record("GET", "/s?q=%27", &[("ARGS:q", "'")]));
    assert!(
        request.starts_with("GET /s?q=%27 HTTP/1.1\r\nHost: localhost\r\n"),
        "{request}"
    );
    assert_eq!(missing, [""; 0]);
}

#[test]
fn what_is_not_in_the_target_is_made_of_what_matched() {
    let long = "x".repeat(512);
    let matches = [
        ("ARGS:a", "1'"),
        ("ARGS:a", "2"),
        ("REQUEST_COOKIES:c", "d"),
        ("REQUEST_HEADERS:X-Y", "z"),
        ("ARGS:long", &*long),
        ("REQUEST_BODY", "?"),
        ("FILES:f", "x"),
    ];
    let (request, missing) = replayed(&record("PUT", "/s", &matches));
    assert!(request.contains("\r\nX-Y: z\r\n"), "{request}");
    assert!(request.contains("\r\nCookie: c=d\r\n"), "{request}");
    assert!(request.contains("\r\n\r\na=1%27&long=xxx"), "{request}");
    let expected = [
        "ARGS:a: as a field of a form",
        "ARGS:long: as a field of a form",
        "ARGS:long: the log has the beginning",
        "FILES:f: the log hasn't what it was in",
    ];
    for (told, expected) in missing.iter().zip(expected) {
        assert!(told.starts_with(expected), "{missing:?}");
    }
    assert_eq!(missing.len(), expected.len(), "{missing:?}");
}

#[test]
fn what_is_no_request() {
    for (method, target) in [
        ("", "/"),
        ("GET", "/ a"),
        ("GET\r\n", "/"),
        ("GET", "/\u{7f}"),
    ] {
        assert_eq!(replay(&record(method, target, &[]), None), None, "{target}");
    }
}
