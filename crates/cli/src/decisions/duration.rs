//! How long: `30m` in, `3h59m` out.

use std::time::Duration;

/// The units with their seconds, longest first.
const UNITS: [(&str, u64); 4] = [("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1)];

/// Reads a number and a unit, as the settings file has them: `90s`, `30m`, `4h`, `7d`.
pub(crate) fn parse_duration(text: &str) -> Result<Duration, String> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let seconds = text.split_at_checked(digits).and_then(|(number, unit)| {
        let (_, factor) = UNITS.iter().find(|(name, _)| *name == unit)?;
        number.parse::<u64>().ok()?.checked_mul(*factor)
    });
    seconds
        .map(Duration::from_secs)
        .ok_or_else(|| "expected a number and one of s, m, h, d, like 30m, 4h or 7d".to_owned())
}

/// In the two largest units: `6d23h`, `3h59m`, `45s`.
pub(super) fn show_seconds(seconds: u64) -> String {
    let first = UNITS.iter().position(|(_, unit)| seconds >= *unit);
    let mut left = seconds;
    let mut shown = String::new();
    for (name, unit) in UNITS.iter().skip(first.unwrap_or(UNITS.len())).take(2) {
        let count = left / unit;
        left %= unit;
        if count > 0 {
            shown.push_str(&format!("{count}{name}"));
        }
    }
    if shown.is_empty() {
        shown.push_str("0s");
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read() {
        for (text, seconds) in [
            ("90s", Some(90)),
            ("30m", Some(1_800)),
            ("4h", Some(14_400)),
            ("7d", Some(604_800)),
            ("0s", Some(0)),
            ("", None),
            ("4", None),
            ("h", None),
            ("-4h", None),
            ("+4h", None),
            ("1.5h", None),
            ("4h30m", None),
            ("4 h", None),
            ("4H", None),
            ("99999999999999999999s", None),
            ("18446744073709551615d", None),
        ] {
            let got = parse_duration(text).ok().map(|duration| duration.as_secs());
            assert_eq!(got, seconds, "{text}");
        }
    }

    #[test]
    fn durations_are_shown() {
        for (seconds, shown) in [
            (0, "0s"),
            (45, "45s"),
            (60, "1m"),
            (61, "1m1s"),
            (14_399, "3h59m"),
            (14_400, "4h"),
            (3_601, "1h"),
            (604_799, "6d23h"),
            (315_360_000, "3650d"),
        ] {
            assert_eq!(show_seconds(seconds), shown);
        }
    }
}
