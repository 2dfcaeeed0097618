//! A ready connection for a request: an idle one, else a new one, else one to another server.

use std::sync::Arc;
use std::time::Duration;

use palisade_transport::Connection;
use palisade_vocabulary::Tick;
use tokio::time::{Instant, timeout};

use crate::connect::{ConnectError, Introduction, ProxySource, connect};
use crate::keep_alive::Kept;
use crate::pool::{NoServer, Pool, Tried};
use crate::server::InFlight;
use crate::settings::Queueing;

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
    /// All servers are out, and the pool tries none of these.
    #[error("every server of the upstream is out")]
    AllDown,
    /// All servers have as many requests as they may, and as many wait as may.
    #[error("every server of the upstream is busy, and the queue is full")]
    QueueFull,
    /// No server had room in time.
    #[error("every server of the upstream is busy; none had room in time")]
    QueueTimeout,
    /// All connects failed, or the time for them is over.
    #[error("no server could be connected to in {attempts} attempts; the last: {last}")]
    Failed {
        /// How many connects were tried.
        attempts: u8,
        /// Why the last one failed.
        last: ConnectError,
    },
}

impl From<NoServer> for AcquireError {
    fn from(none: NoServer) -> Self {
        match none {
            NoServer::Tried => Self::NoServerLeft,
            NoServer::Full => Self::QueueFull,
            NoServer::AllDown => Self::AllDown,
        }
    }
}

impl AcquireError {
    /// The label in metrics: one of a fixed set.
    #[must_use]
    pub const fn label(&self) -> &'static str {
        match self {
            Self::NoServerLeft => "no_server_left",
            Self::AllDown => "all_down",
            Self::QueueFull => "queue_full",
            Self::QueueTimeout => "queue_timeout",
            Self::Failed { last, .. } => last.label(),
        }
    }

    /// Whether the pool itself refuses, and later may not: 503 (RFC 9110 section 15.6.4).
    #[must_use]
    pub const fn is_for_now(&self) -> bool {
        matches!(self, Self::AllDown | Self::QueueFull | Self::QueueTimeout)
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
    /// While all servers have as many requests as they may, it waits in the pool's queue; to go away
    /// is to leave it.
    ///
    /// Hot path: with an idle connection, allocates nothing and makes no system call.
    ///
    /// # Errors
    /// When no server is left to try, none could be connected to in time, or none has room.
    pub async fn acquire(
        &self,
        need: &Need,
        observer: &mut impl AttemptObserver,
    ) -> Result<Acquired, AcquireError> {
        let is_limited = self.settings().connection_limit.is_some();
        let picked = if is_limited && self.queue().length() > 0 {
            // Those who came before are not overtaken.
            Err(NoServer::Full)
        } else {
            self.pick(need.source.source.ip, need.now, need.tried)
        };
        // What isn't usual is boxed, so that the future of the usual case stays small.
        let (server, need) = match picked {
            Ok(server) => (server, *need),
            Err(NoServer::Full) => Box::pin(self.wait(need)).await?,
            Err(none) => return Err(none.into()),
        };
        match self.reuse(&need, need.now, server) {
            Ok(acquired) => Ok(acquired),
            Err(server) => Box::pin(self.connect_to_one(&need, server, observer)).await,
        }
    }

    /// Waits for a server with room; the need as it is by then.
    async fn wait(&self, need: &Need) -> Result<(InFlight, Need), AcquireError> {
        let limit = self.settings().connection_limit;
        let queueing = limit.map_or_else(Queueing::default, |limit| limit.queue());
        let place = self.queue().join(queueing.length());
        let place = place.ok_or(AcquireError::QueueFull)?;
        let started = Instant::now();
        let look = || {
            let need = Need {
                now: need.now + started.elapsed(),
                ..*need
            };
            match self.pick_again(need.source.source.ip, need.now, need.tried) {
                Ok(server) => Some(Ok((server, need))),
                Err(NoServer::Full) => None,
                Err(none) => Some(Err(none.into())),
            }
        };
        let waited = timeout(queueing.timeout(), place.wait(look)).await;
        waited.unwrap_or(Err(AcquireError::QueueTimeout))
    }

    fn reuse(&self, need: &Need, now: Tick, server: InFlight) -> Result<Acquired, InFlight> {
        let bound_to = self.sends_proxy_header().then_some(&need.source);
        let idle = if need.reuse {
            server.idle_connection(bound_to, now)
        } else {
            None
        };
        match idle {
            Some(kept) => Ok(self.ready(need, kept, true, server)),
            None => Err(server),
        }
    }

    fn ready(&self, need: &Need, kept: Kept, reused: bool, mut server: InFlight) -> Acquired {
        let bound_to = self.sends_proxy_header().then_some(need.source);
        server.connected(kept.address, bound_to);
        Acquired {
            connection: kept.connection,
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
                Ok(kept) => return Ok(self.ready(need, kept, false, server)),
                Err(error) => error,
            };
            tried.add(server.server());
            let elapsed = started.elapsed();
            if attempts >= retry.attempts_max() || elapsed >= retry.within() {
                return Err(AcquireError::Failed { attempts, last });
            }
            let now = need.now + elapsed;
            let next = match self.pick(need.source.source.ip, now, tried) {
                Ok(next) => next,
                Err(NoServer::Full) => {
                    self.wait(&Need {
                        now,
                        tried,
                        ..*need
                    })
                    .await?
                    .0
                }
                Err(_) => return Err(AcquireError::Failed { attempts, last }),
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
    ) -> Result<Kept, ConnectError> {
        let begun = Instant::now();
        let introduction = self
            .settings()
            .proxy_protocol
            .map_or(Introduction::None, |version| {
                Introduction::Client(version, need.source)
            });
        let within = self.timeouts().connect().min(left);
        let result = connect(server.server(), introduction, within).await;
        let failed = result.as_ref().is_err_and(ConnectError::blames_server);
        let ejected = failed && server.failed(need.now + started.elapsed());
        observer.attempted(&Attempt {
            pool: self.name(),
            server: server.server().label(),
            took: begun.elapsed(),
            result: result.as_ref().map(|_| ()),
            ejected,
        });
        let (connection, address) = result?;
        Ok(Kept {
            connection: Box::new(connection),
            address,
        })
    }
}
