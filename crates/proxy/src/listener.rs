//! Listening sockets and the loops that accept on them.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::{ArcSwap, ArcSwapOption};
use socket2::{Domain, Protocol, SockRef, Socket, Type};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::certificates::TlsError;
use crate::connection;
use crate::settings::ListenerSettings;
use crate::shared::Shared;
use crate::slots::ConnectionSlots;
use crate::terms::Terms;
use crate::waiting::BoundedWaiting;

/// How many connections the kernel keeps for us until we accept them.
const BACKLOG: i32 = 65_535;

/// How long to wait when the process has no file descriptors left, before trying again; each time a
/// connection that waits for its client is closed.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// A socket that listens, with its settings.
pub struct Listener {
    /// Where the settings put it: the port may be 0 there.
    named: SocketAddr,
    /// Where it listens.
    address: SocketAddr,
    terms: ArcSwap<Terms>,
    pub(crate) slots: Arc<ConnectionSlots>,
    /// Requests that wait for their client with memory in their hands.
    pub(crate) waiting_requests: Arc<BoundedWaiting>,
    /// Nothing once it is closed: new clients are refused then, not left to wait.
    socket: ArcSwapOption<std::net::TcpListener>,
    /// One for each loop that has a copy of the socket, besides this one.
    copies: Arc<()>,
    /// Turns true once: connections end with what they are at.
    draining: watch::Sender<bool>,
}

/// Why a listener can't be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ListenError {
    /// The address can't be bound.
    #[error("can't listen on {address}: {source}{}", bind_advice(.source))]
    Bind {
        /// Where.
        address: SocketAddr,
        /// Why.
        source: io::Error,
    },
    /// Its TLS settings can't be used.
    #[error("can't listen on {address}: {source}")]
    Tls {
        /// Where.
        address: SocketAddr,
        /// Why.
        source: TlsError,
    },
}

impl ListenError {
    /// Where it was to listen, as the settings say it.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        match self {
            Self::Bind { address, .. } | Self::Tls { address, .. } => *address,
        }
    }
}

fn bind_advice(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::PermissionDenied => "; ports below 1024 need CAP_NET_BIND_SERVICE",
        io::ErrorKind::AddrInUse => "; another process listens there",
        io::ErrorKind::AddrNotAvailable => "; no interface of this machine has the address",
        _ => "",
    }
}

impl Listener {
    /// Opens the socket.
    ///
    /// # Errors
    /// When the address can't be bound, or the TLS settings can't be used.
    pub fn bind(settings: ListenerSettings) -> Result<Arc<Self>, ListenError> {
        Self::bind_beside(settings, &[])
    }

    /// Opens the socket. That an address is bound already which one of `leaving` has is no reason to
    /// fail: they will be closed.
    pub(crate) fn bind_beside(
        settings: ListenerSettings,
        leaving: &[Arc<Self>],
    ) -> Result<Arc<Self>, ListenError> {
        let address = settings.address;
        let socket = match bind(address, false) {
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
                bind_over(address, leaving).unwrap_or(Err(error))
            }
            bound => bound,
        };
        let socket = socket.map_err(|source| ListenError::Bind { address, source })?;
        Self::from_socket(settings, socket)
    }

    /// Listens on a socket that is open already, whatever address `settings` name.
    ///
    /// # Errors
    /// When the socket doesn't listen, or the TLS settings can't be used.
    pub fn from_socket(
        settings: ListenerSettings,
        socket: std::net::TcpListener,
    ) -> Result<Arc<Self>, ListenError> {
        let named = settings.address;
        let terms = terms(Terms::new(settings), named)?;
        let address = ready(&socket).map_err(|source| ListenError::Bind {
            address: named,
            source,
        })?;
        Ok(Arc::new(Self {
            named,
            address,
            terms: ArcSwap::from_pointee(terms),
            slots: ConnectionSlots::new(),
            waiting_requests: Arc::default(),
            socket: ArcSwapOption::from_pointee(socket),
            copies: Arc::default(),
            draining: watch::Sender::new(false),
        }))
    }

    /// What the operator chose for it.
    #[must_use]
    pub fn settings(&self) -> ListenerSettings {
        self.terms.load().settings.clone()
    }

    /// Where the settings put it: port 0 is any free one.
    #[must_use]
    pub fn named(&self) -> SocketAddr {
        self.named
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn terms(&self) -> Arc<Terms> {
        self.terms.load_full()
    }

    /// The terms that `settings`, which name the same address, make. Nothing changes yet.
    pub(crate) fn prepare(&self, settings: ListenerSettings) -> Result<Terms, ListenError> {
        terms(self.terms.load().changed_to(settings), self.named)
    }

    /// Takes connections on other terms from now on.
    pub(crate) fn change(&self, new: Terms) {
        self.terms.store(Arc::new(new));
    }

    /// Turns true when connections are to end with what they are at.
    pub(crate) fn draining(&self) -> watch::Receiver<bool> {
        self.draining.subscribe()
    }

    /// Takes no more connections; those that there are end with what they are at.
    pub fn close(&self) {
        self.draining.send_replace(true);
        self.socket.store(None);
    }

    /// Whether nobody has the socket any more, so that its address is free.
    pub(crate) fn is_closed(&self) -> bool {
        self.socket.load().is_none() && Arc::strong_count(&self.copies) == 1
    }

    /// Accepts connections until the listener is closed or the process drains, and ends when they
    /// have, or after the [`drain_time`](crate::settings::ShutdownSettings::drain_time). Every worker
    /// thread runs one of these on the same socket, and serves on its own thread what it accepts.
    ///
    /// # Errors
    /// When the socket can't be used on this thread's runtime.
    pub async fn accept(self: Arc<Self>, shared: Arc<Shared>) -> io::Result<()> {
        let copy = Arc::clone(&self.copies);
        let Some(socket) = self.copy_of_socket()? else {
            return Ok(());
        };
        let socket = TcpListener::from_std(socket)?;
        let mut draining = self.draining();
        let mut process_draining = shared.draining.clone();
        let mut connections = JoinSet::new();
        let serve =
            |(tcp, peer)| connection::serve(tcp, peer, Arc::clone(&self), Arc::clone(&shared));
        loop {
            let accepted = tokio::select! {
                biased;
                _ = draining.wait_for(|draining| *draining) => break,
                _ = process_draining.wait_for(|draining| *draining) => break,
                Some(_) = connections.join_next() => continue,
                accepted = socket.accept() => accepted,
            };
            match accepted {
                Ok(accepted) => drop(connections.spawn(serve(accepted))),
                Err(error) if is_of_one_connection(&error) => {}
                // No descriptors or no memory: who waits for its client gives its own up.
                Err(_) => {
                    self.slots.evict();
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
        self.close();
        for accepted in waiting(&socket) {
            connections.spawn(serve(accepted));
        }
        // With the last copy of the socket the kernel stops taking connections.
        drop(socket);
        drop(copy);
        let ended = async { while connections.join_next().await.is_some() {} };
        let drain_time = shared.shutdown.load().drain_time;
        // Whoever is not done by then is cut off.
        let _ = timeout(drain_time, ended).await;
        Ok(())
    }

    /// The same socket once more, for another process; none once it is closed.
    ///
    /// # Errors
    /// When the process has no file descriptors left.
    pub fn copy_of_socket(&self) -> io::Result<Option<std::net::TcpListener>> {
        let socket = self.socket.load();
        socket.as_ref().map(|socket| socket.try_clone()).transpose()
    }
}

fn terms(made: Result<Terms, TlsError>, address: SocketAddr) -> Result<Terms, ListenError> {
    made.map_err(|source| ListenError::Tls { address, source })
}

/// Whoever is connected already and was not accepted yet: closing the socket would reset them.
fn waiting(socket: &TcpListener) -> impl Iterator<Item = (TcpStream, SocketAddr)> {
    let next = move || {
        let (tcp, peer) = SockRef::from(socket).accept().ok()?;
        tcp.set_nonblocking(true).ok()?;
        let tcp = TcpStream::from_std(tcp.into()).ok()?;
        Some((tcp, peer.as_socket()?))
    };
    std::iter::from_fn(next).take(usize::try_from(BACKLOG).unwrap_or(0))
}

/// Whether an error of accept(2) is about the connection that would have been accepted.
fn is_of_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::Interrupted
    )
}

fn bind(address: SocketAddr, reuse_port: bool) -> io::Result<std::net::TcpListener> {
    let socket = Socket::new(
        Domain::for_address(address),
        Type::STREAM,
        Some(Protocol::TCP),
    )?;
    // A restart must not wait for connections in TIME_WAIT.
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(reuse_port)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

/// Binds `address` though one of `leaving` has the port, on all addresses or on one of them: there
/// is no moment then in which nobody listens. Nothing where none of them has it.
fn bind_over(
    address: SocketAddr,
    leaving: &[Arc<Listener>],
) -> Option<io::Result<std::net::TcpListener>> {
    let sockets: Vec<_> = leaving
        .iter()
        .filter(|listener| listener.address.port() == address.port())
        .filter_map(|listener| listener.socket.load_full())
        .collect();
    if sockets.is_empty() {
        return None;
    }
    // SO_REUSEPORT (socket(7)) on both lets them share the port. Not for longer than it takes: what
    // binds without it, as a second Palisade does, is to find the port taken.
    let share = |shared| {
        let mut sockets = sockets.iter();
        sockets.try_for_each(|socket| SockRef::from(&**socket).set_reuse_port(shared))
    };
    let bound = share(true).and_then(|()| bind(address, true));
    let ended = share(false);
    Some(bound.and_then(|socket| {
        ended?;
        SockRef::from(&socket).set_reuse_port(false)?;
        Ok(socket)
    }))
}

/// Makes a socket fit for a runtime; where it listens.
fn ready(socket: &std::net::TcpListener) -> io::Result<SocketAddr> {
    socket.set_nonblocking(true)?;
    socket.local_addr()
}
