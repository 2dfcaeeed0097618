//! A request's body, as far as it is read before a backend is asked for.

use std::pin::pin;

use bytes::{Bytes, BytesMut};
use futures_util::FutureExt;
use http::HeaderMap;
use palisade_hygiene::Framing;
use palisade_upstream::Protocol;

use super::{Failure, Sent};
use crate::body::BodyReader;
use crate::body_memory::Held;
use crate::downstream::Downstream;
use crate::outgoing;
use crate::request::Context;
use crate::shared::Backend;
use crate::waiting::Evicted;

/// How much of a body is read before a backend is asked for where no rule looks at it. A body that fits
/// is judged to its last byte first: a malformed one never reaches a backend, and the request can be tried
/// again. Rules see all that they look at.
const READ_AHEAD_BYTES: usize = 64 * 1024;

/// The most bytes of a body that are read at once.
const PART_BYTES_MAX: usize = 64 * 1024;

/// The part of a request's body that was read before a backend was asked for.
#[derive(Default)]
pub(crate) struct ReadAhead {
    pub(super) bytes: Bytes,
    /// What reads the rest of the body, until it is sent.
    pub(super) rest: Option<BodyReader>,
    /// Whether there was no rest.
    is_whole: bool,
    /// Whether some of the rest was read: that can't be sent once more.
    pub(super) is_touched: bool,
    /// What came after a whole body.
    pub(super) trailers: Option<HeaderMap>,
    /// The memory that it takes of what all such bodies may.
    _held: Option<Held>,
}

impl ReadAhead {
    fn whole(bytes: Bytes, trailers: Option<HeaderMap>) -> Self {
        Self {
            bytes,
            rest: None,
            is_whole: true,
            is_touched: false,
            trailers,
            _held: None,
        }
    }

    /// What was read.
    pub(crate) fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    pub(crate) fn is_whole(&self) -> bool {
        self.is_whole
    }

    /// Whether the body can be sent from its beginning.
    pub(super) fn is_untouched(&self) -> bool {
        !self.is_touched
    }

    /// Whether nothing follows the head.
    pub(super) fn is_nothing(&self) -> bool {
        self.is_whole && self.bytes.is_empty() && self.trailers.is_none()
    }

    pub(super) fn whole_length(&self) -> Option<u64> {
        self.is_whole.then_some(self.bytes.len() as u64)
    }
}

/// Reads the beginning of a body.
pub(super) struct Reading<'a> {
    pub(super) context: &'a Context<'a>,
    pub(super) backend: &'a Backend,
    /// How many bytes rules look at; `None` where none does.
    pub(super) looked_at: Option<u64>,
}

impl Reading<'_> {
    /// Reads the body, or the beginning of a long one: all that rules look at, and a byte more where there
    /// is one. Of a body that is to be passed on as it comes, and that no rule looks at, what has come.
    pub(super) async fn read(self, downstream: &mut Downstream<'_>) -> Result<ReadAhead, Failure> {
        let incoming = self.context.incoming;
        if incoming.framing == Framing::None {
            return Ok(ReadAhead::whole(Bytes::new(), None));
        }
        let mut reader = self.body_reader()?;
        if incoming.expects_continue {
            downstream.send_continue().await?;
        }
        let mut bytes = BytesMut::new();
        let mut held = None;
        let is_whole = match self.looked_at {
            Some(looked_at) => {
                let memory = &self.context.facts.shared.rules.body_memory;
                let holding = held.insert(memory.hold_nothing());
                self.read_for_rules(looked_at, &mut reader, &mut bytes, holding, downstream)
                    .await?
            }
            None if passes_body_as_it_comes(self.context, self.backend) => {
                let read = reader.read_into(&mut bytes, READ_AHEAD_BYTES, downstream);
                read.now_or_never().transpose()?.unwrap_or(false)
            }
            None => {
                self.await_beginning(&mut reader, &mut bytes, READ_AHEAD_BYTES, downstream)
                    .await?
            }
        };
        // However small the client's chunks were, the backend gets them in one write.
        let bytes = bytes.freeze();
        let mut body = match is_whole {
            true => ReadAhead::whole(bytes, request_trailers(self.context, downstream)),
            false => ReadAhead {
                bytes,
                rest: Some(reader),
                ..ReadAhead::default()
            },
        };
        body._held = held;
        Ok(body)
    }

    /// Reads what rules look at, as long as there is memory for it; whether that is all of the body.
    async fn read_for_rules(
        &self,
        looked_at: u64,
        reader: &mut BodyReader,
        bytes: &mut BytesMut,
        held: &mut Held,
        downstream: &mut Downstream<'_>,
    ) -> Result<bool, Failure> {
        // One more tells whether there is more.
        let looked_at = usize::try_from(looked_at).unwrap_or(usize::MAX);
        let wanted = looked_at.saturating_add(1);
        let mut step = READ_AHEAD_BYTES.min(wanted);
        loop {
            // The last part that is read may be longer than what was wanted of it.
            let room = self.taken(step.saturating_add(PART_BYTES_MAX));
            if step > READ_AHEAD_BYTES {
                if !held.grow_to(room, self.memory_max()) {
                    let metrics = &self.context.facts.shared.metrics;
                    metrics.rules.body_memory_was_full();
                    return Err(Failure::Unavailable);
                }
                grow(bytes, room);
            }
            let is_whole = self
                .await_beginning(reader, bytes, step, downstream)
                .await?;
            if is_whole || bytes.len() >= wanted {
                return Ok(is_whole);
            }
            step = bytes.len().saturating_mul(2).min(wanted);
        }
    }

    /// How much memory the first `bytes_max` bytes of the body take: no more than all of it.
    fn taken(&self, bytes_max: usize) -> usize {
        match self.context.incoming.framing {
            Framing::Length(length) => bytes_max.min(usize::try_from(length).unwrap_or(usize::MAX)),
            _ => bytes_max,
        }
    }

    fn memory_max(&self) -> u64 {
        self.context.generation.body_memory_max.as_u64()
    }

    /// Waits until there are so many bytes of a body; whether that is all of it. Until they are there, the
    /// request holds its memory and its connection no more firmly than an idle client does.
    async fn await_beginning(
        &self,
        reader: &mut BodyReader,
        bytes: &mut BytesMut,
        bytes_max: usize,
        downstream: &mut Downstream<'_>,
    ) -> Result<bool, Failure> {
        let read = pin!(reader.read_into(bytes, bytes_max, downstream));
        let facts = self.context.facts;
        let read = pin!(facts.slot.wait(read));
        match facts.wait_with_memory(read).await {
            Ok(Ok(read)) => Ok(read?),
            Ok(Err(Evicted)) | Err(Evicted) => Err(Failure::Evicted(Sent::default())),
        }
    }

    fn body_reader(&self) -> Result<BodyReader, Failure> {
        let settings = &self.context.facts.listener.settings;
        let limits = &settings.limits;
        let site_max = self.context.judged.site.as_ref();
        let site_max = site_max.and_then(|site| site.settings.body_bytes_max);
        // A site can lower the listener's limit, not raise it.
        let bytes_max = site_max.map_or(limits.body_bytes, |max| max.min(limits.body_bytes));
        let framing = self.context.incoming.framing;
        BodyReader::new(framing, bytes_max.as_u64(), &settings.deadlines, limits)
            .map_err(Failure::Body)
    }
}

/// Makes room for `capacity` bytes in all, and for no more, so that it is known what they take.
pub(super) fn grow(bytes: &mut BytesMut, capacity: usize) {
    if bytes.capacity() < capacity {
        let mut larger = BytesMut::with_capacity(capacity);
        larger.extend_from_slice(bytes);
        *bytes = larger;
    }
}

/// A body without a declared length may be one half of a conversation: its sender may wait for the answer
/// to begin. HTTP/2 carries such.
pub(crate) fn passes_body_as_it_comes(context: &Context<'_>, backend: &Backend) -> bool {
    let protocol = backend.pool().settings().protocol;
    protocol != Protocol::Http1 && context.incoming.framing == Framing::Chunked
}

pub(super) fn request_trailers(
    context: &Context<'_>,
    downstream: &mut Downstream<'_>,
) -> Option<HeaderMap> {
    let trailers = downstream.take_trailers()?;
    outgoing::request_trailers(context, trailers)
}
