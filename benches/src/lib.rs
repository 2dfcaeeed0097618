//! What the benchmarks have in common: settings, decisions and a request as a busy site has them.
//!
//! Everything goes the way it goes in the product: the settings are a file that
//! `palisade-config` reads, and a request is judged by `palisade_proxy::judge`. All that is made up
//! comes from one generator with a fixed seed, so that each run measures the same.

#![expect(
    clippy::expect_used,
    reason = "a benchmark that can't be set up has no figures"
)]

pub mod binary;
pub mod browser;
pub mod decisions;
pub mod figures;
pub mod load;
pub mod nginx;
pub mod palisade;
pub mod scene;
pub mod settings;
