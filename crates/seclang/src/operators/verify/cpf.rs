//! Brazil's CPF: nine digits and two check digits.

use super::{first_digits, is_made_up};

pub(super) fn is_valid(digits: impl Iterator<Item = u8>) -> bool {
    let Some(number) = first_digits::<11>(digits) else {
        return false;
    };
    let [.., first_check, second_check] = number;
    let is_ascending = number.starts_with(&[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0]);
    !is_made_up(&number)
        && !is_ascending
        && check_digit(&number, 9) == first_check
        && check_digit(&number, 10) == second_check
}

/// Of the first `len` digits, weighted from `len + 1` down to 2, modulo 11.
fn check_digit(number: &[u8], len: u8) -> u8 {
    let weights = (2..=len + 1).rev();
    let weighted = weights
        .zip(number)
        .map(|(weight, digit)| u32::from(weight) * u32::from(*digit));
    let rest = u8::try_from(weighted.sum::<u32>() % 11).unwrap_or(0);
    if rest < 2 { 0 } else { 11 - rest }
}
