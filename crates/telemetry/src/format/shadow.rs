//! The shadow log: one JSON object for each request of which two sets of rules make different things, and
//! now and then one that sums up.

use super::json_object::{Object, push_list};
use super::{HOST_BYTES_MAX, SHORT_BYTES_MAX};
use crate::metrics::shadow_skips;
use crate::{ShadowEvent, ShadowRule, ShadowSide, ShadowSummary, WallTime};

/// Bytes of a path. The access log has more of it.
const PATH_BYTES_MAX: usize = 1024;
/// Rules of each side.
const RULES_MAX: usize = 50;
/// A line that has so many bytes gets no more rules.
const RULES_BYTES_MAX: usize = 48 * 1024;

pub(super) fn write(event: &ShadowEvent<'_>, out: &mut Vec<u8>) {
    let mut line = Object::open(out);
    line.time("time", event.time);
    line.plain("kind", event.difference.label());
    line.plain("request_id", event.request_id.as_str());
    line.ip("client_ip", event.client.ip);
    line.bytes_if_any("site", event.site.as_bytes(), SHORT_BYTES_MAX);
    line.bytes("host", event.host.as_bytes(), HOST_BYTES_MAX);
    line.bytes("method", event.method, SHORT_BYTES_MAX);
    line.bytes("path", event.path, PATH_BYTES_MAX);
    line.object("active", |side| write_side(side, &event.active));
    line.object("shadow", |side| write_side(side, &event.shadow));
    if event.is_answer_unread {
        line.plain("answer_body", "unread");
    }
    line.end();
}

fn write_side(object: &mut Object<'_>, side: &ShadowSide<'_>) {
    let outcome = if side.is_refused { "refused" } else { "passed" };
    object.plain("outcome", outcome);
    if let Some((rule, phase)) = side.ended_by {
        object.number("rule", rule);
        object.number("phase", phase);
    }
    if let Some(failure) = side.failure {
        object.plain("failure", failure);
    }
    object.bytes_if_any("score", side.score, SHORT_BYTES_MAX);
    let rules = side.rules.iter().take(RULES_MAX);
    let told = push_list(object.value("only"), rules, RULES_BYTES_MAX, write_rule);
    if side.rules.len() > told {
        object.number("left_out", side.rules.len() - told);
    }
}

fn write_rule(rule: &ShadowRule<'_>, out: &mut Vec<u8>) {
    let mut object = Object::open(out);
    object.number("id", rule.id);
    object.bytes_if_any("msg", rule.message, SHORT_BYTES_MAX);
    object.bytes_if_any("target", rule.target, SHORT_BYTES_MAX);
    object.end();
}

/// What was done since the last such line.
pub(super) fn write_summary(summary: &ShadowSummary, time: WallTime, out: &mut Vec<u8>) {
    let mut line = Object::open(out);
    line.time("time", time);
    line.plain("kind", "summary");
    line.number("evaluated", summary.evaluated);
    line.number("agreed", summary.agreed);
    line.object("skipped", |skipped| {
        for (reason, count) in shadow_skips().zip(summary.skipped) {
            skipped.number(reason, count);
        }
    });
    line.end();
}
