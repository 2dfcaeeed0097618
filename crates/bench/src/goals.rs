//! What Palisade is to cost, beside itself and beside others.

use crate::meanwhile::Meanwhile;
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
    /// What was measured: a ratio. `None` where what it takes wasn't there, or wasn't as it should be.
    pub measured: Option<f64>,
    /// Whether it was to be measured: who hears nothing of a goal may think that it is met.
    pub is_wanted: bool,
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
    let (bare, gate, waf) = (
        name_of(Setting::Bare),
        name_of(Setting::Gate),
        name_of(Setting::Waf1),
    );
    let cost = |what: &str, bound, one: &str, other: &str, kind: Kind| Goal {
        what: what.to_owned(),
        bound,
        measured: results.cost_ratio(one, other, kind.name(), KEEP_ALIVE.name),
        is_wanted: results.has_cost(one, kind.name()) && results.has_cost(other, kind.name()),
    };
    let (of_bare, of_nginx, aim) = (
        "a GET through the gate, in bare proxies",
        "a GET through the gate, in those of nginx as a plain proxy",
        "the same, aim: what HAProxy once took",
    );
    let mut goals = vec![
        cost(of_bare, Bound::AtMost(1.10), &gate, &bare, Kind::Get),
        cost(of_nginx, Bound::AtMost(1.7), &gate, "nginx", Kind::Get),
        cost(aim, Bound::AtMost(1.15), &gate, "nginx", Kind::Get),
    ];
    goals.extend(CHEAPER.map(|(kind, times)| {
        let what = format!(
            "OWASP CRS, paranoia 1, {}: ModSecurity 3 in nginx",
            kind.title()
        );
        let bound = Bound::AtLeast(times);
        cost(&what, bound, "nginx-modsecurity", &waf, kind)
    }));
    for setting in Setting::ALL {
        let disturbed = Meanwhile::of(Some(setting)).iter().skip(1);
        goals.extend(disturbed.map(|meanwhile| tail(results, setting, *meanwhile)));
    }
    goals
}

/// What the slowest of a thousand answers wait while something goes on, in what they wait in quiet.
fn tail(results: &Results, setting: Setting, meanwhile: Meanwhile) -> Goal {
    let name = name_of(setting);
    // Behind a queue that grows, nothing is seen of what goes on.
    let p999 = |meanwhile: Meanwhile| {
        let latency = results.latency(&name, meanwhile.title())?;
        latency.has_kept_up().then(|| median(&latency.p999_ms))
    };
    let (disturbed, steady) = (p999(meanwhile), p999(Meanwhile::Nothing));
    Goal {
        what: format!(
            "p99.9 at 70 % of capacity, {}, {}: steady",
            setting.name(),
            meanwhile.title()
        ),
        bound: Bound::AtMost(2.0),
        measured: disturbed
            .zip(steady)
            .map(|(disturbed, steady)| disturbed / steady),
        is_wanted: results.latencies.iter().any(|one| one.subject == name),
    }
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
