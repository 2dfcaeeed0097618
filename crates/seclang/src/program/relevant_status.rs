//! `SecAuditLogRelevantStatus`: an expression, as the statuses that it matches.

mod few_bytes;

use std::fmt;

use crate::operators::{OperatorCache, Problem, Rx};

/// Statuses have three digits.
const STATUSES: std::ops::Range<u16> = 100..1_000;
/// Bits for all numbers below 1,000.
const WORDS: usize = 1_000_usize.div_ceil(64);

/// The statuses that make a transaction relevant to the audit log.
///
/// Which those are is found out when rules are loaded, by trying all of them. So look-ahead is taken
/// here, as in `^(?:5|4(?!04))` of ModSecurity's recommended settings: on three digits nothing takes long.
#[derive(Clone, PartialEq, Eq)]
pub struct RelevantStatus {
    pattern: Box<[u8]>,
    statuses: [u64; WORDS],
}

impl RelevantStatus {
    /// Reads an expression.
    ///
    /// # Errors
    /// Why it can't be used, and at which of its bytes, where neither linear-time matching can have it
    /// nor, on three digits, look-ahead.
    pub fn parse(pattern: &[u8]) -> Result<Self, (usize, Problem)> {
        let statuses = match Rx::parse(pattern) {
            Ok(rx) => {
                let mut cache = OperatorCache::default();
                table(|digits| rx.is_match(digits, &mut cache))
            }
            Err(refused) => {
                let pattern = few_bytes::parse(pattern).ok_or(refused)?;
                table(|digits| few_bytes::is_match(&pattern, digits))
            }
        };
        Ok(Self {
            pattern: pattern.into(),
            statuses,
        })
    }

    /// Whether it matches a status.
    #[must_use]
    pub fn contains(&self, status: u16) -> bool {
        let word = self.statuses.get(usize::from(status / 64));
        word.is_some_and(|word| word >> (status % 64) & 1 == 1)
    }

    /// As it was written.
    #[must_use]
    pub fn pattern(&self) -> &[u8] {
        &self.pattern
    }
}

fn table(mut is_match: impl FnMut(&[u8; 3]) -> bool) -> [u64; WORDS] {
    let mut statuses = [0; WORDS];
    for status in STATUSES {
        let digit = |of: u16| b'0' + u8::try_from(of % 10).unwrap_or(0);
        let digits = [digit(status / 100), digit(status / 10), digit(status)];
        if let Some(word) = statuses.get_mut(usize::from(status / 64))
            && is_match(&digits)
        {
            *word |= 1 << (status % 64);
        }
    }
    statuses
}

impl fmt::Debug for RelevantStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RelevantStatus({})", self.pattern.escape_ascii())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[track_caller]
    fn check(pattern: &str, matching: &[u16], others: &[u16]) {
        let statuses = RelevantStatus::parse(pattern.as_bytes()).unwrap();
        for status in matching {
            assert!(statuses.contains(*status), "{pattern}: {status}");
        }
        for status in others {
            assert!(!statuses.contains(*status), "{pattern}: {status}");
        }
    }

    #[test]
    fn expressions_are_tried_on_all_statuses() {
        check("^5", &[500, 503, 599], &[200, 150, 499, 600]);
        check("^(?:5|40[13])", &[500, 401, 403], &[400, 402, 404]);
        check("4", &[400, 204, 140], &[200]);
        check("^999$", &[999], &[998, 1_000, 9_999]);
        check(".*", &[100, 999], &[0, 99, 1_000, 1_007, u16::MAX]);
        check("^$", &[], &[100, 200, 999]);
    }

    #[test]
    fn look_ahead_is_taken() {
        check(
            "^(?:5|4(?!04))",
            &[500, 400, 403, 405, 414],
            &[404, 200, 304],
        );
        check("^(?!404|2\\d\\d)", &[403, 302], &[404, 200, 299]);
        check("^[45](?=0)..$", &[400, 409, 500], &[410, 200]);
        check("^4(?!0[^134])", &[401, 403, 404, 411], &[400, 402, 409]);
        check("^(?:(?!2)\\d)+$", &[404, 500], &[200, 302, 422]);
        check("^(?!2)[0-9]{2,3}$", &[404], &[200]);
        check("^(?!2).{3,}?$", &[404], &[200]);
        check("^(4(?!0)|5)1?1*\\d", &[411, 511, 500], &[404]);
        check("^(?!2)4{1,2}0?4\\z", &[404, 444], &[440, 200]);
        check("(?!x)(?:|a)*^4{0}4", &[404], &[200]);
    }

    #[test]
    fn what_can_not_be_used_is_told() {
        #[track_caller]
        fn check(pattern: &str, offset: usize, problem: &str) {
            let (at, found) = RelevantStatus::parse(pattern.as_bytes()).unwrap_err();
            assert_eq!(at, offset, "{pattern}");
            assert!(found.to_string().contains(problem), "{pattern}: {found}");
        }
        check("^(4", 1, "isn't closed");
        check("(\\d)\\1", 4, "back-reference");
        check("4(?<!5)", 1, "look-around");
        check("(?!4", 0, "look-around");
        check("(?!4)[5", 0, "look-around");
        check("(?!4)[9-5]", 0, "look-around");
        check("(?!4)5{2", 0, "look-around");
        check("(?!4)5{3,2}", 0, "look-around");
        check("(?!4)5**", 0, "look-around");
        check("(?!4)+", 0, "look-around");
        check("(?!4)5)", 0, "look-around");
        check("(?!4)\\w", 0, "look-around");
        let nested = format!("^{}\\d{}(?!4)", "(?:".repeat(30), ")*".repeat(30));
        assert!(RelevantStatus::parse(nested.as_bytes()).is_ok());
        let deep = format!("(?!4){}5{}", "(".repeat(33), ")".repeat(33));
        check(&deep, 0, "look-around");
        let long = format!("(?!4){}", "5".repeat(1_024));
        check(&long, 0, "look-around");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4_096))]
        #[test]
        fn both_ways_of_reading_mean_the_same(
            pattern in r"(\^|\$|\.|\(|\(\?:|\)|\||\*|\+|\?|\{[0-3]\}|\{1,\}|\{0,2\}|\[[0-4^]|\]|\\\\d|[0-5]|-){1,12}",
        ) {
            let pattern = pattern.as_bytes();
            let (Ok(rx), Some(few)) = (Rx::parse(pattern), few_bytes::parse(pattern)) else {
                return Ok(());
            };
            let mut cache = OperatorCache::default();
            let expected = table(|digits| rx.is_match(digits, &mut cache));
            prop_assert_eq!(table(|digits| few_bytes::is_match(&few, digits)), expected);
        }
    }
}
