//! A pool of servers and the choice among them.
//!
//! Hot path: a choice runs per request, takes no lock and allocates nothing.

use std::collections::HashMap;
use std::sync::Arc;

use palisade_vocabulary::{Ip, Tick};

use crate::health::Standing;
use crate::http2::Http2Connections;
use crate::keep_alive::IdleConnections;
use crate::own_doors::OwnDoors;
use crate::queue::Queue;
use crate::rendezvous::{ClientHash, ServerHash};
use crate::retry_budget::RetryBucket;
use crate::schedule::{Progress, Schedule};
use crate::server::{Condition, InFlight, Limit, Server};
use crate::settings::{Balance, PoolSettings, SettingsError, Timeouts, WhenAllDown};
use crate::slow_start::{Share, WHOLE};
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
    condition: Arc<PoolCondition>,
}

/// What changes about a pool; outlives the settings that it was learnt under.
#[derive(Debug, Default)]
struct PoolCondition {
    retries: RetryBucket,
    queue: Arc<Queue>,
}

/// Why no server is chosen for a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoServer {
    /// All were tried.
    Tried,
    /// Those that work have as many requests as they may.
    Full,
    /// All are out, and the pool tries none of these.
    AllDown,
}

impl Pool {
    /// The pool of `settings`, with what `old` knows of the same servers. None of them may be one of
    /// `own_doors`.
    pub(crate) fn build(
        settings: PoolSettings,
        roots: &mut SystemRoots,
        own_doors: &Arc<OwnDoors>,
        old: Option<&Pool>,
    ) -> Result<Self, SettingsError> {
        let tls = settings
            .tls
            .as_ref()
            .map(|tls| tls.compile(settings.protocol, roots))
            .transpose()?;
        let past = Past::new(&settings, old);
        let condition = past.pool_condition();
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
                protocol: settings.protocol,
                keep_alive: settings.keep_alive,
                ejection: settings.ejection,
                proxy_protocol: settings.proxy_protocol,
                health_check: settings.health_check.clone(),
                slow_start: settings.slow_start,
                limit: settings.connection_limit.map(|limit| Limit {
                    connections_max: limit.connections_max(),
                    queue: Arc::clone(&condition.queue),
                }),
                own_doors: Arc::clone(own_doors),
                place,
                condition: past.condition(&label),
                idle: past.idle(&label),
                http2: past.http2(&label),
                label,
            }));
        }
        Ok(Self {
            schedule: Schedule::new(settings.servers.as_slice(), past.progress()),
            servers: servers.into(),
            settings,
            condition,
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

    /// The line in front of the pool, where requests wait for a server with room.
    pub(crate) fn queue(&self) -> &Queue {
        &self.condition.queue
    }

    /// Whether one more request, which a server may have seen, may be sent a second time. Counts it
    /// as sent.
    pub fn may_retry(&self) -> bool {
        let budget = self.settings.retry_budget;
        let requests = self.schedule.requests();
        budget.is_some_and(|budget| self.condition.retries.take(requests, budget))
    }

    /// Whether a request that `server` doesn't take may go to another one, none of `tried`, that
    /// works.
    #[must_use]
    pub fn has_another(&self, server: &Server, tried: Tried, now: Tick) -> bool {
        let mut passed = tried;
        passed.add(server);
        let mut others = self.servers.iter().filter(|other| !passed.contains(other));
        others.any(|other| other.standing(now) != Standing::Out)
    }

    /// Chooses a server for a request of `client`, but none in `tried`, nor one that has as many
    /// requests as it may.
    ///
    /// A server that is out is chosen only for its trial, or when all that are left are out: then
    /// any may be chosen, unless the pool refuses.
    ///
    /// Hot path: takes no lock, allocates nothing.
    ///
    /// # Errors
    /// Why there is none.
    pub fn pick(&self, client: Ip, now: Tick, tried: Tried) -> Result<InFlight, NoServer> {
        if tried == Tried::default() {
            self.pick_from(self.server_at(self.schedule.next()), client, now, tried)
        } else {
            self.pick_again(client, now, tried)
        }
    }

    /// Chooses a server for a request that was counted before.
    pub(crate) fn pick_again(
        &self,
        client: Ip,
        now: Tick,
        tried: Tried,
    ) -> Result<InFlight, NoServer> {
        let turn = self.server_at(self.schedule.another());
        self.pick_from(turn, client, now, tried)
    }

    fn pick_from(
        &self,
        turn: Option<&Arc<Server>>,
        client: Ip,
        now: Tick,
        tried: Tried,
    ) -> Result<InFlight, NoServer> {
        let choice = Choice { turn, client, now };
        let mut passed = tried;
        let fit = |server: &Server, passed: Tried| {
            !passed.contains(server) && server.standing(now) != Standing::Out && server.has_room()
        };
        while let Some(server) = self.choose(choice, |server| fit(server, passed)) {
            let entered = match server.standing(now) {
                Standing::In => InFlight::enter(server, None),
                Standing::Due(due) => server
                    .claim(due, now)
                    .and_then(|trial| InFlight::enter(server, Some(trial))),
                Standing::Out => None,
            };
            if let Some(entered) = entered {
                return Ok(entered);
            }
            // Another request was quicker.
            passed.add(server);
        }
        self.pick_among_the_rest(choice, tried)
    }

    /// When no server that works has room.
    #[cold]
    fn pick_among_the_rest(&self, choice: Choice<'_>, tried: Tried) -> Result<InFlight, NoServer> {
        let mut left = self.servers.iter().filter(|server| !tried.contains(server));
        if left.clone().next().is_none() {
            return Err(NoServer::Tried);
        }
        if left.any(|server| server.standing(choice.now) == Standing::In) {
            return Err(NoServer::Full);
        }
        if self.settings.when_all_down == WhenAllDown::Refuse {
            return Err(NoServer::AllDown);
        }
        let fit = |server: &Server| !tried.contains(server) && server.has_room();
        self.choose(choice, fit)
            .and_then(|server| InFlight::enter(server, None))
            .ok_or(NoServer::Full)
    }

    fn server_at(&self, place: u8) -> Option<&Arc<Server>> {
        self.servers.get(usize::from(place))
    }

    fn choose<'a>(
        &'a self,
        choice: Choice<'a>,
        fit: impl Fn(&Server) -> bool,
    ) -> Option<&'a Arc<Server>> {
        match self.settings.balance {
            Balance::RoundRobin => self
                .next_in_turn(choice, &fit)
                .or_else(|| self.least_busy(None, choice.now, fit)),
            Balance::LeastConnections => {
                let turn = self.next_in_turn(choice, &fit);
                self.least_busy(turn, choice.now, fit)
            }
            Balance::ClientAddress => self.own_of(choice.client, choice.now, fit),
        }
    }

    /// The server whose turn it is, or whose turn comes next: so the turns of one that can't be
    /// used are shared by weight, and don't all fall to its neighbour.
    fn next_in_turn<'a>(
        &'a self,
        choice: Choice<'a>,
        fit: impl Fn(&Server) -> bool,
    ) -> Option<&'a Arc<Server>> {
        let takes = |server: &&Arc<Server>| fit(server) && server.takes_turn(choice.now);
        if let Some(server) = choice.turn.filter(takes) {
            return Some(server);
        }
        if !self.servers.iter().any(|server| fit(server)) {
            return None;
        }
        (0..TURNS_PASSED_MAX)
            .filter_map(|_| self.server_at(self.schedule.another()))
            .find(takes)
    }

    /// The server with the fewest requests in flight for its weight; of equal ones `first`, the one
    /// whose turn it is, so that an idle pool is used by weight too.
    fn least_busy<'a>(
        &'a self,
        first: Option<&'a Arc<Server>>,
        now: Tick,
        fit: impl Fn(&Server) -> bool,
    ) -> Option<&'a Arc<Server>> {
        let mut best = first;
        for server in self.servers.iter().filter(|server| fit(server)) {
            if best.is_none_or(|best| is_less_busy(server, best, now)) {
                best = Some(server);
            }
        }
        best
    }

    /// The server that `client` belongs to.
    fn own_of(&self, client: Ip, now: Tick, fit: impl Fn(&Server) -> bool) -> Option<&Arc<Server>> {
        let client = ClientHash::new(client);
        let score = |server: &Server| {
            let share = server.share(now).map_or(1.0, Share::as_f64);
            server.hash.score(client) * share
        };
        self.servers
            .iter()
            .filter(|server| fit(server))
            .map(|server| (server, score(server)))
            .max_by(|(_, a), (_, b)| a.total_cmp(b))
            .map(|(server, _)| server)
    }
}

/// What a choice among the servers goes by.
#[derive(Clone, Copy)]
struct Choice<'a> {
    /// The server whose turn it is; one for each request, whatever becomes of it.
    turn: Option<&'a Arc<Server>>,
    client: Ip,
    now: Tick,
}

/// What a pool that was knows of servers that stay.
struct Past<'a> {
    pool: Option<&'a Pool>,
    servers: HashMap<&'a str, &'a Server>,
    /// Whether connections would be opened as they were: one carries the protocol, TLS and PROXY
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
                    && pool.settings.protocol == settings.protocol
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

    fn http2(&self, label: &str) -> Arc<Http2Connections> {
        let server = self.servers.get(label).filter(|_| self.connects_alike);
        server.map_or_else(Arc::default, |server| Arc::clone(&server.http2))
    }

    fn progress(&self) -> Progress {
        self.pool
            .map(|pool| pool.schedule.progress())
            .unwrap_or_default()
    }

    fn pool_condition(&self) -> Arc<PoolCondition> {
        self.pool
            .map_or_else(Arc::default, |pool| Arc::clone(&pool.condition))
    }
}

/// Compares requests for one unit of the weight that each has now, without a division.
fn is_less_busy(server: &Server, other: &Server, now: Tick) -> bool {
    let weight = |of: &Server| {
        let share = of.share(now).map_or(WHOLE, Share::in_65536ths);
        u64::from(of.weight.get()).saturating_mul(share)
    };
    let load = |of: &Server, by: &Server| u64::from(of.in_flight()).saturating_mul(weight(by));
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
