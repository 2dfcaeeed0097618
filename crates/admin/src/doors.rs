//! All doors: opened at the start, changed by reloads, closed last.

#[cfg(test)]
mod tests;

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::{AsFd, OwnedFd};
use std::path::PathBuf;
use std::sync::Arc;

use arc_swap::ArcSwap;
use palisade_config::{AdminSettings, MetricsSettings};
use palisade_upstream::{OwnDoor, OwnDoors};
use parking_lot::Mutex;
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::admin_door::AdminDoor;
use crate::context::AdminContext;
use crate::decisions_door::DecisionsDoor;
use crate::door::{self, Acceptor};
use crate::loopback_hosts::LoopbackHosts;
use crate::metrics_door::MetricsDoor;
use crate::peer;
use crate::unix_socket::{AdminSocket, SocketError, SocketFile};

/// Which door, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DoorAt {
    /// `/metrics`, `/healthz`, `/readyz`.
    Metrics(SocketAddr),
    /// `/status`, for this machine.
    Admin(SocketAddr),
    /// `/status` and decisions, for our own user.
    Socket(PathBuf),
}

/// A socket that is open already, which another process opened.
#[derive(Debug)]
pub struct OpenSocket {
    /// The socket; it listens.
    pub fd: OwnedFd,
    /// Whether the file of a Unix socket is removed in the end: not where somebody else, like systemd,
    /// keeps the socket open.
    pub is_ours: bool,
}

/// The doors that the settings name, open: connections wait until they are [served](Self::serve).
#[derive(Debug)]
pub struct Doors {
    bound: Vec<BoundDoor>,
    hosts: LoopbackHosts,
    own_doors: Arc<OwnDoors>,
}

/// A door that is open and not yet served.
#[derive(Debug)]
struct BoundDoor {
    /// As the settings say it.
    named: DoorAt,
    /// With the real port, where the settings say 0.
    at: DoorAt,
    socket: BoundSocket,
    /// Tells those who connect to servers that this is none; nothing for a Unix socket.
    own: Option<OwnDoor>,
}

#[derive(Debug)]
enum BoundSocket {
    Tcp(TcpListener),
    Unix(AdminSocket),
}

/// A door that a runtime watches.
struct WatchedDoor {
    named: DoorAt,
    at: DoorAt,
    acceptor: Acceptor,
    /// The same socket, for another process.
    copy: OwnedFd,
    file: Option<SocketFile>,
    own: Option<OwnDoor>,
}

/// The doors that are being served.
pub struct OpenDoors {
    context: Arc<AdminContext>,
    /// Where they are served.
    runtime: Handle,
    hosts: Arc<ArcSwap<LoopbackHosts>>,
    own_doors: Arc<OwnDoors>,
    serving: Mutex<Serving>,
}

#[derive(Default)]
struct Serving {
    open: Vec<OpenDoor>,
    /// Those of closed doors too, until what was under way there is done.
    tasks: JoinSet<()>,
}

struct OpenDoor {
    named: DoorAt,
    at: DoorAt,
    copy: OwnedFd,
    /// Removed first, when the door closes: who comes then finds no socket rather than a dead one.
    file: Option<SocketFile>,
    own: Option<OwnDoor>,
    stop: watch::Sender<bool>,
}

/// A change of the doors that can't fail any more. Dropped, it has changed nothing.
#[must_use]
pub struct DoorChange {
    wanted: Vec<DoorAt>,
    new: Vec<WatchedDoor>,
    hosts: LoopbackHosts,
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
        Self::take(metrics, admin, Arc::default(), &mut |_| None)
    }

    /// Opens the doors, on the sockets that `open` has for them where it has any. From when one is
    /// open until it is closed it is in `own_doors`, those that a reload opens too.
    ///
    /// # Errors
    /// As [`Self::bind`].
    pub fn take(
        metrics: Option<&MetricsSettings>,
        admin: Option<&AdminSettings>,
        own_doors: Arc<OwnDoors>,
        open: &mut dyn FnMut(&DoorAt) -> Option<OpenSocket>,
    ) -> Result<Self, DoorError> {
        let bound = wanted(metrics, admin)
            .into_iter()
            .map(|door| match open(&door) {
                Some(socket) => BoundDoor::take(door, socket, &own_doors),
                None => BoundDoor::bind(door, &own_doors),
            });
        Ok(Self {
            bound: bound.collect::<Result<_, _>>()?,
            hosts: hosts_of(admin),
            own_doors,
        })
    }

    /// Serves them on the runtime that this is called on, until they are [closed](OpenDoors::close).
    /// Let it be one with time and I/O that serves no clients.
    ///
    /// # Errors
    /// When the runtime can't watch the sockets.
    pub fn serve(self, context: Arc<AdminContext>) -> Result<OpenDoors, DoorError> {
        let doors = OpenDoors {
            context,
            runtime: Handle::current(),
            hosts: Arc::new(ArcSwap::from_pointee(self.hosts.clone())),
            own_doors: self.own_doors,
            serving: Mutex::default(),
        };
        let wanted = self.bound.iter().map(|door| door.named.clone()).collect();
        let new = self.bound.into_iter().map(|door| door.on(&doors.runtime));
        let change = DoorChange {
            wanted,
            new: new.collect::<Result<_, _>>()?,
            hosts: self.hosts,
        };
        doors.change(change);
        Ok(doors)
    }
}

impl OpenDoors {
    /// Where the doors are, with their real ports.
    pub fn at(&self) -> Vec<DoorAt> {
        let serving = self.serving.lock();
        serving.open.iter().map(|door| door.at.clone()).collect()
    }

    /// Makes everything ready for other settings, new sockets included. A door that they name where it
    /// is already stays as it is. Nothing changes yet.
    ///
    /// # Errors
    /// When a new door can't be opened.
    pub fn prepare(
        &self,
        metrics: Option<&MetricsSettings>,
        admin: Option<&AdminSettings>,
    ) -> Result<DoorChange, DoorError> {
        let wanted = wanted(metrics, admin);
        let serving = self.serving.lock();
        let is_new = |at: &&DoorAt| serving.open.iter().all(|open| open.named != **at);
        let new = wanted.iter().filter(is_new).map(|at| {
            let bound = BoundDoor::bind(at.clone(), &self.own_doors)?;
            Ok::<_, DoorError>(bound.on(&self.runtime)?)
        });
        Ok(DoorChange {
            new: new.collect::<Result<_, _>>()?,
            wanted,
            hosts: hosts_of(admin),
        })
    }

    /// Opens and closes doors. What is under way at a closed one is finished within five seconds.
    pub fn change(&self, change: DoorChange) {
        self.hosts.store(Arc::new(change.hosts));
        let mut serving = self.serving.lock();
        let unwanted = |open: &mut OpenDoor| !change.wanted.contains(&open.named);
        for door in serving.open.extract_if(.., unwanted) {
            door.close();
        }
        while serving.tasks.try_join_next().is_some() {}
        for door in change.new {
            let (stop, stopping) = watch::channel(false);
            self.spawn(&mut serving.tasks, &door.at, door.acceptor, stopping);
            serving.open.push(OpenDoor {
                named: door.named,
                at: door.at,
                copy: door.copy,
                file: door.file,
                own: door.own,
                stop,
            });
        }
    }

    fn spawn(
        &self,
        tasks: &mut JoinSet<()>,
        at: &DoorAt,
        acceptor: Acceptor,
        stopping: watch::Receiver<bool>,
    ) {
        let context = Arc::clone(&self.context);
        match at {
            DoorAt::Metrics(_) => {
                let door = Arc::new(MetricsDoor { context });
                tasks.spawn_on(door::serve(acceptor, door, stopping), &self.runtime)
            }
            DoorAt::Admin(_) => {
                let hosts = Arc::clone(&self.hosts);
                let door = Arc::new(AdminDoor { context, hosts });
                tasks.spawn_on(door::serve(acceptor, door, stopping), &self.runtime)
            }
            DoorAt::Socket(_) => {
                let owner = peer::own_user();
                let door = Arc::new(DecisionsDoor { context, owner });
                tasks.spawn_on(door::serve(acceptor, door, stopping), &self.runtime)
            }
        };
    }

    /// The sockets of all doors once more, for another process, each where the settings name it.
    ///
    /// # Errors
    /// When the process has no file descriptors left.
    pub fn sockets(&self) -> io::Result<Vec<(DoorAt, OpenSocket)>> {
        let serving = self.serving.lock();
        let copies = serving.open.iter().map(|door| {
            let socket = OpenSocket {
                fd: door.copy.try_clone()?,
                is_ours: door.file.is_some(),
            };
            Ok((door.named.clone(), socket))
        });
        copies.collect()
    }

    /// As [`Self::close`], for sockets that another process has now: the file stays.
    pub async fn leave(&self) {
        for door in &mut self.serving.lock().open {
            if let Some(file) = door.file.take() {
                file.leave();
            }
            if let Some(own) = &door.own {
                own.leave();
            }
        }
        self.close().await;
    }

    /// Closes all doors, finishes what is under way within five seconds, and removes the socket's file.
    pub async fn close(&self) {
        let Serving { open, mut tasks } = std::mem::take(&mut *self.serving.lock());
        for door in open {
            door.close();
        }
        while tasks.join_next().await.is_some() {}
    }
}

impl OpenDoor {
    fn close(self) {
        drop(self.file);
        self.stop.send_replace(true);
        // Nothing is accepted any more: somebody else may listen there.
        drop(self.own);
    }
}

/// The doors that these settings name.
fn wanted(metrics: Option<&MetricsSettings>, admin: Option<&AdminSettings>) -> Vec<DoorAt> {
    let metrics = metrics.map(|metrics| DoorAt::Metrics(metrics.address));
    let address = admin.and_then(|admin| admin.address).map(DoorAt::Admin);
    let socket = admin.and_then(|admin| admin.socket.clone());
    let socket = socket.map(DoorAt::Socket);
    [metrics, address, socket].into_iter().flatten().collect()
}

fn hosts_of(admin: Option<&AdminSettings>) -> LoopbackHosts {
    LoopbackHosts::new(admin.map_or(&[], |admin| &admin.hosts))
}

impl BoundDoor {
    fn bind(named: DoorAt, own_doors: &Arc<OwnDoors>) -> Result<Self, DoorError> {
        let (at, socket) = match &named {
            DoorAt::Metrics(address) => {
                let (socket, address) = bind("metrics", *address)?;
                (DoorAt::Metrics(address), BoundSocket::Tcp(socket))
            }
            DoorAt::Admin(address) => {
                let (socket, address) = bind("admin", *address)?;
                (DoorAt::Admin(address), BoundSocket::Tcp(socket))
            }
            DoorAt::Socket(path) => {
                let socket = AdminSocket::bind(path).map_err(|source| DoorError::Socket {
                    path: path.clone(),
                    source,
                })?;
                (named.clone(), BoundSocket::Unix(socket))
            }
        };
        Ok(Self::new(named, at, socket, own_doors))
    }

    fn new(named: DoorAt, at: DoorAt, socket: BoundSocket, own_doors: &Arc<OwnDoors>) -> Self {
        let own = match &at {
            DoorAt::Metrics(address) | DoorAt::Admin(address) => Some(own_doors.open(*address)),
            DoorAt::Socket(_) => None,
        };
        Self {
            named,
            at,
            socket,
            own,
        }
    }

    /// The door of a socket that is open already.
    fn take(
        named: DoorAt,
        socket: OpenSocket,
        own_doors: &Arc<OwnDoors>,
    ) -> Result<Self, DoorError> {
        let OpenSocket { fd, is_ours } = socket;
        let tcp = |fd: OwnedFd| {
            let listener = TcpListener::from(fd);
            listener.set_nonblocking(true)?;
            let address = listener.local_addr()?;
            Ok::<_, io::Error>((BoundSocket::Tcp(listener), address))
        };
        let (at, socket) = match &named {
            DoorAt::Metrics(_) => {
                let (socket, address) = tcp(fd)?;
                (DoorAt::Metrics(address), socket)
            }
            DoorAt::Admin(_) => {
                let (socket, address) = tcp(fd)?;
                (DoorAt::Admin(address), socket)
            }
            DoorAt::Socket(path) => {
                let socket = AdminSocket::take(fd.into(), path, is_ours);
                let socket = socket.map_err(|source| DoorError::Socket {
                    path: path.clone(),
                    source,
                })?;
                (named.clone(), BoundSocket::Unix(socket))
            }
        };
        Ok(Self::new(named, at, socket, own_doors))
    }

    /// The same door, watched by `runtime`.
    fn on(self, runtime: &Handle) -> io::Result<WatchedDoor> {
        let _entered = runtime.enter();
        let (acceptor, copy, file) = match self.socket {
            BoundSocket::Tcp(socket) => {
                let copy = socket.as_fd().try_clone_to_owned()?;
                let socket = tokio::net::TcpListener::from_std(socket)?;
                (Acceptor::Tcp(socket), copy, None)
            }
            BoundSocket::Unix(socket) => {
                let (socket, file) = socket.into_parts();
                let copy = socket.as_fd().try_clone_to_owned()?;
                let socket = tokio::net::UnixListener::from_std(socket)?;
                (Acceptor::Unix(socket), copy, file)
            }
        };
        Ok(WatchedDoor {
            named: self.named,
            at: self.at,
            acceptor,
            copy,
            file,
            own: self.own,
        })
    }
}

fn bind(door: &'static str, address: SocketAddr) -> Result<(TcpListener, SocketAddr), DoorError> {
    let bind = || {
        let listener = TcpListener::bind(address)?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        Ok((listener, address))
    };
    bind().map_err(|source| DoorError::Address {
        door,
        address,
        source,
    })
}
