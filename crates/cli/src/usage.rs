//! Between the counters of requests and the reports of usage to CrowdSec's LAPI.

use std::sync::Arc;
use std::time::UNIX_EPOCH;

use palisade_admin::AdminContext;
use palisade_crowdsec::{
    ClientError, Identity, OperatingSystem, ReportResult, Settings, UsageLedger, UsageReporter,
    UsageTotals,
};
use palisade_gate::{DroppedBy, State};
use palisade_telemetry::LapiMetrics;
use palisade_vocabulary::{IpFamily, Tick};
use tokio::spawn;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::{VERSION, feed};

/// What reporters of this process have in common, whatever LAPI they tell.
pub(crate) struct Reporting {
    admin: Arc<AdminContext>,
    identity: Identity,
    ledger: Arc<UsageLedger>,
    running: Option<Running>,
}

/// A reporter at work.
struct Running {
    /// Ends it; `true`: with a last report.
    stop: watch::Sender<Option<bool>>,
    task: JoinHandle<()>,
}

impl Reporting {
    /// Nobody was told anything yet. Reads a file.
    pub(crate) fn new(admin: &Arc<AdminContext>) -> Self {
        let started = admin.started.duration_since(UNIX_EPOCH);
        Self {
            admin: Arc::clone(admin),
            identity: Identity {
                version: VERSION,
                os: OperatingSystem::of_this_machine(),
                started_unix_seconds: started.unwrap_or_default().as_secs(),
            },
            ledger: Arc::new(UsageLedger::new(Tick::default())),
            running: None,
        }
    }

    /// Begins to report to the LAPI of the settings, if they want reports, in the place of whoever
    /// reported before. To be called on a runtime.
    ///
    /// # Errors
    /// No client can be made of the settings.
    pub(crate) fn begin(
        &mut self,
        settings: &Settings,
        metrics: &Arc<LapiMetrics>,
    ) -> Result<(), ClientError> {
        let reporter = self.reporter(settings, metrics)?;
        if let Some(old) = self.running.take() {
            old.stop.send_replace(Some(false));
        }
        let status = reporter.as_ref().map(UsageReporter::status);
        self.admin.usage.store(status);
        self.running = reporter.map(|reporter| {
            let (stop, mut stopped) = watch::channel(None);
            let until = async move {
                // An error means that whoever could tell is gone.
                let told = stopped.wait_for(Option::is_some).await;
                told.is_ok_and(|told| *told == Some(true))
            };
            let task = spawn(reporter.run(until));
            Running { stop, task }
        });
        Ok(())
    }

    /// Ends the reports; `is_last`: with one more, for the process ends.
    pub(crate) async fn end(&mut self, is_last: bool) {
        self.admin.usage.store(None);
        if let Some(running) = self.running.take() {
            running.stop.send_replace(Some(is_last));
            // A panic was told when it happened.
            let _ = running.task.await;
        }
    }

    fn reporter(
        &self,
        settings: &Settings,
        metrics: &Arc<LapiMetrics>,
    ) -> Result<Option<UsageReporter>, ClientError> {
        let shared = Arc::clone(&self.admin.shared);
        let clock = shared.clock;
        let metrics = Arc::clone(metrics);
        UsageReporter::new(
            settings,
            self.identity.clone(),
            Arc::clone(&self.ledger),
            Arc::new(move |now| totals(&shared.state, now)),
            Arc::new(move || clock.now()),
            Arc::new(feed::tell(Arc::clone(&self.admin.report))),
            Arc::new(move |result: ReportResult| metrics.usage_reported(result.label())),
        )
    }
}

/// What there is to report. Reads the whole decision table.
fn totals(state: &State, now: Tick) -> UsageTotals {
    let names = state.decisions.origin_names();
    let name = |by| match by {
        DroppedBy::Decision(origin) => names.get(origin).map(Arc::clone),
        DroppedBy::Own(origin) => Some(origin.as_str().into()),
    };
    let families = IpFamily::ALL.into_iter();
    let dropped = state.usage.dropped();
    let active = state.decisions.active(now).into_iter();
    UsageTotals {
        processed: families
            .map(|family| (family, state.usage.processed(family)))
            .collect(),
        dropped: dropped
            .filter_map(|(by, family, count)| Some(((name(by)?, family), count)))
            .collect(),
        active_decisions: active
            .map(|count| ((count.origin_label, count.family), count.decisions))
            .collect(),
    }
}
