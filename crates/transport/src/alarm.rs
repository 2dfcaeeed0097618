//! A timer that is cheap to set anew.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::time::{Instant, Sleep, sleep_until};

/// Wakes whoever waits when a deadline has passed. A later deadline than the last one costs nothing but a
/// look when the earlier one comes: of a thousand waits that end in time none touches the runtime's timers.
#[derive(Debug, Default)]
pub(crate) struct Alarm {
    sleep: Option<Pin<Box<Sleep>>>,
}

impl Alarm {
    /// Completes once `deadline` has passed.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>, deadline: Instant) -> Poll<()> {
        let sleep = self
            .sleep
            .get_or_insert_with(|| Box::pin(sleep_until(deadline)));
        if sleep.deadline() > deadline {
            sleep.as_mut().reset(deadline);
        }
        loop {
            ready!(sleep.as_mut().poll(cx));
            if sleep.deadline() >= deadline {
                return Poll::Ready(());
            }
            sleep.as_mut().reset(deadline);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::time::Duration;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn each_deadline_is_kept_whichever_came_before() {
        let mut alarm = Alarm::default();
        let begun = Instant::now();
        for seconds in [5, 9, 7, 30, 20] {
            let deadline = begun + Duration::from_secs(seconds);
            // A wait that ended in time, with another deadline.
            let other = begun + Duration::from_secs(25);
            poll_fn(|cx| match alarm.poll(cx, other.max(Instant::now())) {
                Poll::Ready(()) | Poll::Pending => Poll::Ready(()),
            })
            .await;
            let before = Instant::now();
            poll_fn(|cx| alarm.poll(cx, deadline)).await;
            let passed = Instant::now();
            assert_eq!(passed, deadline.max(before), "{seconds}");
        }
    }
}
