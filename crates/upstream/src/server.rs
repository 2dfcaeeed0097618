//! One server of a pool, and a request that is with it.

use std::fmt;
use std::mem;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use palisade_transport::Connection;
use palisade_vocabulary::Tick;
use pingora_core::protocols::Stream;

use crate::address::ServerAddress;
use crate::connect::ProxySource;
use crate::health::{Due, Health, Standing, Trial};
use crate::keep_alive::IdleConnections;
use crate::rendezvous::ServerHash;
use crate::settings::{Ejection, KeepAlive, Weight};
use crate::tls::TlsClient;

/// One server of a pool: what settings say of it, and a share in what is known of it.
#[derive(Debug)]
pub struct Server {
    pub(crate) address: ServerAddress,
    pub(crate) label: Arc<str>,
    pub(crate) weight: Weight,
    pub(crate) hash: ServerHash,
    pub(crate) tls: Option<TlsClient>,
    pub(crate) keep_alive: KeepAlive,
    pub(crate) ejection: Option<Ejection>,
    /// The place in the pool, which the schedule and the set of tried servers count by.
    pub(crate) place: u8,
    pub(crate) condition: Arc<Condition>,
    pub(crate) idle: Arc<IdleConnections>,
}

/// What changes about a server; outlives the settings that it was learnt under.
#[derive(Debug, Default)]
pub(crate) struct Condition {
    pub(crate) health: Health,
    in_flight: AtomicU32,
}

impl Server {
    /// The address as settings have it, made once: the label in metrics and logs.
    #[must_use]
    pub fn label(&self) -> &Arc<str> {
        &self.label
    }

    /// How many requests are with it.
    pub(crate) fn in_flight(&self) -> u32 {
        self.condition.in_flight.load(Relaxed)
    }

    pub(crate) fn standing(&self, now: Tick) -> Standing {
        self.condition.health.standing(now)
    }

    pub(crate) fn claim(&self, due: Due, now: Tick) -> Option<Trial> {
        let period = self.ejection.unwrap_or_default().period();
        self.condition.health.claim(due, now, period)
    }
}

/// A request that is with a server: counted as in flight until this is dropped.
///
/// Whoever holds it tells how it went: [`answered`](Self::answered) when the head of an answer
/// came, [`failed`](Self::failed) when the server broke or stalled; neither when the client went
/// away or a reused connection turned out to be closed, which say nothing about the server.
pub struct InFlight {
    server: Arc<Server>,
    trial: Option<Trial>,
    bound_to: Option<ProxySource>,
}

impl InFlight {
    pub(crate) fn new(server: &Arc<Server>, trial: Option<Trial>) -> Self {
        server.condition.in_flight.fetch_add(1, Relaxed);
        Self {
            server: Arc::clone(server),
            trial,
            bound_to: None,
        }
    }

    /// The server.
    #[must_use]
    pub fn server(&self) -> &Server {
        &self.server
    }

    /// The server gave an answer (of any status): what was held against it is forgotten.
    ///
    /// Hot path: runs per request, allocates nothing.
    pub fn answered(&mut self) {
        self.trial = None;
        self.server.condition.health.answered();
    }

    /// The server broke the connection, spoke no HTTP or let a timeout pass, at `now`. Returns
    /// whether this ejected it.
    pub fn failed(&mut self, now: Tick) -> bool {
        let server = &self.server;
        let health = &server.condition.health;
        let ejected = health.failed(self.trial.take(), now, server.ejection);
        if ejected {
            // They lead to the same trouble.
            server.idle.clear();
        }
        ejected
    }

    /// Ends the request and keeps its connection for a later one: call it only when the answer
    /// was read to its end and both sides agreed to go on (`HttpSession::reuse` gave the stream).
    ///
    /// A stream that this crate didn't make is closed. Hot path: runs per request, allocates
    /// nothing.
    pub fn keep(mut self, stream: Stream, now: Tick) {
        if let Ok(connection) = stream.into_any().downcast::<Connection>() {
            let bound_to = self.bound_to.take();
            let server = &self.server;
            server
                .idle
                .check_in(connection, bound_to, now, server.keep_alive);
        }
    }

    /// An idle connection of the server that was opened for `source`. One on trial has none: only
    /// a new connection can tell whether the server is back.
    pub(crate) fn idle_connection(
        &self,
        source: Option<&ProxySource>,
        now: Tick,
    ) -> Option<Box<Connection>> {
        if self.trial.is_some() {
            return None;
        }
        self.server
            .idle
            .check_out(source, now, self.server.keep_alive)
    }

    pub(crate) fn bind_to(&mut self, source: Option<ProxySource>) {
        self.bound_to = source;
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.server.condition.in_flight.fetch_sub(1, Relaxed);
        if let Some(trial) = mem::take(&mut self.trial) {
            self.server.condition.health.trial_told_nothing(trial);
        }
    }
}

impl fmt::Debug for InFlight {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "InFlight({})", self.server.label)
    }
}
