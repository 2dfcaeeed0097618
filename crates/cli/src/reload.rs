//! Reading the settings again: on SIGHUP, and when a file that they are made of changes.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Result, anyhow};
use palisade_admin::ReloadStatus;
use palisade_config::files::Disk;
use palisade_config::{AdminSettings, Loaded, MetricsSettings, Settings, Sources};
use palisade_confinement::Confinement;
use palisade_proxy::settings::ListenerSettings;
use palisade_proxy::{Listener, NewCertificates, Shared};
use palisade_telemetry::Report;

use crate::assembly::{self, Process};
use crate::lapi::LapiChange;
use crate::{confinement, feed, load};

/// How often the files are looked at.
pub(crate) const WATCH_INTERVAL: Duration = Duration::from_secs(2);

/// Reads the settings again, all or nothing.
pub(crate) struct Reloader {
    path: PathBuf,
    sources: Sources,
    once: ReadOnce,
    /// How LAPI is asked now.
    crowdsec: Option<palisade_crowdsec::Settings>,
    shared: Arc<Shared>,
    listeners: Vec<Arc<Listener>>,
    report: Arc<dyn Report>,
    status: Arc<ReloadStatus>,
    confinement: Arc<Confinement>,
}

/// The settings that only a start obeys, as they were then; listeners know theirs.
struct ReadOnce {
    state_directory: Option<PathBuf>,
    metrics: Option<MetricsSettings>,
    admin: Option<AdminSettings>,
}

impl Reloader {
    pub(crate) fn new(path: PathBuf, loaded: Loaded, process: &Process) -> Self {
        let settings = loaded.settings;
        Self {
            path,
            sources: loaded.sources,
            once: ReadOnce {
                state_directory: settings.state_directory,
                metrics: settings.metrics,
                admin: settings.admin,
            },
            crowdsec: settings.crowdsec,
            shared: Arc::clone(&process.shared),
            listeners: process.listeners.clone(),
            report: Arc::clone(&process.report),
            status: Arc::clone(&process.admin.reload),
            confinement: Arc::clone(&process.admin.confinement),
        }
    }

    /// Whether any file is not what it was when it was read.
    pub(crate) fn is_due(&self) -> bool {
        self.sources.changed(&Disk).is_some()
    }

    /// Reads the settings again; whether LAPI is to be asked in another way now. What is wrong with
    /// them is told, and the old ones stay.
    pub(crate) fn reload(&mut self) -> Option<LapiChange> {
        match self.try_reload() {
            Ok((number, lapi)) => {
                self.shared.metrics.snapshot.reloaded(number);
                let hash = self.sources.hash();
                self.status.loaded(&hash, self.shared.clock.now());
                self.report.info(
                    "reload",
                    "the new settings are in use",
                    &[("generation", &number), ("hash", &hash)],
                );
                lapi
            }
            Err(error) => {
                self.shared.metrics.snapshot.reload_failed();
                self.status
                    .refused(&format!("{error:#}"), self.shared.clock.now());
                let message = format!("the settings can't be used, the old ones stay: {error:#}");
                self.report.error("reload", &message, &[]);
                None
            }
        }
    }

    fn try_reload(&mut self) -> Result<(u64, Option<LapiChange>)> {
        let loaded = match load::read(&self.path) {
            Ok(loaded) => loaded,
            Err(error) => {
                // Not read again until one of these changes.
                self.sources = error.sources.clone();
                return Err(anyhow!("{}", error.problems));
            }
        };
        self.sources = loaded.sources;
        for warning in loaded.warnings.iter() {
            self.report.warn("reload", &warning.to_string(), &[]);
        }
        let settings = loaded.settings;
        confinement::permits(&self.confinement, &settings)?;
        let old = self.shared.generation.load();
        let number = old.number + 1;
        let telemetry = old.telemetry.reloaded(&settings.logs)?;
        let generation = assembly::generation(number, &settings, &old.upstreams, telemetry)?;
        let lapi = self.lapi_change(settings.crowdsec.as_ref())?;
        let certificates = self.prepare_certificates(&settings)?;
        // Nothing fails from here on.
        for (listener, new) in certificates {
            listener.replace_certificates(new);
        }
        assembly::tell_geo(&settings, &self.shared.metrics);
        self.shared.generation.store(Arc::new(generation));
        self.tell_what_waits(&settings);
        self.crowdsec = settings.crowdsec;
        Ok((number, lapi))
    }

    fn lapi_change(&self, new: Option<&palisade_crowdsec::Settings>) -> Result<Option<LapiChange>> {
        if self.crowdsec.as_ref() == new {
            return Ok(None);
        }
        let Some(settings) = new else {
            return Ok(Some(LapiChange::Forget));
        };
        let poller = feed::poller(settings, &self.shared, &self.report)?;
        Ok(Some(LapiChange::Ask(Box::new(poller))))
    }

    fn prepare_certificates(
        &self,
        settings: &Settings,
    ) -> Result<Vec<(&Listener, NewCertificates)>> {
        let mut certificates = Vec::new();
        for listener in &self.listeners {
            let named = listener.settings().address;
            let new = settings.listeners.iter().find(|new| new.address == named);
            if let Some(ListenerSettings { tls: Some(tls), .. }) = new {
                certificates.push((&**listener, listener.prepare_certificates(tls)?));
            }
        }
        Ok(certificates)
    }

    /// Says which changes only a restart obeys.
    fn tell_what_waits(&self, settings: &Settings) {
        let once = &self.once;
        for (section, is_same) in [
            ("listeners", self.are_open(&settings.listeners)),
            (
                "state_directory",
                once.state_directory == settings.state_directory,
            ),
            ("metrics", once.metrics == settings.metrics),
            ("admin", once.admin == settings.admin),
        ] {
            if !is_same {
                let message = format!("{section}: not as at the start; that takes a restart");
                self.report.warn("reload", &message, &[]);
            }
        }
    }

    /// Whether these are the listeners that are open, certificates aside.
    fn are_open(&self, wanted: &[ListenerSettings]) -> bool {
        let is_open = |new: &ListenerSettings| {
            let mut open = self.listeners.iter().map(|listener| listener.settings());
            open.any(|old| old.differs_only_in_certificates(new))
        };
        wanted.len() == self.listeners.len() && wanted.iter().all(is_open)
    }
}
