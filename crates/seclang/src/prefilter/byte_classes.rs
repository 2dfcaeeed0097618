//! Up to 63 classes of bytes, of which one pass over a value tells which it has a byte of.

use crate::ByteSet;

/// The most classes: one bit is for what every value has.
const CLASSES_MAX: u32 = u64::BITS - 1;
/// The bit of it: a mask of all ones goes for every value, one of no class too.
const EVERY: u64 = 1 << CLASSES_MAX;

/// Classes, and for each byte which it is in. Each class has a number, which is its bit.
#[derive(Clone, Debug)]
pub(super) struct ByteClasses {
    classes: Vec<ByteSet>,
    /// For each byte.
    bits: Box<[u64; 256]>,
}

impl ByteClasses {
    pub(super) fn new() -> Self {
        Self {
            classes: Vec::new(),
            bits: Box::new([0; 256]),
        }
    }

    /// The number of `class`, which it gets if it has none; `None` where all numbers are given.
    pub(super) fn number(&mut self, class: ByteSet) -> Option<u32> {
        let known = (0..).zip(&self.classes).find(|(_, known)| **known == class);
        if let Some((number, _)) = known {
            return Some(number);
        }
        let number = u32::try_from(self.classes.len()).ok();
        let number = number.filter(|number| *number < CLASSES_MAX)?;
        self.classes.push(class);
        for (byte, bits) in (0..=u8::MAX).zip(self.bits.iter_mut()) {
            *bits |= u64::from(class.contains(byte)) << number;
        }
        Some(number)
    }

    /// The classes, with their numbers.
    pub(super) fn iter(&self) -> impl Iterator<Item = (u32, &ByteSet)> {
        (0..).zip(&self.classes)
    }

    /// The bits of the classes that have a byte of `set`.
    pub(super) fn meeting(&self, set: ByteSet) -> u64 {
        let meeting = self.iter().filter(|(_, class)| class.intersects(set));
        meeting.fold(0, |all, (number, _)| all | 1 << number)
    }

    /// The same, where a letter of `set` is there only in place of the same letter in the other case:
    /// classes that have both cases had it before.
    pub(super) fn meeting_beyond_case(&self, set: ByteSet) -> u64 {
        const LETTERS: ByteSet = ByteSet::range(b'a', b'z').in_either_case();
        let meeting = self.iter().filter(|(_, class)| {
            let has_both_cases = class.in_either_case() == **class;
            let set = match has_both_cases {
                true => set.without(LETTERS),
                false => set,
            };
            class.intersects(set)
        });
        meeting.fold(0, |all, (number, _)| all | 1 << number)
    }

    /// The bits of the classes that `value` has a byte of, and that of every value. Hot path: two
    /// instructions a byte.
    pub(super) fn of(&self, value: &[u8]) -> u64 {
        let bits = |byte: u8| self.bits.get(usize::from(byte)).copied().unwrap_or(0);
        let (blocks, rest) = value.as_chunks();
        let mut all = [0; 2];
        for [a, b, c, d, e, f, g, h] in blocks {
            let [first, second] = all;
            all = [
                first | bits(*a) | bits(*c) | bits(*e) | bits(*g),
                second | bits(*b) | bits(*d) | bits(*f) | bits(*h),
            ];
        }
        let [first, second] = all;
        rest.iter()
            .fold(first | second | EVERY, |all, byte| all | bits(*byte))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_that_change_their_case_meet_classes_of_one_case() {
        let mut classes = ByteClasses::new();
        for class in [&b"aA"[..], b"A", b" ;", b"a-"] {
            classes.number(ByteSet::of(class));
        }
        let (upper, lower) = (ByteSet::range(b'A', b'Z'), ByteSet::range(b'a', b'z'));
        assert_eq!(classes.meeting(upper), 0b0011);
        assert_eq!(classes.meeting_beyond_case(upper), 0b0010);
        assert_eq!(classes.meeting_beyond_case(lower.with(b' ')), 0b1100);
        assert_eq!(classes.meeting_beyond_case(lower.with(b'-')), 0b1000);
    }
}
