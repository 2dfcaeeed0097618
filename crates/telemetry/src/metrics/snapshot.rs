//! The settings in use and the files behind them.

use prometheus::{IntCounter, IntGauge, Result};

use super::family::{By, Registrar};
use super::labels::{GeoDatabase, ReloadResult};

/// Counts reloads of the settings.
pub struct SnapshotMetrics {
    generation: IntGauge,
    held: IntGauge,
    reloads: By<ReloadResult, IntCounter>,
    last_reload_failed: IntGauge,
    upgrade_failures: IntCounter,
}

impl SnapshotMetrics {
    pub(super) fn register(registrar: &Registrar) -> Result<Self> {
        Ok(Self {
            generation: registrar.gauge(
                "palisade_snapshot_generation",
                "Number of the settings in use; grows with each reload that succeeds",
            )?,
            held: registrar.gauge(
                "palisade_snapshot_generations_held",
                "Settings in memory: those in use, and earlier ones that requests under way began with",
            )?,
            reloads: registrar.counters(
                "palisade_reloads_total",
                "Reloads of the settings, by result",
                "result",
            )?,
            last_reload_failed: registrar.gauge(
                "palisade_last_reload_failed",
                "1 while the settings file has errors that the last reload found",
            )?,
            upgrade_failures: registrar.counter(
                "palisade_upgrade_failures_total",
                "Upgrades (SIGQUIT) in which no other process took this one's place",
            )?,
        })
    }

    /// The process started with its first settings.
    pub fn started(&self, generation: u64) {
        self.generation
            .set(i64::try_from(generation).unwrap_or(i64::MAX));
        self.held.set(self.held.get().max(1));
    }

    /// How many settings are in memory, those in use included.
    pub fn set_held(&self, generations: usize) {
        self.held
            .set(i64::try_from(generations).unwrap_or(i64::MAX));
    }

    /// New settings are in use.
    pub fn reloaded(&self, generation: u64) {
        self.started(generation);
        self.reloads.inc(ReloadResult::Ok);
        self.last_reload_failed.set(0);
    }

    /// No other process took this one's place.
    pub fn upgrade_failed(&self) {
        self.upgrade_failures.inc();
    }

    /// New settings had errors; the old ones stay in use.
    pub fn reload_failed(&self) {
        self.reloads.inc(ReloadResult::Failed);
        self.last_reload_failed.set(1);
    }
}

/// Tells the state of the geo databases.
pub struct GeoMetrics {
    loaded: By<GeoDatabase, IntGauge>,
    load_failures: By<GeoDatabase, IntCounter>,
}

impl GeoMetrics {
    pub(super) fn register(registrar: &Registrar) -> Result<Self> {
        Ok(Self {
            loaded: registrar.gauges(
                "palisade_geo_database_loaded",
                "1 while the database can be asked; 0 where it is missing, corrupt or not set",
                "database",
            )?,
            load_failures: registrar.counters(
                "palisade_geo_database_load_failures_total",
                "Loads of a geo database that failed",
                "database",
            )?,
        })
    }

    /// A database can be asked, or no longer.
    pub fn set_loaded(&self, database: GeoDatabase, loaded: bool) {
        self.loaded.set(database, i64::from(loaded));
    }

    /// A database, or a newer one, could not be loaded.
    pub fn load_failed(&self, database: GeoDatabase) {
        self.load_failures.inc(database);
    }
}
