//! The side-by-side harness: Palisade and the servers that people would pick instead, on loopback, with the
//! same requests, and what each request costs each of them.
//!
//! [`run::run`] does what a [`plan::Plan`] says: it starts a backend, Palisade in several settings and its peers
//! ([`lineup`]), lets each take its turn ([`rounds`], [`latency`], [`idle`]) with the same requests ([`workload`],
//! [`transport`], [`load`]), and reads what they took from `/proc` ([`cost`]). [`report`] makes tables of the
//! [`results`].

pub mod addresses;
pub mod backend;
pub mod cost;
pub mod goals;
pub mod idle;
pub mod lapi;
pub mod latency;
pub mod lineup;
pub mod load;
pub mod loopback;
pub mod meanwhile;
pub mod metrics;
pub mod palisade;
pub mod peers;
pub mod place;
pub mod plan;
pub mod proof;
pub mod random;
pub mod report;
pub mod results;
pub mod rounds;
pub mod rules;
pub mod run;
pub mod server;
pub mod session;
pub mod subject;
pub mod transport;
pub mod workload;
