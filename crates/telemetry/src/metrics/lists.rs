//! Lists from files and servers.

use std::collections::BTreeMap;
use std::time::Duration;

use parking_lot::Mutex;
use prometheus::{IntCounterVec, IntGaugeVec, Result};

use super::family::Registrar;

/// How a list is.
#[derive(Clone, Copy, Debug)]
pub struct ListReading<'a> {
    /// What it is for: `block`, `allow` or `access`.
    pub purpose: &'static str,
    /// Its name in the settings.
    pub name: &'a str,
    /// How many addresses and ranges it has.
    pub entries: usize,
    /// How many were left out of it.
    pub bad_entries: u64,
    /// How long ago it was known to be what its source has; none where it never was.
    pub age: Option<Duration>,
    /// How many times there was no new copy.
    pub failures: u64,
    /// Whether the disk has not taken the copy in force.
    pub is_not_saved: bool,
}

pub(super) struct ListFamilies {
    entries: IntGaugeVec,
    bad_entries: IntGaugeVec,
    age: IntGaugeVec,
    failures: IntCounterVec,
    not_saved: IntGaugeVec,
    /// The lists that are shown, each with the failures that were counted.
    shown: Mutex<BTreeMap<(&'static str, String), u64>>,
}

impl ListFamilies {
    pub(super) fn register(registrar: &Registrar) -> Result<Self> {
        let labels = &["purpose", "list"];
        Ok(Self {
            entries: registrar.gauge_family(
                "palisade_list_entries",
                "Addresses and ranges of the copy of a list that is in force",
                labels,
            )?,
            bad_entries: registrar.gauge_family(
                "palisade_list_bad_entries",
                "Entries that were left out of it",
                labels,
            )?,
            age: registrar.gauge_family(
                "palisade_list_age_seconds",
                "Time since it was last known to be what its source has",
                labels,
            )?,
            failures: registrar.counter_family(
                "palisade_list_failures_total",
                "Times that the source of a list had no copy that could be used",
                labels,
            )?,
            not_saved: registrar.gauge_family(
                "palisade_list_not_saved",
                "1 while the disk has not taken the copy of a list that is in force",
                labels,
            )?,
            shown: Mutex::default(),
        })
    }

    /// Lists that have no reading are shown no more.
    pub(super) fn set<'a>(
        &self,
        readings: impl IntoIterator<Item = ListReading<'a>>,
    ) -> Result<()> {
        let mut shown = self.shown.lock();
        let mut before = std::mem::take(&mut *shown);
        for reading in readings {
            let labels = &[reading.purpose, reading.name];
            let number = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
            let gauge = |family: &IntGaugeVec, value: u64| {
                family
                    .get_metric_with_label_values(labels)
                    .map(|gauge| gauge.set(number(value)))
            };
            gauge(&self.entries, reading.entries as u64)?;
            gauge(&self.bad_entries, reading.bad_entries)?;
            gauge(&self.not_saved, u64::from(reading.is_not_saved))?;
            if let Some(age) = reading.age {
                gauge(&self.age, age.as_secs())?;
            }
            let key = (reading.purpose, reading.name.to_owned());
            let counted = before.remove(&key).unwrap_or_default();
            let failures = self.failures.get_metric_with_label_values(labels)?;
            failures.inc_by(reading.failures.saturating_sub(counted));
            shown.insert(key, reading.failures);
        }
        for (purpose, name) in before.keys() {
            let labels = &[*purpose, name.as_str()];
            // One that never had an age has none to be taken away.
            let _ = self.age.remove_label_values(labels);
            self.entries.remove_label_values(labels)?;
            self.bad_entries.remove_label_values(labels)?;
            self.failures.remove_label_values(labels)?;
            self.not_saved.remove_label_values(labels)?;
        }
        Ok(())
    }
}
