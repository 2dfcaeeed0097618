//! Requests that a second set of rules judges once they are over: which ones, and what is kept of them.
//!
//! Nothing here makes a request wait or changes what becomes of it. One that isn't sampled pays a look at
//! whether its site has a second set, and where that judges a share, a draw. What can't be kept or handed over is skipped, and counted.

mod lane;
mod pace;
mod tell;

use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;

use bytes::Bytes;
use http::HeaderMap;
use palisade_hygiene::Framing;
use palisade_seclang::ResponseHead;
use palisade_telemetry::ShadowSkip;
use palisade_vocabulary::ByteSize;
use palisade_waf::{
    AnswerBody, Inspection, Judgement, OwnedHead, RequestBody, RuleSet, SeenAnswer, Shadow,
    ShadowCase, Share,
};

pub use self::lane::{Samples, ShadowLane};
use self::lane::{Subject, Waiting};
use crate::body_memory::Held;
use crate::inspect::{self, Inspected};
use crate::request::Context;

/// What second sets of rules may take, all together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ShadowSettings {
    /// Of one processor's time.
    pub budget: Share,
    /// The most memory that requests and answers take that are held for them.
    pub memory_max: ByteSize,
}

impl ShadowSettings {
    /// The most memory where nothing is said of it.
    pub const MEMORY_MAX_DEFAULT: ByteSize = ByteSize::mib(64);
    /// What of a processor's time where nothing is said of it: 5 %.
    pub const BUDGET_DEFAULT: Share = match Share::from_millionths(50_000) {
        Some(share) => share,
        None => Share::NONE,
    };
}

impl Default for ShadowSettings {
    fn default() -> Self {
        Self {
            budget: Self::BUDGET_DEFAULT,
            memory_max: Self::MEMORY_MAX_DEFAULT,
        }
    }
}

/// A request that is under way, and that a second set is to judge.
#[derive(Debug)]
pub(crate) struct Sample {
    rules: Arc<RuleSet>,
    held: Held,
    bytes: usize,
    /// Whether rules were shown the body, or its beginning.
    has_body: bool,
    body: RequestBody,
    answer: Option<SeenAnswer>,
}

/// The sample that a request of this site is, if it is one.
pub(crate) fn sample(context: &Context<'_>, site: usize) -> Option<Box<Sample>> {
    let shadow = context.generation.rule_sets.shadow_of_site(site)?;
    if !is_drawn(shadow) {
        return None;
    }
    let shared = &context.facts.shared;
    let lane = &shared.rules.shadow;
    if !lane.has_room(context.begun.at) {
        shared.metrics.shadow.skipped(ShadowSkip::Budget);
        return None;
    }
    Some(Box::new(Sample {
        rules: Arc::clone(&shadow.rules),
        held: lane.memory().hold_nothing(),
        bytes: 0,
        has_body: false,
        body: match context.incoming.framing {
            Framing::None => RequestBody::Whole(Bytes::new()),
            Framing::Length(length) => RequestBody::Declared(length),
            Framing::Chunked => RequestBody::Unread,
        },
        answer: None,
    }))
}

/// Whether this request is of the share. No client can tell or choose: the numbers are of a keyed stream.
fn is_drawn(shadow: &Shadow) -> bool {
    thread_local! {
        static SOURCE: (RandomState, std::cell::Cell<u64>) =
            (RandomState::new(), std::cell::Cell::new(0));
    }
    match shadow.sample {
        Share::ALL => true,
        Share::NONE => false,
        sample => SOURCE.with(|(key, counter)| {
            let count = counter.get().wrapping_add(1);
            counter.set(count);
            sample.has(key.hash_one(count))
        }),
    }
}

impl Sample {
    /// Takes memory for so many bytes more; whether there was some.
    fn hold(&mut self, bytes: usize, context: &Context<'_>) -> bool {
        self.bytes = self.bytes.saturating_add(bytes);
        let max = context.generation.shadow.memory_max.as_u64();
        self.held.grow_to(self.bytes, max)
    }

    fn keep_answer(&mut self, head: &ResponseHead<'_>, reason: &'static str) -> usize {
        let fields = OwnedHead::of_fields(head.headers);
        let bytes = fields.len();
        self.answer = Some(SeenAnswer {
            status: head.status,
            reason,
            fields,
            body: AnswerBody::Unread,
        });
        bytes
    }

    fn keep_answer_body(&mut self, body: AnswerBody) {
        if let Some(answer) = &mut self.answer {
            answer.body = body;
        }
    }
}

/// Does `keep` with the sample that a request is, which takes so many bytes more then; the sample is given
/// up where there is no memory for it.
fn keep(inspected: &mut Inspected, context: &Context<'_>, keep: impl FnOnce(&mut Sample) -> usize) {
    let Some(inspected) = inspected else {
        return;
    };
    if let Some(sample) = &mut inspected.sample {
        let bytes = keep(sample);
        if !sample.hold(bytes, context) {
            inspected.sample = None;
            skip(context, ShadowSkip::MemoryFull);
        }
    }
}

fn skip(context: &Context<'_>, reason: ShadowSkip) {
    context.facts.shared.metrics.shadow.skipped(reason);
}

/// Keeps what was read of a request's body.
pub(crate) fn keep_body(
    inspected: &mut Inspected,
    context: &Context<'_>,
    bytes: &Bytes,
    is_whole: bool,
) {
    keep(inspected, context, |sample| {
        sample.has_body = true;
        sample.body = match is_whole {
            true => RequestBody::Whole(bytes.clone()),
            false => RequestBody::Beginning(bytes.clone()),
        };
        bytes.len()
    });
}

/// Keeps the head of an answer that rules look at.
pub(crate) fn keep_answer(
    inspected: &mut Inspected,
    context: &Context<'_>,
    head: &ResponseHead<'_>,
    reason: &'static str,
) {
    keep(inspected, context, |sample| {
        sample.keep_answer(head, reason)
    });
}

/// Keeps what was read of an answer's body; nothing was where rules don't look at it.
pub(crate) fn keep_answer_body(
    inspected: &mut Inspected,
    context: &Context<'_>,
    body: Option<(&Bytes, bool)>,
) {
    keep(inspected, context, |sample| {
        let (body, bytes) = match body {
            None => (AnswerBody::Absent, 0),
            Some((bytes, true)) => (AnswerBody::Whole(bytes.clone()), bytes.len()),
            Some((bytes, false)) => (AnswerBody::Beginning(bytes.clone()), bytes.len()),
        };
        sample.keep_answer_body(body);
        bytes
    });
}

/// Hands a request that is over to whoever judges it with the second set.
pub(crate) fn hand_over(
    context: &Context<'_>,
    headers: &HeaderMap,
    mut sample: Sample,
    inspection: &Inspection,
) {
    let active = Judgement::of(inspection);
    if !sample.has_body && active.ended.is_none() {
        // The request ended before rules had seen it.
        return skip(context, ShadowSkip::BodyUnread);
    }
    let head = inspect::with_head(context, headers, OwnedHead::copy);
    if !sample.hold(head.len() + active.memory_bytes(), context) {
        return skip(context, ShadowSkip::MemoryFull);
    }
    let (facts, judged) = (context.facts, context.judged);
    let connection = inspect::connection(facts, &judged.client, &context.begun.id);
    let site = judged.site.as_ref();
    let host = context.incoming.host.as_ref();
    let waiting = Waiting {
        active,
        case: ShadowCase {
            client: connection.client,
            server: connection.server,
            id: context.begun.id,
            head,
            body: sample.body,
            answer: sample.answer,
        },
        rules: sample.rules,
        subject: Subject {
            client: judged.client.clone(),
            host: host.map_or("", |host| host.name).into(),
            site: site.map_or("", |site| &*site.settings.name).into(),
        },
        _held: sample.held,
    };
    if let Err(reason) = facts.shared.rules.shadow.hand_over(waiting) {
        skip(context, reason);
    }
}
