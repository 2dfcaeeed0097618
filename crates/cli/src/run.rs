//! `palisade run`

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use anyhow::{Context, Result};
use palisade_admin::AdminContext;
use palisade_config::Loaded;
use tokio::task::JoinSet;
use tokio::time::{interval, sleep};

use crate::arguments::Run;
use crate::assembly::Process;
use crate::lapi::Lapi;
use crate::open_files::OpenFiles;
use crate::reload::{Reloader, Running, WATCH_INTERVAL};
use crate::reload_thread::ReloadThread;
use crate::signals::{Signals, Told};
use crate::workers::Workers;
use crate::{Exit, announce, attend, confinement, demo, feed, load};

/// How long logs may take to be written out at the end.
const FLUSH_TIME: Duration = Duration::from_secs(5);

pub(crate) fn run(arguments: &Run) -> Result<Exit> {
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
    let confinement = confinement::enter(&loaded.settings);
    // What runs beside the requests: polls, doors, signals. Requests have threads of their own.
    let control = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .thread_name("control")
        .enable_all()
        .build()
        .context("can't make a runtime")?;
    let _entered = control.enter();
    let signals = Signals::install().context("can't take signals")?;
    if let Some(backend) = demo_backend {
        backend.start()?;
    }
    let threads = match arguments.threads {
        Some(threads) => usize::from(threads),
        None => std::thread::available_parallelism().map_or(1, usize::from),
    };
    let process = Process::assemble(&loaded, confinement)?;
    open_files.warn_if_few(&loaded.settings.listeners, &*process.report);
    control.block_on(serve(process, loaded, settings_file, threads, signals))?;
    control.shutdown_timeout(Duration::from_secs(1));
    Ok(Exit::Done)
}

async fn serve(
    mut process: Process,
    loaded: Loaded,
    settings_file: Option<PathBuf>,
    threads: usize,
    signals: Signals,
) -> Result<()> {
    let mut background = JoinSet::new();
    let draining = process.shared.draining.clone();
    background.spawn(feed::keep_house(Arc::clone(&process.shared), draining));
    if settings_file.is_none() {
        demo::decide(&process)?;
    }
    let doors = Arc::new(process.doors.serve(Arc::clone(&process.admin))?);
    announce::doors("start", &doors.at(), &*process.report);
    let saved_in = loaded.settings.state_directory.clone();
    let mut lapi = Lapi::new(Arc::clone(&process.admin), saved_in);
    if let Some(poller) = process.poller.take() {
        lapi.start(poller)?;
    }
    let report = Arc::clone(&process.report);
    let attending = attend::attend(Arc::clone(&process.shared), Arc::clone(&report));
    let attending = tokio::spawn(attending);
    let workers = Workers::start(threads, &process.listeners, &process.shared, &report)?;
    announce::listeners("start", &process.listeners.open(), &*report);
    report.info("start", "ready", &[("threads", &threads)]);
    if settings_file.is_none() {
        demo::greet();
    }
    let reloader = settings_file.map(|path| {
        let process = Running {
            shared: Arc::clone(&process.shared),
            listeners: process.listeners.clone(),
            doors: Arc::clone(&doors),
            status: Arc::clone(&process.admin.reload),
            confinement: Arc::clone(&process.admin.confinement),
            report: Arc::clone(&report),
        };
        ReloadThread::start(Reloader::new(path, loaded, process))
    });
    until_told_to_stop(reloader.transpose()?, &mut lapi, signals).await?;
    leave(&process.admin).await;
    report.info("stop", "draining: no new connections", &[]);
    process.drain.send_replace(true);
    tokio::task::spawn_blocking(|| workers.join()).await?;
    attending.abort();
    lapi.stop().await;
    // Last: `/readyz` has to say that the process drains while it does.
    doors.close().await;
    while background.join_next().await.is_some() {}
    let telemetry = Arc::clone(&process.shared.generation.load().telemetry);
    if let Err(lost) = telemetry.flush(FLUSH_TIME) {
        report.warn("stop", &lost.to_string(), &[]);
    }
    report.info("stop", "stopped", &[]);
    Ok(())
}

/// Says on `/readyz` that no requests should come any more, and serves those that come all the same
/// until whoever sends them has had the time to notice that the settings give.
async fn leave(admin: &AdminContext) {
    admin.leaving.store(true, Ordering::Relaxed);
    let delay = admin.shared.shutdown.load().delay;
    if !delay.is_zero() {
        let message = "not ready any more: draining begins after the delay";
        let delay_ms = delay.as_millis();
        admin
            .report
            .info("stop", message, &[("delay_ms", &delay_ms)]);
        sleep(delay).await;
    }
}

/// Reads the settings again when they change or on SIGHUP, until SIGTERM or SIGINT.
async fn until_told_to_stop(
    reloader: Option<ReloadThread>,
    lapi: &mut Lapi,
    mut signals: Signals,
) -> Result<()> {
    let mut watch = interval(WATCH_INTERVAL);
    loop {
        let is_asked = tokio::select! {
            told = signals.next() => match told {
                Told::Stop => return Ok(()),
                Told::Reload => true,
            },
            _ = watch.tick() => false,
        };
        if let Some(reloader) = &reloader
            && let Some(change) = reloader.look(is_asked).await
        {
            lapi.change(change).await;
        }
    }
}
