//! How many HTTP/1 connections to one server are open, whoever has them: requests, or nobody.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{Instant, timeout_at};

/// How often whoever waits for a connection to close looks without being told: one may have become
/// idle instead.
const LOOK_INTERVAL: Duration = Duration::from_millis(20);

/// The count for one server.
#[derive(Debug, Default)]
pub(crate) struct OpenConnections {
    count: AtomicU32,
    closed: Notify,
}

/// One connection, from before it is opened until after it is closed.
#[derive(Debug)]
pub(crate) struct OpenConnection(Arc<OpenConnections>);

impl OpenConnections {
    /// Counts one more, where there are fewer than `max`.
    pub(crate) fn add(self: &Arc<Self>, max: Option<u32>) -> Option<OpenConnection> {
        let max = max.unwrap_or(u32::MAX);
        let added = self.count.fetch_update(Relaxed, Relaxed, |count| {
            (count < max).then_some(count.saturating_add(1))
        });
        added.is_ok().then(|| OpenConnection(Arc::clone(self)))
    }

    /// Counts one more by `deadline`. Where there are `max`, `close_idle` closes one that nobody uses,
    /// and says whether there was one.
    pub(crate) async fn add_in_place_of_idle(
        self: &Arc<Self>,
        max: Option<u32>,
        deadline: Instant,
        close_idle: impl Fn() -> bool,
    ) -> Option<OpenConnection> {
        loop {
            if let Some(added) = self.add(max) {
                return Some(added);
            }
            if close_idle() {
                continue;
            }
            // A request that has ended is just closing its own.
            if Instant::now() >= deadline {
                return None;
            }
            let look_at = deadline.min(Instant::now() + LOOK_INTERVAL);
            // Told or not, it looks again.
            let _ = timeout_at(look_at, self.closed.notified()).await;
        }
    }
}

impl Drop for OpenConnection {
    fn drop(&mut self) {
        self.0.count.fetch_sub(1, Relaxed);
        self.0.closed.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn soon() -> Instant {
        Instant::now() + Duration::from_secs(60)
    }

    #[test]
    fn there_are_no_more_than_may_be() {
        let open = Arc::<OpenConnections>::default();
        let first = open.add(Some(2)).unwrap();
        let _second = open.add(Some(2)).unwrap();
        assert!(open.add(Some(2)).is_none());
        assert!(open.add(None).is_some(), "without a limit");
        drop(first);
        assert!(open.add(Some(2)).is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn an_idle_one_makes_room() {
        let open = Arc::<OpenConnections>::default();
        let idle = std::sync::Mutex::new(open.add(Some(1)));
        let close_idle = || idle.lock().unwrap().take().is_some();
        let added = open.add_in_place_of_idle(Some(1), soon(), close_idle);
        let added = added.await.unwrap();
        let none = open.add_in_place_of_idle(Some(1), soon(), close_idle).await;
        assert!(none.is_none(), "until the deadline");
        let late = async {
            tokio::task::yield_now().await;
            drop(added);
        };
        let waits = open.add_in_place_of_idle(Some(1), soon(), close_idle);
        let (got, ()) = tokio::join!(waits, late);
        assert!(got.is_some());
    }
}
