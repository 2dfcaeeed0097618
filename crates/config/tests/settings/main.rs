//! Settings as an operator writes them: what is made of them, and every problem with its place.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may panic, in its helpers too"
)]

mod access;
mod conditions;
mod crowdsec;
mod documents;
mod doors_and_logs;
mod five_mistakes;
mod golden;
mod includes;
mod listeners;
mod lists;
mod protected;
mod robustness;
mod shipped;
mod sites;
mod support;
mod together;
mod upstreams;
mod waf;
