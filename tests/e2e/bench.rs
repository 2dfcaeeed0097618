//! `palisade bench`: every figure that it promises, from real servers, and nothing left behind.

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Output, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::harness::{Backend, Palisade, wait_for};
use crate::waf::crs::crs;
use crate::waf::say;

/// As short as figures can be taken in.
const SHORT: [&str; 7] = ["bench", "--rounds", "1", "--turn", "50", "--idle", "20"];

fn bench(arguments: &[&str]) -> (Option<i32>, String, String) {
    let Output {
        status,
        stdout,
        stderr,
    } = Palisade::execute(&[&SHORT, arguments].concat());
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (status.code(), text(stdout), text(stderr))
}

fn values<'a>(figures: &'a Value, list: &str, key: &str) -> BTreeSet<&'a str> {
    let entries = figures[list].as_array().unwrap().iter();
    entries.filter_map(|entry| entry[key].as_str()).collect()
}

const SERVERS: [&str; 6] = [
    "haproxy",
    "haproxy-acl",
    "nginx",
    "nginx-geo",
    "palisade-bare",
    "palisade-gate",
];
const REQUESTS: [&str; 7] = [
    "arguments",
    "form",
    "get",
    "json-few",
    "json-many",
    "mix",
    "upload",
];
const TRANSPORTS: [&str; 9] = [
    "h2-1",
    "h2-100",
    "keep-alive",
    "new",
    "proxy",
    "proxy-new",
    "tls",
    "tls-full",
    "tls-resumed",
];

#[test]
fn each_figure_is_taken_and_each_server_does_its_duty() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    let (json, csv, svg, markdown) = (path("f.json"), path("f.csv"), path("f.svg"), path("f.md"));
    let with = ["--with", "nginx,nginx-geo,haproxy,haproxy-acl"];
    let parts = [
        "--settings",
        "bare,gate",
        "--parts",
        "requests,connections,memory",
    ];
    let files = [
        "--json",
        &json,
        "--csv",
        &csv,
        "--svg",
        &svg,
        "--markdown",
        &markdown,
    ];
    let (code, said, told) = bench(&[&with[..], &parts, &files].concat());
    assert_eq!(code, Some(0), "{said}{told}");
    let figures: Value = serde_json::from_str(&fs::read_to_string(json).unwrap()).unwrap();
    check_figures(&figures);
    assert!(
        said.contains("| a GET through the gate, in bare proxies"),
        "{said}"
    );
    let read = |path| fs::read_to_string(path).unwrap();
    assert_eq!(read(markdown).trim_end(), said.trim_end());
    let csv = read(csv);
    for server in SERVERS {
        for figure in [",get,keep-alive,steady,cpu_us,1,", ",,,,started_mib,1,"] {
            let line = format!("\n{server}{figure}");
            assert!(csv.contains(&line), "{line:?} in {csv}");
        }
    }
    let svg = read(svg);
    assert!(svg.contains(">HAProxy with an ACL file</text>") && svg.ends_with("</svg>\n"));
}

fn check_figures(figures: &Value) {
    // Whatever isn't as it should be is in a note: refusals of harmless clients, listed ones that pass, failures.
    // Allocators may give back more than twenty connections take.
    let notes = figures["notes"].as_array().unwrap().iter();
    let notes = notes.filter_map(Value::as_str);
    let wrong: Vec<&str> = notes
        .filter(|note| !note.contains("gave memory back"))
        .collect();
    assert!(wrong.is_empty(), "{wrong:?}");
    for list in ["costs", "memory"] {
        assert_eq!(values(figures, list, "subject"), SERVERS.into(), "{list}");
    }
    assert_eq!(values(figures, "costs", "request"), REQUESTS.into());
    assert_eq!(values(figures, "costs", "transport"), TRANSPORTS.into());
    for cost in figures["costs"].as_array().unwrap() {
        let micros = cost["cpu_us"][0].as_f64().unwrap();
        assert!(micros > 1.0 && micros < 100_000.0, "{cost}");
        assert!(cost["answered"].as_u64().unwrap() > 0, "{cost}");
    }
}

const LATE: &str = "before the window ended";

/// Figures of latency, and what was said of them. On a machine that is busy with other tests something may come late
/// once, but not each time.
fn latency(arguments: &[&str]) -> (String, Value) {
    let parts = ["--with", "none", "--parts", "latency", "--window", "3000"];
    let arguments = [&parts[..], arguments].concat();
    let mut taken = bench_to_json(&arguments);
    for _ in 0..2 {
        if taken.1["notes"].to_string().contains(LATE) {
            taken = bench_to_json(&arguments);
        }
    }
    taken
}

/// The notes of what went otherwise, but that a server didn't keep up: the machine could more when its capacity was
/// taken.
fn wrong(figures: &Value) -> Vec<&str> {
    let notes = figures["notes"].as_array().unwrap().iter();
    let notes = notes.filter_map(Value::as_str);
    notes.filter(|note| !note.contains("keep up")).collect()
}

/// What goes on in each window has happened in it, or a note says so.
#[test]
fn latency_is_taken_in_quiet_and_while_something_goes_on() {
    let (said, figures) = latency(&["--settings", "gate-live"]);
    assert!(wrong(&figures).is_empty(), "{:?}", wrong(&figures));
    assert_eq!(
        values(&figures, "latencies", "meanwhile"),
        ["LAPI stalled", "delta of 50,000", "reload", "steady"].into()
    );
    for latency in figures["latencies"].as_array().unwrap() {
        assert!(latency["p999_ms"][0].as_f64().unwrap() > 0.0, "{latency}");
        assert!(latency["capacity"].as_f64() > latency["rate"].as_f64());
        assert_eq!(latency["is_wrong"], false, "{latency}");
    }
    assert!(said.contains("p99.9 at 70 % of capacity, gate-live, reload: steady"));
}

/// They are read, if not within the window: this is not the binary that is measured otherwise.
#[test]
fn latency_is_taken_while_many_rules_and_those_of_crs_are_read_again() {
    let Some(crs) = crs("latency of palisade bench with a WAF") else {
        return;
    };
    let (_, figures) = latency(&["--crs", &crs, "--settings", "gate-large,waf-1"]);
    let never = wrong(&figures);
    assert!(never.iter().all(|note| note.contains(LATE)), "{never:?}");
    let latencies = figures["latencies"].as_array().unwrap().iter();
    let taken = latencies.map(|latency| {
        let name = |key: &str| latency[key].as_str().unwrap();
        (name("subject"), name("meanwhile"))
    });
    let of = |subject| [(subject, "reload"), (subject, "steady")];
    let expected = [of("palisade-gate-large"), of("palisade-waf-1")].concat();
    assert_eq!(
        taken.collect::<BTreeSet<_>>(),
        expected.into_iter().collect()
    );
}

#[test]
fn nothing_but_loopback_is_loaded() {
    for target in ["203.0.113.7:80", "0.0.0.0:80", "mine=10.0.0.1:80"] {
        let (code, _, told) = bench(&["--target", target]);
        assert_eq!(code, Some(2), "{told}");
        assert!(told.contains("isn't on loopback"), "{told}");
    }
}

#[test]
fn a_server_that_runs_already_is_measured() {
    let backend = Backend::start();
    let palisade = Palisade::start(&format!(
        "listeners: [{{ address: 127.0.0.1:0 }}]
upstreams: {{ app: {{ servers: [{}] }} }}
sites: [{{ upstream: app }}]
",
        backend
    ));
    let target = format!("mine={}", palisade.address());
    let (said, figures) = bench_gets(&["--settings", "bare", "--target", &target]);
    assert!(
        said.contains(&format!("| mine at {}", palisade.address())),
        "{said}"
    );
    let costs = figures["costs"].as_array().unwrap();
    let mine = costs.iter().find(|cost| cost["subject"] == "mine").unwrap();
    // It was asked, as it was before the figure was taken, and not another; and the time is not that of a process
    // that had nothing to do.
    let answered = mine["answered"].as_u64().unwrap();
    assert!(answered > 0 && backend.requests().len() as u64 > answered);
    assert!(mine["cpu_us"][0].as_f64().unwrap() > 1.0, "{mine}");
}

#[test]
fn a_server_that_runs_already_and_forwards_no_page_is_left_out() {
    let backend = Backend::answering("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n");
    let target = format!("mine={backend}");
    let (said, figures) = bench_gets(&["--settings", "bare", "--target", &target]);
    let notes = figures["notes"].to_string();
    assert!(
        notes.contains("left out") && notes.contains("answered with 404"),
        "{notes}"
    );
    assert_eq!(
        values(&figures, "costs", "subject"),
        ["palisade-bare"].into()
    );
    assert!(!said.contains("| mine at "), "{said}");
}

/// Asks Palisades and those that run already for pages: what is said, and the figures.
fn bench_gets(whom: &[&str]) -> (String, Value) {
    let what = ["--with", "none", "--parts", "requests", "--requests", "get"];
    bench_to_json(&[whom, &what].concat())
}

fn bench_to_json(arguments: &[&str]) -> (String, Value) {
    let folder = tempfile::tempdir().unwrap();
    let json = folder.path().join("f.json").display().to_string();
    let (code, said, told) = bench(&[arguments, &["--json", &json]].concat());
    assert_eq!(code, Some(0), "{said}{told}");
    let figures = serde_json::from_str(&fs::read_to_string(json).unwrap()).unwrap();
    (said, figures)
}

#[test]
fn a_gate_with_a_million_decisions_and_ten_thousand_rules_is_measured() {
    let (_, figures) = bench_gets(&["--settings", "gate-large"]);
    assert_eq!(figures["notes"], Value::Array(Vec::new()));
    let costs = figures["costs"].as_array().unwrap();
    let [cost] = costs.as_slice() else {
        panic!("one figure: {costs:?}")
    };
    assert_eq!(cost["subject"], "palisade-gate-large");
    assert_eq!(cost["request"], "get");
    assert!(cost["cpu_us"][0].as_f64().unwrap() > 1.0, "{cost}");
}

#[test]
fn each_waf_does_its_duty() {
    let Some(crs) = crs("palisade bench with WAFs") else {
        return;
    };
    let mut subjects = vec!["palisade-waf-1", "palisade-waf-2"];
    let peer = "nginx-modsecurity";
    let with = match is_here(peer) {
        true => peer,
        false => {
            say!("SKIPPED, since it isn't installed (./set-up bench {peer}): {peer}");
            "none"
        }
    };
    subjects.extend((with == peer).then_some(peer));
    let settings = ["--settings", "waf-1,waf-2", "--with", with];
    let (_, figures) =
        bench_to_json(&[&["--crs", &crs, "--parts", "requests"], &settings[..]].concat());
    assert_eq!(figures["notes"], Value::Array(Vec::new()));
    let costs = figures["costs"].as_array().unwrap().iter();
    let taken = costs.map(|cost| {
        assert!(cost["cpu_us"][0].as_f64().unwrap() > 1.0, "{cost}");
        let name = |key: &str| cost[key].as_str().unwrap();
        (name("subject"), name("request"))
    });
    let requests = || REQUESTS.into_iter().chain(["attack"]);
    let expected = subjects
        .iter()
        .flat_map(|subject| requests().map(|request| (*subject, request)));
    assert_eq!(
        taken.collect::<BTreeSet<_>>(),
        expected.collect::<BTreeSet<_>>()
    );
}

fn is_here(peer: &str) -> bool {
    let (code, said, told) = bench(&["--list"]);
    assert_eq!(code, Some(0), "{told}");
    let name = format!("{peer} ");
    let line = said.lines().find(|line| line.starts_with(&name)).unwrap();
    !line.contains(": not here (")
}

#[test]
fn what_is_missing_is_said() {
    let (code, _, told) = bench(&["--settings", "waf-1", "--with", "none"]);
    assert_eq!(code, Some(1), "{told}");
    assert!(told.contains("--crs FOLDER"), "{told}");
    let nowhere = Palisade::command()
        .args(["bench", "--with", "caddy"])
        .env("PATH", "/nonexistent")
        .env("PALISADE_PEERS", "/nonexistent")
        .output()
        .unwrap();
    assert_eq!(nowhere.status.code(), Some(1));
    let told = String::from_utf8(nowhere.stderr).unwrap();
    assert!(told.contains("./set-up bench caddy"), "{told}");
}

#[test]
fn who_interrupts_it_finds_nothing_left() {
    check_nothing_is_left(Signal::TERM);
    check_nothing_is_left(Signal::HUP);
}

#[test]
fn servers_end_with_a_harness_that_is_killed() {
    check_nothing_is_left(Signal::KILL);
}

fn check_nothing_is_left(signal: Signal) {
    let folder = tempfile::tempdir().unwrap();
    let mut child = Palisade::command()
        .env("TMPDIR", folder.path())
        .args([
            "bench",
            "--parts",
            "requests",
            "--with",
            "nginx,haproxy",
            "--settings",
            "bare,gate",
        ])
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let is_loading = lines.any(|line| line.unwrap().starts_with("round 0"));
    assert!(is_loading);
    let started = started_by(child.id());
    assert!(started.len() >= 4, "{started:?}");
    kill_process(Pid::from_child(&child), signal).unwrap();
    lines.for_each(drop);
    let code = child.wait().unwrap().code();
    assert_eq!(code, (signal != Signal::KILL).then_some(1));
    if signal == Signal::KILL {
        for process in started {
            wait_for("its end", || (!is_running(&process)).then_some(()));
        }
        return;
    }
    let running: Vec<&String> = started
        .iter()
        .filter(|process| is_running(process))
        .collect();
    assert!(running.is_empty(), "{running:?} of {started:?}");
    let left: Vec<_> = fs::read_dir(folder.path()).unwrap().collect();
    assert!(left.is_empty(), "{left:?}");
}

fn started_by(parent: u32) -> Vec<String> {
    let children = format!("/proc/{parent}/task/{parent}/children");
    let children = fs::read_to_string(children).unwrap();
    children.split_whitespace().map(str::to_owned).collect()
}

fn is_running(process: &str) -> bool {
    let stat = fs::read_to_string(format!("/proc/{process}/stat"));
    stat.is_ok_and(|stat| !stat.contains(") Z "))
}

#[test]
fn figures_of_an_earlier_run_are_shown_again() {
    let folder = tempfile::tempdir().unwrap();
    let json = folder.path().join("f.json").display().to_string();
    let chosen = [
        "--with",
        "none",
        "--settings",
        "bare",
        "--parts",
        "requests",
        "--requests",
        "get",
    ];
    let csv = ["first.csv", "again.csv"].map(|name| folder.path().join(name));
    let [first, again] = csv.each_ref().map(|path| path.to_str().unwrap());
    let (code, said, told) = bench(&[&chosen[..], &["--json", &json, "--csv", first]].concat());
    assert_eq!(code, Some(0), "{told}");
    assert_eq!(bench(&["--from", &json, "--csv", again]).1, said);
    let [first, again] = csv.map(|path| fs::read_to_string(path).unwrap());
    assert!(first.contains("\npalisade-bare,get,"), "{first}");
    assert_eq!(again, first);
    fs::write(&json, "{}").unwrap();
    let (code, _, told) = bench(&["--from", &json]);
    assert_eq!(code, Some(1));
    assert!(
        told.contains("f.json: no figures of palisade bench"),
        "{told}"
    );
}

#[test]
fn the_readme_has_the_tables_of_the_figures_in_the_repository() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let figures = root.join("benches/side-by-side.json").display().to_string();
    let (code, said, told) = bench(&["--from", &figures]);
    assert_eq!(code, Some(0), "{told}");
    let readme = fs::read_to_string(root.join("README.md")).unwrap();
    assert!(
        readme.contains(said.trim()),
        "put this into README.md, or run `palisade bench` again:\n{said}"
    );
}
