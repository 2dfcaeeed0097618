//! What is left of an expression for values without the bytes by which words are broken up for a shell.
//!
//! Expressions that find commands however they are written, as `b"u"s$x\\y`, have no two bytes in a row that
//! each match has. But most values have none of the bytes that may stand between: of those, the words
//! themselves are what a match has.

use regex_syntax::hir::{Class, ClassBytes, ClassBytesRange, Hir, HirKind, Repetition};

use crate::ByteSet;

/// What a shell takes out of words, and what begins and ends what it puts there.
pub(super) const QUOTING: ByteSet = ByteSet::of(b"\"'\\$[)");

/// An expression that matches what `expression` does without any byte of [`QUOTING`]; `None` where that is
/// nothing.
pub(super) fn unquoted(expression: &Hir) -> Option<Hir> {
    Some(match expression.kind() {
        HirKind::Empty | HirKind::Look(_) => expression.clone(),
        HirKind::Literal(literal) => {
            let is_quoted = QUOTING.find_in(&literal.0).is_some();
            return (!is_quoted).then(|| expression.clone());
        }
        HirKind::Class(Class::Bytes(class)) => of_class(class)?,
        // No expression of ours has characters.
        HirKind::Class(Class::Unicode(_)) => expression.clone(),
        HirKind::Repetition(repetition) => match unquoted(&repetition.sub) {
            Some(sub) => Hir::repetition(Repetition {
                sub: Box::new(sub),
                ..repetition.clone()
            }),
            None if repetition.min == 0 => Hir::empty(),
            None => return None,
        },
        HirKind::Capture(capture) => unquoted(&capture.sub)?,
        HirKind::Concat(parts) => {
            let parts: Option<Vec<Hir>> = parts.iter().map(unquoted).collect();
            Hir::concat(parts?)
        }
        HirKind::Alternation(branches) => {
            let branches: Vec<Hir> = branches.iter().filter_map(unquoted).collect();
            if branches.is_empty() {
                return None;
            }
            Hir::alternation(branches)
        }
    })
}

fn of_class(class: &ClassBytes) -> Option<Hir> {
    let quoting = (0..=u8::MAX).filter(|byte| QUOTING.contains(*byte));
    let quoting = ClassBytes::new(quoting.map(|byte| ClassBytesRange::new(byte, byte)));
    let mut left = class.clone();
    left.difference(&quoting);
    let is_empty = left.ranges().is_empty();
    (!is_empty).then(|| Hir::class(Class::Bytes(left)))
}
