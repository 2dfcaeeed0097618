//! Austria's social security numbers: a serial number, its check digit, and a date of birth.

use super::{first_digits, is_made_up};

/// By place; the fourth is the check digit.
const WEIGHTS: [u32; 10] = [3, 7, 9, 0, 5, 8, 4, 2, 1, 6];

pub(super) fn is_valid(digits: impl Iterator<Item = u8>) -> bool {
    let Some(number) = first_digits::<10>(digits) else {
        return false;
    };
    let [_, _, _, check, ..] = number;
    let weighted = WEIGHTS
        .iter()
        .zip(number)
        .map(|(weight, digit)| weight * u32::from(digit));
    // Ten is not given out; ModSecurity takes it for zero.
    let expected = weighted.sum::<u32>() % 11 % 10;
    let is_ascending = number == [1, 2, 3, 4, 5, 6, 7, 8, 9, 0];
    !is_made_up(&number) && !is_ascending && expected == u32::from(check)
}
