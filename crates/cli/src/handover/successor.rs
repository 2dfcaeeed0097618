//! The old process's side.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Result, anyhow, bail, ensure};
use palisade_admin::{AdminContext, DoorAt, OpenDoors};
use palisade_crowdsec::write_handed;
use tokio::process::Child;
use tokio::sync::OwnedRwLockWriteGuard;
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use super::channel::Channel;
use super::{Message, Program, SOCKETS_MAX, SocketName, Source, VERSION};
use crate::lapi::Lapi;

/// How long to wait for the exit status of a new process that closed its end.
const EXIT_TIME: Duration = Duration::from_secs(1);

/// The process that takes this one's place; killed when dropped before it does.
pub(crate) struct Successor {
    child: Child,
    channel: Channel,
    /// What the new process decides about is not changed here any more.
    unchanged: Option<OwnedRwLockWriteGuard<()>>,
    is_trusted: bool,
}

impl Successor {
    /// Starts it.
    ///
    /// # Errors
    /// When it can't be started.
    pub(crate) fn start(program: &Program) -> Result<Self> {
        let (channel, theirs) = Channel::pair()?;
        Ok(Self {
            child: program.start(Stdio::from(theirs))?,
            channel,
            unchanged: None,
            is_trusted: false,
        })
    }

    /// Its number.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id().unwrap_or(0)
    }

    /// Hands everything over. Then it serves, and so does this process still.
    ///
    /// # Errors
    /// When it ends, says something else than is expected or isn't there in time. It is to be
    /// [ended](Self::end) then, and the polls to be resumed.
    pub(crate) async fn hand_over(
        &mut self,
        admin: &Arc<AdminContext>,
        doors: &OpenDoors,
        lapi: &mut Lapi,
    ) -> Result<()> {
        let handing_over = async {
            self.expect(&Message::Loaded { version: VERSION }).await?;
            let inherited = Message::inherited(admin.confinement.inherited());
            self.channel.send(&inherited, &[]).await?;
            self.expect(&Message::Confined).await?;
            // Nobody asks LAPI for what the new one is to hear.
            lapi.pause().await;
            self.unchanged = Some(Arc::clone(&admin.changes).write_owned().await);
            for source in Source::ALL {
                self.send_decisions(source, admin).await?;
            }
            self.send_sockets(admin, doors).await?;
            self.expect(&Message::Prepared).await?;
            self.channel.send(&Message::Go, &[]).await?;
            self.expect(&Message::Serving).await
        };
        let upgrade_time = admin.shared.shutdown.load().upgrade_time;
        match timeout(upgrade_time, handing_over).await {
            Ok(handed_over) => handed_over,
            Err(_) => bail!("it did not serve within {upgrade_time:?} (`shutdown.upgrade_time`)"),
        }
    }

    /// Lets it live on its own. It is the one that the service manager knows by now.
    ///
    /// # Errors
    /// When it is gone.
    pub(crate) async fn trust(&mut self) -> Result<()> {
        self.is_trusted = true;
        self.channel.send(&Message::Main, &[]).await
    }

    /// Ends it. When this returns it is gone.
    pub(crate) async fn end(mut self) {
        // It may have ended already.
        let _ = self.child.kill().await;
    }

    async fn expect(&mut self, expected: &Message) -> Result<()> {
        match self.channel.receive().await? {
            Some(said) if said.message == *expected => Ok(()),
            Some(said) => match said.message {
                Message::Refused { why } => bail!("it refused: {why}"),
                other => bail!("it said {other:?}; expected {expected:?}"),
            },
            None => Err(match timeout(EXIT_TIME, self.child.wait()).await {
                Ok(Ok(status)) => anyhow!("it ended: {status}"),
                _ => anyhow!("it hung up"),
            }),
        }
    }

    async fn send_decisions(&self, source: Source, admin: &AdminContext) -> Result<()> {
        let (reader, writer) = std::io::pipe()?;
        let message = Message::Decisions { source };
        self.channel.send(&message, &[reader.as_fd()]).await?;
        drop(reader);
        let shared = Arc::clone(&admin.shared);
        let writing = spawn_blocking(move || {
            let held = shared
                .state
                .decisions
                .export(source.id(), shared.clock.now());
            write_handed(&held, source.id(), writer)
        });
        Ok(writing.await??)
    }

    async fn send_sockets(&self, admin: &AdminContext, doors: &OpenDoors) -> Result<()> {
        let sockets = sockets(admin, doors)?;
        ensure!(!sockets.is_empty(), "there is no socket to hand over");
        let last = sockets.len().div_ceil(SOCKETS_MAX);
        for (number, part) in (1..).zip(sockets.chunks(SOCKETS_MAX)) {
            let message = Message::Sockets {
                sockets: part.iter().map(|(name, _)| name.clone()).collect(),
                is_last: number == last,
            };
            let fds: Vec<BorrowedFd<'_>> = part.iter().map(|(_, fd)| fd.as_fd()).collect();
            self.channel.send(&message, &fds).await?;
        }
        Ok(())
    }
}

impl Drop for Successor {
    fn drop(&mut self) {
        if !self.is_trusted {
            // It may have ended already.
            let _ = self.child.start_kill();
        }
    }
}

/// All sockets that this process listens on, once more.
fn sockets(admin: &AdminContext, doors: &OpenDoors) -> Result<Vec<(SocketName, OwnedFd)>> {
    let mut sockets = Vec::new();
    for listener in &*admin.listeners.open() {
        if let Some(socket) = listener.copy_of_socket()? {
            sockets.push((SocketName::Listener(listener.named()), socket.into()));
        }
    }
    for (door, socket) in doors.sockets()? {
        let is_ours = socket.is_ours;
        let name = match door {
            DoorAt::Metrics(address) => SocketName::Metrics(address),
            DoorAt::Admin(address) => SocketName::Admin(address),
            DoorAt::Socket(path) => SocketName::AdminSocket { path, is_ours },
        };
        sockets.push((name, socket.fd));
    }
    Ok(sockets)
}
