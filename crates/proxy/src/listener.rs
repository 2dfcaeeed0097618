//! Listening sockets and the loops that accept on them.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::{ArcSwap, ArcSwapOption};
use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::certificates::{TlsAcceptor, TlsError};
use crate::connection;
use crate::settings::{ListenerSettings, TlsSettings};
use crate::shared::Shared;
use crate::slots::ConnectionSlots;

/// How many connections the kernel keeps for us until we accept them.
const BACKLOG: i32 = 65_535;

/// How long to wait when the process has no file descriptors left, before trying again.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// How long connections may take to end what they are at when the process drains.
pub const DRAIN_TIME: Duration = Duration::from_secs(30);

/// A bound socket with its settings.
pub struct Listener {
    pub(crate) settings: ListenerSettings,
    pub(crate) tls: Option<ArcSwap<TlsAcceptor>>,
    pub(crate) slots: Arc<ConnectionSlots>,
    /// Where it listens: the port is the real one where the settings say 0.
    pub(crate) address: SocketAddr,
    /// Nothing once the process drains: new clients are refused then, not left to wait.
    socket: ArcSwapOption<std::net::TcpListener>,
}

/// Certificates that a listener can change to.
#[derive(Debug)]
pub struct NewCertificates(Arc<TlsAcceptor>);

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
        let address = settings.address;
        let socket = bind(address).map_err(|source| ListenError::Bind { address, source })?;
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
        let tls = settings
            .tls
            .as_ref()
            .map(|tls| TlsAcceptor::build(tls, settings.http2))
            .transpose()
            .map_err(|source| ListenError::Tls {
                address: named,
                source,
            })?;
        let address = ready(&socket).map_err(|source| ListenError::Bind {
            address: named,
            source,
        })?;
        let limits = &settings.limits;
        Ok(Arc::new(Self {
            slots: ConnectionSlots::new(limits.connections, limits.connections_per_address),
            tls: tls.map(ArcSwap::from_pointee),
            address,
            socket: ArcSwapOption::from_pointee(socket),
            settings,
        }))
    }

    /// What the operator chose for it.
    #[must_use]
    pub fn settings(&self) -> &ListenerSettings {
        &self.settings
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Makes other certificates ready to be used. Nothing changes yet.
    ///
    /// # Errors
    /// When they can't be used.
    pub fn prepare_certificates(&self, tls: &TlsSettings) -> Result<NewCertificates, TlsError> {
        let acceptor = TlsAcceptor::build(tls, self.settings.http2)?;
        Ok(NewCertificates(Arc::new(acceptor)))
    }

    /// Uses other certificates from the next handshake on; a listener without TLS has no use for any.
    pub fn replace_certificates(&self, new: NewCertificates) {
        if let Some(current) = &self.tls {
            current.store(new.0);
        }
    }

    /// Accepts connections until the process drains, and ends when they have, or after
    /// [`DRAIN_TIME`]. Every worker thread runs one of these on the
    /// same socket, and serves on its own thread what it accepts.
    ///
    /// # Errors
    /// When the socket can't be used on this thread's runtime.
    pub async fn accept(self: Arc<Self>, shared: Arc<Shared>) -> io::Result<()> {
        let Some(socket) = self.copy_of_socket()? else {
            return Ok(());
        };
        let socket = TcpListener::from_std(socket)?;
        let mut draining = shared.draining.clone();
        let mut connections = JoinSet::new();
        loop {
            let accepted = tokio::select! {
                biased;
                _ = draining.wait_for(|draining| *draining) => break,
                Some(_) = connections.join_next() => continue,
                accepted = socket.accept() => accepted,
            };
            match accepted {
                Ok((tcp, peer)) => {
                    let connection =
                        connection::serve(tcp, peer, Arc::clone(&self), Arc::clone(&shared));
                    connections.spawn(connection);
                }
                Err(error) if is_of_one_connection(&error) => {}
                // No descriptors or no memory: those that we have end sooner or later.
                Err(_) => tokio::time::sleep(ACCEPT_PAUSE).await,
            }
        }
        // With the last copy of the socket the kernel stops taking connections.
        drop(socket);
        self.socket.store(None);
        let ended = async { while connections.join_next().await.is_some() {} };
        // Whoever is not done by then is cut off.
        let _ = timeout(DRAIN_TIME, ended).await;
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

/// Whether an error of accept(2) is about the connection that would have been accepted.
fn is_of_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::Interrupted
    )
}

fn bind(address: SocketAddr) -> io::Result<std::net::TcpListener> {
    let socket = Socket::new(
        Domain::for_address(address),
        Type::STREAM,
        Some(Protocol::TCP),
    )?;
    // A restart must not wait for connections in TIME_WAIT.
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

/// Makes a socket fit for a runtime; where it listens.
fn ready(socket: &std::net::TcpListener) -> io::Result<SocketAddr> {
    socket.set_nonblocking(true)?;
    socket.local_addr()
}
