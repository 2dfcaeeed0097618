//! Who waits for its client, in order: where there is too much of something, whoever has waited
//! longest is made to end.

use std::collections::BTreeMap;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::task::{Poll, Waker};

use futures_util::poll;
use parking_lot::Mutex;

/// Spreads those that wait, so that they seldom wait for one another.
const SHARDS: usize = 16;

/// All that wait.
#[derive(Debug, Default)]
pub(crate) struct Waiting {
    /// Numbers members and waits, in their order.
    next_number: AtomicU64,
    shards: [Mutex<Waiters>; SHARDS],
}

/// By their numbers: the first has waited longest. It doesn't matter what for, or a crowd that has begun
/// something would outlive those who are about to begin.
type Waiters = BTreeMap<u64, Waiter>;

#[derive(Debug)]
struct Waiter {
    waker: Waker,
    is_leaving: Arc<AtomicBool>,
}

/// Somebody else needed what the one that waited had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Evicted;

impl Waiting {
    pub(crate) fn join(self: &Arc<Self>) -> Member {
        Member {
            shard: usize::try_from(self.number()).unwrap_or(0) % SHARDS,
            waiting: Arc::clone(self),
            is_leaving: Arc::default(),
        }
    }

    /// Makes the member end that has waited longest for its client; whether one waited. Each success
    /// is one member that ends: one that has ceased to wait meanwhile makes another end instead.
    pub(crate) fn evict(&self) -> bool {
        // Ends: each round takes somebody out, or another thread did.
        while let Some((number, shard)) = self.longest() {
            let mut waiters = shard.lock();
            let Some(waiter) = waiters.remove(&number) else {
                continue;
            };
            let was_leaving = waiter.is_leaving.swap(true, Ordering::AcqRel);
            drop(waiters);
            waiter.waker.wake();
            // A member can wait in several places, and ends once.
            if !was_leaving {
                return true;
            }
        }
        false
    }

    fn longest(&self) -> Option<(u64, &Mutex<Waiters>)> {
        let firsts = self.shards.iter().filter_map(|shard| {
            let number = *shard.lock().first_key_value()?.0;
            Some((number, shard))
        });
        firsts.min_by_key(|(number, _)| *number)
    }

    fn number(&self) -> u64 {
        self.next_number.fetch_add(1, Ordering::Relaxed)
    }
}

/// One that waits now and then.
#[derive(Debug)]
pub(crate) struct Member {
    waiting: Arc<Waiting>,
    /// Where it waits.
    shard: usize,
    /// It was made to end, and [`Waiting::evict`] has counted on it.
    is_leaving: Arc<AtomicBool>,
}

impl Member {
    /// Completes with `event`, for which the client is waited for, unless the member has to end
    /// before.
    pub(crate) async fn wait<T>(&self, event: impl Future<Output = T>) -> Result<T, Evicted> {
        let mut event = pin!(event);
        let mut place = None;
        let output = poll_fn(|cx| {
            if let Poll::Ready(output) = event.as_mut().poll(cx) {
                return Poll::Ready(Some(output));
            }
            let place = place.get_or_insert_with(|| Place {
                member: self,
                number: self.waiting.number(),
            });
            match place.keep(cx.waker()) {
                true => Poll::Pending,
                false => Poll::Ready(None),
            }
        })
        .await;
        // From here on nobody can evict it, so that what is asked next is the last word.
        drop(place);
        match output {
            Some(output) if !self.must_end() => Ok(output),
            _ => Err(Evicted),
        }
    }

    /// Whether it has to end though its client just did what was waited for: it was evicted in that
    /// moment, and nobody else waits who could go instead.
    pub(crate) fn must_end(&self) -> bool {
        if !self.is_leaving() {
            return false;
        }
        if !self.waiting.evict() {
            return true;
        }
        self.is_leaving.store(false, Ordering::Release);
        false
    }

    /// Whether it was made to end.
    pub(crate) fn is_leaving(&self) -> bool {
        self.is_leaving.load(Ordering::Acquire)
    }

    fn waiters(&self) -> Option<&Mutex<Waiters>> {
        self.waiting.shards.get(self.shard)
    }
}

/// A place among those that wait; given up when dropped.
struct Place<'a> {
    member: &'a Member,
    number: u64,
}

impl Place<'_> {
    /// Takes or keeps the place; whether the member may go on.
    fn keep(&self, waker: &Waker) -> bool {
        let Some(waiters) = self.member.waiters() else {
            return true;
        };
        let mut waiters = waiters.lock();
        match waiters.get_mut(&self.number) {
            Some(waiter) => waiter.waker.clone_from(waker),
            None if self.member.is_leaving() => return false,
            None => {
                let waiter = Waiter {
                    waker: waker.clone(),
                    is_leaving: Arc::clone(&self.member.is_leaving),
                };
                waiters.insert(self.number, waiter);
            }
        }
        true
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        if let Some(waiters) = self.member.waiters() {
            waiters.lock().remove(&self.number);
        }
    }
}

/// Those of which only so many may wait, since each holds memory while it does. How many is asked with
/// each: a reload can change it, and the count stays.
#[derive(Debug, Default)]
pub(crate) struct BoundedWaiting {
    waiting: Arc<Waiting>,
    count: AtomicUsize,
}

impl BoundedWaiting {
    /// Completes with `event`, for which the client is waited for, unless too many wait. One more than
    /// `max` makes the one end that has waited longest. An event that is there already costs nothing.
    pub(crate) async fn wait<T>(
        &self,
        max: usize,
        event: impl Future<Output = T>,
    ) -> Result<T, Evicted> {
        let mut event = pin!(event);
        if let Poll::Ready(output) = poll!(event.as_mut()) {
            return Ok(output);
        }
        let before = self.count.fetch_add(1, Ordering::Relaxed);
        let _counted = Counted(&self.count);
        if before >= max {
            // None to be found means that those who are over the bound are about to end.
            self.waiting.evict();
        }
        self.waiting.join().wait(event).await
    }
}

/// One that is counted, until it is dropped.
struct Counted<'a>(&'a AtomicUsize);

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt;
    use std::future::{pending, ready};
    use std::sync::Barrier;
    use std::thread;
    use tokio::sync::oneshot;

    /// Begins to wait; gives up what came of it at once.
    macro_rules! begin {
        ($wait:ident) => {
            assert_eq!($wait.as_mut().now_or_never(), None, "nothing came yet")
        };
    }

    #[test]
    fn who_has_waited_longest_goes_first() {
        let waiting = Arc::new(Waiting::default());
        let members = std::array::from_fn::<_, 3, _>(|_| waiting.join());
        // Not in the order in which they came.
        let [mut third, mut longest, mut second] = members
            .each_ref()
            .map(|member| Box::pin(member.wait(pending::<()>())));
        begin!(longest);
        begin!(second);
        begin!(third);
        begin!(longest);
        assert!(waiting.evict());
        assert_eq!(longest.as_mut().now_or_never(), Some(Err(Evicted)));
        begin!(second);
        assert!(waiting.evict());
        assert_eq!(second.as_mut().now_or_never(), Some(Err(Evicted)));
        begin!(third);
        assert!(waiting.evict());
        assert_eq!(third.as_mut().now_or_never(), Some(Err(Evicted)));
        assert!(!waiting.evict(), "nobody waits any more");
    }

    #[test]
    fn who_stops_waiting_is_not_evicted() {
        let waiting = Arc::new(Waiting::default());
        let member = waiting.join();
        let over = member.wait(ready(7));
        assert_eq!(over.now_or_never(), Some(Ok(7)));
        let given_up = member.wait(pending::<()>());
        assert_eq!(given_up.now_or_never(), None);
        assert!(!waiting.evict());
    }

    #[test]
    fn who_is_evicted_just_when_its_client_speaks_makes_another_end() {
        let waiting = Arc::new(Waiting::default());
        let [first, second] = std::array::from_fn(|_| waiting.join());
        let (speak, speaks) = oneshot::channel();
        let mut longest = Box::pin(first.wait(speaks));
        let mut other = Box::pin(second.wait(pending::<()>()));
        begin!(longest);
        begin!(other);
        assert!(waiting.evict());
        speak.send(7).unwrap();
        assert_eq!(longest.as_mut().now_or_never(), Some(Ok(Ok(7))));
        assert_eq!(other.as_mut().now_or_never(), Some(Err(Evicted)));
    }

    #[test]
    fn and_ends_where_nobody_else_waits() {
        let waiting = Arc::new(Waiting::default());
        let member = waiting.join();
        let (speak, speaks) = oneshot::channel();
        let mut only = Box::pin(member.wait(speaks));
        begin!(only);
        assert!(waiting.evict());
        speak.send(7).unwrap();
        assert_eq!(only.as_mut().now_or_never(), Some(Err(Evicted)));
    }

    #[test]
    fn a_wait_that_is_given_up_does_not_save_who_was_evicted() {
        let waiting = Arc::new(Waiting::default());
        let member = waiting.join();
        let mut given_up = Box::pin(member.wait(pending::<()>()));
        begin!(given_up);
        assert!(waiting.evict());
        drop(given_up);
        assert!(member.must_end());
        let again = member.wait(pending::<()>());
        assert_eq!(again.now_or_never(), Some(Err(Evicted)));
    }

    #[test]
    fn who_waits_in_several_places_ends_once() {
        let waiting = Arc::new(Waiting::default());
        let [many, other] = std::array::from_fn(|_| waiting.join());
        let mut one = Box::pin(many.wait(pending::<()>()));
        let mut two = Box::pin(many.wait(pending::<()>()));
        let mut of_other = Box::pin(other.wait(pending::<()>()));
        begin!(one);
        begin!(two);
        begin!(of_other);
        assert!(waiting.evict() && waiting.evict());
        assert_eq!(of_other.as_mut().now_or_never(), Some(Err(Evicted)));
        assert!(!waiting.evict(), "two members are not three");
        assert_eq!(one.as_mut().now_or_never(), Some(Err(Evicted)));
        assert_eq!(two.as_mut().now_or_never(), Some(Err(Evicted)));
    }

    #[test]
    fn one_more_than_may_wait_ends_the_one_that_has_waited_longest() {
        let waiting = BoundedWaiting::default();
        let mut longest = Box::pin(waiting.wait(2, pending::<()>()));
        let mut second = Box::pin(waiting.wait(2, pending::<()>()));
        begin!(longest);
        begin!(second);
        let at_once = waiting.wait(2, ready(7));
        assert_eq!(at_once.now_or_never(), Some(Ok(7)));
        begin!(longest);
        let mut third = Box::pin(waiting.wait(2, pending::<()>()));
        begin!(third);
        assert_eq!(longest.as_mut().now_or_never(), Some(Err(Evicted)));
        begin!(second);
        begin!(third);
        drop((longest, second, third));
        assert_eq!(waiting.count.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn each_eviction_ends_one_however_the_threads_meet() {
        for _ in 0..2_000 {
            let waiting = Arc::new(Waiting::default());
            let start = Barrier::new(4);
            let ended = thread::scope(|scope| {
                let clients = std::array::from_fn::<_, 3, _>(|_| {
                    let (member, start) = (waiting.join(), &start);
                    scope.spawn(move || {
                        let (speak, speaks) = oneshot::channel();
                        let mut wait = Box::pin(member.wait(speaks));
                        assert!(wait.as_mut().now_or_never().is_none());
                        start.wait();
                        speak.send(()).unwrap();
                        wait.as_mut().now_or_never() == Some(Err(Evicted))
                    })
                });
                start.wait();
                let evicted = usize::from(waiting.evict()) + usize::from(waiting.evict());
                let ended = clients.map(|client| usize::from(client.join().unwrap()));
                (evicted, ended.iter().sum::<usize>())
            });
            assert_eq!(ended.0, ended.1, "evicted, and ended");
        }
    }
}
