//! Hot functions that need no rules of others, for gungraun to count: `make instructions`.
//!
//! Each benchmark runs in a process of its own, under callgrind, and counts one call of its function; what it
//! sets up doesn't count. A function does its work often enough that what is around it doesn't matter
//! ([`TIMES`], or each of a list of values once), after it has done so once: what is built only once in a
//! process is built, and memory has grown. All that is made up has a fixed seed.

#![expect(
    clippy::expect_used,
    clippy::exit,
    reason = "gungraun's macros make what has no documentation and exits; a benchmark that can't be set up has no figures"
)]

mod answer;
mod bodies;
mod case;
mod clients;
mod codec;
mod connections;
mod credentials;
#[path = "../../../crates/telemetry/benches/lines/events.rs"]
mod events;
mod head;
mod http2_codec;
#[path = "../inspected.rs"]
mod inspected;
mod lines;
mod lockouts;
mod own_rules;
mod places;
mod rule_language;
mod rules;
mod table;
mod values;

use answer::crowdsec;
use bodies::body;
use case::judge;
use clients::client_address;
use codec::http1;
use connections::upstream;
use credentials::authentication;
use gungraun::{Callgrind, LibraryBenchmarkConfig, main};
use head::hygiene;
use http2_codec::http2;
use lines::telemetry;
use lockouts::limits;
use own_rules::waf;
use places::geo;
use rule_language::seclang;
use rules::access;
use table::decisions;
use values::injection;

/// As the shipped binary has it.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// How often something short is done in one count.
const TIMES: usize = 100;

main!(
    // A country database that was fetched would be another one tomorrow.
    config = LibraryBenchmarkConfig::default()
        .tool(Callgrind::with_args(["--cache-sim=no"]))
        .env("PALISADE_TEST_DATA", "/nonexistent"),
    library_benchmark_groups = [
        access,
        authentication,
        body,
        client_address,
        crowdsec,
        decisions,
        geo,
        http1,
        http2,
        hygiene,
        injection,
        judge,
        limits,
        seclang,
        telemetry,
        upstream,
        waf,
    ]
);
