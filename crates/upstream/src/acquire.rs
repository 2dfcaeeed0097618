//! A ready connection for a request: one that is there, else a new one, else one to another server.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use palisade_transport::Connection;
use palisade_vocabulary::Tick;
use tokio::time::{Instant, timeout, timeout_at};

use crate::connect::{ConnectError, ConnectStep, Introduction, Opened, ProxySource, Way, open};
use crate::http2::{Http2Connection, Http2Slot};
use crate::keep_alive::Kept;
use crate::pool::{NoServer, Pool, Tried};
use crate::server::{InFlight, Server};
use crate::settings::{Protocol, Queueing};

/// What a request needs of a pool.
#[derive(Clone, Copy, Debug)]
pub struct Need {
    /// The client, whose address may decide the server, and where it connected to. Both are sent
    /// in the PROXY header where the pool has one.
    pub source: ProxySource,
    /// The time.
    pub now: Tick,
    /// Whether an idle connection may do that was used before. The second try of a request whose
    /// first met a connection that the server was closing says no. One that speaks HTTP/2 may do
    /// whenever it is open: its end is told.
    pub reuse: bool,
    /// Whether the request wants to leave HTTP behind (RFC 9110 section 7.8), which HTTP/1 alone
    /// can. A pool that speaks nothing but HTTP/2 doesn't heed it.
    pub upgrade: bool,
    /// Whether it has to be the first on an HTTP/2 connection, and the only one: a request that
    /// several shared ones ended without says so.
    pub own_connection: bool,
    /// Whether the pool had this request before: then it doesn't count as one more, and earns no
    /// second try.
    pub is_again: bool,
    /// An address that this request doesn't want again, where the server's name stands for others.
    pub but: Option<SocketAddr>,
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
            upgrade: false,
            own_connection: false,
            is_again: false,
            but: None,
            tried: Tried::default(),
        }
    }
}

/// What a request is sent on.
#[derive(Debug)]
pub enum Channel {
    /// A connection of its own.
    Http1(Box<Connection>),
    /// A place on one that other requests use too.
    Http2(Http2Slot),
}

/// A connection that is ready for one request.
#[derive(Debug)]
pub struct Acquired {
    /// The connection, or the place on one.
    pub channel: Channel,
    /// Whether another request used it before. If it turns out to be closed before a byte of the
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
        } else if need.is_again {
            self.pick_again(need.source.source.ip, need.now, need.tried)
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
        let protocol = self.protocol_for(need);
        if protocol != Protocol::Http1
            && !need.own_connection
            && let Some(slot) = server.http2_slot(self.bound_to(need), now)
        {
            return Ok(ready_http2(slot, true, server));
        }
        let idle = if need.reuse && protocol != Protocol::Http2 {
            server.idle_connection(self.bound_to(need), now)
        } else {
            None
        };
        match idle {
            Some(kept) => Ok(self.ready_http1(need, kept, true, server)),
            None => Err(server),
        }
    }

    fn protocol_for(&self, need: &Need) -> Protocol {
        match self.settings().protocol {
            Protocol::Auto if need.upgrade => Protocol::Http1,
            protocol => protocol,
        }
    }

    /// Whom alone a connection for the request may serve.
    fn bound_to<'a>(&self, need: &'a Need) -> Option<&'a ProxySource> {
        self.sends_proxy_header().then_some(&need.source)
    }

    fn ready_http1(&self, need: &Need, kept: Kept, reused: bool, mut server: InFlight) -> Acquired {
        server.connected(kept.address, self.bound_to(need).copied());
        Acquired {
            channel: Channel::Http1(kept.connection),
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
            let opened = self.open(need, &mut server, left, started, observer);
            let last = match opened.await {
                Ok((Ready::Http1(kept), reused)) => {
                    return Ok(self.ready_http1(need, kept, reused, server));
                }
                Ok((Ready::Http2(slot), reused)) => return Ok(ready_http2(slot, reused, server)),
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

    /// A new connection to `server`; or a place on one that another request was opening, so that
    /// many requests that come together don't open one each. Says whether it is that.
    async fn open(
        &self,
        need: &Need,
        server: &mut InFlight,
        left: Duration,
        started: Instant,
        observer: &mut impl AttemptObserver,
    ) -> Result<(Ready, bool), ConnectError> {
        let deadline = Instant::now() + self.timeouts().connect().min(left);
        let protocol = self.protocol_for(need);
        let http2 = Arc::clone(&server.server().http2);
        let can_share =
            protocol != Protocol::Http1 && !need.own_connection && !self.sends_proxy_header();
        let turn = if can_share && !http2.is_unlikely() {
            let turn = timeout_at(deadline, http2.opening().lock_owned()).await;
            let turn = turn.map_err(|_| ConnectError::Timeout(ConnectStep::Shared))?;
            let now = need.now + started.elapsed();
            if let Some(slot) = server.http2_slot(None, now) {
                return Ok((Ready::Http2(slot), true));
            }
            Some(turn).filter(|_| !http2.is_unlikely())
        } else {
            None
        };
        let ready = self.attempt(need, server, protocol, deadline, started, observer);
        let ready = ready.await?;
        drop(turn);
        Ok((ready, false))
    }

    async fn attempt(
        &self,
        need: &Need,
        server: &mut InFlight,
        protocol: Protocol,
        deadline: Instant,
        started: Instant,
        observer: &mut impl AttemptObserver,
    ) -> Result<Ready, ConnectError> {
        let begun = Instant::now();
        let introduction = self
            .settings()
            .proxy_protocol
            .map_or(Introduction::None, |version| {
                Introduction::Client(version, need.source)
            });
        let way = need.but.map_or(Way::Any, Way::But);
        let result = open_counted(server.server(), way, introduction, protocol, deadline).await;
        let failed = result.as_ref().is_err_and(ConnectError::blames_server);
        let now = need.now + started.elapsed();
        let ejected = failed && server.failed(now);
        observer.attempted(&Attempt {
            pool: self.name(),
            server: server.server().label(),
            took: begun.elapsed(),
            result: result.as_ref().map(|_| ()),
            ejected,
        });
        let http2 = &server.server().http2;
        let (opened, address) = result?;
        Ok(match opened {
            Opened::Http1(connection) => {
                if protocol == Protocol::Auto {
                    http2.set_unlikely(true);
                }
                Ready::Http1(Kept {
                    connection: Box::new(connection),
                    address,
                })
            }
            Opened::Http2(opened) => {
                http2.set_unlikely(false);
                let connection =
                    Http2Connection::new(opened, address, self.bound_to(need).copied());
                Ready::Http2(match need.own_connection {
                    true => Http2Slot::new(&connection, now),
                    false => http2.check_in(connection, now),
                })
            }
        })
    }
}

/// Opens a connection to `server`, where there may be one more.
async fn open_counted(
    server: &Server,
    way: Way,
    introduction: Introduction,
    protocol: Protocol,
    deadline: Instant,
) -> Result<(Opened, SocketAddr), ConnectError> {
    if protocol != Protocol::Http1 && !server.http2.has_room() {
        return Err(ConnectError::AllFull);
    }
    let counted = match protocol {
        Protocol::Http2 => None,
        Protocol::Http1 | Protocol::Auto => {
            let counted = server.count_connection(deadline).await;
            Some(counted.ok_or(ConnectError::NoRoom)?)
        }
    };
    let (mut opened, address) = open(server, way, introduction, protocol, deadline).await?;
    if let (Opened::Http1(connection), Some(counted)) = (&mut opened, counted) {
        connection.outlive_by(Box::new(counted));
    }
    Ok((opened, address))
}

/// What a request can be sent on.
enum Ready {
    Http1(Kept),
    Http2(Http2Slot),
}

fn ready_http2(slot: Http2Slot, reused: bool, mut server: InFlight) -> Acquired {
    server.connected(slot.address(), None);
    Acquired {
        channel: Channel::Http2(slot),
        reused,
        server,
    }
}
