//! The audit log, as it is written.

use std::collections::HashMap;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use palisade_ftw::Logged;
use serde_json::Value;

/// No line is later, even on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// What was logged, by clients' addresses; a line is taken once.
#[derive(Clone)]
pub(super) struct AuditLines(Arc<Shared>);

#[derive(Default)]
struct Shared {
    lines: Mutex<HashMap<String, Vec<AuditLine>>>,
    more: Condvar,
}

/// What rules said of one request.
pub(super) struct AuditLine {
    port: u64,
    logged: Vec<Logged>,
}

impl AuditLines {
    /// Reads a file on and on.
    pub(super) fn follow(path: PathBuf) -> Self {
        let shared = Arc::new(Shared::default());
        let weak = Arc::downgrade(&shared);
        std::thread::spawn(move || {
            let mut file = BufReader::new(File::open(path).unwrap());
            let mut line = String::new();
            while let Some(shared) = weak.upgrade() {
                file.read_line(&mut line).unwrap();
                if line.ends_with('\n') {
                    shared.keep(&line);
                    line.clear();
                } else {
                    // A file tells nobody that it has grown.
                    std::thread::sleep(Duration::from_millis(1));
                }
            }
        });
        Self(shared)
    }

    /// Waits for a line of this client which has `text`, and takes those before it; what rules said of the
    /// request that came from `port`.
    pub(super) fn take_until(&self, client: &str, text: &str, port: u16) -> Vec<Logged> {
        let is_last = |line: &AuditLine| line.logged.iter().any(|one| one.line.contains(text));
        let lines = self.0.lines.lock().unwrap();
        let is_missing = |lines: &mut HashMap<String, Vec<AuditLine>>| {
            let own = lines.get(client).map_or(&[][..], Vec::as_slice);
            !own.iter().any(is_last)
        };
        let waited = self.0.more.wait_timeout_while(lines, PATIENCE, is_missing);
        let (mut lines, waited) = waited.unwrap();
        assert!(!waited.timed_out(), "waited in vain for {text}");
        let own = lines.remove(client).unwrap_or_default().into_iter();
        own.filter(|line| line.port == u64::from(port))
            .flat_map(|line| line.logged)
            .collect()
    }
}

impl Shared {
    fn keep(&self, line: &str) {
        let line: Value = serde_json::from_str(line).unwrap();
        let messages = line["messages"].as_array().unwrap();
        let kept = AuditLine {
            port: line["client_port"].as_u64().unwrap(),
            logged: messages.iter().map(logged).collect(),
        };
        let client = line["client_ip"].as_str().unwrap().to_owned();
        let mut lines = self.lines.lock().unwrap();
        lines.entry(client).or_default().push(kept);
        self.more.notify_all();
    }
}

/// A message in the form that patterns of tests are written for.
fn logged(message: &Value) -> Logged {
    // One line, whatever is in it.
    let text = |name: &str| {
        let text = message[name].as_str().unwrap_or_default();
        text.replace(char::is_control, " ")
    };
    let id = message["id"].as_u64();
    Logged {
        rule_id: id,
        line: format!(
            "[id \"{}\"] [msg \"{}\"] [data \"{}\"]",
            id.unwrap_or_default(),
            text("msg"),
            text("data")
        ),
    }
}
