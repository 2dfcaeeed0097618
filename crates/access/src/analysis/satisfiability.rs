//! Whether a condition can hold at all.

use palisade_vocabulary::Cidr;

use super::implication::Implication;
use super::pattern::are_disjoint;
use crate::{Condition, Field, Pattern, PatternKind, TextCondition};

/// The most pairs of ranges or patterns of two conditions that are compared.
const PAIRS_MAX: usize = 1_000_000;

/// Why `condition` is true on no request; `None` if it may be.
pub(super) fn why_never(condition: &Condition, implication: &mut Implication) -> Option<String> {
    match condition {
        Condition::All(parts) => {
            let of_part = parts.iter().find_map(|part| why_never(part, implication));
            of_part.or_else(|| contradiction(parts, implication))
        }
        Condition::Any(parts) if parts.is_empty() => Some("`any` has no part".to_owned()),
        Condition::Any(parts) => {
            let each: Option<Vec<String>> = parts
                .iter()
                .map(|part| why_never(part, implication))
                .collect();
            each.map(|reasons| reasons.join(", and "))
        }
        Condition::Not(part) => {
            if let Condition::Not(inner) = &**part {
                return why_never(inner, implication);
            }
            is_certain(part).then(|| format!("`not` of what always holds ({part})"))
        }
        Condition::Address(address) => (address.ranges().is_empty())
            .then(|| format!("address list {} is empty", address.label())),
        Condition::Text(text) => why_never_text(text),
        Condition::Country(_) | Condition::Asn(_) => None,
    }
}

/// Whether `condition` is true on every request, as far as that is plain.
pub(super) fn is_certain(condition: &Condition) -> bool {
    match condition {
        Condition::All(parts) => parts.iter().all(is_certain),
        Condition::Any(parts) => parts.iter().any(is_certain),
        Condition::Address(address) => {
            let whole = |v4: bool| {
                address
                    .ranges()
                    .iter()
                    .any(|range| range.prefix_len() == 0 && range.network().is_ipv4() == v4)
            };
            whole(true) && whole(false)
        }
        Condition::Text(text) => {
            *text.field() == Field::Path
                && text
                    .patterns()
                    .iter()
                    .any(|pattern| pattern.kind() == PatternKind::Prefix && pattern.text() == "/")
        }
        Condition::Not(_) | Condition::Country(_) | Condition::Asn(_) => false,
    }
}

/// Two parts of an "and" that can't both be true.
fn contradiction(parts: &[Condition], implication: &mut Implication) -> Option<String> {
    let parts = conjuncts(parts);
    for (index, left) in parts.iter().enumerate() {
        for right in parts.iter().skip(index + 1) {
            if exclude(left, right, implication) {
                return Some(format!("{left} and {right} exclude each other"));
            }
        }
    }
    None
}

/// The parts of an "and", those of an "and" within it too.
fn conjuncts(parts: &[Condition]) -> Vec<&Condition> {
    let mut all = Vec::new();
    for part in parts {
        match part {
            Condition::All(parts) => all.extend(conjuncts(parts)),
            other => all.push(other),
        }
    }
    all
}

fn exclude(left: &Condition, right: &Condition, implication: &mut Implication) -> bool {
    match (left, right) {
        (Condition::Not(no), yes) | (yes, Condition::Not(no)) => implication.holds(yes, no),
        (Condition::Text(left), Condition::Text(right)) => {
            left.field() == right.field()
                && left.field().has_one_value()
                && no_pair(left.patterns(), right.patterns(), |a, b| {
                    !are_disjoint(a, b)
                })
        }
        (Condition::Address(left), Condition::Address(right)) => {
            no_pair(left.ranges(), right.ranges(), |a: &Cidr, b| {
                a.covers(*b) || b.covers(*a)
            })
        }
        (Condition::Country(left), Condition::Country(right)) => {
            !(left.holds_if_unknown() && right.holds_if_unknown())
                && no_pair(left.countries(), right.countries(), |a, b| a == b)
        }
        (Condition::Asn(left), Condition::Asn(right)) => {
            !(left.holds_if_unknown() && right.holds_if_unknown())
                && no_pair(left.numbers(), right.numbers(), |a, b| a == b)
        }
        _ => false,
    }
}

/// Whether no item of `left` goes with one of `right`; false where there are too many to tell.
fn no_pair<T>(left: &[T], right: &[T], goes: impl Fn(&T, &T) -> bool) -> bool {
    left.len().saturating_mul(right.len()) <= PAIRS_MAX
        && !left.iter().any(|a| right.iter().any(|b| goes(a, b)))
}

/// Why no request has a value of the field that matches.
fn why_never_text(text: &TextCondition) -> Option<String> {
    let why = match text.field() {
        Field::Path if all_are(text, lacks_slash) => "every path starts with a slash",
        Field::Host if all_are(text, |p| has_case(p, u8::is_ascii_uppercase)) => {
            "hosts are compared in lower case"
        }
        Field::Host if all_are(text, names_port) => "hosts are compared without a port",
        Field::Method if all_are(text, |p| has_case(p, u8::is_ascii_lowercase)) => {
            "methods are upper case"
        }
        _ => return None,
    };
    Some(format!("{}: {why}", Condition::Text(text.clone())))
}

fn all_are(text: &TextCondition, is: impl Fn(&Pattern) -> bool) -> bool {
    text.patterns().iter().all(is)
}

fn lacks_slash(pattern: &Pattern) -> bool {
    matches!(pattern.kind(), PatternKind::Equals | PatternKind::Prefix)
        && !pattern.text().starts_with('/')
}

fn names_port(pattern: &Pattern) -> bool {
    let text = pattern.text();
    pattern.kind() == PatternKind::Equals && text.contains(':') && !text.starts_with('[')
}

/// Whether a letter of that case must be in the value.
fn has_case(pattern: &Pattern, case: impl Fn(&u8) -> bool) -> bool {
    pattern.kind() != PatternKind::Regex
        && !pattern.ignores_case()
        && pattern.text().as_bytes().iter().any(case)
}
