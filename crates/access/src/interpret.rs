//! What a rule means, said as plainly as possible: the model that the compiled rules must agree with.

use palisade_vocabulary::{Known, Mode, RequestView};

use crate::field_values::{PathForm, visit_values};
use crate::{Action, Condition, Rule, Truth};

/// The indexes of the rule that decides and of those recorded before it.
pub(crate) fn interpret(rules: &[Rule], view: &RequestView<'_>) -> (Option<usize>, Vec<usize>) {
    let mut recorded = Vec::new();
    for (index, rule) in rules.iter().enumerate() {
        if rule.mode == Mode::Off || rule_truth(rule, view) != Truth::True {
            continue;
        }
        if rule.mode == Mode::Block && rule.action != Action::Log {
            return (Some(index), recorded);
        }
        recorded.push(index);
    }
    (None, recorded)
}

/// A rule that blocks or logs holds if it holds for either form of the path.
pub(crate) fn rule_truth(rule: &Rule, view: &RequestView<'_>) -> Truth {
    let canonical = truth(&rule.condition, PathForm::Canonical, view);
    if matches!(rule.action, Action::Allow { .. }) {
        return canonical;
    }
    canonical.max(truth(&rule.condition, PathForm::WithoutParams, view))
}

pub(crate) fn truth(condition: &Condition, form: PathForm, view: &RequestView<'_>) -> Truth {
    match condition {
        Condition::All(parts) => Truth::all(parts.iter().map(|part| truth(part, form, view))),
        Condition::Any(parts) => Truth::any(parts.iter().map(|part| truth(part, form, view))),
        Condition::Not(part) => truth(part, form, view).negated(),
        Condition::Address(address) => Truth::from(
            address
                .ranges()
                .iter()
                .any(|range| range.contains(view.client.ip)),
        ),
        Condition::Country(country) => in_set(
            view.place.country,
            country.countries(),
            country.holds_if_unknown(),
        ),
        Condition::Asn(asn) => in_set(view.place.asn, asn.numbers(), asn.holds_if_unknown()),
        Condition::Text(text) => {
            let mut found = false;
            visit_values(text.field(), form, view, |value| {
                found |= text.patterns().iter().any(|pattern| pattern.matches(value));
            });
            Truth::from(found)
        }
    }
}

fn in_set<T: PartialEq>(fact: Known<T>, set: &[T], holds_if_unknown: bool) -> Truth {
    match fact {
        Known::Is(value) => Truth::from(set.contains(&value)),
        Known::Unlisted | Known::Unavailable if holds_if_unknown => Truth::True,
        Known::Unlisted | Known::Unavailable => Truth::Unknown,
    }
}
