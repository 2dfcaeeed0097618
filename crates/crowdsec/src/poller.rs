//! Keeps the decision table what LAPI says.

#[cfg(test)]
mod tests;

use std::future::Future;
use std::path::Path;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::Duration;

use palisade_decisions::{Applied, DecisionTable, Delta, SourceId};
use palisade_vocabulary::Tick;
use tokio::task::spawn_blocking;
use tokio::time::sleep;

use crate::client::LapiClient;
use crate::event::{LapiEvent, Observer};
use crate::pacing::{Pacing, Pull};
use crate::poll_error::{PollError, PollResult};
use crate::saved::SavedFile;
use crate::settings::Settings;
use crate::status::LapiStatus;
use crate::wire::{SkippedDecisions, StreamAnswer};
use palisade_remote::ClientError;
use palisade_remote::Clock;
use palisade_remote::Jitter;

/// How often the log hears of a failure that goes on.
const REMIND_INTERVAL: Duration = Duration::from_secs(300);
/// How often changed decisions are saved at most.
const SAVE_INTERVAL: Duration = Duration::from_secs(30);
/// The wait after saving failed; doubles with each further failure.
const SAVE_RETRY_FIRST: Duration = Duration::from_secs(1);
/// The longest wait after saving failed.
const SAVE_RETRY_MAX: Duration = Duration::from_secs(60);

/// Asks LAPI again and again, and applies its answers to the decision table.
///
/// One for each process: LAPI keeps one cursor for a key and address, so that two pollers would
/// each get half of the changes.
pub struct Poller {
    source: Box<dyn Source>,
    table: Arc<DecisionTable>,
    clock: Arc<dyn Clock>,
    observer: Arc<dyn Observer>,
    status: Arc<LapiStatus>,
    pacing: Pacing,
    saving: Option<Saving>,
    told: Option<Told>,
    settings: Settings,
}

/// Where answers come from.
trait Source: Send + Sync {
    fn pull(&self, pull: Pull) -> Answering<'_>;
}

type Answering<'a> = Pin<Box<dyn Future<Output = Result<StreamAnswer, PollError>> + Send + 'a>>;

impl Source for LapiClient {
    fn pull(&self, pull: Pull) -> Answering<'_> {
        Box::pin(LapiClient::pull(self, pull))
    }
}

/// Whether and when decisions are to be saved.
struct Saving {
    file: SavedFile,
    not_before: Tick,
    is_due: bool,
    /// How often it failed in a row.
    failures: u32,
    /// When the log last heard of that.
    told: Option<Tick>,
}

/// The last failure that the log heard of.
struct Told {
    result: PollResult,
    at: Tick,
}

impl Poller {
    /// One that has not asked anything yet.
    ///
    /// # Errors
    /// When no client can be made of the settings: see [`ClientError`].
    pub fn new(
        settings: &Settings,
        table: Arc<DecisionTable>,
        clock: Arc<dyn Clock>,
        observer: Arc<dyn Observer>,
    ) -> Result<Self, ClientError> {
        let client = LapiClient::new(settings, Arc::clone(&clock))?;
        Ok(Self {
            source: Box::new(client),
            table,
            clock,
            observer,
            status: Arc::new(LapiStatus::new(settings.lapi_url().clone())),
            pacing: Pacing::new(settings, Jitter::from_entropy()),
            saving: None,
            told: None,
            settings: settings.clone(),
        })
    }

    /// How LAPI is polled.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// How the polls go.
    #[must_use]
    pub fn status(&self) -> Arc<LapiStatus> {
        Arc::clone(&self.status)
    }

    /// Puts what was saved in `state_directory` into the table, and saves there from now on. Reads
    /// a file: call it before the first request, not on a runtime's thread. What can't be used is
    /// told to the observer, and the start goes on without it.
    #[must_use]
    pub fn with_state_directory(mut self, state_directory: &Path) -> Self {
        let file = SavedFile::of_lapi(state_directory, self.status.lapi_url().as_str());
        let now = self.clock.now();
        match file.load(now) {
            Ok(None) => {}
            Ok(Some(restored)) => {
                let decisions = restored.decisions.len();
                let delta = Delta {
                    added: restored.decisions,
                    ..Delta::default()
                };
                self.table.apply(SourceId::CrowdSec, delta, now);
                let ended = restored.ended;
                self.observer
                    .observe(&LapiEvent::Restored { decisions, ended });
            }
            Err(error) => {
                let path = file.path().to_owned();
                self.observer
                    .observe(&LapiEvent::NotRestored { path, error });
            }
        }
        self.saving = Some(Saving {
            file,
            not_before: now,
            is_due: false,
            failures: 0,
            told: None,
        });
        self
    }

    /// Polls until `shutdown` is ready; then saves what is known, and ends. Run again, it asks for
    /// everything first: somebody else may have asked in the meantime. Needs a tokio runtime with time
    /// and I/O; parses and applies answers on its threads for blocking work.
    pub async fn run(mut self, shutdown: impl Future<Output = ()>) -> Self {
        let mut shutdown = pin!(shutdown);
        loop {
            let wait = tokio::select! {
                () = &mut shutdown => break,
                wait = self.poll() => wait,
            };
            if self.is_save_due() {
                self.save().await;
            }
            tokio::select! {
                () = &mut shutdown => break,
                () = sleep(wait) => {}
            }
        }
        self.save().await;
        self.pacing.start_over();
        self
    }

    /// Asks once; returns how long to wait.
    async fn poll(&mut self) -> Duration {
        let started = self.clock.now();
        let pull = self.pacing.next_pull(started);
        match self.pull_and_apply(pull).await {
            Ok((applied, skipped)) => self.succeeded(pull, applied, skipped, started),
            Err(error) => self.failed(error),
        }
    }

    /// All of an answer is applied in one swap, or nothing of it.
    async fn pull_and_apply(&self, pull: Pull) -> Result<(Applied, SkippedDecisions), PollError> {
        let StreamAnswer { delta, skipped } = self.source.pull(pull).await?;
        let (table, now) = (Arc::clone(&self.table), self.clock.now());
        let applying = spawn_blocking(move || match pull {
            Pull::Snapshot => table.apply_snapshot(SourceId::CrowdSec, delta, now),
            Pull::Delta => table.apply(SourceId::CrowdSec, delta, now),
        });
        let applied = applying.await.map_err(|_| PollError::Stopped)?;
        Ok((applied, skipped))
    }

    fn succeeded(
        &mut self,
        pull: Pull,
        applied: Applied,
        skipped: SkippedDecisions,
        started: Tick,
    ) -> Duration {
        let now = self.clock.now();
        let failures = self.status.consecutive_failures();
        self.status.succeeded(&applied, skipped.count, now);
        let has_changed = changes_table(&applied);
        if let Some(saving) = &mut self.saving {
            saving.is_due |= has_changed;
        }
        self.told = None;
        if failures > 0 {
            self.observer.observe(&LapiEvent::Recovered { failures });
        }
        if has_changed || pull == Pull::Snapshot {
            let took = now.since(started);
            self.observer.observe(&LapiEvent::Applied {
                pull,
                applied,
                took,
            });
        }
        if applied.refused > 0 {
            let refused = applied.refused;
            self.observer.observe(&LapiEvent::Full { refused });
        }
        if skipped.count > 0 {
            self.observer.observe(&LapiEvent::Skipped(skipped));
        }
        self.pacing.succeeded(pull, applied.doubted > 0, now)
    }

    /// The table is left as it is.
    fn failed(&mut self, error: PollError) -> Duration {
        let now = self.clock.now();
        let failures = self.status.failed(&error, now);
        let wait = self.pacing.failed(&error);
        let result = error.result();
        let is_known = |told: &Told| told.result == result && now.since(told.at) < REMIND_INTERVAL;
        if !self.told.as_ref().is_some_and(is_known) {
            self.told = Some(Told { result, at: now });
            self.observer.observe(&LapiEvent::Failed {
                error,
                failures,
                stale_for: self.status.last_good_poll().map(|at| now.since(at)),
            });
        }
        wait
    }

    fn is_save_due(&self) -> bool {
        let now = self.clock.now();
        self.saving
            .as_ref()
            .is_some_and(|saving| saving.is_due && now >= saving.not_before)
    }

    /// Saves what the table knows, if it has changed since the last time.
    async fn save(&mut self) {
        let Some(saving) = self.saving.as_mut().filter(|saving| saving.is_due) else {
            return;
        };
        let now = self.clock.now();
        let (table, file) = (Arc::clone(&self.table), saving.file.clone());
        let saved = spawn_blocking(move || file.save(&table.export(SourceId::CrowdSec, now))).await;
        match saved {
            Ok(Ok(())) => {
                self.status.saved();
                if saving.succeeded(now) {
                    let path = saving.file.path().to_owned();
                    self.observer.observe(&LapiEvent::SavedAgain { path });
                }
            }
            Ok(Err(error)) => {
                self.status.not_saved_because(&error, now);
                if saving.failed(now) {
                    let path = saving.file.path().to_owned();
                    self.observer.observe(&LapiEvent::NotSaved { path, error });
                }
            }
            // The runtime is gone: so is the process, in a moment.
            Err(_) => {}
        }
    }
}

impl Saving {
    /// Whether the log is to hear that it works again.
    fn succeeded(&mut self, now: Tick) -> bool {
        self.is_due = false;
        self.not_before = now + SAVE_INTERVAL;
        self.failures = 0;
        self.told.take().is_some()
    }

    /// Whether the log is to hear of it.
    fn failed(&mut self, now: Tick) -> bool {
        let wait = SAVE_RETRY_FIRST.saturating_mul(1 << self.failures.min(16));
        self.not_before = now + wait.min(SAVE_RETRY_MAX);
        self.failures = self.failures.saturating_add(1);
        let is_news = self
            .told
            .is_none_or(|told| now.since(told) >= REMIND_INTERVAL);
        if is_news {
            self.told = Some(now);
        }
        is_news
    }
}

fn changes_table(applied: &Applied) -> bool {
    let Applied {
        added,
        updated,
        deleted,
        dropped,
        ..
    } = applied;
    *added > 0 || *updated > 0 || *deleted > 0 || *dropped > 0
}
