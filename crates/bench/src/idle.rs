//! Memory, and what connections take that have nothing to say.

use std::io;
use std::time::Duration;

use crate::cost::memory;
use crate::lineup::Lineup;
use crate::load::{Connection, Target};
use crate::results::Memory;
use crate::session::{Interrupted, Session};
use crate::subject::Subject;
use crate::transport::{KEEP_ALIVE, TLS};
use crate::workload::{Kind, Requests};

/// Takes the figures of idle connections, before any load; with notes of what went otherwise than it was to go.
///
/// # Errors
/// Where somebody asked for the end.
pub fn measure(session: &Session) -> Result<(Vec<Memory>, Vec<String>), Interrupted> {
    let (plan, runtime) = (session.plan, session.runtime);
    let mut notes = Vec::new();
    let mut figures = Vec::new();
    for subject in &session.lineup.subjects {
        session.go_on(&format!(
            "{}: {} idle connections",
            subject.title, plan.idle
        ))?;
        let started = settled(subject);
        // So that memory is there, or given back, which connections neither take nor give.
        if let Some(target) = subject.target(KEEP_ALIVE) {
            let _ = session.load(subject.process, &target, Kind::Get, 0);
        }
        let (mut held, mut before) = (Vec::new(), settled(subject));
        let mut idle = |transport| {
            let target = subject.target(transport)?;
            let source = session.sources(Kind::Get, 1, 0).into_iter().next()?;
            let opened = runtime.block_on(open(&target, source, plan.idle));
            let measured =
                opened.and_then(|opened| each_of(subject, opened, &mut before, &mut held));
            measured
                .map_err(|error| {
                    notes.push(format!(
                        "{}, idle connections, {}: {error}",
                        subject.title, transport.title
                    ));
                })
                .ok()
        };
        figures.push(Memory {
            subject: subject.name.clone(),
            started_mib: mib(started),
            loaded_mib: None,
            idle_kib: idle(KEEP_ALIVE),
            idle_tls_kib: idle(TLS),
        });
    }
    Ok((figures, notes))
}

/// Adds what each server takes now.
pub fn measure_loaded(lineup: &Lineup, figures: &mut [Memory]) {
    for (subject, figure) in lineup.subjects.iter().zip(figures) {
        figure.loaded_mib = Some(mib(memory(subject.process)));
    }
}

fn mib(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}

/// Connections of one kind, each after one request. The first brings what a server makes once.
async fn open(target: &Target, mut source: Requests, count: usize) -> io::Result<Vec<Connection>> {
    let mut open = Vec::with_capacity(count);
    for _ in 0..=count {
        let prepared = source.make();
        let mut connection = Connection::open(target, prepared.client).await?;
        connection.ask(prepared).await?;
        open.push(connection);
    }
    Ok(open)
}

/// KiB for each of these connections, where the server took so many bytes `before`. Those that were there are held.
fn each_of(
    subject: &Subject,
    opened: Vec<Connection>,
    before: &mut u64,
    held: &mut Vec<Connection>,
) -> io::Result<f64> {
    let count = opened.len();
    held.extend(opened);
    let with_all = settled(subject);
    if !held.iter().all(Connection::is_open) {
        return Err(io::Error::other("the server has ended some of them"));
    }
    let before = std::mem::replace(before, with_all);
    let grown = with_all
        .checked_sub(before)
        .ok_or_else(|| io::Error::other("the server gave memory back meanwhile"))?;
    Ok(grown as f64 / 1024.0 / count.max(1) as f64)
}

/// What a server takes once that doesn't change any more: allocators give memory back late.
fn settled(subject: &Subject) -> u64 {
    const LOOK_EVERY: Duration = Duration::from_millis(100);
    const LOOKS_MAX: u32 = 50;
    let mut last = memory(subject.process);
    let mut unchanged = 0;
    for _ in 0..LOOKS_MAX {
        std::thread::sleep(LOOK_EVERY);
        let now = memory(subject.process);
        // Less than half a percent.
        unchanged = match now.abs_diff(last) < last / 200 {
            true => unchanged + 1,
            false => 0,
        };
        last = now;
        if unchanged == 5 {
            break;
        }
    }
    last
}
