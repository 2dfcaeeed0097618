//! The loopback admin door: `GET /status`, and nothing that changes anything.

#[cfg(test)]
mod tests;

use std::sync::Arc;

use arc_swap::ArcSwap;
use http::{Method, Request, StatusCode};
use hyper::body::Incoming;

use crate::answer::{self, Answer};
use crate::context::AdminContext;
use crate::door::Handler;
use crate::loopback_hosts::{HostRefusal, LoopbackHosts};
use crate::peer::Caller;
use crate::status::Status;

/// The loopback admin door.
pub(crate) struct AdminDoor {
    pub(crate) context: Arc<AdminContext>,
    /// A reload may change them.
    pub(crate) hosts: Arc<ArcSwap<LoopbackHosts>>,
}

impl Handler for AdminDoor {
    async fn handle(&self, request: Request<Incoming>, _caller: Caller) -> Answer {
        if let Err(refusal) = self.hosts.load().check(request.uri(), request.headers()) {
            // RFC 9110 section 15.5.20, RFC 9112 section 3.2.
            let status = match refusal {
                HostRefusal::NotOne => StatusCode::BAD_REQUEST,
                HostRefusal::Foreign(_) => StatusCode::MISDIRECTED_REQUEST,
            };
            return answer::error(status, refusal.to_string());
        }
        match request.uri().path() {
            "/status" => status(request.method(), &self.context),
            "/decisions" | "/decisions/all" => answer::error(
                StatusCode::FORBIDDEN,
                "decisions are read and changed through the socket alone (`admin: { socket: }`), \
                 since every user and web page of this machine can reach this address",
            ),
            _ => answer::not_found("/status"),
        }
    }
}

/// `GET /status`.
pub(crate) fn status(method: &Method, context: &AdminContext) -> Answer {
    match *method {
        Method::GET | Method::HEAD => answer::json(StatusCode::OK, &Status::of(context)),
        _ => answer::method_not_allowed("GET, HEAD"),
    }
}
