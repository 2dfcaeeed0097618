//! Process 1 of a container has to take leave of processes that others left behind.

use anyhow::Result;
use rustix::process::{WaitOptions, wait};
use tokio::signal::unix::{SignalKind, signal};

/// Where this is process 1: takes the exit status of every child from now on, so that none stays a
/// zombie. No child is this process's own: process 1 starts none, not for an upgrade either.
pub(crate) fn take_in() -> Result<()> {
    if std::process::id() != 1 {
        return Ok(());
    }
    let mut ended = signal(SignalKind::child())?;
    tokio::spawn(async move {
        loop {
            while let Ok(Some(_)) = wait(WaitOptions::NOHANG) {}
            if ended.recv().await.is_none() {
                return;
            }
        }
    });
    Ok(())
}
