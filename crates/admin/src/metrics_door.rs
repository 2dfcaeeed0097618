//! `/metrics`, `/healthz`, `/readyz`. Nothing else, ever: everybody may reach this door.

#[cfg(test)]
mod tests;

use std::sync::Arc;

use http::{HeaderValue, Method, Request, StatusCode};
use hyper::body::Incoming;
use palisade_telemetry::{Metrics, MetricsError, ServerGauges};
use palisade_vocabulary::Tick;

use crate::answer::{self, Answer};
use crate::context::AdminContext;
use crate::door::Handler;
use crate::peer::Caller;
use crate::readiness;

/// The metrics door.
pub(crate) struct MetricsDoor {
    pub(crate) context: Arc<AdminContext>,
}

impl Handler for MetricsDoor {
    async fn handle(&self, request: Request<Incoming>, _caller: Caller) -> Answer {
        let respond: fn(&AdminContext) -> Answer = match request.uri().path() {
            "/metrics" => metrics,
            "/healthz" => healthy,
            "/readyz" => ready,
            _ => return answer::not_found("/metrics, /healthz, /readyz"),
        };
        match *request.method() {
            Method::GET | Method::HEAD => respond(&self.context),
            _ => answer::method_not_allowed("GET, HEAD"),
        }
    }
}

/// Whoever gets an answer knows that the process serves.
fn healthy(_context: &AdminContext) -> Answer {
    answer::text(StatusCode::OK, "ok\n")
}

fn ready(context: &AdminContext) -> Answer {
    let reasons = readiness::reasons(context);
    if reasons.is_empty() {
        return answer::text(StatusCode::OK, "ready\n");
    }
    let lines = reasons.join("\n") + "\n";
    answer::text(StatusCode::SERVICE_UNAVAILABLE, lines)
}

fn metrics(context: &AdminContext) -> Answer {
    let shared = &context.shared;
    let now = shared.clock.now();
    let lockouts = shared.state.lockouts.counts(now);
    shared.metrics.authentication.set_lockouts(
        lockouts.counted,
        lockouts.locked,
        lockouts.ended_early,
    );
    let mut out = String::new();
    let rendered = show_servers(context, now).and_then(|()| shared.metrics.render(now, &mut out));
    match rendered {
        Ok(()) => {
            let prometheus = HeaderValue::from_static(Metrics::CONTENT_TYPE);
            answer::with_type(StatusCode::OK, prometheus, out.into())
        }
        Err(error) => answer::text(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()),
    }
}

/// Servers are shown as they are at `now`.
fn show_servers(context: &AdminContext, now: Tick) -> Result<(), MetricsError> {
    let pools = context.shared.generation.load().upstreams.status(now);
    let queued = pools.iter().map(|pool| (&*pool.name, pool.queued));
    let servers = pools.iter().flat_map(|pool| {
        pool.servers.iter().map(|server| ServerGauges {
            upstream: &pool.name,
            server: &server.address,
            is_up: server.is_up,
            in_flight: server.in_flight,
            check_failures: server.check.as_ref().map(|check| check.failures),
            name_failing: server.name.as_ref().map(|name| name.failure.is_some()),
        })
    });
    context.shared.metrics.set_servers(queued, servers)
}
