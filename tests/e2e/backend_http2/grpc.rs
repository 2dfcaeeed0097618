//! gRPC by grpcio, on both sides of Palisade.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};

use super::{start, start_with};
use crate::harness::{Palisade, wait_for};

/// Debian's, which has grpcio when `./set-up test` was run; another Python may be first in PATH.
const PYTHON: &str = "/usr/bin/python3";

/// The service; stopped when dropped.
struct Service {
    child: Child,
    port: u16,
    told: Arc<Mutex<Vec<String>>>,
}

impl Service {
    fn start() -> Self {
        let mut child = Command::new(PYTHON)
            .arg("-c")
            .arg(include_str!("service.py"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("run ./set-up test: python3");
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let port = lines.next().and_then(|line| line.unwrap().parse().ok());
        let told = Arc::<Mutex<Vec<String>>>::default();
        let tells = Arc::clone(&told);
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                tells.lock().unwrap().push(line);
            }
        });
        Self {
            child,
            port: port.expect("run ./set-up test: python3-grpcio"),
            told,
        }
    }

    fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Makes the calls of `calls.py`, or one that is refused with a code.
#[track_caller]
fn call(palisade: &Palisade, refused: Option<&str>) {
    let output = Command::new(PYTHON)
        .arg("-c")
        .arg(include_str!("calls.py"))
        .arg(palisade.address().to_string())
        .args(refused)
        .output()
        .expect("run ./set-up test: python3");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

#[test]
fn calls_of_every_kind_pass() {
    let service = Service::start();
    let palisade = start(service.address());
    call(&palisade, None);
    // Both a deadline that passes and a client that gives up end the call at the service.
    wait_for("the service to hear of it", || {
        let told = service.told.lock().unwrap();
        let count = |what| told.iter().filter(|line| *line == what).count();
        (count("cancelled") == count("hangs") && count("hangs") > 0).then_some(())
    });
    palisade.wait_for_access(|line| line.contains("/test.Service/Fails") && line.contains(" 200 "));
}

#[test]
fn calls_are_conversations_before_rules_that_stream_them() {
    let service = Service::start();
    let folder = tempfile::tempdir().unwrap();
    let rules = "SecRuleEngine On\nSecRequestBodyAccess On\nSecResponseBodyAccess On
SecRule REQUEST_HEADERS:X-Evil \"@contains yes\" id:1,phase:1,deny\n";
    std::fs::write(folder.path().join("rules.conf"), rules).unwrap();
    let palisade = Palisade::start_in(
        folder,
        &format!(
            "
listeners: [{{ address: 127.0.0.1:0 }}]
upstreams: {{ app: {{ servers: [\"{}\"], protocol: http2 }} }}
sites: [{{ upstream: app }}]
waf: {{ rules: rules.conf, grpc: stream }}
",
            service.address()
        ),
    );
    call(&palisade, None);
}

#[test]
fn a_refused_call_has_the_status_that_clients_take_it_for() {
    let service = Service::start();
    let palisade = Palisade::start(&format!(
        "
listeners: [{{ address: 127.0.0.1:0 }}]
upstreams: {{ app: {{ servers: [\"{}\"], protocol: http2 }} }}
sites: [{{ upstream: app }}]
access: {{ rules: [{{ id: none, match: {{ method: POST }}, action: block }}] }}
",
        service.address()
    ));
    call(&palisade, Some("PERMISSION_DENIED"));
    drop(palisade);
    let palisade = start("127.0.0.1:9");
    call(&palisade, Some("UNAVAILABLE"));
}

#[test]
fn a_check_is_answered_by_a_grpc_service() {
    let service = Service::start();
    // grpcio answers what is no call with 200, and says in `grpc-status` that it is none.
    for (status, expected) in [("200", None), ("404", Some("status 200"))] {
        let check =
            format!("health_check: {{ path: /healthz, status: [{status}], interval: 10ms }}");
        let pool = format!("protocol: http2, {check}");
        let palisade = start_with(service.address(), &pool);
        let check = || palisade.status()["upstreams"][0]["servers"][0]["health_check"].clone();
        match expected {
            None => {
                call(&palisade, None);
                assert_eq!(check()["failures"], 0);
            }
            Some(why) => wait_for("a check to fail", || {
                (check()["last_failure"]["reason"] == why).then_some(())
            }),
        }
    }
}
