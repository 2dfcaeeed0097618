//! Reading the settings again: on SIGHUP, and when a file that they are made of changes.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Result, anyhow};
use palisade_admin::ReloadStatus;
use palisade_config::files::Disk;
use palisade_config::{Settings, Sources};
use palisade_proxy::settings::ListenerSettings;
use palisade_proxy::{Listener, Shared};
use palisade_telemetry::Report;

use crate::assembly::{self, Process};
use crate::load;

/// How often the files are looked at.
pub(crate) const WATCH_INTERVAL: Duration = Duration::from_secs(2);

/// Reads the settings again, all or nothing.
pub(crate) struct Reloader {
    path: PathBuf,
    sources: Sources,
    shared: Arc<Shared>,
    listeners: Vec<Arc<Listener>>,
    report: Arc<dyn Report>,
    status: Arc<ReloadStatus>,
}

impl Reloader {
    pub(crate) fn new(path: PathBuf, sources: Sources, process: &Process) -> Self {
        Self {
            path,
            sources,
            shared: Arc::clone(&process.shared),
            listeners: process.listeners.clone(),
            report: Arc::clone(&process.report),
            status: Arc::clone(&process.admin.reload),
        }
    }

    /// Whether any file is not what it was when it was read.
    pub(crate) fn is_due(&self) -> bool {
        self.sources.changed(&Disk).is_some()
    }

    /// Reads the settings again. What is wrong with them is told, and the old ones stay.
    pub(crate) fn reload(&mut self) {
        match self.try_reload() {
            Ok(number) => {
                self.shared.metrics.snapshot.reloaded(number);
                let hash = self.sources.hash();
                self.status.loaded(&hash, self.shared.clock.now());
                self.report.info(
                    "reload",
                    "the new settings are in use",
                    &[("generation", &number), ("hash", &hash)],
                );
            }
            Err(error) => {
                self.shared.metrics.snapshot.reload_failed();
                self.status
                    .refused(&format!("{error:#}"), self.shared.clock.now());
                let message = format!("the settings can't be used, the old ones stay: {error:#}");
                self.report.error("reload", &message, &[]);
            }
        }
    }

    fn try_reload(&mut self) -> Result<u64> {
        let loaded = match load::read(&self.path) {
            Ok(loaded) => loaded,
            Err(error) => {
                // Not read again until one of these changes.
                self.sources = error.sources.clone();
                return Err(anyhow!("{}", error.problems));
            }
        };
        self.sources = loaded.sources;
        let settings = &loaded.settings;
        let old = self.shared.generation.load();
        let number = old.number + 1;
        let telemetry = old.telemetry.reloaded(&settings.logs)?;
        let generation = assembly::generation(number, settings, &old.upstreams, telemetry)?;
        self.renew_certificates(settings)?;
        self.shared.generation.store(Arc::new(generation));
        Ok(number)
    }

    /// Other certificates are used at once; what else changes about a listener waits for a restart.
    fn renew_certificates(&self, settings: &Settings) -> Result<()> {
        for listener in &self.listeners {
            let named = listener.settings().address;
            let new = settings.listeners.iter().find(|new| new.address == named);
            if let Some(ListenerSettings { tls: Some(tls), .. }) = new {
                listener.replace_certificates(tls)?;
            }
        }
        let same = settings.listeners.len() == self.listeners.len();
        let known = |new: &ListenerSettings| {
            let mut listeners = self.listeners.iter().map(|listener| listener.settings());
            listeners.any(|old| old.differs_only_in_certificates(new))
        };
        if !same || !settings.listeners.iter().all(known) {
            let message = "listeners are not the same any more: that takes a restart";
            self.report.warn("reload", message, &[]);
        }
        Ok(())
    }
}
