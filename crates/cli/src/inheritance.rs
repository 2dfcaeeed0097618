//! What others opened for this process: the one whose place it takes, or systemd (socket activation,
//! sd_listen_fds(3)).

use std::net::{SocketAddr, TcpListener};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixListener;
use std::path::PathBuf;

use listenfd::ListenFd;
use palisade_admin::{DoorAt, OpenSocket};
use palisade_decisions::Decision;
use palisade_telemetry::Report;

use crate::handover::SocketName;

/// What others opened, and what they knew.
#[derive(Default)]
pub(crate) struct Inheritance {
    sockets: Vec<(Purpose, OwnedFd)>,
    /// The operator's decisions.
    pub(crate) local: Option<Vec<Decision>>,
    /// LAPI's decisions.
    pub(crate) lapi: Option<Vec<Decision>>,
}

/// What a socket is for.
#[derive(Debug)]
enum Purpose {
    /// As the process said that had it before.
    Named(SocketName),
    /// Whatever the settings have at this address.
    At(SocketAddr),
    /// The same, for a Unix socket.
    AtPath(PathBuf),
}

impl Inheritance {
    /// What systemd opened, if it did. To be called before there are threads, since it changes the
    /// environment.
    pub(crate) fn of_systemd() -> Self {
        let mut sockets = Vec::new();
        let mut opened = ListenFd::from_env();
        for index in 0..opened.len() {
            if let Ok(Some(socket)) = opened.take_unix_listener(index) {
                sockets.extend(at_path(socket));
            } else if let Ok(Some(socket)) = opened.take_tcp_listener(index)
                && let Ok(address) = socket.local_addr()
            {
                sockets.push((Purpose::At(address), socket.into()));
            }
        }
        Self {
            sockets,
            ..Self::default()
        }
    }

    /// Adds sockets of the process whose place this one takes.
    pub(crate) fn add(&mut self, sockets: impl Iterator<Item = (SocketName, OwnedFd)>) {
        let named = sockets.map(|(name, socket)| (Purpose::Named(name), socket));
        self.sockets.extend(named);
    }

    /// The socket of the listener that the settings put at `address`.
    pub(crate) fn take_listener(&mut self, address: SocketAddr) -> Option<TcpListener> {
        let is_it = |purpose: &Purpose| match purpose {
            Purpose::Named(SocketName::Listener(named)) | Purpose::At(named) => *named == address,
            _ => false,
        };
        let (_, socket) = self.take(is_it)?;
        Some(socket.into())
    }

    /// The socket of a door.
    pub(crate) fn take_door(&mut self, door: &DoorAt) -> Option<OpenSocket> {
        let is_it = |purpose: &Purpose| match (door, purpose) {
            (DoorAt::Metrics(address), Purpose::Named(SocketName::Metrics(named)))
            | (DoorAt::Admin(address), Purpose::Named(SocketName::Admin(named)))
            | (DoorAt::Metrics(address) | DoorAt::Admin(address), Purpose::At(named)) => {
                address == named
            }
            (DoorAt::Socket(path), Purpose::Named(SocketName::AdminSocket { path: named, .. }))
            | (DoorAt::Socket(path), Purpose::AtPath(named)) => path == named,
            _ => false,
        };
        let (purpose, fd) = self.take(is_it)?;
        let is_ours = match purpose {
            Purpose::Named(SocketName::AdminSocket { is_ours, .. }) => is_ours,
            _ => false,
        };
        Some(OpenSocket { fd, is_ours })
    }

    fn take(&mut self, is_it: impl Fn(&Purpose) -> bool) -> Option<(Purpose, OwnedFd)> {
        let place = self
            .sockets
            .iter()
            .position(|(purpose, _)| is_it(purpose))?;
        Some(self.sockets.remove(place))
    }

    /// Closes what the settings have no use for, and tells of it.
    pub(crate) fn close_rest(&mut self, report: &dyn Report) {
        for (purpose, _socket) in self.sockets.drain(..) {
            match purpose {
                Purpose::Named(name) => {
                    let name = format!("{name:?}");
                    report.info(
                        "start",
                        "closed: not in these settings",
                        &[("socket", &name)],
                    );
                }
                Purpose::At(address) => tell_unused(&address, report),
                Purpose::AtPath(path) => tell_unused(&path.display(), report),
            }
        }
    }
}

fn at_path(socket: UnixListener) -> Option<(Purpose, OwnedFd)> {
    let address = socket.local_addr().ok()?;
    let path = address.as_pathname()?.to_owned();
    Some((Purpose::AtPath(path), socket.into()))
}

fn tell_unused(address: &dyn std::fmt::Display, report: &dyn Report) {
    let message = "systemd opened a socket that neither a listener nor a door of the settings has; name exactly this address there, or take it out of the socket unit";
    report.warn("start", message, &[("address", address)]);
}
