//! OWASP CRS's regression tests over real sockets: the real binary between clients and the suite's backend.
//! `make crs-wire` runs it.

mod audit_lines;
mod engine;

use std::path::Path;

use palisade_ftw::{Outcome, Overrides, Report, Test, run_test};
use palisade_waf::{read_overrides, read_suite};

use super::crs::{crs, rules, settings};
use crate::harness::{Backend, Palisade};
use audit_lines::AuditLines;
use engine::{WireEngine, suite_backend};

/// How many tests CRS 4.28 has.
const TESTS: usize = 5_003;
/// The most that may be overridden.
const OVERRIDES_MAX: usize = 20;
/// How many tests run at a time: logs are written some 20 ms after their requests, and each waits for that.
const AT_A_TIME: u8 = 16;

/// Palisade with CRS as its suite wants it, before the suite's backend.
struct Gate {
    palisade: Palisade,
    _backend: Backend,
    audit: AuditLines,
}

impl Gate {
    /// One thread serves: a request's line is written when its task ends, just after its answer, and that of
    /// a marker which was sent once the answer was there shall not come before it.
    fn start(crs: &str) -> Self {
        let backend = suite_backend();
        let rules = rules(crs, &["suite-paranoia-4.conf", "wire-limits.conf"]);
        let text = format!(
            "
listeners: [{{ address: 127.0.0.1:0, deadlines: {{ head: 2s, body: 2s }} }}]
upstreams: {{ app: {{ servers: [\"{backend}\"] }} }}
sites: [{{ upstream: app }}]
waf: {{ rules: {rules:?} }}
logs:
  decisions: {{ path: decisions.log }}
  audit: {{ path: audit.jsonl }}
"
        );
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("palisade.yaml");
        std::fs::write(&path, text).unwrap();
        let mut command = Palisade::command();
        command
            .args(["run", "--threads", "1", "--config"])
            .arg(path);
        let palisade = Palisade::start_by(command, folder);
        let audit = AuditLines::follow(palisade.directory().join("audit.jsonl"));
        Self {
            palisade,
            _backend: backend,
            audit,
        }
    }

    /// What sends from an address of its own, which no other may have.
    fn engine(&self, source: String) -> WireEngine {
        WireEngine::new(self.palisade.address(), source, self.audit.clone())
    }

    /// Runs all tests, shared out among threads.
    fn run(&self, tests: &[Test], overrides: &Overrides) -> Vec<Report> {
        let share = tests.len().div_ceil(AT_A_TIME.into()).max(1);
        std::thread::scope(|scope| {
            let shares = (1..).zip(tests.chunks(share)).map(|(number, share)| {
                let mut engine = self.engine(format!("127.0.1.{number}"));
                scope.spawn(move || {
                    let run = |test| run_test(&mut engine, test, overrides);
                    share.iter().map(run).collect::<Vec<_>>()
                })
            });
            let shares: Vec<_> = shares.collect();
            let reports = shares.into_iter().map(|share| share.join().unwrap());
            reports.flatten().collect()
        })
    }

    /// Each override that names a hygiene rule names the one that refuses its tests.
    fn check_hygiene_rules(&self, tests: &[Test], overrides: &Overrides) {
        let mut others = Vec::new();
        for (number, one) in (1..).zip(&overrides.list) {
            let Some(rule) = one.reason.split('`').nth(1) else {
                continue;
            };
            for (place, test) in (1..).zip(tests.iter().filter(|test| one.is_for(test.id))) {
                let source = format!("127.0.{}.{place}", 100 + number);
                run_test(&mut self.engine(source.clone()), test, overrides);
                let refused = self.palisade.wait_for_decision(|line| {
                    line["check"] == "hygiene" && line["client"]["ip"] == *source
                });
                if refused["reason"] != rule {
                    others.push(format!("{}: {}", test.id, refused["reason"]));
                }
            }
        }
        assert_eq!(others, [""; 0], "refused for other reasons");
    }
}

#[test]
fn crs_passes_its_own_tests_over_the_wire() {
    let Some(crs) = crs("CRS's 5,003 regression tests over the wire") else {
        return;
    };
    let tests = read_suite(&Path::new(&crs).join("regression/tests")).unwrap();
    assert_eq!(tests.len(), TESTS);
    let overrides = read_overrides(Path::new(&settings("wire-overrides.yaml"))).unwrap();
    assert!(overrides.without_test(&tests).is_empty());
    let gate = Gate::start(&crs);
    let reports = gate.run(&tests, &overrides);
    let count = |is_counted: fn(&Outcome) -> bool| {
        let outcomes = reports.iter().map(|report| &report.outcome);
        outcomes.filter(|outcome| is_counted(outcome)).count()
    };
    let failed = count(|outcome| matches!(outcome, Outcome::Failed(_)));
    let overridden = count(|outcome| matches!(outcome, Outcome::Overridden { .. }));
    for report in &reports {
        match report.outcome {
            Outcome::Passed => {}
            Outcome::Overridden { .. } => println!("{report}"),
            _ => say!("{report}"),
        }
    }
    say!(
        "CRS over the wire: {} passed, {failed} failed, {overridden} of them overridden",
        reports.len() - failed,
    );
    assert_eq!((reports.len(), failed), (TESTS, 0));
    assert!(overridden <= OVERRIDES_MAX, "{overridden} overrides");
    let needless = count(|outcome| matches!(outcome, Outcome::OverrideNotNeeded { .. }));
    assert_eq!(needless, 0, "overrides that are not needed");
    gate.check_hygiene_rules(&tests, &overrides);
}
