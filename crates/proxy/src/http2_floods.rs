//! How much a client may keep us busy over HTTP/2 without asking for anything (RFC 9113 section
//! 10.5): requests that it resets, frames that carry nothing.
//!
//! Two allowances, each of which grows with time and with what the client is sent: a client that
//! takes what it asks for never runs out, however long its connection lives.

use std::time::Instant;

use palisade_hygiene::RefusalReason;

use crate::frames::{DATA, Frame, HEADERS, RST_STREAM};
use crate::settings::Http2Limits;

/// An allowance holds what it gains in so many seconds.
const ALLOWANCE_SECONDS: u32 = 10;

/// A client may send so many frames that carry nothing for each that it is sent, and one more for
/// each KiB in it: some give windows back in small pieces, and measure the way with a PING.
const FRAMES_PER_FRAME_SENT: u32 = 2;
const BYTES_PER_FRAME: u32 = 1024;

/// RFC 9113 section 7: our own resets with these codes are not the client's doing.
const NO_ERROR: u32 = 0;
const INTERNAL_ERROR: u32 = 2;
const CANCEL: u32 = 8;

/// What a client has left.
#[derive(Debug)]
pub(crate) struct Floods {
    resets: Allowance,
    frames: Allowance,
}

/// Why a connection has to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flood {
    Resets,
    Frames,
}

impl Flood {
    pub(crate) fn reason(self) -> RefusalReason {
        match self {
            Self::Resets => RefusalReason::Http2ResetFlood,
            Self::Frames => RefusalReason::Http2FrameFlood,
        }
    }
}

impl Floods {
    pub(crate) fn new(limits: &Http2Limits) -> Self {
        let now = Instant::now();
        Self {
            resets: Allowance::new(limits.resets_per_second, now),
            frames: Allowance::new(limits.frames_per_second, now),
        }
    }

    /// A frame came from the client.
    ///
    /// # Errors
    /// When it is one too many.
    pub(crate) fn received(&mut self, frame: Frame) -> Result<(), Flood> {
        match frame.kind {
            RST_STREAM if !self.resets.spend() => Err(Flood::Resets),
            RST_STREAM => Ok(()),
            // A request.
            HEADERS => Ok(()),
            DATA if frame.payload_bytes > 0 || frame.ends_message() => Ok(()),
            // PRIORITY, SETTINGS, PING, WINDOW_UPDATE, CONTINUATION, DATA without any, and whatever
            // else is ignored.
            _ if !self.frames.spend() => Err(Flood::Frames),
            _ => Ok(()),
        }
    }

    /// A frame went to the client.
    ///
    /// # Errors
    /// When it is a reset that the client brought about, and one too many: to make the server reset
    /// is as good as to reset.
    pub(crate) fn sent(&mut self, frame: Frame) -> Result<(), Flood> {
        if frame.ends_message() {
            self.resets.gain(1);
        }
        match frame.kind {
            DATA | HEADERS => {
                let bytes = frame.payload_bytes / BYTES_PER_FRAME;
                self.frames.gain(FRAMES_PER_FRAME_SENT + bytes);
                Ok(())
            }
            RST_STREAM if matches!(frame.code, NO_ERROR | INTERNAL_ERROR | CANCEL) => Ok(()),
            RST_STREAM if !self.resets.spend() => Err(Flood::Resets),
            _ => Ok(()),
        }
    }
}

/// A leaky bucket. The clock is asked only when it is empty.
#[derive(Debug)]
struct Allowance {
    left: u32,
    max: u32,
    per_second: u32,
    filled: Instant,
}

impl Allowance {
    fn new(per_second: u32, now: Instant) -> Self {
        let max = per_second.saturating_mul(ALLOWANCE_SECONDS);
        Self {
            left: max,
            max,
            per_second,
            filled: now,
        }
    }

    fn gain(&mut self, count: u32) {
        self.left = self.left.saturating_add(count).min(self.max);
    }

    fn spend(&mut self) -> bool {
        if self.left == 0 {
            self.fill(Instant::now());
        }
        let has_some = self.left > 0;
        self.left = self.left.saturating_sub(1);
        has_some
    }

    fn fill(&mut self, now: Instant) {
        let gained = now.saturating_duration_since(self.filled).as_secs_f64();
        let gained = gained * f64::from(self.per_second);
        if gained >= 1.0 {
            // Saturates, and what is over the maximum is dropped.
            self.gain(gained as u32);
            self.filled = now;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    const PING: u8 = 6;
    const CONTINUATION: u8 = 9;

    fn frame(kind: u8) -> Frame {
        Frame {
            kind,
            flags: 0,
            stream: 1,
            payload_bytes: 8,
            code: CANCEL,
        }
    }

    fn floods() -> Floods {
        Floods::new(&Http2Limits {
            resets_per_second: 2,
            frames_per_second: 3,
            ..Http2Limits::default()
        })
    }

    #[track_caller]
    fn check_flood(kind: u8, count: usize, expected: Flood) {
        let mut floods = floods();
        for _ in 0..count {
            assert_eq!(floods.received(frame(kind)), Ok(()));
        }
        assert_eq!(floods.received(frame(kind)), Err(expected));
    }

    #[test]
    fn what_carries_nothing_has_a_bound() {
        check_flood(RST_STREAM, 20, Flood::Resets);
        check_flood(PING, 30, Flood::Frames);
        check_flood(CONTINUATION, 30, Flood::Frames);
        check_flood(0xfe, 30, Flood::Frames);
    }

    #[test]
    fn data_without_data_carries_nothing() {
        let empty = Frame {
            payload_bytes: 0,
            ..frame(DATA)
        };
        let mut one = floods();
        assert!((0..30).all(|_| one.received(empty).is_ok()));
        assert!(one.received(empty).is_err());
        let mut other = floods();
        assert!((0..300).all(|_| other.received(frame(DATA)).is_ok()));
        let end = Frame { flags: 1, ..empty };
        assert!(one.received(end).is_ok());
    }

    #[test]
    fn who_takes_what_it_asks_for_may_reset_as_much_again() {
        let mut floods = floods();
        let end = Frame {
            flags: 1,
            ..frame(HEADERS)
        };
        for _ in 0..1_000 {
            assert_eq!(floods.sent(end), Ok(()));
            assert_eq!(floods.received(frame(RST_STREAM)), Ok(()));
        }
    }

    #[test]
    fn answers_pay_for_the_windows_that_they_need() {
        let mut floods = floods();
        let data = Frame {
            payload_bytes: 16 * 1024,
            ..frame(DATA)
        };
        for _ in 0..100 {
            assert_eq!(floods.sent(data), Ok(()));
            assert!((0..18).all(|_| floods.received(frame(8)).is_ok()));
        }
    }

    #[test]
    fn resets_that_the_client_brings_about_count() {
        let mut floods = floods();
        for code in [NO_ERROR, INTERNAL_ERROR, CANCEL] {
            let own = Frame {
                code,
                ..frame(RST_STREAM)
            };
            assert!((0..100).all(|_| floods.sent(own).is_ok()));
        }
        let provoked = Frame {
            code: 1,
            ..frame(RST_STREAM)
        };
        assert!((0..20).all(|_| floods.sent(provoked).is_ok()));
        assert_eq!(floods.sent(provoked), Err(Flood::Resets));
    }

    #[test]
    fn an_allowance_grows_with_time_up_to_its_bound() {
        let begun = Instant::now();
        let mut allowance = Allowance::new(2, begun);
        allowance.left = 0;
        allowance.fill(begun + Duration::from_millis(400));
        assert_eq!(allowance.left, 0, "less than one");
        allowance.fill(begun + Duration::from_millis(1_600));
        assert_eq!(allowance.left, 3, "none of it was lost");
        allowance.fill(begun + Duration::from_secs(1_000));
        assert_eq!(allowance.left, 20);
    }
}
