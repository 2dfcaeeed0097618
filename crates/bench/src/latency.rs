//! Latency at a fixed rate, in quiet and while something goes on.

use std::time::Duration;

use crate::cost::ProcessorTime;
use crate::load::{Offer, Tally, Target, open};
use crate::meanwhile::{Before, Meanwhile};
use crate::results::{Latency, median, quantile};
use crate::session::{Interrupted, Session};
use crate::subject::Subject;
use crate::transport::KEEP_ALIVE;
use crate::workload::Kind;

/// A window that takes longer than so many times its length had requests waiting at its end.
const KEPT_UP_MOST: f64 = 1.1;
const CAPACITY_TURNS: u32 = 3;
/// As many times what clients can who wait for answers.
const OVERLOAD: f64 = 1.3;
const OVERLOAD_DURATION: Duration = Duration::from_millis(700);

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
    let rounds = session.plan.rounds;
    notes.extend(lanes.iter().filter_map(|lane| lane.note_of_rounds(rounds)));
    Ok((lanes.into_iter().map(|lane| lane.latency).collect(), notes))
}

/// A server with something that goes on meanwhile.
struct Lane<'a> {
    subject: &'a Subject,
    target: Target,
    meanwhile: Meanwhile,
    window: Duration,
    latency: Latency,
}

fn lanes<'a>(session: &Session<'a>) -> Result<Vec<Lane<'a>>, Interrupted> {
    let mut lanes = Vec::new();
    for subject in &session.lineup.subjects {
        let Some(target) = subject.target(KEEP_ALIVE) else {
            continue;
        };
        session.go_on(&format!("capacity of {}", subject.title))?;
        let capacity = capacity(session, subject, &target);
        if !capacity.is_finite() || capacity <= 0.0 {
            continue;
        }
        let meanwhiles = Meanwhile::of(subject.setting).iter();
        lanes.extend(meanwhiles.map(|meanwhile| Lane {
            subject,
            target: target.clone(),
            meanwhile: *meanwhile,
            window: window(session, subject),
            latency: Latency::new(&subject.name, meanwhile.title(), capacity),
        }));
    }
    Ok(lanes)
}

/// What goes on needs its time: LAPI is asked once a second, and rules are read with what requests leave.
fn window(session: &Session, subject: &Subject) -> Duration {
    match Meanwhile::of(subject.setting).len() {
        1 => session.plan.window,
        _ => session.plan.window * 2,
    }
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
            duration: self.window,
        };
        let sources = session.sources(Kind::Get, plan.clients, round);
        let before_window = Before::of(self.meanwhile, session, self.subject);
        let before = ProcessorTime::of(self.subject.process);
        let (begun, (tally, took)) = std::thread::scope(|scope| {
            let begin = scope.spawn(|| {
                // A little after the first request.
                std::thread::sleep(self.window / 10);
                self.meanwhile.begin(self.subject, lineup, round)
            });
            let answered = session.runtime.block_on(open(&self.target, sources, offer));
            (begin.join(), answered)
        });
        let cpu = ProcessorTime::of(self.subject.process).since(&before);
        let has_begun = matches!(begun, Ok(Ok(())));
        let wrong = self.wrong(session, &tally, has_begun, before_window);
        if round == 0 {
            return None;
        }
        self.latency.is_wrong |= wrong.is_some();
        if tally.took > self.window.mul_f64(KEPT_UP_MOST) {
            self.latency.behind += 1;
        }
        if !took.is_empty() {
            self.add(&took, cpu.as_secs_f64() * 1e6 / tally.answered() as f64);
        }
        wrong.map(|wrong| self.note(&wrong))
    }

    fn note(&self, what: &str) -> String {
        let (title, meanwhile) = (&self.subject.title, self.meanwhile.title());
        format!("{title}, {meanwhile}: {what}")
    }

    /// Where requests were waiting at the end of windows.
    fn note_of_rounds(&self, rounds: u32) -> Option<String> {
        let behind = self.latency.behind;
        (behind > 0).then(|| {
            self.note(&format!(
                "it didn't keep up with the rate in {behind} of {rounds} windows"
            ))
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
    fn wrong(
        &self,
        session: &Session,
        tally: &Tally,
        has_begun: bool,
        before: Before,
    ) -> Option<String> {
        let missing = self.meanwhile.end(session, self.subject, before);
        let lost = tally.failed + tally.refused;
        match missing {
            _ if !has_begun => Some("it couldn't be begun".to_owned()),
            Some(missing) => Some(missing.to_owned()),
            None if lost > 0 => Some(format!("{lost} requests failed, or were refused")),
            None => None,
        }
    }
}
