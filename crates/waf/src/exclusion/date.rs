//! Days of the calendar, in UTC.

use std::fmt;
use std::str::FromStr;

/// Seconds of a day.
const DAY: u64 = 86_400;
/// The last year that is written with four digits.
const YEAR_MAX: u32 = 9999;

/// A day of the Gregorian calendar, from 1970 to 9999.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Date {
    /// Since 1 January 1970.
    days: u32,
}

/// Text that names no day.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected a day from 1970 to 9999, like 2027-03-01")]
pub struct NoDate;

impl Date {
    /// The day of a time since 1970, in seconds; the last one that there is where it is later.
    #[must_use]
    pub fn of(unix_seconds: u64) -> Self {
        let days = u32::try_from(unix_seconds / DAY).unwrap_or(u32::MAX);
        Self {
            days: days.min(days_before(YEAR_MAX + 1) - 1),
        }
    }

    /// When it begins, in seconds since 1970.
    #[must_use]
    pub fn begins(self) -> u64 {
        u64::from(self.days) * DAY
    }

    /// So many days later; `None` where that is after 9999.
    #[must_use]
    pub fn plus(self, days: u32) -> Option<Self> {
        let days = self.days.checked_add(days)?;
        (days < days_before(YEAR_MAX + 1)).then_some(Self { days })
    }
}

impl fmt::Display for Date {
    /// `2027-03-01`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A year has 365.2425 days: the quotient is the year, or the one after it.
        let guess = 1970 + self.days / 365;
        let year = (guess.saturating_sub(10)..=guess)
            .rev()
            .find(|year| days_before(*year) <= self.days)
            .unwrap_or(1970);
        let mut day = self.days - days_before(year);
        let mut month = 1;
        while day >= month_days(year, month) {
            day -= month_days(year, month);
            month += 1;
        }
        write!(f, "{year:04}-{month:02}-{:02}", day + 1)
    }
}

impl FromStr for Date {
    type Err = NoDate;

    fn from_str(text: &str) -> Result<Self, NoDate> {
        let is_shaped = text.len() == 10
            && text.bytes().enumerate().all(|(at, byte)| match at {
                4 | 7 => byte == b'-',
                _ => byte.is_ascii_digit(),
            });
        if !is_shaped {
            return Err(NoDate);
        }
        let mut numbers = text.split('-').map(|part| part.parse::<u32>().ok());
        let mut number = || numbers.next().flatten().ok_or(NoDate);
        let (year, month, day) = (number()?, number()?, number()?);
        let is_day = (1970..=YEAR_MAX).contains(&year)
            && (1..=12).contains(&month)
            && (1..=month_days(year, month)).contains(&day);
        if !is_day {
            return Err(NoDate);
        }
        let months: u32 = (1..month).map(|month| month_days(year, month)).sum();
        Ok(Self {
            days: days_before(year) + months + day - 1,
        })
    }
}

/// Days from 1970 to the beginning of a year from 1970 on.
const fn days_before(year: u32) -> u32 {
    let before = year - 1;
    let leap_days = before / 4 - before / 100 + before / 400;
    // 477 of them were before 1970.
    (year - 1970) * 365 + leap_days - 477
}

const fn month_days(year: u32, month: u32) -> u32 {
    let is_leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    match month {
        2 if is_leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_read_and_written() {
        #[track_caller]
        fn check(text: &str, unix_seconds: u64) {
            let date: Date = text.parse().unwrap();
            assert_eq!(date.begins(), unix_seconds, "{text}");
            assert_eq!(date.to_string(), text);
            assert_eq!(Date::of(unix_seconds + DAY - 1), date);
        }
        check("1970-01-01", 0);
        check("1970-12-31", 364 * DAY);
        check("1972-02-29", 789 * DAY);
        check("2000-02-29", 951_782_400);
        check("2026-11-30", 1_795_996_800);
        check("2100-03-01", 4_107_542_400);
        check("9999-12-31", 253_402_214_400);
    }

    #[test]
    fn each_day_follows_the_one_before() {
        let mut date = Date::of(0);
        let mut text = date.to_string();
        for _ in 0..50_000 {
            date = date.plus(1).unwrap();
            let next = date.to_string();
            assert!(next > text, "{text} {next}");
            assert_eq!(next.parse(), Ok(date));
            text = next;
        }
    }

    #[test]
    fn what_is_no_day() {
        for text in [
            "",
            "2027",
            "2027-3-1",
            "2027-02-29",
            "2027-13-01",
            "2027-00-10",
            "2027-01-00",
            "1969-12-31",
            "+027-01-01",
            "2027-01-01x",
        ] {
            assert_eq!(text.parse::<Date>(), Err(NoDate), "{text}");
        }
        assert_eq!("9999-12-31".parse::<Date>().unwrap().plus(1), None);
        assert_eq!(Date::of(u64::MAX).to_string(), "9999-12-31");
    }
}
