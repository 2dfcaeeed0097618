//! Wall-clock time, and its forms in log lines. All of them are UTC.

use std::time::{SystemTime, UNIX_EPOCH};

/// A point in wall-clock time, from 1970 to 9999 (RFC 3339 section 5.6 has four digits of year).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct WallTime {
    seconds: u64,
    nanos: u32,
}

/// The last second of the year 9999.
const SECONDS_MAX: u64 = 253_402_300_799;
const SECONDS_A_DAY: u64 = 86_400;
const WEEKDAYS: [&[u8; 3]; 7] = [b"Sun", b"Mon", b"Tue", b"Wed", b"Thu", b"Fri", b"Sat"];
const MONTHS: [&[u8; 3]; 12] = [
    b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec",
];

impl WallTime {
    /// The time `seconds` and `nanos` after the start of 1970; the nearest there is where that is
    /// out of range.
    #[must_use]
    pub fn from_unix(seconds: u64, nanos: u32) -> Self {
        Self {
            seconds: seconds.min(SECONDS_MAX),
            nanos: nanos.min(999_999_999),
        }
    }

    /// The day: `2026-11-21`.
    #[must_use]
    pub fn date(self) -> String {
        let (date, _) = self.civil();
        format!("{:04}-{:02}-{:02}", date.year, date.month, date.day)
    }

    /// As Apache and nginx write it: `21/Nov/2026:19:22:25 +0000`.
    pub(crate) fn write_common_log(self, out: &mut Vec<u8>) {
        let (date, clock) = self.civil();
        let [d1, d2] = two_digits(u32::from(date.day));
        let month = MONTHS.get(usize::from(date.month).saturating_sub(1));
        let [m1, m2, m3] = month.map_or(*b"Jan", |name| **name);
        let [y1, y2, y3, y4] = four_digits(date.year);
        out.extend_from_slice(&[d1, d2, b'/', m1, m2, m3, b'/', y1, y2, y3, y4, b':']);
        push_clock(out, clock);
        out.extend_from_slice(b" +0000");
    }

    /// As C's `asctime` writes it: `Sat Nov 21 19:22:25 2026`.
    pub(crate) fn write_asctime(self, out: &mut Vec<u8>) {
        let (date, clock) = self.civil();
        // The first day of 1970 was a Thursday.
        let weekday = (self.seconds / SECONDS_A_DAY + 4) % 7;
        let weekday = usize::try_from(weekday)
            .ok()
            .and_then(|day| WEEKDAYS.get(day));
        let month = MONTHS.get(usize::from(date.month).saturating_sub(1));
        out.extend_from_slice(weekday.map_or(b"Sun", |name| *name));
        out.push(b' ');
        out.extend_from_slice(month.map_or(b"Jan", |name| *name));
        let [tens, ones] = two_digits(u32::from(date.day));
        let tens = if tens == b'0' { b' ' } else { tens };
        out.extend_from_slice(&[b' ', tens, ones, b' ']);
        push_clock(out, clock);
        out.push(b' ');
        out.extend_from_slice(&four_digits(date.year));
    }

    /// RFC 3339 with microseconds: `2026-11-21T19:22:25.000317Z`.
    pub(crate) fn write_rfc3339(self, out: &mut Vec<u8>) {
        let (date, clock) = self.civil();
        let [y1, y2, y3, y4] = four_digits(date.year);
        let [m1, m2] = two_digits(u32::from(date.month));
        let [d1, d2] = two_digits(u32::from(date.day));
        out.extend_from_slice(&[y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2, b'T']);
        push_clock(out, clock);
        push_microseconds(out, self.nanos);
        out.push(b'Z');
    }

    /// Seconds since the start of 1970, with microseconds: `1795289545.000317`.
    pub(crate) fn write_unix(self, out: &mut Vec<u8>) {
        out.extend_from_slice(itoa::Buffer::new().format(self.seconds).as_bytes());
        push_microseconds(out, self.nanos);
    }

    fn civil(self) -> (Date, u32) {
        let clock = u32::try_from(self.seconds % SECONDS_A_DAY).unwrap_or(0);
        let days = u32::try_from(self.seconds / SECONDS_A_DAY).unwrap_or(0);
        (Date::from_days(days), clock)
    }
}

impl From<SystemTime> for WallTime {
    /// A time before 1970 becomes the start of 1970.
    fn from(time: SystemTime) -> Self {
        let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
        Self::from_unix(since.as_secs(), since.subsec_nanos())
    }
}

/// A day of the Gregorian calendar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Date {
    year: u32,
    month: u8,
    day: u8,
}

impl Date {
    /// The day `days` after 1 January 1970.
    ///
    /// Counts from 1 March of the year 0, so that a leap day is the last day of its year: 400
    /// years are then 146,097 days, whichever they are, and the lengths of months repeat as
    /// 31 30 31 30 31 each 153 days.
    fn from_days(days: u32) -> Self {
        let days = days + 719_468;
        let era = days / 146_097;
        let day_of_era = days % 146_097;
        let leap_days = day_of_era / 1_460 + day_of_era / 146_096;
        let year_of_era = (day_of_era + day_of_era / 36_524 - leap_days) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let months_since_march = (5 * day_of_year + 2) / 153;
        let day = day_of_year - (153 * months_since_march + 2) / 5 + 1;
        let (month, next_year) = match months_since_march {
            0..=9 => (months_since_march + 3, 0),
            _ => (months_since_march - 9, 1),
        };
        Self {
            year: era * 400 + year_of_era + next_year,
            month: u8::try_from(month).unwrap_or(1),
            day: u8::try_from(day).unwrap_or(1),
        }
    }
}

/// `19:22:25`, of seconds since midnight.
fn push_clock(out: &mut Vec<u8>, seconds: u32) {
    let [h1, h2] = two_digits(seconds / 3_600);
    let [m1, m2] = two_digits(seconds / 60 % 60);
    let [s1, s2] = two_digits(seconds % 60);
    out.extend_from_slice(&[h1, h2, b':', m1, m2, b':', s1, s2]);
}

/// `.000317`, of nanoseconds.
pub(crate) fn push_microseconds(out: &mut Vec<u8>, nanos: u32) {
    let micros = nanos / 1_000;
    let [a, b] = two_digits(micros / 10_000);
    let [c, d] = two_digits(micros / 100);
    let [e, f] = two_digits(micros);
    out.extend_from_slice(&[b'.', a, b, c, d, e, f]);
}

fn four_digits(value: u32) -> [u8; 4] {
    let [a, b] = two_digits(value / 100);
    let [c, d] = two_digits(value);
    [a, b, c, d]
}

/// The last two decimal digits.
fn two_digits(value: u32) -> [u8; 2] {
    let digit = |value: u32| b'0' + u8::try_from(value % 10).unwrap_or(0);
    [digit(value / 10), digit(value)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(seconds: u64, common_log: &str, rfc3339: &str) {
        let time = WallTime::from_unix(seconds, 317_999);
        let (mut common, mut standard) = (Vec::new(), Vec::new());
        time.write_common_log(&mut common);
        time.write_rfc3339(&mut standard);
        assert_eq!(String::from_utf8(common).unwrap(), common_log);
        assert_eq!(String::from_utf8(standard).unwrap(), rfc3339);
    }

    #[test]
    fn forms_of_a_time() {
        check(
            0,
            "01/Jan/1970:00:00:00 +0000",
            "1970-01-01T00:00:00.000317Z",
        );
        check(
            951_827_696,
            "29/Feb/2000:12:34:56 +0000",
            "2000-02-29T12:34:56.000317Z",
        );
        check(
            1_795_289_545,
            "21/Nov/2026:19:32:25 +0000",
            "2026-11-21T19:32:25.000317Z",
        );
        check(
            4_107_542_399,
            "28/Feb/2100:23:59:59 +0000",
            "2100-02-28T23:59:59.000317Z",
        );
        check(
            4_107_542_400,
            "01/Mar/2100:00:00:00 +0000",
            "2100-03-01T00:00:00.000317Z",
        );
        check(
            u64::MAX,
            "31/Dec/9999:23:59:59 +0000",
            "9999-12-31T23:59:59.000317Z",
        );
        let mut unix = Vec::new();
        WallTime::from_unix(1_795_289_545, 999_999_999).write_unix(&mut unix);
        assert_eq!(unix, b"1795289545.999999");
    }

    #[test]
    fn days_follow_each_other_as_a_calendar_counts_them() {
        let mut expected = Date {
            year: 1970,
            month: 1,
            day: 1,
        };
        for days in 0..=u32::try_from(SECONDS_MAX / SECONDS_A_DAY).unwrap() {
            assert_eq!(Date::from_days(days), expected, "day {days}");
            expected = next_day(expected);
        }
        assert_eq!(expected.year, 10_000);
    }

    fn next_day(Date { year, month, day }: Date) -> Date {
        let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
        let length = match month {
            2 if leap => 29,
            2 => 28,
            4 | 6 | 9 | 11 => 30,
            _ => 31,
        };
        match (day < length, month < 12) {
            (true, _) => Date {
                year,
                month,
                day: day + 1,
            },
            (false, true) => Date {
                year,
                month: month + 1,
                day: 1,
            },
            (false, false) => Date {
                year: year + 1,
                month: 1,
                day: 1,
            },
        }
    }
}
