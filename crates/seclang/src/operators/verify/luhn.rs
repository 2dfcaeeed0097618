//! Payment cards.

/// Whether there are digits, and the last is the check digit of the others: from the right, each second
/// one counts twice, its own digits summed, and all are a multiple of ten.
pub(super) fn is_valid(digits: impl Iterator<Item = u8>) -> bool {
    let (mut single_first, mut double_first, mut count) = (0_u32, 0_u32, 0_usize);
    for digit in digits {
        let twice = if digit < 5 { 2 * digit } else { 2 * digit - 9 };
        let (odd, even) = if count % 2 == 0 {
            (digit, twice)
        } else {
            (twice, digit)
        };
        single_first += u32::from(odd);
        double_first += u32::from(even);
        count += 1;
    }
    // How many there are, and so which of them count twice, is known only now.
    let sum = if count % 2 == 0 {
        double_first
    } else {
        single_first
    };
    count > 0 && sum % 10 == 0
}
