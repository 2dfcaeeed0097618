//! Numbers, durations, sizes, and true or false.

use std::time::Duration;

use palisade_vocabulary::ByteSize;
use palisade_waf::Share;

use super::{ScalarKind, Shape};
use crate::problem::quoted;

/// `true` or `false`.
pub(crate) struct Flag;

impl ScalarKind for Flag {
    type Value = bool;

    fn parse(&self, text: &str) -> Result<bool, String> {
        match text {
            "true" => Ok(true),
            "false" => Ok(false),
            _ => Err(format!("{}; expected true or false", quoted(text))),
        }
    }

    fn shape(&self) -> Shape {
        Shape::Flag
    }
}

/// A whole number, bounds included.
pub(crate) struct Integer<N> {
    pub(crate) min: N,
    pub(crate) max: N,
}

impl<N: TryFrom<u64> + TryInto<u64> + Copy + Sync> ScalarKind for Integer<N> {
    type Value = N;

    fn parse(&self, text: &str) -> Result<N, String> {
        let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        let number: Option<u64> = text.parse().ok().filter(|_| digits);
        let (min, max) = self.bounds();
        let within = number.filter(|number| (min..=max).contains(number));
        within
            .and_then(|number| N::try_from(number).ok())
            .ok_or_else(|| {
                let fault = if digits {
                    "is out of bounds"
                } else {
                    "is not a number"
                };
                format!("{} {fault}; expected {}", quoted(text), self.shape())
            })
    }

    fn shape(&self) -> Shape {
        let (min, max) = self.bounds();
        Shape::Integer { min, max }
    }
}

impl<N: TryInto<u64> + Copy> Integer<N> {
    fn bounds(&self) -> (u64, u64) {
        (
            self.min.try_into().unwrap_or(0),
            self.max.try_into().unwrap_or(u64::MAX),
        )
    }
}

/// A number with a unit of time: `500ms`, `10s`, `2m`, `1h`, `7d`; bounds included.
pub(crate) struct DurationIn {
    pub(crate) min: Duration,
    pub(crate) max: Duration,
}

impl DurationIn {
    pub(crate) const fn millis(min: u64, max: u64) -> Self {
        Self {
            min: Duration::from_millis(min),
            max: Duration::from_millis(max),
        }
    }

    pub(crate) const fn seconds(min: u64, max: u64) -> Self {
        Self {
            min: Duration::from_secs(min),
            max: Duration::from_secs(max),
        }
    }
}

/// The units, longest first, with their milliseconds.
const TIME_UNITS: [(&str, u64); 5] = [
    ("d", 86_400_000),
    ("h", 3_600_000),
    ("m", 60_000),
    ("s", 1_000),
    ("ms", 1),
];

impl ScalarKind for DurationIn {
    type Value = Duration;

    fn parse(&self, text: &str) -> Result<Duration, String> {
        let millis = match amount(text, &TIME_UNITS) {
            Ok(millis) => millis,
            Err(AmountError::NoUnit) => {
                return Err(format!(
                    "{} has no unit; expected one of ms, s, m, h, d, as in {text}s",
                    quoted(text)
                ));
            }
            Err(AmountError::NoAmount) => {
                return Err(format!(
                    "{} is not a duration; expected a number and a unit, like 500ms, 10s, 2m, 1h or 7d",
                    quoted(text)
                ));
            }
        };
        let duration = Duration::from_millis(millis);
        if duration < self.min || duration > self.max {
            return Err(format!(
                "{} is out of bounds; expected {}",
                quoted(text),
                self.shape()
            ));
        }
        Ok(duration)
    }

    fn shape(&self) -> Shape {
        Shape::Duration {
            min: self.min,
            max: self.max,
        }
    }
}

/// A duration as the settings file has it, in the largest whole unit.
pub(crate) fn show_duration(duration: Duration) -> String {
    let millis = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    let whole = |(_, unit): &&(&str, u64)| millis > 0 && millis.is_multiple_of(*unit);
    match TIME_UNITS.iter().find(whole) {
        Some((name, unit)) => format!("{}{name}", millis / unit),
        None => format!("{millis}ms"),
    }
}

/// A number with a unit of size: `512B`, `32KiB`, `1MiB`, `2GiB`; bounds included.
pub(crate) struct SizeIn {
    pub(crate) min: ByteSize,
    pub(crate) max: ByteSize,
}

const SIZE_UNITS: [(&str, u64); 4] = [
    ("GiB", 1 << 30),
    ("MiB", 1 << 20),
    ("KiB", 1 << 10),
    ("B", 1),
];

impl ScalarKind for SizeIn {
    type Value = ByteSize;

    fn parse(&self, text: &str) -> Result<ByteSize, String> {
        let bytes = match amount(text, &SIZE_UNITS) {
            Ok(bytes) => bytes,
            Err(AmountError::NoUnit) => {
                return Err(format!(
                    "{} has no unit; expected one of B, KiB, MiB, GiB, as in {text}B",
                    quoted(text)
                ));
            }
            Err(AmountError::NoAmount) => {
                return Err(format!(
                    "{} is not a size; expected a number and one of B, KiB, MiB, GiB, like 32KiB",
                    quoted(text)
                ));
            }
        };
        let size = ByteSize::bytes(bytes);
        if size < self.min || size > self.max {
            return Err(format!(
                "{} is out of bounds; expected {}",
                quoted(text),
                self.shape()
            ));
        }
        Ok(size)
    }

    fn shape(&self) -> Shape {
        Shape::Size {
            min: self.min,
            max: self.max,
        }
    }
}

/// A share, as a number with `%`: `10%`, `0.5%`; bounds included.
pub(crate) struct Percent {
    pub(crate) min: Share,
    pub(crate) max: Share,
}

/// Digits behind the point: millionths of the whole.
const PERCENT_DIGITS: usize = 4;

impl ScalarKind for Percent {
    type Value = Share;

    fn parse(&self, text: &str) -> Result<Share, String> {
        let share = percent(text).ok_or_else(|| {
            format!(
                "{} is no percentage; expected a number with % and up to {PERCENT_DIGITS} digits behind the point, like 10% or 0.5%",
                quoted(text)
            )
        })?;
        if share < self.min || share > self.max {
            return Err(format!(
                "{} is out of bounds; expected {}",
                quoted(text),
                self.shape()
            ));
        }
        Ok(share)
    }

    fn shape(&self) -> Shape {
        Shape::Percent {
            min: self.min,
            max: self.max,
        }
    }
}

fn percent(text: &str) -> Option<Share> {
    let number = text.strip_suffix('%')?;
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    let is_number =
        |digits: &str| !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    if !is_number(whole) || !is_number(fraction) || fraction.len() > PERCENT_DIGITS {
        return None;
    }
    let millionths: u32 = format!("{whole}{fraction:0<PERCENT_DIGITS$}")
        .parse()
        .ok()?;
    Share::from_millionths(millionths)
}

/// A share as the settings file has it.
pub(crate) fn show_percent(share: Share) -> String {
    let (whole, fraction) = (share.millionths() / 10_000, share.millionths() % 10_000);
    let number = format!("{whole}.{fraction:0PERCENT_DIGITS$}");
    format!("{}%", number.trim_end_matches('0').trim_end_matches('.'))
}

enum AmountError {
    NoUnit,
    NoAmount,
}

/// A number and a unit in a row, in the smallest unit.
fn amount(text: &str, units: &[(&str, u64)]) -> Result<u64, AmountError> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at_checked(digits).ok_or(AmountError::NoAmount)?;
    let number: u64 = number.parse().map_err(|_| AmountError::NoAmount)?;
    if unit.is_empty() {
        return Err(AmountError::NoUnit);
    }
    let known = units.iter().find(|(name, _)| *name == unit);
    known
        .and_then(|(_, factor)| number.checked_mul(*factor))
        .ok_or(AmountError::NoAmount)
}
