//! Hexadecimal digits.

const DIGITS: &[u8; 16] = b"0123456789abcdef";

/// The value of a digit, in either case.
pub(super) const fn digit(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        b'A'..=b'F' => Some(byte - b'A' + 10),
        _ => None,
    }
}

/// The byte that the first two bytes of `text` spell.
pub(super) fn pair(text: &[u8]) -> Option<u8> {
    let [high, low, ..] = text else { return None };
    Some(digit(*high)? << 4 | digit(*low)?)
}

/// The number that the first four bytes of `text` spell.
pub(super) fn four(text: &[u8]) -> Option<u16> {
    let [_, _, low @ ..] = text else { return None };
    Some(u16::from_be_bytes([pair(text)?, pair(low)?]))
}

/// The lowest four bits of `number` as a digit in lower case.
pub(super) fn lowest_digit(number: u32) -> u8 {
    let index = usize::try_from(number & 0xf).unwrap_or(0);
    DIGITS.get(index).copied().unwrap_or(b'0')
}

/// Appends `byte` as two digits in lower case.
pub(super) fn push_pair(byte: u8, out: &mut Vec<u8>) {
    let byte = u32::from(byte);
    out.extend([lowest_digit(byte >> 4), lowest_digit(byte)]);
}
