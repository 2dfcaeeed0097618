//! Latency at a fixed rate, in quiet and while something goes on.

use std::time::{Duration, Instant};

use crate::cost::ProcessorTime;
use crate::lineup::Lineup;
use crate::load::{Offer, Tally, Target, open};
use crate::palisade::Setting;
use crate::place::Duty;
use crate::results::{Latency, median, quantile};
use crate::session::{Interrupted, Session};
use crate::subject::Subject;
use crate::transport::KEEP_ALIVE;
use crate::workload::Kind;

/// Of what server, clients and backend together can.
const SHARE_OF_CAPACITY: f64 = 0.7;
/// A window that takes longer than so many times its length had requests waiting at its end.
const KEPT_UP_MOST: f64 = 1.1;
const CAPACITY_TURNS: u32 = 3;
/// As many times what clients can who wait for answers.
const OVERLOAD: f64 = 1.3;
const OVERLOAD_DURATION: Duration = Duration::from_millis(700);

const DECISIONS: &str = "palisade_decisions";
const LAST_SUCCESS_AGE: &str = "palisade_lapi_last_success_age_seconds";
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
                let late = "the delta wasn't in force before the window ended";
                came_in_time(changed, late, "the delta never came into force")
            }
            Self::Reload => {
                let is_done = || metric(RELOADS) > before.reloads;
                let late = "the settings weren't read again before the window ended";
                came_in_time(is_done, late, "the settings were never read again")
            }
            Self::Stalled => {
                let silent_for = metric(LAST_SUCCESS_AGE);
                lapi.be_silent(false);
                // Who got no answer waits before it asks again, which is to be in no other window.
                let again = Instant::now();
                let is_asked =
                    has_come(|| metric(LAST_SUCCESS_AGE) < again.elapsed().as_secs_f64());
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

/// `late` where this doesn't hold yet; what comes late is waited for, so that it is in no other window, and may
/// come `never`.
fn came_in_time(
    holds: impl Fn() -> bool,
    late: &'static str,
    never: &'static str,
) -> Option<&'static str> {
    if holds() {
        return None;
    }
    match has_come(holds) {
        true => Some(late),
        false => Some(never),
    }
}

/// Waits until this holds; whether it does, within a time that all of this takes.
fn has_come(holds: impl Fn() -> bool) -> bool {
    let patience = Instant::now() + PATIENCE;
    while !holds() {
        if Instant::now() > patience {
            return false;
        }
        std::thread::sleep(LOOK_EVERY);
    }
    true
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
        let rate = SHARE_OF_CAPACITY * capacity(session, subject, &target);
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
                is_wrong: false,
            },
        }));
    }
    Ok(lanes)
}

/// Answers a second that clients can have who ask at a fixed rate: they are offered more than server, clients and
/// backend can together, and all that was asked is answered in the end.
fn capacity(session: &Session, subject: &Subject, target: &Target) -> f64 {
    let answers_a_second = |tally: &Tally| tally.answered() as f64 / tally.took.as_secs_f64();
    let closed = session.load(subject.process, target, Kind::Get, 0).tally;
    let offer = Offer {
        rate: answers_a_second(&closed) * OVERLOAD,
        duration: OVERLOAD_DURATION,
    };
    let turns = (0..CAPACITY_TURNS).map(|turn| {
        let sources = session.sources(Kind::Get, session.plan.clients, turn);
        let (tally, _) = session.runtime.block_on(open(target, sources, offer));
        answers_a_second(&tally)
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
        let has_begun = matches!(begun, Ok(Ok(())));
        let wrong = self.wrong(&tally, has_begun, before_window);
        if wrong.is_some() && round > 0 {
            self.latency.is_wrong = true;
        }
        if round > 0 && !took.is_empty() {
            self.add(&took, cpu.as_secs_f64() * 1e6 / tally.answered() as f64);
        }
        let kept_up = tally.took < plan.window.mul_f64(KEPT_UP_MOST);
        let late = (!kept_up && round > 0)
            .then(|| "it didn't keep up with the rate in some window".to_owned());
        wrong.filter(|_| round > 0).or(late).map(|wrong| {
            let (title, meanwhile) = (&self.subject.title, self.meanwhile.title());
            format!("{title}, {meanwhile}: {wrong}")
        })
    }

    fn add(&mut self, took: &[f64], cpu_us: f64) {
        let quantile = |share| quantile(took, share) * 1e3;
        self.latency.p50_ms.push(quantile(0.5));
        self.latency.p99_ms.push(quantile(0.99));
        self.latency.p999_ms.push(quantile(0.999));
        self.latency.cpu_us.push(cpu_us);
    }

    /// What isn't as it should be, if anything: then the figure is none.
    fn wrong(&self, tally: &Tally, has_begun: bool, before: Before) -> Option<String> {
        let missing = self.meanwhile.end(self.subject, before);
        let lost = tally.failed + tally.refused;
        match missing {
            _ if !has_begun => Some("it couldn't be begun".to_owned()),
            Some(missing) => Some(missing.to_owned()),
            None if lost > 0 => Some(format!("{lost} requests failed, or were refused")),
            None => None,
        }
    }
}
