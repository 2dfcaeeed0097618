//! What a suite is run against.

use std::net::SocketAddr;

use palisade_vocabulary::Scheme;

use crate::backend;
use crate::request::{Request, Response};

/// A web application firewall, with what it needs to stand before the suite's backend.
pub trait Engine {
    /// Judges one request, and, where it isn't refused, the backend's answer
    /// ([`Exchange::backend_response`]).
    fn judge(&mut self, exchange: &Exchange<'_>) -> Observed;
}

/// A request on its connection.
#[derive(Clone, Copy, Debug)]
pub struct Exchange<'e> {
    /// Who sent it.
    pub client: SocketAddr,
    /// Where it was sent to.
    pub server: SocketAddr,
    /// How the server is spoken to.
    pub scheme: Scheme,
    /// The request.
    pub request: &'e Request<'e>,
}

impl Exchange<'_> {
    /// What the suite's backend answers.
    #[must_use]
    pub fn backend_response(&self) -> Response {
        backend::answer(self.request)
    }
}

/// What a client and the log see of an exchange.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Observed {
    /// The answer, whoever gave it; `None` where the connection was closed without one, or with one that
    /// has no status.
    pub response: Option<Response>,
    /// The lines of the log, in their order.
    pub logged: Vec<Logged>,
}

/// A line of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Logged {
    /// The rule that logged it; `None` for what the engine itself has to say, like an error of a body.
    pub rule_id: Option<u64>,
    /// The line, in ModSecurity's form: `... [id "942100"] [msg "..."] [data "..."] ...`.
    pub line: String,
}

impl Observed {
    /// The rules that were logged, each once, by number.
    #[must_use]
    pub fn rule_ids(&self) -> Vec<u64> {
        let mut ids: Vec<u64> = self.logged.iter().filter_map(|line| line.rule_id).collect();
        ids.sort_unstable();
        ids.dedup();
        ids
    }
}
