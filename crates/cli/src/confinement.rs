//! What the process gives up, by its settings.

use std::path::Path;

use anyhow::Result;
use palisade_config::Settings;
use palisade_confinement::{
    Confinement, Inherited, Layer, OutOfReach, WritablePlaces, allow_core_dumps, confine,
};
use palisade_telemetry::{Metrics, Report, Sink};

/// Gives up what a proxy with these settings has no use for, and hasn't given up already. To be called
/// before there are threads.
///
/// # Errors
/// They want to write where the process whose place this one takes gave that up.
pub(crate) fn enter(settings: &Settings, inherited: Inherited) -> Result<Confinement, OutOfReach> {
    let mut places = places_of_reloads(settings);
    if let Some(folder) = &settings.state_directory {
        places.add_folder(folder);
    }
    if !settings.sandbox {
        allow_core_dumps(true);
        return Confinement::none_but(inherited, &places);
    }
    // An upgrade starts it again.
    let program = std::env::current_exe().ok();
    confine(&places, program, &inherited)
}

/// Says in the metrics and to the operator what holds.
pub(crate) fn tell(
    confinement: &Confinement,
    settings: &Settings,
    metrics: &Metrics,
    report: &dyn Report,
) -> Result<()> {
    for layer in Layer::ALL {
        metrics.set_confinement(layer.as_str(), confinement.has(layer))?;
    }
    for (layer, error) in confinement.missing() {
        let message = format!("not confined by {layer}: {error}");
        report.warn("confinement", &message, &[]);
    }
    if !settings.sandbox {
        let holds_nothing = *confinement.inherited() == Inherited::default();
        let message = match holds_nothing {
            true => "off: `sandbox: false`",
            false => {
                "`sandbox: false` takes a restart: what the process before this one gave up stays given up"
            }
        };
        report.warn("confinement", message, &[]);
    }
    if rustix::process::geteuid().is_root() {
        let message = "running as root; better as a user of its own, with CAP_NET_BIND_SERVICE where ports below 1024 are wanted";
        report.warn("confinement", message, &[]);
    }
    Ok(())
}

/// Whether newer settings can be obeyed by a process that is confined already.
///
/// # Errors
/// They want to write where the process no longer can.
pub(crate) fn permits(confinement: &Confinement, settings: &Settings) -> Result<(), OutOfReach> {
    confinement.permits(&places_of_reloads(settings))
}

/// What is written to besides the state directory, which no reload changes.
fn places_of_reloads(settings: &Settings) -> WritablePlaces {
    let mut places = WritablePlaces::default();
    let logs = &settings.logs;
    let access = logs.access.as_ref().map(|access| &access.sink);
    let audit = logs.audit.as_ref().map(|audit| &audit.sink);
    let plain = logs.decisions.iter().chain(&logs.shadow);
    for sink in access.into_iter().chain(plain).chain(audit) {
        if let Sink::File(path) = sink {
            places.add_file(path);
        }
    }
    let socket = settings
        .admin
        .as_ref()
        .and_then(|admin| admin.socket.as_deref());
    if let Some(folder) = socket.and_then(Path::parent) {
        // It is removed and made anew at each start.
        places.add_folder(folder);
    }
    places
}
