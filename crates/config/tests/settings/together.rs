//! What sections say together.

use crate::support::{check_problems, check_problems_alone};

#[test]
fn an_address_is_listened_on_once() {
    check_problems(
        "metrics: {address: 0.0.0.0:8000}\nadmin: {address: 127.0.0.1:8000}\n",
        &[
            "4:20: error: 0.0.0.0:8000 is already listened on: 127.0.0.1:8000 at palisade.yaml:1:23",
            "5:18: error: 127.0.0.1:8000 is already listened on: 127.0.0.1:8000 at palisade.yaml:1:23",
        ],
    );
    check_problems(
        "metrics: {address: \"[::]:8000\"}\n",
        &["4:20: error: [::]:8000 is already listened on: 127.0.0.1:8000 at palisade.yaml:1:23"],
    );
    check_problems(
        "metrics: {address: 127.0.0.2:8000}\nadmin: {address: \"[::1]:8000\"}\n",
        &[],
    );
}

#[test]
fn our_own_doors_are_no_backends() {
    check_problems_alone(
        "listeners: [{address: 0.0.0.0:8000}]
metrics: {address: 0.0.0.0:9900}
admin: {address: 127.0.0.1:9901}
upstreams: {app: {servers: [127.0.0.1:8000, localhost:9901, \"[::1]:9900\", 192.0.2.1:9900, 127.0.0.1:9902]}}
sites: [{upstream: app}]
",
        &[
            "4:29: warning: 127.0.0.1:8000 is Palisade's own listener address (palisade.yaml:1:23): requests would go in circles",
            "4:45: error: localhost:9901 is Palisade's own admin address (palisade.yaml:3:18): it would be open to every client",
            "4:61: error: [::1]:9900 is Palisade's own metrics address (palisade.yaml:2:20): it would be open to every client",
        ],
    );
}

#[test]
fn an_upstream_that_nobody_uses_is_a_warning() {
    check_problems_alone(
        "listeners: [{address: 127.0.0.1:8000}]
upstreams: {app: {servers: [127.0.0.1:9000]}, old: {servers: [127.0.0.1:9001]}}
sites: [{upstream: app}]
",
        &["2:47: warning: no site uses the upstream \"old\""],
    );
}

#[test]
fn a_broken_upstream_is_not_also_unknown() {
    check_problems_alone(
        "listeners: [{address: 127.0.0.1:8000}]
upstreams: {app: {servers: [nowhere]}}
sites: [{upstream: app}]
",
        &[
            "2:29: error: \"nowhere\" is not a server; expected ADDRESS:PORT, [IPV6]:PORT or HOST:PORT",
        ],
    );
}
