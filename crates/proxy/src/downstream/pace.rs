//! How slowly a client may take its answer.

use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use futures_util::poll;
use tokio::time::error::Elapsed;
use tokio::time::{Instant, timeout};

/// The time that an answer may wait for its client. It runs only while there is something that the
/// client doesn't take: an answer that has nothing to say costs none.
#[derive(Clone, Copy, Debug)]
pub(crate) struct AnswerPace {
    /// The most of it, which is there at the start.
    pause_max: Duration,
    /// What is left.
    left: Duration,
    /// So many bytes taken give a second of it back. 0: any byte gives all of it back.
    bytes_per_second_min: u64,
}

impl AnswerPace {
    pub(crate) fn new(pause_max: Duration, bytes_per_second_min: u64) -> Self {
        Self {
            pause_max,
            left: pause_max,
            bytes_per_second_min,
        }
    }

    /// Completes with `write`, unless the client takes too long over it. A write that doesn't have to
    /// wait costs nothing, not even a look at the clock.
    ///
    /// # Errors
    /// When there is no time left.
    pub(super) async fn keep<T>(&mut self, write: impl Future<Output = T>) -> Result<T, Elapsed> {
        let mut write = pin!(write);
        if let Poll::Ready(written) = poll!(write.as_mut()) {
            return Ok(written);
        }
        let begun = Instant::now();
        let written = timeout(self.left, write).await;
        self.left = self.left.saturating_sub(begun.elapsed());
        written
    }

    /// The client took so many bytes.
    pub(super) fn took(&mut self, bytes: usize) {
        if self.left == self.pause_max || bytes == 0 {
            return;
        }
        let micros = (bytes as u64).saturating_mul(1_000_000);
        let gained = micros.checked_div(self.bytes_per_second_min);
        let gained = gained.map_or(self.pause_max, Duration::from_micros);
        self.left = self.left.saturating_add(gained).min(self.pause_max);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::{pending, ready};

    const PAUSE: Duration = Duration::from_secs(60);

    /// What is left after `waited` and then `bytes`.
    #[track_caller]
    fn check(rate: u64, waited: u64, bytes: usize, expected: u64) {
        let mut pace = AnswerPace::new(PAUSE, rate);
        pace.left -= Duration::from_secs(waited);
        pace.took(bytes);
        assert_eq!(pace.left, Duration::from_secs(expected));
    }

    #[test]
    fn what_is_taken_gives_time_back() {
        check(240, 0, 0, 60);
        check(240, 10, 0, 50);
        check(240, 10, 1_200, 55);
        check(240, 10, 1_000_000, 60);
        check(0, 59, 1, 60);
        check(0, 59, 0, 1);
    }

    #[tokio::test(start_paused = true)]
    async fn a_write_that_waits_has_what_is_left() {
        let mut pace = AnswerPace::new(PAUSE, 240);
        assert_eq!(pace.keep(ready(7)).await, Ok(7));
        assert_eq!(pace.left, PAUSE);
        let begun = Instant::now();
        let slow = pace.keep(tokio::time::sleep(Duration::from_secs(45)));
        assert_eq!(slow.await, Ok(()));
        assert_eq!(pace.left.as_secs(), 15);
        assert!(pace.keep(pending::<()>()).await.is_err());
        assert_eq!(begun.elapsed().as_secs(), 60);
    }
}
