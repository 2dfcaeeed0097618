//! What end-to-end tests are made of.

mod backend;
mod http;
mod palisade;
mod wait;

pub(crate) use backend::{Backend, BackendRequest};
pub(crate) use http::{Answer, Connection};
pub(crate) use palisade::Palisade;
pub(crate) use wait::wait_for;
