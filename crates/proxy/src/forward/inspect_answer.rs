//! What SecLang rules make of an answer, before the client has any of it.

use bytes::{Bytes, BytesMut};
use http::HeaderValue;
use http::header::CONTENT_ENCODING;
use palisade_seclang::ResponseHead;
use palisade_waf::Finding;
use smallvec::SmallVec;

use super::read_ahead::grow;
use super::{Failure, Forwarding};
use crate::answer_head::AnswerHead;
use crate::body_memory::Held;
use crate::downstream::{Downstream, WriteAnswer};
use crate::inspect::{self, OutOfMemory, UnderInspection};
use crate::shadow;
use crate::upstream::{ReadAnswer, Upstream};

/// An answer of so many bytes is held without asking for memory.
const UNASKED_BYTES: usize = 64 * 1024;

/// The beginning of an answer's body, which was read for rules.
#[derive(Default)]
pub(super) struct Beginning {
    pub(super) bytes: Bytes,
    /// Whether nothing follows.
    pub(super) is_whole: bool,
    /// The memory that it takes of what all bodies may that are held.
    _held: Option<Held>,
}

impl Forwarding<'_> {
    /// Phases 3 and 4; what was read of the body for them.
    pub(super) async fn inspect_answer(
        &mut self,
        upstream: &mut Upstream,
        head: &AnswerHead,
        has_body: bool,
        downstream: &mut Downstream<'_>,
    ) -> Result<Beginning, Failure> {
        let fields = head.iter();
        let fields: SmallVec<[(&[u8], &[u8]); 32]> = fields
            .map(|(name, value)| (name.as_str().as_bytes(), value.as_bytes()))
            .collect();
        let reason = head.status.canonical_reason().unwrap_or_default();
        let answer = ResponseHead {
            protocol: b"HTTP/1.1",
            status: head.status.as_u16(),
            reason: reason.as_bytes(),
            headers: &fields,
        };
        shadow::keep_answer(self.inspected, self.context, &answer, reason);
        let Some(UnderInspection { inspection, .. }) = self.inspected.as_deref_mut() else {
            return Ok(Beginning::default());
        };
        goes_on(inspection.response_head(&answer))?;
        let limit = inspection.response_body_limit().filter(|_| has_body);
        let beginning = match limit {
            Some(limit) => self.read_for_rules(limit, upstream, downstream).await?,
            None => Beginning::default(),
        };
        if limit.is_some() || !has_body {
            let read = has_body.then_some((&beginning.bytes, beginning.is_whole));
            shadow::keep_answer_body(self.inspected, self.context, read);
        }
        let codings = head.get_all(&CONTENT_ENCODING).map(HeaderValue::as_bytes);
        let bytes = &beginning.bytes;
        let finding =
            inspect::answer_body(self.context, self.inspected, codings.collect(), bytes).await;
        goes_on(finding.map_err(|OutOfMemory| Failure::Unavailable)?)?;
        Ok(beginning)
    }

    /// Reads what rules look at, and a byte more where there is one.
    async fn read_for_rules(
        &self,
        looked_at: u64,
        upstream: &mut Upstream,
        downstream: &mut Downstream<'_>,
    ) -> Result<Beginning, Failure> {
        let shared = &self.context.facts.shared;
        let memory_max = self.context.generation.body_memory_max.as_u64();
        let mut held = shared.rules.body_memory.hold_nothing();
        let mut bytes = BytesMut::new();
        loop {
            let part = tokio::select! {
                biased;
                part = upstream.read_body() => part,
                () = downstream.gone() => return Err(Failure::ClientGone(super::Sent::default())),
            };
            // The client has nothing of it yet, so that it can be told.
            let part = part.map_err(|error| Failure::Backend {
                status: error.status(),
            })?;
            let is_whole = part.is_none();
            let part = part.unwrap_or_default();
            make_room(&mut bytes, part.len());
            bytes.extend_from_slice(part);
            if bytes.capacity() > UNASKED_BYTES && !held.grow_to(bytes.capacity(), memory_max) {
                shared.metrics.rules.body_memory_was_full();
                return Err(Failure::Unavailable);
            }
            if is_whole || bytes.len() as u64 > looked_at {
                return Ok(Beginning {
                    bytes: bytes.freeze(),
                    is_whole,
                    _held: Some(held),
                });
            }
        }
    }
}

/// Makes room for so many bytes, as much again as there is at least.
fn make_room(bytes: &mut BytesMut, more: usize) {
    if bytes.capacity() - bytes.len() < more {
        grow(bytes, bytes.len() + more.max(bytes.len()));
    }
}

fn goes_on(finding: Finding) -> Result<(), Failure> {
    match finding {
        Finding::Pass => Ok(()),
        Finding::Refuse(action) => Err(Failure::RefusedByRules(action)),
    }
}
