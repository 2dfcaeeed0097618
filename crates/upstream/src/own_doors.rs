//! This process's own doors (admin, metrics), which no server may be.
//!
//! Settings that name a door as a server are refused when they are read. What a host name stands for
//! is known only later, and may be another thing each time: so every address is looked at once more
//! right before it is connected to.

use std::io::{self, ErrorKind};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use arc_swap::ArcSwap;

/// Where this process's own doors are open now. No connection to a server leads to one of them: it
/// would be open to every client.
///
/// Whoever opens doors [tells](Self::open) them; there are a handful.
#[derive(Debug, Default)]
pub struct OwnDoors {
    open: ArcSwap<Vec<SocketAddr>>,
}

/// A door that is open, until this is dropped.
#[derive(Debug)]
pub struct OwnDoor {
    all: Arc<OwnDoors>,
    address: SocketAddr,
    stays: AtomicBool,
}

impl OwnDoors {
    /// A door listens at `address`, until what this returns is dropped.
    #[must_use]
    pub fn open(self: &Arc<Self>, address: SocketAddr) -> OwnDoor {
        self.open.rcu(|open| {
            let mut open = Vec::clone(open);
            open.push(address);
            open
        });
        OwnDoor {
            all: Arc::clone(self),
            address,
            stays: AtomicBool::new(false),
        }
    }

    /// The door that a connection to `address` would lead to.
    #[must_use]
    pub fn behind(&self, address: SocketAddr) -> Option<SocketAddr> {
        let open = self.open.load();
        open.iter().copied().find(|door| leads_to(address, *door))
    }
}

impl OwnDoor {
    /// Another process has the door from now on: it stays closed to servers as long as this process
    /// lives.
    pub fn leave(&self) {
        self.stays.store(true, Relaxed);
    }
}

impl Drop for OwnDoor {
    fn drop(&mut self) {
        if self.stays.load(Relaxed) {
            return;
        }
        self.all.open.rcu(|open| {
            let mut open = Vec::clone(open);
            if let Some(place) = open.iter().position(|door| *door == self.address) {
                open.swap_remove(place);
            }
            open
        });
    }
}

/// Whether a connection to `address` from this machine reaches a socket that listens at `door`.
fn leads_to(address: SocketAddr, door: SocketAddr) -> bool {
    if address.port() != door.port() {
        return false;
    }
    let (ip, door) = (reached(address.ip()), door.ip().to_canonical());
    // `[::]` takes IPv4 as well.
    let takes_all = door.is_unspecified() && (door.is_ipv6() || ip.is_ipv4());
    ip == door || takes_all && is_of_this_machine(ip)
}

/// Where the system leads who asks for `ip`: for the unspecified address, to itself.
fn reached(ip: IpAddr) -> IpAddr {
    match ip.to_canonical() {
        IpAddr::V4(Ipv4Addr::UNSPECIFIED) => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(Ipv6Addr::UNSPECIFIED) => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    }
}

/// The kernel lets a socket have those addresses alone that are this machine's. In doubt it is one:
/// with `net.ipv4.ip_nonlocal_bind` any address is.
fn is_of_this_machine(ip: IpAddr) -> bool {
    let is_elsewhere = |error: io::Error| error.kind() == ErrorKind::AddrNotAvailable;
    ip.is_loopback() || !UdpSocket::bind((ip, 0)).is_err_and(is_elsewhere)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(door: &str, address: &str, expected: bool) {
        let own_doors = Arc::<OwnDoors>::default();
        let _other = own_doors.open("127.0.0.1:1".parse().unwrap());
        let open = own_doors.open(door.parse().unwrap());
        let behind = || own_doors.behind(address.parse().unwrap());
        assert_eq!(behind().is_some(), expected, "{address} of {door}");
        drop(open);
        assert_eq!(behind(), None, "{door} is closed");
    }

    #[test]
    fn a_door_is_reached_at_its_address_and_port() {
        check("127.0.0.1:9900", "127.0.0.1:9900", true);
        check("127.0.0.1:9900", "127.0.0.1:9901", false);
        check("127.0.0.1:9900", "127.0.0.2:9900", false);
        check("127.0.0.1:9900", "[::1]:9900", false);
        check("[2001:db8::1]:9900", "[2001:db8::1]:9900", true);
    }

    #[test]
    fn one_address_has_many_forms() {
        check("127.0.0.1:9900", "[::ffff:127.0.0.1]:9900", true);
        check("[::ffff:127.0.0.1]:9900", "127.0.0.1:9900", true);
        check("127.0.0.1:9900", "0.0.0.0:9900", true);
        check("127.0.0.2:9900", "0.0.0.0:9900", false);
        check("127.0.0.1:9900", "[::ffff:0.0.0.0]:9900", true);
        check("[::1]:9900", "[::]:9900", true);
    }

    #[test]
    fn a_wildcard_is_reached_at_every_address_of_this_machine() {
        check("0.0.0.0:9900", "127.9.9.9:9900", true);
        check("0.0.0.0:9900", "127.9.9.9:9901", false);
        check("0.0.0.0:9900", "0.0.0.0:9900", true);
        check("0.0.0.0:9900", "[::1]:9900", false);
        check("[::ffff:0.0.0.0]:9900", "127.0.0.1:9900", true);
        check("[::]:9900", "[::1]:9900", true);
        check("[::]:9900", "127.9.9.9:9900", true);
        // RFC 5737 and 3849: addresses that no machine has.
        check("0.0.0.0:9900", "192.0.2.1:9900", false);
        check("[::]:9900", "192.0.2.1:9900", false);
        check("[::]:9900", "[2001:db8::1]:9900", false);
    }

    #[test]
    fn a_machine_has_the_addresses_of_its_interfaces() {
        // The one that it would speak to the world from, where it has a way there.
        let socket = UdpSocket::bind("0.0.0.0:0").unwrap();
        if socket.connect("192.0.2.1:9").is_ok() {
            let own = socket.local_addr().unwrap().ip();
            check("0.0.0.0:9900", &format!("{own}:9900"), true);
        }
    }

    #[test]
    fn a_door_that_another_process_has_stays_closed_to_servers() {
        let own_doors = Arc::<OwnDoors>::default();
        let address = "127.0.0.1:9900".parse().unwrap();
        let door = own_doors.open(address);
        door.leave();
        drop(door);
        assert_eq!(own_doors.behind(address), Some(address));
    }
}
