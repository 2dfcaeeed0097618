//! Whatever a file holds, loading ends with settings or with problems.

use palisade_config::files::Memory;
use proptest::prelude::*;

use crate::shipped::repository_file;
use crate::support;

/// A text with some of its bytes changed, removed or doubled.
fn mutated(text: Vec<u8>) -> impl Strategy<Value = Vec<u8>> {
    let edits = prop::collection::vec((any::<prop::sample::Index>(), 0_u8..5, any::<u8>()), 1..8);
    edits.prop_map(move |edits| {
        let mut bytes = text.clone();
        for (at, kind, byte) in edits {
            if bytes.is_empty() {
                break;
            }
            let at = at.index(bytes.len());
            match kind {
                0 => bytes[at] = byte,
                1 => drop(bytes.remove(at)),
                2 => bytes.insert(at, byte),
                3 => bytes.truncate(at),
                _ => {
                    let line: Vec<u8> = bytes[at..].iter().copied().take(40).collect();
                    bytes.splice(at..at, line);
                }
            }
        }
        bytes
    })
}

/// Loads and checks that there are settings or at least one error.
fn load(bytes: Vec<u8>) {
    let files = Memory::default()
        .with("palisade.yaml", bytes)
        .with("lists/tor.txt", "192.0.2.1\n");
    if let Err(problems) = support::load(&files) {
        assert!(problems.contains(": error: "), "{problems}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        load(bytes);
    }

    #[test]
    fn almost_right_settings_never_panic(bytes in mutated(repository_file("config/palisade.yaml"))) {
        load(bytes);
    }

    #[test]
    fn almost_right_rules_never_panic(bytes in mutated(FULL.as_bytes().to_vec())) {
        load(bytes);
    }
}

/// Every kind of value once.
const FULL: &str = "\
listeners:
  - address: 127.0.0.1:8000
    proxy_protocol: {mode: required, from: [10.0.0.0/8, $office]}
    client_address: {from: 10.0.0.0/8, header: X-Forwarded-For}
    deadlines: {head: 10s}
    limits: {head_bytes: 32KiB}
upstreams: {app: {servers: [127.0.0.1:9000, {address: 127.0.0.1:9001, weight: 2}], ejection: off}}
sites:
  - hosts: [a.example, \"*.a.example\"]
    upstream: app
    routes: [{path_prefix: /api, upstream: app}]
    headers: {response: {set: {X-A: b}, remove: [Server]}}
access:
  lists: {office: [203.0.113.0/24], tor: {file: lists/tor.txt}}
  rules:
    - id: r
      match: {any: [{path: {regex: \"^/a(b|c)+$\"}}, {not: {country: [DE, unknown]}}], header: {x: y}, address: $tor}
      action: block
      status: 404
crowdsec: {lapi_url: \"http://127.0.0.1:8080/\", api_key: \"${KEY-x}\", on_failure: {policy: closed, after: 10m}}
";

#[test]
fn the_seed_is_right_itself() {
    let files = Memory::default()
        .with("palisade.yaml", FULL)
        .with("lists/tor.txt", "192.0.2.1\n");
    assert!(
        support::load(&files).is_ok(),
        "{}",
        support::problems(&support::load(&files))
    );
}
