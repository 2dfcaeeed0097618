//! `parityEven7bit`, `parityOdd7bit`, `parityZero7bit`: the highest bit of each byte.

use crate::ByteSet;

pub(super) const fn even(byte: u8) -> u8 {
    if byte.count_ones() % 2 == 1 {
        byte | 0x80
    } else {
        byte & 0x7f
    }
}

pub(super) const fn odd(byte: u8) -> u8 {
    if byte.count_ones() % 2 == 1 {
        byte & 0x7f
    } else {
        byte | 0x80
    }
}

pub(super) const fn zero(byte: u8) -> u8 {
    byte & 0x7f
}

pub(super) const TRIGGERS_EVEN: ByteSet = changed_by(0);
pub(super) const TRIGGERS_ODD: ByteSet = changed_by(1);
pub(super) const TRIGGERS_ZERO: ByteSet = ByteSet::range(0x80, 0xff);

/// The bytes that setting the parity to `ones` changes: where it is right, the highest bit goes, and
/// where it is wrong, it comes.
const fn changed_by(ones: u32) -> ByteSet {
    let mut set = ByteSet::EMPTY;
    let mut byte = 0;
    loop {
        let is_right = byte_parity(byte) == ones;
        if is_right == (byte >= 0x80) {
            set = set.with(byte);
        }
        if byte == u8::MAX {
            return set;
        }
        byte += 1;
    }
}

const fn byte_parity(byte: u8) -> u32 {
    byte.count_ones() % 2
}

pub(super) fn apply(input: &[u8], out: &mut Vec<u8>, to: impl Fn(u8) -> u8) -> bool {
    out.clear();
    out.extend(input.iter().map(|byte| to(*byte)));
    out != input
}

#[cfg(test)]
mod tests {
    use super::super::Transformation::{ParityEven7bit, ParityOdd7bit, ParityZero7bit};
    use super::super::tests::check;

    #[test]
    fn bits() {
        check(ParityEven7bit, b"\x01\x03\x80\x81", b"\x81\x03\x80\x01");
        check(ParityOdd7bit, b"\x01\x03\x80\x81", b"\x01\x83\x00\x81");
        check(ParityZero7bit, b"\x01\x83\xff", b"\x01\x03\x7f");
    }
}
