//! What LAPI is told of requests and refusals: a scripted LAPI that checks each report as strictly
//! as the one of CrowdSec 1.7, and a real one that is too old for reports.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, Mutex};

use serde_json::Value;

use crate::harness::{Backend, BackendRequest, Lapi, Load, Palisade, wait_for};

/// Three decisions of two origins, one of them on a list.
const DECISIONS: &str = r#"{"deleted":null,"new":[
{"duration":"4h0m0s","id":1,"origin":"CAPI","scenario":"http:scan","scope":"Ip","type":"ban","value":"198.51.100.1"},
{"duration":"4h0m0s","id":2,"origin":"lists","scenario":"firehol","scope":"Range","type":"ban","value":"2001:db8::/32"},
{"duration":"4h0m0s","id":3,"origin":"CAPI","scenario":"http:scan","scope":"Ip","type":"ban","value":"2001:db8:9::1"}]}"#;

/// An LAPI that takes reports, if they are as they must be.
struct StrictLapi {
    server: Backend,
    /// What it answers reports with.
    status: Arc<AtomicU16>,
    /// Those that it took.
    taken: Arc<Mutex<Vec<Value>>>,
    /// The times of all reports, taken or not.
    times: Arc<Mutex<Vec<u64>>>,
}

impl StrictLapi {
    fn start() -> Self {
        let status = Arc::new(AtomicU16::new(201));
        let taken: Arc<Mutex<Vec<Value>>> = Arc::default();
        let times: Arc<Mutex<Vec<u64>>> = Arc::default();
        let (with, took, saw) = (Arc::clone(&status), Arc::clone(&taken), Arc::clone(&times));
        let server = Backend::with(move |request, tcp| {
            let (status, body) = match request.line.split(' ').nth(1).unwrap() {
                target if target.starts_with("/v1/decisions/stream?") => {
                    let delta = "{\"new\":null,\"deleted\":null}";
                    let is_startup = target.contains("startup=true");
                    (200, if is_startup { DECISIONS } else { delta })
                }
                "/v1/usage-metrics" => {
                    let (time, report) = component(request);
                    saw.lock().unwrap().push(time);
                    let status = with.load(Ordering::SeqCst);
                    if status == 201 {
                        took.lock().unwrap().push(report);
                    }
                    (status, "")
                }
                _ => (404, "{\"message\":\"page or method not found\"}"),
            };
            let len = body.len();
            write!(
                tcp,
                "HTTP/1.1 {status} X\r\nContent-Length: {len}\r\n\r\n{body}"
            )
            .is_ok()
        });
        Self {
            server,
            status,
            taken,
            times,
        }
    }

    fn reports(&self) -> usize {
        self.times.lock().unwrap().len()
    }

    /// The counters of all reports that were taken, added up, by name, origin and kind of address.
    fn sums(&self) -> BTreeMap<(String, String, String), u64> {
        let mut sums = BTreeMap::new();
        for report in self.taken.lock().unwrap().iter() {
            for item in report["metrics"][0]["items"].as_array().unwrap() {
                let label = |name: &str| item["labels"][name].as_str().unwrap_or("").to_owned();
                let name = item["name"].as_str().unwrap().to_owned();
                if name != "active_decisions" {
                    let sum = sums.entry((name, label("origin"), label("ip_type")));
                    *sum.or_insert(0) += item["value"].as_u64().unwrap();
                }
            }
        }
        sums.retain(|_, sum| *sum > 0);
        sums
    }

    /// How many decisions hold, by the last report that was taken.
    fn active_decisions(&self, origin: &str, ip_type: &str) -> Option<u64> {
        let taken = self.taken.lock().unwrap();
        let items = &taken.last().unwrap()["metrics"][0]["items"];
        let gauge = items.as_array().unwrap().iter().find(|item| {
            item["name"] == "active_decisions"
                && item["labels"]["origin"] == origin
                && item["labels"]["ip_type"] == ip_type
        });
        gauge.map(|item| item["value"].as_u64().unwrap())
    }

    #[track_caller]
    fn wait_for_sums(&self, expected: &[(&str, &str, &str, u64)]) {
        let expected: BTreeMap<_, _> = expected
            .iter()
            .map(|(name, origin, ip_type, sum)| {
                let key = (
                    (*name).to_owned(),
                    (*origin).to_owned(),
                    (*ip_type).to_owned(),
                );
                (key, *sum)
            })
            .collect();
        wait_for(&format!("{expected:?}, not {:?}", self.sums()), || {
            (self.sums() == expected).then_some(())
        });
    }
}

/// The one component of a report and its time, if the report has all that LAPI requires
/// (`pkg/models` of CrowdSec).
fn component(request: &BackendRequest) -> (u64, Value) {
    assert!(request.line.starts_with("POST "), "{}", request.line);
    assert_eq!(request.header("x-api-key"), Some("abc"));
    assert_eq!(request.header("content-type"), Some("application/json"));
    let agent = request.header("user-agent").unwrap();
    assert_eq!(agent.matches('/').count(), 1, "{agent}");
    let document: Value = serde_json::from_slice(&request.body).unwrap();
    assert!(document["log_processors"].is_null());
    let [component] = &document["remediation_components"].as_array().unwrap()[..] else {
        panic!("one component: {document}")
    };
    let text = |value: &Value| {
        let text = value
            .as_str()
            .unwrap_or_else(|| panic!("a text: {value} in {component}"));
        assert!((1..=255).contains(&text.len()), "{text}");
        text.to_owned()
    };
    assert_eq!(
        (text(&component["type"]), text(&component["name"])),
        ("palisade".into(), "palisade".into())
    );
    text(&component["version"]);
    text(&component["os"]["name"]);
    text(&component["os"]["family"]);
    text(&component["os"]["version"]);
    assert_eq!(component["feature_flags"], serde_json::json!([]));
    let started = component["utc_startup_timestamp"].as_u64().unwrap();
    let [metrics] = &component["metrics"].as_array().unwrap()[..] else {
        panic!("one window: {component}")
    };
    let now = metrics["meta"]["utc_now_timestamp"].as_u64().unwrap();
    assert!(started > 1_700_000_000 && started <= now, "{started} {now}");
    assert!(metrics["meta"]["window_size_seconds"].as_u64().unwrap() >= 1);
    let mut tuples = BTreeSet::new();
    for item in metrics["items"].as_array().unwrap() {
        let name = text(&item["name"]);
        let unit = if name == "active_decisions" {
            "ip"
        } else {
            "request"
        };
        assert_eq!(item["unit"], unit, "{item}");
        assert!(item["value"].is_u64(), "{item}");
        let labels = item["labels"].as_object().unwrap();
        assert!(
            labels
                .keys()
                .all(|label| label == "origin" || label == "ip_type")
        );
        assert!(
            tuples.insert((name, item["labels"].to_string())),
            "twice: {item}"
        );
    }
    (now, component.clone())
}

fn settings(lapi: &str, key: &str, backend: &Backend, more: &str) -> String {
    format!(
        "
listeners:
  - {{ address: 127.0.0.1:0, proxy_protocol: {{ mode: required, from: 127.0.0.0/8 }} }}
upstreams: {{ app: {{ servers: [\"{backend}\"] }} }}
sites: [{{ upstream: app }}]
access: {{ rules: [{{ id: no-env, match: {{ path: /.env }}, action: block }}] }}
crowdsec: {{ lapi_url: \"{lapi}\", api_key: {key}, update_interval: 1s, usage_metrics: {{ interval: 1s }} }}
admin: {{ address: 127.0.0.1:0 }}
{more}
"
    )
}

#[test]
fn lapi_is_told_every_request_once_whatever_becomes_of_a_report() {
    let (lapi, backend) = (StrictLapi::start(), Backend::start());
    let url = format!("http://{}/", lapi.server);
    let mut palisade = Palisade::start(&settings(&url, "abc", &backend, ""));
    wait_for("the decisions", || {
        (palisade.metric("palisade_lapi_synced") > 0.0).then_some(())
    });
    for (client, target, status) in [
        ("198.51.100.1", "/", 403),
        ("198.51.100.1", "/", 403),
        ("198.51.100.2", "/", 200),
        ("198.51.100.2", "/.env", 403),
        ("2001:db8::7", "/", 403),
        ("2001:db9::7", "/", 200),
    ] {
        assert_eq!(palisade.get_from(client, target).status, status, "{client}");
    }
    let first = [
        ("processed", "", "ipv4", 4),
        ("processed", "", "ipv6", 2),
        ("dropped", "CAPI", "ipv4", 2),
        ("dropped", "palisade-access", "ipv4", 1),
        ("dropped", "lists:firehol", "ipv6", 1),
    ];
    lapi.wait_for_sums(&first);
    assert_eq!(lapi.active_decisions("CAPI", "ipv4"), Some(1));
    assert_eq!(lapi.active_decisions("CAPI", "ipv6"), Some(1));
    assert_eq!(lapi.active_decisions("lists:firehol", "ipv6"), Some(1));

    // What LAPI doesn't take it is told again, over a reload of how it is asked too.
    lapi.status.store(500, Ordering::SeqCst);
    assert_eq!(palisade.get_from("198.51.100.1", "/").status, 403);
    let known = lapi.reports();
    wait_for("a report that is refused", || {
        (lapi.reports() > known).then_some(())
    });
    let status = palisade.status()["lapi"]["usage_metrics"].clone();
    assert!(
        status["consecutive_failures"].as_u64().unwrap() > 0,
        "{status}"
    );
    let message = status["last_error"]["message"].as_str().unwrap();
    assert!(message.contains("status 500"), "{message}");
    let file = std::fs::read_to_string(palisade.settings()).unwrap();
    let changed = file.replace("update_interval: 1s", "update_interval: 2s");
    std::fs::write(palisade.settings(), changed).unwrap();
    palisade.signal("HUP");
    wait_for("the reload", || {
        (palisade.metric("palisade_reloads_total{result=\"ok\"}") > 0.0).then_some(())
    });
    lapi.status.store(201, Ordering::SeqCst);
    let mut second = first;
    second[0].3 += 1;
    second[2].3 += 1;
    lapi.wait_for_sums(&second);
    let ok = palisade.metric("palisade_lapi_usage_reports_total{result=\"ok\"}");
    let refused = palisade.metric("palisade_lapi_usage_reports_total{result=\"status\"}");
    assert!(ok >= 1.0 && refused >= 1.0, "{ok} {refused}");

    // The last ones are told at the end.
    assert_eq!(palisade.get_from("198.51.100.3", "/").status, 200);
    palisade.signal("TERM");
    assert_eq!(palisade.wait(), Some(0));
    second[0].3 += 1;
    lapi.wait_for_sums(&second);
    let times = lapi.times.lock().unwrap().clone();
    let different: BTreeSet<_> = times.iter().collect();
    assert_eq!(different.len(), times.len(), "a time twice: {times:?}");
}

#[test]
fn a_lapi_that_refuses_reports_under_load_hears_of_every_request_later() {
    let (lapi, backend) = (StrictLapi::start(), Backend::start());
    lapi.status.store(500, Ordering::SeqCst);
    let url = format!("http://{}/", lapi.server);
    let palisade = Palisade::start(&settings(&url, "abc", &backend, ""));
    let clients = Load::on(palisade.address()).of_client("203.0.113.7");
    let load = clients.keep_alive(1).new_connections(1).start();
    wait_for("two reports that are refused", || {
        (lapi.reports() >= 2).then_some(())
    });
    lapi.status.store(201, Ordering::SeqCst);
    let report = load.finish_after(20);
    report.assert_flawless();
    let asked = u64::try_from(report.answers()).unwrap();
    lapi.wait_for_sums(&[("processed", "", "ipv4", asked)]);
}

#[test]
fn a_lapi_that_takes_no_reports_is_named_once_and_still_polled() {
    let (lapi, backend) = (Lapi::shared(), Backend::start());
    let palisade = Palisade::start(&settings(&lapi.url(), &lapi.key(), &backend, ""));
    let told = || {
        let lines = palisade.stderr();
        let told = lines
            .iter()
            .filter(|line| line.contains("takes no usage metrics"));
        told.count()
    };
    wait_for("the line", || (told() > 0).then_some(()));
    let ban = lapi.ban("198.51.100.171", "1h");
    wait_for("the ban", || {
        (palisade.get_from("198.51.100.171", "/").status == 403).then_some(())
    });
    lapi.delete(&ban);
    assert_eq!(told(), 1);
    let status = palisade.status()["lapi"].clone();
    assert_eq!(status["usage_metrics"]["supported"], false, "{status}");
    assert_eq!(status["consecutive_failures"], 0, "{status}");
    let result = "palisade_lapi_usage_reports_total{result=\"not_supported\"}";
    wait_for("the metric", || {
        (palisade.metric(result) == 1.0).then_some(())
    });
}
