//! A request's body, within its bounds: size, total deadline, least rate.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures_util::FutureExt;
use palisade_hygiene::{Framing, RefusalReason};
use tokio::time::{Instant, timeout_at};

use crate::downstream::{BodyError, ReadRequest};
use crate::settings::{BODY_RATE_GRACE, Deadlines, Limits};

/// Parts that are there together are joined up to about this size: a client could make one write
/// towards the backend of every byte else.
const JOINED_BYTES: usize = 16 * 1024;

/// Reads a request's body.
pub(crate) struct BodyReader {
    pace: Pace,
    bytes_max: u64,
    seen: u64,
}

/// How much time a body has.
#[derive(Clone, Copy, Debug)]
enum Pace {
    /// It comes as fast as it can: all of it by a deadline, and no slower than a rate.
    Steady {
        begun: Instant,
        deadline: Instant,
        bytes_per_second_min: u64,
    },
    /// It comes as its sender has something to say: so long from one part to the next.
    Pauses(Duration),
}

/// Why a body can't be had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BodyFailure {
    /// It breaks a rule; the answer says so.
    Refused(RefusalReason),
    /// The client went away.
    Gone,
}

impl BodyReader {
    /// For a body that is about to come, of at most `bytes_max`.
    ///
    /// # Errors
    /// When its declared length is over that already.
    pub(crate) fn new(
        framing: Framing,
        bytes_max: u64,
        deadlines: &Deadlines,
        limits: &Limits,
    ) -> Result<Self, RefusalReason> {
        if let Framing::Length(length) = framing
            && length > bytes_max
        {
            return Err(RefusalReason::BodyTooLarge);
        }
        let begun = Instant::now();
        Ok(Self {
            pace: Pace::Steady {
                begun,
                deadline: begun + deadlines.body,
                bytes_per_second_min: limits.body_bytes_per_second_min,
            },
            bytes_max,
            seen: 0,
        })
    }

    /// Lets the body take its time, as a call's may that both sides go on with: it may pause for
    /// `pause` at most.
    pub(crate) fn allow_pauses(&mut self, pause: Duration) {
        self.pace = Pace::Pauses(pause);
    }

    /// Whether the body may take its time.
    pub(crate) fn may_pause(&self) -> bool {
        matches!(self.pace, Pace::Pauses(_))
    }

    /// The next part; `None` at the end.
    pub(crate) async fn next(
        &mut self,
        from: &mut impl ReadRequest,
    ) -> Result<Option<Bytes>, BodyFailure> {
        let part = match timeout_at(self.patience(), from.read_body()).await {
            Err(_) => return Err(BodyFailure::Refused(RefusalReason::BodyTooSlow)),
            Ok(Err(BodyError::Malformed)) => {
                return Err(BodyFailure::Refused(RefusalReason::BodyMalformed));
            }
            Ok(Err(BodyError::Gone)) => return Err(BodyFailure::Gone),
            Ok(Ok(part)) => part,
        };
        let bytes = part.as_ref().map_or(0, Bytes::len);
        self.seen = self.seen.saturating_add(bytes as u64);
        if self.seen > self.bytes_max {
            return Err(BodyFailure::Refused(RefusalReason::BodyTooLarge));
        }
        Ok(part)
    }

    /// Reads up to about `bytes_max` more into `bytes`; whether that was the end. Cancel safe.
    pub(crate) async fn read_into(
        &mut self,
        bytes: &mut BytesMut,
        bytes_max: usize,
        from: &mut impl ReadRequest,
    ) -> Result<bool, BodyFailure> {
        while bytes.len() < bytes_max {
            match self.next(from).await? {
                Some(part) => bytes.extend_from_slice(&part),
                None => return Ok(true),
            }
        }
        Ok(false)
    }

    /// The next parts, as far as they are there already; `None` at the end. Cancel safe.
    pub(crate) async fn next_joined(
        &mut self,
        from: &mut impl ReadRequest,
    ) -> Result<Option<Bytes>, BodyFailure> {
        let first = match self.next(from).await? {
            Some(first) if first.len() < JOINED_BYTES => first,
            all => return Ok(all),
        };
        let mut joined = BytesMut::from(first);
        while joined.len() < JOINED_BYTES {
            match self.next(from).now_or_never() {
                Some(Ok(Some(part))) => joined.extend_from_slice(&part),
                Some(Err(failure)) => return Err(failure),
                // The end comes again when it is asked for again.
                Some(Ok(None)) | None => break,
            }
        }
        Ok(Some(joined.freeze()))
    }

    /// When the next byte has to be there: by the deadline, and before the rate falls below the
    /// least.
    fn patience(&self) -> Instant {
        match self.pace {
            Pace::Pauses(pause) => Instant::now() + pause,
            Pace::Steady {
                deadline,
                bytes_per_second_min: 0,
                ..
            } => deadline,
            Pace::Steady {
                begun,
                deadline,
                bytes_per_second_min,
            } => {
                let earned = Duration::from_secs(self.seen / bytes_per_second_min);
                deadline.min(begun + BODY_RATE_GRACE + earned)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reader(seen: u64) -> BodyReader {
        let mut reader = BodyReader::new(
            Framing::Chunked,
            1 << 30,
            &Deadlines::default(),
            &Limits::default(),
        )
        .unwrap();
        reader.seen = seen;
        reader
    }

    #[test]
    fn a_declared_length_over_the_limit_is_refused_at_once() {
        let new = |length| {
            let framing = Framing::Length(length);
            BodyReader::new(framing, 10, &Deadlines::default(), &Limits::default()).err()
        };
        assert_eq!(new(10), None);
        assert_eq!(new(11), Some(RefusalReason::BodyTooLarge));
    }

    #[test]
    fn patience_grows_with_what_came_up_to_the_deadline() {
        let patience = |seen| {
            let reader = reader(seen);
            let Pace::Steady { begun, .. } = reader.pace else {
                unreachable!()
            };
            reader.patience() - begun
        };
        assert_eq!(patience(0), BODY_RATE_GRACE);
        assert_eq!(patience(2400), BODY_RATE_GRACE + Duration::from_secs(10));
        assert_eq!(patience(1 << 29), Duration::from_secs(60));
    }
}
