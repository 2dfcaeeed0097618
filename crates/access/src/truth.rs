//! Three-valued logic: what a condition is when a database can't tell.

use std::fmt;

/// What is known of a condition: Kleene's strong three-valued logic.
///
/// The order is `False < Unknown < True`, so that "and" is the least and "or" the greatest of its
/// parts. A rule acts only when its whole condition is `True`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Truth {
    /// It doesn't hold.
    False,
    /// No database can tell.
    Unknown,
    /// It holds.
    True,
}

impl Truth {
    /// The opposite; what is unknown stays unknown.
    #[must_use]
    pub fn negated(self) -> Self {
        match self {
            Self::False => Self::True,
            Self::Unknown => Self::Unknown,
            Self::True => Self::False,
        }
    }

    /// "And" over all parts; true where there are none. Stops at the first part that settles it.
    pub(crate) fn all(parts: impl IntoIterator<Item = Truth>) -> Truth {
        let mut least = Truth::True;
        for part in parts {
            least = least.min(part);
            if least == Truth::False {
                break;
            }
        }
        least
    }

    /// "Or" over all parts; false where there are none. Stops at the first part that settles it.
    pub(crate) fn any(parts: impl IntoIterator<Item = Truth>) -> Truth {
        let mut greatest = Truth::False;
        for part in parts {
            greatest = greatest.max(part);
            if greatest == Truth::True {
                break;
            }
        }
        greatest
    }
}

impl From<bool> for Truth {
    fn from(holds: bool) -> Self {
        if holds { Self::True } else { Self::False }
    }
}

impl fmt::Display for Truth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::False => "no",
            Self::Unknown => "unknown",
            Self::True => "yes",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::Truth::{self, False as F, True as T, Unknown as U};

    #[track_caller]
    fn check(left: Truth, right: Truth, and: Truth, or: Truth) {
        assert_eq!(Truth::all([left, right]), and, "{left} and {right}");
        assert_eq!(Truth::any([left, right]), or, "{left} or {right}");
    }

    #[test]
    fn kleene_tables() {
        check(F, F, F, F);
        check(F, U, F, U);
        check(F, T, F, T);
        check(U, F, F, U);
        check(U, U, U, U);
        check(U, T, U, T);
        check(T, F, F, T);
        check(T, U, U, T);
        check(T, T, T, T);
        assert_eq!([F, U, T].map(Truth::negated), [T, U, F]);
        assert_eq!((Truth::all([]), Truth::any([])), (T, F));
    }
}
