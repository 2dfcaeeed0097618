//! What one pattern says of another.

use std::borrow::Cow;

use PatternKind::{Contains, Equals, Prefix, Regex, Suffix};

use crate::{Pattern, PatternKind};

/// Whether every value that `left` matches, `right` matches too.
pub(super) fn implies_pattern(left: &Pattern, right: &Pattern) -> bool {
    if left == right {
        return true;
    }
    // A text that stands for several spellings proves nothing to one who minds the spelling.
    let spellings = left.ignores_case() && has_letter(left.text());
    if spellings && !right.ignores_case() {
        return false;
    }
    match (left.kind(), right.kind()) {
        (Regex, _) => false,
        (Equals, Regex) => !spellings && right.matches(left.text().as_bytes()),
        (_, Regex) => false,
        (Equals, _)
        | (Prefix, Prefix)
        | (Suffix, Suffix)
        | (Prefix | Suffix | Contains, Contains) => right.matches(left.text().as_bytes()),
        _ => false,
    }
}

/// Whether no value can match both.
pub(super) fn are_disjoint(left: &Pattern, right: &Pattern) -> bool {
    let ignore_case = left.ignores_case() || right.ignores_case();
    let (a, b) = (spelled(left, ignore_case), spelled(right, ignore_case));
    match (left.kind(), right.kind()) {
        (Equals, Equals) => a != b,
        (Equals, _) => !may_equal(left, right, &a, &b),
        (_, Equals) => !may_equal(right, left, &b, &a),
        (Prefix, Prefix) => !a.starts_with(&*b) && !b.starts_with(&*a),
        (Suffix, Suffix) => !a.ends_with(&*b) && !b.ends_with(&*a),
        _ => false,
    }
}

/// Whether `other` may match a value that `equals` matches; `text` and `wanted` are their texts.
fn may_equal(equals: &Pattern, other: &Pattern, text: &str, wanted: &str) -> bool {
    match other.kind() {
        Equals => text == wanted,
        Prefix => text.starts_with(wanted),
        Suffix => text.ends_with(wanted),
        Contains => text.contains(wanted),
        Regex => equals.ignores_case() || other.matches(equals.text().as_bytes()),
    }
}

fn spelled(pattern: &Pattern, ignore_case: bool) -> Cow<'_, str> {
    if ignore_case {
        pattern.text().to_ascii_lowercase().into()
    } else {
        pattern.text().into()
    }
}

fn has_letter(text: &str) -> bool {
    text.bytes().any(|byte| byte.is_ascii_alphabetic())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn any_pattern() -> impl Strategy<Value = Pattern> {
        let literal = prop::sample::select(vec![Equals, Prefix, Suffix, Contains]);
        let regex = prop::sample::select(vec!["a", "^a+b", "^.?$", "(?i)B$"]);
        prop_oneof![
            4 => (literal, "[abA]{1,2}", any::<bool>())
                .prop_map(|(kind, text, case)| Pattern::new(kind, &text, case).unwrap()),
            1 => (regex, any::<bool>()).prop_map(|(text, case)| Pattern::new(Regex, text, case).unwrap()),
        ]
    }

    #[test]
    fn prefixes_and_the_like() {
        let pattern = |kind, text| Pattern::new(kind, text, false).unwrap();
        assert!(implies_pattern(
            &pattern(Prefix, "/ab"),
            &pattern(Prefix, "/a")
        ));
        assert!(!implies_pattern(
            &pattern(Prefix, "/a"),
            &pattern(Prefix, "/ab")
        ));
        assert!(implies_pattern(
            &pattern(Suffix, ".php"),
            &pattern(Contains, "php")
        ));
        assert!(implies_pattern(
            &pattern(Equals, "/a1"),
            &pattern(Regex, r"\d$")
        ));
        assert!(are_disjoint(&pattern(Prefix, "/a"), &pattern(Prefix, "/b")));
        assert!(are_disjoint(
            &pattern(Equals, "/a"),
            &pattern(Contains, "b")
        ));
        assert!(!are_disjoint(&pattern(Prefix, "/a"), &pattern(Suffix, "b")));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(500))]

        #[test]
        fn what_is_said_is_so(left in any_pattern(), right in any_pattern(), values in prop::collection::vec("[abAB]{0,4}", 8)) {
            for value in values {
                let (l, r) = (left.matches(value.as_bytes()), right.matches(value.as_bytes()));
                prop_assert!(!(implies_pattern(&left, &right) && l && !r), "{left} implies {right}: {value}");
                prop_assert!(!(are_disjoint(&left, &right) && l && r), "{left} against {right}: {value}");
            }
        }
    }
}
