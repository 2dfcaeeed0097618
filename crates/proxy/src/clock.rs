//! The process's time.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use palisade_telemetry::WallTime;
use palisade_vocabulary::Tick;

/// Gives ticks: milliseconds since the process began. Cheap to copy.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    zero: Instant,
}

impl Clock {
    /// A clock whose zero is now.
    #[must_use]
    pub fn start() -> Self {
        Self {
            zero: Instant::now(),
        }
    }

    /// Now.
    #[must_use]
    pub fn now(&self) -> Tick {
        self.at(Instant::now())
    }

    /// The tick of an instant; zero for one before the clock was started.
    #[must_use]
    pub fn at(&self, instant: Instant) -> Tick {
        let since = instant.saturating_duration_since(self.zero);
        Tick::from_millis(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
    }
}

/// The time of day, for logs.
pub(crate) fn wall_time() -> WallTime {
    // A clock before 1970 is no time at all.
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    WallTime::from_unix(since.as_secs(), since.subsec_nanos())
}
