//! What `/status` shows of pools.

use std::sync::Arc;
use std::time::Duration;

use palisade_vocabulary::Tick;

use crate::pool::Pool;
use crate::server::Server;
use crate::settings::Balance;

/// A pool as it is at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PoolStatus {
    /// Its name.
    pub name: Arc<str>,
    /// How a request finds its server.
    pub balance: Balance,
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
    /// How many requests are with it.
    pub in_flight: u32,
    /// Failures since its last answer.
    pub consecutive_failures: u32,
    /// How long it is still left out: `None` while it isn't ejected, zero when it is due for a
    /// request on trial.
    pub ejected_for: Option<Duration>,
    /// Connections that wait for a request.
    pub idle_connections: usize,
}

impl Pool {
    /// The pool as it is at `now`.
    #[must_use]
    pub fn status(&self, now: Tick) -> PoolStatus {
        PoolStatus {
            name: Arc::clone(self.name()),
            balance: self.settings().balance,
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
            in_flight: self.in_flight(),
            consecutive_failures: self.condition.health.consecutive_failures(),
            ejected_for: self.condition.health.out_for(now),
            idle_connections: self.idle.len(),
        }
    }
}
