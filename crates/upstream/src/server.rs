//! One server of a pool, and a request that is with it.

use std::fmt;
use std::mem;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use palisade_transport::Connection;
use palisade_vocabulary::Tick;
use tokio::time::Instant;

use crate::address::{ServerAddress, Target};
use crate::check_state::CheckState;
use crate::connect::{ProxySource, Way};
use crate::health::{Due, Health, Standing, Trial};
use crate::http2::{Http2Connections, Http2Slot};
use crate::keep_alive::{IdleConnections, Kept};
use crate::names::{NameAddresses, Wanted};
use crate::open_connections::{OpenConnection, OpenConnections};
use crate::own_doors::OwnDoors;
use crate::queue::Queue;
use crate::rendezvous::ServerHash;
use crate::settings::{
    Ejection, HealthCheck, KeepAlive, Protocol, ProxyVersion, SlowStart, Weight,
};
use crate::slow_start::{Ramp, Share};
use crate::tls::TlsClient;

/// One server of a pool: what settings say of it, and a share in what is known of it.
#[derive(Debug)]
pub struct Server {
    pub(crate) address: ServerAddress,
    pub(crate) label: Arc<str>,
    pub(crate) weight: Weight,
    pub(crate) hash: ServerHash,
    pub(crate) tls: Option<TlsClient>,
    pub(crate) protocol: Protocol,
    pub(crate) keep_alive: KeepAlive,
    pub(crate) ejection: Option<Ejection>,
    pub(crate) proxy_protocol: Option<ProxyVersion>,
    pub(crate) health_check: Option<HealthCheck>,
    pub(crate) slow_start: Option<SlowStart>,
    pub(crate) limit: Option<Limit>,
    /// Where it must not lead.
    pub(crate) own_doors: Arc<OwnDoors>,
    /// The place in the pool, which the schedule and the set of tried servers count by.
    pub(crate) place: u8,
    pub(crate) condition: Arc<Condition>,
    pub(crate) idle: Arc<IdleConnections>,
    pub(crate) http2: Arc<Http2Connections>,
}

/// The most requests and HTTP/1 connections at the same time, and who waits for one to end.
#[derive(Debug)]
pub(crate) struct Limit {
    pub(crate) connections_max: u32,
    pub(crate) queue: Arc<Queue>,
}

/// What changes about a server; outlives the settings that it was learnt under.
#[derive(Debug, Default)]
pub(crate) struct Condition {
    pub(crate) health: Health,
    pub(crate) check: CheckState,
    pub(crate) ramp: Ramp,
    pub(crate) name: NameAddresses,
    pub(crate) open: Arc<OpenConnections>,
    in_flight: AtomicU32,
}

impl Server {
    /// The address as settings have it, made once: the label in metrics and logs.
    #[must_use]
    pub fn label(&self) -> &Arc<str> {
        &self.label
    }

    /// The scheme of requests to it (RFC 9113 section 8.3.1).
    pub(crate) const fn scheme(&self) -> &'static str {
        match self.tls {
            Some(_) => "https",
            None => "http",
        }
    }

    /// How many requests are with it.
    pub(crate) fn in_flight(&self) -> u32 {
        self.condition.in_flight.load(Relaxed)
    }

    /// Whether something about it is found out beside the requests.
    pub(crate) fn is_attended(&self) -> bool {
        self.health_check.is_some() || self.address.is_name()
    }

    /// One of this process's own doors that it stands for now, if it does: nothing is sent there.
    pub(crate) fn own_door(&self) -> Option<SocketAddr> {
        let behind = |address| self.own_doors.behind(address);
        match self.address.target() {
            Target::Socket(socket) => behind(*socket),
            Target::Name { port, .. } => {
                let known = self.condition.name.known().addresses;
                let mut addresses = known.iter().map(|&ip| SocketAddr::new(ip, *port));
                addresses.find_map(behind)
            }
        }
    }

    /// Whether new connections may lead to `address`: one that its name, if it has one, stands for.
    fn leads_to(&self, address: SocketAddr) -> bool {
        match self.address.target() {
            Target::Socket(_) => true,
            Target::Name { .. } => {
                let (name, ip) = (&self.condition.name, address.ip());
                name.contains(ip) && !name.is_out(ip, self.health_check.is_some())
            }
        }
    }

    /// What a connect that goes this way wants of the addresses of the server's name.
    pub(crate) fn wanted_addresses(&self, way: Way) -> Wanted {
        let but = match way {
            Way::But(address) => Some(address.ip()),
            Way::Any | Way::Only(_) => None,
        };
        Wanted {
            but,
            is_checked: self.health_check.is_some(),
            trial: self.ejection.unwrap_or_default().period(),
        }
    }

    /// All addresses of its name, if it has several.
    pub(crate) fn several_addresses(&self) -> Vec<SocketAddr> {
        let Target::Name { port, .. } = self.address.target() else {
            return Vec::new();
        };
        let known = self.condition.name.known().addresses;
        let several = known.iter().filter(|_| known.len() > 1);
        several.map(|ip| SocketAddr::new(*ip, *port)).collect()
    }

    /// No connection could be made to one of its addresses.
    #[cold]
    pub(crate) fn address_failed(&self, address: SocketAddr) {
        self.note_at(address, |health, now| {
            health.failed(None, now, self.ejection)
        });
    }

    /// Notes something about one of several addresses; whether that ejected it, or `None` for an
    /// only one.
    fn note_at(
        &self,
        address: SocketAddr,
        note: impl FnOnce(&Health, Tick) -> bool,
    ) -> Option<bool> {
        if !self.address.is_name() {
            return None;
        }
        let name = &self.condition.name;
        let ejected = name.with_condition(address.ip(), |of, now| note(&of.health, now))?;
        if ejected {
            self.leave(address.ip());
        }
        Some(ejected)
    }

    /// Gives no request to the connections that lead to an address.
    #[cold]
    pub(crate) fn leave(&self, address: IpAddr) {
        self.idle.keep_only(|other| other.ip() != address);
        self.http2.keep_only(|other| other.ip() != address);
    }

    /// What requests and, where the pool has them, checks say.
    pub(crate) fn standing(&self, now: Tick) -> Standing {
        if self.health_check.is_some() && self.condition.check.is_down() {
            return Standing::Out;
        }
        self.condition.health.standing(now)
    }

    /// Whether one more request may be with it.
    pub(crate) fn has_room(&self) -> bool {
        let limit = self.limit.as_ref();
        limit.is_none_or(|limit| self.in_flight() < limit.connections_max)
    }

    /// Counts an HTTP/1 connection that a request is about to open. Where there are as many as may be,
    /// one of the others is idle, but not for this thread or this client: it is closed. `None` when
    /// none was by `deadline`.
    pub(crate) async fn count_connection(&self, deadline: Instant) -> Option<OpenConnection> {
        let max = self.limit.as_ref().map(|limit| limit.connections_max);
        let close_idle = || self.idle.close_one();
        let open = &self.condition.open;
        open.add_in_place_of_idle(max, deadline, close_idle).await
    }

    /// The part of its weight that it has while it comes back; `None` is the whole.
    pub(crate) fn share(&self, now: Tick) -> Option<Share> {
        let slow_start = self.slow_start?;
        self.condition.ramp.share(now, slow_start)
    }

    /// Whether it takes a turn that is its own: while it comes back it lets some pass.
    pub(crate) fn takes_turn(&self, now: Tick) -> bool {
        let share = self.share(now);
        share.is_none_or(|share| self.condition.ramp.takes_turn(share))
    }

    /// It is back at `now`, after it was out.
    #[cold]
    pub(crate) fn back(&self, now: Tick) {
        self.condition.ramp.begin(now);
        self.tell_room();
    }

    /// Tells those who wait that there may be room.
    fn tell_room(&self) {
        if let Some(limit) = &self.limit {
            limit.queue.tell();
        }
    }

    /// Counts one more request; whether there was room.
    fn enter(&self) -> bool {
        let in_flight = &self.condition.in_flight;
        let Some(limit) = &self.limit else {
            in_flight.fetch_add(1, Relaxed);
            return true;
        };
        let entered = in_flight.fetch_update(Relaxed, Relaxed, |count| {
            (count < limit.connections_max).then_some(count.saturating_add(1))
        });
        entered.is_ok()
    }

    pub(crate) fn claim(&self, due: Due, now: Tick) -> Option<Trial> {
        let period = self.ejection.unwrap_or_default().period();
        self.condition.health.claim(due, now, period)
    }
}

/// A request that is with a server: counted as in flight until this is dropped.
///
/// Whoever holds it tells how it went: [`answered`](Self::answered) when the head of an answer
/// came, [`completed`](Self::completed) at its end, [`failed`](Self::failed) or
/// [`broke_off`](Self::broke_off) when the server broke or stalled; none when the client went away
/// or a reused connection turned out to be closed, which say nothing about the server.
pub struct InFlight {
    server: Arc<Server>,
    trial: Option<Trial>,
    /// Where its connection leads to, once it has one.
    address: Option<SocketAddr>,
    bound_to: Option<ProxySource>,
}

impl InFlight {
    /// `None` when the server has no room.
    pub(crate) fn enter(server: &Arc<Server>, trial: Option<Trial>) -> Option<Self> {
        if server.enter() {
            return Some(Self {
                server: Arc::clone(server),
                trial,
                address: None,
                bound_to: None,
            });
        }
        if let Some(trial) = trial {
            server.condition.health.trial_told_nothing(trial);
        }
        None
    }

    /// The server.
    #[must_use]
    pub fn server(&self) -> &Server {
        &self.server
    }

    /// The server gave an answer (of any status) at `now`: what was held against it is forgotten.
    ///
    /// Hot path: runs per request, allocates nothing.
    pub fn answered(&mut self, now: Tick) {
        self.trial = None;
        self.note_at_address(|health, _| {
            health.answered();
            false
        });
        if self.server.condition.health.answered() {
            self.server.back(now);
        }
    }

    /// The answer came to its end.
    ///
    /// Hot path: runs per request, allocates nothing.
    pub fn completed(&self) {
        self.note_at_address(|health, _| {
            health.completed();
            false
        });
        self.server.condition.health.completed();
    }

    /// The server broke the connection, spoke no HTTP or let a timeout pass, at `now`. Returns
    /// whether this ejected it, or the address that the connection leads to: as long as others of the
    /// server's name work, that alone is to blame.
    pub fn failed(&mut self, now: Tick) -> bool {
        let ejection = self.server.ejection;
        let at_address = self.note_at_address(|health, now| health.failed(None, now, ejection));
        if let (Some(ejected), None) = (at_address, self.trial) {
            return ejected;
        }
        let health = &self.server.condition.health;
        let ejected = health.failed(self.trial.take(), now, self.server.ejection);
        self.note(ejected)
    }

    /// The same, when its answer had begun.
    pub fn broke_off(&self, now: Tick) -> bool {
        let ejection = self.server.ejection;
        let at_address = self.note_at_address(|health, now| health.broke_off(now, ejection));
        if let Some(ejected) = at_address {
            return ejected;
        }
        let health = &self.server.condition.health;
        self.note(health.broke_off(now, self.server.ejection))
    }

    /// The address that its connection leads to, where the server's name has another one that works.
    #[must_use]
    pub fn one_address_of_several(&self) -> Option<SocketAddr> {
        let (server, address) = (&self.server, self.address?);
        let is_checked = server.health_check.is_some();
        let has_another = || server.condition.name.has_another(address.ip(), is_checked);
        (server.address.is_name() && has_another()).then_some(address)
    }

    /// Notes something about the address that its connection leads to; whether that ejected it, or
    /// `None` where the server's name has no other one that works.
    fn note_at_address(&self, note: impl FnOnce(&Health, Tick) -> bool) -> Option<bool> {
        let ejected = self.server.note_at(self.address?, note)?;
        self.one_address_of_several().map(|_| ejected)
    }

    fn note(&self, ejected: bool) -> bool {
        let server = &self.server;
        if ejected {
            // They lead to the same trouble.
            server.idle.clear();
            server.http2.clear();
        }
        ejected
    }

    /// Ends the request and keeps its connection for a later one: call it only when the answer
    /// was read to its end and both sides agreed to go on.
    ///
    /// Hot path: runs per request, allocates nothing.
    pub fn keep(mut self, connection: Box<Connection>, now: Tick) {
        let server = &self.server;
        if let Some(address) = self.address.filter(|address| server.leads_to(*address)) {
            let bound_to = self.bound_to.take();
            let kept = Kept {
                connection,
                address,
            };
            server.idle.check_in(kept, bound_to, now, server.keep_alive);
        }
    }

    /// An idle connection of the server that was opened for `source`. One on trial has none: only
    /// a new connection can tell whether the server is back.
    pub(crate) fn idle_connection(&self, source: Option<&ProxySource>, now: Tick) -> Option<Kept> {
        if self.trial.is_some() {
            return None;
        }
        self.server
            .idle
            .check_out(source, now, self.server.keep_alive)
    }

    /// A place on an HTTP/2 connection of the server that was opened for `source`. One on trial has
    /// none, as above.
    pub(crate) fn http2_slot(&self, source: Option<&ProxySource>, now: Tick) -> Option<Http2Slot> {
        if self.trial.is_some() {
            return None;
        }
        let server = &self.server;
        server.http2.check_out(source, now, server.keep_alive)
    }

    /// Notes what its connection is for.
    pub(crate) fn connected(&mut self, address: SocketAddr, source: Option<ProxySource>) {
        self.address = Some(address);
        self.bound_to = source;
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.server.condition.in_flight.fetch_sub(1, Relaxed);
        if let Some(trial) = mem::take(&mut self.trial) {
            self.server.condition.health.trial_told_nothing(trial);
        }
        self.server.tell_room();
    }
}

impl fmt::Debug for InFlight {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "InFlight({})", self.server.label)
    }
}
