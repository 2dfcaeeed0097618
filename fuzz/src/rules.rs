//! Access rules. Input: a rule file.

use palisade_config::files::Memory;

use crate::Outcome;
use crate::loading::{SETTINGS, load};

const BASE: &str = "\
listeners: [{address: 127.0.0.1:8000}]
upstreams: {app: {servers: [127.0.0.1:9000]}}
sites: [{upstream: app}]
access:
  lists: {office: [203.0.113.0/24, 2001:db8::/32]}
  rule_files: [rules.yaml]
";

/// Rules that load compile, and are evaluated as they are explained; all else is an error with its
/// place.
pub fn check(data: &[u8]) -> Outcome {
    load(
        &Memory::default()
            .with(SETTINGS, BASE)
            .with("rules.yaml", data),
    )
}
