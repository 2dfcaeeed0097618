//! The decision log: one JSON object for each request or connection that was refused, or would
//! have been.

use palisade_vocabulary::ClientAddr;

use super::escape::push_number;
use super::json_object::Object;
use super::{HOST_BYTES_MAX, SHORT_BYTES_MAX};
use crate::{Cause, DecisionEvent, MatchedDecision, RequestLine, Subject, WafCause};

/// Bytes of a path. The access log has more of it.
const PATH_BYTES_MAX: usize = 1024;
/// Bytes of a user agent.
const USER_AGENT_BYTES_MAX: usize = 512;
/// Rules that matched. The audit log has all of them.
const WAF_RULES_MAX: usize = 100;

pub(super) fn write(event: &DecisionEvent<'_>, out: &mut Vec<u8>) {
    let mut line = Object::open(out);
    line.time("time", event.time);
    if let Subject::Request { id, .. } = &event.subject {
        line.plain("request_id", id.as_str());
    }
    line.plain("mode", event.mode.label());
    line.plain("check", event.cause.check().label());
    write_cause(&mut line, &event.cause);
    line.object("client", |client| write_client(client, event.client));
    line.ip("peer", event.peer);
    if let Subject::Request {
        host,
        site,
        request,
        user_agent,
        status,
        ..
    } = &event.subject
    {
        line.bytes_if_any("site", site.as_bytes(), SHORT_BYTES_MAX);
        line.bytes("host", host.as_bytes(), HOST_BYTES_MAX);
        write_request(&mut line, *request);
        line.bytes_if_any("user_agent", user_agent, USER_AGENT_BYTES_MAX);
        if let Some(status) = status {
            line.number("status", *status);
        }
    }
    line.number("checks_microseconds", event.checks_duration.as_micros());
    line.end();
}

fn write_cause(line: &mut Object<'_>, cause: &Cause<'_>) {
    match cause {
        Cause::Proxy { reason } | Cause::Hygiene { reason } | Cause::Body { reason } => {
            line.plain("reason", reason);
        }
        Cause::DecisionsStale => line.plain("reason", "decisions_stale"),
        Cause::Decision(decision) => {
            line.object("decision", |object| write_decision(object, decision));
        }
        Cause::Rule { id, reason } => line.object("rule", |rule| {
            rule.plain("id", id.as_str());
            rule.bytes_if_any("reason", reason.as_bytes(), SHORT_BYTES_MAX);
        }),
        Cause::Protected {
            id,
            reason,
            user,
            locks,
        } => {
            line.plain("reason", reason);
            line.plain("protected", id.as_str());
            line.bytes_if_any("user", user.as_bytes(), SHORT_BYTES_MAX);
            if *locks {
                line.plain("then", "lockout");
            }
        }
        Cause::LockedOut { retry_after, user } => {
            line.plain("reason", "lockout");
            line.bytes_if_any("user", user.as_bytes(), SHORT_BYTES_MAX);
            line.seconds("retry_after_seconds", *retry_after);
        }
        Cause::Waf(waf) => line.object("waf", |object| write_waf(object, waf)),
    }
}

fn write_waf(object: &mut Object<'_>, waf: &WafCause<'_>) {
    match waf.failure {
        Some(failure) => {
            object.plain("failure", failure);
            if waf.rule > 0 {
                object.number("rule", waf.rule);
            }
        }
        None => object.number("rule", waf.rule),
    }
    object.bytes_if_any("message", waf.message, SHORT_BYTES_MAX);
    object.number("phase", waf.phase);
    object.bytes_if_any("score", waf.score, SHORT_BYTES_MAX);
    let out = object.value("rules");
    out.push(b'[');
    for (number, rule) in waf.rules.iter().take(WAF_RULES_MAX).enumerate() {
        if number > 0 {
            out.push(b',');
        }
        push_number(out, *rule);
    }
    out.push(b']');
}

fn write_decision(object: &mut Object<'_>, decision: &MatchedDecision<'_>) {
    let mut text = |name, text: &str| object.bytes(name, text.as_bytes(), SHORT_BYTES_MAX);
    text("origin", decision.origin);
    text("scenario", decision.scenario);
    text("type", decision.kind);
    text("scope", decision.scope);
    text("value", decision.value);
    if let Some(id) = decision.id {
        object.number("id", id);
    }
    object.number("expires_in_seconds", decision.expires_in.as_secs());
}

fn write_client(object: &mut Object<'_>, client: &ClientAddr) {
    object.ip("ip", client.ip);
    if let Some(port) = client.port {
        object.number("port", port);
    }
    object.provenance("provenance", &client.provenance);
}

/// The path alone: a query may hold secrets, and is in the access log.
fn write_request(line: &mut Object<'_>, request: RequestLine<'_>) {
    match request {
        RequestLine::Parsed { method, target, .. } => {
            line.bytes("method", method.as_bytes(), SHORT_BYTES_MAX);
            let path = target.split(|byte| *byte == b'?').next();
            line.bytes("path", path.unwrap_or_default(), PATH_BYTES_MAX);
        }
        RequestLine::Malformed(bytes) => line.bytes("malformed", bytes, SHORT_BYTES_MAX),
    }
}
