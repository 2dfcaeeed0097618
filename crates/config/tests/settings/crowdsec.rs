//! `crowdsec`

use std::time::Duration;

use palisade_config::files::Memory;
use palisade_crowdsec::Credentials;
use palisade_gate::settings::{DecisionsPolicy, FallbackRemediation};
use palisade_vocabulary::{FailurePolicy, Mode};

use crate::support::{self, BASE, check_problems};

#[test]
fn defaults_are_those_of_the_stream_and_the_gate() {
    let settings =
        support::settings("crowdsec: {lapi_url: \"http://127.0.0.1:8080\", api_key: \"${KEY}\"}\n");
    let got = settings.crowdsec.unwrap();
    let expected =
        palisade_crowdsec::Settings::new(got.lapi_url().clone(), got.credentials().clone())
            .unwrap();
    assert_eq!(format!("{got:?}"), format!("{expected:?}"));
    assert_eq!(got.lapi_url().as_str(), "http://127.0.0.1:8080/");
    assert_eq!(settings.gate.decisions, DecisionsPolicy::default());
    assert!(support::settings("").crowdsec.is_none());
}

#[test]
fn everything_can_be_set() {
    let settings = support::settings(
        "crowdsec:
  lapi_url: http://127.0.0.1:8080/
  api_key: abc
  update_interval: 1s
  request_timeout: 2s
  startup_timeout: 3s
  resync_interval: 1m
  answer_bytes: 64KiB
  filters: {origins: [cscli, CAPI], scenarios_containing: ssh, scenarios_not_containing: [http]}
  mode: detect
  fallback_remediation: pass
  on_failure: {policy: closed, after: 5m}
  usage_metrics: {interval: 1m}
",
    );
    let stream = settings.crowdsec.unwrap();
    assert_eq!(stream.update_interval.get(), Duration::from_secs(1));
    assert_eq!(stream.resync_interval.get(), Duration::from_secs(60));
    assert_eq!(stream.filters.origins.len(), 2);
    let interval = stream.usage_interval.map(|interval| interval.get());
    assert_eq!(interval, Some(Duration::from_secs(60)));
    let policy = DecisionsPolicy {
        mode: Mode::Detect,
        fallback_remediation: FallbackRemediation::Pass,
        on_failure: FailurePolicy::Closed,
        stale_after: Duration::from_secs(300),
    };
    assert_eq!(settings.gate.decisions, policy);
}

#[test]
fn reports_of_usage_can_be_off() {
    let settings = support::settings(
        "crowdsec: {lapi_url: \"http://127.0.0.1:8080\", api_key: abc, usage_metrics: off}\n",
    );
    assert_eq!(settings.crowdsec.unwrap().usage_interval, None);
    check_problems(
        "crowdsec: {lapi_url: \"http://127.0.0.1:8080\", api_key: abc, usage_metrics: always}\n",
        &["4:76: error: \"always\" is not known here; expected off"],
    );
}

#[test]
fn exactly_one_proof_is_needed() {
    let url = "lapi_url: http://127.0.0.1:8080/";
    check_problems(
        &format!("crowdsec: {{{url}}}\n"),
        &[
            "4:11: error: LAPI wants to know who asks; give `api_key`, `api_key_file`, or `certificate` and `private_key`",
        ],
    );
    check_problems(
        &format!("crowdsec: {{{url}, api_key: a, api_key_file: b}}\n"),
        &[
            "4:11: error: more than one proof for LAPI; keep one of `api_key`, `api_key_file`, and `certificate` with `private_key`",
        ],
    );
    check_problems(
        &format!("crowdsec: {{{url}, certificate: a}}\n"),
        &["4:11: error: `certificate` and `private_key` go together; give both"],
    );
    check_problems(
        "crowdsec: {api_kye: a}\n",
        &[
            "4:11: error: `lapi_url` is missing here; expected a URL like http://127.0.0.1:8080/",
            "4:12: error: unknown key \"api_kye\"; did you mean \"api_key\"?",
        ],
    );
}

#[test]
fn secrets_come_from_files_and_are_never_shown() {
    let yaml = format!(
        "{BASE}crowdsec: {{lapi_url: http://127.0.0.1:8080/, api_key_file: secrets/key}}\n"
    );
    let files = |content: &str| {
        Memory::default()
            .with("palisade.yaml", yaml.clone())
            .with("secrets/key", content)
    };
    let loaded = support::load(&files("hunter2\n")).unwrap();
    assert!(matches!(
        loaded.settings.crowdsec.as_ref().unwrap().credentials(),
        Credentials::ApiKey(_)
    ));
    assert!(!format!("{:?}", loaded.settings).contains("hunter2"));
    let problems = support::problems(&support::load(&files("hunter2 hunter2")));
    assert_eq!(
        problems,
        "palisade.yaml:4:60: error: secrets/key: byte 7 of the key is no visible ASCII character; expected one line without spaces\n"
    );
    let open = Memory::default()
        .with("palisade.yaml", yaml.clone())
        .with_world_readable("secrets/key", "hunter2");
    assert_eq!(
        support::problems(&support::load(&open)),
        "palisade.yaml:4:60: warning: every user of this machine can read secrets/key; run chmod o-r on it\n"
    );
    for (key, warnings) in [("hunter2", 1), ("\"${KEY}\"", 0)] {
        let yaml =
            format!("{BASE}crowdsec: {{lapi_url: http://127.0.0.1:8080/, api_key: {key}}}\n");
        let files = Memory::default().with_world_readable("palisade.yaml", yaml);
        let problems = support::problems(&support::load(&files));
        assert_eq!(
            problems
                .matches("every user of this machine can read this file")
                .count(),
            warnings,
            "{problems}"
        );
    }
    let inline = support::problems(&support::load_with(
        "crowdsec: {lapi_url: http://127.0.0.1:8080/, api_key: \"hunter2 x\"}\n",
    ));
    assert!(
        inline.contains("4:55: error: ") && !inline.contains("hunter2"),
        "{inline}"
    );
}

#[test]
fn certificates_need_tls() {
    let (certificate, key) = crate::listeners::certificate(&["bouncer"]);
    let load = |scheme: &str| {
        let yaml = format!(
            "{BASE}crowdsec: {{lapi_url: {scheme}://127.0.0.1:8080/, certificate: a.crt, private_key: a.key, ca: a.crt}}\n"
        );
        let files = Memory::default()
            .with("palisade.yaml", yaml)
            .with("a.crt", certificate.clone())
            .with("a.key", key.clone());
        support::load(&files)
    };
    let stream = load("https").unwrap().settings.crowdsec.unwrap();
    assert!(matches!(
        stream.credentials(),
        Credentials::ClientCertificate(_)
    ));
    assert!(stream.certificate_authorities.is_some());
    assert!(support::problems(&load("http")).starts_with("palisade.yaml:4:22: error: "));
}

#[test]
fn what_comes_later_and_what_never_comes() {
    check_problems(
        "crowdsec: {lapi_url: \"http://u:hunter2@h/\", api_key: a, fallback_remediation: captcha, appsec_url: x, mode: off}\n",
        &[
            "4:22: error: a URL with a user name or password can't be used; give the key as `api_key` or `api_key_file`",
            "4:79: error: \"captcha\": this version can't do it yet; expected ban, pass",
            "4:88: error: `appsec_url` (CrowdSec AppSec): this version can't do it yet; remove it",
            "4:109: error: \"off\" is not known here; expected block, detect",
        ],
    );
}
