//! Patterns that are so simple that no search is needed.

use regex_syntax::hir::{Class, ClassBytes, Hir, HirKind, Look};

/// What kind of pattern it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    /// `^.*$`, as rules write that capture a value: any value, all of it.
    All,
    /// `^text`: whether it matches is told by the value's beginning.
    Beginning(Beginning),
    /// Any other.
    Other,
}

/// Bytes, each one of two, which are the same where its case counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Beginning(Box<[(u8, u8)]>);

impl Beginning {
    /// Whether `value` begins so. Hot path.
    pub(super) fn is_of(&self, value: &[u8]) -> bool {
        let mut pairs = self.0.iter().zip(value);
        value.len() >= self.0.len()
            && pairs.all(|((one, other), byte)| byte == one || byte == other)
    }
}

impl Shape {
    pub(super) fn of(hir: &Hir) -> Self {
        if matches_all(hir) {
            return Self::All;
        }
        match beginning(hir) {
            Some(beginning) => Self::Beginning(beginning),
            None => Self::Other,
        }
    }
}

/// Whether a pattern is `^.*$`, or `^.*` or `.*`: what is greedy leaves nothing.
fn matches_all(hir: &Hir) -> bool {
    match hir.kind() {
        HirKind::Concat(parts) => match &parts[..] {
            [start, any] => is_look(start, Look::Start) && is_any(any),
            [start, any, end] => {
                is_look(start, Look::Start) && is_any(any) && is_look(end, Look::End)
            }
            _ => false,
        },
        _ => is_any(hir),
    }
}

/// Whether it is as many bytes as there are, whatever they are.
fn is_any(hir: &Hir) -> bool {
    let HirKind::Repetition(repetition) = hir.kind() else {
        return false;
    };
    let every = |class: &ClassBytes| {
        let ranges = class.ranges();
        ranges.len() == 1
            && ranges
                .iter()
                .all(|all| (all.start(), all.end()) == (0, u8::MAX))
    };
    let is_every =
        matches!(repetition.sub.kind(), HirKind::Class(Class::Bytes(class)) if every(class));
    is_every && repetition.min == 0 && repetition.max.is_none() && repetition.greedy
}

fn is_look(hir: &Hir, expected: Look) -> bool {
    matches!(hir.kind(), HirKind::Look(look) if *look == expected)
}

/// The bytes of `^text`.
fn beginning(hir: &Hir) -> Option<Beginning> {
    let HirKind::Concat(parts) = hir.kind() else {
        return None;
    };
    let (start, text) = parts.split_first()?;
    if !is_look(start, Look::Start) || text.is_empty() {
        return None;
    }
    let mut bytes = Vec::new();
    for part in text {
        match part.kind() {
            HirKind::Literal(literal) => bytes.extend(literal.0.iter().map(|byte| (*byte, *byte))),
            HirKind::Class(Class::Bytes(class)) => bytes.push(pair(class)?),
            _ => return None,
        }
    }
    Some(Beginning(bytes.into()))
}

/// The members of a class of two bytes.
fn pair(class: &ClassBytes) -> Option<(u8, u8)> {
    match class.ranges() {
        [one, other] if one.len() == 1 && other.len() == 1 => Some((one.start(), other.start())),
        _ => None,
    }
}
