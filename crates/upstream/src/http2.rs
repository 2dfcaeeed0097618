//! HTTP/2 connections to one server: each carries many requests at a time (RFC 9113 section 5).
//!
//! As with idle connections, each runtime uses those that it opened itself. A connection lives in
//! the list while it may be given to further requests; those that have it keep it alive after that,
//! and it closes itself when nobody has it any more.

mod driver;

use std::future::poll_fn;
use std::mem;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering::Relaxed};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use h2::client::{ResponseFuture, SendRequest};
use h2::{Reason, SendStream};
use http::Request;
use palisade_transport::Connection;
use palisade_vocabulary::Tick;
use parking_lot::Mutex;
use tokio::runtime;
use tokio::time::{Instant, timeout_at};

use crate::connect::{ConnectError, ConnectStep, ProxySource};
use crate::keep_alive::this_runtime;
use crate::settings::KeepAlive;

/// Requests on one connection at a time, where the server allows as many (RFC 9113 section 5.1.2).
pub const STREAMS_MAX: u32 = 128;

/// HTTP/2 connections of one runtime to one server.
pub const HTTP2_CONNECTIONS_MAX: usize = 1024;

/// How much of an answer is taken before the client has taken any of it (RFC 9113 section 5.2).
pub const STREAM_WINDOW_BYTES: u32 = 128 * 1024;

/// All windows of a connection together: clients that take nothing hold no other's answer up.
const CONNECTION_WINDOW_BYTES: u32 = STREAMS_MAX * STREAM_WINDOW_BYTES;

/// How much of a request's body is kept for a server that doesn't take it.
const SEND_BUFFER_BYTES_MAX: usize = 64 * 1024;

/// The largest head of an answer, and the largest trailers.
const HEAD_BYTES_MAX: u32 = 64 * 1024;

/// The HTTP/2 connections to one server that have room for a request.
#[derive(Debug, Default)]
pub(crate) struct Http2Connections {
    homes: Mutex<Vec<Home>>,
    /// Whether the server, when it could last choose, chose HTTP/1.
    unlikely: AtomicBool,
}

/// What one runtime opened.
#[derive(Debug)]
struct Home {
    runtime: Option<runtime::Id>,
    /// Whoever opens a connection that others can share holds this meanwhile.
    opening: Arc<tokio::sync::Mutex<()>>,
    connections: Vec<Arc<Http2Connection>>,
}

/// One connection.
pub(crate) struct Http2Connection {
    sender: SendRequest<Bytes>,
    /// Where it leads to.
    address: SocketAddr,
    /// Whom the PROXY header at its start speaks for; no other client may use it.
    bound_to: Option<ProxySource>,
    load: Arc<Load>,
    /// When the last request that ended well ended, as a tick's milliseconds.
    last_used: AtomicU64,
    /// Whether somebody has told that it broke.
    break_told: AtomicBool,
}

/// How much a connection has to do.
#[derive(Debug, Default)]
struct Load {
    requests: AtomicU32,
}

impl std::fmt::Debug for Http2Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Http2Connection")
            .field("load", &self.load)
            .finish_non_exhaustive()
    }
}

impl Http2Connections {
    /// A place on a connection that was opened here for `bound_to`. Hot path: allocates nothing.
    pub(crate) fn check_out(
        &self,
        bound_to: Option<&ProxySource>,
        now: Tick,
        limits: KeepAlive,
    ) -> Option<Http2Slot> {
        let mut homes = self.homes.lock();
        let runtime = this_runtime();
        let home = homes.iter_mut().find(|home| home.runtime == runtime)?;
        let mut at = 0;
        while let Some(connection) = home.connections.get(at) {
            if connection.bound_to.as_ref() != bound_to || !connection.has_room() {
                at += 1;
            } else if connection.is_over(now, limits) {
                // Dropped under the lock: that wakes its task and does no more.
                home.connections.remove(at);
            } else {
                return Some(Http2Slot::new(connection, now));
            }
        }
        None
    }

    /// Adds a connection, and gives the first place on it.
    pub(crate) fn check_in(&self, connection: Arc<Http2Connection>, now: Tick) -> Http2Slot {
        let slot = Http2Slot::new(&connection, now);
        self.with_home(|home| home.connections.push(connection));
        slot
    }

    /// What to hold while a connection is opened that other requests here can share.
    pub(crate) fn opening(&self) -> Arc<tokio::sync::Mutex<()>> {
        self.with_home(|home| Arc::clone(&home.opening))
    }

    /// Whether the server, when it could last choose, chose HTTP/1: then no connection is shared, and
    /// none has to be waited for.
    pub(crate) fn is_unlikely(&self) -> bool {
        self.unlikely.load(Relaxed)
    }

    pub(crate) fn set_unlikely(&self, unlikely: bool) {
        self.unlikely.store(unlikely, Relaxed);
    }

    /// Whether this runtime may open one more.
    pub(crate) fn has_room(&self) -> bool {
        self.with_home(|home| home.connections.len() < HTTP2_CONNECTIONS_MAX)
    }

    fn with_home<T>(&self, then: impl FnOnce(&mut Home) -> T) -> T {
        let mut homes = self.homes.lock();
        let runtime = this_runtime();
        if let Some(home) = homes.iter_mut().find(|home| home.runtime == runtime) {
            return then(home);
        }
        let mut home = Home {
            runtime,
            opening: Arc::default(),
            connections: Vec::new(),
        };
        let result = then(&mut home);
        homes.push(home);
        result
    }

    /// Drops what is idle for too long, was closed by the server, or is idle and more than `limits`
    /// allow. Returns how many that were.
    pub(crate) fn sweep(&self, now: Tick, limits: KeepAlive) -> usize {
        let mut gone = Vec::new();
        let mut homes = self.homes.lock();
        for home in homes.iter_mut() {
            let mut idle = 0;
            gone.extend(home.connections.extract_if(.., |connection| {
                idle += usize::from(connection.load.is_idle());
                let surplus = idle > usize::from(limits.idle_connections_max());
                connection.is_over(now, limits) || (connection.load.is_idle() && surplus)
            }));
        }
        homes.retain(|home| !home.connections.is_empty() || Arc::strong_count(&home.opening) > 1);
        drop(homes);
        gone.len()
    }

    /// Gives no request to the connections that lead to an address which `is_good` refuses.
    pub(crate) fn keep_only(&self, is_good: impl Fn(SocketAddr) -> bool) {
        for home in self.homes.lock().iter_mut() {
            home.connections
                .retain(|connection| is_good(connection.address));
        }
    }

    /// Gives no request to the connections that are there.
    pub(crate) fn clear(&self) {
        let all = mem::take(&mut *self.homes.lock());
        drop(all);
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        let homes = self.homes.lock();
        homes.iter().map(|home| home.connections.len()).sum()
    }
}

impl Http2Connection {
    pub(crate) fn new(
        opened: OpenedHttp2,
        address: SocketAddr,
        bound_to: Option<ProxySource>,
    ) -> Arc<Self> {
        Arc::new(Self {
            sender: opened.sender,
            address,
            bound_to,
            load: opened.load,
            last_used: AtomicU64::new(0),
            break_told: AtomicBool::new(false),
        })
    }

    fn has_room(&self) -> bool {
        let server_max = self.sender.current_max_send_streams();
        let max = u32::try_from(server_max).map_or(STREAMS_MAX, |max| max.min(STREAMS_MAX));
        self.load.requests.load(Relaxed) < max
    }

    /// Whether it must not have another request: idle for too long, closed, or told to end.
    fn is_over(&self, now: Tick, limits: KeepAlive) -> bool {
        let last_used = Tick::from_millis(self.last_used.load(Relaxed));
        let idle_for_too_long = self.load.is_idle()
            && (now.since(last_used) >= limits.idle_timeout()
                || limits.idle_connections_max() == 0);
        idle_for_too_long || !self.is_open()
    }

    /// Whether the server takes new requests on it, as far as is known: no GOAWAY came (RFC 9113
    /// section 6.8).
    fn is_open(&self) -> bool {
        let mut cx = Context::from_waker(Waker::noop());
        matches!(self.sender.clone().poll_ready(&mut cx), Poll::Ready(Ok(())))
    }
}

impl Load {
    fn is_idle(&self) -> bool {
        self.requests.load(Relaxed) == 0
    }
}

/// A request's place on a connection; given back when dropped.
#[derive(Debug)]
pub struct Http2Slot {
    connection: Arc<Http2Connection>,
}

impl Http2Slot {
    /// A place on `connection`, which may be in no list: then nobody else gets one.
    pub(crate) fn new(connection: &Arc<Http2Connection>, now: Tick) -> Self {
        connection.load.requests.fetch_add(1, Relaxed);
        connection.last_used.store(now.as_millis(), Relaxed);
        Self {
            connection: Arc::clone(connection),
        }
    }

    /// Where its connection leads to.
    pub(crate) fn address(&self) -> SocketAddr {
        self.connection.address
    }

    /// Sends a request's head; `end` where nothing follows. One request for one place.
    ///
    /// # Errors
    /// When the connection has ended, or is told to; then nothing was sent. Or when HTTP/2 can't
    /// carry the head.
    pub fn send_request(
        &self,
        request: Request<()>,
        end: bool,
    ) -> Result<(ResponseFuture, SendStream<Bytes>), h2::Error> {
        self.connection.sender.clone().send_request(request, end)
    }

    /// Gives the place back at `now`, when the connection was in use for the last time.
    pub fn done(self, now: Tick) {
        let last_used = &self.connection.last_used;
        last_used.fetch_max(now.as_millis(), Relaxed);
    }

    /// Whether this is the first to tell that the connection broke: many requests meet what is one
    /// failure of the server.
    #[must_use]
    pub fn is_first_to_tell(&self) -> bool {
        !self.connection.break_told.swap(true, Relaxed)
    }
}

impl Drop for Http2Slot {
    fn drop(&mut self) {
        self.connection.load.requests.fetch_sub(1, Relaxed);
    }
}

/// A connection that was just opened.
pub(crate) struct OpenedHttp2 {
    sender: SendRequest<Bytes>,
    load: Arc<Load>,
}

/// Begins to speak HTTP/2 on a connection, and waits for the server's SETTINGS: they say how many
/// requests it takes, and that HTTP/2 is what it speaks (RFC 9113 section 3.4).
pub(crate) async fn open(
    mut connection: Connection,
    deadline: Instant,
) -> Result<OpenedHttp2, ConnectError> {
    let heard = driver::count_reads(&mut connection);
    let (sender, connection) = timeout_at(deadline, begin(connection))
        .await
        .map_err(|_| ConnectError::Timeout(ConnectStep::Settings))?
        .map_err(|error| ConnectError::NotHttp2(error.to_string()))?;
    let load = Arc::<Load>::default();
    tokio::spawn(driver::drive(connection, heard, Arc::clone(&load)));
    Ok(OpenedHttp2 { sender, load })
}

type Running = h2::client::Connection<Connection, Bytes>;

async fn begin(connection: Connection) -> Result<(SendRequest<Bytes>, Running), h2::Error> {
    let (sender, mut connection) = h2::client::Builder::new()
        .enable_push(false)
        .initial_max_send_streams(0)
        .initial_window_size(STREAM_WINDOW_BYTES)
        .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
        .max_send_buffer_size(SEND_BUFFER_BYTES_MAX)
        .max_header_list_size(HEAD_BYTES_MAX)
        .handshake(connection)
        .await?;
    poll_fn(|cx| match Pin::new(&mut connection).poll(cx) {
        Poll::Ready(Ok(())) => Poll::Ready(Err(Reason::NO_ERROR.into())),
        Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
        Poll::Pending if sender.current_max_send_streams() > 0 => Poll::Ready(Ok(())),
        Poll::Pending => Poll::Pending,
    })
    .await?;
    Ok((sender, connection))
}
