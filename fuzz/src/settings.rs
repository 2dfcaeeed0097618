//! The settings. Input: a settings file; the files that it may name are these.
//!
//! `lists/tor.txt`, `rules/a.yaml`, `more.yaml`, `pages/blocked.html`, `secrets/key`; the variables
//! `PORT`, `KEY` and `INJECTION` are set.

use palisade_config::files::Memory;

use crate::Outcome;
use crate::loading::{SETTINGS, load};

/// Settings that load compile; all else is an error with its place.
pub fn check(data: &[u8]) -> Outcome {
    let files = Memory::default()
        .with(SETTINGS, data)
        .with(
            "more.yaml",
            "sites: [{hosts: [b.example], upstream: app}]\n",
        )
        .with("lists/tor.txt", "192.0.2.1\n# one\n2001:db8::/32\n")
        .with(
            "rules/a.yaml",
            "rules: [{id: from-file, match: {path: /x}, action: log}]\n",
        )
        .with("pages/blocked.html", "<p>{{request_id}} {{status}}</p>\n")
        .with("secrets/key", "0123abcd\n");
    load(&files)
}
