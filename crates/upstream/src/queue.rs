//! Requests that wait for a server with room, in the order in which they came.
//!
//! Whoever waits holds a place, and leaves it by going away. The first in line alone looks for a
//! server, each time that one may have room; the others wait for their turn to be first. Both waits
//! are tokio's own, which are fair, and work between the runtimes of several threads.

use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::time::Duration;

use tokio::sync::{Mutex, Notify};
use tokio::time::timeout;

/// How often the first in line looks without being told: a server's ejection ends by time alone.
const LOOK_INTERVAL: Duration = Duration::from_millis(100);

/// The line in front of a pool.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    waiting: AtomicU32,
    first: Mutex<()>,
    room: Notify,
}

impl Queue {
    /// How many wait.
    pub(crate) fn length(&self) -> u32 {
        self.waiting.load(Relaxed)
    }

    /// A server may have room now.
    pub(crate) fn tell(&self) {
        self.room.notify_one();
    }

    /// A place at the end, if fewer than `length_max` wait.
    pub(crate) fn join(&self, length_max: u32) -> Option<Place<'_>> {
        let joined = self.waiting.fetch_update(Relaxed, Relaxed, |waiting| {
            (waiting < length_max).then_some(waiting.saturating_add(1))
        });
        joined.is_ok().then_some(Place(self))
    }
}

/// A place in the line, until this is dropped.
pub(crate) struct Place<'a>(&'a Queue);

impl Place<'_> {
    /// Waits to be first, and then until `look` finds something.
    pub(crate) async fn wait<T>(&self, mut look: impl FnMut() -> Option<T>) -> T {
        let queue = self.0;
        let _first = queue.first.lock().await;
        loop {
            // What is told from here on is not missed: it is kept until somebody waits for it.
            if let Some(found) = look() {
                return found;
            }
            // Told or not, it looks again.
            let _ = timeout(LOOK_INTERVAL, queue.room.notified()).await;
        }
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::AtomicBool;

    use super::*;

    #[tokio::test]
    async fn those_who_wait_are_served_in_their_order() {
        let queue = Arc::new(Queue::default());
        let room = Arc::new(AtomicU32::new(0));
        let (served, mut order) = tokio::sync::mpsc::channel(8);
        for number in 0..5 {
            let (queue, room, served) = (Arc::clone(&queue), Arc::clone(&room), served.clone());
            tokio::spawn(async move {
                let place = queue.join(10).unwrap();
                let look = || {
                    let taken = room.fetch_update(Relaxed, Relaxed, |room| room.checked_sub(1));
                    taken.ok()
                };
                place.wait(look).await;
                served.send(number).await.unwrap();
            });
            tokio::task::yield_now().await;
        }
        assert_eq!(queue.length(), 5);
        for number in 0..5 {
            assert!(order.try_recv().is_err());
            room.fetch_add(1, Relaxed);
            queue.tell();
            assert_eq!(order.recv().await, Some(number));
        }
        assert_eq!(queue.length(), 0);
    }

    #[tokio::test]
    async fn a_line_has_an_end() {
        let queue = Queue::default();
        let first = queue.join(2).unwrap();
        let _second = queue.join(2).unwrap();
        assert!(queue.join(2).is_none());
        drop(first);
        assert!(queue.join(2).is_some());
        assert!(Queue::default().join(0).is_none());
    }

    #[tokio::test]
    async fn who_goes_away_leaves_the_line() {
        let queue = Arc::new(Queue::default());
        let is_open = Arc::new(AtomicBool::new(false));
        let look = |is_open: &AtomicBool| is_open.load(Relaxed).then_some(());
        let mut waiting = Vec::new();
        for _ in 0..3 {
            let (queue, is_open) = (Arc::clone(&queue), Arc::clone(&is_open));
            waiting.push(tokio::spawn(async move {
                let place = queue.join(10).unwrap();
                place.wait(|| look(&is_open)).await;
            }));
            tokio::task::yield_now().await;
        }
        // The first and the second, each in its kind of wait.
        for gone in [0, 1] {
            waiting[gone].abort();
        }
        while queue.length() > 1 {
            tokio::task::yield_now().await;
        }
        is_open.store(true, Relaxed);
        queue.tell();
        waiting.pop().unwrap().await.unwrap();
        assert_eq!(queue.length(), 0);
    }

    /// A release that comes between a look and the wait is not lost.
    #[test]
    fn nothing_told_is_missed_between_threads() {
        let queue = Arc::new(Queue::default());
        let room = Arc::new(AtomicU32::new(1));
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    let runtime = tokio::runtime::Builder::new_current_thread()
                        .enable_time()
                        .build()
                        .unwrap();
                    for _ in 0..500 {
                        runtime.block_on(async {
                            let place = queue.join(4).unwrap();
                            let look = || {
                                let room =
                                    room.fetch_update(Relaxed, Relaxed, |room| room.checked_sub(1));
                                room.ok()
                            };
                            place.wait(look).await;
                        });
                        room.fetch_add(1, Relaxed);
                        queue.tell();
                    }
                });
            }
        });
        assert_eq!((queue.length(), room.load(Relaxed)), (0, 1));
    }
}
