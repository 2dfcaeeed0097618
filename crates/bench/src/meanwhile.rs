//! What goes on while latency is measured, and that it did.

use std::io;
use std::time::{Duration, Instant};

use crate::lineup::Lineup;
use crate::palisade::Setting;
use crate::proof::status_of;
use crate::session::Session;
use crate::subject::Subject;

const LAST_SUCCESS_AGE: &str = "palisade_lapi_last_success_age_seconds";
/// One that fails changes nothing.
const RELOADS: &str = "palisade_reloads_total{result=\"ok\"}";

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

    /// What is measured of a server, the others included that aren't Palisade.
    #[must_use]
    pub const fn of(setting: Option<Setting>) -> &'static [Self] {
        match setting {
            Some(Setting::GateLive) => &Self::ALL,
            // 10,000 rules, and CRS, take the longest to read.
            Some(Setting::GateLarge | Setting::Waf1) => &[Self::Nothing, Self::Reload],
            _ => &[Self::Nothing],
        }
    }

    /// Begins it, early in a window.
    pub(crate) fn begin(self, subject: &Subject, lineup: &Lineup, round: u32) -> io::Result<()> {
        let lapi = || subject.lapi().ok_or(io::ErrorKind::Unsupported);
        match self {
            Self::Nothing => {}
            Self::Delta => {
                let [added, deleted] = &lineup.deltas;
                let delta = match round.is_multiple_of(2) {
                    true => added,
                    false => deleted,
                };
                lapi()?.announce(delta.clone());
            }
            Self::Reload => subject.reload()?,
            Self::Stalled => lapi()?.be_silent(true),
        }
        Ok(())
    }

    /// Ends it, and waits until it is over; what hasn't happened since `before`, if anything.
    pub(crate) fn end(
        self,
        session: &Session,
        subject: &Subject,
        before: Before,
    ) -> Option<&'static str> {
        let (late, never) = match self {
            Self::Nothing => return None,
            Self::Delta => (
                "the delta wasn't in force before the window ended",
                "the delta never came into force",
            ),
            Self::Reload => (
                "the settings weren't read again before the window ended",
                "the settings were never read again",
            ),
            Self::Stalled => return end_of_silence(subject, before.at),
        };
        let Ok(seen) = before.seen else {
            return Some("it couldn't be seen whether it happened");
        };
        let has_happened = || {
            let now = self.look(session, subject);
            now.is_ok_and(|now| now != seen)
        };
        // What comes late is waited for, so that it is in no other window.
        if has_happened() {
            return None;
        }
        match has_come(has_happened) {
            true => Some(late),
            false => Some(never),
        }
    }

    /// Something that is another number once it has happened.
    fn look(self, session: &Session, subject: &Subject) -> io::Result<u64> {
        match self {
            // Nothing proves a decision but what it does.
            Self::Delta => match status_of(session, subject, session.lineup.announced)? {
                status @ (200 | 403) => Ok(status.into()),
                status => Err(io::Error::other(format!("answered with {status}"))),
            },
            Self::Reload => Ok(subject.metric(RELOADS)? as u64),
            Self::Nothing | Self::Stalled => Ok(0),
        }
    }
}

/// How it was before a window.
#[derive(Debug)]
pub(crate) struct Before {
    at: Instant,
    seen: io::Result<u64>,
}

impl Before {
    pub(crate) fn of(meanwhile: Meanwhile, session: &Session, subject: &Subject) -> Self {
        Self {
            seen: meanwhile.look(session, subject),
            at: Instant::now(),
        }
    }
}

fn end_of_silence(subject: &Subject, begun: Instant) -> Option<&'static str> {
    let age = || subject.metric(LAST_SUCCESS_AGE).ok();
    let silent_for = age();
    subject.lapi()?.be_silent(false);
    // Who got no answer waits before it asks again, which is to be in no other window.
    let again = Instant::now();
    let is_asked = has_come(|| age().is_some_and(|age| age < again.elapsed().as_secs_f64()));
    let least = begun.elapsed().as_secs_f64() / 2.0;
    let was_silent = silent_for.is_some_and(|silent_for| silent_for >= least);
    (!is_asked || !was_silent).then_some("LAPI wasn't silent, or isn't asked any more")
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
