//! What is told beside the logs of decisions.

use std::fs;

use super::EVIL;
use crate::harness::{Backend, Palisade, wait_for};

#[test]
fn the_error_log_and_the_metrics_tell_of_a_rule_that_matched() {
    let backend = Backend::start();
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("rules.conf"), EVIL).unwrap();
    let palisade = Palisade::start_with_logs(
        folder,
        &format!(
            "
listeners: [{{ address: 127.0.0.1:0 }}]
upstreams: {{ app: {{ servers: [\"{backend}\"] }} }}
sites: [{{ upstream: app }}]
waf: {{ rules: rules.conf }}
logs: {{ audit: {{ path: error.log, format: error_log }} }}
"
        ),
    );
    assert_eq!(palisade.get("/?a=evil").status, 403);
    assert_eq!(palisade.get("/?a=b").status, 200);
    let path = palisade.directory().join("error.log");
    let told = wait_for("a line", || {
        let told = fs::read_to_string(&path).ok()?;
        told.ends_with('\n').then_some(told)
    });
    assert_eq!(told.lines().count(), 1, "{told}");
    assert!(
        told.contains("[error] [client 127.0.0.1] ModSecurity: Access denied. Matched at ARGS:a."),
        "{told}"
    );
    assert!(
        told.contains("[id \"100\"] [msg \"Evil in ARGS:a\"]"),
        "{told}"
    );
    wait_for("both requests to be counted", || {
        let metrics = palisade.metrics();
        let refused = metrics.contains("palisade_refusals_total{check=\"waf\"} 1");
        (refused && metrics.contains("palisade_waf_requests_total 2")).then_some(())
    });
}
