//! How many connections there may be, in total and of one address, and who goes when there are too
//! many.
//!
//! Where all are taken, a new connection gets the place of the one that has waited longest for its
//! client: a crowd that only holds connections open can't lock others out.

use std::collections::{BTreeMap, HashMap};
use std::future::poll_fn;
use std::hash::BuildHasher;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::task::{Poll, Waker};

use palisade_telemetry::SlotRefusal;
use palisade_vocabulary::Ip;
use parking_lot::Mutex;

/// Spreads the addresses, so that accept loops seldom wait for one another.
const SHARDS: usize = 64;

/// Spreads the connections that wait, likewise.
const WAITING_SHARDS: usize = 16;

/// The connections of one listener, counted. How many there may be is asked with each: a reload can
/// change it, and the counts stay.
#[derive(Debug)]
pub(crate) struct ConnectionSlots {
    total: AtomicUsize,
    hasher: std::hash::RandomState,
    shards: Vec<Mutex<HashMap<Ip, usize>>>,
    /// Numbers connections and waits, in their order.
    next_number: AtomicU64,
    waiting: [Mutex<Waiting>; WAITING_SHARDS],
}

/// What a connection waits for. Who waits for the first ends before who waits for the second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wait {
    /// For a request to begin: a client loses nothing that it could not have again.
    Request,
    /// For the rest of a PROXY header, of a handshake or of a head.
    Rest,
}

/// Somebody else needed the connection's slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Evicted;

/// Who waits, the one first that has waited longest. Who isn't here any more has been evicted.
#[derive(Debug, Default)]
struct Waiting {
    for_request: BTreeMap<u64, Waker>,
    for_rest: BTreeMap<u64, Waker>,
}

impl Waiting {
    fn those(&mut self, wait: Wait) -> &mut BTreeMap<u64, Waker> {
        match wait {
            Wait::Request => &mut self.for_request,
            Wait::Rest => &mut self.for_rest,
        }
    }
}

impl ConnectionSlots {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            total: AtomicUsize::new(0),
            hasher: std::hash::RandomState::new(),
            shards: (0..SHARDS).map(|_| Mutex::default()).collect(),
            next_number: AtomicU64::new(0),
            waiting: std::array::from_fn(|_| Mutex::default()),
        })
    }

    /// A slot of the total, of which there are `total_max`; given back when dropped. Where all are
    /// taken somebody who waits is evicted: until it has ended, which takes a moment, there is one
    /// more than there may be.
    pub(crate) fn take(self: &Arc<Self>, total_max: usize) -> Result<TotalSlot, SlotRefusal> {
        let taken = self.total.fetch_add(1, Ordering::Relaxed);
        let slot = TotalSlot {
            slots: Arc::clone(self),
            shard: usize::try_from(self.number()).unwrap_or(0) % WAITING_SHARDS,
        };
        if taken >= total_max && !self.evict() {
            return Err(SlotRefusal::Total);
        }
        Ok(slot)
    }

    /// A slot of one address, of which each has `per_address_max`; given back when dropped.
    pub(crate) fn take_for(
        self: &Arc<Self>,
        address: Ip,
        per_address_max: usize,
    ) -> Result<AddressSlot, SlotRefusal> {
        let Some(shard) = self.shard(address) else {
            return Err(SlotRefusal::Address);
        };
        let mut counts = shard.lock();
        let count = counts.entry(address).or_insert(0);
        if *count >= per_address_max {
            return Err(SlotRefusal::Address);
        }
        *count += 1;
        Ok(AddressSlot {
            slots: Arc::clone(self),
            address,
        })
    }

    /// Makes the connection end that has waited longest for its client; whether one waited.
    pub(crate) fn evict(&self) -> bool {
        [Wait::Request, Wait::Rest].into_iter().any(|wait| {
            // Others evict and stop waiting at the same time: a few of the oldest are tried.
            (0..WAITING_SHARDS).any(|_| self.evict_oldest(wait))
        })
    }

    fn evict_oldest(&self, wait: Wait) -> bool {
        let oldest = self.waiting.iter().filter_map(|shard| {
            let number = *shard.lock().those(wait).first_key_value()?.0;
            Some((number, shard))
        });
        let Some((number, shard)) = oldest.min_by_key(|(number, _)| *number) else {
            return false;
        };
        let evicted = shard.lock().those(wait).remove(&number);
        evicted.is_some_and(|waker| {
            waker.wake();
            true
        })
    }

    fn number(&self) -> u64 {
        self.next_number.fetch_add(1, Ordering::Relaxed)
    }

    fn shard(&self, address: Ip) -> Option<&Mutex<HashMap<Ip, usize>>> {
        let hash = usize::try_from(self.hasher.hash_one(address) % SHARDS as u64).unwrap_or(0);
        self.shards.get(hash)
    }
}

/// A connection's part of the total.
#[derive(Debug)]
pub(crate) struct TotalSlot {
    slots: Arc<ConnectionSlots>,
    /// Where this connection waits.
    shard: usize,
}

impl TotalSlot {
    /// Completes with `event`, for which the client is waited for, unless the slot is needed before.
    pub(crate) async fn wait<T>(
        &self,
        wait: Wait,
        event: impl Future<Output = T>,
    ) -> Result<T, Evicted> {
        let mut event = pin!(event);
        let mut place = None;
        poll_fn(|cx| {
            if let Poll::Ready(output) = event.as_mut().poll(cx) {
                return Poll::Ready(Ok(output));
            }
            let is_new = place.is_none();
            let place = place.get_or_insert_with(|| Place {
                slot: self,
                wait,
                number: self.slots.number(),
            });
            match place.keep(is_new, cx.waker()) {
                true => Poll::Pending,
                false => Poll::Ready(Err(Evicted)),
            }
        })
        .await
    }

    fn waiting(&self) -> Option<&Mutex<Waiting>> {
        self.slots.waiting.get(self.shard)
    }
}

impl Drop for TotalSlot {
    fn drop(&mut self) {
        self.slots.total.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A connection's place among those that wait; given up when dropped.
struct Place<'a> {
    slot: &'a TotalSlot,
    wait: Wait,
    number: u64,
}

impl Place<'_> {
    /// Takes or keeps the place; whether nobody needed it.
    fn keep(&self, is_new: bool, waker: &Waker) -> bool {
        let Some(waiting) = self.slot.waiting() else {
            return true;
        };
        let mut waiting = waiting.lock();
        let waiting = waiting.those(self.wait);
        if is_new {
            waiting.insert(self.number, waker.clone());
            return true;
        }
        match waiting.get_mut(&self.number) {
            Some(kept) => {
                kept.clone_from(waker);
                true
            }
            None => false,
        }
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        if let Some(waiting) = self.slot.waiting() {
            waiting.lock().those(self.wait).remove(&self.number);
        }
    }
}

/// A connection's part of what its address may have.
#[derive(Debug)]
pub(crate) struct AddressSlot {
    slots: Arc<ConnectionSlots>,
    address: Ip,
}

impl Drop for AddressSlot {
    fn drop(&mut self) {
        let Some(shard) = self.slots.shard(self.address) else {
            return;
        };
        let mut counts = shard.lock();
        if let Some(count) = counts.get_mut(&self.address) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&self.address);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_total_is_bounded_and_given_back() {
        let slots = ConnectionSlots::new();
        let first = slots.take(2).unwrap();
        let _second = slots.take(2).unwrap();
        assert_eq!(slots.take(2).unwrap_err(), SlotRefusal::Total);
        drop(first);
        assert!(slots.take(2).is_ok());
        assert_eq!(
            slots.total.load(Ordering::Relaxed),
            1,
            "a refused one holds nothing"
        );
    }

    #[test]
    fn who_has_waited_longest_for_a_request_goes_first() {
        use futures_util::FutureExt;
        use std::future::pending;
        let slots = ConnectionSlots::new();
        let [busy, second, first] = std::array::from_fn(|_| slots.take(3).unwrap());
        let mut rest = Box::pin(busy.wait(Wait::Rest, pending::<()>()));
        let mut waiting = Box::pin(first.wait(Wait::Request, pending::<()>()));
        let mut younger = Box::pin(second.wait(Wait::Request, pending::<()>()));
        for wait in [&mut rest, &mut waiting, &mut younger] {
            assert!(wait.as_mut().now_or_never().is_none());
        }
        let _fourth = slots.take(3).unwrap();
        assert_eq!(waiting.as_mut().now_or_never(), Some(Err(Evicted)));
        assert!(younger.as_mut().now_or_never().is_none());
        assert!(slots.evict());
        assert_eq!(younger.as_mut().now_or_never(), Some(Err(Evicted)));
        assert!(rest.as_mut().now_or_never().is_none());
        assert!(slots.evict());
        assert_eq!(rest.as_mut().now_or_never(), Some(Err(Evicted)));
        assert!(!slots.evict(), "nobody waits any more");
        assert_eq!(slots.take(3).unwrap_err(), SlotRefusal::Total);
    }

    #[test]
    fn who_stops_waiting_is_not_evicted() {
        use futures_util::FutureExt;
        let slots = ConnectionSlots::new();
        let slot = slots.take(3).unwrap();
        let over = slot.wait(Wait::Request, std::future::ready(7));
        assert_eq!(over.now_or_never(), Some(Ok(7)));
        assert!(
            slot.wait(Wait::Request, std::future::pending::<()>())
                .now_or_never()
                .is_none()
        );
        assert!(!slots.evict());
    }

    #[test]
    fn each_address_is_bounded_and_forgotten() {
        let slots = ConnectionSlots::new();
        let [a, b] = ["192.0.2.1", "192.0.2.2"].map(|ip| ip.parse::<Ip>().unwrap());
        let held = slots.take_for(a, 1).unwrap();
        assert_eq!(slots.take_for(a, 1).unwrap_err(), SlotRefusal::Address);
        assert!(slots.take_for(b, 1).is_ok());
        drop(held);
        assert!(slots.take_for(a, 1).is_ok());
        assert!(slots.shards.iter().all(|shard| shard.lock().is_empty()));
    }

    #[test]
    fn another_limit_counts_what_is_held_already() {
        let slots = ConnectionSlots::new();
        let a = "192.0.2.1".parse::<Ip>().unwrap();
        let _held = [slots.take(5).unwrap(), slots.take(5).unwrap()];
        let _by_address = slots.take_for(a, 5).unwrap();
        assert_eq!(slots.take(2).unwrap_err(), SlotRefusal::Total);
        assert_eq!(slots.take_for(a, 1).unwrap_err(), SlotRefusal::Address);
        assert!(slots.take(3).is_ok() && slots.take_for(a, 2).is_ok());
    }
}
