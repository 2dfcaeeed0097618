//! A hundred reloads while clients ask: what is unchanged loses no request.

use super::Gate;
use crate::harness::{Backend, Load};

/// How often the settings are read again.
const RELOADS: usize = 100;

/// What a reload brings: everything but the first listener, its site and its upstream changes.
fn variant(number: usize, unchanged: &Backend, other: &Backend) -> String {
    let listener = match number % 4 {
        0 => String::new(),
        1 => ", { address: 127.0.0.2:0 }".to_owned(),
        2 => ", { address: 127.0.0.2:0, http2: false, deadlines: { idle: 5s } }".to_owned(),
        _ => format!(", {{ address: 127.0.{}.3:0 }}", number % 250),
    };
    let (name, site) = match number % 3 {
        0 => (
            "other".to_owned(),
            "{ hosts: [other.example], upstream: other }".to_owned(),
        ),
        1 => (
            format!("other-{number}"),
            format!(
                "{{ hosts: [other.example, \"*.{number}.example\"], upstream: other-{number} }}"
            ),
        ),
        _ => (
            "other".to_owned(),
            "{ hosts: [new.example], upstream: other, mode: detect }".to_owned(),
        ),
    };
    format!(
        "
listeners: [{{ address: 127.0.0.1:0 }}{listener}]
upstreams:
  app: {{ servers: [\"{unchanged}\"] }}
  {name}: {{ servers: [\"{other}\"], balance: least_connections }}
sites: [{{ hosts: [test.example], upstream: app }}, {site}]
access: {{ rules: [{{ id: rule-{number}, match: {{ path: /blocked-{number} }}, action: block }}] }}
admin: {{ address: 127.0.0.1:0 }}
"
    )
}

#[test]
fn a_hundred_reloads_lose_no_request() {
    let (unchanged, other) = (Backend::start(), Backend::start());
    let gate = Gate::start(&variant(0, &unchanged, &other));
    let load = Load::on(gate.palisade.address())
        .keep_alive(2)
        .new_connections(2)
        .http2(1)
        .start();
    load.wait_for_more(50);
    for number in 1..=RELOADS {
        let good = variant(number, &unchanged, &other);
        match number % 5 {
            3 => drop(gate.change_in_vain(&good.replace("action: block", "action: blok"))),
            4 => drop(gate.change_in_vain(&good.replace("upstream: app", "upstream: nobody"))),
            _ => gate.change(&good),
        }
    }
    load.wait_for_more(50);
    load.finish().assert_flawless();
    assert_eq!(
        gate.palisade.get(&format!("/blocked-{RELOADS}")).status,
        403
    );
    let metrics = gate.palisade.metrics();
    for line in metrics.lines().filter(|line| line.contains("upstream=\"")) {
        let known = ["app", &format!("other-{RELOADS}")];
        let names = |name: &&str| line.contains(&format!("upstream=\"{name}\""));
        assert!(known.iter().any(names), "{line}");
    }
}
