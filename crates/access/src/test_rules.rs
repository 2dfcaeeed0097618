//! Rules for tests, in few words.

use palisade_vocabulary::{Cidr, Mode, SkipSet};

use crate::{
    Action, AddressCondition, AsnCondition, Condition, CountryCondition, Field, Pattern,
    PatternKind, Rule, TextCondition,
};

pub(crate) const BLOCK: Action = Action::Block { status: None };
pub(crate) const ALLOW: Action = Action::Allow {
    skip: SkipSet::NONE,
};

pub(crate) fn rule(id: &str, action: Action, condition: Condition) -> Rule {
    Rule {
        id: id.parse().unwrap(),
        condition,
        action,
        mode: Mode::Block,
        reason: None,
        place: format!("rules.yaml:{id}").into(),
    }
}

pub(crate) fn detect(rule: Rule) -> Rule {
    Rule {
        mode: Mode::Detect,
        ..rule
    }
}

pub(crate) fn off(rule: Rule) -> Rule {
    Rule {
        mode: Mode::Off,
        ..rule
    }
}

pub(crate) fn text(field: Field, kind: PatternKind, texts: &[&str]) -> Condition {
    let patterns = texts
        .iter()
        .map(|text| Pattern::new(kind, text, false).unwrap());
    Condition::Text(TextCondition::new(field, patterns).unwrap())
}

pub(crate) fn path(kind: PatternKind, pattern: &str) -> Condition {
    text(Field::Path, kind, &[pattern])
}

/// The path starts with `pattern`.
pub(crate) fn under(pattern: &str) -> Condition {
    path(PatternKind::Prefix, pattern)
}

pub(crate) fn address(ranges: &[&str]) -> Condition {
    let parsed: Vec<Cidr> = ranges.iter().map(|range| range.parse().unwrap()).collect();
    Condition::Address(AddressCondition::new(
        parsed.into(),
        ranges.join(", ").into(),
    ))
}

/// Countries, and `unknown`.
pub(crate) fn country(names: &[&str]) -> Condition {
    let known = names.iter().filter(|name| **name != "unknown");
    let known = known.map(|name| name.parse().unwrap());
    let unknown = names.contains(&"unknown");
    Condition::Country(CountryCondition::new(known, unknown).unwrap())
}

/// Autonomous systems, and `unknown`.
pub(crate) fn asn(names: &[&str]) -> Condition {
    let known = names.iter().filter(|name| **name != "unknown");
    let known = known.map(|name| name.parse().unwrap());
    let unknown = names.contains(&"unknown");
    Condition::Asn(AsnCondition::new(known, unknown).unwrap())
}

pub(crate) fn not(condition: Condition) -> Condition {
    Condition::Not(Box::new(condition))
}
