//! Durations as Go writes them (`time.Duration.String`): `3h59m59.063276258s`, `-409.13816ms`, `0s`.

use std::time::Duration;

/// Nanoseconds in an hour, a minute, a second, a millisecond and a microsecond.
const HOUR: u64 = 3_600_000_000_000;
const MINUTE: u64 = 60_000_000_000;
const SECOND: u64 = 1_000_000_000;
const MILLISECOND: u64 = 1_000_000;
const MICROSECOND: u64 = 1_000;

/// Digits behind the point that count; the rest is below a nanosecond in every unit.
const FRACTION_DIGITS_MAX: u32 = 18;

/// How long a decision still lasts: what `text` says, or nothing if it says a negative duration.
///
/// The grammar is that of Go's `time.ParseDuration`: a sign, then one or more of a decimal number
/// and a unit of `h`, `m`, `s`, `ms`, `us` (or `µs`) and `ns`; there is no `d`. A bare `0` is
/// allowed. What is over 584 years is 584 years: a ban is not lost for being long.
///
/// # Errors
/// When the text is anything else.
pub(crate) fn parse_remaining(text: &str) -> Result<Duration, NotADuration> {
    let (negative, unsigned) = match text.as_bytes().first() {
        Some(b'-') => (true, text.get(1..)),
        Some(b'+') => (false, text.get(1..)),
        _ => (false, Some(text)),
    };
    let nanoseconds = match unsigned.unwrap_or_default() {
        "0" => 0,
        unsigned => parse_unsigned(unsigned).ok_or(NotADuration)?,
    };
    Ok(Duration::from_nanos(if negative { 0 } else { nanoseconds }))
}

/// Not a duration as Go writes them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NotADuration;

/// Nanoseconds; saturates.
fn parse_unsigned(mut text: &str) -> Option<u64> {
    let mut total = 0_u64;
    loop {
        let (amount, after_amount) = Amount::split_from(text)?;
        let (unit, rest) = split_unit(after_amount)?;
        total = total.saturating_add(amount.nanoseconds(unit));
        if rest.is_empty() {
            return Some(total);
        }
        text = rest;
    }
}

/// A decimal number: `whole + fraction / 10^fraction_digits`.
struct Amount {
    whole: u64,
    fraction: u64,
    fraction_digits: u32,
}

impl Amount {
    /// The number at the start of `text`, and what follows. At least one digit is needed, on either
    /// side of the point.
    fn split_from(text: &str) -> Option<(Self, &str)> {
        let (whole_digits, rest) = split_digits(text);
        let (fraction_digits, rest) = match rest.strip_prefix('.') {
            Some(rest) => split_digits(rest),
            None => ("", rest),
        };
        if whole_digits.is_empty() && fraction_digits.is_empty() {
            return None;
        }
        let mut amount = Self {
            whole: 0,
            fraction: 0,
            fraction_digits: 0,
        };
        for digit in whole_digits.bytes() {
            let digit = u64::from(digit.wrapping_sub(b'0'));
            amount.whole = amount.whole.saturating_mul(10).saturating_add(digit);
        }
        for digit in fraction_digits.bytes().take(FRACTION_DIGITS_MAX as usize) {
            let digit = u64::from(digit.wrapping_sub(b'0'));
            amount.fraction = amount.fraction.saturating_mul(10).saturating_add(digit);
            amount.fraction_digits += 1;
        }
        Some((amount, rest))
    }

    fn nanoseconds(&self, unit: u64) -> u64 {
        // Exact: 18 digits times an hour's nanoseconds are below 2^128.
        let scale = 10_u128.pow(self.fraction_digits);
        let fraction = u128::from(self.fraction) * u128::from(unit) / scale;
        let fraction = u64::try_from(fraction).unwrap_or(u64::MAX);
        self.whole.saturating_mul(unit).saturating_add(fraction)
    }
}

fn split_digits(text: &str) -> (&str, &str) {
    let end = text.bytes().position(|byte| !byte.is_ascii_digit());
    text.split_at(end.unwrap_or(text.len()))
}

/// The unit at the start of `text` in nanoseconds, and what follows.
fn split_unit(text: &str) -> Option<(u64, &str)> {
    /// Longer names before their own beginnings. `µ` is U+00B5 from Go, U+03BC from keyboards.
    const UNITS: [(&str, u64); 8] = [
        ("ms", MILLISECOND),
        ("us", MICROSECOND),
        ("\u{b5}s", MICROSECOND),
        ("\u{3bc}s", MICROSECOND),
        ("ns", 1),
        ("h", HOUR),
        ("m", MINUTE),
        ("s", SECOND),
    ];
    UNITS
        .iter()
        .find_map(|(name, unit)| Some((*unit, text.strip_prefix(name)?)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[track_caller]
    fn check(input: &str, expected_nanoseconds: Option<u64>) {
        let got = parse_remaining(input).ok();
        assert_eq!(
            got,
            expected_nanoseconds.map(Duration::from_nanos),
            "{input:?}"
        );
    }

    #[test]
    fn what_lapi_sends() {
        check("3h59m59s", Some(14_399 * SECOND));
        check("59m0s", Some(3_540 * SECOND));
        check("3h59m59.063276258s", Some(14_399_063_276_258));
        check("4.819364091s", Some(4_819_364_091));
        check("-5m25.464688608s", Some(0));
        check("-409.13816ms", Some(0));
        check("0s", Some(0));
        check("750.5ms", Some(750_500_000));
        check("12.5\u{b5}s", Some(12_500));
        check("12.5\u{3bc}s", Some(12_500));
        check("12.5us", Some(12_500));
        check("17ns", Some(17));
        check("2562047h47m16.854775807s", Some(i64::MAX as u64));
    }

    #[test]
    fn the_rest_of_gos_grammar() {
        check("0", Some(0));
        check("-0", Some(0));
        check("+5s", Some(5 * SECOND));
        check(".5s", Some(SECOND / 2));
        check("1.s", Some(SECOND));
        check("1h1h", Some(2 * HOUR));
        check("1s1h", Some(HOUR + SECOND));
        check("0.9999999999999999999999999s", Some(999_999_999));
    }

    #[test]
    fn the_too_long_saturates() {
        check("99999999999999999999999999h", Some(u64::MAX));
        check("18446744073709551615h", Some(u64::MAX));
        check("18446744073709551615ns1ns", Some(u64::MAX));
    }

    #[test]
    fn what_is_no_duration() {
        for bad in [
            "", "-", "+", "s", ".s", "-.s", "5", "5 s", " 5s", "5s ", "1d", "1w", "1.5.5s", "1e3s",
            "--5s", "5S", "5\u{b5}", "4h5",
        ] {
            check(bad, None);
        }
    }

    proptest! {
        #[test]
        fn parsing_never_panics(text in ".{0,64}") {
            let _ = parse_remaining(&text);
        }

        #[test]
        fn parsing_near_misses_never_panics(text in "[-+]?([0-9]{0,30}\\.?[0-9]{0,30}(h|m|s|ms|us|\u{b5}s|ns|d|)){0,4}") {
            let _ = parse_remaining(&text);
        }

        #[test]
        fn what_go_writes_is_read_back(nanoseconds in 0..i64::MAX as u64) {
            prop_assert_eq!(parse_remaining(&as_go_writes(nanoseconds)), Ok(Duration::from_nanos(nanoseconds)));
            let negative = format!("-{}", as_go_writes(nanoseconds));
            prop_assert_eq!(parse_remaining(&negative), Ok(Duration::ZERO));
        }
    }

    /// A model of Go's `time.Duration.String`.
    fn as_go_writes(nanoseconds: u64) -> String {
        match nanoseconds {
            0 => "0s".to_owned(),
            n if n < MICROSECOND => format!("{n}ns"),
            n if n < MILLISECOND => format!("{}\u{b5}s", decimal(n, 3)),
            n if n < SECOND => format!("{}ms", decimal(n, 6)),
            n => {
                let seconds = format!("{}s", decimal(n % MINUTE, 9));
                match (n / HOUR, n / MINUTE % 60) {
                    (0, 0) => seconds,
                    (0, minutes) => format!("{minutes}m{seconds}"),
                    (hours, minutes) => format!("{hours}h{minutes}m{seconds}"),
                }
            }
        }
    }

    /// `n / 10^digits` without zeros at the end.
    fn decimal(n: u64, digits: usize) -> String {
        let scale = 10_u64.pow(u32::try_from(digits).unwrap());
        let text = format!("{}.{:0digits$}", n / scale, n % scale);
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    }
}
