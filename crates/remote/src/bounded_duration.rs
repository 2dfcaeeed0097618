//! A duration that is within its bounds.

use std::time::Duration;

/// A duration of `MIN_MILLIS` to `MAX_MILLIS` milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct BoundedDuration<const MIN_MILLIS: u64, const MAX_MILLIS: u64>(Duration);

impl<const MIN_MILLIS: u64, const MAX_MILLIS: u64> BoundedDuration<MIN_MILLIS, MAX_MILLIS> {
    /// The shortest.
    pub const MIN: Duration = Duration::from_millis(MIN_MILLIS);
    /// The longest.
    pub const MAX: Duration = Duration::from_millis(MAX_MILLIS);

    /// `duration`, if it is within the bounds.
    ///
    /// # Errors
    /// When it is shorter than [`Self::MIN`] or longer than [`Self::MAX`].
    pub fn new(duration: Duration) -> Result<Self, DurationOutOfBounds> {
        if duration < Self::MIN || duration > Self::MAX {
            return Err(DurationOutOfBounds {
                got: duration,
                min: Self::MIN,
                max: Self::MAX,
            });
        }
        Ok(Self(duration))
    }

    /// `seconds`, moved to the nearer bound if it is outside: for defaults written in the source.
    #[must_use]
    pub const fn clamped_from_secs(seconds: u64) -> Self {
        let millis = seconds.saturating_mul(1_000);
        if millis < MIN_MILLIS {
            Self(Self::MIN)
        } else if millis > MAX_MILLIS {
            Self(Self::MAX)
        } else {
            Self(Duration::from_millis(millis))
        }
    }

    /// The duration.
    #[must_use]
    pub const fn get(self) -> Duration {
        self.0
    }
}

/// A duration is too short or too long.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{got:?} is out of bounds; expected {min:?} to {max:?}")]
pub struct DurationOutOfBounds {
    /// What was got.
    pub got: Duration,
    /// The shortest that is possible.
    pub min: Duration,
    /// The longest that is possible.
    pub max: Duration,
}

#[cfg(test)]
mod tests {
    use super::*;

    type Seconds = BoundedDuration<1_000, 60_000>;

    #[track_caller]
    fn check(millis: u64, expected: Result<u64, &str>) {
        let got = Seconds::new(Duration::from_millis(millis));
        let got = got.map(|d| d.get().as_millis()).map_err(|e| e.to_string());
        assert_eq!(
            got,
            expected.map(u128::from).map_err(str::to_owned),
            "{millis}"
        );
    }

    #[test]
    fn bounds_are_inclusive() {
        check(1_000, Ok(1_000));
        check(60_000, Ok(60_000));
        check(999, Err("999ms is out of bounds; expected 1s to 60s"));
        check(60_001, Err("60.001s is out of bounds; expected 1s to 60s"));
    }

    #[test]
    fn defaults_are_moved_inside() {
        assert_eq!(Seconds::clamped_from_secs(0).get(), Seconds::MIN);
        assert_eq!(Seconds::clamped_from_secs(7).get(), Duration::from_secs(7));
        assert_eq!(Seconds::clamped_from_secs(u64::MAX).get(), Seconds::MAX);
    }
}
