//! Latency at a fixed rate, in quiet and while something goes on.

use std::time::{Duration, Instant};

use crate::cost::ProcessorTime;
use crate::lineup::{Lineup, Subject};
use crate::load::{Offer, Target, open};
use crate::palisade::Setting;
use crate::results::{Latency, median, quantile};
use crate::session::{Interrupted, Session};
use crate::subject::Duty;
use crate::transport::KEEP_ALIVE;
use crate::workload::Kind;

/// Of what server, clients and backend together can.
const SHARE_OF_CAPACITY: f64 = 0.7;
const CAPACITY_TURNS: u32 = 3;
const CAPACITY_TURN: Duration = Duration::from_secs(1);

const DECISIONS: &str = "palisade_decisions";
const RELOADS: &str = "palisade_reloads_total";
/// Of 50,000 decisions some are in force already.
const DELTA_LEAST: f64 = 45_000.0;

/// Neither a reload nor a delta takes longer.
const PATIENCE: Duration = Duration::from_secs(15);
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// What goes on during a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Meanwhile {
    /// Nothing.
    Nothing,
    /// LAPI announces 50,000 decisions, or takes them back.
    Delta,
    /// The settings are read again.
    Reload,
    /// LAPI takes questions and doesn't answer.
    Stalled,
}

impl Meanwhile {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Nothing, Self::Delta, Self::Reload, Self::Stalled];

    /// Its name.
    #[must_use]
    pub const fn title(self) -> &'static str {
        match self {
            Self::Nothing => "steady",
            Self::Delta => "delta of 50,000",
            Self::Reload => "reload",
            Self::Stalled => "LAPI stalled",
        }
    }

    /// Begins it, early in a window.
    fn begin(self, subject: &Subject, lineup: &Lineup, round: u32) -> std::io::Result<()> {
        match self {
            Self::Nothing => {}
            Self::Delta => {
                let [added, deleted] = &lineup.deltas;
                let delta = if round.is_multiple_of(2) {
                    added
                } else {
                    deleted
                };
                if let Some(lapi) = subject.lapi() {
                    lapi.announce(delta.clone());
                }
            }
            Self::Reload => subject.reload()?,
            Self::Stalled => {
                if let Some(lapi) = subject.lapi() {
                    lapi.be_silent(true);
                }
            }
        }
        Ok(())
    }

    /// Ends it, and waits until it is over; what hasn't happened, if anything.
    fn end(self, subject: &Subject, before: Before) -> Option<&'static str> {
        let lapi = subject.lapi()?;
        let metric = |name| subject.metric(name).unwrap_or_default();
        match self {
            Self::Nothing => None,
            Self::Delta => {
                let changed = || (metric(DECISIONS) - before.decisions).abs() > DELTA_LEAST;
                (!has_come(changed)).then_some("no delta was applied")
            }
            Self::Reload => {
                let is_done = || metric(RELOADS) > before.reloads;
                (!has_come(is_done)).then_some("the settings weren't read again")
            }
            Self::Stalled => {
                let silent_for = metric("palisade_lapi_last_success_age_seconds");
                lapi.be_silent(false);
                lapi.announce(r#"{"deleted":null,"new":null}"#.into());
                let is_asked = lapi.is_heard();
                let was_silent = silent_for >= before.at.elapsed().as_secs_f64() / 2.0;
                (!is_asked || !was_silent).then_some("LAPI wasn't silent, or isn't asked any more")
            }
        }
    }
}

/// What a Palisade had before a window.
#[derive(Clone, Copy, Debug)]
struct Before {
    at: Instant,
    decisions: f64,
    reloads: f64,
}

impl Before {
    fn of(subject: &Subject) -> Self {
        let metric = |name| subject.metric(name).unwrap_or_default();
        Self {
            at: Instant::now(),
            decisions: metric(DECISIONS),
            reloads: metric(RELOADS),
        }
    }
}

/// Whether this holds, soon.
fn has_come(holds: impl Fn() -> bool) -> bool {
    let patience = Instant::now() + PATIENCE;
    loop {
        if holds() {
            return true;
        }
        if Instant::now() > patience {
            return false;
        }
        std::thread::sleep(LOOK_EVERY);
    }
}

/// Takes all figures of latency; with notes of what went otherwise than it was to go.
///
/// # Errors
/// Where somebody asked for the end.
pub fn measure(session: &Session) -> Result<(Vec<Latency>, Vec<String>), Interrupted> {
    let mut lanes = lanes(session)?;
    let mut notes = Vec::new();
    for round in 0..=session.plan.rounds {
        for lane in &mut lanes {
            session.go_on(&format!(
                "latency, round {round} of {}: {}, {}",
                session.plan.rounds,
                lane.subject.title,
                lane.meanwhile.title()
            ))?;
            if let Some(note) = lane.pass(session, round)
                && !notes.contains(&note)
            {
                notes.push(note);
            }
        }
    }
    Ok((lanes.into_iter().map(|lane| lane.latency).collect(), notes))
}

/// A server with something that goes on meanwhile.
struct Lane<'a> {
    subject: &'a Subject,
    target: Target,
    meanwhile: Meanwhile,
    latency: Latency,
}

fn lanes<'a>(session: &Session<'a>) -> Result<Vec<Lane<'a>>, Interrupted> {
    let subjects = session.lineup.subjects.iter();
    let mut lanes = Vec::new();
    for subject in subjects.filter(|subject| !matches!(subject.duty, Duty::Waf(_))) {
        let Some(target) = subject.target(KEEP_ALIVE) else {
            continue;
        };
        session.go_on(&format!("capacity of {}", subject.title))?;
        let rate = SHARE_OF_CAPACITY * capacity(session, &target);
        if !rate.is_finite() || rate <= 0.0 {
            continue;
        }
        let meanwhiles: &[Meanwhile] = match subject.setting {
            Some(Setting::GateLive) => &Meanwhile::ALL,
            _ => &[Meanwhile::Nothing],
        };
        lanes.extend(meanwhiles.iter().map(|meanwhile| Lane {
            subject,
            target: target.clone(),
            meanwhile: *meanwhile,
            latency: Latency {
                subject: subject.name.clone(),
                meanwhile: meanwhile.title().to_owned(),
                rate,
                p50_ms: Vec::new(),
                p99_ms: Vec::new(),
                p999_ms: Vec::new(),
                cpu_us: Vec::new(),
            },
        }));
    }
    Ok(lanes)
}

/// Answers a second when clients ask as fast as they are answered.
fn capacity(session: &Session, target: &Target) -> f64 {
    let turns = (0..CAPACITY_TURNS).map(|turn| {
        let tally = session.load(target, Kind::Get, turn, CAPACITY_TURN);
        tally.answered() as f64 / tally.took.as_secs_f64()
    });
    median(&turns.collect::<Vec<_>>())
}

impl Lane<'_> {
    /// A window; the first is for warming up. What went otherwise than it was to go, if anything.
    fn pass(&mut self, session: &Session, round: u32) -> Option<String> {
        let (plan, lineup) = (session.plan, session.lineup);
        let offer = Offer {
            rate: self.latency.rate,
            duration: plan.window,
        };
        let sources = session.sources(Kind::Get, plan.clients, round);
        let before_window = Before::of(self.subject);
        let before = ProcessorTime::of(self.subject.process);
        let (begun, (tally, took)) = std::thread::scope(|scope| {
            let begin = scope.spawn(|| {
                // A little after the first request.
                std::thread::sleep(plan.window / 10);
                self.meanwhile.begin(self.subject, lineup, round)
            });
            let answered = session.runtime.block_on(open(&self.target, sources, offer));
            (begin.join(), answered)
        });
        let cpu = ProcessorTime::of(self.subject.process).since(&before);
        if round > 0 && !took.is_empty() {
            let quantile = |share| quantile(&took, share) * 1e3;
            self.latency.p50_ms.push(quantile(0.5));
            self.latency.p99_ms.push(quantile(0.99));
            self.latency.p999_ms.push(quantile(0.999));
            let cpu_us = cpu.as_secs_f64() * 1e6 / tally.answered() as f64;
            self.latency.cpu_us.push(cpu_us);
        }
        let missing = self.meanwhile.end(self.subject, before_window);
        let lost = tally.failed + tally.refused;
        let wrong = match missing {
            _ if !matches!(begun, Ok(Ok(()))) => "it couldn't be begun".to_owned(),
            Some(wrong) => wrong.to_owned(),
            None if lost > 0 => format!("{lost} requests failed, or were refused"),
            None => return None,
        };
        let (title, meanwhile) = (&self.subject.title, self.meanwhile.title());
        Some(format!("{title}, {meanwhile}: {wrong}"))
    }
}
