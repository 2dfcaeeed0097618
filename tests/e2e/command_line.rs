//! The command line: what each subcommand prints, how the process ends, what signals do.

mod demo;
mod reload;

use std::io::Write as _;
use std::net::TcpStream;
use std::process::Output;
use std::sync::{Mutex, mpsc};

use crate::harness::{Backend, Connection, Palisade, wait_for};

/// Exit code, standard output, standard error.
fn outcome(output: Output) -> (i32, String, String) {
    let text = |bytes| String::from_utf8(bytes).expect("text");
    let code = output.status.code().expect("an exit code");
    (code, text(output.stdout), text(output.stderr))
}

fn palisade(arguments: &[&str]) -> (i32, String, String) {
    outcome(Palisade::execute(arguments))
}

/// Settings in a folder of their own.
struct File {
    folder: tempfile::TempDir,
}

impl File {
    fn with(settings: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("palisade.yaml"), settings).unwrap();
        Self { folder }
    }

    fn path(&self) -> String {
        self.folder
            .path()
            .join("palisade.yaml")
            .display()
            .to_string()
    }

    fn check(&self) -> (i32, String, String) {
        palisade(&["check", "--config", &self.path()])
    }
}

#[test]
fn check_tells_every_mistake_with_its_place() {
    let file = File::with(
        "listeners:
  - adress: 127.0.0.1:8000
upstreams:
  app: { servers: [127.0.0.1:9000], balance: fastest }
sites:
  - upstream: ap
    access:
      rules:
        - { id: r, match: { address: 192.0.2.300 }, action: block }
        - { id: s, match: { path: /x }, action: challenge }
",
    );
    let (code, printed, said) = file.check();
    assert_eq!(code, 1);
    let path = file.path();
    let errors: Vec<&str> = printed
        .lines()
        .filter(|line| line.starts_with(&path))
        .collect();
    for (place, about) in [
        ("2:5", "adress"),
        ("4:46", "fastest"),
        ("6:15", "\"ap\""),
        ("9:38", "192.0.2.300"),
        ("10:49", "challenge"),
    ] {
        let place = format!("{path}:{place}: error: ");
        let found = errors.iter().find(|line| line.starts_with(&place));
        assert!(
            found.is_some_and(|line| line.contains(about)),
            "{place}{about}: {printed}"
        );
    }
    assert!(said.contains("errors, 0 warnings"), "{said}");
    // Nothing runs on such settings.
    let (code, _, said) = palisade(&["run", "--config", &path]);
    assert_eq!(code, 1);
    assert!(said.contains(":4:46: error: "), "{said}");
}

#[test]
fn check_says_yes_to_good_settings_and_warns_of_doubtful_ones() {
    let file = File::with(
        "listeners: [{ address: 127.0.0.1:8000 }]
upstreams: { app: { servers: [127.0.0.1:9000] } }
sites: [{ upstream: app }]
",
    );
    let (code, printed, said) = file.check();
    assert_eq!((code, &*printed), (0, ""));
    assert!(said.contains("ok, 0 warnings"), "{said}");

    let doubtful = File::with(
        "listeners:
  - { address: 127.0.0.1:8000, proxy_protocol: { mode: optional, from: 127.0.0.0/8 } }
upstreams: { app: { servers: [127.0.0.1:9000] } }
sites: [{ upstream: app }]
access:
  rules:
    - { id: skips, match: { path: /health }, action: allow, skip: decisions }
    - { id: never, match: { path: { equals: /a, prefix: /b } }, action: block }
    - { id: open, match: { path: { prefix: /api } }, action: allow }
    - { id: shadowed, match: { path: /api/keys }, action: block }
",
    );
    let (code, printed, _) = doubtful.check();
    assert_eq!(code, 0, "{printed}");
    for (line, about) in [(2, "optional"), (7, "address"), (8, "never"), (10, "open")] {
        let place = format!("{}:{line}:", doubtful.path());
        let found = printed.lines().find(|line| line.starts_with(&place));
        let told = found.is_some_and(|line| line.contains(": warning: ") && line.contains(about));
        assert!(told, "{place} {about}: {printed}");
    }
}

#[test]
fn a_settings_file_that_is_not_there() {
    let (code, _, said) = palisade(&["run", "--config", "/nowhere/palisade.yaml"]);
    assert_eq!(code, 1);
    assert!(said.contains("/nowhere/palisade.yaml"), "{said}");
    let default = "/etc/palisade/palisade.yaml";
    if std::path::Path::new(default).exists() {
        return;
    }
    let (code, _, said) = palisade(&["run"]);
    assert_eq!(code, 2);
    assert!(said.contains(default) && said.contains("--demo"), "{said}");
}

#[test]
fn wrong_usage_is_told_and_ends_with_2() {
    for arguments in [
        &[][..],
        &["walk"],
        &["run", "--fast"],
        &["run", "--demo", "--config", "x.yaml"],
        &["run", "--threads", "0"],
        &["explain", "http://test.example/"],
        &["explain", "--client", "nobody", "http://test.example/"],
    ] {
        let (code, printed, said) = palisade(arguments);
        assert_eq!(code, 2, "{arguments:?}");
        assert!(
            printed.is_empty() && said.contains("--help"),
            "{arguments:?}: {said}"
        );
    }
}

#[test]
fn help_has_examples() {
    for arguments in [
        &["--help"][..],
        &["run", "--help"],
        &["check", "--help"],
        &["explain", "--help"],
        &["decisions", "--help"],
    ] {
        let (code, printed, said) = palisade(arguments);
        assert_eq!((code, &*said), (0, ""), "{arguments:?}");
        assert!(printed.contains("Example"), "{arguments:?}: {printed}");
        assert!(
            printed.contains("\n  palisade "),
            "{arguments:?}: {printed}"
        );
    }
    let version = format!("palisade {}\n", env!("CARGO_PKG_VERSION"));
    for arguments in [&["version"][..], &["--version"]] {
        assert_eq!(palisade(arguments), (0, version.clone(), String::new()));
    }
}

const EXPLAINED: &str = r#"
listeners:
  - address: 127.0.0.1:8000
    client_address: { from: 10.0.0.0/8, header: X-Forwarded-For }
upstreams: { app: { servers: [127.0.0.1:9000] }, api: { servers: [127.0.0.1:9001] } }
sites:
  - { hosts: [app.example], upstream: app, routes: [{ path_prefix: /api, upstream: api }] }
  - { hosts: [watched.example], upstream: app, mode: detect }
trusted_clients: 192.0.2.99
access:
  rules:
    - { id: no-dot-files, match: { path: { contains: /. } }, action: block, status: 404, reason: dot files }
"#;

/// What `explain` prints about a request of a client.
#[track_caller]
fn explain(file: &File, client: &str, more: &[&str]) -> String {
    let path = file.path();
    let arguments = [&["explain", "--config", &path, "--client", client], more].concat();
    let (code, printed, said) = palisade(&arguments);
    assert_eq!(code, 0, "{said}");
    printed
}

#[track_caller]
fn assert_says(printed: &str, expected: &[&str]) {
    for expected in expected {
        let words: Vec<&str> = expected.split(' ').collect();
        let found = printed.lines().any(|line| {
            let line: Vec<&str> = line.split_whitespace().collect();
            line.windows(words.len()).any(|part| part == words)
        });
        assert!(found, "{expected:?} is not in:\n{printed}");
    }
}

#[test]
fn explain_tells_what_would_pass_and_where_to() {
    let file = File::with(EXPLAINED);
    let printed = explain(
        &file,
        "192.0.2.1",
        &["https://app.example/api/../%61pi/x?y=1"],
    );
    assert_says(
        &printed,
        &[
            "the head is clean",
            "client 192.0.2.1",
            "site app.example (mode block)",
            "canonical path /api/x",
            "check: trusted clients goes on",
            "check: decisions goes on",
            "check: access rules goes on",
            "=> forwarded to api,",
        ],
    );
    let forwarded = [
        "--header",
        "X-Forwarded-For: 198.51.100.1, 203.0.113.5, 10.1.1.1",
    ];
    let printed = explain(
        &file,
        "10.0.0.1",
        &[&forwarded[..], &["http://app.example/"]].concat(),
    );
    assert_says(&printed, &["client 203.0.113.5", "=> forwarded to app,"]);
    let printed = explain(&file, "192.0.2.1", &["http://nobody.example/"]);
    assert_says(&printed, &["no site answers for this host"]);
}

#[test]
fn explain_tells_which_rule_refuses_and_who_is_trusted() {
    let file = File::with(EXPLAINED);
    let url = "https://app.example/.env";
    let printed = explain(&file, "192.0.2.1", &[url]);
    assert_says(
        &printed,
        &[
            "check: decisions goes on",
            "check: access rules refused with 404: rule no-dot-files (dot files)",
            "=> refused with 404:",
        ],
    );
    let watched = explain(&file, "192.0.2.1", &["http://watched.example/.env"]);
    assert_says(
        &watched,
        &[
            "would be refused with 404: rule no-dot-files",
            "=> forwarded to app,",
        ],
    );
    let trusted = explain(&file, "192.0.2.99", &[url]);
    assert_says(
        &trusted,
        &["check: trusted clients trusted:", "=> forwarded to app,"],
    );
}

#[test]
fn explain_tells_what_hygiene_refuses() {
    let file = File::with(EXPLAINED);
    for (url, more, status) in [
        ("http://app.example/%zz", &[][..], 400),
        ("http://app.example/a%2fb", &[], 400),
        ("http://app.example/", &["--method", "TRACE"], 405),
        (
            "http://app.example/",
            &["--header", "Transfer-Encoding: gzip"],
            501,
        ),
    ] {
        let printed = explain(&file, "192.0.2.1", &[more, &[url]].concat());
        let last = printed.lines().last().expect("a line");
        let told = last.starts_with("=> ") && last.contains("refused");
        assert!(
            told && last.contains(&status.to_string()),
            "{url} {more:?}: {printed}"
        );
    }
}

#[test]
fn explain_knows_the_decisions_that_were_saved() {
    let backend = Backend::start();
    let state = tempfile::tempdir().unwrap();
    let settings = format!(
        "
state_directory: {}
listeners: [{{ address: 127.0.0.1:0 }}]
upstreams: {{ app: {{ servers: [\"{backend}\"] }} }}
sites: [{{ upstream: app }}]
admin: {{ socket: admin.sock }}
",
        state.path().display()
    );
    let running = Palisade::start(&settings);
    running.decisions(&["add", "198.51.100.0/24", "--reason", "a bad neighbourhood"]);
    let file = File::with(&settings);
    let printed = explain(&file, "198.51.100.77", &["http://app.example/"]);
    assert_says(
        &printed,
        &[
            "check: decisions refused with 403: decision: ban of",
            "198.51.100.0/24",
            "(a bad neighbourhood)",
            "check: access rules not asked any more",
            "=> refused with 403:",
        ],
    );
    let printed = explain(&file, "198.51.101.1", &["http://app.example/"]);
    assert_says(&printed, &["check: decisions goes on"]);
    assert!(backend.requests().is_empty(), "it asks nobody");
}

/// A backend that answers each request once it is told to.
fn patient_backend() -> (Backend, mpsc::SyncSender<()>) {
    let (go_on, wait) = mpsc::sync_channel(1);
    let wait = Mutex::new(wait);
    let backend = Backend::with(move |_, tcp| {
        let _ = wait.lock().unwrap().recv();
        tcp.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
            .is_ok()
    });
    (backend, go_on)
}

const REQUEST: &str = "GET / HTTP/1.1\r\nHost: test.example\r\n\r\n";

fn said(palisade: &Palisade, words: &str) -> bool {
    palisade.stderr().iter().any(|line| line.contains(words))
}

#[test]
fn sigterm_lets_requests_finish_and_takes_no_new_ones() {
    let (backend, go_on) = patient_backend();
    let mut palisade = Palisade::start(&format!(
        "
shutdown: {{ drain_time: 4s }}
listeners: [{{ address: 127.0.0.1:0 }}]
upstreams: {{ app: {{ servers: [\"{backend}\"] }} }}
sites: [{{ upstream: app }}]
"
    ));
    let mut idle = palisade.connect();
    go_on.send(()).unwrap();
    assert_eq!(idle.send(REQUEST).answer().expect("an answer").status, 200);
    let mut busy = palisade.connect();
    busy.send(REQUEST);
    backend.wait_for_requests(2);

    palisade.signal("TERM");
    wait_for("the draining", || said(&palisade, "draining").then_some(()));
    assert!(idle.is_closed(), "nothing is under way on it");
    let address = palisade.address();
    wait_for("the listener to close", || {
        TcpStream::connect(address).is_err().then_some(())
    });
    go_on.send(()).unwrap();
    let answer = busy.answer().expect("an answer");
    assert_eq!((answer.status, &*answer.text()), (200, "ok"));
    assert_eq!(answer.header("Connection"), Some("close"));
    assert!(busy.is_closed());
    assert_eq!(palisade.wait(), Some(0));
    let log = palisade.access_log();
    assert_eq!(log.len(), 2, "nothing that was told is lost: {log:#?}");
}

#[test]
fn sigint_stops_too() {
    let backend = Backend::start();
    let mut palisade = Palisade::start(&format!(
        "
listeners: [{{ address: 127.0.0.1:0 }}]
upstreams: {{ app: {{ servers: [\"{backend}\"] }} }}
sites: [{{ upstream: app }}]
"
    ));
    let mut connection = Connection::open(palisade.address());
    assert_eq!(
        connection.send(REQUEST).answer().expect("an answer").status,
        200
    );
    palisade.signal("INT");
    assert_eq!(palisade.wait(), Some(0));
}
