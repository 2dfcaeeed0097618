//! A pool of servers and the choice among them.
//!
//! Hot path: a choice runs per request, takes no lock and allocates nothing.

use std::collections::HashMap;
use std::sync::Arc;

use palisade_vocabulary::{Ip, Tick};

use crate::health::Standing;
use crate::keep_alive::IdleConnections;
use crate::rendezvous::{ClientHash, ServerHash};
use crate::schedule::Schedule;
use crate::server::{Condition, InFlight, Server};
use crate::settings::{Balance, PoolSettings, SettingsError, Timeouts};
use crate::tls::SystemRoots;

/// How many turns of servers that can't be used are passed over before the least busy of the rest
/// gets the request. A cycle can be 65,536 turns long.
const TURNS_PASSED_MAX: u32 = 64;

/// A pool of servers, compiled from its settings. All that changes in it is atomic or behind the
/// lock of one server's idle connections.
#[derive(Debug)]
pub struct Pool {
    settings: PoolSettings,
    servers: Box<[Arc<Server>]>,
    schedule: Schedule,
}

impl Pool {
    /// The pool of `settings`, with what `old` knows of the same servers.
    pub(crate) fn build(
        settings: PoolSettings,
        roots: &mut SystemRoots,
        old: Option<&Pool>,
    ) -> Result<Self, SettingsError> {
        let tls = settings
            .tls
            .as_ref()
            .map(|tls| tls.compile(roots))
            .transpose()?;
        let past = Past::new(&settings, old);
        let mut servers = Vec::new();
        for (place, server) in (0..=u8::MAX).zip(settings.servers.as_slice()) {
            let label: Arc<str> = server.address.to_string().into();
            servers.push(Arc::new(Server {
                address: server.address.clone(),
                weight: server.weight,
                hash: ServerHash::new(&label, server.weight),
                tls: tls
                    .as_ref()
                    .map(|tls| tls.client(&server.address))
                    .transpose()?,
                keep_alive: settings.keep_alive,
                ejection: settings.ejection,
                place,
                condition: past.condition(&label),
                idle: past.idle(&label),
                label,
            }));
        }
        Ok(Self {
            schedule: Schedule::new(settings.servers.as_slice(), past.turns()),
            servers: servers.into(),
            settings,
        })
    }

    /// The name that sites refer to: the label in metrics and logs.
    #[must_use]
    pub fn name(&self) -> &Arc<str> {
        &self.settings.name
    }

    /// How long each step with a server may take.
    #[must_use]
    pub fn timeouts(&self) -> Timeouts {
        self.settings.timeouts
    }

    /// Whether each connection starts with a PROXY header, and so needs a source.
    #[must_use]
    pub fn sends_proxy_header(&self) -> bool {
        self.settings.proxy_protocol.is_some()
    }

    /// The settings that the pool was built from.
    #[must_use]
    pub fn settings(&self) -> &PoolSettings {
        &self.settings
    }

    /// The servers in the operator's order.
    #[must_use]
    pub fn servers(&self) -> &[Arc<Server>] {
        &self.servers
    }

    /// Chooses a server for a request of `client`, but none in `tried`.
    ///
    /// An ejected server is chosen only for its trial, or when all that are left are ejected: then
    /// any may be chosen, as one that might answer is better than an error. `None` when all were
    /// tried.
    ///
    /// Hot path: takes no lock, allocates nothing.
    pub fn pick(&self, client: Ip, now: Tick, tried: Tried) -> Option<InFlight> {
        let turn = self.turn();
        let mut passed = tried;
        let fit = |server: &Server, passed: Tried| {
            !passed.contains(server) && server.standing(now) != Standing::Out
        };
        while let Some(server) = self.choose(turn, client, |server| fit(server, passed)) {
            match server.standing(now) {
                Standing::In => return Some(InFlight::new(server, None)),
                Standing::Due(due) => {
                    if let Some(trial) = server.claim(due, now) {
                        return Some(InFlight::new(server, Some(trial)));
                    }
                }
                Standing::Out => {}
            }
            // Another request was quicker.
            passed.add(server);
        }
        self.choose(turn, client, |server| !tried.contains(server))
            .map(|server| InFlight::new(server, None))
    }

    /// The server whose turn it is; one for each request, whatever becomes of it.
    fn turn(&self) -> Option<&Arc<Server>> {
        self.servers.get(usize::from(self.schedule.next()))
    }

    fn choose<'a>(
        &'a self,
        turn: Option<&'a Arc<Server>>,
        client: Ip,
        fit: impl Fn(&Server) -> bool,
    ) -> Option<&'a Arc<Server>> {
        match self.settings.balance {
            Balance::RoundRobin => self.next_in_turn(turn, fit),
            Balance::LeastConnections => self.least_busy(turn, fit),
            Balance::ClientAddress => self.own_of(client, fit),
        }
    }

    /// The server whose turn it is, or whose turn comes next: so the turns of one that can't be
    /// used are shared by weight, and don't all fall to its neighbour.
    fn next_in_turn<'a>(
        &'a self,
        turn: Option<&'a Arc<Server>>,
        fit: impl Fn(&Server) -> bool,
    ) -> Option<&'a Arc<Server>> {
        if turn.is_some_and(|server| fit(server)) {
            return turn;
        }
        if !self.servers.iter().any(|server| fit(server)) {
            return None;
        }
        (0..TURNS_PASSED_MAX)
            .filter_map(|_| self.turn())
            .find(|server| fit(server))
            .or_else(|| self.least_busy(turn, fit))
    }

    /// The server with the fewest requests in flight for its weight; of equal ones the one whose
    /// turn it is, so that an idle pool is used by weight too.
    fn least_busy<'a>(
        &'a self,
        turn: Option<&'a Arc<Server>>,
        fit: impl Fn(&Server) -> bool,
    ) -> Option<&'a Arc<Server>> {
        let mut best = turn.filter(|server| fit(server));
        for server in self.servers.iter().filter(|server| fit(server)) {
            if best.is_none_or(|best| is_less_busy(server, best)) {
                best = Some(server);
            }
        }
        best
    }

    /// The server that `client` belongs to.
    fn own_of(&self, client: Ip, fit: impl Fn(&Server) -> bool) -> Option<&Arc<Server>> {
        let client = ClientHash::new(client);
        self.servers
            .iter()
            .filter(|server| fit(server))
            .map(|server| (server, server.hash.score(client)))
            .max_by(|(_, a), (_, b)| a.total_cmp(b))
            .map(|(server, _)| server)
    }
}

/// What a pool that was knows of servers that stay.
struct Past<'a> {
    pool: Option<&'a Pool>,
    servers: HashMap<&'a str, &'a Server>,
    /// Whether connections would be opened as they were: an idle one carries the TLS and PROXY
    /// settings of its time.
    connects_alike: bool,
}

impl<'a> Past<'a> {
    fn new(settings: &PoolSettings, pool: Option<&'a Pool>) -> Self {
        let servers = pool.into_iter().flat_map(|pool| &pool.servers);
        Self {
            pool,
            servers: servers.map(|server| (&*server.label, &**server)).collect(),
            connects_alike: pool.is_some_and(|pool| {
                pool.settings.tls == settings.tls
                    && pool.settings.proxy_protocol == settings.proxy_protocol
            }),
        }
    }

    fn condition(&self, label: &str) -> Arc<Condition> {
        let server = self.servers.get(label);
        server.map_or_else(Arc::default, |server| Arc::clone(&server.condition))
    }

    fn idle(&self, label: &str) -> Arc<IdleConnections> {
        let server = self.servers.get(label).filter(|_| self.connects_alike);
        server.map_or_else(Arc::default, |server| Arc::clone(&server.idle))
    }

    fn turns(&self) -> u64 {
        self.pool.map_or(0, |pool| pool.schedule.turns())
    }
}

/// Compares requests for one unit of weight, without a division.
fn is_less_busy(server: &Server, other: &Server) -> bool {
    let load = |of: &Server, by: &Server| u64::from(of.in_flight()) * u64::from(by.weight.get());
    load(server, other) < load(other, server)
}

/// The servers of one pool that a request was sent to already.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tried([u64; 4]);

impl Tried {
    /// Adds `server`.
    pub fn add(&mut self, server: &Server) {
        let (word, bit) = Self::position(server);
        if let Some(word) = self.0.get_mut(word) {
            *word |= bit;
        }
    }

    /// Whether `server` was added.
    #[must_use]
    pub fn contains(&self, server: &Server) -> bool {
        let (word, bit) = Self::position(server);
        self.0.get(word).is_some_and(|word| word & bit != 0)
    }

    fn position(server: &Server) -> (usize, u64) {
        (usize::from(server.place / 64), 1 << (server.place % 64))
    }
}

#[cfg(test)]
mod tests;
