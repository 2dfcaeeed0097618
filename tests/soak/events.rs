//! What happens meanwhile: settings are read again, processes take over, LAPI restarts, backends die and
//! come back, logs are rotated.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, RwLock, RwLockReadGuard};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::backend::{Backend, is_asked_within};
use crate::harness::{Dynasty, Lapi, has_ended, wait_for};
use crate::idle::Idle;

const RELOAD_EVERY: Duration = Duration::from_secs(3);
const FLAP_EVERY: Duration = Duration::from_secs(7);
/// How long a backend is away.
const AWAY: Duration = Duration::from_secs(3);
const LAPI_RESTART_EVERY: Duration = Duration::from_secs(20);
const ROTATE_EVERY: Duration = Duration::from_secs(11);
/// In a shorter run so often that some fit in.
const UPGRADE_EVERY: Duration = Duration::from_secs(180);
const UPGRADES_MIN: u32 = 3;
/// The part of a run in which there are upgrades: the process that serves then has the rest of it to
/// show that it doesn't grow.
const WITH_UPGRADES: f64 = 0.4;
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
    /// Written to by who replaces the process: whoever reads has one process before it until it is
    /// done, with counters of its own and a number of its own.
    pub(crate) gate: RwLock<Dynasty>,
    pub(crate) lapi: Lapi,
    /// The servers of the pool that takes turns to die.
    pub(crate) backends: [Backend; 2],
    pub(crate) idle: Option<Idle>,
    pub(crate) upgrades: Mutex<Vec<Upgrade>>,
}

/// How one process took the place of another.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Upgrade {
    /// From the signal until the new one serves alone.
    pub(crate) took: Duration,
    /// Until the old one was gone.
    pub(crate) drained: Duration,
}

impl Scene {
    pub(crate) fn gate(&self) -> RwLockReadGuard<'_, Dynasty> {
        self.gate.read().unwrap()
    }
}

impl Events {
    /// What is to happen in a run of this length.
    pub(crate) fn begin(scene: &Arc<Scene>, run: Duration) -> Self {
        let mut events = Self {
            stop: Arc::default(),
            happening: Vec::new(),
        };
        let settings = std::fs::read_to_string(scene.gate().first.settings()).unwrap();
        let good = settings.clone();
        let always = usize::MAX;
        events.add(
            "reloads",
            RELOAD_EVERY,
            always,
            scene,
            move |scene, round| {
                reload(&scene.gate(), &settings, round);
            },
        );
        let (every, times) = upgrades_of(run);
        events.add("upgrades", every, times, scene, move |scene, _| {
            upgrade(scene, &good);
        });
        events.add(
            "backend flaps",
            FLAP_EVERY,
            always,
            scene,
            |scene, round| {
                flap(&scene.backends[round % 2]);
            },
        );
        events.add(
            "LAPI restarts",
            LAPI_RESTART_EVERY,
            always,
            scene,
            restart_lapi,
        );
        events.add("log rotations", ROTATE_EVERY, always, scene, |scene, _| {
            for log in ["access.log", "decisions.log"] {
                let log = scene.gate().first.directory().join(log);
                rotate(&log);
            }
        });
        events
    }

    fn add(
        &mut self,
        what: &'static str,
        every: Duration,
        times: usize,
        scene: &Arc<Scene>,
        happen: impl Fn(&Scene, usize) + Send + 'static,
    ) {
        let (scene, stop) = (Arc::clone(scene), Arc::clone(&self.stop));
        let thread = std::thread::spawn(move || {
            let mut rounds = 0;
            while rounds < times && is_time(every, &stop) {
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

/// How often, and how many times.
fn upgrades_of(run: Duration) -> (Duration, usize) {
    let part = run.mul_f64(WITH_UPGRADES);
    let every = UPGRADE_EVERY.min(part / UPGRADES_MIN);
    (every, (part.as_secs_f64() / every.as_secs_f64()) as usize)
}

/// Two of three settings can be used; each is another than the one before.
fn reload(gate: &Dynasty, settings: &str, round: usize) {
    let palisade = &gate.first;
    let result = if round % 3 == 2 { "failed" } else { "ok" };
    let settings = match result {
        "ok" => settings.replace("/nothing", &format!("/nothing-{round}")),
        _ => format!("{settings}\nlisten_on_port: {round}\n"),
    };
    let counter = format!("palisade_reloads_total{{result=\"{result}\"}}");
    let before = palisade.metric(&counter);
    write_settings(gate, &settings);
    // Half of them are noticed by themselves.
    if round.is_multiple_of(2) {
        gate.signal("HUP");
    }
    wait_for("the settings to be read again", || {
        (palisade.metric(&counter) > before).then_some(())
    });
}

fn write_settings(gate: &Dynasty, settings: &str) {
    let file = gate.first.settings();
    let new = file.with_extension("new");
    std::fs::write(&new, settings).unwrap();
    std::fs::rename(&new, file).unwrap();
}

/// With settings that a process starts with.
fn upgrade(scene: &Scene, settings: &str) {
    let mut gate = scene.gate.write().unwrap();
    write_settings(&gate, settings);
    let (old, asked) = (gate.pid(), Instant::now());
    gate.upgrade();
    let took = asked.elapsed();
    drop(gate);
    // The old process ends those that stay idle.
    if let Some(idle) = &scene.idle {
        idle.open_again();
    }
    wait_for("the old process to end", || has_ended(old).then_some(()));
    let drained = asked.elapsed() - took;
    let mut upgrades = scene.upgrades.lock().unwrap();
    upgrades.push(Upgrade { took, drained });
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
            (scene.gate().first.get_from(&client, "/").status == status).then_some(())
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

#[test]
fn every_run_has_upgrades_and_a_long_rest() {
    let minutes = |minutes: u64| {
        let (every, times) = upgrades_of(Duration::from_secs(60 * minutes));
        (every.as_secs(), times)
    };
    assert_eq!(minutes(2), (16, 3));
    assert_eq!(minutes(30), (180, 4));
    assert_eq!(minutes(300), (180, 40));
}
