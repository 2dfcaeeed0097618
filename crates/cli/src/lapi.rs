//! CrowdSec's LAPI in a running process: who polls it, and who takes the place when a reload brings
//! other settings.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Result;
use palisade_admin::AdminContext;
use palisade_crowdsec::Poller;
use palisade_decisions::SourceId;
use tokio::spawn;
use tokio::sync::watch;
use tokio::task::{JoinHandle, spawn_blocking};

use crate::feed;
use crate::usage::Reporting;

/// Polls the LAPI of the settings in use.
pub(crate) struct Lapi {
    admin: Arc<AdminContext>,
    saved_in: Option<PathBuf>,
    reporting: Reporting,
    polling: Option<Polling>,
    paused: Option<Poller>,
}

/// A poller at work. One for a process: two would each get half of what changes.
struct Polling {
    /// Send `true` to end it.
    stop: watch::Sender<bool>,
    passing_on: JoinHandle<()>,
    /// Gives the poller back when it has saved what it knows.
    poller: JoinHandle<Poller>,
}

/// What a reload does to the polls.
pub(crate) enum LapiChange {
    /// LAPI is to be asked in another way, or for the first time.
    Ask(Box<Poller>),
    /// LAPI isn't to be asked any more.
    Forget,
}

impl Lapi {
    /// Nobody polls yet. Decisions are saved in `saved_in`.
    pub(crate) fn new(admin: Arc<AdminContext>, saved_in: Option<PathBuf>) -> Self {
        Self {
            reporting: Reporting::new(&admin),
            admin,
            saved_in,
            polling: None,
            paused: None,
        }
    }

    /// Begins to poll. To be called on a runtime.
    pub(crate) fn start(&mut self, poller: Poller) -> Result<()> {
        let shared = Arc::clone(&self.admin.shared);
        let status = poller.status();
        let metrics = &shared.metrics;
        let metrics = metrics.lapi(&feed::failures(&status), shared.clock.now())?;
        self.admin.lapi.store(Some(Arc::clone(&status)));
        shared.state.crowdsec.configure(true);
        self.reporting.begin(poller.settings(), &metrics)?;
        let (stop, stopped) = watch::channel(false);
        self.polling = Some(Polling {
            stop,
            passing_on: spawn(feed::pass_on(status, metrics, shared, stopped.clone())),
            poller: spawn(poller.run(feed::until(stopped))),
        });
        Ok(())
    }

    /// Ends the polls, until they are [resumed](Self::resume); what is known is saved.
    pub(crate) async fn pause(&mut self) {
        self.paused = self.end_polls().await;
    }

    /// Begins again where the polls were paused, with a question for everything.
    pub(crate) fn resume(&mut self) -> Result<()> {
        match self.paused.take() {
            Some(poller) => self.start(poller),
            None => Ok(()),
        }
    }

    /// Does what a reload asks for. Nothing that goes wrong with it ends the process.
    pub(crate) async fn change(&mut self, change: LapiChange) {
        if let Err(error) = self.try_change(change).await {
            let message = format!("LAPI is not asked any more: {error:#}");
            self.admin.report.error("lapi", &message, &[]);
        }
    }

    async fn try_change(&mut self, change: LapiChange) -> Result<()> {
        // The old one saves what it knows first: the new one begins with that.
        self.end_polls().await;
        match change {
            LapiChange::Forget => {
                self.reporting.end(false).await;
                self.forget();
                Ok(())
            }
            LapiChange::Ask(poller) => {
                let saved_in = self.saved_in.clone();
                let with_saved = move || feed::with_saved(*poller, saved_in.as_deref());
                let poller = spawn_blocking(with_saved).await?;
                self.start(poller)
            }
        }
    }

    /// What LAPI said holds no longer, as it would not after a restart.
    fn forget(&self) {
        let shared = &self.admin.shared;
        shared.state.crowdsec.configure(false);
        let now = shared.clock.now();
        shared.state.decisions.flush(SourceId::CrowdSec, now);
        self.admin.lapi.store(None);
        shared.metrics.forget_lapi();
    }

    /// Ends the polls, while the process ends: what is known is saved, and LAPI is told what it was
    /// not told yet.
    pub(crate) async fn stop(&mut self) {
        self.end_polls().await;
        self.reporting.end(true).await;
    }

    async fn end_polls(&mut self) -> Option<Poller> {
        let polling = self.polling.take()?;
        polling.stop.send_replace(true);
        // A panic was told when it happened.
        let _ = polling.passing_on.await;
        polling.poller.await.ok()
    }
}
