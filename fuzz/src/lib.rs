//! What must hold of each parser whatever bytes it gets.
//!
//! One module a parser of hostile bytes, each with a `check` that panics when a promise breaks. The
//! checks know no fuzzer: `tests/smoke.rs` runs them on stable over the corpus and its mutations,
//! and the package in `targets/` hands them to libFuzzer.

pub mod admin;
pub mod chunks;
pub mod content_coding;
pub mod cookies;
pub mod credentials;
pub mod exclusion;
pub mod feeds;
pub mod form;
pub mod forwarded;
pub mod frames;
pub mod ftw_suite;
pub mod head;
pub mod head_http2;
pub mod json;
pub mod lapi;
pub mod mmdb;
pub mod multipart;
pub mod operators;
pub mod path;
pub mod proxy_protocol;
pub mod rules;
pub mod saved;
pub mod seclang_rules;
pub mod settings;
pub mod sqli;
pub mod transaction;
pub mod transformations;
pub mod users;
pub mod xml;
pub mod xss;

mod loading;
mod told;

/// What a parser made of its input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It means something.
    Accepted,
    /// It is refused, or nothing in it counts.
    Refused,
}

/// A parser under test.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// Its name: of its module, its folder in `corpus/` and `regressions/`, its fuzz target.
    pub name: &'static str,
    /// Panics when the parser breaks a promise.
    pub check: fn(&[u8]) -> Outcome,
}

/// All of them.
pub const TARGETS: &[Target] = &[
    target("admin", admin::check),
    target("chunks", chunks::check),
    target("content_coding", content_coding::check),
    target("cookies", cookies::check),
    target("credentials", credentials::check),
    target("exclusion", exclusion::check),
    target("feeds", feeds::check),
    target("form", form::check),
    target("forwarded", forwarded::check),
    target("frames", frames::check),
    target("ftw_suite", ftw_suite::check),
    target("head", head::check),
    target("head_http2", head_http2::check),
    target("json", json::check),
    target("lapi", lapi::check),
    target("mmdb", mmdb::check),
    target("multipart", multipart::check),
    target("operators", operators::check),
    target("path", path::check),
    target("proxy_protocol", proxy_protocol::check),
    target("rules", rules::check),
    target("saved", saved::check),
    target("seclang_rules", seclang_rules::check),
    target("settings", settings::check),
    target("sqli", sqli::check),
    target("transaction", transaction::check),
    target("transformations", transformations::check),
    target("users", users::check),
    target("xml", xml::check),
    target("xss", xss::check),
];

const fn target(name: &'static str, check: fn(&[u8]) -> Outcome) -> Target {
    Target { name, check }
}

/// The first bytes of `data`, at most `len` of them.
fn prefix(data: &[u8], len: usize) -> &[u8] {
    data.get(..len).unwrap_or(data)
}

/// A message for a terminal or a log line: something, short, and nothing that steers the terminal.
#[track_caller]
fn check_message(message: &str) {
    assert!(!message.is_empty(), "an error says nothing");
    assert!(message.len() < 4096, "a message of {} bytes", message.len());
    assert!(
        !message.chars().any(char::is_control),
        "control characters in {message:?}"
    );
}
