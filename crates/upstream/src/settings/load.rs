//! How much a pool takes on: connections, waiting requests, second tries, servers that come back.

use std::ops::RangeInclusive;
use std::time::Duration;

use super::{SettingsError, within};

/// The most requests that one server gets at the same time, and HTTP/1 connections that it has, and
/// what becomes of requests that find no server with room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConnectionLimit {
    connections_max: u32,
    queue: Queueing,
}

impl ConnectionLimit {
    /// The most that can be asked for.
    pub const CONNECTIONS_MAX: u32 = 1_000_000;

    /// At most `connections_max` requests and HTTP/1 connections with one server; others wait as `queue` says.
    ///
    /// # Errors
    /// When there are not 1 to 1,000,000.
    pub fn new(connections_max: u32, queue: Queueing) -> Result<Self, SettingsError> {
        if !(1..=Self::CONNECTIONS_MAX).contains(&connections_max) {
            return Err(SettingsError::Connections(connections_max));
        }
        Ok(Self {
            connections_max,
            queue,
        })
    }

    /// The most requests with one server at the same time, and the most HTTP/1 connections.
    #[must_use]
    pub const fn connections_max(self) -> u32 {
        self.connections_max
    }

    /// How requests wait.
    #[must_use]
    pub const fn queue(self) -> Queueing {
        self.queue
    }
}

/// How requests wait for a server with room, in the order in which they came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Queueing {
    length: u32,
    timeout: Duration,
}

impl Queueing {
    /// The longest queue that can be asked for.
    pub const LENGTH_MAX: u32 = 100_000;

    /// At most `length` requests of the pool (0 is none), each for at most `timeout`.
    ///
    /// # Errors
    /// When the queue is over 100,000 long, or the timeout isn't in 1 ms to 1 h.
    pub fn new(length: u32, timeout: Duration) -> Result<Self, SettingsError> {
        const RANGE: RangeInclusive<Duration> =
            Duration::from_millis(1)..=Duration::from_secs(3600);
        if length > Self::LENGTH_MAX {
            return Err(SettingsError::QueueLength(length));
        }
        Ok(Self {
            length,
            timeout: within("queue.timeout", timeout, RANGE)?,
        })
    }

    /// The most requests that wait.
    #[must_use]
    pub const fn length(self) -> u32 {
        self.length
    }

    /// The longest that one waits.
    #[must_use]
    pub const fn timeout(self) -> Duration {
        self.timeout
    }
}

impl Default for Queueing {
    /// 100 requests, 5 s.
    fn default() -> Self {
        Self {
            length: 100,
            timeout: Duration::from_secs(5),
        }
    }
}

/// How many requests a pool may send a second time although a server may have seen them: when all
/// its servers fail, retries must not be what keeps them down.
///
/// A connect that failed, and an idle connection that turned out to be closed, cost no server
/// anything, and don't count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetryBudget {
    percent: u8,
    reserve: u16,
}

impl RetryBudget {
    /// The largest reserve.
    pub const RESERVE_MAX: u16 = 10_000;

    /// At most `percent` of the pool's requests over time, and `reserve` at once.
    ///
    /// # Errors
    /// When they are not 1 to 100 % and 1 to 10,000.
    pub fn new(percent: u8, reserve: u16) -> Result<Self, SettingsError> {
        if !(1..=100).contains(&percent) || !(1..=Self::RESERVE_MAX).contains(&reserve) {
            return Err(SettingsError::RetryBudget { percent, reserve });
        }
        Ok(Self { percent, reserve })
    }

    /// How many retries 100 requests earn.
    #[must_use]
    pub const fn percent(self) -> u8 {
        self.percent
    }

    /// The most retries that are saved up; a pool starts with as many.
    #[must_use]
    pub const fn reserve(self) -> u16 {
        self.reserve
    }
}

impl Default for RetryBudget {
    /// 20 %, 100 at once: what is in flight when one server of a busy pool breaks.
    fn default() -> Self {
        Self {
            percent: 20,
            reserve: 100,
        }
    }
}

/// What becomes of requests while all servers of a pool are out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WhenAllDown {
    /// Any server is tried: one that might answer is better than an error.
    #[default]
    TryAny,
    /// 503 at once.
    Refuse,
}

impl WhenAllDown {
    /// The name in settings and `/status`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::TryAny => "try_any",
            Self::Refuse => "refuse",
        }
    }
}

/// How long a server that comes back takes to get its whole share again: 1 ms to 1 h.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SlowStart(Duration);

impl SlowStart {
    /// In `period`.
    ///
    /// # Errors
    /// When it isn't in 1 ms to 1 h.
    pub fn new(period: Duration) -> Result<Self, SettingsError> {
        const RANGE: RangeInclusive<Duration> =
            Duration::from_millis(1)..=Duration::from_secs(3600);
        within("slow_start", period, RANGE).map(Self)
    }

    /// How long.
    #[must_use]
    pub const fn period(self) -> Duration {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check<T>(got: Result<T, SettingsError>, expected: &str) {
        let text = got.map_or_else(|error| error.to_string(), |_| "ok".to_owned());
        assert_eq!(text, expected);
    }

    #[test]
    fn numbers_have_bounds() {
        let second = Duration::from_secs(1);
        check(
            ConnectionLimit::new(0, Queueing::default()),
            "0 connections; expected 1 to 1000000 a server",
        );
        check(ConnectionLimit::new(1, Queueing::default()), "ok");
        check(
            Queueing::new(100_001, second),
            "a queue of 100001 requests; expected at most 100000",
        );
        check(
            Queueing::new(0, Duration::ZERO),
            "queue.timeout is 0ns; expected 1ms to 3600s",
        );
        check(Queueing::new(0, second), "ok");
        check(
            RetryBudget::new(101, 0),
            "a retry budget of 101 % and 0 at once; expected 1 to 100 % and 1 to 10000",
        );
        check(RetryBudget::new(100, 1), "ok");
        check(
            SlowStart::new(Duration::ZERO),
            "slow_start is 0ns; expected 1ms to 3600s",
        );
    }

    #[test]
    fn defaults_are_valid() {
        let queue = Queueing::default();
        assert_eq!(Queueing::new(queue.length(), queue.timeout()), Ok(queue));
        let budget = RetryBudget::default();
        assert_eq!(
            RetryBudget::new(budget.percent(), budget.reserve()),
            Ok(budget)
        );
    }
}
