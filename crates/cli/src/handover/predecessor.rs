//! The new process's side.

use std::fs::File;
use std::os::fd::{AsFd, OwnedFd};
use std::path::PathBuf;

use anyhow::{Context, Result, bail, ensure};
use palisade_confinement::{FilterNumber, Inherited};
use palisade_crowdsec::read_handed;
use palisade_decisions::Decision;
use palisade_proxy::Clock;
use rustix::process::getppid;
use tokio::task::spawn_blocking;

use super::channel::{Channel, Received, hear, say};
use super::{Message, PREDECESSOR, Source, VERSION};
use crate::inheritance::Inheritance;

/// The process whose place this one takes.
pub(crate) struct Predecessor(Channel);

/// Where the channel to a predecessor is.
pub(crate) struct Line(OwnedFd);

impl Line {
    /// The line to the process that started this one to take its place, if one did. Standard input
    /// leads nowhere then.
    ///
    /// # Errors
    /// When standard input can't be taken.
    pub(crate) fn find() -> Result<Option<Self>> {
        let named = std::env::var(PREDECESSOR).ok();
        let parent = getppid().map(|pid| pid.as_raw_nonzero().get().to_string());
        // A program that this one's predecessor started in turn may have inherited the variable.
        if named.is_none() || named != parent {
            return Ok(None);
        }
        let line = std::io::stdin().as_fd().try_clone_to_owned()?;
        rustix::stdio::dup2_stdin(File::open("/dev/null")?)?;
        Ok(Some(Self(line)))
    }

    /// Says that the settings are good, hears what this process has inherited of the other's confinement,
    /// and says what came of giving up the rest. Before there is a runtime.
    ///
    /// # Errors
    /// As `confine`, which the other process is told. When it is gone, or says something else.
    pub(crate) fn confine<T, E: std::error::Error + Send + Sync + 'static>(
        &self,
        confine: impl FnOnce(Inherited) -> Result<T, E>,
    ) -> Result<T> {
        say(&self.0, &Message::Loaded { version: VERSION })?;
        let inherited = match hear(&self.0)? {
            Some(Message::Inherited { writable, filter }) => Inherited {
                writable: writable.map(|places| places.into_iter().map(PathBuf::from).collect()),
                filter: filter.map(FilterNumber::new),
            },
            Some(other) => bail!("the process whose place this one takes said {other:?}"),
            None => bail!("the process whose place this one takes is gone"),
        };
        let confined = confine(inherited);
        let said = match &confined {
            Ok(_) => Message::Confined,
            Err(error) => Message::Refused {
                why: error.to_string(),
            },
        };
        say(&self.0, &said)?;
        Ok(confined?)
    }

    /// To be called on a runtime.
    pub(crate) fn open(self) -> Result<Predecessor> {
        Ok(Predecessor(Channel::new(self.0)?))
    }
}

impl Predecessor {
    /// Takes what there is to take.
    ///
    /// # Errors
    /// When the other process is gone, or what it hands over is not whole.
    pub(crate) async fn take_over(&self, clock: Clock) -> Result<Inheritance> {
        let mut inheritance = Inheritance::default();
        loop {
            let Some(Received { message, fds }) = self.0.receive().await? else {
                bail!("the process whose place this one takes is gone");
            };
            match message {
                Message::Decisions { source } => {
                    let [pipe] = <[OwnedFd; 1]>::try_from(fds)
                        .ok()
                        .context("decisions came without their pipe")?;
                    let decisions = read_decisions(source, pipe, clock).await?;
                    match source {
                        Source::Local => inheritance.local = Some(decisions),
                        Source::CrowdSec => inheritance.lapi = Some(decisions),
                    }
                }
                Message::Sockets { sockets, is_last } => {
                    ensure!(
                        sockets.len() == fds.len(),
                        "{} sockets were announced, {} came",
                        sockets.len(),
                        fds.len()
                    );
                    inheritance.add(sockets.into_iter().zip(fds));
                    if is_last {
                        return Ok(inheritance);
                    }
                }
                other => bail!("the process whose place this one takes said {other:?}"),
            }
        }
    }

    /// Says that this process could serve, and waits until it is to. It is also when the other
    /// process is gone: nobody else serves then.
    ///
    /// # Errors
    /// When the other process says something else.
    pub(crate) async fn prepared(&self) -> Result<()> {
        // One that is gone hears nothing.
        let _ = self.0.send(&Message::Prepared, &[]).await;
        match self.0.receive().await {
            Ok(Some(said)) if said.message != Message::Go => {
                bail!(
                    "the process whose place this one takes said {:?}",
                    said.message
                )
            }
            _ => Ok(()),
        }
    }

    /// Says that this process serves, and waits until it is the one that the service manager knows.
    pub(crate) async fn serving(self) {
        // One that is gone hears nothing, and says nothing.
        let _ = self.0.send(&Message::Serving, &[]).await;
        let _ = self.0.receive().await;
    }
}

async fn read_decisions(source: Source, pipe: OwnedFd, clock: Clock) -> Result<Vec<Decision>> {
    let reading = spawn_blocking(move || read_handed(source.id(), File::from(pipe), clock.now()));
    let read = reading.await?;
    let read = read.context("the decisions that were handed over can't be used")?;
    Ok(read.decisions)
}
