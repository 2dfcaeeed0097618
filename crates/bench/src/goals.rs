//! What Palisade is to cost, beside itself and beside others.

use crate::latency::Meanwhile;
use crate::palisade::Setting;
use crate::results::{Results, median};
use crate::transport::KEEP_ALIVE;
use crate::workload::Kind;

/// A bound, and what was measured.
#[derive(Clone, Debug, PartialEq)]
pub struct Goal {
    /// What is bounded.
    pub what: String,
    /// The bound.
    pub bound: Bound,
    /// What was measured: a ratio. `None` where what it takes wasn't there.
    pub measured: Option<f64>,
}

/// A bound of a ratio.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Bound {
    /// No more than this.
    AtMost(f64),
    /// No less than this.
    AtLeast(f64),
}

impl Goal {
    /// Whether it was reached, where it was measured.
    #[must_use]
    pub fn is_met(&self) -> Option<bool> {
        let measured = self.measured?;
        Some(match self.bound {
            Bound::AtMost(bound) => measured <= bound,
            Bound::AtLeast(bound) => measured >= bound,
        })
    }
}

/// How many times cheaper than ModSecurity 3 in nginx a request is to be.
const CHEAPER: [(Kind, f64); 6] = [
    (Kind::Get, 20.0),
    (Kind::Arguments, 35.0),
    (Kind::Form, 50.0),
    (Kind::JsonOfMany, 100.0),
    (Kind::JsonOfFew, 40.0),
    (Kind::Attack, 20.0),
];

/// All goals.
#[must_use]
pub fn goals(results: &Results) -> Vec<Goal> {
    let (bare, gate) = (name_of(Setting::Bare), name_of(Setting::Gate));
    let get =
        |one: &str, other: &str| results.cost_ratio(one, other, Kind::Get.name(), KEEP_ALIVE.name);
    let mut goals = vec![
        Goal {
            what: "a GET through the gate, in bare proxies".to_owned(),
            bound: Bound::AtMost(1.10),
            measured: get(&gate, &bare),
        },
        Goal {
            what: "a GET through the gate, in those of nginx as a plain proxy".to_owned(),
            bound: Bound::AtMost(1.7),
            measured: get(&gate, "nginx"),
        },
        Goal {
            what: "the same, aim: what HAProxy once took".to_owned(),
            bound: Bound::AtMost(1.15),
            measured: get(&gate, "nginx"),
        },
    ];
    goals.extend(CHEAPER.map(|(kind, times)| Goal {
        what: format!(
            "OWASP CRS, paranoia 1, {}: ModSecurity 3 in nginx",
            kind.title()
        ),
        bound: Bound::AtLeast(times),
        measured: results.cost_ratio(
            "nginx-modsecurity",
            &name_of(Setting::Waf1),
            kind.name(),
            KEEP_ALIVE.name,
        ),
    }));
    goals.extend(Meanwhile::ALL.into_iter().skip(1).map(|meanwhile| Goal {
        what: format!("p99.9 at 70 % of capacity, {}: steady", meanwhile.title()),
        bound: Bound::AtMost(2.0),
        measured: tail_ratio(results, meanwhile),
    }));
    goals
}

fn tail_ratio(results: &Results, meanwhile: Meanwhile) -> Option<f64> {
    let live = name_of(Setting::GateLive);
    let disturbed = results.latency(&live, meanwhile.title())?;
    let steady = results.latency(&live, Meanwhile::Nothing.title())?;
    Some(median(&disturbed.p999_ms) / median(&steady.p999_ms))
}

fn name_of(setting: Setting) -> String {
    format!("palisade-{}", setting.name())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::tests::results;

    #[test]
    fn what_was_not_measured_is_neither_met_nor_missed() {
        let all = goals(&Results::default());
        assert!(all.iter().all(|goal| goal.is_met().is_none()));
    }

    #[test]
    fn bounds_are_kept_or_not() {
        // The gate costs 22 microseconds, the bare proxy and nginx 20; ModSecurity 30 times the WAF.
        let met: Vec<(String, bool)> = goals(&results())
            .into_iter()
            .filter_map(|goal| Some((goal.what.clone(), goal.is_met()?)))
            .collect();
        let is_met = |part: &str| {
            met.iter()
                .find(|(what, _)| what.contains(part))
                .map(|one| one.1)
        };
        assert_eq!(is_met("in bare proxies"), Some(true));
        assert_eq!(is_met("as a plain proxy"), Some(true));
        assert_eq!(is_met("paranoia 1, GET:"), Some(true));
        assert_eq!(is_met("form"), Some(false));
        assert_eq!(is_met("delta of 50,000: steady"), Some(true));
        assert_eq!(is_met("reload: steady"), Some(false));
        assert_eq!(is_met("LAPI stalled"), None);
    }
}
