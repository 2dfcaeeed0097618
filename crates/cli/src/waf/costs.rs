//! Which rules took most time.

use std::cmp::Reverse;
use std::time::Duration;

use palisade_seclang::{Program, Rule, RuleCounter};

use crate::say;

/// Tells what `counters`, which are in the order of the program's rules, have of the rules that took most.
pub(super) fn show(program: &Program, counters: &[RuleCounter], top: usize) {
    let costs = dearest_first(program.rules().zip(counters));
    let one_in = RuleCounter::SAMPLED_ONE_IN;
    say(&format!(
        "\n{:<18} {} rules were asked, of which those that took most; one evaluation in {one_in} was timed",
        "costs",
        costs.len()
    ));
    for (rule, counter) in costs.iter().take(top) {
        say(&line(rule, counter));
    }
    let more = costs.len().saturating_sub(top);
    if more > 0 {
        say(&format!("  ... and {more} more; --costs=N shows more"));
    }
}

/// Those that were asked at all.
fn dearest_first<'a, R>(
    counted: impl Iterator<Item = (R, &'a RuleCounter)>,
) -> Vec<(R, &'a RuleCounter)> {
    let mut asked: Vec<_> = counted
        .filter(|(_, counter)| counter.evaluations > 0)
        .collect();
    asked.sort_by_key(|(_, counter)| Reverse(counter.estimated_cost()));
    asked
}

fn line(rule: &Rule, counter: &RuleCounter) -> String {
    let RuleCounter {
        evaluations, hits, ..
    } = counter;
    let mean = counter.mean_cost().map_or(0, |mean| mean.as_nanos());
    format!(
        "  {:<10} {:>11} = {evaluations} evaluations of {mean} ns, {hits} hits  {}",
        rule.id(),
        milliseconds(counter.estimated_cost()),
        rule.place()
    )
}

fn milliseconds(time: Duration) -> String {
    format!("{:.3} ms", time.as_secs_f64() * 1_000.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_took_most_comes_first_and_what_was_not_asked_not_at_all() {
        let counter = |evaluations, samples, sampled_nanos| RuleCounter {
            evaluations,
            hits: 0,
            samples,
            sampled_nanos,
        };
        let counters = [
            counter(64, 1, 10),
            counter(0, 0, 0),
            counter(640, 10, 20),
            counter(1, 1, 641),
        ];
        let dearest = dearest_first((1..).zip(&counters));
        let dearest: Vec<u64> = dearest.into_iter().map(|(rule, _)| rule).collect();
        assert_eq!(dearest, [3, 4, 1]);
    }
}
