use std::fs;
use std::path::Path;

use palisade_vocabulary::{ClientAddr, HttpVersion, Ip, RequestId};
use tempfile::TempDir;

use super::*;
use crate::*;

const PATIENCE: Duration = Duration::from_secs(30);

struct Silent;

impl Report for Silent {
    fn report(&self, _: Level, _: &'static str, _: &str, _: Fields<'_>) {}
}

fn metrics() -> Arc<Metrics> {
    let labels = MetricLabels {
        version: "1.2.3",
        hygiene_reasons: &[],
        proxy_reasons: &[],
    };
    Arc::new(Metrics::new(labels).unwrap())
}

fn settings(access: Option<&Path>, decisions: Option<&Path>) -> LogSettings {
    LogSettings {
        shadow: None,
        audit: None,
        access: access.map(|path| AccessLogSettings {
            sink: Sink::File(path.to_owned()),
            format: AccessFormat::Json,
        }),
        decisions: decisions.map(|path| Sink::File(path.to_owned())),
    }
}

fn open(settings: &LogSettings) -> Telemetry {
    Telemetry::open(settings, metrics(), Arc::new(Silent)).unwrap()
}

fn client() -> ClientAddr {
    ClientAddr::peer(Ip::new([203, 0, 113, 7].into()), 1)
}

fn request(client: &ClientAddr, outcome: Outcome) -> AccessEvent<'_> {
    AccessEvent {
        time: WallTime::from_unix(0, 0),
        client,
        request: RequestLine::Parsed {
            method: "GET",
            target: b"/",
            version: HttpVersion::Http11,
        },
        host: "example.com",
        port: None,
        status: 403,
        body_bytes: 0,
        referer: b"",
        user_agent: b"",
        user: "",
        request_id: RequestId::from_bits(1),
        duration: Duration::ZERO,
        upstream: None,
        upstream_duration: None,
        www_authenticate: None,
        site: "",
        outcome,
    }
}

fn refusal(client: &ClientAddr) -> DecisionEvent<'_> {
    DecisionEvent {
        time: WallTime::from_unix(0, 0),
        mode: DecisionMode::Refused,
        cause: Cause::DecisionsStale,
        client,
        peer: client.ip,
        subject: Subject::Connection,
        checks_duration: Duration::ZERO,
    }
}

fn text(telemetry: &Telemetry) -> String {
    let mut text = String::new();
    let now = palisade_vocabulary::Tick::from_millis(0);
    telemetry.metrics().render(now, &mut text).unwrap();
    text
}

/// CrowdSec would ban a banned client again for the 403s that its ban gives it.
#[test]
fn refusals_by_decision_stay_out_of_the_access_log() {
    let folder = TempDir::new().unwrap();
    let (access, decisions) = (
        folder.path().join("access"),
        folder.path().join("decisions"),
    );
    let telemetry = open(&settings(Some(&access), Some(&decisions)));
    let client = client();
    let outcomes = [
        (Outcome::Forwarded, true),
        (Outcome::Answered, true),
        (Outcome::Redirected, true),
        (Outcome::UpstreamFailed, true),
        (Outcome::ClientAborted, true),
    ];
    let checks = Check::ALL.map(|check| (Outcome::Refused(check), check != Check::Decisions));
    for (outcome, logged) in outcomes.into_iter().chain(checks) {
        telemetry.observe_request(&request(&client, outcome));
        telemetry.flush(PATIENCE).unwrap();
        let lines = fs::read_to_string(&access).unwrap();
        assert_eq!(!lines.is_empty(), logged, "{outcome:?}: {lines}");
        fs::write(&access, "").unwrap();
    }
    telemetry.observe_decision(&refusal(&client));
    telemetry.flush(PATIENCE).unwrap();
    assert_eq!(fs::read_to_string(&access).unwrap(), "");
    let decisions = fs::read_to_string(&decisions).unwrap();
    assert!(decisions.contains(r#""check":"decisions""#), "{decisions}");
    let metrics = text(&telemetry);
    assert!(metrics.contains(r#"palisade_requests_total{outcome="refused",status="4xx"} 8"#));
    assert!(metrics.contains(r#"palisade_refusals_total{check="decisions"} 1"#));
}

#[test]
fn without_logs_there_are_metrics() {
    let telemetry = open(&LogSettings::default());
    let client = client();
    telemetry.observe_request(&request(&client, Outcome::Forwarded));
    telemetry.observe_decision(&refusal(&client));
    telemetry.flush(Duration::ZERO).unwrap();
    assert!(text(&telemetry).contains(r#"outcome="forwarded",status="4xx"} 1"#));
}

#[test]
fn logs_to_one_sink_share_its_writer() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("both");
    let telemetry = open(&settings(Some(&path), Some(&path)));
    let writers: Vec<_> = telemetry.writers().collect();
    assert!(Arc::ptr_eq(writers[0], writers[1]));
    let client = client();
    telemetry.observe_request(&request(&client, Outcome::Forwarded));
    telemetry.observe_decision(&refusal(&client));
    telemetry.flush(PATIENCE).unwrap();
    let text = fs::read_to_string(&path).unwrap();
    let lines: Vec<_> = text.lines().collect();
    assert!(
        lines[0].contains("forwarded") && lines[1].contains("decisions_stale"),
        "{text}"
    );
}

#[test]
fn a_reload_keeps_the_sinks_that_stay() {
    let folder = TempDir::new().unwrap();
    let (first, second) = (folder.path().join("first"), folder.path().join("second"));
    let before = open(&settings(Some(&first), None));
    let client = client();
    before.observe_request(&request(&client, Outcome::Forwarded));
    let after = before
        .reloaded(&settings(Some(&second), Some(&first)))
        .unwrap();
    let kept = after.decisions.as_ref().unwrap();
    assert!(Arc::ptr_eq(kept, before.writers().next().unwrap()));
    drop(before);
    after.observe_request(&request(&client, Outcome::Redirected));
    after.observe_decision(&refusal(&client));
    after.flush(PATIENCE).unwrap();
    let first = fs::read_to_string(&first).unwrap();
    assert!(
        first.contains("forwarded") && first.contains("decisions_stale"),
        "{first}"
    );
    assert!(fs::read_to_string(&second).unwrap().contains("redirected"));
    assert!(text(&after).contains(r#"outcome="forwarded",status="4xx"} 1"#));

    let nowhere = folder.path().join("nowhere/log");
    let error = after.reloaded(&settings(Some(&nowhere), None)).unwrap_err();
    assert!(error.to_string().contains("nowhere/log"), "{error}");
}

#[test]
fn a_flush_tells_what_it_could_not_write() {
    let telemetry = open(&settings(Some(Path::new("/dev/full")), None));
    telemetry.observe_request(&request(&client(), Outcome::Forwarded));
    let left = telemetry.flush(Duration::from_millis(1)).unwrap_err();
    assert!(left.bytes > 0);
}
