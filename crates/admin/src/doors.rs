//! All doors: opened at the start, served until the end.

#[cfg(test)]
mod tests;

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use palisade_config::{AdminSettings, MetricsSettings};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::admin_door::AdminDoor;
use crate::context::AdminContext;
use crate::decisions_door::DecisionsDoor;
use crate::door::{self, Acceptor};
use crate::loopback_hosts::LoopbackHosts;
use crate::metrics_door::MetricsDoor;
use crate::peer;
use crate::unix_socket::{AdminSocket, SocketError};

/// The doors that the settings name, open: connections wait until they are [served](Self::serve).
#[derive(Debug, Default)]
pub struct Doors {
    metrics: Option<BoundAddress>,
    admin: Option<(BoundAddress, LoopbackHosts)>,
    socket: Option<AdminSocket>,
}

#[derive(Debug)]
struct BoundAddress {
    listener: TcpListener,
    /// With the real port, where the settings say 0.
    address: SocketAddr,
}

/// Why a door can't be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DoorError {
    /// An address can't be bound.
    #[error("can't open {door} at {address}: {source}{}", advice(.source))]
    Address {
        /// Which door: the name of its section in the settings.
        door: &'static str,
        /// Where.
        address: SocketAddr,
        /// Why.
        source: io::Error,
    },
    /// The socket can't be made.
    #[error("can't open the admin socket {path}: {source}")]
    Socket {
        /// Where.
        path: PathBuf,
        /// Why.
        source: SocketError,
    },
    /// The runtime can't watch a socket.
    #[error("can't serve: {0}")]
    Serve(#[from] io::Error),
}

fn advice(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::AddrInUse => {
            "; another process listens there, perhaps another Palisade: stop it, or choose another port"
        }
        io::ErrorKind::AddrNotAvailable => "; no interface of this machine has the address",
        io::ErrorKind::PermissionDenied => {
            "; ports below 1024 need CAP_NET_BIND_SERVICE: choose a higher one"
        }
        _ => "",
    }
}

impl Doors {
    /// Opens the doors. Works inside a tokio runtime and outside of one.
    ///
    /// # Errors
    /// When one of them can't be opened; none stays open then.
    pub fn bind(
        metrics: Option<&MetricsSettings>,
        admin: Option<&AdminSettings>,
    ) -> Result<Self, DoorError> {
        let metrics = metrics.map(|metrics| BoundAddress::bind("metrics", metrics.address));
        let admin_address = admin.and_then(|admin| Some((admin, admin.address?)));
        let admin_address = admin_address.map(|(admin, address)| {
            let bound = BoundAddress::bind("admin", address)?;
            Ok::<_, DoorError>((bound, LoopbackHosts::new(&admin.hosts)))
        });
        let socket = admin.and_then(|admin| admin.socket.as_deref());
        let socket = socket.map(|path| {
            AdminSocket::bind(path).map_err(|source| DoorError::Socket {
                path: path.to_owned(),
                source,
            })
        });
        Ok(Self {
            metrics: metrics.transpose()?,
            admin: admin_address.transpose()?,
            socket: socket.transpose()?,
        })
    }

    /// Where the metrics door is.
    #[must_use]
    pub fn metrics_address(&self) -> Option<SocketAddr> {
        self.metrics.as_ref().map(|bound| bound.address)
    }

    /// Where the loopback admin door is.
    #[must_use]
    pub fn admin_address(&self) -> Option<SocketAddr> {
        self.admin.as_ref().map(|(bound, _)| bound.address)
    }

    /// Where the admin socket is.
    #[must_use]
    pub fn admin_socket(&self) -> Option<&Path> {
        self.socket.as_ref().map(AdminSocket::path)
    }

    /// Serves until `shutdown` is ready; then closes the doors, finishes what is under way within
    /// five seconds, and removes the socket's file. Needs a tokio runtime with time and I/O; let it
    /// be none that serves clients.
    ///
    /// # Errors
    /// When the runtime can't watch the sockets.
    pub async fn serve(
        self,
        context: Arc<AdminContext>,
        shutdown: impl Future<Output = ()>,
    ) -> Result<(), DoorError> {
        let (stop, stopping) = watch::channel(false);
        let mut serving = JoinSet::new();
        if let Some(bound) = self.metrics {
            let acceptor = bound.into_acceptor()?;
            let context = Arc::clone(&context);
            let door = Arc::new(MetricsDoor { context });
            serving.spawn(door::serve(acceptor, door, stopping.clone()));
        }
        if let Some((bound, hosts)) = self.admin {
            let acceptor = bound.into_acceptor()?;
            let context = Arc::clone(&context);
            let door = Arc::new(AdminDoor { context, hosts });
            serving.spawn(door::serve(acceptor, door, stopping.clone()));
        }
        let (listener, socket_file) = self.socket.map(AdminSocket::into_parts).unzip();
        if let Some(listener) = listener {
            let acceptor = Acceptor::Unix(tokio::net::UnixListener::from_std(listener)?);
            let owner = peer::own_user();
            let door = Arc::new(DecisionsDoor { context, owner });
            serving.spawn(door::serve(acceptor, door, stopping));
        }
        shutdown.await;
        // First the name, then the socket: who comes now finds no socket rather than a dead one.
        drop(socket_file);
        stop.send_replace(true);
        while serving.join_next().await.is_some() {}
        Ok(())
    }
}

impl BoundAddress {
    fn bind(door: &'static str, address: SocketAddr) -> Result<Self, DoorError> {
        let bind = || {
            let listener = TcpListener::bind(address)?;
            listener.set_nonblocking(true)?;
            let address = listener.local_addr()?;
            Ok(Self { listener, address })
        };
        bind().map_err(|source| DoorError::Address {
            door,
            address,
            source,
        })
    }

    fn into_acceptor(self) -> io::Result<Acceptor> {
        let listener = tokio::net::TcpListener::from_std(self.listener)?;
        Ok(Acceptor::Tcp(listener))
    }
}
