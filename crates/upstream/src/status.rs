//! What `/status` shows of pools.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use palisade_vocabulary::Tick;

use crate::check_state::CheckFailure;
use crate::health::Standing;
use crate::pool::Pool;
use crate::server::Server;
use crate::settings::{Balance, WhenAllDown};

/// A pool as it is at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PoolStatus {
    /// Its name.
    pub name: Arc<str>,
    /// How a request finds its server.
    pub balance: Balance,
    /// What becomes of requests while all servers are out.
    pub when_all_down: WhenAllDown,
    /// How many requests wait for a server with room.
    pub queued: u32,
    /// Its servers in the operator's order.
    pub servers: Vec<ServerStatus>,
}

/// A server as it is at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerStatus {
    /// Its address as settings have it.
    pub address: Arc<str>,
    /// Its share of the requests.
    pub weight: u16,
    /// Whether it gets requests: neither checks nor requests have taken it out.
    pub is_up: bool,
    /// How many requests are with it.
    pub in_flight: u32,
    /// Failures since its last answer, and answers that broke off since the last whole one.
    pub consecutive_failures: u32,
    /// How long it is still left out: `None` while it isn't ejected, zero when it is due for a
    /// request on trial.
    pub ejected_for: Option<Duration>,
    /// Connections that wait for a request.
    pub idle_connections: usize,
    /// Connections that speak HTTP/2 and take further requests.
    pub http2_connections: usize,
    /// What checks say; `None` where the pool has none.
    pub check: Option<CheckStatus>,
    /// What is known of its name; `None` for one that is named by its address.
    pub name: Option<NameStatus>,
    /// This process's own door that it leads to, where nothing is sent; `None` for what is a server.
    pub own_door: Option<SocketAddr>,
}

/// What checks say of a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckStatus {
    /// Whether they have taken it out.
    pub is_down: bool,
    /// How many failed.
    pub failures: u64,
    /// The last one that failed, also if later ones did not.
    pub last_failure: Option<CheckFailure>,
}

/// What is known of a server's name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NameStatus {
    /// The addresses that are used.
    pub addresses: Arc<[IpAddr]>,
    /// Those of several that get no new connections: checks or requests took them out.
    pub out: Vec<IpAddr>,
    /// Why the last look-up failed; `None` when it didn't.
    pub failure: Option<Arc<str>>,
}

impl Pool {
    /// The pool as it is at `now`.
    #[must_use]
    pub fn status(&self, now: Tick) -> PoolStatus {
        PoolStatus {
            name: Arc::clone(self.name()),
            balance: self.settings().balance,
            when_all_down: self.settings().when_all_down,
            queued: self.queue().length(),
            servers: self
                .servers()
                .iter()
                .map(|server| server.status(now))
                .collect(),
        }
    }
}

impl Server {
    /// The server as it is at `now`.
    #[must_use]
    pub fn status(&self, now: Tick) -> ServerStatus {
        ServerStatus {
            address: Arc::clone(self.label()),
            weight: self.weight.get(),
            is_up: self.standing(now) == Standing::In,
            in_flight: self.in_flight(),
            consecutive_failures: self.condition.health.consecutive_failures(),
            ejected_for: self.condition.health.out_for(now),
            idle_connections: self.idle.len(),
            http2_connections: self.http2.len(),
            check: self.health_check.as_ref().map(|_| self.check_status()),
            name: self.address.is_name().then(|| self.name_status()),
            own_door: self.own_door(),
        }
    }

    fn check_status(&self) -> CheckStatus {
        let check = &self.condition.check;
        CheckStatus {
            is_down: check.is_down(),
            failures: check.failures(),
            last_failure: check.last_failure(),
        }
    }

    fn name_status(&self) -> NameStatus {
        let known = self.condition.name.known();
        NameStatus {
            addresses: known.addresses,
            out: self.condition.name.out(self.health_check.is_some()),
            failure: known.failure,
        }
    }
}
