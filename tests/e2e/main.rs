//! End to end: the real binary, over real sockets.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::print_stderr,
    clippy::print_stdout,
    reason = "a test that fails shall say so, helpers of tests included"
)]
#![expect(
    clippy::cognitive_complexity,
    reason = "assertions in a row are no branches to follow"
)]

mod abuse;
mod access_rules;
mod accuracy;
mod all_at_once;
mod answers;
mod backend_http2;
mod bench;
mod browser;
mod client_address;
mod command_line;
mod container;
mod crs_command;
mod deploy;
mod drain;
mod failures;
mod feeds;
mod forward;
mod haproxy;
mod harness;
mod health;
mod hygiene;
mod lapi;
mod least_privilege;
mod limits;
mod local_decisions;
mod nginx;
mod own_doors;
mod protected;
mod proxy_protocol;
mod regressions;
mod reload;
mod smoke;
mod systemd;
mod tls;
mod upgrade;
mod usage_metrics;
mod waf;
mod waf_exclude;
mod waf_inline;
mod waf_shadow;
