//! Social security numbers of the United States: area, group and serial number.

use super::is_made_up;

/// Areas as they were given out until 2011.
const AREAS_END: u32 = 740;
/// An area that was never given out.
const AREA_NEVER: u32 = 666;

pub(super) fn is_valid(mut digits: impl Iterator<Item = u8>) -> bool {
    let Some(number) = super::first_digits::<9>(&mut digits) else {
        return false;
    };
    let [area @ .., g1, g2, s1, s2, s3, s4] = number;
    let area = value(&area);
    digits.next().is_none()
        && !is_made_up(&number)
        && (1..AREAS_END).contains(&area)
        && area != AREA_NEVER
        && value(&[g1, g2]) > 0
        && value(&[s1, s2, s3, s4]) > 0
}

fn value(digits: &[u8]) -> u32 {
    digits
        .iter()
        .fold(0, |value, digit| value * 10 + u32::from(*digit))
}
