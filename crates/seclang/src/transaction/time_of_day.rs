//! `TIME` and its kin, in UTC.

use std::io::Write;

use super::lookup::Moment;
use crate::syntax::VariableName;

const SECONDS_A_DAY: u64 = 86_400;

/// Appends the value; says whether `name` is one of these.
pub(super) fn append(name: VariableName, moment: Moment, out: &mut Vec<u8>) -> bool {
    use VariableName as V;
    let days = moment.unix_seconds / SECONDS_A_DAY;
    let second = moment.unix_seconds % SECONDS_A_DAY;
    let (hour, minute) = (second / 3_600, second / 60 % 60);
    let (year, month, day) = date(days);
    let number = match name {
        V::Time => {
            let _ = write!(out, "{hour:02}:{minute:02}:{:02}", second % 60);
            return true;
        }
        V::Duration => moment.duration_micros,
        V::TimeEpoch => moment.unix_seconds,
        V::TimeHour => hour,
        V::TimeMin => minute,
        V::TimeSec => second % 60,
        V::TimeDay => day,
        V::TimeMon => month - 1,
        V::TimeYear => year,
        // 1 January 1970 was a Thursday.
        V::TimeWday => (days + 4) % 7,
        _ => return false,
    };
    let _ = write!(out, "{number}");
    true
}

/// Year, month and day of a day since 1970, in the Gregorian calendar. Years are counted from 1 March of
/// the year 0, so that the day that is sometimes missing is a year's last.
fn date(days: u64) -> (u64, u64, u64) {
    const DAYS_TO_1970: u64 = 719_468;
    const DAYS_OF_400_YEARS: u64 = 146_097;
    let days = days + DAYS_TO_1970;
    let (era, day) = (days / DAYS_OF_400_YEARS, days % DAYS_OF_400_YEARS);
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let is_next = month >= 10;
    let month = if is_next { month - 9 } else { month + 3 };
    (era * 400 + year + u64::from(is_next), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(unix_seconds: u64, name: VariableName, expected: &str) {
        let moment = Moment {
            unix_seconds,
            duration_micros: 7,
        };
        let mut out = Vec::new();
        assert!(append(name, moment, &mut out));
        assert_eq!(String::from_utf8_lossy(&out), expected);
    }

    #[test]
    fn times() {
        use VariableName as V;
        // 29 February 2024, 23:05:09, a Thursday.
        let leap = 1_709_247_909;
        check(leap, V::Time, "23:05:09");
        check(leap, V::TimeYear, "2024");
        check(leap, V::TimeMon, "1");
        check(leap, V::TimeDay, "29");
        check(leap, V::TimeWday, "4");
        check(leap, V::TimeHour, "23");
        check(leap, V::TimeMin, "5");
        check(leap, V::TimeSec, "9");
        check(leap, V::TimeEpoch, "1709247909");
        check(leap, V::Duration, "7");
        check(0, V::TimeYear, "1970");
        check(0, V::TimeDay, "1");
        check(951_868_800, V::TimeMon, "2");
        check(4_102_444_799, V::TimeYear, "2099");
    }

    #[test]
    fn others_are_none_of_these() {
        let moment = Moment {
            unix_seconds: 0,
            duration_micros: 0,
        };
        assert!(!append(VariableName::Args, moment, &mut Vec::new()));
    }
}
