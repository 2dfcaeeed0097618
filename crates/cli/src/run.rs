//! `palisade run`

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use anyhow::{Context, Result};
use palisade_admin::{AdminContext, OpenDoors};
use palisade_config::Loaded;
use palisade_confinement::Inherited;
use palisade_proxy::{Clock, Shared};
use palisade_telemetry::Report;
use palisade_vocabulary::{FailurePolicy, Mode};
use tokio::spawn;
use tokio::sync::watch;
use tokio::task::{JoinHandle, spawn_blocking};
use tokio::time::{interval, sleep, timeout};

use crate::arguments::Run;
use crate::assembly::Process;
use crate::handover::{Line, Predecessor, Program, Successor};
use crate::inheritance::Inheritance;
use crate::lapi::Lapi;
use crate::open_files::OpenFiles;
use crate::pulse::Pulse;
use crate::reload::{Reloader, Running, WATCH_INTERVAL};
use crate::reload_thread::ReloadThread;
use crate::shadow_thread::ShadowThread;
use crate::signals::{EarlySignals, Signals, Told};
use crate::upgrade::{Upgrade, Upgraded};
use crate::workers::Workers;
use crate::{
    Exit, announce, attend, confinement, demo, feed, lists, load, orphans, systemd, tasks,
};

/// How long logs may take to be written out at the end.
const FLUSH_TIME: Duration = Duration::from_secs(5);

/// How often a process that takes another's place looks whether LAPI has answered.
const SYNC_INTERVAL: Duration = Duration::from_millis(20);

/// How long the last words may take.
const REPORT_FLUSH_TIME: Duration = Duration::from_secs(1);

pub(crate) fn run(arguments: &Run) -> Result<Exit> {
    let early = EarlySignals::note().context("can't take signals")?;
    let line = Line::find().context("can't speak to the process whose place this one takes")?;
    let opened = Inheritance::of_systemd();
    let program = Program::of_this_process();
    let (loaded, settings_file, demo_backend) = if arguments.demo {
        let (loaded, backend) = demo::load()?;
        (loaded, None, Some(backend))
    } else {
        match load::load(&arguments.config) {
            Ok(loaded) => (loaded, Some(arguments.config.path().to_owned()), None),
            Err(exit) => return Ok(exit),
        }
    };
    let open_files = OpenFiles::raise();
    // Threads inherit it: before the first one.
    let confine = |inherited| confinement::enter(&loaded.settings, inherited);
    let confinement = match &line {
        Some(line) => line.confine(confine)?,
        None => confine(Inherited::default())?,
    };
    // What runs beside the requests: polls, doors, signals. Requests have threads of their own.
    let control = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .thread_name("control")
        .enable_all()
        .build()
        .context("can't make a runtime")?;
    let _entered = control.enter();
    let signals = early.take().context("can't take signals")?;
    orphans::take_in()?;
    if let Some(backend) = demo_backend {
        backend.start()?;
    }
    let threads = match arguments.threads {
        Some(threads) => usize::from(threads),
        None => std::thread::available_parallelism().map_or(1, usize::from),
    };
    let clock = Clock::start();
    let predecessor = line.map(Line::open).transpose()?;
    let inheritance = match &predecessor {
        Some(predecessor) => control.block_on(predecessor.take_over(clock))?,
        None => opened,
    };
    let process = Process::assemble(&loaded, confinement, clock, inheritance)?;
    open_files.warn_if_few(&loaded.settings.listeners, &*process.report);
    let run = Start {
        process,
        loaded,
        settings_file,
        threads,
        signals,
        program: program.ok(),
        predecessor,
    };
    control.block_on(run.serve())?;
    control.shutdown_timeout(Duration::from_secs(1));
    Ok(Exit::Done)
}

/// All that a process needs to begin.
struct Start {
    process: Process,
    loaded: Loaded,
    /// None for the demo.
    settings_file: Option<PathBuf>,
    threads: usize,
    signals: Signals,
    program: Option<Program>,
    predecessor: Option<Predecessor>,
}

/// A process that serves.
struct Serving {
    admin: Arc<AdminContext>,
    doors: Arc<OpenDoors>,
    lapi: Lapi,
    reloader: Option<ReloadThread>,
    shadow: Arc<ShadowThread>,
    workers: Workers,
    house: JoinHandle<()>,
    attending: JoinHandle<()>,
    drain: watch::Sender<bool>,
    signals: Signals,
    program: Option<Program>,
}

/// Why a process ends.
enum Ending {
    /// It was told to.
    Stopped,
    /// Another has taken its place.
    Replaced(Box<Successor>),
}

impl Start {
    async fn serve(self) -> Result<()> {
        let mut serving = self.begin().await?;
        let ending = serving.until_it_ends().await;
        serving.leave(&ending).await;
        serving.drain().await
    }

    async fn begin(self) -> Result<Serving> {
        let process = self.process;
        let (shared, admin, report) = (process.shared, process.admin, process.report);
        let house = keep_house(&admin);
        if self.settings_file.is_none() {
            demo::decide(&admin)?;
        }
        let saved_in = self.loaded.settings.state_directory.clone();
        let mut lapi = Lapi::new(Arc::clone(&admin), saved_in);
        if let Some(poller) = process.poller {
            lapi.start(poller)?;
        }
        if let Some(predecessor) = &self.predecessor {
            first_poll(&admin).await;
            predecessor.prepared().await?;
        }
        let attending = attend::attend(Arc::clone(&shared), Arc::clone(&report));
        let attending = spawn(attending);
        let pulse = Pulse::new();
        let listeners = process.listeners;
        let workers = Workers::start(self.threads, &listeners, &shared, &report, &pulse)?;
        spawn(tasks::count(
            workers.runtimes().to_vec(),
            Arc::clone(&shared),
        ));
        let doors = Arc::new(process.doors.serve(Arc::clone(&admin))?);
        announce::doors("start", &doors.at(), &*report);
        announce::listeners("start", &listeners.open(), &*report);
        if let Some(predecessor) = self.predecessor {
            predecessor.serving().await;
        }
        report.info("start", "ready", &[("threads", &self.threads)]);
        systemd::ready(shared.generation.load().number);
        spawn(systemd::keep_alive(pulse, Arc::clone(&report)));
        if self.settings_file.is_none() {
            demo::greet();
        }
        // The demo's backend is in its process, and would be there twice.
        let program = self.program.filter(|_| self.settings_file.is_some());
        let reloader = self.settings_file.map(|path| {
            let process = Running {
                shared,
                listeners,
                doors: Arc::clone(&doors),
                lists: Arc::clone(&admin.lists),
                status: Arc::clone(&admin.reload),
                confinement: Arc::clone(&admin.confinement),
                shadow: Arc::clone(&process.shadow),
                report,
            };
            ReloadThread::start(Reloader::new(path, self.loaded, process))
        });
        Ok(Serving {
            program,
            reloader: reloader.transpose()?,
            shadow: process.shadow,
            admin,
            doors,
            lapi,
            workers,
            house,
            attending,
            drain: process.drain,
            signals: self.signals,
        })
    }
}

/// What goes on beside the requests until the process drains; ends when it has.
fn keep_house(admin: &Arc<AdminContext>) -> JoinHandle<()> {
    let shared = &admin.shared;
    let counting = feed::keep_house(Arc::clone(shared), shared.draining.clone());
    let catching_up = feed::catch_up(Arc::clone(admin), shared.draining.clone());
    spawn(lists::pass_on(
        Arc::clone(&admin.lists),
        Arc::clone(&shared.metrics),
        shared.draining.clone(),
    ));
    spawn(async move {
        tokio::join!(counting, catching_up);
    })
}

/// Waits for LAPI's first answer, which the process whose place this one takes has had; where
/// requests are refused without one, until it is a good one.
async fn first_poll(admin: &AdminContext) {
    let snapshot = &admin.shared.generation.load_full().snapshot;
    let decisions = &snapshot.decisions;
    let needs_good = decisions.on_failure == FailurePolicy::Closed && decisions.mode == Mode::Block;
    while let Some(lapi) = admin.lapi.load_full() {
        if let Some(good) = lapi.last_good_poll() {
            return admin.shared.state.crowdsec.observe_good(good);
        }
        if lapi.consecutive_failures() > 0 && !needs_good {
            return;
        }
        sleep(SYNC_INTERVAL).await;
    }
}

fn write_out(shared: &Shared, report: &dyn Report) {
    let telemetry = Arc::clone(&shared.generation.load().telemetry);
    if let Err(lost) = telemetry.flush(FLUSH_TIME) {
        report.warn("stop", &lost.to_string(), &[]);
    }
}

impl Serving {
    /// Does what signals ask for, and reads the settings again when they change.
    async fn until_it_ends(&mut self) -> Ending {
        let mut watch = interval(WATCH_INTERVAL);
        loop {
            let told = tokio::select! {
                told = self.signals.next() => Some(told),
                _ = watch.tick() => None,
            };
            match told {
                Some(Told::Stop) => return Ending::Stopped,
                Some(Told::Upgrade) => match self.upgrade().await {
                    Upgraded::Done(successor) => return Ending::Replaced(successor),
                    Upgraded::Stopped => return Ending::Stopped,
                    Upgraded::Failed => {}
                },
                Some(Told::Reload) => {
                    systemd::reloading();
                    self.look_at_settings(true).await;
                    systemd::ready(self.admin.shared.generation.load().number);
                }
                None => self.look_at_settings(false).await,
            }
        }
    }

    async fn upgrade(&mut self) -> Upgraded {
        let upgrade = Upgrade {
            program: self.program.as_ref(),
            admin: &self.admin,
            doors: &self.doors,
            lapi: &mut self.lapi,
        };
        upgrade.run(&mut self.signals).await
    }

    async fn look_at_settings(&mut self, is_asked: bool) {
        if let Some(reloader) = &self.reloader
            && let Some(change) = reloader.look(is_asked).await
        {
            self.lapi.change(change).await;
        }
    }

    /// Sees to it that no more requests come, before the process drains.
    async fn leave(&mut self, ending: &Ending) {
        let admin = &self.admin;
        let drains = "draining: no new connections";
        if let Ending::Replaced(successor) = ending {
            // `/readyz` is the other process's by now, and doesn't say no.
            self.doors.leave().await;
            let pid = successor.pid();
            return admin.report.info("stop", drains, &[("replaced_by", &pid)]);
        }
        systemd::stopping();
        // `/readyz` says no from now on. Whoever sends requests has the delay to notice, in which they
        // are served as ever.
        admin.leaving.store(true, Ordering::Relaxed);
        let delay = admin.shared.shutdown.load().delay;
        if !delay.is_zero() {
            let message = "not ready any more: draining begins after the delay";
            let delay_ms = delay.as_millis();
            admin
                .report
                .info("stop", message, &[("delay_ms", &delay_ms)]);
            // Whoever says it again is in a hurry.
            let _ = timeout(delay, self.signals.stopped()).await;
        }
        admin.report.info("stop", drains, &[]);
    }

    /// Ends when all connections have, and all that was told is written.
    async fn drain(mut self) -> Result<()> {
        self.drain.send_replace(true);
        spawn_blocking(|| self.workers.join()).await?;
        self.attending.abort();
        self.lapi.stop().await;
        self.admin.lists.stop();
        // Last: `/readyz` has to say that the process drains while it does.
        self.doors.close().await;
        self.house.await?;
        let shadow = Arc::clone(&self.shadow);
        spawn_blocking(move || shadow.stop()).await?;
        write_out(&self.admin.shared, &*self.admin.report);
        self.admin.report.info("stop", "stopped", &[]);
        self.admin.report.flush(REPORT_FLUSH_TIME);
        Ok(())
    }
}
