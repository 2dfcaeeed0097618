//! How many connections there may be, in total and of one address, and who goes when there are too
//! many.
//!
//! Where all are taken, a new connection gets the place of the one that has waited longest for its
//! client: a crowd that only holds connections open can't lock others out.

use std::collections::HashMap;
use std::hash::BuildHasher;
use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use palisade_telemetry::SlotRefusal;
use palisade_vocabulary::{Cidr, Ip};
use parking_lot::Mutex;

use crate::waiting::{Member, Waiting};

/// An IPv6 address is counted by its network: whoever has one address has all of them (RFC 6177).
const IPV6_NETWORK_BITS: u8 = 64;

/// Spreads the addresses, so that accept loops seldom wait for one another.
const SHARDS: usize = 64;

/// The connections of one listener, counted. How many there may be is asked with each: a reload can
/// change it, and the counts stay.
#[derive(Debug)]
pub(crate) struct ConnectionSlots {
    total: AtomicUsize,
    hasher: std::hash::RandomState,
    shards: Vec<Mutex<HashMap<Ip, OfAddress>>>,
    waiting: Arc<Waiting>,
}

/// What one address has.
#[derive(Debug, Default)]
struct OfAddress {
    connections: usize,
    streams: Arc<AtomicUsize>,
}

impl ConnectionSlots {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            total: AtomicUsize::new(0),
            hasher: std::hash::RandomState::new(),
            shards: (0..SHARDS).map(|_| Mutex::default()).collect(),
            waiting: Arc::default(),
        })
    }

    /// A slot of the total, of which there are `total_max`; given back when dropped. Where all are
    /// taken somebody who waits is evicted: until it has ended, which takes a moment, there is one
    /// more than there may be.
    pub(crate) fn take(self: &Arc<Self>, total_max: usize) -> Result<TotalSlot, SlotRefusal> {
        let taken = self.total.fetch_add(1, Ordering::Relaxed);
        let slot = TotalSlot {
            slots: Arc::clone(self),
            member: self.waiting.join(),
        };
        if taken >= total_max && !self.evict() {
            return Err(SlotRefusal::Total);
        }
        Ok(slot)
    }

    /// A slot of one address, over IPv6 of its /64, of which each has `per_address_max`; given back when
    /// dropped.
    pub(crate) fn take_for(
        self: &Arc<Self>,
        address: Ip,
        per_address_max: usize,
    ) -> Result<AddressSlot, SlotRefusal> {
        let address = counted(address);
        let Some(shard) = self.shard(address) else {
            return Err(SlotRefusal::Address);
        };
        let mut addresses = shard.lock();
        let held = addresses.entry(address).or_default();
        if held.connections >= per_address_max {
            return Err(SlotRefusal::Address);
        }
        held.connections += 1;
        Ok(AddressSlot {
            slots: Arc::clone(self),
            address,
            streams: Arc::clone(&held.streams),
        })
    }

    /// Makes the connection end that has waited longest for its client; whether one waited.
    pub(crate) fn evict(&self) -> bool {
        self.waiting.evict()
    }

    fn shard(&self, address: Ip) -> Option<&Mutex<HashMap<Ip, OfAddress>>> {
        let hash = usize::try_from(self.hasher.hash_one(address) % SHARDS as u64).unwrap_or(0);
        self.shards.get(hash)
    }
}

/// What an address is counted as.
fn counted(address: Ip) -> Ip {
    match address.is_ipv4() {
        true => address,
        false => Cidr::new(address, IPV6_NETWORK_BITS).map_or(address, Cidr::network),
    }
}

/// A connection's part of the total, and its membership of those that may have to give theirs up.
#[derive(Debug)]
pub(crate) struct TotalSlot {
    slots: Arc<ConnectionSlots>,
    member: Member,
}

impl Deref for TotalSlot {
    type Target = Member;

    fn deref(&self) -> &Member {
        &self.member
    }
}

impl Drop for TotalSlot {
    fn drop(&mut self) {
        self.slots.total.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A connection's part of what its address may have.
#[derive(Debug)]
pub(crate) struct AddressSlot {
    slots: Arc<ConnectionSlots>,
    address: Ip,
    /// Requests over HTTP/2 that all connections of the address are at.
    streams: Arc<AtomicUsize>,
}

impl AddressSlot {
    /// A request over HTTP/2, of which an address may have `max` at a time; given back when dropped.
    pub(crate) fn take_stream(&self, max: usize) -> Option<StreamSlot> {
        let before = self.streams.fetch_add(1, Ordering::Relaxed);
        let slot = StreamSlot(Arc::clone(&self.streams));
        (before < max).then_some(slot)
    }
}

/// A request's part of what its address may have.
#[derive(Debug)]
pub(crate) struct StreamSlot(Arc<AtomicUsize>);

impl Drop for StreamSlot {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Drop for AddressSlot {
    fn drop(&mut self) {
        let Some(shard) = self.slots.shard(self.address) else {
            return;
        };
        let mut addresses = shard.lock();
        if let Some(held) = addresses.get_mut(&self.address) {
            held.connections -= 1;
            if held.connections == 0 {
                addresses.remove(&self.address);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::waiting::Evicted;
    use futures_util::FutureExt;

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
    fn one_more_gets_the_place_of_one_that_waits() {
        let slots = ConnectionSlots::new();
        let [waits, _busy] = std::array::from_fn(|_| slots.take(2).unwrap());
        let mut wait = Box::pin(waits.wait(std::future::pending::<()>()));
        assert_eq!(wait.as_mut().now_or_never(), None);
        let _third = slots.take(2).unwrap();
        assert_eq!(wait.as_mut().now_or_never(), Some(Err(Evicted)));
        assert_eq!(slots.take(2).unwrap_err(), SlotRefusal::Total);
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
    fn the_streams_of_an_address_are_bounded_over_its_connections() {
        let slots = ConnectionSlots::new();
        let [a, b] = ["192.0.2.1", "192.0.2.2"].map(|ip| ip.parse::<Ip>().unwrap());
        let [one, two, other] = [a, a, b].map(|ip| slots.take_for(ip, 9).unwrap());
        let held = [one.take_stream(2), two.take_stream(2)];
        assert!(held.iter().all(Option::is_some));
        assert!(one.take_stream(2).is_none() && two.take_stream(2).is_none());
        assert!(other.take_stream(2).is_some());
        drop(held);
        assert!(one.take_stream(1).is_some(), "given back, also the refused");
    }

    #[test]
    fn an_ipv6_address_is_counted_by_its_network() {
        #[track_caller]
        fn check(one: &str, other: &str, is_one: bool) {
            let slots = ConnectionSlots::new();
            let [one, other] = [one, other].map(|ip| ip.parse::<Ip>().unwrap());
            let _held = slots.take_for(one, 1).unwrap();
            assert_eq!(slots.take_for(other, 1).is_err(), is_one);
        }
        check("2001:db8:1:2::1", "2001:db8:1:2:ffff::9", true);
        check("2001:db8:1:2::1", "2001:db8:1:3::1", false);
        check("::ffff:192.0.2.1", "192.0.2.1", true);
        check("::ffff:192.0.2.1", "192.0.2.2", false);
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
