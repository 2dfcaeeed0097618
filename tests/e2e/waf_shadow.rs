//! Rules that judge beside those in force: they refuse nothing, and it is told what they would change.

mod bounds;
mod judged;
mod report;

use std::path::Path;

use serde_json::Value;

use crate::harness::{Answer, Backend, Palisade, wait_for};

/// Rules that look at arguments, however they come.
const ACTIVE: &str = r#"SecRuleEngine On
SecRequestBodyAccess On
SecRequestBodyLimit 2097152
SecRequestBodyNoFilesLimit 2097152
SecRule ARGS "@contains evil" "id:100,phase:2,deny,log,msg:'Evil'"
SecRule ARGS "@contains odd" "id:200,phase:2,pass,log,msg:'Odd'"
"#;

/// What is only odd there, these refuse; and what is evil.
const STRICTER: &str = r#"SecRuleEngine On
SecRequestBodyAccess On
SecRequestBodyLimit 2097152
SecRequestBodyNoFilesLimit 2097152
SecRule ARGS "@contains evil" "id:100,phase:2,deny,log,msg:'Evil'"
SecRule ARGS "@contains odd" "id:300,phase:2,deny,log,msg:'Too odd'"
"#;

/// Eight times twice as many bytes as before, of a body of a million: more than 128 MiB.
const DEAR: &str = r#"SecRuleEngine On
SecRequestBodyAccess On
SecRequestBodyLimit 2097152
SecRequestBodyNoFilesLimit 2097152
SecRule ARGS "@rx zz[0-9]y" "id:1,phase:2,deny,log,t:none,t:hexEncode,t:hexEncode,t:hexEncode,t:hexEncode,t:hexEncode,t:hexEncode,t:hexEncode,t:hexEncode"
"#;

const EVALUATED: &str = "palisade_waf_shadow_evaluated_total";

/// A Palisade with two sets of rules, before a backend that answers with `ok`.
struct Gate {
    palisade: Palisade,
    backend: Backend,
}

impl Gate {
    /// The second set judges all requests.
    #[track_caller]
    fn with(active: &str, shadow: &str) -> Self {
        Self::with_shadow(active, shadow, "sample: 100%, budget: 100%")
    }

    #[track_caller]
    fn with_shadow(active: &str, shadow: &str, more: &str) -> Self {
        let waf = format!("rules: active.conf, shadow: {{ rules: shadow.conf, {more} }}");
        Self::set_up(
            active,
            shadow,
            &waf,
            "[{ upstream: app }]",
            Backend::start(),
        )
    }

    #[track_caller]
    fn set_up(active: &str, shadow: &str, waf: &str, sites: &str, backend: Backend) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("active.conf"), active).unwrap();
        std::fs::write(folder.path().join("shadow.conf"), shadow).unwrap();
        let settings = format!(
            "
listeners: [{{ address: 127.0.0.1:0 }}]
upstreams: {{ app: {{ servers: [\"{backend}\"] }} }}
sites: {sites}
waf: {{ {waf} }}
logs: {{ access: {{ path: access.log }}, decisions: {{ path: decisions.log }}, shadow: {{ path: shadow.jsonl }} }}
"
        );
        let palisade = Palisade::start_with_logs(folder, &settings);
        Self { palisade, backend }
    }

    fn log_path(&self) -> std::path::PathBuf {
        self.folder().join("shadow.jsonl")
    }

    fn folder(&self) -> &Path {
        self.palisade.directory()
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.log_path()).unwrap_or_default()
    }

    /// Waits for a line of the shadow log.
    #[track_caller]
    fn wait_for_line(&self, is_it: impl Fn(&Value) -> bool) -> Value {
        wait_for("a line of the shadow log", || {
            let log = self.log();
            let whole = log
                .split_inclusive('\n')
                .filter(|line| line.ends_with('\n'));
            let mut lines = whole.map(|line| serde_json::from_str(line).expect("JSON"));
            lines.find(|line| is_it(line))
        })
    }

    /// Waits until a metric has this value.
    #[track_caller]
    fn wait_for_metric(&self, name: &str, value: f64) {
        wait_for(name, || {
            let now = self.palisade.metric(name);
            assert!(now <= value, "{name} is {now}, not {value}");
            (now >= value).then_some(())
        });
    }

    /// How many requests were told of, of any kind.
    fn disagreements(&self) -> f64 {
        let metrics = self.palisade.metrics();
        let lines = metrics.lines();
        let of_kinds =
            lines.filter(|line| line.starts_with("palisade_waf_shadow_disagreements_total{"));
        let counts = of_kinds.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok());
        counts.sum()
    }

    /// Ends it, so that all is written.
    #[track_caller]
    fn stop(&mut self) {
        self.palisade.signal("TERM");
        assert_eq!(self.palisade.wait(), Some(0));
    }

    #[track_caller]
    fn post(&self, body: impl AsRef<[u8]>) -> Answer {
        let body = body.as_ref();
        let head = format!(
            "POST /form HTTP/1.1\r\nHost: test.example\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        let bytes = [head.as_bytes(), body].concat();
        self.palisade.exchange(bytes).expect("an answer")
    }
}

fn skipped(reason: &str) -> String {
    format!("palisade_waf_shadow_skipped_total{{reason=\"{reason}\"}}")
}
