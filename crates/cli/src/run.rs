//! `palisade run`

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use palisade_admin::Doors;
use palisade_config::Loaded;
use palisade_proxy::Listener;
use palisade_telemetry::Report;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::interval;

use crate::arguments::Run;
use crate::assembly::Process;
use crate::lapi::Lapi;
use crate::reload::{Reloader, WATCH_INTERVAL};
use crate::workers::Workers;
use crate::{Exit, VERSION, confinement, demo, feed, load};

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
    if let Some(backend) = demo_backend {
        backend.start()?;
    }
    let threads = match arguments.threads {
        Some(threads) => usize::from(threads),
        None => std::thread::available_parallelism().map_or(1, usize::from),
    };
    let process = Process::assemble(&loaded, confinement)?;
    control.block_on(serve(process, loaded, settings_file, threads))?;
    control.shutdown_timeout(Duration::from_secs(1));
    Ok(Exit::Done)
}

async fn serve(
    mut process: Process,
    loaded: Loaded,
    settings_file: Option<PathBuf>,
    threads: usize,
) -> Result<()> {
    let mut background = JoinSet::new();
    // The doors close last: `/readyz` has to say that the process drains while it does.
    let (stop, stopped) = watch::channel(false);
    start_background(&mut process, stopped, &mut background);
    let saved_in = loaded.settings.state_directory.clone();
    let mut lapi = Lapi::new(Arc::clone(&process.admin), saved_in);
    if let Some(poller) = process.poller.take() {
        lapi.start(poller)?;
    }
    if settings_file.is_none() {
        demo::decide(&process)?;
    }
    let workers = Workers::start(threads, &process.listeners, &process.shared)?;
    let report = Arc::clone(&process.report);
    announce(&process.listeners, &*report);
    report.info("start", "ready", &[("threads", &threads)]);
    if settings_file.is_none() {
        demo::greet();
    }
    let reloader = settings_file.map(|path| Reloader::new(path, loaded, &process));
    until_told_to_stop(reloader, &mut lapi).await?;
    report.info("stop", "draining: no new connections", &[]);
    process.drain.send_replace(true);
    tokio::task::spawn_blocking(|| workers.join()).await?;
    lapi.stop().await;
    stop.send_replace(true);
    while background.join_next().await.is_some() {}
    let telemetry = Arc::clone(&process.shared.generation.load().telemetry);
    if let Err(lost) = telemetry.flush(FLUSH_TIME) {
        report.warn("stop", &lost.to_string(), &[]);
    }
    report.info("stop", "stopped", &[]);
    Ok(())
}

/// Starts what runs beside the requests.
fn start_background(
    process: &mut Process,
    stopped: watch::Receiver<bool>,
    background: &mut JoinSet<()>,
) {
    let shared = Arc::clone(&process.shared);
    let draining = shared.draining.clone();
    background.spawn(feed::keep_house(Arc::clone(&shared), draining.clone()));
    announce_doors(&process.doors, &*process.report);
    let doors = std::mem::take(&mut process.doors);
    let doors = doors.serve(Arc::clone(&process.admin), feed::until(stopped));
    let report = Arc::clone(&process.report);
    background.spawn(async move {
        if let Err(error) = doors.await {
            report.error("doors", &error.to_string(), &[]);
        }
    });
}

fn announce_doors(doors: &Doors, report: &dyn Report) {
    let told = |message: &str, address: Option<std::net::SocketAddr>| {
        if let Some(address) = address {
            report.info("start", message, &[("address", &address)]);
        }
    };
    told("metrics", doors.metrics_address());
    told("admin", doors.admin_address());
    if let Some(path) = doors.admin_socket() {
        report.info("start", "admin socket", &[("path", &path.display())]);
    }
}

fn announce(listeners: &[Arc<Listener>], report: &dyn Report) {
    for listener in listeners {
        let settings = listener.settings();
        let scheme = if settings.tls.is_some() {
            "https"
        } else {
            "http"
        };
        let proxy = match &settings.proxy_protocol {
            None => "off",
            Some(policy) => policy.mode.as_str(),
        };
        report.info(
            "start",
            "listening",
            &[
                ("address", &listener.address()),
                ("scheme", &scheme),
                ("proxy_protocol", &proxy),
                ("version", &VERSION),
            ],
        );
    }
}

/// Reads the settings again when they change or on SIGHUP, until SIGTERM or SIGINT.
async fn until_told_to_stop(mut reloader: Option<Reloader>, lapi: &mut Lapi) -> Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut hang_up = signal(SignalKind::hangup())?;
    let mut watch = interval(WATCH_INTERVAL);
    loop {
        let is_asked = tokio::select! {
            _ = terminate.recv() => return Ok(()),
            _ = interrupt.recv() => return Ok(()),
            _ = hang_up.recv() => true,
            _ = watch.tick() => false,
        };
        if let Some(mut at_work) = reloader.take() {
            // Reading files and compiling rules takes long enough to be in nobody's way.
            let reloading = tokio::task::spawn_blocking(move || {
                let is_due = is_asked || at_work.is_due();
                let change = if is_due { at_work.reload() } else { None };
                (at_work, change)
            });
            let (done, change) = reloading.await?;
            reloader = Some(done);
            if let Some(change) = change {
                lapi.change(change).await;
            }
        }
    }
}
