//! Which of the 256 bytes, as a bit set.

/// A set of bytes: 32 bytes of memory, membership in a few instructions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct ByteSet([u64; 4]);

impl ByteSet {
    /// No byte.
    pub const EMPTY: Self = Self([0; 4]);

    /// Every byte.
    pub const ALL: Self = Self([u64::MAX; 4]);

    /// The bytes of `bytes`: also what tells which bytes a value has, in one pass over it.
    #[must_use]
    pub const fn of(bytes: &[u8]) -> Self {
        let mut set = Self::EMPTY;
        let mut rest = bytes;
        while let [byte, tail @ ..] = rest {
            set = set.with(*byte);
            rest = tail;
        }
        set
    }

    /// The bytes from `first` to `last`, both included; none where `first` is above `last`.
    #[must_use]
    pub const fn range(first: u8, last: u8) -> Self {
        let mut set = Self::EMPTY;
        if first > last {
            return set;
        }
        let mut byte = first;
        loop {
            set = set.with(byte);
            if byte == last {
                return set;
            }
            byte += 1;
        }
    }

    /// This set and `byte`.
    #[must_use]
    pub const fn with(self, byte: u8) -> Self {
        let bit = 1 << (byte & 63);
        let Self([a, b, c, d]) = self;
        match byte >> 6 {
            0 => Self([a | bit, b, c, d]),
            1 => Self([a, b | bit, c, d]),
            2 => Self([a, b, c | bit, d]),
            _ => Self([a, b, c, d | bit]),
        }
    }

    /// What is in this set, in `other` or in both.
    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        let (Self([a, b, c, d]), Self([e, f, g, h])) = (self, other);
        Self([a | e, b | f, c | g, d | h])
    }

    /// This set, with each ASCII letter in both cases if it is there in one.
    #[must_use]
    pub const fn in_either_case(self) -> Self {
        const UPPER: ByteSet = ByteSet::range(b'A', b'Z');
        let Self([a, b, c, d]) = self;
        let Self([_, upper, ..]) = UPPER;
        // The cases of a letter are 32 bits apart in the same word.
        let either = (b & upper) | (b >> 32 & upper);
        Self([a, b | either | either << 32, c, d])
    }

    /// What is in this set and not in `other`.
    #[must_use]
    pub const fn without(self, other: Self) -> Self {
        let (Self([a, b, c, d]), Self([e, f, g, h])) = (self, other);
        Self([a & !e, b & !f, c & !g, d & !h])
    }

    /// What isn't in this set.
    #[must_use]
    pub const fn complement(self) -> Self {
        let Self([a, b, c, d]) = self;
        Self([!a, !b, !c, !d])
    }

    /// Whether a byte is in both. Hot path: four words.
    #[must_use]
    pub const fn intersects(self, other: Self) -> bool {
        let (Self([a, b, c, d]), Self([e, f, g, h])) = (self, other);
        (a & e) | (b & f) | (c & g) | (d & h) != 0
    }

    /// Whether no byte is in it.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        !self.intersects(Self::ALL)
    }

    /// Whether `byte` is in it.
    #[must_use]
    pub fn contains(&self, byte: u8) -> bool {
        let word = self.0.get(usize::from(byte >> 6)).copied().unwrap_or(0);
        word >> (byte & 63) & 1 == 1
    }

    /// Where the first of its bytes is in `value`.
    #[must_use]
    pub fn find_in(&self, value: &[u8]) -> Option<usize> {
        value.iter().position(|byte| self.contains(*byte))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn either_case() {
        let check = |bytes: &[u8], expected: &[u8]| {
            assert_eq!(ByteSet::of(bytes).in_either_case(), ByteSet::of(expected));
        };
        check(b"", b"");
        check(b"aZ@[`{9", b"aAzZ@[`{9");
        check(b"az", b"azAZ");
        check(b"\xe4", b"\xe4");
    }

    #[test]
    fn ranges() {
        assert_eq!(ByteSet::range(0, 255), ByteSet::ALL);
        assert_eq!(ByteSet::range(9, 8), ByteSet::EMPTY);
        assert_eq!(ByteSet::range(0x3f, 0x41), ByteSet::of(b"?@A"));
        assert_eq!(ByteSet::range(255, 255), ByteSet::EMPTY.with(255));
        assert!(ByteSet::EMPTY.is_empty() && !ByteSet::EMPTY.with(128).is_empty());
    }

    proptest! {
        #[test]
        fn agrees_with_a_list(members: Vec<u8>, others: Vec<u8>, byte: u8) {
            let set = ByteSet::of(&members);
            prop_assert_eq!(set.contains(byte), members.contains(&byte));
            prop_assert_eq!(set.complement().contains(byte), !members.contains(&byte));
            let common = members.iter().any(|member| others.contains(member));
            prop_assert_eq!(set.intersects(ByteSet::of(&others)), common);
            prop_assert_eq!(
                set.find_in(&others),
                others.iter().position(|other| members.contains(other))
            );
            prop_assert_eq!(
                set.union(ByteSet::of(&others)),
                ByteSet::of(&[members, others].concat())
            );
        }
    }
}
