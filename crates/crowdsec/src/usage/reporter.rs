//! Reports again and again.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use palisade_remote::{ClientError, Clock, Jitter};
use palisade_vocabulary::Tick;
use tokio::task::spawn_blocking;
use tokio::time::{Instant, sleep, timeout_at};

use super::document::document;
use super::{
    Identity, ReportError, ReportResult, UsageInterval, UsageLedger, UsageStatus, UsageTotals,
};
use crate::client::LapiClient;
use crate::event::{LapiEvent, Observer};
use crate::poll_error::PollError;
use crate::settings::Settings;

/// The wait after a first failure; doubles with each further one, up to the interval.
const RETRY_FIRST: Duration = Duration::from_secs(10);
/// How long an LAPI that takes no reports is left alone: somebody may update it.
const UNSUPPORTED_INTERVAL: Duration = Duration::from_secs(6 * 3600);
/// How long reports may take once the reporter is to end.
const LAST_REPORT_TIME: Duration = Duration::from_secs(2);
/// How often the log hears of a failure that goes on.
const REMIND_INTERVAL: Duration = Duration::from_secs(3600);

/// Where the numbers come from. Asked on a thread for blocking work: it may read the whole decision
/// table.
pub trait UsageSource: Send + Sync {
    /// The numbers at `now`.
    fn totals(&self, now: Tick) -> UsageTotals;
}

impl<F: Fn(Tick) -> UsageTotals + Send + Sync> UsageSource for F {
    fn totals(&self, now: Tick) -> UsageTotals {
        self(now)
    }
}

/// Is told the result of each report.
pub type CountReport = dyn Fn(ReportResult) + Send + Sync;

/// Reports usage to one LAPI. A reload may replace it; the [`UsageLedger`] stays.
pub struct UsageReporter {
    client: LapiClient,
    interval: Duration,
    identity: Identity,
    ledger: Arc<UsageLedger>,
    source: Arc<dyn UsageSource>,
    clock: Arc<dyn Clock>,
    observer: Arc<dyn Observer>,
    count: Arc<CountReport>,
    status: Arc<UsageStatus>,
    jitter: Jitter,
    told: Option<(&'static str, Tick)>,
}

impl UsageReporter {
    /// One that has reported nothing yet; none where the settings want no reports.
    ///
    /// # Errors
    /// As [`Poller::new`](crate::Poller::new).
    pub fn new(
        settings: &Settings,
        identity: Identity,
        ledger: Arc<UsageLedger>,
        source: Arc<dyn UsageSource>,
        clock: Arc<dyn Clock>,
        observer: Arc<dyn Observer>,
        count: Arc<CountReport>,
    ) -> Result<Option<Self>, ClientError> {
        let Some(interval) = settings.usage_interval.map(UsageInterval::get) else {
            return Ok(None);
        };
        Ok(Some(Self {
            client: LapiClient::new(settings, Arc::clone(&clock))?,
            interval,
            identity,
            ledger,
            source,
            clock,
            observer,
            count,
            status: Arc::default(),
            jitter: Jitter::from_entropy(),
            told: None,
        }))
    }

    /// How the reports go.
    #[must_use]
    pub fn status(&self) -> Arc<UsageStatus> {
        Arc::clone(&self.status)
    }

    /// Reports until `stop` is ready. `true` from it: the process ends, and what was not told yet
    /// is. Either way a report on its way is waited for: what LAPI takes of it must be known. Both
    /// together take two seconds at most.
    pub async fn run(mut self, stop: impl Future<Output = bool>) {
        let mut stop = pin!(stop);
        let mut wait = self.about(self.interval);
        let (is_last, deadline) = loop {
            tokio::select! {
                is_last = &mut stop => break (is_last, Instant::now() + LAST_REPORT_TIME),
                () = sleep(wait) => {}
            }
            let mut report = pin!(self.report_now());
            let is_last = tokio::select! {
                is_last = &mut stop => is_last,
                next = &mut report => {
                    wait = next;
                    continue;
                }
            };
            let deadline = Instant::now() + LAST_REPORT_TIME;
            // Nobody can wait for longer: what it brings is in the log either way.
            let _ = timeout_at(deadline, report).await;
            break (is_last, deadline);
        };
        if is_last && self.status.is_supported() != Some(false) {
            let _ = timeout_at(deadline, self.report_now()).await;
        }
    }

    /// Reports once, when no other reporter's report is on its way; returns how long to wait.
    pub(super) async fn report_now(&mut self) -> Duration {
        let ledger = Arc::clone(&self.ledger);
        let _turn = ledger.turn().await;
        let now = self.clock.now();
        match self.try_report(now).await {
            Ok(()) => {
                let failures = self.status.consecutive_failures();
                self.status.taken(now);
                (self.count)(ReportResult::Ok);
                self.told = None;
                if failures > 0 {
                    self.observer
                        .observe(&LapiEvent::UsageReportedAgain { failures });
                }
                self.about(self.interval)
            }
            Err(error) => self.failed(error, now),
        }
    }

    async fn try_report(&self, now: Tick) -> Result<(), ReportError> {
        let stopped = |_| ReportError::Failed(PollError::Stopped);
        let source = Arc::clone(&self.source);
        let totals = spawn_blocking(move || source.totals(now)).await;
        let report = self
            .ledger
            .open(totals.map_err(stopped)?, now, unix_seconds());
        let body = document(&self.identity, report.window, &report.added);
        self.client.report_usage(body).await?;
        self.ledger.taken(report);
        Ok(())
    }

    fn failed(&mut self, error: ReportError, now: Tick) -> Duration {
        let failures = self.status.failed(&error, now);
        (self.count)(error.result());
        let is_unsupported = error == ReportError::NotSupported;
        let label = error.result().label();
        let is_known = self.told.is_some_and(|(told, at)| {
            told == label && (is_unsupported || now.since(at) < REMIND_INTERVAL)
        });
        if !is_known {
            self.told = Some((label, now));
            self.observer.observe(&LapiEvent::UsageNotReported(error));
        }
        if is_unsupported {
            return self.about(UNSUPPORTED_INTERVAL.max(self.interval));
        }
        let doublings = failures.saturating_sub(1).min(16);
        let whole = RETRY_FIRST.saturating_mul(1 << doublings);
        self.about(whole.min(self.interval))
    }

    /// `interval`, moved by up to a tenth either way.
    fn about(&mut self, interval: Duration) -> Duration {
        let tenth = interval / 10;
        self.jitter.between(
            interval.saturating_sub(tenth),
            interval.saturating_add(tenth),
        )
    }
}

/// By the machine's wall clock; one before 1970 is at its start.
fn unix_seconds() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.unwrap_or_default().as_secs()
}
