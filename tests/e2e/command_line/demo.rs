//! `palisade run --demo`, and the curl lines that it prints.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, sync_channel};
use std::time::Duration;

use serde_json::Value;

use crate::harness::{Palisade, wait_for};

/// The demo is meant for a terminal, so its ports are fixed.
const PORTS: [u16; 3] = [8000, 9900, 9901];

/// No line takes longer, even on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// A running demo; stopped when dropped.
struct Demo {
    child: Child,
    lines: Receiver<String>,
    // Nobody else may run one meanwhile.
    _alone: File,
}

impl Demo {
    fn start() -> Self {
        let alone = File::create(std::env::temp_dir().join("palisade-demo-test.lock")).unwrap();
        alone.lock().unwrap();
        for port in PORTS {
            let taken = TcpListener::bind(("127.0.0.1", port)).err();
            assert!(
                taken.is_none(),
                "the demo needs port {port}, which something else has: {taken:?}"
            );
        }
        let mut child = Palisade::command()
            .args(["run", "--demo"])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("starts");
        let (sender, lines) = sync_channel(1000);
        let printed = BufReader::new(child.stdout.take().unwrap());
        std::thread::spawn(move || {
            for line in printed.lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        Self {
            child,
            lines,
            _alone: alone,
        }
    }

    #[track_caller]
    fn line(&self) -> String {
        self.lines.recv_timeout(PATIENCE).expect("a line")
    }

    #[track_caller]
    fn line_that(&self, is_it: impl Fn(&str) -> bool) -> String {
        loop {
            let line = self.line();
            if is_it(&line) {
                return line;
            }
        }
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Runs a line as it was printed, comment and all; what curl printed.
fn run(line: &str) -> String {
    let output = Command::new("sh")
        .args(["-c", line])
        .env_remove("http_proxy")
        .output();
    let output = output.expect("sh is there");
    assert!(
        output.status.success(),
        "{line}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn its_lines_do_what_they_say() {
    let mut demo = Demo::start();
    let mut lines = Vec::new();
    while lines.len() < 5 {
        lines.push(demo.line_that(|line| line.trim_start().starts_with("curl ")));
    }
    demo.line_that(|line| line.contains("Ctrl-C"));
    for (line, status) in lines.iter().zip([200, 403, 403, 403, 403]) {
        let (_, promise) = line.split_once('#').expect("a comment");
        assert!(promise.contains(&status.to_string()), "{line}");
        let printed = run(line);
        assert!(
            printed.starts_with(&format!("HTTP/1.1 {status} ")),
            "{line}: {printed}"
        );
        if status == 200 {
            assert!(printed.contains("Hello from the demo"), "{printed}");
        } else {
            let told = demo.line_that(|line| line.starts_with('{'));
            let told: Value = serde_json::from_str(&told).expect("JSON");
            assert_eq!(
                (&told["status"], &told["mode"]),
                (&403.into(), &"refused".into()),
                "{told}"
            );
        }
    }
    let status = run("curl -s http://127.0.0.1:9901/status");
    let status: Value = serde_json::from_str(&status).expect("JSON");
    assert_eq!(status["ready"], true);
    let metrics = run("curl -s http://127.0.0.1:9900/metrics");
    assert!(
        metrics.contains("palisade_refusals_total{check=\"access\"} 2"),
        "{metrics}"
    );
    assert!(
        metrics.contains("palisade_refusals_total{check=\"waf\"} 1"),
        "{metrics}"
    );
    assert!(
        metrics.contains("palisade_refusals_total{check=\"decisions\"} 1"),
        "{metrics}"
    );

    let pid = demo.child.id().to_string();
    assert!(
        Command::new("kill")
            .args(["-INT", &pid])
            .status()
            .unwrap()
            .success()
    );
    let ended = wait_for("the demo to end", || demo.child.try_wait().unwrap());
    assert_eq!(ended.code(), Some(0));
}
