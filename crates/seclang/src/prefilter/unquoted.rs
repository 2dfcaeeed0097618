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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prefilter::expression;
    use crate::{OperatorCache, Rx};
    use proptest::prelude::*;

    fn hir(pattern: &str) -> Hir {
        Rx::parse(pattern.as_bytes()).unwrap().hir().unwrap()
    }

    #[track_caller]
    fn check(pattern: &str, expected: Option<&str>) {
        assert_eq!(unquoted(&hir(pattern)), expected.map(hir), "{pattern}");
    }

    #[test]
    fn what_breaks_words_up_is_taken_out() {
        check(r#"b["']*u(?:\$x)?s\\?y"#, Some("busy"));
        check("a[b'c]d", Some("a[bc]d"));
        check(r#"^(?:a|"b"|c)$"#, Some("^(?:a|c)$"));
        check("a(?:'b')+c", None);
        check("(?:')+|[$]", None);
        check("a'{0,3}b{2}", Some("ab{2}"));
    }

    #[test]
    fn words_are_found_however_they_are_written() {
        let pattern = r#"(?i)c["'\\]*m["'\\]*d["'\\]*(?:[0-9]|\.exe)"#;
        let requirement = expression::clause(&hir(pattern))
            .unwrap()
            .into_requirement();
        for value in ["CMD1", "x cmd.exe", "c'm\"d7", "c\\md9"] {
            assert!(requirement.holds(value.as_bytes()), "{value}");
        }
        assert!(!requirement.holds(b"come, dear 7."));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]

        #[test]
        fn what_matches_without_quotes_matches_what_is_left(
            pattern in r#"(?:[ab]|['"]\*|\[a'\]|\(a\|'\)|\(b'\)\?|\(?:a\|b\)\+|\^|\$){1,6}"#,
            value in r#"[ab'"]{0,6}"#,
        ) {
            let Ok(rx) = Rx::parse(pattern.as_bytes()) else {
                return Ok(());
            };
            if !rx.is_match(value.as_bytes(), &mut OperatorCache::default()) {
                return Ok(());
            }
            let expression = rx.hir().unwrap();
            if QUOTING.find_in(value.as_bytes()).is_none() {
                let left = unquoted(&expression).unwrap();
                let left = regex_automata::meta::Builder::new().build_from_hir(&left).unwrap();
                prop_assert!(left.is_match(value.as_bytes()), "{}", pattern);
            }
            if let Some(clause) = expression::clause(&expression) {
                prop_assert!(clause.into_requirement().holds(value.as_bytes()), "{}", pattern);
            }
        }
    }
}
