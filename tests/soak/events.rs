//! What happens meanwhile: settings are read again, LAPI restarts, backends die and come back, logs are
//! rotated.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::backend::{Backend, is_asked_within};
use crate::harness::{Lapi, Palisade, wait_for};

const RELOAD_EVERY: Duration = Duration::from_secs(3);
const FLAP_EVERY: Duration = Duration::from_secs(7);
/// How long a backend is away.
const AWAY: Duration = Duration::from_secs(3);
const LAPI_RESTART_EVERY: Duration = Duration::from_secs(20);
const ROTATE_EVERY: Duration = Duration::from_secs(11);
/// A backend that is back gets requests again within this, on a busy machine too.
const PATIENCE: Duration = Duration::from_secs(20);
/// How often it is looked whether it is time to end.
const TICK: Duration = Duration::from_millis(100);

/// All that happens, each in a thread of its own.
pub(crate) struct Events {
    stop: Arc<AtomicBool>,
    happening: Vec<(&'static str, JoinHandle<usize>)>,
}

/// What things happen to.
pub(crate) struct Scene {
    pub(crate) palisade: Palisade,
    pub(crate) lapi: Lapi,
    /// The servers of the pool that takes turns to die.
    pub(crate) backends: [Backend; 2],
}

impl Events {
    pub(crate) fn begin(scene: &Arc<Scene>) -> Self {
        let mut events = Self {
            stop: Arc::default(),
            happening: Vec::new(),
        };
        let settings = std::fs::read_to_string(scene.palisade.settings()).unwrap();
        events.add("reloads", RELOAD_EVERY, scene, move |scene, round| {
            reload(&scene.palisade, &settings, round);
        });
        events.add("backend flaps", FLAP_EVERY, scene, |scene, round| {
            flap(&scene.backends[round % 2]);
        });
        events.add("LAPI restarts", LAPI_RESTART_EVERY, scene, restart_lapi);
        events.add("log rotations", ROTATE_EVERY, scene, |scene, _| {
            for log in ["access.log", "decisions.log"] {
                rotate(&scene.palisade.directory().join(log));
            }
        });
        events
    }

    fn add(
        &mut self,
        what: &'static str,
        every: Duration,
        scene: &Arc<Scene>,
        happen: impl Fn(&Scene, usize) + Send + 'static,
    ) {
        let (scene, stop) = (Arc::clone(scene), Arc::clone(&self.stop));
        let thread = std::thread::spawn(move || {
            let mut rounds = 0;
            while is_time(every, &stop) {
                happen(&scene, rounds);
                rounds += 1;
            }
            rounds
        });
        self.happening.push((what, thread));
    }

    /// Lets what is under way come to its end; how often each happened. What didn't have the effect
    /// that it should have ends the test here.
    pub(crate) fn finish(self) -> Vec<(&'static str, usize)> {
        self.stop.store(true, Ordering::Relaxed);
        let happened = self.happening.into_iter();
        happened
            .map(|(what, thread)| match thread.join() {
                Ok(rounds) => (what, rounds),
                Err(panic) => std::panic::resume_unwind(panic),
            })
            .collect()
    }
}

/// Waits for the next time; false when everything is to end.
fn is_time(every: Duration, stop: &AtomicBool) -> bool {
    let begun = Instant::now();
    while begun.elapsed() < every {
        if stop.load(Ordering::Relaxed) {
            return false;
        }
        std::thread::sleep(TICK);
    }
    true
}

/// Two of three settings can be used; each is another than the one before.
fn reload(palisade: &Palisade, settings: &str, round: usize) {
    let result = if round % 3 == 2 { "failed" } else { "ok" };
    let settings = match result {
        "ok" => settings.replace("/nothing", &format!("/nothing-{round}")),
        _ => format!("{settings}\nlisten_on_port: {round}\n"),
    };
    let counter = format!("palisade_reloads_total{{result=\"{result}\"}}");
    let before = palisade.metric(&counter);
    let new = palisade.directory().join("palisade.new");
    std::fs::write(&new, settings).unwrap();
    std::fs::rename(&new, palisade.settings()).unwrap();
    // Half of them are noticed by themselves.
    if round.is_multiple_of(2) {
        palisade.signal("HUP");
    }
    wait_for("the settings to be read again", || {
        (palisade.metric(&counter) > before).then_some(())
    });
}

fn flap(backend: &Backend) {
    backend.kill();
    std::thread::sleep(AWAY);
    backend.restore();
    assert!(
        is_asked_within(backend, PATIENCE),
        "a backend that came back gets no requests"
    );
}

/// Afterwards, what LAPI decides arrives as before.
fn restart_lapi(scene: &Scene, round: usize) {
    scene.lapi.restart();
    let client = format!("198.51.100.{}", 100 + round % 100);
    let status = |status| {
        wait_for(&format!("{client} to get {status}"), || {
            (scene.palisade.get_from(&client, "/").status == status).then_some(())
        });
    };
    let ban = scene.lapi.ban(&client, "4h");
    status(403);
    scene.lapi.delete(&ban);
    status(200);
}

/// As logrotate does, but that nothing is kept.
fn rotate(log: &Path) {
    let old = log.with_extension("log.1");
    std::fs::rename(log, &old).unwrap();
    wait_for("a new log file", || log.exists().then_some(()));
    std::fs::remove_file(old).unwrap();
}
