//! `verifyCC`, `verifyCPF`, `verifySSN`, `verifySVNR`: numbers of a form that a pattern tells, and whose
//! digits are right.

mod cpf;
mod luhn;
mod ssn;
mod svnr;

use std::ops::Range;

use super::OperatorCache;
use super::error::{Found, Problem};
use super::rx::Rx;

/// In so many bytes a number is looked for at a time, which bounds the time to so many times the length
/// of the value. One of half that length is found wherever it is.
const WINDOW_BYTES: usize = 128;

/// Which digits are right.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum NumberKind {
    /// Payment cards (ISO/IEC 7812-1 annex B).
    Card,
    /// Brazil's CPF.
    Cpf,
    /// Social security numbers of the United States.
    Ssn,
    /// Austria's social security numbers.
    Svnr,
}

impl NumberKind {
    fn is_valid(self, digits: impl Iterator<Item = u8>) -> bool {
        match self {
            Self::Card => luhn::is_valid(digits),
            Self::Cpf => cpf::is_valid(digits),
            Self::Ssn => ssn::is_valid(digits),
            Self::Svnr => svnr::is_valid(digits),
        }
    }
}

/// A search for valid numbers.
#[derive(Clone, Debug)]
pub struct NumberSearch {
    kind: NumberKind,
    form: Rx,
}

impl NumberSearch {
    pub(super) fn parse(kind: NumberKind, pattern: &[u8]) -> Result<Self, Found> {
        if pattern.is_empty() {
            return Err((0, Problem::Empty("a pattern of the numbers' form")));
        }
        Ok(Self {
            kind,
            form: Rx::parse_multi_line(pattern)?,
        })
    }

    /// Which digits are right.
    #[must_use]
    pub fn kind(&self) -> NumberKind {
        self.kind
    }

    /// What numbers look like.
    #[must_use]
    pub fn form(&self) -> &Rx {
        &self.form
    }

    /// The first part of `value` that is of the form and whose digits are right. Matches may overlap: each
    /// is looked for from the byte behind the beginning of the one before.
    pub(super) fn find(&self, value: &[u8], cache: &mut OperatorCache) -> Option<Range<usize>> {
        let mut start = 0;
        while start < value.len() {
            let end = value.len().min(start + WINDOW_BYTES);
            let Some(found) = self.form.find(value, start..end, cache) else {
                if end == value.len() {
                    return None;
                }
                start += WINDOW_BYTES / 2;
                continue;
            };
            let part = value.get(found.clone()).unwrap_or_default();
            let digits = part.iter().filter(|byte| byte.is_ascii_digit());
            if !part.is_empty() && self.kind.is_valid(digits.map(|digit| digit - b'0')) {
                return Some(found);
            }
            start = found.start + 1;
        }
        None
    }
}

/// Exactly `N` digits, further ones left out; `None` where there are fewer.
fn first_digits<const N: usize>(digits: impl Iterator<Item = u8>) -> Option<[u8; N]> {
    let mut first = [0; N];
    let mut len = 0;
    for (place, digit) in first.iter_mut().zip(digits) {
        *place = digit;
        len += 1;
    }
    (len == N).then_some(first)
}

/// Whether all are the same, or each is one more than the one before: nobody's number.
fn is_made_up(digits: &[u8]) -> bool {
    let all = |is: fn(u8, u8) -> bool| digits.is_sorted_by(|a, b| is(*a, *b));
    all(|a, b| a == b) || all(|a, b| a + 1 == b)
}

#[cfg(test)]
mod tests {
    use super::super::tests::{check, check_part, parse_error};

    #[test]
    fn cards() {
        let form = br"(?:^|[^\d])(\d{4}-?\d{4}-?\d{4}-?\d{4})(?:[^\d]|$)";
        check_part(
            "verifyCC",
            form,
            b"card 4111-1111-1111-1111!",
            Some(b" 4111-1111-1111-1111!"),
        );
        check_part("verifyCC", form, b"card 4111-1111-1111-1112", None);
        check("verifyCC", form, b"4111111111111112 4111111111111111", true);
        check("verifyCC", br"\d{4,}", b"94111111111111111", true);
        check("verifyCC", br"\d*", b"x0", true);
        check("verifyCC", br".*", b"no digits", false);
        check("verifyCC", br"\d+", b"", false);
    }

    #[test]
    fn numbers_are_found_in_long_values() {
        let form = br"\b\d{16}\b";
        for before in [0, 63, 64, 65, 127, 128, 129, 4000] {
            let value = [&vec![b'.'; before][..], b"4111111111111111"].concat();
            check("verifyCC", form, &value, true);
        }
        let digits = vec![b'1'; 100_000];
        check("verifyCC", br"\d{17}", &digits, false);
    }

    #[test]
    fn cpf() {
        let form = br"([0-9]{3}\.){2}[0-9]{3}-[0-9]{2}";
        check("verifyCPF", form, b"x 010.817.514-60 x", true);
        check("verifyCPF", form, b"x 010.817.514-61 x", false);
        check("verifyCPF", br"\d+", b"11111111111", false);
        check("verifyCPF", br"\d+", b"01234567890", false);
        check("verifyCPF", br"\d+", b"0108175146", false);
    }

    #[test]
    fn ssn() {
        let form = br"\d{3}-?\d{2}-?\d{4}";
        check("verifySSN", form, b"x 574-57-8065 x", true);
        for invalid in [
            &b"800-57-8065"[..],
            b"666-57-8065",
            b"000-57-8065",
            b"574-00-8065",
            b"574-57-0000",
            b"123456789",
            b"111111111",
            b"574-57-806",
        ] {
            check("verifySSN", form, invalid, false);
        }
        check("verifySSN", br"[\d-]+", b"574-57-80651", false);
    }

    #[test]
    fn svnr() {
        let form = br"([0-9]{4} ?[0-9]{6})";
        check("verifySVNR", form, b"x 1237 010180 x", true);
        check("verifySVNR", form, b"1236010180", false);
        check("verifySVNR", form, b"0000000000", false);
        check("verifySVNR", form, b"1234567890", false);
    }

    #[test]
    fn the_form_is_needed() {
        assert_eq!(
            parse_error("verifyCC", b""),
            "@verifyCC: the argument is empty; expected a pattern of the numbers' form (at byte 0 of the argument)"
        );
        assert!(
            parse_error("verifyssn", b"(").starts_with("@verifyssn: a group that isn't closed")
        );
    }
}
