//! What end-to-end tests are made of.

mod backend;
mod certificates;
mod curl;
mod dns;
mod haproxy;
mod http;
mod http2;
mod http2_backend;
mod http2_client;
mod lapi;
mod latencies;
mod load;
mod nginx;
mod palisade;
mod scripted_lapi;
mod test_data;
mod tls;
mod wait;

pub(crate) use backend::{Backend, BackendRequest};
pub(crate) use certificates::Authority;
pub(crate) use curl::curl;
pub(crate) use dns::Dns;
pub(crate) use haproxy::Haproxy;
pub(crate) use http::{Answer, Connection, connect_from};
pub(crate) use http2::{Http2, Outcome};
pub(crate) use http2_backend::{Http2Backend, Options, server_tls};
pub(crate) use http2_client::{Http2Client, run};
pub(crate) use lapi::{Lapi, LapiTls};
pub(crate) use latencies::Latencies;
pub(crate) use load::{Load, LoadPlan, LoadReport};
pub(crate) use nginx::Nginx;
pub(crate) use palisade::Palisade;
pub(crate) use scripted_lapi::{Manner, ScriptedLapi, answer_with, decision};
pub(crate) use test_data::test_data;
pub(crate) use tls::TlsClient;
pub(crate) use wait::wait_for;
