//! Names that stand for Palisade's own doors: no client gets there.

use std::fs;
use std::io::Write;
use std::net::{SocketAddr, TcpListener};

use tempfile::TempDir;

use crate::harness::{Answer, Backend, Dns, Palisade, wait_for};

const OK: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/// In front of `app.test`, whose addresses a name server tells; `more` is of the upstream.
fn settings(port: u16, dns: &Dns, metrics: SocketAddr, more: &str) -> String {
    let resolver = dns.address();
    format!(
        "
listeners: [{{ address: 127.0.0.1:0 }}]
upstreams: {{ app: {{ servers: [\"app.test:{port}\"], resolver: {resolver}, {more} }} }}
sites: [{{ upstream: app }}]
admin: {{ address: 127.0.0.1:0 }}
metrics: {{ address: {metrics} }}
"
    )
}

fn start(settings: &str) -> Palisade {
    let directory = TempDir::new().unwrap();
    let file = directory.path().join("palisade.yaml");
    fs::write(&file, settings).unwrap();
    let mut command = Palisade::command();
    command.args(["run", "--config"]).arg(file);
    Palisade::start_by(command, directory)
}

fn reload(palisade: &Palisade, settings: &str) {
    let generation = || {
        palisade.status()["settings"]["generation"]
            .as_u64()
            .unwrap()
    };
    let before = generation();
    fs::write(palisade.settings(), settings).unwrap();
    palisade.signal("HUP");
    wait_for("a reload", || (generation() > before).then_some(()));
}

/// A client asks for what the metrics door would answer, and doesn't get it.
#[track_caller]
fn get(palisade: &Palisade) -> Answer {
    let answer = palisade.get("/metrics");
    let text = answer.text();
    assert!(!text.contains("palisade_"), "it reached the door: {text}");
    answer
}

#[track_caller]
fn wait_for_status(palisade: &Palisade, status: u16) {
    wait_for("an answer", || {
        (get(palisade).status == status).then_some(())
    });
}

fn backend(host: &str, port: u16) -> Backend {
    let listener = TcpListener::bind((host, port)).unwrap();
    Backend::on(listener, |_, tcp| tcp.write_all(OK).is_ok())
}

#[test]
fn a_name_that_comes_to_stand_for_a_door_leads_nobody_there() {
    let dns = Dns::start(&["127.0.0.2"]);
    let any: SocketAddr = "127.0.0.1:0".parse().unwrap();
    let palisade = start(&settings(1, &dns, any, ""));
    let door = palisade.metrics_address();
    let _backend = backend("127.0.0.2", door.port());
    let check = "health_check: { tcp: true, interval: 20ms, healthy_after: 1, unhealthy_after: 1 }";
    reload(&palisade, &settings(door.port(), &dns, any, check));
    wait_for_status(&palisade, 200);
    let server = || palisade.status()["upstreams"][0]["servers"][0].clone();
    assert!(server()["own_door"].is_null());

    dns.say(&["127.0.0.1"]);
    wait_for_status(&palisade, 502);
    let told = format!("own admin or metrics door ({door})");
    let failed = wait_for("a check to fail", || {
        let failed = server()["health_check"]["last_failure"]["reason"].clone();
        failed.as_str().map(str::to_owned)
    });
    assert!(failed.contains(&told), "{failed}");
    assert_eq!(server()["own_door"], door.to_string());
    assert_eq!(server()["up"], false);
    let failures = "palisade_upstream_connect_failures_total{upstream=\"app\"}";
    assert!(palisade.metric(failures) >= 1.0);
    let said = palisade.stderr().join("\n");
    let line = "an address of the server is not used: it is Palisade's ";
    assert!(said.contains(&format!("{line}{told}")), "{said}");

    dns.say(&["127.0.0.2"]);
    wait_for_status(&palisade, 200);
    assert!(server()["own_door"].is_null());
}

#[test]
fn a_door_on_all_addresses_is_reached_at_none_until_a_reload_moves_it() {
    let dns = Dns::start(&["127.0.0.9"]);
    let all: SocketAddr = "0.0.0.0:0".parse().unwrap();
    let palisade = start(&settings(1, &dns, all, ""));
    let port = palisade.metrics_address().port();
    reload(&palisade, &settings(port, &dns, all, "ejection: off"));
    for address in ["127.0.0.9", "0.0.0.0"] {
        dns.say(&[address]);
        let known = || palisade.status()["upstreams"][0]["servers"][0]["name"]["addresses"].clone();
        wait_for("the name", || {
            (known() == serde_json::json!([address])).then_some(())
        });
        assert_eq!(get(&palisade).status, 502, "{address}");
    }
    dns.say(&["127.0.0.9"]);
    let elsewhere: SocketAddr = "127.0.0.1:0".parse().unwrap();
    reload(&palisade, &settings(port, &dns, elsewhere, "ejection: off"));
    let _backend = backend("127.0.0.9", port);
    wait_for_status(&palisade, 200);
}
