//! SIGQUIT: another process takes this one's place, without a client noticing.

use std::sync::Arc;

use anyhow::{Result, bail};
use palisade_admin::{AdminContext, OpenDoors};

use crate::handover::{Program, Successor};
use crate::lapi::Lapi;
use crate::signals::{Signals, Told};
use crate::systemd;

/// What an upgrade needs of a running process.
pub(crate) struct Upgrade<'a> {
    /// What is started again; none where that can't be.
    pub(crate) program: Option<&'a Program>,
    pub(crate) admin: &'a Arc<AdminContext>,
    pub(crate) doors: &'a OpenDoors,
    pub(crate) lapi: &'a mut Lapi,
}

/// How an upgrade ended.
pub(crate) enum Upgraded {
    /// Another process serves: this one drains.
    Done(Box<Successor>),
    /// This process goes on, which was told with the reason.
    Failed,
    /// This process was told to stop meanwhile.
    Stopped,
}

impl Upgrade<'_> {
    /// Starts this process's program again and hands everything over to it. Whatever goes wrong with
    /// that, this process goes on as before.
    pub(crate) async fn run(self, signals: &mut Signals) -> Upgraded {
        let admin = Arc::clone(self.admin);
        let report = &*admin.report;
        let mut trying = std::pin::pin!(self.attempt());
        let attempted = loop {
            tokio::select! {
                attempted = &mut trying => break attempted,
                told = signals.next() => match told {
                    Told::Stop => return Upgraded::Stopped,
                    Told::Upgrade => {
                        report.warn("upgrade", "one is under way; this signal does nothing", &[]);
                    }
                    Told::Reload => {
                        let message = "the new process reads the settings; this signal does nothing";
                        report.warn("upgrade", message, &[]);
                    }
                },
            }
        };
        match attempted {
            Ok(successor) => Upgraded::Done(Box::new(successor)),
            Err(error) => {
                let message = format!("it failed, this process goes on: {error:#}");
                report.error("upgrade", &message, &[]);
                admin.shared.metrics.snapshot.upgrade_failed();
                Upgraded::Failed
            }
        }
    }

    async fn attempt(self) -> Result<Successor> {
        if std::process::id() == 1 {
            bail!(
                "process 1 of a container can't be replaced, since the container ends with it; replace the container"
            );
        }
        let Some(program) = self.program else {
            bail!("the demo can't be upgraded");
        };
        let mut successor = Successor::start(program)?;
        let (pid, path) = (successor.pid(), program.path().display());
        let report = &self.admin.report;
        let message = "another process is to take this one's place";
        report.info("upgrade", message, &[("pid", &pid), ("program", &path)]);
        let handed_over = successor.hand_over(self.admin, self.doors, self.lapi).await;
        if let Err(error) = handed_over {
            // Dead before this process does again what both must not.
            successor.end().await;
            self.lapi.resume()?;
            return Err(error);
        }
        systemd::main_process(pid);
        // It serves: if it is gone now, its supervisor has to know, not this process.
        let _ = successor.trust().await;
        report.info("upgrade", "handed over", &[("pid", &pid)]);
        Ok(successor)
    }
}
