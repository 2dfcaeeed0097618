//! Refusals, and the decisions behind them.

use prometheus::{IntCounter, IntGauge, Result};

use super::MetricLabels;
use super::family::{By, Label, ReasonCounters, Registrar};
use super::labels::{Origin, Remedy};
use crate::{Cause, Check, DecisionEvent, DecisionMode};

/// How many decisions of one origin and type are in force.
#[derive(Clone, Copy, Debug)]
pub struct DecisionCount<'a> {
    /// Who made them, as the LAPI says it: `crowdsec`, `CAPI`, `lists:firehol`.
    pub origin: &'a str,
    /// Their remedy: `ban`, `captcha`.
    pub kind: &'a str,
    /// How many.
    pub count: u64,
}

pub(crate) struct DecisionMetrics {
    refusals: By<Check, IntCounter>,
    would_be_refusals: By<Check, IntCounter>,
    logged: By<Check, IntCounter>,
    hygiene: ReasonCounters,
    proxy: ReasonCounters,
    matches: By<Origin, By<Remedy, IntCounter>>,
    active: By<Origin, By<Remedy, IntGauge>>,
}

impl DecisionMetrics {
    pub(super) fn register(registrar: &Registrar, labels: MetricLabels<'_>) -> Result<Self> {
        Ok(Self {
            refusals: registrar.counters(
                "palisade_refusals_total",
                "Requests and connections refused, by check",
                "check",
            )?,
            would_be_refusals: registrar.counters(
                "palisade_would_be_refusals_total",
                "Requests that detect mode let pass, by the check that would have refused them",
                "check",
            )?,
            logged: registrar.counters(
                "palisade_logged_matches_total",
                "Requests that matched something that is only to be logged, by check",
                "check",
            )?,
            hygiene: registrar.reasons(
                "palisade_hygiene_refusals_total",
                "Requests refused as ambiguous or malformed, by reason",
                "reason",
                labels.hygiene_reasons,
            )?,
            proxy: registrar.reasons(
                "palisade_proxy_refusals_total",
                "Connections refused for their PROXY protocol header, by reason",
                "reason",
                labels.proxy_reasons,
            )?,
            matches: registrar.counters2(
                "palisade_decision_matches_total",
                "Requests that fell under a decision, by its origin and type",
                ["origin", "type"],
            )?,
            active: registrar.gauges2(
                "palisade_decisions",
                "Decisions in force, by origin and type",
                ["origin", "type"],
            )?,
        })
    }

    /// Hot path: runs per refused request, allocates nothing.
    pub(crate) fn observe(&self, event: &DecisionEvent<'_>) {
        let by_check = match event.mode {
            DecisionMode::Refused => &self.refusals,
            DecisionMode::WouldRefuse => &self.would_be_refusals,
            DecisionMode::Logged => &self.logged,
        };
        let refused = event.mode == DecisionMode::Refused;
        by_check.inc(event.cause.check());
        match event.cause {
            Cause::Hygiene { reason } | Cause::Body { reason } if refused => {
                self.hygiene.inc(reason);
            }
            Cause::Proxy { reason } if refused => self.proxy.inc(reason),
            Cause::Decision(decision) => {
                self.matches
                    .inc2(Origin::of(decision.origin), Remedy::of(decision.kind));
            }
            _ => {}
        }
    }

    pub(super) fn set_active<'a>(&self, counts: impl IntoIterator<Item = DecisionCount<'a>>) {
        const ORIGINS: usize = Origin::ALL.len();
        const REMEDIES: usize = Remedy::ALL.len();
        let mut sums = [[0_u64; REMEDIES]; ORIGINS];
        for count in counts {
            let origin = sums.get_mut(Origin::of(count.origin).index());
            let sum = origin.and_then(|sums| sums.get_mut(Remedy::of(count.kind).index()));
            if let Some(sum) = sum {
                *sum = sum.saturating_add(count.count);
            }
        }
        for (origin, sums) in Origin::ALL.iter().zip(sums) {
            for (remedy, sum) in Remedy::ALL.iter().zip(sums) {
                if let Some(gauges) = self.active.of(*origin) {
                    gauges.set(*remedy, i64::try_from(sum).unwrap_or(i64::MAX));
                }
            }
        }
    }
}
