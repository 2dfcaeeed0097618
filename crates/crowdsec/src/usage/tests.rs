use std::sync::{Barrier, Mutex};

use palisade_vocabulary::Tick;
use serde_json::{Value, json};
use tokio::sync::{Notify, oneshot};
use tokio::task::spawn_blocking;

use super::document::{Window, document};
use super::*;
use crate::event::LapiEvent;
use crate::test_lapi::{Answer, TestLapi};
use crate::{Clock, Credentials, Secret, Settings};

fn seconds(seconds: u64) -> Tick {
    Tick::from_millis(seconds * 1_000)
}

fn totals(processed: u64, dropped: &[(&str, u64)]) -> UsageTotals {
    let dropped = dropped.iter();
    UsageTotals {
        processed: BTreeMap::from([(IpFamily::V4, processed)]),
        dropped: dropped
            .map(|(origin, count)| (((*origin).into(), IpFamily::V4), *count))
            .collect(),
        active_decisions: BTreeMap::new(),
    }
}

fn identity() -> Identity {
    Identity {
        version: "1.2.3",
        os: OperatingSystem::of_this_machine(),
        started_unix_seconds: 1_795_290_000,
    }
}

#[test]
fn the_document_is_as_lapi_wants_it() {
    let mut added = totals(12_345, &[("CAPI", 12), ("lists:firehol", 3)]);
    let active = &mut added.active_decisions;
    active.insert(("CAPI".into(), Some(IpFamily::V6)), 15_000);
    active.insert(("cscli".into(), None), 1);
    let window = Window {
        end_unix_seconds: 1_795_290_900,
        seconds: 900,
    };
    let os = OperatingSystem::of_this_machine().expect("a system with a name");
    let got: Value = serde_json::from_slice(&document(&identity(), window, &added)).unwrap();
    let item = |name: &str, value: u64, unit: &str, labels: Value| json!({ "name": name, "value": value, "unit": unit, "labels": labels });
    let dropped = |origin: &str, value| {
        let labels = json!({ "origin": origin, "ip_type": "ipv4" });
        item("dropped", value, "request", labels)
    };
    let expected = json!({
        "remediation_components": [{
            "type": "palisade",
            "name": "palisade",
            "version": "1.2.3",
            "os": { "name": os.name(), "family": os.family(), "version": os.version() },
            "feature_flags": [],
            "utc_startup_timestamp": 1_795_290_000,
            "metrics": [{
                "meta": { "window_size_seconds": 900, "utc_now_timestamp": 1_795_290_900 },
                "items": [
                    item("processed", 12_345, "request", json!({ "ip_type": "ipv4" })),
                    item("processed", 0, "request", json!({ "ip_type": "ipv6" })),
                    dropped("CAPI", 12),
                    dropped("lists:firehol", 3),
                    item("active_decisions", 15_000, "ip",
                        json!({ "origin": "CAPI", "ip_type": "ipv6" })),
                    item("active_decisions", 1, "ip", json!({ "origin": "cscli" })),
                ],
            }],
        }],
        "log_processors": null,
    });
    assert_eq!(got, expected);
}

#[test]
fn texts_are_as_long_as_lapi_takes_them() {
    let long = "ä".repeat(200);
    let added = totals(1, &[(&long, 1)]);
    let window = Window {
        end_unix_seconds: 1,
        seconds: 1,
    };
    let got: Value = serde_json::from_slice(&document(&identity(), window, &added)).unwrap();
    let items = &got["remediation_components"][0]["metrics"][0]["items"];
    assert_eq!(items[2]["labels"]["origin"], "ä".repeat(127));
}

#[test]
fn what_lapi_took_is_not_told_again_and_what_it_did_not_is() {
    let ledger = UsageLedger::new(seconds(0));
    let first = ledger.open(totals(10, &[("CAPI", 4)]), seconds(900), 5_000);
    assert_eq!(first.added, totals(10, &[("CAPI", 4)]));
    assert_eq!(first.window.seconds, 900);
    ledger.taken(first);

    let lost = ledger.open(
        totals(15, &[("CAPI", 4), ("cscli", 2)]),
        seconds(1_800),
        5_900,
    );
    assert_eq!(lost.added, totals(5, &[("cscli", 2)]));
    drop(lost);
    let next = ledger.open(
        totals(18, &[("CAPI", 5), ("cscli", 2)]),
        seconds(1_860),
        5_960,
    );
    assert_eq!(next.added, totals(8, &[("CAPI", 1), ("cscli", 2)]));
    assert_eq!(next.window.seconds, 960, "since the last that was taken");
}

#[test]
fn no_two_reports_have_one_time() {
    let ledger = UsageLedger::new(seconds(0));
    let end = |now| {
        let report = ledger.open(totals(1, &[]), seconds(1), now);
        report.window.end_unix_seconds
    };
    // A wall clock may stand still, and go back.
    assert_eq!(
        [end(500), end(500), end(100), end(600)],
        [500, 501, 502, 600]
    );
}

/// A reporter's surroundings.
struct Stage {
    lapi: TestLapi,
    lines: Arc<Mutex<Vec<String>>>,
    taken_or_not: Arc<Notify>,
    ledger: Arc<UsageLedger>,
}

impl Stage {
    fn new(answers: Vec<Answer>) -> Self {
        Self {
            lapi: TestLapi::start(answers),
            lines: Arc::default(),
            taken_or_not: Arc::default(),
            ledger: Arc::new(UsageLedger::new(seconds(0))),
        }
    }

    fn reporter(&self) -> UsageReporter {
        let key = Credentials::ApiKey(Secret::new("key").unwrap());
        let mut settings = Settings::new(self.lapi.url().parse().unwrap(), key).unwrap();
        settings.usage_interval = Some(UsageInterval::clamped_from_secs(1));
        let (lines, happened) = (Arc::clone(&self.lines), Arc::clone(&self.taken_or_not));
        let observer = move |event: &LapiEvent| {
            lines.lock().unwrap().push(event.to_string());
            happened.notify_one();
        };
        let clock: Arc<dyn Clock> = Arc::new(|| seconds(60));
        let source = Arc::new(|_| totals(7, &[("CAPI", 2)]));
        let ledger = Arc::clone(&self.ledger);
        UsageReporter::new(
            &settings,
            identity(),
            ledger,
            source,
            clock,
            Arc::new(observer),
            Arc::new(|_| {}),
        )
        .unwrap()
        .unwrap()
    }

    /// The first of the counters of each report so far: requests over IPv4.
    fn processed(&self) -> Vec<u64> {
        let bodies = self.lapi.bodies();
        let values = bodies.iter().map(|body| {
            let body: Value = serde_json::from_str(body).unwrap();
            let items = &body["remediation_components"][0]["metrics"][0]["items"];
            items[0]["value"].as_u64().unwrap()
        });
        values.collect()
    }
}

fn created() -> Answer {
    Answer::Status(201, String::new())
}

#[tokio::test]
async fn a_report_that_fails_is_made_up_for() {
    let stage = Stage::new(vec![
        Answer::Status(500, "{\"message\":\"database is locked\"}".to_owned()),
        created(),
    ]);
    let mut reporter = stage.reporter();
    let status = reporter.status();
    let _ = reporter.report_now().await;
    assert_eq!(status.consecutive_failures(), 1);
    assert!(status.last_failure().unwrap().message.contains("locked"));
    for _ in 0..2 {
        let _ = reporter.report_now().await;
    }
    assert_eq!(stage.processed(), [7, 7, 0]);
    assert_eq!(status.is_supported(), Some(true));
    assert_eq!(status.last_taken(), Some(seconds(60)));
    let head = &stage.lapi.heads()[0];
    assert!(
        head.starts_with("POST /v1/usage-metrics HTTP/1.1\r\n"),
        "{head}"
    );
    assert!(head.contains("x-api-key: key\r\n"), "{head}");
    let lines = stage.lines.lock().unwrap().clone();
    assert_eq!(
        lines,
        [
            "LAPI answered a report of usage with status 500 instead of 201: {\"message\":\"database is locked\"}",
            "LAPI takes reports of usage again, after 1 that it did not take",
        ]
    );
}

#[tokio::test]
async fn an_lapi_that_takes_none_is_named_once_and_asked_seldom() {
    let stage = Stage::new(vec![Answer::Status(404, String::new())]);
    let mut reporter = stage.reporter();
    for _ in 0..3 {
        let wait = reporter.report_now().await;
        assert!(wait > std::time::Duration::from_secs(5 * 3600), "{wait:?}");
    }
    assert_eq!(reporter.status().is_supported(), Some(false));
    assert_eq!(stage.lines.lock().unwrap().len(), 1);
    // Nor is it asked once more at the end.
    reporter.run(async { true }).await;
    assert_eq!(stage.processed().len(), 3);
}

#[tokio::test]
async fn the_last_report_is_made_at_the_end_and_has_a_bound() {
    let stage = Stage::new(vec![created(), Answer::Silence(Vec::new())]);
    stage.reporter().run(async { true }).await;
    assert_eq!(stage.processed(), [7]);
    stage.reporter().run(async { false }).await;
    assert_eq!(stage.processed(), [7], "whoever takes its place goes on");
    let started = std::time::Instant::now();
    stage.reporter().run(async { true }).await;
    assert!(started.elapsed() < std::time::Duration::from_secs(8));
}

/// Meets the LAPI that holds its answer back.
async fn meet(lapi: &Arc<Barrier>) {
    let lapi = Arc::clone(lapi);
    spawn_blocking(move || lapi.wait()).await.unwrap();
}

#[tokio::test]
async fn a_report_on_its_way_when_the_reporter_ends_is_not_told_again() {
    let met = Arc::new(Barrier::new(2));
    let stage = Stage::new(vec![Answer::Held(201, Arc::clone(&met)), created()]);
    let (stop, stopped) = oneshot::channel();
    let old = stage.reporter();
    let status = old.status();
    let old = tokio::spawn(old.run(async move { stopped.await.unwrap() }));
    meet(&met).await;
    stop.send(false).unwrap();
    // The reporter hears of it before LAPI answers.
    tokio::task::yield_now().await;
    meet(&met).await;
    old.await.unwrap();
    assert_eq!(status.last_taken(), Some(seconds(60)));
    let _ = stage.reporter().report_now().await;
    assert_eq!(stage.processed(), [7, 0]);
}

#[tokio::test]
async fn who_takes_over_does_not_tell_what_is_on_its_way() {
    let met = Arc::new(Barrier::new(2));
    let stage = Stage::new(vec![Answer::Held(201, Arc::clone(&met)), created()]);
    let (mut old, mut new) = (stage.reporter(), stage.reporter());
    let old = tokio::spawn(async move { old.report_now().await });
    meet(&met).await;
    let new = tokio::spawn(async move { new.report_now().await });
    tokio::task::yield_now().await;
    meet(&met).await;
    let _ = (old.await.unwrap(), new.await.unwrap());
    assert_eq!(stage.processed(), [7, 0]);
}

#[tokio::test]
async fn a_report_that_never_ends_is_not_waited_for_for_long() {
    let met = Arc::new(Barrier::new(2));
    // Met once alone, it never answers.
    let stage = Stage::new(vec![Answer::Held(201, Arc::clone(&met))]);
    let (stop, stopped) = oneshot::channel();
    let run = tokio::spawn(stage.reporter().run(async move { stopped.await.unwrap() }));
    meet(&met).await;
    let asked = std::time::Instant::now();
    stop.send(true).unwrap();
    run.await.unwrap();
    assert!(asked.elapsed() < std::time::Duration::from_secs(8));
}

#[tokio::test]
async fn a_key_that_is_refused_is_told_as_the_poller_does() {
    let stage = Stage::new(vec![Answer::Status(403, String::new())]);
    let mut reporter = stage.reporter();
    let _ = reporter.report_now().await;
    let line = stage.lines.lock().unwrap()[0].clone();
    assert!(line.contains("refuses the key"), "{line}");
}
