//! A ready connection for a request: an idle one, else a new one, else one to another server.

use std::sync::Arc;
use std::time::Duration;

use palisade_transport::Connection;
use palisade_vocabulary::Tick;
use tokio::time::Instant;

use crate::connect::{ConnectError, ProxySource, connect};
use crate::pool::{Pool, Tried};
use crate::server::InFlight;

/// What a request needs of a pool.
#[derive(Clone, Copy, Debug)]
pub struct Need {
    /// The client, whose address may decide the server, and where it connected to. Both are sent
    /// in the PROXY header where the pool has one.
    pub source: ProxySource,
    /// The time.
    pub now: Tick,
    /// Whether a connection may do that was used before. The second try of a request whose first
    /// met a connection that the server was closing says no.
    pub reuse: bool,
    /// Servers that this request doesn't want again.
    pub tried: Tried,
}

impl Need {
    /// For the first try of a request.
    #[must_use]
    pub fn new(source: ProxySource, now: Tick) -> Self {
        Self {
            source,
            now,
            reuse: true,
            tried: Tried::default(),
        }
    }
}

/// A connection that is ready for one request.
#[derive(Debug)]
pub struct Acquired {
    /// The connection. For Pingora's session it is a `Stream` as it is.
    pub connection: Box<Connection>,
    /// Whether an earlier request used it. If it turns out to be closed before a byte of the
    /// answer, that says nothing about the server (RFC 9112 section 9.3.1).
    pub reused: bool,
    /// The server, where this request now counts as in flight.
    pub server: InFlight,
}

/// Why a request gets no connection.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AcquireError {
    /// Every server was tried already.
    #[error("every server of the upstream was tried")]
    NoServerLeft,
    /// All connects failed, or the time for them is over.
    #[error("no server could be connected to in {attempts} attempts; the last: {last}")]
    Failed {
        /// How many connects were tried.
        attempts: u8,
        /// Why the last one failed.
        last: ConnectError,
    },
}

impl AcquireError {
    /// The label in metrics: one of a fixed set.
    #[must_use]
    pub const fn label(&self) -> &'static str {
        match self {
            Self::NoServerLeft => "no_server_left",
            Self::Failed { last, .. } => last.label(),
        }
    }

    /// Whether time ran out (504 rather than 502, RFC 9110 sections 15.6.3 and 15.6.5).
    #[must_use]
    pub const fn is_timeout(&self) -> bool {
        matches!(self, Self::Failed { last, .. } if last.is_timeout())
    }
}

/// One try to connect, for metrics and evidence.
#[derive(Clone, Copy, Debug)]
pub struct Attempt<'a> {
    /// The name of the pool.
    pub pool: &'a Arc<str>,
    /// The server's label.
    pub server: &'a Arc<str>,
    /// How long it took.
    pub took: Duration,
    /// How it ended.
    pub result: Result<(), &'a ConnectError>,
    /// Whether its failure ejected the server.
    pub ejected: bool,
}

/// Is told of each try to connect. A reused connection is none.
pub trait AttemptObserver: Send {
    /// `attempt` has ended.
    fn attempted(&mut self, attempt: &Attempt<'_>);
}

impl AttemptObserver for () {
    fn attempted(&mut self, _: &Attempt<'_>) {}
}

impl<F: FnMut(&Attempt<'_>) + Send> AttemptObserver for F {
    fn attempted(&mut self, attempt: &Attempt<'_>) {
        self(attempt);
    }
}

impl Pool {
    /// A ready connection to a server of the pool's choice.
    ///
    /// A connect that fails is tried on another server, each at most once, as often and as long as
    /// the pool's [`ConnectRetry`](crate::ConnectRetry) allows; nothing of the request was sent by
    /// then, so any request may be. `need.tried` is not changed: whoever retries a request for
    /// another reason adds the server first.
    ///
    /// Hot path: with an idle connection, allocates nothing and makes no system call.
    ///
    /// # Errors
    /// When no server is left to try, or none could be connected to in time.
    pub async fn acquire(
        &self,
        need: &Need,
        observer: &mut impl AttemptObserver,
    ) -> Result<Acquired, AcquireError> {
        let server = self
            .pick(need.source.source.ip, need.now, need.tried)
            .ok_or(AcquireError::NoServerLeft)?;
        match self.reuse(need, need.now, server) {
            Ok(acquired) => Ok(acquired),
            // Boxed so that the future of the usual case stays small.
            Err(server) => Box::pin(self.connect_to_one(need, server, observer)).await,
        }
    }

    fn reuse(&self, need: &Need, now: Tick, server: InFlight) -> Result<Acquired, InFlight> {
        let bound_to = self.sends_proxy_header().then_some(&need.source);
        let idle = if need.reuse {
            server.idle_connection(bound_to, now)
        } else {
            None
        };
        match idle {
            Some(connection) => Ok(self.ready(need, connection, true, server)),
            None => Err(server),
        }
    }

    fn ready(
        &self,
        need: &Need,
        connection: Box<Connection>,
        reused: bool,
        mut server: InFlight,
    ) -> Acquired {
        server.bind_to(self.sends_proxy_header().then_some(need.source));
        Acquired {
            connection,
            reused,
            server,
        }
    }

    async fn connect_to_one(
        &self,
        need: &Need,
        first: InFlight,
        observer: &mut impl AttemptObserver,
    ) -> Result<Acquired, AcquireError> {
        let retry = self.settings().connect_retry;
        let started = Instant::now();
        let mut tried = need.tried;
        let mut server = first;
        let mut attempts = 0_u8;
        loop {
            attempts = attempts.saturating_add(1);
            let left = retry.within().saturating_sub(started.elapsed());
            let last = match self
                .attempt(need, &mut server, left, started, observer)
                .await
            {
                Ok(connection) => return Ok(self.ready(need, connection, false, server)),
                Err(error) => error,
            };
            tried.add(server.server());
            let elapsed = started.elapsed();
            if attempts >= retry.attempts_max() || elapsed >= retry.within() {
                return Err(AcquireError::Failed { attempts, last });
            }
            let now = need.now + elapsed;
            let Some(next) = self.pick(need.source.source.ip, now, tried) else {
                return Err(AcquireError::Failed { attempts, last });
            };
            server = match self.reuse(need, now, next) {
                Ok(acquired) => return Ok(acquired),
                Err(next) => next,
            };
        }
    }

    async fn attempt(
        &self,
        need: &Need,
        server: &mut InFlight,
        left: Duration,
        started: Instant,
        observer: &mut impl AttemptObserver,
    ) -> Result<Box<Connection>, ConnectError> {
        let begun = Instant::now();
        let header = self
            .settings()
            .proxy_protocol
            .map(|version| (version, need.source));
        let within = self.timeouts().connect().min(left);
        let result = connect(server.server(), header, within).await;
        let failed = result.as_ref().is_err_and(ConnectError::blames_server);
        let ejected = failed && server.failed(need.now + started.elapsed());
        observer.attempted(&Attempt {
            pool: self.name(),
            server: server.server().label(),
            took: begun.elapsed(),
            result: result.as_ref().map(|_| ()),
            ejected,
        });
        result.map(Box::new)
    }
}
