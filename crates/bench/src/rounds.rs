//! Processor time a request: every server takes its turn with the same requests, round after round.

use crate::load::{Tally, Target};
use crate::place::Duty;
use crate::plan::{Part, Plan};
use crate::results::Cost;
use crate::session::{Interrupted, Session, Turn};
use crate::subject::Subject;
use crate::transport::{KEEP_ALIVE, Tls};
use crate::workload::Kind;

/// Of a hundred new connections, so many resume a session where servers give one.
const RESUMED_LEAST: f64 = 0.9;

/// Words made up at random read like an attack now and then: of harmless requests, so many may be refused by a WAF.
const MISTAKEN_MOST: f64 = 0.01;

/// Requests of one kind, carried in one way, to one server.
#[derive(Debug)]
struct Cell<'a> {
    subject: &'a Subject,
    kind: Kind,
    target: Target,
}

/// Takes all figures of processor time; with notes of what went otherwise than it was to go.
///
/// # Errors
/// Where somebody asked for the end.
pub fn measure(session: &Session) -> Result<(Vec<Cost>, Vec<String>), Interrupted> {
    let (plan, lineup) = (session.plan, session.lineup);
    let cells = cells(plan, &lineup.subjects);
    let mut costs: Vec<Cost> = cells.iter().map(Cell::without_figures).collect();
    let mut notes = Vec::new();
    // The first round is for memory to grow, and connections to the backend.
    for round in 0..=plan.rounds {
        for (cell, cost) in cells.iter().zip(&mut costs) {
            session.go_on(&format!(
                "round {round} of {}: {}, {}, {}",
                plan.rounds,
                cell.kind.title(),
                cell.target.transport.title,
                cell.subject.title
            ))?;
            let turn = cell.take_turn(session, round);
            // Clients have no session yet in the first.
            let wrong = cell.wrong(&turn.tally);
            if let Some(wrong) = wrong.filter(|_| round > 0) {
                cost.is_wrong = true;
                add_note(&mut notes, cell, &wrong);
            }
            if round > 0 {
                Cell::add(&turn, cost);
            }
        }
    }
    Ok((costs, notes))
}

fn add_note(notes: &mut Vec<String>, cell: &Cell, wrong: &str) {
    let note = format!(
        "{}, {}, {}: {wrong}",
        cell.subject.title,
        cell.kind.title(),
        cell.target.transport.title
    );
    if !notes.contains(&note) {
        notes.push(note);
    }
}

/// All servers have the same request in turn, before the next request.
fn cells<'a>(plan: &Plan, subjects: &'a [Subject]) -> Vec<Cell<'a>> {
    let mut cells = Vec::new();
    let mut add = |wants: &dyn Fn(&Subject) -> bool, kind, transport| {
        for subject in subjects.iter().filter(|subject| wants(subject)) {
            if let Some(target) = subject.target(transport) {
                cells.push(Cell {
                    subject,
                    kind,
                    target,
                });
            }
        }
    };
    let is_waf = |subject: &Subject| matches!(subject.duty, Duty::Waf(_));
    if plan.parts.contains(&Part::Requests) {
        for kind in &plan.kinds {
            if *kind != Kind::Attack {
                add(&|subject| !is_waf(subject), *kind, KEEP_ALIVE);
            }
            add(&is_waf, *kind, KEEP_ALIVE);
        }
    }
    if plan.parts.contains(&Part::Connections) {
        for transport in plan.transports.iter().filter(|one| **one != KEEP_ALIVE) {
            add(&|subject| !is_waf(subject), Kind::Get, *transport);
        }
    }
    cells
}

impl Cell<'_> {
    fn without_figures(&self) -> Cost {
        Cost {
            subject: self.subject.name.clone(),
            request: self.kind.name().to_owned(),
            transport: self.target.transport.name.to_owned(),
            cpu_us: Vec::new(),
            per_second: Vec::new(),
            answered: 0,
            is_wrong: false,
        }
    }

    fn take_turn(&self, session: &Session, round: u32) -> Turn {
        session.load(self.subject.process, &self.target, self.kind, round)
    }

    fn add(turn: &Turn, cost: &mut Cost) {
        let answered = turn.tally.answered();
        if answered == 0 {
            return;
        }
        cost.answered += answered;
        cost.cpu_us
            .push(turn.cpu.as_secs_f64() * 1e6 / answered as f64);
        cost.per_second
            .push(answered as f64 / turn.tally.took.as_secs_f64());
    }

    /// What isn't as it should be, if anything: then the figure is none.
    fn wrong(&self, tally: &Tally) -> Option<String> {
        if tally.failed > 0 {
            let failure = tally.failure.as_deref().unwrap_or_default();
            return Some(format!("requests failed: {failure}"));
        }
        if tally.answered() == 0 {
            return Some("no request was answered".to_owned());
        }
        let is_waf = matches!(self.subject.duty, Duty::Waf(_));
        let tolerated = if is_waf { MISTAKEN_MOST } else { 0.0 };
        if tally.refused as f64 > tally.answered() as f64 * tolerated {
            let statuses: Vec<String> = tally.statuses.keys().map(u16::to_string).collect();
            return Some(format!(
                "harmless requests were refused: {}",
                statuses.join(", ")
            ));
        }
        if is_waf && tally.passed_attacks > 0 {
            return Some("attacks passed".to_owned());
        }
        let resumed = tally.resumed as f64 / tally.connections.max(1) as f64;
        if self.target.transport.tls == Tls::Resumed && resumed < RESUMED_LEAST {
            return Some("sessions aren't resumed".to_owned());
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use crate::lineup::Lineup;
    use crate::lineup::tests::lineup;
    use crate::transport::{TLS, Transport};

    use super::*;

    const TLS_RESUMED: Transport = Transport {
        tls: Tls::Resumed,
        is_reused: false,
        ..TLS
    };

    /// The backend itself, as if it had this duty.
    #[track_caller]
    fn check(lineup: &Lineup, duty: Duty, transport: Transport, tally: &Tally, wrong: &str) {
        let mut subjects = lineup.subjects.iter();
        let subject = subjects.find(|subject| subject.duty == duty);
        let subject = subject.expect("one of each duty");
        let cell = Cell {
            subject,
            kind: Kind::Get,
            target: Target {
                door: lineup.backend.site,
                transport,
                tls: subject.tls.clone(),
            },
        };
        assert_eq!(cell.wrong(tally).unwrap_or_default(), wrong, "{tally:?}");
    }

    fn answers<const N: usize>(statuses: [(u16, u64); N]) -> Tally {
        Tally {
            statuses: statuses.into(),
            ..Tally::default()
        }
    }

    #[test]
    fn what_is_not_as_it_should_be_is_told() {
        const WAF: Duty = Duty::Waf(1);
        let lineup = lineup(&[Duty::Bare, Duty::Gate, WAF]);
        let plain = |duty, tally: &Tally, wrong| check(&lineup, duty, KEEP_ALIVE, tally, wrong);
        for duty in [Duty::Bare, Duty::Gate, WAF] {
            plain(duty, &answers([(200, 100)]), "");
            plain(duty, &answers([]), "no request was answered");
            let failed = Tally {
                failed: 1,
                failure: Some("reset".to_owned()),
                ..answers([(200, 100)])
            };
            plain(duty, &failed, "requests failed: reset");
        }
        let refused = |count| Tally {
            refused: count,
            ..answers([(200, 1_000 - count), (403, count)])
        };
        let told = "harmless requests were refused: 200, 403";
        plain(Duty::Bare, &refused(1), told);
        plain(Duty::Gate, &refused(1), told);
        plain(WAF, &refused(10), "");
        plain(WAF, &refused(11), told);
        let passed = Tally {
            passed_attacks: 1,
            ..answers([(200, 100)])
        };
        plain(Duty::Bare, &passed, "");
        plain(WAF, &passed, "attacks passed");
    }

    #[test]
    fn sessions_are_resumed_where_that_is_measured() {
        let lineup = lineup(&[Duty::Bare]);
        let of_hundred = |resumed| Tally {
            connections: 100,
            resumed,
            ..answers([(200, 100)])
        };
        let tls = |transport, resumed, wrong| {
            check(&lineup, Duty::Bare, transport, &of_hundred(resumed), wrong);
        };
        tls(TLS_RESUMED, 90, "");
        tls(TLS_RESUMED, 89, "sessions aren't resumed");
        tls(TLS, 0, "");
    }
}
