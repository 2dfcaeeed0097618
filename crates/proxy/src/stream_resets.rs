//! Notices what HTTP/2's library refuses by itself.
//!
//! A malformed request (RFC 9113 section 8.1.1) never becomes one: h2 resets its stream and says so
//! to the client alone. The operator has to know, so the frames that go out are looked at.

use std::collections::VecDeque;
use std::sync::Arc;

use parking_lot::Mutex;

use crate::frames::{Frame, RST_STREAM};

/// RFC 9113 section 7: what a malformed request's stream is reset with.
const PROTOCOL_ERROR: u32 = 1;

/// How many requests are remembered to have been accepted, which tell of themselves when their body
/// turns out to be malformed. A reset of one that was accepted longer ago is told of twice.
const ACCEPTED_MAX: usize = 256;

/// How many resets may wait to be told of. Those beyond are not told of: h2 gives a connection up
/// long before.
const RESETS_MAX: usize = 4096;

/// The streams of a connection that were reset as malformed, until it is certain which of them never
/// became requests.
#[derive(Clone, Debug, Default)]
pub(crate) struct StreamResets(Arc<Mutex<Streams>>);

#[derive(Debug, Default)]
struct Streams {
    /// The latest requests.
    accepted: VecDeque<u32>,
    reset: Vec<u32>,
}

impl StreamResets {
    /// A stream became a request.
    pub(crate) fn accepted(&self, stream: u32) {
        let accepted = &mut self.0.lock().accepted;
        if accepted.len() == ACCEPTED_MAX {
            accepted.pop_front();
        }
        accepted.push_back(stream);
    }

    /// A frame went to the client.
    pub(crate) fn sent(&self, frame: Frame) {
        if frame.kind == RST_STREAM && frame.code == PROTOCOL_ERROR {
            self.reset(frame.stream);
        }
    }

    fn reset(&self, stream: u32) {
        let reset = &mut self.0.lock().reset;
        if reset.len() < RESETS_MAX {
            reset.push(stream);
        }
    }

    /// How many streams were reset that never became requests, and were not asked for yet. To be
    /// asked when all requests that have arrived were accepted: a stream may be reset before.
    pub(crate) fn take(&self) -> usize {
        let Streams { accepted, reset } = &mut *self.0.lock();
        let untold = reset.drain(..).filter(|stream| !accepted.contains(stream));
        untold.count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_resets_of_malformed_requests_count() {
        let resets = StreamResets::default();
        for (kind, code) in [(RST_STREAM, 8), (0, PROTOCOL_ERROR), (RST_STREAM, 1)] {
            resets.sent(Frame {
                kind,
                flags: 0,
                stream: 7,
                payload_bytes: 4,
                code,
            });
        }
        assert_eq!(resets.take(), 1);
    }

    #[test]
    fn a_reset_is_told_of_unless_its_stream_became_a_request() {
        let resets = StreamResets::default();
        resets.reset(1);
        resets.reset(3);
        resets.accepted(3);
        assert_eq!(resets.take(), 1);
        assert_eq!(resets.take(), 0, "once");
        (5..305).for_each(|stream| resets.accepted(stream));
        resets.reset(304);
        resets.reset(49);
        assert_eq!(resets.take(), 0);
        resets.reset(48);
        assert_eq!(resets.take(), 1, "forgotten");
        (0..10_000).for_each(|stream| resets.reset(1000 + stream));
        assert_eq!(resets.take(), RESETS_MAX);
    }
}
