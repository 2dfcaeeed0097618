use std::time::Duration;

use palisade_crowdsec::SavedFile;
use palisade_decisions::{Decision, DecisionId, Delta, Remedy, Scope, SourceId};
use palisade_gate::settings::DecisionsPolicy;
use palisade_geo::{GeoDatabase, GeoDatabases};
use serde_json::{Value, json};

use super::BODY_BYTES_MAX;
use crate::test_context::{TestDoors, over_socket, parts};

async fn ask(doors: &TestDoors, request_line: &str, body: &str) -> (u16, Value) {
    let length = body.len();
    let request = format!(
        "{request_line} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {length}\r\n\r\n{body}"
    );
    let answer = over_socket(&doors.socket, request).await;
    let (status, body) = parts(&answer);
    (status, serde_json::from_str(body).unwrap())
}

/// The answer to adding a decision for an hour.
async fn add(doors: &TestDoors, scope: &str, value: &str, kind: &str) -> (u16, Value) {
    let body = json!({
        "scope": scope, "value": value, "type": kind, "duration_seconds": 3_600, "reason": "by hand",
    });
    ask(doors, "POST /decisions", &body.to_string()).await
}

/// `source id value type`, and how many there are in all.
async fn list(doors: &TestDoors, query: &str) -> (Vec<String>, u64) {
    let (status, answer) = ask(doors, &format!("GET /decisions{query}"), "").await;
    assert_eq!(status, 200, "{query}: {answer}");
    let text = |value: &Value| value.as_str().map_or(value.to_string(), str::to_owned);
    let rows = answer["decisions"].as_array().unwrap().iter().map(|row| {
        let fields = ["source", "id", "value", "type"].map(|name| text(&row[name]));
        fields.join(" ")
    });
    (rows.collect(), answer["total"].as_u64().unwrap())
}

fn lapi_says(doors: &TestDoors, scope: &str, value: &str) {
    let shared = &doors.context.shared;
    let now = shared.clock.now();
    let decision = Decision {
        id: DecisionId::new(7),
        scope: Scope::parse(scope, value).unwrap(),
        remedy: Remedy::Ban,
        origin: "lists".into(),
        scenario: "tor".into(),
        expires: now + Duration::from_secs(60),
    };
    let delta = Delta {
        added: vec![decision],
        ..Delta::default()
    };
    shared.state.decisions.apply(SourceId::CrowdSec, delta, now);
}

#[tokio::test]
async fn decisions_are_added_listed_and_taken_back() {
    let doors = TestDoors::open().await;
    let (status, mut added) = add(&doors, "ip", "192.0.2.9/24", "ban").await;
    assert_eq!(status, 201);
    let seconds = added["decision"]["expires_in_seconds"].take();
    assert_eq!(seconds, json!(3_600));
    let expected = json!({
        "decision": {
            "id": 1,
            "source": "local",
            "scope": "Range",
            "value": "192.0.2.0/24",
            "type": "ban",
            "origin": "local",
            "reason": "by hand",
            "expires_in_seconds": null,
        },
        "replaced": false,
        "warning": "a restart forgets this change: the settings have no `state_directory`",
    });
    assert_eq!(added, expected);
    assert_eq!(
        add(&doors, "Range", "192.0.2.0/24", "ban").await.1["replaced"],
        json!(true)
    );
    add(&doors, "Country", "de", "captcha").await;
    assert_eq!(
        list(&doors, "").await,
        (
            vec![
                "local 1 192.0.2.0/24 ban".to_owned(),
                "local 2 DE captcha".to_owned()
            ],
            2
        )
    );

    let (status, deleted) = ask(&doors, "DELETE /decisions?scope=Country&value=DE", "").await;
    assert_eq!((status, &deleted["deleted"]), (200, &json!(1)));
    let (status, deleted) = ask(&doors, "DELETE /decisions?id=2", "").await;
    assert_eq!(status, 404);
    assert!(
        deleted["error"]
            .as_str()
            .unwrap()
            .contains("no local decision with the id 2")
    );
    add(&doors, "AS", "64496", "throttle").await;
    let (status, deleted) = ask(&doors, "DELETE /decisions/all", "").await;
    assert_eq!((status, &deleted["deleted"]), (200, &json!(2)));
    assert_eq!(list(&doors, "").await, (Vec::new(), 0));
}

#[tokio::test]
async fn a_listing_is_narrowed_and_bounded() {
    let country = palisade_testkit::mmdb::country_database(&[("192.0.2.0/24", "DE")]);
    let asn = palisade_testkit::mmdb::asn_database(&[("192.0.2.0/24", 64_496)]);
    let geo = GeoDatabases {
        country: Some(GeoDatabase::from_bytes(country).unwrap()),
        asn: Some(GeoDatabase::from_bytes(asn).unwrap()),
        ..GeoDatabases::default()
    };
    let doors = TestDoors::with(DecisionsPolicy::default(), None, geo);
    for (scope, value) in [
        ("Ip", "192.0.2.1"),
        ("Ip", "192.0.2.2"),
        ("Range", "192.0.0.0/16"),
        ("Country", "DE"),
        ("Country", "FR"),
        ("AS", "64496"),
    ] {
        assert_eq!(add(&doors, scope, value, "ban").await.0, 201);
    }
    lapi_says(&doors, "Ip", "192.0.2.1");
    let all_of_it = [
        "local 3 192.0.0.0/16 ban",
        "local 1 192.0.2.1 ban",
        "local 4 DE ban",
        "local 6 AS64496 ban",
        "crowdsec 7 192.0.2.1 ban",
    ];
    let address = "?address=::ffff:192.0.2.1";
    assert_eq!(
        list(&doors, address).await,
        (all_of_it.map(str::to_owned).to_vec(), 5)
    );
    let first = all_of_it[..2].iter().map(ToString::to_string).collect();
    assert_eq!(
        list(&doors, &format!("{address}&limit=2")).await,
        (first, 5)
    );
    let lapis = vec!["crowdsec 7 192.0.2.1 ban".to_owned()];
    assert_eq!(list(&doors, "?source=crowdsec").await, (lapis, 1));
    assert_eq!(list(&doors, "?source=local&limit=1").await.1, 6);

    let (_, answer) = ask(&doors, "GET /decisions?source=crowdsec", "").await;
    assert_eq!(answer["decisions"][0]["origin"], json!("lists:tor"));
}

#[track_caller]
fn check_error((status, answer): (u16, Value), expected: u16, contains: &str) {
    assert_eq!(status, expected, "{answer}");
    let error = answer["error"].as_str().unwrap();
    assert!(error.contains(contains), "{error}");
}

#[tokio::test]
async fn a_target_that_means_nothing_is_told() {
    let doors = TestDoors::open().await;
    for (request_line, status, contains) in [
        ("GET /", 404, "there is /status, /decisions, /decisions/all"),
        ("PUT /decisions", 405, "GET, POST, DELETE"),
        ("POST /decisions/all", 405, "DELETE"),
        ("GET /decisions?adress=192.0.2.1", 400, "adress"),
        ("GET /decisions?address=here", 400, "not an IP address"),
        (
            "GET /decisions?source=me",
            400,
            "expected local or crowdsec",
        ),
        ("GET /decisions?limit=0", 400, "expected 1 to 100000"),
        ("GET /decisions?limit=100001", 400, "expected 1 to 100000"),
        ("DELETE /decisions", 400, "DELETE /decisions/all takes all"),
        ("DELETE /decisions?id=0", 400, "not a number above 0"),
        (
            "DELETE /decisions?id=1&scope=Ip",
            400,
            "either scope and value",
        ),
        (
            "DELETE /decisions?scope=Ip&value=x",
            400,
            "not an IP address",
        ),
        (
            "DELETE /decisions?scope=Ip&value=::1",
            404,
            "cscli decisions",
        ),
    ] {
        check_error(ask(&doors, request_line, "").await, status, contains);
    }
    assert_eq!(doors.told.lines(), [""; 0]);
}

#[tokio::test]
async fn a_body_that_is_no_decision_is_told() {
    let doors = TestDoors::open().await;
    let with = |name: &str, value: Value| {
        let mut body = json!({
            "scope": "Ip", "value": "192.0.2.1", "type": "ban", "duration_seconds": 60, "reason": "x",
        });
        body[name] = value;
        body.to_string()
    };
    for (body, status, contains) in [
        (String::new(), 400, "the body is no decision to add"),
        ("[".to_owned(), 400, "the body is no decision to add"),
        (with("until", json!(1)), 400, "unknown field `until`"),
        (with("duration_seconds", json!(0)), 400, "expected 1 s to"),
        (with("duration_seconds", json!(-1)), 400, "invalid value"),
        (with("type", json!("bna")), 400, "expected ban, captcha or"),
        (with("scope", json!("user")), 400, "is not supported"),
        (with("reason", json!("x".repeat(257))), 400, "at most 256"),
        (
            " ".repeat(BODY_BYTES_MAX + 1),
            413,
            "more than 1048576 bytes",
        ),
    ] {
        check_error(
            ask(&doors, "POST /decisions", &body).await,
            status,
            contains,
        );
    }
    assert_eq!(list(&doors, "").await.1, 0);
    assert_eq!(doors.told.lines(), [""; 0]);
}

#[tokio::test]
async fn the_operators_log_says_who_changed_what() {
    let directory = tempfile::tempdir().unwrap();
    let state_directory = Some(directory.path());
    let doors = TestDoors::with(
        DecisionsPolicy::default(),
        state_directory,
        GeoDatabases::default(),
    );
    let (_, added) = add(&doors, "Ip", "192.0.2.1", "ban").await;
    assert!(added.get("warning").is_none(), "{added}");
    ask(&doors, "DELETE /decisions?id=1", "").await;
    let file = SavedFile::of_operator(directory.path());
    std::fs::remove_file(file.path()).unwrap();
    std::fs::create_dir(file.path()).unwrap();
    add(&doors, "Ip", "192.0.2.2", "ban").await;
    let (_, flushed) = ask(&doors, "DELETE /decisions/all", "").await;
    let warning = flushed["warning"].as_str().unwrap();
    assert!(
        warning.starts_with("a restart may forget this change: "),
        "{warning}"
    );

    let user = crate::peer::own_user();
    let told = doors.told.lines();
    let expected = [
        format!("Info decisions: local decision added decision=192.0.2.1 user={user}"),
        format!("Info decisions: local decision taken back decision=192.0.2.1 user={user}"),
        format!("Error decisions: local decision added decision=192.0.2.2 user={user} error="),
        format!("Error decisions: local decisions flushed decision=1 user={user} error="),
    ];
    assert_eq!(told.len(), expected.len(), "{told:?}");
    for (line, expected) in told.iter().zip(expected) {
        assert!(line.starts_with(&expected), "{line}");
    }
}
