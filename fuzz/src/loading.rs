//! What holds of every load of settings, good or bad.

use std::net::Ipv4Addr;
use std::path::Path;

use http::{HeaderMap, HeaderName, HeaderValue};
use palisade_access::{Outcome as RuleOutcome, RuleExplanation, RuleSet, Scratch};
use palisade_config::files::{Files, Memory};
use palisade_config::{Problems, Settings, Severity};
use palisade_gate::Snapshot;
use palisade_vocabulary::{ClientAddr, HttpVersion, Known, PathView, Place, RequestView, Scheme};

use crate::{Outcome, check_message};

/// The settings file of all loads.
pub(crate) const SETTINGS: &str = "palisade.yaml";

/// Loads `palisade.yaml` of `files`. Settings that load also compile, and their rules say the same
/// whether evaluated or explained; what doesn't load says why, and where.
pub(crate) fn load(files: &Memory) -> Outcome {
    match Settings::load(files, &environment, Path::new(SETTINGS)) {
        Ok(loaded) => {
            assert_eq!(loaded.warnings.error_count(), 0);
            check_problems(&loaded.warnings, files);
            let snapshot = Snapshot::build(loaded.settings.gate, loaded.settings.geo);
            assert!(
                snapshot.is_ok(),
                "settings that load don't compile: {:?}",
                snapshot.err()
            );
            if let Ok(snapshot) = snapshot {
                check_rules(snapshot.access.set());
            }
            Outcome::Accepted
        }
        Err(error) => {
            assert!(error.problems.error_count() > 0, "refused without an error");
            check_problems(&error.problems, files);
            Outcome::Refused
        }
    }
}

fn environment(name: &str) -> Option<String> {
    match name {
        "PORT" => Some("8443".to_owned()),
        "KEY" => Some("0123abcd".to_owned()),
        "INJECTION" => Some("x\nmetrics: {address: 0.0.0.0:1}".to_owned()),
        _ => None,
    }
}

/// Each has words that are safe to print, and a place within a file that there is.
fn check_problems(problems: &Problems, files: &Memory) {
    assert!(problems.iter().count() <= Problems::KEPT_MAX);
    for problem in problems.iter() {
        check_message(&problem.to_string());
        let bytes = files
            .read(problem.location.file(), u64::MAX)
            .map(|file| file.bytes);
        // YAML also ends lines at a CR; the end of a file counts as a line of its own.
        let is_end = |byte: &&u8| matches!(byte, b'\n' | b'\r');
        let lines = bytes.map_or(0, |bytes| bytes.iter().filter(is_end).count()) + 1;
        assert!(problem.location.line() as usize <= lines + 1, "{problem}");
        assert!(matches!(
            problem.severity,
            Severity::Error | Severity::Warning
        ));
    }
}

/// Requests that differ in all that rules ask for.
fn check_rules(rules: &RuleSet) {
    let client = ClientAddr::peer(Ipv4Addr::new(203, 0, 113, 9).into(), 4711);
    let headers: HeaderMap = [
        (
            http::header::USER_AGENT,
            HeaderValue::from_static("sqlmap/1.0"),
        ),
        (
            http::header::COOKIE,
            HeaderValue::from_static("a=b; session=x"),
        ),
        (
            HeaderName::from_static("x-a"),
            HeaderValue::from_static("y"),
        ),
    ]
    .into_iter()
    .collect();
    let known = Place {
        country: "DE".parse().map_or(Known::Unlisted, Known::Is),
        asn: Known::Unlisted,
    };
    let unknown = Place {
        country: Known::Unavailable,
        asn: Known::Unavailable,
    };
    let paths: [(&str, Option<&str>); 3] = [
        ("/", None),
        ("/admin;x/.git", Some("/admin/.git")),
        ("/a/bc", None),
    ];
    for place in [known, unknown] {
        for (path, without_params) in paths {
            check_request(
                rules,
                &RequestView {
                    client: &client,
                    place,
                    scheme: Scheme::Https,
                    version: HttpVersion::Http11,
                    method: "GET",
                    host: "a.example",
                    path: PathView {
                        raw: path.as_bytes(),
                        canonical: path.as_bytes(),
                        without_params: without_params.map(str::as_bytes),
                    },
                    query: b"q=1",
                    headers: &headers,
                },
            );
        }
    }
}

fn check_request(rules: &RuleSet, view: &RequestView<'_>) {
    let mut scratch = Scratch::new();
    let ruling = rules.evaluate(view, &mut scratch);
    let explained = rules.explain(view);
    let ids = |outcome: RuleOutcome| -> Vec<_> {
        let with = explained
            .iter()
            .filter(|rule: &&RuleExplanation<'_>| rule.outcome == outcome);
        with.map(|rule| &rule.rule.id).collect()
    };
    let decided: Vec<_> = ruling.decided.iter().map(|rule| &rule.id).collect();
    assert_eq!(ids(RuleOutcome::Decides), decided);
    let recorded: Vec<_> = ruling.recorded().map(|rule| &rule.id).collect();
    assert_eq!(ids(RuleOutcome::Records), recorded);
}
