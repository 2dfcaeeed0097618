//! `palisade bench`: Palisade and its peers, side by side.

use std::fs::{self, OpenOptions};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use anyhow::{Context, Result, bail};
use palisade_bench::palisade::Setting;
use palisade_bench::peers::{self, Peer};
use palisade_bench::plan::Plan;
use palisade_bench::report::{csv, markdown, svg};
use palisade_bench::results::Results;
use palisade_bench::run::run;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

use crate::arguments::Bench;
use crate::{Exit, complain, say};

pub(crate) fn bench(arguments: &Bench) -> Result<Exit> {
    if arguments.list {
        list();
        return Ok(Exit::Done);
    }
    if let Some(file) = &arguments.from {
        let results = read(file)?;
        let tables = markdown(&results);
        say(tables.trim_end());
        write_files(arguments, &results, &tables)?;
        return Ok(Exit::Done);
    }
    let plan = plan(arguments)?;
    for path in arguments.files() {
        let opened = OpenOptions::new().append(true).create(true).open(path);
        opened.with_context(|| path.display().to_string())?;
    }
    let is_over = Arc::new(AtomicBool::new(false));
    for signal in [SIGHUP, SIGINT, SIGTERM] {
        signal_hook::flag::register(signal, Arc::clone(&is_over)).context("signals")?;
    }
    let results = run(&plan, &complain, &is_over)?;
    let tables = markdown(&results);
    say(tables.trim_end());
    write_files(arguments, &results, &tables)?;
    Ok(Exit::Done)
}

/// The figures that an earlier run has written with `--json`.
fn read(file: &Path) -> Result<Results> {
    let place = || file.display().to_string();
    let text = fs::read_to_string(file).with_context(place)?;
    serde_json::from_str(&text)
        .with_context(|| format!("{}: no figures of palisade bench", place()))
}

/// Each peer, with its version or with what is missing.
fn list() {
    for peer in peers::all() {
        match peer.find() {
            Ok(version) => say(&format!("{:<20} {}: {version}", peer.name, peer.title)),
            Err(error) => say(&format!(
                "{:<20} {}: not here ({})",
                peer.name,
                peer.title,
                error.missing.display()
            )),
        }
    }
}

fn plan(arguments: &Bench) -> Result<Plan> {
    let settings = arguments.settings();
    let crs = arguments.crs.as_deref().map(crs_folder).transpose()?;
    let needs_crs = |setting: &Setting| matches!(setting, Setting::Waf1 | Setting::Waf2);
    if crs.is_none() && settings.iter().any(needs_crs) {
        bail!("waf-1 and waf-2 judge by OWASP CRS: say where it is with --crs FOLDER");
    }
    let country_database = arguments.country_database.as_deref().map(absolute);
    Ok(Plan {
        program: std::env::current_exe().context("this program's own path")?,
        settings,
        peers: peers_here(arguments, crs.is_some())?,
        running: arguments.target.clone(),
        parts: arguments.parts(),
        kinds: arguments.kinds(),
        values: arguments.values(),
        transports: arguments.transports(),
        rounds: arguments.rounds,
        turn: arguments.turn(),
        window: arguments.window(),
        clients: usize::from(arguments.clients),
        idle: usize::from(arguments.idle),
        workers: arguments.workers,
        crs,
        country_database: country_database.transpose()?,
    })
}

/// Those that are asked for and installed. One that was named and isn't there is a mistake.
fn peers_here(arguments: &Bench, has_crs: bool) -> Result<Vec<&'static Peer>> {
    let mut here = Vec::new();
    for peer in arguments.peers() {
        let needs_crs = matches!(peer.duty, palisade_bench::place::Duty::Waf(_));
        match peer.find() {
            Ok(_) if needs_crs && !has_crs => {
                complain(&format!("{} is left out: it needs --crs", peer.name))
            }
            Ok(_) => here.push(peer),
            Err(error) if arguments.takes_what_is_here() => {
                complain(&format!("{} is left out: {error}", peer.name))
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok(here)
}

fn crs_folder(folder: &Path) -> Result<PathBuf> {
    let folder = absolute(folder)?;
    for name in ["crs-setup.conf.example", "rules"] {
        if !folder.join(name).exists() {
            bail!(
                "{} has no {name}: --crs is the folder of OWASP CRS 4",
                folder.display()
            );
        }
    }
    Ok(folder)
}

fn absolute(path: &Path) -> Result<PathBuf> {
    fs::canonicalize(path).with_context(|| path.display().to_string())
}

fn write_files(arguments: &Bench, results: &Results, tables: &str) -> Result<()> {
    let write = |path: &Option<PathBuf>, text: &dyn Fn() -> Result<String>| match path {
        Some(path) => fs::write(path, text()?).with_context(|| path.display().to_string()),
        None => Ok(()),
    };
    write(&arguments.json, &|| {
        Ok(serde_json::to_string(results)? + "\n")
    })?;
    write(&arguments.csv, &|| Ok(csv(results)))?;
    write(&arguments.svg, &|| Ok(svg(results)))?;
    write(&arguments.markdown, &|| Ok(tables.to_owned()))
}
