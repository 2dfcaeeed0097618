//! Reading the settings again: on SIGHUP, and when a file that they are made of changes.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Result, anyhow};
use palisade_admin::{DoorChange, OpenDoors, ReloadStatus};
use palisade_config::files::Disk;
use palisade_config::{Loaded, Location, Problem, Settings, Severity, SourceHash, Sources};
use palisade_confinement::Confinement;
use palisade_feeds::{Lists, ListsChange};
use palisade_proxy::{Generation, ListenerChange, Listeners, Shared};
use palisade_telemetry::Report;

use crate::assembly;
use crate::lapi::LapiChange;
use crate::shadow_thread::ShadowThread;
use crate::{announce, confinement, feed, load, refused};

/// How often the files are looked at.
pub(crate) const WATCH_INTERVAL: Duration = Duration::from_secs(2);

/// Reads the settings again, all or nothing.
pub(crate) struct Reloader {
    path: PathBuf,
    /// The files that were read last, whether what they say could be used or not.
    sources: Sources,
    /// The fingerprint of the settings in use.
    hash: SourceHash,
    once: ReadOnce,
    /// How LAPI is asked now.
    crowdsec: Option<palisade_crowdsec::Settings>,
    process: Running,
    /// Generations that are in use no more but for requests that began with them. Freed here, since it
    /// takes longer than a thread that serves clients should be busy.
    retired: Vec<Arc<Generation>>,
    /// The places that the operator knows to be out of reach.
    told_replaced: Vec<PathBuf>,
}

/// The settings that only a start obeys, as they were then.
struct ReadOnce {
    state_directory: Option<PathBuf>,
    sandbox: bool,
}

/// What a reload changes.
pub(crate) struct Running {
    pub(crate) shared: Arc<Shared>,
    pub(crate) listeners: Listeners,
    pub(crate) doors: Arc<OpenDoors>,
    pub(crate) lists: Arc<Lists>,
    pub(crate) status: Arc<ReloadStatus>,
    pub(crate) report: Arc<dyn Report>,
    pub(crate) confinement: Arc<Confinement>,
    pub(crate) shadow: Arc<ShadowThread>,
}

/// Everything that a reload makes, ready to be used: nothing of it can fail any more. Dropped, it has
/// changed nothing.
struct Change {
    settings: Settings,
    generation: Generation,
    sockets: Sockets,
    lists: ListsChange,
    lapi: Option<LapiChange>,
}

struct Sockets {
    doors: DoorChange,
    listeners: ListenerChange,
}

impl Reloader {
    pub(crate) fn new(path: PathBuf, loaded: Loaded, process: Running) -> Self {
        let settings = loaded.settings;
        Self {
            path,
            hash: loaded.sources.hash(),
            sources: loaded.sources,
            once: ReadOnce {
                state_directory: settings.state_directory,
                sandbox: settings.sandbox,
            },
            crowdsec: settings.crowdsec,
            process,
            retired: Vec::new(),
            told_replaced: Vec::new(),
        }
    }

    /// Reads the settings again if `is_asked` or if any file is not what it was when it was read;
    /// whether LAPI is to be asked in another way now. What is wrong with them is told, and the old
    /// ones stay. Takes as long as it takes to read files and compile rules.
    pub(crate) fn look(&mut self, is_asked: bool) -> Option<LapiChange> {
        self.free_retired();
        self.tell_replaced();
        if !is_asked && self.sources.changed(&Disk).is_none() {
            return None;
        }
        let reloaded = caught(|| self.try_reload()).unwrap_or_else(|defect| {
            // It would come again and again, until a file changes.
            self.sources.look_again(&Disk);
            Err(defect)
        });
        let lapi = match reloaded {
            Ok(lapi) => {
                self.tell_loaded();
                lapi
            }
            Err(error) => {
                self.tell_refused(&error);
                None
            }
        };
        self.free_retired();
        lapi
    }

    /// Says once of each folder that the sandbox keeps this process from it. What can't be written there
    /// is said by whoever tries, and that it is denied sends people to look at modes and owners.
    fn tell_replaced(&mut self) {
        for place in self.process.confinement.replaced() {
            if self.told_replaced.iter().any(|told| told == place) {
                continue;
            }
            let message = "this was replaced since the process started, which may write to what was there then alone (sandbox); restart it";
            let report = &self.process.report;
            report.error("confinement", message, &[("place", &place.display())]);
            self.told_replaced.push(place.to_owned());
        }
    }

    fn tell_loaded(&self) {
        let shared = &self.process.shared;
        let number = shared.generation.load().number;
        self.process.status.loaded(&self.hash, shared.clock.now());
        shared.metrics.snapshot.reloaded(number);
        self.process.report.info(
            "reload",
            "the new settings are in use",
            &[("generation", &number), ("hash", &self.hash)],
        );
    }

    fn tell_refused(&self, error: &anyhow::Error) {
        let shared = &self.process.shared;
        // Whoever sees the metric finds the reason.
        let status = &self.process.status;
        status.refused(&format!("{error:#}"), shared.clock.now());
        self.process.report.error(
            "reload",
            &format!("the settings can't be used, the old ones stay: {error:#}"),
            &[
                ("generation", &shared.generation.load().number),
                ("hash", &self.hash),
                ("refused_hash", &self.sources.hash()),
            ],
        );
        shared.metrics.snapshot.reload_failed();
    }

    fn try_reload(&mut self) -> Result<Option<LapiChange>> {
        let loaded = match load::read(&self.path) {
            Ok(loaded) => loaded,
            Err(error) => {
                self.sources = error.sources.clone();
                return Err(anyhow!("{}", error.problems));
            }
        };
        self.sources = loaded.sources;
        for warning in loaded.warnings.iter() {
            let report = &self.process.report;
            report.warn("reload", &warning.to_string(), &[]);
        }
        let change = self.prepare(loaded.settings)?;
        self.tell_what_waits(&change.settings);
        Ok(self.commit(change))
    }

    fn prepare(&self, mut settings: Settings) -> Result<Change> {
        let Running { shared, report, .. } = &self.process;
        confinement::permits(&self.process.confinement, &settings)?;
        let old = shared.generation.load();
        settings.geo = Arc::new(settings.geo.or_last_good(&old.snapshot.geo));
        let telemetry = old.telemetry.reloaded(&settings.logs)?;
        let number = old.number + 1;
        let kept = assembly::Old {
            upstreams: &old.upstreams,
            rule_sets: &old.rule_sets,
        };
        let generation = assembly::generation(number, &settings, kept, telemetry)?;
        let rest = lapi_change(&self.crowdsec, &settings.crowdsec, |crowdsec| {
            feed::poller(crowdsec, shared, report)
        })
        .and_then(|lapi| {
            self.process.shadow.start_if_wanted(&generation)?;
            let lists = ListsChange::prepare(settings.lists.clone())?;
            Ok((lapi, lists, self.prepare_sockets(&settings)?))
        });
        match rest {
            Ok((lapi, lists, sockets)) => Ok(Change {
                settings,
                generation,
                sockets,
                lists,
                lapi,
            }),
            Err(error) => {
                forget_metrics(&generation, &old, shared);
                Err(error)
            }
        }
    }

    /// Last, since a client may connect to a new socket as soon as it is bound.
    fn prepare_sockets(&self, settings: &Settings) -> Result<Sockets> {
        let Running {
            listeners, doors, ..
        } = &self.process;
        let doors = doors.prepare(settings.metrics.as_ref(), settings.admin.as_ref());
        let doors = doors.map_err(|error| refused::door(&error, settings))?;
        let listeners = listeners.prepare(&settings.listeners);
        let listeners = listeners.map_err(|error| refused::listener(&error, settings))?;
        Ok(Sockets { doors, listeners })
    }

    fn commit(&mut self, change: Change) -> Option<LapiChange> {
        let Running {
            shared,
            listeners,
            doors,
            lists,
            report,
            ..
        } = &self.process;
        let new = Arc::new(change.generation);
        let old = shared.generation.swap(Arc::clone(&new));
        forget_metrics(&old, &new, shared);
        self.retired.push(old);
        shared.shutdown.store(Arc::new(change.settings.shutdown));
        assembly::tell_geo(&change.settings.geo, &shared.metrics);
        let were_open = doors.at();
        doors.change(change.sockets.doors);
        let mut opened = doors.at();
        opened.retain(|door| !were_open.contains(door));
        announce::doors("reload", &opened, &**report);
        announce::listeners("reload", change.sockets.listeners.opened(), &**report);
        for listener in change.sockets.listeners.closed() {
            let address = listener.address();
            report.info("reload", "closed", &[("address", &address)]);
        }
        listeners.change(change.sockets.listeners);
        lists.change(change.lists);
        self.crowdsec = change.settings.crowdsec;
        self.hash = self.sources.hash();
        change.lapi
    }

    /// Says which changes only a restart obeys.
    fn tell_what_waits(&self, settings: &Settings) {
        let (once, places) = (&self.once, &settings.places);
        if once.state_directory != settings.state_directory {
            let now = match &once.state_directory {
                Some(directory) => format!("decisions are saved in {}", directory.display()),
                None => "no decisions are saved".to_owned(),
            };
            self.tell_that_it_waits("state_directory", &now, &places.state_directory);
        }
        if once.sandbox != settings.sandbox {
            let now = match once.sandbox {
                true => "the process is confined",
                false => "the process is not confined",
            };
            self.tell_that_it_waits("sandbox", now, &places.sandbox);
        }
    }

    fn tell_that_it_waits(&self, key: &str, now: &str, place: &Location) {
        let waits = Problem {
            location: place.clone(),
            severity: Severity::Warning,
            message: format!("{now} until a restart: another `{key}` takes one"),
        };
        let report = &self.process.report;
        report.warn("reload", &waits.to_string(), &[]);
    }

    fn free_retired(&mut self) {
        // Nobody can get hold of one that nobody has.
        self.retired
            .retain(|generation| Arc::strong_count(generation) > 1);
        let held = self.retired.len() + 1;
        self.process.shared.metrics.snapshot.set_held(held);
    }
}

/// What `reload` gives; where it panics, that is a failed reload and not the end of the process.
///
/// Nothing is half changed then: what a reload makes it puts in use at its end, and nothing of that can
/// fail.
fn caught<T>(reload: impl FnOnce() -> T) -> Result<T> {
    catch_unwind(AssertUnwindSafe(reload)).map_err(|panic| {
        let message = panic.downcast_ref::<&str>().copied();
        let message = message.or_else(|| Some(panic.downcast_ref::<String>()?.as_str()));
        anyhow!(
            "this is a defect of Palisade, please report it: {}",
            message.unwrap_or("panic")
        )
    })
}

fn lapi_change(
    old: &Option<palisade_crowdsec::Settings>,
    new: &Option<palisade_crowdsec::Settings>,
    poller: impl FnOnce(&palisade_crowdsec::Settings) -> Result<palisade_crowdsec::Poller>,
) -> Result<Option<LapiChange>> {
    match new {
        _ if old == new => Ok(None),
        None => Ok(Some(LapiChange::Forget)),
        Some(settings) => Ok(Some(LapiChange::Ask(Box::new(poller(settings)?)))),
    }
}

/// Forgets the metrics of what `gone` has and `kept` hasn't.
fn forget_metrics(gone: &Generation, kept: &Generation, shared: &Shared) {
    for pool in gone.upstreams.iter() {
        if kept.upstreams.get(pool.name()).is_none() {
            shared.metrics.forget_upstream(pool.name());
        }
    }
    for sink in gone.telemetry.sinks() {
        if kept.telemetry.sinks().all(|kept| kept != sink) {
            shared.metrics.forget_sink(sink);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_a_failed_reload() {
        let defect = caught(|| panic!("rule 7"));
        let told = defect.unwrap_err().to_string();
        assert!(
            told.contains("a defect of Palisade") && told.ends_with("rule 7"),
            "{told}"
        );
        assert_eq!(caught(|| 1).unwrap(), 1);
    }
}
