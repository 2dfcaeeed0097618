//! Who clients are found to be, and lockouts.

use prometheus::{IntCounter, IntGauge, Result};

use super::family::{ReasonCounters, Registrar};

/// What can come of credentials.
const RESULTS: [&str; 6] = [
    "verified",
    "remembered",
    "credentials_missing",
    "credentials_malformed",
    "credentials_wrong",
    "verification_overloaded",
];

/// Counts what comes of credentials, and who is locked out.
pub struct AuthenticationMetrics {
    basic: ReasonCounters,
    locks: IntCounter,
    ended_early: IntGauge,
    counted: IntGauge,
    locked: IntGauge,
}

impl AuthenticationMetrics {
    pub(super) fn register(registrar: &Registrar) -> Result<Self> {
        Ok(Self {
            basic: registrar.reasons(
                "palisade_basic_authentication_total",
                "Requests for paths that ask for a name and a password, by what came of it",
                "result",
                &RESULTS,
            )?,
            locks: registrar.counter(
                "palisade_lockout_locks_total",
                "Clients that were locked out after too many failures",
            )?,
            ended_early: registrar.gauge(
                "palisade_lockout_ended_early",
                "Lockouts that ended before their time because there was no room, since the process began",
            )?,
            counted: registrar.gauge(
                "palisade_lockout_clients",
                "Clients whose failures are counted, those that are locked out included",
            )?,
            locked: registrar.gauge(
                "palisade_lockout_locked_clients",
                "Clients that are locked out",
            )?,
        })
    }

    /// Something came of a request's credentials, as a short name from a fixed set.
    pub fn basic(&self, result: &'static str) {
        self.basic.inc(result);
    }

    /// A client is locked out from now on.
    pub fn locks(&self) {
        self.locks.inc();
    }

    /// So many clients are counted and locked, and so many locks ended early.
    pub fn set_lockouts(&self, counted: usize, locked: usize, ended_early: u64) {
        let gauge = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
        self.counted.set(gauge(counted));
        self.locked.set(gauge(locked));
        self.ended_early
            .set(i64::try_from(ended_early).unwrap_or(i64::MAX));
    }
}
