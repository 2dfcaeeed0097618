//! `eq`, `ne`, `ge`, `gt`, `le`, `lt`.

use super::argument::Argument;
use super::error::Found;
use crate::MacroText;

/// A number as `atoi` reads it: white space, a sign, digits; 0 where there are none. Further digits
/// than 64 bits hold give the largest or smallest number, where C's would wrap around.
#[must_use]
pub fn integer(text: &[u8]) -> i64 {
    let begin = text
        .iter()
        .position(|byte| !matches!(byte, b'\t'..=b'\r' | b' '));
    let text = begin
        .and_then(|begin| text.get(begin..))
        .unwrap_or_default();
    let (sign, digits) = match text {
        [b'-', digits @ ..] => (-1_i64, digits),
        [b'+', digits @ ..] => (1, digits),
        digits => (1, digits),
    };
    digits
        .iter()
        .map_while(|byte| byte.is_ascii_digit().then(|| i64::from(byte - b'0')))
        .fold(0_i64, |number, digit| {
            number.saturating_mul(10).saturating_add(sign * digit)
        })
}

/// How two numbers must stand to each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "each is what its operator is called")]
pub enum Relation {
    Eq,
    Ne,
    Ge,
    Gt,
    Le,
    Lt,
}

impl Relation {
    /// Whether `value` stands so to `argument`.
    #[must_use]
    pub const fn holds(self, value: i64, argument: i64) -> bool {
        match self {
            Self::Eq => value == argument,
            Self::Ne => value != argument,
            Self::Ge => value >= argument,
            Self::Gt => value > argument,
            Self::Le => value <= argument,
            Self::Lt => value < argument,
        }
    }
}

/// A comparison of numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Comparison {
    relation: Relation,
    argument: Number,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Number {
    Fixed(i64),
    Macros(MacroText),
}

impl Comparison {
    pub(super) fn parse(relation: Relation, argument: &[u8]) -> Result<Self, Found> {
        let argument = match Argument::parse(argument)? {
            Argument::Fixed(text) => Number::Fixed(integer(&text)),
            Argument::Macros(macros) => Number::Macros(macros),
        };
        Ok(Self { relation, argument })
    }

    /// How the value must stand to the argument.
    #[must_use]
    pub fn relation(&self) -> Relation {
        self.relation
    }

    /// The argument, where it is the same for every value.
    #[must_use]
    pub fn fixed(&self) -> Option<i64> {
        match &self.argument {
            Number::Fixed(number) => Some(*number),
            Number::Macros(_) => None,
        }
    }

    /// The argument's macros, where it has any.
    #[must_use]
    pub fn macros(&self) -> Option<&MacroText> {
        match &self.argument {
            Number::Fixed(_) => None,
            Number::Macros(macros) => Some(macros),
        }
    }

    pub(super) fn with_argument(&self, text: &[u8]) -> Self {
        Self {
            relation: self.relation,
            argument: Number::Fixed(integer(text)),
        }
    }

    /// Whether `value` stands so to the argument, or to what it was expanded to.
    pub(super) fn holds(&self, value: &[u8], expanded: &[u8]) -> bool {
        let argument = self.fixed().unwrap_or_else(|| integer(expanded));
        self.relation.holds(integer(value), argument)
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{check, check_expanded};
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn numbers_as_atoi_reads_them() {
        let cases: [(&[u8], i64); 12] = [
            (b"", 0),
            (b"x", 0),
            (b"12", 12),
            (b" \t\x0b-12x3", -12),
            (b"+7", 7),
            (b"- 7", 0),
            (b"--7", 0),
            (b"007", 7),
            (b"1e3", 1),
            (b"\xff1", 0),
            (b"9223372036854775808", i64::MAX),
            (b"-99999999999999999999", i64::MIN),
        ];
        for (text, expected) in cases {
            assert_eq!(integer(text), expected, "{}", text.escape_ascii());
        }
    }

    #[test]
    fn relations() {
        for (name, expected) in [
            ("eq", [false, true, false]),
            ("ne", [true, false, true]),
            ("ge", [false, true, true]),
            ("gt", [false, false, true]),
            ("le", [true, true, false]),
            ("lt", [true, false, false]),
        ] {
            for (value, expected) in [b"4", b"5", b"6"].into_iter().zip(expected) {
                check(name, b"5", value, expected);
                check_expanded(name, b"%{tx.limit}", b"5", value, expected);
            }
        }
        check("eq", b"", b"", true);
        check("gt", b"4294967296", b"4294967297", true);
    }

    proptest! {
        #[test]
        fn agrees_with_the_standard_library(number: i64, rest in "[^0-9].*") {
            prop_assert_eq!(integer(format!(" {number}{rest}").as_bytes()), number);
        }
    }
}
