//! What an operator does in a bad week, in a minute: a hundred reloads with good and bad files, two
//! upgrades, LAPI restarted five times, a backend killed and restored, all under load. No request is
//! lost that a healthy backend could have served, and who is banned stays out throughout.

use std::fs;
use std::sync::Arc;

use crate::harness::{
    Authority, Backend, Dynasty, Lapi, Load, Nginx, Palisade, TlsClient, wait_for,
};

/// How often the settings are read again.
const RELOADS: usize = 100;
/// None of them right after a file with a mistake: a new process would refuse it.
const UPGRADES: [usize; 2] = [34, 67];
const LAPI_RESTARTS: [usize; 5] = [10, 30, 50, 70, 90];
const BACKEND_DIES: [usize; 3] = [15, 45, 75];
/// So many reloads later it is restored.
const BACKEND_IS_DEAD_FOR: usize = 5;
const BANNED: &str = "198.18.90.1";

fn has_a_mistake(number: usize) -> bool {
    number.is_multiple_of(3)
}

/// What each reload brings.
fn settings(number: usize, nginx: &Nginx, other: &Backend, lapi: &Lapi, key: &str) -> String {
    let action = if has_a_mistake(number) {
        "blok"
    } else {
        "block"
    };
    let (lapi, nginx) = (lapi.url(), nginx.address());
    let more = match number % 2 {
        0 => "",
        _ => "  - address: 127.0.0.2:0\n",
    };
    format!(
        "
state_directory: .
listeners:
  - address: 127.0.0.1:0
  - address: 127.0.0.3:0
    tls: {{ certificates: [{{ certificate: own.crt, private_key: own.key }}] }}
  - {{ address: 127.0.0.4:0, proxy_protocol: {{ mode: required, from: [127.0.0.0/8] }} }}
{more}upstreams:
  app: {{ servers: [\"{nginx}\", \"{other}\"], ejection: {{ failures: 2, period: 50ms }} }}
sites: [{{ upstream: app }}]
access: {{ rules: [{{ id: rule-{number}, match: {{ path: /blocked-{number} }}, action: {action} }}] }}
crowdsec: {{ lapi_url: \"{lapi}\", api_key: {key}, update_interval: 1s }}
admin: {{ address: 127.0.0.1:0 }}
logs: {{ access: {{ path: access.log }}, decisions: {{ path: decisions.log }} }}
"
    )
}

/// Reads the settings again, and waits until they are used, or refused where they have a mistake.
#[track_caller]
fn reload(gate: &Dynasty, text: &str, number: usize) {
    let result = if has_a_mistake(number) {
        "failed"
    } else {
        "ok"
    };
    // Not by lines of the operator's log: of so many reloads it tells a part.
    let reloads = || {
        gate.first
            .metric(&format!("palisade_reloads_total{{result=\"{result}\"}}"))
    };
    let before = reloads();
    let file = gate.first.settings();
    let new = file.with_extension("new");
    fs::write(
        &new,
        format!("{text}\nmetrics: {{ address: 127.0.0.1:0 }}\n"),
    )
    .unwrap();
    fs::rename(&new, &file).unwrap();
    gate.signal("HUP");
    wait_for(result, || (reloads() > before).then_some(()));
}

#[test]
fn a_bad_week_loses_no_request() {
    let (lapi, other) = (Lapi::start(), Backend::start());
    let (mut nginx, authority) = (Nginx::start(), Authority::new());
    let key = lapi.key();
    lapi.ban(BANNED, "24h");
    let directory = tempfile::tempdir().unwrap();
    let own = authority.certify(&["test.example"]);
    own.save(directory.path(), "own");
    let text = settings(1, &nginx, &other, &lapi, &key);
    let mut gate = Dynasty::of(Palisade::start_with_logs(directory, &text));
    let [plain, tls, behind] = [0, 1, 2].map(|number| gate.first.listeners()[number]);
    wait_for("the ban", || {
        let banned = Load::on(behind).of_client(BANNED).new_connections(1);
        let load = banned.expecting(&[200, 403]).start();
        load.wait_for_more(1);
        (load.finish().count(403) > 0).then_some(())
    });
    let client = |alpn: &str| Arc::new(TlsClient::new(&authority, &[alpn]));
    let passing = [
        Load::on(plain).keep_alive(2).new_connections(1).http2(1),
        Load::on(tls)
            .keep_alive(1)
            .new_connections(1)
            .tls(client("http/1.1"), "test.example"),
        Load::on(tls).http2(1).tls(client("h2"), "test.example"),
    ];
    let passing = passing.map(|load| load.start());
    let banned = Load::on(behind)
        .of_client(BANNED)
        .keep_alive(1)
        .new_connections(1);
    let banned = banned.expecting(&[403]).start();
    for number in 1..=RELOADS {
        reload(
            &gate,
            &settings(number, &nginx, &other, &lapi, &key),
            number,
        );
        if UPGRADES.contains(&number) {
            gate.upgrade();
        }
        if LAPI_RESTARTS.contains(&number) {
            lapi.stop();
            passing[0].wait_for_more(20);
            lapi.restart();
        }
        if BACKEND_DIES.contains(&number) {
            nginx.kill();
        }
        if BACKEND_DIES.contains(&(number - BACKEND_IS_DEAD_FOR.min(number))) {
            nginx.start_again();
        }
    }
    for load in &passing {
        load.wait_for_more(20);
    }
    for load in passing {
        load.finish().assert_flawless();
    }
    banned.finish().assert_flawless();
    gate.stop();
}
