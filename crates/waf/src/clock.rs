//! The time.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The time since 1970, by the system's clock.
#[must_use]
pub fn system_clock() -> Duration {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
}
